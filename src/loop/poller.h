#pragma once
#include "base/sys.h"

#if CONNECT_ENABLE_SOCKETS
/* What to wait for with a descriptor; nothing (0): it is not known to the poller. CN_POLL_KNOWN alone: only errors. */
enum { CN_POLL_READ = 1, CN_POLL_WRITE = 2, CN_POLL_KNOWN = 4 };
/* What came, besides CN_POLL_READ and CN_POLL_WRITE. These two come unasked. */
enum { CN_POLL_ERROR = 8, CN_POLL_HANGUP = 16 };

typedef struct cn_poll_event_t {
    void *data;
    unsigned ready;
} cn_poll_event_t;

typedef struct cn_poller_t { /* one system's way to wait for many descriptors; what waits is itself a descriptor */
    /* Returns the poller's descriptor, or -1 with errno. */
    int (*open)(void);
    void (*close)(int poller);
    /* Changes what to wait for from `old` to `interest`; called only when they differ. Level-triggered. data: comes
       back with each event. Returns false, with errno; then nothing changed. */
    bool (*watch)(int poller, int fd, unsigned old, unsigned interest, void *data);
    /* Returns how many events came, at most one for each descriptor; 0 after the timeout (-1: none), a signal, or
       something that nobody asked for. */
    int (*wait)(int poller, cn_poll_event_t *events, int capacity, int timeout_ms);
} cn_poller_t;

#if CN_POLLER_KQUEUE
CN_PRIVATE const cn_poller_t *cn_poller_kqueue(void);
#else
CN_PRIVATE const cn_poller_t *cn_poller_epoll(void);
#endif
#endif
