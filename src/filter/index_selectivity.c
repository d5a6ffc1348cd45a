/*-------------------------------------------------------------------------
 *
 * index_selectivity.c
 *	  Which share of a table's rows a filter lets through, as an index tells.
 *
 * The planner's own way, matchingsel(), tries the filter on the hundred documents
 * that ANALYZE has kept: dear, and blind for what fewer than one in a hundred
 * has.  An index of jsonb_filter_ops knows for each key how many rows have it.
 * What it does not know is how conditions go together: they are taken for
 * independent.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "access/genam.h"
#include "catalog/pg_am.h"
#include "filter/index_count.h"
#include "filter/index_query.h"
#include "nodes/pathnodes.h"
#include "utils/lsyscache.h"
#include "utils/memutils.h"
#include "utils/selfuncs.h"

/* Keys of one condition that are counted; others are like them */
#define MAX_COUNTED_KEYS 32

/* The share of rows of which nothing is known that a condition lets through */
#define UNKNOWN_SHARE 0.1

static bool index_share(PlannerInfo *root, Oid operator, List * args, int var_relid, double *share);
static IndexOptInfo *find_index(const VariableStatData *variable, Oid operator, int * column,
								int *strategy);
static double node_share(VdbKeyCounter *counter, const VdbIndexQuery *query,
						 const VdbIndexNode *node, double rows);
static double keys_share(VdbKeyCounter *counter, const VdbIndexQuery *query,
						 const VdbIndexNode *node, double rows);

PG_FUNCTION_INFO_V1(vdb_filter_selectivity);

/* The restriction estimator of @~ */
Datum
vdb_filter_selectivity(PG_FUNCTION_ARGS)
{
	PlannerInfo *root = (PlannerInfo *) PG_GETARG_POINTER(0);
	Oid operator= PG_GETARG_OID(1);
	List	   *args = (List *) PG_GETARG_POINTER(2);
	int			var_relid = PG_GETARG_INT32(3);
	double		share;

	if (!index_share(root, operator, args, var_relid, &share))
		share = generic_restriction_selectivity(root, operator, PG_GET_COLLATION(), args,
												var_relid, DEFAULT_MATCHING_SEL);
	PG_RETURN_FLOAT8(share);
}

/*
 * False if no index tells: none there, or the filter not known.
 */
static bool
index_share(PlannerInfo *root, Oid operator, List * args, int var_relid, double *share)
{
	VariableStatData variable;
	Node	   *other;
	bool		is_left;
	IndexOptInfo *info = NULL;
	int			column;
	int			strategy;

	if (!get_restriction_variable(root, args, var_relid, &variable, &other, &is_left))
		return false;
	if (is_left && IsA(other, Const) && !((Const *) other)->constisnull)
		info = find_index(&variable, operator, & column, &strategy);
	if (info != NULL)
	{
		/* the planner has it locked */
		Relation	index = index_open(info->indexoid, NoLock);

		*share = vdb_index_selectivity(index, (AttrNumber) (column + 1),
									   ((Const *) other)->constvalue,
									   (StrategyNumber) strategy, variable.rel->tuples);
		index_close(index, NoLock);
	}
	ReleaseVariableStats(variable);
	return info != NULL;
}

/*
 * A GIN index of all rows of the table whose column is the variable and whose
 * operator class, ours, has the operator.
 */
static IndexOptInfo *
find_index(const VariableStatData *variable, Oid operator, int * column, int *strategy)
{
	ListCell   *lc;

	if (variable->rel == NULL || variable->rel->rtekind != RTE_RELATION ||
		!IsA(variable->var, Var) || variable->rel->tuples < 1)
		return NULL;
	foreach(lc, variable->rel->indexlist)
	{
		IndexOptInfo *index = lfirst_node(IndexOptInfo, lc);

		if (index->relam != GIN_AM_OID || index->hypothetical || index->indpred != NIL)
			continue;
		for (int i = 0; i < index->nkeycolumns; i++)
		{
			if (index->indexkeys[i] != ((Var *) variable->var)->varattno)
				continue;
			*column = i;
			*strategy = get_op_opfamily_strategy(operator, index->opfamily[i]);
			if (*strategy == VDB_INDEX_MATCH)
				return index;
		}
	}
	return NULL;
}

/*
 * The share of so many rows of a table for which the operator of a strategy is
 * true, with this argument on its right, by the keys of an index's column, from 1.
 */
double
vdb_index_selectivity(Relation index, AttrNumber column, Datum argument,
					  StrategyNumber strategy, double rows)
{
	MemoryContext context = AllocSetContextCreate(CurrentMemoryContext, "filter selectivity",
												  ALLOCSET_DEFAULT_SIZES);
	MemoryContext old = MemoryContextSwitchTo(context);
	VdbKeyCounter *counter = vdb_key_counter_create(index, column);
	VdbIndexQuery *query = vdb_index_make_query(DatumGetJsonbP(argument), strategy);
	double		share = node_share(counter, query, query->root, Max(rows, 1));

	MemoryContextSwitchTo(old);
	MemoryContextDelete(context);
	return Max(share, 0.5 / Max(rows, 1));
}

static double
node_share(VdbKeyCounter *counter, const VdbIndexQuery *query, const VdbIndexNode *node,
		   double rows)
{
	double		share = 1;
	ListCell   *lc;

	switch (node->kind)
	{
		case VDB_INDEX_AND:
			foreach(lc, node->children)
				share *= node_share(counter, query, lfirst(lc), rows);
			return share;
		case VDB_INDEX_OR:
			foreach(lc, node->children)
				share *= 1 - node_share(counter, query, lfirst(lc), rows);
			return 1 - share;
		case VDB_INDEX_NOT:
			return 1 - node_share(counter, query, linitial(node->children), rows);
		case VDB_INDEX_ANY_KEY:
		case VDB_INDEX_ALL_KEYS:
			return keys_share(counter, query, node, rows);
		case VDB_INDEX_RANGE:
			return Min(vdb_count_range(counter, node->range->begin,
									   PointerGetDatum(node->range->end)) /
						   rows,
					   1);
		default:
			Assert(node->kind == VDB_INDEX_UNKNOWN);
			return UNKNOWN_SHARE;
	}
}

/*
 * Values that a path has exclude each other, elements of an array do not: the
 * shares of any of them are added.
 */
static double
keys_share(VdbKeyCounter *counter, const VdbIndexQuery *query, const VdbIndexNode *node,
		   double rows)
{
	int			ncounted = Min(node->nkeys, MAX_COUNTED_KEYS);
	double		any = 0;
	double		all = 1;

	for (int i = 0; i < ncounted; i++)
	{
		int			n = (int) ((int64) i * node->nkeys / ncounted);
		double		share = Min(vdb_count_key(counter, query->keys[node->first + n]) / rows, 1);

		any += share;
		all *= share;
	}
	if (node->kind == VDB_INDEX_ALL_KEYS)
		return all;
	return ncounted > 0 ? Min(any * node->nkeys / ncounted, 1) : 0;
}
