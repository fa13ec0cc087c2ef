/* Tokens of the protobuf language (protobuf.dev, "Protocol Buffers Language Specification", lexical elements), and
   which comment belongs to what.

   Words: letter or _, then letters, digits, _; at most GEN_LEXER_WORD_MAX bytes. Integers: decimal, 0 octal, 0x hex.
   Floats: digits with a point or an exponent, or .5; a trailing f is accepted. Strings: '...' or "...", in one line,
   escapes \a \b \f \n \r \t \v \\ \' \" \? \ooo \xhh \uhhhh \Uhhhhhhhh. Comments: // and, not nested, block comments.

   A comment that starts in the line of a token trails that token; a comment whose last line is the one above a token
   (or its own) leads it; lines of // in a row are one comment. All others are detached and dropped.

   Refused: NUL and other control characters, bytes over 0x7F outside of strings and comments, a string without its end,
   a number that runs into a word. A byte order mark at the start is skipped. After GEN_ERRORS_MAX errors all is END. */
#include "gen/lexer.h"

#define GEN_LEXER_WORD_MAX 512u

static bool gen_lexer_is_letter(char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '_';
}

static bool gen_lexer_is_digit(char c) {
    return c >= '0' && c <= '9';
}

static int gen_lexer_hex(char c) {
    if (c >= '0' && c <= '9') return c - '0';
    if (c >= 'a' && c <= 'f') return c - 'a' + 10;
    if (c >= 'A' && c <= 'F') return c - 'A' + 10;
    return -1;
}

static gen_at_t gen_lexer_at(const gen_lexer_t *lexer, const char *where) {
    gen_at_t at;
    at.source = lexer->source;
    at.offset = (size_t)(where - lexer->source->text.data);
    return at;
}

GEN_PRIVATE void gen_lexer_begin_at(
    gen_lexer_t *lexer, gen_context_t *ctx, const gen_source_t *source, connect_str_t part) {
    memset(lexer, 0, sizeof *lexer);
    lexer->ctx = ctx;
    lexer->source = source;
    lexer->next = part.data;
    lexer->end = part.data + part.len;
    lexer->token.at = lexer->previous_end = gen_lexer_at(lexer, lexer->next);
    gen_lexer_next(lexer);
}

GEN_PRIVATE void gen_lexer_begin(gen_lexer_t *lexer, gen_context_t *ctx, const gen_source_t *source) {
    connect_str_t all = source->text;
    if (all.len >= 3 && memcmp(all.data, "\xEF\xBB\xBF", 3) == 0) {
        all.data += 3;
        all.len -= 3;
    }
    gen_lexer_begin_at(lexer, ctx, source, all);
}

/* Reads one comment; at its end stands the newline of a //. */
static connect_str_t gen_lexer_comment(gen_lexer_t *lexer) {
    connect_str_t comment;
    const char *at = lexer->next;
    comment.data = at;
    if (at[1] == '/') {
        while (at < lexer->end && *at != '\n')
            at++;
    } else {
        at += 2;
        while (at < lexer->end && !(at[0] == '*' && at[1] == '/'))
            at++;
        if (at >= lexer->end)
            gen_source_error(lexer->ctx, gen_lexer_at(lexer, comment.data), "comment without its end");
        else
            at += 2;
    }
    comment.len = (size_t)(at - comment.data);
    lexer->next = at;
    return comment;
}

/* Skips white space and comments, and tells them apart. */
static void gen_lexer_skip(gen_lexer_t *lexer) {
    bool first_line = lexer->next > lexer->source->text.data; /* still in the line of the token before */
    bool line_comment = false;                                /* the last was a // and nothing came since */
    int newlines = 0;                                         /* since the last comment */
    connect_str_t leading = {NULL, 0};
    lexer->trailing = leading;
    while (lexer->next < lexer->end) {
        char c = *lexer->next;
        if (c == '\n') {
            newlines++;
            lexer->next++;
            first_line = false;
        } else if (c == ' ' || c == '\t' || c == '\r' || c == '\f' || c == '\v') {
            lexer->next++;
        } else if (c == '/' && (lexer->next[1] == '/' || lexer->next[1] == '*')) {
            bool is_line = lexer->next[1] == '/';
            connect_str_t comment = gen_lexer_comment(lexer);
            if (first_line) {
                lexer->trailing = comment;
            } else if (is_line && line_comment && newlines == 1) {
                leading.len = (size_t)(comment.data + comment.len - leading.data);
            } else {
                leading = comment;
            }
            line_comment = is_line && !first_line;
            newlines = 0;
        } else {
            break;
        }
    }
    if (newlines > 1) memset(&leading, 0, sizeof leading);
    lexer->token.leading = leading;
}

static void gen_lexer_bad(gen_lexer_t *lexer, const char *at, const char *what) {
    if (!lexer->token.bad) gen_source_error(lexer->ctx, gen_lexer_at(lexer, at), "%s", what);
    lexer->token.bad = true;
}

