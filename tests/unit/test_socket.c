#define CONNECT_IMPLEMENTATION
#include "connect.h"
#include "tests/support/support.h"

/* Addresses and sockets: the forms and their error texts, what listening leaves behind, what it refuses. */

#define PEER_TEXT 72 /* CN_PEER_TEXT */
#define FORMS "\"host:port\", \":port\", \"unix:/path\", \"unix-abstract:name\", \"fd:3\" or \"systemd:name\""

static void test_address_good(void **state) {
    static const struct {
        const char *text;
        cn_address_kind_t kind;
        const char *host, *path;
        unsigned port;
        int fd;
    } cases[] = {
        {"127.0.0.1:8080", CN_ADDRESS_TCP, "127.0.0.1", "", 8080, 0},
        {"localhost:0", CN_ADDRESS_TCP, "localhost", "", 0, 0},
        {"a-b_c.example:65535", CN_ADDRESS_TCP, "a-b_c.example", "", 65535, 0},
        {":443", CN_ADDRESS_TCP, "", "", 443, 0},
        {":00443", CN_ADDRESS_TCP, "", "", 443, 0},
        {"[::1]:443", CN_ADDRESS_TCP, "::1", "", 443, 0},
        {"[fe80::1%eth0]:443", CN_ADDRESS_TCP, "fe80::1%eth0", "", 443, 0},
        {"[::ffff:10.0.0.7]:1", CN_ADDRESS_TCP, "::ffff:10.0.0.7", "", 1, 0},
        {"unix:/run/app.sock", CN_ADDRESS_UNIX, "", "/run/app.sock", 0, 0},
        {"unix:relative", CN_ADDRESS_UNIX, "", "relative", 0, 0},
        {"unix-abstract:app", CN_ADDRESS_ABSTRACT, "", "app", 0, 0},
        {"fd:3", CN_ADDRESS_FD, "", "", 0, 3},
        {"fd:0", CN_ADDRESS_FD, "", "", 0, 0},
    };
    size_t i;
    (void)state;
    for (i = 0; i < sizeof cases / sizeof *cases; i++) {
        guarded text = guarded_copy(cases[i].text, strlen(cases[i].text) + 1, 0);
        cn_address_t address;
        cn_failure_t failure;
        if (!cn_address_parse(&address, text.data, &failure)) fail_msg("%s: %s", cases[i].text, failure.text);
        assert_int_equal(address.kind, cases[i].kind);
        assert_str(address.host, cases[i].host);
        assert_str(address.path, cases[i].path);
        assert_int_equal(address.port, cases[i].port);
        assert_int_equal(address.fd, cases[i].fd);
        guarded_free(&text);
    }
}

static void test_address_bad(void **state) {
    static const char port[] = "a port from 0 to 65535 after the last colon";
    static const char host[] = "a host name or an IP address before the port";
    static const char ipv6[] = "an IPv6 address as in \"[::1]:443\"";
    static const char *const cases[][2] = {
        {"", FORMS},
        {"localhost", FORMS},
        {"8080", FORMS},
        {"/run/app.sock", FORMS},
        {"http://localhost:80", FORMS},
        {":", port},
        {"localhost:", port},
        {"localhost:http", port},
        {"localhost:65536", port},
        {"localhost:100000", port},
        {"localhost:-1", port},
        {"localhost:+1", port},
        {"localhost: 1", port},
        {"localhost:80/", port},
        {"local host:80", host},
        {"a/b:80", host},
        {"::1:80", "an IPv6 address in brackets, as in \"[::1]:443\""},
        {"[]:80", ipv6},
        {"[::1:80", ipv6},
        {"[::g]:80", ipv6},
        {"[127.0.0.1]:80", ipv6},
        {"[::1%]:80", ipv6},
        {"[::1]80", ipv6},
        {"unix:", "a path, as in \"unix:/run/app.sock\""},
        {"unix-abstract:", "a name, as in \"unix-abstract:app\""},
        {"fd:", "the number of a descriptor, as in \"fd:3\""},
        {"fd:-1", "the number of a descriptor, as in \"fd:3\""},
        {"fd:3x", "the number of a descriptor, as in \"fd:3\""},
        {"fd:9999999999", "the number of a descriptor, as in \"fd:3\""},
    };
    size_t i;
    (void)state;
    for (i = 0; i < sizeof cases / sizeof *cases; i++) {
        guarded text = guarded_copy(cases[i][0], strlen(cases[i][0]) + 1, 0);
        char expected[400];
        cn_address_t address;
        cn_failure_t failure;
        bool ok = cn_address_parse(&address, text.data, &failure);
        snprintf(expected, sizeof expected, "bad address \"%s\": expected %s", cases[i][0], cases[i][1]);
        assert_false(ok);
        assert_int_equal(failure.code, CONNECT_INVALID_ARGUMENT);
        assert_int_equal(failure.os_error, 0);
        assert_string_equal(failure.text, expected);
        guarded_free(&text);
    }
}

