/* A message with every kind in every role, and small ones around it: tables written by hand, in the shape that the
   generator gives them. Include after connect.h. The schema they stand for:

     syntax = "proto2" or edition 2023 with mixed features; package test;
     message All {
       K single_k = 1..16 [implicit presence]; All single_message = 17; optional group Single_group = 18
       optional K optional_k = 21..36
       repeated K repeated_k = 41..58 [packed = false]      (message 57: Small, group 58: Small)
       repeated K packed_k = 61..74
       oneof choice { K choice_k = 81..98 }                  (message 97: Small, group 98: Small)
       map<...> 101..108
       closed enums 121..124, children 131, 132, last 536870911
     }
   K runs through the 16 scalar kinds in the order of ALL_SCALARS. */
#ifndef CONNECT_TESTS_ALLTYPES_H
#define CONNECT_TESTS_ALLTYPES_H

/* X(name, Name, KIND, C type, list type) */
#define ALL_NUMBERS(X) \
    X(double, Double, DOUBLE, double, connect_double_list_t) \
    X(float, Float, FLOAT, float, connect_float_list_t) \
    X(int64, Int64, INT64, int64_t, connect_int64_list_t) \
    X(uint64, Uint64, UINT64, uint64_t, connect_uint64_list_t) \
    X(int32, Int32, INT32, int32_t, connect_int32_list_t) \
    X(fixed64, Fixed64, FIXED64, uint64_t, connect_uint64_list_t) \
    X(fixed32, Fixed32, FIXED32, uint32_t, connect_uint32_list_t) \
    X(bool, Bool, BOOL, bool, connect_bool_list_t) \
    X(uint32, Uint32, UINT32, uint32_t, connect_uint32_list_t) \
    X(enum, Enum, ENUM, int32_t, connect_int32_list_t) \
    X(sfixed32, Sfixed32, SFIXED32, int32_t, connect_int32_list_t) \
    X(sfixed64, Sfixed64, SFIXED64, int64_t, connect_int64_list_t) \
    X(sint32, Sint32, SINT32, int32_t, connect_int32_list_t) \
    X(sint64, Sint64, SINT64, int64_t, connect_int64_list_t)
#define ALL_TEXTS(X) \
    X(string, String, STRING, connect_str_t, connect_str_list_t) \
    X(bytes, Bytes, BYTES, connect_str_t, connect_str_list_t)
#define ALL_SCALARS(X) ALL_NUMBERS(X) ALL_TEXTS(X)
/* The place of each kind in ALL_SCALARS, from 0 */
enum {
#define ALL_INDEX(name, Name, KIND, ctype, list) all_index_##name,
    ALL_SCALARS(ALL_INDEX)
#undef ALL_INDEX
        all_index_message,
    all_index_group
};
/* X(number, name, Name, key, KEY KIND, value, VALUE KIND, value flags) */
#define ALL_MAPS(X) \
    X(101, map_int32_int32, mapInt32Int32, int32_t, INT32, int32_t, INT32, 0) \
    X(102, map_string_string, mapStringString, connect_str_t, STRING, connect_str_t, STRING, CONNECT_FIELD_UTF8) \
    X(103, map_string_message, mapStringMessage, connect_str_t, STRING, const all_small *, MESSAGE, 0) \
    X(104, map_uint64_bytes, mapUint64Bytes, uint64_t, UINT64, connect_str_t, BYTES, 0) \
    X(105, map_bool_double, mapBoolDouble, bool, BOOL, double, DOUBLE, 0) \
    X(106, map_sint64_enum, mapSint64Enum, int64_t, SINT64, int32_t, ENUM, 0) \
    X(107, map_sfixed32_closed, mapSfixed32Closed, int32_t, SFIXED32, int32_t, ENUM, 0) \
    X(108, map_fixed32_float, mapFixed32Float, uint32_t, FIXED32, float, FLOAT, 0)

