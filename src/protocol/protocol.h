#pragma once
#include "base/sys.h"
#include "base/buf.h"
#include "codec/compress.h"
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
    bool free_choice;                                      /* server: the client may choose the compression */
    bool json;                                             /* the codec: proto or json */
    bool require_version;                                  /* server: Connect-Protocol-Version must be there */
    bool get;                                              /* a Connect GET: the request is in the URL */
    bool not_modified;                                     /* server: a GET whose answer the client has already */
    bool list_codings;                                     /* server: the answer tells what it accepts */
    cn_codings_t *codings;                                 /* what this end knows; below, NULL is identity */
    const cn_coding_t *coding_received;                    /* as the other end announced it */
    const cn_coding_t *coding_announced, *coding_sent;     /* by this end; and for the next message: this, or none */
    const cn_coding_t *coding_body;                        /* of a bare body that waits to be sent */
    connect_str_t peer_accepts;                            /* server: the client's list; absent: none came */
    connect_str_t query, message;                          /* server: of a GET, undecoded; and the request out of it */
    int64_t timeout_ms;                                    /* server: as read; client: to be sent. CN_TIMEOUT_NONE */
    cn_headers_t headers, trailers;                        /* metadata that this end sends */
    connect_headers_t received_headers, received_trailers; /* metadata of the other end */
    connect_error_t error;                                 /* the outcome; code OK: none yet, or success */
    bool error_body;                                       /* client, Connect unary: the body is an error object */
    bool received_body;                                    /* client: at least one byte of it */
    bool ended;                                            /* client: the END_STREAM or trailer envelope was read */
    char quantum[4];                                       /* server, gRPC-Web text: of a body's base64, what is not */
    uint8_t quantum_len;                                   /* four characters yet */
} cn_rpc_t;

/* An entry of the tables below that one end alone needs: in a build without that end, NULL, and its function is not in
   the program. */
#define CN_PROTOCOL_CLIENT(function) (CONNECT_ENABLE_CLIENT ? (function) : NULL)
#define CN_PROTOCOL_SERVER(function) (CONNECT_ENABLE_SERVER ? (function) : NULL)

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
    /* Server: appends to `in` what a piece of the body stands for; NULL: for itself. */
    bool (*server_receive)(cn_rpc_t *rpc, connect_str_t piece, cn_buf_t *in);
    /* Server: has what was appended to x->out, from so many bytes on, stand there as it is sent; NULL: as it is. */
    bool (*server_send)(cn_rpc_t *rpc, size_t from);
};

enum { CN_PROTOCOL_NO_CONNECT = 1, CN_PROTOCOL_NO_GRPC = 2, CN_PROTOCOL_NO_GRPC_WEB = 4, CN_PROTOCOL_NO_JSON = 8 };

/* The protocol of a request by its content type and its method; NULL: unsupported media type. without: bits of what the
   server does not speak. */
CN_PRIVATE const cn_protocol_t *cn_protocol_recognise(
    connect_str_t content_type, const connect_method_t *method, unsigned without, bool *json);
/* The protocol of a GET; NULL: as above. query: of its URL. */
CN_PRIVATE const cn_protocol_t *cn_protocol_recognise_get(
    connect_str_t query, connect_arena_t *arena, unsigned without, bool *json);
/* The content types that a method takes, for Accept-Post; in the arena. */
CN_PRIVATE connect_str_t cn_protocol_accept_post(
    connect_arena_t *arena, const connect_method_t *method, unsigned without);
/* The protocol of a client's call; NULL: not in this build. */
CN_PRIVATE const cn_protocol_t *cn_protocol_of(connect_protocol_t id, const connect_method_t *method);

/* What the protocols share. */
/* A media type without parameters but charset=utf-8; "" if it has others. */
CN_PRIVATE connect_str_t cn_protocol_media_type(connect_str_t content_type);
/* Takes the compression that the other end names. where: for the refusal, whose code is given. */
CN_PRIVATE bool cn_protocol_set_received(cn_rpc_t *rpc, connect_str_t name, const char *where, connect_code_t code);
/* Client: takes the compression that a header of the response names. */
CN_PRIVATE bool cn_protocol_check_response(cn_rpc_t *rpc, const char *header);
/* Server: takes the request's compression, by its name, and chooses the response's by a header. Before it is called
   coding_sent is what the server was told to use; `free_choice`: nothing. */
CN_PRIVATE bool cn_protocol_negotiate(cn_rpc_t *rpc, connect_str_t name, const char *where, const char *accept_header);
/* Server: tells whether the client takes responses of this compression. */
CN_PRIVATE bool cn_protocol_peer_takes(const cn_rpc_t *rpc, const cn_coding_t *coding);
/* Puts the header that announces the compression of enveloped messages, and what is accepted: a client always, a
   server with a refusal. */
CN_PRIVATE bool cn_protocol_put_codings(
    cn_rpc_t *rpc, cn_headers_t *headers, const char *name, const char *accept_name, bool is_server);
/* Sets rpc->error to RESOURCE_EXHAUSTED, and returns false. */
CN_PRIVATE bool cn_protocol_memory(cn_rpc_t *rpc);
/* Copies the metadata this end sends behind `headers`. */
CN_PRIVATE bool cn_protocol_put_all(cn_rpc_t *rpc, cn_headers_t *headers, const cn_headers_t *metadata);
/* Sets head's header list. */
CN_PRIVATE void cn_protocol_set_head(cn_head_t *head, const cn_headers_t *headers);
