/* Servers at several addresses and one client, in memory, with a clock that the test moves: what is dialled where and
   when is logged, each address behaves as the test says, and the client's host is the test. Include after pair.h. */
#ifndef CONNECT_TESTS_TOWN_H
#define CONNECT_TESTS_TOWN_H

typedef enum town_mode {
    TOWN_SERVES,
    TOWN_REFUSES, /* dialling fails at once */
    TOWN_LOSES,   /* dialling fails a moment later */
    TOWN_SILENT,  /* nothing comes back */
    TOWN_CLOSES,  /* the connection opens, and is closed at once */
    TOWN_MUTE,    /* it opens, and nobody says anything; the test may */
    TOWN_LATER    /* it opens when the test says so */
} town_mode;

#define TOWN_PLACES 4
#define TOWN_HELD 64
typedef struct town town;
typedef struct town_place {
    town *in;
    const char *address;
    town_mode mode;
    connect_server_t *server;
    size_t dials, calls, running, most;
    int64_t answers_after_ms; /* 0: at once */
} town_place;
typedef struct town_answer { /* of a handler, when its time has come */
    connect_call_t *call;
    note *response;
    town_place *place;
    int64_t due_ms;
} town_answer;
struct town {
    pair p;
    town_place places[TOWN_PLACES];
    size_t place_count;
    connect_client_options_t options;
    int64_t wake_at;
    connect_conn_t *held[TOWN_HELD]; /* that never open, or are lost at the next move */
    size_t held_count;
    bytes log; /* "a@0 b@250 " */
    town_answer answers[256];
    size_t answer_count;
    size_t questions, backend_events;
    bool resolves_later;
    uint32_t valid_ms;
    connect_resolve_t *question;
    const char *listed[TOWN_PLACES]; /* what the resolver says; NULL: all places */
    size_t listed_count;
};

/* ---- The servers ---- */
static SUPPORT_UNUSED void town_finish(town *t, size_t i, connect_code_t code) {
    town_answer a = t->answers[i];
    memmove(&t->answers[i], &t->answers[i + 1], (t->answer_count - i - 1) * sizeof a);
    t->answer_count--;
    a.place->running--;
    connect_call_finish(a.call, code, NULL);
}
static SUPPORT_UNUSED void town_canceled(connect_call_t *call, void *arg) {
    town_place *place = (town_place *)arg;
    size_t i;
    for (i = 0; i < place->in->answer_count; i++)
        if (place->in->answers[i].call == call) break;
    assert_true(i < place->in->answer_count);
    town_finish(place->in, i, CONNECT_CANCELED);
}
/* "hold": answered when the test says so. "fail:<nn>": with that code. Else the text comes back, the place as number. */
static SUPPORT_UNUSED connect_code_t town_request(
    connect_call_t *call, const void *request, void *response, void *user) {
    town_place *place = (town_place *)user;
    const note *asked = (const note *)request;
    town *t = place->in;
    const bool holds = connect_str_equal(asked->text, connect_str_of("hold"));
    place->calls++;
    if (asked->text.len > 5 && memcmp(asked->text.data, "fail:", 5) == 0)
        return connect_call_fail(
            call, (connect_code_t)(asked->text.data[5] - 48) * 10 + asked->text.data[6] - 48, "as asked");
    *(note *)response = *asked;
    ((note *)response)->number = (int32_t)(place - t->places);
    if (!place->answers_after_ms && !holds) return CONNECT_OK;
    assert_true(t->answer_count < 256);
    t->answers[t->answer_count].call = call;
    t->answers[t->answer_count].place = place;
    t->answers[t->answer_count++].due_ms = holds ? INT64_MAX : t->p.now + place->answers_after_ms;
    if (++place->running > place->most) place->most = place->running;
    connect_call_on_cancel(call, town_canceled, place);
    return CONNECT_LATER;
}
static const connect_events_t town_events = {NULL, town_request, NULL, NULL, NULL, NULL, NULL};

/* Has a place served. streams: at once on a connection; 0: the default. */
static SUPPORT_UNUSED void town_open(town *t, size_t at, uint32_t streams) {
    connect_server_options_t options;
    connect_service_t service;
    const connect_events_t *thunks[4] = {&town_events, &town_events, &town_events, &town_events};
    connect_error_t error;
    memset(&options, 0, sizeof options);
    memset(&service, 0, sizeof service);
    options.limits.streams = streams;
    service.full_name = "test.v1.Notes";
    service.methods = note_method_list;
    service.thunks = thunks;
    service.method_count = 4;
    service.handlers_size = 1;
    t->places[at].mode = TOWN_SERVES;
    t->places[at].server = connect_server_new(&options, &error);
    assert_non_null(t->places[at].server);
    assert_true(connect_server_add_service(t->places[at].server, &service, "", &t->places[at], NULL, &error));
}
/* Cuts all connections to a place, and has it refuse. */
static SUPPORT_UNUSED void town_shut(town *t, size_t at) {
    connect_server_t *server = t->places[at].server;
    size_t i;
    t->places[at].server = NULL;
    t->places[at].mode = TOWN_REFUSES;
    for (i = 0; i < t->answer_count;) {
        if (t->answers[i].place == &t->places[at])
            town_finish(t, i, CONNECT_CANCELED);
        else
            i++;
    }
    for (i = 0; i < t->p.count; i++)
        if (t->p.links[i].server && t->p.links[i].server->owner == server) pair_close_server(&t->p.links[i]);
    connect_server_free(server);
}

