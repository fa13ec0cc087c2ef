#define CONNECT_IMPLEMENTATION
#include "connect.h"

#include "tests/support/alltypes.h"
#include "tests/support/support.h"

/* Private macros end with connect.h; these are used here, too. */
#define CN_SLACK 16
#define CN_PB_WINDOW (64u * 1024u)
#define CN_PB_MARGIN 64u

/* ---- Helpers ---- */

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

/* Reads "08 96 01"; spaces do not matter. */
static connect_str_t hex(const char *text) {
    size_t len = 0;
    char *bytes = (char *)connect_arena_take(&arena, strlen(text) / 2 + 1, 1);
    connect_str_t view;
    assert_non_null(bytes);
    while (*text) {
        unsigned byte;
        if (*text == ' ') {
            text++;
            continue;
        }
        assert_int_equal(sscanf(text, "%2x", &byte), 1);
        bytes[len++] = (char)(unsigned char)byte;
        text += 2;
    }
    view.data = bytes;
    view.len = len;
    return view;
}

static connect_str_t repeat(connect_str_t part, size_t times) {
    connect_str_t view;
    char *bytes = (char *)connect_arena_take(&arena, part.len * times + 1, 1);
    size_t i;
    assert_non_null(bytes);
    for (i = 0; i < times; i++)
        memcpy(bytes + i * part.len, part.data, part.len);
    view.data = bytes;
    view.len = part.len * times;
    return view;
}

static connect_str_t join(connect_str_t a, connect_str_t b) {
    connect_str_t view;
    char *bytes = (char *)connect_arena_take(&arena, a.len + b.len + 1, 1);
    assert_non_null(bytes);
    if (a.len) memcpy(bytes, a.data, a.len);
    if (b.len) memcpy(bytes + a.len, b.data, b.len);
    view.data = bytes;
    view.len = a.len + b.len;
    return view;
}

/* A LEN record around bytes. */
static connect_str_t wrap(uint32_t number, connect_str_t bytes) {
    connect_writer_t writer = {&arena, {NULL, 0}, false, 0};
    connect_writer_put(&writer, number, CONNECT_KIND_BYTES, &bytes);
    assert_false(writer.failed);
    return writer.written;
}

static void assert_bytes(connect_str_t actual, connect_str_t expected) {
    assert_non_null(actual.data);
    assert_int_equal(actual.len, expected.len);
    if (expected.len) assert_memory_equal(actual.data, expected.data, expected.len);
}

/* Decodes at a guard page, without and with slack; both must agree. The message's views stay readable. */
static bool decode(const connect_type_t *type, void *message, connect_str_t bytes,
    const connect_codec_options_t *options, connect_error_t *error) {
    guarded slack = guarded_copy(bytes.data, bytes.len, CN_SLACK), plain = guarded_copy(bytes.data, bytes.len, 0);
    connect_codec_options_t copying = CONNECT_DEFAULTS;
    void *other = connect_arena_take(&arena, 1, type->size);
    connect_error_t other_error;
    connect_str_t view;
    bool ok, other_ok;
    if (options) copying = *options;
    copying.copy = true;
    if (copying.merge) memcpy(other, message, type->size);
    memset(error, 0, sizeof *error);
    memset(&other_error, 0, sizeof other_error);
    view.len = bytes.len;
    view.data = slack.data;
    other_ok = cn_pb_decode(type, other, view, &arena, options, &other_error);
    if (other_ok && type != &all_needy_type) { /* views of the input: looked at before it goes */
        connect_str_t again = connect_message_encode(type, other, &arena, options, &other_error);
        if (!again.data) fail_msg("%s", other_error.message.data);
    }
    if (copying.merge) assert_true(other_ok || connect_message_equal(type, message, other)); /* failed: untouched */
    view.data = plain.data;
    if (!copying.merge) {
        ok = connect_message_decode(type, other, view, &arena, options, &other_error);
        assert_int_equal(ok, other_ok);
    }
    ok = connect_message_decode(type, message, view, &arena, &copying, error);
    assert_int_equal(ok, other_ok);
    if (!ok) {
        assert_non_null(error->message.data);
        assert_int_equal(error->code, other_error.code);
        assert_string_equal(error->message.data, other_error.message.data);
    }
    guarded_free(&slack);
    guarded_free(&plain);
    return ok;
}

static all_types good(const char *bytes) {
    all_types m;
    connect_error_t error;
    if (!decode(&all_types_type, &m, hex(bytes), NULL, &error)) fail_msg("%s: %s", bytes, error.message.data);
    return m;
}

static connect_str_t encoded(const connect_type_t *type, const void *message) {
    connect_error_t error;
    connect_str_t bytes = connect_message_encode(type, message, &arena, NULL, &error);
    if (!bytes.data) fail_msg("%s", error.message.data);
    assert_int_equal(bytes.len, connect_message_size(type, message));
    return bytes;
}

static void refused(const connect_type_t *type, connect_str_t bytes, const connect_codec_options_t *options,
    connect_code_t code, const char *text) {
    void *m = connect_arena_take(&arena, 1, type->size), *fresh = connect_arena_take(&arena, 1, type->size);
    connect_error_t error;
    assert_false(decode(type, m, bytes, options, &error));
    assert_int_equal(error.code, code);
    assert_string_equal(error.message.data, text);
    connect_message_init(type, fresh);
    assert_memory_equal(m, fresh, type->size);
}

static uint64_t random_state;
static uint32_t random_next(void) {
    random_state = random_state * 6364136223846793005u + 1442695040888963407u;
    return (uint32_t)(random_state >> 33);
}

/* ---- What bytes mean ---- */

static void test_golden(void **state) {
    static const struct {
        const char *bytes, *canonical; /* canonical NULL: the same */
    } cases[] = {
        {"", NULL}, {"09 000000000000F03F", NULL},                /* double */
        {"09 0000000000000080", NULL},                            /* -0.0 is not the default */
        {"09 0000000000000000", ""},                              /* 0 is */
        {"15 0000A03F", NULL},                                    /* float */
        {"15 00000080", NULL}, {"18 FFFFFFFFFFFFFFFFFF01", NULL}, /* int64 -1 */
        {"20 8001", NULL},                                        /* uint64 */
        {"20 80808080808080808001", NULL}, {"20 8080808001", NULL}, {"20 FF7F", NULL}, {"20 FFFFFF7F", NULL},
        {"20 FFFFFFFFFF7F", NULL}, {"20 FFFFFFFFFFFF7F", NULL}, {"20 FFFFFFFFFFFFFF7F", NULL},
        {"20 FFFFFFFFFFFFFFFF7F", NULL}, {"20 818000", "20 01"},        /* longer than need be */
        {"28 96 01", NULL},                                             /* int32 150 */
        {"28 FFFFFFFF0F", "28 FFFFFFFFFFFFFFFFFF01"},                   /* cut to 32 bits, written sign-extended */
        {"28 8080808010", ""},                                          /* bit 32 is cut off */
        {"31 0807060504030201", NULL},                                  /* fixed64 */
        {"3D 04030201", NULL},                                          /* fixed32 */
        {"40 01", NULL},                                                /* bool */
        {"40 8002", "40 01"}, {"40 80808080808080808001", "40 01"},     /* only the 64th bit */
        {"48 FFFFFFFF0F", NULL},                                        /* uint32 */
        {"50 64", NULL},                                                /* enum */
        {"50 B960", NULL},                                              /* a number it does not know */
        {"5D FFFFFFFF", NULL},                                          /* sfixed32 */
        {"61 FFFFFFFFFFFFFFFF", NULL},                                  /* sfixed64 */
        {"68 0B", NULL},                                                /* sint32 -6 */
        {"68 FFFFFFFF0F", NULL},                                        /* INT32_MIN */
        {"70 FFFFFFFFFFFFFFFFFF01", NULL},                              /* sint64 INT64_MIN */
        {"7A 03 61C3A9", NULL},                                         /* string */
        {"7A 00", ""}, {"8201 02 FF00", NULL},                          /* bytes: any */
        {"8A01 00", NULL},                                              /* message */
        {"8A01 02 2801", NULL}, {"9301 9401", NULL},                    /* group */
        {"9301 0805 9401", NULL}, {"A901 0000000000000000", NULL},      /* optional double: 0, and there */
        {"8802 00", NULL},                                              /* optional sint32 */
        {"9A02 00", NULL},                                              /* optional string */
        {"E802 01", NULL},                                              /* repeated */
        {"E802 01 E802 02", NULL}, {"EA02 02 0102", "E802 01 E802 02"}, /* packed where unpacked is declared */
        {"8804 01 8804 02", "8A04 02 0102"},                            /* and the other way */
        {"8A04 00", ""}, {"8A04 02 0102 8A04 01 03", "8A04 03 010203"}, {"F203 08 0000803F 00000040", NULL},
        {"F503 0000803F F503 00000040", "F203 08 0000803F 00000040"},
        {"BA03 01 61 BA03 00", NULL},                        /* repeated string */
        {"CA03 02 0801 CA03 00", NULL},                      /* repeated message */
        {"D303 0801 D403 D303 D403", NULL},                  /* repeated group */
        {"8A06 02 0801", NULL},                              /* oneof message */
        {"9306 0801 9406", NULL},                            /* oneof group */
        {"A805 00", NULL},                                   /* oneof scalar: 0, and there */
        {"FA05 00", NULL}, {"AA06 00", "AA06 04 0800 1000"}, /* map: missing is default, both are written */
        {"AA06 02 1005", "AA06 04 0800 1005"}, {"AA06 04 1005 0803", "AA06 04 0803 1005"},
        {"AA06 06 0801 0802 1005", "AA06 04 0802 1005"}, {"BA06 00", "BA06 04 0A00 1200"},
        {"DA06 00", "DA06 07 0D00000000 1001"},     /* a closed enum's default is its first */
        {"C807 02", NULL},                          /* closed */
        {"9A08 00", NULL}, {"F8FFFFFF0F 01", NULL}, /* the largest number */
        {"8800 01", NULL}                           /* a tag longer than need be: wrong wire type, unknown */
    };
    size_t i;
    (void)state;
    for (i = 0; i < sizeof cases / sizeof *cases; i++) {
        all_types m, again;
        connect_error_t error;
        connect_str_t expected = hex(cases[i].canonical ? cases[i].canonical : cases[i].bytes), written;
        if (!decode(&all_types_type, &m, hex(cases[i].bytes), NULL, &error))
            fail_msg("%s: %s", cases[i].bytes, error.message.data);
        written = encoded(&all_types_type, &m);
        if (written.len != expected.len || memcmp(written.data, expected.data, written.len) != 0)
            fail_msg("case %d: %s: other bytes, %d of them", (int)i, cases[i].bytes, (int)written.len);
        assert_true(decode(&all_types_type, &again, written, NULL, &error));
        assert_true(connect_message_equal(&all_types_type, &m, &again));
    }
}

