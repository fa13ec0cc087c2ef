#pragma once

/* ==== 8. What servers and clients share ========================================================================== */

typedef struct connect_compression_t { /* beyond identity, gzip and zstd */
    const char *name;                  /* as in Content-Encoding, in lower case */
    bool (*compress)(void *ctx, connect_str_t in, connect_arena_t *arena, connect_str_t *out);
    /* Stops past max bytes, and then says true with out->len > max: too large is not corrupt. */
    bool (*decompress)(void *ctx, connect_str_t in, size_t max, connect_arena_t *arena, connect_str_t *out);
    void *ctx;
} connect_compression_t;

typedef enum connect_preset_t { CONNECT_PRESET_GATEWAY, CONNECT_PRESET_TINY } connect_preset_t;
typedef struct connect_limits_t {         /* a zero takes the preset's value:                GATEWAY        TINY */
    connect_preset_t preset;
    size_t memory;                        /* bytes, all of a server; nothing begins above 3/4  64 MiB         4 MiB */
    uint32_t connections;                 /*                                                 256            32 */
    uint32_t requests;                    /* in the life of an HTTP/1.1 connection           10,000         1,000 */
    uint32_t streams;                     /* at once on a connection                         100            16 */
    uint32_t stream_window, connection_window; /* bytes a peer may send unread              64, 256 KiB    16, 64 KiB */
    uint32_t stream_buffer, connection_buffer; /* bytes waiting to go out, then AGAIN       64, 256 KiB    16, 32 KiB */
    uint32_t header_bytes, header_count;  /* of headers, and of trailers                     16 KiB, 128    8 KiB, 64 */
    uint32_t url_bytes;                   /* request line; a client's longer GET is a POST   8 KiB          4 KiB */
    uint32_t receive_bytes, send_bytes;   /* of one message, uncompressed                    4 MiB          256 KiB */
    uint32_t decode_bytes;                /* of one message's elements in memory             16 MiB         1 MiB */
    uint32_t depth;                       /* of nested messages                              100            32 */
    uint32_t zstd_window;                 /* bytes                                           8 MiB          1 MiB */
    uint32_t reset_burst, reset_rate;     /* streams reset by either end; per second         200, 33        50, 10 */
    uint32_t frame_burst, frame_rate;     /* frames of no use; per second                    10,000, 1,000 1,000, 100 */
    uint32_t handshake_ms;                /* TLS                                             10 s           10 s */
    uint32_t header_ms;                   /* first byte to last header; preface, SETTINGS    10 s           10 s */
    uint32_t body_gap_ms;                 /* between two pieces of a request's body          30 s           30 s */
    uint32_t write_stall_ms;              /* nothing could be written                        30 s           30 s */
    uint32_t idle_http1_ms, idle_http2_ms; /*                                               60 s, 5 min    15 s, 60 s */
    uint32_t ping_ms, ping_answer_ms;     /* HTTP/2 keepalive; clients: after 5 min          2 h, 20 s      off, 20 s */
    uint32_t drain_ms;                    /*                                                 10 s           5 s */
    uint32_t dial_ms, establish_ms;       /* client: one address; until the first request    5 s, 20 s      5 s, 20 s */
} connect_limits_t;
