/* A telemetry gateway: two sensors that can be read, watched, and set. One port for Connect, gRPC and gRPC-Web. */
#include "telemetry.connect.h"
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>

typedef struct sensor {
    const char *name;
    double celsius;
} sensor;

static sensor sensors[] = {{"boiler", 61.5}, {"roof", -3.25}};

/* A sensor by its name; for an unknown one the call fails, with a typed detail. */
static sensor *find(connect_call_t *call, connect_str_t name) {
    acme_telemetry_v1_Fault fault = CONNECT_DEFAULTS;
    for (size_t i = 0; i < sizeof sensors / sizeof *sensors; i++)
        if (connect_str_equal(name, connect_str_of(sensors[i].name))) return &sensors[i];
    fault.code = 404;
    fault.reason = connect_str_of("ask for boiler or roof");
    connect_call_add_detail(call, &acme_telemetry_v1_Fault_type, &fault);
    connect_call_fail(call, CONNECT_NOT_FOUND, "no sensor " CONNECT_STR_FMT, CONNECT_STR_ARG(name));
    return NULL;
}

static connect_code_t read_sensor(connect_call_t *call, const acme_telemetry_v1_ReadRequest *request,
    acme_telemetry_v1_Reading *response, void *user) {
    sensor *s = find(call, request->sensor);
    (void)user;
    if (!s) return CONNECT_NOT_FOUND;
    response->sensor = request->sensor; /* a view of the request, which lives as long as the call */
    response->celsius = s->celsius;
    response->has_celsius = true;
    response->quality = acme_telemetry_v1_QUALITY_GOOD;
    return CONNECT_OK;
}

static connect_code_t set_point(connect_call_t *call, const acme_telemetry_v1_SetPointRequest *request,
    acme_telemetry_v1_SetPointResponse *response, void *user) {
    sensor *s = find(call, request->actuator);
    (void)user;
    if (!s) return CONNECT_NOT_FOUND;
    response->previous = s->celsius;
    response->target = s->celsius = request->target;
    return CONNECT_OK;
}

/* A stream: a reading every interval, until there were enough or the client leaves. */
typedef struct watch {
    connect_task_t tick;
    connect_call_t *call;
    sensor *sensor;
    uint64_t sent, count;
    int64_t interval_ms;
} watch;

static void watch_send(void *arg) {
    watch *w = (watch *)arg;
    acme_telemetry_v1_Reading reading = CONNECT_DEFAULTS;
    reading.sensor = connect_str_of(w->sensor->name);
    reading.sequence = w->sent + 1;
    reading.celsius = w->sensor->celsius + 0.25 * (double)(w->sent % 3);
    reading.has_celsius = true;
    if (acme_telemetry_v1_Telemetry_Watch_send_response(w->call, &reading) != CONNECT_IO_OK)
        return; /* a slow reader: on_writable comes */
    if (++w->sent == w->count)
        connect_call_finish(w->call, CONNECT_OK, NULL);
    else
        connect_loop_after(connect_call_loop(w->call), &w->tick, w->interval_ms, watch_send, w);
}
static connect_code_t watch_begin(connect_call_t *call, const acme_telemetry_v1_WatchRequest *request, void *user) {
    sensor *s = find(call, request->sensors.count ? request->sensors.items[0] : connect_str_of("boiler"));
    watch *w = s ? CONNECT_NEW(connect_call_arena(call), watch, 1) : NULL;
    (void)user;
    if (!w) return s ? CONNECT_RESOURCE_EXHAUSTED : CONNECT_NOT_FOUND;
    w->call = call;
    w->sensor = s;
    w->count = request->count;
    w->interval_ms = request->has_interval_ms ? (int64_t)request->interval_ms : 1000;
    connect_call_set_user(call, w);
    return CONNECT_LATER;
}
static void watch_writable(connect_call_t *call, void *user) {
    (void)call;
    watch_send(user);
}
static void watch_closed(connect_call_t *call, const connect_error_t *error_or_null, void *user) {
    (void)error_or_null;
    connect_loop_after(connect_call_loop(call), &((watch *)user)->tick, -1, NULL, NULL);
}

static connect_server_t *server;
static connect_loop_t *loop;
static connect_task_t stop;
static void drain(void *arg) {
    connect_server_drain((connect_server_t *)arg, 0);
}
static void on_sigterm(int signal_number) {
    (void)signal_number;
    connect_loop_post(loop, &stop, drain, server);
}

int main(int argc, char **argv) {
    acme_telemetry_v1_Telemetry_handlers handlers = CONNECT_DEFAULTS;
    connect_server_options_t options = CONNECT_DEFAULTS;
    connect_error_t error = CONNECT_DEFAULTS;
    int port = -1;

    handlers.Read = read_sensor;
    handlers.SetPoint = set_point;
    handlers.Watch.on_request = watch_begin;
    handlers.Watch.on_writable = watch_writable;
    handlers.Watch.on_closed = watch_closed;

    loop = options.loop = connect_loop_new(NULL, &error);
    server = loop ? connect_server_new(&options, &error) : NULL;
    if (server && acme_telemetry_v1_Telemetry_serve(server, &handlers, NULL, NULL, &error))
        port = connect_server_listen(server, argc > 1 ? argv[1] : "127.0.0.1:8080", NULL, &error);
    if (port >= 0) {
        signal(SIGTERM, on_sigterm);
        printf("listens on port %d\n", port);
        fflush(stdout);
        connect_server_run(server); /* until drained */
        printf("drained\n");
    } else {
        fprintf(stderr, "%s: %s\n", connect_code_name(error.code), error.message.data);
    }
    connect_server_free(server);
    connect_loop_free(loop);
    return port < 0;
}
