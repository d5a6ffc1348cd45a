/*-------------------------------------------------------------------------
 *
 * reclaim.c
 *	  Pass 4 of a vacuum: what nothing needs any more becomes free.
 *
 *-------------------------------------------------------------------------
 */
#include "pg_compat.h"

#include "hnsw/alloc.h"
#include "hnsw/posting.h"
#include "hnsw/vacuum.h"
#include "miscadmin.h"

/* DYING nodes still to be visited */
typedef struct Stack
{
	HnswRef    *ref;
	int			depth;
	int			room;
} Stack;

static bool is_childless(HnswVacuum *v, HnswRef dying);
static bool visit(HnswVacuum *v, Stack *stack, HnswRef dying);
static void forget(HnswVacuum *v, HnswRef dying);
static void push(Stack *stack, HnswRef ref);
static int	free_nodes(HnswVacuum *v, BlockNumber block, const HnswRef *refs, int n);
static int	copy_owners(HnswVacuum *v, BlockNumber block, HnswRef *owners);
static void free_orphan(HnswVacuum *v, HnswRef owner, HnswRef segment);

/*
 * Frees the DYING nodes of a page in one record, but for those that still
 * anchor LIVE ones: they wait for the next vacuum.  Takes memory of the page
 * context.
 */
void
vdb_hnsw_reclaim_nodes(HnswVacuum *v, BlockNumber block)
{
	HnswIndex  *index = v->index;
	MemoryContext old = MemoryContextSwitchTo(v->page_context);
	HnswRef    *refs = vdb_palloc_array(HnswRef, index->nodes_per_page);
	int			n = 0;
	Buffer		buffer;

	if (vdb_hnsw_try_read_nodes(index, block, BUFFER_LOCK_SHARE, v->strategy, &buffer))
	{
		for (int place = 0; place < index->nodes_per_page; place++)
		{
			HnswNode   *node = vdb_hnsw_node_at(index, BufferGetPage(buffer), place);

			if (node->state == HNSW_DYING)
				refs[n++] = vdb_hnsw_make_ref(vdb_hnsw_number(index, block, place), node->version);
		}
		UnlockReleaseBuffer(buffer);
	}
	for (int i = 0; i < n;)
	{
		if (is_childless(v, refs[i]))
			i++;
		else
			refs[i] = refs[--n];
	}
	if (n > 0)
	{
		int			nfree = free_nodes(v, block, refs, n);

		vdb_hnsw_has_room(index, block);
		if (nfree == index->nodes_per_page)
		{
			v->stats->pages_newly_deleted++;
			v->stats->pages_deleted++;
			v->stats->pages_free++;
		}
	}
	MemoryContextSwitchTo(old);
}

/*
 * Whether no anchors lead from a DYING node to a LIVE one, also not through
 * other DYING ones.  Those that are known to have none are in v->seen.
 */
static bool
is_childless(HnswVacuum *v, HnswRef dying)
{
	Stack		stack = {NULL, 0, 0};
	bool		result = true;

	push(&stack, dying);
	while (stack.depth > 0 && result)
	{
		CHECK_FOR_INTERRUPTS();
		result = visit(v, &stack, stack.ref[--stack.depth]);
	}
	pfree(stack.ref);
	if (!result)
		forget(v, dying);
	return result;
}

/*
 * Adds a DYING node to v->seen and those that it anchors to the stack; false if
 * one of them is LIVE.
 */
static bool
visit(HnswVacuum *v, Stack *stack, HnswRef dying)
{
	HnswIndex  *index = v->index;
	bool		result = true;
	HnswRef    *anchors;
	HnswNodeView view;
	Buffer		buffer;
	int			n = 0;

	if (vdb_hnsw_set_has(&v->seen, vdb_hnsw_ref_number(dying)) ||
		!vdb_hnsw_read_node(index, dying, BUFFER_LOCK_SHARE, NULL, &buffer, &view))
		return true;
	vdb_hnsw_set_add(&v->seen, vdb_hnsw_ref_number(dying));
	anchors = vdb_palloc_array(HnswRef, index->slots);
	for (int i = 0; i < view.node->nlinks; i++)
	{
		HnswRef		ref = vdb_hnsw_link(index, view.slots, i);

		if (vdb_hnsw_ref_is_anchor(ref))
			anchors[n++] = ref;
	}
	UnlockReleaseBuffer(buffer);

	for (int i = 0; i < n && result; i++)
	{
		if (vdb_hnsw_is_dying(v, anchors[i]))
			push(stack, anchors[i]);
		else if (vdb_hnsw_read_node(index, anchors[i], BUFFER_LOCK_SHARE, NULL, &buffer, &view))
		{
			result = false;
			UnlockReleaseBuffer(buffer);
		}
	}
	pfree(anchors);
	return result;
}

/*
 * Takes a DYING node and those below it, as far as they are in v->seen, out of
 * it: one of them has turned out to have a LIVE child.
 */
static void
forget(HnswVacuum *v, HnswRef dying)
{
	Stack		stack = {NULL, 0, 0};

	push(&stack, dying);
	while (stack.depth > 0)
	{
		HnswRef		ref = stack.ref[--stack.depth];
		HnswNodeView view;
		Buffer		buffer;

		CHECK_FOR_INTERRUPTS();
		if (!vdb_hnsw_set_has(&v->seen, vdb_hnsw_ref_number(ref)))
			continue;
		vdb_hnsw_set_remove(&v->seen, vdb_hnsw_ref_number(ref));
		if (!vdb_hnsw_read_node(v->index, ref, BUFFER_LOCK_SHARE, NULL, &buffer, &view))
			continue;
		for (int i = 0; i < view.node->nlinks; i++)
		{
			HnswRef		link = vdb_hnsw_link(v->index, view.slots, i);

			if (vdb_hnsw_ref_is_anchor(link))
				push(&stack, link);
		}
		UnlockReleaseBuffer(buffer);
	}
	pfree(stack.ref);
}

