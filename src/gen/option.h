#pragma once
#include "gen/model.h"

/* Gives the options of all files their meaning. */
GEN_PRIVATE void gen_option_model(gen_model_t *model);
/* How an option of these goes into a descriptor. */
typedef enum gen_option_kind_t {
    GEN_OPTION_BOOL,
    GEN_OPTION_STRING,
    GEN_OPTION_ENUM,
    GEN_OPTION_MESSAGE
} gen_option_kind_t;
GEN_PRIVATE gen_option_kind_t gen_option_kind(const gen_option_t *option);
/* Whether a bool option is set to true. */
GEN_PRIVATE bool gen_option_is_true(const gen_options_t *options, const char *name);
