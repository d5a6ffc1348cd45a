/*-------------------------------------------------------------------------
 *
 * anchor.c
 *	  Pass 2 of a vacuum: anchors are led around DYING nodes.
 *
 * Anchors are a tree: every LIVE node but the root has one.  Where a LIVE node
 * y, the holder, anchors a DYING node d, the DYING nodes that anchors lead to
 * from d are a subtree without gaps, below which LIVE nodes hang: its children.
 * All of them but the first move to LIVE hosts, each in one record of
 * two pages: the host gets the anchor, the DYING node loses it.  A host is y,
 * or a child; neither is below the child that moves, so no cycle can come about.
 * At last the first child takes d's place in y, in one record, too.  So there
 * is a tree before and after each record.
 *
 * DYING nodes get no anchors any more, so their children do not change but by
 * this.  Inserts may put a new node between y and d meanwhile.  Then the new
 * node is the holder, found in another pass or by the next vacuum: a DYING node
 * that has children is never freed.
 *
 *-------------------------------------------------------------------------
 */
#include "pg_compat.h"

#include "hnsw/vacuum.h"

#define MAX_HOSTS 16

/* Where a child can go; its vector is copied */
typedef struct Host
{
	HnswRef		ref;
	const void *stored;
} Host;

/* An anchor to a DYING node, and what hangs below that */
typedef struct Anchor
{
	HnswRef		holder;			/* invalid: the metapage, for the root */
	HnswRef		dying;
	HnswRef		child;			/* the first one; invalid: none yet */
	HnswRef		parent;			/* the DYING node that anchors it */
	Host		hosts[MAX_HOSTS];
	int			nhosts;
	int			oldest;			/* host that gives way when there are too many */
	HnswRef    *stack;			/* DYING nodes to be visited */
	int			depth;
	int			room;
} Anchor;

static bool visit(HnswVacuum *v, Anchor *a, HnswRef dying);
static void push(Anchor *a, HnswRef ref);
static void add_host(HnswVacuum *v, Anchor *a, const HnswNodeImage *copy);
static bool move_child(HnswVacuum *v, Anchor *a, HnswRef parent, const HnswNodeImage *child);
static int	nearest_host(HnswVacuum *v, const Anchor *a, const void *stored);
static void replace_host(HnswVacuum *v, Anchor *a, int i);
static bool move_anchor(HnswVacuum *v, HnswRef parent, HnswRef child, HnswRef host,
						const char *factors);
static int	place_for_anchor(HnswVacuum *v, const HnswNode *node, char *slots, HnswRef ref);
static void clear_anchor(HnswVacuum *v, HnswNode *node, int i);
static bool finish_node(HnswVacuum *v, Anchor *a);
static bool finish_root(HnswVacuum *v, Anchor *a);
static bool lock_both(HnswVacuum *v, HnswRef a, HnswRef b, Buffer *buffer_a, Buffer *buffer_b);
static void unlock_both(Buffer a, Buffer b);
static HnswNode *node_of(HnswVacuum *v, Page page, HnswRef ref);
static int	find_anchor(HnswVacuum *v, HnswNode *node, HnswRef ref);

/*
 * Leads the anchor from holder (invalid: the metapage's) to a DYING node around
 * it.  Counts it in v->nunresolved if that is not possible now.  Takes memory
 * of the page context.  No locks are held on entry or exit.
 */
void
vdb_hnsw_lead_anchor(HnswVacuum *v, HnswRef holder, HnswRef dying)
{
	MemoryContext old = MemoryContextSwitchTo(v->page_context);
	Anchor		a;
	HnswNodeImage copy;
	bool		is_done = true;

	memset(&a, 0, sizeof(a));
	a.holder = holder;
	a.dying = dying;
	a.child = a.parent = vdb_hnsw_no_ref();
	if (vdb_hnsw_ref_is_valid(holder) && vdb_hnsw_vacuum_copy(v, holder, &copy))
		add_host(v, &a, &copy);
	push(&a, dying);
	while (a.depth > 0 && is_done)
	{
		vdb_vacuum_delay_point();
		is_done = visit(v, &a, a.stack[--a.depth]);
	}
	if (is_done)
		is_done = vdb_hnsw_ref_is_valid(holder) ? finish_node(v, &a) : finish_root(v, &a);
	if (!is_done)
		v->nunresolved++;
	MemoryContextSwitchTo(old);
}

/*
 * Visits a DYING node of the subtree: its DYING children are to be visited, of
 * its LIVE ones the very first is remembered and the others move.  False if one
 * could not, or the node has been visited in this pass, for another anchor: its
 * children are not known then.
 */
