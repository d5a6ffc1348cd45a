/*-------------------------------------------------------------------------
 *
 * partition_cluster.c
 *	  The centroids of partitions, from a sample.
 *
 * Lloyd's algorithm with a penalty for each centroid, which is added to its
 * distances and grows while too many of the sample are nearest to it.  So
 * partitions come out of about one size, and which one a vector is in depends
 * on nothing but the vector: equal vectors meet.
 *
 * Inner products are taken of vectors of one length: a vector's neighbours are
 * the long ones in its direction.
 *
 * Of bit strings and sparse vectors no mean is formed: their centroids are the
 * vectors of the sample that were chosen first, far from each other, and only
 * the penalties change.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include <math.h>

#include "hnsw/partition_internal.h"

/* Rounds that move centroids, and those that only change penalties */
#define MOVING_ROUNDS 8
#define BALANCE_ROUNDS 24

/* Vectors of the sample that are used for a partition, and in all at least */
#define SAMPLE_A_PART 256
#define LEAST_SAMPLE 8192

typedef struct Clustering
{
	HnswPartitions *p;
	int			k;
	uint64		n;				/* vectors of the sample that are used */
	int			padded;
	int			unit;			/* sums are in units of 2^unit */
	double	   *sums;			/* k of padded coordinates */
	uint64	   *counts;
	double	   *penalties;		/* those of the best balance so far */
	float	   *decoded;
	double		gap;			/* mean difference of the second and the first cost */
	bool		has_means;		/* if not, centroids stay vectors of the sample */
} Clustering;

static const char *sample_vector(const HnswPartitions *p, uint64 i);
static double centroid_cost(const HnswPartitions *p, const void *vector, double length,
							const HnswPartition *part);
static double vector_length(const HnswPartitions *p, const void *vector);
static int	choose_first_centroids(Clustering *c);
static void find_unit(Clustering *c);
static void assign_sample(Clustering *c, bool is_moving);
static void add_to_sum(Clustering *c, int part, const void *vector);
static void move_centroid(Clustering *c, int part);
static double largest_count(const Clustering *c);
static void change_penalties(Clustering *c, double rate);

/*
 * Finds the centroids of at most nparts partitions, one at least; fewer, if
 * the sample has fewer different vectors.
 */
void
vdb_hnsw_partition_cluster(HnswPartitions *p, int nparts)
{
	Size		parts_bytes = MAXALIGN(sizeof(HnswPartition) * (Size) nparts);
	Size		part_bytes = p->vector_bytes + p->record_bytes;
	Size		padded = (Size) p->params.layout->padded;
	double		best = INFINITY;
	Clustering	c;
	char	   *memory;
	int			i;

	/* the partitions, then a centroid and a root for each */
	memory = p->hooks.allocate(p->hooks.arg, parts_bytes + part_bytes * (Size) nparts);
	memset(memory, 0, parts_bytes);
	p->parts = (HnswPartition *) memory;
	for (i = 0; i < nparts; i++)
	{
		p->parts[i].centroid = memory + parts_bytes + part_bytes * (Size) i;
		p->parts[i].root = p->parts[i].centroid + p->vector_bytes;
		p->parts[i].root_cost = INFINITY;
	}
	p->nparts = nparts;
	if (nparts == 1)
	{
		memcpy(p->parts[0].centroid, sample_vector(p, 0), p->vector_bytes);
		return;
	}

	memset(&c, 0, sizeof(c));
	c.p = p;
	c.n = Min(p->nsample, Max(LEAST_SAMPLE, (uint64) nparts * SAMPLE_A_PART));
	c.padded = (int) padded;
	c.sums = p->hooks.allocate(p->hooks.arg, sizeof(double) * padded * (Size) nparts);
	c.counts = p->hooks.allocate(p->hooks.arg, (sizeof(uint64) + sizeof(double)) * (Size) nparts);
	c.penalties = (double *) (c.counts + nparts);
	c.decoded = p->hooks.allocate(p->hooks.arg, sizeof(float) * padded);
	c.k = nparts;
	c.has_means = vdb_codec_is_rotated(p->params.layout->codec);
	p->nparts = c.k = choose_first_centroids(&c);
	if (c.has_means)
		find_unit(&c);

	for (i = 0; i < MOVING_ROUNDS + BALANCE_ROUNDS && c.k > 1; i++)
	{
		bool		is_moving = i < MOVING_ROUNDS;
		double		largest;
		int			part;

		p->hooks.progress(p->hooks.arg, HNSW_PARTITION_CLUSTER, (uint64) i,
						  MOVING_ROUNDS + BALANCE_ROUNDS);
		assign_sample(&c, is_moving);
		for (part = 0; part < c.k && is_moving && c.has_means; part++)
			move_centroid(&c, part);
		largest = largest_count(&c);
		if (!is_moving && largest < best)
		{
			best = largest;
			for (part = 0; part < c.k; part++)
				c.penalties[part] = p->parts[part].penalty;
		}
		change_penalties(&c, is_moving ? 0.3 : 0.5 / (1 + 0.2 * (i - MOVING_ROUNDS)));
	}
	for (i = 0; i < c.k && best < INFINITY; i++)
		p->parts[i].penalty = c.penalties[i];
	p->hooks.release(p->hooks.arg, c.sums);
	p->hooks.release(p->hooks.arg, c.counts);
	p->hooks.release(p->hooks.arg, c.decoded);
}

