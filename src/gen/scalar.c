/* Values as they are written, of options and defaults: what of it fits which type (protobuf.dev, "Language
   Specification", constant).

     int32 ... sfixed64   an integer in range; unsigned ones without a minus
     float, double        an integer, a float, inf, nan; a float that is too large is infinite
     bool                 true, false
     enum                 the name of a value
     string, bytes        strings in quotes

   The text format (protobuf.dev, "Text Format Language"), in which messages are written, has more: true and false as t,
   True, 1, f, False, 0; enums by number; infinity for inf, in any case. */
#include "gen/scalar.h"

GEN_PRIVATE const char *gen_scalar_kind_name(int kind) {
    static const char *const names[] = {"", "double", "float", "int64", "uint64", "int32", "fixed64", "fixed32", "bool",
        "string", "group", "message", "bytes", "uint32", "enum", "sfixed32", "sfixed64", "sint32", "sint64"};
    return names[kind];
}

GEN_PRIVATE int gen_scalar_kind(const char *name) {
    int kind;
    for (kind = CONNECT_KIND_DOUBLE; kind <= CONNECT_KIND_SINT64; kind++) {
        if (kind == CONNECT_KIND_GROUP || kind == CONNECT_KIND_MESSAGE || kind == CONNECT_KIND_ENUM) continue;
        if (strcmp(gen_scalar_kind_name(kind), name) == 0) return kind;
    }
    return 0;
}

GEN_PRIVATE const gen_enum_value_t *gen_scalar_enum_value(
    gen_context_t *ctx, gen_enum_t *enumeration, connect_str_t name) {
    if (!enumeration->by_name.count) {
        gen_enum_value_t *value;
        for (value = enumeration->values.first; value; value = value->next) {
            if (!gen_map_get(&enumeration->by_name, value->name))
                gen_map_put(ctx, &enumeration->by_name, value->name, value);
        }
    }
    return gen_map_get(&enumeration->by_name, gen_source_copy(ctx, name));
}

static bool gen_scalar_is_one_of(const gen_option_t *value, const char *words) {
    size_t len = value->text.len;
    while (*words) {
        size_t word = strcspn(words, " ");
        if (word == len && memcmp(words, value->text.data, len) == 0) return true;
        words += word + (words[word] == ' ');
    }
    return false;
}

static bool gen_scalar_bool(gen_item_t *item, const gen_option_t *value, bool text_format) {
    if (text_format && value->kind == GEN_VALUE_INTEGER && !value->negative && value->integer <= 1) {
        item->bits = value->integer;
        return true;
    }
    if (value->kind != GEN_VALUE_WORD || value->negative) return false;
    item->bits = gen_scalar_is_one_of(value, text_format ? "true True t" : "true");
    return item->bits || gen_scalar_is_one_of(value, text_format ? "false False f" : "false");
}

static bool gen_scalar_float(gen_item_t *item, const gen_option_t *value, bool single, bool text_format) {
    double number = value->number;
    if (value->kind == GEN_VALUE_WORD) {
        char word[16] = "";
        size_t i;
        for (i = 0; i < value->text.len && i < sizeof word - 1; i++) {
            char c = value->text.data[i];
            word[i] = text_format && c >= 'A' && c <= 'Z' ? (char)(c - 'A' + 'a') : c;
        }
        if (strcmp(word, "inf") == 0 || (text_format && strcmp(word, "infinity") == 0))
            number = strtod("inf", NULL);
        else if (strcmp(word, "nan") == 0)
            number = strtod("nan", NULL);
        else
            return false;
    } else if (value->kind != GEN_VALUE_INTEGER && value->kind != GEN_VALUE_FLOAT) {
        return false;
    }
    if (value->negative) number = -number;
    if (single) {
        float narrow = (float)number;
        uint32_t bits;
        memcpy(&bits, &narrow, sizeof bits);
        item->bits = bits;
    } else {
        memcpy(&item->bits, &number, sizeof number);
    }
    return true;
}