typedef struct all_types all_types;
typedef struct all_small {
    int32_t id;
    connect_str_t name;
    connect_str_list_t unknown_fields;
} all_small;
typedef struct all_small_list {
    const all_small *items;
    size_t count;
} all_small_list;
typedef struct all_types_list {
    const all_types *items;
    size_t count;
} all_types_list;
#define ALL_ENTRY(number, name, Name, key_type, KEY, value_type, VALUE, flags) \
    typedef struct all_##name##_entry { \
        key_type key; \
        value_type value; \
    } all_##name##_entry; \
    typedef struct all_##name##_list { \
        const all_##name##_entry *items; \
        size_t count; \
    } all_##name##_list;
ALL_MAPS(ALL_ENTRY)
#undef ALL_ENTRY

struct all_types {
#define ALL_MEMBER(name, Name, KIND, ctype, list) ctype single_##name;
    ALL_SCALARS(ALL_MEMBER)
#undef ALL_MEMBER
    const all_types *single_message;
    const all_small *single_group;
#define ALL_MEMBER(name, Name, KIND, ctype, list) ctype optional_##name;
    ALL_SCALARS(ALL_MEMBER)
#undef ALL_MEMBER
#define ALL_MEMBER(name, Name, KIND, ctype, list) list repeated_##name;
    ALL_SCALARS(ALL_MEMBER)
#undef ALL_MEMBER
    all_small_list repeated_message, repeated_group;
#define ALL_MEMBER(name, Name, KIND, ctype, list) list packed_##name;
    ALL_NUMBERS(ALL_MEMBER)
#undef ALL_MEMBER
    int32_t choice_case;
    union {
#define ALL_MEMBER(name, Name, KIND, ctype, list) ctype choice_##name;
        ALL_SCALARS(ALL_MEMBER)
#undef ALL_MEMBER
        const all_small *choice_message;
        const all_small *choice_group;
    } choice;
#define ALL_MEMBER(number, name, Name, key_type, KEY, value_type, VALUE, flags) all_##name##_list name;
    ALL_MAPS(ALL_MEMBER)
#undef ALL_MEMBER
    int32_t closed;
    connect_int32_list_t repeated_closed, packed_closed;
    const all_types *child;
    all_types_list children;
    int32_t last;
#define ALL_MEMBER(name, Name, KIND, ctype, list) bool has_optional_##name;
    ALL_NUMBERS(ALL_MEMBER)
#undef ALL_MEMBER
    bool has_closed;
    connect_str_list_t unknown_fields;
};

