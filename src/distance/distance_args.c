/*-------------------------------------------------------------------------
 *
 * distance_args.c
 *	  Detoasting of the arguments of a distance function, once per query for
 *	  an argument that is the same for every row.
 *
 * A literal reaches us as a plain Const, as does a bind parameter that the
 * planner folded.  But the value of a Param can be a TOAST pointer: of a
 * sub-select ("ORDER BY v <-> (SELECT v FROM t WHERE id = 1)"), of the outer
 * row of a LATERAL join, or of a PL/pgSQL variable.  The executor hands over
 * the same pointer for every row, and fetching costs far more than the
 * distance.  So for arguments that are Params the last detoasted value is
 * kept, with the toasted datum as the key.
 *
 * Why the key identifies the value: a compressed datum contains it, and what
 * a TOAST pointer points to never changes; its OID can only be given away
 * again after the value was vacuumed away and the OID counter came round
 * within the lifetime of one expression state.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "distance_args.h"
#include "nodes/primnodes.h"

/* The last value of one argument; key is NULL when there is none. */
typedef struct CachedArg
{
	bool		is_param;		/* worth caching at all */
	Size		key_size;
	char	   *key;			/* the toasted datum */
	VdbDense   *value;
} CachedArg;

/* In fn_extra and, like all it points to, in fn_mcxt */
typedef struct ArgCache
{
	CachedArg	arg[2];
} ArgCache;

/*
 * True if argument argno of the calling expression is a Param.
 */
static bool
is_param_arg(const FmgrInfo *flinfo, int argno)
{
	Node	   *expr = flinfo->fn_expr;
	List	   *args;
	Node	   *arg;

	if (expr == NULL)
		return false;
	if (IsA(expr, OpExpr))
		args = ((OpExpr *) expr)->args;
	else if (IsA(expr, FuncExpr))
		args = ((FuncExpr *) expr)->args;
	else
		return false;
	if (argno >= list_length(args))
		return false;

	arg = (Node *) list_nth(args, argno);
	while (arg != NULL && IsA(arg, RelabelType))
		arg = (Node *) ((RelabelType *) arg)->arg;
	return arg != NULL && IsA(arg, Param);
}

/*
 * The slot for argument argno, or NULL if its value changes from row to row
 * or the caller gave us no place to keep it.
 */
static CachedArg *
find_cached_arg(FmgrInfo *flinfo, int argno)
{
	ArgCache   *cache;

	if (flinfo == NULL)
		return NULL;
	cache = (ArgCache *) flinfo->fn_extra;
	if (cache == NULL)
	{
		cache = MemoryContextAllocZero(flinfo->fn_mcxt, sizeof(ArgCache));
		for (int i = 0; i < lengthof(cache->arg); i++)
			cache->arg[i].is_param = is_param_arg(flinfo, i);
		flinfo->fn_extra = cache;
	}
	return cache->arg[argno].is_param ? &cache->arg[argno] : NULL;
}

/*
 * Replaces what is in the slot by the value of raw.  The slot is empty while
 * the detoasting can fail.
 */
static void
fill_cached_arg(CachedArg *slot, struct varlena *raw, MemoryContext mcxt)
{
	MemoryContext oldcxt;
	char	   *key;

	if (slot->key != NULL)
	{
		pfree(slot->key);
		pfree(slot->value);
		slot->key = NULL;
	}
	oldcxt = MemoryContextSwitchTo(mcxt);
	slot->value = DatumGetVdbDense(PointerGetDatum(raw));
	slot->key_size = VARSIZE_ANY(raw);
	key = palloc(slot->key_size);
	memcpy(key, raw, slot->key_size);
	slot->key = key;
	MemoryContextSwitchTo(oldcxt);
}

/*
 * Argument argno, which has an extended header (short, compressed or out of
 * line), as a plain value.  Copies a short one each time: that is cheaper
 * than finding out whether it is still the same.
 */
VdbDistanceArg
vdb_distance_detoast_arg(FunctionCallInfo fcinfo, int argno)
{
	struct varlena *raw = (struct varlena *) PG_GETARG_POINTER(argno);
	VdbDistanceArg arg;
	CachedArg  *slot = NULL;

	if (VARATT_IS_COMPRESSED(raw) || VARATT_IS_EXTERNAL_ONDISK(raw))
		slot = find_cached_arg(fcinfo->flinfo, argno);
	if (slot == NULL)
	{
		arg.value = DatumGetVdbDense(PointerGetDatum(raw));
		arg.is_copy = true;
		return arg;
	}

	if (slot->key == NULL || slot->key_size != VARSIZE_ANY(raw) ||
		memcmp(slot->key, raw, slot->key_size) != 0)
		fill_cached_arg(slot, raw, fcinfo->flinfo->fn_mcxt);
	arg.value = slot->value;
	arg.is_copy = false;
	return arg;
}
