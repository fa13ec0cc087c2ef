#pragma once
#include "gen/model.h"

/* Gives everything its names in C. */
GEN_PRIVATE void gen_names_model(gen_model_t *model);
