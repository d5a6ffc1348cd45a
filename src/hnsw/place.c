/*-------------------------------------------------------------------------
 *
 * place.c
 *	  The records that make a node: each one takes a FREE place, writes the
 *	  node there and gives it what it must have from its first moment (P4).
 *
 *-------------------------------------------------------------------------
 */
#include "pg_compat.h"

#include "access/generic_xlog.h"
#include "hnsw/alloc.h"
#include "hnsw/insert.h"
#include "hnsw/pageset.h"
#include "miscadmin.h"

/* What an attempt to place a node came to */
typedef enum Placing
{
	PLACING_DONE,
	PLACING_NO_PLACE,			/* the page has none */
	PLACING_NO_PARENT			/* it takes no anchor, or is gone */
} Placing;

static bool anchor_at(HnswInsert *insert, const HnswVisited *parent,
					  const HnswVisited *child, int max_anchors);
static Placing try_anchor(HnswInsert *insert, const HnswVisited *parent,
						  const HnswVisited *child, const VdbQuery *own_query,
						  BlockNumber block, int max_anchors);
static int	find_anchor(const HnswIndex *index, const HnswNodeView *view, HnswRef ref);
static bool splice_at(HnswInsert *insert, const HnswVisited *parent);
static bool anchor_at_root(HnswInsert *insert);
static bool replace_root(HnswInsert *insert, HnswRef root);
static BlockNumber place_block(HnswIndex *index);
static bool view_live(HnswIndex *index, const HnswPageSet *pages, HnswRef ref, HnswNodeView *view);
static void write_vector(HnswInsert *insert);
static void write_node(HnswInsert *insert, Page page);
static bool take_place(HnswInsert *insert, const HnswPageSet *pages, BlockNumber block);

/*
 * Makes the new node the first one: root, and entry.  False if there is a root
 * by now.
 */
bool
vdb_hnsw_place_first(HnswInsert *insert)
{
	return replace_root(insert, vdb_hnsw_no_ref());
}

/*
 * Writes the new node of level 0 with its anchor in the first chosen neighbour
 * that takes one: first where at most half of the slots are anchors then, so
 * that other links find places; then wherever there is another link; then
 * between a node and a neighbour that it anchors.  The last resort is the
 * root.  False if the search has to be done again.
 */
bool
vdb_hnsw_place_anchored(HnswInsert *insert)
{
	int			slots = insert->index->slots;

	for (int i = 0; i < insert->nchosen; i++)
	{
		if (anchor_at(insert, &insert->visited[insert->chosen[i]], NULL, Max(slots / 2, 1)))
			return true;
	}
	for (int i = 0; i < insert->nchosen; i++)
	{
		if (anchor_at(insert, &insert->visited[insert->chosen[i]], NULL, slots))
			return true;
	}
	for (int i = 0; i < insert->nchosen; i++)
	{
		if (splice_at(insert, &insert->visited[insert->chosen[i]]))
			return true;
	}
	return anchor_at_root(insert);
}

/*
 * Writes the new node with its anchor in parent: in a slot that parent has for
 * it, or, if child is not NULL, in that of its anchor to child, which the new
 * node anchors from now on.  False if parent has no such slot, or is gone.
 */
static bool
anchor_at(HnswInsert *insert, const HnswVisited *parent, const HnswVisited *child,
		  int max_anchors)
{
	VdbQuery	own_query;

	vdb_hnsw_prepare_link(insert, parent, &own_query);
	for (;;)
	{
		BlockNumber block = place_block(insert->index);
		Placing		result = try_anchor(insert, parent, child, &own_query, block, max_anchors);

		CHECK_FOR_INTERRUPTS();
		if (result != PLACING_NO_PLACE)
			return result == PLACING_DONE;
		vdb_hnsw_no_room(insert->index, block);
	}
}

/*
 * The same with a place on a block.  Parent and child have to be LIVE under the
 * lock: vacuum would not look for a new anchor in or to a dying one.
 */
