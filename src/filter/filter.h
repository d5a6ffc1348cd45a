/*-------------------------------------------------------------------------
 *
 * filter.h
 *	  Public face of the filter room: conditions on metadata documents.
 *
 * A value of the SQL type vecdb_filter is a Jsonb that vdb_filter_parse() has
 * validated.  vdb_filter_compile() turns it into the tree below, which is what
 * gets evaluated and what index keys are made from.  README.md defines the
 * language.
 *
 *-------------------------------------------------------------------------
 */
#ifndef VDB_FILTER_H
#define VDB_FILTER_H

#include "pg_compat.h"

#include "nodes/pg_list.h"
#include "utils/jsonb.h"

/* Limits of the language; README.md repeats them for users. */
#define VDB_FILTER_MAX_DEPTH		64	/* levels of objects and arrays */
#define VDB_FILTER_MAX_CONDITIONS	1000
#define VDB_FILTER_MAX_VALUES		10000	/* in one list */
#define VDB_FILTER_MAX_NAMES		64	/* in one path */

typedef enum VdbFilterKind
{
	/* inner nodes: use children only */
	VDB_FILTER_AND,				/* no children: true */
	VDB_FILTER_OR,				/* at least two children */
	VDB_FILTER_NOT,				/* one child */

	/* conditions on what path finds; all are false where it finds nothing */
	VDB_FILTER_EXISTS,			/* it finds something, null included */
	VDB_FILTER_IN,				/* equal to one of values; $eq has one */
	VDB_FILTER_RANGE,			/* scalar within lower and upper */
	VDB_FILTER_CONTAINS_ANY,	/* array, an element is one of values */
	VDB_FILTER_CONTAINS_ALL		/* array, each of values is an element */
} VdbFilterKind;

/* One name of a path: a key of an object, not null-terminated. */
typedef struct VdbFilterName
{
	const char *str;
	int			len;
} VdbFilterName;

typedef struct VdbFilterPath
{
	VdbFilterName text;			/* the whole path, with its dots */
	int			nnames;			/* at least 1 */
	VdbFilterName *names;		/* these point into text */
} VdbFilterPath;

/* One end of a range; the value is a number, a string or a boolean. */
typedef struct VdbFilterBound
{
	bool		is_set;
	bool		is_inclusive;
	JsonbValue	value;
} VdbFilterBound;

typedef struct VdbFilter
{
	VdbFilterKind kind;

	/* AND, OR, NOT */
	List	   *children;		/* of VdbFilter * */

	/* all conditions */
	VdbFilterPath path;

	/*
	 * IN, CONTAINS_*: sorted by vdb_filter_compare_values(), no two equal,
	 * possibly none.  Arrays and objects are jbvBinary.
	 */
	int			nvalues;
	JsonbValue *values;

	/* RANGE: at least one is set; if both are, they have the same type */
	VdbFilterBound lower;
	VdbFilterBound upper;
} VdbFilter;

/* Arguments and results that are vecdb_filter values. */
#define DatumGetVdbFilterJsonb(d)	DatumGetJsonbP(d)

/* filter_json.c */
extern Jsonb *vdb_filter_parse(const char *json, int len, Node *escontext);
extern Datum vdb_filter_from_json(const char *json, int len);

/* filter_compile.c */
extern VdbFilter *vdb_filter_compile(Jsonb *filter, Node *escontext);

/* filter_eval.c */
extern bool vdb_filter_eval(const VdbFilter *filter, JsonbContainer *document);
extern bool vdb_filter_find(JsonbContainer *document, const VdbFilterPath *path,
							JsonbValue *result);

/* filter_value.c */
extern int	vdb_filter_compare_values(const JsonbValue *a, const JsonbValue *b);

/* index_range.c */
extern void vdb_filter_init(void);

#endif							/* VDB_FILTER_H */
