/*-------------------------------------------------------------------------
 *
 * float_text.h
 *	  Correctly rounded text to float4 conversion, faster than strtof().
 *
 *-------------------------------------------------------------------------
 */
#ifndef VDB_FLOAT_TEXT_H
#define VDB_FLOAT_TEXT_H

extern const char *vdb_float_parse(const char *p, const char *end,
								   float *value, int *range_error);

#endif							/* VDB_FLOAT_TEXT_H */
