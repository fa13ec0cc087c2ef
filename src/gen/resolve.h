#pragma once
#include "gen/model.h"

typedef enum gen_symbol_kind_t {
    GEN_SYMBOL_PACKAGE,
    GEN_SYMBOL_MESSAGE,
    GEN_SYMBOL_ENUM,
    GEN_SYMBOL_SERVICE,
    GEN_SYMBOL_OTHER /* a field, a oneof, an enum value, a method */
} gen_symbol_kind_t;
typedef struct gen_symbol_t {
    gen_symbol_kind_t kind;
    const gen_file_t *file; /* of a package: one that is in it */
    gen_at_t at;
    gen_type_t *type;
    gen_enum_t *enumeration;
} gen_symbol_t;
/* Gives everything its full name, and finds what names mean. */
GEN_PRIVATE void gen_resolve_model(gen_model_t *model);
