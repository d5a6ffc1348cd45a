/*-------------------------------------------------------------------------
 *
 * estimate.c
 *	  How many rows satisfy conditions whose parameters have got their values.
 *
 * A generic plan is made for any values, and expects that one row in a hundred
 * matches, or a third.  When a run begins the values are there, and the
 * planner's own estimators are asked again, with what the planner knows of the
 * table, which is gathered once for all runs of a node.
 *
 *-------------------------------------------------------------------------
 */
#include "pg_compat.h"

#include "executor/executor.h"
#include "nodes/makefuncs.h"
#include "nodes/nodeFuncs.h"
#include "optimizer/optimizer.h"
#include "optimizer/pathnode.h"
#include "parser/parsetree.h"
#include "planner/node.h"
#include "utils/datum.h"
#include "utils/lsyscache.h"
#include "utils/memutils.h"

/* Rows that are expected at least, since an estimate may be wrong */
#define LEAST_ROWS 0.5

static PlannerInfo *make_root(VdbScanState *state);
static RangeTblEntry *make_entry(VdbScanState *state);
static double share_of(PlannerInfo *root, VdbScanState *state, List *conditions);
static Node *insert_values(Node *node, void *context);

/*
 * Sets the numbers of rows in a run's facts to what is expected for the values
 * that parameters have now.
 */
void
vdb_scan_estimate(VdbScanState *state)
{
	VdbScanFacts *facts = &state->facts;
	MemoryContext old;
	double		planned = facts->bitmap_rows;
	double		bitmap_share;

	if (state->planner_root == NULL)
		state->planner_root = make_root(state);

	old = MemoryContextSwitchTo(state->run_context);
	bitmap_share = share_of(state->planner_root, state, state->plan.recheck);
	facts->matching_rows = Max(facts->table_rows * bitmap_share *
								   share_of(state->planner_root, state, state->css.ss.ps.plan->qual),
							   LEAST_ROWS);
	MemoryContextSwitchTo(old);
	if (facts->has_bitmap)
	{
		facts->bitmap_rows = Max(facts->table_rows * bitmap_share, LEAST_ROWS);
		facts->bitmap_cost *= Min(facts->bitmap_rows / Max(planned, 1), 1);
	}
	facts->is_generic = false;
}

/*
 * What estimators want of a planner: the query's tables, and about the one that
 * is scanned what build_simple_rel() finds.  It lives as long as the node.
 */
static PlannerInfo *
make_root(VdbScanState *state)
{
	EState	   *estate = state->css.ss.ps.state;
	Index		relid = ((Scan *) state->css.ss.ps.plan)->scanrelid;
	MemoryContext old = MemoryContextSwitchTo(estate->es_query_cxt);
	PlannerInfo *root = makeNode(PlannerInfo);

	root->glob = makeNode(PlannerGlobal);
	root->glob->boundParams = estate->es_param_list_info;
	root->parse = makeNode(Query);
	root->parse->commandType = CMD_SELECT;
	root->parse->rtable = list_copy(estate->es_range_table);
	list_nth_cell(root->parse->rtable, relid - 1)->ptr_value = make_entry(state);
	vdb_copy_permissions(root->parse, estate);
	root->query_level = 1;
	root->planner_cxt = CurrentMemoryContext;
	setup_simple_rel_arrays(root);
	(void) build_simple_rel(root, (int) relid, NULL);
	MemoryContextSwitchTo(old);
	return root;
}

/*
 * The table's entry.  Where it has policies, which are gone from a finished
 * plan, there is something in their place: estimators then show statistics to
 * leakproof functions only.
 */
static RangeTblEntry *
make_entry(VdbScanState *state)
{
	RangeTblEntry *entry = copyObject(exec_rt_fetch(((Scan *) state->css.ss.ps.plan)->scanrelid,
													state->css.ss.ps.state));

	entry->inh = false;
	if (state->plan.has_policies)
		entry->securityQuals = list_make1(makeBoolConst(true, false));
	return entry;
}

static double
share_of(PlannerInfo *root, VdbScanState *state, List *conditions)
{
	List	   *known = (List *) insert_values((Node *) conditions, state->css.ss.ps.ps_ExprContext);

	return clauselist_selectivity(root, known, 0, JOIN_INNER, NULL);
}

/*
 * A copy of an expression with the values that outer plans have given; those
 * of the query itself are inserted by the estimators.
 */
static Node *
insert_values(Node *node, void *context)
{
	Param	   *param = (Param *) node;
	ParamExecData *value;
	int16		length;
	bool		by_value;

	if (node == NULL)
		return NULL;
	if (!IsA(node, Param) || param->paramkind != PARAM_EXEC)
		return expression_tree_mutator(node, insert_values, context);

	value = &((ExprContext *) context)->ecxt_param_exec_vals[param->paramid];
	if (value->execPlan != NULL)
		return (Node *) copyObject(param); /* not evaluated yet */
	get_typlenbyval(param->paramtype, &length, &by_value);
	return (Node *) makeConst(param->paramtype, param->paramtypmod, param->paramcollid, length,
							  value->isnull ? (Datum) 0 : datumCopy(value->value, by_value, length),
							  value->isnull, by_value);
}
