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
    gen_field_t *field;
} gen_symbol_t;
/* Gives everything its full name, and finds what names mean. */
GEN_PRIVATE void gen_resolve_model(gen_model_t *model);

/* Later lookups, as one file sees it. */
typedef struct gen_resolve_t {
    gen_model_t *model;
    gen_context_t *ctx;
    gen_file_t *file;
} gen_resolve_t;
/* From here on names are looked up as a file sees it; for_options: in options, for which it may import more. */
GEN_PRIVATE void gen_resolve_see(gen_resolve_t *resolve, gen_model_t *model, gen_file_t *file, bool for_options);
/* Finds an extension by its name as it is written in what is called `element`; NULL if there is none. */
GEN_PRIVATE gen_field_t *gen_resolve_extension(gen_resolve_t *resolve, const char *element, const char *name);
/* Finds what has a full name; NULL if the file does not see it. */
GEN_PRIVATE gen_symbol_t *gen_resolve_full_name(gen_resolve_t *resolve, const char *full_name);
