#pragma once
#include "gen/model.h"

/* Reads the files named on the command line, and all that they import. */
GEN_PRIVATE void gen_load_inputs(
    gen_model_t *model, const char *const *folders, size_t folder_count, const char *const *inputs, size_t input_count);
/* Reads a built-in file, and what it imports, into an empty model. */
GEN_PRIVATE void gen_load_built_in(gen_model_t *model, const char *name);
