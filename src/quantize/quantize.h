/*-------------------------------------------------------------------------
 *
 * quantize.h
 *	  Public face of the quantize room: rotation, stored vectors, neighbour
 *	  codes, and the distances that a search gets from them.
 *
 * Plain C without a server; no function allocates or throws.  Formulas,
 * byte layouts and the invariants Q1 to Q6 are in the README.
 *
 * The path of a vector into an index:
 *
 *	  vdb_quant_rotate			float32 of the user -> VdbRotated
 *	  vdb_quant_encode_vector		VdbRotated -> stored vector
 *	  vdb_quant_encode_slot		stored vectors of node and neighbour -> slot
 *
 * (bit strings and sparse vectors: vdb_quant_prepare instead of the rotation, and
 * no slots) and of a query:
 *
 *	  vdb_quant_rotate, vdb_quant_init_query	VdbRotated -> VdbQuery
 *	  vdb_quant_query_distance	the distance of a visited node
 *	  vdb_quant_estimate	estimates for its neighbours
 *	  vdb_quant_query_value, vdb_quant_query_interval	what the SQL operator would say
 *
 *-------------------------------------------------------------------------
 */
#ifndef VDB_QUANTIZE_H
#define VDB_QUANTIZE_H

#include "distance/distance.h"

/* The largest padded dimension */
#define VDB_QUANT_MAX_PADDED 16000

typedef struct VdbQuantKernels VdbQuantKernels;

/* How a node keeps its own vector; the values are stored on disk */
typedef enum VdbVectorCodec
{
	VDB_CODEC_NONE = 0,			/* in requests: the best of the rotated ones */
	VDB_CODEC_INT8 = 1,
	VDB_CODEC_HALF = 2,
	VDB_CODEC_BITS = 3,			/* a bit string, as it is */
	VDB_CODEC_SPARSE = 4		/* the largest elements of a sparse vector */
} VdbVectorCodec;

/*
 * Vectors of float32s are rotated before they are stored; others, whose forms
 * are in files of their own, are not, and have no codes in slots.
 */
static inline bool
vdb_codec_is_rotated(VdbVectorCodec codec)
{
	return codec <= VDB_CODEC_HALF;
}

/* Everything about the form of an index's vectors and slots */
typedef struct VdbQuantLayout
{
	VdbMetric	metric;
	int			dim;			/* of the user's vectors */
	int			padded;			/* D: dim rounded up to a multiple of 64; 1 if not rotated */
	int			elements;		/* room of a sparse vector; else 0 */
	VdbVectorCodec codec;
	int			bits;			/* B: 1, 2, 4; 0 = no codes */
	int			code_dims;		/* W: a multiple of 64, <= padded; 0 = none */
	int			vector_bytes;	/* of a stored vector */
	int			code_bytes;		/* of the code in a slot */
	int			slot_bytes;		/* of a slot: link, factors, code */

	/* what follows is set by placing nodes on pages */
	bool		is_split;		/* the vector is not on the page of the slots */
	int			slots;			/* of every node */
	int			node_bytes;		/* of a node on the page of the slots */
	int			nodes_per_page;
	int			vector_pages;	/* pages that a vector takes if is_split; else 0 */
} VdbQuantLayout;

/*
 * A vector in rotated space: 2^exponent * x[0 .. D-1].  |x| < 128, and the
 * largest coordinate before the rotation was at least 1/2, unless the vector
 * is zero.
 */
typedef struct VdbRotated
{
	int			exponent;
	float		norm;			/* of x */
	const float *x;				/* the caller's buffer */

	/*
	 * Of vectors that are not rotated: the elements of a sparse one, as they are,
	 * x being their values (norm and exponent are those of the metric's norm), or
	 * the bytes of a bit string.
	 */
	int			count;
	const int32 *indices;
	const uint8 *bits;
} VdbRotated;

/* A seeded rotation of one dimension; the signs are the caller's memory */
typedef struct VdbRotation
{
	const VdbQuantKernels *kernels;
	int			dim;
	int			padded;			/* D */
	int			power;			/* P: the largest power of two <= D */
	float		scale;			/* P^-1/2 */
	double		error;			/* |computed - exact| <= error * |x| */
	const uint32 *signs;
} VdbRotation;

/* Bytes of a stored vector before its codes; see the README */
typedef struct VdbStoredHeader
{
	int16		exponent;
	uint16		error;			/* a radius, >= |x - decoded| */
	float		step;
	union
	{
		float		norm;		/* float16: |decoded| in units of 2^exponent */
		uint32		squares;	/* int8: sum of the squares of the codes */
	} size;
} VdbStoredHeader;

/* A slot without its link, before the code */
typedef struct VdbSlotFactors
{
	uint16		radius;			/* rho */
	uint16		offset;			/* b, float16 */
	uint16		slope;			/* f, float16 */
} VdbSlotFactors;

#define VDB_STORED_HEADER_BYTES 12
#define VDB_SLOT_FACTOR_BYTES 6

/* A node whose neighbours are to be encoded */
typedef struct VdbSlotEncoder
{
	const VdbQuantKernels *kernels;
	const VdbQuantLayout *layout;
	int			exponent;		/* of the node */
	float	   *node;			/* c decoded, in node units */
	float	   *residual;		/* working memory: x, then r */
	uint8	   *levels;			/* working memory: u */
} VdbSlotEncoder;

/* A stored vector and its proxy */
typedef struct VdbProxied
{
	const void *stored;
	const void *proxy;
} VdbProxied;

