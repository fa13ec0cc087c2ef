#include "call/invoke.h"
#include "base/buf.h"
#include "base/error.h"
#include "base/list.h"
#include "base/mem.h"
#include "base/str.h"
#include "call/call.h"
#include "call/intercept.h"
#include "codec/compress.h"
#include "http/exchange.h"
#include "protocol/error.h"
#include "protocol/protocol.h"
#include "protocol/timeout.h"

/* A call as the client runs it.

   start ----> interceptors ----> (waits for a connection: what is sent meanwhile stands in x.out)
         ----> begun: head, messages, end go
   head in ----> on_open ----> on_message for each ----> the response has ended ----> outcome ----> on_closed

   The outcome is known when the response has ended, and is the protocol's word: trailers, END_STREAM, HTTP status. A
   single response is held until then, as an error after it wins; a response that should be single and is none or two
   is UNIMPLEMENTED, as both specifications' suites want it. A response cut short, or one that breaks the protocol,
   ends the call at once. At the deadline the exchange is reset and the call is DEADLINE_EXCEEDED, whatever the peer
   says later.

   Interceptors see the call inside of connect_client_start, before anything was sent. While one of them holds it back
   (`opening`) a stream's send says AGAIN, and what finish was given is copied. An answer in the server's place goes
   through the codec, as if it had come from there, and through the interceptors outside. A single response is decoded,
   and seen by interceptors, before the outcome is, and given to the application after it.

   Made again. A call that its exchange was lost for and that the peer did not process (it never left this side,
   REFUSED_STREAM, beyond GOAWAY's last stream) gets another exchange, once; so does one without side effects whose
   connection broke before a response came, as a connection may be closed in the moment it is used again. What fails
   otherwise may be made again by its owner's policy. In any case nothing of a response was given to the application,
   and the request is still there: a single one stands in x.out's block although it was sent, as nothing follows it; of
   a stream nothing was sent yet. With a policy on_open of a call with a single response waits for the outcome.

   Without events (`pull`) messages stay in `in` until cn_invoke_receive asks, and the window stays shut meanwhile.

   Invariants: after `over` rpc.error does not change. on_closed is told once, never inside a function of the user's. */

#if CONNECT_ENABLE_CLIENT
/* ---- The outcome ---- */

/* Response headers and trailers together are the error's metadata. */
static void cn_invoke_set_metadata(connect_call_t *call) {
    const connect_headers_t parts[2] = {call->rpc.received_headers, call->rpc.received_trailers};
    size_t count = parts[0].count + parts[1].count;
    connect_header_t *items = CONNECT_NEW(&call->arena, connect_header_t, count + 1);
    call->info.headers = parts[0];
    call->info.trailers = parts[1];
    if (!items || call->rpc.error.code == CONNECT_OK) return;
    if (parts[0].count) memcpy(items, parts[0].items, parts[0].count * sizeof *items);
    if (parts[1].count) memcpy(items + parts[0].count, parts[1].items, parts[1].count * sizeof *items);
    call->rpc.error.metadata.items = items;
    call->rpc.error.metadata.count = count;
}

/* Tells interceptors the outcome. Where they make an error an OK, the one response is an empty one. */
static void cn_invoke_conclude(connect_call_t *call) {
    const bool failed = call->rpc.error.code != CONNECT_OK;
    cn_intercept_finish(call);
    if (!failed || call->rpc.error.code != CONNECT_OK || !cn_call_single_response(call)) return;
    call->response = cn_call_new_message(call->rpc.method->output, &call->arena);
    if (!call->response) cn_error_memory(&call->rpc.error);
}

/* The exchange has no more to say. */
static void cn_invoke_let_go(connect_call_t *call) {
    cn_exchange_t *x = &call->x;
    if (x->http && !call->in_end)
        x->http->version->reset(
            x, call->rpc.error.code == CONNECT_DEADLINE_EXCEEDED ? CN_RESET_LATE : CN_RESET_CANCEL);
    else if (x->http && !x->sent_end)
        x->http->version->reset(x, CN_RESET_NO_ERROR);
    else
        cn_call_consume(call);
}

