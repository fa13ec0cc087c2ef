/* What the fuzzers share. Each is a libFuzzer target that checks what must hold, and crashes where it does not; the
   first bytes of an input choose a type and options. */
#ifndef CONNECT_TESTS_FUZZ_H
#define CONNECT_TESTS_FUZZ_H
#define CONNECT_ENABLE_CLIENT 0
#define CONNECT_ENABLE_SERVER 0
#define CONNECT_ENABLE_GZIP 0
#define CONNECT_ENABLE_ZSTD 0
#define CONNECT_IMPLEMENTATION
#include "connect.h"
#include "edition.connect.h"
#include "kinds.connect.h"
#include "legacy.connect.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#define CHECK(condition) \
    do { \
        if (!(condition)) { \
            fprintf(stderr, "%s:%d: %s\n", __FILE__, __LINE__, #condition); \
            abort(); \
        } \
    } while (0)

static const connect_file_t *const fuzz_files[] = {&google_protobuf_any_file, &google_protobuf_duration_file,
    &google_protobuf_empty_file, &google_protobuf_field_mask_file, &google_protobuf_struct_file,
    &google_protobuf_timestamp_file, &google_protobuf_wrappers_file, &test_kinds_kinds_file, &test_legacy_legacy_file,
    &test_edition_edition_file};

static const connect_type_t *const fuzz_types[] = {&test_kinds_Kinds_type, &test_kinds_Lists_type,
    &test_kinds_Optionals_type, &test_kinds_Maps_type, &test_kinds_Choice_type, &test_kinds_Known_type,
    &test_legacy_Base_type, &test_legacy_Holder_type, &test_edition_Presence_type, &test_edition_Defaults_type,
    &test_edition_Encodings_type, &test_edition_Enums_type, &google_protobuf_Any_type, &google_protobuf_Value_type};

/* Takes two bytes off the input. */
static __attribute__((unused)) const connect_type_t *fuzz_choose(
    const uint8_t **data, size_t *size, connect_codec_options_t *options) {
    const unsigned type = *size > 0 ? (*data)[0] : 0, bits = *size > 1 ? (*data)[1] : 0;
    const size_t taken = *size < 2 ? *size : 2;
    *data += taken;
    *size -= taken;
    memset(options, 0, sizeof *options);
    options->schema.files = fuzz_files;
    options->schema.count = sizeof fuzz_files / sizeof *fuzz_files;
    options->partial = true;
    options->copy = (bits & 1) != 0;
    options->drop_unknown = (bits & 2) != 0;
    options->deterministic = (bits & 4) != 0;
    options->json_strict = (bits & 8) != 0;
    options->json_proto_names = (bits & 16) != 0;
    options->json_enum_numbers = (bits & 32) != 0;
    options->json_pretty = (bits & 64) != 0;
    options->memory_max = bits & 128 ? 4096 : 0;
    return fuzz_types[type % (sizeof fuzz_types / sizeof *fuzz_types)];
}

/* A block of the input's exact size: one byte too far is seen. */
static connect_str_t fuzz_copy(const uint8_t *data, size_t size, size_t slack) {
    connect_str_t copy;
    char *block = (char *)malloc(size + slack ? size + slack : 1);
    CHECK(block);
    if (size) memcpy(block, data, size);
    memset(block + size, 0xA5, slack);
    copy.data = block;
    copy.len = size;
    return copy;
}
#endif
