#include "client/balance.h"
#include "base/list.h"
#include "base/mem.h"
#include "base/str.h"
#include "client/client.h"
#include "client/pool.h"
#include "client/retry.h"

/* What a client's calls are spread over, and who gets the next one.

   Without a policy there is one backend with all addresses of the name, of which a connection takes whichever answers
   first (pool.c). With a policy each address is a backend, and all are kept connected from the first call on, so that
   the policy has something to choose among. With members each member client is a backend; it dials for itself.

   A policy sees connect_backend_t, and is asked only if there is a choice. `ready` is honest: a connection is open, its
   peer has shown itself, and allows one more call. A client that may queue counts the HTTP/1.1 connections that it may
   still open as room, since there a connection is only ready while it does nothing.

   latency_us: time from a call's begin to the first byte of its answer, smoothed by 1/8 of each new value; the clock
   has milliseconds, so that it is an average of these. failures: UNAVAILABLE in a row, of calls and of dialling.

   An address that the name has no more takes no calls; its backend is freed with its last connection. */

#if CONNECT_ENABLE_CLIENT
#define CN_BALANCE_SMOOTH 8

static cn_backend_t *cn_balance_of(cn_list_t *node) {
    return CN_CONTAINER(node, cn_backend_t, node);
}

/* ---- Backends ---- */

static cn_backend_t *cn_balance_new(connect_client_t *client) {
    cn_backend_t *backend = (cn_backend_t *)cn_mem_acquire(client->allocator, sizeof *backend);
    if (!backend) return NULL;
    backend->client = client;
    backend->fault_ms = INT64_MIN;
    cn_pool_init(&backend->pools[CN_LANE_ANY], backend, false);
    cn_pool_init(&backend->pools[CN_LANE_HTTP2], backend, true);
    return backend;
}

static void cn_balance_delete(cn_backend_t *backend) {
    const connect_allocator_t *allocator = backend->client->allocator;
    size_t lane;
    for (lane = 0; lane < CN_LANES; lane++)
        cn_pool_close(&backend->pools[lane]);
    cn_list_remove(&backend->node);
    cn_list_remove(&backend->watch_node);
    cn_mem_release(allocator, backend->addresses);
    cn_mem_release(allocator, backend);
}

/* One block: the array, and behind it the texts. */
static const char **cn_balance_copy(const connect_allocator_t *allocator, const char *const *addresses, size_t count) {
    size_t size = count * sizeof *addresses, i;
    const char **copy;
    char *text;
    for (i = 0; i < count; i++)
        size += strlen(addresses[i]) + 1;
    copy = (const char **)cn_mem_acquire(allocator, size);
    if (!copy) return NULL;
    text = (char *)(copy + count);
    for (i = 0; i < count; i++) {
        size_t len = strlen(addresses[i]) + 1;
        memcpy(text, addresses[i], len);
        copy[i] = text;
        text += len;
    }
    return copy;
}

static size_t cn_balance_index(const char *const *addresses, size_t count, const char *address) {
    size_t i;
    for (i = 0; i < count && strcmp(addresses[i], address) != 0; i++) {}
    return i;
}

/* Gives a backend other addresses; its connections stay. */
static bool cn_balance_change(cn_backend_t *backend, const char *const *addresses, size_t count) {
    const char **copy;
    size_t lane, same;
    for (same = 0; same < count && same < backend->address_count; same++)
        if (strcmp(addresses[same], backend->addresses[same]) != 0) break;
    if (same == count && same == backend->address_count) return true; /* it goes on resting, too */
    copy = cn_balance_copy(backend->client->allocator, addresses, count);
    if (!copy) return false;
    for (lane = 0; lane < CN_LANES; lane++) {
        cn_pool_t *pool = &backend->pools[lane];
        cn_list_t *node;
        size_t first = 0;
        if (pool->first < backend->address_count)
            first = cn_balance_index(addresses, count, backend->addresses[pool->first]);
        for (node = pool->conns.next; node != &pool->conns; node = node->next) {
            connect_conn_t *conn = CN_CONTAINER(node, connect_conn_t, node);
            if (conn->address < backend->address_count)
                conn->address = cn_balance_index(addresses, count, backend->addresses[conn->address]);
        }
        pool->first = first < count ? first : 0;
        pool->tried = CN_MIN(pool->tried, count);
    }
    cn_mem_release(backend->client->allocator, backend->addresses);
    backend->addresses = copy;
    backend->address_count = count;
    backend->rest_until_ms = backend->rest_ms = 0;
    return true;
}