static bool
visit(HnswVacuum *v, Anchor *a, HnswRef dying)
{
	HnswNodeImage parent;

	if (!vdb_hnsw_vacuum_copy(v, dying, &parent) || parent.node->state != HNSW_DYING)
		return true;
	if (!vdb_hnsw_set_add(&v->seen, vdb_hnsw_ref_number(dying)))
		return false;
	if (vdb_hnsw_set_add(&v->met, vdb_hnsw_ref_number(dying)))
		v->nmet++;
	for (int i = 0; i < parent.node->nlinks; i++)
	{
		HnswRef		ref = vdb_hnsw_link(v->index, parent.slots, i);
		HnswNodeImage child;

		if (!vdb_hnsw_ref_is_anchor(ref))
			continue;
		if (vdb_hnsw_is_dying(v, ref))
			push(a, ref);
		else if (!vdb_hnsw_vacuum_copy(v, ref, &child))
			continue;
		else if (!vdb_hnsw_ref_is_valid(a->child))
		{
			a->child = child.ref;
			a->parent = parent.ref;
			add_host(v, a, &child);
		}
		else if (move_child(v, a, parent.ref, &child))
			add_host(v, a, &child);
		else
			return false;
	}
	return true;
}

static void
push(Anchor *a, HnswRef ref)
{
	if (a->depth == a->room)
	{
		a->room = Max(64, 2 * a->room);
		a->stack = a->stack == NULL ? vdb_palloc_array(HnswRef, a->room) : (HnswRef *) repalloc_huge(a->stack, sizeof(HnswRef) * (Size) a->room);
	}
	a->stack[a->depth++] = ref;
}

/*
 * Adds a host, for want of room in place of an older one.
 */
static void
add_host(HnswVacuum *v, Anchor *a, const HnswNodeImage *copy)
{
	int			i = a->nhosts < MAX_HOSTS ? a->nhosts++ : a->oldest++ % MAX_HOSTS;

	a->hosts[i].ref = copy->ref;
	a->hosts[i].stored = copy->stored;
}

/*
 * Moves a child from its DYING parent to the nearest host that can take it.
 */
static bool
move_child(HnswVacuum *v, Anchor *a, HnswRef parent, const HnswNodeImage *child)
{
	for (int tries = 0; tries < 2 * MAX_HOSTS && a->nhosts > 0; tries++)
	{
		int			i = nearest_host(v, a, child->stored);
		const Host *host = &a->hosts[i];
		char	   *factors = vdb_hnsw_vacuum_encode(v, host->stored, child->stored);

		if (move_anchor(v, parent, child->ref, host->ref, factors))
			return true;
		replace_host(v, a, i);
	}
	return false;
}

static int
nearest_host(HnswVacuum *v, const Anchor *a, const void *stored)
{
	HnswIndex  *index = v->index;
	int			nearest = 0;
	double		least = 0;

	for (int i = 0; i < a->nhosts; i++)
	{
		double		distance = vdb_quant_vector_distance(&index->layout, index->kernels, stored,
														 a->hosts[i].stored);

		if (i == 0 || distance < least)
		{
			nearest = i;
			least = distance;
		}
	}
	return nearest;
}

/*
 * A host is full of anchors: those that it anchors stand in for it.
 */
static void
replace_host(HnswVacuum *v, Anchor *a, int i)
{
	HnswNodeImage full;
	HnswNodeImage child;
	bool		is_known = vdb_hnsw_vacuum_copy(v, a->hosts[i].ref, &full);

	a->hosts[i] = a->hosts[--a->nhosts];
	for (int j = 0; is_known && j < full.node->nlinks && a->nhosts < MAX_HOSTS; j++)
	{
		HnswRef		ref = vdb_hnsw_link(v->index, full.slots, j);

		if (vdb_hnsw_ref_is_anchor(ref) && !vdb_hnsw_is_dying(v, ref) &&
			vdb_hnsw_vacuum_copy(v, ref, &child) && child.node->state == HNSW_LIVE)
			add_host(v, a, &child);
	}
}

/*
 * Moves the anchor of a child from its DYING parent to a host, in one record.
 * False, with nothing done, if the host has no place for it.
 */
