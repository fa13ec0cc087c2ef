#define CONNECT_IMPLEMENTATION
#include "connect.h"

#include "kinds.connect.h"
#include "tests/support/alltypes.h"
#include "tests/support/support.h"
#include <math.h>

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

static const connect_field_t *field_of(const char *name) {
    const connect_field_t *field = connect_message_field(&all_types_type, connect_str_of(name));
    if (!field) fail_msg("no field %s", name);
    return field;
}

static connect_str_t encoded(const connect_type_t *type, const void *message) {
    connect_str_t bytes = connect_message_encode(type, message, &arena, NULL, NULL);
    assert_non_null(bytes.data);
    return bytes;
}

static void test_init(void **state) {
    all_types m;
    all_needy needy;
    all_small small;
    (void)state;
    memset(&m, 0xFF, sizeof m);
    connect_message_init(&all_types_type, &m);
    assert_int_equal(m.closed, 1);
    assert_int_equal(m.single_int32, 0);
    assert_null(m.single_message);
    connect_message_init(&all_needy_type, &needy);
    assert_str(needy.unit, "K");
    memset(&small, 0xFF, sizeof small);
    connect_message_init(&all_small_type, &small);
    assert_int_equal(small.id, 0);
    assert_null(small.name.data);
}

/* ---- Presence, get, set ---- */

static void test_get_and_set(void **state) {
    all_types m = all_types_defaults;
    const int32_t zero = 0, five = 5;
    const double negative_zero = -0.0, positive_zero = 0.0;
    const connect_str_t empty = {"", 0}, text = {"text", 4}, absent = {NULL, 0};
    const all_small small = {1, {"a", 1}, {NULL, 0}}, *pointer = &small;
    const all_small *const *held;
    const connect_int32_list_t list = {&five, 1};
    const int32_t *number;
    (void)state;
    /* implicit presence: zero is absent */
    assert_null(connect_message_get(&all_types_type, &m, field_of("single_int32")));
    connect_message_set(&all_types_type, &m, field_of("singleInt32"), &five);
    number = (const int32_t *)connect_message_get(&all_types_type, &m, field_of("single_int32"));
    assert_ptr_equal(number, &m.single_int32);
    assert_int_equal(*number, 5);
    connect_message_set(&all_types_type, &m, field_of("single_int32"), &zero);
    assert_null(connect_message_get(&all_types_type, &m, field_of("single_int32")));
    connect_message_set(&all_types_type, &m, field_of("single_double"), &negative_zero);
    assert_non_null(connect_message_get(&all_types_type, &m, field_of("single_double")));
    connect_message_set(&all_types_type, &m, field_of("single_double"), &positive_zero);
    assert_null(connect_message_get(&all_types_type, &m, field_of("single_double")));
    connect_message_set(&all_types_type, &m, field_of("single_string"), &empty);
    assert_null(connect_message_get(&all_types_type, &m, field_of("single_string")));
    connect_message_set(&all_types_type, &m, field_of("single_string"), &text);
    assert_non_null(connect_message_get(&all_types_type, &m, field_of("single_string")));
    connect_message_set(&all_types_type, &m, field_of("single_string"), NULL);
    assert_null(m.single_string.data);
    /* has_x: zero is present */
    assert_null(connect_message_get(&all_types_type, &m, field_of("optional_int32")));
    connect_message_set(&all_types_type, &m, field_of("optional_int32"), &zero);
    assert_true(m.has_optional_int32);
    assert_non_null(connect_message_get(&all_types_type, &m, field_of("optional_int32")));
    connect_message_set(&all_types_type, &m, field_of("optional_int32"), NULL);
    assert_false(m.has_optional_int32);
    /* cleared to the default */
    connect_message_set(&all_types_type, &m, field_of("closed"), &five);
    connect_message_set(&all_types_type, &m, field_of("closed"), NULL);
    assert_false(m.has_closed);
    assert_int_equal(m.closed, 1);
    /* text that tracks presence: empty is present, NULL is not */
    connect_message_set(&all_types_type, &m, field_of("optional_string"), &empty);
    assert_non_null(connect_message_get(&all_types_type, &m, field_of("optional_string")));
    connect_message_set(&all_types_type, &m, field_of("optional_string"), &absent);
    assert_null(connect_message_get(&all_types_type, &m, field_of("optional_string")));
    /* messages, lists */
    assert_null(connect_message_get(&all_types_type, &m, field_of("single_group")));
    connect_message_set(&all_types_type, &m, field_of("single_group"), &pointer);
    held = (const all_small *const *)connect_message_get(&all_types_type, &m, field_of("single_group"));
    assert_non_null(held);
    assert_ptr_equal(*held, &small);
    connect_message_set(&all_types_type, &m, field_of("repeated_int32"), &list);
    assert_int_equal(m.repeated_int32.count, 1);
    connect_message_set(&all_types_type, &m, field_of("repeated_int32"), NULL);
    assert_null(connect_message_get(&all_types_type, &m, field_of("repeated_int32")));
    /* oneof: what the case names */
    connect_message_set(&all_types_type, &m, field_of("choice_int32"), &zero);
    assert_int_equal(m.choice_case, 85);
    assert_non_null(connect_message_get(&all_types_type, &m, field_of("choice_int32")));
    assert_null(connect_message_get(&all_types_type, &m, field_of("choice_string")));
    connect_message_set(&all_types_type, &m, field_of("choice_string"), &text);
    assert_int_equal(m.choice_case, 95);
    connect_message_set(&all_types_type, &m, field_of("choice_int32"), NULL); /* not the one that is there */
    assert_int_equal(m.choice_case, 95);
    assert_str(m.choice.choice_string, "text");
    connect_message_set(&all_types_type, &m, field_of("choice_string"), NULL);
    assert_int_equal(m.choice_case, 0);
}