static const char *
sample_vector(const HnswPartitions *p, uint64 i)
{
	return (const char *) p->params.memory + i * p->vector_bytes;
}

/*
 * What inner products are divided by; 1 for other metrics.
 */
static double
vector_length(const HnswPartitions *p, const void *vector)
{
	if (p->params.layout->metric != VDB_METRIC_IP)
		return 1;
	return sqrt(Max(0, -(double) vdb_hnsw_partition_distance(p, vector, vector)));
}

/*
 * How far a vector is from a centroid, without the penalty; not negative.
 */
static double
centroid_cost(const HnswPartitions *p, const void *vector, double length,
			  const HnswPartition *part)
{
	double		distance = vdb_hnsw_partition_distance(p, vector, part->centroid);

	if (p->params.layout->metric != VDB_METRIC_IP)
		return distance;
	length *= vector_length(p, part->centroid);
	return length > 0 ? Max(0, 1 + distance / length) : 1;
}

/*
 * The nearest two partitions of a vector, penalties counted; second is -1 if
 * there is only one.  Returns the distance from the first one's centroid.
 */
double
vdb_hnsw_partition_nearest(const HnswPartitions *p, const void *vector, int *first,
						   int *second)
{
	double		length = vector_length(p, vector);
	double		least = INFINITY;
	double		next = INFINITY;
	double		cost = 0;
	int			i;

	*first = 0;
	*second = -1;
	for (i = 0; i < p->nparts; i++)
	{
		double		plain = centroid_cost(p, vector, length, &p->parts[i]);
		double		total = plain + p->parts[i].penalty;

		if (i == 0 || total < least)
		{
			if (i > 0)
				*second = *first;
			next = least;
			*first = i;
			least = total;
			cost = plain;
		}
		else if (*second < 0 || total < next)
		{
			*second = i;
			next = total;
		}
	}
	return cost;
}

/*
 * Takes vectors of the sample as centroids, each with a probability that grows
 * with its distance from those before it (k-means++, Arthur and Vassilvitskii
 * 2007).  Returns their number, less than k if the sample has no more.
 */
static int
choose_first_centroids(Clustering *c)
{
	HnswPartitions *p = c->p;
	/* the other half of the sample's memory is free */
	float	   *nearest = (float *) ((char *) p->params.memory +
									 MAXALIGN(p->nsample * p->vector_bytes));
	uint64		chosen = vdb_hnsw_mix(p->params.seed) % c->n;
	int			k = 0;

	for (;;)
	{
		HnswPartition *part = &p->parts[k];
		double		sum = 0;
		double		goal;
		uint64		i;

		memcpy(part->centroid, sample_vector(p, chosen), p->vector_bytes);
		if (++k == c->k)
			return k;
		for (i = 0; i < c->n; i++)
		{
			const char *vector = sample_vector(p, i);
			float		cost = (float) centroid_cost(p, vector, vector_length(p, vector), part);

			nearest[i] = k == 1 ? cost : Min(nearest[i], cost);
			sum += nearest[i];
		}
		p->hooks.progress(p->hooks.arg, HNSW_PARTITION_CLUSTER, 0, MOVING_ROUNDS + BALANCE_ROUNDS);
		if (!(sum > 0))
			return k;
		goal = (double) (vdb_hnsw_mix(p->params.seed + (uint64) k) >> 11) / 9007199254740992.0 * sum;
		for (i = 0, chosen = 0; i < c->n && goal >= 0; i++)
		{
			if (nearest[i] > 0)
				chosen = i;
			goal -= nearest[i];
		}
	}
}

