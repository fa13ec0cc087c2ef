#include "loop/socket.h"

#if CONNECT_ENABLE_SOCKETS
/* Sockets: the system calls, each with its rules. Every socket is nonblocking, closed on exec, and of TCP without delay
   (Nagle's algorithm waits for acknowledgements that a batched writer has no use for). No call raises SIGPIPE.

   Flags are set by fcntl after accept and socket (POSIX.1-2008 has no accept4): between the two a fork with exec in
   another thread could leak the descriptor to the child.

   Listening, TCP: SO_REUSEADDR, so that a server starts again while old connections are in TIME_WAIT; IPv6 sockets take
   IPv4 as well. The next address of a name is tried only if this machine does not have the one before; a port in use is
   an error, not a reason to listen elsewhere.
   Listening, Unix: permissions are set between bind and listen, while nobody can connect. A socket file that exists is
   removed only if it is a socket and nobody answers; a file of another kind never. When listening ends the file goes,
   if it is still the one made here. */

#define CN_SOCKET_BACKLOG 1024u
#define CN_SOCKET_UNIX_MODE 0660u
#define CN_SOCKET_ENDPOINTS 8

static void cn_socket_close(int fd) {
    int saved = errno;
    close(fd);
    errno = saved;
}

static bool cn_socket_set_flags(int fd) {
    int status = fcntl(fd, F_GETFL);
    return status >= 0 && fcntl(fd, F_SETFL, status | O_NONBLOCK) == 0 && fcntl(fd, F_SETFD, FD_CLOEXEC) == 0;
}

static void cn_socket_set_option(int fd, int level, int option, int value) {
    setsockopt(fd, level, option, &value, sizeof value);
}

static void cn_socket_set_stream(int fd, int family) {
    if (family == AF_INET || family == AF_INET6) cn_socket_set_option(fd, IPPROTO_TCP, TCP_NODELAY, 1);
#if defined(SO_NOSIGPIPE)
    cn_socket_set_option(fd, SOL_SOCKET, SO_NOSIGPIPE, 1);
#endif
}

static int cn_socket_open(int family) {
    int fd = socket(family, SOCK_STREAM, 0);
    if (fd >= 0 && !cn_socket_set_flags(fd)) {
        cn_socket_close(fd);
        return -1;
    }
    return fd;
}

static void cn_endpoint_view(const cn_endpoint_t *endpoint, const struct sockaddr **address) {
    *address = (const struct sockaddr *)(const void *)&endpoint->address;
}

/* ---- Listening -------------------------------------------------------------------------------------------------- */

/* Removes the file of a Unix socket that nobody listens on any more. Returns 0, or why it must stay. */
static int cn_socket_remove_stale(const cn_endpoint_t *endpoint, const char *path) {
    const struct sockaddr *address;
    struct stat file;
    int fd, os_error;
    if (lstat(path, &file) != 0) return errno == ENOENT ? 0 : errno;
    if (!S_ISSOCK(file.st_mode)) return EEXIST;
    fd = cn_socket_open(AF_UNIX);
    if (fd < 0) return errno;
    cn_endpoint_view(endpoint, &address);
    os_error = connect(fd, address, endpoint->len) == 0 ? 0 : errno;
    close(fd);
    if (os_error != ECONNREFUSED) return EADDRINUSE;
    return unlink(path) == 0 ? 0 : errno;
}

static int cn_socket_bind(int fd, const cn_endpoint_t *endpoint, const char *path_or_null, mode_t mode) {
    const struct sockaddr *address;
    int os_error;
    cn_endpoint_view(endpoint, &address);
    if (bind(fd, address, endpoint->len) != 0) {
        if (!path_or_null || errno != EADDRINUSE) return errno;
        os_error = cn_socket_remove_stale(endpoint, path_or_null);
        if (os_error) return os_error;
        if (bind(fd, address, endpoint->len) != 0) return errno;
    }
    if (path_or_null && chmod(path_or_null, mode) != 0) {
        os_error = errno;
        unlink(path_or_null);
        return os_error;
    }
    return 0;
}

