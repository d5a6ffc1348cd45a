/*-------------------------------------------------------------------------
 *
 * quant_query.c
 *	  A prepared query: its distance to stored vectors, and estimates of its
 *	  distances to the neighbours in the slots of a node.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include <float.h>
#include <math.h>

#include "quant_form.h"
#include "quant_half.h"
#include "quant_stored.h"

/* Quantized queries: at most these magnitudes */
#define MOST_INT8 127
#define MOST_INT16 4095

/* Slots that are worked on at once */
#define CHUNK 32

/* Squares below this, or above its inverse, weigh like it. */
#define LEAST_SQUARE 1e-15f

/* q8 is read beyond its end by a vector at most, and multiplied by zeros */
#define Q8_SLACK 64

static void scale_query(VdbQuery *query, const VdbRotated *vector,
						double typical_norm, float *out);
static void quantize_query(VdbQuery *query, const float *x, int16 *t, int8 *q8);
static void estimate_chunk(const VdbQuery *query, float scale, float base,
						   VdbCodeRows rows, float *radius, float *out);
static float weigh_node(const VdbQuery *query, VdbStoredHeader header, float scale,
						float distance);
static void weigh_chunk(float node_weight, float scale, const float *radius, int count,
						float *out);
static float as_float(double value);

static Size
float_bytes(const VdbQuantLayout *layout)
{
	return (Size) layout->padded * sizeof(float);
}

static Size
int16_bytes(const VdbQuantLayout *layout)
{
	return layout->codec == VDB_CODEC_INT8 ? (Size) layout->padded * sizeof(int16) : 0;
}

/*
 * Bytes of the buffer of a query that is a decoded stored vector, or any rotated
 * one.
 */
Size
vdb_quant_query_size(const VdbQuantLayout *layout)
{
	if (!vdb_codec_is_rotated(layout->codec))
		return vdb_quant_form(layout)->query_size(layout, layout->elements);
	return float_bytes(layout) + int16_bytes(layout) + layout->code_dims + Q8_SLACK;
}

/*
 * Bytes of the buffer of the query that is made of vector.
 */
Size
vdb_quant_query_size_of(const VdbQuantLayout *layout, const VdbRotated *vector)
{
	if (!vdb_codec_is_rotated(layout->codec))
		return vdb_quant_form(layout)->query_size(layout, vector->count);
	return vdb_quant_query_size(layout);
}

/*
 * Prepares a query from a rotated or prepared vector, or from a decoded stored one.
 * typical_norm is that of the data's vectors, 0 if not known; it sets the unit
 * of the distances and, for the inner product, the norm that the query is
 * scaled to.  The buffer, vdb_quant_query_size_of() bytes aligned for floats, is the
 * query's; what vector points at is not needed afterwards.
 */
void
vdb_quant_init_query(VdbQuery *query, const VdbQuantLayout *layout,
					 const VdbQuantKernels *kernels, const VdbRotated *vector,
					 double typical_norm, void *buffer)
{
	float	   *x = (float *) buffer;
	int16	   *t = (int16 *) ((char *) buffer + float_bytes(layout));
	int8	   *q8 = (int8 *) t + int16_bytes(layout);

	memset(query, 0, sizeof(*query));
	query->kernels = kernels;
	query->layout = layout;
	query->true_norm = ldexp(vector->norm, vector->exponent);
	if (!vdb_codec_is_rotated(layout->codec))
	{
		vdb_quant_form(layout)->init_query(query, vector, typical_norm, buffer);
		return;
	}
	query->x = x;
	query->t = t;
	query->q8 = q8;
	scale_query(query, vector, typical_norm, x);
	quantize_query(query, x, t, q8);
}

/*
 * Chooses the unit and writes the query in units to out.
 */
static void
scale_query(VdbQuery *query, const VdbRotated *vector, double typical_norm, float *out)
{
	int			n = query->layout->padded;
	int			unit = vector->exponent;
	float		scale;

	if (query->layout->metric == VDB_METRIC_COSINE)
		unit = 0;
	else if (typical_norm > 0 && typical_norm <= DBL_MAX)
		frexp(typical_norm, &unit);
	if (query->layout->metric == VDB_METRIC_IP)
	{
		/* the norm becomes the typical one */
		double		norm = typical_norm > 0 ? ldexp(typical_norm, -unit) : 1;

		scale = vector->norm > 0 ? (float) (norm / vector->norm) : 0;
		query->unit = unit;
		query->norm = vector->norm > 0 ? norm : 0;
		query->value_scale = ldexp(query->true_norm / norm, unit);
	}
	else
	{
		query->unit = vector->norm > 0 ? Max(unit, vector->exponent) : unit;
		scale = ldexpf(1, Max(vector->exponent - query->unit, -126));
		query->norm = (double) vector->norm * scale;
		query->value_scale = query->layout->metric == VDB_METRIC_L1 ?
			ldexp(1, query->unit) :
			ldexp(1, 2 * query->unit);
	}
	for (int i = 0; i < n; i++)
		out[i] = vector->x[i] * scale;
}

