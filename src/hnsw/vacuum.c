/*-------------------------------------------------------------------------
 *
 * vacuum.c
 *	  Removal of heap TIDs, and of the nodes that have none left.
 *
 * The passes are those of README.md, "Vacuum".  This file has the callbacks and
 * the order of the passes: remove.c removes TIDs and makes nodes DYING,
 * repair.c and replace.c lead links around them, anchor.c anchors, reclaim.c makes
 * them FREE.
 *
 *-------------------------------------------------------------------------
 */
#include "pg_compat.h"

#include <math.h>

#include "hnsw/am.h"
#include "hnsw/repair.h"
#include "storage/indexfsm.h"
#include "utils/memutils.h"

/*
 * Passes over the links.  More than one are needed only where an insert has just
 * moved an anchor to a page that the pass had left behind.
 */
#define MAX_PASSES 4

/* Relative change of the typical norm that is worth a record */
#define NORM_TOLERANCE 0.01

static void begin_vacuum(HnswVacuum *v, Relation relation);
static void lead_around(HnswVacuum *v);
static void renew_meta(HnswVacuum *v);
static bool is_entry(HnswVacuum *v, const HnswMeta *meta);
static void reclaim(HnswVacuum *v);

/*
 * ambulkdelete: removes the TIDs that the callback calls dead, and what then
 * is no longer needed.  Reports every TID to the callback once.
 */
IndexBulkDeleteResult *
vdb_hnsw_bulk_delete(IndexVacuumInfo *info, IndexBulkDeleteResult *stats,
					 IndexBulkDeleteCallback callback, void *callback_state)
{
	MemoryContext context;
	MemoryContext old;
	HnswVacuum	v;

	if (stats == NULL)
		stats = (IndexBulkDeleteResult *) palloc0(sizeof(IndexBulkDeleteResult));
	stats->num_index_tuples = 0;
	stats->estimated_count = false;
	stats->pages_deleted = 0;
	stats->pages_free = 0;

	context = AllocSetContextCreate(CurrentMemoryContext, "hnsw vacuum", ALLOCSET_DEFAULT_SIZES);
	old = MemoryContextSwitchTo(context);
	memset(&v, 0, sizeof(v));
	v.stats = stats;
	v.strategy = info->strategy;
	v.callback = callback;
	v.callback_state = callback_state;
	begin_vacuum(&v, info->index);

	vdb_hnsw_remove_rows(&v);
	vdb_hnsw_mark_upper(&v);
	if (v.ndying > 0)
		lead_around(&v);
	renew_meta(&v);
	if (v.ndying > 0)
		reclaim(&v);
	vdb_hnsw_list_segments(&v);
	stats->num_pages = RelationGetNumberOfBlocks(info->index);

	MemoryContextSwitchTo(old);
	MemoryContextDelete(context);
	return stats;
}

/*
 * amvacuumcleanup.  Without dead rows the index was not read, and its rows are
 * only estimated: those of the heap, but for NULLs and the like.
 */
IndexBulkDeleteResult *
vdb_hnsw_vacuum_cleanup(IndexVacuumInfo *info, IndexBulkDeleteResult *stats)
{
	if (info->analyze_only)
		return stats;
	if (stats == NULL)
	{
		stats = (IndexBulkDeleteResult *) palloc0(sizeof(IndexBulkDeleteResult));
		stats->num_index_tuples = Max(info->num_heap_tuples, 0);
		stats->estimated_count = true;
	}
	stats->num_pages = RelationGetNumberOfBlocks(info->index);
	IndexFreeSpaceMapVacuum(info->index);
	return stats;
}

static void
begin_vacuum(HnswVacuum *v, Relation relation)
{
	HnswIndex  *index = vdb_hnsw_open(relation);
	HnswMeta	meta;
	uint32		capacity;

	v->index = index;
	index->nblocks = RelationGetNumberOfBlocks(relation);
	capacity = index->nblocks * (uint32) index->nodes_per_page;
	vdb_hnsw_set_init(&v->dying, capacity);
	vdb_hnsw_set_init(&v->upper, capacity);
	vdb_hnsw_set_init(&v->postings, index->nblocks);
	vdb_hnsw_set_init(&v->met, capacity);
	vdb_hnsw_set_init(&v->seen, capacity);
	v->page_context = AllocSetContextCreate(CurrentMemoryContext, "hnsw vacuum page",
											ALLOCSET_DEFAULT_SIZES);
	v->top = vdb_hnsw_no_ref();
	v->node_query_memory = palloc(vdb_quant_query_size(&index->layout));
	v->other_query_memory = palloc(vdb_quant_query_size(&index->layout));
	v->decoded = vdb_palloc_array(float, index->layout.padded);
	if (index->layout.bits > 0)
		v->encoder_memory = palloc(vdb_quant_encoder_size(&index->layout));
	v->vector = palloc((Size) index->layout.vector_bytes);
	v->repair = vdb_hnsw_new_repair(v);
	vdb_hnsw_read_meta(index, &meta);
	v->typical_norm = meta.typical_norm;
}

