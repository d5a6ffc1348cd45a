/*-------------------------------------------------------------------------
 *
 * filter_json.c
 *	  Turns JSON text into the validated Jsonb that a vecdb_filter is.
 *
 * The text is read twice.  The first reading uses PostgreSQL's JSON parser and
 * looks for what jsonb_in() would hide or report without a place: duplicate
 * keys (jsonb keeps one of them), depth, and numbers beyond numeric's range.
 * After it jsonb_in() finds nothing to complain about.  The second reading
 * makes the Jsonb, and a trial compilation checks the grammar.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "filter/filter_internal.h"
#include "utils/builtins.h"

/* numeric's limits: digits before and after the decimal point */
#define NUMBER_MAX_BEFORE	131072
#define NUMBER_MAX_AFTER	16383

/* An object or array that the parser is in. */
typedef struct Level
{
	VdbFilterPlace place;		/* of its current member; place.up is fixed */
	bool		is_object;
	VdbFilterName *keys;		/* objects: the keys seen */
	int			nkeys;
	int			maxkeys;
} Level;

/* The first reading's state. */
typedef struct Checker
{
	Node	   *escontext;
	int			depth;			/* levels in use */
	Level		levels[VDB_FILTER_MAX_DEPTH];
} Checker;

static VDB_JSON_ACTION check_object_start(void *state);
static VDB_JSON_ACTION check_object_end(void *state);
static VDB_JSON_ACTION check_array_start(void *state);
static VDB_JSON_ACTION check_array_end(void *state);
static VDB_JSON_ACTION check_field(void *state, char *name, bool isnull);
static VDB_JSON_ACTION check_element(void *state, bool isnull);
static VDB_JSON_ACTION check_scalar(void *state, char *token, JsonTokenType type);
static bool check_text(char *json, int len, Node *escontext);
static bool open_level(Checker *checker, bool is_object);
static bool has_distinct_keys(Checker *checker);
static bool is_number_in_range(const char *token);
static int	compare_names(const void *a, const void *b);

/*
 * The validated filter, allocated in the current memory context.  Where the
 * text is no filter: an error, or NULL if escontext takes soft errors.
 */
Jsonb *
vdb_filter_parse(const char *json, int len, Node *escontext)
{
	char	   *copy = pnstrdup(json, len);
	Jsonb	   *result;

	if (!check_text(copy, len, escontext))
		return NULL;

	result = DatumGetJsonbP(DirectFunctionCall1(jsonb_in, CStringGetDatum(copy)));
	pfree(copy);

	if (!vdb_filter_compile(result, escontext))
		return NULL;
	return result;
}

/*
 * A vecdb_filter from a slice of JSON text in the database's encoding, for
 * other rooms.  Raises an error where it is no valid filter.
 */
Datum
vdb_filter_from_json(const char *json, int len)
{
	return JsonbPGetDatum(vdb_filter_parse(json, len, NULL));
}

/* The first reading; false after a soft error. */
static bool
check_text(char *json, int len, Node *escontext)
{
	Checker    *checker = palloc0(sizeof(Checker));
	JsonSemAction actions = {
		.semstate = checker,
		.object_start = check_object_start,
		.object_end = check_object_end,
		.array_start = check_array_start,
		.array_end = check_array_end,
		.object_field_start = check_field,
		.array_element_start = check_element,
		.scalar = check_scalar
	};
	bool		ok;

	checker->escontext = escontext;
	ok = vdb_json_parse(json, len, &actions, escontext);
	pfree(checker);
	return ok;
}

static VDB_JSON_ACTION
check_object_start(void *state)
{
	VDB_JSON_ACTION_RETURN(open_level(state, true));
}

static VDB_JSON_ACTION
check_object_end(void *state)
{
	Checker    *checker = state;
	bool		ok = has_distinct_keys(checker);

	checker->depth--;
	VDB_JSON_ACTION_RETURN(ok);
}

static VDB_JSON_ACTION
check_array_start(void *state)
{
	VDB_JSON_ACTION_RETURN(open_level(state, false));
}

static VDB_JSON_ACTION
check_array_end(void *state)
{
	((Checker *) state)->depth--;
	VDB_JSON_ACTION_RETURN(true);
}

