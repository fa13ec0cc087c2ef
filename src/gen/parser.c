/* The protobuf language, proto2, proto3 and editions (protobuf.dev, "Language Specification"): one function for each
   production, and a place for every name, so that later messages can point at it. Which statement is allowed in which
   syntax, and all that needs a second look, is told by check.c; names are resolved by resolve.c.

   A syntax error is reported once; reading goes on behind the statement: behind its ; or behind its {...}, before a }
   that closes what the statement is in. A ; that is missing at the end of a line is reported and taken as if it were
   there.

   Recursion: only messages in messages (and groups), at most GEN_DEPTH_MAX levels; deeper ones are reported and
   skipped. */
#include "gen/parser.h"
#include "gen/parse_option.h"
#include "gen/scalar.h"

static void gen_parser_message_body(gen_parser_t *parser, gen_type_t *type);

GEN_PRIVATE bool gen_parser_take(gen_parser_t *parser, const char *text) {
    if (!gen_lexer_is(&parser->lexer, text)) return false;
    gen_lexer_next(&parser->lexer);
    return true;
}

GEN_PRIVATE bool gen_parser_wrong(gen_parser_t *parser, const char *expected) {
    const gen_token_t *token = &parser->lexer.token;
    if (token->bad) return false;
    if (token->kind == GEN_TOKEN_END) {
        if (parser->ctx->error_count < GEN_ERRORS_MAX) {
            gen_source_error(parser->ctx, token->at, "expected %s, found the end of the file", expected);
        }
    } else {
        const char *quote = token->kind == GEN_TOKEN_STRING ? "" : "\"";
        gen_source_error(parser->ctx, token->at, "expected %s, found %s%s%s", expected, quote,
            gen_source_quote(parser->ctx, token->text), quote);
    }
    return false;
}

GEN_PRIVATE bool gen_parser_expect(gen_parser_t *parser, const char *text, const char *where) {
    const gen_token_t *token = &parser->lexer.token;
    if (gen_parser_take(parser, text)) return true;
    if (text[0] == ';' && token->kind != GEN_TOKEN_END) {
        gen_at_t at = parser->lexer.previous_end;
        const char *newline = memchr(at.source->text.data + at.offset, '\n', token->at.offset - at.offset);
        if (newline || gen_lexer_is(&parser->lexer, "}")) {
            gen_source_error(parser->ctx, at, "expected \";\" %s", where);
            return true;
        }
    }
    return gen_parser_wrong(parser, gen_source_printf(parser->ctx, "\"%s\" %s", text, where));
}

GEN_PRIVATE bool gen_parser_word(gen_parser_t *parser, const char *what, const char **name) {
    *name = "";
    if (parser->lexer.token.kind != GEN_TOKEN_WORD) return gen_parser_wrong(parser, what);
    *name = gen_source_copy(parser->ctx, parser->lexer.token.text);
    gen_lexer_next(&parser->lexer);
    return true;
}

GEN_PRIVATE bool gen_parser_string(gen_parser_t *parser, const char *what, connect_str_t *text) {
    const gen_token_t *token = &parser->lexer.token;
    text->data = "";
    text->len = 0;
    if (token->kind != GEN_TOKEN_STRING || token->bad) return gen_parser_wrong(parser, what);
    return gen_lexer_strings(&parser->lexer, text);
}

GEN_PRIVATE bool gen_parser_path(gen_parser_t *parser, const char *what, const char **path) {
    char text[GEN_PATH_MAX + 1];
    size_t len = 0;
    gen_at_t at = parser->lexer.token.at;
    *path = "";
    if (gen_parser_take(parser, ".")) text[len++] = '.';
    do {
        const gen_token_t *token = &parser->lexer.token;
        if (token->kind != GEN_TOKEN_WORD) return gen_parser_wrong(parser, what);
        if (len + token->text.len + 1 > GEN_PATH_MAX) {
            gen_source_error(parser->ctx, at, "a name has more than %u bytes", GEN_PATH_MAX);
            return false;
        }
        if (len > 0 && text[len - 1] != '.') text[len++] = '.';
        memcpy(text + len, token->text.data, token->text.len);
        len += token->text.len;
        gen_lexer_next(&parser->lexer);
    } while (gen_parser_take(parser, "."));
    *path = gen_source_copy(parser->ctx, (connect_str_t){text, len});
    return true;
}

/* The comment above the statement that begins here, and the one that belongs to what ended here. */
static connect_str_t gen_parser_leading(const gen_parser_t *parser) {
    return gen_lexer_comment_text(parser->ctx, parser->lexer.token.leading);
}

