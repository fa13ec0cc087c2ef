/* upb, with tables that it makes of a descriptor set at start; strings are views of the input, as ours. The package has
   neither its table of fast parsers nor its JSON. */
#include "harness.h"
#include "google/protobuf/descriptor.upb.h"
#include "upb/mem/arena.h"
#include "upb/reflection/def.h"
#include "upb/wire/decode.h"
#include "upb/wire/encode.h"

static const upb_MiniTable *type;
static const input_t *all;
static upb_Message *held[4096];
static char first[4u << 20];

static upb_Message *decode_into(size_t i, upb_Arena *arena) {
    upb_Message *message = upb_Message_New(type, arena);
    const int options = kUpb_DecodeOption_AliasString;
    if (!message || upb_Decode(all[i].pb, all[i].pb_len, message, type, NULL, options, arena) != kUpb_DecodeStatus_Ok)
        fail("decode");
    return message;
}

static void decode(size_t i) {
    upb_Arena *arena = upb_Arena_Init(first, sizeof first, NULL);
    decode_into(i, arena);
    upb_Arena_Free(arena);
}

static void encode(size_t i) {
    upb_Arena *arena = upb_Arena_Init(first, sizeof first, NULL);
    char *bytes;
    size_t len;
    if (upb_Encode(held[i], type, 0, arena, &bytes, &len) != kUpb_EncodeStatus_Ok) fail("encode");
    upb_Arena_Free(arena);
}

static operation_t *peer_prepare(const char *shape, const char *operation, const input_t *inputs, size_t count) {
    upb_Arena *kept = upb_Arena_New();
    upb_DefPool *pool = upb_DefPool_New();
    const upb_MessageDef *found;
    const google_protobuf_FileDescriptorSet *set;
    const google_protobuf_FileDescriptorProto *const *files;
    size_t i, len, file_count;
    char full_name[100];
    char *bytes = read_file(DESCRIPTORS, "shapes", ".set", &len);
    set = google_protobuf_FileDescriptorSet_parse(bytes, len, kept);
    if (!set) fail("descriptors");
    files = google_protobuf_FileDescriptorSet_file(set, &file_count);
    for (i = 0; i < file_count; i++)
        if (!upb_DefPool_AddFile(pool, files[i], NULL)) fail("descriptors");
    snprintf(full_name, sizeof full_name, "bench.codec.%s", shape);
    found = upb_DefPool_FindMessageByName(pool, full_name);
    if (!found) return NULL;
    type = upb_MessageDef_MiniTable(found);
    all = inputs;
    for (i = 0; i < count; i++) {
        held[i] = decode_into(i, kept);
        if (upb_Encode(held[i], type, 0, kept, &bytes, &len) != kUpb_EncodeStatus_Ok) fail("encode");
        expect_len(len, inputs[i].pb_len);
    }
    return strcmp(operation, "decode") == 0 ? decode : strcmp(operation, "encode") == 0 ? encode : NULL;
}
