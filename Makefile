# dashboard_cache: a result cache for aggregate queries, exact by construction
srcdir ?= .
MODULE_big = dashboard_cache
EXTENSION = dashboard_cache
DATA = sql/dashboard_cache--1.0.sql
PGFILEDESC = "dashboard_cache - exact result cache for aggregate queries"

SOURCES = $(wildcard $(srcdir)/src/*.c $(srcdir)/src/*/*.c)
ALL_HEADERS = $(wildcard $(srcdir)/src/*.h $(srcdir)/src/*/*.h)
OBJS = $(patsubst $(srcdir)/%.c,%.o,$(SOURCES))
PG_CPPFLAGS = -I$(srcdir)/src
SHLIB_LINK = -lhiredis -lssl -lcrypto -lzstd

# Each kind of test runs on a preloaded server of its own, whatever the locale
# that it is run in.
TEST_LOCALE = --no-locale --encoding=UTF8
TEST_CONFIG = $(srcdir)/test/dashboard_cache.conf
REGRESS = $(patsubst $(srcdir)/expected/%.out,%,$(sort $(wildcard $(srcdir)/expected/*.out)))
REGRESS_OPTS = --temp-instance=./tmp_check --temp-config=$(TEST_CONFIG) \
	--inputdir=$(srcdir) $(TEST_LOCALE)
ISOLATION = $(patsubst $(srcdir)/test/specs/%.spec,%,$(sort $(wildcard $(srcdir)/test/specs/*.spec)))
ISOLATION_OPTS = --temp-instance=./tmp_check_iso --temp-config=$(TEST_CONFIG) \
	--inputdir=$(srcdir)/test --load-extension=dashboard_cache $(TEST_LOCALE)
TAP_TESTS = 1
PROVE_TESTS = $(wildcard $(srcdir)/test/t/*.pl)
export TEMP_CONFIG = $(abspath $(TEST_CONFIG))
EXTRA_CLEAN = tmp_check tmp_check_iso output_iso results log


PG_CONFIG ?= pg_config
PGXS := $(shell $(PG_CONFIG) --pgxs)
include $(PGXS)

PROVE_FLAGS += -I $(srcdir)/test/perl

# PGXS tracks no headers: rebuild everything when one changes.
$(OBJS): $(ALL_HEADERS)
