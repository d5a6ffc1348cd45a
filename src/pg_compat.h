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

/*
 * SIMD: instruction sets that a function may be compiled for although the
 * file is not (no -m flags: the binary runs on the baseline CPU).  18 has
 * pg_attribute_target, for single arguments only.  VDB_HAVE_VECTOR_EXT: the
 * compiler knows __attribute__((vector_size)), as gcc and clang do.
 */
#if defined(__GNUC__)
#define VDB_HAVE_VECTOR_EXT 1
#define vdb_attribute_target(isa) __attribute__((target(isa)))
#if defined(__x86_64__)
#define VDB_HAVE_X86_KERNELS 1
#elif defined(__aarch64__)
#define VDB_HAVE_NEON_KERNELS 1
#endif
#endif

#endif							/* VDB_PG_COMPAT_H */
