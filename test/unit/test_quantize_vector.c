/*-------------------------------------------------------------------------
 *
 * test_quantize_vector.c
 *	  Rotation, stored vectors, slots and queries as a whole: norms, round
 *	  trips, intervals, extreme values, memory, layouts, and the bytes that
 *	  must never change.
 *
 *-------------------------------------------------------------------------
 */
/* LINK: src/quantize/quant_scalar.o src/quantize/quant_avx2.o src/quantize/quant_avx512.o src/quantize/quant_neon.o src/quantize/quant_choose.o src/quantize/quant_layout.o src/quantize/quant_rotate.o src/quantize/quant_vector.o src/quantize/quant_slot.o src/quantize/quant_query.o src/quantize/quant_bound.o src/distance/kernels_scalar.o src/distance/kernels_avx2.o src/distance/kernels_avx512.o src/distance/kernels_neon.o src/distance/kernel_choose.o */
#include "quant_unit.h"

#include <float.h>

#include "quantize/quant_half.h"

#define SLOTS 33

static Form form;
static float x[MAX_PADDED];
static float y[MAX_PADDED];
static float rotated[MAX_PADDED];
static float other[MAX_PADDED];
static char *area_start;
static char *area_end;
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
 * What the SQL operator computes.
 */
static double
sql_value(VdbMetric metric, int dim, const float *a, const float *b)
{
	const VdbKernels *k = vdb_kernels_find(VDB_SIMD_AUTO);
	VdbCosineSums sums;

	switch (metric)
	{
		case VDB_METRIC_L2:
			return sqrt(k->l2sq(dim, a, b));
		case VDB_METRIC_IP:
			return -k->ip(dim, a, b);
		case VDB_METRIC_L1:
			return k->l1(dim, a, b);
		default:
			sums = k->cosine(dim, a, b);
			return 1 - Max(-1, Min(1, sums.dot / sqrt((double) sums.norm_a * sums.norm_b)));
	}
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

		form_init(&form, VDB_METRIC_L2, dim, VDB_CODEC_HALF, 1, 64, vdb_quant_kernels_find(VDB_SIMD_AUTO));
		CHECK(form.rotation.padded == padded, "dimension %d", dim);
		for (int i = 0; i < 20; i++)
		{
			VdbRotated	a;
			VdbRotated	b;
			double		bound;
			double		dot;

			fill_normal(dim, x, i % 2 ? 1 : 1e-5);
			fill_normal(dim, y, 100);
			a = vdb_rotate(&form.rotation, VDB_METRIC_L2, x, rotated);
			b = vdb_rotate(&form.rotation, VDB_METRIC_L2, y, other);
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
			a = vdb_rotate(&form.rotation, VDB_METRIC_L2, x, rotated);
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
		const VdbQuantKernels *k = vdb_quant_kernels_find(VDB_SIMD_AUTO);

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
			fill_normal(dim, y, i % 5 == 0 ? 1 : i % 5 == 1 ? 1000 : i < 5 ? 1 : 1e-4);
			form_encode(&form, x, stored_x);
			form_encode(&form, y, stored_y);
			a = vdb_rotate(&form.rotation, metric, x, rotated);
			b = vdb_vector_decode(&form.layout, k, stored_x, other);
			for (int j = 0; j < padded; j++)
				other[j] = ldexp(other[j], b.exponent - a.exponent);
			error = exact_l2(padded, rotated, other);
			memcpy(&header, stored_x, sizeof(header));
			got = ldexp(vdb_radius_to_float(header.error), b.exponent - a.exponent);
			relative = error / a.norm;
			CHECK(got >= error && got <= error * 1.002 + 2e-6 * a.norm, "dimension %d: error %g, header says %g", dim, error, got);
			CHECK(relative < (codec == VDB_CODEC_HALF ? 2.5e-4 : 0.012), "dimension %d: relative error %g", dim, relative);

			vdb_vector_decode(&form.layout, k, stored_x, rotated);
			a = vdb_vector_decode(&form.layout, k, stored_x, rotated);
			b = vdb_vector_decode(&form.layout, k, stored_y, other);
			for (int j = 0; j < padded; j++)
			{
				rotated[j] = ldexp(rotated[j], a.exponent);
				other[j] = ldexp(other[j], b.exponent);
			}
			expected = metric == VDB_METRIC_IP ? -exact_dot(padded, rotated, other) :
				exact_l2(padded, rotated, other) * exact_l2(padded, rotated, other) * (metric == VDB_METRIC_COSINE ? 0.5 : 1);
			got = vdb_vector_distance(&form.layout, k, stored_x, stored_y);
			CHECK(fabs(got - expected) <= 1e-5 * sqrt(exact_dot(padded, rotated, rotated) * exact_dot(padded, other, other)) + 1e-6 * fabs(expected),
				  "dimension %d: distance %g, expected %g", dim, got, expected);
			CHECK(got == vdb_vector_distance(&form.layout, k, stored_y, stored_x), "dimension %d: not symmetric", dim);
			CHECK(metric == VDB_METRIC_IP || vdb_vector_distance(&form.layout, k, stored_x, stored_x) == 0, "dimension %d: to itself", dim);
			CHECK(fabs(vdb_vector_norm(&form.layout, stored_x) / sqrt(exact_dot(padded, rotated, rotated)) - 1) < 1e-5, "dimension %d: norm", dim);
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
				  vdb_quant_kernels_find(VDB_SIMD_AUTO));
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
			vector = vdb_rotate(&form.rotation, metric, y, rotated);
			vdb_query_init(&query, &form.layout, form.kernels, &vector, i % 2 ? sqrt(dim) : 0, buffer);
			distance = vdb_query_distance(&query, stored_x);
			interval = vdb_query_interval(&query, &form.rotation, stored_x, distance);
			value = sql_value(metric, dim, x, y);
			CHECK(interval.lower <= value && value <= interval.upper, "dimension %d, %d: %.9g not in [%.9g, %.9g], own %.9g",
				  dim, i, value, interval.lower, interval.upper, vdb_query_value(&query, distance));
			scale = sqrt(exact_dot(dim, x, x)) + sqrt(exact_dot(dim, y, y));
			if (metric == VDB_METRIC_IP)
				scale *= scale;
			if (metric == VDB_METRIC_L1)
				scale *= sqrt(dim);
			if (metric == VDB_METRIC_COSINE)
				scale = 2;
			CHECK(interval.upper - interval.lower <= scale * (codec == VDB_CODEC_HALF ? 1.2e-3 : 0.03),
				  "dimension %d: width %g of %g", dim, interval.upper - interval.lower, scale);
			CHECK(fabs(vdb_query_value(&query, distance) - value) <= scale * (codec == VDB_CODEC_HALF ? 1.2e-3 : 0.03),
				  "dimension %d: value %g, expected %g", dim, vdb_query_value(&query, distance), value);
		}
	}
}

