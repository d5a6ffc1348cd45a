/*-------------------------------------------------------------------------
 *
 * vector_check.c
 *	  Allocation of values and the checks that every way in shares.
 *
 * Messages and SQLSTATEs are pgvector's, which clients match on.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "common/shortest_dec.h"
#include "vector/vector.h"

/*
 * Returns a value of dim zeroes in the current memory context.  The caller has
 * checked dim.
 */
VdbDense *
vdb_dense_alloc(VdbDenseType type, int dim)
{
	Size		size = vdb_dense_size(type, dim);
	VdbDense   *result = palloc0(size);

	SET_VARSIZE(result, size);
	result->dim = (int16) dim;
	return result;
}

/*
 * The type's name in messages.
 */
const char *
vdb_dense_name(VdbDenseType type)
{
	return type == VDB_HALFVEC ? "halfvec" : "vector";
}

/*
 * Errors out unless a value may have dim dimensions.
 */
void
vdb_dense_check_dim(VdbDenseType type, int dim)
{
	if (dim < 1)
		ereport(ERROR,
				(errcode(ERRCODE_DATA_EXCEPTION),
				 errmsg("%s must have at least 1 dimension",
						vdb_dense_name(type))));
	if (dim > VDB_VECTOR_MAX_DIM)
		ereport(ERROR,
				(errcode(ERRCODE_PROGRAM_LIMIT_EXCEEDED),
				 errmsg("%s cannot have more than %d dimensions",
						vdb_dense_name(type), VDB_VECTOR_MAX_DIM)));
}

/*
 * Errors out unless dim is what the type modifier demands (-1: anything).
 */
void
vdb_dense_check_typmod(int32 typmod, int dim)
{
	if (typmod != -1 && typmod != dim)
		ereport(ERROR,
				(errcode(ERRCODE_DATA_EXCEPTION),
				 errmsg("expected %d dimensions, not %d", typmod, dim)));
}

/*
 * The error of an operation on values of a and b dimensions.
 */
void
vdb_dense_differing_dims(VdbDenseType type, int a, int b)
{
	ereport(ERROR,
			(errcode(ERRCODE_DATA_EXCEPTION),
			 errmsg("different %s dimensions %d and %d",
					vdb_dense_name(type), a, b)));
}

/*
 * The error of a value that cannot be an element.
 */
void
vdb_dense_refuse_element(VdbDenseType type, float value)
{
	char		text[FLOAT_SHORTEST_DECIMAL_LEN];

	if (isnan(value))
		ereport(ERROR,
				(errcode(ERRCODE_DATA_EXCEPTION),
				 errmsg("NaN not allowed in %s", vdb_dense_name(type))));
	if (isinf(value))
		ereport(ERROR,
				(errcode(ERRCODE_DATA_EXCEPTION),
				 errmsg("infinite value not allowed in %s",
						vdb_dense_name(type))));
	float_to_shortest_decimal_buf(value, text);
	ereport(ERROR,
			(errcode(ERRCODE_NUMERIC_VALUE_OUT_OF_RANGE),
			 errmsg("\"%s\" is out of range for type %s",
					text, vdb_dense_name(type))));
}
