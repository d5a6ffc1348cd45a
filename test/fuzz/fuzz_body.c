/*-------------------------------------------------------------------------
 *
 * fuzz_body.c
 *	  Targets: the bodies of requests, points to upsert and searches.
 *
 *-------------------------------------------------------------------------
 */
#include "pg_compat.h"

#include "catalog/pg_type_d.h"
#include "executor/executor.h"
#include "funcapi.h"
#include "fuzz.h"
#include "fuzz_json.h"
#include "nodes/makefuncs.h"
#include "parser/parse_func.h"
#include "utils/builtins.h"
#include "utils/fmgrprotos.h"
#include "utils/memutils.h"
#include "utils/tuplestore.h"
#include "vector/vector.h"

static FmgrInfo parse_points;
static FmgrInfo search_request;

static void check_rows(ReturnSetInfo *rsinfo, const char *json, int dim);
static void check_point(TupleTableSlot *slot, JsonbContainer *points, uint32 npoints, int dim,
						const char *json);
static void check_vector(const VdbVector *v, JsonbContainer *elements, const char *json);
static bool is_json(const char *json);
static JsonbContainer *member(JsonbContainer *object, const char *name);

/* The SQL function of a name and arguments */
static void
look_up(FmgrInfo *function, const char *name, int nargs, const Oid *types)
{
	fmgr_info_cxt(LookupFuncName(list_make2(makeString("vecdb"), makeString(pstrdup(name))),
								 nargs, types, false),
				  function, TopMemoryContext);
}

static void
prepare_points(void)
{
	const Oid	types[] = {JSONOID, INT4OID};

	look_up(&parse_points, "parse_points", 2, types);
}

static void
prepare_search(void)
{
	const Oid	types[] = {JSONOID};

	look_up(&search_request, "search_request", 1, types);
}

/*
 * A byte for the dimension, then the body.  Rows are in the order of their ids, and
 * each has the numbers that jsonb reads.
 */
static void
run_points(const char *data, int len)
{
	LOCAL_FCINFO(fcinfo, 2);
	ReturnSetInfo rsinfo = {.type = T_ReturnSetInfo};
	ExprContext *econtext;
	char	   *json;
	int			dim;

	if (len < 2 || !vdb_fuzz_is_text(data + 1, len - 1) || memchr(data + 1, 0, (size_t) len - 1))
		return;
	dim = 1 + (unsigned char) data[0] % 4;
	json = vdb_fuzz_copy(data + 1, len - 1);

	econtext = CreateStandaloneExprContext();
	rsinfo.econtext = econtext;
	rsinfo.allowedModes = SFRM_Materialize;
	InitFunctionCallInfoData(*fcinfo, &parse_points, 2, InvalidOid, NULL, (Node *) &rsinfo);
	fcinfo->args[0].value = PointerGetDatum(cstring_to_text(json));
	fcinfo->args[0].isnull = false;
	fcinfo->args[1].value = Int32GetDatum(dim);
	fcinfo->args[1].isnull = false;
	FunctionCallInvoke(fcinfo);
	if (is_json(json))
		check_rows(&rsinfo, json, dim);
	tuplestore_end(rsinfo.setResult);
	FreeExprContext(econtext, true);
}

static void
check_rows(ReturnSetInfo *rsinfo, const char *json, int dim)
{
	TupleTableSlot *slot = MakeSingleTupleTableSlot(rsinfo->setDesc, &TTSOpsMinimalTuple);
	Jsonb	   *body = vdb_fuzz_jsonb(json);
	JsonbContainer *points = NULL;
	char	   *last = NULL;
	uint32		nrows = 0;
	uint32		npoints = 0;

	/* jsonb takes no numbers that numeric does not hold */
	if (body != NULL)
	{
		points = JB_ROOT_IS_ARRAY(body) ? &body->root : member(&body->root, "points");
		npoints = JsonContainerSize(points);
	}
	while (tuplestore_gettupleslot(rsinfo->setResult, true, false, slot))
	{
		char	   *id;

		slot_getallattrs(slot);
		id = TextDatumGetCString(slot->tts_values[0]);
		if (last != NULL && strcmp(last, id) >= 0)
			vdb_fuzz_wrong("\"%s\" comes before \"%s\"", last, id);
		last = id;
		if (points != NULL)
			check_point(slot, points, npoints, dim, json);
		nrows++;
	}
	if (points != NULL && nrows != npoints)
		vdb_fuzz_wrong("%u rows of %u points: %s", nrows, npoints, json);
	ExecDropSingleTupleTableSlot(slot);
}

