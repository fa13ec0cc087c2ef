#include "codec/pbjson.h"
#include "base/base64.h"
#include "base/buf.h"
#include "base/error.h"
#include "base/mem.h"
#include "base/str.h"
#include "codec/json.h"
#include "codec/message.h"
#include "codec/number.h"
#include "codec/wkt.h"

#if CONNECT_ENABLE_JSON
/* Messages as JSON, driven by the tables of a connect_type_t (protobuf.dev, "ProtoJSON Format").

       kind                   written                        read, too
       bool                   true, false
       32-bit integers        numbers                        strings that hold a number; 1.0, 1e3
       64-bit integers        strings                        numbers
       float, double          shortest that reads back;      strings that hold a number
                              "NaN", "Infinity", "-Infinity"
       string                 a string
       bytes                  base64, padded                 the other alphabet, and unpadded
       enum                   its name; a number, if it      the number
                              has none; NullValue: null
       message, group         an object, or a form of its own
       repeated               an array
       map                    an object, keys as strings

   Decoding. Names are those of the schema or their lowerCamelCase form; the field after the last one found is tried
   first, then the perfect hash, or each in turn. null stands for "absent", except for google.protobuf.Value and
   NullValue, where it is a value; in a list and in a map it is refused elsewhere. An unknown name is skipped, and so is
   an unknown enum value, unless json_strict. A name may not stand twice in an object, under whichever spelling; of a
   oneof there may be one member; a map has each key once. Strings are views of the input unless they were escaped or
   options->copy. options->merge decodes into a new message, and merges that.

   Limits: recursion is counted as in protobuf binary, one for each message below the first and for each map entry;
   the text may nest twice as deep, since lists have no message of their own. The budget, memory_max, pays for list
   items, messages and the text that is read twice on account of an Any, before they are taken.

   An Any is {"@type": "type.googleapis.com/x.Y", ...}: the fields of x.Y, or "value" if x.Y has a form of its own. The
   type may stand anywhere in the object, so it is looked for first, and then the object is read again. What an Any
   holds is protobuf binary: it is decoded and encoded on the way.

   Encoding. Fields in the order of their numbers, as they are present; unknown fields are left out. Of a map's entries
   with the same key the last is written; deterministic: in the order of the keys (text by bytes, numbers by value).

   The path of an error, "readings[3].celsius", is made when it is needed, from a chain of steps on the stack: one for
   each message that is being read or written. What a peer sent is never quoted for more than 128 bytes altogether. */

#define CN_PBJSON_TEXT 512     /* of an error: path and reason */
#define CN_PBJSON_QUOTED 128   /* bytes of a peer's data in it */
#define CN_PBJSON_KEY_PARTS 16 /* entries of a map that are compared each with each */

#define CN_PBJSON_VALUE_NULL 0 /* fields of google.protobuf.Value */
#define CN_PBJSON_VALUE_NUMBER 1
#define CN_PBJSON_VALUE_STRING 2
#define CN_PBJSON_VALUE_BOOL 3
#define CN_PBJSON_VALUE_STRUCT 4
#define CN_PBJSON_VALUE_LIST 5

/* ---- Where in the message ---- */

typedef enum cn_pbjson_place_t { CN_PBJSON_MEMBER, CN_PBJSON_ITEM, CN_PBJSON_ENTRY } cn_pbjson_place_t;

typedef struct cn_pbjson_step_t {
    const struct cn_pbjson_step_t *outer;
    const connect_type_t *type;
    const connect_field_t *field; /* NULL: the message itself */
    size_t index;                 /* ITEM: from 0 */
    connect_str_t key;            /* ENTRY */
    cn_pbjson_place_t place;
} cn_pbjson_step_t;

typedef struct cn_pbjson_text_t {
    char data[CN_PBJSON_TEXT];
    size_t len, quoted;
} cn_pbjson_text_t;

static void cn_pbjson_text_add(cn_pbjson_text_t *text, const char *part) {
    size_t len = CN_MIN(strlen(part), sizeof text->data - 1 - text->len);
    memcpy(text->data + text->len, part, len);
    text->len += len;
    text->data[text->len] = 0;
}

static void cn_pbjson_text_add_uint(cn_pbjson_text_t *text, uint64_t value) {
    char digits[CN_NUMBER_ROOM];
    digits[cn_number_from_uint(digits, value)] = 0;
    cn_pbjson_text_add(text, digits);
}

/* In quotes; what is not printable ASCII as \xNN, and cut when a peer's share is used up. */
static void cn_pbjson_text_quote(cn_pbjson_text_t *text, connect_str_t peer_data) {
    static const char hex[] = "0123456789ABCDEF";
    size_t i;
    cn_pbjson_text_add(text, "\"");
    for (i = 0; i < peer_data.len && text->quoted < CN_PBJSON_QUOTED; i++, text->quoted++) {
        unsigned char c = (unsigned char)peer_data.data[i];
        char part[5] = {0};
        if (c >= 0x20 && c < 0x7F) {
            part[0] = (char)c;
        } else {
            part[0] = '\\';
            part[1] = 'x';
            part[2] = hex[c >> 4];
            part[3] = hex[c & 15];
        }
        cn_pbjson_text_add(text, part);
    }
    cn_pbjson_text_add(text, i < peer_data.len ? "...\"" : "\"");
}

static void cn_pbjson_text_add_path(cn_pbjson_text_t *text, const cn_pbjson_step_t *last) {
    const cn_pbjson_step_t *step = NULL, *inner;
    while (step != last) { /* outermost first, without recursion and without a list of them */
        for (inner = last; inner->outer != step; inner = inner->outer) {}
        step = inner;
        if (!step->field) continue;
        if (text->len) cn_pbjson_text_add(text, ".");
        cn_pbjson_text_add(text, step->type->names + step->field->name);
        if (step->place == CN_PBJSON_MEMBER) continue;
        cn_pbjson_text_add(text, "[");
        if (step->place == CN_PBJSON_ITEM)
            cn_pbjson_text_add_uint(text, step->index);
        else
            cn_pbjson_text_quote(text, step->key);
        cn_pbjson_text_add(text, "]");
    }
}

/* "a.b[3]: reason", and, if there is one, a peer's text in quotes. */
static void cn_pbjson_text_make(
    cn_pbjson_text_t *text, const cn_pbjson_step_t *path, const char *reason, const connect_str_t *peer_data) {
    text->len = text->quoted = 0;
    text->data[0] = 0;
    if (path) cn_pbjson_text_add_path(text, path);
    if (text->len) {
        if (text->len > CN_PBJSON_TEXT - 200) { /* the reason must fit */
            text->len = CN_PBJSON_TEXT - 200;
            cn_pbjson_text_add(text, "...");
        }
        cn_pbjson_text_add(text, ": ");
    }
    cn_pbjson_text_add(text, reason);
    if (peer_data) {
        cn_pbjson_text_add(text, " ");
        cn_pbjson_text_quote(text, *peer_data);
    }
}

/* ---- What both directions need ---- */

static const connect_codec_options_t *cn_pbjson_options(const connect_codec_options_t *options_or_null) {
    static const connect_codec_options_t defaults = {0};
    return options_or_null ? options_or_null : &defaults;
}

static bool cn_pbjson_is_message(const connect_field_t *field) {
    return field->kind == CONNECT_KIND_MESSAGE || field->kind == CONNECT_KIND_GROUP;
}

static bool cn_pbjson_is_null_value(const connect_type_t *type, const connect_field_t *field) {
    return field->kind == CONNECT_KIND_ENUM &&
        strcmp(type->enums[field->type]->full_name, "google.protobuf.NullValue") == 0;
}

static bool cn_pbjson_required_present(
    const connect_type_t *type, const void *message, const connect_field_t **missing) {
    size_t i;
    if (!type->has_required) return true;
    for (i = 0; i < type->field_count; i++) {
        *missing = &type->fields[i];
        if (((*missing)->flags & CONNECT_FIELD_REQUIRED) && !cn_message_has(*missing, message)) return false;
    }
    return true;
}

/* The type that an Any names, or NULL. */
static const connect_type_t *cn_pbjson_any_type(connect_schema_t schema, connect_str_t url) {
    size_t slash = url.len, i, j;
    while (slash > 0 && url.data[slash - 1] != '/')
        slash--;
    if (slash < 2) return NULL;
    url.data += slash;
    url.len -= slash;
    for (i = 0; i < schema.count; i++) {
        const connect_file_t *file = schema.files[i];
        for (j = 0; j < file->types.count; j++) {
            const connect_type_t *type = file->types.items[j];
            if (!type->is_map_entry && connect_str_equal(connect_str_of(type->full_name), url)) return type;
        }
    }
    return NULL;
}

/* Whether an Any holds the message as the member "value"; google.protobuf.Empty is an object like others. */
static bool cn_pbjson_any_has_value(const connect_type_t *type) {
    return type->form != CONNECT_FORM_PLAIN && type->form != CONNECT_FORM_EMPTY;
}

/* ---- Keys of maps ---- */

