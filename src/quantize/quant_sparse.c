/*-------------------------------------------------------------------------
 *
 * quant_sparse.c
 *	  Sparse vectors: stored as float32 elements, as many as the layout has room
 *	  for.
 *
 * Of a vector with more elements the largest are kept, and how far the rest is
 * from nothing, as the error of the stored vector: so its distances are certain
 * within that, as those of other stored vectors are within their codecs' error.
 * The bytes are described in the README.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include <float.h>
#include <math.h>

#include "quant_form.h"
#include "quant_half.h"
#include "quant_stored.h"
#include "sparse/sparse.h"

/* After the header: the number of elements; then indices, then values */
#define SPARSE_HEADER_BYTES (VDB_STORED_HEADER_BYTES + (int) sizeof(int32))
#define ELEMENT_BYTES ((int) (sizeof(int32) + sizeof(float)))

/* What sums in double precision are off by, in parts of the terms' magnitudes */
#define SUM_ROUNDING 1e-11
/* Of a result that is rounded to float here, and once by the operator */
#define FLOAT_ROUNDING 0x1p-22
/* Of two normalised vectors together, their norms being 1 */
#define UNIT_ROUNDING 0x1p-22

/* Exponents that norms of at most 16,000 floats can have */
#define MAX_EXPONENT 160

/* An element of a query in the table, by its index; index -1: none */
typedef struct SparseEntry
{
	int32		index;
	float		value;
} SparseEntry;

static uint32 smallest_kept(const VdbRotated *vector, int room, int *nequal);

static inline uint32
magnitude_bits(float value)
{
	return vdb_float_bits(value) & 0x7fffffff;
}

static bool
sparse_lay_out(VdbQuantLayout *layout, const VdbLayoutRequest *request)
{
	if (request->metric > VDB_METRIC_L1 || request->elements < 1 ||
		request->elements > VDB_SPARSE_MAX_ELEMENTS)
		return false;
	layout->elements = request->elements;
	layout->vector_bytes = SPARSE_HEADER_BYTES + layout->elements * ELEMENT_BYTES;
	return true;
}

static inline VdbSparseElements
elements_of(const VdbRotated *vector)
{
	VdbSparseElements result = {vector->count, vector->indices, vector->x};

	return result;
}

/*
 * The norm that goes with a metric: of the sums that distances are made of.
 */
static double
metric_norm(VdbMetric metric, VdbSparseElements elements)
{
	double		sum = 0;

	if (metric != VDB_METRIC_L1)
		return sqrt(vdb_sparse_squares(elements));
	for (int i = 0; i < elements.count; i++)
		sum += fabs(elements.values[i]);
	return sum;
}

/*
 * Fills in norm and exponent; for the cosine, values are divided by the norm,
 * and are then in the buffer.  Those that vanish stay, as zeroes.
 */
static VdbRotated
sparse_prepare(VdbMetric metric, const VdbRotated *vector, float *buffer)
{
	VdbRotated	result = *vector;
	double		norm = metric_norm(metric, elements_of(vector));

	if (metric != VDB_METRIC_COSINE)
	{
		result.norm = (float) frexp(norm, &result.exponent);
		return result;
	}
	result.exponent = 0;
	result.norm = norm > 0 ? 1 : 0;
	result.x = buffer;
	for (int i = 0; i < vector->count; i++)
		buffer[i] = norm > 0 ? (float) (vector->x[i] / norm) : 0;
	return result;
}

/*
 * Elements of equal magnitude are kept in the order of their indices, zeroes
 * never.
 */
