/*-------------------------------------------------------------------------
 *
 * bitmap.c
 *	  The bitmap of the rows that an index finds for the conditions: made when
 *	  it is needed, counted, and read.
 *
 *-------------------------------------------------------------------------
 */
#include "pg_compat.h"

#include "access/tableam.h"
#include "executor/executor.h"
#include "executor/tuptable.h"
#include "miscadmin.h"
#include "planner/node.h"
#include "utils/rel.h"

struct VdbBitmapReader
{
	TableScanDesc scan;
#ifdef VDB_TABLE_ITERATES_BITMAP
	uint64		lossy_pages;	/* counted by the table, unused */
	uint64		exact_pages;
#else
	TBMIterator *iterator;
	TBMIterateResult *page;		/* NULL: at the end of one */
	VdbReadAhead *ahead;		/* NULL: no prefetching */
#endif
};

static void count_rows(VdbScanState *state);

/*
 * Has the child make the bitmap, unless it is there from an earlier run, and
 * counts its rows.
 */
void
vdb_bitmap_make(VdbScanState *state)
{
	VdbBitmap  *bitmap = &state->bitmap;

	if (bitmap->tids == NULL)
	{
		instr_time	start;
		Node	   *result;

		INSTR_TIME_SET_CURRENT(start);
		result = MultiExecProcNode(state->bitmap_node);
		if (result == NULL || !IsA(result, TIDBitmap))
			elog(ERROR, "unrecognized result from subplan");
		bitmap->tids = (TIDBitmap *) result;
		count_rows(state);
		state->facts.bitmap_time = vdb_seconds_since(start);
		state->counts.bitmaps++;
	}
	state->counts.bitmap_rows = bitmap->rows;
	state->counts.bitmap_is_lossy = bitmap->is_lossy;
	state->facts.is_made = true;
	state->facts.bitmap_rows = bitmap->rows;
}

void
vdb_bitmap_drop(VdbScanState *state)
{
	if (state->bitmap.tids != NULL)
		tbm_free(state->bitmap.tids);
	memset(&state->bitmap, 0, sizeof(VdbBitmap));
}

/*
 * Counts the rows that have to be looked at: on a lossy page as many as the
 * table's pages have on average.
 */
static void
count_rows(VdbScanState *state)
{
	VdbBitmap  *bitmap = &state->bitmap;
	BlockNumber nblocks = RelationGetNumberOfBlocks(vdb_scan_table(state));
	double		density = Max(state->plan.table_rows / Max(nblocks, 1), 1);
	VdbTidIterator *iterator = vdb_tid_begin_iterate(bitmap->tids);
	VdbTidPage	page;

	while (vdb_tid_iterate(iterator, &page))
	{
		CHECK_FOR_INTERRUPTS();
		if (page.is_lossy)
		{
			bitmap->rows += density;
			bitmap->is_lossy = true;
		}
		else
			bitmap->rows += page.noffsets;
	}
	vdb_tid_end_iterate(iterator);
}

#ifdef VDB_TABLE_ITERATES_BITMAP

/*
 * Begins to read the bitmap's rows, in the order of their places, in the
 * current memory context.
 */
VdbBitmapReader *
vdb_bitmap_begin_read(VdbScanState *state)
{
	VdbBitmapReader *reader = (VdbBitmapReader *) palloc0(sizeof(VdbBitmapReader));

	reader->scan = vdb_begin_bitmap_scan(vdb_scan_table(state), vdb_scan_snapshot(state));
	reader->scan->st.rs_tbmiterator = tbm_begin_iterate(state->bitmap.tids, NULL,
														InvalidDsaPointer);
	return reader;
}

/*
 * Stores the next row; *recheck says whether the bitmap's conditions are to be
 * checked on it.
 */
bool
vdb_bitmap_read(VdbBitmapReader *reader, TupleTableSlot *slot, bool *recheck)
{
	return table_scan_bitmap_next_tuple(reader->scan, slot, recheck, &reader->lossy_pages,
										&reader->exact_pages);
}

void
vdb_bitmap_end_read(VdbBitmapReader *reader)
{
	if (!tbm_exhausted(&reader->scan->st.rs_tbmiterator))
		tbm_end_iterate(&reader->scan->st.rs_tbmiterator);
	table_endscan(reader->scan);
	pfree(reader);
}

#else

static bool next_page(VdbBitmapReader *reader);

/*
 * Begins to read the bitmap's rows, in the order of their places, in the
 * current memory context.
 */
VdbBitmapReader *
vdb_bitmap_begin_read(VdbScanState *state)
{
	VdbBitmapReader *reader = (VdbBitmapReader *) palloc0(sizeof(VdbBitmapReader));
	Relation	table = vdb_scan_table(state);

	reader->scan = vdb_begin_bitmap_scan(table, vdb_scan_snapshot(state));
	reader->iterator = tbm_begin_iterate(state->bitmap.tids);
	reader->ahead = vdb_ahead_begin(table, state->bitmap.tids);
	return reader;
}

/*
 * Stores the next row; *recheck says whether the bitmap's conditions are to be
 * checked on it.
 */
bool
vdb_bitmap_read(VdbBitmapReader *reader, TupleTableSlot *slot, bool *recheck)
{
	for (;;)
	{
		CHECK_FOR_INTERRUPTS();
		if (reader->page == NULL && !next_page(reader))
			return false;
		if (table_scan_bitmap_next_tuple(reader->scan, reader->page, slot))
		{
			*recheck = reader->page->recheck;
			return true;
		}
		reader->page = NULL;
	}
}

/*
 * Goes to the next page that has rows.  Prefetching follows the read of the
 * page, so that it does not compete with it.
 */
static bool
next_page(VdbBitmapReader *reader)
{
	do
	{
		reader->page = tbm_iterate(reader->iterator);
		if (reader->page == NULL)
			return false;
		if (reader->ahead != NULL)
			vdb_ahead_pass(reader->ahead);
	} while (!table_scan_bitmap_next_block(reader->scan, reader->page));
	if (reader->ahead != NULL)
		vdb_ahead_go_on(reader->ahead);
	return true;
}

void
vdb_bitmap_end_read(VdbBitmapReader *reader)
{
	if (reader->ahead != NULL)
		vdb_ahead_end(reader->ahead);
	tbm_end_iterate(reader->iterator);
	table_endscan(reader->scan);
	pfree(reader);
}

#endif							/* VDB_TABLE_ITERATES_BITMAP */
