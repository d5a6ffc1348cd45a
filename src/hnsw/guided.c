/*-------------------------------------------------------------------------
 *
 * guided.c
 *	  Searches that their caller steers: README.md, "Guided searches".
 *
 * The same walk as a scan's.  Nodes whose rows are not wanted lead on without
 * being results, so the walk goes on until enough of the others are nearer than
 * all that is left.
 *
 *-------------------------------------------------------------------------
 */
#include "pg_compat.h"

#include <math.h>

#include "hnsw/hnsw.h"
#include "hnsw/scan.h"
#include "hnsw/stats.h"
#include "miscadmin.h"
#include "pgstat.h"
#include "storage/predicate.h"
#include "utils/memutils.h"

#define FIRST_FOUND 128

/*
 * Under a filter the results are a sample of what the walk visits, so it needs
 * fewer of them than a scan: so many for each of ef_search or rank, and slack
 * that is less the fewer of the nodes visited are results.  README.md has the
 * measurements.
 */
#define ALLOWED_WIDTH_PER_EF 0.4
#define MIN_ALLOWED_WIDTH 12
#define RARE_SLACK 0.08
/* a share from which on slack is a scan's */
#define FREQUENT 0.5

/* Nodes visited for each result that is looked for */
#define VISITS_PER_WIDTH 3.8
/* Where it takes so many times as many, slack is a scan's, too */
#define SUSPICIOUS 1.5

struct VdbHnswSearch
{
	HnswIndex  *index;
	Relation	heap;
	MemoryContext context;
	HnswWalk   *walk;
	HnswWalkCounts counted;		/* of the walk, already in the statistics */
	HnswRef		root;
	bool		root_added;
	int			ef_search;
	Size		memory_limit;
	bool		was_limited;
	BlockNumber heap_blocks;
	VdbHnswAllow allow;			/* NULL: all rows are wanted */
	void	   *allow_arg;
	double		share;			/* of the nodes that is allowed */
	double		rank;			/* that the walk goes for */
	double		slack;			/* of it, as far as it has come */

	/* reading in page order */
	BlockNumber next_block;		/* 0: not begun */
	BlockNumber end_block;
	HnswNumberSet known;		/* the nodes found before */
	BufferAccessStrategy strategy;
	bool		is_swept;
	bool		has_dropped;	/* rows that are farther than was asked for */

	/* visited results: those taken, those in order, those just found */
	HnswResult *found;
	int			nfound;
	int			found_room;
	int			ntaken;
	int			nordered;		/* these and the taken ones */

	/* rows of the result that is being taken */
	ItemPointerData tids[HNSW_SEGMENT_TIDS];
	int			ntids;
	int			next_tid;
	bool		is_untouched;	/* none of them was taken */
	HnswRef		segments;
	HnswChainGuard chain_guard;
};

static bool keep_found(HnswWalk *walk, const HnswNodeView *view, float distance);
static bool is_allowed(const VdbHnswSearch *search, const ItemPointerData *tids, int ntids,
					   HnswRef segments);
static void make_room(VdbHnswSearch *search);
static void begin_sweep(VdbHnswSearch *search, double rank);
static void sweep_page(VdbHnswSearch *search, Buffer buffer, BlockNumber block);
static int	width_for(const VdbHnswSearch *search, double rank);
static double wanted_slack(const VdbHnswSearch *search);
static void count_again(VdbHnswSearch *search);
static void limit_memory(VdbHnswSearch *search);
static void put_in_order(VdbHnswSearch *search);
static bool find_row(VdbHnswSearch *search);
static void open_result(VdbHnswSearch *search, const HnswResult *result);
static void close_untouched(VdbHnswSearch *search);

#define ST_SORT sort_by_lower
#define ST_ELEMENT_TYPE HnswResult
#define ST_COMPARE(a, b) ((a)->value < (b)->value ? -1 : (a)->value > (b)->value)
#define ST_SCOPE static
#define ST_DEFINE
#include "lib/sort_template.h"

