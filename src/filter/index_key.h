/*-------------------------------------------------------------------------
 *
 * index_key.h
 *	  Keys of the GIN operator class jsonb_filter_ops.
 *
 * README.md, "Index keys", has the format byte by byte and the invariants
 * (I1, I2, ...) that comments refer to.
 *
 *-------------------------------------------------------------------------
 */
#ifndef VDB_INDEX_KEY_H
#define VDB_INDEX_KEY_H

#include "filter/filter.h"

/* First byte of a key. */
typedef enum VdbKeyClass
{
	VDB_KEY_SAMPLE = 1,			/* a hash of another key follows, and an arbitrary number */
	VDB_KEY_ALL,				/* every document has this key */
	VDB_KEY_UNINDEXED,			/* documents with too many keys have it */
	VDB_KEY_PATH,				/* the path and a zero byte follow */
	VDB_KEY_HASHED_PATH			/* a hash of the path follows */
} VdbKeyClass;

/*
 * The byte behind the path: what a document has there.  The values of an
 * ordered type lie between its tag and the next one (I3).
 */
typedef enum VdbKeyTag
{
	VDB_TAG_NULL = 1,
	VDB_TAG_FALSE,
	VDB_TAG_TRUE,
	VDB_TAG_NUMBER,				/* the value follows */
	VDB_TAG_IS_NUMBER,
	VDB_TAG_STRING,				/* the value follows */
	VDB_TAG_IS_STRING,
	VDB_TAG_CONTAINER,			/* a hash of the array or object follows */
	VDB_TAG_IS_ARRAY,
	VDB_TAG_IS_OBJECT,

	VDB_TAG_ELEMENT = 0x10		/* added: it is an element of the array there */
} VdbKeyTag;

#define VDB_KEY_MAX_PATH	128 /* bytes; a longer path is hashed */
#define VDB_KEY_MAX_STRING	48	/* bytes; behind so many follows a hash */
#define VDB_KEY_MAX_DIGITS	12	/* groups of four decimal digits */

/* One document in so many is sampled (I7). */
#define VDB_KEY_SAMPLE_RATE 64

/* A key under construction, no longer than the limits above make it. */
typedef struct VdbKey
{
	bool		is_exact;		/* only what is equal has it, too (I2) */
	int			len;
	unsigned char bytes[256];
} VdbKey;

extern void vdb_key_start(VdbKey *key, VdbKeyClass class);
extern void vdb_key_start_path(VdbKey *key, const char *path, int len);
extern void vdb_key_add_tag(VdbKey *key, VdbKeyTag tag);
extern void vdb_key_add_value(VdbKey *key, const JsonbValue *value, bool is_element);
extern void vdb_key_add_lower(VdbKey *key, const VdbFilterBound *bound, int type);
extern void vdb_key_add_upper(VdbKey *key, const VdbFilterBound *bound, int type);
extern void vdb_key_start_sample(VdbKey *sample, const unsigned char *bytes, int len);
extern void vdb_key_add_number(VdbKey *key, uint32 number);
extern int	vdb_key_presence_tag(const JsonbValue *value);
extern int	vdb_key_compare(const VdbKey *a, const VdbKey *b);
extern Datum vdb_key_datum(const VdbKey *key);
extern bool vdb_key_is_addressable(const char *name, int len);

#endif							/* VDB_INDEX_KEY_H */
