/*-------------------------------------------------------------------------
 *
 * test_quantize_vector.c
 *	  Rotation, stored vectors, slots and queries as a whole: norms, round
 *	  trips, distances, intervals, scales.
 *
 *-------------------------------------------------------------------------
 */
/* LINK: src/quantize/quant_scalar.o src/quantize/quant_avx2.o src/quantize/quant_avx512.o src/quantize/quant_neon.o src/quantize/quant_choose.o src/quantize/quant_layout.o src/quantize/quant_bits.o src/quantize/quant_sparse.o src/bit/bit_scalar.o src/bit/bit_popcnt.o src/bit/bit_avx512.o src/bit/bit_choose.o src/sparse/sparse_sums.o src/quantize/quant_rotate.o src/quantize/quant_vector.o src/quantize/quant_slot.o src/quantize/quant_query.o src/quantize/quant_bound.o src/distance/kernels_scalar.o src/distance/kernels_avx2.o src/distance/kernels_avx512.o src/distance/kernels_neon.o src/distance/kernel_choose.o */
#include "quant_unit.h"

#include "quantize/quant_half.h"

static Form form;
static float x[MAX_PADDED];
static float y[MAX_PADDED];
static float rotated[MAX_PADDED];
static float other[MAX_PADDED];
static char buffer[MAX_PADDED * 16];
static char stored_x[MAX_PADDED * 2 + 64];
static char stored_y[MAX_PADDED * 2 + 64];

static const VdbMetric metrics[] = {VDB_METRIC_L2, VDB_METRIC_IP, VDB_METRIC_COSINE};
static const VdbVectorCodec codecs[] = {VDB_CODEC_INT8, VDB_CODEC_HALF};

static double
exact_dot(int n, const float *a, const float *b)
{
	double		sum = 0;

	for (int i = 0; i < n; i++)
		sum += (double) a[i] * b[i];
	return sum;
}

static double
exact_l2(int n, const float *a, const float *b)
{
	double		sum = 0;

	for (int i = 0; i < n; i++)
		sum += ((double) a[i] - b[i]) * ((double) a[i] - b[i]);
	return sqrt(sum);
}

/*
 * Inner products survive the rotation within its error, a coordinate's energy
 * spreads evenly, and a sketch of the first coordinates gets its share.
 */
static void
test_rotation(void)
{
	static const int dims[] = {1, 3, 63, 64, 65, 100, 128, 192, 320, 384, 768, 1000, 1536, 3072, 4096, 16000};

	for (int d = 0; d < lengthof(dims); d++)
	{
		int			dim = dims[d];
		int			padded = (dim + 63) / 64 * 64;
		double		worst = 0;
		double		share = 0;

		form_init(&form, VDB_METRIC_L2, dim, VDB_CODEC_HALF, 1, 64, vdb_quant_find_kernels(VDB_SIMD_AUTO));
		CHECK(form.rotation.padded == padded, "dimension %d", dim);
		for (int i = 0; i < 20; i++)
		{
			VdbRotated	a;
			VdbRotated	b;
			double		bound;
			double		dot;

			fill_normal(dim, x, i % 2 ? 1 : 1e-5);
			fill_normal(dim, y, 100);
			a = vdb_quant_rotate(&form.rotation, VDB_METRIC_L2, x, rotated);
			b = vdb_quant_rotate(&form.rotation, VDB_METRIC_L2, y, other);
			bound = 2.1 * form.rotation.error * sqrt(exact_dot(dim, x, x) * exact_dot(dim, y, y));
			dot = ldexp(exact_dot(padded, rotated, other), a.exponent + b.exponent);
			CHECK(fabs(dot - exact_dot(dim, x, y)) <= bound, "dimension %d: inner product %g, expected %g",
				  dim, dot, exact_dot(dim, x, y));
			CHECK(fabs(a.norm / sqrt(exact_dot(padded, rotated, rotated)) - 1) < 1e-5, "dimension %d: norm %g", dim, a.norm);
		}
		/* single coordinates and a constant, which a bad rotation leaves in few */
		for (int i = -1; i < 60; i++)
		{
			VdbRotated	a;

			memset(x, 0, sizeof(x));
			if (i >= 0)
				x[(i * 7919) % dim] = 1;
			for (int j = 0; j < dim && i < 0; j++)
				x[j] = 1;
			a = vdb_quant_rotate(&form.rotation, VDB_METRIC_L2, x, rotated);
			for (int j = 0; j < padded; j++)
				worst = Max(worst, fabs(rotated[j]) / a.norm);
			share += exact_dot(padded / 2, rotated, rotated) / a.norm / a.norm / 61;
		}
		if (getenv("UNIT_VERBOSE"))
			printf("# %d: largest coordinate %.2f sigma, share of the first half %.3f\n", dim, worst * sqrt(padded), share);
		CHECK(worst * sqrt(padded) < 6, "dimension %d: a coordinate of %.2f sigma", dim, worst * sqrt(padded));
		CHECK(fabs(share - 0.5) < 0.05, "dimension %d: share %.3f", dim, share);
	}
}

