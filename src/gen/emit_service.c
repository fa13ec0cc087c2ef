/* Services, typed: for the server a struct of handlers, whose thunks turn the untyped events of connect_events_t into
   calls of them; for the client a function per method. Written as templates, in which
     $S the service's C name    $M the method's C name (S_M)     $H the method's member in the handlers
     $Q the request's struct    $R the response's struct         $N the method's own name
   All of the server is under CONNECT_ENABLE_SERVER, of the client under CONNECT_ENABLE_CLIENT.

   The thunks find the handlers by connect_call_value(call, &S_service), where connect_server_add_service put them. A
   client call keeps its callbacks in its own arena, found by the method's address. If there is no memory for them,
   the call is canceled and NULL returned, as if it could not be started: no callback comes; thunks that find nothing
   do nothing. */
#include "gen/emit_service.h"

typedef enum gen_emit_shape_t {
    GEN_EMIT_UNARY,
    GEN_EMIT_CLIENT_STREAM,
    GEN_EMIT_SERVER_STREAM,
    GEN_EMIT_BIDI
} gen_emit_shape_t;

static gen_emit_shape_t gen_emit_service_shape(const gen_method_t *method) {
    if (method->client_streams) return method->server_streams ? GEN_EMIT_BIDI : GEN_EMIT_CLIENT_STREAM;
    return method->server_streams ? GEN_EMIT_SERVER_STREAM : GEN_EMIT_UNARY;
}

static void gen_emit_service_values(const gen_service_t *service, const gen_method_t *method, const char *values[26]) {
    size_t i;
    for (i = 0; i < 26; i++)
        values[i] = "";
    values['S' - 'A'] = service->c_name;
    if (!method) return;
    values['M' - 'A'] = method->c_name;
    values['H' - 'A'] = method->c_slot;
    values['N' - 'A'] = method->name;
    values['Q' - 'A'] = method->input->c_name;
    values['R' - 'A'] = method->output->c_name;
}

/* ---- Declarations: server ---- */

static void gen_emit_service_handlers(const gen_service_t *service, gen_text_t *text) {
    static const char *const slots[] = {
        "    connect_code_t (*$H)(connect_call_t *call, const $Q *request, $R *response, void *user);\n",
        "    struct {\n"
        "        connect_code_t (*on_open)(connect_call_t *call, void *user);\n"
        "        connect_io_t (*on_message)(connect_call_t *call, const $Q *request, void *user);\n"
        "        connect_code_t (*on_end)(connect_call_t *call, $R *response, void *user);\n"
        "        void (*on_drain)(connect_call_t *call, void *user);\n"
        "        void (*on_closed)(connect_call_t *call, const connect_error_t *error_or_null, void *user);\n"
        "    } $H;\n",
        "    struct {\n"
        "        connect_code_t (*on_request)(connect_call_t *call, const $Q *request, void *user);\n"
        "        void (*on_writable)(connect_call_t *call, void *user);\n"
        "        void (*on_drain)(connect_call_t *call, void *user);\n"
        "        void (*on_closed)(connect_call_t *call, const connect_error_t *error_or_null, void *user);\n"
        "    } $H;\n",
        "    struct {\n"
        "        connect_code_t (*on_open)(connect_call_t *call, void *user);\n"
        "        connect_io_t (*on_message)(connect_call_t *call, const $Q *request, void *user);\n"
        "        connect_code_t (*on_end)(connect_call_t *call, void *user);\n"
        "        void (*on_writable)(connect_call_t *call, void *user);\n"
        "        void (*on_drain)(connect_call_t *call, void *user);\n"
        "        void (*on_closed)(connect_call_t *call, const connect_error_t *error_or_null, void *user);\n"
        "    } $H;\n"};
    const gen_method_t *method;
    const char *values[26];
    gen_emit_service_values(service, NULL, values);
    gen_text_template(
        text, "typedef struct $S_handlers { /* a method left NULL is UNIMPLEMENTED; see connect_events_t */\n", values);
    for (method = service->methods.first; method; method = method->next) {
        gen_emit_service_values(service, method, values);
        gen_text_comment(text, "    ", method->docs.leading, method->docs.trailing, method->deprecated);
        gen_text_template(text, slots[gen_emit_service_shape(method)], values);
    }
    if (!service->methods.first) gen_text_put(text, "    char private_empty; /* C has no empty structs */\n");
    gen_emit_service_values(service, NULL, values);
    gen_text_template(text,
        "} $S_handlers;\n"
        "/* Adds the service to a server. handlers: copied. As connect_server_add_service. */\n"
        "CONNECT_API bool $S_serve(connect_server_t *server, const $S_handlers *handlers, void *user, "
        "const connect_route_options_t *options, connect_error_t *error);\n",
        values);
    for (method = service->methods.first; method; method = method->next) {
        gen_emit_service_values(service, method, values);
        gen_text_template(text,
            method->server_streams ? "CONNECT_CHECKED static inline connect_io_t $M_send_response(connect_call_t "
                                     "*call, const $R *response) {\n"
                                     "    return connect_call_send(call, response);\n"
                                     "}\n"
                                   : "static inline void $M_finish(connect_call_t *call, connect_code_t code, const $R "
                                     "*response_or_null) {\n"
                                     "    connect_call_finish(call, code, response_or_null);\n"
                                     "}\n",
            values);
    }
}

