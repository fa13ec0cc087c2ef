/* The interop server of connect.h: README.md says what it does. Prints "listens on 127.0.0.1:PORT"; SIGTERM ends it.
   With the argument http2 it speaks no HTTP/1.1; with bearssl or openssl it speaks TLS by that engine, and tells who the
   client is, if it has a certificate; `required` behind it: it must have one. */
#define CONNECT_IMPLEMENTATION
#define CONNECT_OPENSSL_IMPLEMENTATION
#include "telemetry.connect.h"
#include "connect_openssl.h"
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static connect_str_t text(const char *zero_terminated) {
    return connect_str_of(zero_terminated);
}
static bool starts(connect_str_t value, const char *wanted) {
    size_t len = strlen(wanted);
    return value.len >= len && memcmp(value.data, wanted, len) == 0;
}
static bool is(connect_str_t value, const char *wanted) {
    return connect_str_equal(value, connect_str_of(wanted));
}

static void answer_metadata(connect_call_t *call) {
    connect_headers_t request = connect_call_info(call)->headers;
    connect_str_t id = connect_headers_get(request, "x-request-id", 0);
    connect_str_t blob = connect_headers_get(request, "x-blob-bin", 0);
    const connect_tls_info_t *tls = connect_call_info(call)->peer.tls;
    connect_call_set_header(call, "x-site", text("north"));
    if (tls && tls->peer_verified) connect_call_set_header(call, "x-client", text(tls->peer_subject));
    connect_call_set_trailer(call, "x-source", text("i2c"));
    if (id.data) connect_call_set_header(call, "x-request-id", id);
    if (blob.data) connect_call_set_trailer(call, "x-blob-bin", blob);
}
static connect_code_t fail_with_fault(
    connect_call_t *call, connect_code_t code, const char *message, int32_t number, const char *reason) {
    acme_telemetry_v1_Fault fault = CONNECT_DEFAULTS;
    fault.code = number;
    fault.reason = text(reason);
    connect_call_fail(call, code, "%s", message);
    connect_call_add_detail(call, &acme_telemetry_v1_Fault_type, &fault);
    return code;
}

/* ---- Read ---- */
typedef struct slow_read {
    connect_task_t task;
    connect_call_t *call;
} slow_read;

static unsigned open_calls; /* slow reads that wait, and Watch calls */

static void slow_read_done(void *arg) {
    slow_read *job = (slow_read *)arg;
    connect_call_finish(job->call, CONNECT_OK, NULL);
    open_calls--;
    free(job);
}
static void slow_read_canceled(connect_call_t *call, void *arg) {
    slow_read *job = (slow_read *)arg;
    connect_loop_after(connect_call_loop(call), &job->task, -1, NULL, NULL);
    connect_call_finish(call, CONNECT_CANCELED, NULL);
    open_calls--;
    free(job);
}
static connect_code_t read_sensor(connect_call_t *call, const acme_telemetry_v1_ReadRequest *request,
    acme_telemetry_v1_Reading *response, void *user) {
    connect_arena_t *arena = connect_call_arena(call);
    connect_str_t *tags = CONNECT_NEW(arena, connect_str_t, 2);
    acme_telemetry_v1_Reading_LabelsEntry *label = CONNECT_NEW(arena, acme_telemetry_v1_Reading_LabelsEntry, 1);
    google_protobuf_Timestamp *taken_at = CONNECT_NEW(arena, google_protobuf_Timestamp, 1);
    slow_read *job;
    (void)user;
    if (!tags || !label || !taken_at) return CONNECT_RESOURCE_EXHAUSTED;
    answer_metadata(call);
    if (is(request->sensor, "missing"))
        return fail_with_fault(call, CONNECT_NOT_FOUND, "no sensor \"missing\" \xC3\x84\xC3\x96%", 7, "no such sensor");
    if (is(request->sensor, "open calls")) {
        response->celsius = (double)open_calls;
        response->has_celsius = true;
        return CONNECT_OK;
    }
    if (!is(request->sensor, "boiler") && !is(request->sensor, "slow") && !starts(request->sensor, "echo "))
        return connect_call_fail(
            call, CONNECT_INVALID_ARGUMENT, "what is \"" CONNECT_STR_FMT "\"?", CONNECT_STR_ARG(request->sensor));
    taken_at->seconds = 1767323045;
    taken_at->nanos = 500000000;
    tags[0] = text("roof");
    tags[1] = text("north");
    label->key = text("site");
    label->value = text("1");
    response->sensor = request->sensor;
    response->taken_at = taken_at;
    response->celsius = 61.5;
    response->has_celsius = true;
    response->quality = acme_telemetry_v1_QUALITY_GOOD;
    response->tags.items = tags;
    response->tags.count = 2;
    response->labels.items = label;
    response->labels.count = 1;
    response->payload_case = acme_telemetry_v1_Reading_payload_text;
    response->payload.text = text("steady");
    if (starts(request->sensor, "echo ")) response->raw_frame = request->sensor;
    if (!is(request->sensor, "slow")) return CONNECT_OK;
    job = (slow_read *)calloc(1, sizeof *job);
    if (!job) return CONNECT_RESOURCE_EXHAUSTED;
    job->call = call;
    open_calls++;
    connect_call_on_cancel(call, slow_read_canceled, job);
    connect_loop_after(connect_call_loop(call), &job->task, 2000, slow_read_done, job);
    return CONNECT_LATER;
}

