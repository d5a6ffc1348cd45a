/*-------------------------------------------------------------------------
 *
 * run.c
 *	  A run of a VecdbScan, from its parameters to its last row: which way it
 *	  begins, and how it goes from one to the next.
 *
 *	  START --> WALK (vector first) --> WALK (in graph) --> WALK (from index)
 *			--> SORTED --> END
 *
 * Each of those in the middle may be left out, and each goes on where the
 * one before stopped: no row is returned twice, none left out.  A query without
 * distances takes START --> UNORDERED --> END.
 *
 *-------------------------------------------------------------------------
 */
#include "pg_compat.h"

#include <math.h>
#include <stdarg.h>

#include "access/tableam.h"
#include "executor/tuptable.h"
#include "planner/node.h"
#include "storage/bufmgr.h"
#include "utils/memutils.h"

/* Rows that are wanted where nobody has said how many */
#define USUAL_ROWS 40

static void start(VdbScanState *state);
static void init_facts(VdbScanState *state);
static void start_strategy(VdbScanState *state);
static void start_bitmap(VdbScanState *state);
static void start_unordered(VdbScanState *state);
static void search(VdbScanState *state, VdbScanStep step);
static void use_bitmap(VdbScanState *state);
static void use_way(VdbScanState *state, VdbWay way);
static bool prefers_exact(VdbScanState *state);
static bool prefers_exact_of_all(VdbScanState *state);
static void sorted(VdbScanState *state, VdbScanStep step);
static double wanted_rows(const VdbScanState *state);

/*
 * The next row; false after the last.  In VDB_SCAN_UNORDERED it is in the scan's
 * slot, else it is to be fetched.
 */
bool
vdb_scan_next(VdbScanState *state, VdbScanRow *row)
{
	if (state->phase == VDB_SCAN_START)
		start(state);
	if (state->phase == VDB_SCAN_WALK && vdb_batch_next(state, row))
		return true;
	if (state->phase == VDB_SCAN_SORTED && vdb_exact_next(state, row))
		return true;
	if (state->phase == VDB_SCAN_UNORDERED && vdb_exact_read(state, row))
		return true;
	state->phase = VDB_SCAN_END;
	return false;
}

/*
 * Forgets the run, and counts what it did.  The bitmap stays.
 */
void
vdb_scan_reset(VdbScanState *state)
{
	if (state->phase == VDB_SCAN_START)
		return;
	vdb_scan_report(state);
	vdb_graph_end(state);
	vdb_exact_end(state);
	if (state->fetch != NULL)
		table_index_fetch_end(state->fetch);
	state->fetch = NULL;
	state->returned = NULL;
	memset(&state->walk, 0, sizeof(VdbWalk));
	memset(&state->exact, 0, sizeof(VdbExact));
	MemoryContextReset(state->run_context);
	state->phase = VDB_SCAN_START;
}

/*
 * Notes that a strategy is taken.
 */
void
vdb_scan_add_step(VdbScanState *state, VdbScanStep step)
{
	Assert(state->nsteps < VDB_NSTEPS);
	state->steps[state->nsteps++] = step;
	state->counts.step_runs[step]++;
}

/*
 * Adds to the reasons, as far as there is room.
 */
void
vdb_scan_add_reason(VdbScanState *state, const char *format, ...)
{
	size_t		length = strlen(state->reason);
	va_list		args;

	if (length > 0 && length + 2 < sizeof(state->reason))
	{
		memcpy(state->reason + length, "; ", 3);
		length += 2;
	}
	va_start(args, format);
	vsnprintf(state->reason + length, sizeof(state->reason) - length, format, args);
	va_end(args);
}

/*
 * repalloc_huge() of what may be NULL.
 */
void *
vdb_grow(MemoryContext context, void *array, Size size)
{
	return array == NULL ? MemoryContextAllocHuge(context, size) : repalloc_huge(array, size);
}

