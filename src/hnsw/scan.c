/*-------------------------------------------------------------------------
 *
 * scan.c
 *	  Index scans: rows in the order of their distance to a query.
 *
 *-------------------------------------------------------------------------
 */
#include "pg_compat.h"

#include <math.h>

#include "access/heapam.h"
#include "access/genam.h"
#include "hnsw/am.h"
#include "hnsw/scan.h"
#include "hnsw/stats.h"
#include "pgstat.h"
#include "utils/float.h"
#include "utils/memutils.h"
#include "utils/snapmgr.h"

static void check_scan(IndexScanDesc scan);
static void start(IndexScanDesc scan);
static void begin_walk(HnswScan *state, Datum query);
static bool next_row(HnswScan *state, HnswRow *row);
static bool reached_limit(const HnswScan *state);
static void close_phase(HnswScan *state);

/*
 * ambeginscan
 */
IndexScanDesc
vdb_hnsw_begin_scan(Relation index, int nkeys, int norderbys)
{
	IndexScanDesc scan = RelationGetIndexScan(index, nkeys, norderbys);
	HnswScan   *state = (HnswScan *) palloc0(sizeof(HnswScan));

	state->index = vdb_hnsw_open(index);
	state->context = AllocSetContextCreate(CurrentMemoryContext, "hnsw scan",
										   ALLOCSET_DEFAULT_SIZES);
	scan->opaque = state;
	if (norderbys > 0)
	{
		scan->xs_orderbyvals = vdb_palloc_array(Datum, norderbys);
		scan->xs_orderbynulls = vdb_palloc_array(bool, norderbys);
	}
	return scan;
}

/*
 * amrescan: forgets all of an earlier run.  The walk begins with the first row,
 * so that a scan that nobody reads costs nothing.
 */
void
vdb_hnsw_rescan(IndexScanDesc scan, ScanKey keys, int nkeys, ScanKey orderbys, int norderbys)
{
	HnswScan   *state = (HnswScan *) scan->opaque;
	HnswIndex  *index = state->index;
	MemoryContext context = state->context;

	if (nkeys > 0 && scan->numberOfKeys > 0)
		memmove(scan->keyData, keys, (Size) scan->numberOfKeys * sizeof(ScanKeyData));
	if (orderbys && scan->numberOfOrderBys > 0)
		memmove(scan->orderByData, orderbys, (Size) scan->numberOfOrderBys * sizeof(ScanKeyData));
	close_phase(state);
	MemoryContextReset(context);
	memset(state, 0, sizeof(*state));
	state->index = index;
	state->context = context;
	index->kernels = vdb_quant_kernels_like(vdb_kernels());
}

/*
 * amendscan
 */
void
vdb_hnsw_end_scan(IndexScanDesc scan)
{
	HnswScan   *state = (HnswScan *) scan->opaque;

	close_phase(state);
	MemoryContextDelete(state->context);
	pfree(state->index);
	pfree(state);
	scan->opaque = NULL;
}

/*
 * amgettuple
 */
bool
vdb_hnsw_get_tuple(IndexScanDesc scan, ScanDirection direction)
{
	HnswScan   *state = (HnswScan *) scan->opaque;
	MemoryContext old;
	HnswRow		row;
	bool		found;

	Assert(ScanDirectionIsForward(direction));
	if (state->phase == HNSW_SCAN_START)
	{
		check_scan(scan);
		start(scan);
	}
	old = MemoryContextSwitchTo(state->context);
	found = next_row(state, &row);
	MemoryContextSwitchTo(old);
	if (!found)
		return false;

	vdb_hnsw_check_tid(scan->indexRelation, scan->heapRelation, &state->heap_blocks, &row.tid);
	vdb_hnsw_stats.results++;
	if (row.recheck)
		vdb_hnsw_stats.rechecks++;
	scan->xs_heaptid = row.tid;
	scan->xs_recheck = false;
	scan->xs_recheckorderby = row.recheck;
	scan->xs_orderbyvals[0] = Float8GetDatum(row.value);
	scan->xs_orderbynulls[0] = row.is_null;
	return true;
}

