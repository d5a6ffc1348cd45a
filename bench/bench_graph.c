/*-------------------------------------------------------------------------
 *
 * bench_graph.c
 *	  Build and search of the graph of an index build, in memory, on float32:
 *	  time, distances computed, recall@10.
 *
 *	  bench_graph [FILE.npy [M [EF_CONSTRUCTION [METRIC [LINKS [RATIO]]]]]]
 *
 * FILE is a C-ordered little-endian array of float32 or float16, made by
 * bench/generate.py --format npy say; 500 of its rows are the queries.  Without one, 20,000
 * clustered vectors are made up.  METRIC is l2 or ip; LINKS are those of a node
 * on level 0, 2 M if not given; one node in RATIO is on the next level, 64.
 *
 * LINK: src/hnsw/graph_memory.o src/hnsw/graph_distance.o src/hnsw/graph_search.o src/hnsw/graph_link.o src/hnsw/graph_connect.o src/hnsw/graph_fill.o src/hnsw/graph_order.o src/distance/kernels_scalar.o src/distance/kernels_avx2.o src/distance/kernels_avx512.o src/distance/kernels_neon.o src/distance/kernel_choose.o */
#include "postgres.h"

#include <time.h>

#include "distance/kernels.h"
#include "hnsw/graph.h"
#include "npy.h"

#define QUERIES 500
#define K 10

static const VdbKernels *kernels;

static double
now(void)
{
	struct timespec t;

	clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &t);
	return (double) t.tv_sec + (double) t.tv_nsec * 1e-9;
}

static float
distance_l2(const void *arg, const void *a, const void *b)
{
	return kernels->l2sq(*(const int *) arg, a, b);
}

static float
distance_ip(const void *arg, const void *a, const void *b)
{
	return -kernels->ip(*(const int *) arg, a, b);
}

static void
build(HnswGraph *g, HnswScratch *s)
{
	uint32	   *parent = malloc(sizeof(uint32) * g->params.capacity);
	uint32	   *order = malloc(sizeof(uint32) * g->params.capacity);
	uint16	   *nchildren = malloc(sizeof(uint16) * g->params.capacity);
	double		start = now();
	double		linked;
	double		links = 0;
	uint32		end;
	uint32		node;
	uint32		made;

	while ((end = vdb_hnsw_next_batch(g)) > g->shared->linked)
	{
		uint32		first = g->shared->linked;

		for (node = first; node < end; node++)
			vdb_hnsw_link_forward(g, s, node);
		vdb_hnsw_link_back(g, s, first, end, 0, 1);
		vdb_hnsw_finish_batch(g, end);
	}
	linked = now();
	made = vdb_hnsw_connect(g, s, parent, order, nchildren);
	for (node = 0; node < g->shared->count; node++)
		links += vdb_hnsw_links(g, node, 0)->count;
	printf("build %.2f s, %.0f vectors/s, %.0f distances a vector; connect %.2f s, %u links; %.1f links a node on level 0\n",
		   linked - start, g->shared->count / (linked - start),
		   (double) s->ndistances / g->shared->count, now() - linked, made,
		   links / g->shared->count);
}

static void
fill(HnswGraph *g, HnswScratch *s)
{
	double		start = now();
	double		links = 0;
	uint32		node;

	for (node = 0; node < g->shared->count; node++)
		vdb_hnsw_fill(g, s, node);
	for (node = 0; node < g->shared->count; node++)
		links += vdb_hnsw_links(g, node, 0)->count;
	printf("fill %.2f s; %.1f links a node on level 0\n", now() - start,
		   links / g->shared->count);
}

/*
 * Chosen links that stay on a page and within 64 pages of it, in the order in
 * which nodes were added (at random) and in that of pages.
 */
static void
order(const HnswGraph *g, HnswScratch *s, int per_page)
{
	uint32		count = g->shared->count;
	uint32	   *nodes = malloc(sizeof(uint32) * count);
	uint32	   *place = malloc(sizeof(uint32) * count);
	double		start = now();
	double		took;

	vdb_hnsw_order(g, s, per_page, malloc(vdb_hnsw_order_size(&g->params)), nodes);
	took = now() - start;
	for (int is_ordered = 0; is_ordered <= 1; is_ordered++)
	{
		double		links = 0;
		double		same = 0;
		double		near = 0;

		for (uint32 i = 0; i < count; i++)
			place[is_ordered ? nodes[i] : i] = i / (uint32) per_page;
		for (uint32 i = 0; i < count; i++)
		{
			const HnswLinks *l = vdb_hnsw_links(g, i, 0);

			links += l->nchosen;
			for (int j = 0; j < l->nchosen; j++)
			{
				uint32		a = place[i];
				uint32		b = place[l->link[j].node];

				same += a == b;
				near += Max(a, b) - Min(a, b) <= 64;
			}
		}
		printf("%2d a page, %s: %.4f of the links on the page, %.4f within 64", per_page,
			   is_ordered ? "ordered" : "as added", same / links, near / links);
		if (is_ordered)
			printf("; %.2f s", took);
		printf("\n");
	}
	free(nodes);
	free(place);
}

