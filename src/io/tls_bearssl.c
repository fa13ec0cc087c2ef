#include "io/tls_bearssl.h"
#include "base/error.h"
#include "base/mem.h"
#include "base/str.h"

#if CONNECT_ENABLE_TLS
/* The default TLS engine: BearSSL 0.6, TLS 1.2 (RFC 5246) with ECDHE and AEAD suites only (RFC 9113 9.2), no
   renegotiation (9.2.1).

   A session is one BearSSL context. The four channels are its four record buffers; the engine offers them by its state.
     handshake -> open -> closed (close_notify, either way, or a failure)
   Entropy: 32 bytes of the system's generator, before the context is reset; BearSSL by itself would take RDRAND alone.

   Failed certificates: BearSSL closes without a word, so the alert is made by hand. That is possible as long as we have
   sent no ChangeCipherSpec: certificates are checked before. (`hello_out`.) The same for other failures of a handshake.

   Client certificates, optional: BearSSL then goes on after a bad one, too. The verifier's verdict is kept, and a
   session with a verdict has failed, whatever the engine says.

   Resumption by session ID. Servers: cn_bear_save, cn_bear_load. A session belongs to the server name it began with
   (RFC 6066 3); when BearSSL asks for it, it has not read the name yet, so names are compared as the handshake ends.
   Clients: the key is server name, address and protocols. Whether a session was resumed shows in that no certificate
   was looked at.

   Buffers are lent. At a record boundary BearSSL's buffers hold nothing; from then on an open session has none, and
   borrows one as soon as there is something to be read or written. That touches members which BearSSL calls opaque; so
   it is done only if the context has the size of the version that it was made for (CN_BEAR_MAY_LEND), else sessions own
   theirs. */

#define CN_BEAR_BUFFER BR_SSL_BUFSIZE_INPUT
/* sizeof(br_ssl_engine_context) in BearSSL 0.6: with pointers of 64 bits; of 32 bits; and where 64-bit numbers are
   aligned to 4 bytes (i386) */
#define CN_BEAR_MAY_LEND \
    (sizeof(br_ssl_engine_context) == 3616 || sizeof(br_ssl_engine_context) == 3344 || \
        sizeof(br_ssl_engine_context) == 3316)
#define CN_BEAR_NOWHERE 16 /* an address that is no buffer's: BearSSL tells its state by pointers that are not NULL */
#define CN_BEAR_RECORD_CCS 20 /* RFC 5246 6.2.1 */
#define CN_BEAR_RECORD_DATA 23
#define CN_BEAR_ALERT_RECORD 7

typedef struct cn_bear_session_t {
    cn_bear_config_t *config;
    br_ssl_engine_context *engine; /* the first member of what `context` holds */
    union {
        br_ssl_server_context server;
        br_ssl_client_context client;
    } context;
    const br_ssl_server_policy_class *policy;
    const br_ssl_session_cache_class *cache;
    cn_bear_verifier_t *verifier; /* until the handshake is done; NULL: nobody is asked for a certificate */
    cn_bear_peer_t *peer;
    connect_tls_info_t info;
    char alpn[16];
    const char *alpn_names[2];
    char *key; /* client: of the cache; and the server name in front of it */
    size_t key_len;
    char *server_name;
    unsigned char *in, *out; /* the buffers it has now */
    unsigned char alert[CN_BEAR_ALERT_RECORD];
    uint8_t alert_left;
    uint32_t name_hash; /* server: of the session that was resumed */
    bool is_server, is_open, is_resumed, has_ccs, has_failed;
    char failure[240];
} cn_bear_session_t;

/* ---- Buffers ---- */

static unsigned char *cn_bear_take_buffer(cn_bear_config_t *config) {
    const connect_allocator_t *allocator = config->allocator;
    size_t i;
    for (i = 0; i < CN_BEAR_SPARE_BUFFERS; i++) {
        unsigned char *buffer = __atomic_exchange_n(&config->spare_buffers[i], NULL, __ATOMIC_ACQ_REL);
        if (buffer) return buffer;
    }
    if (!allocator) allocator = connect_allocator_libc();
    return (unsigned char *)allocator->acquire(allocator->ctx, CN_BEAR_BUFFER); /* not zeroed: records need no zeros */
}

