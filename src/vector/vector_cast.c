/*-------------------------------------------------------------------------
 *
 * vector_cast.c
 *	  Casts between vector, halfvec and arrays of numbers.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "catalog/pg_type.h"
#include "dense.h"
#include "utils/array.h"
#include "utils/fmgrprotos.h"
#include "utils/lsyscache.h"

PG_FUNCTION_INFO_V1(vdb_dense_to_itself);
PG_FUNCTION_INFO_V1(vdb_vector_to_halfvec);
PG_FUNCTION_INFO_V1(vdb_halfvec_to_vector);
PG_FUNCTION_INFO_V1(vdb_array_to_vector);
PG_FUNCTION_INFO_V1(vdb_array_to_halfvec);
PG_FUNCTION_INFO_V1(vdb_vector_to_float4);
PG_FUNCTION_INFO_V1(vdb_halfvec_to_float4);

static float array_element(Oid type, Datum d);

/*
 * vector(vector, integer, boolean) returns vector, and the same of halfvec:
 * checks the type modifier
 */
Datum
vdb_dense_to_itself(PG_FUNCTION_ARGS)
{
	VdbDense   *v = PG_GETARG_VDB_DENSE_P(0);

	vdb_dense_check_typmod(PG_GETARG_INT32(1), v->dim);
	PG_RETURN_VDB_DENSE_P(v);
}

/*
 * A value of one type as one of the other.
 */
DENSE_BODY Datum
dense_to_dense(FunctionCallInfo fcinfo, VdbDenseType from, VdbDenseType to)
{
	VdbDense   *v = PG_GETARG_VDB_DENSE_P(0);
	VdbDense   *result;

	vdb_dense_check_typmod(PG_GETARG_INT32(1), v->dim);
	result = vdb_dense_alloc(to, v->dim);
	for (int i = 0; i < v->dim; i++)
		dense_set_checked(to, result, i, dense_get(from, v, i));
	PG_FREE_IF_COPY(v, 0);
	PG_RETURN_VDB_DENSE_P(result);
}

/*
 * vector_to_halfvec(vector, integer, boolean) returns halfvec
 */
Datum
vdb_vector_to_halfvec(PG_FUNCTION_ARGS)
{
	return dense_to_dense(fcinfo, VDB_VECTOR, VDB_HALFVEC);
}

/*
 * halfvec_to_vector(halfvec, integer, boolean) returns vector
 */
Datum
vdb_halfvec_to_vector(PG_FUNCTION_ARGS)
{
	return dense_to_dense(fcinfo, VDB_HALFVEC, VDB_VECTOR);
}

/*
 * A one-dimensional array of numbers as a value.
 */
DENSE_BODY Datum
array_to_dense(FunctionCallInfo fcinfo, VdbDenseType type)
{
	ArrayType  *array = PG_GETARG_ARRAYTYPE_P(0);
	int32		typmod = PG_GETARG_INT32(1);
	Oid			element_type = ARR_ELEMTYPE(array);
	VdbDense   *result;
	int16		typlen;
	bool		typbyval;
	char		typalign;
	Datum	   *elements;
	int			n;

	if (ARR_NDIM(array) > 1)
		ereport(ERROR,
				(errcode(ERRCODE_DATA_EXCEPTION),
				 errmsg("array must be 1-D")));
	if (ARR_HASNULL(array) && array_contains_nulls(array))
		ereport(ERROR,
				(errcode(ERRCODE_NULL_VALUE_NOT_ALLOWED),
				 errmsg("array must not contain nulls")));

	/* Before the elements are taken apart: the array may be huge. */
	n = ArrayGetNItems(ARR_NDIM(array), ARR_DIMS(array));
	vdb_dense_check_dim(type, n);
	vdb_dense_check_typmod(typmod, n);

	get_typlenbyvalalign(element_type, &typlen, &typbyval, &typalign);
	deconstruct_array(array, element_type, typlen, typbyval, typalign,
					  &elements, NULL, &n);

	result = vdb_dense_alloc(type, n);
	for (int i = 0; i < n; i++)
		dense_set_checked(type, result, i, array_element(element_type, elements[i]));
	pfree(elements);
	PG_RETURN_VDB_DENSE_P(result);
}

/*
 * array_to_vector(anyarray of numbers, integer, boolean) returns vector
 */
Datum
vdb_array_to_vector(PG_FUNCTION_ARGS)
{
	return array_to_dense(fcinfo, VDB_VECTOR);
}

Datum
vdb_array_to_halfvec(PG_FUNCTION_ARGS)
{
	return array_to_dense(fcinfo, VDB_HALFVEC);
}

/*
 * One array element as float4.  A double precision value beyond float4
 * becomes infinite, which the caller refuses; numeric_float4() errors itself.
 */
static float
array_element(Oid type, Datum d)
{
	switch (type)
	{
		case INT4OID:
			return (float) DatumGetInt32(d);
		case FLOAT4OID:
			return DatumGetFloat4(d);
		case FLOAT8OID:
			return (float) DatumGetFloat8(d);
		case NUMERICOID:
			return DatumGetFloat4(DirectFunctionCall1(numeric_float4, d));
		default:
			ereport(ERROR,
					(errcode(ERRCODE_DATA_EXCEPTION),
					 errmsg("unsupported array type")));
	}
	return 0;					/* keep the compiler quiet */
}

DENSE_BODY Datum
dense_to_float4(FunctionCallInfo fcinfo, VdbDenseType type)
{
	VdbDense   *v = PG_GETARG_VDB_DENSE_P(0);
	Datum	   *elements = vdb_palloc_array(Datum, v->dim);
	ArrayType  *result;

	for (int i = 0; i < v->dim; i++)
		elements[i] = Float4GetDatum(dense_get(type, v, i));
	result = construct_array(elements, v->dim, FLOAT4OID,
							 sizeof(float4), true, TYPALIGN_INT);

	pfree(elements);
	PG_FREE_IF_COPY(v, 0);
	PG_RETURN_ARRAYTYPE_P(result);
}

/*
 * vector_to_float4(vector, integer, boolean) returns real[]
 */
Datum
vdb_vector_to_float4(PG_FUNCTION_ARGS)
{
	return dense_to_float4(fcinfo, VDB_VECTOR);
}

Datum
vdb_halfvec_to_float4(PG_FUNCTION_ARGS)
{
	return dense_to_float4(fcinfo, VDB_HALFVEC);
}
