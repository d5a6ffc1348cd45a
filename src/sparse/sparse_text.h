/*-------------------------------------------------------------------------
 *
 * sparse_text.h
 *	  Parser of the text form "{1:1.5,3:2}/5".
 *
 *-------------------------------------------------------------------------
 */
#ifndef VDB_SPARSE_TEXT_H
#define VDB_SPARSE_TEXT_H

typedef enum VdbSparseFault
{
	VDB_SPARSE_OK,
	VDB_SPARSE_NO_BRACE,		/* does not start with "{" */
	VDB_SPARSE_NO_DIM,			/* "}" without "/" */
	VDB_SPARSE_JUNK,			/* something behind the dimensions */
	VDB_SPARSE_SYNTAX,
	VDB_SPARSE_TOO_MANY,		/* more than max_count elements */
	VDB_SPARSE_RANGE,			/* beyond float4, also below */
	VDB_SPARSE_NAN,
	VDB_SPARSE_INFINITE
} VdbSparseFault;

/* An element as it is read: the index counts from 0 and may be any number */
typedef struct VdbSparseEntry
{
	int32		index;
	float		value;
} VdbSparseEntry;

typedef struct VdbSparseText
{
	VdbSparseFault fault;
	int			count;			/* entries, in ascending order */
	int			dim;			/* any number, kept within int32 */
	const char *at;				/* the faulty value, for RANGE */
	int			len;			/* and its bytes */
} VdbSparseText;

extern PGDLLEXPORT VdbSparseText vdb_sparse_text_parse(const char *text, const char *end,
													   VdbSparseEntry *entries, int max_count);

#endif							/* VDB_SPARSE_TEXT_H */
