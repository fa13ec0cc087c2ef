/* TLS in memory: both ends over the pair, no sockets. Certificates are made by tests/tls/certificates.sh. */
#define CONNECT_IMPLEMENTATION
#include "connect.h"
#include "support.h"
#include "pair.h"

#define CERTIFICATES "build/certificates/"

/* The engines of the two ends. test_tls_openssl.c runs this list with OpenSSL at both, and at one of them. */
#ifdef TLS_WITH_OPENSSL
#include "connect_openssl.h"
static bool openssl_serves, openssl_calls;
#else
#define openssl_serves false
#define openssl_calls false
static const connect_tls_engine_t *connect_openssl_engine(void) {
    return NULL;
}
#endif
#define TLS_1_3 (openssl_serves && openssl_calls) /* else TLS 1.2, which is all that BearSSL speaks */

static connect_str_t file(const char *name) { /* its path; stays */
    static char paths[16][128];
    static size_t next;
    char *path = paths[next++ % 16];
    snprintf(path, 128, CERTIFICATES "%s", name);
    return connect_str_of(path);
}

static bytes content(const char *name) { /* of a file; free it */
    bytes b = {NULL, 0, 0};
    char piece[4096];
    size_t got;
    FILE *in = fopen(file(name).data, "rb");
    if (!in) fail_msg("no %s: sh tests/tls/certificates.sh build/certificates", name);
    while ((got = fread(piece, 1, sizeof piece, in)) > 0)
        bytes_add(&b, piece, got);
    fclose(in);
    return b;
}

/* ---- A server and a client with TLS ---- */

typedef struct tls_rig {
    pair p;
    connect_tls_options_t server, client;
    connect_tls_t *server_tls, *client_tls;
    connect_limits_t limits;
    const connect_allocator_t *allocator;
    const char *host;
    connect_http_version_t http;
    connect_protocol_t protocol;
    /* what the last call saw */
    int requests, closed;
    connect_code_t code;
    char message[300], subject[64], names[256], fingerprint[80], alpn[16], server_name[64], cipher[64];
    bool seen, verified, resumed, client_resumed, client_verified;
    char client_subject[64];
    size_t certificates, client_certificates;
    int answered;
} tls_rig;

static void copy_text(char *to, size_t room, const char *from) {
    snprintf(to, room, "%s", from);
}

static connect_code_t on_request(connect_call_t *call, const void *request, void *response, void *user) {
    tls_rig *r = (tls_rig *)user;
    const connect_tls_info_t *tls = connect_call_info(call)->peer.tls;
    size_t i, len = 0;
    r->requests++;
    r->seen = tls != NULL;
    if (tls) {
        copy_text(r->subject, sizeof r->subject, tls->peer_subject);
        copy_text(r->fingerprint, sizeof r->fingerprint, tls->peer_fingerprint);
        copy_text(r->alpn, sizeof r->alpn, tls->alpn);
        copy_text(r->server_name, sizeof r->server_name, tls->server_name);
        copy_text(r->cipher, sizeof r->cipher, tls->cipher);
        r->verified = tls->peer_verified;
        r->resumed = tls->resumed;
        r->certificates = tls->peer_certificates.count;
        r->names[0] = '\0';
        for (i = 0; i < tls->peer_names.count; i++)
            len += (size_t)snprintf(r->names + len, sizeof r->names - len, "%s;", tls->peer_names.items[i].data);
    }
    *(note *)response = *(const note *)request;
    return CONNECT_OK;
}

static connect_io_t on_echo(connect_call_t *call, const void *message, void *user) {
    (void)user;
    return connect_call_send(call, message);
}

static connect_io_t on_answer(connect_call_t *call, const void *message, void *user) {
    (void)call;
    (void)message;
    ((tls_rig *)user)->answered++;
    return CONNECT_IO_OK;
}

static void on_closed(connect_call_t *call, const connect_error_t *error, void *user) {
    tls_rig *r = (tls_rig *)user;
    const connect_tls_info_t *tls = connect_call_info(call)->peer.tls;
    r->closed++;
    r->code = error ? error->code : CONNECT_OK;
    snprintf(r->message, sizeof r->message, "%s", error ? error->message.data : "");
    if (tls) {
        r->client_resumed = tls->resumed;
        r->client_verified = tls->peer_verified;
        r->client_certificates = tls->peer_certificates.count;
        copy_text(r->client_subject, sizeof r->client_subject, tls->peer_subject);
    }
}

static void rig_init(tls_rig *r) {
    memset(r, 0, sizeof *r);
    pair_init(&r->p);
    r->host = "localhost";
    r->http = CONNECT_HTTP_2;
    r->server.identity.certificate = file("server.pem");
    r->server.identity.private_key = file("server.key");
    r->client.trust_anchors = file("ca.pem");
    if (openssl_serves) r->server.engine = connect_openssl_engine();
    if (openssl_calls) r->client.engine = connect_openssl_engine();
}

/* Makes both ends; returns false if memory ran out, or an option is refused: r->message says why. */
static bool rig_open(tls_rig *r) {
    static const connect_events_t events = {.on_request = on_request, .on_message = on_echo};
    connect_server_options_t server = CONNECT_DEFAULTS;
    connect_client_options_t client = CONNECT_DEFAULTS;
    const connect_events_t *thunks[4] = {&events, &events, &events, &events};
    connect_service_t service;
    connect_error_t error;
    char url[64];
    memset(&service, 0, sizeof service);
    service.full_name = "test.v1.Notes";
    service.methods = note_method_list;
    service.thunks = thunks;
    service.method_count = 4;
    service.handlers_size = 1;
    r->server.allocator = r->client.allocator = r->allocator;
    if (!r->server_tls) r->server_tls = connect_tls_new(&r->server, &error);
    if (r->server_tls && !r->client_tls) r->client_tls = connect_tls_new(&r->client, &error);
    server.allocator = client.allocator = r->allocator;
    server.limits = client.limits = r->limits;
    r->p.listen.tls = r->server_tls;
    if (r->client_tls) r->p.server = connect_server_new(&server, &error);
    if (r->p.server && !connect_server_add_service(r->p.server, &service, "", r, NULL, &error)) {
        snprintf(r->message, sizeof r->message, "%s", error.message.data);
        return false;
    }
    client.tls = r->client_tls;
    client.http = r->http;
    client.protocol = r->protocol;
    client.dial = pair_dial;
    client.user = &r->p;
    snprintf(url, sizeof url, "https://%s", r->host);
    if (r->p.server) r->p.client = connect_client_new(url, &client, &error);
    if (!r->p.client) snprintf(r->message, sizeof r->message, "%s", error.message.data);
    return r->p.client != NULL;
}

static void rig_close(tls_rig *r) {
    pair_free(&r->p);
    connect_tls_free(r->client_tls);
    connect_tls_free(r->server_tls);
    r->client_tls = r->server_tls = NULL;
}

/* One unary call; returns its code. */
static connect_code_t rig_call(tls_rig *r) {
    static const connect_events_t events = {.on_message = on_answer, .on_closed = on_closed};
    note request;
    connect_call_t *call;
    connect_error_t error;
    int closed = r->closed, i;
    memset(&request, 0, sizeof request);
    request.text = connect_str_of("hello");
    r->seen = false;
    r->message[0] = '\0';
    call = connect_client_start(r->p.client, &note_methods[0], &events, r, NULL, &error);
    if (!call) {
        snprintf(r->message, sizeof r->message, "%s", error.message.data);
        return error.code;
    }
    connect_call_finish(call, CONNECT_OK, &request);
    pair_pump(&r->p);
    for (i = 0; i < 600 && r->closed == closed; i++)
        pair_advance(&r->p, 100);
    if (r->closed != closed + 1) fail_msg("the call never ended");
    return r->code;
}

