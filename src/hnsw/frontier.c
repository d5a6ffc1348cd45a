/*-------------------------------------------------------------------------
 *
 * frontier.c
 *	  The candidates of a walk: nodes that links lead to, not yet visited.
 *
 * The nearer a candidate is to the query, the more of the visited nodes lead to
 * it, each with an estimate of its own.  Their errors are independent, since the
 * residuals point in different directions; so what counts is the mean, weighted
 * by the inverse of the variances.  README.md, "Search", has the figures.
 *
 *-------------------------------------------------------------------------
 */
#include "pg_compat.h"

#include <math.h>

#include "hnsw/search.h"
#include "utils/memutils.h"

#define FIRST_CAPACITY 4096

/*
 * Places that a table begins with, and has at most: of a search that goes on
 * for longer nobody asks how fast it is.
 */
#define FIRST_BITS 11
#define FIRST_SIGHTINGS (1 << FIRST_BITS)
#define MOST_SIGHTINGS (1 << 15)

static void sift_down(HnswFrontier *frontier, HnswCandidate candidate);
static HnswCandidate pop(HnswFrontier *frontier);
static void add_sighting(HnswFrontier *frontier, HnswCandidate candidate, float weight);
static void make_room(HnswFrontier *frontier, uint32 n);

/*
 * An empty frontier in the current memory context.
 */
void
vdb_hnsw_frontier_init(HnswFrontier *frontier)
{
	memset(frontier, 0, sizeof(*frontier));
	frontier->context = CurrentMemoryContext;
	frontier->capacity = FIRST_CAPACITY;
	frontier->heap = vdb_palloc_array(HnswCandidate, FIRST_CAPACITY);
	frontier->is_sighting = true;
}

void
vdb_hnsw_frontier_clear(HnswFrontier *frontier)
{
	frontier->count = 0;
	if (frontier->nsightings > 0)
		memset(frontier->sightings, 0, frontier->size * sizeof(HnswSighting));
	frontier->nsightings = 0;
	frontier->is_sighting = true;
}

/*
 * Bytes that it has taken.
 */
Size
vdb_hnsw_frontier_memory(const HnswFrontier *frontier)
{
	return frontier->capacity * sizeof(HnswCandidate) + frontier->size * sizeof(HnswSighting);
}

/*
 * The place of a number in the table: its sighting's, or a free
 * one.
 */
static inline HnswSighting *
find(const HnswFrontier *frontier, uint32 number)
{
	uint32		mask = frontier->size - 1;
	uint32		i = number * 2654435769U >> frontier->shift;

	while (frontier->sightings[i].number != number && frontier->sightings[i].number != 0)
		i = (i + 1) & mask;
	return &frontier->sightings[i];
}

/*
 * A candidate's sighting, NULL if it has none.
 */
static inline HnswSighting *
sighting_of(const HnswFrontier *frontier, HnswRef ref)
{
	uint32		number = vdb_hnsw_ref_number(ref);
	HnswSighting *sighting;

	if (frontier->size == 0 || number == 0)
		return NULL;
	sighting = find(frontier, number);
	return sighting->number == 0 ? NULL : sighting;
}

/*
 * Adds a candidate at a distance that stays.  It must not have a sighting.
 */
void
vdb_hnsw_frontier_push(HnswFrontier *frontier, HnswCandidate candidate)
{
	HnswCandidate *heap = frontier->heap;
	Size		i = frontier->count++;

	if (frontier->count > frontier->capacity)
	{
		frontier->capacity *= 2;
		frontier->heap = heap = (HnswCandidate *)
			repalloc_huge(heap, frontier->capacity * sizeof(HnswCandidate));
	}
	for (; i > 0 && heap[(i - 1) / 2].distance > candidate.distance; i = (i - 1) / 2)
		heap[i] = heap[(i - 1) / 2];
	heap[i] = candidate;
}

/*
 * Takes estimates of the distances of the nodes that the links of a node lead
 * to, n links that lie stride bytes apart: those never seen become candidates,
 * the estimates of others are added to those before.  Candidates beyond reach
 * are not moved up to their means, as long as nobody wants to go so far.
 */
void
vdb_hnsw_frontier_sight(HnswFrontier *frontier, HnswNumberSet *seen, const char *links,
						Size stride, int n, const float *distances, const float *weights,
						float reach)
{
	make_room(frontier, (uint32) n);
	for (int i = 0; i < n; i++)
	{
		HnswCandidate candidate = {distances[i], vdb_hnsw_no_ref(), false};
		HnswSighting *sighting;

		memcpy(&candidate.ref, links + i * stride, sizeof(HnswRef));
		sighting = sighting_of(frontier, candidate.ref);
		if (sighting != NULL)
		{
			/* of a visited one the weight is infinite, so that nothing changes */
			sighting->weight += weights[i];
			sighting->mean += (distances[i] - sighting->mean) * (weights[i] / sighting->weight);
			if (sighting->mean < sighting->key && sighting->mean < reach)
			{
				candidate.distance = sighting->key = sighting->mean;
				vdb_hnsw_frontier_push(frontier, candidate);
			}
		}
		else if (vdb_hnsw_set_add(seen, vdb_hnsw_ref_number(candidate.ref)))
		{
			add_sighting(frontier, candidate, weights[i]);
			vdb_hnsw_frontier_push(frontier, candidate);
		}
	}
}

