/* Makes the messages that the codec benchmark reads: FOLDER/SHAPE.pb and FOLDER/SHAPE.json for each shape, as harness.h
   wants them. The same seed, the same bytes, on every machine. */
#define CONNECT_IMPLEMENTATION
#define CONNECT_ENABLE_CLIENT 0
#define CONNECT_ENABLE_SERVER 0
#include "codec/shapes.connect.h"
#include "codec/sparse.connect.h"

static uint64_t state;
static connect_arena_t arena;

/* Steele, Lea and Flood: "Fast splittable pseudorandom number generators", 2014 */
static uint64_t next(void) {
    uint64_t mixed = state += 0x9E3779B97F4A7C15u;
    mixed = (mixed ^ (mixed >> 30)) * 0xBF58476D1CE4E5B9u;
    mixed = (mixed ^ (mixed >> 27)) * 0x94D049BB133111EBu;
    return mixed ^ (mixed >> 31);
}

static size_t between(size_t least, size_t most) {
    return least + (size_t)(next() % (most - least + 1));
}

static bool one_in(size_t n) {
    return next() % n == 0;
}

/* A number of up to so many bits, each length as likely as any other: as counters and identifiers are. */
static uint64_t number(unsigned bits) {
    return next() >> (64 - between(1, bits));
}

static void *take(size_t count, size_t size) {
    void *memory = connect_arena_take(&arena, count ? count : 1, size);
    if (!memory) abort();
    return memory;
}

static connect_str_t letters(size_t len, const char *alphabet) {
    const size_t count = strlen(alphabet);
    char *to = (char *)take(len, 1);
    connect_str_t text = {to, len};
    size_t i;
    for (i = 0; i < len; i++)
        to[i] = alphabet[next() % count];
    return text;
}

static connect_str_t hex(size_t len) {
    return letters(len, "0123456789abcdef");
}

static connect_str_t name(size_t least, size_t most) {
    return letters(between(least, most), "abcdefghijklmnopqrstuvwxyz_");
}

/* Words. One text in twelve is not ASCII, one in twelve needs escapes in JSON. */
static connect_str_t sentence(size_t least, size_t most) {
    const size_t len = between(least, most), kind = next() % 12;
    char *to = (char *)take(len + 8, 1);
    connect_str_t text = {to, 0};
    while (text.len < len) {
        if (kind == 0 && one_in(6)) {
            memcpy(to + text.len, "\xC3\xBC", 2); /* U+00FC */
            text.len += 2;
        } else if (kind == 1 && one_in(20)) {
            to[text.len++] = "\"\n\\"[next() % 3];
        } else {
            to[text.len++] = one_in(6) ? ' ' : (char)('a' + next() % 26);
        }
    }
    return text;
}

static connect_str_t blob(size_t len) {
    char *to = (char *)take(len, 1);
    connect_str_t bytes = {to, len};
    size_t i;
    for (i = 0; i < len; i++)
        to[i] = (char)(unsigned char)(next() & 0xFF);
    return bytes;
}

/* Of two kinds: measured to a few places, and with all its bits. */
static double real(void) {
    if (one_in(4)) return (double)(next() >> 11) / 9007199254740992.0;
    return (double)number(24) / 1000.0;
}

static void make_api_response(void *message) {
    bench_codec_ApiResponse *response = (bench_codec_ApiResponse *)message;
    connect_str_t *tags;
    size_t i;
    response->request_id = (int64_t)number(62);
    response->status_code = (int32_t)between(200, 504);
    response->message = sentence(8, 60);
    response->latency_ms = real();
    response->cached = one_in(2);
    if (one_in(2)) response->trace_id = hex(32);
    response->has_retry_after_seconds = one_in(3);
    if (response->has_retry_after_seconds) response->retry_after_seconds = (int32_t)between(1, 600);
    response->tags.count = between(0, 6);
    response->tags.items = tags = (connect_str_t *)take(response->tags.count, sizeof *tags);
    for (i = 0; i < response->tags.count; i++)
        tags[i] = name(3, 14);
}

