/*-------------------------------------------------------------------------
 *
 * batch.c
 *	  Rows from the graph, batch by batch.
 *
 * Hits are taken in the order of their lower bounds, their rows fetched and
 * checked, until as many rows as are wanted have passed, the walk went as far as
 * it takes to find all up to the rank of the last, and no hit that is not taken
 * can be nearer.
 *
 *-------------------------------------------------------------------------
 */
#include "pg_compat.h"

#include <math.h>

#include "access/tableam.h"
#include "executor/tuptable.h"
#include "miscadmin.h"
#include "planner/node.h"

/* Hits taken between two looks at the clock */
#define SLICE_HITS 16

#define FIRST_ROWS 32

/* Rows of a batch after the first, at least */
#define MIN_BATCH 10

static bool next_batch(VdbScanState *state);
static void begin_batch(VdbWalk *walk);
static bool is_complete(const VdbScanState *state);
static double reach(const VdbWalk *walk);
static bool next_hit(VdbScanState *state, VdbHnswHit *hit);
static void take_hits(VdbScanState *state);
static bool check_hit(VdbScanState *state, VdbScanRow *row);
static void keep_taken(VdbScanState *state, const ItemPointerData *tid);
static void keep_row(VdbScanState *state, const VdbScanRow *row);
static bool complete_batch(VdbScanState *state);
static bool leave_sweep(VdbScanState *state);

#define ST_SORT sort_rows
#define ST_ELEMENT_TYPE VdbScanRow
#define ST_COMPARE(a, b) vdb_row_compare(a, b)
#define ST_SCOPE static
#define ST_DEFINE
#include "lib/sort_template.h"

/*
 * The next row; false when the graph is left, and the phase is another one.
 */
bool
vdb_batch_next(VdbScanState *state, VdbScanRow *row)
{
	VdbWalk    *walk = &state->walk;

	while (walk->next == walk->nbatch)
	{
		if (walk->is_last)
			state->phase = VDB_SCAN_END;
		if (state->phase != VDB_SCAN_WALK || !next_batch(state))
			return false;
	}
	*row = walk->rows[walk->next++];
	walk->nreturned++;
	vdb_row_remember(state, &row->tid);
	return true;
}

/*
 * Completes a batch, or leaves the graph and returns false.
 */
static bool
next_batch(VdbScanState *state)
{
	VdbWalk    *walk = &state->walk;

	begin_batch(walk);
	for (;;)
	{
		CHECK_FOR_INTERRUPTS();
		take_hits(state);
		if (is_complete(state))
			break;
		if (vdb_graph_is_beyond_bound(state))
		{
			walk->batch_rows = walk->nrows;
			walk->is_last = true;
			break;
		}
		vdb_graph_go_on(state);
		if (state->phase != VDB_SCAN_WALK)
			return false;
	}
	return complete_batch(state);
}

/*
 * Forgets the rows of the batch before, which were returned.  After the first
 * batch each has as many rows as all before, so that whoever wants all rows does
 * not pay for many batches.
 */
static void
begin_batch(VdbWalk *walk)
{
	if (walk->nbatch > 0)
		walk->batch_rows = Max(walk->nreturned, MIN_BATCH);
	walk->nrows -= walk->nbatch;
	if (walk->nrows > 0)
		memmove(walk->rows, walk->rows + walk->nbatch, sizeof(VdbScanRow) * (Size) walk->nrows);
	walk->nbatch = walk->next = 0;
}

/*
 * Enough rows have passed, and the walk went far enough to have found all up to
 * the rank of the last.
 */
static bool
is_complete(const VdbScanState *state)
{
	const VdbWalk *walk = &state->walk;

	return walk->nrows >= walk->batch_rows && walk->is_done &&
		(walk->is_sweep || walk->walked >= vdb_graph_depth(walk, walk->rank));
}

/*
 * Is there a hit to take, of a rank that the walk has gone for?  A first look
 * takes a few more.
 */
bool
vdb_batch_can_take(VdbScanState *state)
{
	VdbWalk    *walk = &state->walk;
	VdbHnswHit	hit;

	return walk->is_done && walk->nrows < walk->batch_rows &&
		walk->rank < Max(reach(walk), walk->is_sweep ? 0 : SLICE_HITS) && next_hit(state, &hit);
}

/*
 * The rank up to which all hits have been looked for.  A reading of the index
 * has dropped farther ones, a walk has not.
 */
static double
reach(const VdbWalk *walk)
{
	return vdb_hnsw_search_is_exhausted(walk->search) ? INFINITY : walk->walked;
}

