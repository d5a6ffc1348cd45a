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
 * LINK: src/quantize/quant_scalar.o src/quantize/quant_avx2.o src/quantize/quant_avx512.o src/quantize/quant_neon.o src/quantize/quant_choose.o src/quantize/quant_layout.o src/quantize/quant_rotate.o src/quantize/quant_vector.o src/quantize/quant_slot.o src/quantize/quant_query.o src/distance/kernels_scalar.o src/distance/kernels_avx2.o src/distance/kernels_avx512.o src/distance/kernels_neon.o src/distance/kernel_choose.o */
#include "postgres.h"

#include <math.h>
#include <stdio.h>
#include <time.h>
#include <unistd.h>

#include "quantize/quant_half.h"
#include "quantize/quant_kernels.h"

#undef printf
#undef fprintf

#define NQUERIES 500
#define K 10
#define SAMPLE 256
#define MAX_LINKS 64
#define MAX_BEAM 1024
#define CONSTRUCTION 100
#define BITS_RANDOM (rng = rng * UINT64CONST(6364136223846793005) + 1442695040888963407)

typedef struct Found
{
	float		distance;
	uint32		id;
	bool		done;
} Found;

typedef struct Beam
{
	int			n;
	int			limit;
	Found		item[MAX_BEAM + 1];
} Beam;

static int	nrows;
static int	dim;
static int	links = 32;
static VdbMetric metric = VDB_METRIC_COSINE;
static float *vectors;			/* nrows + NQUERIES of them */
static uint32 *graph;			/* nrows * links */
static uint16 *degree;
static uint32 *seen;			/* number of the last search that saw a node */
static uint32 search_number;
static uint32 truth[NQUERIES][K];
static uint64 rng = 1;
static const VdbKernels *exact;

static const float *
row(uint32 id)
{
	return vectors + (size_t) id * dim;
}

static float
distance(const float *a, const float *b)
{
	return metric == VDB_METRIC_IP ? -exact->ip(dim, a, b) : exact->l2sq(dim, a, b);
}

/*
 * Adds to a beam in order; returns false if it is full of better ones.
 */
static bool
beam_add(Beam *beam, float d, uint32 id)
{
	int			i = beam->n;

	if (i == beam->limit && d >= beam->item[i - 1].distance)
		return false;
	if (i == beam->limit)
		i--;
	else
		beam->n++;
	for (; i > 0 && beam->item[i - 1].distance > d; i--)
		beam->item[i] = beam->item[i - 1];
	beam->item[i] = (Found) {d, id, false};
	return true;
}

/*
 * The position of the best item that is not done, or -1.
 */
static int
beam_next(const Beam *beam)
{
	for (int i = 0; i < beam->n; i++)
	{
		if (!beam->item[i].done)
			return i;
	}
	return -1;
}

/*
 * Exact search among the first count nodes, from the best of some.
 */
static void
search_exact(const float *query, int count, Beam *beam)
{
	int			next;

	search_number++;
	beam->n = 0;
	for (int i = 0; i < Min(SAMPLE / 4, count); i++)
	{
		uint32		id = (BITS_RANDOM >> 33) % count;

		if (seen[id] != search_number)
			beam_add(beam, distance(row(id), query), id);
		seen[id] = search_number;
	}
	while ((next = beam_next(beam)) >= 0)
	{
		uint32		node = beam->item[next].id;

		beam->item[next].done = true;
		for (int i = 0; i < degree[node]; i++)
		{
			uint32		id = graph[(size_t) node * links + i];

			if (seen[id] == search_number)
				continue;
			seen[id] = search_number;
			beam_add(beam, distance(row(id), query), id);
		}
	}
}

/*
 * Keeps up to limit of the n candidates, which are in order of distance, that
 * are nearer to the node than to any kept before.
 */
static int
select_links(const Found *candidates, int n, int limit, uint32 *out)
{
	int			kept = 0;

	for (int i = 0; i < n && kept < limit; i++)
	{
		bool		occluded = false;

		for (int j = 0; j < kept && !occluded; j++)
			occluded = distance(row(out[j]), row(candidates[i].id)) < candidates[i].distance;
		if (!occluded)
			out[kept++] = candidates[i].id;
	}
	return kept;
}

static void
add_reverse(uint32 node, uint32 target)
{
	uint32	   *list = graph + (size_t) node * links;
	static Beam all;

	if (degree[node] < links)
	{
		list[degree[node]++] = target;
		return;
	}
	all.n = 0;
	all.limit = MAX_BEAM;
	for (int i = 0; i < degree[node]; i++)
		beam_add(&all, distance(row(node), row(list[i])), list[i]);
	beam_add(&all, distance(row(node), row(target)), target);
	degree[node] = select_links(all.item, all.n, links, list);
}

static void
build(void)
{
	static Beam beam;
	double		total = 0;

	beam.limit = CONSTRUCTION;
	for (uint32 id = 1; id < nrows; id++)
	{
		uint32	   *list = graph + (size_t) id * links;

		search_exact(row(id), id, &beam);
		degree[id] = select_links(beam.item, beam.n, Max(links / 2, Min(links, 16)), list);
		for (int i = 0; i < degree[id]; i++)
			add_reverse(list[i], id);
	}
	for (int i = 0; i < nrows; i++)
		total += degree[i];
	printf("# %d rows, %d dimensions, %d links, mean degree %.1f\n", nrows, dim, links, total / nrows);
}

