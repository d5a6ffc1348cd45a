/*-------------------------------------------------------------------------
 *
 * quant_vector.c
 *	  Stored vectors: a header, then int8 or float16 codes of all coordinates.
 *
 * The bytes are described in the README.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include <math.h>

#include "quant_form.h"
#include "quant_half.h"
#include "quant_stored.h"

/* Beyond that of any float32, and of a sum over the largest dimension */
#define MAX_EXPONENT 256

static float decoding_error(const VdbQuantLayout *layout,
							const VdbQuantKernels *kernels, const float *x,
							const VdbStoredHeader *header, float unit,
							const void *codes);

/*
 * Makes a vector that is not rotated ready to be stored or searched for; buffer
 * has room for count floats, and is then the result's.
 */
VdbRotated
vdb_quant_prepare(const VdbQuantLayout *layout, const VdbRotated *vector, float *buffer)
{
	return vdb_quant_form(layout)->prepare(layout->metric, vector, buffer);
}

/*
 * Writes the stored form of a vector, layout->vector_bytes bytes, at any
 * alignment (that of a sparse vector: aligned for int32s).
 */
void
vdb_quant_encode_vector(const VdbQuantLayout *layout, const VdbQuantKernels *kernels,
						const VdbRotated *vector, void *stored)
{
	int			n = layout->padded;
	float		largest;
	VdbStoredHeader header = {0};
	char	   *codes = (char *) stored + VDB_STORED_HEADER_BYTES;
	int			shift;
	float		unit;

	if (!vdb_codec_is_rotated(layout->codec))
	{
		vdb_quant_form(layout)->encode(layout, vector, stored);
		return;
	}
	largest = kernels->max_abs(n, vector->x);
	if (largest == 0)
	{
		memset(stored, 0, layout->vector_bytes);
		header.step = 1;
		memcpy(stored, &header, sizeof(header));
		return;
	}

	/* the largest coordinate is in [1, 2) in units of 2^header.exponent */
	frexpf(largest, &shift);
	shift--;
	header.exponent = vector->exponent + shift;
	unit = ldexpf(1, -shift);
	if (layout->codec == VDB_CODEC_INT8)
	{
		header.step = largest * unit / 127;
		kernels->to_int8(n, vector->x, 127 / largest, (int8 *) codes);
		header.size.squares = (uint32)
								  kernels->dot_int8(n, (const int8 *) codes, (const int8 *) codes);
	}
	else
	{
		header.step = 1;
		kernels->to_half(n, vector->x, unit, (uint16 *) codes);
		header.size.norm = sqrtf(kernels->ip_halves(n, (const uint16 *) codes,
													(const uint16 *) codes));
	}
	header.error = vdb_radius_above(decoding_error(layout, kernels, vector->x,
												   &header, unit, codes));
	memcpy(stored, &header, sizeof(header));
}

/*
 * An upper bound of |x * unit - decoded|.  Works by blocks, to need no memory
 * of the dimension's size.
 */
static float
decoding_error(const VdbQuantLayout *layout, const VdbQuantKernels *kernels,
			   const float *x, const VdbStoredHeader *header, float unit,
			   const void *codes)
{
	double		sum = 0;
	float		decoded[64];
	float		difference[64];

	for (int i = 0; i < layout->padded; i += 64)
	{
		if (layout->codec == VDB_CODEC_INT8)
			kernels->from_int8(64, (const int8 *) codes + i, header->step, decoded);
		else
			kernels->from_half(64, (const uint16 *) codes + i, 1, decoded);
		sum += kernels->residual(64, x + i, unit, decoded, difference);
	}
	/* more than the rounding of 64 terms and of the decoded values */
	return (float) (sqrt(sum) * 1.0001 + 1e-7 * sqrt(layout->padded));
}

/*
 * The decoded vector, in layout->padded floats at out: what every distance
 * and code is computed from.  One that is not rotated is a view of stored.
 */
VdbRotated
vdb_quant_decode_vector(const VdbQuantLayout *layout, const VdbQuantKernels *kernels,
						const void *stored, float *out)
{
	VdbStoredHeader header = vdb_stored_header(stored);
	const void *codes = vdb_stored_codes(stored);
	VdbRotated	result = {header.exponent, 0, out};

	if (!vdb_codec_is_rotated(layout->codec))
		return vdb_quant_form(layout)->decode(layout, stored);
	if (layout->codec == VDB_CODEC_INT8)
		kernels->from_int8(layout->padded, (const int8 *) codes, header.step, out);
	else
		kernels->from_half(layout->padded, (const uint16 *) codes, 1, out);
	result.norm = (float) vdb_stored_norm(layout, &header);
	return result;
}

