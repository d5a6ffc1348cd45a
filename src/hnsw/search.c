/*-------------------------------------------------------------------------
 *
 * search.c
 *	  A walk through the graph of an index: README.md, "Search".
 *
 * The frontier (frontier.c) is of all candidates ever estimated and not visited,
 * so that a walk can go on for as long as somebody asks for more.  It stops by
 * itself when the `width` nearest results are nearer than all of it.
 *
 *-------------------------------------------------------------------------
 */
#include "pg_compat.h"

#include <math.h>

#include "hnsw/options.h"
#include "hnsw/search.h"
#include "miscadmin.h"
#include "utils/memutils.h"

/*
 * A run with slack ends after so many results, and so many for each of its width:
 * where all is about equally far, slack would go through all of it.
 */
#define MOST_RESULTS 100
#define MOST_PER_WIDTH 2.5

/* Neighbours that are brought near before they are visited */
#define PREFETCHED_LINKS 3

/* The descent keeps this many results a level, against local minima. */
#define DESCENT_WIDTH 4

static void prefetch_first(HnswWalk *walk);
static double reach(const HnswWalk *walk);
static void note_result(HnswWalk *walk, float distance);
static bool visit(HnswWalk *walk, HnswRef ref, float *distance);
static void expand_by_codes(HnswWalk *walk, const HnswNodeView *view, float distance);
static void expand_by_reading(HnswWalk *walk, HnswCandidate from);
static int	copy_new_links(HnswWalk *walk, const HnswNodeView *view);

/*
 * Begins walks of one query in a memory context of their own, a child of the
 * current one.  The vector is not needed afterwards.
 */
HnswWalk *
vdb_hnsw_walk_begin(HnswIndex *index, const VdbRotated *query, double typical_norm)
{
	MemoryContext context = AllocSetContextCreate(CurrentMemoryContext, "hnsw walk",
												  ALLOCSET_DEFAULT_SIZES);
	MemoryContext old = MemoryContextSwitchTo(context);
	HnswWalk   *walk = (HnswWalk *) palloc0(sizeof(HnswWalk));

	walk->context = context;
	walk->index = index;
	index->nblocks = RelationGetNumberOfBlocks(index->relation);
	vdb_quant_init_query(&walk->query, &index->layout, index->kernels, query, typical_norm,
						 palloc(vdb_quant_query_size_of(&index->layout, query)));
	vdb_hnsw_frontier_init(&walk->frontier);
	vdb_hnsw_set_init(&walk->seen, index->nblocks * (uint32) index->nodes_per_page);
	walk->links = vdb_palloc_array(HnswRef, index->slots);
	walk->estimates = vdb_palloc_array(float, index->slots);
	walk->weights = vdb_palloc_array(float, index->slots);
	if (index->vector_pages > 0)
		walk->vector = palloc((Size) index->layout.vector_bytes);
	MemoryContextSwitchTo(old);
	return walk;
}

void
vdb_hnsw_walk_end(HnswWalk *walk)
{
	MemoryContextDelete(walk->context);
}

/*
 * Starts over on a level, with nothing seen; results are counted up to width.
 */
void
vdb_hnsw_walk_start(HnswWalk *walk, int level, int width)
{
	walk->level = level;
	vdb_hnsw_frontier_clear(&walk->frontier);
	vdb_hnsw_set_clear(&walk->seen);
	vdb_hnsw_walk_widen(walk, width);
}

/*
 * Goes on from where the walk is with a new count of results, without slack.
 */
void
vdb_hnsw_walk_widen(HnswWalk *walk, int width)
{
	if (walk->nearest == NULL)
		walk->nearest = (float *) MemoryContextAlloc(walk->context, sizeof(float) * (Size) width);
	else if (width > walk->width)
		walk->nearest = (float *) repalloc(walk->nearest, sizeof(float) * (Size) width);
	walk->width = width;
	walk->nnearest = 0;
	walk->nresults = 0;
	walk->slack = 1;
	walk->min_results = 0;
	walk->max_results = INT_MAX;
}

/*
 * Nodes that a scan with ef_search has to find.  Where distances are exact there
 * are none that an estimate put too far away, so the width has no slack, and is
 * the paper's.
 */
int
vdb_hnsw_walk_width(const HnswIndex *index, int ef_search)
{
	return index->layout.bits > 0 ? vdb_hnsw_width(ef_search) : Max(HNSW_MIN_WIDTH, ef_search);
}

/*
 * Lets the run that was started go on while an estimate is within slack times
 * the distance of the farthest of the width nearest, and until it has
 * min_results.  Estimates are wrong both ways: a few results looked for with
 * some slack are found with fewer visits than many without.  Where there are no
 * codes there is no slack either, and no need to end a run that goes on and on:
 * neighbours are visited to know their distances, and are most of the results.
 */
void
vdb_hnsw_walk_set_slack(HnswWalk *walk, double slack, int min_results)
{
	walk->min_results = min_results;
	if (walk->index->layout.bits == 0)
		return;
	walk->slack = slack;
	walk->max_results = Max((int) Min(MOST_RESULTS + MOST_PER_WIDTH * walk->width, INT_MAX),
							min_results);
}

