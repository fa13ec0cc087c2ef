/* connect_openssl.h - OpenSSL 3 as a TLS engine of connect.h: TLS 1.2 and 1.3. SPDX-License-Identifier: MIT

   Use       #include "connect.h"
             #include "connect_openssl.h"
             options.engine = connect_openssl_engine();           (connect_tls_options_t)

   Build     In one C file, before the include: #define CONNECT_OPENSSL_IMPLEMENTATION
             Link with -lssl -lcrypto. CONNECT_ENABLE_TLS=0 leaves BearSSL out.

   Beside what connect.h says of engines:
   Memory    A session's own memory comes from the options' allocator; OpenSSL's from malloc, as it always does.
   Resuming  By session ID and by stateful tickets (RFC 8446 2.2): the peer's whole chain stays with the session, at
             either end, until a day has passed or its certificate has expired. With TLS 1.3 a client uses each session
             once (RFC 8446 C.4) and takes the fresh one.
   Strength  OpenSSL's security level 2: no RSA keys below 2,048 bits, no SHA-1 signatures. */

#ifndef CONNECT_OPENSSL_H
#define CONNECT_OPENSSL_H

#ifndef CONNECT_H
#error "Include connect.h before connect_openssl.h."
#endif

#ifdef __cplusplus
extern "C" {
#endif
/* Returns the engine for connect_tls_options_t.engine; static. */
CONNECT_API const connect_tls_engine_t *connect_openssl_engine(void);
#ifdef __cplusplus
}
#endif
#endif /* CONNECT_OPENSSL_H */

#if defined(CONNECT_OPENSSL_IMPLEMENTATION) && !defined(CONNECT_OPENSSL_IMPLEMENTATION_DONE)
#define CONNECT_OPENSSL_IMPLEMENTATION_DONE
#include <arpa/inet.h>
#include <openssl/bio.h>
#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/ssl.h>
#include <openssl/x509v3.h>
#include <pthread.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

/* A config is one SSL_CTX for both ends, a session one SSL between two BIOs.

   CIPHER_IN is a buffer out of which OpenSSL reads by a BIO of ours, all of it before the next is taken; PLAIN_OUT one
   that is handed to SSL_write as soon as it is done; CIPHER_OUT is a memory BIO itself; PLAIN_IN is what the last
   SSL_read gave. All are freed while there is nothing in them.

     handshake -> open -> closed (close_notify) | failed
   After each step a session looks: first the handshake goes on, then plaintext is read, if none waits. OpenSSL makes
   the alerts itself. The text of a failure is made where it is known: in the check of certificates, else from the alert
   received or from OpenSSL's error queue, which is empty before and after. */

#define CN_OPENSSL_BUFFER 16384
#define CN_OPENSSL_SESSIONS 1000u
#define CN_OPENSSL_WAYS 4u
#define CN_OPENSSL_SESSION_SECONDS 86400
#define CN_OPENSSL_PIN 32u
#define CN_OPENSSL_CHAIN 16

typedef struct cn_openssl_identity_t {
    X509 *leaf;
    STACK_OF(X509) * rest;
    EVP_PKEY *key;
} cn_openssl_identity_t;

typedef struct cn_openssl_saved_t {
    SSL_SESSION *session;
    uint32_t used;     /* when, by the config's saved_clock */
    int64_t proven_at; /* when the full handshake was, by the options' clock */
    size_t key_len;    /* client: as in its cn_openssl_session_t; server: the session ID */
    char key[1];       /* as long as it is */
} cn_openssl_saved_t;

typedef struct cn_openssl_config_t {
    const connect_tls_options_t *options;
    const connect_allocator_t *allocator;
    SSL_CTX *ctx;
    BIO_METHOD *cipher_in;             /* of the sessions' BIO */
    cn_openssl_identity_t *identities; /* the options' own first */
    size_t identity_count, identity_room, anchor_count, pin_count;
    unsigned char (*pins)[CN_OPENSSL_PIN];
    pthread_mutex_t mutex; /* of the saved sessions */
    cn_openssl_saved_t **saved;
    size_t saved_sets;
    uint32_t saved_clock;
    bool has_mutex;
} cn_openssl_config_t;

typedef struct cn_openssl_session_t {
    cn_openssl_config_t *config;
    SSL *ssl;
    BIO *cipher_in, *cipher_out; /* ssl's */
    char *in, *to_write, *plain; /* CIPHER_IN, PLAIN_OUT, PLAIN_IN: CN_OPENSSL_BUFFER each, or NULL */
    size_t in_start, in_end, plain_start, plain_end;
    char *key; /* client: server name, address, protocols, each with its zero */
    size_t key_len;
    connect_tls_info_t info;
    connect_str_t *certificates;
    char fingerprint[2 * CN_OPENSSL_PIN + 1];
    char cipher[64];
    unsigned char alpn[32]; /* as on the wire: names with their lengths in front */
    unsigned alpn_len;
    char selected[16];
    int64_t proven_at; /* of the session that is to be resumed */
    int alert;         /* received; -1: none */
    bool is_server, is_open, is_closed, has_failed;
    char failure[240];
} cn_openssl_session_t;

/* ---- Memory and errors ---- */

static const connect_allocator_t *cn_openssl_allocator(const connect_allocator_t *allocator) {
    return allocator ? allocator : connect_allocator_libc();
}
/* For what needs no zeros. */
static char *cn_openssl_acquire_buffer(const connect_allocator_t *allocator) {
    const connect_allocator_t *from = cn_openssl_allocator(allocator);
    return (char *)from->acquire(from->ctx, CN_OPENSSL_BUFFER);
}
static void *cn_openssl_acquire(const connect_allocator_t *allocator, size_t size) {
    const connect_allocator_t *from = cn_openssl_allocator(allocator);
    void *block = from->acquire(from->ctx, size);
    if (block) memset(block, 0, size);
    return block;
}
static void cn_openssl_release(const connect_allocator_t *allocator, void *block_or_null) {
    const connect_allocator_t *to = cn_openssl_allocator(allocator);
    if (block_or_null) to->release(to->ctx, block_or_null);
}

/* text: static, or the session's. */
static bool cn_openssl_error(connect_error_t *error, connect_code_t code, const char *text) {
    if (!error) return false;
    memset(error, 0, sizeof *error);
    error->code = code;
    error->message = connect_str_of(text);
    return false;
}

static void cn_openssl_say(cn_openssl_session_t *s, const char *format, ...) CONNECT_PRINTF(2, 3);
static void cn_openssl_say(cn_openssl_session_t *s, const char *format, ...) {
    va_list arguments;
    if (s->failure[0]) return; /* the first one is the cause */
    va_start(arguments, format);
    vsnprintf(s->failure, sizeof s->failure, format, arguments);
    va_end(arguments);
}

