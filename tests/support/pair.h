/* Both ends of a connection in one process, without sockets: what one end puts out is fed to the other, whole, byte by
   byte or in odd pieces; either direction may be cut after so many bytes, and all that went over it is kept. Time is
   `now`. The driver does only what api/conn.h asks of a transport: it takes output after feed and on_output, feeds
   at the deadline, and offers bytes only while READ is wanted; so a wake-up that is missing shows as a hang.
   Include after support.h. */
#ifndef CONNECT_TESTS_PAIR_H
#define CONNECT_TESTS_PAIR_H

/* ---- Bytes that grow ---- */
typedef struct bytes {
    char *data;
    size_t len, capacity;
} bytes;

static SUPPORT_UNUSED void bytes_add(bytes *b, const void *data, size_t len) {
    if (b->len + len + 1 > b->capacity) {
        b->capacity = (b->len + len + 1) * 2;
        b->data = (char *)realloc(b->data, b->capacity);
        assert_non_null(b->data);
    }
    if (len) memcpy(b->data + b->len, data, len);
    b->len += len;
    b->data[b->len] = 0;
}
static SUPPORT_UNUSED void bytes_text(bytes *b, const char *text) {
    bytes_add(b, text, strlen(text));
}
static SUPPORT_UNUSED void bytes_print(bytes *b, const char *format, ...) CONNECT_PRINTF(2, 3);
static SUPPORT_UNUSED void bytes_print(bytes *b, const char *format, ...) {
    char *text;
    int len;
    va_list arguments;
    va_start(arguments, format);
    len = vsnprintf(NULL, 0, format, arguments);
    va_end(arguments);
    text = (char *)malloc((size_t)len + 1);
    va_start(arguments, format);
    vsnprintf(text, (size_t)len + 1, format, arguments);
    va_end(arguments);
    bytes_add(b, text, (size_t)len);
    free(text);
}
/* What cannot be printed as \xNN; long texts as their length and a checksum. */
static SUPPORT_UNUSED void bytes_quote(bytes *b, connect_str_t text) {
    size_t i;
    if (text.len > 200) {
        unsigned sum = 0;
        for (i = 0; i < text.len; i++)
            sum = sum * 31u + (unsigned char)text.data[i];
        bytes_print(b, "<%lu bytes, %08x>", (unsigned long)text.len, sum);
        return;
    }
    for (i = 0; i < text.len; i++) {
        unsigned char c = (unsigned char)text.data[i];
        if (c < 32 || c > 126)
            bytes_print(b, "\\x%02x", c);
        else
            bytes_add(b, &text.data[i], 1);
    }
}
static SUPPORT_UNUSED void bytes_free(bytes *b) {
    free(b->data);
    memset(b, 0, sizeof *b);
}

/* ---- The pair ---- */
typedef enum pair_mode { PAIR_WHOLE, PAIR_BYTES, PAIR_ODD } pair_mode;
typedef enum pair_cut { PAIR_FIN, PAIR_CLOSE } pair_cut; /* what comes after a cut: the end of input, or of all */

typedef struct pair_wire { /* one direction */
    bytes sent;            /* all that ever went in */
    size_t arrived, cut;   /* cut: how many may arrive; SIZE_MAX: all */
    bool sender_gone, ended, frozen;
} pair_wire;

typedef struct pair_link {
    connect_conn_t *client, *server; /* NULL: closed */
    pair_wire up, down;
    bool client_dirty, server_dirty;
} pair_link;

#define PAIR_LINKS 64
#define PAIR_ROOM 65536u
typedef struct pair {
    connect_server_t *server; /* NULL: nobody answers; the test feeds the client */
    connect_client_t *client;
    connect_listen_options_t listen;
    pair_link links[PAIR_LINKS];
    size_t count;
    int64_t now;
    pair_mode mode;
    uint32_t seed;
    size_t up_cut, down_cut; /* of the first link */
    pair_cut cut;
    connect_code_t dial_code; /* what dialling gives */
    size_t dials;
} pair;