/*
 * Rejects a TID that no row can have: the table would look for it in files that
 * do not exist, or take InvalidBlockNumber for the wish to be extended.
 * *heap_blocks is what the caller knows of the table's size, at first 0; a table
 * is not truncated while it is scanned.  Without heap no table's size is looked at.
 */
void
vdb_hnsw_check_tid(Relation index, Relation heap, BlockNumber *heap_blocks, ItemPointer tid)
{
	BlockNumber block = ItemPointerGetBlockNumberNoCheck(tid);
	OffsetNumber offset = ItemPointerGetOffsetNumberNoCheck(tid);
	bool		is_good = block <= MaxBlockNumber && offset >= FirstOffsetNumber &&
		offset <= MaxOffsetNumber;

	/* other table access methods make of block numbers what they want */
	if (is_good && heap != NULL && block >= *heap_blocks &&
		heap->rd_tableam == GetHeapamTableAmRoutine())
	{
		*heap_blocks = RelationGetNumberOfBlocks(heap);
		is_good = block < *heap_blocks;
	}
	if (!is_good)
		ereport(ERROR,
				(errcode(ERRCODE_INDEX_CORRUPTED),
				 errmsg("index \"%s\" contains an invalid heap TID (%u,%u)",
						RelationGetRelationName(index), block, offset),
				 errhint("Please REINDEX it.")));
}

/*
 * Refuses a snapshot that is not MVCC: a TID that was read some time ago may have
 * been given to a new row since, and only such a snapshot is sure not to see that.
 */
void
vdb_hnsw_check_snapshot(Snapshot snapshot)
{
	if (!IsMVCCSnapshot(snapshot))
		ereport(ERROR, (errcode(ERRCODE_FEATURE_NOT_SUPPORTED), errmsg("non-MVCC snapshots are not supported with hnsw")));
}

/*
 * What the planner never makes is refused here.
 */
static void
check_scan(IndexScanDesc scan)
{
	if (scan->numberOfOrderBys != 1)
		ereport(ERROR, (errcode(ERRCODE_FEATURE_NOT_SUPPORTED), errmsg("cannot scan hnsw index without order")));

	vdb_hnsw_check_snapshot(scan->xs_snapshot);
}

/*
 * Begins with the first row wanted.
 */
static void
start(IndexScanDesc scan)
{
	HnswScan   *state = (HnswScan *) scan->opaque;
	Relation	index = scan->indexRelation;
	MemoryContext old = MemoryContextSwitchTo(state->context);
	ScanKey		key = &scan->orderByData[0];

	pgstat_count_index_scan(index);
	vdb_count_index_search(scan);
	vdb_hnsw_stats.scans++;
	state->ef_search = vdb_hnsw_ef_search(index);
	state->width = vdb_hnsw_walk_width(state->index, state->ef_search);
	state->iterative = vdb_hnsw_iterative_scan();
	state->memory_limit = vdb_hnsw_scan_memory();
	state->max_nodes = (uint64) vdb_hnsw_max_scan_tuples();
	state->reached = state->upper = -INFINITY;
	state->segments = vdb_hnsw_no_ref();
	if (key->sk_flags & SK_ISNULL)
	{
		state->phase = HNSW_SCAN_ALL;
		state->all_null = true;
		state->next_block = HNSW_META_BLOCK + 1;
	}
	else
		begin_walk(state, key->sk_argument);
	MemoryContextSwitchTo(old);
}

/*
 * Prepares a query and descends to where level 0 is entered.  Returns the walk,
 * which is anew to be started from *entry, in the current memory context; NULL
 * if the query has no distances: the cosine of the zero vector is NaN with every
 * row.
 */
