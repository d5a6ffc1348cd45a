/*-------------------------------------------------------------------------
 *
 * bit_choose.c
 *	  Which levels of bit kernels this build has and this CPU can run.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "bit_kernels.h"

#ifdef VDB_HAVE_X86_KERNELS
static bool
cpu_has_popcnt(void)
{
	__builtin_cpu_init();
	return __builtin_cpu_supports("popcnt");
}

static bool
cpu_has_avx512(void)
{
	__builtin_cpu_init();
	return __builtin_cpu_supports("avx512f") &&
		__builtin_cpu_supports("avx512bw") &&
		__builtin_cpu_supports("avx512vpopcntdq");
}
#endif

/*
 * The kernels to use at a level of the distance kernels: never NULL, since
 * what the build or the CPU lacks is replaced by a lower level, and counts do
 * not depend on the choice.
 */
const VdbBitKernels *
vdb_bit_find_kernels(VdbSimdLevel level)
{
#ifdef VDB_HAVE_X86_KERNELS
	if ((level == VDB_SIMD_AUTO || level == VDB_SIMD_AVX512) && cpu_has_avx512())
		return &vdb_bit_kernels_avx512;
	if (level != VDB_SIMD_SCALAR && cpu_has_popcnt())
		return &vdb_bit_kernels_popcnt;
#endif
	return &vdb_bit_kernels_scalar;
}

/*
 * The same for the level of distance kernels that are in force.  Cheap when they
 * are those of the last call.
 */
const VdbBitKernels *
vdb_bit_kernels_like(const VdbKernels *kernels)
{
	static const VdbKernels *last = NULL;
	static const VdbBitKernels *found = NULL;

	if (likely(kernels == last))
		return found;
	found = vdb_bit_find_kernels(VDB_SIMD_AUTO);
	for (int level = VDB_SIMD_SCALAR; level <= VDB_SIMD_LAST; level++)
		if (vdb_kernels_find((VdbSimdLevel) level) == kernels)
			found = vdb_bit_find_kernels((VdbSimdLevel) level);
	last = kernels;
	return found;
}
