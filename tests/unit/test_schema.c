/* Types made at run time: the same as those that the generator writes, and no harm from sets that are wrong. */
#define CONNECT_IMPLEMENTATION
#include "connect.h"
#include "edition.connect.h"
#include "kinds.connect.h"
#include "legacy.connect.h"
#include "support.h"

static connect_arena_t arena; /* of the running test */

static int set_up(void **state) {
    (void)state;
    memset(&arena, 0, sizeof arena);
    return 0;
}
static int tear_down(void **state) {
    (void)state;
    connect_arena_free(&arena);
    return 0;
}

static const connect_file_t *const all_files[] = {&google_protobuf_any_file, &google_protobuf_duration_file,
    &google_protobuf_empty_file, &google_protobuf_field_mask_file, &google_protobuf_struct_file,
    &google_protobuf_timestamp_file, &google_protobuf_wrappers_file, &test_kinds_kinds_file, &test_legacy_legacy_file,
    &test_edition_edition_file};
static const connect_schema_t compiled = {all_files, sizeof all_files / sizeof *all_files};

/* ---- Descriptor sets: of the compiled files, and by hand ---- */

static connect_str_t set_of_files(const connect_file_t *const *files, size_t count) {
    connect_writer_t writer = {&arena, {NULL, 0}, false, 0};
    size_t i;
    for (i = 0; i < count; i++)
        connect_writer_put(&writer, 1, CONNECT_KIND_BYTES, &files[i]->descriptor);
    assert_false(writer.failed);
    return writer.written;
}

static connect_schema_t load(connect_str_t set) {
    connect_schema_t schema;
    connect_error_t error = CONNECT_DEFAULTS;
    if (!connect_schema_load(&schema, set, &arena, &error)) fail_msg("%s", error.message.data);
    return schema;
}

static connect_schema_t load_all(void) {
    return load(set_of_files(all_files, compiled.count));
}

/* A message by hand: pairs of a field number and a value. Texts are strings, numbers are written as decimal text. */
typedef struct part {
    uint32_t number;
    const char *text; /* NULL: `integer` counts, unless there is a message */
    int64_t integer;
    connect_str_t message;
} part;
#define TEXT(number, value) text_part(number, value)
#define INT(number, value) int_part(number, value)
#define BYTES(number, view) message_part(number, view)
#define MESSAGE(number, ...) message_part(number, MESSAGE_OF(__VA_ARGS__))
#define MESSAGE_OF(...) message_of((const part[]){__VA_ARGS__, int_part(0, 0)})

static part text_part(uint32_t number, const char *text) {
    part made = {number, text, 0, {NULL, 0}};
    return made;
}
static part int_part(uint32_t number, int64_t integer) {
    part made = {number, NULL, 0, {NULL, 0}};
    made.integer = integer;
    return made;
}
static part message_part(uint32_t number, connect_str_t message) {
    part made = {number, NULL, 0, {NULL, 0}};
    made.message = message;
    return made;
}
static connect_str_t message_of(const part *parts) {
    connect_writer_t writer = {&arena, {NULL, 0}, false, 0};
    for (; parts->number; parts++) {
        connect_str_t text = parts->text ? connect_str_of(parts->text) : parts->message;
        if (text.data)
            connect_writer_put(&writer, parts->number, CONNECT_KIND_BYTES, &text);
        else
            connect_writer_put(&writer, parts->number, CONNECT_KIND_INT64, &parts->integer);
    }
    assert_false(writer.failed);
    if (!writer.written.data) writer.written.data = "";
    return writer.written;
}

/* ---- As the generator makes them ---- */

static void assert_same_name(const char *a, const char *b) {
    assert_string_equal(a, b);
}

static void assert_same_enum(const connect_enum_t *a, const connect_enum_t *b) {
    size_t i;
    assert_same_name(a->full_name, b->full_name);
    assert_int_equal(a->count, b->count);
    assert_int_equal(a->closed, b->closed);
    for (i = 0; i < a->count; i++) {
        assert_int_equal(a->values[i].number, b->values[i].number);
        assert_same_name(a->names + a->values[i].name, b->names + b->values[i].name);
    }
}

