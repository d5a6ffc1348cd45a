/*-------------------------------------------------------------------------
 *
 * alloc.h
 *	  Places for new nodes.
 *
 *-------------------------------------------------------------------------
 */
#ifndef VDB_HNSW_ALLOC_H
#define VDB_HNSW_ALLOC_H

#include "hnsw/index.h"

/*
 * A block of NODES that probably has a FREE place: the one this backend used
 * last, or one that the free space map knows; InvalidBlockNumber if there is
 * none and the relation is to be extended.  Asked without content locks.
 */
extern BlockNumber vdb_hnsw_find_room(HnswIndex *index);

/* The block has no FREE place after all. */
extern void vdb_hnsw_no_room(HnswIndex *index, BlockNumber block);

/* The block has a FREE place (vacuum; after extending). */
extern void vdb_hnsw_has_room(HnswIndex *index, BlockNumber block);

/*
 * Extends the relation by a page of NODES, all FREE, and its VECTOR pages.
 * Returns the NODES page, pinned and locked exclusively.
 */
extern Buffer vdb_hnsw_extend(HnswIndex *index);

/*
 * Extends the relation by a page of POSTINGS, all segments free, in no chain.
 * Returns it pinned and locked exclusively.
 */
extern Buffer vdb_hnsw_extend_postings(HnswIndex *index);

/* A FREE place on a locked page, or -1. */
extern int	vdb_hnsw_free_place(const HnswIndex *index, Page page);

#endif							/* VDB_HNSW_ALLOC_H */
