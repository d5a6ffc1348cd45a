/*-------------------------------------------------------------------------
 *
 * quant_float_template.h
 *	  Template: the float kernels of the quantize room for one SIMD level.
 *
 * Included once per level; no include guard.  The including file defines,
 * and quant_int_template.h, which follows, #undefs at its end:
 *
 *	  QK_LEVEL		tag of the level in names
 *	  QK_TARGET		attribute that allows the level's instructions, or empty
 *	  QK_LANES		floats in a vector: 1, 4, 8 or 16
 *	  QK_VEC		float, or a vector type of QK_LANES floats, any alignment
 *	  QK_IVEC		the same of int32 (for QK_LANES 1: int32)
 *	  QK_MAX(a, b), QK_MIN(a, b)	lane by lane; no lane is a NaN
 *	  QK_LOAD_HALF(p), QK_STORE_HALF(p, v)	float16 in memory
 *	  QK_LOAD_INT8(p)	int8 in memory, widened to QK_VEC
 *	  QK_STORE_INT8(p, i), QK_STORE_INT16(p, i)	from QK_IVEC, values in range
 *	  QK_HADAMARD(v)	the Hadamard transform within a vector: first the
 *					sums and differences of neighbours, then of pairs, ...
 *
 * Bits do not depend on the level (Q1): element-wise operations are the same
 * everywhere, and a sum has 32 lanes, element i in lane i mod 32, which are
 * folded by halves.  The compiler must not contract (-ffp-contract=off).
 *
 *-------------------------------------------------------------------------
 */
#define QK_PASTE_(what, level) what##_##level
#define QK_PASTE(what, level) QK_PASTE_(what, level)
#define QK_NAME(what) QK_PASTE(what, QK_LEVEL)
#define QK_INLINE static inline __attribute__((always_inline)) QK_TARGET

#define QK_LOAD(p) (*(const QK_VEC *) (p))
#define QK_STORE(p, v) (*(QK_VEC *) (p) = (v))

/*
 * QK_ALL(op) runs op(number of the vector) on the vectors of 32 lanes, with
 * literal numbers, since gcc 12 keeps arrays with other indexes in memory.
 */
#define QK_VECS (32 / QK_LANES)
#if QK_LANES == 1
#define QK_ALL(op) for (int lane = 0; lane < 32; lane++) op(lane)
#define QK_ABS(v) fabsf(v)
#define QK_TRUNCATE(v) ((int32) (v))
#define QK_TO_FLOAT(i) ((float) (i))
#define QK_IS_POSITIVE(v) ((v) > 0)
#else
#if QK_LANES == 16
#define QK_ALL(op) op(0) op(1)
#elif QK_LANES == 8
#define QK_ALL(op) op(0) op(1) op(2) op(3)
#elif QK_LANES == 4
#define QK_ALL(op) op(0) op(1) op(2) op(3) op(4) op(5) op(6) op(7)
#endif
#define QK_ABS(v) ((QK_VEC) ((QK_IVEC) (v) & 0x7fffffff))
#define QK_TRUNCATE(v) __builtin_convertvector((v), QK_IVEC)
#define QK_TO_FLOAT(i) __builtin_convertvector((i), QK_VEC)
#define QK_IS_POSITIVE(v) (-(QK_IVEC) ((v) > 0))
#endif

/* Position of vector v of the block at i */
#define QK_AT(p, v) ((p) + i + (v) * QK_LANES)

/* Runs op on all vectors of n elements. */
#define QK_FOR_ALL(op) \
	do { \
		for (int i = 0; i < n; i += 32) \
		{ \
			QK_ALL(op) \
		} \
	} while (0)

/*
 * The sum of 32 lanes.
 */
QK_INLINE float
QK_NAME(fold)(float *lanes)
{
	for (int half = 16; half > 0; half /= 2)
	{
		for (int i = 0; i < half; i++)
			lanes[i] += lanes[i + half];
	}
	return lanes[0];
}

/*
 * Sets result to the sum of the lanes of the array of accumulators acc.  Each
 * is stored by its literal number, so that they stay in registers before.
 */
