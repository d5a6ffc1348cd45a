/*-------------------------------------------------------------------------
 *
 * index_key.c
 *	  Encodes paths and values as index keys.
 *
 * Keys are bytea and compared as such, byte by byte and the shorter one first
 * where it is a prefix.  Encodings of one type are in the language's order
 * (I3).  What is equal in the language has one key (I1); what is not may share
 * a key only if that key is not exact (I2).
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "common/hashfn.h"
#include "filter/index_key.h"
#include "utils/builtins.h"
#include "utils/fmgrprotos.h"
#include "utils/numeric.h"

/* Numbers: the first byte tells the sign and how large the exponent is. */
#define NUMBER_ZERO			0x80
#define NUMBER_SMALL		0xA0	/* below -MAX_SHORT_WEIGHT, which follows */
#define NUMBER_MIDDLE		0xC0	/* the exponent is added to this */
#define NUMBER_LARGE		0xE0	/* above MAX_SHORT_WEIGHT, which follows */
#define MAX_SHORT_WEIGHT	31

/* Digit groups, 0 to 9999, start above any byte that may end a number. */
#define DIGITS_OFFSET		0x0100
#define NUMBER_GOES_ON		0xFF
#define NUMBER_ENDS			0x00

/* Sign of numeric_send(), which has no header file for it. */
#define WIRE_NEGATIVE		0x4000

/* A container's hash covers no more tokens than these, which bounds its cost. */
#define MAX_HASHED_TOKENS	256

static bool add_number(VdbKey *key, Numeric number);
static bool add_string(VdbKey *key, const JsonbValue *value);
static void add_container(VdbKey *key, JsonbContainer *container, bool is_element);
static uint32 hash_container(JsonbContainer *container);
static void add_byte(VdbKey *key, unsigned char byte);
static void add_bytes(VdbKey *key, const void *bytes, int len);
static void add_uint16(VdbKey *key, uint16 value);
static void add_uint32(VdbKey *key, uint32 value);
static uint16 read_uint16(const unsigned char **wire);

/* Begins a key of a class that has no path. */
void
vdb_key_start(VdbKey *key, VdbKeyClass class)
{
	key->is_exact = true;
	key->len = 0;
	add_byte(key, class);
}

/* Begins a key of a path: names joined by dots, as a filter writes them. */
void
vdb_key_start_path(VdbKey *key, const char *path, int len)
{
	if (len <= VDB_KEY_MAX_PATH)
	{
		vdb_key_start(key, VDB_KEY_PATH);
		add_bytes(key, path, len);
		add_byte(key, 0);		/* no jsonb string has a zero byte */
	}
	else
	{
		uint64		hash = hash_bytes_extended((const unsigned char *) path, len, 0);

		vdb_key_start(key, VDB_KEY_HASHED_PATH);
		add_uint32(key, (uint32) (hash >> 32));
		add_uint32(key, (uint32) hash);
		key->is_exact = false;
	}
}

/* Begins a sample of another key. */
void
vdb_key_start_sample(VdbKey *sample, const unsigned char *bytes, int len)
{
	vdb_key_start(sample, VDB_KEY_SAMPLE);
	add_uint32(sample, hash_bytes(bytes, len));
}

/* Ends a sample. */
void
vdb_key_add_number(VdbKey *key, uint32 number)
{
	add_uint32(key, number);
}

/* Ends a key that has no value. */
void
vdb_key_add_tag(VdbKey *key, VdbKeyTag tag)
{
	add_byte(key, tag);
}

/* Ends a key by the value at its path, or by an element of the array there. */
void
vdb_key_add_value(VdbKey *key, const JsonbValue *value, bool is_element)
{
	int			flag = is_element ? VDB_TAG_ELEMENT : 0;

	switch (value->type)
	{
		case jbvNull:
			add_byte(key, VDB_TAG_NULL | flag);
			break;
		case jbvBool:
			add_byte(key, (value->val.boolean ? VDB_TAG_TRUE : VDB_TAG_FALSE) | flag);
			break;
		case jbvNumeric:
			add_byte(key, VDB_TAG_NUMBER | flag);
			if (!add_number(key, value->val.numeric))
				key->is_exact = false;
			break;
		case jbvString:
			add_byte(key, VDB_TAG_STRING | flag);
			if (!add_string(key, value))
				key->is_exact = false;
			break;
		default:
			Assert(value->type == jbvBinary);
			add_byte(key, VDB_TAG_CONTAINER | flag);
			add_container(key, value->val.binary.data, is_element);
			key->is_exact = false;
			break;
	}
}