static SUPPORT_UNUSED void pair_init(pair *p) {
    memset(p, 0, sizeof *p);
    p->now = 1000;
    p->seed = 1;
    p->up_cut = p->down_cut = SIZE_MAX;
}

static SUPPORT_UNUSED void pair_mark(connect_conn_t *conn, void *user) {
    (void)conn;
    *(bool *)user = true;
}

static SUPPORT_UNUSED pair_link *pair_add(pair *p, connect_conn_t *client, connect_conn_t *server) {
    pair_link *link = &p->links[p->count];
    assert_true(p->count < PAIR_LINKS);
    memset(link, 0, sizeof *link);
    link->client = client;
    link->server = server;
    link->up.cut = p->count ? SIZE_MAX : p->up_cut;
    link->down.cut = p->count ? SIZE_MAX : p->down_cut;
    link->up.sender_gone = client == NULL;
    link->down.sender_gone = false;
    link->client_dirty = link->server_dirty = true;
    if (client) connect_conn_on_output(client, pair_mark, &link->client_dirty);
    if (server) connect_conn_on_output(server, pair_mark, &link->server_dirty);
    p->count++;
    return link;
}

static SUPPORT_UNUSED connect_code_t pair_dial(connect_conn_t *conn, const char *address, void *user) {
    pair *p = (pair *)user;
    connect_conn_t *server = NULL;
    connect_error_t error;
    (void)address;
    p->dials++;
    if (p->dial_code != CONNECT_OK) return p->dial_code;
    if (p->server) {
        server = connect_server_accept(p->server, "memory:", &p->listen, &error);
        if (!server) return CONNECT_UNAVAILABLE;
    }
    pair_add(p, conn, server);
    return CONNECT_OK;
}

static SUPPORT_UNUSED void pair_close_server(pair_link *link) {
    connect_conn_t *conn = link->server;
    link->server = NULL;
    link->down.sender_gone = true;
    if (conn) connect_conn_close(conn);
}
static SUPPORT_UNUSED void pair_close_client(pair_link *link) {
    connect_conn_t *conn = link->client;
    link->client = NULL;
    link->up.sender_gone = true;
    if (conn) connect_conn_close(conn);
}

static SUPPORT_UNUSED size_t pair_piece(pair *p, size_t left) {
    size_t piece = left;
    if (p->mode == PAIR_BYTES) piece = 1;
    if (p->mode == PAIR_ODD) {
        p->seed = p->seed * 1664525u + 1013904223u;
        piece = 1 + (p->seed >> 16) % ((p->seed >> 8) % 8 ? 37 : 5000);
    }
    return piece < left ? piece : left;
}

/* A wire holds so many bytes that have not arrived; what is cut off is swallowed. */
static SUPPORT_UNUSED size_t pair_room(const pair_wire *wire) {
    size_t waiting = wire->sent.len - wire->arrived;
    if (wire->ended || wire->cut != SIZE_MAX) return SIZE_MAX;
    return waiting < PAIR_ROOM ? PAIR_ROOM - waiting : 0;
}

/* Moves output of one end into its wire. Returns whether there was any. */
static SUPPORT_UNUSED bool pair_collect(connect_conn_t **conn, pair_wire *wire, bool *dirty, int64_t now) {
    bool any = false;
    size_t room;
    if (!*conn) return false;
    if (connect_conn_deadline_ms(*conn) <= now && connect_conn_wants(*conn)) {
        (void)connect_conn_feed(*conn, "", 0, now);
        if (!*conn) return true;
        *dirty = true;
        any = connect_conn_deadline_ms(*conn) > now;
    }
    while (*dirty && *conn) {
        connect_str_t out;
        *dirty = false;
        out = connect_conn_output(*conn);
        if (!*conn) return true;
        if (!out.len) break;
        room = pair_room(wire);
        if (out.len > room) out.len = room;
        *dirty = true;
        if (!out.len) break;
        bytes_add(&wire->sent, out.data, out.len);
        connect_conn_sent(*conn, out.len);
        any = true;
    }
    return any;
}

