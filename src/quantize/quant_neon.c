/*-------------------------------------------------------------------------
 *
 * quant_neon.c
 *	  Kernels of the quantize room for arm64, where NEON and its float16
 *	  conversions are part of the baseline.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "quant_kernels.h"

#ifdef VDB_HAVE_NEON_KERNELS

#include <arm_neon.h>

#define INLINE static inline __attribute__((always_inline))

typedef float Floats4 __attribute__((vector_size(16), aligned(1), may_alias));
typedef int32 Ints4 __attribute__((vector_size(16), aligned(1), may_alias));

INLINE float32x4_t
load_half(const uint16 *p)
{
	return vcvt_f32_f16(vreinterpret_f16_u8(vld1_u8((const uint8 *) p)));
}

INLINE void
store_half(uint16 *p, float32x4_t v)
{
	vst1_u8((uint8 *) p, vreinterpret_u8_f16(vcvt_f16_f32(v)));
}

INLINE float32x4_t
load_int8(const int8 *p)
{
	int32		four;

	memcpy(&four, p, sizeof(four));
	return vcvtq_f32_s32(vmovl_s16(vget_low_s16(vmovl_s8(vcreate_s8((uint32) four)))));
}

INLINE void
store_int8(int8 *p, int32x4_t i)
{
	int16x4_t	words = vmovn_s32(i);
	int8x8_t	bytes = vmovn_s16(vcombine_s16(words, words));
	int32		four = vget_lane_s32(vreinterpret_s32_s8(bytes), 0);

	memcpy(p, &four, sizeof(four));
}

INLINE void
store_int16(int16 *p, int32x4_t i)
{
	vst1_s16(p, vmovn_s32(i));
}

/*
 * One step: the sum of each element and its partner, and the difference where
 * odd has the sign bit set.
 */
INLINE float32x4_t
hadamard_step(float32x4_t v, float32x4_t partner, uint32x4_t odd)
{
	uint32x4_t	bits = veorq_u32(vreinterpretq_u32_f32(v), odd);

	return vaddq_f32(partner, vreinterpretq_f32_u32(bits));
}

INLINE float32x4_t
hadamard(float32x4_t v)
{
	const uint32x4_t odd1 = {0, 0x80000000, 0, 0x80000000};
	const uint32x4_t odd2 = {0, 0, 0x80000000, 0x80000000};

	v = hadamard_step(v, vrev64q_f32(v), odd1);
	return hadamard_step(v, vextq_f32(v, v, 2), odd2);
}

INLINE int16x8_t
madd_code(int16x8_t sum, uint8x16_t code, const int8 *p)
{
	int8x16_t	u = vreinterpretq_s8_u8(code);
	int8x16_t	q = vld1q_s8(p);

	return vmlal_s8(vmlal_s8(sum, vget_low_s8(u), vget_low_s8(q)),
					vget_high_s8(u), vget_high_s8(q));
}

INLINE int32x4_t
madd_words(int32x4_t sum, int16x8_t a, int16x8_t b)
{
	return vmlal_s16(vmlal_s16(sum, vget_low_s16(a), vget_low_s16(b)),
					 vget_high_s16(a), vget_high_s16(b));
}

#define QK_LEVEL neon
#define QK_TARGET
#define QK_LANES 4
#define QK_VEC Floats4
#define QK_IVEC Ints4
#define QK_MAX(a, b) ((QK_VEC) vmaxq_f32(a, b))
#define QK_MIN(a, b) ((QK_VEC) vminq_f32(a, b))
#define QK_LOAD_HALF(p) ((QK_VEC) load_half(p))
#define QK_STORE_HALF(p, v) store_half(p, v)
#define QK_LOAD_INT8(p) ((QK_VEC) load_int8(p))
#define QK_STORE_INT8(p, i) store_int8(p, (int32x4_t) (i))
#define QK_STORE_INT16(p, i) store_int16(p, (int32x4_t) (i))
#define QK_HADAMARD(v) ((QK_VEC) hadamard(v))
#include "quant_float_template.h"

#define QK_BYTES 16
#define QK_CODE uint8x16_t
#define QK_LOAD_CODE(p) vld1q_u8(p)
#define QK_LOAD_CODE_PART(p, n) vcombine_u8(vld1_u8(p), vdup_n_u8(0))
#define QK_FIELD(c, shift, mask) \
	vandq_u8(vshlq_u8(c, vdupq_n_s8(-(shift))), vdupq_n_u8(mask))
#define QK_SHORT int16x8_t
#define QK_MADD(s, u, p) madd_code(s, u, p)
#define QK_LONG int32x4_t
#define QK_WIDEN(l, s) vpadalq_s16(l, s)
#define QK_ZERO_SHORT vdupq_n_s16(0)
#define QK_ZERO_LONG vdupq_n_s32(0)
#define QK_SUM_LONG(l) vaddvq_s32(l)
#define QK_WORDS 8
#define QK_LOAD_WORDS(p) vld1q_s16(p)
#define QK_LOAD_BYTES(p) vmovl_s8(vld1_s8(p))
#define QK_MADD_WORDS(l, a, b) madd_words(l, a, b)
#define QK_SUM_LONG_64(l) vaddlvq_s32(l)
#include "quant_int_template.h"

#endif							/* VDB_HAVE_NEON_KERNELS */
