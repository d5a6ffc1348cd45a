/*-------------------------------------------------------------------------
 *
 * posting.c
 *	  Heap TIDs of a node: four in the node, the rest in segments.
 *
 * A node's chain of segments changes only under the exclusive lock of the
 * node's page (P6), and TIDs stay where they are (P5).  New segments go to the
 * head.  Vacuum removes empty segments from the tail only: a scan that holds
 * a ref to a segment from before then loses nothing but what was dead, and one
 * in the middle of the chain still leads on.
 *
 * Pages with free segments are chained from the metapage, in no order.  A page
 * of the chain says so (is_listed), may be full in fact, and leaves the chain
 * when that is found.  The chain changes under the metapage's exclusive lock,
 * taken before any other; so appending, which has the node locked, only ever
 * looks at its head, and lets go of everything when that needs to change.
 *
 *-------------------------------------------------------------------------
 */
#include "pg_compat.h"

#include "access/generic_xlog.h"
#include "hnsw/alloc.h"
#include "hnsw/posting.h"
#include "miscadmin.h"

/* What an attempt to append came to */
typedef enum Append
{
	APPEND_DONE,
	APPEND_GONE,				/* the node */
	APPEND_NO_SEGMENT			/* the page tried has no free segment */
} Append;

static Append append_locked(HnswIndex *index, Buffer buffer, HnswNode *node, HnswRef ref,
							ItemPointer tid, BlockNumber room);
static void append_to_node(HnswIndex *index, Buffer buffer, HnswRef ref, ItemPointer tid);
static bool append_to_segment(HnswIndex *index, Buffer buffer, HnswRef head, HnswRef owner,
							  ItemPointer tid);
static bool start_segment(HnswIndex *index, Buffer node_buffer, HnswRef owner, HnswRef older,
						  Buffer buffer, ItemPointer tid);
static void renew_listed(HnswIndex *index, BlockNumber full);
static int	free_segment(Page page);
static HnswNode *node_image(const HnswIndex *index, GenericXLogState *state, Buffer buffer,
							HnswRef ref);

/*
 * Copies the TIDs of a segment that must belong to owner; see posting.h.
 */
int
vdb_hnsw_read_segment(HnswIndex *index, HnswRef ref, HnswRef owner,
					  ItemPointerData *tids, HnswRef *next)
{
	Buffer		buffer = vdb_hnsw_read_segment_page(index, ref, BUFFER_LOCK_SHARE);
	HnswSegment *segment = vdb_hnsw_segment_of(index, BufferGetPage(buffer), ref, owner);
	int			n = 0;

	*next = vdb_hnsw_no_ref();
	if (segment != NULL)
	{
		n = segment->ntids;
		memcpy(tids, segment->tids, sizeof(ItemPointerData) * (Size) n);
		*next = segment->next;
	}
	UnlockReleaseBuffer(buffer);
	return n;
}

/*
 * Adds a heap TID to a node; see posting.h.  No content lock may be held.
 */
bool
vdb_hnsw_append_tid(HnswIndex *index, HnswRef ref, ItemPointer tid)
{
	BlockNumber room = InvalidBlockNumber;

	for (;;)
	{
		Append		result = APPEND_GONE;
		HnswMeta	meta;
		HnswNodeView view;
		Buffer		buffer;

		CHECK_FOR_INTERRUPTS();
		if (vdb_hnsw_read_node(index, ref, BUFFER_LOCK_EXCLUSIVE, NULL, &buffer, &view))
		{
			if (view.node->state == HNSW_LIVE && view.node->level == 0)
				result = append_locked(index, buffer, view.node, ref, tid, room);
			UnlockReleaseBuffer(buffer);
		}
		if (result != APPEND_NO_SEGMENT)
			return result == APPEND_DONE;

		vdb_hnsw_read_meta(index, &meta);
		if (!BlockNumberIsValid(meta.postings) || meta.postings == room)
		{
			renew_listed(index, room);
			vdb_hnsw_read_meta(index, &meta);
		}
		room = meta.postings;
	}
}

/*
 * Appends to a LIVE node on a page that is locked exclusively: to the node, to
 * its newest segment, to a new one on the same page, or to one on the page
 * room, if that is valid.
 */
