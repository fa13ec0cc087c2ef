/* Messages as JSON: golden texts for every kind and every well-known type, what is refused and how it is said, limits,
   cuts, random bytes, allocations. */
#define CONNECT_IMPLEMENTATION
#include "connect.h"
#include "support.h"
#include "alltypes.h"

/* Private macros end with connect.h; these are used here, too. */
#define CN_LEN(array) (sizeof(array) / sizeof *(array))
#define CN_STR(literal) ((connect_str_t){(literal), sizeof(literal) - 1})
#define CN_WKT_ROOM 40

/* ---- The well-known types, and a message that holds one of each: tables in the shape of the generator's ---- */

typedef struct wkt_any {
    connect_str_t type_url, value;
} wkt_any;
typedef struct wkt_time {
    int64_t seconds;
    int32_t nanos;
} wkt_time;
typedef struct wkt_mask {
    connect_str_list_t paths;
} wkt_mask;
typedef struct wkt_value wkt_value;
typedef struct wkt_struct_entry {
    connect_str_t key;
    const wkt_value *value;
} wkt_struct_entry;
typedef struct wkt_struct {
    struct {
        const wkt_struct_entry *items;
        size_t count;
    } fields;
} wkt_struct;
typedef struct wkt_list {
    struct {
        const wkt_value *items;
        size_t count;
    } values;
} wkt_list;
struct wkt_value {
    int32_t kind_case;
    union {
        int32_t null_value;
        double number_value;
        connect_str_t string_value;
        bool bool_value;
        const wkt_struct *struct_value;
        const wkt_list *list_value;
    } kind;
};
typedef struct wkt_int32 {
    int32_t value;
} wkt_int32;
typedef struct wkt_int64 {
    int64_t value;
} wkt_int64;
typedef struct wkt_double {
    double value;
} wkt_double;
typedef struct wkt_string {
    connect_str_t value;
} wkt_string;
typedef struct wkt_bytes {
    connect_str_t value;
} wkt_bytes;
typedef struct wkt_bool {
    bool value;
} wkt_bool;
typedef struct wkt_empty {
    connect_str_list_t unknown_fields;
} wkt_empty;

static const connect_field_t wkt_any_fields[] = {
    {1, offsetof(wkt_any, type_url), 0, 0, 9, 0, CONNECT_KIND_STRING, CONNECT_FIELD_UTF8},
    {2, offsetof(wkt_any, value), 0, 17, 17, 0, CONNECT_KIND_BYTES, 0}};
static const connect_type_t wkt_any_type = {.full_name = "google.protobuf.Any",
    .fields = wkt_any_fields,
    .field_count = 2,
    .dense = 2,
    .names = "type_url\0typeUrl\0value",
    .size = sizeof(wkt_any),
    .form = CONNECT_FORM_ANY};
static const connect_field_t wkt_time_fields[] = {{1, offsetof(wkt_time, seconds), 0, 0, 0, 0, CONNECT_KIND_INT64, 0},
    {2, offsetof(wkt_time, nanos), 0, 8, 8, 0, CONNECT_KIND_INT32, 0}};
static const connect_type_t wkt_timestamp_type = {.full_name = "google.protobuf.Timestamp",
    .fields = wkt_time_fields,
    .field_count = 2,
    .dense = 2,
    .names = "seconds\0nanos",
    .size = sizeof(wkt_time),
    .form = CONNECT_FORM_TIMESTAMP};
static const connect_type_t wkt_duration_type = {.full_name = "google.protobuf.Duration",
    .fields = wkt_time_fields,
    .field_count = 2,
    .dense = 2,
    .names = "seconds\0nanos",
    .size = sizeof(wkt_time),
    .form = CONNECT_FORM_DURATION};
static const connect_field_t wkt_mask_fields[] = {
    {1, offsetof(wkt_mask, paths), 0, 0, 0, 0, CONNECT_KIND_STRING, CONNECT_FIELD_REPEATED | CONNECT_FIELD_UTF8}};
static const connect_type_t wkt_mask_type = {.full_name = "google.protobuf.FieldMask",
    .fields = wkt_mask_fields,
    .field_count = 1,
    .dense = 1,
    .names = "paths",
    .size = sizeof(wkt_mask),
    .form = CONNECT_FORM_FIELD_MASK};
static const connect_enum_value_t wkt_null_values[] = {{0, 0}};
static const connect_enum_t wkt_null_enum = {"google.protobuf.NullValue", wkt_null_values, "NULL_VALUE", 1, false};
static const connect_enum_t *const wkt_value_enums[] = {&wkt_null_enum};
static const connect_type_t wkt_struct_type, wkt_list_type, wkt_value_type;
static const connect_type_t *const wkt_value_types[] = {&wkt_struct_type, &wkt_list_type};
#define WKT_KIND(member) offsetof(wkt_value, kind.member), offsetof(wkt_value, kind_case)
static const connect_field_t wkt_value_fields[] = {
    {1, WKT_KIND(null_value), 0, 11, 0, CONNECT_KIND_ENUM, CONNECT_FIELD_ONEOF},
    {2, WKT_KIND(number_value), 21, 34, 0, CONNECT_KIND_DOUBLE, CONNECT_FIELD_ONEOF},
    {3, WKT_KIND(string_value), 46, 59, 0, CONNECT_KIND_STRING, CONNECT_FIELD_ONEOF | CONNECT_FIELD_UTF8},
    {4, WKT_KIND(bool_value), 71, 82, 0, CONNECT_KIND_BOOL, CONNECT_FIELD_ONEOF},
    {5, WKT_KIND(struct_value), 92, 105, 0, CONNECT_KIND_MESSAGE, CONNECT_FIELD_ONEOF},
    {6, WKT_KIND(list_value), 117, 128, 1, CONNECT_KIND_MESSAGE, CONNECT_FIELD_ONEOF}};
static const connect_type_t wkt_value_type = {.full_name = "google.protobuf.Value",
    .fields = wkt_value_fields,
    .field_count = 6,
    .dense = 6,
    .types = wkt_value_types,
    .enums = wkt_value_enums,
    .size = sizeof(wkt_value),
    .names = "null_value\0nullValue\0number_value\0numberValue\0string_value\0stringValue\0bool_value\0boolValue\0"
             "struct_value\0structValue\0list_value\0listValue",
    .form = CONNECT_FORM_VALUE};
static const connect_type_t *const wkt_entry_types[] = {&wkt_value_type};
static const connect_field_t wkt_struct_entry_fields[] = {
    {1, offsetof(wkt_struct_entry, key), 0, 0, 0, 0, CONNECT_KIND_STRING, CONNECT_FIELD_UTF8},
    {2, offsetof(wkt_struct_entry, value), 0, 4, 4, 0, CONNECT_KIND_MESSAGE, 0}};
static const connect_type_t wkt_struct_entry_type = {.full_name = "google.protobuf.Struct.FieldsEntry",
    .fields = wkt_struct_entry_fields,
    .field_count = 2,
    .dense = 2,
    .types = wkt_entry_types,
    .names = "key\0value",
    .size = sizeof(wkt_struct_entry),
    .is_map_entry = true};
static const connect_type_t *const wkt_struct_types[] = {&wkt_struct_entry_type};
static const connect_field_t wkt_struct_fields[] = {
    {1, offsetof(wkt_struct, fields), 0, 0, 0, 0, CONNECT_KIND_MESSAGE, CONNECT_FIELD_REPEATED | CONNECT_FIELD_MAP}};
static const connect_type_t wkt_struct_type = {.full_name = "google.protobuf.Struct",
    .fields = wkt_struct_fields,
    .field_count = 1,
    .dense = 1,
    .types = wkt_struct_types,
    .names = "fields",
    .size = sizeof(wkt_struct),
    .form = CONNECT_FORM_STRUCT};
static const connect_field_t wkt_list_fields[] = {
    {1, offsetof(wkt_list, values), 0, 0, 0, 0, CONNECT_KIND_MESSAGE, CONNECT_FIELD_REPEATED}};
static const connect_type_t wkt_list_type = {.full_name = "google.protobuf.ListValue",
    .fields = wkt_list_fields,
    .field_count = 1,
    .dense = 1,
    .types = wkt_entry_types,
    .names = "values",
    .size = sizeof(wkt_list),
    .form = CONNECT_FORM_LIST};