/* Closes the connections, so that the next call has another. */
static void rig_hang_up(tls_rig *r) {
    pair_close(&r->p);
}

static void expect_ok(tls_rig *r) {
    connect_code_t code = rig_call(r);
    if (code != CONNECT_OK) fail_msg("%s: %s", connect_code_name(code), r->message);
    assert_true(r->seen);
}

static void expect_refused(tls_rig *r, const char *message) {
    connect_code_t code;
    int requests;
    if (!rig_open(r)) fail_msg("%s", r->message);
    requests = r->requests;
    code = rig_call(r);
    if (code != CONNECT_UNAVAILABLE || strcmp(r->message, message) != 0)
        fail_msg("%s: \"%s\", not unavailable: \"%s\"", connect_code_name(code), r->message, message);
    assert_int_equal(r->requests, requests);
    rig_close(r);
}

/* ---- What works ---- */

static void test_identities(void **state) {
    static const char *const forms[][2] = {{"server.pem", "server.key"}, {"server.der", "server-key.der"},
        {"server.pem", "server-sec1.key"}, {"server.der", "server-sec1.der"}, {"server-all.pem", "server-all.pem"},
        {"server-rsa.pem", "server-rsa.key"}, {"server-rsa.pem", "server-pkcs1.key"},
        {"server-rsa.pem", "server-pkcs1.der"}, {"server-384.pem", "server-384.key"},
        {"server-521.pem", "server-521.key"}, {"deep-chain.pem", "deep.key"}, {"any.pem", "any.key"}};
    size_t i;
    (void)state;
    for (i = 0; i < sizeof forms / sizeof *forms; i++) {
        int in_memory;
        for (in_memory = 0; in_memory < 2; in_memory++) {
            bytes certificate = content(forms[i][0]), key = content(forms[i][1]);
            tls_rig r;
            rig_init(&r);
            r.http = (connect_http_version_t)(1 + i % 2);
            r.server.identity.certificate = file(forms[i][0]);
            r.server.identity.private_key = file(forms[i][1]);
            if (in_memory) {
                r.server.identity.certificate = (connect_str_t){certificate.data, certificate.len};
                r.server.identity.private_key = (connect_str_t){key.data, key.len};
            }
            if (!rig_open(&r)) fail_msg("%s: %s", forms[i][0], r.message);
            expect_ok(&r);
            assert_string_equal(r.alpn, r.http == CONNECT_HTTP_2 ? "h2" : "http/1.1");
            assert_string_equal(r.server_name, "localhost");
            assert_int_equal(r.certificates, 0);
            assert_false(r.verified);
            assert_true(r.client_verified);
            assert_int_equal(r.client_certificates, strcmp(forms[i][0], "deep-chain.pem") == 0 ? 2 : 1);
            rig_close(&r);
            bytes_free(&certificate);
            bytes_free(&key);
        }
    }
}

static void test_names(void **state) {
    static const char *const good[] = {
        "localhost", "LOCALHOST", "gw.local", "a.wild.example", "127.0.0.1", "[::1]:8443", "127.0.0.1:8443"};
    size_t i;
    (void)state;
    for (i = 0; i < sizeof good / sizeof *good; i++) {
        tls_rig r;
        rig_init(&r);
        r.host = good[i];
        assert_true(rig_open(&r));
        expect_ok(&r);
        assert_true(r.client_verified);
        if (i >= 4) assert_string_equal(r.server_name, "");
        rig_close(&r);
    }
}

static void test_protocols(void **state) {
    pair_kind kind;
    size_t i = 0;
    (void)state;
    while (pair_next(&kind, &i)) {
        tls_rig r;
        if (kind.kind != CONNECT_UNARY || strcmp(kind.codec, "proto") != 0) continue;
        rig_init(&r);
        r.http = kind.http;
        r.protocol = kind.protocol;
        r.p.mode = (pair_mode)(i % 3);
        assert_true(rig_open(&r));
        expect_ok(&r);
        expect_ok(&r);
        assert_int_equal(r.p.dials, 1);
        rig_close(&r);
    }
}

/* By ALPN: the best that both have. */
static void test_alpn(void **state) {
    static const struct {
        const char *server, *client, *chosen;
    } rows[] = {{NULL, NULL, "h2"}, {"http/1.1", NULL, "http/1.1"}, {NULL, "http/1.1", "http/1.1"},
        {"http/1.1,h2", NULL, "http/1.1"}, {"h2", "http/1.1,h2", "h2"}};
    size_t i;
    (void)state;
    for (i = 0; i < sizeof rows / sizeof *rows; i++) {
        tls_rig r;
        rig_init(&r);
        r.http = (connect_http_version_t)0;
        r.server.alpn = rows[i].server;
        r.client.alpn = rows[i].client;
        assert_true(rig_open(&r));
        expect_ok(&r);
        assert_string_equal(r.alpn, rows[i].chosen);
        rig_close(&r);
    }
}

static void test_choice_by_name(void **state) {
    static const struct {
        const char *host, *subject;
    } rows[] = {{"localhost", "O=Acme, CN=gw"}, {"site-1.example", "CN=site-1"}, {"x.site-1.example", "CN=site-1"},
        {"127.0.0.1", "O=Acme, CN=gw"}, {"elsewhere.example", NULL}};
    size_t i;
    (void)state;
    for (i = 0; i < sizeof rows / sizeof *rows; i++) {
        connect_identity_t more[2];
        tls_rig r;
        rig_init(&r);
        more[0].certificate = file("server-rsa.pem");
        more[0].private_key = file("server-rsa.key");
        more[1].certificate = file("site-1.pem");
        more[1].private_key = file("site-1.key");
        r.server.more = more;
        r.server.more_count = 2;
        r.host = rows[i].host;
        if (!rows[i].subject) {
            expect_refused(&r,
                "TLS with elsewhere.example:443: no name in the certificate matches elsewhere.example (it has "
                "localhost, gw.local, *.wild.example, 127.0.0.1, ::1)");
            continue;
        }
        assert_true(rig_open(&r));
        expect_ok(&r);
        assert_string_equal(r.client_subject, rows[i].subject);
        rig_close(&r);
    }
}

/* ---- What is refused ---- */

