/*-------------------------------------------------------------------------
 *
 * bit_distance.c
 *	  SQL distance functions on bit strings.
 *
 * PostgreSQL keeps the bits behind the last one of a string 0, so whole bytes
 * can be counted.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "bit/bit.h"
#include "utils/varbit.h"

PG_FUNCTION_INFO_V1(vdb_hamming_distance);
PG_FUNCTION_INFO_V1(vdb_jaccard_distance);

/*
 * Errors out unless two strings have the same length.
 */
static void
check_lengths(const VarBit *a, const VarBit *b)
{
	if (VARBITLEN(a) != VARBITLEN(b))
		ereport(ERROR,
				(errcode(ERRCODE_DATA_EXCEPTION),
				 errmsg("different bit lengths %u and %u", VARBITLEN(a), VARBITLEN(b))));
}

/*
 * hamming_distance(bit, bit) returns double precision
 */
Datum
vdb_hamming_distance(PG_FUNCTION_ARGS)
{
	VarBit	   *a = PG_GETARG_VARBIT_P(0);
	VarBit	   *b = PG_GETARG_VARBIT_P(1);
	double		result;

	check_lengths(a, b);
	result = (double) vdb_bit_kernels_like(vdb_kernels())->hamming(VARBITBYTES(a), VARBITS(a), VARBITS(b));
	PG_FREE_IF_COPY(a, 0);
	PG_FREE_IF_COPY(b, 1);
	PG_RETURN_FLOAT8(result);
}

/*
 * jaccard_distance(bit, bit) returns double precision
 */
Datum
vdb_jaccard_distance(PG_FUNCTION_ARGS)
{
	VarBit	   *a = PG_GETARG_VARBIT_P(0);
	VarBit	   *b = PG_GETARG_VARBIT_P(1);
	double		result;

	check_lengths(a, b);
	result = vdb_bit_jaccard(vdb_bit_kernels_like(vdb_kernels())->jaccard(VARBITBYTES(a), VARBITS(a), VARBITS(b)));
	PG_FREE_IF_COPY(a, 0);
	PG_FREE_IF_COPY(b, 1);
	PG_RETURN_FLOAT8(result);
}
