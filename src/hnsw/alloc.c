/*-------------------------------------------------------------------------
 *
 * alloc.c
 *	  Places for new nodes: which page to try, and new pages.
 *
 * A backend fills the page that it used last, so that concurrent inserts
 * write different pages.  The free space map knows the pages that vacuum
 * freed places on; it is a hint that is checked under the page's lock.
 *
 *-------------------------------------------------------------------------
 */
#include "pg_compat.h"

#include "access/generic_xlog.h"
#include "hnsw/alloc.h"
#include "storage/freespace.h"
#include "storage/lmgr.h"

/* What the free space map is told of a page with a FREE place, and asked for */
#define ROOM_RECORDED (BLCKSZ - 1)
#define ROOM_WANTED (BLCKSZ / 2)

static BlockNumber room_in_map(HnswIndex *index);
static void init_new_page(HnswIndex *index, Buffer buffer, HnswPageKind kind, Size content);

/*
 * A block of NODES that probably has a FREE place, or InvalidBlockNumber.  No
 * content lock may be held.
 *
 * A backend that has not used a page yet tries the last one, as heaps do: else
 * each short-lived connection would extend the relation.
 */
BlockNumber
vdb_hnsw_find_room(HnswIndex *index)
{
	BlockNumber block = RelationGetTargetBlock(index->relation);
	BlockNumber nblocks = RelationGetNumberOfBlocks(index->relation);
	BlockNumber group = (BlockNumber) vdb_hnsw_group_pages(index);

	if (block != InvalidBlockNumber && block < nblocks)
		return block;
	index->nblocks = nblocks;
	block = room_in_map(index);
	if (block == InvalidBlockNumber && !index->had_room && nblocks > group)
	{
		block = nblocks - group;
		index->had_room = true;
	}
	if (block != InvalidBlockNumber)
		RelationSetTargetBlock(index->relation, block);
	return block;
}

/*
 * A block from the free space map, which may know of some that a crash took.
 */
static BlockNumber
room_in_map(HnswIndex *index)
{
	BlockNumber block = GetPageWithFreeSpace(index->relation, ROOM_WANTED);

	while (block != InvalidBlockNumber && block >= index->nblocks)
		block = RecordAndGetPageWithFreeSpace(index->relation, block, 0, ROOM_WANTED);
	return block;
}

/*
 * The block has no FREE place after all.  No content lock may be held.
 */
void
vdb_hnsw_no_room(HnswIndex *index, BlockNumber block)
{
	RecordPageWithFreeSpace(index->relation, block, 0);
	index->had_room = true;
	if (RelationGetTargetBlock(index->relation) == block)
		RelationSetTargetBlock(index->relation, InvalidBlockNumber);
}

/*
 * The block has a FREE place.  Searches of the free space map find it once
 * IndexFreeSpaceMapVacuum() has run.
 */
void
vdb_hnsw_has_room(HnswIndex *index, BlockNumber block)
{
	RecordPageWithFreeSpace(index->relation, block, ROOM_RECORDED);
}

/*
 * Extends the relation by a page of NODES, all FREE, and its VECTOR pages.
 * Returns the NODES page, pinned and locked exclusively, which becomes this
 * backend's own.
 *
 * The page of nodes is initialised last: a crash in between leaves pages that
 * nothing leads to.
 */
Buffer
vdb_hnsw_extend(HnswIndex *index)
{
	int			nvectors = vdb_hnsw_group_pages(index) - 1;
	Buffer	   *vectors = NULL;
	Buffer		nodes;

	if (nvectors > 0)
		vectors = vdb_palloc_array(Buffer, nvectors);

	/*
	 * One block after the other, so that the group is without gaps.  Where m is
	 * small there may be more of them than a backend can hold locks.
	 */
	LockRelationForExtension(index->relation, ExclusiveLock);
	nodes = vdb_extend_fork(index->relation, MAIN_FORKNUM, NULL);
	for (int i = 0; i < nvectors; i++)
	{
		vectors[i] = vdb_extend_fork(index->relation, MAIN_FORKNUM, NULL);
		LockBuffer(vectors[i], BUFFER_LOCK_UNLOCK);
	}
	UnlockRelationForExtension(index->relation, ExclusiveLock);

	for (int i = 0; i < nvectors; i++)
	{
		LockBuffer(vectors[i], BUFFER_LOCK_EXCLUSIVE);
		init_new_page(index, vectors[i], HNSW_PAGE_VECTOR, 0);
		UnlockReleaseBuffer(vectors[i]);
	}
	init_new_page(index, nodes, HNSW_PAGE_NODES, 0);
	if (nvectors > 0)
		pfree(vectors);
	index->nblocks = Max(index->nblocks, BufferGetBlockNumber(nodes) + 1 + (BlockNumber) nvectors);
	RelationSetTargetBlock(index->relation, BufferGetBlockNumber(nodes));
	return nodes;
}

/*
 * Extends the relation by a page of POSTINGS, all segments free, in no chain.
 * Returns it pinned and locked exclusively.
 */
Buffer
vdb_hnsw_extend_postings(HnswIndex *index)
{
	Buffer		buffer;

	LockRelationForExtension(index->relation, ExclusiveLock);
	buffer = vdb_extend_fork(index->relation, MAIN_FORKNUM, NULL);
	UnlockRelationForExtension(index->relation, ExclusiveLock);
	init_new_page(index, buffer, HNSW_PAGE_POSTINGS, HNSW_SEGMENTS_PER_PAGE * HNSW_SEGMENT_BYTES);
	return buffer;
}

/*
 * Initialises a new page, with so many bytes of content, and logs it.
 */
static void
init_new_page(HnswIndex *index, Buffer buffer, HnswPageKind kind, Size content)
{
	GenericXLogState *state = GenericXLogStart(index->relation);
	Page		page = GenericXLogRegisterBuffer(state, buffer, GENERIC_XLOG_FULL_IMAGE);

	vdb_hnsw_init_page(page, kind);
	if (kind == HNSW_PAGE_POSTINGS)
	{
		for (int i = 0; i < HNSW_SEGMENTS_PER_PAGE; i++)
		{
			vdb_hnsw_segment(page, i)->owner = vdb_hnsw_no_ref();
			vdb_hnsw_segment(page, i)->next = vdb_hnsw_no_ref();
		}
	}
	((PageHeader) page)->pd_lower = (LocationIndex) (PageGetContents(page) - page + content);
	GenericXLogFinish(state);
}

/*
 * A FREE place on a locked page of NODES, or -1.
 */
int
vdb_hnsw_free_place(const HnswIndex *index, Page page)
{
	for (int place = 0; place < index->nodes_per_page; place++)
	{
		if (vdb_hnsw_node_at(index, page, place)->state == HNSW_FREE)
			return place;
	}
	return -1;
}
