/*-------------------------------------------------------------------------
 *
 * exact.c
 *	  All rows that satisfy the conditions, by the bitmap or by reading the
 *	  table: in order of their exact distances.
 *
 * The sort keeps distances and places only, within work_mem and on disk beyond
 * it; rows are fetched again when they are returned.  Where it is known how many
 * will be wanted it keeps few; if more are asked for, all is read once more.
 *
 *-------------------------------------------------------------------------
 */
#include "pg_compat.h"

#include <math.h>

#include "access/tableam.h"
#include "catalog/pg_operator.h"
#include "catalog/pg_type.h"
#include "executor/executor.h"
#include "executor/tuptable.h"
#include "miscadmin.h"
#include "planner/node.h"
#include "utils/fmgrprotos.h"
#include "utils/memutils.h"

/*
 * After so many rows, so many times, the time per row is known and a decision is
 * due.  The median counts: another process may take the CPU at any time.
 */
#define SAMPLE_ROWS 8
#define SAMPLES 3

/* The sort keeps as many as are expected to be wanted, and so many more */
#define SPARE_ROWS 16

static void read_samples(VdbScanState *state);
static bool is_reading(const VdbExact *exact);
static void begin_sort(VdbScanState *state);
static void end_read(VdbScanState *state);
static void put_row(VdbExact *exact, const VdbScanRow *row);

/*
 * Reads and sorts all rows that were not returned yet.  After some of them
 * go_on, unless NULL, is asked; if it says no all is closed and forgotten, and
 * false returned.
 */
bool
vdb_exact_sort(VdbScanState *state, bool (*go_on)(VdbScanState *state))
{
	VdbExact   *exact = &state->exact;
	VdbScanRow	row;

	begin_sort(state);
	vdb_exact_begin_read(state);
	if (go_on != NULL)
	{
		read_samples(state);
		if (is_reading(exact) && !go_on(state))
		{
			vdb_exact_end(state);
			return false;
		}
	}
	while (is_reading(exact) && vdb_exact_read(state, &row))
		put_row(exact, &row);
	tuplesort_performsort(exact->sort);
	return true;
}

/*
 * Reads some rows, to know what the others will take and how many will pass.
 */
static void
read_samples(VdbScanState *state)
{
	VdbExact   *exact = &state->exact;
	VdbScanFacts *facts = &state->facts;

	for (int i = 0; i < SAMPLES && is_reading(exact); i++)
	{
		int64		before = state->counts.heap_fetches;
		instr_time	start;
		VdbScanRow	row;

		INSTR_TIME_SET_CURRENT(start);
		exact->stop_at = before + SAMPLE_ROWS;
		for (; vdb_exact_read(state, &row); facts->passed++)
			put_row(exact, &row);
		facts->checked += (double) (state->counts.heap_fetches - before);
		vdb_rate_add(&facts->read_rate, vdb_seconds_since(start),
					 (double) (state->counts.heap_fetches - before));
	}
	exact->stop_at = 0;
}

/*
 * The next row in order; false after the last.  A sort that has kept too few
 * is done again, for all.
 */
bool
vdb_exact_next(VdbScanState *state, VdbScanRow *row)
{
	VdbExact   *exact = &state->exact;

	for (;;)
	{
		bool		is_null;

		if (exact->bound > 0 && exact->nsorted >= exact->bound)
		{
			vdb_exact_end(state);
			state->k = -1;
			exact->has_last = true;
			(void) vdb_exact_sort(state, NULL);
		}
		if (!tuplesort_gettupleslot(exact->sort, true, false, exact->output, NULL))
			return false;
		exact->nsorted++;
		row->distance = DatumGetFloat8(slot_getattr(exact->output, 1, &is_null));
		row->tid = *(ItemPointer) DatumGetPointer(slot_getattr(exact->output, 2, &is_null));
		if (exact->has_last && vdb_row_compare(row, &exact->last) <= 0)
			continue;
		exact->last = *row;
		return true;
	}
}

/*
 * Begins to read rows by the bitmap if there is one, else the table.
 */