/* ---- Watch ---- */
typedef struct watch {
    connect_task_t tick;
    connect_call_t *call;
    acme_telemetry_v1_Reading reading; /* the next one; its sensor is in the call's arena */
    uint32_t count, interval_ms;
    bool fails, over;
} watch;

static void watch_tick(void *arg);
static void watch_send(connect_call_t *call, void *user) {
    watch *w = (watch *)user;
    while (!w->over) {
        if (w->fails && w->reading.sequence == w->count) {
            w->over = true;
            connect_call_finish(call, fail_with_fault(call, CONNECT_DATA_LOSS, "sensor went away", 9, ""), NULL);
            return;
        }
        if (w->count && w->reading.sequence == w->count) {
            w->over = true;
            connect_call_finish(call, CONNECT_OK, NULL);
            return;
        }
        if (connect_call_send(call, &w->reading) != CONNECT_IO_OK) return; /* AGAIN: comes back */
        w->reading.sequence++;
        if (w->interval_ms) {
            connect_loop_after(connect_call_loop(call), &w->tick, w->interval_ms, watch_tick, w);
            return;
        }
    }
}
static void watch_tick(void *arg) {
    watch_send(((watch *)arg)->call, arg);
}
static connect_code_t watch_begin(connect_call_t *call, const acme_telemetry_v1_WatchRequest *request, void *user) {
    watch *w = (watch *)calloc(1, sizeof *w);
    (void)user;
    if (!w) return CONNECT_RESOURCE_EXHAUSTED;
    answer_metadata(call);
    w->call = call;
    if (request->sensors.count) w->reading.sensor = request->sensors.items[0]; /* the request stays */
    w->reading.celsius = 60.0;
    w->reading.has_celsius = true;
    w->count = request->count;
    w->fails = is(w->reading.sensor, "flaky");
    w->interval_ms = request->interval_ms;
    connect_call_set_user(call, w);
    open_calls++;
    return CONNECT_LATER;
}
static void watch_drain(connect_call_t *call, void *user) {
    ((watch *)user)->over = true;
    connect_call_finish(call, connect_call_fail(call, CONNECT_UNAVAILABLE, "restarting"), NULL);
}
static void watch_closed(connect_call_t *call, const connect_error_t *error_or_null, void *user) {
    watch *w = (watch *)user;
    (void)error_or_null;
    connect_loop_after(connect_call_loop(call), &w->tick, -1, NULL, NULL);
    open_calls--;
    free(w);
}

/* ---- SetPoint ---- */
typedef struct actuators {
    char names[64][64];
    double targets[64];
    unsigned next;
} actuators;

static connect_code_t set_point(connect_call_t *call, const acme_telemetry_v1_SetPointRequest *request,
    acme_telemetry_v1_SetPointResponse *response, void *user) {
    actuators *all = (actuators *)user;
    unsigned i;
    if (is(request->actuator, "locked")) return connect_call_fail(call, CONNECT_PERMISSION_DENIED, "locked");
    if (request->actuator.len >= sizeof all->names[0])
        return connect_call_fail(call, CONNECT_INVALID_ARGUMENT, "actuator: at most 63 bytes");
    for (i = 0; i < 64 && !is(request->actuator, all->names[i]); i++) {}
    if (i == 64) {
        i = all->next++ % 64;
        memset(all->names[i], 0, sizeof all->names[i]);
        if (request->actuator.len) memcpy(all->names[i], request->actuator.data, request->actuator.len);
        all->targets[i] = 20.0;
    }
    response->previous = all->targets[i];
    all->targets[i] = response->target = request->target;
    return CONNECT_OK;
}

/* ---- Upload ---- */
typedef struct counts {
    uint64_t taken;
    acme_telemetry_v1_UploadSummary_PerSensorEntry sensors[16];
    size_t sensor_count;
} counts;

