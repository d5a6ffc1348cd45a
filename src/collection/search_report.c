/*-------------------------------------------------------------------------
 *
 * search_report.c
 *	  vecdb.last_search(): how the last search found its points, and what
 *	  would make it faster.
 *
 * The planner room reports on the searches that its node makes.  For the
 * others, those without a filter above all, the plan says how.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "access/genam.h"
#include "access/htup_details.h"
#include "access/table.h"
#include "collection/search.h"
#include "commands/defrem.h"
#include "funcapi.h"
#include "nodes/plannodes.h"
#include "planner/planner.h"
#include "utils/builtins.h"
#include "utils/lsyscache.h"
#include "utils/memutils.h"
#include "utils/rel.h"

PG_FUNCTION_INFO_V1(vdb_last_search);

/* How a plan reads the table; of several ways the last one here counts */
typedef enum PlanAccess
{
	ACCESS_NONE,
	ACCESS_ORDERED,				/* by an index, in order of distance */
	ACCESS_INDEX,				/* by an index on something else */
	ACCESS_ALL					/* row by row */
} PlanAccess;

/* Of the last search through vecdb.search(), if it has a strategy */
static VdbSearchReport own_report;
static char *own_advice = NULL;

static void set_advice(char *advice);
static void inspect_plan(const PlannedStmt *plan, void *arg);
static PlanAccess plan_access(const Plan *plan);
static PlanAccess list_access(List *plans);
static char *advise(const VdbCollection *collection, const VdbStatement *statement);
static bool has_index(Oid table, const char *method, const char *column);

/*
 * A search begins: nothing is known of it.
 */
void
vdb_begin_search_report(void)
{
	vdb_reset_search_report();
	own_report.strategy = NULL;
}

/*
 * A search has run its statement.
 */
void
vdb_end_search_report(const VdbCollection *collection, const VdbStatement *statement)
{
	PlanAccess	access = ACCESS_NONE;
	char	   *advice = NULL;

	if (vdb_last_search_report() != NULL)
		return;

	vdb_inspect_statement(collection, statement, inspect_plan, &access);
	own_report.bitmap_rows = own_report.nodes = -1;
	own_report.heap_fetches = own_report.distances = -1;
	switch (access)
	{
		case ACCESS_ORDERED:
			own_report.strategy = "vector first";
			own_report.reason = statement->has_filter ?
				"the planner found it cheapest" :
				"the search has no filter";
			break;
		case ACCESS_INDEX:
			own_report.strategy = "exact";
			own_report.reason = "the planner found it cheapest";
			break;
		case ACCESS_ALL:
		case ACCESS_NONE:
			own_report.strategy = "exact, all rows";
			advice = advise(collection, statement);
			own_report.reason = advice != NULL ?
				"there is no index to search by" :
				"the planner found reading all rows cheapest";
			break;
	}
	set_advice(advice);
}

/*
 * Keeps the advice of the report, which may be NULL, for as long as that.
 */
static void
set_advice(char *advice)
{
	char	   *copy = advice == NULL ? NULL : MemoryContextStrdup(TopMemoryContext, advice);

	if (own_advice != NULL)
		pfree(own_advice);
	own_report.advice = own_advice = copy;
}

static void
inspect_plan(const PlannedStmt *plan, void *arg)
{
	*(PlanAccess *) arg = plan_access(plan->planTree);
}

/*
 * How a plan of one of our searches reads its table, of which there is one, or
 * several where it is partitioned.
 */
static PlanAccess
plan_access(const Plan *plan)
{
	PlanAccess	access;

	if (plan == NULL)
		return ACCESS_NONE;
	switch (nodeTag(plan))
	{
		case T_IndexScan:
			return ((IndexScan *) plan)->indexorderby != NIL ? ACCESS_ORDERED : ACCESS_INDEX;
		case T_BitmapHeapScan:
			return ACCESS_INDEX;
		case T_SeqScan:
			return ACCESS_ALL;
		case T_SubqueryScan:
			return plan_access(((SubqueryScan *) plan)->subplan);
		case T_Append:
			return list_access(((Append *) plan)->appendplans);
		case T_MergeAppend:
			return list_access(((MergeAppend *) plan)->mergeplans);
		default:
			access = plan_access(outerPlan(plan));
			return Max(access, plan_access(innerPlan(plan)));
	}
}

