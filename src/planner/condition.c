/*-------------------------------------------------------------------------
 *
 * condition.c
 *	  What a query wants of the rows: conditions, limits of the distance, their
 *	  number.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "catalog/pg_operator.h"
#include "catalog/pg_type.h"
#include "common/int.h"
#include "nodes/makefuncs.h"
#include "nodes/nodeFuncs.h"
#include "optimizer/clauses.h"
#include "optimizer/optimizer.h"
#include "planner/path.h"
#include "utils/fmgroids.h"

/*
 * Rows that an incremental sort may read beyond those that it has been asked
 * for: it sorts in groups of at least this many (DEFAULT_MIN_GROUP_SIZE in
 * nodeIncrementalSort.c) unless it has been told how many are wanted in all.
 */
#define SORT_GROUP 32

/* LIMIT + OFFSET are not above this, so that their sum is an int8 */
#define MAX_ROWS (PG_INT64_MAX / 2)

static bool is_about_nulls(const VdbOrder *order, Expr *clause);
static VdbScanBound *match_bound(const VdbOrder *order, Expr *clause);
static bool find_comparison(Oid function, bool *is_less, bool *is_inclusive);
static VdbScanBound *make_bound(const VdbOrder *order, Expr *left, Expr *value,
								bool is_less, bool is_inclusive);
static bool is_known(Node *node);
static Expr *add_offset(Node *count, Node *offset);
static Expr *cap(Node *node);

/*
 * The conditions, of RestrictInfo *, that say of the rows in an index which are
 * wanted: not those that say that there is a distance, nor those that the
 * predicate of the index implies, nor those that have no columns.
 */
List *
vdb_find_conditions(const VdbOrder *order)
{
	List	   *conditions = NIL;
	ListCell   *lc;

	foreach(lc, order->index->indrestrictinfo)
	{
		RestrictInfo *info = lfirst_node(RestrictInfo, lc);

		if (!info->pseudoconstant && !is_about_nulls(order, info->clause))
			conditions = lappend(conditions, info);
	}
	return conditions;
}

/*
 * Is it IS NOT NULL of the column, of the distance, or of what is sorted by?
 */
static bool
is_about_nulls(const VdbOrder *order, Expr *clause)
{
	NullTest   *test = (NullTest *) clause;

	return IsA(clause, NullTest) && test->nulltesttype == IS_NOT_NULL && !test->argisrow &&
		(equal(test->arg, order->column) || equal(test->arg, order->distance) ||
		 equal(test->arg, order->sorted) ||
		 (IsA(order->column, RelabelType) &&
		  equal(test->arg, ((RelabelType *) order->column)->arg)));
}

/*
 * The limits that conditions set to the distance, of VdbScanBound *.
 */
List *
vdb_find_bounds(const VdbOrder *order, List *conditions)
{
	List	   *bounds = NIL;
	ListCell   *lc;

	foreach(lc, conditions)
	{
		VdbScanBound *bound = match_bound(order, lfirst_node(RestrictInfo, lc)->clause);

		if (bound != NULL)
			bounds = lappend(bounds, bound);
	}
	return bounds;
}

/*
 * The limit of the distance that a condition sets, or NULL: a comparison of the
 * distance, or of what rises or falls with it, with a value that is the same
 * for all rows.
 */
static VdbScanBound *
match_bound(const VdbOrder *order, Expr *clause)
{
	VdbScanBound *bound;
	Expr	   *left;
	Expr	   *right;
	bool		is_less;
	bool		is_inclusive;

	if (!IsA(clause, OpExpr) || list_length(((OpExpr *) clause)->args) != 2)
		return NULL;
	set_opfuncid((OpExpr *) clause);
	if (!find_comparison(((OpExpr *) clause)->opfuncid, &is_less, &is_inclusive))
		return NULL;

	left = linitial(((OpExpr *) clause)->args);
	right = lsecond(((OpExpr *) clause)->args);
	bound = make_bound(order, left, right, is_less, is_inclusive);
	if (bound == NULL)
		bound = make_bound(order, right, left, !is_less, is_inclusive);
	return bound;
}

static bool
find_comparison(Oid function, bool *is_less, bool *is_inclusive)
{
	switch (function)
	{
		case F_FLOAT8LT:
		case F_FLOAT8LE:
		case F_FLOAT8GT:
		case F_FLOAT8GE:
			*is_less = function == F_FLOAT8LT || function == F_FLOAT8LE;
			*is_inclusive = function == F_FLOAT8LE || function == F_FLOAT8GE;
			return true;
		default:
			return false;
	}
}

/*
 * The limit of the distance that "expr < value" sets, or "expr > value".  What
 * is not the bare distance is rounded, so its limit is moved outwards, and
 * includes the limit itself; the condition decides about rows that close.
 */
