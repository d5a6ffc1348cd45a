/*-------------------------------------------------------------------------
 *
 * vector_io.c
 *	  Input, output, binary transfer and type modifier of vector and halfvec.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include <math.h>

#include "common/shortest_dec.h"
#include "dense.h"
#include "libpq/pqformat.h"
#include "utils/array.h"
#include "vector/vector_text.h"

PG_FUNCTION_INFO_V1(vdb_vector_in);
PG_FUNCTION_INFO_V1(vdb_halfvec_in);
PG_FUNCTION_INFO_V1(vdb_vector_out);
PG_FUNCTION_INFO_V1(vdb_halfvec_out);
PG_FUNCTION_INFO_V1(vdb_vector_typmod_in);
PG_FUNCTION_INFO_V1(vdb_halfvec_typmod_in);
PG_FUNCTION_INFO_V1(vdb_vector_recv);
PG_FUNCTION_INFO_V1(vdb_halfvec_recv);
PG_FUNCTION_INFO_V1(vdb_vector_send);
PG_FUNCTION_INFO_V1(vdb_halfvec_send);
PG_FUNCTION_INFO_V1(vdb_vector_to_json);
PG_FUNCTION_INFO_V1(vdb_halfvec_to_json);

static void text_error(VdbDenseType type, const char *literal,
					   const VdbVectorText *text);
static void syntax_error(VdbDenseType type, const char *literal, const char *detail);
static Datum typmod_in(FunctionCallInfo fcinfo, VdbDenseType type);

/*
 * The text of a value.  An element is rounded to float4, then to the type's
 * precision, as pgvector does.
 */
DENSE_BODY Datum
dense_in(FunctionCallInfo fcinfo, VdbDenseType type)
{
	const char *literal = PG_GETARG_CSTRING(0);
	int32		typmod = PG_GETARG_INT32(2);
	float		x[VDB_VECTOR_MAX_DIM];
	VdbVectorText text;
	VdbDense   *result;
	const char *p;

	text = vdb_vector_text_parse(literal, literal + strlen(literal),
								 x, VDB_VECTOR_MAX_DIM,
								 type == VDB_HALFVEC ? VDB_HALF_OVERFLOW : INFINITY);
	if (text.fault != VDB_TEXT_OK)
		text_error(type, literal, &text);

	for (p = text.at; vdb_text_is_space(*p);)
		p++;
	if (*p != '\0')
		syntax_error(type, literal, "Junk after closing right brace.");

	vdb_dense_check_typmod(typmod, text.dim);

	result = vdb_dense_alloc(type, text.dim);
	for (int i = 0; i < text.dim; i++)
		dense_set(type, result, i, x[i]);
	PG_RETURN_VDB_DENSE_P(result);
}

/*
 * vector_in(cstring, oid, integer) returns vector
 */
Datum
vdb_vector_in(PG_FUNCTION_ARGS)
{
	return dense_in(fcinfo, VDB_VECTOR);
}

Datum
vdb_halfvec_in(PG_FUNCTION_ARGS)
{
	return dense_in(fcinfo, VDB_HALFVEC);
}

/*
 * Raises the error for a fault of the literal.  The messages are pgvector's.
 */
static void
text_error(VdbDenseType type, const char *literal, const VdbVectorText *text)
{
	switch (text->fault)
	{
		case VDB_TEXT_NO_BRACKET:
			syntax_error(type, literal, "Vector contents must start with \"[\".");
			break;
		case VDB_TEXT_EMPTY:
			vdb_dense_check_dim(type, 0);
			break;
		case VDB_TEXT_TOO_LONG:
			vdb_dense_check_dim(type, VDB_VECTOR_MAX_DIM + 1);
			break;
		case VDB_TEXT_RANGE:
			ereport(ERROR,
					(errcode(ERRCODE_NUMERIC_VALUE_OUT_OF_RANGE),
					 errmsg("\"%.*s\" is out of range for type %s",
							text->len, text->at, vdb_dense_name(type))));
			break;
		case VDB_TEXT_NAN:
			vdb_dense_check_element(type, NAN);
			break;
		case VDB_TEXT_INFINITE:
			vdb_dense_check_element(type, INFINITY);
			break;
		case VDB_TEXT_SYNTAX:
		case VDB_TEXT_OK:
			syntax_error(type, literal, NULL);
			break;
	}
}

static void
syntax_error(VdbDenseType type, const char *literal, const char *detail)
{
	ereport(ERROR,
			(errcode(ERRCODE_INVALID_TEXT_REPRESENTATION),
			 errmsg("invalid input syntax for type %s: \"%s\"",
					vdb_dense_name(type), literal),
			 detail ? errdetail("%s", detail) : 0));
}

/*
 * Writes "[1,2,3]" into buf and returns the position after it.
 *
 * FLOAT_SHORTEST_DECIMAL_LEN counts a NUL byte, whose place the separator
 * takes.
 */
DENSE_BODY char *
print(VdbDenseType type, const VdbDense *v, char *buf)
{
	*buf++ = '[';
	for (int i = 0; i < v->dim; i++)
	{
		if (i > 0)
			*buf++ = ',';
		buf += float_to_shortest_decimal_bufn(dense_get(type, v, i), buf);
	}
	*buf++ = ']';
	return buf;
}

/*
 * The shortest text of which float4 reads the same values.
 */
