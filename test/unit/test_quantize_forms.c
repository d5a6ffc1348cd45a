/*-------------------------------------------------------------------------
 *
 * test_quantize_forms.c
 *	  Stored vectors that are not rotated: bit strings and sparse vectors.
 *
 * Distances from stored forms against those of the operators, within the
 * intervals that are promised, on ordinary values and on the extremes of float;
 * what is kept of a vector that does not fit; every kind of damage is seen.
 *
 *-------------------------------------------------------------------------
 */
/* LINK: src/quantize/quant_scalar.o src/quantize/quant_avx2.o src/quantize/quant_avx512.o src/quantize/quant_neon.o src/quantize/quant_choose.o src/quantize/quant_layout.o src/quantize/quant_bits.o src/quantize/quant_sparse.o src/bit/bit_scalar.o src/bit/bit_popcnt.o src/bit/bit_avx512.o src/bit/bit_choose.o src/sparse/sparse_sums.o src/quantize/quant_rotate.o src/quantize/quant_vector.o src/quantize/quant_slot.o src/quantize/quant_query.o src/quantize/quant_bound.o src/distance/kernels_scalar.o src/distance/kernels_avx2.o src/distance/kernels_avx512.o src/distance/kernels_neon.o src/distance/kernel_choose.o */
#include "postgres.h"

#include <float.h>
#include <math.h>

#include "bit/bit.h"
#include "quantize/quantize.h"
#include "sparse/sparse.h"
#include "unit.h"

#define DIM 1000000
#define MOST 400

static const VdbMetric metrics[] = {VDB_METRIC_L2, VDB_METRIC_IP, VDB_METRIC_COSINE, VDB_METRIC_L1};

/* Kinds of values */
typedef enum Kind
{
	ORDINARY,
	WIDE,						/* magnitudes 2^-30 .. 2^30 */
	HUGE,						/* squares overflow */
	TINY,						/* squares underflow, subnormals */
	EQUAL,						/* all of one magnitude */
	KINDS
} Kind;

typedef struct Sparse
{
	int			count;
	int32		indices[MOST];
	float		values[MOST];
} Sparse;

static uint64 rng_state = UINT64CONST(0x853C49E6748FEA9B);
static VdbRotation no_rotation;

static double
random_unit(void)
{
	rng_state ^= rng_state << 13;
	rng_state ^= rng_state >> 7;
	rng_state ^= rng_state << 17;
	return (double) (rng_state >> 11) / 9007199254740992.0;
}

static float
random_value(Kind kind)
{
	double		sign = random_unit() < 0.3 ? -1 : 1;
	double		x = 0.01 + random_unit();

	switch (kind)
	{
		case WIDE:
			return (float) (sign * ldexp(x, (int) (60 * random_unit()) - 30));
		case HUGE:
			return (float) (sign * ldexp(x, 125 - (int) (8 * random_unit())));
		case TINY:
			return (float) (sign * ldexp(x, -140 + (int) (20 * random_unit())));
		case EQUAL:
			return (float) sign;
		default:
			return (float) (sign * x);
	}
}

/*
 * About count elements, those of a common vocabulary more often.
 */
static void
fill(Sparse *v, Kind kind, int count)
{
	int32		index = -1;

	v->count = 0;
	while (v->count < count)
	{
		float		value = random_value(kind);

		index += 1 + (int) (random_unit() * random_unit() * 12);
		if (value == 0)
			continue;
		v->indices[v->count] = index;
		v->values[v->count++] = value;
	}
}

static VdbSparseElements
elements(const Sparse *v)
{
	VdbSparseElements result = {v->count, v->indices, v->values};

	return result;
}

