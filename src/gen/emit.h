#pragma once
#include "gen/model.h"
#include "gen/text.h"

/* The whole header of a file. */
GEN_PRIVATE void gen_emit_header(gen_context_t *ctx, const gen_file_t *file, gen_text_t *text);