void
vdb_exact_begin_read(VdbScanState *state)
{
	VdbExact   *exact = &state->exact;
	MemoryContext old = MemoryContextSwitchTo(state->run_context);

	if (state->bitmap.tids != NULL)
		exact->bitmap = vdb_bitmap_begin_read(state);
	else
		exact->table = vdb_begin_snapshot_scan(vdb_scan_table(state), vdb_scan_snapshot(state));
	MemoryContextSwitchTo(old);
}

/*
 * The next row that satisfies the conditions and was not returned, in the scan's
 * slot.  False where reading pauses, and after the last: then all is closed.
 */
bool
vdb_exact_read(VdbScanState *state, VdbScanRow *row)
{
	VdbExact   *exact = &state->exact;
	TupleTableSlot *slot = state->css.ss.ss_ScanTupleSlot;

	for (;;)
	{
		bool		recheck = true;

		CHECK_FOR_INTERRUPTS();
		if (exact->stop_at > 0 && state->counts.heap_fetches >= exact->stop_at)
			return false;
		if (exact->bitmap != NULL ? !vdb_bitmap_read(exact->bitmap, slot, &recheck) :
									!table_scan_getnextslot(exact->table, ForwardScanDirection, slot))
			break;
		state->counts.heap_fetches++;
		if (!vdb_row_was_returned(state, &slot->tts_tid) &&
			vdb_row_check(state, recheck, &row->distance))
		{
			row->tid = slot->tts_tid;
			return true;
		}
	}
	end_read(state);
	return false;
}

void
vdb_exact_end(VdbScanState *state)
{
	VdbExact   *exact = &state->exact;

	end_read(state);
	if (exact->sort != NULL)
	{
		tuplesort_end(exact->sort);
		ExecDropSingleTupleTableSlot(exact->input);
		ExecDropSingleTupleTableSlot(exact->output);
		exact->sort = NULL;
	}
	exact->nsorted = 0;
}

static bool
is_reading(const VdbExact *exact)
{
	return exact->bitmap != NULL || exact->table != NULL;
}

static void
end_read(VdbScanState *state)
{
	VdbExact   *exact = &state->exact;

	ExecClearTuple(state->css.ss.ss_ScanTupleSlot);
	if (exact->bitmap != NULL)
		vdb_bitmap_end_read(exact->bitmap);
	if (exact->table != NULL)
		table_endscan(exact->table);
	exact->bitmap = NULL;
	exact->table = NULL;
}

static void
begin_sort(VdbScanState *state)
{
	VdbExact   *exact = &state->exact;
	MemoryContext old = MemoryContextSwitchTo(state->run_context);
	TupleDesc	desc = CreateTemplateTupleDesc(2);
	AttrNumber	attributes[2] = {1, 2};
	Oid			operators[2] = {Float8LessOperator, TIDLessOperator};
	Oid			collations[2] = {InvalidOid, InvalidOid};
	bool		nulls_first[2] = {false, false};
	int			options = state->k > 0 ? TUPLESORT_ALLOWBOUNDED : TUPLESORT_NONE;

	TupleDescInitEntry(desc, 1, "distance", FLOAT8OID, -1, 0);
	TupleDescInitEntry(desc, 2, "tid", TIDOID, -1, 0);
	exact->input = MakeSingleTupleTableSlot(desc, &TTSOpsVirtual);
	exact->output = MakeSingleTupleTableSlot(desc, &TTSOpsMinimalTuple);
	exact->sort = tuplesort_begin_heap(desc, 2, attributes, operators, collations, nulls_first,
									   work_mem, NULL, options);
	exact->bound = state->k > 0 ? state->k + SPARE_ROWS : 0;
	if (exact->bound > 0)
		tuplesort_set_bound(exact->sort, exact->bound);
	MemoryContextSwitchTo(old);
}

static void
put_row(VdbExact *exact, const VdbScanRow *row)
{
	TupleTableSlot *slot = exact->input;

	ExecClearTuple(slot);
	slot->tts_values[0] = Float8GetDatum(row->distance);
	slot->tts_values[1] = PointerGetDatum(&row->tid);
	slot->tts_isnull[0] = slot->tts_isnull[1] = false;
	ExecStoreVirtualTuple(slot);
	tuplesort_puttupleslot(exact->sort, slot);
}
