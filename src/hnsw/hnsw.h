/*-------------------------------------------------------------------------
 *
 * hnsw.h
 *	  Public face of the hnsw room.
 *
 *-------------------------------------------------------------------------
 */
#ifndef VDB_HNSW_H
#define VDB_HNSW_H

#include "postgres.h"

#include "nodes/pathnodes.h"
#include "storage/block.h"
#include "storage/itemptr.h"
#include "utils/relcache.h"
#include "utils/snapshot.h"

/* options.c: storage parameters and settings, called from _PG_init */
extern void vdb_hnsw_init(void);

/*
 * cost.c: is it an index of ours, whatever its state?  If so, can it be read?
 * (If not, that has been said.)
 */
extern bool vdb_hnsw_is_index(const IndexOptInfo *info);
extern bool vdb_hnsw_is_readable(IndexOptInfo *info);

/*
 * A search that its caller steers: it walks as far as it is told to, may be told
 * on the way which rows are wanted, and gives rows with bounds of their
 * distances.  guided.c; README.md, "Guided searches".
 */
typedef struct VdbHnswSearch VdbHnswSearch;

/* A row that the search has found; its distance, as the operator has it, is within */
typedef struct VdbHnswHit
{
	double		lower;
	double		upper;
	ItemPointerData tid;
} VdbHnswHit;

/* What a search has done so far */
typedef struct VdbHnswSearchCounts
{
	int64		nodes;			/* visited */
	int64		allowed;		/* of them, with rows that are wanted */
} VdbHnswSearchCounts;

/*
 * True if the row at a TID is wanted.  Called with a page locked: no I/O, no
 * errors, little time.
 */
typedef bool (*VdbHnswAllow)(void *arg, ItemPointer tid);

/*
 * Begins a search for the rows nearest to query, in a memory context of its own
 * that is a child of the current one.  NULL if the query has no distances (NULL,
 * or zero under cosine).  The index stays open as long as the search lasts;
 * heap is its table, snapshot that of the statement (MVCC only, else ERROR).
 */
extern VdbHnswSearch *vdb_hnsw_search_begin(Relation heap, Relation index,
											Snapshot snapshot, Datum query, bool is_null);

/*
 * Only rows that allow says yes to are results from now on, also of those found
 * already; they are this share of all rows.
 */
extern void vdb_hnsw_search_set_allow(VdbHnswSearch *search, VdbHnswAllow allow, void *arg,
									  double share);

/* hnsw.ef_search, or the index's option */
extern int	vdb_hnsw_search_ef(const VdbHnswSearch *search);

/*
 * Goes on until about all of the `rank` nearest results are found, taken ones
 * included, or until max_nodes more nodes have been visited.  Without a filter
 * a rank below ef_search is a first look that may overlook more than a scan
 * does; ef_search is as good as a scan.  With one, ef_search counts if it is
 * more.  True if done; call it again, with the same or a larger rank, to go on.
 */
extern bool vdb_hnsw_search_walk(VdbHnswSearch *search, double rank, int64 max_nodes);

/*
 * Nodes that a walk visits, in all, to find the `rank` nearest results, if a
 * share of the nodes are results and they lie everywhere alike (1 for all nodes).
 * Where a walk is not done after several times as many, the results lie away from
 * the query; estimates then tell little about their order, many are overlooked,
 * and looking at all of them is the better way.
 */
extern double vdb_hnsw_search_expected(const VdbHnswSearch *search, double rank, double share);

/*
 * Instead of walking on: reads the index in page order and finds, by the stored
 * vectors, all of the `rank` nearest results; at most max_pages more of its pages.
 * True if done.  The first call settles the rank.  A page costs little where few
 * of its rows are results, and vectors of the table need not be read.
 */
extern bool vdb_hnsw_search_sweep(VdbHnswSearch *search, double rank, BlockNumber max_pages);

/* Pages that a sweep has still to read */
extern BlockNumber vdb_hnsw_search_sweep_pages(const VdbHnswSearch *search);

/* Nothing is left to visit: every row of the index has been found */
extern bool vdb_hnsw_search_is_exhausted(const VdbHnswSearch *search);

/*
 * The nearest row found, by its lower bound, that was not taken; peek leaves it.
 * False if there is none.  A later walk may find nearer ones.
 */
extern bool vdb_hnsw_search_peek(VdbHnswSearch *search, VdbHnswHit *hit);
extern bool vdb_hnsw_search_take(VdbHnswSearch *search, VdbHnswHit *hit);

/*
 * The distance, as the operator has it, beyond which all that is left is
 * estimated to be; -Infinity before the first walk, Infinity at the end.
 */
extern double vdb_hnsw_search_frontier(const VdbHnswSearch *search);

extern void vdb_hnsw_search_counts(const VdbHnswSearch *search, VdbHnswSearchCounts *counts);
extern void vdb_hnsw_search_end(VdbHnswSearch *search);

#endif							/* VDB_HNSW_H */
