/*-------------------------------------------------------------------------
 *
 * json_value.c
 *	  Reading one value of a request body: strings, numbers, vectors, slices.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include <math.h>

#include "collection/json_reader.h"
#include "utils/float.h"
#include "utils/jsonfuncs.h"
#include "vector/vector_text.h"

static void vector_fault(VdbJsonReader *r, const VdbVectorText *text);

/*
 * Reads a string, its escapes resolved.
 */
char *
vdb_json_read_string(VdbJsonReader *r)
{
	char	   *result;

	if (r->lex->token_type != JSON_TOKEN_STRING)
		vdb_json_error(r, ERRCODE_INVALID_PARAMETER_VALUE, "must be a string");
	result = pstrdup(r->lex->strval->data);
	vdb_json_next_token(r);
	return result;
}

/*
 * Reads true or false.
 */
bool
vdb_json_read_bool(VdbJsonReader *r)
{
	JsonTokenType token = r->lex->token_type;

	if (token != JSON_TOKEN_TRUE && token != JSON_TOKEN_FALSE)
		vdb_json_error(r, ERRCODE_INVALID_PARAMETER_VALUE,
					   "must be true or false");
	vdb_json_next_token(r);
	return token == JSON_TOKEN_TRUE;
}

/*
 * Reads a finite number.
 */
double
vdb_json_read_double(VdbJsonReader *r)
{
	char	   *token;
	double		value;

	if (r->lex->token_type != JSON_TOKEN_NUMBER)
		vdb_json_error(r, ERRCODE_INVALID_PARAMETER_VALUE, "must be a number");
	token = pnstrdup(r->lex->token_start,
					 (Size) (r->lex->token_terminator - r->lex->token_start));
	value = strtod(token, NULL);
	if (isinf(value))
		vdb_json_error(r, ERRCODE_NUMERIC_VALUE_OUT_OF_RANGE,
					   "number is out of range");
	pfree(token);
	vdb_json_next_token(r);
	return value;
}

/*
 * Reads a whole number from min to max.  2.0 and 1e2 are whole numbers, too.
 */
int
vdb_json_read_int(VdbJsonReader *r, int min, int max)
{
	double		value;

	if (r->lex->token_type != JSON_TOKEN_NUMBER)
		vdb_json_error(r, ERRCODE_INVALID_PARAMETER_VALUE,
					   "must be a whole number from %d to %d", min, max);
	value = vdb_json_read_double(r);
	if (value < min || value > max || value != floor(value))
		vdb_json_error(r, ERRCODE_INVALID_PARAMETER_VALUE,
					   "must be a whole number from %d to %d, not %.15g",
					   min, max, value);
	return (int) value;
}

/*
 * Reads a list of numbers as a vector of dim dimensions, of any number if dim
 * is 0.
 *
 * The argument was checked to be JSON when it became the type json, so the
 * numbers need not pass the lexer again: the vector parser reads them where
 * they stand and the lexer goes on behind the list.  The lexer continues at
 * token_terminator, the one field that this changes.  Text that is no JSON
 * would be refused or read as numbers, never overrun: the parser stops at
 * the terminating NUL byte.
 */
VdbVector *
vdb_json_read_vector(VdbJsonReader *r, int dim)
{
	int			room = dim > 0 ? dim : VDB_VECTOR_MAX_DIM;
	VdbVector  *result;
	VdbVectorText text;

	if (r->lex->token_type != JSON_TOKEN_ARRAY_START)
		vdb_json_error(r, ERRCODE_INVALID_PARAMETER_VALUE,
					   "must be an array of numbers");

	result = palloc(VDB_VECTOR_SIZE(room));
	text = vdb_vector_text_parse(r->lex->token_start, r->end, result->x, room,
								 INFINITY);
	if (text.fault == VDB_TEXT_TOO_LONG && dim > 0)
	{
		/* Once more, to tell how many there are, or of another fault. */
		pfree(result);
		result = palloc(VDB_VECTOR_SIZE(VDB_VECTOR_MAX_DIM));
		text = vdb_vector_text_parse(r->lex->token_start, r->end, result->x,
									 VDB_VECTOR_MAX_DIM, INFINITY);
	}
	if (text.fault != VDB_TEXT_OK)
		vector_fault(r, &text);
	if (dim > 0 && text.dim != dim)
		vdb_json_error(r, ERRCODE_DATA_EXCEPTION,
					   "expected %d dimensions, not %d", dim, text.dim);

	SET_VARSIZE(result, VDB_VECTOR_SIZE(text.dim));
	result->dim = (int16) text.dim;
	result->unused = 0;

	r->lex->token_terminator = unconstify(char *, text.at);
	vdb_json_next_token(r);
	return result;
}

/*
 * Raises the error for a list that is no vector.
 */
static void
vector_fault(VdbJsonReader *r, const VdbVectorText *text)
{
	switch (text->fault)
	{
		case VDB_TEXT_EMPTY:
			vdb_json_error(r, ERRCODE_INVALID_PARAMETER_VALUE,
						   "vector must have at least 1 dimension");
			break;
		case VDB_TEXT_TOO_LONG:
			vdb_json_error(r, ERRCODE_PROGRAM_LIMIT_EXCEEDED,
						   "vector cannot have more than %d dimensions",
						   VDB_VECTOR_MAX_DIM);
			break;
		case VDB_TEXT_RANGE:
			vdb_json_error(r, ERRCODE_NUMERIC_VALUE_OUT_OF_RANGE,
						   "element %d, %.*s, is out of range for type vector",
						   text->dim, Min(text->len, 64), text->at);
			break;
		default:
			vdb_json_error(r, ERRCODE_INVALID_PARAMETER_VALUE,
						   "element %d is not a number", text->dim);
			break;
	}
}

/*
 * Reads any value that begins with the token first and returns its text, NUL-
 * terminated; what names the value in the error for any other.
 */
char *
vdb_json_read_slice(VdbJsonReader *r, JsonTokenType first, const char *what)
{
	const char *start = r->lex->token_start;
	int			depth = 0;

	if (r->lex->token_type != first)
		vdb_json_error(r, ERRCODE_INVALID_PARAMETER_VALUE, "must be %s", what);

	for (;;)
	{
		const char *stop = r->lex->token_terminator;

		switch (r->lex->token_type)
		{
			case JSON_TOKEN_OBJECT_START:
			case JSON_TOKEN_ARRAY_START:
				depth++;
				break;
			case JSON_TOKEN_OBJECT_END:
			case JSON_TOKEN_ARRAY_END:
				depth--;
				break;
			case JSON_TOKEN_END:
				vdb_json_report(JSON_EXPECTED_MORE, r->lex);
				break;
			default:
				break;
		}
		vdb_json_next_token(r);
		if (depth == 0)
			return pnstrdup(start, (Size) (stop - start));
	}
}
