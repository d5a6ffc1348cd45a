/*-------------------------------------------------------------------------
 *
 * check.h
 *	  The verification of an index, for the files check*.c.
 *
 * Nothing here trusts a page, raises an error for what is on one, or holds
 * more than one lock (but for a split vector's pages under its node's lock).
 *
 *-------------------------------------------------------------------------
 */
#ifndef VDB_HNSW_CHECK_H
#define VDB_HNSW_CHECK_H

#include "postgres.h"

#include "hnsw/index.h"
#include "hnsw/inspect.h"
#include "utils/snapshot.h"
#include "utils/tuplestore.h"
#include "utils/tuplesort.h"

/* What is counted beside the problems */
typedef struct HnswCheckCounts
{
	int64		pages[HNSW_PAGE_VECTOR + 1]; /* by kind; 0: unused */
	int64		nodes;			/* not FREE */
	int64		links;
	int64		stale;			/* of the links */
	int64		stale_lower;	/* nodes whose node one level below is gone */
	int64		tids;
	int64		rows;			/* of the table, that are to be indexed */
} HnswCheckCounts;

/* Anchors of nodes that have more than one */
typedef struct HnswAnchor
{
	uint32		parent;
	uint32		child;
} HnswAnchor;

/* A node, copied from its page */
typedef struct HnswCheckNode
{
	uint32		number;
	HnswNode	node;
	char	   *slots;			/* the links in use */
	char	   *stored;
	bool		has_vector;		/* stored is complete and passed its checks */
} HnswCheckNode;

/* What is at a number */
typedef enum HnswPresence
{
	HNSW_FOUND_NODE,			/* LIVE or DYING, and sane */
	HNSW_FOUND_FREE,
	HNSW_FOUND_BAD,				/* a node that is not to be looked at */
	HNSW_FOUND_NO_PAGE			/* no such block, or no page of nodes */
} HnswPresence;

typedef struct HnswCheck
{
	HnswIndex  *index;
	Relation	heap;
	bool		with_slots;		/* compute them again */
	bool		with_heap;		/* compare with the table */
	BufferAccessStrategy strategy;
	HnswMeta	meta;			/* as it was at the beginning */
	PGAlignedBlock page;		/* copy of the one that is read in order */

	/* result */
	Tuplestorestate *results;
	TupleDesc	result_desc;
	int64		problems;
	HnswCheckCounts counts;

	/* of the latest reading of all pages (check_page.c) */
	int			round;
	BlockNumber nblocks;
	uint8	   *kinds;			/* of blocks */
	HnswNodeFact *facts;		/* of numbers */

	/* check_anchor.c, by number */
	uint32	   *parents;
	uint8	   *strikes;		/* rounds in which it was not reached */
	HnswAnchor *more_anchors;
	Size		nmore_anchors;
	Size		more_capacity;

	/* check_posting.c */
	uint32	   *segments;		/* by block: those in a chain, a bit each */
	BlockNumber segment_blocks; /* that segments covers */
	ItemPointerData *tids;		/* of one node */
	Size		ntids;
	Size		tids_capacity;

	/* check_heap.c */
	Tuplesortstate *index_tids;
	Tuplesortstate *heap_tids;
	TupleTableSlot *sort_slot;
	HnswValue	value;			/* of a row */
	MemoryContext row_context;
	Snapshot	snapshot;		/* of the rows, older than what is read of the index */

	/* working memory of nodes */
	HnswCheckNode node;
	HnswCheckNode other;
	void	   *encoder;
	char	   *encoded;		/* a slot, computed again */
} HnswCheck;

/* check.c */
extern void vdb_hnsw_check_report(HnswCheck *check, BlockNumber block, uint32 number,
								  const char *format, ...) pg_attribute_printf(4, 5);
extern void vdb_hnsw_check_report_node(HnswCheck *check, uint32 number,
									   const char *format, ...) pg_attribute_printf(3, 4);

/* check_page.c */
extern void vdb_hnsw_check_pages(HnswCheck *check);
extern HnswPresence vdb_hnsw_check_read(HnswCheck *check, uint32 number, HnswCheckNode *copy);
extern bool vdb_hnsw_check_copy_page(HnswCheck *check, BlockNumber block, HnswPageKind kind);

/* check_anchor.c */
extern void vdb_hnsw_check_grow_anchors(HnswCheck *check, Size before, Size numbers);
extern void vdb_hnsw_check_add_anchor(HnswCheck *check, uint32 parent, uint32 child);
extern Size vdb_hnsw_check_reach(HnswCheck *check);
extern void vdb_hnsw_check_report_unreached(HnswCheck *check);

/* check_link.c */
extern void vdb_hnsw_check_links(HnswCheck *check);

/* check_posting.c */
extern void vdb_hnsw_check_begin_postings(HnswCheck *check);
extern void vdb_hnsw_check_tids(HnswCheck *check, const HnswCheckNode *node);
extern void vdb_hnsw_check_postings(HnswCheck *check);
extern int	vdb_hnsw_check_count_tid(HnswCheck *check, uint32 number, ItemPointer tid);

/* check_heap.c */
extern void vdb_hnsw_check_begin_tids(HnswCheck *check);
extern void vdb_hnsw_check_put_tids(HnswCheck *check, const HnswCheckNode *node);
extern void vdb_hnsw_check_compare_tids(HnswCheck *check);

#endif							/* VDB_HNSW_CHECK_H */