/* The K nearest to a query, by a scan. */
static void
nearest(const HnswGraph *g, const void *query, uint32 *ids)
{
	float		distances[K];
	int			n = 0;
	uint32		node;

	for (node = 0; node < g->shared->count; node++)
	{
		float		d = g->measure.distance(g->measure.arg, query, vdb_hnsw_vector(g, node));
		int			i;

		if (n == K && d >= distances[K - 1])
			continue;
		for (i = n < K ? n++ : K - 1; i > 0 && distances[i - 1] > d; i--)
		{
			distances[i] = distances[i - 1];
			ids[i] = ids[i - 1];
		}
		distances[i] = d;
		ids[i] = node;
	}
}

static void
search(const HnswGraph *g, const Data *d)
{
	static const int efs[] = {20, 40, 64, 80, 128, 200, 400};
	HnswParams	params = g->params;
	HnswScratch s;
	uint32(*truth)[K] = malloc(sizeof(uint32) * QUERIES * K);
	int			e;
	int			q;

	params.ef_construction = 400; /* room for the largest ef */
	vdb_hnsw_scratch_attach(&s, &params, calloc(1, vdb_hnsw_scratch_size(&params)));
	for (q = 0; q < QUERIES; q++)
		nearest(g, data_row(d, d->n + q), truth[q]);

	for (e = 0; e < (int) lengthof(efs); e++)
	{
		double		start = now();
		int			hits = 0;

		s.ndistances = 0;
		for (q = 0; q < QUERIES; q++)
		{
			const float *query = data_row(d, d->n + q);
			HnswPoint	point = {query, NULL};
			int			n = vdb_hnsw_search_level(g, &s, point,
												  vdb_hnsw_descend(g, &s, point, 0),
												  0, efs[e]);
			int			i;
			int			j;

			for (i = 0; i < Min(n, K); i++)
				for (j = 0; j < K; j++)
					hits += s.found[i].node == truth[q][j];
		}
		printf("ef %3d  recall %.4f  %6.1f us  %5.0f distances\n", efs[e],
			   hits / (double) (QUERIES * K), (now() - start) / QUERIES * 1e6,
			   (double) s.ndistances / QUERIES);
	}
}

int
main(int argc, char **argv)
{
	Data		d = argc > 1 ? read_npy(argv[1]) : make_up(20000 + QUERIES);
	HnswParams	params;
	HnswGraph	g;
	HnswScratch s;
	int			i;

	d.n -= QUERIES;
	if (d.n < 1)
		fail("there are no more than 500 rows");
	kernels = vdb_kernels_find(VDB_SIMD_AUTO);
	params.capacity = (uint32) d.n;
	params.stride = sizeof(float) * (size_t) d.dim;
	params.m = argc > 2 ? atoi(argv[2]) : 16;
	params.ef_construction = argc > 3 ? atoi(argv[3]) : 64;
	params.max_links0 = argc > 5 ? atoi(argv[5]) : 2 * params.m;
	params.level_ratio = argc > 6 ? atoi(argv[6]) : 64;
	params.seed = 42;
	if (params.m < 2 || params.ef_construction < 1 || params.max_links0 < 2 ||
		params.level_ratio < 2)
		fail("M, LINKS and RATIO are at least 2, EF_CONSTRUCTION at least 1");

	printf("%d x %d, m %d, ef_construction %d, %.0f MB\n", d.n, d.dim, params.m,
		   params.ef_construction, (double) vdb_hnsw_graph_size(&params) / 1e6);
	vdb_hnsw_graph_attach(&g, &params, malloc(vdb_hnsw_graph_size(&params)), true);
	g.measure.distance = argc > 4 && strcmp(argv[4], "ip") == 0 ? distance_ip : distance_l2;
	g.measure.arg = &d.dim;
	vdb_hnsw_scratch_attach(&s, &params, calloc(1, vdb_hnsw_scratch_size(&params)));
	for (i = 0; i < d.n; i++)
		vdb_hnsw_add_node(&g, data_row(&d, i));

	build(&g, &s);
	search(&g, &d);
	fill(&g, &s);
	search(&g, &d);
	order(&g, &s, 2);
	order(&g, &s, 6);
	order(&g, &s, 15);
	return 0;
}
