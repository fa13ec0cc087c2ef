/* The rules of protobuf that implementations get wrong, one by one: each in hexadecimal, with the message as JSON, or
   the error, that it must become. */
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

static connect_str_t bytes_of(const char *hex) {
    char *to = (char *)connect_arena_take(&arena, strlen(hex) / 2 + 1, 1);
    connect_str_t bytes;
    unsigned value;
    bytes.data = to;
    for (bytes.len = 0; *hex; hex++) {
        if (*hex == ' ') continue;
        assert_int_equal(sscanf(hex++, "%2x", &value), 1);
        to[bytes.len++] = (char)(unsigned char)value;
    }
    return bytes;
}

/* Decodes to this JSON, with so many bytes of unknown fields; and is written so that it reads as the same. */
static void reads(const connect_type_t *type, const char *hex, const char *json, size_t unknown) {
    connect_codec_options_t options = CONNECT_DEFAULTS;
    connect_error_t error = CONNECT_DEFAULTS;
    void *message = connect_arena_take(&arena, 1, type->size), *again = connect_arena_take(&arena, 1, type->size);
    connect_str_list_t kept;
    connect_str_t bytes;
    size_t i;
    options.partial = true;
    if (!connect_message_decode(type, message, bytes_of(hex), &arena, &options, &error))
        fail_msg("%s: %s", hex, error.message.data);
    assert_str(connect_message_encode_json(type, message, &arena, &options, &error), json);
    memcpy(&kept, (const char *)message + type->unknown, sizeof kept);
    for (i = 0; i < kept.count; i++)
        unknown -= kept.items[i].len;
    if (unknown) fail_msg("%s: %d bytes of unknown fields are missing", hex, (int)unknown);
    bytes = connect_message_encode(type, message, &arena, &options, &error);
    assert_non_null(bytes.data);
    assert_true(connect_message_decode(type, again, bytes, &arena, &options, &error));
    assert_true(connect_message_equal(type, message, again));
}

static void refuses(const connect_type_t *type, const char *hex, const char *expected) {
    connect_error_t error = CONNECT_DEFAULTS;
    void *message = connect_arena_take(&arena, 1, type->size);
    if (connect_message_decode(type, message, bytes_of(hex), &arena, NULL, &error)) fail_msg("%s: accepted", hex);
    assert_int_equal(error.code, CONNECT_INVALID_ARGUMENT);
    assert_str(error.message, expected);
}

#define KINDS &test_kinds_Kinds_type
#define LISTS &test_kinds_Lists_type
#define MAPS &test_kinds_Maps_type
#define CHOICE &test_kinds_Choice_type
#define ENUMS &test_edition_Enums_type

static void test_last_wins_and_merging(void **state) {
    (void)state;
    reads(KINDS, "18 01  18 02", "{\"anInt32\":2}", 0);
    reads(KINDS, "18 01  18 00", "{}", 0);
    /* a sub-message in parts: scalars replace, lists append, messages below merge */
    reads(KINDS, "8A01 02 1801  8A01 02 6801", "{\"kinds\":{\"anInt32\":1,\"aBool\":true}}", 0);
    reads(KINDS, "9201 03 1A0101  9201 05 1A03020304", "{\"lists\":{\"int32s\":[1,2,3,4]}}", 0);
    reads(KINDS, "8A01 05 8A01 02 1801  8A01 05 8A01 02 6801", "{\"kinds\":{\"kinds\":{\"anInt32\":1,\"aBool\":true}}}",
        0);
    /* in a oneof: the last field wins, and only the same message merges */
    reads(CHOICE, "08 01  12 01 61", "{\"text\":\"a\"}", 0);
    reads(CHOICE, "1A 02 0801  1A 02 4005", "{\"choice\":{\"number\":1,\"big\":\"5\"}}", 0);
    reads(CHOICE, "1A 02 0801  12 00  1A 02 4005", "{\"choice\":{\"big\":\"5\"}}", 0);
}