static Placing
try_anchor(HnswInsert *insert, const HnswVisited *parent, const HnswVisited *child,
		   const VdbQuery *own_query, BlockNumber block, int max_anchors)
{
	HnswIndex  *index = insert->index;
	uint32		number = vdb_hnsw_ref_number(parent->ref);
	BlockNumber parent_block = vdb_hnsw_block(index, number);
	HnswPageSet pages = {0};
	HnswNodeView view;
	HnswNodeView child_view;
	Placing		result = PLACING_NO_PLACE;
	int			slot = -1;

	vdb_hnsw_add_page(&pages, parent_block);
	vdb_hnsw_add_page(&pages, block);
	if (child != NULL)
		vdb_hnsw_add_page(&pages, vdb_hnsw_block(index, vdb_hnsw_ref_number(child->ref)));
	if (!vdb_hnsw_lock_pages(index, &pages))
		return PLACING_NO_PLACE;
	if (view_live(index, &pages, parent->ref, &view))
	{
		if (child == NULL)
			slot = vdb_hnsw_choose_slot(insert, parent, own_query, &view, max_anchors);
		else if (view_live(index, &pages, child->ref, &child_view))
			slot = find_anchor(index, &view, child->ref);
	}
	if (slot < 0)
		result = PLACING_NO_PARENT;
	else if (take_place(insert, &pages, block))
	{
		GenericXLogState *state;

		write_vector(insert);
		state = GenericXLogStart(index->relation);
		write_node(insert, vdb_hnsw_image_of(&pages, state, block));
		vdb_hnsw_put_link(insert,
						  vdb_hnsw_node_at(index, vdb_hnsw_image_of(&pages, state, parent_block),
										   vdb_hnsw_place(index, number)),
						  slot, HNSW_ANCHOR);
		GenericXLogFinish(state);
		insert->parent = number;
		result = PLACING_DONE;
	}
	vdb_hnsw_unlock_pages(&pages);
	return result;
}

/*
 * The slot of a node with the anchor of the node that ref names, or -1.
 */
static int
find_anchor(const HnswIndex *index, const HnswNodeView *view, HnswRef ref)
{
	for (int i = 0; i < view->node->nlinks; i++)
	{
		HnswRef		link = vdb_hnsw_link(index, view->slots, i);

		if (vdb_hnsw_ref_is_anchor(link) && vdb_hnsw_ref_equals(link, ref))
			return i;
	}
	return -1;
}

/*
 * Writes the new node between parent, all of whose slots hold anchors, and one
 * of the nodes that it anchors: that gets its anchor in the new node, which
 * takes its place in parent.  False if parent has no LIVE child.
 */
static bool
splice_at(HnswInsert *insert, const HnswVisited *parent)
{
	HnswIndex  *index = insert->index;
	HnswRef    *children = vdb_palloc_array(HnswRef, index->slots);
	int			nchildren = 0;
	HnswNodeView view;
	Buffer		buffer;

	if (!vdb_hnsw_read_node(index, parent->ref, BUFFER_LOCK_SHARE, NULL, &buffer, &view))
		return false;
	for (int i = 0; i < view.node->nlinks; i++)
	{
		HnswRef		ref = vdb_hnsw_link(index, view.slots, i);

		if (vdb_hnsw_ref_is_anchor(ref))
			children[nchildren++] = ref;
	}
	UnlockReleaseBuffer(buffer);

	for (int i = 0; i < nchildren; i++)
	{
		void	   *memory = palloc((Size) index->layout.vector_bytes);
		HnswVisited child = {.ref = children[i], .stored = memory};

		CHECK_FOR_INTERRUPTS();
		if (!vdb_hnsw_read_node(index, child.ref, BUFFER_LOCK_SHARE, memory, &buffer, &view))
			continue;
		child.is_live = view.node->state == HNSW_LIVE;
		if (view.stored != memory)
			memcpy(memory, view.stored, (Size) index->layout.vector_bytes);
		UnlockReleaseBuffer(buffer);
		if (!child.is_live)
			continue;
		vdb_hnsw_image_anchor(insert, &child);
		if (anchor_at(insert, parent, &child, 0))
			return true;
		vdb_hnsw_form_image(insert, vdb_hnsw_no_ref());
	}
	return false;
}

