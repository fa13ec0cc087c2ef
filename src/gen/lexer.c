/* Tokens of the protobuf language (protobuf.dev, "Protocol Buffers Language Specification", lexical elements), and
   which comment belongs to what.

   Words: letter or _, then letters, digits, _; at most GEN_WORD_MAX bytes. Integers: decimal, 0 octal, 0x hex.
   Floats: digits with a point or an exponent, or .5. Strings: '...' or "...", in one line,
   escapes \a \b \f \n \r \t \v \\ \' \" \? \ooo \xhh \uhhhh \Uhhhhhhhh. Comments: // and, not nested, block comments.

   Comments belong to tokens by the rules of protoc (descriptor.proto, SourceCodeInfo.Location), so that it does not
   matter whether a file comes as text or as a descriptor. // in lines in a row are one comment. A comment that starts
   in the line of a token trails it; so does the first of those below it, if an empty line or the end of the scope
   follows. The last comment without an empty line behind it leads the next token. All others are detached and dropped,
   and so is a single one between two tokens of one line.

   Refused: NUL and other control characters, bytes over 0x7F outside of strings and comments, a string without its end,
   a number that runs into a word. A byte order mark at the start is skipped. After GEN_ERRORS_MAX errors all is END. */
#include "gen/lexer.h"

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

/* What was read since the last token, under way to what it belongs to. */
typedef struct gen_lexer_comments_t {
    connect_str_t pending, trailing;
    bool can_trail; /* the pending one may still belong to the token before */
    int settled;
} gen_lexer_comments_t;

static void gen_lexer_settle(gen_lexer_comments_t *comments) {
    if (!comments->pending.data) return;
    if (comments->can_trail) comments->trailing = comments->pending;
    comments->can_trail = false;
    memset(&comments->pending, 0, sizeof comments->pending);
    comments->settled++;
}

static void gen_lexer_blanks(gen_lexer_t *lexer) {
    while (lexer->next < lexer->end && *lexer->next && strchr(" \t\r\f\v", *lexer->next))
        lexer->next++;
}

static bool gen_lexer_newline(gen_lexer_t *lexer, int *line) {
    if (lexer->next >= lexer->end || *lexer->next != '\n') return false;
    lexer->next++;
    ++*line;
    return true;
}

static bool gen_lexer_at_comment(const gen_lexer_t *lexer) {
    return lexer->end - lexer->next >= 2 && lexer->next[0] == '/' && (lexer->next[1] == '/' || lexer->next[1] == '*');
}

/* Takes a comment into what is pending. */
static void gen_lexer_collect(gen_lexer_t *lexer, gen_lexer_comments_t *comments, int *line) {
    const bool is_line = lexer->next[1] == '/';
    const connect_str_t comment = gen_lexer_comment(lexer);
    const char *at;
    for (at = comment.data; at < comment.data + comment.len; at++)
        *line += *at == '\n';
    if (comments->pending.data && (!is_line || comments->pending.data[1] != '/')) gen_lexer_settle(comments);
    if (!comments->pending.data) comments->pending.data = comment.data;
    comments->pending.len = (size_t)(comment.data + comment.len - comments->pending.data);
}

/* Skips white space and comments, and tells to which token they belong. */
static void gen_lexer_skip(gen_lexer_t *lexer) {
    gen_lexer_comments_t comments;
    int line = 0, trailing_line = -1; /* from the token before on; where a comment in its line ends */
    char c;
    memset(&comments, 0, sizeof comments);
    comments.can_trail = lexer->started;
    lexer->trailing = comments.trailing;
    if (lexer->started) {
        gen_lexer_blanks(lexer);
        if (gen_lexer_at_comment(lexer)) {
            gen_lexer_collect(lexer, &comments, &line);
            trailing_line = line;
            gen_lexer_settle(&comments);
            gen_lexer_blanks(lexer);
        }
        if (!gen_lexer_newline(lexer, &line) && !gen_lexer_at_comment(lexer) && trailing_line < 0) return;
    }
    for (;;) {
        gen_lexer_blanks(lexer);
        if (gen_lexer_at_comment(lexer)) {
            gen_lexer_collect(lexer, &comments, &line);
            gen_lexer_blanks(lexer);
            gen_lexer_newline(lexer, &line);
        } else if (gen_lexer_newline(lexer, &line)) {
            gen_lexer_settle(&comments);
            comments.can_trail = false;
        } else {
            break;
        }
    }
    c = lexer->next < lexer->end ? *lexer->next : '}';
    if (c == '}' || c == ']' || c == ')') gen_lexer_settle(&comments);
    if (lexer->started && (line == 0 || line == trailing_line) &&
        comments.settled + (comments.pending.data != NULL) == 1) { /* it is not clear whose it is */
        memset(&comments.trailing, 0, sizeof comments.trailing);
        gen_lexer_settle(&comments);
    }
    lexer->token.leading = comments.pending;
    lexer->trailing = comments.trailing;
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
    if (base == 8 && (!octal || token->kind == GEN_TOKEN_FLOAT)) {
        gen_lexer_bad(lexer, begin, "a number that starts with 0 is octal: digits 0 to 7 only");
    }
    if (base != 10 && token->too_big) gen_lexer_bad(lexer, begin, "a hexadecimal or octal number of more than 64 bits");
    if (gen_lexer_is_letter(*at) || *at == '.') {
        gen_lexer_bad(lexer, at, "expected a space between a number and what follows");
        while (gen_lexer_is_letter(*at) || gen_lexer_is_digit(*at) || *at == '.')
            at++;
    }
    lexer->next = at;
}

