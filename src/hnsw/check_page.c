/*-------------------------------------------------------------------------
 *
 * check_page.c
 *	  Verification, first part: every page by itself, every node by itself;
 *	  and reading single nodes for the other parts.
 *
 *-------------------------------------------------------------------------
 */
#include "pg_compat.h"

#include "hnsw/check.h"
#include "hnsw/graph.h"
#include "miscadmin.h"

static void grow(HnswCheck *check, BlockNumber nblocks);
static void read_block(HnswCheck *check, BlockNumber block);
static void note_nodes(HnswCheck *check, BlockNumber block);
static int	used_bytes(HnswCheck *check, Page page, uint8 kind);
static bool is_untouched(const HnswNode *node);
static const char *node_fault(const HnswIndex *index, const HnswNode *node);
static void copy_node(HnswCheck *check, Page page, HnswCheckNode *copy);
static bool copy_split_vector(HnswCheck *check, uint32 number, char *out);

/*
 * Reads all pages in order: notes their kinds, the nodes' facts, and the
 * anchors.  What is wrong with a page by itself is reported in the first
 * round; a page is copied under its lock, so that nothing can look wrong that
 * is only being changed.
 */
void
vdb_hnsw_check_pages(HnswCheck *check)
{
	grow(check, RelationGetNumberOfBlocks(check->index->relation));
	for (BlockNumber block = 0; block < check->nblocks; block++)
	{
		CHECK_FOR_INTERRUPTS();
		read_block(check, block);
	}
	check->round++;
}

/*
 * Makes room for what is known of nblocks blocks and their nodes.
 */
static void
grow(HnswCheck *check, BlockNumber nblocks)
{
	Size		places = (Size) check->index->nodes_per_page;
	Size		before = check->nblocks * places;
	Size		numbers = nblocks * places;

	if (nblocks <= check->nblocks)
		return;
	if (check->kinds == NULL)
	{
		check->kinds = (uint8 *) palloc_extended(nblocks, MCXT_ALLOC_HUGE);
		check->facts = (HnswNodeFact *)
			palloc_extended(numbers * sizeof(HnswNodeFact), MCXT_ALLOC_HUGE);
	}
	else
	{
		check->kinds = (uint8 *) repalloc_huge(check->kinds, nblocks);
		check->facts = (HnswNodeFact *)
			repalloc_huge(check->facts, numbers * sizeof(HnswNodeFact));
	}
	memset(check->kinds + check->nblocks, 0, nblocks - check->nblocks);
	memset(check->facts + before, 0, (numbers - before) * sizeof(HnswNodeFact));
	vdb_hnsw_check_grow_anchors(check, before, numbers);
	check->nblocks = nblocks;
}

static void
read_block(HnswCheck *check, BlockNumber block)
{
	Page		page = (Page) check->page.data;
	Buffer		buffer = ReadBufferExtended(check->index->relation, MAIN_FORKNUM, block,
											RBM_NORMAL, check->strategy);
	const char *problem;
	uint8		kind;

	LockBuffer(buffer, BUFFER_LOCK_SHARE);
	memcpy(page, BufferGetPage(buffer), BLCKSZ);
	UnlockReleaseBuffer(buffer);

	kind = vdb_hnsw_page_kind(page, &problem);
	if (problem == NULL && (kind == HNSW_PAGE_META) != (block == HNSW_META_BLOCK))
		problem = "page of this kind does not belong here";
	else if (problem == NULL && kind == HNSW_PAGE_VECTOR && check->index->vector_pages == 0)
		problem = "page of a split vector in an index that has none";
	else if (problem == NULL && ((PageHeader) page)->pd_lower < used_bytes(check, page, kind))
		problem = "page's pd_lower does not cover its content";
	if (problem != NULL)
		kind = HNSW_PAGE_DAMAGED;
	check->kinds[block] = kind;
	if (check->round == 0)
	{
		if (problem != NULL)
			vdb_hnsw_check_report(check, block, HNSW_INVALID_NUMBER, "%s", problem);
		else
			check->counts.pages[kind]++;
	}
	if (kind == HNSW_PAGE_NODES)
		note_nodes(check, block);
}

