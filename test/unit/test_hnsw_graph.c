/*-------------------------------------------------------------------------
 *
 * test_hnsw_graph.c
 *	  The graph of a build: recall, structure, reachability, determinism.
 *
 * LINK: src/hnsw/graph_memory.o src/hnsw/graph_search.o src/hnsw/graph_link.o src/hnsw/graph_connect.o src/hnsw/graph_fill.o src/hnsw/graph_order.o */
#include "c.h"

#include <math.h>
#include <stdlib.h>

#include "hnsw/graph.h"
#include "unit.h"

#define DIM 24

typedef struct Built
{
	HnswGraph	g;
	HnswScratch s;
	char	   *memory;
	Size		size;
	uint32	   *parent;
	uint32		made;			/* links that connecting made */
} Built;

static uint64 random_state;

static float
random_float(void)
{
	random_state = random_state * UINT64CONST(6364136223846793005) +
		UINT64CONST(1442695040888963407);
	return (float) (random_state >> 40) / 16777216.0f - 0.5f;
}

static float
distance_l2(const void *arg, const void *a, const void *b)
{
	const float *x = a;
	const float *y = b;
	float		sum = 0;
	int			i;

	for (i = 0; i < DIM; i++)
		sum += (x[i] - y[i]) * (x[i] - y[i]);
	return sum;
}

/* n vectors around ncenters centers, spread apart by spread; 0: copies */
static float *
make_vectors(int n, int ncenters, float spread)
{
	float	   *centers = malloc(sizeof(float) * DIM * (size_t) ncenters);
	float	   *vectors = malloc(sizeof(float) * DIM * (size_t) n);
	int			i;
	int			j;

	random_state = 7;
	for (i = 0; i < ncenters * DIM; i++)
		centers[i] = random_float();
	for (i = 0; i < n; i++)
		for (j = 0; j < DIM; j++)
			vectors[i * DIM + j] = centers[i % ncenters * DIM + j] +
				spread * random_float();
	free(centers);
	return vectors;
}

/* Builds as nparts processes would. */
static void
build_with(Built *b, const float *vectors, HnswParams params, int nparts)
{
	int			n = (int) params.capacity;
	uint32	   *order = malloc(sizeof(uint32) * (size_t) (n + 1));
	uint16	   *nchildren = malloc(sizeof(uint16) * (size_t) (n + 1));
	uint32		end;
	int			i;

	b->size = vdb_hnsw_graph_size(&params);
	b->memory = calloc(1, b->size);
	vdb_hnsw_graph_attach(&b->g, &params, b->memory, true);
	b->g.distance = distance_l2;
	vdb_hnsw_scratch_attach(&b->s, &params, calloc(1, vdb_hnsw_scratch_size(&params)));
	for (i = 0; i < n; i++)
		vdb_hnsw_add_node(&b->g, vectors + i * DIM);

	while ((end = vdb_hnsw_next_batch(&b->g)) > b->g.shared->linked)
	{
		uint32		first = b->g.shared->linked;
		uint32		node;
		int			part;

		/* any order and any division of the work must do */
		for (part = nparts - 1; part >= 0; part--)
			for (node = first; node < end; node++)
				if (node % (uint32) nparts == (uint32) part)
					vdb_hnsw_link_forward(&b->g, &b->s, node);
		for (part = nparts - 1; part >= 0; part--)
			vdb_hnsw_link_back(&b->g, &b->s, first, end, part, nparts);
		vdb_hnsw_finish_batch(&b->g, end);
	}
	b->parent = malloc(sizeof(uint32) * (size_t) (n + 1));
	b->made = vdb_hnsw_connect(&b->g, &b->s, b->parent, order, nchildren);
	free(order);
	free(nchildren);
}

/* The same with twice m links on level 0 and 1 node in 16 on the next one. */
static void
build(Built *b, const float *vectors, int n, int m, int ef_construction,
	  int nparts)
{
	HnswParams	params = {(uint32) n, sizeof(float) * DIM, m, 2 * m, 16, ef_construction, 99};

	build_with(b, vectors, params, nparts);
}