static void test_bad_servers(void **state) {
    static const struct {
        const char *name, *host, *message;
    } rows[] = {
        {"expired", "localhost", "certificate of localhost expired on 2026-03-01"},
        {"address", "10.0.0.7", "no name in the certificate matches 10.0.0.7 (it has gw.local, 10.0.0.1)"},
        {"address", "10.0.0.11", "no name in the certificate matches 10.0.0.11 (it has gw.local, 10.0.0.1)"},
        {"address", "localhost", "no name in the certificate matches localhost (it has gw.local, 10.0.0.1)"},
        {"server", "b.a.wild.example",
            "no name in the certificate matches b.a.wild.example (it has localhost, gw.local, *.wild.example, "
            "127.0.0.1, ::1)"},
        {"server-other", "localhost",
            "certificate of localhost is signed by CN=Other CA, which is none of the trust anchors (1)"},
        {"self", "localhost", "certificate of localhost is self-signed and none of the trust anchors (1)"},
        {"deep", "localhost",
            "certificate of localhost is signed by CN=Test Issuing CA, which is none of the trust anchors (1)"},
        {"impostor-leaf", "localhost",
            "certificate of localhost is signed by another O=Acme, CN=Test CA than the one among the trust anchors"},
        {"client", "localhost", NULL},
        {"usage", "localhost", "the key usage of certificate of localhost forbids this"},
        {"sha1", "localhost", "certificate of localhost is signed with SHA-1"},
        {"early", "localhost", "certificate of localhost is not valid before 2097-01-01 (the clock here says "},
        {"nameless", "localhost",
            "no name in the certificate matches localhost (it has none but the CN localhost, which does not count)"},
        {"by-leaf-chain", "localhost",
            "the key usage of certificate of localhost, or of one that it rests on, forbids this"},
    };
    size_t i;
    (void)state;
    for (i = 0; i < sizeof rows / sizeof *rows; i++) {
        char pem[64], key[64], expected[300], today[16];
        tls_rig r;
        rig_init(&r);
        snprintf(pem, sizeof pem, "%s.pem", rows[i].name);
        snprintf(key, sizeof key, "%.*s.key", (int)(strstr(rows[i].name, "-chain") ? strlen(rows[i].name) - 6 : 63),
            rows[i].name);
        r.server.identity.certificate = file(pem);
        r.server.identity.private_key = file(key);
        r.host = rows[i].host;
        snprintf(expected, sizeof expected, "TLS with %s:443: %s", rows[i].host,
            rows[i].message ? rows[i].message
                            : "no name in the certificate matches localhost (it has dash.local, "
                              "spiffe://site-1/dashboard, a@b.example)");
        if ((strcmp(rows[i].name, "sha1") == 0 && openssl_serves) ||
            (strcmp(rows[i].name, "usage") == 0 && openssl_serves && !openssl_calls)) /* does not even show it */
            snprintf(expected, sizeof expected,
                "TLS with localhost:443: the server refused it: handshake failure (TLS alert 40)");
        if (strcmp(rows[i].name, "client") == 0 && openssl_calls) /* looks at that first */
            snprintf(expected, sizeof expected,
                "TLS with localhost:443: certificate of localhost is not made for servers (extended key usage)");
        if (strcmp(rows[i].name, "by-leaf-chain") == 0 && openssl_calls) /* knows which one it is */
            snprintf(expected, sizeof expected,
                "TLS with localhost:443: certificate of gw signed another, which its key usage forbids");
        if (strcmp(rows[i].name, "early") == 0) {
            strcat(expected, cn_x509_date(today, (int64_t)time(NULL)));
            strcat(expected, ")");
        }
        expect_refused(&r, expected);
    }
}

static int64_t a_clock(void *user) {
    return *(const int64_t *)user;
}

static void test_clock(void **state) {
    int64_t now = 0;
    tls_rig r;
    (void)state;
    rig_init(&r);
    r.client.clock = a_clock;
    r.client.user = &now;
    r.server.identity.certificate = file("expired.pem");
    r.server.identity.private_key = file("expired.key");
    now = 1767225600; /* 2026-01-01 */
    assert_true(rig_open(&r));
    expect_ok(&r);
    rig_close(&r);
    now = 1772366400; /* 2026-03-01 12:00 */
    assert_true(rig_open(&r));
    expect_ok(&r);
    rig_close(&r);
    now++;
    expect_refused(&r, "TLS with localhost:443: certificate of localhost expired on 2026-03-01");
    now = 1767225599;
    expect_refused(&r,
        "TLS with localhost:443: certificate of localhost is not valid before 2026-01-01 (the clock here says "
        "2025-12-31)");
}

static void test_alpn_mismatch(void **state) {
    tls_rig r;
    (void)state;
    rig_init(&r);
    r.server.alpn = "http/1.1";
    expect_refused(&r, "TLS with localhost:443: the server refused it: no application protocol (TLS alert 120)");
    rig_init(&r);
    r.server.alpn = "h2";
    r.http = CONNECT_HTTP_1;
    expect_refused(&r, "TLS with localhost:443: the server refused it: no application protocol (TLS alert 120)");
}

/* ---- Client certificates ---- */

static void set_client(tls_rig *r, const char *name) {
    char pem[64], key[64];
    snprintf(pem, sizeof pem, "%s.pem", name);
    snprintf(key, sizeof key, "%s.key", name);
    r->client.identity.certificate = file(pem);
    r->client.identity.private_key = file(key);
}

static void test_client_certificates(void **state) {
    bytes fingerprint = content("client.fingerprint");
    int auth;
    (void)state;
    for (auth = CONNECT_CLIENT_AUTH_NONE; auth <= CONNECT_CLIENT_AUTH_REQUIRED; auth++) {
        tls_rig r;
        rig_init(&r);
        r.server.client_auth = (connect_client_auth_t)auth;
        r.server.trust_anchors = file("ca.pem");
        set_client(&r, "client");
        assert_true(rig_open(&r));
        expect_ok(&r);
        if (auth == CONNECT_CLIENT_AUTH_NONE) {
            assert_int_equal(r.certificates, 0);
        } else {
            assert_true(r.verified);
            assert_int_equal(r.certificates, 1);
            assert_string_equal(r.subject, "O=Acme, CN=dashboard");
            assert_string_equal(
                r.names, "DNS:dash.local;URI:spiffe://site-1/dashboard;email:a@b.example;CN:dashboard;");
            assert_memory_equal(r.fingerprint, fingerprint.data, 64);
        }
        rig_close(&r);
        rig_init(&r);
        r.server.client_auth = (connect_client_auth_t)auth;
        r.server.trust_anchors = file("ca.pem");
        if (auth == CONNECT_CLIENT_AUTH_REQUIRED) {
            expect_refused(&r,
                TLS_1_3 ? "TLS with localhost:443: the server refused it: certificate required (TLS alert 116)"
                        : "TLS with localhost:443: the server refused it: handshake failure (TLS alert 40)");
            continue;
        }
        assert_true(rig_open(&r));
        expect_ok(&r);
        assert_int_equal(r.certificates, 0);
        assert_false(r.verified);
        rig_close(&r);
    }
    bytes_free(&fingerprint);
}

/* Also where they are optional: a bad one is worse than none. */
static void test_bad_client_certificates(void **state) {
    static const struct {
        const char *name, *alert;
    } rows[] = {{"client-other", "unknown CA (TLS alert 48)"}, {"late-client", "certificate expired (TLS alert 45)"},
        {"not-for-clients", "unsupported certificate (TLS alert 43)"}, {"self", "unknown CA (TLS alert 48)"}};
    size_t i;
    int auth;
    (void)state;
    for (auth = CONNECT_CLIENT_AUTH_OPTIONAL; auth <= CONNECT_CLIENT_AUTH_REQUIRED; auth++)
        for (i = 0; i < sizeof rows / sizeof *rows; i++) {
            char expected[128];
            tls_rig r;
            rig_init(&r);
            r.server.client_auth = (connect_client_auth_t)auth;
            r.server.trust_anchors = file("ca.pem");
            set_client(&r, rows[i].name);
            snprintf(expected, sizeof expected, "TLS with localhost:443: the server refused it: %s", rows[i].alert);
            expect_refused(&r, expected);
        }
}

/* ---- Resumption ---- */