/*
 * Where pd_lower must be at least: behind all that is not zero.  (That of a
 * VECTOR page depends on the node: copy_split_vector().)
 */
static int
used_bytes(HnswCheck *check, Page page, uint8 kind)
{
	int			content = MAXALIGN(SizeOfPageHeaderData);
	int			used = check->index->nodes_per_page;

	switch (kind)
	{
		case HNSW_PAGE_META:
			return content + (int) sizeof(HnswMeta);
		case HNSW_PAGE_NODES:
			while (used > 0 && is_untouched(vdb_hnsw_node_at(check->index, page, used - 1)))
				used--;
			return content + used * check->index->node_bytes;
		case HNSW_PAGE_POSTINGS:
			return content + HNSW_SEGMENTS_PER_PAGE * HNSW_SEGMENT_BYTES;
		default:
			return 0;
	}
}

/*
 * No node has ever been in this place.
 */
static bool
is_untouched(const HnswNode *node)
{
	return node->state == HNSW_FREE && node->version == 0;
}

/*
 * Notes the facts and the anchors of the nodes of the page that was copied.
 */
static void
note_nodes(HnswCheck *check, BlockNumber block)
{
	HnswIndex  *index = check->index;

	for (int place = 0; place < index->nodes_per_page; place++)
	{
		HnswNode   *node = vdb_hnsw_node_at(index, (Page) check->page.data, place);
		uint32		number = vdb_hnsw_number(index, block, place);
		HnswNodeFact *fact = &check->facts[number];
		const char *fault = node_fault(index, node);
		char	   *slots = vdb_hnsw_slots_of(index, node);

		if (fact->version != node->version)
			check->strikes[number] = 0;
		fact->version = node->version;
		fact->state = fault == NULL ? node->state : HNSW_FREE;
		fact->level = node->level;
		if (fault != NULL && check->round == 0)
			vdb_hnsw_check_report_node(check, number, "%s", fault);
		if (fact->state == HNSW_FREE)
			continue;
		if (check->round == 0)
			check->counts.nodes++;
		for (int i = 0; i < node->nlinks && node->level == 0; i++)
		{
			HnswRef		ref = vdb_hnsw_link(index, slots, i);

			if (vdb_hnsw_ref_is_anchor(ref))
				vdb_hnsw_check_add_anchor(check, number, vdb_hnsw_ref_number(ref));
		}
	}
}

/*
 * What is wrong with a node by itself, or NULL.  Nothing of a FREE one counts
 * but its version.
 */
static const char *
node_fault(const HnswIndex *index, const HnswNode *node)
{
	static const uint8 zeroes[sizeof(node->unused)] = {0};

	if (node->state > HNSW_DYING)
		return "node has an unknown state";
	if (node->version > HNSW_VERSION_MASK)
		return "node has a version of more than 15 bits";
	if (node->state == HNSW_FREE)
		return NULL;
	if (node->level > HNSW_MAX_LEVEL)
		return "node has a level that is out of range";
	if (node->nlinks > index->slots)
		return "node has more links than slots";
	if (node->ntids > HNSW_INLINE_TIDS)
		return "node has more heap TIDs than room for them";
	if (node->level > 0 && node->ntids > 0)
		return "node above level 0 has heap TIDs";
	if (node->state == HNSW_DYING && node->ntids > 0)
		return "dying node has heap TIDs";
	if (memcmp(node->unused, zeroes, sizeof(zeroes)) != 0)
		return "node has content in unused bytes";
	return NULL;
}

/*
 * Copies a page that must be of a kind to check->page.  False if there is none
 * or it is another.
 */
