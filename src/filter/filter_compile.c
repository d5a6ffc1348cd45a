/*-------------------------------------------------------------------------
 *
 * filter_compile.c
 *	  Checks a filter's grammar and builds its tree.
 *
 * Works on the Jsonb that filter_json.c has made, so keys are unique and the
 * depth is limited.  The same code validates input and serves each query; on a
 * stored vecdb_filter it cannot fail (F1).
 *
 * The tree comes out normalised.  An AND has no AND as child, an OR no OR, a
 * NOT no NOT, and one child alone stands for itself.  In one AND, a lower and
 * an upper bound on one path are one RANGE: an index answers that with one
 * look-up instead of the intersection of two open-ended ones.
 *
 * Functions that return a tree return NULL after a soft error.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "filter/filter_internal.h"
#include "miscadmin.h"

static VdbFilter *compile_filter(VdbFilterCompiler *cx, JsonbContainer *object,
								 const VdbFilterPlace *place);
static VdbFilter *compile_entry(VdbFilterCompiler *cx, VdbFilterName key,
								const JsonbValue *value,
								const VdbFilterPlace *place);
static VdbFilter *compile_list(VdbFilterCompiler *cx, VdbFilterKind kind,
							   VdbFilterName op, const JsonbValue *value,
							   const VdbFilterPlace *place);
static VdbFilter *compile_not(VdbFilterCompiler *cx, const JsonbValue *value,
							  const VdbFilterPlace *place);
static void reject_top_operator(VdbFilterCompiler *cx, VdbFilterName op,
								const VdbFilterPlace *place);
static VdbFilter *compile_field(VdbFilterCompiler *cx, const VdbFilterPath *path,
								const JsonbValue *value,
								const VdbFilterPlace *place);
static VdbFilter *compile_operators(VdbFilterCompiler *cx,
									const VdbFilterPath *path,
									const JsonbValue *value,
									const VdbFilterPlace *place);
static VdbFilter *compile_operator(VdbFilterCompiler *cx,
								   const VdbFilterPath *path, VdbFilterName op,
								   const JsonbValue *operand,
								   const VdbFilterPlace *place);
static void add_child(VdbFilter *parent, VdbFilter *child);
static bool merge_range(VdbFilter *parent, const VdbFilter *range);
static bool merge_bound(VdbFilterBound *into, const VdbFilterBound *other,
						const VdbFilterBound *opposite);
static VdbFilter *simplify(VdbFilter *filter);

/*
 * The tree of a filter, allocated in the current memory context; it points
 * into the Jsonb, which has to live as long.  NULL after a soft error.
 */
VdbFilter *
vdb_filter_compile(Jsonb *filter, Node *escontext)
{
	VdbFilterCompiler cx = {.escontext = escontext};

	if (!JB_ROOT_IS_OBJECT(filter))
	{
		JsonbValue	scalar;
		bool		is_scalar = JsonbExtractScalar(&filter->root, &scalar);

		vdb_filter_reject(escontext, NULL, NULL,
						  "a filter must be an object, not %s",
						  is_scalar ? vdb_filter_describe(&scalar) : "an array");
		return NULL;
	}
	return compile_filter(&cx, &filter->root, NULL);
}

/* Counts a condition; false after a soft error if there are too many. */
bool
vdb_filter_count(VdbFilterCompiler *cx, const VdbFilterPlace *place)
{
	if (++cx->nconditions > VDB_FILTER_MAX_CONDITIONS)
		return vdb_filter_reject(cx->escontext, place,
								 "A list of values for one field is one condition with \"$in\".",
								 "more than %d conditions",
								 VDB_FILTER_MAX_CONDITIONS);
	return true;
}

VdbFilter *
vdb_filter_make(VdbFilterKind kind)
{
	VdbFilter  *filter = palloc0(sizeof(VdbFilter));

	filter->kind = kind;
	return filter;
}

/* The complement; passes NULL through. */
VdbFilter *
vdb_filter_make_not(VdbFilter *child)
{
	VdbFilter  *filter;

	if (child == NULL)
		return NULL;
	if (child->kind == VDB_FILTER_NOT)
		return linitial(child->children);
	filter = vdb_filter_make(VDB_FILTER_NOT);
	filter->children = list_make1(child);
	return filter;
}

