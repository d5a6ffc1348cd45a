/*-------------------------------------------------------------------------
 *
 * vector_aggregate.c
 *	  The aggregates avg(vector) and sum(vector).
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
#include "utils/array.h"
#include "utils/float.h"
#include "vector/vector.h"

PG_FUNCTION_INFO_V1(vdb_vector_accum);
PG_FUNCTION_INFO_V1(vdb_vector_sum_accum);
PG_FUNCTION_INFO_V1(vdb_vector_combine);
PG_FUNCTION_INFO_V1(vdb_vector_avg);
PG_FUNCTION_INFO_V1(vdb_vector_sum);

static float8 *state_values(ArrayType *state, const char *caller);
static int	state_dim(ArrayType *state);
static ArrayType *state_form(int dim);
static ArrayType *state_add_vector(ArrayType *state, const VdbVector *v,
								   bool in_place);
static VdbVector *state_to_vector(ArrayType *state, double divisor);

/*
 * Checks that state is one and returns its values.  States come from users,
 * too.
 */
static float8 *
state_values(ArrayType *state, const char *caller)
{
	if (ARR_NDIM(state) != 1 || ARR_DIMS(state)[0] < 1 ||
		ARR_HASNULL(state) || ARR_ELEMTYPE(state) != FLOAT8OID)
		ereport(ERROR,
				(errcode(ERRCODE_DATA_EXCEPTION),
				 errmsg("%s: expected state array", caller)));
	return (float8 *) ARR_DATA_PTR(state);
}

static int
state_dim(ArrayType *state)
{
	return ARR_DIMS(state)[0] - 1;
}

/*
 * Returns a zero state for vectors of dim dimensions.
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
 * Adds v to a checked state of the same dimensions, or to an empty one.
 * Changes the state itself where that is allowed, else a copy.
 */
static ArrayType *
state_add_vector(ArrayType *state, const VdbVector *v, bool in_place)
{
	int			dim = state_dim(state);
	float8		n = *(float8 *) ARR_DATA_PTR(state);
	float8	   *values;
	int			i;

	if (dim == 0)
		state = state_form(v->dim);
	else if (!in_place)
	{
		ArrayType  *copy = state_form(dim);

		memcpy(ARR_DATA_PTR(copy), ARR_DATA_PTR(state),
			   sizeof(float8) * (Size) (dim + 1));
		state = copy;
	}

	values = (float8 *) ARR_DATA_PTR(state);
	values[0] = n + 1;
	for (i = 0; i < v->dim; i++)
	{
		values[i + 1] += v->x[i];
		if (unlikely(isinf(values[i + 1])))
			float_overflow_error();
	}
	return state;
}

/*
 * vector_accum(double precision[], vector) returns double precision[]:
 * transition function of avg
 */
Datum
vdb_vector_accum(PG_FUNCTION_ARGS)
{
	ArrayType  *state = PG_GETARG_ARRAYTYPE_P(0);
	VdbVector  *v = PG_GETARG_VDB_VECTOR_P(1);

	state_values(state, "vector_accum");
	if (state_dim(state) != 0)
		vdb_vector_check_typmod(state_dim(state), v->dim);
	PG_RETURN_ARRAYTYPE_P(state_add_vector(state, v,
										   AggCheckCallContext(fcinfo, NULL)));
}

/*
 * vector_sum_accum(double precision[], vector) returns double precision[]:
 * transition function of sum.  It differs from avg's in the message for mixed
 * dimensions only, as in pgvector, where sum adds by vector_add().
 */
Datum
vdb_vector_sum_accum(PG_FUNCTION_ARGS)
{
	ArrayType  *state = PG_GETARG_ARRAYTYPE_P(0);
	VdbVector  *v = PG_GETARG_VDB_VECTOR_P(1);

	state_values(state, "vector_sum_accum");
	if (state_dim(state) != 0 && state_dim(state) != v->dim)
		ereport(ERROR,
				(errcode(ERRCODE_DATA_EXCEPTION),
				 errmsg("different vector dimensions %d and %d",
						state_dim(state), v->dim)));
	PG_RETURN_ARRAYTYPE_P(state_add_vector(state, v,
										   AggCheckCallContext(fcinfo, NULL)));
}

/*
 * vector_combine(double precision[], double precision[]) returns
 * double precision[]: joins the states of two workers
 */
Datum
vdb_vector_combine(PG_FUNCTION_ARGS)
{
	ArrayType  *a = PG_GETARG_ARRAYTYPE_P(0);
	ArrayType  *b = PG_GETARG_ARRAYTYPE_P(1);
	float8	   *avalues = state_values(a, "vector_combine");
	float8	   *bvalues = state_values(b, "vector_combine");
	int			adim = state_dim(a);
	int			bdim = state_dim(b);
	ArrayType  *result;
	float8	   *values;
	int			i;

	if (adim != 0 || bdim != 0)
		vdb_vector_check_dim(adim != 0 ? adim : bdim);
	if (adim != 0 && bdim != 0)
		vdb_vector_check_typmod(adim, bdim);

	result = state_form(Max(adim, bdim));
	values = (float8 *) ARR_DATA_PTR(result);
	values[0] = avalues[0] + bvalues[0];
	for (i = 1; i <= Max(adim, bdim); i++)
	{
		values[i] = (adim != 0 ? avalues[i] : 0) + (bdim != 0 ? bvalues[i] : 0);
		if (unlikely(isinf(values[i])))
			float_overflow_error();
	}
	PG_RETURN_ARRAYTYPE_P(result);
}

/*
 * The sums of a checked state, divided, as a vector.
 */
static VdbVector *
state_to_vector(ArrayType *state, double divisor)
{
	float8	   *values = (float8 *) ARR_DATA_PTR(state);
	int			dim = state_dim(state);
	VdbVector  *result;
	int			i;

	vdb_vector_check_dim(dim);
	result = vdb_vector_alloc(dim);
	for (i = 0; i < dim; i++)
		result->x[i] = (float) (values[i + 1] / divisor);
	return result;
}

/*
 * vector_avg(double precision[]) returns vector: final function of avg, NULL
 * for no rows
 */
Datum
vdb_vector_avg(PG_FUNCTION_ARGS)
{
	ArrayType  *state = PG_GETARG_ARRAYTYPE_P(0);
	float8		n = state_values(state, "vector_avg")[0];
	VdbVector  *result;
	int			i;

	if (n == 0)
		PG_RETURN_NULL();
	result = state_to_vector(state, n);
	for (i = 0; i < result->dim; i++)
		vdb_vector_check_element(result->x[i]);
	PG_RETURN_VDB_VECTOR_P(result);
}

/*
 * vector_sum(double precision[]) returns vector: final function of sum, NULL
 * for no rows
 */
Datum
vdb_vector_sum(PG_FUNCTION_ARGS)
{
	ArrayType  *state = PG_GETARG_ARRAYTYPE_P(0);
	VdbVector  *result;
	int			i;

	if (state_values(state, "vector_sum")[0] == 0)
		PG_RETURN_NULL();
	result = state_to_vector(state, 1);
	for (i = 0; i < result->dim; i++)
	{
		if (isinf(result->x[i]))
			float_overflow_error();
		vdb_vector_check_element(result->x[i]);
	}
	PG_RETURN_VDB_VECTOR_P(result);
}