static void test_address_lengths(void **state) {
    char text[1000];
    cn_address_t address;
    cn_failure_t failure;
    size_t longest_path = sizeof((struct sockaddr_un *)NULL)->sun_path - 1;
    (void)state;
    memset(text, 'a', sizeof text);
    memcpy(text, "unix:", 5);
    text[5 + longest_path] = 0;
    assert_true(cn_address_parse(&address, text, &failure));
    memcpy(text + 5 + longest_path, "a", 2);
    assert_false(cn_address_parse(&address, text, &failure));
    assert_non_null(strstr(failure.text, "expected a path of at most 107 bytes"));
    memset(text, 'a', sizeof text);
    memcpy(text, "unix-abstract:", 14);
    text[14 + longest_path] = 0;
    assert_true(cn_address_parse(&address, text, &failure));
    memcpy(text + 14 + longest_path, "a", 2);
    assert_false(cn_address_parse(&address, text, &failure));
    memset(text, 'a', sizeof text);
    memcpy(text + 253, ":1", 3);
    assert_true(cn_address_parse(&address, text, &failure));
    memset(text, 'a', sizeof text);
    memcpy(text + 254, ":1", 3);
    assert_false(cn_address_parse(&address, text, &failure));
    memset(text, '\x01', sizeof text);
    text[sizeof text - 1] = 0;
    assert_false(cn_address_parse(&address, text, &failure));
    assert_true(strlen(failure.text) < sizeof failure.text);
    assert_non_null(strstr(failure.text, "\\x01"));
}

static void assert_peer(int family, const char *host, unsigned port, unsigned scope, const char *expected) {
    struct sockaddr_storage storage;
    char text[PEER_TEXT];
    memset(&storage, 0, sizeof storage);
    if (family == AF_INET) {
        struct sockaddr_in in;
        memset(&in, 0, sizeof in);
        in.sin_family = AF_INET;
        in.sin_port = htons((uint16_t)port);
        assert_int_equal(inet_pton(AF_INET, host, &in.sin_addr), 1);
        memcpy(&storage, &in, sizeof in);
    } else if (family == AF_INET6) {
        struct sockaddr_in6 in6;
        memset(&in6, 0, sizeof in6);
        in6.sin6_family = AF_INET6;
        in6.sin6_port = htons((uint16_t)port);
        in6.sin6_scope_id = scope;
        assert_int_equal(inet_pton(AF_INET6, host, &in6.sin6_addr), 1);
        memcpy(&storage, &in6, sizeof in6);
    } else {
        storage.ss_family = AF_UNIX;
    }
    cn_address_print(text, &storage);
    assert_string_equal(text, expected);
    assert_int_equal(cn_address_port(&storage), port);
}

