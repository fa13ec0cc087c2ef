/* What TLS costs beside its engine alone: both ends in one process, no sockets, CPU time, in interleaved rounds whose
   medians are printed. Run at the top level, with build/certificates made: tls [ROUNDS]

   For each engine (BearSSL; OpenSSL by connect_openssl.h) there are two kinds of pair: connect.h's staging over the
   engine (io/tls), and the library itself, used as directly as it can be: the floor. Both have the same cipher suite.
     calls       unary echo over HTTP/2, in clear text and over TLS. The difference, beside what the floor takes to
                 seal and open records of just the sizes that such a call has: between calls in clear text, where it
                 finds the caches as TLS does in earnest, and in a loop that does nothing else
     bulk        one direction, 64 KB at a time
     handshakes  both ends, to the close_notify of both; full ones, and resumed ones */
#define CONNECT_IMPLEMENTATION
#define CONNECT_OPENSSL_IMPLEMENTATION
#include "connect.h"
#include "connect_openssl.h"
#include "echo.connect.h"
#include <stdlib.h>
#include <time.h>

#define FOLDER "build/certificates/"
#define ROUNDS_MAX 99
#define CHUNK 65536u
#define RECORDS_MAX 64
#define RECORD_HEADER 5u
#define RECORD_PLAINTEXT 16384u

static char text[4 * CHUNK];

static void die(const char *what, const char *why) {
    fprintf(stderr, "%s: %s\n", what, why);
    exit(1);
}

static double cpu_seconds(void) {
    struct timespec t;
    if (clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &t) != 0) die("clock_gettime", "no CPU time");
    return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

static int by_value(const void *a, const void *b) {
    double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}
static double median(const double *values, size_t count) {
    double sorted[ROUNDS_MAX];
    memcpy(sorted, values, count * sizeof *values);
    qsort(sorted, count, sizeof *sorted, by_value);
    return sorted[count / 2];
}

/* ---- What pairs are made from ---- */

typedef struct setup_t {
    bool resumes; /* keeps sessions: all handshakes but the first are resumed */
    connect_tls_t *client, *server;
    const cn_bear_config_t *bear_client, *bear_server; /* keys and anchors, read already; the suites, in order */
    br_ssl_session_cache_lru bear_cache;
    unsigned char bear_cache_store[4096];
    br_ssl_session_parameters bear_session;
    SSL_CTX *ssl_client, *ssl_server;
    SSL_SESSION *ssl_session;
} setup_t;

typedef struct pair_kind_t {
    const char *name;
    void *(*begin)(setup_t *setup);
    bool (*handshake)(void *pair, setup_t *setup, bool *is_resumed, const char **cipher);
    /* Carries plaintext from one end to the other, in whole records and a last one. Returns the bytes of the records. */
    size_t (*pass)(void *pair, bool up, const char *bytes, size_t len);
    void (*end)(void *pair); /* with close_notify both ways */
} pair_kind_t;

static SSL_CTX *new_ssl_ctx(const SSL_METHOD *method, bool resumes) {
    SSL_CTX *ctx = SSL_CTX_new(method);
    if (!ctx || SSL_CTX_set_min_proto_version(ctx, TLS1_2_VERSION) != 1 ||
        SSL_CTX_set_session_id_context(ctx, (const unsigned char *)"bench", 5) != 1)
        die("OpenSSL", "no context");
    SSL_CTX_set_options(ctx, SSL_OP_NO_RENEGOTIATION | SSL_OP_NO_COMPRESSION | SSL_OP_NO_TICKET);
    SSL_CTX_set_session_cache_mode(ctx, resumes ? SSL_SESS_CACHE_BOTH : SSL_SESS_CACHE_OFF);
    if (!resumes) SSL_CTX_set_num_tickets(ctx, 0);
    return ctx;
}

static int keep_ssl_session(SSL *ssl, SSL_SESSION *session) {
    setup_t *setup = (setup_t *)SSL_get_app_data(ssl);
    SSL_SESSION_free(setup->ssl_session);
    setup->ssl_session = session;
    return 1;
}