/* Returns 0, or the errno of what failed. */
static int cn_socket_listen_at(cn_listening_t *listening, const cn_endpoint_t *endpoint, const char *path_or_null,
    const connect_listen_options_t *options_or_null) {
    uint32_t backlog = options_or_null && options_or_null->backlog ? options_or_null->backlog : CN_SOCKET_BACKLOG;
    uint32_t mode = options_or_null && options_or_null->unix_mode ? options_or_null->unix_mode : CN_SOCKET_UNIX_MODE;
    int family = endpoint->address.ss_family, os_error, fd = cn_socket_open(family);
    struct stat file;
    if (fd < 0) return errno;
    if (family != AF_UNIX) cn_socket_set_option(fd, SOL_SOCKET, SO_REUSEADDR, 1);
    if (family == AF_INET6) cn_socket_set_option(fd, IPPROTO_IPV6, IPV6_V6ONLY, 0);
    if (family != AF_UNIX && options_or_null && options_or_null->reuse_port) {
        int on = 1;
        if (setsockopt(fd, SOL_SOCKET, SO_REUSEPORT, &on, sizeof on) != 0) {
            os_error = errno;
            close(fd);
            return os_error;
        }
    }
    os_error = cn_socket_bind(fd, endpoint, path_or_null, (mode_t)mode);
    if (os_error == 0 && listen(fd, (int)CN_MIN(backlog, (uint32_t)INT_MAX)) != 0) {
        os_error = errno;
        if (path_or_null) unlink(path_or_null);
    }
    if (os_error) {
        close(fd);
        return os_error;
    }
    listening->fd = fd;
    if (path_or_null && lstat(path_or_null, &file) == 0) {
        listening->owns_path = true;
        listening->device = file.st_dev;
        listening->inode = file.st_ino;
    }
    return 0;
}

static void cn_socket_name(int fd, struct sockaddr_storage *name) {
    socklen_t len = sizeof *name;
    memset(name, 0, sizeof *name);
    getsockname(fd, (struct sockaddr *)(void *)name, &len);
}

/* Tells whether a descriptor of the user's is a stream socket that does, or does not, listen; 0, or an errno. */
static int cn_socket_check(int fd, bool listens) {
    int type = 0, is_listening = 0;
    socklen_t len = sizeof type;
    if (getsockopt(fd, SOL_SOCKET, SO_TYPE, &type, &len) != 0) return errno;
    len = sizeof is_listening;
    if (getsockopt(fd, SOL_SOCKET, SO_ACCEPTCONN, &is_listening, &len) != 0) return errno;
    return type == SOCK_STREAM && (is_listening != 0) == listens ? 0 : EINVAL;
}

static bool cn_socket_listen_adopt(cn_listening_t *listening, const cn_address_t *address, cn_failure_t *failure) {
    int os_error = cn_socket_check(address->fd, true);
    if (os_error == EINVAL)
        return cn_failure_print(failure, CONNECT_INVALID_ARGUMENT, EINVAL,
            "cannot listen on %s: it is not a listening socket", address->text);
    if (os_error == 0 && !cn_socket_set_flags(address->fd)) os_error = errno;
    if (os_error) return cn_failure_system(failure, "cannot listen on", address->text, os_error);
    listening->fd = address->fd;
    return true;
}

CN_PRIVATE bool cn_socket_listen(cn_listening_t *listening, const cn_address_t *address,
    const connect_listen_options_t *options_or_null, cn_failure_t *failure) {
    struct sockaddr_storage name;
    memset(listening, 0, sizeof *listening);
    listening->fd = -1;
    if (address->kind == CN_ADDRESS_FD) {
        if (!cn_socket_listen_adopt(listening, address, failure)) return false;
    } else {
        cn_endpoint_t endpoints[CN_SOCKET_ENDPOINTS];
        size_t count = cn_address_resolve(address, true, endpoints, CN_LEN(endpoints), failure), i;
        int os_error = EADDRNOTAVAIL;
        const char *path = address->kind == CN_ADDRESS_UNIX ? address->path.data : NULL;
        if (count == 0) return false;
        for (i = 0; i < count && (os_error == EADDRNOTAVAIL || os_error == EAFNOSUPPORT); i++)
            os_error = cn_socket_listen_at(listening, &endpoints[i], path, options_or_null);
        if (os_error == EEXIST)
            return cn_failure_print(failure, CONNECT_INVALID_ARGUMENT, EEXIST,
                "cannot listen on %s: the file exists and is no socket", address->text);
        if (os_error) return cn_failure_system(failure, "cannot listen on", address->text, os_error);
    }
    cn_socket_name(listening->fd, &name);
    listening->port = cn_address_port(&name);
    return true;
}

CN_PRIVATE void cn_socket_unlisten(cn_listening_t *listening) {
    if (listening->fd < 0) return;
    if (listening->owns_path) {
        struct sockaddr_storage name;
        struct sockaddr_un un;
        struct stat file;
        cn_socket_name(listening->fd, &name);
        memcpy(&un, &name, sizeof un);
        un.sun_path[sizeof un.sun_path - 1] = 0;
        if (lstat(un.sun_path, &file) == 0 && file.st_dev == listening->device && file.st_ino == listening->inode)
            unlink(un.sun_path);
    }
    close(listening->fd);
    listening->fd = -1;
}

/* ---- Connections ------------------------------------------------------------------------------------------------ */

CN_PRIVATE int cn_socket_accept(int listener, char peer[CN_PEER_TEXT]) {
    struct sockaddr_storage address;
    socklen_t len = sizeof address;
    int fd;
    memset(&address, 0, sizeof address);
    fd = accept(listener, (struct sockaddr *)(void *)&address, &len);
    if (fd < 0) return -1;
    if (!cn_socket_set_flags(fd)) {
        cn_socket_close(fd);
        return -1;
    }
    cn_socket_set_stream(fd, address.ss_family);
    cn_address_print(peer, &address);
    return fd;
}

