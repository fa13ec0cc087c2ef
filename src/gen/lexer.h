#pragma once
#include "gen/source.h"

#define GEN_WORD_MAX 512u /* bytes of a word */

typedef enum gen_token_kind_t {
    GEN_TOKEN_END,
    GEN_TOKEN_WORD, /* an identifier or keyword */
    GEN_TOKEN_INTEGER,
    GEN_TOKEN_FLOAT,
    GEN_TOKEN_STRING, /* text: as written, with its quotes */
    GEN_TOKEN_SYMBOL  /* one byte */
} gen_token_kind_t;
typedef struct gen_token_t {
    gen_token_kind_t kind;
    connect_str_t text;
    gen_at_t at;
    uint64_t integer;
    bool too_big;          /* an INTEGER over 64 bits */
    bool bad;              /* it, or what stands before it, was reported already */
    connect_str_t leading; /* the comment that belongs to it, with its marks */
} gen_token_t;
typedef struct gen_lexer_t {
    gen_context_t *ctx;
    const gen_source_t *source;
    const char *next, *end;
    gen_token_t token;
    gen_at_t previous_end;
    connect_str_t trailing; /* the comment that belongs to the token before this one, with its marks */
    bool started;           /* there was a token before this one */
} gen_lexer_t;
/* Starts before the first token. */
GEN_PRIVATE void gen_lexer_begin(gen_lexer_t *lexer, gen_context_t *ctx, const gen_source_t *source);
/* Starts in a part of a source. */
GEN_PRIVATE void gen_lexer_begin_at(
    gen_lexer_t *lexer, gen_context_t *ctx, const gen_source_t *source, connect_str_t part);
/* Goes to the next token. What is no token is reported and skipped. */
GEN_PRIVATE void gen_lexer_next(gen_lexer_t *lexer);
GEN_PRIVATE bool gen_lexer_is(const gen_lexer_t *lexer, const char *text);
/* What an INTEGER or a FLOAT is as a double. */
GEN_PRIVATE double gen_lexer_double(gen_context_t *ctx, const gen_token_t *token);
/* Takes the string token and those that follow it, joined and unescaped. Returns false if one is bad. */
GEN_PRIVATE bool gen_lexer_strings(gen_lexer_t *lexer, connect_str_t *text);
/* The text of a comment without its marks, as descriptors have it. */
GEN_PRIVATE connect_str_t gen_lexer_comment_text(gen_context_t *ctx, connect_str_t comment);