static void cn_bear_give_buffer(cn_bear_config_t *config, unsigned char *buffer) {
    size_t i;
    for (i = 0; buffer && i < CN_BEAR_SPARE_BUFFERS; i++) {
        unsigned char *none = NULL;
        if (__atomic_compare_exchange_n(
                &config->spare_buffers[i], &none, buffer, false, __ATOMIC_ACQ_REL, __ATOMIC_RELAXED))
            return;
    }
    cn_mem_release(config->allocator, buffer);
}

static bool cn_bear_borrow(cn_bear_session_t *s, unsigned char **buffer, unsigned char **engine_buffer) {
    if (*buffer) return true;
    *buffer = cn_bear_take_buffer(s->config);
    *engine_buffer = *buffer;
    if (*buffer) return true;
    s->has_failed = true;
    snprintf(s->failure, sizeof s->failure, "out of memory");
    return false;
}

/* Gives the buffers back that hold nothing. */
static void cn_bear_lend_in(cn_bear_session_t *s) {
    br_ssl_engine_context *engine = s->engine;
    size_t len;
    if (!CN_BEAR_MAY_LEND || !s->is_open || !s->in) return;
    if (engine->ixa != 0 || engine->ixb != 0 || br_ssl_engine_recvapp_buf(engine, &len)) return;
    cn_bear_give_buffer(s->config, s->in);
    s->in = NULL;
    engine->ibuf = (unsigned char *)(uintptr_t)CN_BEAR_NOWHERE;
}

static void cn_bear_lend_out(cn_bear_session_t *s) {
    br_ssl_engine_context *engine = s->engine;
    size_t len;
    if (!CN_BEAR_MAY_LEND || !s->is_open || !s->out) return;
    if (engine->oxa != engine->oxc || br_ssl_engine_sendrec_buf(engine, &len)) return;
    cn_bear_give_buffer(s->config, s->out);
    s->out = NULL;
    engine->obuf = (unsigned char *)(uintptr_t)CN_BEAR_NOWHERE;
}

/* ---- Certificates and sessions, as a server ---- */

static bool cn_bear_offer(cn_bear_session_t *s, const cn_bear_identity_t *identity, br_ssl_server_choices *choices) {
    br_ssl_server_context *server = &s->context.server;
    if (identity->key_type == BR_KEYTYPE_RSA)
        br_ssl_server_set_single_rsa(server, identity->chain, identity->chain_len, &identity->rsa, BR_KEYTYPE_SIGN,
            br_rsa_private_get_default(), br_rsa_pkcs1_sign_get_default());
    else
        br_ssl_server_set_single_ec(server, identity->chain, identity->chain_len, &identity->ec, BR_KEYTYPE_SIGN,
            BR_KEYTYPE_EC, br_ec_get_default(), br_ecdsa_sign_asn1_get_default());
    return (*server->policy_vtable)->choose(server->policy_vtable, server, choices) != 0;
}

/* Those that have the name asked for first, then all: a client without the name, or with another, gets the best that
   there is and says itself if it will do. BearSSL's own policy then does the rest, in place of this one. */
static int cn_bear_choose(
    const br_ssl_server_policy_class **ctx, const br_ssl_server_context *server, br_ssl_server_choices *choices) {
    cn_bear_session_t *s = CN_CONTAINER(ctx, cn_bear_session_t, policy);
    connect_str_t name = connect_str_of(br_ssl_engine_get_server_name(&server->eng));
    size_t i, pass;
    for (pass = name.len ? 0 : 1; pass < 2; pass++)
        for (i = 0; i < s->config->identity_count; i++)
            if ((pass || cn_x509_has_host(&s->config->identities[i].leaf, name)) &&
                cn_bear_offer(s, &s->config->identities[i], choices))
                return 1;
    return 0;
}

static uint32_t cn_bear_name_hash(const br_ssl_engine_context *engine) {
    return cn_str_hash(connect_str_of(br_ssl_engine_get_server_name(engine)));
}

static void cn_bear_save(const br_ssl_session_cache_class **ctx, br_ssl_server_context *server,
    const br_ssl_session_parameters *parameters) {
    cn_bear_session_t *s = CN_CONTAINER(ctx, cn_bear_session_t, cache);
    cn_bear_resumable_t session;
    session.parameters = *parameters;
    session.peer = s->verifier ? s->verifier->peer : NULL;
    session.name_hash = cn_bear_name_hash(&server->eng);
    cn_bear_cache_put(&s->config->cache, cn_str((const char *)parameters->session_id, parameters->session_id_len),
        &session, cn_bear_now(s->config));
}

