#pragma once
#include "base/sys.h"
#include "io/conn.h"
#include "loop/address.h"

#if CONNECT_ENABLE_SOCKETS
typedef struct cn_listening_t { /* a listening socket, and which file it made */
    int fd;
    uint16_t port;  /* 0: it has none */
    bool owns_path; /* a Unix socket's file, to be removed if it is still this one */
    dev_t device;
    ino_t inode;
} cn_listening_t;

/* Listens, as connect_server_listen says. */
CN_PRIVATE bool cn_socket_listen(cn_listening_t *listening, const cn_address_t *address,
    const connect_listen_options_t *options_or_null, cn_failure_t *failure);
CN_PRIVATE void cn_socket_unlisten(cn_listening_t *listening);
/* Takes a waiting connection, and prints its address. Returns its descriptor, or -1 with errno. */
CN_PRIVATE int cn_socket_accept(int listener, char peer[CN_PEER_TEXT]);
/* Tells whose process the other end of a Unix socket is. */
CN_PRIVATE void cn_socket_get_credentials(int fd, cn_credentials_t *credentials);
/* Begins to connect. Returns the descriptor, or -1 with errno. *is_open: no need to wait. */
CN_PRIVATE int cn_socket_connect(const cn_endpoint_t *endpoint, bool *is_open);
/* Takes a connected socket of the user's over. Returns its descriptor, or -1. */
CN_PRIVATE int cn_socket_adopt(const cn_address_t *address, cn_failure_t *failure);
/* Returns what became of a connect that had to wait, or what broke a socket: an errno, or 0. */
CN_PRIVATE int cn_socket_error(int fd);
/* Return how many bytes, 0 at the end of the input, or -1 with errno. */
CN_PRIVATE ptrdiff_t cn_socket_read(int fd, void *to, size_t size);
CN_PRIVATE ptrdiff_t cn_socket_write(int fd, connect_str_t bytes);
/* True if errno only says that the socket is not ready. */
CN_PRIVATE bool cn_socket_would_block(int os_error);

/* A descriptor that becomes readable when another thread or a signal handler says so: ends[0] reads, ends[1] says. */
CN_PRIVATE bool cn_wake_open(int ends[2]);
CN_PRIVATE void cn_wake_close(int ends[2]);
CN_PRIVATE void cn_wake_send(int end); /* async-signal-safe; errno stays */
CN_PRIVATE void cn_wake_drain(int end);
#endif