#define QK_SUM(result, sums) \
	do { \
		const QK_VEC *const acc_ = (sums); \
		float		lanes[32]; \
		QK_ALL(QK_STORE_LANES) \
		(result) = QK_NAME(fold) (lanes); \
	} while (0)
#define QK_STORE_LANES(v) { QK_STORE(lanes + (v) * QK_LANES, acc_[v]); }

QK_TARGET static void
QK_NAME(flip)(int n, float *x, const uint32 *signs)
{
	for (int base = 0; base < n; base += 512, signs += 16)
	{
		int			rows = Min(32, (n - base) / 16);

		for (int lane = 0; lane < 16; lane += QK_LANES)
		{
			QK_IVEC		word = *(const QK_IVEC *) (signs + lane);
			float	   *p = x + base + lane;

			for (int row = 0; row < rows; row++, p += 16)
				*(QK_IVEC *) p ^= (word << (31 - row)) & (int32) 0x80000000;
		}
	}
}

/*
 * Sums and differences at distances 1, 2, 4, ...: within vectors, then two
 * distances at a time while that is possible.
 */
QK_TARGET static void
QK_NAME(hadamard)(int n, float *x, float scale)
{
	int			h = QK_LANES;

	for (int i = 0; i < n; i += QK_LANES)
	{
		QK_VEC		v = QK_LOAD(x + i) * scale;

		QK_STORE(x + i, QK_HADAMARD(v));
	}
	for (; h * 4 <= n; h *= 4)
	{
		for (int base = 0; base < n; base += 4 * h)
		{
			for (float *p = x + base; p < x + base + h; p += QK_LANES)
			{
				QK_VEC		a = QK_LOAD(p) + QK_LOAD(p + h);
				QK_VEC		b = QK_LOAD(p) - QK_LOAD(p + h);
				QK_VEC		c = QK_LOAD(p + 2 * h) + QK_LOAD(p + 3 * h);
				QK_VEC		d = QK_LOAD(p + 2 * h) - QK_LOAD(p + 3 * h);

				QK_STORE(p, a + c);
				QK_STORE(p + h, b + d);
				QK_STORE(p + 2 * h, a - c);
				QK_STORE(p + 3 * h, b - d);
			}
		}
	}
	if (h < n)
	{
		for (float *p = x; p < x + h; p += QK_LANES)
		{
			QK_VEC		a = QK_LOAD(p);
			QK_VEC		b = QK_LOAD(p + h);

			QK_STORE(p, a + b);
			QK_STORE(p + h, a - b);
		}
	}
}

QK_TARGET static void
QK_NAME(mix)(int n, float *x)
{
	const float root = 0.70710678118654752440f;
	int			half = n / 2;

	for (int i = 0; i < half; i += QK_LANES)
	{
		QK_VEC		a = QK_LOAD(x + i);
		QK_VEC		b = QK_LOAD(x + half + i);

		QK_STORE(x + i, (a + b) * root);
		QK_STORE(x + half + i, (a - b) * root);
	}
}

QK_TARGET static float
QK_NAME(max_abs)(int n, const float *x)
{
	QK_VEC		acc[QK_VECS] = {0};
	float		lanes[32];
	float		result = 0;

#define QK_OP(v) { acc[v] = QK_MAX(acc[v], QK_ABS(QK_LOAD(QK_AT(x, v)))); }
	QK_FOR_ALL(QK_OP);
#undef QK_OP
#define QK_OP(v) { QK_STORE(lanes + (v) * QK_LANES, acc[v]); }
	QK_ALL(QK_OP)
#undef QK_OP
	for (int i = 0; i < 32; i++)
		result = Max(result, lanes[i]);
	return result;
}

/*
 * Adding and subtracting 1.5 * 2^23 rounds to an integer.
 */
#define QK_ROUND(v) QK_TRUNCATE(((v) + 12582912.0f) - 12582912.0f)

