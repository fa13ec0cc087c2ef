#include "base/base64.h"
#include "base/error.h"
#include "base/mem.h"
#include "base/str.h"
#include "codec/extension.h"
#include "codec/json.h"
#include "codec/map_key.h"
#include "codec/message.h"
#include "codec/number.h"
#include "codec/pbjson.h"
#include "codec/pbjson_shared.h"
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
                              has none; NullValue 0: null
       message, group         an object, or a form of its own
       repeated               an array
       map                    an object, keys as strings

   Decoding. Names are those of the schema or their lowerCamelCase form; the field after the last one found is tried
   first, then the perfect hash, or each in turn. null stands for "absent", except for google.protobuf.Value and
   NullValue, where it is a value; in a list and in a map it is refused elsewhere. An unknown name is skipped, and so is
   an unknown enum value, unless json_strict. A name may not stand twice in an object, under whichever spelling; of a
   oneof there may be one member; a map has each key once. Strings are views of the input unless they were escaped or
   options->copy. options->merge decodes into a new message, and merges that.

   Extensions of the types in options->schema are members "[full.name]".

   Limits: recursion is counted as in protobuf binary, one for each message below the first and for each map entry;
   the text may nest twice as deep, since lists have no message of their own. The budget, memory_max, pays for list
   items, messages and the text that is read twice on account of an Any, before they are taken.

   An Any is {"@type": "type.googleapis.com/x.Y", ...}: the fields of x.Y, or "value" if x.Y has a form of its own. The
   type may stand anywhere in the object, so it is looked for first, and then the object is read again. What an Any
   holds is protobuf binary: it is decoded and encoded on the way. */

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
static inline bool cn_pbjson_pay(cn_pbjson_decoder_t *decoder, size_t size) {
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

typedef struct cn_pbjson_items_t { /* a list that grows; its capacity is paid for */
    char *items;
    size_t count, capacity, size;
} cn_pbjson_items_t;

static CN_APART bool cn_pbjson_items_grow(cn_pbjson_decoder_t *decoder, cn_pbjson_items_t *list) {
    const size_t left = (size_t)CN_MIN(decoder->memory_left / list->size, (uint64_t)SIZE_MAX);
    const size_t first = CN_MIN(CN_MAX((size_t)64 / list->size, (size_t)2), left);
    const size_t growth = list->capacity ? cn_message_list_growth(list->capacity, left) : first;
    const size_t capacity = list->capacity + CN_MAX(growth, (size_t)1);
    char *items;
    if (!cn_pbjson_pay(decoder, (capacity - list->capacity) * list->size)) return false;
    items = (char *)cn_arena_grow(decoder->arena, list->items, list->capacity * list->size, capacity * list->size);
    if (!items) return cn_pbjson_fail_memory(decoder);
    list->items = items;
    list->capacity = capacity;
    return true;
}

/* Room for one item more; NULL: it failed. */
static inline CN_HOT char *cn_pbjson_items_add(cn_pbjson_decoder_t *decoder, cn_pbjson_items_t *list) {
    if (CN_UNLIKELY(list->count == list->capacity) && !cn_pbjson_items_grow(decoder, list)) return NULL;
    return list->items + list->count * list->size;
}

static void cn_pbjson_items_finish(cn_pbjson_decoder_t *decoder, cn_pbjson_items_t *list, char *to) {
    cn_message_list_t finished;
    finished.items = list->items;
    finished.count = list->count;
    if (list->items)
        cn_arena_shrink(decoder->arena, list->items, list->capacity * list->size, list->count * list->size);
    decoder->memory_left += (list->capacity - list->count) * list->size;
    memcpy(to, &finished, sizeof finished);
}

/* The largest value of an integer kind; 0: another kind. */
static uint64_t cn_pbjson_integer_max(uint8_t kind) {
    switch (kind) {
    case CONNECT_KIND_INT32:
    case CONNECT_KIND_SINT32:
    case CONNECT_KIND_SFIXED32: return INT32_MAX;
    case CONNECT_KIND_UINT32:
    case CONNECT_KIND_FIXED32: return UINT32_MAX;
    case CONNECT_KIND_INT64:
    case CONNECT_KIND_SINT64:
    case CONNECT_KIND_SFIXED64:
    case CONNECT_KIND_UINT64:
    case CONNECT_KIND_FIXED64: return INT64_MAX;
    default: return 0;
    }
}

/* Reads plain integers as long as they come, one behind the other. Returns false if it failed. */
static bool cn_pbjson_read_plain(
    cn_pbjson_decoder_t *decoder, cn_pbjson_items_t *list, cn_pbjson_step_t *step, uint64_t max) {
    uint64_t value;
    for (; cn_json_next_uint(&decoder->reader, &value); step->index++) {
        char *item = cn_pbjson_items_add(decoder, list);
        if (CN_UNLIKELY(!item)) return false;
        if (CN_UNLIKELY(value > max)) return cn_pbjson_fail_number(decoder, CN_NUMBER_RANGE);
        if (list->size == 8) {
            memcpy(item, &value, 8);
        } else {
            const uint32_t low = (uint32_t)value;
            memcpy(item, &low, 4);
        }
        list->count++;
    }
    return true;
}

static bool cn_pbjson_read_list(cn_pbjson_decoder_t *decoder, const connect_type_t *type, const connect_field_t *field,
    cn_pbjson_step_t *step, cn_json_token_t token, char *to) {
    const connect_type_t *item_type = cn_message_is_message(field) ? type->types[field->type] : NULL;
    const bool takes_null = cn_pbjson_takes_null(type, field);
    const uint64_t integer_max = cn_pbjson_integer_max(field->kind);
    cn_pbjson_items_t list = {NULL, 0, 0, 0};
    list.size = cn_message_value_size(type, field);
    if (token != CN_JSON_ARRAY_BEGIN) return cn_pbjson_refuse(decoder, token, "expected an array");
    step->place = CN_PBJSON_ITEM;
    for (step->index = 0;; step->index++) {
        char *item;
        if (integer_max && !cn_pbjson_read_plain(decoder, &list, step, integer_max)) return false;
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
    if (cn_map_key_ascend(entry_type, list)) return true;
    if (list.count <= CN_PBJSON_KEY_PARTS) {
        for (i = 0; i < list.count && !again; i++)
            again = cn_map_key_again(entry_type, list, i);
    } else {
        size = list.count * sizeof *sorted; /* no more than the entries have */
        sorted = (const char **)cn_arena_raw(decoder->arena, size);
        if (!sorted) return cn_pbjson_fail_memory(decoder);
        cn_map_key_sort(entry_type, sorted, list);
        for (i = 1; i < list.count && !again; i++)
            again = cn_map_key_compare(entry_type, sorted[i - 1], sorted[i]) == 0;
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
        if (cn_message_is_message(value)) {
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

static inline CN_HOT bool cn_pbjson_name_equal(const char *names, size_t at, connect_str_t name) {
    const char *text = names + at;
    size_t i, len = cn_message_name_len(names, at);
    if (CN_LIKELY(len != 0)) return len == name.len && cn_mem_equal(text, name.data, len);
    for (i = 0; i < name.len; i++)
        if (text[i] != name.data[i] || !text[i]) return false;
    return !text[i];
}

static inline CN_HOT bool cn_pbjson_field_named(const connect_type_t *type, size_t index, connect_str_t name) {
    const connect_field_t *field = &type->fields[index];
    return cn_pbjson_name_equal(type->names, field->json_name, name) ||
        (field->json_name != field->name && cn_pbjson_name_equal(type->names, field->name, name));
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
    if (cn_message_is_message(field)) {
        if (!cn_pbjson_read_pointer(decoder, type->types[field->type], token, to)) return false;
    } else {
        cn_pbjson_result_t result = cn_pbjson_read_scalar(decoder, type, field, token, to);
        if (result != CN_PBJSON_DONE) return result == CN_PBJSON_DROPPED;
    }
    cn_message_mark(field, message);
    return true;
}

/* An extension, which is not a member of the struct: read into its holder, then put among the unknown fields. */
static bool cn_pbjson_read_extension(
    cn_pbjson_decoder_t *decoder, const connect_extension_t *extension, void *message) {
    const connect_field_t *field = cn_extension_field(extension);
    cn_pbjson_step_t step = {decoder->path, extension->holder, field, 0, {NULL, 0}, CN_PBJSON_MEMBER};
    void *holder;
    decoder->path = &step;
    if (cn_extension_has(extension, message)) return cn_pbjson_fail(decoder, "a field that stands twice");
    if (!cn_pbjson_pay(decoder, extension->holder->size)) return false;
    holder = cn_arena_raw(decoder->arena, extension->holder->size);
    if (!holder) return cn_pbjson_fail_memory(decoder);
    connect_message_init(extension->holder, holder);
    if (!cn_pbjson_read_field(decoder, extension->holder, holder, field, &step)) return false;
    decoder->path = step.outer;
    if (!cn_message_has(field, holder) || decoder->options->drop_unknown) return true;
    return connect_extension_set(extension, message, holder, decoder->arena) ? true : cn_pbjson_fail_memory(decoder);
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
            const connect_extension_t *extension = cn_pbjson_extension(decoder->options->schema, type, name);
            if (extension && type->keeps_unknown) {
                if (!cn_pbjson_read_extension(decoder, extension, message)) return false;
                continue;
            }
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
    if (cn_message_is_message(field))
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
        return cn_pbjson_fail_at(decoder, place, CONNECT_INVALID_ARGUMENT,
            "expected @type to end in a slash and a type of the schema, not", &url);
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
#endif
