/* What TLS refuses: each of our engines at each end, against a peer that is OpenSSL with all its own checks off. A row is
   one thing that is wrong with the peer; it says with which words our end fails, and which alert the peer gets. What one
   of our ends does with the other is in test_tls.c, and what goes over sockets in tests/tls/peers.py. */
#define CONNECT_IMPLEMENTATION
#define CONNECT_OPENSSL_IMPLEMENTATION
#include "connect.h"
#include "connect_openssl.h"
#include "support.h"

#define CERTIFICATES "build/certificates/"
#define TODAY "<today>"

enum { BEARSSL, OPENSSL, ENGINES };
enum { NO_ALERT = -1 }; /* the peer refuses, or is no TLS */

typedef struct row {
    const char *wrong;       /* with the peer */
    const char *certificate; /* the peer's; NULL: none */
    int version;             /* the only one that the peer speaks; 0: all */
    const char *ciphers;     /* the only ones; NULL: all */
    const char *alpn;        /* as on the wire; NULL: h2 */
    bool insists;            /* a server, on a certificate; our client has none */
    const char *bytes;       /* all that it sends, if it is no TLS library */
    size_t bytes_len;
    const char *host;             /* that our client wants; NULL: localhost */
    const char *message[ENGINES]; /* of our end; the second NULL: the same; both NULL: all is well */
    int alert[ENGINES];           /* for the peer; the second 0: the same */
} row;

/* ---- The peer ---- */

typedef struct peer {
    SSL_CTX *ctx;
    SSL *ssl;
    BIO *in, *out;
    int alert;
} peer;

static int take_any(X509_STORE_CTX *store, void *arg) {
    (void)store;
    (void)arg;
    return 1;
}

static int choose_alpn(
    SSL *ssl, const unsigned char **out, unsigned char *len, const unsigned char *in, unsigned in_len, void *arg) {
    const char *own = (const char *)arg;
    unsigned char *chosen;
    (void)ssl;
    if (SSL_select_next_proto(&chosen, len, (const unsigned char *)own, (unsigned)strlen(own), in, in_len) !=
        OPENSSL_NPN_NEGOTIATED)
        return SSL_TLSEXT_ERR_ALERT_FATAL;
    *out = chosen;
    return SSL_TLSEXT_ERR_OK;
}

static void on_info(const SSL *ssl, int where, int value) {
    peer *p = (peer *)SSL_get_app_data(ssl);
    if ((where & SSL_CB_ALERT) && (where & SSL_CB_READ) && value >> 8 == SSL3_AL_FATAL) p->alert = value & 255;
}

static void peer_init(peer *p, const row *wrong, bool is_server) {
    static char alpn[] = "\2h2";
    char pem[128], key[128];
    memset(p, 0, sizeof *p);
    p->alert = NO_ALERT;
    p->ctx = SSL_CTX_new(TLS_method());
    assert_non_null(p->ctx);
    SSL_CTX_set_security_level(p->ctx, 0);
    SSL_CTX_set_info_callback(p->ctx, on_info);
    SSL_CTX_set_cert_verify_callback(p->ctx, take_any, NULL);
    if (wrong->version) {
        SSL_CTX_set_min_proto_version(p->ctx, wrong->version);
        SSL_CTX_set_max_proto_version(p->ctx, wrong->version);
    }
    if (wrong->ciphers) assert_int_equal(SSL_CTX_set_cipher_list(p->ctx, wrong->ciphers), 1);
    if (wrong->certificate) {
        snprintf(pem, sizeof pem, CERTIFICATES "%s.pem", wrong->certificate);
        snprintf(key, sizeof key, CERTIFICATES "%s.key", wrong->certificate);
        if (SSL_CTX_use_certificate_chain_file(p->ctx, pem) != 1 ||
            SSL_CTX_use_PrivateKey_file(p->ctx, key, SSL_FILETYPE_PEM) != 1)
            fail_msg("%s: OpenSSL cannot use it", pem);
    }
    SSL_CTX_set_alpn_select_cb(p->ctx, choose_alpn, wrong->alpn ? (void *)(uintptr_t)wrong->alpn : alpn);
    p->ssl = SSL_new(p->ctx);
    p->in = BIO_new(BIO_s_mem());
    p->out = BIO_new(BIO_s_mem());
    assert_true(p->ssl && p->in && p->out);
    SSL_set_bio(p->ssl, p->in, p->out);
    SSL_set_app_data(p->ssl, p);
    if (is_server) {
        SSL_set_accept_state(p->ssl);
        if (wrong->insists) SSL_set_verify(p->ssl, SSL_VERIFY_PEER | SSL_VERIFY_FAIL_IF_NO_PEER_CERT, NULL);
        return;
    }
    SSL_set_connect_state(p->ssl);
    if (wrong->alpn)
        SSL_set_alpn_protos(p->ssl, (const unsigned char *)wrong->alpn, (unsigned)strlen(wrong->alpn));
    else
        SSL_set_alpn_protos(p->ssl, (const unsigned char *)alpn, 3);
}

