/*-------------------------------------------------------------------------
 *
 * index_query.c
 *	  The index keys that a query looks up.
 *
 * GIN merges the rows of all keys and asks index_consistent.c about each of
 * them.  A row that has none of the keys never comes up, so if the query can be
 * true for such a row, VDB_KEY_ALL is among the keys; otherwise it is not, and
 * "rare and not frequent" reads no more than the rare rows (I4).
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "filter/index_query.h"

static VdbIndexNode *make_root(VdbIndexQuery *query, VdbIndexNode *condition);
static int	add_values(VdbIndexQuery *query, const VdbKey *path, bool is_element,
					   const JsonbValue *values, int nvalues, bool is_exact);

PG_FUNCTION_INFO_V1(vdb_index_extract_query);

/* GIN's extractQuery: the keys to look up for a filter or a contained document */
Datum
vdb_index_extract_query(PG_FUNCTION_ARGS)
{
	int32	   *nkeys = (int32 *) PG_GETARG_POINTER(1);
	bool	  **is_partial = (bool **) PG_GETARG_POINTER(3);
	Pointer   **extra_data = (Pointer **) PG_GETARG_POINTER(4);
	VdbIndexQuery *query = vdb_index_make_query(PG_GETARG_JSONB_P(0), PG_GETARG_UINT16(2));
	int			i;

	*nkeys = query->nkeys;
	*is_partial = palloc(query->nkeys * sizeof(bool));
	*extra_data = palloc(query->nkeys * sizeof(Pointer));
	for (i = 0; i < query->nkeys; i++)
	{
		(*is_partial)[i] = query->ranges[i] != NULL;
		(*extra_data)[i] = (Pointer) query->ranges[i];
	}
	Assert(query->ranges[0] == NULL);
	(*extra_data)[0] = (Pointer) query;
	PG_RETURN_POINTER(query->keys);
}

/* The query of an operator of the class with this argument on the right. */
VdbIndexQuery *
vdb_index_make_query(Jsonb *argument, StrategyNumber strategy)
{
	VdbIndexQuery *query = palloc0(sizeof(VdbIndexQuery));
	VdbIndexNode *condition;
	VdbKey		key;

	vdb_key_start(&key, VDB_KEY_UNINDEXED);
	vdb_index_add_key(query, vdb_key_datum(&key), false, NULL);

	if (strategy == VDB_INDEX_MATCH)
		condition = vdb_index_make_match(query, vdb_filter_compile(argument, NULL));
	else
	{
		Assert(strategy == VDB_INDEX_CONTAINS);
		condition = vdb_index_make_contained(query, &argument->root);
	}
	vdb_index_add_ranges(query, condition);
	query->root = make_root(query, condition);
	return query;
}

/*
 * Adds a key, which may be the beginning of a range, and returns its position.
 * is_common: many rows may have it.
 */
int
vdb_index_add_key(VdbIndexQuery *query, Datum key, bool is_common,
				  VdbIndexRange *range)
{
	int			n = query->nkeys++;

	if (n == 0)
	{
		query->maxkeys = 16;
		query->keys = vdb_palloc_array(Datum, query->maxkeys);
		query->ranges = vdb_palloc_array(VdbIndexRange *, query->maxkeys);
		query->common = vdb_palloc_array(GinTernaryValue, query->maxkeys);
	}
	else if (n == query->maxkeys)
	{
		query->maxkeys *= 2;
		query->keys = repalloc(query->keys, query->maxkeys * sizeof(Datum));
		query->ranges = repalloc(query->ranges, query->maxkeys * sizeof(VdbIndexRange *));
		query->common = repalloc(query->common, query->maxkeys * sizeof(GinTernaryValue));
	}
	query->keys[n] = key;
	query->ranges[n] = range;
	query->common[n] = is_common ? GIN_MAYBE : GIN_FALSE;
	return n;
}

VdbIndexNode *
vdb_index_make_node(VdbIndexNodeKind kind)
{
	VdbIndexNode *node = palloc0(sizeof(VdbIndexNode));

	node->kind = kind;
	return node;
}

/* The condition that a path has a key of this tag. */
VdbIndexNode *
vdb_index_make_tag(VdbIndexQuery *query, const VdbKey *path, VdbKeyTag tag)
{
	VdbIndexNode *node = vdb_index_make_node(VDB_INDEX_ANY_KEY);
	VdbKey		key = *path;

	vdb_key_add_tag(&key, tag);
	node->first = vdb_index_add_key(query, vdb_key_datum(&key), true, NULL);
	node->nkeys = 1;
	node->nexact = key.is_exact ? 1 : 0;
	return node;
}

/*
 * The condition that a path has any, or all, of these values, or elements of
 * these values.
 */
VdbIndexNode *
vdb_index_make_values(VdbIndexQuery *query, VdbIndexNodeKind kind, const VdbKey *path,
					  bool is_element, const JsonbValue *values, int nvalues)
{
	VdbIndexNode *node = vdb_index_make_node(kind);

	if (nvalues > VDB_INDEX_MAX_KEYS - query->nkeys)
		return vdb_index_make_node(VDB_INDEX_UNKNOWN);

	node->first = query->nkeys;
	node->nexact = add_values(query, path, is_element, values, nvalues, true);
	node->nkeys = node->nexact +
		add_values(query, path, is_element, values, nvalues, false);
	return node;
}

/* Adds the keys that are exact, or those that are not; how many they are. */
static int
add_values(VdbIndexQuery *query, const VdbKey *path, bool is_element,
		   const JsonbValue *values, int nvalues, bool is_exact)
{
	int			nadded = 0;
	int			i;

	for (i = 0; i < nvalues; i++)
	{
		VdbKey		key = *path;

		vdb_key_add_value(&key, &values[i], is_element);
		if (key.is_exact == is_exact)
		{
			bool		is_common = values[i].type == jbvNull || values[i].type == jbvBool;

			vdb_index_add_key(query, vdb_key_datum(&key), is_common, NULL);
			nadded++;
		}
	}
	return nadded;
}

/*
 * The condition, beside the key of all rows if it can be true for a row without
 * any of the condition's keys.
 */
static VdbIndexNode *
make_root(VdbIndexQuery *query, VdbIndexNode *condition)
{
	GinTernaryValue *none = palloc0(query->nkeys * sizeof(GinTernaryValue));
	VdbIndexNode *root;
	VdbIndexNode *all;
	VdbKey		key;

	if (vdb_index_evaluate(condition, none) == GIN_FALSE)
		return condition;

	vdb_key_start(&key, VDB_KEY_ALL);
	all = vdb_index_make_node(VDB_INDEX_ANY_KEY);
	all->first = vdb_index_add_key(query, vdb_key_datum(&key), true, NULL);
	all->nkeys = all->nexact = 1;
	root = vdb_index_make_node(VDB_INDEX_AND);
	root->children = list_make2(all, condition);
	return root;
}