static void assert_same_type(const connect_type_t *a, const connect_type_t *b) {
    char *of_a = (char *)malloc(a->size), *of_b = (char *)malloc(b->size);
    size_t i;
    connect_message_init(a, of_a);
    connect_message_init(b, of_b);
    assert_same_name(a->full_name, b->full_name);
    assert_same_name(a->file->name, b->file->name);
    assert_int_equal(a->field_count, b->field_count);
    assert_int_equal(a->dense, b->dense);
    assert_int_equal(a->keeps_unknown, b->keeps_unknown);
    if (a->has_required != b->has_required) fail_msg("%s: has_required differs", a->full_name);
    assert_int_equal(a->is_map_entry, b->is_map_entry);
    assert_int_equal(a->is_message_set, b->is_message_set);
    assert_int_equal(a->form, b->form);
    assert_int_equal(a->defaults != NULL, b->defaults != NULL);
    for (i = 0; i < a->field_count; i++) {
        const connect_field_t *one = &a->fields[i], *two = &b->fields[i];
        assert_int_equal(one->number, two->number);
        assert_same_name(a->names + one->name, b->names + two->name);
        assert_same_name(a->names + one->json_name, b->names + two->json_name);
        assert_int_equal(cn_message_name_len(a->names, one->name), cn_message_name_len(b->names, two->name));
        assert_int_equal(cn_message_name_len(a->names, one->json_name), cn_message_name_len(b->names, two->json_name));
        assert_int_equal(one->kind, two->kind);
        if (one->flags != two->flags)
            fail_msg("%s.%s: flags %x and %x", a->full_name, a->names + one->name, one->flags, two->flags);
        if (one->kind == CONNECT_KIND_MESSAGE || one->kind == CONNECT_KIND_GROUP)
            assert_same_name(a->types[one->type]->full_name, b->types[two->type]->full_name);
        if (one->kind == CONNECT_KIND_ENUM) assert_same_enum(a->enums[one->type], b->enums[two->type]);
        if (one->kind == CONNECT_KIND_STRING || one->kind == CONNECT_KIND_BYTES) {
            connect_str_t text_a, text_b;
            memcpy(&text_a, of_a + one->offset, sizeof text_a);
            memcpy(&text_b, of_b + two->offset, sizeof text_b);
            assert_true(connect_str_equal(text_a, text_b));
            assert_int_equal(text_a.data != NULL, text_b.data != NULL);
        } else if (!(one->flags & CONNECT_FIELD_REPEATED) && one->kind != CONNECT_KIND_MESSAGE &&
            one->kind != CONNECT_KIND_GROUP) {
            const size_t size = cn_message_value_size(a, one);
            float float_a = 0, float_b = 0;
            if (one->kind == CONNECT_KIND_FLOAT) {
                memcpy(&float_a, of_a + one->offset, sizeof float_a);
                memcpy(&float_b, of_b + two->offset, sizeof float_b);
            }
            assert_int_equal(float_a != float_a, float_b != float_b); /* NaN has many forms */
            if (float_a == float_a) assert_memory_equal(of_a + one->offset, of_b + two->offset, size);
        }
    }
    free(of_a);
    free(of_b);
}

static void test_as_generated(void **state) {
    connect_schema_t loaded = load_all();
    size_t i, j, k;
    (void)state;
    assert_int_equal(loaded.count, compiled.count);
    for (i = 0; i < loaded.count; i++) {
        const connect_file_t *a = compiled.files[i], *b = loaded.files[i];
        assert_string_equal(a->name, b->name);
        assert_true(connect_str_equal(a->descriptor, b->descriptor));
        assert_int_equal(a->imports.count, b->imports.count);
        for (j = 0; j < a->imports.count; j++)
            assert_string_equal(a->imports.items[j]->name, b->imports.items[j]->name);
        assert_int_equal(a->types.count, b->types.count);
        for (j = 0; j < a->types.count; j++) {
            const connect_type_t *type = connect_schema_type(loaded, a->types.items[j]->full_name);
            assert_non_null(type);
            assert_ptr_equal(type->file, b);
            assert_same_type(a->types.items[j], type);
        }
        assert_int_equal(a->enums.count, b->enums.count);
        assert_int_equal(a->extensions.count, b->extensions.count);
        for (j = 0; j < a->extensions.count; j++) {
            assert_string_equal(
                a->extensions.items[j]->extendee->full_name, b->extensions.items[j]->extendee->full_name);
            assert_same_type(a->extensions.items[j]->holder, b->extensions.items[j]->holder);
        }
        assert_int_equal(a->services.count, b->services.count);
        for (j = 0; j < a->services.count; j++) {
            const connect_service_t *one = a->services.items[j], *two = b->services.items[j];
            assert_string_equal(one->full_name, two->full_name);
            assert_ptr_equal(two->file, b);
            assert_int_equal(one->method_count, two->method_count);
            for (k = 0; k < one->method_count; k++) {
                assert_ptr_equal(connect_schema_method(loaded, one->methods[k]->path), two->methods[k]);
                assert_string_equal(one->methods[k]->path, two->methods[k]->path);
                assert_string_equal(one->methods[k]->input->full_name, two->methods[k]->input->full_name);
                assert_string_equal(one->methods[k]->output->full_name, two->methods[k]->output->full_name);
                assert_int_equal(one->methods[k]->kind, two->methods[k]->kind);
                assert_int_equal(one->methods[k]->idempotency, two->methods[k]->idempotency);
            }
        }
    }
    assert_null(connect_schema_type(loaded, "test.kinds.None"));
    assert_null(connect_schema_method(loaded, "/test.kinds.Machine/None"));
    assert_null(connect_schema_method(loaded, "/test.kinds.Machine"));
    assert_null(connect_schema_method(loaded, ""));
}