/* Remembers a key; the parser has de-escaped it and leaves it to us. */
static VDB_JSON_ACTION
check_field(void *state, char *name, bool isnull)
{
	Checker    *checker = state;
	Level	   *level = &checker->levels[checker->depth - 1];

	if (level->nkeys == level->maxkeys)
	{
		level->maxkeys = level->maxkeys ? level->maxkeys * 2 : 8;
		level->keys = level->keys ?
			repalloc(level->keys, level->maxkeys * sizeof(VdbFilterName)) :
			palloc(level->maxkeys * sizeof(VdbFilterName));
	}
	level->place.key.str = name;
	level->place.key.len = strlen(name);
	level->keys[level->nkeys++] = level->place.key;
	VDB_JSON_ACTION_RETURN(true);
}

static VDB_JSON_ACTION
check_element(void *state, bool isnull)
{
	Checker    *checker = state;

	checker->levels[checker->depth - 1].place.position++;
	VDB_JSON_ACTION_RETURN(true);
}

static VDB_JSON_ACTION
check_scalar(void *state, char *token, JsonTokenType type)
{
	Checker    *checker = state;
	const VdbFilterPlace *place = NULL;

	if (type != JSON_TOKEN_NUMBER || is_number_in_range(token))
		VDB_JSON_ACTION_RETURN(true);

	if (checker->depth > 0)
		place = &checker->levels[checker->depth - 1].place;
	VDB_JSON_ACTION_RETURN(vdb_filter_reject(checker->escontext, place,
											 NULL, "number out of range"));
}

/* Enters an object or array; false after a soft error. */
static bool
open_level(Checker *checker, bool is_object)
{
	Level	   *level;

	if (checker->depth == VDB_FILTER_MAX_DEPTH)
		return vdb_filter_reject(checker->escontext, &checker->levels[0].place,
								 NULL,
								 "objects and arrays nested more than %d levels deep",
								 VDB_FILTER_MAX_DEPTH);

	level = &checker->levels[checker->depth];
	memset(level, 0, sizeof(Level));
	level->is_object = is_object;
	level->place.position = -1;
	if (checker->depth > 0)
		level->place.up = &checker->levels[checker->depth - 1].place;
	checker->depth++;
	return true;
}

/* Checks the keys of the innermost object; false after a soft error. */
static bool
has_distinct_keys(Checker *checker)
{
	Level	   *level = &checker->levels[checker->depth - 1];
	int			i;

	if (level->nkeys == 0)
		return true;

	qsort(level->keys, level->nkeys, sizeof(VdbFilterName), compare_names);
	for (i = 1; i < level->nkeys; i++)
	{
		if (vdb_filter_name_equals(level->keys[i - 1], level->keys[i]))
		{
			level->place.key = level->keys[i];
			return vdb_filter_reject(checker->escontext, &level->place,
									 "Conditions on one field go into one object or into the list of \"$and\".",
									 "duplicate key");
		}
	}
	pfree(level->keys);
	return true;
}

/*
 * Does numeric hold the number?  The token has JSON's syntax.  Mantissa
 * digits and exponent give the position of the first digit that is not zero
 * and the number of digits after the point, which numeric limits.
 */
static bool
is_number_in_range(const char *token)
{
	const char *p = token;
	int64		before = 0;		/* digits before the point, from the first
								 * that is not zero */
	int64		zeros = 0;		/* zeros after the point before that digit */
	int64		after = 0;		/* digits after the point */
	bool		is_zero = true;
	int64		exponent = 0;

	if (*p == '-')
		p++;
	for (; *p >= '0' && *p <= '9'; p++)
	{
		is_zero = is_zero && *p == '0';
		if (!is_zero)
			before++;
	}
	if (*p == '.')
	{
		for (p++; *p >= '0' && *p <= '9'; p++)
		{
			is_zero = is_zero && *p == '0';
			if (is_zero)
				zeros++;
			after++;
		}
	}
	if (*p == 'e' || *p == 'E')
	{
		bool		is_negative = p[1] == '-';

		p += (p[1] == '-' || p[1] == '+') ? 2 : 1;
		/* an exponent that no realistic mantissa can undo, even if it is 0 */
		for (; *p >= '0' && *p <= '9' && exponent < PG_INT32_MAX / 4; p++)
			exponent = exponent * 10 + (*p - '0');
		if (exponent >= PG_INT32_MAX / 4)
			return false;
		if (is_negative)
			exponent = -exponent;
	}

	if (after - exponent > NUMBER_MAX_AFTER)
		return false;
	return is_zero ||
		(before > 0 ? before : -zeros) + exponent <= NUMBER_MAX_BEFORE;
}

/* Any total order will do. */
static int
compare_names(const void *a, const void *b)
{
	const VdbFilterName *x = a;
	const VdbFilterName *y = b;

	if (x->len != y->len)
		return x->len < y->len ? -1 : 1;
	return memcmp(x->str, y->str, x->len);
}
