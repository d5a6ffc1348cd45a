/*-------------------------------------------------------------------------
 *
 * quant_scalar.c
 *	  Kernels of the quantize room in plain C, for every CPU and compiler.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include <math.h>

#include "quant_half.h"
#include "quant_kernels.h"

/* Eight bytes of a code */
typedef struct Code8
{
	uint8		byte[8];
} Code8;

/* Eight elements, widened */
typedef struct Words8
{
	int16		word[8];
} Words8;

static inline uint16
load_half_bits(const uint16 *p)
{
	uint16		half;

	memcpy(&half, p, sizeof(half));
	return half;
}

static inline void
store_half(uint16 *p, float value)
{
	uint16		half = vdb_half_from_float(value);

	memcpy(p, &half, sizeof(half));
}

static inline Code8
load_code(const uint8 *p)
{
	Code8		code;

	memcpy(&code, p, sizeof(code));
	return code;
}

static inline Code8
code_field(Code8 code, int shift, int mask)
{
	for (int i = 0; i < 8; i++)
		code.byte[i] = (code.byte[i] >> shift) & mask;
	return code;
}

static inline int32
madd_code(int32 sum, Code8 code, const int8 *p)
{
	for (int i = 0; i < 8; i++)
		sum += code.byte[i] * p[i];
	return sum;
}

static inline Words8
load_words(const int16 *p)
{
	Words8		words;

	memcpy(&words, p, sizeof(words));
	return words;
}

static inline Words8
load_bytes(const int8 *p)
{
	Words8		words;

	for (int i = 0; i < 8; i++)
		words.word[i] = p[i];	/* NOLINT(bugprone-signed-char-misuse): a number */
	return words;
}

static inline int64
madd_words(int64 sum, Words8 a, Words8 b)
{
	int32		part = 0;

	for (int i = 0; i < 8; i++)
		part += a.word[i] * b.word[i];
	return sum + part;
}

#define QK_LEVEL scalar
#define QK_TARGET
#define QK_LANES 1
#define QK_VEC float
#define QK_IVEC int32
#define QK_MAX(a, b) ((a) > (b) ? (a) : (b))
#define QK_MIN(a, b) ((a) < (b) ? (a) : (b))
#define QK_LOAD_HALF(p) vdb_half_to_float(load_half_bits(p))
#define QK_STORE_HALF(p, v) store_half(p, v)
#define QK_LOAD_INT8(p) ((float) *(p))
#define QK_STORE_INT8(p, i) (*(p) = (int8) (i))
#define QK_STORE_INT16(p, i) (*(p) = (int16) (i))
#define QK_HADAMARD(v) (v)
#include "quant_float_template.h"

#define QK_BYTES 8
#define QK_CODE Code8
#define QK_LOAD_CODE(p) load_code(p)
#define QK_LOAD_CODE_PART(p, n) load_code(p)
#define QK_FIELD(c, shift, mask) code_field(c, shift, mask)
#define QK_SHORT int32
#define QK_MADD(s, u, p) madd_code(s, u, p)
#define QK_LONG int64
#define QK_WIDEN(l, s) ((l) + (s))
#define QK_ZERO_SHORT 0
#define QK_ZERO_LONG 0
#define QK_SUM_LONG(l) ((int32) (l))
#define QK_WORDS 8
#define QK_LOAD_WORDS(p) load_words(p)
#define QK_LOAD_BYTES(p) load_bytes(p)
#define QK_MADD_WORDS(l, a, b) madd_words(l, a, b)
#define QK_SUM_LONG_64(l) (l)
#include "quant_int_template.h"