/* ---- Declarations: client ---- */

static const char gen_emit_service_unary[] =
    "/* $N: calls done at the end; _wait: blocks, see connect_client_unary_wait. _with: with options. */\n"
    "typedef void (*$M_done)(connect_call_t *call, const $R *response_or_null, const connect_error_t *error_or_null, "
    "void *user);\n"
    "CONNECT_API connect_call_t *$M_with(connect_client_t *client, const $Q *request, $M_done done, void *user, "
    "const connect_call_options_t *options, connect_error_t *error);\n"
    "static inline connect_call_t *$M(connect_client_t *client, const $Q *request, $M_done done, void *user, "
    "connect_error_t *error) {\n"
    "    return $M_with(client, request, done, user, CONNECT_NULL, error);\n"
    "}\n"
    "static inline connect_code_t $M_wait_with(connect_client_t *client, const $Q *request, $R *response, "
    "connect_arena_t *arena, const connect_call_options_t *options, connect_error_t *error) {\n"
    "    return connect_client_unary_wait(client, &$M_method, request, response, arena, options, error);\n"
    "}\n"
    "static inline connect_code_t $M_wait(connect_client_t *client, const $Q *request, $R *response, "
    "connect_arena_t *arena, connect_error_t *error) {\n"
    "    return connect_client_unary_wait(client, &$M_method, request, response, arena, CONNECT_NULL, error);\n"
    "}\n";

/* $W the line of on_writable or nothing; $A the request's parameter, $B its argument. */
static const char gen_emit_service_stream[] =
    "typedef struct $M_events {\n"
    "    connect_code_t (*on_open)(connect_call_t *call, void *user);\n"
    "    connect_io_t (*on_message)(connect_call_t *call, const $R *response, void *user);\n"
    "$W"
    "    void (*on_drain)(connect_call_t *call, void *user);\n"
    "    void (*on_closed)(connect_call_t *call, const connect_error_t *error_or_null, void *user);\n"
    "} $M_events;\n"
    "CONNECT_API connect_call_t *$M_with(connect_client_t *client, $A"
    "const $M_events *events_or_null, void *user, const connect_call_options_t *options, connect_error_t *error);\n"
    "static inline connect_call_t *$M(connect_client_t *client, $A"
    "const $M_events *events_or_null, void *user, connect_error_t *error) {\n"
    "    return $M_with(client, $Bevents_or_null, user, CONNECT_NULL, error);\n"
    "}\n";

