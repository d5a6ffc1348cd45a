/*-------------------------------------------------------------------------
 *
 * distance_fns.c
 *	  SQL distance functions on vectors.
 *
 * Names and results are pgvector's: sums in float32 that overflow to
 * Infinity, a cosine clamped to [-1, 1], NaN for the cosine of a zero vector.
 * A cosine does not underflow: in pgvector the distance of [1e-30] from every
 * positive vector is 0, which would make it the best result of every search.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include <math.h>

#include "distance/distance.h"
#include "distance_args.h"
#include "utils/float.h"

/*
 * A squared norm below this may have lost terms to underflow; of a greater one
 * what underflows, at most dim * 2^-149, is less than a rounding.
 */
#define SAFE_SQUARED_NORM 1e-30f

typedef double (*DistanceValue)(int dim, const float *a, const float *b);

/*
 * value bounded to [-1, 1]; NaN stays NaN.
 */
static inline double
clamp_cosine(double value)
{
	if (value > 1)
		return 1;
	if (value < -1)
		return -1;
	return value;
}

static double
l2_squared_value(int dim, const float *a, const float *b)
{
	return vdb_kernels()->l2sq(dim, a, b);
}

static double
l2_value(int dim, const float *a, const float *b)
{
	return sqrt((double) vdb_kernels()->l2sq(dim, a, b));
}

static double
inner_product_value(int dim, const float *a, const float *b)
{
	return vdb_kernels()->ip(dim, a, b);
}

static double
negative_inner_product_value(int dim, const float *a, const float *b)
{
	return -(double) vdb_kernels()->ip(dim, a, b);
}

/*
 * The cosine where squares are too small for float32, as of [1e-30, 0].  NaN if
 * one of the vectors is zero.
 */
static pg_noinline double
small_cosine(int dim, const float *a, const float *b)
{
	double		dot = 0;
	double		norm_a = 0;
	double		norm_b = 0;

	for (int i = 0; i < dim; i++)
	{
		dot += (double) a[i] * (double) b[i];
		norm_a += (double) a[i] * (double) a[i];
		norm_b += (double) b[i] * (double) b[i];
	}
	return dot / sqrt(norm_a * norm_b);
}

/*
 * The root of the product of the squared norms is exact when they are equal,
 * so a vector's distance to itself is exactly 0.
 */
static double
cosine_value(int dim, const float *a, const float *b)
{
	VdbCosineSums sums = vdb_kernels()->cosine(dim, a, b);
	double		norms = sqrt((double) sums.norm_a * (double) sums.norm_b);

	if (unlikely(sums.norm_a < SAFE_SQUARED_NORM || sums.norm_b < SAFE_SQUARED_NORM))
		return 1 - clamp_cosine(small_cosine(dim, a, b));
	return 1 - clamp_cosine((double) sums.dot / norms);
}

static double
l1_value(int dim, const float *a, const float *b)
{
	return vdb_kernels()->l1(dim, a, b);
}

/*
 * The angle between unit vectors as a fraction of pi.
 */
static double
spherical_value(int dim, const float *a, const float *b)
{
	return acos(clamp_cosine(vdb_kernels()->ip(dim, a, b))) / M_PI;
}

/*
 * What the operator of the metric returns for two arrays of dim elements.
 * Does not throw.
 */
double
vdb_distance(VdbMetric metric, int dim, const float *a, const float *b)
{
	switch (metric)
	{
		case VDB_METRIC_L2:
			return l2_value(dim, a, b);
		case VDB_METRIC_IP:
			return negative_inner_product_value(dim, a, b);
		case VDB_METRIC_COSINE:
			return cosine_value(dim, a, b);
		case VDB_METRIC_L1:
			return l1_value(dim, a, b);
	}
	return get_float8_nan();
}

/*
 * The body of every function below: value() of the two arguments, whose
 * dimensions must agree.
 */
static pg_attribute_always_inline Datum
evaluate(FunctionCallInfo fcinfo, DistanceValue value)
{
	VdbDistanceArg a = vdb_distance_arg(fcinfo, 0);
	VdbDistanceArg b = vdb_distance_arg(fcinfo, 1);
	double		result;

	vdb_vector_check_same_dim(a.vector, b.vector);
	result = value(a.vector->dim, a.vector->x, b.vector->x);
	vdb_distance_free_arg(a);
	vdb_distance_free_arg(b);
	PG_RETURN_FLOAT8(result);
}

PG_FUNCTION_INFO_V1(vdb_l2_distance);
Datum
vdb_l2_distance(PG_FUNCTION_ARGS)
{
	return evaluate(fcinfo, l2_value);
}

PG_FUNCTION_INFO_V1(vdb_vector_l2_squared_distance);
Datum
vdb_vector_l2_squared_distance(PG_FUNCTION_ARGS)
{
	return evaluate(fcinfo, l2_squared_value);
}

PG_FUNCTION_INFO_V1(vdb_inner_product);
Datum
vdb_inner_product(PG_FUNCTION_ARGS)
{
	return evaluate(fcinfo, inner_product_value);
}

PG_FUNCTION_INFO_V1(vdb_vector_negative_inner_product);
Datum
vdb_vector_negative_inner_product(PG_FUNCTION_ARGS)
{
	return evaluate(fcinfo, negative_inner_product_value);
}

PG_FUNCTION_INFO_V1(vdb_cosine_distance);
Datum
vdb_cosine_distance(PG_FUNCTION_ARGS)
{
	return evaluate(fcinfo, cosine_value);
}

PG_FUNCTION_INFO_V1(vdb_l1_distance);
Datum
vdb_l1_distance(PG_FUNCTION_ARGS)
{
	return evaluate(fcinfo, l1_value);
}

PG_FUNCTION_INFO_V1(vdb_vector_spherical_distance);
Datum
vdb_vector_spherical_distance(PG_FUNCTION_ARGS)
{
	return evaluate(fcinfo, spherical_value);
}
