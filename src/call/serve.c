#include "call/serve.h"
#include "base/buf.h"
#include "base/error.h"
#include "base/mem.h"
#include "base/str.h"
#include "call/call.h"
#include "call/intercept.h"
#include "codec/compress.h"
#include "http/exchange.h"
#include "protocol/protocol.h"
#include "protocol/timeout.h"

/* A call as the server runs it.

   head in ----> interceptors ----> on_open ----> [one request: the whole of it is in ----> on_request]
                                             \--> [a stream: on_message for each, then on_end]
   a code returned, or finish ----> the answer goes out ----> the exchange closes ----> on_closed ----> released

   A request of one message is handed over only when the request has ended: two messages, none, or a message cut short
   never reach a handler. The answer is made once (`answered`): by the handler, by the deadline, or by whatever was
   wrong with the request. Response headers wait for the first message or the end, so that one write carries a unary
   response, with its length. What is left of a request after its answer has limits.body_gap_ms to come.

   While an interceptor holds a call back (`opening`) what comes of its body is kept, and the peer's window stays shut.

   A response without messages and without headers of the application's goes as one block of headers where the protocol
   ends with HTTP trailers (gRPC "Trailers-Only").

   Invariants: after `answered` nothing is sent. `promised` keeps a unary call whose handler returned LATER until its
   finish, whatever becomes of the exchange. on_closed is told when the exchange is closed and no promise is left. */

#if CONNECT_ENABLE_SERVER
/* ---- Answers ---- */

/* What is left of a request after its answer has limits.body_gap_ms to come. */
static void cn_serve_watch_rest(connect_call_t *call) {
    const uint32_t gap = call->rpc.limits->body_gap_ms;
    const bool rest = !call->x.received_end && gap != CONNECT_UNLIMITED;
    call->deadline_ms = rest ? call->x.http->now_ms + (int64_t)gap : INT64_MAX;
    cn_exchange_set_due(&call->x, call->deadline_ms);
}

static void cn_serve_reset(connect_call_t *call) {
    call->answered = true;
    if (call->x.http) call->x.http->version->reset(&call->x, CN_RESET_INTERNAL);
}

/* Sends the response's head, and says whether that was all of the response. */
static bool cn_serve_send_head(connect_call_t *call, int64_t content_length, connect_headers_t *trailers) {
    cn_exchange_t *x = &call->x;
    cn_headers_t all;
    cn_head_t head;
    bool end;
    memset(&head, 0, sizeof head);
    head.content_length = content_length;
    if (!call->rpc.protocol->server_head(&call->rpc, &head)) return false;
    end = content_length == 0;
    if (trailers && trailers->count) {
        end = end && call->rpc.headers.count == 0;
        if (end) {
            size_t i;
            memset(&all, 0, sizeof all);
            for (i = 0; i < head.header_count; i++)
                if (!cn_headers_put(&all, &call->arena, head.headers[i].name, head.headers[i].value)) return false;
            for (i = 0; i < trailers->count; i++)
                if (!cn_headers_put(&all, &call->arena, trailers->items[i].name, trailers->items[i].value))
                    return false;
            cn_protocol_set_head(&head, &all);
            trailers->count = 0;
        } else {
            head.content_length = -1;
        }
    }
    return x->http->version->send_head(x, &head, end);
}

/* Tells interceptors the outcome. Where they make an error an OK, the one response is an empty one. */
static void cn_serve_conclude(connect_call_t *call) {
    const bool failed = call->rpc.error.code != CONNECT_OK;
    const connect_type_t *type = call->rpc.method->output;
    const void *response;
    cn_intercept_finish(call);
    if (!failed || call->rpc.error.code != CONNECT_OK || !cn_call_single_response(call) || call->messages_out) return;
    response = cn_call_new_message(type, &call->arena);
    if (!response)
        cn_error_memory(&call->rpc.error);
    else
        (void)cn_call_put_message(call, response, NULL, &call->rpc.error);
}

