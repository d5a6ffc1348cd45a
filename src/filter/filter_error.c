/*-------------------------------------------------------------------------
 *
 * filter_error.c
 *	  Rejects an invalid filter with a message that names the place.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "filter/filter_internal.h"
#include "lib/stringinfo.h"
#include "mb/pg_wchar.h"

/* Longest part of a user's key that a message repeats, in bytes. */
#define CLIP_LENGTH 64

static void append_place(StringInfo buf, const VdbFilterPlace *place);

/*
 * Raises "invalid filter: <message> at <place>" with SQLSTATE 22023, softly if
 * escontext says so; then returns false, so that a caller can return the result.
 * The hint may be NULL.
 */
bool
vdb_filter_reject(Node *escontext, const VdbFilterPlace *place,
				  const char *hint, const char *fmt, ...)
{
	StringInfoData msg;

	initStringInfo(&msg);
	for (;;)
	{
		va_list		args;
		int			needed;

		va_start(args, fmt);
		needed = appendStringInfoVA(&msg, fmt, args);
		va_end(args);
		if (needed == 0)
			break;
		enlargeStringInfo(&msg, needed);
	}

	if (place == NULL)
		appendStringInfoString(&msg, " at the top level");
	else
	{
		appendStringInfoString(&msg, " at \"");
		append_place(&msg, place);
		appendStringInfoChar(&msg, '"');
	}

	ereturn(escontext, false,
			(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
			 errmsg("invalid filter: %s", msg.data),
			 hint ? errhint("%s", hint) : 0));
}

/* A name for a message: null-terminated, shortened at a character's end. */
const char *
vdb_filter_clip(VdbFilterName name)
{
	if (name.len <= CLIP_LENGTH)
		return pnstrdup(name.str, name.len);
	return psprintf("%.*s...", pg_mbcliplen(name.str, name.len, CLIP_LENGTH),
					name.str);
}

/* What kind of JSON value it is, with its article, for a message. */
const char *
vdb_filter_describe(const JsonbValue *value)
{
	switch (value->type)
	{
		case jbvNull:
			return "null";
		case jbvString:
			return "a string";
		case jbvNumeric:
			return "a number";
		case jbvBool:
			return "a boolean";
		default:
			return vdb_filter_is_array(value) ? "an array" : "an object";
	}
}

/* Appends the place from the root down, for example: $or[1].year.$gte */
static void
append_place(StringInfo buf, const VdbFilterPlace *place)
{
	if (place->up)
		append_place(buf, place->up);

	if (place->key.str == NULL)
		appendStringInfo(buf, "[%d]", place->position);
	else
	{
		if (place->up)
			appendStringInfoChar(buf, '.');
		appendStringInfoString(buf, vdb_filter_clip(place->key));
	}
}
