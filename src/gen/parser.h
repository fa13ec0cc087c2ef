#pragma once
#include "gen/lexer.h"
#include "gen/model.h"

#define GEN_PATH_MAX 4096u /* bytes of a name with dots */
#define GEN_DEPTH_MAX 32u  /* levels of messages in messages */

/* Reads a source into a file. What is wrong is reported; the file holds what could be read. */
GEN_PRIVATE gen_file_t *gen_parser_file(gen_context_t *ctx, const gen_source_t *source);

/* For parse_option.c: the parser's state, and what it has for others. */
typedef struct gen_parser_t {
    gen_context_t *ctx;
    gen_lexer_t lexer;
    gen_file_t *file;
    unsigned depth;
    int32_t visibility; /* said in front of the message or enum at hand */
} gen_parser_t;
GEN_PRIVATE bool gen_parser_take(gen_parser_t *parser, const char *text);
/* Takes a symbol, or reports that it was expected. A missing ; at the end of a line is taken as if it were there. */
GEN_PRIVATE bool gen_parser_expect(gen_parser_t *parser, const char *text, const char *where);
/* Reports that something else was expected. Returns false. */
GEN_PRIVATE bool gen_parser_wrong(gen_parser_t *parser, const char *expected);
/* Takes a word into *name; false, and reported, if there is none. */
GEN_PRIVATE bool gen_parser_word(gen_parser_t *parser, const char *what, const char **name);
/* Takes one or more string literals; false, and reported, if there is none. */
GEN_PRIVATE bool gen_parser_string(gen_parser_t *parser, const char *what, connect_str_t *text);
/* Takes a.b.c or .a.b.c. */
GEN_PRIVATE bool gen_parser_path(gen_parser_t *parser, const char *what, const char **path);