static int cn_bear_load(
    const br_ssl_session_cache_class **ctx, br_ssl_server_context *server, br_ssl_session_parameters *parameters) {
    cn_bear_session_t *s = CN_CONTAINER(ctx, cn_bear_session_t, cache);
    cn_bear_resumable_t session;
    (void)server;
    if (!cn_bear_cache_get(&s->config->cache, cn_str((const char *)parameters->session_id, parameters->session_id_len),
            &session, cn_bear_now(s->config)))
        return 0;
    *parameters = session.parameters;
    s->peer = session.peer;
    s->name_hash = session.name_hash;
    s->is_resumed = true;
    return 1;
}

/* ---- Making a session ---- */

static void cn_bear_set_up(cn_bear_session_t *s) {
    br_ssl_engine_context *engine = s->engine;
    uint32_t flags = BR_OPT_NO_RENEGOTIATION | BR_OPT_ENFORCE_SERVER_PREFERENCES | BR_OPT_FAIL_ON_ALPN_MISMATCH;
    br_ssl_engine_set_versions(engine, BR_TLS12, BR_TLS12);
    br_ssl_engine_set_suites(engine, s->config->suites, CN_LEN(s->config->suites));
    br_ssl_engine_set_default_ec(engine);
    br_ssl_engine_set_default_rsavrfy(engine);
    br_ssl_engine_set_default_ecdsa(engine);
    br_ssl_engine_set_hash(engine, br_sha256_ID, &br_sha256_vtable);
    br_ssl_engine_set_hash(engine, br_sha384_ID, &br_sha384_vtable);
    br_ssl_engine_set_hash(engine, br_sha512_ID, &br_sha512_vtable);
    br_ssl_engine_set_prf_sha256(engine, &br_tls12_sha256_prf);
    br_ssl_engine_set_prf_sha384(engine, &br_tls12_sha384_prf);
    br_ssl_engine_set_default_aes_gcm(engine);
    br_ssl_engine_set_default_chapol(engine);
    if (s->is_server && s->config->options->client_auth == CONNECT_CLIENT_AUTH_OPTIONAL)
        flags |= BR_OPT_TOLERATE_NO_CLIENT_AUTH;
    br_ssl_engine_set_all_flags(engine, flags);
}

static bool cn_bear_set_texts(cn_bear_session_t *s, const connect_tls_session_options_t *options) {
    const char *name = options->server_name ? options->server_name : "";
    const char *peer = options->peer ? options->peer : "";
    size_t name_len = strlen(name), peer_len = strlen(peer), alpn_len = strlen(options->alpn), count = 0;
    char *comma;
    s->key = (char *)cn_mem_acquire(s->config->allocator, name_len + peer_len + alpn_len + 3);
    if (!s->key || alpn_len >= sizeof s->alpn) return false;
    memcpy(s->key, name, name_len + 1);
    memcpy(s->key + name_len + 1, peer, peer_len + 1);
    memcpy(s->key + name_len + peer_len + 2, options->alpn, alpn_len + 1);
    s->key_len = name_len + peer_len + alpn_len + 2;
    s->server_name = s->key;
    memcpy(s->alpn, options->alpn, alpn_len + 1);
    if (s->alpn[0]) s->alpn_names[count++] = s->alpn;
    comma = strchr(s->alpn, ',');
    if (comma) {
        *comma = '\0';
        s->alpn_names[count++] = comma + 1;
    }
    br_ssl_engine_set_protocol_names(s->engine, s->alpn_names, count);
    return true;
}

