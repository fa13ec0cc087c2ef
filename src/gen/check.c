/* The rules of the language that need the whole model: numbers, labels and types, names in JSON, enums, maps, reserved
   things, and the limits of connect_type_t. As protoc refuses them, with messages that say what to do.

   Field numbers: 1 to 536,870,911, not 19,000 to 19,999. JSON names of a message's fields differ, the default ones
   and those given, unless json_format is LEGACY_BEST_EFFORT; so do the values of an enum without their enum's name in
   front, whatever case and underscores (JSON mappings of other languages use that). The first value of an open enum is
   0. proto3: no required, default, group, extension but of options. Editions: no labels but repeated, no groups, no
   [packed]: features say it.

   How a field is stored (connect_field_t): NULLABLE, what tracks presence and has a NULL; HAS, what tracks presence
   and has none, and strings with a default; neither in a oneof, whose case says it. The kind of a message with
   DELIMITED encoding is GROUP, but for maps and what is in them.

   An extension has a holder: a struct with this one field, called value.

   A message of the name of a well-known type has its fields: JSON and the helpers in headers rely on them.

   Limits: a struct of 65,535 bytes (offsets have 16 bits), as laid out where pointers have 8 bytes; as many bytes of
   names; 65,535 values of an enum. */
#include "gen/check.h"
#include "gen/object.h"
#include "gen/scalar.h"
#include "gen/wellknown.h"

#define GEN_CHECK_NUMBER_MAX 536870911

typedef struct gen_check_t {
    gen_model_t *model;
    gen_context_t *ctx;
    gen_map_t extensions; /* by the message they extend and their number */
} gen_check_t;

/* ---- Numbers ---- */

static int gen_check_compare_numbers(const void *a, const void *b) {
    const gen_field_t *one = *(const gen_field_t *const *)a, *two = *(const gen_field_t *const *)b;
    if (one->number != two->number) return one->number < two->number ? -1 : 1;
    return one->at.offset < two->at.offset ? -1 : one->at.offset > two->at.offset;
}

static int gen_check_compare_ranges(const void *a, const void *b) {
    const gen_range_t *one = *(const gen_range_t *const *)a, *two = *(const gen_range_t *const *)b;
    if (one->first != two->first) return one->first < two->first ? -1 : 1;
    return one->at.offset < two->at.offset ? -1 : one->at.offset > two->at.offset;
}

/* Ranges by their first number; overlaps are reported. */
static gen_range_t **gen_check_ranges(gen_check_t *check, gen_range_t *first, size_t count) {
    gen_range_t **sorted = CONNECT_NEW(&check->ctx->arena, gen_range_t *, count + 1), *range;
    size_t i = 0;
    for (range = first; range; range = range->next)
        sorted[i++] = range;
    for (i = 0; i < count; i++) {
        if (sorted[i]->last < sorted[i]->first) {
            gen_source_error(
                check->ctx, sorted[i]->at, "the range ends at %ld, before it starts", (long)sorted[i]->last);
        }
    }
    qsort(sorted, count, sizeof *sorted, gen_check_compare_ranges);
    for (i = 1; i < count; i++) {
        bool later = sorted[i]->at.offset > sorted[i - 1]->at.offset;
        if (sorted[i]->first <= sorted[i - 1]->last) {
            gen_source_error(check->ctx, sorted[later ? i : i - 1]->at, "the range overlaps the one at %s",
                gen_source_place(check->ctx, sorted[later ? i - 1 : i]->at));
        }
        if (sorted[i]->last < sorted[i - 1]->last && sorted[i]->first <= sorted[i - 1]->last) {
            sorted[i]->last = sorted[i - 1]->last;
        }
    }
    return sorted;
}

/* The range that shares a number with first to last. */
static const gen_range_t *gen_check_in(gen_range_t *const *sorted, size_t count, int32_t first, int32_t last) {
    size_t low = 0, high = count;
    while (low < high) {
        size_t middle = low + (high - low) / 2;
        if (sorted[middle]->first <= last)
            low = middle + 1;
        else
            high = middle;
    }
    return low > 0 && sorted[low - 1]->last >= first ? sorted[low - 1] : NULL;
}

static void gen_check_number(gen_check_t *check, const gen_field_t *field) {
    if (field->extendee && field->extendee->is_message_set && field->number > 0) return;
    if (field->number < 1 || field->number > GEN_CHECK_NUMBER_MAX) {
        gen_source_error(check->ctx, field->number_at, "field numbers are 1 to 536870911");
    } else if (field->number >= 19000 && field->number <= 19999) {
        gen_source_error(check->ctx, field->number_at, "field numbers 19000 to 19999 are reserved for protobuf itself");
    }
}

