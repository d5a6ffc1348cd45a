/*-------------------------------------------------------------------------
 *
 * vector_arith.c
 *	  Arithmetic, norm, normalisation, parts and elements of vectors.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include <math.h>

#include "utils/float.h"
#include "utils/varbit.h"
#include "vector/vector.h"

PG_FUNCTION_INFO_V1(vdb_vector_dims);
PG_FUNCTION_INFO_V1(vdb_vector_norm);
PG_FUNCTION_INFO_V1(vdb_l2_normalize);
PG_FUNCTION_INFO_V1(vdb_vector_add);
PG_FUNCTION_INFO_V1(vdb_vector_sub);
PG_FUNCTION_INFO_V1(vdb_vector_mul);
PG_FUNCTION_INFO_V1(vdb_vector_concat);
PG_FUNCTION_INFO_V1(vdb_binary_quantize);
PG_FUNCTION_INFO_V1(vdb_subvector);
PG_FUNCTION_INFO_V1(vdb_vector_get);

static double vector_norm(const VdbVector *v);
static void check_overflow(const VdbVector *v);

/*
 * vector_dims(vector) returns integer.  The count is in the first bytes, so a
 * TOASTed vector is not read whole.
 */
Datum
vdb_vector_dims(PG_FUNCTION_ARGS)
{
	VdbVector  *head = (VdbVector *)
		PG_DETOAST_DATUM_SLICE(PG_GETARG_DATUM(0), 0,
							   offsetof(VdbVector, x) - VARHDRSZ);
	int			dim = head->dim;

	PG_FREE_IF_COPY(head, 0);
	PG_RETURN_INT32(dim);
}

/*
 * The Euclidean norm, summed in double precision.
 */
static double
vector_norm(const VdbVector *v)
{
	double		sum = 0;
	int			i;

	for (i = 0; i < v->dim; i++)
		sum += (double) v->x[i] * (double) v->x[i];
	return sqrt(sum);
}

/*
 * vector_norm(vector) returns double precision
 */
Datum
vdb_vector_norm(PG_FUNCTION_ARGS)
{
	VdbVector  *v = PG_GETARG_VDB_VECTOR_P(0);
	double		norm = vector_norm(v);

	PG_FREE_IF_COPY(v, 0);
	PG_RETURN_FLOAT8(norm);
}

/*
 * l2_normalize(vector) returns vector of norm 1, or zero for zero
 */
Datum
vdb_l2_normalize(PG_FUNCTION_ARGS)
{
	VdbVector  *v = PG_GETARG_VDB_VECTOR_P(0);
	VdbVector  *result = vdb_vector_alloc(v->dim);
	double		norm = vector_norm(v);
	int			i;

	if (norm > 0)
	{
		for (i = 0; i < v->dim; i++)
			result->x[i] = (float) (v->x[i] / norm);
		check_overflow(result);
	}
	PG_FREE_IF_COPY(v, 0);
	PG_RETURN_VDB_VECTOR_P(result);
}

/*
 * Errors out if a result has left the range of float4.
 */
static void
check_overflow(const VdbVector *v)
{
	int			i;

	for (i = 0; i < v->dim; i++)
		if (unlikely(isinf(v->x[i])))
			float_overflow_error();
}

/* The operations on elements; inlined where they are named. */
static inline float
add(float a, float b)
{
	return a + b;
}

static inline float
subtract(float a, float b)
{
	return a - b;
}

static inline float
multiply(float a, float b)
{
	return a * b;
}

/*
 * The vector of operation(a[i], b[i]), for vectors of the same dimensions.
 */
static inline VdbVector *
each_element(const VdbVector *a, const VdbVector *b,
			 float (*operation)(float, float))
{
	VdbVector  *result;
	int			i;

	vdb_vector_check_same_dim(a, b);
	result = vdb_vector_alloc(a->dim);
	for (i = 0; i < a->dim; i++)
		result->x[i] = operation(a->x[i], b->x[i]);
	check_overflow(result);
	return result;
}