static void test_values(void **state) {
    all_types m =
        good("09 000000000000F83F 15 000020C0 18 FFFFFFFFFFFFFFFFFF01 20 8001 28 FFFFFFFF0F 31 0807060504030201"
             "3D 04030201 40 05 48 FFFFFFFF0F 50 64 5D FEFFFFFF 61 FDFFFFFFFFFFFFFF 68 0B 70 0C 7A 01 61"
             "8201 01 FF");
    (void)state;
    assert_true(m.single_double > 1.4 && m.single_double < 1.6);
    assert_true(m.single_float < -2.4f && m.single_float > -2.6f);
    assert_true(m.single_int64 == -1);
    assert_true(m.single_uint64 == 128);
    assert_int_equal(m.single_int32, -1);
    assert_true(m.single_fixed64 == 0x0102030405060708u);
    assert_int_equal(m.single_fixed32, 0x01020304);
    assert_true(m.single_bool);
    assert_true(m.single_uint32 == UINT32_MAX);
    assert_int_equal(m.single_enum, 100);
    assert_int_equal(m.single_sfixed32, -2);
    assert_true(m.single_sfixed64 == -3);
    assert_int_equal(m.single_sint32, -6);
    assert_true(m.single_sint64 == 6);
    assert_str(m.single_string, "a");
    assert_str(m.single_bytes, "\xFF");
    assert_int_equal(m.unknown_fields.count, 0);
    assert_false(m.has_optional_double);
    assert_null(m.optional_string.data);
    assert_int_equal(m.closed, 1);       /* the default */
    m = good("A801 01 B002 00 9A02 00"); /* 21 with a wrong wire type, 38 unknown */
    assert_non_null(m.optional_string.data);
    assert_int_equal(m.optional_string.len, 0);
    assert_int_equal(m.unknown_fields.count, 1);
}

static void test_last_wins(void **state) {
    all_types m = good("28 01 28 02 7A 01 61 7A 01 62");
    (void)state;
    assert_int_equal(m.single_int32, 2);
    assert_str(m.single_string, "b");
}

static void test_split_message(void **state) {
    all_types m = good("8A01 07 2801 CA03 02 0801 8A01 07 2002 CA03 02 0802");
    (void)state;
    assert_non_null(m.single_message);
    assert_int_equal(m.single_message->single_int32, 1);
    assert_true(m.single_message->single_uint64 == 2);
    assert_int_equal(m.single_message->repeated_message.count, 2);
    assert_int_equal(m.single_message->repeated_message.items[1].id, 2);
    m = good("9301 0801 9401 9301 1201 61 9401");
    assert_int_equal(m.single_group->id, 1);
    assert_str(m.single_group->name, "a");
}

static void test_oneof(void **state) {
    all_types m = good("A805 07");
    (void)state;
    assert_int_equal(m.choice_case, 85);
    m = good("A805 07 FA05 01 61");
    assert_int_equal(m.choice_case, 95);
    assert_str(m.choice.choice_string, "a");
    m = good("8A06 02 0801 8A06 03 1201 61"); /* the same message twice: merged */
    assert_int_equal(m.choice_case, 97);
    assert_int_equal(m.choice.choice_message->id, 1);
    assert_str(m.choice.choice_message->name, "a");
    m = good("8A06 02 0801 A805 07 8A06 03 1201 61"); /* something else in between: anew */
    assert_int_equal(m.choice.choice_message->id, 0);
    assert_str(m.choice.choice_message->name, "a");
    m = good("8A06 02 0801 9306 1201 61 9406"); /* another message of the same type */
    assert_int_equal(m.choice_case, 98);
    assert_int_equal(m.choice.choice_group->id, 0);
}

static void test_unknown_fields(void **state) {
    static const char bytes[] = "08 01"                     /* number 1, wrong wire type */
                                "9A01 01 61"                /* number 19 */
                                "28 05"                     /* known */
                                "9B01 A301 08 01 A401 9C01" /* groups */
                                "A501 01020304"             /* number 20, I32 */
                                "A101 0102030405060708";
    all_types m = good(bytes), dropped;
    connect_codec_options_t options = CONNECT_DEFAULTS;
    connect_error_t error;
    (void)state;
    assert_int_equal(m.single_int32, 5);
    assert_int_equal(m.unknown_fields.count, 2); /* adjacent ones are one */
    assert_bytes(m.unknown_fields.items[0], hex("08 01 9A01 01 61"));
    assert_bytes(m.unknown_fields.items[1], hex("9B01 A301 0801 A401 9C01 A501 01020304 A101 0102030405060708"));
    assert_bytes(encoded(&all_types_type, &m),
        hex("28 05 08 01 9A01 01 61 9B01 A301 0801 A401 9C01 A501 01020304 A101 0102030405060708"));
    options.drop_unknown = true;
    assert_true(decode(&all_types_type, &dropped, hex(bytes), &options, &error));
    assert_int_equal(dropped.unknown_fields.count, 0);
    assert_bytes(encoded(&all_types_type, &dropped), hex("28 05"));
}

static void test_closed_enum(void **state) {
    all_types m = good("C807 02 C807 05"); /* the last known one stays */
    (void)state;
    assert_true(m.has_closed);
    assert_int_equal(m.closed, 2);
    assert_int_equal(m.unknown_fields.count, 1);
    m = good("C807 05");
    assert_false(m.has_closed);
    assert_int_equal(m.closed, 1);
    m = good("D007 07 D007 08 D007 01");
    assert_int_equal(m.repeated_closed.count, 2);
    assert_bytes(encoded(&all_types_type, &m), hex("D007 07 D007 01 D007 08"));
    m = good("DA07 06 07 08 01 8001 02"); /* packed: unknown numbers become records of their own */
    assert_int_equal(m.packed_closed.count, 3);
    assert_int_equal(m.packed_closed.items[2], 2);
    assert_bytes(encoded(&all_types_type, &m), hex("DA07 03 07 01 02 D807 08 D807 8001"));
    m = good("DA06 07 0D01000000 1009 DA06 07 0D02000000 1007"); /* map: the whole entry is unknown */
    assert_int_equal(m.map_sfixed32_closed.count, 1);
    assert_int_equal(m.map_sfixed32_closed.items[0].key, 2);
    assert_bytes(encoded(&all_types_type, &m), hex("DA06 07 0D02000000 1007 DA06 07 0D01000000 1009"));
    m = good("DA06 07 0D01000000 1009");
    assert_int_equal(m.map_sfixed32_closed.count, 0);
}

