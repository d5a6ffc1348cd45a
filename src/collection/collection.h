/*-------------------------------------------------------------------------
 *
 * collection.h
 *	  Public face of the collection room.
 *
 *-------------------------------------------------------------------------
 */
#ifndef VDB_COLLECTION_H
#define VDB_COLLECTION_H

#include "pg_compat.h"

/* statement_cache.c: called from _PG_init */
extern void vdb_collection_init(void);

#endif							/* VDB_COLLECTION_H */
