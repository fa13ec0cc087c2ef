#pragma once
#include "base/sys.h"
#include "call/call.h"

#if CONNECT_ENABLE_CLIENT || CONNECT_ENABLE_SERVER
/* Calls on_open of those that have not been called yet. Returns OK: all let the call pass, or *answer ends it; LATER:
   connect_call_proceed is due; another code ends it. *answer: NULL before; may stand in the scratch arena. */
CN_PRIVATE connect_code_t cn_intercept_open(connect_call_t *call, const void **answer);
/* A message came in, or is about to go. Inside cn_call_enter and _leave: what is put in place may stand in the scratch
   arena. */
CN_PRIVATE connect_code_t cn_intercept_receive(connect_call_t *call, const void **message);
CN_PRIVATE connect_code_t cn_intercept_send(connect_call_t *call, const void **message);
/* Calls on_finish, once, with rpc.error, and takes what becomes of it. */
CN_PRIVATE void cn_intercept_finish(connect_call_t *call);
#endif
