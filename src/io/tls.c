#include "io/tls.h"
#include "base/buf.h"
#include "base/error.h"
#include "base/mem.h"
#include "base/str.h"
#include "io/pem.h"
#include "io/tls_bearssl.h"
#include "io/x509.h"

/* TLS between the bytes of a connection and its HTTP, whatever the engine: configurations that can be replaced while
   connections use them, and one session with its staged records.

   A connect_tls_t points to its present configuration: options with all files read and turned into DER, and what the
   engine made of them. Connections hold the one they began with. A reload makes a new one first and then swaps the
   pointer, under a mutex that is held for that long only; so it may come from any thread, and a failure changes
   nothing.
   `sources` are the options as they were given, for a reload that reads the same files again.

   Records in: the caller's bytes go into the engine's buffer until it has plaintext, which is read in place there.
   Records out: the engine holds one at a time; they are collected in `out`, so that what a turn causes is one write.

   What an engine may leave to us: the names in the peer's certificate, and the user's verify. */

#if CONNECT_ENABLE_CLIENT || CONNECT_ENABLE_SERVER
struct cn_tls_config_t {
    int refs; /* atomic */
    connect_tls_options_t sources, options;
    connect_identity_t *source_more, *more;
    connect_arena_t arena; /* of both */
    const connect_tls_engine_t *engine;
    void *state; /* the engine's */
};

struct connect_tls_t {
    int refs; /* atomic */
    const connect_allocator_t *allocator;
    pthread_mutex_t mutex;
    cn_tls_config_t *config;
};

/* ---- Configurations ---- */

static void cn_tls_config_unref(cn_tls_config_t *config) {
    const connect_allocator_t *allocator;
    if (!config || __atomic_sub_fetch(&config->refs, 1, __ATOMIC_ACQ_REL) != 0) return;
    allocator = config->options.allocator;
    if (config->state) config->engine->config_free(config->state);
    cn_arena_wipe(&config->arena); /* there are keys in it */
    connect_arena_free(&config->arena);
    cn_mem_release(allocator, config);
}

static bool cn_tls_copy(connect_arena_t *arena, connect_str_t *text) {
    if (!text->data) return true;
    *text = connect_arena_copy(arena, *text);
    return text->data != NULL;
}

static bool cn_tls_copy_text(connect_arena_t *arena, const char **text) {
    if (!*text) return true;
    *text = connect_arena_copy(arena, connect_str_of(*text)).data;
    return *text != NULL;
}

static bool cn_tls_copy_identity(connect_arena_t *arena, connect_identity_t *identity) {
    return cn_tls_copy(arena, &identity->certificate) && cn_tls_copy(arena, &identity->private_key);
}

static bool cn_tls_copy_sources(cn_tls_config_t *config, const connect_tls_options_t *options) {
    connect_arena_t *arena = &config->arena;
    size_t i;
    config->sources = *options;
    config->source_more = CONNECT_NEW(arena, connect_identity_t, options->more_count + 1);
    if (!config->source_more) return false;
    config->sources.more = config->source_more;
    for (i = 0; i < options->more_count; i++) {
        config->source_more[i] = options->more[i];
        if (!cn_tls_copy_identity(arena, &config->source_more[i])) return false;
    }
    return cn_tls_copy_identity(arena, &config->sources.identity) &&
        cn_tls_copy(arena, &config->sources.trust_anchors) && cn_tls_copy_text(arena, &config->sources.server_name) &&
        cn_tls_copy_text(arena, &config->sources.pins) && cn_tls_copy_text(arena, &config->sources.alpn);
}

static bool cn_tls_read_identity(cn_tls_config_t *config, const char *option, const connect_identity_t *from,
    connect_identity_t *to, connect_error_t *error) {
    char name[64];
    snprintf(name, sizeof name, "%s.certificate", option);
    if (!from->certificate.data && !from->private_key.data) return true;
    if (!from->certificate.data || !from->private_key.data)
        return cn_error_print(
            error, NULL, CONNECT_INVALID_ARGUMENT, "%s needs both certificate and private_key", option);
    if (!cn_pem_read(from->certificate, CN_PEM_CHAIN, name, &config->arena, &to->certificate, error)) return false;
    snprintf(name, sizeof name, "%s.private_key", option);
    return cn_pem_read(from->private_key, CN_PEM_KEY, name, &config->arena, &to->private_key, error);
}

