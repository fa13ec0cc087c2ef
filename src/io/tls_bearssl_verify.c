#include "io/tls_bearssl.h"
#include "base/mem.h"
#include "base/str.h"

#if CONNECT_ENABLE_TLS
/* The checks of a peer's certificates: BearSSL's own ("minimal": chain, signatures, dates, host name, key size), in a
   class that adds what it lacks: IP addresses, key usage, plain and extended, pins, and words for what is wrong.

   The engine gives the chain piece by piece: start_chain, for each certificate start_cert, append ..., end_cert, then
   end_chain, whose result is the verdict. All is handed on and also kept, as the texts, the user, and pins need it.
   For an address the inner class is given no name (it would compare it as a host name), and it is looked for here.
   insecure_no_verify: only the key is read out of the first certificate, by a decoder.

   Verdict: the inner class's, BR_ERR_X509_; what is found here has the number that fits best. The text names the
   certificate: the peer's own by the name that was asked for, others by their subject. */

#define CN_BEAR_CHAIN_BYTES (64u * 1024)
#define CN_BEAR_RSA_MIN_BYTES 256
#define CN_BEAR_DAYS_TO_1970 719528

typedef struct cn_bear_text_t { /* a failure in the making */
    cn_bear_verifier_t *verifier;
    connect_arena_t arena;
    char first[1024];
    cn_x509_t certs[16];
    size_t count;
} cn_bear_text_t;

static connect_str_t cn_bear_chain_item(const cn_bear_verifier_t *v, size_t i) {
    size_t end = i + 1 < v->count ? v->starts[i + 1] : cn_buf_len(&v->chain);
    return cn_str(cn_buf_view(&v->chain).data + v->starts[i], end - v->starts[i]);
}

/* ---- Texts ---- */

static const char *cn_bear_or(connect_str_t text) {
    return text.data && text.len ? text.data : "(no name)";
}

/* Whose certificate it is. */
static const char *cn_bear_whose(cn_bear_text_t *text, size_t i) {
    if (i == 0 && text->verifier->server_name[0]) return text->verifier->server_name;
    return cn_bear_or(cn_x509_common_name(text->certs[i].subject, &text->arena));
}

static void cn_bear_say(cn_bear_text_t *text, const char *format, ...) CONNECT_PRINTF(2, 3);
static void cn_bear_say(cn_bear_text_t *text, const char *format, ...) {
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(text->verifier->failure, sizeof text->verifier->failure, format, arguments);
    va_end(arguments);
}

static void cn_bear_say_dates(cn_bear_text_t *text) {
    int64_t now = cn_bear_now(text->verifier->config);
    char date[16], today[16];
    size_t i;
    for (i = 0; i < text->count; i++) {
        if (now > text->certs[i].not_after) {
            cn_bear_say(text, "certificate of %s expired on %s", cn_bear_whose(text, i),
                cn_x509_date(date, text->certs[i].not_after));
            return;
        }
        if (now < text->certs[i].not_before) {
            cn_bear_say(text, "certificate of %s is not valid before %s (the clock here says %s)",
                cn_bear_whose(text, i), cn_x509_date(date, text->certs[i].not_before), cn_x509_date(today, now));
            return;
        }
    }
    cn_bear_say(text, "a certificate has expired or is not valid yet");
}

static void cn_bear_say_names(cn_bear_text_t *text) {
    connect_str_list_t names = {NULL, 0};
    char list[128] = "";
    size_t i, len = 0;
    cn_x509_names(&text->certs[0], &text->arena, &names);
    for (i = 0; i < names.count && len + 8 < sizeof list; i++) {
        const char *colon = names.items[i].data ? strchr(names.items[i].data, ':') : NULL;
        if (!colon) continue;
        if (cn_str_starts(names.items[i], CN_STR("CN:"))) {
            if (!len) snprintf(list, sizeof list, "none but the CN %s, which does not count", colon + 1);
            continue;
        }
        len += (size_t)CN_MAX(snprintf(list + len, sizeof list - len, "%s%s", len ? ", " : "", colon + 1), 0);
    }
    if (len >= sizeof list) memcpy(list + sizeof list - 4, "...", 4);
    cn_bear_say(text, "no name in the certificate matches %s (it has %s)", text->verifier->server_name,
        list[0] ? list : "none");
}

