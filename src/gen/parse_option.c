/* Options as they are written: names of parts, a.(b.c).d, and values: a word, a number, strings, or a text-format
   message in braces. What they mean is told by option.c.

   An aggregate is kept as text. Its braces, brackets and angles must match; they may nest GEN_PARSE_OPTION_DEPTH
   deep. */
#include "gen/parse_option.h"

#define GEN_PARSE_OPTION_DEPTH 64u

static bool gen_parse_option_name(gen_parser_t *parser, gen_option_t *option) {
    const char *name = "";
    option->at = parser->lexer.token.at;
    for (;;) {
        const char *part;
        if (gen_parser_take(parser, "(")) {
            if (!gen_parser_path(parser, "the name of an option", &part)) return false;
            if (!gen_parser_expect(parser, ")", "after the name of a custom option")) return false;
            part = gen_source_printf(parser->ctx, "(%s)", part);
        } else if (!gen_parser_word(parser, "the name of an option", &part)) {
            return false;
        }
        if (strlen(name) + strlen(part) > GEN_PATH_MAX) {
            gen_source_error(parser->ctx, option->at, "the name of an option has more than %u bytes", GEN_PATH_MAX);
            return false;
        }
        name = *name ? gen_source_printf(parser->ctx, "%s.%s", name, part) : part;
        if (!gen_parser_take(parser, ".")) break;
    }
    option->name = name;
    return true;
}

static bool gen_parse_option_brackets_match(gen_parser_t *parser, gen_option_t *option) {
    char closing[GEN_PARSE_OPTION_DEPTH];
    unsigned depth = 0;
    const gen_token_t *token = &parser->lexer.token;
    do {
        char c = token->kind == GEN_TOKEN_SYMBOL ? token->text.data[0] : 'x';
        if (token->kind == GEN_TOKEN_END) return gen_parser_wrong(parser, "the end of the option's value");
        if (c == '{' || c == '[' || c == '<') {
            if (depth == GEN_PARSE_OPTION_DEPTH) {
                gen_source_error(
                    parser->ctx, token->at, "the option's value nests deeper than %u levels", GEN_PARSE_OPTION_DEPTH);
                return false;
            }
            closing[depth++] = c == '{' ? '}' : c == '[' ? ']' : '>';
        } else if (c == '}' || c == ']' || c == '>') {
            const char wanted[4] = {'"', closing[depth - 1], '"', 0};
            if (c != closing[depth - 1]) return gen_parser_wrong(parser, wanted);
            depth--;
        } else if (c != 'x' && !strchr(":;,.-/", c)) {
            return gen_parser_wrong(parser, "a field of the option's value");
        }
        option->text.len = (size_t)(token->text.data + token->text.len - option->text.data);
        gen_lexer_next(&parser->lexer);
    } while (depth > 0);
    return true;
}

static bool gen_parse_option_aggregate(gen_parser_t *parser, gen_option_t *option) {
    option->kind = GEN_VALUE_AGGREGATE;
    option->text.data = parser->lexer.token.text.data;
    if (gen_parse_option_brackets_match(parser, option)) return true;
    /* Where braces do not match, the ; that ends the statement is the best place to go on at. */
    while (!gen_lexer_is(&parser->lexer, ";") && parser->lexer.token.kind != GEN_TOKEN_END) {
        gen_lexer_next(&parser->lexer);
    }
    return false;
}

GEN_PRIVATE bool gen_parse_option_assignment(gen_parser_t *parser, gen_options_t *options) {
    gen_option_t *option = CONNECT_NEW(&parser->ctx->arena, gen_option_t, 1);
    const gen_token_t *token = &parser->lexer.token;
    if (!gen_parse_option_name(parser, option)) return false;
    if (!gen_parser_expect(parser, "=", "after the name of an option")) return false;
    option->value_at = token->at;
    if (gen_lexer_is(&parser->lexer, "{")) {
        if (!gen_parse_option_aggregate(parser, option)) return false;
    } else if (token->kind == GEN_TOKEN_STRING) {
        option->kind = GEN_VALUE_STRING;
        if (!gen_parser_string(parser, "a value", &option->text)) return false;
    } else {
        option->negative = gen_parser_take(parser, "-");
        if (token->kind == GEN_TOKEN_INTEGER) {
            option->kind = GEN_VALUE_INTEGER;
            option->integer = token->integer;
            option->number = gen_lexer_double(parser->ctx, token);
            if (token->too_big) option->kind = GEN_VALUE_FLOAT;
        } else if (token->kind == GEN_TOKEN_FLOAT) {
            option->kind = GEN_VALUE_FLOAT;
            option->number = gen_lexer_double(parser->ctx, token);
        } else if (token->kind == GEN_TOKEN_WORD) {
            option->kind = GEN_VALUE_WORD;
        } else {
            return gen_parser_wrong(parser, "the value of an option");
        }
        option->text = token->text;
        gen_lexer_next(&parser->lexer);
    }
    GEN_APPEND(*options, option);
    return true;
}

GEN_PRIVATE bool gen_parse_option_statement(gen_parser_t *parser, gen_options_t *options) {
    gen_lexer_next(&parser->lexer);
    return gen_parse_option_assignment(parser, options) && gen_parser_expect(parser, ";", "after an option");
}

GEN_PRIVATE bool gen_parse_option_brackets(gen_parser_t *parser, gen_options_t *options) {
    if (!gen_parser_take(parser, "[")) return true;
    do {
        if (!gen_parse_option_assignment(parser, options)) return false;
    } while (gen_parser_take(parser, ","));
    return gen_parser_expect(parser, "]", "after the options");
}