/* Reads all files. */
static bool cn_tls_read(cn_tls_config_t *config, connect_error_t *error) {
    connect_tls_options_t *options = &config->options;
    size_t i;
    *options = config->sources;
    config->more = CONNECT_NEW(&config->arena, connect_identity_t, options->more_count + 1);
    if (!config->more) return cn_error_memory(error);
    options->more = config->more;
    if (!options->alpn) options->alpn = "h2,http/1.1";
    if (strcmp(options->alpn, "h2,http/1.1") != 0 && strcmp(options->alpn, "http/1.1,h2") != 0 &&
        strcmp(options->alpn, "h2") != 0 && strcmp(options->alpn, "http/1.1") != 0)
        return cn_error_set(error, CONNECT_INVALID_ARGUMENT, "alpn must be h2, http/1.1, or both with a comma between");
    if (!cn_tls_read_identity(config, "identity", &config->sources.identity, &options->identity, error)) return false;
    for (i = 0; i < options->more_count; i++) {
        char name[32];
        snprintf(name, sizeof name, "more[%zu]", i);
        if (!cn_tls_read_identity(config, name, &config->source_more[i], &config->more[i], error)) return false;
        if (!config->more[i].certificate.data)
            return cn_error_print(error, NULL, CONNECT_INVALID_ARGUMENT, "%s has no certificate", name);
    }
    if (options->client_auth != CONNECT_CLIENT_AUTH_NONE && !options->trust_anchors.data)
        return cn_error_set(
            error, CONNECT_INVALID_ARGUMENT, "trust_anchors is needed with client_auth: who signs client certificates");
    if (options->trust_anchors.data)
        return cn_pem_read(
            options->trust_anchors, CN_PEM_ANCHORS, "trust_anchors", &config->arena, &options->trust_anchors, error);
    if (options->identity.certificate.data || options->insecure_no_verify) return true; /* a server, or nobody asks */
    return cn_pem_read(
        CN_STR("system"), CN_PEM_ANCHORS, "trust_anchors", &config->arena, &options->trust_anchors, error);
}

static cn_tls_config_t *cn_tls_config_new(const connect_tls_options_t *options, connect_error_t *error) {
    cn_tls_config_t *config;
    const connect_tls_engine_t *engine = options->engine;
#if CONNECT_ENABLE_TLS
    if (!engine) engine = cn_tls_bearssl();
#endif
    if (!engine) {
        cn_error_set(error, CONNECT_UNIMPLEMENTED, "this build has no TLS engine (CONNECT_ENABLE_TLS=0): set engine");
        return NULL;
    }
    config = (cn_tls_config_t *)cn_mem_acquire(options->allocator, sizeof *config);
    if (!config) {
        cn_error_memory(error);
        return NULL;
    }
    config->refs = 1;
    config->engine = engine;
    config->options.allocator = options->allocator;
    config->arena.private_allocator = options->allocator;
    if (!cn_tls_copy_sources(config, options))
        cn_error_memory(error);
    else if (cn_tls_read(config, error))
        config->state = engine->config_new(&config->options, error);
    if (config->state) return config;
    config->options.allocator = options->allocator;
    cn_tls_config_unref(config);
    return NULL;
}

connect_tls_t *connect_tls_new(const connect_tls_options_t *options, connect_error_t *error) {
    static const connect_tls_options_t defaults;
    connect_tls_t *tls;
    if (!options) options = &defaults;
    tls = (connect_tls_t *)cn_mem_acquire(options->allocator, sizeof *tls);
    if (!tls) {
        cn_error_memory(error);
        return NULL;
    }
    tls->refs = 1;
    tls->allocator = options->allocator;
    tls->config = cn_tls_config_new(options, error);
    if (tls->config && pthread_mutex_init(&tls->mutex, NULL) == 0) return tls;
    if (tls->config) cn_error_memory(error);
    cn_tls_config_unref(tls->config);
    cn_mem_release(options->allocator, tls);
    return NULL;
}

