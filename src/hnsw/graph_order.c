/*-------------------------------------------------------------------------
 *
 * graph_order.c
 *	  The order in which the nodes of a finished graph are written to pages.
 *
 * A search visits neighbours one after the other, so neighbours should share a
 * page, and pages of one neighbourhood should lie near each other, where reading
 * ahead finds them.  Pages are filled greedily: the first node of a page is the
 * one to which most links lead from the pages just before it (as in Gorder, Wei
 * et al., SIGMOD 2016), the others are those to which most links lead from the
 * page's own nodes.
 *
 * Nodes that wait are kept in lists by the number of links that lead to them
 * from the last pages, so that each link costs two moves: O(nodes * links).
 *
 *-------------------------------------------------------------------------
 */
#include "c.h"

#include "hnsw/graph.h"

/* Pages whose links count */
#define WINDOW_PAGES 64

/* Lists of waiting nodes; nodes with more links share the last one. */
#define NLISTS 32

/* Nodes that are considered for a page */
#define MAX_CANDIDATES 256

#define PLACED PG_UINT16_MAX

typedef struct Candidate
{
	uint32		node;
	int			nlinks;			/* from nodes of the page */
	float		distance;		/* of the shortest of them */
} Candidate;

typedef struct Ordering
{
	const HnswGraph *g;
	HnswScratch *s;
	uint32	   *order;
	uint32		nplaced;
	uint32		first;
	uint32		window;			/* nodes from here on are in the window */
	uint32		behind;			/* nodes before this one lead to placed ones only */
	uint32		rest;			/* nodes with smaller numbers are placed */
	uint16	   *score;			/* links from the window, or PLACED */
	uint32	   *next;			/* of the list that a node is in */
	uint32	   *previous;
	uint32		list[NLISTS];	/* by score; list[0] is not kept */
	int			top;			/* lists above are empty */
} Ordering;

static void place(Ordering *o, uint32 node, uint32 window_size);
static void change_score(Ordering *o, uint32 node, int change);
static uint32 find_first(Ordering *o);
static void fill_page(Ordering *o, uint32 end, uint32 window_size);
static int	add_candidates(Ordering *o, uint32 node, Candidate *candidates, int n);

/*
 * Bytes of the working memory of vdb_hnsw_order().
 */
Size
vdb_hnsw_order_size(const HnswParams *params)
{
	return (Size) params->capacity * (2 * sizeof(uint32) + sizeof(uint16));
}

/*
 * Writes the numbers of all linked nodes to order, in the order in which they
 * go to pages with per_page nodes each.  The first one is the entry.  work is
 * vdb_hnsw_order_size() bytes, aligned for integers.
 */
void
vdb_hnsw_order(const HnswGraph *g, HnswScratch *s, int per_page, void *work,
			   uint32 *order)
{
	vdb_hnsw_order_part(g, s, g->shared->entry, g->shared->linked, per_page, work,
						order);
}

/*
 * The same for the nodes before end only, beginning with first.
 */
void
vdb_hnsw_order_part(const HnswGraph *g, HnswScratch *s, uint32 first, uint32 end,
					int per_page, void *work, uint32 *order)
{
	Ordering	o = {g, s, order, 0, first};
	uint32		count = g->shared->linked;
	uint32		window_size = (uint32) Min((uint64) WINDOW_PAGES * (uint64) per_page, PLACED - 1);
	int			i;

	o.next = work;
	o.previous = o.next + count;
	o.score = (uint16 *) (o.previous + count);
	memset(o.score, 0, sizeof(uint16) * end);
	memset(o.score + end, 0xFF, sizeof(uint16) * (count - end)); /* PLACED */
	for (i = 0; i < NLISTS; i++)
		o.list[i] = HNSW_NO_NODE;

	while (o.nplaced < end)
	{
		uint32		page_end = (uint32) Min((uint64) o.nplaced + (uint64) per_page, end);

		while (o.nplaced < page_end)
		{
			place(&o, find_first(&o), window_size);
			fill_page(&o, page_end, window_size);
		}
	}
}

/*
 * Puts a node behind those placed, and counts its links as the window's
 * instead of those of the node that is window_size before it.
 */
