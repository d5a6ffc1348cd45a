/*-------------------------------------------------------------------------
 *
 * fuzz_driver.c
 *	  Runs libFuzzer inside a server process.
 *
 * So the code under test has all of PostgreSQL around it: memory contexts,
 * errors, jsonb, numeric, the buffer manager.  libFuzzer never returns; at its
 * end the process exits.
 *
 *-------------------------------------------------------------------------
 */
#include "pg_compat.h"

#include <signal.h>
#include <stdarg.h>
#include <sys/time.h>

#include "access/xact.h"
#include "catalog/pg_type_d.h"
#include "common/hashfn.h"
#include "common/pg_prng.h"
#include "fuzz.h"
#include "mb/pg_wchar.h"
#include "miscadmin.h"
#include "utils/array.h"
#include "utils/builtins.h"
#include "utils/memutils.h"
#include "utils/resowner.h"

/* libFuzzer's entry point, for programs that have a main() of their own */
extern int	LLVMFuzzerRunDriver(int *argc, char ***argv,
								int (*run)(const uint8 *data, size_t size));

/* Growth of all memory contexts that is taken for a leak */
#define MAX_GROWTH (32 * 1024 * 1024)

/* Processor time that one input may take */
#define MAX_SECONDS 60

/* Copies of an input that a target may ask for */
#define MAX_COPIES 8

static const VdbFuzzTarget *const targets[] = {
	&vdb_fuzz_vector_text,
	&vdb_fuzz_vector_binary,
	&vdb_fuzz_filter,
	&vdb_fuzz_keys,
	&vdb_fuzz_points,
	&vdb_fuzz_search,
	&vdb_fuzz_pages
};

static const VdbFuzzTarget *target;
static MemoryContext input_context;
static char *copies[MAX_COPIES];
static int	ncopies;

static int	run_input(const uint8 *data, size_t size);
static void limit_time(int seconds);
static void take_too_long(int signal);
static void run_target(const uint8 *data, size_t size);
static void judge_error(const ErrorData *error);
static void check_growth(void);

PG_FUNCTION_INFO_V1(vdb_fuzz_run);

/*
 * vdb_fuzz_run(target text, options text[]) returns void: fuzzes a target, with
 * libFuzzer's options and directories.  Does not return.
 */
Datum
vdb_fuzz_run(PG_FUNCTION_ARGS)
{
	char	   *name = text_to_cstring(PG_GETARG_TEXT_PP(0));
	Datum	   *options;
	int			noptions;
	char	  **argv;
	int			argc;
	int			i;

	for (i = 0; i < lengthof(targets); i++)
	{
		if (strcmp(targets[i]->name, name) == 0)
			target = targets[i];
	}
	if (target == NULL)
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("there is no fuzz target \"%s\"", name)));

	deconstruct_array(PG_GETARG_ARRAYTYPE_P(1), TEXTOID, -1, false, TYPALIGN_INT,
					  &options, NULL, &noptions);
	argv = MemoryContextAlloc(TopMemoryContext, (noptions + 2) * sizeof(char *));
	argv[0] = MemoryContextStrdup(TopMemoryContext, name);
	for (argc = 1; argc <= noptions; argc++)
		argv[argc] = MemoryContextStrdup(TopMemoryContext,
										 TextDatumGetCString(options[argc - 1]));
	argv[argc] = NULL;

	input_context = AllocSetContextCreate(TopMemoryContext, "fuzz input",
										  ALLOCSET_DEFAULT_SIZES);
	if (target->prepare)
		target->prepare();
	signal(SIGVTALRM, take_too_long);
	LLVMFuzzerRunDriver(&argc, &argv, run_input);
	PG_RETURN_VOID();
}