static void test_every_field_by_name(void **state) {
    size_t i;
    (void)state;
    for (i = 0; i < all_types_type.field_count; i++) {
        const connect_field_t *field = &all_types_fields[i];
        assert_ptr_equal(field_of(all_types_type.names + field->name), field);
        assert_ptr_equal(field_of(all_types_type.names + field->json_name), field);
        assert_ptr_equal(cn_message_field_number(&all_types_type, field->number), field);
    }
    assert_null(connect_message_field(&all_types_type, connect_str_of("")));
    assert_null(connect_message_field(&all_types_type, connect_str_of(NULL)));
    assert_null(connect_message_field(&all_types_type, connect_str_of("single_int3")));
    assert_null(connect_message_field(&all_types_type, connect_str_of("single_int322")));
    assert_null(connect_message_field(&all_types_type, cn_str("last\0", 5)));
    assert_null(cn_message_field_number(&all_types_type, 0));
    assert_null(cn_message_field_number(&all_types_type, 19));
    assert_null(cn_message_field_number(&all_types_type, 536870910));
    assert_null(cn_message_field_number(&all_types_type, 536870912));
    assert_null(cn_message_field_number(&all_types_type, UINT32_MAX));
}

/* The perfect hash, made here as the generator makes it: the first seed under which no two names meet. */
static void test_name_slots(void **state) {
    static const char *const names[] = {"id", "name", "below", "more", "unit", "by_id", "byId"};
    static const uint8_t fields[] = {1, 2, 3, 4, 5, 6, 6};
    uint8_t slots[1 + 16];
    connect_type_t type = all_needy_type;
    size_t i;
    (void)state;
    type.name_seed = 0;
    for (;; type.name_seed++) {
        memset(slots, 0, sizeof slots);
        slots[0] = 4;
        for (i = 0; i < sizeof names / sizeof *names; i++) {
            size_t at = cn_message_name_slot(connect_str_of(names[i]), type.name_seed, 4);
            assert_true(at < 16);
            if (slots[1 + at]) break;
            slots[1 + at] = fields[i];
        }
        if (i == sizeof names / sizeof *names) break;
        assert_true(type.name_seed < 100000);
    }
    type.name_slots = slots;
    for (i = 0; i < sizeof names / sizeof *names; i++)
        assert_ptr_equal(connect_message_field(&type, connect_str_of(names[i])), &all_needy_fields[fields[i] - 1]);
    assert_null(connect_message_field(&type, connect_str_of("by_id2")));
    assert_null(connect_message_field(&type, connect_str_of("nam")));
    assert_null(connect_message_field(&type, connect_str_of("x")));
}

/* ---- Equality ---- */

static void test_equal_differs(void **state) {
    all_types full = all_types_full(&arena);
    size_t i;
    (void)state;
    assert_true(connect_message_equal(&all_types_type, &full, &full));
    for (i = 0; i < all_types_type.field_count; i++) { /* each field counts */
        const connect_field_t *field = &all_types_fields[i];
        all_types other = full;
        if (!connect_message_get(&all_types_type, &full, field)) {
            assert_true(field->flags & CONNECT_FIELD_ONEOF);
            continue;
        }
        connect_message_set(&all_types_type, &other, field, NULL);
        if (connect_message_equal(&all_types_type, &full, &other) ||
            connect_message_equal(&all_types_type, &other, &full))
            fail_msg("%s does not count", all_types_type.names + field->name);
    }
}