static void test_peer_text(void **state) {
    (void)state;
    assert_peer(AF_INET, "10.0.0.7", 51234, 0, "10.0.0.7:51234");
    assert_peer(AF_INET, "255.255.255.255", 65535, 0, "255.255.255.255:65535");
    assert_peer(AF_INET6, "::1", 443, 0, "[::1]:443");
    assert_peer(AF_INET6, "::ffff:10.0.0.7", 51234, 0, "10.0.0.7:51234");
    assert_peer(AF_INET6, "fe80::1", 1, 4294967295u, "[fe80::1%4294967295]:1");
    assert_peer(AF_INET6, "1111:2222:3333:4444:5555:6666:7777:8888", 65535, 4294967295u,
        "[1111:2222:3333:4444:5555:6666:7777:8888%4294967295]:65535");
    assert_peer(AF_UNIX, NULL, 0, 0, "unix:");
}

static bool listen_at(
    cn_listening_t *listening, const char *text, const connect_listen_options_t *options, cn_failure_t *failure) {
    cn_address_t address;
    memset(listening, 0, sizeof *listening);
    listening->fd = -1;
    return cn_address_parse(&address, text, failure) && cn_socket_listen(listening, &address, options, failure);
}

static void assert_listens(cn_listening_t *listening, const char *text, const connect_listen_options_t *options) {
    cn_failure_t failure;
    if (!listen_at(listening, text, options, &failure)) fail_msg("%s", failure.text);
    assert_true((fcntl(listening->fd, F_GETFL) & O_NONBLOCK) != 0);
    assert_true((fcntl(listening->fd, F_GETFD) & FD_CLOEXEC) != 0);
}

static void assert_refused(const char *text, const connect_listen_options_t *options, connect_code_t code, int os_error,
    const char *expected) {
    cn_listening_t listening;
    cn_failure_t failure;
    assert_false(listen_at(&listening, text, options, &failure));
    assert_int_equal(failure.code, code);
    assert_int_equal(failure.os_error, os_error);
    assert_string_equal(failure.text, expected);
}

/* Connects to what listens, and gives the accepted end, and who it says connected. */
static int connect_to(const cn_listening_t *listening, const char *text, int *accepted, char peer[PEER_TEXT]) {
    cn_endpoint_t endpoints[4];
    cn_address_t address;
    cn_failure_t failure;
    bool is_open = false;
    int fd, tries, on = 0;
    socklen_t len = sizeof on;
    assert_true(cn_address_parse(&address, text, &failure));
    assert_true(cn_address_resolve(&address, false, endpoints, 4, &failure) > 0);
    fd = cn_socket_connect(&endpoints[0], &is_open);
    assert_true(fd >= 0);
    assert_true((fcntl(fd, F_GETFL) & O_NONBLOCK) != 0);
    assert_true((fcntl(fd, F_GETFD) & FD_CLOEXEC) != 0);
    for (tries = 0; (*accepted = cn_socket_accept(listening->fd, peer)) < 0 && tries < 1000; tries++)
        usleep(1000);
    assert_true(*accepted >= 0);
    assert_true((fcntl(*accepted, F_GETFL) & O_NONBLOCK) != 0);
    assert_true((fcntl(*accepted, F_GETFD) & FD_CLOEXEC) != 0);
    if (address.kind == CN_ADDRESS_TCP) {
        assert_int_equal(getsockopt(*accepted, IPPROTO_TCP, TCP_NODELAY, &on, &len), 0);
        assert_true(on != 0);
    }
    assert_int_equal(cn_socket_error(fd), 0);
    return fd;
}

