/*-------------------------------------------------------------------------
 *
 * posting.h
 *	  Heap TIDs of a node: four in the node, the rest in segments.
 *
 *-------------------------------------------------------------------------
 */
#ifndef VDB_HNSW_POSTING_H
#define VDB_HNSW_POSTING_H

#include "hnsw/index.h"

/*
 * Copies the TIDs of the segment at ref, which must belong to owner, to tids
 * (room for HNSW_SEGMENT_TIDS).  Returns their number and the older segment in
 * *next; 0 and an invalid *next when the segment is no longer owner's.  Locks
 * its page for sharing meanwhile.
 */
extern int	vdb_hnsw_read_segment(HnswIndex *index, HnswRef ref, HnswRef owner,
								  ItemPointerData *tids, HnswRef *next);

/*
 * Whoever follows a chain with vdb_hnsw_read_segment() shows each ref to a
 * guard, which begins as zeroes: it raises an error if there is no end (page.c).
 */
typedef struct HnswChainGuard
{
	HnswRef		seen;
	uint64		hops;
} HnswChainGuard;

extern void vdb_hnsw_guard_chain(HnswIndex *index, HnswChainGuard *guard, HnswRef ref);

/*
 * The page of a segment, pinned and locked; and the segment there, NULL if it
 * is not owner's.
 */
extern Buffer vdb_hnsw_read_segment_page(HnswIndex *index, HnswRef ref, int lockmode);
extern HnswSegment *vdb_hnsw_segment_of(HnswIndex *index, Page page, HnswRef ref,
										HnswRef owner);

/*
 * Adds a heap TID to the node that ref names.  False, with nothing done, if it
 * is no longer LIVE or has another version.
 */
extern bool vdb_hnsw_append_tid(HnswIndex *index, HnswRef ref, ItemPointer tid);

/*
 * With the node's page locked exclusively by the caller (vacuum): drops the
 * TIDs of its segments that the callback calls dead; returns how many are
 * left, and adds to *removed.  Frees segments at the end of the chain that
 * are empty, but never the first one, so the node does not change.
 */
extern int64 vdb_hnsw_vacuum_segments(HnswIndex *index, HnswRef owner, HnswRef first,
									  IndexBulkDeleteCallback callback,
									  void *callback_state, int64 *removed);

/*
 * A page of POSTINGS that the caller has locked has free segments that no
 * append will find.  Vacuum then lets go of the page and lists it.
 */
extern bool vdb_hnsw_postings_unlisted(Page page);

/*
 * Puts a page of POSTINGS with free segments into the metapage's chain, if it is
 * not there.  Locks the metapage, so no content lock may be held.
 */
extern void vdb_hnsw_list_postings(HnswIndex *index, BlockNumber block);

/* Frees all segments of a node that is about to become FREE; same locking. */
extern void vdb_hnsw_free_segments(HnswIndex *index, HnswRef owner, HnswRef first);

#endif							/* VDB_HNSW_POSTING_H */