typedef enum Extreme
{
	EXTREME_HUGE,				/* near the largest float */
	EXTREME_1E30,
	EXTREME_TINY,				/* subnormal */
	EXTREME_EQUAL,				/* all coordinates, all vectors */
	EXTREME_ZERO,
	EXTREME_MIXED,				/* 1e-45 to 3e38 */
	EXTREME_ONE,				/* one coordinate */
	EXTREME_LAST
} Extreme;

static void
fill_extreme(Extreme kind, int dim, float *out)
{
	for (int i = 0; i < dim; i++)
	{
		switch (kind)
		{
			case EXTREME_HUGE:
				out[i] = random_unit() < 0.5 ? FLT_MAX : -FLT_MAX;
				break;
			case EXTREME_1E30:
				out[i] = 1e30 * random_normal();
				break;
			case EXTREME_TINY:
				out[i] = 1e-44 * random_normal();
				break;
			case EXTREME_EQUAL:
				out[i] = 0.1f;
				break;
			case EXTREME_MIXED:
				out[i] = ldexp(random_unit() - 0.5, (int) (random_unit() * 276) - 148);
				break;
			case EXTREME_ONE:
				out[i] = i == dim / 3 ? 1 : 0;
				break;
			default:
				out[i] = 0;
				break;
		}
	}
}

/*
 * Kinds whose squared norm is an ordinary float32: the others have no cosine
 * that the operator could compute.
 */
static bool
is_ordinary(Extreme kind)
{
	return kind == EXTREME_EQUAL || kind == EXTREME_ONE;
}

/*
 * Q3 and Q5: nodes, neighbours and queries of all pairs of extreme kinds.
 */