static bool cn_balance_describe_room(connect_client_t *client, size_t count) {
    connect_backend_t *room = (connect_backend_t *)cn_mem_acquire(client->allocator, count * sizeof *room);
    if (!room) return false;
    cn_mem_release(client->allocator, client->described);
    client->described = room;
    return true;
}

static cn_backend_t *cn_balance_find(const connect_client_t *client, const char *address) {
    cn_list_t *node;
    for (node = client->backends.next; node != &client->backends; node = node->next)
        if (strcmp(cn_balance_of(node)->addresses[0], address) == 0) return cn_balance_of(node);
    return NULL;
}

static bool cn_balance_set_each(connect_client_t *client, const char *const *addresses, size_t count) {
    cn_list_t old, *node;
    size_t i, lane;
    if (!cn_balance_describe_room(client, count)) return false;
    for (i = 0; i < count; i++) {
        cn_backend_t *backend = cn_balance_find(client, addresses[i]);
        if (backend) continue;
        backend = cn_balance_new(client);
        if (!backend) return false; /* there are some more now: no harm */
        if (!cn_balance_change(backend, &addresses[i], 1)) {
            cn_balance_delete(backend);
            return false;
        }
        cn_list_append(&client->backends, &backend->node);
        client->backend_count++;
        if (client->backend_count > count && !cn_balance_describe_room(client, client->backend_count)) return false;
    }
    cn_list_init(&old);
    while ((node = cn_list_pop(&client->backends)) != NULL)
        cn_list_append(&old, node);
    client->backend_count = 0;
    for (i = 0; i < count; i++) { /* in the order of the answer */
        for (node = old.next; node != &old && strcmp(cn_balance_of(node)->addresses[0], addresses[i]) != 0;)
            node = node->next;
        if (node == &old) continue; /* the same a second time */
        cn_list_remove(node);
        cn_list_append(&client->backends, node);
        client->backend_count++;
    }
    while ((node = cn_list_pop(&old)) != NULL) {
        for (lane = 0; lane < CN_LANES; lane++)
            cn_pool_drain(&cn_balance_of(node)->pools[lane]);
        cn_list_append(&client->leaving, node);
    }
    return true;
}

CN_PRIVATE bool cn_balance_set_addresses(connect_client_t *client, const char *const *addresses, size_t count) {
    cn_backend_t *backend;
    client->changed = true;
    if (client->pick) return cn_balance_set_each(client, addresses, count);
    if (client->backend_count) return cn_balance_change(cn_balance_of(client->backends.next), addresses, count);
    backend = cn_balance_new(client);
    if (!backend) return false;
    if (!cn_balance_change(backend, addresses, count)) {
        cn_balance_delete(backend);
        return false;
    }
    cn_list_append(&client->backends, &backend->node);
    client->backend_count = 1;
    return true;
}

CN_PRIVATE bool cn_balance_add_member(connect_client_t *client, connect_client_t *member) {
    cn_backend_t *backend = cn_balance_new(client);
    if (!backend || !cn_balance_describe_room(client, client->backend_count + 1)) {
        if (backend) cn_balance_delete(backend);
        return false;
    }
    backend->member = member;
    cn_list_append(&client->backends, &backend->node);
    cn_list_append(&member->watchers, &backend->watch_node);
    client->backend_count++;
    return true;
}

CN_PRIVATE void cn_balance_sweep(connect_client_t *client) {
    cn_list_t *node, *next;
    for (node = client->leaving.next; node != &client->leaving; node = next) {
        cn_backend_t *backend = cn_balance_of(node);
        next = node->next;
        if (cn_list_empty(&backend->pools[0].conns) && cn_list_empty(&backend->pools[1].conns))
            cn_balance_delete(backend);
    }
}

