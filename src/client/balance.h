#pragma once
#include "base/sys.h"
#include "client/client.h"

#if CONNECT_ENABLE_CLIENT
/* Puts the addresses of the name in place: those that were there keep their connections. Returns false: out of
   memory, all stays. */
CN_PRIVATE bool cn_balance_set_addresses(connect_client_t *client, const char *const *addresses, size_t count);
/* Adds a member. Returns false: out of memory. */
CN_PRIVATE bool cn_balance_add_member(connect_client_t *client, connect_client_t *member);
/* Frees backends that the name has no more, and that have no connection any more. */
CN_PRIVATE void cn_balance_sweep(connect_client_t *client);
CN_PRIVATE void cn_balance_free(connect_client_t *client);
/* Chooses a backend for a call, and says who dials for it: *owner. Returns its pool, or NULL: none will do now. */
CN_PRIVATE cn_pool_t *cn_balance_pick(
    connect_client_t *client, const connect_call_t *call, unsigned lane, connect_client_t **owner);
/* Has each backend dial, unless it is connected. */
CN_PRIVATE void cn_balance_want(connect_client_t *client, unsigned lane);
/* The same in the client's next step, until one is ready. */
CN_PRIVATE void cn_balance_press(connect_client_t *client, unsigned lane);
/* The lane of a call of this protocol. */
CN_PRIVATE unsigned cn_balance_lane(const connect_client_t *client, connect_protocol_t protocol);
/* Since when each of them has failed at least once; INT64_MIN: not all have; INT64_MAX: there is none. */
CN_PRIVATE int64_t cn_balance_failed_ms(const connect_client_t *client);
/* Has those step that have this client as a member, and tells them of rounds that failed. */
CN_PRIVATE void cn_balance_tell_watchers(connect_client_t *client);
/* Looks at who is ready; sets client->changed if that is another than before. */
CN_PRIVATE void cn_balance_look(connect_client_t *client);
/* Tells whether one is ready. */
CN_PRIVATE bool cn_balance_is_ready(const connect_client_t *client);
/* Tells whether a connection of this lane takes one more call now. */
CN_PRIVATE bool cn_balance_has_room(const connect_client_t *client, unsigned lane);
/* Tells whether a connection of this lane is open or being dialled. */
CN_PRIVATE bool cn_balance_has_hope(const connect_client_t *client, unsigned lane);
/* Has backends dial that are to be connected though no call waits. */
CN_PRIVATE void cn_balance_keep(connect_client_t *client);
/* What came of a call: after so many ms its first byte; at its end. */
CN_PRIVATE void cn_balance_on_answer(cn_backend_t *backend, int64_t ms);
CN_PRIVATE void cn_balance_on_outcome(cn_backend_t *backend, connect_code_t code);
#endif
