#pragma once
#include "base/sys.h"
#include "client/client.h"

#if CONNECT_ENABLE_CLIENT
/* Takes the name apart that the client is to dial. Returns false: the error says what is wrong. */
CN_PRIVATE bool cn_name_init(connect_client_t *client, connect_error_t *error);
/* Asks the resolver, if there is no good answer. Returns when it is to be called again; INT64_MAX: no need. */
CN_PRIVATE int64_t cn_name_advance(connect_client_t *client, int64_t now_ms);
/* The client goes away: an answer that comes later is dropped. */
CN_PRIVATE void cn_name_forget(connect_client_t *client);
/* For a resolver that can be stopped: abandon is called when the client goes away, and the question is gone then. */
CN_PRIVATE void cn_name_set_abandon(connect_resolve_t *question, void (*abandon)(void *arg), void *arg);
/* Answers a question with a failure; text: copied. */
CN_PRIVATE void cn_name_fail(connect_resolve_t *question, connect_code_t code, int os_error, const char *text);
#endif