static void peer_free(peer *p) {
    SSL_free(p->ssl);
    SSL_CTX_free(p->ctx);
    ERR_clear_error();
}

static void peer_step(peer *p) {
    char byte;
    if (SSL_do_handshake(p->ssl) == 1) (void)SSL_read(p->ssl, &byte, 1);
    ERR_clear_error();
}

/* ---- Our end ---- */

static connect_tls_t *new_tls(int engine, bool is_server) {
    connect_tls_options_t options = CONNECT_DEFAULTS;
    connect_error_t error;
    connect_tls_t *tls;
    if (engine == OPENSSL) options.engine = connect_openssl_engine();
    options.trust_anchors = connect_str_of(CERTIFICATES "ca.pem");
    if (is_server) {
        options.identity.certificate = connect_str_of(CERTIFICATES "server.pem");
        options.identity.private_key = connect_str_of(CERTIFICATES "server.key");
        options.client_auth = CONNECT_CLIENT_AUTH_REQUIRED;
    }
    tls = connect_tls_new(&options, &error);
    if (!tls) fail_msg("%s", error.message.data);
    return tls;
}

/* Carries records between the two until nothing moves. Returns false: our end has failed. */
static bool run_handshake(cn_tls_t *ours, peer *p, const row *wrong, connect_error_t *error) {
    bool is_over = false, moved = true, is_said = false;
    char records[4096];
    while (moved) {
        int len;
        moved = false;
        cn_tls_collect(ours);
        if (cn_buf_len(&ours->out)) {
            connect_str_t out = cn_buf_view(&ours->out);
            if (!wrong->bytes)
                BIO_write(p->in, out.data, (int)out.len);
            else if (out.len == 7 && out.data[0] == 21) /* RFC 5246 7.2 */
                p->alert = out.data[6];
            cn_buf_clear(&ours->out);
            moved = true;
        }
        if (!wrong->bytes) peer_step(p);
        if (is_over) continue;
        if (wrong->bytes && !is_said) {
            cn_tls_take(ours, wrong->bytes, wrong->bytes_len);
            is_said = moved = true;
        }
        while (!wrong->bytes && (len = BIO_read(p->out, records, sizeof records)) > 0) {
            size_t taken = 0, now = 1;
            while (now && taken < (size_t)len) {
                now = cn_tls_take(ours, records + taken, (size_t)len - taken);
                taken += now;
            }
            moved = true;
        }
        is_over = !cn_tls_look(ours, error) || cn_tls_over(ours, error);
        moved = moved || is_over;
    }
    return !is_over;
}

