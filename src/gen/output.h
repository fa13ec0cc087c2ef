#pragma once
#include "gen/text.h"

typedef struct gen_output_t {
    const char *name;      /* below the folder */
    const char *elsewhere; /* its path, if it is not to be below the folder; NULL otherwise */
    gen_text_t text;
    const char *path;
    const char *temporary; /* NULL: not written yet, or to be written to its path */
} gen_output_t;
/* The path of a name below a folder. */
GEN_PRIVATE const char *gen_output_path(gen_context_t *ctx, const char *folder, const char *name);
/* Writes all files below a folder, or none; reports what fails. */
GEN_PRIVATE void gen_output_write(gen_context_t *ctx, const char *folder, gen_output_t *outputs, size_t count);