static connect_str_t gen_parser_trailing(const gen_parser_t *parser) {
    return gen_lexer_comment_text(parser->ctx, parser->lexer.trailing);
}

/* Skips to behind the statement that went wrong. */
static void gen_parser_recover(gen_parser_t *parser) {
    unsigned long depth = 0;
    while (parser->lexer.token.kind != GEN_TOKEN_END) {
        if (gen_lexer_is(&parser->lexer, "{")) {
            depth++;
        } else if (gen_lexer_is(&parser->lexer, "}")) {
            if (depth == 0) return;
            if (--depth == 0) {
                gen_lexer_next(&parser->lexer);
                return;
            }
        } else if (depth == 0 && gen_lexer_is(&parser->lexer, ";")) {
            gen_lexer_next(&parser->lexer);
            return;
        }
        gen_lexer_next(&parser->lexer);
    }
}

/* Takes a number of int32's range. max: what `max` stands for, 0: not allowed. */
static bool gen_parser_int32(gen_parser_t *parser, const char *what, int32_t max, int32_t *value) {
    const gen_token_t *token = &parser->lexer.token;
    gen_at_t at = token->at;
    int64_t wide;
    bool negative;
    *value = 0;
    if (max && gen_parser_take(parser, "max")) {
        *value = max;
        return true;
    }
    negative = gen_parser_take(parser, "-");
    if (token->kind != GEN_TOKEN_INTEGER || token->bad) return gen_parser_wrong(parser, what);
    if (token->too_big || token->integer > (negative ? 2147483648u : 2147483647u)) {
        gen_source_error(parser->ctx, at, "%s is out of range: it must fit into 32 bits", what);
        return false;
    }
    wide = (int64_t)token->integer;
    *value = (int32_t)(negative ? -wide : wide);
    gen_lexer_next(&parser->lexer);
    return true;
}

static bool gen_parser_skip_block(gen_parser_t *parser) {
    gen_parser_recover(parser);
    return true;
}

/* ---- Enums ---- */

/* `reserved 2, 5 to 9, 20 to max;` or `reserved "a", "b";`, in editions `reserved a, b;`, at `reserved`.
   max: the number that is called so. */
static bool gen_parser_reserved(gen_parser_t *parser, int32_t max, gen_type_t *type, gen_enum_t *enumeration) {
    const gen_token_t *token = &parser->lexer.token;
    const bool names_are_words = parser->file->syntax == GEN_SYNTAX_EDITIONS;
    gen_lexer_next(&parser->lexer);
    if (token->kind == (names_are_words ? GEN_TOKEN_WORD : GEN_TOKEN_STRING)) {
        do {
            gen_word_t *word = CONNECT_NEW(&parser->ctx->arena, gen_word_t, 1);
            connect_str_t text;
            word->at = token->at;
            if (names_are_words) {
                if (!gen_parser_word(parser, "a reserved name", &word->text)) return false;
            } else {
                if (!gen_parser_string(parser, "a reserved name in quotes", &text)) return false;
                word->text = gen_source_copy(parser->ctx, text);
            }
            if (type)
                GEN_APPEND(type->reserved_names, word);
            else
                GEN_APPEND(enumeration->reserved_names, word);
        } while (gen_parser_take(parser, ","));
        return gen_parser_expect(parser, ";", "after the reserved names");
    }
    if (token->kind == GEN_TOKEN_WORD) return gen_parser_wrong(parser, "reserved numbers, or names in quotes");
    if (token->kind == GEN_TOKEN_STRING && !token->bad) {
        return gen_parser_wrong(parser, "reserved numbers, or names without quotes");
    }
    do {
        gen_range_t *range = CONNECT_NEW(&parser->ctx->arena, gen_range_t, 1);
        range->at = token->at;
        if (!gen_parser_int32(parser, "a reserved number", 0, &range->first)) return false;
        range->last = range->first;
        if (gen_parser_take(parser, "to")) {
            if (!gen_parser_int32(parser, "the end of a reserved range", max, &range->last)) return false;
        }
        if (type)
            GEN_APPEND(type->reserved, range);
        else
            GEN_APPEND(enumeration->reserved, range);
    } while (gen_parser_take(parser, ","));
    return gen_parser_expect(parser, ";", "after the reserved numbers");
}

