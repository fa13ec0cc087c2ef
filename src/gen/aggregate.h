#pragma once
#include "gen/object.h"
#include "gen/resolve.h"

/* Adds to an object what stands in the braces of an option's value. what is wrong is reported. */
GEN_PRIVATE void gen_aggregate_read(gen_resolve_t *resolve, gen_object_t *object, const gen_option_t *option);
