/*-------------------------------------------------------------------------
 *
 * statement.c
 *	  The statements that collections are read and written with: their text,
 *	  their parameters, their execution.
 *
 * All run by generic plans.  Planning a search costs about as much as doing
 * it, and there is nothing that the values could teach the planner: the vector
 * changes no cost, the number of rows is told apart from the parameters (see
 * limit_class()), and how many rows a filter lets pass is found out while the
 * search runs, not before.
 *
 * The functions that come here pin search_path, so the plans are found valid
 * whatever their callers' is.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "access/htup_details.h"
#include "catalog/namespace.h"
#include "catalog/pg_class.h"
#include "catalog/pg_type.h"
#include "collection/statement.h"
#include "filter/filter.h"
#include "lib/stringinfo.h"
#include "miscadmin.h"
#include "nodes/params.h"
#include "utils/builtins.h"
#include "utils/lsyscache.h"
#include "utils/plancache.h"
#include "utils/resowner.h"
#include "utils/syscache.h"

/*
 * What identifies a statement beside the collection.  Registered properties of
 * collections are constant, but nothing breaks if somebody changes one.
 */
typedef struct StatementShape
{
	VdbStatementKind kind;
	VdbCollectionDistance distance;
	bool		has_filter;
	int			limit_class;
} StatementShape;

/* What prepare() gets to know. */
typedef struct StatementSource
{
	const VdbCollection *collection;
	const StatementShape *shape;
} StatementSource;

/* Names and types of this installation */
typedef struct ExtensionTypes
{
	Oid			vector;
	Oid			filter;
	char	   *schema;			/* quoted; the operators are there as well */
} ExtensionTypes;

static VdbCachedStatement *pin_statement(const VdbCollection *collection,
										 const VdbStatement *statement);
static int	limit_class(int64 nrows);
static int64 class_limit(int limit_class);
static Oid	role_of_plan(Oid table);
static void prepare(VdbCachedStatement *statement, const void *arg);
static void prepare_registry_query(VdbCachedStatement *statement, const void *arg);
static void find_types(ExtensionTypes *types);
static char *search_text(const StatementSource *source, const ExtensionTypes *types);
static char *filter_text(const char *schema, bool has_filter, int param);
static void execute(VdbCachedStatement *prepared, const Datum *values,
					const bool *nulls, bool read_only, DestReceiver *dest);
static ParamListInfo make_params(const VdbCachedStatement *prepared,
								 const Datum *values, const bool *nulls);

/*
 * Runs a statement on the table of a collection, which the caller has locked.
 * Rows go to dest; without one they are in SPI_tuptable.  SPI_processed is the
 * number of rows.  read_only as for SPI_execute_plan().
 */
void
vdb_run_statement(const VdbCollection *collection, const VdbStatement *statement,
				  bool read_only, DestReceiver *dest)
{
	execute(pin_statement(collection, statement),
			statement->values, statement->nulls, read_only, dest);
}

/*
 * Shows the plan of a statement that was run just now to a function.
 */
void
vdb_inspect_statement(const VdbCollection *collection, const VdbStatement *statement,
					  void (*inspect)(const PlannedStmt *plan, void *arg), void *arg)
{
	VdbCachedStatement *prepared = pin_statement(collection, statement);

	PG_TRY();
	{
		CachedPlan *plan = SPI_plan_get_cached_plan(prepared->plan);

		if (plan != NULL)
		{
			inspect(linitial_node(PlannedStmt, plan->stmt_list), arg);
			ReleaseCachedPlan(plan, CurrentResourceOwner);
		}
	}
	PG_CATCH();
	{
		vdb_statement_unpin(prepared);
		PG_RE_THROW();
	}
	PG_END_TRY();
	vdb_statement_unpin(prepared);
}

/*
 * Makes a parameter of a statement out of a filter that a function has as an
 * argument.  Null and {} let all rows pass: then the statement has no filter.
 */
void
vdb_set_filter(VdbStatement *statement, int param, FunctionCallInfo fcinfo, int arg)
{
	Jsonb	   *filter = PG_ARGISNULL(arg) ? NULL : DatumGetVdbFilterJsonb(PG_GETARG_DATUM(arg));

	statement->has_filter = filter != NULL && JB_ROOT_COUNT(filter) > 0;
	statement->nulls[param] = filter == NULL;
	statement->values[param] = PointerGetDatum(filter);
}

/*
 * The prepared statement, pinned.
 */
static VdbCachedStatement *
pin_statement(const VdbCollection *collection, const VdbStatement *statement)
{
	StatementShape shape = {statement->kind, collection->distance, statement->has_filter, 0};
	StatementSource source = {collection, &shape};
	VdbStatementKey key = {0};

	if (shape.kind == VDB_STATEMENT_SEARCH)
		shape.limit_class = limit_class(statement->nrows);
	key.id = collection->id;
	key.table = collection->table;
	key.role = role_of_plan(collection->table);
	key.kind = shape.kind;
	key.shape = shape.limit_class * 8 + shape.distance * 2 + shape.has_filter;
	return vdb_statement_pin(&key, prepare, &source);
}

