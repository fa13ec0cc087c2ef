/* Parsing the head of a request, by connect.h (with all that it checks) and by picohttpparser: h1_parse PARSER PASSES.
   Prints CPU nanoseconds; callgrind counts in `measured`. A pass parses the same head 64 times, each time in a buffer of
   its own. */
#define CONNECT_IMPLEMENTATION
#define CONNECT_ENABLE_CLIENT 0
#define CONNECT_ENABLE_HTTP2 0
#define CONNECT_ENABLE_GZIP 0
#define CONNECT_ENABLE_ZSTD 0
#define CONNECT_ENABLE_TLS 0
#include "connect.h"
#include "picohttpparser.h"
#include <time.h>

#define COPIES 64

static const char request[] = "POST /acme.telemetry.v1.Telemetry/Read HTTP/1.1\r\n"
                              "Host: telemetry.example:8080\r\n"
                              "User-Agent: connect-es/2.1.0\r\n"
                              "Accept: */*\r\n"
                              "Content-Type: application/proto\r\n"
                              "Connect-Protocol-Version: 1\r\n"
                              "Connect-Timeout-Ms: 5000\r\n"
                              "Content-Length: 66\r\n"
                              "\r\n";
static char *heads[COPIES];

static size_t parse_connect(const char *head, size_t len) {
    static connect_limits_t limits;
    static cn_h1_t state;
    static cn_http_t http;
    cn_h1_field_t fields[CN_H1_RECORDED];
    limits.header_count = 100;
    limits.header_bytes = limits.url_bytes = 64 * 1024;
    http.limits = &limits;
    http.is_server = true;
    http.state = &state;
    cn_h1_new_section(&state, false);
    if (cn_h1_parse_section(&http, &state.section, head, head + len, fields) != CN_H1_DONE) return 0;
    return state.section.count;
}

static size_t parse_pico(const char *head, size_t len) {
    struct phr_header headers[32];
    const char *method, *path;
    size_t method_len, path_len, count = 32;
    int minor;
    if (phr_parse_request(head, len, &method, &method_len, &path, &path_len, &minor, headers, &count, 0) <= 0) return 0;
    return count;
}

__attribute__((noinline)) void measured(size_t (*parse)(const char *head, size_t len), unsigned long passes);

void measured(size_t (*parse)(const char *head, size_t len), unsigned long passes) {
    size_t i;
    while (passes--)
        for (i = 0; i < COPIES; i++)
            if (parse(heads[i], sizeof request - 1) != 7) exit(1);
}

int main(int argc, char **argv) {
    struct timespec begin, end;
    size_t i;
    if (argc != 3) return 1;
    for (i = 0; i < COPIES; i++) {
        heads[i] = (char *)malloc(sizeof request);
        if (!heads[i]) return 1;
        memcpy(heads[i], request, sizeof request);
    }
    clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &begin);
    measured(strcmp(argv[1], "pico") == 0 ? parse_pico : parse_connect, strtoul(argv[2], NULL, 10));
    clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &end);
    printf("%.0f\n", (double)(end.tv_sec - begin.tv_sec) * 1e9 + (double)(end.tv_nsec - begin.tv_nsec));
    return 0;
}
