/* The interop client of connect.h: checks what README.md says, against any server of it.
   client --url http://HOST:PORT --protocol connect|grpc|grpcweb --http 1|2 --codec proto|json
     [--check NAME]                  this check alone; default all
     [--tls bearssl|openssl]         with the certificates of tests/tls/certificates.sh
     [--certificate NAME]            its own, of these; default "client", "" none
     [--compression gzip|zstd]       of the requests that are compressed; default gzip
     [--received gzip|zstd|identity] how the server answers these; default as they came
     [--exchange duplex|half|refused] what the server makes of streams in both directions; default duplex over HTTP/2,
                                     half duplex over HTTP/1.1 */
#define CONNECT_IMPLEMENTATION
#define CONNECT_OPENSSL_IMPLEMENTATION
#include "telemetry.connect.h"
#include "connect_openssl.h"
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static connect_client_t *client;
static connect_loop_t *loop;
static connect_arena_t arena;
static connect_error_t error;
static int failures;
static const char *compression = "gzip", *received = "", *exchange = "";
static char why[1000]; /* of the check that runs; "": all is well */

static bool is(connect_str_t value, const char *wanted) {
    return connect_str_equal(value, connect_str_of(wanted));
}
static void wrong(const char *what) {
    if (!why[0]) snprintf(why, sizeof why, "%s", what);
}
static void expect(bool holds, const char *what) {
    if (!holds) wrong(what);
}
static void wrong_error(const char *what) {
    char line[800];
    snprintf(line, sizeof line, "%s: %s: %s (%s)", what, connect_code_name(error.code),
        error.message.data ? error.message.data : "", error.from_peer ? "from the peer" : "made here");
    wrong(line);
}
static void expect_error(connect_code_t code, const char *message_or_null, int32_t fault_code) {
    acme_telemetry_v1_Fault fault = CONNECT_DEFAULTS;
    if (error.code != code) wrong_error(connect_code_name(code));
    if (message_or_null && !is(error.message, message_or_null)) wrong_error("another message was wanted");
    if (connect_error_find(&error, &acme_telemetry_v1_Fault_type, &fault, &arena) != (fault_code != 0) ||
        fault.code != fault_code)
        wrong_error("another detail was wanted");
}
static void expect_header(connect_headers_t headers, const char *name, const char *value, const char *what) {
    expect(is(connect_headers_get(headers, name, 0), value), what);
}

static connect_code_t read_sensor(
    const char *sensor, size_t echo_len, acme_telemetry_v1_Reading *reading, const connect_call_options_t *options) {
    acme_telemetry_v1_ReadRequest request = CONNECT_DEFAULTS;
    char *echo = echo_len ? (char *)malloc(echo_len + 5) : NULL;
    connect_code_t code;
    size_t i;
    request.sensor = connect_str_of(sensor);
    if (echo) {
        memcpy(echo, "echo ", 5);
        for (i = 0; i < echo_len; i++)
            echo[5 + i] = (char)(i % 128);
        request.sensor.data = echo;
        request.sensor.len = echo_len + 5;
    }
    memset(reading, 0, sizeof *reading);
    code = acme_telemetry_v1_Telemetry_Read_wait_with(client, &request, reading, &arena, options, &error);
    if (code == CONNECT_OK)
        expect(connect_str_equal(reading->sensor, request.sensor) &&
                (!echo || connect_str_equal(reading->raw_frame, request.sensor)),
            "sensor or raw_frame differs");
    free(echo);
    return code;
}
static void check_boiler(size_t echo_len) {
    acme_telemetry_v1_Reading reading;
    const acme_telemetry_v1_Reading_LabelsEntry *site;
    if (read_sensor("boiler", echo_len, &reading, NULL) != CONNECT_OK) {
        wrong_error("ok");
        return;
    }
    site = acme_telemetry_v1_Reading_labels_get(&reading, connect_str_of("site"));
    expect(reading.taken_at && reading.taken_at->seconds == 1767323045 && reading.taken_at->nanos == 500000000,
        "taken_at");
    expect(reading.has_celsius && reading.celsius > 61.4 && reading.celsius < 61.6, "celsius");
    expect(reading.quality == acme_telemetry_v1_QUALITY_GOOD, "quality");
    expect(reading.tags.count == 2 && is(reading.tags.items[0], "roof") && is(reading.tags.items[1], "north"), "tags");
    expect(reading.labels.count == 1 && site && is(site->value, "1"), "labels");
    expect(
        reading.payload_case == acme_telemetry_v1_Reading_payload_text && is(reading.payload.text, "steady"), "text");
    expect(echo_len != 0 || !reading.raw_frame.data, "raw_frame is there");
}

