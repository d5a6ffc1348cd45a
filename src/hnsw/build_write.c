/*-------------------------------------------------------------------------
 *
 * build_write.c
 *	  Writes the pages of a new index.
 *
 * Nodes come in the order of their places: those of the upper levels first, so
 * that descents read the same few pages again and again, then level 0, on
 * pages of its own, in an order that keeps neighbours near each other.  The
 * rows for which nodes have no room are kept in a temporary file meanwhile, and
 * come last.
 *
 * The index is nobody else's yet, so pages are written without WAL, and logged
 * together at the end.
 *
 *-------------------------------------------------------------------------
 */
#include "pg_compat.h"

#include "access/xloginsert.h"
#include "commands/progress.h"
#include "hnsw/alloc.h"
#include "hnsw/build.h"
#include "miscadmin.h"
#include "pgstat.h"
#include "storage/bufmgr.h"
#include "storage/freespace.h"
#include "storage/indexfsm.h"
#include "utils/memutils.h"

static uint32 number_at(const HnswWriter *w, uint32 place);
static void write_page(HnswWriter *w, Page page, Size used);
static void begin_group(HnswWriter *w);
static void end_group(HnswWriter *w);
static void write_vector(HnswWriter *w, const char *from);
static void fill_node(HnswWriter *w, HnswNode *node, const HnswPlacedNode *placed);
static HnswRef keep_rows(HnswWriter *w, uint32 number, const uint64 *rows, uint32 nrows);
static HnswRef segment_ref(const HnswWriter *w, uint64 segment);
static void write_postings(HnswWriter *w);
static void put_meta(Buffer buffer, const HnswMeta *meta);

/*
 * Writes an index without nodes to an empty fork; the init fork, which is
 * copied after a crash, is logged though the relation is not.
 */
void
vdb_hnsw_write_empty(Relation relation, ForkNumber fork, const HnswMeta *meta)
{
	Buffer		buffer = vdb_extend_fork(relation, fork, NULL);

	START_CRIT_SECTION();
	put_meta(buffer, meta);
	if (fork == INIT_FORKNUM || RelationNeedsWAL(relation))
		log_newpage_buffer(buffer, true);
	END_CRIT_SECTION();
	UnlockReleaseBuffer(buffer);
}

/*
 * Begins to write an index to the empty main fork of its relation: with nupper
 * nodes on upper levels, and nnodes on level 0.
 */
void
vdb_hnsw_write_begin(HnswWriter *w, HnswIndex *index, uint32 nupper, uint32 nnodes)
{
	uint64		per_page = (uint64) index->nodes_per_page;

	memset(w, 0, sizeof(*w));
	w->index = index;
	w->strategy = GetAccessStrategy(BAS_BULKWRITE);
	w->nupper = nupper;
	w->nnodes = nnodes;
	w->upper_groups = (nupper + per_page - 1) / per_page;
	w->first_posting = (BlockNumber) (1 + vdb_hnsw_group_pages(index) * (w->upper_groups + (nnodes + per_page - 1) / per_page));
	w->vectors = (char *) palloc((Size) per_page * (Size) index->layout.vector_bytes);
	if (nnodes > 0)
		(void) number_at(w, nupper + nnodes - 1);
	w->nodes = (Page) palloc(BLCKSZ);
	w->page = (Page) palloc(BLCKSZ);

	/* it will be completed at the end */
	vdb_hnsw_init_page(w->page, HNSW_PAGE_META);
	write_page(w, w->page, 0);
}

/*
 * The number of the node at a place.
 */
static uint32
number_at(const HnswWriter *w, uint32 place)
{
	uint64		per_page = (uint64) w->index->nodes_per_page;
	uint64		at = place < w->nupper ? place : w->upper_groups * per_page + (place - w->nupper);
	uint64		block = 1 + at / per_page * (uint64) vdb_hnsw_group_pages(w->index);
	uint64		number = block * per_page + at % per_page;

	if (number >= HNSW_INVALID_NUMBER)
		ereport(ERROR,
				(errcode(ERRCODE_PROGRAM_LIMIT_EXCEEDED),
				 errmsg("too many vectors for index \"%s\"",
						RelationGetRelationName(w->index->relation)),
				 errhint("Partition the table.")));
	return (uint32) number;
}

/*
 * Writes the next node.
 */
