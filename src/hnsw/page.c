/*-------------------------------------------------------------------------
 *
 * page.c
 *	  Reading pages and nodes of an index.
 *
 * Nothing read from a page is trusted before it was checked here: that the
 * page is of its kind, that a node's counts are in range, that a number is
 * one of a block that exists.  Damage raises ERRCODE_INDEX_CORRUPTED.
 *
 *-------------------------------------------------------------------------
 */
#include "pg_compat.h"

#include "hnsw/graph.h"
#include "hnsw/index.h"
#include "hnsw/posting.h"
#include "pgstat.h"
#include "storage/buf_internals.h"

/*
 * Where this backend has met blocks of nodes in shared buffers: a buffer that is
 * tried first, which saves the search of the buffer table, three cache misses.
 * Whether the block is still there is seen when it is pinned.
 */
typedef struct BufferHint
{
	uint32		key;			/* of relation and block */
	Buffer		buffer;
} BufferHint;

#define HINT_BITS 16

static BufferHint hints[1 << HINT_BITS];

/*
 * One of so many reads is an ordinary one, which counts as a use of the buffer:
 * one that goes by the hint does not, and the clock would take pages that are
 * read all the time for pages that nobody reads.
 */
#define READS_PER_USE 8

static Buffer read_buffer(HnswIndex *index, BlockNumber block);
static void check_node(HnswIndex *index, BlockNumber block, const HnswNode *node);

/*
 * Raises the error for a damaged page.
 */
void
vdb_hnsw_corrupted(Relation relation, BlockNumber block, const char *what)
{
	ereport(ERROR, (errcode(ERRCODE_INDEX_CORRUPTED), errmsg("index \"%s\" contains corrupted page at block %u: invalid %s", RelationGetRelationName(relation), block, what), errhint("Please REINDEX it.")));
}

/*
 * Makes page an empty one of a kind.  The caller sets pd_lower for what it
 * puts there.
 */
void
vdb_hnsw_init_page(Page page, HnswPageKind kind)
{
	HnswOpaque *opaque;

	PageInit(page, BLCKSZ, sizeof(HnswOpaque));
	opaque = vdb_hnsw_opaque(page);
	opaque->next = InvalidBlockNumber;
	opaque->kind = (uint8) kind;
	opaque->page_id = HNSW_PAGE_ID;
}

/*
 * Whether a page, which may be all zeroes, is one of a kind.  Generic WAL relies
 * on the bounds in its header.
 */
bool
vdb_hnsw_is_kind(Page page, HnswPageKind kind)
{
	PageHeader	header = (PageHeader) page;
	HnswOpaque *opaque;

	if (header->pd_special != BLCKSZ - MAXALIGN(sizeof(HnswOpaque)) ||
		header->pd_upper != header->pd_special || header->pd_lower > header->pd_upper ||
		header->pd_lower < MAXALIGN(SizeOfPageHeaderData))
		return false;
	opaque = vdb_hnsw_opaque(page);
	return opaque->page_id == HNSW_PAGE_ID && opaque->kind == (uint8) kind;
}

/*
 * Reads a page that must be of a kind.  It is pinned and locked on return.  A
 * block that does not exist is damage, too: the number came from a page.
 */
Buffer
vdb_hnsw_read(HnswIndex *index, BlockNumber block, int lockmode, HnswPageKind kind)
{
	Buffer		buffer;

	if (block >= index->nblocks)
		index->nblocks = RelationGetNumberOfBlocks(index->relation);
	if (block >= index->nblocks)
		vdb_hnsw_corrupted(index->relation, block, "link: there is no such block");
	buffer = read_buffer(index, block);
	LockBuffer(buffer, lockmode);
	if (!vdb_hnsw_is_kind(BufferGetPage(buffer), kind))
		vdb_hnsw_corrupted(index->relation, block, "page header");
	return buffer;
}

/*
 * The hint for a block, whether it is of that block or another.
 */
static BufferHint *
hint_for(HnswIndex *index, BlockNumber block, uint32 *key)
{
	*key = block + (uint32) vdb_file_number(index->relation) * 2654435769U;
	return &hints[*key % lengthof(hints)];
}

static void
set_hint(BufferHint *hint, uint32 key, Buffer buffer)
{
	if (!BufferIsLocal(buffer))
	{
		hint->key = key;
		hint->buffer = buffer;
	}
}

/*
 * ReadBuffer() by way of the hint.
 */