CN_PRIVATE void cn_balance_free(connect_client_t *client) {
    cn_list_t *node;
    while ((node = cn_list_pop(&client->leaving)) != NULL)
        cn_balance_delete(cn_balance_of(node));
    while ((node = cn_list_pop(&client->backends)) != NULL)
        cn_balance_delete(cn_balance_of(node));
    while ((node = cn_list_pop(&client->watchers)) != NULL) { /* who has it as a member is left without it */
        cn_backend_t *backend = CN_CONTAINER(node, cn_backend_t, watch_node);
        backend->member = NULL;
        backend->client->dirty = true;
    }
    cn_mem_release(client->allocator, client->described);
    client->described = NULL;
    client->backend_count = 0;
}

/* ---- How they are ---- */

CN_PRIVATE unsigned cn_balance_lane(const connect_client_t *client, connect_protocol_t protocol) {
    return client->http == CONNECT_HTTP_2 || (!client->http && protocol == CONNECT_PROTOCOL_GRPC) ? CN_LANE_HTTP2
                                                                                                  : CN_LANE_ANY;
}

static void cn_balance_describe_addresses(const cn_backend_t *backend, unsigned lane, connect_backend_t *to) {
    const cn_pool_t *pool = &backend->pools[lane];
    const cn_pool_state_t state = cn_pool_state(pool);
    to->address = backend->addresses[pool->first];
    to->calls = state.calls;
    to->capacity = state.capacity;
    to->ready = state.has_room;
    if (lane == CN_LANE_ANY && !backend->client->no_queue && state.live) {
        to->capacity = cn_pool_most(pool);
        to->calls += pool->wanted;
        to->ready = to->calls < to->capacity;
    }
    to->latency_us = backend->latency_us;
    to->failures = backend->failures;
}

/* A member is as good as all of its backends together. */
static void cn_balance_describe(const cn_backend_t *backend, connect_protocol_t protocol, connect_backend_t *to) {
    const connect_client_t *member = backend->member;
    cn_list_t *node;
    memset(to, 0, sizeof *to);
    if (backend->address_count) {
        cn_balance_describe_addresses(backend, cn_balance_lane(backend->client, protocol), to);
        return;
    }
    to->address = member ? member->url : "";
    for (node = member ? member->backends.next : NULL; member && node != &member->backends; node = node->next) {
        const cn_backend_t *part = cn_balance_of(node);
        connect_backend_t one;
        memset(&one, 0, sizeof one);
        if (part->address_count) cn_balance_describe_addresses(part, cn_balance_lane(member, protocol), &one);
        to->ready = to->ready || one.ready;
        to->calls += one.calls;
        to->capacity += one.capacity;
        if (one.latency_us && (!to->latency_us || one.latency_us < to->latency_us)) to->latency_us = one.latency_us;
        to->failures = node == member->backends.next ? one.failures : CN_MIN(to->failures, one.failures);
    }
}

size_t connect_client_backends(const connect_client_t *client, connect_backend_t *backends_or_null, size_t room) {
    cn_list_t *node;
    size_t count = 0;
    for (node = client->backends.next; node != &client->backends; node = node->next, count++)
        if (backends_or_null && count < room)
            cn_balance_describe(cn_balance_of(node), client->protocol, &backends_or_null[count]);
    return count;
}

CN_PRIVATE bool cn_balance_is_ready(const connect_client_t *client) {
    cn_list_t *node;
    for (node = client->backends.next; node != &client->backends; node = node->next) {
        connect_backend_t backend;
        cn_balance_describe(cn_balance_of(node), client->protocol, &backend);
        if (backend.ready) return true;
    }
    return false;
}

CN_PRIVATE bool cn_balance_has_room(const connect_client_t *client, unsigned lane) {
    cn_list_t *node;
    if (client->http) lane = cn_balance_lane(client, client->protocol);
    for (node = client->backends.next; node != &client->backends; node = node->next) {
        const cn_backend_t *backend = cn_balance_of(node);
        if (backend->member && cn_balance_has_room(backend->member, lane)) return true;
        if (cn_pool_state(&backend->pools[lane]).has_room) return true;
    }
    return false;
}

