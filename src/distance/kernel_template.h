/*-------------------------------------------------------------------------
 *
 * kernel_template.h
 *	  Template: the four distance kernels for one element type and SIMD level.
 *
 * Included once per {element type, level}; no include guard.  The including
 * file defines, and this file #undefs at its end:
 *
 *	  DK_TYPE		tag of the element type in names (f32, f16)
 *	  DK_LEVEL		tag of the level in names (scalar, avx2, ...)
 *	  DK_ELEM		element type in memory
 *	  DK_TARGET		attribute that allows the level's instructions, or empty
 *	  DK_LANES		floats in one DK_VEC: 1, 4, 8 or 16
 *	  DK_ACCS		independent accumulators, 4 or 16
 *	  DK_VEC		float, or a vector type of DK_LANES floats
 *	  DK_PREFETCH	optional: bytes of a to prefetch ahead in the main loop
 *	  DK_LOAD(p)	DK_LANES elements from address p, widened to DK_VEC
 *	  DK_COSINE_ONLY, DK_NO_COSINE	optional: leave out the other kernels, or it
 *	  DK_SHORT		table of kernels for arrays of less than DK_LANES elements (unless
 *					DK_LANES is 1)
 *
 * p is any address: it need not be aligned, not even to DK_ELEM.  Another
 * element type needs DK_TYPE, DK_ELEM, DK_LOAD and its own scalar kernels.
 *
 * No overread.  A remainder of less than one DK_VEC is loaded as the LAST
 * DK_LANES elements of the array, whose lanes that were counted already are
 * masked to zero; zero lanes on both sides add +0 to every sum.  An array
 * shorter than that is left to the scalar kernel: gathering it costs 18 ns,
 * the scalar kernel 3.
 *
 * Accuracy.  Let u = 2^-24, P = DK_LANES * DK_ACCS >= 16, t_i the exact terms
 * of a sum.  A term passes through at most 3 roundings of its own (the
 * difference counts twice when squared, then the product), ceil(dim/P) + 1
 * additions in its lane, and log2(P) <= 6 additions when the lanes are
 * combined.  A factor (1 + e), |e| <= u, for each gives
 *
 *	  |computed - exact| <= (dim/16 + 12) * u * sum |t_i|
 *
 * for every kernel, level and dim <= 16000 (second-order terms are below the
 * slack of 1 that the rounding of the constants leaves), as long as nothing
 * overflows; terms that underflow add at most 2^-149 each.  Fused
 * multiply-adds only drop roundings.  test/unit/test_kernels.c asserts it.
 *
 *-------------------------------------------------------------------------
 */
#if DK_LANES * DK_ACCS < 16 || DK_LANES * DK_ACCS > 64
#error "the accuracy bound above assumes 16 to 64 independent lanes"
#endif

#define DK_PASTE_(prefix, what, type, level) prefix##what##_##type##_##level
#define DK_PASTE(prefix, what, type, level) DK_PASTE_(prefix, what, type, level)
#define DK_NAME(what) DK_PASTE(, what, DK_TYPE, DK_LEVEL)
#define DK_INLINE static inline __attribute__((always_inline)) DK_TARGET

#define DK_STRIDE (DK_LANES * DK_ACCS)

#if DK_LANES > 1

/*
 * DK_LANES words from position 16 - DK_LANES + rem on: all ones in the last
 * rem of them.
 */
#ifndef DK_MASK_TABLE
#define DK_MASK_TABLE
static const int32 dk_mask_table[32] = {
	0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0,
	-1, -1, -1, -1, -1, -1, -1, -1, -1, -1, -1, -1, -1, -1, -1, -1
};
#endif

#define DK_IVEC DK_NAME(DkBits)
typedef int32 DK_IVEC __attribute__((vector_size(DK_LANES * 4), aligned(4), may_alias));

/*
 * Returns the last rem elements of p[0 .. n-1] in the last lanes and zero in
 * the others.  0 < rem < DK_LANES <= n.
 */
