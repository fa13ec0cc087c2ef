/* Helpers for well-known types: those of connect.h, and the typed ones of the generated headers. */
#define CONNECT_IMPLEMENTATION
#include "connect.h"
#include "kinds.connect.h"
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

static void test_timestamp(void **state) {
    struct timespec before, after, time = {-2, 500000000}, back;
    google_protobuf_Timestamp now, stamp;
    (void)state;
    clock_gettime(CLOCK_REALTIME, &before);
    now = google_protobuf_Timestamp_now();
    clock_gettime(CLOCK_REALTIME, &after);
    assert_true(now.seconds >= before.tv_sec && now.seconds <= after.tv_sec);
    assert_true(now.seconds > before.tv_sec || now.nanos >= before.tv_nsec);
    assert_true(now.seconds < after.tv_sec || now.nanos <= after.tv_nsec);
    stamp = google_protobuf_Timestamp_from_timespec(&time);
    assert_int_equal(stamp.seconds, -2);
    assert_int_equal(stamp.nanos, 500000000);
    assert_str(connect_message_encode_json(&google_protobuf_Timestamp_type, &stamp, &arena, NULL, NULL),
        "\"1969-12-31T23:59:58.500Z\"");
    assert_true(google_protobuf_Timestamp_to_timespec(&stamp, &back));
    assert_int_equal(back.tv_sec, -2);
    assert_int_equal(back.tv_nsec, 500000000);
    stamp.nanos = -1;
    assert_false(google_protobuf_Timestamp_to_timespec(&stamp, &back));
    stamp.nanos = 1000000000;
    assert_false(google_protobuf_Timestamp_to_timespec(&stamp, &back));
    stamp.nanos = 0;
    stamp.seconds = INT64_MAX;
    assert_int_equal(google_protobuf_Timestamp_to_timespec(&stamp, &back), sizeof(time_t) == 8);
}

static void test_duration(void **state) {
    static const struct {
        struct timespec span;
        int64_t seconds;
        int32_t nanos;
        const char *text;
    } cases[] = {{{0, 0}, 0, 0, "\"0s\""}, {{1, 500000000}, 1, 500000000, "\"1.500s\""},
        {{-2, 500000000}, -1, -500000000, "\"-1.500s\""}, {{-1, 999999999}, 0, -1, "\"-0.000000001s\""},
        {{-3, 0}, -3, 0, "\"-3s\""}};
    static const struct {
        int64_t ms, seconds;
        int32_t nanos;
    } all_ms[] = {{0, 0, 0}, {1, 0, 1000000}, {-1, 0, -1000000}, {1500, 1, 500000000}, {-1500, -1, -500000000},
        {INT64_MAX, INT64_MAX / 1000, 807000000}, {INT64_MIN, INT64_MIN / 1000, -808000000}};
    google_protobuf_Duration duration;
    struct timespec back;
    size_t i;
    (void)state;
    for (i = 0; i < sizeof cases / sizeof *cases; i++) {
        duration = google_protobuf_Duration_from_timespec(&cases[i].span);
        assert_int_equal(duration.seconds, cases[i].seconds);
        assert_int_equal(duration.nanos, cases[i].nanos);
        assert_str(
            connect_message_encode_json(&google_protobuf_Duration_type, &duration, &arena, NULL, NULL), cases[i].text);
        assert_true(google_protobuf_Duration_to_timespec(&duration, &back));
        assert_int_equal(back.tv_sec, cases[i].span.tv_sec);
        assert_int_equal(back.tv_nsec, cases[i].span.tv_nsec);
    }
    for (i = 0; i < sizeof all_ms / sizeof *all_ms; i++) {
        duration = google_protobuf_Duration_from_ms(all_ms[i].ms);
        assert_int_equal(duration.seconds, all_ms[i].seconds);
        assert_int_equal(duration.nanos, all_ms[i].nanos);
        assert_int_equal(google_protobuf_Duration_to_ms(&duration), all_ms[i].ms);
    }
    assert_int_equal(connect_duration_to_ms(1, 999999), 1000);
    assert_int_equal(connect_duration_to_ms(-1, -999999), -1000);
    assert_int_equal(connect_duration_to_ms(INT64_MAX / 1000, 808000000), INT64_MAX);
    assert_int_equal(connect_duration_to_ms(INT64_MAX, 0), INT64_MAX);
    assert_int_equal(connect_duration_to_ms(INT64_MIN / 1000, -809000000), INT64_MIN);
    assert_int_equal(connect_duration_to_ms(INT64_MIN, 0), INT64_MIN);
    assert_false(connect_duration_to_timespec(1, -1, &back));
    assert_false(connect_duration_to_timespec(-1, 1, &back));
    assert_false(connect_duration_to_timespec(0, 1000000000, &back));
    assert_false(connect_duration_to_timespec(INT64_MIN, -1, &back));
    assert_false(connect_duration_to_timespec(0, INT32_MIN, &back));
}