static void gen_check_numbers(gen_check_t *check, gen_type_t *type) {
    size_t i = 0, reserved_count = type->reserved.count, taken_count = type->extension_ranges.count;
    gen_range_t **reserved, **taken, *range;
    gen_field_t *field;
    type->by_number = CONNECT_NEW(&check->ctx->arena, gen_field_t *, type->fields.count + 1);
    for (field = type->fields.first; field; field = field->next)
        type->by_number[i++] = field;
    qsort(type->by_number, type->fields.count, sizeof *type->by_number, gen_check_compare_numbers);
    for (i = 1; i < type->fields.count; i++) {
        if (type->by_number[i]->number == type->by_number[i - 1]->number) {
            gen_source_error(check->ctx, type->by_number[i]->number_at, "number %ld is used already, by field \"%s\"",
                (long)type->by_number[i]->number, type->by_number[i - 1]->name);
        }
    }
    for (range = type->reserved.first; range; range = range->next) {
        if (range->first < 1 || range->last > GEN_CHECK_NUMBER_MAX + 1) { /* one more, as protoc has it */
            gen_source_error(check->ctx, range->at, "reserved numbers are 1 to 536870911");
        }
    }
    for (range = type->extension_ranges.first; range; range = range->next) {
        if (type->is_message_set && range->to_max) range->last = INT32_MAX - 1;
        if (range->first < 1 || range->last > (type->is_message_set ? INT32_MAX - 1 : GEN_CHECK_NUMBER_MAX)) {
            gen_source_error(check->ctx, range->at, "extension numbers are 1 to 536870911");
        }
    }
    reserved = gen_check_ranges(check, type->reserved.first, reserved_count);
    taken = gen_check_ranges(check, type->extension_ranges.first, taken_count);
    for (range = type->extension_ranges.first; range; range = range->next) {
        const gen_range_t *hit = gen_check_in(reserved, reserved_count, range->first, range->last);
        if (hit) {
            gen_source_error(check->ctx, range->at, "the range overlaps reserved numbers, at %s",
                gen_source_place(check->ctx, hit->at));
        }
    }
    for (field = type->fields.first; field; field = field->next) {
        const gen_range_t *hit = gen_check_in(reserved, reserved_count, field->number, field->number);
        gen_check_number(check, field);
        if (hit) {
            gen_source_error(check->ctx, field->number_at, "number %ld is reserved, at %s", (long)field->number,
                gen_source_place(check->ctx, hit->at));
        }
        hit = gen_check_in(taken, taken_count, field->number, field->number);
        if (hit) {
            gen_source_error(check->ctx, field->number_at, "number %ld is for extensions, at %s", (long)field->number,
                gen_source_place(check->ctx, hit->at));
        }
    }
}

/* ---- Names ---- */

static void gen_check_reserved_names(gen_check_t *check, const gen_word_t *first, gen_map_t *map) {
    const gen_word_t *word;
    for (word = first; word; word = word->next) {
        gen_at_t *at;
        const char *c = word->text;
        if (gen_map_get(map, word->text)) {
            gen_source_error(check->ctx, word->at, "name \"%s\" is reserved twice",
                gen_source_quote(check->ctx, connect_str_of(word->text)));
            continue;
        }
        while (*c == '_' || (*c >= 'a' && *c <= 'z') || (*c >= 'A' && *c <= 'Z') ||
            (c > word->text && *c >= '0' && *c <= '9')) {
            c++;
        }
        if (*c || !*word->text) {
            gen_source_warn(check->ctx, word->at, "\"%s\" cannot be a name, so it need not be reserved",
                gen_source_quote(check->ctx, connect_str_of(word->text)));
        }
        at = CONNECT_NEW(&check->ctx->arena, gen_at_t, 1);
        *at = word->at;
        gen_map_put(check->ctx, map, word->text, at);
    }
}

static void gen_check_reserved_use(gen_check_t *check, const gen_map_t *map, const char *name, gen_at_t at) {
    const gen_at_t *where = gen_map_get(map, name);
    if (where)
        gen_source_error(check->ctx, at, "name \"%s\" is reserved, at %s", name, gen_source_place(check->ctx, *where));
}

static const char *gen_check_default_json(gen_check_t *check, const char *name) {
    char *json = CONNECT_NEW(&check->ctx->arena, char, strlen(name) + 1);
    size_t len = 0;
    bool upper = false;
    for (; *name; name++) {
        if (*name == '_')
            upper = true;
        else {
            json[len++] = upper && *name >= 'a' && *name <= 'z' ? (char)(*name - 'a' + 'A') : *name;
            upper = false;
        }
    }
    return json;
}

