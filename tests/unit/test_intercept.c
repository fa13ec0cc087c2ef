/* Interceptors at both ends, for every protocol, HTTP version, codec and kind: in which order they see what, what they
   can change, refuse and answer, what waits while one of them decides, and that each on_open has its on_finish. */
#define CONNECT_IMPLEMENTATION
#include "connect.h"
#include "support.h"
#include "pair.h"

/* Five of them: A and B around the client, C and D around the server, E around the route. */
#define HOOKS 5
typedef enum point { POINT_OPEN, POINT_RECEIVE, POINT_SEND, POINT_FINISH } point;
typedef enum deed {
    DEED_NOTHING,
    DEED_FAIL,
    DEED_ANSWER,
    DEED_LATER,
    DEED_TURN,
    DEED_LIMIT
} deed; /* TURN: changes the outcome */

typedef struct stage stage;
typedef struct hook {
    stage *s;
    char letter;
    int opened, finished;
    connect_code_t outcome;
} hook;
struct stage {
    pair p;
    pair_kind kind;
    hook hooks[HOOKS];
    connect_interceptor_t interceptors[HOOKS];
    bytes log;
    char actor; /* who does something, */
    point where;
    deed what;
    connect_code_t code;
    uint32_t limit; /* bytes of a message */
    connect_call_t *held;
    bool log_messages;
    connect_events_t events;
    connect_code_t closed_code;
    char closed_why[80], got[160];
    int handled, closed, messages, server_closed, canceled;
    const connect_allocator_t *memory;
    connect_call_t *call;
    uint32_t timeout_ms;
    int stream_length;
};
static const char stage_key = 0;

static connect_code_t hook_act(hook *h, connect_call_t *call, point where) {
    stage *s = h->s;
    if (s->actor != h->letter || s->where != where) return CONNECT_OK;
    if (s->what == DEED_FAIL) return connect_call_fail(call, s->code, "%c says no", h->letter);
    if (s->what == DEED_LATER) s->held = call;
    if (s->what == DEED_LIMIT) connect_call_set_limits(call, s->limit, s->limit);
    return s->what == DEED_LATER ? CONNECT_LATER : CONNECT_OK;
}
static const note hook_answer = {{"answer", 6}, 7, {NULL, 0}, NULL, {NULL, 0}};
static connect_code_t hook_open(connect_call_t *call, const void **answer, void *user) {
    hook *h = (hook *)user;
    char name[4] = "x-?";
    h->opened++;
    bytes_print(&h->s->log, "%co ", h->letter);
    name[2] = (char)(h->letter + 'a' - 'A');
    if (!connect_call_set_header(call, name, connect_str_of("1"))) return CONNECT_RESOURCE_EXHAUSTED;
    if (h->letter == 'C') {
        assert_str(connect_headers_get(connect_call_info(call)->headers, "x-a", 0), "1");
        assert_str(connect_headers_get(connect_call_info(call)->headers, "X-B", 0), "1");
        if (!connect_call_set_value(call, &stage_key, h)) return CONNECT_RESOURCE_EXHAUSTED;
    }
    if (h->letter == 'A') assert_ptr_equal(connect_call_value(call, NULL), h->s);
    assert_int_not_equal(connect_call_send(call, &hook_answer), CONNECT_IO_OK);
    if (h->s->actor == h->letter && h->s->where == POINT_OPEN && h->s->what == DEED_ANSWER) {
        note *n = CONNECT_NEW(connect_call_scratch(call), note, 1);
        if (!n) return CONNECT_RESOURCE_EXHAUSTED;
        *n = hook_answer;
        *answer = n;
    }
    return hook_act(h, call, POINT_OPEN);
}
static connect_code_t hook_replace(hook *h, connect_call_t *call, const void **message) {
    note *n = CONNECT_NEW(connect_call_scratch(call), note, 1);
    if (!n) return CONNECT_RESOURCE_EXHAUSTED;
    *n = *(const note *)*message;
    n->text =
        connect_arena_printf(connect_call_scratch(call), CONNECT_STR_FMT "%c", CONNECT_STR_ARG(n->text), h->letter);
    *message = n;
    return n->text.data ? CONNECT_OK : CONNECT_RESOURCE_EXHAUSTED;
}
static connect_code_t hook_receive(connect_call_t *call, const void **message, void *user) {
    hook *h = (hook *)user;
    connect_code_t code = hook_act(h, call, POINT_RECEIVE);
    if (h->s->log_messages) bytes_print(&h->s->log, "%cr ", h->letter);
    return code == CONNECT_OK ? hook_replace(h, call, message) : code;
}
static connect_code_t hook_send(connect_call_t *call, const void **message, void *user) {
    hook *h = (hook *)user;
    connect_code_t code = hook_act(h, call, POINT_SEND);
    if (h->s->log_messages) bytes_print(&h->s->log, "%cs ", h->letter);
    return code == CONNECT_OK ? hook_replace(h, call, message) : code;
}
static void hook_finish(connect_call_t *call, connect_error_t *error, void *user) {
    hook *h = (hook *)user;
    h->finished++;
    h->outcome = error->code;
    bytes_print(&h->s->log, "%cf%d ", h->letter, (int)error->code);
    if (h->letter == 'C') connect_call_set_trailer(call, "x-finish", connect_str_of("C"));
    if (h->s->actor != h->letter || h->s->where != POINT_FINISH) return;
    if (h->s->what != DEED_TURN) return;
    error->code = h->s->code;
    error->message = connect_arena_printf(connect_call_scratch(call), "turned by %c", h->letter);
    (void)!connect_call_send(call, &hook_answer); /* means nothing here */
    connect_call_finish(call, CONNECT_ABORTED, NULL);
}

