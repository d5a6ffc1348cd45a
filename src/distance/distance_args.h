/*-------------------------------------------------------------------------
 *
 * distance_args.h
 *	  Arguments (vector or halfvec) of the SQL distance functions.
 *
 *-------------------------------------------------------------------------
 */
#ifndef VDB_DISTANCE_ARGS_H
#define VDB_DISTANCE_ARGS_H

#include "vector/vector.h"

/* An argument; is_copy: this call made it and must free it. */
typedef struct VdbDistanceArg
{
	const VdbDense *value;
	bool		is_copy;
} VdbDistanceArg;

/* distance_args.c */
extern PGDLLEXPORT VdbDistanceArg vdb_distance_detoast_arg(FunctionCallInfo fcinfo,
														   int argno);

/*
 * Argument argno, not NULL, as a plain value.  A datum that is stored inline
 * with a full header is used where it is.
 */
static inline VdbDistanceArg
vdb_distance_arg(FunctionCallInfo fcinfo, int argno)
{
	VdbDistanceArg arg;

	if (VARATT_IS_EXTENDED(PG_GETARG_POINTER(argno)))
		return vdb_distance_detoast_arg(fcinfo, argno);
	arg.value = (const VdbDense *) PG_GETARG_POINTER(argno);
	arg.is_copy = false;
	return arg;
}

/*
 * Ends the use of an argument.
 */
static inline void
vdb_distance_free_arg(VdbDistanceArg arg)
{
	if (arg.is_copy)
		pfree(unconstify(VdbDense *, arg.value));
}

#endif							/* VDB_DISTANCE_ARGS_H */