/* a, b: entries. */
static int cn_pbjson_key_compare(const connect_type_t *entry, const char *a, const char *b) {
    const connect_field_t *key = &entry->fields[0];
    a += key->offset;
    b += key->offset;
    switch (key->kind) {
    case CONNECT_KIND_STRING: {
        connect_str_t text_a, text_b;
        int order;
        memcpy(&text_a, a, sizeof text_a);
        memcpy(&text_b, b, sizeof text_b);
        order = text_a.len && text_b.len ? memcmp(text_a.data, text_b.data, CN_MIN(text_a.len, text_b.len)) : 0;
        return order ? order : (text_a.len > text_b.len) - (text_a.len < text_b.len);
    }
    case CONNECT_KIND_BOOL: return (*a != 0) - (*b != 0);
    case CONNECT_KIND_INT32:
    case CONNECT_KIND_SINT32:
    case CONNECT_KIND_SFIXED32: {
        int32_t number_a, number_b;
        memcpy(&number_a, a, sizeof number_a);
        memcpy(&number_b, b, sizeof number_b);
        return (number_a > number_b) - (number_a < number_b);
    }
    case CONNECT_KIND_UINT32:
    case CONNECT_KIND_FIXED32: {
        uint32_t number_a, number_b;
        memcpy(&number_a, a, sizeof number_a);
        memcpy(&number_b, b, sizeof number_b);
        return (number_a > number_b) - (number_a < number_b);
    }
    case CONNECT_KIND_INT64:
    case CONNECT_KIND_SINT64:
    case CONNECT_KIND_SFIXED64: {
        int64_t number_a, number_b;
        memcpy(&number_a, a, sizeof number_a);
        memcpy(&number_b, b, sizeof number_b);
        return (number_a > number_b) - (number_a < number_b);
    }
    default: {
        uint64_t number_a, number_b;
        memcpy(&number_a, a, sizeof number_a);
        memcpy(&number_b, b, sizeof number_b);
        return (number_a > number_b) - (number_a < number_b);
    }
    }
}

/* Entries in memory order where keys are equal, so that the last of them is the one that counts. */
static bool cn_pbjson_entry_before(const connect_type_t *entry, const char *a, const char *b) {
    int order = cn_pbjson_key_compare(entry, a, b);
    return order ? order < 0 : a < b;
}

static void cn_pbjson_sift_down(const connect_type_t *entry, const char **entries, size_t root, size_t count) {
    const char *moved = entries[root];
    for (;;) {
        size_t child = root * 2 + 1;
        if (child >= count) break;
        if (child + 1 < count && cn_pbjson_entry_before(entry, entries[child], entries[child + 1])) child++;
        if (!cn_pbjson_entry_before(entry, moved, entries[child])) break;
        entries[root] = entries[child];
        root = child;
    }
    entries[root] = moved;
}

/* Heap sort: no memory of its own, and no input that makes it slow. */
static void cn_pbjson_sort(const connect_type_t *entry, const char **entries, const cn_message_list_t *list) {
    size_t i;
    for (i = 0; i < list->count; i++)
        entries[i] = (const char *)list->items + i * entry->size;
    for (i = list->count / 2; i-- > 0;)
        cn_pbjson_sift_down(entry, entries, i, list->count);
    for (i = list->count; i-- > 1;) {
        const char *largest = entries[0];
        entries[0] = entries[i];
        entries[i] = largest;
        cn_pbjson_sift_down(entry, entries, 0, i);
    }
}

static bool cn_pbjson_keys_ascend(const connect_type_t *entry, const cn_message_list_t *list) {
    const char *items = (const char *)list->items;
    size_t i;
    for (i = 1; i < list->count; i++)
        if (cn_pbjson_key_compare(entry, items + (i - 1) * entry->size, items + i * entry->size) >= 0) return false;
    return true;
}

/* For few entries: whether one behind this one has the same key. */
static bool cn_pbjson_key_again(const connect_type_t *entry, const cn_message_list_t *list, size_t index) {
    const char *items = (const char *)list->items;
    size_t i;
    for (i = index + 1; i < list->count; i++)
        if (cn_pbjson_key_compare(entry, items + index * entry->size, items + i * entry->size) == 0) return true;
    return false;
}

/* ---- Decoding ---- */

typedef struct cn_pbjson_decoder_t {
    cn_json_reader_t reader;
    connect_arena_t *arena;
    const connect_codec_options_t *options;
    connect_error_t *error;
    const cn_pbjson_step_t *path;
    uint64_t memory_left;
    uint32_t depth_left;
} cn_pbjson_decoder_t;

typedef enum cn_pbjson_result_t { CN_PBJSON_FAILED, CN_PBJSON_DONE, CN_PBJSON_DROPPED } cn_pbjson_result_t;

static bool cn_pbjson_read_message(
    cn_pbjson_decoder_t *decoder, const connect_type_t *type, void *message, cn_json_token_t token);

/* Fails at a place in the text. */
static bool cn_pbjson_fail_at(cn_pbjson_decoder_t *decoder, const char *place, connect_code_t code, const char *reason,
    const connect_str_t *peer_data) {
    cn_pbjson_text_t text;
    connect_str_t whole;
    size_t line, column;
    if (!decoder->error) return false;
    cn_error_set(decoder->error, code, reason); /* if the arena has no room for more */
    cn_json_position_of(&decoder->reader, place, &line, &column);
    cn_pbjson_text_make(&text, decoder->path, reason, peer_data);
    whole = connect_arena_printf(
        decoder->arena, "line %lu, column %lu: %s", (unsigned long)line, (unsigned long)column, text.data);
    if (whole.data) decoder->error->message = whole;
    return false;
}

/* Fails at the last token. */
static bool cn_pbjson_fail(cn_pbjson_decoder_t *decoder, const char *reason) {
    return cn_pbjson_fail_at(decoder, decoder->reader.token, CONNECT_INVALID_ARGUMENT, reason, NULL);
}

static bool cn_pbjson_fail_memory(cn_pbjson_decoder_t *decoder) {
    return cn_error_memory(decoder->error);
}

/* Fails as the reader did, if the token is its error, or for another reason. */
static bool cn_pbjson_refuse(cn_pbjson_decoder_t *decoder, cn_json_token_t token, const char *reason) {
    if (token != CN_JSON_ERROR) return cn_pbjson_fail(decoder, reason);
    if (decoder->reader.out_of_memory) return cn_pbjson_fail_memory(decoder);
    return cn_pbjson_fail_at(decoder, decoder->reader.at, CONNECT_INVALID_ARGUMENT, decoder->reader.error, NULL);
}

/* Takes from the budget. */
static bool cn_pbjson_pay(cn_pbjson_decoder_t *decoder, size_t size) {
    if (CN_UNLIKELY(size > decoder->memory_left))
        return cn_pbjson_fail_at(decoder, decoder->reader.token, CONNECT_RESOURCE_EXHAUSTED,
            "decoded elements need more than memory_max", NULL);
    decoder->memory_left -= size;
    return true;
}

static bool cn_pbjson_descend(cn_pbjson_decoder_t *decoder) {
    if (CN_UNLIKELY(decoder->depth_left == 0)) return cn_pbjson_fail(decoder, "nested deeper than depth_max");
    decoder->depth_left--;
    return true;
}

static bool cn_pbjson_skip(cn_pbjson_decoder_t *decoder) {
    cn_json_token_t token = cn_json_next(&decoder->reader);
    return cn_json_skip(&decoder->reader, token) ? true : cn_pbjson_refuse(decoder, CN_JSON_ERROR, NULL);
}

/* The string that was just read, as it will stay. */
static bool cn_pbjson_keep_text(cn_pbjson_decoder_t *decoder, connect_str_t *text) {
    *text = decoder->reader.text;
    if (!decoder->options->copy || decoder->reader.escaped) return true;
    *text = connect_arena_copy(decoder->arena, *text);
    return text->data ? true : cn_pbjson_fail_memory(decoder);
}

/* The number that the token is, or that its string holds; NULL: neither, and it failed. */
static const cn_number_t *cn_pbjson_number(cn_pbjson_decoder_t *decoder, cn_json_token_t token) {
    cn_json_reader_t *reader = &decoder->reader;
    if (CN_LIKELY(token == CN_JSON_NUMBER)) return &reader->number;
    if (token == CN_JSON_STRING && cn_number_read(&reader->number, reader->text)) return &reader->number;
    cn_pbjson_refuse(decoder, token, "expected a number");
    return NULL;
}

static bool cn_pbjson_fail_number(cn_pbjson_decoder_t *decoder, cn_number_result_t result) {
    return cn_pbjson_fail(decoder, result == CN_NUMBER_FRACTION ? "expected an integer" : "a number out of range");
}

static bool cn_pbjson_read_int(
    cn_pbjson_decoder_t *decoder, cn_json_token_t token, int64_t min, int64_t max, int64_t *value) {
    const cn_number_t *number = cn_pbjson_number(decoder, token);
    cn_number_result_t result;
    if (CN_UNLIKELY(!number)) return false;
    result = cn_number_as_int(number, min, max, value);
    return CN_LIKELY(result == CN_NUMBER_OK) ? true : cn_pbjson_fail_number(decoder, result);
}

static bool cn_pbjson_read_uint(cn_pbjson_decoder_t *decoder, cn_json_token_t token, uint64_t max, uint64_t *value) {
    const cn_number_t *number = cn_pbjson_number(decoder, token);
    cn_number_result_t result;
    if (CN_UNLIKELY(!number)) return false;
    result = cn_number_as_uint(number, max, value);
    return CN_LIKELY(result == CN_NUMBER_OK) ? true : cn_pbjson_fail_number(decoder, result);
}

/* The number of a value that JSON has no number for. */
static bool cn_pbjson_special(connect_str_t text, double *value) {
    static const struct {
        const char *name;
        uint64_t bits;
    } specials[] = {
        {"NaN", 0x7FF8000000000000u}, {"Infinity", 0x7FF0000000000000u}, {"-Infinity", 0xFFF0000000000000u}};
    size_t i;
    for (i = 0; i < CN_LEN(specials); i++)
        if (connect_str_equal(text, connect_str_of(specials[i].name))) {
            memcpy(value, &specials[i].bits, sizeof *value);
            return true;
        }
    return false;
}

