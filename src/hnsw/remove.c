/*-------------------------------------------------------------------------
 *
 * remove.c
 *	  Pass 1 of a vacuum: dead heap TIDs go, nodes without any become DYING.
 *
 *-------------------------------------------------------------------------
 */
#include "pg_compat.h"

#include "hnsw/alloc.h"
#include "hnsw/graph.h"
#include "hnsw/posting.h"
#include "hnsw/scan.h"
#include "hnsw/vacuum.h"

/* Vectors on pages of their own are read for the typical norm so many times. */
#define MAX_SPLIT_NORMS 1000

static bool remove_page(HnswVacuum *v, BlockNumber block);
static bool remove_node(HnswVacuum *v, HnswNodeView *view, Buffer buffer,
						GenericXLogState **xlog, Page *changed);
static void note_norm(HnswVacuum *v, HnswNodeView *view);
static bool leads_nowhere(HnswVacuum *v, HnswRef below);

/*
 * Pass 1, over all pages that there are when it begins: a TID that comes later
 * is not dead.
 */
void
vdb_hnsw_remove_rows(HnswVacuum *v)
{
	HnswIndex  *index = v->index;
	BlockNumber nblocks = index->nblocks;
	BlockNumber block = HNSW_META_BLOCK + 1;

	while (block < nblocks)
	{
		vdb_vacuum_delay_point();
		if (remove_page(v, block))
			block += (BlockNumber) vdb_hnsw_group_pages(index);
		else
		{
			vdb_hnsw_reclaim_segments(v, block);
			block++;
		}
	}
}

/*
 * Pass 1 of a page, in one record.  False if it is none of nodes.
 */
static bool
remove_page(HnswVacuum *v, BlockNumber block)
{
	HnswIndex  *index = v->index;
	GenericXLogState *xlog = NULL;
	int			nfree = 0;
	Buffer		buffer;
	Page		page;
	Page		changed = NULL;

	if (!vdb_hnsw_try_read_nodes(index, block, BUFFER_LOCK_EXCLUSIVE, v->strategy, &buffer))
		return false;
	page = BufferGetPage(buffer);
	for (int place = 0; place < index->nodes_per_page; place++)
	{
		uint32		number = vdb_hnsw_number(index, block, place);
		HnswNodeView view;

		vdb_hnsw_view(index, page, place, number, NULL, &view);
		if (view.node->state == HNSW_FREE)
		{
			nfree++;
			continue;
		}
		if (view.node->state == HNSW_LIVE)
		{
			if (view.node->level > 0)
			{
				vdb_hnsw_set_add(&v->upper, number);
				continue;
			}
			if (!remove_node(v, &view, buffer, &xlog, &changed))
			{
				note_norm(v, &view);
				continue;
			}
		}
		vdb_hnsw_set_add(&v->dying, number);
		v->ndying++;
		if (view.node->level == 0)
			v->ndying_rows++;
	}
	if (xlog != NULL)
		GenericXLogFinish(xlog);
	UnlockReleaseBuffer(buffer);

	if (nfree > 0)
		vdb_hnsw_has_room(index, block);
	if (nfree == index->nodes_per_page)
	{
		v->stats->pages_deleted++;
		v->stats->pages_free++;
	}
	return true;
}

/*
 * Removes the dead TIDs of a LIVE node of level 0, whose page is locked
 * exclusively.  The first change of the page begins a record and gives the
 * page to be changed.  True if the node has become DYING.
 */
