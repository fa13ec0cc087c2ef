/* Tells which texts are JSON: reads frames (four bytes of length, little-endian, then the text) on standard input, and
   prints a line for each: two digits, 1 if the reader takes it, 1 if it is read as a google.protobuf.Value. */
#define CONNECT_IMPLEMENTATION
#include "google/protobuf/struct.connect.h"

static bool read_whole(connect_str_t text, connect_arena_t *arena) {
    cn_json_reader_t reader;
    cn_json_token_t token;
    cn_json_read(&reader, text, arena, 256);
    do {
        token = cn_json_next(&reader);
    } while (token != CN_JSON_END && token != CN_JSON_ERROR);
    return token == CN_JSON_END;
}

int main(void) {
    unsigned char head[4];
    while (fread(head, 1, 4, stdin) == 4) {
        connect_arena_t arena = CONNECT_DEFAULTS;
        const size_t len = (size_t)head[0] | (size_t)head[1] << 8 | (size_t)head[2] << 16 | (size_t)head[3] << 24;
        char *text = (char *)malloc(len ? len : 1); /* of the exact size: sanitizers see one byte too far */
        connect_str_t view;
        google_protobuf_Value value;
        bool reader, mapping;
        if (!text || fread(text, 1, len, stdin) != len) return 1;
        view.data = text;
        view.len = len;
        reader = read_whole(view, &arena);
        mapping = connect_message_decode_json(&google_protobuf_Value_type, &value, view, &arena, NULL, NULL);
        printf("%d%d\n", reader, mapping);
        connect_arena_free(&arena);
        free(text);
    }
    return 0;
}
