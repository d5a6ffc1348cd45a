/*-------------------------------------------------------------------------
 *
 * filter_eval.c
 *	  Evaluates a compiled filter against a metadata document.
 *
 * Runs once per row of a scan.  Nothing in this file can raise an error that
 * depends on the document (F2) or leaves memory allocated (F3).  Loops over
 * a document's elements can be interrupted: a thousand conditions on an array of
 * a million elements take a minute.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "filter/filter_internal.h"
#include "miscadmin.h"

static bool eval_condition(const VdbFilter *filter, const JsonbValue *value);
static bool is_in_range(const VdbFilter *filter, const JsonbValue *value);
static int	find_value(const VdbFilter *filter, const JsonbValue *value);
static bool contains_any(const VdbFilter *filter, JsonbContainer *array);
static bool contains_all(const VdbFilter *filter, JsonbContainer *array);

/* Does the document, of any JSON type, match the filter? */
bool
vdb_filter_eval(const VdbFilter *filter, JsonbContainer *document)
{
	JsonbValue	value;
	ListCell   *lc;

	switch (filter->kind)
	{
		case VDB_FILTER_AND:
			foreach(lc, filter->children)
			{
				if (!vdb_filter_eval(lfirst(lc), document))
					return false;
			}
			return true;

		case VDB_FILTER_OR:
			foreach(lc, filter->children)
			{
				if (vdb_filter_eval(lfirst(lc), document))
					return true;
			}
			return false;

		case VDB_FILTER_NOT:
			return !vdb_filter_eval(linitial(filter->children), document);

		default:
			return vdb_filter_find(document, &filter->path, &value) &&
				eval_condition(filter, &value);
	}
}

/*
 * Follows the path through nested objects.  Returns false, and leaves *result
 * undefined, where it is missing.  Otherwise *result points into the document.
 */
bool
vdb_filter_find(JsonbContainer *document, const VdbFilterPath *path,
				JsonbValue *result)
{
	JsonbContainer *container = document;
	int			i;

	for (i = 0;; i++)
	{
		if (!JsonContainerIsObject(container) ||
			!getKeyJsonValueFromContainer(container, path->names[i].str,
										  path->names[i].len, result))
			return false;
		if (i == path->nnames - 1)
			return true;
		if (result->type != jbvBinary)
			return false;
		container = result->val.binary.data;
	}
}

/* Does a condition hold for the value that its path has found? */
static bool
eval_condition(const VdbFilter *filter, const JsonbValue *value)
{
	switch (filter->kind)
	{
		case VDB_FILTER_EXISTS:
			return true;
		case VDB_FILTER_IN:
			return find_value(filter, value) >= 0;
		case VDB_FILTER_RANGE:
			return is_in_range(filter, value);
		case VDB_FILTER_CONTAINS_ANY:
			return vdb_filter_is_array(value) &&
				contains_any(filter, value->val.binary.data);
		case VDB_FILTER_CONTAINS_ALL:
			return vdb_filter_is_array(value) &&
				contains_all(filter, value->val.binary.data);
		default:
			Assert(false);		/* inner nodes have no path */
			return false;
	}
}

/* Is the value of the bounds' type and between them? */
static bool
is_in_range(const VdbFilter *filter, const JsonbValue *value)
{
	const VdbFilterBound *lower = &filter->lower;
	const VdbFilterBound *upper = &filter->upper;
	int			cmp;

	if (lower->is_set)
	{
		if (value->type != lower->value.type)
			return false;
		cmp = vdb_filter_compare_values(value, &lower->value);
		if (cmp < 0 || (cmp == 0 && !lower->is_inclusive))
			return false;
	}
	if (upper->is_set)
	{
		if (value->type != upper->value.type)
			return false;
		cmp = vdb_filter_compare_values(value, &upper->value);
		if (cmp > 0 || (cmp == 0 && !upper->is_inclusive))
			return false;
	}
	return true;
}

/* The position of an equal value in the condition's list, or -1. */
static int
find_value(const VdbFilter *filter, const JsonbValue *value)
{
	int			low = 0;
	int			high = filter->nvalues;

	while (low < high)
	{
		int			mid = low + (high - low) / 2;
		int			cmp = vdb_filter_compare_values(value, &filter->values[mid]);

		if (cmp == 0)
			return mid;
		if (cmp < 0)
			high = mid;
		else
			low = mid + 1;
	}
	return -1;
}

/* Is an element of the array in the condition's list? */
static bool
contains_any(const VdbFilter *filter, JsonbContainer *array)
{
	JsonbIterator *it = JsonbIteratorInit(array);
	JsonbIteratorToken token;
	JsonbValue	element;
	bool		found = false;

	while (!found && (token = JsonbIteratorNext(&it, &element, true)) != WJB_DONE)
	{
		CHECK_FOR_INTERRUPTS();
		if (token == WJB_ELEM)
			found = find_value(filter, &element) >= 0;
	}
	if (it)
		pfree(it);				/* at the end it frees itself */
	return found;
}

/*
 * Is each value of the condition's list an element of the array?  The values
 * are distinct and so an array with fewer elements cannot have them all.
 */
static bool
contains_all(const VdbFilter *filter, JsonbContainer *array)
{
	JsonbIterator *it;
	JsonbIteratorToken token;
	JsonbValue	element;
	bool		buffer[64];
	bool	   *is_found = buffer;
	int			nmissing = filter->nvalues;

	if (nmissing > (int) JsonContainerSize(array))
		return false;

	if (nmissing > lengthof(buffer))
		is_found = palloc(nmissing * sizeof(bool));
	memset(is_found, 0, nmissing * sizeof(bool));

	it = JsonbIteratorInit(array);
	while (nmissing > 0 &&
		   (token = JsonbIteratorNext(&it, &element, true)) != WJB_DONE)
	{
		int			i = token == WJB_ELEM ? find_value(filter, &element) : -1;

		CHECK_FOR_INTERRUPTS();
		if (i >= 0 && !is_found[i])
		{
			is_found[i] = true;
			nmissing--;
		}
	}
	if (it)
		pfree(it);				/* at the end it frees itself */
	if (is_found != buffer)
		pfree(is_found);
	return nmissing == 0;
}