Datum
vdb_vector_add(PG_FUNCTION_ARGS)
{
	PG_RETURN_VDB_VECTOR_P(each_element(PG_GETARG_VDB_VECTOR_P(0),
										PG_GETARG_VDB_VECTOR_P(1), add));
}

Datum
vdb_vector_sub(PG_FUNCTION_ARGS)
{
	PG_RETURN_VDB_VECTOR_P(each_element(PG_GETARG_VDB_VECTOR_P(0),
										PG_GETARG_VDB_VECTOR_P(1), subtract));
}

/*
 * vector_mul(vector, vector) returns vector: element by element.  A product
 * that vanishes though no factor is zero is an error, as for real.
 */
Datum
vdb_vector_mul(PG_FUNCTION_ARGS)
{
	VdbVector  *a = PG_GETARG_VDB_VECTOR_P(0);
	VdbVector  *b = PG_GETARG_VDB_VECTOR_P(1);
	VdbVector  *result = each_element(a, b, multiply);
	int			i;

	for (i = 0; i < a->dim; i++)
		if (unlikely(result->x[i] == 0) && a->x[i] != 0 && b->x[i] != 0)
			float_underflow_error();
	PG_RETURN_VDB_VECTOR_P(result);
}

Datum
vdb_vector_concat(PG_FUNCTION_ARGS)
{
	VdbVector  *a = PG_GETARG_VDB_VECTOR_P(0);
	VdbVector  *b = PG_GETARG_VDB_VECTOR_P(1);
	VdbVector  *result;

	vdb_vector_check_dim(a->dim + b->dim);
	result = vdb_vector_alloc(a->dim + b->dim);
	memcpy(result->x, a->x, sizeof(float) * (Size) a->dim);
	memcpy(result->x + a->dim, b->x, sizeof(float) * (Size) b->dim);
	PG_RETURN_VDB_VECTOR_P(result);
}

/*
 * binary_quantize(vector) returns bit: 1 where the element is positive
 */
Datum
vdb_binary_quantize(PG_FUNCTION_ARGS)
{
	VdbVector  *v = PG_GETARG_VDB_VECTOR_P(0);
	VarBit	   *result = palloc0(VARBITTOTALLEN(v->dim));
	bits8	   *bits = VARBITS(result);
	int			i;

	SET_VARSIZE(result, VARBITTOTALLEN(v->dim));
	VARBITLEN(result) = v->dim;
	for (i = 0; i < v->dim; i++)
		bits[i / BITS_PER_BYTE] |=
			(bits8) ((v->x[i] > 0) << (BITS_PER_BYTE - 1 - i % BITS_PER_BYTE));

	PG_FREE_IF_COPY(v, 0);
	PG_RETURN_VARBIT_P(result);
}

/*
 * subvector(vector, start, count) returns vector: start counts from 1, parts
 * beyond the ends are cut off as substring() does.
 */
Datum
vdb_subvector(PG_FUNCTION_ARGS)
{
	VdbVector  *v = PG_GETARG_VDB_VECTOR_P(0);
	int64		start = PG_GETARG_INT32(1);
	int64		count = PG_GETARG_INT32(2);
	int64		first = Max(start, 1);
	int64		last = Min(start + count - 1, (int64) v->dim);
	VdbVector  *result;

	vdb_vector_check_dim((int) Max(last - first + 1, 0));

	result = vdb_vector_alloc((int) (last - first + 1));
	memcpy(result->x, v->x + first - 1, sizeof(float) * (Size) result->dim);
	PG_FREE_IF_COPY(v, 0);
	PG_RETURN_VDB_VECTOR_P(result);
}

/*
 * vector_get(vector, integer) returns real: the element at a position that
 * counts from 1; NULL outside, as for arrays
 */
Datum
vdb_vector_get(PG_FUNCTION_ARGS)
{
	VdbVector  *v = PG_GETARG_VDB_VECTOR_P(0);
	int32		i = PG_GETARG_INT32(1);
	float		value;

	if (i < 1 || i > v->dim)
		PG_RETURN_NULL();
	value = v->x[i - 1];
	PG_FREE_IF_COPY(v, 0);
	PG_RETURN_FLOAT4(value);
}
