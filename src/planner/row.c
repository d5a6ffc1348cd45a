/*-------------------------------------------------------------------------
 *
 * row.c
 *	  One row of a VecdbScan: its conditions, its distance, was it returned.
 *
 *-------------------------------------------------------------------------
 */
#include "pg_compat.h"

#include <math.h>

#include "access/tableam.h"
#include "common/hashfn.h"
#include "executor/executor.h"
#include "executor/instrument.h"
#include "planner/node.h"
#include "utils/float.h"
#include "utils/memutils.h"

/* A version that was returned */
typedef struct ReturnedEntry
{
	ItemPointerData tid;
	char		status;
} ReturnedEntry;

static inline uint32
hash_tid(ItemPointerData tid)
{
	return murmurhash32(ItemPointerGetBlockNumberNoCheck(&tid) * 512 +
						ItemPointerGetOffsetNumberNoCheck(&tid));
}

#define SH_PREFIX vdb_returned
#define SH_ELEMENT_TYPE ReturnedEntry
#define SH_KEY_TYPE ItemPointerData
#define SH_KEY tid
#define SH_HASH_KEY(tb, key) hash_tid(key)
#define SH_EQUAL(tb, a, b) ItemPointerEquals(&(a), &(b))
#define SH_SCOPE static inline
#define SH_DECLARE
#define SH_DEFINE
#include "lib/simplehash.h"

static bool evaluate_bounds(VdbScanState *state);

/*
 * Evaluates what depends on parameters: the query, the limit, the bounds.
 * Returns false if no row can satisfy the conditions.  Memory is the run's.
 */
bool
vdb_row_evaluate_run(VdbScanState *state)
{
	ExprContext *econtext = state->css.ss.ps.ps_ExprContext;
	MemoryContext old = MemoryContextSwitchTo(state->run_context);
	bool		is_possible;

	state->query_value = ExecEvalExpr(state->query, econtext, &state->query_is_null);
	state->k = -1;
	if (state->limit != NULL)
	{
		bool		is_null;
		Datum		limit = ExecEvalExpr(state->limit, econtext, &is_null);

		/* a wrong one is for the node above to complain of */
		if (!is_null && DatumGetInt64(limit) >= 0 && DatumGetInt64(limit) < PG_INT32_MAX)
			state->k = Max(DatumGetInt64(limit) + state->plan.more_rows, 1);
	}
	is_possible = evaluate_bounds(state);
	MemoryContextSwitchTo(old);
	return is_possible;
}

/*
 * The lowest bound counts.  NaN is above all distances.
 */
static bool
evaluate_bounds(VdbScanState *state)
{
	ListCell   *cell;

	state->bound = INFINITY;
	foreach(cell, state->bounds)
	{
		bool		is_null;
		Datum		value = ExecEvalExpr((ExprState *) lfirst(cell),
										 state->css.ss.ps.ps_ExprContext, &is_null);

		if (is_null)
			return false;
		if (DatumGetFloat8(value) < state->bound)
			state->bound = DatumGetFloat8(value);
	}
	return true;
}

/*
 * Does the query have distances?  Not if it is NULL, or zero under cosine: then
 * it has none to itself.
 */
bool
vdb_row_has_distances(VdbScanState *state)
{
	ExprContext *econtext = state->css.ss.ps.ps_ExprContext;
	bool		is_null;
	Datum		distance;

	if (state->query_is_null)
		return false;
	distance = ExecEvalExprSwitchContext(state->query_self, econtext, &is_null);
	return !is_null && !isnan(DatumGetFloat8(distance));
}

/*
 * Looks up the row at a root TID and checks it.  Returns false if the snapshot
 * sees none there, or if it does not satisfy the conditions.
 */
bool
vdb_row_fetch(VdbScanState *state, const ItemPointerData *root, VdbScanRow *row)
{
	TupleTableSlot *slot = state->css.ss.ss_ScanTupleSlot;
	bool		call_again = false;

	if (state->fetch == NULL)
	{
		MemoryContext old = MemoryContextSwitchTo(state->run_context);

		state->fetch = vdb_begin_index_fetch(vdb_scan_table(state));
		MemoryContextSwitchTo(old);
	}
	row->tid = *root;
	state->counts.heap_fetches++;
	if (!table_index_fetch_tuple(state->fetch, &row->tid, vdb_scan_snapshot(state), slot,
								 &call_again, NULL))
		return false;
	return vdb_row_check(state, true, &row->distance);
}

/*
 * Checks the row in the scan's slot, and computes its distance.  Rows that have
 * none are left out.
 */
bool
vdb_row_check(VdbScanState *state, bool recheck, double *distance)
{
	ExprContext *econtext = state->css.ss.ps.ps_ExprContext;
	bool		has_query = state->phase != VDB_SCAN_UNORDERED;
	bool		is_null;
	Datum		value;

	ResetExprContext(econtext);
	if (!vdb_row_qualifies(state, state->css.ss.ss_ScanTupleSlot, recheck))
		return false;
	value = ExecEvalExprSwitchContext(has_query ? state->distance : state->row_self,
									  econtext, &is_null);
	state->counts.distances++;
	if (is_null || isnan(DatumGetFloat8(value)))
		return false;
	*distance = DatumGetFloat8(value);
	return true;
}

/*
 * Does the row satisfy the conditions?  Those that a bitmap answers first, as
 * the planner has put them in order of security.
 */
bool
vdb_row_qualifies(VdbScanState *state, TupleTableSlot *slot, bool recheck)
{
	ExprContext *econtext = state->css.ss.ps.ps_ExprContext;

	econtext->ecxt_scantuple = slot;
	if (recheck && !ExecQual(state->recheck, econtext))
	{
		InstrCountFiltered2(&state->css, 1);
		return false;
	}
	if (!ExecQual(state->qual, econtext))
	{
		InstrCountFiltered1(&state->css, 1);
		return false;
	}
	return true;
}

/*
 * By distance; then by place, so that the order is total.
 */
int
vdb_row_compare(const VdbScanRow *a, const VdbScanRow *b)
{
	if (a->distance != b->distance)
		return a->distance < b->distance ? -1 : 1;
	return ItemPointerCompare((ItemPointer) &a->tid, (ItemPointer) &b->tid);
}

/*
 * Adds a version to those that were returned.
 */
void
vdb_row_remember(VdbScanState *state, const ItemPointerData *tid)
{
	bool		found;

	if (state->returned == NULL)
		state->returned = vdb_returned_create(state->run_context, 64, NULL);
	(void) vdb_returned_insert(state->returned, *tid, &found);
}

bool
vdb_row_was_returned(const VdbScanState *state, const ItemPointerData *tid)
{
	return state->returned != NULL && vdb_returned_lookup(state->returned, *tid) != NULL;
}

/*
 * Memory that the set of returned versions takes.
 */
Size
vdb_row_memory(const VdbScanState *state)
{
	return state->returned == NULL ? 0 : (Size) state->returned->size * sizeof(ReturnedEntry);
}
