/*-------------------------------------------------------------------------
 *
 * stats.c
 *	  Counters of what hnsw indexes do: of the backend, and of the server.
 *
 * The counters of the server are in shared memory, which can be had only by a
 * library in shared_preload_libraries; without it there are none.  A backend
 * adds to them at the end of its transactions, with one atomic addition for
 * each counter that changed.
 *
 *-------------------------------------------------------------------------
 */
#include "pg_compat.h"

#include "access/xact.h"
#include "catalog/pg_type.h"
#include "fmgr.h"
#include "funcapi.h"
#include "hnsw/stats.h"
#include "miscadmin.h"
#include "port/atomics.h"
#include "storage/ipc.h"
#include "storage/lwlock.h"
#include "storage/shmem.h"
#include "utils/timestamp.h"

#define NCOUNTERS ((int) (sizeof(HnswStats) / sizeof(uint64)))

/* and the time since when they count */
#define NCOLUMNS (NCOUNTERS + 1)

/* In shared memory */
typedef struct ServerStats
{
	pg_atomic_uint64 counters[NCOUNTERS];
	pg_atomic_uint64 since;		/* a TimestampTz */
} ServerStats;

HnswStats	vdb_hnsw_stats;

static HnswStats added;			/* of vdb_hnsw_stats to the server's */
static TimestampTz since;		/* last reset here, or 0 */
static ServerStats *server_stats;

static shmem_request_hook_type previous_request_hook;
static shmem_startup_hook_type previous_startup_hook;

static void request_memory(void);
static void start_memory(void);
static void end_transaction(XactEvent event, void *arg);
static void add_to_server(void);
static Datum form_row(FunctionCallInfo fcinfo, const uint64 *counters, TimestampTz start);

/*
 * Called once from _PG_init.
 */
void
vdb_hnsw_stats_init(void)
{
	if (!process_shared_preload_libraries_in_progress)
		return;
	previous_request_hook = shmem_request_hook;
	shmem_request_hook = request_memory;
	previous_startup_hook = shmem_startup_hook;
	shmem_startup_hook = start_memory;
	RegisterXactCallback(end_transaction, NULL);
}

static void
request_memory(void)
{
	if (previous_request_hook)
		previous_request_hook();
	RequestAddinShmemSpace(MAXALIGN(sizeof(ServerStats)));
}

static void
start_memory(void)
{
	bool		found;

	if (previous_startup_hook)
		previous_startup_hook();
	LWLockAcquire(AddinShmemInitLock, LW_EXCLUSIVE);
	server_stats = (ServerStats *) ShmemInitStruct("vecdb hnsw stats", sizeof(ServerStats), &found);
	if (!found)
	{
		for (int i = 0; i < NCOUNTERS; i++)
			pg_atomic_init_u64(&server_stats->counters[i], 0);
		pg_atomic_init_u64(&server_stats->since, (uint64) GetCurrentTimestamp());
	}
	LWLockRelease(AddinShmemInitLock);
}

static void
end_transaction(XactEvent event, void *arg)
{
	switch (event)
	{
		case XACT_EVENT_COMMIT:
		case XACT_EVENT_PARALLEL_COMMIT:
		case XACT_EVENT_ABORT:
		case XACT_EVENT_PARALLEL_ABORT:
		case XACT_EVENT_PREPARE:
			add_to_server();
			break;
		default:
			break;
	}
}

/*
 * Adds what this backend has counted since the last time.
 */
static void
add_to_server(void)
{
	const uint64 *now = (const uint64 *) &vdb_hnsw_stats;
	const uint64 *before = (const uint64 *) &added;

	if (server_stats == NULL || memcmp(now, before, sizeof(HnswStats)) == 0)
		return;
	for (int i = 0; i < NCOUNTERS; i++)
	{
		if (now[i] != before[i])
			pg_atomic_fetch_add_u64(&server_stats->counters[i], (int64) (now[i] - before[i]));
	}
	added = vdb_hnsw_stats;
}

/*
 * SQL: vecdb_hnsw_stats() RETURNS record
 */
PG_FUNCTION_INFO_V1(vdb_hnsw_stats_backend);
Datum
vdb_hnsw_stats_backend(PG_FUNCTION_ARGS)
{
	return form_row(fcinfo, (const uint64 *) &vdb_hnsw_stats,
					since != 0 ? since : MyStartTimestamp);
}

/*
 * SQL: vecdb_hnsw_stats_server() RETURNS SETOF record, none where there is no
 * shared memory.
 */
PG_FUNCTION_INFO_V1(vdb_hnsw_stats_server);
Datum
vdb_hnsw_stats_server(PG_FUNCTION_ARGS)
{
	FuncCallContext *call;
	uint64		counters[NCOUNTERS];
	Datum		row;

	if (SRF_IS_FIRSTCALL())
		SRF_FIRSTCALL_INIT();
	call = SRF_PERCALL_SETUP();
	if (server_stats == NULL || call->call_cntr > 0)
		SRF_RETURN_DONE(call);
	for (int i = 0; i < NCOUNTERS; i++)
		counters[i] = pg_atomic_read_u64(&server_stats->counters[i]);
	row = form_row(fcinfo, counters, (TimestampTz) pg_atomic_read_u64(&server_stats->since));
	SRF_RETURN_NEXT(call, row);
}

static Datum
form_row(FunctionCallInfo fcinfo, const uint64 *counters, TimestampTz start)
{
	TupleDesc	desc;
	Datum		values[NCOLUMNS];
	bool		nulls[NCOLUMNS] = {false};

	if (get_call_result_type(fcinfo, NULL, &desc) != TYPEFUNC_COMPOSITE ||
		desc->natts != NCOLUMNS)
		elog(ERROR, "return type does not have %d columns", NCOLUMNS);
	for (int i = 0; i < NCOUNTERS; i++)
		values[i] = Int64GetDatum((int64) counters[i]);
	values[NCOUNTERS] = TimestampTzGetDatum(start);
	return HeapTupleGetDatum(heap_form_tuple(BlessTupleDesc(desc), values, nulls));
}

/*
 * SQL: vecdb_hnsw_stats_reset() RETURNS void, for this backend
 */
PG_FUNCTION_INFO_V1(vdb_hnsw_stats_reset);
Datum
vdb_hnsw_stats_reset(PG_FUNCTION_ARGS)
{
	add_to_server();
	memset(&vdb_hnsw_stats, 0, sizeof(vdb_hnsw_stats));
	memset(&added, 0, sizeof(added));
	since = GetCurrentTimestamp();
	PG_RETURN_VOID();
}

/*
 * SQL: vecdb_hnsw_stats_server_reset() RETURNS void
 */
PG_FUNCTION_INFO_V1(vdb_hnsw_stats_server_reset);
Datum
vdb_hnsw_stats_server_reset(PG_FUNCTION_ARGS)
{
	if (server_stats == NULL)
		ereport(ERROR,
				(errcode(ERRCODE_OBJECT_NOT_IN_PREREQUISITE_STATE),
				 errmsg("the server does not count what hnsw indexes do"),
				 errhint("Add vecdb to shared_preload_libraries and restart the server.")));
	add_to_server();
	for (int i = 0; i < NCOUNTERS; i++)
		pg_atomic_write_u64(&server_stats->counters[i], 0);
	pg_atomic_write_u64(&server_stats->since, (uint64) GetCurrentTimestamp());
	PG_RETURN_VOID();
}
