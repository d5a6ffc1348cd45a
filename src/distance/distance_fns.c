/*-------------------------------------------------------------------------
 *
 * distance_fns.c
 *	  SQL distance functions on vector and halfvec.
 *
 * Names and results are pgvector's: sums in float32 that overflow to
 * Infinity, a cosine clamped to [-1, 1], NaN for the cosine of a zero vector.
 * A cosine does not underflow: in pgvector the distance of [1e-30] from every
 * positive vector is 0, which would make it the best result of every search.
 *
 * Like the bodies in the vector room, each value here takes the type, is always
 * inlined, and is called with a constant.
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

typedef double (*DistanceValue)(VdbDenseType type, int dim, const void *a, const void *b);

#define VALUE static pg_attribute_always_inline double

/* A kernel in force for the type, called */
#define KERNEL(kernel, type, dim, a, b) \
	((type) == VDB_HALFVEC ? vdb_kernels()->half.kernel((dim), (const uint16 *) (a), (const uint16 *) (b)) : \
							 vdb_kernels()->kernel((dim), (const float *) (a), (const float *) (b)))

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

VALUE
l2_squared_value(VdbDenseType type, int dim, const void *a, const void *b)
{
	return KERNEL(l2sq, type, dim, a, b);
}

VALUE
l2_value(VdbDenseType type, int dim, const void *a, const void *b)
{
	return sqrt((double) KERNEL(l2sq, type, dim, a, b));
}

VALUE
inner_product_value(VdbDenseType type, int dim, const void *a, const void *b)
{
	return KERNEL(ip, type, dim, a, b);
}

VALUE
negative_inner_product_value(VdbDenseType type, int dim, const void *a, const void *b)
{
	return -(double) KERNEL(ip, type, dim, a, b);
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
 * so a vector's distance to itself is exactly 0.  Squares of float16s are not
 * too small: the least is 2^-48.
 */
VALUE
cosine_value(VdbDenseType type, int dim, const void *a, const void *b)
{
	VdbCosineSums sums = KERNEL(cosine, type, dim, a, b);
	double		norms = sqrt((double) sums.norm_a * (double) sums.norm_b);

	if (type == VDB_VECTOR &&
		unlikely(sums.norm_a < SAFE_SQUARED_NORM || sums.norm_b < SAFE_SQUARED_NORM))
		return 1 - clamp_cosine(small_cosine(dim, (const float *) a, (const float *) b));
	return 1 - clamp_cosine((double) sums.dot / norms);
}

VALUE
l1_value(VdbDenseType type, int dim, const void *a, const void *b)
{
	return KERNEL(l1, type, dim, a, b);
}

/*
 * The angle between unit vectors as a fraction of pi.
 */
VALUE
spherical_value(VdbDenseType type, int dim, const void *a, const void *b)
{
	return acos(clamp_cosine(KERNEL(ip, type, dim, a, b))) / M_PI;
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
			return l2_value(VDB_VECTOR, dim, a, b);
		case VDB_METRIC_IP:
			return negative_inner_product_value(VDB_VECTOR, dim, a, b);
		case VDB_METRIC_COSINE:
			return cosine_value(VDB_VECTOR, dim, a, b);
		case VDB_METRIC_L1:
			return l1_value(VDB_VECTOR, dim, a, b);
		case VDB_METRIC_HAMMING:
		case VDB_METRIC_JACCARD:
			break;
	}
	return get_float8_nan();
}

/*
 * The body of every function below: value() of the two arguments, whose
 * dimensions must agree.
 */
static pg_attribute_always_inline Datum
evaluate(FunctionCallInfo fcinfo, VdbDenseType type, DistanceValue value)
{
	VdbDistanceArg a = vdb_distance_arg(fcinfo, 0);
	VdbDistanceArg b = vdb_distance_arg(fcinfo, 1);
	double		result;

	vdb_dense_check_same_dim(type, a.value, b.value);
	result = value(type, a.value->dim, a.value->x, b.value->x);
	vdb_distance_free_arg(a);
	vdb_distance_free_arg(b);
	PG_RETURN_FLOAT8(result);
}

PG_FUNCTION_INFO_V1(vdb_l2_distance);
Datum
vdb_l2_distance(PG_FUNCTION_ARGS)
{
	return evaluate(fcinfo, VDB_VECTOR, l2_value);
}

PG_FUNCTION_INFO_V1(vdb_halfvec_l2_distance);
Datum
vdb_halfvec_l2_distance(PG_FUNCTION_ARGS)
{
	return evaluate(fcinfo, VDB_HALFVEC, l2_value);
}

PG_FUNCTION_INFO_V1(vdb_vector_l2_squared_distance);
Datum
vdb_vector_l2_squared_distance(PG_FUNCTION_ARGS)
{
	return evaluate(fcinfo, VDB_VECTOR, l2_squared_value);
}

PG_FUNCTION_INFO_V1(vdb_halfvec_l2_squared_distance);
Datum
vdb_halfvec_l2_squared_distance(PG_FUNCTION_ARGS)
{
	return evaluate(fcinfo, VDB_HALFVEC, l2_squared_value);
}

PG_FUNCTION_INFO_V1(vdb_inner_product);
Datum
vdb_inner_product(PG_FUNCTION_ARGS)
{
	return evaluate(fcinfo, VDB_VECTOR, inner_product_value);
}

PG_FUNCTION_INFO_V1(vdb_halfvec_inner_product);
Datum
vdb_halfvec_inner_product(PG_FUNCTION_ARGS)
{
	return evaluate(fcinfo, VDB_HALFVEC, inner_product_value);
}

PG_FUNCTION_INFO_V1(vdb_vector_negative_inner_product);
Datum
vdb_vector_negative_inner_product(PG_FUNCTION_ARGS)
{
	return evaluate(fcinfo, VDB_VECTOR, negative_inner_product_value);
}

PG_FUNCTION_INFO_V1(vdb_halfvec_negative_inner_product);
Datum
vdb_halfvec_negative_inner_product(PG_FUNCTION_ARGS)
{
	return evaluate(fcinfo, VDB_HALFVEC, negative_inner_product_value);
}

PG_FUNCTION_INFO_V1(vdb_cosine_distance);
Datum
vdb_cosine_distance(PG_FUNCTION_ARGS)
{
	return evaluate(fcinfo, VDB_VECTOR, cosine_value);
}

PG_FUNCTION_INFO_V1(vdb_halfvec_cosine_distance);
Datum
vdb_halfvec_cosine_distance(PG_FUNCTION_ARGS)
{
	return evaluate(fcinfo, VDB_HALFVEC, cosine_value);
}

PG_FUNCTION_INFO_V1(vdb_l1_distance);
Datum
vdb_l1_distance(PG_FUNCTION_ARGS)
{
	return evaluate(fcinfo, VDB_VECTOR, l1_value);
}

PG_FUNCTION_INFO_V1(vdb_halfvec_l1_distance);
Datum
vdb_halfvec_l1_distance(PG_FUNCTION_ARGS)
{
	return evaluate(fcinfo, VDB_HALFVEC, l1_value);
}

PG_FUNCTION_INFO_V1(vdb_vector_spherical_distance);
Datum
vdb_vector_spherical_distance(PG_FUNCTION_ARGS)
{
	return evaluate(fcinfo, VDB_VECTOR, spherical_value);
}

PG_FUNCTION_INFO_V1(vdb_halfvec_spherical_distance);
Datum
vdb_halfvec_spherical_distance(PG_FUNCTION_ARGS)
{
	return evaluate(fcinfo, VDB_HALFVEC, spherical_value);
}