bool
vdb_hnsw_check_copy_page(HnswCheck *check, BlockNumber block, HnswPageKind kind)
{
	HnswIndex  *index = check->index;
	const char *problem;
	Buffer		buffer;

	if (block >= index->nblocks)
		index->nblocks = RelationGetNumberOfBlocks(index->relation);
	if (block >= index->nblocks)
		return false;
	buffer = ReadBuffer(index->relation, block);
	LockBuffer(buffer, BUFFER_LOCK_SHARE);
	memcpy(check->page.data, BufferGetPage(buffer), BLCKSZ);
	UnlockReleaseBuffer(buffer);
	return vdb_hnsw_page_kind((Page) check->page.data, &problem) == (uint8) kind;
}

/*
 * Copies the node that has a number, with what it has now.
 */
HnswPresence
vdb_hnsw_check_read(HnswCheck *check, uint32 number, HnswCheckNode *copy)
{
	HnswIndex  *index = check->index;
	BlockNumber block = vdb_hnsw_block(index, number);
	HnswPresence found = HNSW_FOUND_NO_PAGE;
	const char *problem;
	Buffer		buffer;
	Page		page;

	if (block >= index->nblocks)
		index->nblocks = RelationGetNumberOfBlocks(index->relation);
	if (block >= index->nblocks)
		return found;
	buffer = ReadBuffer(index->relation, block);
	LockBuffer(buffer, BUFFER_LOCK_SHARE);
	page = BufferGetPage(buffer);
	if (vdb_hnsw_page_kind(page, &problem) == HNSW_PAGE_NODES)
	{
		copy->number = number;
		memcpy(&copy->node, vdb_hnsw_node_at(index, page, vdb_hnsw_place(index, number)),
			   sizeof(HnswNode));
		if (node_fault(index, &copy->node) != NULL)
			found = HNSW_FOUND_BAD;
		else if (copy->node.state == HNSW_FREE)
			found = HNSW_FOUND_FREE;
		else
		{
			found = HNSW_FOUND_NODE;
			copy_node(check, page, copy);
		}
	}
	UnlockReleaseBuffer(buffer);
	if (found == HNSW_FOUND_NODE && copy->has_vector)
		copy->has_vector = vdb_quant_vector_fault(&index->layout, index->kernels,
												  copy->stored) == NULL;
	return found;
}

/*
 * Copies links and vector of a sane node whose page is locked.
 */
static void
copy_node(HnswCheck *check, Page page, HnswCheckNode *copy)
{
	HnswIndex  *index = check->index;
	HnswNode   *node = vdb_hnsw_node_at(index, page, vdb_hnsw_place(index, copy->number));

	memcpy(copy->slots, vdb_hnsw_slots_of(index, node),
		   (Size) node->nlinks * (Size) index->layout.slot_bytes);
	copy->has_vector = true;
	if (index->vector_pages == 0)
		memcpy(copy->stored, (char *) node + HNSW_NODE_HEADER, (Size) index->layout.vector_bytes);
	else
		copy->has_vector = copy_split_vector(check, copy->number, copy->stored);
}

/*
 * Copies the vector of a split node; false if one of its pages is none.
 */
static bool
copy_split_vector(HnswCheck *check, uint32 number, char *out)
{
	HnswIndex  *index = check->index;
	BlockNumber block = vdb_hnsw_vector_block(index, number);
	Size		left = (Size) index->layout.vector_bytes;
	bool		is_good = true;

	for (; left > 0 && is_good; block++)
	{
		Size		n = Min(left, HNSW_PAGE_BYTES);
		const char *problem;
		Buffer		buffer;
		Page		page;

		if (block >= index->nblocks)
			return false;
		buffer = ReadBuffer(index->relation, block);
		LockBuffer(buffer, BUFFER_LOCK_SHARE);
		page = BufferGetPage(buffer);
		is_good = vdb_hnsw_page_kind(page, &problem) == HNSW_PAGE_VECTOR &&
			((PageHeader) page)->pd_lower >= MAXALIGN(SizeOfPageHeaderData) + n;
		if (is_good)
			memcpy(out, PageGetContents(page), n);
		UnlockReleaseBuffer(buffer);
		out += n;
		left -= n;
	}
	return is_good;
}
