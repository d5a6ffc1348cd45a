/*-------------------------------------------------------------------------
 *
 * advice.c
 *	  Which index would serve conditions that none serves.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "catalog/namespace.h"
#include "catalog/pg_type.h"
#include "filter/filter.h"
#include "nodes/nodeFuncs.h"
#include "optimizer/cost.h"
#include "optimizer/optimizer.h"
#include "parser/parsetree.h"
#include "planner/path.h"
#include "utils/builtins.h"
#include "utils/lsyscache.h"
#include "utils/ruleutils.h"
#include "utils/typcache.h"

char *
vdb_index_advice(PlannerInfo *root, const VdbOrder *order)
{
	return NULL;
}