static bool cn_bear_begin(cn_bear_session_t *s) {
    const connect_tls_options_t *options = s->config->options;
    unsigned char seed[32], address[16];
    s->in = cn_bear_take_buffer(s->config);
    s->out = cn_bear_take_buffer(s->config);
    if (!s->in || !s->out || getentropy(seed, sizeof seed) != 0) return false;
    br_ssl_engine_set_buffers_bidi(s->engine, s->in, BR_SSL_BUFSIZE_INPUT, s->out, BR_SSL_BUFSIZE_OUTPUT);
    br_ssl_engine_inject_entropy(s->engine, seed, sizeof seed);
    if (!s->is_server || options->client_auth != CONNECT_CLIENT_AUTH_NONE) {
        s->verifier = (cn_bear_verifier_t *)cn_mem_acquire(s->config->allocator, sizeof *s->verifier);
        if (!s->verifier) return false;
        cn_bear_verifier_init(s->verifier, s->config, s->is_server, s->server_name);
        br_ssl_engine_set_x509(s->engine, &s->verifier->vtable);
    }
    if (s->is_server) {
        static const br_ssl_server_policy_class policy = {sizeof(cn_bear_session_t), cn_bear_choose, NULL, NULL};
        static const br_ssl_session_cache_class cache = {sizeof(cn_bear_session_t), cn_bear_save, cn_bear_load};
        s->policy = &policy;
        s->cache = &cache;
        br_ssl_server_set_policy(&s->context.server, &s->policy);
        if (s->config->cache.sets) br_ssl_server_set_cache(&s->context.server, &s->cache);
        if (s->verifier)
            br_ssl_server_set_trust_anchor_names_alt(&s->context.server, s->config->anchors, s->config->anchor_count);
        if (!br_ssl_server_reset(&s->context.server)) return false;
        s->engine->version_out = BR_TLS12; /* for an alert before a version is agreed on */
        return true;
    }
    if (s->config->identity_count) {
        const cn_bear_identity_t *identity = &s->config->identities[0];
        if (identity->key_type == BR_KEYTYPE_RSA)
            br_ssl_client_set_single_rsa(&s->context.client, identity->chain, identity->chain_len, &identity->rsa,
                br_rsa_pkcs1_sign_get_default());
        else
            br_ssl_client_set_single_ec(&s->context.client, identity->chain, identity->chain_len, &identity->ec,
                BR_KEYTYPE_SIGN, BR_KEYTYPE_EC, br_ec_get_default(), br_ecdsa_sign_asn1_get_default());
    }
    {
        cn_bear_resumable_t session;
        bool is_host = s->server_name[0] && cn_x509_address(s->server_name, address) == 0;
        bool is_known =
            cn_bear_cache_get(&s->config->cache, cn_str(s->key, s->key_len), &session, cn_bear_now(s->config));
        if (is_known) br_ssl_engine_set_session_parameters(s->engine, &session.parameters);
        s->peer = session.peer;
        return br_ssl_client_reset(&s->context.client, is_host ? s->server_name : NULL, is_known) != 0;
    }
}

static void cn_bear_session_free(void *session) {
    cn_bear_session_t *s = (cn_bear_session_t *)session;
    cn_bear_give_buffer(s->config, s->in);
    cn_bear_give_buffer(s->config, s->out);
    if (s->verifier) cn_bear_verifier_free(s->verifier);
    cn_bear_peer_release(s->peer);
    cn_mem_release(s->config->allocator, s->key);
    cn_mem_wipe(&s->context, sizeof s->context);
    cn_mem_release(s->config->allocator, s);
}

static void *cn_bear_session_new(void *config, const connect_tls_session_options_t *options) {
    cn_bear_config_t *c = (cn_bear_config_t *)config;
    cn_bear_session_t *s = (cn_bear_session_t *)cn_mem_acquire(c->allocator, sizeof *s);
    if (!s) return NULL;
    s->config = c;
    s->is_server = options->is_server;
    if (s->is_server) {
        br_ssl_server_zero(&s->context.server);
        s->engine = &s->context.server.eng;
    } else {
        br_ssl_client_zero(&s->context.client);
        s->engine = &s->context.client.eng;
    }
    cn_bear_set_up(s);
    if (cn_bear_set_texts(s, options) && cn_bear_begin(s)) return s;
    cn_bear_session_free(s);
    return NULL;
}

/* ---- Failures ---- */