/* What one side writes the other reads, with the same result. */
static void test_transcode(void **state) {
    static const char json[] =
        "{\"aDouble\":1.5,\"anInt64\":\"-7\",\"aString\":\"x\",\"someBytes\":\"AAE=\",\"aColor\":\"COLOR_BLUE\","
        "\"kinds\":{\"aBool\":true},\"lists\":{\"int32s\":[1,-2,3],\"strings\":[\"a\",\"\"],\"choices\":[{\"text\":"
        "\"\"},{\"choice\":{}}],\"lists\":[{\"bools\":[true]}]},\"optionals\":{\"aSint64\":\"0\",\"big number\":\"5\","
        "\"aString\":\"\"},\"maps\":{\"byInt32\":{\"-1\":2},\"byBool\":{\"true\":false},\"choices\":{\"k\":{\"ratio\":"
        "0.25,\"big\":\"1\"}}},\"known\":{\"time\":\"2020-01-02T03:04:05Z\",\"span\":\"-1.500s\",\"any\":{\"@type\":"
        "\"x/test.kinds.Choice\",\"number\":3},\"object\":{\"a\":[1,null,\"b\",{}]},\"value\":null,\"mask\":\"a.bC\","
        "\"empty\":{},\"anInt64\":\"9\",\"someBytes\":\"\"}}";
    const connect_schema_t loaded = load_all();
    const connect_type_t *type = connect_schema_type(loaded, "test.kinds.Kinds");
    connect_codec_options_t with_loaded = CONNECT_DEFAULTS, with_compiled = CONNECT_DEFAULTS;
    test_kinds_Kinds kinds;
    void *message = connect_arena_take(&arena, 1, type->size);
    connect_str_t bytes, again;
    connect_error_t error = CONNECT_DEFAULTS;
    (void)state;
    with_loaded.schema = loaded;
    with_compiled.schema = compiled;
    with_loaded.json_strict = with_compiled.json_strict = true;
    if (!connect_message_decode_json(type, message, connect_str_of(json), &arena, &with_loaded, &error))
        fail_msg("%s", error.message.data);
    bytes = connect_message_encode(type, message, &arena, NULL, &error);
    assert_non_null(bytes.data);
    assert_true(connect_message_decode(&test_kinds_Kinds_type, &kinds, bytes, &arena, NULL, &error));
    assert_int_equal(kinds.kinds->a_bool, true);
    again = connect_message_encode_json(&test_kinds_Kinds_type, &kinds, &arena, &with_compiled, &error);
    assert_str(again, json);
    again = connect_message_encode(&test_kinds_Kinds_type, &kinds, &arena, NULL, &error);
    assert_true(connect_str_equal(bytes, again));
    assert_true(connect_message_decode(type, message, again, &arena, NULL, &error));
    again = connect_message_encode_json(type, message, &arena, &with_loaded, &error);
    assert_str(again, json);
}

static void test_extension(void **state) {
    const connect_schema_t loaded = load_all();
    const connect_type_t *type = connect_schema_type(loaded, "test.edition.Presence");
    connect_codec_options_t options = CONNECT_DEFAULTS;
    static const char json[] = "{\"required\":1,\"[test.edition.note]\":\"n\",\"[test.edition.delimited]\":{\"a\":2},"
                               "\"[test.edition.level]\":\"HIGH\"}";
    void *message = connect_arena_take(&arena, 1, type->size);
    connect_error_t error = CONNECT_DEFAULTS;
    test_edition_Presence presence;
    test_edition_note note;
    connect_str_t bytes;
    (void)state;
    options.schema = loaded;
    options.json_strict = true;
    if (!connect_message_decode_json(type, message, connect_str_of(json), &arena, &options, &error))
        fail_msg("%s", error.message.data);
    bytes = connect_message_encode(type, message, &arena, NULL, &error);
    assert_true(connect_message_decode(&test_edition_Presence_type, &presence, bytes, &arena, NULL, &error));
    assert_true(connect_extension_get(&test_edition_note_extension, &presence, &note, &arena));
    assert_str(note.value, "n");
    assert_str(connect_message_encode_json(type, message, &arena, &options, &error), json);
}

