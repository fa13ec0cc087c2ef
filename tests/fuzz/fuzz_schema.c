/* Descriptor sets: refused, or types that can be used. The input is a length in two bytes, a set, and a message. */
#include "fuzz.h"

static void use(const connect_type_t *type, connect_str_t bytes, connect_schema_t schema) {
    connect_arena_t arena = CONNECT_DEFAULTS;
    connect_codec_options_t options = CONNECT_DEFAULTS;
    void *message = connect_arena_take(&arena, 1, type->size), *copy = connect_arena_take(&arena, 1, type->size);
    connect_str_t json;
    options.partial = true;
    options.schema = schema;
    if (connect_message_decode(type, message, bytes, &arena, &options, NULL)) {
        connect_str_t again = connect_message_encode(type, message, &arena, &options, NULL);
        CHECK(again.data && again.len == connect_message_size(type, message));
        CHECK(connect_message_copy(type, copy, message, &arena));
        CHECK(connect_message_equal(type, copy, message));
        json = connect_message_encode_json(type, message, &arena, &options, NULL);
        if (json.data) connect_message_decode_json(type, copy, json, &arena, &options, NULL);
    }
    connect_message_decode_json(type, message, bytes, &arena, &options, NULL);
    connect_arena_free(&arena);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    connect_arena_t arena = CONNECT_DEFAULTS;
    connect_schema_t schema;
    connect_str_t set, message;
    connect_error_t error;
    size_t len, i, j;
    if (size < 2) return 0;
    len = (size_t)data[0] << 8 | data[1];
    data += 2;
    size -= 2;
    if (len > size) len = size;
    set = fuzz_copy(data, len, 0);
    message = fuzz_copy(data + len, size - len, 0);
    if (connect_schema_load(&schema, set, &arena, &error)) {
        free((void *)(uintptr_t)set.data); /* nothing of it is needed any more */
        set.data = NULL;
        for (i = 0; i < schema.count; i++) {
            for (j = 0; j < schema.files[i]->types.count && j < 20; j++) {
                const connect_type_t *type = schema.files[i]->types.items[j];
                CHECK(connect_schema_type(schema, type->full_name));
                use(type, message, schema);
            }
            for (j = 0; j < schema.files[i]->extensions.count && j < 20; j++)
                use(schema.files[i]->extensions.items[j]->holder, message, schema);
        }
    } else {
        CHECK(error.message.data && schema.count == 0);
    }
    connect_arena_free(&arena);
    free((void *)(uintptr_t)set.data);
    free((void *)(uintptr_t)message.data);
    return 0;
}
