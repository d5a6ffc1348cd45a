/*-------------------------------------------------------------------------
 *
 * info.c
 *	  vecdb_index_info(): what an index is made of.
 *
 * Every page is read, those of nodes twice: whether a link is stale depends on
 * the version of a node that may be on a later page.
 *
 *-------------------------------------------------------------------------
 */
#include "pg_compat.h"

#include "catalog/pg_type.h"
#include "fmgr.h"
#include "funcapi.h"
#include "hnsw/graph.h"
#include "hnsw/index.h"
#include "hnsw/inspect.h"
#include "miscadmin.h"
#include "utils/array.h"
#include "utils/builtins.h"

#define INFO_COLUMNS 39

/* What is counted */
typedef struct Info
{
	HnswIndex  *index;
	HnswMeta	meta;
	BufferAccessStrategy strategy;
	PGAlignedBlock page;		/* copy of one */
	HnswNodeFact *facts;		/* by number; state FREE: no node */
	Size		numbers;		/* that facts has */
	int64		pages[HNSW_PAGE_VECTOR + 1];
	int64		damaged;		/* pages */
	int64		states[HNSW_DYING + 1];
	int64		levels[HNSW_MAX_LEVEL + 1]; /* LIVE and DYING nodes */
	int64		node_tids;
	int64		segment_tids;
	int64		segments;		/* in use */
	int64		links;			/* of all levels */
	int64		links0;			/* of level 0 */
	int64		stale;
	int64		anchors;
	int			max_anchors;	/* of a node */
} Info;

/* The row that is being made */
typedef struct Row
{
	Datum		values[INFO_COLUMNS];
	bool		nulls[INFO_COLUMNS];
	int			n;
} Row;

static void read_pages(Info *info);
static void count_nodes(Info *info, BlockNumber block);
static void count_segments(Info *info);
static void read_links(Info *info);
static void count_links(Info *info, HnswNode *node);
static bool is_stale(const Info *info, HnswRef ref);
static void put_layout(Row *row, const Info *info);
static void put_counts(Row *row, const Info *info);
static void put_pages(Row *row, const Info *info);
static void put_starts(Row *row, const Info *info);

/*
 * SQL: vecdb_index_info(index regclass) RETURNS record
 */
PG_FUNCTION_INFO_V1(vdb_hnsw_index_info);
Datum
vdb_hnsw_index_info(PG_FUNCTION_ARGS)
{
	HnswTarget	target = vdb_hnsw_open_target(PG_GETARG_OID(0), HNSW_RIGHT_STATS);
	Info	   *info = (Info *) palloc0(sizeof(Info));
	Row			row = {0};
	TupleDesc	desc;

	if (get_call_result_type(fcinfo, NULL, &desc) != TYPEFUNC_COMPOSITE ||
		desc->natts != INFO_COLUMNS)
		elog(ERROR, "return type does not have %d columns", INFO_COLUMNS);

	info->index = vdb_hnsw_open(target.index);
	info->strategy = GetAccessStrategy(BAS_BULKREAD);
	vdb_hnsw_read_meta(info->index, &info->meta);
	read_pages(info);
	read_links(info);

	put_layout(&row, info);
	put_counts(&row, info);
	put_pages(&row, info);
	put_starts(&row, info);
	Assert(row.n == INFO_COLUMNS);
	vdb_hnsw_close_target(&target);
	PG_RETURN_DATUM(HeapTupleGetDatum(heap_form_tuple(BlessTupleDesc(desc), row.values,
													  row.nulls)));
}

/*
 * Copies a page to info->page and returns its kind.
 */
static uint8
copy_page(Info *info, BlockNumber block)
{
	const char *problem;
	Buffer		buffer;

	CHECK_FOR_INTERRUPTS();
	buffer = ReadBufferExtended(info->index->relation, MAIN_FORKNUM, block, RBM_NORMAL,
								info->strategy);
	LockBuffer(buffer, BUFFER_LOCK_SHARE);
	memcpy(info->page.data, BufferGetPage(buffer), BLCKSZ);
	UnlockReleaseBuffer(buffer);
	return vdb_hnsw_page_kind((Page) info->page.data, &problem);
}

/*
 * Counts all but links.
 */
