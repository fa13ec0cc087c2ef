/* protobuf-c, with an allocator that moves a pointer: its fastest use. */
#include "harness.h"
#include "shapes.pb-c.h"
#include "sparse.pb-c.h"

typedef struct region_t {
    char *block;
    size_t used, size;
} region_t;
static region_t region;
static const ProtobufCMessageDescriptor *type;
static const input_t *all;
static ProtobufCMessage *held[4096];
static uint8_t *output;

static void *region_take(void *data, size_t size) {
    region_t *from = (region_t *)data;
    char *at = from->block + from->used;
    from->used += (size + 15) & ~(size_t)15;
    return from->used <= from->size ? at : NULL;
}

static void region_give(void *data, void *block) {
    (void)data;
    (void)block;
}

static ProtobufCAllocator allocator = {region_take, region_give, &region};

static void decode(size_t i) {
    region.used = 0;
    if (!protobuf_c_message_unpack(type, &allocator, all[i].pb_len, (const uint8_t *)all[i].pb)) fail("decode");
}

/* As its users do: the size for the room, then the bytes. */
static void encode(size_t i) {
    if (protobuf_c_message_get_packed_size(held[i]) > region.size) fail("encode");
    protobuf_c_message_pack(held[i], output);
}

static operation_t *peer_prepare(const char *shape, const char *operation, const input_t *inputs, size_t count) {
    static const struct {
        const char *name;
        const ProtobufCMessageDescriptor *type;
    } types[] = {{"ApiResponse", &bench__codec__api_response__descriptor},
        {"LogRecord", &bench__codec__log_record__descriptor},
        {"AnalyticsEvent", &bench__codec__analytics_event__descriptor},
        {"SparseRecord", &bench__codec__sparse_record__descriptor},
        {"MediaFrame", &bench__codec__media_frame__descriptor}, {"PackedTile", &bench__codec__packed_tile__descriptor}};
    size_t i;
    for (i = 0; i < sizeof types / sizeof *types; i++)
        if (strcmp(shape, types[i].name) == 0) type = types[i].type;
    if (!type) return NULL;
    all = inputs;
    region.size = 4u << 20;
    region.block = (char *)malloc(region.size);
    output = (uint8_t *)malloc(region.size);
    if (!region.block || !output) fail("out of memory");
    for (i = 0; i < count; i++) {
        held[i] = protobuf_c_message_unpack(type, NULL, inputs[i].pb_len, (const uint8_t *)inputs[i].pb);
        if (!held[i]) fail("decode");
        expect_len(protobuf_c_message_pack(held[i], output), inputs[i].pb_len);
        if (memcmp(output, inputs[i].pb, inputs[i].pb_len) != 0) fail("encode");
    }
    return strcmp(operation, "decode") == 0 ? decode : strcmp(operation, "encode") == 0 ? encode : NULL;
}
