#include "server/route.h"
#include "base/error.h"
#include "base/mem.h"
#include "base/str.h"

/* From a request's path to its method: a hash table with open addressing over whole paths ("/acme.v1.Telemetry/Read",
   case-sensitive, nothing unescaped). One hash and, as a rule, one comparison for a request; at most half full. */

#if CONNECT_ENABLE_SERVER
#define CN_ROUTE_FIRST 16u

static cn_route_t *cn_route_slot(const cn_route_table_t *table, connect_str_t path, uint32_t hash) {
    size_t i = hash & (table->capacity - 1);
    while (table->slots[i].path) {
        cn_route_t *slot = &table->slots[i];
        if (slot->hash == hash && connect_str_equal(cn_str(slot->path, slot->path_len), path)) return slot;
        i = (i + 1) & (table->capacity - 1);
    }
    return &table->slots[i];
}

static bool cn_route_grow(cn_route_table_t *table, const connect_allocator_t *allocator) {
    cn_route_table_t larger;
    size_t i;
    larger.capacity = table->capacity ? table->capacity * 2 : CN_ROUTE_FIRST;
    larger.count = table->count;
    larger.slots = (cn_route_t *)cn_mem_acquire(allocator, larger.capacity * sizeof *larger.slots);
    if (!larger.slots) return false;
    for (i = 0; i < table->capacity; i++) {
        const cn_route_t *slot = &table->slots[i];
        if (slot->path) *cn_route_slot(&larger, cn_str(slot->path, slot->path_len), slot->hash) = *slot;
    }
    cn_mem_release(allocator, table->slots);
    *table = larger;
    return true;
}

CN_PRIVATE bool cn_route_add(cn_route_table_t *table, const connect_allocator_t *allocator, const char *prefix,
    const cn_route_t *route, connect_error_t *error) {
    size_t prefix_len = strlen(prefix), path_len = strlen(route->method->path);
    char *path = (char *)cn_mem_acquire(allocator, prefix_len + path_len + 1);
    cn_route_t *slot;
    uint32_t hash;
    if (!path || (table->count * 2 >= table->capacity && !cn_route_grow(table, allocator))) {
        cn_mem_release(allocator, path);
        return cn_error_memory(error);
    }
    memcpy(path, prefix, prefix_len);
    memcpy(path + prefix_len, route->method->path, path_len);
    hash = cn_str_hash(cn_str(path, prefix_len + path_len));
    slot = cn_route_slot(table, cn_str(path, prefix_len + path_len), hash);
    if (slot->path) {
        cn_mem_release(allocator, path);
        return cn_error_set(error, CONNECT_ALREADY_EXISTS, "the server has a method of this path already");
    }
    *slot = *route;
    slot->path = path;
    slot->path_len = prefix_len + path_len;
    slot->hash = hash;
    table->count++;
    return true;
}

CN_PRIVATE const cn_route_t *cn_route_find(const cn_route_table_t *table, connect_str_t path) {
    const cn_route_t *slot;
    if (!table->count) return NULL;
    slot = cn_route_slot(table, path, cn_str_hash(path));
    return slot->path ? slot : NULL;
}

CN_PRIVATE void cn_route_free(cn_route_table_t *table, const connect_allocator_t *allocator) {
    size_t i;
    for (i = 0; i < table->capacity; i++)
        cn_mem_release(allocator, table->slots[i].path);
    cn_mem_release(allocator, table->slots);
    memset(table, 0, sizeof *table);
}
#endif
