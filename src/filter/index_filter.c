/*-------------------------------------------------------------------------
 *
 * index_filter.c
 *	  The index keys of a filter.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "filter/index_query.h"

static VdbIndexNode *make_inner(VdbIndexQuery *query, VdbIndexNodeKind kind,
								const VdbFilter *filter);
static VdbIndexNode *make_condition(VdbIndexQuery *query, const VdbFilter *filter);
static VdbIndexNode *make_exists(VdbIndexQuery *query, const VdbKey *path);
static VdbIndexNode *make_range(VdbIndexQuery *query, const VdbKey *path,
								const VdbFilter *filter);
static VdbIndexNode *make_boolean_range(VdbIndexQuery *query, const VdbKey *path,
										const VdbFilter *filter);

/* The condition on keys for a filter's tree, which it follows node by node. */
VdbIndexNode *
vdb_index_make_match(VdbIndexQuery *query, const VdbFilter *filter)
{
	switch (filter->kind)
	{
		case VDB_FILTER_AND:
			return make_inner(query, VDB_INDEX_AND, filter);
		case VDB_FILTER_OR:
			return make_inner(query, VDB_INDEX_OR, filter);
		case VDB_FILTER_NOT:
			return make_inner(query, VDB_INDEX_NOT, filter);
		default:
			return make_condition(query, filter);
	}
}

static VdbIndexNode *
make_inner(VdbIndexQuery *query, VdbIndexNodeKind kind, const VdbFilter *filter)
{
	VdbIndexNode *node = vdb_index_make_node(kind);
	ListCell   *lc;

	foreach(lc, filter->children)
		node->children = lappend(node->children,
								 vdb_index_make_match(query, lfirst(lc)));
	return node;
}

/* A condition on one path. */
static VdbIndexNode *
make_condition(VdbIndexQuery *query, const VdbFilter *filter)
{
	VdbKey		path;

	vdb_key_start_path(&path, filter->path.text.str, filter->path.text.len);
	switch (filter->kind)
	{
		case VDB_FILTER_EXISTS:
			return make_exists(query, &path);
		case VDB_FILTER_IN:
			return vdb_index_make_values(query, VDB_INDEX_ANY_KEY, &path, false,
										 filter->values, filter->nvalues);
		case VDB_FILTER_RANGE:
			return make_range(query, &path, filter);
		case VDB_FILTER_CONTAINS_ANY:
			return vdb_index_make_values(query, VDB_INDEX_ANY_KEY, &path, true,
										 filter->values, filter->nvalues);
		default:
			Assert(filter->kind == VDB_FILTER_CONTAINS_ALL);
			if (filter->nvalues == 0)
				return vdb_index_make_tag(query, &path, VDB_TAG_IS_ARRAY);
			return vdb_index_make_values(query, VDB_INDEX_ALL_KEYS, &path, true,
										 filter->values, filter->nvalues);
	}
}

/* Whatever is there has one of these keys. */
static VdbIndexNode *
make_exists(VdbIndexQuery *query, const VdbKey *path)
{
	static const VdbKeyTag tags[] = {
		VDB_TAG_NULL, VDB_TAG_FALSE, VDB_TAG_TRUE, VDB_TAG_IS_NUMBER,
		VDB_TAG_IS_STRING, VDB_TAG_IS_ARRAY, VDB_TAG_IS_OBJECT
	};
	VdbIndexNode *node = vdb_index_make_node(VDB_INDEX_OR);
	int			i;

	for (i = 0; i < lengthof(tags); i++)
		node->children = lappend(node->children,
								 vdb_index_make_tag(query, path, tags[i]));
	return node;
}

/*
 * A range of keys, from the least that a value within the bounds may have.
 * Two bounds are one range; a missing one is the end of the type's keys.
 */
static VdbIndexNode *
make_range(VdbIndexQuery *query, const VdbKey *path, const VdbFilter *filter)
{
	const VdbFilterBound *one = filter->lower.is_set ? &filter->lower : &filter->upper;
	VdbIndexNode *node;
	VdbIndexRange *range;
	VdbKey		lower = *path;
	VdbKey		upper = *path;

	if (one->value.type == jbvBool)
		return make_boolean_range(query, path, filter);

	vdb_key_add_lower(&lower, &filter->lower, one->value.type);
	vdb_key_add_upper(&upper, &filter->upper, one->value.type);
	if (vdb_key_compare(&lower, &upper) >= 0)
		return vdb_index_make_node(VDB_INDEX_ANY_KEY); /* empty */

	range = palloc0(sizeof(VdbIndexRange));
	range->begin = vdb_key_datum(&lower);
	range->end = DatumGetByteaPP(vdb_key_datum(&upper));
	range->gave_up = true;		/* until vdb_index_add_ranges() adds its key */
	node = vdb_index_make_node(VDB_INDEX_RANGE);
	node->range = range;
	node->nkeys = 1;
	node->nexact = lower.is_exact && upper.is_exact ? 1 : 0;
	return node;
}

/* Of two values there is no range to read: those that are within. */
static VdbIndexNode *
make_boolean_range(VdbIndexQuery *query, const VdbKey *path, const VdbFilter *filter)
{
	const VdbFilterBound *lower = &filter->lower;
	const VdbFilterBound *upper = &filter->upper;
	JsonbValue	values[2];
	int			nvalues = 0;
	int			i;

	for (i = 0; i <= 1; i++)
	{
		if (lower->is_set && i < lower->value.val.boolean + !lower->is_inclusive)
			continue;
		if (upper->is_set && i > upper->value.val.boolean - !upper->is_inclusive)
			continue;
		values[nvalues].type = jbvBool;
		values[nvalues++].val.boolean = i;
	}
	return vdb_index_make_values(query, VDB_INDEX_ANY_KEY, path, false, values, nvalues);
}
