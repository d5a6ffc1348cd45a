/*-------------------------------------------------------------------------
 *
 * quant_layout.c
 *	  Codec, bits, code length and bytes for a dimension and a metric.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "quantize.h"

/*
 * Fills layout with a given form; false if there is none such: dimensions out
 * of range, codes for L1, bits other than 0, 1, 2, 4, code_dims that are not a
 * multiple of 64 or more than the padded dimension, int8 for L1.
 */
bool
vdb_layout_form(VdbQuantLayout *layout, const VdbLayoutRequest *request,
				VdbVectorCodec codec, int bits, int code_dims)
{
	bool		has_codes = bits > 0;

	memset(layout, 0, sizeof(*layout));
	if (request->dim < 1 || request->dim > VDB_QUANT_MAX_PADDED)
		return false;
	layout->metric = request->metric;
	layout->dim = request->dim;
	layout->padded = (request->dim + 63) / 64 * 64;
	layout->codec = codec;
	layout->bits = bits;
	layout->code_dims = code_dims;

	if (codec != VDB_CODEC_INT8 && codec != VDB_CODEC_HALF)
		return false;
	if (bits != 0 && bits != 1 && bits != 2 && bits != 4)
		return false;
	if (code_dims % 64 != 0 || code_dims < 0 || code_dims > layout->padded ||
		(code_dims > 0) != has_codes)
		return false;
	if (request->metric == VDB_METRIC_L1 && (has_codes || codec == VDB_CODEC_INT8))
		return false;

	layout->vector_bytes = VDB_STORED_HEADER_BYTES +
		layout->padded * (codec == VDB_CODEC_INT8 ? 1 : 2);
	layout->code_bytes = code_dims * bits / 8;
	layout->slot_bytes = request->link_bytes +
		(has_codes ? VDB_SLOT_FACTOR_BYTES + layout->code_bytes : 0);
	return true;
}

/*
 * Bytes of a node with a number of links.
 */
int
vdb_layout_node_bytes(const VdbQuantLayout *layout, const VdbLayoutRequest *request,
					  int links)
{
	return request->node_bytes + layout->vector_bytes + links * layout->slot_bytes;
}