static void make_log_record(void *message) {
    bench_codec_LogRecord *record = (bench_codec_LogRecord *)message;
    bench_codec_LogRecord_AttributesEntry *entries;
    size_t i;
    record->time_unix_nanos = 1700000000000000000u + number(60);
    record->severity = (int32_t)between(1, 4);
    record->service = name(6, 20);
    record->host = name(10, 24);
    record->message = sentence(40, 240);
    record->trace_id = hex(32);
    record->span_id = hex(16);
    record->source_file = name(12, 40);
    record->source_line = (uint32_t)between(1, 4000);
    record->attributes.count = between(2, 10);
    entries = (bench_codec_LogRecord_AttributesEntry *)take(record->attributes.count, sizeof *entries);
    record->attributes.items = entries;
    for (i = 0; i < record->attributes.count; i++) {
        entries[i].key = name(5, 16);
        entries[i].value = sentence(4, 30);
    }
}

static bench_codec_AnalyticsEvent_Property_list properties(size_t count) {
    bench_codec_AnalyticsEvent_Property *items = (bench_codec_AnalyticsEvent_Property *)take(count, sizeof *items);
    bench_codec_AnalyticsEvent_Property_list list = {items, count};
    size_t i;
    for (i = 0; i < count; i++) {
        items[i].key = name(3, 12);
        items[i].value_case = (int32_t)between(2, 5);
        switch (items[i].value_case) {
        case 2: items[i].value.text = name(2, 16); break;
        case 3: items[i].value.count = (int64_t)number(40); break;
        case 4: items[i].value.ratio = real(); break;
        default: items[i].value.flag = one_in(2); break;
        }
    }
    return list;
}

static bench_codec_AnalyticsEvent_Section_list sections(size_t count, unsigned depth) {
    bench_codec_AnalyticsEvent_Section *items = (bench_codec_AnalyticsEvent_Section *)take(count, sizeof *items);
    bench_codec_AnalyticsEvent_Section_list list = {items, count};
    size_t i;
    for (i = 0; i < count; i++) {
        items[i].id = name(4, 10);
        items[i].properties = properties(between(1, 6));
        if (depth) items[i].children = sections(between(0, 3), depth - 1);
    }
    return list;
}

static void make_analytics_event(void *message) {
    bench_codec_AnalyticsEvent *event = (bench_codec_AnalyticsEvent *)message;
    event->event_id = hex(32);
    event->occurred_at_millis = 1700000000000 + (int64_t)number(40);
    event->user_id = hex(16);
    event->properties = properties(between(2, 12));
    event->sections = sections(between(1, 5), 3);
}

static int32_t small(unsigned bits) {
    return (int32_t)number(bits);
}