static void setup_make(setup_t *setup, const connect_tls_engine_t *engine, const char *name, bool resumes) {
    connect_tls_options_t client = CONNECT_DEFAULTS, server = CONNECT_DEFAULTS;
    connect_error_t error;
    char certificate[64], key[64];
    memset(setup, 0, sizeof *setup);
    setup->resumes = resumes;
    snprintf(certificate, sizeof certificate, FOLDER "%s.pem", name);
    snprintf(key, sizeof key, FOLDER "%s.key", name);
    client.engine = server.engine = engine;
    client.no_resumption = server.no_resumption = !resumes;
    client.trust_anchors = connect_str_of(FOLDER "ca.pem");
    server.identity.certificate = connect_str_of(certificate);
    server.identity.private_key = connect_str_of(key);
    setup->client = connect_tls_new(&client, &error);
    setup->server = setup->client ? connect_tls_new(&server, &error) : NULL;
    if (!setup->server) die(certificate, error.message.data);
    if (!engine) {
        setup->bear_client = (const cn_bear_config_t *)setup->client->config->state;
        setup->bear_server = (const cn_bear_config_t *)setup->server->config->state;
        br_ssl_session_cache_lru_init(&setup->bear_cache, setup->bear_cache_store, sizeof setup->bear_cache_store);
        return;
    }
    setup->ssl_client = new_ssl_ctx(TLS_client_method(), resumes);
    setup->ssl_server = new_ssl_ctx(TLS_server_method(), resumes);
    SSL_CTX_set_verify(setup->ssl_client, SSL_VERIFY_PEER, NULL);
    SSL_CTX_sess_set_new_cb(setup->ssl_client, keep_ssl_session);
    if (SSL_CTX_load_verify_locations(setup->ssl_client, FOLDER "ca.pem", NULL) != 1 ||
        SSL_CTX_use_certificate_file(setup->ssl_server, certificate, SSL_FILETYPE_PEM) != 1 ||
        SSL_CTX_use_PrivateKey_file(setup->ssl_server, key, SSL_FILETYPE_PEM) != 1)
        die(certificate, "OpenSSL cannot read it");
}

static void setup_free(setup_t *setup) {
    connect_tls_free(setup->client);
    connect_tls_free(setup->server);
    SSL_SESSION_free(setup->ssl_session);
    SSL_CTX_free(setup->ssl_client);
    SSL_CTX_free(setup->ssl_server);
}

/* ---- connect.h's staging, over any engine ---- */

typedef struct ours_t {
    cn_tls_t *client, *server;
} ours_t;

static void *ours_begin(setup_t *setup) {
    ours_t *pair = (ours_t *)malloc(sizeof *pair);
    if (!pair) return NULL;
    pair->client = cn_tls_begin(setup->client, NULL, false, "localhost", "memory", false, true);
    pair->server = cn_tls_begin(setup->server, NULL, true, NULL, "memory", false, true);
    if (!pair->client || !pair->server) die("connect.h", "no session");
    return pair;
}

/* Moves the records that wait, and reads the plaintext. */
static size_t ours_move(cn_tls_t *from, cn_tls_t *to) {
    size_t moved = 0;
    cn_tls_collect(from);
    while (cn_buf_len(&from->out)) {
        connect_str_t records = cn_buf_view(&from->out), plain;
        size_t taken = cn_tls_take(to, records.data, records.len);
        cn_buf_drop(&from->out, taken);
        moved += taken;
        while ((plain = cn_tls_plain(to)).len) {
            cn_tls_used(to, plain.len);
            taken += plain.len;
        }
        if (!taken) die("connect.h", "records are not taken");
    }
    return moved;
}

static bool ours_handshake(void *arg, setup_t *setup, bool *is_resumed, const char **cipher) {
    ours_t *pair = (ours_t *)arg;
    connect_error_t error;
    (void)setup;
    while (ours_move(pair->client, pair->server) + ours_move(pair->server, pair->client)) {
        if (cn_tls_look(pair->client, &error) && cn_tls_look(pair->server, &error)) continue;
        die("connect.h", error.message.data);
    }
    *is_resumed = pair->client->info.resumed && pair->server->info.resumed;
    *cipher = pair->client->info.cipher;
    return pair->client->is_open && pair->server->is_open;
}

static size_t ours_pass(void *arg, bool up, const char *bytes, size_t len) {
    ours_t *pair = (ours_t *)arg;
    if (cn_tls_seal(up ? pair->client : pair->server, cn_str(bytes, len)) != len) die("connect.h", "cannot seal");
    return ours_move(up ? pair->client : pair->server, up ? pair->server : pair->client);
}