static void check(const row *wrong, int engine, bool is_server) {
    const char *expected = wrong->message[engine] ? wrong->message[engine] : wrong->message[BEARSSL];
    const int alert = wrong->alert[engine] ? wrong->alert[engine] : wrong->alert[BEARSSL];
    connect_tls_t *tls = new_tls(engine, is_server);
    const char *today = expected ? strstr(expected, TODAY) : NULL, *who = is_server ? "server" : "client";
    connect_error_t error = CONNECT_DEFAULTS;
    char text[300], date[16];
    cn_tls_t *ours;
    peer p;
    bool is_well;
    ours = cn_tls_begin(tls, NULL, is_server,
        is_server         ? NULL
            : wrong->host ? wrong->host
                          : "localhost",
        "peer:1", false, true);
    assert_non_null(ours);
    peer_init(&p, wrong, !is_server);
    is_well = run_handshake(ours, &p, wrong, &error);
    if (is_well != (expected == NULL))
        fail_msg("engine %d as %s, %s: %s", engine, who, wrong->wrong, is_well ? "not refused" : error.message.data);
    if (is_well) {
        assert_true(ours->is_open && SSL_is_init_finished(p.ssl));
        assert_string_equal(ours->info.alpn, "h2");
        assert_true(ours->info.peer_verified);
    } else {
        snprintf(text, sizeof text, "%s", expected);
        if (today)
            snprintf(text, sizeof text, "%.*s%s%s", (int)(today - expected), expected,
                cn_x509_date(date, (int64_t)time(NULL)), today + sizeof TODAY - 1);
        if (error.code != CONNECT_UNAVAILABLE || strcmp(error.message.data, text) != 0 || p.alert != alert)
            fail_msg("engine %d as %s, %s: %s \"%s\", alert %d; not \"%s\", alert %d", engine, who, wrong->wrong,
                connect_code_name(error.code), error.message.data, p.alert, text, alert);
    }
    peer_free(&p);
    cn_tls_unref(ours);
    connect_tls_free(tls);
}

static void check_all(const row *rows, size_t count, bool is_server) {
    size_t i;
    int engine;
    for (engine = 0; engine < ENGINES; engine++)
        for (i = 0; i < count; i++)
            check(&rows[i], engine, is_server);
}

#define OF_LOCALHOST "certificate of localhost "
#define REFUSED "the server refused it: "
#define LEN(array) (sizeof(array) / sizeof *(array))

