/*-------------------------------------------------------------------------
 *
 * fuzz_keys.c
 *	  Target: the keys of the GIN operator class.
 *
 * An input is a filter or a document, a zero byte, and a document.  What GIN
 * would do is done with one row: the index has to give the answer of the
 * condition itself.
 *
 *-------------------------------------------------------------------------
 */
#include "pg_compat.h"

#include "access/gin.h"
#include "common/pg_prng.h"
#include "filter/filter.h"
#include "filter/index_query.h"
#include "fuzz.h"
#include "fuzz_json.h"
#include "utils/builtins.h"
#include "utils/fmgrprotos.h"

extern Datum vdb_index_extract_value(PG_FUNCTION_ARGS);
extern Datum vdb_index_extract_query(PG_FUNCTION_ARGS);
extern Datum vdb_index_consistent(PG_FUNCTION_ARGS);
extern Datum vdb_index_triconsistent(PG_FUNCTION_ARGS);
extern Datum vdb_index_compare_partial(PG_FUNCTION_ARGS);

/* GIN takes no longer ones */
#define MAX_KEY_BYTES 2712

/* The keys of a query, as GIN gets them */
typedef struct KeyQuery
{
	int			strategy;
	Datum		argument;
	int32		nkeys;
	Datum	   *keys;
	bool	   *is_partial;
	Pointer    *extra;
	GinTernaryValue *check;		/* of each key: the row has it */
} KeyQuery;

static void check_query(int strategy, Jsonb *argument, Jsonb *document, bool expected,
						const char *what);
static bool has_key(const KeyQuery *query, int i, const Datum *keys, int nkeys);
static GinTernaryValue ask_ternary(const KeyQuery *query, const GinTernaryValue *check);
static void check_unknown(const KeyQuery *query, GinTernaryValue answer, const char *what);
static int	compare_keys(const void *a, const void *b);

static void
run_keys(const char *data, int len)
{
	char	   *text;
	char	   *document_text;
	Jsonb	   *argument;
	Jsonb	   *document;

	if (!vdb_fuzz_split(data, len, &text, &document_text))
		return;
	document = vdb_fuzz_jsonb(document_text);
	if (document == NULL)
		return;

	argument = vdb_fuzz_jsonb(text);
	if (argument == NULL)
		return;
	check_query(VDB_INDEX_CONTAINS, argument, document,
				DatumGetBool(DirectFunctionCall2(jsonb_contains, JsonbPGetDatum(document),
												 JsonbPGetDatum(argument))),
				text);
	argument = vdb_fuzz_filter_of(text);
	if (argument == NULL)
		return;
	check_query(VDB_INDEX_MATCH, argument, document,
				vdb_filter_eval(vdb_filter_compile(argument, NULL), &document->root), text);
}

/*
 * Looks a document up as GIN does.  What is expected must be found; what is
 * found without recheck must be expected; unknown keys must not change a certain
 * answer.
 */
