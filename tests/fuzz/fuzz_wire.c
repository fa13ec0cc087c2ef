/* Protobuf binary: what is read is written so that it reads as the same, by all ways through the decoder. */
#include "fuzz.h"

/* Text to message to text: the same text. */
static void check_json(
    const connect_type_t *type, const void *message, const connect_codec_options_t *options, connect_arena_t *arena) {
    connect_codec_options_t relaxed = *options;
    connect_str_t json, again;
    void *back;
    connect_error_t error;
    relaxed.memory_max = 0;
    json = connect_message_encode_json(type, message, arena, &relaxed, NULL);
    if (!json.data) return; /* a time out of range, an Any of an unknown type */
    back = connect_arena_take(arena, 1, type->size);
    if (!connect_message_decode_json(type, back, json, arena, &relaxed, &error)) {
        fprintf(stderr, "%s\n%s\n", error.message.data, json.data);
        CHECK(!"JSON reads back");
    }
    again = connect_message_encode_json(type, back, arena, &relaxed, NULL);
    /* any number of google.protobuf.NullValue is written as null, and read as 0 */
    CHECK(connect_str_equal(json, again) || strstr(json.data, "null"));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    connect_codec_options_t options, relaxed;
    const connect_type_t *type = fuzz_choose(&data, &size, &options);
    connect_str_t exact = fuzz_copy(data, size, 0), slack = fuzz_copy(data, size, CN_SLACK);
    connect_arena_t arena = CONNECT_DEFAULTS;
    void *message = connect_arena_take(&arena, 1, type->size), *other = connect_arena_take(&arena, 1, type->size);
    connect_reader_t reader = {{NULL, 0}, false};
    connect_record_t record;
    connect_error_t error, same_error;
    bool ok = connect_message_decode(type, message, exact, &arena, &options, &error);
    CHECK(cn_pb_decode(type, other, slack, &arena, &options, &same_error) == ok);
    if (ok) {
        connect_str_t bytes, again;
        CHECK(connect_message_equal(type, message, other));
        relaxed = options;
        relaxed.memory_max = 0;
        bytes = connect_message_encode(type, message, &arena, &relaxed, NULL);
        CHECK(bytes.data && bytes.len <= connect_message_size(type, message));
        CHECK(options.deterministic || bytes.len == connect_message_size(type, message));
        CHECK(connect_message_decode(type, other, bytes, &arena, &relaxed, NULL));
        CHECK(connect_message_equal(type, message, other));
        again = connect_message_encode(type, other, &arena, &relaxed, NULL);
        CHECK(connect_str_equal(bytes, again));
        CHECK(connect_message_copy(type, other, message, &arena));
        CHECK(connect_message_equal(type, message, other));
        again = connect_message_encode(type, other, &arena, &relaxed, NULL);
        CHECK(connect_str_equal(bytes, again));
        relaxed.merge = true; /* into an empty message: the same; into itself: as if it had come twice */
        connect_message_init(type, other);
        CHECK(connect_message_decode(type, other, exact, &arena, &relaxed, NULL));
        CHECK(connect_message_equal(type, message, other));
        check_json(type, message, &options, &arena);
    } else {
        CHECK(error.code == same_error.code && error.message.data);
    }
    reader.rest = exact;
    while (connect_reader_next(&reader, &record)) {}
    CHECK(!ok || !reader.failed);
    connect_arena_free(&arena);
    free((void *)(uintptr_t)exact.data);
    free((void *)(uintptr_t)slack.data);
    return 0;
}