/* A query, prepared */
typedef struct VdbQuery
{
	const VdbQuantKernels *kernels;
	const VdbQuantLayout *layout;
	int			unit;			/* distances are in units of 2^unit */
	double		value_scale;	/* from those units to the operator's value */
	double		norm;			/* |q| in units */
	double		error;			/* |q - its quantized form| in units */
	double		true_norm;		/* |q| of the vector that was given */
	const float *x;				/* q in units (float16 vectors) */
	const int16 *t;				/* q quantized (int8 vectors) */
	double		t_step;
	double		t_squares;		/* t_step^2 * sum of t^2 */
	const int8 *q8;				/* q quantized to 8 bits over W */
	float		q8_step;
	int32		q8_sum;

	/* of bit strings */
	const uint8 *bits;

	/* of sparse vectors: elements by index, and their sum that the metric is of */
	const void *table;
	uint32		table_mask;
	int			table_shift;
	double		sum;
} VdbQuery;

/* Where an exact value lies, both ends included */
typedef struct VdbInterval
{
	double		lower;
	double		upper;
} VdbInterval;

/* What the layout chooser needs to know of the index's pages */
typedef struct VdbLayoutRequest
{
	VdbMetric	metric;
	int			dim;
	int			min_slots;		/* of a node, if it can be had */
	int			max_slots;		/* and at most */
	int			page_bytes;		/* for nodes on a page */
	int			node_bytes;		/* of a node before vector and slots */
	int			link_bytes;		/* of a slot before the factors */
	VdbVectorCodec codec;		/* that the vectors need; NONE: to be chosen */
	int			elements;		/* room wanted for those of a sparse vector */
} VdbLayoutRequest;

/* quant_choose.c */
extern const VdbQuantKernels *vdb_quant_find_kernels(VdbSimdLevel level);
extern const VdbQuantKernels *vdb_quant_kernels_like(const VdbKernels *kernels);

/* quant_layout.c */
extern bool vdb_quant_form_layout(VdbQuantLayout *layout, const VdbLayoutRequest *request,
								  VdbVectorCodec codec, int bits, int code_dims);
extern bool vdb_quant_place_nodes(VdbQuantLayout *layout, const VdbLayoutRequest *request,
								  int nodes_per_page, bool is_split);
extern bool vdb_quant_choose_layout(VdbQuantLayout *layout, const VdbLayoutRequest *request);
extern double vdb_quant_variance(const VdbQuantLayout *layout);

/* quant_rotate.c */
extern Size vdb_quant_rotation_size(int dim);
extern void vdb_quant_init_rotation(VdbRotation *rotation, int dim, uint64 seed,
									uint32 *signs, const VdbQuantKernels *kernels);
extern VdbRotated vdb_quant_rotate(const VdbRotation *rotation, VdbMetric metric,
								   const float *in, float *out);

/* quant_vector.c */
extern VdbRotated vdb_quant_prepare(const VdbQuantLayout *layout, const VdbRotated *vector,
									float *buffer);
extern void vdb_quant_encode_vector(const VdbQuantLayout *layout,
									const VdbQuantKernels *kernels,
									const VdbRotated *vector, void *stored);
extern VdbRotated vdb_quant_decode_vector(const VdbQuantLayout *layout,
										  const VdbQuantKernels *kernels,
										  const void *stored, float *out);
extern double vdb_quant_vector_distance(const VdbQuantLayout *layout,
										const VdbQuantKernels *kernels,
										const void *a, const void *b);
extern double vdb_quant_vector_norm(const VdbQuantLayout *layout, const void *stored);
extern const char *vdb_quant_vector_fault(const VdbQuantLayout *layout,
										  const VdbQuantKernels *kernels,
										  const void *stored);

/* quant_proxy.c */
extern Size vdb_quant_proxy_size(const VdbQuantLayout *layout);
extern void vdb_quant_make_proxy(const VdbQuantLayout *layout, const VdbQuantKernels *kernels,
								 const void *stored, void *proxy);
extern void vdb_quant_proxy_distances(const VdbQuantLayout *layout,
									  const VdbQuantKernels *kernels, double scale,
									  VdbProxied from, const VdbProxied *to, int n,
									  float *out);

/* quant_slot.c */
extern Size vdb_quant_encoder_size(const VdbQuantLayout *layout);
extern void vdb_quant_init_encoder(VdbSlotEncoder *encoder,
								   const VdbQuantLayout *layout,
								   const VdbQuantKernels *kernels,
								   const void *node, void *buffer);
extern void vdb_quant_encode_slot(const VdbSlotEncoder *encoder, const void *neighbour,
								  void *factors);
extern double vdb_quant_slot_distance(const VdbQuantLayout *layout, const void *node,
									  const void *factors);

/* quant_query.c */
extern Size vdb_quant_query_size(const VdbQuantLayout *layout);
extern Size vdb_quant_query_size_of(const VdbQuantLayout *layout, const VdbRotated *vector);
extern void vdb_quant_init_query(VdbQuery *query, const VdbQuantLayout *layout,
								 const VdbQuantKernels *kernels, const VdbRotated *vector,
								 double typical_norm, void *buffer);
extern float vdb_quant_query_distance(const VdbQuery *query, const void *stored);
extern void vdb_quant_estimate(const VdbQuery *query, const void *node,
							   float node_distance, const void *factors,
							   Size stride, int count, float *out);
extern void vdb_quant_estimate_weighed(const VdbQuery *query, const void *node,
									   float node_distance, const void *factors,
									   Size stride, int count, float *out, float *weights);
extern double vdb_quant_query_value(const VdbQuery *query, float distance);

/* quant_bound.c */
extern VdbInterval vdb_quant_query_interval(const VdbQuery *query,
											const VdbRotation *rotation,
											const void *stored, float distance);

#endif							/* VDB_QUANTIZE_H */
