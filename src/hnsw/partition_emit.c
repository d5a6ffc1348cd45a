/*-------------------------------------------------------------------------
 *
 * partition_emit.c
 *	  Hands out the nodes of a build in partitions, in the order of pages.
 *
 * A node's links from its own partition and those that it got where it was
 * borrowed become one list: anchors and the nearest of the chosen, as many as
 * there are slots, then those that fill the rest.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "hnsw/partition_internal.h"

typedef struct Emitting
{
	HnswPartitions *p;
	void (*emit)(void *arg, const HnswPlacedNode *node);
	void	   *arg;
	char	   *list;			/* links and factors from where it was borrowed */
	uint64	   *rows;
	uint32		max_rows;
	HnswPlacedLink *links;		/* of the node that is handed out */
	float	   *distances;
	int			nlinks;
	int			nchosen;
} Emitting;

/* Links with their factors, as in a file */
typedef struct LinkList
{
	const HnswFileLink *links;
	const char *factors;
	int			nchosen;
	int			nlinks;
} LinkList;

static LinkList link_list(const HnswPartitions *p, const HnswNodeHead *head, const char *links);
static void emit_upper(Emitting *e);
static void emit_level0(Emitting *e);
static uint64 read_node(Emitting *e, HnswFile *file, uint64 at);
static LinkList read_list(Emitting *e, uint32 id);
static void merge_links(Emitting *e, uint32 place, LinkList own, LinkList other);
static void add_link(Emitting *e, uint32 self, const LinkList *list, int i, bool is_chosen);

/*
 * Calls emit for every node of the index, in the order of places.
 */
void
vdb_hnsw_partition_emit(HnswPartitions *p,
						void (*emit)(void *arg, const HnswPlacedNode *node),
						void *arg)
{
	Size		slots = (Size) Max(p->params.layout->slots, p->params.m);
	Emitting	e;

	memset(&e, 0, sizeof(e));
	e.p = p;
	e.emit = emit;
	e.arg = arg;
	e.list = p->hooks.allocate(p->hooks.arg, p->node_bytes);
	e.links = p->hooks.allocate(p->hooks.arg, sizeof(HnswPlacedLink) * slots);
	e.distances = p->hooks.allocate(p->hooks.arg, sizeof(float) * slots);
	emit_upper(&e);
	emit_level0(&e);
	p->hooks.release(p->hooks.arg, e.list);
	p->hooks.release(p->hooks.arg, e.links);
	p->hooks.release(p->hooks.arg, e.distances);
	if (e.rows != NULL)
		p->hooks.release(p->hooks.arg, e.rows);
}

static LinkList
link_list(const HnswPartitions *p, const HnswNodeHead *head, const char *links)
{
	LinkList	list;

	list.links = (const HnswFileLink *) links;
	list.factors = links + head->nlinks * sizeof(HnswFileLink);
	list.nchosen = (int) head->nchosen;
	list.nlinks = head->nlinks;
	return list;
}

/*
 * Reads the node at an offset to p->node, and its rows to e->rows.  Returns
 * the offset of the next.
 */
static uint64
read_node(Emitting *e, HnswFile *file, uint64 at)
{
	HnswPartitions *p = e->p;
	HnswNodeHead *head = (HnswNodeHead *) p->node;
	Size		size;

	p->hooks.read_file(p->hooks.arg, file->handle, at, head, sizeof(*head));
	at += sizeof(*head);
	size = p->vector_bytes + head->nlinks * (sizeof(HnswFileLink) + p->factor_bytes);
	p->hooks.read_file(p->hooks.arg, file->handle, at, head + 1, size);
	at += size;
	if (head->nrows > e->max_rows)
	{
		if (e->rows != NULL)
			p->hooks.release(p->hooks.arg, e->rows);
		e->max_rows = Max(head->nrows, 64);
		e->rows = p->hooks.allocate(p->hooks.arg, sizeof(uint64) * e->max_rows);
	}
	size = sizeof(uint64) * head->nrows;
	if (size > 0)
		p->hooks.read_file(p->hooks.arg, file->handle, at, e->rows, size);
	return at + size;
}

