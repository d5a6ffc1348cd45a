/*-------------------------------------------------------------------------
 *
 * node.c
 *	  Custom Scan (VecdbScan): what the executor calls.
 *
 * Rows are chosen by run.c, and given out by ExecScan(), so that projection,
 * EvalPlanQual and WHERE CURRENT OF work as in any scan of a table.
 *
 *-------------------------------------------------------------------------
 */
#include "pg_compat.h"

#include "access/genam.h"
#include "access/tableam.h"
#include "executor/executor.h"
#include "nodes/nodeFuncs.h"
#include "planner/node.h"
#include "utils/memutils.h"
#include "utils/rel.h"

static Node *create_state(CustomScan *scan);
static void begin(CustomScanState *node, EState *estate, int eflags);
static TupleTableSlot *exec(CustomScanState *node);
static void end(CustomScanState *node);
static void rescan(CustomScanState *node);

static void init_slot(VdbScanState *state, EState *estate);
static void init_expressions(VdbScanState *state);
static ExprState *init_self(VdbScanState *state, bool of_query);
static TupleTableSlot *next_slot(ScanState *node);
static bool recheck_slot(ScanState *node, TupleTableSlot *slot);

const CustomScanMethods vdb_scan_methods = {
	.CustomName = VDB_SCAN_NAME,
	.CreateCustomScanState = create_state,
};

static const CustomExecMethods exec_methods = {
	.CustomName = VDB_SCAN_NAME,
	.BeginCustomScan = begin,
	.ExecCustomScan = exec,
	.EndCustomScan = end,
	.ReScanCustomScan = rescan,
	.ExplainCustomScan = vdb_scan_explain,
};

/*
 * Called once from _PG_init: a parallel worker finds the node by its name.
 */
void
vdb_planner_init_node(void)
{
	RegisterCustomScanMethods(&vdb_scan_methods);
}

static Node *
create_state(CustomScan *scan)
{
	VdbScanState *state = (VdbScanState *) newNode(sizeof(VdbScanState), T_CustomScanState);

	state->css.methods = &exec_methods;
	vdb_set_slot_ops(&state->css, &TTSOpsBufferHeapTuple);
	return (Node *) state;
}

static void
begin(CustomScanState *node, EState *estate, int eflags)
{
	VdbScanState *state = (VdbScanState *) node;
	CustomScan *scan = (CustomScan *) node->ss.ps.plan;

	vdb_scan_plan_read(scan, &state->plan);
	init_slot(state, estate);
	init_expressions(state);
	if (state->plan.has_bitmap)
	{
		state->bitmap_node = ExecInitNode((Plan *) linitial(scan->custom_plans), estate, eflags);
		node->custom_ps = list_make1(state->bitmap_node);
	}
	state->phase = VDB_SCAN_START;
	if (eflags & EXEC_FLAG_EXPLAIN_ONLY)
		return;
	state->index = index_open(state->plan.index,
							  exec_rt_fetch(scan->scan.scanrelid, estate)->rellockmode);
	state->run_context = AllocSetContextCreate(CurrentMemoryContext, "vecdb scan",
											   ALLOCSET_DEFAULT_SIZES);
}

/*
 * Gives the scan a slot of the table's kind.  Where core has made one of another
 * kind, what was compiled for that is compiled again.
 */
static void
init_slot(VdbScanState *state, EState *estate)
{
	ScanState  *node = &state->css.ss;
	Relation	table = node->ss_currentRelation;
	const TupleTableSlotOps *ops = table_slot_callbacks(table);

	if (node->ss_ScanTupleSlot->tts_ops == ops)
		return;
	vdb_init_scan_slot(estate, node, RelationGetDescr(table), ops);
	ExecAssignScanProjectionInfo(node);
	node->ps.qual = ExecInitQual(node->ps.plan->qual, &node->ps);
}

/*
 * The conditions are this node's business: ExecScan() need not check again what
 * has been checked when a row was chosen.
 */
static void
init_expressions(VdbScanState *state)
{
	const VdbScanPlan *plan = &state->plan;
	PlanState  *node = &state->css.ss.ps;
	ListCell   *cell;

	state->qual = node->qual;
	node->qual = NULL;
	state->recheck = ExecInitQual(plan->recheck, node);
	state->distance = ExecInitExpr(plan->distance, node);
	state->query = ExecInitExpr(plan->query, node);
	state->query_self = init_self(state, true);
	state->row_self = init_self(state, false);
	state->limit = ExecInitExpr(plan->limit, node);
	foreach(cell, plan->bounds)
	{
		const VdbScanBound *bound = (const VdbScanBound *) lfirst(cell);

		state->bounds = lappend(state->bounds, ExecInitExpr(bound->value, node));
	}
}

/*
 * The distance of the query, or of the row's vector, to itself.
 */
static ExprState *
init_self(VdbScanState *state, bool of_query)
{
	OpExpr	   *self = castNode(OpExpr, copyObject(state->plan.distance));
	Node	   *query = (Node *) state->plan.query;
	Node	   *left = (Node *) linitial(self->args);
	Node	   *row = equal(left, query) ? (Node *) lsecond(self->args) : left;

	self->args = of_query ? list_make2(query, query) : list_make2(row, row);
	return ExecInitExpr((Expr *) self, &state->css.ss.ps);
}

static TupleTableSlot *
exec(CustomScanState *node)
{
	return ExecScan(&node->ss, next_slot, recheck_slot);
}

/*
 * ExecScan()'s way to the next row.
 */
static TupleTableSlot *
next_slot(ScanState *node)
{
	VdbScanState *state = (VdbScanState *) node;
	TupleTableSlot *slot = node->ss_ScanTupleSlot;
	VdbScanRow	row;

	if (!vdb_scan_next(state, &row))
		return ExecClearTuple(slot);
	if (state->phase == VDB_SCAN_UNORDERED)
		return slot;

	/* the snapshot that has seen it keeps it there */
	state->counts.heap_fetches++;
	if (!table_tuple_fetch_row_version(vdb_scan_table(state), &row.tid,
									   vdb_scan_snapshot(state), slot))
		elog(ERROR, "could not fetch row version (%u,%u) again",
			 ItemPointerGetBlockNumber(&row.tid), ItemPointerGetOffsetNumber(&row.tid));
	return slot;
}

/*
 * ExecScan() asks for a row of EvalPlanQual's: all conditions count.
 */
static bool
recheck_slot(ScanState *node, TupleTableSlot *slot)
{
	ResetExprContext(node->ps.ps_ExprContext);
	return vdb_row_qualifies((VdbScanState *) node, slot, true);
}

static void
end(CustomScanState *node)
{
	VdbScanState *state = (VdbScanState *) node;

	if (state->index != NULL)
	{
		vdb_scan_reset(state);
		vdb_bitmap_drop(state);
		MemoryContextDelete(state->run_context);
		index_close(state->index, NoLock);
	}
	if (state->bitmap_node != NULL)
		ExecEndNode(state->bitmap_node);
}

/*
 * Begins anew.  The bitmap stays if nothing has changed that it depends on;
 * else the child is told, and makes another one when it is asked.
 */
static void
rescan(CustomScanState *node)
{
	VdbScanState *state = (VdbScanState *) node;

	vdb_scan_reset(state);
	if (state->bitmap_node != NULL)
	{
		if (node->ss.ps.chgParam != NULL)
			UpdateChangedParamSet(state->bitmap_node, node->ss.ps.chgParam);
		if (state->bitmap_node->chgParam != NULL)
			vdb_bitmap_drop(state);
	}
	ExecScanReScan(&node->ss);
}