/*
 * Adds a node to start from.  It is visited first of all.
 */
void
vdb_hnsw_walk_add(HnswWalk *walk, HnswRef ref)
{
	HnswCandidate candidate = {-INFINITY, ref, false};

	if (vdb_hnsw_ref_is_valid(ref) && vdb_hnsw_set_add(&walk->seen, vdb_hnsw_ref_number(ref)))
		vdb_hnsw_frontier_push(&walk->frontier, candidate);
}

/*
 * Visits the nearest candidate.  False when there is none left.
 */
bool
vdb_hnsw_walk_step(HnswWalk *walk)
{
	HnswCandidate candidate;
	float		distance;

	CHECK_FOR_INTERRUPTS();
	if (walk->frontier.count == 0)
		return false;
	candidate = vdb_hnsw_frontier_take(&walk->frontier);
	vdb_hnsw_frontier_settle(&walk->frontier);
	prefetch_first(walk);
	if (candidate.is_visited)
		expand_by_reading(walk, candidate);
	else if (visit(walk, candidate.ref, &distance) && walk->index->layout.bits == 0)
	{
		candidate.distance = distance;
		expand_by_reading(walk, candidate);
	}
	vdb_hnsw_frontier_settle(&walk->frontier);
	prefetch_first(walk);
	return true;
}

/*
 * Brings the nearest candidate near, unless that was the last to be brought.
 */
static void
prefetch_first(HnswWalk *walk)
{
	uint32		number;

	if (walk->frontier.count == 0)
		return;
	number = vdb_hnsw_ref_number(walk->frontier.heap[0].ref);
	if (number != walk->prefetched)
		vdb_hnsw_prefetch(walk->index, number);
	walk->prefetched = number;
}

/*
 * Walks until the width nearest results are nearer than any candidate, or
 * there are no candidates.
 */
void
vdb_hnsw_walk_run(HnswWalk *walk)
{
	while (!vdb_hnsw_walk_is_done(walk))
		vdb_hnsw_walk_step(walk);
}

/*
 * The run has what it looks for, as far as estimates tell.
 */
bool
vdb_hnsw_walk_is_done(const HnswWalk *walk)
{
	if (walk->frontier.count == 0)
		return true;
	if (walk->nnearest < walk->width || walk->nresults < walk->min_results)
		return false;
	return walk->frontier.heap[0].distance >= reach(walk) || walk->nresults >= walk->max_results;
}

/*
 * The distance up to which candidates are of interest.  Slack is that of
 * squared Euclidean distances; an inner product is turned into one for a
 * vector as long as the query, which has the typical norm.
 */
static double
reach(const HnswWalk *walk)
{
	double		farthest = walk->nearest[0];
	double		norm = walk->query.norm;

	if (walk->slack == 1)
		return farthest;
	if (walk->index->layout.metric != VDB_METRIC_IP)
		return farthest * walk->slack;
	return Max(farthest, farthest * walk->slack + (walk->slack - 1) * norm * norm);
}

/*
 * Where the descent is: the nearest node of the level, as its visitor noted it.
 */
typedef struct Descent
{
	HnswRef		nearest;
	HnswRef		below;
	float		distance;
} Descent;

static bool
note_nearest(HnswWalk *walk, const HnswNodeView *view, float distance)
{
	Descent    *descent = (Descent *) walk->visitor_arg;

	if (!vdb_hnsw_ref_is_valid(descent->nearest) || distance < descent->distance)
	{
		descent->nearest = vdb_hnsw_make_ref(view->number, view->node->version);
		descent->below = view->node->next;
		descent->distance = distance;
	}
	return true;
}

/*
 * Walks from the entry down to a level.  Returns the node to start from there,
 * invalid if nothing was found on the way.  The walk is then anew to be
 * started.
 */
HnswRef
vdb_hnsw_walk_descend(HnswWalk *walk, HnswRef entry, int entry_level, int to_level)
{
	HnswVisitor visitor = walk->visitor;
	void	   *arg = walk->visitor_arg;
	HnswRef		at = entry;

	walk->visitor = note_nearest;
	for (int level = entry_level; level > to_level && vdb_hnsw_ref_is_valid(at); level--)
	{
		Descent		descent = {vdb_hnsw_no_ref(), vdb_hnsw_no_ref(), 0};

		walk->visitor_arg = &descent;
		vdb_hnsw_walk_start(walk, level, DESCENT_WIDTH);
		vdb_hnsw_walk_add(walk, at);
		vdb_hnsw_walk_run(walk);
		at = descent.below;
	}
	walk->visitor = visitor;
	walk->visitor_arg = arg;
	return at;
}

/*
 * Visits the node that ref names: gives it to the visitor and, where there are
 * codes, its neighbours to the frontier.  False if there is none on this level.
 *
 * A stale ref is followed all the same, to the node that has the number now:
 * since numbers are seen once, it would otherwise hide that node.
 */