static void test_maps(void **state) {
    const int32_t key = 1;
    const connect_str_t one = {"one", 3};
    const all_map_int32_int32_entry *entry;
    const all_map_string_message_entry *message;
    all_types m = good("AA06 04 0801 1002 AA06 04 0803 1004 AA06 04 0801 1009 BA06 05 0A03 6F6E65");
    (void)state;
    assert_int_equal(m.map_int32_int32.count, 3);
    entry = (const all_map_int32_int32_entry *)connect_message_map_get(&all_types_type, &m, 101, &key);
    assert_non_null(entry);
    assert_int_equal(entry->value, 9);
    message = (const all_map_string_message_entry *)connect_message_map_get(&all_types_type, &m, 103, &one);
    assert_non_null(message);
    assert_non_null(message->value); /* missing: the default message */
    assert_null(connect_message_map_get(&all_types_type, &m, 17, &key));
    assert_null(connect_message_map_get(&all_types_type, &m, 19, &key));
}

/* An entry as the reader by hand sees it. Returns false: malformed. */
static bool entry_by_hand(connect_str_t bytes, all_map_string_string_entry *entry) {
    connect_reader_t reader = {bytes, false};
    connect_record_t record;
    memset(entry, 0, sizeof *entry);
    while (connect_reader_next(&reader, &record)) {
        connect_str_t *to = record.number == 1 ? &entry->key : record.number == 2 ? &entry->value : NULL;
        if (!to || record.wire != CONNECT_WIRE_BYTES) continue;
        if (!cn_utf8_valid(record.bytes)) return false;
        *to = record.bytes;
    }
    return !reader.failed;
}

static void entry_is_as_by_hand(connect_str_t bytes) {
    all_map_string_string_entry expected;
    connect_error_t error;
    all_types m;
    const bool ok = entry_by_hand(bytes, &expected);
    assert_int_equal(decode(&all_types_type, &m, wrap(102, bytes), NULL, &error), ok);
    if (!ok) return;
    assert_int_equal(m.map_string_string.count, 1);
    assert_true(connect_str_equal(m.map_string_string.items[0].key, expected.key));
    assert_true(connect_str_equal(m.map_string_string.items[0].value, expected.value));
}

/* Maps of texts have a way of their own, for entries as nearly all are. */
static void test_maps_of_texts(void **state) {
    static const size_t lens[] = {0, 1, 2, 11, 12, 13, 16, 123, 127, 128, 300};
    static const char *const chars[] = {"61", "C3A9", "C3", "80"};
    size_t i, k, c, at;
    (void)state;
    entry_is_as_by_hand(hex(""));
    entry_is_as_by_hand(hex("1201 76 0A01 6B"));           /* the value first */
    entry_is_as_by_hand(hex("0A01 6B 0A02 6B32 1201 76")); /* a key again */
    entry_is_as_by_hand(hex("0A01 6B 1201 76 1800"));      /* an unknown field */
    entry_is_as_by_hand(hex("0A01 6B 0A01 76"));
    entry_is_as_by_hand(hex("0801 1201 76"));
    for (i = 0; i < CN_LEN(lens); i++) {
        for (k = 0; k < CN_LEN(lens); k++) {
            const connect_str_t key = wrap(1, repeat(hex("61"), lens[i])), value = wrap(2, repeat(hex("7A"), lens[k]));
            const connect_str_t entry = join(key, value);
            entry_is_as_by_hand(join(value, key));
            for (at = entry.len > 40 ? entry.len - 40 : 0; at <= entry.len; at++) {
                connect_str_t part = entry;
                part.len = at;
                entry_is_as_by_hand(part);
            }
            for (c = 0; c < CN_LEN(chars); c++) {
                const connect_str_t text = hex(chars[c]);
                entry_is_as_by_hand(join(wrap(1, join(repeat(hex("61"), lens[i]), text)), value));
                entry_is_as_by_hand(join(key, wrap(2, join(text, repeat(hex("61"), lens[k])))));
            }
        }
        connect_arena_reset(&arena);
    }
    random_state = 20261127;
    for (i = 0; i < 20000; i++) {
        const connect_str_t key = wrap(1, repeat(hex("61"), random_next() % 20));
        const connect_str_t entry = join(key, wrap(2, repeat(hex("61"), random_next() % 20)));
        char damaged[64];
        memcpy(damaged, entry.data, entry.len);
        for (k = 0; k < 1 + i % 2; k++)
            damaged[random_next() % entry.len] = (char)(random_next() % (i % 3 ? 32 : 256));
        entry_is_as_by_hand(cn_str(damaged, entry.len));
        connect_arena_reset(&arena);
    }
}

/* ---- What is refused ---- */

static void test_malformed(void **state) {
    static const struct {
        const char *bytes, *text;
    } cases[] = {{"28", "test.All.single_int32: truncated at byte 1"},
        {"28 80", "test.All.single_int32: truncated at byte 1"},
        {"28 8080808080808080808001", "test.All.single_int32: varint too long at byte 1"},
        {"28 80808080808080808002", "test.All.single_int32: varint too long at byte 1"},
        {"28 FFFFFFFFFFFFFFFFFF7F", "test.All.single_int32: varint too long at byte 1"},
        {"20 80808080808080808080808080808080808080", "test.All.single_uint64: varint too long at byte 1"},
        {"09 01020304050607", "test.All.single_double: truncated at byte 1"},
        {"15 010203", "test.All.single_float: truncated at byte 1"},
        {"7A", "test.All.single_string: truncated at byte 1"},
        {"7A 02 61", "test.All.single_string: truncated at byte 1"},
        {"7A FFFFFFFF0F 61", "test.All.single_string: truncated at byte 1"},
        {"7A FFFFFFFFFFFFFFFFFF01 61", "test.All.single_string: truncated at byte 1"},
        {"7A 01 FF", "test.All.single_string: not UTF-8 at byte 2"},
        {"7A 03 EDA080", "test.All.single_string: not UTF-8 at byte 2"},
        {"7A 0A 61616161616161616180", "test.All.single_string: not UTF-8 at byte 2"},
        {"BA03 01 61 BA03 01 80", "test.All.repeated_string[1]: not UTF-8 at byte 7"},
        {"CA03 00 CA03 03 1201 80", "test.All.repeated_message[1].name: not UTF-8 at byte 8"},
        {"B206 03 0A01 80", "test.All.map_string_string[0].key: not UTF-8 at byte 5"},
        {"00 01", "test.All: field number 0 at byte 0"}, {"02 00", "test.All: field number 0 at byte 0"},
        {"8000", "test.All: field number 0 at byte 0"}, {"0F", "test.All: unknown wire type at byte 0"},
        {"2E", "test.All: unknown wire type at byte 0"}, {"2F", "test.All: unknown wire type at byte 0"},
        {"9E01", "test.All: unknown wire type at byte 0"},
        {"8080808010 01", "test.All: field number too large at byte 0"},
        {"808080808000 01", "test.All: field number too large at byte 0"},
        {"FFFFFFFFFFFFFFFFFF01", "test.All: field number too large at byte 0"}, {"80", "test.All: truncated at byte 0"},
        {"80808080", "test.All: truncated at byte 0"}, {"2C", "test.All: end of a group that was not begun at byte 0"},
        {"9401", "test.All: end of a group that was not begun at byte 0"}, {"04", "test.All: field number 0 at byte 0"},
        {"9301 0801", "test.All.single_group: truncated at byte 4"},
        {"9301 0801 9C01", "test.All.single_group: end of a group that was not begun at byte 4"},
        {"9B01", "test.All: truncated at byte 2"}, {"9B01 9401", "test.All: end of another group at byte 2"},
        {"9B01 A301 9C01 A401", "test.All: end of another group at byte 4"},
        {"8A01 02 9B01 9C01", "test.All.single_message: truncated at byte 5"}, /* a group does not end outside */
        {"8A01 01 28 01", "test.All.single_message.single_int32: truncated at byte 4"},
        {"8A04 02 0180", "test.All.packed_int32[0]: truncated at byte 3"},
        {"8A04 0B 8080808080808080808001", "test.All.packed_int32[0]: varint too long at byte 3"},
        {"EA03 03 010203", "test.All.packed_double[0]: truncated at byte 3"},
        {"F203 05 0102030405", "test.All.packed_float[0]: truncated at byte 3"},
        {"9A08 04 A208 01 28", "test.All.child.children[0].single_int32: truncated at byte 7"}};
    size_t i;
    (void)state;
    for (i = 0; i < sizeof cases / sizeof *cases; i++) {
        refused(&all_types_type, hex(cases[i].bytes), NULL, CONNECT_INVALID_ARGUMENT, cases[i].text);
    }
}

