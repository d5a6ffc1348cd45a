/*-------------------------------------------------------------------------
 *
 * filter_operand.c
 *	  Checks paths and the operands of a field's operators, and makes the
 *	  tree's conditions from them.
 *
 * Each operator is one row of a table: what operand it takes, which condition
 * it becomes, and whether it is that condition's complement.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "filter/filter_internal.h"

typedef enum OperandKind
{
	OPERAND_VALUE,				/* any JSON value */
	OPERAND_LIST,				/* an array of any JSON values */
	OPERAND_LOWER,				/* number, string or boolean */
	OPERAND_UPPER,				/* the same */
	OPERAND_BOOLEAN
} OperandKind;

typedef struct Operator
{
	const char *name;
	OperandKind operand;
	VdbFilterKind kind;
	bool		is_complement;	/* true where the condition is false */
	bool		is_inclusive;	/* bounds: equality is inside */
} Operator;

static const Operator operators[] = {
	{"$eq", OPERAND_VALUE, VDB_FILTER_IN},
	{"$ne", OPERAND_VALUE, VDB_FILTER_IN, .is_complement = true},
	{"$gt", OPERAND_LOWER, VDB_FILTER_RANGE},
	{"$gte", OPERAND_LOWER, VDB_FILTER_RANGE, .is_inclusive = true},
	{"$lt", OPERAND_UPPER, VDB_FILTER_RANGE},
	{"$lte", OPERAND_UPPER, VDB_FILTER_RANGE, .is_inclusive = true},
	{"$in", OPERAND_LIST, VDB_FILTER_IN},
	{"$nin", OPERAND_LIST, VDB_FILTER_IN, .is_complement = true},
	{"$exists", OPERAND_BOOLEAN, VDB_FILTER_EXISTS},
	{"$contains", OPERAND_VALUE, VDB_FILTER_CONTAINS_ANY},
	{"$containsAny", OPERAND_LIST, VDB_FILTER_CONTAINS_ANY},
	{"$containsAll", OPERAND_LIST, VDB_FILTER_CONTAINS_ALL},
};

static const Operator *find_operator(VdbFilterName op);
static void reject_operator(VdbFilterCompiler *cx, VdbFilterName op,
							const VdbFilterPlace *place);
static bool check_operand(VdbFilterCompiler *cx, const Operator *op,
						  const JsonbValue *operand, const VdbFilterPlace *place);
static bool check_list_length(VdbFilterCompiler *cx, const Operator *op,
							  const JsonbValue *list, const VdbFilterPlace *place);
static void read_list(VdbFilter *filter, JsonbContainer *array);
static int	compare_for_sort(const void *a, const void *b);

/*
 * Splits a path at its dots into *path, which points into key.  False after a
 * soft error.
 */
bool
vdb_filter_read_path(VdbFilterCompiler *cx, VdbFilterName key,
					 const VdbFilterPlace *place, VdbFilterPath *path)
{
	const char *end = key.str + key.len;
	const char *p = key.str;
	int			i;

	path->text = key;
	path->nnames = 1;
	for (i = 0; i < key.len; i++)
		path->nnames += (key.str[i] == '.');

	if (path->nnames > VDB_FILTER_MAX_NAMES)
		return vdb_filter_reject(cx->escontext, place, NULL,
								 "path of more than %d names",
								 VDB_FILTER_MAX_NAMES);

	path->names = palloc(path->nnames * sizeof(VdbFilterName));
	for (i = 0; i < path->nnames; i++)
	{
		const char *dot = memchr(p, '.', end - p);
		VdbFilterName name = {p, (int) ((dot ? dot : end) - p)};

		if (name.len == 0)
			return vdb_filter_reject(cx->escontext, place,
									 "A path is a field's name, or names of nested fields joined by dots.",
									 "empty name in path");
		if (name.str[0] == '$')
			return vdb_filter_reject(cx->escontext, place,
									 "Write {\"field\": {\"$operator\": value}}; names in a path do not begin with \"$\".",
									 "operator \"%s\" in path",
									 vdb_filter_clip(name));
		path->names[i] = name;
		p += name.len + 1;
	}
	return true;
}

bool
vdb_filter_is_field_operator(VdbFilterName op)
{
	return find_operator(op) != NULL;
}

/*
 * The condition that an operator other than "$not" puts on a path, or NULL
 * after a soft error.
 */
VdbFilter *
vdb_filter_read_operator(VdbFilterCompiler *cx, VdbFilterName name,
						 const JsonbValue *operand, const VdbFilterPath *path,
						 const VdbFilterPlace *place)
{
	const Operator *op = find_operator(name);
	VdbFilter  *result;
	VdbFilterBound *bound;

	if (op == NULL)
	{
		reject_operator(cx, name, place);
		return NULL;
	}
	if (!check_operand(cx, op, operand, place) || !vdb_filter_count(cx, place))
		return NULL;

	result = vdb_filter_make(op->kind);
	result->path = *path;
	switch (op->operand)
	{
		case OPERAND_VALUE:
			result->nvalues = 1;
			result->values = palloc(sizeof(JsonbValue));
			result->values[0] = *operand;
			break;
		case OPERAND_LIST:
			read_list(result, operand->val.binary.data);
			break;
		case OPERAND_LOWER:
		case OPERAND_UPPER:
			bound = op->operand == OPERAND_LOWER ? &result->lower : &result->upper;
			bound->is_set = true;
			bound->is_inclusive = op->is_inclusive;
			bound->value = *operand;
			return result;
		case OPERAND_BOOLEAN:
			return operand->val.boolean ? result : vdb_filter_make_not(result);
	}
	return op->is_complement ? vdb_filter_make_not(result) : result;
}

