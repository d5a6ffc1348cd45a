/*-------------------------------------------------------------------------
 *
 * guided.c
 *	  Searches that their caller steers: README.md, "Guided searches".
 *
 * Begin and end, what is found, and its rows in order; guided_walk.c finds it.
 *
 *-------------------------------------------------------------------------
 */
#include "pg_compat.h"

#include "hnsw/guided.h"
#include "hnsw/stats.h"
#include "pgstat.h"
#include "storage/predicate.h"
#include "utils/memutils.h"

#define FIRST_FOUND 128

static bool keep_found(HnswWalk *walk, const HnswNodeView *view, float distance);
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
		if (vdb_hnsw_search_allows(search, search->found[i].tids, search->found[i].ntids,
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
	if (!vdb_hnsw_search_allows(search, view->node->tids, view->node->ntids, view->node->next))
		return false;
	vdb_hnsw_search_make_room(search);
	vdb_hnsw_form_result(&search->found[search->nfound++], view, distance);
	return true;
}

void
vdb_hnsw_search_make_room(VdbHnswSearch *search)
{
	if (search->nfound < search->found_room)
		return;
	search->found_room *= 2;
	search->found = (HnswResult *) repalloc_huge(search->found,
												 (Size) search->found_room * sizeof(HnswResult));
}

bool
vdb_hnsw_search_allows(const VdbHnswSearch *search, const ItemPointerData *tids, int ntids,
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
