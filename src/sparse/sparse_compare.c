/*-------------------------------------------------------------------------
 *
 * sparse_compare.c
 *	  Order, equality and hash of sparse vectors, for btree and hash.
 *
 * The order is that of the dense vectors: element by element, zeroes included,
 * then the number of dimensions.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "common/hashfn.h"
#include "sparse/sparse.h"

PG_FUNCTION_INFO_V1(vdb_sparse_lt);
PG_FUNCTION_INFO_V1(vdb_sparse_le);
PG_FUNCTION_INFO_V1(vdb_sparse_eq);
PG_FUNCTION_INFO_V1(vdb_sparse_ne);
PG_FUNCTION_INFO_V1(vdb_sparse_ge);
PG_FUNCTION_INFO_V1(vdb_sparse_gt);
PG_FUNCTION_INFO_V1(vdb_sparse_cmp);
PG_FUNCTION_INFO_V1(vdb_sparse_hash);
PG_FUNCTION_INFO_V1(vdb_sparse_hash_extended);

static int	compare(const VdbSparse *a, const VdbSparse *b);
static int	compare_args(FunctionCallInfo fcinfo);
static uint64 hash_vector(const VdbSparse *v, uint64 seed);

/*
 * How a vector compares at the index of its next element, value, with another
 * that has nothing there: the other has 0, or ends before.
 */
static inline int
compare_with_nothing(int32 index, float value, int other_dim)
{
	if (index >= other_dim)
		return 1;
	return value < 0 ? -1 : 1;
}

/*
 * Returns <0, 0 or >0 as a is before, equal to or after b.
 */
static int
compare(const VdbSparse *a, const VdbSparse *b)
{
	VdbSparseElements ea = vdb_sparse_elements(a);
	VdbSparseElements eb = vdb_sparse_elements(b);
	int			n = Min(ea.count, eb.count);
	int			i;

	for (i = 0; i < n; i++)
	{
		if (ea.indices[i] < eb.indices[i])
			return compare_with_nothing(ea.indices[i], ea.values[i], b->dim);
		if (ea.indices[i] > eb.indices[i])
			return -compare_with_nothing(eb.indices[i], eb.values[i], a->dim);
		if (ea.values[i] != eb.values[i])
			return ea.values[i] < eb.values[i] ? -1 : 1;
	}
	if (ea.count > n)
		return compare_with_nothing(ea.indices[n], ea.values[n], b->dim);
	if (eb.count > n)
		return -compare_with_nothing(eb.indices[n], eb.values[n], a->dim);
	return (a->dim > b->dim) - (a->dim < b->dim);
}

/*
 * Compares the two arguments of an SQL function; frees detoasted copies,
 * which index builds would otherwise pile up.
 */
static int
compare_args(FunctionCallInfo fcinfo)
{
	VdbSparse  *a = PG_GETARG_VDB_SPARSE_P(0);
	VdbSparse  *b = PG_GETARG_VDB_SPARSE_P(1);
	int			result = compare(a, b);

	PG_FREE_IF_COPY(a, 0);
	PG_FREE_IF_COPY(b, 1);
	return result;
}

Datum
vdb_sparse_lt(PG_FUNCTION_ARGS)
{
	PG_RETURN_BOOL(compare_args(fcinfo) < 0);
}

Datum
vdb_sparse_le(PG_FUNCTION_ARGS)
{
	PG_RETURN_BOOL(compare_args(fcinfo) <= 0);
}

Datum
vdb_sparse_eq(PG_FUNCTION_ARGS)
{
	PG_RETURN_BOOL(compare_args(fcinfo) == 0);
}

Datum
vdb_sparse_ne(PG_FUNCTION_ARGS)
{
	PG_RETURN_BOOL(compare_args(fcinfo) != 0);
}

Datum
vdb_sparse_ge(PG_FUNCTION_ARGS)
{
	PG_RETURN_BOOL(compare_args(fcinfo) >= 0);
}

Datum
vdb_sparse_gt(PG_FUNCTION_ARGS)
{
	PG_RETURN_BOOL(compare_args(fcinfo) > 0);
}

Datum
vdb_sparse_cmp(PG_FUNCTION_ARGS)
{
	PG_RETURN_INT32(compare_args(fcinfo));
}

/*
 * Hash of dimensions, indices and values, which are not 0 and so not -0.
 */
static uint64
hash_vector(const VdbSparse *v, uint64 seed)
{
	Size		skipped = offsetof(VdbSparse, dim);

	return DatumGetUInt64(hash_any_extended((const unsigned char *) v + skipped,
											(int) (VDB_SPARSE_SIZE(v->count) - skipped), seed));
}

/*
 * sparsevec_hash(sparsevec) returns integer
 *
 * The low half of the 64-bit hash with seed 0, as core requires.
 */
Datum
vdb_sparse_hash(PG_FUNCTION_ARGS)
{
	VdbSparse  *v = PG_GETARG_VDB_SPARSE_P(0);
	uint32		result = (uint32) hash_vector(v, 0);

	PG_FREE_IF_COPY(v, 0);
	PG_RETURN_UINT32(result);
}

/*
 * sparsevec_hash_extended(sparsevec, bigint) returns bigint
 */
Datum
vdb_sparse_hash_extended(PG_FUNCTION_ARGS)
{
	VdbSparse  *v = PG_GETARG_VDB_SPARSE_P(0);
	uint64		result = hash_vector(v, (uint64) PG_GETARG_INT64(1));

	PG_FREE_IF_COPY(v, 0);
	PG_RETURN_UINT64(result);
}