static void test_any(void **state) {
    test_kinds_Choice choice = CONNECT_DEFAULTS, back;
    google_protobuf_Any any = CONNECT_DEFAULTS;
    connect_error_t error = CONNECT_DEFAULTS;
    char small[1];
    connect_arena_t full;
    (void)state;
    choice.what_case = test_kinds_Choice_what_text;
    choice.what.text = connect_str_of("hello");
    assert_true(google_protobuf_Any_pack(&any, &test_kinds_Choice_type, &choice, &arena, &error));
    assert_str(any.type_url, "type.googleapis.com/test.kinds.Choice");
    assert_true(google_protobuf_Any_is(&any, &test_kinds_Choice_type));
    assert_false(google_protobuf_Any_is(&any, &test_kinds_Lists_type));
    assert_true(google_protobuf_Any_unpack(&any, &test_kinds_Choice_type, &back, &arena, &error));
    assert_true(connect_message_equal(&test_kinds_Choice_type, &choice, &back));
    assert_false(google_protobuf_Any_unpack(&any, &test_kinds_Lists_type, &back, &arena, &error));
    assert_int_equal(error.code, CONNECT_INVALID_ARGUMENT);
    assert_str(error.message, "an Any of \"type.googleapis.com/test.kinds.Choice\" is no test.kinds.Lists");
    any.value = connect_str_of("\x12\x05");
    assert_false(google_protobuf_Any_unpack(&any, &test_kinds_Choice_type, &back, &arena, &error));
    assert_int_equal(error.code, CONNECT_INVALID_ARGUMENT);
    any.type_url = connect_str_of("x/y/test.kinds.Choice");
    assert_true(google_protobuf_Any_is(&any, &test_kinds_Choice_type));
    any.type_url = connect_str_of("test.kinds.Choice"); /* no slash: no URL */
    assert_false(google_protobuf_Any_is(&any, &test_kinds_Choice_type));
    any.type_url = connect_str_of(NULL);
    assert_false(google_protobuf_Any_is(&any, &test_kinds_Choice_type));
    choice.what.text = connect_str_of("\xFF");
    assert_false(google_protobuf_Any_pack(&any, &test_kinds_Choice_type, &choice, &arena, &error));
    assert_null(any.type_url.data); /* as it was */
    connect_arena_init(&full, small, sizeof small, NULL);
    assert_false(google_protobuf_Any_pack(&any, &test_kinds_Choice_type, &choice, &full, &error));
    assert_int_equal(error.code, CONNECT_RESOURCE_EXHAUSTED);
}

static void test_struct(void **state) {
    google_protobuf_Struct object = CONNECT_DEFAULTS, inner = CONNECT_DEFAULTS, back;
    google_protobuf_ListValue list = CONNECT_DEFAULTS;
    const google_protobuf_ListValue *read;
    connect_error_t error = CONNECT_DEFAULTS;
    connect_str_t json;
    char small[1];
    connect_arena_t full;
    (void)state;
    assert_true(google_protobuf_ListValue_append(&list, google_protobuf_Value_of_number(1.5), &arena));
    assert_true(google_protobuf_ListValue_append(&list, google_protobuf_Value_of_null(), &arena));
    assert_true(google_protobuf_Struct_set(&inner, "on", google_protobuf_Value_of_bool(true), &arena));
    assert_true(google_protobuf_Struct_set(&object, "name", google_protobuf_Value_of_number(1), &arena));
    assert_true(google_protobuf_Struct_set(&object, "list", google_protobuf_Value_of_list(&list), &arena));
    assert_true(google_protobuf_Struct_set(&object, "inner", google_protobuf_Value_of_struct(&inner), &arena));
    assert_true(google_protobuf_Struct_set(
        &object, "name", google_protobuf_Value_of_string(connect_str_of("boiler")), &arena)); /* replaces */
    assert_int_equal(object.fields.count, 3);
    json = connect_message_encode_json(&google_protobuf_Struct_type, &object, &arena, NULL, &error);
    assert_str(json, "{\"list\":[1.5,null],\"inner\":{\"on\":true},\"name\":\"boiler\"}");
    assert_true(connect_message_decode_json(&google_protobuf_Struct_type, &back, json, &arena, NULL, &error));
    assert_str(
        google_protobuf_Value_string_or(google_protobuf_Struct_get(&back, "name"), connect_str_of("?")), "boiler");
    assert_str(google_protobuf_Value_string_or(google_protobuf_Struct_get(&back, "none"), connect_str_of("?")), "?");
    assert_true(google_protobuf_Value_bool_or(
        google_protobuf_Struct_get(
            google_protobuf_Value_struct_or_null(google_protobuf_Struct_get(&back, "inner")), "on"),
        false));
    read = google_protobuf_Value_list_or_null(google_protobuf_Struct_get(&back, "list"));
    assert_non_null(read);
    assert_int_equal(read->values.count, 2);
    assert_true(google_protobuf_Value_number_or(&read->values.items[0], 0) == 1.5);
    assert_true(google_protobuf_Value_number_or(&read->values.items[1], -1) == -1);
    assert_true(google_protobuf_Value_is_null(&read->values.items[1]));
    assert_false(google_protobuf_Value_is_null(&read->values.items[0]));
    assert_false(google_protobuf_Value_is_null(NULL));
    assert_null(google_protobuf_Value_struct_or_null(&read->values.items[0]));
    assert_null(google_protobuf_Value_list_or_null(NULL));
    assert_null(google_protobuf_Struct_get(NULL, "a"));
    assert_false(google_protobuf_Value_bool_or(NULL, false));
    connect_arena_init(&full, small, sizeof small, NULL);
    assert_false(google_protobuf_Struct_set(&object, "more", google_protobuf_Value_of_null(), &full));
    assert_false(google_protobuf_ListValue_append(&list, google_protobuf_Value_of_null(), &full));
    assert_int_equal(object.fields.count, 3);
    assert_int_equal(list.values.count, 2);
}

