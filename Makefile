# t2g: Text2Grad in C11. `make help` lists the targets.

BUILD  ?= build
PREFIX ?= /usr/local
Q      ?= @
CROSS  ?=
ifeq ($(origin CC),default)
CC     := $(CROSS)gcc
endif
HOSTCC ?= $(if $(CROSS),gcc,$(CC))
AR     := $(CROSS)ar
VERSION := $(shell sed -n 's/.*T2G_VERSION "\(.*\)"/\1/p' include/t2g/t2g.h)

ifeq ($(MAKELEVEL)$(findstring j,$(firstword -$(MAKEFLAGS))),0)
MAKEFLAGS += -j$(shell getconf _NPROCESSORS_ONLN 2>/dev/null || echo 2)
endif

# No fast-math anywhere: the order and rounding of every operation is specified.
CFLAGS  ?= -O3 -g
CFLAGS  += -std=c11 -Wall -Wextra -Werror -ffp-contract=off -fno-math-errno \
           -fPIC -fvisibility=default -D_DEFAULT_SOURCE \
           -D_POSIX_C_SOURCE=200809L -Iinclude -MMD -MP
OPENMP  ?= $(shell echo 'int main(void){return 0;}' | $(CC) -fopenmp -x c - -o /dev/null 2>/dev/null && echo -fopenmp)
CFLAGS  += $(OPENMP)
LDLIBS  += -lsleef -ljansson -lxxhash -lz -lpcre2-8 -lm
PROGRAM_LDLIBS := -lcurl # the library itself opens no connection

ifdef SANITIZE
CFLAGS  += -O1 -fsanitize=address,undefined -fno-sanitize-recover=undefined \
           -fno-omit-frame-pointer
LDFLAGS += -fsanitize=address,undefined
endif

ifdef FUZZING
CFLAGS  += -O1 -fsanitize=fuzzer-no-link,address,undefined \
           -fno-sanitize-recover=undefined -fno-omit-frame-pointer
LDFLAGS += -fsanitize=fuzzer,address,undefined
endif

# ISA flags go on that ISA's objects only.
MACHINE := $(firstword $(subst -, ,$(shell $(CC) -dumpmachine)))
ifneq ($(filter x86_64 amd64,$(MACHINE)),)
ISAS := avx2 avx512
endif
ifneq ($(filter aarch64 arm64,$(MACHINE)),)
ISAS := neon
endif
ISA_FLAGS_avx2   := -mavx2 -mfma
ISA_FLAGS_avx512 := -mavx512f -mavx2 -mfma -mprefer-vector-width=512
ISA_FLAGS_neon   :=