static void test_equal_numbers(void **state) {
    static const double nan_a[1] = {(double)NAN}, nan_b[1] = {-(double)NAN}, zero[1] = {0.0}, minus_zero[1] = {-0.0};
    all_types a = all_types_defaults, b = all_types_defaults;
    (void)state;
    a.repeated_double.count = b.repeated_double.count = 1;
    a.repeated_double.items = nan_a;
    b.repeated_double.items = nan_b;
    assert_true(connect_message_equal(&all_types_type, &a, &b)); /* NaN equals NaN */
    b.repeated_double.items = zero;
    assert_false(connect_message_equal(&all_types_type, &a, &b));
    a.repeated_double.items = minus_zero;
    assert_true(connect_message_equal(&all_types_type, &a, &b));
    a.single_float = NAN;
    assert_false(connect_message_equal(&all_types_type, &a, &b));
    b.single_float = NAN;
    assert_true(connect_message_equal(&all_types_type, &a, &b));
    b.single_float = -0.0f; /* present, where 0 is absent */
    a.single_float = 0.0f;
    assert_false(connect_message_equal(&all_types_type, &a, &b));
    b.single_float = 0.0f;
    b.has_optional_int32 = true;
    assert_false(connect_message_equal(&all_types_type, &a, &b));
}

static void test_equal_maps(void **state) {
    static const all_map_int32_int32_entry one[3] = {{1, 10}, {2, 20}, {3, 30}}, order[3] = {{3, 30}, {1, 10}, {2, 20}},
                                           twice[4] = {{1, 99}, {2, 20}, {3, 30}, {1, 10}},
                                           other[3] = {{1, 10}, {2, 21}, {3, 30}},
                                           keys[3] = {{1, 10}, {2, 20}, {4, 30}},
                                           lost[4] = {{1, 10}, {2, 20}, {3, 30}, {1, 11}};
    all_types a = all_types_defaults, b = all_types_defaults;
    (void)state;
    a.map_int32_int32.items = one;
    a.map_int32_int32.count = 3;
    b.map_int32_int32.items = order;
    b.map_int32_int32.count = 3;
    assert_true(connect_message_equal(&all_types_type, &a, &b));
    b.map_int32_int32.items = twice; /* the last of a key counts */
    b.map_int32_int32.count = 4;
    assert_true(connect_message_equal(&all_types_type, &a, &b));
    assert_true(connect_message_equal(&all_types_type, &b, &a));
    b.map_int32_int32.items = lost;
    assert_false(connect_message_equal(&all_types_type, &a, &b));
    b.map_int32_int32.items = other;
    b.map_int32_int32.count = 3;
    assert_false(connect_message_equal(&all_types_type, &a, &b));
    b.map_int32_int32.items = keys;
    assert_false(connect_message_equal(&all_types_type, &a, &b));
    b.map_int32_int32.items = one;
    b.map_int32_int32.count = 2;
    assert_false(connect_message_equal(&all_types_type, &a, &b));
    assert_false(connect_message_equal(&all_types_type, &b, &a));
}

/* Large maps are sorted: looking for each of 100,000 entries in the other map took minutes. */
static void test_equal_large_maps(void **state) {
    enum { count = 100000 };
    all_map_int32_int32_entry *up = (all_map_int32_int32_entry *)malloc((count + 1) * sizeof *up),
                              *down = (all_map_int32_int32_entry *)malloc((count + 1) * sizeof *down);
    all_types a = all_types_defaults, b = all_types_defaults;
    const clock_t begin = clock();
    int32_t i;
    (void)state;
    assert_non_null(up);
    assert_non_null(down);
    for (i = 0; i < count; i++) {
        up[i].key = down[count - 1 - i].key = i;
        up[i].value = down[count - 1 - i].value = 3 * i;
    }
    up[count] = down[count] = up[0]; /* a key again */
    a.map_int32_int32.items = up;
    b.map_int32_int32.items = down;
    a.map_int32_int32.count = b.map_int32_int32.count = count;
    assert_true(connect_message_equal(&all_types_type, &a, &b));
    a.map_int32_int32.count++;
    assert_true(connect_message_equal(&all_types_type, &a, &b));
    b.map_int32_int32.count++;
    assert_true(connect_message_equal(&all_types_type, &a, &b));
    up[count].value++; /* the last of a key counts */
    assert_false(connect_message_equal(&all_types_type, &a, &b));
    up[0].value = up[count].value;
    up[count].value--;
    assert_true(connect_message_equal(&all_types_type, &a, &b));
    up[count / 2].value++;
    assert_false(connect_message_equal(&all_types_type, &a, &b));
    up[count / 2].value--;
    up[count / 2].key = count;
    assert_false(connect_message_equal(&all_types_type, &a, &b));
    a.map_int32_int32.items = down;
    a.map_int32_int32.count -= 2;
    assert_false(connect_message_equal(&all_types_type, &a, &b));
    assert_true(clock() - begin < 10 * CLOCKS_PER_SEC);
    free(up);
    free(down);
}

