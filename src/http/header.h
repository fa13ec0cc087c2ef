#pragma once
#include "base/sys.h"
#include "base/str.h"

typedef struct cn_headers_t { /* a header list being built; zeroed: empty */
    connect_header_t *items;
    size_t count, capacity;
    size_t bytes;     /* name + value + 32 for each, as SETTINGS_MAX_HEADER_LIST_SIZE counts (RFC 9113 6.5.2) */
    uint64_t lengths; /* of the names, modulo 64: one bit each */
} cn_headers_t;
typedef enum cn_headers_result_t { CN_HEADERS_OK, CN_HEADERS_TOO_LARGE, CN_HEADERS_NO_MEMORY } cn_headers_result_t;

/* Adds a received field: name and value are copied into the arena, each with a zero behind, the name in lower case.
   TOO_LARGE: past limits->header_bytes or header_count; nothing is stored. */
CN_PRIVATE cn_headers_result_t cn_headers_receive(cn_headers_t *headers, connect_arena_t *arena,
    const connect_limits_t *limits, connect_str_t name, connect_str_t value);
/* The same of a name that is in lower case. */
CN_PRIVATE cn_headers_result_t cn_headers_receive_lower(cn_headers_t *headers, connect_arena_t *arena,
    const connect_limits_t *limits, connect_str_t name, connect_str_t value);
/* Makes room for so many fields more, so that adding them does not move the list. Returns false: out of memory. */
CN_PRIVATE bool cn_headers_reserve(cn_headers_t *headers, connect_arena_t *arena, size_t count);
/* Copies a name in lower case; `to` may be `from`. */
CN_PRIVATE void cn_header_lower(char *to, const char *from, size_t len);
/* Adds a field for which there is room. name: lower case, with a zero behind. The texts stay where they are. */
CN_PRIVATE void cn_headers_add(cn_headers_t *headers, connect_str_t name, connect_str_t value);
/* Adds a field whose texts stay where they are. name: lower case, with a zero behind. Returns false: out of memory. */
CN_PRIVATE bool cn_headers_put_str(
    cn_headers_t *headers, connect_arena_t *arena, connect_str_t name, connect_str_t value);
static inline bool cn_headers_put(
    cn_headers_t *headers, connect_arena_t *arena, const char *name, connect_str_t value) {
    return cn_headers_put_str(headers, arena, cn_str(name, strlen(name)), value); /* mostly known to the compiler */
}
CN_PRIVATE connect_headers_t cn_headers_view(const cn_headers_t *headers);
/* The first value of a name, or the absent view. name: lower case, with a zero behind. */
CN_PRIVATE connect_str_t cn_headers_find(const cn_headers_t *headers, connect_str_t name);
/* A token (RFC 9110 5.6.2); a field value (RFC 9110 5.5: no CR, LF, NUL or other control but tab). */
CN_PRIVATE bool cn_header_name_valid(connect_str_t name);
CN_PRIVATE bool cn_header_value_valid(connect_str_t value);
/* Tells whether a text is uri-host [ ":" port ] (RFC 9110 7.2): not empty, no list, no userinfo. */
CN_PRIVATE bool cn_header_authority_valid(connect_str_t authority);

/* What a byte may be part of; the table has 256 entries. */
enum {
    CN_CHAR_TOKEN = 1,  /* RFC 9110 5.6.2 */
    CN_CHAR_VALUE = 2,  /* of a field value: VCHAR, obs-text, space, tab */
    CN_CHAR_TARGET = 4, /* of a request target: VCHAR, but no "#" (a fragment is never sent) and no "\" */
    CN_CHAR_HOST = 8,   /* of a reg-name or an IPv4 address (RFC 3986 3.2.2), but no ",": it would look like a list */
    CN_CHAR_QUOTED = 16 /* of a quoted-string, as it stands (RFC 9110 5.6.4) */
};
CN_PRIVATE const unsigned char *cn_header_chars(void);
