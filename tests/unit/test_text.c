/* Messages as text: each kind of field, what is unknown, escapes, and full arenas. That other parsers read it back is
   seen in tests/differential. */
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

static void check(const connect_type_t *type, const char *json, const char *expected) {
    connect_codec_options_t options = CONNECT_DEFAULTS;
    void *message = connect_arena_take(&arena, 1, type->size);
    connect_error_t error = CONNECT_DEFAULTS;
    connect_str_t text;
    options.partial = true;
    if (!connect_message_decode_json(type, message, connect_str_of(json), &arena, &options, &error))
        fail_msg("%s", error.message.data);
    text = connect_message_encode_text(type, message, &arena);
    assert_non_null(text.data);
    assert_int_equal(text.data[text.len], 0);
    assert_str(text, expected);
}

static void test_kinds(void **state) {
    (void)state;
    check(&test_kinds_Kinds_type, "{}", "");
    check(&test_kinds_Kinds_type,
        "{\"aDouble\":0.1,\"aFloat\":0.1,\"anInt32\":-1,\"anInt64\":\"-9223372036854775808\",\"aUint32\":4294967295,"
        "\"aUint64\":\"18446744073709551615\",\"aSint32\":-2,\"aSint64\":\"-3\",\"aFixed32\":4,\"aFixed64\":\"5\","
        "\"aSfixed32\":-6,\"aSfixed64\":\"-7\",\"aBool\":true,\"aString\":\"x\",\"someBytes\":\"AAH/\","
        "\"aColor\":\"COLOR_ROT\",\"kinds\":{\"aColor\":77},\"choice\":{}}",
        "a_double: 0.1\na_float: 0.1\nan_int32: -1\nan_int64: -9223372036854775808\na_uint32: 4294967295\n"
        "a_uint64: 18446744073709551615\na_sint32: -2\na_sint64: -3\na_fixed32: 4\na_fixed64: 5\na_sfixed32: -6\n"
        "a_sfixed64: -7\na_bool: true\na_string: \"x\"\nsome_bytes: \"\\000\\001\\377\"\na_color: COLOR_RED\n"
        "kinds {\n  a_color: 77\n}\nchoice {\n}\n");
    check(&test_kinds_Lists_type,
        "{\"doubles\":[\"NaN\",\"Infinity\",\"-Infinity\",-0.0],\"strings\":[\"\",\"b\"],\"choices\":[{\"number\":1},{}"
        "],"
        "\"lists\":[{\"lists\":[{\"bools\":[false]}]}]}",
        "doubles: nan\ndoubles: inf\ndoubles: -inf\ndoubles: -0.0\nstrings: \"\"\nstrings: \"b\"\nchoices {\n  number: "
        "1\n}\n"
        "choices {\n}\nlists {\n  lists {\n    bools: false\n  }\n}\n");
    check(&test_kinds_Maps_type, "{\"byString\":{\"\":\"\"},\"choices\":{\"k\":{\"choice\":{}}}}",
        "by_string {\n  key: \"\"\n  value: \"\"\n}\nchoices {\n  key: \"k\"\n  value {\n    choice {\n    }\n  "
        "}\n}\n");
    check(&test_kinds_Optionals_type, "{\"aString\":\"\",\"anInt32\":0}", "a_string: \"\"\nan_int32: 0\n");
}

static void test_strings(void **state) {
    (void)state;
    check(&test_kinds_Kinds_type, "{\"aString\":\"\\\"'\\\\\\n\\r\\t\\u0000\\u0001\\u007f\\u00e4\\ud83d\\ude00\"}",
        "a_string: \"\\\"\\'\\\\\\n\\r\\t\\000\\001\\177\xC3\xA4\xF0\x9F\x98\x80\"\n");
    check(&test_kinds_Kinds_type, "{\"someBytes\":\"w6T/\"}", "some_bytes: \"\\303\\244\\377\"\n"); /* not all UTF-8 */
    check(&test_kinds_Kinds_type, "{\"someBytes\":\"w6Q=\"}", "some_bytes: \"\xC3\xA4\"\n");
}

/* As protoc writes it: a group by the name of its type, and so a delimited field that is named as its type. */
static void test_group(void **state) {
    (void)state;
    check(&test_edition_Encodings_type, "{\"sub\":{\"a\":1},\"subs\":[{\"a\":2}],\"chosen\":{}}",
        "Sub {\n  a: 1\n}\nsubs {\n  a: 2\n}\nchosen {\n}\n");
}

static void test_unknown(void **state) {
    static const char bytes[] =
        "\x08\x05\xF0\x3F\x96\x01\xF9\x3F\x01\x02\x03\x04\x05\x06\x07\x08\xFD\x3F\xFF\x00\x00\x80"
        "\xFA\x3F\x03\"\x01z\xFB\x3F\x08\x01\x13\x08\x02\x14\xFC\x3F";
    test_kinds_Choice choice;
    connect_error_t error = CONNECT_DEFAULTS;
    (void)state;
    if (!connect_message_decode(
            &test_kinds_Choice_type, &choice, (connect_str_t){bytes, sizeof bytes - 1}, &arena, NULL, &error))
        fail_msg("%s", error.message.data);
    assert_str(connect_message_encode_text(&test_kinds_Choice_type, &choice, &arena),
        "number: 5\n1022: 150\n1023: 0x0807060504030201\n1023: 0x800000ff\n1023: \"\\\"\\001z\"\n1023 {\n  1: 1\n"
        "  2 {\n    1: 2\n  }\n}\n");
}

/* Deeper than anything a peer can send: cut off, not followed forever. */
static void test_deep(void **state) {
    static test_kinds_Choice chain[1200];
    connect_str_t text;
    size_t i;
    (void)state;
    for (i = 0; i + 1 < sizeof chain / sizeof *chain; i++) {
        chain[i].what_case = test_kinds_Choice_what_choice;
        chain[i].what.choice = &chain[i + 1];
    }
    text = connect_message_encode_text(&test_kinds_Choice_type, &chain[0], &arena);
    assert_non_null(text.data);
    assert_non_null(strstr(text.data, "...\n"));
}

static void test_full(void **state) {
    static char bytes[4096];
    test_kinds_Kinds kinds = CONNECT_DEFAULTS, sub = CONNECT_DEFAULTS;
    connect_str_t text;
    size_t room;
    (void)state;
    sub.a_string = connect_str_of("a string of some length, so that the text has to grow");
    sub.an_int64 = 5;
    kinds.kinds = &sub;
    kinds.a_string = sub.a_string;
    for (room = 0;; room += 16) {
        connect_arena_t small;
        assert_true(room < sizeof bytes);
        connect_arena_init(&small, bytes, room, NULL);
        text = connect_message_encode_text(&test_kinds_Kinds_type, &kinds, &small);
        if (text.data) break;
        assert_true(small.failed);
    }
    assert_true(room > text.len);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_kinds, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_strings, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_group, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_unknown, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_deep, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_full, set_up, tear_down),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
