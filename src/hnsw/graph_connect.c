/*-------------------------------------------------------------------------
 *
 * graph_connect.c
 *	  Makes every node of a finished graph reachable on level 0.
 *
 * Choosing links anew may drop the last one to a node.  Other indexes leave
 * about 1 node in 50 without a path to it; here each gets one.
 *
 * The links by which nodes are reached form a tree, whose links the index marks
 * as anchors and never drops (G4).  A node has room for other links, too: no
 * more than about half of its links are anchors.  That can always be had: the
 * tree of n nodes has n - 1 links, so one of its nodes has none going out.
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
	uint16	   *nchildren;		/* nodes whose parent this is */
	uint32		nreached;
	uint32		root;
	uint32		end;			/* only nodes before this one are reached */
	int			max_children;
} Walk;

static void reach(const HnswGraph *g, Walk *w, uint32 node, uint32 parent);
static void reach_one(Walk *w, uint32 node, uint32 parent);
static int	free_place(const HnswGraph *g, const Walk *w, uint32 node);
static uint32 find_source(const HnswGraph *g, HnswScratch *s, const Walk *w,
						  uint32 target);
static void put_link(HnswGraph *g, HnswScratch *s, const Walk *w, uint32 source, uint32 target);

/*
 * Marks node, which is reached from parent, and all that it leads to, by
 * breadth, which keeps the tree low.
 */
static void
reach(const HnswGraph *g, Walk *w, uint32 node, uint32 parent)
{
	uint32		head = w->nreached;

	reach_one(w, node, parent);
	while (head < w->nreached)
	{
		uint32		source = w->order[head++];
		const HnswLinks *links = vdb_hnsw_links(g, source, 0);
		int			i;

		for (i = 0; i < links->count && w->nchildren[source] < w->max_children; i++)
			if (links->link[i].node < w->end &&
				w->parent[links->link[i].node] == HNSW_NO_NODE)
				reach_one(w, links->link[i].node, source);
	}
}

static void
reach_one(Walk *w, uint32 node, uint32 parent)
{
	w->parent[node] = parent;
	w->nchildren[parent] += node != parent;
	w->order[w->nreached++] = node;
}

/*
 * The place for one more link of node: behind the others, or that of its
 * farthest link that is not to a child; -1 if there is none.
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
 * The reached node that shall link to target, one with less children than are
 * allowed: of those that a search finds the nearest with room for a link, else
 * the nearest.  If all have their children, one below the nearest, which keeps
 * it in the neighbourhood: the tree ends in nodes without children.
 */
static uint32
find_source(const HnswGraph *g, HnswScratch *s, const Walk *w, uint32 target)
{
	int			n = vdb_hnsw_search_level(g, s, vdb_hnsw_point(g, target),
										  g->shared->entry, 0,
										  g->params.ef_construction);
	uint32		nearest = HNSW_NO_NODE;
	uint32		below = HNSW_NO_NODE;
	int			i;

	for (i = 0; i < n; i++)
	{
		uint32		node = s->found[i].node;

		/* nodes from end on have no parent either */
		if (w->parent[node] == HNSW_NO_NODE)
			continue;
		if (below == HNSW_NO_NODE)
			below = node;
		if (w->nchildren[node] >= w->max_children)
			continue;
		if (vdb_hnsw_links(g, node, 0)->count < vdb_hnsw_max_links(g, 0))
			return node;
		if (nearest == HNSW_NO_NODE)
			nearest = node;
	}
	if (nearest != HNSW_NO_NODE)
		return nearest;

	if (below == HNSW_NO_NODE)
		below = w->root;
	while (w->nchildren[below] >= w->max_children)
	{
		const HnswLinks *links = vdb_hnsw_links(g, below, 0);
		uint32		child = HNSW_NO_NODE;

		for (i = 0; i < links->count; i++)
		{
			uint32		node = links->link[i].node;

			if (w->parent[node] != below)
				continue;
			if (child == HNSW_NO_NODE || w->nchildren[node] < w->max_children)
				child = node;
			if (w->nchildren[child] < w->max_children)
				break;
		}
		below = child;
	}
	return below;
}

/*
 * Puts a link to target among the sorted links of source.
 */
static void
put_link(HnswGraph *g, HnswScratch *s, const Walk *w, uint32 source, uint32 target)
{
	HnswLinks  *links = vdb_hnsw_links(g, source, 0);
	HnswLink	link;
	int			i = free_place(g, w, source);

	link.node = target;
	link.distance = vdb_hnsw_distance(g, s, vdb_hnsw_point(g, source), target);
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
 * Links every node that cannot be reached from the entry on level 0, and finds
 * for each node one that it can be reached from: parent[] is a tree whose root
 * is the entry, its own parent, and each parent has a link to its children,
 * vdb_hnsw_max_children() of them at most (G4).  parent, order and nchildren
 * have room for all nodes.  Returns the number of links made.
 */
uint32
vdb_hnsw_connect(HnswGraph *g, HnswScratch *s, uint32 *parent, uint32 *order,
				 uint16 *nchildren)
{
	if (g->shared->linked == 0)
		return 0;
	return vdb_hnsw_connect_part(g, s, g->shared->entry, g->shared->linked, 0,
								 parent, order, nchildren);
}

/*
 * The same for the nodes before end only, by way of these only, from one of
 * them, root, on, which has so many anchors already.  The others have no
 * parent.
 */
uint32
vdb_hnsw_connect_part(HnswGraph *g, HnswScratch *s, uint32 root, uint32 end,
					  int root_anchors, uint32 *parent, uint32 *order,
					  uint16 *nchildren)
{
	Walk		w = {parent, order, nchildren, 0, root, end,
			  vdb_hnsw_max_children(&g->params)
};
	uint32		made = 0;
	uint32		node;

	memset(parent, 0xFF, sizeof(uint32) * g->shared->linked);
	memset(nchildren, 0, sizeof(uint16) * g->shared->linked);
	/* one child it needs to have */
	nchildren[root] = (uint16) Min(root_anchors, w.max_children - 1);
	reach(g, &w, root, root);
	for (node = 0; node < end; node++)
	{
		uint32		source;

		if (parent[node] != HNSW_NO_NODE)
			continue;
		source = find_source(g, s, &w, node);
		put_link(g, s, &w, source, node);
		reach(g, &w, node, source);
		made++;
	}
	return made;
}