static void
find_truth(void)
{
	static Beam beam;

	beam.limit = K;
	for (int q = 0; q < NQUERIES; q++)
	{
		beam.n = 0;
		for (int i = 0; i < nrows; i++)
			beam_add(&beam, distance(row(i), row(nrows + q)), i);
		for (int i = 0; i < K; i++)
			truth[q][i] = beam.item[i].id;
	}
}

static int
hits(int q, const Beam *beam)
{
	int			n = 0;

	for (int i = 0; i < Min(K, beam->n); i++)
	{
		for (int j = 0; j < K; j++)
			n += beam->item[i].id == truth[q][j];
	}
	return n;
}

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
	void	   *buffer = malloc(vdb_slot_encoder_size(layout));

	index->mean_norm = 0;
	for (uint32 id = 0; id < nrows; id++)
	{
		VdbRotated	vector = vdb_rotate(&index->rotation, metric, row(id), index->rotated);

		vdb_vector_encode(layout, index->kernels, &vector, (char *) node_vector(index, id));
		index->mean_norm += ldexp(vector.norm, vector.exponent) / nrows;
	}
	for (uint32 id = 0; id < nrows; id++)
	{
		char	   *slot = (char *) node_vector(index, id) + layout->vector_bytes;
		VdbSlotEncoder encoder;

		vdb_slot_encoder_init(&encoder, layout, index->kernels, node_vector(index, id), buffer);
		for (int i = 0; i < degree[id]; i++, slot += layout->slot_bytes)
		{
			uint32		target = graph[(size_t) id * links + i];

			memcpy(slot, &target, sizeof(target));
			vdb_slot_encode(&encoder, node_vector(index, target), slot + index->request.link_bytes);
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
		float		d = vdb_query_distance(query, node_vector(index, id));

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
		d = vdb_query_distance(query, node);
		beam_add(best, d, id);
		vdb_query_estimate(query, node, d, slot + index->request.link_bytes,
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

	index.request = (VdbLayoutRequest) {.metric = metric, .dim = dim,
		.links = links, .max_links = links, .page_bytes = 8152, .node_bytes = 32, .link_bytes = 6};
	if (!vdb_layout_form(&index.layout, &index.request, codec, bits, code_dims))
		return;
	index.kernels = vdb_quant_kernels_find(VDB_SIMD_AUTO);
	vdb_rotation_init(&index.rotation, dim, 1, index.signs, index.kernels);
	index.node_size = index.layout.vector_bytes + links * index.layout.slot_bytes;
	index.nodes = malloc(index.node_size * nrows);
	index.rotated = malloc(index.layout.padded * sizeof(float));
	index.query_buffer = malloc(vdb_query_size(&index.layout));
	encode_nodes(&index);
	size = vdb_layout_node_bytes(&index.layout, &index.request, links);
	printf("%-7s %d x %-4d %5d %2d", codec == VDB_CODEC_HALF ? "float16" : "int8",
		   bits, code_dims, size, index.request.page_bytes / (size + 4));
	for (int h = 0; h < lengthof(hops); h++)
	{
		int			own = 0;
		int			exactly = 0;

		points[h] = (Point) {hops[h], 0, 0};
		for (int q = 0; q < NQUERIES; q++)
		{
			VdbRotated	vector = vdb_rotate(&index.rotation, metric, row(nrows + q), index.rotated);
			uint32		entry;
			double		start;

			vdb_query_init(&query, &index.layout, index.kernels, &vector,
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

/*
 * Reads rows of a float32 or float16 .npy, the last ones as the queries.
 */
static void
read_vectors(const char *path, int limit, int use_dim)
{
	FILE	   *file = fopen(path, "rb");
	unsigned char head[10];
	char		text[4096] = "";
	char	   *shape;
	int			length;
	int			rows = 0;
	int			columns = 0;
	bool		half;
	char	   *raw;

	if (file == NULL || fread(head, 10, 1, file) != 1 || memcmp(head, "\x93NUMPY\x01", 7) != 0 ||
		(length = head[8] + 256 * head[9]) >= sizeof(text) || fread(text, length, 1, file) != 1 ||
		(shape = strstr(text, "'shape': (")) == NULL ||
		sscanf(shape + 10, "%d, %d", &rows, &columns) != 2)
	{
		printf("cannot read %s as .npy\n", path);
		exit(1);
	}
	half = strstr(text, "f2") != NULL;
	rows = Min(rows, limit + NQUERIES);
	dim = use_dim > 0 ? Min(use_dim, columns) : columns;
	nrows = rows - NQUERIES;
	vectors = malloc((size_t) rows * dim * sizeof(float));
	raw = malloc(columns * sizeof(float));
	for (int i = 0; i < rows; i++)
	{
		float	   *x = vectors + (size_t) i * dim;
		double		norm = 0;

		if (fread(raw, columns * (half ? 2 : 4), 1, file) != 1)
			exit(1);
		for (int j = 0; j < dim; j++)
		{
			x[j] = half ? vdb_half_to_float(((uint16 *) raw)[j]) : ((float *) raw)[j];
			norm += (double) x[j] * x[j];
		}
		for (int j = 0; j < dim && metric == VDB_METRIC_COSINE; j++)
			x[j] /= sqrt(Max(norm, 1e-30));
	}
	free(raw);
	fclose(file);
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
			metric = strcmp(optarg, "l2") == 0 ? VDB_METRIC_L2 : strcmp(optarg, "ip") == 0 ? VDB_METRIC_IP : VDB_METRIC_COSINE;
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