/* ---- The handler: echoes; the client: sends one or more ---- */
static connect_code_t stage_request(connect_call_t *call, const void *request, void *response, void *user) {
    stage *s = (stage *)user;
    s->handled++;
    bytes_text(&s->log, "handler ");
    assert_ptr_equal(connect_call_value(call, &stage_key), &s->hooks[2]);
    if (response) *(note *)response = *(const note *)request;
    if (!response) (void)!connect_call_send(call, request);
    return CONNECT_OK;
}
static connect_io_t stage_message(connect_call_t *call, const void *message, void *user) {
    stage *s = (stage *)user;
    const note *n = (const note *)message;
    s->handled++;
    if (s->log_messages) bytes_text(&s->log, "handler ");
    if (s->kind.kind == CONNECT_BIDI_STREAM) return connect_call_send(call, message);
    snprintf(s->got, sizeof s->got, CONNECT_STR_FMT, CONNECT_STR_ARG(n->text));
    return CONNECT_IO_OK;
}
static connect_code_t stage_end(connect_call_t *call, void *response, void *user) {
    stage *s = (stage *)user;
    (void)call;
    if (response) ((note *)response)->text = connect_arena_printf(connect_call_arena(call), "%s", s->got);
    return CONNECT_OK;
}
static void stage_server_closed(connect_call_t *call, const connect_error_t *error, void *user) {
    (void)call;
    (void)error;
    ((stage *)user)->server_closed++;
}
static connect_io_t stage_answered(connect_call_t *call, const void *message, void *user) {
    stage *s = (stage *)user;
    const note *n = (const note *)message;
    (void)call;
    s->messages++;
    snprintf(s->got, sizeof s->got, CONNECT_STR_FMT, CONNECT_STR_ARG(n->text));
    bytes_text(&s->log, "message ");
    return CONNECT_IO_OK;
}
static void stage_closed(connect_call_t *call, const connect_error_t *error, void *user) {
    stage *s = (stage *)user;
    s->closed++;
    s->closed_code = error ? error->code : CONNECT_OK;
    snprintf(s->closed_why, sizeof s->closed_why, "%s", error ? error->message.data : "");
    bytes_print(&s->log, "closed %d", (int)s->closed_code);
    if (s->closed_code == CONNECT_OK && s->what != DEED_ANSWER) {
        assert_str(connect_headers_get(connect_call_info(call)->headers, "x-e", 0), "1");
        assert_str(connect_headers_get(connect_call_info(call)->trailers, "x-finish", 0), "C");
    }
}
static void stage_init(stage *s, const pair_kind *kind) {
    memset(s, 0, sizeof *s);
    pair_init(&s->p);
    s->kind = *kind;
    s->log_messages = true;
    s->events.on_request = stage_request;
    s->events.on_message = stage_message;
    s->events.on_end = stage_end;
    s->events.on_closed = stage_server_closed;
}
/* Returns false: out of memory. */
static bool stage_build(stage *s) {
    static const connect_events_t *thunks[4];
    connect_server_options_t server = CONNECT_DEFAULTS;
    connect_client_options_t client = CONNECT_DEFAULTS;
    connect_route_options_t route = CONNECT_DEFAULTS;
    connect_service_t service;
    connect_error_t error;
    int i;
    for (i = 0; i < HOOKS; i++) {
        s->hooks[i].s = s;
        s->hooks[i].letter = (char)('A' + i);
        s->interceptors[i].on_open = hook_open;
        s->interceptors[i].on_receive = hook_receive;
        s->interceptors[i].on_send = hook_send;
        s->interceptors[i].on_finish = hook_finish;
        s->interceptors[i].user = &s->hooks[i];
    }
    for (i = 0; i < 4; i++)
        thunks[i] = &s->events;
    server.allocator = client.allocator = s->memory;
    server.interceptors = &s->interceptors[2];
    server.interceptor_count = 2;
    route.interceptors = &s->interceptors[4];
    route.interceptor_count = 1;
    client.interceptors = s->interceptors;
    client.interceptor_count = 2;
    client.dial = pair_dial;
    client.user = &s->p;
    client.protocol = s->kind.protocol;
    client.http = s->kind.http;
    client.codec = s->kind.codec;
    client.timeout_ms = s->timeout_ms;
    memset(&service, 0, sizeof service);
    service.full_name = "test.v1.Notes";
    service.methods = note_method_list;
    service.thunks = thunks;
    service.method_count = 4;
    service.handlers_size = 1;
    s->p.server = connect_server_new(&server, &error);
    if (!s->p.server || !connect_server_add_service(s->p.server, &service, "", s, &route, &error)) return false;
    s->p.client = connect_client_new("http://memory:1", &client, &error);
    return s->p.client != NULL;
}
/* Starts the call and sends what it has; a stream sends so many. Returns false: it could not be started. */
static bool stage_start(stage *s) {
    static const connect_events_t events = {NULL, NULL, stage_answered, NULL, NULL, NULL, stage_closed};
    connect_call_options_t options = CONNECT_DEFAULTS;
    connect_error_t error;
    note n;
    char text[2] = "q";
    bool single = s->kind.kind == CONNECT_UNARY || s->kind.kind == CONNECT_SERVER_STREAM;
    memset(&n, 0, sizeof n);
    n.text = connect_str_of(text);
    options.context = s;
    s->call = connect_client_start(s->p.client, &note_methods[s->kind.kind], &events, s, &options, &error);
    if (!s->call) return false;
    if (!single && s->stream_length > 1) (void)!connect_call_send(s->call, &n);
    connect_call_finish(s->call, CONNECT_OK, &n);
    text[0] = 'Z'; /* it was used up */
    pair_pump(&s->p);
    return true;
}
static void stage_free(stage *s) {
    pair_free(&s->p);
    bytes_free(&s->log);
}
/* Each on_open has had its on_finish. */
static void stage_check(const stage *s, const char *what) {
    int i;
    for (i = 0; i < HOOKS; i++)
        if (s->hooks[i].opened != s->hooks[i].finished || s->hooks[i].opened > (i < 2 ? 1 : (int)s->p.dials))
            fail_msg("%s: %s: %c: %d on_open, %d on_finish: %s", pair_name(&s->kind), what, 'A' + i, s->hooks[i].opened,
                s->hooks[i].finished, s->log.data ? s->log.data : "");
    assert_true(s->closed <= 1);
}
static void stage_log_is(const stage *s, const char *wanted) {
    if (strcmp(s->log.data, wanted) != 0) fail_msg("%s: wanted\n%s\ngot\n%s", pair_name(&s->kind), wanted, s->log.data);
}