static connect_code_t upload_open(connect_call_t *call, void *user) {
    counts *c = CONNECT_NEW(connect_call_arena(call), counts, 1);
    (void)user;
    if (!c) return CONNECT_RESOURCE_EXHAUSTED;
    connect_call_set_user(call, c);
    return CONNECT_OK;
}
static connect_io_t upload_message(connect_call_t *call, const acme_telemetry_v1_Reading *reading, void *user) {
    counts *c = (counts *)user;
    size_t i;
    for (i = 0; i < c->sensor_count && !connect_str_equal(c->sensors[i].key, reading->sensor); i++) {}
    if (i == 16) {
        connect_call_finish(call, connect_call_fail(call, CONNECT_RESOURCE_EXHAUSTED, "more than 16 sensors"), NULL);
        return CONNECT_IO_END;
    }
    if (i == c->sensor_count) {
        c->sensors[i].key = connect_arena_copy(connect_call_arena(call), reading->sensor);
        c->sensor_count++;
    }
    c->sensors[i].value++;
    c->taken++;
    return CONNECT_IO_OK;
}
static connect_code_t upload_end(connect_call_t *call, acme_telemetry_v1_UploadSummary *response, void *user) {
    counts *c = (counts *)user;
    (void)call;
    response->taken = c->taken;
    response->per_sensor.items = c->sensors;
    response->per_sensor.count = c->sensor_count;
    return CONNECT_OK;
}

/* ---- Exchange ---- */
static connect_io_t exchange_message(connect_call_t *call, const acme_telemetry_v1_Command *command, void *user) {
    acme_telemetry_v1_CommandResult result = CONNECT_DEFAULTS;
    acme_telemetry_v1_Fault jammed = CONNECT_DEFAULTS;
    (void)user;
    jammed.code = 3;
    jammed.reason = text("jammed");
    result.id = command->id;
    if (is(command->actuator, "jammed")) result.fault = &jammed;
    return connect_call_send(call, &result); /* AGAIN: not taken, comes again */
}
static void exchange_writable(connect_call_t *call, void *user) {
    (void)user;
    connect_call_resume(call);
}

/* ---- main ---- */
static connect_server_t *server;
static connect_loop_t *loop;
static connect_task_t stop;
static void stop_now(void *arg) {
    connect_server_drain((connect_server_t *)arg, 2000);
}
static void on_sigterm(int sig) {
    (void)sig;
    connect_loop_post(loop, &stop, stop_now, server);
}

/* With the certificates of tests/tls/certificates.sh. */
static connect_tls_t *new_tls(const char *engine, connect_client_auth_t client_auth, connect_error_t *error) {
    connect_tls_options_t options = CONNECT_DEFAULTS;
    options.identity.certificate = text("build/certificates/server.pem");
    options.identity.private_key = text("build/certificates/server.key");
    options.trust_anchors = text("build/certificates/ca.pem");
    options.client_auth = client_auth;
    if (strcmp(engine, "openssl") == 0) options.engine = connect_openssl_engine();
    return connect_tls_new(&options, error);
}

int main(int argc, char **argv) {
    const char *mode = argc > 1 ? argv[1] : "";
    const bool with_tls = strcmp(mode, "bearssl") == 0 || strcmp(mode, "openssl") == 0;
    const bool with_client = argc > 2 && strcmp(argv[2], "required") == 0;
    connect_listen_options_t listen_options = CONNECT_DEFAULTS;
    static actuators all;
    acme_telemetry_v1_Telemetry_handlers handlers = CONNECT_DEFAULTS;
    connect_server_options_t options = CONNECT_DEFAULTS;
    connect_error_t error = CONNECT_DEFAULTS;
    int port = -1;

    handlers.Read = read_sensor;
    handlers.SetPoint = set_point;
    handlers.Watch.on_request = watch_begin;
    handlers.Watch.on_writable = watch_send;
    handlers.Watch.on_drain = watch_drain;
    handlers.Watch.on_closed = watch_closed;
    handlers.Upload.on_open = upload_open;
    handlers.Upload.on_message = upload_message;
    handlers.Upload.on_end = upload_end;
    handlers.Exchange.on_message = exchange_message;
    handlers.Exchange.on_writable = exchange_writable;

    loop = connect_loop_new(NULL, &error);
    options.loop = loop;
    options.no_http1 = strcmp(mode, "http2") == 0;
    server = loop ? connect_server_new(&options, &error) : NULL;
    if (server && with_tls) 
        listen_options.tls =
            new_tls(mode, with_client ? CONNECT_CLIENT_AUTH_REQUIRED : CONNECT_CLIENT_AUTH_OPTIONAL, &error);
    if (server && (!with_tls || listen_options.tls) &&
        acme_telemetry_v1_Telemetry_serve(server, &handlers, &all, NULL, &error))
        port = connect_server_listen(server, "127.0.0.1:0", &listen_options, &error);
    if (port < 0) {
        fprintf(stderr, "%s: %s: %s\n", argv[0], connect_code_name(error.code), error.message.data);
    } else {
        signal(SIGTERM, on_sigterm);
        printf("listens on 127.0.0.1:%d\n", port);
        fflush(stdout);
        connect_server_run(server);
    }
    connect_server_free(server);
    connect_tls_free(listen_options.tls);
    connect_loop_free(loop);
    return port < 0;
}
