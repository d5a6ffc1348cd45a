/*-------------------------------------------------------------------------
 *
 * vector.h
 *	  Public face of the vector room: the type `vector`, its layout and limits.
 *
 * The layout is pgvector's (a dump or a binary COPY moves between the two):
 *
 *	  offset  0	 varlena header, 4 bytes
 *	  offset  4	 int16	number of dimensions, 1 .. VDB_VECTOR_MAX_DIM
 *	  offset  6	 int16	unused, always 0
 *	  offset  8	 float4 elements, host byte order, all finite
 *
 *-------------------------------------------------------------------------
 */
#ifndef VDB_VECTOR_H
#define VDB_VECTOR_H

#include "pg_compat.h"

#define VDB_VECTOR_MAX_DIM 16000

typedef struct VdbVector
{
	int32		vl_len_;		/* varlena header, use SET_VARSIZE only */
	int16		dim;			/* number of dimensions */
	int16		unused;			/* always 0 */
	float		x[FLEXIBLE_ARRAY_MEMBER];
} VdbVector;

#define VDB_VECTOR_SIZE(dim) \
	(offsetof(VdbVector, x) + sizeof(float) * (Size) (dim))

/* The vector of a Datum, detoasted when needed (then in a new palloc). */
static inline VdbVector *
DatumGetVdbVector(Datum d)
{
	return (VdbVector *) PG_DETOAST_DATUM(d);
}

#define PG_GETARG_VDB_VECTOR_P(n) DatumGetVdbVector(PG_GETARG_DATUM(n))
#define PG_RETURN_VDB_VECTOR_P(v) PG_RETURN_POINTER(v)

/* vector_check.c */
extern VdbVector *vdb_vector_alloc(int dim);
extern void vdb_vector_check_dim(int dim);
extern void vdb_vector_check_typmod(int32 typmod, int dim);
extern void vdb_vector_check_same_dim(const VdbVector *a, const VdbVector *b);
extern void vdb_vector_check_element(float value);

/* vector_compare.c */
extern int	vdb_vector_compare(const VdbVector *a, const VdbVector *b);

#endif							/* VDB_VECTOR_H */
