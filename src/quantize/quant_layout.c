/*-------------------------------------------------------------------------
 *
 * quant_layout.c
 *	  Codec, bits, code length and bytes for a dimension and a metric.
 *
 * The choice follows from two things measured by bench/bench_layout.c.  The
 * nodes that a search must visit for a given recall depend on the code only
 * through the variance v of its estimates, as 1 + 0.8 v (README, "Which form
 * for which dimension").  And int8 vectors are as good as float16 ones once
 * the best results are put in exact order, which float16 needs less often.
 *
 * So: of the forms that keep the index within the size that is allowed, take
 * the one with the smallest product of the pages that a search reads and the
 * square root of the space of a node, which is what it costs to keep them in
 * memory; and float16 where it takes no more space.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include <math.h>

#include "quantize.h"

/* Nodes visited grow by so much with the variance of the estimates. */
#define VISITS_PER_VARIANCE 0.8

/* From this dimension on, no larger than pgvector's index; 1.5 times below. */
#define EQUAL_SIZE_DIM 256
#define SMALL_DIM_ALLOWANCE 1.5

/* More than any node takes */
#define MOST_SPACE 1e6

static bool search_forms(VdbQuantLayout *best, const VdbLayoutRequest *request,
						 double allowed);
static double allowed_space(const VdbLayoutRequest *request);
static double node_space(const VdbQuantLayout *layout, const VdbLayoutRequest *request);
static int	vector_pages(const VdbQuantLayout *layout, const VdbLayoutRequest *request);
static bool set_split(VdbQuantLayout *layout, const VdbLayoutRequest *request, bool is_split);

/*
 * Fills layout with a given form; false if there is none such: dimensions out
 * of range, codes for L1, bits other than 0, 1, 2, 4, code_dims that are not a
 * multiple of 64 or more than the padded dimension, int8 for L1.
 */
bool
vdb_quant_form_layout(VdbQuantLayout *layout, const VdbLayoutRequest *request,
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
 * Bytes of a node with a number of links, without its vector if that is split
 * off.
 */
int
vdb_quant_node_bytes(const VdbQuantLayout *layout, const VdbLayoutRequest *request,
					 int links)
{
	return request->node_bytes + (layout->is_split ? 0 : layout->vector_bytes) +
		links * layout->slot_bytes;
}

/*
 * The variance of an estimate's error, in the unit of the README's formula:
 * 1/cos^2 - 1.
 */
double
vdb_quant_variance(const VdbQuantLayout *layout)
{
	double		full = layout->bits == 1 ? 2 / M_PI : layout->bits == 2 ? 0.8812 :
																	 0.9885;

	return layout->padded / (full * layout->code_dims) - 1;
}

/*
 * Chooses the form of an index; false if the dimension is out of range or not
 * even a split node fits a page.
 */
bool
vdb_quant_choose_layout(VdbQuantLayout *layout, const VdbLayoutRequest *request)
{
	if (request->dim < 1 || request->dim > VDB_QUANT_MAX_PADDED)
		return false;
	if (request->metric == VDB_METRIC_L1)
		return vdb_quant_form_layout(layout, request, VDB_CODEC_HALF, 0, 0) &&
			(set_split(layout, request, false) || set_split(layout, request, true));

	/* Few dimensions, padded to 64, may need more than is allowed. */
	for (double allowed = allowed_space(request);; allowed *= 1.1)
	{
		if (search_forms(layout, request, allowed))
			return true;
		if (allowed > MOST_SPACE)
			return false;
	}
}

/*
 * Finds the best form of all with codes that takes no more than the space
 * allowed for a node.
 */
static bool
search_forms(VdbQuantLayout *best, const VdbLayoutRequest *request, double allowed)
{
	int			padded = (request->dim + 63) / 64 * 64;
	double		best_cost = INFINITY;

	for (int bits = 1; bits <= 4; bits *= 2)
	{
		/* more bits for fewer dimensions are never better */
		for (int dims = padded; dims > 0 && (bits == 1 || dims == padded); dims -= 64)
		{
			for (int is_split = 0; is_split <= 1; is_split++)
			{
				VdbQuantLayout layout;
				double		space;
				double		cost;

				if (!vdb_quant_form_layout(&layout, request, VDB_CODEC_INT8, bits, dims) ||
					!set_split(&layout, request, is_split))
					continue;
				space = node_space(&layout, request);
				cost = (1 + VISITS_PER_VARIANCE * vdb_quant_variance(&layout)) *
					(1 + (is_split ? vector_pages(&layout, request) : 0)) * sqrt(space);
				if (space <= allowed && cost < best_cost)
				{
					best_cost = cost;
					*best = layout;
				}
			}
		}
	}
	if (best_cost < INFINITY)
	{
		VdbQuantLayout half;

		if (vdb_quant_form_layout(&half, request, VDB_CODEC_HALF, best->bits, best->code_dims) &&
			set_split(&half, request, best->is_split) &&
			node_space(&half, request) <= node_space(best, request))
			*best = half;
	}
	return best_cost < INFINITY;
}

/*
 * The space that a node may take: a page's divided by the number of nodes that
 * pgvector 0.8 puts on one, each an element of 80 bytes and the vector, a
 * list of 4 bytes and 6 for each neighbour, and two line pointers.
 */
static double
allowed_space(const VdbLayoutRequest *request)
{
	int			peer = MAXALIGN(80 + 4 * request->dim) +
		MAXALIGN(4 + 6 * request->max_links) + 2 * 4;
	int			peers = request->page_bytes / peer;

	if (peers == 0)
		return INFINITY;
	return (double) request->page_bytes / peers *
		(request->dim < EQUAL_SIZE_DIM ? SMALL_DIM_ALLOWANCE : 1);
}

/*
 * The bytes that a node takes of the index, with what pages cannot use.
 */
static double
node_space(const VdbQuantLayout *layout, const VdbLayoutRequest *request)
{
	int			bytes = vdb_quant_node_bytes(layout, request, request->links);

	return (double) request->page_bytes / (request->page_bytes / bytes) +
		(layout->is_split ? vector_pages(layout, request) * request->page_bytes : 0);
}

/*
 * The pages that a search reads for a vector that is split off.
 */
static int
vector_pages(const VdbQuantLayout *layout, const VdbLayoutRequest *request)
{
	return (layout->vector_bytes + request->page_bytes - 1) / request->page_bytes;
}

/*
 * Sets whether the vector is split off; false if the largest node does not fit
 * a page then.
 */
static bool
set_split(VdbQuantLayout *layout, const VdbLayoutRequest *request, bool is_split)
{
	layout->is_split = is_split;
	return vdb_quant_node_bytes(layout, request, request->max_links) <= request->page_bytes;
}
