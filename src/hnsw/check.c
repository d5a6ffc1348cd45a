/*-------------------------------------------------------------------------
 *
 * check.c
 *	  vecdb_index_check(): are the invariants of README.md kept?
 *
 * Order of the work: the metapage; the table, if it is to be compared; all
 * pages in order (check_page.c), until anchors are settled (check_anchor.c);
 * links and slots (check_link.c); posting segments (check_posting.c); heap TIDs
 * (check_heap.c).  Others may write meanwhile.
 *
 *-------------------------------------------------------------------------
 */
#include "pg_compat.h"

#include <math.h>

#include "fmgr.h"
#include "funcapi.h"
#include "hnsw/check.h"
#include "hnsw/graph.h"
#include "utils/builtins.h"
#include "utils/memutils.h"

/* Problems that are listed; with more, it is no use to know them all */
#define MAX_PROBLEMS 1000

#define RESULT_COLUMNS 3

static HnswIndex *open_index(HnswCheck *check, Relation relation);
static const char *meta_fault(Relation relation, const HnswMeta *meta);
static void check_index(HnswCheck *check);
static void allocate(HnswCheck *check);
static void check_meta(HnswCheck *check);
static void check_start(HnswCheck *check, const char *what, HnswRef ref, int level);
static void report_formatted(HnswCheck *check, BlockNumber block, uint32 number,
							 const char *format, va_list args) pg_attribute_printf(4, 0);
static void report(HnswCheck *check, BlockNumber block, uint32 number, const char *text);
static void report_counts(const HnswCheck *check);

/*
 * SQL: vecdb_index_check(index regclass, heap_all_indexed boolean,
 * slots boolean, verbose boolean) RETURNS TABLE (block bigint, node bigint,
 * problem text)
 */
PG_FUNCTION_INFO_V1(vdb_hnsw_index_check);
Datum
vdb_hnsw_index_check(PG_FUNCTION_ARGS)
{
	ReturnSetInfo *result = (ReturnSetInfo *) fcinfo->resultinfo;
	HnswTarget	target = vdb_hnsw_open_target(PG_GETARG_OID(0), HNSW_RIGHT_OWNER);
	HnswCheck  *check = (HnswCheck *) palloc0(sizeof(HnswCheck));

	InitMaterializedSRF(fcinfo, 0);
	check->results = result->setResult;
	check->result_desc = result->setDesc;
	check->heap = target.heap;
	check->with_heap = PG_GETARG_BOOL(1);
	check->with_slots = PG_GETARG_BOOL(2);
	check->strategy = GetAccessStrategy(BAS_BULKREAD);
	if (check->with_heap && !target.index->rd_index->indisvalid)
		ereport(ERROR,
				(errcode(ERRCODE_OBJECT_NOT_IN_PREREQUISITE_STATE),
				 errmsg("index \"%s\" is not valid, so it cannot be compared with its table",
						RelationGetRelationName(target.index)),
				 errhint("Leave out heap_all_indexed, or REINDEX the index.")));

	check->index = open_index(check, target.index);
	if (check->index != NULL)
		check_index(check);
	if (PG_GETARG_BOOL(3))
		report_counts(check);
	vdb_hnsw_close_target(&target);
	return (Datum) 0;
}

/*
 * Opens the index by what its metapage says now (the relation's cache may be
 * older).  NULL, and a problem reported, if that makes no sense.
 */
