/*-------------------------------------------------------------------------
 *
 * bench_quantize.c
 *	  Speed of the quantize room, at every level that the CPU has.
 *
 * For the forms of several dimensions: one rotation, one query preparation
 * (both are once a query), the distance of a stored vector, the estimates of
 * 32 slots of a node that is in the cache (hot) and of one that is not (cold:
 * nodes of 256 MB in random order), encoding one slot, and, beside them, the
 * float32 distance kernel.  Nanoseconds, the best of several rounds.
 *
 * LINK: src/quantize/quant_scalar.o src/quantize/quant_avx2.o src/quantize/quant_avx512.o src/quantize/quant_neon.o src/quantize/quant_choose.o src/quantize/quant_layout.o src/quantize/quant_bits.o src/quantize/quant_sparse.o src/bit/bit_scalar.o src/bit/bit_popcnt.o src/bit/bit_avx512.o src/bit/bit_choose.o src/sparse/sparse_sums.o src/quantize/quant_rotate.o src/quantize/quant_vector.o src/quantize/quant_slot.o src/quantize/quant_query.o src/distance/kernels_scalar.o src/distance/kernels_avx2.o src/distance/kernels_avx512.o src/distance/kernels_neon.o src/distance/kernel_choose.o */
#include "postgres.h"

#include <stdio.h>
#include <time.h>

#include "quantize/quant_kernels.h"

#undef printf
#undef fprintf

#define LINKS 32
#define ROUNDS 7
#define COLD_BYTES ((size_t) 256 << 20)

typedef struct Case
{
	int			dim;
	VdbVectorCodec codec;
	int			bits;
	int			code_dims;
} Case;

static const Case cases[] = {
	{64, VDB_CODEC_HALF, 4, 64},
	{128, VDB_CODEC_INT8, 2, 128},
	{384, VDB_CODEC_INT8, 1, 384},
	{768, VDB_CODEC_HALF, 1, 512},
	{768, VDB_CODEC_INT8, 1, 768},
	{1536, VDB_CODEC_INT8, 1, 512},
	{3072, VDB_CODEC_INT8, 1, 768}
};

static volatile float sink;
static char *nodes;				/* COLD_BYTES of them */

static double
now(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (double) t.tv_sec * 1e9 + (double) t.tv_nsec;
}

/* The smallest time of several rounds of a block that is run count times */
#define BEST(result, count, code) \
	do { \
		(result) = 1e30; \
		for (int round = 0; round < ROUNDS; round++) \
		{ \
			double		start = now(); \
			for (int run = 0; run < (count); run++) \
			{ \
				code; \
			} \
			(result) = Min((result), (now() - start) / (count)); \
		} \
	} while (0)

static float
random_float(void)
{
	static uint32 state = 12345;

	state = state * 1664525 + 1013904223;
	return (float) (state >> 8) / 8388608.0f - 1;
}

static void
fill(int n, float *x)
{
	for (int i = 0; i < n; i++)
		x[i] = random_float() + random_float() + random_float();
}

/*
 * Fills the memory of the nodes with copies of one node: header and vector,
 * then 32 slots.  Returns its size.
 */
static size_t
fill_nodes(const VdbQuantLayout *layout, const VdbQuantKernels *k,
		   const VdbRotation *rotation)
{
	size_t		size = (layout->vector_bytes + LINKS * layout->slot_bytes + 31) / 16 * 16;
	char	   *slot = nodes + layout->vector_bytes;
	char	   *buffer = malloc(vdb_quant_encoder_size(layout));
	char	   *stored = malloc(layout->vector_bytes);
	float	   *x = malloc(layout->padded * sizeof(float));
	float	   *rotated = malloc(layout->padded * sizeof(float));
	VdbSlotEncoder encoder;
	VdbRotated	vector;

	fill(layout->dim, x);
	vector = vdb_quant_rotate(rotation, layout->metric, x, rotated);
	vdb_quant_encode_vector(layout, k, &vector, nodes);
	vdb_quant_init_encoder(&encoder, layout, k, nodes, buffer);
	for (int i = 0; i < LINKS; i++, slot += layout->slot_bytes)
	{
		fill(layout->dim, x);
		vector = vdb_quant_rotate(rotation, layout->metric, x, rotated);
		vdb_quant_encode_vector(layout, k, &vector, stored);
		vdb_quant_encode_slot(&encoder, stored, slot + 6);
	}
	for (size_t at = size; at + size <= COLD_BYTES; at += size)
		memcpy(nodes + at, nodes, size);
	free(buffer);
	free(stored);
	free(x);
	free(rotated);
	return size;
}