/* Finds the point of the row's id, and compares. */
static void
check_point(TupleTableSlot *slot, JsonbContainer *points, uint32 npoints, int dim, const char *json)
{
	char	   *id = TextDatumGetCString(slot->tts_values[0]);
	VdbVector  *v = DatumGetVdbVector(slot->tts_values[1]);
	uint32		i;

	if (v->dim != dim)
		vdb_fuzz_wrong("%d elements: %s", v->dim, json);
	for (i = 0; i < npoints; i++)
	{
		JsonbValue *point = getIthJsonbValueFromContainer(points, i);
		JsonbValue	value;

		if (getKeyJsonValueFromContainer(point->val.binary.data, "id", 2, &value) == NULL ||
			value.type != jbvString || value.val.string.len != (int) strlen(id) ||
			memcmp(value.val.string.val, id, strlen(id)) != 0)
			continue;
		check_vector(v, member(point->val.binary.data, "vector"), json);
		if (getKeyJsonValueFromContainer(point->val.binary.data, "metadata", 8, &value) != NULL &&
			value.type != jbvNull)
		{
			Jsonb	   *metadata = DatumGetJsonbP(slot->tts_values[2]);

			if (value.type != jbvBinary ||
				compareJsonbContainers(value.val.binary.data, &metadata->root) != 0)
				vdb_fuzz_wrong("other metadata: %s", json);
		}
		return;
	}
	vdb_fuzz_wrong("no point \"%s\": %s", id, json);
}

static void
check_vector(const VdbVector *v, JsonbContainer *elements, const char *json)
{
	int			i;

	if (JsonContainerSize(elements) != (uint32) v->dim)
		vdb_fuzz_wrong("%d elements: %s", v->dim, json);
	for (i = 0; i < v->dim; i++)
	{
		JsonbValue *element = getIthJsonbValueFromContainer(elements, i);
		char	   *number = DatumGetCString(DirectFunctionCall1(numeric_out,
																 NumericGetDatum(element->val.numeric)));

		/* numeric has no negative zero */
		if (strtof(number, NULL) != v->x[i])
			vdb_fuzz_wrong("%s was read as %g", number, v->x[i]);
	}
}

static JsonbContainer *
member(JsonbContainer *object, const char *name)
{
	JsonbValue	value;

	if (getKeyJsonValueFromContainer(object, name, (int) strlen(name), &value) == NULL ||
		value.type != jbvBinary)
		vdb_fuzz_wrong("accepted without \"%s\"", name);
	return value.val.binary.data;
}

/*
 * The type json was checked before; what is read here need not be JSON, but then
 * nothing is known of it.
 */
static bool
is_json(const char *json)
{
	Datum		arg = CStringGetDatum(json);
	Datum		result;

	return vdb_fuzz_try(json_in, 1, &arg, &result);
}

/* A search's body */
static void
run_search(const char *data, int len)
{
	LOCAL_FCINFO(fcinfo, 1);
	char	   *json;

	if (!vdb_fuzz_is_text(data, len) || memchr(data, 0, (size_t) len))
		return;
	json = vdb_fuzz_copy(data, len);
	InitFunctionCallInfoData(*fcinfo, &search_request, 1, InvalidOid, NULL, NULL);
	fcinfo->args[0].value = PointerGetDatum(cstring_to_text(json));
	fcinfo->args[0].isnull = false;
	FunctionCallInvoke(fcinfo);
}

const VdbFuzzTarget vdb_fuzz_points = {
	.name = "points", .prepare = prepare_points, .run = run_points
};
const VdbFuzzTarget vdb_fuzz_search = {
	.name = "search", .prepare = prepare_search, .run = run_search
};