/* A prefix is refused unless it ends between two records. */
static void test_truncated_everywhere(void **state) {
    all_types m = all_types_full(&arena);
    connect_str_t bytes = encoded(&all_types_type, &m);
    bool *boundary = CONNECT_NEW(&arena, bool, bytes.len + 1);
    connect_reader_t reader = {bytes, false};
    connect_record_t record;
    size_t i;
    (void)state;
    boundary[0] = true;
    while (connect_reader_next(&reader, &record))
        boundary[bytes.len - reader.rest.len] = true;
    assert_false(reader.failed);
    assert_true(boundary[bytes.len]);
    for (i = 0; i <= bytes.len; i++) {
        connect_arena_t scratch = CONNECT_DEFAULTS;
        guarded plain = guarded_copy(bytes.data, i, 0), slack = guarded_copy(bytes.data, i, CN_SLACK);
        connect_str_t view;
        connect_error_t error;
        view.len = i;
        view.data = plain.data;
        if (connect_message_decode(&all_types_type, &m, view, &scratch, NULL, &error) != boundary[i])
            fail_msg("cut at %d", (int)i);
        view.data = slack.data;
        if (cn_pb_decode(&all_types_type, &m, view, &scratch, NULL, &error) != boundary[i])
            fail_msg("cut at %d", (int)i);
        if (!boundary[i]) assert_int_equal(error.code, CONNECT_INVALID_ARGUMENT);
        connect_arena_free(&scratch);
        guarded_free(&plain);
        guarded_free(&slack);
    }
}

/* Whatever stands in the slack never becomes content. */
static void test_slack_is_not_content(void **state) {
    static const unsigned char fills[] = {0x00, 0x01, 0x7F, 0x80, 0xFF};
    static const char *const inputs[] = {
        "28 80", "28", "7A 01", "20 FFFFFFFFFFFFFFFFFF", "8A04 01 80", "9B01", "80", "8A01"};
    size_t i, j;
    (void)state;
    for (i = 0; i < sizeof inputs / sizeof *inputs; i++) {
        for (j = 0; j < sizeof fills; j++) {
            connect_str_t bytes = hex(inputs[i]), view;
            guarded slack = guarded_copy(bytes.data, bytes.len, CN_SLACK);
            all_types m;
            connect_error_t error;
            memset(slack.data + bytes.len, fills[j], CN_SLACK);
            view.data = slack.data;
            view.len = bytes.len;
            assert_false(cn_pb_decode(&all_types_type, &m, view, &arena, NULL, &error));
            guarded_free(&slack);
        }
    }
}

/* ---- Limits ---- */

static connect_str_t nested(size_t depth) {
    connect_str_t bytes = {"", 0};
    while (depth--)
        bytes = wrap(131, bytes);
    return bytes;
}

static void test_depth(void **state) {
    connect_codec_options_t options = CONNECT_DEFAULTS;
    connect_error_t error;
    connect_str_t bytes, groups;
    all_types m;
    (void)state;
    bytes = nested(100);
    assert_true(decode(&all_types_type, &m, bytes, NULL, &error));
    assert_bytes(encoded(&all_types_type, &m), bytes);
    bytes = nested(101);
    assert_false(decode(&all_types_type, &m, bytes, NULL, &error));
    assert_int_equal(error.code, CONNECT_INVALID_ARGUMENT);
    assert_non_null(strstr(error.message.data, "depth_max"));
    assert_non_null(strstr(error.message.data, "test.All....child.child")); /* a long path loses its front */
    options.depth_max = 101;
    assert_true(decode(&all_types_type, &m, bytes, &options, &error));
    assert_null(connect_message_encode(&all_types_type, &m, &arena, NULL, &error).data);
    assert_int_equal(error.code, CONNECT_INVALID_ARGUMENT);
    assert_bytes(connect_message_encode(&all_types_type, &m, &arena, &options, &error), bytes);
    options.depth_max = 2;
    assert_true(decode(&all_types_type, &m, nested(2), &options, &error));
    refused(&all_types_type, nested(3), &options, CONNECT_INVALID_ARGUMENT,
        "test.All.child.child.child: nested deeper than depth_max at byte 6");
    groups = join(repeat(hex("9B01"), 100), repeat(hex("9C01"), 100)); /* unknown ones */
    assert_true(decode(&all_types_type, &m, groups, NULL, &error));
    groups = join(repeat(hex("9B01"), 101), repeat(hex("9C01"), 101));
    assert_false(decode(&all_types_type, &m, groups, NULL, &error));
    assert_int_equal(error.code, CONNECT_INVALID_ARGUMENT);
    options.depth_max = 1;
    assert_true(
        decode(&all_types_type, &m, hex("9301 9401 AA06 00 D303 D403"), &options, &error)); /* each is one level */
    assert_false(decode(&all_types_type, &m, hex("9301 9B01 9C01 9401"), &options, &error));
    assert_false(decode(&all_types_type, &m, hex("BA06 02 1200"), &options, &error));
}

/* Accepted with just enough memory_max, refused with one byte less. */
static void memory_needed(connect_str_t bytes, size_t needed) {
    connect_codec_options_t options = CONNECT_DEFAULTS;
    connect_error_t error;
    all_types m;
    options.memory_max = (uint32_t)needed;
    if (!decode(&all_types_type, &m, bytes, &options, &error)) fail_msg("%s", error.message.data);
    options.memory_max = (uint32_t)needed - 1;
    assert_false(decode(&all_types_type, &m, bytes, &options, &error));
    assert_int_equal(error.code, CONNECT_RESOURCE_EXHAUSTED);
    assert_non_null(strstr(error.message.data, "memory_max"));
}

static void test_memory(void **state) {
    connect_error_t error;
    all_types m;
    connect_str_t bytes;
    connect_codec_options_t options = CONNECT_DEFAULTS;
    (void)state;
    memory_needed(hex("8A01 00"), sizeof(all_types));
    memory_needed(repeat(hex("CA03 00"), 1000), 1000 * sizeof(all_small));
    memory_needed(repeat(hex("BA03 00"), 1000), 1000 * sizeof(connect_str_t));
    memory_needed(hex("8A04 06 010203040506"), 6 * 4);
    memory_needed(hex("8204 06 010203040506"), 6 * 8);
    memory_needed(hex("9A01 00 28 01 9A01 00"), 2 * sizeof(connect_str_t)); /* views of unknown fields */
    memory_needed(hex("AA06 00"), sizeof(all_map_int32_int32_entry));
    bytes = repeat(hex("A208 00"), 16 * 1024 * 1024 / sizeof(all_types)); /* the default: 16 MiB */
    assert_true(connect_message_decode(&all_types_type, &m, bytes, &arena, NULL, &error));
    bytes = repeat(hex("A208 00"), 16 * 1024 * 1024 / sizeof(all_types) + 1);
    assert_false(connect_message_decode(&all_types_type, &m, bytes, &arena, NULL, &error));
    assert_int_equal(error.code, CONNECT_RESOURCE_EXHAUSTED);
    options.memory_max = CONNECT_UNLIMITED;
    assert_true(connect_message_decode(&all_types_type, &m, bytes, &arena, &options, &error));
    assert_int_equal(m.children.count, 16 * 1024 * 1024 / sizeof(all_types) + 1);
}

