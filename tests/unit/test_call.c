/* Whole calls in memory, client and server of this library: what comes out is the same for every protocol, HTTP
   version, codec and kind, however the bytes are cut up; a connection cut at any byte never looks like success; memory that runs
   out ends a call cleanly; steady calls take none. */
#define CONNECT_IMPLEMENTATION
#include "connect.h"
#include "support.h"
#include "pair.h"

typedef struct seen { /* what one end heard */
    bytes log;
    int opened, requests, messages, ends, closed;
    connect_code_t code;
} seen;

typedef struct play {
    pair p;
    pair_kind kind;
    size_t requests, responses; /* of streams */
    connect_str_t text, data;   /* in every message */
    connect_code_t outcome;
    bool plain;       /* no metadata */
    bool on_open_too; /* the server has on_open: on_closed is due for all calls */
    const connect_allocator_t *server_memory, *client_memory;
    seen server, client;
    size_t asked, answered;
    bool started;
    connect_events_t events; /* the server's; as generated tables, they stay */
} play;

#define PLAY_MESSAGE "sensor \xC3\x84\xE2\x82\xAC\xF0\x9F\x94\xA5 100%\r\nsecond line"

static void note_log(bytes *log, const char *what, const note *n) {
    bytes_print(log, "%s ", what);
    bytes_quote(log, n->text);
    bytes_print(log, "|%ld|", (long)n->number);
    bytes_quote(log, n->data);
    if (n->child) note_log(log, "|child", n->child);
    bytes_text(log, "\n");
}
static void headers_log(bytes *log, connect_headers_t headers, const char *name) {
    size_t i;
    bytes_print(log, " %s=", name);
    for (i = 0; i < headers.count; i++) {
        if (strcmp(headers.items[i].name, name) != 0) continue;
        bytes_text(log, "[");
        bytes_quote(log, headers.items[i].value);
        bytes_text(log, "]");
    }
}
static void error_log(seen *s, const connect_error_t *error) {
    size_t i;
    s->closed++;
    s->code = error ? error->code : CONNECT_OK;
    if (!error) {
        bytes_text(&s->log, "closed ok");
        return;
    }
    assert_true(error->code != CONNECT_OK);
    assert_non_null(error->message.data);
    assert_int_equal(error->message.data[error->message.len], 0);
    bytes_print(&s->log, "closed %s ", connect_code_name(error->code));
    bytes_quote(&s->log, error->message);
    for (i = 0; i < error->details.count; i++) {
        bytes_print(&s->log, " detail " CONNECT_STR_FMT " ", CONNECT_STR_ARG(error->details.items[i].type));
        bytes_quote(&s->log, error->details.items[i].value);
    }
}

/* ---- The server's end ---- */