CN_PRIVATE void cn_invoke_end(connect_call_t *call) {
    if (call->over) return;
    call->over = call->drop_input = true;
    call->again = false;
    cn_invoke_set_metadata(call);
    cn_invoke_conclude(call);
    cn_invoke_let_go(call);
    if (call->pull) call->told = true;
    if (!call->told) cn_call_poke(call);
}

static void cn_invoke_fail(connect_call_t *call, connect_code_t code, const char *text) {
    cn_error_set(&call->rpc.error, code, text);
    cn_invoke_end(call);
}

/* A peer's message that cannot be read is the peer's fault. */
static void cn_invoke_decode_failed(connect_call_t *call) {
    if (call->rpc.error.code == CONNECT_INVALID_ARGUMENT) call->rpc.error.code = CONNECT_INTERNAL;
    cn_invoke_end(call);
}

/* Has interceptors see a message. Returns false: one of them refuses it, rpc.error says so. */
static bool cn_invoke_intercept(connect_call_t *call, const void **message) {
    connect_code_t code = cn_intercept_receive(call, message);
    if (code != CONNECT_OK) call->rpc.error = cn_call_failure(call, code);
    return code == CONNECT_OK;
}

/* Decodes a message into one of the application's. What interceptors put in its place is copied. Returns false:
   rpc.error says why. */
static bool cn_invoke_decode(
    connect_call_t *call, connect_str_t payload, void *message, connect_arena_t *arena, bool copy) {
    const connect_type_t *type = call->rpc.method->output;
    const void *seen = message;
    bool ok;
    if (!cn_call_decode(call, type, message, payload, arena, copy, &call->rpc.error)) {
        if (call->rpc.error.code == CONNECT_INVALID_ARGUMENT) call->rpc.error.code = CONNECT_INTERNAL;
        return false;
    }
    if (!call->passed) return true;
    cn_call_enter(call);
    ok = cn_invoke_intercept(call, &seen);
    if (ok && seen != message)
        ok = cn_call_copy_message(type, message, seen, arena) || cn_error_memory(&call->rpc.error);
    cn_call_leave(call);
    return ok;
}

/* Decodes a single response, which is held. Returns false: rpc.error says why. */
static bool cn_invoke_take_single(connect_call_t *call) {
    void *message = cn_call_new_message(call->rpc.method->output, &call->arena);
    if (!message) return cn_error_memory(&call->rpc.error);
    if (!cn_invoke_decode(call, call->held, message, &call->arena, false)) return false;
    call->response = message;
    return true;
}

/* on_message, where a single response is due, and on_closed. */
static void cn_invoke_tell(connect_call_t *call) {
    const void *response = call->rpc.error.code == CONNECT_OK && !call->told ? call->response : NULL;
    if (response && call->events.on_message) {
        cn_call_enter(call);
        (void)call->events.on_message(call, response, call->user);
        cn_call_leave(call);
    }
    cn_call_tell_closed(call);
}

/* ---- Made again ---- */

/* Takes the call back to where it waited for its first exchange. */
static void cn_invoke_restart(connect_call_t *call) {
    cn_rpc_t *rpc = &call->rpc;
    cn_exchange_t fresh;
    const connect_headers_t none = {NULL, 0};
    memset(&fresh, 0, sizeof fresh);
    fresh.events = call->x.events;
    fresh.arena = call->x.arena;
    fresh.due_ms = INT64_MAX;
    fresh.out = call->x.out;
    fresh.over_high_water = call->x.over_high_water;
    call->x = fresh;
    if (call->finished && cn_call_single_request(call)) {
        call->x.out.start = call->request_start;
        call->x.out.end = call->request_start + call->request_len;
    }
    cn_buf_clear(&call->in);
    call->unconsumed = call->messages_in = 0;
    call->held.len = 0;
    call->response = NULL;
    call->in_end = call->drop_input = call->again = call->packed = call->open_due = false;
    call->backend = NULL;
    rpc->error.code = CONNECT_OK;
    rpc->error.from_peer = false;
    rpc->error.details.count = 0;
    rpc->error.metadata = rpc->received_headers = rpc->received_trailers = none;
    rpc->coding_received = NULL;
    rpc->error_body = rpc->received_body = rpc->ended = false;
    call->info.headers = call->info.trailers = none;
    call->owner_events->again(call);
    if (call->poked) call->owner_events->poke(call);
}

