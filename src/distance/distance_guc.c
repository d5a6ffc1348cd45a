/*-------------------------------------------------------------------------
 *
 * distance_guc.c
 *	  The kernels in force and the setting vecdb.simd that forces a level.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "distance/distance.h"
#include "lib/stringinfo.h"
#include "utils/guc.h"

static const struct config_enum_entry simd_options[] = {
	{"auto", VDB_SIMD_AUTO, false},
	{"scalar", VDB_SIMD_SCALAR, false},
	{"neon", VDB_SIMD_NEON, false},
	{"avx2", VDB_SIMD_AVX2, false},
	{"avx512", VDB_SIMD_AVX512, false},
	{NULL, 0, false}
};

/* The scalar level needs no set-up, so it serves until the setting exists. */
const VdbKernels *vdb_active_kernels = &vdb_kernels_scalar;

static int	simd_setting = VDB_SIMD_AUTO;

static bool check_simd(int *newval, void **extra, GucSource source);
static void assign_simd(int newval, void *extra);

/*
 * Called once from _PG_init: defines the setting, whose assign hook picks the
 * kernels.
 */
void
vdb_distance_init(void)
{
	DefineCustomEnumVariable("vecdb.simd",
							 "Instruction set of the distance kernels.",
							 "\"auto\" is the best that the processor has; the others are for tests and comparisons.",
							 &simd_setting,
							 VDB_SIMD_AUTO,
							 simd_options,
							 PGC_USERSET,
							 0,
							 check_simd,
							 assign_simd,
							 NULL);
}

/*
 * Refuses a level that the kernels cannot run at here, naming those they can.
 */
static bool
check_simd(int *newval, void **extra, GucSource source)
{
	StringInfoData available;

	if (vdb_kernels_find((VdbSimdLevel) *newval) != NULL)
		return true;

	initStringInfo(&available);
	for (const struct config_enum_entry *option = simd_options; option->name != NULL; option++)
	{
		if (vdb_kernels_find((VdbSimdLevel) option->val) != NULL)
			appendStringInfo(&available, "%s%s",
							 available.len > 0 ? ", " : "", option->name);
	}
	GUC_check_errdetail("This processor does not have the instruction set.");
	GUC_check_errhint("Available values: %s.", available.data);
	return false;
}

static void
assign_simd(int newval, void *extra)
{
	vdb_active_kernels = vdb_kernels_find((VdbSimdLevel) newval);
}
