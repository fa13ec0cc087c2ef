#pragma once
#include "base/sys.h"
#include "base/buf.h"
#include "io/x509.h"

#if CONNECT_ENABLE_TLS
#define CN_BEAR_PIN 32          /* bytes of a SHA-256 */
#define CN_BEAR_SPARE_BUFFERS 8 /* record buffers that wait to be borrowed */

typedef struct cn_bear_peer_t { /* what a handshake found out about the peer: shared by connections and the cache */
    int refs;                   /* atomic */
    const connect_allocator_t *allocator;
    int64_t not_after; /* of the whole chain */
    bool is_verified;
    char fingerprint[2 * CN_BEAR_PIN + 1];
    size_t count;
    connect_str_t certificates[]; /* the bytes behind them */
} cn_bear_peer_t;

typedef struct cn_bear_resumable_t { /* a session that may be resumed */
    br_ssl_session_parameters parameters;
    cn_bear_peer_t *peer; /* NULL: it sent no certificate */
    uint32_t name_hash;   /* of the server name */
} cn_bear_resumable_t;
typedef struct cn_bear_entry_t cn_bear_entry_t;
typedef struct cn_bear_cache_t { /* sessions to be resumed, for both roles; of several threads */
    const connect_allocator_t *allocator;
    pthread_mutex_t mutex;
    cn_bear_entry_t **entries;
    size_t sets; /* 0: nothing is kept */
    uint32_t clock;
} cn_bear_cache_t;

typedef struct cn_bear_identity_t {
    br_x509_certificate *chain;
    size_t chain_len;
    cn_x509_t leaf;
    int key_type; /* BR_KEYTYPE_RSA or _EC */
    br_rsa_private_key rsa;
    br_ec_private_key ec;
} cn_bear_identity_t;

typedef struct cn_bear_config_t {
    const connect_tls_options_t *options;
    const connect_allocator_t *allocator;
    connect_arena_t arena;
    cn_bear_identity_t *identities;
    size_t identity_count;
    br_x509_trust_anchor *anchors;
    size_t anchor_count, anchors_skipped;
    unsigned char (*pins)[CN_BEAR_PIN];
    size_t pin_count;
    uint16_t suites[6]; /* the fastest here first */
    cn_bear_cache_t cache;
    unsigned char *spare_buffers[CN_BEAR_SPARE_BUFFERS]; /* atomic each */
} cn_bear_config_t;

typedef struct cn_bear_verifier_t { /* of one handshake */
    const br_x509_class *vtable;    /* first: the engine knows only this */
    union {
        const br_x509_class *vtable;
        br_x509_minimal_context minimal;
    } inner;
    br_x509_decoder_context decoder; /* insecure_no_verify: only the key is read */
    const cn_bear_config_t *config;
    const char *server_name; /* client: to be found in the certificate; "": any */
    bool is_server, was_asked;
    cn_buf_t chain;
    size_t count, starts[16];
    unsigned verdict; /* BR_ERR_X509_; 0: good */
    cn_bear_peer_t *peer;
    char failure[224];
} cn_bear_verifier_t;

/* Makes a configuration; NULL: the error says why. */
CN_PRIVATE void *cn_bear_config_new(const connect_tls_options_t *options, connect_error_t *error);
CN_PRIVATE void cn_bear_config_free(void *config);
/* Unix time in seconds, as certificates see it. */
CN_PRIVATE int64_t cn_bear_now(const cn_bear_config_t *config);

CN_PRIVATE bool cn_bear_cache_init(cn_bear_cache_t *cache, const connect_allocator_t *allocator, uint32_t capacity);
CN_PRIVATE void cn_bear_cache_free(cn_bear_cache_t *cache);
/* Keeps a session for a day at most, and while the peer's certificates hold; if memory is out, it is not kept. */
CN_PRIVATE void cn_bear_cache_put(
    cn_bear_cache_t *cache, connect_str_t key, const cn_bear_resumable_t *session, int64_t now);
/* Finds a session; session->peer: held for the caller, or NULL. */
CN_PRIVATE bool cn_bear_cache_get(cn_bear_cache_t *cache, connect_str_t key, cn_bear_resumable_t *session, int64_t now);
CN_PRIVATE void cn_bear_peer_hold(cn_bear_peer_t *peer_or_null);
CN_PRIVATE void cn_bear_peer_release(cn_bear_peer_t *peer_or_null);

/* Sets up the checks of one handshake; the strings stay until its end. */
CN_PRIVATE void cn_bear_verifier_init(
    cn_bear_verifier_t *verifier, const cn_bear_config_t *config, bool is_server, const char *server_name);
CN_PRIVATE void cn_bear_verifier_free(cn_bear_verifier_t *verifier);
/* The alert (RFC 5246 7.2.2) for a verdict. */
CN_PRIVATE unsigned char cn_bear_verifier_alert(unsigned verdict);

/* The engine over BearSSL. */
CN_PRIVATE const connect_tls_engine_t *cn_tls_bearssl(void);
#endif
