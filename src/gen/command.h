#pragma once
#include "gen/model.h"

typedef struct gen_command_t { /* what a command line, or the parameter of a plugin, says */
    const char **folders, **inputs, **sets;
    size_t folder_count, input_count, set_count;
    const char *out, *set_out, *depfile; /* NULL: not said */
    bool include_imports;
    gen_style_t style;
} gen_command_t;
/* Reads a command line. Returns -1 to go on, or the exit status: help was shown, or it is wrong, which is told. */
GEN_PRIVATE int gen_command_line(gen_context_t *ctx, gen_command_t *command, int argc, char **argv);
/* Reads the parameter of a plugin: the same options, without --, between commas. Returns false after a message. */
GEN_PRIVATE bool gen_command_parameter(gen_context_t *ctx, gen_command_t *command, const char *parameter);
