/*-------------------------------------------------------------------------
 *
 * quant_proxy.c
 *	  Proxies: short forms of stored float16 vectors, which a build compares
 *	  in their place wherever that makes no difference.
 *
 * See the README, "Proxies".
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include <math.h>

#include "quant_half.h"
#include "quant_stored.h"

/* Coordinates that are decoded at a time; a multiple of 64 */
#define BLOCK 512

/* From so many dimensions on proxies pay */
#define LEAST_PADDED 192

/* Proxies whose dot products are computed at once */
#define CHUNK 8

/*
 * The standard deviation of a distance (not squared) that proxies give, as a
 * part of it: where it may be more, the stored vectors are compared.
 */
#define MOST_DEVIATION 0.005

/* Behind the codes of a proxy; in units of the original vectors */
typedef struct ProxyTail
{
	double		step;			/* x is about step * code */
	double		squares;		/* about |x|^2, less what makes up for error */
	double		error;			/* |x - step * code|^2 */
	double		norm;			/* |x|^2 */
} ProxyTail;

/* To whole cache lines, if the caller puts the first on one */
#define TAIL_BYTES 64

StaticAssertDecl(sizeof(ProxyTail) <= TAIL_BYTES, "the tail of a proxy has room");

static ProxyTail
proxy_tail(const VdbQuantLayout *layout, const void *proxy)
{
	ProxyTail	tail;

	memcpy(&tail, (const char *) proxy + layout->padded, sizeof(tail));
	return tail;
}

/*
 * Bytes of a proxy, a multiple of 64; 0 where vectors are compared as they are.
 */
Size
vdb_quant_proxy_size(const VdbQuantLayout *layout)
{
	if (layout->codec != VDB_CODEC_HALF || layout->metric == VDB_METRIC_L1 ||
		layout->padded < LEAST_PADDED)
		return 0;
	return (Size) layout->padded + TAIL_BYTES;
}

/*
 * Writes the proxy of a stored vector.
 */
void
vdb_quant_make_proxy(const VdbQuantLayout *layout, const VdbQuantKernels *kernels,
					 const void *stored, void *proxy)
{
	VdbStoredHeader header = vdb_stored_header(stored);
	const char *halves = vdb_stored_codes(stored);
	int8	   *codes = proxy;
	double		unit = ldexp(1, header.exponent);
	ProxyTail	tail = {0};
	float		largest = 0;
	float		x[BLOCK];
	float		decoded[BLOCK];

	memset(proxy, 0, vdb_quant_proxy_size(layout));
	for (int i = 0; i < layout->padded; i += BLOCK)
	{
		int			n = Min(BLOCK, layout->padded - i);

		kernels->from_half(n, (const uint16 *) (halves + 2 * (Size) i), 1, x);
		largest = Max(largest, kernels->max_abs(n, x));
	}
	if (largest > 0)
	{
		float		step = largest / 127;

		for (int i = 0; i < layout->padded; i += BLOCK)
		{
			int			n = Min(BLOCK, layout->padded - i);

			kernels->from_half(n, (const uint16 *) (halves + 2 * (Size) i), 1, x);
			kernels->to_int8(n, x, 127 / largest, codes + i);
			kernels->from_int8(n, codes + i, step, decoded);
			tail.error += kernels->residual(n, x, 1, decoded, decoded);
		}
		tail.error *= unit * unit;
		tail.step = step * unit;
		tail.squares = tail.step * tail.step * kernels->dot_int8(layout->padded, codes, codes) -
			tail.error;
		tail.norm = (double) header.size.norm * header.size.norm * unit * unit;
	}
	memcpy((char *) proxy + layout->padded, &tail, sizeof(tail));
}

/*
 * vdb_quant_vector_distance() times scale from one vector to n others, almost:
 * by their proxies, or from the stored vectors where the deviation of that
 * would count.  The proxies are vdb_quant_make_proxy()'s.
 */
void
vdb_quant_proxy_distances(const VdbQuantLayout *layout, const VdbQuantKernels *kernels,
						  double scale, VdbProxied from, const VdbProxied *to, int n,
						  float *out)
{
	ProxyTail	a = proxy_tail(layout, from.proxy);
	double		least = 1 / (MOST_DEVIATION * MOST_DEVIATION * layout->padded);

	while (n > 0)
	{
		int			count = Min(n, CHUNK);
		const int8 *rows[CHUNK];
		int32		dots[CHUNK];

		for (int i = 0; i < count; i++)
			rows[i] = to[i].proxy;
		kernels->dots_int8(layout->padded, from.proxy, rows, count, dots);
		for (int i = 0; i < count; i++)
		{
			ProxyTail	b = proxy_tail(layout, to[i].proxy);
			double		product = a.step * b.step * dots[i];
			double		square = (a.squares + b.squares) - 2 * product;

			/* zero vectors have no error, but their distance is 0, too */
			if (square <= least * (a.error + b.error))
				out[i] = (float) (scale * vdb_quant_vector_distance(layout, kernels, from.stored, to[i].stored));
			else if (layout->metric == VDB_METRIC_L2)
				out[i] = (float) (scale * square);
			else if (layout->metric == VDB_METRIC_COSINE)
				out[i] = (float) (scale * (square / 2));
			else if (square < Min(a.norm, b.norm))
				out[i] = (float) (scale * ((square - (a.norm + b.norm)) / 2));
			else
				out[i] = (float) (scale * -product);
		}
		to += count;
		out += count;
		n -= count;
	}
}