CN_PRIVATE void cn_serve_answer(connect_call_t *call) {
    cn_exchange_t *x = &call->x;
    connect_headers_t trailers = {NULL, 0};
    if (call->answered || call->concluding) return;
    if (call->opened) cn_serve_conclude(call);
    call->answered = call->over = call->drop_input = true;
    if (!x->http) return;
    cn_serve_watch_rest(call);
    if (call->rpc.error.code != CONNECT_OK && !x->sent_head) cn_buf_clear(&x->out);
    if (!call->rpc.protocol->server_end(&call->rpc, &trailers) ||
        (!x->sent_head && !cn_serve_send_head(call, (int64_t)cn_buf_len(&x->out), &trailers))) {
        cn_serve_reset(call);
        return;
    }
    if (cn_buf_len(&x->out)) x->http->version->flush(x);
    x->http->version->send_end(x, trailers);
    cn_call_consume(call);
}

CN_PRIVATE void cn_serve_plain(connect_call_t *call, int status, connect_headers_t headers, connect_str_t body) {
    cn_exchange_t *x = &call->x;
    connect_headers_t none = {NULL, 0};
    cn_head_t head;
    memset(&head, 0, sizeof head);
    call->plain = call->told = call->answered = call->drop_input = true;
    head.status = status;
    head.content_length = (int64_t)body.len;
    head.headers = headers.items;
    head.header_count = headers.count;
    if (!cn_buf_append_str(&x->out, call->rpc.allocator, body) ||
        !x->http->version->send_head(x, &head, body.len == 0)) {
        cn_serve_reset(call);
        return;
    }
    if (body.len) x->http->version->flush(x);
    x->http->version->send_end(x, none);
    cn_serve_watch_rest(call);
}

static void cn_serve_finish_with(connect_call_t *call, connect_code_t code, const void *message) {
    connect_error_t error;
    if (call->finished || call->concluding) return;
    call->finished = true;
    if (call->answered) return;
    if (code != CONNECT_OK) {
        call->rpc.error = cn_call_failure(call, code);
    } else {
        bool single = cn_call_single_response(call);
        if (single && !message && !call->messages_out) message = call->response;
        if (message && !cn_call_put_message(call, message, NULL, &error)) call->rpc.error = error;
    }
    cn_serve_answer(call);
}

/* The exchange is gone and so may be the promise: tell, and let go. */
static void cn_serve_settle(connect_call_t *call) {
    if (!call->x.http && !call->promised && call->over) cn_call_tell_closed(call);
    cn_call_release_if_done(call);
}

CN_PRIVATE void cn_serve_finish(connect_call_t *call, connect_code_t code, const void *message) {
    bool promised = call->promised;
    if (call->opening) return; /* it is for the interceptor to say */
    cn_serve_finish_with(call, code, message);
    call->promised = false;
    if (!promised || call->x.http) return;
    if (call->entered && call->events.on_closed && call->owner) {
        cn_call_poke(call);
    } else {
        call->told = true; /* also where the server was freed: nobody is left to tell it */
        cn_call_release_if_done(call);
    }
}

CN_PRIVATE connect_io_t cn_serve_send(connect_call_t *call, const void *message, const connect_str_t *encoded) {
    cn_exchange_t *x = &call->x;
    const bool single = cn_call_sends_one(call);
    connect_error_t error;
    if (call->finished || call->answered || call->opening || call->concluding || !x->http) return CONNECT_IO_END;
    if (message || encoded) {
        if (cn_buf_len(&x->out) >= call->rpc.limits->stream_buffer) {
            x->over_high_water = true;
            return CONNECT_IO_AGAIN;
        }
        if (!cn_call_put_message(call, message, encoded, &error)) {
            call->rpc.error = error;
            cn_serve_answer(call);
            return CONNECT_IO_ERROR;
        }
        if (single) return CONNECT_IO_OK; /* goes with the end */
    }
    if (!x->sent_head && call->rpc.protocol->enveloped && !cn_serve_send_head(call, -1, NULL)) {
        cn_serve_reset(call);
        return CONNECT_IO_ERROR;
    }
    if (cn_buf_len(&x->out)) x->http->version->flush(x);
    return CONNECT_IO_OK;
}