static bool cn_pbjson_read_double(cn_pbjson_decoder_t *decoder, cn_json_token_t token, double *value) {
    const cn_number_t *number;
    cn_number_result_t result;
    if (token == CN_JSON_STRING && cn_pbjson_special(decoder->reader.text, value)) return true;
    number = cn_pbjson_number(decoder, token);
    if (CN_UNLIKELY(!number)) return false;
    result = cn_number_as_double(number, value);
    return CN_LIKELY(result == CN_NUMBER_OK) ? true : cn_pbjson_fail_number(decoder, result);
}

static bool cn_pbjson_read_float(cn_pbjson_decoder_t *decoder, cn_json_token_t token, float *value) {
    const cn_number_t *number;
    cn_number_result_t result;
    double special;
    if (token == CN_JSON_STRING && cn_pbjson_special(decoder->reader.text, &special)) {
        *value = (float)special;
        return true;
    }
    number = cn_pbjson_number(decoder, token);
    if (CN_UNLIKELY(!number)) return false;
    result = cn_number_as_float(number, value);
    return CN_LIKELY(result == CN_NUMBER_OK) ? true : cn_pbjson_fail_number(decoder, result);
}

static bool cn_pbjson_read_bytes(cn_pbjson_decoder_t *decoder, cn_json_token_t token, connect_str_t *bytes) {
    size_t room;
    char *to;
    if (token != CN_JSON_STRING) return cn_pbjson_refuse(decoder, token, "expected a string of base64");
    room = cn_base64_decoded_max(decoder->reader.text.len);
    to = (char *)cn_arena_raw(decoder->arena, room);
    if (!to) return cn_pbjson_fail_memory(decoder);
    if (!cn_base64_decode(to, &bytes->len, decoder->reader.text))
        return cn_pbjson_fail(decoder, "expected a string of base64");
    cn_arena_shrink(decoder->arena, to, room, bytes->len);
    bytes->data = to;
    return true;
}

static cn_pbjson_result_t cn_pbjson_read_enum(cn_pbjson_decoder_t *decoder, const connect_type_t *type,
    const connect_field_t *field, cn_json_token_t token, int32_t *value) {
    const connect_enum_t *names = type->enums[field->type];
    if (token == CN_JSON_NUMBER) {
        int64_t number;
        if (!cn_pbjson_read_int(decoder, token, INT32_MIN, INT32_MAX, &number)) return CN_PBJSON_FAILED;
        *value = (int32_t)number;
        if (!names->closed || cn_message_enum_has(names, *value)) return CN_PBJSON_DONE;
    } else if (token == CN_JSON_STRING) {
        if (connect_enum_number(names, decoder->reader.text, value)) return CN_PBJSON_DONE;
    } else if (token == CN_JSON_NULL && cn_pbjson_is_null_value(type, field)) {
        *value = 0;
        return CN_PBJSON_DONE;
    } else {
        cn_pbjson_refuse(decoder, token, "expected the name or the number of an enum value");
        return CN_PBJSON_FAILED;
    }
    if (!decoder->options->json_strict) return CN_PBJSON_DROPPED;
    cn_pbjson_fail_at(
        decoder, decoder->reader.token, CONNECT_INVALID_ARGUMENT, "unknown enum value", &decoder->reader.text);
    return CN_PBJSON_FAILED;
}

/* to: where the member stands, or an item of a list. */
static cn_pbjson_result_t cn_pbjson_read_scalar(cn_pbjson_decoder_t *decoder, const connect_type_t *type,
    const connect_field_t *field, cn_json_token_t token, char *to) {
    bool ok;
    switch (field->kind) {
    case CONNECT_KIND_BOOL: {
        bool value = token == CN_JSON_TRUE;
        if (!value && token != CN_JSON_FALSE) {
            cn_pbjson_refuse(decoder, token, "expected true or false");
            return CN_PBJSON_FAILED;
        }
        memcpy(to, &value, sizeof value);
        return CN_PBJSON_DONE;
    }
    case CONNECT_KIND_INT32:
    case CONNECT_KIND_SINT32:
    case CONNECT_KIND_SFIXED32: {
        int64_t number = 0;
        int32_t value;
        ok = cn_pbjson_read_int(decoder, token, INT32_MIN, INT32_MAX, &number);
        value = (int32_t)number;
        memcpy(to, &value, sizeof value);
        break;
    }
    case CONNECT_KIND_UINT32:
    case CONNECT_KIND_FIXED32: {
        uint64_t number = 0;
        uint32_t value;
        ok = cn_pbjson_read_uint(decoder, token, UINT32_MAX, &number);
        value = (uint32_t)number;
        memcpy(to, &value, sizeof value);
        break;
    }
    case CONNECT_KIND_INT64:
    case CONNECT_KIND_SINT64:
    case CONNECT_KIND_SFIXED64: {
        int64_t value = 0;
        ok = cn_pbjson_read_int(decoder, token, INT64_MIN, INT64_MAX, &value);
        memcpy(to, &value, sizeof value);
        break;
    }
    case CONNECT_KIND_UINT64:
    case CONNECT_KIND_FIXED64: {
        uint64_t value = 0;
        ok = cn_pbjson_read_uint(decoder, token, UINT64_MAX, &value);
        memcpy(to, &value, sizeof value);
        break;
    }
    case CONNECT_KIND_FLOAT: {
        float value = 0;
        ok = cn_pbjson_read_float(decoder, token, &value);
        memcpy(to, &value, sizeof value);
        break;
    }
    case CONNECT_KIND_DOUBLE: {
        double value = 0;
        ok = cn_pbjson_read_double(decoder, token, &value);
        memcpy(to, &value, sizeof value);
        break;
    }
    case CONNECT_KIND_STRING: {
        connect_str_t value = {NULL, 0};
        ok = token == CN_JSON_STRING ? cn_pbjson_keep_text(decoder, &value)
                                     : cn_pbjson_refuse(decoder, token, "expected a string");
        memcpy(to, &value, sizeof value);
        break;
    }
    case CONNECT_KIND_BYTES: {
        connect_str_t value = {NULL, 0};
        ok = cn_pbjson_read_bytes(decoder, token, &value);
        memcpy(to, &value, sizeof value);
        break;
    }
    default: {
        int32_t value = 0;
        cn_pbjson_result_t result = cn_pbjson_read_enum(decoder, type, field, token, &value);
        if (result == CN_PBJSON_DONE) memcpy(to, &value, sizeof value);
        return result;
    }
    }
    return ok ? CN_PBJSON_DONE : CN_PBJSON_FAILED;
}

/* A new message, and a pointer to it where the member stands. */
static bool cn_pbjson_read_pointer(
    cn_pbjson_decoder_t *decoder, const connect_type_t *type, cn_json_token_t token, char *to) {
    void *message;
    if (!cn_pbjson_pay(decoder, type->size)) return false;
    message = cn_arena_raw(decoder->arena, type->size);
    if (!message) return cn_pbjson_fail_memory(decoder);
    connect_message_init(type, message);
    memcpy(to, &message, sizeof message);
    if (!cn_pbjson_descend(decoder) || !cn_pbjson_read_message(decoder, type, message, token)) return false;
    decoder->depth_left++;
    return true;
}

/* null is a value of this field. */
static bool cn_pbjson_takes_null(const connect_type_t *type, const connect_field_t *field) {
    if (field->kind == CONNECT_KIND_MESSAGE) return type->types[field->type]->form == CONNECT_FORM_VALUE;
    return cn_pbjson_is_null_value(type, field);
}

typedef struct cn_pbjson_items_t { /* a list that grows */
    char *items;
    size_t count, capacity, size;
} cn_pbjson_items_t;

/* Room for one item more; NULL: it failed. */
static char *cn_pbjson_items_add(cn_pbjson_decoder_t *decoder, cn_pbjson_items_t *list) {
    if (!cn_pbjson_pay(decoder, list->size)) return NULL;
    if (list->count == list->capacity) {
        size_t capacity = list->capacity ? list->capacity * 2 : CN_MAX((size_t)64 / list->size, (size_t)2);
        char *items =
            (char *)cn_arena_grow(decoder->arena, list->items, list->capacity * list->size, capacity * list->size);
        if (!items) {
            cn_pbjson_fail_memory(decoder);
            return NULL;
        }
        list->items = items;
        list->capacity = capacity;
    }
    return list->items + list->count * list->size;
}

static void cn_pbjson_items_finish(cn_pbjson_decoder_t *decoder, cn_pbjson_items_t *list, char *to) {
    cn_message_list_t finished;
    finished.items = list->items;
    finished.count = list->count;
    if (list->items)
        cn_arena_shrink(decoder->arena, list->items, list->capacity * list->size, list->count * list->size);
    memcpy(to, &finished, sizeof finished);
}

static bool cn_pbjson_read_list(cn_pbjson_decoder_t *decoder, const connect_type_t *type, const connect_field_t *field,
    cn_pbjson_step_t *step, cn_json_token_t token, char *to) {
    const connect_type_t *item_type = cn_pbjson_is_message(field) ? type->types[field->type] : NULL;
    const bool takes_null = cn_pbjson_takes_null(type, field);
    cn_pbjson_items_t list = {NULL, 0, 0, 0};
    list.size = cn_message_value_size(type, field);
    if (token != CN_JSON_ARRAY_BEGIN) return cn_pbjson_refuse(decoder, token, "expected an array");
    step->place = CN_PBJSON_ITEM;
    for (step->index = 0;; step->index++) {
        char *item;
        token = cn_json_next(&decoder->reader);
        if (token == CN_JSON_ARRAY_END) break;
        if (token == CN_JSON_NULL && !takes_null) return cn_pbjson_fail(decoder, "null in a list");
        item = cn_pbjson_items_add(decoder, &list);
        if (!item) return false;
        if (item_type) {
            connect_message_init(item_type, item);
            if (!cn_pbjson_descend(decoder) || !cn_pbjson_read_message(decoder, item_type, item, token)) return false;
            decoder->depth_left++;
        } else {
            cn_pbjson_result_t result = cn_pbjson_read_scalar(decoder, type, field, token, item);
            if (result == CN_PBJSON_FAILED) return false;
            if (result == CN_PBJSON_DROPPED) continue;
        }
        list.count++;
    }
    step->place = CN_PBJSON_MEMBER;
    cn_pbjson_items_finish(decoder, &list, to);
    return true;
}