/* ---- Configuration ---- */

static X509 *cn_openssl_next(connect_str_t *der) {
    const unsigned char *at = (const unsigned char *)der->data;
    X509 *cert = d2i_X509(NULL, &at, (long)der->len);
    if (!cert) return NULL;
    der->len -= (size_t)((const char *)at - der->data);
    der->data = (const char *)at;
    return cert;
}

static bool cn_openssl_add_identity(
    cn_openssl_config_t *config, const connect_identity_t *from, const char *misfit, connect_error_t *error) {
    cn_openssl_identity_t *identity = &config->identities[config->identity_count];
    connect_str_t rest = from->certificate;
    const unsigned char *key = (const unsigned char *)from->private_key.data;
    config->identity_count++;
    identity->leaf = cn_openssl_next(&rest);
    identity->rest = sk_X509_new_null();
    identity->key = d2i_AutoPrivateKey(NULL, &key, (long)from->private_key.len);
    if (!identity->leaf || !identity->rest || !identity->key)
        return cn_openssl_error(
            error, CONNECT_INVALID_ARGUMENT, "identity: OpenSSL cannot read this certificate or private_key");
    while (rest.len) {
        X509 *cert = cn_openssl_next(&rest);
        if (!cert || !sk_X509_push(identity->rest, cert)) {
            X509_free(cert);
            return cn_openssl_error(
                error, CONNECT_INVALID_ARGUMENT, "identity.certificate: OpenSSL cannot read one of the chain");
        }
    }
    if (X509_check_private_key(identity->leaf, identity->key) != 1)
        return cn_openssl_error(error, CONNECT_INVALID_ARGUMENT, misfit);
    return true;
}

static bool cn_openssl_read_identities(cn_openssl_config_t *config, connect_error_t *error) {
    const connect_tls_options_t *options = config->options;
    size_t i;
    config->identities = (cn_openssl_identity_t *)cn_openssl_acquire(
        config->allocator, (options->more_count + 1) * sizeof *config->identities);
    if (!config->identities) return cn_openssl_error(error, CONNECT_RESOURCE_EXHAUSTED, "out of memory");
    if (options->identity.certificate.data &&
        !cn_openssl_add_identity(
            config, &options->identity, "identity.private_key does not belong to the certificate", error))
        return false;
    for (i = 0; i < options->more_count; i++)
        if (!cn_openssl_add_identity(
                config, &options->more[i], "more: a private_key does not belong to its certificate", error))
            return false;
    return true;
}

static bool cn_openssl_read_anchors(cn_openssl_config_t *config, connect_error_t *error) {
    X509_STORE *store = SSL_CTX_get_cert_store(config->ctx);
    connect_str_t rest = config->options->trust_anchors;
    bool any = rest.len > 0;
    while (rest.len) {
        X509 *cert = cn_openssl_next(&rest);
        if (!cert) break; /* a form that OpenSSL does not know: as without it */
        if (X509_STORE_add_cert(store, cert) == 1) config->anchor_count++;
        if (config->options->client_auth != CONNECT_CLIENT_AUTH_NONE) SSL_CTX_add_client_CA(config->ctx, cert);
        X509_free(cert);
    }
    if (any && !config->anchor_count)
        return cn_openssl_error(error, CONNECT_INVALID_ARGUMENT, "trust_anchors: OpenSSL can use none of them");
    /* A trust anchor need not be a root. */
    X509_STORE_set_flags(store, X509_V_FLAG_PARTIAL_CHAIN);
    return true;
}

static bool cn_openssl_read_pins(cn_openssl_config_t *config, connect_error_t *error) {
    const char *at = config->options->pins;
    size_t room = 1, i;
    if (!at) return true;
    for (i = 0; at[i]; i++)
        room += at[i] == ';';
    config->pins = (unsigned char(*)[CN_OPENSSL_PIN])cn_openssl_acquire(config->allocator, room * CN_OPENSSL_PIN);
    if (!config->pins) return cn_openssl_error(error, CONNECT_RESOURCE_EXHAUSTED, "out of memory");
    while (*at) {
        size_t len = strcspn(at, ";");
        connect_str_t text = {at, len}, pin;
        char space[256]; /* the arena keeps a part for itself */
        connect_arena_t arena;
        connect_arena_init(&arena, space, sizeof space, NULL);
        while (text.len && text.data[0] == ' ')
            text.data++, text.len--;
        while (text.len && text.data[text.len - 1] == ' ')
            text.len--;
        if (text.len < 8 || memcmp(text.data, "sha256//", 8) != 0) break;
        text.data += 8;
        text.len -= 8;
        pin = connect_base64_decode(text, &arena);
        if (!pin.data || pin.len != CN_OPENSSL_PIN) break;
        memcpy(config->pins[config->pin_count++], pin.data, CN_OPENSSL_PIN);
        at += len;
        if (*at) at++;
    }
    if (!*at) return true;
    return cn_openssl_error(
        error, CONNECT_INVALID_ARGUMENT, "pins: each must be sha256// and the base64 of 32 bytes, with ; between them");
}

static int64_t cn_openssl_now(const cn_openssl_config_t *config) {
    const connect_tls_options_t *options = config->options;
    return options->clock ? options->clock(options->user) : (int64_t)time(NULL);
}

/* ---- Sessions to be resumed ---- */

/* Sets of CN_OPENSSL_WAYS sessions, chosen by a hash of the key (FNV-1a); of a full one that goes which was used least
   recently. */

static void cn_openssl_forget(cn_openssl_config_t *config, cn_openssl_saved_t **place) {
    if (*place) SSL_SESSION_free((*place)->session);
    cn_openssl_release(config->allocator, *place);
    *place = NULL;
}

static cn_openssl_saved_t **cn_openssl_set_of(cn_openssl_config_t *config, const void *key, size_t key_len) {
    const unsigned char *at = (const unsigned char *)key;
    uint32_t hash = 2166136261u;
    while (key_len-- > 0)
        hash = (hash ^ *at++) * 16777619u;
    return config->saved + hash % config->saved_sets * CN_OPENSSL_WAYS;
}

/* After a day, and when the peer's certificate has expired, it has to prove again who it is. */
static bool cn_openssl_is_over(const cn_openssl_config_t *config, const cn_openssl_saved_t *saved) {
    const X509 *peer = SSL_SESSION_get0_peer(saved->session);
    int64_t now = cn_openssl_now(config), age = now - saved->proven_at;
    if (age < 0 || age > CN_OPENSSL_SESSION_SECONDS) return true;
    return peer && ASN1_TIME_cmp_time_t(X509_get0_notAfter(peer), (time_t)now) < 0;
}