static bool
move_anchor(HnswVacuum *v, HnswRef parent, HnswRef child, HnswRef host, const char *factors)
{
	HnswIndex  *index = v->index;
	GenericXLogState *xlog;
	Buffer		parent_buffer;
	Buffer		host_buffer;
	HnswNode   *node;
	int			from;
	int			to;

	if (!lock_both(v, parent, host, &parent_buffer, &host_buffer))
		return false;
	node = node_of(v, BufferGetPage(parent_buffer), parent);
	from = find_anchor(v, node, child);
	node = node_of(v, BufferGetPage(host_buffer), host);
	to = place_for_anchor(v, node, vdb_hnsw_slots_of(index, node), child);
	if (from < 0 || to < 0 || node->state != HNSW_LIVE)
	{
		unlock_both(parent_buffer, host_buffer);
		return false;
	}

	xlog = GenericXLogStart(index->relation);
	vdb_hnsw_vacuum_set_slot(v, node_of(v, GenericXLogRegisterBuffer(xlog, host_buffer, 0), host), to,
							 vdb_hnsw_make_ref(vdb_hnsw_ref_number(child), child.extra | HNSW_ANCHOR), factors);
	clear_anchor(v, node_of(v, GenericXLogRegisterBuffer(xlog, parent_buffer, 0), parent), from);
	GenericXLogFinish(xlog);
	unlock_both(parent_buffer, host_buffer);
	return true;
}

/*
 * The slot of a node that an anchored link to ref is to have: one that leads to
 * the same node, a free one, one of a DYING node, the farthest; never that of
 * an anchor.  -1 if there is none.
 */
static int
place_for_anchor(HnswVacuum *v, const HnswNode *node, char *slots, HnswRef ref)
{
	HnswIndex  *index = v->index;
	int			farthest = vdb_hnsw_find_number(index, node, slots, ref);
	int			most = -1;

	if (farthest >= 0)
		return farthest;
	if (node->nlinks < index->slots)
		return node->nlinks;
	for (int i = 0; i < node->nlinks; i++)
	{
		HnswRef		link = vdb_hnsw_link(index, slots, i);
		VdbSlotFactors factors = {0};

		if (vdb_hnsw_ref_is_anchor(link))
			continue;
		if (vdb_hnsw_is_dying(v, link))
			return i;
		if (index->layout.bits > 0)
			memcpy(&factors, vdb_hnsw_factors(index, slots, i), sizeof(factors));
		if ((int) factors.radius > most) /* radii compare as integers */
		{
			most = factors.radius;
			farthest = i;
		}
	}
	return farthest;
}

static void
clear_anchor(HnswVacuum *v, HnswNode *node, int i)
{
	char	   *slots = vdb_hnsw_slots_of(v->index, node);
	HnswRef		ref = vdb_hnsw_link(v->index, slots, i);

	ref.extra &= HNSW_VERSION_MASK;
	vdb_hnsw_set_link(v->index, slots, i, ref);
}

/*
 * The first child takes the DYING node's place in the holder, in one record with
 * its parent's loss; without a child the link only ceases to be an anchor.
 * False, with nothing done, if the holder no longer anchors the DYING node.
 */
static bool
finish_node(HnswVacuum *v, Anchor *a)
{
	HnswIndex  *index = v->index;
	bool		has_child = vdb_hnsw_ref_is_valid(a->child);
	HnswRef		parent = has_child ? a->parent : a->holder;
	const char *factors = NULL;
	GenericXLogState *xlog;
	Buffer		holder_buffer;
	Buffer		parent_buffer;
	HnswNode   *node;
	int			from;
	int			to;

	if (has_child)
	{
		HnswNodeImage holder;
		HnswNodeImage child;

		if (!vdb_hnsw_vacuum_copy(v, a->holder, &holder) ||
			!vdb_hnsw_vacuum_copy(v, a->child, &child))
			return false;
		factors = vdb_hnsw_vacuum_encode(v, holder.stored, child.stored);
	}
	if (!lock_both(v, a->holder, parent, &holder_buffer, &parent_buffer))
		return false;
	node = node_of(v, BufferGetPage(holder_buffer), a->holder);
	to = find_anchor(v, node, a->dying);
	from = has_child ? find_anchor(v, node_of(v, BufferGetPage(parent_buffer), parent), a->child) : 0;
	if (to < 0 || from < 0)
	{
		unlock_both(holder_buffer, parent_buffer);
		return false;
	}

	xlog = GenericXLogStart(index->relation);
	node = node_of(v, GenericXLogRegisterBuffer(xlog, holder_buffer, 0), a->holder);
	if (has_child)
	{
		int			other = vdb_hnsw_find_number(index, node, vdb_hnsw_slots_of(index, node),
												 a->child);

		if (other >= 0)
			clear_anchor(v, node, to);
		vdb_hnsw_vacuum_set_slot(v, node, other >= 0 ? other : to,
								 vdb_hnsw_make_ref(vdb_hnsw_ref_number(a->child), a->child.extra | HNSW_ANCHOR),
								 factors);
		clear_anchor(v, node_of(v, GenericXLogRegisterBuffer(xlog, parent_buffer, 0), parent), from);
	}
	else
		clear_anchor(v, node, to);
	GenericXLogFinish(xlog);
	unlock_both(holder_buffer, parent_buffer);
	return true;
}