/* Tells whether what was sent can be sent once more, and nothing of a response was seen by the application. */
static bool cn_invoke_can_restart(const connect_call_t *call) {
    const bool request_is_here = cn_call_single_request(call) || call->x.out_taken == 0;
    const bool single = cn_call_single_response(call);
    return call->owner && request_is_here && !call->open_told && (single || call->messages_in == 0) && !call->over;
}

/* The exchange was lost before a response came. */
static bool cn_invoke_resend(connect_call_t *call, connect_code_t code) {
    const bool is_safe =
        call->unprocessed || (code == CONNECT_UNAVAILABLE && call->rpc.method->idempotency == CONNECT_NO_SIDE_EFFECTS);
    if (call->resent || call->x.received_head || !is_safe || !cn_invoke_can_restart(call)) return false;
    call->resent = true;
    call->not_before_ms = call->pause_ms = 0;
    cn_invoke_restart(call);
    return true;
}

static void cn_invoke_tell_open(connect_call_t *call) {
    connect_code_t code;
    call->open_due = false;
    call->open_told = true;
    cn_call_enter(call);
    code = call->events.on_open(call, call->user);
    cn_call_leave(call);
    if (code == CONNECT_OK || call->over) return;
    call->entered = false; /* the first event ended it */
    call->rpc.error = cn_call_failure(call, code);
    cn_invoke_end(call);
}

CN_PRIVATE void cn_invoke_decide(connect_call_t *call) {
    if (call->over) return;
    if (call->owner) call->owner_events->on_outcome(call);
    if (call->rpc.error.code != CONNECT_OK && cn_invoke_can_restart(call) && call->owner_events->may_retry(call)) {
        if (!call->x.http) {
            cn_invoke_restart(call);
            return;
        }
        call->again = call->drop_input = true;
        cn_invoke_let_go(call);
        return;
    }
    if (call->open_due) cn_invoke_tell_open(call);
    cn_invoke_end(call);
}

/* The response has ended and all of it was taken. */
static void cn_invoke_settle(connect_call_t *call) {
    bool ok;
    if (call->over) return;
    if (!call->rpc.protocol->enveloped) {
        call->held = cn_buf_view(&call->in);
        call->packed = call->rpc.coding_received && call->held.len;
        if (!cn_call_expand(call, &call->held)) {
            cn_invoke_end(call);
            return;
        }
    }
    ok = call->rpc.protocol->client_end(&call->rpc, call->held);
    cn_invoke_set_metadata(call);
    if (ok && cn_call_single_response(call)) {
        if (call->rpc.protocol->enveloped && !call->messages_in)
            cn_error_set(&call->rpc.error, CONNECT_UNIMPLEMENTED, "the response has no message");
        else if ((!call->pull || call->passed) && !cn_invoke_take_single(call))
            cn_invoke_end(call);
    }
    cn_invoke_decide(call);
}

/* ---- The response ---- */

/* Keeps a single response apart: what follows it must be seen first. */
static bool cn_invoke_hold(connect_call_t *call, connect_str_t payload, size_t whole) {
    char *copy;
    if (call->messages_in) {
        cn_invoke_fail(call, CONNECT_UNIMPLEMENTED, "the response has more than the one message it should have");
        return false;
    }
    if (!cn_call_expand(call, &payload)) {
        cn_invoke_end(call);
        return false;
    }
    copy = (char *)cn_arena_raw(&call->arena, payload.len + CN_SLACK);
    if (!copy) {
        cn_error_memory(&call->rpc.error);
        cn_invoke_end(call);
        return false;
    }
    if (payload.len) memcpy(copy, payload.data, payload.len);
    memset(copy + payload.len, 0, CN_SLACK);
    call->held = cn_str(copy, payload.len);
    call->messages_in++;
    cn_call_drop_front(call, whole);
    return true;
}