/* The name that was just read, as a map's key. */
static bool cn_pbjson_read_key(cn_pbjson_decoder_t *decoder, const connect_type_t *entry_type, char *entry) {
    const connect_field_t *key = &entry_type->fields[0];
    connect_str_t text = decoder->reader.text;
    char *to = entry + key->offset;
    bool value;
    if (key->kind != CONNECT_KIND_BOOL)
        return cn_pbjson_read_scalar(decoder, entry_type, key, CN_JSON_STRING, to) == CN_PBJSON_DONE;
    value = connect_str_equal(text, CN_STR("true"));
    if (!value && !connect_str_equal(text, CN_STR("false")))
        return cn_pbjson_fail(decoder, "expected \"true\" or \"false\"");
    memcpy(to, &value, sizeof value);
    return true;
}

static bool cn_pbjson_check_keys(
    cn_pbjson_decoder_t *decoder, const connect_type_t *entry_type, const cn_pbjson_items_t *items) {
    cn_message_list_t list;
    const char **sorted;
    bool again = false;
    size_t i, size;
    list.items = items->items;
    list.count = items->count;
    if (cn_pbjson_keys_ascend(entry_type, &list)) return true;
    if (list.count <= CN_PBJSON_KEY_PARTS) {
        for (i = 0; i < list.count && !again; i++)
            again = cn_pbjson_key_again(entry_type, &list, i);
    } else {
        size = list.count * sizeof *sorted; /* no more than the entries have */
        sorted = (const char **)cn_arena_raw(decoder->arena, size);
        if (!sorted) return cn_pbjson_fail_memory(decoder);
        cn_pbjson_sort(entry_type, sorted, &list);
        for (i = 1; i < list.count && !again; i++)
            again = cn_pbjson_key_compare(entry_type, sorted[i - 1], sorted[i]) == 0;
        cn_arena_shrink(decoder->arena, (void *)sorted, size, 0);
    }
    return again ? cn_pbjson_fail(decoder, "a key that stands twice") : true;
}

static bool cn_pbjson_read_map(cn_pbjson_decoder_t *decoder, const connect_type_t *type, const connect_field_t *field,
    cn_pbjson_step_t *step, cn_json_token_t token, char *to) {
    const connect_type_t *entry_type = type->types[field->type];
    const connect_field_t *value = &entry_type->fields[1];
    const bool takes_null = cn_pbjson_takes_null(entry_type, value);
    cn_pbjson_items_t list = {NULL, 0, 0, 0};
    list.size = entry_type->size;
    if (token != CN_JSON_OBJECT_BEGIN) return cn_pbjson_refuse(decoder, token, "expected an object");
    if (!cn_pbjson_descend(decoder)) return false;
    for (;;) {
        char *entry;
        token = cn_json_next(&decoder->reader);
        if (token == CN_JSON_OBJECT_END) break;
        if (token != CN_JSON_NAME) return cn_pbjson_refuse(decoder, token, NULL);
        step->place = CN_PBJSON_ENTRY;
        step->key = decoder->reader.text;
        entry = cn_pbjson_items_add(decoder, &list);
        if (!entry) return false;
        connect_message_init(entry_type, entry);
        if (!cn_pbjson_read_key(decoder, entry_type, entry)) return false;
        token = cn_json_next(&decoder->reader);
        if (token == CN_JSON_NULL && !takes_null) return cn_pbjson_fail(decoder, "null in a map");
        if (cn_pbjson_is_message(value)) {
            if (!cn_pbjson_read_pointer(decoder, entry_type->types[value->type], token, entry + value->offset))
                return false;
        } else {
            cn_pbjson_result_t result = cn_pbjson_read_scalar(decoder, entry_type, value, token, entry + value->offset);
            if (result == CN_PBJSON_FAILED) return false;
            if (result == CN_PBJSON_DROPPED) continue;
        }
        list.count++;
    }
    step->place = CN_PBJSON_MEMBER;
    decoder->depth_left++;
    if (list.count > 1 && !cn_pbjson_check_keys(decoder, entry_type, &list)) return false;
    cn_pbjson_items_finish(decoder, &list, to);
    return true;
}

static bool cn_pbjson_name_equal(const char *text, connect_str_t name) {
    size_t i;
    for (i = 0; i < name.len; i++)
        if (text[i] != name.data[i] || !text[i]) return false;
    return !text[i];
}

static bool cn_pbjson_field_named(const connect_type_t *type, size_t index, connect_str_t name) {
    const connect_field_t *field = &type->fields[index];
    return cn_pbjson_name_equal(type->names + field->json_name, name) ||
        (field->json_name != field->name && cn_pbjson_name_equal(type->names + field->name, name));
}

/* The index of the field of that name; type->field_count: there is none. next: the one to try first. */
static size_t cn_pbjson_find_field(const connect_type_t *type, size_t next, connect_str_t name) {
    size_t i;
    if (CN_LIKELY(next < type->field_count && cn_pbjson_field_named(type, next, name))) return next;
    if (type->name_slots) {
        i = type->name_slots[1 + cn_message_name_slot(name, type->name_seed, type->name_slots[0])];
        return i && cn_pbjson_field_named(type, i - 1, name) ? i - 1 : type->field_count;
    }
    for (i = next; i < type->field_count; i++)
        if (cn_pbjson_field_named(type, i, name)) return i;
    for (i = 0; i < next && i < type->field_count; i++)
        if (cn_pbjson_field_named(type, i, name)) return i;
    return type->field_count;
}

static bool cn_pbjson_read_field(cn_pbjson_decoder_t *decoder, const connect_type_t *type, void *message,
    const connect_field_t *field, cn_pbjson_step_t *step) {
    cn_json_token_t token = cn_json_next(&decoder->reader);
    char *to = (char *)message + field->offset;
    if (token == CN_JSON_NULL && ((field->flags & CONNECT_FIELD_REPEATED) || !cn_pbjson_takes_null(type, field)))
        return true;
    if (field->flags & CONNECT_FIELD_MAP) return cn_pbjson_read_map(decoder, type, field, step, token, to);
    if (field->flags & CONNECT_FIELD_REPEATED) return cn_pbjson_read_list(decoder, type, field, step, token, to);
    if (field->flags & CONNECT_FIELD_ONEOF) {
        int32_t number;
        memcpy(&number, (const char *)message + field->presence, sizeof number);
        if (number) return cn_pbjson_fail(decoder, "another member of the oneof is set already");
    }
    if (cn_pbjson_is_message(field)) {
        if (!cn_pbjson_read_pointer(decoder, type->types[field->type], token, to)) return false;
    } else {
        cn_pbjson_result_t result = cn_pbjson_read_scalar(decoder, type, field, token, to);
        if (result != CN_PBJSON_DONE) return result == CN_PBJSON_DROPPED;
    }
    cn_message_mark(field, message);
    return true;
}

/* Reads up to the end of an object. in_any: the member @type is passed by. */
static bool cn_pbjson_read_members(
    cn_pbjson_decoder_t *decoder, const connect_type_t *type, void *message, bool in_any) {
    cn_pbjson_step_t step = {decoder->path, type, NULL, 0, {NULL, 0}, CN_PBJSON_MEMBER};
    uint64_t few[4] = {0, 0, 0, 0}, *seen = few; /* a bit for each field */
    const connect_field_t *missing;
    size_t next = 0;
    decoder->path = &step;
    if (type->field_count > 256) {
        size_t words = ((size_t)type->field_count + 63) / 64;
        if (!cn_pbjson_pay(decoder, words * sizeof *seen)) return false;
        seen = (uint64_t *)connect_arena_take(decoder->arena, words, sizeof *seen);
        if (!seen) return cn_pbjson_fail_memory(decoder);
    }
    for (;;) {
        cn_json_token_t token = cn_json_next(&decoder->reader);
        connect_str_t name = decoder->reader.text;
        size_t index;
        step.field = NULL;
        if (token == CN_JSON_OBJECT_END) break;
        if (token != CN_JSON_NAME) return cn_pbjson_refuse(decoder, token, NULL);
        index = cn_pbjson_find_field(type, next, name);
        if (CN_UNLIKELY(index == type->field_count)) {
            if (decoder->options->json_strict && !(in_any && connect_str_equal(name, CN_STR("@type"))))
                return cn_pbjson_fail_at(
                    decoder, decoder->reader.token, CONNECT_INVALID_ARGUMENT, "unknown field", &name);
            if (!cn_pbjson_skip(decoder)) return false;
            continue;
        }
        step.field = &type->fields[index];
        if (seen[index / 64] >> (index % 64) & 1) return cn_pbjson_fail(decoder, "a field that stands twice");
        seen[index / 64] |= (uint64_t)1 << (index % 64);
        next = index + 1;
        if (!cn_pbjson_read_field(decoder, type, message, step.field, &step)) return false;
    }
    if (!decoder->options->partial && !cn_pbjson_required_present(type, message, &missing)) {
        step.field = missing;
        return cn_pbjson_fail(decoder, "required field is missing");
    }
    decoder->path = step.outer;
    return true;
}

/* ---- Decoding: forms of their own ---- */