DK_INLINE DK_VEC
DK_NAME(load_rest)(const DK_ELEM *p, Size n, Size rem)
{
	DK_VEC		last = DK_LOAD(p + n - DK_LANES);

	return (DK_VEC) ((DK_IVEC) last &
					 *(const DK_IVEC *) (dk_mask_table + 16 - DK_LANES + rem));
}

/*
 * The sum of the lanes of v, by halves.
 */
DK_INLINE float
DK_NAME(sum_lanes)(DK_VEC v)
{
	VdbFloat4	q;

#if DK_LANES == 16
	VdbFloat8	h[2];
	VdbFloat4	r[2];

	memcpy(h, &v, sizeof(h));
	h[0] += h[1];
	memcpy(r, &h[0], sizeof(r));
	q = r[0] + r[1];
#elif DK_LANES == 8
	VdbFloat4	r[2];

	memcpy(r, &v, sizeof(r));
	q = r[0] + r[1];
#else
	q = v;
#endif
	return (q[0] + q[2]) + (q[1] + q[3]);
}

#define DK_ABS(v) ((DK_VEC) ((DK_IVEC) (v) & 0x7fffffff))
#define DK_SUM_LANES(v) DK_NAME(sum_lanes) (v)
#define DK_LEAVE_SHORT(what) \
	do { \
		if (dim < DK_LANES) \
			return DK_SHORT.what(dim, a, b); \
	} while (0)
#define DK_REST(step) \
	do { \
		if (i < n) \
			step(0, DK_NAME(load_rest) (a, n, n - i), \
				 DK_NAME(load_rest) (b, n, n - i)); \
	} while (0)

#else							/* DK_LANES == 1 */

#define DK_ABS(v) fabsf(v)
#define DK_SUM_LANES(v) (v)
#define DK_REST(step) ((void) 0)
#define DK_LEAVE_SHORT(what) ((void) 0)

#endif

/*
 * Accumulator numbers must be literal constants, else gcc 12 keeps the arrays
 * on the stack; hence repetition by macro instead of by loop.
 */
#define DK_EACH_4(op, step, n) \
	op(step, (n)) op(step, (n) + 1) op(step, (n) + 2) op(step, (n) + 3)
#define DK_SUM_4(acc, n) \
	(((acc)[n] + (acc)[(n) + 2]) + ((acc)[(n) + 1] + (acc)[(n) + 3]))
#if DK_ACCS == 4
#define DK_EACH(op, step) DK_EACH_4(op, step, 0)
#define DK_SUM(acc) DK_SUM_LANES(DK_SUM_4(acc, 0))
#elif DK_ACCS == 16
#define DK_EACH(op, step) \
	DK_EACH_4(op, step, 0) DK_EACH_4(op, step, 4) \
	DK_EACH_4(op, step, 8) DK_EACH_4(op, step, 12)
#define DK_SUM(acc) \
	DK_SUM_LANES((DK_SUM_4(acc, 0) + DK_SUM_4(acc, 4)) + \
				 (DK_SUM_4(acc, 8) + DK_SUM_4(acc, 12)))
#endif

/*
 * Reaches beyond the array, which is harmless and useful where rows follow
 * each other.
 */
#ifdef DK_PREFETCH
#define DK_PREFETCH_AHEAD(p) __builtin_prefetch((const char *) (p) + DK_PREFETCH)
#else
#define DK_PREFETCH_AHEAD(p) ((void) 0)
#endif

#define DK_FULL(step, u) \
	DK_PREFETCH_AHEAD(a + i + (u) * DK_LANES); \
	step(u, DK_LOAD(a + i + (u) * DK_LANES), DK_LOAD(b + i + (u) * DK_LANES));
#define DK_PARTIAL(step, u) \
	if (i + DK_LANES <= n) \
	{ \
		step(u, DK_LOAD(a + i), DK_LOAD(b + i)); \
		i += DK_LANES; \
	}

/*
 * Runs step(accumulator number, lanes of a, lanes of b) over all elements.
 */
#define DK_FOR_ALL(step) \
	do { \
		const Size	n = dim; \
		Size		i = 0; \
		for (; i + DK_STRIDE <= n; i += DK_STRIDE) \
		{ \
			DK_EACH(DK_FULL, step) \
		} \
		DK_EACH(DK_PARTIAL, step) \
		DK_REST(step); \
	} while (0)

