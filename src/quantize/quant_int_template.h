/*-------------------------------------------------------------------------
 *
 * quant_int_template.h
 *	  Template: the integer kernels of the quantize room for one SIMD level,
 *	  and the level's table of kernels.
 *
 * Included once per level behind quant_float_template.h; no include guard.
 * Beside that file's parameters the including file defines (all #undef'd at
 * the end of this file, with those of the other):
 *
 *	  QK_BYTES		bytes of a code that are worked on at once: 8, 16, 32, 64
 *	  QK_CODE		vector type of so many bytes
 *	  QK_LOAD_CODE(p), QK_LOAD_CODE_PART(p, n)	all bytes; n of them (n < QK_BYTES,
 *					a multiple of 8, nothing else is read), zeros behind
 *	  QK_FIELD(c, shift, mask)	each byte of c, shifted right, and mask
 *	  QK_SHORT		vector type of sums over one group of 64 bytes
 *	  QK_MADD(s, u, p)	s plus the products of the unsigned bytes u with the
 *					signed bytes at p, neighbouring ones added as the
 *					type needs
 *	  QK_LONG		vector type of int32 sums
 *	  QK_WIDEN(l, s)	l plus s
 *	  QK_ZERO_SHORT, QK_ZERO_LONG
 *	  QK_SUM_LONG(l)	the sum of the lanes, as int32
 *	  QK_WORDS		elements that the following work on at once, 8 to 32
 *	  QK_LOAD_WORDS(p)	int16 in memory
 *	  QK_LOAD_BYTES(p)	int8 in memory, widened to int16
 *	  QK_MADD_WORDS(l, a, b)	l plus the products, added as the type needs
 *	  QK_SUM_LONG_64(l)	the sum of the lanes, as int64
 *
 * and, where there is an instruction that adds products of unsigned and signed
 * bytes to int32 (QK_BYTES is 64 or less then):
 *
 *	  QK_DOT_BYTES(l, u, s)	l plus the products of u and s
 *	  QK_FILL_BYTES(b)	QK_CODE of equal bytes
 *	  QK_SUBTRACT_LONG(a, b)
 *
 * QK_SHORT may have lanes of 16 bits.  A product is at most 15 * 127 (4 bits),
 * 3 * 127 or 127; a group of 64 bytes has 2, 4 or 8 fields.  With lanes for b
 * bytes each, where b is 64 / (number of lanes), the sum of a group is at most
 * b * fields * product: for 8 lanes, the fewest, 8 * 2 * 15 * 127 = 30480.
 *
 * In dot_int16 a lane of QK_LONG, of 4 at least, sees n / 8 products of at most
 * 4095 * 127, the other half being in the other sum: 1.1e9 for n = 16384.
 *
 *-------------------------------------------------------------------------
 */

/*
 * The sums of the code rows for a number of bits.  bits is a constant where
 * this is inlined.
 */
QK_INLINE void
QK_NAME(sums)(VdbCodeRows rows, const int8 *q8, int32 *out, const int bits)
{
	const int	fields = 8 / bits;
	const int	mask = (1 << bits) - 1;

	for (int row = 0; row < rows.count; row++)
	{
		const uint8 *code = rows.first + row * rows.stride;
		const int8 *q = q8;
		QK_LONG		total = QK_ZERO_LONG;

		for (int left = rows.bytes; left > 0; left -= 64)
		{
			int			group = Min(left, 64);
			QK_SHORT	sum = QK_ZERO_SHORT;

			for (int at = 0; at < group; at += QK_BYTES)
			{
				QK_CODE		c = group - at >= QK_BYTES ?
					QK_LOAD_CODE(code + at) :
					QK_LOAD_CODE_PART(code + at, group - at);

#define QK_ADD_FIELD(f) \
				if (f < fields) \
					sum = QK_MADD(sum, QK_FIELD(c, (f) * bits, mask), \
								  q + (f) * group + at);
				QK_ADD_FIELD(0)
				QK_ADD_FIELD(1)
				QK_ADD_FIELD(2)
				QK_ADD_FIELD(3)
				QK_ADD_FIELD(4)
				QK_ADD_FIELD(5)
				QK_ADD_FIELD(6)
				QK_ADD_FIELD(7)
#undef QK_ADD_FIELD
			}
			total = QK_WIDEN(total, sum);
			code += group;
			q += group * fields;
		}
		out[row] = QK_SUM_LONG(total);
	}
}

