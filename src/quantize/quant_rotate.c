/*-------------------------------------------------------------------------
 *
 * quant_rotate.c
 *	  The seeded rotation that vectors and queries go through.
 *
 * See the README for the steps and their rounding.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include <math.h>

#include "quant_kernels.h"

#define ROUNDS 4
#define UNIT_ROUNDOFF 0x1p-24

static uint64 next_random(uint64 *state);
static int	scale_to_unit(int dim, const float *in, float *out, float largest);
static double norm_of(int dim, const float *x);

static int
padded_dim(int dim)
{
	return (dim + 63) / 64 * 64;
}

/*
 * Words of signs of one round: 16 for each 512 coordinates.
 */
static int
round_words(int padded)
{
	return (padded + 511) / 512 * 16;
}

/*
 * Bytes of the signs of a rotation.
 */
Size
vdb_quant_rotation_size(int dim)
{
	return (Size) ROUNDS * round_words(padded_dim(dim)) * sizeof(uint32);
}

/*
 * Fills rotation for vectors of dim dimensions, and signs, which are
 * vdb_quant_rotation_size(dim) bytes and must live as long.
 */
void
vdb_quant_init_rotation(VdbRotation *rotation, int dim, uint64 seed, uint32 *signs,
						const VdbQuantKernels *kernels)
{
	int			words;
	int			log2 = 6;

	rotation->kernels = kernels;
	rotation->dim = dim;
	rotation->padded = padded_dim(dim);
	while ((2 << log2) <= rotation->padded)
		log2++;
	rotation->power = 1 << log2;
	rotation->scale = (float) (1 / sqrt((double) rotation->power));
	rotation->error = ROUNDS * (log2 + 4) * UNIT_ROUNDOFF;
	rotation->signs = signs;

	words = round_words(rotation->padded);
	for (int r = 0; r < ROUNDS; r++)
	{
		uint64		state = seed ^ ((uint64) (r + 1) << 56);

		for (int i = 0; i < words; i++)
			signs[r * words + i] = (uint32) (next_random(&state) >> 32);
	}
}

/*
 * Rotates in, dim floats, into out, padded floats, which the result refers
 * to.  For VDB_METRIC_COSINE the vector is normalised first; a zero vector
 * (norm 0 in the result) stays zero.  For VDB_METRIC_L1, which no rotation
 * preserves, the vector is only scaled.
 */
VdbRotated
vdb_quant_rotate(const VdbRotation *rotation, VdbMetric metric, const float *in,
				 float *out)
{
	const VdbQuantKernels *k = rotation->kernels;
	int			padded = rotation->padded;
	int			words = round_words(padded);
	int			whole = rotation->dim / 32 * 32;
	float		largest = k->max_abs(whole, in);
	double		norm;
	VdbRotated	result = {0, 0, out};

	for (int i = whole; i < rotation->dim; i++)
		largest = Max(largest, fabsf(in[i]));
	memset(out + rotation->dim, 0, (padded - rotation->dim) * sizeof(float));
	if (largest == 0)
	{
		memset(out, 0, rotation->dim * sizeof(float));
		return result;
	}
	result.exponent = scale_to_unit(rotation->dim, in, out, largest);
	norm = norm_of(rotation->dim, out);
	result.norm = (float) norm;
	if (metric == VDB_METRIC_COSINE)
	{
		float		inverse = (float) (1 / norm);

		for (int i = 0; i < rotation->dim; i++)
			out[i] *= inverse;
		result.exponent = 0;
		result.norm = 1;
	}
	if (metric == VDB_METRIC_L1)
		return result;

	for (int r = 0; r < ROUNDS; r++)
	{
		k->flip(padded, out, rotation->signs + r * words);
		k->hadamard(rotation->power,
					out + (r % 2 == 0 ? 0 : padded - rotation->power),
					rotation->scale);
		/* after every second one: by then no coordinate is alone any more */
		if (rotation->power < padded && r % 2 == 1)
			k->mix(padded, out);
	}
	return result;
}

/*
 * The next number of splitmix64.
 */
static uint64
next_random(uint64 *state)
{
	uint64		z = (*state += UINT64CONST(0x9E3779B97F4A7C15));

	z = (z ^ (z >> 30)) * UINT64CONST(0xBF58476D1CE4E5B9);
	z = (z ^ (z >> 27)) * UINT64CONST(0x94D049BB133111EB);
	return z ^ (z >> 31);
}

/*
 * Writes in * 2^-e to out and returns e, such that the largest magnitude is in
 * [1/2, 1).  Exact: only what is 2^-126 times smaller than the largest can
 * lose bits.
 */
static int
scale_to_unit(int dim, const float *in, float *out, float largest)
{
	int			exponent;
	float		first;
	float		second;

	frexpf(largest, &exponent);
	/* 2^-exponent reaches from 2^-128 to 2^148: in two factors */
	first = ldexpf(1, -exponent / 2);
	second = ldexpf(1, -exponent - -exponent / 2);
	for (int i = 0; i < dim; i++)
		out[i] = in[i] * first * second;
	return exponent;
}

/*
 * The Euclidean norm, summed in double in eight lanes.
 */
static double
norm_of(int dim, const float *x)
{
	double		lane[8] = {0};
	int			i = 0;

	for (; i + 8 <= dim; i += 8)
	{
		for (int j = 0; j < 8; j++)
			lane[j] += (double) x[i + j] * x[i + j];
	}
	for (; i < dim; i++)
		lane[i % 8] += (double) x[i] * x[i];
	return sqrt(((lane[0] + lane[4]) + (lane[2] + lane[6])) +
				((lane[1] + lane[5]) + (lane[3] + lane[7])));
}