/* Returns where it is, if it may still be resumed, or NULL. */
static cn_openssl_saved_t **cn_openssl_find(cn_openssl_config_t *config, const void *key, size_t key_len) {
    cn_openssl_saved_t **place = cn_openssl_set_of(config, key, key_len), **end = place + CN_OPENSSL_WAYS;
    while (place < end && (!*place || (*place)->key_len != key_len || memcmp((*place)->key, key, key_len) != 0))
        place++;
    if (place == end) return NULL;
    if (cn_openssl_is_over(config, *place)) {
        cn_openssl_forget(config, place);
        return NULL;
    }
    (*place)->used = ++config->saved_clock;
    return place;
}

/* Where one of this key goes: in place of its older self, else of nothing, else of the one used least recently. */
static cn_openssl_saved_t **cn_openssl_place_for(cn_openssl_config_t *config, const void *key, size_t key_len) {
    cn_openssl_saved_t **set = cn_openssl_set_of(config, key, key_len), **chosen = set;
    size_t i;
    for (i = 0; i < CN_OPENSSL_WAYS; i++) {
        if (set[i] && set[i]->key_len == key_len && memcmp(set[i]->key, key, key_len) == 0) return &set[i];
        if (*chosen && (!set[i] || (int32_t)(set[i]->used - (*chosen)->used) < 0)) chosen = &set[i];
    }
    return chosen;
}

/* OpenSSL's callback: a session that can be resumed. Returns 1: it is kept. */
static int cn_openssl_save(SSL *ssl, SSL_SESSION *session) {
    cn_openssl_session_t *s = (cn_openssl_session_t *)SSL_get_app_data(ssl);
    cn_openssl_config_t *config = s->config;
    cn_openssl_saved_t *saved, **place;
    const void *key = s->key;
    size_t key_len = s->key_len;
    if (s->has_failed) return 0;
    if (s->is_server) {
        unsigned len;
        key = SSL_SESSION_get_id(session, &len);
        key_len = len;
    }
    saved = (cn_openssl_saved_t *)cn_openssl_acquire(config->allocator, sizeof *saved + key_len);
    if (!saved) return 0;
    memcpy(saved->key, key, key_len);
    saved->key_len = key_len;
    saved->session = session;
    saved->proven_at = SSL_session_reused(ssl) == 1 ? s->proven_at : cn_openssl_now(config);
    pthread_mutex_lock(&config->mutex);
    place = cn_openssl_place_for(config, key, key_len);
    cn_openssl_forget(config, place);
    saved->used = ++config->saved_clock;
    *place = saved;
    pthread_mutex_unlock(&config->mutex);
    return 1;
}

/* OpenSSL's callback in a server: the session of this ID, or NULL. */
static SSL_SESSION *cn_openssl_recall(SSL *ssl, const unsigned char *id, int len, int *needs_reference) {
    cn_openssl_session_t *s = (cn_openssl_session_t *)SSL_get_app_data(ssl);
    cn_openssl_config_t *config = s->config;
    SSL_SESSION *session = NULL;
    cn_openssl_saved_t **place;
    *needs_reference = 0; /* it is taken here, while no other thread can free the session */
    pthread_mutex_lock(&config->mutex);
    place = cn_openssl_find(config, id, (size_t)len);
    if (place && SSL_SESSION_up_ref((*place)->session) == 1) {
        session = (*place)->session;
        s->proven_at = (*place)->proven_at;
    }
    pthread_mutex_unlock(&config->mutex);
    return session;
}

/* A session of TLS 1.3 is used once; of TLS 1.2 there comes no fresh one. */
static void cn_openssl_resume(cn_openssl_session_t *s) {
    cn_openssl_saved_t **place;
    pthread_mutex_lock(&s->config->mutex);
    place = cn_openssl_find(s->config, s->key, s->key_len);
    if (place) {
        SSL_set_session(s->ssl, (*place)->session); /* takes a reference of its own */
        s->proven_at = (*place)->proven_at;
        if (SSL_SESSION_get_protocol_version((*place)->session) >= TLS1_3_VERSION) cn_openssl_forget(s->config, place);
    }
    pthread_mutex_unlock(&s->config->mutex);
}

/* ---- The peer's certificate ---- */

static void cn_openssl_date(char text[16], const ASN1_TIME *at) {
    struct tm tm;
    memset(&tm, 0, sizeof tm);
    if (ASN1_TIME_to_tm(at, &tm) != 1 || strftime(text, 16, "%Y-%m-%d", &tm) == 0) memcpy(text, "?", 2);
}

/* Whose certificate it is: the name asked for, or the certificate's own. */
static const char *cn_openssl_whose(const cn_openssl_session_t *s, const X509 *cert, int depth, char name[128]) {
    if (depth == 0 && !s->is_server && s->key[0]) return s->key;
    if (!cert || X509_NAME_get_text_by_NID(X509_get_subject_name(cert), NID_commonName, name, 128) <= 0) {
        if (!cert || !X509_NAME_oneline(X509_get_subject_name(cert), name, 128)) memcpy(name, "the peer", 9);
    }
    return name;
}

/* RFC 4514, with a space after each comma. */
static void cn_openssl_name(const X509_NAME *name, char text[128]) {
    BIO *out = BIO_new(BIO_s_mem());
    int len = 0;
    if (out && X509_NAME_print_ex(out, name, 0, XN_FLAG_SEP_CPLUS_SPC | XN_FLAG_DN_REV | XN_FLAG_FN_SN) >= 0)
        len = BIO_read(out, text, 127);
    text[len > 0 ? len : 0] = '\0';
    BIO_free(out);
}

static void cn_openssl_list_names(const X509 *cert, char list[128]) {
    GENERAL_NAMES *names = (GENERAL_NAMES *)X509_get_ext_d2i(cert, NID_subject_alt_name, NULL, NULL);
    char name[64];
    size_t len = 0;
    int i;
    list[0] = '\0';
    for (i = 0; names && i < sk_GENERAL_NAME_num(names) && len + 8 < 128; i++) {
        const GENERAL_NAME *entry = sk_GENERAL_NAME_value(names, i);
        char text[64] = "";
        if (entry->type == GEN_DNS) {
            snprintf(text, sizeof text, "%.*s", ASN1_STRING_length(entry->d.dNSName),
                (const char *)ASN1_STRING_get0_data(entry->d.dNSName));
        } else if (entry->type == GEN_IPADD) {
            int family = ASN1_STRING_length(entry->d.iPAddress) == 4 ? AF_INET : AF_INET6;
            if (family == AF_INET || ASN1_STRING_length(entry->d.iPAddress) == 16)
                inet_ntop(family, ASN1_STRING_get0_data(entry->d.iPAddress), text, sizeof text);
        }
        if (text[0]) len += (size_t)snprintf(list + len, 128 - len, "%s%s", len ? ", " : "", text);
    }
    if (!names && X509_NAME_get_text_by_NID(X509_get_subject_name(cert), NID_commonName, name, 64) > 0)
        snprintf(list, 128, "none but the CN %s, which does not count", name);
    GENERAL_NAMES_free(names);
    if (len >= 128) memcpy(list + 124, "...", 4);
    if (!list[0]) memcpy(list, "none", 5);
}