static void make_sparse_record(void *message) {
    bench_codec_SparseRecord *record = (bench_codec_SparseRecord *)message;
    uint64_t *references;
    size_t i;
    record->key = name(8, 16);
    record->origin = name(4, 12);
    record->summary = sentence(10, 40);
    record->has_kind = record->has_version = true;
    record->kind = small(8);
    record->version = small(20);
#define MAYBE(member, made) \
    if (one_in(2)) { \
        record->has_##member = true; \
        record->member = made; \
    }
    MAYBE(visible, one_in(2))
    MAYBE(synced, one_in(2))
    MAYBE(parent, small(28))
    MAYBE(depth, small(5))
    MAYBE(size, (int64_t)number(40))
    MAYBE(archived, one_in(2))
    MAYBE(flags, small(16))
    MAYBE(shard, small(10))
    MAYBE(indexed, one_in(2))
    MAYBE(shared, one_in(2))
    MAYBE(starred, one_in(2))
    MAYBE(muted, one_in(2))
    MAYBE(quota, small(20))
    MAYBE(used, small(20))
    MAYBE(limit, small(20))
    MAYBE(retries, small(3))
    MAYBE(retained, one_in(2))
    MAYBE(priority, -1)
    MAYBE(ceiling, small(12))
    MAYBE(floor, small(12))
    MAYBE(span, small(9))
    MAYBE(stride, small(9))
    MAYBE(dirty, one_in(2))
    MAYBE(generation, small(14))
    MAYBE(traced, one_in(2))
    MAYBE(samples, small(9))
    MAYBE(rate, small(9))
    MAYBE(code, small(9))
    MAYBE(checksum, small(31))
#undef MAYBE
    if (one_in(2)) record->locale = name(2, 5);
    if (one_in(2)) record->region = name(4, 10);
    if (one_in(3)) record->alias = name(4, 12);
    if (one_in(3)) record->parent_alias = name(4, 12);
    if (one_in(4)) record->reason = sentence(8, 30);
    record->references.count = between(0, 3);
    record->references.items = references = (uint64_t *)take(record->references.count, sizeof *references);
    for (i = 0; i < record->references.count; i++)
        references[i] = next();
    if (!one_in(4)) {
        bench_codec_SparseRecord_Detail *detail = (bench_codec_SparseRecord_Detail *)take(1, sizeof *detail);
        record->detail = detail;
        detail->has_rank = detail->has_owner = detail->has_first = detail->has_pinned = detail->has_digest = true;
        detail->rank = small(8);
        detail->owner = (int64_t)number(50);
        detail->first = small(12);
        detail->pinned = one_in(2);
        detail->digest = next();
        if (one_in(2)) detail->label = name(3, 9);
        if (one_in(2)) detail->note = sentence(6, 24);
    }
}

static void make_media_frame(void *message) {
    bench_codec_MediaFrame *frame = (bench_codec_MediaFrame *)message;
    bench_codec_MediaFrame_AttachmentsEntry *entries;
    connect_str_t *chunks;
    size_t i;
    frame->frame_id = hex(24);
    frame->presented_at_micros = 1700000000000000 + (int64_t)number(44);
    frame->content_type = name(8, 16);
    frame->body = blob(between(8000, 48000));
    frame->chunks.count = between(2, 8);
    frame->chunks.items = chunks = (connect_str_t *)take(frame->chunks.count, sizeof *chunks);
    for (i = 0; i < frame->chunks.count; i++)
        chunks[i] = blob(between(500, 6000));
    frame->attachments.count = between(0, 3);
    entries = (bench_codec_MediaFrame_AttachmentsEntry *)take(frame->attachments.count, sizeof *entries);
    frame->attachments.items = entries;
    for (i = 0; i < frame->attachments.count; i++) {
        entries[i].key = name(4, 16);
        entries[i].value = blob(between(100, 2000));
    }
}

static connect_uint32_list_t numbers(size_t count, unsigned bits) {
    uint32_t *items = (uint32_t *)take(count, sizeof *items);
    connect_uint32_list_t list = {items, count};
    size_t i;
    for (i = 0; i < count; i++)
        items[i] = (uint32_t)number(bits);
    return list;
}

