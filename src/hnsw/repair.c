/*-------------------------------------------------------------------------
 *
 * repair.c
 *	  Pass 2 of a vacuum: links to DYING nodes are replaced by links to LIVE
 *	  nodes beyond them.
 *
 * A page is copied, the replacements for its nodes' links are chosen without
 * any lock, and then written in one record, as far as the links are still what
 * they were.
 *
 *-------------------------------------------------------------------------
 */
#include "pg_compat.h"

#include "hnsw/repair.h"
#include "miscadmin.h"

/* A link to be replaced, or dropped where new_ref is invalid */
typedef struct Edit
{
	int			place;
	uint16		version;		/* of the node */
	HnswRef		old_ref;
	HnswRef		new_ref;
	const char *factors;
} Edit;

/* Those of a page */
typedef struct Edits
{
	Edit	   *edit;
	int			count;
} Edits;

static bool needs_repair(HnswVacuum *v, Page page, BlockNumber block, bool *has_anchors);
static bool copy_page(HnswVacuum *v, BlockNumber block, Page copy);
static void lead_anchors(HnswVacuum *v, Page page, BlockNumber block);
static void plan_node(HnswVacuum *v, Page page, BlockNumber block, int place, Edits *edits);
static void plan_edits(HnswVacuum *v, int place, Edits *edits);
static void apply_edits(HnswVacuum *v, BlockNumber block, const Edits *edits);
static void apply_edit(HnswVacuum *v, Page page, const Edit *edit);

/*
 * Leads the links and anchors of a page's nodes around DYING nodes.  False if
 * the page is none of nodes.  Takes memory of the page context.
 */
bool
vdb_hnsw_repair_page(HnswVacuum *v, BlockNumber block)
{
	HnswIndex  *index = v->index;
	MemoryContext old = MemoryContextSwitchTo(v->page_context);
	Page		page = (Page) palloc(BLCKSZ);
	bool		is_nodes = copy_page(v, block, page);
	bool		has_anchors = false;
	Edits		edits = {NULL, 0};

	if (is_nodes && needs_repair(v, page, block, &has_anchors))
	{
		if (has_anchors)
		{
			lead_anchors(v, page, block);
			copy_page(v, block, page);
		}
		edits.edit = vdb_palloc_array(Edit, index->slots * index->nodes_per_page);
		for (int place = 0; place < index->nodes_per_page; place++)
			plan_node(v, page, block, place, &edits);
		if (edits.count > 0)
			apply_edits(v, block, &edits);
	}
	MemoryContextSwitchTo(old);
	return is_nodes;
}

static bool
copy_page(HnswVacuum *v, BlockNumber block, Page copy)
{
	Buffer		buffer;

	if (!vdb_hnsw_try_read_nodes(v->index, block, BUFFER_LOCK_SHARE, v->strategy, &buffer))
		return false;
	memcpy(copy, BufferGetPage(buffer), BLCKSZ);
	UnlockReleaseBuffer(buffer);
	return true;
}

/*
 * Whether a LIVE node of the page has a link to a DYING one; and an anchor.
 */
static bool
needs_repair(HnswVacuum *v, Page page, BlockNumber block, bool *has_anchors)
{
	HnswIndex  *index = v->index;
	bool		has_links = false;

	for (int place = 0; place < index->nodes_per_page; place++)
	{
		HnswNodeView view;

		vdb_hnsw_view(index, page, place, vdb_hnsw_number(index, block, place), NULL, &view);
		for (int i = 0; view.node->state == HNSW_LIVE && i < view.node->nlinks; i++)
		{
			HnswRef		ref = vdb_hnsw_link(index, view.slots, i);

			if (vdb_hnsw_is_dying(v, ref))
			{
				has_links = true;
				*has_anchors |= vdb_hnsw_ref_is_anchor(ref);
			}
		}
	}
	return has_links;
}

static void
lead_anchors(HnswVacuum *v, Page page, BlockNumber block)
{
	HnswIndex  *index = v->index;

	for (int place = 0; place < index->nodes_per_page; place++)
	{
		HnswNodeView view;
		HnswRef		holder;

		vdb_hnsw_view(index, page, place, vdb_hnsw_number(index, block, place), NULL, &view);
		holder = vdb_hnsw_make_ref(view.number, view.node->version);
		for (int i = 0; view.node->state == HNSW_LIVE && i < view.node->nlinks; i++)
		{
			HnswRef		ref = vdb_hnsw_link(index, view.slots, i);

			if (vdb_hnsw_ref_is_anchor(ref) && vdb_hnsw_is_dying(v, ref))
				vdb_hnsw_lead_anchor(v, holder, ref);
		}
	}
}