/* Gives a message of a stream to the application. Returns false: it was not taken, or the call is over. */
static bool cn_invoke_message(connect_call_t *call, connect_str_t payload, size_t whole) {
    const connect_type_t *type = call->rpc.method->output;
    connect_io_t taken = CONNECT_IO_OK;
    if (!call->mute) {
        const void *seen;
        void *message;
        bool ok;
        cn_call_enter(call);
        seen = message = cn_call_new_message(type, &call->scratch);
        if (!message)
            ok = cn_error_memory(&call->rpc.error);
        else
            ok = cn_call_expand(call, &payload) &&
                cn_call_decode(call, type, message, payload, &call->scratch, false, &call->rpc.error);
        if (!ok)
            cn_invoke_decode_failed(call);
        else if (!cn_invoke_intercept(call, &seen))
            cn_invoke_end(call);
        else if (call->events.on_message)
            taken = call->events.on_message(call, seen, call->user);
        cn_call_leave(call);
    }
    if (call->over) return false;
    if (taken == CONNECT_IO_AGAIN) {
        call->paused = true;
        return false;
    }
    if (taken != CONNECT_IO_OK) call->mute = true;
    call->messages_in++;
    cn_call_drop_front(call, whole);
    return true;
}

static bool cn_invoke_end_envelope(connect_call_t *call, connect_str_t payload, size_t whole) {
    if (cn_buf_len(&call->in) > whole) {
        cn_invoke_fail(call, CONNECT_INTERNAL, "bytes follow the end of the response");
        return false;
    }
    if (!cn_call_expand(call, &payload)) {
        cn_invoke_end(call);
        return false;
    }
    if (!call->rpc.protocol->client_end_envelope(&call->rpc, payload) && call->rpc.error.code == CONNECT_OK)
        cn_error_set(&call->rpc.error, CONNECT_INTERNAL, "the end of the response is malformed");
    cn_call_drop_front(call, whole);
    return true;
}

static void cn_invoke_pump(connect_call_t *call) {
    while (!call->over && !cn_exchange_is_stopped(&call->x)) {
        connect_str_t payload = {"", 0};
        size_t whole = 0;
        cn_front_t front;
        const bool single = cn_call_single_response(call);
        if (call->rpc.ended && cn_buf_len(&call->in)) {
            cn_invoke_fail(call, CONNECT_INTERNAL, "bytes follow the end of the response");
            return;
        }
        front = cn_call_front(call, &payload, &whole);
        if (front == CN_FRONT_BAD) {
            cn_invoke_end(call);
            return;
        }
        if (front == CN_FRONT_END) {
            if (!cn_invoke_end_envelope(call, payload, whole)) return;
            continue;
        }
        if (front == CN_FRONT_MESSAGE && call->rpc.protocol->enveloped) {
            if (single) {
                if (!cn_invoke_hold(call, payload, whole)) return;
                continue;
            }
            if (call->pull || (call->paused && !call->mute)) return;
            if (!cn_invoke_message(call, payload, whole)) return;
            continue;
        }
        cn_call_consume(call);
        if (!call->in_end) return;
        if (front == CN_FRONT_PARTIAL)
            cn_invoke_fail(call, CONNECT_INTERNAL, "the response ends inside a message");
        else
            cn_invoke_settle(call);
        return;
    }
}

CN_PRIVATE void cn_invoke_end_child(connect_call_t *call) {
    if (!call->over) cn_invoke_fail(call, CONNECT_CANCELED, "the call that it was made for has ended");
    if (!call->pull && !call->callbacks) {
        cn_list_remove(&call->poke_node);
        call->poked = false;
        cn_invoke_tell(call);
    }
    cn_call_release_if_done(call);
}

/* ---- The exchange's events ---- */

static void cn_invoke_on_head(cn_exchange_t *x) {
    connect_call_t *call = cn_call_of(x);
    if (call->over || call->again) return;
    if (call->owner) call->owner_events->on_answer(call);
    if (!call->rpc.protocol->client_open(&call->rpc)) {
        cn_invoke_decide(call);
        return;
    }
    call->info.headers = call->rpc.received_headers;
    call->info.compression_received = cn_coding_name(call->rpc.coding_received);
    if (!call->events.on_open || call->rpc.error_body) return;
    if (call->retriable && cn_call_single_response(call))
        call->open_due = true;
    else
        cn_invoke_tell_open(call);
}