/*
 * The same where the DYING node is the root: the first child is the new one.
 * Without a child the index is empty, and has no entry either.
 */
static bool
finish_root(HnswVacuum *v, Anchor *a)
{
	HnswIndex  *index = v->index;
	bool		has_child = vdb_hnsw_ref_is_valid(a->child);
	Buffer		buffer = vdb_hnsw_read(index, HNSW_META_BLOCK, BUFFER_LOCK_EXCLUSIVE,
									   HNSW_PAGE_META);
	Buffer		parent_buffer = InvalidBuffer;
	GenericXLogState *xlog;
	HnswMeta   *meta = vdb_hnsw_meta(BufferGetPage(buffer));
	int			from = 0;

	if (!vdb_hnsw_ref_equals(meta->root, a->dying))
	{
		UnlockReleaseBuffer(buffer);
		return false;
	}
	if (has_child)
	{
		parent_buffer = vdb_hnsw_read(index, vdb_hnsw_block(index, vdb_hnsw_ref_number(a->parent)),
									  BUFFER_LOCK_EXCLUSIVE, HNSW_PAGE_NODES);
		from = find_anchor(v, node_of(v, BufferGetPage(parent_buffer), a->parent), a->child);
	}
	if (from >= 0)
	{
		xlog = GenericXLogStart(index->relation);
		meta = vdb_hnsw_meta(GenericXLogRegisterBuffer(xlog, buffer, 0));
		meta->root = a->child;
		if (has_child)
			clear_anchor(v, node_of(v, GenericXLogRegisterBuffer(xlog, parent_buffer, 0), a->parent), from);
		else
		{
			meta->entry = vdb_hnsw_no_ref();
			meta->entry_level = 0;
		}
		GenericXLogFinish(xlog);
	}
	if (has_child)
		UnlockReleaseBuffer(parent_buffer);
	UnlockReleaseBuffer(buffer);
	return from >= 0;
}

/*
 * Locks the pages of two nodes exclusively, in the order of their blocks; both
 * buffers are the same where the pages are.  False, with nothing held, if one
 * of the refs is stale.
 */
static bool
lock_both(HnswVacuum *v, HnswRef a, HnswRef b, Buffer *buffer_a, Buffer *buffer_b)
{
	HnswIndex  *index = v->index;
	BlockNumber block_a = vdb_hnsw_block(index, vdb_hnsw_ref_number(a));
	BlockNumber block_b = vdb_hnsw_block(index, vdb_hnsw_ref_number(b));

	if (block_a <= block_b)
		*buffer_a = vdb_hnsw_read(index, block_a, BUFFER_LOCK_EXCLUSIVE, HNSW_PAGE_NODES);
	if (block_a == block_b)
		*buffer_b = *buffer_a;
	else
		*buffer_b = vdb_hnsw_read(index, block_b, BUFFER_LOCK_EXCLUSIVE, HNSW_PAGE_NODES);
	if (block_a > block_b)
		*buffer_a = vdb_hnsw_read(index, block_a, BUFFER_LOCK_EXCLUSIVE, HNSW_PAGE_NODES);

	if (node_of(v, BufferGetPage(*buffer_a), a)->version == vdb_hnsw_ref_version(a) &&
		node_of(v, BufferGetPage(*buffer_b), b)->version == vdb_hnsw_ref_version(b))
		return true;
	unlock_both(*buffer_a, *buffer_b);
	return false;
}

static void
unlock_both(Buffer a, Buffer b)
{
	UnlockReleaseBuffer(a);
	if (b != a)
		UnlockReleaseBuffer(b);
}

static HnswNode *
node_of(HnswVacuum *v, Page page, HnswRef ref)
{
	return vdb_hnsw_node_at(v->index, page, vdb_hnsw_place(v->index, vdb_hnsw_ref_number(ref)));
}

/*
 * The slot of the anchored link from a node to the one that ref names, or -1.
 */
static int
find_anchor(HnswVacuum *v, HnswNode *node, HnswRef ref)
{
	char	   *slots = vdb_hnsw_slots_of(v->index, node);
	int			i = vdb_hnsw_find_link(v->index, node, slots, ref);

	return i >= 0 && vdb_hnsw_ref_is_anchor(vdb_hnsw_link(v->index, slots, i)) ? i : -1;
}