static Buffer
read_buffer(HnswIndex *index, BlockNumber block)
{
	static uint32 reads = 0;
	uint32		key;
	BufferHint *hint = hint_for(index, block, &key);
	Buffer		buffer;

	if (hint->key == key && BufferIsValid(hint->buffer) && ++reads % READS_PER_USE != 0 &&
		ReadRecentBuffer(vdb_file_locator(index->relation), MAIN_FORKNUM, block, hint->buffer))
	{
		/* it counts for the backend, but not for the relation */
		pgstat_count_buffer_read(index->relation);
		pgstat_count_buffer_hit(index->relation);
		return hint->buffer;
	}
	buffer = ReadBuffer(index->relation, block);
	set_hint(hint, key, buffer);
	return buffer;
}

/*
 * Reads a page if it is one of nodes: pinned and locked then, otherwise
 * nothing is held and the result is false.
 */
bool
vdb_hnsw_try_read_nodes(HnswIndex *index, BlockNumber block, int lockmode,
						BufferAccessStrategy strategy, Buffer *buffer)
{
	*buffer = ReadBufferExtended(index->relation, MAIN_FORKNUM, block, RBM_NORMAL, strategy);
	LockBuffer(*buffer, lockmode);
	if (vdb_hnsw_is_kind(BufferGetPage(*buffer), HNSW_PAGE_NODES))
		return true;
	UnlockReleaseBuffer(*buffer);
	*buffer = InvalidBuffer;
	return false;
}

/*
 * Copies the metapage.  Only index->relation is used.
 */
void
vdb_hnsw_read_meta(HnswIndex *index, HnswMeta *meta)
{
	Buffer		buffer = vdb_hnsw_read(index, HNSW_META_BLOCK, BUFFER_LOCK_SHARE, HNSW_PAGE_META);

	memcpy(meta, vdb_hnsw_meta(BufferGetPage(buffer)), sizeof(*meta));
	UnlockReleaseBuffer(buffer);
	if (meta->magic != HNSW_MAGIC)
		vdb_hnsw_corrupted(index->relation, HNSW_META_BLOCK, "magic number");
	if (meta->version != HNSW_FORMAT_VERSION)
		ereport(ERROR, (errcode(ERRCODE_FEATURE_NOT_SUPPORTED), errmsg("index \"%s\" has format version %u, and this library reads %u", RelationGetRelationName(index->relation), meta->version, HNSW_FORMAT_VERSION), errhint("Please REINDEX it.")));
}

/*
 * Copies the metapage as it stands, of whatever version.  False if there is
 * none; what is on disk raises no error, not even a wrong checksum.
 */
bool
vdb_hnsw_try_read_meta(Relation relation, HnswMeta *meta)
{
	Buffer		buffer;
	Page		page;
	bool		found;

	if (RelationGetNumberOfBlocks(relation) <= HNSW_META_BLOCK)
		return false;
	buffer = ReadBufferExtended(relation, MAIN_FORKNUM, HNSW_META_BLOCK,
								RBM_ZERO_ON_ERROR, NULL);
	LockBuffer(buffer, BUFFER_LOCK_SHARE);
	page = BufferGetPage(buffer);
	found = vdb_hnsw_is_kind(page, HNSW_PAGE_META);
	if (found)
		memcpy(meta, vdb_hnsw_meta(page), sizeof(*meta));
	UnlockReleaseBuffer(buffer);
	return found;
}

/*
 * The node at a place of a locked page of nodes, checked.  The vector of a
 * split node is copied to vector_memory (NULL: left out).
 */
void
vdb_hnsw_view(HnswIndex *index, Page page, int place, uint32 number,
			  void *vector_memory, HnswNodeView *view)
{
	view->number = number;
	view->node = vdb_hnsw_node_at(index, page, place);
	check_node(index, vdb_hnsw_block(index, number), view->node);
	view->slots = vdb_hnsw_slots_of(index, view->node);
	view->stored = (char *) view->node + HNSW_NODE_HEADER;
	if (index->vector_pages > 0)
	{
		view->stored = vector_memory;
		if (vector_memory != NULL && view->node->state != HNSW_FREE)
			vdb_hnsw_copy_vector(index, number, vector_memory);
	}
}

static void
check_node(HnswIndex *index, BlockNumber block, const HnswNode *node)
{
	if (node->state > HNSW_DYING || node->nlinks > index->slots ||
		node->ntids > HNSW_INLINE_TIDS || node->level > HNSW_MAX_LEVEL)
		vdb_hnsw_corrupted(index->relation, block, "node");
}