static void check_unary(void) {
    check_boiler(0);
}
static void check_echo(void) {
    check_boiler(64);
}
static void check_large(void) {
    check_boiler(1 << 20);
}
static void check_again(void) {
    int i;
    for (i = 0; i < 200 && !why[0]; i++) {
        connect_arena_reset(&arena);
        check_boiler((size_t)i * 10);
    }
}
static void check_set_point(void) {
    acme_telemetry_v1_SetPointRequest request = CONNECT_DEFAULTS;
    acme_telemetry_v1_SetPointResponse response;
    char name[32];
    snprintf(name, sizeof name, "c-%d", (int)getpid());
    request.actuator = connect_str_of(name);
    request.target = 50;
    if (acme_telemetry_v1_Telemetry_SetPoint_wait(client, &request, &response, &arena, &error) != CONNECT_OK)
        wrong_error("ok");
    else
        expect((int)response.previous == 20 && (int)response.target == 50, "previous is not 20");
    request.target = 60;
    if (acme_telemetry_v1_Telemetry_SetPoint_wait(client, &request, &response, &arena, &error) != CONNECT_OK)
        wrong_error("ok");
    else
        expect((int)response.previous == 50, "previous is not 50");
    request.actuator = connect_str_of("locked");
    acme_telemetry_v1_Telemetry_SetPoint_wait(client, &request, &response, &arena, &error);
    expect_error(CONNECT_PERMISSION_DENIED, "locked", 0);
}
static void check_metadata(void) {
    static const char blob[] = {0, (char)0xFF, ' ', 'b', 'i', 'n'};
    connect_header_t headers[2];
    connect_call_options_t options = CONNECT_DEFAULTS;
    connect_reply_t reply = CONNECT_DEFAULTS;
    acme_telemetry_v1_Reading reading;
    connect_str_t bytes, back;
    bytes.data = blob;
    bytes.len = sizeof blob;
    headers[0].name = "x-request-id";
    headers[0].value = connect_str_of("id-7");
    headers[1].name = "x-blob-bin";
    headers[1].value = connect_base64_encode(bytes, &arena);
    options.headers.items = headers;
    options.headers.count = 2;
    options.reply = &reply;
    if (read_sensor("boiler", 0, &reading, &options) != CONNECT_OK) {
        wrong_error("ok");
        return;
    }
    expect_header(reply.headers, "x-site", "north", "header x-site");
    expect_header(reply.headers, "x-request-id", "id-7", "header x-request-id");
    expect_header(reply.trailers, "x-source", "i2c", "trailer x-source");
    back = connect_base64_decode(connect_headers_get(reply.trailers, "x-blob-bin", 0), &arena);
    expect(connect_str_equal(back, bytes), "trailer x-blob-bin");
}
static void check_error(void) {
    acme_telemetry_v1_Reading reading;
    read_sensor("missing", 0, &reading, NULL);
    expect_error(CONNECT_NOT_FOUND, "no sensor \"missing\" \xC3\x84\xC3\x96%", 7);
    expect(error.from_peer, "from_peer is false");
    expect_header(error.metadata, "x-source", "i2c", "x-source in the error's metadata");
}
static void check_invalid(void) {
    acme_telemetry_v1_Reading reading;
    read_sensor("?", 0, &reading, NULL);
    expect_error(CONNECT_INVALID_ARGUMENT, NULL, 0);
}
static void check_deadline(void) {
    acme_telemetry_v1_Reading reading;
    connect_call_options_t options = CONNECT_DEFAULTS;
    options.timeout_ms = 200;
    read_sensor("slow", 0, &reading, &options);
    expect_error(CONNECT_DEADLINE_EXCEEDED, NULL, 0);
    connect_arena_reset(&arena);
    check_boiler(0);
}
static void check_unimplemented(void) {
    connect_method_t method = acme_telemetry_v1_Telemetry_Read_method;
    acme_telemetry_v1_ReadRequest request = CONNECT_DEFAULTS;
    acme_telemetry_v1_Reading reading;
    method.path = "/acme.telemetry.v1.Telemetry/NoSuchMethod";
    connect_client_unary_wait(client, &method, &request, &reading, &arena, NULL, &error);
    expect_error(CONNECT_UNIMPLEMENTED, NULL, 0);
}