/* ---- Order, and replaced messages ---- */
static void test_order(void **state) {
    static const char asked[] = "Ao Bo As Bs Co Do Eo Cr Dr Er handler ";
    static const char answered[] = "Es Ds Cs Ef0 Df0 Cf0 ";
    size_t i = 0;
    pair_kind kind;
    int mode;
    (void)state;
    while (pair_next(&kind, &i)) {
        for (mode = PAIR_WHOLE; mode <= PAIR_ODD; mode++) {
            const bool single = kind.kind == CONNECT_UNARY || kind.kind == CONNECT_CLIENT_STREAM;
            char wanted[200];
            stage s;
            stage_init(&s, &kind);
            s.p.mode = (pair_mode)mode;
            assert_true(stage_build(&s));
            assert_true(stage_start(&s));
            snprintf(wanted, sizeof wanted, "%s%s%s", asked, answered,
                single ? "Br Ar Bf0 Af0 message closed 0" : "Br Ar message Bf0 Af0 closed 0");
            if (!single && mode != PAIR_WHOLE) { /* what comes first is not said */
                stage_check(&s, "order");
                assert_int_equal(s.messages, 1);
            } else {
                stage_log_is(&s, wanted);
            }
            assert_string_equal(s.got, "qABCDEEDCBA");
            stage_check(&s, "order");
            stage_free(&s);
        }
    }
}

