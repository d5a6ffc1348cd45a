/*-------------------------------------------------------------------------
 *
 * test_quantize_estimate.c
 *	  The estimator of neighbour distances against exact distances.
 *
 * Vectors are c + residual with normal coordinates; the exact values are
 * computed in double from the decoded vectors, so that only the estimator is
 * at test.  Its error, in units of what the README's formula leaves unknown,
 *
 *	  e = (estimate - exact) / (s |r| |q - c| / sqrt(D)),  s = 2 (L2), 1 (IP)
 *
 * must have mean 0 and the standard deviation that the README derives.  The
 * cases q = c and q = x, where the formula is exact algebra, bind every factor
 * to within its rounding.  The weights of the estimates are checked against what
 * the formula says of their variance.
 *
 *-------------------------------------------------------------------------
 */
/* LINK: src/quantize/quant_scalar.o src/quantize/quant_avx2.o src/quantize/quant_avx512.o src/quantize/quant_neon.o src/quantize/quant_choose.o src/quantize/quant_layout.o src/quantize/quant_bits.o src/quantize/quant_sparse.o src/bit/bit_scalar.o src/bit/bit_popcnt.o src/bit/bit_avx512.o src/bit/bit_choose.o src/sparse/sparse_sums.o src/quantize/quant_rotate.o src/quantize/quant_vector.o src/quantize/quant_slot.o src/quantize/quant_query.o src/distance/kernels_scalar.o src/distance/kernels_avx2.o src/distance/kernels_avx512.o src/distance/kernels_neon.o src/distance/kernel_choose.o */
#include "quant_unit.h"

#define SLOTS 32
#define ROUNDS 40

static Form form;
static float decoded_node[MAX_PADDED];
static float decoded_x[MAX_PADDED];
static char node[MAX_PADDED * 2 + 64];
static char slots[SLOTS * (MAX_PADDED / 2 + 64)];
static char encoder_buffer[MAX_PADDED * 16];
static char query_buffer[MAX_PADDED * 16];

/* Sums over all estimates of a configuration */
typedef struct Errors
{
	int			n;
	double		sum;
	double		squares;
	double		worst_at_node;	/* q = c, relative to the scale of the terms */
	double		worst_at_x;		/* q = x */
	double		worst_weight;	/* of an estimate, relative */
} Errors;

/* A vector as double precision sees it */
typedef struct Exact
{
	double		unit;
	const float *x;
} Exact;

static double
exact_dot(Exact a, Exact b, int n)
{
	double		sum = 0;

	for (int i = 0; i < n; i++)
		sum += (double) a.x[i] * b.x[i];
	return sum * a.unit * b.unit;
}

static double
exact_l2sq(Exact a, Exact b, int n)
{
	double		sum = 0;

	for (int i = 0; i < n; i++)
	{
		double		d = a.unit * a.x[i] - b.unit * b.x[i];

		sum += d * d;
	}
	return sum;
}

/* The distance in the units of estimates, true scale */
static double
exact_distance(Exact a, Exact b)
{
	if (form.layout.metric == VDB_METRIC_IP)
		return -exact_dot(a, b, form.layout.padded);
	return exact_l2sq(a, b, form.layout.padded);
}

static Exact
decode(const void *bytes, float *out)
{
	VdbRotated	v = vdb_quant_decode_vector(&form.layout, form.kernels, bytes, out);

	return (Exact){ldexp(1, v.exponent), v.x};
}

/*
 * s |q - c| of the formula above; the inner product's query has the typical
 * norm there.
 */
static double
distance_away(const VdbQuery *query, Exact q, Exact c, double typical_norm)
{
	if (form.layout.metric != VDB_METRIC_IP)
		return 2 * sqrt(exact_l2sq(q, c, form.layout.padded));
	q.unit *= typical_norm / query->true_norm;
	return sqrt(exact_l2sq(q, c, form.layout.padded)) * query->true_norm / typical_norm;
}

/*
 * What an estimate must weigh: the inverse of the square of what its error is
 * proportional to, in the query's units.
 */
