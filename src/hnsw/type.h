/*-------------------------------------------------------------------------
 *
 * type.h
 *	  Element types and distances of operator classes, by support function.
 *
 *-------------------------------------------------------------------------
 */
#ifndef VDB_HNSW_TYPE_H
#define VDB_HNSW_TYPE_H

#include "hnsw/index.h"

/* type.c */
extern const HnswType *vdb_hnsw_type_of_function(Oid function, Oid type);
extern const char *vdb_hnsw_operator_name(const HnswType *type);

#endif							/* VDB_HNSW_TYPE_H */
