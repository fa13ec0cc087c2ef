/* The frame of one peer's program: FOLDER SHAPE OPERATION PASSES. Reads the messages of FOLDER/SHAPE.pb and .json, lets
   the peer check that it understands them, does the operation on all of them so many times, and prints the CPU
   nanoseconds that this took. Operations: decode, encode, json-decode, json-encode. */
#ifndef HARNESS_H
#define HARNESS_H
#define _POSIX_C_SOURCE 200809L
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

typedef struct input_t { /* one message */
    const char *pb, *json;
    size_t pb_len, json_len;
} input_t;

typedef void operation_t(size_t index);

/* What a peer defines. Its peer_prepare keeps all messages decoded for the encoders, and calls expect_len for what it
   wrote of them. It returns NULL for an operation that the peer does not have. */
static operation_t *peer_prepare(const char *shape, const char *operation, const input_t *inputs, size_t count);

static inline void fail(const char *what) {
    fprintf(stderr, "%s\n", what);
    exit(1);
}

/* Every message has the same length whoever writes it, since only the order of map entries is left open. */
static inline void expect_len(size_t len, size_t expected) {
    if (len != expected) {
        fprintf(stderr, "wrote %zu bytes, expected %zu\n", len, expected);
        exit(1);
    }
}

static char *read_file(const char *folder, const char *shape, const char *suffix, size_t *len) {
    char path[512], *bytes;
    FILE *file;
    long size;
    snprintf(path, sizeof path, "%s/%s%s", folder, shape, suffix);
    file = fopen(path, "rb");
    if (!file || fseek(file, 0, SEEK_END) != 0 || (size = ftell(file)) < 0) fail(path);
    rewind(file);
    bytes = (char *)malloc((size_t)size + 1);
    if (!bytes || fread(bytes, 1, (size_t)size, file) != (size_t)size) fail(path);
    fclose(file);
    *len = (size_t)size;
    return bytes;
}

/* A file is a run of messages, each after its length: four bytes, the lowest first. Each gets its own block, with a zero
   behind it. */
static const char *take_message(const char **at, size_t *len) {
    const unsigned char *head = (const unsigned char *)*at;
    char *copy;
    *len = head[0] | (size_t)head[1] << 8 | (size_t)head[2] << 16 | (size_t)head[3] << 24;
    copy = (char *)malloc(*len + 1);
    if (!copy) fail("out of memory");
    memcpy(copy, *at + 4, *len);
    copy[*len] = 0;
    *at += 4 + *len;
    return copy;
}

#ifdef __cplusplus
extern "C"
#endif
    __attribute__((noinline)) void
    measured(operation_t *operation, size_t count, unsigned long passes); /* callgrind's --toggle-collect */

void measured(operation_t *operation, size_t count, unsigned long passes) {
    unsigned long pass;
    size_t i;
    for (pass = 0; pass < passes; pass++)
        for (i = 0; i < count; i++)
            operation(i);
}

int main(int argc, char **argv) {
    size_t pb_len, json_len, count = 0;
    const char *pb, *json, *pb_end;
    static input_t inputs[4096];
    operation_t *operation;
    struct timespec begin, end;
    if (argc != 5) fail("usage: FOLDER SHAPE OPERATION PASSES");
    pb = read_file(argv[1], argv[2], ".pb", &pb_len);
    json = read_file(argv[1], argv[2], ".json", &json_len);
    for (pb_end = pb + pb_len; pb < pb_end && count < 4096; count++) {
        inputs[count].pb = take_message(&pb, &inputs[count].pb_len);
        inputs[count].json = take_message(&json, &inputs[count].json_len);
    }
    operation = peer_prepare(argv[2], argv[3], inputs, count);
    if (!operation) fail("no such shape or operation");
    measured(operation, count, 1); /* warm: arenas have grown to their size */
    clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &begin);
    measured(operation, count, strtoul(argv[4], NULL, 10));
    clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &end);
    printf("%.0f\n", (double)(end.tv_sec - begin.tv_sec) * 1e9 + (double)(end.tv_nsec - begin.tv_nsec));
    return 0;
}
#endif
