#include "base/error.h"
#include "base/mem.h"
#include "base/str.h"
#include "call/invoke.h"
#include "client/balance.h"
#include "client/client.h"
#include "client/loopback.h"
#include "io/conn.h"
#include "loop/core.h"
#include "loop/loop.h"
#include "loop/resolve.h"
#include "protocol/error.h"
#include "server/server.h"

/* Where a client meets the loop: its host, its dialer and its resolver, and the functions that wait. A blocking
   call is a call without events and a loop that is run until there is an answer; there is no second way. In a callback
   of the loop they fail with FAILED_PRECONDITION: the loop runs already.

   A client of a server in memory shares the server's loop, which carries between them as a task. Without sockets there
   is no loop and no clock: a function that waits carries itself, and when nothing moves any more the time jumps to
   whatever is due first. */

#if CONNECT_ENABLE_CLIENT && CONNECT_ENABLE_SOCKETS
static connect_code_t cn_wait_dial(connect_conn_t *conn, const char *address, void *user) {
    connect_client_t *client = (connect_client_t *)user;
    return cn_loop_dial(client->loop, conn, address, 0);
}

static int64_t cn_wait_now_ms(const connect_client_t *client) {
    return cn_loop_now_ms(client->loop);
}

static void cn_wait_on_timer(void *arg) {
    connect_client_t *client = (connect_client_t *)arg;
    cn_client_step(client);
}

static void cn_wait_wake_at(connect_client_t *client, int64_t due_ms) {
    const bool is_armed = client->timer.private_place == CN_TASK_TIMED;
    if (due_ms == INT64_MAX)
        cn_task_disarm(client->loop, &client->timer);
    else if (!is_armed || due_ms != client->timer.private_due_ms)
        cn_task_arm(client->loop, &client->timer, due_ms, cn_wait_on_timer, client);
}

static void cn_wait_be_host(connect_client_t *client) {
    static const cn_client_host_t host = {cn_wait_now_ms, cn_wait_wake_at};
    client->host = &host;
    client->random ^= (uint64_t)cn_loop_now_ms(client->loop);
}

CN_PRIVATE bool cn_client_use_sockets(connect_client_t *client, connect_error_t *error) {
    if (client->dial) return true;
    if (!client->loop) {
        client->loop = connect_loop_new(client->allocator, error);
        client->owns_loop = client->loop != NULL;
        if (!client->loop) return false;
    }
    cn_wait_be_host(client);
    client->dial = cn_wait_dial;
    client->dial_user = client;
    if (client->resolve) return true;
    client->resolve = cn_resolve_by_system;
    client->resolve_user = client;
    return true;
}
#endif

/* ---- A server in memory ----------------------------------------------------------------------------------------- */

#if CONNECT_ENABLE_CLIENT && CONNECT_ENABLE_SERVER
#if CONNECT_ENABLE_SOCKETS
static void cn_wait_carry(void *arg) {
    cn_loopback_t *loopback = (cn_loopback_t *)arg;
    connect_loop_t *loop = loopback->loop;
    int64_t now_ms = cn_loop_now_ms(loop), due_ms = now_ms;
    bool is_freed, has_more = cn_loopback_carry(loopback, now_ms, &is_freed);
    if (is_freed) return;
    if (!has_more) due_ms = cn_loopback_due_ms(loopback);
    if (due_ms != INT64_MAX)
        connect_loop_after(loop, &loopback->task, CN_MAX(due_ms - now_ms, 0), cn_wait_carry, loopback);
}

static void cn_wait_wake(cn_loopback_t *loopback) {
    connect_loop_after(loopback->loop, &loopback->task, 0, cn_wait_carry, loopback);
}

static bool cn_wait_share_loop(connect_client_t *client, connect_server_t *server, connect_error_t *error) {
    if (!server->loop) server->loop = client->loop;
    if (!cn_server_need_loop(server, error)) return false;
    if (client->loop && client->loop != server->loop)
        return cn_error_set(error, CONNECT_INVALID_ARGUMENT, "loopback: the server has another loop than options.loop");
    client->loop = client->loopback->loop = server->loop;
    client->loopback->wake = cn_wait_wake;
    cn_wait_be_host(client);
    return true;
}
#else
static bool cn_wait_share_loop(connect_client_t *client, connect_server_t *server, connect_error_t *error) {
    (void)client;
    (void)server;
    (void)error;
    return true;
}
#endif