static double
exact_weight(const VdbQuery *query, Exact q, Exact c, double radius, double typical_norm)
{
	double		away;

	if (form.layout.metric == VDB_METRIC_IP)
		q.unit *= typical_norm / query->true_norm;
	away = exact_l2sq(q, c, form.layout.padded);
	return ldexp(1, 4 * query->unit) / (radius * radius * away);
}

/*
 * Estimates all slots for a query and adds the errors, of the exact distance
 * of the query as it was given.
 */
static void
add_errors(Errors *errors, const VdbRotated *query_vector, double typical_norm,
		   Exact c, const char *neighbours, int which)
{
	VdbQuery	query;
	float		estimates[SLOTS];
	float		weights[SLOTS];
	Exact		q = {ldexp(1, query_vector->exponent), query_vector->x};
	double		unit;
	float		base;

	vdb_quant_init_query(&query, &form.layout, form.kernels, query_vector,
						 typical_norm, query_buffer);
	base = vdb_quant_query_distance(&query, node);
	vdb_quant_estimate_weighed(&query, node, base, slots + form.layout.slot_bytes - VDB_SLOT_FACTOR_BYTES - form.layout.code_bytes,
							   form.layout.slot_bytes, SLOTS, estimates, weights);
	unit = form.layout.metric == VDB_METRIC_IP ? query.value_scale : ldexp(1, 2 * query.unit);
	for (int i = 0; i < SLOTS; i++)
	{
		Exact		x = decode(neighbours + i * form.layout.vector_bytes, decoded_x);
		double		radius = sqrt(exact_l2sq(x, c, form.layout.padded));
		double		error = (estimates[i] - base) * unit -
			(exact_distance(q, x) - exact_distance(q, c));
		double		scale = radius * (radius + sqrt(exact_dot(c, c, form.layout.padded)));

		if (which == -1)
			errors->worst_at_node = Max(errors->worst_at_node, fabs(error) / scale);
		else if (which >= 0)
		{
			if (i == which)
				errors->worst_at_x = Max(errors->worst_at_x, fabs(error) / scale);
		}
		else
		{
			double		e = error * sqrt(form.layout.padded) /
				(radius * distance_away(&query, q, c, typical_norm));

			errors->worst_weight = Max(errors->worst_weight,
									   fabs(weights[i] / exact_weight(&query, q, c, radius, typical_norm) - 1));
			errors->n++;
			errors->sum += e;
			errors->squares += e * e;
		}
	}
}

/*
 * One node with neighbours at distances around spread, and queries.
 */
static void
run_round(Errors *errors, double size, double spread)
{
	int			dim = form.layout.dim;
	int			vector_bytes = form.layout.vector_bytes;
	char	   *neighbours = malloc((size_t) SLOTS * vector_bytes);
	float	   *center = malloc(dim * sizeof(float));
	float	   *x = malloc(dim * sizeof(float));
	float	   *rotated = malloc(MAX_PADDED * sizeof(float));
	VdbSlotEncoder encoder;
	VdbRotated	query_vector;
	Exact		c;

	fill_normal(dim, center, size);
	form_encode(&form, center, node);
	c = decode(node, decoded_node);
	vdb_quant_init_encoder(&encoder, &form.layout, form.kernels, node, encoder_buffer);
	for (int i = 0; i < SLOTS; i++)
	{
		double		away = size * spread * (0.5 + random_unit());
		char	   *factors = slots + (i + 1) * form.layout.slot_bytes -
			VDB_SLOT_FACTOR_BYTES - form.layout.code_bytes;

		for (int j = 0; j < dim; j++)
			x[j] = center[j] + away * random_normal();
		form_encode(&form, x, neighbours + i * vector_bytes);
		vdb_quant_encode_slot(&encoder, neighbours + i * vector_bytes, factors);
	}
	for (int j = 0; j < dim; j++)
		x[j] = center[j] + size * spread * random_normal();
	query_vector = vdb_quant_rotate(&form.rotation, form.layout.metric, x, rotated);
	add_errors(errors, &query_vector, size * sqrt(dim), c, neighbours, -2);

	query_vector = vdb_quant_decode_vector(&form.layout, form.kernels, node, rotated);
	add_errors(errors, &query_vector, vdb_quant_vector_norm(&form.layout, node), c, neighbours, -1);
	query_vector = vdb_quant_decode_vector(&form.layout, form.kernels, neighbours, rotated);
	add_errors(errors, &query_vector, vdb_quant_vector_norm(&form.layout, neighbours), c, neighbours, 0);
	free(neighbours);
	free(center);
	free(x);
	free(rotated);
}