/* ---- Refusals: by whom and where; the code and the words reach the client, handlers and inner ones see nothing ---- */
static void test_refusal(void **state) {
    size_t i = 0;
    pair_kind kind;
    (void)state;
    while (pair_next(&kind, &i)) {
        int who, where;
        for (who = 0; who < HOOKS; who++) {
            for (where = POINT_OPEN; where <= POINT_SEND; where++) {
                char why[20];
                stage s;
                int k;
                stage_init(&s, &kind);
                s.actor = (char)('A' + who);
                s.where = (point)where;
                s.what = DEED_FAIL;
                s.code = CONNECT_INVALID_ARGUMENT;
                assert_true(stage_build(&s));
                assert_true(stage_start(&s));
                stage_check(&s, "refusal");
                snprintf(why, sizeof why, "%c says no", s.actor);
                if (s.closed != 1 || s.closed_code != s.code || strcmp(s.closed_why, why) != 0)
                    fail_msg("%s: %c at %d: closed %d with %d, %s: %s", pair_name(&kind), s.actor, where, s.closed,
                        (int)s.closed_code, s.closed_why, s.log.data);
                for (k = who + 1; where == POINT_OPEN && k < HOOKS; k++)
                    assert_int_equal(s.hooks[k].opened, 0);
                if (where == POINT_OPEN || (who < 2) == (where == POINT_SEND)) assert_int_equal(s.handled, 0);
                assert_int_equal(s.messages, 0);
                stage_free(&s);
            }
        }
    }
}

/* ---- The limits of one call's messages, at either end; 0 leaves them as they are ---- */
static void test_limits(void **state) {
    size_t i = 0;
    pair_kind kind;
    (void)state;
    while (pair_next(&kind, &i)) {
        int who;
        uint32_t limit;
        for (who = 0; who < HOOKS; who++) {
            for (limit = 0; limit < 2; limit++) {
                stage s;
                stage_init(&s, &kind);
                s.actor = (char)('A' + who);
                s.where = POINT_OPEN;
                s.what = DEED_LIMIT;
                s.limit = limit;
                assert_true(stage_build(&s));
                assert_true(stage_start(&s));
                stage_check(&s, "limits");
                if (s.closed != 1 || s.closed_code != (limit ? CONNECT_RESOURCE_EXHAUSTED : CONNECT_OK))
                    fail_msg("%s: %c: closed %d with %d, %s: %s", pair_name(&kind), s.actor, s.closed,
                        (int)s.closed_code, s.closed_why, s.log.data);
                if (limit) assert_int_equal(s.handled, 0);
                stage_free(&s);
            }
        }
    }
}