/* Fills as nparts processes would. */
static void
fill(Built *b, int nparts)
{
	int			part;
	uint32		node;

	for (part = nparts - 1; part >= 0; part--)
		for (node = 0; node < b->g.shared->count; node++)
			if (node % (uint32) nparts == (uint32) part)
				vdb_hnsw_fill(&b->g, &b->s, node);
}

static void
drop(Built *b)
{
	free(b->memory);
	free(b->parent);
	free(b->s.visited);			/* the start of the scratch memory */
}

/* G3 */
static void
check_links(const HnswGraph *g)
{
	uint32		node;

	for (node = 0; node < g->shared->count; node++)
	{
		int			level;

		for (level = 0; level <= g->levels[node]; level++)
		{
			const HnswLinks *links = vdb_hnsw_links(g, node, level);
			int			i;
			int			j;

			CHECK(links->nchosen >= 0 && links->nchosen <= links->count && links->count <= vdb_hnsw_max_links(g, level),
				  "node %u level %d has %d links", node, level, links->count);
			for (i = 0; i < links->count; i++)
			{
				uint32		target = links->link[i].node;

				CHECK(target < g->shared->count && target != node,
					  "node %u links to %u", node, target);
				CHECK(g->levels[target] >= level, "target %u is below level %d",
					  target, level);
				CHECK(links->link[i].distance ==
						  distance_l2(NULL, vdb_hnsw_vector(g, node), vdb_hnsw_vector(g, target)),
					  "distance of %u and %u", node, target);
				CHECK(i == 0 || i == links->nchosen ||
						  vdb_hnsw_compare_links(&links->link[i - 1], &links->link[i]) < 0,
					  "links of %u are not sorted", node);
				for (j = 0; j < i; j++)
					CHECK(links->link[j].node != target, "%u links to %u twice", node, target);
			}
		}
	}
}

/*
 * G4: parent[] is a tree of chosen links with few children a node; and all
 * nodes are reached, by a walk that does not know it.
 */
static void
check_reachable(const Built *b)
{
	const HnswGraph *g = &b->g;
	uint32		n = g->shared->count;
	char	   *seen = calloc(1, n + 1);
	uint32	   *stack = malloc(sizeof(uint32) * (n + 1));
	int		   *nchildren = calloc(n + 1, sizeof(int));
	uint32		depth = 0;
	uint32		nseen = 0;
	uint32		node;

	for (node = 0; node < n; node++)
	{
		uint32		parent = b->parent[node];
		uint32		up = node;
		uint32		steps = 0;
		int			i;

		CHECK(parent < n && (parent == node) == (node == g->shared->entry),
			  "the parent of %u is %u", node, parent);
		while (up < n && up != g->shared->entry && steps++ < n)
			up = b->parent[up];
		CHECK(up == g->shared->entry, "the parents of %u do not lead to the entry", node);
		if (parent >= n || parent == node)
			continue;
		nchildren[parent]++;
		for (i = 0; i < vdb_hnsw_links(g, parent, 0)->nchosen; i++)
			if (vdb_hnsw_links(g, parent, 0)->link[i].node == node)
				break;
		CHECK(i < vdb_hnsw_links(g, parent, 0)->nchosen, "%u has no link to its child %u", parent, node);
	}
	for (node = 0; node < n; node++)
		CHECK(nchildren[node] <= vdb_hnsw_max_children(&g->params),
			  "%u has %d children", node, nchildren[node]);
	free(nchildren);

	if (n > 0)
	{
		CHECK(g->shared->entry < n, "entry %u", g->shared->entry);
		CHECK(g->levels[g->shared->entry] == g->shared->max_level, "level of the entry");
		seen[g->shared->entry] = 1;
		stack[depth++] = g->shared->entry;
	}
	while (depth > 0)
	{
		const HnswLinks *links = vdb_hnsw_links(g, stack[--depth], 0);
		int			i;

		nseen++;
		for (i = 0; i < links->count; i++)
			if (!seen[links->link[i].node])
			{
				seen[links->link[i].node] = 1;
				stack[depth++] = links->link[i].node;
			}
	}
	CHECK(nseen == n, "%u of %u nodes can be reached", nseen, n);
	free(seen);
	free(stack);
}