/* A whole filter: the AND of its entries. */
static VdbFilter *
compile_filter(VdbFilterCompiler *cx, JsonbContainer *object,
			   const VdbFilterPlace *place)
{
	VdbFilter  *result = vdb_filter_make(VDB_FILTER_AND);
	JsonbIterator *it = JsonbIteratorInit(object);
	JsonbIteratorToken token;
	JsonbValue	item;
	VdbFilterName key = {NULL, 0};

	check_stack_depth();

	/* an empty filter counts, or lists of them would be unlimited */
	if (JsonContainerSize(object) == 0 && !vdb_filter_count(cx, place))
		return NULL;

	while ((token = JsonbIteratorNext(&it, &item, true)) != WJB_DONE)
	{
		if (token == WJB_KEY)
		{
			key.str = item.val.string.val;
			key.len = item.val.string.len;
		}
		else if (token == WJB_VALUE)
		{
			VdbFilterPlace here = {.up = place, .key = key};
			VdbFilter  *child = compile_entry(cx, key, &item, &here);

			if (child == NULL)
				return NULL;
			add_child(result, child);
		}
	}
	return simplify(result);
}

/* One key of a filter, an operator or a path, with its value. */
static VdbFilter *
compile_entry(VdbFilterCompiler *cx, VdbFilterName key, const JsonbValue *value,
			  const VdbFilterPlace *place)
{
	VdbFilterPath path;

	if (key.len == 0 || key.str[0] != '$')
	{
		if (!vdb_filter_read_path(cx, key, place, &path))
			return NULL;
		return compile_field(cx, &path, value, place);
	}

	if (vdb_filter_name_is(key, "$and"))
		return compile_list(cx, VDB_FILTER_AND, key, value, place);
	if (vdb_filter_name_is(key, "$or"))
		return compile_list(cx, VDB_FILTER_OR, key, value, place);
	if (vdb_filter_name_is(key, "$not"))
		return compile_not(cx, value, place);

	reject_top_operator(cx, key, place);
	return NULL;
}

/* "$and" and "$or" with their list of filters. */
static VdbFilter *
compile_list(VdbFilterCompiler *cx, VdbFilterKind kind, VdbFilterName op,
			 const JsonbValue *value, const VdbFilterPlace *place)
{
	VdbFilter  *result = vdb_filter_make(kind);
	VdbFilterPlace here = {.up = place, .position = -1};
	JsonbIterator *it;
	JsonbIteratorToken token;
	JsonbValue	item;

	if (!vdb_filter_is_array(value) || JsonContainerSize(value->val.binary.data) == 0)
	{
		vdb_filter_reject(cx->escontext, place, NULL,
						  "\"%s\" takes a non-empty array of filters, not %s",
						  vdb_filter_clip(op), vdb_filter_is_array(value) ? "an empty array" : vdb_filter_describe(value));
		return NULL;
	}
	if (!vdb_filter_count(cx, place))
		return NULL;

	it = JsonbIteratorInit(value->val.binary.data);
	while ((token = JsonbIteratorNext(&it, &item, true)) != WJB_DONE)
	{
		VdbFilter  *child;

		if (token != WJB_ELEM)
			continue;
		here.position++;
		if (!vdb_filter_is_object(&item))
		{
			vdb_filter_reject(cx->escontext, &here, NULL,
							  "a filter must be an object, not %s",
							  vdb_filter_describe(&item));
			return NULL;
		}
		child = compile_filter(cx, item.val.binary.data, &here);
		if (child == NULL)
			return NULL;
		add_child(result, child);
	}
	return simplify(result);
}

/* "$not" above fields. */
static VdbFilter *
compile_not(VdbFilterCompiler *cx, const JsonbValue *value,
			const VdbFilterPlace *place)
{
	if (!vdb_filter_is_object(value))
	{
		vdb_filter_reject(cx->escontext, place, NULL,
						  "\"$not\" takes a filter, not %s",
						  vdb_filter_describe(value));
		return NULL;
	}
	if (!vdb_filter_count(cx, place))
		return NULL;
	return vdb_filter_make_not(compile_filter(cx, value->val.binary.data, place));
}

/* Something else that begins with a dollar where a path is expected. */
static void
reject_top_operator(VdbFilterCompiler *cx, VdbFilterName op,
					const VdbFilterPlace *place)
{
	if (vdb_filter_is_field_operator(op))
		vdb_filter_reject(cx->escontext, place,
						  "Write {\"field\": {\"$operator\": value}}.",
						  "operator \"%s\" belongs inside a field",
						  vdb_filter_clip(op));
	else
		vdb_filter_reject(cx->escontext, place,
						  "Outside a field the operators are $and, $or and $not.",
						  "unknown operator \"%s\"", vdb_filter_clip(op));
}