/*
 * Fills t for int8 vectors and q8 for codes, from x in units.
 */
static void
quantize_query(VdbQuery *query, const float *x, int16 *t, int8 *q8)
{
	const VdbQuantLayout *layout = query->layout;
	const VdbQuantKernels *k = query->kernels;
	float		largest = k->max_abs(layout->padded, x);

	if (layout->codec == VDB_CODEC_INT8)
	{
		k->to_int16(layout->padded, x, largest > 0 ? MOST_INT16 / largest : 0, t);
		query->t_step = (double) largest / MOST_INT16;
		query->t_squares = query->t_step * query->t_step *
			(double) k->squares_int16(layout->padded, t);
		/* half a step each, and the rounding of the scale and the product */
		query->error = (0.5 + 0.01) * query->t_step * sqrt(layout->padded);
	}
	if (layout->code_dims > 0)
	{
		float		coded = k->max_abs(layout->code_dims, x);

		k->to_int8(layout->code_dims, x, coded > 0 ? MOST_INT8 / coded : 0, q8);
		memset(q8 + layout->code_dims, 0, Q8_SLACK);
		query->q8_step = coded / MOST_INT8;
		for (int i = 0; i < layout->code_dims; i++)
			query->q8_sum += q8[i];
	}
}

/*
 * The distance of a stored vector in the query's units: squared for L2 and
 * cosine, the negative inner product, else as the operator has it.
 */
float
vdb_quant_query_distance(const VdbQuery *query, const void *stored)
{
	const VdbQuantLayout *layout = query->layout;
	const VdbQuantKernels *k = query->kernels;
	VdbStoredHeader header = vdb_stored_header(stored);
	const void *codes = vdb_stored_codes(stored);
	int			gap = Min(header.exponent - query->unit, VDB_MAX_GAP);
	float		scale = vdb_power_of_two(Max(gap, -126));

	if (!vdb_codec_is_rotated(layout->codec))
		return vdb_quant_form(layout)->query_distance(query, stored);
	if (layout->codec == VDB_CODEC_INT8)
	{
		double		step = ldexp(header.step, gap);
		double		dot = query->t_step * step *
			(double) k->dot_int16(layout->padded, query->t, codes);

		if (layout->metric == VDB_METRIC_IP)
			return as_float(-dot);
		return as_float(Max(0, query->t_squares + step * step * header.size.squares - 2 * dot));
	}
	if (layout->metric == VDB_METRIC_IP)
		return as_float(-ldexp(k->ip_half(layout->padded, query->x, codes), gap));
	if (layout->metric == VDB_METRIC_L1)
		return k->l1_half(layout->padded, query->x, codes, scale);
	return k->l2sq_half(layout->padded, query->x, codes, scale);
}

/*
 * Estimates of the same for the neighbours in count slots, the first of whose
 * factors is at factors and each next one stride bytes behind; node is the
 * stored vector of the node and node_distance its vdb_quant_query_distance().  An
 * estimate of a squared distance may be negative.
 *
 * weights, if not NULL, gets what each estimate is worth beside others of the
 * same vector from other nodes: the inverse of its variance, but for a factor
 * that all have in common; positive and finite (README, "Several estimates").
 */
void
vdb_quant_estimate_weighed(const VdbQuery *query, const void *node, float node_distance,
						   const void *factors, Size stride, int count, float *out,
						   float *weights)
{
	const VdbQuantLayout *layout = query->layout;
	VdbStoredHeader header = vdb_stored_header(node);
	int			gap = header.exponent - query->unit;
	float		scale = vdb_power_of_two(Max(Min(gap, VDB_MAX_GAP), -126));
	float		node_weight = weights ? weigh_node(query, header, scale, node_distance) : 0;

	for (int at = 0; at < count; at += CHUNK)
	{
		VdbCodeRows rows;
		float		radius[CHUNK];

		rows.first = (const uint8 *) factors + at * stride;
		rows.stride = stride;
		rows.count = Min(count - at, CHUNK);
		rows.bytes = layout->code_bytes;
		estimate_chunk(query, scale, node_distance, rows, radius, out + at);
		if (weights)
			weigh_chunk(node_weight, scale, radius, rows.count, weights + at);
	}
}

