/* Extensions: out of the unknown fields and back, message sets, and their form in JSON. */
#define CONNECT_IMPLEMENTATION
#include "connect.h"
#include "legacy.connect.h"
#include "support.h"

static connect_arena_t arena; /* of the running test */
static const connect_file_t *const files[] = {&test_legacy_legacy_file};
static const connect_schema_t schema = {files, 1};

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

#define BYTES(literal) ((connect_str_t){literal, sizeof(literal) - 1})

static test_legacy_Base base_of(connect_str_t bytes) {
    test_legacy_Base base;
    connect_error_t error = CONNECT_DEFAULTS;
    connect_codec_options_t options = CONNECT_DEFAULTS;
    options.partial = true;
    assert_true(connect_message_decode(&test_legacy_Base_type, &base, bytes, &arena, &options, &error));
    return base;
}

static void assert_encodes(const connect_type_t *type, const void *message, connect_str_t expected) {
    connect_codec_options_t options = CONNECT_DEFAULTS;
    connect_str_t bytes;
    options.partial = true;
    bytes = connect_message_encode(type, message, &arena, &options, NULL);
    assert_non_null(bytes.data);
    assert_int_equal(bytes.len, expected.len);
    assert_memory_equal(bytes.data, expected.data, expected.len);
}

static void test_get(void **state) {
    test_legacy_Base base = base_of(BYTES("\xA2\x06\x01"
                                          "a"
                                          "\x0A\x01n"
                                          "\xA2\x06\x02"
                                          "bc"));
    test_legacy_code code;
    test_legacy_count count;
    (void)state;
    assert_true(connect_extension_get(&test_legacy_code_extension, &base, &code, &arena)); /* the last wins */
    assert_true(connect_str_equal(code.value, connect_str_of("bc")));
    assert_false(connect_extension_get(&test_legacy_count_extension, &base, &count, &arena));
    assert_int_equal(count.value, -1); /* its default */
    assert_false(count.has_value);
}

/* Many records that do not stand together are put together at once: the arena takes no more than they have. */
static void test_get_many(void **state) {
    static const char pair[] = "\xA2\x06\x01z\xF0\x3F\x01"; /* the extension, and an unknown field */
    const size_t count = 20000, len = count * (sizeof pair - 1);
    char *bytes = (char *)malloc(len);
    failing_allocator f;
    connect_arena_t own;
    test_legacy_Base base;
    test_legacy_code code;
    size_t i;
    (void)state;
    assert_non_null(bytes);
    for (i = 0; i < count; i++)
        memcpy(bytes + i * (sizeof pair - 1), pair, sizeof pair - 1);
    base = base_of(cn_str(bytes, len));
    failing_init(&f, SIZE_MAX, false);
    connect_arena_init(&own, NULL, 0, &f.allocator);
    assert_true(connect_extension_get(&test_legacy_code_extension, &base, &code, &own));
    assert_true(connect_str_equal(code.value, connect_str_of("z")));
    assert_in_range(f.taken, 1, 2 * len);
    connect_arena_free(&own);
    free(bytes);
}

static void test_get_merges(void **state) {
    test_legacy_Base base = base_of(BYTES("\xBA\x06\x02\x08\x05"
                                          "\xB2\x06\x02\x01\x02"
                                          "\xBA\x06\x03\x12\x01w"
                                          "\xB0\x06\x03"));
    test_legacy_item item;
    test_legacy_numbers numbers;
    (void)state;
    assert_true(connect_extension_get(&test_legacy_item_extension, &base, &item, &arena));
    assert_int_equal(item.value->number, 5);
    assert_int_equal(item.value->words.count, 1);
    assert_true(connect_extension_get(&test_legacy_numbers_extension, &base, &numbers, &arena));
    assert_int_equal(numbers.value.count, 3);
    assert_int_equal(numbers.value.items[2], 3);
}

static void test_get_bad(void **state) {
    test_legacy_Base base = base_of(BYTES("\xBA\x06\x02\x08\x80"
                                          "\xC8\x06\x09"));
    test_legacy_item item;
    test_legacy_level level;
    (void)state;
    assert_false(connect_extension_get(&test_legacy_item_extension, &base, &item, &arena));
    assert_null(item.value);
    assert_false(connect_extension_get(&test_legacy_level_extension, &base, &level, &arena)); /* not one of Level */
    assert_encodes(&test_legacy_Base_type, &base,
        BYTES("\xBA\x06\x02\x08\x80"
              "\xC8\x06\x09"));
}

