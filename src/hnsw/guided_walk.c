/*-------------------------------------------------------------------------
 *
 * guided_walk.c
 *	  How a guided search finds nodes: by walking, by reading all of them.
 *
 * The walk is a scan's.  Nodes whose rows are not wanted lead on without being
 * results, so it goes on until enough of the others are nearer than all that
 * is left.
 *
 *-------------------------------------------------------------------------
 */
#include "pg_compat.h"

#include <math.h>

#include "hnsw/guided.h"
#include "hnsw/stats.h"
#include "miscadmin.h"

/*
 * Under a filter the results are a sample of what the walk visits, so it needs
 * fewer of them than a scan: so many for each of ef_search or rank.  README.md
 * has the measurements.
 */
#define ALLOWED_WIDTH_PER_EF 0.4
#define MIN_ALLOWED_WIDTH 12

/* and the slack is this part of a scan's, since all rows within it are visited */
#define ALLOWED_SLACK (2.0 / 3)

/* Nodes visited for each result that is looked for */
#define VISITS_PER_WIDTH 2.4

/* Where links have no codes, all new neighbours are visited; so many of them are. */
#define NEW_PER_LINK 0.3

static int	width_for(const VdbHnswSearch *search, double rank);
static void count_again(VdbHnswSearch *search);
static void limit_memory(VdbHnswSearch *search);
static void begin_sweep(VdbHnswSearch *search, double rank);
static void sweep_page(VdbHnswSearch *search, Buffer buffer, BlockNumber block);

double
vdb_hnsw_search_expected(const VdbHnswSearch *search, double rank, double share)
{
	double		ef = Min(Max(search->ef_search, rank), INT_MAX / 2);
	const HnswIndex *index = search->index;
	double		width = share >= 1 ? vdb_hnsw_walk_width(index, (int) ef) :
								Max(MIN_ALLOWED_WIDTH, ALLOWED_WIDTH_PER_EF * ef);

	if (index->layout.bits == 0)
		width *= NEW_PER_LINK * index->slots;
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

/*
 * The nearest results that a walk looks for when `rank` of them are wanted.  With
 * rank below ef_search it finds fewer than a scan would: a first look.
 */
static int
width_for(const VdbHnswSearch *search, double rank)
{
	int			ef = (int) Min(rank, INT_MAX / 2);

	return search->allow == NULL ? vdb_hnsw_walk_width(search->index, ef) :
								   Max(MIN_ALLOWED_WIDTH, (int) ceil(ALLOWED_WIDTH_PER_EF * Max(ef, search->ef_search)));
}

/*
 * Starts to look for another number of nearest results, of which those found
 * are the first.  Under a filter the walk goes as far as the caller allows.
 */
static void
count_again(VdbHnswSearch *search)
{
	HnswWalk   *walk = search->walk;
	double		slack = vdb_hnsw_slack(search->ef_search);

	if (search->allow != NULL)
		slack = 1 + ALLOWED_SLACK * (slack - 1);
	vdb_hnsw_walk_widen(walk, width_for(search, search->rank));
	vdb_hnsw_walk_set_slack(walk, slack, (int) Min(search->rank, INT_MAX / 2));
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
	if (search->walk->frontier.count <= 4 * (Size) search->walk->width)
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
			!vdb_hnsw_search_allows(search, node->tids, node->ntids, node->next) ||
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
		vdb_hnsw_search_make_room(search);
		vdb_hnsw_form_result(&search->found[search->nfound++], &view, distance);
		vdb_hnsw_walk_count_result(walk, distance);
	}
}