/*
 * Ends a key so that it is the least one that values above the bound may
 * have.  Without a bound those are all of the type, jbvNumeric or jbvString.
 * The key is not exact if values below the bound may have it, too, or a
 * greater one.
 */
void
vdb_key_add_lower(VdbKey *key, const VdbFilterBound *bound, int type)
{
	bool		is_complete = true;

	add_byte(key, type == jbvNumeric ? VDB_TAG_NUMBER : VDB_TAG_STRING);
	if (!bound->is_set)
		return;

	if (type == jbvNumeric)
		is_complete = add_number(key, bound->value.val.numeric);
	else if (bound->value.val.string.len <= VDB_KEY_MAX_STRING)
		add_string(key, &bound->value);
	else
	{
		/* all hashes behind these bytes */
		add_bytes(key, bound->value.val.string.val, VDB_KEY_MAX_STRING);
		add_byte(key, 0);
		is_complete = false;
	}

	/* the next greater key is the same and a zero byte */
	if (!is_complete)
		key->is_exact = false;
	else if (!bound->is_inclusive)
		add_byte(key, 0);
}

/*
 * Ends a key so that it is greater than all that values below the bound may
 * have, and no greater than need be.  Exact as in vdb_key_add_lower().
 */
void
vdb_key_add_upper(VdbKey *key, const VdbFilterBound *bound, int type)
{
	VdbKeyTag	tag = type == jbvNumeric ? VDB_TAG_NUMBER : VDB_TAG_STRING;
	bool		is_complete = true;

	if (!bound->is_set)
	{
		add_byte(key, tag + 1);
		return;
	}

	add_byte(key, tag);
	if (type == jbvNumeric)
		is_complete = add_number(key, bound->value.val.numeric);
	else if (bound->value.val.string.len <= VDB_KEY_MAX_STRING)
		add_string(key, &bound->value);
	else
	{
		add_bytes(key, bound->value.val.string.val, VDB_KEY_MAX_STRING);
		add_uint32(key, 0xFFFFFFFF);
		is_complete = false;
	}

	if (!is_complete)
		key->is_exact = false;
	if (!is_complete || bound->is_inclusive)
		add_byte(key, 0);
}

/* The tag for a value of this type being there; 0 if the value's key says it. */
int
vdb_key_presence_tag(const JsonbValue *value)
{
	switch (value->type)
	{
		case jbvNumeric:
			return VDB_TAG_IS_NUMBER;
		case jbvString:
			return VDB_TAG_IS_STRING;
		case jbvBinary:
			return JsonContainerIsArray(value->val.binary.data) ?
				VDB_TAG_IS_ARRAY :
				VDB_TAG_IS_OBJECT;
		default:
			return 0;
	}
}

/* The order that the index has. */
int
vdb_key_compare(const VdbKey *a, const VdbKey *b)
{
	int			cmp = memcmp(a->bytes, b->bytes, Min(a->len, b->len));

	return cmp != 0 ? cmp : a->len - b->len;
}

/* A palloc'd bytea. */
Datum
vdb_key_datum(const VdbKey *key)
{
	bytea	   *result = palloc(VARHDRSZ + key->len);

	SET_VARSIZE(result, VARHDRSZ + key->len);
	memcpy(VARDATA(result), key->bytes, key->len);
	return PointerGetDatum(result);
}

/* Can a path of the filter language name this key of an object? */
bool
vdb_key_is_addressable(const char *name, int len)
{
	return len > 0 && name[0] != '$' && memchr(name, '.', len) == NULL;
}

/*
 * The digits in groups of four, most significant first, behind a byte or
 * three for their exponent.  Negative numbers are the complement, and have one
 * byte more at the end, since there the shorter one is the greater.  False
 * if the number has more groups than fit, and shares its key with others.
 */