/* Files in any order; a file that comes before those it imports. */
static void test_any_order(void **state) {
    const connect_file_t *reversed[sizeof all_files / sizeof *all_files];
    size_t i;
    (void)state;
    for (i = 0; i < compiled.count; i++)
        reversed[i] = all_files[compiled.count - 1 - i];
    for (i = 0; i < compiled.count; i++)
        assert_same_type(all_files[7]->types.items[0],
            connect_schema_type(load(set_of_files(reversed, compiled.count)), all_files[7]->types.items[0]->full_name));
}

/* Names without a leading dot are looked for from the inside out; a kind that is not said follows from the name. */
static void test_relative_names(void **state) {
    connect_str_t set = MESSAGE_OF(MESSAGE(1, TEXT(1, "a.proto"), TEXT(2, "p.q"),
        MESSAGE(4, TEXT(1, "A"), MESSAGE(3, TEXT(1, "B"), MESSAGE(2, TEXT(1, "c"), INT(3, 1), TEXT(6, "C"))),
            MESSAGE(3, TEXT(1, "C")), MESSAGE(2, TEXT(1, "b"), INT(3, 1), TEXT(6, "B")),
            MESSAGE(2, TEXT(1, "e"), INT(3, 2), TEXT(6, "q.E")),
            MESSAGE(2, TEXT(1, "c"), INT(3, 3), TEXT(6, ".p.q.C"))),
        MESSAGE(4, TEXT(1, "C")), MESSAGE(5, TEXT(1, "E"), MESSAGE(2, TEXT(1, "E0"), INT(2, 0)))));
    connect_schema_t schema = load(set);
    const connect_type_t *a = connect_schema_type(schema, "p.q.A");
    (void)state;
    assert_non_null(a);
    assert_string_equal(a->types[a->fields[0].type]->full_name, "p.q.A.B");
    assert_string_equal(a->types[a->fields[0].type]->types[0]->full_name, "p.q.A.C");
    assert_int_equal(a->fields[1].kind, CONNECT_KIND_ENUM);
    assert_string_equal(a->types[a->fields[2].type]->full_name, "p.q.C");
    assert_string_equal(a->names + a->fields[1].json_name, "e");
}

/* JSON names that need an escape, or are longer than the byte in front of a name can tell. */
static void test_odd_json_names(void **state) {
    char long_name[300], expected[400];
    connect_schema_t schema;
    const connect_type_t *a;
    connect_error_t error;
    void *message;
    connect_str_t json;
    const int32_t one = 1;
    size_t i;
    (void)state;
    memset(long_name, 'n', sizeof long_name - 1);
    long_name[sizeof long_name - 1] = 0;
    schema = load(MESSAGE_OF(MESSAGE(1, TEXT(1, "a.proto"),
        MESSAGE(4, TEXT(1, "A"), MESSAGE(2, TEXT(1, "x"), INT(3, 1), INT(5, 5), TEXT(10, "a\"b")),
            MESSAGE(2, TEXT(1, "y"), INT(3, 2), INT(5, 5), TEXT(10, long_name)),
            MESSAGE(2, TEXT(1, "z"), INT(3, 3), INT(5, 5), TEXT(10, "c d"))))));
    a = connect_schema_type(schema, "A");
    assert_non_null(a);
    message = connect_arena_take(&arena, 1, a->size);
    connect_message_init(a, message);
    for (i = 0; i < 3; i++)
        connect_message_set(a, message, &a->fields[i], &one);
    json = connect_message_encode_json(a, message, &arena, NULL, &error);
    sprintf(expected, "{\"a\\\"b\":1,\"%s\":1,\"c d\":1}", long_name);
    assert_int_equal(json.len, strlen(expected));
    assert_memory_equal(json.data, expected, json.len);
    connect_message_init(a, message);
    assert_true(connect_message_decode_json(a, message, json, &arena, NULL, &error));
    for (i = 0; i < 3; i++)
        assert_non_null(connect_message_get(a, message, &a->fields[i]));
}

