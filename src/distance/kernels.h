/*-------------------------------------------------------------------------
 *
 * kernels.h
 *	  The distance kernels on raw arrays of float32 and of float16, one table per
 *	  SIMD level.
 *
 * Nothing declared here needs a server: the unit tests and micro-benchmarks
 * link the kernels alone.  A kernel neither allocates nor throws, reads
 * exactly dim elements of each array at any alignment, and gives the same
 * bits when its two arrays are swapped.  Where one array is the same for many
 * calls, it should be b: a is the one that is prefetched.  Accuracy: see
 * kernel_template.h.
 *
 *-------------------------------------------------------------------------
 */
#ifndef VDB_KERNELS_H
#define VDB_KERNELS_H

#include "pg_compat.h"

/* The three sums that one pass for the cosine needs */
typedef struct VdbCosineSums
{
	float		dot;			/* sum of a[i] * b[i] */
	float		norm_a;			/* sum of a[i]^2 */
	float		norm_b;			/* sum of b[i]^2 */
} VdbCosineSums;

typedef float (*VdbDistanceKernel)(int dim, const float *a, const float *b);
typedef VdbCosineSums (*VdbCosineKernel)(int dim, const float *a, const float *b);
typedef float (*VdbHalfDistanceKernel)(int dim, const uint16 *a, const uint16 *b);
typedef VdbCosineSums (*VdbHalfCosineKernel)(int dim, const uint16 *a, const uint16 *b);

/* The same sums as below of float16s (vector/half.h), added up in float32 */
typedef struct VdbHalfKernels
{
	VdbHalfDistanceKernel l2sq;
	VdbHalfDistanceKernel ip;
	VdbHalfDistanceKernel l1;
	VdbHalfCosineKernel cosine;
} VdbHalfKernels;

/* The kernels of one SIMD level.  dim >= 0; sums are 0 when it is 0. */
typedef struct VdbKernels
{
	const char *name;			/* as in the setting vecdb.simd */
	VdbDistanceKernel l2sq;		/* sum of (a[i] - b[i])^2 */
	VdbDistanceKernel ip;		/* sum of a[i] * b[i] */
	VdbDistanceKernel l1;		/* sum of |a[i] - b[i]| */
	VdbCosineKernel cosine;		/* the sums, not yet divided */
	VdbHalfKernels half;
} VdbKernels;

/* Order of preference: auto takes the last that the CPU has */
typedef enum VdbSimdLevel
{
	VDB_SIMD_AUTO,				/* the best that the CPU has */
	VDB_SIMD_SCALAR,
	VDB_SIMD_NEON,
	VDB_SIMD_AVX2,
	VDB_SIMD_AVX512
} VdbSimdLevel;

#define VDB_SIMD_LAST VDB_SIMD_AVX512

/* kernels_*.c */
extern PGDLLEXPORT const VdbKernels vdb_kernels_scalar;
#ifdef VDB_HAVE_X86_KERNELS
extern PGDLLEXPORT const VdbKernels vdb_kernels_avx2;
extern PGDLLEXPORT const VdbKernels vdb_kernels_avx512;
#endif
#ifdef VDB_HAVE_NEON_KERNELS
extern PGDLLEXPORT const VdbKernels vdb_kernels_neon;
#endif

/* kernel_choose.c */
extern const VdbKernels *vdb_kernels_find(VdbSimdLevel level);

#endif							/* VDB_KERNELS_H */