CN_PRIVATE bool cn_client_use_loopback(connect_client_t *client, connect_server_t *server, connect_error_t *error) {
    if (client->dial) return cn_error_set(error, CONNECT_INVALID_ARGUMENT, "loopback and dial exclude each other");
    client->loopback = cn_loopback_new(client->allocator, server);
    if (!client->loopback) return cn_error_memory(error);
    client->dial = cn_loopback_dial;
    client->dial_user = client->loopback;
    client->resolve = NULL;
    return cn_wait_share_loop(client, server, error);
}
#endif

/* ---- Waiting ---------------------------------------------------------------------------------------------------- */

#if CONNECT_ENABLE_CLIENT
#if CONNECT_ENABLE_SOCKETS
static bool cn_wait_is_possible(const connect_client_t *client) {
    return client->loop && !cn_loop_is_running(client->loop);
}

/* Runs callbacks until done says true, or nothing can come any more (false). */
static bool cn_wait_run(connect_client_t *client, bool (*done)(void *arg), void *arg) {
    return cn_loop_run_until(client->loop, done, arg);
}
#elif CONNECT_ENABLE_SERVER
static bool cn_wait_is_possible(const connect_client_t *client) {
    return client->loopback && !client->loopback->is_running;
}

static bool cn_wait_run(connect_client_t *client, bool (*done)(void *arg), void *arg) {
    int64_t now_ms = client->loopback->now_ms, due_ms;
    bool is_freed, has_more = true;
    while (!done(arg)) {
        due_ms = has_more ? now_ms : cn_loopback_due_ms(client->loopback);
        if (due_ms == INT64_MAX) return false;
        if (!has_more) now_ms = CN_MAX(due_ms, now_ms + 1);
        has_more = cn_loopback_carry(client->loopback, now_ms, &is_freed);
    }
    return true;
}
#else
static bool cn_wait_is_possible(const connect_client_t *client) {
    (void)client;
    return false;
}

static bool cn_wait_run(connect_client_t *client, bool (*done)(void *arg), void *arg) {
    (void)client;
    return done(arg);
}
#endif

typedef struct cn_wait_t {
    connect_call_t *call;
    void *message;
    connect_arena_t *arena;
    connect_error_t *error;
    connect_io_t result;
    const void *request;
} cn_wait_t;

static bool cn_wait_refuse(const connect_client_t *client, connect_error_t *error) {
    if (client && cn_wait_is_possible(client)) return false;
    cn_error_set(error, CONNECT_FAILED_PRECONDITION,
        "a function that waits needs the client's loop or loopback, and cannot be called in a callback");
    return true;
}

/* Between them a client that is freed in a callback stays; its calls are canceled at once. */
static void cn_wait_begin(connect_client_t *client) {
    client->waits++;
}

static void cn_wait_end(connect_client_t *client) {
    if (--client->waits == 0 && client->free_wanted && !client->busy) connect_client_free(client);
}

static bool cn_wait_received(void *arg) {
    cn_wait_t *wait = (cn_wait_t *)arg;
    wait->result = cn_invoke_receive(wait->call, wait->message, wait->arena, wait->error);
    return wait->result != CONNECT_IO_AGAIN;
}

#if CONNECT_ENABLE_SOCKETS
static void cn_wait_on_late(void *arg) {
    bool *is_late = (bool *)arg;
    *is_late = true;
}

typedef struct cn_wait_ready_t {
    connect_client_t *client;
    bool is_late;
} cn_wait_ready_t;

static bool cn_wait_is_ready(void *arg) {
    const cn_wait_ready_t *wait = (const cn_wait_ready_t *)arg;
    return wait->is_late || wait->client->free_wanted || cn_balance_is_ready(wait->client);
}

bool connect_client_connect_wait(connect_client_t *client, uint32_t timeout_ms, connect_error_t *error) {
    const char *why = client->failure.text;
    connect_loop_t *loop = client->loop;
    cn_wait_ready_t wait;
    connect_task_t timer;
    bool is_ready;
    if (cn_wait_refuse(client, error)) return false;
    memset(&timer, 0, sizeof timer);
    wait.client = client;
    wait.is_late = false;
    cn_wait_begin(client);
    connect_client_connect(client);
    cn_task_arm(loop, &timer, cn_loop_now_ms(loop) + (timeout_ms ? timeout_ms : 30000), cn_wait_on_late, &wait.is_late);
    cn_wait_run(client, cn_wait_is_ready, &wait);
    cn_task_disarm(loop, &timer);
    is_ready = !client->free_wanted && cn_balance_is_ready(client);
    if (client->free_wanted) {
        cn_error_set(error, CONNECT_CANCELED, "the client was freed");
    } else if (!is_ready) {
        cn_failure_print(&loop->failure, CONNECT_DEADLINE_EXCEEDED, client->failure.os_error,
            "no connection was ready in time%s%s", why[0] ? ": " : "", why);
        cn_error_set(error, CONNECT_DEADLINE_EXCEEDED, loop->failure.text);
        if (error) error->os_error = client->failure.os_error;
    }
    cn_wait_end(client);
    return is_ready;
}
#endif