QK_TARGET static void
QK_NAME(to_int8)(int n, const float *x, float scale, int8 *out)
{
	for (int i = 0; i < n; i += QK_LANES)
		QK_STORE_INT8(out + i, QK_ROUND(QK_LOAD(x + i) * scale));
}

QK_TARGET static void
QK_NAME(to_int16)(int n, const float *x, float scale, int16 *out)
{
	for (int i = 0; i < n; i += QK_LANES)
		QK_STORE_INT16(out + i, QK_ROUND(QK_LOAD(x + i) * scale));
}

QK_TARGET static void
QK_NAME(to_half)(int n, const float *x, float scale, uint16 *out)
{
	for (int i = 0; i < n; i += QK_LANES)
		QK_STORE_HALF(out + i, QK_LOAD(x + i) * scale);
}

QK_TARGET static void
QK_NAME(from_int8)(int n, const int8 *v, float scale, float *out)
{
	for (int i = 0; i < n; i += QK_LANES)
		QK_STORE(out + i, QK_LOAD_INT8(v + i) * scale);
}

QK_TARGET static void
QK_NAME(from_half)(int n, const uint16 *h, float scale, float *out)
{
	for (int i = 0; i < n; i += QK_LANES)
		QK_STORE(out + i, QK_LOAD_HALF(h + i) * scale);
}

/* Adds the square of a difference to accumulator v. */
#define QK_SQUARE_OF(v, difference) \
	{ \
		QK_VEC		diff = (difference); \
		acc[v] += diff * diff; \
	}

QK_TARGET static float
QK_NAME(l2sq_half)(int n, const float *q, const uint16 *h, float scale)
{
	QK_VEC		acc[QK_VECS] = {0};
	float		result;

#define QK_OP(v) \
	QK_SQUARE_OF(v, QK_LOAD(QK_AT(q, v)) - QK_LOAD_HALF(QK_AT(h, v)) * scale)
	QK_FOR_ALL(QK_OP);
#undef QK_OP
	QK_SUM(result, acc);
	return result;
}

QK_TARGET static float
QK_NAME(l2sq_halves)(int n, const uint16 *a, const uint16 *b, float ratio)
{
	QK_VEC		acc[QK_VECS] = {0};
	float		result;

#define QK_OP(v) \
	QK_SQUARE_OF(v, QK_LOAD_HALF(QK_AT(a, v)) - QK_LOAD_HALF(QK_AT(b, v)) * ratio)
	QK_FOR_ALL(QK_OP);
#undef QK_OP
	QK_SUM(result, acc);
	return result;
}

/* Adds a magnitude to accumulator v. */
#define QK_MAGNITUDE_OF(v, difference) \
	{ \
		QK_VEC		diff = (difference); \
		acc[v] += QK_ABS(diff); \
	}

QK_TARGET static float
QK_NAME(l1_half)(int n, const float *q, const uint16 *h, float scale)
{
	QK_VEC		acc[QK_VECS] = {0};
	float		result;

#define QK_OP(v) \
	QK_MAGNITUDE_OF(v, QK_LOAD(QK_AT(q, v)) - QK_LOAD_HALF(QK_AT(h, v)) * scale)
	QK_FOR_ALL(QK_OP);
#undef QK_OP
	QK_SUM(result, acc);
	return result;
}

QK_TARGET static float
QK_NAME(l1_halves)(int n, const uint16 *a, const uint16 *b, float ratio)
{
	QK_VEC		acc[QK_VECS] = {0};
	float		result;

#define QK_OP(v) \
	QK_MAGNITUDE_OF(v, QK_LOAD_HALF(QK_AT(a, v)) - QK_LOAD_HALF(QK_AT(b, v)) * ratio)
	QK_FOR_ALL(QK_OP);
#undef QK_OP
	QK_SUM(result, acc);
	return result;
}

QK_TARGET static float
QK_NAME(ip_half)(int n, const float *q, const uint16 *h)
{
	QK_VEC		acc[QK_VECS] = {0};
	float		result;

#define QK_OP(v) { acc[v] += QK_LOAD(QK_AT(q, v)) * QK_LOAD_HALF(QK_AT(h, v)); }
	QK_FOR_ALL(QK_OP);
#undef QK_OP
	QK_SUM(result, acc);
	return result;
}

