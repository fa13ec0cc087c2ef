/* A server and one raw connection to it: the test writes the client's bytes. In every rig a good call, the sibling,
   can be in flight on the same HTTP/2 connection while something bad happens beside it, and a good call can follow.
   Include after support.h and pair.h. */
#ifndef CONNECT_TESTS_RIG_H
#define CONNECT_TESTS_RIG_H

#define RIG_PREFACE "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"
#define RIG_HEAD ":method: POST\n:scheme: http\n:authority: memory:1\n"
#define RIG_UNARY RIG_HEAD ":path: /test.v1.Notes/Unary\ncontent-type: application/proto\n"

typedef struct rig {
    failing_allocator memory;
    pair p;
    connect_events_t events;
    connect_server_options_t options;
    pair_link *link;
    int http;
    int opened, requests, messages, ends, closed, canceled, clean; /* clean: on_closed without an error */
    connect_call_t *later; /* the unary call with the text "later": the handler has promised its answer */
    connect_io_t message_io;
    connect_code_t code; /* of the last on_closed */
    char message[600];   /* ... and its message */
} rig;

static connect_code_t rig_on_open(connect_call_t *call, void *user) {
    (void)call;
    ((rig *)user)->opened++;
    return CONNECT_OK;
}
static void rig_on_cancel(connect_call_t *call, void *arg) {
    rig *r = (rig *)arg;
    r->canceled++;
    if (r->later == call) r->later = NULL;
    connect_call_finish(call, CONNECT_CANCELED, NULL);
}
static connect_code_t rig_on_request(connect_call_t *call, const void *request, void *response, void *user) {
    rig *r = (rig *)user;
    r->requests++;
    if (response) *(note *)response = *(const note *)request;
    if (!connect_str_equal(((const note *)request)->text, connect_str_of("later"))) return CONNECT_OK;
    r->later = call;
    connect_call_on_cancel(call, rig_on_cancel, r);
    return CONNECT_LATER;
}
static connect_io_t rig_on_message(connect_call_t *call, const void *message, void *user) {
    rig *r = (rig *)user;
    (void)call;
    (void)message;
    if (r->message_io == CONNECT_IO_AGAIN) return CONNECT_IO_AGAIN;
    r->messages++;
    return r->message_io;
}
static connect_code_t rig_on_end(connect_call_t *call, void *response, void *user) {
    rig *r = (rig *)user;
    (void)call;
    r->ends++;
    if (response) ((note *)response)->number = r->messages;
    return CONNECT_OK;
}
static void rig_on_closed(connect_call_t *call, const connect_error_t *error, void *user) {
    rig *r = (rig *)user;
    if (r->later == call) r->later = NULL;
    r->closed++;
    r->clean += error == NULL;
    r->code = error ? error->code : CONNECT_OK;
    if (error) snprintf(r->message, sizeof r->message, "%.*s", (int)error->message.len, error->message.data);
}