static bool cn_pbjson_read_time(
    cn_pbjson_decoder_t *decoder, const connect_type_t *type, char *message, cn_json_token_t token) {
    const bool duration = type->form == CONNECT_FORM_DURATION;
    int64_t seconds = 0;
    int32_t nanos = 0;
    if (token != CN_JSON_STRING ||
        !(duration ? cn_wkt_duration_from_text(decoder->reader.text, &seconds, &nanos)
                   : cn_wkt_timestamp_from_text(decoder->reader.text, &seconds, &nanos)))
        return cn_pbjson_refuse(decoder, token,
            duration ? "expected a duration, as \"1.5s\"" : "expected a time, as \"1970-01-01T00:00:00Z\"");
    memcpy(message + type->fields[0].offset, &seconds, sizeof seconds);
    memcpy(message + type->fields[1].offset, &nanos, sizeof nanos);
    return true;
}

static bool cn_pbjson_read_field_mask(
    cn_pbjson_decoder_t *decoder, const connect_type_t *type, char *message, cn_json_token_t token) {
    cn_pbjson_items_t list = {NULL, 0, 0, sizeof(connect_str_t)};
    connect_str_t rest, part;
    if (token != CN_JSON_STRING) return cn_pbjson_refuse(decoder, token, "expected a string of field paths");
    rest = decoder->reader.text;
    if (rest.len == 0) return true;
    for (; cn_str_split(&rest, ',', &part); list.count++) {
        char *item = cn_pbjson_items_add(decoder, &list), *to;
        connect_str_t path;
        if (!item) return false;
        if (part.len > SIZE_MAX / 2) return cn_pbjson_fail_memory(decoder);
        to = (char *)cn_arena_raw(decoder->arena, part.len * 2);
        if (!to) return cn_pbjson_fail_memory(decoder);
        if (!cn_wkt_path_from_json(to, &path.len, part))
            return cn_pbjson_fail(decoder, "an underscore in a field path in lowerCamelCase");
        cn_arena_shrink(decoder->arena, to, part.len * 2, path.len);
        path.data = to;
        memcpy(item, &path, sizeof path);
    }
    cn_pbjson_items_finish(decoder, &list, message + type->fields[0].offset);
    return true;
}

static bool cn_pbjson_read_value(
    cn_pbjson_decoder_t *decoder, const connect_type_t *type, char *message, cn_json_token_t token) {
    const connect_field_t *field;
    size_t index;
    switch (token) {
    case CN_JSON_NULL: index = CN_PBJSON_VALUE_NULL; break;
    case CN_JSON_NUMBER: index = CN_PBJSON_VALUE_NUMBER; break;
    case CN_JSON_STRING: index = CN_PBJSON_VALUE_STRING; break;
    case CN_JSON_TRUE:
    case CN_JSON_FALSE: index = CN_PBJSON_VALUE_BOOL; break;
    case CN_JSON_OBJECT_BEGIN: index = CN_PBJSON_VALUE_STRUCT; break;
    case CN_JSON_ARRAY_BEGIN: index = CN_PBJSON_VALUE_LIST; break;
    default: return cn_pbjson_refuse(decoder, token, "expected a value");
    }
    field = &type->fields[index];
    cn_message_mark(field, message);
    if (cn_pbjson_is_message(field))
        return cn_pbjson_read_pointer(decoder, type->types[field->type], token, message + field->offset);
    return cn_pbjson_read_scalar(decoder, type, field, token, message + field->offset) == CN_PBJSON_DONE;
}

/* A Struct or a ListValue: its one field, without its name. */
static bool cn_pbjson_read_only_field(
    cn_pbjson_decoder_t *decoder, const connect_type_t *type, char *message, cn_json_token_t token) {
    const connect_field_t *field = &type->fields[0];
    cn_pbjson_step_t step = {decoder->path, type, field, 0, {NULL, 0}, CN_PBJSON_MEMBER};
    bool ok;
    decoder->path = &step;
    if (field->flags & CONNECT_FIELD_MAP)
        ok = cn_pbjson_read_map(decoder, type, field, &step, token, message + field->offset);
    else
        ok = cn_pbjson_read_list(decoder, type, field, &step, token, message + field->offset);
    decoder->path = step.outer;
    return ok;
}

/* Looks for @type in the object that was begun. *url: absent if there is none; *empty: there is nothing at all. */
static bool cn_pbjson_find_any_type(cn_pbjson_decoder_t *decoder, connect_str_t *url, bool *empty) {
    const cn_json_reader_t begin = decoder->reader;
    cn_json_token_t token;
    *url = cn_str(NULL, 0);
    *empty = true;
    for (;;) {
        bool is_type;
        token = cn_json_next(&decoder->reader);
        if (token == CN_JSON_OBJECT_END) break;
        if (token != CN_JSON_NAME) return cn_pbjson_refuse(decoder, token, NULL);
        is_type = connect_str_equal(decoder->reader.text, CN_STR("@type"));
        if (is_type && url->data) return cn_pbjson_fail(decoder, "@type stands twice");
        if (!is_type) {
            if (!cn_pbjson_skip(decoder)) return false;
        } else {
            token = cn_json_next(&decoder->reader);
            if (token != CN_JSON_STRING) return cn_pbjson_refuse(decoder, token, "expected a type URL");
            if (!cn_pbjson_keep_text(decoder, url)) return false;
        }
        *empty = false;
    }
    if (!cn_pbjson_pay(decoder, (size_t)(decoder->reader.at - begin.at))) return false;
    decoder->reader = begin;
    return true;
}

/* {"@type": ..., "value": ...} */
static bool cn_pbjson_read_any_value(cn_pbjson_decoder_t *decoder, const connect_type_t *type, void *message) {
    bool found = false;
    for (;;) {
        cn_json_token_t token = cn_json_next(&decoder->reader);
        connect_str_t name = decoder->reader.text;
        if (token == CN_JSON_OBJECT_END) break;
        if (token != CN_JSON_NAME) return cn_pbjson_refuse(decoder, token, NULL);
        if (connect_str_equal(name, CN_STR("value"))) {
            if (found) return cn_pbjson_fail(decoder, "\"value\" stands twice");
            found = true;
            token = cn_json_next(&decoder->reader);
            if (!cn_pbjson_read_message(decoder, type, message, token)) return false;
        } else {
            if (decoder->options->json_strict && !connect_str_equal(name, CN_STR("@type")))
                return cn_pbjson_fail_at(
                    decoder, decoder->reader.token, CONNECT_INVALID_ARGUMENT, "unknown field", &name);
            if (!cn_pbjson_skip(decoder)) return false;
        }
    }
    return found ? true : cn_pbjson_fail(decoder, "expected \"value\" beside @type");
}

static bool cn_pbjson_read_any(
    cn_pbjson_decoder_t *decoder, const connect_type_t *type, char *message, cn_json_token_t token) {
    const char *place = decoder->reader.token;
    const connect_type_t *held_type;
    connect_codec_options_t options = *decoder->options;
    connect_str_t url, bytes;
    void *held;
    bool empty;
    if (token != CN_JSON_OBJECT_BEGIN) return cn_pbjson_refuse(decoder, token, "expected an object");
    if (!cn_pbjson_find_any_type(decoder, &url, &empty)) return false;
    if (empty) return cn_json_next(&decoder->reader) == CN_JSON_OBJECT_END;
    if (!url.data)
        return cn_pbjson_fail_at(decoder, place, CONNECT_INVALID_ARGUMENT, "expected @type, since it is an Any", NULL);
    held_type = cn_pbjson_any_type(decoder->options->schema, url);
    if (!held_type)
        return cn_pbjson_fail_at(decoder, place, CONNECT_INVALID_ARGUMENT, "the schema has no such type", &url);
    if (!cn_pbjson_pay(decoder, held_type->size)) return false;
    held = cn_arena_raw(decoder->arena, held_type->size);
    if (!held) return cn_pbjson_fail_memory(decoder);
    connect_message_init(held_type, held);
    if (!cn_pbjson_descend(decoder)) return false;
    if (!(cn_pbjson_any_has_value(held_type) ? cn_pbjson_read_any_value(decoder, held_type, held)
                                             : cn_pbjson_read_members(decoder, held_type, held, true)))
        return false;
    decoder->depth_left++;
    options.partial = true; /* that was looked at */
    bytes = connect_message_encode(held_type, held, decoder->arena, &options, decoder->error);
    if (!bytes.data) return false;
    memcpy(message + type->fields[0].offset, &url, sizeof url);
    memcpy(message + type->fields[1].offset, &bytes, sizeof bytes);
    return true;
}

static bool cn_pbjson_read_message(
    cn_pbjson_decoder_t *decoder, const connect_type_t *type, void *message, cn_json_token_t token) {
    switch (type->form) {
    case CONNECT_FORM_ANY: return cn_pbjson_read_any(decoder, type, (char *)message, token);
    case CONNECT_FORM_TIMESTAMP:
    case CONNECT_FORM_DURATION: return cn_pbjson_read_time(decoder, type, (char *)message, token);
    case CONNECT_FORM_FIELD_MASK: return cn_pbjson_read_field_mask(decoder, type, (char *)message, token);
    case CONNECT_FORM_STRUCT:
    case CONNECT_FORM_LIST: return cn_pbjson_read_only_field(decoder, type, (char *)message, token);
    case CONNECT_FORM_VALUE: return cn_pbjson_read_value(decoder, type, (char *)message, token);
    case CONNECT_FORM_WRAPPER:
        return cn_pbjson_read_scalar(
                   decoder, type, &type->fields[0], token, (char *)message + type->fields[0].offset) == CN_PBJSON_DONE;
    default:
        if (token != CN_JSON_OBJECT_BEGIN) return cn_pbjson_refuse(decoder, token, "expected an object");
        return cn_pbjson_read_members(decoder, type, message, false);
    }
}

