/*-------------------------------------------------------------------------
 *
 * statement_cache.h
 *	  Prepared statements of this backend, found by collection and shape.
 *
 *-------------------------------------------------------------------------
 */
#ifndef VDB_STATEMENT_CACHE_H
#define VDB_STATEMENT_CACHE_H

#include "pg_compat.h"

#include "executor/spi.h"
#include "lib/ilist.h"

#define VDB_STATEMENT_MAX_PARAMS 8

/* Compared byte by byte: no padding. */
typedef struct VdbStatementKey
{
	int64		id;				/* number of the collection, 0: none */
	Oid			table;			/* its table */
	Oid			role;			/* where the plan depends on the role */
	int32		kind;
	int32		shape;
} VdbStatementKey;

typedef struct VdbCachedStatement
{
	VdbStatementKey key;
	SPIPlanPtr	plan;			/* NULL while it is prepared */
	int			nparams;
	Oid			types[VDB_STATEMENT_MAX_PARAMS]; /* of the parameters */
	int			pins;			/* executions that are under way */
	bool		is_suspect;		/* the table has changed or is gone */
	dlist_node	node;			/* in order of last use */
} VdbCachedStatement;

/* Fills in plan, not yet kept, nparams and types; connected to SPI. */
typedef void (*VdbPrepareStatement)(VdbCachedStatement *statement, const void *arg);

extern VdbCachedStatement *vdb_statement_pin(const VdbStatementKey *key,
											 VdbPrepareStatement prepare,
											 const void *arg);
extern void vdb_statement_unpin(VdbCachedStatement *statement);

#endif							/* VDB_STATEMENT_CACHE_H */