static void test_resumption(void **state) {
    tls_rig r, second;
    (void)state;
    rig_init(&r);
    r.server.client_auth = CONNECT_CLIENT_AUTH_OPTIONAL;
    r.server.trust_anchors = file("ca.pem");
    set_client(&r, "client");
    assert_true(rig_open(&r));
    expect_ok(&r);
    assert_false(r.resumed);
    rig_hang_up(&r);
    expect_ok(&r);
    assert_true(r.resumed);
    assert_true(r.client_resumed);
    assert_true(r.verified); /* the identity comes back with the session */
    assert_string_equal(r.subject, "O=Acme, CN=dashboard");
    assert_int_equal(r.certificates, 1);
    assert_true(r.client_verified);
    assert_string_equal(r.client_subject, "O=Acme, CN=gw");

    rig_init(&second); /* another client of the same server: neither session nor identity are mixed up */
    second.server_tls = cn_tls_hold(r.server_tls);
    set_client(&second, "client-2");
    assert_true(rig_open(&second));
    expect_ok(&second);
    assert_false(second.resumed);
    assert_string_equal(second.subject, "CN=second");
    rig_hang_up(&second);
    rig_hang_up(&r);
    expect_ok(&second);
    expect_ok(&r);
    assert_true(second.resumed && r.resumed);
    assert_string_equal(second.subject, "CN=second");
    assert_string_equal(r.subject, "O=Acme, CN=dashboard");
    rig_close(&second);

    rig_hang_up(&r); /* the server forgets its sessions with its configuration */
    assert_true(connect_tls_reload(r.server_tls, NULL, NULL));
    expect_ok(&r);
    assert_false(r.resumed);
    assert_false(r.client_resumed);
    assert_string_equal(r.subject, "O=Acme, CN=dashboard");
    rig_close(&r);

    rig_init(&r);
    r.server.no_resumption = true;
    assert_true(rig_open(&r));
    expect_ok(&r);
    rig_hang_up(&r);
    expect_ok(&r);
    assert_false(r.resumed);
    rig_close(&r);
}

/* A session ends with the peer's certificate, and after a day. */
static void test_resumption_expires(void **state) {
    int64_t now = 1772366400 - 7200; /* two hours before the client's certificate expires */
    tls_rig r;
    (void)state;
    rig_init(&r);
    r.server.client_auth = CONNECT_CLIENT_AUTH_REQUIRED;
    r.server.trust_anchors = file("ca.pem");
    r.server.clock = a_clock;
    r.server.user = &now;
    set_client(&r, "late-client");
    assert_true(rig_open(&r));
    expect_ok(&r);
    rig_hang_up(&r);
    now += 7200;
    expect_ok(&r);
    assert_true(r.resumed);
    rig_hang_up(&r);
    now++;
    assert_int_equal(rig_call(&r), CONNECT_UNAVAILABLE);
    assert_string_equal(r.message, "TLS with localhost:443: the server refused it: certificate expired (TLS alert 45)");
    rig_close(&r);

    now = 1800000000;
    rig_init(&r);
    r.server.clock = a_clock;
    r.server.user = &now;
    assert_true(rig_open(&r));
    expect_ok(&r);
    rig_hang_up(&r);
    now += 24 * 3600;
    expect_ok(&r);
    assert_true(r.resumed);
    rig_hang_up(&r);
    now++;
    expect_ok(&r);
    assert_false(r.resumed);
    rig_close(&r);
}

/* And so at the client: the server's certificate ends at noon. */
static void test_resumption_expires_at_clients(void **state) {
    int64_t now = 1772366400 - 7200;
    tls_rig r;
    (void)state;
    rig_init(&r);
    r.server.identity.certificate = file("expired.pem");
    r.server.identity.private_key = file("expired.key");
    r.client.clock = a_clock;
    r.client.user = &now;
    assert_true(rig_open(&r));
    expect_ok(&r);
    rig_hang_up(&r);
    now += 7200;
    expect_ok(&r);
    assert_true(r.client_resumed);
    rig_hang_up(&r);
    now++;
    assert_int_equal(rig_call(&r), CONNECT_UNAVAILABLE);
    assert_string_equal(r.message, "TLS with localhost:443: certificate of localhost expired on 2026-03-01");
    rig_close(&r);

    now = 1800000000;
    rig_init(&r);
    r.client.clock = a_clock;
    r.client.user = &now;
    assert_true(rig_open(&r));
    expect_ok(&r);
    rig_hang_up(&r);
    now += 12 * 3600;
    expect_ok(&r);
    assert_true(r.client_resumed);
    rig_hang_up(&r);
    now += 12 * 3600 + 1; /* a day after the last time the certificate was seen, not after the last resumption */
    expect_ok(&r);
    assert_false(r.client_resumed);
    rig_close(&r);
}

/* Of more servers than there is room for, those used last. */
static void expect_some_resumed(uint32_t client_room, uint32_t server_room, size_t wanted) {
    tls_rig rigs[12];
    char hosts[12][32];
    size_t i, resumed = 0;
    for (i = 0; i < 12; i++) {
        tls_rig *r = &rigs[i];
        rig_init(r);
        snprintf(hosts[i], sizeof hosts[i], "a%zu.wild.example", i);
        r->host = hosts[i];
        r->client.session_cache = client_room;
        r->server.session_cache = server_room;
        if (i) r->server_tls = cn_tls_hold(rigs[0].server_tls);
        if (i) r->client_tls = cn_tls_hold(rigs[0].client_tls);
        assert_true(rig_open(r));
        expect_ok(r);
        assert_false(r->client_resumed);
        rig_hang_up(r);
    }
    for (i = 12; i-- > 0;) {
        expect_ok(&rigs[i]);
        assert_int_equal(rigs[i].resumed, rigs[i].client_resumed);
        resumed += rigs[i].client_resumed;
        rig_close(&rigs[i]);
    }
    assert_int_equal(resumed, wanted);
}

static void test_sessions_are_bounded(void **state) {
    (void)state;
    expect_some_resumed(0, 0, 12);
    expect_some_resumed(4, 0, 4);
    expect_some_resumed(1, 0, 4); /* the least there is */
    expect_some_resumed(
        0, 4, TLS_1_3 ? 2 : 4); /* there each resumption makes a session, which takes the place of one */
}

/* ---- Reload ---- */

static void test_reload(void **state) {
    connect_tls_options_t fresh = CONNECT_DEFAULTS;
    connect_error_t error;
    tls_rig r;
    (void)state;
    rig_init(&r);
    assert_true(rig_open(&r));
    expect_ok(&r);
    assert_string_equal(r.client_subject, "O=Acme, CN=gw");
    fresh.identity.certificate = file("server-rsa.pem");
    fresh.identity.private_key = file("server.key");
    assert_false(connect_tls_reload(r.server_tls, &fresh, &error));
    assert_int_equal(error.code, CONNECT_INVALID_ARGUMENT);
    assert_str(error.message, "identity.private_key: does not belong to the certificate");
    fresh.identity.private_key = file("no-such.key");
    assert_false(connect_tls_reload(r.server_tls, &fresh, &error));
    assert_int_equal(error.code, CONNECT_NOT_FOUND);
    assert_int_equal(error.os_error, ENOENT);
    assert_str(
        error.message, "identity.private_key: cannot read build/certificates/no-such.key: No such file or directory");
    expect_ok(&r); /* the old one stays */
    fresh.identity.private_key = file("server-rsa.key");
    assert_true(connect_tls_reload(r.server_tls, &fresh, &error));
    expect_ok(&r); /* old connections live on */
    assert_string_equal(r.client_subject, "O=Acme, CN=gw");
    assert_int_equal(r.p.dials, 1);
    rig_hang_up(&r);
    expect_ok(&r);
    assert_string_equal(r.client_subject, "CN=gw-rsa");
    rig_close(&r);
}