#ifndef DK_COSINE_ONLY

/* Squared Euclidean distance */
DK_TARGET static float
DK_NAME(l2sq)(int dim, const DK_ELEM *a, const DK_ELEM *b)
{
	DK_VEC		acc[DK_ACCS] = {0};

#define DK_STEP(u, x, y) \
	do { \
		DK_VEC		diff = (x) - (y); \
		acc[u] += diff * diff; \
	} while (0)
	DK_LEAVE_SHORT(l2sq);
	DK_FOR_ALL(DK_STEP);
#undef DK_STEP
	return DK_SUM(acc);
}

/* Inner product */
DK_TARGET static float
DK_NAME(ip)(int dim, const DK_ELEM *a, const DK_ELEM *b)
{
	DK_VEC		acc[DK_ACCS] = {0};

#define DK_STEP(u, x, y) acc[u] += (x) * (y)
	DK_LEAVE_SHORT(ip);
	DK_FOR_ALL(DK_STEP);
#undef DK_STEP
	return DK_SUM(acc);
}

/* Taxicab distance */
DK_TARGET static float
DK_NAME(l1)(int dim, const DK_ELEM *a, const DK_ELEM *b)
{
	DK_VEC		acc[DK_ACCS] = {0};

#define DK_STEP(u, x, y) \
	do { \
		DK_VEC		diff = (x) - (y); \
		acc[u] += DK_ABS(diff); \
	} while (0)
	DK_LEAVE_SHORT(l1);
	DK_FOR_ALL(DK_STEP);
#undef DK_STEP
	return DK_SUM(acc);
}

#endif							/* DK_COSINE_ONLY */

#ifndef DK_NO_COSINE

/*
 * Inner product and both squared norms: one pass, but three where the lanes
 * are scalars, because compilers vectorise 16 accumulators and not 48.
 */
DK_TARGET static VdbCosineSums
DK_NAME(cosine)(int dim, const DK_ELEM *a, const DK_ELEM *b)
{
	VdbCosineSums sums;

#if DK_LANES == 1
	sums.dot = DK_NAME(ip)(dim, a, b);
	sums.norm_a = DK_NAME(ip)(dim, a, a);
	sums.norm_b = DK_NAME(ip)(dim, b, b);
#else
	DK_VEC		dot[DK_ACCS] = {0};
	DK_VEC		norm_a[DK_ACCS] = {0};
	DK_VEC		norm_b[DK_ACCS] = {0};

#define DK_STEP(u, x, y) \
	do { \
		DK_VEC		xs = (x); \
		DK_VEC		ys = (y); \
		dot[u] += xs * ys; \
		norm_a[u] += xs * xs; \
		norm_b[u] += ys * ys; \
	} while (0)
	DK_LEAVE_SHORT(cosine);
	DK_FOR_ALL(DK_STEP);
#undef DK_STEP
	sums.dot = DK_SUM(dot);
	sums.norm_a = DK_SUM(norm_a);
	sums.norm_b = DK_SUM(norm_b);
#endif
	return sums;
}

#endif							/* DK_NO_COSINE */

#undef DK_ABS
#undef DK_SUM_LANES
#undef DK_REST
#undef DK_LEAVE_SHORT
#undef DK_SHORT
#undef DK_FOR_ALL
#undef DK_FULL
#undef DK_PARTIAL
#undef DK_PREFETCH
#undef DK_COSINE_ONLY
#undef DK_NO_COSINE
#undef DK_PREFETCH_AHEAD
#undef DK_EACH
#undef DK_EACH_4
#undef DK_SUM
#undef DK_SUM_4
#undef DK_IVEC
#undef DK_STRIDE
#undef DK_INLINE
#undef DK_NAME
#undef DK_PASTE
#undef DK_PASTE_
#undef DK_TYPE
#undef DK_LEVEL
#undef DK_ELEM
#undef DK_TARGET
#undef DK_LANES
#undef DK_ACCS
#undef DK_VEC
#undef DK_LOAD
