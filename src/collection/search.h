/*-------------------------------------------------------------------------
 *
 * search.h
 *	  What the parts of a search share.
 *
 *-------------------------------------------------------------------------
 */
#ifndef VDB_SEARCH_H
#define VDB_SEARCH_H

#include "collection/statement.h"

/* README.md and the HTTP API's description repeat it for users. */
#define VDB_MAX_TOP_K 10000

/* search_report.c */
extern void vdb_begin_search_report(void);
extern void vdb_end_search_report(const VdbCollection *collection,
								  const VdbStatement *statement);

#endif							/* VDB_SEARCH_H */
