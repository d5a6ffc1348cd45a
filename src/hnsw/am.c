/*-------------------------------------------------------------------------
 *
 * am.c
 *	  The handler of the access method: what it can do, and who does it.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "commands/vacuum.h"
#include "fmgr.h"
#include "hnsw/am.h"
#include "hnsw/index.h"
#include "pg_compat.h"

/*
 * Scans give rows in the order of a distance and do nothing else: no search
 * conditions (amoptionalkey: none is needed), no bitmaps, no marks; they are
 * neither parallel nor backward.  NULLs, and zero vectors under cosine, are not
 * in the index.
 */
static const IndexAmRoutine hnsw_routine = {
	.type = T_IndexAmRoutine,
	.amstrategies = HNSW_NSTRATEGIES,
	.amsupport = HNSW_NPROCS,
	.amcanorderbyop = true,
	.amoptionalkey = true,
	VDB_AM_PARALLEL(false, true),
	.amparallelvacuumoptions = VACUUM_OPTION_PARALLEL_BULKDEL,
	.amkeytype = InvalidOid,

	.ambuild = vdb_hnsw_build,
	.ambuildempty = vdb_hnsw_build_empty,
	.aminsert = vdb_hnsw_insert,
	.ambulkdelete = vdb_hnsw_bulk_delete,
	.amvacuumcleanup = vdb_hnsw_vacuum_cleanup,
	.amcostestimate = vdb_hnsw_cost_estimate,
	.amoptions = vdb_hnsw_options,
	.amproperty = vdb_hnsw_property,
	.ambuildphasename = vdb_hnsw_build_phase_name,
	.amvalidate = vdb_hnsw_validate,
	.amadjustmembers = vdb_hnsw_adjust_members,
	.ambeginscan = vdb_hnsw_begin_scan,
	.amrescan = vdb_hnsw_rescan,
	.amgettuple = vdb_hnsw_get_tuple,
	.amendscan = vdb_hnsw_end_scan,
};

/*
 * SQL: vecdb_hnsw_handler(internal) RETURNS index_am_handler
 */
PG_FUNCTION_INFO_V1(vdb_hnsw_handler);
Datum
vdb_hnsw_handler(PG_FUNCTION_ARGS)
{
	PG_RETURN_POINTER(vdb_index_am_routine(&hnsw_routine));
}