/* What the operator gives */
static double
operator_value(VdbMetric metric, const Sparse *a, const Sparse *b)
{
	double		norms;

	switch (metric)
	{
		case VDB_METRIC_L2:
			return sqrt((float) vdb_sparse_l2sq(elements(a), elements(b)));
		case VDB_METRIC_IP:
			return -(float) vdb_sparse_ip(elements(a), elements(b));
		case VDB_METRIC_L1:
			return (float) vdb_sparse_l1(elements(a), elements(b));
		default:
			if (isinf((float) vdb_sparse_squares(elements(a))) ||
				isinf((float) vdb_sparse_squares(elements(b))))
				return NAN;
			norms = sqrt(vdb_sparse_squares(elements(a)) * vdb_sparse_squares(elements(b)));
			return 1 - Max(-1, Min(1, vdb_sparse_ip(elements(a), elements(b)) / norms));
	}
}

static bool
lay_out(VdbQuantLayout *layout, VdbMetric metric, VdbVectorCodec codec, int dim, int room)
{
	VdbLayoutRequest request = {.metric = metric, .dim = dim, .codec = codec, .elements = room, .min_slots = 20, .max_slots = 32, .page_bytes = 8160, .node_bytes = 40, .link_bytes = 6};

	return vdb_quant_form_layout(layout, &request, codec, 0, 0);
}

static VdbRotated
prepare(const VdbQuantLayout *layout, const Sparse *v, float *buffer)
{
	VdbRotated	raw = {0};

	raw.count = v->count;
	raw.indices = v->indices;
	raw.x = v->values;
	return vdb_quant_prepare(layout, &raw, buffer);
}

/*
 * One pair: interval, symmetry, distance between two stored ones.
 */
static void
check_pair(const VdbQuantLayout *layout, const Sparse *q, const Sparse *x, double typical)
{
	static float buffer[MOST];
	static char memory[1 << 16];
	static int64 stored[1 << 12];
	static int64 other[1 << 12];
	const VdbQuantKernels *k = vdb_quant_find_kernels(VDB_SIMD_AUTO);
	double		expected = operator_value(layout->metric, q, x);
	VdbRotated	vector = prepare(layout, x, buffer);
	VdbQuery	query;
	VdbInterval interval;
	float		distance;

	vdb_quant_encode_vector(layout, k, &vector, stored);
	CHECK(vdb_quant_vector_fault(layout, k, stored) == NULL, "%s",
		  vdb_quant_vector_fault(layout, k, stored));
	vector = prepare(layout, q, buffer);
	CHECK(vdb_quant_query_size_of(layout, &vector) <= sizeof(memory), "size");
	vdb_quant_init_query(&query, layout, k, &vector, typical, memory);
	distance = vdb_quant_query_distance(&query, stored);
	CHECK(isfinite(distance), "metric %d: distance %g", layout->metric, distance);
	interval = vdb_quant_query_interval(&query, &no_rotation, stored, distance);
	CHECK(isnan(expected) || (interval.lower <= expected && expected <= interval.upper),
		  "metric %d, %d and %d elements, room %d: %.17g is not in %.17g .. %.17g",
		  layout->metric, q->count, x->count, layout->elements, expected, interval.lower,
		  interval.upper);
	if (x->count <= layout->elements && q->count <= layout->elements && isfinite(expected))
	{
		double		norms = sqrt(vdb_sparse_squares(elements(q)) * vdb_sparse_squares(elements(x)));
		double		mine;

		vdb_quant_encode_vector(layout, k, &vector, other);
		mine = vdb_quant_vector_distance(layout, k, stored, other);
		CHECK(mine == vdb_quant_vector_distance(layout, k, other, stored), "symmetry");
		if (layout->metric == VDB_METRIC_L2)
			mine = sqrt(mine);
		CHECK(fabs(mine - expected) <= 1e-5 * (layout->metric == VDB_METRIC_COSINE ? 1 : layout->metric == VDB_METRIC_IP ? norms :
																														   expected) +
					  1e-22,
			  "metric %d: %g, operator %g", layout->metric, mine, expected);
	}
}