void
vdb_hnsw_write_node(HnswWriter *w, const HnswPlacedNode *placed)
{
	HnswIndex  *index = w->index;
	uint32		number = number_at(w, placed->place);
	HnswNode   *node;

	if (placed->place != w->next_place++)
		elog(ERROR, "node %u of index \"%s\" comes out of turn", placed->place,
			 RelationGetRelationName(index->relation));
	if (w->ngroup > 0 && w->nblocks != vdb_hnsw_block(index, number))
		end_group(w);
	if (w->ngroup == 0)
		begin_group(w);

	node = vdb_hnsw_node_at(index, w->nodes, vdb_hnsw_place(index, number));
	node->state = HNSW_LIVE;
	node->level = (uint8) placed->level;
	if (placed->level > 0)
		node->next = vdb_hnsw_make_ref(number_at(w, placed->below), 0);
	else
		node->next = keep_rows(w, number, placed->rows, placed->nrows);
	for (; placed->level == 0 && node->ntids < Min(placed->nrows, HNSW_INLINE_TIDS); node->ntids++)
		node->tids[node->ntids] = vdb_hnsw_row_tid(placed->rows[node->ntids]);
	memcpy(index->vector_pages > 0 ?
			   w->vectors + vdb_hnsw_place(index, number) * index->layout.vector_bytes :
			   (char *) node + HNSW_NODE_HEADER,
		   placed->vector, (Size) index->layout.vector_bytes);
	fill_node(w, node, placed);
	w->ngroup = vdb_hnsw_place(index, number) + 1;

	if (w->next_place % 64 == 0)
		pgstat_progress_update_param(PROGRESS_CREATEIDX_TUPLES_DONE, w->next_place);
}

/*
 * Fills the slots of a node.
 */
static void
fill_node(HnswWriter *w, HnswNode *node, const HnswPlacedNode *placed)
{
	HnswIndex  *index = w->index;
	char	   *slots = vdb_hnsw_slots_of(index, node);
	int			i;

	node->nlinks = (uint8) placed->nlinks;
	for (i = 0; i < placed->nlinks; i++)
	{
		const HnswPlacedLink *link = &placed->links[i];

		vdb_hnsw_set_link(index, slots, i,
						  vdb_hnsw_make_ref(number_at(w, link->target),
											link->is_anchor ? HNSW_ANCHOR : 0));
		if (index->layout.bits > 0)
			memcpy(vdb_hnsw_factors(index, slots, i), link->factors,
				   (Size) index->layout.slot_bytes - HNSW_LINK_BYTES);
	}
}

/*
 * Completes the index: rows, metapage, free space, WAL.
 */
void
vdb_hnsw_write_end(HnswWriter *w, HnswMeta *meta, const HnswWriterRoots *roots)
{
	HnswIndex  *index = w->index;
	Relation	relation = index->relation;
	uint32		per_page = (uint32) index->nodes_per_page;
	Buffer		buffer;

	if (w->ngroup > 0)
		end_group(w);
	if (w->nnodes > 0)
	{
		meta->entry = vdb_hnsw_make_ref(number_at(w, roots->entry), 0);
		meta->entry_level = (uint16) roots->entry_level;
		meta->root = vdb_hnsw_make_ref(number_at(w, roots->root), 0);
	}
	write_postings(w);
	if (w->nsegments % HNSW_SEGMENTS_PER_PAGE != 0)
		meta->postings = w->nblocks - 1;

	buffer = ReadBuffer(relation, HNSW_META_BLOCK);
	LockBuffer(buffer, BUFFER_LOCK_EXCLUSIVE);
	put_meta(buffer, meta);
	UnlockReleaseBuffer(buffer);

	if (w->nupper % per_page != 0)
		vdb_hnsw_has_room(index, vdb_hnsw_block(index, number_at(w, w->nupper - 1)));
	if (w->nnodes % per_page != 0)
		vdb_hnsw_has_room(index, vdb_hnsw_block(index, number_at(w, w->nupper + w->nnodes - 1)));
	IndexFreeSpaceMapVacuum(relation);
	if (RelationNeedsWAL(relation))
	{
		vdb_hnsw_build_phase(HNSW_PHASE_LOG, 0);
		log_newpage_range(relation, MAIN_FORKNUM, 0, w->nblocks, true);
	}
	FreeAccessStrategy(w->strategy);
}

/*
 * Writes a page whose first bytes are used as the next one of the index.
 */
static void
write_page(HnswWriter *w, Page page, Size used)
{
	Buffer		buffer;

	CHECK_FOR_INTERRUPTS();
	((PageHeader) page)->pd_lower = (LocationIndex) (PageGetContents(page) - (char *) page + used);
	buffer = vdb_extend_fork(w->index->relation, MAIN_FORKNUM, w->strategy);
	if (BufferGetBlockNumber(buffer) != w->nblocks)
		elog(ERROR, "block %u of index \"%s\" was expected, not %u", w->nblocks,
			 RelationGetRelationName(w->index->relation), BufferGetBlockNumber(buffer));
	w->nblocks++;
	memcpy(BufferGetPage(buffer), page, BLCKSZ);
	MarkBufferDirty(buffer);
	UnlockReleaseBuffer(buffer);
}

