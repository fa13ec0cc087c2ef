#pragma once
#include "gen/model.h"
#include "gen/text.h"

/* Functions for the structs of well-known types: Timestamp, Duration, Any, FieldMask, Struct and Value, wrappers. */
GEN_PRIVATE void gen_emit_wellknown_declare(const gen_file_t *file, gen_text_t *text);