static void
push(Stack *stack, HnswRef ref)
{
	if (stack->depth == stack->room)
	{
		stack->room = Max(64, 2 * stack->room);
		stack->ref = stack->ref == NULL ? vdb_palloc_array(HnswRef, stack->room) : (HnswRef *) repalloc_huge(stack->ref, sizeof(HnswRef) * (Size) stack->room);
	}
	stack->ref[stack->depth++] = ref;
}

/*
 * Frees n DYING nodes of a page, their segments before, and returns how many
 * FREE places the page has then.
 */
static int
free_nodes(HnswVacuum *v, BlockNumber block, const HnswRef *refs, int n)
{
	HnswIndex  *index = v->index;
	Buffer		buffer = vdb_hnsw_read(index, block, BUFFER_LOCK_EXCLUSIVE, HNSW_PAGE_NODES);
	GenericXLogState *xlog;
	Page		page;
	int			nfree = 0;

	for (int i = 0; i < n; i++)
	{
		HnswNode   *node = vdb_hnsw_node_at(index, BufferGetPage(buffer),
											vdb_hnsw_place(index, vdb_hnsw_ref_number(refs[i])));

		if (node->level == 0 && vdb_hnsw_ref_is_valid(node->next))
			vdb_hnsw_free_segments(index, refs[i], node->next);
	}
	xlog = GenericXLogStart(index->relation);
	page = GenericXLogRegisterBuffer(xlog, buffer, 0);
	for (int i = 0; i < n; i++)
	{
		uint32		number = vdb_hnsw_ref_number(refs[i]);
		HnswNode   *node = vdb_hnsw_node_at(index, page, vdb_hnsw_place(index, number));

		node->state = HNSW_FREE;
		node->version = (node->version + 1) & HNSW_VERSION_MASK;
		node->level = 0;
		node->nlinks = 0;
		node->ntids = 0;
		node->next = vdb_hnsw_no_ref();
		vdb_hnsw_set_remove(&v->dying, number);
	}
	for (int place = 0; place < index->nodes_per_page; place++)
		if (vdb_hnsw_node_at(index, page, place)->state == HNSW_FREE)
			nfree++;
	GenericXLogFinish(xlog);
	UnlockReleaseBuffer(buffer);
	return nfree;
}

/*
 * Frees the segments of a page whose owners are gone, if the page is one of
 * segments.
 */
void
vdb_hnsw_reclaim_segments(HnswVacuum *v, BlockNumber block)
{
	HnswRef		owners[HNSW_SEGMENTS_PER_PAGE];
	int			n = copy_owners(v, block, owners);
	HnswRef		living = vdb_hnsw_no_ref();

	for (int i = 0; i < n; i++)
	{
		HnswNodeView view;
		Buffer		buffer;

		if (!vdb_hnsw_ref_is_valid(owners[i]) || vdb_hnsw_ref_equals(owners[i], living))
			continue;
		if (vdb_hnsw_read_node(v->index, owners[i], BUFFER_LOCK_SHARE, NULL, &buffer, &view))
		{
			UnlockReleaseBuffer(buffer);
			living = owners[i];
		}
		else
			free_orphan(v, owners[i], vdb_hnsw_make_ref(block, (uint16) i));
	}
}

/*
 * Lets appends know of the pages that have free segments now.
 */
void
vdb_hnsw_list_segments(HnswVacuum *v)
{
	HnswIndex  *index = v->index;

	for (BlockNumber block = HNSW_META_BLOCK + 1; block < index->nblocks; block++)
	{
		Buffer		buffer;
		bool		is_unlisted;

		if (!vdb_hnsw_set_has(&v->postings, block))
			continue;
		vdb_vacuum_delay_point();
		buffer = vdb_hnsw_read(index, block, BUFFER_LOCK_SHARE, HNSW_PAGE_POSTINGS);
		is_unlisted = vdb_hnsw_postings_unlisted(BufferGetPage(buffer));
		UnlockReleaseBuffer(buffer);
		if (is_unlisted)
			vdb_hnsw_list_postings(index, block);
	}
}

/*
 * Copies the owners of the segments of a page; 0 if it is no page of segments.
 */
static int
copy_owners(HnswVacuum *v, BlockNumber block, HnswRef *owners)
{
	Buffer		buffer = ReadBufferExtended(v->index->relation, MAIN_FORKNUM, block, RBM_NORMAL,
											v->strategy);
	Page		page = BufferGetPage(buffer);
	int			n = 0;

	LockBuffer(buffer, BUFFER_LOCK_SHARE);
	if (vdb_hnsw_is_kind(page, HNSW_PAGE_POSTINGS))
	{
		vdb_hnsw_set_add(&v->postings, block);
		for (; n < HNSW_SEGMENTS_PER_PAGE; n++)
			owners[n] = vdb_hnsw_segment(page, n)->owner;
	}
	UnlockReleaseBuffer(buffer);
	return n;
}

/*
 * Frees a segment, and the older ones of its chain, with the page of its
 * former owner locked.  Nobody can own it any more: versions only advance.
 */
static void
free_orphan(HnswVacuum *v, HnswRef owner, HnswRef segment)
{
	HnswIndex  *index = v->index;
	Buffer		buffer = vdb_hnsw_read(index, vdb_hnsw_block(index, vdb_hnsw_ref_number(owner)),
									   BUFFER_LOCK_EXCLUSIVE, HNSW_PAGE_NODES);

	vdb_hnsw_free_segments(index, owner, segment);
	UnlockReleaseBuffer(buffer);
}
