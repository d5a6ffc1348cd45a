/*-------------------------------------------------------------------------
 *
 * link.c
 *	  Links to a new node: where they go in a neighbour, and the links back
 *	  from the nearest neighbours.
 *
 *-------------------------------------------------------------------------
 */
#include "pg_compat.h"

#include <math.h>

#include "access/generic_xlog.h"
#include "hnsw/insert.h"
#include "miscadmin.h"

/* Neighbours that a link may be refused by, for each page that takes one */
#define TRIES_PER_PAGE 2

static void measure_links(HnswInsert *insert, const HnswVisited *from,
						  const VdbQuery *own_query, const HnswNodeView *view);
static double operator_distance(const VdbQuery *query, double distance);
static int	farthest(const HnswInsert *insert, const HnswNodeView *view, double beyond,
					 bool only_occluded);
static bool is_written(const HnswInsert *insert, BlockNumber block);
static int	link_page(HnswInsert *insert, BlockNumber block);
static bool link_one(HnswInsert *insert, const HnswVisited *from, Page page);

/*
 * Forms the slot that leads from a neighbour to the new node, but for its link,
 * and for the inner product the neighbour's own query.  All of it without a
 * lock, since a node's vector does not change.
 */
void
vdb_hnsw_prepare_link(HnswInsert *insert, const HnswVisited *from, VdbQuery *own_query)
{
	HnswIndex  *index = insert->index;
	VdbSlotEncoder encoder;

	if (index->layout.bits == 0)
		return;
	vdb_quant_init_encoder(&encoder, &index->layout, index->kernels, from->stored,
						   insert->encoder_memory);
	vdb_quant_encode_slot(&encoder, insert->value.stored, insert->slot + HNSW_LINK_BYTES);
	if (index->layout.metric == VDB_METRIC_IP)
	{
		VdbRotated	decoded = vdb_quant_decode_vector(&index->layout, index->kernels, from->stored,
													  (float *) insert->encoder_memory);

		vdb_quant_init_query(own_query, &index->layout, index->kernels, &decoded,
							 insert->meta.typical_norm, insert->query_memory);
	}
}

/*
 * The slot of a node, locked, that the link to the new node goes to; -1 for
 * none.  With max_anchors > 0 the link is an anchor: it goes to any slot that
 * holds no anchor, unless there are max_anchors; otherwise only where it does
 * good.
 *
 * from is the node as it was visited, own_query its own query
 * (vdb_hnsw_prepare_link()).
 */
int
vdb_hnsw_choose_slot(HnswInsert *insert, const HnswVisited *from, const VdbQuery *own_query,
					 const HnswNodeView *view, int max_anchors)
{
	HnswIndex  *index = insert->index;
	int			n = view->node->nlinks;
	int			nanchors = 0;
	bool		is_needed = true;
	int			slot;

	for (int i = 0; i < n; i++)
	{
		HnswRef		ref = vdb_hnsw_link(index, view->slots, i);

		if (vdb_hnsw_ref_is_anchor(ref))
			nanchors++;
	}
	if (max_anchors > 0 && nanchors >= max_anchors)
		return -1;
	if (n < index->slots)
		return n;

	/* stale, as far as the search has seen */
	for (int i = 0; i < n; i++)
	{
		HnswRef		ref = vdb_hnsw_link(index, view->slots, i);
		const HnswVisited *visited = vdb_hnsw_find_visited(insert, vdb_hnsw_ref_number(ref));

		if (visited != NULL && !vdb_hnsw_ref_is_anchor(ref) &&
			!vdb_hnsw_ref_equals(visited->ref, ref))
			return i;
	}

	measure_links(insert, from, own_query, view);
	slot = farthest(insert, view, from->exact, true);
	if (slot >= 0)
		return slot;
	for (int i = 0; i < n && is_needed; i++)
		is_needed = insert->to_node[i] >= from->exact || insert->to_new[i] >= from->exact;
	if (is_needed)
		slot = farthest(insert, view, from->exact, false);
	if (slot < 0 && max_anchors > 0)
		slot = farthest(insert, view, -INFINITY, false);
	return slot;
}