static cn_tls_config_t *cn_tls_present(connect_tls_t *tls) {
    cn_tls_config_t *config;
    pthread_mutex_lock(&tls->mutex);
    config = tls->config;
    __atomic_add_fetch(&config->refs, 1, __ATOMIC_RELAXED);
    pthread_mutex_unlock(&tls->mutex);
    return config;
}

bool connect_tls_reload(connect_tls_t *tls, const connect_tls_options_t *options, connect_error_t *error) {
    cn_tls_config_t *old = cn_tls_present(tls), *fresh;
    fresh = cn_tls_config_new(options ? options : &old->sources, error);
    cn_tls_config_unref(old);
    if (!fresh) return false;
    pthread_mutex_lock(&tls->mutex);
    old = tls->config;
    tls->config = fresh;
    pthread_mutex_unlock(&tls->mutex);
    cn_tls_config_unref(old);
    return true;
}

CN_PRIVATE connect_tls_t *cn_tls_hold(connect_tls_t *tls) {
    if (tls) __atomic_add_fetch(&tls->refs, 1, __ATOMIC_RELAXED);
    return tls;
}

void connect_tls_free(connect_tls_t *tls) {
    if (!tls || __atomic_sub_fetch(&tls->refs, 1, __ATOMIC_ACQ_REL) != 0) return;
    cn_tls_config_unref(tls->config);
    pthread_mutex_destroy(&tls->mutex);
    cn_mem_release(tls->allocator, tls);
}

/* ---- One connection ---- */

/* Of what the options allow that which the connection can speak. */
static const char *cn_tls_alpn(const char *wanted, bool http1, bool http2) {
    bool has1 = strstr(wanted, "http/1.1") != NULL && http1, has2 = strstr(wanted, "h2") != NULL && http2;
    if (has1 && has2) return wanted;
    return has2 ? "h2" : has1 ? "http/1.1" : NULL;
}

CN_PRIVATE cn_tls_t *cn_tls_begin(connect_tls_t *from, const connect_allocator_t *allocator, bool is_server,
    const char *server_name, const char *peer, bool http1, bool http2) {
    connect_tls_session_options_t options;
    cn_tls_t *tls = (cn_tls_t *)cn_mem_acquire(allocator, sizeof *tls);
    if (!tls) return NULL;
    tls->refs = 1;
    tls->allocator = allocator;
    tls->arena.private_allocator = allocator;
    tls->config = cn_tls_present(from);
    tls->engine = tls->config->engine;
    options.is_server = is_server;
    options.server_name = tls->config->options.server_name ? tls->config->options.server_name : server_name;
    if (is_server) options.server_name = NULL;
    options.peer = peer;
    options.alpn = cn_tls_alpn(tls->config->options.alpn, http1, http2);
    if (options.alpn) tls->session = tls->engine->session_new(tls->config->state, &options);
    if (tls->session) return tls;
    cn_tls_unref(tls);
    return NULL;
}

CN_PRIVATE void cn_tls_ref(cn_tls_t *tls) {
    if (tls) tls->refs++;
}

CN_PRIVATE void cn_tls_unref(cn_tls_t *tls) {
    if (!tls || --tls->refs) return;
    if (tls->session) tls->engine->session_free(tls->session);
    cn_tls_config_unref(tls->config);
    cn_buf_free(&tls->out, tls->allocator);
    connect_arena_free(&tls->arena);
    cn_mem_release(tls->allocator, tls);
}

CN_PRIVATE const connect_tls_info_t *cn_tls_info(const cn_tls_t *tls) {
    return tls ? &tls->info : NULL;
}

CN_PRIVATE bool cn_tls_collect(cn_tls_t *tls) {
    const char *bytes;
    size_t len;
    bool any = false;
    while ((bytes = tls->engine->buffer(tls->session, CONNECT_TLS_CIPHER_OUT, &len)) != NULL) {
        if (!cn_buf_append(&tls->out, tls->allocator, bytes, len)) tls->has_no_memory = true;
        tls->engine->done(tls->session, CONNECT_TLS_CIPHER_OUT, len);
        any = true;
    }
    return any;
}

