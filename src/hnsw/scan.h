/*-------------------------------------------------------------------------
 *
 * scan.h
 *	  The state of an index scan, for the files that make it up.
 *
 *-------------------------------------------------------------------------
 */
#ifndef VDB_HNSW_SCAN_H
#define VDB_HNSW_SCAN_H

#include "access/relscan.h"
#include "hnsw/options.h"
#include "hnsw/posting.h"
#include "hnsw/search.h"
#include "utils/tuplesort.h"

/* A visited node, until its rows have been returned */
typedef struct HnswResult
{
	float		distance;		/* in the query's units */
	VdbStoredHeader header;		/* of its vector, for the bounds */
	HnswRef		ref;
	HnswRef		segments;
	ItemPointerData tids[HNSW_INLINE_TIDS];
	uint8		ntids;
	bool		recheck;		/* its place in the order is not certain */
	double		value;			/* the operator's value, or its lower bound */
	double		upper;
} HnswResult;

/* A heap TID and where it stands in the order */
typedef struct HnswRow
{
	double		value;
	double		reached;		/* no later row may be nearer, in strict order */
	bool		is_null;
	bool		recheck;
	ItemPointerData tid;
} HnswRow;

/* Where the rows come from */
typedef enum HnswScanPhase
{
	HNSW_SCAN_START,
	HNSW_SCAN_WALK,
	HNSW_SCAN_SWEEP,
	HNSW_SCAN_ALL,				/* without order: the query has no distances */
	HNSW_SCAN_END
} HnswScanPhase;

typedef struct HnswScan
{
	HnswIndex  *index;
	MemoryContext context;		/* of this rescan */
	HnswScanPhase phase;
	HnswWalk   *walk;
	HnswWalkCounts counted;		/* of the walk, already in the statistics */
	HnswRef		root;
	bool		root_added;
	HnswIterativeScan iterative;
	int			ef_search;
	int			width;			/* of the walk */
	Size		memory_limit;
	uint64		max_nodes;		/* 0: no limit */
	bool		was_limited;	/* candidates were dropped */

	/* visited, not returned */
	HnswResult *pool;
	int			npool;
	int			pool_room;
	int			batch;			/* the first so many are the batch, in order */
	int			next;			/* of them */

	/* the segments of the current result */
	ItemPointerData tids[HNSW_SEGMENT_TIDS];
	int			ntids;
	int			next_tid;
	HnswRef		segments;
	HnswChainGuard chain_guard;
	BlockNumber heap_blocks;	/* of the table, or fewer */
	double		reached;		/* by the row returned last; -Infinity */
	double		upper;			/* of all results of earlier batches; -Infinity */

	/* reading in page order */
	Tuplesortstate *sort;
	TupleTableSlot *slot;
	BlockNumber next_block;
	HnswRow    *rows;			/* of one page */
	int			nrows;
	int			rows_room;
	int			next_row;
	double		all_value;		/* of every row when there is no order */
	bool		all_null;
} HnswScan;

/* What is kept of a node that a visitor is shown */
static inline void
vdb_hnsw_form_result(HnswResult *result, const HnswNodeView *view, float distance)
{
	result->distance = distance;
	memcpy(&result->header, view->stored, sizeof(VdbStoredHeader));
	result->ref = vdb_hnsw_make_ref(view->number, view->node->version);
	result->segments = view->node->next;
	result->ntids = view->node->ntids;
	memcpy(result->tids, view->node->tids, sizeof(result->tids));
}

/* scan.c */
extern HnswWalk *vdb_hnsw_enter(HnswIndex *index, Datum query, HnswRef *root, HnswRef *entry);
extern void vdb_hnsw_check_tid(Relation index, Relation heap, BlockNumber *heap_blocks,
							   ItemPointer tid);
extern void vdb_hnsw_check_snapshot(Snapshot snapshot);
extern void vdb_hnsw_count_walk(const HnswWalk *walk, HnswWalkCounts *counted);

/* batch.c */
extern bool vdb_hnsw_keep_result(HnswWalk *walk, const HnswNodeView *view, float distance);
extern bool vdb_hnsw_next_results(HnswScan *scan);
extern bool vdb_hnsw_next_row(HnswScan *scan, HnswRow *row);

/* sweep.c */
extern void vdb_hnsw_sweep_begin(HnswScan *scan);
extern bool vdb_hnsw_sweep_next(HnswScan *scan, HnswRow *row);
extern bool vdb_hnsw_all_next(HnswScan *scan, HnswRow *row);

#endif							/* VDB_HNSW_SCAN_H */