static Append
append_locked(HnswIndex *index, Buffer buffer, HnswNode *node, HnswRef ref, ItemPointer tid,
			  BlockNumber room)
{
	HnswRef		head = node->next;
	Buffer		postings;
	bool		is_done;

	if (node->ntids < HNSW_INLINE_TIDS)
	{
		append_to_node(index, buffer, ref, tid);
		return APPEND_DONE;
	}
	if (vdb_hnsw_ref_is_valid(head))
	{
		postings = vdb_hnsw_read_segment_page(index, head, BUFFER_LOCK_EXCLUSIVE);
		is_done = append_to_segment(index, postings, head, ref, tid) ||
			start_segment(index, buffer, ref, head, postings, tid);
		UnlockReleaseBuffer(postings);
		if (is_done)
			return APPEND_DONE;
	}
	if (!BlockNumberIsValid(room))
		return APPEND_NO_SEGMENT;
	postings = vdb_hnsw_read(index, room, BUFFER_LOCK_EXCLUSIVE, HNSW_PAGE_POSTINGS);
	is_done = start_segment(index, buffer, ref, head, postings, tid);
	UnlockReleaseBuffer(postings);
	return is_done ? APPEND_DONE : APPEND_NO_SEGMENT;
}

/*
 * Registers the page of a node and returns the node in the image.
 */
static HnswNode *
node_image(const HnswIndex *index, GenericXLogState *state, Buffer buffer, HnswRef ref)
{
	return vdb_hnsw_node_at(index, GenericXLogRegisterBuffer(state, buffer, 0),
							vdb_hnsw_place(index, vdb_hnsw_ref_number(ref)));
}

static void
append_to_node(HnswIndex *index, Buffer buffer, HnswRef ref, ItemPointer tid)
{
	GenericXLogState *state = GenericXLogStart(index->relation);
	HnswNode   *node = node_image(index, state, buffer, ref);

	node->tids[node->ntids++] = *tid;
	GenericXLogFinish(state);
}

/*
 * Appends to the newest segment, on a page locked exclusively, if it has room.
 */
static bool
append_to_segment(HnswIndex *index, Buffer buffer, HnswRef head, HnswRef owner, ItemPointer tid)
{
	HnswSegment *segment = vdb_hnsw_segment_of(index, BufferGetPage(buffer), head, owner);
	GenericXLogState *state;

	if (segment == NULL)
		vdb_hnsw_corrupted(index->relation, vdb_hnsw_ref_number(head), "segment: not its node's");
	if (segment->ntids == HNSW_SEGMENT_TIDS)
		return false;
	state = GenericXLogStart(index->relation);
	segment = vdb_hnsw_segment(GenericXLogRegisterBuffer(state, buffer, 0), head.extra);
	segment->tids[segment->ntids++] = *tid;
	GenericXLogFinish(state);
	return true;
}

/*
 * Starts a new newest segment of the node owner on a page of POSTINGS, both
 * pages locked exclusively.  False if it has no free segment.
 */
static bool
start_segment(HnswIndex *index, Buffer node_buffer, HnswRef owner, HnswRef older,
			  Buffer buffer, ItemPointer tid)
{
	int			place = free_segment(BufferGetPage(buffer));
	GenericXLogState *state;
	HnswSegment *segment;

	if (place < 0)
		return false;
	state = GenericXLogStart(index->relation);
	node_image(index, state, node_buffer, owner)->next =
		vdb_hnsw_make_ref(BufferGetBlockNumber(buffer), (uint16) place);
	segment = vdb_hnsw_segment(GenericXLogRegisterBuffer(state, buffer, 0), place);
	memset(segment, 0, sizeof(*segment));
	segment->owner = vdb_hnsw_make_ref(vdb_hnsw_ref_number(owner), vdb_hnsw_ref_version(owner));
	segment->next = older;
	segment->ntids = 1;
	segment->tids[0] = *tid;
	GenericXLogFinish(state);
	return true;
}

/*
 * Sees to it that the metapage's chain begins with another page than full,
 * which is out of segments (invalid: the chain was empty): with the next one,
 * or with a new one if there is none.  No content lock may be held.
 */