/* JSON names: those in effect, and then the default ones, which other implementations go by. */
static void gen_check_json_names(gen_check_t *check, const gen_type_t *type) {
    int round;
    if (type->features.of[GEN_FEATURE_JSON_FORMAT] != GEN_JSON_ALLOW) return;
    if (gen_object_is_true(type->options.object, "deprecated_legacy_json_field_conflicts")) return;
    for (round = 0; round < 2; round++) {
        gen_map_t map;
        gen_field_t *field;
        memset(&map, 0, sizeof map);
        for (field = type->fields.first; field; field = field->next) {
            const char *json = round == 0 ? field->json_name : gen_check_default_json(check, field->name);
            const gen_field_t *other = gen_map_get(&map, json);
            if (!other) {
                gen_map_put(check->ctx, &map, json, field);
            } else if (strcmp(field->name, other->name) == 0) {
                continue; /* told already */
            } else if (round == 0 || (strcmp(json, field->json_name) != 0 || strcmp(json, other->json_name) != 0)) {
                gen_source_error(check->ctx, round == 0 && field->has_json_name ? field->json_name_at : field->at,
                    "the %sJSON name of field \"%s\", \"%s\", is also that of \"%s\"", round == 0 ? "" : "default ",
                    field->name, gen_source_quote(check->ctx, connect_str_of(json)), other->name);
            }
        }
    }
}

/* ---- Fields ---- */

static bool gen_check_is_number(int kind) {
    return kind != CONNECT_KIND_STRING && kind != CONNECT_KIND_BYTES && kind != CONNECT_KIND_MESSAGE &&
        kind != CONNECT_KIND_GROUP && kind != 0;
}

static void gen_check_default(gen_check_t *check, const gen_field_t *field) {
    const gen_option_t *value = field->default_value;
    gen_item_t item;
    if (field->label == GEN_LABEL_REPEATED || field->kind == CONNECT_KIND_MESSAGE ||
        field->kind == CONNECT_KIND_GROUP) {
        gen_source_error(check->ctx, value->at, "a repeated field or a message has no default");
    } else if (field->kind) {
        gen_scalar_read(check->ctx, &item, field, value, "the default", false);
    }
}

/* What proto2, proto3 and editions allow of a field each. */
static void gen_check_field_syntax(gen_check_t *check, const gen_field_t *field) {
    switch (field->file->syntax) {
    case GEN_SYNTAX_PROTO2:
        if (field->label == GEN_LABEL_NONE && !field->oneof) {
            gen_source_error(check->ctx, field->type_at, "expected \"required\", \"optional\" or \"repeated\"");
        }
        break;
    case GEN_SYNTAX_PROTO3:
        if (field->label == GEN_LABEL_REQUIRED) {
            gen_source_error(check->ctx, field->type_at, "proto3 has no required fields: leave the label out");
        }
        if (field->is_group) {
            gen_source_error(check->ctx, field->type_at, "proto3 has no groups: use a nested message");
        }
        if (field->default_value) {
            gen_source_error(check->ctx, field->default_value->at, "proto3 has no defaults but zero and empty");
        }
        if (field->enumeration && field->enumeration->closed) {
            gen_source_error(check->ctx, field->type_at, "enum \"%s\" is proto2's, and proto3 cannot use it",
                field->enumeration->full_name);
        }
        return;
    default:
        if (field->parent && field->parent->is_map_entry) break;
        if (field->label == GEN_LABEL_REQUIRED) {
            gen_source_error(check->ctx, field->type_at,
                "editions have no label \"required\": write [features.field_presence = LEGACY_REQUIRED]");
        }
        if (field->label == GEN_LABEL_OPTIONAL) {
            gen_source_error(
                check->ctx, field->type_at, "editions have no label \"optional\": it is what a field is without");
        }
        if (field->is_group) {
            gen_source_error(check->ctx, field->type_at,
                "editions have no groups: use a message with [features.message_encoding = DELIMITED]");
        }
        break;
    }
    if (field->default_value) gen_check_default(check, field);
}

static bool gen_check_has_strings(const gen_field_t *field) {
    const gen_field_t *inner = field->is_map ? field->type->fields.first : NULL;
    for (; inner; inner = inner->next) {
        if (inner->kind == CONNECT_KIND_STRING) return true;
    }
    return field->kind == CONNECT_KIND_STRING;
}

