#pragma once
#include "base/sys.h"
#include "call/call.h"

#if CONNECT_ENABLE_CLIENT
CN_PRIVATE const cn_exchange_events_t *cn_invoke_exchange_events(void);
/* The call has its exchange now: sends what waits. authority, path: live as long as the call. */
CN_PRIVATE void cn_invoke_begun(connect_call_t *call, connect_str_t authority, connect_str_t path);
/* Has interceptors see a call that was just started. */
CN_PRIVATE void cn_invoke_open(connect_call_t *call);
CN_PRIVATE void cn_invoke_proceed(connect_call_t *call, connect_code_t code, const void *answer);
CN_PRIVATE connect_io_t cn_invoke_send(connect_call_t *call, const void *message, const connect_str_t *encoded);
CN_PRIVATE void cn_invoke_finish(connect_call_t *call, connect_code_t code, const void *message);
/* Ends a call with rpc.error, which is set. on_closed follows, out of a feed: never from in here. */
CN_PRIVATE void cn_invoke_end(connect_call_t *call);
/* The same, of what the peer or the network did: the call may be made again. */
CN_PRIVATE void cn_invoke_decide(connect_call_t *call);
/* Ends a call because that which it was made for ends, and tells its application now. */
CN_PRIVATE void cn_invoke_end_child(connect_call_t *call);
CN_PRIVATE void cn_invoke_on_poke(connect_call_t *call);
/* For the _wait functions. Takes the next response: OK: decoded into the arena; AGAIN: none yet; END, ERROR: over. */
CN_PRIVATE connect_io_t cn_invoke_receive(
    connect_call_t *call, void *message, connect_arena_t *arena, connect_error_t *error);
#endif