static bool gen_parser_enum_value(gen_parser_t *parser, gen_enum_t *enumeration) {
    gen_enum_value_t *value = CONNECT_NEW(&parser->ctx->arena, gen_enum_value_t, 1);
    value->parent = enumeration;
    value->docs.leading = gen_parser_leading(parser);
    value->at = parser->lexer.token.at;
    if (!gen_parser_word(parser, "the name of an enum value", &value->name)) return false;
    if (!gen_parser_expect(parser, "=", "and a number after the name of an enum value")) return false;
    value->number_at = parser->lexer.token.at;
    if (!gen_parser_int32(parser, "the number of an enum value", 0, &value->number)) return false;
    value->index = (uint32_t)enumeration->values.count;
    GEN_APPEND(enumeration->values, value);
    if (!gen_parse_option_brackets(parser, &value->options)) return false;
    if (!gen_parser_expect(parser, ";", "after an enum value")) return false;
    value->docs.trailing = gen_parser_trailing(parser);
    return true;
}

static bool gen_parser_enum(gen_parser_t *parser, gen_type_t *parent) {
    gen_enum_t *enumeration = CONNECT_NEW(&parser->ctx->arena, gen_enum_t, 1);
    enumeration->file = parser->file;
    enumeration->visibility = parser->visibility;
    parser->visibility = 0;
    enumeration->parent = parent;
    enumeration->docs.leading = gen_parser_leading(parser);
    gen_lexer_next(&parser->lexer);
    enumeration->at = parser->lexer.token.at;
    if (!gen_parser_word(parser, "the name of an enum", &enumeration->name)) return false;
    if (!gen_parser_expect(parser, "{", "after the name of an enum")) return false;
    enumeration->docs.trailing = gen_parser_trailing(parser);
    if (parent)
        GEN_APPEND(parent->enums, enumeration);
    else
        GEN_APPEND(parser->file->enums, enumeration);
    while (!gen_lexer_is(&parser->lexer, "}") && parser->lexer.token.kind != GEN_TOKEN_END) {
        bool good;
        if (gen_parser_take(parser, ";")) continue;
        if (gen_lexer_is(&parser->lexer, "option")) {
            good = gen_parse_option_statement(parser, &enumeration->options);
        } else if (gen_lexer_is(&parser->lexer, "reserved")) {
            good = gen_parser_reserved(parser, INT32_MAX, NULL, enumeration);
        } else {
            good = gen_parser_enum_value(parser, enumeration);
        }
        if (!good) gen_parser_recover(parser);
    }
    return gen_parser_expect(parser, "}", "at the end of an enum");
}

/* ---- Messages ---- */

static bool gen_parser_type_name(gen_parser_t *parser, gen_field_t *field) {
    const char *name;
    field->type_at = parser->lexer.token.at;
    if (!gen_parser_path(parser, "the type of a field", &name)) return false;
    field->kind = gen_scalar_kind(name);
    if (!field->kind) field->type_name = name;
    return true;
}

/* `= number [options]`, and for what is no group the ; */
static bool gen_parser_field_rest(gen_parser_t *parser, gen_field_t *field) {
    gen_option_t *option, **link;
    if (!gen_parser_expect(parser, "=", "and a number after the name of a field")) return false;
    field->number_at = parser->lexer.token.at;
    if (!gen_parser_int32(parser, "the number of a field", 0, &field->number)) return false;
    if (!gen_parse_option_brackets(parser, &field->options)) return false;
    for (link = &field->options.first; (option = *link) != NULL;) { /* these two are no options of FieldOptions */
        bool is_default = strcmp(option->name, "default") == 0, is_json = strcmp(option->name, "json_name") == 0;
        if (!is_default && !is_json) {
            link = &option->next;
            continue;
        }
        if (is_default ? field->default_value != NULL : field->has_json_name) {
            gen_source_error(parser->ctx, option->at, "option \"%s\" is set twice", option->name);
        } else if (is_default) {
            field->default_value = option;
        } else if (option->kind != GEN_VALUE_STRING) {
            gen_source_error(parser->ctx, option->value_at, "\"json_name\" must be a string");
        } else if (memchr(option->text.data, 0, option->text.len)) {
            gen_source_error(parser->ctx, option->value_at, "\"json_name\" must not hold a NUL byte");
        } else {
            field->has_json_name = true;
            field->json_name = gen_source_copy(parser->ctx, option->text);
            field->json_name_at = option->value_at;
        }
        *link = option->next;
        field->options.count--;
    }
    field->options.tail = NULL;
    for (option = field->options.first; option; option = option->next)
        field->options.tail = option;
    return true;
}

static gen_type_t *gen_parser_new_type(gen_parser_t *parser, gen_type_t *parent, const char *name, gen_at_t at) {
    gen_type_t *type = CONNECT_NEW(&parser->ctx->arena, gen_type_t, 1);
    type->file = parser->file;
    type->parent = parent;
    type->name = name;
    type->at = at;
    if (parent)
        GEN_APPEND(parent->types, type);
    else
        GEN_APPEND(parser->file->types, type);
    return type;
}