static void
read_pages(Info *info)
{
	HnswIndex  *index = info->index;

	index->nblocks = RelationGetNumberOfBlocks(index->relation);
	info->numbers = (Size) index->nblocks * (Size) index->nodes_per_page;
	info->facts = (HnswNodeFact *)
		palloc_extended(Max(info->numbers, 1) * sizeof(HnswNodeFact),
						MCXT_ALLOC_HUGE | MCXT_ALLOC_ZERO);
	for (BlockNumber block = 0; block < index->nblocks; block++)
	{
		uint8		kind = copy_page(info, block);

		if (kind == HNSW_PAGE_DAMAGED)
		{
			info->damaged++;
			continue;
		}
		info->pages[kind]++;
		if (kind == HNSW_PAGE_NODES)
			count_nodes(info, block);
		else if (kind == HNSW_PAGE_POSTINGS)
			count_segments(info);
	}
}

static void
count_nodes(Info *info, BlockNumber block)
{
	HnswIndex  *index = info->index;

	for (int place = 0; place < index->nodes_per_page; place++)
	{
		uint32		number = vdb_hnsw_number(index, block, place);
		HnswNodeView view;

		/* raises an error if the node is damaged */
		vdb_hnsw_view(index, (Page) info->page.data, place, number, NULL, &view);
		info->facts[number].version = view.node->version;
		info->facts[number].state = view.node->state;
		info->facts[number].level = view.node->level;
		info->states[view.node->state]++;
		if (view.node->state == HNSW_FREE)
			continue;
		info->levels[view.node->level]++;
		info->node_tids += view.node->ntids;
	}
}

static void
count_segments(Info *info)
{
	for (int i = 0; i < HNSW_SEGMENTS_PER_PAGE; i++)
	{
		const HnswSegment *segment = vdb_hnsw_segment((Page) info->page.data, i);

		if (!vdb_hnsw_ref_is_valid(segment->owner))
			continue;
		info->segments++;
		info->segment_tids += Min(segment->ntids, HNSW_SEGMENT_TIDS);
	}
}

/*
 * Counts links.  A page without a node was none of nodes, or there is no point
 * in reading it again.
 */
static void
read_links(Info *info)
{
	HnswIndex  *index = info->index;

	for (BlockNumber block = 0; block < index->nblocks; block++)
	{
		bool		has_nodes = false;

		for (int place = 0; place < index->nodes_per_page; place++)
			has_nodes |= info->facts[vdb_hnsw_number(index, block, place)].state != HNSW_FREE;
		if (!has_nodes || copy_page(info, block) != HNSW_PAGE_NODES)
			continue;
		for (int place = 0; place < index->nodes_per_page; place++)
		{
			HnswNodeView view;

			vdb_hnsw_view(index, (Page) info->page.data, place,
						  vdb_hnsw_number(index, block, place), NULL, &view);
			if (view.node->state != HNSW_FREE)
				count_links(info, view.node);
		}
	}
}

static void
count_links(Info *info, HnswNode *node)
{
	char	   *slots = vdb_hnsw_slots_of(info->index, node);
	int			anchors = 0;

	info->links += node->nlinks;
	if (node->level == 0)
		info->links0 += node->nlinks;
	for (int i = 0; i < node->nlinks; i++)
	{
		HnswRef		ref = vdb_hnsw_link(info->index, slots, i);

		if (is_stale(info, ref))
			info->stale++;
		if (vdb_hnsw_ref_is_anchor(ref))
			anchors++;
	}
	info->anchors += anchors;
	info->max_anchors = Max(info->max_anchors, anchors);
}

/*
 * Is the node gone that ref names?  One that came after the reading of its
 * page is not.
 */
static bool
is_stale(const Info *info, HnswRef ref)
{
	uint32		number = vdb_hnsw_ref_number(ref);
	const HnswNodeFact *fact;

	if (number >= info->numbers)
		return false;
	fact = &info->facts[number];
	return fact->version != vdb_hnsw_ref_version(ref);
}

static void
put(Row *row, Datum value)
{
	row->values[row->n++] = value;
}

static void
put_null(Row *row)
{
	row->nulls[row->n++] = true;
}

static void
put_int64(Row *row, int64 value)
{
	put(row, Int64GetDatum(value));
}

/*
 * How the index keeps its vectors.
 */
static const char *
codec_name(const VdbQuantLayout *layout)
{
	switch (layout->codec)
	{
		case VDB_CODEC_INT8:
			return "int8";
		case VDB_CODEC_BITS:
			return "bits";
		case VDB_CODEC_SPARSE:
			return psprintf("sparse(%d)", layout->elements);
		default:
			return "float16";
	}
}

/*
 * Columns format_version to node_bytes, which never change.
 */
