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
 * Adds a heap TID to the node that ref names.  False, with nothing done, if it
 * is no longer LIVE or has another version.
 */
extern bool vdb_hnsw_append_tid(HnswIndex *index, HnswRef ref, ItemPointer tid);

/*
 * With the node's page locked exclusively by the caller (vacuum): drops the
 * TIDs of its segments that the callback calls dead; returns how many are
 * left, and adds to *removed.
 */
extern int64 vdb_hnsw_vacuum_segments(HnswIndex *index, HnswRef owner, HnswRef first,
									  IndexBulkDeleteCallback callback,
									  void *callback_state, int64 *removed);

/* Frees all segments of a node that is about to become FREE; same locking. */
extern void vdb_hnsw_free_segments(HnswIndex *index, HnswRef owner, HnswRef first);

#endif							/* VDB_HNSW_POSTING_H */