static void ours_end(void *arg) {
    ours_t *pair = (ours_t *)arg;
    cn_tls_close(pair->client);
    ours_move(pair->client, pair->server);
    cn_tls_close(pair->server);
    ours_move(pair->server, pair->client);
    cn_tls_unref(pair->client);
    cn_tls_unref(pair->server);
    free(pair);
}

/* ---- BearSSL by itself ---- */

typedef struct bear_t {
    br_ssl_client_context client;
    br_ssl_server_context server;
    br_x509_minimal_context x509;
    unsigned char client_buffer[BR_SSL_BUFSIZE_BIDI], server_buffer[BR_SSL_BUFSIZE_BIDI];
} bear_t;

static void bear_prepare(br_ssl_engine_context *engine, const cn_bear_config_t *config, unsigned char *buffer) {
    br_ssl_engine_set_versions(engine, BR_TLS12, BR_TLS12);
    br_ssl_engine_set_suites(engine, config->suites, CN_LEN(config->suites));
    br_ssl_engine_set_buffer(engine, buffer, BR_SSL_BUFSIZE_BIDI, 1);
    br_ssl_engine_add_flags(engine, BR_OPT_NO_RENEGOTIATION | BR_OPT_ENFORCE_SERVER_PREFERENCES);
}

static void *bear_begin(setup_t *setup) {
    const cn_bear_identity_t *identity = &setup->bear_server->identities[0];
    bear_t *pair = (bear_t *)malloc(sizeof *pair);
    bool is_known = setup->bear_session.session_id_len != 0;
    if (!pair) return NULL;
    br_ssl_client_init_full(&pair->client, &pair->x509, setup->bear_client->anchors, setup->bear_client->anchor_count);
    if (identity->key_type == BR_KEYTYPE_RSA)
        br_ssl_server_init_full_rsa(&pair->server, identity->chain, identity->chain_len, &identity->rsa);
    else
        br_ssl_server_init_full_ec(&pair->server, identity->chain, identity->chain_len, BR_KEYTYPE_EC, &identity->ec);
    bear_prepare(&pair->client.eng, setup->bear_client, pair->client_buffer);
    bear_prepare(&pair->server.eng, setup->bear_server, pair->server_buffer);
    if (setup->resumes) br_ssl_server_set_cache(&pair->server, &setup->bear_cache.vtable);
    if (is_known) br_ssl_engine_set_session_parameters(&pair->client.eng, &setup->bear_session);
    if (!br_ssl_client_reset(&pair->client, "localhost", is_known) || !br_ssl_server_reset(&pair->server))
        die("BearSSL", "no session");
    return pair;
}

static size_t bear_move(br_ssl_engine_context *from, br_ssl_engine_context *to) {
    size_t moved = 0, len, room, plain;
    unsigned char *out, *in;
    while (
        (out = br_ssl_engine_sendrec_buf(from, &len)) != NULL && (in = br_ssl_engine_recvrec_buf(to, &room)) != NULL) {
        len = CN_MIN(len, room);
        memcpy(in, out, len);
        br_ssl_engine_recvrec_ack(to, len);
        br_ssl_engine_sendrec_ack(from, len);
        moved += len;
        if (br_ssl_engine_recvapp_buf(to, &plain)) br_ssl_engine_recvapp_ack(to, plain);
    }
    return moved;
}

static bool bear_handshake(void *arg, setup_t *setup, bool *is_resumed, const char **cipher) {
    bear_t *pair = (bear_t *)arg;
    br_ssl_session_parameters session;
    while (bear_move(&pair->client.eng, &pair->server.eng) + bear_move(&pair->server.eng, &pair->client.eng)) {}
    br_ssl_engine_get_session_parameters(&pair->client.eng, &session);
    *is_resumed = setup->bear_session.session_id_len &&
        memcmp(session.session_id, setup->bear_session.session_id, sizeof session.session_id) == 0;
    *cipher = cn_bear_suite_name(session.cipher_suite);
    if (setup->resumes) setup->bear_session = session;
    return (br_ssl_engine_current_state(&pair->client.eng) & BR_SSL_SENDAPP) &&
        (br_ssl_engine_current_state(&pair->server.eng) & BR_SSL_SENDAPP);
}