static void
test_intervals(Kind kind)
{
	static Sparse q;
	static Sparse x;

	for (int i = 0; i < lengthof(metrics); i++)
		for (int round = 0; round < 300; round++)
		{
			VdbQuantLayout layout;
			double		typical = round % 3 == 0 ? 0 : ldexp(1, (int) (200 * random_unit()) - 100);

			CHECK(lay_out(&layout, metrics[i], VDB_CODEC_SPARSE, DIM, round % 5 == 0 ? 20 : MOST),
				  "layout");
			fill(&q, kind, (int) (random_unit() * 100) + (metrics[i] == VDB_METRIC_COSINE));
			fill(&x, round % 7 == 0 ? WIDE : kind, 1 + (int) (random_unit() * 100));
			check_pair(&layout, &q, &x, typical);
			check_pair(&layout, &x, &x, typical);
		}
}

/*
 * A vector's distance to its own stored form, as a query and as another, is 0.
 */
static void
test_same(void)
{
	static Sparse x;
	static float buffer[MOST];
	static char memory[1 << 16];
	static int64 stored[1 << 12];
	const VdbQuantKernels *k = vdb_quant_find_kernels(VDB_SIMD_AUTO);

	for (int i = 0; i < 100; i++)
		for (int m = 0; m < lengthof(metrics); m++)
		{
			VdbQuantLayout layout;
			VdbRotated	vector;
			VdbQuery	query;

			if (metrics[m] == VDB_METRIC_IP)
				continue;
			lay_out(&layout, metrics[m], VDB_CODEC_SPARSE, DIM, MOST);
			fill(&x, i % KINDS, 1 + i);
			vector = prepare(&layout, &x, buffer);
			vdb_quant_encode_vector(&layout, k, &vector, stored);
			vdb_quant_init_query(&query, &layout, k, &vector, 1, memory);
			CHECK(vdb_quant_query_distance(&query, stored) == 0, "metric %d", metrics[m]);
			CHECK(vdb_quant_vector_distance(&layout, k, stored, stored) == 0, "metric %d", metrics[m]);
		}
}

/*
 * What is kept of a vector with more elements than there is room for: the
 * largest, equal ones by index; the rest is the error.
 */
static void
test_kept(void)
{
	static const Sparse x = {6, {3, 5, 8, 9, 12, 20}, {1, -4, 2, -2, 2, 0.5f}};
	static float buffer[MOST];
	static int64 stored[64];
	const VdbQuantKernels *k = vdb_quant_find_kernels(VDB_SIMD_AUTO);
	VdbQuantLayout layout;
	VdbRotated	vector;
	VdbStoredHeader header;

	lay_out(&layout, VDB_METRIC_L2, VDB_CODEC_SPARSE, 30, 3);
	vector = prepare(&layout, &x, buffer);
	vdb_quant_encode_vector(&layout, k, &vector, stored);
	vector = vdb_quant_decode_vector(&layout, k, stored, NULL);
	CHECK(vector.count == 3, "%d elements", vector.count);
	CHECK(vector.indices[0] == 5 && vector.indices[1] == 8 && vector.indices[2] == 9, "indices");
	CHECK(vector.x[0] == -4 && vector.x[1] == 2 && vector.x[2] == -2, "values");
	memcpy(&header, stored, sizeof(header));
	CHECK(fabs(vdb_quant_vector_norm(&layout, stored) - sqrt(24)) < 1e-5, "norm");

	for (int room = 1; room <= 6; room++)
	{
		int			kept;

		lay_out(&layout, VDB_METRIC_L1, VDB_CODEC_SPARSE, 30, room);
		vector = prepare(&layout, &x, buffer);
		vdb_quant_encode_vector(&layout, k, &vector, stored);
		kept = vdb_quant_decode_vector(&layout, k, stored, NULL).count;
		CHECK(kept == room, "%d of room for %d", kept, room);
		CHECK(vdb_quant_vector_fault(&layout, k, stored) == NULL, "room for %d", room);
	}
}

