/*-------------------------------------------------------------------------
 *
 * guided.h
 *	  The state of a guided search, for the files that make it up.
 *
 *-------------------------------------------------------------------------
 */
#ifndef VDB_HNSW_GUIDED_H
#define VDB_HNSW_GUIDED_H

#include "hnsw/hnsw.h"
#include "hnsw/scan.h"

struct VdbHnswSearch
{
	HnswIndex  *index;
	Relation	heap;
	MemoryContext context;
	HnswWalk   *walk;
	HnswWalkCounts counted;		/* of the walk, already in the statistics */
	HnswRef		root;
	bool		root_added;
	int			ef_search;
	Size		memory_limit;
	bool		was_limited;
	BlockNumber heap_blocks;
	VdbHnswAllow allow;			/* NULL: all rows are wanted */
	void	   *allow_arg;
	double		share;			/* of the nodes that is allowed */
	double		rank;			/* that the walk goes for */

	/* reading in page order */
	BlockNumber next_block;		/* 0: not begun */
	BlockNumber end_block;
	HnswNumberSet known;		/* the nodes found before */
	BufferAccessStrategy strategy;
	bool		is_swept;
	bool		has_dropped;	/* rows that are farther than was asked for */

	/* visited results: those taken, those in order, those just found */
	HnswResult *found;
	int			nfound;
	int			found_room;
	int			ntaken;
	int			nordered;		/* these and the taken ones */

	/* rows of the result that is being taken */
	ItemPointerData tids[HNSW_SEGMENT_TIDS];
	int			ntids;
	int			next_tid;
	bool		is_untouched;	/* none of them was taken */
	HnswRef		segments;
	HnswChainGuard chain_guard;
};

/* guided.c */
extern void vdb_hnsw_search_make_room(VdbHnswSearch *search);

/* A node with rows in segments may have one there that is wanted. */
extern bool vdb_hnsw_search_allows(const VdbHnswSearch *search, const ItemPointerData *tids,
								   int ntids, HnswRef segments);

#endif							/* VDB_HNSW_GUIDED_H */
