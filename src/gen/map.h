#pragma once
#include "gen/source.h"

/* A map from zero-terminated names to pointers. {0} is an empty one. */
typedef struct gen_map_slot_t {
    const char *key;
    void *value;
} gen_map_slot_t;
typedef struct gen_map_t {
    gen_map_slot_t *slots;
    size_t room, count; /* room: 0 or a power of two */
} gen_map_t;
/* Returns the value of a key; NULL if there is none. */
GEN_PRIVATE void *gen_map_get(const gen_map_t *map, const char *key);
/* Adds a key that is not there yet; key: kept, value: not NULL. */
GEN_PRIVATE void gen_map_put(gen_context_t *ctx, gen_map_t *map, const char *key, void *value);