/*
 * Leaves in SPI_tuptable what the registry has under a name, a text.
 */
void
vdb_run_registry_query(Datum name, bool read_only)
{
	static const bool nulls[1] = {false};
	VdbStatementKey key = {0};

	key.kind = VDB_STATEMENT_REGISTRY;
	execute(vdb_statement_pin(&key, prepare_registry_query, NULL),
			&name, nulls, read_only, NULL);
}

/*
 * Executes a pinned statement and unpins it, whatever happens.
 */
static void
execute(VdbCachedStatement *prepared, const Datum *values, const bool *nulls,
		bool read_only, DestReceiver *dest)
{
	PG_TRY();
	{
		SPIExecuteOptions options = {
			.params = make_params(prepared, values, nulls),
			.read_only = read_only,
			.dest = dest
		};
		int			result = SPI_execute_plan_extended(prepared->plan, &options);

		if (result < 0)
			elog(ERROR, "could not run a prepared statement: %s", SPI_result_code_string(result));
	}
	PG_CATCH();
	{
		vdb_statement_unpin(prepared);
		PG_RE_THROW();
	}
	PG_END_TRY();
	vdb_statement_unpin(prepared);
}

static ParamListInfo
make_params(const VdbCachedStatement *prepared, const Datum *values, const bool *nulls)
{
	ParamListInfo params = makeParamList(prepared->nparams);
	int			i;

	for (i = 0; i < prepared->nparams; i++)
	{
		params->params[i].value = values[i];
		/* vdb_run_registry_query()'s statement has one parameter */
		params->params[i].isnull = nulls[i]; /* NOLINT(clang-analyzer-core.uninitialized.Assign) */
		params->params[i].pflags = PARAM_FLAG_CONST;
		params->params[i].ptype = prepared->types[i];
	}
	return params;
}

/*
 * Searches for numbers of rows that differ a lot are planned apart.  To the
 * planner a LIMIT that is a parameter is a tenth of the table, which would make
 * a scan of a whole large table look good; search_text() therefore has a
 * constant as well, that of the class, which cuts nothing off.
 */
static int
limit_class(int64 nrows)
{
	int			class = 0;

	while (class_limit(class) < nrows)
		class ++;
	return class;
}

/* 16, 256, 4096, ... beyond any int32 + int32 in class 7 */
static int64
class_limit(int limit_class)
{
	return INT64CONST(16) << (4 * limit_class);
}

/*
 * The role that a plan is made for, if it depends on the role: row-level
 * security puts the policies of one into it.  PostgreSQL would make the plan
 * anew at every change of roles; so each has its own.
 */
static Oid
role_of_plan(Oid table)
{
	HeapTuple	tuple = SearchSysCache1(RELOID, ObjectIdGetDatum(table));
	bool		is_secured = false;

	if (HeapTupleIsValid(tuple))
	{
		is_secured = ((Form_pg_class) GETSTRUCT(tuple))->relrowsecurity;
		ReleaseSysCache(tuple);
	}
	return is_secured ? GetUserId() : InvalidOid;
}

static void
prepare_registry_query(VdbCachedStatement *statement, const void *arg)
{
	(void) arg;
	statement->nparams = 1;
	statement->types[0] = TEXTOID;
	statement->plan = SPI_prepare_cursor("SELECT c.id, c.dimension, c.distance FROM vecdb.collections c WHERE c.name = $1",
										 1, statement->types, CURSOR_OPT_GENERIC_PLAN);
	if (statement->plan == NULL)
		elog(ERROR, "could not prepare a statement: %s", SPI_result_code_string(SPI_result));
}

/*
 * Prepares a statement of a collection.
 */