/* A required field far below is known to those above, also in a circle. */
static void test_required(void **state) {
    connect_schema_t schema = load(MESSAGE_OF(
        MESSAGE(1, TEXT(1, "a.proto"), MESSAGE(4, TEXT(1, "A"), MESSAGE(2, TEXT(1, "b"), INT(3, 1), TEXT(6, "B"))),
            MESSAGE(4, TEXT(1, "B"), MESSAGE(2, TEXT(1, "a"), INT(3, 1), TEXT(6, "A")),
                MESSAGE(2, TEXT(1, "c"), INT(3, 2), TEXT(6, "C"))),
            MESSAGE(4, TEXT(1, "C"), MESSAGE(2, TEXT(1, "n"), INT(3, 1), INT(4, 2), INT(5, 5))),
            MESSAGE(4, TEXT(1, "D")))));
    (void)state;
    assert_true(connect_schema_type(schema, "A")->has_required);
    assert_true(connect_schema_type(schema, "B")->has_required);
    assert_true(connect_schema_type(schema, "C")->has_required);
    assert_false(connect_schema_type(schema, "D")->has_required);
}

static void test_empty(void **state) {
    (void)state;
    assert_int_equal(load(connect_str_of("")).count, 0);
    assert_int_equal(load(connect_str_of(NULL)).count, 0);
}

/* ---- Sets that are wrong ---- */

static void refuse(connect_str_t set, const char *expected) {
    connect_schema_t schema = {all_files, 1};
    connect_error_t error = CONNECT_DEFAULTS;
    if (connect_schema_load(&schema, set, &arena, &error)) fail_msg("loaded, expected: %s", expected);
    assert_int_equal(error.code, CONNECT_INVALID_ARGUMENT);
    assert_string_equal(error.message.data, expected);
    assert_int_equal(schema.count, 0);
}
#define FILE_OF(...) MESSAGE_OF(MESSAGE(1, TEXT(1, "a.proto"), __VA_ARGS__))
#define MESSAGE_A(...) FILE_OF(MESSAGE(4, TEXT(1, "A"), __VA_ARGS__))
#define FIELD(name, number, kind, label) MESSAGE(2, TEXT(1, name), INT(3, number), INT(5, kind), INT(4, label))
#define FIELD_WITH(name, number, kind, ...) MESSAGE(2, TEXT(1, name), INT(3, number), INT(5, kind), __VA_ARGS__)
#define ENUM_E MESSAGE(5, TEXT(1, "E"), MESSAGE(2, TEXT(1, "E1"), INT(2, 1)))

