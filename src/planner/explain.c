/*-------------------------------------------------------------------------
 *
 * explain.c
 *	  What a VecdbScan did: for EXPLAIN, and for those who cannot EXPLAIN.
 *
 *-------------------------------------------------------------------------
 */
#include "pg_compat.h"

#include "nodes/makefuncs.h"
#include "planner/node.h"
#include "utils/lsyscache.h"
#include "utils/memutils.h"
#include "utils/ruleutils.h"

/* In the order of VdbScanStep */
static const char *const step_names[VDB_NSTEPS] = {
	"vector first", "in graph", "exact, from index", "exact", "exact, all rows"
};

/* Of this backend; the strings are its own */
static VdbSearchReport last_report;
static bool has_report = false;
static char last_strategy[128];
static char last_reason[VDB_REASON_SIZE];
static char *last_advice = NULL;

static void show_expression(CustomScanState *node, Node *expression, const char *label,
							List *ancestors, ExplainState *es);
static void show_wanted(CustomScanState *node, const VdbScanPlan *plan, List *ancestors,
						ExplainState *es);
static void show_run(VdbScanState *state, ExplainState *es);
static void show_strategy(const VdbScanState *state, ExplainState *es);
static char *steps_of_run(const VdbScanState *state);
static char *steps_of_runs(const VdbScanState *state);
static bool lacks_index(const VdbScanState *state);

/*
 * ExplainCustomScan.  The conditions that no bitmap answers are shown by core,
 * as "Filter".
 */
void
vdb_scan_explain(CustomScanState *node, List *ancestors, ExplainState *es)
{
	VdbScanState *state = (VdbScanState *) node;
	const VdbScanPlan *plan = &state->plan;

	ExplainPropertyText("Index", get_rel_name(plan->index), es);
	show_expression(node, (Node *) plan->distance, "Order By", ancestors, es);
	if (plan->recheck != NIL)
		show_expression(node, (Node *) make_ands_explicit(plan->recheck), "Recheck Cond",
						ancestors, es);
	if (es->verbose)
		show_wanted(node, plan, ancestors, es);
	if (es->analyze && state->counts.runs > 0)
		show_run(state, es);
}

/*
 * What the query has told of the rows that it wants: how many, and how far.
 */
static void
show_wanted(CustomScanState *node, const VdbScanPlan *plan, List *ancestors, ExplainState *es)
{
	ListCell   *lc;

	if (plan->limit != NULL)
	{
		show_expression(node, (Node *) plan->limit, "Rows Wanted", ancestors, es);
		if (plan->more_rows > 0)
			ExplainPropertyInteger("More Rows", NULL, plan->more_rows, es);
	}
	foreach(lc, plan->bounds)
	{
		const VdbScanBound *bound = lfirst(lc);

		show_expression(node, (Node *) bound->value,
						bound->is_inclusive ? "Distance Up To" : "Distance Below", ancestors, es);
	}
}

static void
show_expression(CustomScanState *node, Node *expression, const char *label, List *ancestors,
				ExplainState *es)
{
	List	   *context = set_deparse_context_plan(es->deparse_cxt, node->ss.ps.plan, ancestors);

	ExplainPropertyText(label, deparse_expression(expression, context, es->verbose, false), es);
}

/*
 * What was done and seen, over all loops.
 */
static void
show_run(VdbScanState *state, ExplainState *es)
{
	const VdbScanCounts *counts = &state->counts;
	const Instrumentation *instrument = state->css.ss.ps.instrument;

	if (state->plan.recheck != NIL && instrument != NULL && instrument->nloops > 0 &&
		(instrument->nfiltered2 > 0 || es->format != EXPLAIN_FORMAT_TEXT))
		ExplainPropertyFloat("Rows Removed by Index Recheck", NULL,
							 instrument->nfiltered2 / instrument->nloops, 0, es);
	show_strategy(state, es);
	if (counts->bitmaps > 0)
	{
		ExplainPropertyFloat("Bitmap Rows", NULL, counts->bitmap_rows, 0, es);
		if (counts->bitmap_is_lossy || es->format != EXPLAIN_FORMAT_TEXT)
			ExplainPropertyBool("Bitmap Lossy", counts->bitmap_is_lossy, es);
	}
	ExplainPropertyInteger("Nodes Visited", NULL, vdb_scan_nodes(state), es);
	ExplainPropertyInteger("Heap Fetches", NULL, counts->heap_fetches, es);
	ExplainPropertyInteger("Distances", NULL, counts->distances, es);
	if (state->plan.advice != NULL && counts->step_runs[VDB_STEP_EXACT_ALL] > 0)
		ExplainPropertyText("Advice", state->plan.advice, es);
}

/*
 * The reason is that of the run before the end; of several it says little.
 */
static void
show_strategy(const VdbScanState *state, ExplainState *es)
{
	if (state->counts.runs == 1)
	{
		if (state->nsteps > 0)
			ExplainPropertyText("Strategy", steps_of_run(state), es);
		if (state->reason[0] != '\0')
			ExplainPropertyText("Reason", state->reason, es);
	}
	else
		ExplainPropertyText("Strategy", steps_of_runs(state), es);
}

/*
 * The strategies of the run, in order.
 */
static char *
steps_of_run(const VdbScanState *state)
{
	StringInfoData text;

	initStringInfo(&text);
	for (int i = 0; i < state->nsteps; i++)
		appendStringInfo(&text, "%s%s", i > 0 ? ", then " : "", step_names[state->steps[i]]);
	return text.data;
}

/*
 * How many of several runs took each strategy.
 */
static char *
steps_of_runs(const VdbScanState *state)
{
	StringInfoData text;

	initStringInfo(&text);
	for (int i = 0; i < VDB_NSTEPS; i++)
		if (state->counts.step_runs[i] > 0)
			appendStringInfo(&text, "%s%s in " INT64_FORMAT " loops", text.len > 0 ? "; " : "",
							 step_names[i], state->counts.step_runs[i]);
	return text.data;
}

/*
 * Did the run read the whole table because no index serves its conditions?
 */
static bool
lacks_index(const VdbScanState *state)
{
	for (int i = 0; i < state->nsteps; i++)
		if (state->steps[i] == VDB_STEP_EXACT_ALL)
			return state->plan.advice != NULL;
	return false;
}

/*
 * Makes what the run has done so far the report of this backend.
 */
void
vdb_scan_report(const VdbScanState *state)
{
	const VdbScanCounts *counts = &state->counts;
	const VdbScanCounts *before = &state->counts_before;
	char	   *advice = NULL;
	char	   *strategy = steps_of_run(state);

	if (lacks_index(state))
		advice = MemoryContextStrdup(TopMemoryContext, state->plan.advice);
	if (last_advice != NULL)
		pfree(last_advice);
	last_advice = advice;
	strlcpy(last_strategy, strategy, sizeof(last_strategy));
	pfree(strategy);
	strlcpy(last_reason, state->reason, sizeof(last_reason));
	last_report.strategy = last_strategy;
	last_report.reason = last_reason;
	last_report.advice = last_advice;
	last_report.bitmap_rows = state->facts.is_made ? (int64) state->bitmap.rows : -1;
	last_report.nodes = vdb_scan_nodes(state) - before->nodes;
	last_report.heap_fetches = counts->heap_fetches - before->heap_fetches;
	last_report.distances = counts->distances - before->distances;
	has_report = true;
}

const VdbSearchReport *
vdb_last_search_report(void)
{
	return has_report ? &last_report : NULL;
}

void
vdb_reset_search_report(void)
{
	has_report = false;
}