/* ---- The client's ways ---- */
static SUPPORT_UNUSED connect_code_t town_dial(connect_conn_t *conn, const char *address, void *user) {
    town *t = (town *)user;
    connect_conn_t *server = NULL;
    connect_error_t error;
    town_place *place = NULL;
    size_t i;
    for (i = 0; i < t->place_count; i++)
        if (strcmp(t->places[i].address, address) == 0) place = &t->places[i];
    assert_non_null(place);
    place->dials++;
    bytes_print(&t->log, "%s@%d ", address, (int)t->p.now - 1000);
    switch (place->mode) {
    case TOWN_REFUSES: cn_conn_set_failure(conn, ECONNREFUSED, "refused"); return CONNECT_UNAVAILABLE;
    case TOWN_LOSES:
    case TOWN_SILENT:
        assert_true(t->held_count < TOWN_HELD);
        t->held[t->held_count++] = conn;
        conn->dial_code = CONNECT_OK;
        if (place->mode == TOWN_LOSES) conn->transport = t; /* marks it */
        return CONNECT_OK;
    case TOWN_SERVES:
        server = connect_server_accept(place->server, "memory:", NULL, &error);
        assert_non_null(server);
        break;
    case TOWN_CLOSES:
    case TOWN_LATER:
    case TOWN_MUTE: break;
    }
    if (t->p.count == PAIR_LINKS) { /* those that are over make room */
        size_t kept = 0;
        for (i = 0; i < t->p.count; i++) {
            if (!t->p.links[i].client && !t->p.links[i].server) {
                bytes_free(&t->p.links[i].up.sent);
                bytes_free(&t->p.links[i].down.sent);
            } else {
                t->p.links[kept] = t->p.links[i];
                if (t->p.links[kept].client)
                    connect_conn_on_output(t->p.links[kept].client, pair_mark, &t->p.links[kept].client_dirty);
                if (t->p.links[kept].server)
                    connect_conn_on_output(t->p.links[kept].server, pair_mark, &t->p.links[kept].server_dirty);
                kept++;
            }
        }
        t->p.count = kept;
    }
    pair_add(&t->p, conn, server);
    if (place->mode == TOWN_CLOSES) t->p.links[t->p.count - 1].down.sender_gone = true;
    return place->mode == TOWN_LATER ? CONNECT_LATER : CONNECT_OK;
}
static SUPPORT_UNUSED void town_answer_question(town *t) {
    connect_resolve_t *question = t->question;
    const char *all[TOWN_PLACES];
    size_t i;
    t->question = NULL;
    for (i = 0; i < t->place_count; i++)
        all[i] = t->places[i].address;
    if (t->listed[0])
        connect_resolve_finish(question, t->listed, t->listed_count, t->valid_ms);
    else
        connect_resolve_finish(question, all, t->place_count, t->valid_ms);
}
static SUPPORT_UNUSED void town_resolve(connect_resolve_t *question, const char *host, const char *port, void *user) {
    town *t = (town *)user;
    assert_string_equal(host, "town");
    assert_string_equal(port, "80");
    t->questions++;
    t->question = question;
    if (!t->resolves_later) town_answer_question(t);
}
static SUPPORT_UNUSED void town_backends(connect_client_t *client, void *user) {
    (void)client;
    ((town *)user)->backend_events++;
}
static SUPPORT_UNUSED int64_t town_now_ms(const connect_client_t *client) {
    return ((const town *)client->host_data)->p.now;
}
static SUPPORT_UNUSED void town_wake_at(connect_client_t *client, int64_t due_ms) {
    town *t = (town *)client->host_data;
    if (client == t->p.client) t->wake_at = due_ms;
}

static SUPPORT_UNUSED void town_init(town *t, size_t places, connect_http_version_t http) {
    static const char *const names[TOWN_PLACES] = {"a", "b", "c", "d"};
    size_t i;
    memset(t, 0, sizeof *t);
    pair_init(&t->p);
    t->wake_at = INT64_MAX;
    t->place_count = places;
    for (i = 0; i < places; i++) {
        t->places[i].in = t;
        t->places[i].address = names[i];
        t->places[i].mode = TOWN_REFUSES;
    }
    t->options.dial = town_dial;
    t->options.resolve = town_resolve;
    t->options.on_backends = town_backends;
    t->options.user = t;
    t->options.http = http;
    bytes_text(&t->log, "");
}
static SUPPORT_UNUSED void town_be_host(town *t, connect_client_t *client) {
    static const cn_client_host_t host = {town_now_ms, town_wake_at};
    client->host = &host;
    client->host_data = t;
    client->random = 7;
}
static SUPPORT_UNUSED void town_build(town *t) {
    connect_error_t error;
    t->p.client = connect_client_new("http://town", &t->options, &error);
    assert_non_null(t->p.client);
    town_be_host(t, t->p.client);
}