static HnswIndex *
open_index(HnswCheck *check, Relation relation)
{
	MemoryContext context = CurrentMemoryContext;
	HnswIndex	probe = {0};
	HnswIndex *volatile index = NULL;
	const char *problem;

	probe.relation = relation;
	check->index = &probe;
	if (!vdb_hnsw_check_copy_page(check, HNSW_META_BLOCK, HNSW_PAGE_META))
		problem = "there is no metapage";
	else
	{
		memcpy(&check->meta, vdb_hnsw_meta((Page) check->page.data), sizeof(HnswMeta));
		problem = meta_fault(relation, &check->meta);
	}
	if (problem != NULL)
	{
		report(check, HNSW_META_BLOCK, HNSW_INVALID_NUMBER, problem);
		return NULL;
	}

	/* computes from the metapage; holds nothing when it fails */
	PG_TRY();
	{
		index = vdb_hnsw_open_meta(relation, &check->meta);
	}
	PG_CATCH();
	{
		if (geterrcode() != ERRCODE_INDEX_CORRUPTED)
			PG_RE_THROW();
		MemoryContextSwitchTo(context);
		FlushErrorState();
		report(check, HNSW_META_BLOCK, HNSW_INVALID_NUMBER,
			   "layout in the metapage is none that this library makes for the operator class");
	}
	PG_END_TRY();
	return index;
}

static const char *
meta_fault(Relation relation, const HnswMeta *meta)
{
	int			dim = vdb_hnsw_column_dim(relation);

	if (meta->magic != HNSW_MAGIC)
		return "metapage has no magic number";
	if (meta->version != HNSW_FORMAT_VERSION)
		return "format version is none that this library reads";
	if (!isfinite(meta->typical_norm) || meta->typical_norm < 0)
		return "typical norm in the metapage is not finite";
	if (meta->entry_level > HNSW_MAX_LEVEL)
		return "level of the entry in the metapage is out of range";
	if (dim >= 0 && meta->dim != (uint32) dim)
		return "dimensions in the metapage are not those of the column";
	return NULL;
}

static void
check_index(HnswCheck *check)
{
	allocate(check);
	vdb_hnsw_check_begin_tids(check);
	do
	{
		vdb_hnsw_check_pages(check);
	} while (vdb_hnsw_check_reach(check) > 0);
	vdb_hnsw_check_report_unreached(check);
	check_meta(check);
	vdb_hnsw_check_begin_postings(check);
	vdb_hnsw_check_links(check);
	vdb_hnsw_check_postings(check);
	vdb_hnsw_check_compare_tids(check);
}

static void
allocate(HnswCheck *check)
{
	HnswIndex  *index = check->index;
	Size		slots = (Size) index->slots * (Size) index->layout.slot_bytes;

	check->node.slots = (char *) palloc(slots);
	check->node.stored = (char *) palloc((Size) index->layout.vector_bytes);
	check->other.slots = (char *) palloc(slots);
	check->other.stored = (char *) palloc((Size) index->layout.vector_bytes);
	check->encoded = (char *) palloc((Size) index->layout.slot_bytes);
	if (index->layout.bits > 0)
		check->encoder = palloc(vdb_quant_encoder_size(&index->layout));
}

/*
 * Checks the nodes that the metapage names.
 */
static void
check_meta(HnswCheck *check)
{
	HnswMeta	meta;

	if (!vdb_hnsw_check_copy_page(check, HNSW_META_BLOCK, HNSW_PAGE_META))
		return;					/* damaged since it was read */
	memcpy(&meta, vdb_hnsw_meta((Page) check->page.data), sizeof(meta));
	if (vdb_hnsw_ref_is_valid(meta.entry) != vdb_hnsw_ref_is_valid(meta.root))
		report(check, HNSW_META_BLOCK, HNSW_INVALID_NUMBER,
			   "metapage names only one of entry and root");
	check_start(check, "entry", meta.entry, meta.entry_level);
	check_start(check, "root", meta.root, 0);
}

/*
 * Checks a node that the metapage names.  It may be gone if the metapage names
 * another one by now.
 */
