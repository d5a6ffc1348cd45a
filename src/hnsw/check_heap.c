/*-------------------------------------------------------------------------
 *
 * check_heap.c
 *	  Verification, P5, and the index against its table: no heap TID is in two
 *	  nodes, each leads to a row that may be there, and each row that a
 *	  snapshot sees is in a node that holds its vector.
 *
 * TIDs are sorted, on disk where memory does not suffice, each with the number
 * of its node and a hash of the stored vector.  The snapshot is older than
 * the reading of the index: so what it sees was inserted before, and cannot
 * be vacuumed meanwhile.
 *
 *-------------------------------------------------------------------------
 */
#include "pg_compat.h"

#include "access/heapam.h"
#include "access/tableam.h"
#include "access/xact.h"
#include "catalog/index.h"
#include "catalog/pg_operator.h"
#include "catalog/pg_type.h"
#include "common/hashfn.h"
#include "executor/executor.h"
#include "hnsw/check.h"
#include "miscadmin.h"
#include "utils/guc.h"
#include "utils/memutils.h"
#include "utils/snapmgr.h"

/* A heap TID with its node; number is invalid for rows of the table */
typedef struct TidEntry
{
	uint64		tid;
	uint32		number;
	uint32		hash;			/* of the stored vector; 0: unknown */
} TidEntry;

/* The page of the table that index TIDs are compared with */
typedef struct HeapPage
{
	BlockNumber nblocks;		/* of the table */
	BlockNumber block;
	Buffer		buffer;
	BufferAccessStrategy strategy;
	bool		is_heap;		/* else another table access method */
} HeapPage;

static Tuplesortstate *begin_sort(HnswCheck *check);
static void put_entry(HnswCheck *check, Tuplesortstate *sort, TidEntry entry);
static bool get_entry(HnswCheck *check, Tuplesortstate *sort, TidEntry *entry);
static void read_heap(HnswCheck *check);
static void note_row(Relation index, ItemPointer tid, Datum *values, bool *isnull,
					 bool is_alive, void *arg);
static void check_twice(HnswCheck *check, TidEntry first, TidEntry second);
static void check_line_pointer(HnswCheck *check, HeapPage *page, TidEntry entry);
static bool is_line_used(HnswCheck *check, HeapPage *page, ItemPointer tid);
static void compare_row(HnswCheck *check, TidEntry row, const TidEntry *entry);

static uint64
tid_key(const ItemPointerData *tid)
{
	return (uint64) ItemPointerGetBlockNumberNoCheck(tid) << 16 |
		ItemPointerGetOffsetNumberNoCheck(tid);
}

static ItemPointerData
key_tid(uint64 key)
{
	ItemPointerData tid;

	ItemPointerSet(&tid, (BlockNumber) (key >> 16), (OffsetNumber) (key & 0xFFFF));
	return tid;
}

/*
 * Hash of a stored vector, not 0.
 */
static uint32
vector_hash(const HnswCheck *check, const void *stored)
{
	return Max(hash_bytes(stored, check->index->layout.vector_bytes), 1);
}

/*
 * Before the index is read.
 */
void
vdb_hnsw_check_begin_tids(HnswCheck *check)
{
	TupleDesc	desc = CreateTemplateTupleDesc(2);

	TupleDescInitEntry(desc, 1, "tid", INT8OID, -1, 0);
	TupleDescInitEntry(desc, 2, "node", INT8OID, -1, 0);
	check->sort_slot = MakeSingleTupleTableSlot(desc, &TTSOpsMinimalTuple);
	check->index_tids = begin_sort(check);
	if (check->with_heap)
	{
		vdb_hnsw_value_attach(check->index, &check->value,
							  palloc(vdb_hnsw_value_size(check->index)));
		check->row_context = AllocSetContextCreate(CurrentMemoryContext, "hnsw check of a row",
												   ALLOCSET_DEFAULT_SIZES);
		check->heap_tids = begin_sort(check);
		read_heap(check);
	}
}

static Tuplesortstate *
begin_sort(HnswCheck *check)
{
	AttrNumber	column = 1;
	Oid operator= Int8LessOperator;
	Oid			collation = InvalidOid;
	bool		nulls_first = false;
	int			memory = check->with_heap ? maintenance_work_mem / 2 : maintenance_work_mem;

	return tuplesort_begin_heap(check->sort_slot->tts_tupleDescriptor, 1, &column, &operator, & collation, &nulls_first, Max(memory, 64), NULL, 0);
}

static void
put_entry(HnswCheck *check, Tuplesortstate *sort, TidEntry entry)
{
	TupleTableSlot *slot = check->sort_slot;

	ExecClearTuple(slot);
	slot->tts_values[0] = Int64GetDatum((int64) entry.tid);
	slot->tts_values[1] = Int64GetDatum((int64) ((uint64) entry.number << 32 | entry.hash));
	slot->tts_isnull[0] = false;
	slot->tts_isnull[1] = false;
	ExecStoreVirtualTuple(slot);
	tuplesort_puttupleslot(sort, slot);
}

