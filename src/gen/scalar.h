#pragma once
#include "gen/model.h"

/* "int32" is CONNECT_KIND_INT32, and back; 0: it is no scalar type. */
GEN_PRIVATE int gen_scalar_kind(const char *name);
GEN_PRIVATE const char *gen_scalar_kind_name(int kind);
/* Finds a value of an enum by its name; NULL if there is none. */
GEN_PRIVATE const gen_enum_value_t *gen_scalar_enum_value(
    gen_context_t *ctx, gen_enum_t *enumeration, connect_str_t name);
/* Turns what is written into the value of a field that is no message. what: `option "packed"`, for the message if it
   does not fit, which is reported. text_format: what that accepts besides. */
GEN_PRIVATE bool gen_scalar_read(gen_context_t *ctx, gen_item_t *item, const gen_field_t *field,
    const gen_option_t *value, const char *what, bool text_format);