/*
 * Adds the edits for the node at a place of the copied page.
 */
static void
plan_node(HnswVacuum *v, Page page, BlockNumber block, int place, Edits *edits)
{
	HnswIndex  *index = v->index;
	HnswRepair *r = v->repair;

	vdb_hnsw_view(index, page, place, vdb_hnsw_number(index, block, place), NULL, &r->node);
	if (r->node.node->state != HNSW_LIVE)
		return;
	r->nlost = 0;
	for (int i = 0; i < r->node.node->nlinks; i++)
	{
		HnswRef		ref = vdb_hnsw_link(index, r->node.slots, i);

		if (vdb_hnsw_is_dying(v, ref) && !vdb_hnsw_ref_is_anchor(ref))
			r->lost[r->nlost++] = ref;
	}
	if (r->nlost == 0)
		return;

	CHECK_FOR_INTERRUPTS();
	if (index->vector_pages > 0)
	{
		void	   *stored = palloc((Size) index->layout.vector_bytes);

		vdb_hnsw_copy_vector(index, r->node.number, stored);
		r->node.stored = stored;
	}
	vdb_hnsw_choose_replacements(v);
	plan_edits(v, place, edits);
	for (int i = 0; i < r->nchosen; i++)
		if (r->chosen[i]->is_diverse)
			vdb_hnsw_repair_back(v, r->chosen[i]);
}

static void
plan_edits(HnswVacuum *v, int place, Edits *edits)
{
	HnswRepair *r = v->repair;

	for (int i = 0; i < r->nlost; i++)
	{
		Edit	   *edit = &edits->edit[edits->count++];

		edit->place = place;
		edit->version = r->node.node->version;
		edit->old_ref = r->lost[i];
		edit->new_ref = vdb_hnsw_no_ref();
		edit->factors = NULL;
		if (i < r->nchosen)
		{
			edit->new_ref = r->chosen[i]->ref;
			edit->factors = vdb_hnsw_vacuum_encode(v, r->node.stored, r->chosen[i]->stored);
		}
	}
}

/*
 * Writes the edits of a page in one record.
 */
static void
apply_edits(HnswVacuum *v, BlockNumber block, const Edits *edits)
{
	HnswIndex  *index = v->index;
	GenericXLogState *xlog;
	Buffer		buffer;
	Page		page;

	if (!vdb_hnsw_try_read_nodes(index, block, BUFFER_LOCK_EXCLUSIVE, v->strategy, &buffer))
		vdb_hnsw_corrupted(index->relation, block, "page header");
	xlog = GenericXLogStart(index->relation);
	page = GenericXLogRegisterBuffer(xlog, buffer, 0);
	for (int i = 0; i < edits->count; i++)
		apply_edit(v, page, &edits->edit[i]);
	GenericXLogFinish(xlog);
	UnlockReleaseBuffer(buffer);
}

/*
 * Writes one, unless the link is no longer what it was.  An insert may have
 * added the link that was to be added: then the old one only goes.
 */
static void
apply_edit(HnswVacuum *v, Page page, const Edit *edit)
{
	HnswIndex  *index = v->index;
	HnswNode   *node = vdb_hnsw_node_at(index, page, edit->place);
	char	   *slots = vdb_hnsw_slots_of(index, node);
	int			i;

	if (node->state != HNSW_LIVE || node->version != edit->version)
		return;
	i = vdb_hnsw_find_link(index, node, slots, edit->old_ref);
	if (i < 0 || vdb_hnsw_ref_is_anchor(vdb_hnsw_link(index, slots, i)))
		return;
	if (vdb_hnsw_ref_is_valid(edit->new_ref) &&
		vdb_hnsw_find_number(index, node, slots, edit->new_ref) < 0)
	{
		vdb_hnsw_vacuum_set_slot(v, node, i, edit->new_ref, edit->factors);
		return;
	}
	node->nlinks--;
	if (i < node->nlinks)
		memcpy(vdb_hnsw_slot(index, slots, i), vdb_hnsw_slot(index, slots, node->nlinks),
			   (Size) index->layout.slot_bytes);
}
