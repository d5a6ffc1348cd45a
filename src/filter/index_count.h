/*-------------------------------------------------------------------------
 *
 * index_count.h
 *	  How many rows of an index have a key, about.
 *
 *-------------------------------------------------------------------------
 */
#ifndef VDB_INDEX_COUNT_H
#define VDB_INDEX_COUNT_H

#include "pg_compat.h"

#include "utils/rel.h"

typedef struct VdbKeyCounter VdbKeyCounter;

extern VdbKeyCounter *vdb_key_counter_create(Relation index, AttrNumber column);
extern double vdb_count_key(VdbKeyCounter *counter, Datum key);
extern double vdb_count_range(VdbKeyCounter *counter, Datum begin, Datum end);

#endif							/* VDB_INDEX_COUNT_H */