QK_TARGET static void
QK_NAME(sums1)(VdbCodeRows rows, const int8 *q8, int32 *out)
{
	QK_NAME(sums)
	(rows, q8, out, 1);
}

QK_TARGET static void
QK_NAME(sums2)(VdbCodeRows rows, const int8 *q8, int32 *out)
{
	QK_NAME(sums)
	(rows, q8, out, 2);
}

QK_TARGET static void
QK_NAME(sums4)(VdbCodeRows rows, const int8 *q8, int32 *out)
{
	QK_NAME(sums)
	(rows, q8, out, 4);
}

QK_TARGET static int64
QK_NAME(dot_int16)(int n, const int16 *t, const int8 *v)
{
	QK_LONG		even = QK_ZERO_LONG;
	QK_LONG		odd = QK_ZERO_LONG;

	for (int i = 0; i < n; i += 2 * QK_WORDS)
	{
		even = QK_MADD_WORDS(even, QK_LOAD_WORDS(t + i), QK_LOAD_BYTES(v + i));
		odd = QK_MADD_WORDS(odd, QK_LOAD_WORDS(t + i + QK_WORDS),
							QK_LOAD_BYTES(v + i + QK_WORDS));
	}
	return QK_SUM_LONG_64(even) + QK_SUM_LONG_64(odd);
}

/*
 * By blocks of 512, of which a lane of QK_LONG sees 128: 128 * 4095^2 < 2^31.
 */
QK_TARGET static int64
QK_NAME(squares_int16)(int n, const int16 *t)
{
	int64		sum = 0;

	for (int block = 0; block < n; block += 512)
	{
		int			end = Min(block + 512, n);
		QK_LONG		part = QK_ZERO_LONG;

		for (int i = block; i < end; i += QK_WORDS)
			part = QK_MADD_WORDS(part, QK_LOAD_WORDS(t + i), QK_LOAD_WORDS(t + i));
		sum += QK_SUM_LONG_64(part);
	}
	return sum;
}

QK_TARGET static int32
QK_NAME(dot_int8)(int n, const int8 *a, const int8 *b)
{
	QK_LONG		even = QK_ZERO_LONG;
	QK_LONG		odd = QK_ZERO_LONG;

	for (int i = 0; i < n; i += 2 * QK_WORDS)
	{
		even = QK_MADD_WORDS(even, QK_LOAD_BYTES(a + i), QK_LOAD_BYTES(b + i));
		odd = QK_MADD_WORDS(odd, QK_LOAD_BYTES(a + i + QK_WORDS),
							QK_LOAD_BYTES(b + i + QK_WORDS));
	}
	return (int32) (QK_SUM_LONG_64(even) + QK_SUM_LONG_64(odd));
}

#ifdef QK_DOT_BYTES

/*
 * b + 128 is unsigned, as the instruction wants one of its factors to be, and
 * adds 128 times the sum of a.  A lane of QK_LONG sees no more than n products
 * of 255 * 127.
 */
QK_TARGET static void
QK_NAME(dots_int8)(int n, const int8 *a, const int8 *const *b, int count, int32 *out)
{
	const QK_CODE bias = QK_FILL_BYTES(-128);
	QK_LONG		extra = QK_ZERO_LONG;

	for (int i = 0; i < n; i += QK_BYTES)
		extra = QK_DOT_BYTES(extra, bias, QK_LOAD_CODE(a + i));
	for (int row = 0; row < count; row++)
	{
		QK_LONG		sum = QK_ZERO_LONG;

		for (int i = 0; i < n; i += QK_BYTES)
			sum = QK_DOT_BYTES(sum, QK_LOAD_CODE(b[row] + i) ^ bias, QK_LOAD_CODE(a + i));
		out[row] = QK_SUM_LONG(QK_SUBTRACT_LONG(sum, extra));
	}
}

