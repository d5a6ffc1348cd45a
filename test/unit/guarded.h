/*-------------------------------------------------------------------------
 *
 * guarded.h
 *	  Memory between unreadable pages, so that an overread crashes the test.
 *
 *-------------------------------------------------------------------------
 */
#ifndef VDB_GUARDED_H
#define VDB_GUARDED_H

#include <stdlib.h>
#include <sys/mman.h>
#include <unistd.h>

#include "unit.h"

/*
 * Maps size bytes rounded up to pages between two unreadable pages.
 */
static inline void
map_guarded(size_t size, char **start, char **end)
{
	size_t		page = sysconf(_SC_PAGESIZE);
	size_t		inner = (size + page - 1) / page * page;
	char	   *p = mmap(NULL, inner + 2 * page, PROT_READ | PROT_WRITE,
						 MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	if (p == MAP_FAILED ||
		mprotect(p, page, PROT_NONE) != 0 ||
		mprotect(p + page + inner, page, PROT_NONE) != 0)
	{
		printf("cannot map guarded memory\n");
		exit(1);
	}
	*start = p + page;
	*end = p + page + inner;
}

#endif							/* VDB_GUARDED_H */
