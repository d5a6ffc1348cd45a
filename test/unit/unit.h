/*-------------------------------------------------------------------------
 *
 * unit.h
 *	  Counting checks for the unit tests, which are plain C programs.
 *
 *-------------------------------------------------------------------------
 */
#ifndef VDB_UNIT_H
#define VDB_UNIT_H

#include <stdio.h>

/* port.h points these at libpgport, which the programs do not link. */
#undef printf
#undef fprintf
#undef snprintf

static int	unit_passed;
static int	unit_failed;
static int	unit_faults;		/* failed checks of the running test */

/* One check; the first faults of a test are printed with their message. */
#define CHECK(condition, ...) \
	do { \
		if (!(condition) && unit_faults++ < 20) \
		{ \
			printf("%s:%d: %s: ", __FILE__, __LINE__, #condition); \
			printf(__VA_ARGS__); \
			printf("\n"); \
		} \
	} while (0)

/* One test, a call that makes checks; counts as one however many it makes. */
#define RUN(call) \
	do { \
		unit_faults = 0; \
		call; \
		if (unit_faults == 0) \
			unit_passed++; \
		else \
			unit_failed++; \
		printf("%s %s\n", unit_faults == 0 ? "ok" : "not ok", #call); \
	} while (0)

/* The closing line that the test runner reads; main() returns its value. */
static int
unit_report(void)
{
	printf("%d passed, %d failed\n", unit_passed, unit_failed);
	return unit_failed > 0;
}

#endif							/* VDB_UNIT_H */
