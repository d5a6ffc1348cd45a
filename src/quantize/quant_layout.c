/*-------------------------------------------------------------------------
 *
 * quant_layout.c
 *	  Codec, bits, code length, slots and nodes a page for a dimension and a
 *	  metric.
 *
 * All nodes of an index have the same number of slots, and a page has room for
 * a whole number of them.  The choice follows from what was measured (README,
 * "Which form for which dimension"): the nodes that a search must visit for a
 * given recall depend on the code only through the variance v of its
 * estimates, as 1 + 0.8 v; and on the slots as 1 + 0.5 (most / slots - 1).  int8
 * vectors find what float16 ones find, but their bounds overlap, and a search
 * must read rows of the table to put its answers in order.
 *
 * So: of the forms that keep the index within the size that is allowed, take
 * the one with the smallest product of visits, the pages that a visit reads,
 * the square root of the space of a node, which is what it costs to keep them
 * in memory, and a factor for int8.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include <math.h>

#include "quant_form.h"

/* Nodes visited grow by so much with the variance of the estimates, */
#define VISITS_PER_VARIANCE 0.8
/* and by so much with the slots that are missing. */
#define VISITS_PER_MISSING 0.5

/* What exact distances cost a search on int8 vectors, in visits */
#define INT8_COST 1.6
#define INT8_COST_TOASTED 2.0

/* Vectors of this many floats leave the table's page. */
#define TOASTED_DIM 500

/* From this dimension on, no larger than pgvector's index; 1.5 times below. */
#define EQUAL_SIZE_DIM 256
#define SMALL_DIM_ALLOWANCE 1.5

/* More than any node takes */
#define MOST_SPACE 1e6

/* A form and what it costs */
typedef struct Best
{
	VdbQuantLayout layout;
	double		cost;
} Best;

static bool search_forms(VdbQuantLayout *layout, const VdbLayoutRequest *request,
						 int min_slots, double allowed);
static void try_pages(Best *best, const VdbQuantLayout *form,
					  const VdbLayoutRequest *request, int min_slots, double allowed);
static double allowed_space(const VdbLayoutRequest *request);
static double node_space(const VdbQuantLayout *layout, const VdbLayoutRequest *request);
static double search_cost(const VdbQuantLayout *layout, const VdbLayoutRequest *request);

/*
 * Fills layout with a form of its own kind: neither padded nor with codes.
 */
static bool
form_unrotated(VdbQuantLayout *layout, const VdbLayoutRequest *request, int bits, int code_dims)
{
	if (request->dim < 1 || bits != 0 || code_dims != 0)
		return false;
	layout->padded = 1;
	layout->slot_bytes = request->link_bytes;
	return vdb_quant_form(layout)->lay_out(layout, request);
}

/*
 * Fills layout with a given form, not yet placed on pages; false if there is
 * none such: dimensions out of range, codes for L1, bits other than 0, 1, 2, 4, code_dims that are not a
 * multiple of 64 or more than the padded dimension, int8 for L1.
 */