/* ---- Names: one struct of texts, so that offsets are offsetof ---- */
typedef struct all_names {
#define ALL_NAME(name, Name, KIND, ctype, list) \
    char single_##name[sizeof "single_" #name], json_single_##name[sizeof "single" #Name], \
        optional_##name[sizeof "optional_" #name], json_optional_##name[sizeof "optional" #Name], \
        repeated_##name[sizeof "repeated_" #name], json_repeated_##name[sizeof "repeated" #Name], \
        packed_##name[sizeof "packed_" #name], json_packed_##name[sizeof "packed" #Name], \
        choice_##name[sizeof "choice_" #name], json_choice_##name[sizeof "choice" #Name];
    ALL_SCALARS(ALL_NAME)
    ALL_NAME(message, Message, , , )
    ALL_NAME(group, Group, , , )
#undef ALL_NAME
#define ALL_NAME(number, name, Name, key_type, KEY, value_type, VALUE, flags) \
    char name[sizeof #name], json_##name[sizeof #Name];
    ALL_MAPS(ALL_NAME)
#undef ALL_NAME
    char closed[sizeof "closed"], repeated_closed[sizeof "repeated_closed"],
        json_repeated_closed[sizeof "repeatedClosed"], packed_closed[sizeof "packed_closed"],
        json_packed_closed[sizeof "packedClosed"], child[sizeof "child"], children[sizeof "children"],
        last[sizeof "last"];
} all_names;
static const all_names all_types_names = {
#define ALL_NAME(name, Name, KIND, ctype, list) \
    "single_" #name, "single" #Name, "optional_" #name, "optional" #Name, "repeated_" #name, "repeated" #Name, \
        "packed_" #name, "packed" #Name, "choice_" #name, "choice" #Name,
    ALL_SCALARS(ALL_NAME) ALL_NAME(message, Message, , , ) ALL_NAME(group, Group, , , )
#undef ALL_NAME
#define ALL_NAME(number, name, Name, key_type, KEY, value_type, VALUE, flags) #name, #Name,
        ALL_MAPS(ALL_NAME)
#undef ALL_NAME
            "closed",
    "repeated_closed", "repeatedClosed", "packed_closed", "packedClosed", "child", "children", "last"};

/* ---- Enums ---- */
static const connect_enum_value_t all_open_values[] = {{-1, 0}, {0, 9}, {1, 14}, {1, 18}, {2, 23}, {100, 27}};
static const connect_enum_t all_open_enum = {/* UNO is an alias */
    "test.Open", all_open_values, "NEGATIVE\0ZERO\0ONE\0UNO_\0TWO\0HUNDRED", 6, false};
static const connect_enum_value_t all_closed_values[] = {{1, 0}, {2, 4}, {7, 9}};
static const connect_enum_t all_closed_enum = {"test.Closed", all_closed_values, "RED\0BLUE\0GREEN", 3, true};

/* ---- Types ---- */
static const connect_field_t all_small_fields[] = {{1, offsetof(all_small, id), 0, 0, 0, 0, CONNECT_KIND_INT32, 0},
    {2, offsetof(all_small, name), 0, 3, 3, 0, CONNECT_KIND_STRING, CONNECT_FIELD_UTF8}};
static const connect_type_t all_small_type = {.full_name = "test.Small",
    .fields = all_small_fields,
    .field_count = 2,
    .dense = 2,
    .names = "id\0name",
    .size = sizeof(all_small),
    .keeps_unknown = true,
    .unknown = offsetof(all_small, unknown_fields)};
static const connect_type_t *const all_entry_types[] = {&all_small_type};
static const connect_enum_t *const all_entry_open[] = {&all_open_enum};
static const connect_enum_t *const all_entry_closed[] = {&all_closed_enum};
static const struct { int32_t key, value; } all_closed_entry_defaults = {0, 1};
#define ALL_ENTRY_STRING CONNECT_FIELD_UTF8
#define ALL_ENTRY_INT32 0
#define ALL_ENTRY_UINT64 0
#define ALL_ENTRY_BOOL 0
#define ALL_ENTRY_SINT64 0
#define ALL_ENTRY_SFIXED32 0
#define ALL_ENTRY_FIXED32 0
#define ALL_ENTRY(number, name, Name, key_type, KEY, value_type, VALUE, flags_) \
    static const connect_field_t all_##name##_fields[] = { \
        {1, offsetof(all_##name##_entry, key), 0, 0, 0, 0, CONNECT_KIND_##KEY, ALL_ENTRY_##KEY}, \
        {2, offsetof(all_##name##_entry, value), 0, 4, 4, 0, CONNECT_KIND_##VALUE, flags_}}; \
    static const connect_type_t all_##name##_type = {.full_name = "test.All." #name "_entry", \
        .fields = all_##name##_fields, \
        .field_count = 2, \
        .dense = 2, \
        .names = "key\0value", \
        .size = sizeof(all_##name##_entry), \
        .types = all_entry_types, \
        .enums = number == 107 ? all_entry_closed : all_entry_open, \
        .defaults = number == 107 ? &all_closed_entry_defaults : NULL, \
        .is_map_entry = true};
ALL_MAPS(ALL_ENTRY)
#undef ALL_ENTRY
static const connect_type_t all_types_type;
static const connect_type_t *const all_types_types[] = {&all_types_type, &all_small_type,
#define ALL_ENTRY(number, name, Name, key_type, KEY, value_type, VALUE, flags_) &all_##name##_type,
    ALL_MAPS(ALL_ENTRY)
#undef ALL_ENTRY
};
static const connect_enum_t *const all_types_enums[] = {&all_open_enum, &all_closed_enum};
#define ALL_UTF8_DOUBLE 0
#define ALL_UTF8_FLOAT 0
#define ALL_UTF8_INT64 0
#define ALL_UTF8_UINT64 0
#define ALL_UTF8_INT32 0
#define ALL_UTF8_FIXED64 0
#define ALL_UTF8_FIXED32 0
#define ALL_UTF8_BOOL 0
#define ALL_UTF8_UINT32 0
#define ALL_UTF8_ENUM 0
#define ALL_UTF8_SFIXED32 0
#define ALL_UTF8_SFIXED64 0
#define ALL_UTF8_SINT32 0
#define ALL_UTF8_SINT64 0
#define ALL_UTF8_STRING CONNECT_FIELD_UTF8
#define ALL_UTF8_BYTES 0
#define ALL_AT(member) (uint16_t) offsetof(all_types, member)
#define ALL_TEXT(name) (uint16_t) offsetof(all_names, name)
static const connect_field_t all_types_fields[] = {
#define ALL_FIELD(name, Name, KIND, ctype, list) \
    {1 + all_index_##name, ALL_AT(single_##name), 0, ALL_TEXT(single_##name), ALL_TEXT(json_single_##name), 0, \
        CONNECT_KIND_##KIND, ALL_UTF8_##KIND},
    ALL_SCALARS(ALL_FIELD)
#undef ALL_FIELD
        {17, ALL_AT(single_message), 0, ALL_TEXT(single_message), ALL_TEXT(json_single_message), 0,
            CONNECT_KIND_MESSAGE, CONNECT_FIELD_NULLABLE},
    {18, ALL_AT(single_group), 0, ALL_TEXT(single_group), ALL_TEXT(json_single_group), 1, CONNECT_KIND_GROUP,
        CONNECT_FIELD_NULLABLE},
#define ALL_FIELD(name, Name, KIND, ctype, list) \
    {21 + all_index_##name, ALL_AT(optional_##name), ALL_AT(has_optional_##name), ALL_TEXT(optional_##name), \
        ALL_TEXT(json_optional_##name), 0, CONNECT_KIND_##KIND, CONNECT_FIELD_HAS},
    ALL_NUMBERS(ALL_FIELD)
#undef ALL_FIELD
#define ALL_FIELD(name, Name, KIND, ctype, list) \
    {21 + all_index_##name, ALL_AT(optional_##name), 0, ALL_TEXT(optional_##name), ALL_TEXT(json_optional_##name), 0, \
        CONNECT_KIND_##KIND, CONNECT_FIELD_NULLABLE | ALL_UTF8_##KIND},
        ALL_TEXTS(ALL_FIELD)
#undef ALL_FIELD
#define ALL_FIELD(name, Name, KIND, ctype, list) \
    {41 + all_index_##name, ALL_AT(repeated_##name), 0, ALL_TEXT(repeated_##name), ALL_TEXT(json_repeated_##name), 0, \
        CONNECT_KIND_##KIND, CONNECT_FIELD_REPEATED | ALL_UTF8_##KIND},
            ALL_SCALARS(ALL_FIELD)
#undef ALL_FIELD
                {57, ALL_AT(repeated_message), 0, ALL_TEXT(repeated_message), ALL_TEXT(json_repeated_message), 1,
                    CONNECT_KIND_MESSAGE, CONNECT_FIELD_REPEATED},
    {58, ALL_AT(repeated_group), 0, ALL_TEXT(repeated_group), ALL_TEXT(json_repeated_group), 1, CONNECT_KIND_GROUP,
        CONNECT_FIELD_REPEATED},
#define ALL_FIELD(name, Name, KIND, ctype, list) \
    {61 + all_index_##name, ALL_AT(packed_##name), 0, ALL_TEXT(packed_##name), ALL_TEXT(json_packed_##name), 0, \
        CONNECT_KIND_##KIND, CONNECT_FIELD_REPEATED | CONNECT_FIELD_PACKED},
    ALL_NUMBERS(ALL_FIELD)
#undef ALL_FIELD
#define ALL_FIELD(name, Name, KIND, ctype, list) \
    {81 + all_index_##name, ALL_AT(choice.choice_##name), ALL_AT(choice_case), ALL_TEXT(choice_##name), \
        ALL_TEXT(json_choice_##name), 0, CONNECT_KIND_##KIND, CONNECT_FIELD_ONEOF | ALL_UTF8_##KIND},
        ALL_SCALARS(ALL_FIELD)
#undef ALL_FIELD
            {97, ALL_AT(choice.choice_message), ALL_AT(choice_case), ALL_TEXT(choice_message),
                ALL_TEXT(json_choice_message), 1, CONNECT_KIND_MESSAGE, CONNECT_FIELD_ONEOF},
    {98, ALL_AT(choice.choice_group), ALL_AT(choice_case), ALL_TEXT(choice_group), ALL_TEXT(json_choice_group), 1,
        CONNECT_KIND_GROUP, CONNECT_FIELD_ONEOF},
#define ALL_FIELD(number, name, Name, key_type, KEY, value_type, VALUE, flags_) \
    {number, ALL_AT(name), 0, ALL_TEXT(name), ALL_TEXT(json_##name), 2 + number - 101, CONNECT_KIND_MESSAGE, \
        CONNECT_FIELD_REPEATED | CONNECT_FIELD_MAP},
    ALL_MAPS(ALL_FIELD)
#undef ALL_FIELD
        {121, ALL_AT(closed), ALL_AT(has_closed), ALL_TEXT(closed), ALL_TEXT(closed), 1, CONNECT_KIND_ENUM,
            CONNECT_FIELD_HAS},
    {122, ALL_AT(repeated_closed), 0, ALL_TEXT(repeated_closed), ALL_TEXT(json_repeated_closed), 1, CONNECT_KIND_ENUM,
        CONNECT_FIELD_REPEATED},
    {123, ALL_AT(packed_closed), 0, ALL_TEXT(packed_closed), ALL_TEXT(json_packed_closed), 1, CONNECT_KIND_ENUM,
        CONNECT_FIELD_REPEATED | CONNECT_FIELD_PACKED},
    {131, ALL_AT(child), 0, ALL_TEXT(child), ALL_TEXT(child), 0, CONNECT_KIND_MESSAGE, CONNECT_FIELD_NULLABLE},
    {132, ALL_AT(children), 0, ALL_TEXT(children), ALL_TEXT(children), 0, CONNECT_KIND_MESSAGE, CONNECT_FIELD_REPEATED},
    {536870911, ALL_AT(last), 0, ALL_TEXT(last), ALL_TEXT(last), 0, CONNECT_KIND_INT32, 0}};
static const all_types all_types_defaults = {.closed = 1};
static const connect_type_t all_types_type = {.full_name = "test.All",
    .fields = all_types_fields,
    .field_count = sizeof all_types_fields / sizeof *all_types_fields,
    .dense = 18,
    .names = (const char *)&all_types_names,
    .types = all_types_types,
    .enums = all_types_enums,
    .defaults = &all_types_defaults,
    .size = sizeof(all_types),
    .keeps_unknown = true,
    .unknown = offsetof(all_types, unknown_fields)};

/* ---- Required fields and defaults ----
     message Needy {
       required int32 id = 1 [default = 7]; required string name = 2; optional Needy below = 3; repeated Needy more = 4;
       optional string unit = 5 [default = "K"]; map<int32, Needy> by_id = 6;
     } */
typedef struct all_needy all_needy;
typedef struct all_needy_list {
    const all_needy *items;
    size_t count;
} all_needy_list;
typedef struct all_needy_entry {
    int32_t key;
    const all_needy *value;
} all_needy_entry;
typedef struct all_needy_entry_list {
    const all_needy_entry *items;
    size_t count;
} all_needy_entry_list;
struct all_needy {
    int32_t id;
    connect_str_t name;
    const all_needy *below;
    all_needy_list more;
    connect_str_t unit;
    all_needy_entry_list by_id;
    bool has_id, has_unit;
}; /* keeps no unknown fields */
static const connect_type_t all_needy_type;
static const connect_type_t *const all_needy_entry_types[] = {&all_needy_type};
static const connect_field_t all_needy_entry_fields[] = {
    {1, offsetof(all_needy_entry, key), 0, 0, 0, 0, CONNECT_KIND_INT32, 0},
    {2, offsetof(all_needy_entry, value), 0, 4, 4, 0, CONNECT_KIND_MESSAGE, 0}};
static const connect_type_t all_needy_entry_type = {.full_name = "test.Needy.ByIdEntry",
    .fields = all_needy_entry_fields,
    .field_count = 2,
    .dense = 2,
    .names = "key\0value",
    .size = sizeof(all_needy_entry),
    .types = all_needy_entry_types,
    .is_map_entry = true,
    .has_required = true};
static const connect_type_t *const all_needy_types[] = {&all_needy_type, &all_needy_entry_type};
static const connect_field_t all_needy_fields[] = {{1, offsetof(all_needy, id), offsetof(all_needy, has_id), 0, 0, 0,
                                                       CONNECT_KIND_INT32, CONNECT_FIELD_HAS | CONNECT_FIELD_REQUIRED},
    {2, offsetof(all_needy, name), 0, 3, 3, 0, CONNECT_KIND_STRING, CONNECT_FIELD_NULLABLE | CONNECT_FIELD_REQUIRED},
    {3, offsetof(all_needy, below), 0, 8, 8, 0, CONNECT_KIND_MESSAGE, CONNECT_FIELD_NULLABLE},
    {4, offsetof(all_needy, more), 0, 14, 14, 0, CONNECT_KIND_MESSAGE, CONNECT_FIELD_REPEATED},
    {5, offsetof(all_needy, unit), offsetof(all_needy, has_unit), 19, 19, 0, CONNECT_KIND_STRING, CONNECT_FIELD_HAS},
    {6, offsetof(all_needy, by_id), 0, 24, 30, 1, CONNECT_KIND_MESSAGE, CONNECT_FIELD_REPEATED | CONNECT_FIELD_MAP}};
static const all_needy all_needy_defaults = {.id = 7, .unit = {"K", 1}};
static const connect_type_t all_needy_type = {.full_name = "test.Needy",
    .fields = all_needy_fields,
    .field_count = 6,
    .dense = 6,
    .names = "id\0name\0below\0more\0unit\0by_id\0byId",
    .types = all_needy_types,
    .defaults = &all_needy_defaults,
    .size = sizeof(all_needy),
    .has_required = true};

/* ---- One with something in every field ---- */
static all_types all_types_full(connect_arena_t *arena) {
    static const all_types inner = {.single_int32 = -5, .closed = 1};
    static const all_small small = {-77, {"small \xC3\xA9", 8}, {NULL, 0}}, small2 = {0, {"", 0}, {NULL, 0}};
    static const all_small smalls[3] = {
        {1, {"a", 1}, {NULL, 0}}, {0, {"", 0}, {NULL, 0}}, {300, {"bcd", 3}, {NULL, 0}}};
    static const connect_str_t texts[4] = {{"x", 1}, {"", 0}, {"seventeen letters", 17}, {"\xE2\x82\xAC uro", 7}};
    static const double doubles[3] = {1.5, 0, -1e300};
    static const float floats[3] = {-2.25f, 0, 3e38f};
    static const int64_t int64s[6] = {0, 1, -1, 300, INT64_MIN, INT64_MAX};
    static const uint64_t uint64s[10] = {
        0, 127, 128, 16383, 16384, 0xFFFFFFFFu, (uint64_t)1 << 49, (uint64_t)1 << 56, (uint64_t)1 << 63, UINT64_MAX};
    static const int32_t int32s[5] = {0, -1, 150, INT32_MIN, INT32_MAX};
    static const uint32_t uint32s[5] = {0, 127, 128, 0x80000000u, UINT32_MAX};
    static const bool bools[3] = {true, false, true};
    static const int32_t opens[4] = {0, -1, 100, 12345}, closeds[4] = {7, 1, 2, 1};
    static const all_map_int32_int32_entry m101[3] = {{5, 50}, {-1, 0}, {0, 7}};
    static const all_map_string_string_entry m102[2] = {{{"k2", 2}, {"v", 1}}, {{"", 0}, {"", 0}}};
    static const all_map_string_message_entry m103[2] = {{{"one", 3}, &small}, {{"two", 3}, &small2}};
    static const all_map_uint64_bytes_entry m104[2] = {{UINT64_MAX, {"\0\1", 2}}, {1, {"", 0}}};
    static const all_map_bool_double_entry m105[2] = {{true, 2.5}, {false, 0}};
    static const all_map_sint64_enum_entry m106[2] = {{INT64_MIN, 2}, {-3, 99}};
    static const all_map_sfixed32_closed_entry m107[2] = {{-9, 7}, {9, 1}};
    static const all_map_fixed32_float_entry m108[2] = {{9, 0.5f}, {UINT32_MAX, -0.5f}};
    all_types m = all_types_defaults;
    all_types *children = CONNECT_NEW(arena, all_types, 2);
    if (!children) return m;
    children[0].closed = children[1].closed = 1;
    children[0].single_string = connect_str_of("first child");
    m.single_double = -0.0;
    m.single_float = 1.25f;
    m.single_int64 = -2;
    m.single_uint64 = (uint64_t)1 << 40;
    m.single_int32 = -3;
    m.single_fixed64 = 0x0102030405060708u;
    m.single_fixed32 = 0x01020304u;
    m.single_bool = true;
    m.single_uint32 = 1u << 21;
    m.single_enum = -1;
    m.single_sfixed32 = -4;
    m.single_sfixed64 = -5;
    m.single_sint32 = -6;
    m.single_sint64 = INT64_MIN;
    m.single_string = connect_str_of("plain ASCII that is longer than sixteen bytes, and longer than thirty-two");
    m.single_bytes.data = "\xFF\x00\xFE";
    m.single_bytes.len = 3;
    m.single_message = &inner;
    m.single_group = &small;
#define ALL_SET(name, Name, KIND, ctype, list) m.has_optional_##name = true;
    ALL_NUMBERS(ALL_SET)
#undef ALL_SET
    m.optional_int32 = 1 << 14;
    m.optional_uint64 = 127;
    m.optional_string.data = "";
    m.optional_bytes.data = "";
#define ALL_LIST(member, array) m.member.items = array, m.member.count = sizeof array / sizeof *array
#define ALL_SET(prefix) \
    ALL_LIST(prefix##_double, doubles); \
    ALL_LIST(prefix##_float, floats); \
    ALL_LIST(prefix##_int64, int64s); \
    ALL_LIST(prefix##_uint64, uint64s); \
    ALL_LIST(prefix##_int32, int32s); \
    ALL_LIST(prefix##_fixed64, uint64s); \
    ALL_LIST(prefix##_fixed32, uint32s); \
    ALL_LIST(prefix##_bool, bools); \
    ALL_LIST(prefix##_uint32, uint32s); \
    ALL_LIST(prefix##_enum, opens); \
    ALL_LIST(prefix##_sfixed32, int32s); \
    ALL_LIST(prefix##_sfixed64, int64s); \
    ALL_LIST(prefix##_sint32, int32s); \
    ALL_LIST(prefix##_sint64, int64s)
    ALL_SET(repeated);
    ALL_SET(packed);
#undef ALL_SET
    ALL_LIST(repeated_string, texts);
    ALL_LIST(repeated_bytes, texts);
    ALL_LIST(repeated_message, smalls);
    ALL_LIST(repeated_group, smalls);
    m.choice_case = 97;
    m.choice.choice_message = &small;
    ALL_LIST(map_int32_int32, m101);
    ALL_LIST(map_string_string, m102);
    ALL_LIST(map_string_message, m103);
    ALL_LIST(map_uint64_bytes, m104);
    ALL_LIST(map_bool_double, m105);
    ALL_LIST(map_sint64_enum, m106);
    ALL_LIST(map_sfixed32_closed, m107);
    ALL_LIST(map_fixed32_float, m108);
    m.has_closed = true;
    m.closed = 2;
    ALL_LIST(repeated_closed, closeds);
    ALL_LIST(packed_closed, closeds);
    m.child = &inner;
    m.children.items = children;
    m.children.count = 2;
    m.last = 1;
    return m;
}
#endif
