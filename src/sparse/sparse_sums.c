/*-------------------------------------------------------------------------
 *
 * sparse_sums.c
 *	  Sums over the elements of one or two sparse vectors.
 *
 * Plain C without a server.  Two vectors are merged by their indices; where the
 * next index is that of one vector only is as good as random, so it is no
 * branch: the other's value counts as 0.  Sums are in double precision, in the
 * order of the indices, so that swapping the arguments changes no bit.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include <math.h>

#include "sparse/sparse.h"

/*
 * A value, or 0.  By its bits: compilers make a branch of a choice.
 */
static inline double
value_if(float value, bool is_there)
{
	uint32		bits;

	memcpy(&bits, &value, sizeof(bits));
	bits &= -(uint32) is_there;
	memcpy(&value, &bits, sizeof(value));
	return value;
}

/*
 * Goes through the union of two vectors: x and y are the two values of an index,
 * 0 where a vector has none.  The statement may use both.
 */
#define FOR_EACH_OF_BOTH(a, b, x, y, statement) \
	do { \
		int			i_ = 0; \
		int			j_ = 0; \
		while (i_ < (a).count && j_ < (b).count) \
		{ \
			int32		ia_ = (a).indices[i_]; \
			int32		ib_ = (b).indices[j_]; \
			double		x = value_if((a).values[i_], ia_ <= ib_); \
			double		y = value_if((b).values[j_], ib_ <= ia_); \
			statement; \
			i_ += ia_ <= ib_; \
			j_ += ib_ <= ia_; \
		} \
		for (; i_ < (a).count; i_++) \
		{ \
			double		x = (a).values[i_]; \
			double		y = 0; \
			statement; \
		} \
		for (; j_ < (b).count; j_++) \
		{ \
			double		x = 0; \
			double		y = (b).values[j_]; \
			statement; \
		} \
	} while (0)

/* The sum of the squared differences */
double
vdb_sparse_l2sq(VdbSparseElements a, VdbSparseElements b)
{
	double		sum = 0;

	FOR_EACH_OF_BOTH(a, b, x, y, sum += (x - y) * (x - y));
	return sum;
}

/* The sum of the absolute differences */
double
vdb_sparse_l1(VdbSparseElements a, VdbSparseElements b)
{
	double		sum = 0;

	FOR_EACH_OF_BOTH(a, b, x, y, sum += fabs(x - y));
	return sum;
}

/* The sum of the products: of those in both only */
double
vdb_sparse_ip(VdbSparseElements a, VdbSparseElements b)
{
	double		sum = 0;
	int			i = 0;
	int			j = 0;

	while (i < a.count && j < b.count)
	{
		int32		ia = a.indices[i];
		int32		ib = b.indices[j];

		if (unlikely(ia == ib))
			sum += (double) a.values[i] * b.values[j];
		i += ia <= ib;
		j += ib <= ia;
	}
	return sum;
}

/* The sum of the squares */
double
vdb_sparse_squares(VdbSparseElements a)
{
	double		sum = 0;

	for (int i = 0; i < a.count; i++)
		sum += (double) a.values[i] * a.values[i];
	return sum;
}