static connect_str_t text_of(const char *text) {
    return connect_str_of(text);
}
static bool play_answer_metadata(connect_call_t *call) {
    return connect_call_set_header(call, "x-answer", text_of("a, a2")) &&
        connect_call_set_header(call, "X-Answer", text_of("b")) &&
        connect_call_set_header(call, "x-back-bin", text_of("AP/+")) &&
        connect_call_set_trailer(call, "x-tail", text_of("t1")) &&
        connect_call_set_trailer(call, "x-tail", text_of("t2")) &&
        connect_call_set_trailer(call, "x-tail-bin", text_of("dGFpbA"));
}
static connect_code_t play_begin(play *y, connect_call_t *call) {
    const connect_call_info_t *info = connect_call_info(call);
    y->server.opened++;
    assert_true(info->is_server);
    assert_int_equal(info->protocol, y->kind.protocol);
    assert_string_equal(info->codec, y->kind.codec);
    assert_int_equal(info->peer.http, y->kind.http);
    assert_string_equal(info->peer.address, "memory:");
    assert_string_equal(info->path, note_methods[y->kind.kind].path);
    if (y->plain) return CONNECT_OK;
    bytes_text(&y->server.log, "open");
    headers_log(&y->server.log, info->headers, "x-ask");
    headers_log(&y->server.log, info->headers, "x-ask-bin");
    bytes_text(&y->server.log, "\n");
    return play_answer_metadata(call) ? CONNECT_OK : connect_call_fail(call, CONNECT_RESOURCE_EXHAUSTED, "no room");
}
static connect_code_t play_outcome(play *y, connect_call_t *call) {
    fault f = {7, {"first", 5}};
    if (y->outcome == CONNECT_OK) return CONNECT_OK;
    connect_call_fail(call, y->outcome, "%s", PLAY_MESSAGE);
    if (!connect_call_add_detail(call, &fault_type, &f)) return CONNECT_RESOURCE_EXHAUSTED;
    f.code = 0;
    f.reason = text_of("");
    if (!connect_call_add_detail(call, &fault_type, &f)) return CONNECT_RESOURCE_EXHAUSTED;
    return y->outcome;
}
static connect_code_t play_on_open(connect_call_t *call, void *user) {
    return play_begin((play *)user, call);
}
static void play_answer(play *y, connect_call_t *call) {
    while (y->answered < y->responses) {
        note n = {{NULL, 0}, 0, {NULL, 0}, NULL, {NULL, 0}};
        connect_io_t sent;
        n.text = y->text;
        n.data = y->data;
        n.number = (int32_t)y->answered;
        sent = connect_call_send(call, &n);
        if (sent == CONNECT_IO_AGAIN) return;
        if (sent != CONNECT_IO_OK) return;
        y->answered++;
    }
    connect_call_finish(call, play_outcome(y, call), NULL);
}
static connect_code_t play_on_request(connect_call_t *call, const void *request, void *response, void *user) {
    play *y = (play *)user;
    const note *asked = (const note *)request;
    note *answer = (note *)response;
    y->server.requests++;
    note_log(&y->server.log, "request", asked);
    if (!y->on_open_too) {
        connect_code_t code = play_begin(y, call);
        if (code != CONNECT_OK) return code;
    }
    if (!answer) return CONNECT_LATER;
    *answer = *asked;
    answer->number++;
    return play_outcome(y, call);
}
static connect_io_t play_on_message(connect_call_t *call, const void *message, void *user) {
    play *y = (play *)user;
    (void)call;
    y->server.messages++;
    note_log(&y->server.log, "message", (const note *)message);
    return CONNECT_IO_OK;
}
static connect_code_t play_on_end(connect_call_t *call, void *response, void *user) {
    play *y = (play *)user;
    note *answer = (note *)response;
    y->server.ends++;
    bytes_text(&y->server.log, "end\n");
    if (answer) {
        answer->number = y->server.messages;
        answer->text = y->text;
        answer->data = y->data;
        return play_outcome(y, call);
    }
    play_answer(y, call);
    return CONNECT_LATER;
}
static void play_on_writable(connect_call_t *call, void *user) {
    play *y = (play *)user;
    if (y->kind.kind == CONNECT_SERVER_STREAM || y->server.ends) play_answer(y, call);
}
static void play_on_closed(connect_call_t *call, const connect_error_t *error, void *user) {
    play *y = (play *)user;
    (void)call;
    error_log(&y->server, error);
}

/* ---- The client's end ---- */

static connect_io_t play_client_on_message(connect_call_t *call, const void *message, void *user) {
    play *y = (play *)user;
    (void)call;
    y->client.messages++;
    note_log(&y->client.log, "message", (const note *)message);
    return CONNECT_IO_OK;
}
static void play_client_on_closed(connect_call_t *call, const connect_error_t *error, void *user) {
    play *y = (play *)user;
    const connect_call_info_t *info = connect_call_info(call);
    error_log(&y->client, error);
    headers_log(&y->client.log, info->headers, "x-answer");
    headers_log(&y->client.log, info->headers, "x-back-bin");
    headers_log(&y->client.log, info->trailers, "x-tail");
    headers_log(&y->client.log, info->trailers, "x-tail-bin");
    bytes_text(&y->client.log, "\n");
}
static void play_client_on_writable(connect_call_t *call, void *user) {
    play *y = (play *)user;
    while (y->asked < y->requests) {
        note n = {{NULL, 0}, 0, {NULL, 0}, NULL, {NULL, 0}};
        connect_io_t sent;
        n.text = y->text;
        n.data = y->data;
        n.number = (int32_t)y->asked;
        sent = connect_call_send(call, &n);
        if (sent == CONNECT_IO_AGAIN) return;
        if (sent != CONNECT_IO_OK) break;
        y->asked++;
    }
    connect_call_finish(call, CONNECT_OK, NULL);
}