static size_t bear_pass(void *arg, bool up, const char *bytes, size_t len) {
    bear_t *pair = (bear_t *)arg;
    br_ssl_engine_context *from = up ? &pair->client.eng : &pair->server.eng;
    br_ssl_engine_context *to = up ? &pair->server.eng : &pair->client.eng;
    size_t moved = 0, room;
    while (len) {
        unsigned char *out = br_ssl_engine_sendapp_buf(from, &room);
        if (!out) die("BearSSL", "cannot seal");
        room = CN_MIN(room, len);
        memcpy(out, bytes, room);
        br_ssl_engine_sendapp_ack(from, room);
        br_ssl_engine_flush(from, 0);
        bytes += room;
        len -= room;
        moved += bear_move(from, to);
    }
    return moved;
}

static void bear_end(void *arg) {
    bear_t *pair = (bear_t *)arg;
    br_ssl_engine_close(&pair->client.eng);
    while (bear_move(&pair->client.eng, &pair->server.eng) + bear_move(&pair->server.eng, &pair->client.eng)) {}
    free(pair);
}

/* ---- OpenSSL by itself, between the ends of a BIO pair ---- */

typedef struct ossl_t {
    SSL *client, *server;
    BIO *up, *down;
} ossl_t;

static void *ossl_begin(setup_t *setup) {
    ossl_t *pair = (ossl_t *)malloc(sizeof *pair);
    if (!pair) return NULL;
    pair->client = SSL_new(setup->ssl_client);
    pair->server = SSL_new(setup->ssl_server);
    if (!pair->client || !pair->server || BIO_new_bio_pair(&pair->up, 2 * CHUNK, &pair->down, 2 * CHUNK) != 1)
        die("OpenSSL", "no session");
    SSL_set_bio(pair->client, pair->up, pair->up);
    SSL_set_bio(pair->server, pair->down, pair->down);
    SSL_set_app_data(pair->client, setup);
    if (SSL_set1_host(pair->client, "localhost") != 1 || SSL_set_tlsext_host_name(pair->client, "localhost") != 1 ||
        (setup->ssl_session && SSL_set_session(pair->client, setup->ssl_session) != 1))
        die("OpenSSL", "cannot set up the client");
    SSL_set_connect_state(pair->client);
    SSL_set_accept_state(pair->server);
    return pair;
}

static bool ossl_handshake(void *arg, setup_t *setup, bool *is_resumed, const char **cipher) {
    ossl_t *pair = (ossl_t *)arg;
    char byte;
    int i;
    (void)setup;
    for (i = 0; i < 4 && (!SSL_is_init_finished(pair->client) || !SSL_is_init_finished(pair->server)); i++) {
        SSL_do_handshake(pair->client);
        SSL_do_handshake(pair->server);
    }
    SSL_read(pair->client, &byte, 1); /* the tickets */
    *is_resumed = SSL_session_reused(pair->client);
    *cipher = SSL_CIPHER_standard_name(SSL_get_current_cipher(pair->client));
    return SSL_is_init_finished(pair->client) && SSL_is_init_finished(pair->server);
}

static size_t ossl_pass(void *arg, bool up, const char *bytes, size_t len) {
    static char plain[RECORD_PLAINTEXT];
    ossl_t *pair = (ossl_t *)arg;
    SSL *from = up ? pair->client : pair->server, *to = up ? pair->server : pair->client;
    size_t moved = 0;
    while (len) {
        size_t part = CN_MIN(len, RECORD_PLAINTEXT), got = 0;
        if (SSL_write(from, bytes, (int)part) != (int)part) die("OpenSSL", "cannot seal");
        moved += BIO_ctrl_pending(up ? pair->down : pair->up);
        if (SSL_read_ex(to, plain, sizeof plain, &got) != 1 || got != part) die("OpenSSL", "cannot open");
        bytes += part;
        len -= part;
    }
    return moved;
}

static void ossl_end(void *arg) {
    ossl_t *pair = (ossl_t *)arg;
    SSL_shutdown(pair->client);
    SSL_shutdown(pair->server);
    SSL_shutdown(pair->client);
    SSL_free(pair->client);
    SSL_free(pair->server);
    free(pair);
}