/* "per_sensor" becomes "PerSensorEntry", as the name of the message that is the entry of a map. */
static const char *gen_parser_entry_name(gen_parser_t *parser, const char *field_name) {
    char *name = CONNECT_NEW(&parser->ctx->arena, char, strlen(field_name) + 6);
    size_t len = 0;
    bool upper = true;
    for (; *field_name; field_name++) {
        char c = *field_name;
        if (c == '_') {
            upper = true;
            continue;
        }
        name[len++] = upper && c >= 'a' && c <= 'z' ? (char)(c - 'a' + 'A') : c;
        upper = false;
    }
    memcpy(name + len, "Entry", 6);
    return name;
}

/* `map<K, V> name = number;`, behind `map`. */
static bool gen_parser_map(gen_parser_t *parser, gen_type_t *parent, gen_field_t *field) {
    gen_field_t *key = CONNECT_NEW(&parser->ctx->arena, gen_field_t, 1);
    gen_field_t *value = CONNECT_NEW(&parser->ctx->arena, gen_field_t, 1);
    gen_type_t *entry;
    gen_lexer_next(&parser->lexer);
    if (!gen_parser_type_name(parser, key)) return false;
    if (!gen_parser_expect(parser, ",", "between the types of a map's key and value")) return false;
    if (!gen_parser_type_name(parser, value)) return false;
    if (!gen_parser_expect(parser, ">", "after the type of a map's value")) return false;
    field->at = parser->lexer.token.at;
    if (!gen_parser_word(parser, "the name of a field", &field->name)) return false;
    field->is_map = true;
    field->kind = CONNECT_KIND_MESSAGE;
    if (!parent || field->extendee_name) {
        gen_source_error(parser->ctx, field->type_at, "an extension must not be a map");
        return false;
    }
    if (!gen_parser_field_rest(parser, field)) return false;
    entry = gen_parser_new_type(parser, parent, gen_parser_entry_name(parser, field->name), field->at);
    entry->is_map_entry = true;
    key->name = "key";
    value->name = "value";
    key->number = 1;
    value->number = 2;
    key->label = value->label = GEN_LABEL_OPTIONAL;
    key->file = value->file = parser->file;
    key->parent = value->parent = entry;
    key->at = value->at = field->at;
    key->number_at = value->number_at = field->at;
    GEN_APPEND(entry->fields, key);
    GEN_APPEND(entry->fields, value);
    field->type = entry;
    return true;
}

/* `group Name = number {...}`, behind `group`. */
static bool gen_parser_group(gen_parser_t *parser, gen_type_t *parent, gen_field_t *field) {
    gen_type_t *group;
    const char *name;
    char *lower;
    size_t i, len;
    field->at = parser->lexer.token.at;
    if (!gen_parser_word(parser, "the name of a group", &name)) return false;
    len = strlen(name);
    if (name[0] < 'A' || name[0] > 'Z') {
        gen_source_error(parser->ctx, field->at, "the name of a group must start with a capital letter");
    }
    lower = CONNECT_NEW(&parser->ctx->arena, char, len + 1);
    for (i = 0; i < len; i++)
        lower[i] = name[i] >= 'A' && name[i] <= 'Z' ? (char)(name[i] - 'A' + 'a') : name[i];
    field->name = lower;
    field->kind = CONNECT_KIND_GROUP;
    field->is_group = true;
    if (!gen_parser_field_rest(parser, field)) return false;
    if (!gen_lexer_is(&parser->lexer, "{")) return gen_parser_wrong(parser, "\"{\" after the number of a group");
    if (parser->depth >= GEN_DEPTH_MAX) {
        gen_source_error(parser->ctx, field->at, "messages nest deeper than %u levels", GEN_DEPTH_MAX);
        return gen_parser_skip_block(parser);
    }
    group = gen_parser_new_type(parser, parent, name, field->at);
    group->docs.leading = field->docs.leading;
    memset(&field->docs, 0, sizeof field->docs);
    field->type = group;
    gen_parser_message_body(parser, group);
    return true;
}

static void gen_parser_add_field(gen_parser_t *parser, gen_type_t *parent, gen_field_t *field) {
    if (field->extendee_name) {
        if (parent)
            GEN_APPEND(parent->extensions, field);
        else
            GEN_APPEND(parser->file->extensions, field);
    } else {
        GEN_APPEND(parent->fields, field);
    }
}