static void gen_emit_service_client(gen_context_t *ctx, const gen_service_t *service, gen_text_t *text) {
    const gen_method_t *method;
    const char *values[26];
    for (method = service->methods.first; method; method = method->next) {
        gen_emit_service_values(service, method, values);
        gen_text_comment(text, "", method->docs.leading, method->docs.trailing, method->deprecated);
        if (gen_emit_service_shape(method) == GEN_EMIT_UNARY) {
            gen_text_template(text, gen_emit_service_unary, values);
            continue;
        }
        if (method->client_streams) {
            values['W' - 'A'] = "    void (*on_writable)(connect_call_t *call, void *user);\n";
            gen_text_template(text,
                "/* $N: events, or NULL and the _wait functions; ends sending by connect_call_finish. _with: with "
                "options. "
                "*/\n",
                values);
        } else {
            values['A' - 'A'] = gen_source_printf(ctx, "const %s *request, ", method->input->c_name);
            values['B' - 'A'] = "request, ";
            gen_text_template(
                text, "/* $N: sends the request; events, or NULL and _receive_wait. _with: with options. */\n", values);
        }
        gen_text_template(text, gen_emit_service_stream, values);
        if (method->client_streams) {
            gen_text_template(text,
                "CONNECT_CHECKED static inline connect_io_t $M_send_request(connect_call_t *call, const $Q *request) "
                "{\n"
                "    return connect_call_send(call, request);\n"
                "}\n",
                values);
        }
        if (method->client_streams) {
            gen_text_template(text,
                "static inline connect_io_t $M_send_request_wait(connect_call_t *call, const $Q *request, "
                "connect_error_t *error) {\n"
                "    return connect_call_send_wait(call, request, error);\n"
                "}\n",
                values);
        }
        gen_text_template(text,
            "static inline connect_io_t $M_receive_wait(connect_call_t *call, $R *response, connect_arena_t *arena, "
            "connect_error_t *error) {\n"
            "    return connect_call_receive_wait(call, response, arena, error);\n"
            "}\n",
            values);
    }
}

GEN_PRIVATE void gen_emit_service_declare(gen_context_t *ctx, const gen_service_t *service, gen_text_t *text) {
    const gen_method_t *method;
    gen_text_put(text, "\n");
    gen_text_line(text, "/* ==== %s ==== */", service->full_name);
    gen_text_comment(text, "", service->docs.leading, service->docs.trailing, service->deprecated);
    gen_text_line(text, "CONNECT_API const connect_service_t %s_service;", service->c_name);
    for (method = service->methods.first; method; method = method->next) {
        gen_text_line(text, "CONNECT_API const connect_method_t %s_method;", method->c_name);
    }
    gen_text_put(text, "\n#if CONNECT_ENABLE_SERVER\n");
    gen_emit_service_handlers(service, text);
    gen_text_put(text, "#endif\n");
    if (!service->methods.first) return;
    gen_text_put(text, "\n#if CONNECT_ENABLE_CLIENT\n");
    gen_emit_service_client(ctx, service, text);
    gen_text_put(text, "#endif\n");
}

/* ---- Definitions: server ---- */

static const char gen_emit_service_on_request[] =
    "static connect_code_t $M_on_request(connect_call_t *call, const void *request, void *response, void *user) {\n"
    "    const $S_handlers *handlers = $S_of(call);\n"
    "    if (!handlers->$H) return CONNECT_UNIMPLEMENTED;\n"
    "    return handlers->$H(call, (const $Q *)request, ($R *)response, user);\n"
    "}\n";
static const char gen_emit_service_on_stream_request[] =
    "static connect_code_t $M_on_request(connect_call_t *call, const void *request, void *response, void *user) {\n"
    "    const $S_handlers *handlers = $S_of(call);\n"
    "    (void)response;\n"
    "    if (!handlers->$H.on_request) return CONNECT_UNIMPLEMENTED;\n"
    "    return handlers->$H.on_request(call, (const $Q *)request, user);\n"
    "}\n";
static const char gen_emit_service_on_open[] =
    "static connect_code_t $M_on_open(connect_call_t *call, void *user) {\n"
    "    const $S_handlers *handlers = $S_of(call);\n"
    "    if (!handlers->$H.on_message) return CONNECT_UNIMPLEMENTED;\n"
    "    return handlers->$H.on_open ? handlers->$H.on_open(call, user) : CONNECT_OK;\n"
    "}\n"
    "static connect_io_t $M_on_message(connect_call_t *call, const void *message, void *user) {\n"
    "    return $S_of(call)->$H.on_message(call, (const $Q *)message, user);\n"
    "}\n";
static const char gen_emit_service_on_end[] =
    "static connect_code_t $M_on_end(connect_call_t *call, void *response, void *user) {\n"
    "    const $S_handlers *handlers = $S_of(call);\n"
    "    return handlers->$H.on_end ? handlers->$H.on_end(call, ($R *)response, user) : CONNECT_OK;\n"
    "}\n";
static const char gen_emit_service_on_bidi_end[] =
    "static connect_code_t $M_on_end(connect_call_t *call, void *response, void *user) {\n"
    "    const $S_handlers *handlers = $S_of(call);\n"
    "    (void)response;\n"
    "    return handlers->$H.on_end ? handlers->$H.on_end(call, user) : CONNECT_OK;\n"
    "}\n";