static void test_packed(void **state) {
    (void)state;
    reads(LISTS, "1801 1A020203 1804", "{\"int32s\":[1,2,3,4]}", 0);
    reads(LISTS, "3802 3A020403", "{\"sint32s\":[1,2,-2]}", 0); /* declared [packed = false] */
    reads(LISTS, "1A00", "{}", 0);
    reads(LISTS, "0A08 000000000000F03F 09 0000000000000040", "{\"doubles\":[1,2]}", 0);
    reads(LISTS, "6A02 0001 6800 6A00", "{\"bools\":[false,true,false]}", 0);
}

static void test_packed_refused(void **state) {
    (void)state;
    refuses(LISTS, "1A020180", "test.kinds.Lists.int32s[0]: truncated at byte 2");
    refuses(LISTS, "0A07 00000000000000", "test.kinds.Lists.doubles[0]: truncated at byte 2");
    refuses(LISTS, "1A05 01", "test.kinds.Lists.int32s[0]: truncated at byte 1");
}

static void test_varints(void **state) {
    (void)state;
    reads(KINDS, "18 8100", "{\"anInt32\":1}", 0); /* more bytes than needed */
    reads(KINDS, "9800 01", "{\"anInt32\":1}", 0); /* in a tag, too */
    reads(KINDS, "18 FFFFFFFFFFFFFFFFFF01", "{\"anInt32\":-1}", 0);
    reads(KINDS, "18 818080808001", "{\"anInt32\":1}", 0);         /* cut to 32 bits */
    reads(KINDS, "6880808080808080808001", "{\"aBool\":true}", 0); /* any bit */
    reads(KINDS, "20 FFFFFFFFFFFFFFFFFF01", "{\"anInt64\":\"-1\"}", 0);
    refuses(KINDS, "20 FFFFFFFFFFFFFFFFFF02", "test.kinds.Kinds.an_int64: varint too long at byte 1");
    refuses(KINDS, "20 FFFFFFFFFFFFFFFFFFFF01", "test.kinds.Kinds.an_int64: varint too long at byte 1");
    refuses(KINDS, "20 FFFF", "test.kinds.Kinds.an_int64: truncated at byte 1");
    refuses(KINDS, "00 01", "test.kinds.Kinds: field number 0 at byte 0");
    refuses(KINDS, "02 00", "test.kinds.Kinds: field number 0 at byte 0");
    refuses(KINDS, "8080808010 01", "test.kinds.Kinds: field number too large at byte 0");
    refuses(KINDS, "888080808000 01", "test.kinds.Kinds: field number too large at byte 0");
}

static void test_unknown(void **state) {
    (void)state;
    reads(KINDS, "A006 01", "{}", 3);
    reads(KINDS, "1A 01 61", "{}", 3);              /* the wrong wire type for field 3 */
    reads(KINDS, "73 74", "{}", 2);                 /* a group where a string is declared */
    reads(KINDS, "A306 08 01 13 14 A406", "{}", 8); /* groups in groups */
    refuses(KINDS, "A306 08 01", "test.kinds.Kinds: truncated at byte 4");
    refuses(KINDS, "A306 AC06", "test.kinds.Kinds: end of another group at byte 2");
    refuses(KINDS, "A406", "test.kinds.Kinds: end of a group that was not begun at byte 0");
    refuses(KINDS, "A306 00 01 A406", "test.kinds.Kinds: field number 0 at byte 2");
    refuses(KINDS, "A606", "test.kinds.Kinds: unknown wire type at byte 0");
}

static void test_enums(void **state) {
    (void)state;
    reads(KINDS, "8001 4D", "{\"aColor\":77}", 0);                     /* open: kept */
    reads(KINDS, "8001 8380808010", "{\"aColor\":\"COLOR_BLUE\"}", 0); /* cut to 32 bits */
    reads(ENUMS, "10 05", "{}", 2);                                    /* closed: among the unknown fields */
    reads(ENUMS, "10 02 10 05", "{\"closed\":\"CLOSED_TWO\"}", 2);
    reads(ENUMS, "18 02 18 05 18 00", "{\"list\":[\"CLOSED_TWO\",\"CLOSED_ZERO\"]}", 2);
    reads(ENUMS, "1A 03 020500", "{\"list\":[\"CLOSED_TWO\",\"CLOSED_ZERO\"]}", 2);
    reads(ENUMS, "30 02 30 05", "{\"chosen\":\"CLOSED_TWO\"}", 2);
    reads(ENUMS, "2A 04 08011005 2A 04 08021002", "{\"byNumber\":{\"2\":\"CLOSED_TWO\"}}", 6); /* the whole entry */
}