static void test_our_client(void **state) {
    static const char hello_1_1[] = "\26\3\2\0\52\2\0\0\46\3\2" /* RFC 4346 7.4.1.3 */
                                    "0123456789abcdef0123456789abcdef\0\300\11\0";
    static const row rows[] = {
        {.wrong = "nothing", .certificate = "server"},
        {.wrong = "nothing, with an intermediate", .certificate = "deep-chain"},
        {.wrong = "expired",
            .certificate = "expired",
            .message = {OF_LOCALHOST "expired on 2026-03-01"},
            .alert = {45}},
        {.wrong = "not valid yet",
            .certificate = "early",
            .message = {OF_LOCALHOST "is not valid before 2097-01-01 (the clock here says " TODAY ")"},
            .alert = {45, 42}},
        {.wrong = "another name",
            .certificate = "site-1",
            .message = {"no name in the certificate matches localhost (it has site-1.example, *.site-1.example)"},
            .alert = {42}},
        {.wrong = "another address",
            .certificate = "address",
            .host = "10.0.0.7",
            .message = {"no name in the certificate matches 10.0.0.7 (it has gw.local, 10.0.0.1)"},
            .alert = {42}},
        {.wrong = "another CA",
            .certificate = "server-other",
            .message = {OF_LOCALHOST "is signed by CN=Other CA, which is none of the trust anchors (1)"},
            .alert = {48}},
        {.wrong = "self-signed",
            .certificate = "self",
            .message = {OF_LOCALHOST "is self-signed and none of the trust anchors (1)"},
            .alert = {48}},
        {.wrong = "the intermediate is missing",
            .certificate = "deep",
            .message = {OF_LOCALHOST "is signed by CN=Test Issuing CA, which is none of the trust anchors (1)"},
            .alert = {48}},
        {.wrong = "key usage",
            .certificate = "usage", /* which this peer does not offer in TLS 1.2 */
            .message = {REFUSED "handshake failure (TLS alert 40)",
                "the key usage of certificate of localhost forbids this"},
            .alert = {NO_ALERT, 43}},
        {.wrong = "RSA with 1,024 bits",
            .certificate = "weak",
            .message = {OF_LOCALHOST "has an RSA key of 1024 bits, less than 2048"},
            .alert = {42}},
        {.wrong = "SHA-1", .certificate = "sha1", .message = {OF_LOCALHOST "is signed with SHA-1"}, .alert = {43, 42}},
        {.wrong = "a client's certificate",
            .certificate = "client-host",
            .message = {OF_LOCALHOST "is not made for servers (extended key usage)"},
            .alert = {43}},
        {.wrong = "it wants a certificate",
            .certificate = "server",
            .insists = true,
            .message = {REFUSED "handshake failure (TLS alert 40)", REFUSED "certificate required (TLS alert 116)"},
            .alert = {NO_ALERT}},
        {.wrong = "TLS 1.1 only",
            .certificate = "server",
            .version = TLS1_1_VERSION,
            .message = {REFUSED "handshake failure (TLS alert 40)", REFUSED "protocol version (TLS alert 70)"},
            .alert = {NO_ALERT}},
        {.wrong = "it answers in TLS 1.1",
            .bytes = hello_1_1,
            .bytes_len = sizeof hello_1_1 - 1,
            .message = {"TLS with the server failed: it does not speak TLS 1.2",
                "TLS with the server failed: it speaks neither TLS 1.2 nor 1.3"},
            .alert = {70}},
        {.wrong = "no suite in common",
            .certificate = "server-rsa",
            .version = TLS1_2_VERSION,
            .ciphers = "AES128-SHA256",
            .message = {REFUSED "handshake failure (TLS alert 40)"},
            .alert = {NO_ALERT}},
        {.wrong = "no protocol in common",
            .certificate = "server",
            .alpn = "\2h3",
            .message = {REFUSED "no application protocol (TLS alert 120)"},
            .alert = {NO_ALERT}},
        {.wrong = "garbage",
            .bytes = "\26\3\3\0\4\1\0\0\0",
            .bytes_len = 9,
            .message = {"TLS with the server failed: it sent what is no TLS, or out of order"},
            .alert = {10}},
    };
    static const row modern = {.wrong = "TLS 1.3 only",
        .certificate = "server",
        .version = TLS1_3_VERSION,
        .message = {REFUSED "protocol version (TLS alert 70)"},
        .alert = {NO_ALERT}};
    (void)state;
    check_all(rows, LEN(rows), false);
    check(&modern, BEARSSL, false);
}

