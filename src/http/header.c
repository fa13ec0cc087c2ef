#include "http/header.h"
#include "base/mem.h"
#include "base/str.h"

/* Header lists as both HTTP versions hold them: an array of (name, value) in an arena, names in lower case, all texts
   zero-terminated; order and repetitions are kept (RFC 9110 5.2, 5.3). And the grammar of names and values as a table
   of one byte per character.

   A received list is bounded twice: by limits->header_count, and by limits->header_bytes, where every field counts as
   name + value + 32 (RFC 9113 6.5.2). A field that is past a limit is not stored.

   The items are one array in the arena, which doubles; when nothing else was taken from the arena meanwhile it grows in
   place. cn_headers_reserve makes the array at once.

   Most names that are looked for are not there: a bit for each length of a name that is there tells it at once. */

#define CN_HEADERS_FIRST 8u
#define CN_HEADER_OVERHEAD 32u

/* Bits of CN_CHAR_: TOKEN 1, VALUE 2, TARGET 4, HOST 8, QUOTED 16. */
static const unsigned char cn_header_char_table[256] = {0, 0, 0, 0, 0, 0, 0, 0, 0, 18, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0,
    0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 18, 31, 6, 19, 31, 31, 31, 31, 30, 30, 31, 31, 22, 31, 31, 22, 31, 31, 31, 31, 31,
    31, 31, 31, 31, 31, 22, 30, 22, 30, 22, 22, 22, 31, 31, 31, 31, 31, 31, 31, 31, 31, 31, 31, 31, 31, 31, 31, 31, 31,
    31, 31, 31, 31, 31, 31, 31, 31, 31, 22, 2, 22, 23, 31, 23, 31, 31, 31, 31, 31, 31, 31, 31, 31, 31, 31, 31, 31, 31,
    31, 31, 31, 31, 31, 31, 31, 31, 31, 31, 31, 31, 22, 23, 22, 31, 0, 18, 18, 18, 18, 18, 18, 18, 18, 18, 18, 18, 18,
    18, 18, 18, 18, 18, 18, 18, 18, 18, 18, 18, 18, 18, 18, 18, 18, 18, 18, 18, 18, 18, 18, 18, 18, 18, 18, 18, 18, 18,
    18, 18, 18, 18, 18, 18, 18, 18, 18, 18, 18, 18, 18, 18, 18, 18, 18, 18, 18, 18, 18, 18, 18, 18, 18, 18, 18, 18, 18,
    18, 18, 18, 18, 18, 18, 18, 18, 18, 18, 18, 18, 18, 18, 18, 18, 18, 18, 18, 18, 18, 18, 18, 18, 18, 18, 18, 18, 18,
    18, 18, 18, 18, 18, 18, 18, 18, 18, 18, 18, 18, 18, 18, 18, 18, 18, 18, 18, 18, 18, 18, 18, 18, 18, 18, 18, 18, 18};

CN_PRIVATE const unsigned char *cn_header_chars(void) {
    return cn_header_char_table;
}

static bool cn_header_all(connect_str_t text, unsigned char kind) {
    size_t i;
    for (i = 0; i < text.len; i++)
        if (!(cn_header_char_table[(unsigned char)text.data[i]] & kind)) return false;
    return true;
}

CN_PRIVATE bool cn_header_name_valid(connect_str_t name) {
    return name.len > 0 && cn_header_all(name, CN_CHAR_TOKEN);
}

CN_PRIVATE bool cn_header_value_valid(connect_str_t value) {
    return cn_header_all(value, CN_CHAR_VALUE);
}

CN_PRIVATE bool cn_header_authority_valid(connect_str_t authority) {
    const unsigned char *chars = cn_header_char_table;
    size_t at = 0, port;
    if (authority.len && authority.data[0] == '[') { /* IPv6, with "%" before a zone; what is in it is not looked at */
        at = 1;
        while (at < authority.len &&
            ((chars[(unsigned char)authority.data[at]] & CN_CHAR_HOST) || authority.data[at] == ':'))
            at++;
        if (at < 3 || at == authority.len || authority.data[at] != ']') return false;
        at++;
    } else {
        while (at < authority.len && (chars[(unsigned char)authority.data[at]] & CN_CHAR_HOST))
            at++;
        if (at == 0) return false;
    }
    if (at == authority.len) return true;
    if (authority.data[at] != ':') return false;
    for (port = ++at; at < authority.len; at++)
        if (authority.data[at] < '0' || authority.data[at] > '9') return false;
    return at - port <= 5;
}

/* Bytes below 0x80 that are 'A' to 'Z' get 0x20 added, eight at a time. */
static uint64_t cn_header_lower_word(uint64_t word) {
    const uint64_t ones = UINT64_C(0x0101010101010101);
    uint64_t low = word & (ones * 0x7F);
    uint64_t upper = (low + ones * (0x80 - 'A')) & ~(low + ones * (0x80 - 'Z' - 1)) & ~word & (ones * 0x80);
    return word | upper >> 2;
}

static void cn_header_lower_8(char *to, const char *from) {
    uint64_t word;
    memcpy(&word, from, 8);
    word = cn_header_lower_word(word);
    memcpy(to, &word, 8);
}

