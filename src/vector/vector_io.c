/*-------------------------------------------------------------------------
 *
 * vector_io.c
 *	  Input, output, binary transfer and type modifier of vector.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include <math.h>

#include "common/shortest_dec.h"
#include "libpq/pqformat.h"
#include "utils/array.h"
#include "vector/vector.h"
#include "vector/vector_text.h"

PG_FUNCTION_INFO_V1(vdb_vector_in);
PG_FUNCTION_INFO_V1(vdb_vector_out);
PG_FUNCTION_INFO_V1(vdb_vector_typmod_in);
PG_FUNCTION_INFO_V1(vdb_vector_recv);
PG_FUNCTION_INFO_V1(vdb_vector_send);
PG_FUNCTION_INFO_V1(vdb_vector_to_json);

static void text_error(const char *literal, const VdbVectorText *text);
static void syntax_error(const char *literal, const char *detail);
static char *vector_print(const VdbVector *v, char *buf);

/*
 * vector_in(cstring, oid, integer) returns vector
 */
Datum
vdb_vector_in(PG_FUNCTION_ARGS)
{
	const char *literal = PG_GETARG_CSTRING(0);
	int32		typmod = PG_GETARG_INT32(2);
	float		x[VDB_VECTOR_MAX_DIM];
	VdbVectorText text;
	VdbVector  *result;
	const char *p;

	text = vdb_vector_text_parse(literal, literal + strlen(literal),
								 x, VDB_VECTOR_MAX_DIM);
	if (text.fault != VDB_TEXT_OK)
		text_error(literal, &text);

	for (p = text.at; vdb_text_is_space(*p);)
		p++;
	if (*p != '\0')
		syntax_error(literal, "Junk after closing right brace.");

	vdb_vector_check_typmod(typmod, text.dim);

	result = vdb_vector_alloc(text.dim);
	memcpy(result->x, x, sizeof(float) * (Size) text.dim);
	PG_RETURN_VDB_VECTOR_P(result);
}

/*
 * Raises the error for a fault of the literal.  The messages are pgvector's.
 */
static void
text_error(const char *literal, const VdbVectorText *text)
{
	switch (text->fault)
	{
		case VDB_TEXT_NO_BRACKET:
			syntax_error(literal, "Vector contents must start with \"[\".");
			break;
		case VDB_TEXT_EMPTY:
			vdb_vector_check_dim(0);
			break;
		case VDB_TEXT_TOO_LONG:
			vdb_vector_check_dim(VDB_VECTOR_MAX_DIM + 1);
			break;
		case VDB_TEXT_RANGE:
			ereport(ERROR,
					(errcode(ERRCODE_NUMERIC_VALUE_OUT_OF_RANGE),
					 errmsg("\"%.*s\" is out of range for type vector",
							text->len, text->at)));
			break;
		case VDB_TEXT_NAN:
			vdb_vector_check_element(NAN);
			break;
		case VDB_TEXT_INFINITE:
			vdb_vector_check_element(INFINITY);
			break;
		case VDB_TEXT_SYNTAX:
		case VDB_TEXT_OK:
			syntax_error(literal, NULL);
			break;
	}
}

static void
syntax_error(const char *literal, const char *detail)
{
	ereport(ERROR,
			(errcode(ERRCODE_INVALID_TEXT_REPRESENTATION),
			 errmsg("invalid input syntax for type vector: \"%s\"", literal),
			 detail ? errdetail("%s", detail) : 0));
}

/*
 * vector_out(vector) returns cstring: the shortest text that reads back
 * to the same values.
 */
Datum
vdb_vector_out(PG_FUNCTION_ARGS)
{
	VdbVector  *v = PG_GETARG_VDB_VECTOR_P(0);
	char	   *buf = palloc((Size) v->dim * FLOAT_SHORTEST_DECIMAL_LEN + 3);

	*vector_print(v, buf) = '\0';

	PG_FREE_IF_COPY(v, 0);
	PG_RETURN_CSTRING(buf);
}