HnswWalk *
vdb_hnsw_enter(HnswIndex *index, Datum query, HnswRef *root, HnswRef *entry)
{
	HnswWalk   *walk;
	HnswValue	value;
	HnswMeta	meta;
	int			dim;

	query = PointerGetDatum(PG_DETOAST_DATUM(query));
	dim = index->type->dim(query);
	if (dim != index->layout.dim)
		ereport(ERROR, (errcode(ERRCODE_DATA_EXCEPTION), errmsg(index->type->other_dim, index->layout.dim, dim)));
	vdb_hnsw_value_attach(index, &value, palloc(vdb_hnsw_value_size(index)));
	if (!vdb_hnsw_form_value(index, query, &value))
		return NULL;
	vdb_hnsw_read_meta(index, &meta);
	vdb_hnsw_stats.pages++;
	walk = vdb_hnsw_walk_begin(index, &value.rotated, meta.typical_norm);
	*root = meta.root;
	*entry = vdb_hnsw_walk_descend(walk, meta.entry, meta.entry_level, 0);
	return walk;
}

static void
begin_walk(HnswScan *state, Datum query)
{
	HnswRef		entry;

	state->walk = vdb_hnsw_enter(state->index, query, &state->root, &entry);
	if (state->walk == NULL)
	{
		state->phase = HNSW_SCAN_ALL;
		state->all_value = get_float8_nan();
		state->next_block = HNSW_META_BLOCK + 1;
		return;
	}
	state->phase = HNSW_SCAN_WALK;
	state->walk->visitor = vdb_hnsw_keep_result;
	state->walk->visitor_arg = state;
	vdb_hnsw_walk_start(state->walk, 0, state->width);
	vdb_hnsw_walk_add(state->walk, entry);
}

/*
 * The next row, whichever way it is found.
 */
static bool
next_row(HnswScan *state, HnswRow *row)
{
	while (state->phase == HNSW_SCAN_WALK)
	{
		if (!vdb_hnsw_next_row(state, row))
		{
			bool		more = vdb_hnsw_next_results(state);

			vdb_hnsw_count_walk(state->walk, &state->counted);
			if (more)
				continue;
			if (state->iterative == HNSW_ITERATIVE_OFF || reached_limit(state))
				state->phase = HNSW_SCAN_END;
			else
			{
				vdb_hnsw_sweep_begin(state);
				state->phase = HNSW_SCAN_SWEEP;
			}
		}
		else if (state->iterative != HNSW_ITERATIVE_STRICT || row->value >= state->reached)
		{
			state->reached = row->reached;
			return true;
		}
	}
	while (state->phase == HNSW_SCAN_SWEEP && vdb_hnsw_sweep_next(state, row))
		if (state->iterative != HNSW_ITERATIVE_STRICT || row->value >= state->reached)
			return true;
	if (state->phase == HNSW_SCAN_ALL && vdb_hnsw_all_next(state, row))
		return true;
	state->phase = HNSW_SCAN_END;
	return false;
}

/*
 * hnsw.max_scan_tuples, if set.
 */
static bool
reached_limit(const HnswScan *state)
{
	return state->max_nodes > 0 && state->walk->counts.nodes >= state->max_nodes;
}

/*
 * Adds to the statistics what a walk has counted since the last time.
 */
void
vdb_hnsw_count_walk(const HnswWalk *walk, HnswWalkCounts *counted)
{
	const HnswWalkCounts *counts = &walk->counts;

	vdb_hnsw_stats.nodes += counts->nodes - counted->nodes;
	vdb_hnsw_stats.pages += counts->pages - counted->pages;
	vdb_hnsw_stats.distances += counts->distances - counted->distances;
	vdb_hnsw_stats.estimates += counts->estimates - counted->estimates;
	*counted = *counts;
}

static void
close_phase(HnswScan *state)
{
	if (state->sort != NULL)
	{
		tuplesort_end(state->sort);
		ExecDropSingleTupleTableSlot(state->slot);
		state->sort = NULL;
	}
}
