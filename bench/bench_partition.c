/*-------------------------------------------------------------------------
 *
 * bench_partition.c
 *	  A build in partitions beside one in memory: time and recall.
 *
 *	  bench_partition [FILE.npy [PART [M [EF_CONSTRUCTION [METRIC]]]]]
 *
 * FILE as for bench_graph, 500 of its rows the queries; PART (0.25) is the
 * part of the memory of the build in memory that the one in partitions gets.
 * METRIC is cosine, l2, ip or l1.  Both builds go from stored vectors to the bytes
 * of all slots; the temporary files are in memory where the system keeps them.
 *
 * LINK: src/hnsw/partition.o src/hnsw/partition_cluster.o src/hnsw/partition_divide.o src/hnsw/partition_load.o src/hnsw/partition_graph.o src/hnsw/partition_upper.o src/hnsw/partition_emit.o src/hnsw/graph_memory.o src/hnsw/graph_distance.o src/hnsw/graph_search.o src/hnsw/graph_link.o src/hnsw/graph_connect.o src/hnsw/graph_fill.o src/hnsw/graph_order.o src/quantize/quant_scalar.o src/quantize/quant_avx2.o src/quantize/quant_avx512.o src/quantize/quant_neon.o src/quantize/quant_choose.o src/quantize/quant_layout.o src/quantize/quant_bits.o src/quantize/quant_sparse.o src/bit/bit_scalar.o src/bit/bit_popcnt.o src/bit/bit_avx512.o src/bit/bit_choose.o src/sparse/sparse_sums.o src/quantize/quant_rotate.o src/quantize/quant_vector.o src/quantize/quant_proxy.o src/quantize/quant_slot.o src/distance/kernels_scalar.o src/distance/kernels_avx2.o src/distance/kernels_avx512.o src/distance/kernels_neon.o src/distance/kernel_choose.o */
#include "postgres.h"

#include <math.h>
#include <time.h>

#include "npy.h"
#include "partition_unit.h"

#define QUERIES 500
#define K 10

static VdbQuantLayout layout;
static const VdbQuantKernels *kernels;
static char *stored;			/* rows, then queries */
static Data data;
static float truth[QUERIES];	/* distance of the K-th neighbour */
static uint64 ndistances;
static double phase_start;
static int	phase_now = -1;

static double
now(void)
{
	struct timespec t;

	clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &t);
	return (double) t.tv_sec + (double) t.tv_nsec * 1e-9;
}

static const char *
vector(int i)
{
	return stored + (size_t) i * (size_t) layout.vector_bytes;
}

static float
distance(const void *arg, const void *a, const void *b)
{
	ndistances++;
	return (float) vdb_quant_vector_distance(&layout, kernels, a, b);
}

static void
distances(const void *arg, HnswPoint from, const HnswPoint *to, int n, float *out)
{
	ndistances += (uint64) n;
	for (int i = 0; i < n; i++)
		vdb_quant_proxy_distances(&layout, kernels, 1, (VdbProxied){from.vector, from.proxy},
								  &(VdbProxied){to[i].vector, to[i].proxy}, 1, &out[i]);
}

static void
make_proxy(const void *arg, const void *v, void *proxy)
{
	vdb_quant_make_proxy(&layout, kernels, v, proxy);
}

static const HnswMeasure measure = {distance, distances, make_proxy, NULL};

/* Keeps one of the rows with the same stored bytes. */
static void
leave_out_copies(void)
{
	size_t		bytes = (size_t) layout.vector_bytes;
	uint32		size = 4 * (uint32) data.n;
	int		   *known = malloc(sizeof(int) * size);
	int			n = 0;

	memset(known, 0xFF, sizeof(int) * size);
	for (int i = 0; i < data.n; i++)
	{
		uint64		hash = 0;
		uint32		at;

		for (size_t j = 0; j < bytes; j += 4)
		{
			uint32		word;

			memcpy(&word, vector(i) + j, sizeof(word));
			hash = vdb_hnsw_mix(hash ^ word);
		}
		for (at = (uint32) (hash % size); known[at] >= 0; at = (at + 1) % size)
			if (memcmp(vector(known[at]), vector(i), bytes) == 0)
				break;
		if (known[at] >= 0)
			continue;
		known[at] = n;
		memmove((char *) vector(n++), vector(i), bytes);
	}
	memmove((char *) vector(n), vector(data.n), bytes * QUERIES);
	data.n = n;
	free(known);
}