static void
test_extremes(VdbMetric metric, VdbVectorCodec codec, int bits)
{
	static const int dims[] = {1, 64, 200, 1536};
	char		slot[2048];

	for (int d = 0; d < lengthof(dims); d++)
	{
		int			dim = dims[d];

		form_init(&form, metric, dim, codec, bits, (dim + 63) / 64 * 64, vdb_quant_kernels_find(VDB_SIMD_AUTO));
		for (int pair = 0; pair < EXTREME_LAST * EXTREME_LAST * EXTREME_LAST; pair++)
		{
			Extreme		a = pair % EXTREME_LAST;
			Extreme		b = pair / EXTREME_LAST % EXTREME_LAST;
			Extreme		q = pair / EXTREME_LAST / EXTREME_LAST;
			VdbSlotEncoder encoder;
			VdbRotated	vector;
			VdbQuery	query;
			VdbInterval interval;
			float		distance;
			float		estimate;
			double		value;

			fill_extreme(a, dim, x);
			fill_extreme(b, dim, y);
			form_encode(&form, x, stored_x);
			form_encode(&form, y, stored_y);
			vdb_slot_encoder_init(&encoder, &form.layout, form.kernels, stored_x, buffer);
			vdb_slot_encode(&encoder, stored_y, slot);
			CHECK(isfinite(vdb_vector_distance(&form.layout, form.kernels, stored_x, stored_y)), "pair distance of %d and %d", a, b);
			fill_extreme(q, dim, y);
			vector = vdb_rotate(&form.rotation, metric, y, rotated);
			CHECK(isfinite(vector.norm), "norm of %d", q);
			vdb_query_init(&query, &form.layout, form.kernels, &vector, pair % 5 == 0 ? 1 : 0, buffer);
			distance = vdb_query_distance(&query, stored_x);
			CHECK(isfinite(distance), "query %d to node %d: %g", q, a, distance);
			vdb_query_estimate(&query, stored_x, distance, slot, 100, 1, &estimate);
			CHECK(isfinite(estimate), "query %d, node %d, neighbour %d: %g", q, a, b, estimate);
			value = vdb_query_value(&query, distance);
			CHECK(isfinite(value), "value of query %d to node %d: %g", q, a, value);
			interval = vdb_query_interval(&query, &form.rotation, stored_x, distance);
			value = sql_value(metric, dim, x, y);
			CHECK(isnan(value) || (interval.lower <= value && value <= interval.upper) ||
				  (metric == VDB_METRIC_COSINE && !(is_ordinary(a) && is_ordinary(q))),
				  "query %d, node %d: %g not in [%g, %g]", q, a, value, interval.lower, interval.upper);
			if (a == EXTREME_EQUAL && b == EXTREME_EQUAL)
			{
				CHECK(memcmp(stored_x, stored_y, form.layout.vector_bytes) == 0, "equal vectors are stored differently");
				for (int i = 0; i < VDB_SLOT_FACTOR_BYTES + form.layout.code_bytes; i++)
					CHECK(slot[i] == 0, "slot of equal vectors, byte %d", i);
				CHECK(estimate == distance, "estimate %g of an equal vector at %g", estimate, distance);
				CHECK(vdb_slot_distance(&form.layout, stored_x, slot) == 0, "distance of equal vectors");
			}
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
		float		scale = i == 0 ? 1 : i == 1 ? 0x1p90f : 0x1p-90f;
		VdbSlotEncoder encoder;
		VdbRotated	vector;
		VdbQuery	query;

		rng_state = 77;
		form_init(&form, VDB_METRIC_L2, 128, VDB_CODEC_INT8, 2, 128, vdb_quant_kernels_find(VDB_SIMD_AUTO));
		fill_normal(128, x, scale);
		form_encode(&form, x, stored_x);
		fill_normal(128, y, scale);
		form_encode(&form, y, stored_y);
		vdb_slot_encoder_init(&encoder, &form.layout, form.kernels, stored_x, buffer);
		vdb_slot_encode(&encoder, stored_y, slots[i]);
		fill_normal(128, y, scale);
		vector = vdb_rotate(&form.rotation, VDB_METRIC_L2, y, rotated);
		vdb_query_init(&query, &form.layout, form.kernels, &vector, 0, buffer);
		vdb_query_estimate(&query, stored_x, vdb_query_distance(&query, stored_x), slots[i], 100, 1, &estimates[i]);
		CHECK(memcmp(slots[i], slots[0], VDB_SLOT_FACTOR_BYTES + form.layout.code_bytes) == 0, "slot at scale %g", scale);
		CHECK(estimates[i] == estimates[0], "estimate at scale %g: %g, at 1 %g", scale, estimates[i], estimates[0]);
		CHECK(fabs(vdb_query_value(&query, estimates[i]) / scale / sqrt(2 * 128) - 1) < 0.5, "value %g", vdb_query_value(&query, estimates[i]));
	}
}

/*
 * Q4: everything that lies on a page is read and written between unreadable
 * pages, at every alignment, and the bytes do not depend on it.
 */
static void
test_memory(const VdbQuantKernels *k, VdbVectorCodec codec, int bits, int code_dims)
{
	int			dim = 200;
	int			slot_bytes;
	char		expected[8192];
	char		copy[2][1024];
	float		estimates[2][SLOTS];

	form_init(&form, VDB_METRIC_L2, dim, codec, bits, code_dims, k);
	slot_bytes = VDB_SLOT_FACTOR_BYTES + form.layout.code_bytes;
	rng_state = 99;
	fill_normal(dim, x, 1);
	fill_normal(dim, y, 1);
	form_encode(&form, x, copy[0]);
	form_encode(&form, y, copy[1]);
	for (int offset = 0; offset < 17; offset++)
	{
		char	   *at = offset == 16 ? area_start : area_end - form.layout.vector_bytes - offset;
		VdbSlotEncoder encoder;
		VdbRotated	vector;
		VdbQuery	query;
		float		distance;

		memset(area_end - 4096, 0x55, 4096);
		form_encode(&form, x, at);
		CHECK(memcmp(at, copy[0], form.layout.vector_bytes) == 0, "vector at offset %d", offset);
		CHECK(offset == 0 || offset == 16 || at[form.layout.vector_bytes] == 0x55, "written behind the vector");
		CHECK(offset == 16 || at[-1] == 0x55, "written before the vector");
		vdb_slot_encoder_init(&encoder, &form.layout, k, at, buffer);
		vector = vdb_rotate(&form.rotation, VDB_METRIC_L2, y, rotated);
		vdb_query_init(&query, &form.layout, k, &vector, 0, other);
		distance = vdb_query_distance(&query, at);
		for (int i = 0; i < SLOTS; i++)
		{
			memset(area_end - 4096, 0x55, 4096);
			at = offset == 16 ? area_start : area_end - slot_bytes - offset;
			vdb_slot_encode(&encoder, i % 2 ? copy[0] : copy[1], at);
			CHECK(offset == 0 || offset == 16 || at[slot_bytes] == 0x55, "written behind the slot");
			CHECK(offset == 16 || at[-1] == 0x55, "written before the slot");
			memcpy(expected + i * slot_bytes, at, slot_bytes);
		}
		at = offset == 16 ? area_start : area_end - SLOTS * slot_bytes - offset;
		memmove(at, expected, SLOTS * slot_bytes);
		vdb_query_estimate(&query, copy[0], distance, at, slot_bytes, SLOTS, estimates[offset > 0]);
		if (offset > 0)
			CHECK(memcmp(estimates[0], estimates[1], sizeof(estimates[0])) == 0, "estimates at offset %d", offset);
	}
}

static uint64
hash_bytes(uint64 hash, const void *p, size_t n)
{
	for (size_t i = 0; i < n; i++)
		hash = (hash ^ ((const uint8 *) p)[i]) * UINT64CONST(1099511628211);
	return hash;
}

/*
 * Q1, Q2: the bytes of stored vectors and slots and the bits of estimates, of
 * every level, as they were when the format was fixed.  Input by a generator
 * of integers, so that no library function takes part.
 */
static void
test_golden(const VdbQuantKernels *k)
{
	static const struct
	{
		VdbMetric	metric;
		int			dim;
		VdbVectorCodec codec;
		int			bits;
		int			code_dims;
		uint64		hash;
	}			cases[] = {
		{VDB_METRIC_L2, 3, VDB_CODEC_INT8, 4, 64, UINT64CONST(0xF64A515DC4F28EA0)},
		{VDB_METRIC_L2, 128, VDB_CODEC_INT8, 2, 128, UINT64CONST(0xEF387AACACE024A2)},
		{VDB_METRIC_L2, 200, VDB_CODEC_HALF, 4, 192, UINT64CONST(0x14851F55B5BE0F84)},
		{VDB_METRIC_IP, 384, VDB_CODEC_INT8, 1, 384, UINT64CONST(0x302F28E55B6EDDBF)},
		{VDB_METRIC_COSINE, 768, VDB_CODEC_HALF, 1, 768, UINT64CONST(0x77D08F98EC01BE18)},
		{VDB_METRIC_COSINE, 1000, VDB_CODEC_HALF, 2, 512, UINT64CONST(0xD10EAE2F6456B50D)},
		{VDB_METRIC_IP, 3072, VDB_CODEC_INT8, 1, 1152, UINT64CONST(0x4A877A3A8EAB35A9)}
	};

	for (int c = 0; c < lengthof(cases); c++)
	{
		uint64		hash = UINT64CONST(14695981039346656037);
		VdbSlotEncoder encoder;
		VdbRotated	vector;
		VdbQuery	query;
		float		distance;
		float		estimate;
		char		slot[1024];

		rng_state = 12345;
		form_init(&form, cases[c].metric, cases[c].dim, cases[c].codec, cases[c].bits, cases[c].code_dims, k);
		for (int round = 0; round < 8; round++)
		{
			for (int i = 0; i < cases[c].dim; i++)
			{
				x[i] = (float) (random_bits() >> 40) / 16777216 - 0.5f;
				y[i] = (float) (random_bits() >> 40) / 16777216 - 0.5f;
			}
			form_encode(&form, x, stored_x);
			form_encode(&form, y, stored_y);
			vdb_slot_encoder_init(&encoder, &form.layout, k, stored_x, buffer);
			vdb_slot_encode(&encoder, stored_y, slot);
			for (int i = 0; i < cases[c].dim; i++)
				y[i] = (float) (random_bits() >> 40) / 16777216 - 0.5f;
			vector = vdb_rotate(&form.rotation, cases[c].metric, y, rotated);
			vdb_query_init(&query, &form.layout, k, &vector, 0, buffer);
			distance = vdb_query_distance(&query, stored_x);
			vdb_query_estimate(&query, stored_x, distance, slot, 0, 1, &estimate);
			hash = hash_bytes(hash, stored_x, form.layout.vector_bytes);
			hash = hash_bytes(hash, slot, VDB_SLOT_FACTOR_BYTES + form.layout.code_bytes);
			hash = hash_bytes(hash, &distance, sizeof(distance));
			hash = hash_bytes(hash, &estimate, sizeof(estimate));
		}
		CHECK(hash == cases[c].hash, "%s, case %d: hash 0x%016llX", k->name, c, (unsigned long long) hash);
	}
}

/*
 * The forms chosen for the usual dimensions, as the README's table says, and
 * what every form must keep.
 */
static void
test_layouts(void)
{
	static const struct
	{
		int			dim;
		VdbVectorCodec codec;
		int			bits;
		int			code_dims;
		bool		is_split;
		int			per_page;
	}			expected[] = {
		{3, VDB_CODEC_INT8, 1, 64, false, 14},
		{64, VDB_CODEC_INT8, 2, 64, false, 11},
		{128, VDB_CODEC_INT8, 2, 128, false, 7},
		{256, VDB_CODEC_INT8, 1, 256, false, 6},
		{384, VDB_CODEC_INT8, 1, 384, false, 4},
		{512, VDB_CODEC_INT8, 1, 512, false, 3},
		{768, VDB_CODEC_HALF, 1, 768, false, 2},
		{1024, VDB_CODEC_INT8, 1, 960, false, 2},
		{1536, VDB_CODEC_INT8, 1, 1536, false, 1},
		{3072, VDB_CODEC_INT8, 1, 1152, false, 1},
		{4096, VDB_CODEC_INT8, 1, 896, false, 1},
		{16000, VDB_CODEC_INT8, 1, 1920, true, 1}
	};
	VdbLayoutRequest request = {.metric = VDB_METRIC_COSINE, .links = 22, .max_links = 32,
		.page_bytes = 8160, .node_bytes = 32, .link_bytes = 6};
	VdbQuantLayout layout;

	for (int i = 0; i < lengthof(expected); i++)
	{
		int			per_page;

		request.dim = expected[i].dim;
		CHECK(vdb_layout_choose(&layout, &request), "dimension %d: none", request.dim);
		per_page = request.page_bytes / vdb_layout_node_bytes(&layout, &request, request.links);
		CHECK(layout.codec == expected[i].codec && layout.bits == expected[i].bits &&
			  layout.code_dims == expected[i].code_dims && layout.is_split == expected[i].is_split &&
			  per_page == expected[i].per_page,
			  "dimension %d: codec %d, %d x %d, split %d, %d a page", request.dim, layout.codec,
			  layout.bits, layout.code_dims, layout.is_split, per_page);
	}
	for (int m = 2; m <= 100; m += 7)
	{
		for (request.dim = 1; request.dim <= VDB_QUANT_MAX_PADDED; request.dim += 1 + request.dim / 8)
		{
			request.links = m * 11 / 8;
			request.max_links = 2 * m;
			for (int metric = VDB_METRIC_L2; metric <= VDB_METRIC_L1; metric++)
			{
				request.metric = metric;
				CHECK(vdb_layout_choose(&layout, &request), "m %d, dimension %d: none", m, request.dim);
				CHECK(vdb_layout_node_bytes(&layout, &request, request.max_links) <= request.page_bytes,
					  "m %d, dimension %d: too large", m, request.dim);
				CHECK((layout.bits > 0) == (metric != VDB_METRIC_L1), "codes of metric %d", metric);
				CHECK(layout.slot_bytes == request.link_bytes + (layout.bits > 0 ? VDB_SLOT_FACTOR_BYTES + layout.code_dims * layout.bits / 8 : 0), "slot bytes");
			}
		}
	}
	request.metric = VDB_METRIC_L2;
	request.dim = 16001;
	CHECK(!vdb_layout_choose(&layout, &request), "too many dimensions");
	request.dim = 0;
	CHECK(!vdb_layout_choose(&layout, &request), "no dimension");
	request.dim = 100;
	CHECK(!vdb_layout_form(&layout, &request, VDB_CODEC_INT8, 3, 64), "three bits");
	CHECK(!vdb_layout_form(&layout, &request, VDB_CODEC_INT8, 1, 100), "a part of a word");
	CHECK(!vdb_layout_form(&layout, &request, VDB_CODEC_INT8, 1, 192), "more than there are");
	CHECK(!vdb_layout_form(&layout, &request, VDB_CODEC_INT8, 1, 0), "bits without code");
	CHECK(!vdb_layout_form(&layout, &request, 3, 1, 64), "unknown codec");
	request.metric = VDB_METRIC_L1;
	CHECK(!vdb_layout_form(&layout, &request, VDB_CODEC_HALF, 1, 64), "codes for L1");
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

			form_init(&form, metrics[round % 2 * 2], 300, codecs[i], 1, 192, vdb_quant_kernels_find(VDB_SIMD_AUTO));
			fill_normal(300, x, 1e10);
			fill_normal(300, y, round % 7 == 0 ? 1e7 : 1e10);
			form_encode(&form, x, stored_x);
			form_encode(&form, y, stored_y);
			vdb_slot_encoder_init(&encoder, &form.layout, form.kernels, stored_x, buffer);
			vdb_slot_encode(&encoder, stored_y, slot);
			expected = vdb_vector_distance(&form.layout, form.kernels, stored_x, stored_y);
			CHECK(fabs(vdb_slot_distance(&form.layout, stored_x, slot) / expected - 1) < 1.1e-3, "%g, expected %g",
				  vdb_slot_distance(&form.layout, stored_x, slot), expected);
		}
	}
}

int
main(void)
{
	const VdbQuantKernels *k;

	map_guarded(8192, &area_start, &area_end);
	RUN(test_rotation());
	RUN(test_layouts());
	RUN(test_scaling());
	RUN(test_slot_distance());
	for (int c = 0; c < lengthof(codecs); c++)
	{
		for (int m = 0; m < lengthof(metrics); m++)
		{
			RUN(test_stored(metrics[m], codecs[c]));
			RUN(test_interval(metrics[m], codecs[c]));
			RUN(test_extremes(metrics[m], codecs[c], 1 << m));
		}
	}
	RUN(test_interval(VDB_METRIC_L1, VDB_CODEC_HALF));
	for (int i = 0; (k = vdb_quant_kernels_nth(i)) != NULL; i++)
	{
		printf("# kernels of level %s\n", k->name);
		RUN(test_memory(k, VDB_CODEC_INT8, 1, 64));
		RUN(test_memory(k, VDB_CODEC_HALF, 1, 256));
		RUN(test_memory(k, VDB_CODEC_INT8, 2, 192));
		RUN(test_memory(k, VDB_CODEC_HALF, 4, 256));
		RUN(test_golden(k));
	}
	return unit_report();
}
