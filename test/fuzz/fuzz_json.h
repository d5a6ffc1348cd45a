/*-------------------------------------------------------------------------
 *
 * fuzz_json.h
 *	  Inputs of two parts, filters and documents: fuzz_filter.c.
 *
 *-------------------------------------------------------------------------
 */
#ifndef VDB_FUZZ_JSON_H
#define VDB_FUZZ_JSON_H

#include "postgres.h"

#include "utils/jsonb.h"

extern bool vdb_fuzz_split(const char *data, int len, char **first, char **second);
extern Jsonb *vdb_fuzz_jsonb(const char *text);
extern Jsonb *vdb_fuzz_filter_of(const char *text);

#endif							/* VDB_FUZZ_JSON_H */