/* ---- A run ---- */

static void play_init(play *y, const pair_kind *kind) {
    memset(y, 0, sizeof *y);
    pair_init(&y->p);
    y->kind = *kind;
    y->requests = 3;
    y->responses = 3;
    y->on_open_too = true;
    y->text = text_of("gr\xC3\xBC\xC3\x9F \"dich\"\n");
    y->data = text_of("\xff\xfe raw");
}
/* Makes both ends. Returns false: out of memory. */
static bool play_open(play *y) {
    connect_events_t *events = &y->events;
    connect_server_options_t server_options;
    connect_client_options_t client_options;
    connect_service_t service;
    const connect_events_t *thunks[4];
    connect_error_t error;
    memset(&server_options, 0, sizeof server_options);
    memset(&client_options, 0, sizeof client_options);
    memset(&service, 0, sizeof service);
    if (y->on_open_too || y->kind.kind == CONNECT_CLIENT_STREAM || y->kind.kind == CONNECT_BIDI_STREAM)
        events->on_open = play_on_open;
    events->on_request = play_on_request;
    events->on_message = play_on_message;
    events->on_end = play_on_end;
    events->on_writable = play_on_writable;
    events->on_closed = play_on_closed;
    server_options.allocator = y->server_memory;
    client_options.allocator = y->client_memory;
    client_options.dial = pair_dial;
    client_options.user = &y->p;
    client_options.http = y->kind.http;
    client_options.protocol = y->kind.protocol;
    client_options.codec = y->kind.codec;
    y->p.server = connect_server_new(&server_options, &error);
    if (!y->p.server) return false;
    thunks[0] = thunks[1] = thunks[2] = thunks[3] = events;
    service.full_name = "test.v1.Notes";
    service.methods = note_method_list;
    service.thunks = thunks;
    service.method_count = 4;
    service.handlers_size = 1;
    if (!connect_server_add_service(y->p.server, &service, "", y, NULL, &error)) return false;
    y->p.client = connect_client_new("http://memory:1", &client_options, &error);
    return y->p.client != NULL;
}
/* Starts a call and carries bytes until nothing moves. */
static void play_call(play *y) {
    static const connect_header_t headers[] = {
        {"x-ask", {"one", 3}}, {"x-ask", {"two, three", 10}}, {"x-ask-bin", {"/+8", 3}}};
    connect_events_t events;
    connect_call_options_t options;
    connect_error_t error;
    connect_call_t *call;
    bool single = y->kind.kind == CONNECT_UNARY || y->kind.kind == CONNECT_SERVER_STREAM;
    memset(&events, 0, sizeof events);
    memset(&options, 0, sizeof options);
    events.on_message = play_client_on_message;
    events.on_closed = play_client_on_closed;
    if (!single) events.on_writable = play_client_on_writable;
    if (!y->plain) {
        options.headers.items = headers;
        options.headers.count = 3;
    }
    y->asked = y->answered = 0;
    call = connect_client_start(y->p.client, &note_methods[y->kind.kind], &events, y, &options, &error);
    y->started = call != NULL;
    if (!call) {
        assert_true(error.code != CONNECT_OK);
        return;
    }
    if (single) {
        note n = {{NULL, 0}, 41, {NULL, 0}, NULL, {NULL, 0}};
        n.text = y->text;
        n.data = y->data;
        connect_call_finish(call, CONNECT_OK, &n);
    }
    assert_int_equal(y->client.closed, 0);
    pair_pump(&y->p);
}
static void play_free(play *y) {
    pair_free(&y->p);
    bytes_free(&y->server.log);
    bytes_free(&y->client.log);
}
static void play_run(play *y) {
    assert_true(play_open(y));
    play_call(y);
    assert_true(y->started);
}

/* ---- 1. The matrix ---- */

