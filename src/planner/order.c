/*-------------------------------------------------------------------------
 *
 * order.c
 *	  Which of a query's orders are by a distance that an hnsw index gives.
 *
 * The planner itself finds ORDER BY column <operator> value, ascending.  This
 * finds also what rises or falls with the distance (monotone.c), the functions
 * that the operators are made of, and orders that go on after the distance.
 *
 * The index has no rows without a distance.  Where NULLs come last they are
 * left out, as by plain scans of the index; where they come first, there must
 * not be any.
 *
 *-------------------------------------------------------------------------
 */
#include "pg_compat_plan.h"

#include "access/stratnum.h"
#include "catalog/pg_type.h"
#include "hnsw/hnsw.h"
#include "nodes/makefuncs.h"
#include "nodes/nodeFuncs.h"
#include "optimizer/clauses.h"
#include "optimizer/optimizer.h"
#include "optimizer/paths.h"
#include "parser/parsetree.h"
#include "planner/path.h"
#include "utils/lsyscache.h"

/* The operator that an operator class orders by */
#define ORDER_STRATEGY 1

/* The function whose result is the negative of another's, <type>_negative_... */
#define INNER_PRODUCT "inner_product"
#define NEGATIVE_INNER_PRODUCT "_negative_inner_product"

static VdbOrder *match_index(PlannerInfo *root, IndexOptInfo *index);
static VdbOrder *match_expr(PlannerInfo *root, IndexOptInfo *index, Expr *expr);
static bool find_operands(Expr *expr, Oid operator, Oid function,
						  List **operands, bool *is_negative);
static bool is_negative_of(Oid function, Oid other);
static bool is_operand(Expr *expr);
static bool may_be_null(PlannerInfo *root, const VdbOrder *order);
static bool is_known_not_null(RelOptInfo *rel, Expr *expr);

/*
 * Does a table have an index that could give an order?  Asked for all tables
 * of all queries that are sorted.
 */
bool
vdb_has_index(const RelOptInfo *rel)
{
	ListCell   *lc;

	foreach(lc, rel->indexlist)
	{
		if (vdb_hnsw_is_index(lfirst_node(IndexOptInfo, lc)))
			return true;
	}
	return false;
}

/*
 * The ways to give the first of a query's sort keys, of VdbOrder *: one for
 * each index that can be used.
 */
List *
vdb_find_orders(PlannerInfo *root, RelOptInfo *rel)
{
	List	   *orders = NIL;
	ListCell   *lc;

	foreach(lc, rel->indexlist)
	{
		IndexOptInfo *index = lfirst_node(IndexOptInfo, lc);
		VdbOrder   *order;

		if (!vdb_hnsw_is_index(index) || index->hypothetical ||
			(index->indpred != NIL && !index->predOK))
			continue;
		order = match_index(root, index);
		if (order != NULL && vdb_hnsw_is_readable(index))
			orders = lappend(orders, order);
	}
	return orders;
}

/*
 * The order that an index gives, if it is the query's, else NULL.
 */
static VdbOrder *
match_index(PlannerInfo *root, IndexOptInfo *index)
{
	PathKey    *key = linitial_node(PathKey, root->query_pathkeys);
	List	   *members;
	ListCell   *lc;

	if (key->pk_eclass->ec_has_volatile)
		return NULL;
	members = vdb_eclass_members(key->pk_eclass, index->rel->relids);
	foreach(lc, members)
	{
		EquivalenceMember *member = lfirst_node(EquivalenceMember, lc);
		VdbOrder   *order;

		if (!bms_equal(member->em_relids, index->rel->relids))
			continue;
		order = match_expr(root, index, member->em_expr);
		if (order != NULL)
			return order;
	}
	return NULL;
}

/*
 * The order that an index gives, if it is that of the expression by the
 * query's first sort key, else NULL.
 */
static VdbOrder *
match_expr(PlannerInfo *root, IndexOptInfo *index, Expr *expr)
{
	PathKey    *key = linitial_node(PathKey, root->query_pathkeys);
	VdbMonotone monotone;
	VdbOrder   *order;
	Expr	   *distance;

	vdb_peel_steps(expr, &monotone);
	distance = vdb_match_distance(index, &monotone);
	if (distance == NULL || monotone.is_falling == vdb_pathkey_is_ascending(key) ||
		get_op_opfamily_sortfamily(((OpExpr *) distance)->opno,
								   index->opfamily[0]) != key->pk_opfamily)
		return NULL;

	order = palloc0(sizeof(VdbOrder));
	order->index = index;
	order->distance = distance;
	order->column = linitial(((OpExpr *) distance)->args);
	order->query = lsecond(((OpExpr *) distance)->args);
	order->sorted = expr;
	order->is_prefix = list_length(root->query_pathkeys) > 1;
	order->is_cores = monotone.nsteps == 0 && IsA(expr, OpExpr) &&
		!key->pk_nulls_first && (!order->is_prefix || VDB_INDEX_PATHS_GIVE_PREFIX);
	if (key->pk_nulls_first && may_be_null(root, order))
		return NULL;
	return order;
}

