/*-------------------------------------------------------------------------
 *
 * search_request.c
 *	  vecdb.search_request(): the body of a search, from JSON text to a row.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "access/htup_details.h"
#include "collection/json_reader.h"
#include "collection/search.h"
#include "filter/filter.h"
#include "funcapi.h"
#include "utils/builtins.h"

PG_FUNCTION_INFO_V1(vdb_search_request);

#define SEARCH_EXAMPLE \
	"A search is {\"vector\": [...], \"top_k\": 10, \"filter\": {...}, " \
	"\"include_metadata\": true, \"include_vector\": false, \"offset\": 0, " \
	"\"score_threshold\": 0.5, \"explain\": false}; only \"vector\" is required."

/* In the order of the result's columns. */
enum SearchField
{
	SEARCH_VECTOR,
	SEARCH_TOP_K,
	SEARCH_FILTER,
	SEARCH_INCLUDE_METADATA,
	SEARCH_INCLUDE_VECTOR,
	SEARCH_OFFSET,
	SEARCH_SCORE_THRESHOLD,
	SEARCH_EXPLAIN,
	SEARCH_NFIELDS
};

static const char *const field_names[SEARCH_NFIELDS] = {
	[SEARCH_VECTOR] = "vector",
	[SEARCH_TOP_K] = "top_k",
	[SEARCH_FILTER] = "filter",
	[SEARCH_INCLUDE_METADATA] = "include_metadata",
	[SEARCH_INCLUDE_VECTOR] = "include_vector",
	[SEARCH_OFFSET] = "offset",
	[SEARCH_SCORE_THRESHOLD] = "score_threshold",
	[SEARCH_EXPLAIN] = "explain"
};

static void fill_defaults(Datum *values, bool *nulls);
static void read_search(VdbJsonReader *r, Datum *values, bool *nulls);
static int	find_field(VdbJsonReader *r);
static Datum read_field(VdbJsonReader *r, int field);

/*
 * vecdb.search_request(body json) returns record (vector, top_k, filter,
 * include_metadata, include_vector, offset, score_threshold, explain)
 *
 * null stands for a field that is not given, except for vector.  Checks types
 * and the structure of the filter; vecdb.search() checks what depends on the
 * collection, dimensions and a zero vector.
 */
Datum
vdb_search_request(PG_FUNCTION_ARGS)
{
	VdbJsonReader reader;
	TupleDesc	tupdesc;
	Datum		values[SEARCH_NFIELDS];
	bool		nulls[SEARCH_NFIELDS];

	if (get_call_result_type(fcinfo, NULL, &tupdesc) != TYPEFUNC_COMPOSITE)
		elog(ERROR, "return type must be a row type");

	fill_defaults(values, nulls);
	vdb_json_open(&reader, PG_GETARG_TEXT_PP(0), SEARCH_EXAMPLE);
	PG_TRY();
	{
		read_search(&reader, values, nulls);
	}
	PG_CATCH();
	{
		vdb_json_rethrow(&reader);
	}
	PG_END_TRY();

	PG_RETURN_DATUM(HeapTupleGetDatum(heap_form_tuple(BlessTupleDesc(tupdesc),
													  values, nulls)));
}

/*
 * What a search is where its body says nothing.
 */
static void
fill_defaults(Datum *values, bool *nulls)
{
	memset(nulls, 0, sizeof(bool) * SEARCH_NFIELDS);
	nulls[SEARCH_VECTOR] = true;
	values[SEARCH_TOP_K] = Int32GetDatum(10);
	values[SEARCH_FILTER] = vdb_filter_from_json("{}", 2);
	values[SEARCH_INCLUDE_METADATA] = BoolGetDatum(false);
	values[SEARCH_INCLUDE_VECTOR] = BoolGetDatum(false);
	values[SEARCH_OFFSET] = Int32GetDatum(0);
	nulls[SEARCH_SCORE_THRESHOLD] = true;
	values[SEARCH_EXPLAIN] = BoolGetDatum(false);
}

/*
 * Reads the whole body into the columns of the result.
 */
static void
read_search(VdbJsonReader *r, Datum *values, bool *nulls)
{
	bool		started = false;
	uint32		seen = 0;

	while (vdb_json_next_field(r, &started))
	{
		int			field = find_field(r);

		vdb_json_mark_field(r, &seen, field);

		/* Clients print optional fields that they do not set as null. */
		if (field != SEARCH_VECTOR && r->lex->token_type == JSON_TOKEN_NULL)
		{
			vdb_json_next_token(r);
			continue;
		}
		values[field] = read_field(r, field);
		nulls[field] = false;
	}
	vdb_json_close(r);
	if (!(seen & (1 << SEARCH_VECTOR)))
		vdb_json_missing_field(r, "vector");
}

/*
 * The number of the field r->key; errors out for any other.
 */
static int
find_field(VdbJsonReader *r)
{
	int			field;

	for (field = 0; field < SEARCH_NFIELDS; field++)
		if (strcmp(r->key, field_names[field]) == 0)
			return field;
	vdb_json_unknown_field(r);
}

static Datum
read_field(VdbJsonReader *r, int field)
{
	char	   *filter;

	switch ((enum SearchField) field)
	{
		case SEARCH_VECTOR:
			return PointerGetDatum(vdb_json_read_vector(r, 0));
		case SEARCH_TOP_K:
			return Int32GetDatum(vdb_json_read_int(r, 1, VDB_MAX_TOP_K));
		case SEARCH_FILTER:
			filter = vdb_json_read_slice(r, JSON_TOKEN_OBJECT_START,
										 "a JSON object");
			return vdb_filter_from_json(filter, (int) strlen(filter));
		case SEARCH_INCLUDE_METADATA:
		case SEARCH_INCLUDE_VECTOR:
		case SEARCH_EXPLAIN:
			return BoolGetDatum(vdb_json_read_bool(r));
		case SEARCH_OFFSET:
			return Int32GetDatum(vdb_json_read_int(r, 0, PG_INT32_MAX));
		case SEARCH_SCORE_THRESHOLD:
			return Float8GetDatum(vdb_json_read_double(r));
		case SEARCH_NFIELDS:
			break;
	}
	elog(ERROR, "unrecognized search field: %d", field);
	return (Datum) 0;
}