static void expect_note(bytes *log, const char *what, const play *y, long number) {
    bytes_print(log, "%s ", what);
    bytes_quote(log, y->text);
    bytes_print(log, "|%ld|", number);
    bytes_quote(log, y->data);
    bytes_text(log, "\n");
}
/* What both ends must have heard. */
static void play_expect(const play *y, bytes *server, bytes *client) {
    bool single_request = y->kind.kind == CONNECT_UNARY || y->kind.kind == CONNECT_SERVER_STREAM;
    bool single_response = y->kind.kind == CONNECT_UNARY || y->kind.kind == CONNECT_CLIENT_STREAM;
    size_t i;
    if (!y->plain) bytes_text(server, "open x-ask=[one][two, three] x-ask-bin=[/+8]\n");
    if (single_request) {
        expect_note(server, "request", y, 41);
    } else {
        for (i = 0; i < y->requests; i++)
            expect_note(server, "message", y, (long)i);
        bytes_text(server, "end\n");
    }
    if (single_response && y->outcome == CONNECT_OK)
        expect_note(client, "message", y, single_request ? 42 : (long)y->requests);
    for (i = 0; !single_response && i < y->responses; i++)
        expect_note(client, "message", y, (long)i);
    if (y->outcome == CONNECT_OK) {
        bytes_text(client, "closed ok");
        bytes_text(server, "closed ok");
    } else {
        bytes_print(client, "closed %s ", connect_code_name(y->outcome));
        bytes_quote(client, text_of(PLAY_MESSAGE));
        bytes_text(client, " detail test.v1.Fault \\x08\\x07\\x12\\x05first detail test.v1.Fault ");
        bytes_print(server, "closed %s ", connect_code_name(y->outcome));
        bytes_quote(server, text_of(PLAY_MESSAGE));
        bytes_text(server, " detail test.v1.Fault \\x08\\x07\\x12\\x05first detail test.v1.Fault ");
    }
    bytes_text(client,
        y->plain ? " x-answer= x-back-bin= x-tail= x-tail-bin=\n"
                 : " x-answer=[a, a2][b] x-back-bin=[AP/+] x-tail=[t1][t2] x-tail-bin=[dGFpbA]\n");
}
static void play_check(play *y) {
    bytes server = {NULL, 0, 0}, client = {NULL, 0, 0};
    play_expect(y, &server, &client);
    if (!y->client.log.data || strcmp(y->client.log.data, client.data) != 0 || !y->server.log.data ||
        strcmp(y->server.log.data, server.data) != 0)
        fail_msg("%s, mode %d:\nclient heard\n%s\nand not\n%s\nserver heard\n%s\nand not\n%s", pair_name(&y->kind),
            (int)y->p.mode, y->client.log.data ? y->client.log.data : "", client.data,
            y->server.log.data ? y->server.log.data : "", server.data);
    assert_int_equal(y->client.closed, 1);
    assert_int_equal(y->server.closed, 1);
    assert_int_equal(y->server.opened, 1);
    bytes_free(&server);
    bytes_free(&client);
}

typedef struct variant {
    const char *name;
    connect_code_t outcome;
    size_t requests, responses;
    const char *text, *data;
    size_t large; /* of data */
    bool plain;
} variant;

static void test_matrix(void **state) {
    static const variant variants[] = {
        {"success", CONNECT_OK, 3, 3, "gr\xC3\xBC\xC3\x9F \"dich\"\n", "\xff\xfe", 0, false},
        {"error", CONNECT_NOT_FOUND, 2, 0, "x", "y", 0, false},
        {"error behind messages", CONNECT_DATA_LOSS, 2, 4, "x", "y", 0, false},
        {"empty messages", CONNECT_OK, 2, 2, "", "", 0, true}, {"no messages", CONNECT_OK, 0, 0, "", "", 0, true},
        {"error, no metadata", CONNECT_UNAUTHENTICATED, 1, 1, "", "", 0, true},
        {"a hundred", CONNECT_OK, 100, 100, "short", "", 0, true}, {"1 MiB", CONNECT_OK, 2, 2, "x", "", 1 << 20, true}};
    char *large = (char *)malloc(1 << 20);
    size_t v;
    (void)state;
    memset(large, 'L', 1 << 20);
    for (v = 0; v < sizeof variants / sizeof *variants; v++) {
        pair_kind kind;
        size_t i = 0;
        int mode;
        while (pair_next(&kind, &i)) {
            for (mode = PAIR_WHOLE; mode <= PAIR_ODD; mode++) {
                failing_allocator memory;
                play y;
                if (mode == PAIR_BYTES && variants[v].large) continue;
                failing_init(&memory, SIZE_MAX, false);
                play_init(&y, &kind);
                y.server_memory = y.client_memory = &memory.allocator;
                y.p.mode = (pair_mode)mode;
                y.outcome = variants[v].outcome;
                y.requests = variants[v].requests;
                y.responses = variants[v].responses;
                y.plain = variants[v].plain;
                y.text = text_of(variants[v].text);
                y.data = text_of(variants[v].data);
                if (variants[v].large) {
                    y.data.data = large;
                    y.data.len = variants[v].large;
                }
                play_run(&y);
                play_check(&y);
                play_free(&y);
                assert_int_equal(memory.live, 0);
            }
        }
    }
    free(large);
}