static bool cn_bear_has_anchor_named(const cn_bear_config_t *config, connect_str_t name) {
    size_t i;
    for (i = 0; i < config->anchor_count; i++) {
        const br_x500_name *dn = &config->anchors[i].dn;
        if (dn->len >= name.len && name.len && memcmp(dn->data + dn->len - name.len, name.data, name.len) == 0)
            return true;
    }
    return false;
}

static void cn_bear_say_untrusted(cn_bear_text_t *text) {
    const cn_bear_config_t *config = text->verifier->config;
    const cn_x509_t *last = &text->certs[text->count - 1];
    char skipped[48] = "";
    if (config->anchors_skipped) snprintf(skipped, sizeof skipped, "; %zu skipped", config->anchors_skipped);
    if (connect_str_equal(last->issuer, last->subject))
        cn_bear_say(text, "certificate of %s is self-signed and none of the trust anchors (%zu%s)",
            cn_bear_whose(text, text->count - 1), config->anchor_count, skipped);
    else if (cn_bear_has_anchor_named(config, last->issuer))
        cn_bear_say(text, "certificate of %s is signed by another %s than the one among the trust anchors",
            cn_bear_whose(text, text->count - 1), cn_bear_or(cn_x509_name_text(last->issuer, &text->arena)));
    else
        cn_bear_say(text, "certificate of %s is signed by %s, which is none of the trust anchors (%zu%s)",
            cn_bear_whose(text, text->count - 1), cn_bear_or(cn_x509_name_text(last->issuer, &text->arena)),
            config->anchor_count, skipped);
}

static void cn_bear_say_unsupported(cn_bear_text_t *text) {
    static const unsigned char sha1_rsa[] = {0x2A, 0x86, 0x48, 0x86, 0xF7, 0x0D, 0x01, 0x01, 0x05};
    static const unsigned char sha1_ec[] = {0x2A, 0x86, 0x48, 0xCE, 0x3D, 0x04, 0x01};
    size_t i;
    for (i = 0; i < text->count; i++) {
        connect_str_t oid = text->certs[i].signature_oid;
        if ((oid.len == sizeof sha1_rsa && memcmp(oid.data, sha1_rsa, oid.len) == 0) ||
            (oid.len == sizeof sha1_ec && memcmp(oid.data, sha1_ec, oid.len) == 0)) {
            cn_bear_say(text, "certificate of %s is signed with SHA-1", cn_bear_whose(text, i));
            return;
        }
    }
    cn_bear_say(
        text, "certificate of %s has a key or signature of a kind that BearSSL cannot use", cn_bear_whose(text, 0));
}

static void cn_bear_say_weak(cn_bear_text_t *text) {
    size_t i;
    for (i = 0; i < text->count; i++) {
        if (text->certs[i].rsa_bits == 0 || text->certs[i].rsa_bits >= 8 * CN_BEAR_RSA_MIN_BYTES) continue;
        cn_bear_say(text, "certificate of %s has an RSA key of %u bits, less than 2048", cn_bear_whose(text, i),
            text->certs[i].rsa_bits);
        return;
    }
    cn_bear_say(text, "a certificate has a key that is too weak");
}

static void cn_bear_say_other(cn_bear_text_t *text, unsigned verdict) {
    const char *whose = cn_bear_whose(text, 0);
    switch (verdict) {
    case BR_ERR_X509_BAD_SIGNATURE:
        cn_bear_say(text, "certificate of %s, or one that it rests on, has a bad signature", whose);
        return;
    case BR_ERR_X509_DN_MISMATCH:
        cn_bear_say(text, "the certificates of %s are not in order: each must be signed by the next", whose);
        return;
    case BR_ERR_X509_CRITICAL_EXTENSION:
        cn_bear_say(text, "certificate of %s has a critical extension that BearSSL does not know", whose);
        return;
    case BR_ERR_X509_NOT_CA: cn_bear_say(text, "certificate of %s is signed by one that is no CA", whose); return;
    case BR_ERR_X509_FORBIDDEN_KEY_USAGE:
        cn_bear_say(text, "the key usage of certificate of %s, or of one that it rests on, forbids this", whose);
        return;
    case BR_ERR_X509_LIMIT_EXCEEDED:
        cn_bear_say(text, "the certificates of %s are larger than 64 KiB, or more than 16", whose);
        return;
    case BR_ERR_X509_TIME_UNKNOWN:
        cn_bear_say(text, "the time is not known, so certificate of %s cannot be checked", whose);
        return;
    default: cn_bear_say(text, "certificate of %s cannot be read (BearSSL %u)", whose, verdict);
    }
}

