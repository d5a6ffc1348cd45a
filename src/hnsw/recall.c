/*-------------------------------------------------------------------------
 *
 * recall.c
 *	  vecdb_index_recall(): how many of the nearest neighbours an index finds.
 *
 * Rows of the table serve as queries.  Each is answered twice by the same
 * statement, once planned with this index only and once with none, by the
 * caller's rights and in one snapshot.  The row itself, which every index
 * finds, is no answer; rows as far away as the last right one are right.
 *
 *-------------------------------------------------------------------------
 */
#include "pg_compat.h"

#include <math.h>

#include "access/htup_details.h"
#include "catalog/pg_operator.h"
#include "catalog/pg_type.h"
#include "executor/spi.h"
#include "fmgr.h"
#include "funcapi.h"
#include "hnsw/index.h"
#include "hnsw/inspect.h"
#include "hnsw/options.h"
#include "hnsw/recall.h"
#include "miscadmin.h"
#include "nodes/makefuncs.h"
#include "nodes/plannodes.h"
#include "portability/instr_time.h"
#include "utils/builtins.h"
#include "utils/fmgrprotos.h"
#include "utils/guc.h"
#include "utils/lsyscache.h"
#include "utils/plancache.h"
#include "utils/ruleutils.h"
#include "utils/syscache.h"

#define MAX_SAMPLES 100000
#define MAX_K 10000

#define RECALL_COLUMNS 8

/* Parts of the statements */
typedef struct Target
{
	Relation	heap;
	Relation	index;
	Oid			type;			/* of queries */
	char	   *expression;		/* what the index has of a row */
	char	   *operator;
	char	   *condition;		/* of a partial index: WHERE ... */
} Target;

/* What one query gave */
typedef struct Answer
{
	int			n;				/* rows with a distance, at most k */
	double	   *distances;
	double		milliseconds;
} Answer;

typedef struct Recall
{
	Target		target;
	int			samples;
	int			k;
	SPIPlanPtr	exact_plan;
	SPIPlanPtr	index_plan;
	Answer		exact;
	Answer		found;

	/* result */
	double	   *recalls;		/* of queries that have an answer */
	int			nrecalls;
	double		exact_time;
	double		index_time;
} Recall;

/*
 * While steered_table is valid, the planner sees no index of it but one; while
 * steered_index is invalid, none.
 */
static Oid	steered_table = InvalidOid;
static Oid	steered_index = InvalidOid;
static VDB_TABLE_HOOK_TYPE previous_hook;

static void hide_indexes(VDB_TABLE_HOOK_PARAMS);
static void set_locally(const char *name, const char *value);
static void check_arguments(int samples, int k);
static void describe(Target *target, const HnswTarget *opened);
static char *operator_name(Relation index);
static void measure(Recall *recall);
static void prepare_both(Recall *recall);
static SPIPlanPtr prepare(const Recall *recall, Oid index);
static bool uses_index(SPIPlanPtr plan, Oid index);
static void measure_sample(Recall *recall, Datum query, ItemPointer self);
static void run(const Recall *recall, SPIPlanPtr plan, Oid index, Datum query,
				ItemPointer self, Answer *answer);
static Datum form_result(FunctionCallInfo fcinfo, Recall *recall, int ef_search);

/*
 * Called once from _PG_init.
 */
void
vdb_hnsw_recall_init(void)
{
	previous_hook = VDB_TABLE_HOOK;
	VDB_TABLE_HOOK = hide_indexes;
}

static void
hide_indexes(VDB_TABLE_HOOK_PARAMS)
{
	List	   *kept = NIL;
	ListCell   *cell;

	if (previous_hook)
		previous_hook(VDB_TABLE_HOOK_ARGS);
	if (!OidIsValid(steered_table) || VDB_TABLE_HOOK_OID != steered_table)
		return;
	foreach(cell, rel->indexlist)
	{
		IndexOptInfo *index = (IndexOptInfo *) lfirst(cell);

		if (index->indexoid == steered_index)
			kept = lappend(kept, index);
	}
	rel->indexlist = kept;
}

/*
 * SQL: vecdb_index_recall(index regclass, samples integer, k integer,
 * ef_search integer) RETURNS record
 */
