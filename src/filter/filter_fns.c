/*-------------------------------------------------------------------------
 *
 * filter_fns.c
 *	  SQL functions of the type vecdb_filter: input and output, casts, match.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "filter/filter_internal.h"
#include "lib/stringinfo.h"
#include "libpq/pqformat.h"
#include "nodes/primnodes.h"
#include "utils/builtins.h"
#include "utils/memutils.h"

/* First byte of the binary format; JSON text follows. */
#define BINARY_VERSION 1

/*
 * The compiled filter that a call site keeps in fn_extra.
 */
typedef struct CachedFilter
{
	MemoryContext context;		/* owns copy and tree; reset for each filter */
	bool		is_constant;	/* the call site's filter never changes */
	Jsonb	   *copy;			/* what was compiled; NULL before the first */
	VdbFilter  *tree;			/* points into copy */
} CachedFilter;

static const VdbFilter *get_filter(FunctionCallInfo fcinfo, int argno);
static void compile_into(CachedFilter *cache, const Jsonb *filter);
static bool is_constant_argument(FunctionCallInfo fcinfo, int argno);
static char *filter_to_cstring(Jsonb *filter);

PG_FUNCTION_INFO_V1(vdb_filter_in);
PG_FUNCTION_INFO_V1(vdb_filter_out);
PG_FUNCTION_INFO_V1(vdb_filter_recv);
PG_FUNCTION_INFO_V1(vdb_filter_send);
PG_FUNCTION_INFO_V1(vdb_jsonb_to_filter);
PG_FUNCTION_INFO_V1(vdb_json_to_filter);
PG_FUNCTION_INFO_V1(vdb_filter_match);

/* vecdb_filter from text; soft errors where the caller takes them */
Datum
vdb_filter_in(PG_FUNCTION_ARGS)
{
	char	   *str = PG_GETARG_CSTRING(0);
	Jsonb	   *result = vdb_filter_parse(str, strlen(str), fcinfo->context);

	if (result == NULL)
		PG_RETURN_NULL();
	PG_RETURN_JSONB_P(result);
}

/* vecdb_filter to text, which reads back to the same bytes */
Datum
vdb_filter_out(PG_FUNCTION_ARGS)
{
	PG_RETURN_CSTRING(filter_to_cstring(DatumGetVdbFilterJsonb(PG_GETARG_DATUM(0))));
}

/* vecdb_filter from the binary format, validated like text */
Datum
vdb_filter_recv(PG_FUNCTION_ARGS)
{
	StringInfo	buf = (StringInfo) PG_GETARG_POINTER(0);
	int			version = pq_getmsgint(buf, 1);
	char	   *str;
	int			len;

	if (version != BINARY_VERSION)
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_BINARY_REPRESENTATION),
				 errmsg("unsupported vecdb_filter version number %d", version)));
	str = pq_getmsgtext(buf, buf->len - buf->cursor, &len);
	PG_RETURN_DATUM(vdb_filter_from_json(str, len));
}

/* vecdb_filter to the binary format */
Datum
vdb_filter_send(PG_FUNCTION_ARGS)
{
	char	   *str = filter_to_cstring(DatumGetVdbFilterJsonb(PG_GETARG_DATUM(0)));
	StringInfoData buf;

	pq_begintypsend(&buf);
	pq_sendint8(&buf, BINARY_VERSION);
	pq_sendtext(&buf, str, strlen(str));
	PG_RETURN_BYTEA_P(pq_endtypsend(&buf));
}

/* cast from jsonb, by way of text, so that there is one set of checks */
Datum
vdb_jsonb_to_filter(PG_FUNCTION_ARGS)
{
	char	   *str = filter_to_cstring(PG_GETARG_JSONB_P(0));

	PG_RETURN_DATUM(vdb_filter_from_json(str, strlen(str)));
}

/* cast from json */
Datum
vdb_json_to_filter(PG_FUNCTION_ARGS)
{
	text	   *json = PG_GETARG_TEXT_PP(0);

	PG_RETURN_DATUM(vdb_filter_from_json(VARDATA_ANY(json),
										 VARSIZE_ANY_EXHDR(json)));
}

/* vecdb_match(jsonb, vecdb_filter) and the operator @~ */
Datum
vdb_filter_match(PG_FUNCTION_ARGS)
{
	const VdbFilter *filter = get_filter(fcinfo, 1);
	Jsonb	   *document = PG_GETARG_JSONB_P(0);
	bool		result = vdb_filter_eval(filter, &document->root);

	PG_FREE_IF_COPY(document, 0);
	PG_RETURN_BOOL(result);
}

/*
 * The compiled form of a function's filter argument, valid until the next
 * call.  It is compiled when it differs from the previous call's.  The
 * Datum's address says nothing about that, so bytes are compared, unless the
 * argument is a constant of the query.
 */
static const VdbFilter *
get_filter(FunctionCallInfo fcinfo, int argno)
{
	CachedFilter *cache = fcinfo->flinfo->fn_extra;
	Jsonb	   *filter;

	if (cache && cache->is_constant && cache->tree)
		return cache->tree;

	if (cache == NULL)
	{
		cache = MemoryContextAllocZero(fcinfo->flinfo->fn_mcxt,
									   sizeof(CachedFilter));
		cache->context = AllocSetContextCreate(fcinfo->flinfo->fn_mcxt,
											   "vecdb filter",
											   ALLOCSET_SMALL_SIZES);
		cache->is_constant = is_constant_argument(fcinfo, argno);
		fcinfo->flinfo->fn_extra = cache;
	}

	filter = DatumGetVdbFilterJsonb(PG_GETARG_DATUM(argno));
	if (cache->tree == NULL || VARSIZE(filter) != VARSIZE(cache->copy) ||
		memcmp(filter, cache->copy, VARSIZE(filter)) != 0)
		compile_into(cache, filter);
	PG_FREE_IF_COPY(filter, argno);
	return cache->tree;
}

/* Replaces the cached filter.  After an error the cache is empty. */
static void
compile_into(CachedFilter *cache, const Jsonb *filter)
{
	MemoryContext old;

	cache->tree = NULL;
	MemoryContextReset(cache->context);
	old = MemoryContextSwitchTo(cache->context);
	cache->copy = palloc(VARSIZE(filter));
	memcpy(cache->copy, filter, VARSIZE(filter));
	cache->tree = vdb_filter_compile(cache->copy, NULL);
	MemoryContextSwitchTo(old);
}

/*
 * Is the argument a constant in the call's expression?  Parameters are not:
 * PL/pgSQL evaluates one expression state with ever different parameters, so
 * get_fn_expr_arg_stable(), which takes them for stable, does not serve.
 */
static bool
is_constant_argument(FunctionCallInfo fcinfo, int argno)
{
	Node	   *expr = fcinfo->flinfo->fn_expr;
	List	   *args;

	if (expr && IsA(expr, FuncExpr))
		args = ((FuncExpr *) expr)->args;
	else if (expr && IsA(expr, OpExpr))
		args = ((OpExpr *) expr)->args;
	else
		return false;

	return argno < list_length(args) && IsA(list_nth(args, argno), Const);
}

static char *
filter_to_cstring(Jsonb *filter)
{
	return JsonbToCString(NULL, &filter->root, VARSIZE(filter));
}
