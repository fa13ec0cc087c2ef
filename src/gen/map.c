/* A hash map with open addressing, at most half full, in the context's arena. Nothing is ever removed. The order of the
   slots is never used for output, which must not depend on it. */
#include "gen/map.h"

static size_t gen_map_hash(const char *key) {
    uint64_t hash = 14695981039346656037u;
    for (; *key; key++)
        hash = (hash ^ (unsigned char)*key) * 1099511628211u;
    return (size_t)(hash ^ (hash >> 29));
}

static gen_map_slot_t *gen_map_slot(const gen_map_t *map, const char *key) {
    size_t at = gen_map_hash(key) & (map->room - 1);
    while (map->slots[at].key && strcmp(map->slots[at].key, key) != 0)
        at = (at + 1) & (map->room - 1);
    return &map->slots[at];
}

GEN_PRIVATE void *gen_map_get(const gen_map_t *map, const char *key) {
    return map->room ? gen_map_slot(map, key)->value : NULL;
}

GEN_PRIVATE void gen_map_put(gen_context_t *ctx, gen_map_t *map, const char *key, void *value) {
    gen_map_slot_t *slot;
    if (2 * (map->count + 1) > map->room) {
        gen_map_t old = *map;
        size_t i;
        map->room = old.room ? 2 * old.room : 64;
        map->slots = CONNECT_NEW(&ctx->arena, gen_map_slot_t, map->room);
        for (i = 0; i < old.room; i++) {
            if (old.slots[i].key) *gen_map_slot(map, old.slots[i].key) = old.slots[i];
        }
    }
    slot = gen_map_slot(map, key);
    slot->key = key;
    slot->value = value;
    map->count++;
}