/* Set r->options and r->p.mode between rig_init and rig_open. */
static SUPPORT_UNUSED void rig_init(rig *r, int http) {
    memset(r, 0, sizeof *r);
    failing_init(&r->memory, SIZE_MAX, false);
    pair_init(&r->p);
    r->http = http;
    r->options.allocator = &r->memory.allocator;
    r->events.on_open = rig_on_open;
    r->events.on_request = rig_on_request;
    r->events.on_message = rig_on_message;
    r->events.on_end = rig_on_end;
    r->events.on_closed = rig_on_closed;
}
static SUPPORT_UNUSED void rig_accept(rig *r) {
    connect_error_t error;
    connect_conn_t *conn = connect_server_accept(r->p.server, "memory:", NULL, &error);
    assert_non_null(conn);
    r->link = pair_add(&r->p, NULL, conn);
    r->link->up.sender_gone = false;
    r->link->down.ended = true; /* the test reads all, at once; false: it reads 64 KiB and no more */
}
/* The server, and a connection; on HTTP/2 with the preface and SETTINGS behind it. */
static SUPPORT_UNUSED void rig_open(rig *r) {
    connect_error_t error;
    r->p.server = connect_server_new(&r->options, &error);
    assert_non_null(r->p.server);
    pair_serve(&r->p, &r->events, r);
    rig_accept(r);
    if (r->http == 2) {
        bytes_text(&r->link->up.sent, RIG_PREFACE);
        h2_frame(&r->link->up.sent, 4, 0, 0, NULL, 0);
        pair_pump(&r->p);
    }
}
static SUPPORT_UNUSED bool rig_lives(const rig *r) {
    return r->link->server != NULL;
}
/* What the client sends next: bytes_add and h2_frame to it, then pair_pump. */
static SUPPORT_UNUSED bytes *rig_up(rig *r) {
    return &r->link->up.sent;
}
/* All that came back, on HTTP/2 of one stream; without CR. Empty text counts, too. Free it. */
static SUPPORT_UNUSED bytes rig_answer(const rig *r, uint32_t stream) {
    bytes text = {NULL, 0, 0};
    const bytes *down = &r->link->down.sent;
    size_t i;
    if (r->http == 2) h2_read_stream(down, stream, &text);
    for (i = 0; r->http == 1 && i < down->len; i++)
        if (down->data[i] != '\r') bytes_add(&text, &down->data[i], 1);
    bytes_add(&text, "\n", 1);
    return text;
}
static SUPPORT_UNUSED int bytes_count(const bytes *text, const char *wanted) {
    size_t len = strlen(wanted), i;
    int count = 0;
    for (i = 0; i + len <= text->len; i++)
        count += memcmp(text->data + i, wanted, len) == 0;
    return count;
}
static SUPPORT_UNUSED bool bytes_have(const bytes *text, const char *wanted) {
    return bytes_count(text, wanted) > 0;
}
/* With zeros taken out, for messages. */
static SUPPORT_UNUSED const char *bytes_show(const bytes *text) {
    static char shown[4000];
    size_t i, at = 0;
    for (i = 0; i < text->len && at + 1 < sizeof shown; i++)
        if (text->data[i]) shown[at++] = text->data[i];
    shown[at] = 0;
    return shown;
}
/* One more good unary call, on HTTP/2 on this stream: it is answered. */
static SUPPORT_UNUSED void rig_good_call(rig *r, uint32_t stream) {
    int requests = r->requests;
    bytes text;
    if (r->http == 1) {
        bytes_free(&r->link->down.sent);
        r->link->down.arrived = 0;
        bytes_text(rig_up(r),
            "POST /test.v1.Notes/Unary HTTP/1.1\r\nHost: memory:1\r\n"
            "Content-Type: application/proto\r\nContent-Length: 6\r\n\r\n\x0a\4good");
    } else {
        h2_headers(rig_up(r), 0, stream, RIG_UNARY);
        h2_frame(rig_up(r), 0, 1, stream, "\x0a\4good", 6);
    }
    pair_pump(&r->p);
    text = rig_answer(r, stream);
    if (r->requests != requests + 1 || !bytes_have(&text, " 200") || !bytes_have(&text, "\x0a\4good"))
        fail_msg("a good call afterwards gets %s", bytes_show(&text));
    bytes_free(&text);
}
/* HTTP/2: the sibling begins, on stream 1, and later ends well, though all that went on beside it. */
static SUPPORT_UNUSED void rig_sibling_begin(rig *r) {
    h2_headers(rig_up(r), 0, 1, RIG_UNARY);
    h2_frame(rig_up(r), 0, 1, 1, "\x0a\5later", 7);
    pair_pump(&r->p);
    assert_non_null(r->later);
}
static SUPPORT_UNUSED void rig_sibling_end(rig *r) {
    bytes text;
    assert_non_null(r->later);
    connect_call_finish(r->later, CONNECT_OK, NULL);
    pair_pump(&r->p);
    text = rig_answer(r, 1);
    if (!bytes_have(&text, "HTTP/2 200") || !bytes_have(&text, "\x0a\5later"))
        fail_msg("the stream beside it gets %s", bytes_show(&text));
    bytes_free(&text);
}
/* Everything that was opened is closed, and all memory given back. */
static SUPPORT_UNUSED void rig_close(rig *r) {
    pair_free(&r->p);
    assert_int_equal(r->opened, r->closed);
    assert_int_equal(r->memory.live, 0);
}
/* The last GOAWAY's code; -1: none. */
static SUPPORT_UNUSED int rig_goaway(const rig *r) {
    const bytes *b = &r->link->down.sent;
    size_t at = 0;
    int code = -1;
    while (b->len - at >= 9) {
        const unsigned char *f = (const unsigned char *)b->data + at;
        size_t len = (size_t)f[0] << 16 | (size_t)f[1] << 8 | f[2];
        if (b->len - at < 9 + len) break;
        at += 9 + len;
        if (f[3] == 7) code = f[9 + 7];
    }
    return code;
}
#endif
