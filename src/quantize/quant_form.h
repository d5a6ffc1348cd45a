/*-------------------------------------------------------------------------
 *
 * quant_form.h
 *	  Forms of stored vectors that are not rotated: what each has of its own.
 *
 * The public functions of the room serve the rotated forms, int8 and float16,
 * themselves, and hand others to the functions here.  A form is found by the
 * codec of its layout, not by a pointer in it: layouts are copied into memory
 * that processes share, which may have loaded the library at other addresses.
 *
 *-------------------------------------------------------------------------
 */
#ifndef VDB_QUANT_FORM_H
#define VDB_QUANT_FORM_H

#include "quantize.h"

/* The functions of quantize.h of the same names say what each does. */
typedef struct VdbVectorForm
{
	bool (*lay_out)(VdbQuantLayout *layout, const VdbLayoutRequest *request);
	VdbRotated (*prepare)(VdbMetric metric, const VdbRotated *vector, float *buffer);
	void (*encode)(const VdbQuantLayout *layout, const VdbRotated *vector, void *stored);
	VdbRotated (*decode)(const VdbQuantLayout *layout, const void *stored);
	double (*distance)(const VdbQuantLayout *layout, const VdbQuantKernels *kernels,
					   const void *a, const void *b);
	const char *(*fault)(const VdbQuantLayout *layout, const void *stored);
	Size (*query_size)(const VdbQuantLayout *layout, int count);
	void (*init_query)(VdbQuery *query, const VdbRotated *vector, double typical_norm,
					   void *buffer);
	float (*query_distance)(const VdbQuery *query, const void *stored);
	VdbInterval (*interval)(const VdbQuery *query, VdbStoredHeader header, float distance);
} VdbVectorForm;

/* quant_bits.c, quant_sparse.c */
extern const VdbVectorForm vdb_quant_bits_form;
extern const VdbVectorForm vdb_quant_sparse_form;

/*
 * The form of a layout; not of a rotated one.
 */
static inline const VdbVectorForm *
vdb_quant_form(const VdbQuantLayout *layout)
{
	return layout->codec == VDB_CODEC_BITS ? &vdb_quant_bits_form : &vdb_quant_sparse_form;
}

#endif							/* VDB_QUANT_FORM_H */