static void test_set(void **state) {
    test_legacy_Base base = base_of(BYTES("\xA2\x06\x01"
                                          "a"
                                          "\xA8\x06\x07"
                                          "\xA2\x06\x02"
                                          "bc"));
    test_legacy_code code;
    (void)state;
    connect_message_init(&test_legacy_code_type, &code);
    code.value = connect_str_of("new");
    assert_true(connect_extension_set(&test_legacy_code_extension, &base, &code, &arena));
    assert_encodes(&test_legacy_Base_type, &base,
        BYTES("\xA2\x06\x03new"
              "\xA8\x06\x07"));
    assert_true(connect_extension_set(&test_legacy_count_extension, &base, NULL, &arena));
    assert_encodes(&test_legacy_Base_type, &base, BYTES("\xA2\x06\x03new"));
    assert_true(connect_extension_set(&test_legacy_code_extension, &base, NULL, &arena));
    assert_int_equal(base.unknown_fields.count, 0);
}

/* Groups nested deeper than readers go are kept, and so is what stands behind them. */
static void test_set_beside_deep_groups(void **state) {
    char bytes[2 * 150 + 4];
    connect_codec_options_t options = CONNECT_DEFAULTS;
    test_legacy_Base base;
    test_legacy_count count;
    connect_str_t encoded;
    (void)state;
    memset(bytes, 7 << 3 | 3, 150);
    memset(bytes + 150, 7 << 3 | 4, 150);
    memcpy(bytes + 300, "\xA2\x06\x01" "a", 4);
    options.partial = true;
    options.depth_max = 1000;
    assert_true(connect_message_decode(
        &test_legacy_Base_type, &base, (connect_str_t){bytes, sizeof bytes}, &arena, &options, NULL));
    connect_message_init(&test_legacy_count_type, &count);
    count.has_value = true;
    count.value = 7;
    assert_true(connect_extension_set(&test_legacy_count_extension, &base, &count, &arena));
    encoded = connect_message_encode(&test_legacy_Base_type, &base, &arena, &options, NULL);
    assert_int_equal(encoded.len, sizeof bytes + 3);
    assert_memory_equal(encoded.data, "\xA8\x06\x07", 3);
    assert_memory_equal(encoded.data + 3, bytes, sizeof bytes);
    assert_true(connect_message_decode(&test_legacy_Base_type, &base, encoded, &arena, &options, NULL));
    assert_true(connect_extension_get(&test_legacy_count_extension, &base, &count, &arena));
    assert_int_equal(count.value, 7);
}

static void test_message_set(void **state) {
    /* an item with its parts in either order, and one that a parser without message sets wrote */
    static const char bytes[] = "\x0A\x11"
                                "\x0B\x1A\x02\x08\x05\x10\xE8\x07\x0C"
                                "\xC2\x3E\x03\x12\x01w"
                                "\x0B\x0C";
    test_legacy_Holder holder;
    test_legacy_set_item item;
    test_legacy_set_far far_item;
    test_legacy_Item value = CONNECT_DEFAULTS;
    test_legacy_Set set;
    (void)state;
    assert_true(connect_message_decode(&test_legacy_Holder_type, &holder, BYTES(bytes), &arena, NULL, NULL));
    set = *holder.set;
    assert_true(connect_extension_get(&test_legacy_set_item_extension, &set, &item, &arena));
    assert_int_equal(item.value->number, 5);
    assert_int_equal(item.value->words.count, 1);
    assert_false(connect_extension_get(&test_legacy_set_far_extension, &set, &far_item, &arena));
    assert_true(connect_extension_set(&test_legacy_set_item_extension, &set, NULL, &arena));
    value.has_number = true;
    value.number = 7;
    far_item.value = &value;
    assert_true(connect_extension_set(&test_legacy_set_far_extension, &set, &far_item, &arena));
    assert_encodes(&test_legacy_Set_type, &set,
        BYTES("\x0B\x0C"
              "\x0B\x10\x80\xA8\xD6\xB9\x07\x1A\x02\x08\x07\x0C"));
    assert_true(connect_extension_get(&test_legacy_set_far_extension, &set, &far_item, &arena));
    assert_int_equal(far_item.value->number, 7);
}

