/*-------------------------------------------------------------------------
 *
 * quant_bound.c
 *	  How far the distance of a stored vector can be from the value that the
 *	  SQL operator computes from the original vectors (Q6).
 *
 * With the query q, the vector x, their forms in the index q' and x', and u =
 * 2^-24, the triangle inequality gives
 *
 *	  | |q - x| - |q' - x'| | <= |q' - Rq| + |x' - Rx|
 *
 * where R is the exact rotation.  The parts of the right side:
 *
 *	  stored error		|x' - rotated x|, kept in the header
 *	  query error		|q' - rotated q|, known from its quantization
 *	  rotation error	rotation->error * (|q| + |x|)
 *	  normalisation		3 u for each vector, for cosine
 *
 * On top come the roundings of the two sums: relative ones of at most
 * (D/32 + 8) u for the room's own, and (dim/16 + 12) u of the sum of the terms'
 * magnitudes for the SQL operator's kernel (distance/kernel_template.h).
 * What underflows loses at most 2^-149 a term, in the operator's unit and in
 * the query's; a squared distance so loses at most dim times that.
 * Values beyond float's range have no bound: the operator says Infinity.
 *
 * The cosine of a vector whose squared norm overflows float32 is not bounded:
 * the operator divides by Infinity.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include <float.h>
#include <math.h>

#include "quant_form.h"
#include "quant_half.h"
#include "quant_stored.h"

#define UNIT_ROUNDOFF 0x1p-24

/* The root of what a term can lose by underflow */
#define UNDERFLOW_ROOT 0x1p-74

static VdbInterval l2_interval(const VdbQuery *query, double distance,
							   double error);
static VdbInterval around(double value, double error);

/*
 * The interval in which the operator's value lies for the vector whose stored
 * form is given; distance is its vdb_quant_query_distance().
 */
VdbInterval
vdb_quant_query_interval(const VdbQuery *query, const VdbRotation *rotation,
						 const void *stored, float distance)
{
	const VdbQuantLayout *layout = query->layout;
	VdbStoredHeader header = vdb_stored_header(stored);
	double		own_sum = (layout->padded / 32.0 + 8) * UNIT_ROUNDOFF;
	double		sql_sum = (layout->dim / 16.0 + 12) * UNIT_ROUNDOFF;
	double		turn = layout->metric == VDB_METRIC_L1 ? 0 : rotation->error;
	double		unit = ldexp(1, query->unit);
	double		norm_x = ldexp(vdb_stored_norm(layout, &header), header.exponent);
	double		error_x = ldexp(vdb_radius_to_float(header.error), header.exponent);
	double		norm_q = query->true_norm;
	double		error_q = query->error * unit;
	int			gap = header.exponent - query->unit;
	VdbInterval result;

	if (!vdb_codec_is_rotated(layout->codec))
		return vdb_quant_form(layout)->interval(query, header, distance);
	norm_x += error_x;
	if (layout->metric == VDB_METRIC_COSINE)
		norm_q = 1;
	if (layout->metric == VDB_METRIC_IP && norm_q * norm_x * 1.01 > FLT_MAX)
		return around(0, INFINITY); /* a part of the sum may overflow */
	if (layout->metric == VDB_METRIC_IP && abs(gap) > VDB_MAX_GAP)
		return around(0, norm_q * norm_x * 1.01 + layout->dim * FLT_MIN);
	if (gap > VDB_MAX_GAP)
	{
		/* the distance is not that of the vector */
		result.lower = 0;
		result.upper = INFINITY;
		return result;
	}
	switch (layout->metric)
	{
		case VDB_METRIC_L2:
			return l2_interval(query, sqrt((double) distance) * unit,
							   error_x + error_q + turn * (norm_q + norm_x));
		case VDB_METRIC_COSINE:
			result = l2_interval(query, sqrt((double) distance) * unit,
								 error_x + error_q + (turn + 3 * UNIT_ROUNDOFF) * (norm_q + norm_x));
			result = around((result.lower * result.lower + result.upper * result.upper) / 4,
							(result.upper * result.upper - result.lower * result.lower) / 4 +
								2 * sql_sum + 4 * UNIT_ROUNDOFF);
			result.lower = Max(result.lower, 0);
			result.upper = Min(result.upper, 2);
			return result;
		case VDB_METRIC_L1:
			/* the Euclidean norm of an error bounds its sum by sqrt(dim) */
			return around(distance * unit,
						  sqrt(layout->dim) * error_x +
							  (own_sum + sql_sum) * (sqrt(layout->dim) * (norm_q + norm_x)) +
							  layout->dim * (FLT_MIN + unit * FLT_MIN));
		default:
			/* errors of the query, scaled to its true norm */
			error_q *= query->norm > 0 ? norm_q / (query->norm * unit) : 0;
			return around(vdb_quant_query_value(query, distance),
						  norm_q * (error_x + turn * norm_x) +
							  norm_x * (error_q + turn * norm_q) +
							  (own_sum + sql_sum + 2 * UNIT_ROUNDOFF) * norm_q * norm_x +
							  layout->dim * FLT_MIN);
	}
}

/*
 * For a Euclidean distance whose two vectors have the errors given.
 */
static VdbInterval
l2_interval(const VdbQuery *query, double distance, double error)
{
	double		sums = (query->layout->padded / 64.0 + query->layout->dim / 32.0 + 12) * UNIT_ROUNDOFF;
	VdbInterval result;

	error += sqrt(query->layout->padded) * UNDERFLOW_ROOT * (1 + ldexp(1, query->unit));
	result.lower = Max(0, (distance * (1 - sums) - error) * (1 - sums));
	result.upper = (distance * (1 + sums) + error) * (1 + sums);
	if (result.upper > 1.8e19)	/* the square may overflow */
		result.upper = INFINITY;
	return result;
}

static VdbInterval
around(double value, double error)
{
	VdbInterval result;

	result.lower = value - error;
	result.upper = value + error;
	if (result.upper > FLT_MAX)
		result.upper = INFINITY;
	return result;
}