/*
 * Begins a page of nodes, all zero, which is FREE.
 */
static void
begin_group(HnswWriter *w)
{
	vdb_hnsw_init_page(w->nodes, HNSW_PAGE_NODES);
}

/*
 * Ends a page of nodes, and writes its vectors if they are split off.
 */
static void
end_group(HnswWriter *w)
{
	HnswIndex  *index = w->index;
	int			i;

	write_page(w, w->nodes, (Size) index->nodes_per_page * (Size) index->node_bytes);
	for (i = 0; index->vector_pages > 0 && i < index->nodes_per_page; i++)
		write_vector(w, i < w->ngroup ? w->vectors + i * index->layout.vector_bytes : NULL);
	w->ngroup = 0;
}

/*
 * Writes the pages of a vector that is split off; empty ones for NULL.
 */
static void
write_vector(HnswWriter *w, const char *from)
{
	Size		left = (Size) w->index->layout.vector_bytes;

	while (left > 0)
	{
		Size		n = Min(left, HNSW_PAGE_BYTES);

		vdb_hnsw_init_page(w->page, HNSW_PAGE_VECTOR);
		if (from != NULL)
		{
			memcpy(PageGetContents(w->page), from, n);
			from += n;
		}
		write_page(w, w->page, n);
		left -= n;
	}
}

/*
 * Keeps the rows for which a node has no room, in segments.  Returns the newest.
 */
static HnswRef
keep_rows(HnswWriter *w, uint32 number, const uint64 *rows, uint32 nrows)
{
	HnswSegment segment;
	HnswRef		newest = vdb_hnsw_no_ref();
	uint32		i = HNSW_INLINE_TIDS;

	while (i < nrows)
	{
		memset(&segment, 0, sizeof(segment));
		segment.owner = vdb_hnsw_make_ref(number, 0);
		segment.next = newest;
		while (i < nrows && segment.ntids < HNSW_SEGMENT_TIDS)
			segment.tids[segment.ntids++] = vdb_hnsw_row_tid(rows[i++]);
		if (w->segments == NULL)
			w->segments = BufFileCreateTemp(false);
		BufFileWrite(w->segments, &segment, sizeof(segment));
		newest = segment_ref(w, w->nsegments++);
	}
	return newest;
}

static HnswRef
segment_ref(const HnswWriter *w, uint64 segment)
{
	return vdb_hnsw_make_ref((uint32) (w->first_posting + segment / HNSW_SEGMENTS_PER_PAGE),
							 (uint16) (segment % HNSW_SEGMENTS_PER_PAGE));
}

/*
 * Writes the segments that were kept to pages.
 */
static void
write_postings(HnswWriter *w)
{
	uint64		next = 0;

	if (w->nsegments == 0)
		return;
	if (BufFileSeek(w->segments, 0, 0, SEEK_SET) != 0)
		elog(ERROR, "could not rewind a temporary file");
	while (next < w->nsegments)
	{
		int			n = (int) Min(w->nsegments - next, (uint64) HNSW_SEGMENTS_PER_PAGE);
		int			i;

		vdb_hnsw_init_page(w->page, HNSW_PAGE_POSTINGS);
		vdb_buffile_read(w->segments, vdb_hnsw_segment(w->page, 0), (Size) n * sizeof(HnswSegment));
		for (i = n; i < HNSW_SEGMENTS_PER_PAGE; i++)
		{
			vdb_hnsw_segment(w->page, i)->owner = vdb_hnsw_no_ref();
			vdb_hnsw_segment(w->page, i)->next = vdb_hnsw_no_ref();
		}
		vdb_hnsw_opaque(w->page)->is_listed = n < HNSW_SEGMENTS_PER_PAGE;
		write_page(w, w->page, HNSW_SEGMENTS_PER_PAGE * sizeof(HnswSegment));
		next += (uint64) n;
	}
	BufFileClose(w->segments);
}

/*
 * Makes the page in a locked buffer the metapage.
 */
static void
put_meta(Buffer buffer, const HnswMeta *meta)
{
	Page		page = BufferGetPage(buffer);

	vdb_hnsw_init_page(page, HNSW_PAGE_META);
	memcpy(vdb_hnsw_meta(page), meta, sizeof(*meta));
	((PageHeader) page)->pd_lower =
		(LocationIndex) (PageGetContents(page) - (char *) page + sizeof(*meta));
	MarkBufferDirty(buffer);
}