/* Maps in maps: a value that is looked at twice at each level would take 2 to the power of their depth. */
static void test_equal_maps_in_maps(void **state) {
    enum { depth = 60 };
    static const connect_str_t keys[2] = {{"x", 1}, {"y", 1}};
    test_kinds_Maps a[depth], b[depth];
    test_kinds_Maps_MapsEntry entries_a[depth][2], entries_b[depth][2];
    const clock_t begin = clock();
    size_t i, k;
    (void)state;
    memset(a, 0, sizeof a);
    memset(b, 0, sizeof b);
    for (i = 0; i + 1 < depth; i++) {
        for (k = 0; k < 2; k++) {
            entries_a[i][k].key = entries_b[i][1 - k].key = keys[k];
            entries_a[i][k].value = k ? &a[depth - 1] : &a[i + 1];
            entries_b[i][1 - k].value = k ? &b[depth - 1] : &b[i + 1];
        }
        a[i].maps.items = entries_a[i];
        b[i].maps.items = entries_b[i];
        a[i].maps.count = b[i].maps.count = 2;
    }
    assert_true(connect_message_equal(&test_kinds_Maps_type, a, b));
    b[depth - 1].by_int32.items = (const test_kinds_Maps_ByInt32Entry[1]){{1, 2}};
    b[depth - 1].by_int32.count = 1;
    entries_b[depth - 2][0].value = entries_b[depth - 2][1].value = &b[depth - 1];
    for (i = 0; i + 2 < depth; i++)
        entries_b[i][0].value = &a[depth - 1]; /* only the deepest differ */
    assert_false(connect_message_equal(&test_kinds_Maps_type, a, b));
    assert_true(clock() - begin < 10 * CLOCKS_PER_SEC);
}

static void test_equal_unknown_and_null(void **state) {
    static const connect_str_t whole[1] = {{"\x9A\x01\x01\x61\x98\x01\x05", 7}},
                               parts[4] = {{"\x9A\x01\x01\x61", 4}, {NULL, 0}, {"\x98", 1}, {"\x01\x05", 2}},
                               other[1] = {{"\x9A\x01\x01\x61\x98\x01\x06", 7}};
    static const all_small empty = {0, {NULL, 0}, {NULL, 0}}, full = {1, {NULL, 0}, {NULL, 0}};
    all_types a = all_types_defaults, b = all_types_defaults;
    (void)state;
    a.unknown_fields.items = whole;
    a.unknown_fields.count = 1;
    assert_false(connect_message_equal(&all_types_type, &a, &b));
    b.unknown_fields.items = parts;
    b.unknown_fields.count = 4;
    assert_true(connect_message_equal(&all_types_type, &a, &b));
    assert_true(connect_message_equal(&all_types_type, &b, &a));
    b.unknown_fields.items = other;
    b.unknown_fields.count = 1;
    assert_false(connect_message_equal(&all_types_type, &a, &b));
    a = b = all_types_defaults;
    a.choice_case = b.choice_case = 97;
    a.choice.choice_message = NULL;
    b.choice.choice_message = &empty;
    assert_true(connect_message_equal(&all_types_type, &a, &b));
    b.choice.choice_message = &full;
    assert_false(connect_message_equal(&all_types_type, &a, &b));
    b.choice_case = 98;
    b.choice.choice_group = NULL;
    assert_false(connect_message_equal(&all_types_type, &a, &b));
}

/* ---- Copy and merge ---- */