/* A field: in a message, in a oneof (oneof given), or in extend (template given). */
static bool gen_parser_field(gen_parser_t *parser, gen_type_t *parent, gen_oneof_t *oneof, const gen_field_t *extend) {
    gen_field_t *field = CONNECT_NEW(&parser->ctx->arena, gen_field_t, 1);
    gen_at_t label_at = parser->lexer.token.at;
    if (extend) *field = *extend;
    field->file = parser->file;
    field->parent = parent;
    field->oneof = oneof;
    field->docs.leading = gen_parser_leading(parser);
    if (gen_parser_take(parser, "optional"))
        field->label = GEN_LABEL_OPTIONAL;
    else if (gen_parser_take(parser, "required"))
        field->label = GEN_LABEL_REQUIRED;
    else if (gen_parser_take(parser, "repeated"))
        field->label = GEN_LABEL_REPEATED;
    if (oneof && field->label) {
        gen_source_error(parser->ctx, label_at, "a field of a oneof must not have a label");
        field->label = GEN_LABEL_NONE;
    }
    if (oneof) oneof->field_count++;
    field->type_at = parser->lexer.token.at;
    if (gen_lexer_is(&parser->lexer, "group")) {
        gen_lexer_next(&parser->lexer);
        if (!gen_parser_group(parser, parent, field)) return false;
        gen_parser_add_field(parser, parent, field);
        return true;
    }
    if (!gen_parser_type_name(parser, field)) return false;
    if (field->type_name && strcmp(field->type_name, "map") == 0 && gen_lexer_is(&parser->lexer, "<")) {
        field->type_name = NULL;
        if (field->label || oneof) {
            gen_source_error(parser->ctx, label_at,
                oneof ? "a map must not be in a oneof" : "a map must not have a label: it is repeated as such");
        }
        field->label = GEN_LABEL_REPEATED;
        field->oneof = NULL;
        if (!gen_parser_map(parser, parent, field)) return false;
    } else {
        field->at = parser->lexer.token.at;
        if (!gen_parser_word(parser, "the name of a field", &field->name)) return false;
        if (!gen_parser_field_rest(parser, field)) return false;
    }
    gen_parser_add_field(parser, parent, field);
    if (!gen_parser_expect(parser, ";", "after a field")) return false;
    field->docs.trailing = gen_parser_trailing(parser);
    return true;
}

static bool gen_parser_oneof(gen_parser_t *parser, gen_type_t *parent) {
    gen_oneof_t *oneof = CONNECT_NEW(&parser->ctx->arena, gen_oneof_t, 1);
    oneof->docs.leading = gen_parser_leading(parser);
    gen_lexer_next(&parser->lexer);
    oneof->at = parser->lexer.token.at;
    if (!gen_parser_word(parser, "the name of a oneof", &oneof->name)) return false;
    if (!gen_parser_expect(parser, "{", "after the name of a oneof")) return false;
    oneof->docs.trailing = gen_parser_trailing(parser);
    oneof->index = (uint32_t)parent->oneofs.count;
    GEN_APPEND(parent->oneofs, oneof);
    while (!gen_lexer_is(&parser->lexer, "}") && parser->lexer.token.kind != GEN_TOKEN_END) {
        bool good;
        if (gen_lexer_is(&parser->lexer, "option"))
            good = gen_parse_option_statement(parser, &oneof->options);
        else
            good = gen_parser_field(parser, parent, oneof, NULL);
        if (!good) gen_parser_recover(parser);
    }
    if (oneof->field_count == 0) {
        gen_source_error(parser->ctx, oneof->at, "oneof \"%s\" must have a field", oneof->name);
    }
    return gen_parser_expect(parser, "}", "at the end of a oneof");
}

static bool gen_parser_extend(gen_parser_t *parser, gen_type_t *parent) {
    gen_field_t template;
    memset(&template, 0, sizeof template);
    gen_lexer_next(&parser->lexer);
    template.extendee_at = parser->lexer.token.at;
    if (!gen_parser_path(parser, "the name of the message that is extended", &template.extendee_name)) return false;
    if (!gen_parser_expect(parser, "{", "after the name of the message that is extended")) return false;
    if (gen_lexer_is(&parser->lexer, "}")) gen_parser_wrong(parser, "an extension");
    while (!gen_lexer_is(&parser->lexer, "}") && parser->lexer.token.kind != GEN_TOKEN_END) {
        if (!gen_parser_field(parser, parent, NULL, &template)) gen_parser_recover(parser);
    }
    return gen_parser_expect(parser, "}", "at the end of the extensions");
}

