/*-------------------------------------------------------------------------
 *
 * sparse.h
 *	  Public face of the sparse room: the type `sparsevec`, its layout and
 *	  limits, sums over pairs of sparse vectors.
 *
 * The layout is pgvector's (a dump or a binary COPY moves between the two):
 *
 *	  offset  0	 varlena header, 4 bytes
 *	  offset  4	 int32	number of dimensions, 1 .. VDB_SPARSE_MAX_DIM
 *	  offset  8	 int32	number of elements, 0 .. VDB_SPARSE_MAX_ELEMENTS
 *	  offset 12	 int32	unused, always 0
 *	  offset 16	 int32	indices from 0, ascending, no two alike
 *	  then		 float4 values in the same order, all finite, none 0
 *
 *-------------------------------------------------------------------------
 */
#ifndef VDB_SPARSE_H
#define VDB_SPARSE_H

#include "pg_compat.h"

#define VDB_SPARSE_MAX_DIM 1000000000
#define VDB_SPARSE_MAX_ELEMENTS 16000

typedef struct VdbSparse
{
	int32		vl_len_;		/* varlena header, use SET_VARSIZE only */
	int32		dim;			/* number of dimensions */
	int32		count;			/* number of elements, all non-zero */
	int32		unused;			/* always 0 */
	int32		indices[FLEXIBLE_ARRAY_MEMBER]; /* from 0 */
} VdbSparse;

#define VDB_SPARSE_SIZE(count) \
	(offsetof(VdbSparse, indices) + (sizeof(int32) + sizeof(float)) * (Size) (count))

/* Elements, wherever they are: indices ascending */
typedef struct VdbSparseElements
{
	int			count;
	const int32 *indices;
	const float *values;
} VdbSparseElements;

/* The values of a sparse vector, which follow its indices */
static inline float *
vdb_sparse_values(VdbSparse *v)
{
	return (float *) (v->indices + v->count);
}

static inline VdbSparseElements
vdb_sparse_elements(const VdbSparse *v)
{
	VdbSparseElements result = {v->count, v->indices, (const float *) (v->indices + v->count)};

	return result;
}

/* The sparse vector of a Datum, detoasted when needed (then in a new palloc). */
static inline VdbSparse *
DatumGetVdbSparse(Datum d)
{
	return (VdbSparse *) PG_DETOAST_DATUM(d);
}

#define PG_GETARG_VDB_SPARSE_P(n) DatumGetVdbSparse(PG_GETARG_DATUM(n))
#define PG_RETURN_VDB_SPARSE_P(v) PG_RETURN_POINTER(v)

/* sparse_check.c; exported because JIT code of an inlined SQL function refers to them */
extern PGDLLEXPORT VdbSparse *vdb_sparse_alloc(int dim, int count);
extern PGDLLEXPORT void vdb_sparse_check_dim(int dim);
extern PGDLLEXPORT void vdb_sparse_check_count(int count, int dim);
extern PGDLLEXPORT void vdb_sparse_check_typmod(int32 typmod, int dim);
extern PGDLLEXPORT void vdb_sparse_check_same_dim(const VdbSparse *a, const VdbSparse *b);
extern PGDLLEXPORT void vdb_sparse_check_index(const int32 *indices, int i, int dim);
extern PGDLLEXPORT void vdb_sparse_check_value(float value);

/* sparse_sums.c, plain C */
extern PGDLLEXPORT double vdb_sparse_l2sq(VdbSparseElements a, VdbSparseElements b);
extern PGDLLEXPORT double vdb_sparse_ip(VdbSparseElements a, VdbSparseElements b);
extern PGDLLEXPORT double vdb_sparse_l1(VdbSparseElements a, VdbSparseElements b);
extern PGDLLEXPORT double vdb_sparse_squares(VdbSparseElements a);

#endif							/* VDB_SPARSE_H */
