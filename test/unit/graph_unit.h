/*-------------------------------------------------------------------------
 *
 * graph_unit.h
 *	  Vectors and graphs for the unit tests of the graph of a build, and checks
 *	  of what every graph keeps.
 *
 *-------------------------------------------------------------------------
 */
#ifndef VDB_GRAPH_UNIT_H
#define VDB_GRAPH_UNIT_H

#include "c.h"

#include <math.h>
#include <stdlib.h>

#include "hnsw/graph.h"
#include "unit.h"

#ifndef DIM
#define DIM 24
#endif

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

static inline float
random_float(void)
{
	random_state = random_state * UINT64CONST(6364136223846793005) +
		UINT64CONST(1442695040888963407);
	return (float) (random_state >> 40) / 16777216.0f - 0.5f;
}

static inline float
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
static inline float *
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
static inline void
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
	b->g.measure.distance = distance_l2;
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
static inline void
build(Built *b, const float *vectors, int n, int m, int ef_construction,
	  int nparts)
{
	HnswParams	params = {(uint32) n, sizeof(float) * DIM, m, 2 * m, 16, ef_construction, 99};

	build_with(b, vectors, params, nparts);
}

/* Fills as nparts processes would. */
static inline void
fill(Built *b, int nparts)
{
	int			part;
	uint32		node;

	for (part = nparts - 1; part >= 0; part--)
		for (node = 0; node < b->g.shared->count; node++)
			if (node % (uint32) nparts == (uint32) part)
				vdb_hnsw_fill(&b->g, &b->s, node);
}

static inline void
drop(Built *b)
{
	free(b->memory);
	free(b->parent);
	free(b->s.visited);			/* the start of the scratch memory */
}

/* G3 */
static inline void
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
static inline void
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

#endif							/* VDB_GRAPH_UNIT_H */
