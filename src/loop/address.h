#pragma once
#include "base/sys.h"

#if CONNECT_ENABLE_SOCKETS
#define CN_FAILURE_TEXT 256u
typedef struct cn_failure_t { /* why something with an address failed */
    connect_code_t code;
    int os_error;
    char text[CN_FAILURE_TEXT];
} cn_failure_t;
/* Returns false, so that a failing function can return it. */
CN_PRIVATE bool cn_failure_print(cn_failure_t *failure, connect_code_t code, int os_error, const char *format, ...)
    CONNECT_PRINTF(4, 5);
/* "<doing> <address>: <text of errno>", and the code that fits. Returns false. */
CN_PRIVATE bool cn_failure_system(cn_failure_t *failure, const char *doing, const char *address, int os_error);

typedef enum cn_address_kind_t {
    CN_ADDRESS_TCP,
    CN_ADDRESS_UNIX,
    CN_ADDRESS_ABSTRACT,
    CN_ADDRESS_FD
} cn_address_kind_t;
typedef struct cn_address_t { /* an address as the user wrote it; views into that text */
    cn_address_kind_t kind;
    const char *text;
    connect_str_t host; /* TCP: empty is any of this machine's; without brackets */
    connect_str_t path; /* Unix: of the file, or the abstract name */
    uint16_t port;
    int fd;
} cn_address_t;
CN_PRIVATE bool cn_address_parse(cn_address_t *address, const char *text, cn_failure_t *failure);

typedef struct cn_endpoint_t {
    struct sockaddr_storage address;
    socklen_t len;
} cn_endpoint_t;
/* The same, without looking a name up: 0 if the host is one. */
CN_PRIVATE size_t cn_address_literal(
    const cn_address_t *address, bool to_listen, cn_endpoint_t *endpoints, size_t capacity);
/* Gives what to bind or connect to, at most so many; not for CN_ADDRESS_FD. Blocks if the host is a name. to_listen: an
   empty host is all interfaces; else it is loopback. Returns how many, 0 after a failure. */
CN_PRIVATE size_t cn_address_resolve(
    const cn_address_t *address, bool to_listen, cn_endpoint_t *endpoints, size_t capacity, cn_failure_t *failure);

#define CN_PEER_TEXT 72u
/* Prints "10.0.0.7:51234", "[::1]:443", "unix:". */
CN_PRIVATE void cn_address_print(char to[CN_PEER_TEXT], const struct sockaddr_storage *peer);
/* Returns the port, 0 if the family has none. */
CN_PRIVATE uint16_t cn_address_port(const struct sockaddr_storage *address);
#endif
