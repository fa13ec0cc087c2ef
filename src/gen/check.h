#pragma once
#include "gen/model.h"

/* Reports what a compiler for protobuf must refuse, and works out how each field is stored and written. */
GEN_PRIVATE void gen_check_model(gen_model_t *model);
