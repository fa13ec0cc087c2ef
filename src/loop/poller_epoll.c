#include "loop/poller.h"

#if CONNECT_ENABLE_SOCKETS && !CN_POLLER_KQUEUE
/* Waiting with epoll(7), level-triggered: what was not read or written is told again, so a turn may stop anywhere. A
   descriptor is registered once and changed only when the interest in it changes; in steady traffic there is no
   epoll_ctl at all. EPOLLERR and EPOLLHUP come always, EPOLLRDHUP is not asked for: the end of the input is found by
   read, behind the bytes before it. */

#define CN_EPOLL_BATCH 64 /* events of one wait: more stay for the next turn */

static int cn_epoll_open(void) {
    return epoll_create1(EPOLL_CLOEXEC);
}

static void cn_epoll_close(int poller) {
    close(poller);
}

static bool cn_epoll_watch(int poller, int fd, unsigned old, unsigned interest, void *data) {
    struct epoll_event event;
    memset(&event, 0, sizeof event);
    event.events =
        (interest & CN_POLL_READ ? (uint32_t)EPOLLIN : 0) | (interest & CN_POLL_WRITE ? (uint32_t)EPOLLOUT : 0);
    event.data.ptr = data;
    return epoll_ctl(poller, old == 0 ? EPOLL_CTL_ADD : interest == 0 ? EPOLL_CTL_DEL : EPOLL_CTL_MOD, fd, &event) == 0;
}

static int cn_epoll_wait(int poller, cn_poll_event_t *events, int capacity, int timeout_ms) {
    struct epoll_event raw[CN_EPOLL_BATCH];
    int count = epoll_wait(poller, raw, CN_MIN(capacity, CN_EPOLL_BATCH), timeout_ms), i;
    for (i = 0; i < count; i++) {
        events[i].data = raw[i].data.ptr;
        events[i].ready = (raw[i].events & EPOLLIN ? (unsigned)CN_POLL_READ : 0) |
            (raw[i].events & EPOLLOUT ? (unsigned)CN_POLL_WRITE : 0) |
            (raw[i].events & EPOLLERR ? (unsigned)CN_POLL_ERROR : 0) |
            (raw[i].events & EPOLLHUP ? (unsigned)CN_POLL_HANGUP : 0);
    }
    return CN_MAX(count, 0);
}

CN_PRIVATE const cn_poller_t *cn_poller_epoll(void) {
    static const cn_poller_t epoll = {cn_epoll_open, cn_epoll_close, cn_epoll_watch, cn_epoll_wait};
    return &epoll;
}
#endif