/* ---- Handlers ---- */

static void cn_serve_writable(connect_call_t *call) {
    if (!call->entered || call->finished || call->answered || !call->events.on_writable) return;
    cn_call_enter(call);
    call->events.on_writable(call, call->user);
    cn_call_leave(call);
}

static void cn_serve_returned(connect_call_t *call, connect_code_t code) {
    if (code != CONNECT_LATER) {
        cn_serve_finish_with(call, code, NULL);
        return;
    }
    call->entered = true;
    if (call->draining) cn_call_poke(call);
    if (call->finished) return;
    if (call->rpc.method->kind == CONNECT_UNARY)
        call->promised = true;
    else if (!cn_call_single_response(call))
        cn_serve_writable(call);
}

/* Makes the response that on_request or on_end fills in. Returns false: out of memory, answered. */
static bool cn_serve_make_response(connect_call_t *call, void **response) {
    *response = NULL;
    if (!cn_call_single_response(call)) return true;
    call->response = *response = cn_call_new_message(call->rpc.method->output, &call->arena);
    if (*response) return true;
    cn_error_memory(&call->rpc.error);
    cn_serve_answer(call);
    return false;
}

/* Has interceptors see a message. Returns false: one of them refuses it, rpc.error says so. */
static bool cn_serve_intercept(connect_call_t *call, const void **message) {
    connect_code_t code = cn_intercept_receive(call, message);
    if (code != CONNECT_OK) call->rpc.error = cn_call_failure(call, code);
    return code == CONNECT_OK;
}

/* The one request as the handler gets it: it lives as long as the call, also if an interceptor put it there. Returns
   false: rpc.error says why. */
static bool cn_serve_take_request(connect_call_t *call, connect_str_t payload) {
    const connect_type_t *type = call->rpc.method->input;
    void *message, *copy;
    bool ok;
    call->messages_in++;
    if (!cn_call_expand(call, &payload)) return false;
    message = cn_call_new_message(type, &call->arena);
    if (!message) return cn_error_memory(&call->rpc.error);
    if (!cn_call_decode(call, type, message, payload, &call->arena, false, &call->rpc.error)) return false;
    call->request = message;
    if (!call->passed) return true;
    cn_call_enter(call);
    ok = cn_serve_intercept(call, &call->request);
    if (ok && call->request != message) {
        copy = cn_call_new_message(type, &call->arena);
        ok = (copy && cn_call_copy_message(type, copy, call->request, &call->arena)) ||
            cn_error_memory(&call->rpc.error);
        call->request = copy;
    }
    cn_call_leave(call);
    return ok;
}

static void cn_serve_request(connect_call_t *call, connect_str_t payload) {
    connect_code_t code = CONNECT_UNIMPLEMENTED;
    void *response;
    if (!cn_serve_take_request(call, payload)) {
        cn_serve_answer(call);
        return;
    }
    if (!cn_serve_make_response(call, &response)) return;
    if (call->events.on_request) {
        cn_call_enter(call);
        code = call->events.on_request(call, call->request, response, call->user);
        cn_call_leave(call);
    }
    cn_serve_returned(call, code);
}