static bool cn_pbjson_decode_new(const connect_type_t *type, void *message, connect_str_t json, connect_arena_t *arena,
    const connect_codec_options_t *options, connect_error_t *error) {
    const uint32_t depth = options->depth_max ? options->depth_max : CN_MESSAGE_DEPTH;
    cn_pbjson_decoder_t decoder;
    cn_json_token_t token;
    decoder.arena = arena;
    decoder.options = options;
    decoder.error = error;
    decoder.path = NULL;
    decoder.depth_left = depth;
    decoder.memory_left = options->memory_max ? options->memory_max : CN_MESSAGE_MEMORY;
    if (options->memory_max == CONNECT_UNLIMITED) decoder.memory_left = UINT64_MAX;
    cn_json_read(&decoder.reader, json, arena, depth < CN_JSON_DEPTH_MAX / 2 ? depth * 2 + 2 : CN_JSON_DEPTH_MAX);
    connect_message_init(type, message);
    token = cn_json_next(&decoder.reader);
    if (!cn_pbjson_read_message(&decoder, type, message, token)) return false;
    token = cn_json_next(&decoder.reader);
    return token == CN_JSON_END ? true : cn_pbjson_refuse(&decoder, token, NULL);
}

CN_PRIVATE bool cn_pbjson_decode(const connect_type_t *type, void *message, connect_str_t json, connect_arena_t *arena,
    const connect_codec_options_t *options, connect_error_t *error) {
    options = cn_pbjson_options(options);
    if (options->merge) {
        connect_codec_options_t fresh = *options;
        void *from = cn_arena_raw(arena, type->size);
        fresh.merge = false;
        if (!from) return cn_error_memory(error);
        if (!cn_pbjson_decode_new(type, from, json, arena, &fresh, error)) return false;
        return connect_message_merge(type, message, from, arena) ? true : cn_error_memory(error);
    }
    return cn_pbjson_decode_new(type, message, json, arena, options, error);
}

bool connect_message_decode_json(const connect_type_t *type, void *message, connect_str_t json, connect_arena_t *arena,
    const connect_codec_options_t *options, connect_error_t *error) {
    return cn_pbjson_decode(type, message, json, arena, options, error);
}

/* ---- Encoding ---- */

typedef struct cn_pbjson_encoder_t {
    cn_json_writer_t writer;
    const connect_codec_options_t *options;
    connect_arena_t *arena; /* for the error's text; may be NULL */
    connect_error_t *error;
    const cn_pbjson_step_t *path;
    uint32_t depth_left;
    bool in_arena; /* the queue's block stands in the arena */
} cn_pbjson_encoder_t;

static bool cn_pbjson_write_message(cn_pbjson_encoder_t *encoder, const connect_type_t *type, const void *message);

/* A queue in an arena gives back the room that it does not need now, or, if it failed, all of it: a fixed arena may
   have no other room. */
static void cn_pbjson_yield(cn_pbjson_encoder_t *encoder, bool keep) {
    cn_buf_t *out = encoder->writer.out;
    if (!encoder->in_arena || !out->block) return;
    if (!keep) out->end = 0;
    cn_arena_shrink(encoder->arena, out->block, out->capacity + CN_SLACK, out->end + CN_SLACK);
    out->capacity = out->end;
}

static bool cn_pbjson_reject(cn_pbjson_encoder_t *encoder, const char *reason) {
    cn_pbjson_text_t text;
    connect_str_t whole = {NULL, 0};
    if (!encoder->error) return false;
    cn_error_set(encoder->error, CONNECT_INVALID_ARGUMENT, reason); /* if the arena has no room for more */
    cn_pbjson_text_make(&text, encoder->path, reason, NULL);
    cn_pbjson_yield(encoder, false);
    if (encoder->arena) whole = connect_arena_copy(encoder->arena, cn_str(text.data, text.len));
    if (whole.data) encoder->error->message = whole;
    return false;
}

/* Whether the writer is well. */
static bool cn_pbjson_written(cn_pbjson_encoder_t *encoder) {
    if (CN_LIKELY(!encoder->writer.failed)) return true;
    return encoder->writer.out_of_memory ? cn_error_memory(encoder->error)
                                         : cn_pbjson_reject(encoder, "text that is not UTF-8");
}

static void cn_pbjson_write_uint(cn_pbjson_encoder_t *encoder, uint64_t value, bool quoted) {
    char text[CN_NUMBER_ROOM];
    size_t len = cn_number_from_uint(text, value);
    if (quoted)
        cn_json_quoted(&encoder->writer, cn_str(text, len));
    else
        cn_json_literal(&encoder->writer, cn_str(text, len));
}

static void cn_pbjson_write_int(cn_pbjson_encoder_t *encoder, int64_t value, bool quoted) {
    char text[CN_NUMBER_ROOM];
    size_t len = cn_number_from_int(text, value);
    if (quoted)
        cn_json_quoted(&encoder->writer, cn_str(text, len));
    else
        cn_json_literal(&encoder->writer, cn_str(text, len));
}

static void cn_pbjson_write_not_finite(cn_pbjson_encoder_t *encoder, bool nan, bool negative) {
    cn_json_quoted(&encoder->writer, nan ? CN_STR("NaN") : negative ? CN_STR("-Infinity") : CN_STR("Infinity"));
}

static void cn_pbjson_write_enum(
    cn_pbjson_encoder_t *encoder, const connect_type_t *type, const connect_field_t *field, int32_t value) {
    const char *name;
    if (cn_pbjson_is_null_value(type, field)) {
        cn_json_literal(&encoder->writer, CN_STR("null"));
        return;
    }
    name = encoder->options->json_enum_numbers ? NULL : connect_enum_name(type->enums[field->type], value);
    if (name)
        cn_json_quoted(&encoder->writer, connect_str_of(name));
    else
        cn_pbjson_write_int(encoder, value, false);
}

/* at: where the member stands, or an item of a list. quoted: as a map's key. */
static bool cn_pbjson_write_scalar(
    cn_pbjson_encoder_t *encoder, const connect_type_t *type, const connect_field_t *field, const char *at) {
    switch (field->kind) {
    case CONNECT_KIND_BOOL: {
        bool value;
        memcpy(&value, at, sizeof value);
        cn_json_literal(&encoder->writer, value ? CN_STR("true") : CN_STR("false"));
        break;
    }
    case CONNECT_KIND_INT32:
    case CONNECT_KIND_SINT32:
    case CONNECT_KIND_SFIXED32: {
        int32_t value;
        memcpy(&value, at, sizeof value);
        cn_pbjson_write_int(encoder, value, false);
        break;
    }
    case CONNECT_KIND_UINT32:
    case CONNECT_KIND_FIXED32: {
        uint32_t value;
        memcpy(&value, at, sizeof value);
        cn_pbjson_write_uint(encoder, value, false);
        break;
    }
    case CONNECT_KIND_INT64:
    case CONNECT_KIND_SINT64:
    case CONNECT_KIND_SFIXED64: {
        int64_t value;
        memcpy(&value, at, sizeof value);
        cn_pbjson_write_int(encoder, value, true);
        break;
    }
    case CONNECT_KIND_UINT64:
    case CONNECT_KIND_FIXED64: {
        uint64_t value;
        memcpy(&value, at, sizeof value);
        cn_pbjson_write_uint(encoder, value, true);
        break;
    }
    case CONNECT_KIND_FLOAT: {
        char text[CN_NUMBER_ROOM];
        float value;
        memcpy(&value, at, sizeof value);
        if (value - value != 0)
            cn_pbjson_write_not_finite(encoder, value != value, value < 0);
        else
            cn_json_literal(&encoder->writer, cn_str(text, cn_number_from_float(text, value)));
        break;
    }
    case CONNECT_KIND_DOUBLE: {
        char text[CN_NUMBER_ROOM];
        double value;
        memcpy(&value, at, sizeof value);
        if (value - value != 0)
            cn_pbjson_write_not_finite(encoder, value != value, value < 0);
        else
            cn_json_literal(&encoder->writer, cn_str(text, cn_number_from_double(text, value)));
        break;
    }
    case CONNECT_KIND_STRING: {
        connect_str_t value;
        memcpy(&value, at, sizeof value);
        cn_json_string(&encoder->writer, value);
        break;
    }
    case CONNECT_KIND_BYTES: {
        connect_str_t value;
        memcpy(&value, at, sizeof value);
        cn_json_base64(&encoder->writer, value, true);
        break;
    }
    default: {
        int32_t value;
        memcpy(&value, at, sizeof value);
        cn_pbjson_write_enum(encoder, type, field, value);
        break;
    }
    }
    return cn_pbjson_written(encoder);
}

/* One level down. */
static bool cn_pbjson_write_sub(cn_pbjson_encoder_t *encoder, const connect_type_t *type, const void *message) {
    bool ok;
    if (encoder->depth_left == 0) return cn_pbjson_reject(encoder, "nested deeper than depth_max");
    encoder->depth_left--;
    ok = cn_pbjson_write_message(encoder, type, message);
    encoder->depth_left++;
    return ok;
}