/* ---- The outcome changed on its way: an OK to an error, an error to another, an error to OK ---- */
static void test_turned(void **state) {
    size_t i = 0;
    pair_kind kind;
    (void)state;
    while (pair_next(&kind, &i)) {
        int who;
        for (who = 0; who < HOOKS; who++) {
            char why[20];
            stage s;
            stage_init(&s, &kind);
            s.actor = (char)('A' + who);
            s.where = POINT_FINISH;
            s.what = DEED_TURN;
            s.code = CONNECT_DATA_LOSS;
            assert_true(stage_build(&s));
            assert_true(stage_start(&s));
            stage_check(&s, "turned");
            assert_int_equal(s.closed_code, CONNECT_DATA_LOSS);
            snprintf(why, sizeof why, "turned by %c", s.actor);
            assert_string_equal(s.closed_why, why);
            assert_int_equal(s.hooks[0].outcome, who == 0 ? CONNECT_OK : CONNECT_DATA_LOSS);
            if (kind.kind == CONNECT_UNARY || kind.kind == CONNECT_CLIENT_STREAM) assert_int_equal(s.messages, 0);
            stage_free(&s);
        }
    }
}
static void turn_fail(connect_call_t *call, connect_error_t *error, void *user) {
    (void)call;
    (void)user;
    assert_int_equal(error->code, CONNECT_NOT_FOUND);
    error->code = CONNECT_OK;
}
static connect_code_t turn_request(connect_call_t *call, const void *request, void *response, void *user) {
    (void)request;
    (void)response;
    (void)user;
    return connect_call_fail(call, CONNECT_NOT_FOUND, "no such");
}
static void test_error_to_ok(void **state) {
    size_t i = 0;
    pair_kind kind;
    (void)state;
    while (pair_next(&kind, &i)) {
        int who;
        if (kind.kind != CONNECT_UNARY) continue;
        for (who = 0; who < HOOKS; who += 2) {
            stage s;
            stage_init(&s, &kind);
            s.events.on_request = turn_request;
            s.actor = 'Z';
            s.what = DEED_ANSWER;
            assert_true(stage_build(&s));
            s.interceptors[who].on_finish = turn_fail;
            assert_true(stage_start(&s));
            assert_int_equal(s.closed_code, CONNECT_OK);
            assert_int_equal(s.messages, 1);
            assert_string_equal(s.got, who < 2 ? "" : "BA");
            stage_free(&s);
        }
    }
}

/* ---- An answer in the handler's, or the server's, place ---- */
static bool has_post(const bytes *sent) { /* HTTP/1.1 says POST, HTTP/2 at least HEADERS behind its SETTINGS */
    return sent->len >= 4 && (!memcmp(sent->data, "POST", 4) || sent->len > 200);
}
static void test_answer(void **state) {
    static const char *const wanted[HOOKS] = {"answer", "answerA", "answerBA", "answerCBA", "answerDCBA"};
    size_t i = 0;
    pair_kind kind;
    (void)state;
    while (pair_next(&kind, &i)) {
        int who;
        for (who = 0; who < HOOKS; who++) {
            stage s;
            stage_init(&s, &kind);
            s.actor = (char)('A' + who);
            s.where = POINT_OPEN;
            s.what = DEED_ANSWER;
            assert_true(stage_build(&s));
            assert_true(stage_start(&s));
            stage_check(&s, "answer");
            if (s.closed != 1 || s.closed_code != CONNECT_OK || s.messages != 1 || strcmp(s.got, wanted[who]) != 0)
                fail_msg("%s: %c answers: closed %d with %d %s, %d messages, \"%s\": %s", pair_name(&kind), s.actor,
                    s.closed, (int)s.closed_code, s.closed_why, s.messages, s.got, s.log.data);
            assert_int_equal(s.handled, 0);
            assert_int_equal(s.server_closed, 0);
            if (who < 2) assert_false(has_post(&s.p.links[0].up.sent)); /* nothing was asked */
            stage_free(&s);
        }
    }
}