static void test_tcp(void **state) {
    cn_listening_t listening, other;
    connect_listen_options_t options = CONNECT_DEFAULTS;
    char text[64], expected[128], peer[PEER_TEXT], byte = 0;
    int accepted, fd;
    connect_str_t hello = {"hello", 5};
    (void)state;
    assert_listens(&listening, "127.0.0.1:0", NULL);
    assert_true(listening.port > 0);
    snprintf(text, sizeof text, "127.0.0.1:%u", (unsigned)listening.port);
    snprintf(expected, sizeof expected, "cannot listen on %s: %s", text, strerror(EADDRINUSE));
    assert_refused(text, NULL, CONNECT_UNAVAILABLE, EADDRINUSE, expected);
    fd = connect_to(&listening, text, &accepted, peer);
    assert_memory_equal(peer, "127.0.0.1:", 10);
    assert_int_equal(cn_socket_read(accepted, &byte, 1), -1);
    assert_true(cn_socket_would_block(errno));
    assert_int_equal(cn_socket_write(fd, hello), 5);
    while (cn_socket_read(accepted, &byte, 1) != 1)
        usleep(1000);
    assert_int_equal(byte, 'h');
    close(fd);
    close(accepted);
    cn_socket_unlisten(&listening);
    assert_int_equal(listening.fd, -1);
    /* at once again, though a connection of before may be in TIME_WAIT */
    assert_listens(&listening, text, NULL);
    cn_socket_unlisten(&listening);
    options.reuse_port = true;
    assert_listens(&listening, "127.0.0.1:0", &options);
    snprintf(text, sizeof text, "127.0.0.1:%u", (unsigned)listening.port);
    assert_listens(&other, text, &options);
    cn_socket_unlisten(&other);
    cn_socket_unlisten(&listening);
}

static void test_all_interfaces(void **state) {
    cn_listening_t listening;
    char text[64], peer[PEER_TEXT];
    int accepted, fd;
    (void)state;
    assert_listens(&listening, ":0", NULL);
    snprintf(text, sizeof text, "127.0.0.1:%u", (unsigned)listening.port);
    fd = connect_to(&listening, text, &accepted, peer);
    assert_memory_equal(peer, "127.0.0.1:", 10); /* not ::ffff: */
    close(fd);
    close(accepted);
    snprintf(text, sizeof text, ":%u", (unsigned)listening.port);
    fd = connect_to(&listening, text, &accepted, peer);
    close(fd);
    close(accepted);
    cn_socket_unlisten(&listening);
    assert_listens(&listening, "localhost:0", NULL);
    cn_socket_unlisten(&listening);
}

static void test_not_here(void **state) {
    (void)state;
    assert_refused("192.0.2.1:80", NULL, CONNECT_UNAVAILABLE, EADDRNOTAVAIL,
        "cannot listen on 192.0.2.1:80: Cannot assign requested address");
    assert_refused(
        "fd:999999999", NULL, CONNECT_INVALID_ARGUMENT, EBADF, "cannot listen on fd:999999999: Bad file descriptor");
}

static char *in_directory(char *to, size_t size, const char *directory, const char *name) {
    snprintf(to, size, "unix:%s/%s", directory, name);
    return to;
}

