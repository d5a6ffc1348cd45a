/*-------------------------------------------------------------------------
 *
 * graph_memory.c
 *	  The layout of a build's graph in one block of memory.
 *
 * Everything is found by offsets from sizes that HnswParams fixes, so that
 * processes may map the block at different addresses.
 *
 * Upper levels hold 1 node in level_ratio on average; their links come from a pool that
 * is sized for what the levels of this seed need, counted beforehand.
 *
 *-------------------------------------------------------------------------
 */
#include "c.h"

#include <math.h>

#include "hnsw/graph.h"

/*
 * The level of a node: floor(-ln(u) / ln(level_ratio)), u uniform in (0, 1],
 * Malkov and Yashunin's with mL = 1 / ln(level_ratio).  A function of seed and
 * number, so that the graph does not depend on which process asks.
 */
int
vdb_hnsw_level_of(const HnswParams *params, uint32 node)
{
	uint64		bits = vdb_hnsw_mix(params->seed ^ vdb_hnsw_mix(node)) >> 11;
	double		u = ((double) bits + 1) / 9007199254740992.0;
	int			level = (int) (-log(u) / log(params->level_ratio));

	return Min(level, HNSW_MAX_LEVEL);
}

/*
 * Bytes of links that the upper levels of all nodes need.
 */
static uint64
upper_size(const HnswParams *params)
{
	uint64		levels = 0;
	uint32		node;

	for (node = 0; node < params->capacity; node++)
		levels += (uint64) vdb_hnsw_level_of(params, node);
	return levels * vdb_hnsw_links_size(params->m);
}

/* The next size bytes of the block, aligned for any type. */
static char *
take(char **next, Size size)
{
	char	   *result = *next;

	*next += MAXALIGN(size);
	return result;
}

/*
 * Finds the parts of the block at memory (NULL: only measures).  Returns the
 * end of the block.
 */
static char *
lay_out(HnswGraph *g, const HnswParams *params, char *memory)
{
	Size		n = params->capacity;
	char	   *next = memory;

	g->params = *params;
	g->shared = (HnswShared *) take(&next, sizeof(HnswShared));
	g->vectors = take(&next, n * params->stride);
	g->links0 = take(&next, n * vdb_hnsw_links_size(params->max_links0));
	/* room for a begin on a cache line, wherever the block is */
	g->proxies = take(&next, params->proxy_bytes == 0 ? 0 : n * params->proxy_bytes + HNSW_CACHE_LINE);
	g->proxies = (char *) TYPEALIGN(HNSW_CACHE_LINE, g->proxies);
	g->levels = (uint8 *) take(&next, n);
	g->upper_offset = (uint64 *) take(&next, n * sizeof(uint64));
	g->upper_size = upper_size(params);
	g->upper = take(&next, g->upper_size);
	return next;
}

/*
 * Bytes that a graph of params->capacity nodes takes.
 */
Size
vdb_hnsw_graph_size(const HnswParams *params)
{
	HnswGraph	g;
	static char origin[1];

	return (Size) (lay_out(&g, params, origin) - origin);
}

/*
 * Makes g the graph in the block at memory, which is maxaligned and of
 * vdb_hnsw_graph_size(); an empty one if is_new.  The caller sets the measure.
 */
void
vdb_hnsw_graph_attach(HnswGraph *g, const HnswParams *params, void *memory,
					  bool is_new)
{
	lay_out(g, params, memory);
	memset(&g->measure, 0, sizeof(g->measure));
	if (is_new)
	{
		memset(g->shared, 0, sizeof(HnswShared));
		g->shared->entry = HNSW_NO_NODE;
	}
}

/* Links of the nodes of one batch on one level */
static Size
max_edges(const HnswParams *params)
{
	return (Size) vdb_hnsw_max_batch(params) * (Size) Max(params->m, params->max_links0);
}

/* Nodes whose distances are computed at once */
static Size
max_unseen(const HnswParams *params)
{
	return (Size) Max(Max(params->m, params->max_links0), vdb_hnsw_max_candidates(params));
}

/*
 * Bytes of scratch memory that one process needs.
 */
Size
vdb_hnsw_scratch_size(const HnswParams *params)
{
	return MAXALIGN(params->capacity * sizeof(uint32)) +
		MAXALIGN((Size) (params->ef_construction + 1) * sizeof(HnswFound)) +
		MAXALIGN(max_unseen(params) * sizeof(uint32)) +
		MAXALIGN(max_unseen(params) * sizeof(float)) +
		MAXALIGN((Size) vdb_hnsw_max_candidates(params) * sizeof(HnswLink)) +
		MAXALIGN(max_edges(params) * sizeof(HnswEdge));
}

/*
 * Makes s scratch memory at memory, which is maxaligned and zeroed.
 */
void
vdb_hnsw_scratch_attach(HnswScratch *s, const HnswParams *params, void *memory)
{
	char	   *next = memory;

	memset(s, 0, sizeof(*s));
	s->visited = (uint32 *) take(&next, params->capacity * sizeof(uint32));
	s->found = (HnswFound *) take(&next, (Size) (params->ef_construction + 1) * sizeof(HnswFound));
	s->unseen = (uint32 *) take(&next, max_unseen(params) * sizeof(uint32));
	s->distances = (float *) take(&next, max_unseen(params) * sizeof(float));
	s->candidates = (HnswLink *) take(&next,
									  (Size) vdb_hnsw_max_candidates(params) *
										  sizeof(HnswLink));
	s->edges = (HnswEdge *) take(&next, max_edges(params) * sizeof(HnswEdge));
}

/*
 * Adds a node with a copy of vector and no links, and returns its number.  The
 * caller sees to it that one process adds at a time and none is full.
 */
uint32
vdb_hnsw_add_node(HnswGraph *g, const void *vector)
{
	uint32		node = g->shared->count++;
	int			level = vdb_hnsw_level_of(&g->params, node);
	int			i;

	memcpy(g->vectors + (Size) node * g->params.stride, vector,
		   g->params.stride);
	if (g->params.proxy_bytes > 0)
		g->measure.make_proxy(g->measure.arg, vector,
							  g->proxies + (Size) node * g->params.proxy_bytes);
	g->levels[node] = (uint8) level;
	g->upper_offset[node] = g->shared->upper_used;
	g->shared->upper_used += (uint64) level * vdb_hnsw_links_size(g->params.m);
	for (i = 0; i <= level; i++)
	{
		vdb_hnsw_links(g, node, i)->count = 0;
		vdb_hnsw_links(g, node, i)->nchosen = 0;
	}
	return node;
}