/* Feeds one piece to an end. Returns whether something happened. */
static SUPPORT_UNUSED bool pair_deliver(pair *p, connect_conn_t **conn, pair_wire *wire, bool *dirty, bool cut_here) {
    size_t end = wire->sent.len < wire->cut ? wire->sent.len : wire->cut, taken;
    if (!*conn || wire->ended || wire->frozen) return false;
    if (wire->arrived < end) {
        guarded piece;
        if (!(connect_conn_wants(*conn) & CONNECT_WANTS_READ)) return false;
        piece = guarded_copy(wire->sent.data + wire->arrived, pair_piece(p, end - wire->arrived), 0);
        taken = connect_conn_feed(*conn, piece.data, piece.len, p->now);
        assert_true(taken <= piece.len);
        guarded_free(&piece);
        wire->arrived += taken;
        *dirty = true;
        return taken > 0;
    }
    if (wire->sent.len > wire->cut || (wire->cut != SIZE_MAX && wire->arrived == wire->cut) || wire->sender_gone) {
        wire->ended = true;
        *dirty = true;
        if (cut_here && p->cut == PAIR_CLOSE && wire->cut != SIZE_MAX) return true; /* closed by the caller */
        cn_conn_eof(*conn, p->now);
        return true;
    }
    return false;
}

/* Carries bytes until nothing moves any more. */
static SUPPORT_UNUSED void pair_pump(pair *p) {
    bool moved = true;
    size_t rounds = 0, arrived = 0;
    while (moved) {
        size_t i, before = arrived;
        moved = false;
        for (i = arrived = 0; i < p->count; i++)
            arrived += p->links[i].up.arrived + p->links[i].down.arrived;
        if (arrived != before) rounds = 0;
        if (++rounds > 1000) fail_msg("the pair never comes to rest");
        for (i = 0; i < p->count; i++) {
            pair_link *link = &p->links[i];
            bool was_ended = link->up.ended;
            moved = pair_collect(&link->client, &link->up, &link->client_dirty, p->now) || moved;
            moved = pair_deliver(p, &link->server, &link->up, &link->server_dirty, true) || moved;
            if (link->up.ended && !was_ended && p->cut == PAIR_CLOSE && link->up.cut != SIZE_MAX)
                pair_close_server(link);
            moved = pair_collect(&link->server, &link->down, &link->server_dirty, p->now) || moved;
            was_ended = link->down.ended;
            moved = pair_deliver(p, &link->client, &link->down, &link->client_dirty, true) || moved;
            if (link->down.ended && !was_ended && p->cut == PAIR_CLOSE && link->down.cut != SIZE_MAX)
                pair_close_client(link);
            if (link->client && connect_conn_wants(link->client) == 0) {
                pair_close_client(link);
                moved = true;
            }
            if (link->server && connect_conn_wants(link->server) == 0) {
                pair_close_server(link);
                moved = true;
            }
        }
    }
}

static SUPPORT_UNUSED int64_t pair_deadline(const pair *p) {
    int64_t due = INT64_MAX;
    size_t i;
    for (i = 0; i < p->count; i++) {
        const connect_conn_t *ends[2];
        size_t k;
        ends[0] = p->links[i].client;
        ends[1] = p->links[i].server;
        for (k = 0; k < 2; k++)
            if (ends[k] && connect_conn_deadline_ms(ends[k]) < due) due = connect_conn_deadline_ms(ends[k]);
    }
    return due;
}

/* Lets so much time go by, stopping at each deadline on the way. */
static SUPPORT_UNUSED void pair_advance(pair *p, int64_t ms) {
    int64_t until = p->now + ms;
    size_t rounds = 0;
    pair_pump(p);
    while (p->now < until) {
        int64_t due = pair_deadline(p);
        if (++rounds > 100000) fail_msg("a deadline that never passes");
        if (due <= p->now) due = p->now + 1;
        p->now = due < until ? due : until;
        pair_pump(p);
    }
}