/*
 * The stored error is that of the codes, no more than the codec's, and
 * distances between stored vectors are those of the decoded ones.
 */
static void
test_stored(VdbMetric metric, VdbVectorCodec codec)
{
	static const int dims[] = {1, 64, 100, 384, 768, 4096, 16000};

	for (int d = 0; d < lengthof(dims); d++)
	{
		int			dim = dims[d];
		int			padded = (dim + 63) / 64 * 64;
		const VdbQuantKernels *k = vdb_quant_find_kernels(VDB_SIMD_AUTO);

		form_init(&form, metric, dim, codec, 1, 64, k);
		for (int i = 0; i < 10; i++)
		{
			VdbRotated	a;
			VdbRotated	b;
			VdbStoredHeader header;
			double		error;
			double		relative;
			double		expected;
			double		got;

			fill_normal(dim, x, i < 5 ? 1 : 1e-4);
			fill_normal(dim, y, i % 5 == 0 ? 1 : i % 5 == 1 ? 1000 :
							i < 5                           ? 1 :
															  1e-4);
			form_encode(&form, x, stored_x);
			form_encode(&form, y, stored_y);
			a = vdb_quant_rotate(&form.rotation, metric, x, rotated);
			b = vdb_quant_decode_vector(&form.layout, k, stored_x, other);
			for (int j = 0; j < padded; j++)
				other[j] = ldexp(other[j], b.exponent - a.exponent);
			error = exact_l2(padded, rotated, other);
			memcpy(&header, stored_x, sizeof(header));
			got = ldexp(vdb_radius_to_float(header.error), b.exponent - a.exponent);
			relative = error / a.norm;
			CHECK(got >= error && got <= error * 1.002 + 2e-6 * a.norm, "dimension %d: error %g, header says %g", dim, error, got);
			CHECK(relative < (codec == VDB_CODEC_HALF ? 0x1p-11 : 0.012), "dimension %d: relative error %g", dim, relative);

			vdb_quant_decode_vector(&form.layout, k, stored_x, rotated);
			a = vdb_quant_decode_vector(&form.layout, k, stored_x, rotated);
			b = vdb_quant_decode_vector(&form.layout, k, stored_y, other);
			for (int j = 0; j < padded; j++)
			{
				rotated[j] = ldexp(rotated[j], a.exponent);
				other[j] = ldexp(other[j], b.exponent);
			}
			expected = metric == VDB_METRIC_IP ? -exact_dot(padded, rotated, other) :
												 exact_l2(padded, rotated, other) * exact_l2(padded, rotated, other) * (metric == VDB_METRIC_COSINE ? 0.5 : 1);
			got = vdb_quant_vector_distance(&form.layout, k, stored_x, stored_y);
			CHECK(fabs(got - expected) <= 1e-5 * sqrt(exact_dot(padded, rotated, rotated) * exact_dot(padded, other, other)) + 1e-6 * fabs(expected),
				  "dimension %d: distance %g, expected %g", dim, got, expected);
			CHECK(got == vdb_quant_vector_distance(&form.layout, k, stored_y, stored_x), "dimension %d: not symmetric", dim);
			CHECK(metric == VDB_METRIC_IP || vdb_quant_vector_distance(&form.layout, k, stored_x, stored_x) == 0, "dimension %d: to itself", dim);
			CHECK(fabs(vdb_quant_vector_norm(&form.layout, stored_x) / sqrt(exact_dot(padded, rotated, rotated)) - 1) < 1e-5, "dimension %d: norm", dim);
		}
	}
}

/*
 * Q6, and that the interval is not idle: its width in proportion to the codec.
 */