static void
put_layout(Row *row, const Info *info)
{
	const HnswIndex *index = info->index;
	const VdbQuantLayout *layout = &index->layout;

	put(row, Int32GetDatum((int32) info->meta.version));
	put(row, CStringGetTextDatum(index->type->type_name));
	put(row, Int32GetDatum(layout->dim));
	put(row, CStringGetTextDatum(vdb_hnsw_metric_name(layout->metric)));
	put(row, Int32GetDatum(index->m));
	put(row, Int32GetDatum(index->ef_construction));
	put(row, Int32GetDatum(index->slots));
	put(row, CStringGetTextDatum(codec_name(layout)));
	put(row, Int32GetDatum(layout->bits));
	put(row, Int32GetDatum(layout->code_dims));
	put(row, Int32GetDatum(index->nodes_per_page));
	put(row, Int32GetDatum(index->vector_pages));
	put(row, Int32GetDatum(index->node_bytes));
}

/*
 * Columns live_nodes to max_anchors.
 */
static void
put_counts(Row *row, const Info *info)
{
	Datum		levels[HNSW_MAX_LEVEL + 1];
	int			nlevels = 0;

	for (int i = 0; i <= HNSW_MAX_LEVEL; i++)
	{
		levels[i] = Int64GetDatum(info->levels[i]);
		if (info->levels[i] > 0)
			nlevels = i + 1;
	}
	put_int64(row, info->states[HNSW_LIVE]);
	put_int64(row, info->states[HNSW_DYING]);
	put_int64(row, info->states[HNSW_FREE]);
	put(row, PointerGetDatum(construct_array(levels, nlevels, INT8OID, sizeof(int64), FLOAT8PASSBYVAL, TYPALIGN_DOUBLE)));
	put_int64(row, info->node_tids + info->segment_tids);
	put_int64(row, info->links);
	if (info->levels[0] > 0)
		put(row, Float8GetDatum((double) info->links0 / (double) info->levels[0]));
	else
		put_null(row);
	put_int64(row, info->stale);
	put_int64(row, info->anchors);
	put(row, Int32GetDatum(info->max_anchors));
}

/*
 * Columns meta_pages to free_bytes.  The bytes add up to the size: what is not
 * in use for anything is free, whether it can be used or not.
 */
static void
put_pages(Row *row, const Info *info)
{
	const HnswIndex *index = info->index;
	int64		size = (int64) index->nblocks * BLCKSZ;
	int64		nodes = info->states[HNSW_LIVE] + info->states[HNSW_DYING];
	int64		headers = (int64) index->nblocks * (BLCKSZ - HNSW_PAGE_BYTES) +
		(int64) sizeof(HnswMeta) +
		nodes * (int64) (HNSW_NODE_HEADER - HNSW_INLINE_TIDS * sizeof(ItemPointerData)) +
		info->segments * (int64) offsetof(HnswSegment, tids);
	int64		tids = (info->node_tids + info->segment_tids) * (int64) sizeof(ItemPointerData);
	int64		vectors = nodes * index->layout.vector_bytes;
	int64		links = info->links * (int64) HNSW_LINK_BYTES;
	int64		codes = info->links * (index->layout.slot_bytes - (int64) HNSW_LINK_BYTES);

	put_int64(row, info->pages[HNSW_PAGE_NODES]);
	put_int64(row, info->pages[HNSW_PAGE_VECTOR]);
	put_int64(row, info->pages[HNSW_PAGE_POSTINGS]);
	put_int64(row, info->pages[HNSW_PAGE_UNUSED]);
	put_int64(row, info->damaged);
	put_int64(row, size);
	put_int64(row, headers);
	put_int64(row, vectors);
	put_int64(row, links);
	put_int64(row, codes);
	put_int64(row, tids);
	put_int64(row, size - headers - vectors - links - codes - tids);
}

/*
 * Columns entry_node to typical_norm.
 */
static void
put_starts(Row *row, const Info *info)
{
	const HnswMeta *meta = &info->meta;

	if (vdb_hnsw_ref_is_valid(meta->entry))
	{
		put_int64(row, vdb_hnsw_ref_number(meta->entry));
		put(row, Int32GetDatum(meta->entry_level));
	}
	else
	{
		put_null(row);
		put_null(row);
	}
	if (vdb_hnsw_ref_is_valid(meta->root))
		put_int64(row, vdb_hnsw_ref_number(meta->root));
	else
		put_null(row);
	put(row, Float8GetDatum(meta->typical_norm));
}
