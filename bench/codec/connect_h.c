/* connect.h: an arena that is reset after each message; strings are views of the input. */
#include "harness.h"
#define CONNECT_IMPLEMENTATION
#define CONNECT_ENABLE_CLIENT 0
#define CONNECT_ENABLE_SERVER 0
#include "codec/shapes.connect.h"
#include "codec/sparse.connect.h"

static const connect_type_t *type;
static const input_t *all;
static void *message, *held[4096];
static connect_arena_t arena;

static void decode(size_t i) {
    connect_str_t bytes;
    bytes.data = all[i].pb;
    bytes.len = all[i].pb_len;
    connect_arena_reset(&arena);
    if (!connect_message_decode(type, message, bytes, &arena, NULL, NULL)) fail("decode");
}

static void encode(size_t i) {
    connect_arena_reset(&arena);
    if (!connect_message_encode(type, held[i], &arena, NULL, NULL).data) fail("encode");
}

static void json_decode(size_t i) {
    connect_str_t json;
    json.data = all[i].json;
    json.len = all[i].json_len;
    connect_arena_reset(&arena);
    if (!connect_message_decode_json(type, message, json, &arena, NULL, NULL)) fail("json-decode");
}

static void json_encode(size_t i) {
    connect_arena_reset(&arena);
    if (!connect_message_encode_json(type, held[i], &arena, NULL, NULL).data) fail("json-encode");
}

static operation_t *peer_prepare(const char *shape, const char *operation, const input_t *inputs, size_t count) {
    static const struct {
        const char *name;
        const connect_type_t *type;
    } types[] = {{"ApiResponse", &bench_codec_ApiResponse_type}, {"LogRecord", &bench_codec_LogRecord_type},
        {"AnalyticsEvent", &bench_codec_AnalyticsEvent_type}, {"SparseRecord", &bench_codec_SparseRecord_type},
        {"MediaFrame", &bench_codec_MediaFrame_type}, {"PackedTile", &bench_codec_PackedTile_type}};
    static connect_arena_t kept;
    size_t i;
    for (i = 0; i < sizeof types / sizeof *types; i++)
        if (strcmp(shape, types[i].name) == 0) type = types[i].type;
    if (!type) return NULL;
    all = inputs;
    connect_arena_init(&kept, NULL, 0, connect_allocator_libc());
    connect_arena_init(&arena, NULL, 0, connect_allocator_libc());
    message = connect_arena_take(&kept, 1, type->size);
    for (i = 0; i < count; i++) {
        connect_str_t bytes, json;
        bytes.data = inputs[i].pb;
        bytes.len = inputs[i].pb_len;
        json.data = inputs[i].json;
        json.len = inputs[i].json_len;
        held[i] = connect_arena_take(&kept, 1, type->size);
        if (!connect_message_decode(type, held[i], bytes, &kept, NULL, NULL)) fail("decode");
        expect_len(connect_message_encode(type, held[i], &arena, NULL, NULL).len, bytes.len);
        expect_len(connect_message_encode_json(type, held[i], &arena, NULL, NULL).len, json.len);
        if (!connect_message_decode_json(type, message, json, &arena, NULL, NULL)) fail("json-decode");
        if (!connect_message_equal(type, message, held[i])) fail("JSON and binary differ");
    }
    return strcmp(operation, "decode") == 0     ? decode
        : strcmp(operation, "encode") == 0      ? encode
        : strcmp(operation, "json-decode") == 0 ? json_decode
        : strcmp(operation, "json-encode") == 0 ? json_encode
                                                : NULL;
}
