/*-------------------------------------------------------------------------
 *
 * graph.c
 *	  Rows from the graph: vector first, and in graph.
 *
 * Both walk, take hits in the order of their lower bounds, fetch and check their
 * rows, until a batch is complete: as many rows as are wanted have passed, the
 * walk went as far as it takes to find all up to the rank of the last, and no hit
 * that is not taken can be nearer.  In graph, hits that are not in the bitmap do
 * not come up.
 *
 *-------------------------------------------------------------------------
 */
#include "pg_compat.h"

#include <math.h>

#include "access/tableam.h"
#include "executor/tuptable.h"
#include "miscadmin.h"
#include "planner/node.h"

/* Hits taken, and nodes visited, between two looks at the clock */
#define SLICE_HITS 16
#define SLICE_NODES 256

/*
 * Beyond a bound on the distance nothing is looked for when the frontier, whose
 * distances are estimates, lies beyond it by this part.
 */
#define BOUND_SLACK 0.3

#define FIRST_ROWS 32

/* Rows of a batch after the first, at least */
#define MIN_BATCH 10

static bool next_batch(VdbScanState *state);
static void begin_batch(VdbWalk *walk);
static bool is_complete(const VdbScanState *state);
static bool peek_hit(VdbScanState *state, VdbHnswHit *hit);
static bool can_take(VdbScanState *state);
static void take_hits(VdbScanState *state);
static bool check_hit(VdbScanState *state, VdbScanRow *row);
static void keep_taken(VdbScanState *state, const ItemPointerData *tid);
static void keep_row(VdbScanState *state, const VdbScanRow *row);
static void complete_batch(VdbScanState *state);
static bool is_beyond_bound(VdbScanState *state);
static bool go_on(VdbScanState *state);
static bool is_preferred(const VdbScanState *state);
static bool uses_much_memory(const VdbScanState *state);
static void walk_on(VdbScanState *state);

#define ST_SORT sort_rows
#define ST_ELEMENT_TYPE VdbScanRow
#define ST_COMPARE(a, b) vdb_row_compare(a, b)
#define ST_SCOPE static
#define ST_DEFINE
#include "lib/sort_template.h"

/*
 * Begins a search, unless it has been begun.  False if the query has no
 * distances.
 */
bool
vdb_graph_begin(VdbScanState *state)
{
	VdbWalk    *walk = &state->walk;
	MemoryContext old;

	if (walk->search != NULL)
		return true;
	old = MemoryContextSwitchTo(state->run_context);
	walk->search = vdb_hnsw_search_begin(vdb_scan_table(state), state->index,
										 vdb_scan_snapshot(state), state->query_value,
										 state->query_is_null);
	MemoryContextSwitchTo(old);
	if (walk->search == NULL)
		return false;
	walk->share = 1;
	walk->batch_rows = state->k > 0 ? state->k : vdb_hnsw_search_ef(walk->search);
	state->facts.visits = vdb_hnsw_search_expected(walk->search, (double) walk->batch_rows, 0.5) / 2;
	return true;
}

/*
 * Lets only the rows of the bitmap be results from now on.
 */
void
vdb_graph_allow(VdbScanState *state)
{
	VdbWalk    *walk = &state->walk;
	VdbScanFacts *facts = &state->facts;
	MemoryContext old = MemoryContextSwitchTo(state->run_context);
	int64		nallowed = 0;

	walk->allowed = vdb_allow_create(state->bitmap.tids, (Size) work_mem * 1024);
	MemoryContextSwitchTo(old);
	walk->share = Min(state->bitmap.rows / Max(state->plan.table_rows, 1), 1);
	vdb_hnsw_search_set_allow(walk->search, vdb_allow_test, walk->allowed, walk->share);
	for (int64 i = 0; i < walk->ntaken; i++)
		if (vdb_allow_test(walk->allowed, &walk->taken[i]))
			nallowed++;
	walk->rank = (double) nallowed;
	walk->walked = 0;
	walk->is_done = false;
	facts->checked = facts->passed = 0;
	facts->spent_before = facts->walk_time + facts->fetch_time;
}