/* The condition that a path finds exactly this value. */
VdbFilter *
vdb_filter_make_equal(const VdbFilterPath *path, const JsonbValue *value)
{
	VdbFilter  *result = vdb_filter_make(VDB_FILTER_IN);

	result->path = *path;
	result->nvalues = 1;
	result->values = palloc(sizeof(JsonbValue));
	result->values[0] = *value;
	return result;
}

static const Operator *
find_operator(VdbFilterName op)
{
	int			i;

	for (i = 0; i < lengthof(operators); i++)
	{
		if (vdb_filter_name_is(op, operators[i].name))
			return &operators[i];
	}
	return NULL;
}

/* A key in a field's object that is no operator there. */
static void
reject_operator(VdbFilterCompiler *cx, VdbFilterName op,
				const VdbFilterPlace *place)
{
	if (vdb_filter_name_is(op, "$and") || vdb_filter_name_is(op, "$or"))
		vdb_filter_reject(cx->escontext, place,
						  "Write {\"$operator\": [{\"field\": ...}, {\"field\": ...}]}.",
						  "operator \"%s\" cannot be inside a field",
						  vdb_filter_clip(op));
	else if (op.len > 0 && op.str[0] == '$')
		vdb_filter_reject(cx->escontext, place,
						  "The operators of a field are $eq, $ne, $gt, $gte, $lt, $lte, $in, $nin, $exists, $contains, $containsAny, $containsAll and $not.",
						  "unknown operator \"%s\"", vdb_filter_clip(op));
	else
		vdb_filter_reject(cx->escontext, place,
						  "Operators begin with \"$\". A nested field is written as a path (\"a.b\"), equality with a whole object as {\"$eq\": {...}}.",
						  "\"%s\" is not an operator", vdb_filter_clip(op));
}

/* Is the operand of the right type?  False after a soft error. */
static bool
check_operand(VdbFilterCompiler *cx, const Operator *op,
			  const JsonbValue *operand, const VdbFilterPlace *place)
{
	const char *expected = NULL;

	switch (op->operand)
	{
		case OPERAND_VALUE:
			break;
		case OPERAND_LIST:
			if (vdb_filter_is_array(operand))
				return check_list_length(cx, op, operand, place);
			expected = "an array";
			break;
		case OPERAND_LOWER:
		case OPERAND_UPPER:
			if (operand->type != jbvNumeric && operand->type != jbvString &&
				operand->type != jbvBool)
				expected = "a number, string or boolean";
			break;
		case OPERAND_BOOLEAN:
			if (operand->type != jbvBool)
				expected = "true or false";
			break;
	}

	if (expected == NULL)
		return true;
	return vdb_filter_reject(cx->escontext, place, NULL,
							 "\"%s\" takes %s, not %s", op->name, expected,
							 vdb_filter_describe(operand));
}

static bool
check_list_length(VdbFilterCompiler *cx, const Operator *op,
				  const JsonbValue *list, const VdbFilterPlace *place)
{
	if (JsonContainerSize(list->val.binary.data) > VDB_FILTER_MAX_VALUES)
		return vdb_filter_reject(cx->escontext, place, NULL,
								 "more than %d values in the list of \"%s\"",
								 VDB_FILTER_MAX_VALUES, op->name);
	return true;
}

/* Copies the elements of an array to the condition, sorted and distinct. */
static void
read_list(VdbFilter *filter, JsonbContainer *array)
{
	JsonbIterator *it = JsonbIteratorInit(array);
	JsonbIteratorToken token;
	JsonbValue	element;
	int			nvalues = 0;
	int			ndistinct = 0;
	int			i;

	filter->values = palloc(Max(JsonContainerSize(array), 1) * sizeof(JsonbValue));
	while ((token = JsonbIteratorNext(&it, &element, true)) != WJB_DONE)
	{
		if (token == WJB_ELEM)
			filter->values[nvalues++] = element;
	}

	qsort(filter->values, nvalues, sizeof(JsonbValue), compare_for_sort);
	for (i = 0; i < nvalues; i++)
	{
		if (ndistinct == 0 ||
			vdb_filter_compare_values(&filter->values[ndistinct - 1],
									  &filter->values[i]) != 0)
			filter->values[ndistinct++] = filter->values[i];
	}
	filter->nvalues = ndistinct;
}

static int
compare_for_sort(const void *a, const void *b)
{
	return vdb_filter_compare_values(a, b);
}