VdbHnswSearch *
vdb_hnsw_search_begin(Relation heap, Relation index, Snapshot snapshot, Datum query,
					  bool is_null)
{
	MemoryContext context;
	MemoryContext old;
	VdbHnswSearch *search;
	HnswRef		entry;

	vdb_hnsw_check_snapshot(snapshot);
	if (is_null)
		return NULL;
	context = AllocSetContextCreate(CurrentMemoryContext, "hnsw search", ALLOCSET_DEFAULT_SIZES);
	old = MemoryContextSwitchTo(context);
	search = (VdbHnswSearch *) palloc0(sizeof(VdbHnswSearch));
	search->context = context;
	search->heap = heap;
	search->index = vdb_hnsw_open(index);
	search->walk = vdb_hnsw_enter(search->index, query, &search->root, &entry);
	if (search->walk == NULL)
	{
		MemoryContextSwitchTo(old);
		MemoryContextDelete(context);
		return NULL;
	}

	/* as index_beginscan() does for an access method without predicate locks */
	PredicateLockRelation(index, snapshot);
	pgstat_count_index_scan(index);
	vdb_hnsw_stats.scans++;
	search->ef_search = vdb_hnsw_ef_search(index);
	search->memory_limit = vdb_hnsw_scan_memory();
	search->found_room = FIRST_FOUND;
	search->found = vdb_palloc_array(HnswResult, FIRST_FOUND);
	search->segments = vdb_hnsw_no_ref();
	search->share = 1;
	search->walk->visitor = keep_found;
	search->walk->visitor_arg = search;
	vdb_hnsw_walk_start(search->walk, 0, 1);
	vdb_hnsw_walk_add(search->walk, entry);
	MemoryContextSwitchTo(old);
	return search;
}

void
vdb_hnsw_search_end(VdbHnswSearch *search)
{
	vdb_hnsw_count_walk(search->walk, &search->counted);
	MemoryContextDelete(search->context);
}

/*
 * Forgets what was found and is not allowed, and counts the rest.
 */
void
vdb_hnsw_search_set_allow(VdbHnswSearch *search, VdbHnswAllow allow, void *arg,
						  double share)
{
	int			n = 0;
	int			ntaken = 0;

	close_untouched(search);
	search->allow = allow;
	search->allow_arg = arg;
	search->share = Min(Max(share, 1e-9), 1);
	for (int i = 0; i < search->nfound; i++)
		if (is_allowed(search, search->found[i].tids, search->found[i].ntids,
					   search->found[i].segments))
		{
			if (i < search->ntaken)
				ntaken++;
			search->found[n++] = search->found[i];
		}
	search->nfound = n;
	search->ntaken = search->nordered = ntaken;
	search->rank = 0;
}

int
vdb_hnsw_search_ef(const VdbHnswSearch *search)
{
	return search->ef_search;
}

double
vdb_hnsw_search_expected(const VdbHnswSearch *search, double rank, double share)
{
	double		ef = Min(Max(search->ef_search, rank), INT_MAX / 2);
	double		width = share >= 1 ? vdb_hnsw_width((int) ef) :
								Max(MIN_ALLOWED_WIDTH, ALLOWED_WIDTH_PER_EF * ef);

	return VISITS_PER_WIDTH * width / Max(share, 1e-9);
}

