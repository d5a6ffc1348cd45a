/*-------------------------------------------------------------------------
 *
 * index_range.c
 *	  Ranges of keys, and when to give them up.
 *
 * GIN reads all keys of a range into a bitmap when a scan starts, whatever the
 * other conditions are: a third of a second for a million values, even if an
 * equality beside it leaves one row.  That row could be rechecked in no time.
 * But a row costs more to recheck than a value to read, so where the equality
 * leaves many rows the range had better be read.
 *
 * Hence a range has to know how many rows the conditions have that it is ANDed
 * with.  Of one document in VDB_KEY_SAMPLE_RATE the index has a sample of each
 * key, different for each document.  Samples are read before ranges, and counted
 * while they are.  A range may then take as long as rechecking so many rows
 * would, and gives up after that: altogether about twice the time of the better
 * way, at most.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "filter/index_query.h"
#include "utils/float.h"
#include "utils/guc.h"

/* Seconds that it takes to fetch and recheck a row, a small document's. */
#define RECHECK_SECONDS	1.5e-6

/* Reading for so many seconds is always worth it. */
#define MIN_SECONDS		0.0002

/* Beside so many sampled rows a range is read in full. */
#define MAX_SAMPLED		2000

/* vecdb.index_range_limit */
static int	range_limit = -1;

static void limit_ranges(VdbIndexQuery *query, VdbIndexNode *node, List *limits);
static void add_range_keys(VdbIndexQuery *query, VdbIndexNode *node);
static bool has_range(const VdbIndexNode *node);
static List *add_samples(VdbIndexQuery *query, VdbIndexNode *node, List *samples);
static void sample_node(VdbIndexQuery *query, VdbIndexNode *node);
static VdbIndexRange *make_sample(Datum key);
static bool is_beyond(bytea *key, const VdbIndexRange *range);
static bool is_too_long(VdbIndexRange *range);
static double seconds_to_recheck(const List *samples);

PG_FUNCTION_INFO_V1(vdb_index_compare_partial);

/* Called once from _PG_init: defines the setting. */
void
vdb_filter_init(void)
{
	DefineCustomIntVariable("vecdb.index_range_limit",
							"Number of values of a range that an index reads if an equality holds, too.",
							"The rows that the equality leaves are rechecked then. "
							"-1 reads for as long as the recheck is expected to take.",
							&range_limit,
							-1, -1, INT_MAX,
							PGC_USERSET,
							0,
							NULL, NULL, NULL);
}

/*
 * Adds the keys of the condition's ranges, behind all other keys and the
 * samples, since GIN reads them in this order.
 */
void
vdb_index_add_ranges(VdbIndexQuery *query, VdbIndexNode *condition)
{
	limit_ranges(query, condition, NIL);
	add_range_keys(query, condition);
}

/*
 * Sets the limits of all ranges below the node.  A limit is a condition, perhaps
 * true of few rows, that holds wherever the node matters.
 */
static void
limit_ranges(VdbIndexQuery *query, VdbIndexNode *node, List *limits)
{
	ListCell   *lc;

	if (node->kind == VDB_INDEX_RANGE)
		node->range->limits = limits;

	if (node->kind == VDB_INDEX_AND && has_range(node))
	{
		limits = list_copy(limits);
		foreach(lc, node->children)
		{
			VdbIndexNode *child = lfirst(lc);

			if (query->nkeys < VDB_INDEX_MAX_KEYS &&
				vdb_index_evaluate(child, query->common) == GIN_FALSE)
				limits = lappend(limits, add_samples(query, child, NIL));
		}
	}
	foreach(lc, node->children)
		limit_ranges(query, lfirst(lc), limits);
}

/* Adds the keys of all ranges below the node. */
static void
add_range_keys(VdbIndexQuery *query, VdbIndexNode *node)
{
	ListCell   *lc;

	if (node->kind == VDB_INDEX_RANGE)
	{
		node->first = vdb_index_add_key(query, node->range->begin, true, node->range);
		node->range->gave_up = false;
	}
	foreach(lc, node->children)
		add_range_keys(query, lfirst(lc));
}

static bool
has_range(const VdbIndexNode *node)
{
	ListCell   *lc;

	foreach(lc, node->children)
	{
		if (has_range(lfirst(lc)))
			return true;
	}
	return node->kind == VDB_INDEX_RANGE;
}

/*
 * Adds samples of all keys below the node that few rows may have, and returns
 * the list with them.  A limit that is set as a number needs none.
 */