static const char *cn_bear_alert_text(int alert) {
    switch (alert) {
    case 10: return "unexpected message";
    case 20: return "bad record MAC";
    case 22: return "record overflow";
    case 40: return "handshake failure";
    case 42: return "bad certificate";
    case 43: return "unsupported certificate";
    case 44: return "certificate revoked";
    case 45: return "certificate expired";
    case 46: return "certificate unknown";
    case 47: return "illegal parameter";
    case 48: return "unknown CA";
    case 49: return "access denied";
    case 50: return "decode error";
    case 51: return "decrypt error";
    case 70: return "protocol version";
    case 71: return "insufficient security";
    case 80: return "internal error";
    case 86: return "inappropriate fallback";
    case 90: return "user canceled";
    case 100: return "no renegotiation";
    case 109: return "missing extension";
    case 112: return "unrecognized name";
    case 116: return "certificate required";
    case 120: return "no application protocol";
    default: return "unknown alert";
    }
}

static const char *cn_bear_error_text(int err) {
    switch (err) {
    case BR_ERR_UNSUPPORTED_VERSION:
    case BR_ERR_BAD_VERSION: return "it does not speak TLS 1.2";
    case BR_ERR_BAD_LENGTH:
    case BR_ERR_TOO_LARGE: return "it sent a record of a length that is not allowed";
    case BR_ERR_BAD_MAC: return "it sent a record that does not decrypt";
    case BR_ERR_NO_RANDOM: return "there is no entropy";
    case BR_ERR_UNKNOWN_TYPE:
    case BR_ERR_UNEXPECTED: return "it sent what is no TLS, or out of order";
    case BR_ERR_BAD_CIPHER_SUITE: return "no cipher suite in common";
    case BR_ERR_BAD_SIGNATURE: return "it has not the key of its certificate";
    case BR_ERR_WRONG_KEY_USAGE: return "the key usage of its certificate forbids to sign";
    case BR_ERR_BAD_FINISHED: return "the handshake was tampered with";
    default: return "it broke the protocol";
    }
}

/* The alert for a failure that BearSSL keeps to itself. */
static unsigned char cn_bear_alert_for(const cn_bear_session_t *s, int err) {
    if (s->verifier && s->verifier->verdict) return cn_bear_verifier_alert(s->verifier->verdict);
    switch (err) {
    case BR_ERR_UNSUPPORTED_VERSION:
    case BR_ERR_BAD_VERSION: return BR_ALERT_PROTOCOL_VERSION;
    case BR_ERR_TOO_LARGE: return BR_ALERT_RECORD_OVERFLOW;
    case BR_ERR_UNKNOWN_TYPE:
    case BR_ERR_UNEXPECTED: return BR_ALERT_UNEXPECTED_MESSAGE;
    case BR_ERR_BAD_SIGNATURE: return BR_ALERT_DECRYPT_ERROR;
    case BR_ERR_WRONG_KEY_USAGE: return BR_ALERT_UNSUPPORTED_CERTIFICATE;
    case BR_ERR_NO_RANDOM:
    case BR_ERR_BAD_STATE: return BR_ALERT_INTERNAL_ERROR;
    default: return BR_ALERT_HANDSHAKE_FAILURE;
    }
}

static void cn_bear_say_failure(cn_bear_session_t *s, int err) {
    const char *peer = s->is_server ? "client" : "server";
    if (s->failure[0]) return;
    if (s->verifier && s->verifier->verdict && s->verifier->failure[0])
        snprintf(s->failure, sizeof s->failure, "%s", s->verifier->failure);
    else if (err > BR_ERR_SEND_FATAL_ALERT && err < BR_ERR_SEND_FATAL_ALERT + 256)
        snprintf(s->failure, sizeof s->failure, "the %s was refused: %s", peer,
            err == BR_ERR_SEND_FATAL_ALERT + BR_ALERT_HANDSHAKE_FAILURE ? "no cipher suite or curve in common"
                : err == BR_ERR_SEND_FATAL_ALERT + BR_ALERT_NO_APPLICATION_PROTOCOL
                ? "no protocol in common (ALPN)"
                : cn_bear_alert_text(err - BR_ERR_SEND_FATAL_ALERT));
    else if (err == BR_ERR_NO_CLIENT_AUTH)
        snprintf(s->failure, sizeof s->failure, "the client sent no certificate (client_auth requires one)");
    else if (err >= BR_ERR_RECV_FATAL_ALERT)
        snprintf(s->failure, sizeof s->failure, "the %s refused it: %s (TLS alert %d)", peer,
            cn_bear_alert_text(err - BR_ERR_RECV_FATAL_ALERT), err - BR_ERR_RECV_FATAL_ALERT);
    else
        snprintf(s->failure, sizeof s->failure, "TLS with the %s failed: %s", peer, cn_bear_error_text(err));
}