static const char gen_emit_service_on_writable[] =
    "static void $M_on_writable(connect_call_t *call, void *user) {\n"
    "    const $S_handlers *handlers = $S_of(call);\n"
    "    if (handlers->$H.on_writable) handlers->$H.on_writable(call, user);\n"
    "}\n";
static const char gen_emit_service_on_closed[] =
    "static void $M_on_drain(connect_call_t *call, void *user) {\n"
    "    const $S_handlers *handlers = $S_of(call);\n"
    "    if (handlers->$H.on_drain) handlers->$H.on_drain(call, user);\n"
    "}\n"
    "static void $M_on_closed(connect_call_t *call, const connect_error_t *error_or_null, void *user) {\n"
    "    const $S_handlers *handlers = $S_of(call);\n"
    "    if (handlers->$H.on_closed) handlers->$H.on_closed(call, error_or_null, user);\n"
    "}\n";

static void gen_emit_service_thunks(const gen_service_t *service, const gen_method_t *method, gen_text_t *text) {
    const char *values[26];
    gen_emit_service_values(service, method, values);
    if (gen_emit_service_shape(method) == GEN_EMIT_UNARY) {
        gen_text_template(text, gen_emit_service_on_request, values);
        gen_text_template(text,
            "static const connect_events_t $M_thunks = {\n"
            "    .on_request = $M_on_request\n"
            "};\n",
            values);
        return;
    }
    if (method->client_streams) {
        gen_text_template(text, gen_emit_service_on_open, values);
        gen_text_template(
            text, method->server_streams ? gen_emit_service_on_bidi_end : gen_emit_service_on_end, values);
    } else {
        gen_text_template(text, gen_emit_service_on_stream_request, values);
    }
    if (method->server_streams) gen_text_template(text, gen_emit_service_on_writable, values);
    gen_text_template(text, gen_emit_service_on_closed, values);
    gen_text_template(text, "static const connect_events_t $M_thunks = {\n", values);
    gen_text_template(text,
        method->client_streams ? "    .on_open = $M_on_open,\n"
                                 "    .on_message = $M_on_message,\n"
                                 "    .on_end = $M_on_end,\n"
                               : "    .on_request = $M_on_request,\n",
        values);
    if (method->server_streams) gen_text_template(text, "    .on_writable = $M_on_writable,\n", values);
    gen_text_template(text,
        "    .on_drain = $M_on_drain,\n"
        "    .on_closed = $M_on_closed\n"
        "};\n",
        values);
}

/* ---- Definitions: client ---- */

static const char gen_emit_service_unary_with[] =
    "typedef struct $M_slot {\n"
    "    $M_done done;\n"
    "    const $R *response;\n"
    "} $M_slot;\n"
    "static $M_slot *$M_slot_of(const connect_call_t *call) {\n"
    "    return ($M_slot *)connect_call_value(call, &$M_method);\n"
    "}\n"
    "static connect_io_t $M_client_on_message(connect_call_t *call, const void *message, void *user) {\n"
    "    $M_slot *slot = $M_slot_of(call);\n"
    "    (void)user;\n"
    "    if (slot) slot->response = (const $R *)message;\n"
    "    return CONNECT_IO_OK;\n"
    "}\n"
    "static void $M_client_on_closed(connect_call_t *call, const connect_error_t *error_or_null, void *user) {\n"
    "    const $M_slot *slot = $M_slot_of(call);\n"
    "    if (slot && slot->done) slot->done(call, error_or_null ? NULL : slot->response, error_or_null, user);\n"
    "}\n"
    "connect_call_t *$M_with(connect_client_t *client, const $Q *request, $M_done done, void *user, "
    "const connect_call_options_t *options, connect_error_t *error) {\n"
    "    static const connect_events_t thunks = {\n"
    "        .on_message = $M_client_on_message,\n"
    "        .on_closed = $M_client_on_closed\n"
    "    };\n"
    "    connect_call_t *call = connect_client_start(client, &$M_method, &thunks, user, options, error);\n"
    "    $M_slot *slot;\n"
    "    if (!call) return NULL;\n"
    "    slot = CONNECT_NEW(connect_call_arena(call), $M_slot, 1);\n"
    "    if (slot) slot->done = done;\n"
    "    if (!slot || !connect_call_set_value(call, &$M_method, slot)) {\n"
    "$F"
    "    }\n"
    "    connect_call_finish(call, CONNECT_OK, request);\n"
    "    return call;\n"
    "}\n";