CN_PRIVATE void cn_socket_get_credentials(int fd, cn_credentials_t *credentials) {
#if defined(SO_PEERCRED)
    {
        struct { /* struct ucred, which glibc hides without _GNU_SOURCE */
            pid_t pid;
            uid_t uid;
            gid_t gid;
        } peer;
        socklen_t len = sizeof peer;
        if (getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &peer, &len) != 0 || len != sizeof peer) return;
        credentials->pid = peer.pid;
        credentials->uid = peer.uid;
        credentials->gid = peer.gid;
    }
#else
    {
        uid_t uid;
        gid_t gid;
        if (getpeereid(fd, &uid, &gid) != 0) return;
        credentials->uid = uid;
        credentials->gid = gid;
    }
#endif
}

CN_PRIVATE int cn_socket_connect(const cn_endpoint_t *endpoint, bool *is_open) {
    const struct sockaddr *address;
    int fd = cn_socket_open(endpoint->address.ss_family);
    if (fd < 0) return -1;
    cn_socket_set_stream(fd, endpoint->address.ss_family);
    cn_endpoint_view(endpoint, &address);
    *is_open = connect(fd, address, endpoint->len) == 0;
    if (*is_open || errno == EINPROGRESS || errno == EINTR) return fd;
    cn_socket_close(fd);
    return -1;
}

CN_PRIVATE int cn_socket_adopt(const cn_address_t *address, cn_failure_t *failure) {
    struct sockaddr_storage name;
    int os_error = cn_socket_check(address->fd, false);
    if (os_error == EINVAL) {
        cn_failure_print(failure, CONNECT_INVALID_ARGUMENT, EINVAL,
            "cannot connect to %s: it is not a connected stream socket", address->text);
        return -1;
    }
    if (os_error == 0 && !cn_socket_set_flags(address->fd)) os_error = errno;
    if (os_error) {
        cn_failure_system(failure, "cannot connect to", address->text, os_error);
        return -1;
    }
    cn_socket_name(address->fd, &name);
    cn_socket_set_stream(address->fd, name.ss_family);
    return address->fd;
}

CN_PRIVATE int cn_socket_error(int fd) {
    int os_error = 0;
    socklen_t len = sizeof os_error;
    return getsockopt(fd, SOL_SOCKET, SO_ERROR, &os_error, &len) == 0 ? os_error : errno;
}

CN_PRIVATE ptrdiff_t cn_socket_read(int fd, void *to, size_t size) {
    ptrdiff_t got;
    do
        got = recv(fd, to, size, 0);
    while (got < 0 && errno == EINTR);
    return got;
}

CN_PRIVATE ptrdiff_t cn_socket_write(int fd, connect_str_t bytes) {
    ptrdiff_t sent;
    do
#if defined(MSG_NOSIGNAL)
        sent = send(fd, bytes.data, bytes.len, MSG_NOSIGNAL);
#else
        sent = send(fd, bytes.data, bytes.len, 0); /* SO_NOSIGPIPE is set */
#endif
    while (sent < 0 && errno == EINTR);
    return sent;
}

CN_PRIVATE bool cn_socket_would_block(int os_error) {
#if EAGAIN != EWOULDBLOCK
    if (os_error == EWOULDBLOCK) return true;
#endif
    return os_error == EAGAIN;
}

/* ---- Waking ----------------------------------------------------------------------------------------------------- */

CN_PRIVATE bool cn_wake_open(int ends[2]) {
#if !CN_POLLER_KQUEUE
    ends[0] = ends[1] = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    return ends[0] >= 0;
#else
    if (pipe(ends) != 0) {
        ends[0] = ends[1] = -1;
        return false;
    }
    if (cn_socket_set_flags(ends[0]) && cn_socket_set_flags(ends[1])) return true;
    cn_wake_close(ends);
    return false;
#endif
}

CN_PRIVATE void cn_wake_close(int ends[2]) {
    if (ends[0] >= 0) cn_socket_close(ends[0]);
    if (ends[1] >= 0 && ends[1] != ends[0]) cn_socket_close(ends[1]);
    ends[0] = ends[1] = -1;
}

CN_PRIVATE void cn_wake_send(int end) {
    static const uint64_t one = 1;
    int saved = errno;
    while (write(end, &one, sizeof one) < 0 && errno == EINTR) {
        /* a full pipe or counter is readable already */
    }
    errno = saved;
}

CN_PRIVATE void cn_wake_drain(int end) {
    char bytes[64];
#if !CN_POLLER_KQUEUE
    while (read(end, bytes, sizeof(uint64_t)) < 0 && errno == EINTR) {}
#else
    while (read(end, bytes, sizeof bytes) > 0) {}
#endif
}
#endif
