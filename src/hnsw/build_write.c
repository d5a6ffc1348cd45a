/*-------------------------------------------------------------------------
 *
 * build_write.c
 *	  Writes the pages of a new index.
 *
 * The places of all nodes are known before the first is written: level 0 in the
 * order that the graph gives, neighbours near each other, then the nodes of the
 * upper levels together, so that descents read the same few pages again and
 * again, then the rows for which nodes have no room.
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
#include "utils/memutils.h"

/* A node of the graph on one of its levels */
typedef struct Placed
{
	uint32		node;
	int			level;
} Placed;

typedef struct Writer
{
	HnswBuild  *build;
	HnswIndex  *index;
	BufferAccessStrategy strategy;

	/* where nodes are */
	uint32		nupper;			/* nodes of upper levels */
	Placed	   *upper;			/* in their order on disk */
	uint32	   *numbers;		/* of nodes on level 0 */
	uint32	   *upper_numbers;	/* by upper_place() */
	BlockNumber nblocks;		/* written so far */

	/* segments of rows */
	BlockNumber first_posting;
	uint64		nsegments;		/* given out */
	Buffer		posting;		/* page in work */

	void	   *encoder_memory;
} Writer;

static void place_nodes(Writer *w);
static uint32 number_at(const Writer *w, uint32 place);
static uint32 upper_place(const HnswGraph *g, uint32 node, int level);
static uint32 number_of(const Writer *w, uint32 node, int level);
static Placed placed_at(const Writer *w, uint32 place);
static Buffer new_page(Writer *w, HnswPageKind kind);
static void end_page(Buffer buffer, Size used);
static void write_nodes(Writer *w);
static void fill_node(Writer *w, Page page, int at, Placed placed);
static void fill_slots(Writer *w, HnswNode *node, Placed placed);
static void write_vector(Writer *w, uint32 node);
static HnswRef plan_rows(Writer *w, HnswNode *node, uint32 row);
static void write_postings(Writer *w);
static HnswRef segment_ref(const Writer *w, uint64 segment);
static void write_segment(Writer *w, uint64 segment, const HnswSegment *content);
static void finish_meta(Writer *w, HnswMeta *meta);
static void put_meta(Buffer buffer, const HnswMeta *meta);

/*
 * Writes the index of a finished graph to the empty main fork of its relation,
 * and logs it where the relation is logged.
 */
void
vdb_hnsw_write_index(HnswBuild *build)
{
	Relation	relation = build->index->relation;
	HnswMeta	meta = build->shared->meta;
	uint32		nplaces;
	Writer		w;

	memset(&w, 0, sizeof(w));
	w.build = build;
	w.index = build->index;
	w.strategy = GetAccessStrategy(BAS_BULKWRITE);
	w.encoder_memory = palloc(vdb_quant_encoder_size(&w.index->layout));
	place_nodes(&w);
	nplaces = w.nupper + build->graph.shared->count;

	vdb_hnsw_build_phase(HNSW_PHASE_WRITE, nplaces);
	UnlockReleaseBuffer(new_page(&w, HNSW_PAGE_META));
	write_nodes(&w);
	write_postings(&w);
	finish_meta(&w, &meta);

	if (nplaces % (uint32) w.index->nodes_per_page != 0)
	{
		vdb_hnsw_has_room(w.index, vdb_hnsw_block(w.index, number_at(&w, nplaces - 1)));
		FreeSpaceMapVacuum(relation);
	}
	if (RelationNeedsWAL(relation))
	{
		vdb_hnsw_build_phase(HNSW_PHASE_LOG, 0);
		log_newpage_range(relation, MAIN_FORKNUM, 0, w.nblocks, true);
	}
	FreeAccessStrategy(w.strategy);
}

/*
 * Writes an index without nodes to an empty fork; the init fork, which is
 * copied after a crash, is logged though the relation is not.
 */
void
vdb_hnsw_write_empty(Relation relation, ForkNumber fork, HnswMeta *meta)
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
 * Gives every node its number.
 */