static void
emit_upper(Emitting *e)
{
	HnswPartitions *p = e->p;
	const HnswNodeHead *head = (const HnswNodeHead *) p->node;
	const char *vector = p->node + sizeof(HnswNodeHead);
	uint64		at = 0;
	uint32		place;

	for (place = 0; place < p->result.nupper; place++)
	{
		HnswPlacedNode node = {.place = place, .vector = vector, .links = e->links};
		LinkList	list;
		int			i;

		at = read_node(e, &p->upper_nodes, at);
		list = link_list(p, head, vector + p->vector_bytes);
		for (i = 0; i < list.nlinks; i++)
		{
			e->links[i].target = list.links[i].id;
			e->links[i].is_anchor = false;
			e->links[i].factors = list.factors + (Size) i * p->factor_bytes;
		}
		node.level = head->level;
		node.below = head->level > 1 ? head->below : p->result.nupper + p->position[head->id];
		node.nlinks = list.nlinks;
		e->emit(e->arg, &node);
	}
}

static void
emit_level0(Emitting *e)
{
	HnswPartitions *p = e->p;
	const HnswNodeHead *head = (const HnswNodeHead *) p->node;
	const char *vector = p->node + sizeof(HnswNodeHead);
	uint64		at = 0;
	uint32		i;

	for (i = 0; i < p->result.nnodes; i++)
	{
		HnswPlacedNode node = {.place = p->result.nupper + i, .vector = vector};

		at = read_node(e, &p->nodes, at);
		merge_links(e, i, link_list(p, head, vector + p->vector_bytes),
					read_list(e, head->id));
		node.below = HNSW_NO_NODE;
		node.nrows = head->nrows;
		node.rows = e->rows;
		node.nlinks = e->nlinks;
		node.links = e->links;
		e->emit(e->arg, &node);
		if (i % 256 == 0)
			p->hooks.progress(p->hooks.arg, HNSW_PARTITION_EMIT, node.place,
							  (uint64) p->result.nupper + p->result.nnodes);
	}
}

/*
 * The links of a row's node where it was borrowed, if it was.
 */
static LinkList
read_list(Emitting *e, uint32 id)
{
	HnswPartitions *p = e->p;
	HnswNodeHead head;
	LinkList	none = {NULL, NULL, 0, 0};
	HnswFile   *file;
	uint64		at = p->list_at[id] & ((UINT64CONST(1) << 48) - 1);

	if (p->list_at[id] == HNSW_NO_LIST)
		return none;
	file = &p->parts[p->list_at[id] >> 48].lists;
	p->hooks.read_file(p->hooks.arg, file->handle, at, &head, sizeof(head));
	if (head.nlinks > 0)
		p->hooks.read_file(p->hooks.arg, file->handle, at + sizeof(head), e->list,
						   head.nlinks * (sizeof(HnswFileLink) + p->factor_bytes));
	return link_list(p, &head, e->list);
}

/*
 * Makes one list of two, for the node at a position.
 */
static void
merge_links(Emitting *e, uint32 position, LinkList own, LinkList other)
{
	int			i;
	int			j = 0;

	e->nlinks = e->nchosen = 0;
	for (i = 0; i < own.nlinks; i++)
		if (own.links[i].is_anchor)
			add_link(e, position, &own, i, true);
	for (i = 0; i < own.nchosen || j < other.nchosen;)
	{
		if (j == other.nchosen ||
			(i < own.nchosen && own.links[i].distance <= other.links[j].distance))
			add_link(e, position, &own, i++, true);
		else
			add_link(e, position, &other, j++, true);
	}
	for (i = own.nchosen; i < own.nlinks; i++)
		add_link(e, position, &own, i, false);
}

/*
 * Adds a link to the list, if there is room and its target is not there yet.
 * Chosen links are kept in order.  Rows that share a node have one position.
 */
static void
add_link(Emitting *e, uint32 self, const LinkList *list, int i, bool is_chosen)
{
	HnswPartitions *p = e->p;
	const HnswFileLink *link = &list->links[i];
	uint32		position = p->position[link->id];
	uint32		target = p->result.nupper + position;
	int			at = e->nlinks;
	int			j;

	if (position == self || e->nlinks == p->params.layout->slots)
		return;
	for (j = 0; j < e->nlinks; j++)
		if (e->links[j].target == target)
			return;
	for (; is_chosen && at > 0 && e->distances[at - 1] > link->distance; at--)
	{
		e->links[at] = e->links[at - 1];
		e->distances[at] = e->distances[at - 1];
	}
	e->links[at].target = target;
	e->links[at].is_anchor = link->is_anchor != 0;
	e->links[at].factors = list->factors + (Size) i * p->factor_bytes;
	e->distances[at] = link->distance;
	e->nlinks++;
	e->nchosen += is_chosen;
}