static void
start(VdbScanState *state)
{
	state->nsteps = 0;
	state->reason[0] = '\0';
	state->strategy = (VdbFilterStrategy) vdb_filter_strategy;
	state->counts_before = state->counts;
	state->counts.runs++;
	if (!vdb_row_evaluate_run(state))
	{
		vdb_scan_add_reason(state, "the distance is compared with NULL");
		state->phase = VDB_SCAN_END;
		return;
	}
	init_facts(state);
	if (!vdb_row_has_distances(state))
		start_unordered(state);
	else
		start_strategy(state);
}

static void
init_facts(VdbScanState *state)
{
	const VdbScanPlan *plan = &state->plan;
	VdbScanFacts *facts = &state->facts;

	memset(facts, 0, offsetof(VdbScanFacts, bitmap_time));
	facts->table_rows = Max(plan->table_rows, 1);
	facts->matching_rows = plan->matching_rows;
	facts->bitmap_rows = plan->bitmap_rows;
	facts->bitmap_cost = plan->bitmap_cost;
	facts->has_bitmap = plan->has_bitmap;
	facts->is_generic = plan->is_generic;
	facts->pages_left = RelationGetNumberOfBlocks(state->index);
	state->walk.nearest = INFINITY;
}

/*
 * Begins as vecdb.filter_strategy says, or as the plan expects to be best.
 */
static void
start_strategy(VdbScanState *state)
{
	switch (state->strategy)
	{
		case VDB_STRATEGY_VECTOR:
			vdb_scan_add_reason(state, "vecdb.filter_strategy is vector");
			search(state, VDB_STEP_VECTOR);
			break;
		case VDB_STRATEGY_EXACT:
			vdb_scan_add_reason(state, "vecdb.filter_strategy is exact");
			vdb_scan_exact(state);
			break;
		case VDB_STRATEGY_GRAPH:
			vdb_scan_add_reason(state, "vecdb.filter_strategy is graph");
			start_bitmap(state);
			break;
		case VDB_STRATEGY_INDEX:
			vdb_scan_add_reason(state, "vecdb.filter_strategy is index");
			start_bitmap(state);
			break;
		case VDB_STRATEGY_AUTO:
			if (state->facts.is_generic)
				vdb_scan_estimate(state);
			if (vdb_prefer_bitmap(&state->facts, wanted_rows(state)))
			{
				vdb_scan_add_reason(state, "about %.0f rows were expected to pass",
									state->facts.matching_rows);
				use_bitmap(state);
			}
			else
				search(state, VDB_STEP_VECTOR);
			break;
	}
}

/*
 * Begins with the bitmap where there is one, else as near to that as possible.
 */
static void
start_bitmap(VdbScanState *state)
{
	if (state->plan.has_bitmap)
		use_bitmap(state);
	else
	{
		vdb_scan_add_reason(state, "no index serves the conditions");
		search(state, VDB_STEP_VECTOR);
	}
}

/*
 * Every row with a vector will do.
 */
static void
start_unordered(VdbScanState *state)
{
	vdb_scan_add_reason(state, "the query has no distances");
	if (state->plan.has_bitmap && state->strategy != VDB_STRATEGY_VECTOR)
		vdb_bitmap_make(state);
	vdb_scan_add_step(state, state->bitmap.tids != NULL ? VDB_STEP_EXACT : VDB_STEP_EXACT_ALL);
	state->phase = VDB_SCAN_UNORDERED;
	vdb_exact_begin_read(state);
}

/*
 * Begins to search the index, or goes on in another way.
 */
static void
search(VdbScanState *state, VdbScanStep step)
{
	if (!vdb_graph_begin(state))
	{
		/* it asks in its own way whether the query has distances */
		start_unordered(state);
		return;
	}
	vdb_scan_add_step(state, step);
	if (step == VDB_STEP_GRAPH)
		vdb_graph_allow(state);
	else if (step == VDB_STEP_SWEEP)
		vdb_graph_sweep(state);
	state->phase = VDB_SCAN_WALK;
}