/* Reads a stream, at most `most` readings. Returns how many came; *how is what ended it. */
static uint64_t read_stream(const acme_telemetry_v1_WatchRequest *request, uint64_t most, connect_io_t *how) {
    connect_call_t *call = acme_telemetry_v1_Telemetry_Watch(client, request, NULL, NULL, &error);
    acme_telemetry_v1_Reading reading;
    uint64_t count = 0;
    *how = CONNECT_IO_ERROR;
    while (call && count < most &&
        (*how = acme_telemetry_v1_Telemetry_Watch_receive_wait(call, &reading, &arena, &error)) == CONNECT_IO_OK) {
        expect(reading.sequence == count && connect_str_equal(reading.sensor, request->sensors.items[0]),
            "a reading is not the next one");
        count++;
        connect_arena_reset(&arena);
    }
    if (*how == CONNECT_IO_END) expect_header(connect_call_info(call)->trailers, "x-source", "i2c", "trailer x-source");
    if (*how == CONNECT_IO_ERROR && !call) wrong_error("no stream");
    if (*how == CONNECT_IO_ERROR && call) { /* the error lives as long as the call or the arena: look now */
        if (is(request->sensors.items[0], "flaky"))
            expect_error(CONNECT_DATA_LOSS, "sensor went away", 9);
        else
            wrong_error("stream");
    }
    connect_call_free(call);
    return count;
}
static acme_telemetry_v1_WatchRequest watch_request(const char *sensor) {
    static connect_str_t sensors[1];
    acme_telemetry_v1_WatchRequest request = CONNECT_DEFAULTS;
    sensors[0] = connect_str_of(sensor);
    request.sensors.items = sensors;
    request.sensors.count = 1;
    return request;
}
static void check_watch_of(uint32_t count) {
    acme_telemetry_v1_WatchRequest request = watch_request("boiler");
    connect_io_t how;
    request.count = count;
    expect(read_stream(&request, UINT64_MAX, &how) == count, "not so many readings");
    expect(how == CONNECT_IO_END, "no good end");
}
static void check_watch(void) {
    check_watch_of(5);
}
static void check_watch_long(void) {
    check_watch_of(1000);
}
static void check_watch_fails(void) {
    acme_telemetry_v1_WatchRequest request = watch_request("flaky");
    connect_io_t how;
    uint32_t k;
    for (k = 0; k < 3; k++) {
        request.count = k;
        expect(read_stream(&request, UINT64_MAX, &how) == k, "not so many readings");
        expect(how == CONNECT_IO_ERROR, "no error at the end");
    }
}
static void check_watch_left(void) {
    acme_telemetry_v1_WatchRequest request = watch_request("boiler");
    connect_io_t how;
    request.interval_ms = 5;
    request.has_interval_ms = true;
    expect(read_stream(&request, 3, &how) == 3, "not three readings");
    connect_arena_reset(&arena);
    check_boiler(0);
}

static acme_telemetry_v1_Reading upload_reading(uint64_t i) {
    acme_telemetry_v1_Reading reading = CONNECT_DEFAULTS;
    reading.sensor = connect_str_of(i % 3 ? "boiler" : "roof");
    reading.sequence = i;
    return reading;
}
static void check_upload(void) {
    const acme_telemetry_v1_UploadSummary_PerSensorEntry *roof, *boiler;
    acme_telemetry_v1_UploadSummary summary;
    connect_call_t *call = acme_telemetry_v1_Telemetry_Upload(client, NULL, NULL, &error);
    connect_io_t io = call ? CONNECT_IO_OK : CONNECT_IO_ERROR;
    uint64_t i;
    for (i = 0; io == CONNECT_IO_OK && i < 300; i++) {
        acme_telemetry_v1_Reading reading = upload_reading(i);
        io = acme_telemetry_v1_Telemetry_Upload_send_request_wait(call, &reading, &error);
    }
    if (io == CONNECT_IO_OK) {
        connect_call_finish(call, CONNECT_OK, NULL);
        io = acme_telemetry_v1_Telemetry_Upload_receive_wait(call, &summary, &arena, &error);
    }
    if (io == CONNECT_IO_OK) {
        roof = acme_telemetry_v1_UploadSummary_per_sensor_get(&summary, connect_str_of("roof"));
        boiler = acme_telemetry_v1_UploadSummary_per_sensor_get(&summary, connect_str_of("boiler"));
        expect(summary.taken == 300 && summary.per_sensor.count == 2, "not 300 readings of two sensors");
        expect(roof && roof->value == 100 && boiler && boiler->value == 200, "not 100 and 200 readings");
        io = acme_telemetry_v1_Telemetry_Upload_receive_wait(call, &summary, &arena, &error);
    }
    if (io != CONNECT_IO_END) wrong_error("no good end");
    connect_call_free(call);
}