/*
 * The cosine^2 between y and a normal residual, for a number of bits.
 */
static double
code_cosine2(int bits)
{
	return bits == 1 ? 2 / M_PI : bits == 2 ? 0.8812 :
											  0.9885;
}

static void
test_estimator(VdbMetric metric, VdbVectorCodec codec, int bits)
{
	static const struct
	{
		int			dim;
		int			code_dims;
	} cases[] = {
		{32, 64}, {64, 64}, {100, 128}, {128, 128}, {256, 256}, {384, 384}, {768, 768}, {768, 512}, {1000, 512}, {1536, 512}, {2048, 2048}, {4096, 512}
	};

	for (int i = 0; i < lengthof(cases); i++)
	{
		int			dim = cases[i].dim;
		Errors		errors = {0};
		double		cosine2;
		double		expected;
		double		deviation;
		double		bias;
		double		rounding;

		form_init(&form, metric, dim, codec, bits, cases[i].code_dims,
				  vdb_quant_find_kernels(VDB_SIMD_AUTO));
		for (int round = 0; round < (dim < 2000 ? ROUNDS : ROUNDS / 4); round++)
			run_round(&errors, round % 3 == 0 ? 1 : round % 3 == 1 ? 1e-3 :
																	 300,
					  0.7);
		cosine2 = code_cosine2(bits) * cases[i].code_dims / form.layout.padded;
		expected = sqrt(1 / cosine2 - 1);
		bias = errors.sum / errors.n;
		deviation = sqrt(errors.squares / errors.n);
		/* float16 factors, 8-bit queries, the decoded query's own rounding */
		rounding = 0.004 + 0.06 / sqrt(cases[i].code_dims);
		if (getenv("UNIT_VERBOSE"))
			printf("# dim %d W %d B %d: bias %.4f, deviation %.4f, expected %.4f; at c %.5f, at x %.5f (%.5f); weights %.5f\n",
				   dim, cases[i].code_dims, bits, bias, deviation, expected,
				   errors.worst_at_node, errors.worst_at_x, rounding, errors.worst_weight);
		/* the slots of a node are not quite independent: 10 instead of 5 sigma */
		CHECK(fabs(bias) < 10 * deviation / sqrt(errors.n), "dimension %d: bias %.4f of %.4f",
			  dim, bias, deviation);
		CHECK(deviation < expected * 1.07 && deviation > expected * 0.88,
			  "dimension %d: deviation %.4f, expected %.4f", dim, deviation, expected);
		CHECK(errors.worst_at_node < rounding, "dimension %d at the node: %.5f", dim, errors.worst_at_node);
		/* the inner product's |q - c| comes from a difference */
		CHECK(errors.worst_weight < 0.01, "dimension %d: a weight is off by %.5f", dim, errors.worst_weight);
		CHECK(errors.worst_at_x < rounding, "dimension %d at the neighbour: %.5f", dim, errors.worst_at_x);
	}
}

int
main(void)
{
	static const int bits[] = {1, 2, 4};

	for (int i = 0; i < lengthof(bits); i++)
	{
		RUN(test_estimator(VDB_METRIC_L2, VDB_CODEC_HALF, bits[i]));
		RUN(test_estimator(VDB_METRIC_L2, VDB_CODEC_INT8, bits[i]));
		RUN(test_estimator(VDB_METRIC_IP, VDB_CODEC_HALF, bits[i]));
		RUN(test_estimator(VDB_METRIC_IP, VDB_CODEC_INT8, bits[i]));
		RUN(test_estimator(VDB_METRIC_COSINE, VDB_CODEC_HALF, bits[i]));
		RUN(test_estimator(VDB_METRIC_COSINE, VDB_CODEC_INT8, bits[i]));
	}
	return unit_report();
}
