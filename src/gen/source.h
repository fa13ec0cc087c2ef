#pragma once
#include "gen/sys.h"

#define GEN_ERRORS_MAX 100 /* after these the rest of the input is not read */

typedef struct gen_source_t {
    const char *name;   /* as imports say it: "google/protobuf/timestamp.proto" */
    const char *path;   /* as messages say it: "protos/a.proto" */
    connect_str_t text; /* with a zero after it; NULL: it came as a descriptor */
    uint32_t serial;    /* messages come in this order */
} gen_source_t;
/* A place in a source; source NULL: none (the command line). */
typedef struct gen_at_t {
    const gen_source_t *source;
    size_t offset; /* in the text; without one see gen_source_span */
} gen_at_t;
typedef struct gen_message_text_t {
    struct gen_message_text_t *next;
    gen_at_t at;
    const char *text;
    uint32_t serial;
    bool warning;
} gen_message_text_t;
typedef struct gen_context_t {
    connect_arena_t arena; /* never fails: the process ends with a message instead */
    GEN_LIST(gen_message_text_t) messages;
    uint32_t error_count, source_count;
} gen_context_t;

GEN_PRIVATE void gen_source_begin(gen_context_t *ctx);
GEN_PRIVATE void gen_source_free(gen_context_t *ctx);
/* Ends the process with exit 1: there is nothing better a command can do without memory. */
GEN_PRIVATE void gen_source_out_of_memory(void);
/* Prints into the arena. */
GEN_PRIVATE const char *gen_source_printf(gen_context_t *ctx, const char *format, ...) CONNECT_PRINTF(2, 3);
/* Copies into the arena, with a zero after it. */
GEN_PRIVATE const char *gen_source_copy(gen_context_t *ctx, connect_str_t text);
/* Makes a source from text that is in memory. */
GEN_PRIVATE gen_source_t *gen_source_new(gen_context_t *ctx, const char *name, const char *path, connect_str_t text);
/* Reads a file. Returns NULL with *os_error set if it cannot be opened; other failures are reported at `at`. */
GEN_PRIVATE gen_source_t *gen_source_read(
    gen_context_t *ctx, gen_at_t at, const char *name, const char *path, int *os_error);
/* Keeps a message for gen_source_report. */
GEN_PRIVATE void gen_source_error(gen_context_t *ctx, gen_at_t at, const char *format, ...) CONNECT_PRINTF(3, 4);
GEN_PRIVATE void gen_source_warn(gen_context_t *ctx, gen_at_t at, const char *format, ...) CONNECT_PRINTF(3, 4);
/* The place of a line and a column, both counted from 0, in a source that came as a descriptor. */
GEN_PRIVATE gen_at_t gen_source_span(const gen_source_t *source, uint64_t line, uint64_t column);
/* "file:line:col" of a place, for messages that name a second one. */
GEN_PRIVATE const char *gen_source_place(gen_context_t *ctx, gen_at_t at);
/* Writes all messages kept, in the order of the places. */
GEN_PRIVATE void gen_source_report(gen_context_t *ctx, FILE *to);
/* Text for a message: what is not printable ASCII as \xNN, cut at 64 bytes. */
GEN_PRIVATE const char *gen_source_quote(gen_context_t *ctx, connect_str_t text);
