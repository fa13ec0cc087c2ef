#pragma once
#include "gen/source.h"

/* Output that grows. {0} is empty. */
typedef struct gen_text_t {
    char *data;
    size_t len, room;
} gen_text_t;
GEN_PRIVATE void gen_text_put(gen_text_t *text, const char *more);
GEN_PRIVATE void gen_text_bytes(gen_text_t *text, const char *more, size_t len);
/* One logical line, without the newline; broken at 120 columns where C allows it. */
GEN_PRIVATE void gen_text_line(gen_text_t *text, const char *format, ...) CONNECT_PRINTF(2, 3);
/* Lines of a template, in which $A to $Z stand for values[0] to values[25]; each is put as by gen_text_line. */
GEN_PRIVATE void gen_text_template(gen_text_t *text, const char *lines, const char *const values[26]);
/* Bytes as C string literals, behind an indent. */
GEN_PRIVATE void gen_text_literal(gen_text_t *text, const char *indent, connect_str_t bytes);
/* Bytes as the initializer of a char array, where they are too many for a literal. */
GEN_PRIVATE void gen_text_array(gen_text_t *text, const char *indent, connect_str_t bytes);
/* Comments of a .proto file as a C comment of its own lines; deprecated: says so. */
GEN_PRIVATE void gen_text_comment(
    gen_text_t *text, const char *indent, connect_str_t leading, connect_str_t trailing, bool deprecated);
GEN_PRIVATE void gen_text_free(gen_text_t *text);