/*
 * Copies the vector of a split node.  The page of the node is locked by the
 * caller, so that it stays this node's.
 */
void
vdb_hnsw_copy_vector(HnswIndex *index, uint32 number, void *out)
{
	BlockNumber block = vdb_hnsw_vector_block(index, number);
	Size		left = (Size) index->layout.vector_bytes;
	char	   *to = (char *) out;

	while (left > 0)
	{
		Size		n = Min(left, HNSW_PAGE_BYTES);
		Buffer		buffer = vdb_hnsw_read(index, block++, BUFFER_LOCK_SHARE, HNSW_PAGE_VECTOR);

		memcpy(to, PageGetContents(BufferGetPage(buffer)), n);
		UnlockReleaseBuffer(buffer);
		to += n;
		left -= n;
	}
}

/*
 * Asks for the node that has a number to be brought near: from disk if its page
 * is not in shared buffers, else into the CPU's cache.
 */
void
vdb_hnsw_prefetch(HnswIndex *index, uint32 number)
{
	BlockNumber block = vdb_hnsw_block(index, number);
	Buffer		buffer;
	BufferHint *hint;
	uint32		key;
	const char *node;

	if (block >= index->nblocks)
		return;
	hint = hint_for(index, block, &key);
	if (hint->key == key && BufferIsValid(hint->buffer))
		buffer = hint->buffer;
	else
	{
		buffer = PrefetchBuffer(index->relation, MAIN_FORKNUM, block).recent_buffer;
		if (!BufferIsValid(buffer) || BufferIsLocal(buffer))
			return;
		set_hint(hint, key, buffer);
	}

	/*
	 * The buffer is not pinned, and may be another's by now.  That the address is
	 * one of a buffer is enough for a prefetch.
	 */
	node = (const char *) BufferGetPage(buffer);
	vdb_prefetch_line(GetBufferDescriptor(buffer - 1));
	vdb_prefetch_line(node);
	vdb_prefetch_line(node + BLCKSZ - sizeof(HnswOpaque));
	node += MAXALIGN(SizeOfPageHeaderData) +
		vdb_hnsw_place(index, number) * index->node_bytes;
	for (int i = 0; i < index->node_bytes; i += VDB_CACHE_LINE)
		vdb_prefetch_line(node + i);
}

/*
 * Reads the node that has a number; the page is pinned and locked on success.
 * False, and nothing held, if there is none.
 */
bool
vdb_hnsw_read_number(HnswIndex *index, uint32 number, int lockmode, void *vector_memory,
					 Buffer *buffer, HnswNodeView *view)
{
	BlockNumber block = vdb_hnsw_block(index, number);
	int			place = vdb_hnsw_place(index, number);
	Page		page;

	*buffer = vdb_hnsw_read(index, block, lockmode, HNSW_PAGE_NODES);
	page = BufferGetPage(*buffer);
	if (vdb_hnsw_node_at(index, page, place)->state == HNSW_FREE)
	{
		UnlockReleaseBuffer(*buffer);
		*buffer = InvalidBuffer;
		return false;
	}
	vdb_hnsw_view(index, page, place, number, vector_memory, view);
	return true;
}

/*
 * The same for the node that ref names: false, too, if the ref is stale.
 */
bool
vdb_hnsw_read_node(HnswIndex *index, HnswRef ref, int lockmode, void *vector_memory,
				   Buffer *buffer, HnswNodeView *view)
{
	if (!vdb_hnsw_read_number(index, vdb_hnsw_ref_number(ref), lockmode, vector_memory,
							  buffer, view))
		return false;
	if (view->node->version == vdb_hnsw_ref_version(ref))
		return true;
	UnlockReleaseBuffer(*buffer);
	*buffer = InvalidBuffer;
	return false;
}

/*
 * Raises an error if a chain in which ref comes next has no end; see posting.h.
 * Compares with one that was passed, which is renewed after 1, 2, 4, ... steps
 * (Brent's algorithm).
 */
void
vdb_hnsw_guard_chain(HnswIndex *index, HnswChainGuard *guard, HnswRef ref)
{
	if (memcmp(&ref, &guard->seen, sizeof(ref)) == 0)
		vdb_hnsw_corrupted(index->relation, vdb_hnsw_ref_number(ref),
						   "chain of segments: it has no end");
	guard->hops++;
	if ((guard->hops & (guard->hops - 1)) == 0)
		guard->seen = ref;
}