GEN_PRIVATE double gen_lexer_double(gen_context_t *ctx, const gen_token_t *token) {
    if (token->kind == GEN_TOKEN_INTEGER && !token->too_big) return (double)token->integer;
    return strtod(gen_source_copy(ctx, token->text), NULL);
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
        lexer->started = true;
        token->at = gen_lexer_at(lexer, lexer->next);
        token->text.data = lexer->next;
        if (lexer->next >= lexer->end || lexer->ctx->error_count >= GEN_ERRORS_MAX) return;
        c = *lexer->next;
        if (gen_lexer_is_letter(c)) {
            while (gen_lexer_is_letter(*lexer->next) || gen_lexer_is_digit(*lexer->next))
                lexer->next++;
            token->kind = GEN_TOKEN_WORD;
            token->text.len = (size_t)(lexer->next - token->text.data);
            if (token->text.len > GEN_WORD_MAX) {
                gen_source_error(lexer->ctx, token->at, "identifier with more than %u bytes", GEN_WORD_MAX);
                token->text.len = GEN_WORD_MAX;
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
            gen_lexer_digits(&at, end, 3, 8, &value); /* more than a byte: the low one, as protoc has it */
            text[len++] = (char)(value & 0xFF);
        } else if (*at == 'x' || *at == 'X') {
            at++;
            good = gen_lexer_digits(&at, end, 2, 16, &value);
            text[len++] = (char)value;
        } else if (*at == 'u' || *at == 'U') {
            size_t max = *at == 'u' ? 4 : 8;
            const char *digits = ++at;
            good = gen_lexer_digits(&at, end, max, 16, &value) && (size_t)(at - digits) == max && value <= 0x1FFFFF;
            if (good && max == 4 && value >= 0xD800 && value < 0xDC00 && end - at >= 6 && at[0] == '\\' &&
                at[1] == 'u') {
                uint32_t low;
                const char *second = at + 2;
                if (gen_lexer_digits(&second, end, 4, 16, &low) && low >= 0xDC00 && low < 0xE000) {
                    value = 0x10000 + ((value - 0xD800) << 10) + (low - 0xDC00);
                    at = second;
                }
            }
            if (good && value > 0x10FFFF) /* stays as it is written, as protoc has it */
                len += (size_t)sprintf(text + len, "\\U%08lx", (unsigned long)value);
            else if (good)
                len += gen_lexer_utf8(value, text + len);
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

GEN_PRIVATE connect_str_t gen_lexer_comment_text(gen_context_t *ctx, connect_str_t comment) {
    connect_str_t result = {NULL, 0};
    const char *at = comment.data, *end;
    size_t len = 0;
    char *text;
    if (!comment.len) return result;
    end = at + comment.len;
    text = CONNECT_NEW(&ctx->arena, char, comment.len + 1);
    if (at[1] == '/') {
        while (at < end) {
            while (at < end && *at != '/')
                at++;
            for (at += 2; at < end && *at != '\n'; at++)
                text[len++] = *at;
            text[len++] = '\n';
            at++;
        }
    } else {
        if (end - at >= 4 && end[-1] == '/' && end[-2] == '*') end -= 2;
        for (at += 2; at < end;) {
            text[len++] = *at;
            if (*at++ != '\n') continue;
            while (at < end && strchr(" \t\r\f\v", *at))
                at++;
            if (at < end && *at == '*') at++;
        }
    }
    result.data = text;
    result.len = len;
    return result;
}
