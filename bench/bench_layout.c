/*-------------------------------------------------------------------------
 *
 * bench_layout.c
 *	  Recall of the forms of a node: codec, bits, code length, links.
 *
 *	  bench_layout FILE.npy [-n rows] [-d dim] [-m links] [-x l2|ip|cosine]
 *
 * FILE is a float32 or float16 array as generate.py writes it (-d: the first
 * components only).  Its last 500 rows are the queries.  A graph of one level
 * is built in memory with exact distances, at most -m links a node (default
 * 32), half of them its own.  Then best-first searches that see what an index
 * would: the distances of visited nodes from their stored vectors, those of
 * their neighbours by estimate.  A search visits a given number of nodes from
 * the best of 256 sampled ones; recall@10 is that of the ten best visited by
 * stored vectors, and by exact distances of the best 20.  For recall .95 and
 * .98 after reordering, a line ends with the number of nodes and the CPU time
 * in us (search only, one thread) that it takes, interpolated.
 *
 * LINK: src/quantize/quant_scalar.o src/quantize/quant_avx2.o src/quantize/quant_avx512.o src/quantize/quant_neon.o src/quantize/quant_choose.o src/quantize/quant_layout.o src/quantize/quant_bits.o src/quantize/quant_sparse.o src/bit/bit_scalar.o src/bit/bit_popcnt.o src/bit/bit_avx512.o src/bit/bit_choose.o src/sparse/sparse_sums.o src/quantize/quant_rotate.o src/quantize/quant_vector.o src/quantize/quant_slot.o src/quantize/quant_query.o src/distance/kernels_scalar.o src/distance/kernels_avx2.o src/distance/kernels_avx512.o src/distance/kernels_neon.o src/distance/kernel_choose.o */
#include "postgres.h"

#include <time.h>
#include <unistd.h>

#include "layout_graph.h"

/* An index in memory: its form and its nodes */
typedef struct NodeIndex
{
	VdbQuantLayout layout;
	VdbLayoutRequest request;
	VdbRotation rotation;
	uint32		signs[4096];
	const VdbQuantKernels *kernels;
	char	   *nodes;			/* vector, then slots, of each */
	size_t		node_size;
	double		mean_norm;
	float	   *rotated;
	void	   *query_buffer;
} NodeIndex;

static const char *
node_vector(const NodeIndex *index, uint32 id)
{
	return index->nodes + id * index->node_size;
}

static void
encode_nodes(NodeIndex *index)
{
	const VdbQuantLayout *layout = &index->layout;
	void	   *buffer = malloc(vdb_quant_encoder_size(layout));

	index->mean_norm = 0;
	for (uint32 id = 0; id < nrows; id++)
	{
		VdbRotated	vector = vdb_quant_rotate(&index->rotation, metric, row(id), index->rotated);

		vdb_quant_encode_vector(layout, index->kernels, &vector, (char *) node_vector(index, id));
		index->mean_norm += ldexp(vector.norm, vector.exponent) / nrows;
	}
	for (uint32 id = 0; id < nrows; id++)
	{
		char	   *slot = (char *) node_vector(index, id) + layout->vector_bytes;
		VdbSlotEncoder encoder;

		vdb_quant_init_encoder(&encoder, layout, index->kernels, node_vector(index, id), buffer);
		for (int i = 0; i < degree[id]; i++, slot += layout->slot_bytes)
		{
			uint32		target = graph[(size_t) id * links + i];

			memcpy(slot, &target, sizeof(target));
			vdb_quant_encode_slot(&encoder, node_vector(index, target), slot + index->request.link_bytes);
		}
	}
	free(buffer);
}

/*
 * The best of sampled nodes.
 */
static uint32
find_entry(const NodeIndex *index, const VdbQuery *query)
{
	uint32		entry = 0;
	float		nearest = INFINITY;

	for (int i = 0; i < SAMPLE; i++)
	{
		uint32		id = (uint32) ((uint64) i * nrows / SAMPLE);
		float		d = vdb_quant_query_distance(query, node_vector(index, id));

		if (d < nearest)
		{
			nearest = d;
			entry = id;
		}
	}
	return entry;
}

/*
 * Visits at most hops nodes from entry on; the best by stored vectors are in
 * best.
 */
static void
search_index(const NodeIndex *index, const VdbQuery *query, uint32 entry, int hops, Beam *best)
{
	const VdbQuantLayout *layout = &index->layout;
	static Beam frontier;
	float		estimates[MAX_LINKS];
	int			next;

	search_number++;
	best->n = 0;
	best->limit = Max(2 * K, hops);
	frontier.n = 0;
	frontier.limit = Max(32, Min(MAX_BEAM, hops * 2));
	beam_add(&frontier, 0, entry);
	while (hops > 0 && (next = beam_next(&frontier)) >= 0)
	{
		uint32		id = frontier.item[next].id;
		const char *node = node_vector(index, id);
		const char *slot = node + layout->vector_bytes;
		float		d;

		frontier.item[next].done = true;
		if (seen[id] == search_number)
			continue;
		seen[id] = search_number;
		hops--;
		d = vdb_quant_query_distance(query, node);
		beam_add(best, d, id);
		vdb_quant_estimate(query, node, d, slot + index->request.link_bytes,
						   layout->slot_bytes, degree[id], estimates);
		for (int i = 0; i < degree[id]; i++, slot += layout->slot_bytes)
		{
			uint32		target;

			memcpy(&target, slot, sizeof(target));
			if (seen[target] != search_number)
				beam_add(&frontier, estimates[i], target);
		}
	}
}

static void
reorder(int q, const Beam *best, Beam *out)
{
	out->n = 0;
	out->limit = K;
	for (int i = 0; i < Min(2 * K, best->n); i++)
		beam_add(out, distance(row(best->item[i].id), row(nrows + q)), best->item[i].id);
}

