#pragma once
#include "base/sys.h"

#if CONNECT_ENABLE_CLIENT && CONNECT_ENABLE_SOCKETS
/* The default resolver of a client: answers by the system's resolver, on the loop's thread. */
CN_PRIVATE void cn_resolve_by_system(connect_resolve_t *question, const char *host, const char *port, void *user);
#endif
