/*-------------------------------------------------------------------------
 *
 * quant_choose.c
 *	  Which levels of the quantize room's kernels this build has and this CPU
 *	  can run.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "quant_kernels.h"

#ifdef VDB_HAVE_X86_KERNELS

#include <cpuid.h>

/*
 * AVX2 and F16C.  clang 14's __builtin_cpu_supports does not know f16c; its
 * registers are those of AVX2, which the builtin has checked.
 */
static bool
cpu_has_avx2(void)
{
	unsigned int eax;
	unsigned int ebx;
	unsigned int ecx;
	unsigned int edx;

	__builtin_cpu_init();
	return __builtin_cpu_supports("avx2") &&
		__get_cpuid(1, &eax, &ebx, &ecx, &edx) && (ecx & bit_F16C) != 0;
}

static bool
cpu_has_avx512(void)
{
	return cpu_has_avx2() &&
		__builtin_cpu_supports("avx512f") &&
		__builtin_cpu_supports("avx512bw") &&
		__builtin_cpu_supports("avx512dq") &&
		__builtin_cpu_supports("avx512vl");
}
#endif

/*
 * The kernels to use at a level of the distance kernels: never NULL, since
 * what the build or the CPU lacks is replaced by a lower level, and results
 * do not depend on the choice (Q1).
 */
const VdbQuantKernels *
vdb_quant_find_kernels(VdbSimdLevel level)
{
#ifdef VDB_HAVE_NEON_KERNELS
	if (level == VDB_SIMD_AUTO || level == VDB_SIMD_NEON)
		return &vdb_quant_kernels_neon;
#endif
#ifdef VDB_HAVE_X86_KERNELS
	if ((level == VDB_SIMD_AUTO || level == VDB_SIMD_AVX512) && cpu_has_avx512())
	{
		if (__builtin_cpu_supports("avx512vnni"))
			return &vdb_quant_kernels_avx512vnni;
		return &vdb_quant_kernels_avx512;
	}
	if ((level == VDB_SIMD_AUTO || level >= VDB_SIMD_AVX2) && cpu_has_avx2())
		return &vdb_quant_kernels_avx2;
#endif
	return &vdb_quant_kernels_scalar;
}

/*
 * The level that fits a table of distance kernels: vecdb.simd, through
 * vdb_kernels(), then rules both rooms.  The last answer is kept, since
 * asking a virtual CPU what it has costs microseconds.
 */
const VdbQuantKernels *
vdb_quant_kernels_like(const VdbKernels *kernels)
{
	static const struct
	{
		const char *name;
		VdbSimdLevel level;
	} levels[] = {
		{"scalar", VDB_SIMD_SCALAR},
		{"neon", VDB_SIMD_NEON},
		{"avx2", VDB_SIMD_AVX2},
		{"avx512", VDB_SIMD_AVX512}
	};

	static const VdbKernels *asked = NULL;
	static const VdbQuantKernels *answer = NULL;

	if (kernels == asked)
		return answer;
	answer = NULL;
	for (int i = 0; i < lengthof(levels) && answer == NULL; i++)
	{
		if (strcmp(kernels->name, levels[i].name) == 0)
			answer = vdb_quant_find_kernels(levels[i].level);
	}
	if (answer == NULL)
		answer = vdb_quant_find_kernels(VDB_SIMD_AUTO);
	asked = kernels;
	return answer;
}

/*
 * The tables that can run here by number, the scalar one first, then NULL;
 * for tests.
 */
const VdbQuantKernels *
vdb_quant_nth_kernels(int i)
{
	const VdbQuantKernels *found[5];
	int			n = 0;

	found[n++] = &vdb_quant_kernels_scalar;
#ifdef VDB_HAVE_NEON_KERNELS
	found[n++] = &vdb_quant_kernels_neon;
#endif
#ifdef VDB_HAVE_X86_KERNELS
	if (cpu_has_avx2())
		found[n++] = &vdb_quant_kernels_avx2;
	if (cpu_has_avx512())
		found[n++] = &vdb_quant_kernels_avx512;
	if (cpu_has_avx512() && __builtin_cpu_supports("avx512vnni"))
		found[n++] = &vdb_quant_kernels_avx512vnni;
#endif
	return i < n ? found[i] : NULL;
}
