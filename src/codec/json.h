#pragma once
#include "base/sys.h"
#include "base/buf.h"
#include "codec/number.h"

#define CN_JSON_DEPTH_MAX 256
#define CN_JSON_NAME_MAX 65536

/* A pull reader over a whole JSON text (RFC 8259); nothing behind the text is read. Strict: no comments, no trailing
   commas, no leading zeros, UTF-8 checked, one value and nothing behind it. */
typedef enum cn_json_token_t {
    CN_JSON_END,   /* the text is over, after one whole value */
    CN_JSON_ERROR, /* reader->error says why, reader->at where */
    CN_JSON_NULL,
    CN_JSON_TRUE,
    CN_JSON_FALSE,
    CN_JSON_NUMBER, /* reader->text: as written; reader->number */
    CN_JSON_STRING, /* reader->text: unescaped; a view of the input if nothing was escaped, else in the arena */
    CN_JSON_OBJECT_BEGIN,
    CN_JSON_OBJECT_END,
    CN_JSON_ARRAY_BEGIN,
    CN_JSON_ARRAY_END,
    CN_JSON_NAME /* of an object's member: reader->text, as for STRING; its value is the next token */
} cn_json_token_t;
typedef struct cn_json_reader_t {
    const char *begin, *at, *end;
    const char *token; /* where the last token starts */
    connect_arena_t *arena;
    cn_number_t number;
    connect_str_t text; /* data is never NULL after NUMBER, STRING and NAME */
    const char *error;  /* static: "expected a comma or ]" */
    uint32_t depth, depth_max;
    uint8_t state;                            /* what may come next; private to json.c */
    bool escaped;                             /* text is in the arena */
    bool discard;                             /* strings are checked, but not unescaped: text says nothing */
    bool out_of_memory;                       /* this is the error: the arena is full */
    uint64_t nesting[CN_JSON_DEPTH_MAX / 64]; /* one bit for each level: 1 is an object */
} cn_json_reader_t;
/* depth_max: how deep arrays and objects may nest; at most CN_JSON_DEPTH_MAX. */
CN_PRIVATE void cn_json_read(cn_json_reader_t *reader, connect_str_t text, connect_arena_t *arena, uint32_t depth_max);
CN_PRIVATE cn_json_token_t cn_json_next(cn_json_reader_t *reader);
/* The next item of an array, if it is a plain number: up to 18 digits, no space around them. Returns false if it is
   not; then nothing was read. */
CN_PRIVATE bool cn_json_next_uint(cn_json_reader_t *reader, uint64_t *value);
/* Skips the value whose first token is given. Returns false on an error in it. */
CN_PRIVATE bool cn_json_skip(cn_json_reader_t *reader, cn_json_token_t first);
/* Line and column, from 1, of a place in the text: for error texts. Columns are characters, not bytes. */
CN_PRIVATE void cn_json_position_of(const cn_json_reader_t *reader, const char *place, size_t *line, size_t *column);

/* A writer that appends to a queue, puts the commas and colons itself, and remembers failure. */
typedef struct cn_json_writer_t {
    cn_buf_t *out;
    const connect_allocator_t *allocator;
    bool pretty;
    bool comma;         /* the next item needs one before it */
    bool named;         /* a name and its colon were just written */
    bool failed;        /* out of memory, or a text that is not UTF-8 */
    bool out_of_memory; /* which of the two */
    uint32_t depth;
} cn_json_writer_t;
CN_PRIVATE void cn_json_write(
    cn_json_writer_t *writer, cn_buf_t *out, const connect_allocator_t *allocator, bool pretty);
CN_PRIVATE void cn_json_object_begin(cn_json_writer_t *writer);
CN_PRIVATE void cn_json_object_end(cn_json_writer_t *writer);
CN_PRIVATE void cn_json_array_begin(cn_json_writer_t *writer);
CN_PRIVATE void cn_json_array_end(cn_json_writer_t *writer);
CN_PRIVATE void cn_json_name(cn_json_writer_t *writer, connect_str_t name);
/* The same for a short name that needs no escape. */
CN_PRIVATE void cn_json_clean_name(cn_json_writer_t *writer, connect_str_t name);
CN_PRIVATE void cn_json_string(cn_json_writer_t *writer, connect_str_t text);
/* Bytes as a string of base64. */
CN_PRIVATE void cn_json_base64(cn_json_writer_t *writer, connect_str_t bytes, bool padded);
/* null, true, a number: written as it stands. */
CN_PRIVATE void cn_json_literal(cn_json_writer_t *writer, connect_str_t literal);
/* The same in quotes, for what needs no escapes. */
CN_PRIVATE void cn_json_quoted(cn_json_writer_t *writer, connect_str_t literal);
CN_PRIVATE void cn_json_bool(cn_json_writer_t *writer, bool value);
/* Numbers. quoted: in quotes, as JSON has no integers of 64 bits. A double or a float is finite. */
CN_PRIVATE void cn_json_int(cn_json_writer_t *writer, int64_t value, bool quoted);
CN_PRIVATE void cn_json_uint(cn_json_writer_t *writer, uint64_t value, bool quoted);
CN_PRIVATE void cn_json_double(cn_json_writer_t *writer, double value);
CN_PRIVATE void cn_json_float(cn_json_writer_t *writer, float value);