static void test_our_server(void **state) {
    static const row rows[] = {
        {.wrong = "nothing", .certificate = "client"},
        {.wrong = "expired",
            .certificate = "late-client",
            .message = {"certificate of late-client expired on 2026-03-01"},
            .alert = {45}},
        {.wrong = "not valid yet",
            .certificate = "early",
            .message = {"certificate of early is not valid before 2097-01-01 (the clock here says " TODAY ")"},
            .alert = {45, 42}},
        {.wrong = "another CA",
            .certificate = "client-other",
            .message = {"certificate of stranger is signed by CN=Other CA, which is none of the trust anchors (1)"},
            .alert = {48}},
        {.wrong = "self-signed",
            .certificate = "self",
            .message = {"certificate of self is self-signed and none of the trust anchors (1)"},
            .alert = {48}},
        {.wrong = "the intermediate is missing",
            .certificate = "deep",
            .message = {"certificate of deep is signed by CN=Test Issuing CA, which is none of the trust anchors (1)"},
            .alert = {48}},
        {.wrong = "key usage",
            .certificate = "usage",
            .message = {"the key usage of certificate of usage forbids this"},
            .alert = {43}},
        {.wrong = "RSA with 1,024 bits",
            .certificate = "weak",
            .message = {"certificate of weak has an RSA key of 1024 bits, less than 2048"},
            .alert = {42}},
        {.wrong = "SHA-1",
            .certificate = "sha1",
            .message = {"certificate of sha1 is signed with SHA-1"},
            .alert = {43, 42}},
        {.wrong = "a server's certificate",
            .certificate = "not-for-clients",
            .message = {"certificate of a server is not made for clients (extended key usage)"},
            .alert = {43}},
        {.wrong = "no certificate",
            .message = {"the client sent no certificate (client_auth requires one)"},
            .alert = {40, 116}},
        {.wrong = "TLS 1.1 only",
            .certificate = "client",
            .version = TLS1_1_VERSION,
            .message = {"the client was refused: protocol version",
                "TLS with the client failed: it speaks neither TLS 1.2 nor 1.3"},
            .alert = {70}},
        {.wrong = "no suite in common",
            .certificate = "client",
            .version = TLS1_2_VERSION,
            .ciphers = "AES128-SHA256",
            .message = {"the client was refused: no cipher suite or curve in common"},
            .alert = {40}},
        {.wrong = "no protocol in common",
            .certificate = "client",
            .alpn = "\2h3",
            .message = {"the client was refused: no protocol in common (ALPN)"},
            .alert = {120}},
        {.wrong = "garbage",
            .bytes = "\26\3\1\0\5hello",
            .bytes_len = 10,
            .message = {"TLS with the client failed: it sent what is no TLS, or out of order"},
            .alert = {10}},
    };
    static const row modern = {.wrong = "TLS 1.3 only",
        .certificate = "client",
        .version = TLS1_3_VERSION,
        .message = {"the client was refused: no cipher suite or curve in common"},
        .alert = {40}}; /* its hello says TLS 1.2, but has only suites of 1.3 */
    (void)state;
    check_all(rows, LEN(rows), true);
    check(&modern, BEARSSL, true);
}

/* RFC 9113 9.2.1. The peer asks for it, and gets none; what it sees is no new handshake. */
static void test_renegotiation(void **state) {
    static const row rows[] = {{.wrong = "it renegotiates", .certificate = "client", .version = TLS1_2_VERSION},
        {.wrong = "it renegotiates", .certificate = "server", .version = TLS1_2_VERSION}};
    int engine, is_server;
    (void)state;
    for (engine = 0; engine < ENGINES; engine++)
        for (is_server = 0; is_server < 2; is_server++) {
            const row *wrong = &rows[is_server ? 0 : 1];
            connect_tls_t *tls = new_tls(engine, is_server != 0);
            cn_tls_t *ours = cn_tls_begin(tls, NULL, is_server != 0, "localhost", "peer:1", false, true);
            connect_error_t error;
            unsigned char finished[2][64];
            size_t len;
            peer p;
            peer_init(&p, wrong, !is_server);
            assert_true(run_handshake(ours, &p, wrong, &error));
            len = SSL_get_finished(p.ssl, finished[0], sizeof finished[0]);
            assert_true(len > 0);
            assert_int_equal(SSL_renegotiate(p.ssl), 1);
            run_handshake(ours, &p, wrong, &error);
            assert_int_equal(SSL_get_finished(p.ssl, finished[1], sizeof finished[1]), len);
            assert_memory_equal(finished[0], finished[1], len);
            peer_free(&p);
            cn_tls_unref(ours);
            connect_tls_free(tls);
        }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_our_client),
        cmocka_unit_test(test_our_server),
        cmocka_unit_test(test_renegotiation),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
