/*-------------------------------------------------------------------------
 *
 * graph.c
 *	  The search of an index: vector first, in graph, and by reading all of it.
 *
 * In the first all rows are results, in the others those of the bitmap.  A walk
 * is given up when it does not pay; what it has found already is found.
 *
 *-------------------------------------------------------------------------
 */
#include "pg_compat.h"

#include <math.h>

#include "miscadmin.h"
#include "planner/node.h"

/* Nodes visited and pages read between two looks at the clock */
#define SLICE_NODES 256
#define SLICE_PAGES 256

/*
 * Beyond a bound on the distance nothing is looked for when the frontier, whose
 * distances are estimates, lies beyond it by this part.
 */
#define BOUND_SLACK 0.3

/* Nodes that a walk visits for each rank that it goes on, all being results */
#define VISITS_PER_RANK 1.3

/*
 * To find about all of the `rank` nearest rows, those near that rank above all,
 * a walk goes for so many times as many; README.md, "Constants".
 */
#define DEPTH 2.0

/*
 * A reading of the index keeps so many times the rows that are expected to be
 * needed: it cannot go on for more.
 */
#define SWEEP_RANKS 3.0

static void end_here(VdbWalk *walk);
static bool is_preferred(const VdbScanState *state);
static void give_up(VdbScanState *state);
static bool uses_much_memory(const VdbScanState *state);
static void walk(VdbScanState *state);
static void sweep(VdbScanState *state);
static double missing_rows(const VdbWalk *walk);

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
	state->facts.ef_search = vdb_hnsw_search_ef(walk->search);
	state->facts.visits = vdb_hnsw_search_expected(walk->search, 1, 0.5) / 2;
	return true;
}

/*
 * Lets only the rows of the bitmap be results from now on.
 */
