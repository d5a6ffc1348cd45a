/*-------------------------------------------------------------------------
 *
 * posting_vacuum.c
 *	  Removal of heap TIDs from segments, and of segments; see posting.c.
 *
 *-------------------------------------------------------------------------
 */
#include "pg_compat.h"

#include "access/generic_xlog.h"
#include "hnsw/posting.h"
#include "hnsw/scan.h"

/* A segment of a chain, as vacuum remembers it */
typedef struct Link
{
	HnswRef		ref;
	int			ntids;
} Link;

/* The segments of a chain */
typedef struct Chain
{
	Link	   *links;
	int64		count;
	int64		capacity;
} Chain;

static void collect_chain(HnswIndex *index, HnswRef owner, HnswRef first, Chain *chain);
static int	vacuum_segment(HnswIndex *index, HnswRef ref, HnswRef owner,
						   IndexBulkDeleteCallback callback, void *callback_state,
						   int64 *removed);
static void release_segment(HnswIndex *index, HnswRef ref, HnswRef newer, HnswRef owner);

/*
 * Removes dead TIDs from the segments of a node; see posting.h.
 */
int64
vdb_hnsw_vacuum_segments(HnswIndex *index, HnswRef owner, HnswRef first,
						 IndexBulkDeleteCallback callback, void *callback_state,
						 int64 *removed)
{
	Chain		chain;
	int64		left = 0;

	collect_chain(index, owner, first, &chain);
	for (int64 i = 0; i < chain.count; i++)
	{
		chain.links[i].ntids = vacuum_segment(index, chain.links[i].ref, owner, callback,
											  callback_state, removed);
		left += chain.links[i].ntids;
	}
	/* the head stays, since the node leads to it */
	for (int64 i = chain.count - 1; i > 0 && chain.links[i].ntids == 0; i--)
		release_segment(index, chain.links[i].ref, chain.links[i - 1].ref, owner);
	if (chain.links != NULL)
		pfree(chain.links);
	return left;
}

/*
 * Frees all segments of a node; see posting.h.  From the tail on, so that a
 * crash leaves a chain that can still be followed.
 */
void
vdb_hnsw_free_segments(HnswIndex *index, HnswRef owner, HnswRef first)
{
	Chain		chain;

	collect_chain(index, owner, first, &chain);
	for (int64 i = chain.count - 1; i >= 0; i--)
		release_segment(index, chain.links[i].ref,
						i > 0 ? chain.links[i - 1].ref : vdb_hnsw_no_ref(), owner);
	if (chain.links != NULL)
		pfree(chain.links);
}

/*
 * Follows a chain to its end, or to a segment that is not owner's: the head of
 * a node whose segments were freed before a crash.
 */
static void
collect_chain(HnswIndex *index, HnswRef owner, HnswRef first, Chain *chain)
{
	HnswChainGuard guard = {0};
	HnswRef		next;

	memset(chain, 0, sizeof(*chain));
	for (HnswRef ref = first; vdb_hnsw_ref_is_valid(ref); ref = next)
	{
		Buffer		buffer = vdb_hnsw_read_segment_page(index, ref, BUFFER_LOCK_SHARE);
		HnswSegment *segment = vdb_hnsw_segment_of(index, BufferGetPage(buffer), ref, owner);

		next = segment != NULL ? segment->next : vdb_hnsw_no_ref();
		UnlockReleaseBuffer(buffer);
		if (segment == NULL)
			break;
		vdb_hnsw_guard_chain(index, &guard, ref);
		if (chain->count == chain->capacity)
		{
			Size		n;

			chain->capacity = Max(16, 2 * chain->capacity);
			n = sizeof(Link) * (Size) chain->capacity;
			chain->links = (Link *) (chain->links == NULL ? palloc(n) :
															repalloc_huge(chain->links, n));
		}
		chain->links[chain->count].ref = ref;
		chain->links[chain->count++].ntids = 0;
	}
}

/*
 * Removes dead TIDs from one segment; returns how many are left.
 */
static int
vacuum_segment(HnswIndex *index, HnswRef ref, HnswRef owner, IndexBulkDeleteCallback callback,
			   void *callback_state, int64 *removed)
{
	Buffer		buffer = vdb_hnsw_read_segment_page(index, ref, BUFFER_LOCK_EXCLUSIVE);
	HnswSegment *segment = vdb_hnsw_segment_of(index, BufferGetPage(buffer), ref, owner);
	ItemPointerData kept[HNSW_SEGMENT_TIDS];
	int			before = segment != NULL ? segment->ntids : 0;
	int			n = 0;

	for (int i = 0; i < before; i++)
	{
		vdb_hnsw_check_tid(index->relation, NULL, NULL, &segment->tids[i]);
		if (!callback(&segment->tids[i], callback_state))
			kept[n++] = segment->tids[i];
	}
	if (n < before)
	{
		GenericXLogState *state = GenericXLogStart(index->relation);

		segment = vdb_hnsw_segment(GenericXLogRegisterBuffer(state, buffer, 0), ref.extra);
		memset(segment->tids, 0, sizeof(segment->tids));
		memcpy(segment->tids, kept, sizeof(ItemPointerData) * (Size) n);
		segment->ntids = (uint16) n;
		GenericXLogFinish(state);
		*removed += before - n;
	}
	UnlockReleaseBuffer(buffer);
	return n;
}

/*
 * Frees the last segment of a chain; newer, if valid, is the one before it,
 * which ends the chain from now on.  One record, so that no segment has an
 * owner that does not know it.
 */
static void
release_segment(HnswIndex *index, HnswRef ref, HnswRef newer, HnswRef owner)
{
	BlockNumber block = vdb_hnsw_ref_number(ref);
	BlockNumber other = vdb_hnsw_ref_is_valid(newer) ? vdb_hnsw_ref_number(newer) : block;
	Buffer		low = vdb_hnsw_read(index, Min(block, other), BUFFER_LOCK_EXCLUSIVE,
									HNSW_PAGE_POSTINGS);
	Buffer		high = low;
	GenericXLogState *state;
	Page		page;
	HnswSegment *segment;

	if (block != other)
		high = vdb_hnsw_read(index, Max(block, other), BUFFER_LOCK_EXCLUSIVE, HNSW_PAGE_POSTINGS);
	state = GenericXLogStart(index->relation);
	page = GenericXLogRegisterBuffer(state, block < other ? low : high, 0);
	segment = vdb_hnsw_segment_of(index, page, ref, owner);
	if (segment != NULL)
	{
		memset(segment, 0, sizeof(*segment));
		segment->owner = vdb_hnsw_no_ref();
		segment->next = vdb_hnsw_no_ref();
	}
	if (vdb_hnsw_ref_is_valid(newer))
	{
		if (block != other)
			page = GenericXLogRegisterBuffer(state, block < other ? high : low, 0);
		segment = vdb_hnsw_segment_of(index, page, newer, owner);
		if (segment != NULL)
			segment->next = vdb_hnsw_no_ref();
	}
	GenericXLogFinish(state);
	if (high != low)
		UnlockReleaseBuffer(high);
	UnlockReleaseBuffer(low);
}
