#include "server/route.h"
#include "base/error.h"
#include "base/mem.h"
#include "base/str.h"

/* From a request's path to its method. Paths compare as they are ("/acme.v1.Telemetry/Read"): case counts, nothing is
   unescaped.

   Whole paths stand in a hash table with open addressing, at most half full: one hash and, as a rule, one comparison
   for a request. What is not there is looked for among the paths that end in an asterisk ("/acme.*"), the longest
   first; these are few, and compared one by one.

   A route is one block, which holds its path, too, and stays where it is while the tables grow: calls refer to it. */

#if CONNECT_ENABLE_SERVER
#define CN_ROUTE_FIRST 16u

/* Word by word, the last one over the one before. The application alone puts paths into the table. */
static uint32_t cn_route_hash(connect_str_t path) {
    uint64_t hash = path.len, word;
    size_t i;
    if (path.len < 8) return cn_str_hash(path);
    for (i = 0; i + 8 < path.len; i += 8) {
        memcpy(&word, path.data + i, 8);
        hash = (hash ^ word) * UINT64_C(0x9E3779B97F4A7C15);
        hash ^= hash >> 32;
    }
    memcpy(&word, path.data + path.len - 8, 8);
    hash = (hash ^ word) * UINT64_C(0x9E3779B97F4A7C15);
    return (uint32_t)(hash >> 32);
}

static cn_route_slot_t *cn_route_slot(const cn_route_table_t *table, connect_str_t path, uint32_t hash) {
    size_t i = hash & (table->capacity - 1);
    while (table->slots[i].route) {
        cn_route_slot_t *slot = &table->slots[i];
        if (slot->hash == hash && connect_str_equal(slot->route->path, path)) return slot;
        i = (i + 1) & (table->capacity - 1);
    }
    return &table->slots[i];
}

static bool cn_route_grow(cn_route_table_t *table, const connect_allocator_t *allocator) {
    cn_route_table_t larger = *table;
    size_t i;
    if (table->count * 2 < table->capacity) return true;
    larger.capacity = table->capacity ? table->capacity * 2 : CN_ROUTE_FIRST;
    larger.slots = (cn_route_slot_t *)cn_mem_acquire(allocator, larger.capacity * sizeof *larger.slots);
    if (!larger.slots) return false;
    for (i = 0; i < table->capacity; i++) {
        const cn_route_slot_t *slot = &table->slots[i];
        if (slot->route) *cn_route_slot(&larger, slot->route->path, slot->hash) = *slot;
    }
    cn_mem_release(allocator, table->slots);
    *table = larger;
    return true;
}

static cn_route_t *cn_route_copy(
    const connect_allocator_t *allocator, const char *prefix, const cn_route_t *from, bool owned) {
    const size_t prefix_len = strlen(prefix), path_len = strlen(from->method->path);
    cn_route_t *route = (cn_route_t *)cn_mem_acquire(allocator, sizeof *route + prefix_len + path_len + 1);
    char *path;
    if (!route) return NULL;
    *route = *from;
    path = (char *)(route + 1);
    memcpy(path, prefix, prefix_len);
    memcpy(path + prefix_len, from->method->path, path_len);
    route->path = cn_str(path, prefix_len + path_len);
    route->prefix_len = prefix_len;
    if (owned) {
        route->own_method = *from->method;
        route->own_method.path = path + prefix_len;
        route->method = &route->own_method;
        route->own_events = *from->events;
        route->events = &route->own_events;
    }
    return route;
}

static bool cn_route_exists(connect_error_t *error) {
    return cn_error_set(error, CONNECT_ALREADY_EXISTS, "the server has a method of this path already");
}

static bool cn_route_add_path(
    cn_route_table_t *table, const connect_allocator_t *allocator, cn_route_t *route, connect_error_t *error) {
    const uint32_t hash = cn_route_hash(route->path);
    cn_route_slot_t *slot;
    if (!cn_route_grow(table, allocator)) return cn_error_memory(error);
    slot = cn_route_slot(table, route->path, hash);
    if (slot->route) return cn_route_exists(error);
    slot->route = route;
    slot->hash = hash;
    table->count++;
    return true;
}

static bool cn_route_add_pattern(
    cn_route_table_t *table, const connect_allocator_t *allocator, cn_route_t *route, connect_error_t *error) {
    cn_route_t **patterns;
    size_t i, at = 0;
    for (i = 0; i < table->pattern_count; i++) {
        if (connect_str_equal(table->patterns[i]->path, route->path)) return cn_route_exists(error);
        if (table->patterns[i]->path.len >= route->path.len) at = i + 1;
    }
    patterns = (cn_route_t **)cn_mem_resize(allocator, table->patterns, (table->pattern_count + 1) * sizeof *patterns);
    if (!patterns) return cn_error_memory(error);
    memmove(patterns + at + 1, patterns + at, (table->pattern_count - at) * sizeof *patterns);
    patterns[at] = route;
    table->patterns = patterns;
    table->pattern_count++;
    return true;
}

CN_PRIVATE bool cn_route_add(cn_route_table_t *table, const connect_allocator_t *allocator, const char *prefix,
    const cn_route_t *from, bool owned, connect_error_t *error) {
    const char *asterisk = strchr(from->method->path, '*');
    cn_route_t *route;
    bool added;
    if (from->method->path[0] != '/' || (asterisk && asterisk[1]))
        return cn_error_set(error, CONNECT_INVALID_ARGUMENT,
            "a method's path must begin with a slash, and have an asterisk at its end only");
    route = cn_route_copy(allocator, prefix, from, owned);
    if (!route) return cn_error_memory(error);
    route->is_pattern = asterisk != NULL;
    if (asterisk) route->path.len--;
    added = asterisk ? cn_route_add_pattern(table, allocator, route, error)
                     : cn_route_add_path(table, allocator, route, error);
    if (!added) cn_mem_release(allocator, route);
    return added;
}

CN_PRIVATE const cn_route_t *cn_route_find(const cn_route_table_t *table, connect_str_t path) {
    size_t i;
    if (table->count) {
        const cn_route_slot_t *slot = cn_route_slot(table, path, cn_route_hash(path));
        if (slot->route) return slot->route;
    }
    for (i = 0; i < table->pattern_count; i++)
        if (cn_str_starts(path, table->patterns[i]->path)) return table->patterns[i];
    return NULL;
}

CN_PRIVATE void cn_route_free(cn_route_table_t *table, const connect_allocator_t *allocator) {
    size_t i;
    for (i = 0; i < table->capacity; i++)
        cn_mem_release(allocator, table->slots[i].route);
    for (i = 0; i < table->pattern_count; i++)
        cn_mem_release(allocator, table->patterns[i]);
    cn_mem_release(allocator, table->slots);
    cn_mem_release(allocator, table->patterns);
    memset(table, 0, sizeof *table);
}
#endif