/* A message of 1 MiB, byte by byte, once. */
static void test_large_byte_by_byte(void **state) {
    static const pair_kind kinds[] = {{CONNECT_PROTOCOL_CONNECT, CONNECT_HTTP_1, "proto", CONNECT_UNARY},
        {CONNECT_PROTOCOL_GRPC, CONNECT_HTTP_2, "proto", CONNECT_BIDI_STREAM}};
    char *large = (char *)malloc(1 << 20);
    size_t k;
    (void)state;
    memset(large, 'L', 1 << 20);
    for (k = 0; k < 2; k++) {
        play y;
        play_init(&y, &kinds[k]);
        y.p.mode = PAIR_ODD;
        y.requests = y.responses = 1;
        y.data.data = large;
        y.data.len = 1 << 20;
        play_run(&y);
        play_check(&y);
        play_free(&y);
    }
    free(large);
}

/* Without on_open, the first event of a call of one request is on_request: if that ends it, on_closed is not due. */
static void test_first_event(void **state) {
    pair_kind kind;
    size_t i = 0;
    (void)state;
    while (pair_next(&kind, &i)) {
        play y;
        if (kind.kind == CONNECT_CLIENT_STREAM || kind.kind == CONNECT_BIDI_STREAM) continue;
        play_init(&y, &kind);
        y.on_open_too = false;
        play_run(&y);
        assert_int_equal(y.client.closed, 1);
        assert_int_equal(y.client.code, CONNECT_OK);
        assert_int_equal(y.server.closed, kind.kind == CONNECT_UNARY ? 0 : 1);
        play_free(&y);
    }
}

/* Many calls on one connection, and the connection is kept. */
static void test_one_after_the_other(void **state) {
    pair_kind kind;
    size_t i = 0, k;
    (void)state;
    while (pair_next(&kind, &i)) {
        play y;
        play_init(&y, &kind);
        assert_true(play_open(&y));
        for (k = 0; k < 20; k++) {
            bytes_free(&y.client.log);
            bytes_free(&y.server.log);
            memset(&y.client, 0, sizeof y.client);
            memset(&y.server, 0, sizeof y.server);
            y.outcome = k % 3 == 1 ? CONNECT_ABORTED : CONNECT_OK;
            play_call(&y);
            play_check(&y);
        }
        if (y.p.dials != 1) fail_msg("%s: %lu connections", pair_name(&kind), (unsigned long)y.p.dials);
        play_free(&y);
    }
}

/* ---- 2. Cut at every byte ---- */

/* Where the last byte that matters of a direction is. */
static size_t play_end(const play *y, const pair_wire *wire, bool up) {
    if (y->kind.http == CONNECT_HTTP_1) return wire->sent.len;
    return h2_end_of_stream(&wire->sent, up ? 24 : 0);
}
static bool is_prefix(const bytes *part, const char *whole) {
    const char *closed = part->data ? strstr(part->data, "closed") : NULL;
    size_t len = closed ? (size_t)(closed - part->data) : part->len;
    return strncmp(part->data ? part->data : "", whole, len) == 0;
}

