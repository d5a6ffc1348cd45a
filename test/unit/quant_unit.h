/*-------------------------------------------------------------------------
 *
 * quant_unit.h
 *	  Data and memory for the unit tests of the quantize room.
 *
 *-------------------------------------------------------------------------
 */
#ifndef VDB_QUANT_UNIT_H
#define VDB_QUANT_UNIT_H

#include "postgres.h"

#include <math.h>

#include "guarded.h"
#include "quantize/quant_kernels.h"
#include "unit.h"

#define MAX_PADDED 16000

/* What a form of index uses: a rotation, a layout and a table of kernels */
typedef struct Form
{
	VdbQuantLayout layout;
	VdbRotation rotation;
	const VdbQuantKernels *kernels;
	uint32		signs[4 * 16 * 32];
} Form;

static uint64 rng_state = UINT64CONST(0x9E3779B97F4A7C15);

static inline uint64
random_bits(void)
{
	rng_state ^= rng_state << 13;
	rng_state ^= rng_state >> 7;
	rng_state ^= rng_state << 17;
	return rng_state * UINT64CONST(0x2545F4914F6CDD1D);
}

/* 0 <= random_unit() < 1 */
static inline double
random_unit(void)
{
	return (double) (random_bits() >> 11) / 9007199254740992.0;
}

static inline double
random_normal(void)
{
	return sqrt(-2 * log(1 - random_unit())) * cos(2 * M_PI * random_unit());
}

static inline void
fill_normal(int n, float *x, double size)
{
	for (int i = 0; i < n; i++)
		x[i] = random_normal() * size;
}

/*
 * A form for vectors of dim dimensions; exits if there is none such.
 */
static inline void
form_init(Form *form, VdbMetric metric, int dim, VdbVectorCodec codec, int bits,
		  int code_dims, const VdbQuantKernels *kernels)
{
	VdbLayoutRequest request = {.metric = metric, .dim = dim, .min_slots = 20, .max_slots = 32, .page_bytes = 8160, .node_bytes = 40, .link_bytes = 6};

	if (!vdb_quant_form_layout(&form->layout, &request, codec, bits, code_dims) ||
		vdb_quant_rotation_size(dim) > sizeof(form->signs))
	{
		printf("no layout for dimension %d\n", dim);
		exit(1);
	}
	form->kernels = kernels;
	vdb_quant_init_rotation(&form->rotation, dim, 42, form->signs, kernels);
}

/*
 * The stored form of a vector.
 */
static inline void
form_encode(const Form *form, const float *x, void *stored)
{
	static float rotated[MAX_PADDED];
	VdbRotated	vector = vdb_quant_rotate(&form->rotation, form->layout.metric, x, rotated);

	vdb_quant_encode_vector(&form->layout, form->kernels, &vector, stored);
}

/*
 * The operator's cosine distance of vectors whose squares are too small for
 * float32.
 */
static inline double
small_cosine_distance(int dim, const float *a, const float *b)
{
	double		dot = 0;
	double		norm_a = 0;
	double		norm_b = 0;

	for (int i = 0; i < dim; i++)
	{
		dot += (double) a[i] * b[i];
		norm_a += (double) a[i] * a[i];
		norm_b += (double) b[i] * b[i];
	}
	return 1 - Max(-1, Min(1, dot / sqrt(norm_a * norm_b)));
}

/*
 * What the SQL operator computes.
 */
static inline double
sql_value(VdbMetric metric, int dim, const float *a, const float *b)
{
	const VdbKernels *k = vdb_kernels_find(VDB_SIMD_AUTO);
	VdbCosineSums sums;

	switch (metric)
	{
		case VDB_METRIC_L2:
			return sqrt(k->l2sq(dim, a, b));
		case VDB_METRIC_IP:
			return -k->ip(dim, a, b);
		case VDB_METRIC_L1:
			return k->l1(dim, a, b);
		default:
			sums = k->cosine(dim, a, b);
			if (sums.norm_a < 1e-30f || sums.norm_b < 1e-30f)
				return small_cosine_distance(dim, a, b);
			return 1 - Max(-1, Min(1, sums.dot / sqrt((double) sums.norm_a * sums.norm_b)));
	}
}

#endif							/* VDB_QUANT_UNIT_H */
