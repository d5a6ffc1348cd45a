/*-------------------------------------------------------------------------
 *
 * quant_kernels.h
 *	  The kernels of the quantize room, one table per SIMD level.
 *
 * All levels give the same bits (Q1).  Array lengths n are multiples of 32
 * where floats are read or written, of 64 where codes are, and at least that;
 * arrays may have any alignment.  A kernel neither allocates nor throws.
 *
 *-------------------------------------------------------------------------
 */
#ifndef VDB_QUANT_KERNELS_H
#define VDB_QUANT_KERNELS_H

#include "quantize.h"

/* Sums over the coded dimensions of a residual r, its y and its node c */
typedef struct VdbCodeSums
{
	float		yr;				/* <y, r> */
	float		yc;				/* <y, c> */
	float		yy;				/* <y, y> */
} VdbCodeSums;

/* Neighbour codes that lie stride bytes apart */
typedef struct VdbCodeRows
{
	const uint8 *first;			/* the first code */
	Size		stride;			/* bytes from one code to the next */
	int			count;			/* number of codes */
	int			bytes;			/* length of a code, a multiple of 8 */
} VdbCodeRows;

struct VdbQuantKernels
{
	const char *name;

	/* the rotation: x[i] with the sign flipped where a bit of signs is set */
	void (*flip)(int n, float *x, const uint32 *signs);
	/* Hadamard transform of scale * x; n is a power of two, >= 64 */
	void (*hadamard)(int n, float *x, float scale);
	/* (a + b, a - b) / sqrt(2) of the halves of x; n a multiple of 64 */
	void (*mix)(int n, float *x);

	/* the largest |x[i]| */
	float (*max_abs)(int n, const float *x);
	/* x[i] * scale, rounded to nearest even; no result may exceed 2^21 */
	void (*to_int8)(int n, const float *x, float scale, int8 *out);
	void (*to_int16)(int n, const float *x, float scale, int16 *out);
	/* float16 of x[i] * scale */
	void (*to_half)(int n, const float *x, float scale, uint16 *out);
	/* v[i] * scale */
	void (*from_int8)(int n, const int8 *v, float scale, float *out);
	void (*from_half)(int n, const uint16 *h, float scale, float *out);

	/* sum of (q[i] - scale * h[i])^2 */
	float (*l2sq_half)(int n, const float *q, const uint16 *h, float scale);
	/* sum of (a[i] - ratio * b[i])^2 */
	float (*l2sq_halves)(int n, const uint16 *a, const uint16 *b, float ratio);
	/* sum of |q[i] - scale * h[i]|, and so on */
	float (*l1_half)(int n, const float *q, const uint16 *h, float scale);
	float (*l1_halves)(int n, const uint16 *a, const uint16 *b, float ratio);
	/* sum of q[i] * h[i] */
	float (*ip_half)(int n, const float *q, const uint16 *h);
	float (*ip_halves)(int n, const uint16 *a, const uint16 *b);
	/* sum of a[i] * b[i] */
	float (*ip)(int n, const float *a, const float *b);
	/* |t[i]| <= 4095, |v[i]| <= 127, n <= 16384 */
	int64 (*dot_int16)(int n, const int16 *t, const int8 *v);
	int64 (*squares_int16)(int n, const int16 *t);
	int32 (*dot_int8)(int n, const int8 *a, const int8 *b);
	/* the same of one with each of count others */
	void (*dots_int8)(int n, const int8 *a, const int8 *const *b, int count, int32 *out);

	/* r[i] = scale * x[i] - c[i]; returns the sum of r[i]^2 */
	float (*residual)(int n, const float *x, float scale, const float *c,
					  float *r);
	/* u[i] = (r[i] > 0), y = u - 1/2 */
	VdbCodeSums (*code_signs)(int n, const float *r, const float *c, uint8 *u);
	/*
	 * u[i] = floor of r[i] * scale + z + 1/2, clamped to 0 .. 2z; y = u - z.
	 * scale * r[i] must be finite.
	 */
	VdbCodeSums (*code_levels)(int n, const float *r, const float *c,
							   float scale, float z, uint8 *u);

	/*
	 * out[j] = sum of u[i] * q8[i] of code j, for 1, 2 and 4 bits a dimension
	 * (see the README for the order of the fields).  q8 is readable for 64
	 * bytes more than the code has dimensions.
	 */
	void (*sums1)(VdbCodeRows rows, const int8 *q8, int32 *out);
	void (*sums2)(VdbCodeRows rows, const int8 *q8, int32 *out);
	void (*sums4)(VdbCodeRows rows, const int8 *q8, int32 *out);
};

/* quant_scalar.c and so on */
extern PGDLLEXPORT const VdbQuantKernels vdb_quant_kernels_scalar;
#ifdef VDB_HAVE_X86_KERNELS
extern PGDLLEXPORT const VdbQuantKernels vdb_quant_kernels_avx2;
extern PGDLLEXPORT const VdbQuantKernels vdb_quant_kernels_avx512;
extern PGDLLEXPORT const VdbQuantKernels vdb_quant_kernels_avx512vnni;
#endif
#ifdef VDB_HAVE_NEON_KERNELS
extern PGDLLEXPORT const VdbQuantKernels vdb_quant_kernels_neon;
#endif

/* quant_choose.c */
extern const VdbQuantKernels *vdb_quant_nth_kernels(int i);

#endif							/* VDB_QUANT_KERNELS_H */