static List *
add_samples(VdbIndexQuery *query, VdbIndexNode *node, List *samples)
{
	ListCell   *lc;

	if (range_limit >= 0)
		return NIL;

	if ((node->kind == VDB_INDEX_ANY_KEY || node->kind == VDB_INDEX_ALL_KEYS) &&
		vdb_index_evaluate(node, query->common) == GIN_FALSE)
	{
		if (node->samples == NIL)
			sample_node(query, node);
		samples = list_concat(samples, node->samples);
	}
	foreach(lc, node->children)
		samples = add_samples(query, lfirst(lc), samples);
	return samples;
}

static void
sample_node(VdbIndexQuery *query, VdbIndexNode *node)
{
	int			i;

	for (i = node->first; i < node->first + node->nkeys; i++)
	{
		VdbIndexRange *sample = make_sample(query->keys[i]);

		vdb_index_add_key(query, sample->begin, true, sample);
		node->samples = lappend(node->samples, sample);
	}
}

/* The range of all samples of a key. */
static VdbIndexRange *
make_sample(Datum key)
{
	bytea	   *bytes = DatumGetByteaPP(key);
	VdbIndexRange *sample = palloc0(sizeof(VdbIndexRange));
	VdbKey		begin;
	VdbKey		end;

	vdb_key_start_sample(&begin, (unsigned char *) VARDATA_ANY(bytes),
						 VARSIZE_ANY_EXHDR(bytes));
	end = begin;
	vdb_key_add_number(&end, PG_UINT32_MAX);
	sample->begin = vdb_key_datum(&begin);
	sample->end = DatumGetByteaPP(vdb_key_datum(&end));
	sample->is_sample = true;
	sample->nsampled = -1;
	return sample;
}

/*
 * GIN's comparePartial: 0 as long as a key, read from the beginning of the range
 * in ascending order, is within it, then 1.  A range that gives up stops, too,
 * and remembers that (I6).
 *
 * The rows of a pending list come here one by one, before the index itself.
 * Each has another key behind those of any range, where counts start again.
 */
Datum
vdb_index_compare_partial(PG_FUNCTION_ARGS)
{
	bytea	   *key = PG_GETARG_BYTEA_PP(1);
	VdbIndexRange *range = (VdbIndexRange *) PG_GETARG_POINTER(3);

	if (is_beyond(key, range) || (range->is_sample && range->nread == MAX_SAMPLED))
	{
		range->nsampled = range->nread;
		range->nread = 0;
		PG_RETURN_INT32(1);
	}

	range->nread++;
	if (range->limits != NIL && is_too_long(range))
		range->gave_up = true;
	PG_RETURN_INT32(range->gave_up ? 1 : 0);
}

static bool
is_beyond(bytea *key, const VdbIndexRange *range)
{
	int			len = VARSIZE_ANY_EXHDR(key);
	int			end_len = VARSIZE_ANY_EXHDR(range->end);
	int			cmp;

	cmp = memcmp(VARDATA_ANY(key), VARDATA_ANY(range->end), Min(len, end_len));
	return cmp > 0 || (cmp == 0 && len >= end_len);
}

/* Has a range taken longer than one of its limits allows? */
static bool
is_too_long(VdbIndexRange *range)
{
	instr_time	elapsed;
	ListCell   *lc;

	if (range_limit >= 0)
		return range->nread > range_limit;

	if (range->nread == 1)
	{
		INSTR_TIME_SET_CURRENT(range->start);
		return false;
	}

	/* one of the first values may have many rows; else the clock costs more */
	if (range->nread > 16 && range->nread % 16 != 0)
		return false;
	INSTR_TIME_SET_CURRENT(elapsed);
	INSTR_TIME_SUBTRACT(elapsed, range->start);
	foreach(lc, range->limits)
	{
		if (INSTR_TIME_GET_DOUBLE(elapsed) > seconds_to_recheck(lfirst(lc)))
			return true;
	}
	return false;
}

/* What the rows of all these keys may take, infinite if there are too many. */
static double
seconds_to_recheck(const List *samples)
{
	int			nsampled = 0;
	ListCell   *lc;

	foreach(lc, samples)
	{
		VdbIndexRange *sample = lfirst(lc);

		if (sample->nsampled < 0)
			return get_float8_infinity(); /* not known */
		nsampled += sample->nsampled;
	}
	if (nsampled >= MAX_SAMPLED)
		return get_float8_infinity();
	return MIN_SECONDS + nsampled * (VDB_KEY_SAMPLE_RATE * RECHECK_SECONDS);
}
