/*-------------------------------------------------------------------------
 *
 * backlink.c
 *	  Pass 2 of a vacuum: links back from the nodes that a repaired node links to
 *	  now.
 *
 * In a built graph most links that Algorithm 4 selects have one in the other
 * direction.  With each node that dies its neighbours lose such pairs; repairing
 * only one direction leaves nodes with fewer and fewer links to them.
 *
 *-------------------------------------------------------------------------
 */
#include "pg_compat.h"

#include "hnsw/repair.h"

static int	read_links(HnswVacuum *v, const HnswCandidateNode *from);
static int	choose_slot(HnswVacuum *v, const HnswCandidateNode *from, const HnswNodeView *view,
						int nread);
static void estimate(HnswIndex *index, const VdbQuery *query, const void *stored,
					 const HnswNodeView *view, float *out);

/*
 * Gives a LIVE node, from, a link to the node that is repaired, where it has none
 * and there is a place for one.  No locks are held on entry or exit.  Takes
 * memory of the page context.
 */
void
vdb_hnsw_repair_back(HnswVacuum *v, const HnswCandidateNode *from)
{
	HnswIndex  *index = v->index;
	const HnswNodeView *to = &v->repair->node;
	HnswRef		ref = vdb_hnsw_make_ref(to->number, to->node->version);
	char	   *factors = vdb_hnsw_vacuum_encode(v, from->stored, to->stored);
	HnswNodeView view;
	Buffer		buffer;
	int			nread = 0;
	int			slot;

	vdb_hnsw_vacuum_query(v, from->stored, &v->other_query, v->other_query_memory);
	if (index->layout.bits == 0)
		nread = read_links(v, from);
	if (!vdb_hnsw_read_node(index, from->ref, BUFFER_LOCK_EXCLUSIVE, NULL, &buffer, &view))
		return;
	slot = choose_slot(v, from, &view, nread);
	if (slot >= 0)
	{
		GenericXLogState *xlog = GenericXLogStart(index->relation);
		Page		page = GenericXLogRegisterBuffer(xlog, buffer, 0);

		vdb_hnsw_vacuum_set_slot(v, vdb_hnsw_node_at(index, page, vdb_hnsw_place(index, view.number)),
								 slot, ref, factors);
		GenericXLogFinish(xlog);
	}
	UnlockReleaseBuffer(buffer);
}

/*
 * Where links have no codes: reads the neighbours of a node all of whose slots
 * are in use, for their distances from both nodes, which are the estimates then.
 * Returns how many of its links are in r->links.
 */
static int
read_links(HnswVacuum *v, const HnswCandidateNode *from)
{
	HnswIndex  *index = v->index;
	HnswRepair *r = v->repair;
	HnswNodeView view;
	Buffer		buffer;
	int			n;

	if (!vdb_hnsw_read_node(index, from->ref, BUFFER_LOCK_SHARE, NULL, &buffer, &view))
		return 0;
	n = view.node->nlinks < index->slots ? 0 : view.node->nlinks;
	for (int i = 0; i < n; i++)
		r->links[i] = vdb_hnsw_link(index, view.slots, i);
	UnlockReleaseBuffer(buffer);
	for (int i = 0; i < n; i++)
	{
		/* one that is gone is no place: nothing is nearer to it than to itself */
		r->estimates[i] = r->own_estimates[i] = 0;
		if (!vdb_hnsw_read_node(index, r->links[i], BUFFER_LOCK_SHARE, v->vector, &buffer, &view))
			continue;
		r->estimates[i] = vdb_quant_query_distance(&v->node_query, view.stored);
		r->own_estimates[i] = vdb_quant_query_distance(&v->other_query, view.stored);
		UnlockReleaseBuffer(buffer);
	}
	return n;
}

/*
 * The slot of a locked node for a link to the repaired one: that of a link to a
 * DYING node, a free one, or that of the farthest node, farther than the
 * repaired one, that the repaired one occludes.  -1 if there is none, or if
 * there is such a link.  Without codes only links count that were read.
 */
static int
choose_slot(HnswVacuum *v, const HnswCandidateNode *from, const HnswNodeView *view, int nread)
{
	HnswIndex  *index = v->index;
	HnswRepair *r = v->repair;
	int			n = view->node->nlinks;
	int			farthest = -1;
	double		most = 0;
	double		own;

	for (int i = 0; i < n; i++)
	{
		HnswRef		ref = vdb_hnsw_link(index, view->slots, i);

		if (vdb_hnsw_ref_number(ref) == r->node.number)
			return -1;
		if (vdb_hnsw_is_dying(v, ref) && !vdb_hnsw_ref_is_anchor(ref))
			farthest = i;
	}
	if (farthest >= 0)
		return farthest;
	if (n < index->slots)
		return n;

	/* both queries' distances of the neighbours, as the operator has them */
	own = vdb_quant_query_value(&v->other_query,
								vdb_quant_query_distance(&v->other_query, r->node.stored));
	if (index->layout.bits > 0)
	{
		estimate(index, &v->node_query, from->stored, view, r->estimates);
		estimate(index, &v->other_query, from->stored, view, r->own_estimates);
	}
	for (int i = 0; i < n; i++)
	{
		double		distance = vdb_quant_query_value(&v->other_query, r->own_estimates[i]);

		if (index->layout.bits == 0 &&
			(i >= nread || !vdb_hnsw_ref_equals(r->links[i], vdb_hnsw_link(index, view->slots, i))))
			continue;
		if (distance > own && (farthest < 0 || distance > most) &&
			vdb_quant_query_value(&v->node_query, r->estimates[i]) < distance &&
			!vdb_hnsw_ref_is_anchor(vdb_hnsw_link(index, view->slots, i)))
		{
			most = distance;
			farthest = i;
		}
	}
	return farthest;
}

/*
 * A query's distances of the neighbours of a node, whose vector is stored.
 */
static void
estimate(HnswIndex *index, const VdbQuery *query, const void *stored, const HnswNodeView *view,
		 float *out)
{
	vdb_quant_estimate(query, stored, vdb_quant_query_distance(query, stored),
					   vdb_hnsw_factors(index, view->slots, 0),
					   (Size) index->layout.slot_bytes, view->node->nlinks, out);
}