static void test_wrappers(void **state) {
    google_protobuf_Int32Value seven = google_protobuf_Int32Value_of(7);
    google_protobuf_StringValue text = google_protobuf_StringValue_of(connect_str_of("x"));
    (void)state;
    assert_int_equal(google_protobuf_Int32Value_or(&seven, 1), 7);
    assert_int_equal(google_protobuf_Int32Value_or(NULL, 1), 1);
    assert_str(google_protobuf_StringValue_or(&text, connect_str_of("")), "x");
    assert_true(google_protobuf_BoolValue_or(NULL, true));
    assert_true(google_protobuf_DoubleValue_or(NULL, 2.5) == 2.5);
}

/* ---- Field masks ---- */

static google_protobuf_FieldMask mask_of(const char *paths) {
    google_protobuf_FieldMask mask;
    connect_str_t json = connect_arena_printf(&arena, "\"%s\"", paths);
    assert_true(connect_message_decode_json(&google_protobuf_FieldMask_type, &mask, json, &arena, NULL, NULL));
    return mask;
}

static void test_mask_has(void **state) {
    google_protobuf_FieldMask mask = mask_of("aString,kinds.aBool,lists"), empty = CONNECT_DEFAULTS;
    (void)state;
    assert_true(google_protobuf_FieldMask_has(&mask, "a_string"));
    assert_true(google_protobuf_FieldMask_has(&mask, "kinds.a_bool"));
    assert_true(google_protobuf_FieldMask_has(&mask, "lists.bools"));
    assert_false(google_protobuf_FieldMask_has(&mask, "kinds"));
    assert_false(google_protobuf_FieldMask_has(&mask, "a_string2"));
    assert_false(google_protobuf_FieldMask_has(&mask, "a_strin"));
    assert_false(google_protobuf_FieldMask_has(&mask, ""));
    assert_false(google_protobuf_FieldMask_has(&empty, "a"));
}

static void test_mask_check(void **state) {
    static const char *const bad[] = {"", ".", "a_bool.", ".a_bool", "none", "a_bool.x", "lists.choices.number",
        "maps.by_int32.key", "kinds..a_bool", "kinds.none"};
    connect_str_t path = connect_str_of("kinds.kinds.lists.choices");
    google_protobuf_FieldMask mask = CONNECT_DEFAULTS;
    connect_error_t error = CONNECT_DEFAULTS;
    size_t i;
    (void)state;
    mask.paths.items = &path;
    mask.paths.count = 1;
    assert_true(google_protobuf_FieldMask_check(&mask, &test_kinds_Kinds_type, &arena, &error));
    for (i = 0; i < sizeof bad / sizeof *bad; i++) {
        path = connect_str_of(bad[i]);
        assert_false(google_protobuf_FieldMask_check(&mask, &test_kinds_Kinds_type, &arena, &error));
        assert_int_equal(error.code, CONNECT_INVALID_ARGUMENT);
        assert_str(error.message, connect_arena_printf(&arena, "\"%s\" is no field of test.kinds.Kinds", bad[i]).data);
    }
}

