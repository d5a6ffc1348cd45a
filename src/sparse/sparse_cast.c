/*-------------------------------------------------------------------------
 *
 * sparse_cast.c
 *	  Casts between sparsevec, vector, halfvec and arrays of numbers.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "catalog/pg_type.h"
#include "sparse/sparse.h"
#include "utils/array.h"
#include "utils/fmgrprotos.h"
#include "vector/dense.h"

PG_FUNCTION_INFO_V1(vdb_sparse_to_sparse);
PG_FUNCTION_INFO_V1(vdb_vector_to_sparse);
PG_FUNCTION_INFO_V1(vdb_halfvec_to_sparse);
PG_FUNCTION_INFO_V1(vdb_sparse_to_vector);
PG_FUNCTION_INFO_V1(vdb_sparse_to_halfvec);
PG_FUNCTION_INFO_V1(vdb_array_to_sparse);

static float number_value(Oid type, Datum d);

/*
 * sparsevec(sparsevec, integer, boolean) returns sparsevec: checks the type
 * modifier
 */
Datum
vdb_sparse_to_sparse(PG_FUNCTION_ARGS)
{
	VdbSparse  *v = PG_GETARG_VDB_SPARSE_P(0);

	vdb_sparse_check_typmod(PG_GETARG_INT32(1), v->dim);
	PG_RETURN_VDB_SPARSE_P(v);
}

/*
 * A vector or halfvec as a sparse vector: without its zeroes.
 */
DENSE_BODY Datum
dense_to_sparse(FunctionCallInfo fcinfo, VdbDenseType type)
{
	VdbDense   *v = PG_GETARG_VDB_DENSE_P(0);
	VdbSparse  *result;
	float	   *values;
	int			count = 0;
	int			n = 0;

	vdb_sparse_check_typmod(PG_GETARG_INT32(1), v->dim);
	for (int i = 0; i < v->dim; i++)
		count += dense_get(type, v, i) != 0;
	vdb_sparse_check_count(count, v->dim);

	result = vdb_sparse_alloc(v->dim, count);
	values = vdb_sparse_values(result);
	for (int i = 0; i < v->dim; i++)
	{
		float		value = dense_get(type, v, i);

		if (value == 0)
			continue;
		result->indices[n] = i;
		values[n++] = value;
	}
	PG_FREE_IF_COPY(v, 0);
	PG_RETURN_VDB_SPARSE_P(result);
}

/*
 * A sparse vector as a vector or halfvec.  Errors out for a value that a halfvec
 * cannot have.
 */
DENSE_BODY Datum
sparse_to_dense(FunctionCallInfo fcinfo, VdbDenseType type)
{
	VdbSparse  *v = PG_GETARG_VDB_SPARSE_P(0);
	float	   *values = vdb_sparse_values(v);
	VdbDense   *result;

	vdb_dense_check_dim(type, v->dim);
	vdb_dense_check_typmod(PG_GETARG_INT32(1), v->dim);
	result = vdb_dense_alloc(type, v->dim);
	for (int i = 0; i < v->count; i++)
		dense_set_checked(type, result, v->indices[i], values[i]);
	PG_FREE_IF_COPY(v, 0);
	PG_RETURN_VDB_DENSE_P(result);
}

/*
 * vector_to_sparsevec(vector, integer, boolean) returns sparsevec, and so on
 */
Datum
vdb_vector_to_sparse(PG_FUNCTION_ARGS)
{
	return dense_to_sparse(fcinfo, VDB_VECTOR);
}

Datum
vdb_halfvec_to_sparse(PG_FUNCTION_ARGS)
{
	return dense_to_sparse(fcinfo, VDB_HALFVEC);
}

Datum
vdb_sparse_to_vector(PG_FUNCTION_ARGS)
{
	return sparse_to_dense(fcinfo, VDB_VECTOR);
}

Datum
vdb_sparse_to_halfvec(PG_FUNCTION_ARGS)
{
	return sparse_to_dense(fcinfo, VDB_HALFVEC);
}

/*
 * array_to_sparsevec(anyarray of numbers, integer, boolean) returns sparsevec
 *
 * The array may have more elements than memory has room for as floats, most of
 * them zero, so it is gone through element by element.
 */
Datum
vdb_array_to_sparse(PG_FUNCTION_ARGS)
{
	ArrayType  *array = PG_GETARG_ARRAYTYPE_P(0);
	Oid			type = ARR_ELEMTYPE(array);
	int			dim;
	int32	   *indices;
	float	   *values;
	int			count = 0;
	VdbSparse  *result;
	ArrayIterator iterator;
	Datum		element;
	bool		is_null;

	if (ARR_NDIM(array) > 1)
		ereport(ERROR,
				(errcode(ERRCODE_DATA_EXCEPTION),
				 errmsg("array must be 1-D")));
	if (ARR_HASNULL(array) && array_contains_nulls(array))
		ereport(ERROR,
				(errcode(ERRCODE_NULL_VALUE_NOT_ALLOWED),
				 errmsg("array must not contain nulls")));
	dim = ArrayGetNItems(ARR_NDIM(array), ARR_DIMS(array));
	vdb_sparse_check_dim(dim);
	vdb_sparse_check_typmod(PG_GETARG_INT32(1), dim);

	indices = vdb_palloc_array(int32, Min(dim, VDB_SPARSE_MAX_ELEMENTS));
	values = vdb_palloc_array(float, Min(dim, VDB_SPARSE_MAX_ELEMENTS));
	iterator = array_create_iterator(array, 0, NULL);
	for (int i = 0; array_iterate(iterator, &element, &is_null); i++)
	{
		float		value = number_value(type, element);

		vdb_sparse_check_value(value);
		if (value == 0)
			continue;
		vdb_sparse_check_count(count + 1, dim);
		indices[count] = i;
		values[count++] = value;
	}
	array_free_iterator(iterator);

	result = vdb_sparse_alloc(dim, count);
	memcpy(result->indices, indices, sizeof(int32) * (Size) count);
	memcpy(vdb_sparse_values(result), values, sizeof(float) * (Size) count);
	pfree(indices);
	pfree(values);
	PG_RETURN_VDB_SPARSE_P(result);
}

/*
 * One array element as float4.  A double precision value beyond float4
 * becomes infinite, which the caller refuses; numeric_float4() errors itself.
 */
static float
number_value(Oid type, Datum d)
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