REF   := $(wildcard ref/*.c ref/*/*.c)
SIMD  := simd/dispatch.c $(foreach i,$(ISAS),$(wildcard simd/$(i)/*.c))
TOOLS := $(wildcard tools/*.c)
LIB_OBJECTS  := $(patsubst %.c,$(BUILD)/%.o,$(REF) $(SIMD))
TOOL_OBJECTS := $(patsubst %.c,$(BUILD)/%.o,$(TOOLS)) $(BUILD)/tools/people_page.o
UNIT   := $(patsubst tests/unit/%.c,$(BUILD)/tests/unit/%,$(wildcard tests/unit/*.c))
GOLDEN := $(patsubst tests/golden/%.c,$(BUILD)/tests/golden/%,$(wildcard tests/golden/*.c))
CHECK_OBJECTS := $(patsubst %.c,$(BUILD)/%.o,$(wildcard tests/check/*.c))
CHECK  := $(BUILD)/tests/check/check
MOCK   := $(patsubst %.c,$(BUILD)/%,$(wildcard tests/mock/*.c))
DEFINES := $(foreach i,$(ISAS),-DT2G_HAVE_$(shell echo $(i) | tr a-z A-Z))

FUZZ   := $(patsubst tests/fuzz/%.c,$(BUILD)/tests/fuzz/%,$(wildcard tests/fuzz/*.c))
FUZZ_CC      ?= $(firstword $(shell command -v clang clang-14 clang-15 clang-16) clang)
FUZZ_SECONDS ?= 60

.PHONY: all deps demo test check bench sanitize fuzz fuzzers arm install clean \
        help programs deps-arm
.DEFAULT_GOAL := all
.SECONDARY:

all: deps ## the program build/t2g and the libraries
	@$(MAKE) --no-print-directory programs

programs: $(BUILD)/t2g $(BUILD)/libt2g.a $(BUILD)/libt2g.so

deps: ## installs what is missing (compiler libraries), says what it does
	@sh tools/deps.sh build

deps-arm:
	@sh tools/deps.sh arm

demo: all ## the whole algorithm on the built-in task, about five minutes
	$(BUILD)/t2g demo --output-dir $(BUILD)/demo --overwrite

test: all ## every test; needs nothing but what deps installs
	@$(MAKE) --no-print-directory $(UNIT) $(GOLDEN) $(CHECK) $(MOCK)
	@BUILD=$(BUILD) sh tests/run.sh $(UNIT) $(GOLDEN)

check: all ## each kernel on each ISA against the reference: bits and time
	@$(MAKE) --no-print-directory $(CHECK)
	$(CHECK) --bench

bench: all ## speed of kernels and training against this machine's peaks
	$(BUILD)/t2g bench all

sanitize: deps ## the tests under AddressSanitizer and UBSan
	@$(MAKE) --no-print-directory test SANITIZE=1 BUILD=$(BUILD)/sanitize

fuzz: ## every target of tests/fuzz for FUZZ_SECONDS, with clang's libFuzzer
	@$(MAKE) --no-print-directory fuzzers FUZZING=1 CC=$(FUZZ_CC) OPENMP= \
	    BUILD=$(BUILD)/fuzz
	@BUILD=$(BUILD)/fuzz sh tests/fuzz/run.sh $(FUZZ_SECONDS) \
	    $(FUZZ:$(BUILD)/%=$(BUILD)/fuzz/%)

fuzzers: $(FUZZ)

arm: deps-arm ## cross build for AArch64, tests under qemu-user
	@sh tests/arm.sh "$(MAKE)" "$(BUILD)/arm"

install: all ## headers, libraries, pkg-config file, program to PREFIX
	install -d $(DESTDIR)$(PREFIX)/bin $(DESTDIR)$(PREFIX)/include/t2g \
	    $(DESTDIR)$(PREFIX)/lib/pkgconfig
	install $(BUILD)/t2g $(DESTDIR)$(PREFIX)/bin/
	install -m 644 include/t2g/*.h $(DESTDIR)$(PREFIX)/include/t2g/
	install -m 644 $(BUILD)/libt2g.a $(DESTDIR)$(PREFIX)/lib/
	install $(BUILD)/libt2g.so $(DESTDIR)$(PREFIX)/lib/
	sed -e 's|@PREFIX@|$(PREFIX)|' -e 's|@VERSION@|$(VERSION)|' \
	    -e 's|@OPENMP@|$(OPENMP)|' tools/t2g.pc.in \
	    > $(DESTDIR)$(PREFIX)/lib/pkgconfig/t2g.pc

clean: ## removes build/
	rm -rf $(BUILD)

help: ## this list
	@sed -n 's/^\([a-z-]*\):.*## \(.*\)/  make \1\t\2/p' $(firstword $(MAKEFILE_LIST)) | expand -t 18

$(BUILD)/t2g: $(TOOL_OBJECTS) $(BUILD)/libt2g.a
	@echo '  LINK  $@'
	$(Q)$(CC) $(OPENMP) $(LDFLAGS) -o $@ $^ $(LDLIBS) $(PROGRAM_LDLIBS)

$(BUILD)/libt2g.a: $(LIB_OBJECTS)
	@rm -f $@
	@echo '  AR    $@'
	$(Q)$(AR) rcs $@ $^

$(BUILD)/libt2g.so: $(LIB_OBJECTS)
	@echo '  LINK  $@'
	$(Q)$(CC) $(OPENMP) -shared $(LDFLAGS) -o $@ $^ $(LDLIBS)

$(BUILD)/tests/unit/%: $(BUILD)/tests/unit/%.o $(BUILD)/libt2g.a
	@mkdir -p $(@D)
	@echo '  LINK  $@'
	$(Q)$(CC) $(OPENMP) $(LDFLAGS) -o $@ $^ -lcmocka $(LDLIBS)

$(BUILD)/tests/golden/%: $(BUILD)/tests/golden/%.o $(BUILD)/libt2g.a
	@mkdir -p $(@D)
	@echo '  LINK  $@'
	$(Q)$(CC) $(OPENMP) $(LDFLAGS) -o $@ $(filter %.o,$^) $(filter %.a,$^) \
	    -lcmocka $(LDLIBS)

# It computes its cases as t2g verify does.
$(BUILD)/tests/golden/metrics: $(BUILD)/tools/metrics_case.o

$(BUILD)/tests/fuzz/%: $(BUILD)/tests/fuzz/%.o $(BUILD)/libt2g.a
	@mkdir -p $(@D)
	@echo '  LINK  $@'
	$(Q)$(CC) $(OPENMP) $(LDFLAGS) -o $@ $^ $(LDLIBS)

$(CHECK): $(CHECK_OBJECTS) $(BUILD)/libt2g.a
	@mkdir -p $(@D)
	@echo '  LINK  $@'
	$(Q)$(CC) $(OPENMP) $(LDFLAGS) -o $@ $^ -lcmocka $(LDLIBS)

# What tests talk to runs on this machine, whatever the target.
$(MOCK): $(BUILD)/%: %.c
	@mkdir -p $(@D)
	@echo '  HOSTCC $<'
	$(Q)$(HOSTCC) -O1 -std=c11 -Wall -Wextra -Werror -D_DEFAULT_SOURCE \
	    -D_POSIX_C_SOURCE=200809L -o $@ $<

# The program's Python, as a string of its own.
$(BUILD)/code_harness.h: tools/code_harness.py
	@mkdir -p $(@D)
	$(Q){ echo 'static const char code_harness[] ='; \
	    sed -e 's/[\\"]/\\&/g' -e 's/.*/    "&\\n"/' $<; echo '    ;'; } > $@
$(BUILD)/tools/ask_code.o: $(BUILD)/code_harness.h
$(BUILD)/tools/ask_code.o: CFLAGS += -I$(BUILD)

$(BUILD)/simd/avx2/%.o: FLAGS := $(ISA_FLAGS_avx2)
$(BUILD)/simd/avx512/%.o: FLAGS := $(ISA_FLAGS_avx512)
$(BUILD)/simd/dispatch.o: FLAGS := $(DEFINES)
# Tests gain nothing from the vectoriser (and gcc 12's for AArch64 stumbles).
$(BUILD)/tests/unit/%.o $(BUILD)/tests/golden/%.o: FLAGS := -O1
$(BUILD)/tools/%.o: FLAGS := -DT2G_BUILD_FLAGS='"$(filter -O% -f% -m%,$(CFLAGS))"' $(DEFINES)

# A page as bytes of the program.
$(BUILD)/tools/people_page.c: tools/people.html
	@mkdir -p $(@D)
	$(Q)(echo 'const unsigned char people_page[] = {'; od -An -v -tx1 $< | \
	    sed 's/ *\([0-9a-f][0-9a-f]\)/0x\1,/g'; echo '};'; \
	    echo 'const unsigned long people_page_size = sizeof people_page;') \
	    > $@.tmp && mv $@.tmp $@

$(BUILD)/tools/people_page.o: $(BUILD)/tools/people_page.c
	@echo '  CC    $<'
	$(Q)$(CC) $(CFLAGS) -c -o $@ $<

$(BUILD)/%.o: %.c
	@mkdir -p $(@D)
	@echo '  CC    $<'
	$(Q)$(CC) $(CFLAGS) $(FLAGS) -c -o $@ $<

-include $(wildcard $(BUILD)/*/*.d $(BUILD)/*/*/*.d)
