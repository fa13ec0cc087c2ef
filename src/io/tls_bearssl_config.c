#include "io/tls_bearssl.h"
#include "base/base64.h"
#include "base/error.h"
#include "base/mem.h"
#include "base/str.h"

#if CONNECT_ENABLE_TLS
/* What BearSSL needs of a TLS configuration, parsed once and then only read: chains, keys, trust anchors, pins, the
   order of the suites. Sessions of all threads point into it.

   Suites: the six that HTTP/2 allows and BearSSL has (RFC 9113 Appendix A forbids CBC and static RSA). AES-GCM first
   where the CPU has instructions for it, ChaCha20 first where it has none: either is about six times as fast as the
   other there.
   Keys: RSA of at least 2,048 bits, EC on P-256, P-384, P-521. A key must belong to its certificate: else every
   handshake would fail at the peer, which does not say why.
   Trust anchors are reduced to name and key; what BearSSL cannot use (Ed25519, broken ones) is skipped and counted. One
   that is no CA stands for itself only. */

#define CN_BEAR_RSA_MIN_BITS 2048
#define CN_BEAR_SESSIONS 1000

typedef struct cn_bear_dn_t { /* where the decoder puts an encoded name */
    unsigned char bytes[1024];
    size_t len;
    bool is_too_long;
} cn_bear_dn_t;

static void cn_bear_append_dn(void *ctx, const void *bytes, size_t len) {
    cn_bear_dn_t *dn = (cn_bear_dn_t *)ctx;
    if (len > sizeof dn->bytes - dn->len) {
        dn->is_too_long = true;
        return;
    }
    memcpy(dn->bytes + dn->len, bytes, len);
    dn->len += len;
}

static unsigned char *cn_bear_copy(cn_bear_config_t *config, const void *bytes, size_t len) {
    unsigned char *copy = (unsigned char *)cn_arena_raw(&config->arena, len ? len : 1);
    if (copy && len) memcpy(copy, bytes, len);
    return copy;
}

/* Copies a key out of a decoder that goes away. */
static bool cn_bear_copy_key(cn_bear_config_t *config, br_x509_pkey *to, const br_x509_pkey *from) {
    *to = *from;
    if (from->key_type == BR_KEYTYPE_RSA) {
        to->key.rsa.n = cn_bear_copy(config, from->key.rsa.n, from->key.rsa.nlen);
        to->key.rsa.e = cn_bear_copy(config, from->key.rsa.e, from->key.rsa.elen);
        return to->key.rsa.n && to->key.rsa.e;
    }
    to->key.ec.q = cn_bear_copy(config, from->key.ec.q, from->key.ec.qlen);
    return to->key.ec.q != NULL;
}

/* ---- Identities ---- */

static bool cn_bear_fail(connect_error_t *error, const char *option, const char *what) {
    return cn_error_print(error, NULL, CONNECT_INVALID_ARGUMENT, "%s: %s", option, what);
}

static bool cn_bear_read_chain(
    cn_bear_config_t *config, cn_bear_identity_t *identity, connect_str_t der, connect_error_t *error) {
    connect_str_t rest = der;
    size_t i;
    while (rest.len) {
        connect_str_t element = cn_x509_element(rest);
        rest = cn_str(rest.data + element.len, rest.len - element.len);
        identity->chain_len++;
    }
    identity->chain = CONNECT_NEW(&config->arena, br_x509_certificate, identity->chain_len);
    if (!identity->chain) return cn_error_memory(error);
    for (rest = der, i = 0; i < identity->chain_len; i++) {
        connect_str_t element = cn_x509_element(rest);
        identity->chain[i].data = cn_bear_copy(config, element.data, element.len);
        if (!identity->chain[i].data) return cn_error_memory(error);
        identity->chain[i].data_len = element.len;
        rest = cn_str(rest.data + element.len, rest.len - element.len);
    }
    return true;
}

static bool cn_bear_same_number(const unsigned char *a, size_t a_len, const unsigned char *b, size_t b_len) {
    for (; a_len && *a == 0; a_len--)
        a++;
    for (; b_len && *b == 0; b_len--)
        b++;
    return a_len == b_len && memcmp(a, b, a_len) == 0;
}

static bool cn_bear_key_fits(const cn_bear_identity_t *identity, const br_x509_pkey *pkey) {
    if (pkey->key_type != identity->key_type) return false;
    if (identity->key_type == BR_KEYTYPE_EC) {
        unsigned char point[BR_EC_KBUF_PUB_MAX_SIZE];
        br_ec_public_key own;
        return pkey->key.ec.curve == identity->ec.curve &&
            br_ec_compute_pub(br_ec_get_default(), &own, point, &identity->ec) &&
            cn_bear_same_number(own.q, own.qlen, pkey->key.ec.q, pkey->key.ec.qlen);
    } else {
        unsigned char modulus[BR_X509_BUFSIZE_SIG * 2];
        br_rsa_compute_modulus compute = br_rsa_compute_modulus_get_default();
        size_t len = (identity->rsa.n_bitlen + 7) / 8;
        if (len > sizeof modulus) return false;
        return compute(modulus, &identity->rsa) == len &&
            cn_bear_same_number(modulus, len, pkey->key.rsa.n, pkey->key.rsa.nlen);
    }
}