static void cn_invoke_on_data(cn_exchange_t *x, const char *bytes, size_t len) {
    connect_call_t *call = cn_call_of(x);
    if (call->over || call->again) {
        x->http->version->consume(x, len);
        return;
    }
    if (cn_call_take_input(call, bytes, len))
        cn_invoke_pump(call);
    else
        cn_invoke_end(call);
}

static void cn_invoke_on_end(cn_exchange_t *x) {
    connect_call_t *call = cn_call_of(x);
    call->in_end = true;
    if (!call->over && !call->again) cn_invoke_pump(call);
}

static void cn_invoke_on_writable(cn_exchange_t *x) {
    connect_call_t *call = cn_call_of(x);
    if (call->over || call->finished || !call->events.on_writable) return;
    cn_call_enter(call);
    call->events.on_writable(call, call->user);
    cn_call_leave(call);
}

static void cn_invoke_on_due(cn_exchange_t *x) {
    connect_call_t *call = cn_call_of(x);
    int64_t now = x->http->now_ms;
    if (call->poked) cn_call_on_poke(call);
    if (call->over) return;
    if (call->deadline_ms == INT64_MAX && call->rpc.timeout_ms != CN_TIMEOUT_NONE)
        call->deadline_ms = now + call->rpc.timeout_ms;
    if (call->deadline_ms <= now)
        cn_invoke_fail(call, CONNECT_DEADLINE_EXCEEDED, "the deadline has passed");
    else
        cn_exchange_set_due(x, call->deadline_ms);
}

static void cn_invoke_on_closed(cn_exchange_t *x, connect_code_t code, const char *why) {
    connect_call_t *call = cn_call_of(x);
    if (call->again) {
        cn_invoke_restart(call);
        return;
    }
    if (!call->over && !call->in_end) {
        call->unprocessed = x->unprocessed;
        if (call->deadline_ms <= cn_call_now_ms(call)) { /* the peer's deadline is ours, and its word may come first */
            code = CONNECT_DEADLINE_EXCEEDED;
            why = "the deadline has passed";
        } else if (cn_invoke_resend(call, code)) {
            return;
        } else if (code == CONNECT_OK) {
            code = CONNECT_UNAVAILABLE;
        }
        cn_error_print(&call->rpc.error, &call->arena, code, "%s", why ? why : "the connection was lost");
        cn_invoke_decide(call);
        if (!call->over) return; /* it is made again */
    }
    call->backend = NULL;
    if (call->poked)
        cn_call_on_poke(call); /* the exchange would have done it */
    else
        cn_call_release_if_done(call);
}

CN_PRIVATE const cn_exchange_events_t *cn_invoke_exchange_events(void) {
    static const cn_exchange_events_t events = {cn_invoke_on_head, cn_invoke_on_data, cn_invoke_on_end,
        cn_invoke_on_writable, cn_invoke_on_due, cn_invoke_on_closed};
    return &events;
}

CN_PRIVATE void cn_invoke_on_poke(connect_call_t *call) {
    if (call->opening && !call->proceed_due && !call->over) cn_invoke_open(call);
    if (call->writable && !call->opening && !call->over) {
        call->writable = false;
        cn_invoke_on_writable(&call->x);
    }
    if (call->draining && !call->over && call->events.on_drain) {
        call->draining = false;
        cn_call_enter(call);
        call->events.on_drain(call, call->user);
        cn_call_leave(call);
    }
    if (call->over)
        cn_invoke_tell(call);
    else if (!call->again)
        cn_invoke_pump(call);
    cn_call_release_if_done(call);
}

/* ---- The request ---- */

