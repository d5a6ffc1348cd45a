/*-------------------------------------------------------------------------
 *
 * index_consistent.c
 *	  Decides about a row by the keys that it has.
 *
 * In three values: a row that has an exact key meets the condition, one that
 * has another key may meet it, one that has none does not (I1, I2).  NOT of
 * "maybe" is "maybe", so negation needs no care.  "Maybe" in the end means that
 * the executor rechecks the row.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "filter/index_query.h"

static GinTernaryValue decide(const VdbIndexQuery *query, const GinTernaryValue *check);
static GinTernaryValue evaluate_and(const VdbIndexNode *node, const GinTernaryValue *check);
static GinTernaryValue evaluate_or(const VdbIndexNode *node, const GinTernaryValue *check);
static GinTernaryValue evaluate_any_key(const VdbIndexNode *node, const GinTernaryValue *check);
static GinTernaryValue evaluate_all_keys(const VdbIndexNode *node, const GinTernaryValue *check);

PG_FUNCTION_INFO_V1(vdb_index_consistent);
PG_FUNCTION_INFO_V1(vdb_index_triconsistent);

/* GIN's consistent, where it is known of each key whether the row has it */
Datum
vdb_index_consistent(PG_FUNCTION_ARGS)
{
	const bool *check = (const bool *) PG_GETARG_POINTER(0);
	Pointer    *extra_data = (Pointer *) PG_GETARG_POINTER(4);
	bool	   *recheck = (bool *) PG_GETARG_POINTER(5);
	GinTernaryValue result = decide((VdbIndexQuery *) extra_data[0],
									(const GinTernaryValue *) check);

	*recheck = result == GIN_MAYBE;
	PG_RETURN_BOOL(result != GIN_FALSE);
}

/* GIN's triConsistent, where it may be unknown */
Datum
vdb_index_triconsistent(PG_FUNCTION_ARGS)
{
	const GinTernaryValue *check = (const GinTernaryValue *) PG_GETARG_POINTER(0);
	Pointer    *extra_data = (Pointer *) PG_GETARG_POINTER(4);

	PG_RETURN_GIN_TERNARY_VALUE(decide((VdbIndexQuery *) extra_data[0], check));
}

/* Of an unindexed row nothing is known, whatever keys it lacks (I5). */
static GinTernaryValue
decide(const VdbIndexQuery *query, const GinTernaryValue *check)
{
	if (check[0] != GIN_FALSE)
		return GIN_MAYBE;
	return vdb_index_evaluate(query->root, check);
}

/* The node's value for what is known of each of the query's keys. */
GinTernaryValue
vdb_index_evaluate(const VdbIndexNode *node, const GinTernaryValue *check)
{
	GinTernaryValue value;

	switch (node->kind)
	{
		case VDB_INDEX_AND:
			return evaluate_and(node, check);
		case VDB_INDEX_OR:
			return evaluate_or(node, check);
		case VDB_INDEX_NOT:
			value = vdb_index_evaluate(linitial(node->children), check);
			return value == GIN_MAYBE ? GIN_MAYBE : !value;
		case VDB_INDEX_ANY_KEY:
			return evaluate_any_key(node, check);
		case VDB_INDEX_ALL_KEYS:
			return evaluate_all_keys(node, check);
		case VDB_INDEX_RANGE:
			if (node->range->gave_up)
				return GIN_MAYBE;
			return evaluate_any_key(node, check);
		default:
			Assert(node->kind == VDB_INDEX_UNKNOWN);
			return GIN_MAYBE;
	}
}

static GinTernaryValue
evaluate_and(const VdbIndexNode *node, const GinTernaryValue *check)
{
	GinTernaryValue result = GIN_TRUE;
	ListCell   *lc;

	foreach(lc, node->children)
	{
		GinTernaryValue value = vdb_index_evaluate(lfirst(lc), check);

		if (value == GIN_FALSE)
			return GIN_FALSE;
		if (value == GIN_MAYBE)
			result = GIN_MAYBE;
	}
	return result;
}

static GinTernaryValue
evaluate_or(const VdbIndexNode *node, const GinTernaryValue *check)
{
	GinTernaryValue result = GIN_FALSE;
	ListCell   *lc;

	foreach(lc, node->children)
	{
		GinTernaryValue value = vdb_index_evaluate(lfirst(lc), check);

		if (value == GIN_TRUE)
			return GIN_TRUE;
		if (value == GIN_MAYBE)
			result = GIN_MAYBE;
	}
	return result;
}

/* By memchr(), since there may be thousands of keys and GIN asks as often. */
static GinTernaryValue
evaluate_any_key(const VdbIndexNode *node, const GinTernaryValue *check)
{
	const GinTernaryValue *first = check + node->first;

	if (memchr(first, GIN_TRUE, node->nexact))
		return GIN_TRUE;
	if (memchr(first + node->nexact, GIN_TRUE, node->nkeys - node->nexact) ||
		memchr(first, GIN_MAYBE, node->nkeys))
		return GIN_MAYBE;
	return GIN_FALSE;
}

static GinTernaryValue
evaluate_all_keys(const VdbIndexNode *node, const GinTernaryValue *check)
{
	const GinTernaryValue *first = check + node->first;

	if (memchr(first, GIN_FALSE, node->nkeys))
		return GIN_FALSE;
	if (node->nexact < node->nkeys || memchr(first, GIN_MAYBE, node->nkeys))
		return GIN_MAYBE;
	return GIN_TRUE;
}
