/* The text format (protobuf.dev, "Text Format Language Specification"), as far as it is the value of an option: a
   message in braces, in the tokens of the .proto language.

     message   (field [, | ;])*
     field     name : scalar | name : [scalar, ...] | name [:] {message} | name [:] <message> | name [:] [{...}, ...]
     name      a field's, a group's type's; [full.name] of an extension; [type.googleapis.com/full.name] in an Any

   A field that is not repeated is given once, of a oneof one. A reserved name is skipped with its value. Brackets
   match, and nest as deep as parse_option.c lets them: it has read the text before. */
#include "gen/aggregate.h"
#include "gen/scalar.h"

typedef struct gen_aggregate_t {
    gen_resolve_t *resolve;
    gen_context_t *ctx;
    gen_lexer_t lexer;
} gen_aggregate_t;

static bool gen_aggregate_take(gen_aggregate_t *text, const char *symbol) {
    if (!gen_lexer_is(&text->lexer, symbol)) return false;
    gen_lexer_next(&text->lexer);
    return true;
}

static bool gen_aggregate_wrong(gen_aggregate_t *text, const char *expected) {
    const gen_token_t *token = &text->lexer.token;
    if (!token->bad) {
        gen_source_error(text->ctx, token->at, "expected %s, found \"%s\"", expected,
            token->kind == GEN_TOKEN_END ? "}" : gen_source_quote(text->ctx, token->text));
    }
    return false;
}

/* ---- Scalars ---- */

static bool gen_aggregate_literal(gen_aggregate_t *text, gen_option_t *value) {
    const gen_token_t *token = &text->lexer.token;
    memset(value, 0, sizeof *value);
    value->at = value->value_at = token->at;
    if (token->kind == GEN_TOKEN_STRING) {
        value->kind = GEN_VALUE_STRING;
        return gen_lexer_strings(&text->lexer, &value->text);
    }
    value->negative = gen_aggregate_take(text, "-");
    switch (token->kind) {
    case GEN_TOKEN_WORD: value->kind = GEN_VALUE_WORD; break;
    case GEN_TOKEN_INTEGER: value->kind = token->too_big ? GEN_VALUE_FLOAT : GEN_VALUE_INTEGER; break;
    case GEN_TOKEN_FLOAT: value->kind = GEN_VALUE_FLOAT; break;
    default: return gen_aggregate_wrong(text, "a value");
    }
    value->text = token->text;
    value->integer = token->integer;
    if (value->kind != GEN_VALUE_WORD) value->number = gen_lexer_double(text->ctx, token);
    if (token->bad) return false;
    gen_lexer_next(&text->lexer);
    return true;
}

/* ---- Names ---- */

/* Skips a value: to behind it. */
static void gen_aggregate_skip(gen_aggregate_t *text) {
    size_t depth = 0;
    gen_aggregate_take(text, ":");
    do {
        bool is_string = text->lexer.token.kind == GEN_TOKEN_STRING;
        if (text->lexer.token.kind == GEN_TOKEN_END) return;
        if (gen_lexer_is(&text->lexer, "{") || gen_lexer_is(&text->lexer, "<") || gen_lexer_is(&text->lexer, "["))
            depth++;
        else if (gen_lexer_is(&text->lexer, "}") || gen_lexer_is(&text->lexer, ">") || gen_lexer_is(&text->lexer, "]"))
            depth--;
        else if (gen_aggregate_take(text, "-"))
            continue;
        gen_lexer_next(&text->lexer);
        while (is_string && text->lexer.token.kind == GEN_TOKEN_STRING)
            gen_lexer_next(&text->lexer);
    } while (depth > 0);
}

/* A group has the name of its type, too. */
static const gen_field_t *gen_aggregate_plain_field(const gen_type_t *type, const char *name) {
    const gen_field_t *field;
    for (field = type->fields.first; field; field = field->next) {
        if (strcmp(field->name, name) == 0) return field;
        if (field->is_group && field->type && strcmp(field->type->name, name) == 0) return field;
    }
    return NULL;
}