void
vdb_graph_allow(VdbScanState *state)
{
	VdbWalk    *walk = &state->walk;
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
 * Lets the search find the rows of the bitmap by reading the index.
 */
void
vdb_graph_sweep(VdbScanState *state)
{
	VdbWalk    *walk = &state->walk;

	if (walk->allowed == NULL)
		vdb_graph_allow(state);
	walk->is_sweep = true;
	walk->is_done = false;
	walk->walked = 0;
}

/*
 * The rank to walk to where all rows up to a rank are wanted.
 */
double
vdb_graph_depth(const VdbWalk *walk, double rank)
{
	return Max(DEPTH * rank, vdb_hnsw_search_ef(walk->search));
}

/*
 * Has all been found that is within the bound on distances, as far as a walk
 * tells?  It goes as far as one without bound at least.
 */
bool
vdb_graph_is_beyond_bound(VdbScanState *state)
{
	VdbWalk    *walk = &state->walk;
	double		bound = state->bound;
	double		frontier = vdb_hnsw_search_frontier(walk->search);
	VdbHnswHit	hit;

	if (isinf(bound) && bound > 0)
		return false;
	if (vdb_hnsw_search_peek(walk->search, &hit))
	{
		walk->nearest = Min(walk->nearest, hit.lower);
		if (hit.lower <= bound)
			return false;
		if (walk->is_sweep)
			return walk->is_done;
	}
	if (walk->is_sweep || state->facts.nodes < vdb_hnsw_search_ef(walk->search))
		return false;
	return !isinf(frontier) &&
		frontier > bound + BOUND_SLACK * Max(fabs(bound), fabs(Min(walk->nearest, frontier)));
}

/*
 * No hit can be taken, or enough have been for a look at the clock: searches on
 * where that is called for, or leaves the graph, which changes the phase.
 */
void
vdb_graph_go_on(VdbScanState *state)
{
	VdbWalk    *walk_state = &state->walk;
	bool		has_hits = vdb_batch_can_take(state);

	if (!has_hits && walk_state->is_done && vdb_hnsw_search_is_exhausted(walk_state->search))
	{
		if (walk_state->is_sweep)
			end_here(walk_state);
		else
		{
			/* it may have dropped some for want of memory */
			vdb_scan_add_reason(state, "the graph has no more rows");
			vdb_scan_exact(state);
		}
	}
	else if (uses_much_memory(state))
	{
		vdb_scan_add_reason(state, "too many rows were returned to remember more");
		vdb_scan_exact(state);
	}
	else if (!is_preferred(state))
		give_up(state);
	else if (has_hits)
		return;
	else if (!walk_state->is_sweep)
		walk(state);
	else if (!walk_state->is_done)
		sweep(state);
	else
	{
		vdb_scan_add_reason(state, "more rows were wanted than had been looked for");
		vdb_scan_exact(state);
	}
}

/*
 * All rows that are allowed have been seen: the batch has what there is.
 */
static void
end_here(VdbWalk *walk)
{
	walk->batch_rows = walk->nrows;
	walk->is_last = true;
}

/*
 * Is going on predicted to be better than what else could be done?
 */
static bool
is_preferred(const VdbScanState *state)
{
	const VdbWalk *walk = &state->walk;
	const VdbScanFacts *facts = &state->facts;
	double		wanted = (double) walk->batch_rows;
	double		rank;
	double		depth;

	if (state->strategy != VDB_STRATEGY_AUTO || (walk->is_sweep && walk->is_done) ||
		(walk->walked == 0 && walk->allowed == NULL) || missing_rows(walk) == 0)
		return true;
	if (walk->is_sweep)
		return vdb_prefer_sweep(facts, wanted);
	rank = vdb_facts_rank(facts, walk->rank, missing_rows(walk));
	depth = vdb_graph_depth(walk, rank);
	if (walk->allowed != NULL)
		return vdb_prefer_graph(facts, vdb_hnsw_search_expected(walk->search, depth, walk->share),
								vdb_hnsw_search_expected(walk->search, depth,
														 vdb_facts_near_share(facts)),
								wanted);
	return vdb_prefer_walk(facts, rank - walk->rank,
						   VISITS_PER_RANK * Max(depth - walk->walked, 0), wanted);
}

/*
 * Leaves what does not pay for what comes next.
 */
static void
give_up(VdbScanState *state)
{
	const VdbScanFacts *facts = &state->facts;

	if (state->walk.is_sweep)
	{
		vdb_scan_add_reason(state, "the index is slow to read");
		vdb_scan_exact(state);
	}
	else if (state->walk.allowed != NULL)
	{
		vdb_scan_add_reason(state, "%.0f nodes of the graph did not give enough of them",
							facts->nodes);
		vdb_scan_all(state);
	}
	else
	{
		vdb_scan_add_reason(state, "%.0f of %.0f rows near the query passed", facts->passed,
							facts->checked);
		vdb_scan_without_vector(state);
	}
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
walk(VdbScanState *state)
{
	VdbWalk    *walk = &state->walk;
	VdbScanFacts *facts = &state->facts;
	double		ef_search = vdb_hnsw_search_ef(walk->search);
	double		needed = vdb_graph_depth(walk, vdb_facts_rank(facts, walk->rank, missing_rows(walk)));
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
	vdb_rate_add(&facts->node_rate, vdb_seconds_since(start), (double) counts.nodes - facts->nodes);
	facts->nodes = (double) counts.nodes;
	if (walk->allowed != NULL)
	{
		facts->near_checked = (double) counts.nodes;
		facts->near_passed = (double) counts.allowed;
	}
}

/*
 * Reads a slice of the index.
 */
static void
sweep(VdbScanState *state)
{
	VdbWalk    *walk = &state->walk;
	VdbScanFacts *facts = &state->facts;
	double		pages = facts->pages_left;
	instr_time	start;

	if (walk->walked == 0)
		walk->walked = ceil(SWEEP_RANKS * vdb_facts_rank(facts, walk->rank, missing_rows(walk)));
	INSTR_TIME_SET_CURRENT(start);
	walk->is_done = vdb_hnsw_search_sweep(walk->search, walk->walked, SLICE_PAGES);
	facts->pages_left = vdb_hnsw_search_sweep_pages(walk->search);
	facts->pages_read += pages - facts->pages_left;
	vdb_rate_add(&facts->page_rate, vdb_seconds_since(start), pages - facts->pages_left);
}

static double
missing_rows(const VdbWalk *walk)
{
	return (double) Max(walk->batch_rows - walk->nrows, 0);
}
