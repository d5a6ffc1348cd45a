/*-------------------------------------------------------------------------
 *
 * am.h
 *	  The callbacks of the access method, by file.
 *
 *-------------------------------------------------------------------------
 */
#ifndef VDB_HNSW_AM_H
#define VDB_HNSW_AM_H

#include "postgres.h"

#include "access/amapi.h"
#include "access/genam.h"
#include "nodes/execnodes.h"
#include "nodes/pathnodes.h"

/* Of an operator class: operator 1 is its distance */
#define HNSW_DISTANCE_STRATEGY 1
#define HNSW_NSTRATEGIES 1

/* build.c */
extern IndexBuildResult *vdb_hnsw_build(Relation heap, Relation index, IndexInfo *info);
extern void vdb_hnsw_build_empty(Relation index);
extern char *vdb_hnsw_build_phase_name(int64 phase);

/* insert.c */
extern bool vdb_hnsw_insert(Relation index, Datum *values, bool *isnull,
							ItemPointer heap_tid, Relation heap,
							IndexUniqueCheck check_unique, bool index_unchanged,
							IndexInfo *info);

/* vacuum.c */
extern IndexBulkDeleteResult *vdb_hnsw_bulk_delete(IndexVacuumInfo *info,
												   IndexBulkDeleteResult *stats,
												   IndexBulkDeleteCallback callback,
												   void *callback_state);
extern IndexBulkDeleteResult *vdb_hnsw_vacuum_cleanup(IndexVacuumInfo *info,
													  IndexBulkDeleteResult *stats);

/* scan.c */
extern IndexScanDesc vdb_hnsw_begin_scan(Relation index, int nkeys, int norderbys);
extern void vdb_hnsw_rescan(IndexScanDesc scan, ScanKey keys, int nkeys,
							ScanKey orderbys, int norderbys);
extern bool vdb_hnsw_get_tuple(IndexScanDesc scan, ScanDirection direction);
extern void vdb_hnsw_end_scan(IndexScanDesc scan);

/* cost.c */
extern void vdb_hnsw_cost_estimate(PlannerInfo *root, IndexPath *path, double loop_count,
								   Cost *startup_cost, Cost *total_cost,
								   Selectivity *selectivity, double *correlation,
								   double *pages);

/* options.c */
extern bytea *vdb_hnsw_options(Datum reloptions, bool validate);

/* validate.c */
extern bool vdb_hnsw_validate(Oid opclass);
extern void vdb_hnsw_adjust_members(Oid family, Oid opclass, List *operators,
									List *functions);
extern bool vdb_hnsw_property(Oid index, int attno, IndexAMProperty prop,
							  const char *name, bool *result, bool *isnull);

#endif							/* VDB_HNSW_AM_H */
