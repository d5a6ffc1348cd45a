/*-------------------------------------------------------------------------
 *
 * graph_fill.c
 *	  Fills the places for links that the choice of neighbours left free.
 *
 * An index page has the places anyway, and a search that visits a node sees
 * all its links for the price of one page.  Filled while the graph grows, they
 * would make every search of the build dearer; afterwards they cost little.
 *
 *-------------------------------------------------------------------------
 */
#include "c.h"

#include "hnsw/graph.h"

#define ST_SORT sort_links
#define ST_ELEMENT_TYPE HnswLink
#define ST_COMPARE(a, b) vdb_hnsw_compare_links(a, b)
#define ST_SCOPE static
#define ST_DEFINE
#include "lib/sort_template.h"

/*
 * Fills the free places of node on level 0 with the nearest of the nodes that
 * its chosen neighbours have chosen.
 *
 * Writes the links of node behind the chosen ones and reads chosen links only,
 * so processes may fill different nodes at the same time (G1).  The graph is
 * finished; nothing is linked after this.
 */
void
vdb_hnsw_fill(HnswGraph *g, HnswScratch *s, uint32 node)
{
	HnswLinks  *links = vdb_hnsw_links(g, node, 0);
	int			nfree = vdb_hnsw_max_links(g, 0) - links->nchosen;
	int			n = 0;
	int			i;
	int			j;

	s->search++;
	s->visited[node] = s->search;
	for (i = 0; i < links->nchosen; i++)
		s->visited[links->link[i].node] = s->search;

	for (i = 0; i < links->nchosen; i++)
	{
		const HnswLinks *next = vdb_hnsw_links(g, links->link[i].node, 0);

		for (j = 0; j < next->nchosen; j++)
		{
			uint32		candidate = next->link[j].node;

			if (s->visited[candidate] == s->search ||
				n == vdb_hnsw_max_candidates(&g->params))
				continue;
			s->visited[candidate] = s->search;
			s->unseen[n++] = candidate;
		}
	}
	vdb_hnsw_distances(g, s, vdb_hnsw_point(g, node), s->unseen, n, s->distances);
	for (i = 0; i < n; i++)
	{
		s->candidates[i].node = s->unseen[i];
		s->candidates[i].distance = s->distances[i];
	}
	sort_links(s->candidates, (size_t) n);
	links->count = (int16) (links->nchosen + Min(n, nfree));
	memcpy(&links->link[links->nchosen], s->candidates,
		   sizeof(HnswLink) * (Size) (links->count - links->nchosen));
}

/*
 * Fills the nodes before end, in one process.
 */
void
vdb_hnsw_fill_all(HnswGraph *g, HnswScratch *s, uint32 end)
{
	uint32		node;

	for (node = 0; node < end; node++)
		vdb_hnsw_fill(g, s, node);
}
