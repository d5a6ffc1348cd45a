/*-------------------------------------------------------------------------
 *
 * test_hnsw_finish.c
 *	  What is done to the finished graph of a build: paths, filling, order.
 *
 * LINK: src/hnsw/graph_memory.o src/hnsw/graph_distance.o src/hnsw/graph_search.o src/hnsw/graph_link.o src/hnsw/graph_connect.o src/hnsw/graph_fill.o src/hnsw/graph_order.o */
#include "c.h"

#include "graph_unit.h"

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

int
main(void)
{
	RUN(test_fill());
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
	return unit_report();
}
