#pragma once
#include "base/sys.h"
#include "base/buf.h"
#include "http/exchange.h"
#include "http/header.h"

/* What a call is to its protocol, at either end. Four protocols: Connect's unary form and its streams have nothing in
   common but names, so they are two. */

typedef struct cn_protocol_t cn_protocol_t;
typedef struct cn_rpc_t {
    const cn_protocol_t *protocol;
    const connect_method_t *method;
    cn_exchange_t *x;
    connect_arena_t *arena;
    const connect_allocator_t *allocator;
    const connect_limits_t *limits;
    bool json;                                             /* the codec: proto or json */
    bool require_version;                                  /* server: Connect-Protocol-Version must be there */
    int64_t timeout_ms;                                    /* server: as read; client: to be sent. CN_TIMEOUT_NONE */
    cn_headers_t headers, trailers;                        /* metadata that this end sends */
    connect_headers_t received_headers, received_trailers; /* metadata of the other end */
    connect_error_t error;                                 /* the outcome; code OK: none yet, or success */
    bool error_body;                                       /* client, Connect unary: the body is an error object */
    bool received_body;                                    /* client: at least one byte of it */
    bool ended;                                            /* client: the END_STREAM or trailer envelope was read */
} cn_rpc_t;

/* Functions that return false have set rpc->error; what may only run out of memory says so by RESOURCE_EXHAUSTED. */
struct cn_protocol_t {
    connect_protocol_t id;
    bool enveloped;
    uint8_t end_flag; /* of the envelope that ends a response; 0: HTTP trailers or nothing do */
    /* Server: reads what the request's headers say of timeout, compression and version. */
    bool (*server_open)(cn_rpc_t *rpc);
    /* Server: fills in the response's head. rpc->error: where the status depends on it, it is known already. */
    bool (*server_head)(cn_rpc_t *rpc, cn_head_t *head);
    /* Server: what follows the messages: appended to x->out, or HTTP trailers. For an error, too. */
    bool (*server_end)(cn_rpc_t *rpc, connect_headers_t *trailers);
    /* Client: fills in the request's head, but for method, path and authority. */
    bool (*client_head)(cn_rpc_t *rpc, cn_head_t *head);
    /* Client: checks the response's head. False: rpc->error is the outcome, the body is of no interest. */
    bool (*client_open)(cn_rpc_t *rpc);
    /* Client: reads the payload of the envelope with end_flag. */
    bool (*client_end_envelope)(cn_rpc_t *rpc, connect_str_t payload);
    /* Client: the response is whole. False: rpc->error is the outcome. body: of a protocol without envelopes. */
    bool (*client_end)(cn_rpc_t *rpc, connect_str_t body);
};

enum { CN_PROTOCOL_NO_CONNECT = 1, CN_PROTOCOL_NO_GRPC = 2, CN_PROTOCOL_NO_GRPC_WEB = 4, CN_PROTOCOL_NO_JSON = 8 };

/* The protocol of a request by its content type and its method; NULL: unsupported media type. without: bits of what the
   server does not speak. */
CN_PRIVATE const cn_protocol_t *cn_protocol_recognise(
    connect_str_t content_type, const connect_method_t *method, unsigned without, bool *json);
/* The content types that a method takes, for Accept-Post; in the arena. */
CN_PRIVATE connect_str_t cn_protocol_accept_post(
    connect_arena_t *arena, const connect_method_t *method, unsigned without);
/* The protocol of a client's call; NULL: not in this build. */
CN_PRIVATE const cn_protocol_t *cn_protocol_of(connect_protocol_t id, const connect_method_t *method);

/* What the protocols share. */
/* A media type without parameters but charset=utf-8; "" if it has others. */
CN_PRIVATE connect_str_t cn_protocol_media_type(connect_str_t content_type);
/* Checks a compression that the other end names: only identity is known. code: what the refusal is. */
CN_PRIVATE bool cn_protocol_check_compression(cn_rpc_t *rpc, const char *header, connect_code_t code);
/* Sets rpc->error to RESOURCE_EXHAUSTED, and returns false. */
CN_PRIVATE bool cn_protocol_memory(cn_rpc_t *rpc);
/* Copies the metadata this end sends behind `headers`. */
CN_PRIVATE bool cn_protocol_put_all(cn_rpc_t *rpc, cn_headers_t *headers, const cn_headers_t *metadata);
/* Sets head's header list. */
CN_PRIVATE void cn_protocol_set_head(cn_head_t *head, const cn_headers_t *headers);
