/* Google's C++ protobuf, on an arena. */
#include <google/protobuf/arena.h>
#include <google/protobuf/util/json_util.h>
#include "shapes.pb.h"
#include "sparse.pb.h"
#include "harness.h"

using google::protobuf::Arena;
using google::protobuf::Message;
static const Message *prototype;
static const input_t *all;
static Message *held[4096];
static Arena *arena;
static std::string output;

static void decode(size_t i) {
    arena->Reset();
    if (!prototype->New(arena)->ParseFromArray(all[i].pb, (int)all[i].pb_len)) fail("decode");
}

static void encode(size_t i) {
    output.clear();
    if (!held[i]->AppendToString(&output)) fail("encode");
}

static void json_decode(size_t i) {
    google::protobuf::StringPiece json(all[i].json, all[i].json_len);
    arena->Reset();
    if (!google::protobuf::util::JsonStringToMessage(json, prototype->New(arena)).ok()) fail("json-decode");
}

static void json_encode(size_t i) {
    output.clear();
    if (!google::protobuf::util::MessageToJsonString(*held[i], &output).ok()) fail("json-encode");
}

static operation_t *peer_prepare(const char *shape, const char *operation, const input_t *inputs, size_t count) {
    static char first[1 << 20];
    const Message *prototypes[] = {&bench::codec::ApiResponse::default_instance(),
        &bench::codec::LogRecord::default_instance(), &bench::codec::AnalyticsEvent::default_instance(),
        &bench::codec::SparseRecord::default_instance(), &bench::codec::MediaFrame::default_instance(),
        &bench::codec::PackedTile::default_instance()};
    google::protobuf::ArenaOptions options;
    for (const Message *each : prototypes)
        if (each->GetDescriptor()->name() == shape) prototype = each;
    if (!prototype) return NULL;
    all = inputs;
    options.initial_block = first;
    options.initial_block_size = sizeof first;
    arena = new Arena(options);
    for (size_t i = 0; i < count; i++) {
        Message *from_json = prototype->New();
        google::protobuf::StringPiece json(inputs[i].json, inputs[i].json_len);
        held[i] = prototype->New();
        if (!held[i]->ParseFromArray(inputs[i].pb, (int)inputs[i].pb_len)) fail("decode");
        expect_len(held[i]->ByteSizeLong(), inputs[i].pb_len);
        if (!google::protobuf::util::JsonStringToMessage(json, from_json).ok()) fail("json-decode");
        expect_len(from_json->ByteSizeLong(), inputs[i].pb_len);
        delete from_json;
    }
    std::string wanted = operation;
    return wanted == "decode"     ? decode
        : wanted == "encode"      ? encode
        : wanted == "json-decode" ? json_decode
        : wanted == "json-encode" ? json_encode
                                  : NULL;
}