static void cn_openssl_describe(cn_openssl_session_t *s, X509_STORE_CTX *store) {
    int code = X509_STORE_CTX_get_error(store), depth = X509_STORE_CTX_get_error_depth(store);
    X509 *cert = X509_STORE_CTX_get_current_cert(store);
    const X509_NAME *issuer;
    STACK_OF(X509) * namesakes;
    char name[128], list[128], date[16], today[16];
    const char *whose = cn_openssl_whose(s, cert, depth, name);
    switch (code) {
    case X509_V_ERR_CERT_HAS_EXPIRED:
        cn_openssl_date(date, X509_get0_notAfter(cert));
        cn_openssl_say(s, "certificate of %s expired on %s", whose, date);
        return;
    case X509_V_ERR_CERT_NOT_YET_VALID: {
        time_t now = (time_t)cn_openssl_now(s->config);
        ASN1_TIME *at = ASN1_TIME_set(NULL, now);
        cn_openssl_date(date, X509_get0_notBefore(cert));
        cn_openssl_date(today, at);
        ASN1_TIME_free(at);
        cn_openssl_say(s, "certificate of %s is not valid before %s (the clock here says %s)", whose, date, today);
        return;
    }
    case X509_V_ERR_HOSTNAME_MISMATCH:
    case X509_V_ERR_IP_ADDRESS_MISMATCH:
        cn_openssl_list_names(X509_STORE_CTX_get0_cert(store), list);
        cn_openssl_say(s, "no name in the certificate matches %s (it has %s)", s->key, list);
        return;
    case X509_V_ERR_DEPTH_ZERO_SELF_SIGNED_CERT:
    case X509_V_ERR_SELF_SIGNED_CERT_IN_CHAIN:
        cn_openssl_say(
            s, "certificate of %s is self-signed and none of the trust anchors (%zu)", whose, s->config->anchor_count);
        return;
    case X509_V_ERR_UNABLE_TO_GET_ISSUER_CERT:
    case X509_V_ERR_UNABLE_TO_GET_ISSUER_CERT_LOCALLY:
    case X509_V_ERR_UNABLE_TO_VERIFY_LEAF_SIGNATURE:
        issuer = X509_get_issuer_name(cert);
        cn_openssl_name(issuer, list);
        namesakes = X509_STORE_CTX_get1_certs(store, issuer);
        if (namesakes && sk_X509_num(namesakes) > 0)
            cn_openssl_say(
                s, "certificate of %s is signed by another %s than the one among the trust anchors", whose, list);
        else
            cn_openssl_say(s, "certificate of %s is signed by %s, which is none of the trust anchors (%zu)", whose,
                list, s->config->anchor_count);
        sk_X509_pop_free(namesakes, X509_free);
        return;
    case X509_V_ERR_INVALID_PURPOSE:
        /* all bits are set if it has no extended key usage */
        if (X509_get_extended_key_usage(cert) & (s->is_server ? XKU_SSL_CLIENT : XKU_SSL_SERVER))
            cn_openssl_say(s, "the key usage of certificate of %s forbids this", whose);
        else
            cn_openssl_say(s, "certificate of %s is not made for %s (extended key usage)", whose,
                s->is_server ? "clients" : "servers");
        return;
    case X509_V_ERR_INVALID_CA:
    case X509_V_ERR_KEYUSAGE_NO_CERTSIGN:
        cn_openssl_say(s, "certificate of %s signed another, which its key usage forbids", whose);
        return;
    case X509_V_ERR_EE_KEY_TOO_SMALL:
    case X509_V_ERR_CA_KEY_TOO_SMALL: {
        const EVP_PKEY *key = cert ? X509_get0_pubkey(cert) : NULL;
        cn_openssl_say(
            s, "certificate of %s has an RSA key of %d bits, less than 2048", whose, key ? EVP_PKEY_get_bits(key) : 0);
        return;
    }
    case X509_V_ERR_CA_MD_TOO_WEAK: cn_openssl_say(s, "certificate of %s is signed with SHA-1", whose); return;
    case X509_V_ERR_CERT_SIGNATURE_FAILURE:
        cn_openssl_say(s, "certificate of %s, or one that it rests on, has a bad signature", whose);
        return;
    default: cn_openssl_say(s, "certificate of %s: %s", whose, X509_verify_cert_error_string(code));
    }
}

static bool cn_openssl_is_pinned(const cn_openssl_config_t *config, const X509 *cert) {
    unsigned char *spki = NULL, hash[CN_OPENSSL_PIN];
    int len = i2d_X509_PUBKEY(X509_get_X509_PUBKEY(cert), &spki);
    size_t i;
    if (len <= 0) return false;
    EVP_Digest(spki, (size_t)len, hash, NULL, EVP_sha256(), NULL);
    OPENSSL_free(spki);
    for (i = 0; i < config->pin_count; i++)
        if (memcmp(config->pins[i], hash, sizeof hash) == 0) return true;
    return false;
}

/* OpenSSL's callback. A trust anchor is a name and a key (RFC 5280 6.1.1): the dates in its certificate do not count.
   Of other certificates the last second does (4.1.2.5). */
static int cn_openssl_pardon(int ok, X509_STORE_CTX *store) {
    int code = X509_STORE_CTX_get_error(store), depth = X509_STORE_CTX_get_error_depth(store);
    bool is_anchor = depth > 0 && depth >= X509_STORE_CTX_get_num_untrusted(store);
    time_t now = X509_VERIFY_PARAM_get_time(X509_STORE_CTX_get0_param(store));
    if (ok || (code != X509_V_ERR_CERT_NOT_YET_VALID && code != X509_V_ERR_CERT_HAS_EXPIRED)) return ok;
    if (!is_anchor && ASN1_TIME_cmp_time_t(X509_get0_notAfter(X509_STORE_CTX_get_current_cert(store)), now) != 0)
        return 0;
    X509_STORE_CTX_set_error(store, X509_V_OK);
    return 1;
}

