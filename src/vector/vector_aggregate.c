/*-------------------------------------------------------------------------
 *
 * vector_aggregate.c
 *	  The aggregates avg and sum of vector and halfvec.
 *
 * The state is a one-dimensional array {n, sum of x[0], sum of x[1], ...} of
 * double precision, {0} before the first row; a plain array so that partial
 * aggregates need no serialisation and the functions can be called by hand,
 * as pgvector's can.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include <math.h>

#include "catalog/pg_type.h"
#include "dense.h"
#include "utils/array.h"
#include "utils/float.h"

PG_FUNCTION_INFO_V1(vdb_vector_accum);
PG_FUNCTION_INFO_V1(vdb_halfvec_accum);
PG_FUNCTION_INFO_V1(vdb_vector_sum_accum);
PG_FUNCTION_INFO_V1(vdb_halfvec_sum_accum);
PG_FUNCTION_INFO_V1(vdb_vector_combine);
PG_FUNCTION_INFO_V1(vdb_halfvec_combine);
PG_FUNCTION_INFO_V1(vdb_vector_avg);
PG_FUNCTION_INFO_V1(vdb_halfvec_avg);
PG_FUNCTION_INFO_V1(vdb_vector_sum);
PG_FUNCTION_INFO_V1(vdb_halfvec_sum);

static float8 *state_values(ArrayType *state, VdbDenseType type, const char *function);
static int	state_dim(ArrayType *state);
static ArrayType *state_form(int dim);
static ArrayType *state_to_add_to(ArrayType *state, int dim, bool in_place);
static Datum combine(FunctionCallInfo fcinfo, VdbDenseType type);

/*
 * Checks that state is one and returns its values.  States come from users,
 * too.  The name of the SQL function is that of the type and of the function.
 */
static float8 *
state_values(ArrayType *state, VdbDenseType type, const char *function)
{
	if (ARR_NDIM(state) != 1 || ARR_DIMS(state)[0] < 1 ||
		ARR_HASNULL(state) || ARR_ELEMTYPE(state) != FLOAT8OID)
		ereport(ERROR,
				(errcode(ERRCODE_DATA_EXCEPTION),
				 errmsg("%s_%s: expected state array",
						vdb_dense_name(type), function)));
	return (float8 *) ARR_DATA_PTR(state);
}

static int
state_dim(ArrayType *state)
{
	return ARR_DIMS(state)[0] - 1;
}

/*
 * Returns a zero state for dim dimensions.
 */
static ArrayType *
state_form(int dim)
{
	Size		size = ARR_OVERHEAD_NONULLS(1) + sizeof(float8) * (Size) (dim + 1);
	ArrayType  *state = palloc0(size);

	SET_VARSIZE(state, size);
	state->ndim = 1;
	state->dataoffset = 0;
	state->elemtype = FLOAT8OID;
	ARR_DIMS(state)[0] = dim + 1;
	ARR_LBOUND(state)[0] = 1;
	return state;
}

/*
 * A checked state that may be changed: itself where that is allowed, else a
 * copy; of dim dimensions if it was empty.
 */
static ArrayType *
state_to_add_to(ArrayType *state, int dim, bool in_place)
{
	ArrayType  *copy;
	Size		nvalues = (Size) state_dim(state) + 1;

	if (in_place && nvalues > 1)
		return state;
	copy = state_form(nvalues > 1 ? state_dim(state) : dim);
	memcpy(ARR_DATA_PTR(copy), ARR_DATA_PTR(state), sizeof(float8) * nvalues);
	return copy;
}

/*
 * Adds v to a checked state of the same dimensions, or to an empty one.
 */
DENSE_BODY Datum
add_value(FunctionCallInfo fcinfo, VdbDenseType type, ArrayType *state, const VdbDense *v)
{
	float8	   *values;

	state = state_to_add_to(state, v->dim, AggCheckCallContext(fcinfo, NULL));
	values = (float8 *) ARR_DATA_PTR(state);
	values[0] += 1;
	for (int i = 0; i < v->dim; i++)
	{
		values[i + 1] += dense_get(type, v, i);
		if (unlikely(isinf(values[i + 1])))
			float_overflow_error();
	}
	PG_RETURN_ARRAYTYPE_P(state);
}

DENSE_BODY Datum
dense_accum(FunctionCallInfo fcinfo, VdbDenseType type)
{
	ArrayType  *state = PG_GETARG_ARRAYTYPE_P(0);
	VdbDense   *v = PG_GETARG_VDB_DENSE_P(1);

	state_values(state, type, "accum");
	if (state_dim(state) != 0)
		vdb_dense_check_typmod(state_dim(state), v->dim);
	return add_value(fcinfo, type, state, v);
}

/*
 * vector_accum(double precision[], vector) returns double precision[]:
 * transition function of avg
 */
Datum
vdb_vector_accum(PG_FUNCTION_ARGS)
{
	return dense_accum(fcinfo, VDB_VECTOR);
}

Datum
vdb_halfvec_accum(PG_FUNCTION_ARGS)
{
	return dense_accum(fcinfo, VDB_HALFVEC);
}