/* The message that a member points to. */
static bool cn_pbjson_write_pointer(cn_pbjson_encoder_t *encoder, const connect_type_t *type, const char *at) {
    const void *message;
    memcpy(&message, at, sizeof message);
    if (message) return cn_pbjson_write_sub(encoder, type, message);
    /* a oneof's or a map's: an empty message */
    if (type->form == CONNECT_FORM_PLAIN || type->form == CONNECT_FORM_EMPTY || type->form == CONNECT_FORM_ANY ||
        type->form == CONNECT_FORM_STRUCT) {
        cn_json_object_begin(&encoder->writer);
        cn_json_object_end(&encoder->writer);
    } else if (type->form == CONNECT_FORM_LIST) {
        cn_json_array_begin(&encoder->writer);
        cn_json_array_end(&encoder->writer);
    } else if (type->form == CONNECT_FORM_FIELD_MASK) {
        cn_json_quoted(&encoder->writer, CN_STR(""));
    } else if (type->form == CONNECT_FORM_TIMESTAMP) {
        cn_json_quoted(&encoder->writer, CN_STR("1970-01-01T00:00:00Z"));
    } else if (type->form == CONNECT_FORM_DURATION) {
        cn_json_quoted(&encoder->writer, CN_STR("0s"));
    } else if (type->form == CONNECT_FORM_WRAPPER) {
        static const char zero[sizeof(connect_str_t)] = {0};
        return cn_pbjson_write_scalar(encoder, type, &type->fields[0], zero);
    } else {
        return cn_pbjson_reject(encoder, "a google.protobuf.Value without a value");
    }
    return cn_pbjson_written(encoder);
}

static bool cn_pbjson_write_list(cn_pbjson_encoder_t *encoder, const connect_type_t *type, const connect_field_t *field,
    cn_pbjson_step_t *step, const char *at) {
    const connect_type_t *item_type = cn_pbjson_is_message(field) ? type->types[field->type] : NULL;
    const size_t size = cn_message_value_size(type, field);
    cn_message_list_t list;
    memcpy(&list, at, sizeof list);
    cn_json_array_begin(&encoder->writer);
    step->place = CN_PBJSON_ITEM;
    for (step->index = 0; step->index < list.count; step->index++) {
        const char *item = (const char *)list.items + step->index * size;
        if (!(item_type ? cn_pbjson_write_sub(encoder, item_type, item)
                        : cn_pbjson_write_scalar(encoder, type, field, item)))
            return false;
    }
    step->place = CN_PBJSON_MEMBER;
    cn_json_array_end(&encoder->writer);
    return cn_pbjson_written(encoder);
}

static bool cn_pbjson_write_entry(
    cn_pbjson_encoder_t *encoder, const connect_type_t *entry_type, cn_pbjson_step_t *step, const char *entry) {
    const connect_field_t *key = &entry_type->fields[0], *value = &entry_type->fields[1];
    const char *at = entry + key->offset;
    char text[CN_NUMBER_ROOM];
    int64_t signed_number = 0;
    uint64_t number = 0;
    step->key.data = text;
    step->key.len = 0;
    switch (key->kind) {
    case CONNECT_KIND_STRING: memcpy(&step->key, at, sizeof step->key); break;
    case CONNECT_KIND_BOOL: step->key = *at ? CN_STR("true") : CN_STR("false"); break;
    case CONNECT_KIND_UINT32:
    case CONNECT_KIND_FIXED32: {
        uint32_t narrow;
        memcpy(&narrow, at, sizeof narrow);
        number = narrow;
        step->key.len = cn_number_from_uint(text, number);
        break;
    }
    case CONNECT_KIND_UINT64:
    case CONNECT_KIND_FIXED64:
        memcpy(&number, at, sizeof number);
        step->key.len = cn_number_from_uint(text, number);
        break;
    case CONNECT_KIND_INT32:
    case CONNECT_KIND_SINT32:
    case CONNECT_KIND_SFIXED32: {
        int32_t narrow;
        memcpy(&narrow, at, sizeof narrow);
        signed_number = narrow;
        step->key.len = cn_number_from_int(text, signed_number);
        break;
    }
    default:
        memcpy(&signed_number, at, sizeof signed_number);
        step->key.len = cn_number_from_int(text, signed_number);
        break;
    }
    cn_json_name(&encoder->writer, step->key);
    if (!cn_pbjson_written(encoder)) return false;
    if (cn_pbjson_is_message(value))
        return cn_pbjson_write_pointer(encoder, entry_type->types[value->type], entry + value->offset);
    return cn_pbjson_write_scalar(encoder, entry_type, value, entry + value->offset);
}

static bool cn_pbjson_write_sorted(cn_pbjson_encoder_t *encoder, const connect_type_t *entry_type,
    cn_pbjson_step_t *step, const cn_message_list_t *list) {
    const connect_allocator_t *allocator = encoder->writer.allocator;
    bool ordered = encoder->options->deterministic, ok = true;
    size_t i;
    const char **sorted = list->count < SIZE_MAX / sizeof *sorted
        ? (const char **)cn_mem_acquire(allocator, list->count * sizeof *sorted)
        : NULL;
    if (!sorted) return cn_error_memory(encoder->error);
    cn_pbjson_sort(entry_type, sorted, list);
    for (i = 1; i < list->count && !ordered; i++)
        ordered = cn_pbjson_key_compare(entry_type, sorted[i - 1], sorted[i]) == 0;
    for (i = 0; i < list->count && ok; i++) {
        if (!ordered)
            ok = cn_pbjson_write_entry(encoder, entry_type, step, (const char *)list->items + i * entry_type->size);
        else if (i + 1 == list->count || cn_pbjson_key_compare(entry_type, sorted[i], sorted[i + 1]) != 0)
            ok = cn_pbjson_write_entry(encoder, entry_type, step, sorted[i]);
    }
    cn_mem_release(allocator, (void *)sorted);
    return ok;
}

static bool cn_pbjson_write_map(cn_pbjson_encoder_t *encoder, const connect_type_t *type, const connect_field_t *field,
    cn_pbjson_step_t *step, const char *at) {
    const connect_type_t *entry_type = type->types[field->type];
    cn_message_list_t list;
    size_t i;
    bool ascend;
    memcpy(&list, at, sizeof list);
    if (encoder->depth_left == 0) return cn_pbjson_reject(encoder, "nested deeper than depth_max");
    encoder->depth_left--;
    cn_json_object_begin(&encoder->writer);
    step->place = CN_PBJSON_ENTRY;
    ascend = cn_pbjson_keys_ascend(entry_type, &list);
    if (!ascend && (encoder->options->deterministic || list.count > CN_PBJSON_KEY_PARTS)) {
        if (!cn_pbjson_write_sorted(encoder, entry_type, step, &list)) return false;
    } else {
        for (i = 0; i < list.count; i++) {
            if (!ascend && cn_pbjson_key_again(entry_type, &list, i)) continue;
            if (!cn_pbjson_write_entry(encoder, entry_type, step, (const char *)list.items + i * entry_type->size))
                return false;
        }
    }
    step->place = CN_PBJSON_MEMBER;
    cn_json_object_end(&encoder->writer);
    encoder->depth_left++;
    return cn_pbjson_written(encoder);
}

/* Written although it has its default value: it has no other way to be absent. */
static bool cn_pbjson_is_default_shown(const connect_field_t *field) {
    if (field->flags & CONNECT_FIELD_REPEATED) return true;
    return !cn_pbjson_is_message(field) &&
        !(field->flags & (CONNECT_FIELD_HAS | CONNECT_FIELD_ONEOF | CONNECT_FIELD_NULLABLE));
}

static bool cn_pbjson_write_value_of(cn_pbjson_encoder_t *encoder, const connect_type_t *type,
    const connect_field_t *field, cn_pbjson_step_t *step, const char *at) {
    if (field->flags & CONNECT_FIELD_MAP) return cn_pbjson_write_map(encoder, type, field, step, at);
    if (field->flags & CONNECT_FIELD_REPEATED) return cn_pbjson_write_list(encoder, type, field, step, at);
    if (cn_pbjson_is_message(field)) return cn_pbjson_write_pointer(encoder, type->types[field->type], at);
    return cn_pbjson_write_scalar(encoder, type, field, at);
}

/* What stands between the braces. */
static bool cn_pbjson_write_members(cn_pbjson_encoder_t *encoder, const connect_type_t *type, const void *message) {
    cn_pbjson_step_t step = {encoder->path, type, NULL, 0, {NULL, 0}, CN_PBJSON_MEMBER};
    const connect_field_t *missing;
    size_t i;
    encoder->path = &step;
    if (!encoder->options->partial && !cn_pbjson_required_present(type, message, &missing)) {
        step.field = missing;
        return cn_pbjson_reject(encoder, "required field is missing");
    }
    for (i = 0; i < type->field_count; i++) {
        const connect_field_t *field = &type->fields[i];
        if (!cn_message_has(field, message) && !(encoder->options->json_defaults && cn_pbjson_is_default_shown(field)))
            continue;
        step.field = field;
        cn_json_name(&encoder->writer,
            connect_str_of(type->names + (encoder->options->json_proto_names ? field->name : field->json_name)));
        if (!cn_pbjson_write_value_of(encoder, type, field, &step, (const char *)message + field->offset)) return false;
    }
    encoder->path = step.outer;
    return true;
}

/* ---- Encoding: forms of their own ---- */

static bool cn_pbjson_write_time(cn_pbjson_encoder_t *encoder, const connect_type_t *type, const char *message) {
    const bool duration = type->form == CONNECT_FORM_DURATION;
    char text[CN_WKT_ROOM];
    int64_t seconds;
    int32_t nanos;
    size_t len;
    memcpy(&seconds, message + type->fields[0].offset, sizeof seconds);
    memcpy(&nanos, message + type->fields[1].offset, sizeof nanos);
    len = duration ? cn_wkt_duration_to_text(text, seconds, nanos) : cn_wkt_timestamp_to_text(text, seconds, nanos);
    if (!len) return cn_pbjson_reject(encoder, duration ? "a duration out of range" : "a time out of range");
    cn_json_quoted(&encoder->writer, cn_str(text, len));
    return cn_pbjson_written(encoder);
}