bool
vdb_quant_form_layout(VdbQuantLayout *layout, const VdbLayoutRequest *request,
					  VdbVectorCodec codec, int bits, int code_dims)
{
	bool		has_codes = bits > 0;

	memset(layout, 0, sizeof(*layout));
	layout->metric = request->metric;
	layout->dim = request->dim;
	layout->codec = codec;
	layout->bits = bits;
	layout->code_dims = code_dims;
	if (codec == VDB_CODEC_BITS || codec == VDB_CODEC_SPARSE)
		return form_unrotated(layout, request, bits, code_dims);
	if (request->dim < 1 || request->dim > VDB_QUANT_MAX_PADDED ||
		request->metric > VDB_METRIC_L1)
		return false;
	layout->padded = (request->dim + 63) / 64 * 64;

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
 * Places nodes of a form on pages: nodes_per_page of them, with as many slots
 * as fit, max_slots at most, and their vectors elsewhere if is_split.  False if
 * there is no room for one slot.
 */
bool
vdb_quant_place_nodes(VdbQuantLayout *layout, const VdbLayoutRequest *request,
					  int nodes_per_page, bool is_split)
{
	int			share = request->page_bytes / nodes_per_page / 8 * 8;
	int			fixed = request->node_bytes + (is_split ? 0 : layout->vector_bytes);

	if (share < fixed + layout->slot_bytes)
		return false;
	layout->is_split = is_split;
	layout->nodes_per_page = nodes_per_page;
	layout->slots = Min((share - fixed) / layout->slot_bytes, request->max_slots);
	layout->node_bytes = (fixed + layout->slots * layout->slot_bytes + 7) / 8 * 8;
	layout->vector_pages = !is_split ? 0 : (layout->vector_bytes + request->page_bytes - 1) / request->page_bytes;
	return true;
}

/*
 * The variance of an estimate's error, in the unit of the README's formula:
 * 1/cos^2 - 1; 0 without codes.
 */
double
vdb_quant_variance(const VdbQuantLayout *layout)
{
	double		full = layout->bits == 1 ? 2 / M_PI : layout->bits == 2 ? 0.8812 :
																	 0.9885;

	return layout->bits == 0 ? 0 : layout->padded / (full * layout->code_dims) - 1;
}

/*
 * Places nodes whose vectors are not rotated: by the one form there is.  Sparse
 * vectors then get what room is left on the pages.
 */
static bool
choose_unrotated(VdbQuantLayout *layout, const VdbLayoutRequest *request)
{
	VdbLayoutRequest wanted = *request;
	VdbQuantLayout form;
	Best		best;

	best.cost = INFINITY;
	if (!vdb_quant_form_layout(&form, request, request->codec, 0, 0))
		return false;
	for (int min_slots = request->max_slots;
		 min_slots >= Max(1, request->max_slots / 2) && best.cost == INFINITY; min_slots--)
		try_pages(&best, &form, request, min_slots, INFINITY);
	if (best.cost == INFINITY)
		return false;
	*layout = best.layout;
	while (layout->elements > 0)
	{
		wanted.elements++;
		if (!vdb_quant_form_layout(&form, &wanted, request->codec, 0, 0) ||
			!vdb_quant_place_nodes(&form, &wanted, layout->nodes_per_page, layout->is_split) ||
			form.slots < layout->slots || form.vector_pages > layout->vector_pages)
			break;
		*layout = form;
	}
	return true;
}

/*
 * Chooses the form of an index; false if the dimension is out of range or not
 * even a split node with half of max_slots fits a page.
 */
bool
vdb_quant_choose_layout(VdbQuantLayout *layout, const VdbLayoutRequest *request)
{
	if (request->codec != VDB_CODEC_NONE)
		return choose_unrotated(layout, request);
	if (request->dim < 1 || request->dim > VDB_QUANT_MAX_PADDED)
		return false;

	/* rather a larger index than too few slots; few only if nothing else fits */
	for (int min_slots = Min(request->min_slots, request->max_slots);
		 min_slots >= Max(1, request->max_slots / 2); min_slots--)
	{
		double		allowed = allowed_space(request);

		/* Few dimensions, padded to 64, may need more than is allowed. */
		for (;; allowed *= 1.1)
		{
			if (search_forms(layout, request, min_slots, allowed))
				return true;
			if (allowed > MOST_SPACE)
				break;
		}
	}
	return false;
}

/*
 * Finds the best form of all that have the slots and take no more than the
 * space allowed for a node.  L1 has no codes, but all slots.
 */
static bool
search_forms(VdbQuantLayout *layout, const VdbLayoutRequest *request,
			 int min_slots, double allowed)
{
	int			padded = (request->dim + 63) / 64 * 64;
	Best		best;
	VdbQuantLayout form;

	best.cost = INFINITY;
	if (request->metric == VDB_METRIC_L1 &&
		vdb_quant_form_layout(&form, request, VDB_CODEC_HALF, 0, 0))
		try_pages(&best, &form, request, request->max_slots, allowed);

	for (int codec = VDB_CODEC_INT8; codec <= VDB_CODEC_HALF; codec++)
	{
		for (int bits = 1; bits <= 4; bits *= 2)
		{
			/* more bits for fewer dimensions are never better */
			for (int dims = padded; dims > 0 && (bits == 1 || dims == padded); dims -= 64)
			{
				if (vdb_quant_form_layout(&form, request, codec, bits, dims))
					try_pages(&best, &form, request, min_slots, allowed);
			}
		}
	}
	*layout = best.layout;
	return best.cost < INFINITY;
}

/*
 * Tries every number of nodes on a page for a form.
 */
static void
try_pages(Best *best, const VdbQuantLayout *form, const VdbLayoutRequest *request,
		  int min_slots, double allowed)
{
	for (int is_split = 0; is_split <= 1; is_split++)
	{
		VdbQuantLayout layout = *form;

		for (int nodes = 1; vdb_quant_place_nodes(&layout, request, nodes, is_split) && layout.slots >= min_slots; nodes++)
		{
			double		cost = search_cost(&layout, request);

			if (node_space(&layout, request) <= allowed && cost < best->cost)
			{
				best->cost = cost;
				best->layout = layout;
			}
		}
	}
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
		MAXALIGN(4 + 6 * request->max_slots) + 2 * 4;
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
	return request->page_bytes * (1.0 / layout->nodes_per_page + layout->vector_pages);
}

/*
 * What a search costs on an index of this form, in a unit of its own.
 */
static double
search_cost(const VdbQuantLayout *layout, const VdbLayoutRequest *request)
{
	double		visits = (1 + VISITS_PER_VARIANCE * vdb_quant_variance(layout)) *
		(1 + VISITS_PER_MISSING * ((double) request->max_slots / layout->slots - 1));

	if (layout->codec == VDB_CODEC_INT8)
		visits *= request->dim < TOASTED_DIM ? INT8_COST : INT8_COST_TOASTED;
	return visits * (1 + layout->vector_pages) * sqrt(node_space(layout, request));
}