/* Who signs client certificates, too: also a session of before does not get around it. */
static void test_reload_of_anchors(void **state) {
    connect_tls_options_t fresh;
    tls_rig r;
    (void)state;
    rig_init(&r);
    r.server.client_auth = CONNECT_CLIENT_AUTH_REQUIRED;
    r.server.trust_anchors = file("ca.pem");
    set_client(&r, "client");
    assert_true(rig_open(&r));
    expect_ok(&r);
    fresh = r.server;
    fresh.trust_anchors = file("other.pem");
    assert_true(connect_tls_reload(r.server_tls, &fresh, NULL));
    expect_ok(&r); /* over the old connection */
    assert_int_equal(r.p.dials, 1);
    rig_hang_up(&r);
    assert_int_equal(rig_call(&r), CONNECT_UNAVAILABLE);
    assert_string_equal(r.message, "TLS with localhost:443: the server refused it: unknown CA (TLS alert 48)");
    fresh.trust_anchors = file("no-such.pem");
    assert_false(connect_tls_reload(r.server_tls, &fresh, NULL));
    fresh.trust_anchors = file("bundle.pem"); /* has both */
    assert_true(connect_tls_reload(r.server_tls, &fresh, NULL));
    expect_ok(&r);
    assert_string_equal(r.subject, "O=Acme, CN=dashboard");
    rig_close(&r);
}

/* ---- Pins, verify, insecure ---- */

static bool say_no(const connect_tls_info_t *info, void *user) {
    ++*(int *)user;
    assert_int_equal(info->peer_certificates.count, 1);
    return false;
}
static bool say_yes(const connect_tls_info_t *info, void *user) {
    ++*(int *)user;
    assert_string_equal(info->peer_subject, "O=Acme, CN=gw");
    assert_true(info->peer_names.count == 6);
    return true;
}

static void test_conditions(void **state) {
    static const char other[] = "sha256//AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=";
    bytes pin = content("server.pin"), pins = {NULL, 0, 0};
    int asked = 0;
    tls_rig r;
    (void)state;
    bytes_print(&pins, "%s; sha256//%.*s", other, (int)strcspn(pin.data, "\n"), pin.data);
    rig_init(&r);
    r.client.pins = pins.data;
    if (!rig_open(&r)) fail_msg("%s", r.message);
    expect_ok(&r);
    rig_close(&r);
    rig_init(&r);
    r.client.pins = other;
    expect_refused(&r, "TLS with localhost:443: the peer's key is none of the 1 pinned ones (pins)");

    rig_init(&r);
    r.client.verify = say_no;
    r.client.user = &asked;
    expect_refused(&r, "TLS with localhost:443: the peer's certificate was refused by verify");
    assert_int_equal(asked, 1);
    r.client.verify = say_yes;
    assert_true(rig_open(&r));
    expect_ok(&r);
    rig_hang_up(&r);
    expect_ok(&r); /* a resumed session is asked about, too */
    assert_true(r.client_resumed);
    assert_int_equal(asked, 3);
    rig_close(&r);

    rig_init(&r);
    r.server.client_auth = CONNECT_CLIENT_AUTH_REQUIRED;
    r.server.trust_anchors = file("ca.pem");
    r.server.verify = say_no;
    r.server.user = &asked;
    set_client(&r, "client");
    assert_true(rig_open(&r));
    assert_int_equal(rig_call(&r), CONNECT_UNAVAILABLE);
    assert_int_equal(r.requests, 0);
    rig_close(&r);

    rig_init(&r);
    r.client.insecure_no_verify = true;
    r.client.trust_anchors = connect_str_of(NULL);
    r.server.identity.certificate = file("expired.pem");
    r.server.identity.private_key = file("expired.key");
    r.host = "elsewhere";
    if (!rig_open(&r)) fail_msg("%s", r.message);
    expect_ok(&r);
    assert_false(r.client_verified);
    assert_string_equal(r.client_subject, "CN=expired");
    rig_close(&r);
    bytes_free(&pin);
    bytes_free(&pins);
}

/* ---- Cut after every byte: never a success, always UNAVAILABLE ---- */

static void test_cut(void **state) {
    int http, kind;
    (void)state;
    for (http = 1; http <= 2; http++)
        for (kind = 0; kind < 2; kind++) {
            size_t up, down, step = kind ? 7 : 1, cut;
            tls_rig r;
            rig_init(&r);
            r.http = (connect_http_version_t)http;
            assert_true(rig_open(&r));
            expect_ok(&r);
            up = r.p.links[0].up.sent.len;
            down = r.p.links[0].down.sent.len;
            assert_true(up > 400 && down > 800);
            rig_close(&r);
            for (cut = 0; cut < up + down; cut += step) {
                rig_init(&r);
                r.http = (connect_http_version_t)http;
                r.p.cut = (pair_cut)kind;
                if (cut < up)
                    r.p.up_cut = cut;
                else
                    r.p.down_cut = cut - up;
                r.limits.handshake_ms = 1000;
                assert_true(rig_open(&r));
                if (rig_call(&r) == CONNECT_OK) { /* sent again over another, or what was lost was behind the answer */
                    if (r.p.dials > 1) {
                        rig_close(&r);
                        continue;
                    }
                    /* With TLS 1.3 the client's last record is its SETTINGS with ACK: nobody waits for that. */
                    size_t needed_up = up - (TLS_1_3 && http == 2 ? 31 : 0);
                    if (cut < needed_up || (cut >= up && down - (cut - up) > 60))
                        fail_msg("HTTP/%d, cut %zu of %zu + %zu: a success", http, cut, up, down);
                } else if (r.code != CONNECT_UNAVAILABLE && r.code != CONNECT_DEADLINE_EXCEEDED) {
                    fail_msg("HTTP/%d, cut %zu: %s %s", http, cut, connect_code_name(r.code), r.message);
                }
                rig_close(&r);
            }
        }
}

/* ---- Clear text and TLS mixed up ---- */

static bool holds(const bytes *b, const char *text) {
    size_t len = strlen(text), i;
    for (i = 0; i + len <= b->len; i++)
        if (memcmp(b->data + i, text, len) == 0) return true;
    return false;
}

static void test_clear_text_to_tls(void **state) {
    int http;
    (void)state;
    for (http = 1; http <= 2; http++) {
        connect_client_options_t options = CONNECT_DEFAULTS;
        connect_error_t error;
        tls_rig r;
        int mode;
        for (mode = 0; mode < 2; mode++) {
            rig_init(&r);
            r.p.mode = mode ? PAIR_BYTES : PAIR_WHOLE;
            assert_true(rig_open(&r));
            connect_client_free(r.p.client);
            options.dial = pair_dial;
            options.user = &r.p;
            options.http = (connect_http_version_t)http;
            r.p.client = connect_client_new("http://localhost", &options, &error);
            assert_non_null(r.p.client);
            assert_int_not_equal(rig_call(&r), CONNECT_OK);
            assert_int_equal(r.requests, 0);
            assert_true(holds(&r.p.links[0].down.sent, "This port speaks TLS"));
            assert_null(r.p.links[0].server); /* closed */
            rig_close(&r);
        }
    }
}

static void test_tls_to_clear_text(void **state) {
    tls_rig r;
    (void)state;
    rig_init(&r);
    assert_true(rig_open(&r));
    r.p.listen.tls = NULL;
    assert_int_equal(rig_call(&r), CONNECT_UNAVAILABLE);
    assert_string_equal(r.message, "the server does not speak TLS here: use http://");
    assert_non_null(strstr(r.p.links[0].down.sent.data, "This port speaks clear text, not TLS: use http://\n"));
    rig_close(&r);
}

