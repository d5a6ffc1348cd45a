/*-------------------------------------------------------------------------
 *
 * vector_arith.c
 *	  Arithmetic, norm, normalisation, parts and elements of vector and halfvec.
 *
 * Elements of a halfvec are computed with in float32.  A sum, difference or
 * product of two, rounded to float32 and then to float16, is the exact one
 * rounded once, since float32 has more than twice as many digits (and two).
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include <math.h>

#include "dense.h"
#include "utils/float.h"
#include "utils/varbit.h"

PG_FUNCTION_INFO_V1(vdb_vector_dims);
PG_FUNCTION_INFO_V1(vdb_vector_norm);
PG_FUNCTION_INFO_V1(vdb_halfvec_norm);
PG_FUNCTION_INFO_V1(vdb_l2_normalize);
PG_FUNCTION_INFO_V1(vdb_halfvec_l2_normalize);
PG_FUNCTION_INFO_V1(vdb_vector_add);
PG_FUNCTION_INFO_V1(vdb_halfvec_add);
PG_FUNCTION_INFO_V1(vdb_vector_sub);
PG_FUNCTION_INFO_V1(vdb_halfvec_sub);
PG_FUNCTION_INFO_V1(vdb_vector_mul);
PG_FUNCTION_INFO_V1(vdb_halfvec_mul);
PG_FUNCTION_INFO_V1(vdb_vector_concat);
PG_FUNCTION_INFO_V1(vdb_halfvec_concat);
PG_FUNCTION_INFO_V1(vdb_binary_quantize);
PG_FUNCTION_INFO_V1(vdb_halfvec_binary_quantize);
PG_FUNCTION_INFO_V1(vdb_subvector);
PG_FUNCTION_INFO_V1(vdb_halfvec_subvector);
PG_FUNCTION_INFO_V1(vdb_vector_get);
PG_FUNCTION_INFO_V1(vdb_halfvec_get);

/*
 * vector_dims(vector) returns integer, and the same of halfvec.  The count is
 * in the first bytes, so a TOASTed value is not read whole.
 */
Datum
vdb_vector_dims(PG_FUNCTION_ARGS)
{
	VdbDense   *head = (VdbDense *)
		PG_DETOAST_DATUM_SLICE(PG_GETARG_DATUM(0), 0,
							   offsetof(VdbDense, x) - VARHDRSZ);
	int			dim = head->dim;

	PG_FREE_IF_COPY(head, 0);
	PG_RETURN_INT32(dim);
}

/*
 * The Euclidean norm, summed in double precision.
 */
DENSE_BODY double
norm(VdbDenseType type, const VdbDense *v)
{
	double		sum = 0;

	for (int i = 0; i < v->dim; i++)
	{
		double		x = dense_get(type, v, i);

		sum += x * x;
	}
	return sqrt(sum);
}

DENSE_BODY Datum
dense_norm(FunctionCallInfo fcinfo, VdbDenseType type)
{
	VdbDense   *v = PG_GETARG_VDB_DENSE_P(0);
	double		result = norm(type, v);

	PG_FREE_IF_COPY(v, 0);
	PG_RETURN_FLOAT8(result);
}

/*
 * vector_norm(vector) returns double precision
 */
Datum
vdb_vector_norm(PG_FUNCTION_ARGS)
{
	return dense_norm(fcinfo, VDB_VECTOR);
}

/*
 * l2_norm(halfvec) returns double precision
 */
Datum
vdb_halfvec_norm(PG_FUNCTION_ARGS)
{
	return dense_norm(fcinfo, VDB_HALFVEC);
}

/*
 * Errors out if a result has left the type's range.
 */
DENSE_BODY void
check_overflow(VdbDenseType type, const VdbDense *v)
{
	for (int i = 0; i < v->dim; i++)
		if (unlikely(isinf(dense_get(type, v, i))))
			float_overflow_error();
}

/*
 * The value of norm 1, or zero for zero.
 */
