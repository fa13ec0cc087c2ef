#include "call/intercept.h"
#include "base/str.h"
#include "call/call.h"
#include "call/invoke.h"
#include "call/serve.h"
#include "protocol/error.h"

/* Interceptors around a call: those of the server or client, and inside them those of the route. The first is the
   outermost.

   on_open      outermost first, until one answers, fails, or says LATER; LATER goes on with the next one at
                connect_call_proceed
   messages     requests outermost first, responses innermost first; only those see them that let the call pass
   on_finish    innermost first, all whose on_open was called, that which ended the call included

     opened 0 ---- on_open OK ----> passed = opened ---- ... ----> all have passed: the call goes on
                 \-- LATER -------> opening, proceed_due ---- proceed OK ----> opening (serve and invoke go on out of a
                 \                                         \                   poke: no callback inside of proceed)
                  \-- answer, code -----------------------  answer, code ----> the call ends

   Invariants: passed <= opened. After on_finish opened is 0: it cannot come twice. A call with proceed_due is not
   released, whatever becomes of its peer. */

#if CONNECT_ENABLE_CLIENT || CONNECT_ENABLE_SERVER
static const connect_interceptor_t *cn_intercept_at(const connect_call_t *call, size_t i) {
    const cn_interceptors_t *all = &call->interceptors;
    return i < all->outer_count ? &all->outer[i] : &all->inner[i - all->outer_count];
}

CN_PRIVATE connect_code_t cn_intercept_open(connect_call_t *call, const void **answer) {
    const size_t count = call->interceptors.outer_count + call->interceptors.inner_count;
    call->opening = true;
    while (call->opened < count) {
        const connect_interceptor_t *interceptor = cn_intercept_at(call, call->opened++);
        connect_code_t code = interceptor->on_open ? interceptor->on_open(call, answer, interceptor->user) : CONNECT_OK;
        if (code != CONNECT_OK || *answer) {
            call->opening = call->proceed_due = code == CONNECT_LATER;
            return code;
        }
        call->passed = call->opened;
    }
    call->opening = false;
    return CONNECT_OK;
}

static connect_code_t cn_intercept_message(connect_call_t *call, const void **message, bool received) {
    const bool is_request = received == call->is_server;
    size_t i;
    for (i = 0; i < call->passed; i++) {
        const connect_interceptor_t *interceptor = cn_intercept_at(call, is_request ? i : call->passed - 1 - i);
        connect_code_t (*on_message)(connect_call_t *, const void **, void *) =
            received ? interceptor->on_receive : interceptor->on_send;
        connect_code_t code = on_message ? on_message(call, message, interceptor->user) : CONNECT_OK;
        if (code != CONNECT_OK) return code;
    }
    return CONNECT_OK;
}

CN_PRIVATE connect_code_t cn_intercept_receive(connect_call_t *call, const void **message) {
    return cn_intercept_message(call, message, true);
}

CN_PRIVATE connect_code_t cn_intercept_send(connect_call_t *call, const void **message) {
    return cn_intercept_message(call, message, false);
}

CN_PRIVATE void cn_intercept_finish(connect_call_t *call) {
    const connect_error_t *before = &call->rpc.error;
    connect_error_t error = *before;
    size_t i = call->opened;
    if (i == 0) return;
    call->opened = call->passed = 0;
    call->concluding = true;
    cn_call_enter(call);
    while (i-- > 0) {
        const connect_interceptor_t *interceptor = cn_intercept_at(call, i);
        if (interceptor->on_finish) interceptor->on_finish(call, &error, interceptor->user);
    }
    if (!error.message.data) error.message = CN_STR("");
    if (error.message.data != before->message.data || error.details.items != before->details.items ||
        error.metadata.items != before->metadata.items)
        cn_error_copy(&call->rpc.error, &error, &call->arena); /* what is new may stand in the scratch arena */
    call->rpc.error.code = error.code == CONNECT_LATER ? CONNECT_INTERNAL : error.code;
    cn_call_leave(call);
    call->concluding = false;
}

void connect_call_proceed(connect_call_t *call, connect_code_t code, const void *answer_or_null) {
    const bool is_server = call->is_server; /* it may be released in between */
    if (!call->proceed_due || code == CONNECT_LATER) return;
    call->proceed_due = false;
    if (code == CONNECT_OK && !answer_or_null)
        call->passed = call->opened;
    else
        call->opening = false;
#if CONNECT_ENABLE_SERVER
    if (is_server) cn_serve_proceed(call, code, answer_or_null);
#endif
#if CONNECT_ENABLE_CLIENT
    if (!is_server) cn_invoke_proceed(call, code, answer_or_null);
#endif
}
#endif