/* A server that is no server of HTTP. */
static void test_strange_servers(void **state) {
    static const struct {
        const char *bytes;
        size_t len;
        const char *message;
    } rows[] = {
        {"\25\3\3\0\2\2\50", 7, "TLS with localhost:443: the server refused it: handshake failure (TLS alert 40)"},
        {"\25\3\1\0\2\2\106", 7, "TLS with localhost:443: the server refused it: protocol version (TLS alert 70)"},
        {"SSH-2.0-OpenSSH\r\n", 17, "the server does not speak TLS here: use http://"},
        {"\26\3\3\0\4\1\0\0\0", 9,
            "TLS with localhost:443: TLS with the server failed: it sent what is no TLS, or out of order"},
        {"\26\3\3\377\377", 5,
            "TLS with localhost:443: TLS with the server failed: it sent a record of a length that is not allowed"}};
    size_t i;
    (void)state;
    for (i = 0; i < sizeof rows / sizeof *rows; i++) {
        connect_events_t events = {.on_closed = on_closed};
        connect_call_t *call;
        tls_rig r;
        rig_init(&r);
        assert_true(rig_open(&r));
        connect_server_free(r.p.server);
        r.p.server = NULL;
        call = connect_client_start(r.p.client, &note_methods[0], &events, &r, NULL, NULL);
        assert_non_null(call);
        connect_call_finish(call, CONNECT_OK, &(note){.number = 1});
        pair_pump(&r.p);
        bytes_add(&r.p.links[0].down.sent, rows[i].bytes, rows[i].len);
        pair_pump(&r.p);
        assert_int_equal(r.closed, 1);
        assert_int_equal(r.code, CONNECT_UNAVAILABLE);
        assert_string_equal(r.message, rows[i].message);
        rig_close(&r);
    }
}

/* ---- Time ---- */

static void test_handshake_timeout(void **state) {
    tls_rig r;
    pair_link *link;
    connect_listen_options_t options = CONNECT_DEFAULTS;
    (void)state;
    rig_init(&r);
    r.limits.handshake_ms = 700;
    assert_true(rig_open(&r));
    options.tls = r.server_tls;
    link = pair_add(&r.p, NULL, connect_server_accept(r.p.server, "silent:", &options, NULL));
    link->up.sender_gone = false;
    pair_advance(&r.p, 699);
    assert_non_null(link->server);
    pair_advance(&r.p, 2);
    assert_null(link->server);
    rig_hang_up(&r);
    connect_server_free(r.p.server); /* and as a client, of a server that is silent */
    r.p.server = NULL;
    assert_int_equal(rig_call(&r), CONNECT_UNAVAILABLE);
    assert_string_equal(r.message, "the TLS handshake took too long (limits.handshake_ms)");
    rig_close(&r);
}

/* Of many handshakes that come at once a few are done in a millisecond. */
static void test_handshakes_are_bounded(void **state) {
    tls_rig r;
    bytes hello = {NULL, 0, 0};
    connect_listen_options_t options = CONNECT_DEFAULTS;
    connect_conn_t *conns[10];
    size_t i, answered = 0;
    int64_t now = 5000;
    (void)state;
    rig_init(&r);
    assert_true(rig_open(&r));
    expect_ok(&r);
    bytes_add(&hello, r.p.links[0].up.sent.data,
        5 + ((size_t)(unsigned char)r.p.links[0].up.sent.data[3] << 8) +
            (size_t)(unsigned char)r.p.links[0].up.sent.data[4]);
    options.tls = r.server_tls;
    for (i = 0; i < 10; i++) {
        conns[i] = connect_server_accept(r.p.server, "many:", &options, NULL);
        assert_non_null(conns[i]);
    }
    for (now = 5000; answered < 10; now++) {
        size_t before = answered;
        for (i = 0; i < 10; i++) {
            size_t taken;
            if (!conns[i]) continue;
            if (!(connect_conn_wants(conns[i]) & CONNECT_WANTS_READ)) {
                assert_true(connect_conn_deadline_ms(conns[i]) <= now); /* it says when to come again */
                (void)connect_conn_feed(conns[i], "", 0, now);
                assert_true(connect_conn_wants(conns[i]) & CONNECT_WANTS_READ);
            }
            taken = connect_conn_feed(conns[i], hello.data, hello.len, now);
            if (!taken) continue;
            assert_int_equal(taken, hello.len);
            assert_true(connect_conn_output(conns[i]).len > 500);
            connect_conn_close(conns[i]);
            conns[i] = NULL;
            answered++;
        }
        assert_true(answered - before <= CN_CONN_HANDSHAKES);
        assert_true(answered > before);
    }
    assert_int_equal(now, 5003);
    bytes_free(&hello);
    rig_close(&r);
}

/* ---- Memory ---- */

static void expect_bear_idle(const cn_bear_session_t *end) {
    assert_null(end->in);
    assert_null(end->out);
    assert_null(end->verifier);
}

static void expect_openssl_idle(const void *session) { /* its buffers are its own, and freed when empty */
#ifdef TLS_WITH_OPENSSL
    const cn_openssl_session_t *end = (const cn_openssl_session_t *)session;
    assert_null(end->in);
    assert_null(end->to_write);
    assert_null(end->plain);
#else
    (void)session;
#endif
}

static void test_buffers_are_lent(void **state) {
    const void *ends[2];
    failing_allocator memory;
    tls_rig r;
    size_t i;
    (void)state;
    failing_init(&memory, SIZE_MAX, false);
    rig_init(&r);
    r.allocator = &memory.allocator;
    assert_true(rig_open(&r));
    expect_ok(&r);
    assert_true(CN_BEAR_MAY_LEND);
    ends[0] = r.p.links[0].client->tls->session;
    ends[1] = r.p.links[0].server->tls->session;
    for (i = 0; i < 2; i++) {
        if (i == 0 ? openssl_calls : openssl_serves)
            expect_openssl_idle(ends[i]);
        else
            expect_bear_idle((const cn_bear_session_t *)ends[i]);
        assert_int_equal(cn_buf_len(&r.p.links[0].server->tls->out), 0);
    }
    expect_ok(&r);
    for (i = 0; i < 100; i++) /* other connections use the same buffers, and leave their bytes in them */
        expect_ok(&r);
    assert_true(sizeof(cn_bear_session_t) + sizeof(cn_tls_t) < 5 * 1024);
    rig_close(&r);
    assert_int_equal(memory.live, 0);
}

/* An allocator that looks for secrets in what it is given back. */
typedef struct searcher {
    connect_allocator_t allocator;
    connect_str_t secrets[3];
    size_t found[3];
} searcher;

static void *searcher_acquire(void *ctx, size_t size) {
    size_t *block = (size_t *)malloc(size + 16);
    (void)ctx;
    if (!block) return NULL;
    *block = size;
    return (char *)block + 16;
}
static void searcher_release(void *ctx, void *at) {
    searcher *s = (searcher *)ctx;
    char *block = (char *)at;
    size_t i, k, len;
    if (!at) return;
    memcpy(&len, block - 16, sizeof len);
    for (i = 0; i < sizeof s->secrets / sizeof *s->secrets; i++)
        for (k = 0; k + s->secrets[i].len <= len; k++)
            s->found[i] += memcmp(block + k, s->secrets[i].data, s->secrets[i].len) == 0;
    free(block - 16);
}
static void *searcher_resize(void *ctx, void *at, size_t size) {
    void *moved = searcher_acquire(ctx, size);
    size_t len;
    if (moved && at) {
        memcpy(&len, (char *)at - 16, sizeof len);
        memcpy(moved, at, len < size ? len : size);
        searcher_release(ctx, at);
    }
    return moved;
}