/*
 * Takes the nearest candidate out, of which there is one.  It will not be a
 * candidate again.  The caller settles the others before he looks at them.
 */
HnswCandidate
vdb_hnsw_frontier_take(HnswFrontier *frontier)
{
	HnswCandidate candidate = pop(frontier);
	HnswSighting *sighting = sighting_of(frontier, candidate.ref);

	if (sighting != NULL)
	{
		sighting->weight = INFINITY;
		sighting->mean = sighting->key;
	}
	return candidate;
}

/*
 * Makes the first of the heap one that counts, at its mean.
 */
void
vdb_hnsw_frontier_settle(HnswFrontier *frontier)
{
	while (frontier->count > 0)
	{
		HnswCandidate first = frontier->heap[0];
		HnswSighting *sighting = sighting_of(frontier, first.ref);

		if (sighting == NULL)
			return;
		if (isinf(sighting->weight) || first.distance != sighting->key)
			pop(frontier);
		else if (sighting->mean > sighting->key)
		{
			first.distance = sighting->key = sighting->mean;
			sift_down(frontier, first);
		}
		else
			return;
	}
}

/*
 * Forgets the farther half of the candidates, as if they had not been seen, and
 * all sightings; there will be no new ones.  Those that have been visited already
 * (their neighbours have not) stay seen: a node is visited once.
 */
void
vdb_hnsw_frontier_drop_half(HnswFrontier *frontier, HnswNumberSet *seen)
{
	Size		keep = frontier->count / 2;
	Size		nkept = 0;
	HnswCandidate *kept = (HnswCandidate *)
		MemoryContextAllocHuge(frontier->context, Max(keep, 1) * sizeof(HnswCandidate));

	while (nkept < keep)
	{
		vdb_hnsw_frontier_settle(frontier);
		if (frontier->count == 0)
			break;
		kept[nkept++] = vdb_hnsw_frontier_take(frontier);
	}
	for (Size i = 0; i < frontier->count; i++)
	{
		HnswSighting *sighting = sighting_of(frontier, frontier->heap[i].ref);

		/* it, or another entry of it, was visited, or has been kept */
		if (!frontier->heap[i].is_visited && (sighting == NULL || !isinf(sighting->weight)))
			vdb_hnsw_set_remove(seen, vdb_hnsw_ref_number(frontier->heap[i].ref));
	}
	pfree(frontier->heap);
	frontier->heap = kept;		/* sorted, so a heap */
	frontier->count = nkept;
	frontier->capacity = Max(keep, 1);
	if (frontier->sightings != NULL)
		pfree(frontier->sightings);
	frontier->sightings = NULL;
	frontier->size = frontier->nsightings = 0;
	frontier->is_sighting = false;
}

/*
 * Takes the first entry out of the heap.
 */
static HnswCandidate
pop(HnswFrontier *frontier)
{
	HnswCandidate first = frontier->heap[0];
	HnswCandidate last = frontier->heap[--frontier->count];

	if (frontier->count > 0)
		sift_down(frontier, last);
	return first;
}

/*
 * Puts an entry in the place of the first.
 */
static void
sift_down(HnswFrontier *frontier, HnswCandidate candidate)
{
	HnswCandidate *heap = frontier->heap;
	Size		i = 0;
	Size		child;

	while ((child = 2 * i + 1) < frontier->count)
	{
		if (child + 1 < frontier->count && heap[child + 1].distance < heap[child].distance)
			child++;
		if (heap[child].distance >= candidate.distance)
			break;
		heap[i] = heap[child];
		i = child;
	}
	heap[i] = candidate;
}

/*
 * Adds the sighting of a candidate that has none, if there is room.  No node has
 * number 0, whatever a damaged page says.
 */
static void
add_sighting(HnswFrontier *frontier, HnswCandidate candidate, float weight)
{
	uint32		number = vdb_hnsw_ref_number(candidate.ref);
	HnswSighting sighting = {number, weight, candidate.distance, candidate.distance};

	if (number == 0 || frontier->nsightings >= frontier->size / 2)
		return;
	*find(frontier, number) = sighting;
	frontier->nsightings++;
}

/*
 * Makes the table large enough for n more, half of it free, if it may grow.
 */
static void
make_room(HnswFrontier *frontier, uint32 n)
{
	HnswSighting *old = frontier->sightings;
	uint32		old_size = frontier->size;

	if (frontier->nsightings + n <= old_size / 2 || old_size == MOST_SIGHTINGS ||
		!frontier->is_sighting)
		return;
	frontier->size = Max(FIRST_SIGHTINGS, 2 * old_size);
	frontier->shift = old_size == 0 ? 32 - FIRST_BITS : frontier->shift - 1;
	frontier->sightings = (HnswSighting *)
		MemoryContextAllocZero(frontier->context, frontier->size * sizeof(HnswSighting));
	for (uint32 i = 0; i < old_size; i++)
		if (old[i].number != 0)
			*find(frontier, old[i].number) = old[i];
	if (old != NULL)
		pfree(old);
}