static void
place(Ordering *o, uint32 node, uint32 window_size)
{
	const HnswLinks *links = vdb_hnsw_links(o->g, node, 0);
	int			i;

	change_score(o, node, 0);
	o->score[node] = PLACED;
	o->order[o->nplaced++] = node;
	for (i = 0; i < links->nchosen; i++)
		change_score(o, links->link[i].node, 1);

	if (o->nplaced - o->window <= window_size)
		return;
	links = vdb_hnsw_links(o->g, o->order[o->window++], 0);
	for (i = 0; i < links->nchosen; i++)
		change_score(o, links->link[i].node, -1);
}

/*
 * Changes the score of a node, if it is not placed, by 1 or -1, and moves it to
 * the list that then is its own; 0 takes it from its list.
 */
static void
change_score(Ordering *o, uint32 node, int change)
{
	int			old = Min(o->score[node], NLISTS - 1);
	int			new;

	if (o->score[node] == PLACED)
		return;
	o->score[node] = (uint16) (o->score[node] + change);
	new = change == 0 ? 0 : Min(o->score[node], NLISTS - 1);
	if (new == old)
		return;
	if (old > 0)
	{
		if (o->previous[node] != HNSW_NO_NODE)
			o->next[o->previous[node]] = o->next[node];
		else
			o->list[old] = o->next[node];
		if (o->next[node] != HNSW_NO_NODE)
			o->previous[o->next[node]] = o->previous[node];
	}
	if (new > 0)
	{
		o->previous[node] = HNSW_NO_NODE;
		o->next[node] = o->list[new];
		if (o->list[new] != HNSW_NO_NODE)
			o->previous[o->list[new]] = node;
		o->list[new] = node;
		o->top = Max(o->top, new);
	}
}

/*
 * The node for the first place of a page: one with the highest score, else one
 * to which the earliest of the placed nodes leads, else any one.
 */
static uint32
find_first(Ordering *o)
{
	while (o->top > 0 && o->list[o->top] == HNSW_NO_NODE)
		o->top--;
	if (o->top > 0)
		return o->list[o->top];

	if (o->nplaced == 0)
		return o->first;
	for (; o->behind < o->nplaced; o->behind++)
	{
		const HnswLinks *links = vdb_hnsw_links(o->g, o->order[o->behind], 0);
		int			i;

		for (i = 0; i < links->nchosen; i++)
			if (o->score[links->link[i].node] != PLACED)
				return links->link[i].node;
	}
	while (o->score[o->rest] == PLACED)
		o->rest++;
	return o->rest;
}

/*
 * Fills the page of the node placed last, up to end, with nodes that it leads
 * to, those first to which most links lead, then those that are nearest.
 */
static void
fill_page(Ordering *o, uint32 end, uint32 window_size)
{
	Candidate	candidates[MAX_CANDIDATES];
	int			n = 0;

	if (o->nplaced == end)
		return;
	/* visited[] gives a candidate's place among them, above s->search */
	if (o->s->search > PG_UINT32_MAX - 2 * MAX_CANDIDATES)
	{
		memset(o->s->visited, 0, sizeof(uint32) * o->g->params.capacity);
		o->s->search = 0;
	}
	n = add_candidates(o, o->order[o->nplaced - 1], candidates, n);
	while (o->nplaced < end)
	{
		const Candidate *best = NULL;
		int			i;

		for (i = 0; i < n; i++)
		{
			const Candidate *c = &candidates[i];

			if (o->score[c->node] != PLACED &&
				(best == NULL || c->nlinks > best->nlinks ||
				 (c->nlinks == best->nlinks && c->distance < best->distance)))
				best = c;
		}
		if (best == NULL)
			break;
		place(o, best->node, window_size);
		n = add_candidates(o, best->node, candidates, n);
	}
	o->s->search += MAX_CANDIDATES;
}

/*
 * Counts the links of a node of the page among the n candidates.  Returns
 * their new number.
 */
static int
add_candidates(Ordering *o, uint32 node, Candidate *candidates, int n)
{
	const HnswLinks *links = vdb_hnsw_links(o->g, node, 0);
	int			i;

	for (i = 0; i < links->nchosen; i++)
	{
		const HnswLink *link = &links->link[i];
		uint32	   *mark = &o->s->visited[link->node];

		if (o->score[link->node] == PLACED)
			continue;
		if (*mark <= o->s->search && n < MAX_CANDIDATES)
		{
			candidates[n] = (Candidate){link->node, 0, link->distance};
			*mark = o->s->search + (uint32) ++n;
		}
		if (*mark > o->s->search)
		{
			Candidate  *c = &candidates[*mark - o->s->search - 1];

			c->nlinks++;
			c->distance = Min(c->distance, link->distance);
		}
	}
	return n;
}
