#pragma once
#include "gen/source.h"

/* The schema of a google/protobuf/ file that is built in, as a source; NULL: there is none of that name. */
GEN_PRIVATE gen_source_t *gen_wellknown_source(gen_context_t *ctx, const char *name);
/* A message whose JSON has a form of its own, and whose struct has functions of its own. */
typedef struct gen_wellknown_t {
    const char *name;
    const char *form;    /* its connect_form_t */
    const char *fields;  /* "int64 seconds = 1; int32 nanos = 2;": what both rely on */
    const char *helpers; /* "_now|_from_timespec|_to_timespec|": what emit_wellknown.c hangs on its C name */
} gen_wellknown_t;
/* Finds it by its full name; NULL: it is a message like any other. */
GEN_PRIVATE const gen_wellknown_t *gen_wellknown_find(const char *full_name);
