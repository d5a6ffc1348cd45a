/*-------------------------------------------------------------------------
 *
 * quant_bits.c
 *	  Bit strings: stored as they are, all distances exact.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "bit/bit.h"
#include "quant_form.h"
#include "quant_kernels.h"
#include "quant_stored.h"

/* A Jaccard distance as a float is off by less than this part of it. */
#define FLOAT_ROUNDING 0x1p-23

/* Stored vectors are multiples of so many bytes: records follow them in files. */
#define ALIGNMENT 4

static inline Size
bit_bytes(const VdbQuantLayout *layout)
{
	return ((Size) layout->dim + 7) / 8;
}

/*
 * The kernels that count bits.  All give the same, so the level matters only to
 * who wants the slowest.
 */
static const VdbBitKernels *
bit_kernels(const VdbQuantKernels *kernels)
{
	static const VdbBitKernels *best = NULL;

	if (kernels == &vdb_quant_kernels_scalar)
		return &vdb_bit_kernels_scalar;
	if (best == NULL)
		best = vdb_bit_find_kernels(VDB_SIMD_AUTO);
	return best;
}

static bool
bits_lay_out(VdbQuantLayout *layout, const VdbLayoutRequest *request)
{
	Size		bytes;

	if (request->metric != VDB_METRIC_HAMMING && request->metric != VDB_METRIC_JACCARD)
		return false;
	bytes = VDB_STORED_HEADER_BYTES + bit_bytes(layout);
	layout->vector_bytes = (int) ((bytes + ALIGNMENT - 1) / ALIGNMENT * ALIGNMENT);
	return true;
}

static VdbRotated
bits_prepare(VdbMetric metric, const VdbRotated *vector, float *buffer)
{
	return *vector;
}

static void
bits_encode(const VdbQuantLayout *layout, const VdbRotated *vector, void *stored)
{
	VdbStoredHeader header = {0};

	header.step = 1;
	memset(stored, 0, (Size) layout->vector_bytes);
	memcpy(stored, &header, sizeof(header));
	memcpy((char *) stored + VDB_STORED_HEADER_BYTES, vector->bits, bit_bytes(layout));
}

static VdbRotated
bits_decode(const VdbQuantLayout *layout, const void *stored)
{
	VdbRotated	result = {0};

	result.bits = (const uint8 *) vdb_stored_codes(stored);
	return result;
}

static double
bits_between(const VdbQuantLayout *layout, const VdbQuantKernels *kernels, const uint8 *a,
			 const uint8 *b)
{
	const VdbBitKernels *k = bit_kernels(kernels);

	if (layout->metric == VDB_METRIC_HAMMING)
		return (double) k->hamming(bit_bytes(layout), a, b);
	return vdb_bit_jaccard(k->jaccard(bit_bytes(layout), a, b));
}

static double
bits_distance(const VdbQuantLayout *layout, const VdbQuantKernels *kernels, const void *a,
			  const void *b)
{
	return bits_between(layout, kernels, vdb_stored_codes(a), vdb_stored_codes(b));
}

static const char *
bits_fault(const VdbQuantLayout *layout, const void *stored)
{
	VdbStoredHeader header = vdb_stored_header(stored);
	const uint8 *bits = (const uint8 *) vdb_stored_codes(stored);
	Size		room = (Size) layout->vector_bytes - VDB_STORED_HEADER_BYTES;
	Size		bytes = bit_bytes(layout);

	if (header.exponent != 0 || header.error != 0 || header.step != 1 || header.size.norm != 0)
		return "header is not that of a bit string";
	if (layout->dim % 8 != 0 && (bits[bytes - 1] & (0xFF >> (layout->dim % 8))) != 0)
		return "bits beyond the last one are set";
	for (; bytes < room; bytes++)
		if (bits[bytes] != 0)
			return "bytes beyond the last one are not zero";
	return NULL;
}

static Size
bits_query_size(const VdbQuantLayout *layout, int count)
{
	return bit_bytes(layout);
}

static void
bits_init_query(VdbQuery *query, const VdbRotated *vector, double typical_norm, void *buffer)
{
	memcpy(buffer, vector->bits, bit_bytes(query->layout));
	query->bits = (const uint8 *) buffer;
	query->value_scale = 1;
}

static float
bits_query_distance(const VdbQuery *query, const void *stored)
{
	return (float) bits_between(query->layout, query->kernels, vdb_stored_codes(stored),
								query->bits);
}

/*
 * Counts are exact as floats; a Jaccard distance is rounded.
 */
static VdbInterval
bits_interval(const VdbQuery *query, VdbStoredHeader header, float distance)
{
	double		error = query->layout->metric == VDB_METRIC_HAMMING ? 0 : distance * FLOAT_ROUNDING;
	VdbInterval result;

	result.lower = distance - error;
	result.upper = distance + error;
	return result;
}

const VdbVectorForm vdb_quant_bits_form = {
	.lay_out = bits_lay_out,
	.prepare = bits_prepare,
	.encode = bits_encode,
	.decode = bits_decode,
	.distance = bits_distance,
	.fault = bits_fault,
	.query_size = bits_query_size,
	.init_query = bits_init_query,
	.query_distance = bits_query_distance,
	.interval = bits_interval
};