static void test_refused(void **state) {
    char long_name[1001];
    (void)state;
    memset(long_name, 'a', 1000);
    long_name[1000] = 0;
    refuse(connect_str_of("\x0A\x05"), "descriptor set: malformed");
    refuse(MESSAGE_OF(MESSAGE(1, TEXT(2, "p"))), "descriptor set: not the name of a file: \"\"");
    refuse(MESSAGE_OF(MESSAGE(1, TEXT(1, "a\nb"))), "descriptor set: not the name of a file: \"a\\x0Ab\"");
    refuse(FILE_OF(TEXT(2, "p..q")), "a.proto: not a package: \"p..q\"");
    refuse(FILE_OF(TEXT(12, "proto4")), "a.proto: not a syntax: \"proto4\"");
    refuse(FILE_OF(TEXT(12, "editions"), INT(14, 9999)), "a.proto: an edition other than 2023 (1000) and 2024 (1001)");
    refuse(FILE_OF(TEXT(3, "b.proto")), "a.proto: the set does not hold what it imports: \"b.proto\"");
    refuse(MESSAGE_OF(MESSAGE(1, TEXT(1, "a.proto")), MESSAGE(1, TEXT(1, "a.proto"))),
        "descriptor set: a.proto: stands twice");
    refuse(MESSAGE_OF(MESSAGE(1, TEXT(1, "a.proto"), TEXT(3, "b.proto")),
               MESSAGE(1, TEXT(1, "b.proto"), TEXT(3, "c.proto")), MESSAGE(1, TEXT(1, "c.proto"), TEXT(3, "a.proto"))),
        "c.proto: imports itself by way of \"a.proto\"");
    refuse(FILE_OF(TEXT(3, "a.proto")), "a.proto: imports itself by way of \"a.proto\"");
    refuse(FILE_OF(MESSAGE(4, TEXT(1, "1A"))), "a.proto: not a name: \"1A\"");
    refuse(FILE_OF(MESSAGE(4, TEXT(1, long_name))),
        "a.proto: a full name of more than 1000 bytes ends with "
        "\"aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"
        "aaaaaa"
        "aaaaaaaaaaaaaa...\"");
    refuse(FILE_OF(MESSAGE(4, TEXT(1, "A")), MESSAGE(4, TEXT(1, "A"))), "descriptor set: A: stands twice");
    refuse(FILE_OF(MESSAGE(4, TEXT(1, "A")), MESSAGE(6, TEXT(1, "A"))), "descriptor set: A: stands twice");
    refuse(MESSAGE_A(FIELD("a", 0, 5, 1)), "a.proto: A: a number that fields cannot have: that of \"a\"");
    refuse(MESSAGE_A(FIELD("a", 536870912, 5, 1)), "a.proto: A: a number that fields cannot have: that of \"a\"");
    refuse(MESSAGE_A(FIELD("a", 1, 19, 1)), "a.proto: A: no such label or type: those of \"a\"");
    refuse(MESSAGE_A(FIELD_WITH("a", 1, 5, INT(4, 4))), "a.proto: A: no such label or type: those of \"a\"");
    refuse(MESSAGE_A(FIELD("a", 1, 5, 1), FIELD("b", 1, 5, 1)),
        "a.proto: A: a number that another field has: that of \"b\"");
    refuse(MESSAGE_A(FIELD("a", 1, 5, 1), FIELD("a", 2, 5, 1)), "a.proto: A: two fields are called \"a\"");
    refuse(MESSAGE_A(FIELD("a b", 1, 5, 1)), "a.proto: A: not a name: \"a b\"");
    refuse(MESSAGE_A(FIELD_WITH("a", 1, 5, TEXT(10, "\xFF"))), "a.proto: A: not a JSON name: \"\\xFF\"");
    refuse(MESSAGE_A(FIELD_WITH("a", 1, 11, TEXT(6, ".B"))), "a.proto: A: its type is not in the set: \".B\"");
    refuse(MESSAGE_A(FIELD("a", 1, 11, 1)), "a.proto: A: its type is not in the set: \"\"");
    refuse(MESSAGE_A(FIELD_WITH("a", 1, 14, TEXT(6, ".A"))), "a.proto: A: its type is of another sort: \".A\"");
    refuse(FILE_OF(ENUM_E, MESSAGE(4, TEXT(1, "A"), FIELD_WITH("a", 1, 11, TEXT(6, "E")))),
        "a.proto: A: its type is of another sort: \"E\"");
    refuse(MESSAGE_A(FIELD_WITH("a", 1, 5, INT(9, 0))), "a.proto: A: no such oneof: that of \"a\"");
    refuse(MESSAGE_A(MESSAGE(8, TEXT(1, "o")), FIELD_WITH("a", 1, 5, INT(9, 0), INT(4, 3))),
        "a.proto: A: a repeated field in a oneof: \"a\"");
    refuse(MESSAGE_A(FIELD_WITH("a", 1, 5, TEXT(7, "1.5"))),
        "a.proto: A: a default that is no value of its field: \"1.5\"");
    refuse(MESSAGE_A(FIELD_WITH("a", 1, 13, TEXT(7, "-1"))),
        "a.proto: A: a default that is no value of its field: \"-1\"");
    refuse(MESSAGE_A(FIELD_WITH("a", 1, 8, TEXT(7, "yes"))),
        "a.proto: A: a default that is no value of its field: \"yes\"");
    refuse(
        MESSAGE_A(FIELD_WITH("a", 1, 1, TEXT(7, "x"))), "a.proto: A: a default that is no value of its field: \"x\"");
    refuse(MESSAGE_A(FIELD_WITH("a", 1, 12, TEXT(7, "x\\"))),
        "a.proto: A: a default that is no value of its field: \"x\\\"");
    refuse(FILE_OF(ENUM_E, MESSAGE(4, TEXT(1, "A"), FIELD_WITH("a", 1, 14, TEXT(6, "E"), TEXT(7, "E2")))),
        "a.proto: A: a default that is no value of its field: \"E2\"");
    refuse(MESSAGE_A(FIELD_WITH("a", 1, 5, INT(4, 3), TEXT(7, "1"))),
        "a.proto: A: a default where none can be: that of \"a\"");
    refuse(FILE_OF(TEXT(12, "proto3"), MESSAGE(4, TEXT(1, "A"), FIELD_WITH("a", 1, 5, TEXT(7, "1")))),
        "a.proto: A: a default, and no presence to tell it by: that of \"a\"");
    refuse(FILE_OF(MESSAGE(5, TEXT(1, "E"))), "a.proto: E: an enum without values");
    refuse(FILE_OF(MESSAGE(5, TEXT(1, "E"), MESSAGE(2, TEXT(1, "V")), MESSAGE(2, TEXT(1, "V"), INT(2, 1)))),
        "a.proto: E: two values are called \"V\"");
    refuse(FILE_OF(TEXT(12, "proto3"), ENUM_E), "a.proto: E: an open enum whose first value is not 0");
    refuse(FILE_OF(MESSAGE(7, TEXT(1, "x"), INT(3, 1), INT(5, 5), TEXT(2, "A"))),
        "a.proto: x: what it extends is not in the set: \"A\"");
    refuse(FILE_OF(MESSAGE(6, TEXT(1, "S"), MESSAGE(2, TEXT(1, "M"), TEXT(2, "A"), TEXT(3, "A")))),
        "a.proto: S.M: its input or output is not in the set: \"A\"");
    refuse(MESSAGE_A(MESSAGE(7, INT(1, 1)), FIELD("a", 1, 5, 1)), "a.proto: A: a message set with fields");
    refuse(FILE_OF(MESSAGE(4, TEXT(1, "A"), MESSAGE(7, INT(1, 1))),
               MESSAGE(7, TEXT(1, "x"), INT(3, 4), INT(5, 5), TEXT(2, "A"))),
        "a.proto: x: an extension of a message set is a message");
    refuse(MESSAGE_A(MESSAGE(7, INT(7, 1)), FIELD("key", 1, 5, 1)), "a.proto: A: not the entry of a map");
    refuse(MESSAGE_A(MESSAGE(7, INT(7, 1)), FIELD("key", 1, 1, 1), FIELD("value", 2, 1, 1)),
        "a.proto: A: not the entry of a map");
    refuse(MESSAGE_A(MESSAGE(7, INT(7, 1)), FIELD_WITH("key", 1, 5, INT(4, 3)), FIELD("value", 2, 1, 1)),
        "a.proto: A: not the entry of a map");
    refuse(MESSAGE_A(MESSAGE(3, TEXT(1, "M"), FIELD("key", 1, 5, 1), FIELD("value", 2, 5, 1), MESSAGE(7, INT(7, 1))),
               FIELD_WITH("m", 1, 11, TEXT(6, "M"))),
        "a.proto: A: the type of a map's entry may only be used by that map");
    refuse(FILE_OF(TEXT(2, "google.protobuf"), MESSAGE(4, TEXT(1, "Timestamp"), FIELD("seconds", 1, 9, 1))),
        "a.proto: google.protobuf.Timestamp: not the well-known type of this name");
    refuse(FILE_OF(TEXT(2, "google.protobuf"), MESSAGE(4, TEXT(1, "Empty"), FIELD("seconds", 1, 9, 1))),
        "a.proto: google.protobuf.Empty: not the well-known type of this name");
}

