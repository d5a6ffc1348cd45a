/*-------------------------------------------------------------------------
 *
 * fuzz_vector.c
 *	  Targets: a vector's text and its binary form.
 *
 *-------------------------------------------------------------------------
 */
#include "pg_compat.h"

#include <math.h>
#include <stdlib.h>

#include "fuzz.h"
#include "lib/stringinfo.h"
#include "vector/vector.h"

extern Datum vdb_vector_in(PG_FUNCTION_ARGS);
extern Datum vdb_vector_out(PG_FUNCTION_ARGS);
extern Datum vdb_vector_recv(PG_FUNCTION_ARGS);
extern Datum vdb_vector_send(PG_FUNCTION_ARGS);

static bool read_plainly(const char *text, float *x, int *dim);
static const char *skip_space(const char *p);

/*
 * Text is accepted if, and only if, a plain reading with strtof() accepts it,
 * with the same numbers; and what is printed reads back.
 */
static void
run_text(const char *data, int len)
{
	char	   *text = vdb_fuzz_copy(data, len);
	float	   *x = palloc(sizeof(float) * VDB_VECTOR_MAX_DIM);
	Datum		args[3] = {CStringGetDatum(text), ObjectIdGetDatum(InvalidOid), Int32GetDatum(-1)};
	bool		expected;
	Datum		result;
	VdbVector  *v;
	int			dim;

	expected = read_plainly(text, x, &dim);
	if (vdb_fuzz_try(vdb_vector_in, 3, args, &result) != expected)
		vdb_fuzz_wrong("%s: \"%s\"", expected ? "rejected" : "accepted", text);
	if (!expected)
		return;

	v = (VdbVector *) DatumGetPointer(result);
	if (v->dim != dim || memcmp(v->x, x, sizeof(float) * (size_t) dim) != 0)
		vdb_fuzz_wrong("read in another way: \"%s\"", text);

	args[0] = DirectFunctionCall1(vdb_vector_out, PointerGetDatum(v));
	if (!vdb_fuzz_try(vdb_vector_in, 3, args, &result) ||
		memcmp(DatumGetPointer(result), v, VARSIZE(v)) != 0)
		vdb_fuzz_wrong("does not read back: \"%s\"", DatumGetCString(args[0]));
}

/* The numbers of a vector's text, if it is one. */
static bool
read_plainly(const char *text, float *x, int *dim)
{
	const char *p = skip_space(text);

	*dim = 0;
	if (*p++ != '[')
		return false;
	for (;;)
	{
		char	   *end;

		p = skip_space(p);
		if (*dim == VDB_VECTOR_MAX_DIM)
			return false;
		x[*dim] = strtof(p, &end);
		if (end == p || !isfinite(x[(*dim)++]))
			return false;
		p = skip_space(end);
		if (*p == ']')
			return *skip_space(p + 1) == '\0';
		if (*p++ != ',')
			return false;
	}
}

static const char *
skip_space(const char *p)
{
	while (*p == ' ' || (*p >= '\t' && *p <= '\r'))
		p++;
	return p;
}

/* What is accepted is sent as the same bytes. */
static void
run_binary(const char *data, int len)
{
	StringInfoData message;
	Datum		args[3] = {PointerGetDatum(&message), ObjectIdGetDatum(InvalidOid), Int32GetDatum(-1)};
	Datum		result;
	bytea	   *sent;

	message.data = vdb_fuzz_copy(data, len);
	message.len = len;
	message.maxlen = len + 1;
	message.cursor = 0;
	if (!vdb_fuzz_try(vdb_vector_recv, 3, args, &result))
		return;

	sent = DatumGetByteaPP(DirectFunctionCall1(vdb_vector_send, result));
	if (VARSIZE_ANY_EXHDR(sent) != message.cursor ||
		memcmp(VARDATA_ANY(sent), data, message.cursor) != 0)
		vdb_fuzz_wrong("%d bytes are sent back as others", message.cursor);
	args[0] = DirectFunctionCall1(vdb_vector_out, result);
	args[0] = DirectFunctionCall3(vdb_vector_in, args[0], args[1], args[2]);
	if (memcmp(DatumGetPointer(args[0]), DatumGetPointer(result), VARSIZE(DatumGetPointer(result))) != 0)
		vdb_fuzz_wrong("does not read back from text");
}

const VdbFuzzTarget vdb_fuzz_vector_text = {.name = "vector_text", .run = run_text};
const VdbFuzzTarget vdb_fuzz_vector_binary = {.name = "vector_binary", .run = run_binary};