static void
prepare(VdbCachedStatement *statement, const void *arg)
{
	const StatementSource *source = arg;
	ExtensionTypes ext;
	Oid		   *types = statement->types;
	char	   *tab = psprintf("vecdb_data.c_" INT64_FORMAT, source->collection->id);
	char	   *text = NULL;
	int			n = 0;

	find_types(&ext);
	switch (source->shape->kind)
	{
		case VDB_STATEMENT_SEARCH:
			text = search_text(source, &ext);
			types[n++] = ext.vector;
			types[n++] = ext.filter;
			types[n++] = INT8OID;
			types[n++] = INT8OID;
			types[n++] = INT8OID;
			types[n++] = FLOAT8OID;
			types[n++] = BOOLOID;
			types[n++] = BOOLOID;
			break;
		case VDB_STATEMENT_COUNT:
			text = psprintf("SELECT count(*) FROM %s%s", tab,
							filter_text(ext.schema, source->shape->has_filter, 1));
			types[n++] = ext.filter;
			break;
		case VDB_STATEMENT_GET:
			text = psprintf("SELECT id, embedding, metadata FROM %s WHERE id = $1", tab);
			types[n++] = TEXTOID;
			break;
		case VDB_STATEMENT_UPSERT:
			text = psprintf("INSERT INTO %s AS t (id, embedding, metadata) "
							"SELECT p.id, p.embedding, p.metadata FROM vecdb.parse_points($1, $2) p "
							"ON CONFLICT (id) DO UPDATE SET embedding = excluded.embedding, metadata = excluded.metadata",
							tab);
			types[n++] = JSONOID;
			types[n++] = INT4OID;
			break;

			/*
			 * Rows are locked in the order of their ids, as by an upsert.  An
			 * array of what was locked, rather than a join, since the planner
			 * always looks its elements up by the primary key.
			 */
		case VDB_STATEMENT_DELETE_IDS:
			text = psprintf("DELETE FROM %s WHERE id = ANY (ARRAY("
							"SELECT id FROM %s WHERE id = ANY ($1) ORDER BY id FOR UPDATE))",
							tab, tab);
			types[n++] = TEXTARRAYOID;
			break;
		case VDB_STATEMENT_DELETE_MATCHING:
			text = psprintf("DELETE FROM %s WHERE id = ANY (ARRAY("
							"SELECT id FROM %s%s ORDER BY id FOR UPDATE))",
							tab, tab,
							filter_text(ext.schema, source->shape->has_filter, 1));
			types[n++] = ext.filter;
			break;
		case VDB_STATEMENT_REGISTRY:
			break;
	}
	if (text == NULL)
		elog(ERROR, "unrecognized statement kind: %d", (int) source->shape->kind);
	statement->nparams = n;
	statement->plan = SPI_prepare_cursor(text, n, types,
										 CURSOR_OPT_GENERIC_PLAN | CURSOR_OPT_PARALLEL_OK);
	if (statement->plan == NULL)
		elog(ERROR, "could not prepare a statement: %s", SPI_result_code_string(SPI_result));
}

/*
 * The schema of the extension's types and operators, quoted.
 */
char *
vdb_extension_schema(void)
{
	ExtensionTypes types;

	find_types(&types);
	return types.schema;
}

/*
 * The types of the extension, through one of its own that has a fixed place:
 * vecdb.point(id, vector, metadata).
 */
static void
find_types(ExtensionTypes *types)
{
	Oid			point = get_relname_relid("point", get_namespace_oid("vecdb", false));
	Oid			schema;
	HeapTuple	tuple;

	types->vector = get_atttype(point, get_attnum(point, "vector"));
	tuple = SearchSysCache1(TYPEOID, ObjectIdGetDatum(types->vector));
	if (!HeapTupleIsValid(tuple))
		elog(ERROR, "cache lookup failed for type %u", types->vector);
	schema = ((Form_pg_type) GETSTRUCT(tuple))->typnamespace;
	ReleaseSysCache(tuple);

	types->filter = GetSysCacheOid2(TYPENAMENSP, Anum_pg_type_oid,
									CStringGetDatum("vecdb_filter"), ObjectIdGetDatum(schema));
	if (!OidIsValid(types->filter))
		elog(ERROR, "type vecdb_filter does not exist");
	types->schema = pstrdup(quote_identifier(get_namespace_name(schema)));
}

/*
 * The innermost query finds the rows.  Equal distances are in order of id
 * there, so that pages of one result have no row twice and miss none: the scan
 * goes on until the distance of the last row has ended.  d is NaN for a zero
 * vector under cosine.  NaN sorts last and the distance grows, so both outer
 * conditions only cut off the end.  The constant limit in the middle is the
 * planner's, see limit_class().
 */
static char *
search_text(const StatementSource *source, const ExtensionTypes *types)
{
	static const char *const operators[] = {
		[VDB_COLLECTION_COSINE] = "<=>",
		[VDB_COLLECTION_EUCLIDEAN] = "<->",
		[VDB_COLLECTION_DOT] = "<#>"
	};
	static const char *const scores[] = {
		[VDB_COLLECTION_COSINE] = "1 - d",
		[VDB_COLLECTION_EUCLIDEAN] = "d",
		[VDB_COLLECTION_DOT] = "-d"
	};
	VdbCollectionDistance distance = source->shape->distance;
	const char *score = scores[distance];

	return psprintf("SELECT id, %s, metadata, embedding FROM (SELECT * FROM ("
					"SELECT id, embedding OPERATOR(%s.%s) $1 AS d, "
					"CASE WHEN $7 THEN metadata END AS metadata, "
					"CASE WHEN $8 THEN embedding END AS embedding "
					"FROM vecdb_data.c_" INT64_FORMAT "%s ORDER BY d, id LIMIT $3"
					") n LIMIT " INT64_FORMAT ") s WHERE d <> 'NaN' AND %s %s $6 "
					"ORDER BY d, id LIMIT $4 OFFSET $5",
					score, types->schema, operators[distance], source->collection->id,
					filter_text(types->schema, source->shape->has_filter, 2),
					class_limit(source->shape->limit_class),
					score, distance == VDB_COLLECTION_EUCLIDEAN ? "<=" : ">=");
}

/*
 * The condition that a filter is.  It has no cost where there is none.
 */
static char *
filter_text(const char *schema, bool has_filter, int param)
{
	if (!has_filter)
		return "";
	return psprintf(" WHERE metadata OPERATOR(%s.@~) $%d", schema, param);
}
