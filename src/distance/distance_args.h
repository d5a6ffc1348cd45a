/*-------------------------------------------------------------------------
 *
 * distance_args.h
 *	  Vector arguments of the SQL distance functions.
 *
 *-------------------------------------------------------------------------
 */
#ifndef VDB_DISTANCE_ARGS_H
#define VDB_DISTANCE_ARGS_H

#include "vector/vector.h"

/* A vector argument; is_copy: this call made it and must free it. */
typedef struct VdbDistanceArg
{
	const VdbVector *vector;
	bool		is_copy;
} VdbDistanceArg;

/* distance_args.c */
extern PGDLLEXPORT VdbDistanceArg vdb_distance_detoast_arg(FunctionCallInfo fcinfo,
														   int argno);

/*
 * Argument argno, not NULL, as a plain vector.  A datum that is stored inline
 * with a full header is used where it is.
 */
static inline VdbDistanceArg
vdb_distance_arg(FunctionCallInfo fcinfo, int argno)
{
	VdbDistanceArg arg;

	if (VARATT_IS_EXTENDED(PG_GETARG_POINTER(argno)))
		return vdb_distance_detoast_arg(fcinfo, argno);
	arg.vector = (const VdbVector *) PG_GETARG_POINTER(argno);
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
		pfree(unconstify(VdbVector *, arg.vector));
}

#endif							/* VDB_DISTANCE_ARGS_H */