static void gen_lexer_number(gen_lexer_t *lexer) {
    const char *at = lexer->next, *begin = at;
    gen_token_t *token = &lexer->token;
    unsigned base = 10;
    bool octal = true;
    token->kind = GEN_TOKEN_INTEGER;
    if (at[0] == '0' && (at[1] == 'x' || at[1] == 'X')) {
        base = 16;
        at += 2;
        if (gen_lexer_hex(*at) < 0) gen_lexer_bad(lexer, begin, "\"0x\" without hexadecimal digits");
    } else if (at[0] == '0' && gen_lexer_is_digit(at[1])) {
        base = 8;
        at++;
    }
    for (; base == 16 ? gen_lexer_hex(*at) >= 0 : gen_lexer_is_digit(*at); at++) {
        unsigned digit = (unsigned)gen_lexer_hex(*at);
        if (digit >= base) octal = false;
        if (token->integer > (UINT64_MAX - digit) / base) token->too_big = true;
        token->integer = token->integer * base + digit;
    }
    if (base != 16 && (*at == '.' || *at == 'e' || *at == 'E')) {
        token->kind = GEN_TOKEN_FLOAT;
        if (*at == '.') at++;
        while (gen_lexer_is_digit(*at))
            at++;
        if (*at == 'e' || *at == 'E') {
            at++;
            if (*at == '+' || *at == '-') at++;
            if (!gen_lexer_is_digit(*at)) gen_lexer_bad(lexer, begin, "exponent without digits");
            while (gen_lexer_is_digit(*at))
                at++;
        }
    }
    token->text.len = (size_t)(at - begin);
    if ((*at == 'f' || *at == 'F') && base == 10) {
        token->kind = GEN_TOKEN_FLOAT;
        at++;
    }
    if (base == 8 && (!octal || token->kind == GEN_TOKEN_FLOAT)) {
        gen_lexer_bad(lexer, begin, "a number that starts with 0 is octal: digits 0 to 7 only");
    }
    if (gen_lexer_is_letter(*at) || *at == '.') {
        gen_lexer_bad(lexer, at, "expected a space between a number and what follows");
        while (gen_lexer_is_letter(*at) || gen_lexer_is_digit(*at) || *at == '.')
            at++;
    }
    lexer->next = at;
}

static void gen_lexer_string(gen_lexer_t *lexer) {
    const char *at = lexer->next, quote = *at++;
    while (at < lexer->end && *at != quote && *at != '\n' && *at) {
        if (*at == '\\' && at + 1 < lexer->end && at[1] != '\n' && at[1]) at++;
        at++;
    }
    lexer->token.kind = GEN_TOKEN_STRING;
    if (at < lexer->end && *at == quote)
        at++;
    else
        gen_lexer_bad(lexer, lexer->next, "string without its closing quote in the same line");
    lexer->token.text.len = (size_t)(at - lexer->next);
    lexer->next = at;
}

GEN_PRIVATE void gen_lexer_next(gen_lexer_t *lexer) {
    gen_token_t *token = &lexer->token;
    gen_at_t previous = token->at;
    previous.offset += token->text.len;
    lexer->previous_end = previous;
    token->bad = false;
    for (;;) {
        bool bad = token->bad;
        char c;
        memset(token, 0, sizeof *token);
        token->bad = bad;
        gen_lexer_skip(lexer);
        token->at = gen_lexer_at(lexer, lexer->next);
        token->text.data = lexer->next;
        if (lexer->next >= lexer->end || lexer->ctx->error_count >= GEN_ERRORS_MAX) return;
        c = *lexer->next;
        if (gen_lexer_is_letter(c)) {
            while (gen_lexer_is_letter(*lexer->next) || gen_lexer_is_digit(*lexer->next))
                lexer->next++;
            token->kind = GEN_TOKEN_WORD;
            token->text.len = (size_t)(lexer->next - token->text.data);
            if (token->text.len > GEN_LEXER_WORD_MAX) {
                gen_source_error(lexer->ctx, token->at, "identifier with more than %u bytes", GEN_LEXER_WORD_MAX);
                token->text.len = GEN_LEXER_WORD_MAX;
            }
            return;
        }
        if (gen_lexer_is_digit(c) || (c == '.' && gen_lexer_is_digit(lexer->next[1]))) {
            gen_lexer_number(lexer);
            return;
        }
        if (c == '"' || c == '\'') {
            gen_lexer_string(lexer);
            return;
        }
        lexer->next++;
        if (c > 0x20 && c < 0x7F) {
            token->kind = GEN_TOKEN_SYMBOL;
            token->text.len = 1;
            return;
        }
        gen_source_error(lexer->ctx, token->at, "%s \\x%02X%s", (unsigned char)c < 0x80 ? "control character" : "byte",
            (unsigned)(unsigned char)c, (unsigned char)c < 0x80 ? "" : " outside of a string or comment");
        token->bad = true;
        while (lexer->next < lexer->end && ((unsigned char)*lexer->next >= 0x7F || (unsigned char)*lexer->next < 9)) {
            lexer->next++;
        }
    }
}

