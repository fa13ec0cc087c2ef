#define CONNECT_IMPLEMENTATION
#include "connect.h"
#include "../support/support.h"

#define COUNT(array) (sizeof(array) / sizeof *(array))
#define SMALLER(a, b) ((a) < (b) ? (a) : (b))
#define STR(literal) ((connect_str_t){(literal), sizeof(literal) - 1})
#define CONTAINER(pointer, type, member) ((type *)(void *)((char *)(pointer)-offsetof(type, member)))

/* HTTP/1.1 without a socket: bytes in, bytes out, and a small application on top that writes down what it is told.
   Every input is given whole, byte by byte and cut at every place, and must come to the same. */

/* ---- The application -------------------------------------------------------------------------------------------- */

typedef enum app_mode {
    APP_ECHO,         /* answers with the body, sized, when the request is whole */
    APP_ECHO_CHUNKED, /* the same in chunks, with a trailer */
    APP_EARLY,        /* answers with a status as soon as the head is there */
    APP_STREAM,       /* sends the head at once, and every piece as it comes */
    APP_SILENT        /* answers when the test says so */
} app_mode;

typedef struct peer peer;
typedef struct call {
    cn_exchange_t x;
    connect_arena_t arena;
    cn_buf_t body;
    peer *peer;
    bool ended, closed;
    connect_code_t code;
    const char *why;
    size_t to_produce; /* client: bytes of the request that are still to be appended */
    unsigned writable;
} call;

struct peer {
    cn_http_t http;
    connect_limits_t limits;
    cn_list_t unused;
    app_mode mode;
    int status;   /* EARLY, ECHO: 0 is 200 */
    bool hold;    /* received bytes are not consumed */
    bool no_room; /* on_begin refuses */
    bool reset_in_data, reset_in_head;
    unsigned again; /* client: calls that are begun inside on_closed of the one before */
    call calls[32];
    size_t call_count, closed_count;
    cn_buf_t log, sent; /* what happened, and all output so far */
    unsigned outputs, rooms;
};

static void log_bytes(cn_buf_t *log, const char *bytes, size_t len) {
    assert_true(cn_buf_append(log, NULL, bytes, len));
}
static void log_text(cn_buf_t *log, const char *text) {
    log_bytes(log, text, strlen(text));
}
static void log_headers(cn_buf_t *log, const cn_headers_t *headers) {
    size_t i;
    for (i = 0; i < headers->count; i++) {
        log_text(log, " ");
        log_text(log, headers->items[i].name);
        log_text(log, "=");
        log_bytes(log, headers->items[i].value.data, headers->items[i].value.len);
        assert_int_equal(headers->items[i].value.data[headers->items[i].value.len], 0);
    }
}

static call *client_call(peer *p, const char *method, const char *body, bool chunked);

static call *call_of(cn_exchange_t *x) {
    call *c = CONTAINER(x, call, x);
    assert_false(c->closed);
    assert_true(c->peer->http.feeding);
    assert_ptr_equal(x->http, &c->peer->http);
    return c;
}

static void app_answer(call *c, bool chunked, connect_str_t body) {
    static const connect_header_t headers[] = {{"content-type", {"text/plain", 10}}};
    static const connect_header_t trailers[] = {{"grpc-status", {"0", 1}}};
    const cn_http_version_t *version = c->peer->http.version;
    cn_exchange_t *x = &c->x;
    cn_head_t head;
    connect_headers_t end = {NULL, 0};
    memset(&head, 0, sizeof head);
    head.status = c->peer->status ? c->peer->status : 200;
    head.headers = headers;
    head.header_count = 1;
    head.content_length = chunked ? -1 : (int64_t)body.len;
    if (!x->sent_head && !version->send_head(x, &head, !chunked && body.len == 0)) {
        version->reset(x, CN_RESET_INTERNAL);
        return;
    }
    if (!cn_buf_append(&x->out, c->peer->http.allocator, body.data, body.len)) {
        version->reset(x, CN_RESET_INTERNAL);
        return;
    }
    if (chunked) {
        end.items = trailers;
        end.count = 1;
    }
    version->flush(x);
    version->send_end(x, end);
}

static void app_on_head(cn_exchange_t *x) {
    call *c = call_of(x);
    assert_true(x->received_head);
    assert_false(c->ended);
    if (c->peer->reset_in_head) c->peer->http.version->reset(x, CN_RESET_CANCEL);
    if (!c->peer->http.is_server) return;
    if (c->peer->mode == APP_EARLY) app_answer(c, false, STR("no"));
    if (c->peer->mode == APP_STREAM) {
        cn_head_t head;
        memset(&head, 0, sizeof head);
        head.status = 200;
        head.content_length = -1;
        if (!c->peer->http.version->send_head(x, &head, false)) c->peer->http.version->reset(x, CN_RESET_INTERNAL);
    }
}

static void app_on_data(cn_exchange_t *x, const char *bytes, size_t len) {
    call *c = call_of(x);
    assert_true(len > 0 && x->received_head && !c->ended && !x->reset);
    assert_false(c->peer->http.is_server && x->sent_end);
    assert_true(x->unread <= c->peer->limits.stream_window);
    log_bytes(&c->body, bytes, len);
    if (!c->peer->hold) c->peer->http.version->consume(x, len);
    if (c->peer->mode == APP_STREAM && c->peer->http.is_server) {
        if (cn_buf_append(&x->out, c->peer->http.allocator, bytes, len))
            c->peer->http.version->flush(x);
        else
            c->peer->http.version->reset(x, CN_RESET_INTERNAL);
    }
    if (c->peer->reset_in_data) c->peer->http.version->reset(x, CN_RESET_CANCEL);
}

static void app_on_end(cn_exchange_t *x) {
    call *c = call_of(x);
    assert_true(x->received_end && !c->ended && !x->reset);
    c->ended = true;
    if (!c->peer->http.is_server) return;
    if (c->peer->mode == APP_ECHO) app_answer(c, false, cn_buf_view(&c->body));
    if (c->peer->mode == APP_ECHO_CHUNKED) app_answer(c, true, cn_buf_view(&c->body));
    if (c->peer->mode == APP_STREAM) app_answer(c, true, STR(""));
}

static void app_on_writable(cn_exchange_t *x) {
    call *c = call_of(x);
    c->writable++;
    assert_true(cn_buf_len(&x->out) < c->peer->limits.stream_buffer / 2);
    while (c->to_produce && cn_buf_len(&x->out) <= c->peer->limits.stream_buffer) {
        char piece[1000];
        size_t len = SMALLER(sizeof piece, c->to_produce);
        memset(piece, 'a' + (int)(c->to_produce / 1000 % 26), len);
        assert_true(cn_buf_append(&x->out, c->peer->http.allocator, piece, len));
        c->to_produce -= len;
        c->peer->http.version->flush(x);
        if (c->to_produce == 0) {
            connect_headers_t none = {NULL, 0};
            c->peer->http.version->send_end(x, none);
        }
    }
}

static void app_on_due(cn_exchange_t *x) {
    (void)x;
    fail_msg("nobody asked for it");
}

static void app_on_closed(cn_exchange_t *x, connect_code_t code, const char *why) {
    call *c = CONTAINER(x, call, x);
    cn_buf_t *log = &c->peer->log;
    char number[32];
    assert_false(c->closed);
    assert_true(c->peer->http.feeding);
    assert_null(x->http);
    if (code != CONNECT_OK) assert_non_null(why);
    if (code == CONNECT_OK) assert_true(x->received_end || (c->peer->http.is_server && x->sent_end));
    c->closed = true;
    c->code = code;
    c->why = why;
    c->peer->closed_count++;
    if (x->received_head) {
        if (c->peer->http.is_server) {
            log_bytes(log, x->method.data, x->method.len);
            log_text(log, " ");
            log_bytes(log, x->path.data, x->path.len);
            log_text(log, " @");
            if (x->authority.data) log_bytes(log, x->authority.data, x->authority.len);
        } else {
            snprintf(number, sizeof number, "%d", x->status);
            log_text(log, number);
        }
        log_headers(log, &x->headers);
        log_text(log, " [");
        log_bytes(log, cn_buf_view(&c->body).data, cn_buf_len(&c->body));
        log_text(log, "]");
        log_headers(log, &x->trailers);
    }
    snprintf(number, sizeof number, "%s %d\n", c->ended ? " end" : " cut", (int)code);
    log_text(log, number);
    cn_buf_free(&x->out, c->peer->http.allocator);
    cn_buf_free(&c->body, NULL);
    connect_arena_free(&c->arena);
    memset(&x->headers, 0xEE, sizeof x->headers);
    if (c->peer->again && c->peer->http.version->can_begin(&c->peer->http)) {
        c->peer->again--;
        client_call(c->peer, "POST", "again", false);
    }
}

static const cn_exchange_events_t app_events = {
    app_on_head, app_on_data, app_on_end, app_on_writable, app_on_due, app_on_closed};

static call *peer_new_call(peer *p) {
    call *c;
    assert_true(p->call_count < COUNT(p->calls));
    c = &p->calls[p->call_count++];
    memset(c, 0, sizeof *c);
    c->peer = p;
    connect_arena_init(&c->arena, NULL, 0, p->http.allocator ? p->http.allocator : connect_allocator_libc());
    c->x.events = &app_events;
    c->x.arena = &c->arena;
    c->x.due_ms = INT64_MAX;
    return c;
}

static peer *peer_of(cn_http_t *http) {
    return CONTAINER(http, peer, http);
}
static cn_exchange_t *peer_on_begin(cn_http_t *http) {
    peer *p = peer_of(http);
    assert_true(http->is_server && http->feeding);
    return p->no_room ? NULL : &peer_new_call(p)->x;
}
static void peer_on_output(cn_http_t *http) {
    assert_false(http->feeding);
    peer_of(http)->outputs++;
}
static void peer_on_room(cn_http_t *http) {
    assert_false(http->is_server);
    peer_of(http)->rooms++;
}

static bool peer_open(peer *p, bool is_server, const connect_allocator_t *allocator) {
    static const cn_http_events_t events = {peer_on_begin, peer_on_output, peer_on_room};
    memset(p, 0, sizeof *p);
    p->limits.requests = 10000;
    p->limits.stream_window = p->limits.stream_buffer = 65536;
    p->limits.connection_buffer = 262144;
    p->limits.header_bytes = 16384;
    p->limits.header_count = 128;
    p->limits.url_bytes = 8192;
    p->http.version = cn_http1_version();
    p->http.events = &events;
    p->http.allocator = allocator;
    p->http.limits = &p->limits;
    p->http.is_server = is_server;
    p->http.now_ms = 1000;
    p->http.due_ms = INT64_MAX;
    p->http.head_since_ms = -1;
    cn_list_init(&p->http.exchanges);
    return p->http.version->open(&p->http);
}

static void peer_close(peer *p) {
    size_t i;
    if (p->http.state) p->http.version->free(&p->http);
    assert_int_equal(p->closed_count, p->call_count);
    assert_int_equal(p->http.exchange_count, 0);
    for (i = 0; i < p->call_count; i++)
        assert_true(p->calls[i].closed);
    cn_buf_free(&p->http.out, p->http.allocator);
    cn_buf_free(&p->log, NULL);
    cn_buf_free(&p->sent, NULL);
}

/* Pulls, and takes at most `room` bytes of output. */
static void peer_pump(peer *p, size_t room) {
    connect_str_t out;
    size_t len;
    p->http.version->pull(&p->http);
    assert_false(p->http.feeding);
    out = cn_buf_view(&p->http.out);
    len = SMALLER(out.len, room);
    log_bytes(&p->sent, out.data, len);
    cn_buf_drop(&p->http.out, len);
}

/* The input, so that its last byte is the last of a page. */
static const char *at_page_end(const char *bytes, size_t len) {
    static guarded page;
    if (!page.data) page = guarded_new(1u << 18, 0);
    assert_true(len <= page.len);
    if (len) memcpy(page.data + page.len - len, bytes, len);
    return page.data + page.len - len;
}

