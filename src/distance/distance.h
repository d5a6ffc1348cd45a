/*-------------------------------------------------------------------------
 *
 * distance.h
 *	  Public face of the distance room: metrics, kernels, the setting
 *	  vecdb.simd.
 *
 *-------------------------------------------------------------------------
 */
#ifndef VDB_DISTANCE_H
#define VDB_DISTANCE_H

#include "distance/kernels.h"
#include "vector/vector.h"

/* One for each distance operator; those of vectors first */
typedef enum VdbMetric
{
	VDB_METRIC_L2,				/* <->  Euclidean distance */
	VDB_METRIC_IP,				/* <#>  negative inner product */
	VDB_METRIC_COSINE,			/* <=>  1 - cosine */
	VDB_METRIC_L1,				/* <+>  taxicab distance */
	VDB_METRIC_HAMMING,			/* <~>  of bit strings: the bit room's */
	VDB_METRIC_JACCARD			/* <%>  of bit strings: the bit room's */
} VdbMetric;

/*
 * The kernels in force, never NULL.  Changed by the setting vecdb.simd only;
 * exported because JIT code of an inlined distance function refers to it.
 */
extern PGDLLEXPORT const VdbKernels *vdb_active_kernels;

/*
 * The kernels to use now.  Do not keep the pointer beyond the statement.
 */
static inline const VdbKernels *
vdb_kernels(void)
{
	return vdb_active_kernels;
}

/* distance_fns.c */
extern PGDLLEXPORT double vdb_distance(VdbMetric metric, int dim,
									   const float *a, const float *b);

/* distance_guc.c */
extern void vdb_distance_init(void);

#endif							/* VDB_DISTANCE_H */
