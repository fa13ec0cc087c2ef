#include "loop/poller.h"

#if CONNECT_ENABLE_SOCKETS && CN_POLLER_KQUEUE
/* Waiting with kqueue(2), which knows filters where epoll knows descriptors:

     interest          EVFILT_READ         EVFILT_WRITE
     READ              level-triggered     -
     WRITE             EV_CLEAR            level-triggered
     READ and WRITE    level-triggered     level-triggered
     KNOWN alone       EV_CLEAR            -

   EVFILT_READ is there even if nothing is to be read, as it is what tells of a broken connection. EV_CLEAR then makes
   what arrives tell itself once, and cn_kqueue_wait drops it, unless it is an error. How a filter was added does not
   change by adding it again: it is deleted before.

   EV_EOF of EVFILT_READ: the peer has ended its side, which read finds behind the bytes before it; with an errno in
   fflags: the connection broke. EV_EOF of EVFILT_WRITE: nothing can be sent any more.

   The two filters of a descriptor come as two events. They are joined: handling the first may close the descriptor, and
   open another one in its place. */

#define CN_KQUEUE_BATCH 64  /* events of one wait: more stay for the next turn */
#define CN_KQUEUE_CHANGES 3 /* for one descriptor, at most */

typedef struct kevent cn_kevent_t;

static int cn_kqueue_open(void) {
    int poller = kqueue();
    if (poller >= 0) fcntl(poller, F_SETFD, FD_CLOEXEC);
    return poller;
}

static void cn_kqueue_close(int poller) {
    close(poller);
}

/* Returns how EVFILT_READ stands for an interest: its flags, 0 if it is not there. */
static unsigned cn_kqueue_read_flags(unsigned interest) {
    if (interest & CN_POLL_READ) return EV_ADD;
    return interest ? EV_ADD | EV_CLEAR : 0;
}

static cn_kevent_t cn_kqueue_change(int fd, int filter, unsigned flags, void *data) {
    cn_kevent_t change;
    EV_SET(&change, (unsigned)fd, filter, flags, 0, 0, data);
    return change;
}

static bool cn_kqueue_watch(int poller, int fd, unsigned old, unsigned interest, void *data) {
    cn_kevent_t changes[CN_KQUEUE_CHANGES], undo[CN_KQUEUE_CHANGES];
    unsigned read_old = cn_kqueue_read_flags(old), read = cn_kqueue_read_flags(interest);
    int count = 0, i, os_error;
    if ((interest & CN_POLL_WRITE) && !(old & CN_POLL_WRITE)) {
        undo[count] = cn_kqueue_change(fd, EVFILT_WRITE, EV_DELETE, data);
        changes[count++] = cn_kqueue_change(fd, EVFILT_WRITE, EV_ADD, data);
    }
    if (read_old && read != read_old) {
        undo[count] = cn_kqueue_change(fd, EVFILT_READ, read_old, data);
        changes[count++] = cn_kqueue_change(fd, EVFILT_READ, EV_DELETE, data);
    }
    if (read && read != read_old) {
        undo[count] = cn_kqueue_change(fd, EVFILT_READ, EV_DELETE, data);
        changes[count++] = cn_kqueue_change(fd, EVFILT_READ, read, data);
    }
    if (!(interest & CN_POLL_WRITE) && (old & CN_POLL_WRITE)) {
        undo[count] = cn_kqueue_change(fd, EVFILT_WRITE, EV_ADD, data);
        changes[count++] = cn_kqueue_change(fd, EVFILT_WRITE, EV_DELETE, data);
    }
    for (i = 0; i < count; i++)
        if (kevent(poller, &changes[i], 1, NULL, 0, NULL) != 0) break;
    if (i == count) return true;
    os_error = errno;
    while (i-- > 0)
        kevent(poller, &undo[i], 1, NULL, 0, NULL);
    errno = os_error;
    return false;
}

static unsigned cn_kqueue_ready(const cn_kevent_t *event) {
    bool has_ended = (event->flags & EV_EOF) != 0;
    unsigned ready = has_ended && event->fflags ? (unsigned)CN_POLL_ERROR : 0;
    if (event->filter == EVFILT_WRITE) return ready | CN_POLL_WRITE | (has_ended ? (unsigned)CN_POLL_HANGUP : 0);
    return ready | (event->flags & EV_CLEAR ? 0 : (unsigned)CN_POLL_READ);
}

static int cn_kqueue_wait(int poller, cn_poll_event_t *events, int capacity, int timeout_ms) {
    cn_kevent_t raw[CN_KQUEUE_BATCH];
    struct timespec timeout;
    int came, count = 0, i, at;
    timeout.tv_sec = timeout_ms / 1000;
    timeout.tv_nsec = timeout_ms % 1000 * 1000000L;
    capacity = CN_MIN(capacity, CN_KQUEUE_BATCH);
    /* the room is an int, on NetBSD a size_t */
    came = kevent(poller, NULL, 0, raw, (unsigned short)capacity, timeout_ms < 0 ? NULL : &timeout);
    for (i = 0; i < came; i++) {
        unsigned ready = cn_kqueue_ready(&raw[i]);
        if (!ready) continue;
        for (at = 0; at < count && events[at].data != raw[i].udata; at++) {}
        if (at == count) {
            events[count].data = raw[i].udata;
            events[count++].ready = 0;
        }
        events[at].ready |= ready;
    }
    return count;
}

CN_PRIVATE const cn_poller_t *cn_poller_kqueue(void) {
    static const cn_poller_t kqueue = {cn_kqueue_open, cn_kqueue_close, cn_kqueue_watch, cn_kqueue_wait};
    return &kqueue;
}
#endif