/*
 * Leaves the first walk, of which too few rows pass.
 */
void
vdb_scan_without_vector(VdbScanState *state)
{
	if (state->plan.has_bitmap)
		use_bitmap(state);
	else
		vdb_scan_exact(state);
}

/*
 * Makes the bitmap and goes on with it, in the way that its size tells.
 */
static void
use_bitmap(VdbScanState *state)
{
	VdbScanFacts *facts = &state->facts;
	double		wanted = wanted_rows(state);

	vdb_bitmap_make(state);
	facts->near_checked = facts->checked;
	facts->near_passed = facts->passed;
	facts->checked = facts->passed = 0;
	facts->spent_before = vdb_facts_spent(facts);
	vdb_scan_add_reason(state, "the bitmap has %s%.0f rows", state->bitmap.is_lossy ? "about " : "",
						state->bitmap.rows);
	if (state->strategy == VDB_STRATEGY_GRAPH)
		search(state, VDB_STEP_GRAPH);
	else if (state->strategy == VDB_STRATEGY_INDEX)
		search(state, VDB_STEP_SWEEP);
	else if (!vdb_need_sample(facts, wanted))
		use_way(state, vdb_choose_way(facts, wanted));
	else if (vdb_exact_sort(state, prefers_exact))
		sorted(state, VDB_STEP_EXACT);
	else
		use_way(state, vdb_choose_way(facts, wanted));
}

static void
use_way(VdbScanState *state, VdbWay way)
{
	switch (way)
	{
		case VDB_WAY_GRAPH:
			search(state, VDB_STEP_GRAPH);
			break;
		case VDB_WAY_SWEEP:
			search(state, VDB_STEP_SWEEP);
			break;
		case VDB_WAY_EXACT:
			vdb_scan_exact(state);
			break;
	}
}

/*
 * Asked when some rows of the bitmap have been read.
 */
static bool
prefers_exact(VdbScanState *state)
{
	return vdb_choose_way(&state->facts, wanted_rows(state)) == VDB_WAY_EXACT;
}

static bool
prefers_exact_of_all(VdbScanState *state)
{
	return vdb_choose_way_of_all(&state->facts, wanted_rows(state)) == VDB_WAY_EXACT;
}

/*
 * Leaves the walk among the rows of the bitmap: looks at all of them.
 */
void
vdb_scan_all(VdbScanState *state)
{
	if (state->facts.read_rate.n == 0 && vdb_exact_sort(state, prefers_exact_of_all))
		sorted(state, VDB_STEP_EXACT);
	else
		use_way(state, vdb_choose_way_of_all(&state->facts, wanted_rows(state)));
}

/*
 * Leaves the index for good: reads all rows, by the bitmap if the plan has one.
 */
void
vdb_scan_exact(VdbScanState *state)
{
	VdbScanStep step = VDB_STEP_EXACT;

	if (state->plan.has_bitmap && state->strategy != VDB_STRATEGY_VECTOR)
		vdb_bitmap_make(state);
	else
	{
		if (!state->plan.has_bitmap)
			vdb_scan_add_reason(state, "no index serves the conditions");
		step = VDB_STEP_EXACT_ALL;
	}
	(void) vdb_exact_sort(state, NULL);
	sorted(state, step);
}

/*
 * All rows are in order.
 */
static void
sorted(VdbScanState *state, VdbScanStep step)
{
	vdb_graph_end(state);
	vdb_scan_add_step(state, step);
	state->phase = VDB_SCAN_SORTED;
	vdb_scan_report(state);
}

/*
 * Rows that are wanted, as far as is known.
 */
static double
wanted_rows(const VdbScanState *state)
{
	if (state->walk.search != NULL)
		return (double) state->walk.batch_rows;
	return state->k > 0 ? (double) state->k : USUAL_ROWS;
}