static void cn_header_lower_4(char *to, const char *from) {
    uint32_t half;
    memcpy(&half, from, 4);
    half = (uint32_t)cn_header_lower_word(half);
    memcpy(to, &half, 4);
}

CN_PRIVATE void cn_header_lower(char *to, const char *from, size_t len) {
    size_t i;
    if (len >= 8) { /* the last word overlaps the one before */
        for (i = 0; i + 8 < len; i += 8)
            cn_header_lower_8(to + i, from + i);
        cn_header_lower_8(to + len - 8, from + len - 8);
    } else if (len >= 4) {
        cn_header_lower_4(to, from);
        cn_header_lower_4(to + len - 4, from + len - 4);
    } else {
        for (i = 0; i < len; i++) {
            unsigned char c = (unsigned char)from[i];
            to[i] = (char)(c >= 'A' && c <= 'Z' ? c | 0x20 : c);
        }
    }
}

CN_PRIVATE bool cn_headers_reserve(cn_headers_t *headers, connect_arena_t *arena, size_t count) {
    size_t capacity = headers->count + count;
    connect_header_t *items;
    if (capacity <= headers->capacity) return true;
    if (capacity > SIZE_MAX / 2 / sizeof *items) return false;
    items = (connect_header_t *)cn_arena_grow(
        arena, headers->items, headers->capacity * sizeof *items, capacity * sizeof *items);
    if (!items) return false;
    headers->items = items;
    headers->capacity = capacity;
    return true;
}

CN_PRIVATE void cn_headers_add(cn_headers_t *headers, connect_str_t name, connect_str_t value) {
    connect_header_t *item = &headers->items[headers->count++];
    item->name = name.data;
    item->value = value;
    headers->bytes += name.len + value.len + CN_HEADER_OVERHEAD;
    headers->lengths |= UINT64_C(1) << (name.len & 63);
}

CN_PRIVATE bool cn_headers_put_str(
    cn_headers_t *headers, connect_arena_t *arena, connect_str_t name, connect_str_t value) {
    if (headers->count == headers->capacity &&
        !cn_headers_reserve(headers, arena, CN_MAX(headers->capacity, (size_t)CN_HEADERS_FIRST)))
        return false;
    cn_headers_add(headers, name, value);
    return true;
}

static inline CN_HOT cn_headers_result_t cn_headers_store(cn_headers_t *headers, connect_arena_t *arena,
    const connect_limits_t *limits, connect_str_t name, connect_str_t value, bool is_lower) {
    size_t left;
    char *text;
    if (headers->count >= limits->header_count || headers->bytes > limits->header_bytes) return CN_HEADERS_TOO_LARGE;
    left = limits->header_bytes - headers->bytes;
    if (left < CN_HEADER_OVERHEAD || name.len > left - CN_HEADER_OVERHEAD ||
        value.len > left - CN_HEADER_OVERHEAD - name.len)
        return CN_HEADERS_TOO_LARGE;
    if (headers->count == headers->capacity &&
        !cn_headers_reserve(headers, arena, CN_MAX(headers->capacity, (size_t)CN_HEADERS_FIRST)))
        return CN_HEADERS_NO_MEMORY;
    text = (char *)cn_arena_raw(arena, name.len + value.len + 2);
    if (!text) return CN_HEADERS_NO_MEMORY;
    if (is_lower)
        cn_mem_copy(text, name.data, name.len);
    else
        cn_header_lower(text, name.data, name.len);
    text[name.len] = 0;
    cn_mem_copy(text + name.len + 1, value.data, value.len);
    text[name.len + 1 + value.len] = 0;
    cn_headers_add(headers, cn_str(text, name.len), cn_str(text + name.len + 1, value.len));
    return CN_HEADERS_OK;
}

CN_PRIVATE cn_headers_result_t cn_headers_receive(cn_headers_t *headers, connect_arena_t *arena,
    const connect_limits_t *limits, connect_str_t name, connect_str_t value) {
    return cn_headers_store(headers, arena, limits, name, value, false);
}

CN_PRIVATE cn_headers_result_t cn_headers_receive_lower(cn_headers_t *headers, connect_arena_t *arena,
    const connect_limits_t *limits, connect_str_t name, connect_str_t value) {
    return cn_headers_store(headers, arena, limits, name, value, true);
}

CN_PRIVATE connect_headers_t cn_headers_view(const cn_headers_t *headers) {
    connect_headers_t view;
    view.items = headers->items;
    view.count = headers->count;
    return view;
}

CN_PRIVATE connect_str_t cn_headers_find(const cn_headers_t *headers, connect_str_t name) {
    size_t i;
    if (!(headers->lengths >> (name.len & 63) & 1)) return cn_str(NULL, 0);
    for (i = 0; i < headers->count; i++)
        if (headers->items[i].name[0] == name.data[0] && strcmp(headers->items[i].name, name.data) == 0)
            return headers->items[i].value;
    return cn_str(NULL, 0);
}

connect_str_t connect_headers_get(connect_headers_t headers, const char *name, size_t nth) {
    const connect_str_t wanted = connect_str_of(name);
    size_t i;
    for (i = 0; i < headers.count; i++)
        if (cn_str_equal_nocase(connect_str_of(headers.items[i].name), wanted) && nth-- == 0)
            return headers.items[i].value;
    return cn_str(NULL, 0);
}