static void
place_nodes(Writer *w)
{
	const HnswGraph *g = &w->build->graph;
	const uint32 *order = w->build->order;
	uint32		n = g->shared->count;
	uint32		nupper = 0;
	uint32		i;
	int			level;

	w->nupper = (uint32) (g->shared->upper_used / vdb_hnsw_links_size(g->params.m));
	w->upper = (Placed *) palloc_extended(sizeof(Placed) * Max(1, w->nupper), MCXT_ALLOC_HUGE);
	w->upper_numbers = (uint32 *) palloc_extended(sizeof(uint32) * Max(1, w->nupper),
												  MCXT_ALLOC_HUGE);
	w->numbers = (uint32 *) palloc_extended(sizeof(uint32) * (Size) n, MCXT_ALLOC_HUGE);

	for (i = 0; i < n; i++)
		w->numbers[order[i]] = number_at(w, i);
	for (level = 1; level <= g->shared->max_level; level++)
	{
		for (i = 0; i < n; i++)
		{
			if (g->levels[order[i]] < level)
				continue;
			w->upper[nupper].node = order[i];
			w->upper[nupper].level = level;
			w->upper_numbers[upper_place(g, order[i], level)] = number_at(w, n + nupper);
			nupper++;
		}
	}
	Assert(nupper == w->nupper);
}

/*
 * The number of the node at a place in the order of all places.
 */
static uint32
number_at(const Writer *w, uint32 place)
{
	uint32		per_page = (uint32) w->index->nodes_per_page;
	uint64		group = place / per_page;
	uint64		number = (1 + group * (uint64) vdb_hnsw_group_pages(w->index)) * per_page +
		place % per_page;

	if (number >= HNSW_INVALID_NUMBER)
		ereport(ERROR,
				(errcode(ERRCODE_PROGRAM_LIMIT_EXCEEDED),
				 errmsg("too many vectors for index \"%s\"",
						RelationGetRelationName(w->index->relation)),
				 errhint("Partition the table.")));
	return (uint32) number;
}

/*
 * Upper levels of all nodes are counted in the order of the graph's pool.
 */
static uint32
upper_place(const HnswGraph *g, uint32 node, int level)
{
	return (uint32) (g->upper_offset[node] / vdb_hnsw_links_size(g->params.m)) +
		(uint32) level - 1;
}

static uint32
number_of(const Writer *w, uint32 node, int level)
{
	return level == 0 ? w->numbers[node] :
						w->upper_numbers[upper_place(&w->build->graph, node, level)];
}

static Placed
placed_at(const Writer *w, uint32 place)
{
	uint32		n = w->build->graph.shared->count;
	Placed		placed = {0, 0};

	if (place >= n)
		return w->upper[place - n];
	placed.node = w->build->order[place];
	return placed;
}

/*
 * The next page of the index, pinned and locked exclusively.
 */
static Buffer
new_page(Writer *w, HnswPageKind kind)
{
	Buffer		buffer = vdb_extend_fork(w->index->relation, MAIN_FORKNUM, w->strategy);

	if (BufferGetBlockNumber(buffer) != w->nblocks)
		elog(ERROR, "block %u of index \"%s\" was expected, not %u", w->nblocks,
			 RelationGetRelationName(w->index->relation), BufferGetBlockNumber(buffer));
	w->nblocks++;
	vdb_hnsw_init_page(BufferGetPage(buffer), kind);
	MarkBufferDirty(buffer);
	return buffer;
}

/*
 * Ends the work on a page whose first bytes are used.
 */
static void
end_page(Buffer buffer, Size used)
{
	Page		page = BufferGetPage(buffer);

	((PageHeader) page)->pd_lower =
		(LocationIndex) (PageGetContents(page) - (char *) page + used);
	MarkBufferDirty(buffer);
	UnlockReleaseBuffer(buffer);
}

/*
 * Writes all pages of nodes, each followed by those of its vectors.
 */