static void cn_bear_describe(cn_bear_verifier_t *v, unsigned verdict) {
    cn_bear_text_t text;
    memset(&text, 0, sizeof text);
    text.verifier = v;
    if (v->failure[0]) return;
    if (v->count == 0) {
        snprintf(v->failure, sizeof v->failure,
            v->is_server ? "the client sent no certificate (client_auth requires one)"
                         : "the server sent no certificate");
        return;
    }
    connect_arena_init(&text.arena, text.first, sizeof text.first, v->config->allocator);
    for (; text.count < v->count; text.count++) {
        if (cn_x509_parse(&text.certs[text.count], cn_bear_chain_item(v, text.count))) continue;
        memset(&text.certs[text.count], 0, sizeof text.certs[0]);
        if (text.count == 0) break;
    }
    if (text.count == 0)
        snprintf(v->failure, sizeof v->failure, "the peer's certificate is no X.509 certificate");
    else if (verdict == BR_ERR_X509_EXPIRED)
        cn_bear_say_dates(&text);
    else if (verdict == BR_ERR_X509_BAD_SERVER_NAME)
        cn_bear_say_names(&text);
    else if (verdict == BR_ERR_X509_NOT_TRUSTED)
        cn_bear_say_untrusted(&text);
    else if (verdict == BR_ERR_X509_UNSUPPORTED)
        cn_bear_say_unsupported(&text);
    else if (verdict == BR_ERR_X509_WEAK_PUBLIC_KEY)
        cn_bear_say_weak(&text);
    else
        cn_bear_say_other(&text, verdict);
    connect_arena_free(&text.arena);
}

CN_PRIVATE unsigned char cn_bear_verifier_alert(unsigned verdict) {
    switch (verdict) {
    case BR_ERR_X509_EXPIRED: return BR_ALERT_CERTIFICATE_EXPIRED;
    case BR_ERR_X509_NOT_TRUSTED: return BR_ALERT_UNKNOWN_CA;
    case BR_ERR_X509_EMPTY_CHAIN: return BR_ALERT_HANDSHAKE_FAILURE;
    case BR_ERR_X509_UNSUPPORTED:
    case BR_ERR_X509_CRITICAL_EXTENSION:
    case BR_ERR_X509_FORBIDDEN_KEY_USAGE: return BR_ALERT_UNSUPPORTED_CERTIFICATE;
    default: return BR_ALERT_BAD_CERTIFICATE;
    }
}

/* ---- What BearSSL does not check ---- */

static void cn_bear_sha256(unsigned char hash[CN_BEAR_PIN], connect_str_t bytes) {
    br_sha256_context sha;
    br_sha256_init(&sha);
    br_sha256_update(&sha, bytes.data, bytes.len);
    br_sha256_out(&sha, hash);
}

static bool cn_bear_is_pinned(const cn_bear_config_t *config, connect_str_t spki) {
    unsigned char hash[CN_BEAR_PIN];
    size_t i;
    cn_bear_sha256(hash, spki);
    for (i = 0; i < config->pin_count; i++)
        if (memcmp(config->pins[i], hash, sizeof hash) == 0) return true;
    return false;
}

static unsigned cn_bear_check_usage(cn_bear_verifier_t *v, const cn_x509_t *leaf) {
    bool is_allowed = cn_x509_allows(leaf, v->is_server ? CN_X509_CLIENT_AUTH : CN_X509_SERVER_AUTH);
    unsigned usages = 0;
    char first[96];
    const char *whose = v->server_name;
    connect_arena_t arena;
    v->inner.vtable->get_pkey(&v->inner.vtable, &usages);
    if (is_allowed && (usages & BR_KEYTYPE_SIGN)) return 0; /* all suites are of ECDHE: both ends sign */
    connect_arena_init(&arena, first, sizeof first, NULL);
    if (v->is_server || !whose[0]) whose = cn_bear_or(cn_x509_common_name(leaf->subject, &arena));
    if (is_allowed)
        snprintf(v->failure, sizeof v->failure, "the key usage of certificate of %s forbids this", whose);
    else
        snprintf(v->failure, sizeof v->failure, "certificate of %s is not made for %s (extended key usage)", whose,
            v->is_server ? "clients" : "servers");
    return BR_ERR_X509_FORBIDDEN_KEY_USAGE;
}

