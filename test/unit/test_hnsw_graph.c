/*-------------------------------------------------------------------------
 *
 * test_hnsw_graph.c
 *	  The graph of a build: recall, structure, reachability, determinism.
 *
 * LINK: src/hnsw/graph_memory.o src/hnsw/graph_distance.o src/hnsw/graph_search.o src/hnsw/graph_link.o src/hnsw/graph_connect.o src/hnsw/graph_fill.o */
#include "c.h"

#include "graph_unit.h"

/* Part of the 10 nearest to each of 100 queries that a search finds. */
static double
recall(const Built *b, const float *vectors, int n, int ef)
{
	int			hits = 0;
	int			q;

	for (q = 0; q < 100; q++)
	{
		float		query[DIM];
		HnswPoint	point = {query, NULL};
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
		nfound = vdb_hnsw_search_level(&b->g, (HnswScratch *) &b->s, point,
									   vdb_hnsw_descend(&b->g, (HnswScratch *) &b->s, point, 0),
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
	found = vdb_hnsw_search_level(&b.g, &b.s, vdb_hnsw_point(&b.g, 0), b.g.shared->entry, 0, n);
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
	RUN(test_division(2));
	RUN(test_division(5));
	RUN(test_exhaustive());
	/* clusters far apart, overlapping, and none */
	RUN(test_recall(6000, 100, 0.2f, 0.97));
	RUN(test_recall(6000, 100, 1.0f, 0.95));
	RUN(test_recall(6000, 1, 1.0f, 0.90));
	/* all equal; ten distinct vectors: every row is as near as any of its copies */
	RUN(test_recall(2000, 1, 0.0f, 0.0));
	RUN(test_recall(5000, 10, 0.0f, 0.0));
	return unit_report();
}