/*
 * Changes one thing of a stored vector.
 */
static void
check_damage(const VdbQuantLayout *layout, const char *good, int at, int32 value)
{
	static int64 bad[1 << 12];
	const VdbQuantKernels *k = vdb_quant_find_kernels(VDB_SIMD_AUTO);

	memcpy(bad, good, layout->vector_bytes);
	memcpy((char *) bad + at, &value, sizeof(value));
	CHECK(vdb_quant_vector_fault(layout, k, bad) != NULL, "byte %d", at);
	/* and distances do not crash */
	(void) vdb_quant_vector_distance(layout, k, bad, bad);
}

static void
test_damage(void)
{
	static const Sparse x = {3, {3, 5, 8}, {1, -4, 2}};
	static const uint8 bits[] = {0xA5, 0xC0};
	static float buffer[MOST];
	static int64 stored[64];
	const VdbQuantKernels *k = vdb_quant_find_kernels(VDB_SIMD_AUTO);
	VdbQuantLayout layout;
	VdbRotated	vector;
	char	   *bytes = (char *) stored;

	lay_out(&layout, VDB_METRIC_L2, VDB_CODEC_SPARSE, 10, 5);
	vector = prepare(&layout, &x, buffer);
	vdb_quant_encode_vector(&layout, k, &vector, stored);
	check_damage(&layout, bytes, 0, 0x7000); /* exponent */
	check_damage(&layout, bytes, 4, 0); /* step */
	check_damage(&layout, bytes, 8, 0x3f800000); /* norm */
	check_damage(&layout, bytes, 12, -1); /* elements */
	check_damage(&layout, bytes, 12, 6);
	check_damage(&layout, bytes, 12, 2);
	check_damage(&layout, bytes, 16, 5); /* indices */
	check_damage(&layout, bytes, 16, -1);
	check_damage(&layout, bytes, 24, 10);
	check_damage(&layout, bytes, 28, 0); /* values */
	check_damage(&layout, bytes, 28, 0x7fc00000);
	check_damage(&layout, bytes, 28, 0x40000000);
	check_damage(&layout, bytes, 40, 1); /* behind them */

	lay_out(&layout, VDB_METRIC_HAMMING, VDB_CODEC_BITS, 10, 0);
	memset(&vector, 0, sizeof(vector));
	vector.bits = bits;
	vdb_quant_encode_vector(&layout, k, &vector, stored);
	CHECK(vdb_quant_vector_fault(&layout, k, stored) == NULL, "bits");
	check_damage(&layout, bytes, 0, 1);
	check_damage(&layout, bytes, 12, 0x000020A5);
	check_damage(&layout, bytes, 12, 0x0001C0A5);
}