/* Part of the 10 nearest to each of 100 queries that a search finds. */
static double
recall(const Built *b, const float *vectors, int n, int ef)
{
	int			hits = 0;
	int			q;

	for (q = 0; q < 100; q++)
	{
		float		query[DIM];
		uint32		nearest[10];
		float		distances[10];
		int			nfound;
		int			filled = 0;
		int			i;
		int			j;

		random_state = (uint64) q + 1000;
		for (j = 0; j < DIM; j++)
			query[j] = vectors[(q * 37 % n) * DIM + j] + 0.1f * random_float();
		for (i = 0; i < n; i++)
		{
			float		d = distance_l2(NULL, query, vectors + i * DIM);

			if (filled == 10 && d >= distances[9])
				continue;
			for (j = filled < 10 ? filled++ : 9; j > 0 && distances[j - 1] > d; j--)
			{
				distances[j] = distances[j - 1];
				nearest[j] = nearest[j - 1];
			}
			distances[j] = d;
			nearest[j] = (uint32) i;
		}
		nfound = vdb_hnsw_search_level(&b->g, (HnswScratch *) &b->s, query,
									   vdb_hnsw_descend(&b->g, (HnswScratch *) &b->s, query, 0),
									   0, ef);
		for (i = 0; i < Min(nfound, 10); i++)
			for (j = 0; j < 10; j++)
				hits += b->s.found[i].node == nearest[j];
	}
	return hits / 1000.0;
}

static void
test_recall(int n, int ncenters, float spread, double least)
{
	float	   *vectors = make_vectors(n, ncenters, spread);
	Built		b;
	double		found;
	double		filled;

	build(&b, vectors, n, 16, 64, 1);
	check_links(&b.g);
	check_reachable(&b);
	found = recall(&b, vectors, n, 64);
	CHECK(found >= least, "recall %.3f", found);

	/* more links of equal ef lose nothing */
	fill(&b, 1);
	check_links(&b.g);
	check_reachable(&b);
	filled = recall(&b, vectors, n, 64);
	CHECK(filled >= found - 0.005, "recall %.3f, was %.3f", filled, found);
	drop(&b);
	free(vectors);
}

/* G2: the same bytes, whoever did which part */
static void
test_division(int nparts)
{
	int			n = 3000;
	float	   *vectors = make_vectors(n, 20, 0.4f);
	Built		one;
	Built		many;

	build(&one, vectors, n, 8, 40, 1);
	build(&many, vectors, n, 8, 40, nparts);
	CHECK(one.size == many.size && one.made == many.made, "sizes differ");
	CHECK(memcmp(one.memory, many.memory, one.size) == 0, "graphs differ");
	fill(&one, 1);
	fill(&many, nparts);
	CHECK(memcmp(one.memory, many.memory, one.size) == 0, "filled graphs differ");
	drop(&one);
	drop(&many);
	free(vectors);
}

/* G5, and that levels thin out by level_ratio */
static void
test_levels(int level_ratio)
{
	int			n = 20000;
	float	   *vectors = make_vectors(n, 50, 0.5f);
	HnswParams	params = {(uint32) n, sizeof(float) * DIM, 8, 12, level_ratio, 32, 99};
	Built		b;
	int			above[3] = {0, 0, 0};
	double		expected = (double) n / level_ratio;
	int			i;

	build_with(&b, vectors, params, 1);
	for (i = 0; i < n; i++)
		above[Min(b.g.levels[i], 2)]++;
	/* four standard deviations */
	CHECK(fabs(above[1] + above[2] - expected) < 4 * sqrt(expected),
		  "%d nodes above level 0", above[1] + above[2]);
	CHECK(fabs(above[2] - expected / level_ratio) < 4 * sqrt(expected / level_ratio) + 1,
		  "%d above level 1", above[2]);
	CHECK(b.g.shared->upper_used == b.g.upper_size, "the pool of upper levels");
	check_links(&b.g);
	check_reachable(&b);
	drop(&b);
	free(vectors);
}