/*
 * Writes the new node with its anchor in the root, or, where that is dying, as
 * the new root, which anchors the old one.
 */
static bool
anchor_at_root(HnswInsert *insert)
{
	HnswIndex  *index = insert->index;
	HnswRef		root;
	const HnswVisited *visited;
	HnswNodeView view;
	Buffer		buffer;

	vdb_hnsw_read_meta(index, &insert->meta);
	root = insert->meta.root;
	if (!vdb_hnsw_ref_is_valid(root) ||
		!vdb_hnsw_read_node(index, root, BUFFER_LOCK_SHARE, insert->walk->vector, &buffer, &view))
		return false;
	if (vdb_hnsw_find_visited(insert, vdb_hnsw_ref_number(root)) == NULL)
		vdb_hnsw_note_visited(insert, &view,
							  vdb_quant_query_distance(&insert->walk->query, view.stored));
	UnlockReleaseBuffer(buffer);
	vdb_hnsw_choose(insert);
	vdb_hnsw_form_image(insert, vdb_hnsw_no_ref());
	visited = vdb_hnsw_find_visited(insert, vdb_hnsw_ref_number(root));
	if (!vdb_hnsw_ref_equals(visited->ref, root))
		return false;
	if (visited->is_live)
		return anchor_at(insert, visited, NULL, index->slots) || splice_at(insert, visited);
	vdb_hnsw_image_anchor(insert, visited);
	return replace_root(insert, root);
}

/*
 * Writes the new node as the root, in place of the one given, which is dying or
 * not there at all.  False if the root is another one.
 */
static bool
replace_root(HnswInsert *insert, HnswRef root)
{
	HnswIndex  *index = insert->index;

	for (;;)
	{
		BlockNumber block = place_block(index);
		Buffer		meta_buffer = vdb_hnsw_read(index, HNSW_META_BLOCK, BUFFER_LOCK_EXCLUSIVE,
												HNSW_PAGE_META);
		HnswRef		current = vdb_hnsw_meta(BufferGetPage(meta_buffer))->root;
		HnswPageSet pages = {0};
		bool		is_placed = false;

		if (vdb_hnsw_ref_number(current) != vdb_hnsw_ref_number(root) ||
			!vdb_hnsw_ref_equals(current, root))
		{
			UnlockReleaseBuffer(meta_buffer);
			return false;
		}
		vdb_hnsw_add_page(&pages, block);
		if (vdb_hnsw_lock_pages(index, &pages))
		{
			if (take_place(insert, &pages, block))
			{
				GenericXLogState *state;
				HnswMeta   *meta;

				write_vector(insert);
				state = GenericXLogStart(index->relation);
				meta = vdb_hnsw_meta(GenericXLogRegisterBuffer(state, meta_buffer, 0));
				meta->root = insert->self;
				if (!vdb_hnsw_ref_is_valid(root))
				{
					meta->entry = insert->self;
					meta->entry_level = 0;
					meta->typical_norm = vdb_quant_vector_norm(&index->layout,
															   insert->value.stored);
				}
				write_node(insert, vdb_hnsw_image_of(&pages, state, block));
				GenericXLogFinish(state);
				insert->parent = HNSW_INVALID_NUMBER;
				is_placed = true;
			}
			vdb_hnsw_unlock_pages(&pages);
		}
		UnlockReleaseBuffer(meta_buffer);
		if (is_placed)
			return true;
		CHECK_FOR_INTERRUPTS();
		vdb_hnsw_no_room(index, block);
	}
}

/*
 * Writes the new node of a level above 0, which needs no anchor.
 */