static bool gen_scalar_enum(
    gen_context_t *ctx, gen_item_t *item, gen_enum_t *enumeration, const gen_option_t *value, bool text_format) {
    const gen_enum_value_t *choice;
    if (text_format && value->kind == GEN_VALUE_INTEGER && value->integer <= (value->negative ? 1u << 31 : INT32_MAX)) {
        const int64_t number = value->negative ? -(int64_t)value->integer : (int64_t)value->integer;
        item->bits = (uint64_t)number;
        if (!enumeration->closed) return true;
        for (choice = enumeration->values.first; choice; choice = choice->next) {
            if (choice->number == number) return true;
        }
        return false;
    }
    if (value->kind != GEN_VALUE_WORD || value->negative) return false;
    choice = gen_scalar_enum_value(ctx, enumeration, value->text);
    if (choice) item->bits = (uint64_t)(int64_t)choice->number;
    return choice != NULL;
}

static bool gen_scalar_integer(gen_item_t *item, const gen_option_t *value, int kind) {
    const bool wide = kind == CONNECT_KIND_INT64 || kind == CONNECT_KIND_SINT64 || kind == CONNECT_KIND_SFIXED64 ||
        kind == CONNECT_KIND_UINT64 || kind == CONNECT_KIND_FIXED64;
    const bool is_unsigned = kind == CONNECT_KIND_UINT64 || kind == CONNECT_KIND_FIXED64 ||
        kind == CONNECT_KIND_UINT32 || kind == CONNECT_KIND_FIXED32;
    uint64_t max = is_unsigned ? (wide ? UINT64_MAX : UINT32_MAX) : (wide ? (uint64_t)INT64_MAX : INT32_MAX);
    if (value->negative) max++;
    if (value->kind != GEN_VALUE_INTEGER || value->integer > max || (value->negative && is_unsigned)) return false;
    item->bits = value->negative ? (uint64_t)0 - value->integer : value->integer;
    return true;
}

/* What an enum's values are called, as far as a message has room for. */
static const char *gen_scalar_choices(gen_context_t *ctx, const gen_enum_t *enumeration) {
    const gen_enum_value_t *value = enumeration->values.first;
    const char *list = "";
    unsigned i;
    for (i = 0; value && i < 10; value = value->next, i++)
        list = gen_source_printf(ctx, "%s%s%s", list, i ? ", " : "", value->name);
    return value ? gen_source_printf(ctx, "%s, ...", list) : list;
}

GEN_PRIVATE bool gen_scalar_read(gen_context_t *ctx, gen_item_t *item, const gen_field_t *field,
    const gen_option_t *value, const char *what, bool text_format) {
    const char *wanted;
    switch (field->kind) {
    case CONNECT_KIND_STRING:
    case CONNECT_KIND_BYTES:
        item->text = value->text;
        if (value->kind == GEN_VALUE_STRING) return true;
        wanted = "a string";
        break;
    case CONNECT_KIND_BOOL:
        if (gen_scalar_bool(item, value, text_format)) return true;
        wanted = "true or false";
        break;
    case CONNECT_KIND_ENUM:
        if (!field->enumeration || gen_scalar_enum(ctx, item, field->enumeration, value, text_format)) return true;
        wanted = gen_source_printf(ctx, "one of %s", gen_scalar_choices(ctx, field->enumeration));
        break;
    case CONNECT_KIND_DOUBLE:
    case CONNECT_KIND_FLOAT:
        if (gen_scalar_float(item, value, field->kind == CONNECT_KIND_FLOAT, text_format)) return true;
        wanted = "a number";
        break;
    default:
        if (gen_scalar_integer(item, value, field->kind)) return true;
        wanted = gen_source_printf(ctx, "an integer in the range of %s", gen_scalar_kind_name(field->kind));
        break;
    }
    gen_source_error(ctx, value->value_at, "%s must be %s", what, wanted);
    return false;
}