static bool gen_aggregate_is_reserved(const gen_type_t *type, const char *name) {
    const gen_word_t *word = type->reserved_names.first;
    while (word && strcmp(word->text, name) != 0)
        word = word->next;
    return word != NULL;
}

/* The name in [ ], behind the [. *slash: where in it the last / is. */
static bool gen_aggregate_bracketed(gen_aggregate_t *text, const char **name, const char **slash) {
    char full[512];
    size_t len = 0;
    bool wants_word = true;
    while (!gen_lexer_is(&text->lexer, "]")) {
        const gen_token_t *token = &text->lexer.token;
        const bool is_word = token->kind == GEN_TOKEN_WORD;
        const bool is_mark =
            gen_lexer_is(&text->lexer, ".") || gen_lexer_is(&text->lexer, "/") || gen_lexer_is(&text->lexer, "-");
        if (wants_word ? !is_word : !is_mark) return gen_aggregate_wrong(text, "the name of an extension in [ ]");
        if (len + token->text.len + 1 > sizeof full) {
            gen_source_error(text->ctx, token->at, "the name of an extension has more than 511 bytes");
            return false;
        }
        memcpy(full + len, token->text.data, token->text.len);
        len += token->text.len;
        wants_word = !wants_word;
        gen_lexer_next(&text->lexer);
    }
    if (wants_word) return gen_aggregate_wrong(text, "the name of an extension");
    gen_lexer_next(&text->lexer);
    *name = gen_source_copy(text->ctx, (connect_str_t){full, len});
    *slash = strrchr(*name, '/');
    return true;
}

/* ---- Fields ---- */

static bool gen_aggregate_fields(gen_aggregate_t *text, gen_object_t *object, const char *closing);

static bool gen_aggregate_message(gen_aggregate_t *text, gen_object_t *object) {
    const bool angle = gen_lexer_is(&text->lexer, "<");
    if (!gen_aggregate_take(text, angle ? "<" : "{")) return gen_aggregate_wrong(text, "\"{\"");
    return gen_aggregate_fields(text, object, angle ? ">" : "}");
}

static bool gen_aggregate_value(gen_aggregate_t *text, gen_object_t *object, const gen_field_t *field, gen_at_t at) {
    gen_option_t value;
    gen_item_t *item;
    if (field->type) {
        item = gen_object_add(text->ctx, object, field, at);
        if (!gen_aggregate_message(text, item->message)) return false;
        if (field->is_map) gen_object_complete(text->ctx, item->message, at);
        return true;
    }
    if (!gen_aggregate_literal(text, &value)) return false;
    item = gen_object_add(text->ctx, object, field, at);
    gen_scalar_read(text->ctx, item, field, &value, gen_source_printf(text->ctx, "field \"%s\"", field->name), true);
    return true; /* of what stands behind it more can be said */
}

static void gen_aggregate_twice(gen_aggregate_t *text, gen_object_t *object, const gen_field_t *field, gen_at_t at) {
    const gen_item_t *item;
    for (item = object->items; item && field->label != GEN_LABEL_REPEATED; item = item->next) {
        if (item->field == field) {
            gen_source_error(text->ctx, at, "field \"%s\" is set already, at %s", field->name,
                gen_source_place(text->ctx, item->at));
            return;
        }
        if (field->oneof && item->field->oneof == field->oneof) {
            gen_source_error(text->ctx, at, "field \"%s\" is in a oneof with \"%s\", which is set already", field->name,
                item->field->name);
            return;
        }
    }
}