/* Feeds in pieces until all is taken, or nothing is any more. Returns how much. */
static size_t peer_feed(peer *p, const char *bytes, size_t len, size_t piece) {
    size_t at = 0;
    while (at < len) {
        size_t offered = SMALLER(piece, len - at);
        size_t taken = p->http.version->feed(&p->http, at_page_end(bytes + at, offered), offered);
        assert_true(taken == offered || (taken < offered && p->http.read_blocked));
        assert_false(p->http.feeding);
        at += taken;
        peer_pump(p, SIZE_MAX);
        if (taken < offered && p->http.read_blocked) break;
    }
    return at;
}
static void peer_feed_text(peer *p, const char *text) {
    assert_int_equal(peer_feed(p, text, strlen(text), SIZE_MAX), strlen(text));
}
static void peer_eof(peer *p) {
    p->http.version->eof(&p->http);
    peer_pump(p, SIZE_MAX);
}
static void assert_sent(peer *p, const char *expected) {
    assert_str(cn_buf_view(&p->sent), expected);
    cn_buf_clear(&p->sent);
}
static void assert_log(peer *p, const char *expected) {
    assert_str(cn_buf_view(&p->log), expected);
    cn_buf_clear(&p->log);
}
static int sent_status(const peer *p) {
    connect_str_t sent = cn_buf_view(&p->sent);
    return sent.len >= 12 && memcmp(sent.data, "HTTP/1.1 ", 9) == 0
        ? (sent.data[9] - '0') * 100 + (sent.data[10] - '0') * 10 + (sent.data[11] - '0')
        : 0;
}
static bool contains(connect_str_t text, const char *part) {
    size_t len = strlen(part), i;
    for (i = 0; i + len <= text.len; i++)
        if (memcmp(text.data + i, part, len) == 0) return true;
    return false;
}

/* ---- Requests --------------------------------------------------------------------------------------------------- */

#define HOST "Host: h\r\n"
#define OK_HEAD "HTTP/1.1 200 OK\r\ncontent-type: text/plain\r\n"

typedef struct exchange_case {
    app_mode mode;
    const char *input, *log, *output;
    bool closes;
} exchange_case;

static const exchange_case good_requests[] = {
    {APP_ECHO, "GET / HTTP/1.1\r\nHost: localhost:8080\r\n\r\n", "GET / @localhost:8080 host=localhost:8080 [] end 0\n",
        OK_HEAD "content-length: 0\r\n\r\n", false},
    {APP_ECHO,
        "POST /acme.v1.Things/Get HTTP/1.1\r\nHost: a.example\r\nUser-Agent: curl/7.88.1\r\nAccept: */*\r\n"
        "CONTENT-TYPE:application/json\r\nX-Tab:\t a\tb \t \r\nX-Empty:\r\nX-Latin: caf\xE9\r\nContent-Length: "
        "12\r\n\r\n"
        "{\"id\": \"42\"}",
        "POST /acme.v1.Things/Get @a.example host=a.example user-agent=curl/7.88.1 accept=*/* "
        "content-type=application/json x-tab=a\tb x-empty= x-latin=caf\xE9 content-length=12 [{\"id\": \"42\"}] end "
        "0\n",
        OK_HEAD "content-length: 12\r\n\r\n{\"id\": \"42\"}", false},
    {APP_ECHO,
        "POST /c HTTP/1.1\r\n" HOST "Transfer-Encoding: Chunked\r\n\r\n5\r\nhello\r\n00A;x\r\n, world!!!\r\n"
        "1 ; a = \"q;\\\"\" ;b=c\r\n?\r\n0\r\nX-Sum: 7\r\nx-Sum: 8\r\n\r\n",
        "POST /c @h host=h transfer-encoding=Chunked [hello, world!!!?] x-sum=7 x-sum=8 end 0\n",
        OK_HEAD "content-length: 16\r\n\r\nhello, world!!!?", false},
    {APP_ECHO_CHUNKED, "POST /c HTTP/1.1\r\n" HOST "Content-Length: 3\r\n\r\nabc",
        "POST /c @h host=h content-length=3 [abc] end 0\n",
        OK_HEAD "transfer-encoding: chunked\r\n\r\n3\r\nabc\r\n0\r\ngrpc-status: 0\r\n\r\n", false},
    {APP_ECHO_CHUNKED, "POST /c HTTP/1.0\r\n" HOST "Content-Length: 3\r\n\r\nabc",
        "POST /c @h host=h content-length=3 [abc] end 0\n", OK_HEAD "connection: close\r\n\r\nabc", true},
    {APP_ECHO, "GET /old HTTP/1.0\r\n\r\n", "GET /old @ [] end 0\n",
        OK_HEAD "content-length: 0\r\nconnection: close\r\n\r\n", true},
    {APP_ECHO, "GET /old HTTP/1.0\r\nConnection: foo, Keep-Alive\r\n\r\n",
        "GET /old @ connection=foo, Keep-Alive [] end 0\n",
        OK_HEAD "content-length: 0\r\nconnection: keep-alive\r\n\r\n", false},
    {APP_ECHO, "GET / HTTP/1.1\r\n" HOST "Connection: upgrade , cLOSE\r\nUpgrade: h2c\r\n\r\n",
        "GET / @h host=h connection=upgrade , cLOSE upgrade=h2c [] end 0\n",
        OK_HEAD "content-length: 0\r\nconnection: close\r\n\r\n", true},
    {APP_ECHO, "HEAD /h HTTP/1.1\r\n" HOST "Content-Length: 2\r\n\r\nab",
        "HEAD /h @h host=h content-length=2 [ab] end 0\n", OK_HEAD "content-length: 2\r\n\r\n", false},
    {APP_ECHO, "\r\nOPTIONS * HTTP/1.1\r\n" HOST "\r\n", "OPTIONS * @h host=h [] end 0\n",
        OK_HEAD "content-length: 0\r\n\r\n", false},
    {APP_ECHO, "GET http://A.example:80/x?y=1 HTTP/1.1\r\nHost: a.EXAMPLE:80\r\n\r\n",
        "GET /x?y=1 @A.example:80 host=a.EXAMPLE:80 [] end 0\n", OK_HEAD "content-length: 0\r\n\r\n", false},
    {APP_ECHO, "GET HTTPS://[::1]?y HTTP/1.1\r\nHost: [::1]\r\n\r\n", "GET /?y @[::1] host=[::1] [] end 0\n",
        OK_HEAD "content-length: 0\r\n\r\n", false},
    {APP_ECHO, "get /%00|{\"} HTTP/1.1\r\n" HOST "\r\n", "get /%00|{\"} @h host=h [] end 0\n",
        OK_HEAD "content-length: 0\r\n\r\n", false},
    {APP_EARLY, "POST /early HTTP/1.1\r\n" HOST "Content-Length: 5\r\n\r\nhello",
        "POST /early @h host=h content-length=5 [] cut 0\n", OK_HEAD "content-length: 2\r\n\r\nno", false},
    {APP_EARLY, "POST /early HTTP/1.1\r\n" HOST "Transfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\n\r\n",
        "POST /early @h host=h transfer-encoding=chunked [] cut 0\n",
        OK_HEAD "content-length: 2\r\nconnection: close\r\n\r\nno", true},
    {APP_EARLY, "POST /early HTTP/1.1\r\n" HOST "Content-Length: 65537\r\n\r\nhello",
        "POST /early @h host=h content-length=65537 [] cut 0\n",
        OK_HEAD "content-length: 2\r\nconnection: close\r\n\r\nno", true},
    {APP_ECHO,
        "GET /a HTTP/1.1\r\n" HOST "\r\nPOST /b HTTP/1.1\r\n" HOST "Content-Length: 1\r\n\r\nxGET /c HTTP/1.1\r\n" HOST
        "\r\n",
        "GET /a @h host=h [] end 0\nPOST /b @h host=h content-length=1 [x] end 0\nGET /c @h host=h [] end 0\n",
        OK_HEAD "content-length: 0\r\n\r\n" OK_HEAD "content-length: 1\r\n\r\nx" OK_HEAD "content-length: 0\r\n\r\n",
        false},
};

/* Runs one case cut in two at `cut`, then in pieces. */
static void run_request(const exchange_case *c, size_t cut, size_t piece) {
    static peer p;
    size_t len = strlen(c->input);
    assert_true(peer_open(&p, true, NULL));
    p.mode = c->mode;
    assert_int_equal(peer_feed(&p, c->input, cut, piece), cut);
    assert_int_equal(peer_feed(&p, c->input + cut, len - cut, piece), len - cut);
    assert_int_equal(p.http.closing, c->closes);
    if (!c->closes) assert_int_equal(p.http.exchange_count, 0);
    assert_log(&p, c->log);
    assert_sent(&p, c->output);
    assert_int_equal(p.http.head_since_ms, -1);
    peer_close(&p);
}

static void test_requests(void **state) {
    size_t i, cut;
    (void)state;
    for (i = 0; i < COUNT(good_requests); i++) {
        const exchange_case *c = &good_requests[i];
        run_request(c, 0, SIZE_MAX);
        run_request(c, 0, 1);
        run_request(c, 0, 3);
        for (cut = 1; cut < strlen(c->input); cut++)
            run_request(c, cut, SIZE_MAX);
    }
}

typedef struct refusal {
    int status;
    const char *input;
} refusal;

#define GET "GET / HTTP/1.1\r\n" HOST
#define POST "POST / HTTP/1.1\r\n" HOST
#define CHUNKED POST "Transfer-Encoding: chunked\r\n\r\n"

