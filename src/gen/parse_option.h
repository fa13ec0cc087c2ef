#pragma once
#include "gen/parser.h"

/* Reads `name = value`, at the name, into the list. Returns false after a syntax error. */
GEN_PRIVATE bool gen_parse_option_assignment(gen_parser_t *parser, gen_options_t *options);
/* Reads `option name = value;`. */
GEN_PRIVATE bool gen_parse_option_statement(gen_parser_t *parser, gen_options_t *options);
/* Reads `[a = 1, b = 2]` if it is there. */
GEN_PRIVATE bool gen_parse_option_brackets(gen_parser_t *parser, gen_options_t *options);