/* Why a feature cannot be set on a field; NULL: it can. */
static const char *gen_check_feature(const gen_field_t *field, const gen_item_t *feature) {
    const bool repeated = field->label == GEN_LABEL_REPEATED;
    const bool is_message = field->kind == CONNECT_KIND_MESSAGE || field->kind == CONNECT_KIND_GROUP;
    switch (feature->field->extendee_name ? 0 : feature->field->number) {
    case GEN_FEATURE_FIELD_PRESENCE:
        if (repeated) return "a repeated field has no presence";
        if (field->extendee_name) return "an extension has explicit presence";
        if (field->oneof) return "a field of a oneof has explicit presence";
        return is_message && feature->bits == GEN_PRESENCE_IMPLICIT ? "a message has explicit presence" : NULL;
    case GEN_FEATURE_REPEATED_FIELD_ENCODING:
        if (!repeated) return "this is for repeated fields";
        return feature->bits == GEN_REPEATED_PACKED && field->kind && !gen_check_is_number(field->kind)
            ? "only numbers, bools and enums can be packed"
            : NULL;
    case GEN_FEATURE_UTF8_VALIDATION:
        return field->kind && !gen_check_has_strings(field) ? "this is for strings" : NULL;
    case GEN_FEATURE_MESSAGE_ENCODING:
        return (field->kind && !is_message) || field->is_map ? "this is for fields of messages" : NULL;
    default: return NULL;
    }
}

static void gen_check_field_features(gen_check_t *check, const gen_field_t *field) {
    const uint8_t *of = field->features.of;
    const gen_item_t *set = gen_object_get(field->options.object, "features"), *feature;
    for (feature = set ? set->message->items : NULL; feature; feature = feature->next) {
        const char *wrong = gen_check_feature(field, feature);
        if (wrong) gen_source_error(check->ctx, feature->at, "%s", wrong);
    }
    if (field->label == GEN_LABEL_REPEATED || field->oneof || field->extendee_name || field->type ||
        of[GEN_FEATURE_FIELD_PRESENCE] != GEN_PRESENCE_IMPLICIT || field->file->syntax != GEN_SYNTAX_EDITIONS) {
        return;
    }
    if (field->default_value) {
        gen_source_error(check->ctx, field->default_value->at, "a field with implicit presence has no default");
    }
    if (field->enumeration && field->enumeration->closed) {
        gen_source_error(check->ctx, field->type_at,
            "a field with implicit presence cannot be of the closed enum \"%s\"", field->enumeration->full_name);
    }
}

static void gen_check_field_options(gen_check_t *check, const gen_field_t *field, bool scalar_list) {
    static const char *const lazy[] = {"lazy", "unverified_lazy"};
    const gen_object_t *options = field->options.object;
    const gen_item_t *item = gen_object_get(options, "packed");
    size_t i;
    if (item && field->file->syntax == GEN_SYNTAX_EDITIONS) {
        gen_source_error(
            check->ctx, item->at, "editions have no option \"packed\": write features.repeated_field_encoding");
    } else if (item && item->bits && !scalar_list && field->kind) {
        gen_source_error(check->ctx, item->at, "packed is for repeated fields of numbers, bools and enums");
    }
    item = gen_object_get(options, "ctype");
    if (item && field->file->edition >= GEN_EDITION_2024)
        gen_source_error(check->ctx, item->at, "edition 2024 has no ctype: write features.(pb.cpp).string_type");
    item = gen_object_get(options, "unverified_lazy");
    if (item && item->bits && field->extendee_name)
        gen_source_error(check->ctx, item->at, "an extension cannot be unverified_lazy");
    item = gen_object_get(options, "jstype");
    if (item && item->bits && field->kind != CONNECT_KIND_INT64 && field->kind != CONNECT_KIND_UINT64 &&
        field->kind != CONNECT_KIND_SINT64 && field->kind != CONNECT_KIND_FIXED64 &&
        field->kind != CONNECT_KIND_SFIXED64) {
        gen_source_error(check->ctx, item->at, "jstype is for fields of 64-bit integers");
    }
    for (i = 0; i < GEN_LEN(lazy); i++) {
        item = gen_object_get(options, lazy[i]);
        if (item && item->bits && field->kind && field->kind != CONNECT_KIND_MESSAGE)
            gen_source_error(check->ctx, item->at, "%s is for fields of messages", lazy[i]);
    }
}

