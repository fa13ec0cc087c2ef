/* JSON: what is read as a message is written so that it reads as the same; the reader takes what the mapping takes. */
#include "fuzz.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    connect_codec_options_t options, relaxed;
    const connect_type_t *type = fuzz_choose(&data, &size, &options);
    connect_str_t text = fuzz_copy(data, size, 0);
    connect_arena_t arena = CONNECT_DEFAULTS;
    void *message = connect_arena_take(&arena, 1, type->size), *other = connect_arena_take(&arena, 1, type->size);
    connect_error_t error;
    cn_json_reader_t reader;
    cn_json_token_t token;
    bool ok, is_json;
    cn_json_read(&reader, text, &arena, CN_JSON_DEPTH_MAX);
    do {
        token = cn_json_next(&reader);
    } while (token != CN_JSON_END && token != CN_JSON_ERROR);
    is_json = token == CN_JSON_END;
    ok = connect_message_decode_json(type, message, text, &arena, &options, &error);
    CHECK(!ok || is_json);
    CHECK(ok || error.message.data);
    if (ok) {
        connect_str_t json, again, bytes;
        relaxed = options;
        relaxed.memory_max = 0;
        json = connect_message_encode_json(type, message, &arena, &relaxed, &error);
        CHECK(json.data);
        CHECK(connect_message_decode_json(type, other, json, &arena, &relaxed, &error));
        CHECK(connect_message_equal(type, message, other));
        again = connect_message_encode_json(type, other, &arena, &relaxed, &error);
        CHECK(connect_str_equal(json, again));
        bytes = connect_message_encode(type, message, &arena, &relaxed, &error);
        CHECK(bytes.data);
        CHECK(connect_message_decode(type, other, bytes, &arena, &relaxed, &error));
        CHECK(connect_message_equal(type, message, other));
    }
    connect_arena_free(&arena);
    free((void *)(uintptr_t)text.data);
    return 0;
}
