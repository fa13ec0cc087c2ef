/* nanopb, with everything of variable size in memory of malloc. */
#include "harness.h"
#include <pb_decode.h>
#include <pb_encode.h>
#include "shapes.pb.h"
#include "sparse.pb.h"

static const pb_msgdesc_t *type;
static size_t size;
static const input_t *all;
static void *message, *held[4096];
static pb_byte_t *output;
#define OUTPUT_ROOM (4u << 20)

static void decode_into(size_t i, void *to) {
    pb_istream_t stream = pb_istream_from_buffer((const pb_byte_t *)all[i].pb, all[i].pb_len);
    if (!pb_decode(&stream, type, to)) fail("decode");
}

static void decode(size_t i) {
    decode_into(i, message);
    pb_release(type, message);
}

static void encode(size_t i) {
    pb_ostream_t stream = pb_ostream_from_buffer(output, OUTPUT_ROOM);
    if (!pb_encode(&stream, type, held[i])) fail("encode");
}

static operation_t *peer_prepare(const char *shape, const char *operation, const input_t *inputs, size_t count) {
    static const struct {
        const char *name;
        const pb_msgdesc_t *type;
        size_t size;
    } types[] = {{"ApiResponse", bench_codec_ApiResponse_fields, sizeof(bench_codec_ApiResponse)},
        {"LogRecord", bench_codec_LogRecord_fields, sizeof(bench_codec_LogRecord)},
        {"AnalyticsEvent", bench_codec_AnalyticsEvent_fields, sizeof(bench_codec_AnalyticsEvent)},
        {"SparseRecord", bench_codec_SparseRecord_fields, sizeof(bench_codec_SparseRecord)},
        {"MediaFrame", bench_codec_MediaFrame_fields, sizeof(bench_codec_MediaFrame)},
        {"PackedTile", bench_codec_PackedTile_fields, sizeof(bench_codec_PackedTile)}};
    size_t i;
    for (i = 0; i < sizeof types / sizeof *types; i++) {
        if (strcmp(shape, types[i].name) != 0) continue;
        type = types[i].type;
        size = types[i].size;
    }
    if (!type) return NULL;
    all = inputs;
    message = calloc(1, size);
    output = (pb_byte_t *)malloc(OUTPUT_ROOM);
    if (!message || !output) fail("out of memory");
    for (i = 0; i < count; i++) {
        size_t written;
        held[i] = calloc(1, size);
        if (!held[i]) fail("out of memory");
        decode_into(i, held[i]);
        if (!pb_get_encoded_size(&written, type, held[i])) fail("encode");
        expect_len(written, inputs[i].pb_len);
    }
    return strcmp(operation, "decode") == 0 ? decode : strcmp(operation, "encode") == 0 ? encode : NULL;
}