bool
vdb_hnsw_search_walk(VdbHnswSearch *search, double rank, int64 max_nodes)
{
	HnswWalk   *walk = search->walk;
	MemoryContext old = MemoryContextSwitchTo(search->context);
	uint64		end = walk->counts.nodes + (uint64) max_nodes;

	if (rank > search->rank || search->rank == 0)
	{
		search->rank = Max(rank, 1);
		search->slack = wanted_slack(search);
		count_again(search);
	}
	for (;;)
	{
		while (!vdb_hnsw_walk_is_done(walk) && walk->counts.nodes < end)
		{
			vdb_hnsw_walk_step(walk);
			if (vdb_hnsw_walk_memory(walk) + (Size) search->found_room * sizeof(HnswResult) >
				search->memory_limit)
				limit_memory(search);
		}
		if (walk->frontier.count == 0 && !search->root_added)
		{
			search->root_added = true;
			vdb_hnsw_walk_add(walk, search->root);
		}
		else if (vdb_hnsw_walk_is_done(walk) && wanted_slack(search) > search->slack)
		{
			search->slack = wanted_slack(search);
			count_again(search);
		}
		else
			break;
	}
	vdb_hnsw_count_walk(walk, &search->counted);
	MemoryContextSwitchTo(old);
	return vdb_hnsw_walk_is_done(walk);
}

bool
vdb_hnsw_search_is_exhausted(const VdbHnswSearch *search)
{
	return search->is_swept ? !search->has_dropped :
							  search->walk->frontier.count == 0 && search->root_added;
}

BlockNumber
vdb_hnsw_search_sweep_pages(const VdbHnswSearch *search)
{
	return RelationGetNumberOfBlocks(search->index->relation) - search->next_block;
}

bool
vdb_hnsw_search_sweep(VdbHnswSearch *search, double rank, BlockNumber max_pages)
{
	MemoryContext old = MemoryContextSwitchTo(search->context);
	BlockNumber end;

	if (search->next_block == 0)
		begin_sweep(search, rank);
	end = Min(search->end_block, search->next_block + max_pages);
	for (; search->next_block < end; search->next_block++)
	{
		Buffer		buffer;

		CHECK_FOR_INTERRUPTS();
		if (!vdb_hnsw_try_read_nodes(search->index, search->next_block, BUFFER_LOCK_SHARE,
									 search->strategy, &buffer))
			continue;
		vdb_hnsw_stats.pages++;
		sweep_page(search, buffer, search->next_block);
		UnlockReleaseBuffer(buffer);
	}
	search->is_swept = search->next_block >= search->end_block;
	if (search->is_swept)
		vdb_hnsw_stats.sweeps++;
	MemoryContextSwitchTo(old);
	return search->is_swept;
}

bool
vdb_hnsw_search_peek(VdbHnswSearch *search, VdbHnswHit *hit)
{
	const HnswResult *result;

	if (!find_row(search))
		return false;
	result = &search->found[search->ntaken - 1];
	hit->lower = result->value;
	hit->upper = result->upper;
	hit->tid = search->tids[search->next_tid];
	return true;
}

bool
vdb_hnsw_search_take(VdbHnswSearch *search, VdbHnswHit *hit)
{
	if (!vdb_hnsw_search_peek(search, hit))
		return false;
	search->next_tid++;
	search->is_untouched = false;
	vdb_hnsw_check_tid(search->index->relation, search->heap, &search->heap_blocks, &hit->tid);
	vdb_hnsw_stats.results++;
	return true;
}

double
vdb_hnsw_search_frontier(const VdbHnswSearch *search)
{
	const HnswFrontier *frontier = &search->walk->frontier;

	if (frontier->count == 0)
		return search->root_added ? INFINITY : -INFINITY;
	if (isinf(frontier->heap[0].distance))
		return frontier->heap[0].distance;
	return vdb_quant_query_value(&search->walk->query, frontier->heap[0].distance);
}

void
vdb_hnsw_search_counts(const VdbHnswSearch *search, VdbHnswSearchCounts *counts)
{
	counts->nodes = (int64) search->walk->counts.nodes;
	counts->allowed = search->nfound;
}

/*
 * Visitor: keeps what is needed to give a node's rows.
 */
static bool
keep_found(HnswWalk *walk, const HnswNodeView *view, float distance)
{
	VdbHnswSearch *search = (VdbHnswSearch *) walk->visitor_arg;

	if (view->node->state != HNSW_LIVE)
		return false;
	if (!is_allowed(search, view->node->tids, view->node->ntids, view->node->next))
		return false;
	make_room(search);
	vdb_hnsw_form_result(&search->found[search->nfound++], view, distance);
	return true;
}