void
vdb_hnsw_place_upper(HnswInsert *insert)
{
	HnswIndex  *index = insert->index;

	for (;;)
	{
		BlockNumber block = place_block(index);
		HnswPageSet pages = {0};
		bool		is_placed = false;

		CHECK_FOR_INTERRUPTS();
		vdb_hnsw_add_page(&pages, block);
		if (vdb_hnsw_lock_pages(index, &pages))
		{
			if (take_place(insert, &pages, block))
			{
				GenericXLogState *state;

				write_vector(insert);
				state = GenericXLogStart(index->relation);
				write_node(insert, vdb_hnsw_image_of(&pages, state, block));
				GenericXLogFinish(state);
				insert->parent = HNSW_INVALID_NUMBER;
				is_placed = true;
			}
			vdb_hnsw_unlock_pages(&pages);
		}
		if (is_placed)
			return;
		vdb_hnsw_no_room(index, block);
	}
}

/*
 * A block to try, extending the relation if none is known.  No content lock is
 * held, on return neither.
 */
static BlockNumber
place_block(HnswIndex *index)
{
	BlockNumber block = vdb_hnsw_find_room(index);

	if (!BlockNumberIsValid(block))
	{
		Buffer		buffer = vdb_hnsw_extend(index);

		block = BufferGetBlockNumber(buffer);
		UnlockReleaseBuffer(buffer);
	}
	return block;
}

/*
 * Views a node of level 0 on a locked page; false unless it is LIVE and the one
 * that ref names.
 */
static bool
view_live(HnswIndex *index, const HnswPageSet *pages, HnswRef ref, HnswNodeView *view)
{
	uint32		number = vdb_hnsw_ref_number(ref);

	vdb_hnsw_view(index, vdb_hnsw_page_of(pages, vdb_hnsw_block(index, number)),
				  vdb_hnsw_place(index, number), number, NULL, view);
	return view->node->state == HNSW_LIVE && view->node->level == 0 &&
		view->node->version == vdb_hnsw_ref_version(ref);
}

/*
 * Finds a FREE place on a locked page; the new node is itself from now on.
 */
static bool
take_place(HnswInsert *insert, const HnswPageSet *pages, BlockNumber block)
{
	HnswIndex  *index = insert->index;
	Page		page = vdb_hnsw_page_of(pages, block);
	int			place = vdb_hnsw_free_place(index, page);

	if (place < 0)
		return false;
	insert->self = vdb_hnsw_make_ref(vdb_hnsw_number(index, block, place),
									 vdb_hnsw_node_at(index, page, place)->version &
										 HNSW_VERSION_MASK);
	return true;
}

/*
 * Writes the vector of a split node, page by page, before the node: nobody
 * reads it while the node is FREE, and the node's page is locked.
 */
static void
write_vector(HnswInsert *insert)
{
	HnswIndex  *index = insert->index;
	BlockNumber block;
	const char *from = (const char *) insert->value.stored;
	Size		left = (Size) index->layout.vector_bytes;

	if (index->vector_pages == 0)
		return;
	block = vdb_hnsw_vector_block(index, vdb_hnsw_ref_number(insert->self));
	while (left > 0)
	{
		Size		n = Min(left, HNSW_PAGE_BYTES);
		Buffer		buffer = vdb_hnsw_read(index, block++, BUFFER_LOCK_EXCLUSIVE, HNSW_PAGE_VECTOR);
		GenericXLogState *state = GenericXLogStart(index->relation);
		Page		page = GenericXLogRegisterBuffer(state, buffer, 0);

		memcpy(PageGetContents(page), from, n);
		((PageHeader) page)->pd_lower = (LocationIndex) (PageGetContents(page) - page + n);
		GenericXLogFinish(state);
		UnlockReleaseBuffer(buffer);
		from += n;
		left -= n;
	}
}

/*
 * Writes the new node to its place in the image of its page.
 */
static void
write_node(HnswInsert *insert, Page page)
{
	HnswIndex  *index = insert->index;
	HnswNode   *node = vdb_hnsw_node_at(index, page,
										vdb_hnsw_place(index, vdb_hnsw_ref_number(insert->self)));
	LocationIndex end = (LocationIndex) ((char *) node - page + index->node_bytes);
	PageHeader	header = (PageHeader) page;

	memcpy(node, insert->image, (Size) index->node_bytes);
	node->version = vdb_hnsw_ref_version(insert->self);
	header->pd_lower = Max(header->pd_lower, end);
}