/* Lists whose records take turns grow by doubling: linear time, and little more memory than elements. */
static void test_interleaved_lists(void **state) {
    connect_str_t bytes = repeat(hex("E802 01 8804 02 BA03 01 61 CA03 02 0801 E802 03 9A01 00"), 20000);
    all_types m;
    connect_error_t error;
    (void)state;
    assert_true(connect_message_decode(&all_types_type, &m, bytes, &arena, NULL, &error));
    assert_int_equal(m.repeated_int32.count, 40000);
    assert_int_equal(m.repeated_int32.items[39999], 3);
    assert_int_equal(m.packed_int32.count, 20000);
    assert_int_equal(m.packed_int32.items[19999], 2);
    assert_int_equal(m.repeated_string.count, 20000);
    assert_str(m.repeated_string.items[19999], "a");
    assert_int_equal(m.repeated_message.count, 20000);
    assert_int_equal(m.repeated_message.items[777].id, 1);
    assert_int_equal(m.unknown_fields.count, 20000);
}

/* When memory_max is near, lists that take turns are not moved for every item: what the arena takes stays bounded. */
static void test_interleaved_lists_at_the_end_of_memory(void **state) {
    connect_str_t bytes = repeat(hex("BA03 00 C203 00"), 60000);
    connect_codec_options_t options = CONNECT_DEFAULTS;
    connect_error_t error;
    failing_allocator f;
    connect_arena_t own;
    all_types m;
    (void)state;
    for (options.memory_max = 1000000; options.memory_max < 2000000; options.memory_max += 10007) {
        failing_init(&f, SIZE_MAX, false);
        connect_arena_init(&own, NULL, 0, &f.allocator);
        if (connect_message_decode(&all_types_type, &m, bytes, &own, &options, &error))
            assert_int_equal(m.repeated_string.count + m.repeated_bytes.count, 120000);
        else
            assert_int_equal(error.code, CONNECT_RESOURCE_EXHAUSTED);
        assert_in_range(f.taken, 1, 8 * (size_t)options.memory_max);
        connect_arena_free(&own);
    }
}

static void test_long_lists(void **state) {
    all_types m, again;
    connect_error_t error;
    int32_t *numbers = CONNECT_NEW(&arena, int32_t, 5000);
    all_small *smalls = CONNECT_NEW(&arena, all_small, 5000);
    connect_str_t *texts = CONNECT_NEW(&arena, connect_str_t, 5000), bytes;
    cn_buf_t out = {NULL, 0, 0, 0};
    int i;
    (void)state;
    connect_message_init(&all_types_type, &m);
    for (i = 0; i < 5000; i++) {
        numbers[i] = i * i;
        smalls[i].id = i;
        smalls[i].name = connect_arena_printf(&arena, "%0*d", i % 40 + 1, i);
        texts[i] = smalls[i].name;
    }
    m.packed_int32.items = numbers;
    m.packed_int32.count = m.repeated_int32.count = m.repeated_message.count = m.repeated_group.count =
        m.repeated_string.count = 5000;
    m.repeated_int32.items = numbers;
    m.repeated_message.items = m.repeated_group.items = smalls;
    m.repeated_string.items = texts;
    bytes = encoded(&all_types_type, &m); /* larger than the encoder's window */
    assert_true(bytes.len > CN_PB_WINDOW);
    assert_true(connect_message_decode(&all_types_type, &again, bytes, &arena, NULL, &error));
    assert_true(connect_message_equal(&all_types_type, &m, &again));
    assert_true(cn_buf_append(&out, NULL, "head", 4));
    assert_true(cn_pb_encode(&all_types_type, &m, &out, NULL, NULL, &arena, &error));
    assert_int_equal(cn_buf_len(&out), bytes.len + 4);
    assert_memory_equal(cn_buf_view(&out).data, "head", 4);
    assert_memory_equal(cn_buf_view(&out).data + 4, bytes.data, bytes.len);
    assert_true(cn_pb_encode(&all_types_type, &m, &out, NULL, NULL, &arena, &error)); /* behind more than itself */
    assert_int_equal(cn_buf_len(&out), 2 * bytes.len + 4);
    assert_memory_equal(cn_buf_view(&out).data + 4, bytes.data, bytes.len);
    assert_memory_equal(cn_buf_view(&out).data + 4 + bytes.len, bytes.data, bytes.len);
    cn_buf_free(&out, NULL);
}

/* ---- Required fields, defaults, merging, copying ---- */

static void test_required(void **state) {
    connect_codec_options_t partial = CONNECT_DEFAULTS;
    connect_error_t error;
    all_needy m, other;
    connect_str_t bytes;
    (void)state;
    partial.partial = true;
    refused(&all_needy_type, hex(""), NULL, CONNECT_INVALID_ARGUMENT, "test.Needy.id: required field is missing");
    refused(
        &all_needy_type, hex("08 01"), NULL, CONNECT_INVALID_ARGUMENT, "test.Needy.name: required field is missing");
    assert_true(decode(&all_needy_type, &m, hex("08 01 12 00"), NULL, &error));
    assert_str(m.unit, "K"); /* the default */
    assert_false(m.has_unit);
    assert_int_equal(m.id, 1);
    assert_true(decode(&all_needy_type, &m, hex(""), &partial, &error));
    assert_int_equal(m.id, 7);
    assert_null(connect_message_encode(&all_needy_type, &m, &arena, NULL, &error).data);
    assert_string_equal(error.message.data, "test.Needy.name: required field is missing");
    bytes = connect_message_encode(&all_needy_type, &m, &arena, &partial, &error);
    assert_non_null(bytes.data);
    assert_int_equal(bytes.len, 0);
    refused(&all_needy_type, hex("08 01 12 00 1A 02 0802"), NULL, CONNECT_INVALID_ARGUMENT,
        "test.Needy.below.name: required field is missing");
    assert_true(decode(&all_needy_type, &m, hex("08 01 12 00 1A 02 0802 1A 02 1200"), NULL, &error)); /* in two parts */
    refused(&all_needy_type, hex("08 01 12 00 22 04 0802 1200 22 00"), NULL, CONNECT_INVALID_ARGUMENT,
        "test.Needy.more[1].id: required field is missing");
    refused(&all_needy_type, hex("08 01 12 00 32 02 0805"), NULL, CONNECT_INVALID_ARGUMENT,
        "test.Needy.by_id[0].value.id: required field is missing");
    assert_true(decode(&all_needy_type, &m, hex("08 01 12 00 22 00 22 04 0802 1200"), &partial, &error));
    assert_null(connect_message_encode(&all_needy_type, &m, &arena, NULL, &error).data);
    assert_string_equal(error.message.data, "test.Needy.more[0].name: required field is missing");
    assert_true(
        decode(&all_needy_type, &m, hex("08 01 12 00 AA06 00 2A 00"), NULL, &error)); /* 101 is unknown, dropped */
    assert_true(m.has_unit);
    assert_int_equal(m.unit.len, 0);
    assert_bytes(encoded(&all_needy_type, &m), hex("08 01 12 00 2A 00"));
    partial.partial = false;
    partial.merge = true; /* what is required may come from what was there */
    connect_message_init(&all_needy_type, &other);
    other.has_id = true;
    assert_false(connect_message_decode(&all_needy_type, &other, hex("2A 00"), &arena, &partial, &error));
    assert_true(connect_message_decode(&all_needy_type, &other, hex("12 00"), &arena, &partial, &error));
    assert_int_equal(other.id, 7);
}

static void test_merge_option(void **state) {
    static const all_small foreign = {1, {"x", 1}, {NULL, 0}};
    static const int32_t numbers[2] = {1, 2};
    connect_codec_options_t options = CONNECT_DEFAULTS;
    connect_error_t error;
    all_types m = all_types_defaults;
    (void)state;
    options.merge = true;
    m.single_int32 = 9;
    m.single_string = connect_str_of("kept");
    m.single_group = &foreign; /* read-only memory: must not be written to */
    m.repeated_int32.items = numbers;
    m.repeated_int32.count = 2;
    assert_true(decode(&all_types_type, &m, hex("20 05 9301 0807 9401 E802 03 9A01 00"), &options, &error));
    m.repeated_int32.items = numbers;
    m.repeated_int32.count = 2;
    assert_true(connect_message_decode(&all_types_type, &m, hex("E802 01"), &arena, &options, &error));
    assert_int_equal(m.single_int32, 9);
    assert_true(m.single_uint64 == 5);
    assert_str(m.single_string, "kept");
    assert_int_equal(m.single_group->id, 7);
    assert_str(m.single_group->name, "x");
    assert_int_equal(foreign.id, 1);
    assert_int_equal(m.unknown_fields.count, 1);
    assert_false(connect_message_decode(&all_types_type, &m, hex("28 05 28"), &arena, &options, &error));
    assert_int_equal(m.single_int32, 9); /* a failure changes nothing */
}