/*
 * Fills in how far a node's neighbours are from the node and from the new
 * vector: estimated from the node's slots, or, where those have no codes, from
 * the vectors that the search has copied; a neighbour that it did not come
 * across is far away.
 */
static void
measure_links(HnswInsert *insert, const HnswVisited *from, const VdbQuery *own_query,
			  const HnswNodeView *view)
{
	HnswIndex  *index = insert->index;
	const VdbQuantLayout *layout = &index->layout;
	const VdbQuery *query = &insert->walk->query;
	Size		stride = (Size) layout->slot_bytes;
	int			n = view->node->nlinks;

	if (layout->bits == 0)
	{
		for (int i = 0; i < n; i++)
		{
			HnswRef		ref = vdb_hnsw_link(index, view->slots, i);
			const HnswVisited *visited = vdb_hnsw_find_visited(insert, vdb_hnsw_ref_number(ref));

			insert->to_node[i] = insert->to_new[i] = INFINITY;
			if (visited != NULL)
			{
				insert->to_node[i] = vdb_quant_vector_distance(layout, index->kernels,
															   from->stored, visited->stored);
				insert->to_new[i] = vdb_quant_vector_distance(layout, index->kernels,
															  insert->value.stored, visited->stored);
			}
		}
		return;
	}

	vdb_quant_estimate(query, from->stored, from->distance,
					   vdb_hnsw_factors(index, view->slots, 0), stride, n, insert->estimates);
	for (int i = 0; i < n; i++)
		insert->to_new[i] = operator_distance(query, insert->estimates[i]);
	if (layout->metric != VDB_METRIC_IP)
	{
		for (int i = 0; i < n; i++)
			insert->to_node[i] = vdb_quant_slot_distance(layout, from->stored,
														 vdb_hnsw_factors(index, view->slots, i));
		return;
	}
	vdb_quant_estimate(own_query, from->stored, vdb_quant_query_distance(own_query, from->stored),
					   vdb_hnsw_factors(index, view->slots, 0), stride, n, insert->estimates);
	for (int i = 0; i < n; i++)
		insert->to_node[i] = operator_distance(own_query, insert->estimates[i]);
}

/*
 * A distance in a query's unit as vdb_quant_vector_distance() would have it.
 */
static double
operator_distance(const VdbQuery *query, double distance)
{
	distance *= query->value_scale;
	return query->layout->metric == VDB_METRIC_COSINE ? distance / 2 : distance;
}

/*
 * The slot of the farthest neighbour beyond a distance from the node, no anchor;
 * if only_occluded, one that is nearer to the new node than to its own.
 */
static int
farthest(const HnswInsert *insert, const HnswNodeView *view, double beyond, bool only_occluded)
{
	int			found = -1;

	for (int i = 0; i < view->node->nlinks; i++)
	{
		double		to_node = insert->to_node[i];

		if (vdb_hnsw_ref_is_anchor(vdb_hnsw_link(insert->index, view->slots, i)) ||
			!(to_node > beyond))
			continue;
		if (only_occluded && !(insert->to_new[i] < to_node))
			continue;
		if (found < 0 || to_node > insert->to_node[found])
			found = i;
	}
	return found;
}

/*
 * Writes the prepared slot into a node, in the image of its page.
 */
void
vdb_hnsw_put_link(HnswInsert *insert, HnswNode *node, int slot, uint16 anchor)
{
	HnswIndex  *index = insert->index;
	char	   *slots = vdb_hnsw_slots_of(index, node);

	memcpy(vdb_hnsw_slot(index, slots, slot), insert->slot, (Size) index->layout.slot_bytes);
	vdb_hnsw_set_link(index, slots, slot,
					  vdb_hnsw_make_ref(vdb_hnsw_ref_number(insert->self),
										vdb_hnsw_ref_version(insert->self) | anchor));
	if (slot == node->nlinks)
		node->nlinks++;
}