/* Neither the text of a key, nor its DER, nor the number in it stays in memory that is freed. */
static void test_keys_are_wiped(void **state) {
    bytes text = content("server.key"), sec1 = content("server-sec1.der");
    int in_memory, is_good;
    (void)state;
    for (in_memory = 0; in_memory < 2; in_memory++)
        for (is_good = 0; is_good < 2; is_good++) {
            searcher s = {{searcher_acquire, searcher_resize, searcher_release, NULL}, {{NULL, 0}}, {0}};
            connect_tls_options_t options = CONNECT_DEFAULTS;
            connect_tls_t *tls;
            size_t i;
            s.allocator.ctx = &s;
            s.secrets[0] = (connect_str_t){strchr(text.data, '\n') + 1, 64}; /* a line of base64 */
            s.secrets[1] = (connect_str_t){sec1.data + 7, 32};               /* RFC 5915 3: the private key itself */
            s.secrets[2] = connect_str_of("-----BEGIN PRIVATE KEY-----");
            options.allocator = &s.allocator;
            options.engine = openssl_serves ? connect_openssl_engine() : NULL;
            options.identity.certificate = file(is_good ? "server.pem" : "client.pem");
            options.identity.private_key = in_memory ? (connect_str_t){text.data, text.len} : file("server.key");
            tls = connect_tls_new(&options, NULL);
            assert_true((tls != NULL) == (is_good != 0));
            if (tls) assert_true(connect_tls_reload(tls, NULL, NULL));
            connect_tls_free(tls);
            for (i = 0; i < 3; i++)
                if (s.found[i]) fail_msg("secret %zu was found %zu times, in memory %d", i, s.found[i], in_memory);
        }
    bytes_free(&text);
    bytes_free(&sec1);
}

static bool run_with(const connect_allocator_t *allocator, void *arg) {
    bool ok;
    tls_rig r;
    rig_init(&r);
    r.allocator = allocator;
    r.http = *(const connect_http_version_t *)arg;
    r.limits.handshake_ms = 500;
    r.server.client_auth = CONNECT_CLIENT_AUTH_REQUIRED;
    r.server.trust_anchors = file("ca.pem");
    set_client(&r, "client");
    ok = rig_open(&r) && rig_call(&r) == CONNECT_OK;
    if (ok) {
        rig_hang_up(&r);
        ok = rig_call(&r) == CONNECT_OK;
    }
    rig_close(&r);
    return ok;
}

static void test_memory(void **state) {
    connect_http_version_t http;
    (void)state;
    for (http = CONNECT_HTTP_1; http <= CONNECT_HTTP_2; http++)
        sweep_allocations(run_with, &http);
}

/* ---- Much data, both ways at once ---- */

#if defined(__SANITIZE_ADDRESS__)
#define FLOOD 20000000
#else
#define FLOOD 100000000
#endif

typedef struct flood {
    tls_rig *rig;
    connect_call_t *call;
    size_t sent, received, total;
    char piece[9000];
} flood;

static void flood_send(flood *f) {
    note message;
    memset(&message, 0, sizeof message);
    message.data = (connect_str_t){f->piece, sizeof f->piece};
    while (f->sent < f->total) {
        connect_io_t io = connect_call_send(f->call, &message);
        if (io == CONNECT_IO_AGAIN) return;
        assert_int_equal(io, CONNECT_IO_OK);
        f->sent += sizeof f->piece;
    }
    connect_call_finish(f->call, CONNECT_OK, NULL);
}
static void flood_writable(connect_call_t *call, void *user) {
    ((flood *)user)->call = call;
    flood_send((flood *)user);
}
static connect_io_t flood_message(connect_call_t *call, const void *message, void *user) {
    flood *f = (flood *)user;
    (void)call;
    assert_int_equal(((const note *)message)->data.len, sizeof f->piece);
    assert_memory_equal(((const note *)message)->data.data, f->piece, sizeof f->piece);
    f->received += sizeof f->piece;
    return CONNECT_IO_OK;
}
static void flood_closed(connect_call_t *call, const connect_error_t *error, void *user) {
    on_closed(call, error, ((flood *)user)->rig);
}

static void test_flood(void **state) {
    static const connect_events_t events = {
        .on_message = flood_message, .on_writable = flood_writable, .on_closed = flood_closed};
    int mode;
    (void)state;
    for (mode = PAIR_WHOLE; mode <= PAIR_ODD; mode++) {
        tls_rig r;
        flood f;
        size_t i;
        rig_init(&r);
        r.p.mode = (pair_mode)mode;
        assert_true(rig_open(&r));
        memset(&f, 0, sizeof f);
        f.rig = &r;
        f.total = mode == PAIR_WHOLE ? FLOOD : mode == PAIR_ODD ? 1000000 : 30000;
        for (i = 0; i < sizeof f.piece; i++)
            f.piece[i] = (char)(i * 7);
        assert_non_null(connect_client_start(r.p.client, &note_methods[3], &events, &f, NULL, NULL));
        pair_pump(&r.p);
        if (!r.closed) pair_advance(&r.p, 1000);
        if (!r.closed || r.code != CONNECT_OK)
            fail_msg("mode %d: %zu sent, %zu received, %s", mode, f.sent, f.received, r.message);
        assert_int_equal(f.received, f.sent);
        rig_close(&r);
    }
}

/* ---- close_notify ---- */

/* The last record of a direction is an alert: of TLS 1.2 the type is in the clear, the alert is 26 bytes; of TLS 1.3
   only the length, 19, tells it from HTTP. */
static bool ends_with_close_notify(const bytes *sent) {
    size_t at = 0, len = 0;
    while (at + 5 <= sent->len) {
        len = (size_t)(unsigned char)sent->data[at + 3] << 8 | (unsigned char)sent->data[at + 4];
        if (at + 5 + len == sent->len) return TLS_1_3 ? len == 19 : sent->data[at] == 21 && len == 26;
        at += 5 + len;
    }
    return false;
}

static void test_close_notify(void **state) {
    int http;
    (void)state;
    for (http = 1; http <= 2; http++) {
        tls_rig r;
        rig_init(&r);
        r.http = (connect_http_version_t)http;
        assert_true(rig_open(&r));
        expect_ok(&r);
        connect_server_drain(r.p.server, 1000);
        pair_pump(&r.p);
        assert_true(ends_with_close_notify(&r.p.links[0].down.sent));
        assert_true(ends_with_close_notify(&r.p.links[0].up.sent)); /* the client answers it */
        assert_null(r.p.links[0].client);
        assert_null(r.p.links[0].server);
        rig_close(&r);
        rig_init(&r);
        r.http = (connect_http_version_t)http;
        assert_true(rig_open(&r));
        expect_ok(&r);
        assert_true(cn_conn_farewell(r.p.links[0].client).len > 0);
        assert_int_equal(cn_conn_farewell(r.p.links[0].client).len, 0);
        rig_close(&r);
    }
}

/* A response that ends with the connection is never taken for whole. */
static void test_until_close(void **state) {
    static const char head[] = "HTTP/1.1 200 OK\r\nContent-Type: application/proto\r\n\r\n\x12\x01"
                               "5";
    int with_notify;
    (void)state;
    for (with_notify = 0; with_notify < 2; with_notify++) {
        connect_events_t events = {.on_message = on_answer, .on_closed = on_closed};
        connect_call_t *call;
        cn_tls_t *server;
        pair_link *link;
        connect_error_t error;
        size_t fed = 0;
        bool asked = false;
        tls_rig r;
        rig_init(&r);
        r.http = CONNECT_HTTP_1;
        assert_true(rig_open(&r));
        connect_server_free(r.p.server);
        r.p.server = NULL;
        server = cn_tls_begin(r.server_tls, NULL, true, NULL, "raw:", true, false);
        assert_non_null(server);
        call = connect_client_start(r.p.client, &note_methods[0], &events, &r, NULL, NULL);
        connect_call_finish(call, CONNECT_OK, &(note){.number = 1});
        pair_pump(&r.p);
        link = &r.p.links[0];
        while (!asked) {
            connect_str_t plain;
            fed += cn_tls_take(server, link->up.sent.data + fed, link->up.sent.len - fed);
            assert_true(cn_tls_look(server, &error));
            plain = cn_tls_plain(server);
            if (plain.len) {
                cn_tls_used(server, plain.len);
                asked = true;
                assert_int_equal(cn_tls_seal(server, connect_str_of(head)), strlen(head));
                if (with_notify) cn_tls_close(server);
            }
            bytes_add(&link->down.sent, cn_buf_view(&server->out).data, cn_buf_len(&server->out));
            cn_buf_clear(&server->out);
            if (asked) link->down.sender_gone = true;
            pair_pump(&r.p);
        }
        assert_int_equal(r.closed, 1);
        assert_int_not_equal(r.code, CONNECT_OK);
        assert_int_equal(r.answered, 0);
        cn_tls_unref(server);
        rig_close(&r);
    }
}