static unsigned cn_bear_check_own(cn_bear_verifier_t *v, const cn_x509_t *leaf) {
    unsigned char address[16];
    size_t len = v->is_server ? 0 : cn_x509_address(v->server_name, address);
    if (!v->config->options->insecure_no_verify || v->is_server) {
        const bool is_named = !v->is_server && v->server_name[0];
        unsigned verdict;
        if (is_named && !leaf->alt_names.data) return BR_ERR_X509_BAD_SERVER_NAME; /* RFC 9525 6.3: CN is no name */
        if (len && !cn_x509_has_address(leaf, address, len)) return BR_ERR_X509_BAD_SERVER_NAME;
        verdict = cn_bear_check_usage(v, leaf);
        if (verdict) return verdict;
    }
    if (v->config->pin_count && !cn_bear_is_pinned(v->config, leaf->spki)) {
        snprintf(v->failure, sizeof v->failure, "the peer's key is none of the %zu pinned ones (pins)",
            v->config->pin_count);
        return BR_ERR_X509_NOT_TRUSTED;
    }
    return 0;
}

/* Keeps the chain beyond the handshake. Returns false: out of memory. */
static bool cn_bear_keep_peer(cn_bear_verifier_t *v, bool is_verified) {
    static const char hex[] = "0123456789abcdef";
    const connect_allocator_t *allocator = v->config->allocator;
    size_t head = sizeof(cn_bear_peer_t) + v->count * sizeof(connect_str_t), i;
    unsigned char hash[CN_BEAR_PIN];
    cn_bear_peer_t *peer = (cn_bear_peer_t *)cn_mem_acquire(allocator, head + cn_buf_len(&v->chain));
    char *bytes = (char *)peer + head;
    if (!peer) return false;
    memcpy(bytes, cn_buf_view(&v->chain).data, cn_buf_len(&v->chain));
    peer->refs = 1;
    peer->allocator = allocator;
    peer->is_verified = is_verified;
    peer->not_after = INT64_MAX;
    peer->count = v->count;
    for (i = 0; i < v->count; i++) {
        cn_x509_t cert;
        peer->certificates[i] = cn_str(bytes + v->starts[i], cn_bear_chain_item(v, i).len);
        if (cn_x509_parse(&cert, peer->certificates[i])) peer->not_after = CN_MIN(peer->not_after, cert.not_after);
    }
    cn_bear_sha256(hash, peer->certificates[0]);
    for (i = 0; i < sizeof hash; i++) {
        peer->fingerprint[2 * i] = hex[hash[i] >> 4];
        peer->fingerprint[2 * i + 1] = hex[hash[i] & 15];
    }
    v->peer = peer;
    return true;
}

/* ---- The class ---- */

static cn_bear_verifier_t *cn_bear_verifier_of(const br_x509_class **ctx) {
    return CN_CONTAINER(ctx, cn_bear_verifier_t, vtable);
}

static bool cn_bear_is_insecure(const cn_bear_verifier_t *v) {
    return !v->is_server && v->config->options->insecure_no_verify;
}

static void cn_bear_start_chain(const br_x509_class **ctx, const char *server_name) {
    cn_bear_verifier_t *v = cn_bear_verifier_of(ctx);
    v->was_asked = true;
    if (cn_bear_is_insecure(v))
        br_x509_decoder_init(&v->decoder, NULL, NULL);
    else
        v->inner.vtable->start_chain(&v->inner.vtable, v->is_server ? NULL : server_name);
}

static void cn_bear_start_cert(const br_x509_class **ctx, uint32_t length) {
    cn_bear_verifier_t *v = cn_bear_verifier_of(ctx);
    if (v->count == CN_LEN(v->starts) || length > CN_BEAR_CHAIN_BYTES - cn_buf_len(&v->chain))
        v->verdict = BR_ERR_X509_LIMIT_EXCEEDED;
    else
        v->starts[v->count++] = cn_buf_len(&v->chain);
    if (!cn_bear_is_insecure(v)) v->inner.vtable->start_cert(&v->inner.vtable, length);
}

