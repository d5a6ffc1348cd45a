/*-------------------------------------------------------------------------
 *
 * json_reader.h
 *	  Strict, one-pass reading of a request body through PostgreSQL's lexer.
 *
 *-------------------------------------------------------------------------
 */
#ifndef VDB_JSON_READER_H
#define VDB_JSON_READER_H

#include "pg_compat.h"

#include "common/jsonapi.h"
#include "lib/stringinfo.h"

#include "vector/vector.h"

/*
 * The reader always stands on a token; every read function consumes the value
 * that begins there.  list, index and key name the place for error messages:
 * points[3].vector, say.
 */
typedef struct VdbJsonReader
{
	JsonLexContext *lex;
	char	   *text;			/* the whole document, NUL-terminated */
	char	   *end;
	const char *list;			/* name of the list that is read, or NULL */
	int			index;			/* position in it, from 0 */
	const char *key;			/* field of the object that is read, or NULL */
	StringInfoData key_buffer;	/* of the last field */
	const char *example;		/* hint: what a right object looks like */
	bool		is_located;		/* the error that was raised names its place */
	MemoryContext context;		/* the reader's */
} VdbJsonReader;

/* json_reader.c */
extern void vdb_json_next_token(VdbJsonReader *r);
extern void vdb_json_open(VdbJsonReader *r, text *json, const char *example);
extern void vdb_json_close(VdbJsonReader *r);
extern bool vdb_json_next_field(VdbJsonReader *r, bool *started);
extern bool vdb_json_next_element(VdbJsonReader *r, bool *started);
extern void vdb_json_mark_field(VdbJsonReader *r, uint32 *seen, int field);
pg_noreturn extern void vdb_json_error(VdbJsonReader *r, int sqlstate, const char *fmt, ...) pg_attribute_printf(3, 4);
pg_noreturn extern void vdb_json_rethrow(VdbJsonReader *r);
pg_noreturn extern void vdb_json_unknown_field(VdbJsonReader *r);
pg_noreturn extern void vdb_json_missing_field(VdbJsonReader *r, const char *field);

/* json_value.c */
extern char *vdb_json_read_string(VdbJsonReader *r);
extern bool vdb_json_read_bool(VdbJsonReader *r);
extern int	vdb_json_read_int(VdbJsonReader *r, int min, int max);
extern double vdb_json_read_double(VdbJsonReader *r);
extern VdbVector *vdb_json_read_vector(VdbJsonReader *r, int dim);
extern char *vdb_json_read_slice(VdbJsonReader *r, JsonTokenType first,
								 const char *what);

#endif							/* VDB_JSON_READER_H */