/* Hands one message of a stream over. Returns false: not taken now, or no more is wanted. */
static bool cn_serve_message(connect_call_t *call, connect_str_t payload, size_t whole) {
    const connect_type_t *type = call->rpc.method->input;
    connect_io_t taken = CONNECT_IO_OK;
    const void *seen;
    void *message;
    cn_call_enter(call);
    seen = message = cn_call_new_message(type, &call->scratch);
    if (!message) {
        cn_error_memory(&call->rpc.error);
        cn_serve_answer(call);
    } else if (!cn_call_expand(call, &payload) ||
        !cn_call_decode(call, type, message, payload, &call->scratch, false, &call->rpc.error) ||
        !cn_serve_intercept(call, &seen)) {
        cn_serve_answer(call);
    } else if (call->events.on_message) {
        taken = call->events.on_message(call, seen, call->user);
    }
    cn_call_leave(call);
    if (call->answered) return false;
    if (taken == CONNECT_IO_AGAIN) {
        call->paused = true;
        return false;
    }
    call->messages_in++;
    cn_call_drop_front(call, whole);
    if (taken != CONNECT_IO_OK) call->drop_input = true;
    return true;
}

static void cn_serve_stream_end(connect_call_t *call) {
    connect_code_t code = CONNECT_OK;
    void *response;
    call->end_told = true;
    if (!cn_serve_make_response(call, &response)) return;
    if (call->events.on_end) {
        cn_call_enter(call);
        code = call->events.on_end(call, response, call->user);
        cn_call_leave(call);
    }
    if (code != CONNECT_LATER) cn_serve_finish_with(call, code, NULL);
}

static void cn_serve_fail(connect_call_t *call, connect_code_t code, const char *text) {
    cn_error_set(&call->rpc.error, code, text);
    cn_serve_answer(call);
}

CN_PRIVATE void cn_serve_shed(connect_call_t *call) {
    cn_serve_fail(call, CONNECT_RESOURCE_EXHAUSTED, "too little memory for the request (limits.memory)");
    cn_call_open_window(call);
    cn_buf_free(&call->in, call->rpc.allocator);
    cn_buf_free(&call->expanded, call->rpc.allocator);
}

/* A request of one message: hands it over once the request has ended. */
static void cn_serve_pump_single(connect_call_t *call) {
    connect_str_t payload = {"", 0};
    size_t whole = 0;
    cn_front_t front;
    if (call->messages_in) return;
    front = cn_call_front(call, &payload, &whole);
    if (front == CN_FRONT_BAD) {
        cn_serve_answer(call);
    } else if (front == CN_FRONT_MESSAGE && cn_buf_len(&call->in) > whole) {
        cn_serve_fail(call, CONNECT_UNIMPLEMENTED, "the request has more than the one message it should have");
    } else if (!call->in_end) {
        cn_call_consume(call);
    } else if (front == CN_FRONT_NONE) {
        cn_serve_fail(call, CONNECT_UNIMPLEMENTED, "the request has no message");
    } else if (front == CN_FRONT_PARTIAL) {
        cn_serve_fail(call, CONNECT_INTERNAL, "the request ends inside a message");
    } else {
        cn_serve_request(call, payload);
    }
}

static void cn_serve_pump_stream(connect_call_t *call) {
    while (!call->answered && !call->paused && !call->drop_input && !cn_exchange_is_stopped(&call->x)) {
        connect_str_t payload;
        size_t whole;
        cn_front_t front = cn_call_front(call, &payload, &whole);
        if (front == CN_FRONT_BAD) {
            cn_serve_answer(call);
        } else if (front == CN_FRONT_MESSAGE) {
            if (!cn_serve_message(call, payload, whole)) return;
            if (call->in.start == call->in.end) cn_call_consume(call);
        } else {
            if (front == CN_FRONT_PARTIAL && call->in_end)
                cn_serve_fail(call, CONNECT_INTERNAL, "the request ends inside a message");
            else if (call->in_end && !call->end_told)
                cn_serve_stream_end(call);
            cn_call_consume(call);
            return;
        }
    }
    if (call->drop_input && !cn_exchange_is_stopped(&call->x)) {
        cn_buf_clear(&call->in);
        cn_call_consume(call);
        if (call->in_end && !call->end_told && !call->answered) cn_serve_stream_end(call);
    }
}