/* OpenSSL's callback: is the peer's chain good? Returns 1: it is. */
static int cn_openssl_verify(X509_STORE_CTX *store, void *arg) {
    const cn_openssl_config_t *config = (const cn_openssl_config_t *)arg;
    SSL *ssl = (SSL *)X509_STORE_CTX_get_ex_data(store, SSL_get_ex_data_X509_STORE_CTX_idx());
    cn_openssl_session_t *s = (cn_openssl_session_t *)SSL_get_app_data(ssl);
    if (s->is_server || !config->options->insecure_no_verify) {
        X509_VERIFY_PARAM_set_time(X509_STORE_CTX_get0_param(store), (time_t)cn_openssl_now(config));
        X509_STORE_CTX_set_verify_cb(store, cn_openssl_pardon);
        if (X509_verify_cert(store) != 1) {
            cn_openssl_describe(s, store);
            return 0;
        }
    }
    if (config->pin_count && !cn_openssl_is_pinned(config, X509_STORE_CTX_get0_cert(store))) {
        cn_openssl_say(s, "the peer's key is none of the %zu pinned ones (pins)", config->pin_count);
        X509_STORE_CTX_set_error(store, X509_V_ERR_CERT_UNTRUSTED);
        return 0;
    }
    return 1;
}

/* ---- Choices of a server ---- */

static bool cn_openssl_use(SSL *ssl, const cn_openssl_identity_t *identity) {
    return SSL_use_cert_and_key(ssl, identity->leaf, identity->key, identity->rest, 1) == 1;
}

/* OpenSSL's callback. Those that have the name asked for, or else all; the last of a kind of key counts, so the first
   is put in last. OpenSSL then takes the kind that the client can check. */
static int cn_openssl_choose(SSL *ssl, void *arg) {
    const cn_openssl_config_t *config = (const cn_openssl_config_t *)arg;
    const char *name = SSL_get_servername(ssl, TLSEXT_NAMETYPE_host_name);
    bool any = false;
    size_t i;
    if (!SSL_is_server(ssl)) return 1;
    for (i = config->identity_count; name && i-- > 0;)
        if (X509_check_host(config->identities[i].leaf, name, 0, 0, NULL) == 1)
            any |= cn_openssl_use(ssl, &config->identities[i]);
    for (i = config->identity_count; !any && i-- > 0;)
        cn_openssl_use(ssl, &config->identities[i]);
    return 1;
}

static int cn_openssl_choose_alpn(
    SSL *ssl, const unsigned char **out, unsigned char *len, const unsigned char *in, unsigned in_len, void *arg) {
    cn_openssl_session_t *s = (cn_openssl_session_t *)SSL_get_app_data(ssl);
    unsigned char *chosen;
    (void)arg;
    if (SSL_select_next_proto(&chosen, len, s->alpn, s->alpn_len, in, in_len) != OPENSSL_NPN_NEGOTIATED) {
        cn_openssl_say(s, "the client was refused: no protocol in common (ALPN)");
        return SSL_TLSEXT_ERR_ALERT_FATAL;
    }
    *out = chosen;
    return SSL_TLSEXT_ERR_OK;
}

/* OpenSSL's callback. A name that was taken note of stays with the session, and only with it is that resumed. */
static int cn_openssl_take_name(SSL *ssl, int *alert, void *arg) {
    (void)ssl;
    (void)alert;
    (void)arg;
    return SSL_TLSEXT_ERR_OK;
}

static void cn_openssl_on_info(const SSL *ssl, int where, int value) {
    cn_openssl_session_t *s = (cn_openssl_session_t *)SSL_get_app_data(ssl);
    if ((where & SSL_CB_ALERT) && (where & SSL_CB_READ) && value >> 8 == SSL3_AL_FATAL) s->alert = value & 255;
}

/* ---- The BIO that gives OpenSSL what came from the peer ---- */

static int cn_openssl_read_in(BIO *bio, char *to, size_t room, size_t *len) {
    cn_openssl_session_t *s = (cn_openssl_session_t *)BIO_get_data(bio);
    const size_t left = s->in_end - s->in_start;
    BIO_clear_retry_flags(bio);
    *len = left < room ? left : room;
    if (!*len) {
        BIO_set_retry_read(bio); /* empty is not the end */
        return 0;
    }
    memcpy(to, s->in + s->in_start, *len);
    s->in_start += *len;
    return 1;
}

static long cn_openssl_control_in(BIO *bio, int command, long number, void *pointer) {
    (void)bio;
    (void)number;
    (void)pointer;
    return command == BIO_CTRL_FLUSH;
}

static int cn_openssl_create_in(BIO *bio) {
    BIO_set_init(bio, 1);
    return 1;
}

static BIO_METHOD *cn_openssl_new_method(void) {
    BIO_METHOD *method = BIO_meth_new(BIO_TYPE_SOURCE_SINK, "connect.h");
    if (method && BIO_meth_set_read_ex(method, cn_openssl_read_in) == 1 &&
        BIO_meth_set_ctrl(method, cn_openssl_control_in) == 1 && BIO_meth_set_create(method, cn_openssl_create_in) == 1)
        return method;
    BIO_meth_free(method);
    return NULL;
}

/* ---- Making and freeing a configuration ---- */

static void cn_openssl_config_free(void *arg) {
    cn_openssl_config_t *config = (cn_openssl_config_t *)arg;
    size_t i;
    for (i = 0; i < config->saved_sets * CN_OPENSSL_WAYS; i++)
        cn_openssl_forget(config, &config->saved[i]);
    cn_openssl_release(config->allocator, config->saved);
    for (i = 0; i < config->identity_count; i++) {
        X509_free(config->identities[i].leaf);
        sk_X509_pop_free(config->identities[i].rest, X509_free);
        EVP_PKEY_free(config->identities[i].key);
    }
    SSL_CTX_free(config->ctx);
    BIO_meth_free(config->cipher_in);
    cn_openssl_release(config->allocator, config->identities);
    cn_openssl_release(config->allocator, config->pins);
    if (config->has_mutex) pthread_mutex_destroy(&config->mutex);
    cn_openssl_release(config->allocator, config);
}

