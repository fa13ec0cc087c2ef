/* yyjson: a tree without types, so neither names nor kinds are looked up, and base64 stays text. A mark, not a peer. */
#include "harness.h"
#include "yyjson.h"

static const input_t *all;
static yyjson_doc *held[4096];
static yyjson_alc pool;
static char *room;
#define ROOM (16u << 20)

static void json_decode(size_t i) {
    char *json = (char *)(uintptr_t)all[i].json; /* not written to: no flag asks for it */
    yyjson_alc_pool_init(&pool, room, ROOM);
    if (!yyjson_read_opts(json, all[i].json_len, 0, &pool, NULL)) fail("json-decode");
}

static void json_encode(size_t i) {
    size_t len;
    yyjson_alc_pool_init(&pool, room, ROOM);
    if (!yyjson_write_opts(held[i], 0, &pool, &len, NULL)) fail("json-encode");
}

static operation_t *peer_prepare(const char *shape, const char *operation, const input_t *inputs, size_t count) {
    size_t i;
    (void)shape;
    all = inputs;
    room = (char *)malloc(ROOM);
    if (!room) fail("out of memory");
    for (i = 0; i < count; i++) {
        size_t len = 0;
        held[i] = yyjson_read(inputs[i].json, inputs[i].json_len, 0);
        if (!held[i]) fail("json-decode");
        free(yyjson_write(held[i], 0, &len));
        if (len * 50 < inputs[i].json_len * 49 || len * 50 > inputs[i].json_len * 51) fail("json-encode");
    }
    return strcmp(operation, "json-decode") == 0 ? json_decode
        : strcmp(operation, "json-encode") == 0  ? json_encode
                                                 : NULL;
}