static const pair_kind_t ours = {"connect.h", ours_begin, ours_handshake, ours_pass, ours_end};
static const pair_kind_t bear = {"BearSSL", bear_begin, bear_handshake, bear_pass, bear_end};
static const pair_kind_t ossl = {"OpenSSL", ossl_begin, ossl_handshake, ossl_pass, ossl_end};

static void *new_pair(const pair_kind_t *kind, setup_t *setup, bool is_resumed, const char **cipher) {
    void *pair = kind->begin(setup);
    bool was_resumed;
    if (!pair) die(kind->name, "out of memory");
    if (!kind->handshake(pair, setup, &was_resumed, cipher)) die(kind->name, "the handshake failed");
    if (was_resumed != is_resumed) die(kind->name, is_resumed ? "was not resumed" : "was resumed");
    return pair;
}

/* ---- Calls over HTTP/2 ---- */

typedef struct echo_t {
    connect_server_t *server;
    connect_client_t *client;
    connect_listen_options_t listen;
    connect_conn_t *near, *far; /* the client's end, the server's */
    bool is_done;
    size_t request_len;
    bool is_recorded; /* what goes over the wire is looked at */
    size_t count;
    struct {
        size_t len;
        bool up;
    } records[RECORDS_MAX]; /* with their headers */
} echo_t;

static connect_code_t on_echo(
    connect_call_t *call, const bench_v1_Payload *request, bench_v1_Payload *response, void *user) {
    (void)call;
    (void)user;
    response->text = request->text;
    return CONNECT_OK;
}

static connect_code_t echo_dial(connect_conn_t *conn, const char *address, void *user) {
    echo_t *echo = (echo_t *)user;
    echo->near = conn;
    echo->far = connect_server_accept(echo->server, address, &echo->listen, NULL);
    return echo->far ? CONNECT_OK : CONNECT_UNAVAILABLE;
}

static void echo_record(echo_t *echo, bool up, connect_str_t out) {
    while (out.len) {
        const unsigned char *head = (const unsigned char *)out.data;
        size_t len = RECORD_HEADER;
        if (out.len >= RECORD_HEADER) len += (size_t)head[3] << 8 | head[4];
        if (len > out.len || echo->count == RECORDS_MAX) die("calls", "not whole records, or too many");
        echo->records[echo->count].len = len;
        echo->records[echo->count++].up = up;
        out = cn_str(out.data + len, out.len - len);
    }
}

static bool echo_carry(echo_t *echo, bool up) {
    connect_conn_t *from = up ? echo->near : echo->far, *to = up ? echo->far : echo->near;
    connect_str_t out = connect_conn_output(from);
    size_t taken = connect_conn_feed(to, out.data, out.len, 0);
    if (echo->is_recorded) echo_record(echo, up, cn_str(out.data, taken));
    connect_conn_sent(from, taken);
    return taken > 0;
}

static void echo_done(
    connect_call_t *call, const bench_v1_Payload *response, const connect_error_t *error, void *user) {
    echo_t *echo = (echo_t *)user;
    (void)call;
    if (error) die("call", error->message.data);
    if (response->text.len != echo->request_len) die("call", "another text came back");
    echo->is_done = true;
}

static void echo_call(echo_t *echo) {
    bench_v1_Payload request = CONNECT_DEFAULTS;
    connect_error_t error;
    request.text = cn_str(text, echo->request_len);
    echo->is_done = false;
    if (!bench_v1_Echo_Unary(echo->client, &request, echo_done, echo, &error)) die("call", error.message.data);
    connect_conn_feed(echo->near, NULL, 0, 0);
    while ((int)echo_carry(echo, true) | (int)echo_carry(echo, false)) {}
    if (!echo->is_done) die("call", "no answer");
}

