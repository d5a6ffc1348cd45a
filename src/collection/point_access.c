/*-------------------------------------------------------------------------
 *
 * point_access.c
 *	  Points by id, in bulk, by the number: get_point, upsert, count,
 *	  delete_points.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "catalog/pg_type.h"
#include "collection/statement.h"
#include "executor/tstoreReceiver.h"
#include "funcapi.h"
#include "utils/array.h"
#include "utils/builtins.h"

PG_FUNCTION_INFO_V1(vdb_get_point);
PG_FUNCTION_INFO_V1(vdb_upsert);
PG_FUNCTION_INFO_V1(vdb_count);
PG_FUNCTION_INFO_V1(vdb_delete_points);

static text *collection_arg(FunctionCallInfo fcinfo);
static void check_ids(FunctionCallInfo fcinfo);
static int64 write_collection(FunctionCallInfo fcinfo, AclMode privilege,
							  VdbStatement *statement);

/*
 * vecdb.get_point(collection text, id text) returns setof vecdb.point
 */
Datum
vdb_get_point(PG_FUNCTION_ARGS)
{
	ReturnSetInfo *rsinfo = (ReturnSetInfo *) fcinfo->resultinfo;
	VdbStatement statement = {.kind = VDB_STATEMENT_GET};
	VdbCollection collection;
	DestReceiver *dest;

	InitMaterializedSRF(fcinfo, 0);
	dest = CreateDestReceiver(DestTuplestore);
	SetTuplestoreDestReceiverParams(dest, rsinfo->setResult,
									rsinfo->econtext->ecxt_per_query_memory, false,
									rsinfo->setDesc,
									"structure of the collection's table does not match that of a point");

	SPI_connect();
	vdb_find_collection(collection_arg(fcinfo), ACL_SELECT, true, &collection);
	vdb_lock_collection(&collection, AccessShareLock);
	statement.nulls[0] = PG_ARGISNULL(1);
	statement.values[0] = PG_GETARG_DATUM(1);
	vdb_run_statement(&collection, &statement, true, dest);
	SPI_finish();

	dest->rDestroy(dest);
	return (Datum) 0;
}

/*
 * vecdb.count(collection text, filter vecdb_filter) returns bigint
 */
Datum
vdb_count(PG_FUNCTION_ARGS)
{
	VdbStatement statement = {.kind = VDB_STATEMENT_COUNT};
	VdbCollection collection;
	int64		count;
	bool		isnull;

	SPI_connect();
	vdb_find_collection(collection_arg(fcinfo), ACL_SELECT, true, &collection);
	vdb_lock_collection(&collection, AccessShareLock);
	vdb_set_filter(&statement, 0, fcinfo, 1);
	vdb_run_statement(&collection, &statement, true, NULL);
	count = DatumGetInt64(SPI_getbinval(SPI_tuptable->vals[0], SPI_tuptable->tupdesc, 1, &isnull));
	SPI_finish();
	PG_RETURN_INT64(count);
}

/*
 * vecdb.upsert(collection text, points json) returns bigint
 */
Datum
vdb_upsert(PG_FUNCTION_ARGS)
{
	VdbStatement statement = {.kind = VDB_STATEMENT_UPSERT};

	if (PG_ARGISNULL(1))
		ereport(ERROR,
				(errcode(ERRCODE_NULL_VALUE_NOT_ALLOWED),
				 errmsg("points: must not be null")));
	statement.values[0] = PG_GETARG_DATUM(1);
	PG_RETURN_INT64(write_collection(fcinfo, ACL_INSERT, &statement));
}

/*
 * vecdb.delete_points(collection text, ids text[], filter vecdb_filter)
 * returns bigint
 *
 * One of ids and filter is null.  The filter {} is one that was given, and
 * deletes all; only null is none.
 */
Datum
vdb_delete_points(PG_FUNCTION_ARGS)
{
	VdbStatement statement = {.kind = VDB_STATEMENT_DELETE_IDS};

	if (PG_ARGISNULL(1) == PG_ARGISNULL(2))
		ereport(ERROR,
				(errcode(PG_ARGISNULL(1) ? ERRCODE_NULL_VALUE_NOT_ALLOWED : ERRCODE_INVALID_PARAMETER_VALUE),
				 PG_ARGISNULL(1) ? errmsg("ids or filter: one of them must not be null") :
								   errmsg("ids and filter: only one of them may be given"),
				 errhint("The filter {} deletes all points.")));
	if (PG_ARGISNULL(1))
	{
		statement.kind = VDB_STATEMENT_DELETE_MATCHING;
		vdb_set_filter(&statement, 0, fcinfo, 2);
	}
	else
	{
		check_ids(fcinfo);
		statement.values[0] = PG_GETARG_DATUM(1);
	}
	PG_RETURN_INT64(write_collection(fcinfo, ACL_DELETE, &statement));
}

static text *
collection_arg(FunctionCallInfo fcinfo)
{
	return PG_ARGISNULL(0) ? NULL : PG_GETARG_TEXT_PP(0);
}

static void
check_ids(FunctionCallInfo fcinfo)
{
	if (array_contains_nulls(PG_GETARG_ARRAYTYPE_P(1)))
		ereport(ERROR,
				(errcode(ERRCODE_NULL_VALUE_NOT_ALLOWED),
				 errmsg("ids: must not be or contain null")));
}

/*
 * Runs a statement that writes to the collection of the first argument;
 * returns how many rows it wrote.  The parameter behind an upsert's points is
 * the collection's dimension.
 */
static int64
write_collection(FunctionCallInfo fcinfo, AclMode privilege, VdbStatement *statement)
{
	MemoryContext context;
	VdbCollection collection;
	int64		nrows;

	SPI_connect();
	context = CurrentMemoryContext;
	vdb_find_collection(collection_arg(fcinfo), privilege, false, &collection);
	vdb_lock_collection(&collection, RowExclusiveLock);
	if (statement->kind == VDB_STATEMENT_UPSERT)
		statement->values[1] = Int32GetDatum(collection.dimension);
	PG_TRY();
	{
		vdb_run_statement(&collection, statement, false, NULL);
	}
	PG_CATCH();
	{
		vdb_rethrow_write_error(&collection, context);
	}
	PG_END_TRY();
	nrows = (int64) SPI_processed;
	SPI_finish();
	return nrows;
}
