/*-------------------------------------------------------------------------
 *
 * vecdb.c
 *	  Entry of the module: the magic block and the list of rooms to set up.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "collection/collection.h"
#include "distance/distance.h"
#include "filter/filter.h"
#include "fmgr.h"
#include "hnsw/hnsw.h"
#include "pg_compat.h"
#include "planner/planner.h"
#include "utils/guc.h"

VDB_MODULE_MAGIC("vecdb", "1.0");

PGDLLEXPORT void _PG_init(void);

/*
 * Called once per backend when the library is loaded.  Nothing here needs
 * shared_preload_libraries.
 */
void
_PG_init(void)
{
	vdb_distance_init();
	vdb_filter_init();
	vdb_hnsw_init();
	vdb_planner_init();
	vdb_collection_init();

	MarkGUCPrefixReserved("vecdb");
}