/* Sends commands; in full duplex each waits for the result of the one before. */
static void check_exchange(void) {
    const bool duplex = strcmp(exchange, "duplex") == 0;
    connect_call_t *call = acme_telemetry_v1_Telemetry_Exchange(client, NULL, NULL, &error);
    connect_io_t io = call ? CONNECT_IO_OK : CONNECT_IO_ERROR;
    acme_telemetry_v1_Command command = CONNECT_DEFAULTS;
    acme_telemetry_v1_CommandResult result;
    uint64_t sent = 0, got = 0;
    while (io == CONNECT_IO_OK && got < 20) {
        if (sent < 20) {
            command.id = ++sent;
            command.actuator = connect_str_of(sent == 7 ? "jammed" : "valve");
            io = acme_telemetry_v1_Telemetry_Exchange_send_request_wait(call, &command, &error);
            if (sent == 20) connect_call_finish(call, CONNECT_OK, NULL);
        }
        if (io != CONNECT_IO_OK || (!duplex && sent < 20)) continue;
        io = acme_telemetry_v1_Telemetry_Exchange_receive_wait(call, &result, &arena, &error);
        if (io != CONNECT_IO_OK) break;
        expect(result.id == ++got, "not the next result");
        expect((result.fault && result.fault->code == 3) == (got == 7), "a fault, or none");
    }
    if (io == CONNECT_IO_OK) io = acme_telemetry_v1_Telemetry_Exchange_receive_wait(call, &result, &arena, &error);
    if (strcmp(exchange, "refused") == 0) { /* 505, which Connect has no code for */
        expect(got == 0, "a result");
        if (io != CONNECT_IO_ERROR || error.code != CONNECT_UNKNOWN) wrong_error("unknown");
    } else if (io != CONNECT_IO_END) {
        wrong_error("no good end");
    }
    connect_call_free(call);
}

typedef struct ending {
    int times;
    connect_code_t code;
    bool from_peer, is_right;
    char compression[16];
    connect_task_t task;
    connect_call_t *call;
} ending;
static void read_done(connect_call_t *call, const acme_telemetry_v1_Reading *response_or_null,
    const connect_error_t *error_or_null, void *user) {
    ending *e = (ending *)user;
    e->times++;
    e->code = error_or_null ? error_or_null->code : CONNECT_OK;
    e->from_peer = error_or_null && error_or_null->from_peer;
    e->is_right = response_or_null && response_or_null->raw_frame.len == 50005;
    snprintf(e->compression, sizeof e->compression, "%s", connect_call_info(call)->compression_received);
}
/* A compressed request, and what its answer is compressed with. */
static void check_compression(void) {
    acme_telemetry_v1_ReadRequest request = CONNECT_DEFAULTS;
    connect_call_options_t options = CONNECT_DEFAULTS;
    ending e = CONNECT_DEFAULTS;
    char *echo = CONNECT_NEW(&arena, char, 50005);
    if (!echo) return;
    memset(echo, 'z', 50005);
    memcpy(echo, "echo ", 5);
    request.sensor.data = echo;
    request.sensor.len = 50005;
    options.compression = compression;
    if (!acme_telemetry_v1_Telemetry_Read_with(client, &request, read_done, &e, &options, &error)) {
        wrong_error("not started");
        return;
    }
    while (!e.times && connect_loop_run(loop, 1000)) {}
    expect(e.times == 1 && e.code == CONNECT_OK && e.is_right, "another answer");
    if (strcmp(e.compression, received) != 0) {
        wrong("the answer's compression is ");
        snprintf(why + strlen(why), sizeof why - strlen(why), "%s, not %s", e.compression, received);
    }
}

static void cancel_now(void *arg) {
    connect_call_finish(((ending *)arg)->call, CONNECT_CANCELED, NULL);
}
/* A call that was left ends at once, here; the connection goes on. */
static void check_cancel(void) {
    acme_telemetry_v1_ReadRequest request = CONNECT_DEFAULTS;
    ending e = CONNECT_DEFAULTS;
    request.sensor = connect_str_of("slow");
    e.call = acme_telemetry_v1_Telemetry_Read(client, &request, read_done, &e, &error);
    if (!e.call) {
        wrong_error("not started");
        return;
    }
    connect_loop_after(loop, &e.task, 100, cancel_now, &e);
    while (!e.times && connect_loop_run(loop, 1000)) {}
    expect(e.times == 1 && e.code == CONNECT_CANCELED && !e.from_peer, "not canceled, once, here");
    check_boiler(0);
}

