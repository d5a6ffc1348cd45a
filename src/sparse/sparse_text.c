/*-------------------------------------------------------------------------
 *
 * sparse_text.c
 *	  Parser of the text form "{1:1.5,3:2}/5".
 *
 * Accepts what pgvector accepts: white space around every token, indices in
 * any order, every number that strtof() reads, zeroes, which are dropped.
 * Indices that no vector has and numbers of dimensions are the caller's to
 * check; they are kept within int32 here.
 *
 * No PostgreSQL symbols: unit tests and fuzzers link this file and float_text.c.
 *
 *-------------------------------------------------------------------------
 */
#include "c.h"

#include <math.h>
#include <stdlib.h>

#include "sparse/sparse_text.h"
#include "vector/float_text.h"
#include "vector/vector_text.h"

/* A parse in progress; fault is set where it cannot go on */
typedef struct Parser
{
	const char *p;
	const char *end;
	VdbSparseText result;
} Parser;

static bool parse_elements(Parser *parser, VdbSparseEntry *entries, int max_count);
static bool parse_value(Parser *parser, float *value);
static bool parse_integer(Parser *parser, int32 *value);
static bool has_digit_above_zero(const char *p, const char *after);
static void sort_entries(VdbSparseEntry *entries, int count);

static inline void
skip_space(Parser *parser)
{
	while (vdb_text_is_space(*parser->p))
		parser->p++;
}

/* Sets the fault; false, for the caller to return. */
static bool
fail(Parser *parser, VdbSparseFault fault)
{
	parser->result.fault = fault;
	return false;
}

/*
 * Parses the sparse vector at text, which ends before the NUL byte at end, into
 * entries, which has room for max_count.
 */
VdbSparseText
vdb_sparse_text_parse(const char *text, const char *end, VdbSparseEntry *entries, int max_count)
{
	Parser		parser = {text, end, {VDB_SPARSE_OK, 0, 0, NULL, 0}};

	skip_space(&parser);
	if (*parser.p != '{')
	{
		(void) fail(&parser, VDB_SPARSE_NO_BRACE);
		return parser.result;
	}
	parser.p++;
	if (!parse_elements(&parser, entries, max_count))
		return parser.result;

	skip_space(&parser);
	if (*parser.p != '/')
	{
		(void) fail(&parser, VDB_SPARSE_NO_DIM);
		return parser.result;
	}
	parser.p++;
	if (!parse_integer(&parser, &parser.result.dim))
	{
		(void) fail(&parser, VDB_SPARSE_SYNTAX);
		return parser.result;
	}
	skip_space(&parser);
	if (*parser.p != '\0')
		(void) fail(&parser, VDB_SPARSE_JUNK);
	else
		sort_entries(entries, parser.result.count);
	return parser.result;
}

/*
 * Parses what is between the braces, and the closing one.  False on a fault.
 */
static bool
parse_elements(Parser *parser, VdbSparseEntry *entries, int max_count)
{
	skip_space(parser);
	if (*parser->p == '}')
	{
		parser->p++;
		return true;
	}
	for (;;)
	{
		int32		index;
		float		value;

		if (!parse_integer(parser, &index))
			return fail(parser, VDB_SPARSE_SYNTAX);
		skip_space(parser);
		if (*parser->p != ':')
			return fail(parser, VDB_SPARSE_SYNTAX);
		parser->p++;
		if (!parse_value(parser, &value))
			return false;
		if (value != 0)
		{
			if (parser->result.count == max_count)
				return fail(parser, VDB_SPARSE_TOO_MANY);
			entries[parser->result.count].index = index == PG_INT32_MIN ? index : index - 1;
			entries[parser->result.count].value = value;
			parser->result.count++;
		}
		skip_space(parser);
		if (*parser->p == '}')
		{
			parser->p++;
			return true;
		}
		if (*parser->p != ',')
			return fail(parser, VDB_SPARSE_SYNTAX);
		parser->p++;
	}
}

/*
 * Parses a value.  Unlike one of a vector, one that underflows to zero is out
 * of range: it would vanish.
 */
static bool
parse_value(Parser *parser, float *value)
{
	const char *after;
	bool		is_out_of_range = false;

	skip_space(parser);
	after = vdb_float_parse(parser->p, parser->end, value, &is_out_of_range);
	if (after == parser->p)
		return fail(parser, VDB_SPARSE_SYNTAX);
	if (*value == 0)
		is_out_of_range = has_digit_above_zero(parser->p, after);
	if (is_out_of_range)
	{
		parser->result.at = parser->p;
		parser->result.len = (int) (after - parser->p);
		return fail(parser, VDB_SPARSE_RANGE);
	}
	if (!isfinite(*value))
		return fail(parser, isnan(*value) ? VDB_SPARSE_NAN : VDB_SPARSE_INFINITE);
	parser->p = after;
	return true;
}

/*
 * Whether a number that was read as zero is none: a digit other than 0 stands
 * before its exponent.
 */
static bool
has_digit_above_zero(const char *p, const char *after)
{
	bool		is_hex = false;

	for (; p < after; p++)
	{
		if (*p == 'x' || *p == 'X')
			is_hex = true;
		else if (*p >= '1' && *p <= '9')
			return true;
		else if (*p == 'p' || *p == 'P' || (!is_hex && (*p == 'e' || *p == 'E')))
			return false;
		else if ((*p >= 'a' && *p <= 'f') || (*p >= 'A' && *p <= 'F'))
			return true;
	}
	return false;
}

/*
 * Parses a decimal integer with white space before it; one that int32 does not
 * hold becomes the nearest that it does.  False if there is none.
 */
static bool
parse_integer(Parser *parser, int32 *value)
{
	const char *p;
	bool		negative;
	int64		magnitude = 0;

	skip_space(parser);
	p = parser->p;
	negative = *p == '-';
	if (*p == '-' || *p == '+')
		p++;
	if (*p < '0' || *p > '9')
		return false;
	for (; *p >= '0' && *p <= '9'; p++)
		magnitude = Min(magnitude * 10 + (*p - '0'), (int64) PG_INT32_MAX + 1);
	if (negative)
		*value = (int32) -magnitude;
	else
		*value = (int32) Min(magnitude, PG_INT32_MAX);
	parser->p = p;
	return true;
}

static int
compare_entries(const void *a, const void *b)
{
	int32		l = ((const VdbSparseEntry *) a)->index;
	int32		r = ((const VdbSparseEntry *) b)->index;

	return (l > r) - (l < r);
}

/*
 * Puts the entries into ascending order, which they usually are in.
 */
static void
sort_entries(VdbSparseEntry *entries, int count)
{
	for (int i = 1; i < count; i++)
	{
		if (entries[i].index < entries[i - 1].index)
		{
			/* parentheses: not PostgreSQL's qsort(), which needs its library */
			(qsort)(entries, (size_t) count, sizeof(VdbSparseEntry), compare_entries);
			return;
		}
	}
}
