/*-------------------------------------------------------------------------
 *
 * quant_stored.h
 *	  Access to the parts of a stored vector, for the files of this room.
 *
 *-------------------------------------------------------------------------
 */
#ifndef VDB_QUANT_STORED_H
#define VDB_QUANT_STORED_H

#include <math.h>

#include "quant_kernels.h"

/* Ratios of scales are clamped to two to this power (Q3). */
#define VDB_MAX_GAP 30

StaticAssertDecl(sizeof(VdbStoredHeader) == VDB_STORED_HEADER_BYTES,
				 "the header of a stored vector has no padding");
StaticAssertDecl(sizeof(VdbSlotFactors) == VDB_SLOT_FACTOR_BYTES,
				 "the factors of a slot have no padding");

static inline VdbStoredHeader
vdb_stored_header(const void *stored)
{
	VdbStoredHeader header;

	memcpy(&header, stored, sizeof(header));
	return header;
}

static inline const void *
vdb_stored_codes(const void *stored)
{
	return (const char *) stored + VDB_STORED_HEADER_BYTES;
}

/*
 * The norm of the decoded vector in units of 2^exponent.
 */
static inline double
vdb_stored_norm(const VdbQuantLayout *layout, const VdbStoredHeader *header)
{
	if (layout->codec == VDB_CODEC_INT8)
		return header->step * sqrt((double) header->size.squares);
	return header->size.norm;
}

#endif							/* VDB_QUANT_STORED_H */
