/*-------------------------------------------------------------------------
 *
 * graph_link.c
 *	  Adding nodes to the graph of a build, a batch at a time.
 *
 * A batch has three steps with a barrier after each: every node of the batch
 * searches the graph as it was before (forward links; a process writes only
 * the nodes that it searches for), then the targets of those links get links
 * back (a process writes only the targets of its part), then the batch
 * becomes a part of the graph.  No step reads what another process may be
 * writing, so nothing is locked, and the result does not depend on how the
 * work was divided.
 *
 *-------------------------------------------------------------------------
 */
#include "c.h"

#include "hnsw/graph.h"

#define ST_SORT sort_links
#define ST_ELEMENT_TYPE HnswLink
#define ST_COMPARE(a, b) vdb_hnsw_compare_links(a, b)
#define ST_SCOPE static
#define ST_DEFINE
#include "lib/sort_template.h"

/* By target; the edges of one target nearest first. */
static inline int
compare_edges(const HnswEdge *l, const HnswEdge *r)
{
	if (l->target != r->target)
		return l->target < r->target ? -1 : 1;
	if (l->distance != r->distance)
		return l->distance < r->distance ? -1 : 1;
	return (l->source > r->source) - (l->source < r->source);
}

#define ST_SORT sort_edges
#define ST_ELEMENT_TYPE HnswEdge
#define ST_COMPARE(a, b) compare_edges(a, b)
#define ST_SCOPE static
#define ST_DEFINE
#include "lib/sort_template.h"

static void forward_level(HnswGraph *g, HnswScratch *s, uint32 node, int level,
						  uint32 entry);
static void link_target(HnswGraph *g, HnswScratch *s, int level,
						const HnswEdge *edges, int n);

/*
 * Chooses at most max of n sorted candidates: Algorithm 4 of Malkov and
 * Yashunin, a candidate that is nearer to one already chosen than to the base
 * is left out.  Moves the chosen to the front, in order; returns their number.
 */
int
vdb_hnsw_select(const HnswGraph *g, HnswScratch *s, HnswLink *candidates,
				int n, int max)
{
	int			chosen = 0;
	int			i;

	for (i = 0; i < n && chosen < max; i++)
	{
		HnswPoint	point = vdb_hnsw_point(g, candidates[i].node);
		int			j;

		if (i + 1 < n)
			vdb_hnsw_prefetch_vector(g, candidates[i + 1].node);
		for (j = 0; j < chosen; j++)
			if (vdb_hnsw_distance(g, s, point, candidates[j].node) < candidates[i].distance)
				break;
		if (j == chosen)
			candidates[chosen++] = candidates[i];
	}
	return chosen;
}

/*
 * The end of the batch that begins at shared->linked; equal to it when all
 * nodes are linked.  A node does not see the others of its batch, so a batch
 * is small beside the graph; and a node above the highest level, which the
 * nodes after it must find as the entry, is a batch of its own.
 */
uint32
vdb_hnsw_next_batch(const HnswGraph *g)
{
	uint32		first = g->shared->linked;
	uint32		end = Min(first + Max(1, first / HNSW_BATCH_PART),
						  g->shared->count);
	uint32		node;

	for (node = first; node < end; node++)
		if (g->levels[node] > g->shared->max_level)
			return node == first ? first + 1 : node;
	return end;
}

/*
 * Step 1: the forward links of a node of the batch, on all its levels that the
 * graph has.
 */
void
vdb_hnsw_link_forward(HnswGraph *g, HnswScratch *s, uint32 node)
{
	int			level = g->levels[node];
	uint32		entry;

	if (g->shared->entry == HNSW_NO_NODE)
		return;
	entry = vdb_hnsw_descend(g, s, vdb_hnsw_point(g, node), level);
	for (level = Min(level, g->shared->max_level); level >= 0; level--)
	{
		forward_level(g, s, node, level, entry);
		entry = s->found[0].node;
	}
}

