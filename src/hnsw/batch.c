/*-------------------------------------------------------------------------
 *
 * batch.c
 *	  Results of a walk, in batches of ef_search, each in order.
 *
 * What the walk has visited waits in a pool.  When the walk stops, the
 * ef_search nearest of the pool are a batch; the others wait for the next.
 *
 * Order: a stored vector tells the exact distance within an interval.  A result
 * whose interval meets no other's stands where its own distance says.  For the
 * others the lower end is returned, to be rechecked: the executor computes the
 * exact value from the row and holds it back until no later one can be nearer.
 *
 *-------------------------------------------------------------------------
 */
#include "pg_compat.h"

#include <math.h>

#include "hnsw/posting.h"
#include "hnsw/scan.h"
#include "hnsw/stats.h"

#define FIRST_POOL 128

/*
 * Results returned beyond ef_search, if they have been visited: the executor
 * wants a row that is farther before it returns one whose place it has to
 * check, and that alone shall not start another walk.  Not in strict order,
 * where a nearer row of that walk would then be lost.
 */
#define BATCH_MARGIN 8

static void run_walk(HnswScan *scan);
static void limit_memory(HnswScan *scan);
static void form_batch(HnswScan *scan);
static void bound_results(HnswScan *scan, HnswResult *results, int n);

#define ST_SORT sort_by_distance
#define ST_ELEMENT_TYPE HnswResult
#define ST_COMPARE(a, b) ((a)->distance < (b)->distance ? -1 : (a)->distance > (b)->distance)
#define ST_SCOPE static
#define ST_DEFINE
#include "lib/sort_template.h"

#define ST_SORT sort_by_value
#define ST_ELEMENT_TYPE HnswResult
#define ST_COMPARE(a, b) ((a)->value < (b)->value ? -1 : (a)->value > (b)->value)
#define ST_SCOPE static
#define ST_DEFINE
#include "lib/sort_template.h"

/*
 * Visitor: keeps what is needed to return a node's rows.
 */
bool
vdb_hnsw_keep_result(HnswWalk *walk, const HnswNodeView *view, float distance)
{
	HnswScan   *scan = (HnswScan *) walk->visitor_arg;

	if (view->node->state != HNSW_LIVE)
		return false;
	if (scan->npool == scan->pool_room)
	{
		scan->pool_room *= 2;
		scan->pool = (HnswResult *) repalloc_huge(scan->pool,
												  (Size) scan->pool_room * sizeof(HnswResult));
	}
	vdb_hnsw_form_result(&scan->pool[scan->npool++], view, distance);
	return true;
}

/*
 * Makes the next batch; false when the walk has come to its end.
 */
bool
vdb_hnsw_next_results(HnswScan *scan)
{
	bool		is_first = scan->pool == NULL;

	if (is_first)
	{
		scan->pool_room = FIRST_POOL;
		scan->pool = (HnswResult *) MemoryContextAlloc(scan->context,
													   FIRST_POOL * sizeof(HnswResult));
	}
	else if (scan->iterative == HNSW_ITERATIVE_OFF)
		return false;

	scan->npool -= scan->batch;
	memmove(scan->pool, scan->pool + scan->batch, (Size) scan->npool * sizeof(HnswResult));
	scan->batch = scan->next = 0;
	if (is_first || scan->max_nodes == 0 || scan->walk->counts.nodes < scan->max_nodes)
		run_walk(scan);
	form_batch(scan);
	return scan->batch > 0;
}

/*
 * Walks until as many results as the walk is wide are nearer than all that is
 * left; those that wait in the pool count.  At the end of all links, goes on
 * from the root, from where every node can be reached (P4).
 */
static void
run_walk(HnswScan *scan)
{
	HnswWalk   *walk = scan->walk;

	vdb_hnsw_walk_widen(walk, scan->width);
	vdb_hnsw_walk_set_slack(walk, vdb_hnsw_slack(scan->ef_search), scan->ef_search);
	for (int i = 0; i < scan->npool; i++)
		vdb_hnsw_walk_count_result(walk, scan->pool[i].distance);
	for (;;)
	{
		while (!vdb_hnsw_walk_is_done(walk))
		{
			vdb_hnsw_walk_step(walk);
			if (vdb_hnsw_walk_memory(walk) + (Size) scan->pool_room * sizeof(HnswResult) >
				scan->memory_limit)
				limit_memory(scan);
		}
		if (walk->frontier.count > 0 || scan->root_added)
			break;
		scan->root_added = true;
		vdb_hnsw_walk_add(walk, scan->root);
	}
}