static const char gen_emit_service_failure[] = "        const connect_error_t no_memory = {.code = "
                                               "CONNECT_RESOURCE_EXHAUSTED, .message = {\"out of memory\", 13}};\n"
                                               "        connect_call_finish(call, CONNECT_RESOURCE_EXHAUSTED, NULL);\n"
                                               "        if (error) *error = no_memory;\n"
                                               "        return NULL;\n";
static const char gen_emit_service_stream_thunks[] =
    "static const $M_events *$M_events_of(const connect_call_t *call) {\n"
    "    return (const $M_events *)connect_call_value(call, &$M_method);\n"
    "}\n"
    "static connect_code_t $M_client_on_open(connect_call_t *call, void *user) {\n"
    "    const $M_events *events = $M_events_of(call);\n"
    "    return events && events->on_open ? events->on_open(call, user) : CONNECT_OK;\n"
    "}\n"
    "static connect_io_t $M_client_on_message(connect_call_t *call, const void *message, void *user) {\n"
    "    const $M_events *events = $M_events_of(call);\n"
    "    return events && events->on_message ? events->on_message(call, (const $R *)message, user) : CONNECT_IO_OK;\n"
    "}\n";
static const char gen_emit_service_stream_writable[] =
    "static void $M_client_on_writable(connect_call_t *call, void *user) {\n"
    "    const $M_events *events = $M_events_of(call);\n"
    "    if (events && events->on_writable) events->on_writable(call, user);\n"
    "}\n";
static const char gen_emit_service_stream_with[] =
    "static void $M_client_on_drain(connect_call_t *call, void *user) {\n"
    "    const $M_events *events = $M_events_of(call);\n"
    "    if (events && events->on_drain) events->on_drain(call, user);\n"
    "}\n"
    "static void $M_client_on_closed(connect_call_t *call, const connect_error_t *error_or_null, void *user) {\n"
    "    const $M_events *events = $M_events_of(call);\n"
    "    if (events && events->on_closed) events->on_closed(call, error_or_null, user);\n"
    "}\n"
    "connect_call_t *$M_with(connect_client_t *client, $A"
    "const $M_events *events_or_null, void *user, const connect_call_options_t *options, connect_error_t *error) {\n"
    "    static const connect_events_t thunks = {\n"
    "        .on_open = $M_client_on_open,\n"
    "        .on_message = $M_client_on_message,\n"
    "$W"
    "        .on_drain = $M_client_on_drain,\n"
    "        .on_closed = $M_client_on_closed\n"
    "    };\n"
    "    connect_call_t *call = connect_client_start(client, &$M_method, events_or_null ? &thunks : NULL, user, "
    "options, "
    "error);\n"
    "    if (call && events_or_null) {\n"
    "        $M_events *events = CONNECT_NEW(connect_call_arena(call), $M_events, 1);\n"
    "        if (events) *events = *events_or_null;\n"
    "        if (!events || !connect_call_set_value(call, &$M_method, events)) {\n"
    "$F"
    "        }\n"
    "    }\n"
    "$E"
    "    return call;\n"
    "}\n";
static const char gen_emit_service_stream_failure[] =
    "            const connect_error_t no_memory = {.code = CONNECT_RESOURCE_EXHAUSTED, .message = {\"out of memory\", "
    "13}};\n"
    "            connect_call_finish(call, CONNECT_RESOURCE_EXHAUSTED, NULL);\n"
    "            if (error) *error = no_memory;\n"
    "            return NULL;\n";

