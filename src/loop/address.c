#include "loop/address.h"
#include "base/str.h"
#include "base/mem.h"

#if CONNECT_ENABLE_SOCKETS
/* Addresses: the forms that listen and dial take, and the texts that peers have.

     host:port           host: an IPv4 address, an IPv6 address in brackets (with %scope if need be), or a name
     :port               listen: all interfaces, IPv6 and IPv4; dial: loopback
     unix:/path          a Unix socket in the file system
     unix-abstract:name  one of Linux's without a file
     fd:3                a socket that is open already; it is the library's from then on
     systemd:name        listen: the socket of that FileDescriptorName= in the unit that started this process
                         (sd_listen_fds(3): LISTEN_PID, LISTEN_FDS and LISTEN_FDNAMES of the environment)

   Names are looked up by getaddrinfo, which BLOCKS, as long as resolv.conf lets it; numeric addresses never come there.
   An IPv4 peer of an IPv6 socket (RFC 4291 2.5.5.2) is printed as IPv4. */

#define CN_ADDRESS_FORMS \
    "\"host:port\", \":port\", \"unix:/path\", \"unix-abstract:name\", \"fd:3\" or \"systemd:name\""
#define CN_ADDRESS_HOST_MAX 253u /* RFC 1035 2.3.4, as text */

CN_PRIVATE bool cn_failure_print(cn_failure_t *failure, connect_code_t code, int os_error, const char *format, ...) {
    va_list arguments;
    failure->code = code;
    failure->os_error = os_error;
    va_start(arguments, format);
    vsnprintf(failure->text, sizeof failure->text, format, arguments);
    va_end(arguments);
    return false;
}

/* The text of an errno, in any thread. With _GNU_SOURCE glibc declares another strerror_r than POSIX. */
static const char *cn_failure_errno_text(int os_error, char *buffer, size_t size) {
#if defined(__GLIBC__) && defined(_GNU_SOURCE)
    return strerror_r(os_error, buffer, size);
#else
    if (strerror_r(os_error, buffer, size) != 0) snprintf(buffer, size, "error %d", os_error);
    return buffer;
#endif
}

static connect_code_t cn_failure_code(int os_error) {
    switch (os_error) {
    case EACCES:
    case EPERM: return CONNECT_PERMISSION_DENIED;
    case EINVAL:
    case EBADF:
    case ENOTSOCK:
    case ENOENT:
    case ENOTDIR:
    case ENAMETOOLONG:
    case EAFNOSUPPORT: return CONNECT_INVALID_ARGUMENT;
    case ENOMEM: return CONNECT_RESOURCE_EXHAUSTED;
    default: return CONNECT_UNAVAILABLE;
    }
}

CN_PRIVATE bool cn_failure_system(cn_failure_t *failure, const char *doing, const char *address, int os_error) {
    char buffer[128];
    return cn_failure_print(failure, cn_failure_code(os_error), os_error, "%s %s: %s", doing, address,
        cn_failure_errno_text(os_error, buffer, sizeof buffer));
}

static bool cn_address_refuse(cn_failure_t *failure, const char *text, const char *expected) {
    char block[640];
    connect_arena_t arena;
    connect_arena_init(&arena, block, sizeof block, NULL);
    return cn_failure_print(failure, CONNECT_INVALID_ARGUMENT, 0, "bad address \"%s\": expected %s",
        cn_str_quote(&arena, connect_str_of(text)).data, expected);
}