static bool cn_bear_copy_rsa(cn_bear_config_t *config, br_rsa_private_key *to, const br_rsa_private_key *from) {
    *to = *from;
    to->p = cn_bear_copy(config, from->p, from->plen);
    to->q = cn_bear_copy(config, from->q, from->qlen);
    to->dp = cn_bear_copy(config, from->dp, from->dplen);
    to->dq = cn_bear_copy(config, from->dq, from->dqlen);
    to->iq = cn_bear_copy(config, from->iq, from->iqlen);
    return to->p && to->q && to->dp && to->dq && to->iq;
}

static bool cn_bear_read_key(cn_bear_config_t *config, cn_bear_identity_t *identity, connect_str_t der,
    const char *option, connect_error_t *error) {
    static const char rsa_small[] = "an RSA key of less than 2,048 bits is refused";
    br_skey_decoder_context decoder;
    bool copied;
    br_skey_decoder_init(&decoder);
    br_skey_decoder_push(&decoder, der.data, der.len);
    if (br_skey_decoder_last_error(&decoder) != 0)
        return cn_bear_fail(error, option, "no RSA or EC key that BearSSL can use (PKCS#1, SEC1 or PKCS#8)");
    identity->key_type = br_skey_decoder_key_type(&decoder);
    if (identity->key_type == BR_KEYTYPE_RSA) {
        if (br_skey_decoder_get_rsa(&decoder)->n_bitlen < CN_BEAR_RSA_MIN_BITS)
            return cn_bear_fail(error, option, rsa_small);
        copied = cn_bear_copy_rsa(config, &identity->rsa, br_skey_decoder_get_rsa(&decoder));
    } else {
        const br_ec_private_key *key = br_skey_decoder_get_ec(&decoder);
        if (key->curve != BR_EC_secp256r1 && key->curve != BR_EC_secp384r1 && key->curve != BR_EC_secp521r1)
            return cn_bear_fail(error, option, "an EC key must be on P-256, P-384 or P-521");
        identity->ec = *key;
        identity->ec.x = cn_bear_copy(config, key->x, key->xlen);
        copied = identity->ec.x != NULL;
    }
    cn_mem_wipe(&decoder, sizeof decoder);
    return copied || cn_error_memory(error);
}

static bool cn_bear_add_identity(
    cn_bear_config_t *config, const connect_identity_t *from, const char *option, connect_error_t *error) {
    cn_bear_identity_t *identity = &config->identities[config->identity_count++];
    br_x509_decoder_context decoder;
    br_x509_pkey *pkey;
    char name[64];
    snprintf(name, sizeof name, "%s.private_key", option);
    if (!cn_bear_read_chain(config, identity, from->certificate, error) ||
        !cn_bear_read_key(config, identity, from->private_key, name, error))
        return false;
    cn_x509_parse(&identity->leaf, cn_str((const char *)identity->chain[0].data, identity->chain[0].data_len));
    br_x509_decoder_init(&decoder, NULL, NULL);
    br_x509_decoder_push(&decoder, identity->chain[0].data, identity->chain[0].data_len);
    pkey = br_x509_decoder_get_pkey(&decoder);
    if (!pkey) {
        snprintf(name, sizeof name, "%s.certificate", option);
        return cn_bear_fail(error, name, "its key is of a kind that BearSSL cannot use; RSA and EC are");
    }
    if (!cn_bear_key_fits(identity, pkey)) return cn_bear_fail(error, name, "does not belong to the certificate");
    return true;
}

static bool cn_bear_read_identities(cn_bear_config_t *config, connect_error_t *error) {
    const connect_tls_options_t *options = config->options;
    size_t i;
    config->identities = CONNECT_NEW(&config->arena, cn_bear_identity_t, options->more_count + 1);
    if (!config->identities) return cn_error_memory(error);
    if (options->identity.certificate.data && !cn_bear_add_identity(config, &options->identity, "identity", error))
        return false;
    for (i = 0; i < options->more_count; i++) {
        char option[32];
        snprintf(option, sizeof option, "more[%zu]", i);
        if (!cn_bear_add_identity(config, &options->more[i], option, error)) return false;
    }
    return true;
}

/* ---- Trust anchors and pins ---- */

/* Returns false: out of memory. */
static bool cn_bear_add_anchor(cn_bear_config_t *config, connect_str_t der) {
    br_x509_trust_anchor *anchor = &config->anchors[config->anchor_count];
    br_x509_decoder_context decoder;
    cn_bear_dn_t dn;
    const br_x509_pkey *pkey;
    dn.len = 0;
    dn.is_too_long = false;
    br_x509_decoder_init(&decoder, cn_bear_append_dn, &dn);
    br_x509_decoder_push(&decoder, der.data, der.len);
    pkey = br_x509_decoder_get_pkey(&decoder);
    if (!pkey || dn.is_too_long) {
        config->anchors_skipped++;
        return true;
    }
    anchor->dn.data = cn_bear_copy(config, dn.bytes, dn.len);
    anchor->dn.len = dn.len;
    anchor->flags = br_x509_decoder_isCA(&decoder) ? BR_X509_TA_CA : 0;
    config->anchor_count++;
    return anchor->dn.data && cn_bear_copy_key(config, &anchor->pkey, pkey);
}

