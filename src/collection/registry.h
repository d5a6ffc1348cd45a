/*-------------------------------------------------------------------------
 *
 * registry.h
 *	  Which table is a collection, and what the caller may do with it.
 *
 *-------------------------------------------------------------------------
 */
#ifndef VDB_REGISTRY_H
#define VDB_REGISTRY_H

#include "pg_compat.h"

#include "nodes/parsenodes.h"
#include "storage/lockdefs.h"

typedef enum VdbCollectionDistance
{
	VDB_COLLECTION_COSINE,
	VDB_COLLECTION_EUCLIDEAN,
	VDB_COLLECTION_DOT
} VdbCollectionDistance;

typedef struct VdbCollection
{
	char	   *name;
	int64		id;				/* its table is vecdb_data.c_<id> */
	int			dimension;
	VdbCollectionDistance distance;
	Oid			table;
} VdbCollection;

/* Any of what makes a collection exist for a role */
#define VDB_ANY_PRIVILEGE	(ACL_SELECT | ACL_INSERT | ACL_UPDATE | ACL_DELETE)

extern void vdb_find_collection(text *name, AclMode privilege, bool read_only,
								VdbCollection *collection);
extern void vdb_lock_collection(VdbCollection *collection, LOCKMODE mode);
pg_noreturn extern void vdb_rethrow_write_error(const VdbCollection *collection,
												MemoryContext context);

#endif							/* VDB_REGISTRY_H */
