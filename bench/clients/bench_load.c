/* connect.h's client as a load generator: unary calls of bench/echo.proto, so many at once, and how long they took.
     bench_load URL [-n CALLS] [-c CONNECTIONS] [-m CALLS AT ONCE PER CONNECTION] [-p connect|grpc|grpcweb] [-h 1|2]
                [-b BYTES OF TEXT]
   Prints one line: calls, failures, seconds, CPU seconds of this process, calls per CPU-second, and latencies. */
#define CONNECT_IMPLEMENTATION
#include "echo.connect.h"
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

/* Latencies, each within 1/16: 16 buckets for each power of two of microseconds. */
enum { BUCKETS = 32 * 16 };

typedef struct load {
    connect_client_t *client;
    bench_v1_Payload request;
    uint64_t started, ended, failed, total;
    uint64_t histogram[BUCKETS];
    char failure[200];
} load;

static uint64_t now_us(clockid_t clock) {
    struct timespec now;
    clock_gettime(clock, &now);
    return (uint64_t)now.tv_sec * 1000000u + (uint64_t)now.tv_nsec / 1000u;
}

static size_t bucket_of(uint64_t us) {
    unsigned power = 0;
    while (us >> power >= 32)
        power++;
    return us < 32 ? (size_t)us : 16 * (size_t)power + (size_t)(us >> power);
}
static uint64_t bucket_start(size_t bucket) {
    return bucket < 32 ? bucket : (uint64_t)(16 + bucket % 16) << (bucket / 16 - 1);
}
static uint64_t percentile(const load *l, double share) {
    uint64_t wanted = (uint64_t)((double)l->ended * share), seen = 0;
    size_t i;
    for (i = 0; i < BUCKETS && seen <= wanted; i++)
        seen += l->histogram[i];
    return bucket_start(i ? i - 1 : 0);
}

typedef struct slot { /* one call after the other */
    load *l;
    uint64_t begun_us;
} slot;

static void start(slot *s);
static void done(connect_call_t *call, const bench_v1_Payload *response, const connect_error_t *error, void *user) {
    slot *s = (slot *)user;
    load *l = s->l;
    size_t bucket = bucket_of(now_us(CLOCK_MONOTONIC) - s->begun_us);
    (void)call;
    l->histogram[bucket < BUCKETS ? bucket : BUCKETS - 1]++;
    l->ended++;
    if (error || !connect_str_equal(response->text, l->request.text)) {
        l->failed++;
        snprintf(l->failure, sizeof l->failure, "%s", error ? error->message.data : "another text came back");
    }
    start(s);
}
static void start(slot *s) {
    load *l = s->l;
    connect_error_t error;
    if (l->started == l->total) return;
    l->started++;
    s->begun_us = now_us(CLOCK_MONOTONIC);
    if (bench_v1_Echo_Unary(l->client, &l->request, done, s, &error)) return;
    l->ended++;
    l->failed++;
    snprintf(l->failure, sizeof l->failure, "%s", error.message.data);
}

int main(int argc, char **argv) {
    connect_client_options_t options = CONNECT_DEFAULTS;
    connect_error_t error = CONNECT_DEFAULTS;
    load l = CONNECT_DEFAULTS;
    uint32_t calls_at_once = 8;
    size_t bytes = 64, i;
    uint64_t begun, cpu, took;
    slot *slots;
    char *text;
    int arg;
    l.total = 100000;
    options.connections = 8;
    options.protocol = CONNECT_PROTOCOL_GRPC;
    for (arg = 2; arg + 1 < argc; arg += 2) {
        const char *value = argv[arg + 1];
        switch (argv[arg][0] == '-' ? argv[arg][1] : 0) {
        case 'n': l.total = strtoull(value, NULL, 10); break;
        case 'c': options.connections = (uint32_t)strtoul(value, NULL, 10); break;
        case 'm': calls_at_once = (uint32_t)strtoul(value, NULL, 10); break;
        case 'b': bytes = (size_t)strtoul(value, NULL, 10); break;
        case 'h': options.http = value[0] == '1' ? CONNECT_HTTP_1 : CONNECT_HTTP_2; break;
        case 'p':
            options.protocol = strcmp(value, "grpc") == 0 ? CONNECT_PROTOCOL_GRPC
                : strcmp(value, "grpcweb") == 0           ? CONNECT_PROTOCOL_GRPC_WEB
                                                          : CONNECT_PROTOCOL_CONNECT;
            break;
        default: argc = 0;
        }
    }
    if (argc < 2 || argc % 2 || l.total == 0 || options.connections == 0 || calls_at_once == 0) {
        fprintf(stderr,
            "bench_load URL [-n calls] [-c connections] [-m at once on each] [-p protocol] [-h 1|2] [-b bytes]\n");
        return 2;
    }
    options.limits.streams = calls_at_once; /* more calls: one more connection */
    options.loop = connect_loop_new(NULL, &error);
    l.client = options.loop ? connect_client_new(argv[1], &options, &error) : NULL;
    slots = (slot *)calloc((size_t)options.connections * calls_at_once, sizeof *slots);
    text = (char *)malloc(bytes + 1);
    if (!l.client || !slots || !text) {
        fprintf(stderr, "%s\n", l.client ? "out of memory" : error.message.data);
        return 1;
    }
    memset(text, 'x', bytes);
    l.request.text.data = text;
    l.request.text.len = bytes;
    begun = now_us(CLOCK_MONOTONIC);
    cpu = now_us(CLOCK_PROCESS_CPUTIME_ID);
    for (i = 0; i < (size_t)options.connections * calls_at_once; i++) {
        slots[i].l = &l;
        start(&slots[i]);
    }
    while (l.ended < l.total)
        connect_loop_run(options.loop, 1000);
    took = now_us(CLOCK_MONOTONIC) - begun;
    cpu = now_us(CLOCK_PROCESS_CPUTIME_ID) - cpu;
    printf(
        "%llu calls, %llu failed, %.3f s, %.3f CPU-s, %.0f calls/CPU-s, us: p50 %llu, p90 %llu, p99 %llu, p99.9 %llu\n",
        (unsigned long long)l.ended, (unsigned long long)l.failed, (double)took / 1e6, (double)cpu / 1e6,
        (double)l.ended / ((double)cpu / 1e6), (unsigned long long)percentile(&l, 0.5),
        (unsigned long long)percentile(&l, 0.9), (unsigned long long)percentile(&l, 0.99),
        (unsigned long long)percentile(&l, 0.999));
    if (l.failed) printf("the last failure: %s\n", l.failure);
    connect_client_free(l.client);
    connect_loop_free(options.loop);
    free(slots);
    free(text);
    return l.failed != 0;
}
