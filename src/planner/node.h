/*-------------------------------------------------------------------------
 *
 * node.h
 *	  The state of a VecdbScan, for the files that make up its executor.
 *
 *-------------------------------------------------------------------------
 */
#ifndef VDB_PLANNER_NODE_H
#define VDB_PLANNER_NODE_H

#include "pg_compat.h"

#include "access/relscan.h"
#include "commands/explain.h"
#include "hnsw/hnsw.h"
#include "nodes/execnodes.h"
#include "nodes/tidbitmap.h"
#include "planner/plan.h"
#include "planner/planner.h"
#include "planner/strategy.h"
#include "portability/instr_time.h"
#include "utils/tuplesort.h"

/* What the next row comes from */
typedef enum VdbScanPhase
{
	VDB_SCAN_START,
	VDB_SCAN_WALK,				/* the graph, batch by batch */
	VDB_SCAN_SORTED,			/* all rows, by distance */
	VDB_SCAN_UNORDERED,			/* all rows: the query has no distances */
	VDB_SCAN_END
} VdbScanPhase;

/* What was done in a run, in this order; README.md, "Strategies" */
typedef enum VdbScanStep
{
	VDB_STEP_VECTOR,
	VDB_STEP_GRAPH,
	VDB_STEP_SWEEP,
	VDB_STEP_EXACT,
	VDB_STEP_EXACT_ALL
} VdbScanStep;

#define VDB_NSTEPS 5
#define VDB_REASON_SIZE 256

/* A row that satisfies the conditions: its distance, and the version found */
typedef struct VdbScanRow
{
	double		distance;
	ItemPointerData tid;
} VdbScanRow;

/* The set of versions that were returned; row.c */
struct		vdb_returned_hash;

/* Which rows are in a bitmap; allow.c */
typedef struct VdbAllowList VdbAllowList;

/* Reads the rows of a bitmap; bitmap.c */
typedef struct VdbBitmapReader VdbBitmapReader;

/* Prefetches for it; read_ahead.c */
typedef struct VdbReadAhead VdbReadAhead;

/* What the child gave; it outlives rescans that do not change it */
typedef struct VdbBitmap
{
	TIDBitmap  *tids;			/* NULL: not made */
	double		rows;			/* that have to be looked at */
	bool		is_lossy;		/* rows is an estimate */
} VdbBitmap;

/* The walk through the graph */
typedef struct VdbWalk
{
	VdbHnswSearch *search;		/* NULL: not begun */
	VdbAllowList *allowed;		/* NULL: all rows */
	double		share;			/* of the table's rows that are allowed */
	double		walked;			/* the rank walked to, or on the way to; 0: none */
	bool		is_sweep;		/* it reads the index in the end */
	bool		is_done;		/* with that */
	double		rank;			/* hits taken, of those allowed */
	double		nearest;		/* the lowest distance seen, or lower */
	ItemPointerData *taken;		/* root TIDs of hits taken before some are allowed */
	int64		ntaken;
	int64		taken_room;

	/* passed, not forgotten; the first nbatch are the batch, in order */
	VdbScanRow *rows;
	int64		nrows;
	int64		rows_room;
	int64		batch_rows;		/* that the batch shall have */
	int64		nbatch;
	int64		next;			/* of the batch */
	int64		nreturned;		/* in all */
	bool		is_last;		/* nothing after this batch: a bound is reached */
} VdbWalk;

/* Reading all rows, by bitmap or table */
typedef struct VdbExact
{
	TableScanDesc table;		/* one of these two, while reading */
	VdbBitmapReader *bitmap;
	Tuplesortstate *sort;
	TupleTableSlot *input;
	TupleTableSlot *output;
	int64		bound;			/* rows that the sort keeps; 0: all */
	int64		nsorted;		/* rows given by the sort */
	int64		stop_at;		/* fetches after which reading pauses; 0: none */
	bool		has_last;		/* run again: rows up to last were returned */
	VdbScanRow	last;
} VdbExact;

/* What EXPLAIN shows, of all runs */
typedef struct VdbScanCounts
{
	int64		runs;
	int64		nodes;
	int64		heap_fetches;
	int64		distances;
	int64		step_runs[VDB_NSTEPS];
	int64		bitmaps;		/* made */
	double		bitmap_rows;	/* of the last one */
	bool		bitmap_is_lossy;
} VdbScanCounts;

typedef struct VdbScanState
{
	CustomScanState css;		/* must be first */
	VdbScanPlan plan;
	Relation	index;			/* NULL in plain EXPLAIN */
	PlanState  *bitmap_node;	/* NULL if no index serves the conditions */

	/* expressions */
	ExprState  *recheck;
	ExprState  *qual;
	ExprState  *distance;
	ExprState  *query;
	ExprState  *query_self;		/* distance of the query to itself: NaN if undefined */
	ExprState  *row_self;		/* the same of a row's vector */
	ExprState  *limit;
	List	   *bounds;			/* of ExprState *, as plan.bounds */

	struct PlannerInfo *planner_root; /* estimate.c; NULL: not made */

	/* of a run; all memory is in run_context */
	MemoryContext run_context;
	VdbScanPhase phase;
	VdbFilterStrategy strategy; /* as it was set */
	VdbScanStep steps[VDB_NSTEPS];
	int			nsteps;
	char		reason[VDB_REASON_SIZE];
	int64		k;				/* rows that the caller will ask for; -1: not known */
	Datum		query_value;
	bool		query_is_null;
	double		bound;			/* nothing beyond is wanted; Infinity */
	struct IndexFetchTableData *fetch;
	VdbBitmap	bitmap;			/* outlives the run */
	VdbWalk		walk;
	VdbExact	exact;
	struct vdb_returned_hash *returned;
	VdbScanFacts facts;
	VdbScanCounts counts;
	VdbScanCounts counts_before; /* this run */
} VdbScanState;

