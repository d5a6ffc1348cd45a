/*-------------------------------------------------------------------------
 *
 * statement.h
 *	  The statements that collections are read and written with.
 *
 *-------------------------------------------------------------------------
 */
#ifndef VDB_STATEMENT_H
#define VDB_STATEMENT_H

#include "pg_compat.h"

#include "collection/registry.h"
#include "collection/statement_cache.h"
#include "nodes/plannodes.h"
#include "tcop/dest.h"

typedef enum VdbStatementKind
{
	/* name; SELECT id, dimension, distance */
	VDB_STATEMENT_REGISTRY,

	/*
	 * vector, filter, top_k + offset, top_k, offset, worst score, include
	 * metadata, include vector; SELECT id, score, metadata, vector
	 */
	VDB_STATEMENT_SEARCH,

	/* filter; SELECT count(*) */
	VDB_STATEMENT_COUNT,

	/* id; SELECT id, embedding, metadata */
	VDB_STATEMENT_GET,

	/* points, dimension */
	VDB_STATEMENT_UPSERT,

	/* ids */
	VDB_STATEMENT_DELETE_IDS,

	/* filter */
	VDB_STATEMENT_DELETE_MATCHING
} VdbStatementKind;

typedef struct VdbStatement
{
	VdbStatementKind kind;
	bool		has_filter;		/* SEARCH, COUNT, DELETE_MATCHING: not all */
	int64		nrows;			/* SEARCH: top_k + offset */
	Datum		values[VDB_STATEMENT_MAX_PARAMS];
	bool		nulls[VDB_STATEMENT_MAX_PARAMS];
} VdbStatement;

extern void vdb_run_statement(const VdbCollection *collection,
							  const VdbStatement *statement,
							  bool read_only, DestReceiver *dest);
extern void vdb_inspect_statement(const VdbCollection *collection,
								  const VdbStatement *statement,
								  void (*inspect)(const PlannedStmt *plan, void *arg),
								  void *arg);
extern void vdb_set_filter(VdbStatement *statement, int param,
						   FunctionCallInfo fcinfo, int arg);
extern char *vdb_extension_schema(void);
extern void vdb_run_registry_query(Datum name, bool read_only);

#endif							/* VDB_STATEMENT_H */
