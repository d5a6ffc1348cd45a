/*-------------------------------------------------------------------------
 *
 * pg_compat.h
 *	  The only file that knows PostgreSQL versions (15 to 19).
 *
 * Wrappers carry the newest signature; each block names the version and the
 * reason.  `make lint` rejects PG_VERSION_NUM anywhere else.
 *
 *-------------------------------------------------------------------------
 */
#ifndef VDB_PG_COMPAT_H
#define VDB_PG_COMPAT_H

#include "postgres.h"

#include "fmgr.h"

/* 16: varatt.h split off postgres.h */
#if PG_VERSION_NUM >= 160000
#include "varatt.h"
#endif

/* 18: the magic block carries name and version */
#if PG_VERSION_NUM >= 180000
#define VDB_MODULE_MAGIC(modname, modversion) \
	PG_MODULE_MAGIC_EXT(.name = modname, .version = modversion)
#else
#define VDB_MODULE_MAGIC(modname, modversion) PG_MODULE_MAGIC
#endif

/*
 * 17: palloc_array() and friends expand to functions that older minor
 * releases lack, so arrays are allocated through this checked product.
 * Callers bound n far below the overflow (16,000 dimensions).
 */
#define vdb_palloc_array(type, n) ((type *) palloc(sizeof(type) * (Size) (n)))

#endif							/* VDB_PG_COMPAT_H */