static inline double
vdb_seconds_since(instr_time start)
{
	instr_time	now;

	INSTR_TIME_SET_CURRENT(now);
	INSTR_TIME_SUBTRACT(now, start);
	return INSTR_TIME_GET_DOUBLE(now);
}

static inline Relation
vdb_scan_table(const VdbScanState *state)
{
	return state->css.ss.ss_currentRelation;
}

static inline Snapshot
vdb_scan_snapshot(const VdbScanState *state)
{
	return state->css.ss.ps.state->es_snapshot;
}

/* run.c */
extern bool vdb_scan_next(VdbScanState *state, VdbScanRow *row);
extern void vdb_scan_reset(VdbScanState *state);
extern void vdb_scan_add_step(VdbScanState *state, VdbScanStep step);
extern void vdb_scan_add_reason(VdbScanState *state, const char *format, ...) pg_attribute_printf(2, 3);
extern void vdb_scan_without_vector(VdbScanState *state);
extern void vdb_scan_all(VdbScanState *state);
extern void vdb_scan_exact(VdbScanState *state);
extern void *vdb_grow(MemoryContext context, void *array, Size size);

/* of all runs; a search counts for itself until it ends */
static inline int64
vdb_scan_nodes(const VdbScanState *state)
{
	return state->counts.nodes + (state->walk.search != NULL ? (int64) state->facts.nodes : 0);
}

/* row.c */
extern bool vdb_row_evaluate_run(VdbScanState *state);
extern bool vdb_row_has_distances(VdbScanState *state);
extern bool vdb_row_fetch(VdbScanState *state, const ItemPointerData *root, VdbScanRow *row);
extern bool vdb_row_check(VdbScanState *state, bool recheck, double *distance);
extern bool vdb_row_qualifies(VdbScanState *state, TupleTableSlot *slot, bool recheck);
extern int	vdb_row_compare(const VdbScanRow *a, const VdbScanRow *b);
extern void vdb_row_remember(VdbScanState *state, const ItemPointerData *tid);
extern bool vdb_row_was_returned(const VdbScanState *state, const ItemPointerData *tid);
extern Size vdb_row_memory(const VdbScanState *state);

/* batch.c */
extern bool vdb_batch_next(VdbScanState *state, VdbScanRow *row);
extern bool vdb_batch_can_take(VdbScanState *state);

/* graph.c */
extern bool vdb_graph_begin(VdbScanState *state);
extern void vdb_graph_allow(VdbScanState *state);
extern void vdb_graph_sweep(VdbScanState *state);
extern double vdb_graph_depth(const VdbWalk *walk, double rank);
extern bool vdb_graph_is_beyond_bound(VdbScanState *state);
extern void vdb_graph_go_on(VdbScanState *state);
extern void vdb_graph_end(VdbScanState *state);

/* exact.c */
extern bool vdb_exact_sort(VdbScanState *state, bool (*go_on)(VdbScanState *state));
extern bool vdb_exact_next(VdbScanState *state, VdbScanRow *row);
extern void vdb_exact_begin_read(VdbScanState *state);
extern bool vdb_exact_read(VdbScanState *state, VdbScanRow *row);
extern void vdb_exact_end(VdbScanState *state);

/* bitmap.c */
extern void vdb_bitmap_make(VdbScanState *state);
extern void vdb_bitmap_drop(VdbScanState *state);
extern VdbBitmapReader *vdb_bitmap_begin_read(VdbScanState *state);
extern bool vdb_bitmap_read(VdbBitmapReader *reader, TupleTableSlot *slot, bool *recheck);
extern void vdb_bitmap_end_read(VdbBitmapReader *reader);

#ifndef VDB_TABLE_ITERATES_BITMAP
/* read_ahead.c */
extern VdbReadAhead *vdb_ahead_begin(Relation table, TIDBitmap *bitmap);
extern void vdb_ahead_pass(VdbReadAhead *ahead);
extern void vdb_ahead_go_on(VdbReadAhead *ahead);
extern void vdb_ahead_end(VdbReadAhead *ahead);
#endif

/* allow.c */
extern VdbAllowList *vdb_allow_create(TIDBitmap *bitmap, Size memory);
extern bool vdb_allow_test(void *allowed, ItemPointer tid);

/* estimate.c */
extern void vdb_scan_estimate(VdbScanState *state);

/* explain.c */
extern void vdb_scan_explain(CustomScanState *node, List *ancestors, ExplainState *es);
extern void vdb_scan_report(const VdbScanState *state);

#endif							/* VDB_PLANNER_NODE_H */
