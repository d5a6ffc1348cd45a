/*-------------------------------------------------------------------------
 *
 * vector_cast.c
 *	  Casts between vector and arrays of numbers.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "catalog/pg_type.h"
#include "utils/array.h"
#include "utils/fmgrprotos.h"
#include "utils/lsyscache.h"
#include "vector/vector.h"

PG_FUNCTION_INFO_V1(vdb_vector_to_vector);
PG_FUNCTION_INFO_V1(vdb_array_to_vector);
PG_FUNCTION_INFO_V1(vdb_vector_to_float4);

static float array_element(Oid type, Datum d);

/*
 * vector(vector, integer, boolean) returns vector: checks the type modifier
 */
Datum
vdb_vector_to_vector(PG_FUNCTION_ARGS)
{
	VdbVector  *v = PG_GETARG_VDB_VECTOR_P(0);

	vdb_vector_check_typmod(PG_GETARG_INT32(1), v->dim);
	PG_RETURN_VDB_VECTOR_P(v);
}

/*
 * array_to_vector(anyarray of numbers, integer, boolean) returns vector
 */
Datum
vdb_array_to_vector(PG_FUNCTION_ARGS)
{
	ArrayType  *array = PG_GETARG_ARRAYTYPE_P(0);
	int32		typmod = PG_GETARG_INT32(1);
	Oid			type = ARR_ELEMTYPE(array);
	VdbVector  *result;
	int16		typlen;
	bool		typbyval;
	char		typalign;
	Datum	   *elements;
	int			n;
	int			i;

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
	vdb_vector_check_dim(n);
	vdb_vector_check_typmod(typmod, n);

	get_typlenbyvalalign(type, &typlen, &typbyval, &typalign);
	deconstruct_array(array, type, typlen, typbyval, typalign,
					  &elements, NULL, &n);

	result = vdb_vector_alloc(n);
	for (i = 0; i < n; i++)
	{
		result->x[i] = array_element(type, elements[i]);
		vdb_vector_check_element(result->x[i]);
	}
	pfree(elements);
	PG_RETURN_VDB_VECTOR_P(result);
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

/*
 * vector_to_float4(vector, integer, boolean) returns real[]
 */
Datum
vdb_vector_to_float4(PG_FUNCTION_ARGS)
{
	VdbVector  *v = PG_GETARG_VDB_VECTOR_P(0);
	Datum	   *elements = vdb_palloc_array(Datum, v->dim);
	ArrayType  *result;
	int			i;

	for (i = 0; i < v->dim; i++)
		elements[i] = Float4GetDatum(v->x[i]);
	result = construct_array(elements, v->dim, FLOAT4OID,
							 sizeof(float4), true, TYPALIGN_INT);

	pfree(elements);
	PG_FREE_IF_COPY(v, 0);
	PG_RETURN_ARRAYTYPE_P(result);
}