static bool cn_pbjson_write_field_mask(cn_pbjson_encoder_t *encoder, const connect_type_t *type, const char *message) {
    const connect_allocator_t *allocator = encoder->writer.allocator;
    cn_message_list_t list;
    size_t i, len = 0, at = 0;
    bool ok = true;
    char *text;
    memcpy(&list, message + type->fields[0].offset, sizeof list);
    for (i = 0; i < list.count; i++) {
        connect_str_t path;
        memcpy(&path, (const char *)list.items + i * sizeof path, sizeof path);
        if (path.len >= SIZE_MAX / 2 - len) return cn_error_memory(encoder->error);
        len += path.len + 1;
    }
    text = (char *)cn_mem_acquire(allocator, len);
    if (!text) return cn_error_memory(encoder->error);
    for (i = 0; i < list.count && ok; i++) {
        connect_str_t path;
        memcpy(&path, (const char *)list.items + i * sizeof path, sizeof path);
        if (i) text[at++] = ',';
        ok = cn_wkt_path_to_json(text + at, &len, path);
        at += ok ? len : 0;
    }
    if (ok) cn_json_string(&encoder->writer, cn_str(text, at));
    cn_mem_release(allocator, text);
    return ok ? cn_pbjson_written(encoder)
              : cn_pbjson_reject(encoder, "a field path that lowerCamelCase cannot give back");
}

static bool cn_pbjson_write_value(cn_pbjson_encoder_t *encoder, const connect_type_t *type, const char *message) {
    size_t i;
    for (i = 0; i < type->field_count; i++) {
        const connect_field_t *field = &type->fields[i];
        if (!cn_message_has(field, message)) continue;
        if (i == CN_PBJSON_VALUE_NUMBER) {
            double number;
            memcpy(&number, message + field->offset, sizeof number);
            if (number - number != 0)
                return cn_pbjson_reject(encoder, "a google.protobuf.Value that is not a finite number");
        }
        if (cn_pbjson_is_message(field))
            return cn_pbjson_write_pointer(encoder, type->types[field->type], message + field->offset);
        return cn_pbjson_write_scalar(encoder, type, field, message + field->offset);
    }
    return cn_pbjson_reject(encoder, "a google.protobuf.Value without a value");
}

static bool cn_pbjson_write_only_field(cn_pbjson_encoder_t *encoder, const connect_type_t *type, const char *message) {
    const connect_field_t *field = &type->fields[0];
    cn_pbjson_step_t step = {encoder->path, type, field, 0, {NULL, 0}, CN_PBJSON_MEMBER};
    encoder->path = &step;
    if (!cn_pbjson_write_value_of(encoder, type, field, &step, message + field->offset)) return false;
    encoder->path = step.outer;
    return true;
}

/* Decodes what an Any holds into the arena, and writes it. */
static bool cn_pbjson_write_any_held(cn_pbjson_encoder_t *encoder, const connect_type_t *held_type, connect_str_t url,
    connect_str_t bytes, connect_arena_t *scratch) {
    connect_codec_options_t options = {0};
    connect_error_t error = {CONNECT_OK, {NULL, 0}, {NULL, 0}, {NULL, 0}, 0, false};
    void *held = connect_arena_take(scratch, 1, held_type->size);
    if (!held) return cn_error_memory(encoder->error);
    options.depth_max = encoder->depth_left;
    options.memory_max = encoder->options->memory_max;
    options.partial = encoder->options->partial;
    options.drop_unknown = true;
    if (!connect_message_decode(held_type, held, bytes, scratch, &options, &error)) {
        if (scratch->failed) return cn_error_memory(encoder->error);
        return cn_pbjson_reject(encoder, "an Any that its type does not decode");
    }
    cn_json_object_begin(&encoder->writer);
    cn_json_name(&encoder->writer, CN_STR("@type"));
    cn_json_string(&encoder->writer, url);
    if (!cn_pbjson_written(encoder)) return false;
    if (cn_pbjson_any_has_value(held_type)) {
        cn_json_name(&encoder->writer, CN_STR("value"));
        if (!cn_pbjson_write_message(encoder, held_type, held)) return false;
    } else if (!cn_pbjson_write_members(encoder, held_type, held)) {
        return false;
    }
    cn_json_object_end(&encoder->writer);
    return cn_pbjson_written(encoder);
}

static bool cn_pbjson_write_any(cn_pbjson_encoder_t *encoder, const connect_type_t *type, const char *message) {
    const connect_type_t *held_type;
    connect_str_t url, bytes;
    connect_arena_t scratch;
    bool ok;
    memcpy(&url, message + type->fields[0].offset, sizeof url);
    memcpy(&bytes, message + type->fields[1].offset, sizeof bytes);
    if (url.len == 0 && bytes.len == 0) {
        cn_json_object_begin(&encoder->writer);
        cn_json_object_end(&encoder->writer);
        return cn_pbjson_written(encoder);
    }
    held_type = cn_pbjson_any_type(encoder->options->schema, url);
    if (!held_type) return cn_pbjson_reject(encoder, "an Any of a type that the schema does not have");
    if (encoder->depth_left == 0) return cn_pbjson_reject(encoder, "nested deeper than depth_max");
    encoder->depth_left--;
    cn_pbjson_yield(encoder, true);
    connect_arena_init(
        &scratch, NULL, 0, encoder->writer.allocator ? encoder->writer.allocator : connect_allocator_libc());
    ok = cn_pbjson_write_any_held(encoder, held_type, url, bytes, &scratch);
    connect_arena_free(&scratch);
    encoder->depth_left++;
    return ok;
}

static bool cn_pbjson_write_message(cn_pbjson_encoder_t *encoder, const connect_type_t *type, const void *message) {
    switch (type->form) {
    case CONNECT_FORM_ANY: return cn_pbjson_write_any(encoder, type, (const char *)message);
    case CONNECT_FORM_TIMESTAMP:
    case CONNECT_FORM_DURATION: return cn_pbjson_write_time(encoder, type, (const char *)message);
    case CONNECT_FORM_FIELD_MASK: return cn_pbjson_write_field_mask(encoder, type, (const char *)message);
    case CONNECT_FORM_STRUCT:
    case CONNECT_FORM_LIST: return cn_pbjson_write_only_field(encoder, type, (const char *)message);
    case CONNECT_FORM_VALUE: return cn_pbjson_write_value(encoder, type, (const char *)message);
    case CONNECT_FORM_WRAPPER:
        return cn_pbjson_write_scalar(encoder, type, &type->fields[0], (const char *)message + type->fields[0].offset);
    default:
        cn_json_object_begin(&encoder->writer);
        if (!cn_pbjson_write_members(encoder, type, message)) return false;
        cn_json_object_end(&encoder->writer);
        return cn_pbjson_written(encoder);
    }
}

static bool cn_pbjson_encode_to(const connect_type_t *type, const void *message, cn_buf_t *out,
    const connect_allocator_t *allocator, const connect_codec_options_t *options, connect_arena_t *arena, bool in_arena,
    connect_error_t *error) {
    const size_t before = cn_buf_len(out);
    cn_pbjson_encoder_t encoder;
    encoder.options = cn_pbjson_options(options);
    encoder.arena = arena;
    encoder.error = error;
    encoder.path = NULL;
    encoder.depth_left = encoder.options->depth_max ? encoder.options->depth_max : CN_MESSAGE_DEPTH;
    encoder.depth_left = CN_MIN(encoder.depth_left, (uint32_t)CN_MESSAGE_DEPTH_COPY);
    encoder.in_arena = in_arena;
    cn_json_write(&encoder.writer, out, allocator, encoder.options->json_pretty);
    if (cn_pbjson_write_message(&encoder, type, message)) return true;
    cn_buf_truncate(out, before);
    return false;
}

CN_PRIVATE bool cn_pbjson_encode(const connect_type_t *type, const void *message, cn_buf_t *out,
    const connect_allocator_t *allocator, const connect_codec_options_t *options, connect_arena_t *arena,
    connect_error_t *error) {
    return cn_pbjson_encode_to(type, message, out, allocator, options, arena, false, error);
}

/* ---- A queue in an arena ---- */

static void *cn_pbjson_arena_acquire(void *ctx, size_t size) {
    return cn_arena_raw((connect_arena_t *)ctx, size);
}

/* Not called: neither a queue nor an arena resizes. */
static void *cn_pbjson_arena_resize(void *ctx, void *block, size_t size) {
    (void)ctx;
    (void)block;
    (void)size;
    return NULL;
}

static void cn_pbjson_arena_release(void *ctx, void *block) {
    (void)ctx;
    (void)block;
}

connect_str_t connect_message_encode_json(const connect_type_t *type, const void *message, connect_arena_t *arena,
    const connect_codec_options_t *options, connect_error_t *error) {
    connect_allocator_t allocator = {cn_pbjson_arena_acquire, cn_pbjson_arena_resize, cn_pbjson_arena_release, NULL};
    const size_t room = (size_t)(arena->private_end - arena->private_next) & ~(size_t)15;
    connect_str_t text = {NULL, 0};
    cn_buf_t out = {NULL, 0, 0, 0};
    bool ok;
    allocator.ctx = arena;
    if (room > 2 * CN_SLACK) { /* all that the arena's block has left, to begin with */
        out.block = (char *)cn_arena_raw(arena, room);
        out.capacity = out.block ? room - CN_SLACK : 0;
    }
    ok = cn_pbjson_encode_to(type, message, &out, &allocator, options, arena, true, error);
    if (ok && !cn_buf_append(&out, &allocator, "", 1)) ok = cn_error_memory(error);
    if (out.block) cn_arena_shrink(arena, out.block, out.capacity + CN_SLACK, ok ? out.end : 0);
    if (!ok) return text;
    text.data = out.block;
    text.len = out.end - 1;
    return text;
}
#endif
