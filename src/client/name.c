#include "client/name.h"
#include "base/error.h"
#include "base/list.h"
#include "base/mem.h"
#include "base/str.h"
#include "client/balance.h"
#include "client/client.h"
#include "client/retry.h"

/* From the name that a client dials to the addresses of its backends, by a resolver that may answer later.

   What is no "host:port" (unix:, unix-abstract:, fd:) needs no resolver, nor does a dialer of the user's that came
   without one: such an address is dialled as it is.

   A question is asked when a call waits and there is no answer yet, when a call starts after valid_ms, and when no
   address of the last answer can be connected. There is one at a time. Meanwhile, and after a question without an
   answer, the old addresses stay. After one without an answer there is a pause, as pool.c makes it; the calls that
   waited for the first answer end with it. The resolver is called in a step of the client, never inside a function of
   the application's; it may answer at once. A question outlives its client, and is freed by its answer. */

#if CONNECT_ENABLE_CLIENT
#define CN_NAME_REST_MS 100u
#define CN_NAME_REST_MAX_MS 10000u
#define CN_NAME_ADDRESSES 64u /* more are left out */

struct connect_resolve_t {
    connect_client_t *client; /* NULL: it is gone */
    const connect_allocator_t *allocator;
    void (*abandon)(void *arg); /* the resolver is told so when the client goes away; it then frees nothing of this */
    void *arg;
};

static bool cn_name_is_direct(const char *address) {
    return strncmp(address, "unix:", 5) == 0 || strncmp(address, "unix-abstract:", 14) == 0 ||
        strncmp(address, "fd:", 3) == 0;
}

CN_PRIVATE bool cn_name_init(connect_client_t *client, connect_error_t *error) {
    const char *address = client->address, *colon = strrchr(address, ':');
    connect_str_t host, port;
    client->name.valid_until_ms = INT64_MAX;
    if (!client->resolve || cn_name_is_direct(address)) {
        client->name.is_answered = true;
        return cn_balance_set_addresses(client, &address, 1) || cn_error_memory(error);
    }
    if (!colon || !colon[1])
        return cn_error_set(error, CONNECT_INVALID_ARGUMENT,
            "address must be \"host:port\", \"unix:/path\", \"unix-abstract:name\" or \"fd:3\"");
    host = cn_str(address, (size_t)(colon - address));
    if (host.len >= 2 && host.data[0] == '[' && host.data[host.len - 1] == ']')
        host = cn_str(host.data + 1, host.len - 2);
    host = connect_arena_copy(&client->arena, host);
    port = connect_arena_copy(&client->arena, connect_str_of(colon + 1));
    client->name.host = host.data;
    client->name.port = port.data;
    return (host.data && port.data) || cn_error_memory(error);
}

/* Without a host nothing may ever tell that a pause is over. */
static bool cn_name_rests(const connect_client_t *client, int64_t now_ms) {
    return client->host && client->name.rest_until_ms > now_ms;
}

CN_PRIVATE int64_t cn_name_advance(connect_client_t *client, int64_t now_ms) {
    cn_name_t *name = &client->name;
    connect_resolve_t *question;
    bool is_wanted = client->kept || !cn_list_empty(&client->waiting[0]) || !cn_list_empty(&client->waiting[1]);
    if (!name->host || name->question) return INT64_MAX;
    if (name->is_answered && !name->is_stale && name->valid_until_ms > now_ms)
        return client->kept ? name->valid_until_ms : INT64_MAX;
    if (!is_wanted && (name->is_stale || !client->used)) return INT64_MAX;
    if (cn_name_rests(client, now_ms)) return name->rest_until_ms;
    question = (connect_resolve_t *)cn_mem_acquire(client->allocator, sizeof *question);
    name->is_stale = false;
    client->used = false;
    if (!question) {
        name->rest_until_ms = CN_MAX(now_ms, 0) + CN_NAME_REST_MS;
        return name->rest_until_ms;
    }
    question->client = client;
    question->allocator = client->allocator;
    name->question = question;
    client->resolve(question, name->host, name->port, client->resolve_user);
    return INT64_MAX;
}

CN_PRIVATE void cn_name_set_abandon(connect_resolve_t *question, void (*abandon)(void *arg), void *arg) {
    question->abandon = abandon;
    question->arg = arg;
}

CN_PRIVATE void cn_name_forget(connect_client_t *client) {
    connect_resolve_t *question = client->name.question;
    client->name.question = NULL;
    if (!question) return;
    question->client = NULL;
    if (!question->abandon) return; /* its answer frees it */
    question->abandon(question->arg);
    cn_mem_release(question->allocator, question);
}

/* Gives the question up. Returns its client, or NULL. */
static connect_client_t *cn_name_take(connect_resolve_t *question) {
    connect_client_t *client = question->client;
    if (client) client->name.question = NULL;
    cn_mem_release(question->allocator, question);
    return client;
}

CN_PRIVATE void cn_name_fail(connect_resolve_t *question, connect_code_t code, int os_error, const char *text) {
    connect_client_t *client = cn_name_take(question);
    cn_name_t *name;
    size_t lane;
    if (!client) return;
    name = &client->name;
    name->faults++;
    name->rest_until_ms = CN_MAX(cn_client_now_ms(client), 0) +
        cn_retry_pause_ms(&client->random, name->faults, CN_NAME_REST_MS, CN_NAME_REST_MAX_MS);
    name->is_stale = true;
    client->failure.code = code;
    client->failure.os_error = os_error;
    snprintf(client->failure.text, sizeof client->failure.text, "%s", text);
    for (lane = 0; lane < CN_LANES; lane++)
        client->lane_failed[lane] = true;
    client->dirty = true;
    cn_client_wake(client);
}

void connect_resolve_finish(
    connect_resolve_t *question, const char *const *addresses, size_t count, uint32_t valid_ms) {
    connect_client_t *client = question->client;
    char text[256];
    int64_t now;
    if (count == 0) {
        snprintf(text, sizeof text, "cannot resolve %s: no address", client ? client->name.host : "");
        cn_name_fail(question, CONNECT_UNAVAILABLE, 0, text);
        return;
    }
    if (client && !cn_balance_set_addresses(client, addresses, CN_MIN(count, (size_t)CN_NAME_ADDRESSES))) {
        cn_name_fail(question, CONNECT_RESOURCE_EXHAUSTED, ENOMEM, "out of memory");
        return;
    }
    client = cn_name_take(question);
    if (!client) return;
    now = cn_client_now_ms(client);
    client->name.is_answered = true;
    client->name.faults = 0;
    client->name.valid_until_ms = valid_ms && valid_ms != CONNECT_UNLIMITED ? CN_MAX(now, 0) + valid_ms : INT64_MAX;
    client->dirty = true;
    cn_client_wake(client);
}
#endif