static void
renew_listed(HnswIndex *index, BlockNumber full)
{
	Buffer		meta_buffer = vdb_hnsw_read(index, HNSW_META_BLOCK, BUFFER_LOCK_EXCLUSIVE,
											HNSW_PAGE_META);
	BlockNumber first = vdb_hnsw_meta(BufferGetPage(meta_buffer))->postings;
	GenericXLogState *state;
	Buffer		buffer;
	HnswOpaque *opaque;

	if (first == full)
	{
		if (BlockNumberIsValid(full))
			buffer = vdb_hnsw_read(index, full, BUFFER_LOCK_EXCLUSIVE, HNSW_PAGE_POSTINGS);
		else
			buffer = vdb_hnsw_extend_postings(index);
		if (!BlockNumberIsValid(full) || free_segment(BufferGetPage(buffer)) < 0)
		{
			state = GenericXLogStart(index->relation);
			opaque = vdb_hnsw_opaque(GenericXLogRegisterBuffer(state, buffer, 0));
			opaque->is_listed = !BlockNumberIsValid(full);
			vdb_hnsw_meta(GenericXLogRegisterBuffer(state, meta_buffer, 0))->postings =
				BlockNumberIsValid(full) ? opaque->next : BufferGetBlockNumber(buffer);
			opaque->next = InvalidBlockNumber;
			GenericXLogFinish(state);
		}
		UnlockReleaseBuffer(buffer);
	}
	UnlockReleaseBuffer(meta_buffer);
}

/*
 * Puts a page of POSTINGS with free segments into the metapage's chain; see
 * posting.h.
 */
void
vdb_hnsw_list_postings(HnswIndex *index, BlockNumber block)
{
	Buffer		meta_buffer = vdb_hnsw_read(index, HNSW_META_BLOCK, BUFFER_LOCK_EXCLUSIVE,
											HNSW_PAGE_META);
	Buffer		buffer = vdb_hnsw_read(index, block, BUFFER_LOCK_EXCLUSIVE, HNSW_PAGE_POSTINGS);
	Page		page = BufferGetPage(buffer);

	if (vdb_hnsw_postings_unlisted(page) &&
		vdb_hnsw_meta(BufferGetPage(meta_buffer))->postings != block)
	{
		GenericXLogState *state = GenericXLogStart(index->relation);
		HnswOpaque *opaque = vdb_hnsw_opaque(GenericXLogRegisterBuffer(state, buffer, 0));
		HnswMeta   *meta = vdb_hnsw_meta(GenericXLogRegisterBuffer(state, meta_buffer, 0));

		opaque->is_listed = 1;
		opaque->next = meta->postings;
		meta->postings = block;
		GenericXLogFinish(state);
	}
	UnlockReleaseBuffer(buffer);
	UnlockReleaseBuffer(meta_buffer);
}

/*
 * Whether a locked page of POSTINGS has free segments and is not in the chain.
 */
bool
vdb_hnsw_postings_unlisted(Page page)
{
	return vdb_hnsw_opaque(page)->is_listed == 0 && free_segment(page) >= 0;
}

/*
 * Reads the page of a segment: pinned and locked on return.
 */
Buffer
vdb_hnsw_read_segment_page(HnswIndex *index, HnswRef ref, int lockmode)
{
	BlockNumber block = vdb_hnsw_ref_number(ref);

	if (ref.extra >= HNSW_SEGMENTS_PER_PAGE)
		vdb_hnsw_corrupted(index->relation, block, "link to a segment: there is none such");
	return vdb_hnsw_read(index, block, lockmode, HNSW_PAGE_POSTINGS);
}

/*
 * The segment that ref names on its page, or NULL if it is not owner's.
 */
HnswSegment *
vdb_hnsw_segment_of(HnswIndex *index, Page page, HnswRef ref, HnswRef owner)
{
	HnswSegment *segment = vdb_hnsw_segment(page, ref.extra);

	if (!vdb_hnsw_ref_is_valid(segment->owner) || !vdb_hnsw_ref_equals(segment->owner, owner))
		return NULL;
	if (segment->ntids > HNSW_SEGMENT_TIDS)
		vdb_hnsw_corrupted(index->relation, vdb_hnsw_ref_number(ref), "segment");
	return segment;
}

/*
 * A free segment on a locked page of POSTINGS, or -1.
 */
static int
free_segment(Page page)
{
	for (int i = 0; i < HNSW_SEGMENTS_PER_PAGE; i++)
	{
		if (!vdb_hnsw_ref_is_valid(vdb_hnsw_segment(page, i)->owner))
			return i;
	}
	return -1;
}