static PlanAccess
list_access(List *plans)
{
	PlanAccess	access = ACCESS_NONE;
	ListCell   *cell;

	foreach(cell, plans)
	{
		PlanAccess	of_one = plan_access(lfirst(cell));

		access = Max(access, of_one);
	}
	return access;
}

/*
 * The index that a search which read all rows lacks, or NULL.  Collections
 * have both when they are created.
 */
static char *
advise(const VdbCollection *collection, const VdbStatement *statement)
{
	static const char *const classes[] = {
		[VDB_COLLECTION_COSINE] = "vector_cosine_ops",
		[VDB_COLLECTION_EUCLIDEAN] = "vector_l2_ops",
		[VDB_COLLECTION_DOT] = "vector_ip_ops"
	};
	const char *table = quote_qualified_identifier(get_namespace_name(get_rel_namespace(collection->table)),
												   get_rel_name(collection->table));

	if (!has_index(collection->table, "hnsw", "embedding"))
		return psprintf("CREATE INDEX ON %s USING hnsw (embedding %s.%s)",
						table, vdb_extension_schema(), classes[collection->distance]);
	if (statement->has_filter && !has_index(collection->table, "gin", "metadata"))
		return psprintf("CREATE INDEX ON %s USING gin (metadata %s.jsonb_filter_ops)",
						table, vdb_extension_schema());
	return NULL;
}

/*
 * Has a table a valid index of an access method on a column?
 */
static bool
has_index(Oid table, const char *method, const char *column)
{
	Relation	rel = table_open(table, NoLock); /* locked for the search */
	AttrNumber	attribute = get_attnum(table, column);
	Oid			am = get_am_oid(method, true);
	bool		found = false;
	ListCell   *cell;

	foreach(cell, RelationGetIndexList(rel))
	{
		Relation	index = index_open(lfirst_oid(cell), AccessShareLock);

		if (index->rd_rel->relam == am && index->rd_index->indisvalid &&
			index->rd_index->indkey.values[0] == attribute)
			found = true;
		index_close(index, AccessShareLock);
	}
	table_close(rel, NoLock);
	return found;
}

/*
 * vecdb.last_search() returns vecdb.search_report (strategy, reason, advice,
 * bitmap_rows, nodes, heap_fetches, distances)
 *
 * All null before the first search of the session; a number is null where
 * nobody counted.
 */
Datum
vdb_last_search(PG_FUNCTION_ARGS)
{
	const VdbSearchReport *report = vdb_last_search_report();
	TupleDesc	tupdesc;
	Datum		values[7] = {0};
	bool		nulls[7];
	int			i;

	if (get_call_result_type(fcinfo, NULL, &tupdesc) != TYPEFUNC_COMPOSITE)
		elog(ERROR, "return type must be a row type");

	memset(nulls, true, sizeof(nulls));
	if (report == NULL)
		report = &own_report;
	if (report->strategy != NULL)
	{
		const char *const texts[] = {report->strategy, report->reason, report->advice};
		const int64 numbers[] = {report->bitmap_rows, report->nodes,
								 report->heap_fetches, report->distances
	};

		for (i = 0; i < lengthof(texts); i++)
		{
			nulls[i] = texts[i] == NULL;
			if (texts[i] != NULL)
				values[i] = CStringGetTextDatum(texts[i]);
		}
		for (i = 0; i < lengthof(numbers); i++)
		{
			nulls[lengthof(texts) + i] = numbers[i] < 0;
			values[lengthof(texts) + i] = Int64GetDatum(numbers[i]);
		}
	}
	PG_RETURN_DATUM(HeapTupleGetDatum(heap_form_tuple(BlessTupleDesc(tupdesc), values, nulls)));
}
