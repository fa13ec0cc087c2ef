#pragma once
#include "gen/model.h"

/* Finds the first value of a field that is no extension; NULL if there is none. object: may be NULL. */
GEN_PRIVATE const gen_item_t *gen_object_get(const gen_object_t *object, const char *name);
/* Finds the first value of a field; NULL if there is none. */
GEN_PRIVATE gen_item_t *gen_object_find(const gen_object_t *object, const gen_field_t *field);
/* Adds a value behind those of the same field. */
GEN_PRIVATE gen_item_t *gen_object_add(gen_context_t *ctx, gen_object_t *object, const gen_field_t *field, gen_at_t at);
/* Gives the entry of a map the key and the value that it does not have yet: empty or zero. */
GEN_PRIVATE void gen_object_complete(gen_context_t *ctx, gen_object_t *entry, gen_at_t at);
/* Takes the values of a oneof's fields out. */
GEN_PRIVATE void gen_object_clear_oneof(gen_object_t *object, const gen_oneof_t *oneof);
/* Whether a bool field is set to true. */
GEN_PRIVATE bool gen_object_is_true(const gen_object_t *object, const char *name);
/* The number of an enum field or an integer; otherwise what it is without a value. */
GEN_PRIVATE int32_t gen_object_number(const gen_object_t *object, const char *name, int32_t otherwise);
/* Its text, with a zero after it; NULL if the field is not set. */
GEN_PRIVATE const char *gen_object_text(gen_context_t *ctx, const gen_object_t *object, const char *name);
/* The fields of an object on the wire, without those that are for sources only. */
GEN_PRIVATE connect_str_t gen_object_encode(gen_context_t *ctx, const gen_object_t *object);
/* Adds to an object what is on the wire; extensions are those of the model. Reports at `at` what is malformed. */
GEN_PRIVATE void gen_object_decode(const gen_model_t *model, gen_object_t *object, connect_str_t bytes, gen_at_t at);