/*
 * Links back from the nearest of the chosen neighbours, page by page: what
 * costs is a page, so all of them on a page that is written get their link.
 */
void
vdb_hnsw_insert_links(HnswInsert *insert)
{
	HnswIndex  *index = insert->index;
	BlockNumber *done = vdb_palloc_array(BlockNumber, Max(insert->nchosen, 1));
	int			ndone = 0;
	int			pages = HNSW_BACK_LINKS - (insert->level == 0 ? 1 : 0);
	int			tries = TRIES_PER_PAGE * HNSW_BACK_LINKS;

	for (int i = 0; i < insert->nchosen && pages > 0 && tries > 0; i++)
	{
		BlockNumber block = vdb_hnsw_block(index, vdb_hnsw_ref_number(insert->visited[insert->chosen[i]].ref));
		bool		is_done = false;

		for (int j = 0; j < ndone; j++)
			is_done |= done[j] == block;
		if (is_done)
			continue;
		CHECK_FOR_INTERRUPTS();
		done[ndone++] = block;
		if (is_written(insert, block))
			link_page(insert, block);
		else
		{
			tries--;
			if (link_page(insert, block) > 0)
				pages--;
		}
	}
	pfree(done);
}

/*
 * The new node or its anchor is on the page: it costs nothing more.
 */
static bool
is_written(const HnswInsert *insert, BlockNumber block)
{
	const HnswIndex *index = insert->index;

	return block == vdb_hnsw_block(index, vdb_hnsw_ref_number(insert->self)) ||
		(insert->parent != HNSW_INVALID_NUMBER && block == vdb_hnsw_block(index, insert->parent));
}

/*
 * Links back from all chosen neighbours on a page, in one record; returns from
 * how many.
 */
static int
link_page(HnswInsert *insert, BlockNumber block)
{
	HnswIndex  *index = insert->index;
	Buffer		buffer = vdb_hnsw_read(index, block, BUFFER_LOCK_EXCLUSIVE, HNSW_PAGE_NODES);
	GenericXLogState *state = GenericXLogStart(index->relation);
	Page		page = GenericXLogRegisterBuffer(state, buffer, 0);
	int			n = 0;

	for (int i = 0; i < insert->nchosen; i++)
	{
		const HnswVisited *from = &insert->visited[insert->chosen[i]];

		if (vdb_hnsw_block(index, vdb_hnsw_ref_number(from->ref)) == block &&
			link_one(insert, from, page))
			n++;
	}
	if (n > 0)
		GenericXLogFinish(state);
	else
		GenericXLogAbort(state);
	UnlockReleaseBuffer(buffer);
	return n;
}

/*
 * Puts a link to the new node into a node, in the image of its page, if it is
 * still LIVE, has none, and the link does good.
 */
static bool
link_one(HnswInsert *insert, const HnswVisited *from, Page page)
{
	HnswIndex  *index = insert->index;
	uint32		number = vdb_hnsw_ref_number(from->ref);
	HnswNodeView view;
	VdbQuery	own_query;
	int			slot;

	vdb_hnsw_view(index, page, vdb_hnsw_place(index, number), number, NULL, &view);
	if (view.node->state != HNSW_LIVE || view.node->version != vdb_hnsw_ref_version(from->ref))
		return false;
	for (int i = 0; i < view.node->nlinks; i++)
	{
		if (vdb_hnsw_ref_equals(vdb_hnsw_link(index, view.slots, i), insert->self))
			return false;
	}
	vdb_hnsw_prepare_link(insert, from, &own_query);
	slot = vdb_hnsw_choose_slot(insert, from, &own_query, &view, 0);
	if (slot < 0)
		return false;
	vdb_hnsw_put_link(insert, view.node, slot, 0);
	return true;
}