PG_FUNCTION_INFO_V1(vdb_hnsw_index_recall);
Datum
vdb_hnsw_index_recall(PG_FUNCTION_ARGS)
{
	Recall		recall = {0};
	HnswTarget	opened;
	int			nesting;
	int			ef_search;

	if (PG_ARGISNULL(0) || PG_ARGISNULL(1) || PG_ARGISNULL(2))
		PG_RETURN_NULL();
	recall.samples = PG_GETARG_INT32(1);
	recall.k = PG_GETARG_INT32(2);
	check_arguments(recall.samples, recall.k);
	opened = vdb_hnsw_open_target(PG_GETARG_OID(0), HNSW_RIGHT_SELECT);
	if (!opened.index->rd_index->indisvalid)
		ereport(ERROR,
				(errcode(ERRCODE_OBJECT_NOT_IN_PREREQUISITE_STATE),
				 errmsg("index \"%s\" is not valid", RelationGetRelationName(opened.index)),
				 errhint("REINDEX it.")));
	/* the planner leaves one alone that it cannot read, and says less */
	(void) vdb_hnsw_open(opened.index);

	nesting = NewGUCNestLevel();
	if (!PG_ARGISNULL(3))
		set_locally("hnsw.ef_search", psprintf("%d", PG_GETARG_INT32(3)));
	ef_search = vdb_hnsw_ef_search(opened.index);
	describe(&recall.target, &opened);
	recall.recalls = vdb_palloc_array(double, recall.samples);
	recall.exact.distances = vdb_palloc_array(double, recall.k + 1);
	recall.found.distances = vdb_palloc_array(double, recall.k + 1);
	steered_table = RelationGetRelid(opened.heap);
	PG_TRY();
	{
		measure(&recall);
	}
	PG_FINALLY();
	{
		steered_table = InvalidOid;
		steered_index = InvalidOid;
	}
	PG_END_TRY();
	AtEOXact_GUC(false, nesting);
	vdb_hnsw_close_target(&opened);
	return form_result(fcinfo, &recall, ef_search);
}

/*
 * Sets what is reset when the function returns.
 */
static void
set_locally(const char *name, const char *value)
{
	(void) set_config_option(name, value, PGC_USERSET, PGC_S_SESSION, GUC_ACTION_SAVE,
							 true, 0, false);
}

static void
check_arguments(int samples, int k)
{
	if (samples < 1 || samples > MAX_SAMPLES)
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("samples must be between 1 and %d, not %d", MAX_SAMPLES, samples)));
	if (k < 1 || k > MAX_K)
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("k must be between 1 and %d, not %d", MAX_K, k)));
}

/*
 * Says in SQL what the index is about.
 */
static void
describe(Target *target, const HnswTarget *opened)
{
	Relation	index = opened->index;
	List	   *predicate = RelationGetIndexPredicate(index);

	target->heap = opened->heap;
	target->index = index;
	target->type = index->rd_opcintype[0];
	target->expression = TextDatumGetCString(DirectFunctionCall3(pg_get_indexdef_ext,
																 ObjectIdGetDatum(RelationGetRelid(index)),
																 Int32GetDatum(1), BoolGetDatum(false)));
	target->operator= operator_name(index);
	target->condition = pstrdup("");
	if (predicate != NIL)
	{
		List	   *context = deparse_context_for(RelationGetRelationName(opened->heap),
												  RelationGetRelid(opened->heap));

		target->condition = psprintf(" WHERE (%s)",
									 deparse_expression((Node *) make_ands_explicit(predicate),
														context, false, false));
	}
}

/*
 * The operator that the index sorts by, with its schema.
 */
static char *
operator_name(Relation index)
{
	Oid			oid = get_opfamily_member(index->rd_opfamily[0], index->rd_opcintype[0],
										  index->rd_opcintype[0], 1);
	HeapTuple	tuple = SearchSysCache1(OPEROID, ObjectIdGetDatum(oid));
	Form_pg_operator form;
	char	   *result;

	if (!HeapTupleIsValid(tuple))
		elog(ERROR, "cache lookup failed for operator %u", oid);
	form = (Form_pg_operator) GETSTRUCT(tuple);
	result = psprintf("OPERATOR(%s.%s)",
					  quote_identifier(get_namespace_name(form->oprnamespace)),
					  NameStr(form->oprname));
	ReleaseSysCache(tuple);
	return result;
}