static bool
get_entry(HnswCheck *check, Tuplesortstate *sort, TidEntry *entry)
{
	TupleTableSlot *slot = check->sort_slot;
	bool		isnull;
	uint64		node;

	if (!tuplesort_gettupleslot(sort, true, false, slot, NULL))
		return false;
	entry->tid = (uint64) DatumGetInt64(slot_getattr(slot, 1, &isnull));
	node = (uint64) DatumGetInt64(slot_getattr(slot, 2, &isnull));
	entry->number = (uint32) (node >> 32);
	entry->hash = (uint32) node;
	return true;
}

/*
 * Takes the heap TIDs of a node, in check->tids.
 */
void
vdb_hnsw_check_put_tids(HnswCheck *check, const HnswCheckNode *node)
{
	TidEntry	entry = {0, node->number, 0};

	if (node->has_vector)
		entry.hash = vector_hash(check, node->stored);
	for (Size i = 0; i < check->ntids; i++)
	{
		if (i % 1024 == 0)
			CHECK_FOR_INTERRUPTS();
		entry.tid = tid_key(&check->tids[i]);
		put_entry(check, check->index_tids, entry);
	}
}

/*
 * Collects the rows of the table that are to be in the index.  Expressions and
 * predicate of the index are computed as the table's owner, as CREATE INDEX
 * does.
 */
static void
read_heap(HnswCheck *check)
{
	Relation	index = check->index->relation;
	IndexInfo  *info = BuildIndexInfo(index);
	Snapshot	snapshot;
	Oid			user;
	int			security;
	int			nesting;

	snapshot = check->snapshot = RegisterSnapshot(GetTransactionSnapshot());
	/* rows of before the index was made may not be in it for this snapshot */
	if (IsolationUsesXactSnapshot() && index->rd_index->indcheckxmin &&
		!TransactionIdPrecedes(HeapTupleHeaderGetXmin(index->rd_indextuple->t_data),
							   snapshot->xmin))
		ereport(ERROR,
				(errcode(ERRCODE_T_R_SERIALIZATION_FAILURE),
				 errmsg("index \"%s\" cannot be compared with its table in this transaction",
						RelationGetRelationName(index)),
				 errhint("Use a new transaction.")));

	/* so that rows being inserted by others are not waited for */
	info->ii_Concurrent = true;
	info->ii_Unique = false;
	info->ii_ExclusionOps = NULL;
	info->ii_ExclusionProcs = NULL;
	info->ii_ExclusionStrats = NULL;

	GetUserIdAndSecContext(&user, &security);
	nesting = NewGUCNestLevel();
	SetUserIdAndSecContext(check->heap->rd_rel->relowner,
						   security | SECURITY_RESTRICTED_OPERATION);
	vdb_restrict_search_path();
	/* where a scan is begun is decided already, but the function wants true then */
	table_index_build_scan(check->heap, index, info, true, false, note_row, check,
						   vdb_begin_snapshot_scan(check->heap, snapshot));
	AtEOXact_GUC(false, nesting);
	SetUserIdAndSecContext(user, security);
}

/*
 * Takes a row of the table.
 */
static void
note_row(Relation index, ItemPointer tid, Datum *values, bool *isnull,
		 bool is_alive, void *arg)
{
	HnswCheck  *check = (HnswCheck *) arg;
	TidEntry	entry = {tid_key(tid), HNSW_INVALID_NUMBER, 0};
	MemoryContext old;
	bool		is_indexed;

	CHECK_FOR_INTERRUPTS();
	if (isnull[0])
		return;
	old = MemoryContextSwitchTo(check->row_context);
	is_indexed = vdb_hnsw_form_value(check->index, values[0], &check->value);
	MemoryContextSwitchTo(old);
	MemoryContextReset(check->row_context);
	if (!is_indexed)
		return;
	entry.hash = vector_hash(check, check->value.stored);
	check->counts.rows++;
	put_entry(check, check->heap_tids, entry);
}

/*
 * After the index was read: compares.
 */