static void
run_case(const Case *c, const VdbQuantKernels *k, VdbSimdLevel level)
{
	VdbLayoutRequest request = {.metric = VDB_METRIC_L2, .dim = c->dim, .min_slots = LINKS, .max_slots = LINKS, .page_bytes = 8160, .node_bytes = 40, .link_bytes = 6};
	const VdbKernels *exact = vdb_kernels_find(level);
	VdbQuantLayout layout;
	VdbRotation rotation;
	VdbRotated	vector;
	VdbQuery	query;
	VdbSlotEncoder encoder;
	uint32		signs[4096];
	float	   *x = malloc(3072 * sizeof(float));
	float	   *rotated = malloc(3072 * sizeof(float));
	float		estimates[LINKS];
	void	   *buffer;
	void	   *encoder_buffer;
	char		slot[4096];
	size_t		size;
	size_t		count;
	uint64		place = 1;
	double		rotate;
	double		prepare;
	double		own;
	double		hot;
	double		cold;
	double		encode;
	double		f32;

	vdb_quant_form_layout(&layout, &request, c->codec, c->bits, c->code_dims);
	vdb_quant_init_rotation(&rotation, c->dim, 7, signs, k);
	size = fill_nodes(&layout, k, &rotation);
	count = COLD_BYTES / size;
	buffer = malloc(vdb_quant_query_size(&layout));
	encoder_buffer = malloc(vdb_quant_encoder_size(&layout));
	fill(c->dim, x);

	BEST(rotate, 2000, vector = vdb_quant_rotate(&rotation, layout.metric, x, rotated));
	BEST(prepare, 2000, vdb_quant_init_query(&query, &layout, k, &vector, 0, buffer));
	BEST(own, 5000, sink = vdb_quant_query_distance(&query, nodes));
	BEST(f32, 5000, sink = exact->l2sq(layout.padded, rotated, query.x));
	BEST(hot, 2000,
		 vdb_quant_estimate(&query, nodes, 1, nodes + layout.vector_bytes + 6,
							layout.slot_bytes, LINKS, estimates);
		 sink = estimates[3]);
	BEST(cold, 5000,
		 char *node = nodes + (place = place * 48271 % 2147483647) % count * size;
		 vdb_quant_estimate(&query, node, 1, node + layout.vector_bytes + 6,
							layout.slot_bytes, LINKS, estimates);
		 sink = estimates[3]);
	vdb_quant_init_encoder(&encoder, &layout, k, nodes, encoder_buffer);
	BEST(encode, 2000, vdb_quant_encode_slot(&encoder, nodes + size, slot));

	printf("%5d %7s %d x %-4d %-10s %7.0f %7.0f %6.0f %6.0f %6.0f %6.0f %6.0f\n",
		   c->dim, c->codec == VDB_CODEC_HALF ? "float16" : "int8", c->bits,
		   c->code_dims, k->name, rotate, prepare, own, f32, hot, cold, encode);
	free(x);
	free(rotated);
	free(buffer);
	free(encoder_buffer);
}

int
main(void)
{
	static const VdbSimdLevel levels[] = {VDB_SIMD_SCALAR, VDB_SIMD_NEON,
										  VDB_SIMD_AVX2, VDB_SIMD_AVX512, VDB_SIMD_AVX512
};
	const VdbQuantKernels *k;

	nodes = malloc(COLD_BYTES);
	printf("ns: one rotation, query preparation, distance of a stored vector, float32\n"
		   "distance, estimates of %d slots hot and cold, encoding one slot\n\n"
		   "  dim   codec   bits  level       rotate prepare    own    f32    hot   cold encode\n",
		   LINKS);
	for (int i = 0; i < lengthof(cases); i++)
	{
		for (int j = 0; (k = vdb_quant_nth_kernels(j)) != NULL; j++)
		{
			VdbSimdLevel level = VDB_SIMD_SCALAR;

			for (int l = 0; l < lengthof(levels); l++)
			{
				const VdbKernels *exact = vdb_kernels_find(levels[l]);

				if (exact != NULL && strncmp(exact->name, k->name, strlen(exact->name)) == 0)
					level = levels[l];
			}
			run_case(&cases[i], k, level);
		}
	}
	return 0;
}
