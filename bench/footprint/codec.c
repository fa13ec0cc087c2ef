/* A program that is a codec and no more: reads a message as JSON or as protobuf, and writes the other. */
#define CONNECT_IMPLEMENTATION
#include "echo.connect.h"
#include <stdio.h>

int main(int argc, char **argv) {
    static char input[4096], room[16384];
    bench_v1_LogBatch batch;
    connect_arena_t arena;
    connect_str_t in, out;
    (void)argv;
    in.data = input;
    in.len = fread(input, 1, sizeof input, stdin);
    connect_arena_init(&arena, room, sizeof room, NULL);
#if CONNECT_ENABLE_JSON
    if (argc > 1) {
        if (!connect_message_decode_json(&bench_v1_LogBatch_type, &batch, in, &arena, NULL, NULL)) return 1;
        out = connect_message_encode(&bench_v1_LogBatch_type, &batch, &arena, NULL, NULL);
    } else {
        if (!connect_message_decode(&bench_v1_LogBatch_type, &batch, in, &arena, NULL, NULL)) return 1;
        out = connect_message_encode_json(&bench_v1_LogBatch_type, &batch, &arena, NULL, NULL);
    }
#else
    (void)argc;
    if (!connect_message_decode(&bench_v1_LogBatch_type, &batch, in, &arena, NULL, NULL)) return 1;
    out = connect_message_encode(&bench_v1_LogBatch_type, &batch, &arena, NULL, NULL);
#endif
    return fwrite(out.data, 1, out.len, stdout) == out.len ? 0 : 1;
}