static void
forward_level(HnswGraph *g, HnswScratch *s, uint32 node, int level,
			  uint32 entry)
{
	HnswLinks  *links = vdb_hnsw_links(g, node, level);
	int			n = vdb_hnsw_search_level(g, s, vdb_hnsw_point(g, node), entry,
										  level, g->params.ef_construction);
	int			i;

	for (i = 0; i < n; i++)
	{
		s->candidates[i].distance = s->found[i].distance;
		s->candidates[i].node = s->found[i].node;
	}
	sort_links(s->candidates, (size_t) n); /* ties, too */
	links->count = links->nchosen =
		(int16) vdb_hnsw_select(g, s, s->candidates, n,
								vdb_hnsw_max_links(g, level));
	memcpy(links->link, s->candidates, sizeof(HnswLink) * (Size) links->count);
}

/*
 * Step 2: links back from the targets of one part, those whose number modulo
 * nparts is part, to the nodes of the batch from first up to end.
 */
void
vdb_hnsw_link_back(HnswGraph *g, HnswScratch *s, uint32 first, uint32 end,
				   int part, int nparts)
{
	int			level;

	for (level = 0; level <= g->shared->max_level; level++)
	{
		Size		n = 0;
		Size		i;
		Size		next;
		uint32		node;

		for (node = first; node < end; node++)
		{
			const HnswLinks *links;
			int			j;

			if (g->levels[node] < level)
				continue;
			links = vdb_hnsw_links(g, node, level);
			for (j = 0; j < links->count; j++)
			{
				if (links->link[j].node % (uint32) nparts != (uint32) part)
					continue;
				s->edges[n].target = links->link[j].node;
				s->edges[n].source = node;
				s->edges[n].distance = links->link[j].distance;
				n++;
			}
		}

		sort_edges(s->edges, n);
		for (i = 0; i < n; i = next)
		{
			for (next = i + 1; next < n && s->edges[next].target == s->edges[i].target;)
				next++;
			link_target(g, s, level, &s->edges[i], (int) (next - i));
		}
	}
}

/*
 * Adds links from one target to the sources of n edges, nearest first.  When
 * they are too many, all its links are chosen anew.
 */
static void
link_target(HnswGraph *g, HnswScratch *s, int level, const HnswEdge *edges,
			int n)
{
	HnswLinks  *links = vdb_hnsw_links(g, edges[0].target, level);
	int			max = vdb_hnsw_max_links(g, level);
	int			total = links->count;
	int			i;

	memcpy(s->candidates, links->link, sizeof(HnswLink) * (Size) total);
	for (i = 0; i < n && total < vdb_hnsw_max_candidates(&g->params); i++)
	{
		s->candidates[total].distance = edges[i].distance;
		s->candidates[total].node = edges[i].source;
		total++;
	}
	sort_links(s->candidates, (size_t) total);
	if (total > max)
		total = vdb_hnsw_select(g, s, s->candidates, total, max);
	links->count = links->nchosen = (int16) total;
	memcpy(links->link, s->candidates, sizeof(HnswLink) * (Size) total);
}

/*
 * Step 3, by one process: the nodes before end are a part of the graph.
 */
void
vdb_hnsw_finish_batch(HnswGraph *g, uint32 end)
{
	HnswShared *shared = g->shared;
	uint32		node;

	for (node = shared->linked; node < end; node++)
	{
		if (shared->entry == HNSW_NO_NODE || g->levels[node] > shared->max_level)
		{
			shared->entry = node;
			shared->max_level = g->levels[node];
		}
	}
	shared->linked = end;
}

/*
 * Links all nodes of a graph that have been added, in one process.
 */
void
vdb_hnsw_link_all(HnswGraph *g, HnswScratch *s)
{
	uint32		end;

	while ((end = vdb_hnsw_next_batch(g)) > g->shared->linked)
	{
		uint32		first = g->shared->linked;
		uint32		node;

		for (node = first; node < end; node++)
			vdb_hnsw_link_forward(g, s, node);
		vdb_hnsw_link_back(g, s, first, end, 0, 1);
		vdb_hnsw_finish_batch(g, end);
	}
}