/*
 * Passes 2 and 3: every page, also those that come while it runs, and the
 * metapage's anchor of all anchors.  Again while anchors to DYING nodes are
 * known to be left, or not met (an insert has moved them, or there are none
 * since a vacuum that was interrupted).
 */
static void
lead_around(HnswVacuum *v)
{
	HnswIndex  *index = v->index;

	for (int pass = 0; pass < MAX_PASSES; pass++)
	{
		BlockNumber block = HNSW_META_BLOCK + 1;
		uint64		nmet = v->nmet;
		HnswMeta	meta;

		v->nunresolved = 0;
		vdb_hnsw_set_clear(&v->seen);
		vdb_hnsw_read_meta(index, &meta);
		if (vdb_hnsw_ref_is_valid(meta.root) && vdb_hnsw_is_dying(v, meta.root))
			vdb_hnsw_lead_anchor(v, vdb_hnsw_no_ref(), meta.root);
		for (;;)
		{
			if (block >= index->nblocks)
				index->nblocks = RelationGetNumberOfBlocks(index->relation);
			if (block >= index->nblocks)
				break;
			vdb_vacuum_delay_point();
			block += vdb_hnsw_repair_page(v, block) ? (BlockNumber) vdb_hnsw_group_pages(index) : 1;
			MemoryContextReset(v->page_context);
		}
		if (v->nunresolved == 0 &&
			(v->nmet == v->ndying_rows || (pass > 0 && v->nmet == nmet)))
			break;
	}
}

/*
 * The metapage: another entry if it is not LIVE any more, and the norm that
 * pass 1 has seen.
 */
static void
renew_meta(HnswVacuum *v)
{
	HnswIndex  *index = v->index;
	Buffer		buffer = vdb_hnsw_read(index, HNSW_META_BLOCK, BUFFER_LOCK_EXCLUSIVE,
									   HNSW_PAGE_META);
	HnswMeta	meta;
	bool		is_changed = false;

	memcpy(&meta, vdb_hnsw_meta(BufferGetPage(buffer)), sizeof(meta));
	if (vdb_hnsw_ref_is_valid(meta.root) && !is_entry(v, &meta))
	{
		bool		has_upper = vdb_hnsw_ref_is_valid(v->top);

		meta.entry = has_upper ? v->top : meta.root;
		meta.entry_level = (uint16) (has_upper ? v->top_level : 0);
		is_changed = true;
	}
	if (v->norm_count > 0)
	{
		double		norm = v->norm_sum / (double) v->norm_count;

		if (fabs(norm - meta.typical_norm) > NORM_TOLERANCE * meta.typical_norm)
		{
			meta.typical_norm = norm;
			is_changed = true;
		}
	}
	if (is_changed)
	{
		GenericXLogState *xlog = GenericXLogStart(index->relation);
		Page		page = GenericXLogRegisterBuffer(xlog, buffer, 0);

		memcpy(vdb_hnsw_meta(page), &meta, sizeof(meta));
		GenericXLogFinish(xlog);
	}
	UnlockReleaseBuffer(buffer);
}

/*
 * Whether the entry is a LIVE node of its level, with the metapage locked.
 */
static bool
is_entry(HnswVacuum *v, const HnswMeta *meta)
{
	HnswNodeView view;
	Buffer		buffer;
	bool		is_live;

	if (!vdb_hnsw_ref_is_valid(meta->entry) ||
		!vdb_hnsw_read_node(v->index, meta->entry, BUFFER_LOCK_SHARE, NULL, &buffer, &view))
		return false;
	is_live = view.node->state == HNSW_LIVE && view.node->level == meta->entry_level;
	UnlockReleaseBuffer(buffer);
	return is_live;
}

/*
 * Pass 4: the pages with DYING nodes.
 */
