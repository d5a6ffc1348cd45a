# vecdb: PGXS build.  `make`, `make install`; the targets for development are
# at the end, one line each in `make help`.

EXTENSION = vecdb
MODULE_big = vecdb
DATA = vecdb--1.0.sql
PGFILEDESC = "vecdb - vector database"

SRCS = $(sort $(wildcard src/*.c src/*/*.c))
HDRS = $(sort $(wildcard src/*.h src/*/*.h))
OBJS = $(SRCS:.c=.o)

REGRESS = $(sort $(patsubst sql/%.sql,%,$(wildcard sql/*.sql)))
REGRESS_OPTS = --load-extension=vecdb --encoding=UTF8
ISOLATION = $(sort $(patsubst test/isolation/specs/%.spec,%,$(wildcard test/isolation/specs/*.spec)))
ISOLATION_OPTS = --inputdir=test/isolation --outputdir=test/isolation --load-extension=vecdb
TAP_TESTS = 1
PROVE_TESTS = $(sort $(wildcard test/t/*.pl))

# Warnings are errors; a packager with a compiler that we have not met can
# build with `make WERROR=`.
WERROR = -Werror
# No -Wstrict-prototypes: PostgreSQL 15's planner headers do not pass it.
VDB_WARNINGS = -Wall -Wextra -Wno-unused-parameter -Wno-sign-compare \
	-Wno-missing-field-initializers $(WERROR)
PG_CPPFLAGS = -I$(srcdir)/src
PG_CFLAGS = $(VDB_WARNINGS)
SHLIB_LINK = -lm

UNIT = $(sort $(patsubst %.c,%,$(wildcard test/unit/*.c)))
BENCH_PROGRAMS = $(sort $(patsubst %.c,%,$(wildcard bench/*.c)))
EXTRA_CLEAN = $(UNIT) $(BENCH_PROGRAMS) $(wildcard test/unit/*.o bench/*.o) \
	results regression.diffs regression.out tmp_check log \
	test/isolation/results test/isolation/output_iso \
	test/isolation/regression.diffs test/isolation/regression.out

PG_CONFIG ?= pg_config
PGXS := $(shell $(PG_CONFIG) --pgxs)
ifeq ($(PGXS),)
$(error "$(PG_CONFIG) was not found or is not PostgreSQL's: install the PostgreSQL server headers (Debian: postgresql-server-dev-15) or set PG_CONFIG")
endif
include $(PGXS)

ifneq ($(filter-out 15 16 17 18 19,$(MAJORVERSION)),)
$(error "vecdb needs PostgreSQL 15 to 19, this is $(MAJORVERSION)")
endif

# PGXS compiles every file a second time, by clang, for the JIT.
override BITCODE_CFLAGS += $(VDB_WARNINGS)

# Debian's PGXS does not track header dependencies.
$(OBJS) $(OBJS:.o=.bc): $(HDRS) Makefile

# Kernels live from vectorised loops; the rest keeps PostgreSQL's flags.
src/distance/%.o: CFLAGS += -O3
src/distance/%.bc: BITCODE_CFLAGS += -O3
src/bit/%.o: CFLAGS += -O3
src/bit/%.bc: BITCODE_CFLAGS += -O3
src/sparse/sparse_sums.o: CFLAGS += -O3 -ffp-contract=off
src/sparse/sparse_sums.bc: BITCODE_CFLAGS += -O3 -ffp-contract=off

# Codes and rotated vectors are the same bits at every SIMD level and on every
# CPU, so no product and sum may become one fused instruction.
src/quantize/%.o: CFLAGS += -O3 -ffp-contract=off
src/quantize/%.bc: BITCODE_CFLAGS += -O3 -ffp-contract=off

# Pure C without a server: unit tests and micro-benchmarks link the objects
# that they name in test/unit/*.c and bench/*.c ("LINK:" line).
UNIT_CFLAGS = $(filter-out -Werror=vla,$(CFLAGS)) -O2 $(CPPFLAGS) -I$(srcdir)/src -I$(srcdir)/test/unit
unit_objs = $(shell sed -n 's,^.*LINK: *\(.*\)\*/.*,\1,p' $(1))
.SECONDEXPANSION:
$(UNIT) $(BENCH_PROGRAMS): %: %.c $$(call unit_objs,$$*.c) $(HDRS)
	$(CC) $(UNIT_CFLAGS) -o $@ $< $(call unit_objs,$<) -lm

unit: $(UNIT)
	@for t in $(UNIT); do ./$$t || exit 1; done

lint:
	@test/lint/run

format:
	@test/lint/format

bench: $(BENCH_PROGRAMS)
	bench/run

# PostgreSQL's own regression and isolation tests with the library loaded.
test-core: all
	PG_CONFIG=$(PG_CONFIG) test/core/run

# The hnsw index beside pgvector's: a server of its own, hours, resumable.
# BENCH_INDEX="--quick" or any other options of bench/bench_index.py.
PYTHON ?= python3
bench-index:
	$(PYTHON) bench/bench_index.py --pg-config $(PG_CONFIG) $(BENCH_INDEX)

# Filtered searches beside pgvector's, in the same manner: BENCH_FILTER="--quick".
bench-filter:
	$(PYTHON) bench/bench_filter.py --pg-config $(PG_CONFIG) $(BENCH_FILTER)

# Half of the time for crashes, half for collisions.
SOAK_MINUTES = 10
SOAK_CLIENTS = 16
soak:
	VECDB_SOAK_SECONDS=$$(($(SOAK_MINUTES) * 30)) VECDB_SOAK_CLIENTS=$(SOAK_CLIENTS) \
	$(MAKE) installcheck REGRESS= ISOLATION= \
		PROVE_TESTS="test/t/020_hnsw_crash.pl test/t/023_hnsw_collisions.pl"

# In servers built from source: with assertions, under valgrind, with
# sanitizers.  SUITES="regress tap", TESTS="hnsw_scan vector_io" choose.
SUITES =
TESTS =
test-cassert:
	PG_CONFIG=$(PG_CONFIG) test/server/run cassert $(SUITES)

test-valgrind:
	PG_CONFIG=$(PG_CONFIG) test/server/valgrind $(TESTS)

test-asan:
	PG_CONFIG=$(PG_CONFIG) test/server/run asan $(SUITES)

# FUZZ_SECONDS for each target; FUZZ="points pages" chooses some.
FUZZ =
FUZZ_SECONDS = 60
fuzz:
	PG_CONFIG=$(PG_CONFIG) FUZZ_SECONDS=$(FUZZ_SECONDS) test/fuzz/run $(FUZZ)

analyze:
	@PG_CONFIG=$(PG_CONFIG) test/analyze/run

help:
	@echo 'make            build the extension'
	@echo 'make install    install it into the server that PG_CONFIG names'
	@echo 'make unit       unit tests of the C code that needs no server'
	@echo 'make lint       layers, sizes, symbols, headers, shell, formatting'
	@echo 'make format     rewrite the C sources in the project style'
	@echo 'make bench      micro-benchmarks and query benchmarks (long)'
	@echo 'make bench-index  the hnsw index beside pgvector (hours; resumable)'
	@echo 'make bench-filter  filtered searches beside pgvector (hours; resumable)'
	@echo 'make test-core  the tests of PostgreSQL itself with vecdb loaded'
	@echo 'make soak       crashes and collisions for SOAK_MINUTES (10), SOAK_CLIENTS (16)'
	@echo 'make test-cassert   all suites, PostgreSQL built with assertions (SUITES)'
	@echo 'make test-valgrind  the regression tests under valgrind (TESTS; long)'
	@echo 'make test-asan      all suites, address and undefined behaviour sanitizers (SUITES)'
	@echo 'make fuzz       each fuzz target for FUZZ_SECONDS (60); FUZZ names some'
	@echo 'make analyze    gcc -fanalyzer, clang-tidy and cppcheck'
	@echo './vecdb test    every suite, with all its set-up'

.PHONY: unit lint format bench bench-index bench-filter test-core soak \
	test-cassert test-valgrind test-asan fuzz analyze help