CN_PRIVATE bool cn_balance_has_hope(const connect_client_t *client, unsigned lane) {
    cn_list_t *node;
    for (node = client->backends.next; node != &client->backends; node = node->next) {
        const cn_backend_t *backend = cn_balance_of(node);
        cn_pool_state_t state = cn_pool_state(&backend->pools[lane]);
        if (state.live || state.opening || (backend->member && cn_balance_has_hope(backend->member, lane))) return true;
    }
    return client->name.question && client->name.is_answered;
}

CN_PRIVATE int64_t cn_balance_failed_ms(const connect_client_t *client) {
    int64_t first_ms = INT64_MAX;
    cn_list_t *node;
    for (node = client->backends.next; node != &client->backends; node = node->next)
        first_ms = CN_MIN(first_ms, cn_balance_of(node)->fault_ms);
    return first_ms;
}

CN_PRIVATE void cn_balance_tell_watchers(connect_client_t *client) {
    cn_list_t *node;
    unsigned lane;
    for (node = client->watchers.next; node != &client->watchers; node = node->next) {
        cn_backend_t *backend = CN_CONTAINER(node, cn_backend_t, watch_node);
        connect_client_t *spread = backend->client;
        spread->dirty = true;
        for (lane = 0; lane < CN_LANES; lane++) {
            if (!client->lane_failed[lane]) continue;
            backend->fault_ms = cn_client_now_ms(client);
            spread->failure = client->failure;
            spread->lane_failed[CN_LANE_ANY] = spread->lane_failed[CN_LANE_HTTP2] = true;
        }
    }
}

CN_PRIVATE void cn_balance_look(connect_client_t *client) {
    cn_list_t *node;
    for (node = client->backends.next; node != &client->backends; node = node->next) {
        cn_backend_t *backend = cn_balance_of(node);
        connect_backend_t now;
        cn_balance_describe(backend, client->protocol, &now);
        if (now.ready == backend->ready) continue;
        backend->ready = now.ready;
        client->changed = true;
    }
}

/* ---- The choice ---- */

CN_PRIVATE void cn_balance_press(connect_client_t *client, unsigned lane) {
    if (client->http) lane = cn_balance_lane(client, client->protocol);
    if (client->pressed[lane]) return;
    client->pressed[lane] = true;
    client->dirty = true;
    cn_client_wake(client);
}

CN_PRIVATE void cn_balance_want(connect_client_t *client, unsigned lane) {
    cn_list_t *node;
    for (node = client->backends.next; node != &client->backends; node = node->next) {
        cn_backend_t *backend = cn_balance_of(node);
        if (backend->member) {
            cn_balance_press(backend->member, lane);
        } else {
            backend->pools[lane].wanted = CN_MAX(backend->pools[lane].wanted, 1u);
        }
    }
}

CN_PRIVATE void cn_balance_keep(connect_client_t *client) {
    unsigned lane;
    for (lane = 0; lane < CN_LANES; lane++) {
        const bool kept = client->kept && lane == cn_balance_lane(client, client->protocol);
        bool any_room = false;
        cn_list_t *node;
        if (!kept && !client->pressed[lane]) continue;
        for (node = client->backends.next; node != &client->backends; node = node->next) {
            cn_backend_t *backend = cn_balance_of(node);
            cn_pool_t *pool = &backend->pools[lane];
            const cn_pool_state_t state = cn_pool_state(pool);
            any_room = any_room || state.has_room;
            if (backend->member) {
                if (!cn_balance_is_ready(backend->member)) cn_balance_press(backend->member, lane);
            } else if (!state.opening && (!state.live || (client->pressed[lane] && !state.has_room))) {
                pool->wanted = CN_MAX(pool->wanted, 1u);
            }
        }
        if (any_room) client->pressed[lane] = false;
    }
}