static void check_copy(const char *paths, const char *to_json, const char *from_json, const char *expected) {
    google_protobuf_FieldMask mask = mask_of(paths);
    test_kinds_Kinds to, from;
    connect_error_t error = CONNECT_DEFAULTS;
    connect_str_t json;
    assert_true(
        connect_message_decode_json(&test_kinds_Kinds_type, &to, connect_str_of(to_json), &arena, NULL, &error));
    assert_true(
        connect_message_decode_json(&test_kinds_Kinds_type, &from, connect_str_of(from_json), &arena, NULL, &error));
    if (!google_protobuf_FieldMask_copy(&mask, &test_kinds_Kinds_type, &to, &from, &arena, &error))
        fail_msg("%s", error.message.data);
    json = connect_message_encode_json(&test_kinds_Kinds_type, &to, &arena, NULL, &error);
    assert_str(json, expected);
}

static void test_mask_copy(void **state) {
    connect_error_t error = CONNECT_DEFAULTS;
    google_protobuf_FieldMask mask = mask_of("aBool,none");
    test_kinds_Kinds to = CONNECT_DEFAULTS, from = CONNECT_DEFAULTS, sub = CONNECT_DEFAULTS;
    char bytes[3000];
    size_t room;
    (void)state;
    check_copy("", "{\"aBool\":true}", "{\"aString\":\"x\"}", "{\"aBool\":true}");
    check_copy("aString", "{\"aBool\":true,\"aString\":\"old\"}", "{\"aString\":\"new\"}",
        "{\"aBool\":true,\"aString\":\"new\"}");
    check_copy("aString", "{\"aBool\":true,\"aString\":\"old\"}", "{}", "{\"aBool\":true}");
    check_copy("kinds.aBool,kinds.aString", "{\"kinds\":{\"anInt32\":1,\"aBool\":true}}",
        "{\"kinds\":{\"aString\":\"s\",\"anInt32\":2}}", "{\"kinds\":{\"anInt32\":1,\"aString\":\"s\"}}");
    check_copy(
        "kinds", "{\"kinds\":{\"anInt32\":1}}", "{\"kinds\":{\"aString\":\"s\"}}", "{\"kinds\":{\"aString\":\"s\"}}");
    check_copy("kinds.kinds.aBool", "{}", "{}", "{}");
    check_copy("kinds.aBool", "{\"kinds\":{\"aBool\":true}}", "{}", "{\"kinds\":{}}");
    check_copy("kinds.aBool", "{}", "{\"kinds\":{\"aBool\":true,\"aString\":\"s\"}}", "{\"kinds\":{\"aBool\":true}}");
    check_copy("lists.strings,maps.byString", "{\"lists\":{\"strings\":[\"a\"],\"int32s\":[1]}}",
        "{\"lists\":{\"strings\":[\"b\",\"c\"]},\"maps\":{\"byString\":{\"k\":\"v\"}}}",
        "{\"lists\":{\"int32s\":[1],\"strings\":[\"b\",\"c\"]},\"maps\":{\"byString\":{\"k\":\"v\"}}}");
    check_copy(
        "choice.text", "{\"choice\":{\"number\":1}}", "{\"choice\":{\"text\":\"t\"}}", "{\"choice\":{\"text\":\"t\"}}");
    check_copy(
        "choice.text", "{\"choice\":{\"number\":1}}", "{\"choice\":{\"ratio\":2}}", "{\"choice\":{\"number\":1}}");
    from.a_bool = true;
    assert_false(google_protobuf_FieldMask_copy(&mask, &test_kinds_Kinds_type, &to, &from, &arena, &error));
    assert_str(error.message, "\"none\" is no field of test.kinds.Kinds");
    assert_false(to.a_bool);
    /* What `from` holds is copied, and what `to` points to is not written to. */
    sub.an_int32 = 1;
    to.kinds = &sub;
    from.kinds = &sub;
    sub.a_string = connect_str_of("s");
    mask = mask_of("kinds.aString");
    assert_true(google_protobuf_FieldMask_copy(&mask, &test_kinds_Kinds_type, &to, &from, &arena, &error));
    assert_ptr_not_equal(to.kinds, &sub);
    assert_ptr_not_equal(to.kinds->a_string.data, sub.a_string.data);
    assert_int_equal(to.kinds->an_int32, 1);
    for (room = 0;; room += 16) { /* an arena that is too small fails, and says so */
        connect_arena_t small;
        assert_true(room < sizeof bytes);
        connect_arena_init(&small, bytes, room, NULL);
        to.kinds = NULL;
        if (google_protobuf_FieldMask_copy(&mask, &test_kinds_Kinds_type, &to, &from, &small, &error)) break;
        assert_int_equal(error.code, CONNECT_RESOURCE_EXHAUSTED);
    }
    assert_true(room > 0);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_timestamp, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_duration, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_any, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_struct, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_wrappers, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_mask_has, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_mask_check, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_mask_copy, set_up, tear_down),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