static void
check_start(HnswCheck *check, const char *what, HnswRef ref, int level)
{
	HnswCheckNode *node = &check->node;
	uint32		number = vdb_hnsw_ref_number(ref);
	HnswPresence found;
	HnswMeta	now;

	if (!vdb_hnsw_ref_is_valid(ref))
		return;
	found = vdb_hnsw_check_read(check, number, node);
	if (found == HNSW_FOUND_NODE && node->node.version == vdb_hnsw_ref_version(ref) &&
		node->node.level == level)
		return;
	if (!vdb_hnsw_check_copy_page(check, HNSW_META_BLOCK, HNSW_PAGE_META))
		return;
	memcpy(&now, vdb_hnsw_meta((Page) check->page.data), sizeof(now));
	if (!vdb_hnsw_ref_equals(now.entry, ref) && !vdb_hnsw_ref_equals(now.root, ref))
		return;
	vdb_hnsw_check_report(check, HNSW_META_BLOCK, number,
						  "metapage names as %s a node that is not there, or not on level %d",
						  what, level);
}

/*
 * Reports a problem: block may be InvalidBlockNumber, number may be
 * HNSW_INVALID_NUMBER.
 */
void
vdb_hnsw_check_report(HnswCheck *check, BlockNumber block, uint32 number,
					  const char *format, ...)
{
	va_list		args;

	va_start(args, format);
	report_formatted(check, block, number, format, args);
	va_end(args);
}

/*
 * The same for a node.
 */
void
vdb_hnsw_check_report_node(HnswCheck *check, uint32 number, const char *format, ...)
{
	va_list		args;

	va_start(args, format);
	report_formatted(check, vdb_hnsw_block(check->index, number), number, format, args);
	va_end(args);
}

static void
report_formatted(HnswCheck *check, BlockNumber block, uint32 number, const char *format,
				 va_list args)
{
	StringInfoData text;
	int			needed;

	initStringInfo(&text);
	do
	{
		va_list		copy;

		va_copy(copy, args);
		needed = appendStringInfoVA(&text, format, copy);
		va_end(copy);
		if (needed > 0)
			enlargeStringInfo(&text, needed);
	} while (needed > 0);
	report(check, block, number, text.data);
	pfree(text.data);
}

static void
report(HnswCheck *check, BlockNumber block, uint32 number, const char *text)
{
	Datum		values[RESULT_COLUMNS];
	bool		nulls[RESULT_COLUMNS] = {false};

	if (check->problems++ > MAX_PROBLEMS)
		return;
	if (check->problems > MAX_PROBLEMS)
	{
		block = InvalidBlockNumber;
		number = HNSW_INVALID_NUMBER;
		text = "there are more problems, which are not listed";
	}
	nulls[0] = block == InvalidBlockNumber;
	values[0] = Int64GetDatum((int64) block);
	nulls[1] = number == HNSW_INVALID_NUMBER;
	values[1] = Int64GetDatum((int64) number);
	values[2] = CStringGetTextDatum(text);
	tuplestore_putvalues(check->results, check->result_desc, values, nulls);
	pfree(DatumGetPointer(values[2]));
}

static void
report_counts(const HnswCheck *check)
{
	const HnswCheckCounts *counts = &check->counts;

	if (check->index == NULL)
		return;
	ereport(INFO,
			(errmsg("index \"%s\": " INT64_FORMAT " problems",
					RelationGetRelationName(check->index->relation), check->problems),
			 errdetail("Pages: " INT64_FORMAT " of nodes, " INT64_FORMAT " of vectors, " INT64_FORMAT " of postings, " INT64_FORMAT " unused. "
					   "Nodes: " INT64_FORMAT ", with " INT64_FORMAT " links, " INT64_FORMAT " of them stale, and " INT64_FORMAT " heap TIDs; " INT64_FORMAT " upper nodes lead nowhere.",
					   counts->pages[HNSW_PAGE_NODES], counts->pages[HNSW_PAGE_VECTOR],
					   counts->pages[HNSW_PAGE_POSTINGS], counts->pages[HNSW_PAGE_UNUSED],
					   counts->nodes, counts->links, counts->stale, counts->tids,
					   counts->stale_lower)));
}