static void cn_bear_append(const br_x509_class **ctx, const unsigned char *bytes, size_t len) {
    cn_bear_verifier_t *v = cn_bear_verifier_of(ctx);
    if (v->verdict == 0 && !cn_buf_append(&v->chain, v->config->allocator, bytes, len)) {
        snprintf(v->failure, sizeof v->failure, "out of memory");
        v->verdict = BR_ERR_X509_LIMIT_EXCEEDED;
    }
    if (!cn_bear_is_insecure(v))
        v->inner.vtable->append(&v->inner.vtable, bytes, len);
    else if (v->count == 1)
        br_x509_decoder_push(&v->decoder, bytes, len);
}

static void cn_bear_end_cert(const br_x509_class **ctx) {
    cn_bear_verifier_t *v = cn_bear_verifier_of(ctx);
    if (!cn_bear_is_insecure(v)) v->inner.vtable->end_cert(&v->inner.vtable);
}

static unsigned cn_bear_end_chain(const br_x509_class **ctx) {
    cn_bear_verifier_t *v = cn_bear_verifier_of(ctx);
    unsigned verdict = v->verdict;
    cn_x509_t leaf;
    if (verdict == 0)
        verdict = cn_bear_is_insecure(v) ? (unsigned)br_x509_decoder_last_error(&v->decoder)
                                         : v->inner.vtable->end_chain(&v->inner.vtable);
    if (v->count == 0) verdict = BR_ERR_X509_EMPTY_CHAIN;
    if (verdict == 0)
        verdict =
            cn_x509_parse(&leaf, cn_bear_chain_item(v, 0)) ? cn_bear_check_own(v, &leaf) : BR_ERR_X509_INVALID_VALUE;
    if (verdict) cn_bear_describe(v, verdict);
    if (verdict == 0 && !cn_bear_keep_peer(v, !cn_bear_is_insecure(v))) {
        snprintf(v->failure, sizeof v->failure, "out of memory");
        verdict = BR_ERR_X509_LIMIT_EXCEEDED;
    }
    v->verdict = verdict;
    return verdict;
}

static const br_x509_pkey *cn_bear_get_pkey(const br_x509_class *const *ctx, unsigned *usages) {
    const cn_bear_verifier_t *v =
        (const cn_bear_verifier_t *)(const void *)((const char *)ctx - offsetof(cn_bear_verifier_t, vtable));
    if (v->verdict) return NULL;
    if (!cn_bear_is_insecure(v)) return v->inner.vtable->get_pkey(&v->inner.vtable, usages);
    if (usages) *usages = BR_KEYTYPE_KEYX | BR_KEYTYPE_SIGN;
    return &v->decoder.pkey;
}

CN_PRIVATE void cn_bear_verifier_init(
    cn_bear_verifier_t *v, const cn_bear_config_t *config, bool is_server, const char *server_name) {
    static const br_x509_class vtable = {sizeof(cn_bear_verifier_t), cn_bear_start_chain, cn_bear_start_cert,
        cn_bear_append, cn_bear_end_cert, cn_bear_end_chain, cn_bear_get_pkey};
    br_x509_minimal_context *minimal = &v->inner.minimal;
    int64_t now = cn_bear_now(config);
    memset(v, 0, sizeof *v);
    v->vtable = &vtable;
    v->config = config;
    v->is_server = is_server;
    v->server_name = server_name;
    br_x509_minimal_init(minimal, &br_sha256_vtable, config->anchors, config->anchor_count);
    br_x509_minimal_set_rsa(minimal, br_rsa_pkcs1_vrfy_get_default());
    br_x509_minimal_set_ecdsa(minimal, br_ec_get_default(), br_ecdsa_vrfy_asn1_get_default());
    br_x509_minimal_set_hash(minimal, br_sha256_ID, &br_sha256_vtable);
    br_x509_minimal_set_hash(minimal, br_sha384_ID, &br_sha384_vtable);
    br_x509_minimal_set_hash(minimal, br_sha512_ID, &br_sha512_vtable);
    br_x509_minimal_set_minrsa(minimal, CN_BEAR_RSA_MIN_BYTES);
    if (now < 0) now = 0;
    br_x509_minimal_set_time(minimal, (uint32_t)(now / 86400 + CN_BEAR_DAYS_TO_1970), (uint32_t)(now % 86400));
}

CN_PRIVATE void cn_bear_verifier_free(cn_bear_verifier_t *v) {
    cn_buf_free(&v->chain, v->config->allocator);
    cn_bear_peer_release(v->peer);
    cn_mem_release(v->config->allocator, v);
}
#endif
