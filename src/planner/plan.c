/*-------------------------------------------------------------------------
 *
 * plan.c
 *	  From a path to a plan, and what a plan tells the executor.
 *
 * custom_exprs has the expressions, so that whoever changes a plan's
 * expressions finds them: distance, query, and as lists recheck, limit (one
 * or none) and the bounds' values.  custom_private has all else, numbers as
 * Consts, which come back from text as they were (a Float 3 would come back as
 * an Integer).
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "catalog/pg_type.h"
#include "nodes/makefuncs.h"
#include "optimizer/restrictinfo.h"
#include "planner/path.h"

/* What custom_exprs consists of */
enum
{
	EXPR_DISTANCE,
	EXPR_QUERY,
	EXPR_RECHECK,
	EXPR_LIMIT,
	EXPR_BOUNDS
};

/* What custom_private consists of */
enum
{
	PRIVATE_INDEX,
	PRIVATE_HAS_BITMAP,
	PRIVATE_MORE_ROWS,
	PRIVATE_INCLUSIVE,			/* a list, of the bounds */
	PRIVATE_TABLE_ROWS,
	PRIVATE_MATCHING_ROWS,
	PRIVATE_BITMAP_ROWS,
	PRIVATE_BITMAP_COST,
	PRIVATE_IS_GENERIC,
	PRIVATE_HAS_POLICIES,
	PRIVATE_ADVICE
};

static Plan *make_plan(PlannerInfo *root, RelOptInfo *rel, CustomPath *best_path,
					   List *tlist, List *clauses, List *custom_plans);
static BitmapHeapScan *find_bitmap_scan(Plan *plan);
static Node *make_int(int64 value);
static Node *make_double(double value);
static Node *make_text(const char *value);
static int64 read_int(const List *list, int n);
static double read_double(const List *list, int n);

const CustomPathMethods vdb_scan_path_methods = {
	.CustomName = VDB_SCAN_NAME,
	.PlanCustomPath = make_plan
};

/*
 * PlanCustomPath.  Of the bitmap heap scan only the bitmap remains, and what
 * the planner has made of the conditions: which of them the bitmap answers, and
 * the others in order, by their security levels above all.
 */
static Plan *
make_plan(PlannerInfo *root, RelOptInfo *rel, CustomPath *best_path,
		  List *tlist, List *clauses, List *custom_plans)
{
	VdbScanPlan plan = ((VdbScanPath *) best_path)->plan;
	CustomScan *scan = makeNode(CustomScan);

	if (plan.has_bitmap)
	{
		BitmapHeapScan *bitmap = find_bitmap_scan(linitial(custom_plans));

		scan->scan.plan.qual = bitmap->scan.plan.qual;
		scan->custom_plans = list_make1(outerPlan(bitmap));
		plan.recheck = bitmap->bitmapqualorig;
	}
	else
	{
		scan->scan.plan.qual = extract_actual_clauses(clauses, false);
		plan.advice = vdb_index_advice(root, &((VdbScanPath *) best_path)->order);
	}
	scan->scan.plan.targetlist = tlist;
	scan->scan.scanrelid = rel->relid;
	scan->flags = best_path->flags;
	scan->methods = &vdb_scan_methods;
	vdb_scan_plan_write(scan, &plan);
	return &scan->scan.plan;
}

/*
 * The bitmap heap scan, on which the planner may have put a Result for
 * conditions without columns.  (It puts one on us, too.)
 */
static BitmapHeapScan *
find_bitmap_scan(Plan *plan)
{
	while (IsA(plan, Result) && outerPlan(plan) != NULL)
		plan = outerPlan(plan);
	return castNode(BitmapHeapScan, plan);
}

