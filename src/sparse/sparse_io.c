/*-------------------------------------------------------------------------
 *
 * sparse_io.c
 *	  Input, output, binary transfer and type modifier of sparsevec.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include <math.h>

#include "common/shortest_dec.h"
#include "libpq/pqformat.h"
#include "sparse/sparse.h"
#include "sparse/sparse_text.h"
#include "utils/array.h"
#include "utils/builtins.h"

/* Bytes of the longest int32 in decimal, sign included */
#define INT32_DECIMAL_LEN 11

PG_FUNCTION_INFO_V1(vdb_sparse_in);
PG_FUNCTION_INFO_V1(vdb_sparse_out);
PG_FUNCTION_INFO_V1(vdb_sparse_typmod_in);
PG_FUNCTION_INFO_V1(vdb_sparse_recv);
PG_FUNCTION_INFO_V1(vdb_sparse_send);

static void text_error(const char *literal, const VdbSparseText *text);
static void syntax_error(const char *literal, const char *detail);

/*
 * sparsevec_in(cstring, oid, integer) returns sparsevec
 */
Datum
vdb_sparse_in(PG_FUNCTION_ARGS)
{
	const char *literal = PG_GETARG_CSTRING(0);
	int32		typmod = PG_GETARG_INT32(2);
	Size		length = strlen(literal);
	int			room = (int) Min(length / 3 + 1, VDB_SPARSE_MAX_ELEMENTS);
	VdbSparseEntry *entries = vdb_palloc_array(VdbSparseEntry, room);
	VdbSparseText text;
	VdbSparse  *result;
	float	   *values;

	/* an element has three bytes at least, so room is enough below the limit */
	text = vdb_sparse_text_parse(literal, literal + length, entries, room);
	if (text.fault != VDB_SPARSE_OK)
		text_error(literal, &text);
	vdb_sparse_check_dim(text.dim);
	vdb_sparse_check_typmod(typmod, text.dim);

	result = vdb_sparse_alloc(text.dim, text.count);
	values = vdb_sparse_values(result);
	for (int i = 0; i < text.count; i++)
	{
		result->indices[i] = entries[i].index;
		values[i] = entries[i].value;
		vdb_sparse_check_index(result->indices, i, text.dim);
	}
	pfree(entries);
	PG_RETURN_VDB_SPARSE_P(result);
}

/*
 * Raises the error for a fault of the literal.  The messages are pgvector's.
 */
static void
text_error(const char *literal, const VdbSparseText *text)
{
	switch (text->fault)
	{
		case VDB_SPARSE_NO_BRACE:
			syntax_error(literal, "Vector contents must start with \"{\".");
			break;
		case VDB_SPARSE_NO_DIM:
			syntax_error(literal, "Unexpected end of input.");
			break;
		case VDB_SPARSE_JUNK:
			syntax_error(literal, "Junk after closing.");
			break;
		case VDB_SPARSE_TOO_MANY:
			vdb_sparse_check_count(VDB_SPARSE_MAX_ELEMENTS + 1, VDB_SPARSE_MAX_DIM);
			break;
		case VDB_SPARSE_RANGE:
			ereport(ERROR,
					(errcode(ERRCODE_NUMERIC_VALUE_OUT_OF_RANGE),
					 errmsg("\"%.*s\" is out of range for type sparsevec",
							text->len, text->at)));
			break;
		case VDB_SPARSE_NAN:
			vdb_sparse_check_value(NAN);
			break;
		case VDB_SPARSE_INFINITE:
			vdb_sparse_check_value(INFINITY);
			break;
		case VDB_SPARSE_SYNTAX:
		case VDB_SPARSE_OK:
			syntax_error(literal, NULL);
			break;
	}
}

static void
syntax_error(const char *literal, const char *detail)
{
	ereport(ERROR,
			(errcode(ERRCODE_INVALID_TEXT_REPRESENTATION),
			 errmsg("invalid input syntax for type sparsevec: \"%s\"", literal),
			 detail ? errdetail("%s", detail) : 0));
}

/*
 * sparsevec_out(sparsevec) returns cstring: indices from 1, and the shortest
 * texts that read back to the same values.
 */