/*
 * Drops the farther half of the candidates.  The set of those seen grows by a
 * bit for each node, at most; below some candidates it makes no sense.
 */
static void
limit_memory(HnswScan *scan)
{
	if (scan->walk->frontier.count <= 4 * (Size) scan->width)
		return;
	if (!scan->was_limited)
		vdb_hnsw_stats.memory_limited++;
	scan->was_limited = true;
	vdb_hnsw_walk_drop_half(scan->walk);
}

/*
 * Moves the nearest results to the front of the pool, in the order in which
 * they are returned.
 */
static void
form_batch(HnswScan *scan)
{
	sort_by_distance(scan->pool, (size_t) scan->npool);
	scan->batch = Min(scan->npool, scan->ef_search + (scan->iterative == HNSW_ITERATIVE_RELAXED ? BATCH_MARGIN : 0));
	bound_results(scan, scan->pool, scan->batch);
	scan->next = 0;
	scan->ntids = scan->next_tid = 0;
	scan->segments = vdb_hnsw_no_ref();
	vdb_hnsw_stats.batches++;
}

/*
 * Sets value and recheck of n results and sorts them by value.
 */
static void
bound_results(HnswScan *scan, HnswResult *results, int n)
{
	const VdbQuery *query = &scan->walk->query;
	double		upper = -INFINITY; /* of all before */

	/* in strict order the executor may still hold rows of the batch before */
	if (scan->iterative == HNSW_ITERATIVE_STRICT)
		upper = scan->upper;

	for (int i = 0; i < n; i++)
	{
		VdbInterval interval = vdb_quant_query_interval(query, &scan->index->rotation,
														&results[i].header, results[i].distance);

		results[i].value = interval.lower;
		results[i].upper = interval.upper;
		results[i].recheck = results[i].ntids > 1 || vdb_hnsw_ref_is_valid(results[i].segments);
	}
	sort_by_value(results, (size_t) n);
	for (int i = 0; i < n; i++)
	{
		if (results[i].value <= upper || (i + 1 < n && results[i + 1].value <= results[i].upper))
			results[i].recheck = true;
		upper = Max(upper, results[i].upper);
	}
	scan->upper = upper;
	for (int i = 0; i < n; i++)
		if (!results[i].recheck)
			results[i].value = Min(Max(results[i].value, vdb_quant_query_value(query, results[i].distance)),
								   results[i].upper);
}

/*
 * The next row of the batch; false at its end.
 */
bool
vdb_hnsw_next_row(HnswScan *scan, HnswRow *row)
{
	for (;;)
	{
		HnswResult *result = scan->next > 0 ? &scan->pool[scan->next - 1] : NULL;

		if (scan->next_tid < scan->ntids)
		{
			Assert(result != NULL);
			row->value = result->value;
			row->reached = result->recheck ? result->value : result->upper;
			row->is_null = false;
			row->recheck = result->recheck;
			row->tid = scan->tids[scan->next_tid++];
			return true;
		}
		scan->next_tid = 0;
		if (vdb_hnsw_ref_is_valid(scan->segments))
		{
			Assert(result != NULL);
			vdb_hnsw_guard_chain(scan->index, &scan->chain_guard, scan->segments);
			scan->ntids = vdb_hnsw_read_segment(scan->index, scan->segments, result->ref,
												scan->tids, &scan->segments);
		}
		else if (scan->next < scan->batch)
		{
			result = &scan->pool[scan->next++];
			scan->ntids = result->ntids;
			memcpy(scan->tids, result->tids, sizeof(result->tids));
			scan->segments = result->segments;
			memset(&scan->chain_guard, 0, sizeof(scan->chain_guard));
		}
		else
			return false;
	}
}