static const refusal refusals[] = {
    /* 1: Content-Length */
    {400, POST "Content-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n"},
    {400, POST "Transfer-Encoding: chunked\r\nContent-Length: 5\r\n\r\n0\r\n\r\n"},
    {400, POST "Content-Length: 5\r\nContent-Length: 5\r\n\r\nhello"},
    {400, POST "Content-Length: 5\r\nContent-Length: 6\r\n\r\nhello"},
    {400, POST "Content-Length: 5, 5\r\n\r\nhello"},
    {400, POST "Content-Length: +5\r\n\r\nhello"},
    {400, POST "Content-Length: -1\r\n\r\n"},
    {400, POST "Content-Length: -0\r\n\r\n"},
    {400, POST "Content-Length: 1 0\r\n\r\nhello67890"},
    {400, POST "Content-Length: 0x5\r\n\r\nhello"},
    {400, POST "Content-Length: 0o5\r\n\r\nhello"},
    {400, POST "Content-Length: 1_0\r\n\r\nhello67890"},
    {400, POST "Content-Length: 05\r\n\r\nhello"},
    {400, POST "Content-Length: 00\r\n\r\n"},
    {400, POST "Content-Length: \r\n\r\n"},
    {400, POST "Content-Length: 9223372036854775808\r\n\r\n"},
    {400, POST "Content-Length: 99999999999999999999\r\n\r\n"},
    {400, POST "Content-Length: abc\r\n\r\n"},
    /* 2: Transfer-Encoding */
    {501, POST "Transfer-Encoding: gzip\r\n\r\n"},
    {501, POST "Transfer-Encoding: gzip, chunked\r\n\r\n0\r\n\r\n"},
    {501, POST "Transfer-Encoding: xchunked\r\n\r\n"},
    {400, POST "Transfer-Encoding: xchunked\r\nContent-Length: 5\r\n\r\nhello"},
    {400, POST "Transfer-Encoding: chunked, chunked\r\n\r\n0\r\n\r\n"},
    {400, POST "Transfer-Encoding: chunked, gzip\r\n\r\n0\r\n\r\n"},
    {400, POST "Transfer-Encoding: chunked,\r\n\r\n0\r\n\r\n"},
    {400, POST "Transfer-Encoding: ,chunked\r\n\r\n0\r\n\r\n"},
    {400, POST "Transfer-Encoding: chunked;a=b\r\n\r\n0\r\n\r\n"},
    {400, POST "Transfer-Encoding: \r\n\r\n0\r\n\r\n"},
    {400, POST "Transfer-Encoding: \"chunked\"\r\n\r\n0\r\n\r\n"},
    {400,
        POST "Transfer-Encoding: \x0b"
             "chunked\r\n\r\n0\r\n\r\n"},
    {400, POST "Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n"},
    {400, POST "Transfer-Encoding: chunked\r\nTransfer-Encoding: identity\r\n\r\n0\r\n\r\n"},
    {400, POST "Transfer-Encoding:\r\n chunked\r\n\r\n0\r\n\r\n"},
    {400, POST "Transfer-Encoding : chunked\r\n\r\n0\r\n\r\n"},
    {400, "POST / HTTP/1.0\r\n" HOST "Transfer-Encoding: chunked\r\n\r\n0\r\n\r\n"},
    /* 3: lines */
    {400, "GET / HTTP/1.1\nHost: h\r\n\r\n"},
    {400, "GET / HTTP/1.1\rHost: h\r\n\r\n"},
    {400, "GET / HTTP/1.1\r\nHost: h\n\r\n"},
    {400, "GET / HTTP/1.1\r\nHost: h\n\n"},
    {400, GET "A: b\rc\r\n\r\n"},
    {400, GET "A: b\r\r\n\r\n"},
    {400, GET "A: b\001c\r\n\r\n"},
    {400, GET "A: b\177c\r\n\r\n"},
    {400, GET "A: 12345678\037abcdefgh\r\n\r\n"},
    {400, GET "A: b\r\n folded\r\n\r\n"},
    {400, GET "A: b\r\n\tfolded\r\n\r\n"},
    {400, GET " A: b\r\n\r\n"},
    {400, "GET / HTTP/1.1\r\n Host: h\r\n\r\n"},
    {400, "GET / HTTP/1.1\r\n \r\nHost: h\r\n\r\n"},
    {400, GET "A : b\r\n\r\n"},
    {400, GET "A\t: b\r\n\r\n"},
    {400, GET ": b\r\n\r\n"},
    {400, GET "A\r\n\r\n"},
    {400, GET "ab-,cdefgh: b\r\n\r\n"},
    {400,
        GET "ab-\xAD"
            "cdefgh: b\r\n\r\n"},
    {400,
        GET "abc\xE1"
            "cdefgh: b\r\n\r\n"},
    {400, GET "abc`@[{defgh: b\r\n\r\n"},
    {400, GET "A[b]: c\r\n\r\n"},
    {400, GET "A\xE9: c\r\n\r\n"},
    {400, GET "\rA: c\r\n\r\n"},
    {400, GET "A: b\r\n\rX\r\n\r\n"},
    {400, "   \r\n\r\n"},
    {400, " GET / HTTP/1.1\r\n" HOST "\r\n"},
    {400, "\r\n\r\nGET / HTTP/1.1\r\n" HOST "\r\n"},
    {400, "\nGET / HTTP/1.1\r\n" HOST "\r\n"},
    {400, "GET  / HTTP/1.1\r\n" HOST "\r\n"},
    {400, "GET /  HTTP/1.1\r\n" HOST "\r\n"},
    {400, "GET / HTTP/1.1 \r\n" HOST "\r\n"},
    {400, "GET\t/ HTTP/1.1\r\n" HOST "\r\n"},
    {400, "GET /a b HTTP/1.1\r\n" HOST "\r\n"},
    {400, "GET HTTP/1.1\r\n" HOST "\r\n"},
    {400, "GET /\r\n"},
    {400, "GET\r\n"},
    {400, "G(T / HTTP/1.1\r\n" HOST "\r\n"},
    {400, "GET /a#b HTTP/1.1\r\n" HOST "\r\n"},
    {400, "GET /a\\b HTTP/1.1\r\n" HOST "\r\n"},
    {400, "GET /caf\xE9 HTTP/1.1\r\n" HOST "\r\n"},
    {400, "GET /\177 HTTP/1.1\r\n" HOST "\r\n"},
    {400, "GET * HTTP/1.1\r\n" HOST "\r\n"},
    {400, "GET a/b HTTP/1.1\r\n" HOST "\r\n"},
    {400, "GET ftp://h/ HTTP/1.1\r\n" HOST "\r\n"},
    {400, "ABCDEFGHIJKLMNOPQRSTUVWXYZABCDEFG / HTTP/1.1\r\n" HOST "\r\n"},
    {400, "GET / HTTP/1\r\n" HOST "\r\n"},
    {400, "GET / HTTP/01.01\r\n" HOST "\r\n"},
    {400, "GET / HTTP/ 1.1\r\n" HOST "\r\n"},
    {400, "GET / http/1.1\r\n" HOST "\r\n"},
    {400, "GET / HTTP/1.1.1\r\n" HOST "\r\n"},
    {505, "GET / HTTP/1.2\r\n" HOST "\r\n"},
    {505, "GET / HTTP/2.0\r\n" HOST "\r\n"},
    {505, "PRI * HTTP/2.0\r\n\r\nXX\r\n\r\n"},
    {505, "GET / HTTP/0.9\r\n" HOST "\r\n"},
    /* 5: Host */
    {400, "GET / HTTP/1.1\r\n\r\n"},
    {400, GET "Host: h\r\n\r\n"},
    {400, GET "Host: other\r\n\r\n"},
    {400, "GET / HTTP/1.0\r\n" HOST HOST "\r\n"},
    {400, "GET / HTTP/1.1\r\nHost: \r\n\r\n"},
    {400, "GET / HTTP/1.1\r\nHost: a,b\r\n\r\n"},
    {400, "GET / HTTP/1.1\r\nHost: a, b\r\n\r\n"},
    {400, "GET / HTTP/1.1\r\nHost: u@h\r\n\r\n"},
    {400, "GET / HTTP/1.1\r\nHost: h/p\r\n\r\n"},
    {400, "GET / HTTP/1.1\r\nHost: h:80a\r\n\r\n"},
    {400, "GET / HTTP/1.1\r\nHost: h:800000\r\n\r\n"},
    {400, "GET / HTTP/1.1\r\nHost: :80\r\n\r\n"},
    {400, "GET / HTTP/1.1\r\nHost: [::1\r\n\r\n"},
    {400, "GET / HTTP/1.1\r\nHost: []\r\n\r\n"},
    {400, "GET / HTTP/1.1\r\nHost: [::1]x\r\n\r\n"},
    {400, "GET http://other/ HTTP/1.1\r\n" HOST "\r\n"},
    {400, "GET http://u@h/ HTTP/1.1\r\n" HOST "\r\n"},
    {400, "GET http:///x HTTP/1.1\r\n" HOST "\r\n"},
    /* 7 and expectations */
    {405, "CONNECT h:443 HTTP/1.1\r\nHost: h:443\r\n\r\n"},
    {405, "TRACE / HTTP/1.1\r\n" HOST "\r\n"},
    {417, POST "Expect: 200-ok\r\nContent-Length: 1\r\n\r\nx"},
};

/* 4: these come after a good head, so that the exchange is begun: it ends, and was never whole */
static const refusal bad_bodies[] = {
    {400, CHUNKED "+5\r\nhello\r\n0\r\n\r\n"},
    {400, CHUNKED "-1\r\nhello\r\n0\r\n\r\n"},
    {400, CHUNKED "0x5\r\nhello\r\n0\r\n\r\n"},
    {400, CHUNKED "1_0\r\nhello world!!!!!\r\n0\r\n\r\n"},
    {400, CHUNKED "\r\nhello\r\n0\r\n\r\n"},
    {400, CHUNKED " 5\r\nhello\r\n0\r\n\r\n"},
    {400, CHUNKED "5 \r\nhello\r\n0\r\n\r\n"},
    {400, CHUNKED "g\r\nhello\r\n0\r\n\r\n"},
    {400, CHUNKED "00000000000000005\r\nhello\r\n0\r\n\r\n"},
    {400, CHUNKED "8000000000000000\r\nhello\r\n0\r\n\r\n"},
    {400, CHUNKED "FFFFFFFFFFFFFFFF0\r\nhello\r\n0\r\n\r\n"},
    {400, CHUNKED "5\nhello\r\n0\r\n\r\n"},
    {400, CHUNKED "5\rhello\r\n0\r\n\r\n"},
    {400, CHUNKED "5;\r\nhello\r\n0\r\n\r\n"},
    {400, CHUNKED "5;\nhello\r\n0\r\n\r\n"},
    {400, CHUNKED "5;a\rX\r\nhello\r\n0\r\n\r\n"},
    {400, CHUNKED "5;a\001\r\nhello\r\n0\r\n\r\n"},
    {400, CHUNKED "5;a=\r\nhello\r\n0\r\n\r\n"},
    {400, CHUNKED "5;a=\"b\r\nhello\r\n0\r\n\r\n"},
    {400, CHUNKED "5;a=\"b\"c\r\nhello\r\n0\r\n\r\n"},
    {400, CHUNKED "5\r\nhello0\r\n\r\n"},
    {400, CHUNKED "5\r\nhello!!\r\n0\r\n\r\n"},
    {400, CHUNKED "5\r\nhello\n0\r\n\r\n"},
    {400, CHUNKED "5\r\nhello\r0\r\n\r\n"},
    {400, CHUNKED "5\r\nhello\r\n0\r\n\n"},
    {400, CHUNKED "5\r\nhello\r\n0\r\nA : b\r\n\r\n"},
    {400, CHUNKED "5\r\nhello\r\n0\r\nA: b\r\n c\r\n\r\n"},
    {400, CHUNKED "5\r\nhello\r\n0\r\nContent-Length: 3\r\n\r\n"},
    {400, CHUNKED "5\r\nhello\r\n0\r\nTransfer-Encoding: chunked\r\n\r\n"},
    {400, CHUNKED "5\r\nhello\r\n0\r\nHost: h\r\n\r\n"},
};

/* Every byte at every place of a name, a value and a target: as the tables say. */
static void test_every_byte_everywhere(void **state) {
    static const char frame[] =
        "GET /abcdefghijklmnop HTTP/1.1\r\nHost: h\r\nabcdef-hijklmnopq: abcdefghijklmnopq\r\n\r\n";
    static const size_t starts[] = {4, 41, 60}, lens[] = {17, 17, 17};
    static const unsigned char kinds[] = {CN_CHAR_TARGET, CN_CHAR_TOKEN, CN_CHAR_VALUE};
    const unsigned char *chars = cn_header_chars();
    static peer p;
    size_t part, at;
    unsigned c;
    (void)state;
    for (part = 0; part < 3; part++)
        for (at = part == 0 ? 1 : 0; at < lens[part]; at++)
            for (c = 0; c < 256; c++) {
                char text[sizeof frame];
                if (part == 1 && c == ':') continue;
                memcpy(text, frame, sizeof frame);
                text[starts[part] + at] = (char)c;
                assert_true(peer_open(&p, true, NULL));
                peer_feed(&p, text, sizeof frame - 1, SIZE_MAX);
                if (sent_status(&p) != (chars[c] & kinds[part] ? 200 : 400))
                    fail_msg("byte %02X at %zu of part %zu: %d", c, at, part, sent_status(&p));
                peer_close(&p);
            }
}

static void run_refusal(const char *input, size_t len, int status, size_t begun, size_t cut, size_t piece) {
    static peer p;
    assert_true(peer_open(&p, true, NULL));
    assert_int_equal(peer_feed(&p, input, cut, piece), cut);
    assert_int_equal(peer_feed(&p, input + cut, len - cut, piece), len - cut);
    if (sent_status(&p) != status || !p.http.closing || p.call_count != begun)
        fail_msg("%.*s\nwants %d, got %d in %.*s", (int)SMALLER(len, (size_t)300), input, status, sent_status(&p),
            (int)cn_buf_len(&p.sent), cn_buf_view(&p.sent).data);
    assert_true(contains(cn_buf_view(&p.sent), "connection: close\r\n"));
    assert_true(contains(cn_buf_view(&p.sent), "content-length: 0\r\n"));
    assert_int_equal(p.closed_count, begun);
    if (begun) {
        assert_false(p.calls[0].ended);
        assert_true(p.calls[0].code == CONNECT_INVALID_ARGUMENT || p.calls[0].code == CONNECT_RESOURCE_EXHAUSTED);
    }
    assert_int_equal(p.http.head_since_ms, -1);
    peer_close(&p);
}

static void test_refusals(void **state) {
    size_t i, cut;
    (void)state;
    for (i = 0; i < COUNT(refusals) + COUNT(bad_bodies); i++) {
        const refusal *r = i < COUNT(refusals) ? &refusals[i] : &bad_bodies[i - COUNT(refusals)];
        size_t len = strlen(r->input), begun = i < COUNT(refusals) ? 0 : 1;
        run_refusal(r->input, len, r->status, begun, 0, SIZE_MAX);
        run_refusal(r->input, len, r->status, begun, 0, 1);
        for (cut = 1; cut < len; cut++)
            run_refusal(r->input, len, r->status, begun, cut, SIZE_MAX);
    }
    run_refusal(GET "A: b\0c\r\n\r\n", sizeof GET + 9, 400, 0, 0, SIZE_MAX);
    run_refusal("GET /\0 HTTP/1.1\r\n\r\n", 20, 400, 0, 0, SIZE_MAX);
    run_refusal(CHUNKED "5;\0a\r\nhello", sizeof CHUNKED + 10, 400, 1, 0, SIZE_MAX);
}