#define WKT_WRAPPER(name, Name, KIND) \
    static const connect_field_t wkt_##name##_fields[] = { \
        {1, offsetof(wkt_##name, value), 0, 0, 0, 0, CONNECT_KIND_##KIND, 0}}; \
    static const connect_type_t wkt_##name##_type = {.full_name = "google.protobuf." #Name "Value", \
        .fields = wkt_##name##_fields, \
        .field_count = 1, \
        .dense = 1, \
        .names = "value", \
        .size = sizeof(wkt_##name), \
        .form = CONNECT_FORM_WRAPPER};
WKT_WRAPPER(int32, Int32, INT32)
WKT_WRAPPER(int64, Int64, INT64)
WKT_WRAPPER(double, Double, DOUBLE)
WKT_WRAPPER(string, String, STRING)
WKT_WRAPPER(bytes, Bytes, BYTES)
WKT_WRAPPER(bool, Bool, BOOL)
static const connect_type_t wkt_empty_type = {.full_name = "google.protobuf.Empty",
    .names = "",
    .size = sizeof(wkt_empty),
    .keeps_unknown = true,
    .unknown = offsetof(wkt_empty, unknown_fields),
    .form = CONNECT_FORM_EMPTY};

/* message Known { Any any = 1; Timestamp timestamp = 2; ... repeated ... }: X(number, name, Name, type index) */
#define KNOWN_SINGLE(X) \
    X(1, any, wkt_any) \
    X(2, timestamp, wkt_time) \
    X(3, duration, wkt_time) \
    X(4, mask, wkt_mask) \
    X(5, structure, wkt_struct) X(6, value, wkt_value) X(7, list, wkt_list) X(8, int32, wkt_int32) \
        X(9, int64, wkt_int64) X(10, double, wkt_double) X(11, string, wkt_string) X(12, bytes, wkt_bytes) \
            X(13, bool, wkt_bool) X(14, empty, wkt_empty)
typedef struct known {
#define KNOWN_MEMBER(number, name, ctype) const ctype *a_##name;
    KNOWN_SINGLE(KNOWN_MEMBER)
#undef KNOWN_MEMBER
    struct {
        const wkt_value *items;
        size_t count;
    } values;
    struct {
        const wkt_time *items;
        size_t count;
    } timestamps;
    struct {
        const wkt_struct_entry *items;
        size_t count;
    } by_name;
    int32_t null_value;
    bool has_null_value;
    struct {
        const int32_t *items;
        size_t count;
    } nulls;
} known;
static const connect_type_t *const known_types[] = {&wkt_any_type, &wkt_timestamp_type, &wkt_duration_type,
    &wkt_mask_type, &wkt_struct_type, &wkt_value_type, &wkt_list_type, &wkt_int32_type, &wkt_int64_type,
    &wkt_double_type, &wkt_string_type, &wkt_bytes_type, &wkt_bool_type, &wkt_empty_type, &wkt_struct_entry_type};
typedef struct known_names {
#define KNOWN_NAME(number, name, ctype) char a_##name[sizeof #name];
    KNOWN_SINGLE(KNOWN_NAME)
#undef KNOWN_NAME
    char values[7], timestamps[11], by_name[8], json_by_name[7], null_value[11], json_null_value[10], nulls[6];
} known_names;
static const known_names known_names_all = {
#define KNOWN_NAME(number, name, ctype) #name,
    KNOWN_SINGLE(KNOWN_NAME)
#undef KNOWN_NAME
        "values",
    "timestamps", "by_name", "byName", "null_value", "nullValue", "nulls"};
#define KNOWN_TEXT(name) (uint16_t) offsetof(known_names, name)
static const connect_field_t known_fields[] = {
#define KNOWN_FIELD(number, name, ctype) \
    {number, offsetof(known, a_##name), 0, KNOWN_TEXT(a_##name), KNOWN_TEXT(a_##name), number - 1, \
        CONNECT_KIND_MESSAGE, CONNECT_FIELD_NULLABLE},
    KNOWN_SINGLE(KNOWN_FIELD)
#undef KNOWN_FIELD
        {15, offsetof(known, values), 0, KNOWN_TEXT(values), KNOWN_TEXT(values), 5, CONNECT_KIND_MESSAGE,
            CONNECT_FIELD_REPEATED},
    {16, offsetof(known, timestamps), 0, KNOWN_TEXT(timestamps), KNOWN_TEXT(timestamps), 1, CONNECT_KIND_MESSAGE,
        CONNECT_FIELD_REPEATED},
    {17, offsetof(known, by_name), 0, KNOWN_TEXT(by_name), KNOWN_TEXT(json_by_name), 14, CONNECT_KIND_MESSAGE,
        CONNECT_FIELD_REPEATED | CONNECT_FIELD_MAP},
    {18, offsetof(known, null_value), offsetof(known, has_null_value), KNOWN_TEXT(null_value),
        KNOWN_TEXT(json_null_value), 0, CONNECT_KIND_ENUM, CONNECT_FIELD_HAS},
    {19, offsetof(known, nulls), 0, KNOWN_TEXT(nulls), KNOWN_TEXT(nulls), 0, CONNECT_KIND_ENUM,
        CONNECT_FIELD_REPEATED}};
static const connect_type_t known_type = {.full_name = "test.Known",
    .fields = known_fields,
    .field_count = 19,
    .dense = 19,
    .types = known_types,
    .enums = wkt_value_enums,
    .names = (const char *)&known_names_all,
    .size = sizeof(known)};
static const connect_type_t *const known_file_types[] = {&wkt_any_type, &wkt_timestamp_type, &wkt_duration_type,
    &wkt_mask_type, &wkt_struct_type, &wkt_value_type, &wkt_list_type, &wkt_int32_type, &wkt_int64_type,
    &wkt_double_type, &wkt_string_type, &wkt_bytes_type, &wkt_bool_type, &wkt_empty_type, &wkt_struct_entry_type,
    &known_type, &all_types_type, &all_small_type, &all_needy_type};
static const connect_file_t known_file = {
    .name = "test/known.proto", .types = {known_file_types, sizeof known_file_types / sizeof *known_file_types}};
static const connect_file_t *const known_files[] = {&known_file};
static const connect_schema_t known_schema = {known_files, 1};

/* ---- Helpers ---- */

static connect_codec_options_t with_schema(void) {
    connect_codec_options_t options = CONNECT_DEFAULTS;
    options.schema = known_schema;
    return options;
}

typedef union any_message {
    all_types all;
    all_small small;
    all_needy needy;
    known known;
    wkt_value value;
} any_message;

/* Decodes a text that ends at a guard page; the views of it are copied, since it is gone afterwards. */
static bool decode(const connect_type_t *type, void *message, const char *text, connect_arena_t *arena,
    const connect_codec_options_t *options_or_null, connect_error_t *error) {
    connect_codec_options_t options = with_schema();
    guarded input = guarded_copy(text, strlen(text), 0);
    bool ok;
    if (options_or_null) options = *options_or_null;
    options.copy = true;
    ok = cn_pbjson_decode(type, message, cn_str(input.data, input.len), arena, &options, error);
    guarded_free(&input);
    return ok;
}

/* text is read, and written as `expected`. */
static void check_with(
    const connect_type_t *type, const char *text, const char *expected, const connect_codec_options_t *options) {
    connect_arena_t arena = CONNECT_DEFAULTS;
    connect_error_t error;
    any_message message;
    connect_str_t json;
    if (!decode(type, &message, text, &arena, options, &error)) fail_msg("%s: %s", text, error.message.data);
    json = connect_message_encode_json(type, &message, &arena, options, &error);
    if (!json.data) fail_msg("%s: %s", text, error.message.data);
    assert_str(json, expected);
    assert_int_equal(json.data[json.len], 0);
    connect_arena_free(&arena);
}
static void check(const connect_type_t *type, const char *text, const char *expected) {
    connect_codec_options_t options = with_schema();
    check_with(type, text, expected, &options);
}
/* As written, so read and written again. */
static void check_same(const connect_type_t *type, const char *text) {
    check(type, text, text);
}

static void check_refused_with(const connect_type_t *type, const char *text, connect_code_t code,
    const char *expected_or_null, const connect_codec_options_t *options) {
    connect_arena_t arena = CONNECT_DEFAULTS;
    connect_error_t error;
    any_message message;
    if (decode(type, &message, text, &arena, options, &error)) fail_msg("accepted: %s", text);
    assert_int_equal(error.code, code);
    if (expected_or_null) assert_str(error.message, expected_or_null);
    connect_arena_free(&arena);
}
static void check_refused(const connect_type_t *type, const char *text, const char *expected_or_null) {
    connect_codec_options_t options = with_schema();
    check_refused_with(type, text, CONNECT_INVALID_ARGUMENT, expected_or_null, &options);
}

/* ---- Every kind ---- */

static void test_golden(void **state) {
    static const char text[] =
        "{\"singleDouble\":1.5,\"singleFloat\":0.1,\"singleInt64\":\"-9223372036854775808\","
        "\"singleUint64\":\"18446744073709551615\",\"singleInt32\":-2147483648,\"singleFixed64\":\"7\","
        "\"singleFixed32\":4294967295,\"singleBool\":true,\"singleUint32\":1,\"singleEnum\":\"ONE\","
        "\"singleSfixed32\":-1,\"singleSfixed64\":\"-1\",\"singleSint32\":2147483647,"
        "\"singleSint64\":\"9223372036854775807\",\"singleString\":\"a\\\"b\\u0001\xC3\xA9\",\"singleBytes\":\"/+8=\","
        "\"singleMessage\":{\"singleInt32\":1},\"singleGroup\":{\"id\":2,\"name\":\"n\"},"
        "\"optionalDouble\":0,\"optionalInt64\":\"0\",\"optionalBool\":false,\"optionalEnum\":\"ZERO\","
        "\"optionalString\":\"\",\"optionalBytes\":\"\",\"repeatedDouble\":[1,-0.0,1e+100,\"NaN\",\"Infinity\",\"-"
        "Infinity\"],"
        "\"repeatedInt64\":[\"1\",\"2\",\"3\",\"4\",\"5\",\"6\",\"7\",\"8\",\"9\"],\"repeatedBool\":[true,false],"
        "\"repeatedEnum\":[\"NEGATIVE\",\"ZERO\",5],\"repeatedString\":[\"\",\"x\"],\"repeatedBytes\":[\"\",\"AA==\"],"
        "\"repeatedMessage\":[{\"id\":1},{},{\"name\":\"three\"}],\"packedFloat\":[1,2.5],\"packedUint32\":[1,2,3],"
        "\"choiceMessage\":{\"id\":-1},"
        "\"mapInt32Int32\":{\"-1\":1,\"2\":0},\"mapStringString\":{\"\":\"\",\"k\":\"v\"},"
        "\"mapStringMessage\":{\"m\":{\"id\":9},\"n\":{}},\"mapUint64Bytes\":{\"18446744073709551615\":\"AAE=\"},"
        "\"mapBoolDouble\":{\"false\":0.5,\"true\":\"NaN\"},\"mapSint64Enum\":{\"-5\":\"TWO\",\"5\":77},"
        "\"mapSfixed32Closed\":{\"7\":\"GREEN\"},\"mapFixed32Float\":{\"0\":0.25},"
        "\"closed\":\"BLUE\",\"repeatedClosed\":[\"RED\"],\"child\":{\"child\":{}},\"children\":[{},{\"last\":1}],"
        "\"last\":-7}";
    (void)state;
    check_same(&all_types_type, text);
    check_same(&all_types_type, "{}");
    check(&all_types_type, " \n{ } \t", "{}");
}

static void test_full_message_both_ways(void **state) {
    connect_arena_t arena = CONNECT_DEFAULTS;
    connect_codec_options_t options = CONNECT_DEFAULTS;
    connect_error_t error;
    int variant;
    (void)state;
    for (variant = 0; variant < 32; variant++) {
        all_types full = all_types_full(&arena), read;
        connect_str_t json;
        memset(&full.unknown_fields, 0, sizeof full.unknown_fields); /* JSON has none */
        options.json_pretty = variant & 1;
        options.json_defaults = (variant & 2) != 0;
        options.json_proto_names = (variant & 4) != 0;
        options.json_enum_numbers = (variant & 8) != 0;
        options.deterministic = (variant & 16) != 0;
        options.json_strict = true;
        json = connect_message_encode_json(&all_types_type, &full, &arena, &options, &error);
        if (!json.data) fail_msg("%s", error.message.data);
        if (!connect_message_decode_json(&all_types_type, &read, json, &arena, &options, &error))
            fail_msg("%s", error.message.data);
        assert_true(connect_message_equal(&all_types_type, &full, &read));
        connect_arena_reset(&arena);
    }
    connect_arena_free(&arena);
}

static void test_other_spellings(void **state) {
    (void)state;
    check(&all_types_type, "{\"single_int32\":1,\"repeated_string\":[\"a\"]}",
        "{\"singleInt32\":1,\"repeatedString\":[\"a\"]}");
    check(&all_types_type, "{\"last\":3,\"singleDouble\":2,\"closed\":2,\"singleInt32\":\"1e1\"}", /* any order */
        "{\"singleDouble\":2,\"singleInt32\":10,\"closed\":\"BLUE\",\"last\":3}");
    check(&all_types_type, "{\"singleInt64\":5,\"singleUint64\":18446744073709551615,\"singleInt32\":\"-3\"}",
        "{\"singleInt64\":\"5\",\"singleUint64\":\"18446744073709551615\",\"singleInt32\":-3}");
    check(&all_types_type, "{\"singleInt32\":1.0,\"singleUint32\":1.5e1,\"singleInt64\":\"-100e-2\"}",
        "{\"singleInt64\":\"-1\",\"singleInt32\":1,\"singleUint32\":15}");
    check(&all_types_type, "{\"singleDouble\":\"1.5\",\"singleFloat\":\"-Infinity\"}",
        "{\"singleDouble\":1.5,\"singleFloat\":\"-Infinity\"}");
    check(&all_types_type, "{\"singleDouble\":1e-400,\"singleFloat\":3.4028235e38}", "{\"singleFloat\":3.4028235e+38}");
    check(&all_types_type, "{\"singleDouble\":-0}", "{\"singleDouble\":-0.0}");
    check(&all_types_type, "{\"singleBytes\":\"-_8\"}", "{\"singleBytes\":\"+/8=\"}");
    check(&all_types_type, "{\"singleBytes\":\"+/8=\"}", "{\"singleBytes\":\"+/8=\"}");
    check(&all_types_type, "{\"singleEnum\":100,\"optionalEnum\":\"UNO_\"}",
        "{\"singleEnum\":\"HUNDRED\",\"optionalEnum\":\"ONE\"}");
    check(&all_types_type, "{\"singleEnum\":-77}", "{\"singleEnum\":-77}");
    check(&all_types_type, "{\"\\u0073ingleInt32\":1,\"singleString\":\"\\ud83d\\ude00\"}",
        "{\"singleInt32\":1,\"singleString\":\"\xF0\x9F\x98\x80\"}");
    check(&all_types_type, "{\"mapInt32Int32\":{\"1e0\":1}}", "{\"mapInt32Int32\":{\"1\":1}}");
}

static void test_null(void **state) {
    (void)state;
    check(&all_types_type,
        "{\"singleInt32\":null,\"singleMessage\":null,\"repeatedInt32\":null,\"mapInt32Int32\":null,\"optionalBool\":"
        "null,"
        "\"choiceString\":null,\"choiceInt32\":5,\"singleString\":null,\"closed\":null}",
        "{\"choiceInt32\":5}");
    check(&all_types_type, "{\"choiceInt32\":5,\"choiceString\":null}", "{\"choiceInt32\":5}");
    check_refused(
        &all_types_type, "{\"repeatedInt32\":[1,null]}", "line 1, column 21: repeated_int32[1]: null in a list");
    check_refused(&all_types_type, "{\"repeatedMessage\":[null]}", NULL);
    check_refused(&all_types_type, "{\"mapInt32Int32\":{\"1\":null}}",
        "line 1, column 23: map_int32_int32[\"1\"]: null in a map");
    check_refused(&all_types_type, "null", "line 1, column 1: expected an object");
    check(&known_type,
        "{\"any\":null,\"timestamp\":null,\"structure\":null,\"list\":null,\"int32\":null,\"empty\":null}", "{}");
    check_same(&known_type, "{\"value\":null}");
    check_same(&known_type, "{\"values\":[null,1,null],\"byName\":{\"a\":null}}");
    check_same(&known_type, "{\"nullValue\":null,\"nulls\":[null,null]}");
    check(&known_type, "{\"nullValue\":\"NULL_VALUE\",\"nulls\":[0,\"NULL_VALUE\"]}",
        "{\"nullValue\":null,\"nulls\":[null,null]}");
    check_same(&known_type, "{\"nullValue\":5,\"nulls\":[null,-1]}"); /* an open enum: no number is lost */
    check(&known_type, "{\"values\":null,\"nulls\":null,\"byName\":null}", "{}");
    check_refused(&known_type, "{\"timestamps\":[null]}", NULL);
}

static void test_refused_values(void **state) {
    static const char *const bad[] = {"{\"singleInt32\":2147483648}", "{\"singleInt32\":-2147483649}",
        "{\"singleUint32\":4294967296}", "{\"singleUint32\":-1}", "{\"singleInt64\":9223372036854775808}",
        "{\"singleInt64\":\"-9223372036854775809\"}", "{\"singleUint64\":18446744073709551616}",
        "{\"singleUint64\":\"-1\"}", "{\"singleInt32\":0.5}", "{\"singleInt32\":\"\"}", "{\"singleInt32\":\" 1\"}",
        "{\"singleInt32\":\"1 \"}", "{\"singleInt32\":\"0x1\"}", "{\"singleInt32\":\"01\"}", "{\"singleInt32\":true}",
        "{\"singleInt32\":[1]}", "{\"singleInt32\":{}}", "{\"singleBool\":\"true\"}", "{\"singleBool\":1}",
        "{\"singleBool\":TRUE}", "{\"singleFloat\":3.5e38}", "{\"singleFloat\":-3.5e38}", "{\"singleDouble\":1.8e308}",
        "{\"singleDouble\":\"nan\"}", "{\"singleDouble\":\"inf\"}", "{\"singleDouble\":NaN}", "{\"singleDouble\":true}",
        "{\"singleString\":1}", "{\"singleString\":[]}", "{\"singleString\":\"\\uD800\"}",
        "{\"singleString\":\"\x80\"}", "{\"singleBytes\":\"-_\\u003D\"}", "{\"singleBytes\":\"A\"}",
        "{\"singleBytes\":\"A*==\"}", "{\"singleBytes\":1}", "{\"singleEnum\":1.5}", "{\"singleEnum\":2147483648}",
        "{\"singleEnum\":true}", "{\"singleMessage\":[]}", "{\"singleMessage\":1}", "{\"singleMessage\":\"\"}",
        "{\"repeatedInt32\":1}", "{\"repeatedInt32\":{}}", "{\"repeatedInt32\":[\"a\"]}", "{\"repeatedInt32\":[[1]]}",
        "{\"mapInt32Int32\":[]}", "{\"mapInt32Int32\":1}", "{\"mapInt32Int32\":{\"a\":1}}",
        "{\"mapInt32Int32\":{\"1\":\"a\"}}", "{\"mapInt32Int32\":{\"2147483648\":1}}",
        "{\"mapBoolDouble\":{\"TRUE\":1}}", "{\"mapBoolDouble\":{\"1\":1}}", "{\"mapStringString\":{\"a\":1}}", "[]",
        "1", "\"\"", "true", "{\"singleInt32\":1}}", "{\"singleInt32\":1},", "{singleInt32:1}", "{'singleInt32':1}",
        "{\"singleInt32\":1,}", "{\"singleInt32\":1 \"last\":2}", ""};
    size_t i;
    (void)state;
    for (i = 0; i < CN_LEN(bad); i++)
        check_refused(&all_types_type, bad[i], NULL);
}

static void test_twice(void **state) {
    (void)state;
    check_refused(&all_types_type, "{\"last\":1,\"last\":1}", "line 1, column 11: last: a field that stands twice");
    check_refused(&all_types_type, "{\"singleInt32\":1,\"single_int32\":1}",
        "line 1, column 18: single_int32: a field that stands twice");
    check_refused(&all_types_type, "{\"last\":null,\"last\":1}", NULL);
    check_refused(&all_types_type, "{\"choiceInt32\":0,\"choiceString\":\"\"}",
        "line 1, column 33: choice_string: another member of the oneof is set already");
    check_refused(&all_types_type, "{\"choiceMessage\":{},\"choiceMessage\":{}}", NULL);
    check_refused(&all_types_type, "{\"repeatedInt32\":[1],\"repeatedInt32\":[2]}", NULL);
    check_refused(&all_types_type, "{\"mapStringString\":{\"b\":\"1\",\"a\":\"2\",\"b\":\"3\"}}",
        "line 1, column 44: map_string_string: a key that stands twice");
    check_refused(&all_types_type, "{\"mapInt32Int32\":{\"1\":1,\"1.0\":1}}", NULL);
    check_refused(&all_types_type, "{\"mapBoolDouble\":{\"true\":1,\"true\":1}}", NULL);
}

/* Maps of many keys: without order, and with one twice at any place. */
static void test_many_keys(void **state) {
    char *text = (char *)malloc(100000);
    connect_arena_t arena = CONNECT_DEFAULTS;
    connect_codec_options_t options = CONNECT_DEFAULTS;
    connect_error_t error;
    int count, twice, i;
    (void)state;
    assert_non_null(text);
    for (count = 1; count < 200; count = count * 3 / 2 + 1)
        for (twice = -1; twice < count; twice++) {
            all_types message;
            char *at = text + sprintf(text, "{\"mapInt32Int32\":{");
            for (i = 0; i < count; i++) /* 37 * i mod 1009: all different */
                at += sprintf(at, "%s\"%d\":%d", i ? "," : "", 37 * i % 1009 - 500, i);
            if (twice >= 0) at += sprintf(at, ",\"%d\":0", 37 * twice % 1009 - 500);
            sprintf(at, "}}");
            assert_int_equal(decode(&all_types_type, &message, text, &arena, NULL, &error), twice < 0);
            if (twice < 0) {
                connect_str_t json, again;
                all_types back;
                assert_int_equal(message.map_int32_int32.count, count);
                json = connect_message_encode_json(&all_types_type, &message, &arena, NULL, &error);
                assert_str(json, text); /* in the order they have */
                options.deterministic = true;
                again = connect_message_encode_json(&all_types_type, &message, &arena, &options, &error);
                assert_int_equal(again.len, json.len);
                assert_true(decode(&all_types_type, &back, again.data, &arena, NULL, &error));
                for (i = 1; i < count; i++)
                    assert_true(back.map_int32_int32.items[i - 1].key < back.map_int32_int32.items[i].key);
                assert_true(connect_message_equal(&all_types_type, &message, &back));
            }
            connect_arena_reset(&arena);
        }
    connect_arena_free(&arena);
    free(text);
}

/* A peer chooses the order of the keys, and how many there are: reading and writing must not look for each in all. */
static void test_a_hundred_thousand_keys(void **state) {
    enum { count = 100000 };
    char *text = (char *)malloc(20 * count), *at;
    connect_codec_options_t options = CONNECT_DEFAULTS;
    connect_arena_t arena = CONNECT_DEFAULTS;
    connect_error_t error;
    all_types message, back;
    connect_str_t json, bytes;
    const clock_t begin = clock();
    int i;
    (void)state;
    assert_non_null(text);
    at = text + sprintf(text, "{\"mapInt32Int32\":{\"-1\":0");
    for (i = count; i > 0; i--)
        at += sprintf(at, ",\"%d\":%d", i, i);
    strcpy(at, "}}");
    assert_true(connect_message_decode_json(&all_types_type, &message, connect_str_of(text), &arena, NULL, &error));
    assert_int_equal(message.map_int32_int32.count, count + 1);
    for (i = 0; i < 2; i++) {
        options.deterministic = i;
        json = connect_message_encode_json(&all_types_type, &message, &arena, &options, &error);
        assert_int_equal(json.len, strlen(text));
        bytes = connect_message_encode(&all_types_type, &message, &arena, &options, &error);
        assert_non_null(bytes.data);
        assert_true(connect_message_decode(&all_types_type, &back, bytes, &arena, NULL, &error));
        assert_true(connect_message_equal(&all_types_type, &message, &back));
    }
    strcpy(at, ",\"77\":0}}");
    assert_false(connect_message_decode_json(&all_types_type, &back, connect_str_of(text), &arena, NULL, &error));
    assert_true(clock() - begin < 10 * CLOCKS_PER_SEC);
    connect_arena_free(&arena);
    free(text);
}

/* Of entries with the same key the last is written, few or many. */
static void test_last_entry_counts(void **state) {
    all_map_int32_int32_entry entries[60];
    connect_arena_t arena = CONNECT_DEFAULTS;
    all_types message = all_types_defaults;
    connect_error_t error;
    connect_str_t json;
    int i;
    (void)state;
    for (i = 0; i < 60; i++) {
        entries[i].key = i % 3;
        entries[i].value = i;
    }
    message.map_int32_int32.items = entries;
    message.map_int32_int32.count = 6;
    json = connect_message_encode_json(&all_types_type, &message, &arena, NULL, &error);
    assert_str(json, "{\"mapInt32Int32\":{\"0\":3,\"1\":4,\"2\":5}}");
    message.map_int32_int32.count = 60;
    json = connect_message_encode_json(&all_types_type, &message, &arena, NULL, &error);
    assert_str(json, "{\"mapInt32Int32\":{\"0\":57,\"1\":58,\"2\":59}}");
    connect_arena_free(&arena);
}

static void test_unknown_names(void **state) {
    connect_codec_options_t strict = with_schema();
    (void)state;
    strict.json_strict = true;
    check(&all_types_type, "{\"nope\":{\"a\":[1,{\"b\":\"\\n\"}]},\"last\":1,\"\":0,\"las\":1,\"lastt\":1,\"Last\":5}",
        "{\"last\":1}");
    check(&all_types_type, "{\"nope\":1,\"nope\":2}", "{}");
    check_refused(&all_types_type, "{\"nope\":[1,}", NULL); /* what is skipped is checked all the same */
    check_refused_with(&all_types_type, "{\"last\":1,\n \"no\\u0001pe\":1}", CONNECT_INVALID_ARGUMENT,
        "line 2, column 2: unknown field \"no\\x01pe\"", &strict);
    check_refused_with(&all_types_type, "{\"children\":[{},{\"x\":1}]}", CONNECT_INVALID_ARGUMENT,
        "line 1, column 18: children[1]: unknown field \"x\"", &strict);
    /* an unknown enum value */
    check(&all_types_type,
        "{\"singleEnum\":\"NOPE\",\"optionalEnum\":\"NOPE\",\"repeatedEnum\":[\"ONE\",\"NOPE\",\"TWO\"],"
        "\"mapSint64Enum\":{\"1\":\"NOPE\",\"2\":\"ONE\"},\"choiceEnum\":\"NOPE\",\"closed\":5,\"repeatedClosed\":[1,5,"
        "2]}",
        "{\"repeatedEnum\":[\"ONE\",\"TWO\"],\"mapSint64Enum\":{\"2\":\"ONE\"},\"repeatedClosed\":[\"RED\",\"BLUE\"]}");
    check_refused_with(&all_types_type, "{\"repeatedEnum\":[\"ONE\",\"NOPE\"]}", CONNECT_INVALID_ARGUMENT,
        "line 1, column 24: repeated_enum[1]: unknown enum value \"NOPE\"", &strict);
    check_refused_with(&all_types_type, "{\"closed\":5}", CONNECT_INVALID_ARGUMENT, NULL, &strict);
    check_with(&all_types_type, "{\"singleEnum\":5}", "{\"singleEnum\":5}", &strict);
}

/* The hash is asked for what the guess does not know. */
static void test_name_slots(void **state) {
    connect_type_t hashed = all_small_type;
    uint8_t slots[1 + 16];
    uint32_t seed;
    (void)state;
    for (seed = 0; seed < 1000; seed++) {
        size_t id = 1 + cn_message_name_slot(CN_STR("id"), seed, 4),
               name = 1 + cn_message_name_slot(CN_STR("name"), seed, 4);
        if (id == name) continue;
        memset(slots, 0, sizeof slots);
        slots[0] = 4;
        slots[id] = 1;
        slots[name] = 2;
        break;
    }
    hashed.name_slots = slots;
    hashed.name_seed = seed;
    check(&hashed, "{\"name\":\"n\",\"no\":1,\"id\":1,\"\":2,\"ids\":3,\"i\":4}", "{\"id\":1,\"name\":\"n\"}");
}

static void test_options_of_encoding(void **state) {
    connect_codec_options_t options = with_schema();
    (void)state;
    options.json_proto_names = true;
    check_with(&all_types_type, "{\"singleInt32\":1,\"singleEnum\":1}", "{\"single_int32\":1,\"single_enum\":\"ONE\"}",
        &options);
    options.json_proto_names = false;
    options.json_enum_numbers = true;
    check_with(&all_types_type, "{\"singleEnum\":\"ONE\",\"mapSint64Enum\":{\"1\":\"TWO\"}}",
        "{\"singleEnum\":1,\"mapSint64Enum\":{\"1\":2}}", &options);
    options = with_schema();
    options.json_defaults = true;
    check_with(&all_small_type, "{}", "{\"id\":0,\"name\":\"\"}", &options);
    check_with(
        &all_needy_type, "{\"id\":1,\"name\":\"\"}", "{\"id\":1,\"name\":\"\",\"more\":[],\"byId\":{}}", &options);
    check_with(&known_type, "{}", "{\"values\":[],\"timestamps\":[],\"byName\":{},\"nulls\":[]}", &options);
    options = with_schema();
    options.json_pretty = true;
    check_with(&all_types_type, "{\"singleMessage\":{\"last\":1},\"repeatedInt32\":[1,2],\"child\":{},\"last\":2}",
        "{\n  \"singleMessage\": {\n    \"last\": 1\n  },\n  \"repeatedInt32\": [\n    1,\n    2\n  ],\n  \"child\": "
        "{},\n"
        "  \"last\": 2\n}",
        &options);
}

static void test_views_and_copies(void **state) {
    static const char text[] = "{\"name\":\"plain\",\"id\":1}", escaped[] = "{\"name\":\"pl\\u0061in\"}";
    connect_arena_t arena = CONNECT_DEFAULTS;
    connect_codec_options_t options = CONNECT_DEFAULTS;
    all_small small;
    (void)state;
    assert_true(connect_message_decode_json(&all_small_type, &small, CN_STR(text), &arena, &options, NULL));
    assert_ptr_equal(small.name.data, text + 9);
    assert_null(arena.private_blocks); /* nothing was taken */
    options.copy = true;
    assert_true(connect_message_decode_json(&all_small_type, &small, CN_STR(text), &arena, &options, NULL));
    assert_true(small.name.data < text || small.name.data > text + sizeof text);
    assert_str(small.name, "plain");
    options.copy = false;
    assert_true(connect_message_decode_json(&all_small_type, &small, CN_STR(escaped), &arena, &options, NULL));
    assert_true(small.name.data < escaped || small.name.data > escaped + sizeof escaped);
    assert_str(small.name, "plain");
    connect_arena_free(&arena);
}

static void test_merge(void **state) {
    connect_arena_t arena = CONNECT_DEFAULTS;
    connect_codec_options_t options = CONNECT_DEFAULTS;
    connect_error_t error;
    all_types message;
    (void)state;
    assert_true(decode(&all_types_type, &message,
        "{\"last\":1,\"singleInt32\":5,\"repeatedInt32\":[1],\"child\":{\"last\":1},\"choiceInt32\":7,"
        "\"mapInt32Int32\":{\"1\":1,\"2\":2}}",
        &arena, NULL, &error));
    options.merge = true;
    assert_true(decode(&all_types_type, &message,
        "{\"last\":2,\"repeatedInt32\":[2,3],\"child\":{\"singleInt32\":9},\"choiceString\":\"s\","
        "\"mapInt32Int32\":{\"2\":3}}",
        &arena, &options, &error));
    assert_str(connect_message_encode_json(&all_types_type, &message, &arena, NULL, &error),
        "{\"singleInt32\":5,\"repeatedInt32\":[1,2,3],\"choiceString\":\"s\",\"mapInt32Int32\":{\"1\":1,\"2\":3},"
        "\"child\":{\"singleInt32\":9,\"last\":1},\"last\":2}");
    assert_false(decode(&all_types_type, &message, "{\"last\":true}", &arena, &options, &error));
    connect_arena_free(&arena);
}

static void test_required(void **state) {
    connect_codec_options_t partial = with_schema();
    connect_arena_t arena = CONNECT_DEFAULTS;
    connect_error_t error;
    all_needy needy = all_needy_defaults;
    (void)state;
    partial.partial = true;
    check_same(&all_needy_type, "{\"id\":1,\"name\":\"n\"}");
    check_refused(&all_needy_type, "{\"id\":1}", "line 1, column 8: name: required field is missing");
    check_refused(&all_needy_type, "{\"id\":1,\"name\":\"\",\"more\":[{\"id\":1,\"name\":\"\"},{\"name\":\"\"}]}",
        "line 1, column 56: more[1].id: required field is missing");
    check_refused(&all_needy_type, "{\"id\":1,\"name\":null}", NULL);
    check_with(&all_needy_type, "{\"below\":{}}", "{\"below\":{}}", &partial);
    assert_null(connect_message_encode_json(&all_needy_type, &needy, &arena, NULL, &error).data);
    assert_int_equal(error.code, CONNECT_INVALID_ARGUMENT);
    assert_str(error.message, "id: required field is missing");
    connect_arena_free(&arena);
}

/* ---- Well-known types ---- */

static void test_timestamp(void **state) {
    static const struct {
        const char *text, *expected;
    } good[] = {{"1970-01-01T00:00:00Z", NULL}, {"0001-01-01T00:00:00Z", NULL},
        {"9999-12-31T23:59:59.999999999Z", NULL}, {"2017-01-15T01:30:15.010Z", NULL},
        {"2017-01-15T01:30:15.01Z", "2017-01-15T01:30:15.010Z"}, {"1969-12-31T23:59:59.000001Z", NULL},
        {"2000-02-29T12:00:00.123456789Z", NULL}, {"2024-02-29T00:00:00Z", NULL}, {"1900-03-01T00:00:00Z", NULL},
        {"2017-01-15T01:30:15+01:30", "2017-01-15T00:00:15Z"}, {"2017-01-15T23:30:15-01:00", "2017-01-16T00:30:15Z"},
        {"1970-01-01T00:00:00.1Z", "1970-01-01T00:00:00.100Z"}, {"1970-01-01T00:00:00.0000Z", "1970-01-01T00:00:00Z"},
        {"0001-01-01T00:30:00+00:30", "0001-01-01T00:00:00Z"}, {"9999-12-31T23:59:59-00:00", "9999-12-31T23:59:59Z"}};
    static const char *const bad[] = {"", "1970-01-01", "1970-01-01T00:00:00", "1970-01-01t00:00:00Z",
        "1970-01-01T00:00:00z", "1970-01-01 00:00:00Z", "1970-13-01T00:00:00Z", "1970-00-01T00:00:00Z",
        "1970-01-32T00:00:00Z", "1970-01-00T00:00:00Z", "1900-02-29T00:00:00Z", "2023-02-29T00:00:00Z",
        "1970-04-31T00:00:00Z", "1970-01-01T24:00:00Z", "1970-01-01T00:60:00Z", "1970-01-01T00:00:60Z",
        "0000-01-01T00:00:00Z", "10000-01-01T00:00:00Z", "1970-01-01T00:00:00.Z", "1970-01-01T00:00:00.1234567890Z",
        "1970-01-01T00:00:00+1:00", "1970-01-01T00:00:00+24:00", "1970-01-01T00:00:00+01:60", "1970-01-01T00:00:00ZZ",
        "1970-01-01T00:00:00Z ", "0001-01-01T00:00:00+00:01", "9999-12-31T23:59:59-00:01", "1970-1-01T00:00:00Z",
        "-970-01-01T00:00:00Z", "1970-01-01T00:00Z", "+970-01-01T00:00:00Z", "1970-01-01T00:00:00,5Z"};
    char text[128], expected[128];
    size_t i;
    (void)state;
    for (i = 0; i < CN_LEN(good); i++) {
        snprintf(text, sizeof text, "{\"timestamp\":\"%s\"}", good[i].text);
        snprintf(
            expected, sizeof expected, "{\"timestamp\":\"%s\"}", good[i].expected ? good[i].expected : good[i].text);
        check(&known_type, text, expected);
    }
    for (i = 0; i < CN_LEN(bad); i++) {
        snprintf(text, sizeof text, "{\"timestamp\":\"%s\"}", bad[i]);
        check_refused(&known_type, text, "line 1, column 14: timestamp: expected a time, as \"1970-01-01T00:00:00Z\"");
    }
    check_refused(&known_type, "{\"timestamp\":1}", NULL);
    check_refused(&known_type, "{\"timestamp\":{\"seconds\":1}}", NULL);
}

/* Every day of 800 years, against a calendar that counts. */
static void test_calendar(void **state) {
    int year = 1, month = 1, day = 1;
    int64_t seconds = -62135596800;
    char text[CN_WKT_ROOM + 1], expected[64];
    (void)state;
    for (; year <= 9999; seconds += 86400) {
        static const int days_in[] = {31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31};
        bool leap = year % 4 == 0 && (year % 100 != 0 || year % 400 == 0);
        if (year <= 801 || year >= 9800 || (month == 2 && day >= 28) || (month == 3 && day == 1)) {
            int64_t read;
            int32_t nanos;
            size_t len = cn_wkt_timestamp_to_text(text, seconds, 0);
            snprintf(expected, sizeof expected, "%04d-%02d-%02dT00:00:00Z", year, month, day);
            if (len != strlen(expected) || memcmp(text, expected, len) != 0)
                fail_msg("%.*s: %s", (int)len, text, expected);
            assert_true(cn_wkt_timestamp_from_text(cn_str(text, len), &read, &nanos));
            assert_true(read == seconds && nanos == 0);
        }
        if (++day > days_in[month - 1] + (month == 2 && leap)) {
            day = 1;
            if (++month > 12) {
                month = 1;
                year++;
            }
        }
    }
    assert_int_equal(cn_wkt_timestamp_to_text(text, seconds, 0), 0);
    assert_int_equal(cn_wkt_timestamp_to_text(text, -62135596801, 0), 0);
    assert_int_equal(cn_wkt_timestamp_to_text(text, 0, -1), 0);
    assert_int_equal(cn_wkt_timestamp_to_text(text, 0, 1000000000), 0);
}

static void test_duration(void **state) {
    static const struct {
        const char *text, *expected;
    } good[] = {{"0s", NULL}, {"1s", NULL}, {"-1s", NULL}, {"1.500s", NULL}, {"1.5s", "1.500s"}, {"-0.000001s", NULL},
        {"0.000000001s", NULL}, {"315576000000s", NULL}, {"315576000000.999999999s", NULL},
        {"315575999999.999999999s", NULL}, {"-315575999999.999999999s", NULL}, {"00001s", "1s"}, {"-0s", "0s"},
        {"-0.0s", "0s"}};
    static const char *const bad[] = {"", "s", "1", "1S", "1 s", " 1s", "1s ", "+1s", "--1s", ".5s", "1.s",
        "1.1234567890s", "315576000001s", "-315576000001s", "-315576000001.5s", "1e3s", "0x1s", "1.-5s", "1.5.5s",
        "99999999999999999999s"};
    char text[128], expected[128];
    size_t i;
    (void)state;
    for (i = 0; i < CN_LEN(good); i++) {
        snprintf(text, sizeof text, "{\"duration\":\"%s\"}", good[i].text);
        snprintf(
            expected, sizeof expected, "{\"duration\":\"%s\"}", good[i].expected ? good[i].expected : good[i].text);
        check(&known_type, text, expected);
    }
    for (i = 0; i < CN_LEN(bad); i++) {
        snprintf(text, sizeof text, "{\"duration\":\"%s\"}", bad[i]);
        check_refused(&known_type, text, "line 1, column 13: duration: expected a duration, as \"1.5s\"");
    }
    assert_int_equal(cn_wkt_duration_to_text(text, 1, -1), 0);
    assert_int_equal(cn_wkt_duration_to_text(text, -1, 1), 0);
    assert_int_equal(cn_wkt_duration_to_text(text, 0, 1000000000), 0);
    assert_int_equal(cn_wkt_duration_to_text(text, 0, INT32_MIN), 0);
    assert_int_equal(cn_wkt_duration_to_text(text, INT64_MIN, 0), 0);
    assert_int_equal(cn_wkt_duration_to_text(text, 315576000001, 0), 0);
}

static void test_field_mask(void **state) {
    static const connect_str_t bad[] = {{"fooBar", 6}, {"foo__bar", 8}, {"foo_3", 5}, {"foo_", 4}, {"foo_Bar", 7}};
    connect_arena_t arena = CONNECT_DEFAULTS;
    connect_error_t error;
    known message;
    size_t i;
    (void)state;
    check_same(&known_type, "{\"mask\":\"\"}");
    check_same(&known_type, "{\"mask\":\"a,fooBar.bazQux,c1\"}");
    assert_true(decode(&known_type, &message, "{\"mask\":\"a,fooBar.bazQux\"}", &arena, NULL, &error));
    assert_int_equal(message.a_mask->paths.count, 2);
    assert_str(message.a_mask->paths.items[1], "foo_bar.baz_qux");
    check_refused(&known_type, "{\"mask\":\"foo_bar\"}", NULL);
    check_refused(&known_type, "{\"mask\":[\"a\"]}", NULL);
    for (i = 0; i < CN_LEN(bad); i++) {
        wkt_mask mask = {{&bad[i], 1}};
        memset(&message, 0, sizeof message);
        message.a_mask = &mask;
        assert_null(connect_message_encode_json(&known_type, &message, &arena, NULL, &error).data);
        assert_str(error.message, "mask: a field path that lowerCamelCase cannot give back");
    }
    connect_arena_free(&arena);
}

static void test_struct_and_value(void **state) {
    static const char *const same[] = {"{\"structure\":{}}", "{\"list\":[]}", "{\"value\":{}}", "{\"value\":[]}",
        "{\"value\":\"\"}", "{\"value\":0}", "{\"value\":false}", "{\"value\":\"NaN\"}",
        "{\"structure\":{\"a\":null,\"b\":1.5,\"c\":\"s\",\"d\":true,\"e\":{\"f\":[]},\"g\":[null,[{}]]}}",
        "{\"list\":[1,\"2\",[3],{\"four\":4}]}", "{\"values\":[null,{},[]],\"byName\":{\"x\":{\"y\":[1]}}}"};
    connect_arena_t arena = CONNECT_DEFAULTS;
    connect_error_t error;
    wkt_value value;
    size_t i;
    (void)state;
    for (i = 0; i < CN_LEN(same); i++)
        check_same(&known_type, same[i]);
    check_same(&wkt_value_type, "null");
    check_same(&wkt_value_type, "[{\"a\":[1]}]");
    check(&wkt_value_type, " 1e2 ", "100");
    check_refused(&known_type, "{\"structure\":[]}", "line 1, column 14: structure.fields: expected an object");
    check_refused(&known_type, "{\"list\":{}}", NULL);
    check_refused(&known_type, "{\"structure\":{\"a\":1,\"a\":2}}", NULL);
    check_refused(&known_type, "{\"value\":1e999}", NULL);
    check_refused(&known_type, "{\"list\":[1,]}", NULL);
    memset(&value, 0, sizeof value);
    assert_null(connect_message_encode_json(&wkt_value_type, &value, &arena, NULL, &error).data);
    assert_str(error.message, "a google.protobuf.Value without a value");
    value.kind_case = 2;
    value.kind.number_value = 1e308 * 10;
    assert_null(connect_message_encode_json(&wkt_value_type, &value, &arena, NULL, &error).data);
    assert_str(error.message, "a google.protobuf.Value that is not a finite number");
    value.kind_case = 1;
    value.kind.null_value = 5;
    assert_str(connect_message_encode_json(&wkt_value_type, &value, &arena, NULL, &error), "null");
    value.kind_case = 5;
    value.kind.struct_value = NULL;
    assert_str(connect_message_encode_json(&wkt_value_type, &value, &arena, NULL, &error), "{}");
    connect_arena_free(&arena);
}

static void test_wrappers_and_empty(void **state) {
    (void)state;
    check_same(&known_type,
        "{\"int32\":0,\"int64\":\"0\",\"double\":0,\"string\":\"\",\"bytes\":\"\",\"bool\":false,"
        "\"empty\":{}}");
    check_same(&known_type,
        "{\"int32\":-5,\"int64\":\"-5\",\"double\":\"NaN\",\"string\":\"x\",\"bytes\":\"AA==\","
        "\"bool\":true}");
    check(&known_type, "{\"int32\":\"5\",\"empty\":{\"x\":1}}", "{\"int32\":5,\"empty\":{}}");
    check_refused(&known_type, "{\"int32\":{\"value\":1}}", NULL);
    check_refused(&known_type, "{\"int32\":true}", NULL);
    check_refused(&known_type, "{\"empty\":[]}", NULL);
}

static void test_any(void **state) {
    static const char *const same[] = {"{\"any\":{}}",
        "{\"any\":{\"@type\":\"type.googleapis.com/test.Small\",\"id\":1,\"name\":\"n\"}}",
        "{\"any\":{\"@type\":\"a/b/test.Small\"}}",
        "{\"any\":{\"@type\":\"type.googleapis.com/google.protobuf.Empty\"}}",
        "{\"any\":{\"@type\":\"type.googleapis.com/google.protobuf.Duration\",\"value\":\"1.500s\"}}",
        "{\"any\":{\"@type\":\"type.googleapis.com/google.protobuf.Int32Value\",\"value\":7}}",
        "{\"any\":{\"@type\":\"type.googleapis.com/google.protobuf.Value\",\"value\":[1,{\"a\":null}]}}",
        "{\"any\":{\"@type\":\"type.googleapis.com/google.protobuf.Struct\",\"value\":{\"@type\":1}}}",
        ("{\"any\":{\"@type\":\"x/google.protobuf.Any\",\"value\":{\"@type\":\"x/google.protobuf.Any\",\"value\":"
         "{\"@type\":\"x/test.Small\",\"id\":3}}}}"),
        "{\"any\":{\"@type\":\"x/test.Known\",\"timestamp\":\"2000-01-01T00:00:00Z\",\"any\":{\"@type\":\"x/"
        "test.Small\"}}}"};
    connect_codec_options_t strict = with_schema(), none = CONNECT_DEFAULTS;
    connect_arena_t arena = CONNECT_DEFAULTS;
    connect_error_t error;
    wkt_any any = {{"x/test.Nope", 11}, {"", 0}};
    known message;
    size_t i;
    (void)state;
    strict.json_strict = true;
    for (i = 0; i < CN_LEN(same); i++)
        if (!strstr(same[i], "\"timestamp\"")) check_same(&known_type, same[i]);
    check(&known_type, same[CN_LEN(same) - 1],
        "{\"any\":{\"@type\":\"x/test.Known\",\"any\":{\"@type\":\"x/"
        "test.Small\"},\"timestamp\":\"2000-01-01T00:00:00Z\"}}");
    check_with(&known_type, same[1], same[1], &strict);
    check(&known_type, "{\"any\":{\"id\":1,\"@type\":\"x/test.Small\",\"name\":\"\\n\"}}", /* the type not first */
        "{\"any\":{\"@type\":\"x/test.Small\",\"id\":1,\"name\":\"\\n\"}}");
    check(&known_type, "{\"any\":{\"value\":5,\"\\u0040type\":\"x/google.protobuf.Int32Value\"}}",
        "{\"any\":{\"@type\":\"x/google.protobuf.Int32Value\",\"value\":5}}");
    check(&known_type, "{\"any\":{\"@type\":\"x/google.protobuf.Empty\",\"value\":{}}}",
        "{\"any\":{\"@type\":\"x/google.protobuf.Empty\"}}");
    check_refused(&known_type, "{\"any\":{\"id\":1}}", "line 1, column 8: any: expected @type, since it is an Any");
    check_refused(&known_type, "{\"any\":{\"@type\":\"x/test.Nope\"}}",
        "line 1, column 8: any: expected @type to end in a slash and a type of the schema, not \"x/test.Nope\"");
    check_refused(&known_type, "{\"any\":{\"@type\":\"test.Small\"}}",
        "line 1, column 8: any: expected @type to end in a slash and a type of the schema, not \"test.Small\"");
    check_refused(&known_type, "{\"any\":{\"@type\":\"/test.Small\"}}", NULL);
    check_refused(&known_type, "{\"any\":{\"@type\":\"\"}}", NULL);
    check_refused(&known_type, "{\"any\":{\"@type\":1}}", NULL);
    check_refused(&known_type, "{\"any\":{\"@type\":\"x/test.Small\",\"@type\":\"x/test.Small\"}}", NULL);
    check_refused(&known_type, "{\"any\":{\"@type\":\"x/test.Small\",\"id\":\"x\"}}",
        "line 1, column 37: any.id: expected a number");
    check_refused(&known_type, "{\"any\":{\"@type\":\"x/google.protobuf.Int32Value\"}}", NULL);
    check_refused(&known_type, "{\"any\":{\"@type\":\"x/google.protobuf.Int32Value\",\"value\":1,\"value\":1}}", NULL);
    check_refused(&known_type, "{\"any\":{\"@type\":\"x/test.Needy\",\"id\":1}}", NULL);
    check_refused(&known_type, "{\"any\":1}", NULL);
    check_refused_with(
        &known_type, "{\"any\":{\"@type\":\"x/test.Small\",\"x\":1}}", CONNECT_INVALID_ARGUMENT, NULL, &strict);
    check_refused_with(&known_type, "{\"any\":{\"@type\":\"x/google.protobuf.Int32Value\",\"value\":1,\"x\":1}}",
        CONNECT_INVALID_ARGUMENT, NULL, &strict);
    check_refused_with(&known_type, same[1], CONNECT_INVALID_ARGUMENT, NULL, &none);
    memset(&message, 0, sizeof message);
    message.a_any = &any;
    strict.schema = known_schema;
    assert_null(connect_message_encode_json(&known_type, &message, &arena, &strict, &error).data);
    assert_str(error.message, "any: an Any of a type that the schema does not have");
    any.type_url = connect_str_of("x/test.Small");
    any.value = connect_str_of("\x08");
    assert_null(connect_message_encode_json(&known_type, &message, &arena, &strict, &error).data);
    assert_str(error.message, "any: an Any that its type does not decode");
    connect_arena_free(&arena);
}

/* An arena of one fixed block: queue, scratch memory and error text share it. */
static void test_fixed_arena(void **state) {
    static const char text[] =
        "{\"any\":{\"@type\":\"x/test.Known\",\"any\":{\"@type\":\"x/test.Small\",\"id\":1},"
        "\"mask\":\"a,bC\",\"byName\":{\"b\":1,\"a\":2}},\"timestamp\":\"2000-01-01T00:00:00Z\"}";
    connect_codec_options_t options = with_schema();
    connect_error_t error;
    size_t size;
    bool fitted = false;
    (void)state;
    options.deterministic = true;
    for (size = 64; size < 16384; size += 48) {
        char *memory = (char *)malloc(size);
        connect_arena_t arena, other = CONNECT_DEFAULTS;
        known message;
        connect_str_t json;
        assert_non_null(memory);
        connect_arena_init(&arena, memory, size, NULL);
        assert_true(decode(&known_type, &message, text, &other, &options, NULL));
        json = connect_message_encode_json(&known_type, &message, &arena, &options, &error);
        if (json.data)
            assert_int_equal(json.len, sizeof text - 1);
        else
            assert_int_equal(error.code, CONNECT_RESOURCE_EXHAUSTED);
        assert_true(json.data || !fitted);
        fitted = json.data != NULL;
        if (fitted) { /* room is left behind the text */
            size_t left = (size_t)(arena.private_end - arena.private_next);
            assert_true(size < 8192 || left > size / 4);
        }
        connect_arena_free(&other);
        free(memory);
    }
    assert_true(fitted);
}

static void test_error_text_in_full_arena(void **state) {
    char memory[8]; /* too small for anything */
    connect_arena_t arena;
    connect_error_t error;
    all_needy needy = all_needy_defaults;
    all_small small;
    (void)state;
    connect_arena_init(&arena, memory, sizeof memory, NULL);
    assert_null(connect_message_encode_json(&all_needy_type, &needy, &arena, NULL, &error).data);
    assert_str(error.message, "required field is missing");
    assert_false(connect_message_decode_json(&all_small_type, &small, CN_STR("{\"id\":true}"), &arena, NULL, &error));
    assert_str(error.message, "expected a number");
}

/* ---- Errors ---- */

static void test_error_paths(void **state) {
    connect_arena_t arena = CONNECT_DEFAULTS;
    connect_error_t error;
    char text[4000], *at = text;
    all_types message;
    all_small small = {0, {"ab\xFF", 3}, {NULL, 0}};
    int i;
    (void)state;
    check_refused(&all_types_type,
        "{\n  \"children\": [\n    {},\n    {\"singleMessage\": {\"singleInt32\": \"x\"}}\n  ]\n}",
        "line 4, column 39: children[1].single_message.single_int32: expected a number");
    check_refused(&all_types_type, "{\"mapStringMessage\":{\"a\\u0007\xC3\xA9\":{\"id\":true}}}",
        "line 1, column 39: map_string_message[\"a\\x07\\xC3\\xA9\"].id: expected a number");
    check_refused(
        &all_types_type, "{\"children\":[{\"last\":1]}", "line 1, column 23: children[0]: expected a comma or }");
    check_refused(&all_types_type, "{\"child\":", "line 1, column 10: child: expected a value");
    check_refused(&all_types_type, "{}x", "line 1, column 3: expected nothing after the value");
    /* long paths and long keys are cut; a peer's text is quoted for 128 bytes at most */
    for (i = 0; i < 60; i++)
        at += sprintf(at, "{\"singleMessage\":");
    at += sprintf(at, "{\"mapStringMessage\":{\"");
    memset(at, 'k', 1000);
    strcpy(at + 1000, "\":{\"id\":true}}}");
    assert_false(decode(&all_types_type, &message, text, &arena, NULL, &error));
    assert_true(error.message.len < 600);
    assert_non_null(strstr(error.message.data, "expected a number"));
    sprintf(text, "{\"mapStringMessage\":{\"");
    memset(text + 22, 'k', 1000);
    strcpy(text + 1022, "\":{\"id\":true}}}");
    assert_false(decode(&all_types_type, &message, text, &arena, NULL, &error));
    assert_true(error.message.len < 250);
    assert_null(connect_message_encode_json(&all_small_type, &small, &arena, NULL, &error).data);
    assert_int_equal(error.code, CONNECT_INVALID_ARGUMENT);
    assert_str(error.message, "name: text that is not UTF-8");
    assert_false(connect_message_decode_json(&all_small_type, &small, CN_STR("{"), &arena, NULL, NULL)); /* no error */
    connect_arena_free(&arena);
}

static void test_depth(void **state) {
    connect_codec_options_t options = with_schema();
    connect_arena_t arena = CONNECT_DEFAULTS;
    connect_error_t error;
    all_types messages[102];
    char text[4000];
    int depth, i;
    (void)state;
    for (depth = 99; depth <= 101; depth++) {
        char *at = text;
        for (i = 0; i < depth; i++)
            at += sprintf(at, "{\"children\":[");
        at += sprintf(at, "{}");
        for (i = 0; i < depth; i++)
            at += sprintf(at, "]}");
        if (depth <= 100)
            check_same(&all_types_type, text);
        else
            check_refused(&all_types_type, text, NULL);
    }
    options.depth_max = 1;
    check_with(&all_types_type, "{\"child\":{\"repeatedInt32\":[1]}}", "{\"child\":{\"repeatedInt32\":[1]}}", &options);
    check_refused_with(&all_types_type, "{\"child\":{\"child\":{}}}", CONNECT_INVALID_ARGUMENT,
        "line 1, column 19: child.child: nested deeper than depth_max", &options);
    options.depth_max = CONNECT_UNLIMITED; /* the text's own limit stays */
    memset(text, '[', 1000);
    text[1000] = 0;
    check_refused_with(&wkt_value_type, text, CONNECT_INVALID_ARGUMENT, NULL, &options);
    for (i = 0; i < 102; i++) {
        messages[i] = all_types_defaults;
        if (i) messages[i].child = &messages[i - 1];
    }
    assert_non_null(connect_message_encode_json(&all_types_type, &messages[100], &arena, NULL, &error).data);
    assert_null(connect_message_encode_json(&all_types_type, &messages[101], &arena, NULL, &error).data);
    messages[0].child = &messages[1]; /* in a ring */
    options.depth_max = CONNECT_UNLIMITED;
    assert_null(connect_message_encode_json(&all_types_type, &messages[1], &arena, &options, &error).data);
    connect_arena_free(&arena);
}

static void test_memory_max(void **state) {
    connect_codec_options_t options = with_schema();
    char text[2000], *at = text;
    int i;
    (void)state;
    at += sprintf(at, "{\"children\":[");
    for (i = 0; i < 100; i++)
        at += sprintf(at, "%s{}", i ? "," : "");
    sprintf(at, "]}");
    options.memory_max = 100 * (uint32_t)sizeof(all_types);
    check_with(&all_types_type, text, text, &options);
    options.memory_max--;
    check_refused_with(&all_types_type, text, CONNECT_RESOURCE_EXHAUSTED, NULL, &options);
    options.memory_max = 3 * 4 + 1;
    check_with(&all_types_type, "{\"repeatedInt32\":[1,2,3]}", "{\"repeatedInt32\":[1,2,3]}", &options);
    check_refused_with(&all_types_type, "{\"repeatedInt32\":[1,2,3,4]}", CONNECT_RESOURCE_EXHAUSTED,
        "line 1, column 25: repeated_int32[3]: decoded elements need more than memory_max", &options);
    options.memory_max = CONNECT_UNLIMITED;
    check_with(&all_types_type, text, text, &options);
}

/* When memory_max is near, a list that cannot grow in place is not moved for every item: what the arena takes stays
   bounded. */
static void test_list_at_the_end_of_memory(void **state) {
    static const char item[] = ",\"\\u0041\""; /* unescaped behind the list in the arena */
    const size_t count = 60000, item_len = sizeof item - 1;
    char *text = (char *)malloc(100 + count * item_len), *at = text;
    connect_codec_options_t options = with_schema();
    connect_error_t error;
    failing_allocator f;
    connect_arena_t arena;
    all_types m;
    size_t i;
    (void)state;
    assert_non_null(text);
    at += sprintf(at, "{\"repeatedString\":[\"\"");
    for (i = 0; i < count; i++, at += item_len)
        memcpy(at, item, item_len);
    at += sprintf(at, "]}");
    for (options.memory_max = 500000; options.memory_max < 1000000; options.memory_max += 10007) {
        failing_init(&f, SIZE_MAX, false);
        connect_arena_init(&arena, NULL, 0, &f.allocator);
        if (connect_message_decode_json(
                &all_types_type, &m, cn_str(text, (size_t)(at - text)), &arena, &options, &error))
            assert_int_equal(m.repeated_string.count, 1 + count);
        else
            assert_int_equal(error.code, CONNECT_RESOURCE_EXHAUSTED);
        assert_in_range(f.taken, 1, 12 * (size_t)options.memory_max);
        connect_arena_free(&arena);
    }
    free(text);
}

/* ---- Cuts, random bytes, allocations ---- */

static const char wide_text[] =
    "{\"singleDouble\":1.5,\"singleString\":\"a\\\"b\xC3\xA9\",\"singleBytes\":\"/+8=\",\"repeatedInt64\":[\"1\",2],"
    "\"mapStringMessage\":{\"m\":{\"id\":9}},\"children\":[{\"last\":1},{}],\"singleEnum\":\"ONE\",\"unknown\":[{}]}";
static const char known_text[] =
    "{\"any\":{\"@type\":\"x/test.Known\",\"any\":{\"@type\":\"x/test.Small\",\"id\":1},\"mask\":\"a,bC\"},"
    "\"timestamp\":\"2000-01-01T00:00:00Z\",\"structure\":{\"b\":[1,\"\\n\",{}],\"a\":null},\"nulls\":[null],\"int64\":"
    "\"5\"}";

static void test_every_cut_is_refused(void **state) {
    connect_arena_t arena = CONNECT_DEFAULTS;
    connect_codec_options_t options = with_schema();
    any_message message;
    char text[1000];
    size_t len;
    (void)state;
    for (len = 0; len < sizeof wide_text - 1; len++) {
        memcpy(text, wide_text, len);
        text[len] = 0;
        if (decode(&all_types_type, &message, text, &arena, &options, NULL)) fail_msg("accepted: %s", text);
    }
    for (len = 0; len < sizeof known_text - 1; len++) {
        memcpy(text, known_text, len);
        text[len] = 0;
        if (decode(&known_type, &message, text, &arena, &options, NULL)) fail_msg("accepted: %s", text);
    }
    connect_arena_free(&arena);
}

static void test_random_changes(void **state) {
    static const char alphabet[] = "{}[]:,\"\\u0019eE+-.tfnulrase dD8c\n\xC3\xA9\x01=@";
    connect_arena_t arena = CONNECT_DEFAULTS;
    connect_codec_options_t options = with_schema();
    uint64_t random = 88172645463325252u;
    int i;
    (void)state;
    for (i = 0; i < 20000; i++) {
        const bool wide = i % 2;
        const connect_type_t *type = wide ? &all_types_type : &known_type;
        char text[1000];
        any_message message, again;
        connect_error_t error;
        int changes;
        strcpy(text, wide ? wide_text : known_text);
        for (changes = 1 + i % 3; changes > 0; changes--) {
            size_t at;
            random = random * 6364136223846793005u + 1442695040888963407u;
            at = (random >> 33) % strlen(text);
            if (random >> 32 & 1)
                text[at] = alphabet[(random >> 20 & 0xFFFF) % (sizeof alphabet - 1)];
            else
                memmove(text + at, text + at + 1, strlen(text + at));
        }
        if (decode(type, &message, text, &arena, &options, &error)) { /* what was read can be written and read */
            connect_str_t json = connect_message_encode_json(type, &message, &arena, &options, &error);
            if (!json.data) fail_msg("%s: %s", text, error.message.data);
            if (!decode(type, &again, json.data, &arena, &options, &error))
                fail_msg("%s: %s", text, error.message.data);
            assert_true(connect_message_equal(type, &message, &again));
        } else {
            assert_int_equal(error.code, CONNECT_INVALID_ARGUMENT);
            assert_non_null(error.message.data);
        }
        connect_arena_reset(&arena);
    }
    connect_arena_free(&arena);
}

typedef struct sweep_case {
    const connect_type_t *type;
    const char *text;
    bool copy, merge;
} sweep_case;

static bool run_with_allocator(const connect_allocator_t *allocator, void *arg) {
    const sweep_case *c = (const sweep_case *)arg;
    connect_codec_options_t options = with_schema();
    connect_arena_t arena;
    connect_error_t error;
    cn_buf_t out = {NULL, 0, 0, 0};
    any_message message;
    bool ok;
    connect_arena_init(&arena, NULL, 0, allocator);
    options.copy = c->copy;
    options.merge = c->merge;
    options.deterministic = true;
    connect_message_init(c->type, &message);
    ok = connect_message_decode_json(c->type, &message, connect_str_of(c->text), &arena, &options, &error);
    if (ok) {
        connect_str_t json = connect_message_encode_json(c->type, &message, &arena, &options, &error);
        ok = json.data != NULL;
        if (ok) {
            assert_true(cn_buf_append(&out, NULL, "before", 6));
            ok = cn_pbjson_encode(c->type, &message, &out, NULL, &options, &arena, &error);
            if (ok) {
                assert_int_equal(cn_buf_len(&out), json.len + 6);
                assert_memory_equal(cn_buf_view(&out).data + 6, json.data, json.len);
            } else {
                assert_int_equal(cn_buf_len(&out), 6);
            }
            cn_buf_free(&out, NULL);
        }
    }
    if (ok) {
        ok = cn_pbjson_encode(c->type, &message, &out, allocator, &options, &arena, &error);
        assert_true(ok || cn_buf_len(&out) == 0);
        cn_buf_free(&out, allocator);
    }
    if (!ok) {
        assert_int_equal(error.code, CONNECT_RESOURCE_EXHAUSTED);
        assert_non_null(error.message.data);
    }
    connect_arena_free(&arena);
    return ok;
}
static void test_allocations(void **state) {
    sweep_case cases[] = {{&all_types_type, wide_text, false, false}, {&all_types_type, wide_text, true, false},
        {&all_types_type, wide_text, false, true}, {&known_type, known_text, false, false},
        {&known_type, known_text, true, false}};
    size_t i;
    (void)state;
    for (i = 0; i < CN_LEN(cases); i++)
        sweep_allocations(run_with_allocator, &cases[i]);
}

/* A repeated decode into an arena that was reset takes nothing more from the allocator. */
static void test_no_malloc_when_repeated(void **state) {
    connect_codec_options_t options = with_schema();
    failing_allocator counting;
    connect_arena_t arena;
    known message;
    size_t calls = 0;
    int i;
    (void)state;
    failing_init(&counting, SIZE_MAX, false);
    connect_arena_init(&arena, NULL, 0, &counting.allocator);
    for (i = 0; i < 10; i++) {
        connect_arena_reset(&arena);
        assert_true(connect_message_decode_json(&known_type, &message, CN_STR(known_text), &arena, &options, NULL));
        assert_non_null(connect_message_encode_json(&known_type, &message, &arena, &options, NULL).data);
        if (i == 4) calls = counting.calls;
    }
    assert_int_equal(counting.calls, calls);
    connect_arena_free(&arena);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_golden),
        cmocka_unit_test(test_full_message_both_ways),
        cmocka_unit_test(test_other_spellings),
        cmocka_unit_test(test_null),
        cmocka_unit_test(test_refused_values),
        cmocka_unit_test(test_twice),
        cmocka_unit_test(test_many_keys),
        cmocka_unit_test(test_a_hundred_thousand_keys),
        cmocka_unit_test(test_last_entry_counts),
        cmocka_unit_test(test_unknown_names),
        cmocka_unit_test(test_name_slots),
        cmocka_unit_test(test_options_of_encoding),
        cmocka_unit_test(test_views_and_copies),
        cmocka_unit_test(test_merge),
        cmocka_unit_test(test_required),
        cmocka_unit_test(test_timestamp),
        cmocka_unit_test(test_calendar),
        cmocka_unit_test(test_duration),
        cmocka_unit_test(test_field_mask),
        cmocka_unit_test(test_struct_and_value),
        cmocka_unit_test(test_wrappers_and_empty),
        cmocka_unit_test(test_any),
        cmocka_unit_test(test_fixed_arena),
        cmocka_unit_test(test_error_text_in_full_arena),
        cmocka_unit_test(test_error_paths),
        cmocka_unit_test(test_depth),
        cmocka_unit_test(test_memory_max),
        cmocka_unit_test(test_list_at_the_end_of_memory),
        cmocka_unit_test(test_every_cut_is_refused),
        cmocka_unit_test(test_random_changes),
        cmocka_unit_test(test_allocations),
        cmocka_unit_test(test_no_malloc_when_repeated),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