/* As many as fit, and one more. */
static void test_many_fields(void **state) {
    const size_t most = (65535 - sizeof(connect_str_list_t)) / 8, counts[] = {most, most + 1, 70000};
    size_t c, i;
    (void)state;
    for (c = 0; c < sizeof counts / sizeof *counts; c++) {
        connect_writer_t message = {&arena, {NULL, 0}, false, 0};
        connect_str_t name = {"A", 1}, fields;
        connect_schema_t schema;
        connect_error_t error = CONNECT_DEFAULTS;
        connect_writer_put(&message, 1, CONNECT_KIND_STRING, &name);
        for (i = 1; i <= counts[c]; i++) {
            char text[20];
            sprintf(text, "f%lu", (unsigned long)i);
            fields = MESSAGE_OF(TEXT(1, text), INT(3, (int64_t)i), INT(5, 3), TEXT(10, text));
            connect_writer_put(&message, 2, CONNECT_KIND_MESSAGE, &fields);
        }
        fields = MESSAGE_OF(MESSAGE(1, TEXT(1, "a.proto"), TEXT(12, "proto3"), BYTES(4, message.written)));
        if (connect_schema_load(&schema, fields, &arena, &error)) {
            assert_int_equal(c, 0);
            assert_int_equal(connect_schema_type(schema, "A")->field_count, counts[c]);
            assert_int_equal(connect_schema_type(schema, "A")->dense, counts[c]);
        } else {
            assert_string_equal(error.message.data,
                counts[c] > 65535 ? "a.proto: A: more than 65535 fields"
                                  : "a.proto: A: its struct would have over 65535 bytes");
        }
    }
}

static void test_deep(void **state) {
    connect_str_t message = MESSAGE_OF(TEXT(1, "A"));
    connect_schema_t schema;
    connect_error_t error = CONNECT_DEFAULTS;
    int depth;
    (void)state;
    for (depth = 1; depth <= 101; depth++) {
        connect_str_t set = MESSAGE_OF(MESSAGE(1, TEXT(1, "a.proto"), BYTES(4, message)));
        assert_int_equal(connect_schema_load(&schema, set, &arena, &error), depth <= 100);
        message = MESSAGE_OF(TEXT(1, "A"), BYTES(3, message));
    }
    assert_non_null(strstr(error.message.data, "messages nest deeper than 100"));
}