static void
write_nodes(Writer *w)
{
	HnswIndex  *index = w->index;
	uint32		nplaces = w->nupper + w->build->graph.shared->count;
	uint64		ngroups = (nplaces + (uint64) index->nodes_per_page - 1) /
		(uint64) index->nodes_per_page;
	uint32		place = 0;

	w->first_posting = (BlockNumber) (1 + ngroups * (uint64) vdb_hnsw_group_pages(index));
	while (place < nplaces)
	{
		Buffer		buffer = new_page(w, HNSW_PAGE_NODES);
		uint32		first = place;
		int			i;

		for (i = 0; i < index->nodes_per_page && place < nplaces; i++)
			fill_node(w, BufferGetPage(buffer), i, placed_at(w, place++));
		end_page(buffer, (Size) index->nodes_per_page * (Size) index->node_bytes);

		for (i = 0; index->vector_pages > 0 && i < index->nodes_per_page; i++)
			write_vector(w, first + (uint32) i < nplaces ? placed_at(w, first + (uint32) i).node : HNSW_NO_NODE);
		pgstat_progress_update_param(PROGRESS_CREATEIDX_TUPLES_DONE, place);
		CHECK_FOR_INTERRUPTS();
	}
}

/*
 * Fills the place at on a page with a node.
 */
static void
fill_node(Writer *w, Page page, int at, Placed placed)
{
	HnswIndex  *index = w->index;
	const HnswGraph *g = &w->build->graph;
	HnswNode   *node = vdb_hnsw_node_at(index, page, at);

	memset(node, 0, (Size) index->node_bytes);
	node->state = HNSW_LIVE;
	node->level = (uint8) placed.level;
	if (placed.level == 0)
		node->next = plan_rows(w, node, w->build->first_row[placed.node]);
	else
		node->next = vdb_hnsw_make_ref(number_of(w, placed.node, placed.level - 1), 0);
	if (index->vector_pages == 0)
		memcpy((char *) node + HNSW_NODE_HEADER, vdb_hnsw_vector(g, placed.node),
			   (Size) index->layout.vector_bytes);
	fill_slots(w, node, placed);
}

/*
 * Fills the slots of a node.
 */
static void
fill_slots(Writer *w, HnswNode *node, Placed placed)
{
	HnswIndex  *index = w->index;
	const HnswGraph *g = &w->build->graph;
	const HnswLinks *links = vdb_hnsw_links(g, placed.node, placed.level);
	char	   *slots = vdb_hnsw_slots_of(index, node);
	VdbSlotEncoder encoder;
	int			i;

	node->nlinks = (uint8) Min(links->count, index->slots);
	if (index->layout.bits > 0)
		vdb_quant_init_encoder(&encoder, &index->layout, index->kernels,
							   vdb_hnsw_vector(g, placed.node), w->encoder_memory);
	for (i = 0; i < node->nlinks; i++)
	{
		uint32		target = links->link[i].node;
		uint16		anchor = 0;

		/* the entry is the root, the only node that is its own parent */
		if (placed.level == 0 && w->build->parent[target] == placed.node)
			anchor = HNSW_ANCHOR;
		vdb_hnsw_set_link(index, slots, i,
						  vdb_hnsw_make_ref(number_of(w, target, placed.level), anchor));
		if (index->layout.bits > 0)
			vdb_quant_encode_slot(&encoder, vdb_hnsw_vector(g, target),
								  vdb_hnsw_factors(index, slots, i));
	}
}

/*
 * Writes the pages of a vector that is split off; empty ones for HNSW_NO_NODE.
 */
static void
write_vector(Writer *w, uint32 node)
{
	HnswIndex  *index = w->index;
	const char *from = node == HNSW_NO_NODE ? NULL : vdb_hnsw_vector(&w->build->graph, node);
	Size		left = (Size) index->layout.vector_bytes;

	while (left > 0)
	{
		Buffer		buffer = new_page(w, HNSW_PAGE_VECTOR);
		Size		n = Min(left, HNSW_PAGE_BYTES);

		if (from != NULL)
		{
			memcpy(PageGetContents(BufferGetPage(buffer)), from, n);
			from += n;
		}
		end_page(buffer, n);
		left -= n;
	}
}

/*
 * Puts the first rows of a list into a node, and gives out segments for the
 * others.  Returns the newest segment.
 */
static HnswRef
plan_rows(Writer *w, HnswNode *node, uint32 row)
{
	uint64		nmore = 0;

	while (row != HNSW_NO_ROW && node->ntids < HNSW_INLINE_TIDS)
	{
		node->tids[node->ntids++] = w->build->rows[row].tid;
		row = w->build->rows[row].next;
	}
	for (; row != HNSW_NO_ROW; row = w->build->rows[row].next)
		nmore++;
	if (nmore == 0)
		return vdb_hnsw_no_ref();
	w->nsegments += (nmore + HNSW_SEGMENT_TIDS - 1) / HNSW_SEGMENT_TIDS;
	return segment_ref(w, w->nsegments - 1);
}