static void gen_check_field(gen_check_t *check, gen_field_t *field) {
    const uint8_t *of = field->features.of;
    bool scalar_list = field->label == GEN_LABEL_REPEATED && gen_check_is_number(field->kind);
    bool tracked;
    if (field->json_name[0] == '[' && field->json_name[strlen(field->json_name) - 1] == ']')
        gen_source_error(check->ctx, field->json_name_at, "a JSON name in [ ] is kept for extensions");
    gen_check_field_syntax(check, field);
    gen_check_field_features(check, field);
    gen_check_field_options(check, field, scalar_list);
    field->packed = scalar_list && of[GEN_FEATURE_REPEATED_FIELD_ENCODING] == GEN_REPEATED_PACKED;
    field->utf8 = field->kind == CONNECT_KIND_STRING && of[GEN_FEATURE_UTF8_VALIDATION] == GEN_UTF8_VERIFY;
    if (field->kind == CONNECT_KIND_MESSAGE && of[GEN_FEATURE_MESSAGE_ENCODING] == GEN_ENCODING_DELIMITED &&
        !field->is_map) {
        field->kind = CONNECT_KIND_GROUP;
    }
    if (field->label == GEN_LABEL_REPEATED || (field->oneof && !field->oneof->synthetic)) return;
    field->required = of[GEN_FEATURE_FIELD_PRESENCE] == GEN_PRESENCE_LEGACY_REQUIRED && !field->extendee_name;
    tracked = of[GEN_FEATURE_FIELD_PRESENCE] != GEN_PRESENCE_IMPLICIT || field->extendee_name;
    if (field->parent && field->parent->is_map_entry) field->required = tracked = false;
    if (field->kind == CONNECT_KIND_MESSAGE || field->kind == CONNECT_KIND_GROUP)
        field->nullable = true;
    else if (tracked && !gen_check_is_number(field->kind) && !field->default_value)
        field->nullable = true;
    else if (tracked)
        field->has = true;
}

static void gen_check_map(gen_check_t *check, const gen_type_t *entry) {
    const gen_field_t *key = entry->fields.first, *value = key->next;
    switch (key->kind) {
    case CONNECT_KIND_DOUBLE:
    case CONNECT_KIND_FLOAT:
    case CONNECT_KIND_BYTES:
    case CONNECT_KIND_ENUM:
    case CONNECT_KIND_MESSAGE:
        gen_source_error(check->ctx, key->type_at, "the key of a map must be an integer, a bool or a string");
        break;
    default: break;
    }
    if (value->enumeration && value->enumeration->values.first && value->enumeration->values.first->number != 0) {
        gen_source_error(check->ctx, value->type_at, "the enum of a map's value must have 0 as its first number");
    }
}

static void gen_check_message_set(gen_check_t *check, const gen_type_t *type) {
    if (type->file->syntax == GEN_SYNTAX_PROTO3) {
        gen_source_error(check->ctx, type->at, "proto3 has no message sets: leave message_set_wire_format out");
    } else if (type->fields.first) {
        gen_source_error(check->ctx, type->fields.first->at, "a message set has extensions only, no fields");
    }
}

/* The struct that an extension is read into. */
static void gen_check_holder(gen_check_t *check, gen_field_t *field) {
    gen_type_t *holder = CONNECT_NEW(&check->ctx->arena, gen_type_t, 1);
    gen_field_t *value = CONNECT_NEW(&check->ctx->arena, gen_field_t, 1);
    *value = *field;
    value->next = NULL;
    value->parent = holder;
    holder->file = field->file;
    holder->name = field->name;
    holder->full_name = field->full_name;
    holder->at = field->at;
    holder->docs = field->docs;
    holder->features = field->features;
    holder->extension = field;
    holder->deprecated = field->deprecated;
    holder->has_required = field->type && field->type->has_required;
    holder->by_number = CONNECT_NEW(&check->ctx->arena, gen_field_t *, 1);
    holder->by_number[0] = value;
    GEN_APPEND(holder->fields, value);
    GEN_APPEND(field->file->holders, holder);
    field->holder = holder;
}

/* Of two extensions with one number, in whatever files, the second is wrong. */
static void gen_check_extension_twice(gen_check_t *check, gen_field_t *field) {
    const char *key = gen_source_printf(check->ctx, "%s %ld", field->extendee->full_name, (long)field->number);
    const gen_field_t *other = gen_map_get(&check->extensions, key);
    if (!other) {
        gen_map_put(check->ctx, &check->extensions, key, field);
    } else if (other != field) {
        gen_source_error(check->ctx, field->number_at, "number %ld is used already, by extension \"%s\" at %s",
            (long)field->number, other->full_name, gen_source_place(check->ctx, other->number_at));
    }
}

