/*-------------------------------------------------------------------------
 *
 * sweep.c
 *	  Reading an index in page order.
 *
 * Needed in two cases: for what a walk did not reach, in a damaged graph or
 * after candidates were dropped for want of memory, sorted by distance; and for
 * queries that have no distances, NULL and zero under cosine, without order.
 *
 *-------------------------------------------------------------------------
 */
#include "pg_compat.h"

#include "catalog/pg_operator.h"
#include "catalog/pg_type.h"
#include "executor/tuptable.h"
#include "hnsw/posting.h"
#include "hnsw/scan.h"
#include "hnsw/stats.h"
#include "miscadmin.h"
#include "utils/builtins.h"

#define FIRST_ROWS 64

static TupleDesc row_descriptor(void);
static bool read_page(HnswScan *scan);
static void add_rows(HnswScan *scan, const HnswResult *result, double value);
static void add_row(HnswScan *scan, double value, ItemPointer tid);

static TupleDesc
row_descriptor(void)
{
	TupleDesc	desc = CreateTemplateTupleDesc(2);

	TupleDescInitEntry(desc, 1, "value", FLOAT8OID, -1, 0);
	TupleDescInitEntry(desc, 2, "tid", TIDOID, -1, 0);
	return desc;
}

/*
 * Reads all nodes that the scan's walk has not visited, and sorts their rows by
 * the lower bounds of their distances, within work_mem and on disk beyond it.
 */
void
vdb_hnsw_sweep_begin(HnswScan *scan)
{
	MemoryContext old = MemoryContextSwitchTo(scan->context);
	TupleDesc	desc = row_descriptor();
	AttrNumber	attribute = 1;
	Oid operator= Float8LessOperator;
	Oid			collation = InvalidOid;
	bool		nulls_first = false;
	TupleTableSlot *slot = MakeSingleTupleTableSlot(desc, &TTSOpsVirtual);
	bool		is_empty = true;
	HnswRow		row;

	scan->sort = tuplesort_begin_heap(desc, 1, &attribute, &operator, & collation,
									  &nulls_first, work_mem, NULL, TUPLESORT_NONE);
	scan->slot = MakeSingleTupleTableSlot(desc, &TTSOpsMinimalTuple);
	MemoryContextSwitchTo(old);

	scan->next_block = HNSW_META_BLOCK + 1;
	while (vdb_hnsw_all_next(scan, &row))
	{
		ExecClearTuple(slot);
		slot->tts_values[0] = Float8GetDatum(row.value);
		slot->tts_values[1] = PointerGetDatum(&row.tid);
		slot->tts_isnull[0] = slot->tts_isnull[1] = false;
		ExecStoreVirtualTuple(slot);
		tuplesort_puttupleslot(scan->sort, slot);
		is_empty = false;
	}
	tuplesort_performsort(scan->sort);
	ExecDropSingleTupleTableSlot(slot);
	if (!is_empty)
		vdb_hnsw_stats.sweeps++;
}

/*
 * The next row that the sweep found; false at the end.
 */
bool
vdb_hnsw_sweep_next(HnswScan *scan, HnswRow *row)
{
	bool		is_null;

	if (!tuplesort_gettupleslot(scan->sort, true, false, scan->slot, NULL))
		return false;
	row->value = DatumGetFloat8(slot_getattr(scan->slot, 1, &is_null));
	row->reached = row->value;
	row->tid = *(ItemPointer) DatumGetPointer(slot_getattr(scan->slot, 2, &is_null));
	row->is_null = false;
	row->recheck = true;
	return true;
}

/*
 * The next row in page order: in the phase HNSW_SCAN_ALL of every node, else of
 * those that the walk has not seen, with lower bounds.
 */
bool
vdb_hnsw_all_next(HnswScan *scan, HnswRow *row)
{
	while (scan->next_row == scan->nrows)
		if (!read_page(scan))
			return false;
	*row = scan->rows[scan->next_row++];
	return true;
}

/*
 * Collects the rows of the next page; false after the last.
 */
static bool
read_page(HnswScan *scan)
{
	HnswIndex  *index = scan->index;
	HnswResult *results = vdb_palloc_array(HnswResult, index->nodes_per_page);
	int			n = 0;
	BlockNumber block = scan->next_block;
	Buffer		buffer;

	CHECK_FOR_INTERRUPTS();
	scan->nrows = scan->next_row = 0;
	if (block >= RelationGetNumberOfBlocks(index->relation))
		return false;
	scan->next_block++;
	if (!vdb_hnsw_try_read_nodes(index, block, BUFFER_LOCK_SHARE, NULL, &buffer))
	{
		pfree(results);
		return true;
	}
	vdb_hnsw_stats.pages++;
	for (int place = 0; place < index->nodes_per_page; place++)
	{
		uint32		number = vdb_hnsw_number(index, block, place);
		HnswResult *result = &results[n];
		HnswNodeView view;

		vdb_hnsw_view(index, BufferGetPage(buffer), place, number,
					  scan->walk != NULL ? scan->walk->vector : NULL, &view);
		if (view.node->state != HNSW_LIVE || view.node->level > 0 ||
			(scan->walk != NULL && vdb_hnsw_set_has(&scan->walk->seen, number)))
			continue;
		if (scan->walk != NULL)
		{
			result->distance = vdb_quant_query_distance(&scan->walk->query, view.stored);
			memcpy(&result->header, view.stored, sizeof(VdbStoredHeader));
			vdb_hnsw_stats.distances++;
		}
		result->ref = vdb_hnsw_make_ref(number, view.node->version);
		result->segments = view.node->next;
		result->ntids = view.node->ntids;
		memcpy(result->tids, view.node->tids, sizeof(result->tids));
		n++;
	}
	UnlockReleaseBuffer(buffer);

	for (int i = 0; i < n; i++)
		add_rows(scan, &results[i], scan->walk == NULL ? scan->all_value : vdb_quant_query_interval(&scan->walk->query, &index->rotation, &results[i].header, results[i].distance).lower);
	pfree(results);
	return true;
}

static void
add_rows(HnswScan *scan, const HnswResult *result, double value)
{
	HnswRef		segments = result->segments;
	HnswChainGuard guard = {0};

	for (int i = 0; i < result->ntids; i++)
		add_row(scan, value, (ItemPointer) &result->tids[i]);
	while (vdb_hnsw_ref_is_valid(segments))
	{
		int			n;

		CHECK_FOR_INTERRUPTS();
		vdb_hnsw_guard_chain(scan->index, &guard, segments);
		n = vdb_hnsw_read_segment(scan->index, segments, result->ref, scan->tids, &segments);
		for (int i = 0; i < n; i++)
			add_row(scan, value, &scan->tids[i]);
	}
}

static void
add_row(HnswScan *scan, double value, ItemPointer tid)
{
	if (scan->rows == NULL)
	{
		scan->rows_room = FIRST_ROWS;
		scan->rows = (HnswRow *) MemoryContextAlloc(scan->context, FIRST_ROWS * sizeof(HnswRow));
	}
	if (scan->nrows == scan->rows_room)
	{
		scan->rows_room *= 2;
		scan->rows = (HnswRow *) repalloc_huge(scan->rows, (Size) scan->rows_room * sizeof(HnswRow));
	}
	scan->rows[scan->nrows].value = value;
	scan->rows[scan->nrows].reached = value;
	scan->rows[scan->nrows].is_null = scan->walk == NULL && scan->all_null;
	scan->rows[scan->nrows].recheck = false;
	scan->rows[scan->nrows].tid = *tid;
	scan->nrows++;
}
