#pragma once
#include "base/sys.h"
#include "client/client.h"

#if CONNECT_ENABLE_CLIENT
/* Fills in what is 0. Returns false: the error names the option. */
CN_PRIVATE bool cn_retry_resolve(connect_retry_t *retry, const connect_retry_t *options, connect_error_t *error);
/* A number that nobody could tell before. */
CN_PRIVATE uint64_t cn_retry_random(uint64_t *state);
/* How long to wait after so many failures in a row (from 1): first_ms, doubled each time, at most max_ms; at random
   between a half and the whole of it. */
CN_PRIVATE int64_t cn_retry_pause_ms(uint64_t *random, uint32_t failures, uint32_t first_ms, uint32_t max_ms);
/* Pays a call into the budget. */
CN_PRIVATE void cn_retry_count_call(connect_client_t *client);
/* Tells whether a call that failed with this code is made again by the client's policy, and takes it out of the budget.
   The call is not to begin before call->not_before_ms, or call->pause_ms have passed since the time was told next. */
CN_PRIVATE bool cn_retry_take(connect_client_t *client, connect_call_t *call, connect_code_t code);
#endif