/* ---- The end of the handshake ---- */

static const char *cn_bear_suite_name(unsigned suite) {
    switch (suite) {
    case BR_TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256: return "TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256";
    case BR_TLS_ECDHE_ECDSA_WITH_AES_256_GCM_SHA384: return "TLS_ECDHE_ECDSA_WITH_AES_256_GCM_SHA384";
    case BR_TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256: return "TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256";
    case BR_TLS_ECDHE_RSA_WITH_AES_256_GCM_SHA384: return "TLS_ECDHE_RSA_WITH_AES_256_GCM_SHA384";
    case BR_TLS_ECDHE_ECDSA_WITH_CHACHA20_POLY1305_SHA256: return "TLS_ECDHE_ECDSA_WITH_CHACHA20_POLY1305_SHA256";
    case BR_TLS_ECDHE_RSA_WITH_CHACHA20_POLY1305_SHA256: return "TLS_ECDHE_RSA_WITH_CHACHA20_POLY1305_SHA256";
    default: return "";
    }
}

static void cn_bear_finish_handshake(cn_bear_session_t *s) {
    const char *alpn = br_ssl_engine_get_selected_protocol(s->engine);
    cn_bear_resumable_t session;
    if (!s->is_server) s->is_resumed = !s->verifier->was_asked;
    if (s->is_server && s->is_resumed && s->name_hash != cn_bear_name_hash(s->engine)) {
        s->has_failed = true;
        snprintf(s->failure, sizeof s->failure, "the client resumed a session of another server name");
        return;
    }
    if (s->verifier && s->verifier->was_asked) {
        cn_bear_peer_release(s->peer);
        s->peer = s->verifier->peer;
        s->verifier->peer = NULL;
    }
    br_ssl_engine_get_session_parameters(s->engine, &session.parameters);
    session.peer = s->peer;
    session.name_hash = 0;
    if (!s->is_server && !s->is_resumed && session.parameters.session_id_len)
        cn_bear_cache_put(&s->config->cache, cn_str(s->key, s->key_len), &session, cn_bear_now(s->config));
    if (s->verifier) cn_bear_verifier_free(s->verifier);
    s->verifier = NULL;
    s->info.version = "TLS 1.2";
    s->info.cipher = cn_bear_suite_name(session.parameters.cipher_suite);
    s->info.alpn = alpn ? alpn : "";
    s->info.server_name = br_ssl_engine_get_server_name(s->engine);
    s->info.peer_subject = "";
    s->info.peer_fingerprint = "";
    s->info.resumed = s->is_resumed;
    if (s->peer) {
        s->info.peer_certificates.items = s->peer->certificates;
        s->info.peer_certificates.count = s->peer->count;
        s->info.peer_fingerprint = s->peer->fingerprint;
        s->info.peer_verified = s->peer->is_verified;
    }
    s->is_open = true;
}

/* Looks where the engine stands, after each step. */
static void cn_bear_look(cn_bear_session_t *s) {
    int err = br_ssl_engine_last_error(s->engine); /* then it is closed */
    bool is_bad_client = s->is_server && s->verifier && s->verifier->count && s->verifier->verdict;
    if (s->has_failed) return;
    if (err != 0 || is_bad_client) {
        s->has_failed = true;
        cn_bear_say_failure(s, err);
        if (s->is_open || s->has_ccs || err >= BR_ERR_RECV_FATAL_ALERT) return;
        s->alert[0] = 21; /* RFC 5246 6.2.1, 7.2: alert, TLS 1.2, two bytes: fatal, and which */
        s->alert[1] = s->alert[2] = 3;
        s->alert[4] = s->alert[5] = 2;
        s->alert[6] = cn_bear_alert_for(s, err);
        s->alert_left = sizeof s->alert;
    } else if (!s->is_open && (br_ssl_engine_current_state(s->engine) & BR_SSL_SENDAPP)) {
        cn_bear_finish_handshake(s);
    }
}

/* ---- The vtable ---- */