/* `[type.googleapis.com/full.name] { ... }`, behind the name: the value of an Any. */
static bool gen_aggregate_any(
    gen_aggregate_t *text, gen_object_t *object, const char *url, const char *slash, gen_at_t at) {
    const gen_type_t *type = NULL;
    const gen_field_t *url_field = gen_aggregate_plain_field(object->type, "type_url");
    const gen_field_t *value_field = gen_aggregate_plain_field(object->type, "value");
    const gen_symbol_t *symbol = gen_resolve_full_name(text->resolve, slash + 1);
    const size_t host = (size_t)(slash - url);
    gen_object_t *inner;
    gen_item_t *item;
    if (strcmp(object->type->full_name, "google.protobuf.Any") != 0 || !url_field || !value_field) {
        gen_source_error(text->ctx, at, "only a google.protobuf.Any has a [type URL]");
        return false;
    }
    if (symbol && symbol->kind == GEN_SYMBOL_MESSAGE) type = symbol->type;
    if (!type || (strncmp(url, "type.googleapis.com", host) != 0 && strncmp(url, "type.googleprod.com", host) != 0)) {
        gen_source_error(text->ctx, at, "\"%s\" is not the URL of a type: write type.googleapis.com/full.name", url);
        return false;
    }
    gen_aggregate_take(text, ":");
    inner = CONNECT_NEW(&text->ctx->arena, gen_object_t, 1);
    inner->type = type;
    if (!gen_aggregate_message(text, inner)) return false;
    item = gen_object_add(text->ctx, object, url_field, at);
    item->text = connect_str_of(url);
    item = gen_object_add(text->ctx, object, value_field, at);
    item->text = gen_object_encode(text->ctx, inner);
    return true;
}

static bool gen_aggregate_field(gen_aggregate_t *text, gen_object_t *object) {
    const gen_at_t at = text->lexer.token.at;
    const gen_field_t *field = NULL;
    const char *name, *slash;
    if (gen_aggregate_take(text, "[")) {
        if (!gen_aggregate_bracketed(text, &name, &slash)) return false;
        if (slash) return gen_aggregate_any(text, object, name, slash, at);
        field = gen_resolve_extension(text->resolve, object->type->full_name, name);
        if (!field || field->extendee != object->type) {
            gen_source_error(text->ctx, at, "message \"%s\" has no extension \"%s\"", object->type->full_name, name);
            return false;
        }
    } else {
        if (text->lexer.token.kind != GEN_TOKEN_WORD) return gen_aggregate_wrong(text, "the name of a field");
        name = gen_source_copy(text->ctx, text->lexer.token.text);
        gen_lexer_next(&text->lexer);
        field = gen_aggregate_plain_field(object->type, name);
        if (!field && gen_aggregate_is_reserved(object->type, name)) {
            gen_aggregate_skip(text);
            return true;
        }
        if (!field) {
            gen_source_error(text->ctx, at, "message \"%s\" has no field \"%s\"", object->type->full_name, name);
            return false;
        }
    }
    if (!field->kind && !field->type) return false; /* reported already */
    if (!gen_aggregate_take(text, ":") && !field->type) return gen_aggregate_wrong(text, "\":\"");
    gen_aggregate_twice(text, object, field, at);
    if (field->label == GEN_LABEL_REPEATED && gen_aggregate_take(text, "[")) {
        if (gen_aggregate_take(text, "]")) return true;
        do {
            if (!gen_aggregate_value(text, object, field, text->lexer.token.at)) return false;
        } while (gen_aggregate_take(text, ","));
        return gen_aggregate_take(text, "]") || gen_aggregate_wrong(text, "\",\" or \"]\"");
    }
    return gen_aggregate_value(text, object, field, at);
}

static bool gen_aggregate_fields(gen_aggregate_t *text, gen_object_t *object, const char *closing) {
    while (!gen_aggregate_take(text, closing)) {
        if (!gen_aggregate_field(text, object)) return false;
        if (!gen_aggregate_take(text, ",")) gen_aggregate_take(text, ";");
    }
    return true;
}

GEN_PRIVATE void gen_aggregate_read(gen_resolve_t *resolve, gen_object_t *object, const gen_option_t *option) {
    gen_aggregate_t text;
    memset(&text, 0, sizeof text);
    text.resolve = resolve;
    text.ctx = resolve->ctx;
    gen_lexer_begin_at(&text.lexer, resolve->ctx, option->value_at.source, option->text);
    gen_aggregate_message(&text, object);
}