/* Uses all of a schema that was let through. */
static void use(connect_schema_t schema) {
    static const char records[] =
        "\x08\x01\x12\x03\x08\x01\x12\x1A\x01x\x25\1\2\3\4\x29\1\2\3\4\5\6\7\x08\x33\x08\x01\x34";
    connect_codec_options_t options = CONNECT_DEFAULTS;
    size_t i, j;
    options.partial = true;
    options.json_defaults = true;
    options.schema = schema;
    for (i = 0; i < schema.count; i++) {
        for (j = 0; j < schema.files[i]->types.count; j++) {
            const connect_type_t *type = schema.files[i]->types.items[j];
            connect_arena_t scratch = CONNECT_DEFAULTS;
            void *message = connect_arena_take(&scratch, 1, type->size);
            if (connect_message_decode(
                    type, message, (connect_str_t){records, sizeof records - 1}, &scratch, &options, NULL)) {
                connect_message_encode(type, message, &scratch, &options, NULL);
                connect_message_encode_json(type, message, &scratch, &options, NULL);
            }
            connect_message_decode_json(
                type, message, connect_str_of("{\"value\":{\"1\":2},\"key\":[1],\"a\":{}}"), &scratch, &options, NULL);
            connect_arena_free(&scratch);
        }
    }
}

/* Each byte replaced, and the set cut off at each place: refused, or of use, but never a crash. */
static void test_mutations(void **state) {
    static const unsigned char flips[] = {0x01, 0x02, 0x04, 0x08, 0x10, 0x20, 0x40, 0x80, 0xFF};
    const connect_file_t *files[2];
    connect_str_t set;
    connect_schema_t schema;
    size_t file, at, flip, loaded = 0;
    (void)state;
    for (file = 4; file < 10; file++) { /* struct, ... edition */
        guarded bytes;
        files[0] = all_files[file];
        files[1] = &test_legacy_legacy_file;
        if (file == 7) continue;
        set = set_of_files(files, file == 9 ? 2 : 1);
        bytes = guarded_copy(set.data, set.len, 0);
        for (at = 0; at < set.len; at++) {
            for (flip = 0; flip < sizeof flips; flip++) {
                connect_arena_t scratch = CONNECT_DEFAULTS;
                bytes.data[at] = (char)((unsigned char)set.data[at] ^ flips[flip]);
                if (connect_schema_load(&schema, (connect_str_t){bytes.data, set.len}, &scratch, NULL)) {
                    use(schema);
                    loaded++;
                }
                bytes.data[at] = set.data[at];
                connect_arena_free(&scratch);
            }
        }
        guarded_free(&bytes);
        for (at = 0; at < set.len; at++) {
            connect_arena_t scratch = CONNECT_DEFAULTS;
            bytes = guarded_copy(set.data, at, 0);
            connect_schema_load(&schema, (connect_str_t){bytes.data, at}, &scratch, NULL);
            guarded_free(&bytes);
            connect_arena_free(&scratch);
        }
    }
    assert_true(loaded > 1000);
}

static bool load_with(const connect_allocator_t *allocator, void *arg) {
    const connect_str_t *set = (const connect_str_t *)arg;
    connect_arena_t scratch;
    connect_error_t error = CONNECT_DEFAULTS;
    connect_schema_t schema;
    char first[64];
    bool ok;
    connect_arena_init(&scratch, first, sizeof first, allocator);
    ok = connect_schema_load(&schema, *set, &scratch, &error);
    if (!ok) assert_int_equal(error.code, CONNECT_RESOURCE_EXHAUSTED);
    connect_arena_free(&scratch);
    return ok;
}

static void test_allocations(void **state) {
    connect_str_t set = set_of_files(all_files + 8, 2);
    size_t room;
    (void)state;
    sweep_allocations(load_with, &set);
    for (room = 0; room < 60000; room += 16) { /* an arena that does not grow fails at each taking */
        static union {
            char bytes[60000];
            uint64_t align;
        } first;
        connect_arena_t scratch;
        connect_schema_t schema;
        connect_error_t error = CONNECT_DEFAULTS;
        connect_arena_init(&scratch, first.bytes, room, NULL);
        if (connect_schema_load(&schema, set, &scratch, &error)) break;
        assert_int_equal(error.code, CONNECT_RESOURCE_EXHAUSTED);
    }
    assert_true(room < 60000);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_as_generated, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_transcode, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_extension, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_any_order, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_relative_names, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_odd_json_names, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_required, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_empty, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_refused, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_many_fields, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_deep, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_mutations, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_allocations, set_up, tear_down),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