/* ---- Limits ----------------------------------------------------------------------------------------------------- */

static void fill(cn_buf_t *text, char c, size_t count) {
    while (count--)
        log_bytes(text, &c, 1);
}

/* A whole input, in one piece and in small ones: served (status 200) or refused. */
static void expect_status(cn_buf_t *text, int status, size_t begun, connect_limits_t *limits) {
    static const size_t pieces[] = {SIZE_MAX, 1, 7, 1000, 4096};
    static peer p;
    size_t i;
    for (i = 0; i < COUNT(pieces); i++) {
        assert_true(peer_open(&p, true, NULL));
        if (limits) p.limits = *limits;
        assert_int_equal(peer_feed(&p, cn_buf_view(text).data, cn_buf_len(text), pieces[i]), cn_buf_len(text));
        assert_int_equal(sent_status(&p), status);
        assert_int_equal(p.call_count, begun);
        assert_int_equal(p.http.closing, status != 200);
        peer_close(&p);
    }
    cn_buf_free(text, NULL);
}

static void add_fields(cn_buf_t *text, size_t count, size_t each) {
    size_t i;
    for (i = 0; i < count; i++) { /* each counts as `each` */
        log_text(text, "n: ");
        fill(text, 'v', each - 33);
        log_text(text, "\r\n");
    }
}

static void test_limits(void **state) {
    cn_buf_t text;
    connect_limits_t limits;
    static peer p;
    size_t more;
    (void)state;
    memset(&text, 0, sizeof text);
    assert_true(peer_open(&p, true, NULL));
    limits = p.limits;
    peer_close(&p);
    for (more = 0; more < 2; more++) { /* the request line: "GET " and " HTTP/1.1" are 13 */
        log_text(&text, "GET /");
        fill(&text, 'a', limits.url_bytes - 14 + more);
        log_text(&text, " HTTP/1.1\r\n" HOST "\r\n");
        expect_status(&text, more ? 414 : 200, more ? 0 : 1, NULL);
    }
    log_text(&text, "GET /"); /* one that does not end */
    fill(&text, 'a', 10000);
    expect_status(&text, 414, 0, NULL);
    for (more = 0; more < 2; more++) { /* fields: "Host: h" counts 37 */
        log_text(&text, GET);
        add_fields(&text, 127, 128);
        add_fields(&text, more, 33);
        log_text(&text, "\r\n");
        expect_status(&text, more ? 431 : 200, more ? 0 : 1, NULL); /* 129 of them */
    }
    for (more = 0; more < 2; more++) {
        log_text(&text, GET);
        add_fields(&text, 1, 16384 - 37 + more);
        log_text(&text, "\r\n");
        expect_status(&text, more ? 431 : 200, more ? 0 : 1, NULL);
    }
    log_text(&text, GET "A: ");
    fill(&text, ' ', 20000); /* of no worth, and refused all the same */
    log_text(&text, "b\r\n\r\n");
    expect_status(&text, 431, 0, NULL);
    log_text(&text, GET);
    fill(&text, 'n', 20000);
    expect_status(&text, 431, 0, NULL);
    for (more = 0; more < 2; more++) { /* more fields than are remembered, up to a limit of one's own */
        connect_limits_t own = limits;
        own.header_count = 300;
        own.header_bytes = 100000;
        log_text(&text, GET);
        add_fields(&text, 299 + more, 60);
        log_text(&text, "\r\n");
        expect_status(&text, more ? 431 : 200, more ? 0 : 1, &own);
    }
    for (more = 0; more < 2; more++) { /* trailers, as headers */
        log_text(&text, CHUNKED "0\r\n");
        add_fields(&text, 1, 16384 + more);
        log_text(&text, "\r\n");
        expect_status(&text, more ? 431 : 200, 1, NULL);
        log_text(&text, CHUNKED "0\r\n");
        add_fields(&text, 128 + more, 40);
        log_text(&text, "\r\n");
        expect_status(&text, more ? 431 : 200, 1, NULL);
    }
    for (more = 0; more < 2; more++) { /* a chunk line: 256 */
        log_text(&text, CHUNKED "1;");
        fill(&text, 'e', 254 + more);
        log_text(&text, "\r\nx\r\n0\r\n\r\n");
        expect_status(&text, more ? 400 : 200, 1, NULL);
    }
    for (more = 0; more < 2; more++) { /* all extensions: 32 times 128 */
        size_t i;
        log_text(&text, CHUNKED);
        for (i = 0; i < 32; i++) {
            log_text(&text, "1;");
            fill(&text, 'e', 127 + (i == 31 ? more : 0));
            log_text(&text, "\r\nx\r\n");
        }
        log_text(&text, "0\r\n\r\n");
        expect_status(&text, more ? 400 : 200, 1, NULL);
    }
}

static void test_requests_per_connection(void **state) {
    static peer p;
    (void)state;
    assert_true(peer_open(&p, true, NULL));
    p.limits.requests = 2;
    peer_feed_text(&p, GET "\r\n");
    assert_sent(&p, OK_HEAD "content-length: 0\r\n\r\n");
    assert_false(p.http.closing);
    peer_feed_text(&p, GET "\r\n");
    assert_sent(&p, OK_HEAD "content-length: 0\r\nconnection: close\r\n\r\n");
    assert_true(p.http.closing);
    peer_close(&p);
}

/* ---- The public data set ---------------------------------------------------------------------------------------- */

typedef struct probe {
    connect_str_t id, expected, request;
    bool scored;
} probe;

static bool expects_word(connect_str_t expected, const char *word) {
    return contains(expected, word);
}

/* Whether an outcome is among those that are expected. status 0: no answer. */
static bool probe_passes(connect_str_t expected, int status, bool closing) {
    char number[8];
    size_t i;
    for (i = 0; i < expected.len; i++) /* "(pass), 2xx (warn)": only what stands before it passes */
        if (expected.data[i] == '(') expected.len = i;
    if (expected.len && expected.data[0] == '!') return status != 101;
    if (expects_word(expected, "+ close")) return status / 100 == 2 && closing;
    if (status == 0) return expects_word(expected, "timeout") || (closing && expects_word(expected, "close"));
    snprintf(number, sizeof number, "%d", status);
    if (expects_word(expected, number)) return true;
    return status / 100 == 2 && expects_word(expected, "2xx");
}

/* The data set cuts long requests at 8192 characters, and shows bytes that are not ASCII as "?": both is undone. */
static void restore_probe(const probe *t, cn_buf_t *request) {
    size_t i;
    cn_buf_clear(request);
    log_bytes(request, t->request.data, t->request.len);
    if (t->request.len == 8192) fill(request, t->request.data[8191], 90000);
    if (contains(t->id, "NON-ASCII") || contains(t->id, "OVERLONG"))
        for (i = 0; i < cn_buf_len(request); i++)
            if (request->block[request->start + i] == '?') request->block[request->start + i] = (char)0xC0;
}

static void run_probe(connect_str_t request, size_t piece, int *status, bool *closing) {
    static const char interim[] = "HTTP/1.1 100 Continue\r\n\r\n";
    static peer p;
    assert_true(peer_open(&p, true, NULL));
    peer_feed(&p, request.data, request.len, piece);
    *status = sent_status(&p);
    if (*status == 100) {
        cn_buf_drop(&p.sent, sizeof interim - 1);
        *status = sent_status(&p);
    }
    *closing = p.http.closing;
    peer_close(&p);
}

static void test_public_probes(void **state) {
    const char *path = getenv("H1PROBE");
    FILE *file = fopen(path ? path : "../shared/testdata/h1probe-143.json", "rb");
    connect_arena_t arena = CONNECT_DEFAULTS;
    cn_json_reader_t reader;
    cn_json_token_t token;
    cn_buf_t text, request;
    probe t;
    size_t got, scored = 0, passed = 0, total = 0, strict = 0;
    (void)state;
    memset(&text, 0, sizeof text);
    memset(&request, 0, sizeof request);
    if (!file) {
        if (path) fail_msg("%s cannot be read", path);
        print_message("H1PROBE names no file: only our own table of it was run, in test_threats_http1.c\n");
        return;
    }
    do {
        char *to = cn_buf_reserve(&text, NULL, 65536);
        assert_non_null(to);
        got = fread(to, 1, 65536, file);
        cn_buf_commit(&text, got);
    } while (got);
    fclose(file);
    cn_json_read(&reader, cn_buf_view(&text), &arena, 16);
    assert_int_equal(cn_json_next(&reader), CN_JSON_ARRAY_BEGIN);
    while ((token = cn_json_next(&reader)) == CN_JSON_OBJECT_BEGIN) {
        int status, again;
        bool closing, closing_again;
        memset(&t, 0, sizeof t);
        while ((token = cn_json_next(&reader)) == CN_JSON_NAME) {
            connect_str_t name = reader.text;
            token = cn_json_next(&reader);
            if (connect_str_equal(name, STR("id")))
                t.id = reader.text;
            else if (connect_str_equal(name, STR("expected")))
                t.expected = reader.text;
            else if (connect_str_equal(name, STR("rawRequest")))
                t.request = reader.text;
            else if (connect_str_equal(name, STR("scored")))
                t.scored = token == CN_JSON_TRUE;
            else
                assert_true(cn_json_skip(&reader, token));
        }
        assert_int_equal(token, CN_JSON_OBJECT_END);
        restore_probe(&t, &request);
        run_probe(cn_buf_view(&request), SIZE_MAX, &status, &closing);
        run_probe(cn_buf_view(&request), 1, &again, &closing_again);
        assert_int_equal(status, again);
        assert_int_equal(closing, closing_again);
        total++;
        if (!t.scored) continue;
        scored++;
        if (probe_passes(t.expected, status, closing)) {
            passed++;
            strict += !expects_word(t.expected, " or 2xx") || status / 100 != 2;
            if (expects_word(t.expected, " or 2xx") && status / 100 == 2)
                print_message("served, might be refused: %.*s\n", (int)t.id.len, t.id.data);
        } else {
            print_message("not as expected: %.*s: %.*s, got %d\n", (int)t.id.len, t.id.data, (int)t.expected.len,
                t.expected.data, status);
        }
    }
    assert_int_equal(token, CN_JSON_ARRAY_END);
    print_message("%zu of %zu scored probes pass, %zu of them strictly; %zu in all\n", passed, scored, strict, total);
    assert_int_equal(scored, 125);
    assert_int_equal(passed, 125);
    assert_true(strict >= 116);
    cn_buf_free(&text, NULL);
    cn_buf_free(&request, NULL);
    connect_arena_free(&arena);
}

/* ---- The server's ways ------------------------------------------------------------------------------------------ */

static const connect_headers_t no_trailers = {NULL, 0};

static void test_one_request_at_a_time(void **state) {
    static peer p;
    const char *two = GET "\r\nGET /2 HTTP/1.1\r\n" HOST "\r\n";
    size_t first = sizeof GET "\r\n" - 1, taken;
    (void)state;
    assert_true(peer_open(&p, true, NULL));
    p.mode = APP_SILENT;
    assert_int_equal(p.http.version->feed(&p.http, two, first), first);
    assert_false(p.http.read_blocked); /* so that the end of input would be noticed */
    taken = p.http.version->feed(&p.http, two + first, strlen(two) - first);
    assert_int_equal(taken, 0);
    assert_true(p.http.read_blocked);
    peer_pump(&p, SIZE_MAX);
    assert_true(p.http.read_blocked);
    assert_int_equal(p.outputs, 0);
    app_answer(&p.calls[0], false, STR("x"));
    assert_int_equal(p.outputs, 1); /* once, though it sent twice */
    assert_int_equal(p.closed_count, 0);
    peer_pump(&p, SIZE_MAX);
    assert_int_equal(p.closed_count, 1);
    assert_false(p.http.read_blocked);
    assert_int_equal(peer_feed(&p, two + first, strlen(two) - first, SIZE_MAX), strlen(two) - first);
    assert_int_equal(p.call_count, 2);
    peer_close(&p);
    assert_int_equal(p.calls[1].code, CONNECT_UNAVAILABLE);
}