QK_TARGET static float
QK_NAME(ip_halves)(int n, const uint16 *a, const uint16 *b)
{
	QK_VEC		acc[QK_VECS] = {0};
	float		result;

#define QK_OP(v) { acc[v] += QK_LOAD_HALF(QK_AT(a, v)) * QK_LOAD_HALF(QK_AT(b, v)); }
	QK_FOR_ALL(QK_OP);
#undef QK_OP
	QK_SUM(result, acc);
	return result;
}

QK_TARGET static float
QK_NAME(ip)(int n, const float *a, const float *b)
{
	QK_VEC		acc[QK_VECS] = {0};
	float		result;

#define QK_OP(v) { acc[v] += QK_LOAD(QK_AT(a, v)) * QK_LOAD(QK_AT(b, v)); }
	QK_FOR_ALL(QK_OP);
#undef QK_OP
	QK_SUM(result, acc);
	return result;
}

QK_TARGET static float
QK_NAME(residual)(int n, const float *x, float scale, const float *c, float *r)
{
	QK_VEC		acc[QK_VECS] = {0};
	float		result;

#define QK_OP(v) \
	{ \
		QK_VEC		diff = QK_LOAD(QK_AT(x, v)) * scale - QK_LOAD(QK_AT(c, v)); \
		QK_STORE(QK_AT(r, v), diff); \
		acc[v] += diff * diff; \
	}
	QK_FOR_ALL(QK_OP);
#undef QK_OP
	QK_SUM(result, acc);
	return result;
}

/* Adds the terms of y of vector number v to the three sums. */
#define QK_ADD_CODE(v, level, zero) \
	{ \
		QK_IVEC		code = (level); \
		QK_VEC		y = QK_TO_FLOAT(code) - (zero); \
		QK_STORE_INT8((int8 *) QK_AT(u, v), code); \
		acc_yr[v] += y * QK_LOAD(QK_AT(r, v)); \
		acc_yc[v] += y * QK_LOAD(QK_AT(c, v)); \
		acc_yy[v] += y * y; \
	}

QK_TARGET static VdbCodeSums
QK_NAME(code_signs)(int n, const float *r, const float *c, uint8 *u)
{
	QK_VEC		acc_yr[QK_VECS] = {0};
	QK_VEC		acc_yc[QK_VECS] = {0};
	QK_VEC		acc_yy[QK_VECS] = {0};
	VdbCodeSums sums;

#define QK_OP(v) QK_ADD_CODE(v, QK_IS_POSITIVE(QK_LOAD(QK_AT(r, v))), 0.5f)
	QK_FOR_ALL(QK_OP);
#undef QK_OP
	QK_SUM(sums.yr, acc_yr);
	QK_SUM(sums.yc, acc_yc);
	QK_SUM(sums.yy, acc_yy);
	return sums;
}

QK_TARGET static VdbCodeSums
QK_NAME(code_levels)(int n, const float *r, const float *c, float scale,
					 float z, uint8 *u)
{
	QK_VEC		acc_yr[QK_VECS] = {0};
	QK_VEC		acc_yc[QK_VECS] = {0};
	QK_VEC		acc_yy[QK_VECS] = {0};
	QK_VEC		least = {0};
	QK_VEC		most = least + 2 * z;
	VdbCodeSums sums;

#define QK_OP(v) \
	{ \
		QK_VEC		t = QK_LOAD(QK_AT(r, v)) * scale + (z + 0.5f); \
		t = QK_MIN(QK_MAX(t, least), most); \
		QK_ADD_CODE(v, QK_TRUNCATE(t), z) \
	}
	QK_FOR_ALL(QK_OP);
#undef QK_OP
	QK_SUM(sums.yr, acc_yr);
	QK_SUM(sums.yc, acc_yc);
	QK_SUM(sums.yy, acc_yy);
	return sums;
}