static char *cn_bear_buffer(void *session, connect_tls_channel_t channel, size_t *len) {
    cn_bear_session_t *s = (cn_bear_session_t *)session;
    unsigned char *buffer = NULL;
    *len = 0;
    if (s->has_failed) {
        if (channel != CONNECT_TLS_CIPHER_OUT || s->alert_left == 0) return NULL;
        *len = s->alert_left;
        return (char *)s->alert + sizeof s->alert - s->alert_left;
    }
    switch (channel) {
    case CONNECT_TLS_CIPHER_IN:
        buffer = br_ssl_engine_recvrec_buf(s->engine, len);
        if (!buffer || s->in) break;
        buffer = cn_bear_borrow(s, &s->in, &s->engine->ibuf) ? br_ssl_engine_recvrec_buf(s->engine, len) : NULL;
        break;
    case CONNECT_TLS_CIPHER_OUT:
        if (s->out) buffer = br_ssl_engine_sendrec_buf(s->engine, len);
        break;
    case CONNECT_TLS_PLAIN_IN:
        if (s->in) buffer = br_ssl_engine_recvapp_buf(s->engine, len);
        break;
    case CONNECT_TLS_PLAIN_OUT:
        buffer = br_ssl_engine_sendapp_buf(s->engine, len);
        if (!buffer || s->out) break;
        buffer = cn_bear_borrow(s, &s->out, &s->engine->obuf) ? br_ssl_engine_sendapp_buf(s->engine, len) : NULL;
        break;
    }
    return (char *)buffer;
}

static void cn_bear_done(void *session, connect_tls_channel_t channel, size_t len) {
    cn_bear_session_t *s = (cn_bear_session_t *)session;
    if (s->has_failed) {
        if (channel == CONNECT_TLS_CIPHER_OUT) s->alert_left = (uint8_t)(s->alert_left - len);
        return;
    }
    switch (channel) {
    case CONNECT_TLS_CIPHER_IN:
        if (!len) return;
        /* What is no data may be answered. */
        if (s->in[0] != CN_BEAR_RECORD_DATA && !cn_bear_borrow(s, &s->out, &s->engine->obuf)) return;
        br_ssl_engine_recvrec_ack(s->engine, len);
        cn_bear_look(s);
        cn_bear_lend_in(s);
        cn_bear_lend_out(s);
        return;
    case CONNECT_TLS_CIPHER_OUT: {
        size_t all;
        const unsigned char *record = s->is_open ? NULL : br_ssl_engine_sendrec_buf(s->engine, &all);
        if (record && record[0] == CN_BEAR_RECORD_CCS) s->has_ccs = true;
        if (len) br_ssl_engine_sendrec_ack(s->engine, len);
        if (!s->is_open) cn_bear_look(s);
        cn_bear_lend_out(s);
        return;
    }
    case CONNECT_TLS_PLAIN_IN:
        if (len) br_ssl_engine_recvapp_ack(s->engine, len);
        cn_bear_lend_in(s);
        return;
    case CONNECT_TLS_PLAIN_OUT:
        if (len)
            br_ssl_engine_sendapp_ack(s->engine, len);
        else if (s->out)
            br_ssl_engine_flush(s->engine, 0);
        return;
    }
}

static void cn_bear_close(void *session) {
    cn_bear_session_t *s = (cn_bear_session_t *)session;
    if (s->has_failed || !cn_bear_borrow(s, &s->out, &s->engine->obuf)) return;
    br_ssl_engine_close(s->engine);
    cn_bear_look(s);
}

static bool cn_bear_closed(void *session, connect_error_t *error) {
    cn_bear_session_t *s = (cn_bear_session_t *)session;
    if (s->has_failed) return !cn_error_set(error, CONNECT_UNAVAILABLE, s->failure);
    if (br_ssl_engine_current_state(s->engine) != BR_SSL_CLOSED) return false;
    return !cn_error_set(error, CONNECT_OK, "");
}

static const connect_tls_info_t *cn_bear_info(void *session) {
    const cn_bear_session_t *s = (const cn_bear_session_t *)session;
    return s->is_open ? &s->info : NULL;
}

CN_PRIVATE const connect_tls_engine_t *cn_tls_bearssl(void) {
    static const connect_tls_engine_t engine = {"BearSSL 0.6", cn_bear_config_new, cn_bear_config_free,
        cn_bear_session_new, cn_bear_session_free, cn_bear_buffer, cn_bear_done, cn_bear_close, cn_bear_closed,
        cn_bear_info};
    return &engine;
}
#endif