static void cn_serve_pump(connect_call_t *call) {
    if (call->answered || call->opening || !call->rpc.method) return;
    if (cn_call_single_request(call))
        cn_serve_pump_single(call);
    else
        cn_serve_pump_stream(call);
}

/* ---- The exchange's events ---- */

static void cn_serve_on_head(cn_exchange_t *x) {
    connect_call_t *call = cn_call_of(x);
    call->owner_events->on_head(call);
}

static void cn_serve_on_data(cn_exchange_t *x, const char *bytes, size_t len) {
    connect_call_t *call = cn_call_of(x);
    if (call->answered || call->drop_input) {
        x->http->version->consume(x, len);
        return;
    }
    if (call->rpc.get) {
        x->http->version->consume(x, len);
        cn_error_set(&call->rpc.error, CONNECT_INVALID_ARGUMENT, "a GET has no body");
        cn_serve_answer(call);
        return;
    }
    if (cn_call_take_input(call, bytes, len))
        cn_serve_pump(call);
    else
        cn_serve_answer(call);
}

static void cn_serve_on_end(cn_exchange_t *x) {
    connect_call_t *call = cn_call_of(x);
    call->in_end = true;
    if (call->rpc.quantum_len) cn_serve_fail(call, CONNECT_INTERNAL, "the request ends inside a group of base64");
    cn_serve_pump(call);
}

static void cn_serve_on_writable(cn_exchange_t *x) {
    cn_serve_writable(cn_call_of(x));
}

static void cn_serve_canceled(connect_call_t *call) {
    void (*cancel)(connect_call_t *, void *) = call->cancel;
    cn_call_end_children(call);
    call->cancel = NULL;
    if (!cancel || !call->promised) return;
    cn_call_enter(call);
    cancel(call, call->cancel_arg);
    cn_call_leave(call);
}

/* When the call must be looked at next: its deadline, or the gap between two pieces of a request of one message. */
static int64_t cn_serve_next_due(const connect_call_t *call) {
    int64_t due = call->deadline_ms;
    uint32_t gap = call->rpc.limits->body_gap_ms;
    if (!call->in_end && gap != CONNECT_UNLIMITED && cn_call_receives_one(call) && !call->opening)
        due = CN_MIN(due, call->x.received_ms + (int64_t)gap);
    return due;
}

static void cn_serve_on_due(cn_exchange_t *x) {
    connect_call_t *call = cn_call_of(x);
    int64_t now = x->http->now_ms;
    if (call->poked) cn_call_on_poke(call);
    if (call->answered) {
        if (x->received_end) return;
        if (call->deadline_ms <= now)
            x->http->version->reset(x, CN_RESET_NO_ERROR);
        else
            cn_exchange_set_due(x, call->deadline_ms);
        return;
    }
    if (!call->rpc.method) return;
    if (call->deadline_ms <= now) {
        cn_serve_fail(call, CONNECT_DEADLINE_EXCEEDED, "the deadline has passed");
        cn_serve_canceled(call);
    } else if (cn_serve_next_due(call) <= now) {
        cn_serve_fail(call, CONNECT_UNAVAILABLE, "the request came to a halt (limits.body_gap_ms)");
    } else {
        cn_exchange_set_due(x, cn_serve_next_due(call));
    }
}

static void cn_serve_on_closed(cn_exchange_t *x, connect_code_t code, const char *why) {
    connect_call_t *call = cn_call_of(x);
    bool was_answered = call->answered;
    if (code != CONNECT_OK && (!was_answered || call->rpc.error.code == CONNECT_OK))
        cn_error_set(&call->rpc.error, CONNECT_CANCELED, why);
    cn_intercept_finish(call);
    call->answered = call->over = call->drop_input = true;
    if (call->plain || !call->rpc.method) call->told = true;
    call->poked = false; /* nothing is left to resume */
    if (!was_answered) cn_serve_canceled(call);
    cn_serve_settle(call);
}

