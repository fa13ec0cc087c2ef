#pragma once
#include "gen/model.h"

/* Reports names that are not as the edition wants them, and types that are used where they are not visible. */
GEN_PRIVATE void gen_style_model(gen_model_t *model);