static bool
visit(HnswWalk *walk, HnswRef ref, float *distance)
{
	HnswIndex  *index = walk->index;
	HnswNodeView view;
	Buffer		buffer;

	walk->counts.pages++;
	if (!vdb_hnsw_read_number(index, vdb_hnsw_ref_number(ref), BUFFER_LOCK_SHARE, walk->vector,
							  &buffer, &view))
		return false;
	if (view.node->level != walk->level)
	{
		UnlockReleaseBuffer(buffer);
		return false;
	}
	walk->counts.nodes++;
	walk->counts.pages += (uint64) index->vector_pages;
	walk->counts.distances++;
	*distance = vdb_quant_query_distance(&walk->query, view.stored);
	if (walk->visitor(walk, &view, *distance))
		note_result(walk, *distance);
	if (index->layout.bits > 0)
		expand_by_codes(walk, &view, *distance);
	UnlockReleaseBuffer(buffer);
	return true;
}

/*
 * Estimates the neighbours of a node from its slots.
 */
static void
expand_by_codes(HnswWalk *walk, const HnswNodeView *view, float distance)
{
	HnswIndex  *index = walk->index;
	int			n = view->node->nlinks;

	if (n == 0)
		return;
	vdb_quant_estimate_weighed(&walk->query, view->stored, distance,
							   vdb_hnsw_factors(index, view->slots, 0),
							   (Size) index->layout.slot_bytes, n, walk->estimates,
							   walk->weights);
	walk->counts.estimates += (uint64) n;
	vdb_hnsw_frontier_sight(&walk->frontier, &walk->seen, view->slots,
							(Size) index->layout.slot_bytes, n, walk->estimates, walk->weights,
							walk->nnearest < walk->width ? INFINITY : (float) reach(walk));
}

/*
 * Without codes: visits the neighbours of a visited node, which then are
 * candidates for the same.
 */
static void
expand_by_reading(HnswWalk *walk, HnswCandidate from)
{
	HnswIndex  *index = walk->index;
	HnswNodeView view;
	Buffer		buffer;
	int			n;

	walk->counts.pages++;
	if (!vdb_hnsw_read_number(index, vdb_hnsw_ref_number(from.ref), BUFFER_LOCK_SHARE, NULL,
							  &buffer, &view))
		return;
	n = copy_new_links(walk, &view);
	UnlockReleaseBuffer(buffer);
	for (int i = 0; i < Min(n, PREFETCHED_LINKS); i++)
		vdb_hnsw_prefetch(index, vdb_hnsw_ref_number(walk->links[i]));
	for (int i = 0; i < n; i++)
	{
		HnswCandidate candidate = {0, walk->links[i], true};

		CHECK_FOR_INTERRUPTS();
		if (i + PREFETCHED_LINKS < n)
			vdb_hnsw_prefetch(index, vdb_hnsw_ref_number(walk->links[i + PREFETCHED_LINKS]));
		if (visit(walk, candidate.ref, &candidate.distance))
			vdb_hnsw_frontier_push(&walk->frontier, candidate);
	}
}

/*
 * Copies the links of a node that lead to nodes not seen before, which they are
 * now.
 */
static int
copy_new_links(HnswWalk *walk, const HnswNodeView *view)
{
	int			n = 0;

	for (int i = 0; i < view->node->nlinks; i++)
	{
		HnswRef		ref = vdb_hnsw_link(walk->index, view->slots, i);

		if (vdb_hnsw_set_add(&walk->seen, vdb_hnsw_ref_number(ref)))
			walk->links[n++] = ref;
	}
	return n;
}

/*
 * Keeps the width smallest distances, the largest of them at the root.
 */
static void
note_result(HnswWalk *walk, float distance)
{
	float	   *heap = walk->nearest;
	int			i;

	walk->nresults++;

	if (walk->nnearest < walk->width)
	{
		for (i = walk->nnearest++; i > 0 && heap[(i - 1) / 2] < distance; i = (i - 1) / 2)
			heap[i] = heap[(i - 1) / 2];
	}
	else if (distance >= heap[0])
		return;
	else
	{
		int			child;

		for (i = 0; (child = 2 * i + 1) < walk->nnearest; i = child)
		{
			if (child + 1 < walk->nnearest && heap[child + 1] > heap[child])
				child++;
			if (heap[child] <= distance)
				break;
			heap[i] = heap[child];
		}
	}
	heap[i] = distance;
}

/*
 * Counts a result of an earlier run, for a walk that goes on.
 */
void
vdb_hnsw_walk_count_result(HnswWalk *walk, float distance)
{
	note_result(walk, distance);
}

/*
 * Bytes that the walk has taken and that grow with it.
 */
Size
vdb_hnsw_walk_memory(const HnswWalk *walk)
{
	return vdb_hnsw_frontier_memory(&walk->frontier) + walk->seen.bytes;
}

/*
 * Forgets the farther half of the candidates, as if they had not been seen.
 */
void
vdb_hnsw_walk_drop_half(HnswWalk *walk)
{
	vdb_hnsw_frontier_drop_half(&walk->frontier, &walk->seen);
}