static void cut_one(const pair_kind *kind, connect_code_t outcome, bool up, size_t at, pair_cut how, size_t end,
    const bytes *whole_client, const bytes *whole_server) {
    failing_allocator memory;
    play y;
    failing_init(&memory, SIZE_MAX, false);
    play_init(&y, kind);
    y.server_memory = y.client_memory = &memory.allocator;
    y.outcome = outcome;
    y.requests = y.responses = 2;
    y.p.cut = how;
    *(up ? &y.p.up_cut : &y.p.down_cut) = at;
    play_run(&y);
    if (y.p.count > 1) { /* without side effects, and no response yet: sent again, over a connection that is not cut */
        assert_true(kind->kind == CONNECT_UNARY && at < end);
        assert_int_equal(y.p.dials, 2);
        assert_int_equal(y.client.code, outcome);
        assert_string_equal(y.client.log.data, whole_client->data);
    } else if (!up) {
        bool whole = at >= end;
        if (y.client.closed != 1)
            fail_msg("%s, response cut at %lu: %d on_closed", pair_name(kind), (unsigned long)at, y.client.closed);
        if (whole != (y.client.code == outcome && y.client.messages == (kind->kind < 2 ? outcome == CONNECT_OK : 2)))
            fail_msg("%s, response cut at %lu of %lu: %s", pair_name(kind), (unsigned long)at, (unsigned long)end,
                y.client.log.data);
        if (!whole && y.client.code != CONNECT_UNAVAILABLE && y.client.code != CONNECT_INTERNAL &&
            y.client.code != CONNECT_CANCELED)
            fail_msg("%s, response cut at %lu of %lu: %s", pair_name(kind), (unsigned long)at, (unsigned long)end,
                y.client.log.data);
        if (!is_prefix(&y.client.log, whole_client->data))
            fail_msg("%s, response cut at %lu: %s", pair_name(kind), (unsigned long)at, y.client.log.data);
    } else {
        bool whole = at >= end;
        int asked = y.server.requests + y.server.ends;
        if (asked != (whole ? 1 : 0))
            fail_msg("%s, request cut at %lu of %lu: the handler was told it is whole %d times\n%s", pair_name(kind),
                (unsigned long)at, (unsigned long)end, asked, y.server.log.data);
        if (!is_prefix(&y.server.log, whole_server->data))
            fail_msg("%s, request cut at %lu: %s", pair_name(kind), (unsigned long)at, y.server.log.data);
    }
    pair_close(&y.p);
    if (y.server.closed != y.server.opened)
        fail_msg("%s, %s cut at %lu: %d on_open, %d on_closed", pair_name(kind), up ? "request" : "response",
            (unsigned long)at, y.server.opened, y.server.closed);
    if (up && at < end && y.p.count == 1 && y.server.opened && y.server.code != CONNECT_CANCELED)
        fail_msg("%s, request cut at %lu: handler's on_closed says %s", pair_name(kind), (unsigned long)at,
            y.server.log.data);
    assert_int_equal(y.client.closed, 1);
    play_free(&y);
    assert_int_equal(memory.live, 0);
}

static void cut_all(connect_code_t outcome) {
    pair_kind kind;
    size_t i = 0;
    while (pair_next(&kind, &i)) {
        play y;
        size_t ends[2], k, at;
        int how;
        play_init(&y, &kind);
        y.outcome = outcome;
        y.requests = y.responses = 2;
        play_run(&y);
        play_check(&y);
        ends[0] = play_end(&y, &y.p.links[0].down, false);
        ends[1] = play_end(&y, &y.p.links[0].up, true);
        assert_true(ends[0] != SIZE_MAX && ends[1] != SIZE_MAX);
        for (k = 0; k < 2; k++)
            for (how = PAIR_FIN; how <= PAIR_CLOSE; how++)
                for (at = 0; at < ends[k] + (kind.http == CONNECT_HTTP_2); at++)
                    cut_one(&kind, outcome, k == 1, at, (pair_cut)how, ends[k], &y.client.log, &y.server.log);
        play_free(&y);
    }
}
static void test_cut_success(void **state) {
    (void)state;
    cut_all(CONNECT_OK);
}
static void test_cut_error(void **state) {
    (void)state;
    cut_all(CONNECT_ABORTED);
}

/* ---- 6. Memory that runs out ---- */

typedef struct sweep {
    pair_kind kind;
    connect_code_t outcome;
    bool fail_server, fail_client;
    bool plain;
} sweep;

/* What a call may end with, and over HTTP/1.1 what the server may have said: an answer whose status tells of it, one
   whose head went out before, or nothing. */