/*
 * The nearest hit that is not taken and within the bound.
 */
static bool
next_hit(VdbScanState *state, VdbHnswHit *hit)
{
	return vdb_hnsw_search_peek(state->walk.search, hit) && hit->lower <= state->bound;
}

/*
 * Takes some hits, and keeps the rows that pass.
 */
static void
take_hits(VdbScanState *state)
{
	VdbScanFacts *facts = &state->facts;
	instr_time	start;
	int			n;

	INSTR_TIME_SET_CURRENT(start);
	for (n = 0; n < SLICE_HITS && vdb_batch_can_take(state); n++)
	{
		VdbScanRow	row;

		if (check_hit(state, &row))
		{
			keep_row(state, &row);
			facts->passed++;
		}
	}
	if (n > 0)
	{
		vdb_rate_add(&facts->fetch_rate, vdb_seconds_since(start), n);
		facts->fetched += n;
		facts->checked += n;
	}
}

/*
 * Takes the hit that was peeked at; true if its row satisfies the conditions.
 */
static bool
check_hit(VdbScanState *state, VdbScanRow *row)
{
	VdbWalk    *walk = &state->walk;
	VdbHnswHit	hit;

	(void) vdb_hnsw_search_take(walk->search, &hit);
	walk->nearest = Min(walk->nearest, hit.lower);
	walk->rank++;
	if (state->plan.has_bitmap && walk->allowed == NULL)
		keep_taken(state, &hit.tid);
	return vdb_row_fetch(state, &hit.tid, row);
}

/*
 * Remembers what was taken: how much of it is allowed will be asked when that
 * is known.
 */
static void
keep_taken(VdbScanState *state, const ItemPointerData *tid)
{
	VdbWalk    *walk = &state->walk;

	if (walk->ntaken == walk->taken_room)
	{
		walk->taken_room = Max(2 * walk->taken_room, FIRST_ROWS);
		walk->taken = (ItemPointerData *)
			vdb_grow(state->run_context, walk->taken, sizeof(ItemPointerData) * (Size) walk->taken_room);
	}
	walk->taken[walk->ntaken++] = *tid;
}

static void
keep_row(VdbScanState *state, const VdbScanRow *row)
{
	VdbWalk    *walk = &state->walk;

	if (walk->nrows == walk->rows_room)
	{
		walk->rows_room = Max(2 * walk->rows_room, FIRST_ROWS);
		walk->rows = (VdbScanRow *)
			vdb_grow(state->run_context, walk->rows, sizeof(VdbScanRow) * (Size) walk->rows_room);
	}
	walk->rows[walk->nrows++] = *row;
}

/*
 * Puts the rows in order, and takes hits as long as one may be nearer than the
 * last of the batch.  Where the index was read for the nearest hits only, and
 * they do not reach so far, there may be others: false, the graph is left.
 */
static bool
complete_batch(VdbScanState *state)
{
	VdbWalk    *walk = &state->walk;
	VdbHnswHit	hit;
	VdbScanRow	row;

	sort_rows(walk->rows, (size_t) walk->nrows);
	while (walk->batch_rows > 0 && next_hit(state, &hit) &&
		   hit.lower <= walk->rows[walk->batch_rows - 1].distance)
	{
		int64		place;

		CHECK_FOR_INTERRUPTS();
		if (walk->is_sweep && walk->rank >= reach(walk))
			return leave_sweep(state);
		if (!check_hit(state, &row))
			continue;
		keep_row(state, &row);
		for (place = walk->nrows - 1;
			 place > 0 && vdb_row_compare(&row, &walk->rows[place - 1]) < 0; place--)
			walk->rows[place] = walk->rows[place - 1];
		walk->rows[place] = row;
	}
	if (walk->is_sweep && !vdb_hnsw_search_peek(walk->search, &hit) && !isinf(reach(walk)))
		return leave_sweep(state);
	walk->nbatch = walk->batch_rows;
	if (walk->nreturned == 0 && walk->allowed == NULL)
		vdb_scan_add_reason(state, "%.0f of %.0f rows near the query passed",
							state->facts.passed, state->facts.checked);
	ExecClearTuple(state->css.ss.ss_ScanTupleSlot);
	if (state->fetch != NULL)
		table_index_fetch_reset(state->fetch);
	vdb_scan_report(state);
	return true;
}

/*
 * The rank that the index was read for was not enough.
 */
static bool
leave_sweep(VdbScanState *state)
{
	vdb_scan_add_reason(state, "more rows were wanted than had been looked for");
	vdb_scan_exact(state);
	return false;
}
