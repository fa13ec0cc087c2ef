/* TLS: a server that knows its clients by their certificates and takes renewed ones at SIGHUP, clear text beside it for
   local probes, and a client of a private CA. Run it in a folder with the files named below:

       ca.pem  server.pem server.key  site-1.pem site-1.key  client.pem client.key                                   */
#define _POSIX_C_SOURCE 200809L
#include "telemetry.connect.h"
#include <signal.h>
#include <stdio.h>
#include <string.h>

/* ---- Who calls: names of the client's certificate, checked against an access list ---- */
static bool may_read(const connect_tls_info_t *tls) {
    size_t i;
    for (i = 0; tls && tls->peer_verified && i < tls->peer_names.count; i++)
        if (connect_str_equal(tls->peer_names.items[i], connect_str_of("URI:spiffe://site-1/dashboard"))) return true;
    return false;
}
static connect_code_t read_sensor(connect_call_t *call, const acme_telemetry_v1_ReadRequest *request,
    acme_telemetry_v1_Reading *response, void *user) {
    const connect_peer_t *peer = &connect_call_info(call)->peer;
    (void)user;
    if (!may_read(peer->tls)) return connect_call_fail(call, CONNECT_PERMISSION_DENIED, "you may not read");
    printf("%s reads, %s %s\n", peer->tls->peer_subject, peer->tls->version, peer->tls->resumed ? "resumed" : "anew");
    response->sensor = request->sensor;
    return CONNECT_OK;
}

/* ---- Renewed certificates: SIGHUP reads the files again; calls in progress keep what they began with ---- */
static connect_loop_t *loop;
static connect_task_t reload;
static connect_tls_t *server_tls;
static void reload_now(void *arg) {
    connect_error_t error;
    if (connect_tls_reload((connect_tls_t *)arg, NULL, &error))
        printf("reloaded\n");
    else
        printf("still the old certificate: %s\n", error.message.data);
}
static void on_sighup(int sig) {
    (void)sig;
    connect_loop_post(loop, &reload, reload_now, server_tls);
}

static int listen_both(connect_server_t *server, int *clear_port, connect_error_t *error) {
    connect_tls_options_t options = CONNECT_DEFAULTS;
    connect_identity_t site = CONNECT_DEFAULTS;
    connect_listen_options_t secure = CONNECT_DEFAULTS;
    options.identity.certificate = connect_str_of("server.pem");
    options.identity.private_key = connect_str_of("server.key");
    site.certificate = connect_str_of("site-1.pem"); /* for those who ask for this name */
    site.private_key = connect_str_of("site-1.key");
    options.more = &site;
    options.more_count = 1;
    options.trust_anchors = connect_str_of("ca.pem");
    options.client_auth = CONNECT_CLIENT_AUTH_OPTIONAL; /* probes have none; handlers look */
    secure.tls = server_tls = connect_tls_new(&options, error);
    if (!server_tls || (*clear_port = connect_server_listen(server, "127.0.0.1:0", NULL, error)) < 0) return -1;
    return connect_server_listen(server, "127.0.0.1:0", &secure, error);
}

/* Calls once, over a connection of its own; says how it went. */
static bool call(connect_tls_t *tls, const char *scheme, int port, connect_error_t *error) {
    connect_client_options_t options = CONNECT_DEFAULTS;
    connect_arena_t arena = CONNECT_DEFAULTS;
    acme_telemetry_v1_ReadRequest request = CONNECT_DEFAULTS;
    acme_telemetry_v1_Reading response;
    connect_client_t *client;
    connect_code_t code;
    char url[64];
    snprintf(url, sizeof url, "%s://127.0.0.1:%d", scheme, port);
    options.loop = loop;
    options.tls = tls;
    client = connect_client_new(url, &options, error);
    if (!client) return false;
    request.sensor = connect_str_of("boiler");
    code = acme_telemetry_v1_Telemetry_Read_wait(client, &request, &response, &arena, error);
    printf("%s: %s%s%s\n", scheme, connect_code_name(code), code ? ", " : "", code ? error->message.data : "");
    connect_client_free(client);
    connect_arena_free(&arena);
    return true;
}

int main(void) {
    connect_error_t error;
    connect_tls_options_t options = CONNECT_DEFAULTS;
    connect_server_options_t server_options = CONNECT_DEFAULTS;
    acme_telemetry_v1_Telemetry_handlers handlers = CONNECT_DEFAULTS;
    connect_server_t *server = NULL;
    connect_tls_t *tls = NULL;
    int port = -1, clear_port = -1;
    bool ok;
    options.identity.certificate = connect_str_of("client.pem");
    options.identity.private_key = connect_str_of("client.key");
    options.trust_anchors = connect_str_of("ca.pem");
    options.server_name = "a.site-1.example"; /* dialled by address, verified by name */
    handlers.Read = read_sensor;
    loop = server_options.loop = connect_loop_new(NULL, &error);
    ok = loop && (tls = connect_tls_new(&options, &error)) != NULL &&
        (server = connect_server_new(&server_options, &error)) != NULL &&
        acme_telemetry_v1_Telemetry_serve(server, &handlers, NULL, NULL, &error) &&
        (port = listen_both(server, &clear_port, &error)) >= 0;
    signal(SIGHUP, on_sighup);
    ok = ok && call(tls, "https", port, &error) && call(tls, "https", port, &error); /* the second resumes */
    if (ok) raise(SIGHUP);
    ok = ok && call(tls, "https", port, &error) && call(NULL, "http", clear_port, &error);
    if (!ok) fprintf(stderr, "%s: %s\n", connect_code_name(error.code), error.message.data);
    connect_server_free(server);
    connect_tls_free(tls);
    connect_tls_free(server_tls);
    connect_loop_free(loop);
    return ok ? 0 : 1;
}