static void
check_query(int strategy, Jsonb *argument, Jsonb *document, bool expected, const char *what)
{
	KeyQuery	query = {.strategy = strategy, .argument = JsonbPGetDatum(argument)};
	int32		nkeys = 0;
	Datum	   *keys;
	bool		recheck = false;
	bool		found;
	bool		any = false;
	int			i;

	keys = (Datum *) DatumGetPointer(DirectFunctionCall2(vdb_index_extract_value,
														 JsonbPGetDatum(document),
														 PointerGetDatum(&nkeys)));
	for (i = 0; i < nkeys; i++)
	{
		if (VARSIZE_ANY_EXHDR(DatumGetByteaPP(keys[i])) > MAX_KEY_BYTES)
			vdb_fuzz_wrong("a key of %d bytes", (int) VARSIZE_ANY_EXHDR(DatumGetByteaPP(keys[i])));
	}
	qsort(keys, (size_t) nkeys, sizeof(Datum), compare_keys);

	query.keys = (Datum *)
		DatumGetPointer(DirectFunctionCall5(vdb_index_extract_query, query.argument,
											PointerGetDatum(&query.nkeys),
											UInt16GetDatum(strategy),
											PointerGetDatum(&query.is_partial),
											PointerGetDatum(&query.extra)));
	query.check = palloc(sizeof(GinTernaryValue) * query.nkeys);
	for (i = 0; i < query.nkeys; i++)
	{
		query.check[i] = has_key(&query, i, keys, nkeys) ? GIN_TRUE : GIN_FALSE;
		any = any || query.check[i] == GIN_TRUE;
	}

	found = DatumGetBool(DirectFunctionCall8(vdb_index_consistent, PointerGetDatum(query.check),
											 UInt16GetDatum(strategy), query.argument,
											 Int32GetDatum(query.nkeys), PointerGetDatum(query.extra),
											 PointerGetDatum(&recheck), PointerGetDatum(query.keys),
											 PointerGetDatum(NULL)));
	if (expected && !(found && any))
		vdb_fuzz_wrong("strategy %d does not find: %s", strategy, what);
	if (!expected && found && !recheck)
		vdb_fuzz_wrong("strategy %d finds without recheck: %s", strategy, what);
	check_unknown(&query, found ? (recheck ? GIN_MAYBE : GIN_TRUE) : GIN_FALSE, what);
}

/*
 * Less knowledge gives the same answer or "maybe"; and GIN never comes across
 * a row that has none of the keys.
 */
static void
check_unknown(const KeyQuery *query, GinTernaryValue answer, const char *what)
{
	GinTernaryValue *check = palloc0(sizeof(GinTernaryValue) * query->nkeys);
	GinTernaryValue value;
	int			round;
	int			i;

	if (ask_ternary(query, query->check) != answer)
		vdb_fuzz_wrong("strategy %d has two answers: %s", query->strategy, what);
	if (ask_ternary(query, check) != GIN_FALSE)
		vdb_fuzz_wrong("strategy %d is true of rows without keys: %s", query->strategy, what);
	for (round = 0; round < 4; round++)
	{
		for (i = 0; i < query->nkeys; i++)
			check[i] = pg_prng_bool(&pg_global_prng_state) ? GIN_MAYBE : query->check[i];
		value = ask_ternary(query, check);
		if (value != GIN_MAYBE && value != answer)
			vdb_fuzz_wrong("strategy %d is sure of what it does not know: %s", query->strategy, what);
	}
}

static GinTernaryValue
ask_ternary(const KeyQuery *query, const GinTernaryValue *check)
{
	return DatumGetGinTernaryValue(DirectFunctionCall7(vdb_index_triconsistent, PointerGetDatum(check),
													   UInt16GetDatum(query->strategy), query->argument,
													   Int32GetDatum(query->nkeys),
													   PointerGetDatum(query->extra),
													   PointerGetDatum(query->keys),
													   PointerGetDatum(NULL)));
}

/* Does the row, whose keys are sorted, have the query's key, or one of its range? */
static bool
has_key(const KeyQuery *query, int i, const Datum *keys, int nkeys)
{
	bool		found = false;
	int			j;

	for (j = 0; j < nkeys; j++)
	{
		int			cmp = compare_keys(&keys[j], &query->keys[i]);

		if (!query->is_partial[i])
			found = found || cmp == 0;
		else if (cmp >= 0)
		{
			cmp = DatumGetInt32(DirectFunctionCall4(vdb_index_compare_partial, query->keys[i], keys[j],
													UInt16GetDatum(query->strategy),
													PointerGetDatum(query->extra[i])));
			if (cmp > 0)
				break;
			found = found || cmp == 0;
		}
	}
	return found;
}

static int
compare_keys(const void *a, const void *b)
{
	return DatumGetInt32(DirectFunctionCall2(byteacmp, *(const Datum *) a, *(const Datum *) b));
}

const VdbFuzzTarget vdb_fuzz_keys = {.name = "keys", .run = run_keys};