static void test_window(void **state) {
    static peer p;
    char body[1000];
    cn_exchange_t *x;
    (void)state;
    memset(body, 'b', sizeof body);
    assert_true(peer_open(&p, true, NULL));
    p.limits.stream_window = 300;
    p.hold = true;
    peer_feed_text(&p, POST "Content-Length: 1000\r\n\r\n");
    x = &p.calls[0].x;
    assert_int_equal(p.http.version->feed(&p.http, body, 1000), 300);
    assert_true(p.http.read_blocked);
    assert_int_equal(p.http.version->feed(&p.http, body + 300, 700), 0);
    p.http.now_ms = 5000;
    p.http.version->consume(x, 100);
    assert_false(p.http.read_blocked);
    assert_int_equal(p.outputs, 1);
    assert_int_equal(x->received_ms, 5000);
    peer_pump(&p, SIZE_MAX);
    assert_int_equal(p.http.version->feed(&p.http, body + 300, 700), 100);
    p.http.version->consume(x, 300);
    peer_pump(&p, SIZE_MAX);
    assert_int_equal(p.http.version->feed(&p.http, body + 400, 600), 300);
    p.http.version->consume(x, 1000); /* more than there is */
    assert_int_equal(x->unread, 0);
    peer_pump(&p, SIZE_MAX);
    assert_int_equal(p.http.version->feed(&p.http, body + 700, 300), 300); /* to the end, though nothing is consumed */
    assert_true(p.calls[0].ended);
    peer_pump(&p, SIZE_MAX);
    assert_int_equal(p.calls[0].code, CONNECT_OK);
    assert_false(p.http.read_blocked);
    peer_close(&p);
    /* a response that is complete while the window is shut opens it for the rest, which is thrown away */
    assert_true(peer_open(&p, true, NULL));
    p.limits.stream_window = 300;
    p.hold = true;
    p.mode = APP_SILENT;
    peer_feed_text(&p, POST "Content-Length: 1000\r\n\r\n");
    assert_int_equal(p.http.version->feed(&p.http, body, 1000), 300);
    app_answer(&p.calls[0], false, STR("enough"));
    assert_false(p.http.read_blocked);
    assert_int_equal(p.outputs, 1);
    assert_int_equal(peer_feed(&p, body, 700, 70), 700);
    assert_int_equal(p.calls[0].code, CONNECT_OK);
    assert_false(p.calls[0].ended);
    peer_feed_text(&p, GET "\r\n");
    assert_int_equal(p.call_count, 2);
    peer_close(&p);
    /* and reset opens it, too */
    assert_true(peer_open(&p, true, NULL));
    p.limits.stream_window = 300;
    p.hold = true;
    peer_feed_text(&p, POST "Content-Length: 1000\r\n\r\n");
    assert_int_equal(p.http.version->feed(&p.http, body, 1000), 300);
    p.http.version->reset(&p.calls[0].x, CN_RESET_CANCEL);
    assert_int_equal(p.outputs, 1);
    assert_int_equal(p.closed_count, 0);
    peer_pump(&p, SIZE_MAX);
    assert_false(p.http.read_blocked);
    assert_int_equal(peer_feed(&p, body, 700, 70), 700);
    assert_int_equal(p.calls[0].code, CONNECT_CANCELED);
    assert_true(p.http.closing);
    assert_sent(&p, "");
    peer_close(&p);
}

static void test_expect_continue(void **state) {
    static peer p;
    (void)state;
    assert_true(peer_open(&p, true, NULL));
    peer_feed_text(&p, POST "Expect: 100-Continue\r\nContent-Length: 2\r\n\r\n");
    assert_sent(&p, "HTTP/1.1 100 Continue\r\n\r\n");
    peer_feed_text(&p, "ab");
    assert_sent(&p, OK_HEAD "content-length: 2\r\n\r\nab");
    /* the body is there already, or there is none */
    peer_feed_text(&p, POST "Expect: 100-continue\r\nContent-Length: 2\r\n\r\na");
    assert_sent(&p, "");
    peer_feed_text(&p, "b");
    assert_sent(&p, OK_HEAD "content-length: 2\r\n\r\nab");
    peer_feed_text(&p, GET "Expect: 100-continue\r\n\r\n");
    assert_sent(&p, OK_HEAD "content-length: 0\r\n\r\n");
    peer_feed_text(
        &p, "POST / HTTP/1.0\r\nConnection: keep-alive\r\nExpect: 100-continue\r\nContent-Length: 1\r\n\r\n");
    assert_sent(&p, "");
    peer_feed_text(&p, "x");
    cn_buf_clear(&p.sent);
    /* a stream's head does not answer for it */
    p.mode = APP_STREAM;
    peer_feed_text(&p, POST "Expect: 100-continue\r\nTransfer-Encoding: chunked\r\n\r\n");
    assert_sent(&p,
        "HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\nconnection: close\r\n\r\n");
    peer_feed_text(&p, "1\r\nx\r\n0\r\n\r\n");
    assert_sent(&p, "1\r\nx\r\n0\r\ngrpc-status: 0\r\n\r\n");
    peer_close(&p);
    assert_true(peer_open(&p, true, NULL));
    /* a final response does: the body may not come any more */
    p.mode = APP_EARLY;
    p.status = 415;
    peer_feed_text(&p, POST "Expect: 100-continue\r\nContent-Length: 2\r\n\r\n");
    assert_sent(&p,
        "HTTP/1.1 415 Unsupported Media Type\r\ncontent-type: text/plain\r\ncontent-length: 2\r\n"
        "connection: close\r\n\r\nno");
    assert_true(p.http.closing);
    peer_close(&p);
}

static void test_early_response(void **state) {
    static peer p;
    static char body[70000];
    (void)state;
    memset(body, 'b', sizeof body);
    /* 64 KiB are thrown away */
    assert_true(peer_open(&p, true, NULL));
    p.mode = APP_EARLY;
    peer_feed_text(&p, POST "Content-Length: 65536\r\n\r\n");
    assert_sent(&p, OK_HEAD "content-length: 2\r\n\r\nno");
    assert_int_equal(p.closed_count, 0);
    assert_int_equal(peer_feed(&p, body, 65536, 1000), 65536);
    assert_int_equal(p.calls[0].code, CONNECT_OK);
    assert_false(p.http.closing);
    /* nobody knows how many bytes there will be in chunks */
    peer_feed_text(&p, CHUNKED);
    assert_sent(&p, OK_HEAD "content-length: 2\r\nconnection: close\r\n\r\nno");
    assert_int_equal(p.closed_count, 2);
    assert_int_equal(p.calls[1].code, CONNECT_OK);
    assert_true(p.http.closing);
    peer_close(&p);
    /* so a response that begins before its request has ended says that it is the last, and ends as it should: before the
       rest of the request, or behind it */
    assert_true(peer_open(&p, true, NULL));
    p.mode = APP_SILENT;
    peer_feed_text(&p, CHUNKED "10001\r\n");
    app_answer(&p.calls[0], true, STR("no"));
    peer_pump(&p, SIZE_MAX);
    assert_sent(&p,
        OK_HEAD "transfer-encoding: chunked\r\nconnection: close\r\n\r\n2\r\nno\r\n0\r\ngrpc-status: 0\r\n\r\n");
    assert_int_equal(p.closed_count, 1);
    assert_int_equal(p.calls[0].code, CONNECT_OK);
    assert_true(p.http.closing);
    peer_feed(&p, body, 65537, SIZE_MAX);
    assert_sent(&p, "");
    peer_close(&p);
    assert_true(peer_open(&p, true, NULL));
    p.mode = APP_STREAM;
    peer_feed_text(&p, CHUNKED "2\r\nab\r\n");
    assert_sent(&p, "HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\nconnection: close\r\n\r\n2\r\nab\r\n");
    assert_false(p.http.closing);
    peer_feed_text(&p, "1\r\nc\r\n0\r\n\r\n");
    assert_sent(&p, "1\r\nc\r\n0\r\ngrpc-status: 0\r\n\r\n");
    assert_true(p.http.closing);
    assert_int_equal(p.calls[0].code, CONNECT_OK);
    peer_close(&p);
    /* with a length the rest is bounded, and the connection is kept */
    assert_true(peer_open(&p, true, NULL));
    p.mode = APP_SILENT;
    peer_feed_text(&p, POST "Content-Length: 65536\r\n\r\n");
    app_answer(&p.calls[0], true, STR("no"));
    peer_pump(&p, SIZE_MAX);
    assert_sent(&p, OK_HEAD "transfer-encoding: chunked\r\n\r\n2\r\nno\r\n0\r\ngrpc-status: 0\r\n\r\n");
    peer_feed(&p, body, 65536, 1000);
    assert_int_equal(p.calls[0].code, CONNECT_OK);
    assert_false(p.http.closing);
    peer_close(&p);
    /* a broken rest, or none at all, does not take the response back */
    assert_true(peer_open(&p, true, NULL));
    p.mode = APP_EARLY;
    peer_feed_text(&p, CHUNKED "?");
    assert_sent(&p, OK_HEAD "content-length: 2\r\nconnection: close\r\n\r\nno");
    assert_true(p.http.closing);
    assert_int_equal(p.closed_count, 1);
    peer_close(&p);
    assert_true(peer_open(&p, true, NULL));
    p.mode = APP_EARLY;
    peer_feed_text(&p, POST "Content-Length: 10\r\n\r\n12345");
    peer_eof(&p);
    assert_sent(&p, OK_HEAD "content-length: 2\r\n\r\nno");
    assert_true(p.http.closing);
    assert_int_equal(p.calls[0].code, CONNECT_OK); /* the response went out whole */
    peer_close(&p);
}

static void test_server_end_of_input(void **state) {
    static peer p;
    const char *input = POST "Transfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\nA: b\r\n\r\n";
    size_t len = strlen(input), cut;
    (void)state;
    for (cut = 0; cut < len; cut++) { /* a request that is cut short is never whole, and nothing is said to it */
        assert_true(peer_open(&p, true, NULL));
        assert_int_equal(peer_feed(&p, input, cut, SIZE_MAX), cut);
        peer_eof(&p);
        assert_true(p.http.closing);
        assert_int_equal(p.closed_count, p.call_count);
        if (p.call_count) {
            assert_false(p.calls[0].ended);
            assert_int_equal(p.calls[0].code, CONNECT_CANCELED);
        }
        assert_sent(&p, "");
        peer_close(&p);
    }
    assert_true(peer_open(&p, true, NULL)); /* one that waits for its answer is not waited for any more */
    p.mode = APP_SILENT;
    peer_feed_text(&p, input);
    peer_eof(&p);
    assert_int_equal(p.calls[0].code, CONNECT_CANCELED);
    assert_true(p.calls[0].ended);
    peer_close(&p);
    assert_true(peer_open(&p, true, NULL)); /* an answer that is on its way goes out: printf ... | nc */
    p.limits.connection_buffer = 100;
    peer_feed_text(&p, GET "\r\n");
    p.mode = APP_SILENT;
    p.http.version->feed(&p.http, input, len);
    app_answer(&p.calls[1], false, STR("0123456789012345678901234567890123456789012345678901234567890123456789"));
    p.http.version->pull(&p.http);
    p.http.version->eof(&p.http);
    assert_int_equal(p.closed_count, 1);
    peer_pump(&p, SIZE_MAX);
    peer_pump(&p, SIZE_MAX);
    assert_int_equal(p.calls[1].code, CONNECT_OK);
    assert_true(contains(cn_buf_view(&p.sent), "789"));
    assert_true(p.http.closing);
    peer_close(&p);
}

