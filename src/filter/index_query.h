/*-------------------------------------------------------------------------
 *
 * index_query.h
 *	  How the keys of an index query decide about a document.
 *
 *-------------------------------------------------------------------------
 */
#ifndef VDB_INDEX_QUERY_H
#define VDB_INDEX_QUERY_H

#include "filter/index_key.h"

#include "access/gin.h"
#include "access/stratnum.h"
#include "portability/instr_time.h"
#include "utils/rel.h"

/* The keys of a query; what would exceed this is left to the recheck. */
#define VDB_INDEX_MAX_KEYS	20000

/* Strategy numbers: the operators of the class. */
#define VDB_INDEX_MATCH		1	/* jsonb @~ vecdb_filter */
#define VDB_INDEX_CONTAINS	2	/* jsonb @> jsonb */

typedef enum VdbIndexNodeKind
{
	VDB_INDEX_AND,				/* no children: true */
	VDB_INDEX_OR,
	VDB_INDEX_NOT,				/* one child */

	VDB_INDEX_ANY_KEY,			/* one of the keys at least; no keys: false */
	VDB_INDEX_ALL_KEYS,			/* each of the keys */
	VDB_INDEX_RANGE,			/* one key, which is a range of keys */
	VDB_INDEX_UNKNOWN			/* no keys, the recheck decides */
} VdbIndexNodeKind;

/*
 * A range of keys, from begin up to end, which is outside; GIN's extra_data of
 * its key.  index_range.c says what samples and limits are.
 */
typedef struct VdbIndexRange
{
	Datum		begin;
	bytea	   *end;
	List	   *limits;			/* of List * of samples; NIL: read all of it */
	bool		gave_up;		/* nothing is known about its rows (I6) */
	bool		is_sample;
	int			nsampled;		/* sample: its keys; -1: not known */

	/* while it is read */
	int			nread;
	instr_time	start;
} VdbIndexRange;

typedef struct VdbIndexNode
{
	VdbIndexNodeKind kind;
	List	   *children;		/* of VdbIndexNode *; AND, OR, NOT */
	int			first;			/* ANY_KEY, ALL_KEYS, RANGE: keys of the query */
	int			nkeys;
	int			nexact;			/* so many of them, the first, are exact */
	VdbIndexRange *range;		/* RANGE */
	List	   *samples;		/* ANY_KEY, ALL_KEYS: ranges that count rows */
} VdbIndexNode;

/*
 * A query.  Its first key is always VDB_KEY_UNINDEXED, and GIN's extra_data of
 * that key is the query.
 */
typedef struct VdbIndexQuery
{
	int			nkeys;
	int			maxkeys;
	Datum	   *keys;
	VdbIndexRange **ranges;		/* of each key; NULL if it is no range */

	/*
	 * Of each key: false if it may be expected that few rows have it.  For
	 * vdb_index_evaluate(): what is false then is not true of many rows.
	 */
	GinTernaryValue *common;

	VdbIndexNode *root;			/* true for a row that is not unindexed */
} VdbIndexQuery;

/* index_query.c */
extern VdbIndexQuery *vdb_index_make_query(Jsonb *argument, StrategyNumber strategy);
extern int	vdb_index_add_key(VdbIndexQuery *query, Datum key, bool is_common,
							  VdbIndexRange *range);
extern VdbIndexNode *vdb_index_make_node(VdbIndexNodeKind kind);
extern VdbIndexNode *vdb_index_make_tag(VdbIndexQuery *query, const VdbKey *path,
										VdbKeyTag tag);
extern VdbIndexNode *vdb_index_make_values(VdbIndexQuery *query, VdbIndexNodeKind kind,
										   const VdbKey *path, bool is_element,
										   const JsonbValue *values, int nvalues);

/* index_selectivity.c */
extern double vdb_index_selectivity(Relation index, AttrNumber column, Datum argument,
									StrategyNumber strategy, double rows);

/* index_filter.c */
extern VdbIndexNode *vdb_index_make_match(VdbIndexQuery *query, const VdbFilter *filter);

/* index_contained.c */
extern VdbIndexNode *vdb_index_make_contained(VdbIndexQuery *query,
											  JsonbContainer *contained);

/* index_range.c */
extern void vdb_index_add_ranges(VdbIndexQuery *query, VdbIndexNode *condition);

/* index_consistent.c */
extern GinTernaryValue vdb_index_evaluate(const VdbIndexNode *node,
										  const GinTernaryValue *check);

#endif							/* VDB_INDEX_QUERY_H */
