/*-------------------------------------------------------------------------
 *
 * json_reader.c
 *	  Strict, one-pass reading of a request body through PostgreSQL's lexer.
 *
 * A body goes from text to Datums without a tree in between.  The grammar of
 * objects and lists is walked here; every fault is reported with the place
 * where it stands, and faults of the JSON itself in PostgreSQL's own words.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "collection/json_reader.h"
#include "mb/pg_wchar.h"
#include "utils/builtins.h"
#include "utils/jsonfuncs.h"

/* How much of a user's text an error message repeats, in bytes. */
#define MAX_QUOTED 64

static void expect_token(VdbJsonReader *r, JsonTokenType token,
						 JsonParseErrorType error);
static char *reader_place(VdbJsonReader *r);

/*
 * Opens a reader on json.  example is the hint for structural faults.  The
 * reader's memory belongs to the current context.
 */
void
vdb_json_open(VdbJsonReader *r, text *json, const char *example)
{
	memset(r, 0, sizeof(*r));
	r->text = text_to_cstring(json);
	r->end = r->text + VARSIZE_ANY_EXHDR(json);
	r->example = example;
	r->context = CurrentMemoryContext;
	initStringInfo(&r->key_buffer);
	r->lex = vdb_json_lexer(r->text, (int) (r->end - r->text));
	vdb_json_next_token(r);
}

/*
 * Errors out unless the document ends here.
 */
void
vdb_json_close(VdbJsonReader *r)
{
	if (r->lex->token_type != JSON_TOKEN_END)
		vdb_json_report(JSON_EXPECTED_END, r->lex);
}

/*
 * Steps to the next token, over the value that is only one token long.
 */
void
vdb_json_next_token(VdbJsonReader *r)
{
	JsonParseErrorType error = json_lex(r->lex);

	if (error != JSON_SUCCESS)
		vdb_json_report(error, r->lex);
}

static void
expect_token(VdbJsonReader *r, JsonTokenType token, JsonParseErrorType error)
{
	if (r->lex->token_type != token)
		vdb_json_report(error, r->lex);
	vdb_json_next_token(r);
}

/*
 * Steps to the next field of the object on which the reader stands.  Call it
 * with *started false first.  Returns true with the reader on the value and
 * r->key set, or false after the object.
 */
bool
vdb_json_next_field(VdbJsonReader *r, bool *started)
{
	r->key = NULL;
	if (!*started)
	{
		if (r->lex->token_type != JSON_TOKEN_OBJECT_START)
			vdb_json_error(r, ERRCODE_INVALID_PARAMETER_VALUE,
						   "must be a JSON object");
		vdb_json_next_token(r);
	}
	if (r->lex->token_type == JSON_TOKEN_OBJECT_END)
	{
		vdb_json_next_token(r);
		return false;
	}
	if (*started)
		expect_token(r, JSON_TOKEN_COMMA, JSON_EXPECTED_OBJECT_NEXT);
	*started = true;

	if (r->lex->token_type != JSON_TOKEN_STRING)
		vdb_json_report(JSON_EXPECTED_STRING, r->lex);
	resetStringInfo(&r->key_buffer);
	appendStringInfoString(&r->key_buffer, r->lex->strval->data);
	r->key = r->key_buffer.data;
	vdb_json_next_token(r);
	expect_token(r, JSON_TOKEN_COLON, JSON_EXPECTED_COLON);
	return true;
}

/*
 * The same for the elements of a list; the caller keeps r->index.
 */
bool
vdb_json_next_element(VdbJsonReader *r, bool *started)
{
	if (!*started)
	{
		if (r->lex->token_type != JSON_TOKEN_ARRAY_START)
			vdb_json_error(r, ERRCODE_INVALID_PARAMETER_VALUE,
						   "must be a JSON array");
		vdb_json_next_token(r);
	}
	if (r->lex->token_type == JSON_TOKEN_ARRAY_END)
	{
		vdb_json_next_token(r);
		return false;
	}
	if (*started)
		expect_token(r, JSON_TOKEN_COMMA, JSON_EXPECTED_ARRAY_NEXT);
	*started = true;
	return true;
}

/*
 * Notes in *seen that the field with this number was met; errors out when it
 * was before.
 */
void
vdb_json_mark_field(VdbJsonReader *r, uint32 *seen, int field)
{
	uint32		bit = UINT32_C(1) << field;

	if (*seen & bit)
		vdb_json_error(r, ERRCODE_INVALID_PARAMETER_VALUE,
					   "field is given twice");
	*seen |= bit;
}

/*
 * The place of the reader, "points[3].vector" say, "" at the top.
 */
static char *
reader_place(VdbJsonReader *r)
{
	StringInfoData place;

	initStringInfo(&place);
	if (r->list != NULL && r->index >= 0)
		appendStringInfo(&place, "%s[%d]", r->list, r->index);
	if (r->key != NULL)
	{
		int			len = pg_mbcliplen(r->key, (int) strlen(r->key), MAX_QUOTED);

		appendStringInfo(&place, "%s%.*s", place.len > 0 ? "." : "", len, r->key);
	}
	else if (r->list != NULL && r->index < 0)
		appendStringInfoString(&place, r->list);
	return place.data;
}

/*
 * Raises an error about the value at the reader's place.
 */
void
vdb_json_error(VdbJsonReader *r, int sqlstate, const char *fmt, ...)
{
	char	   *place = reader_place(r);
	StringInfoData message;

	r->is_located = true;
	initStringInfo(&message);
	for (;;)
	{
		va_list		args;
		int			needed;

		va_start(args, fmt);
		needed = appendStringInfoVA(&message, fmt, args);
		va_end(args);
		if (needed == 0)
			break;
		enlargeStringInfo(&message, needed);
	}
	ereport(ERROR,
			(errcode(sqlstate),
			 place[0] != '\0' ? errmsg("%s: %s", place, message.data) : errmsg("request body %s", message.data),
			 errhint("%s", r->example)));
	pg_unreachable();
}

/*
 * Raises the current error again, in a PG_CATCH block.  An error in the data
 * that comes from somewhere else, a number too large for jsonb say, is told
 * its place.
 */
void
vdb_json_rethrow(VdbJsonReader *r)
{
	ErrorData  *error;
	char	   *place;

	MemoryContextSwitchTo(r->context);
	error = CopyErrorData();
	FlushErrorState();

	place = reader_place(r);
	if (ERRCODE_TO_CATEGORY(error->sqlerrcode) == ERRCODE_DATA_EXCEPTION &&
		!r->is_located && place[0] != '\0')
		error->message = psprintf("%s: %s", place, error->message);
	ReThrowError(error);
	pg_unreachable();
}

/*
 * Raises the error for the field r->key, which the object may not have.
 */
void
vdb_json_unknown_field(VdbJsonReader *r)
{
	vdb_json_error(r, ERRCODE_INVALID_PARAMETER_VALUE, "unknown field");
}

/*
 * Raises the error for a field that the object lacks.
 */
void
vdb_json_missing_field(VdbJsonReader *r, const char *field)
{
	r->key = field;
	vdb_json_error(r, ERRCODE_INVALID_PARAMETER_VALUE, "field is missing");
}