/*
 * Writes "[1,2,3]" into buf and returns the position after it.
 *
 * FLOAT_SHORTEST_DECIMAL_LEN counts a NUL byte, whose place the separator
 * takes.
 */
static char *
vector_print(const VdbVector *v, char *buf)
{
	int			i;

	*buf++ = '[';
	for (i = 0; i < v->dim; i++)
	{
		if (i > 0)
			*buf++ = ',';
		buf += float_to_shortest_decimal_bufn(v->x[i], buf);
	}
	*buf++ = ']';
	return buf;
}

/*
 * vector_to_json(vector) returns json: an array of numbers.  Every finite
 * number that vector_out() prints is a JSON number, and elements are finite.
 */
Datum
vdb_vector_to_json(PG_FUNCTION_ARGS)
{
	VdbVector  *v = PG_GETARG_VDB_VECTOR_P(0);
	text	   *result = palloc(VARHDRSZ + (Size) v->dim * FLOAT_SHORTEST_DECIMAL_LEN + 2);
	char	   *end = vector_print(v, VARDATA(result));

	SET_VARSIZE(result, end - (char *) result);

	PG_FREE_IF_COPY(v, 0);
	PG_RETURN_TEXT_P(result);
}

/*
 * vector_typmod_in(cstring[]) returns integer: vector(n)
 */
Datum
vdb_vector_typmod_in(PG_FUNCTION_ARGS)
{
	ArrayType  *array = PG_GETARG_ARRAYTYPE_P(0);
	int32	   *typmods;
	int			n;

	typmods = ArrayGetIntegerTypmods(array, &n);
	if (n != 1)
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("invalid type modifier")));
	if (typmods[0] < 1)
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("dimensions for type vector must be at least 1")));
	if (typmods[0] > VDB_VECTOR_MAX_DIM)
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("dimensions for type vector cannot exceed %d",
						VDB_VECTOR_MAX_DIM)));
	PG_RETURN_INT32(typmods[0]);
}

/*
 * vector_recv(internal, oid, integer) returns vector
 *
 * Wire format: int16 dim, int16 0, dim * float4, all big-endian.
 */
Datum
vdb_vector_recv(PG_FUNCTION_ARGS)
{
	StringInfo	buf = (StringInfo) PG_GETARG_POINTER(0);
	int32		typmod = PG_GETARG_INT32(2);
	int			dim = (int16) pq_getmsgint(buf, sizeof(int16));
	int			unused = (int16) pq_getmsgint(buf, sizeof(int16));
	VdbVector  *result;
	int			i;

	vdb_vector_check_dim(dim);
	vdb_vector_check_typmod(typmod, dim);
	if (unused != 0)
		ereport(ERROR,
				(errcode(ERRCODE_DATA_EXCEPTION),
				 errmsg("expected unused to be 0, not %d", unused)));

	result = vdb_vector_alloc(dim);
	for (i = 0; i < dim; i++)
	{
		result->x[i] = pq_getmsgfloat4(buf);
		vdb_vector_check_element(result->x[i]);
	}
	PG_RETURN_VDB_VECTOR_P(result);
}

/*
 * vector_send(vector) returns bytea
 */
Datum
vdb_vector_send(PG_FUNCTION_ARGS)
{
	VdbVector  *v = PG_GETARG_VDB_VECTOR_P(0);
	StringInfoData buf;
	int			i;

	pq_begintypsend(&buf);
	enlargeStringInfo(&buf, (int) VDB_VECTOR_SIZE(v->dim));
	pq_sendint16(&buf, (uint16) v->dim);
	pq_sendint16(&buf, (uint16) v->unused);
	for (i = 0; i < v->dim; i++)
		pq_sendfloat4(&buf, v->x[i]);

	PG_FREE_IF_COPY(v, 0);
	PG_RETURN_BYTEA_P(pq_endtypsend(&buf));
}