void
vdb_hnsw_check_compare_tids(HnswCheck *check)
{
	HeapPage	page = {0, InvalidBlockNumber, InvalidBuffer, NULL, false};
	TidEntry	entry;
	TidEntry	last = {0};
	TidEntry	row = {0};
	bool		has_row = false;
	bool		has_last = false;

	tuplesort_performsort(check->index_tids);
	if (check->with_heap)
	{
		tuplesort_performsort(check->heap_tids);
		has_row = get_entry(check, check->heap_tids, &row);
		page.is_heap = check->heap->rd_tableam == GetHeapamTableAmRoutine();
		page.nblocks = RelationGetNumberOfBlocks(check->heap);
		page.strategy = GetAccessStrategy(BAS_BULKREAD);
	}
	while (get_entry(check, check->index_tids, &entry))
	{
		CHECK_FOR_INTERRUPTS();
		if (has_last && last.tid == entry.tid)
			check_twice(check, last, entry);
		if (check->with_heap && page.is_heap)
			check_line_pointer(check, &page, entry);
		for (; has_row && row.tid < entry.tid;
			 has_row = get_entry(check, check->heap_tids, &row))
			compare_row(check, row, has_last && last.tid == row.tid ? &last : NULL);
		last = entry;
		has_last = true;
	}
	for (; has_row; has_row = get_entry(check, check->heap_tids, &row))
		compare_row(check, row, has_last && last.tid == row.tid ? &last : NULL);
	if (BufferIsValid(page.buffer))
		ReleaseBuffer(page.buffer);
	tuplesort_end(check->index_tids);
	if (check->with_heap)
	{
		tuplesort_end(check->heap_tids);
		UnregisterSnapshot(check->snapshot);
	}
	ExecDropSingleTupleTableSlot(check->sort_slot);
}

/*
 * A heap TID was seen in two nodes, or twice in one (P5).  It may have gone
 * from the first by a vacuum before it came to the second.
 */
static void
check_twice(HnswCheck *check, TidEntry first, TidEntry second)
{
	ItemPointerData tid = key_tid(first.tid);
	int			wanted = first.number == second.number ? 2 : 1;

	if (vdb_hnsw_check_count_tid(check, first.number, &tid) < wanted ||
		vdb_hnsw_check_count_tid(check, second.number, &tid) < wanted)
		return;
	vdb_hnsw_check_report_node(check, second.number, "heap TID (%u,%u) is in node %u, too",
							   ItemPointerGetBlockNumberNoCheck(&tid),
							   ItemPointerGetOffsetNumberNoCheck(&tid), first.number);
}

/*
 * Vacuum takes TIDs from the index before line pointers from the table: so a
 * TID of the index leads to one that is in use.
 */
static void
check_line_pointer(HnswCheck *check, HeapPage *page, TidEntry entry)
{
	ItemPointerData tid = key_tid(entry.tid);

	if (is_line_used(check, page, &tid) ||
		vdb_hnsw_check_count_tid(check, entry.number, &tid) == 0 ||
		is_line_used(check, page, &tid))
		return;
	vdb_hnsw_check_report_node(check, entry.number,
							   "heap TID (%u,%u) leads to no row of table \"%s\"",
							   ItemPointerGetBlockNumberNoCheck(&tid),
							   ItemPointerGetOffsetNumberNoCheck(&tid),
							   RelationGetRelationName(check->heap));
}

static bool
is_line_used(HnswCheck *check, HeapPage *page, ItemPointer tid)
{
	BlockNumber block = ItemPointerGetBlockNumberNoCheck(tid);
	OffsetNumber offset = ItemPointerGetOffsetNumberNoCheck(tid);
	Page		content;
	bool		result;

	if (block >= page->nblocks)
		page->nblocks = RelationGetNumberOfBlocks(check->heap);
	if (block >= page->nblocks)
		return false;
	if (block != page->block)
	{
		if (BufferIsValid(page->buffer))
			ReleaseBuffer(page->buffer);
		page->buffer = ReadBufferExtended(check->heap, MAIN_FORKNUM, block, RBM_NORMAL,
										  page->strategy);
		page->block = block;
	}
	LockBuffer(page->buffer, BUFFER_LOCK_SHARE);
	content = BufferGetPage(page->buffer);
	result = !PageIsNew(content) && offset >= FirstOffsetNumber &&
		offset <= PageGetMaxOffsetNumber(content) &&
		ItemIdIsUsed(PageGetItemId(content, offset));
	LockBuffer(page->buffer, BUFFER_LOCK_UNLOCK);
	return result;
}

/*
 * A row of the table, and what the index has for it (NULL: nothing).
 */
static void
compare_row(HnswCheck *check, TidEntry row, const TidEntry *entry)
{
	ItemPointerData tid = key_tid(row.tid);

	CHECK_FOR_INTERRUPTS();
	if (entry == NULL)
		vdb_hnsw_check_report(check, InvalidBlockNumber, HNSW_INVALID_NUMBER,
							  "row (%u,%u) of table \"%s\" is not in the index",
							  ItemPointerGetBlockNumberNoCheck(&tid),
							  ItemPointerGetOffsetNumberNoCheck(&tid),
							  RelationGetRelationName(check->heap));
	else if (entry->hash != 0 && entry->hash != row.hash)
		vdb_hnsw_check_report_node(check, entry->number,
								   "row (%u,%u) of table \"%s\" has another vector than its node",
								   ItemPointerGetBlockNumberNoCheck(&tid),
								   ItemPointerGetOffsetNumberNoCheck(&tid),
								   RelationGetRelationName(check->heap));
}