static void cn_invoke_send_head(connect_call_t *call) {
    cn_exchange_t *x = &call->x;
    size_t waiting = cn_buf_len(&x->out);
    const connect_headers_t none = {NULL, 0};
    cn_head_t head;
    memset(&head, 0, sizeof head);
    head.method = CN_STR("POST");
    head.authority = x->authority;
    head.path = x->path;
    head.content_length = call->finished ? (int64_t)waiting : -1;
    if (call->deadline_ms != INT64_MAX)
        call->rpc.timeout_ms = CN_MIN(call->rpc.timeout_ms, CN_MAX(call->deadline_ms - x->http->now_ms, 0));
    if (!call->rpc.protocol->client_head(&call->rpc, &head)) {
        cn_error_memory(&call->rpc.error);
        cn_invoke_end(call);
        return;
    }
    waiting = cn_buf_len(&x->out); /* a GET took it into its URL */
    if (!x->http->version->send_head(x, &head, call->finished && !waiting)) {
        cn_error_memory(&call->rpc.error);
        cn_invoke_end(call);
        return;
    }
    if (waiting) x->http->version->flush(x);
    if (call->finished) x->http->version->send_end(x, none);
}

CN_PRIVATE void cn_invoke_begun(connect_call_t *call, connect_str_t authority, connect_str_t path) {
    cn_exchange_t *x = &call->x;
    bool undated;
    x->authority = authority;
    x->path = path;
    undated = call->deadline_ms == INT64_MAX && call->rpc.timeout_ms != CN_TIMEOUT_NONE;
    cn_exchange_set_due(x, call->poked || undated ? x->http->now_ms : call->deadline_ms);
    if (call->finished || !cn_call_single_request(call)) cn_invoke_send_head(call);
}

CN_PRIVATE connect_io_t cn_invoke_send(connect_call_t *call, const void *message, const connect_str_t *encoded) {
    cn_exchange_t *x = &call->x;
    if (call->over || call->finished || call->concluding) return CONNECT_IO_END;
    if (call->opening) {
        call->writable = true;
        return CONNECT_IO_AGAIN;
    }
    if (message || encoded) {
        if (cn_buf_len(&x->out) >= call->rpc.limits->stream_buffer) {
            x->over_high_water = true;
            return CONNECT_IO_AGAIN;
        }
        if (!cn_call_put_message(call, message, encoded, &call->rpc.error)) {
            cn_invoke_end(call);
            return CONNECT_IO_ERROR;
        }
    }
    if (!x->http || cn_call_single_request(call)) return CONNECT_IO_OK;
    if (!x->sent_head)
        cn_invoke_send_head(call);
    else if (cn_buf_len(&x->out))
        x->http->version->flush(x);
    return call->over ? CONNECT_IO_ERROR : CONNECT_IO_OK;
}

/* Copies the request of a call that is held back. */
static bool cn_invoke_hold_request(connect_call_t *call, const void *message) {
    void *copy = cn_call_new_message(call->rpc.method->input, &call->arena);
    call->request = copy;
    return copy && cn_call_copy_message(call->rpc.method->input, copy, message, &call->arena);
}

CN_PRIVATE void cn_invoke_finish(connect_call_t *call, connect_code_t code, const void *message) {
    cn_exchange_t *x = &call->x;
    const connect_headers_t none = {NULL, 0};
    if (code != CONNECT_OK) {
        if (call->over) return;
        call->finished = true;
        cn_error_set(&call->rpc.error, code == CONNECT_LATER ? CONNECT_CANCELED : code, "canceled by this side");
        if (call->failure.message.len) call->rpc.error.message = call->failure.message;
        cn_invoke_end(call);
        return;
    }
    if (call->finished || call->over) return;
    if (call->opening) {
        call->finished = true;
        if (message && !cn_invoke_hold_request(call, message)) {
            cn_error_memory(&call->rpc.error);
            cn_invoke_end(call);
        }
        return;
    }
    if (message && !cn_call_put_message(call, message, NULL, &call->rpc.error)) {
        cn_invoke_end(call);
        return;
    }
    if (cn_call_single_request(call) && !call->messages_out) {
        cn_error_set(&call->rpc.error, CONNECT_INVALID_ARGUMENT, "the call was finished without its request");
        cn_invoke_end(call);
        return;
    }
    call->finished = true;
    if (cn_call_single_request(call)) {
        call->request_start = x->out.start;
        call->request_len = cn_buf_len(&x->out);
    }
    if (!x->http) return;
    if (!x->sent_head) {
        cn_invoke_send_head(call);
    } else {
        if (cn_buf_len(&x->out)) x->http->version->flush(x);
        x->http->version->send_end(x, none);
    }
}