static bool
remove_node(HnswVacuum *v, HnswNodeView *view, Buffer buffer,
			GenericXLogState **xlog, Page *changed)
{
	HnswIndex  *index = v->index;
	HnswNode   *node = view->node;
	HnswRef		ref = vdb_hnsw_make_ref(view->number, node->version);
	int64		removed = 0;
	int64		left = 0;
	int			kept = 0;
	ItemPointerData tids[HNSW_INLINE_TIDS];

	memset(tids, 0, sizeof(tids));
	for (int i = 0; i < node->ntids; i++)
	{
		vdb_hnsw_check_tid(index->relation, NULL, NULL, &node->tids[i]);
		if (v->callback(&node->tids[i], v->callback_state))
			removed++;
		else
			tids[kept++] = node->tids[i];
	}
	if (vdb_hnsw_ref_is_valid(node->next))
		left = vdb_hnsw_vacuum_segments(index, ref, node->next, v->callback,
										v->callback_state, &removed);
	left += kept;
	v->stats->tuples_removed += (double) removed;
	v->stats->num_index_tuples += (double) left;
	if (kept == node->ntids && left > 0)
		return false;

	if (*xlog == NULL)
	{
		*xlog = GenericXLogStart(index->relation);
		*changed = GenericXLogRegisterBuffer(*xlog, buffer, 0);
	}
	node = vdb_hnsw_node_at(index, *changed, vdb_hnsw_place(index, view->number));
	memcpy(node->tids, tids, sizeof(tids));
	node->ntids = (uint8) kept;
	if (left > 0)
		return false;
	node->state = HNSW_DYING;
	return true;
}

static void
note_norm(HnswVacuum *v, HnswNodeView *view)
{
	HnswIndex  *index = v->index;

	if (index->vector_pages > 0)
	{
		if (v->norm_count >= MAX_SPLIT_NORMS)
			return;
		vdb_hnsw_copy_vector(index, view->number, v->vector);
		view->stored = v->vector;
	}
	v->norm_sum += vdb_quant_vector_norm(&index->layout, view->stored);
	v->norm_count++;
}

/*
 * Nodes above level 0 whose row is gone become DYING (P11), and a LIVE one on
 * the highest level is remembered.
 */
void
vdb_hnsw_mark_upper(HnswVacuum *v)
{
	HnswIndex  *index = v->index;
	uint32		end = index->nblocks * (uint32) index->nodes_per_page;

	for (uint32 number = 0; number < end; number++)
	{
		HnswNodeView view;
		Buffer		buffer;
		HnswRef		below;
		HnswRef		ref;
		int			level;

		if (!vdb_hnsw_set_has(&v->upper, number))
			continue;
		vdb_vacuum_delay_point();
		if (!vdb_hnsw_read_number(index, number, BUFFER_LOCK_SHARE, NULL, &buffer, &view))
			continue;
		below = view.node->next;
		level = view.node->level;
		ref = vdb_hnsw_make_ref(number, view.node->version);
		UnlockReleaseBuffer(buffer);

		if (!leads_nowhere(v, below))
		{
			if (level > v->top_level)
			{
				v->top = ref;
				v->top_level = level;
			}
		}
		else if (vdb_hnsw_read_node(index, ref, BUFFER_LOCK_EXCLUSIVE, NULL, &buffer, &view))
		{
			GenericXLogState *xlog = GenericXLogStart(index->relation);
			Page		page = GenericXLogRegisterBuffer(xlog, buffer, 0);

			vdb_hnsw_node_at(index, page, vdb_hnsw_place(index, number))->state = HNSW_DYING;
			GenericXLogFinish(xlog);
			UnlockReleaseBuffer(buffer);
			vdb_hnsw_set_add(&v->dying, number);
			v->ndying++;
		}
	}
}

/*
 * Whether the nodes below one above level 0 end at a DYING one, or at none.
 */
static bool
leads_nowhere(HnswVacuum *v, HnswRef below)
{
	for (int i = 0; i < HNSW_MAX_LEVEL && vdb_hnsw_ref_is_valid(below); i++)
	{
		HnswNodeView view;
		Buffer		buffer;
		bool		is_row;
		bool		is_live;

		if (!vdb_hnsw_read_node(v->index, below, BUFFER_LOCK_SHARE, NULL, &buffer, &view))
			return true;
		is_row = view.node->level == 0;
		is_live = view.node->state == HNSW_LIVE;
		below = view.node->next;
		UnlockReleaseBuffer(buffer);
		if (is_row || !is_live)
			return !is_live;
	}
	return true;
}