static void test_unix(void **state) {
    char directory[] = "/tmp/connect-test-XXXXXX", text[80], expected[200], peer[PEER_TEXT];
    const char *path = text + 5;
    connect_listen_options_t options = CONNECT_DEFAULTS;
    cn_listening_t listening, second;
    struct stat file;
    FILE *plain;
    int accepted, fd;
    (void)state;
    assert_non_null(mkdtemp(directory));

    in_directory(text, sizeof text, directory, "socket");
    assert_listens(&listening, text, NULL);
    assert_int_equal(listening.port, 0);
    assert_int_equal(stat(path, &file), 0);
    assert_int_equal(file.st_mode & 0777, 0660);
    fd = connect_to(&listening, text, &accepted, peer);
    assert_string_equal(peer, "unix:");
    close(fd);
    close(accepted);

    snprintf(expected, sizeof expected, "cannot listen on %s: %s", text, strerror(EADDRINUSE));
    assert_refused(text, NULL, CONNECT_UNAVAILABLE, EADDRINUSE, expected);
    assert_int_equal(stat(path, &file), 0); /* somebody listens: it stays */
    fd = connect_to(&listening, text, &accepted, peer);
    close(fd);
    close(accepted);

    close(listening.fd); /* as if the process had died: the file stays, nobody listens */
    options.unix_mode = 0600;
    assert_listens(&second, text, &options);
    assert_int_equal(stat(path, &file), 0);
    assert_int_equal(file.st_mode & 0777, 0600);
    cn_socket_unlisten(&second);
    assert_int_equal(stat(path, &file), -1);

    assert_listens(&listening, text, NULL);
    assert_int_equal(unlink(path), 0);
    assert_listens(&second, text, NULL); /* the file is another one now */
    cn_socket_unlisten(&listening);
    assert_int_equal(stat(path, &file), 0);
    cn_socket_unlisten(&second);

    plain = fopen(path, "w");
    assert_non_null(plain);
    fclose(plain);
    snprintf(expected, sizeof expected, "cannot listen on %s: the file exists and is no socket", text);
    assert_refused(text, NULL, CONNECT_INVALID_ARGUMENT, EEXIST, expected);
    assert_int_equal(stat(path, &file), 0);
    assert_int_equal(unlink(path), 0);

    in_directory(text, sizeof text, directory, "none/socket");
    snprintf(expected, sizeof expected, "cannot listen on %s: %s", text, strerror(ENOENT));
    assert_refused(text, NULL, CONNECT_INVALID_ARGUMENT, ENOENT, expected);
    if (geteuid() != 0) {
        assert_int_equal(chmod(directory, 0500), 0);
        in_directory(text, sizeof text, directory, "denied");
        snprintf(expected, sizeof expected, "cannot listen on %s: %s", text, strerror(EACCES));
        assert_refused(text, NULL, CONNECT_PERMISSION_DENIED, EACCES, expected);
        assert_int_equal(chmod(directory, 0700), 0);
    }
    assert_int_equal(rmdir(directory), 0);
}

#if defined(__linux__)
static void test_unix_abstract(void **state) {
    char text[64], expected[128], peer[PEER_TEXT];
    cn_listening_t listening;
    int accepted, fd;
    (void)state;
    snprintf(text, sizeof text, "unix-abstract:connect-test-%ld", (long)getpid());
    assert_listens(&listening, text, NULL);
    fd = connect_to(&listening, text, &accepted, peer);
    assert_string_equal(peer, "unix:");
    snprintf(expected, sizeof expected, "cannot listen on %s: %s", text, strerror(EADDRINUSE));
    assert_refused(text, NULL, CONNECT_UNAVAILABLE, EADDRINUSE, expected);
    close(fd);
    close(accepted);
    cn_socket_unlisten(&listening);
    assert_listens(&listening, text, NULL); /* nothing is left behind */
    cn_socket_unlisten(&listening);
}
#endif

static void test_fd(void **state) {
    char text[32], expected[128], host[64], peer[PEER_TEXT];
    cn_listening_t first, adopted;
    cn_address_t address;
    cn_failure_t failure;
    int accepted, fd, ends[2];
    (void)state;
    assert_listens(&first, "127.0.0.1:0", NULL);
    assert_int_equal(fcntl(first.fd, F_SETFL, 0), 0); /* as it may come from somebody else */
    assert_int_equal(fcntl(first.fd, F_SETFD, 0), 0);
    snprintf(text, sizeof text, "fd:%d", first.fd);
    assert_listens(&adopted, text, NULL);
    assert_int_equal(adopted.fd, first.fd);
    assert_int_equal(adopted.port, first.port);
    snprintf(host, sizeof host, "127.0.0.1:%u", (unsigned)adopted.port);
    fd = connect_to(&adopted, host, &accepted, peer);

    /* a connected socket can be dialled, but nothing can listen on it; and the other way round */
    snprintf(text, sizeof text, "fd:%d", accepted);
    snprintf(expected, sizeof expected, "cannot listen on %s: it is not a listening socket", text);
    assert_refused(text, NULL, CONNECT_INVALID_ARGUMENT, EINVAL, expected);
    assert_true(cn_address_parse(&address, text, &failure));
    assert_int_equal(cn_socket_adopt(&address, &failure), accepted);
    snprintf(text, sizeof text, "fd:%d", adopted.fd);
    assert_true(cn_address_parse(&address, text, &failure));
    assert_int_equal(cn_socket_adopt(&address, &failure), -1);
    snprintf(expected, sizeof expected, "cannot connect to %s: it is not a connected stream socket", text);
    assert_string_equal(failure.text, expected);
    close(fd);
    close(accepted);
    cn_socket_unlisten(&adopted);

    assert_int_equal(pipe(ends), 0);
    snprintf(text, sizeof text, "fd:%d", ends[0]);
    snprintf(expected, sizeof expected, "cannot listen on %s: %s", text, strerror(ENOTSOCK));
    assert_refused(text, NULL, CONNECT_INVALID_ARGUMENT, ENOTSOCK, expected);
    assert_int_equal(close(ends[0]), 0); /* it was left open */
    close(ends[1]);
}