static VdbScanBound *
make_bound(const VdbOrder *order, Expr *expr, Expr *value, bool is_less, bool is_inclusive)
{
	VdbScanBound *bound;
	VdbMonotone monotone;
	Expr	   *distance;
	Expr	   *limit;

	vdb_peel_steps(expr, &monotone);
	distance = vdb_match_distance(order->index, &monotone);
	if (distance == NULL || monotone.is_falling == is_less ||
		!equal(distance, order->distance) || !is_known((Node *) value))
		return NULL;
	limit = vdb_undo_steps(&monotone, value);
	if (limit == NULL)
		return NULL;

	bound = palloc(sizeof(VdbScanBound));
	bound->value = limit;
	bound->is_inclusive = is_inclusive || monotone.nsteps > 0;
	return bound;
}

/*
 * Can it be evaluated before there are rows, and again?
 */
static bool
is_known(Node *node)
{
	return !contain_var_clause(node) && !contain_volatile_functions(node) &&
		!contain_subplans(node);
}

/*
 * LIMIT + OFFSET, if that many rows of a scan are all that the query wants,
 * else NULL.  (FOR UPDATE may drop some of them, SKIP LOCKED too: it is a hint.)
 */
Expr *
vdb_find_limit(PlannerInfo *root, RelOptInfo *rel)
{
	Query	   *parse = root->parse;
	Const	   *count = (Const *) parse->limitCount;

	if (count == NULL || (IsA(count, Const) && count->constisnull) ||
		!is_known((Node *) count) || !is_known(parse->limitOffset) ||
		!vdb_is_only_table(root, rel) ||
		parse->groupClause != NIL || parse->groupingSets != NIL ||
		parse->distinctClause != NIL || parse->hasAggs || parse->hasWindowFuncs ||
		parse->hasTargetSRFs || root->hasHavingQual || parse->setOperations != NULL)
		return NULL;
	return add_offset((Node *) count, parse->limitOffset);
}

/*
 * Are a table's rows, with those of its siblings, all that is joined?
 */
bool
vdb_is_only_table(PlannerInfo *root, RelOptInfo *rel)
{
	return bms_equal(rel->top_parent_relids != NULL ? rel->top_parent_relids : rel->relids,
					 root->all_baserels);
}

/*
 * The sum of a limit and an offset, which may be NULL.  It is never an error.
 */
static Expr *
add_offset(Node *count, Node *offset)
{
	CoalesceExpr *coalesce;

	if (offset == NULL || (IsA(offset, Const) && ((Const *) offset)->constisnull))
		return (Expr *) count;
	if (IsA(count, Const) && IsA(offset, Const))
	{
		int64		sum;

		if (pg_add_s64_overflow(DatumGetInt64(((Const *) count)->constvalue),
								DatumGetInt64(((Const *) offset)->constvalue), &sum))
			return NULL;
		return (Expr *) makeConst(INT8OID, -1, InvalidOid, sizeof(int64),
								  Int64GetDatum(sum), false, FLOAT8PASSBYVAL);
	}

	/* no offset is an offset of 0; no limit is a large one */
	coalesce = makeNode(CoalesceExpr);
	coalesce->coalescetype = INT8OID;
	coalesce->coalescecollid = InvalidOid;
	coalesce->args = list_make2(offset,
								makeConst(INT8OID, -1, InvalidOid, sizeof(int64),
										  Int64GetDatum(0), false, FLOAT8PASSBYVAL));
	coalesce->location = -1;
	return (Expr *) makeFuncExpr(F_INT8PL, INT8OID,
								 list_make2(cap(count), cap((Node *) coalesce)),
								 InvalidOid, InvalidOid, COERCE_EXPLICIT_CALL);
}

/*
 * The number, or MAX_ROWS if that is less or if it is NULL.
 */
static Expr *
cap(Node *node)
{
	MinMaxExpr *least = makeNode(MinMaxExpr);

	least->minmaxtype = INT8OID;
	least->minmaxcollid = InvalidOid;
	least->inputcollid = InvalidOid;
	least->op = IS_LEAST;
	least->args = list_make2(node, makeConst(INT8OID, -1, InvalidOid, sizeof(int64), Int64GetDatum(MAX_ROWS), false, FLOAT8PASSBYVAL));
	least->location = -1;
	return (Expr *) least;
}

/*
 * How many rows more than LIMIT + OFFSET the nodes above may read.  An
 * incremental sort reads on to the end of a group of equal distances, so one
 * row more where it knows the limit; it does not below FOR UPDATE and under
 * WITH TIES.  WITH TIES itself reads on to the first row that is not tied.
 */
int
vdb_more_rows(PlannerInfo *root, const VdbOrder *order)
{
	bool		has_ties = root->parse->limitOption == LIMIT_OPTION_WITH_TIES;

	if (order->is_prefix)
		return has_ties || root->parse->rowMarks != NIL ? SORT_GROUP : 1;
	return has_ties ? 1 : 0;
}
