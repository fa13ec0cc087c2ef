#pragma once
#include "gen/model.h"
#include "gen/text.h"

/* The tables of enums and messages. */
GEN_PRIVATE void gen_emit_tables_types(gen_context_t *ctx, const gen_file_t *file, gen_text_t *text);
/* The descriptor, and the table of the file. */
GEN_PRIVATE void gen_emit_tables_file(gen_context_t *ctx, const gen_file_t *file, gen_text_t *text);
