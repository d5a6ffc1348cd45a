/*-------------------------------------------------------------------------
 *
 * vector.h
 *	  Public face of the vector room: the types `vector` and `halfvec`, their
 *	  layout and limits.
 *
 * The layout is pgvector's (a dump or a binary COPY moves between the two):
 *
 *	  offset  0	 varlena header, 4 bytes
 *	  offset  4	 int16	number of dimensions, 1 .. VDB_VECTOR_MAX_DIM
 *	  offset  6	 int16	unused, always 0
 *	  offset  8	 elements, host byte order, all finite: float4 in a vector,
 *				 float16 in a halfvec
 *
 *-------------------------------------------------------------------------
 */
#ifndef VDB_VECTOR_H
#define VDB_VECTOR_H

#include "pg_compat.h"

#include <math.h>

#include "vector/half.h"

/* The types that have a value for each dimension; they differ in its size. */
typedef enum VdbDenseType
{
	VDB_VECTOR,
	VDB_HALFVEC
} VdbDenseType;

/* Of both types */
#define VDB_VECTOR_MAX_DIM 16000

/* What the two have in common */
typedef struct VdbDense
{
	int32		vl_len_;		/* varlena header, use SET_VARSIZE only */
	int16		dim;			/* number of dimensions */
	int16		unused;			/* always 0 */
	char		x[FLEXIBLE_ARRAY_MEMBER];
} VdbDense;

typedef struct VdbVector
{
	int32		vl_len_;
	int16		dim;
	int16		unused;
	float		x[FLEXIBLE_ARRAY_MEMBER];
} VdbVector;

typedef struct VdbHalfvec
{
	int32		vl_len_;
	int16		dim;
	int16		unused;
	uint16		x[FLEXIBLE_ARRAY_MEMBER]; /* half.h */
} VdbHalfvec;

/* Bytes of an element */
static inline Size
vdb_dense_element_size(VdbDenseType type)
{
	return type == VDB_HALFVEC ? sizeof(uint16) : sizeof(float);
}

static inline Size
vdb_dense_size(VdbDenseType type, int dim)
{
	return offsetof(VdbDense, x) + vdb_dense_element_size(type) * (Size) dim;
}

#define VDB_VECTOR_SIZE(dim) vdb_dense_size(VDB_VECTOR, (dim))

/* The value of a Datum, detoasted when needed (then in a new palloc). */
static inline VdbDense *
DatumGetVdbDense(Datum d)
{
	return (VdbDense *) PG_DETOAST_DATUM(d);
}

static inline VdbVector *
DatumGetVdbVector(Datum d)
{
	return (VdbVector *) PG_DETOAST_DATUM(d);
}

static inline VdbHalfvec *
DatumGetVdbHalfvec(Datum d)
{
	return (VdbHalfvec *) PG_DETOAST_DATUM(d);
}

#define PG_GETARG_VDB_DENSE_P(n) DatumGetVdbDense(PG_GETARG_DATUM(n))
#define PG_GETARG_VDB_VECTOR_P(n) DatumGetVdbVector(PG_GETARG_DATUM(n))
#define PG_GETARG_VDB_HALFVEC_P(n) DatumGetVdbHalfvec(PG_GETARG_DATUM(n))
#define PG_RETURN_VDB_DENSE_P(v) PG_RETURN_POINTER(v)
#define PG_RETURN_VDB_VECTOR_P(v) PG_RETURN_POINTER(v)
#define PG_RETURN_VDB_HALFVEC_P(v) PG_RETURN_POINTER(v)

/* vector_check.c; exported because JIT code of an inlined SQL function refers to them */
extern PGDLLEXPORT VdbDense *vdb_dense_alloc(VdbDenseType type, int dim);
extern PGDLLEXPORT const char *vdb_dense_name(VdbDenseType type);
extern PGDLLEXPORT void vdb_dense_check_dim(VdbDenseType type, int dim);
extern PGDLLEXPORT void vdb_dense_check_typmod(int32 typmod, int dim);
pg_noreturn extern PGDLLEXPORT void vdb_dense_differing_dims(VdbDenseType type, int a, int b);
pg_noreturn extern PGDLLEXPORT void vdb_dense_refuse_element(VdbDenseType type, float value);

/*
 * Errors out unless a and b have the same number of dimensions.
 */
static inline void
vdb_dense_check_same_dim(VdbDenseType type, const VdbDense *a, const VdbDense *b)
{
	if (unlikely(a->dim != b->dim))
		vdb_dense_differing_dims(type, a->dim, b->dim);
}

/*
 * Errors out unless value is a number and finite.
 */
static inline void
vdb_dense_check_element(VdbDenseType type, float value)
{
	if (unlikely(!isfinite(value)))
		vdb_dense_refuse_element(type, value);
}

/*
 * A number as an element of a halfvec: the nearest float16, ties to even.
 * Errors out where there is none that is finite.
 */
static inline uint16
vdb_halfvec_element(float value)
{
	uint16		half = vdb_half_from_float(value);

	if (unlikely(!vdb_half_is_finite(half)))
		vdb_dense_refuse_element(VDB_HALFVEC, value);
	return half;
}

static inline VdbVector *
vdb_vector_alloc(int dim)
{
	return (VdbVector *) vdb_dense_alloc(VDB_VECTOR, dim);
}

static inline VdbHalfvec *
vdb_halfvec_alloc(int dim)
{
	return (VdbHalfvec *) vdb_dense_alloc(VDB_HALFVEC, dim);
}

#endif							/* VDB_VECTOR_H */