static void echo_make(echo_t *echo, const setup_t *setup_or_null, size_t request_len) {
    connect_client_options_t options = CONNECT_DEFAULTS;
    bench_v1_Echo_handlers handlers = CONNECT_DEFAULTS;
    connect_error_t error;
    int i;
    memset(echo, 0, sizeof *echo);
    echo->request_len = request_len;
    handlers.Unary = on_echo;
    options.http = CONNECT_HTTP_2;
    options.compression = options.accept = "identity";
    options.dial = echo_dial;
    options.user = echo;
    if (setup_or_null) {
        options.tls = setup_or_null->client;
        echo->listen.tls = setup_or_null->server;
    }
    echo->server = connect_server_new(NULL, &error);
    if (!echo->server || !bench_v1_Echo_serve(echo->server, &handlers, NULL, NULL, &error))
        die("server", error.message.data);
    echo->client = connect_client_new(setup_or_null ? "https://localhost" : "http://localhost", &options, &error);
    if (!echo->client) die("client", error.message.data);
    for (i = 0; i < 20; i++) /* field names are in HPACK's table then, windows and buffers have their sizes */
        echo_call(echo);
    echo->is_recorded = setup_or_null != NULL;
    echo_call(echo);
    echo->is_recorded = false;
}

static void echo_free(echo_t *echo) {
    connect_conn_close(echo->far);
    connect_conn_close(echo->near);
    connect_client_free(echo->client);
    connect_server_free(echo->server);
}

static double echo_time(echo_t *echo, int calls) {
    double begin = cpu_seconds();
    int i;
    for (i = 0; i < calls; i++)
        echo_call(echo);
    return (cpu_seconds() - begin) / calls;
}

/* Seals and opens the records of a call, each time after a call in clear text, or without. */
static double floor_time(
    const pair_kind_t *kind, void *pair, const echo_t *echo, echo_t *in_clear_or_null, size_t overhead, int calls) {
    double begin = cpu_seconds();
    size_t k;
    int i;
    for (i = 0; i < calls; i++) {
        if (in_clear_or_null) echo_call(in_clear_or_null);
        for (k = 0; k < echo->count; k++)
            if (kind->pass(pair, echo->records[k].up, text, echo->records[k].len - overhead) != echo->records[k].len)
                die(kind->name, "a record has another size");
    }
    return (cpu_seconds() - begin) / calls;
}

static void measure_calls(const pair_kind_t *kind, setup_t *setup, int rounds) {
    static const struct {
        size_t len;
        int calls;
    } sizes[] = {{16, 3000}, {1024, 2000}, {16384, 300}, {131072, 40}};
    const char *cipher;
    void *bare = new_pair(kind, setup, false, &cipher);
    size_t overhead = kind->pass(bare, true, text, 100) - 100, i;
    for (i = 0; i < CN_LEN(sizes); i++) {
        double clear[ROUNDS_MAX], secure[ROUNDS_MAX], between[ROUNDS_MAX], alone[ROUNDS_MAX];
        double ratio[ROUNDS_MAX], loop_ratio[ROUNDS_MAX];
        echo_t in_clear, in_tls;
        int r;
        echo_make(&in_clear, NULL, sizes[i].len);
        echo_make(&in_tls, setup, sizes[i].len);
        for (r = 0; r < rounds; r++) {
            clear[r] = echo_time(&in_clear, sizes[i].calls) * 1e6;
            secure[r] = echo_time(&in_tls, sizes[i].calls) * 1e6;
            between[r] = floor_time(kind, bare, &in_tls, &in_clear, overhead, sizes[i].calls) * 1e6 - clear[r];
            alone[r] = floor_time(kind, bare, &in_tls, NULL, overhead, sizes[i].calls) * 1e6;
            ratio[r] = (secure[r] - clear[r]) / between[r];
            loop_ratio[r] = (secure[r] - clear[r]) / alone[r];
        }
        printf(
            "| echo of %lu bytes, %lu records | %.2f us clear, %.2f us TLS | %.2f us, in a loop %.2f | %.2f, %.2f |\n",
            (unsigned long)sizes[i].len, (unsigned long)in_tls.count, median(clear, (size_t)rounds),
            median(secure, (size_t)rounds), median(between, (size_t)rounds), median(alone, (size_t)rounds),
            median(ratio, (size_t)rounds), median(loop_ratio, (size_t)rounds));
        fflush(stdout);
        echo_free(&in_tls);
        echo_free(&in_clear);
    }
    kind->end(bare);
}

/* ---- Bulk ---- */

static double bulk_time(const pair_kind_t *kind, void *pair) {
    double begin = cpu_seconds();
    int i;
    for (i = 0; i < 200; i++)
        kind->pass(pair, true, text, CHUNK);
    return 200.0 * CHUNK / 1e6 / (cpu_seconds() - begin);
}

