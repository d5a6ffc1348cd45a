/*-------------------------------------------------------------------------
 *
 * test_quantize_format.c
 *	  The quantize room at its limits: extreme values, memory and alignment,
 *	  layouts, and the bytes that must never change.
 *
 *-------------------------------------------------------------------------
 */
/* LINK: src/quantize/quant_scalar.o src/quantize/quant_avx2.o src/quantize/quant_avx512.o src/quantize/quant_neon.o src/quantize/quant_choose.o src/quantize/quant_layout.o src/quantize/quant_bits.o src/quantize/quant_sparse.o src/bit/bit_scalar.o src/bit/bit_popcnt.o src/bit/bit_avx512.o src/bit/bit_choose.o src/sparse/sparse_sums.o src/quantize/quant_rotate.o src/quantize/quant_vector.o src/quantize/quant_slot.o src/quantize/quant_query.o src/quantize/quant_bound.o src/distance/kernels_scalar.o src/distance/kernels_avx2.o src/distance/kernels_avx512.o src/distance/kernels_neon.o src/distance/kernel_choose.o */
#include "quant_unit.h"

#include <float.h>

#define SLOTS 33

static Form form;
static float x[MAX_PADDED];
static float y[MAX_PADDED];
static float rotated[MAX_PADDED];
static char *area_start;
static char *area_end;
static char buffer[MAX_PADDED * 16];
static char query_buffer[MAX_PADDED * 16];
static char stored_x[MAX_PADDED * 2 + 64];
static char stored_y[MAX_PADDED * 2 + 64];

static const VdbMetric metrics[] = {VDB_METRIC_L2, VDB_METRIC_IP, VDB_METRIC_COSINE};
static const VdbVectorCodec codecs[] = {VDB_CODEC_INT8, VDB_CODEC_HALF};

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
 * Kinds whose squared norm is neither 0 nor beyond float32: the others have no
 * cosine that the operator could compute.
 */
static bool
is_ordinary(Extreme kind)
{
	return kind == EXTREME_EQUAL || kind == EXTREME_ONE || kind == EXTREME_TINY;
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

		form_init(&form, metric, dim, codec, bits, (dim + 63) / 64 * 64, vdb_quant_find_kernels(VDB_SIMD_AUTO));
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
			vdb_quant_init_encoder(&encoder, &form.layout, form.kernels, stored_x, buffer);
			vdb_quant_encode_slot(&encoder, stored_y, slot);
			CHECK(isfinite(vdb_quant_vector_distance(&form.layout, form.kernels, stored_x, stored_y)), "pair distance of %d and %d", a, b);
			fill_extreme(q, dim, y);
			vector = vdb_quant_rotate(&form.rotation, metric, y, rotated);
			CHECK(isfinite(vector.norm), "norm of %d", q);
			vdb_quant_init_query(&query, &form.layout, form.kernels, &vector, pair % 5 == 0 ? 1 : 0, buffer);
			distance = vdb_quant_query_distance(&query, stored_x);
			CHECK(isfinite(distance), "query %d to node %d: %g", q, a, distance);
			vdb_quant_estimate(&query, stored_x, distance, slot, 100, 1, &estimate);
			CHECK(isfinite(estimate), "query %d, node %d, neighbour %d: %g", q, a, b, estimate);
			value = vdb_quant_query_value(&query, distance);
			CHECK(isfinite(value), "value of query %d to node %d: %g", q, a, value);
			interval = vdb_quant_query_interval(&query, &form.rotation, stored_x, distance);
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
				CHECK(vdb_quant_slot_distance(&form.layout, stored_x, slot) == 0, "distance of equal vectors");
			}
		}
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
		vdb_quant_init_encoder(&encoder, &form.layout, k, at, buffer);
		vector = vdb_quant_rotate(&form.rotation, VDB_METRIC_L2, y, rotated);
		vdb_quant_init_query(&query, &form.layout, k, &vector, 0, query_buffer);
		distance = vdb_quant_query_distance(&query, at);
		for (int i = 0; i < SLOTS; i++)
		{
			memset(area_end - 4096, 0x55, 4096);
			at = offset == 16 ? area_start : area_end - slot_bytes - offset;
			vdb_quant_encode_slot(&encoder, i % 2 ? copy[0] : copy[1], at);
			CHECK(offset == 0 || offset == 16 || at[slot_bytes] == 0x55, "written behind the slot");
			CHECK(offset == 16 || at[-1] == 0x55, "written before the slot");
			memcpy(expected + i * slot_bytes, at, slot_bytes);
		}
		at = offset == 16 ? area_start : area_end - SLOTS * slot_bytes - offset;
		memmove(at, expected, SLOTS * slot_bytes);
		vdb_quant_estimate(&query, copy[0], distance, at, slot_bytes, SLOTS, estimates[offset > 0]);
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
	} cases[] = {
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
			vdb_quant_init_encoder(&encoder, &form.layout, k, stored_x, buffer);
			vdb_quant_encode_slot(&encoder, stored_y, slot);
			for (int i = 0; i < cases[c].dim; i++)
				y[i] = (float) (random_bits() >> 40) / 16777216 - 0.5f;
			vector = vdb_quant_rotate(&form.rotation, cases[c].metric, y, rotated);
			vdb_quant_init_query(&query, &form.layout, k, &vector, 0, buffer);
			distance = vdb_quant_query_distance(&query, stored_x);
			vdb_quant_estimate(&query, stored_x, distance, slot, 0, 1, &estimate);
			hash = hash_bytes(hash, stored_x, form.layout.vector_bytes);
			hash = hash_bytes(hash, slot, VDB_SLOT_FACTOR_BYTES + form.layout.code_bytes);
			hash = hash_bytes(hash, &distance, sizeof(distance));
			hash = hash_bytes(hash, &estimate, sizeof(estimate));
		}
		CHECK(hash == cases[c].hash, "%s, case %d: hash 0x%016llX", k->name, c, (unsigned long long) hash);
	}
}