static void
store_all(VdbMetric metric)
{
	VdbLayoutRequest request = {.metric = metric, .dim = data.dim, .min_slots = 20, .max_slots = 32, .page_bytes = 8160, .node_bytes = 40, .link_bytes = 6};
	VdbRotation rotation;
	uint32	   *signs = malloc(vdb_quant_rotation_size(data.dim));
	float	   *rotated;

	if (!vdb_quant_choose_layout(&layout, &request))
		fail("no layout");
	kernels = vdb_quant_find_kernels(VDB_SIMD_AUTO);
	vdb_quant_init_rotation(&rotation, data.dim, 1, signs, kernels);
	rotated = malloc(sizeof(float) * (size_t) layout.padded);
	stored = malloc((size_t) data.n * (size_t) layout.vector_bytes);
	for (int i = 0; i < data.n; i++)
	{
		VdbRotated	v = vdb_quant_rotate(&rotation, metric, data_row(&data, i), rotated);

		vdb_quant_encode_vector(&layout, kernels, &v, (char *) vector(i));
	}
	free(rotated);
	free(signs);
	data.n -= QUERIES;
	leave_out_copies();
	for (int q = 0; q < QUERIES; q++)
	{
		float		nearest[K];
		int			n = 0;

		for (int i = 0; i < data.n; i++)
		{
			float		d = distance(NULL, vector(data.n + q), vector(i));
			int			at;

			if (n == K && d >= nearest[K - 1])
				continue;
			for (at = n < K ? n++ : K - 1; at > 0 && nearest[at - 1] > d; at--)
				nearest[at] = nearest[at - 1];
			nearest[at] = d;
		}
		truth[q] = nearest[K - 1];
	}
}

/* Searches from the best of 256 nodes; the upper levels are left out. */
static void
search(Adjacency *a, const char *name)
{
	static const int efs[] = {20, 40, 64, 128, 200};

	a->distance = distance;
	for (int e = 0; e < (int) lengthof(efs); e++)
	{
		HnswFound	found[256];
		int			hits = 0;

		ndistances = 0;
		for (int q = 0; q < QUERIES; q++)
		{
			const char *query = vector(data.n + q);
			float		least = INFINITY;
			int			n;

			for (uint32 i = 0; i < 256; i++)
			{
				uint32		node = (uint32) ((uint64) i * a->n / 256);
				float		d = distance(NULL, query, a->vectors[node]);

				if (d < least)
				{
					least = d;
					a->entry = node;
				}
			}
			n = search_adjacency(a, query, efs[e], found);
			for (int i = 0; i < Min(n, K); i++)
				hits += found[i].distance <= truth[q];
		}
		printf("%s: ef %3d  recall %.4f  %5.0f distances\n", name, efs[e],
			   hits / (double) (QUERIES * K), (double) ndistances / QUERIES - 256);
	}
}

static HnswParams
graph_params(const HnswPartitionParams *params)
{
	HnswParams	graph = {(uint32) data.n, (Size) layout.vector_bytes, params->m, layout.slots, params->level_ratio, params->ef_construction, params->seed, vdb_quant_proxy_size(&layout)};

	return graph;
}

static double
build_in_memory(const HnswPartitionParams *params)
{
	HnswParams	graph = graph_params(params);
	HnswGraph	g;
	HnswScratch s;
	char	   *memory = malloc(vdb_hnsw_graph_size(&graph));
	void	   *scratch = calloc(1, vdb_hnsw_scratch_size(&graph));
	uint32	   *parent = malloc(sizeof(uint32) * (size_t) data.n);
	uint32	   *order = malloc(sizeof(uint32) * (size_t) data.n);
	void	   *work = malloc(vdb_hnsw_order_size(&graph));
	void	   *encoder_memory = malloc(vdb_quant_encoder_size(&layout));
	Adjacency	a = new_adjacency((uint32) data.n, layout.slots);
	char	   *slot = malloc((size_t) layout.slot_bytes);
	double		start = now();
	double		linked;
	double		took;

	vdb_hnsw_graph_attach(&g, &graph, memory, true);
	vdb_hnsw_scratch_attach(&s, &graph, scratch);
	g.measure = measure;
	for (int i = 0; i < data.n; i++)
		vdb_hnsw_add_node(&g, vector(i));
	vdb_hnsw_link_all(&g, &s);
	linked = now();
	vdb_hnsw_connect(&g, &s, parent, order, work);
	vdb_hnsw_fill_all(&g, &s, g.shared->count);
	vdb_hnsw_order(&g, &s, layout.nodes_per_page, work, order);
	for (uint32 i = 0; i < a.n; i++)
	{
		const HnswLinks *links = vdb_hnsw_links(&g, i, 0);
		VdbSlotEncoder encoder;

		vdb_quant_init_encoder(&encoder, &layout, kernels, vector((int) i), encoder_memory);
		for (int j = 0; j < links->count; j++)
		{
			a.targets[i * (uint32) a.slots + (uint32) j] = links->link[j].node;
			if (layout.bits > 0)
				vdb_quant_encode_slot(&encoder, vdb_hnsw_vector(&g, links->link[j].node), slot);
		}
		a.vectors[i] = vector((int) i);
	}
	took = now() - start;
	printf("in memory: %.2f s, of which linking %.2f; %.0f distances a vector\n", took,
		   linked - start, (double) ndistances / data.n);
	search(&a, "in memory");
	free_adjacency(&a);
	free(memory);
	free(scratch);
	free(parent);
	free(order);
	free(work);
	free(encoder_memory);
	free(slot);
	return took;
}

