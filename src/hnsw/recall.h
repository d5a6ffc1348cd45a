/*-------------------------------------------------------------------------
 *
 * recall.h
 *	  Measuring the recall of an index.
 *
 *-------------------------------------------------------------------------
 */
#ifndef VDB_HNSW_RECALL_H
#define VDB_HNSW_RECALL_H

/* recall.c; called from _PG_init */
extern void vdb_hnsw_recall_init(void);

#endif							/* VDB_HNSW_RECALL_H */