/*
 * What every chosen layout must keep, whatever was asked for.
 */
static void
check_layout(const VdbQuantLayout *l, const VdbLayoutRequest *r)
{
	int			used = r->node_bytes + (l->is_split ? 0 : l->vector_bytes) + l->slots * l->slot_bytes;

	CHECK(l->node_bytes % 8 == 0 && l->node_bytes >= used && l->node_bytes < used + 8,
		  "dimension %d: %d bytes, %d used", r->dim, l->node_bytes, used);
	CHECK(l->nodes_per_page >= 1 && l->nodes_per_page * l->node_bytes <= r->page_bytes,
		  "dimension %d: %d nodes of %d bytes", r->dim, l->nodes_per_page, l->node_bytes);
	CHECK(l->slots >= r->max_slots / 2 && l->slots <= r->max_slots,
		  "dimension %d: %d slots of %d", r->dim, l->slots, r->max_slots);
	if (l->is_split)
		CHECK(l->vector_pages * r->page_bytes >= l->vector_bytes &&
				  (l->vector_pages - 1) * r->page_bytes < l->vector_bytes,
			  "dimension %d: %d pages of vector", r->dim, l->vector_pages);
	else
		CHECK(l->vector_pages == 0, "dimension %d: pages of vector", r->dim);
	CHECK((l->bits > 0) == (r->metric != VDB_METRIC_L1), "codes of metric %d", r->metric);
	CHECK(r->metric != VDB_METRIC_L1 || l->slots == r->max_slots,
		  "L1, dimension %d: %d slots", r->dim, l->slots);
	CHECK(l->slot_bytes == r->link_bytes + (l->bits > 0 ? VDB_SLOT_FACTOR_BYTES + l->code_dims * l->bits / 8 : 0),
		  "slot bytes");
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
		int			slots;
		int			per_page;
		int			vector_pages;
	} expected[] = {
		{3, VDB_CODEC_INT8, 1, 64, 21, 15, 0},
		{32, VDB_CODEC_HALF, 1, 64, 22, 13, 0},
		{64, VDB_CODEC_HALF, 2, 64, 22, 10, 0},
		{128, VDB_CODEC_HALF, 1, 128, 30, 7, 0},
		{256, VDB_CODEC_HALF, 1, 192, 22, 6, 0},
		{384, VDB_CODEC_HALF, 1, 384, 20, 4, 0},
		{512, VDB_CODEC_HALF, 1, 512, 21, 3, 0},
		{768, VDB_CODEC_HALF, 1, 768, 23, 2, 0},
		{1024, VDB_CODEC_HALF, 2, 1024, 22, 1, 0},
		{1536, VDB_CODEC_HALF, 1, 1536, 24, 1, 0},
		{2048, VDB_CODEC_HALF, 1, 1472, 20, 1, 0},
		{3072, VDB_CODEC_HALF, 1, 3072, 20, 1, 1},
		{4096, VDB_CODEC_INT8, 1, 1472, 20, 1, 0},
		{8000, VDB_CODEC_HALF, 1, 3136, 20, 1, 2},
		{16000, VDB_CODEC_INT8, 1, 3136, 20, 1, 2}
	};
	VdbLayoutRequest request = {.metric = VDB_METRIC_COSINE, .min_slots = 20, .max_slots = 32, .page_bytes = 8160, .node_bytes = 40, .link_bytes = 6};
	VdbQuantLayout layout;

	for (int i = 0; i < lengthof(expected); i++)
	{
		request.dim = expected[i].dim;
		CHECK(vdb_quant_choose_layout(&layout, &request), "dimension %d: none", request.dim);
		CHECK(layout.codec == expected[i].codec && layout.bits == expected[i].bits &&
				  layout.code_dims == expected[i].code_dims && layout.slots == expected[i].slots &&
				  layout.nodes_per_page == expected[i].per_page && layout.vector_pages == expected[i].vector_pages,
			  "dimension %d: codec %d, %d x %d, %d slots, %d a page, %d vector pages", request.dim, layout.codec,
			  layout.bits, layout.code_dims, layout.slots, layout.nodes_per_page, layout.vector_pages);
	}
	for (int m = 2; m <= 100; m += 7)
	{
		for (request.dim = 1; request.dim <= VDB_QUANT_MAX_PADDED; request.dim += 1 + request.dim / 8)
		{
			request.min_slots = (5 * m + 3) / 4;
			request.max_slots = 2 * m;
			for (int metric = VDB_METRIC_L2; metric <= VDB_METRIC_L1; metric++)
			{
				request.metric = metric;
				CHECK(vdb_quant_choose_layout(&layout, &request), "m %d, dimension %d: none", m, request.dim);
				check_layout(&layout, &request);
				/* with codes of 64 dimensions, these always fit */
				CHECK(layout.slots >= request.min_slots, "m %d, dimension %d: %d slots", m, request.dim, layout.slots);
			}
		}
	}

	/* a page too small for them all: fewer slots, but never less than half */
	request.metric = VDB_METRIC_COSINE;
	request.dim = 100;
	request.min_slots = 450;
	request.max_slots = 500;
	CHECK(vdb_quant_choose_layout(&layout, &request), "450 slots asked for: none");
	CHECK(layout.slots == 406, "%d of at most 406 slots of 20 bytes", layout.slots);
	check_layout(&layout, &request);
	request.dim = 16000;
	request.max_slots = request.min_slots = 404;
	CHECK(vdb_quant_choose_layout(&layout, &request) && layout.slots == 404, "404 slots of 20 bytes fill a page");
	request.max_slots = request.min_slots = 814;
	CHECK(!vdb_quant_choose_layout(&layout, &request), "room for half of 814 slots");
	request.metric = VDB_METRIC_L2;
	request.dim = 16001;
	CHECK(!vdb_quant_choose_layout(&layout, &request), "too many dimensions");
	request.dim = 0;
	CHECK(!vdb_quant_choose_layout(&layout, &request), "no dimension");
	request.dim = 100;
	CHECK(!vdb_quant_form_layout(&layout, &request, VDB_CODEC_INT8, 3, 64), "three bits");
	CHECK(!vdb_quant_form_layout(&layout, &request, VDB_CODEC_INT8, 1, 100), "a part of a word");
	CHECK(!vdb_quant_form_layout(&layout, &request, VDB_CODEC_INT8, 1, 192), "more than there are");
	CHECK(!vdb_quant_form_layout(&layout, &request, VDB_CODEC_INT8, 1, 0), "bits without code");
	CHECK(!vdb_quant_form_layout(&layout, &request, 3, 1, 64), "unknown codec");
	request.metric = VDB_METRIC_L1;
	CHECK(!vdb_quant_form_layout(&layout, &request, VDB_CODEC_HALF, 1, 64), "codes for L1");
}

int
main(void)
{
	const VdbQuantKernels *k;

	map_guarded(8192, &area_start, &area_end);
	RUN(test_layouts());
	for (int c = 0; c < lengthof(codecs); c++)
	{
		for (int m = 0; m < lengthof(metrics); m++)
			RUN(test_extremes(metrics[m], codecs[c], 1 << m));
	}
	for (int i = 0; (k = vdb_quant_nth_kernels(i)) != NULL; i++)
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
