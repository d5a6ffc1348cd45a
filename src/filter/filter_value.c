/*-------------------------------------------------------------------------
 *
 * filter_value.c
 *	  Equality and order of JSON values as the filter language defines them.
 *
 * jsonb's own comparison is not used: it asks the database's collation for the
 * order of strings, which costs time and may fail.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "filter/filter_internal.h"
#include "miscadmin.h"
#include "utils/builtins.h"
#include "utils/numeric.h"

static int	compare_strings(const JsonbValue *a, const JsonbValue *b);
static int	compare_containers(JsonbContainer *a, JsonbContainer *b);

/*
 * A total order, in which equality is the language's equality.  Values of
 * one scalar type are in the language's order, too; types come one after the
 * other and containers last, in an order that only serves look-ups.  Arrays and
 * objects must be jbvBinary.  Cannot fail and leaves no memory behind (F2, F3).
 */
int
vdb_filter_compare_values(const JsonbValue *a, const JsonbValue *b)
{
	if (a->type != b->type)
		return a->type < b->type ? -1 : 1;

	switch (a->type)
	{
		case jbvNull:
			return 0;
		case jbvString:
			return compare_strings(a, b);
		case jbvNumeric:
			return DatumGetInt32(DirectFunctionCall2(numeric_cmp,
													 NumericGetDatum(a->val.numeric),
													 NumericGetDatum(b->val.numeric)));
		case jbvBool:
			return (int) a->val.boolean - (int) b->val.boolean;
		default:
			Assert(a->type == jbvBinary);
			return compare_containers(a->val.binary.data, b->val.binary.data);
	}
}

/* By bytes, as the collation "C" does. */
static int
compare_strings(const JsonbValue *a, const JsonbValue *b)
{
	int			alen = a->val.string.len;
	int			blen = b->val.string.len;
	int			cmp;

	cmp = memcmp(a->val.string.val, b->val.string.val, Min(alen, blen));
	if (cmp == 0 && alen != blen)
		cmp = alen < blen ? -1 : 1;
	return cmp;
}

/*
 * Compares two arrays or objects member by member up to the first difference.
 * The header holds type and count, so both sides end together.  jsonb keeps
 * keys sorted and unique, therefore equal objects have equal sequences.
 *
 * The recursion goes no deeper than both sides are nested, and one side is
 * always an operand, at most VDB_FILTER_MAX_DEPTH levels deep.
 */
static int
compare_containers(JsonbContainer *a, JsonbContainer *b)
{
	JsonbIterator *ita;
	JsonbIterator *itb;
	JsonbIteratorToken token;
	JsonbValue	va;
	JsonbValue	vb;
	int			cmp = 0;

	if (a->header != b->header)
		return a->header < b->header ? -1 : 1;

	ita = JsonbIteratorInit(a);
	itb = JsonbIteratorInit(b);
	while (cmp == 0 && (token = JsonbIteratorNext(&ita, &va, true)) != WJB_DONE)
	{
		CHECK_FOR_INTERRUPTS();
		(void) JsonbIteratorNext(&itb, &vb, true);
		if (token == WJB_KEY || token == WJB_VALUE || token == WJB_ELEM)
			cmp = vdb_filter_compare_values(&va, &vb);
	}

	/* an iterator that reached the end has freed itself */
	if (ita)
		pfree(ita);
	if (itb)
		pfree(itb);
	return cmp;
}
