/*-------------------------------------------------------------------------
 *
 * vector_text.c
 *	  Parser of the text form "[1,2,3]".
 *
 * Accepts what pgvector accepts: white space around every token, every number
 * that strtof() reads, no trailing comma.  Reports the place of the fault and
 * leaves the wording to the caller, because the text of a vector appears as a
 * literal and as a part of a JSON document.
 *
 * No PostgreSQL symbols: unit tests and fuzzers link this file alone.
 *
 *-------------------------------------------------------------------------
 */
#include "c.h"

#include <math.h>

#include "vector/float_text.h"
#include "vector/vector_text.h"

static inline const char *
skip_space(const char *p)
{
	while (vdb_text_is_space(*p))
		p++;
	return p;
}

static VdbVectorText
text_fault(VdbTextFault fault, int dim, const char *at, const char *after)
{
	VdbVectorText result = {fault, dim, at, (int) (after - at)};

	return result;
}

/*
 * Parses the vector at text into x, which has room for max_dim elements.
 *
 * end is the end of the readable text and *end a byte that continues no
 * number, the NUL byte of a string say; parsing stops after the closing
 * bracket and does not look at what follows it.
 *
 * An element of the magnitude limit or more is out of range; INFINITY is the
 * limit of float4 itself.
 */
VdbVectorText
vdb_vector_text_parse(const char *text, const char *end, float *x, int max_dim,
					  float limit)
{
	const char *p = skip_space(text);
	int			dim = 0;

	if (*p != '[')
		return text_fault(VDB_TEXT_NO_BRACKET, 0, p, p);
	p = skip_space(p + 1);
	if (*p == ']')
		return text_fault(VDB_TEXT_EMPTY, 0, p, p);

	for (;;)
	{
		const char *after;
		float		value = 0;
		bool		is_out_of_range;

		if (dim == max_dim)
			return text_fault(VDB_TEXT_TOO_LONG, dim, p, p);

		p = skip_space(p);
		after = vdb_float_parse(p, end, &value, &is_out_of_range);
		if (after == p)
			return text_fault(VDB_TEXT_SYNTAX, dim, p, p);
		if (unlikely(!(fabsf(value) < limit)))
			return text_fault(is_out_of_range || isfinite(value) ? VDB_TEXT_RANGE :
								  isnan(value)                   ? VDB_TEXT_NAN :
																   VDB_TEXT_INFINITE,
							  dim, p, after);
		x[dim++] = value;

		p = after;
		if (*p != ',')
		{
			p = skip_space(p);
			if (*p == ']')
				return text_fault(VDB_TEXT_OK, dim, p + 1, p + 1);
			if (*p != ',')
				return text_fault(VDB_TEXT_SYNTAX, dim, p, p);
		}
		p++;
	}
}