static void
reclaim(HnswVacuum *v)
{
	HnswIndex  *index = v->index;

	vdb_hnsw_set_clear(&v->seen);
	for (BlockNumber block = HNSW_META_BLOCK + 1; block < index->nblocks; block++)
	{
		for (int place = 0; place < index->nodes_per_page; place++)
		{
			if (vdb_hnsw_set_has(&v->dying, vdb_hnsw_number(index, block, place)))
			{
				vdb_vacuum_delay_point();
				vdb_hnsw_reclaim_nodes(v, block);
				MemoryContextReset(v->page_context);
				break;
			}
		}
	}
}

/*
 * Copies the node that ref names, with its vector, to memory of the page
 * context.  False if the ref is stale.
 */
bool
vdb_hnsw_vacuum_copy(HnswVacuum *v, HnswRef ref, HnswNodeImage *copy)
{
	HnswIndex  *index = v->index;
	HnswNodeView view;
	Buffer		buffer;

	if (!vdb_hnsw_read_node(index, ref, BUFFER_LOCK_SHARE, v->vector, &buffer, &view))
		return false;
	copy->ref = vdb_hnsw_make_ref(view.number, view.node->version);
	copy->node = (HnswNode *) MemoryContextAlloc(v->page_context, (Size) index->node_bytes);
	memcpy(copy->node, view.node, (Size) index->node_bytes);
	UnlockReleaseBuffer(buffer);
	copy->slots = vdb_hnsw_slots_of(index, copy->node);
	copy->stored = (char *) copy->node + HNSW_NODE_HEADER;
	if (index->vector_pages > 0)
	{
		void	   *stored = MemoryContextAlloc(v->page_context,
												(Size) index->layout.vector_bytes);

		memcpy(stored, v->vector, (Size) index->layout.vector_bytes);
		copy->stored = stored;
	}
	return true;
}

/*
 * Makes a query of a stored vector.
 */
void
vdb_hnsw_vacuum_query(HnswVacuum *v, const void *stored, VdbQuery *query, void *memory)
{
	HnswIndex  *index = v->index;
	VdbRotated	decoded = vdb_quant_decode_vector(&index->layout, index->kernels, stored,
												  v->decoded);

	vdb_quant_init_query(query, &index->layout, index->kernels, &decoded, v->typical_norm,
						 memory);
}

/*
 * The slot of a neighbour in a node (P1), behind the link, in memory of the
 * page context; NULL without codes.
 */
char *
vdb_hnsw_vacuum_encode(HnswVacuum *v, const void *node, const void *neighbour)
{
	HnswIndex  *index = v->index;
	char	   *factors;

	if (index->layout.bits == 0)
		return NULL;
	factors = (char *) MemoryContextAlloc(v->page_context,
										  (Size) index->layout.slot_bytes - HNSW_LINK_BYTES);
	vdb_quant_init_encoder(&v->encoder, &index->layout, index->kernels, node, v->encoder_memory);
	vdb_quant_encode_slot(&v->encoder, neighbour, factors);
	return factors;
}

/*
 * Writes a slot of a node, in the image of its page; the slot behind the last
 * one is used from then on.
 */
void
vdb_hnsw_vacuum_set_slot(HnswVacuum *v, HnswNode *node, int i, HnswRef ref, const char *factors)
{
	HnswIndex  *index = v->index;
	char	   *slots = vdb_hnsw_slots_of(index, node);

	vdb_hnsw_set_link(index, slots, i, ref);
	if (factors != NULL)
		memcpy(vdb_hnsw_factors(index, slots, i), factors,
			   (Size) index->layout.slot_bytes - HNSW_LINK_BYTES);
	if (i == node->nlinks)
		node->nlinks++;
}

/*
 * The slot of a node that leads to the node that ref names, or -1.
 */
int
vdb_hnsw_find_link(const HnswIndex *index, const HnswNode *node, const char *slots, HnswRef ref)
{
	for (int i = 0; i < node->nlinks; i++)
		if (vdb_hnsw_ref_equals(vdb_hnsw_link(index, slots, i), ref))
			return i;
	return -1;
}

/*
 * The same for a link to any node with that number: also a stale one.
 */
int
vdb_hnsw_find_number(const HnswIndex *index, const HnswNode *node, const char *slots,
					 HnswRef ref)
{
	for (int i = 0; i < node->nlinks; i++)
		if (vdb_hnsw_ref_number(vdb_hnsw_link(index, slots, i)) == vdb_hnsw_ref_number(ref))
			return i;
	return -1;
}