/* The source is overwritten before the copy is looked at. */
static void test_copy_is_deep(void **state) {
    all_types full = all_types_full(&arena), m, copy;
    connect_str_t bytes = encoded(&all_types_type, &full), input;
    guarded area = guarded_copy(bytes.data, bytes.len, 0);
    connect_arena_t other = CONNECT_DEFAULTS, target = CONNECT_DEFAULTS;
    (void)state;
    input.data = area.data;
    input.len = area.len;
    assert_true(connect_message_decode(&all_types_type, &m, input, &other, NULL, NULL));
    assert_true(connect_message_copy(&all_types_type, &copy, &m, &target));
    memset(area.data, 0xDD, area.len);
    guarded_free(&area);
    connect_arena_free(&other);
    assert_true(connect_message_equal(&all_types_type, &copy, &full));
    assert_int_equal(encoded(&all_types_type, &copy).len, bytes.len);
    assert_memory_equal(encoded(&all_types_type, &copy).data, bytes.data, bytes.len);
    connect_arena_free(&target);
}

/* Merging messages is decoding one's bytes behind the other's. */
static void test_merge_is_concatenation(void **state) {
    static const connect_str_t unknown_a[1] = {{"\x9A\x01\x01\x61", 4}},
                               unknown_b[2] = {{"\x98\x01\x05", 3}, {"\x98\x01\x06", 3}};
    static const all_small small = {5, {NULL, 0}, {NULL, 0}};
    all_types a = all_types_full(&arena), b = all_types_defaults, inner = all_types_defaults, merged;
    connect_str_t first, second;
    char *both;
    int round;
    (void)state;
    a.unknown_fields.items = unknown_a;
    a.unknown_fields.count = 1;
    inner.single_uint64 = 77;
    b.single_message = &inner;
    b.single_string = connect_str_of("replaced");
    b.repeated_int32 = a.repeated_sint32;
    b.repeated_message = a.repeated_group;
    b.map_int32_int32 = a.map_int32_int32;
    b.optional_bytes = connect_str_of("");
    b.unknown_fields.items = unknown_b;
    b.unknown_fields.count = 2;
    for (round = 0; round < 3; round++) {
        b.choice_case = round == 0 ? 0 : round == 1 ? 97 : 98;
        b.choice.choice_message = &small; /* and, in the same place, the group */
        first = encoded(&all_types_type, &a);
        second = encoded(&all_types_type, &b);
        both = (char *)connect_arena_take(&arena, 1, first.len + second.len);
        memcpy(both, first.data, first.len);
        memcpy(both + first.len, second.data, second.len);
        first.data = both;
        first.len += second.len;
        assert_true(connect_message_decode(&all_types_type, &merged, first, &arena, NULL, NULL));
        {
            all_types target = a;
            assert_true(connect_message_merge(&all_types_type, &target, &b, &arena));
            assert_true(connect_message_equal(&all_types_type, &target, &merged));
            assert_int_equal(target.single_message->single_int32, -5);
            assert_true(target.single_message->single_uint64 == 77);
            assert_int_equal(a.single_message->single_uint64, 0); /* the messages of `to` are not written to */
            assert_int_equal(target.repeated_int32.count, 10);
        }
    }
}

static void test_copy_too_deep(void **state) {
    all_types loop = all_types_defaults, copy;
    (void)state;
    loop.single_int32 = 1;
    loop.child = &loop;
    assert_false(connect_message_copy(&all_types_type, &copy, &loop, &arena));
    assert_null(copy.child);
    assert_int_equal(copy.single_int32, 0);
    assert_int_equal(copy.closed, 1);
    assert_true(connect_message_size(&all_types_type, &loop) > 0);
}

static bool copy_and_merge(const connect_allocator_t *allocator, void *arg) {
    const all_types *source = (const all_types *)arg;
    connect_arena_t own;
    all_types m;
    bool ok;
    connect_arena_init(&own, NULL, 0, allocator);
    ok = connect_message_copy(&all_types_type, &m, source, &own) &&
        connect_message_merge(&all_types_type, &m, source, &own);
    if (!ok) assert_memory_equal(&m, &all_types_defaults, sizeof m);
    connect_arena_free(&own);
    return ok;
}

static void test_out_of_memory(void **state) {
    static const connect_str_t unknown[1] = {{"\x9A\x01\x01\x61", 4}};
    all_types m = all_types_full(&arena);
    (void)state;
    m.unknown_fields.items = unknown;
    m.unknown_fields.count = 1;
    sweep_allocations(copy_and_merge, &m);
}

/* ---- Maps, enums, schemas ---- */