static void test_drain(void **state) {
    static peer p;
    (void)state;
    assert_true(peer_open(&p, true, NULL)); /* idle */
    p.http.version->drain(&p.http);
    assert_true(p.http.closing);
    assert_int_equal(p.outputs, 1);
    peer_close(&p);
    assert_true(peer_open(&p, true, NULL)); /* in a call */
    p.mode = APP_SILENT;
    peer_feed_text(&p, GET "\r\n");
    p.http.version->drain(&p.http);
    assert_false(p.http.closing);
    app_answer(&p.calls[0], false, STR(""));
    peer_pump(&p, SIZE_MAX);
    assert_sent(&p, OK_HEAD "content-length: 0\r\nconnection: close\r\n\r\n");
    assert_true(p.http.closing);
    assert_int_equal(p.calls[0].code, CONNECT_OK);
    peer_close(&p);
    assert_true(peer_open(&p, true, NULL)); /* in a head, then in a call */
    p.mode = APP_SILENT;
    peer_feed_text(&p, "GET / ");
    assert_int_equal(p.http.head_since_ms, 1000);
    p.http.version->drain(&p.http);
    assert_false(p.http.closing);
    peer_feed_text(&p, "HTTP/1.1\r\n" HOST "\r\n");
    assert_int_equal(p.http.head_since_ms, -1);
    assert_int_equal(p.call_count, 1);
    app_answer(&p.calls[0], false, STR(""));
    peer_pump(&p, SIZE_MAX);
    assert_sent(&p, OK_HEAD "content-length: 0\r\nconnection: close\r\n\r\n");
    assert_true(p.http.closing);
    peer_close(&p);
}

static void test_no_room(void **state) {
    static peer p;
    (void)state;
    assert_true(peer_open(&p, true, NULL));
    p.no_room = true;
    peer_feed_text(&p, GET "\r\n" GET "\r\n");
    assert_sent(&p, "HTTP/1.1 503 Service Unavailable\r\ncontent-length: 0\r\nconnection: close\r\n\r\n");
    assert_true(p.http.closing);
    peer_close(&p);
}

static void test_server_reset(void **state) {
    static peer p;
    cn_head_t head;
    (void)state;
    assert_true(peer_open(&p, true, NULL)); /* inside on_head: nothing comes after */
    p.reset_in_head = true;
    peer_feed_text(&p, POST "Content-Length: 3\r\n\r\nabc");
    assert_int_equal(p.calls[0].code, CONNECT_CANCELED);
    assert_int_equal(cn_buf_len(&p.sent), 0);
    assert_true(p.http.closing);
    peer_close(&p);
    assert_true(peer_open(&p, true, NULL)); /* inside on_data */
    p.reset_in_data = true;
    peer_feed_text(&p, CHUNKED "3\r\nabc\r\n0\r\n\r\n");
    assert_int_equal(p.calls[0].code, CONNECT_CANCELED);
    assert_false(p.calls[0].ended);
    assert_true(p.http.closing);
    peer_close(&p);
    assert_true(peer_open(&p, true, NULL)); /* the same with the last of the body */
    p.reset_in_data = true;
    peer_feed_text(&p, POST "Content-Length: 3\r\n\r\nabc");
    assert_int_equal(p.calls[0].code, CONNECT_CANCELED);
    assert_false(p.calls[0].ended);
    peer_close(&p);
    assert_true(peer_open(&p, true, NULL)); /* in the middle of a response: it is not ended */
    p.mode = APP_SILENT;
    peer_feed_text(&p, GET "\r\n");
    memset(&head, 0, sizeof head);
    head.status = 200;
    head.content_length = -1;
    assert_true(p.http.version->send_head(&p.calls[0].x, &head, false));
    log_bytes(&p.calls[0].x.out, "abc", 3);
    p.http.version->flush(&p.calls[0].x);
    p.http.version->reset(&p.calls[0].x, CN_RESET_INTERNAL);
    p.http.version->reset(&p.calls[0].x, CN_RESET_INTERNAL);
    p.http.version->send_end(&p.calls[0].x, no_trailers);
    assert_true(p.http.version->send_head(&p.calls[0].x, &head, false));
    peer_pump(&p, SIZE_MAX);
    assert_sent(&p, "HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n");
    assert_true(p.http.closing);
    assert_int_equal(p.closed_count, 1);
    peer_close(&p);
}

static void test_declared_length_is_kept(void **state) {
    static peer p;
    size_t more;
    (void)state;
    for (more = 2; more <= 4; more++) {
        cn_head_t head;
        assert_true(peer_open(&p, true, NULL));
        p.mode = APP_SILENT;
        peer_feed_text(&p, GET "\r\n");
        memset(&head, 0, sizeof head);
        head.status = 800;
        head.content_length = 3;
        assert_true(p.http.version->send_head(&p.calls[0].x, &head, false));
        log_bytes(&p.calls[0].x.out, "abcd", more);
        p.http.version->flush(&p.calls[0].x);
        p.http.version->send_end(&p.calls[0].x, no_trailers);
        peer_pump(&p, SIZE_MAX);
        assert_int_equal(p.calls[0].code, more == 3 ? CONNECT_OK : CONNECT_INTERNAL);
        assert_int_equal(p.http.closing, more != 3);
        assert_int_equal(sent_status(&p), 800);
        assert_false(contains(cn_buf_view(&p.sent), "abcd"));
        peer_close(&p);
    }
}

static void test_responses_without_body(void **state) {
    static const int statuses[] = {204, 304};
    static peer p;
    size_t i;
    (void)state;
    for (i = 0; i < COUNT(statuses); i++) {
        assert_true(peer_open(&p, true, NULL));
        p.mode = APP_ECHO;
        p.status = statuses[i];
        peer_feed_text(&p, POST "Content-Length: 3\r\n\r\nabc");
        assert_int_equal(sent_status(&p), statuses[i]);
        assert_false(contains(cn_buf_view(&p.sent), "content-length"));
        assert_false(contains(cn_buf_view(&p.sent), "abc"));
        assert_int_equal(p.calls[0].code, CONNECT_OK);
        assert_false(p.http.closing);
        peer_close(&p);
    }
}

static void test_every_status_has_a_line(void **state) {
    static const int named[] = {
        200, 400, 401, 403, 404, 405, 408, 409, 412, 413, 415, 429, 431, 499, 500, 501, 502, 503, 504, 505};
    int status;
    size_t i;
    static peer p;
    (void)state;
    for (status = 200; status <= 999; status++) {
        connect_str_t sent;
        bool is_named = status == 204 || status == 304;
        for (i = 0; i < COUNT(named); i++)
            is_named = is_named || named[i] == status;
        assert_true(peer_open(&p, true, NULL));
        p.status = status;
        peer_feed_text(&p, GET "\r\n");
        assert_int_equal(sent_status(&p), status);
        sent = cn_buf_view(&p.sent);
        assert_int_equal(sent.data[12], ' ');
        assert_int_equal(sent.data[13] != '\r', is_named);
        peer_close(&p);
    }
}

/* A long response into a connection that takes little at a time. */
static void test_output_is_bounded(void **state) {
    static peer p;
    cn_head_t head;
    cn_exchange_t *x;
    size_t i, total = 0;
    (void)state;
    assert_true(peer_open(&p, true, NULL));
    p.limits.stream_buffer = 4000;
    p.limits.connection_buffer = 6000;
    p.mode = APP_SILENT;
    peer_feed_text(&p, GET "\r\n");
    memset(&head, 0, sizeof head);
    head.status = 200;
    head.content_length = 100000;
    x = &p.calls[0].x;
    p.calls[0].to_produce = 100000;
    assert_true(p.http.version->send_head(x, &head, false));
    for (i = 0; i < 6; i++) { /* as a writer does, until it is told to wait */
        char piece[1000];
        memset(piece, 'x', sizeof piece);
        log_bytes(&x->out, piece, sizeof piece);
        p.calls[0].to_produce -= 1000;
        p.http.version->flush(x);
    }
    for (i = 0; !p.calls[0].closed; i++) {
        assert_true(i < 100000);
        peer_pump(&p, 700);
        assert_true(cn_buf_len(&p.http.out) <= 6000 + 1000);
    }
    assert_true(p.calls[0].writable > 10);
    while (cn_buf_len(&p.http.out))
        peer_pump(&p, 700);
    total = cn_buf_len(&p.sent);
    assert_int_equal(total, 100000 + strlen("HTTP/1.1 200 OK\r\ncontent-length: 100000\r\n\r\n"));
    assert_int_equal(p.calls[0].code, CONNECT_OK);
    peer_close(&p);
}

/* ---- The client ------------------------------------------------------------------------------------------------- */

static call *client_call(peer *p, const char *method, const char *body, bool chunked) {
    static const connect_header_t headers[] = {{"content-type", {"application/json", 16}}, {"x-empty", {"", 0}}};
    call *c;
    cn_head_t head;
    assert_true(p->http.version->can_begin(&p->http));
    c = peer_new_call(p);
    assert_true(p->http.version->begin(&p->http, &c->x));
    assert_false(p->http.version->can_begin(&p->http));
    memset(&head, 0, sizeof head);
    head.method = connect_str_of(method);
    head.authority = STR("gateway:8080");
    head.path = STR("/p?q");
    head.headers = headers;
    head.header_count = 2;
    head.content_length = body && !chunked ? (int64_t)strlen(body) : -1;
    if (!p->http.version->send_head(&c->x, &head, !body)) {
        p->http.version->reset(&c->x, CN_RESET_INTERNAL);
    } else if (body) {
        if (cn_buf_append(&c->x.out, p->http.allocator, body, strlen(body))) {
            p->http.version->flush(&c->x);
            p->http.version->send_end(&c->x, no_trailers);
        } else {
            p->http.version->reset(&c->x, CN_RESET_INTERNAL);
        }
    }
    return c;
}

#define REQUEST_HEAD " /p?q HTTP/1.1\r\nhost: gateway:8080\r\ncontent-type: application/json\r\nx-empty: \r\n"

static void test_client_requests(void **state) {
    static peer p;
    (void)state;
    assert_true(peer_open(&p, false, NULL));
    client_call(&p, "POST", "{}", false);
    assert_int_equal(p.outputs, 1);
    peer_pump(&p, SIZE_MAX);
    assert_sent(&p, "POST" REQUEST_HEAD "content-length: 2\r\n\r\n{}");
    peer_feed_text(&p, "HTTP/1.1 200 OK\r\nContent-Length: 1\r\n\r\n1");
    assert_log(&p, "200 content-length=1 [1] end 0\n");
    assert_int_equal(p.rooms, 1);
    client_call(&p, "POST", "{}", true);
    peer_pump(&p, SIZE_MAX);
    assert_sent(&p, "POST" REQUEST_HEAD "transfer-encoding: chunked\r\n\r\n2\r\n{}\r\n0\r\n\r\n");
    peer_feed_text(&p, "HTTP/1.1 200\r\nTransfer-Encoding: chunked\r\n\r\n1\r\n2\r\n0\r\nx: y\r\n\r\n");
    assert_log(&p, "200 transfer-encoding=chunked [2] x=y end 0\n");
    client_call(&p, "GET", NULL, false);
    peer_pump(&p, SIZE_MAX);
    assert_sent(&p, "GET" REQUEST_HEAD "\r\n");
    peer_feed_text(&p, "HTTP/1.1 304 \r\nContent-Length: 10\r\n\r\n");
    assert_log(&p, "304 content-length=10 [] end 0\n");
    client_call(&p, "POST", NULL, false);
    peer_pump(&p, SIZE_MAX);
    assert_sent(&p, "POST" REQUEST_HEAD "content-length: 0\r\n\r\n");
    peer_feed_text(&p, "HTTP/1.1 204 No Content\r\n\r\n");
    client_call(&p, "HEAD", NULL, false);
    peer_pump(&p, SIZE_MAX);
    assert_sent(&p, "HEAD" REQUEST_HEAD "\r\n");
    peer_feed_text(&p, "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n");
    assert_log(&p, "204 [] end 0\n200 transfer-encoding=chunked [] end 0\n");
    assert_true(p.http.version->can_begin(&p.http));
    assert_int_equal(p.rooms, 5);
    /* what comes on an idle connection was not asked for */
    peer_feed_text(&p, "HTTP/1.1 408 Request Timeout\r\n\r\n");
    assert_true(p.http.closing && p.http.draining);
    assert_false(p.http.version->can_begin(&p.http));
    assert_int_equal(p.rooms, 6);
    peer_close(&p);
}

typedef struct response_case {
    const char *input, *log;
    bool keeps, ends_with_input;
} response_case;