static SUPPORT_UNUSED void pair_close(pair *p) {
    size_t i, count = p->count; /* not those that are dialled instead */
    for (i = 0; i < count; i++) {
        pair_close_client(&p->links[i]);
        pair_close_server(&p->links[i]);
    }
}
static SUPPORT_UNUSED void pair_forget(pair *p) {
    size_t i;
    for (i = 0; i < p->count; i++) {
        bytes_free(&p->links[i].up.sent);
        bytes_free(&p->links[i].down.sent);
    }
    p->count = 0;
}
/* Closes the connections, and frees both ends. */
static SUPPORT_UNUSED void pair_free(pair *p) {
    pair_close(p);
    connect_client_free(p->client);
    connect_server_free(p->server);
    pair_close(p);
    pair_forget(p);
    p->client = NULL;
    p->server = NULL;
}

/* ---- A schema by hand:
     message Note { string text = 1; int32 number = 2; bytes data = 3; Note child = 4; repeated int32 more_numbers = 5; }
     message Fault { int32 code = 1; string reason = 2; }
     service Notes { Unary, Client, Server, Bidi: Note to Note } ---- */
typedef struct note note;
struct note {
    connect_str_t text;
    int32_t number;
    connect_str_t data;
    const note *child;
    connect_int32_list_t more_numbers;
};
typedef struct fault {
    int32_t code;
    connect_str_t reason;
} fault;

static const connect_field_t note_fields[] = {
    {1, offsetof(note, text), 0, 0, 0, 0, CONNECT_KIND_STRING, CONNECT_FIELD_UTF8},
    {2, offsetof(note, number), 0, 5, 5, 0, CONNECT_KIND_INT32, 0},
    {3, offsetof(note, data), 0, 12, 12, 0, CONNECT_KIND_BYTES, 0},
    {4, offsetof(note, child), 0, 17, 17, 0, CONNECT_KIND_MESSAGE, CONNECT_FIELD_NULLABLE},
    {5, offsetof(note, more_numbers), 0, 23, 36, 0, CONNECT_KIND_INT32, CONNECT_FIELD_REPEATED | CONNECT_FIELD_PACKED}};
static const connect_type_t note_type;
static const connect_type_t *const note_types[] = {&note_type};
static const connect_type_t note_type = {"test.v1.Note", note_fields, note_types, NULL,
    "text\0number\0data\0child\0more_numbers\0moreNumbers", NULL, NULL, NULL, 0, sizeof(note), 5, 5, 0, false, false,
    false, false, 0};
static const connect_field_t fault_fields[] = {{1, offsetof(fault, code), 0, 0, 0, 0, CONNECT_KIND_INT32, 0},
    {2, offsetof(fault, reason), 0, 5, 5, 0, CONNECT_KIND_STRING, CONNECT_FIELD_UTF8}};
static const connect_type_t fault_type = {"test.v1.Fault", fault_fields, NULL, NULL, "code\0reason", NULL, NULL, NULL,
    0, sizeof(fault), 2, 2, 0, false, false, false, false, 0};

static const connect_method_t note_methods[4] = {
    {"/test.v1.Notes/Unary", &note_type, &note_type, CONNECT_UNARY, CONNECT_NO_SIDE_EFFECTS},
    {"/test.v1.Notes/Client", &note_type, &note_type, CONNECT_CLIENT_STREAM, CONNECT_IDEMPOTENCY_UNKNOWN},
    {"/test.v1.Notes/Server", &note_type, &note_type, CONNECT_SERVER_STREAM, CONNECT_IDEMPOTENCY_UNKNOWN},
    {"/test.v1.Notes/Bidi", &note_type, &note_type, CONNECT_BIDI_STREAM, CONNECT_IDEMPOTENCY_UNKNOWN}};
static const connect_method_t *const note_method_list[4] = {
    &note_methods[0], &note_methods[1], &note_methods[2], &note_methods[3]};