GEN_PRIVATE bool gen_lexer_is(const gen_lexer_t *lexer, const char *text) {
    size_t len = strlen(text);
    return (lexer->token.kind == GEN_TOKEN_WORD || lexer->token.kind == GEN_TOKEN_SYMBOL) &&
        lexer->token.text.len == len && memcmp(lexer->token.text.data, text, len) == 0;
}

static size_t gen_lexer_utf8(uint32_t c, char *to) {
    if (c < 0x80) {
        to[0] = (char)c;
        return 1;
    }
    if (c < 0x800) {
        to[0] = (char)(0xC0 | (c >> 6));
        to[1] = (char)(0x80 | (c & 0x3F));
        return 2;
    }
    if (c < 0x10000) {
        to[0] = (char)(0xE0 | (c >> 12));
        to[1] = (char)(0x80 | ((c >> 6) & 0x3F));
        to[2] = (char)(0x80 | (c & 0x3F));
        return 3;
    }
    to[0] = (char)(0xF0 | (c >> 18));
    to[1] = (char)(0x80 | ((c >> 12) & 0x3F));
    to[2] = (char)(0x80 | ((c >> 6) & 0x3F));
    to[3] = (char)(0x80 | (c & 0x3F));
    return 4;
}

/* Reads up to max digits of a base; false if there is none. */
static bool gen_lexer_digits(const char **at, const char *end, size_t max, unsigned base, uint32_t *value) {
    size_t count = 0;
    *value = 0;
    for (; count < max && *at < end; count++, (*at)++) {
        int digit = gen_lexer_hex(**at);
        if (digit < 0 || (unsigned)digit >= base) break;
        *value = *value * base + (uint32_t)digit;
    }
    return count > 0;
}

/* Unescapes the string token to where there is room for it; unescaped it is never longer than written. */
static size_t gen_lexer_unescape(gen_lexer_t *lexer, char *text) {
    static const char names[] = "abfnrtv\\'\"?", bytes[] = "\a\b\f\n\r\t\v\\'\"?";
    const char *at = lexer->token.text.data + 1, *end = lexer->token.text.data + lexer->token.text.len, *name;
    size_t len = 0;
    if (end > at && end[-1] == at[-1]) end--;
    while (at < end) {
        const char *begin = at;
        uint32_t value;
        bool good = true;
        if (*at != '\\') {
            text[len++] = *at++;
            continue;
        }
        if (++at >= end) break;
        name = strchr(names, *at);
        if (name) {
            text[len++] = bytes[name - names];
            at++;
            continue;
        }
        if (*at >= '0' && *at <= '7') {
            gen_lexer_digits(&at, end, 3, 8, &value);
            good = value <= 0xFF;
            text[len++] = (char)(value & 0xFF);
        } else if (*at == 'x' || *at == 'X') {
            at++;
            good = gen_lexer_digits(&at, end, 2, 16, &value);
            text[len++] = (char)value;
        } else if (*at == 'u' || *at == 'U') {
            size_t max = *at == 'u' ? 4 : 8;
            const char *digits = ++at;
            good = gen_lexer_digits(&at, end, max, 16, &value) && (size_t)(at - digits) == max && value <= 0x10FFFF;
            if (good && max == 4 && value >= 0xD800 && value < 0xDC00 && end - at >= 6 && at[0] == '\\' &&
                at[1] == 'u') {
                uint32_t low;
                const char *second = at + 2;
                if (gen_lexer_digits(&second, end, 4, 16, &low) && low >= 0xDC00 && low < 0xE000) {
                    value = 0x10000 + ((value - 0xD800) << 10) + (low - 0xDC00);
                    at = second;
                }
            }
            if (good) len += gen_lexer_utf8(value, text + len);
        } else {
            good = false;
            at++;
        }
        if (!good) gen_source_error(lexer->ctx, gen_lexer_at(lexer, begin), "wrong escape sequence in a string");
    }
    return len;
}

GEN_PRIVATE bool gen_lexer_strings(gen_lexer_t *lexer, connect_str_t *text) {
    const gen_token_t *token = &lexer->token;
    size_t len = 0, room = 0;
    char *joined = NULL;
    bool good = true;
    while (token->kind == GEN_TOKEN_STRING) {
        if (len + token->text.len + 1 > room) {
            char *longer;
            room = 2 * room + token->text.len + 1;
            longer = CONNECT_NEW(&lexer->ctx->arena, char, room);
            if (len) memcpy(longer, joined, len);
            joined = longer;
        }
        if (token->bad) good = false;
        len += gen_lexer_unescape(lexer, joined + len);
        gen_lexer_next(lexer);
    }
    text->data = joined;
    text->len = len;
    return good;
}