/* ---- Time ---- */
static SUPPORT_UNUSED void town_settle(town *t) {
    bool moved = true;
    size_t i;
    int rounds = 0;
    while (moved) {
        assert_true(rounds++ < 1000);
        moved = false;
        pair_pump(&t->p);
        if (t->wake_at <= t->p.now && t->p.client) {
            t->wake_at = INT64_MAX;
            cn_client_step(t->p.client);
            moved = true;
        }
        for (i = 0; i < t->held_count;) {
            connect_conn_t *conn = t->held[i];
            if (conn->transport != t && connect_conn_wants(conn) != 0) {
                i++;
                continue;
            }
            t->held[i] = t->held[--t->held_count];
            if (conn->transport == t) cn_conn_set_failure(conn, ECONNREFUSED, "refused later");
            connect_conn_close(conn);
            moved = true;
        }
        for (i = 0; i < t->answer_count;) {
            if (t->answers[i].due_ms <= t->p.now) {
                town_finish(t, i, CONNECT_OK);
                moved = true;
            } else {
                i++;
            }
        }
    }
}
static SUPPORT_UNUSED void town_advance(town *t, int64_t ms) {
    const int64_t until = t->p.now + ms;
    int rounds = 0;
    town_settle(t);
    while (t->p.now < until) {
        int64_t due = pair_deadline(&t->p);
        size_t i;
        assert_true(rounds++ < 200000);
        if (t->wake_at < due) due = t->wake_at;
        for (i = 0; i < t->answer_count; i++)
            if (t->answers[i].due_ms < due) due = t->answers[i].due_ms;
        if (due <= t->p.now) due = t->p.now + 1;
        t->p.now = due < until ? due : until;
        town_settle(t);
    }
}
static SUPPORT_UNUSED void town_free(town *t) {
    size_t i;
    while (t->answer_count)
        town_finish(t, 0, CONNECT_CANCELED);
    connect_client_free(t->p.client);
    t->p.client = NULL;
    for (i = 0; i < t->held_count; i++)
        connect_conn_close(t->held[i]);
    pair_close(&t->p);
    for (i = 0; i < t->place_count; i++)
        connect_server_free(t->places[i].server);
    if (t->question) town_answer_question(t);
    pair_forget(&t->p);
    bytes_free(&t->log);
}

/* ---- Calls ---- */
typedef struct town_call {
    connect_call_t *call;
    int opened, messages, closed, from; /* from: the place that answered */
    connect_code_t code;
    char text[256];
    void (*then)(struct town_call *c); /* in on_closed */
    void *arg;
} town_call;
static SUPPORT_UNUSED connect_code_t town_call_open(connect_call_t *call, void *user) {
    (void)call;
    ((town_call *)user)->opened++;
    return CONNECT_OK;
}
static SUPPORT_UNUSED connect_io_t town_call_message(connect_call_t *call, const void *message, void *user) {
    town_call *c = (town_call *)user;
    (void)call;
    c->messages++;
    c->from = ((const note *)message)->number;
    return CONNECT_IO_OK;
}
static SUPPORT_UNUSED void town_call_closed(connect_call_t *call, const connect_error_t *error, void *user) {
    town_call *c = (town_call *)user;
    (void)call;
    c->closed++;
    c->code = error ? error->code : CONNECT_OK;
    if (error) snprintf(c->text, sizeof c->text, "%s", error->message.data);
    if (c->then) c->then(c);
}
static const connect_events_t town_call_events = {
    town_call_open, NULL, town_call_message, NULL, NULL, NULL, town_call_closed};
static const connect_method_t town_safe = {
    "/test.v1.Notes/Unary", &note_type, &note_type, CONNECT_UNARY, CONNECT_NO_SIDE_EFFECTS};
static const connect_method_t town_unsafe = {
    "/test.v1.Notes/Unary", &note_type, &note_type, CONNECT_UNARY, CONNECT_IDEMPOTENCY_UNKNOWN};

/* Starts a unary call. Returns false: it could not be started. */
static SUPPORT_UNUSED bool town_ask(
    town *t, town_call *c, const connect_method_t *method, const char *text, const connect_call_options_t *options) {
    connect_error_t error;
    note n;
    memset(c, 0, sizeof *c);
    memset(&n, 0, sizeof n);
    c->from = -1;
    n.text = connect_str_of(text);
    c->call = connect_client_start(t->p.client, method, &town_call_events, c, options, &error);
    if (!c->call) {
        c->code = error.code;
        snprintf(c->text, sizeof c->text, "%s", error.message.data);
        return false;
    }
    connect_call_finish(c->call, CONNECT_OK, &n);
    return true;
}
#endif