static void test_copy_option(void **state) {
    connect_str_t bytes = hex("7A 03 616263 9A01 01 7A"), view;
    guarded input = guarded_copy(bytes.data, bytes.len, 0);
    connect_codec_options_t options = CONNECT_DEFAULTS;
    connect_error_t error;
    all_types m;
    (void)state;
    view.data = input.data;
    view.len = input.len;
    assert_true(connect_message_decode(&all_types_type, &m, view, &arena, NULL, &error));
    assert_true(m.single_string.data == view.data + 2); /* a view of the input */
    options.copy = true;
    assert_true(connect_message_decode(&all_types_type, &m, view, &arena, &options, &error));
    guarded_free(&input);
    assert_str(m.single_string, "abc");
    assert_bytes(m.unknown_fields.items[0], hex("9A01 01 7A"));
}

/* ---- Encoding ---- */

static void test_everything(void **state) {
    all_types m = all_types_full(&arena), again;
    connect_error_t error;
    connect_str_t bytes = encoded(&all_types_type, &m);
    cn_buf_t out = {NULL, 0, 0, 0};
    size_t i;
    (void)state;
    assert_true(decode(&all_types_type, &again, bytes, NULL, &error));
    assert_true(connect_message_equal(&all_types_type, &m, &again));
    assert_int_equal(again.unknown_fields.count, 0);
    assert_bytes(encoded(&all_types_type, &again), bytes);
    for (i = 0; i < 3; i++)
        assert_true(cn_pb_encode(&all_types_type, &m, &out, NULL, NULL, &arena, &error));
    assert_int_equal(cn_buf_len(&out), 3 * bytes.len);
    for (i = 0; i < 3; i++)
        assert_memory_equal(cn_buf_view(&out).data + i * bytes.len, bytes.data, bytes.len);
    cn_buf_free(&out, NULL);
}

/* Packed lists of every length, their numbers of up to so many bits, written and read against a loop of three lines. */
static void test_packed_lengths(void **state) {
    static const unsigned most_bits[] = {7, 9, 14, 15, 22, 32, 64};
    const uint32_t number = connect_message_field(&all_types_type, CN_STR("packed_uint64"))->number;
    uint64_t random = 1, values[40];
    size_t count, i, width, slack;
    (void)state;
    for (width = 0; width < sizeof most_bits / sizeof *most_bits; width++) {
        for (count = 1; count <= 40; count++) {
            char bytes[400];
            size_t len = 0;
            connect_str_t record;
            all_types m;
            for (i = 0; i < count; i++) {
                uint64_t rest;
                random = random * 6364136223846793005u + 1442695040888963407u;
                values[i] = rest = random >> (64 - 1 - (random >> 20) % most_bits[width]);
                for (; rest >= 0x80; rest >>= 7)
                    bytes[len++] = (char)(unsigned char)(rest | 0x80);
                bytes[len++] = (char)(unsigned char)rest;
            }
            record.data = bytes;
            record.len = len;
            record = wrap(number, record);
            for (slack = 0; slack <= CN_SLACK; slack += CN_SLACK) {
                guarded g = guarded_copy(record.data, record.len, slack);
                connect_str_t view;
                view.data = g.data;
                view.len = record.len;
                assert_true(cn_pb_decode_slack(&all_types_type, &m, view, slack, &arena, NULL, NULL));
                assert_int_equal(m.packed_uint64.count, count);
                assert_memory_equal(m.packed_uint64.items, values, count * sizeof *values);
                assert_bytes(encoded(&all_types_type, &m), record);
                guarded_free(&g);
            }
            connect_arena_reset(&arena);
        }
    }
}

/* A repeated decode into an arena that was reset takes nothing more from the allocator; nor does encoding. */
static void test_no_malloc_when_repeated(void **state) {
    all_types m = all_types_full(&arena), again;
    connect_str_t bytes = encoded(&all_types_type, &m);
    failing_allocator counting;
    connect_arena_t reused;
    size_t calls = 0;
    int i;
    (void)state;
    failing_init(&counting, SIZE_MAX, false);
    connect_arena_init(&reused, NULL, 0, &counting.allocator);
    for (i = 0; i < 10; i++) {
        connect_arena_reset(&reused);
        assert_true(connect_message_decode(&all_types_type, &again, bytes, &reused, NULL, NULL));
        assert_bytes(connect_message_encode(&all_types_type, &again, &reused, NULL, NULL), bytes);
        if (i == 4) calls = counting.calls;
    }
    assert_true(calls > 0);
    assert_int_equal(counting.calls, calls);
    connect_arena_free(&reused);
}

/* A window of every possible size; nothing outside of it is written. */
static void test_every_window(void **state) {
    all_types m = all_types_full(&arena);
    connect_str_t bytes = encoded(&all_types_type, &m);
    char *room = (char *)connect_arena_take(&arena, 1, bytes.len + CN_PB_MARGIN + 64);
    size_t size;
    (void)state;
    for (size = 0; size <= bytes.len + CN_PB_MARGIN + 40; size++) {
        cn_pb_encoder_t e;
        char *p;
        memset(room, 0x5A, bytes.len + CN_PB_MARGIN + 64);
        cn_pb_encoder_init(&e, NULL, &arena, NULL);
        p = cn_pb_put(&e, &all_types_type, &m, room + 8, room + 8 + size);
        if (size < bytes.len + CN_PB_MARGIN) {
            assert_null(p);
            assert_null(e.failure.reason);
        } else {
            assert_ptr_equal(p + bytes.len, room + 8 + size);
            assert_memory_equal(p, bytes.data, bytes.len);
        }
        assert_memory_equal(room, "ZZZZZZZZ", 8);
        assert_memory_equal(room + 8 + size, "ZZZZZZZZ", 8);
    }
}

/* Messages stand at the end of the arena's block, each before the last one; a reset gives all of it back. */
static void test_end_of_arena(void **state) {
    all_types m = all_types_full(&arena);
    connect_str_t expected = encoded(&all_types_type, &m), written[16];
    const size_t room = 8 * (expected.len + CN_PB_MARGIN);
    char *block = (char *)malloc(room), *low;
    connect_arena_t fixed;
    size_t count, first_count = 0, turn, i;
    (void)state;
    connect_arena_init(&fixed, block, room, NULL);
    for (turn = 0; turn < 2; turn++) {
        low = (char *)connect_arena_take(&fixed, 1, 16);
        memset(low, 0x5A, 16);
        for (count = 0; count < 16; count++) {
            written[count] = connect_message_encode(&all_types_type, &m, &fixed, NULL, NULL);
            if (!written[count].data) break;
        }
        assert_true(count >= 7 && count < 16);
        for (i = 0; i < count; i++)
            assert_bytes(written[i], expected);
        assert_memory_equal(low, "ZZZZZZZZZZZZZZZZ", 16);
        if (turn) assert_int_equal(count, first_count);
        first_count = count;
        connect_arena_reset(&fixed);
    }
    connect_arena_free(&fixed);
    free(block);
}

static void test_fixed_arena(void **state) {
    all_types m = all_types_full(&arena);
    connect_str_t expected = encoded(&all_types_type, &m);
    size_t size, succeeded = 0;
    (void)state;
    for (size = 0; size < expected.len + 256; size += 7) {
        char *block = (char *)malloc(size + 1);
        connect_arena_t fixed;
        connect_error_t error;
        connect_str_t bytes;
        connect_arena_init(&fixed, block, size, NULL);
        bytes = connect_message_encode(&all_types_type, &m, &fixed, NULL, &error);
        if (bytes.data) {
            assert_bytes(bytes, expected);
            succeeded++;
        } else {
            assert_true(size < expected.len + 100);
            assert_int_equal(error.code, CONNECT_RESOURCE_EXHAUSTED);
        }
        connect_arena_free(&fixed);
        free(block);
    }
    assert_true(succeeded > 10);
}