static void
make_room(VdbHnswSearch *search)
{
	if (search->nfound < search->found_room)
		return;
	search->found_room *= 2;
	search->found = (HnswResult *) repalloc_huge(search->found,
												 (Size) search->found_room * sizeof(HnswResult));
}

/*
 * A node with rows in segments may have one that is wanted there.
 */
static bool
is_allowed(const VdbHnswSearch *search, const ItemPointerData *tids, int ntids,
		   HnswRef segments)
{
	if (search->allow == NULL || vdb_hnsw_ref_is_valid(segments))
		return true;
	for (int i = 0; i < ntids; i++)
		if (search->allow(search->allow_arg, (ItemPointer) &tids[i]))
			return true;
	return false;
}

/*
 * The nearest results that a walk looks for when `rank` of them are wanted.  With
 * rank below ef_search it finds fewer than a scan would: a first look.
 */
static int
width_for(const VdbHnswSearch *search, double rank)
{
	int			ef = (int) Min(rank, INT_MAX / 2);

	return search->allow == NULL ? vdb_hnsw_width(ef) :
								   Max(MIN_ALLOWED_WIDTH, (int) ceil(ALLOWED_WIDTH_PER_EF * Max(ef, search->ef_search)));
}

/*
 * Slack for what has been seen so far: a scan's where results are frequent, and
 * where they are so rare that they must lie away from the query.
 */
static double
wanted_slack(const VdbHnswSearch *search)
{
	double		full = vdb_hnsw_slack(search->ef_search) - 1;
	double		nodes = (double) search->walk->counts.nodes;
	double		seen = search->nfound / Max(nodes, 1);

	if (search->allow == NULL ||
		nodes > SUSPICIOUS * vdb_hnsw_search_expected(search, search->rank, search->share))
		return 1 + full;
	return 1 + Min(full, RARE_SLACK) + Max(0, full - RARE_SLACK) * Min(1, seen / FREQUENT);
}

/*
 * Starts to look for another number of nearest results, of which those found
 * are the first.  Under a filter slack may go as far as the caller allows.
 */
static void
count_again(VdbHnswSearch *search)
{
	HnswWalk   *walk = search->walk;

	vdb_hnsw_walk_widen(walk, width_for(search, search->rank));
	vdb_hnsw_walk_set_slack(walk, search->slack, (int) Min(search->rank, INT_MAX / 2));
	if (search->allow != NULL)
		walk->max_results = INT_MAX;
	for (int i = 0; i < search->nfound; i++)
		vdb_hnsw_walk_count_result(walk, search->found[i].distance);
}

/*
 * Drops the farther half of the candidates, as a scan does.
 */
static void
limit_memory(VdbHnswSearch *search)
{
	if (search->walk->frontier.count <= (Size) (4 * search->walk->width))
		return;
	if (!search->was_limited)
		vdb_hnsw_stats.memory_limited++;
	search->was_limited = true;
	vdb_hnsw_walk_drop_half(search->walk);
}

/*
 * What a walk has found is known; twice as many rows as wanted are kept, since
 * stored distances are a little wrong.
 */
static void
begin_sweep(VdbHnswSearch *search, double rank)
{
	Relation	index = search->index->relation;

	search->next_block = HNSW_META_BLOCK + 1;
	search->end_block = RelationGetNumberOfBlocks(index);
	if (search->end_block > (BlockNumber) NBuffers / 4)
		search->strategy = GetAccessStrategy(BAS_BULKREAD);
	vdb_hnsw_set_init(&search->known, search->index->nblocks * (uint32) search->index->nodes_per_page);
	for (int i = 0; i < search->nfound; i++)
		vdb_hnsw_set_add(&search->known, vdb_hnsw_ref_number(search->found[i].ref));
	vdb_hnsw_walk_widen(search->walk, (int) Min(2 * rank + 50, INT_MAX / 16));
	for (int i = 0; i < search->nfound; i++)
		vdb_hnsw_walk_count_result(search->walk, search->found[i].distance);
}