/* Runs one input; nothing is left of it. */
static int
run_input(const uint8 *data, size_t size)
{
	MemoryContext context = CurrentMemoryContext;
	ResourceOwner owner = CurrentResourceOwner;

	/* the same input does the same each time */
	pg_prng_seed(&pg_global_prng_state, DatumGetUInt64(hash_any_extended(data, (int) size, 0)));
	limit_time(MAX_SECONDS);
	BeginInternalSubTransaction(NULL);
	MemoryContextSwitchTo(input_context);
	PG_TRY();
	{
		run_target(data, size);
	}
	PG_CATCH();
	{
		ErrorData  *error;

		MemoryContextSwitchTo(input_context);
		error = CopyErrorData();
		FlushErrorState();
		judge_error(error);
	}
	PG_END_TRY();
	RollbackAndReleaseCurrentSubTransaction();
	MemoryContextSwitchTo(context);
	CurrentResourceOwner = owner;

	MemoryContextReset(input_context);
	while (ncopies > 0)
		free(copies[--ncopies]);
	check_growth();
	limit_time(0);
	CHECK_FOR_INTERRUPTS();
	return 0;
}

static void
run_target(const uint8 *data, size_t size)
{
	target->run((const char *) data, (int) size);
}

/* libFuzzer's own limit uses a timer that the server needs itself. */
static void
limit_time(int seconds)
{
	struct itimerval timer = {.it_value.tv_sec = seconds};

	setitimer(ITIMER_VIRTUAL, &timer, NULL);
}

static void
take_too_long(int signal)
{
	vdb_fuzz_wrong("takes longer than %d seconds", MAX_SECONDS);
}

/* An internal error is a bug, unless the target expects it. */
static void
judge_error(const ErrorData *error)
{
	char		class[3] = {0};

	memcpy(class, unpack_sql_state(error->sqlerrcode), 2);
	if (strcmp(class, "XX") == 0 && !(target->allows && target->allows(error)))
		vdb_fuzz_wrong("internal error %s: %s", unpack_sql_state(error->sqlerrcode),
					   error->message);
}

/* What the server's caches need is there soon; what grows further is a leak. */
static void
check_growth(void)
{
	static Size before = 0;
	static uint64 ninputs = 0;
	Size		now;

	if (++ninputs % 4096 != 0)
		return;
	now = MemoryContextMemAllocated(TopMemoryContext, true);
	if (before == 0)
		before = now;
	if (now > before + MAX_GROWTH)
	{
		MemoryContextStats(TopMemoryContext);
		vdb_fuzz_wrong("memory contexts grew by %zu bytes", now - before);
	}
}

/* A wrong answer: ends the process, and libFuzzer keeps the input. */
void
vdb_fuzz_wrong(const char *fmt, ...)
{
	va_list		args;

	fprintf(stderr, "WRONG: %s: ", target->name);
	va_start(args, fmt);
	vfprintf(stderr, fmt, args);
	va_end(args);
	fprintf(stderr, "\n");
	abort();
}

/*
 * A copy with a NUL byte behind it, from malloc(), so that AddressSanitizer knows
 * its end.  It is there until the input's end.
 */
char *
vdb_fuzz_copy(const char *data, int len)
{
	char	   *copy = malloc((size_t) len + 1);

	if (copy == NULL || ncopies == MAX_COPIES)
		elog(ERROR, "no room for a copy");
	memcpy(copy, data, (size_t) len);
	copy[len] = '\0';
	copies[ncopies++] = copy;
	return copy;
}

/* What the server lets through as text */
bool
vdb_fuzz_is_text(const char *data, int len)
{
	return pg_verify_mbstr(GetDatabaseEncoding(), data, len, true);
}

/* Calls a function; false if it raised an error that a user can cause. */
bool
vdb_fuzz_try(PGFunction function, int nargs, const Datum *args, Datum *result)
{
	MemoryContext context = CurrentMemoryContext;
	volatile bool ok = true;
	LOCAL_FCINFO(fcinfo, 8);
	int			i;

	InitFunctionCallInfoData(*fcinfo, NULL, nargs, InvalidOid, NULL, NULL);
	for (i = 0; i < nargs; i++)
	{
		fcinfo->args[i].value = args[i];
		fcinfo->args[i].isnull = false;
	}
	PG_TRY();
	{
		*result = function(fcinfo);
	}
	PG_CATCH();
	{
		ErrorData  *error;

		MemoryContextSwitchTo(context);
		error = CopyErrorData();
		FlushErrorState();
		judge_error(error);
		ok = false;
	}
	PG_END_TRY();
	return ok;
}
