/*-------------------------------------------------------------------------
 *
 * advice.c
 *	  Which index would serve conditions that none serves.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "access/sysattr.h"
#include "catalog/namespace.h"
#include "catalog/pg_am.h"
#include "commands/defrem.h"
#include "lib/stringinfo.h"
#include "nodes/makefuncs.h"
#include "nodes/nodeFuncs.h"
#include "optimizer/clauses.h"
#include "optimizer/cost.h"
#include "optimizer/optimizer.h"
#include "parser/parsetree.h"
#include "planner/path.h"
#include "rewrite/rewriteManip.h"
#include "utils/builtins.h"
#include "utils/lsyscache.h"
#include "utils/ruleutils.h"

/* The operator class of filters, in the schema of all that is the extension's */
#define FILTER_OPCLASS "jsonb_filter_ops"

/* An index that would serve a condition */
typedef struct Candidate
{
	Node	   *key;			/* a column of the table, or an expression of it */
	const char *method;
	const char *opclass;		/* NULL: the default */
} Candidate;

static bool find_candidate(const VdbOrder *order, Expr *clause, Candidate *candidate);
static bool match_operator(const VdbOrder *order, Oid operator, Node * key, Node *value,
						   Candidate *candidate);
static bool is_indexable(const VdbOrder *order, Node *key);
static char *find_filter_class(Oid schema, Oid operator);
static bool is_in_default_class(Oid operator, Oid type, Oid method);
static char *make_command(Oid table, Index varno, const Candidate *candidate);

/*
 * What to do so that the next such query finds its rows by an index: for the
 * condition that few rows satisfy, as an SQL command.  NULL if none would help.
 */
char *
vdb_index_advice(PlannerInfo *root, const VdbOrder *order)
{
	RelOptInfo *rel = order->index->rel;
	Candidate	best = {NULL};
	Selectivity best_share = 2;
	ListCell   *lc;

	foreach(lc, vdb_find_conditions(order))
	{
		RestrictInfo *info = lfirst_node(RestrictInfo, lc);
		Candidate	candidate;
		Selectivity share;

		if (!find_candidate(order, info->clause, &candidate))
			continue;
		share = clause_selectivity(root, (Node *) info, 0, JOIN_INNER, NULL);
		if (share < best_share)
		{
			best = candidate;
			best_share = share;
		}
	}
	if (best.key == NULL)
		return NULL;
	if (!enable_bitmapscan)
		return pstrdup("SET enable_bitmapscan = on");
	return make_command(planner_rt_fetch(rel->relid, root)->relid, rel->relid, &best);
}

/*
 * An index for a condition.  False if there is none.
 */
static bool
find_candidate(const VdbOrder *order, Expr *clause, Candidate *candidate)
{
	Oid			operator;
	List	   *args;

	if (IsA(clause, OpExpr))
	{
		operator=((OpExpr *) clause)->opno;
		args = ((OpExpr *) clause)->args;
	}
	else if (IsA(clause, ScalarArrayOpExpr) && ((ScalarArrayOpExpr *) clause)->useOr)
	{
		operator=((ScalarArrayOpExpr *) clause)->opno;
		args = ((ScalarArrayOpExpr *) clause)->args;
	}
	else
		return false;
	if (list_length(args) != 2)
		return false;

	if (match_operator(order, operator, linitial(args), lsecond(args), candidate))
		return true;
	operator= get_commutator(operator);
	return IsA(clause, OpExpr) && OidIsValid(operator) &&
		match_operator(order, operator, lsecond(args), linitial(args), candidate);
}

/*
 * An index for "key operator value".  False if there is none.
 */
static bool
match_operator(const VdbOrder *order, Oid operator, Node * key, Node *value, Candidate *candidate)
{
	Oid			type = exprType(key);
	Oid			schema = get_func_namespace(((OpExpr *) order->distance)->opfuncid);

	if (!is_indexable(order, key) || contain_var_clause(value))
		return false;
	candidate->key = key;
	candidate->opclass = find_filter_class(schema, operator);
	if (candidate->opclass != NULL)
	{
		candidate->method = "gin";
		return true;
	}
	if (is_in_default_class(operator, type, BTREE_AM_OID))
	{
		candidate->method = NULL;
		return true;
	}
	candidate->method = "gin";
	return is_in_default_class(operator, type, GIN_AM_OID);
}

/*
 * Is it made of columns of the table alone, and always the same for a row?  Not
 * of the vector: conditions on distances need no index but the one there is.
 */
static bool
is_indexable(const VdbOrder *order, Node *key)
{
	Index		table = order->index->rel->relid;
	Bitmapset  *columns = NULL;
	Bitmapset  *vector = NULL;
	int			column = -1;

	pull_varattnos(key, table, &columns);
	pull_varattnos((Node *) order->column, table, &vector);
	if (bms_is_empty(columns) || bms_overlap(columns, vector) ||
		contain_mutable_functions(key) || contain_subplans(key))
		return false;
	while ((column = bms_next_member(columns, column)) >= 0)
	{
		if (column + FirstLowInvalidHeapAttributeNumber <= 0)
			return false;
	}
	return true;
}

/*
 * The name of the operator class of filters, if it has the operator, else NULL.
 */
static char *
find_filter_class(Oid schema, Oid operator)
{
	char	   *schema_name = get_namespace_name(schema);
	Oid			opclass;

	if (schema_name == NULL)
		return NULL;
	opclass = get_opclass_oid(GIN_AM_OID,
							  list_make2(makeString(schema_name), makeString(FILTER_OPCLASS)),
							  true);
	if (!OidIsValid(opclass) || !op_in_opfamily(operator, get_opclass_family(opclass)))
		return NULL;
	return quote_qualified_identifier(OpclassIsVisible(opclass) ? NULL : schema_name,
									  FILTER_OPCLASS);
}

static bool
is_in_default_class(Oid operator, Oid type, Oid method)
{
	Oid			opclass = GetDefaultOpClass(type, method);

	return OidIsValid(opclass) && op_in_opfamily(operator, get_opclass_family(opclass));
}

static char *
make_command(Oid table, Index varno, const Candidate *candidate)
{
	char	   *name = get_rel_name(table);
	char	   *schema = NULL;
	Node	   *key = copyObject(candidate->key);
	StringInfoData command;
	char	   *text;

	if (!RelationIsVisible(table))
		schema = get_namespace_name(get_rel_namespace(table));
	initStringInfo(&command);
	appendStringInfo(&command, "CREATE INDEX ON %s ", quote_qualified_identifier(schema, name));
	if (candidate->method != NULL)
		appendStringInfo(&command, "USING %s ", candidate->method);

	if (IsA(key, RelabelType) && IsA(((RelabelType *) key)->arg, Var))
		key = (Node *) ((RelabelType *) key)->arg;
	/* names of the one table only */
	ChangeVarNodes(key, varno, 1, 0);
	text = deparse_expression(key, deparse_context_for(name, table), false, false);
	appendStringInfo(&command, IsA(key, Var) ? "(%s" : "((%s)", text);
	if (candidate->opclass != NULL)
		appendStringInfo(&command, " %s", candidate->opclass);
	appendStringInfoChar(&command, ')');
	return command.data;
}
