/*-------------------------------------------------------------------------
 *
 * pg_compat_plan.h
 *	  What pg_compat.h is, for those who plan queries: its headers would bring
 *	  the names of plan nodes into every file.
 *
 *-------------------------------------------------------------------------
 */
#ifndef VDB_PG_COMPAT_PLAN_H
#define VDB_PG_COMPAT_PLAN_H

#include "pg_compat.h"

#include "access/htup_details.h"
#include "access/stratnum.h"
#include "catalog/pg_attribute.h"
#include "nodes/pathnodes.h"
#include "optimizer/cost.h"
#include "optimizer/paths.h"
#include "utils/syscache.h"

/*
 * Orders of a query.
 *
 * 17: plain index paths by distance are made for a prefix of an order, too;
 *	   the planner knows which columns are NOT NULL
 * 18: members of an equivalence class that belong to children are apart; a sort
 *	   key's direction does not depend on btree; a sort counts disabled nodes
 */
#if PG_VERSION_NUM >= 170000
#define VDB_INDEX_PATHS_GIVE_PREFIX true
#else
#define VDB_INDEX_PATHS_GIVE_PREFIX false
#endif

/* The members of a class, those of the child tables `relids` among them */
static inline List *
vdb_eclass_members(EquivalenceClass *ec, Relids relids)
{
#if PG_VERSION_NUM >= 180000
	List	   *members = NIL;
	EquivalenceMemberIterator it;
	EquivalenceMember *member;

	setup_eclass_member_iterator(&it, ec, relids);
	while ((member = eclass_member_iterator_next(&it)) != NULL)
		members = lappend(members, member);
	return members;
#else
	(void) relids;
	return ec->ec_members;
#endif
}

static inline bool
vdb_pathkey_is_ascending(const PathKey *key)
{
#if PG_VERSION_NUM >= 180000
	return key->pk_cmptype == COMPARE_LT;
#else
	return key->pk_strategy == BTLessStrategyNumber;
#endif
}

static inline void
vdb_cost_sort(Path *path, PlannerInfo *root, List *pathkeys, int disabled_nodes,
			  Cost input_cost, double tuples, int width, Cost comparison_cost,
			  int sort_mem, double limit_tuples)
{
#if PG_VERSION_NUM >= 180000
	cost_sort(path, root, pathkeys, disabled_nodes, input_cost, tuples, width,
			  comparison_cost, sort_mem, limit_tuples);
#else
	(void) disabled_nodes;
	cost_sort(path, root, pathkeys, input_cost, tuples, width,
			  comparison_cost, sort_mem, limit_tuples);
#endif
}

/* Is a column of a table, which rel stands for, declared NOT NULL? */
static inline bool
vdb_column_is_not_null(const RelOptInfo *rel, Oid table, AttrNumber column)
{
#if PG_VERSION_NUM >= 170000
	(void) table;
	return bms_is_member(column, rel->notnullattnums);
#else
	HeapTuple	tuple = SearchSysCache2(ATTNUM, ObjectIdGetDatum(table),
										Int16GetDatum(column));
	bool		result;

	(void) rel;
	if (!HeapTupleIsValid(tuple))
		return false;
	result = ((Form_pg_attribute) GETSTRUCT(tuple))->attnotnull;
	ReleaseSysCache(tuple);
	return result;
#endif
}

/*
 * Do the conditions on a table leave one row of it at most?
 *
 * 19: joins are asked about by another function
 */
static inline bool
vdb_is_unique(PlannerInfo *root, RelOptInfo *rel)
{
#if PG_VERSION_NUM >= 190000
	return relation_has_unique_index_for(root, rel, NIL, NULL);
#else
	return relation_has_unique_index_for(root, rel, NIL, NIL, NIL);
#endif
}

#endif							/* VDB_PG_COMPAT_PLAN_H */