static void
sparse_encode(const VdbQuantLayout *layout, const VdbRotated *vector, void *stored)
{
	int			nequal;
	uint32		least = smallest_kept(vector, layout->elements, &nequal);
	VdbStoredHeader header = {0};
	int32	   *indices = (int32 *) ((char *) stored + SPARSE_HEADER_BYTES);
	float	   *values;
	int			exponent;
	int32		count = 0;
	int32		at = 0;
	double		error = 0;
	VdbSparseElements kept;

	memset(stored, 0, (Size) layout->vector_bytes);
	for (int i = 0; i < vector->count; i++)
		count += magnitude_bits(vector->x[i]) > least;
	count += nequal;
	values = (float *) (indices + count);
	for (int i = 0; i < vector->count; i++)
	{
		float		value = vector->x[i];
		uint32		bits = magnitude_bits(value);

		if (bits > least || (bits == least && nequal > 0))
		{
			nequal -= bits == least;
			indices[at] = vector->indices[i];
			values[at++] = value;
		}
		else if (layout->metric == VDB_METRIC_L1)
			error += fabs(value);
		else
			error += (double) value * value;
	}
	kept.count = count;
	kept.indices = indices;
	kept.values = values;
	header.step = 1;
	header.size.norm = (float) frexp(metric_norm(layout->metric, kept), &exponent);
	header.exponent = (int16) exponent;
	if (layout->metric != VDB_METRIC_L1)
		error = sqrt(error);
	header.error = vdb_radius_above((float) (ldexp(error, -exponent) * (1 + FLOAT_ROUNDING)));
	memcpy(stored, &header, sizeof(header));
	memcpy((char *) stored + VDB_STORED_HEADER_BYTES, &count, sizeof(count));
}

/*
 * The magnitude, as bits, that elements must exceed to be kept, and how many of
 * just that magnitude are kept, too.  0 and 0 if there is room for all.
 */
static uint32
smallest_kept(const VdbRotated *vector, int room, int *nequal)
{
	uint32		low = 0;		/* more than room exceed or equal it */
	uint32		high = 0x7f800000; /* none do */
	int			above = 0;

	*nequal = 0;
	if (vector->count <= room)
		return 0;
	while (high - low > 1)
	{
		uint32		middle = low + (high - low) / 2;
		int			n = 0;

		for (int i = 0; i < vector->count; i++)
			n += magnitude_bits(vector->x[i]) >= middle;
		if (n > room)
			low = middle;
		else
		{
			high = middle;
			above = n;
		}
	}
	/* zeroes: all others have room */
	if (low > 0)
		*nequal = room - above;
	return low;
}

static VdbRotated
sparse_decode(const VdbQuantLayout *layout, const void *stored)
{
	VdbStoredHeader header = vdb_stored_header(stored);
	VdbRotated	result = {0};
	int32		count;

	/* on a page anything may stand */
	memcpy(&count, (const char *) stored + VDB_STORED_HEADER_BYTES, sizeof(count));
	result.count = Min(Max(count, 0), layout->elements);
	result.indices = (const int32 *) ((const char *) stored + SPARSE_HEADER_BYTES);
	result.x = (const float *) (result.indices + result.count);
	result.exponent = header.exponent;
	result.norm = header.size.norm;
	return result;
}

static double
sparse_distance(const VdbQuantLayout *layout, const VdbQuantKernels *kernels, const void *a,
				const void *b)
{
	VdbRotated	va = sparse_decode(layout, a);
	VdbRotated	vb = sparse_decode(layout, b);

	switch (layout->metric)
	{
		case VDB_METRIC_IP:
			return -vdb_sparse_ip(elements_of(&va), elements_of(&vb));
		case VDB_METRIC_L1:
			return vdb_sparse_l1(elements_of(&va), elements_of(&vb));
		case VDB_METRIC_COSINE:
			return vdb_sparse_l2sq(elements_of(&va), elements_of(&vb)) / 2;
		default:
			return vdb_sparse_l2sq(elements_of(&va), elements_of(&vb));
	}
}