static bool cn_openssl_set_up(cn_openssl_config_t *config) {
    SSL_CTX *ctx = config->ctx;
    bool resumes = !config->options->no_resumption;
    SSL_CTX_set_security_level(ctx, 2);
    SSL_CTX_set_options(ctx,
        SSL_OP_NO_RENEGOTIATION | SSL_OP_NO_COMPRESSION | SSL_OP_CIPHER_SERVER_PREFERENCE |
            SSL_OP_NO_TICKET); /* stateful tickets only */
    SSL_CTX_set_mode(ctx, SSL_MODE_RELEASE_BUFFERS);
    SSL_CTX_set_app_data(ctx, config);
    SSL_CTX_set_info_callback(ctx, cn_openssl_on_info);
    SSL_CTX_set_cert_verify_callback(ctx, cn_openssl_verify, config);
    SSL_CTX_set_cert_cb(ctx, cn_openssl_choose, config);
    SSL_CTX_set_tlsext_servername_callback(ctx, cn_openssl_take_name);
    SSL_CTX_set_alpn_select_cb(ctx, cn_openssl_choose_alpn, NULL);
    SSL_CTX_set_session_cache_mode(
        ctx, resumes ? SSL_SESS_CACHE_BOTH | SSL_SESS_CACHE_NO_INTERNAL : SSL_SESS_CACHE_OFF);
    SSL_CTX_set_timeout(ctx, CN_OPENSSL_SESSION_SECONDS);
    SSL_CTX_set_num_tickets(ctx, resumes ? 1 : 0); /* a client of ours keeps one */
    if (resumes) {
        SSL_CTX_sess_set_new_cb(ctx, cn_openssl_save);
        SSL_CTX_sess_set_get_cb(ctx, cn_openssl_recall);
    }
    return SSL_CTX_set_min_proto_version(ctx, TLS1_2_VERSION) == 1 &&
        SSL_CTX_set_session_id_context(ctx, (const unsigned char *)"connect", 7) == 1 &&
        SSL_CTX_set_cipher_list(ctx, "ECDHE+AESGCM:ECDHE+CHACHA20") == 1; /* RFC 9113 9.2.2, for TLS 1.2 */
}

/* For the sessions to be resumed. Returns false: out of memory. */
static bool cn_openssl_make_room(cn_openssl_config_t *config) {
    const connect_tls_options_t *options = config->options;
    const uint32_t sessions = options->session_cache ? options->session_cache : CN_OPENSSL_SESSIONS;
    const size_t sets = (sessions - 1) / CN_OPENSSL_WAYS + 1;
    if (options->no_resumption) return true;
    if (sets > SIZE_MAX / CN_OPENSSL_WAYS / sizeof *config->saved) return false;
    config->saved =
        (cn_openssl_saved_t **)cn_openssl_acquire(config->allocator, sets * CN_OPENSSL_WAYS * sizeof *config->saved);
    if (config->saved) config->saved_sets = sets;
    return config->saved != NULL;
}

static void *cn_openssl_config_new(const connect_tls_options_t *options, connect_error_t *error) {
    cn_openssl_config_t *config = (cn_openssl_config_t *)cn_openssl_acquire(options->allocator, sizeof *config);
    if (!config) {
        cn_openssl_error(error, CONNECT_RESOURCE_EXHAUSTED, "out of memory");
        return NULL;
    }
    config->options = options;
    config->allocator = options->allocator;
    config->has_mutex = pthread_mutex_init(&config->mutex, NULL) == 0;
    config->ctx = SSL_CTX_new(TLS_method());
    config->cipher_in = cn_openssl_new_method();
    if (!config->ctx || !config->cipher_in || !config->has_mutex || !cn_openssl_set_up(config) ||
        !cn_openssl_make_room(config))
        cn_openssl_error(error, CONNECT_RESOURCE_EXHAUSTED, "OpenSSL cannot be set up");
    else if (cn_openssl_read_identities(config, error) && cn_openssl_read_anchors(config, error) &&
        cn_openssl_read_pins(config, error)) {
        ERR_clear_error();
        return config;
    }
    ERR_clear_error();
    cn_openssl_config_free(config);
    return NULL;
}

/* ---- One session ---- */

static void cn_openssl_fail(cn_openssl_session_t *s) {
    const char *peer = s->is_server ? "client" : "server";
    unsigned long code = ERR_peek_error();
    int reason = ERR_GET_LIB(code) == ERR_LIB_SSL ? ERR_GET_REASON(code) : 0;
    s->has_failed = true;
    if (s->alert >= 0)
        cn_openssl_say(s, "the %s refused it: %s (TLS alert %d)", peer,
            s->alert == 116       ? "certificate required" /* not known to OpenSSL 3.0 */
                : s->alert == 120 ? "no application protocol"
                                  : SSL_alert_desc_string_long(s->alert),
            s->alert);
    else if (reason == SSL_R_PEER_DID_NOT_RETURN_A_CERTIFICATE)
        cn_openssl_say(s, "the client sent no certificate (client_auth requires one)");
    else if (reason == SSL_R_NO_SHARED_CIPHER || reason == SSL_R_NO_SUITABLE_SIGNATURE_ALGORITHM ||
        reason == SSL_R_NO_SUITABLE_KEY_SHARE)
        cn_openssl_say(s, "the %s was refused: no cipher suite or curve in common", peer);
    else if (reason == SSL_R_UNSUPPORTED_PROTOCOL || reason == SSL_R_VERSION_TOO_LOW)
        cn_openssl_say(s, "TLS with the %s failed: it speaks neither TLS 1.2 nor 1.3", peer);
    else if (reason == SSL_R_WRONG_VERSION_NUMBER || reason == SSL_R_HTTP_REQUEST || reason == SSL_R_BAD_RECORD_TYPE ||
        reason == SSL_R_UNEXPECTED_MESSAGE)
        cn_openssl_say(s, "TLS with the %s failed: it sent what is no TLS, or out of order", peer);
    else if (reason == SSL_R_PACKET_LENGTH_TOO_LONG || reason == SSL_R_ENCRYPTED_LENGTH_TOO_LONG ||
        reason == SSL_R_DATA_LENGTH_TOO_LONG)
        cn_openssl_say(s, "TLS with the %s failed: it sent a record of a length that is not allowed", peer);
    else if (code)
        cn_openssl_say(s, "TLS with the %s failed: %s", peer, ERR_reason_error_string(code));
    else
        cn_openssl_say(s, "out of memory");
    ERR_clear_error();
}

static bool cn_openssl_keep_peer(cn_openssl_session_t *s) {
    STACK_OF(X509) *chain = SSL_get_peer_cert_chain(s->ssl);
    X509 *own = SSL_get0_peer_certificate(s->ssl);
    unsigned char hash[CN_OPENSSL_PIN];
    int count = chain ? sk_X509_num(chain) : 0, first = s->is_server ? 0 : 1, i;
    size_t n = 0;
    if (!own) return true;
    if (count - first + 1 > CN_OPENSSL_CHAIN) count = CN_OPENSSL_CHAIN - 1 + first;
    s->certificates =
        (connect_str_t *)cn_openssl_acquire(s->config->allocator, CN_OPENSSL_CHAIN * sizeof *s->certificates);
    if (!s->certificates) return false;
    for (i = first - 1; i < count; i++) {
        unsigned char *der = NULL;
        int len = i2d_X509(i < first ? own : sk_X509_value(chain, i), &der);
        if (len <= 0) return false;
        s->certificates[n].data = (const char *)der;
        s->certificates[n++].len = (size_t)len;
        s->info.peer_certificates.count = n;
    }
    s->info.peer_certificates.items = s->certificates;
    EVP_Digest(s->certificates[0].data, s->certificates[0].len, hash, NULL, EVP_sha256(), NULL);
    for (n = 0; n < sizeof hash; n++)
        snprintf(s->fingerprint + 2 * n, 3, "%02x", hash[n]);
    s->info.peer_fingerprint = s->fingerprint;
    s->info.peer_verified = s->is_server || !s->config->options->insecure_no_verify;
    return true;
}