Datum
vdb_sparse_out(PG_FUNCTION_ARGS)
{
	VdbSparse  *v = PG_GETARG_VDB_SPARSE_P(0);
	float	   *values = vdb_sparse_values(v);

	/* of each: index, colon, value, and a comma where the NUL byte is counted */
	char	   *buf = palloc((Size) v->count * (INT32_DECIMAL_LEN + 1 + FLOAT_SHORTEST_DECIMAL_LEN) +
							 INT32_DECIMAL_LEN + sizeof("{}/"));
	char	   *p = buf;

	*p++ = '{';
	for (int i = 0; i < v->count; i++)
	{
		if (i > 0)
			*p++ = ',';
		p += pg_ltoa(v->indices[i] + 1, p);
		*p++ = ':';
		p += float_to_shortest_decimal_bufn(values[i], p);
	}
	*p++ = '}';
	*p++ = '/';
	p += pg_ltoa(v->dim, p);
	*p = '\0';

	PG_FREE_IF_COPY(v, 0);
	PG_RETURN_CSTRING(buf);
}

/*
 * sparsevec_typmod_in(cstring[]) returns integer: sparsevec(n)
 */
Datum
vdb_sparse_typmod_in(PG_FUNCTION_ARGS)
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
				 errmsg("dimensions for type sparsevec must be at least 1")));
	if (typmods[0] > VDB_SPARSE_MAX_DIM)
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("dimensions for type sparsevec cannot exceed %d",
						VDB_SPARSE_MAX_DIM)));
	PG_RETURN_INT32(typmods[0]);
}

/*
 * sparsevec_recv(internal, oid, integer) returns sparsevec
 *
 * Wire format: int32 dim, int32 count, int32 0, count * int32 indices from 0,
 * count * float4 values, all big-endian.
 */
Datum
vdb_sparse_recv(PG_FUNCTION_ARGS)
{
	StringInfo	buf = (StringInfo) PG_GETARG_POINTER(0);
	int32		typmod = PG_GETARG_INT32(2);
	int32		dim = (int32) pq_getmsgint(buf, sizeof(int32));
	int32		count = (int32) pq_getmsgint(buf, sizeof(int32));
	int32		unused = (int32) pq_getmsgint(buf, sizeof(int32));
	VdbSparse  *result;
	float	   *values;

	vdb_sparse_check_dim(dim);
	vdb_sparse_check_count(count, dim);
	vdb_sparse_check_typmod(typmod, dim);
	if (unused != 0)
		ereport(ERROR,
				(errcode(ERRCODE_DATA_EXCEPTION),
				 errmsg("expected unused to be 0, not %d", unused)));

	result = vdb_sparse_alloc(dim, count);
	for (int i = 0; i < count; i++)
	{
		result->indices[i] = (int32) pq_getmsgint(buf, sizeof(int32));
		vdb_sparse_check_index(result->indices, i, dim);
	}
	values = vdb_sparse_values(result);
	for (int i = 0; i < count; i++)
	{
		values[i] = pq_getmsgfloat4(buf);
		vdb_sparse_check_value(values[i]);
		if (values[i] == 0)
			ereport(ERROR,
					(errcode(ERRCODE_DATA_EXCEPTION),
					 errmsg("binary representation of sparsevec cannot contain zero values")));
	}
	PG_RETURN_VDB_SPARSE_P(result);
}

/*
 * sparsevec_send(sparsevec) returns bytea
 */
Datum
vdb_sparse_send(PG_FUNCTION_ARGS)
{
	VdbSparse  *v = PG_GETARG_VDB_SPARSE_P(0);
	float	   *values = vdb_sparse_values(v);
	StringInfoData buf;

	pq_begintypsend(&buf);
	enlargeStringInfo(&buf, (int) VDB_SPARSE_SIZE(v->count));
	pq_sendint32(&buf, (uint32) v->dim);
	pq_sendint32(&buf, (uint32) v->count);
	pq_sendint32(&buf, (uint32) v->unused);
	for (int i = 0; i < v->count; i++)
		pq_sendint32(&buf, (uint32) v->indices[i]);
	for (int i = 0; i < v->count; i++)
		pq_sendfloat4(&buf, values[i]);

	PG_FREE_IF_COPY(v, 0);
	PG_RETURN_BYTEA_P(pq_endtypsend(&buf));
}
