#pragma once
#include "base/sys.h"
#include "base/buf.h"

typedef struct cn_tls_config_t cn_tls_config_t;

typedef struct cn_tls_t { /* TLS on one connection; calls that tell of the peer hold it, too */
    unsigned refs;
    const connect_allocator_t *allocator;
    cn_tls_config_t *config;
    const connect_tls_engine_t *engine;
    void *session;
    cn_buf_t out;   /* records for the peer */
    bool is_open;   /* the handshake is done */
    bool is_closed; /* close was called, or it is over */
    bool has_no_memory;
    connect_tls_info_t info;
    connect_arena_t arena; /* of info */
} cn_tls_t;

#if CONNECT_ENABLE_CLIENT || CONNECT_ENABLE_SERVER
/* Keeps a configuration alive; NULL is passed through. */
CN_PRIVATE connect_tls_t *cn_tls_hold(connect_tls_t *tls_or_null);

/* Begins TLS on a connection. server_name: client: for SNI and checks, unless the options name one. The two flags:
   what may be negotiated. NULL: out of memory, or nothing may be. */
CN_PRIVATE cn_tls_t *cn_tls_begin(connect_tls_t *tls, const connect_allocator_t *allocator, bool is_server,
    const char *server_name, const char *peer, bool http1, bool http2);
CN_PRIVATE void cn_tls_ref(cn_tls_t *tls_or_null);
CN_PRIVATE void cn_tls_unref(cn_tls_t *tls_or_null);
/* What calls tell of the peer; NULL in clear text. */
CN_PRIVATE const connect_tls_info_t *cn_tls_info(const cn_tls_t *tls_or_null);

/* Takes bytes from the peer, until there is plaintext to be read. Returns how many. */
CN_PRIVATE size_t cn_tls_take(cn_tls_t *tls, const char *bytes, size_t len);
/* The plaintext that waits. Then say how much of it was used. */
CN_PRIVATE connect_str_t cn_tls_plain(cn_tls_t *tls);
CN_PRIVATE void cn_tls_used(cn_tls_t *tls, size_t len);
/* Puts plaintext into records, in out. Returns how much of it: less than all means that it is over. */
CN_PRIVATE size_t cn_tls_seal(cn_tls_t *tls, connect_str_t plain);
/* Sends close_notify, once. */
CN_PRIVATE void cn_tls_close(cn_tls_t *tls);
/* Moves what the engine has for the peer into out. Returns whether there was anything. */
CN_PRIVATE bool cn_tls_collect(cn_tls_t *tls);
/* True: it is over. *error: OK if by close_notify. */
CN_PRIVATE bool cn_tls_over(cn_tls_t *tls, connect_error_t *error);
/* Looks whether the handshake is done. Returns false: the peer is refused, *error says why. */
CN_PRIVATE bool cn_tls_look(cn_tls_t *tls, connect_error_t *error);
#endif