void
vdb_graph_end(VdbScanState *state)
{
	VdbHnswSearchCounts counts;

	if (state->walk.search == NULL)
		return;
	vdb_hnsw_search_counts(state->walk.search, &counts);
	state->counts.nodes += counts.nodes;
	vdb_hnsw_search_end(state->walk.search);
	state->walk.search = NULL;
}

/*
 * The next row; false when the graph is left, and the phase is another one.
 */
bool
vdb_graph_next(VdbScanState *state, VdbScanRow *row)
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
		if (is_beyond_bound(state))
		{
			walk->batch_rows = walk->nrows;
			walk->is_last = true;
			break;
		}
		if (go_on(state))
			walk_on(state);
		else if (state->phase != VDB_SCAN_WALK)
			return false;
	}
	complete_batch(state);
	return true;
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
		walk->walked >= Max(walk->rank, vdb_hnsw_search_ef(walk->search));
}

/*
 * The nearest hit that is not taken and within the bound.
 */
static bool
peek_hit(VdbScanState *state, VdbHnswHit *hit)
{
	return vdb_hnsw_search_peek(state->walk.search, hit) && hit->lower <= state->bound;
}

/*
 * Is there a hit to take, of a rank that the walk has gone for?  A first look
 * takes a few more.
 */
static bool
can_take(VdbScanState *state)
{
	VdbWalk    *walk = &state->walk;
	VdbHnswHit	hit;

	return walk->is_done && walk->nrows < walk->batch_rows &&
		(walk->rank < Max(walk->walked, SLICE_HITS) ||
		 vdb_hnsw_search_is_exhausted(walk->search)) &&
		peek_hit(state, &hit);
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
	for (n = 0; n < SLICE_HITS && can_take(state); n++)
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
		facts->fetch_time += vdb_seconds_since(start);
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
 * last of the batch.
 */
static void
complete_batch(VdbScanState *state)
{
	VdbWalk    *walk = &state->walk;
	VdbHnswHit	hit;
	VdbScanRow	row;

	sort_rows(walk->rows, (size_t) walk->nrows);
	while (walk->batch_rows > 0 && peek_hit(state, &hit) &&
		   hit.lower <= walk->rows[walk->batch_rows - 1].distance)
	{
		int64		place;

		CHECK_FOR_INTERRUPTS();
		if (!check_hit(state, &row))
			continue;
		keep_row(state, &row);
		for (place = walk->nrows - 1;
			 place > 0 && vdb_row_compare(&row, &walk->rows[place - 1]) < 0; place--)
			walk->rows[place] = walk->rows[place - 1];
		walk->rows[place] = row;
	}
	walk->nbatch = walk->batch_rows;
	ExecClearTuple(state->css.ss.ss_ScanTupleSlot);
	if (state->fetch != NULL)
		table_index_fetch_reset(state->fetch);
	vdb_scan_report(state);
}

/*
 * Has all been found that is within the bound on distances, as far as a walk
 * tells?  It goes as far as one without bound at least.
 */
static bool
is_beyond_bound(VdbScanState *state)
{
	VdbWalk    *walk = &state->walk;
	double		bound = state->bound;
	double		frontier = vdb_hnsw_search_frontier(walk->search);
	VdbHnswHit	hit;

	if (isinf(bound) && bound > 0)
		return false;
	if (peek_hit(state, &hit) || state->facts.nodes < vdb_hnsw_search_ef(walk->search))
		return isinf(frontier) && frontier > 0 && !peek_hit(state, &hit);
	if (vdb_hnsw_search_peek(walk->search, &hit))
		walk->nearest = Min(walk->nearest, hit.lower);
	return frontier > bound + BOUND_SLACK * Max(fabs(bound), fabs(Min(walk->nearest, frontier)));
}

/*
 * Decides what comes next: true if it is to walk.  Otherwise hits are to be
 * taken, or, if the phase has changed, the graph is left.
 */
static bool
go_on(VdbScanState *state)
{
	VdbWalk    *walk = &state->walk;
	const VdbScanFacts *facts = &state->facts;
	bool		can = can_take(state);

	if (walk->walked == 0 && walk->allowed == NULL)
		return true;
	if (!can && vdb_hnsw_search_is_exhausted(walk->search))
	{
		vdb_scan_add_reason(state, "the graph has no more rows");
		vdb_scan_exact(state);
		return false;
	}
	if (uses_much_memory(state))
	{
		vdb_scan_add_reason(state, "too many rows were returned to remember more");
		vdb_scan_exact(state);
		return false;
	}
	if (state->strategy == VDB_STRATEGY_AUTO && !is_preferred(state))
	{
		if (walk->allowed != NULL)
		{
			vdb_scan_add_reason(state, "%.0f nodes of the graph did not give enough of them",
								facts->nodes);
			vdb_scan_exact(state);
		}
		else
		{
			vdb_scan_add_reason(state, "%.0f of %.0f rows near the query passed",
								facts->passed, facts->checked);
			vdb_scan_without_vector(state);
		}
		return false;
	}
	return !can;
}

/*
 * Is going on predicted to be better than what else could be done?
 */
static bool
is_preferred(const VdbScanState *state)
{
	const VdbWalk *walk = &state->walk;
	const VdbScanFacts *facts = &state->facts;
	double		missing = (double) Max(walk->batch_rows - walk->nrows, 0);
	double		rank = vdb_facts_rank(facts, walk->rank, missing);
	double		nodes = vdb_hnsw_search_expected(walk->search, rank, walk->share);

	if (walk->allowed != NULL)
		return vdb_prefer_graph_still(facts, nodes);
	return vdb_prefer_walk(facts, rank - walk->rank, Max(nodes - facts->nodes, 0),
						   (double) walk->batch_rows);
}

/*
 * What a search must remember grows with the rows that are returned.
 */
static bool
uses_much_memory(const VdbScanState *state)
{
	const VdbWalk *walk = &state->walk;
	Size		bytes = vdb_row_memory(state) +
		sizeof(ItemPointerData) * (Size) walk->taken_room +
		sizeof(VdbScanRow) * (Size) walk->rows_room;

	return bytes > (Size) work_mem * 1024;
}

/*
 * Walks for one slice: first for a look, then to the rank that is expected to be
 * needed, at most twice the one reached so that what is seen on the way counts.
 */
static void
walk_on(VdbScanState *state)
{
	VdbWalk    *walk = &state->walk;
	VdbScanFacts *facts = &state->facts;
	double		ef_search = vdb_hnsw_search_ef(walk->search);
	double		missing = (double) Max(walk->batch_rows - walk->nrows, 0);
	double		needed = Max(vdb_facts_rank(facts, walk->rank, missing), ef_search);
	VdbHnswSearchCounts counts;
	instr_time	start;

	if (walk->walked == 0 && walk->allowed == NULL)
		walk->walked = Min((double) walk->batch_rows, ef_search);
	else if (walk->is_done || walk->walked == 0)
	{
		double		most = Max(2 * Max(walk->walked, walk->rank), ef_search);

		/* where there were fewer hits than ranks, beyond what seems to be needed */
		if (needed <= walk->walked)
			needed = most;
		walk->walked = ceil(Max(Min(needed, most), walk->walked));
	}
	INSTR_TIME_SET_CURRENT(start);
	walk->is_done = vdb_hnsw_search_walk(walk->search, walk->walked, SLICE_NODES);
	vdb_hnsw_search_counts(walk->search, &counts);
	facts->walk_time += vdb_seconds_since(start);
	facts->nodes = (double) counts.nodes;
}