static const response_case responses[] = {
    {"HTTP/1.1 200 OK\r\nContent-Type: a/b\r\nContent-Length: 5\r\n\r\nhello",
        "200 content-type=a/b content-length=5 [hello] end 0\n", true, false},
    {"HTTP/1.1 800 What\tever \xE9\r\nContent-Length: 0\r\n\r\n", "800 content-length=0 [] end 0\n", true, false},
    {"HTTP/1.1 999\r\nContent-Length: 0\r\nConnection: close\r\n\r\n",
        "999 content-length=0 connection=close [] end 0\n", false, false},
    {"HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 103 Early Hints\r\nLink: </a>\r\n\r\nHTTP/1.1 201 \r\ncontent-length: "
     "1\r\n\r\nx",
        "201 content-length=1 [x] end 0\n", true, false},
    {"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n0a\r\n0123456789\r\n0\r\nGrpc-Status: 0\r\n\r\n",
        "200 transfer-encoding=chunked [abc0123456789] grpc-status=0 end 0\n", true, false},
    {"HTTP/1.0 200 OK\r\nContent-Length: 2\r\n\r\nab", "200 content-length=2 [ab] end 0\n", false, false},
    {"HTTP/1.0 200 OK\r\nConnection: keep-alive\r\nContent-Length: 2\r\n\r\nab",
        "200 connection=keep-alive content-length=2 [ab] end 0\n", true, false},
    {"HTTP/1.1 200 OK\r\nA: b\r\n\r\nuntil the end", "200 a=b [until the end] end 0\n", false, true},
};

static void run_response(const response_case *r, size_t cut, size_t piece) {
    static peer p;
    size_t len = strlen(r->input);
    assert_true(peer_open(&p, false, NULL));
    client_call(&p, "POST", "{}", false);
    peer_pump(&p, SIZE_MAX);
    assert_int_equal(peer_feed(&p, r->input, cut, piece), cut);
    assert_int_equal(peer_feed(&p, r->input + cut, len - cut, piece), len - cut);
    if (r->ends_with_input) {
        assert_int_equal(p.closed_count, 0);
        peer_eof(&p);
    }
    assert_log(&p, r->log);
    assert_int_equal(p.http.closing, !r->keeps);
    assert_int_equal(p.http.version->can_begin(&p.http), r->keeps);
    assert_int_equal(p.rooms, 1);
    peer_close(&p);
}

static void test_client_responses(void **state) {
    size_t i, cut;
    (void)state;
    for (i = 0; i < COUNT(responses); i++) {
        run_response(&responses[i], 0, SIZE_MAX);
        run_response(&responses[i], 0, 1);
        for (cut = 1; cut < strlen(responses[i].input); cut++)
            run_response(&responses[i], cut, SIZE_MAX);
    }
}

/* Cut at every byte: never a success. (A body that the end of the connection ends is the exception HTTP makes; there
   only the head can be cut.) */
static void test_truncated_responses(void **state) {
    static peer p;
    size_t i, cut;
    (void)state;
    for (i = 0; i < COUNT(responses); i++) {
        const response_case *r = &responses[i];
        size_t len = strlen(r->input);
        if (r->ends_with_input) len = (size_t)(strstr(r->input, "\r\n\r\n") - r->input) + 4;
        for (cut = 0; cut < len; cut++) {
            assert_true(peer_open(&p, false, NULL));
            client_call(&p, "POST", "{}", false);
            peer_pump(&p, SIZE_MAX);
            assert_int_equal(peer_feed(&p, r->input, cut, SIZE_MAX), cut);
            assert_int_equal(p.closed_count, 0);
            if (cut % 2)
                peer_eof(&p);
            else
                p.http.version->free(&p.http);
            assert_int_equal(p.closed_count, 1);
            assert_int_equal(p.calls[0].code, CONNECT_UNAVAILABLE);
            assert_false(p.calls[0].ended);
            assert_true(p.http.closing);
            peer_close(&p);
        }
    }
}

#define INTERIM "HTTP/1.1 100 \r\n\r\n"

static void test_bad_responses(void **state) {
    static const char *const bad[] = {
        "HTTP/1.1 99 \r\n\r\n",
        "HTTP/1.1 099 X\r\n\r\n",
        "HTTP/1.1 2000 X\r\n\r\n",
        "HTTP/1.1 20 X\r\n\r\n",
        "HTTP/1.1 2x0 X\r\n\r\n",
        "HTTP/1.1  200 X\r\n\r\n",
        "HTTP/2.0 200 OK\r\n\r\n",
        "HTTP/1.2 200 OK\r\n\r\n",
        "http/1.1 200 OK\r\n\r\n",
        "\r\nHTTP/1.1 200 OK\r\n\r\n",
        "HTTP/1.1 200 O\001K\r\n\r\n",
        "SSH-2.0-x\r\n\r\n",
        "HTTP/1.1 200 OK\nContent-Length: 0\r\n\r\n",
        "HTTP/1.1 200 OK\r\nContent-Length: 0\n\r\n",
        "HTTP/1.1 200 OK\r\nContent-Length: 1\r\nContent-Length: 1\r\n\r\nx",
        "HTTP/1.1 200 OK\r\nContent-Length: x\r\n\r\nx",
        "HTTP/1.1 200 OK\r\nContent-Length: 1\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
        "HTTP/1.1 200 OK\r\nTransfer-Encoding: gzip\r\n\r\nx",
        "HTTP/1.0 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
        "HTTP/1.1 200 OK\r\nA : b\r\n\r\n",
        "HTTP/1.1 200 OK\r\n A: b\r\n\r\n",
        "HTTP/1.1 200 OK\r\nA: b\r\n c\r\n\r\n",
        "HTTP/1.1 101 Switching Protocols\r\n\r\n",
        INTERIM INTERIM INTERIM INTERIM INTERIM INTERIM INTERIM INTERIM INTERIM,
        "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nx\r\n",
        "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n1\r\nxy\r\n",
        "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n0\r\nContent-Length: 1\r\n\r\n",
    };
    static peer p;
    size_t i, cut;
    (void)state;
    for (i = 0; i < COUNT(bad); i++)
        for (cut = 0; cut < strlen(bad[i]); cut++) {
            assert_true(peer_open(&p, false, NULL));
            client_call(&p, "POST", "{}", false);
            peer_pump(&p, SIZE_MAX);
            cn_buf_clear(&p.sent);
            peer_feed(&p, bad[i], cut, SIZE_MAX);
            peer_feed(&p, bad[i] + cut, strlen(bad[i]) - cut, SIZE_MAX);
            if (p.closed_count != 1) fail_msg("%s", bad[i]);
            assert_int_equal(p.calls[0].code, CONNECT_INTERNAL);
            assert_false(p.calls[0].ended);
            assert_true(p.http.closing);
            assert_sent(&p, "");
            peer_close(&p);
        }
}

static void test_client_limits(void **state) {
    static peer p;
    cn_buf_t text;
    size_t i;
    (void)state;
    memset(&text, 0, sizeof text);
    for (i = 0; i < 3; i++) {
        log_text(&text, "HTTP/1.1 200 ");
        if (i == 0) fill(&text, 'r', 10000);
        log_text(&text, "\r\n");
        if (i == 1) add_fields(&text, 129, 40);
        if (i == 2) add_fields(&text, 1, 16385);
        log_text(&text, "\r\n");
        assert_true(peer_open(&p, false, NULL));
        client_call(&p, "POST", "{}", false);
        peer_pump(&p, SIZE_MAX);
        peer_feed(&p, cn_buf_view(&text).data, cn_buf_len(&text), i == 1 ? 100 : SIZE_MAX);
        assert_int_equal(p.closed_count, 1);
        assert_int_equal(p.calls[0].code, CONNECT_RESOURCE_EXHAUSTED);
        peer_close(&p);
        cn_buf_clear(&text);
    }
    cn_buf_free(&text, NULL);
}

static void test_client_odd_orders(void **state) {
    static peer p;
    cn_head_t head;
    call *c;
    (void)state;
    /* the response is whole before the request is: it goes on, and may be the end of the connection */
    assert_true(peer_open(&p, false, NULL));
    c = peer_new_call(&p);
    assert_true(p.http.version->begin(&p.http, &c->x));
    memset(&head, 0, sizeof head);
    head.method = STR("POST");
    head.path = STR("/");
    head.authority = STR("h");
    head.content_length = -1;
    assert_true(p.http.version->send_head(&c->x, &head, false));
    peer_pump(&p, SIZE_MAX);
    peer_feed_text(&p, "HTTP/1.1 200 OK\r\nContent-Length: 1\r\n\r\nx");
    assert_true(c->ended);
    assert_false(c->closed);
    log_bytes(&c->x.out, "late", 4);
    p.http.version->flush(&c->x);
    p.http.version->send_end(&c->x, no_trailers);
    peer_pump(&p, SIZE_MAX);
    assert_int_equal(c->code, CONNECT_OK);
    assert_true(p.http.version->can_begin(&p.http));
    assert_sent(&p, "POST / HTTP/1.1\r\nhost: h\r\ntransfer-encoding: chunked\r\n\r\n4\r\nlate\r\n0\r\n\r\n");
    /* bytes behind a response that is whole */
    c = peer_new_call(&p);
    assert_true(p.http.version->begin(&p.http, &c->x));
    assert_true(p.http.version->send_head(&c->x, &head, false));
    peer_pump(&p, SIZE_MAX);
    peer_feed_text(&p, "HTTP/1.1 200 OK\r\nContent-Length: 1\r\n\r\nxx");
    assert_true(c->closed && c->ended);
    assert_int_equal(c->code, CONNECT_INTERNAL);
    assert_true(p.http.closing);
    peer_close(&p);
    /* a response before anything was asked */
    assert_true(peer_open(&p, false, NULL));
    c = peer_new_call(&p);
    assert_true(p.http.version->begin(&p.http, &c->x));
    peer_feed_text(&p, "HTTP/1.1 200 OK\r\n\r\n");
    assert_int_equal(c->code, CONNECT_UNAVAILABLE);
    peer_close(&p);
    /* reset: what was not written is not, and the connection ends; on_closed comes with the next pull */
    assert_true(peer_open(&p, false, NULL));
    c = client_call(&p, "POST", "{}", false);
    p.http.version->pull(&p.http);
    p.http.version->reset(&c->x, CN_RESET_CANCEL);
    assert_false(c->closed);
    assert_int_equal(p.outputs, 2);
    peer_pump(&p, SIZE_MAX);
    assert_int_equal(c->code, CONNECT_CANCELED);
    assert_sent(&p, "");
    assert_true(p.http.closing && p.http.draining);
    assert_int_equal(p.rooms, 1);
    peer_close(&p);
    /* reset inside events */
    assert_true(peer_open(&p, false, NULL));
    p.reset_in_head = true;
    c = client_call(&p, "POST", "{}", false);
    peer_feed_text(&p, "HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n");
    assert_true(c->closed && !c->ended);
    peer_close(&p);
    /* drained: idle, and with a call */
    assert_true(peer_open(&p, false, NULL));
    p.http.version->drain(&p.http);
    assert_true(p.http.closing);
    peer_close(&p);
    assert_true(peer_open(&p, false, NULL));
    c = client_call(&p, "POST", "{}", false);
    p.http.version->drain(&p.http);
    peer_pump(&p, SIZE_MAX);
    peer_feed_text(&p, "HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n");
    assert_int_equal(c->code, CONNECT_OK);
    assert_true(p.http.closing);
    peer_close(&p);
    /* the next call begins inside the end of the one before, also when that ends with its last output */
    assert_true(peer_open(&p, false, NULL));
    p.again = 3;
    client_call(&p, "POST", "{}", false);
    peer_pump(&p, SIZE_MAX);
    peer_feed_text(&p, "HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n");
    peer_feed_text(&p, "HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n");
    p.http.version->feed(&p.http, "HTTP/1.1 200 OK\r\nContent-Length: 0\r\nConnection: close\r\n\r\n", 57);
    assert_int_equal(p.call_count, 3);
    assert_int_equal(p.closed_count, 3);
    peer_close(&p);
    /* the peer is gone between two calls */
    assert_true(peer_open(&p, false, NULL));
    peer_eof(&p);
    assert_true(p.http.closing && p.http.draining);
    assert_int_equal(p.rooms, 1);
    peer_close(&p);
}

/* ---- Both ends -------------------------------------------------------------------------------------------------- */