DENSE_BODY Datum
dense_out(FunctionCallInfo fcinfo, VdbDenseType type)
{
	VdbDense   *v = PG_GETARG_VDB_DENSE_P(0);
	char	   *buf = palloc((Size) v->dim * FLOAT_SHORTEST_DECIMAL_LEN + 3);

	*print(type, v, buf) = '\0';

	PG_FREE_IF_COPY(v, 0);
	PG_RETURN_CSTRING(buf);
}

/*
 * vector_out(vector) returns cstring
 */
Datum
vdb_vector_out(PG_FUNCTION_ARGS)
{
	return dense_out(fcinfo, VDB_VECTOR);
}

Datum
vdb_halfvec_out(PG_FUNCTION_ARGS)
{
	return dense_out(fcinfo, VDB_HALFVEC);
}

/*
 * An array of numbers.  Every finite number that dense_out() prints is a JSON
 * number, and elements are finite.
 */
DENSE_BODY Datum
dense_to_json(FunctionCallInfo fcinfo, VdbDenseType type)
{
	VdbDense   *v = PG_GETARG_VDB_DENSE_P(0);
	text	   *result = palloc(VARHDRSZ + (Size) v->dim * FLOAT_SHORTEST_DECIMAL_LEN + 2);
	char	   *end = print(type, v, VARDATA(result));

	SET_VARSIZE(result, end - (char *) result);

	PG_FREE_IF_COPY(v, 0);
	PG_RETURN_TEXT_P(result);
}

/*
 * vector_to_json(vector) returns json
 */
Datum
vdb_vector_to_json(PG_FUNCTION_ARGS)
{
	return dense_to_json(fcinfo, VDB_VECTOR);
}

Datum
vdb_halfvec_to_json(PG_FUNCTION_ARGS)
{
	return dense_to_json(fcinfo, VDB_HALFVEC);
}

/*
 * vector_typmod_in(cstring[]) returns integer: vector(n)
 */
Datum
vdb_vector_typmod_in(PG_FUNCTION_ARGS)
{
	return typmod_in(fcinfo, VDB_VECTOR);
}

Datum
vdb_halfvec_typmod_in(PG_FUNCTION_ARGS)
{
	return typmod_in(fcinfo, VDB_HALFVEC);
}

static Datum
typmod_in(FunctionCallInfo fcinfo, VdbDenseType type)
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
				 errmsg("dimensions for type %s must be at least 1",
						vdb_dense_name(type))));
	if (typmods[0] > VDB_VECTOR_MAX_DIM)
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("dimensions for type %s cannot exceed %d",
						vdb_dense_name(type), VDB_VECTOR_MAX_DIM)));
	PG_RETURN_INT32(typmods[0]);
}

/*
 * Wire format: int16 dim, int16 0, dim elements, all big-endian.
 */
DENSE_BODY Datum
dense_recv(FunctionCallInfo fcinfo, VdbDenseType type)
{
	StringInfo	buf = (StringInfo) PG_GETARG_POINTER(0);
	int32		typmod = PG_GETARG_INT32(2);
	int			dim = (int16) pq_getmsgint(buf, sizeof(int16));
	int			unused = (int16) pq_getmsgint(buf, sizeof(int16));
	VdbDense   *result;

	vdb_dense_check_dim(type, dim);
	vdb_dense_check_typmod(typmod, dim);
	if (unused != 0)
		ereport(ERROR,
				(errcode(ERRCODE_DATA_EXCEPTION),
				 errmsg("expected unused to be 0, not %d", unused)));

	result = vdb_dense_alloc(type, dim);
	for (int i = 0; i < dim; i++)
	{
		if (type == VDB_HALFVEC)
			((VdbHalfvec *) result)->x[i] = (uint16) pq_getmsgint(buf, sizeof(uint16));
		else
			((VdbVector *) result)->x[i] = pq_getmsgfloat4(buf);
		vdb_dense_check_element(type, dense_get(type, result, i));
	}
	PG_RETURN_VDB_DENSE_P(result);
}

/*
 * vector_recv(internal, oid, integer) returns vector
 */
Datum
vdb_vector_recv(PG_FUNCTION_ARGS)
{
	return dense_recv(fcinfo, VDB_VECTOR);
}

Datum
vdb_halfvec_recv(PG_FUNCTION_ARGS)
{
	return dense_recv(fcinfo, VDB_HALFVEC);
}

DENSE_BODY Datum
dense_send(FunctionCallInfo fcinfo, VdbDenseType type)
{
	VdbDense   *v = PG_GETARG_VDB_DENSE_P(0);
	StringInfoData buf;

	pq_begintypsend(&buf);
	enlargeStringInfo(&buf, (int) vdb_dense_size(type, v->dim));
	pq_sendint16(&buf, (uint16) v->dim);
	pq_sendint16(&buf, (uint16) v->unused);
	for (int i = 0; i < v->dim; i++)
	{
		if (type == VDB_HALFVEC)
			pq_sendint16(&buf, ((VdbHalfvec *) v)->x[i]);
		else
			pq_sendfloat4(&buf, ((VdbVector *) v)->x[i]);
	}

	PG_FREE_IF_COPY(v, 0);
	PG_RETURN_BYTEA_P(pq_endtypsend(&buf));
}

/*
 * vector_send(vector) returns bytea
 */
Datum
vdb_vector_send(PG_FUNCTION_ARGS)
{
	return dense_send(fcinfo, VDB_VECTOR);
}

Datum
vdb_halfvec_send(PG_FUNCTION_ARGS)
{
	return dense_send(fcinfo, VDB_HALFVEC);
}