/*
 * The largest exponent of the sample is the unit of sums.
 */
static void
find_unit(Clustering *c)
{
	const HnswPartitionParams *params = &c->p->params;
	uint64		i;

	for (i = 0; i < c->n; i++)
	{
		VdbRotated	decoded = vdb_quant_decode_vector(params->layout, params->kernels,
													  sample_vector(c->p, i), c->decoded);

		c->unit = i == 0 ? decoded.exponent : Max(c->unit, decoded.exponent);
	}
}

/*
 * Counts the sample's vectors by partition, and sums them if centroids shall
 * move.
 */
static void
assign_sample(Clustering *c, bool is_moving)
{
	HnswPartitions *p = c->p;
	double		gaps = 0;
	uint64		i;

	memset(c->counts, 0, sizeof(uint64) * (Size) c->k);
	if (is_moving)
		memset(c->sums, 0, sizeof(double) * (Size) c->padded * (Size) c->k);
	for (i = 0; i < c->n; i++)
	{
		const char *vector = sample_vector(p, i);
		int			first;
		int			second;
		double		cost = vdb_hnsw_partition_nearest(p, vector, &first, &second);

		c->counts[first]++;
		if (!is_moving)
			continue;
		if (c->has_means)
			add_to_sum(c, first, vector);
		gaps += fabs(centroid_cost(p, vector, vector_length(p, vector), &p->parts[second]) - cost);
	}
	if (is_moving)
		c->gap = gaps / (double) c->n;
}

static void
add_to_sum(Clustering *c, int part, const void *vector)
{
	const HnswPartitionParams *params = &c->p->params;
	VdbRotated	decoded = vdb_quant_decode_vector(params->layout, params->kernels, vector,
												  c->decoded);
	double	   *sum = c->sums + (Size) part * (Size) c->padded;
	double		scale = params->layout->metric == VDB_METRIC_IP ?
		(decoded.norm > 0 ? 1 / decoded.norm : 0) :
		ldexp(1, decoded.exponent - c->unit);
	int			i;

	for (i = 0; i < c->padded; i++)
		sum[i] += scale * decoded.x[i];
}

/*
 * Moves a centroid to the mean of its vectors; one without any stays.
 */
static void
move_centroid(Clustering *c, int part)
{
	const HnswPartitionParams *params = &c->p->params;
	const double *sum = c->sums + (Size) part * (Size) c->padded;
	double		largest = 0;
	VdbRotated	mean = {0, 0, c->decoded};
	int			exponent;
	int			i;

	if (c->counts[part] == 0)
		return;
	for (i = 0; i < c->padded; i++)
		largest = Max(largest, fabs(sum[i]) / (double) c->counts[part]);
	(void) frexp(largest, &exponent);
	for (i = 0; i < c->padded; i++)
		c->decoded[i] = (float) ldexp(sum[i] / (double) c->counts[part], -exponent);
	mean.exponent = c->unit + (params->layout->metric == VDB_METRIC_IP ? 0 : exponent);
	vdb_quant_encode_vector(params->layout, params->kernels, &mean, c->p->parts[part].centroid);
}

static double
largest_count(const Clustering *c)
{
	uint64		largest = 0;
	int			i;

	for (i = 0; i < c->k; i++)
		largest = Max(largest, c->counts[i]);
	return (double) largest;
}

/*
 * Changes penalties by rate times what counts differ from their mean.
 */
static void
change_penalties(Clustering *c, double rate)
{
	double		mean = (double) c->n / c->k;
	int			i;

	for (i = 0; i < c->k; i++)
		c->p->parts[i].penalty += rate * c->gap * Min(2, (double) c->counts[i] / mean - 1);
}
