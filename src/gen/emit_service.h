#pragma once
#include "gen/model.h"
#include "gen/text.h"

/* The handlers, and the functions of server and client. */
GEN_PRIVATE void gen_emit_service_declare(gen_context_t *ctx, const gen_service_t *service, gen_text_t *text);
/* The methods' tables, the thunks, and what is not inline. */
GEN_PRIVATE void gen_emit_service_define(gen_context_t *ctx, const gen_service_t *service, gen_text_t *text);
