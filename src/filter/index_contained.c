/*-------------------------------------------------------------------------
 *
 * index_contained.c
 *	  The index keys of a document that other documents are to contain, by
 *	  jsonb's operator @>.
 *
 * Scalars in nested objects, and scalars as elements of arrays in them, are
 * contained exactly where their keys are.  All else is left to the recheck.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "filter/index_query.h"
#include "lib/stringinfo.h"
#include "miscadmin.h"

static VdbIndexNode *make_object(VdbIndexQuery *query, JsonbContainer *object,
								 StringInfo path, int depth);
static VdbIndexNode *make_field(VdbIndexQuery *query, JsonbValue *value,
								StringInfo path, int depth);
static VdbIndexNode *make_array(VdbIndexQuery *query, JsonbContainer *array,
								const VdbKey *path);
static void add_child(VdbIndexNode *parent, VdbIndexNode *child);

/*
 * The condition on keys for a document to contain this one.  The root itself
 * has no key that would say that it is an object.
 */
VdbIndexNode *
vdb_index_make_contained(VdbIndexQuery *query, JsonbContainer *contained)
{
	StringInfoData path;

	if (!JsonContainerIsObject(contained) || JsonContainerSize(contained) == 0)
		return vdb_index_make_node(VDB_INDEX_UNKNOWN);

	initStringInfo(&path);
	return make_object(query, contained, &path, 1);
}

/* All fields of an object, whose paths have depth names. */
static VdbIndexNode *
make_object(VdbIndexQuery *query, JsonbContainer *object, StringInfo path, int depth)
{
	VdbIndexNode *result = vdb_index_make_node(VDB_INDEX_AND);
	JsonbIterator *it = JsonbIteratorInit(object);
	JsonbIteratorToken token;
	JsonbValue	item;
	bool		is_addressable = false;
	int			outer = path->len;

	check_stack_depth();

	while ((token = JsonbIteratorNext(&it, &item, true)) != WJB_DONE)
	{
		if (token == WJB_KEY)
		{
			is_addressable = vdb_key_is_addressable(item.val.string.val,
													item.val.string.len);
			path->len = outer;
			if (depth > 1)
				appendStringInfoChar(path, '.');
			appendBinaryStringInfo(path, item.val.string.val, item.val.string.len);
		}
		else if (token == WJB_VALUE && is_addressable)
			add_child(result, make_field(query, &item, path, depth));
		else if (token == WJB_VALUE)
			add_child(result, vdb_index_make_node(VDB_INDEX_UNKNOWN));
	}
	path->len = outer;
	return result;
}

static VdbIndexNode *
make_field(VdbIndexQuery *query, JsonbValue *value, StringInfo path, int depth)
{
	VdbKey		key;

	vdb_key_start_path(&key, path->data, path->len);
	if (value->type != jbvBinary)
		return vdb_index_make_values(query, VDB_INDEX_ANY_KEY, &key, false, value, 1);

	if (JsonContainerIsArray(value->val.binary.data))
		return make_array(query, value->val.binary.data, &key);

	if (JsonContainerSize(value->val.binary.data) == 0)
		return vdb_index_make_tag(query, &key, VDB_TAG_IS_OBJECT);
	if (depth == VDB_FILTER_MAX_NAMES)
		return vdb_index_make_node(VDB_INDEX_UNKNOWN);
	return make_object(query, value->val.binary.data, path, depth + 1);
}

/* Scalars are contained as elements; others make it an array at least. */
static VdbIndexNode *
make_array(VdbIndexQuery *query, JsonbContainer *array, const VdbKey *path)
{
	VdbIndexNode *result = vdb_index_make_node(VDB_INDEX_AND);
	JsonbIterator *it = JsonbIteratorInit(array);
	JsonbIteratorToken token;
	JsonbValue	element;

	while ((token = JsonbIteratorNext(&it, &element, true)) != WJB_DONE)
	{
		if (token == WJB_ELEM && element.type != jbvBinary)
			add_child(result, vdb_index_make_values(query, VDB_INDEX_ANY_KEY, path, true, &element, 1));
		else if (token == WJB_ELEM)
			add_child(result, vdb_index_make_node(VDB_INDEX_UNKNOWN));
	}
	add_child(result, vdb_index_make_tag(query, path, VDB_TAG_IS_ARRAY));
	return result;
}

static void
add_child(VdbIndexNode *parent, VdbIndexNode *child)
{
	parent->children = lappend(parent->children, child);
}
