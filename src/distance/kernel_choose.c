/*-------------------------------------------------------------------------
 *
 * kernel_choose.c
 *	  Which levels of kernels this build has and this CPU can run.
 *
 * Pure C; the setting that forces a level is in distance_guc.c.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "kernels.h"

#ifdef VDB_HAVE_X86_KERNELS

#include <cpuid.h>

/*
 * True if CPU and operating system support what kernels_avx2.c was compiled
 * for.  clang 14's __builtin_cpu_supports does not know f16c; its registers are
 * those of AVX2, which the builtin has checked.
 */
static bool
cpu_has_avx2(void)
{
	unsigned int eax;
	unsigned int ebx;
	unsigned int ecx;
	unsigned int edx;

	__builtin_cpu_init();
	return __builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma") &&
		__get_cpuid(1, &eax, &ebx, &ecx, &edx) && (ecx & bit_F16C) != 0;
}

/*
 * The same for kernels_avx512.c.
 */
static bool
cpu_has_avx512(void)
{
	return cpu_has_avx2() &&
		__builtin_cpu_supports("avx512f") &&
		__builtin_cpu_supports("avx512dq") &&
		__builtin_cpu_supports("avx512vl");
}
#endif

/*
 * The kernels of a level, or NULL if the build or the CPU lacks it.  AUTO is
 * the best that is there and never NULL.
 */
const VdbKernels *
vdb_kernels_find(VdbSimdLevel level)
{
	switch (level)
	{
		case VDB_SIMD_AUTO:
			for (int best = VDB_SIMD_LAST; best > VDB_SIMD_AUTO; best--)
			{
				const VdbKernels *kernels = vdb_kernels_find((VdbSimdLevel) best);

				if (kernels != NULL)
					return kernels;
			}
			break;
		case VDB_SIMD_SCALAR:
			return &vdb_kernels_scalar;
		case VDB_SIMD_NEON:
#ifdef VDB_HAVE_NEON_KERNELS
			return &vdb_kernels_neon;
#else
			break;
#endif
		case VDB_SIMD_AVX2:
#ifdef VDB_HAVE_X86_KERNELS
			if (cpu_has_avx2())
				return &vdb_kernels_avx2;
#endif
			break;
		case VDB_SIMD_AVX512:
#ifdef VDB_HAVE_X86_KERNELS
			if (cpu_has_avx512())
				return &vdb_kernels_avx512;
#endif
			break;
	}
	return NULL;
}