static void sweep_check_failure(const sweep *s, play *y) {
    const connect_code_t code = y->client.code;
    const bytes *said = &y->p.links[0].down.sent;
    if (code != CONNECT_RESOURCE_EXHAUSTED && code != CONNECT_UNAVAILABLE && code != CONNECT_INTERNAL)
        fail_msg("%s: %s", pair_name(&s->kind), y->client.log.data);
    if (s->kind.http == CONNECT_HTTP_1 && y->p.count && said->len) {
        const char *const legal[] = {"200", "404", "429", "500", "503"};
        size_t i = 0;
        assert_true(said->len > 12);
        while (i < CN_LEN(legal) && memcmp(said->data + 9, legal[i], 3) != 0)
            i++;
        if (memcmp(said->data, "HTTP/1.1 ", 9) != 0 || i == CN_LEN(legal))
            fail_msg("%s: the server said %.40s", pair_name(&s->kind), said->data);
    }
}
static bool sweep_run(const connect_allocator_t *allocator, void *arg) {
    const sweep *s = (const sweep *)arg;
    bool ok = false;
    play y;
    play_init(&y, &s->kind);
    if (s->fail_server) y.server_memory = allocator;
    if (s->fail_client) y.client_memory = allocator;
    y.outcome = s->outcome;
    y.plain = s->plain;
    if (play_open(&y)) {
        play_call(&y);
        if (y.started) {
            if (!y.client.closed) pair_advance(&y.p, 40 * 1000); /* unary calls have a deadline of 30 s */
            if (!y.client.closed && s->kind.kind != CONNECT_UNARY)
                fail_msg("%s: the client waits for ever", pair_name(&s->kind));
            if (y.p.now > 1000 && s->fail_client != s->fail_server)
                fail_msg("%s: only the deadline ended the call: %s", pair_name(&s->kind), y.client.log.data);
            assert_int_equal(y.client.closed, 1);
            ok = y.client.code == s->outcome;
            if (!ok) sweep_check_failure(s, &y);
            if (ok) {
                int expected = s->kind.kind < 2 ? s->outcome == CONNECT_OK : 3;
                assert_int_equal(y.client.messages, expected);
            }
        }
    }
    pair_close(&y.p);
    assert_int_equal(y.server.opened >= y.server.closed, 1);
    play_free(&y);
    return ok;
}
static void test_allocations(void **state) {
    pair_kind kind;
    size_t i = 0;
    int where;
    (void)state;
    while (pair_next(&kind, &i)) {
        for (where = 1; where <= 3; where++) {
            sweep s;
            memset(&s, 0, sizeof s);
            s.kind = kind;
            s.fail_server = (where & 1) != 0;
            s.fail_client = (where & 2) != 0;
            s.outcome = CONNECT_OK;
            sweep_allocations(sweep_run, &s);
            s.outcome = CONNECT_NOT_FOUND;
            if (where != 3) sweep_allocations(sweep_run, &s);
        }
    }
}

/* ---- 7. Steady calls take no memory ---- */

static void test_steady_calls(void **state) {
    pair_kind kind;
    size_t i = 0, k;
    (void)state;
    while (pair_next(&kind, &i)) {
        failing_allocator server, client;
        size_t server_calls = 0, client_calls = 0;
        play y;
        if (kind.kind != CONNECT_UNARY) continue;
        failing_init(&server, SIZE_MAX, false);
        failing_init(&client, SIZE_MAX, false);
        play_init(&y, &kind);
        y.server_memory = &server.allocator;
        y.client_memory = &client.allocator;
        y.plain = true;
        assert_true(play_open(&y));
        for (k = 0; k < 110; k++) {
            if (k == 10) {
                server_calls = server.calls;
                client_calls = client.calls;
            }
            bytes_free(&y.client.log);
            bytes_free(&y.server.log);
            memset(&y.client, 0, sizeof y.client);
            memset(&y.server, 0, sizeof y.server);
            play_call(&y);
            play_check(&y);
        }
        if (server.calls != server_calls)
            fail_msg("%s: %lu allocations in 100 calls of the server", pair_name(&kind),
                (unsigned long)(server.calls - server_calls));
        if (client.calls != client_calls)
            fail_msg("%s: %lu allocations in 100 calls of the client", pair_name(&kind),
                (unsigned long)(client.calls - client_calls));
        play_free(&y);
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_matrix), cmocka_unit_test(test_large_byte_by_byte),
        cmocka_unit_test(test_first_event), cmocka_unit_test(test_one_after_the_other),
        cmocka_unit_test(test_cut_success), cmocka_unit_test(test_cut_error), cmocka_unit_test(test_allocations),
        cmocka_unit_test(test_steady_calls)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