static cn_backend_t *cn_balance_choose(connect_client_t *client, const connect_call_t *call) {
    cn_list_t *node;
    size_t count = 0, chosen;
    for (node = client->backends.next; node != &client->backends; node = node->next)
        cn_balance_describe(cn_balance_of(node), call->info.protocol, &client->described[count++]);
    chosen = (client->pick ? client->pick : connect_pick_first)(
        client->described, count, CN_MIN(client->last_picked, count), call, client->user);
    if (chosen >= count || !client->described[chosen].ready) return NULL;
    client->last_picked = chosen;
    for (node = client->backends.next; chosen; chosen--)
        node = node->next;
    return cn_balance_of(node);
}

CN_PRIVATE cn_pool_t *cn_balance_pick(
    connect_client_t *client, const connect_call_t *call, unsigned lane, connect_client_t **owner) {
    cn_backend_t *backend = client->backend_count ? cn_balance_of(client->backends.next) : NULL;
    *owner = client;
    if (!backend) return NULL;
    if (client->described) backend = cn_balance_choose(client, call);
    if (!backend) return NULL;
    if (!backend->member) return &backend->pools[lane];
    return cn_balance_pick(backend->member, call, cn_balance_lane(backend->member, call->info.protocol), owner);
}

size_t connect_pick_first(
    const connect_backend_t *backends, size_t count, size_t last, const connect_call_t *call, void *user) {
    size_t i;
    (void)last;
    (void)call;
    (void)user;
    for (i = 0; i < count && !backends[i].ready; i++) {}
    return i;
}

size_t connect_pick_round_robin(
    const connect_backend_t *backends, size_t count, size_t last, const connect_call_t *call, void *user) {
    size_t i;
    (void)call;
    (void)user;
    for (i = 1; i <= count; i++)
        if (backends[(last + i) % count].ready) return (last + i) % count;
    return count;
}

/* How long a call would take there; where that is not known yet only the calls count. */
static bool cn_balance_is_better(const connect_backend_t *a, const connect_backend_t *b) {
    const bool known = a->latency_us && b->latency_us;
    const uint64_t cost_a = ((uint64_t)a->calls + 1) * (known ? a->latency_us : 1);
    const uint64_t cost_b = ((uint64_t)b->calls + 1) * (known ? b->latency_us : 1);
    return cost_a < cost_b;
}

/* The better of two that are chosen at random: nearly as even as the best of all, and calls that are placed at the same
   time do not all go to the same one. */
size_t connect_pick_least_loaded(
    const connect_backend_t *backends, size_t count, size_t last, const connect_call_t *call, void *user) {
    uint64_t random = call->serial * 0x9E3779B97F4A7C15u + last;
    size_t ready = 0, i, nth[2], at = 0, chosen[2] = {0, 0};
    (void)user;
    for (i = 0; i < count; i++)
        ready += backends[i].ready;
    if (ready == 0) return count;
    nth[0] = (size_t)(cn_retry_random(&random) % ready);
    nth[1] = ready > 1 ? (nth[0] + 1 + (size_t)(cn_retry_random(&random) % (ready - 1))) % ready : nth[0];
    for (i = 0; i < count; i++) {
        if (!backends[i].ready) continue;
        if (at == nth[0]) chosen[0] = i;
        if (at == nth[1]) chosen[1] = i;
        at++;
    }
    return cn_balance_is_better(&backends[chosen[1]], &backends[chosen[0]]) ? chosen[1] : chosen[0];
}

/* ---- What came of it ---- */

CN_PRIVATE void cn_balance_on_answer(cn_backend_t *backend, int64_t ms) {
    const int64_t us = CN_MIN(CN_MAX(ms, 0) * 1000, (int64_t)INT32_MAX), before = backend->latency_us;
    backend->latency_us = (uint32_t)CN_MAX(before ? before + (us - before) / CN_BALANCE_SMOOTH : us, 1);
}

CN_PRIVATE void cn_balance_on_outcome(cn_backend_t *backend, connect_code_t code) {
    if (code == CONNECT_UNAVAILABLE)
        backend->failures += backend->failures < UINT32_MAX;
    else
        backend->failures = 0;
}
#endif