static void test_encode_fails(void **state) {
    static const all_small bad[2] = {{1, {"ok", 2}, {NULL, 0}}, {2, {"\xFF", 1}, {NULL, 0}}};
    cn_buf_t out = {NULL, 0, 0, 0};
    connect_error_t error;
    all_types m = all_types_defaults, loop = all_types_defaults;
    (void)state;
    m.repeated_message.items = bad;
    m.repeated_message.count = 2;
    assert_true(cn_buf_append(&out, NULL, "kept", 4));
    assert_false(cn_pb_encode(&all_types_type, &m, &out, NULL, NULL, &arena, &error));
    assert_int_equal(error.code, CONNECT_INVALID_ARGUMENT);
    assert_string_equal(error.message.data, "test.All.repeated_message[1].name: not UTF-8");
    assert_str(cn_buf_view(&out), "kept");
    assert_false(cn_pb_encode(&all_types_type, &m, &out, NULL, NULL, NULL, &error)); /* no arena for the text */
    assert_string_equal(error.message.data, "not UTF-8");
    assert_false(cn_pb_encode(&all_types_type, &m, &out, NULL, NULL, NULL, NULL));
    loop.child = &loop; /* no end: the depth ends it */
    assert_false(cn_pb_encode(&all_types_type, &loop, &out, NULL, NULL, &arena, &error));
    assert_int_equal(error.code, CONNECT_INVALID_ARGUMENT);
    assert_str(cn_buf_view(&out), "kept");
    cn_buf_free(&out, NULL);
}

/* A oneof that names a message but holds none, a map entry without a message: empty messages. */
static void test_null_messages(void **state) {
    static const all_map_string_message_entry entry = {{"k", 1}, NULL};
    all_types m = all_types_defaults;
    (void)state;
    m.choice_case = 97;
    m.choice.choice_message = NULL;
    assert_bytes(encoded(&all_types_type, &m), hex("8A06 00"));
    m.choice_case = 98;
    m.choice.choice_group = NULL;
    assert_bytes(encoded(&all_types_type, &m), hex("9306 9406"));
    m.choice_case = 0;
    m.map_string_message.items = &entry;
    m.map_string_message.count = 1;
    assert_bytes(encoded(&all_types_type, &m), hex("BA06 05 0A01 6B 1200"));
}

static void test_deterministic(void **state) {
    static const all_map_int32_int32_entry numbers[5] = {{5, 1}, {-1, 2}, {5, 3}, {0, 4}, {INT32_MIN, 5}};
    static const all_map_string_string_entry texts[4] = {
        {{"b", 1}, {"", 0}}, {{"", 0}, {"", 0}}, {{"ab", 2}, {"", 0}}, {{"a", 1}, {"", 0}}};
    static const all_map_bool_double_entry truths[2] = {{true, 0}, {false, 0}};
    static const all_map_uint64_bytes_entry wides[3] = {
        {UINT64_MAX, {"", 0}}, {1, {"", 0}}, {(uint64_t)1 << 63, {"", 0}}};
    static const all_map_sint64_enum_entry signs[3] = {{1, 0}, {INT64_MIN, 0}, {-1, 0}};
    connect_codec_options_t options = CONNECT_DEFAULTS;
    connect_error_t error;
    connect_str_t bytes;
    all_types m = all_types_defaults, again;
    cn_buf_t out = {NULL, 0, 0, 0};
    (void)state;
    options.deterministic = true;
    ALL_LIST(map_int32_int32, numbers);
    ALL_LIST(map_string_string, texts);
    ALL_LIST(map_uint64_bytes, wides);
    ALL_LIST(map_bool_double, truths);
    ALL_LIST(map_sint64_enum, signs);
    bytes = connect_message_encode(&all_types_type, &m, &arena, &options, &error);
    assert_bytes(bytes,
        hex("AA06 0D 08 80808080F8FFFFFFFF01 1005 AA06 0D 08 FFFFFFFFFFFFFFFFFF01 1002 AA06 04 0800 1004"
            "AA06 04 0805 1003" /* the last of a key */
            "B206 04 0A00 1200 B206 05 0A01 61 1200 B206 06 0A02 6162 1200 B206 05 0A01 62 1200"
            "C206 04 0801 1200 C206 0D 08 80808080808080808001 1200 C206 0D 08 FFFFFFFFFFFFFFFFFF01 1200"
            "CA06 0B 0800 11 0000000000000000 CA06 0B 0801 11 0000000000000000"
            "D206 0D 08 FFFFFFFFFFFFFFFFFF01 1000 D206 04 0801 1000 D206 04 0802 1000"));
    assert_true(decode(&all_types_type, &again, bytes, NULL, &error));
    assert_true(connect_message_equal(&all_types_type, &m, &again)); /* maps: in any order, the last of a key */
    assert_true(cn_pb_encode(&all_types_type, &m, &out, NULL, &options, &arena, &error));
    assert_bytes(cn_buf_view(&out), bytes);
    cn_buf_free(&out, NULL);
}

/* ---- The wire by hand ---- */

static void test_writer_and_reader(void **state) {
    connect_writer_t writer = {&arena, {NULL, 0}, false, 0}, inner = {&arena, {NULL, 0}, false, 0};
    connect_reader_t reader = CONNECT_DEFAULTS;
    connect_record_t record;
    double d = 1.5;
    float f = -2.5f;
    int64_t i64 = -1;
    uint64_t u64 = 300;
    int32_t i32 = -5;
    uint32_t u32 = 7;
    bool truth = true;
    connect_str_t text = {"text", 4}, got;
    int n;
    (void)state;
    connect_writer_put(&inner, 1, CONNECT_KIND_SINT32, &i32);
    connect_writer_put(&writer, 1, CONNECT_KIND_DOUBLE, &d);
    connect_writer_put(&writer, 2, CONNECT_KIND_FLOAT, &f);
    connect_writer_put(&writer, 3, CONNECT_KIND_INT64, &i64);
    connect_writer_put(&writer, 4, CONNECT_KIND_UINT64, &u64);
    connect_writer_put(&writer, 5, CONNECT_KIND_INT32, &i32);
    connect_writer_put(&writer, 6, CONNECT_KIND_FIXED64, &u64);
    connect_writer_put(&writer, 7, CONNECT_KIND_FIXED32, &u32);
    connect_writer_put(&writer, 8, CONNECT_KIND_BOOL, &truth);
    connect_writer_put(&writer, 9, CONNECT_KIND_STRING, &text);
    connect_writer_put(&writer, 10, CONNECT_KIND_GROUP, &inner.written);
    connect_writer_put(&writer, 11, CONNECT_KIND_MESSAGE, &inner.written);
    connect_writer_put(&writer, 12, CONNECT_KIND_BYTES, &text);
    connect_writer_put(&writer, 13, CONNECT_KIND_UINT32, &u32);
    connect_writer_put(&writer, 14, CONNECT_KIND_ENUM, &i32);
    connect_writer_put(&writer, 15, CONNECT_KIND_SFIXED32, &i32);
    connect_writer_put(&writer, 16, CONNECT_KIND_SFIXED64, &i64);
    connect_writer_put(&writer, 17, CONNECT_KIND_SINT32, &i32);
    connect_writer_put(&writer, 536870911, CONNECT_KIND_SINT64, &i64);
    assert_false(writer.failed);
    assert_bytes(writer.written,
        hex("09 000000000000F83F 15 000020C0 18 FFFFFFFFFFFFFFFFFF01 20 AC02 28 FBFFFFFFFFFFFFFFFF01 31 "
            "2C01000000000000"
            "3D 07000000 40 01 4A 04 74657874 53 08 09 54 5A 02 0809 62 04 74657874 68 07 70 FBFFFFFFFFFFFFFFFF01"
            "7D FBFFFFFF 8101 FFFFFFFFFFFFFFFF 8801 09 F8FFFFFF0F 01"));
    reader.rest = writer.written;
    for (n = 1; connect_reader_next(&reader, &record); n++) {
        int64_t wide = 0;
        int32_t low = 0;
        assert_int_equal(record.number, n == 18 ? 536870911 : n);
        switch (n) {
        case 1: assert_true(connect_record_get(&record, CONNECT_KIND_DOUBLE, &d) && d > 1.4 && d < 1.6); break;
        case 2: assert_true(connect_record_get(&record, CONNECT_KIND_FLOAT, &f) && f < -2.4f); break;
        case 3: assert_true(connect_record_get(&record, CONNECT_KIND_INT64, &wide) && wide == -1); break;
        case 5: assert_true(connect_record_get(&record, CONNECT_KIND_INT32, &low) && low == -5); break;
        case 8: assert_true(connect_record_get(&record, CONNECT_KIND_BOOL, &truth) && truth); break;
        case 9:
            assert_true(connect_record_get(&record, CONNECT_KIND_STRING, &got));
            assert_str(got, "text");
            assert_false(connect_record_get(&record, CONNECT_KIND_INT32, &low));
            assert_false(connect_record_get(&record, CONNECT_KIND_DOUBLE, &d));
            assert_false(connect_record_get(&record, CONNECT_KIND_GROUP, &got));
            break;
        case 10:
            assert_int_equal(record.wire, CONNECT_WIRE_GROUP);
            assert_true(connect_record_get(&record, CONNECT_KIND_GROUP, &got));
            assert_bytes(got, inner.written);
            break;
        case 11: assert_true(connect_record_get(&record, CONNECT_KIND_MESSAGE, &got)); break;
        case 17: assert_true(connect_record_get(&record, CONNECT_KIND_SINT32, &low) && low == -5); break;
        case 18: assert_true(connect_record_get(&record, CONNECT_KIND_SINT64, &wide) && wide == -1); break;
        default: break;
        }
    }
    assert_int_equal(n, 19);
    assert_false(reader.failed);
    connect_writer_put(&writer, 0, CONNECT_KIND_BOOL, &truth);
    assert_true(writer.failed);
    writer.failed = false;
    connect_writer_put(&writer, 536870912, CONNECT_KIND_BOOL, &truth);
    assert_true(writer.failed);
}