DENSE_BODY Datum
dense_normalize(FunctionCallInfo fcinfo, VdbDenseType type)
{
	VdbDense   *v = PG_GETARG_VDB_DENSE_P(0);
	VdbDense   *result = vdb_dense_alloc(type, v->dim);
	double		length = norm(type, v);

	if (length > 0)
	{
		for (int i = 0; i < v->dim; i++)
			dense_set(type, result, i, (float) (dense_get(type, v, i) / length));
		check_overflow(type, result);
	}
	PG_FREE_IF_COPY(v, 0);
	PG_RETURN_VDB_DENSE_P(result);
}

/*
 * l2_normalize(vector) returns vector
 */
Datum
vdb_l2_normalize(PG_FUNCTION_ARGS)
{
	return dense_normalize(fcinfo, VDB_VECTOR);
}

Datum
vdb_halfvec_l2_normalize(PG_FUNCTION_ARGS)
{
	return dense_normalize(fcinfo, VDB_HALFVEC);
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
 * operation(a[i], b[i]) of two values of the same dimensions.
 */
DENSE_BODY VdbDense *
each_element(VdbDenseType type, const VdbDense *a, const VdbDense *b,
			 float (*operation)(float, float))
{
	VdbDense   *result;

	vdb_dense_check_same_dim(type, a, b);
	result = vdb_dense_alloc(type, a->dim);
	for (int i = 0; i < a->dim; i++)
		dense_set(type, result, i,
				  operation(dense_get(type, a, i), dense_get(type, b, i)));
	check_overflow(type, result);
	return result;
}

/*
 * vector_add(vector, vector) returns vector
 */
Datum
vdb_vector_add(PG_FUNCTION_ARGS)
{
	PG_RETURN_VDB_DENSE_P(each_element(VDB_VECTOR, PG_GETARG_VDB_DENSE_P(0),
									   PG_GETARG_VDB_DENSE_P(1), add));
}

Datum
vdb_halfvec_add(PG_FUNCTION_ARGS)
{
	PG_RETURN_VDB_DENSE_P(each_element(VDB_HALFVEC, PG_GETARG_VDB_DENSE_P(0),
									   PG_GETARG_VDB_DENSE_P(1), add));
}

/*
 * vector_sub(vector, vector) returns vector
 */
Datum
vdb_vector_sub(PG_FUNCTION_ARGS)
{
	PG_RETURN_VDB_DENSE_P(each_element(VDB_VECTOR, PG_GETARG_VDB_DENSE_P(0),
									   PG_GETARG_VDB_DENSE_P(1), subtract));
}

Datum
vdb_halfvec_sub(PG_FUNCTION_ARGS)
{
	PG_RETURN_VDB_DENSE_P(each_element(VDB_HALFVEC, PG_GETARG_VDB_DENSE_P(0),
									   PG_GETARG_VDB_DENSE_P(1), subtract));
}

/*
 * The product element by element.  One that vanishes though no factor is zero
 * is an error, as for real.
 */
DENSE_BODY Datum
dense_mul(FunctionCallInfo fcinfo, VdbDenseType type)
{
	VdbDense   *a = PG_GETARG_VDB_DENSE_P(0);
	VdbDense   *b = PG_GETARG_VDB_DENSE_P(1);
	VdbDense   *result = each_element(type, a, b, multiply);

	for (int i = 0; i < a->dim; i++)
		if (unlikely(dense_get(type, result, i) == 0) &&
			dense_get(type, a, i) != 0 && dense_get(type, b, i) != 0)
			float_underflow_error();
	PG_RETURN_VDB_DENSE_P(result);
}

/*
 * vector_mul(vector, vector) returns vector
 */
Datum
vdb_vector_mul(PG_FUNCTION_ARGS)
{
	return dense_mul(fcinfo, VDB_VECTOR);
}

Datum
vdb_halfvec_mul(PG_FUNCTION_ARGS)
{
	return dense_mul(fcinfo, VDB_HALFVEC);
}

DENSE_BODY Datum
dense_concat(FunctionCallInfo fcinfo, VdbDenseType type)
{
	VdbDense   *a = PG_GETARG_VDB_DENSE_P(0);
	VdbDense   *b = PG_GETARG_VDB_DENSE_P(1);
	VdbDense   *result;

	vdb_dense_check_dim(type, a->dim + b->dim);
	result = vdb_dense_alloc(type, a->dim + b->dim);
	dense_copy(type, result, 0, a, 0, a->dim);
	dense_copy(type, result, a->dim, b, 0, b->dim);
	PG_RETURN_VDB_DENSE_P(result);
}

/*
 * vector_concat(vector, vector) returns vector
 */
Datum
vdb_vector_concat(PG_FUNCTION_ARGS)
{
	return dense_concat(fcinfo, VDB_VECTOR);
}

Datum
vdb_halfvec_concat(PG_FUNCTION_ARGS)
{
	return dense_concat(fcinfo, VDB_HALFVEC);
}

/*
 * A bit for each element: 1 where it is positive.
 */
DENSE_BODY Datum
dense_binary_quantize(FunctionCallInfo fcinfo, VdbDenseType type)
{
	VdbDense   *v = PG_GETARG_VDB_DENSE_P(0);
	VarBit	   *result = palloc0(VARBITTOTALLEN(v->dim));
	bits8	   *bits = VARBITS(result);

	SET_VARSIZE(result, VARBITTOTALLEN(v->dim));
	VARBITLEN(result) = v->dim;
	for (int i = 0; i < v->dim; i++)
		bits[i / BITS_PER_BYTE] |=
			(bits8) ((dense_get(type, v, i) > 0) << (BITS_PER_BYTE - 1 - i % BITS_PER_BYTE));

	PG_FREE_IF_COPY(v, 0);
	PG_RETURN_VARBIT_P(result);
}

/*
 * binary_quantize(vector) returns bit
 */
Datum
vdb_binary_quantize(PG_FUNCTION_ARGS)
{
	return dense_binary_quantize(fcinfo, VDB_VECTOR);
}

Datum
vdb_halfvec_binary_quantize(PG_FUNCTION_ARGS)
{
	return dense_binary_quantize(fcinfo, VDB_HALFVEC);
}

/*
 * A part: start counts from 1, what is beyond the ends is cut off as
 * substring() does.
 */
DENSE_BODY Datum
dense_part(FunctionCallInfo fcinfo, VdbDenseType type)
{
	VdbDense   *v = PG_GETARG_VDB_DENSE_P(0);
	int64		start = PG_GETARG_INT32(1);
	int64		count = PG_GETARG_INT32(2);
	int64		first = Max(start, 1);
	int64		last = Min(start + count - 1, (int64) v->dim);
	VdbDense   *result;

	vdb_dense_check_dim(type, (int) Max(last - first + 1, 0));

	result = vdb_dense_alloc(type, (int) (last - first + 1));
	dense_copy(type, result, 0, v, (int) (first - 1), result->dim);
	PG_FREE_IF_COPY(v, 0);
	PG_RETURN_VDB_DENSE_P(result);
}

/*
 * subvector(vector, start, count) returns vector
 */
Datum
vdb_subvector(PG_FUNCTION_ARGS)
{
	return dense_part(fcinfo, VDB_VECTOR);
}

Datum
vdb_halfvec_subvector(PG_FUNCTION_ARGS)
{
	return dense_part(fcinfo, VDB_HALFVEC);
}

/*
 * The element at a position that counts from 1; NULL outside, as for arrays.
 */
DENSE_BODY Datum
dense_element(FunctionCallInfo fcinfo, VdbDenseType type)
{
	VdbDense   *v = PG_GETARG_VDB_DENSE_P(0);
	int32		i = PG_GETARG_INT32(1);
	float		value;

	if (i < 1 || i > v->dim)
		PG_RETURN_NULL();
	value = dense_get(type, v, i - 1);
	PG_FREE_IF_COPY(v, 0);
	PG_RETURN_FLOAT4(value);
}

/*
 * vector_get(vector, integer) returns real
 */
Datum
vdb_vector_get(PG_FUNCTION_ARGS)
{
	return dense_element(fcinfo, VDB_VECTOR);
}

Datum
vdb_halfvec_get(PG_FUNCTION_ARGS)
{
	return dense_element(fcinfo, VDB_HALFVEC);
}