/* ---- Options ---- */

static void expect_option_error(const connect_tls_options_t *options, connect_code_t code, const char *message) {
    connect_error_t error;
    memset(&error, 0, sizeof error);
    assert_null(connect_tls_new(options, &error));
    assert_str(error.message, message);
    assert_int_equal(error.code, code);
}

static void test_options(void **state) {
    connect_tls_options_t o = CONNECT_DEFAULTS, good = CONNECT_DEFAULTS;
    connect_identity_t more = CONNECT_DEFAULTS;
    connect_error_t error;
    connect_client_options_t copt = CONNECT_DEFAULTS;
    (void)state;
    good.identity.certificate = file("server.pem");
    good.identity.private_key = file("server.key");
#define REFUSED(code, message) expect_option_error(&o, CONNECT_##code, message)
    o = good;
    o.identity.private_key = connect_str_of(NULL);
    REFUSED(INVALID_ARGUMENT, "identity needs both certificate and private_key");
    o = good;
    o.identity.private_key = file("client.key");
    REFUSED(INVALID_ARGUMENT, "identity.private_key: does not belong to the certificate");
    o = good;
    o.identity.private_key = file("encrypted.key");
    REFUSED(INVALID_ARGUMENT,
        "identity.private_key, build/certificates/encrypted.key, line 1: the key is encrypted; decrypt it: openssl "
        "pkey -in KEY -out PLAIN");
    o.identity.private_key = file("encrypted-pkcs1.key");
    REFUSED(INVALID_ARGUMENT,
        "identity.private_key, build/certificates/encrypted-pkcs1.key, line 2: the key is encrypted; decrypt it: "
        "openssl pkey -in KEY -out PLAIN");
    o = good;
    o.identity.certificate = file("server.key");
    REFUSED(INVALID_ARGUMENT, "identity.certificate, build/certificates/server.key: there is no certificate in it");
    o = good;
    o.identity.certificate = file("weak.pem");
    o.identity.private_key = file("weak.key");
    REFUSED(INVALID_ARGUMENT, "identity.private_key: an RSA key of less than 2,048 bits is refused");
    o = good;
    o.client_auth = CONNECT_CLIENT_AUTH_OPTIONAL;
    REFUSED(INVALID_ARGUMENT, "trust_anchors is needed with client_auth: who signs client certificates");
    o.trust_anchors = file("edwards.pem");
    REFUSED(INVALID_ARGUMENT, "trust_anchors: BearSSL can use none of the 1 certificates; RSA and EC keys are known");
    o = good;
    o.alpn = "h3";
    REFUSED(INVALID_ARGUMENT, "alpn must be h2, http/1.1, or both with a comma between");
    o = good;
    o.pins = "sha256//AAAA";
    REFUSED(INVALID_ARGUMENT, "pins: each must be sha256// and the base64 of 32 bytes, with ; between them");
    o = good;
    o.more = &more;
    o.more_count = 1;
    REFUSED(INVALID_ARGUMENT, "more[0] has no certificate");
    more.certificate = file("client.pem");
    more.private_key = file("edwards.key");
    REFUSED(INVALID_ARGUMENT, "more[0].private_key: no RSA or EC key that BearSSL can use (PKCS#1, SEC1 or PKCS#8)");
#undef REFUSED
    o = good;
    o.trust_anchors = connect_str_of("system");
    copt.tls = connect_tls_new(&o, &error);
    assert_non_null(copt.tls);
    assert_null(connect_client_new("http://localhost", &copt, &error));
    assert_int_equal(error.code, CONNECT_INVALID_ARGUMENT);
    assert_str(error.message, "tls is set, and base_url is http://; write https://");
    connect_tls_free(copt.tls);
    connect_tls_free(NULL);
}

/* The system's bundle is the client's default; SSL_CERT_FILE names another. What cannot be used is passed over. */
static void test_system_anchors(void **state) {
    tls_rig r;
    (void)state;
    rig_init(&r);
    r.client.trust_anchors = connect_str_of(NULL);
    setenv("SSL_CERT_FILE", CERTIFICATES "bundle.pem", 1);
    assert_true(rig_open(&r));
    expect_ok(&r);
    rig_close(&r);
    r.server.identity.certificate = file("self.pem");
    r.server.identity.private_key = file("self.key");
    expect_refused(&r,
        openssl_calls /* knows Ed25519 */
            ? "TLS with localhost:443: certificate of localhost is self-signed and none of the trust anchors (3)"
            : "TLS with localhost:443: certificate of localhost is self-signed and none of the trust anchors (2; 1 "
              "skipped)");
    unsetenv("SSL_CERT_FILE");
    r.server.identity.certificate = file("server.pem");
    r.server.identity.private_key = file("server.key");
    assert_true(rig_open(&r));
    assert_int_equal(rig_call(&r), CONNECT_UNAVAILABLE);
    assert_non_null(strstr(r.message, "is signed by O=Acme, CN=Test CA, which is none of the trust anchors (1"));
    rig_close(&r);
}

static int run_all(const char *engines) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_identities),
        cmocka_unit_test(test_names),
        cmocka_unit_test(test_protocols),
        cmocka_unit_test(test_alpn),
        cmocka_unit_test(test_choice_by_name),
        cmocka_unit_test(test_bad_servers),
        cmocka_unit_test(test_clock),
        cmocka_unit_test(test_alpn_mismatch),
        cmocka_unit_test(test_client_certificates),
        cmocka_unit_test(test_bad_client_certificates),
        cmocka_unit_test(test_resumption),
        cmocka_unit_test(test_resumption_expires),
        cmocka_unit_test(test_resumption_expires_at_clients),
        cmocka_unit_test(test_sessions_are_bounded),
        cmocka_unit_test(test_reload),
        cmocka_unit_test(test_reload_of_anchors),
        cmocka_unit_test(test_conditions),
        cmocka_unit_test(test_cut),
        cmocka_unit_test(test_clear_text_to_tls),
        cmocka_unit_test(test_tls_to_clear_text),
        cmocka_unit_test(test_strange_servers),
        cmocka_unit_test(test_handshake_timeout),
        cmocka_unit_test(test_handshakes_are_bounded),
        cmocka_unit_test(test_buffers_are_lent),
        cmocka_unit_test(test_keys_are_wiped),
        cmocka_unit_test(test_memory),
        cmocka_unit_test(test_flood),
        cmocka_unit_test(test_close_notify),
        cmocka_unit_test(test_until_close),
        cmocka_unit_test(test_options),
        cmocka_unit_test(test_system_anchors),
    };
    return cmocka_run_group_tests_name(engines, tests, NULL, NULL);
}

int main(void) {
#ifdef TLS_WITH_OPENSSL
    int failures;
    openssl_serves = openssl_calls = true;
    failures = run_all("OpenSSL at both ends");
    openssl_calls = false;
    failures += run_all("OpenSSL as the server");
    openssl_serves = false;
    openssl_calls = true;
    return failures + run_all("OpenSSL as the client");
#else
    return run_all("BearSSL at both ends");
#endif
}