static char *
table_name(Relation table)
{
	return quote_qualified_identifier(get_namespace_name(RelationGetNamespace(table)),
									  RelationGetRelationName(table));
}

/*
 * Takes samples and runs both statements for each.
 */
static void
measure(Recall *recall)
{
	const Target *target = &recall->target;
	char	   *sql;
	SPITupleTable *samples;
	uint64		nsamples;

	if (SPI_connect() != SPI_OK_CONNECT)
		elog(ERROR, "SPI_connect failed");
	sql = psprintf("SELECT ctid, (%s)::%s FROM ONLY %s%s %s (%s) IS NOT NULL"
				   " ORDER BY pg_catalog.random() LIMIT %d",
				   target->expression,
				   /* "bit", not bit, which means bit(1) */
				   format_type_extended(target->type, -1,
										FORMAT_TYPE_TYPEMOD_GIVEN | FORMAT_TYPE_FORCE_QUALIFY),
				   table_name(target->heap), target->condition,
				   target->condition[0] != '\0' ? "AND" : "WHERE", target->expression,
				   recall->samples);
	steered_index = InvalidOid;
	if (SPI_execute(sql, true, 0) != SPI_OK_SELECT)
		elog(ERROR, "SPI_execute failed: %s", sql);
	samples = SPI_tuptable;
	nsamples = SPI_processed;
	if (nsamples > 0)
		prepare_both(recall);
	for (uint64 i = 0; i < nsamples; i++)
	{
		HeapTuple	tuple = samples->vals[i];
		bool		isnull;
		ItemPointer self = (ItemPointer)
			DatumGetPointer(SPI_getbinval(tuple, samples->tupdesc, 1, &isnull));

		measure_sample(recall, SPI_getbinval(tuple, samples->tupdesc, 2, &isnull), self);
	}
	SPI_finish();
}

/*
 * Prepares the statement with the index and without.
 */
static void
prepare_both(Recall *recall)
{
	const Target *target = &recall->target;

	/*
	 * Filtered searches change their way, so they say little of the index; and
	 * without sequential scans there is nothing beside it.
	 */
	set_locally("vecdb.enable_scan", "off");
	set_locally("enable_seqscan", "off");
	recall->index_plan = prepare(recall, RelationGetRelid(target->index));
	if (!uses_index(recall->index_plan, RelationGetRelid(target->index)))
		ereport(ERROR,
				(errcode(ERRCODE_OBJECT_NOT_IN_PREREQUISITE_STATE),
				 errmsg("a search of table \"%s\" cannot use index \"%s\"",
						RelationGetRelationName(target->heap),
						RelationGetRelationName(target->index)),
				 errhint("The setting enable_indexscan or row-level security may stand in the way.")));
	set_locally("enable_seqscan", "on");
	recall->exact_plan = prepare(recall, InvalidOid);
}

/*
 * Prepares the statement, with no index but the given one.
 */
static SPIPlanPtr
prepare(const Recall *recall, Oid index)
{
	const Target *target = &recall->target;
	Oid			type = target->type;
	char	   *sql = psprintf("SELECT ctid, ((%s) %s $1)::pg_catalog.float8 FROM ONLY %s%s"
							   " ORDER BY (%s) %s $1 LIMIT %d",
							   target->expression, target->operator, table_name(target->heap),
							   target->condition, target->expression, target->operator,
							   recall->k + 1);
	SPIPlanPtr	plan;

	steered_index = index;
	plan = SPI_prepare_cursor(sql, 1, &type, CURSOR_OPT_GENERIC_PLAN);
	if (plan == NULL)
		elog(ERROR, "SPI_prepare failed: %s", sql);
	return plan;
}

static bool
uses_index(SPIPlanPtr plan, Oid index)
{
	CachedPlan *cached = SPI_plan_get_cached_plan(plan);
	bool		found = false;

	if (cached == NULL)
		return false;
	for (Plan *node = linitial_node(PlannedStmt, cached->stmt_list)->planTree;
		 node != NULL && !found;
		 node = IsA(node, SubqueryScan) ? ((SubqueryScan *) node)->subplan : node->lefttree)
		found = IsA(node, IndexScan) && ((IndexScan *) node)->indexid == index;
	ReleaseCachedPlan(cached, NULL); /* the plan is not saved */
	return found;
}

