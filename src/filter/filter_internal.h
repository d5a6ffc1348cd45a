/*-------------------------------------------------------------------------
 *
 * filter_internal.h
 *	  What the files of the filter room share with each other.
 *
 *-------------------------------------------------------------------------
 */
#ifndef VDB_FILTER_INTERNAL_H
#define VDB_FILTER_INTERNAL_H

#include "filter/filter.h"

/*
 * A place inside a filter's JSON: a chain of keys and array positions from
 * here up to the root, kept on the C stack while the JSON is walked.  A NULL
 * pointer is the root itself.
 */
typedef struct VdbFilterPlace
{
	const struct VdbFilterPlace *up;
	VdbFilterName key;			/* str is NULL in an array */
	int			position;		/* from 0; for array elements */
} VdbFilterPlace;

/* What compilation carries from function to function. */
typedef struct VdbFilterCompiler
{
	Node	   *escontext;		/* soft errors go here; may be NULL */
	int			nconditions;	/* found so far */
} VdbFilterCompiler;

/* filter_error.c */
extern bool vdb_filter_reject(Node *escontext, const VdbFilterPlace *place,
							  const char *hint, const char *fmt, ...) pg_attribute_printf(4, 5);
extern const char *vdb_filter_clip(VdbFilterName name);
extern const char *vdb_filter_describe(const JsonbValue *value);

/* filter_compile.c */
extern bool vdb_filter_count(VdbFilterCompiler *cx, const VdbFilterPlace *place);
extern VdbFilter *vdb_filter_make(VdbFilterKind kind);
extern VdbFilter *vdb_filter_make_not(VdbFilter *child);

/* filter_operand.c */
extern bool vdb_filter_read_path(VdbFilterCompiler *cx, VdbFilterName key,
								 const VdbFilterPlace *place, VdbFilterPath *path);
extern bool vdb_filter_is_field_operator(VdbFilterName op);
extern VdbFilter *vdb_filter_read_operator(VdbFilterCompiler *cx, VdbFilterName op,
										   const JsonbValue *operand,
										   const VdbFilterPath *path,
										   const VdbFilterPlace *place);
extern VdbFilter *vdb_filter_make_equal(const VdbFilterPath *path,
										const JsonbValue *value);

static inline bool
vdb_filter_name_is(VdbFilterName name, const char *str)
{
	return name.len == (int) strlen(str) && memcmp(name.str, str, name.len) == 0;
}

static inline bool
vdb_filter_name_equals(VdbFilterName a, VdbFilterName b)
{
	return a.len == b.len && memcmp(a.str, b.str, a.len) == 0;
}

static inline bool
vdb_filter_is_array(const JsonbValue *value)
{
	return value->type == jbvBinary && JsonContainerIsArray(value->val.binary.data);
}

static inline bool
vdb_filter_is_object(const JsonbValue *value)
{
	return value->type == jbvBinary && JsonContainerIsObject(value->val.binary.data);
}

#endif							/* VDB_FILTER_INTERNAL_H */