/*
 * The distance of an index's operator class that is within the steps, as a call
 * of the operator with the index's column on the left, or NULL.  A function
 * that is the distance's negative adds a step.
 */
Expr *
vdb_match_distance(IndexOptInfo *index, VdbMonotone *monotone)
{
	Oid			type = index->opcintype[0];
	Oid			operator;
	Oid			function;
	List	   *operands;
	bool		is_negative;

	operator= get_opfamily_member(index->opfamily[0], type, type, ORDER_STRATEGY);
	if (!OidIsValid(operator))
		return NULL;
	function = get_opcode(operator);
	if (!find_operands(monotone->number, operator, function, &operands, &is_negative))
		return NULL;
	if (is_negative && !vdb_push_step(monotone, VDB_ARITH_NEGATE, 0))
		return NULL;

	/* the operators commute */
	if (!match_index_to_operand(linitial(operands), 0, index))
		operands = list_make2(lsecond(operands), linitial(operands));
	if (!match_index_to_operand(linitial(operands), 0, index) ||
		!is_operand(lsecond(operands)))
		return NULL;

	if (IsA(monotone->number, OpExpr) &&
		linitial(operands) == linitial(((OpExpr *) monotone->number)->args))
		return monotone->number;
	monotone->number = make_opclause(operator, FLOAT8OID, false,
									 linitial(operands), lsecond(operands),
									 InvalidOid, InvalidOid);
	set_opfuncid((OpExpr *) monotone->number);
	return monotone->number;
}

/*
 * The operands of an expression that is a distance, or the negative of one.
 */
static bool
find_operands(Expr *expr, Oid operator, Oid function, List **operands, bool *is_negative)
{
	*is_negative = false;
	if (IsA(expr, OpExpr))
	{
		*operands = ((OpExpr *) expr)->args;
		return ((OpExpr *) expr)->opno == operator;
	}
	if (IsA(expr, FuncExpr))
	{
		FuncExpr   *call = (FuncExpr *) expr;

		*operands = call->args;
		if (call->funcid == function)
			return true;
		*is_negative = is_negative_of(call->funcid, function);
		return *is_negative;
	}
	return false;
}

static bool
ends_with(const char *name, const char *end)
{
	size_t		length = strlen(name);
	size_t		end_length = strlen(end);

	return length >= end_length && strcmp(name + length - end_length, end) == 0;
}

/*
 * Is one function the negative of the other, which is a distance?
 */
static bool
is_negative_of(Oid function, Oid other)
{
	char	   *name = get_func_name(function);
	char	   *other_name = get_func_name(other);
	Oid		   *types;
	Oid		   *other_types;
	int			ntypes;
	int			nother_types;

	if (name == NULL || strcmp(name, INNER_PRODUCT) != 0 ||
		other_name == NULL || !ends_with(other_name, NEGATIVE_INNER_PRODUCT) ||
		get_func_namespace(function) != get_func_namespace(other))
		return false;
	get_func_signature(function, &types, &ntypes);
	get_func_signature(other, &other_types, &nother_types);
	return ntypes == nother_types && memcmp(types, other_types, ntypes * sizeof(Oid)) == 0;
}

/*
 * Is it the same for all rows of a table, and can be evaluated anywhere?
 */
static bool
is_operand(Expr *expr)
{
	return !contain_var_clause((Node *) expr) &&
		!contain_volatile_functions((Node *) expr) &&
		!contain_subplans((Node *) expr);
}

/*
 * May what is sorted by be NULL for a row, while the query's vector is not?
 * (If that is NULL, all rows are alike.)
 */
static bool
may_be_null(PlannerInfo *root, const VdbOrder *order)
{
	RelOptInfo *rel = order->index->rel;
	Node	   *column = (Node *) order->column;

	if (is_known_not_null(rel, order->column) ||
		is_known_not_null(rel, order->distance) ||
		is_known_not_null(rel, order->sorted))
		return false;

	if (IsA(column, RelabelType))
		column = (Node *) ((RelabelType *) column)->arg;
	return !IsA(column, Var) ||
		!vdb_column_is_not_null(rel, planner_rt_fetch(rel->relid, root)->relid,
								((Var *) column)->varattno);
}

/*
 * Do the conditions on a table say that an expression is not NULL?
 */
static bool
is_known_not_null(RelOptInfo *rel, Expr *expr)
{
	NullTest   *test = makeNode(NullTest);

	test->arg = expr;
	test->nulltesttype = IS_NOT_NULL;
	test->argisrow = false;
	test->location = -1;
	return predicate_implied_by(list_make1(test), rel->baserestrictinfo, false);
}