static void make_layer(bench_codec_PackedTile_Layer *layer) {
    bench_codec_PackedTile_Feature *features;
    bench_codec_PackedTile_Value *values;
    connect_str_t *keys;
    int32_t *heights;
    size_t i;
    layer->name = name(4, 12);
    layer->extent = 4096;
    layer->keys.count = between(3, 12);
    layer->keys.items = keys = (connect_str_t *)take(layer->keys.count, sizeof *keys);
    for (i = 0; i < layer->keys.count; i++)
        keys[i] = name(3, 12);
    layer->values.count = between(5, 40);
    values = (bench_codec_PackedTile_Value *)take(layer->values.count, sizeof *values);
    layer->values.items = values;
    for (i = 0; i < layer->values.count; i++) {
        values[i].value_case = (int32_t)between(1, 5);
        switch (values[i].value_case) {
        case 1: values[i].value.text = name(3, 20); break;
        case 2: values[i].value.single_number = (float)number(16) / 8.0f; break;
        case 3: values[i].value.number = real(); break;
        case 4: values[i].value.integer = (int64_t)number(30) - (1 << 20); break;
        default: values[i].value.flag = one_in(2); break;
        }
    }
    layer->features.count = between(10, 80);
    features = (bench_codec_PackedTile_Feature *)take(layer->features.count, sizeof *features);
    layer->features.items = features;
    for (i = 0; i < layer->features.count; i++) {
        features[i].id = number(40);
        features[i].type = (int32_t)between(1, 3);
        features[i].tags = numbers(between(0, 5) * 2, 6);
        features[i].path = numbers(between(3, 120), 12);
    }
    layer->heights.count = between(0, 400);
    layer->heights.items = heights = (int32_t *)take(layer->heights.count, sizeof *heights);
    for (i = 0; i < layer->heights.count; i++)
        heights[i] = (int32_t)number(11) - 300;
}

static void make_packed_tile(void *message) {
    bench_codec_PackedTile *tile = (bench_codec_PackedTile *)message;
    bench_codec_PackedTile_Layer *layers;
    size_t i;
    tile->layers.count = between(2, 5);
    tile->layers.items = layers = (bench_codec_PackedTile_Layer *)take(tile->layers.count, sizeof *layers);
    for (i = 0; i < tile->layers.count; i++)
        make_layer(&layers[i]);
}

static void put(FILE *file, connect_str_t bytes, const connect_error_t *error) {
    size_t i;
    if (!bytes.data) {
        fprintf(stderr, "%.*s\n", (int)error->message.len, error->message.data);
        exit(1);
    }
    for (i = 0; i < 4; i++)
        putc((int)(bytes.len >> (8 * i) & 0xFF), file);
    if (fwrite(bytes.data, 1, bytes.len, file) != bytes.len) abort();
}

static FILE *create(const char *folder, const char *shape, const char *suffix) {
    char path[512];
    FILE *file;
    snprintf(path, sizeof path, "%s/%s%s", folder, shape, suffix);
    file = fopen(path, "wb");
    if (!file) {
        perror(path);
        exit(1);
    }
    return file;
}

int main(int argc, char **argv) {
    static const struct {
        const char *name;
        const connect_type_t *type;
        void (*make)(void *message);
        size_t count;
    } shapes[] = {
        {"ApiResponse", &bench_codec_ApiResponse_type, make_api_response, 200},
        {"LogRecord", &bench_codec_LogRecord_type, make_log_record, 100},
        {"AnalyticsEvent", &bench_codec_AnalyticsEvent_type, make_analytics_event, 40},
        {"SparseRecord", &bench_codec_SparseRecord_type, make_sparse_record, 200},
        {"MediaFrame", &bench_codec_MediaFrame_type, make_media_frame, 10},
        {"PackedTile", &bench_codec_PackedTile_type, make_packed_tile, 10},
    };
    connect_error_t error;
    size_t i, j;
    if (argc != 2) return 1;
    connect_arena_init(&arena, NULL, 0, connect_allocator_libc());
    for (i = 0; i < sizeof shapes / sizeof *shapes; i++) {
        FILE *pb = create(argv[1], shapes[i].name, ".pb"), *json = create(argv[1], shapes[i].name, ".json");
        state = 20240229 + i;
        for (j = 0; j < shapes[i].count; j++) {
            void *message = take(1, shapes[i].type->size);
            connect_message_init(shapes[i].type, message);
            shapes[i].make(message);
            put(pb, connect_message_encode(shapes[i].type, message, &arena, NULL, &error), &error);
            put(json, connect_message_encode_json(shapes[i].type, message, &arena, NULL, &error), &error);
            connect_arena_reset(&arena);
        }
        if (fclose(pb) != 0 || fclose(json) != 0) return 1;
    }
    connect_arena_free(&arena);
    return 0;
}