/* Fewer links cost recall, but not much. */
static void
test_max_links0(int max_links0, double least)
{
	int			n = 6000;
	float	   *vectors = make_vectors(n, 100, 1.0f);
	HnswParams	params = {(uint32) n, sizeof(float) * DIM, 16, max_links0, 64, 64, 99};
	Built		b;
	double		found;

	build_with(&b, vectors, params, 1);
	fill(&b, 1);
	check_links(&b.g);
	check_reachable(&b);
	found = recall(&b, vectors, n, 64);
	CHECK(found >= least, "recall %.3f", found);
	drop(&b);
	free(vectors);
}

/* Every free place is used while there are two-step neighbours for it. */
static void
test_fill(void)
{
	int			n = 3000;
	float	   *vectors = make_vectors(n, 20, 0.5f);
	Built		b;
	int			nfull = 0;
	int			i;

	build(&b, vectors, n, 8, 64, 1);
	fill(&b, 1);
	for (i = 0; i < n; i++)
		nfull += vdb_hnsw_links(&b.g, (uint32) i, 0)->count == 16;
	CHECK(nfull > n * 0.95, "%d of %d nodes are full", nfull, n);
	drop(&b);
	free(vectors);
}

/*
 * Nearly equal vectors, whose links go to few nodes, and few links to choose
 * from: the tree is there whatever the graph is like.
 */
static void
test_tree(int n, int ncenters, float spread, int max_links0)
{
	float	   *vectors = make_vectors(n, ncenters, spread);
	HnswParams	params = {(uint32) n, sizeof(float) * DIM, 4, max_links0, 16, 20, 99};
	Built		b;

	build_with(&b, vectors, params, 2);
	check_links(&b.g);
	check_reachable(&b);
	fill(&b, 2);
	check_links(&b.g);
	check_reachable(&b);
	drop(&b);
	free(vectors);
}

/* Part of the chosen links of a graph that stay within a number of pages. */
static double
links_within(const HnswGraph *g, const uint32 *order, uint32 per_page, uint32 pages)
{
	uint32		n = g->shared->count;
	uint32	   *page = malloc(sizeof(uint32) * n);
	double		nlinks = 0;
	double		nnear = 0;
	uint32		i;
	int			j;

	for (i = 0; i < n; i++)
		page[order[i]] = i / per_page;
	for (i = 0; i < n; i++)
	{
		const HnswLinks *links = vdb_hnsw_links(g, i, 0);

		for (j = 0; j < links->nchosen; j++)
		{
			uint32		other = page[links->link[j].node];

			nlinks++;
			nnear += Max(page[i], other) - Min(page[i], other) <= pages;
		}
	}
	free(page);
	return nlinks > 0 ? nnear / nlinks : 1;
}

/*
 * An order is a permutation, always the same, that begins with the entry and
 * keeps least of the links on a page, and least_near within 64.
 */