/* Adds the service: the same events for all four methods; they stay. */
static SUPPORT_UNUSED void pair_serve(pair *p, const connect_events_t *events, void *user) {
    const connect_events_t *thunks[4];
    connect_service_t service;
    connect_error_t error;
    size_t i;
    for (i = 0; i < 4; i++)
        thunks[i] = events;
    memset(&service, 0, sizeof service);
    service.full_name = "test.v1.Notes";
    service.methods = note_method_list;
    service.thunks = thunks;
    service.method_count = 4;
    service.handlers_size = 1;
    assert_true(connect_server_add_service(p->server, &service, "", user, NULL, &error));
}

/* ---- Protocols and versions ---- */
typedef struct pair_kind {
    connect_protocol_t protocol;
    connect_http_version_t http;
    const char *codec;
    connect_method_kind_t kind;
} pair_kind;

/* Goes through all combinations there are. Returns false: that was the last. */
static SUPPORT_UNUSED bool pair_next(pair_kind *k, size_t *i) {
    for (;;) {
        size_t n = (*i)++;
        if (n >= 3u * 2 * 2 * 4) return false;
        k->kind = (connect_method_kind_t)(n % 4);
        k->codec = n / 4 % 2 ? "json" : "proto";
        k->http = n / 8 % 2 ? CONNECT_HTTP_2 : CONNECT_HTTP_1;
        k->protocol = (connect_protocol_t)(1 + n / 16);
        if (k->protocol != CONNECT_PROTOCOL_GRPC || k->http == CONNECT_HTTP_2) return true;
    }
}
static SUPPORT_UNUSED const char *pair_name(const pair_kind *k) {
    static const char *const kinds[] = {"unary", "client stream", "server stream", "bidi"};
    static const char *const protocols[] = {"", "Connect", "gRPC", "gRPC-Web"};
    static char name[80];
    snprintf(name, sizeof name, "%s HTTP/%d %s %s", protocols[k->protocol], (int)k->http, k->codec, kinds[k->kind]);
    return name;
}