/*
 * The norm of a decoded vector.
 */
double
vdb_quant_vector_norm(const VdbQuantLayout *layout, const void *stored)
{
	VdbStoredHeader header = vdb_stored_header(stored);

	return ldexp(vdb_stored_norm(layout, &header), header.exponent);
}

/*
 * ldexp() without a call where its power of two is an ordinary number.
 */
static inline double
scale_exactly(double value, int exponent)
{
	uint64		bits = (uint64) (exponent + 1023) << 52;
	double		power;

	if (abs(exponent) > 1000)
		return ldexp(value, exponent);
	memcpy(&power, &bits, sizeof(power));
	return value * power;
}

/*
 * The distance of two stored vectors: squared for L2, the negative inner
 * product, for cosine half of the squared distance, else as the operator has it.
 * Symmetric to the bit; 0 for equal vectors, but for the inner product.
 */
double
vdb_quant_vector_distance(const VdbQuantLayout *layout, const VdbQuantKernels *kernels,
						  const void *a, const void *b)
{
	VdbStoredHeader ha = vdb_stored_header(a);
	VdbStoredHeader hb = vdb_stored_header(b);
	int			gap;
	double		distance;

	if (!vdb_codec_is_rotated(layout->codec))
		return vdb_quant_form(layout)->distance(layout, kernels, a, b);

	/* a is the larger one, and its exponent the unit */
	if (ha.exponent < hb.exponent)
	{
		VdbStoredHeader header = ha;
		const void *stored = a;

		ha = hb;
		hb = header;
		a = b;
		b = stored;
	}
	gap = Min(ha.exponent - hb.exponent, VDB_MAX_GAP);

	if (layout->codec == VDB_CODEC_INT8)
	{
		double		sa = ha.step;
		double		sb = ldexp(hb.step, -gap);
		double		dot = sa * sb *
			kernels->dot_int8(layout->padded, vdb_stored_codes(a), vdb_stored_codes(b));

		if (layout->metric == VDB_METRIC_IP)
			distance = -dot;
		else
			distance = Max(0, (sa * sa * ha.size.squares + sb * sb * hb.size.squares) - 2 * dot);
	}
	else if (layout->metric == VDB_METRIC_L1)
		return ldexp(kernels->l1_halves(layout->padded, vdb_stored_codes(a),
										vdb_stored_codes(b), vdb_power_of_two(-gap)),
					 ha.exponent);
	else if (layout->metric == VDB_METRIC_IP)
		distance = -ldexp(kernels->ip_halves(layout->padded, vdb_stored_codes(a),
											 vdb_stored_codes(b)),
						  -gap);
	else
		distance = kernels->l2sq_halves(layout->padded, vdb_stored_codes(a),
										vdb_stored_codes(b), vdb_power_of_two(-gap));
	if (layout->metric == VDB_METRIC_COSINE)
		distance /= 2;
	return scale_exactly(distance, 2 * ha.exponent);
}

/*
 * What vdb_quant_encode_vector() cannot have written at stored, or NULL.  Any
 * bytes may be there.
 */
const char *
vdb_quant_vector_fault(const VdbQuantLayout *layout, const VdbQuantKernels *kernels,
					   const void *stored)
{
	VdbStoredHeader header = vdb_stored_header(stored);
	const void *codes = vdb_stored_codes(stored);
	double		coarsest;
	double		norm;

	if (!vdb_codec_is_rotated(layout->codec))
		return vdb_quant_form(layout)->fault(layout, stored);
	if (abs(header.exponent) > MAX_EXPONENT)
		return "exponent is out of range";
	if (layout->codec == VDB_CODEC_INT8)
	{
		if (!(header.step > 0 && header.step <= 1))
			return "step is out of range";
		if (header.size.squares != (uint32) kernels->dot_int8(layout->padded, codes, codes))
			return "sum of squares does not agree with the elements";
		coarsest = header.step * sqrt(layout->padded);
	}
	else
	{
		float		squares = kernels->ip_halves(layout->padded, codes, codes);

		if (header.step != 1)
			return "step is out of range";
		/* not by !=: a NaN agrees with nothing */
		if (!(isfinite(squares) && header.size.norm == sqrtf(squares)))
			return "norm does not agree with the elements";
		coarsest = header.size.norm / 1024 + sqrt(layout->padded) / 1048576;
	}
	if (vdb_radius_to_float(header.error) > coarsest)
		return "error of quantization is out of range";
	norm = ldexp(vdb_stored_norm(layout, &header), header.exponent);
	if (layout->metric == VDB_METRIC_COSINE &&
		fabs(norm - 1) > ldexp(coarsest, header.exponent) + 0.001)
		return "norm is not 1";
	return NULL;
}