static const char json[] =
    "{\"name\":\"n\",\"[test.legacy.code]\":\"c\",\"[test.legacy.numbers]\":[1,2],"
    "\"[test.legacy.item]\":{\"number\":5,\"words\":[\"w\"]},\"[test.legacy.part]\":[{\"size\":1},{}],"
    "\"[test.legacy.level]\":\"HIGH\"}";

static void test_json(void **state) {
    connect_codec_options_t options = CONNECT_DEFAULTS;
    connect_error_t error = CONNECT_DEFAULTS;
    test_legacy_Base base;
    test_legacy_level level;
    connect_str_t text;
    (void)state;
    options.schema = schema;
    options.json_strict = true;
    assert_true(connect_message_decode_json(&test_legacy_Base_type, &base, BYTES(json), &arena, &options, &error));
    assert_true(connect_extension_get(&test_legacy_level_extension, &base, &level, &arena));
    assert_int_equal(level.value, test_legacy_HIGH);
    text = connect_message_encode_json(&test_legacy_Base_type, &base, &arena, &options, &error);
    assert_non_null(text.data);
    assert_string_equal(text.data, json);
}

static void test_json_order(void **state) {
    static const char *const texts[] = {
        "{\"[test.legacy.part]\":[{}],\"[test.legacy.item]\":{},\"[test.legacy.code]\":\"c\"}",
        "{\"[test.legacy.code]\":\"c\",\"[test.legacy.item]\":{},\"[test.legacy.part]\":[{}]}"};
    connect_codec_options_t options = CONNECT_DEFAULTS;
    test_legacy_Base messages[2];
    size_t i;
    (void)state;
    options.schema = schema;
    options.partial = true;
    for (i = 0; i < 2; i++)
        assert_true(connect_message_decode_json(
            &test_legacy_Base_type, &messages[i], connect_str_of(texts[i]), &arena, &options, NULL));
    assert_true(connect_message_equal(&test_legacy_Base_type, &messages[0], &messages[1]));
}

static void test_json_refused(void **state) {
    static const char *const texts[][2] = {
        {"{\"name\":\"n\",\"[test.legacy.code]\":1}", "line 1, column 34: code: expected a string"},
        {"{\"name\":\"n\",\"[test.legacy.code]\":\"a\",\"[test.legacy.code]\":\"b\"}",
            "line 1, column 38: code: a field that stands twice"},
        {"{\"name\":\"n\",\"[test.legacy.none]\":1}", "line 1, column 13: unknown field \"[test.legacy.none]\""}};
    connect_codec_options_t options = CONNECT_DEFAULTS;
    test_legacy_Base base;
    size_t i;
    (void)state;
    options.schema = schema;
    options.json_strict = true;
    for (i = 0; i < sizeof texts / sizeof *texts; i++) {
        connect_error_t error = CONNECT_DEFAULTS;
        assert_false(connect_message_decode_json(
            &test_legacy_Base_type, &base, connect_str_of(texts[i][0]), &arena, &options, &error));
        assert_string_equal(error.message.data, texts[i][1]);
    }
}

static void test_out_of_memory(void **state) {
    connect_codec_options_t options = CONNECT_DEFAULTS;
    size_t room;
    bool done = false;
    (void)state;
    options.schema = schema;
    for (room = 0; !done; room += 8) {
        char *block = (char *)connect_arena_take(&arena, 1, room + 1);
        connect_error_t error = CONNECT_DEFAULTS;
        connect_arena_t small;
        test_legacy_Base base;
        assert_true(room < 65536);
        connect_arena_init(&small, block, room, NULL);
        if (connect_message_decode_json(&test_legacy_Base_type, &base, BYTES(json), &small, &options, &error) &&
            connect_message_encode_json(&test_legacy_Base_type, &base, &small, &options, &error).data)
            done = true;
        else
            assert_int_equal(error.code, CONNECT_RESOURCE_EXHAUSTED);
        connect_arena_free(&small);
        connect_arena_reset(&arena);
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {cmocka_unit_test_setup_teardown(test_get, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_get_many, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_get_merges, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_get_bad, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_set, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_set_beside_deep_groups, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_message_set, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_json, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_json_order, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_json_refused, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_out_of_memory, set_up, tear_down)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