void
vdb_scan_plan_write(CustomScan *scan, const VdbScanPlan *plan)
{
	List	   *values = NIL;
	List	   *inclusive = NIL;
	List	   *private;
	ListCell   *lc;

	foreach(lc, plan->bounds)
	{
		VdbScanBound *bound = lfirst(lc);

		values = lappend(values, bound->value);
		inclusive = lappend(inclusive, make_int(bound->is_inclusive));
	}
	scan->custom_exprs = list_make5(plan->distance, plan->query, plan->recheck,
									plan->limit != NULL ? list_make1(plan->limit) : NIL,
									values);

	private = list_make4(make_int(plan->index), make_int(plan->has_bitmap),
						 make_int(plan->more_rows), inclusive);
	private = lappend(private, make_double(plan->table_rows));
	private = lappend(private, make_double(plan->matching_rows));
	private = lappend(private, make_double(plan->bitmap_rows));
	private = lappend(private, make_double(plan->bitmap_cost));
	private = lappend(private, make_int(plan->is_generic));
	private = lappend(private, make_int(plan->has_policies));
	private = lappend(private, make_text(plan->advice));
	scan->custom_private = private;
}

void
vdb_scan_plan_read(const CustomScan *scan, VdbScanPlan *plan)
{
	const List *exprs = scan->custom_exprs;
	const List *private = scan->custom_private;
	List	   *limit = list_nth(exprs, EXPR_LIMIT);
	List	   *inclusive = list_nth(private, PRIVATE_INCLUSIVE);
	List	   *values = list_nth(exprs, EXPR_BOUNDS);
	Const	   *advice = list_nth(private, PRIVATE_ADVICE);

	plan->index = (Oid) read_int(private, PRIVATE_INDEX);
	plan->distance = list_nth(exprs, EXPR_DISTANCE);
	plan->query = list_nth(exprs, EXPR_QUERY);
	plan->has_bitmap = read_int(private, PRIVATE_HAS_BITMAP) != 0;
	plan->recheck = list_nth(exprs, EXPR_RECHECK);
	plan->limit = limit != NIL ? linitial(limit) : NULL;
	plan->more_rows = (int) read_int(private, PRIVATE_MORE_ROWS);
	plan->bounds = NIL;
	for (int i = 0; i < list_length(values); i++)
	{
		VdbScanBound *bound = palloc(sizeof(VdbScanBound));

		bound->value = list_nth(values, i);
		bound->is_inclusive = read_int(inclusive, i) != 0;
		plan->bounds = lappend(plan->bounds, bound);
	}
	plan->table_rows = read_double(private, PRIVATE_TABLE_ROWS);
	plan->matching_rows = read_double(private, PRIVATE_MATCHING_ROWS);
	plan->bitmap_rows = read_double(private, PRIVATE_BITMAP_ROWS);
	plan->bitmap_cost = read_double(private, PRIVATE_BITMAP_COST);
	plan->is_generic = read_int(private, PRIVATE_IS_GENERIC) != 0;
	plan->has_policies = read_int(private, PRIVATE_HAS_POLICIES) != 0;
	plan->advice = advice->constisnull ? NULL : DatumGetCString(advice->constvalue);
}

static Node *
make_int(int64 value)
{
	return (Node *) makeConst(INT8OID, -1, InvalidOid, sizeof(int64),
							  Int64GetDatum(value), false, FLOAT8PASSBYVAL);
}

static Node *
make_double(double value)
{
	return (Node *) makeConst(FLOAT8OID, -1, InvalidOid, sizeof(float8),
							  Float8GetDatum(value), false, FLOAT8PASSBYVAL);
}

/*
 * A C string, which may be NULL.
 */
static Node *
make_text(const char *value)
{
	return (Node *) makeConst(CSTRINGOID, -1, InvalidOid, -2,
							  value != NULL ? CStringGetDatum(value) : (Datum) 0,
							  value == NULL, false);
}

static int64
read_int(const List *list, int n)
{
	return DatumGetInt64(list_nth_node(Const, list, n)->constvalue);
}

static double
read_double(const List *list, int n)
{
	return DatumGetFloat8(list_nth_node(Const, list, n)->constvalue);
}
