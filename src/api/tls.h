#pragma once

/* ==== 7. TLS ===================================================================================================== */

typedef enum connect_client_auth_t {
    CONNECT_CLIENT_AUTH_NONE,
    CONNECT_CLIENT_AUTH_OPTIONAL, /* none, or a good one: a bad one is refused */
    CONNECT_CLIENT_AUTH_REQUIRED
} connect_client_auth_t;
struct connect_tls_info_t {               /* of one connection */
    const char *version, *cipher, *alpn;  /* "TLS 1.2"; alpn: "" if none */
    const char *server_name;              /* asked for by the client, or "" */
    connect_str_list_t peer_certificates; /* DER, the peer's own first; none: it sent none */
    connect_str_list_t peer_names;        /* of its own: "DNS:gw.local", "URI:spiffe://x/gw", "IP:10.0.0.7", "CN:gw" */
    const char *peer_subject, *peer_fingerprint; /* of its own: "CN=gw, O=Acme"; SHA-256 in hex; or "" */
    bool peer_verified;                          /* the chain is good and, on the client, so is the name */
    bool resumed; /* an earlier handshake's; what is said of the peer was found out then */
};
typedef struct connect_tls_engine_t connect_tls_engine_t;
typedef struct connect_identity_t {         /* both: PEM text, DER bytes, or the path of a file with one of them */
    connect_str_t certificate, private_key; /* the chain, own certificate first */
} connect_identity_t;
typedef struct connect_tls_options_t {
    connect_identity_t identity;    /* server: needed; client: for mTLS, else absent */
    const connect_identity_t *more; /* server: chosen by the name that the client asks for; NULL: none */
    size_t more_count;
    connect_str_t trust_anchors;       /* as in an identity; "system": the system's bundle, the client's default.
                                               Server: who signs client certificates */
    connect_client_auth_t client_auth; /* server: client certificates, default none */
    const char *server_name;           /* client: asked for and checked; default the URL's host */
    const char *pins;                  /* "sha256//...;sha256//...": the peer's key is one of these; NULL: any */
    const char *alpn;                  /* default "h2,http/1.1" */
    bool (*verify)(const connect_tls_info_t *info, void *user); /* one more condition, after the chain; NULL: none */
    int64_t (*clock)(void *user);         /* Unix time in seconds, for certificates; default: the system's clock */
    void *user;                           /* for these two */
    bool insecure_no_verify;              /* client: takes any certificate */
    uint32_t session_cache;               /* sessions kept for resumption; default 1,000 */
    bool no_resumption;                   /* every handshake is a full one */
    const connect_tls_engine_t *engine;   /* default BearSSL (TLS 1.2) */
    const connect_allocator_t *allocator; /* default libc */
} connect_tls_options_t;
typedef struct connect_tls_t connect_tls_t;
#if CONNECT_ENABLE_CLIENT || CONNECT_ENABLE_SERVER
/* Makes a TLS configuration for any number of listeners and clients; certificates are parsed here, once.
   Errors: INVALID_ARGUMENT names the option and, in PEM text, the line; NOT_FOUND: a file; UNIMPLEMENTED: no engine. */
CONNECT_API connect_tls_t *connect_tls_new(const connect_tls_options_t *options, connect_error_t *error);
/* Puts other certificates, keys and anchors in place for new connections; from any thread. options: NULL reads
   the same files again. Returns false: all stays as it was. */
CONNECT_API bool connect_tls_reload(connect_tls_t *tls, const connect_tls_options_t *options, connect_error_t *error);
/* Gives up a configuration; servers and clients that use it keep it alive. */
CONNECT_API void connect_tls_free(connect_tls_t *tls_or_null);
#endif

typedef enum connect_tls_channel_t { /* each is a buffer inside the session */
    CONNECT_TLS_CIPHER_IN,
    CONNECT_TLS_CIPHER_OUT,
    CONNECT_TLS_PLAIN_IN,
    CONNECT_TLS_PLAIN_OUT
} connect_tls_channel_t;
typedef struct connect_tls_session_options_t {
    bool is_server;
    const char *server_name; /* client: asked for and checked, a host name or an IP address */
    const char *peer;        /* "10.0.0.7:443": a session is resumed only with the peer that it began with */
    const char *alpn;        /* "h2,http/1.1": the best first */
} connect_tls_session_options_t;
struct connect_tls_engine_t { /* a TLS library without I/O. Several threads may use one config, each its own sessions */
    const char *name;         /* "OpenSSL 3.5" */
    /* options: with files read; certificates, trust anchors and keys are DER, one behind the other; alpn, and for a
       client trust_anchors, are never absent. It stays until config_free. */
    void *(*config_new)(const connect_tls_options_t *options, connect_error_t *error);
    void (*config_free)(void *config);
    /* options: until the return. NULL: out of memory. */
    void *(*session_new)(void *config, const connect_tls_session_options_t *options);
    void (*session_free)(void *session);
    /* CIPHER_IN, PLAIN_OUT: room to write to. CIPHER_OUT, PLAIN_IN: bytes to read. NULL: nothing to do there now.
       Until the next call on the session. CIPHER_IN waits while there is something in PLAIN_IN. */
    char *(*buffer)(void *session, connect_tls_channel_t channel, size_t *len);
    /* So many bytes of the buffer were written or read. PLAIN_OUT with 0: send what there is. */
    void (*done)(void *session, connect_tls_channel_t channel, size_t len);
    void (*close)(void *session); /* sends close_notify */
    /* True: it is over, and what is in CIPHER_OUT is the last. error: OK if by close_notify; the text is the
       session's. */
    bool (*closed)(void *session, connect_error_t *error);
    /* NULL until the handshake is done. peer_names and peer_subject may be left empty: they are read out of the
       certificate then. */
    const connect_tls_info_t *(*info)(void *session);
};