/* ---- Interceptors at the beginning ---- */

/* Ends a call by a response of this side's. */
static void cn_invoke_answer(connect_call_t *call, const void *answer) {
    cn_buf_t bytes = {NULL, 0, 0, 0};
    char *copy = NULL;
    if (cn_call_encode(call, call->rpc.method->output, answer, &bytes, &call->rpc.error)) {
        copy = (char *)cn_arena_raw(&call->arena, cn_buf_len(&bytes) + CN_SLACK);
        if (!copy) cn_error_memory(&call->rpc.error);
    }
    if (copy) {
        memset(copy + cn_buf_len(&bytes), 0, CN_SLACK);
        if (cn_buf_len(&bytes)) memcpy(copy, cn_buf_view(&bytes).data, cn_buf_len(&bytes));
        call->held = cn_str(copy, cn_buf_len(&bytes));
        call->local = true;
        cn_invoke_take_single(call);
    }
    cn_buf_free(&bytes, call->rpc.allocator);
    cn_invoke_end(call);
}

CN_PRIVATE void cn_invoke_open(connect_call_t *call) {
    const void *answer = NULL;
    connect_code_t code;
    cn_call_enter(call);
    code = cn_intercept_open(call, &answer);
    if (call->over) {
        call->opening = false;
    } else if (code == CONNECT_OK && answer) {
        cn_invoke_answer(call, answer);
    } else if (code != CONNECT_OK && code != CONNECT_LATER) {
        call->rpc.error = cn_call_failure(call, code);
        cn_invoke_end(call);
    }
    cn_call_leave(call);
    if (call->over || call->opening) return;
    if (call->finished) {
        call->finished = false;
        cn_invoke_finish(call, CONNECT_OK, call->request);
    }
    call->owner_events->on_passed(call);
}

CN_PRIVATE void cn_invoke_proceed(connect_call_t *call, connect_code_t code, const void *answer) {
    if (!call->over && call->opening) {
        cn_call_poke(call);
        return;
    }
    if (!call->over && answer && code == CONNECT_OK) {
        cn_invoke_answer(call, answer);
    } else if (!call->over) {
        call->rpc.error = cn_call_failure(call, code);
        cn_invoke_end(call);
    }
    cn_call_release_if_done(call);
}

/* ---- Receiving without events ---- */

CN_PRIVATE connect_io_t cn_invoke_receive(
    connect_call_t *call, void *message, connect_arena_t *arena, connect_error_t *error) {
    connect_str_t payload = {"", 0};
    size_t whole = 0;
    if (!call->over && !cn_call_single_response(call) && cn_call_front(call, &payload, &whole) == CN_FRONT_MESSAGE &&
        !call->rpc.ended) {
        if (!cn_call_expand(call, &payload) || !cn_invoke_decode(call, payload, message, arena, true)) {
            cn_invoke_end(call);
        } else {
            call->messages_in++;
            cn_call_drop_front(call, whole);
            cn_invoke_pump(call);
            return CONNECT_IO_OK;
        }
    }
    if (!call->over) cn_invoke_pump(call);
    if (!call->over) return CONNECT_IO_AGAIN;
    if (call->rpc.error.code == CONNECT_OK && (call->local || cn_call_single_response(call)) && !call->taken) {
        call->taken = true;
        if (!call->response) {
            if (cn_invoke_decode(call, call->held, message, arena, true)) return CONNECT_IO_OK;
        } else if (cn_call_copy_message(call->rpc.method->output, message, call->response, arena)) {
            return CONNECT_IO_OK;
        } else {
            cn_error_memory(&call->rpc.error);
        }
    }
    if (call->rpc.error.code == CONNECT_OK) return CONNECT_IO_END;
    if (error) cn_error_copy(error, &call->rpc.error, arena);
    return CONNECT_IO_ERROR;
}
#endif