/* A path with its value: operators, or a scalar or array to be equal to. */
static VdbFilter *
compile_field(VdbFilterCompiler *cx, const VdbFilterPath *path,
			  const JsonbValue *value, const VdbFilterPlace *place)
{
	if (vdb_filter_is_object(value))
		return compile_operators(cx, path, value, place);

	if (!vdb_filter_count(cx, place))
		return NULL;
	return vdb_filter_make_equal(path, value);
}

/* The AND of all operators in the object. */
static VdbFilter *
compile_operators(VdbFilterCompiler *cx, const VdbFilterPath *path,
				  const JsonbValue *value, const VdbFilterPlace *place)
{
	VdbFilter  *result = vdb_filter_make(VDB_FILTER_AND);
	JsonbIterator *it;
	JsonbIteratorToken token;
	JsonbValue	item;
	VdbFilterName op = {NULL, 0};

	check_stack_depth();

	if (JsonContainerSize(value->val.binary.data) == 0)
	{
		vdb_filter_reject(cx->escontext, place,
						  "Equality with the empty object is {\"$eq\": {}}, presence is {\"$exists\": true}.",
						  "empty object where operators are expected");
		return NULL;
	}

	it = JsonbIteratorInit(value->val.binary.data);
	while ((token = JsonbIteratorNext(&it, &item, true)) != WJB_DONE)
	{
		if (token == WJB_KEY)
		{
			op.str = item.val.string.val;
			op.len = item.val.string.len;
		}
		else if (token == WJB_VALUE)
		{
			VdbFilterPlace here = {.up = place, .key = op};
			VdbFilter  *child = compile_operator(cx, path, op, &item, &here);

			if (child == NULL)
				return NULL;
			add_child(result, child);
		}
	}
	return simplify(result);
}

/* One operator of a field; "$not" leads to more operators. */
static VdbFilter *
compile_operator(VdbFilterCompiler *cx, const VdbFilterPath *path,
				 VdbFilterName op, const JsonbValue *operand,
				 const VdbFilterPlace *place)
{
	if (!vdb_filter_name_is(op, "$not"))
		return vdb_filter_read_operator(cx, op, operand, path, place);

	if (!vdb_filter_is_object(operand))
	{
		vdb_filter_reject(cx->escontext, place,
						  "For a plain value use \"$ne\".",
						  "\"$not\" takes an object of operators, not %s",
						  vdb_filter_describe(operand));
		return NULL;
	}
	if (!vdb_filter_count(cx, place))
		return NULL;
	return vdb_filter_make_not(compile_operators(cx, path, operand, place));
}

/* Puts a child into an AND or OR, its children instead if it is of that kind. */
static void
add_child(VdbFilter *parent, VdbFilter *child)
{
	ListCell   *lc;

	if (child->kind == parent->kind)
	{
		foreach(lc, child->children)
			add_child(parent, lfirst(lc));
	}
	else if (!(parent->kind == VDB_FILTER_AND &&
			   child->kind == VDB_FILTER_RANGE &&
			   merge_range(parent, child)))
		parent->children = lappend(parent->children, child);
}

/*
 * Joins a range to one that the AND has already for the same path and type,
 * if each end is set in only one of the two.
 */
static bool
merge_range(VdbFilter *parent, const VdbFilter *range)
{
	ListCell   *lc;

	if (range->lower.is_set && range->upper.is_set)
		return false;			/* no room for both */

	foreach(lc, parent->children)
	{
		VdbFilter  *other = lfirst(lc);

		if (other->kind == VDB_FILTER_RANGE &&
			vdb_filter_name_equals(other->path.text, range->path.text) &&
			(merge_bound(&other->lower, &range->lower, &other->upper) ||
			 merge_bound(&other->upper, &range->upper, &other->lower)))
			return true;
	}
	return false;
}

/* Sets the missing bound of a range whose other bound has the same type. */
static bool
merge_bound(VdbFilterBound *into, const VdbFilterBound *other,
			const VdbFilterBound *opposite)
{
	if (into->is_set || !other->is_set || !opposite->is_set ||
		opposite->value.type != other->value.type)
		return false;
	*into = *other;
	return true;
}

/* An AND or OR of one is that one. */
static VdbFilter *
simplify(VdbFilter *filter)
{
	if (list_length(filter->children) == 1)
		return linitial(filter->children);
	return filter;
}