static bool gen_parser_extensions(gen_parser_t *parser, gen_type_t *type) {
    gen_options_t *options = CONNECT_NEW(&parser->ctx->arena, gen_options_t, 1);
    gen_lexer_next(&parser->lexer);
    do {
        gen_range_t *range = CONNECT_NEW(&parser->ctx->arena, gen_range_t, 1);
        range->at = parser->lexer.token.at;
        range->options = options;
        if (!gen_parser_int32(parser, "an extension number", 0, &range->first)) return false;
        range->last = range->first;
        if (gen_parser_take(parser, "to")) {
            range->to_max = gen_lexer_is(&parser->lexer, "max");
            if (!gen_parser_int32(parser, "the end of an extension range", 536870911, &range->last)) return false;
        }
        GEN_APPEND(type->extension_ranges, range);
    } while (gen_parser_take(parser, ","));
    return gen_parse_option_brackets(parser, options) && gen_parser_expect(parser, ";", "after the extension numbers");
}

static bool gen_parser_message(gen_parser_t *parser, gen_type_t *parent) {
    const connect_str_t leading = gen_parser_leading(parser);
    const int32_t visibility = parser->visibility;
    gen_at_t at;
    gen_type_t *type;
    const char *name;
    parser->visibility = 0;
    gen_lexer_next(&parser->lexer);
    at = parser->lexer.token.at;
    if (!gen_parser_word(parser, "the name of a message", &name)) return false;
    if (!gen_lexer_is(&parser->lexer, "{")) return gen_parser_wrong(parser, "\"{\" after the name of a message");
    if (parser->depth >= GEN_DEPTH_MAX) {
        gen_source_error(parser->ctx, at, "messages nest deeper than %u levels", GEN_DEPTH_MAX);
        return gen_parser_skip_block(parser);
    }
    type = gen_parser_new_type(parser, parent, name, at);
    type->visibility = visibility;
    type->docs.leading = leading;
    gen_parser_message_body(parser, type);
    return true;
}

/* `export` or `local`, from edition 2024 on. Returns false if neither a message nor an enum follows. */
static bool gen_parser_visibility(gen_parser_t *parser) {
    const gen_lexer_t *lexer = &parser->lexer;
    if (parser->file->edition < GEN_EDITION_2024 || (!gen_lexer_is(lexer, "export") && !gen_lexer_is(lexer, "local")))
        return true;
    parser->visibility = gen_lexer_is(lexer, "local") ? 1 : 2;
    gen_lexer_next(&parser->lexer);
    if (gen_lexer_is(lexer, "message") || gen_lexer_is(lexer, "enum")) return true;
    parser->visibility = 0;
    return gen_parser_wrong(parser, "message or enum");
}

static bool gen_parser_message_statement(gen_parser_t *parser, gen_type_t *type) {
    if (!gen_parser_visibility(parser)) return false;
    if (gen_lexer_is(&parser->lexer, "message")) return gen_parser_message(parser, type);
    if (gen_lexer_is(&parser->lexer, "enum")) return gen_parser_enum(parser, type);
    if (gen_lexer_is(&parser->lexer, "extend")) return gen_parser_extend(parser, type);
    if (gen_lexer_is(&parser->lexer, "extensions")) return gen_parser_extensions(parser, type);
    if (gen_lexer_is(&parser->lexer, "reserved")) return gen_parser_reserved(parser, 536870911, type, NULL);
    if (gen_lexer_is(&parser->lexer, "option")) return gen_parse_option_statement(parser, &type->options);
    if (gen_lexer_is(&parser->lexer, "oneof")) return gen_parser_oneof(parser, type);
    return gen_parser_field(parser, type, NULL, NULL);
}

static void gen_parser_message_body(gen_parser_t *parser, gen_type_t *type) {
    gen_parser_take(parser, "{");
    type->docs.trailing = gen_parser_trailing(parser);
    parser->depth++;
    while (!gen_lexer_is(&parser->lexer, "}") && parser->lexer.token.kind != GEN_TOKEN_END) {
        if (gen_parser_take(parser, ";")) continue;
        if (!gen_parser_message_statement(parser, type)) gen_parser_recover(parser);
    }
    parser->depth--;
    gen_parser_expect(parser, "}", "at the end of a message");
}

/* ---- Services ---- */

static bool gen_parser_method_type(gen_parser_t *parser, bool *streams, const char **name, gen_at_t *at) {
    if (!gen_parser_expect(parser, "(", "before the type of a method's message")) return false;
    *streams = gen_parser_take(parser, "stream");
    *at = parser->lexer.token.at;
    if (!gen_parser_path(parser, "the type of a method's message", name)) return false;
    return gen_parser_expect(parser, ")", "after the type of a method's message");
}