static void test_map_get(void **state) {
    all_types m = all_types_full(&arena);
    const connect_str_t key = {"k2", 2}, empty = {"", 0}, no = {"k3", 2};
    const int64_t smallest = INT64_MIN;
    const bool truth = false;
    const all_map_string_string_entry *text;
    const all_map_sint64_enum_entry *number;
    (void)state;
    text = (const all_map_string_string_entry *)connect_message_map_get(&all_types_type, &m, 102, &key);
    assert_non_null(text);
    assert_str(text->value, "v");
    assert_non_null(connect_message_map_get(&all_types_type, &m, 102, &empty));
    assert_null(connect_message_map_get(&all_types_type, &m, 102, &no));
    number = (const all_map_sint64_enum_entry *)connect_message_map_get(&all_types_type, &m, 106, &smallest);
    assert_non_null(number);
    assert_int_equal(number->value, 2);
    assert_non_null(connect_message_map_get(&all_types_type, &m, 105, &truth));
}

static void test_enums(void **state) {
    static const connect_enum_value_t gaps[5] = {{-5, 0}, {-5, 2}, {3, 4}, {INT32_MAX, 6}, {INT32_MAX, 8}};
    static const connect_enum_t odd = {"test.Odd", gaps, "A\0B\0C\0D\0E", 5, false},
                                none = {"test.None", NULL, "", 0, true};
    int32_t number = 77;
    (void)state;
    assert_string_equal(connect_enum_name(&all_open_enum, -1), "NEGATIVE");
    assert_string_equal(connect_enum_name(&all_open_enum, 0), "ZERO");
    assert_string_equal(connect_enum_name(&all_open_enum, 1), "ONE");
    assert_string_equal(connect_enum_name(&all_open_enum, 2), "TWO");
    assert_string_equal(connect_enum_name(&all_open_enum, 100), "HUNDRED");
    assert_null(connect_enum_name(&all_open_enum, 3));
    assert_null(connect_enum_name(&all_open_enum, -2));
    assert_null(connect_enum_name(&all_open_enum, INT32_MAX));
    assert_string_equal(connect_enum_name(&odd, -5), "A");
    assert_string_equal(connect_enum_name(&odd, 3), "C");
    assert_string_equal(connect_enum_name(&odd, INT32_MAX), "D");
    assert_null(connect_enum_name(&odd, INT32_MIN));
    assert_null(connect_enum_name(&none, 0));
    assert_true(connect_enum_number(&all_open_enum, connect_str_of("UNO_"), &number));
    assert_int_equal(number, 1);
    assert_true(connect_enum_number(&all_open_enum, cn_str("HUNDREDS", 7), &number));
    assert_int_equal(number, 100);
    assert_false(connect_enum_number(&all_open_enum, connect_str_of("HUNDREDS"), &number));
    assert_false(connect_enum_number(&all_open_enum, connect_str_of("HUN"), &number));
    assert_false(connect_enum_number(&all_open_enum, connect_str_of(""), &number));
    assert_false(connect_enum_number(&all_open_enum, cn_str("ONE\0UNO_", 8), &number));
    assert_int_equal(number, 100);
}

static void test_schema(void **state) {
    static const connect_type_t *const types_a[] = {&all_small_type},
                                       *const types_b[] = {&all_types_type, &all_needy_type};
    static const connect_file_t a = {.name = "a.proto", .types = {types_a, 1}},
                                b = {.name = "b.proto", .types = {types_b, 2}};
    static const connect_file_t *const files[] = {&a, &b};
    const connect_schema_t schema = {files, 2}, empty = {NULL, 0};
    (void)state;
    assert_ptr_equal(connect_schema_type(schema, "test.Small"), &all_small_type);
    assert_ptr_equal(connect_schema_type(schema, "test.Needy"), &all_needy_type);
    assert_null(connect_schema_type(schema, "test.Need"));
    assert_null(connect_schema_type(empty, "test.Small"));
}

int main(void) {
#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
    const struct CMUnitTest tests[] = {TEST(test_init), TEST(test_get_and_set), TEST(test_every_field_by_name),
        TEST(test_name_slots), TEST(test_equal_differs), TEST(test_equal_numbers), TEST(test_equal_maps),
        TEST(test_equal_large_maps), TEST(test_equal_maps_in_maps),
        TEST(test_equal_unknown_and_null), TEST(test_copy_is_deep), TEST(test_merge_is_concatenation),
        TEST(test_copy_too_deep), TEST(test_out_of_memory), TEST(test_map_get), TEST(test_enums), TEST(test_schema)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
