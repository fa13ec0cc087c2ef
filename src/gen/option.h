#pragma once
#include "gen/object.h"

/* Gives the options of all files their meaning, and everything its features. */
GEN_PRIVATE void gen_option_model(gen_model_t *model);