static void
take_node(void *arg, const HnswPlacedNode *node)
{
	Adjacency  *a = arg;
	static uint32 nupper;

	if (node->level > 0)
	{
		nupper = node->place + 1;
		return;
	}
	a->vectors[node->place - nupper] = vector((int) node->rows[0]);
	for (int i = 0; i < node->nlinks; i++)
		a->targets[(node->place - nupper) * (uint32) a->slots + (uint32) i] = node->links[i].target - nupper;
}

static void
show_phase(void *arg, HnswPartitionPhase phase, uint64 done, uint64 total)
{
	static const char *const names[] = {"cluster", "upper", "divide", "graphs", "emit"};

	if (phase == phase_now)
		return;
	if (phase_now >= 0)
		printf("  %s %.2f s\n", names[phase_now], now() - phase_start);
	phase_now = (int) phase;
	phase_start = now();
}

static double
build_in_partitions(HnswPartitionParams *params, double part)
{
	HnswParams	graph = graph_params(params);
	Usage		usage = {0};
	HnswPartitionHooks hooks = test_hooks(&usage);
	HnswPartitionResult result;
	HnswPartitions *p;
	Adjacency	a;
	double		start = now();
	double		took;

	hooks.progress = show_phase;
	ndistances = 0;
	params->memory_size = (Size) (part * (double) (vdb_hnsw_graph_size(&graph) + vdb_hnsw_scratch_size(&graph) + (Size) data.n * 18));
	params->memory_size = Max(params->memory_size, vdb_hnsw_partition_least_memory(params));
	params->memory = malloc(params->memory_size);
	p = vdb_hnsw_partition_begin(params, &hooks);
	for (int i = 0; i < data.n; i++)
		vdb_hnsw_partition_add(p, vector(i), (uint64) i);
	printf("  add %.2f s\n", now() - start);
	result = vdb_hnsw_partition_build(p, measure);
	a = new_adjacency(result.nnodes, layout.slots);
	vdb_hnsw_partition_emit(p, take_node, &a);
	vdb_hnsw_partition_end(p);
	took = now() - start;
	show_phase(NULL, (HnswPartitionPhase) -2, 0, 0);
	printf("%d partitions in %.0f MB: %.2f s; %.0f distances a vector; %.0f MB written, %.0f read, %.1f MB beside; %u nodes, %u above\n",
		   result.npartitions, (double) params->memory_size / 1e6, took,
		   (double) ndistances / data.n, (double) usage.bytes_written / 1e6,
		   (double) usage.bytes_read / 1e6, (double) usage.peak / 1e6, result.nnodes, result.nupper);
	search(&a, "in partitions");
	free_adjacency(&a);
	free(params->memory);
	return took;
}

int
main(int argc, char **argv)
{
	HnswPartitionParams params = {.layout = &layout, .level_ratio = 64, .seed = 42};
	double		part = argc > 2 ? atof(argv[2]) : 0.25;
	VdbMetric	metric = argc <= 5 || strcmp(argv[5], "cosine") == 0 ? VDB_METRIC_COSINE : strcmp(argv[5], "l2") == 0 ? VDB_METRIC_L2 :
		strcmp(argv[5], "ip") == 0                                                                                  ? VDB_METRIC_IP :
																													  VDB_METRIC_L1;
	double		whole;

	data = argc > 1 ? read_npy(argv[1]) : make_up(20000 + QUERIES);
	if (data.n <= QUERIES)
		fail("there are no more than 500 rows");
	params.m = argc > 3 ? atoi(argv[3]) : 16;
	params.ef_construction = argc > 4 ? atoi(argv[4]) : 64;
	store_all(metric);
	params.kernels = kernels;
	printf("%d x %d, %d slots, m %d, ef_construction %d\n", data.n, data.dim, layout.slots,
		   params.m, params.ef_construction);
	ndistances = 0;
	whole = build_in_memory(&params);
	printf("ratio %.2f\n", build_in_partitions(&params, part) / whole);
	return 0;
}