static void test_wake(void **state) {
    int ends[2], i;
    char byte;
    (void)state;
    assert_true(cn_wake_open(ends));
    errno = 77;
    for (i = 0; i < 100000; i++)
        cn_wake_send(ends[1]);
    assert_int_equal(errno, 77);
    cn_wake_drain(ends[0]);
    assert_true(read(ends[0], &byte, 1) < 0); /* and it never blocks */
    cn_wake_drain(ends[0]);
    cn_wake_close(ends);
    assert_int_equal(ends[0], -1);
}

static void test_systemd(void **state) {
    static const struct {
        const char *pid, *fds, *names, *address;
        int fd;
        const char *says;
    } list[] = {{NULL, "2", "web:api", "systemd:api", 4, NULL}, {NULL, "2", "web:api", "systemd:web", 3, NULL},
        {NULL, "1", "web:api", "systemd:api", -1, "none of systemd's sockets has this name"},
        {NULL, "2", "web:api", "systemd:ap", -1, "none of systemd's sockets has this name"},
        {NULL, "2", "web:api", "systemd:", -1, "none of systemd's sockets has this name"},
        {"1", "2", "web:api", "systemd:api", -1, "systemd has given this process no sockets"},
        {NULL, "x", "web:api", "systemd:api", -1, "systemd has given this process no sockets"}};
    cn_failure_t failure;
    cn_address_t address;
    char own[24];
    size_t i;
    (void)state;
    snprintf(own, sizeof own, "%ld", (long)getpid());
    for (i = 0; i < sizeof list / sizeof *list; i++) {
        setenv("LISTEN_PID", list[i].pid ? list[i].pid : own, 1);
        setenv("LISTEN_FDS", list[i].fds, 1);
        setenv("LISTEN_FDNAMES", list[i].names, 1);
        assert_int_equal(cn_address_parse(&address, list[i].address, &failure), list[i].fd >= 0);
        if (list[i].fd >= 0)
            assert_true(address.kind == CN_ADDRESS_FD && address.fd == list[i].fd);
        else if (!strstr(failure.text, list[i].says))
            fail_msg("%s: %s", list[i].address, failure.text);
    }
    unsetenv("LISTEN_PID");
    assert_false(cn_address_parse(&address, "systemd:api", &failure));
    unsetenv("LISTEN_FDS");
    unsetenv("LISTEN_FDNAMES");
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_systemd),
        cmocka_unit_test(test_address_good),
        cmocka_unit_test(test_address_bad),
        cmocka_unit_test(test_address_lengths),
        cmocka_unit_test(test_peer_text),
        cmocka_unit_test(test_tcp),
        cmocka_unit_test(test_all_interfaces),
        cmocka_unit_test(test_not_here),
        cmocka_unit_test(test_unix),
#if defined(__linux__)
        cmocka_unit_test(test_unix_abstract),
#endif
        cmocka_unit_test(test_fd),
        cmocka_unit_test(test_wake),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
