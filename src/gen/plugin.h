#pragma once
#include "gen/generate.h"

/* Whether a program of this name is to be a plugin. */
GEN_PRIVATE bool gen_plugin_is_asked(const char *program);
/* Reads a CodeGeneratorRequest from standard input, writes the response to standard output. Returns the exit status. */
GEN_PRIVATE int gen_plugin_run(gen_context_t *ctx);