static bool
add_number(VdbKey *key, Numeric number)
{
	bytea	   *wire = DatumGetByteaP(DirectFunctionCall1(numeric_send,
														  NumericGetDatum(number)));
	const unsigned char *p = (unsigned char *) VARDATA(wire);
	int			ngroups = read_uint16(&p);
	int16		weight = (int16) read_uint16(&p);
	uint16		sign = read_uint16(&p);
	int			start = key->len;
	bool		is_complete = ngroups <= VDB_KEY_MAX_DIGITS;
	int			i;

	p += sizeof(uint16);		/* the display scale does not matter */
	if (ngroups == 0)
		add_byte(key, NUMBER_ZERO);
	else if (weight > MAX_SHORT_WEIGHT || weight < -MAX_SHORT_WEIGHT)
	{
		add_byte(key, weight > 0 ? NUMBER_LARGE : NUMBER_SMALL);
		add_uint16(key, (uint16) (weight - PG_INT16_MIN));
	}
	else
		add_byte(key, NUMBER_MIDDLE + weight);

	for (i = 0; i < Min(ngroups, VDB_KEY_MAX_DIGITS); i++)
		add_uint16(key, read_uint16(&p) + DIGITS_OFFSET);
	if (!is_complete)
		add_byte(key, NUMBER_GOES_ON);

	if (sign == WIRE_NEGATIVE)
	{
		if (is_complete)
			add_byte(key, NUMBER_ENDS);
		for (i = start; i < key->len; i++)
			key->bytes[i] = ~key->bytes[i];
	}
	pfree(wire);
	return is_complete;
}

/*
 * The string itself, or its beginning and a hash of all of it.  False in the
 * second case.
 */
static bool
add_string(VdbKey *key, const JsonbValue *value)
{
	const char *str = value->val.string.val;
	int			len = value->val.string.len;

	add_bytes(key, str, Min(len, VDB_KEY_MAX_STRING));
	if (len <= VDB_KEY_MAX_STRING)
		return true;
	add_uint32(key, hash_bytes((const unsigned char *) str, len));
	return false;
}

/*
 * A hash.  Whole values have few bits: there may be one in each document,
 * seldom looked for, and what shares a key takes less space.
 */
static void
add_container(VdbKey *key, JsonbContainer *container, bool is_element)
{
	uint32		hash = hash_container(container);

	if (is_element)
		add_uint32(key, hash);
	else
		add_uint16(key, (uint16) (hash ^ (hash >> 16)));
}

/* A hash that is the same for equal arrays and for equal objects. */
static uint32
hash_container(JsonbContainer *container)
{
	JsonbIterator *it = JsonbIteratorInit(container);
	JsonbIteratorToken token;
	JsonbValue	value;
	uint32		hash = 0;
	int			ntokens = 0;

	while (ntokens++ < MAX_HASHED_TOKENS &&
		   (token = JsonbIteratorNext(&it, &value, false)) != WJB_DONE)
	{
		if (token == WJB_KEY || token == WJB_VALUE || token == WJB_ELEM)
			JsonbHashScalarValue(&value, &hash);
		else
			hash = hash_combine(hash, (uint32) token);
	}

	while (it)
	{
		JsonbIterator *parent = it->parent;

		pfree(it);
		it = parent;
	}
	return hash;
}

static void
add_byte(VdbKey *key, unsigned char byte)
{
	Assert(key->len < (int) sizeof(key->bytes));
	key->bytes[key->len++] = byte;
}

static void
add_bytes(VdbKey *key, const void *bytes, int len)
{
	Assert(key->len + len <= (int) sizeof(key->bytes));
	memcpy(key->bytes + key->len, bytes, len);
	key->len += len;
}

/* most significant byte first, so that bytes compare as numbers do */
static void
add_uint16(VdbKey *key, uint16 value)
{
	add_byte(key, value >> 8);
	add_byte(key, value & 0xFF);
}

static void
add_uint32(VdbKey *key, uint32 value)
{
	add_uint16(key, value >> 16);
	add_uint16(key, value & 0xFFFF);
}

static uint16
read_uint16(const unsigned char **wire)
{
	uint16		value = ((*wire)[0] << 8) | (*wire)[1];

	*wire += sizeof(uint16);
	return value;
}
