/*-------------------------------------------------------------------------
 *
 * graph_connect.c
 *	  Makes every node of a finished graph reachable on level 0.
 *
 * Choosing links anew may drop the last one to a node.  Other indexes leave
 * about 1 node in 50 without a path to it; here each gets one.
 *
 * What has been reached stays so: every node is reached by one link, the one
 * from its parent, and only links that are nobody's only way are replaced.
 *
 *-------------------------------------------------------------------------
 */
#include "c.h"

#include "hnsw/graph.h"

/* What is known of the walk from the entry. */
typedef struct Walk
{
	uint32	   *parent;			/* HNSW_NO_NODE: not reached yet */
	uint32	   *order;			/* nodes in the order in which they were reached */
	uint32		nreached;
	uint32		nfull;			/* nodes of order that cannot take a link */
} Walk;

static void reach(const HnswGraph *g, Walk *w, uint32 node, uint32 parent);
static int	free_place(const HnswGraph *g, const Walk *w, uint32 node);
static uint32 find_source(const HnswGraph *g, HnswScratch *s, Walk *w,
						  uint32 target);
static void put_link(HnswGraph *g, const Walk *w, uint32 source, uint32 target);

/*
 * Marks node, which is reached from parent, and all that it leads to.
 */
static void
reach(const HnswGraph *g, Walk *w, uint32 node, uint32 parent)
{
	uint32		head = w->nreached;

	w->parent[node] = parent;
	w->order[w->nreached++] = node;
	while (head < w->nreached)
	{
		uint32		source = w->order[head++];
		const HnswLinks *links = vdb_hnsw_links(g, source, 0);
		int			i;

		for (i = 0; i < links->count; i++)
		{
			uint32		next = links->link[i].node;

			if (w->parent[next] == HNSW_NO_NODE)
			{
				w->parent[next] = source;
				w->order[w->nreached++] = next;
			}
		}
	}
}

/*
 * The place for one more link of node: behind the others, or that of its
 * farthest link that is nobody's only way; -1 if there is none.
 */
static int
free_place(const HnswGraph *g, const Walk *w, uint32 node)
{
	const HnswLinks *links = vdb_hnsw_links(g, node, 0);
	int			i = links->count;

	if (i < vdb_hnsw_max_links(g, 0))
		return i;
	while (--i >= 0)
		if (w->parent[links->link[i].node] != node)
			return i;
	return -1;
}

/*
 * The reached node that shall link to target: of those that a search finds
 * the nearest with room, else the nearest with a place, else any one.  There is
 * one, since a walk through n nodes needs n - 1 links only.
 */
static uint32
find_source(const HnswGraph *g, HnswScratch *s, Walk *w, uint32 target)
{
	int			n = vdb_hnsw_search_level(g, s, vdb_hnsw_vector(g, target),
										  g->shared->entry, 0,
										  g->params.ef_construction);
	int			i;

	for (i = 0; i < n; i++)
		if (vdb_hnsw_links(g, s->found[i].node, 0)->count <
			vdb_hnsw_max_links(g, 0))
			return s->found[i].node;
	for (i = 0; i < n; i++)
		if (free_place(g, w, s->found[i].node) >= 0)
			return s->found[i].node;
	while (free_place(g, w, w->order[w->nfull]) < 0)
		w->nfull++;
	return w->order[w->nfull];
}

/*
 * Puts a link to target among the sorted links of source.
 */
static void
put_link(HnswGraph *g, const Walk *w, uint32 source, uint32 target)
{
	HnswLinks  *links = vdb_hnsw_links(g, source, 0);
	HnswLink	link;
	int			i = free_place(g, w, source);

	link.node = target;
	link.distance = g->distance(g->distance_arg, vdb_hnsw_vector(g, source),
								vdb_hnsw_vector(g, target));
	if (i == links->count)
		links->nchosen = ++links->count;
	for (; i > 0 && vdb_hnsw_compare_links(&links->link[i - 1], &link) > 0; i--)
		links->link[i] = links->link[i - 1];
	for (; i < links->count - 1 &&
		 vdb_hnsw_compare_links(&links->link[i + 1], &link) < 0;
		 i++)
		links->link[i] = links->link[i + 1];
	links->link[i] = link;
}

/*
 * Links every node that cannot be reached from the entry.  parent and order
 * have room for all nodes.  Returns the number of links made.
 */
uint32
vdb_hnsw_connect(HnswGraph *g, HnswScratch *s, uint32 *parent, uint32 *order)
{
	Walk		w = {parent, order, 0, 0};
	uint32		made = 0;
	uint32		node;

	if (g->shared->linked == 0)
		return 0;
	memset(parent, 0xFF, sizeof(uint32) * g->shared->linked);
	reach(g, &w, g->shared->entry, g->shared->entry);
	for (node = 0; node < g->shared->linked; node++)
	{
		uint32		source;

		if (parent[node] != HNSW_NO_NODE)
			continue;
		source = find_source(g, s, &w, node);
		put_link(g, &w, source, node);
		reach(g, &w, node, source);
		made++;
	}
	return made;
}
