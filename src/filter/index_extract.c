/*-------------------------------------------------------------------------
 *
 * index_extract.c
 *	  The index keys of a document.
 *
 * Called for each inserted row.  No document is an error: what filters cannot
 * address has no keys, names beyond VDB_FILTER_MAX_NAMES end the descent, and a
 * document with too many keys is indexed as one that every filter has to recheck
 * (I5).
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "common/pg_prng.h"
#include "filter/index_key.h"
#include "lib/stringinfo.h"
#include "miscadmin.h"

/* A document with more keys is not indexed by its fields. */
#define MAX_DOCUMENT_KEYS 65536

/* Keys found so far, and the path of the object that is being read. */
typedef struct Extraction
{
	int			nkeys;
	int			maxkeys;
	Datum	   *keys;
	StringInfoData path;
	bool		is_sampled;
} Extraction;

static bool extract_object(Extraction *ex, JsonbContainer *object, int depth);
static bool extract_field(Extraction *ex, const JsonbValue *value, int depth);
static bool extract_elements(Extraction *ex, JsonbContainer *array, const VdbKey *path);
static bool add_value_key(Extraction *ex, const JsonbValue *value, const VdbKey *key);
static bool add_key(Extraction *ex, const VdbKey *key);

PG_FUNCTION_INFO_V1(vdb_index_extract_value);

/* GIN's extractValue: the keys of a document */
Datum
vdb_index_extract_value(PG_FUNCTION_ARGS)
{
	Jsonb	   *document = PG_GETARG_JSONB_P(0);
	int32	   *nkeys = (int32 *) PG_GETARG_POINTER(1);
	Extraction	ex = {.maxkeys = 32};
	VdbKey		key;

	ex.keys = vdb_palloc_array(Datum, ex.maxkeys);
	initStringInfo(&ex.path);

	/*
	 * Not by a hash of the document, since many rows may have the same one.
	 * The samples that a row happens to have change no answer (I7).
	 */
	ex.is_sampled = pg_prng_uint32(&pg_global_prng_state) % VDB_KEY_SAMPLE_RATE == 0;

	vdb_key_start(&key, VDB_KEY_ALL);
	add_key(&ex, &key);
	if (JB_ROOT_IS_OBJECT(document) && !extract_object(&ex, &document->root, 1))
	{
		ex.nkeys = 1;			/* the first is VDB_KEY_ALL */
		vdb_key_start(&key, VDB_KEY_UNINDEXED);
		add_key(&ex, &key);
	}

	*nkeys = ex.nkeys;
	PG_RETURN_POINTER(ex.keys);
}

/*
 * Adds the keys of an object's fields, whose paths have depth names.  False if
 * there are too many.
 */
static bool
extract_object(Extraction *ex, JsonbContainer *object, int depth)
{
	JsonbIterator *it = JsonbIteratorInit(object);
	JsonbIteratorToken token;
	JsonbValue	item;
	int			outer = ex->path.len;
	bool		is_addressable = false;
	bool		ok = true;

	check_stack_depth();

	while (ok && (token = JsonbIteratorNext(&it, &item, true)) != WJB_DONE)
	{
		if (token == WJB_KEY)
		{
			is_addressable = vdb_key_is_addressable(item.val.string.val,
													item.val.string.len);
			if (is_addressable)
			{
				ex->path.len = outer;
				if (depth > 1)
					appendStringInfoChar(&ex->path, '.');
				appendBinaryStringInfo(&ex->path, item.val.string.val,
									   item.val.string.len);
			}
		}
		else if (token == WJB_VALUE && is_addressable)
			ok = extract_field(ex, &item, depth);
	}
	if (it)
		pfree(it);				/* at the end it frees itself */
	ex->path.len = outer;
	return ok;
}

/* Adds the keys of the value at the current path.  False if too many. */
static bool
extract_field(Extraction *ex, const JsonbValue *value, int depth)
{
	int			presence = vdb_key_presence_tag(value);
	VdbKey		path;
	VdbKey		key;

	vdb_key_start_path(&path, ex->path.data, ex->path.len);
	key = path;
	vdb_key_add_value(&key, value, false);
	if (!add_value_key(ex, value, &key))
		return false;

	if (presence != 0)
	{
		key = path;
		vdb_key_add_tag(&key, presence);
		if (!add_key(ex, &key))
			return false;
	}

	if (presence == VDB_TAG_IS_ARRAY)
		return extract_elements(ex, value->val.binary.data, &path);
	if (presence == VDB_TAG_IS_OBJECT && depth < VDB_FILTER_MAX_NAMES)
		return extract_object(ex, value->val.binary.data, depth + 1);
	return true;
}

/* Adds a key for each element of an array.  False if too many. */
static bool
extract_elements(Extraction *ex, JsonbContainer *array, const VdbKey *path)
{
	JsonbIterator *it = JsonbIteratorInit(array);
	JsonbIteratorToken token;
	JsonbValue	element;
	bool		ok = true;

	while (ok && (token = JsonbIteratorNext(&it, &element, true)) != WJB_DONE)
	{
		if (token == WJB_ELEM)
		{
			VdbKey		key = *path;

			vdb_key_add_value(&key, &element, true);
			ok = add_value_key(ex, &element, &key);
		}
	}
	if (it)
		pfree(it);				/* at the end it frees itself */
	return ok;
}

/*
 * Adds the key of a value and, in a sampled document, a sample of it, unless it
 * is one of few values that many documents have anyway.
 */
static bool
add_value_key(Extraction *ex, const JsonbValue *value, const VdbKey *key)
{
	if (ex->is_sampled && value->type != jbvNull && value->type != jbvBool)
	{
		VdbKey		sample;

		vdb_key_start_sample(&sample, key->bytes, key->len);
		vdb_key_add_number(&sample, pg_prng_uint32(&pg_global_prng_state));
		if (!add_key(ex, &sample))
			return false;
	}
	return add_key(ex, key);
}

/* Adds a key; GIN removes duplicates.  False if it is one too many. */
static bool
add_key(Extraction *ex, const VdbKey *key)
{
	if (ex->nkeys >= MAX_DOCUMENT_KEYS)
		return false;
	if (ex->nkeys == ex->maxkeys)
	{
		ex->maxkeys *= 2;
		ex->keys = repalloc(ex->keys, ex->maxkeys * sizeof(Datum));
	}
	ex->keys[ex->nkeys++] = vdb_key_datum(key);
	return true;
}
