#pragma once
#include "base/sys.h"
#include "call/call.h"

#if CONNECT_ENABLE_SERVER
/* The events of a server's exchange. */
CN_PRIVATE const cn_exchange_events_t *cn_serve_exchange_events(void);
/* Answers a request that is no call. headers: their texts live as long as the call. */
CN_PRIVATE void cn_serve_plain(connect_call_t *call, int status, connect_headers_t headers, connect_str_t body);
/* Begins a call: call->rpc.protocol, .method, .json, events, user and limits are set. deadlines: the policy. */
CN_PRIVATE void cn_serve_begin(connect_call_t *call, const connect_deadlines_t *deadlines);
/* Ends it with rpc.error, which is set: on the wire, once. */
CN_PRIVATE void cn_serve_answer(connect_call_t *call);
/* Ends a call that has not got all of its request, as memory is short. */
CN_PRIVATE void cn_serve_shed(connect_call_t *call);
CN_PRIVATE connect_io_t cn_serve_send(connect_call_t *call, const void *message, const connect_str_t *encoded);
CN_PRIVATE void cn_serve_proceed(connect_call_t *call, connect_code_t code, const void *answer);
CN_PRIVATE void cn_serve_finish(connect_call_t *call, connect_code_t code, const void *message);
CN_PRIVATE void cn_serve_on_poke(connect_call_t *call);
#endif
