#pragma once
#include "gen/model.h"
#include "gen/text.h"

/* Enums, structs, the declarations of their tables, and the functions that look into maps. */
GEN_PRIVATE void gen_emit_types_declare(gen_context_t *ctx, const gen_file_t *file, gen_text_t *text);
