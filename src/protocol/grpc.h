#pragma once
#include "base/sys.h"
#include "protocol/protocol.h"

#if CONNECT_ENABLE_GRPC
CN_PRIVATE const cn_protocol_t *cn_grpc_protocol(void);
#endif
/* What gRPC-Web shares with it: the status as headers, and the reverse. */
CN_PRIVATE bool cn_grpc_write_status(cn_rpc_t *rpc, cn_headers_t *trailers);
CN_PRIVATE bool cn_grpc_read_status(cn_rpc_t *rpc, const cn_headers_t *trailers, bool trailers_came);
CN_PRIVATE bool cn_grpc_server_open(cn_rpc_t *rpc);
CN_PRIVATE bool cn_grpc_client_open(cn_rpc_t *rpc, connect_str_t bare_type);
CN_PRIVATE bool cn_grpc_server_head(cn_rpc_t *rpc, cn_head_t *head, const char *proto_type, const char *json_type);