static void
sweep_page(VdbHnswSearch *search, Buffer buffer, BlockNumber block)
{
	HnswIndex  *index = search->index;
	HnswWalk   *walk = search->walk;

	for (int place = 0; place < index->nodes_per_page; place++)
	{
		uint32		number = vdb_hnsw_number(index, block, place);
		HnswNode   *node = vdb_hnsw_node_at(index, BufferGetPage(buffer), place);
		HnswNodeView view;
		float		distance;

		if (node->state != HNSW_LIVE || node->level > 0 ||
			!is_allowed(search, node->tids, node->ntids, node->next) ||
			vdb_hnsw_set_has(&search->known, number))
			continue;
		vdb_hnsw_view(index, BufferGetPage(buffer), place, number, walk->vector, &view);
		distance = vdb_quant_query_distance(&walk->query, view.stored);
		vdb_hnsw_stats.distances++;
		if (walk->nnearest == walk->width && distance > walk->nearest[0])
		{
			search->has_dropped = true;
			continue;
		}
		make_room(search);
		vdb_hnsw_form_result(&search->found[search->nfound++], &view, distance);
		vdb_hnsw_walk_count_result(walk, distance);
	}
}

/*
 * Puts the results that are not taken in order of their lower bounds.
 */
static void
put_in_order(VdbHnswSearch *search)
{
	const VdbQuery *query = &search->walk->query;

	if (search->nordered == search->nfound)
		return;
	for (int i = search->nordered; i < search->nfound; i++)
	{
		HnswResult *result = &search->found[i];
		VdbInterval interval = vdb_quant_query_interval(query, &search->index->rotation,
														&result->header, result->distance);

		result->value = interval.lower;
		result->upper = interval.upper;
	}
	sort_by_lower(search->found + search->ntaken, (size_t) (search->nfound - search->ntaken));
	search->nordered = search->nfound;
	vdb_hnsw_stats.batches++;
}

/*
 * Makes tids[next_tid] the next row; false if there is none.
 */
static bool
find_row(VdbHnswSearch *search)
{
	/* what was found since then may be nearer than a row that was peeked at */
	if (search->nordered < search->nfound)
		close_untouched(search);
	for (;;)
	{
		while (search->next_tid < search->ntids)
		{
			if (search->allow == NULL ||
				search->allow(search->allow_arg, &search->tids[search->next_tid]))
				return true;
			search->next_tid++;
		}
		search->next_tid = search->ntids = 0;
		if (vdb_hnsw_ref_is_valid(search->segments))
		{
			vdb_hnsw_guard_chain(search->index, &search->chain_guard, search->segments);
			search->ntids = vdb_hnsw_read_segment(search->index, search->segments,
												  search->found[search->ntaken - 1].ref,
												  search->tids, &search->segments);
			vdb_hnsw_stats.pages++;
		}
		else
		{
			put_in_order(search);
			if (search->ntaken == search->nfound)
				return false;
			open_result(search, &search->found[search->ntaken++]);
		}
	}
}

static void
open_result(VdbHnswSearch *search, const HnswResult *result)
{
	search->is_untouched = true;
	search->ntids = result->ntids;
	memcpy(search->tids, result->tids, sizeof(result->tids));
	search->segments = result->segments;
	memset(&search->chain_guard, 0, sizeof(search->chain_guard));
}

/*
 * Puts the result that is open back among the others if no row of it was taken.
 */
static void
close_untouched(VdbHnswSearch *search)
{
	if (!search->is_untouched)
		return;
	search->is_untouched = false;
	search->ntaken--;
	search->next_tid = search->ntids = 0;
	search->segments = vdb_hnsw_no_ref();
}