static void cn_openssl_finish_handshake(cn_openssl_session_t *s) {
    const SSL_CIPHER *cipher = SSL_get_current_cipher(s->ssl);
    const char *cipher_name = cipher ? SSL_CIPHER_standard_name(cipher) : NULL;
    const char *server_name = SSL_get_servername(s->ssl, TLSEXT_NAMETYPE_host_name);
    const unsigned char *alpn = NULL;
    unsigned len = 0;
    SSL_get0_alpn_selected(s->ssl, &alpn, &len);
    if (len && len < sizeof s->selected) memcpy(s->selected, alpn, len);
    snprintf(s->cipher, sizeof s->cipher, "%s", cipher_name ? cipher_name : "");
    s->info.version = SSL_version(s->ssl) == TLS1_3_VERSION ? "TLS 1.3" : "TLS 1.2";
    s->info.cipher = s->cipher;
    s->info.alpn = s->selected;
    s->info.server_name = server_name ? server_name : "";
    s->info.peer_subject = "";
    s->info.peer_fingerprint = "";
    s->info.resumed = SSL_session_reused(s->ssl) == 1;
    if (!cn_openssl_keep_peer(s)) {
        s->has_failed = true;
        cn_openssl_say(s, "out of memory");
    }
    s->is_open = true;
}

static void cn_openssl_drop(cn_openssl_session_t *s, char **buffer) {
    cn_openssl_release(s->config->allocator, *buffer);
    *buffer = NULL;
}

/* Room of CN_OPENSSL_BUFFER bytes. */
static char *cn_openssl_take(cn_openssl_session_t *s, char **buffer) {
    if (!*buffer) *buffer = cn_openssl_acquire_buffer(s->config->allocator);
    if (*buffer) return *buffer;
    s->has_failed = true;
    cn_openssl_say(s, "out of memory");
    return NULL;
}

/* Goes on with the handshake, then reads plaintext if none waits. */
static void cn_openssl_step(cn_openssl_session_t *s) {
    int result;
    if (s->has_failed || s->is_closed) return;
    if (!s->is_open) {
        result = SSL_do_handshake(s->ssl);
        if (result == 1)
            cn_openssl_finish_handshake(s);
        else if (SSL_get_error(s->ssl, result) != SSL_ERROR_WANT_READ)
            cn_openssl_fail(s);
    }
    if (!s->is_open || s->has_failed || s->plain_end) return;
    if (s->in_start == s->in_end && !SSL_has_pending(s->ssl)) {
        cn_openssl_drop(s, &s->plain);
        return;
    }
    if (!cn_openssl_take(s, &s->plain)) return;
    result = SSL_read(s->ssl, s->plain, CN_OPENSSL_BUFFER);
    if (result > 0) {
        s->plain_start = 0;
        s->plain_end = (size_t)result;
        return;
    }
    cn_openssl_drop(s, &s->plain);
    switch (SSL_get_error(s->ssl, result)) {
    case SSL_ERROR_WANT_READ: return;
    case SSL_ERROR_ZERO_RETURN: /* close_notify: answered, as nothing can be sent to who does not read */
        SSL_shutdown(s->ssl);
        s->is_closed = true;
        return;
    default: cn_openssl_fail(s);
    }
}

static void cn_openssl_session_free(void *session) {
    cn_openssl_session_t *s = (cn_openssl_session_t *)session;
    size_t i;
    for (i = 0; s->certificates && i < s->info.peer_certificates.count; i++)
        OPENSSL_free((void *)(uintptr_t)s->certificates[i].data);
    cn_openssl_release(s->config->allocator, s->certificates);
    cn_openssl_release(s->config->allocator, s->in);
    cn_openssl_release(s->config->allocator, s->to_write);
    cn_openssl_release(s->config->allocator, s->plain);
    cn_openssl_release(s->config->allocator, s->key);
    /* Without close_notify OpenSSL would forget the session; but what was whole HTTP knows by itself. */
    if (s->ssl && s->is_open && !s->has_failed) SSL_set_shutdown(s->ssl, SSL_SENT_SHUTDOWN | SSL_RECEIVED_SHUTDOWN);
    SSL_free(s->ssl);
    cn_openssl_release(s->config->allocator, s);
}

static bool cn_openssl_set_texts(cn_openssl_session_t *s, const connect_tls_session_options_t *options) {
    const char *name = options->server_name ? options->server_name : "", *peer = options->peer ? options->peer : "";
    const char *at = options->alpn;
    size_t name_len = strlen(name) + 1, peer_len = strlen(peer) + 1, alpn_len = strlen(at) + 1;
    s->key_len = name_len + peer_len + alpn_len;
    s->key = (char *)cn_openssl_acquire(s->config->allocator, s->key_len);
    if (!s->key || alpn_len + 1 > sizeof s->alpn) return false;
    memcpy(s->key, name, name_len);
    memcpy(s->key + name_len, peer, peer_len);
    memcpy(s->key + name_len + peer_len, at, alpn_len);
    while (*at) {
        size_t len = strcspn(at, ",");
        s->alpn[s->alpn_len++] = (unsigned char)len;
        memcpy(s->alpn + s->alpn_len, at, len);
        s->alpn_len += (unsigned)len;
        at += len + (at[len] != '\0');
    }
    return true;
}

static bool cn_openssl_begin_client(cn_openssl_session_t *s) {
    X509_VERIFY_PARAM *param = SSL_get0_param(s->ssl);
    char *name = s->key, address[64];
    size_t len = strlen(name);
    if (name[0] == '[' && len < sizeof address) { /* an IPv6 address as in a URL */
        memcpy(address, name + 1, len - 2);
        address[len - 2] = '\0';
        name = address;
    }
    SSL_set_connect_state(s->ssl);
    SSL_set_verify(s->ssl, SSL_VERIFY_PEER, NULL);
    if (s->alpn_len && SSL_set_alpn_protos(s->ssl, s->alpn, s->alpn_len) != 0) return false;
    if (s->config->identity_count && !cn_openssl_use(s->ssl, &s->config->identities[0])) return false;
    if (name[0] && X509_VERIFY_PARAM_set1_ip_asc(param, name) != 1) {
        X509_VERIFY_PARAM_set_hostflags(
            param, X509_CHECK_FLAG_NO_PARTIAL_WILDCARDS | X509_CHECK_FLAG_NEVER_CHECK_SUBJECT);
        if (X509_VERIFY_PARAM_set1_host(param, name, 0) != 1 || SSL_set_tlsext_host_name(s->ssl, name) != 1)
            return false;
    }
    if (!s->config->options->no_resumption) cn_openssl_resume(s);
    return true;
}