/*
 * The same without weights.
 */
void
vdb_quant_estimate(const VdbQuery *query, const void *node, float node_distance,
				   const void *factors, Size stride, int count, float *out)
{
	vdb_quant_estimate_weighed(query, node, node_distance, factors, stride, count, out, NULL);
}

/*
 * The estimates of at most CHUNK slots; rows.first points at factors.  scale
 * is the node's unit in the query's.  Fills in the radii, CHUNK of them, in the
 * node's unit.  Loops of constant length are for the compiler's vectors.
 */
static void
estimate_chunk(const VdbQuery *query, float scale, float base, VdbCodeRows rows,
			   float *radius, float *out)
{
	const VdbQuantLayout *layout = query->layout;
	const VdbQuantKernels *k = query->kernels;
	int32		doubled_zero = ((1 << layout->bits) - 1) * query->q8_sum;
	float		half_step = query->q8_step * 0.5f;
	float		self = layout->metric == VDB_METRIC_IP ? 0 : 1;
	uint16		halves[2 * CHUNK] = {0};
	uint16		radii[CHUNK] = {0};
	float		offset[2 * CHUNK];
	float	   *slope = offset + CHUNK;
	int32		sums[CHUNK] = {0};
	float		estimates[CHUNK];

	for (int i = 0; i < rows.count; i++)
	{
		VdbSlotFactors slot;

		memcpy(&slot, rows.first + i * rows.stride, sizeof(slot));
		radii[i] = slot.radius;
		halves[i] = slot.offset;
		halves[CHUNK + i] = slot.slope;
	}
	for (int i = 0; i < CHUNK; i++)
		radius[i] = vdb_radius_to_float(radii[i]);
	k->from_half(2 * CHUNK, halves, 1, offset);

	rows.first += VDB_SLOT_FACTOR_BYTES;
	if (layout->bits == 1)
		k->sums1(rows, query->q8, sums);
	else if (layout->bits == 2)
		k->sums2(rows, query->q8, sums);
	else
		k->sums4(rows, query->q8, sums);

	for (int i = 0; i < CHUNK; i++)
	{
		float		y = (float) (2 * sums[i] - doubled_zero) * half_step;
		float		rho = radius[i] * scale;

		estimates[i] = base + rho * (self * rho + offset[i] * scale + slope[i] * y);
	}
	memcpy(out, estimates, (Size) rows.count * sizeof(float));
}

/*
 * The inverse of the squared Euclidean distance between query and node.
 */
static float
weigh_node(const VdbQuery *query, VdbStoredHeader header, float scale, float distance)
{
	double		squared = distance;

	if (query->layout->metric == VDB_METRIC_IP)
	{
		double		norm = vdb_stored_norm(query->layout, &header) * scale;

		squared = query->norm * query->norm + norm * norm + 2 * squared;
	}
	return (float) (1 / Min(Max(squared, LEAST_SQUARE), 1 / LEAST_SQUARE));
}

/*
 * The weights of at most CHUNK estimates.
 */
static void
weigh_chunk(float node_weight, float scale, const float *radius, int count, float *out)
{
	float		weights[CHUNK];

	for (int i = 0; i < CHUNK; i++)
	{
		float		rho = radius[i] * scale;
		float		squared = rho * rho;

		squared = squared > LEAST_SQUARE ? squared : LEAST_SQUARE;
		squared = squared < 1 / LEAST_SQUARE ? squared : 1 / LEAST_SQUARE;
		weights[i] = node_weight / squared;
	}
	memcpy(out, weights, (Size) count * sizeof(float));
}

/*
 * The value of the SQL operator for a distance in the query's units.
 */
double
vdb_quant_query_value(const VdbQuery *query, float distance)
{
	switch (query->layout->metric)
	{
		case VDB_METRIC_L2:
			return sqrt(Max(0, distance) * query->value_scale);
		case VDB_METRIC_COSINE:
			return Max(0, distance) / 2 * query->value_scale;
		default:
			return distance * query->value_scale;
	}
}

static float
as_float(double value)
{
	return (float) Max(Min(value, FLT_MAX), -FLT_MAX);
}
