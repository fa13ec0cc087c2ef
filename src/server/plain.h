#pragma once
#include "base/sys.h"
#include "call/call.h"
#include "server/route.h"
#include "server/server.h"

#if CONNECT_ENABLE_SERVER
/* Asks on_request, which there is, about a request whose head has come; opens_rpc: it would be a call. Returns false:
   it is answered. */
CN_PRIVATE bool cn_plain_admit(connect_server_t *server, connect_call_t *call, bool opens_rpc);
/* Takes the body of a plain HTTP request, then has the path's handler answer it. */
CN_PRIVATE void cn_plain_begin(connect_call_t *call, const cn_route_t *page);
#endif
