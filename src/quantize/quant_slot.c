/*-------------------------------------------------------------------------
 *
 * quant_slot.c
 *	  Codes of neighbours: from the stored vectors of a node and a neighbour
 *	  to the factors and the code of a slot (Q2).
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include <math.h>

#include "quant_half.h"
#include "quant_stored.h"

/* Steps of the optimal uniform quantizers of a normal distribution */
#define STEP_2_BITS 0.9957f
#define STEP_4_BITS 0.3352f

/* Below this cosine between y and r the code says nothing (see README). */
#define LEAST_COSINE (1.0f / 64)

static VdbCodeSums code_residual(const VdbSlotEncoder *encoder, float norm);
static void pack_code(const uint8 *levels, int dims, int bits, uint8 *out);

/*
 * Bytes of the buffer of an encoder.
 */
Size
vdb_quant_encoder_size(const VdbQuantLayout *layout)
{
	return (Size) layout->padded * (2 * sizeof(float) + 1);
}

/*
 * Prepares encoding slots of the node whose stored vector is given.  The
 * buffer, vdb_quant_encoder_size() bytes aligned for floats, is the encoder's;
 * layout must have codes.
 */
void
vdb_quant_init_encoder(VdbSlotEncoder *encoder, const VdbQuantLayout *layout,
					   const VdbQuantKernels *kernels, const void *node,
					   void *buffer)
{
	VdbRotated	decoded;

	encoder->kernels = kernels;
	encoder->layout = layout;
	encoder->node = (float *) buffer;
	encoder->residual = encoder->node + layout->padded;
	encoder->levels = (uint8 *) (encoder->residual + layout->padded);
	decoded = vdb_quant_decode_vector(layout, kernels, node, encoder->node);
	encoder->exponent = decoded.exponent;
}

/*
 * Writes factors and code of the neighbour whose stored vector is given,
 * VDB_SLOT_FACTOR_BYTES + layout->code_bytes bytes.
 */
void
vdb_quant_encode_slot(const VdbSlotEncoder *encoder, const void *neighbour, void *factors)
{
	const VdbQuantLayout *layout = encoder->layout;
	const VdbQuantKernels *k = encoder->kernels;
	float	   *r = encoder->residual;
	int			coded = layout->code_dims;
	VdbRotated	x = vdb_quant_decode_vector(layout, k, neighbour, r);
	int			gap = x.exponent - encoder->exponent;
	float		scale = vdb_power_of_two(Max(Min(gap, VDB_MAX_GAP), -VDB_MAX_GAP));
	float		head = k->residual(coded, r, scale, encoder->node, r);
	float		square = head;
	VdbSlotFactors slot = {0};
	VdbCodeSums sums;
	float		radius;
	float		g;

	if (coded < layout->padded)
		square += k->residual(layout->padded - coded, r + coded, scale,
							  encoder->node + coded, r + coded);
	memset(factors, 0, VDB_SLOT_FACTOR_BYTES + layout->code_bytes);
	if (square == 0)
		return;

	radius = sqrtf(square);
	slot.radius = vdb_radius_from_float(radius);
	if (head > 0)
	{
		sums = code_residual(encoder, sqrtf(head));
		g = sums.yr / radius;
		if (g >= LEAST_COSINE * sqrtf(sums.yy))
		{
			float		offset = sums.yc / g;
			float		slope = -1 / g;

			if (layout->metric == VDB_METRIC_IP)
				offset -= k->ip(layout->padded, encoder->node, r) / radius;
			else
			{
				offset *= 2;
				slope *= 2;
			}
			slot.offset = vdb_half_from_float(offset);
			slot.slope = vdb_half_from_float(slope);
			pack_code(encoder->levels, coded, layout->bits,
					  (uint8 *) factors + VDB_SLOT_FACTOR_BYTES);
		}
	}
	memcpy(factors, &slot, sizeof(slot));
}

/*
 * The squared distance between a node and the neighbour of a slot, in the
 * true unit; for cosine half of it.  Not for the inner product.
 */
double
vdb_quant_slot_distance(const VdbQuantLayout *layout, const void *node, const void *factors)
{
	VdbStoredHeader header = vdb_stored_header(node);
	VdbSlotFactors slot;
	double		radius;

	memcpy(&slot, factors, sizeof(slot));
	radius = ldexp(vdb_radius_to_float(slot.radius), header.exponent);
	return layout->metric == VDB_METRIC_COSINE ? radius * radius / 2 : radius * radius;
}

/*
 * Codes the residual, whose coded part has the norm given, into levels, and
 * returns the sums.
 */
static VdbCodeSums
code_residual(const VdbSlotEncoder *encoder, float norm)
{
	const VdbQuantLayout *layout = encoder->layout;
	const VdbQuantKernels *k = encoder->kernels;
	int			coded = layout->code_dims;
	float		step;

	if (layout->bits == 1)
		return k->code_signs(coded, encoder->residual, encoder->node, encoder->levels);
	step = norm / sqrtf((float) coded) * (layout->bits == 2 ? STEP_2_BITS : STEP_4_BITS);
	return k->code_levels(coded, encoder->residual, encoder->node, 1 / step,
						  ((1 << layout->bits) - 1) * 0.5f, encoder->levels);
}

/*
 * Packs levels into the bytes of a code, which are zero, in the order that
 * the README gives.
 */
static void
pack_code(const uint8 *levels, int dims, int bits, uint8 *out)
{
	int			fields = 8 / bits;

	for (int left = dims / fields; left > 0; left -= 64)
	{
		int			group = Min(left, 64);

		for (int f = 0; f < fields; f++, levels += group)
		{
			for (int i = 0; i < group; i++)
				out[i] |= levels[i] << (f * bits);
		}
		out += group;
	}
}
