/* client URL connect|grpc|grpc-web read SENSOR | watch SENSOR COUNT | set SENSOR CELSIUS */
#include "telemetry.connect.h"
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static void print_reading(const acme_telemetry_v1_Reading *reading) {
    printf(CONNECT_STR_FMT ": ", CONNECT_STR_ARG(reading->sensor));
    if (reading->sequence) printf("#%lu ", (unsigned long)reading->sequence);
    if (reading->has_celsius) printf("%.2f C", reading->celsius);
    printf("\n");
}

static int print_error(const connect_error_t *error, connect_arena_t *arena) {
    acme_telemetry_v1_Fault fault;
    printf("%s: %s\n", connect_code_name(error->code), error->message.data);
    if (connect_error_find(error, &acme_telemetry_v1_Fault_type, &fault, arena))
        printf("  fault %d: " CONNECT_STR_FMT "\n", (int)fault.code, CONNECT_STR_ARG(fault.reason));
    return 1;
}

static int read_sensor(connect_client_t *client, const char *sensor, connect_arena_t *arena) {
    acme_telemetry_v1_ReadRequest request = CONNECT_DEFAULTS;
    acme_telemetry_v1_Reading reading;
    connect_error_t error;
    request.sensor = connect_str_of(sensor);
    if (acme_telemetry_v1_Telemetry_Read_wait(client, &request, &reading, arena, &error) != CONNECT_OK)
        return print_error(&error, arena);
    print_reading(&reading);
    return 0;
}

static int set_point(connect_client_t *client, const char *sensor, double celsius, connect_arena_t *arena) {
    acme_telemetry_v1_SetPointRequest request = CONNECT_DEFAULTS;
    acme_telemetry_v1_SetPointResponse response;
    connect_error_t error;
    request.actuator = connect_str_of(sensor);
    request.target = celsius;
    if (acme_telemetry_v1_Telemetry_SetPoint_wait(client, &request, &response, arena, &error) != CONNECT_OK)
        return print_error(&error, arena);
    printf("%s: %.2f C, was %.2f C\n", sensor, response.target, response.previous);
    return 0;
}

static int watch(connect_client_t *client, const char *sensor, unsigned count, connect_arena_t *arena) {
    connect_str_t name = connect_str_of(sensor);
    acme_telemetry_v1_WatchRequest request = CONNECT_DEFAULTS;
    acme_telemetry_v1_Reading reading;
    connect_error_t error;
    connect_io_t got = CONNECT_IO_ERROR;
    request.sensors.items = &name;
    request.sensors.count = 1;
    request.count = count;
    request.interval_ms = 100;
    request.has_interval_ms = true;
    connect_call_t *call = acme_telemetry_v1_Telemetry_Watch(client, &request, NULL, NULL, &error);
    while (call &&
        (got = acme_telemetry_v1_Telemetry_Watch_receive_wait(call, &reading, arena, &error)) == CONNECT_IO_OK) {
        print_reading(&reading);
        connect_arena_reset(arena);
    }
    if (got == CONNECT_IO_ERROR) print_error(&error, arena);
    connect_call_free(call);
    return got != CONNECT_IO_END;
}

int main(int argc, char **argv) {
    connect_arena_t arena = CONNECT_DEFAULTS;
    connect_client_options_t options = CONNECT_DEFAULTS;
    connect_error_t error;
    int status = 2;
    if (argc < 5) {
        fprintf(stderr, "client URL connect|grpc|grpc-web read SENSOR | watch SENSOR COUNT | set SENSOR CELSIUS\n");
        return 2;
    }
    options.timeout_ms = 5000;
    options.protocol = strcmp(argv[2], "grpc") == 0 ? CONNECT_PROTOCOL_GRPC
        : strcmp(argv[2], "grpc-web") == 0          ? CONNECT_PROTOCOL_GRPC_WEB
                                                    : CONNECT_PROTOCOL_CONNECT;
    connect_client_t *client = connect_client_new(argv[1], &options, &error);
    if (!client) return print_error(&error, &arena);
    if (strcmp(argv[3], "read") == 0) status = read_sensor(client, argv[4], &arena);
    if (strcmp(argv[3], "watch") == 0 && argc > 5) status = watch(client, argv[4], (unsigned)atoi(argv[5]), &arena);
    if (strcmp(argv[3], "set") == 0 && argc > 5) status = set_point(client, argv[4], atof(argv[5]), &arena);
    connect_client_free(client);
    connect_arena_free(&arena);
    return status;
}