/*
 * Compares the two answers to a query.  What has none, such as the zero vector
 * under cosine, does not count.
 */
static void
measure_sample(Recall *recall, Datum query, ItemPointer self)
{
	const Answer *exact = &recall->exact;
	const Answer *found = &recall->found;
	int			right = 0;

	CHECK_FOR_INTERRUPTS();
	run(recall, recall->index_plan, RelationGetRelid(recall->target.index), query, self,
		&recall->found);
	run(recall, recall->exact_plan, InvalidOid, query, self, &recall->exact);
	if (exact->n == 0)
		return;
	for (int i = 0; i < Min(found->n, exact->n); i++)
	{
		if (found->distances[i] <= exact->distances[exact->n - 1])
			right++;
	}
	recall->recalls[recall->nrecalls++] = (double) right / exact->n;
	recall->index_time += found->milliseconds;
	recall->exact_time += exact->milliseconds;
}

static void
run(const Recall *recall, SPIPlanPtr plan, Oid index, Datum query, ItemPointer self,
	Answer *answer)
{
	instr_time	start;
	instr_time	time;

	steered_index = index;
	INSTR_TIME_SET_CURRENT(start);
	if (SPI_execute_plan(plan, &query, NULL, true, 0) != SPI_OK_SELECT)
		elog(ERROR, "SPI_execute_plan failed");
	INSTR_TIME_SET_CURRENT(time);
	INSTR_TIME_SUBTRACT(time, start);
	answer->milliseconds = INSTR_TIME_GET_MILLISEC(time);

	answer->n = 0;
	for (uint64 i = 0; i < SPI_processed && answer->n < recall->k; i++)
	{
		HeapTuple	tuple = SPI_tuptable->vals[i];
		bool		isnull;
		Datum		tid = SPI_getbinval(tuple, SPI_tuptable->tupdesc, 1, &isnull);
		double		distance = DatumGetFloat8(SPI_getbinval(tuple, SPI_tuptable->tupdesc, 2,
															&isnull));

		/* PostgreSQL 15.18 has no ctid of a row whose exact distance was awaited */
		if (!isnull && !isnan(distance) &&
			ItemPointerCompare((ItemPointer) DatumGetPointer(tid), self) != 0)
			answer->distances[answer->n++] = distance;
	}
	SPI_freetuptable(SPI_tuptable);
}

static int
compare_doubles(const void *a, const void *b)
{
	double		x = *(const double *) a;
	double		y = *(const double *) b;

	return x < y ? -1 : x > y;
}

static Datum
form_result(FunctionCallInfo fcinfo, Recall *recall, int ef_search)
{
	TupleDesc	desc;
	Datum		values[RECALL_COLUMNS] = {0};
	bool		nulls[RECALL_COLUMNS] = {false};
	double		n = recall->nrecalls;
	double		sum = 0;

	if (get_call_result_type(fcinfo, NULL, &desc) != TYPEFUNC_COMPOSITE ||
		desc->natts != RECALL_COLUMNS)
		elog(ERROR, "return type does not have %d columns", RECALL_COLUMNS);
	values[0] = Int32GetDatum(recall->nrecalls);
	values[1] = Int32GetDatum(recall->k);
	values[2] = Int32GetDatum(ef_search);
	if (recall->nrecalls == 0)
		memset(nulls + 3, true, RECALL_COLUMNS - 3);
	else
	{
		qsort(recall->recalls, (size_t) recall->nrecalls, sizeof(double), compare_doubles);
		for (int i = 0; i < recall->nrecalls; i++)
			sum += recall->recalls[i];
		values[3] = Float8GetDatum(sum / n);
		values[4] = Float8GetDatum(recall->recalls[(int) ceil(n * 0.05) - 1]);
		values[5] = Float8GetDatum(recall->recalls[0]);
		values[6] = Float8GetDatum(recall->index_time / n);
		values[7] = Float8GetDatum(recall->exact_time / n);
	}
	return HeapTupleGetDatum(heap_form_tuple(BlessTupleDesc(desc), values, nulls));
}
