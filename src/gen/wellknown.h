#pragma once
#include "gen/source.h"

/* The schema of a google/protobuf/ file that is built in, as a source; NULL: there is none of that name. */
GEN_PRIVATE gen_source_t *gen_wellknown_source(gen_context_t *ctx, const char *name);
/* The name of a message's connect_form_t; NULL: it has no JSON form of its own. */
GEN_PRIVATE const char *gen_wellknown_form(const char *full_name);