static void gen_check_extension(gen_check_t *check, gen_field_t *field) {
    const gen_type_t *extendee = field->extendee;
    const gen_range_t *range;
    bool of_options;
    gen_check_number(check, field);
    if (!extendee) return;
    gen_check_extension_twice(check, field);
    of_options = strncmp(extendee->full_name, "google.protobuf.", 16) == 0 &&
        strcmp(extendee->full_name + strlen(extendee->full_name) - 7, "Options") == 0;
    if (field->file->syntax == GEN_SYNTAX_PROTO3 && !of_options) {
        gen_source_error(check->ctx, field->extendee_at, "proto3 has no extensions but those of options");
        return;
    }
    if (field->label == GEN_LABEL_REQUIRED || field->required) {
        gen_source_error(check->ctx, field->type_at, "an extension must not be required");
    }
    if (extendee->is_message_set && (field->kind != CONNECT_KIND_MESSAGE || field->label == GEN_LABEL_REPEATED)) {
        gen_source_error(check->ctx, field->type_at, "an extension of a message set must be an optional message");
    }
    if (field->has_json_name) {
        gen_source_error(
            check->ctx, field->json_name_at, "an extension has no json_name: it is [%s] in JSON", field->full_name);
    }
    for (range = extendee->extension_ranges.first; range; range = range->next) {
        if (field->number >= range->first && field->number <= range->last) return;
    }
    gen_source_error(check->ctx, field->number_at, "message \"%s\" does not have %ld among its extension numbers",
        extendee->full_name, (long)field->number);
}

/* ---- Sizes ---- */

static uint32_t gen_check_align(uint32_t size, uint32_t align) {
    return (size + align - 1) / align * align;
}

static uint32_t gen_check_size(const gen_field_t *field) {
    if (field->label == GEN_LABEL_REPEATED) return 16;
    switch (field->kind) {
    case CONNECT_KIND_STRING:
    case CONNECT_KIND_BYTES: return 16;
    case CONNECT_KIND_BOOL: return 1;
    case CONNECT_KIND_FLOAT:
    case CONNECT_KIND_INT32:
    case CONNECT_KIND_UINT32:
    case CONNECT_KIND_SINT32:
    case CONNECT_KIND_FIXED32:
    case CONNECT_KIND_SFIXED32:
    case CONNECT_KIND_ENUM: return 4;
    default: return 8;
    }
}

static void gen_check_limits(gen_check_t *check, const gen_type_t *type) {
    const gen_field_t *field;
    const gen_oneof_t *oneof = NULL;
    uint32_t size = 0;
    size_t names = 0;
    for (field = type->fields.first; field && size < 1u << 24; field = field->next) {
        uint32_t bytes = gen_check_size(field), align = bytes == 16 ? 8 : bytes;
        if (field->oneof && !field->oneof->synthetic) {
            if (field->oneof == oneof) continue;
            oneof = field->oneof;
            size = gen_check_align(size, 4) + 4;
            bytes = 16; /* at most */
            align = 8;
        }
        size = gen_check_align(size, align) + bytes + (field->has ? 1 : 0);
        names += strlen(field->name) + 2;
        if (strcmp(field->name, field->json_name) != 0) names += strlen(field->json_name) + 2;
    }
    size = gen_check_align(size, 8) + 16;
    if (size > 65535) {
        gen_source_error(check->ctx, type->at,
            "message \"%s\" has too many fields: its struct would have more than 65535 bytes", type->name);
    } else if (names > 65535) {
        gen_source_error(
            check->ctx, type->at, "the names of the fields of message \"%s\" have more than 65535 bytes", type->name);
    }
}

/* ---- Enums ---- */

/* "QUALITY_GOOD" in enum Quality becomes "good": what generators for other languages make of it. */
static const char *gen_check_bare_name(gen_check_t *check, const char *enum_name, const char *name) {
    char *bare = CONNECT_NEW(&check->ctx->arena, char, strlen(name) + 1);
    const char *rest = name, *prefix = enum_name;
    size_t len = 0;
    while (*prefix && *rest) {
        char a = *prefix, b = *rest;
        if (a == '_') {
            prefix++;
            continue;
        }
        if (b == '_') {
            rest++;
            continue;
        }
        if (a >= 'A' && a <= 'Z') a = (char)(a - 'A' + 'a');
        if (b >= 'A' && b <= 'Z') b = (char)(b - 'A' + 'a');
        if (a != b) break;
        prefix++;
        rest++;
    }
    while (*prefix == '_')
        prefix++;
    while (*rest == '_')
        rest++;
    if (*prefix || !*rest) rest = name;
    for (; *rest; rest++) {
        if (*rest != '_') bare[len++] = *rest >= 'A' && *rest <= 'Z' ? (char)(*rest - 'A' + 'a') : *rest;
    }
    return bare;
}

static int gen_check_compare_values(const void *a, const void *b) {
    const gen_enum_value_t *one = *(const gen_enum_value_t *const *)a, *two = *(const gen_enum_value_t *const *)b;
    if (one->number != two->number) return one->number < two->number ? -1 : 1;
    return one->index < two->index ? -1 : 1;
}