static const char *
sparse_fault(const VdbQuantLayout *layout, const void *stored)
{
	VdbStoredHeader header = vdb_stored_header(stored);
	const char *bytes = (const char *) stored;
	VdbRotated	vector = sparse_decode(layout, stored);
	double		norm;
	int32		count;

	memcpy(&count, bytes + VDB_STORED_HEADER_BYTES, sizeof(count));
	if (count != vector.count)
		return "number of elements is out of range";
	for (int i = 0; i < count; i++)
	{
		if (vector.indices[i] < 0 || vector.indices[i] >= layout->dim ||
			(i > 0 && vector.indices[i] <= vector.indices[i - 1]))
			return "indices are not in order";
		if (!isfinite(vector.x[i]) || vector.x[i] == 0)
			return "an element is zero or not finite";
	}
	for (int i = SPARSE_HEADER_BYTES + count * ELEMENT_BYTES; i < layout->vector_bytes; i++)
		if (bytes[i] != 0)
			return "bytes beyond the last element are not zero";
	if (header.step != 1 || abs(header.exponent) > MAX_EXPONENT)
		return "exponent is out of range";
	norm = metric_norm(layout->metric, elements_of(&vector));
	/* not by !=: a NaN agrees with nothing */
	if (!(fabs(ldexp(header.size.norm, header.exponent) - norm) <= norm * FLOAT_ROUNDING))
		return "norm does not agree with the elements";
	if (layout->metric == VDB_METRIC_COSINE &&
		fabs(hypot(norm, ldexp(vdb_radius_to_float(header.error), header.exponent)) - 1) > 0.001)
		return "norm is not 1";
	return NULL;
}

/* Places of the table for a query's elements: a power of two, half of it free */
static uint32
table_size(int count)
{
	uint32		size = 16;

	while (size < 2 * (uint32) count)
		size *= 2;
	return size;
}

static inline uint32
table_place(const VdbQuery *query, int32 index)
{
	return ((uint32) index * 2654435769U) >> query->table_shift;
}

static Size
sparse_query_size(const VdbQuantLayout *layout, int count)
{
	return table_size(count) * sizeof(SparseEntry);
}

/*
 * A query is a table of its elements by their index.  It is not cut to the room
 * that stored vectors have.
 */
static void
sparse_init_query(VdbQuery *query, const VdbRotated *vector, double typical_norm, void *buffer)
{
	VdbMetric	metric = query->layout->metric;
	SparseEntry *table = (SparseEntry *) buffer;
	uint32		size = table_size(vector->count);
	int			unit = vector->exponent;
	int			typical = vector->exponent;

	memset(table, 0xFF, size * sizeof(SparseEntry));
	query->table = table;
	query->table_mask = size - 1;
	query->table_shift = 32;
	for (uint32 i = size; i > 1; i /= 2)
		query->table_shift--;
	for (int i = 0; i < vector->count; i++)
	{
		uint32		place = table_place(query, vector->indices[i]);

		while (table[place].index >= 0)
			place = (place + 1) & query->table_mask;
		table[place].index = vector->indices[i];
		table[place].value = vector->x[i];
		if (metric == VDB_METRIC_L1)
			query->sum += fabs(vector->x[i]);
		else
			query->sum += (double) vector->x[i] * vector->x[i];
	}

	if (typical_norm > 0 && typical_norm <= DBL_MAX)
		(void) frexp(typical_norm, &typical);
	if (metric == VDB_METRIC_COSINE)
		unit = 0;
	else if (metric == VDB_METRIC_IP)
		unit = vector->exponent + typical; /* of the product */
	else
		unit = Max(unit, typical);
	query->unit = unit;
	query->norm = ldexp(vector->norm, vector->exponent - unit);
	query->value_scale = metric == VDB_METRIC_IP || metric == VDB_METRIC_L1 ?
		ldexp(1, unit) :
		ldexp(1, 2 * unit);
}

/*
 * The query's value at an index; false if it has none there.
 */
static inline bool
find_value(const VdbQuery *query, int32 index, double *value)
{
	const SparseEntry *table = (const SparseEntry *) query->table;
	uint32		place = table_place(query, index);

	while (table[place].index != index)
	{
		if (table[place].index < 0)
			return false;
		place = (place + 1) & query->table_mask;
	}
	*value = table[place].value;
	return true;
}

