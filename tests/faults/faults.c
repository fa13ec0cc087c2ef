/* The client at its worst: every response cut after every byte, frozen, delayed, half closed; then a hundred thousand
   calls through backends that break all the time.
   Never a success with a wrong or short answer; every call ends exactly once, in time; nothing is leaked.
   Prints what was done. Exits with 1 at the first thing that should not be. */
#define CONNECT_IMPLEMENTATION
#include "telemetry.connect.h"
#include "relay.h"
#include <dirent.h>

#define CHECK(condition, ...) \
    do { \
        if (!(condition)) { \
            printf("%s:%d: " #condition ": ", __FILE__, __LINE__); \
            printf(__VA_ARGS__); \
            printf("\n"); \
            exit(1); \
        } \
    } while (0)

enum { CALL_MS = 5000, STREAM_MESSAGES = 3 };

/* ---- The server: answers with what it was asked ---- */

static connect_code_t on_read(connect_call_t *call, const acme_telemetry_v1_ReadRequest *request,
    acme_telemetry_v1_Reading *response, void *user) {
    (void)call;
    (void)user;
    response->sensor = request->sensor;
    response->sequence = 7;
    return CONNECT_OK;
}
static connect_code_t on_watch(connect_call_t *call, const acme_telemetry_v1_WatchRequest *request, void *user) {
    acme_telemetry_v1_Reading reading = CONNECT_DEFAULTS;
    (void)user;
    reading.sensor = connect_str_of("boiler");
    for (reading.sequence = 1; reading.sequence <= request->count; reading.sequence++)
        if (connect_call_send(call, &reading) != CONNECT_IO_OK) return CONNECT_RESOURCE_EXHAUSTED;
    return CONNECT_OK;
}
static const char upload_key;
static connect_io_t on_upload(connect_call_t *call, const acme_telemetry_v1_Reading *reading, void *user) {
    uint64_t *sum = (uint64_t *)connect_call_value(call, &upload_key);
    (void)user;
    if (!sum) {
        sum = CONNECT_NEW(connect_call_arena(call), uint64_t, 1);
        if (!sum || !connect_call_set_value(call, &upload_key, sum)) return CONNECT_IO_END;
    }
    *sum += reading->sequence;
    return CONNECT_IO_OK;
}
static connect_code_t on_upload_end(connect_call_t *call, acme_telemetry_v1_UploadSummary *response, void *user) {
    const uint64_t *sum = (const uint64_t *)connect_call_value(call, &upload_key);
    (void)user;
    response->taken = sum ? *sum : 0;
    return CONNECT_OK;
}
static connect_io_t on_command(connect_call_t *call, const acme_telemetry_v1_Command *command, void *user) {
    acme_telemetry_v1_CommandResult result = CONNECT_DEFAULTS;
    (void)user;
    result.id = command->id;
    return connect_call_send(call, &result);
}

static connect_server_t *server;
static connect_loop_t *server_loop;
static connect_task_t stop_task;
static void stop_server(void *arg) {
    (void)arg;
    connect_server_drain(server, 100);
}
static void *run_server(void *arg) {
    (void)arg;
    connect_server_run(server);
    return NULL;
}
static int start_server(pthread_t *thread) {
    acme_telemetry_v1_Telemetry_handlers handlers = CONNECT_DEFAULTS;
    connect_server_options_t options = CONNECT_DEFAULTS;
    connect_error_t error = CONNECT_DEFAULTS;
    int port;
    handlers.Read = on_read;
    handlers.Watch.on_request = on_watch;
    handlers.Upload.on_message = on_upload;
    handlers.Upload.on_end = on_upload_end;
    handlers.Exchange.on_message = on_command;
    server_loop = options.loop = connect_loop_new(NULL, &error);
    server = connect_server_new(&options, &error);
    CHECK(server && acme_telemetry_v1_Telemetry_serve(server, &handlers, NULL, NULL, &error), "no server");
    port = connect_server_listen(server, "127.0.0.1:0", NULL, &error);
    CHECK(port > 0, "%s", error.message.data);
    CHECK(pthread_create(thread, NULL, run_server, NULL) == 0, "no thread");
    return port;
}

/* ---- One call of each kind ---- */

typedef struct way {
    const char *name;
    connect_protocol_t protocol;
    connect_http_version_t http;
} way;
static const way WAYS[] = {
    {"Connect, HTTP/1.1", CONNECT_PROTOCOL_CONNECT, CONNECT_HTTP_1},
    {"Connect, HTTP/2", CONNECT_PROTOCOL_CONNECT, CONNECT_HTTP_2},
    {"gRPC", CONNECT_PROTOCOL_GRPC, CONNECT_HTTP_2},
    {"gRPC-Web, HTTP/1.1", CONNECT_PROTOCOL_GRPC_WEB, CONNECT_HTTP_1},
    {"gRPC-Web, HTTP/2", CONNECT_PROTOCOL_GRPC_WEB, CONNECT_HTTP_2},
};
static const char *const KINDS[] = {"Read", "Watch", "Upload", "Exchange"};

typedef struct outcome {
    connect_code_t code;
    bool is_right; /* the answer is the right one, whole */
    char message[200];
} outcome;

static outcome read_once(connect_client_t *client, connect_arena_t *arena, connect_error_t *error) {
    acme_telemetry_v1_ReadRequest request = CONNECT_DEFAULTS;
    acme_telemetry_v1_Reading reading;
    outcome o = CONNECT_DEFAULTS;
    request.sensor = connect_str_of("boiler");
    o.code = acme_telemetry_v1_Telemetry_Read_wait(client, &request, &reading, arena, error);
    o.is_right = o.code == CONNECT_OK && connect_str_equal(reading.sensor, request.sensor) && reading.sequence == 7;
    return o;
}

static outcome watch_once(
    connect_client_t *client, const connect_call_options_t *options, connect_arena_t *arena, connect_error_t *error) {
    acme_telemetry_v1_WatchRequest request = CONNECT_DEFAULTS;
    acme_telemetry_v1_Reading reading;
    outcome o = {CONNECT_OK, true, ""};
    connect_call_t *call;
    connect_io_t io = CONNECT_IO_ERROR;
    uint64_t sequence = 0;
    request.count = STREAM_MESSAGES;
    call = acme_telemetry_v1_Telemetry_Watch_with(client, &request, NULL, NULL, options, error);
    while (call && (io = connect_call_receive_wait(call, &reading, arena, error)) == CONNECT_IO_OK)
        o.is_right &= reading.sequence == ++sequence;
    o.is_right &= sequence == STREAM_MESSAGES;
    if (io != CONNECT_IO_END) o.code = error->code;
    connect_call_free(call);
    return o;
}

static outcome upload_once(
    connect_client_t *client, const connect_call_options_t *options, connect_arena_t *arena, connect_error_t *error) {
    acme_telemetry_v1_Reading reading = CONNECT_DEFAULTS;
    acme_telemetry_v1_UploadSummary summary;
    outcome o = CONNECT_DEFAULTS;
    connect_call_t *call = acme_telemetry_v1_Telemetry_Upload_with(client, NULL, NULL, options, error);
    connect_io_t io = call ? CONNECT_IO_OK : CONNECT_IO_ERROR;
    for (reading.sequence = 1; io == CONNECT_IO_OK && reading.sequence <= STREAM_MESSAGES; reading.sequence++)
        io = connect_call_send_wait(call, &reading, error);
    if (call) connect_call_finish(call, CONNECT_OK, NULL);
    if (call && (io = connect_call_receive_wait(call, &summary, arena, error)) == CONNECT_IO_OK) {
        o.is_right = summary.taken == 6;
        io = connect_call_receive_wait(call, &summary, arena, error);
    }
    if (io != CONNECT_IO_END) o.code = error->code;
    connect_call_free(call);
    return o;
}

static outcome exchange_once(
    connect_client_t *client, const connect_call_options_t *options, connect_arena_t *arena, connect_error_t *error) {
    acme_telemetry_v1_Command command = CONNECT_DEFAULTS;
    acme_telemetry_v1_CommandResult result;
    outcome o = {CONNECT_OK, true, ""};
    connect_call_t *call = acme_telemetry_v1_Telemetry_Exchange_with(client, NULL, NULL, options, error);
    connect_io_t io = call ? CONNECT_IO_OK : CONNECT_IO_ERROR;
    uint64_t id = 0;
    for (command.id = 1; io == CONNECT_IO_OK && command.id <= STREAM_MESSAGES; command.id++)
        io = connect_call_send_wait(call, &command, error);
    if (call) connect_call_finish(call, CONNECT_OK, NULL);
    while (call && (io = connect_call_receive_wait(call, &result, arena, error)) == CONNECT_IO_OK)
        o.is_right &= result.id == ++id;
    o.is_right &= id == STREAM_MESSAGES;
    if (io != CONNECT_IO_END) o.code = error->code;
    connect_call_free(call);
    return o;
}

static outcome call_once(const way *w, size_t kind, int port, uint32_t timeout_ms) {
    connect_client_options_t options = CONNECT_DEFAULTS;
    connect_call_options_t call_options = CONNECT_DEFAULTS;
    connect_arena_t arena = CONNECT_DEFAULTS;
    connect_error_t error = CONNECT_DEFAULTS;
    connect_client_t *client;
    outcome o = CONNECT_DEFAULTS;
    char url[40];
    snprintf(url, sizeof url, "http://127.0.0.1:%d", port);
    options.protocol = w->protocol;
    options.http = w->http;
    options.timeout_ms = call_options.timeout_ms = timeout_ms;
    client = connect_client_new(url, &options, &error);
    CHECK(client, "%s", error.message.data);
    switch (kind) {
    case 0: o = read_once(client, &arena, &error); break;
    case 1: o = watch_once(client, &call_options, &arena, &error); break;
    case 2: o = upload_once(client, &call_options, &arena, &error); break;
    default: o = exchange_once(client, &call_options, &arena, &error); break;
    }
    if (o.code != CONNECT_OK) snprintf(o.message, sizeof o.message, CONNECT_STR_FMT, CONNECT_STR_ARG(error.message));
    connect_client_free(client);
    connect_arena_free(&arena);
    return o;
}

/* ---- Cuts ---- */

static const relay_script_t CLEAN = {RELAY_NONE, 0, 0};
static relay_script_t script(relay_fault_t fault, size_t after) {
    relay_script_t s = {RELAY_NONE, 0, 0};
    s.fault = fault;
    s.after = after;
    s.pause_ms = 15;
    return s;
}

static void cut_responses(relay_t *relay, const way *w, size_t kind) {
    static const relay_fault_t faults[] = {RELAY_FIN, RELAY_RST, RELAY_HALF};
    size_t len, at, f, failed[3] = {0, 0, 0}, calls = 0;
    outcome o;
    relay_set(relay, CLEAN, CLEAN);
    o = call_once(w, kind, relay->port, CALL_MS);
    CHECK(o.code == CONNECT_OK && o.is_right, "%s %s: %d %s", w->name, KINDS[kind], o.code, o.message);
    len = relay_passed_down(relay);
    for (f = 0; f < 3; f++) {
        for (at = 0; at < len; at += f == 2 ? 5 : 1) {
            relay_set(relay, CLEAN, script(faults[f], at));
            o = call_once(w, kind, relay->port, CALL_MS);
            CHECK(o.code != CONNECT_OK || o.is_right, "%s %s, cut after %zu of %zu: success with a wrong answer",
                w->name, KINDS[kind], at, len);
            CHECK(o.code != CONNECT_DEADLINE_EXCEEDED && o.code != CONNECT_CANCELED,
                "%s %s, cut (%d) after %zu of %zu: %s %s", w->name, KINDS[kind], (int)faults[f], at, len,
                connect_code_name(o.code), o.message);
            failed[f] += o.code != CONNECT_OK;
            calls++;
        }
    }
    /* All of it is needed; but for a frame about windows that may come last. */
    CHECK(failed[0] * 20 >= len * 17 && failed[1] * 20 >= len * 17, "%s %s: of %zu cuts %zu and %zu failed", w->name,
        KINDS[kind], len, failed[0], failed[1]);
    printf("%-20s %-8s %4zu bytes, %5zu cuts\n", w->name, KINDS[kind], len, calls);
}

static void disturb(relay_t *relay, const way *w, size_t kind) {
    size_t len, at;
    outcome o;
    relay_set(relay, CLEAN, CLEAN);
    call_once(w, kind, relay->port, CALL_MS);
    len = relay_passed_down(relay);
    for (at = 0; at < len; at += 61) {
        int64_t begun = relay_now_ms();
        relay_set(relay, CLEAN, script(RELAY_FREEZE, at));
        o = call_once(w, kind, relay->port, 40);
        CHECK(o.code == CONNECT_DEADLINE_EXCEEDED, "%s %s, frozen after %zu of %zu: %s %s", w->name, KINDS[kind], at,
            len, connect_code_name(o.code), o.message);
        CHECK(relay_now_ms() - begun < CALL_MS, "%s %s: the deadline of 40 ms was passed by far", w->name, KINDS[kind]);
        relay_set(relay, CLEAN, script(RELAY_PAUSE, at));
        o = call_once(w, kind, relay->port, CALL_MS);
        CHECK(o.code == CONNECT_OK && o.is_right, "%s %s, delayed after %zu: %s", w->name, KINDS[kind], at, o.message);
        relay_set(relay, script(RELAY_RST, at), CLEAN); /* the request */
        o = call_once(w, kind, relay->port, CALL_MS);
        CHECK(o.code != CONNECT_OK || o.is_right, "%s %s, request cut after %zu", w->name, KINDS[kind], at);
        CHECK(o.code != CONNECT_DEADLINE_EXCEEDED && o.code != CONNECT_CANCELED, "%s %s, request cut after %zu: %s",
            w->name, KINDS[kind], at, o.message);
    }
}

/* ---- Flapping backends ---- */

enum { BACKENDS = 3, IN_FLIGHT = 64 };
typedef struct flap {
    connect_client_t *client;
    connect_loop_t *loop;
    relay_t relays[BACKENDS];
    size_t started, total, ok, failed, open;
    uint32_t *ends; /* of each call */
    uint32_t seed;
} flap;
typedef struct flap_call {
    flap *f;
    size_t number;
    char sensor[24];
} flap_call;

static uint32_t flap_random(uint32_t *seed) {
    *seed ^= *seed << 13;
    *seed ^= *seed >> 17;
    *seed ^= *seed << 5;
    return *seed;
}
static size_t flap_next(void *user) { /* in the relay's thread, one seed for each */
    return 200 + flap_random((uint32_t *)user) % 8000;
}
static void flap_resolve(connect_resolve_t *question, const char *host, const char *port, void *user) {
    flap *f = (flap *)user;
    char texts[BACKENDS][32];
    const char *addresses[BACKENDS];
    size_t i;
    (void)host;
    (void)port;
    for (i = 0; i < BACKENDS; i++) {
        snprintf(texts[i], sizeof texts[i], "127.0.0.1:%d", f->relays[i].port);
        addresses[i] = texts[i];
    }
    connect_resolve_finish(question, addresses, BACKENDS, 60000);
}
static void flap_done(
    connect_call_t *call, const acme_telemetry_v1_Reading *response, const connect_error_t *error, void *user) {
    flap_call *c = (flap_call *)user;
    flap *f = c->f;
    (void)call;
    CHECK(++f->ends[c->number] == 1, "call %zu ended twice", c->number);
    CHECK(error || connect_str_equal(response->sensor, connect_str_of(c->sensor)), "call %zu: another's answer",
        c->number);
    f->ok += error == NULL;
    f->failed += error != NULL;
    f->open--;
    free(c);
}
static void flap_fill(flap *f) {
    while (f->open < IN_FLIGHT && f->started < f->total) {
        acme_telemetry_v1_ReadRequest request = CONNECT_DEFAULTS;
        connect_error_t error = CONNECT_DEFAULTS;
        flap_call *c = (flap_call *)malloc(sizeof *c);
        CHECK(c, "out of memory");
        c->f = f;
        c->number = f->started++;
        snprintf(c->sensor, sizeof c->sensor, "sensor-%zu", c->number);
        request.sensor = connect_str_of(c->sensor);
        f->open++;
        if (acme_telemetry_v1_Telemetry_Read(f->client, &request, flap_done, c, &error)) continue;
        f->ends[c->number]++;
        f->failed++;
        f->open--;
        free(c);
    }
}

static void run_flapping(int backend, connect_protocol_t protocol, connect_pick_t *pick, size_t calls) {
    static uint32_t seeds[BACKENDS] = {0x1234567, 0x89abcde, 0xf012345};
    connect_client_options_t options = CONNECT_DEFAULTS;
    connect_error_t error = CONNECT_DEFAULTS;
    flap f = CONNECT_DEFAULTS;
    size_t i;
    f.total = calls;
    f.ends = (uint32_t *)calloc(calls, sizeof *f.ends);
    for (i = 0; i < BACKENDS; i++) {
        CHECK(f.ends && relay_start(&f.relays[i], backend), "no relay");
        pthread_mutex_lock(&f.relays[i].mutex);
        f.relays[i].user = &seeds[i];
        f.relays[i].next = flap_next;
        pthread_mutex_unlock(&f.relays[i].mutex);
    }
    options.loop = f.loop = connect_loop_new(NULL, &error);
    options.protocol = protocol;
    options.timeout_ms = 10000;
    options.pick = pick;
    options.resolve = flap_resolve;
    options.user = &f;
    f.client = connect_client_new("http://flapping.example:1", &options, &error);
    CHECK(f.client, "%s", error.message.data);
    for (flap_fill(&f); f.open > 0; flap_fill(&f))
        connect_loop_run(f.loop, 1000);
    for (i = 0; i < calls; i++)
        CHECK(f.ends[i] == 1, "call %zu ended %u times", i, f.ends[i]);
    CHECK(f.ok + f.failed == calls && f.ok > calls / 2 && f.failed > 0, "%zu ok, %zu failed", f.ok, f.failed);
    printf("flapping, %s: %zu calls, %zu answered, %zu failed\n",
        protocol == CONNECT_PROTOCOL_GRPC ? "gRPC" : "Connect over HTTP/1.1", calls, f.ok, f.failed);
    connect_client_free(f.client);
    connect_loop_free(f.loop);
    for (i = 0; i < BACKENDS; i++)
        relay_stop(&f.relays[i]);
    free(f.ends);
}

static size_t count_descriptors(void) {
    DIR *folder = opendir("/proc/self/fd");
    size_t count = 0;
    while (folder && readdir(folder))
        count++;
    if (folder) closedir(folder);
    return count;
}

int main(int argc, char **argv) {
    size_t descriptors = count_descriptors(), calls = argc > 1 ? (size_t)atol(argv[1]) : 100000, i, kind;
    pthread_t thread;
    relay_t relay;
    int port;
    setvbuf(stdout, NULL, _IOLBF, 0);
    port = start_server(&thread);
    CHECK(relay_start(&relay, port), "no relay");
    for (i = 0; i < sizeof WAYS / sizeof *WAYS; i++) {
        for (kind = 0; kind < 4; kind++) {
            cut_responses(&relay, &WAYS[i], kind);
            disturb(&relay, &WAYS[i], kind);
        }
    }
    relay_stop(&relay);
    run_flapping(port, CONNECT_PROTOCOL_GRPC, connect_pick_round_robin, calls / 2);
    run_flapping(port, CONNECT_PROTOCOL_CONNECT, connect_pick_least_loaded, calls - calls / 2);
    connect_loop_post(server_loop, &stop_task, stop_server, NULL);
    pthread_join(thread, NULL);
    connect_server_free(server);
    connect_loop_free(server_loop);
    CHECK(count_descriptors() == descriptors, "%zu descriptors, %zu at first", count_descriptors(), descriptors);
    return 0;
}
