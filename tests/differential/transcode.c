/* The library as one end of a differential test: transcode DESCRIPTOR_SET loads a schema and answers requests on
   standard input. All numbers have four bytes, little-endian.

       request   'b' or 'j', length and name of the type, length and bytes: protobuf binary, or JSON
       answer    1, then three lengths with bytes: binary, JSON, text; or 0, and the length and text of an error

   Types that were compiled in are used instead of loaded ones if a second argument says so. */
#define CONNECT_ENABLE_CLIENT 0
#define CONNECT_ENABLE_SERVER 0
#define CONNECT_IMPLEMENTATION
#include "edition.connect.h"
#include "kinds.connect.h"
#include "legacy.connect.h"

static const connect_file_t *const compiled[] = {&google_protobuf_any_file, &google_protobuf_duration_file,
    &google_protobuf_empty_file, &google_protobuf_field_mask_file, &google_protobuf_struct_file,
    &google_protobuf_timestamp_file, &google_protobuf_wrappers_file, &test_kinds_kinds_file, &test_legacy_legacy_file,
    &test_edition_edition_file};

static bool read_bytes(FILE *file, connect_str_t *bytes) { /* of the exact size: sanitizers see one byte too far */
    unsigned char head[4];
    char *block;
    if (fread(head, 1, 4, file) != 4) return false;
    bytes->len = (size_t)head[0] | (size_t)head[1] << 8 | (size_t)head[2] << 16 | (size_t)head[3] << 24;
    block = (char *)malloc(bytes->len ? bytes->len : 1);
    bytes->data = block;
    return block && fread(block, 1, bytes->len, file) == bytes->len;
}

static void write_bytes(connect_str_t bytes) {
    const size_t len = bytes.len;
    const unsigned char head[4] = {
        (unsigned char)len, (unsigned char)(len >> 8), (unsigned char)(len >> 16), (unsigned char)(len >> 24)};
    fwrite(head, 1, 4, stdout);
    fwrite(bytes.data, 1, len, stdout);
}

static void answer(connect_schema_t schema, int form, const char *name, connect_str_t input, connect_arena_t *arena) {
    const connect_type_t *type = connect_schema_type(schema, name);
    connect_codec_options_t options = CONNECT_DEFAULTS;
    connect_error_t error = CONNECT_DEFAULTS;
    connect_str_t binary, json, text;
    void *message = type ? connect_arena_take(arena, 1, type->size) : NULL;
    bool ok = message != NULL;
    if (!ok) error.message = connect_str_of("no such type");
    options.schema = schema;
    options.json_strict = true;
    ok = ok &&
        (form == 'b' ? connect_message_decode(type, message, input, arena, &options, &error)
                     : connect_message_decode_json(type, message, input, arena, &options, &error));
    if (ok) {
        binary = connect_message_encode(type, message, arena, &options, &error);
        text = connect_message_encode_text(type, message, arena);
        ok = binary.data && text.data;
    }
    putchar(ok);
    if (!ok) {
        write_bytes(error.message);
        return;
    }
    json = connect_message_encode_json(type, message, arena, &options, &error);
    write_bytes(binary);
    write_bytes(json.data ? json : error.message);
    write_bytes(text);
}

int main(int argc, char **argv) {
    connect_arena_t schema_arena = CONNECT_DEFAULTS, arena = CONNECT_DEFAULTS;
    connect_schema_t schema = {compiled, sizeof compiled / sizeof *compiled};
    connect_error_t error = CONNECT_DEFAULTS;
    connect_str_t set, name, input;
    int form;
    FILE *file = argc > 1 ? fopen(argv[1], "rb") : NULL;
    char *block = (char *)malloc(1 << 22);
    if (!file || !block) return 1;
    set.data = block;
    set.len = fread(block, 1, 1 << 22, file);
    fclose(file);
    if (argc == 2 && !connect_schema_load(&schema, set, &schema_arena, &error)) {
        fprintf(stderr, "%s\n", error.message.data);
        return 1;
    }
    free(block);
    while ((form = getchar()) != EOF && read_bytes(stdin, &name) && read_bytes(stdin, &input)) {
        answer(schema, form, connect_arena_copy(&arena, name).data, input, &arena);
        fflush(stdout);
        connect_arena_reset(&arena);
        free((void *)(uintptr_t)name.data);
        free((void *)(uintptr_t)input.data);
    }
    connect_arena_free(&arena);
    connect_arena_free(&schema_arena);
    return 0;
}