static void test_maps(void **state) {
    (void)state;
    reads(MAPS, "0A 04 0801 1002  0A 04 0801 1003", "{\"byInt32\":{\"1\":3}}", 0); /* the last of a key */
    reads(MAPS, "0A 00", "{\"byInt32\":{\"0\":0}}", 0);
    reads(MAPS, "0A 02 1002", "{\"byInt32\":{\"0\":2}}", 0);
    reads(MAPS, "0A 04 1002 0801", "{\"byInt32\":{\"1\":2}}", 0); /* the value first */
    reads(MAPS, "0A 06 0801 0803 1002", "{\"byInt32\":{\"3\":2}}", 0);
    reads(MAPS, "0A 07 0801 1002 1A0178", "{\"byInt32\":{\"1\":2}}", 0); /* what is unknown in an entry is dropped */
    reads(MAPS, "7A 03 0A0161", "{\"choices\":{\"a\":{}}}", 0);          /* no value: an empty message */
    reads(MAPS, "7A 0B 0A0161 12020801 12024005", "{\"choices\":{\"a\":{\"number\":1,\"big\":\"5\"}}}", 0);
}

static void test_utf8(void **state) {
    test_kinds_Kinds kinds = CONNECT_DEFAULTS;
    test_edition_Presence presence = CONNECT_DEFAULTS;
    connect_error_t error = CONNECT_DEFAULTS;
    connect_codec_options_t options = CONNECT_DEFAULTS;
    (void)state;
    options.partial = true;
    refuses(KINDS, "72 02 C080", "test.kinds.Kinds.a_string: not UTF-8 at byte 2");
    refuses(KINDS, "72 03 EDA080", "test.kinds.Kinds.a_string: not UTF-8 at byte 2");
    reads(KINDS, "7A 01 FF", "{\"someBytes\":\"/w==\"}", 0);
    refuses(MAPS, "62 05 0A01FF 1200", "test.kinds.Maps.by_string[0].key: not UTF-8 at byte 4");
    refuses(LISTS, "72 01 61  72 01 FF", "test.kinds.Lists.strings[1]: not UTF-8 at byte 5");
    refuses(&test_edition_Presence_type, "1801 22 01 FF", "test.edition.Presence.text: not UTF-8 at byte 4");
    /* utf8_validation = NONE, and proto2: taken as it is, in binary */
    assert_true(
        connect_message_decode(&test_edition_Presence_type, &presence, bytes_of("2A 01 FF"), &arena, &options, &error));
    assert_str(presence.unchecked, "\xFF");
    assert_non_null(connect_message_encode(&test_edition_Presence_type, &presence, &arena, &options, &error).data);
    assert_null(connect_message_encode_json(&test_edition_Presence_type, &presence, &arena, &options, &error).data);
    kinds.a_string = connect_str_of("\xFF");
    assert_null(connect_message_encode(KINDS, &kinds, &arena, NULL, &error).data);
    assert_str(error.message, "test.kinds.Kinds.a_string: not UTF-8");
}

/* Nests `depth` levels of field 17 in itself. */
static connect_str_t nested(size_t depth) {
    connect_str_t bytes = {"", 0};
    while (depth-- > 0) {
        connect_writer_t writer = {&arena, {NULL, 0}, false, 0};
        connect_writer_put(&writer, 17, CONNECT_KIND_MESSAGE, &bytes);
        bytes = writer.written;
    }
    return bytes;
}

static connect_str_t nested_json(size_t depth) {
    connect_str_t json = {"{}", 2};
    while (depth-- > 0)
        json = connect_arena_printf(&arena, "{\"kinds\":%s}", json.data);
    return json;
}

