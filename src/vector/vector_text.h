/*-------------------------------------------------------------------------
 *
 * vector_text.h
 *	  Parser and printer of the text form "[1,2,3]".
 *
 *-------------------------------------------------------------------------
 */
#ifndef VDB_VECTOR_TEXT_H
#define VDB_VECTOR_TEXT_H

typedef enum VdbTextFault
{
	VDB_TEXT_OK,
	VDB_TEXT_NO_BRACKET,		/* does not start with "[" */
	VDB_TEXT_EMPTY,				/* "[]" */
	VDB_TEXT_TOO_LONG,			/* more than max_dim elements */
	VDB_TEXT_SYNTAX,
	VDB_TEXT_RANGE,				/* beyond float4, or the caller's limit */
	VDB_TEXT_NAN,
	VDB_TEXT_INFINITE
} VdbTextFault;

typedef struct VdbVectorText
{
	VdbTextFault fault;
	int			dim;			/* elements read without fault */
	const char *at;				/* after "]", or the faulty element */
	int			len;			/* bytes of the faulty element, for RANGE */
} VdbVectorText;

extern VdbVectorText vdb_vector_text_parse(const char *text, const char *end,
										   float *x, int max_dim, float limit);
/* The white space of PostgreSQL's scanner, independent of the locale. */
static inline bool
vdb_text_is_space(char c)
{
	return c == ' ' || (c >= '\t' && c <= '\r');
}

#endif							/* VDB_VECTOR_TEXT_H */