/* ---- HTTP/2 by hand: frames, and header blocks of literals only ---- */
static SUPPORT_UNUSED void h2_frame(
    bytes *b, uint8_t type, uint8_t flags, uint32_t stream, const void *data, size_t len) {
    unsigned char head[9];
    head[0] = (unsigned char)(len >> 16);
    head[1] = (unsigned char)(len >> 8);
    head[2] = (unsigned char)len;
    head[3] = type;
    head[4] = flags;
    head[5] = (unsigned char)(stream >> 24);
    head[6] = (unsigned char)(stream >> 16);
    head[7] = (unsigned char)(stream >> 8);
    head[8] = (unsigned char)stream;
    bytes_add(b, head, sizeof head);
    bytes_add(b, data, len);
}
static SUPPORT_UNUSED void h2_integer(bytes *b, size_t value) {
    unsigned char c;
    if (value < 127) {
        c = (unsigned char)value;
        bytes_add(b, &c, 1);
        return;
    }
    c = 127;
    bytes_add(b, &c, 1);
    for (value -= 127; value >= 128; value /= 128) {
        c = (unsigned char)(value % 128 + 128);
        bytes_add(b, &c, 1);
    }
    c = (unsigned char)value;
    bytes_add(b, &c, 1);
}
/* Adds a literal header field to a block; any bytes. */
static SUPPORT_UNUSED void h2_field(bytes *block, const char *name, size_t name_len, const char *value, size_t len) {
    bytes_add(block, "", 1);
    h2_integer(block, name_len);
    bytes_add(block, name, name_len);
    h2_integer(block, len);
    bytes_add(block, value, len);
}
/* "name: value\n" for each; a name may begin with a colon. */
static SUPPORT_UNUSED void h2_fields(bytes *block, const char *lines) {
    while (*lines) {
        const char *end = strchr(lines, '\n'), *colon = strchr(lines + 1, ':');
        assert_true(end && colon && colon + 1 < end);
        h2_field(block, lines, (size_t)(colon - lines), colon + 2, (size_t)(end - colon - 2));
        lines = end + 1;
    }
}
/* A block of lines, as h2_fields takes them, in one frame. */
static SUPPORT_UNUSED void h2_headers(bytes *b, uint8_t flags, uint32_t stream, const char *lines) {
    bytes block = {NULL, 0, 0};
    h2_fields(&block, lines);
    h2_frame(b, 1, (uint8_t)(flags | 4), stream, block.data, block.len);
    bytes_free(&block);
}
/* Where, in frames that begin at `at`, the frame with END_STREAM of stream 1 ends; SIZE_MAX: nowhere. */
static SUPPORT_UNUSED size_t h2_end_of_stream(const bytes *b, size_t at) {
    while (b->len - at >= 9) {
        const unsigned char *f = (const unsigned char *)b->data + at;
        size_t len = (size_t)f[0] << 16 | (size_t)f[1] << 8 | f[2];
        at += 9 + len;
        if ((f[3] == 0 || f[3] == 1) && (f[4] & 1) && f[8] == 1) return at <= b->len ? at : SIZE_MAX;
    }
    return SIZE_MAX;
}
/* What a server sent on a stream, as an HTTP/1 message would say it: "HTTP/2 200\nname: value\n\nbody\nname: value\n" */
static SUPPORT_UNUSED void h2_read_stream(const bytes *b, uint32_t stream, bytes *text) {
    nghttp2_hd_inflater *inflater;
    size_t at = 0;
    assert_int_equal(nghttp2_hd_inflate_new(&inflater), 0);
    while (b->len - at >= 9) {
        const unsigned char *f = (const unsigned char *)b->data + at;
        size_t len = (size_t)f[0] << 16 | (size_t)f[1] << 8 | f[2];
        const unsigned char *in = f + 9;
        bool of_stream = ((uint32_t)f[6] << 16 | (uint32_t)f[7] << 8 | f[8]) == stream;
        if (b->len - at < 9 + len) break;
        at += 9 + len;
        if (f[3] == 0 && of_stream) bytes_add(text, in, len);
        if (f[3] == 3 && of_stream) bytes_print(text, "\nRST_STREAM %u\n", in[3]);
        if (f[3] == 7) bytes_print(text, "\nGOAWAY %u\n", in[7]);
        if (f[3] != 1) continue;
        for (;;) {
            nghttp2_nv nv;
            int flags = 0;
            ssize_t used = nghttp2_hd_inflate_hd2(inflater, &nv, &flags, in, len, 1);
            assert_true(used >= 0);
            in += used;
            len -= (size_t)used;
            if ((flags & NGHTTP2_HD_INFLATE_EMIT) && of_stream) {
                if (nv.namelen == 7 && memcmp(nv.name, ":status", 7) == 0)
                    bytes_print(text, "HTTP/2 %.*s\n", (int)nv.valuelen, (const char *)nv.value);
                else
                    bytes_print(text, "%.*s: %.*s\n", (int)nv.namelen, (const char *)nv.name, (int)nv.valuelen,
                        (const char *)nv.value);
            }
            if (flags & NGHTTP2_HD_INFLATE_FINAL) break;
            if (!len && !(flags & NGHTTP2_HD_INFLATE_EMIT)) break;
        }
        nghttp2_hd_inflate_end_headers(inflater);
        if (of_stream) bytes_text(text, "\n");
    }
    nghttp2_hd_inflate_del(inflater);
}
static SUPPORT_UNUSED void h2_read(const bytes *b, bytes *text) {
    h2_read_stream(b, 1, text);
}
/* An envelope. */
static SUPPORT_UNUSED void envelope_add(bytes *b, uint8_t flags, const void *data, size_t len) {
    char head[5];
    cn_envelope_write(head, flags, (uint32_t)len);
    bytes_add(b, head, 5);
    bytes_add(b, data, len);
}
#endif