/* Carries bytes both ways, at most `piece` at a time, until nothing moves any more. Returns false: it did not end. */
static bool carry(peer *a, peer *b, size_t piece) {
    peer *ends[2];
    size_t idle = 0, rounds = 0, i;
    ends[0] = a;
    ends[1] = b;
    while (idle < 3) {
        idle++;
        if (++rounds > 1000000) return false;
        for (i = 0; i < 2; i++) {
            peer *from = ends[i], *to = ends[1 - i];
            connect_str_t out;
            from->http.version->pull(&from->http);
            out = cn_buf_view(&from->http.out);
            if (out.len && !to->http.read_blocked && !to->http.closing) {
                size_t len = SMALLER(out.len, piece);
                size_t taken = to->http.version->feed(&to->http, at_page_end(out.data, len), len);
                assert_true(taken == len || to->http.read_blocked);
                cn_buf_drop(&from->http.out, taken);
                if (taken) idle = 0;
            }
            /* the application reads what was kept back */
            if (to->hold && to->call_count) {
                call *c = &to->calls[to->call_count - 1];
                if (!c->closed && c->x.unread) {
                    to->http.version->consume(&c->x, SMALLER(c->x.unread, 77u));
                    idle = 0;
                }
            }
        }
    }
    return true;
}

static void open_both(peer *client, peer *server, uint32_t window, uint32_t buffer, bool hold) {
    assert_true(peer_open(client, false, NULL));
    assert_true(peer_open(server, true, NULL));
    client->limits.stream_window = server->limits.stream_window = window;
    client->limits.stream_buffer = server->limits.stream_buffer = buffer;
    client->limits.connection_buffer = server->limits.connection_buffer = buffer;
    client->hold = server->hold = hold;
}

static void run_both(app_mode mode, size_t size, size_t piece, uint32_t window, uint32_t buffer, bool hold) {
    static peer client, server;
    cn_head_t head;
    call *c;
    int i;
    open_both(&client, &server, window, buffer, hold);
    for (i = 0; i < 3; i++) {
        if (mode == APP_STREAM && server.http.closing) { /* its answer began before the request had ended */
            assert_false(client.http.version->can_begin(&client.http));
            peer_close(&client);
            peer_close(&server);
            open_both(&client, &server, window, buffer, hold);
        }
        server.mode = mode;
        assert_true(client.http.version->can_begin(&client.http));
        c = peer_new_call(&client);
        assert_true(client.http.version->begin(&client.http, &c->x));
        memset(&head, 0, sizeof head);
        head.method = STR("POST");
        head.authority = STR("h");
        head.path = STR("/");
        head.content_length = i == 1 ? (int64_t)size : -1;
        assert_true(client.http.version->send_head(&c->x, &head, false));
        c->to_produce = size - 1;
        fill(&c->x.out, 'z', 1);
        while (cn_buf_len(&c->x.out) <= buffer && c->to_produce) {
            fill(&c->x.out, 'y', 1);
            c->to_produce--;
        }
        client.http.version->flush(&c->x);
        if (c->to_produce == 0) client.http.version->send_end(&c->x, no_trailers);
        assert_true(carry(&client, &server, piece));
        assert_true(c->closed && c->ended);
        assert_int_equal(c->code, CONNECT_OK);
        assert_int_equal(server.calls[server.call_count - 1].code, CONNECT_OK);
        assert_true(cn_buf_len(&client.log) > size);
        assert_true(cn_buf_len(&server.log) > size);
        cn_buf_clear(&client.log);
        cn_buf_clear(&server.log);
    }
    peer_close(&client);
    peer_close(&server);
}

static void test_both_ends(void **state) {
    static const app_mode modes[] = {APP_ECHO, APP_ECHO_CHUNKED, APP_STREAM};
    size_t i, hold;
    (void)state;
    for (i = 0; i < COUNT(modes); i++)
        for (hold = 0; hold < 2; hold++) {
            run_both(modes[i], 1, 1, 100, 100, hold != 0);
            run_both(modes[i], 5000, 1, 100, 100, hold != 0);
            run_both(modes[i], 20000, 333, 1000, 700, hold != 0);
            run_both(modes[i], 20000, 5000, 64, 3000, hold != 0);
            run_both(modes[i], 300000, 65536, 65536, 65536, hold != 0);
        }
}

/* ---- Without memory, and with nonsense -------------------------------------------------------------------------- */

typedef struct memory_case {
    size_t piece, header, body; /* sizes: what fits into the first block, and what does not */
} memory_case;

static void put_message(cn_buf_t *text, const char *start, const memory_case *m) {
    char size[32];
    log_text(text, start);
    log_text(text, "X-A: ");
    fill(text, 'v', m->header);
    log_text(text, "\r\nTransfer-Encoding: chunked\r\n\r\n");
    snprintf(size, sizeof size, "%x\r\n", (unsigned)m->body);
    log_text(text, size);
    fill(text, 'b', m->body);
    log_text(text, "\r\n0\r\nT: ");
    fill(text, 'u', m->header);
    log_text(text, "\r\n\r\n");
}

static bool run_server_without_memory(const connect_allocator_t *allocator, void *arg) {
    const memory_case *m = (const memory_case *)arg;
    const app_mode mode = m->body % 2 ? APP_ECHO_CHUNKED : APP_STREAM;
    const size_t calls = mode == APP_STREAM ? 1 : 2; /* what is answered at once ends the connection */
    static peer p;
    cn_buf_t text;
    bool ok = false;
    memset(&text, 0, sizeof text);
    put_message(&text, POST "Expect: 100-continue\r\n", m);
    put_message(&text, POST "Expect: 100-continue\r\nConnection: close\r\n", m);
    if (peer_open(&p, true, allocator)) {
        p.mode = mode;
        peer_feed(&p, cn_buf_view(&text).data, cn_buf_len(&text), m->piece);
        assert_true(p.http.closing && p.http.exchange_count == 0);
        ok = p.call_count == calls && p.calls[0].code == CONNECT_OK && p.calls[calls - 1].code == CONNECT_OK;
        if (ok) {
            assert_true(cn_buf_len(&p.sent) > calls * m->body);
            assert_true(cn_buf_len(&p.log) > calls * (m->body + 2 * m->header));
        }
    }
    peer_close(&p);
    cn_buf_free(&text, NULL);
    return ok;
}

static bool run_client_without_memory(const connect_allocator_t *allocator, void *arg) {
    const memory_case *m = (const memory_case *)arg;
    static peer p;
    cn_buf_t text, body;
    bool ok = false;
    memset(&text, 0, sizeof text);
    memset(&body, 0, sizeof body);
    put_message(&text, "HTTP/1.1 200 OK\r\n", m);
    fill(&body, 'b', m->body);
    fill(&body, 0, 1);
    if (peer_open(&p, false, allocator)) {
        client_call(&p, "POST", cn_buf_view(&body).data, true);
        peer_pump(&p, SIZE_MAX);
        peer_feed(&p, cn_buf_view(&text).data, cn_buf_len(&text), m->piece);
        assert_int_equal(p.closed_count, 1);
        ok = p.calls[0].code == CONNECT_OK;
        assert_int_equal(p.http.closing, !ok);
        if (ok) assert_true(p.calls[0].ended && cn_buf_len(&p.log) > m->body + 2 * m->header);
    }
    peer_close(&p);
    cn_buf_free(&text, NULL);
    cn_buf_free(&body, NULL);
    return ok;
}

static void test_without_memory(void **state) {
    static const size_t pieces[] = {1, 100, 1000, 100000}, headers[] = {1, 700}, bodies[] = {1, 2, 900, 3001};
    size_t i;
    (void)state;
    for (i = 0; i < COUNT(pieces) * COUNT(headers) * COUNT(bodies); i++) {
        memory_case m;
        m.piece = pieces[i % COUNT(pieces)];
        m.header = headers[i / COUNT(pieces) % COUNT(headers)];
        m.body = bodies[i / COUNT(pieces) / COUNT(headers)];
        sweep_allocations(run_server_without_memory, &m);
        sweep_allocations(run_client_without_memory, &m);
    }
}

static uint32_t next_random(uint32_t *seed) {
    *seed ^= *seed << 13;
    *seed ^= *seed >> 17;
    *seed ^= *seed << 5;
    return *seed;
}

/* One connection gets mutated input in random pieces while its application does random things. */
static void run_nonsense(uint32_t *seed, bool is_server) {
    static peer p;
    static const char spice[] = "\r\n\r\n :;,0aF\0\xFF\t\"\\=HTTP/1.1chunked";
    char text[1200];
    size_t len, i, changes, at = 0;
    const char *from = is_server
        ? (next_random(seed) % 2 ? good_requests[next_random(seed) % COUNT(good_requests)].input
                                 : bad_bodies[next_random(seed) % COUNT(bad_bodies)].input)
        : responses[next_random(seed) % COUNT(responses)].input;
    len = strlen(from);
    memcpy(text, from, len);
    for (changes = next_random(seed) % 4; changes; changes--) {
        size_t place = next_random(seed) % len;
        switch (next_random(seed) % 3) {
        case 0: text[place] = spice[next_random(seed) % (sizeof spice - 1)]; break;
        case 1:
            memmove(text + place, text + place + 1, len - place - 1);
            len--;
            break;
        default:
            memmove(text + place + 1, text + place, len - place);
            text[place] = spice[next_random(seed) % (sizeof spice - 1)];
            len++;
            break;
        }
    }
    assert_true(peer_open(&p, is_server, NULL));
    p.mode = (app_mode)(next_random(seed) % 5);
    p.hold = next_random(seed) % 3 == 0;
    p.limits.stream_window = 1 + next_random(seed) % 20;
    p.limits.stream_buffer = 2 + next_random(seed) % 20;
    p.limits.connection_buffer = 1 + next_random(seed) % 200;
    if (!is_server) client_call(&p, "POST", "body", next_random(seed) % 2 != 0);
    for (i = 0; i < 400 && at < len; i++) {
        size_t piece = 1 + next_random(seed) % 40;
        call *c = p.call_count ? &p.calls[p.call_count - 1] : NULL;
        if (p.call_count == COUNT(p.calls)) break;
        piece = SMALLER(piece, len - at);
        at += p.http.version->feed(&p.http, at_page_end(text + at, piece), piece);
        if (next_random(seed) % 2) peer_pump(&p, next_random(seed) % 100);
        if (!c || c->closed) continue;
        switch (next_random(seed) % 16) {
        case 0: p.http.version->reset(&c->x, (cn_reset_t)(next_random(seed) % 4)); break;
        case 1:
        case 2: p.http.version->consume(&c->x, next_random(seed) % 20); break;
        case 3:
            if (is_server && !c->x.sent_end) app_answer(c, next_random(seed) % 2 != 0, STR("random answer"));
            break;
        case 4: p.http.version->drain(&p.http); break;
        case 5: p.http.version->flush(&c->x); break;
        default: break;
        }
    }
    if (next_random(seed) % 2) peer_eof(&p);
    peer_close(&p);
}

static void test_nonsense(void **state) {
    uint32_t seed = 20240229;
    int i;
    (void)state;
    for (i = 0; i < 20000; i++)
        run_nonsense(&seed, i % 2 == 0);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_requests),
        cmocka_unit_test(test_every_byte_everywhere),
        cmocka_unit_test(test_refusals),
        cmocka_unit_test(test_limits),
        cmocka_unit_test(test_requests_per_connection),
        cmocka_unit_test(test_public_probes),
        cmocka_unit_test(test_one_request_at_a_time),
        cmocka_unit_test(test_window),
        cmocka_unit_test(test_expect_continue),
        cmocka_unit_test(test_early_response),
        cmocka_unit_test(test_server_end_of_input),
        cmocka_unit_test(test_drain),
        cmocka_unit_test(test_no_room),
        cmocka_unit_test(test_server_reset),
        cmocka_unit_test(test_declared_length_is_kept),
        cmocka_unit_test(test_responses_without_body),
        cmocka_unit_test(test_every_status_has_a_line),
        cmocka_unit_test(test_output_is_bounded),
        cmocka_unit_test(test_client_requests),
        cmocka_unit_test(test_client_responses),
        cmocka_unit_test(test_truncated_responses),
        cmocka_unit_test(test_bad_responses),
        cmocka_unit_test(test_client_limits),
        cmocka_unit_test(test_client_odd_orders),
        cmocka_unit_test(test_both_ends),
        cmocka_unit_test(test_without_memory),
        cmocka_unit_test(test_nonsense),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
