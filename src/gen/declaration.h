#pragma once
#include "gen/model.h"

/* Reports extension declarations that are wrong, and extensions that are not as their message declares them. */
GEN_PRIVATE void gen_declaration_model(gen_model_t *model);
