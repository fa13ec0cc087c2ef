#pragma once
#include "gen/command.h"
#include "gen/load.h"
#include "gen/output.h"

typedef struct gen_outputs_t {
    gen_output_t *items;
    size_t count;
} gen_outputs_t;
/* Reads the files of a command from where they are, and makes their headers if with_headers is set. What is wrong is
   reported; the outputs are then not of use. */
GEN_PRIVATE void gen_generate(gen_model_t *model, const gen_command_t *command, const gen_load_from_t *from,
    bool with_headers, gen_outputs_t *outputs);
GEN_PRIVATE void gen_generate_free(gen_outputs_t *outputs);