/* ---- Later ---- */
typedef enum verdict { VERDICT_PASS, VERDICT_FAIL, VERDICT_ANSWER } verdict;
static void stage_proceed(stage *s, verdict v) {
    connect_call_t *held = s->held;
    note n = hook_answer;
    char text[7] = "answer";
    n.text = connect_str_of(text);
    connect_call_proceed(held, CONNECT_LATER, NULL); /* it goes on waiting */
    if (v == VERDICT_FAIL) connect_call_fail(held, CONNECT_ABORTED, "no");
    connect_call_proceed(held, v == VERDICT_FAIL ? CONNECT_ABORTED : CONNECT_OK, v == VERDICT_ANSWER ? &n : NULL);
    memset(text, 'x', 6); /* it was used up */
}
static void test_later(void **state) {
    size_t i = 0;
    pair_kind kind;
    (void)state;
    while (pair_next(&kind, &i)) {
        int who, v;
        for (who = 0; who < HOOKS; who++) {
            for (v = VERDICT_PASS; v <= VERDICT_ANSWER; v++) {
                static const char *const answers[HOOKS] = {"answer", "answerA", "answerBA", "answerCBA", "answerDCBA"};
                stage s;
                stage_init(&s, &kind);
                s.actor = (char)('A' + who);
                s.where = POINT_OPEN;
                s.what = DEED_LATER;
                s.stream_length = 2;
                assert_true(stage_build(&s));
                assert_true(stage_start(&s));
                assert_non_null(s.held);
                pair_advance(&s.p, 20000);
                assert_int_equal(s.closed, 0);
                assert_int_equal(s.handled, 0);
                if (who + 1 < HOOKS) assert_int_equal(s.hooks[who + 1].opened, 0);
                if (v == VERDICT_ANSWER) s.what = DEED_ANSWER;
                s.actor = 0;
                stage_proceed(&s, (verdict)v);
                assert_int_equal(s.closed, 0); /* not inside of proceed */
                assert_int_equal(s.handled, 0);
                pair_pump(&s.p);
                stage_check(&s, "later");
                if (s.closed != 1 || s.closed_code != (v == VERDICT_FAIL ? CONNECT_ABORTED : CONNECT_OK) ||
                    strcmp(s.got,
                        v == VERDICT_FAIL         ? ""
                            : v == VERDICT_ANSWER ? answers[who]
                                                  : "qABCDEEDCBA") != 0)
                    fail_msg("%s: %c later, %d: closed %d with %d %s, \"%s\": %s", pair_name(&kind), 'A' + who, v,
                        s.closed, (int)s.closed_code, s.closed_why, s.got, s.log.data);
                stage_free(&s);
            }
        }
    }
}
/* What comes after the deadline, the peer's end or the client's own: proceed is still due, and means nothing more. */
static void test_later_too_late(void **state) {
    size_t i = 0;
    pair_kind kind;
    (void)state;
    while (pair_next(&kind, &i)) {
        int who, v, how;
        for (who = 0; who < HOOKS; who++) {
            for (v = VERDICT_PASS; v <= VERDICT_ANSWER; v++) {
                for (how = 0; how < 3; how++) {
                    failing_allocator memory;
                    stage s;
                    failing_init(&memory, SIZE_MAX, false);
                    stage_init(&s, &kind);
                    s.memory = &memory.allocator;
                    s.actor = (char)('A' + who);
                    s.where = POINT_OPEN;
                    s.what = DEED_LATER;
                    s.timeout_ms = 5000;
                    assert_true(stage_build(&s));
                    assert_true(stage_start(&s));
                    assert_non_null(s.held);
                    if (how == 0) pair_advance(&s.p, 6000);
                    if (how == 1) connect_call_finish(s.call, CONNECT_CANCELED, NULL);
                    s.p.dial_code = CONNECT_UNAVAILABLE; /* nor is it sent again */
                    if (how == 2) pair_close_client(&s.p.links[0]);
                    pair_pump(&s.p);
                    s.what = DEED_ANSWER; /* no headers are looked at */
                    stage_proceed(&s, (verdict)v);
                    s.actor = 0;
                    pair_pump(&s.p);
                    pair_advance(&s.p, 6000);
                    stage_check(&s, "too late");
                    assert_int_equal(s.closed, 1);
                    if (how == 0) assert_int_equal(s.closed_code, CONNECT_DEADLINE_EXCEEDED);
                    if (how == 1) assert_int_equal(s.closed_code, CONNECT_CANCELED);
                    if (how < 2) assert_int_equal(s.handled, 0);
                    stage_free(&s);
                    assert_int_equal(memory.live, 0);
                }
            }
        }
    }
}

