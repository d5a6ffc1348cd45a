/*-------------------------------------------------------------------------
 *
 * graph_search.c
 *	  Search in the graph of a build: Algorithm 2 of Malkov and Yashunin.
 *
 * The frontier and the results are one sorted array of ef entries, as in
 * other graph indexes: its first unexpanded entry is expanded next, and the
 * search ends when there is none.  That equals the paper's two heaps, since an
 * entry that has fallen out of the nearest ef would not be expanded anyway.
 *
 *-------------------------------------------------------------------------
 */
#include "c.h"

#include "hnsw/graph.h"

static int	insert_found(HnswFound *found, int n, int ef, float distance,
						 uint32 node);

/*
 * Inserts an entry into the sorted array of n, which holds at most ef.
 * Returns its position, ef if it did not get in.
 */
static int
insert_found(HnswFound *found, int n, int ef, float distance, uint32 node)
{
	int			low = 0;
	int			high = n;

	if (n == ef && distance >= found[n - 1].distance)
		return ef;
	while (low < high)
	{
		int			middle = (low + high) / 2;

		if (found[middle].distance <= distance)
			low = middle + 1;
		else
			high = middle;
	}
	memmove(&found[low + 1], &found[low],
			sizeof(HnswFound) * (Size) (Min(n, ef - 1) - low));
	found[low].distance = distance;
	found[low].node = node;
	found[low].is_expanded = false;
	return low;
}

/*
 * Searches one level for the ef nodes nearest to query, from entry on.  They
 * are s->found, nearest first; returns their number.
 */
int
vdb_hnsw_search_level(const HnswGraph *g, HnswScratch *s, HnswPoint query,
					  uint32 entry, int level, int ef)
{
	HnswFound  *found = s->found;
	int			n = 1;
	int			next = 0;

	s->search++;
	s->visited[entry] = s->search;
	found[0].distance = vdb_hnsw_distance(g, s, query, entry);
	found[0].node = entry;
	found[0].is_expanded = false;

	while (next < n)
	{
		const HnswLinks *links;
		int			nunseen = 0;
		int			i;

		if (found[next].is_expanded)
		{
			next++;
			continue;
		}
		found[next].is_expanded = true;
		links = vdb_hnsw_links(g, found[next].node, level);
		for (i = 0; i < links->count; i++)
		{
			uint32		node = links->link[i].node;

			if (s->visited[node] == s->search)
				continue;
			s->visited[node] = s->search;
			s->unseen[nunseen++] = node;
		}
		vdb_hnsw_distances(g, s, query, s->unseen, nunseen, s->distances);
		for (i = 0; i < nunseen; i++)
		{
			int			position = insert_found(found, n, ef, s->distances[i], s->unseen[i]);

			if (position == ef)
				continue;
			n = Min(n + 1, ef);
			next = Min(next, position);
		}
	}
	return n;
}

/*
 * Walks from the graph's entry down to to_level, on each level above it to
 * the nearest node that greedy steps find.  The graph is not empty.
 */
uint32
vdb_hnsw_descend(const HnswGraph *g, HnswScratch *s, HnswPoint query,
				 int to_level)
{
	uint32		nearest = g->shared->entry;
	float		distance = vdb_hnsw_distance(g, s, query, nearest);
	int			level;

	for (level = g->shared->max_level; level > to_level; level--)
	{
		bool		moved;

		do
		{
			const HnswLinks *links = vdb_hnsw_links(g, nearest, level);
			int			n = links->count;
			int			i;

			moved = false;
			for (i = 0; i < n; i++)
				s->unseen[i] = links->link[i].node;
			vdb_hnsw_distances(g, s, query, s->unseen, n, s->distances);
			for (i = 0; i < n; i++)
			{
				if (s->distances[i] < distance)
				{
					distance = s->distances[i];
					nearest = s->unseen[i];
					moved = true;
				}
			}
		} while (moved);
	}
	return nearest;
}