static void
test_order(int n, int ncenters, float spread, int per_page, double least,
		   double least_near)
{
	float	   *vectors = make_vectors(n, ncenters, spread);
	Built		b;
	uint32	   *order = malloc(sizeof(uint32) * (size_t) (n + 1));
	uint32	   *again = malloc(sizeof(uint32) * (size_t) (n + 1));
	char	   *seen = calloc(1, (size_t) n + 1);
	void	   *work;
	double		part;
	int			i;

	build(&b, vectors, n, 8, 40, 1);
	work = malloc(vdb_hnsw_order_size(&b.g.params));
	vdb_hnsw_order(&b.g, &b.s, per_page, work, order);
	b.s.search = PG_UINT32_MAX - 600; /* the marks of visits begin anew */
	vdb_hnsw_order(&b.g, &b.s, per_page, work, again);
	for (i = 0; i < n; i++)
	{
		CHECK(order[i] < (uint32) n && !seen[order[i]], "place %d: %u", i, order[i]);
		CHECK(order[i] == again[i], "place %d: %u, then %u", i, order[i], again[i]);
		if (order[i] < (uint32) n)
			seen[order[i]] = 1;
	}
	CHECK(n == 0 || order[0] == b.g.shared->entry, "the first is not the entry");
	part = links_within(&b.g, order, (uint32) per_page, 0);
	CHECK(part >= least, "%.3f of the links on the page", part);
	part = links_within(&b.g, order, (uint32) per_page, 64);
	CHECK(part >= least_near, "%.3f of the links within 64 pages", part);
	free(work);
	free(order);
	free(again);
	free(seen);
	drop(&b);
	free(vectors);
}

static void
test_small(void)
{
	float	   *vectors = make_vectors(40, 1, 1.0f);
	int			n;

	for (n = 0; n <= 40; n++)
	{
		Built		b;

		build(&b, vectors, n, 2, 4, 2);
		check_links(&b.g);
		check_reachable(&b);
		CHECK(b.g.shared->linked == (uint32) n, "linked %u", b.g.shared->linked);
		drop(&b);
	}
	free(vectors);
}

/* A search that is given the whole graph as ef finds all of it, sorted. */
static void
test_exhaustive(void)
{
	int			n = 500;
	float	   *vectors = make_vectors(n, 10, 0.3f);
	Built		b;
	int			found;
	int			i;

	build(&b, vectors, n, 8, 500, 1);
	found = vdb_hnsw_search_level(&b.g, &b.s, vectors, b.g.shared->entry, 0, n);
	CHECK(found == n, "found %d", found);
	for (i = 1; i < found; i++)
		CHECK(b.s.found[i - 1].distance <= b.s.found[i].distance, "order at %d", i);
	CHECK(b.s.found[0].distance == 0, "nearest is itself");
	drop(&b);
	free(vectors);
}

int
main(void)
{
	RUN(test_small());
	RUN(test_levels(16));
	RUN(test_levels(64));
	RUN(test_levels(2));
	RUN(test_max_links0(40, 0.95));
	RUN(test_max_links0(20, 0.93));
	RUN(test_max_links0(8, 0.5));
	RUN(test_fill());
	RUN(test_division(2));
	RUN(test_division(5));
	RUN(test_exhaustive());
	RUN(test_order(0, 1, 1.0f, 4, 0, 0));
	RUN(test_order(1, 1, 1.0f, 4, 0, 0));
	RUN(test_order(7, 1, 1.0f, 10, 1, 1));
	RUN(test_order(2000, 20, 0.5f, 1, 0, 0.5));
	RUN(test_order(6000, 100, 0.5f, 2, 0.08, 0.5));
	RUN(test_order(6000, 100, 0.5f, 6, 0.2, 0.5));
	RUN(test_order(6000, 100, 0.5f, 15, 0.3, 0.5));
	RUN(test_order(2000, 1, 0.0f, 6, 0, 0));
	RUN(test_tree(5000, 1, 1e-6f, 16));
	RUN(test_tree(5000, 1, 1e-6f, 3));
	RUN(test_tree(3000, 1, 0.0f, 3));
	RUN(test_tree(3000, 1, 0.0f, 16));
	RUN(test_tree(3000, 30, 1.0f, 3));
	RUN(test_tree(1000, 30, 1.0f, 2));
	/* clusters far apart, overlapping, and none */
	RUN(test_recall(6000, 100, 0.2f, 0.97));
	RUN(test_recall(6000, 100, 1.0f, 0.95));
	RUN(test_recall(6000, 1, 1.0f, 0.90));
	/* all equal; ten distinct vectors: every row is as near as any of its copies */
	RUN(test_recall(2000, 1, 0.0f, 0.0));
	RUN(test_recall(5000, 10, 0.0f, 0.0));
	return unit_report();
}
