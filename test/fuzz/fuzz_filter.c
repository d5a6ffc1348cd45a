/*-------------------------------------------------------------------------
 *
 * fuzz_filter.c
 *	  Target: the filter language.
 *
 * An input is a filter, a zero byte, and a document.
 *
 *-------------------------------------------------------------------------
 */
#include "pg_compat.h"

#include "filter/filter.h"
#include "fuzz.h"
#include "fuzz_json.h"
#include "lib/stringinfo.h"
#include "nodes/memnodes.h"
#include "utils/builtins.h"
#include "utils/memutils.h"

extern Datum vdb_filter_in(PG_FUNCTION_ARGS);
extern Datum vdb_filter_out(PG_FUNCTION_ARGS);

static Size used_memory(void);

/* The two parts of an input, the second NULL if there is none */
bool
vdb_fuzz_split(const char *data, int len, char **first, char **second)
{
	const char *end = memchr(data, 0, (size_t) len);
	int			first_len = end ? (int) (end - data) : len;

	*second = NULL;
	if (len == 0 || !vdb_fuzz_is_text(data, first_len))
		return false;
	*first = vdb_fuzz_copy(data, first_len);
	if (end && vdb_fuzz_is_text(end + 1, len - first_len - 1))
		*second = vdb_fuzz_copy(end + 1, len - first_len - 1);
	return true;
}

/* A document from text; NULL if it is none. */
Jsonb *
vdb_fuzz_jsonb(const char *text)
{
	Datum		arg = CStringGetDatum(text);
	Datum		result;

	return text && vdb_fuzz_try(jsonb_in, 1, &arg, &result) ? DatumGetJsonbP(result) : NULL;
}

/* A filter from text; NULL if it is none. */
Jsonb *
vdb_fuzz_filter_of(const char *text)
{
	Datum		arg = CStringGetDatum(text);
	Datum		result;

	return vdb_fuzz_try(vdb_filter_in, 1, &arg, &result) ? DatumGetJsonbP(result) : NULL;
}

/*
 * A filter reads back as it is printed; what holds for a document does not hold
 * negated; and nothing is left of an evaluation (F3).
 */
static void
run_filter(const char *data, int len)
{
	char	   *text;
	char	   *document_text;
	StringInfoData negated;
	Jsonb	   *filter;
	Jsonb	   *again;
	Jsonb	   *document;
	VdbFilter  *tree;
	bool		result;
	Size		used;

	if (!vdb_fuzz_split(data, len, &text, &document_text))
		return;
	filter = vdb_fuzz_filter_of(text);
	if (filter == NULL)
		return;

	again = vdb_fuzz_filter_of(DatumGetCString(DirectFunctionCall1(vdb_filter_out,
																   JsonbPGetDatum(filter))));
	if (again == NULL || VARSIZE(again) != VARSIZE(filter) ||
		memcmp(again, filter, VARSIZE(filter)) != 0)
		vdb_fuzz_wrong("does not read back: %s", text);

	document = vdb_fuzz_jsonb(document_text);
	if (document == NULL)
		return;
	tree = vdb_filter_compile(filter, NULL);
	used = used_memory();
	result = vdb_filter_eval(tree, &document->root);
	if (used_memory() != used)
		vdb_fuzz_wrong("evaluation leaves memory: %s for %s", text, document_text);

	initStringInfo(&negated);
	appendStringInfo(&negated, "{\"$not\":%s}", text);
	again = vdb_fuzz_filter_of(negated.data);
	if (again != NULL &&
		vdb_filter_eval(vdb_filter_compile(again, NULL), &document->root) == result)
		vdb_fuzz_wrong("holds as well as its negation: %s for %s", text, document_text);
}

/* Bytes in use in the current memory context */
static Size
used_memory(void)
{
	MemoryContextCounters counters = {0};

	CurrentMemoryContext->methods->stats(CurrentMemoryContext, NULL, NULL, &counters, false);
	return counters.totalspace - counters.freespace;
}

const VdbFuzzTarget vdb_fuzz_filter = {.name = "filter", .run = run_filter};
