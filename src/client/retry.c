#include "client/retry.h"
#include "base/error.h"
#include "client/client.h"

/* When something is tried again, and after which pause: calls here, connections by pool.c with the same pauses.

   A call that the peer says it did not process, or that never left this side, is sent again once without being asked
   (call/invoke.c). All else is the policy's: only codes of retry.codes, only up to retry.attempts, only methods without
   side effects or calls that the peer did not process, only before anything of a response was given to the application,
   and only within the budget. The budget is a bucket of tokens: a call puts retry.budget in, a retry takes 100 out; it
   starts full, with CN_RETRY_BURST retries. So a backend that is down gets at most budget percent more calls.

   Pauses have jitter, so that many clients do not come back at the same moment; the generator is xorshift64*. */

#if CONNECT_ENABLE_CLIENT
#define CN_RETRY_ATTEMPTS_MAX 100u
#define CN_RETRY_COST 100u
#define CN_RETRY_BURST 10u

CN_PRIVATE bool cn_retry_resolve(connect_retry_t *retry, const connect_retry_t *options, connect_error_t *error) {
    *retry = *options;
    if (!retry->attempts) retry->attempts = 1;
    if (!retry->backoff_ms) retry->backoff_ms = 100;
    if (!retry->backoff_max_ms) retry->backoff_max_ms = 10000;
    if (!retry->codes) retry->codes = 1u << CONNECT_UNAVAILABLE;
    if (!retry->budget) retry->budget = 10;
    if (retry->attempts > CN_RETRY_ATTEMPTS_MAX)
        return cn_error_set(error, CONNECT_INVALID_ARGUMENT, "retry.attempts is above 100");
    if (retry->codes & ~((1u << (CONNECT_UNAUTHENTICATED + 1)) - 2u))
        return cn_error_set(error, CONNECT_INVALID_ARGUMENT, "retry.codes has a bit that is no code's");
    return true;
}

CN_PRIVATE uint64_t cn_retry_random(uint64_t *state) {
    uint64_t x = *state ? *state : 0x9E3779B97F4A7C15u;
    x ^= x >> 12;
    x ^= x << 25;
    x ^= x >> 27;
    *state = x;
    return x * 0x2545F4914F6CDD1Du;
}

CN_PRIVATE int64_t cn_retry_pause_ms(uint64_t *random, uint32_t failures, uint32_t first_ms, uint32_t max_ms) {
    uint64_t pause = CN_MIN(first_ms, max_ms);
    for (; failures > 1 && pause < max_ms; failures--)
        pause = CN_MIN(pause * 2, (uint64_t)max_ms);
    return (int64_t)(pause - cn_retry_random(random) % (pause / 2 + 1));
}

CN_PRIVATE void cn_retry_count_call(connect_client_t *client) {
    client->retry_tokens = CN_MIN(client->retry_tokens + client->retry.budget, CN_RETRY_COST * CN_RETRY_BURST);
}

CN_PRIVATE bool cn_retry_take(connect_client_t *client, connect_call_t *call, connect_code_t code) {
    const connect_retry_t *retry = &client->retry;
    const bool is_safe = call->unprocessed || call->rpc.method->idempotency == CONNECT_NO_SIDE_EFFECTS;
    const int64_t now = cn_client_now_ms(client), told = cn_client_told_ms(client);
    int64_t pause;
    if (!is_safe || call->attempts >= retry->attempts || !(retry->codes & (1u << code))) return false;
    if (client->retry_tokens < CN_RETRY_COST) return false;
    pause = cn_retry_pause_ms(&client->random, call->attempts, retry->backoff_ms, retry->backoff_max_ms);
    if (now >= 0 && call->deadline_ms != INT64_MAX && call->deadline_ms - now <= pause) return false;
    client->retry_tokens -= CN_RETRY_COST;
    call->not_before_ms = told < 0 ? 0 : told + pause;
    call->pause_ms = told < 0 ? pause : 0;
    return true;
}
#endif
