/*-------------------------------------------------------------------------
 *
 * hnsw.h
 *	  Public face of the hnsw room.
 *
 *-------------------------------------------------------------------------
 */
#ifndef VDB_HNSW_H
#define VDB_HNSW_H

#include "postgres.h"

/* options.c: storage parameters and settings, called from _PG_init */
extern void vdb_hnsw_init(void);

#endif							/* VDB_HNSW_H */