/* ---- Calls without events: _wait sees what interceptors left ---- */
static void test_pull(void **state) {
    size_t i = 0;
    pair_kind kind;
    (void)state;
    while (pair_next(&kind, &i)) {
        connect_arena_t arena = CONNECT_DEFAULTS;
        int answers;
        for (answers = 0; answers < 2; answers++) {
            connect_call_options_t options = CONNECT_DEFAULTS;
            connect_error_t error;
            connect_io_t io;
            note n, got;
            stage s;
            stage_init(&s, &kind);
            s.actor = 'B';
            s.what = answers ? DEED_ANSWER : DEED_NOTHING;
            assert_true(stage_build(&s));
            memset(&n, 0, sizeof n);
            n.text = connect_str_of("q");
            options.context = &s;
            s.call = connect_client_start(s.p.client, &note_methods[kind.kind], NULL, NULL, &options, &error);
            assert_non_null(s.call);
            connect_call_finish(s.call, CONNECT_OK, &n);
            pair_pump(&s.p);
            memset(&got, 0, sizeof got);
            io = cn_invoke_receive(s.call, &got, &arena, &error);
            if (io != CONNECT_IO_OK) fail_msg("%s: %d %s", pair_name(&kind), (int)io, error.message.data);
            pair_pump(&s.p);
            assert_int_equal(cn_invoke_receive(s.call, &n, &arena, &error), CONNECT_IO_END);
            connect_call_free(s.call);
            pair_pump(&s.p);
            assert_str(got.text, answers ? "answerA" : "qABCDEEDCBA");
            stage_check(&s, "pull");
            stage_free(&s);
            connect_arena_free(&arena);
        }
    }
}

/* ---- Memory that runs out ---- */
static bool sweep_run(const connect_allocator_t *allocator, void *arg) {
    stage s;
    bool ok;
    stage_init(&s, (const pair_kind *)arg);
    s.memory = allocator;
    s.what = DEED_ANSWER; /* no headers are looked at */
    s.actor = 'Z';
    ok = stage_build(&s) && stage_start(&s);
    if (ok) pair_advance(&s.p, 40000);
    if (ok && s.p.count) pair_close(&s.p);
    stage_check(&s, "sweep");
    ok = ok && s.closed == 1 && s.closed_code == CONNECT_OK;
    if (ok) assert_string_equal(s.got, "qABCDEEDCBA");
    stage_free(&s);
    return ok;
}
static void test_sweep(void **state) {
    size_t i = 0;
    pair_kind kind;
    (void)state;
    while (pair_next(&kind, &i))
        if (kind.http == CONNECT_HTTP_2 ? kind.kind == CONNECT_BIDI_STREAM : kind.kind == CONNECT_UNARY)
            sweep_allocations(sweep_run, &kind);
}

int main(void) {
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_order), cmocka_unit_test(test_refusal),
        cmocka_unit_test(test_limits), cmocka_unit_test(test_turned), cmocka_unit_test(test_error_to_ok),
        cmocka_unit_test(test_answer), cmocka_unit_test(test_later), cmocka_unit_test(test_later_too_late),
        cmocka_unit_test(test_pull), cmocka_unit_test(test_sweep)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