static void measure_bulk(const pair_kind_t *kind, setup_t *setup, int rounds) {
    double own[ROUNDS_MAX], bare[ROUNDS_MAX], ratio[ROUNDS_MAX];
    const char *ciphers[2];
    void *pairs[2];
    int r;
    pairs[0] = new_pair(&ours, setup, false, &ciphers[0]);
    pairs[1] = new_pair(kind, setup, false, &ciphers[1]);
    if (strcmp(ciphers[0], ciphers[1]) != 0) die(ciphers[0], ciphers[1]);
    for (r = 0; r < rounds; r++) {
        own[r] = bulk_time(&ours, pairs[0]);
        bare[r] = bulk_time(kind, pairs[1]);
        ratio[r] = own[r] / bare[r];
    }
    printf("| bulk, %s | %.0f MB/s | %.0f MB/s | %.2f |\n", ciphers[0], median(own, (size_t)rounds),
        median(bare, (size_t)rounds), median(ratio, (size_t)rounds));
    fflush(stdout);
    ours.end(pairs[0]);
    kind->end(pairs[1]);
}

/* ---- Handshakes ---- */

static double handshake_time(const pair_kind_t *kind, setup_t *setup, int count) {
    const char *cipher;
    double begin = cpu_seconds();
    int i;
    for (i = 0; i < count; i++)
        kind->end(new_pair(kind, setup, setup->resumes, &cipher));
    return count / (cpu_seconds() - begin);
}

static void measure_handshakes(
    const pair_kind_t *kind, const connect_tls_engine_t *engine, const char *name, int rounds) {
    static setup_t setups[2];
    double own[2][ROUNDS_MAX], bare[2][ROUNDS_MAX], ratio[2][ROUNDS_MAX], cheaper[2][ROUNDS_MAX];
    const char *cipher;
    int r, resumed;
    for (resumed = 0; resumed < 2; resumed++)
        setup_make(&setups[resumed], engine, name, resumed != 0);
    ours.end(new_pair(&ours, &setups[1], false, &cipher));
    kind->end(new_pair(kind, &setups[1], false, &cipher));
    for (r = 0; r < rounds; r++) {
        for (resumed = 0; resumed < 2; resumed++) {
            int count = resumed ? 100 : 20;
            own[resumed][r] = handshake_time(&ours, &setups[resumed], count);
            bare[resumed][r] = handshake_time(kind, &setups[resumed], count);
            ratio[resumed][r] = own[resumed][r] / bare[resumed][r];
        }
        cheaper[0][r] = own[1][r] / own[0][r];
        cheaper[1][r] = bare[1][r] / bare[0][r];
    }
    for (resumed = 0; resumed < 2; resumed++) {
        printf("| %s handshakes, %s | %.0f/s | %.0f/s | %.2f |\n", resumed ? "resumed" : "full", name,
            median(own[resumed], (size_t)rounds), median(bare[resumed], (size_t)rounds),
            median(ratio[resumed], (size_t)rounds));
        setup_free(&setups[resumed]);
    }
    printf("| resumed ones, how many times cheaper, %s | %.1f | %.1f | |\n", name, median(cheaper[0], (size_t)rounds),
        median(cheaper[1], (size_t)rounds));
    fflush(stdout);
}

int main(int argc, char **argv) {
    int rounds = argc > 1 ? atoi(argv[1]) : 15, i;
    if (rounds < 1 || rounds > ROUNDS_MAX) die(argv[1], "not a number of rounds");
    memset(text, 'x', sizeof text);
    for (i = 0; i < 2; i++) {
        static setup_t setup;
        const pair_kind_t *kind = i ? &ossl : &bear;
        const connect_tls_engine_t *engine = i ? connect_openssl_engine() : NULL;
        printf("%s| %s | connect.h | %s alone | ratio |\n|---|--:|--:|--:|\n", i ? "\n" : "",
            engine ? engine->name : cn_tls_bearssl()->name, kind->name);
        setup_make(&setup, engine, "server", false);
        measure_calls(kind, &setup, rounds);
        measure_bulk(kind, &setup, rounds);
        setup_free(&setup);
        measure_handshakes(kind, engine, "server", rounds);
        measure_handshakes(kind, engine, "server-rsa", rounds);
    }
    return 0;
}