CN_PRIVATE const cn_exchange_events_t *cn_serve_exchange_events(void) {
    static const cn_exchange_events_t events = {
        cn_serve_on_head, cn_serve_on_data, cn_serve_on_end, cn_serve_on_writable, cn_serve_on_due, cn_serve_on_closed};
    return &events;
}

/* ---- The beginning ---- */

/* Lets a call through its interceptors to the handler, from where it stands. */
static void cn_serve_open(connect_call_t *call) {
    const void *answer = NULL;
    connect_code_t code;
    cn_call_enter(call);
    code = cn_intercept_open(call, &answer);
    if (code == CONNECT_OK && !answer && call->events.on_open) {
        code = call->events.on_open(call, call->user);
        call->entered = code == CONNECT_OK; /* the first event: from here on on_closed is due */
    }
    if ((code != CONNECT_OK || answer) && !call->opening) cn_serve_finish_with(call, code, answer);
    cn_call_leave(call);
    if (call->answered) return;
    cn_exchange_set_due(&call->x, cn_serve_next_due(call));
    if (call->opening || cn_call_single_request(call)) return;
    call->entered = true;
    if (call->draining) cn_call_poke(call);
    if (!cn_call_single_response(call)) cn_serve_writable(call);
}

CN_PRIVATE void cn_serve_proceed(connect_call_t *call, connect_code_t code, const void *answer) {
    if (!call->answered && call->opening) {
        cn_call_poke(call);
        return;
    }
    cn_serve_finish_with(call, code, answer);
    cn_call_release_if_done(call);
}

CN_PRIVATE void cn_serve_on_poke(connect_call_t *call) {
    if (call->opening && !call->proceed_due && !call->answered) {
        call->x.received_ms = cn_call_now_ms(call); /* the peer could not send meanwhile */
        cn_serve_open(call);
    }
    if (call->draining && call->entered && !call->answered && call->events.on_drain) {
        call->draining = false;
        cn_call_enter(call);
        call->events.on_drain(call, call->user);
        cn_call_leave(call);
    }
    cn_serve_pump(call);
    cn_serve_settle(call);
}

static void cn_serve_set_deadline(connect_call_t *call, const connect_deadlines_t *policy) {
    int64_t ms = call->rpc.timeout_ms;
    if (!policy->spare_streams || call->info.kind == CONNECT_UNARY) {
        const bool has_default = policy->default_ms && policy->default_ms != CONNECT_UNLIMITED;
        const bool has_max = policy->max_ms && policy->max_ms != CONNECT_UNLIMITED;
        if (ms == CN_TIMEOUT_NONE && has_default) ms = policy->default_ms;
        if (ms != CN_TIMEOUT_NONE) ms = CN_MAX(ms, (int64_t)policy->min_ms);
        if (has_max) ms = ms == CN_TIMEOUT_NONE ? (int64_t)policy->max_ms : CN_MIN(ms, (int64_t)policy->max_ms);
    }
    if (ms != CN_TIMEOUT_NONE) call->deadline_ms = cn_call_now_ms(call) + ms;
}

/* The request of a GET stands in its URL. */
static bool cn_serve_take_message(connect_call_t *call) {
    return !call->rpc.get || cn_buf_append_str(&call->in, call->rpc.allocator, call->rpc.message) ||
        cn_error_memory(&call->rpc.error);
}

CN_PRIVATE void cn_serve_begin(connect_call_t *call, const connect_deadlines_t *deadlines) {
    if (!call->rpc.protocol->server_open(&call->rpc) || !cn_serve_take_message(call)) {
        cn_serve_answer(call);
        return;
    }
    call->info.compression_received = cn_coding_name(call->rpc.coding_received);
    call->info.compression_sent = cn_coding_name(call->rpc.coding_sent);
    cn_serve_set_deadline(call, deadlines);
    if (call->deadline_ms <= cn_call_now_ms(call)) {
        cn_serve_fail(call, CONNECT_DEADLINE_EXCEEDED, "the deadline has passed");
        return;
    }
    cn_serve_open(call);
}
#endif