connect_io_t connect_call_receive_wait(
    connect_call_t *call, void *message, connect_arena_t *arena, connect_error_t *error) {
    connect_client_t *client = (connect_client_t *)call->owner;
    cn_wait_t wait;
    if (!call->pull || cn_wait_refuse(client, error)) {
        if (!call->pull) cn_error_set(error, CONNECT_FAILED_PRECONDITION, "the call was started with events");
        return CONNECT_IO_ERROR;
    }
    memset(&wait, 0, sizeof wait);
    wait.call = call;
    wait.message = message;
    wait.arena = arena;
    wait.error = error;
    cn_wait_begin(client);
    if (!cn_wait_received(&wait) && !cn_wait_run(client, cn_wait_received, &wait)) {
        cn_error_set(error, CONNECT_UNAVAILABLE, "nothing can come any more");
        wait.result = CONNECT_IO_ERROR;
    }
    cn_wait_end(client);
    return wait.result;
}

static bool cn_wait_sent(void *arg) {
    cn_wait_t *wait = (cn_wait_t *)arg;
    wait->result = connect_call_send(wait->call, wait->request);
    return wait->result != CONNECT_IO_AGAIN;
}

connect_io_t connect_call_send_wait(connect_call_t *call, const void *message, connect_error_t *error) {
    connect_client_t *client = (connect_client_t *)call->owner;
    cn_wait_t wait;
    if (cn_wait_refuse(client, error)) return CONNECT_IO_ERROR;
    cn_wait_begin(client);
    memset(&wait, 0, sizeof wait);
    wait.call = call;
    wait.request = message;
    if (!cn_wait_sent(&wait) && !cn_wait_run(client, cn_wait_sent, &wait)) wait.result = CONNECT_IO_ERROR;
    if (wait.result == CONNECT_IO_ERROR && error) {
        *error = call->rpc.error;
        if (error->code == CONNECT_OK) cn_error_set(error, CONNECT_UNAVAILABLE, "nothing can come any more");
    }
    cn_wait_end(client);
    return wait.result;
}

static bool cn_wait_copy_headers(
    connect_headers_t *to, connect_headers_t from, const connect_limits_t *limits, connect_arena_t *arena) {
    cn_headers_t copy;
    size_t i;
    memset(&copy, 0, sizeof copy);
    for (i = 0; i < from.count; i++)
        if (cn_headers_receive(&copy, arena, limits, connect_str_of(from.items[i].name), from.items[i].value) !=
            CN_HEADERS_OK)
            return false;
    *to = cn_headers_view(&copy);
    return true;
}

connect_code_t connect_client_unary_wait(connect_client_t *client, const connect_method_t *method, const void *request,
    void *response, connect_arena_t *arena, const connect_call_options_t *options, connect_error_t *error) {
    connect_error_t local;
    connect_call_t *call;
    connect_io_t got;
    if (!error) error = &local;
    if (cn_wait_refuse(client, error)) return error->code;
    call = connect_client_start(client, method, NULL, NULL, options, error);
    if (!call) return error->code;
    cn_wait_begin(client);
    connect_call_finish(call, CONNECT_OK, request);
    got = connect_call_receive_wait(call, response, arena, error);
    if (got == CONNECT_IO_END) cn_error_set(error, CONNECT_UNIMPLEMENTED, "the response has no message");
    if (options && options->reply) {
        memset(options->reply, 0, sizeof *options->reply);
        if ((!cn_wait_copy_headers(&options->reply->headers, call->info.headers, call->rpc.limits, arena) ||
                !cn_wait_copy_headers(&options->reply->trailers, call->info.trailers, call->rpc.limits, arena)) &&
            got == CONNECT_IO_OK) {
            got = CONNECT_IO_ERROR;
            cn_error_memory(error);
        }
    }
    connect_call_free(call);
    cn_wait_end(client);
    return got == CONNECT_IO_OK ? CONNECT_OK : error->code;
}
#endif

#if CONNECT_ENABLE_SOCKETS
connect_loop_t *connect_call_loop(const connect_call_t *call) {
    return call->loop;
}
#endif
