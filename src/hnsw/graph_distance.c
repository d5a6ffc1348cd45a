/*-------------------------------------------------------------------------
 *
 * graph_distance.c
 *	  Distances between the vectors of a build's graph.
 *
 * A build waits for memory more than it computes, so what is compared next is
 * fetched while the one before is compared.
 *
 *-------------------------------------------------------------------------
 */
#include "c.h"

#include "hnsw/graph.h"

/* Vectors that are compared at once, and as many fetched meanwhile */
#define CHUNK 4

/* Bytes of a vector that are fetched ahead; the CPU itself fetches the rest. */
#define PREFETCH_BYTES 2048

/*
 * Brings what distances from a node are computed from into the cache.
 */
void
vdb_hnsw_prefetch_vector(const HnswGraph *g, uint32 node)
{
#ifdef __GNUC__
	HnswPoint	point = vdb_hnsw_point(g, node);
	bool		has_proxies = g->params.proxy_bytes > 0;
	const char *next = has_proxies ? point.proxy : point.vector;
	const char *end = next + Min(has_proxies ? g->params.proxy_bytes : g->params.stride, PREFETCH_BYTES);

	for (; next < end; next += HNSW_CACHE_LINE)
		__builtin_prefetch(next);
#endif
}

/*
 * The distances from a vector to n nodes.
 */
void
vdb_hnsw_distances(const HnswGraph *g, HnswScratch *s, HnswPoint from,
				   const uint32 *nodes, int n, float *out)
{
	HnswPoint	to[CHUNK];
	int			i;
	int			j;

	s->ndistances += (uint64) n;
	for (i = 0; i < Min(n, CHUNK); i++)
		vdb_hnsw_prefetch_vector(g, nodes[i]);
	for (i = 0; i < n; i += CHUNK)
	{
		int			count = Min(n - i, CHUNK);

		for (j = i + CHUNK; j < Min(n, i + 2 * CHUNK); j++)
			vdb_hnsw_prefetch_vector(g, nodes[j]);
		for (j = 0; j < count; j++)
			to[j] = vdb_hnsw_point(g, nodes[i + j]);
		if (g->params.proxy_bytes > 0)
			g->measure.distances(g->measure.arg, from, to, count, out + i);
		else
			for (j = 0; j < count; j++)
				out[i + j] = g->measure.distance(g->measure.arg, from.vector, to[j].vector);
	}
}

/*
 * The distance from a vector to a node.
 */
float
vdb_hnsw_distance(const HnswGraph *g, HnswScratch *s, HnswPoint from, uint32 node)
{
	HnswPoint	to = vdb_hnsw_point(g, node);
	float		distance;

	s->ndistances++;
	if (g->params.proxy_bytes == 0)
		return g->measure.distance(g->measure.arg, from.vector, to.vector);
	g->measure.distances(g->measure.arg, from, &to, 1, &distance);
	return distance;
}