static void
test_bits(VdbMetric metric)
{
	static uint8 a[200];
	static uint8 b[200];
	static int64 stored[64];
	static int64 other[64];
	static char memory[256];

	for (int dim = 1; dim <= 1500; dim += 7)
		for (int level = VDB_SIMD_AUTO; level <= VDB_SIMD_SCALAR; level++)
		{
			const VdbQuantKernels *k = vdb_quant_find_kernels((VdbSimdLevel) level);
			Size		bytes = (dim + 7) / 8;
			VdbQuantLayout layout;
			VdbRotated	vector = {0};
			VdbQuery	query;
			VdbInterval interval;
			double		expected;
			float		distance;

			CHECK(lay_out(&layout, metric, VDB_CODEC_BITS, dim, 0), "layout");
			CHECK(!lay_out(&layout, VDB_METRIC_L2, VDB_CODEC_BITS, dim, 0), "metric");
			lay_out(&layout, metric, VDB_CODEC_BITS, dim, 0);
			for (Size i = 0; i < bytes; i++)
			{
				a[i] = (uint8) (random_unit() * 256);
				b[i] = random_unit() < 0.5 ? a[i] : (uint8) (random_unit() * 256);
			}
			if (dim % 8 != 0)
			{
				a[bytes - 1] &= (uint8) ~(0xFF >> dim % 8);
				b[bytes - 1] &= (uint8) ~(0xFF >> dim % 8);
			}
			vector.bits = b;
			vdb_quant_encode_vector(&layout, k, &vector, other);
			vector.bits = a;
			vdb_quant_encode_vector(&layout, k, &vector, stored);
			vector.bits = b;
			vdb_quant_init_query(&query, &layout, k, &vector, 0, memory);
			expected = metric == VDB_METRIC_HAMMING ?
				(double) vdb_bit_kernels_scalar.hamming(bytes, a, b) :
				vdb_bit_jaccard(vdb_bit_kernels_scalar.jaccard(bytes, a, b));
			distance = vdb_quant_query_distance(&query, stored);
			interval = vdb_quant_query_interval(&query, &no_rotation, stored, distance);
			CHECK(interval.lower <= expected && expected <= interval.upper,
				  "%d bits: %.17g is not in %.17g .. %.17g", dim, expected, interval.lower,
				  interval.upper);
			CHECK(metric == VDB_METRIC_JACCARD || interval.lower == interval.upper, "certain");
			CHECK(vdb_quant_vector_distance(&layout, k, stored, other) == expected, "%d bits", dim);
			CHECK(vdb_quant_query_value(&query, distance) == distance, "value");
			CHECK(vdb_quant_vector_fault(&layout, k, stored) == NULL, "%d bits", dim);
		}
}

/*
 * Chosen layouts fill their pages, with all links, and take what was asked for.
 */
static void
test_layouts(void)
{
	VdbLayoutRequest request = {.page_bytes = 8160, .node_bytes = 40, .link_bytes = 6, .max_slots = 32, .min_slots = 20};
	VdbQuantLayout layout;

	for (int room = 1; room <= VDB_SPARSE_MAX_ELEMENTS; room += 1 + room / 9)
	{
		request.metric = VDB_METRIC_IP;
		request.codec = VDB_CODEC_SPARSE;
		request.dim = DIM;
		request.elements = room;
		CHECK(vdb_quant_choose_layout(&layout, &request), "%d elements", room);
		CHECK(layout.elements >= room && layout.elements <= VDB_SPARSE_MAX_ELEMENTS, "%d elements", room);
		CHECK(layout.slots == 32 && layout.bits == 0, "%d elements", room);
		CHECK(layout.nodes_per_page * layout.node_bytes <= 8160, "%d elements", room);
		CHECK(layout.is_split || layout.node_bytes >= 40 + layout.vector_bytes + 32 * 6, "%d elements", room);
		CHECK(!layout.is_split || layout.vector_pages * 8160 >= layout.vector_bytes, "%d elements", room);
	}
	request.elements = VDB_SPARSE_MAX_ELEMENTS + 1;
	CHECK(!vdb_quant_choose_layout(&layout, &request), "too many");
	request.metric = VDB_METRIC_HAMMING;
	CHECK(!vdb_quant_choose_layout(&layout, &request), "metric");
	request.codec = VDB_CODEC_BITS;
	for (int dim = 1; dim <= 64000; dim += 1 + dim / 9)
	{
		request.dim = dim;
		CHECK(vdb_quant_choose_layout(&layout, &request), "%d bits", dim);
		CHECK(layout.vector_bytes >= 12 + (dim + 7) / 8 && layout.slots == 32, "%d bits", dim);
	}
}

int
main(void)
{
	for (int kind = 0; kind < KINDS; kind++)
		RUN(test_intervals((Kind) kind));
	RUN(test_same());
	RUN(test_kept());
	RUN(test_damage());
	RUN(test_bits(VDB_METRIC_HAMMING));
	RUN(test_bits(VDB_METRIC_JACCARD));
	RUN(test_layouts());
	return unit_report();
}