static void gen_emit_service_calls(
    gen_context_t *ctx, const gen_service_t *service, const gen_method_t *method, gen_text_t *text) {
    const char *values[26];
    gen_emit_service_values(service, method, values);
    if (gen_emit_service_shape(method) == GEN_EMIT_UNARY) {
        values['F' - 'A'] = gen_emit_service_failure;
        gen_text_template(text, gen_emit_service_unary_with, values);
        return;
    }
    values['F' - 'A'] = gen_emit_service_stream_failure;
    gen_text_template(text, gen_emit_service_stream_thunks, values);
    if (method->client_streams) {
        gen_text_template(text, gen_emit_service_stream_writable, values);
        values['W' - 'A'] = gen_source_printf(ctx, "        .on_writable = %s_client_on_writable,\n", method->c_name);
    } else {
        values['A' - 'A'] = gen_source_printf(ctx, "const %s *request, ", method->input->c_name);
        values['E' - 'A'] = "    if (call) connect_call_finish(call, CONNECT_OK, request);\n";
    }
    gen_text_template(text, gen_emit_service_stream_with, values);
}

GEN_PRIVATE void gen_emit_service_define(gen_context_t *ctx, const gen_service_t *service, gen_text_t *text) {
    static const char *const kinds[] = {
        "CONNECT_UNARY", "CONNECT_CLIENT_STREAM", "CONNECT_SERVER_STREAM", "CONNECT_BIDI_STREAM"};
    static const char *const idempotency[] = {
        "CONNECT_IDEMPOTENCY_UNKNOWN", "CONNECT_NO_SIDE_EFFECTS", "CONNECT_IDEMPOTENT"};
    const gen_method_t *method;
    const char *values[26];
    gen_text_t methods, thunks;
    memset(&methods, 0, sizeof methods);
    memset(&thunks, 0, sizeof thunks);
    gen_text_put(&methods, "");
    gen_text_put(&thunks, "");
    for (method = service->methods.first; method; method = method->next) {
        const char *comma = method->next ? ", " : "";
        gen_text_line(text, "const connect_method_t %s_method = {", method->c_name);
        gen_text_line(text, "    \"/%s/%s\",", service->full_name, method->name);
        gen_text_line(text, "    &%s_type, &%s_type, %s, %s", method->input->c_name, method->output->c_name,
            kinds[gen_emit_service_shape(method)], idempotency[method->idempotency]);
        gen_text_line(text, "};");
        gen_text_put(&methods, gen_source_printf(ctx, "&%s_method%s", method->c_name, comma));
        gen_text_put(&thunks, gen_source_printf(ctx, "&%s_thunks%s", method->c_name, comma));
    }
    gen_emit_service_values(service, NULL, values);
    if (service->methods.first) {
        gen_text_line(text, "static const connect_method_t *const %s_methods[] = {%s};", service->c_name, methods.data);
    }
    gen_text_put(text, "#if CONNECT_ENABLE_SERVER\n");
    if (service->methods.first) {
        gen_text_template(text,
            "static const $S_handlers *$S_of(const connect_call_t *call) {\n"
            "    return (const $S_handlers *)connect_call_value(call, &$S_service);\n"
            "}\n",
            values);
        for (method = service->methods.first; method; method = method->next) {
            gen_emit_service_thunks(service, method, text);
        }
        gen_text_line(text, "static const connect_events_t *const %s_thunks[] = {%s};", service->c_name, thunks.data);
    }
    gen_text_template(text,
        "bool $S_serve(connect_server_t *server, const $S_handlers *handlers, void *user, "
        "const connect_route_options_t *options, connect_error_t *error) {\n"
        "    return connect_server_add_service(server, &$S_service, handlers, user, options, error);\n"
        "}\n"
        "#endif\n",
        values);
    if (service->methods.first) {
        gen_text_put(text, "#if CONNECT_ENABLE_CLIENT\n");
        for (method = service->methods.first; method; method = method->next) {
            gen_emit_service_calls(ctx, service, method, text);
        }
        gen_text_put(text, "#endif\n");
    }
    gen_text_line(text, "const connect_service_t %s_service = {", service->c_name);
    if (service->methods.first) {
        gen_text_line(text, "    .methods = %s_methods, .method_count = %lu,", service->c_name,
            (unsigned long)service->methods.count);
    }
    gen_text_put(text, "#if CONNECT_ENABLE_SERVER\n");
    if (service->methods.first) gen_text_line(text, "    .thunks = %s_thunks,", service->c_name);
    gen_text_line(text, "    .handlers_size = sizeof(%s_handlers),", service->c_name);
    gen_text_put(text, "#endif\n");
    gen_text_line(text, "    .full_name = \"%s\", .file = &%s_file", service->full_name, service->file->c_name);
    gen_text_line(text, "};");
    gen_text_free(&methods);
    gen_text_free(&thunks);
}