CN_PRIVATE size_t cn_tls_take(cn_tls_t *tls, const char *bytes, size_t len) {
    size_t taken = 0;
    while (taken < len) {
        size_t room;
        char *to = tls->engine->buffer(tls->session, CONNECT_TLS_CIPHER_IN, &room);
        if (!to) {
            if (cn_tls_collect(tls)) continue; /* it wanted to be rid of that first */
            return taken;
        }
        room = CN_MIN(room, len - taken);
        memcpy(to, bytes + taken, room);
        tls->engine->done(tls->session, CONNECT_TLS_CIPHER_IN, room);
        taken += room;
    }
    if (taken) cn_tls_collect(tls);
    return taken;
}

CN_PRIVATE connect_str_t cn_tls_plain(cn_tls_t *tls) {
    connect_str_t plain;
    plain.data = tls->engine->buffer(tls->session, CONNECT_TLS_PLAIN_IN, &plain.len);
    if (!plain.data) plain.len = 0;
    return plain;
}

CN_PRIVATE void cn_tls_used(cn_tls_t *tls, size_t len) {
    tls->engine->done(tls->session, CONNECT_TLS_PLAIN_IN, len);
    cn_tls_collect(tls); /* what it answers, the peer's goodbye for one */
}

CN_PRIVATE size_t cn_tls_seal(cn_tls_t *tls, connect_str_t plain) {
    size_t sealed = 0;
    while (sealed < plain.len) {
        size_t room;
        char *to = tls->engine->buffer(tls->session, CONNECT_TLS_PLAIN_OUT, &room);
        if (!to) break;
        room = CN_MIN(room, plain.len - sealed);
        memcpy(to, plain.data + sealed, room);
        tls->engine->done(tls->session, CONNECT_TLS_PLAIN_OUT, room);
        sealed += room;
        if (sealed < plain.len) cn_tls_collect(tls);
    }
    if (sealed) tls->engine->done(tls->session, CONNECT_TLS_PLAIN_OUT, 0);
    cn_tls_collect(tls);
    return sealed;
}

CN_PRIVATE void cn_tls_close(cn_tls_t *tls) {
    if (tls->is_closed) return;
    tls->is_closed = true;
    if (tls->is_open) tls->engine->close(tls->session);
    cn_tls_collect(tls);
}

CN_PRIVATE bool cn_tls_over(cn_tls_t *tls, connect_error_t *error) {
    if (tls->has_no_memory)
        cn_error_memory(error);
    else if (!tls->engine->closed(tls->session, error))
        return false;
    tls->is_closed = true;
    return true;
}

static bool cn_tls_fill_info(cn_tls_t *tls, const connect_tls_info_t *info) {
    connect_str_t subject = {"", 0};
    cn_x509_t cert;
    tls->info = *info;
    if (!info->peer_certificates.count || !cn_x509_parse(&cert, info->peer_certificates.items[0])) return true;
    if (!info->peer_names.count && !cn_x509_names(&cert, &tls->arena, &tls->info.peer_names)) return false;
    if (!info->peer_subject[0]) {
        subject = cn_x509_name_text(cert.subject, &tls->arena);
        tls->info.peer_subject = subject.data;
    }
    return subject.data != NULL;
}

CN_PRIVATE bool cn_tls_look(cn_tls_t *tls, connect_error_t *error) {
    const connect_tls_options_t *options = &tls->config->options;
    const connect_tls_info_t *info;
    if (tls->is_open || (info = tls->engine->info(tls->session)) == NULL) return true;
    if (!cn_tls_fill_info(tls, info)) return cn_error_memory(error);
    tls->is_open = true;
    if (!options->verify || options->verify(&tls->info, options->user)) return true;
    return cn_error_set(error, CONNECT_UNAVAILABLE, "the peer's certificate was refused by verify");
}
#endif