static bool gen_parser_method(gen_parser_t *parser, gen_service_t *service) {
    gen_method_t *method = CONNECT_NEW(&parser->ctx->arena, gen_method_t, 1);
    method->docs.leading = gen_parser_leading(parser);
    if (!gen_parser_take(parser, "rpc")) return gen_parser_wrong(parser, "\"rpc\" or \"option\"");
    method->at = parser->lexer.token.at;
    if (!gen_parser_word(parser, "the name of a method", &method->name)) return false;
    if (!gen_parser_method_type(parser, &method->client_streams, &method->input_name, &method->input_at)) return false;
    if (!gen_parser_expect(parser, "returns", "after the request's type")) return false;
    if (!gen_parser_method_type(parser, &method->server_streams, &method->output_name, &method->output_at)) {
        return false;
    }
    GEN_APPEND(service->methods, method);
    if (!gen_parser_take(parser, "{")) {
        if (!gen_parser_expect(parser, ";", "after a method")) return false;
        method->docs.trailing = gen_parser_trailing(parser);
        return true;
    }
    method->docs.trailing = gen_parser_trailing(parser);
    method->options.encoded.data = ""; /* {} stands for options, even without one */
    while (!gen_lexer_is(&parser->lexer, "}") && parser->lexer.token.kind != GEN_TOKEN_END) {
        if (gen_parser_take(parser, ";")) continue;
        if (!gen_lexer_is(&parser->lexer, "option"))
            gen_parser_wrong(parser, "\"option\" or \"}\" in a method");
        else if (gen_parse_option_statement(parser, &method->options))
            continue;
        gen_parser_recover(parser);
    }
    return gen_parser_expect(parser, "}", "at the end of a method");
}

static bool gen_parser_service(gen_parser_t *parser) {
    gen_service_t *service = CONNECT_NEW(&parser->ctx->arena, gen_service_t, 1);
    service->file = parser->file;
    service->docs.leading = gen_parser_leading(parser);
    gen_lexer_next(&parser->lexer);
    service->at = parser->lexer.token.at;
    if (!gen_parser_word(parser, "the name of a service", &service->name)) return false;
    if (!gen_parser_expect(parser, "{", "after the name of a service")) return false;
    service->docs.trailing = gen_parser_trailing(parser);
    GEN_APPEND(parser->file->services, service);
    while (!gen_lexer_is(&parser->lexer, "}") && parser->lexer.token.kind != GEN_TOKEN_END) {
        bool good;
        if (gen_parser_take(parser, ";")) continue;
        if (gen_lexer_is(&parser->lexer, "option"))
            good = gen_parse_option_statement(parser, &service->options);
        else
            good = gen_parser_method(parser, service);
        if (!good) gen_parser_recover(parser);
    }
    return gen_parser_expect(parser, "}", "at the end of a service");
}

/* ---- Files ---- */

static bool gen_parser_import(gen_parser_t *parser) {
    gen_import_t *import = CONNECT_NEW(&parser->ctx->arena, gen_import_t, 1), *other;
    bool is_option = false;
    connect_str_t name;
    gen_lexer_next(&parser->lexer);
    if (gen_parser_take(parser, "public"))
        import->is_public = true;
    else if (parser->file->edition < GEN_EDITION_2024 && gen_parser_take(parser, "weak"))
        import->is_weak = true;
    else if (parser->file->edition >= GEN_EDITION_2024 && gen_parser_take(parser, "option"))
        is_option = true;
    import->at = parser->lexer.token.at;
    if (!gen_parser_string(parser, "the name of a file in quotes", &name)) return false;
    import->name = gen_source_copy(parser->ctx, name);
    for (other = parser->file->imports.first; other; other = other->next) {
        if (strcmp(other->name, import->name) == 0) {
            gen_source_error(parser->ctx, import->at, "\"%s\" is imported already, at %s",
                gen_source_quote(parser->ctx, name), gen_source_place(parser->ctx, other->at));
            return gen_parser_expect(parser, ";", "after an import");
        }
    }
    if (memchr(name.data, 0, name.len)) {
        gen_source_error(parser->ctx, import->at, "the name of a file must not hold a NUL byte");
    } else if (is_option) {
        GEN_APPEND(parser->file->option_imports, import);
    } else {
        if (parser->file->option_imports.first)
            gen_source_error(parser->ctx, import->at, "imports stand in front of all imports for options");
        GEN_APPEND(parser->file->imports, import);
    }
    return gen_parser_expect(parser, ";", "after an import");
}