/*
 * The stored vector's elements are looked up in the query.  What the query has
 * at other indices is its own sum without that of those found: exactly 0 if
 * there are none, since both sums go in the order of the indices.
 */
static float
sparse_query_distance(const VdbQuery *query, const void *stored)
{
	VdbMetric	metric = query->layout->metric;
	VdbRotated	vector = sparse_decode(query->layout, stored);
	double		found = 0;
	double		sum = 0;
	double		q;

	for (int i = 0; i < vector.count; i++)
	{
		double		x = vector.x[i];

		if (!find_value(query, vector.indices[i], &q))
		{
			if (metric == VDB_METRIC_L1)
				sum += fabs(x);
			else if (metric != VDB_METRIC_IP)
				sum += x * x;
		}
		else if (metric == VDB_METRIC_IP)
			sum -= q * x;
		else if (metric == VDB_METRIC_L1)
		{
			found += fabs(q);
			sum += fabs(q - x);
		}
		else
		{
			found += q * q;
			sum += (q - x) * (q - x);
		}
	}
	if (metric != VDB_METRIC_IP)
		sum += Max(0, query->sum - found);
	sum /= query->value_scale;
	return (float) Max(Min(sum, FLT_MAX), -FLT_MAX);
}

static VdbInterval
around(double value, double error)
{
	VdbInterval result = {value - error, value + error};

	if (result.upper > FLT_MAX)
		result.upper = INFINITY;
	if (result.lower < -FLT_MAX)
		result.lower = -INFINITY;
	return result;
}

/*
 * For a squared distance that is off by rounding, and vectors by error.
 */
static VdbInterval
l2_interval(double squared, double rounding, double error)
{
	VdbInterval result;

	result.lower = Max(0, sqrt(Max(0, squared - rounding)) - error);
	result.upper = sqrt(squared + rounding) + error;
	if (result.upper > 1.8e19)	/* the square may overflow */
		result.upper = INFINITY;
	return result;
}

static VdbInterval
sparse_interval(const VdbQuery *query, VdbStoredHeader header, float distance)
{
	double		norm_q = ldexp(query->norm, query->unit);
	double		norm_x = ldexp(header.size.norm, header.exponent);
	double		left_out = ldexp(vdb_radius_to_float(header.error), header.exponent);
	double		value = distance * query->value_scale;
	double		rounding = fabs(value) * FLOAT_ROUNDING + (1 + query->value_scale) * FLT_MIN;
	VdbInterval result;

	switch (query->layout->metric)
	{
		case VDB_METRIC_IP:
			if (fabs(distance) >= FLT_MAX || norm_q * (norm_x + left_out) > FLT_MAX)
				return around(0, INFINITY); /* a part of the sum may overflow */
			return around(value, norm_q * left_out + SUM_ROUNDING * norm_q * norm_x + rounding);
		case VDB_METRIC_L1:
			result = around(value, left_out + SUM_ROUNDING * (norm_q + norm_x) + rounding);
			result.lower = Max(result.lower, 0);
			break;
		case VDB_METRIC_COSINE:
			result = l2_interval(value, SUM_ROUNDING + rounding, left_out + UNIT_ROUNDING);
			result.lower = Max(0, result.lower * result.lower / 2 - SUM_ROUNDING);
			result.upper = Min(2, result.upper * result.upper / 2 + SUM_ROUNDING);
			return result;
		default:
			result = l2_interval(value, SUM_ROUNDING * (norm_q * norm_q + norm_x * norm_x) + rounding,
								 left_out);
			break;
	}
	/* one that was cut to the range of float */
	if (distance >= FLT_MAX)
		result.upper = INFINITY;
	return result;
}

const VdbVectorForm vdb_quant_sparse_form = {
	.lay_out = sparse_lay_out,
	.prepare = sparse_prepare,
	.encode = sparse_encode,
	.decode = sparse_decode,
	.distance = sparse_distance,
	.fault = sparse_fault,
	.query_size = sparse_query_size,
	.init_query = sparse_init_query,
	.query_distance = sparse_query_distance,
	.interval = sparse_interval
};