#else

QK_TARGET static void
QK_NAME(dots_int8)(int n, const int8 *a, const int8 *const *b, int count, int32 *out)
{
	for (int row = 0; row < count; row++)
		out[row] = QK_NAME(dot_int8)(n, a, b[row]);
}

#endif							/* QK_DOT_BYTES */

#define QK_TABLE_NAME QK_PASTE(vdb_quant_kernels, QK_LEVEL)
#define QK_QUOTE_(level) #level
#define QK_QUOTE(level) QK_QUOTE_(level)

const VdbQuantKernels QK_TABLE_NAME = {
	.name = QK_QUOTE(QK_LEVEL),
	.flip = QK_NAME(flip),
	.hadamard = QK_NAME(hadamard),
	.mix = QK_NAME(mix),
	.max_abs = QK_NAME(max_abs),
	.to_int8 = QK_NAME(to_int8),
	.to_int16 = QK_NAME(to_int16),
	.to_half = QK_NAME(to_half),
	.from_int8 = QK_NAME(from_int8),
	.from_half = QK_NAME(from_half),
	.l2sq_half = QK_NAME(l2sq_half),
	.l2sq_halves = QK_NAME(l2sq_halves),
	.l1_half = QK_NAME(l1_half),
	.l1_halves = QK_NAME(l1_halves),
	.ip_half = QK_NAME(ip_half),
	.ip_halves = QK_NAME(ip_halves),
	.ip = QK_NAME(ip),
	.dot_int16 = QK_NAME(dot_int16),
	.squares_int16 = QK_NAME(squares_int16),
	.dot_int8 = QK_NAME(dot_int8),
	.dots_int8 = QK_NAME(dots_int8),
	.residual = QK_NAME(residual),
	.code_signs = QK_NAME(code_signs),
	.code_levels = QK_NAME(code_levels),
	.sums1 = QK_NAME(sums1),
	.sums2 = QK_NAME(sums2),
	.sums4 = QK_NAME(sums4)
};

#undef QK_TABLE_NAME
#undef QK_QUOTE
#undef QK_QUOTE_
#undef QK_PASTE_
#undef QK_PASTE
#undef QK_NAME
#undef QK_INLINE
#undef QK_LOAD
#undef QK_STORE
#undef QK_VECS
#undef QK_ALL
#undef QK_ABS
#undef QK_TRUNCATE
#undef QK_TO_FLOAT
#undef QK_IS_POSITIVE
#undef QK_AT
#undef QK_FOR_ALL
#undef QK_SUM
#undef QK_STORE_LANES
#undef QK_ROUND
#undef QK_SQUARE_OF
#undef QK_MAGNITUDE_OF
#undef QK_ADD_CODE
#undef QK_LEVEL
#undef QK_TARGET
#undef QK_LANES
#undef QK_VEC
#undef QK_IVEC
#undef QK_MAX
#undef QK_MIN
#undef QK_LOAD_HALF
#undef QK_STORE_HALF
#undef QK_LOAD_INT8
#undef QK_STORE_INT8
#undef QK_STORE_INT16
#undef QK_HADAMARD
#undef QK_BYTES
#undef QK_CODE
#undef QK_LOAD_CODE
#undef QK_LOAD_CODE_PART
#undef QK_FIELD
#undef QK_SHORT
#undef QK_MADD
#undef QK_LONG
#undef QK_WIDEN
#undef QK_ZERO_SHORT
#undef QK_ZERO_LONG
#undef QK_SUM_LONG
#undef QK_WORDS
#undef QK_LOAD_WORDS
#undef QK_LOAD_BYTES
#undef QK_MADD_WORDS
#undef QK_SUM_LONG_64
#undef QK_DOT_BYTES
#undef QK_FILL_BYTES
#undef QK_SUBTRACT_LONG
