/*-------------------------------------------------------------------------
 *
 * search.c
 *	  vecdb.search(): the points nearest to a vector.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "collection/search.h"
#include "executor/tstoreReceiver.h"
#include "funcapi.h"
#include "utils/builtins.h"
#include "utils/float.h"
#include "utils/guc.h"
#include "vector/vector.h"

PG_FUNCTION_INFO_V1(vdb_search);

/* Of vecdb.expected_rows */
#define MAX_EXPECTED_ROWS 1000000

/* The arguments of vecdb.search(), in its order */
enum SearchArg
{
	ARG_COLLECTION,
	ARG_VECTOR,
	ARG_TOP_K,
	ARG_FILTER,
	ARG_INCLUDE_METADATA,
	ARG_INCLUDE_VECTOR,
	ARG_OFFSET,
	ARG_SCORE_THRESHOLD
};

static void check_vector(FunctionCallInfo fcinfo, const VdbCollection *collection);
static bool is_zero(const VdbVector *vector);
static void check_numbers(FunctionCallInfo fcinfo);
static void fill_statement(FunctionCallInfo fcinfo, const VdbCollection *collection,
						   VdbStatement *statement);
static void expect_rows(int64 nrows);

/*
 * vecdb.search(collection text, vector vector, top_k integer, filter
 * vecdb_filter, include_metadata boolean, include_vector boolean, "offset"
 * integer, score_threshold double precision)
 * returns setof vecdb.search_result (id, score, metadata, vector)
 *
 * The function's own SET clause undoes expect_rows().
 */
Datum
vdb_search(PG_FUNCTION_ARGS)
{
	ReturnSetInfo *rsinfo = (ReturnSetInfo *) fcinfo->resultinfo;
	VdbCollection collection;
	VdbStatement statement;
	DestReceiver *dest;

	InitMaterializedSRF(fcinfo, 0);
	dest = CreateDestReceiver(DestTuplestore);
	SetTuplestoreDestReceiverParams(dest, rsinfo->setResult,
									rsinfo->econtext->ecxt_per_query_memory, false,
									rsinfo->setDesc,
									"structure of the collection's table does not match the result of a search");

	SPI_connect();
	vdb_find_collection(PG_ARGISNULL(ARG_COLLECTION) ? NULL : PG_GETARG_TEXT_PP(ARG_COLLECTION),
						ACL_SELECT, true, &collection);
	check_vector(fcinfo, &collection);
	check_numbers(fcinfo);
	fill_statement(fcinfo, &collection, &statement);

	/* so that pages of one result are pages of one search */
	expect_rows(statement.nrows);
	vdb_lock_collection(&collection, AccessShareLock);
	vdb_begin_search_report();
	vdb_run_statement(&collection, &statement, true, dest);
	vdb_end_search_report(&collection, &statement);
	SPI_finish();

	dest->rDestroy(dest);
	return (Datum) 0;
}

static void
check_vector(FunctionCallInfo fcinfo, const VdbCollection *collection)
{
	VdbVector  *vector;

	if (PG_ARGISNULL(ARG_VECTOR))
		ereport(ERROR,
				(errcode(ERRCODE_NULL_VALUE_NOT_ALLOWED),
				 errmsg("vector: must not be null")));
	vector = PG_GETARG_VDB_VECTOR_P(ARG_VECTOR);
	if (vector->dim != collection->dimension)
		ereport(ERROR,
				(errcode(ERRCODE_DATA_EXCEPTION),
				 errmsg("vector: expected %d dimensions, not %d",
						collection->dimension, vector->dim)));
	if (collection->distance == VDB_COLLECTION_COSINE && is_zero(vector))
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("vector: a zero vector has no direction, so no cosine similarity")));
}

static bool
is_zero(const VdbVector *vector)
{
	int			i;

	for (i = 0; i < vector->dim; i++)
		if (vector->x[i] != 0)
			return false;
	return true;
}

static void
check_numbers(FunctionCallInfo fcinfo)
{
	int32		top_k = PG_ARGISNULL(ARG_TOP_K) ? 0 : PG_GETARG_INT32(ARG_TOP_K);
	int32		offset = PG_ARGISNULL(ARG_OFFSET) ? -1 : PG_GETARG_INT32(ARG_OFFSET);

	if (top_k < 1 || top_k > VDB_MAX_TOP_K)
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("top_k: must be from 1 to %d, not %s", VDB_MAX_TOP_K,
						PG_ARGISNULL(ARG_TOP_K) ? "null" : psprintf("%d", top_k))));
	if (offset < 0)
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("offset: must be 0 or more, not %s",
						PG_ARGISNULL(ARG_OFFSET) ? "null" : psprintf("%d", offset))));
	if (!PG_ARGISNULL(ARG_SCORE_THRESHOLD) && isnan(PG_GETARG_FLOAT8(ARG_SCORE_THRESHOLD)))
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("score_threshold: must not be NaN")));
}

/*
 * Turns the arguments, which have been checked, into the statement's.
 */
static void
fill_statement(FunctionCallInfo fcinfo, const VdbCollection *collection,
			   VdbStatement *statement)
{
	Datum	   *values = statement->values;
	int64		top_k = PG_GETARG_INT32(ARG_TOP_K);
	int64		offset = PG_GETARG_INT32(ARG_OFFSET);
	double		worst = collection->distance == VDB_COLLECTION_EUCLIDEAN ?
		get_float8_infinity() :
		-get_float8_infinity();

	memset(statement, 0, sizeof(*statement));
	statement->kind = VDB_STATEMENT_SEARCH;
	statement->nrows = top_k + offset;
	values[0] = PointerGetDatum(PG_GETARG_VDB_VECTOR_P(ARG_VECTOR));
	vdb_set_filter(statement, 1, fcinfo, ARG_FILTER);
	values[2] = Int64GetDatum(statement->nrows);
	values[3] = Int64GetDatum(top_k);
	values[4] = Int64GetDatum(offset);
	values[5] = PG_ARGISNULL(ARG_SCORE_THRESHOLD) ? Float8GetDatum(worst) :
													PG_GETARG_DATUM(ARG_SCORE_THRESHOLD);
	values[6] = BoolGetDatum(!PG_ARGISNULL(ARG_INCLUDE_METADATA) && PG_GETARG_BOOL(ARG_INCLUDE_METADATA));
	values[7] = BoolGetDatum(!PG_ARGISNULL(ARG_INCLUDE_VECTOR) && PG_GETARG_BOOL(ARG_INCLUDE_VECTOR));
}

/*
 * Lets scans know how many rows they will be asked for, until the function
 * ends.
 */
static void
expect_rows(int64 nrows)
{
	char		value[MAXINT8LEN + 1];

	pg_lltoa(Min(nrows, MAX_EXPECTED_ROWS), value);
	(void) set_config_option("vecdb.expected_rows", value, PGC_USERSET,
							 PGC_S_SESSION, GUC_ACTION_SAVE, true, 0, false);
}