static void test_depth(void **state) {
    test_kinds_Kinds kinds;
    connect_error_t error = CONNECT_DEFAULTS;
    (void)state;
    assert_true(connect_message_decode(KINDS, &kinds, nested(100), &arena, NULL, &error));
    assert_false(connect_message_decode(KINDS, &kinds, nested(101), &arena, NULL, &error));
    assert_non_null(strstr(error.message.data, "nested deeper than depth_max"));
    assert_true(connect_message_decode_json(KINDS, &kinds, nested_json(100), &arena, NULL, &error));
    assert_false(connect_message_decode_json(KINDS, &kinds, nested_json(101), &arena, NULL, &error));
    assert_non_null(strstr(error.message.data, "nested deeper than depth_max"));
}

/* Two bytes on the wire, and a few of JSON, become a struct: the budget ends that, in both forms alike. */
static void test_budget(void **state) {
    static const size_t counts[] = {1000, 40000};
    connect_codec_options_t options = CONNECT_DEFAULTS;
    size_t c, i;
    (void)state;
    options.memory_max = 1 << 20;
    for (c = 0; c < 2; c++) {
        connect_arena_t scratch = CONNECT_DEFAULTS;
        char *wire = (char *)malloc(3 * counts[c]), *json = (char *)malloc(3 * counts[c] + 20);
        size_t len = 0, json_len = (size_t)sprintf(json, "{\"choices\":[");
        test_kinds_Lists lists;
        connect_error_t error = CONNECT_DEFAULTS;
        connect_str_t view;
        for (i = 0; i < counts[c]; i++) {
            memcpy(wire + len, "\x8A\x01\x00", 3); /* choices, empty */
            len += 3;
            json_len += (size_t)sprintf(json + json_len, i ? ",{}" : "{}");
        }
        json_len += (size_t)sprintf(json + json_len, "]}");
        view.data = wire;
        view.len = len;
        assert_int_equal(connect_message_decode(LISTS, &lists, view, &scratch, &options, &error), c == 0);
        if (c) assert_int_equal(error.code, CONNECT_RESOURCE_EXHAUSTED);
        if (c) assert_non_null(strstr(error.message.data, "memory_max"));
        view.data = json;
        view.len = json_len;
        assert_int_equal(connect_message_decode_json(LISTS, &lists, view, &scratch, &options, &error), c == 0);
        if (c) assert_int_equal(error.code, CONNECT_RESOURCE_EXHAUSTED);
        if (c) assert_non_null(strstr(error.message.data, "memory_max"));
        connect_arena_free(&scratch);
        free(wire);
        free(json);
    }
}

static void test_json_errors(void **state) {
    static const struct {
        const char *json, *error;
    } cases[] = {{"{\n  \"choices\": [{}, {\"number\": 1, \"ratio\": true}]\n}",
                     "line 2, column 42: choices[1].ratio: another member of the oneof is set already"},
        {"{\"choices\": [{},\n {\"ratio\": true}]}", "line 2, column 12: choices[1].ratio: expected a number"},
        {"{\"int32s\": [1, 2147483648]}", "line 1, column 16: int32s[1]: a number out of range"},
        {"{\"int32s\": [1,]}", "line 1, column 15: int32s[1]: expected a value"},
        {"{\"strings\": [\"\xC3\xA4\", 5]}", "line 1, column 19: strings[1]: expected a string"},
        {"{\"lists\": [{\"colors\": [\"COLOR_GREY\"]}]}",
            "line 1, column 24: lists[0].colors[0]: unknown enum value \"COLOR_GREY\""},
        {"{\"bools\": [\n\n1]}", "line 3, column 1: bools[0]: expected true or false"}};
    connect_codec_options_t options = CONNECT_DEFAULTS;
    test_kinds_Lists lists;
    connect_error_t error = CONNECT_DEFAULTS;
    size_t i;
    (void)state;
    options.json_strict = true;
    for (i = 0; i < sizeof cases / sizeof *cases; i++) {
        assert_false(
            connect_message_decode_json(LISTS, &lists, connect_str_of(cases[i].json), &arena, &options, &error));
        assert_int_equal(error.code, CONNECT_INVALID_ARGUMENT);
        assert_str(error.message, cases[i].error);
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_last_wins_and_merging, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_packed, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_packed_refused, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_varints, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_unknown, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_enums, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_maps, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_utf8, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_depth, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_budget, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_json_errors, set_up, tear_down),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