static const struct check {
    const char *name;
    void (*run)(void);
} checks[] = {
    {"unary", check_unary},
    {"unary-echo", check_echo},
    {"unary-1MiB", check_large},
    {"unary-200", check_again},
    {"set-point", check_set_point},
    {"metadata", check_metadata},
    {"error", check_error},
    {"invalid-argument", check_invalid},
    {"deadline", check_deadline},
    {"unimplemented", check_unimplemented},
    {"watch-5", check_watch},
    {"watch-1000", check_watch_long},
    {"watch-fails", check_watch_fails},
    {"watch-left", check_watch_left},
    {"upload", check_upload},
    {"exchange", check_exchange},
    {"compression", check_compression},
    {"cancel", check_cancel},
};

int main(int argc, char **argv) {
    const char *engine = "", *url = "", *protocol = "connect", *http = "", *only = "", *certificate = "client";
    char files[2][256];
    connect_client_options_t options = CONNECT_DEFAULTS;
    connect_tls_options_t tls = CONNECT_DEFAULTS;
    size_t i;
    int arg;
    for (arg = 1; arg + 1 < argc; arg += 2) {
        if (strcmp(argv[arg], "--tls") == 0) engine = argv[arg + 1];
        if (strcmp(argv[arg], "--url") == 0) url = argv[arg + 1];
        if (strcmp(argv[arg], "--protocol") == 0) protocol = argv[arg + 1];
        if (strcmp(argv[arg], "--http") == 0) http = argv[arg + 1];
        if (strcmp(argv[arg], "--check") == 0) only = argv[arg + 1];
        if (strcmp(argv[arg], "--certificate") == 0) certificate = argv[arg + 1];
        if (strcmp(argv[arg], "--codec") == 0) options.codec = argv[arg + 1];
        if (strcmp(argv[arg], "--compression") == 0) compression = argv[arg + 1];
        if (strcmp(argv[arg], "--received") == 0) received = argv[arg + 1];
        if (strcmp(argv[arg], "--exchange") == 0) exchange = argv[arg + 1];
    }
    if (strcmp(protocol, "connect") == 0) options.protocol = CONNECT_PROTOCOL_CONNECT;
    if (strcmp(protocol, "grpc") == 0) options.protocol = CONNECT_PROTOCOL_GRPC;
    if (strcmp(protocol, "grpcweb") == 0) options.protocol = CONNECT_PROTOCOL_GRPC_WEB;
    if (strcmp(http, "1") == 0) options.http = CONNECT_HTTP_1;
    if (strcmp(http, "2") == 0) options.http = CONNECT_HTTP_2;
    options.timeout_ms = 10000;
    if (!received[0]) received = compression;
    if (!exchange[0]) exchange = options.http == CONNECT_HTTP_1 ? "half" : "duplex";
    if (engine[0]) {
        snprintf(files[0], sizeof files[0], "build/certificates/%s.pem", certificate);
        snprintf(files[1], sizeof files[1], "build/certificates/%s.key", certificate);
        if (certificate[0]) tls.identity.certificate = connect_str_of(files[0]);
        if (certificate[0]) tls.identity.private_key = connect_str_of(files[1]);
        tls.trust_anchors = connect_str_of("build/certificates/ca.pem");
        if (strcmp(engine, "openssl") == 0) tls.engine = connect_openssl_engine();
        options.tls = connect_tls_new(&tls, &error);
        if (!options.tls) {
            fprintf(stderr, "%s: %s\n", argv[0], error.message.data);
            return 1;
        }
    }
    loop = connect_loop_new(NULL, &error);
    options.loop = loop;
    client = loop ? connect_client_new(url, &options, &error) : NULL;
    connect_tls_free(options.tls); /* the client keeps it */
    if (!client) {
        fprintf(stderr, "%s: %s: %s\n", argv[0], connect_code_name(error.code), error.message.data);
        connect_loop_free(loop);
        return 1;
    }
    for (i = 0; i < sizeof checks / sizeof *checks; i++) {
        if (only[0] && strcmp(only, checks[i].name) != 0) continue;
        why[0] = 0;
        memset(&error, 0, sizeof error);
        connect_arena_reset(&arena);
        checks[i].run();
        if (why[0])
            printf("FAIL %s: %s\n", checks[i].name, why);
        else
            printf("PASS %s\n", checks[i].name);
        fflush(stdout);
        failures += why[0] != 0;
    }
    connect_client_free(client);
    connect_loop_free(loop);
    connect_arena_free(&arena);
    return failures != 0;
}