static void test_reader_malformed(void **state) {
    static const char *const cases[] = {"08", "0880", "09 01", "0D 01", "0A 02 61", "0B", "0B 14", "0C", "00 00", "0E",
        "0F", "80", "8080808010 00", "08 FFFFFFFFFFFFFFFFFF02", "0B 13 14", "0B 00 0C"};
    size_t i;
    (void)state;
    for (i = 0; i < sizeof cases / sizeof *cases; i++) {
        connect_str_t bytes = hex(cases[i]);
        guarded input = guarded_copy(bytes.data, bytes.len, 0);
        connect_reader_t reader = CONNECT_DEFAULTS;
        connect_record_t record;
        reader.rest.data = input.data;
        reader.rest.len = input.len;
        if (connect_reader_next(&reader, &record)) fail_msg("%s", cases[i]);
        assert_true(reader.failed);
        assert_false(connect_reader_next(&reader, &record));
        guarded_free(&input);
    }
    {
        connect_reader_t reader = {hex("0B 0801 8C00"), false}; /* the end's tag in two bytes */
        connect_record_t record;
        assert_true(connect_reader_next(&reader, &record));
        assert_bytes(record.bytes, hex("0801"));
        assert_false(connect_reader_next(&reader, &record));
        assert_false(reader.failed);
    }
}

static void test_writer_large(void **state) {
    connect_writer_t writer = {&arena, {NULL, 0}, false, 0};
    connect_reader_t reader = CONNECT_DEFAULTS;
    connect_record_t record;
    connect_str_t text;
    uint32_t i;
    (void)state;
    for (i = 1; i <= 2000; i++) {
        text =
            connect_arena_printf(&arena, "%*u", (int)(i % 100), (unsigned)i); /* so it does not always grow in place */
        connect_writer_put(&writer, i, CONNECT_KIND_STRING, &text);
    }
    assert_false(writer.failed);
    reader.rest = writer.written;
    for (i = 1; connect_reader_next(&reader, &record); i++)
        assert_int_equal(record.number, i);
    assert_int_equal(i, 2001);
}

/* ---- Out of memory ---- */

static bool decode_and_encode(const connect_allocator_t *allocator, void *arg) {
    connect_str_t bytes = *(const connect_str_t *)arg, written = {NULL, 0};
    connect_codec_options_t options = CONNECT_DEFAULTS;
    connect_arena_t own;
    connect_error_t error;
    cn_buf_t out = {NULL, 0, 0, 0};
    connect_writer_t writer = {&own, {NULL, 0}, false, 0};
    all_types m;
    bool ok;
    connect_arena_init(&own, NULL, 0, allocator);
    options.merge = options.copy = options.deterministic = true;
    ok = connect_message_decode(&all_types_type, &m, bytes, &own, NULL, &error) &&
        connect_message_decode(&all_types_type, &m, bytes, &own, &options, &error);
    if (ok) {
        written = connect_message_encode(&all_types_type, &m, &own, NULL, &error);
        ok = written.data && cn_pb_encode(&all_types_type, &m, &out, allocator, &options, &own, &error);
    }
    if (!ok) {
        assert_int_equal(error.code, CONNECT_RESOURCE_EXHAUSTED);
        assert_non_null(error.message.data);
    } else {
        connect_writer_put(&writer, 1, CONNECT_KIND_BYTES, &written);
        ok = !writer.failed;
    }
    cn_buf_free(&out, allocator);
    connect_arena_free(&own);
    return ok;
}

static void test_out_of_memory(void **state) {
    all_types m = all_types_full(&arena);
    connect_str_t bytes = encoded(&all_types_type, &m);
    (void)state;
    sweep_allocations(decode_and_encode, &bytes);
}

/* ---- Random damage ---- */

static void test_random_damage(void **state) {
    all_types m = all_types_full(&arena);
    connect_str_t original = encoded(&all_types_type, &m);
    guarded plain = guarded_new(original.len + 64, 0), slack = guarded_new(original.len + 64, CN_SLACK);
    size_t round, accepted = 0;
    (void)state;
    random_state = 20240607;
    for (round = 0; round < 20000; round++) {
        connect_codec_options_t options = CONNECT_DEFAULTS;
        connect_arena_t own = CONNECT_DEFAULTS;
        connect_error_t error;
        all_types a, b;
        size_t len = original.len, changes = 1 + random_next() % 4, from = random_next() % original.len;
        connect_str_t view;
        char *bytes;
        bool ok;
        if (random_next() % 2) from = 0;
        len -= from;
        if (random_next() % 4 == 0) len = random_next() % (len + 1);
        bytes = plain.data + plain.len - len;
        memcpy(bytes, original.data + from, len);
        while (len && changes--) {
            static const unsigned char odd[] = {0, 1, 0x7F, 0x80, 0xFF, 0x0A, 0x0B, 0x0C};
            size_t at = random_next() % len;
            bytes[at] =
                (char)(unsigned char)(random_next() % 2 ? odd[random_next() % sizeof odd] : random_next() & 0xFF);
        }
        memcpy(slack.data + slack.len - len, bytes, len);
        options.memory_max = random_next() % 3 ? 0 : random_next() % 8192;
        options.drop_unknown = random_next() % 4 == 0;
        view.data = bytes;
        view.len = len;
        ok = connect_message_decode(&all_types_type, &a, view, &own, &options, &error);
        view.data = slack.data + slack.len - len;
        assert_int_equal(cn_pb_decode(&all_types_type, &b, view, &own, &options, &error), ok);
        if (ok) {
            connect_str_t once, twice;
            all_types c;
            accepted++;
            assert_true(connect_message_equal(&all_types_type, &a, &b));
            once = connect_message_encode(&all_types_type, &a, &own, NULL, &error);
            assert_non_null(once.data);
            assert_int_equal(once.len, connect_message_size(&all_types_type, &a));
            assert_true(connect_message_decode(&all_types_type, &b, once, &own, NULL, &error));
            twice = connect_message_encode(&all_types_type, &b, &own, NULL, &error);
            assert_bytes(twice, once);
            assert_true(connect_message_equal(&all_types_type, &a, &b));
            assert_true(connect_message_copy(&all_types_type, &c, &a, &own));
            assert_true(connect_message_equal(&all_types_type, &a, &c));
        }
        connect_arena_free(&own);
    }
    assert_true(accepted > 100 && accepted < 19900);
    guarded_free(&plain);
    guarded_free(&slack);
}

int main(void) {
#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
    const struct CMUnitTest tests[] = {TEST(test_golden), TEST(test_values), TEST(test_last_wins),
        TEST(test_split_message), TEST(test_oneof), TEST(test_unknown_fields), TEST(test_closed_enum), TEST(test_maps),
        TEST(test_maps_of_texts), TEST(test_malformed), TEST(test_truncated_everywhere),
        TEST(test_slack_is_not_content), TEST(test_depth), TEST(test_memory), TEST(test_interleaved_lists),
        TEST(test_interleaved_lists_at_the_end_of_memory), TEST(test_long_lists), TEST(test_required),
        TEST(test_merge_option), TEST(test_copy_option), TEST(test_everything), TEST(test_every_window),
        TEST(test_end_of_arena), TEST(test_packed_lengths), TEST(test_no_malloc_when_repeated), TEST(test_fixed_arena),
        TEST(test_encode_fails), TEST(test_null_messages), TEST(test_deterministic), TEST(test_writer_and_reader),
        TEST(test_reader_malformed), TEST(test_writer_large), TEST(test_out_of_memory), TEST(test_random_damage)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