/*
 * This differs from dense_accum() in the message for mixed dimensions only, as
 * in pgvector, where sum adds by vector_add().
 */
DENSE_BODY Datum
dense_sum_accum(FunctionCallInfo fcinfo, VdbDenseType type)
{
	ArrayType  *state = PG_GETARG_ARRAYTYPE_P(0);
	VdbDense   *v = PG_GETARG_VDB_DENSE_P(1);

	state_values(state, type, "sum_accum");
	if (state_dim(state) != 0 && state_dim(state) != v->dim)
		vdb_dense_differing_dims(type, state_dim(state), v->dim);
	return add_value(fcinfo, type, state, v);
}

/*
 * vector_sum_accum(double precision[], vector) returns double precision[]:
 * transition function of sum
 */
Datum
vdb_vector_sum_accum(PG_FUNCTION_ARGS)
{
	return dense_sum_accum(fcinfo, VDB_VECTOR);
}

Datum
vdb_halfvec_sum_accum(PG_FUNCTION_ARGS)
{
	return dense_sum_accum(fcinfo, VDB_HALFVEC);
}

/*
 * vector_combine(double precision[], double precision[]) returns
 * double precision[]: joins the states of two workers
 */
Datum
vdb_vector_combine(PG_FUNCTION_ARGS)
{
	return combine(fcinfo, VDB_VECTOR);
}

Datum
vdb_halfvec_combine(PG_FUNCTION_ARGS)
{
	return combine(fcinfo, VDB_HALFVEC);
}

static Datum
combine(FunctionCallInfo fcinfo, VdbDenseType type)
{
	ArrayType  *a = PG_GETARG_ARRAYTYPE_P(0);
	ArrayType  *b = PG_GETARG_ARRAYTYPE_P(1);
	float8	   *avalues = state_values(a, type, "combine");
	float8	   *bvalues = state_values(b, type, "combine");
	int			adim = state_dim(a);
	int			bdim = state_dim(b);
	ArrayType  *result;
	float8	   *values;

	if (adim != 0 || bdim != 0)
		vdb_dense_check_dim(type, adim != 0 ? adim : bdim);
	if (adim != 0 && bdim != 0)
		vdb_dense_check_typmod(adim, bdim);

	result = state_form(Max(adim, bdim));
	values = (float8 *) ARR_DATA_PTR(result);
	values[0] = avalues[0] + bvalues[0];
	for (int i = 1; i <= Max(adim, bdim); i++)
	{
		values[i] = (adim != 0 ? avalues[i] : 0) + (bdim != 0 ? bvalues[i] : 0);
		if (unlikely(isinf(values[i])))
			float_overflow_error();
	}
	PG_RETURN_ARRAYTYPE_P(result);
}

DENSE_BODY Datum
dense_avg(FunctionCallInfo fcinfo, VdbDenseType type)
{
	ArrayType  *state = PG_GETARG_ARRAYTYPE_P(0);
	float8	   *values = state_values(state, type, "avg");
	int			dim = state_dim(state);
	VdbDense   *result;

	if (values[0] == 0)
		PG_RETURN_NULL();
	vdb_dense_check_dim(type, dim);
	result = vdb_dense_alloc(type, dim);
	for (int i = 0; i < dim; i++)
		dense_set_checked(type, result, i, (float) (values[i + 1] / values[0]));
	PG_RETURN_VDB_DENSE_P(result);
}

/*
 * vector_avg(double precision[]) returns vector: final function of avg, NULL
 * for no rows
 */
Datum
vdb_vector_avg(PG_FUNCTION_ARGS)
{
	return dense_avg(fcinfo, VDB_VECTOR);
}

Datum
vdb_halfvec_avg(PG_FUNCTION_ARGS)
{
	return dense_avg(fcinfo, VDB_HALFVEC);
}

DENSE_BODY Datum
dense_sum(FunctionCallInfo fcinfo, VdbDenseType type)
{
	ArrayType  *state = PG_GETARG_ARRAYTYPE_P(0);
	float8	   *values = state_values(state, type, "sum");
	int			dim = state_dim(state);
	VdbDense   *result;

	if (values[0] == 0)
		PG_RETURN_NULL();
	vdb_dense_check_dim(type, dim);
	result = vdb_dense_alloc(type, dim);
	for (int i = 0; i < dim; i++)
	{
		dense_set(type, result, i, (float) values[i + 1]);
		if (unlikely(isinf(dense_get(type, result, i))))
			float_overflow_error();
		vdb_dense_check_element(type, dense_get(type, result, i));
	}
	PG_RETURN_VDB_DENSE_P(result);
}

/*
 * vector_sum(double precision[]) returns vector: final function of sum, NULL
 * for no rows
 */
Datum
vdb_vector_sum(PG_FUNCTION_ARGS)
{
	return dense_sum(fcinfo, VDB_VECTOR);
}

Datum
vdb_halfvec_sum(PG_FUNCTION_ARGS)
{
	return dense_sum(fcinfo, VDB_HALFVEC);
}
