/* What the conformance server and client share: the runner's frames, and headers in its schema. */
#ifndef CONFORMANCE_COMMON_H
#define CONFORMANCE_COMMON_H
#include "connectrpc/conformance/v1/service.connect.h"
#include <stdio.h>
#include <string.h>

/* Which TLS engine runs; NULL: the one that connect.h comes with. */
#ifdef CONFORMANCE_OPENSSL
#include "connect_openssl.h"
#define TLS_ENGINE connect_openssl_engine()
#else
#define TLS_ENGINE NULL
#endif

#define NAME(name) connectrpc_conformance_v1_##name

/* The length of a frame, from its first four bytes: big-endian. */
static size_t frame_len(const unsigned char *head) {
    return (size_t)head[0] << 24 | (size_t)head[1] << 16 | (size_t)head[2] << 8 | head[3];
}

static bool write_frame(connect_str_t bytes) {
    const unsigned char head[4] = {(unsigned char)(bytes.len >> 24), (unsigned char)(bytes.len >> 16),
        (unsigned char)(bytes.len >> 8), (unsigned char)bytes.len};
    return bytes.data && fwrite(head, 1, sizeof head, stdout) == sizeof head &&
        fwrite(bytes.data, 1, bytes.len, stdout) == bytes.len && fflush(stdout) == 0;
}

/* Headers of one name together, as the schema wants them; copied. */
static NAME(Header_list) headers_of(connect_headers_t headers, connect_arena_t *arena) {
    NAME(Header) *list = CONNECT_NEW(arena, NAME(Header), headers.count + 1);
    NAME(Header_list) result = {list, 0};
    size_t i, k;
    for (i = 0; list && i < headers.count; i++) {
        connect_str_t *values = CONNECT_NEW(arena, connect_str_t, headers.count);
        size_t count = 0;
        for (k = 0; k < i && strcmp(headers.items[k].name, headers.items[i].name) != 0; k++) {}
        if (k < i || !values) continue;
        for (; k < headers.count; k++)
            if (strcmp(headers.items[k].name, headers.items[i].name) == 0)
                values[count++] = connect_arena_copy(arena, headers.items[k].value);
        list[result.count].name = connect_arena_copy(arena, connect_str_of(headers.items[i].name));
        list[result.count].value.items = values;
        list[result.count++].value.count = count;
    }
    return result;
}
#endif