static void
test_interval(VdbMetric metric, VdbVectorCodec codec)
{
	static const int dims[] = {2, 64, 100, 768, 1536, 4096};

	for (int d = 0; d < lengthof(dims); d++)
	{
		int			dim = dims[d];

		form_init(&form, metric, dim, codec, metric == VDB_METRIC_L1 ? 0 : 1, metric == VDB_METRIC_L1 ? 0 : 64,
				  vdb_quant_find_kernels(VDB_SIMD_AUTO));
		for (int i = 0; i < 200; i++)
		{
			VdbRotated	vector;
			VdbQuery	query;
			VdbInterval interval;
			double		value;
			double		scale;
			float		distance;

			fill_normal(dim, x, i % 4 == 0 ? 1e-3 : 1);
			for (int j = 0; j < dim; j++)
				y[j] = i % 3 == 0 ? random_normal() : x[j] + (i % 3 == 1 ? 0.1 : 1e-4) * random_normal();
			if (i % 10 == 9)
				memcpy(y, x, sizeof(x));
			form_encode(&form, x, stored_x);
			vector = vdb_quant_rotate(&form.rotation, metric, y, rotated);
			vdb_quant_init_query(&query, &form.layout, form.kernels, &vector, i % 2 ? sqrt(dim) : 0, buffer);
			distance = vdb_quant_query_distance(&query, stored_x);
			interval = vdb_quant_query_interval(&query, &form.rotation, stored_x, distance);
			value = sql_value(metric, dim, x, y);
			CHECK(interval.lower <= value && value <= interval.upper, "dimension %d, %d: %.9g not in [%.9g, %.9g], own %.9g",
				  dim, i, value, interval.lower, interval.upper, vdb_quant_query_value(&query, distance));
			scale = sqrt(exact_dot(dim, x, x)) + sqrt(exact_dot(dim, y, y));
			if (metric == VDB_METRIC_IP)
				scale *= scale;
			if (metric == VDB_METRIC_L1)
				scale *= sqrt(dim);
			if (metric == VDB_METRIC_COSINE)
				scale = 2;
			CHECK(interval.upper - interval.lower <= scale * (codec == VDB_CODEC_HALF ? 1.2e-3 : 0.03),
				  "dimension %d: width %g of %g", dim, interval.upper - interval.lower, scale);
			CHECK(fabs(vdb_quant_query_value(&query, distance) - value) <= scale * (codec == VDB_CODEC_HALF ? 1.2e-3 : 0.03),
				  "dimension %d: value %g, expected %g", dim, vdb_quant_query_value(&query, distance), value);
		}
	}
}

/*
 * Large and small data, the same but for a power of two, give the same codes
 * and the same estimates but for that.
 */
static void
test_scaling(void)
{
	char		slots[3][256];
	float		estimates[3];

	for (int i = 0; i < 3; i++)
	{
		float		scale = i == 0 ? 1 : i == 1 ? 0x1p90f :
											0x1p-90f;
		VdbSlotEncoder encoder;
		VdbRotated	vector;
		VdbQuery	query;

		rng_state = 77;
		form_init(&form, VDB_METRIC_L2, 128, VDB_CODEC_INT8, 2, 128, vdb_quant_find_kernels(VDB_SIMD_AUTO));
		fill_normal(128, x, scale);
		form_encode(&form, x, stored_x);
		fill_normal(128, y, scale);
		form_encode(&form, y, stored_y);
		vdb_quant_init_encoder(&encoder, &form.layout, form.kernels, stored_x, buffer);
		vdb_quant_encode_slot(&encoder, stored_y, slots[i]);
		fill_normal(128, y, scale);
		vector = vdb_quant_rotate(&form.rotation, VDB_METRIC_L2, y, rotated);
		vdb_quant_init_query(&query, &form.layout, form.kernels, &vector, 0, buffer);
		vdb_quant_estimate(&query, stored_x, vdb_quant_query_distance(&query, stored_x), slots[i], 100, 1, &estimates[i]);
		CHECK(memcmp(slots[i], slots[0], VDB_SLOT_FACTOR_BYTES + form.layout.code_bytes) == 0, "slot at scale %g", scale);
		CHECK(estimates[i] == estimates[0], "estimate at scale %g: %g, at 1 %g", scale, estimates[i], estimates[0]);
		CHECK(fabs(vdb_quant_query_value(&query, estimates[i]) / scale / sqrt(2 * 128) - 1) < 0.5, "value %g", vdb_quant_query_value(&query, estimates[i]));
	}
}

/*
 * A slot's distance is that of the stored vectors.
 */
static void
test_slot_distance(void)
{
	char		slot[512];

	for (int i = 0; i < lengthof(codecs); i++)
	{
		for (int round = 0; round < 50; round++)
		{
			VdbSlotEncoder encoder;
			double		expected;

			form_init(&form, metrics[round % 2 * 2], 300, codecs[i], 1, 192, vdb_quant_find_kernels(VDB_SIMD_AUTO));
			fill_normal(300, x, 1e10);
			fill_normal(300, y, round % 7 == 0 ? 1e7 : 1e10);
			form_encode(&form, x, stored_x);
			form_encode(&form, y, stored_y);
			vdb_quant_init_encoder(&encoder, &form.layout, form.kernels, stored_x, buffer);
			vdb_quant_encode_slot(&encoder, stored_y, slot);
			expected = vdb_quant_vector_distance(&form.layout, form.kernels, stored_x, stored_y);
			CHECK(fabs(vdb_quant_slot_distance(&form.layout, stored_x, slot) / expected - 1) < 1.1e-3, "%g, expected %g",
				  vdb_quant_slot_distance(&form.layout, stored_x, slot), expected);
		}
	}
}

int
main(void)
{
	RUN(test_rotation());
	RUN(test_scaling());
	RUN(test_slot_distance());
	for (int c = 0; c < lengthof(codecs); c++)
	{
		for (int m = 0; m < lengthof(metrics); m++)
		{
			RUN(test_stored(metrics[m], codecs[c]));
			RUN(test_interval(metrics[m], codecs[c]));
		}
	}
	RUN(test_interval(VDB_METRIC_L1, VDB_CODEC_HALF));
	return unit_report();
}