static bool cn_address_is_host(connect_str_t host) {
    size_t i;
    for (i = 0; i < host.len; i++) {
        char c = host.data[i];
        if (!((c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '.' || c == '-' ||
                c == '_'))
            return false;
    }
    return host.len <= CN_ADDRESS_HOST_MAX;
}

static bool cn_address_is_ipv6(connect_str_t host) {
    char text[INET6_ADDRSTRLEN];
    struct in6_addr in6;
    const char *scope = host.len ? (const char *)memchr(host.data, '%', host.len) : NULL;
    size_t len = scope ? (size_t)(scope - host.data) : host.len;
    if (len == 0 || len >= sizeof text || (scope && (host.len - len < 2 || host.len > 80))) return false;
    memcpy(text, host.data, len);
    text[len] = 0;
    return inet_pton(AF_INET6, text, &in6) == 1;
}

static bool cn_address_parse_tcp(cn_address_t *address, connect_str_t text, cn_failure_t *failure) {
    uint64_t port = 0;
    size_t colon = text.len;
    while (colon && text.data[colon - 1] != ':')
        colon--;
    if (colon == 0) return cn_address_refuse(failure, address->text, CN_ADDRESS_FORMS);
    address->host = cn_str(text.data, colon - 1);
    if (address->host.len && address->host.data[0] == '[') {
        size_t last = address->host.len - 1;
        if (address->host.data[last] != ']' || last < 2)
            return cn_address_refuse(failure, address->text, "an IPv6 address as in \"[::1]:443\"");
        address->host = cn_str(address->host.data + 1, last - 1);
        if (!cn_address_is_ipv6(address->host))
            return cn_address_refuse(failure, address->text, "an IPv6 address as in \"[::1]:443\"");
    } else if (address->host.len && memchr(address->host.data, ':', address->host.len)) {
        return cn_address_refuse(failure, address->text,
            memchr(text.data, '/', text.len) ? CN_ADDRESS_FORMS : "an IPv6 address in brackets, as in \"[::1]:443\"");
    } else if (!cn_address_is_host(address->host)) {
        return cn_address_refuse(failure, address->text, "a host name or an IP address before the port");
    }
    if (!cn_str_to_uint(cn_str(text.data + colon, text.len - colon), 5, &port) || port > 65535)
        return cn_address_refuse(failure, address->text, "a port from 0 to 65535 after the last colon");
    address->port = (uint16_t)port;
    return true;
}

/* Finds a name in LISTEN_FDNAMES; the descriptors are numbered from 3 on. */
static bool cn_address_parse_systemd(cn_address_t *address, connect_str_t name, cn_failure_t *failure) {
    const char *pid = getenv("LISTEN_PID"), *fds = getenv("LISTEN_FDS"), *names = getenv("LISTEN_FDNAMES");
    uint64_t value = 0, count = 0, i;
    if (!pid || !fds || !names || !cn_str_to_uint(connect_str_of(pid), 10, &value) || value != (uint64_t)getpid() ||
        !cn_str_to_uint(connect_str_of(fds), 9, &count))
        return cn_failure_print(failure, CONNECT_INVALID_ARGUMENT, 0,
            "cannot listen on %s: systemd has given this process no sockets (LISTEN_PID, LISTEN_FDS, LISTEN_FDNAMES)",
            address->text);
    for (i = 0; i < count && names; i++) {
        const char *end = strchr(names, ':');
        connect_str_t one = cn_str(names, end ? (size_t)(end - names) : strlen(names));
        if (connect_str_equal(one, name)) {
            address->kind = CN_ADDRESS_FD;
            address->fd = 3 + (int)i;
            return true;
        }
        names = end ? end + 1 : NULL;
    }
    return cn_failure_print(failure, CONNECT_INVALID_ARGUMENT, 0,
        "cannot listen on %s: none of systemd's sockets has this name (FileDescriptorName=)", address->text);
}

CN_PRIVATE bool cn_address_parse(cn_address_t *address, const char *text, cn_failure_t *failure) {
    connect_str_t view = connect_str_of(text);
    uint64_t fd;
    memset(address, 0, sizeof *address);
    address->text = text;
    if (view.len == 0) return cn_address_refuse(failure, "", CN_ADDRESS_FORMS);
    if (cn_str_starts(view, CN_STR("unix:"))) {
        address->kind = CN_ADDRESS_UNIX;
        address->path = cn_str(text + 5, view.len - 5);
        if (address->path.len == 0) return cn_address_refuse(failure, text, "a path, as in \"unix:/run/app.sock\"");
        if (address->path.len >= sizeof((struct sockaddr_un *)NULL)->sun_path)
            return cn_address_refuse(failure, text, "a path of at most 107 bytes");
        return true;
    }
    if (cn_str_starts(view, CN_STR("unix-abstract:"))) {
        address->kind = CN_ADDRESS_ABSTRACT;
        address->path = cn_str(text + 14, view.len - 14);
#if !defined(__linux__)
        return cn_address_refuse(failure, text, "another form: only Linux has abstract Unix sockets");
#else
        if (address->path.len == 0) return cn_address_refuse(failure, text, "a name, as in \"unix-abstract:app\"");
        if (address->path.len >= sizeof((struct sockaddr_un *)NULL)->sun_path)
            return cn_address_refuse(failure, text, "a name of at most 107 bytes");
        return true;
#endif
    }
    if (cn_str_starts(view, CN_STR("systemd:")))
        return cn_address_parse_systemd(address, cn_str(text + 8, view.len - 8), failure);
    if (cn_str_starts(view, CN_STR("fd:"))) {
        address->kind = CN_ADDRESS_FD;
        if (!cn_str_to_uint(cn_str(text + 3, view.len - 3), 9, &fd))
            return cn_address_refuse(failure, text, "the number of a descriptor, as in \"fd:3\"");
        address->fd = (int)fd;
        return true;
    }
    address->kind = CN_ADDRESS_TCP;
    return cn_address_parse_tcp(address, view, failure);
}

static void cn_endpoint_set_ipv4(cn_endpoint_t *endpoint, struct in_addr host, uint16_t port) {
    struct sockaddr_in in;
    memset(&in, 0, sizeof in);
    in.sin_family = AF_INET;
    in.sin_addr = host;
    in.sin_port = htons(port);
    memset(endpoint, 0, sizeof *endpoint);
    memcpy(&endpoint->address, &in, sizeof in);
    endpoint->len = sizeof in;
}

static void cn_endpoint_set_ipv6(cn_endpoint_t *endpoint, struct in6_addr host, uint16_t port) {
    struct sockaddr_in6 in6;
    memset(&in6, 0, sizeof in6);
    in6.sin6_family = AF_INET6;
    in6.sin6_addr = host;
    in6.sin6_port = htons(port);
    memset(endpoint, 0, sizeof *endpoint);
    memcpy(&endpoint->address, &in6, sizeof in6);
    endpoint->len = sizeof in6;
}

static size_t cn_endpoint_set_unix(cn_endpoint_t *endpoint, const cn_address_t *address) {
    struct sockaddr_un un;
    bool abstract = address->kind == CN_ADDRESS_ABSTRACT;
    memset(&un, 0, sizeof un);
    un.sun_family = AF_UNIX;
    memcpy(un.sun_path + (abstract ? 1 : 0), address->path.data, address->path.len); /* checked by parse */
    memset(endpoint, 0, sizeof *endpoint);
    memcpy(&endpoint->address, &un, sizeof un);
    endpoint->len = (socklen_t)(offsetof(struct sockaddr_un, sun_path) + address->path.len + 1);
    return 1;
}

/* Looks a name up. The order is getaddrinfo's (RFC 6724). */
static size_t cn_address_look_up(
    const cn_address_t *address, const char *host, cn_endpoint_t *endpoints, size_t capacity, cn_failure_t *failure) {
    struct addrinfo hints, *found = NULL, *at;
    char service[8];
    size_t count = 0;
    int status;
    memset(&hints, 0, sizeof hints);
    hints.ai_family = AF_UNSPEC;
    hints.ai_socktype = SOCK_STREAM;
    hints.ai_flags = AI_NUMERICSERV;
    snprintf(service, sizeof service, "%u", (unsigned)address->port);
    status = getaddrinfo(host, service, &hints, &found);
    if (status != 0) {
        int os_error = status == EAI_SYSTEM ? errno : 0;
        if (os_error)
            cn_failure_system(failure, "cannot resolve", host, os_error);
        else
            cn_failure_print(failure, status == EAI_MEMORY ? CONNECT_RESOURCE_EXHAUSTED : CONNECT_UNAVAILABLE, 0,
                "cannot resolve %s: %s", host, gai_strerror(status));
        return 0;
    }
    for (at = found; at && count < capacity; at = at->ai_next) {
        if (at->ai_addrlen > sizeof endpoints->address) continue;
        memset(&endpoints[count], 0, sizeof endpoints[count]);
        memcpy(&endpoints[count].address, at->ai_addr, at->ai_addrlen);
        endpoints[count++].len = at->ai_addrlen;
    }
    freeaddrinfo(found);
    if (count == 0) cn_failure_print(failure, CONNECT_UNAVAILABLE, 0, "cannot resolve %s: it has no address", host);
    return count;
}

CN_PRIVATE size_t cn_address_literal(
    const cn_address_t *address, bool to_listen, cn_endpoint_t *endpoints, size_t capacity) {
    char host[CN_ADDRESS_HOST_MAX + 1];
    struct in6_addr in6;
    struct in_addr in;
    size_t count = 0;
    if (address->kind == CN_ADDRESS_UNIX || address->kind == CN_ADDRESS_ABSTRACT)
        return cn_endpoint_set_unix(endpoints, address);
    if (address->host.len == 0) {
        struct in6_addr any6 = IN6ADDR_ANY_INIT, loopback6 = IN6ADDR_LOOPBACK_INIT;
        in.s_addr = htonl(to_listen ? INADDR_ANY : INADDR_LOOPBACK);
        if (!to_listen) cn_endpoint_set_ipv4(&endpoints[count++], in, address->port);
        if (count < capacity) cn_endpoint_set_ipv6(&endpoints[count++], to_listen ? any6 : loopback6, address->port);
        if (to_listen && count < capacity) cn_endpoint_set_ipv4(&endpoints[count++], in, address->port);
        return count;
    }
    memcpy(host, address->host.data, address->host.len);
    host[address->host.len] = 0;
    if (inet_pton(AF_INET, host, &in) == 1) {
        cn_endpoint_set_ipv4(endpoints, in, address->port);
        return 1;
    }
    if (inet_pton(AF_INET6, host, &in6) == 1) {
        cn_endpoint_set_ipv6(endpoints, in6, address->port);
        return 1;
    }
    return 0;
}

CN_PRIVATE size_t cn_address_resolve(
    const cn_address_t *address, bool to_listen, cn_endpoint_t *endpoints, size_t capacity, cn_failure_t *failure) {
    char host[CN_ADDRESS_HOST_MAX + 1];
    const size_t count = cn_address_literal(address, to_listen, endpoints, capacity);
    if (count) return count;
    memcpy(host, address->host.data, address->host.len);
    host[address->host.len] = 0;
    return cn_address_look_up(address, host, endpoints, capacity, failure);
}

static void cn_address_print_ipv4(char to[CN_PEER_TEXT], const unsigned char host[4], uint16_t port) {
    snprintf(to, CN_PEER_TEXT, "%u.%u.%u.%u:%u", host[0], host[1], host[2], host[3], port);
}

CN_PRIVATE void cn_address_print(char to[CN_PEER_TEXT], const struct sockaddr_storage *peer) {
    if (peer->ss_family == AF_INET) {
        struct sockaddr_in in;
        unsigned char host[4];
        memcpy(&in, peer, sizeof in);
        memcpy(host, &in.sin_addr, sizeof host);
        cn_address_print_ipv4(to, host, ntohs(in.sin_port));
    } else if (peer->ss_family == AF_INET6) {
        struct sockaddr_in6 in6;
        char host[INET6_ADDRSTRLEN] = "", scope[16] = "";
        memcpy(&in6, peer, sizeof in6);
        if (IN6_IS_ADDR_V4MAPPED(&in6.sin6_addr)) {
            cn_address_print_ipv4(to, in6.sin6_addr.s6_addr + 12, ntohs(in6.sin6_port));
            return;
        }
        inet_ntop(AF_INET6, &in6.sin6_addr, host, sizeof host);
        if (in6.sin6_scope_id) snprintf(scope, sizeof scope, "%%%u", (unsigned)in6.sin6_scope_id);
        snprintf(to, CN_PEER_TEXT, "[%s%s]:%u", host, scope, (unsigned)ntohs(in6.sin6_port));
    } else {
        snprintf(to, CN_PEER_TEXT, "unix:");
    }
}

CN_PRIVATE uint16_t cn_address_port(const struct sockaddr_storage *address) {
    if (address->ss_family == AF_INET) {
        struct sockaddr_in in;
        memcpy(&in, address, sizeof in);
        return ntohs(in.sin_port);
    }
    if (address->ss_family == AF_INET6) {
        struct sockaddr_in6 in6;
        memcpy(&in6, address, sizeof in6);
        return ntohs(in6.sin6_port);
    }
    return 0;
}
#endif
