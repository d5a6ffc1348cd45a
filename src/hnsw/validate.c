/*-------------------------------------------------------------------------
 *
 * validate.c
 *	  Operator classes: what may be in one.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "hnsw/am.h"

bool
vdb_hnsw_validate(Oid opclass)
{
	return true;
}

void
vdb_hnsw_adjust_members(Oid family, Oid opclass, List *operators, List *functions)
{
}

bool
vdb_hnsw_property(Oid index, int attno, IndexAMProperty prop,
				  const char *name, bool *result, bool *isnull)
{
	return false;
}