static bool gen_parser_package(gen_parser_t *parser) {
    gen_file_t *file = parser->file;
    const char *package;
    gen_at_t at;
    gen_lexer_next(&parser->lexer);
    at = parser->lexer.token.at;
    if (gen_lexer_is(&parser->lexer, ".")) return gen_parser_wrong(parser, "the name of the package");
    if (!gen_parser_path(parser, "the name of the package", &package)) return false;
    if (*file->package) gen_source_error(parser->ctx, at, "a file has one package only");
    file->package = package;
    file->package_at = at;
    return gen_parser_expect(parser, ";", "after the package");
}

static bool gen_parser_statement(gen_parser_t *parser) {
    const gen_lexer_t *lexer = &parser->lexer;
    if (!gen_parser_visibility(parser)) return false;
    if (gen_lexer_is(lexer, "message")) return gen_parser_message(parser, NULL);
    if (gen_lexer_is(lexer, "enum")) return gen_parser_enum(parser, NULL);
    if (gen_lexer_is(lexer, "service")) return gen_parser_service(parser);
    if (gen_lexer_is(lexer, "extend")) return gen_parser_extend(parser, NULL);
    if (gen_lexer_is(lexer, "import")) return gen_parser_import(parser);
    if (gen_lexer_is(lexer, "package")) return gen_parser_package(parser);
    if (gen_lexer_is(lexer, "option")) return gen_parse_option_statement(parser, &parser->file->options);
    if (gen_lexer_is(lexer, "}")) {
        gen_source_error(parser->ctx, lexer->token.at, "\"}\" closes nothing");
        gen_lexer_next(&parser->lexer);
        return true;
    }
    return gen_parser_wrong(parser, "message, enum, service, extend, import, package or option");
}

/* The first statement. Returns false if the rest is not to be read. */
static bool gen_parser_syntax(gen_parser_t *parser) {
    static const struct {
        const char *name;
        bool edition;
        gen_syntax_t syntax;
        int32_t number;
    } known[] = {{"proto2", false, GEN_SYNTAX_PROTO2, 998}, {"proto3", false, GEN_SYNTAX_PROTO3, 999},
        {"2023", true, GEN_SYNTAX_EDITIONS, GEN_EDITION_2023}, {"2024", true, GEN_SYNTAX_EDITIONS, GEN_EDITION_2024}};
    gen_at_t at = parser->lexer.token.at;
    bool edition = gen_lexer_is(&parser->lexer, "edition");
    connect_str_t text;
    size_t i;
    parser->file->syntax = GEN_SYNTAX_PROTO2;
    parser->file->edition = 998;
    if (!edition && !gen_lexer_is(&parser->lexer, "syntax")) {
        if (parser->lexer.ctx->error_count >= GEN_ERRORS_MAX) return false;
        gen_source_warn(parser->ctx, at, "without a syntax statement it is taken for syntax = \"proto2\"");
        return true;
    }
    gen_lexer_next(&parser->lexer);
    if (!gen_parser_expect(parser, "=", edition ? "after \"edition\"" : "after \"syntax\"")) return false;
    at = parser->lexer.token.at;
    if (!gen_parser_string(parser, edition ? "\"2023\"" : "\"proto3\"", &text)) return false;
    for (i = 0; i < GEN_LEN(known); i++) {
        if (known[i].edition != edition || !connect_str_equal(text, connect_str_of(known[i].name))) continue;
        parser->file->syntax = known[i].syntax;
        parser->file->edition = known[i].number;
        return gen_parser_expect(parser, ";", edition ? "after the edition" : "after the syntax");
    }
    gen_source_error(parser->ctx, at, "%s \"%s\" is not known: write %s", edition ? "edition" : "syntax",
        gen_source_quote(parser->ctx, text), edition ? "\"2023\" or \"2024\"" : "\"proto2\" or \"proto3\"");
    return false;
}

GEN_PRIVATE gen_file_t *gen_parser_file(gen_context_t *ctx, const gen_source_t *source) {
    gen_parser_t parser;
    memset(&parser, 0, sizeof parser);
    parser.ctx = ctx;
    parser.file = CONNECT_NEW(&ctx->arena, gen_file_t, 1);
    parser.file->source = source;
    parser.file->name = source->name;
    parser.file->package = "";
    gen_lexer_begin(&parser.lexer, ctx, source);
    if (!gen_parser_syntax(&parser)) return parser.file;
    while (parser.lexer.token.kind != GEN_TOKEN_END) {
        if (gen_parser_take(&parser, ";")) continue;
        if (!gen_parser_statement(&parser)) {
            gen_at_t at = parser.lexer.token.at;
            gen_parser_recover(&parser);
            if (parser.lexer.token.at.offset == at.offset && gen_lexer_is(&parser.lexer, "}")) {
                gen_lexer_next(&parser.lexer);
            }
        }
    }
    return parser.file;
}