static void gen_check_enum(gen_check_t *check, gen_enum_t *enumeration) {
    gen_enum_value_t **sorted = CONNECT_NEW(&check->ctx->arena, gen_enum_value_t *, enumeration->values.count + 1);
    gen_enum_value_t *value;
    gen_range_t **reserved;
    gen_map_t names, bare;
    const gen_item_t *alias;
    size_t i = 0, reserved_count = enumeration->reserved.count;
    bool has_alias = false;
    memset(&names, 0, sizeof names);
    memset(&bare, 0, sizeof bare);
    if (!enumeration->values.first) {
        gen_source_error(check->ctx, enumeration->at, "enum \"%s\" must have a value", enumeration->name);
        return;
    }
    if (enumeration->values.count > 65535) {
        gen_source_error(check->ctx, enumeration->at, "enum \"%s\" has more than 65535 values", enumeration->name);
    }
    if (!enumeration->closed && enumeration->values.first->number != 0) {
        gen_source_error(check->ctx, enumeration->values.first->number_at,
            "the first value of an open enum must be 0: it is what an absent field holds");
    }
    for (value = enumeration->values.first; value; value = value->next)
        sorted[i++] = value;
    qsort(sorted, i, sizeof *sorted, gen_check_compare_values);
    for (i = 1; i < enumeration->values.count; i++) {
        if (sorted[i]->number != sorted[i - 1]->number) continue;
        has_alias = true;
        if (!enumeration->allow_alias) {
            gen_source_error(check->ctx, sorted[i]->number_at,
                "number %ld is used already, by \"%s\"; for two names of one number set option allow_alias = true;",
                (long)sorted[i]->number, sorted[i - 1]->name);
        }
    }
    alias = gen_object_get(enumeration->options.object, "allow_alias");
    if (alias && !alias->bits) {
        gen_source_error(check->ctx, alias->at, "allow_alias = false says nothing: leave it out");
    } else if (enumeration->allow_alias && !has_alias) {
        gen_source_error(check->ctx, enumeration->at, "enum \"%s\" has allow_alias, but no two values share a number",
            enumeration->name);
    }
    reserved = gen_check_ranges(check, enumeration->reserved.first, reserved_count);
    gen_check_reserved_names(check, enumeration->reserved_names.first, &names);
    for (value = enumeration->values.first; value; value = value->next) {
        const gen_range_t *hit = gen_check_in(reserved, reserved_count, value->number, value->number);
        const char *bare_name = gen_check_bare_name(check, enumeration->name, value->name);
        const gen_enum_value_t *other = gen_map_get(&bare, bare_name);
        if (hit) {
            gen_source_error(check->ctx, value->number_at, "number %ld is reserved, at %s", (long)value->number,
                gen_source_place(check->ctx, hit->at));
        }
        gen_check_reserved_use(check, &names, value->name, value->at);
        if (!other) {
            gen_map_put(check->ctx, &bare, bare_name, value);
        } else if (other->number != value->number && strcmp(other->name, value->name) != 0 &&
            (enumeration->file->syntax != GEN_SYNTAX_PROTO2 ||
                !gen_object_is_true(enumeration->options.object, "deprecated_legacy_json_field_conflicts"))) {
            gen_source_error(check->ctx, value->at,
                "\"%s\" and \"%s\" are the same without the enum's name, case and underscores", value->name,
                other->name);
        }
    }
}

/* ---- Well-known types ---- */

/* "repeated string", "map<string, a.B>" */
static const char *gen_check_declared_type(gen_context_t *ctx, const gen_field_t *field) {
    const gen_field_t *value = field->is_map ? field->type->fields.first->next : field;
    const char *name = value->type ? value->type->full_name
        : value->enumeration       ? value->enumeration->full_name
                                   : gen_scalar_kind_name(value->kind);
    if (field->is_map)
        return gen_source_printf(ctx, "map<%s, %s>", gen_scalar_kind_name(field->type->fields.first->kind), name);
    if (field->label == GEN_LABEL_REPEATED) return gen_source_printf(ctx, "repeated %s", name);
    return field->has || (field->nullable && !field->type) ? gen_source_printf(ctx, "optional %s", name) : name;
}

static void gen_check_wellknown(gen_check_t *check, const gen_type_t *type) {
    const gen_wellknown_t *wellknown = gen_wellknown_find(type->full_name);
    const char *fields = "", *space = "";
    const gen_oneof_t *oneof = NULL;
    const gen_field_t *field;
    size_t left = 7; /* none has more than six */
    if (!wellknown) return;
    for (field = type->fields.first; field && left > 0; field = field->next, left--) {
        const gen_oneof_t *in = field->oneof && !field->oneof->synthetic ? field->oneof : NULL;
        if (in != oneof) {
            if (oneof) fields = gen_source_printf(check->ctx, "%s }", fields);
            if (in) fields = gen_source_printf(check->ctx, "%s%soneof %s {", fields, space, in->name);
            oneof = in;
            space = " ";
        }
        fields = gen_source_printf(check->ctx, "%s%s%s %s = %ld;", fields, space,
            gen_check_declared_type(check->ctx, field), field->name, (long)field->number);
        space = " ";
    }
    if (oneof) fields = gen_source_printf(check->ctx, "%s }", fields);
    if (strcmp(fields, wellknown->fields) == 0) return;
    gen_source_error(check->ctx, type->at, "\"%s\" is a well-known type: it must have its fields, { %s }",
        type->full_name, wellknown->fields);
}