/*
 * Writes the segments, which were given out in the order of the nodes.
 */
static void
write_postings(Writer *w)
{
	uint32		n = w->build->graph.shared->count;
	uint64		next = 0;
	uint32		i;

	for (i = 0; i < n && next < w->nsegments; i++)
	{
		uint32		node = w->build->order[i];
		uint32		row = w->build->first_row[node];
		HnswRef		older = vdb_hnsw_no_ref();
		int			ninline;

		for (ninline = 0; row != HNSW_NO_ROW && ninline < HNSW_INLINE_TIDS; ninline++)
			row = w->build->rows[row].next;
		while (row != HNSW_NO_ROW)
		{
			HnswSegment segment;

			memset(&segment, 0, sizeof(segment));
			segment.owner = vdb_hnsw_make_ref(w->numbers[node], 0);
			segment.next = older;
			for (; row != HNSW_NO_ROW && segment.ntids < HNSW_SEGMENT_TIDS;
				 row = w->build->rows[row].next)
				segment.tids[segment.ntids++] = w->build->rows[row].tid;
			older = segment_ref(w, next);
			write_segment(w, next++, &segment);
			CHECK_FOR_INTERRUPTS();
		}
	}
	if (BufferIsValid(w->posting))
		end_page(w->posting, HNSW_SEGMENTS_PER_PAGE * HNSW_SEGMENT_BYTES);
}

static HnswRef
segment_ref(const Writer *w, uint64 segment)
{
	return vdb_hnsw_make_ref((uint32) (w->first_posting + segment / HNSW_SEGMENTS_PER_PAGE),
							 (uint16) (segment % HNSW_SEGMENTS_PER_PAGE));
}

/*
 * Writes a segment.  They come in their order; w->posting is the page of the
 * last one, pinned and locked.
 */
static void
write_segment(Writer *w, uint64 segment, const HnswSegment *content)
{
	int			at = (int) (segment % HNSW_SEGMENTS_PER_PAGE);

	if (at == 0)
	{
		HnswSegment free_segment;
		int			i;

		if (BufferIsValid(w->posting))
			end_page(w->posting, HNSW_SEGMENTS_PER_PAGE * HNSW_SEGMENT_BYTES);
		w->posting = new_page(w, HNSW_PAGE_POSTINGS);
		memset(&free_segment, 0, sizeof(free_segment));
		free_segment.owner = free_segment.next = vdb_hnsw_no_ref();
		for (i = 0; i < HNSW_SEGMENTS_PER_PAGE; i++)
			*vdb_hnsw_segment(BufferGetPage(w->posting), i) = free_segment;
	}
	*vdb_hnsw_segment(BufferGetPage(w->posting), at) = *content;
}

/*
 * Completes the metapage and writes it.
 */
static void
finish_meta(Writer *w, HnswMeta *meta)
{
	const HnswGraph *g = &w->build->graph;
	double		nindexed = 0;
	double		norm_sum = 0;
	Buffer		buffer;
	int			i;

	for (i = 0; i < w->build->nprocesses; i++)
	{
		nindexed += w->build->shared->loaded[i].nindexed;
		norm_sum += w->build->shared->loaded[i].norm_sum;
	}
	if (g->shared->count > 0)
	{
		meta->entry_level = (uint16) g->shared->max_level;
		meta->entry = vdb_hnsw_make_ref(number_of(w, g->shared->entry, g->shared->max_level), 0);
		meta->root = vdb_hnsw_make_ref(w->numbers[g->shared->entry], 0);
		meta->typical_norm = norm_sum / nindexed;
	}
	if (w->nsegments % HNSW_SEGMENTS_PER_PAGE != 0)
		meta->postings = w->nblocks - 1;

	buffer = ReadBuffer(w->index->relation, HNSW_META_BLOCK);
	LockBuffer(buffer, BUFFER_LOCK_EXCLUSIVE);
	put_meta(buffer, meta);
	UnlockReleaseBuffer(buffer);
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