static void cn_openssl_begin_server(cn_openssl_session_t *s) {
    connect_client_auth_t auth = s->config->options->client_auth;
    SSL_set_accept_state(s->ssl);
    SSL_set_verify(s->ssl,
        auth == CONNECT_CLIENT_AUTH_REQUIRED       ? SSL_VERIFY_PEER | SSL_VERIFY_FAIL_IF_NO_PEER_CERT
            : auth == CONNECT_CLIENT_AUTH_OPTIONAL ? SSL_VERIFY_PEER
                                                   : SSL_VERIFY_NONE,
        NULL);
}

static void *cn_openssl_session_new(void *config, const connect_tls_session_options_t *options) {
    cn_openssl_config_t *c = (cn_openssl_config_t *)config;
    cn_openssl_session_t *s = (cn_openssl_session_t *)cn_openssl_acquire(c->allocator, sizeof *s);
    bool begun;
    if (!s) return NULL;
    s->config = c;
    s->alert = -1;
    s->is_server = options->is_server;
    s->ssl = SSL_new(c->ctx);
    s->cipher_in = BIO_new(c->cipher_in);
    s->cipher_out = BIO_new(BIO_s_mem());
    if (!s->ssl || !s->cipher_in || !s->cipher_out) {
        BIO_free(s->cipher_in);
        BIO_free(s->cipher_out);
        cn_openssl_session_free(s);
        return NULL;
    }
    SSL_set_app_data(s->ssl, s);
    BIO_set_data(s->cipher_in, s);
    SSL_set_bio(s->ssl, s->cipher_in, s->cipher_out);
    begun = cn_openssl_set_texts(s, options);
    if (begun && s->is_server) cn_openssl_begin_server(s);
    if (begun && !s->is_server) begun = cn_openssl_begin_client(s);
    if (!begun) {
        ERR_clear_error();
        cn_openssl_session_free(s);
        return NULL;
    }
    if (!s->is_server) cn_openssl_step(s);
    return s;
}

/* ---- The vtable ---- */

static char *cn_openssl_buffer(void *session, connect_tls_channel_t channel, size_t *len) {
    cn_openssl_session_t *s = (cn_openssl_session_t *)session;
    char *at = NULL;
    *len = 0;
    switch (channel) {
    case CONNECT_TLS_CIPHER_OUT: {
        long waiting = BIO_get_mem_data(s->cipher_out, &at);
        if (waiting <= 0) return NULL;
        *len = (size_t)waiting;
        return at;
    }
    case CONNECT_TLS_PLAIN_IN: *len = s->plain_end - s->plain_start; return *len ? s->plain + s->plain_start : NULL;
    case CONNECT_TLS_CIPHER_IN:
        if (!s->has_failed && !s->is_closed && s->in_start == s->in_end && !s->plain_end)
            at = cn_openssl_take(s, &s->in);
        break;
    case CONNECT_TLS_PLAIN_OUT:
        if (!s->has_failed && !s->is_closed && s->is_open) at = cn_openssl_take(s, &s->to_write);
        break;
    }
    if (at) *len = CN_OPENSSL_BUFFER;
    return at;
}

static void cn_openssl_done(void *session, connect_tls_channel_t channel, size_t len) {
    cn_openssl_session_t *s = (cn_openssl_session_t *)session;
    switch (channel) {
    case CONNECT_TLS_CIPHER_OUT: {
        char *cipher, drop[512];
        if (len == (size_t)BIO_get_mem_data(s->cipher_out, &cipher)) (void)BIO_reset(s->cipher_out), len = 0;
        while (len > 0) {
            int dropped = BIO_read(s->cipher_out, drop, (int)(len < sizeof drop ? len : sizeof drop));
            if (dropped <= 0) break;
            len -= (size_t)dropped;
        }
        return;
    }
    case CONNECT_TLS_PLAIN_IN:
        s->plain_start += len;
        if (s->plain_start < s->plain_end) return;
        s->plain_start = s->plain_end = 0;
        cn_openssl_step(s);
        if (s->in_start == s->in_end) cn_openssl_drop(s, &s->in);
        return;
    case CONNECT_TLS_CIPHER_IN:
        s->in_start = 0;
        s->in_end = len;
        cn_openssl_step(s);
        if (s->in_start == s->in_end) cn_openssl_drop(s, &s->in);
        return;
    case CONNECT_TLS_PLAIN_OUT:
        if (s->has_failed || s->is_closed) return;
        if (len && SSL_write(s->ssl, s->to_write, (int)len) != (int)len) cn_openssl_fail(s);
        if (!len) cn_openssl_drop(s, &s->to_write);
        return;
    }
}

static void cn_openssl_close(void *session) {
    cn_openssl_session_t *s = (cn_openssl_session_t *)session;
    if (s->has_failed || !s->is_open) return;
    SSL_shutdown(s->ssl);
    s->is_closed = s->is_closed || (SSL_get_shutdown(s->ssl) & SSL_RECEIVED_SHUTDOWN) != 0;
    ERR_clear_error();
}

static bool cn_openssl_closed(void *session, connect_error_t *error) {
    cn_openssl_session_t *s = (cn_openssl_session_t *)session;
    if (s->has_failed) return !cn_openssl_error(error, CONNECT_UNAVAILABLE, s->failure);
    if (!s->is_closed) return false;
    return !cn_openssl_error(error, CONNECT_OK, "");
}

static const connect_tls_info_t *cn_openssl_info(void *session) {
    const cn_openssl_session_t *s = (const cn_openssl_session_t *)session;
    return s->is_open && !s->has_failed ? &s->info : NULL;
}

CONNECT_API const connect_tls_engine_t *connect_openssl_engine(void) {
    static const connect_tls_engine_t engine = {"OpenSSL 3", cn_openssl_config_new, cn_openssl_config_free,
        cn_openssl_session_new, cn_openssl_session_free, cn_openssl_buffer, cn_openssl_done, cn_openssl_close,
        cn_openssl_closed, cn_openssl_info};
    return &engine;
}

#undef CN_OPENSSL_BUFFER
#undef CN_OPENSSL_SESSIONS
#undef CN_OPENSSL_WAYS
#undef CN_OPENSSL_SESSION_SECONDS
#undef CN_OPENSSL_PIN
#undef CN_OPENSSL_CHAIN
#endif