/* ---- All ---- */

static void gen_check_type(gen_check_t *check, gen_type_t *type) {
    gen_type_t *inner;
    gen_enum_t *enumeration;
    gen_field_t *field;
    gen_map_t names;
    memset(&names, 0, sizeof names);
    gen_check_numbers(check, type);
    gen_check_reserved_names(check, type->reserved_names.first, &names);
    if (type->file->syntax == GEN_SYNTAX_PROTO3 && type->extension_ranges.first) {
        gen_source_error(check->ctx, type->extension_ranges.first->at, "proto3 has no extension ranges");
    }
    for (field = type->fields.first; field; field = field->next) {
        gen_check_field(check, field);
        gen_check_reserved_use(check, &names, field->name, field->at);
    }
    for (field = type->extensions.first; field; field = field->next) {
        gen_check_field(check, field);
        gen_check_extension(check, field);
    }
    if (type->is_map_entry) gen_check_map(check, type);
    if (type->is_message_set) gen_check_message_set(check, type);
    gen_check_json_names(check, type);
    gen_check_limits(check, type);
    gen_check_wellknown(check, type);
    for (enumeration = type->enums.first; enumeration; enumeration = enumeration->next) {
        gen_check_enum(check, enumeration);
    }
    for (inner = type->types.first; inner; inner = inner->next)
        gen_check_type(check, inner);
}

/* Notes for each message who has fields of its type, and puts those with required fields on the list. */
static void gen_check_users(gen_check_t *check, gen_type_t *type, gen_type_t **required) {
    gen_type_t *inner;
    gen_field_t *field;
    for (field = type->fields.first; field; field = field->next) {
        if (field->required && !type->has_required) {
            type->has_required = true;
            type->next_required = *required;
            *required = type;
        }
        if (field->type) {
            gen_user_t *user = CONNECT_NEW(&check->ctx->arena, gen_user_t, 1);
            user->type = type;
            user->next = field->type->users;
            field->type->users = user;
        }
    }
    for (inner = type->types.first; inner; inner = inner->next)
        gen_check_users(check, inner, required);
}

/* has_required also says that a message below has one: it goes up from field to user. */
static void gen_check_required(gen_check_t *check) {
    gen_type_t *required = NULL, *type;
    const gen_file_t *file;
    const gen_user_t *user;
    for (file = check->model->files.first; file; file = file->next) {
        for (type = file->types.first; type; type = type->next)
            gen_check_users(check, type, &required);
    }
    while (required) {
        user = required->users;
        required = required->next_required;
        for (; user; user = user->next) {
            if (user->type->has_required) continue;
            user->type->has_required = true;
            user->type->next_required = required;
            required = user->type;
        }
    }
}

static void gen_check_holders(gen_check_t *check, gen_type_t *type) {
    gen_type_t *inner;
    gen_field_t *field;
    for (inner = type->types.first; inner; inner = inner->next)
        gen_check_holders(check, inner);
    for (field = type->extensions.first; field; field = field->next)
        gen_check_holder(check, field);
}

GEN_PRIVATE void gen_check_model(gen_model_t *model) {
    gen_check_t check;
    gen_file_t *file;
    gen_type_t *type;
    gen_enum_t *enumeration;
    gen_field_t *field;
    memset(&check, 0, sizeof check);
    check.model = model;
    check.ctx = model->ctx;
    for (file = model->files.first; file; file = file->next) {
        for (type = file->types.first; type; type = type->next)
            gen_check_type(&check, type);
        for (enumeration = file->enums.first; enumeration; enumeration = enumeration->next) {
            gen_check_enum(&check, enumeration);
        }
        for (field = file->extensions.first; field; field = field->next) {
            gen_check_field(&check, field);
            gen_check_extension(&check, field);
        }
    }
    gen_check_required(&check);
    for (file = model->files.first; file; file = file->next) {
        for (type = file->types.first; type; type = type->next)
            gen_check_holders(&check, type);
        for (field = file->extensions.first; field; field = field->next)
            gen_check_holder(&check, field);
    }
}