static bool cn_bear_read_anchors(cn_bear_config_t *config, connect_error_t *error) {
    connect_str_t rest;
    size_t count = 0;
    for (rest = config->options->trust_anchors; rest.len; count++) {
        size_t len = cn_x509_element(rest).len;
        rest = cn_str(rest.data + len, rest.len - len);
    }
    if (count == 0) return true;
    config->anchors = CONNECT_NEW(&config->arena, br_x509_trust_anchor, count);
    if (!config->anchors) return cn_error_memory(error);
    for (rest = config->options->trust_anchors; rest.len;) {
        connect_str_t element = cn_x509_element(rest);
        if (!cn_bear_add_anchor(config, element)) return cn_error_memory(error);
        rest = cn_str(rest.data + element.len, rest.len - element.len);
    }
    if (config->anchor_count == 0)
        return cn_error_print(error, NULL, CONNECT_INVALID_ARGUMENT,
            "trust_anchors: BearSSL can use none of the %zu certificates; RSA and EC keys are known", count);
    return true;
}

static bool cn_bear_read_pins(cn_bear_config_t *config, connect_error_t *error) {
    connect_str_t rest = connect_str_of(config->options->pins), pin;
    size_t room = 1, i;
    if (!rest.data) return true;
    for (i = 0; i < rest.len; i++)
        room += rest.data[i] == ';';
    config->pins = (unsigned char(*)[CN_BEAR_PIN])connect_arena_take(&config->arena, room, CN_BEAR_PIN);
    if (!config->pins) return cn_error_memory(error);
    while (cn_str_split(&rest, ';', &pin)) {
        char hash[64];
        size_t len = 0;
        pin = cn_str_trim(pin);
        if (!cn_str_starts(pin, CN_STR("sha256//")) || pin.len > 8 + 48 ||
            !cn_base64_decode(hash, &len, cn_str(pin.data + 8, pin.len - 8)) || len != CN_BEAR_PIN)
            return cn_bear_fail(error, "pins", "each must be sha256// and the base64 of 32 bytes, with ; between them");
        memcpy(config->pins[config->pin_count++], hash, CN_BEAR_PIN);
    }
    return true;
}

/* ---- The configuration ---- */

CN_PRIVATE int64_t cn_bear_now(const cn_bear_config_t *config) {
    const connect_tls_options_t *options = config->options;
    return options->clock ? options->clock(options->user) : (int64_t)time(NULL);
}

static void cn_bear_order_suites(uint16_t *suites) {
    static const uint16_t chacha[2] = {
        BR_TLS_ECDHE_ECDSA_WITH_CHACHA20_POLY1305_SHA256, BR_TLS_ECDHE_RSA_WITH_CHACHA20_POLY1305_SHA256};
    static const uint16_t gcm[4] = {BR_TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256,
        BR_TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256, BR_TLS_ECDHE_ECDSA_WITH_AES_256_GCM_SHA384,
        BR_TLS_ECDHE_RSA_WITH_AES_256_GCM_SHA384};
    bool is_gcm_fast = br_aes_x86ni_ctr_get_vtable() != NULL && br_ghash_pclmul_get() != NULL;
    memcpy(is_gcm_fast ? suites : suites + 2, gcm, sizeof gcm);
    memcpy(is_gcm_fast ? suites + 4 : suites, chacha, sizeof chacha);
}

CN_PRIVATE void *cn_bear_config_new(const connect_tls_options_t *options, connect_error_t *error) {
    cn_bear_config_t *config = (cn_bear_config_t *)cn_mem_acquire(options->allocator, sizeof *config);
    uint32_t sessions = options->no_resumption ? 0 : options->session_cache ? options->session_cache : CN_BEAR_SESSIONS;
    if (!config) {
        cn_error_memory(error);
        return NULL;
    }
    config->options = options;
    config->allocator = options->allocator;
    config->arena.private_allocator = options->allocator;
    cn_bear_order_suites(config->suites);
    if (!cn_bear_cache_init(&config->cache, options->allocator, sessions)) {
        cn_error_memory(error);
    } else if (cn_bear_read_identities(config, error) && cn_bear_read_anchors(config, error) &&
        cn_bear_read_pins(config, error)) {
        return config;
    }
    cn_bear_config_free(config);
    return NULL;
}

CN_PRIVATE void cn_bear_config_free(void *arg) {
    cn_bear_config_t *config = (cn_bear_config_t *)arg;
    size_t i;
    for (i = 0; i < CN_BEAR_SPARE_BUFFERS; i++)
        cn_mem_release(config->allocator, config->spare_buffers[i]);
    cn_bear_cache_free(&config->cache);
    cn_arena_wipe(&config->arena); /* there are keys in it */
    connect_arena_free(&config->arena);
    cn_mem_release(config->allocator, config);
}
#endif
