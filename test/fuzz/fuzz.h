/*-------------------------------------------------------------------------
 *
 * fuzz.h
 *	  Fuzzing inside a server process: what a target is, and what helps it.
 *
 * README.md says how it is built and run.
 *
 *-------------------------------------------------------------------------
 */
#ifndef VDB_FUZZ_H
#define VDB_FUZZ_H

#include "postgres.h"

#include "fmgr.h"

/*
 * What gets fuzzed.  An input runs in a subtransaction and in a memory context of
 * its own, which both end with it.  It may raise errors that a user can cause;
 * internal ones (class XX) are bugs unless the target allows them.
 */
typedef struct VdbFuzzTarget
{
	const char *name;
	void (*prepare)(void);		/* before the first input; may be NULL */
	void (*run)(const char *data, int len);
	bool (*allows)(const ErrorData *error); /* of class XX; may be NULL */
} VdbFuzzTarget;

extern const VdbFuzzTarget vdb_fuzz_vector_text;
extern const VdbFuzzTarget vdb_fuzz_vector_binary;
extern const VdbFuzzTarget vdb_fuzz_filter;
extern const VdbFuzzTarget vdb_fuzz_keys;
extern const VdbFuzzTarget vdb_fuzz_points;
extern const VdbFuzzTarget vdb_fuzz_search;
extern const VdbFuzzTarget vdb_fuzz_pages;

/* fuzz_driver.c */
pg_noreturn extern void vdb_fuzz_wrong(const char *fmt, ...) pg_attribute_printf(1, 2);
extern char *vdb_fuzz_copy(const char *data, int len);
extern bool vdb_fuzz_is_text(const char *data, int len);
extern bool vdb_fuzz_try(PGFunction function, int nargs, const Datum *args, Datum *result);

#endif							/* VDB_FUZZ_H */