/* What visiting a number of nodes gives and takes */
typedef struct Point
{
	double		hops;
	double		recall;
	double		us;
} Point;

static double
cpu_us(void)
{
	struct timespec t;

	clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &t);
	return (double) t.tv_sec * 1e6 + (double) t.tv_nsec * 1e-3;
}

/*
 * Prints nodes and time at a recall, by linear interpolation.
 */
static void
print_at(const Point *points, int n, double recall)
{
	for (int i = 1; i < n; i++)
	{
		const Point *a = &points[i - 1];
		const Point *b = &points[i];

		if (a->recall < recall && b->recall >= recall)
		{
			double		part = (recall - a->recall) / (b->recall - a->recall);

			printf(" | %3.0f %4.0f", a->hops + part * (b->hops - a->hops),
				   a->us + part * (b->us - a->us));
			return;
		}
	}
	printf(" |   -    -");
}

static void
run_form(VdbVectorCodec codec, int bits, int code_dims)
{
	static const int hops[] = {16, 24, 32, 48, 64, 96, 128, 192};
	static NodeIndex index;
	static Beam best;
	static Beam reordered;
	Point		points[lengthof(hops)];
	VdbQuery	query;
	int			size;

	index.request = (VdbLayoutRequest){.metric = metric, .dim = dim, .min_slots = links, .max_slots = links, .page_bytes = 8160, .node_bytes = 40, .link_bytes = 6};
	if (!vdb_quant_form_layout(&index.layout, &index.request, codec, bits, code_dims))
		return;
	index.kernels = vdb_quant_find_kernels(VDB_SIMD_AUTO);
	vdb_quant_init_rotation(&index.rotation, dim, 1, index.signs, index.kernels);
	index.node_size = index.layout.vector_bytes + links * index.layout.slot_bytes;
	index.nodes = malloc(index.node_size * nrows);
	index.rotated = malloc(index.layout.padded * sizeof(float));
	index.query_buffer = malloc(vdb_quant_query_size(&index.layout));
	encode_nodes(&index);
	size = index.request.node_bytes + index.layout.vector_bytes + links * index.layout.slot_bytes;
	printf("%-7s %d x %-4d %5d %2d", codec == VDB_CODEC_HALF ? "float16" : "int8",
		   bits, code_dims, size, index.request.page_bytes / size);
	for (int h = 0; h < lengthof(hops); h++)
	{
		int			own = 0;
		int			exactly = 0;

		points[h] = (Point){hops[h], 0, 0};
		for (int q = 0; q < NQUERIES; q++)
		{
			VdbRotated	vector = vdb_quant_rotate(&index.rotation, metric, row(nrows + q), index.rotated);
			uint32		entry;
			double		start;

			vdb_quant_init_query(&query, &index.layout, index.kernels, &vector,
								 index.mean_norm, index.query_buffer);
			entry = find_entry(&index, &query);
			start = cpu_us();
			search_index(&index, &query, entry, hops[h], &best);
			points[h].us += (cpu_us() - start) / NQUERIES;
			own += hits(q, &best);
			reorder(q, &best, &reordered);
			exactly += hits(q, &reordered);
		}
		points[h].recall = (double) exactly / NQUERIES / K;
		printf(" %.3f %.3f", (double) own / NQUERIES / K, points[h].recall);
	}
	print_at(points, lengthof(hops), 0.95);
	print_at(points, lengthof(hops), 0.98);
	printf("\n");
	fflush(stdout);
	free(index.nodes);
	free(index.rotated);
	free(index.query_buffer);
}

int
main(int argc, char **argv)
{
	static const int code_dims[] = {64, 128, 192, 256, 384, 512, 768, 1024, 1536};
	int			limit = 1000000;
	int			use_dim = 0;
	int			c;

	while ((c = getopt(argc, argv, "n:d:m:x:")) != -1)
	{
		if (c == 'n')
			limit = atoi(optarg);
		else if (c == 'd')
			use_dim = atoi(optarg);
		else if (c == 'm')
			links = Min(atoi(optarg), MAX_LINKS);
		else if (c == 'x')
			metric = strcmp(optarg, "l2") == 0 ? VDB_METRIC_L2 : strcmp(optarg, "ip") == 0 ? VDB_METRIC_IP :
																							 VDB_METRIC_COSINE;
	}
	if (optind >= argc)
	{
		printf("usage: bench_layout FILE.npy [-n rows] [-d dim] [-m links] [-x l2|ip|cosine]\n");
		return argc > 1;
	}
	exact = vdb_kernels_find(VDB_SIMD_AUTO);
	read_vectors(argv[optind], limit, use_dim);
	graph = malloc((size_t) nrows * links * sizeof(uint32));
	degree = calloc(nrows, sizeof(uint16));
	seen = calloc(nrows, sizeof(uint32));
	build();
	find_truth();
	printf("# codec  bits   bytes /page  recall@10 (own, reordered) after 16, 24, 32, 48, 64, 96, 128, 192 nodes | nodes us at .95 | .98\n");
	for (int i = 0; i < lengthof(code_dims); i++)
	{
		for (int bits = 1; bits <= 4; bits *= 2)
		{
			int			padded = (dim + 63) / 64 * 64;

			/* no more than 1,024 bits: more do not fit where they matter */
			if (code_dims[i] > padded || code_dims[i] * bits > 1536 || code_dims[i] * 4 < padded)
				continue;
			run_form(VDB_CODEC_INT8, bits, code_dims[i]);
			if (code_dims[i] == padded || code_dims[i] == 512)
				run_form(VDB_CODEC_HALF, bits, code_dims[i]);
		}
	}
	return 0;
}
