/*-------------------------------------------------------------------------
 *
 * bit_template.h
 *	  The kernels, eight bytes at a time.
 *
 * Parameters, all undefined at the end:
 *
 *	  BK_LEVEL		part of the functions' names
 *	  BK_TARGET		attribute of the functions, or nothing
 *	  BK_COUNT(x)	bits of a uint64
 *
 *-------------------------------------------------------------------------
 */
#define BK_JOIN_(a, b) a##_##b
#define BK_JOIN(a, b) BK_JOIN_(a, b)
#define BK_NAME(name) BK_JOIN(name, BK_LEVEL)

/*
 * The next eight bytes, or the fewer that are left with zeroes behind them.
 */
BK_TARGET static inline uint64
BK_NAME(load)(const uint8 *p, Size left)
{
	uint64		word = 0;

	if (left >= sizeof(word))
		memcpy(&word, p, sizeof(word));
	else
		memcpy(&word, p, left);
	return word;
}

BK_TARGET static uint64
BK_NAME(hamming)(Size bytes, const uint8 *a, const uint8 *b)
{
	uint64		sum = 0;
	Size		i;

	for (i = 0; i + sizeof(uint64) <= bytes; i += sizeof(uint64))
		sum += BK_COUNT(BK_NAME(load)(a + i, sizeof(uint64)) ^
						BK_NAME(load)(b + i, sizeof(uint64)));
	if (i < bytes)
		sum += BK_COUNT(BK_NAME(load)(a + i, bytes - i) ^ BK_NAME(load)(b + i, bytes - i));
	return sum;
}

BK_TARGET static VdbBitSums
BK_NAME(jaccard)(Size bytes, const uint8 *a, const uint8 *b)
{
	VdbBitSums	sums = {0, 0};

	for (Size i = 0; i < bytes; i += sizeof(uint64))
	{
		uint64		x = BK_NAME(load)(a + i, bytes - i);
		uint64		y = BK_NAME(load)(b + i, bytes - i);

		sums.both += BK_COUNT(x & y);
		sums.either += BK_COUNT(x | y);
	}
	return sums;
}

#undef BK_JOIN_
#undef BK_JOIN
#undef BK_NAME
#undef BK_LEVEL
#undef BK_TARGET
#undef BK_COUNT
