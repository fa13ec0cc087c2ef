#pragma once
/* connect.h: Connect, gRPC and gRPC-Web for C, client and server in one header.

   Build     connect_impl.c:    #define CONNECT_IMPLEMENTATION
                                #include "telemetry.connect.h"      (the library and the generated tables, as C)
             cc app.c connect_impl.c -lnghttp2 -lz -lzstd -lbearssl -lpthread

   Server    connect_code_t read_it(connect_call_t *call, const ReadRequest *request, Reading *response, void *user) {
                 response->celsius = 61.5;
                 return CONNECT_OK;
             }
             Telemetry_handlers handlers = CONNECT_DEFAULTS;         (in full: acme_telemetry_v1_Telemetry_handlers)
             handlers.Read = read_it;
             server = connect_server_new(NULL, &err);
             Telemetry_serve(server, &handlers, NULL, NULL, &err);
             connect_server_listen(server, ":8080", NULL, &err);
             connect_server_run(server);

   Client    client = connect_client_new("http://gateway:8080", NULL, &err);
             if (Telemetry_Read_wait(client, &request, &reading, &arena, &err) != CONNECT_OK) puts(err.message.data);

   Conventions, said once
   Zero      Options start as CONNECT_DEFAULTS; a zero or NULL member means its default, never "unlimited".
   NULL      `options` and `error` may be NULL, and what ends in _or_null, and members that say so; nothing else may.
   Results   false, NULL and -1 are failure. *error is written on failure only; its texts are static, or in the arena
             passed, or in the call, or in the object asked, until it is asked again.
   Kept      What you pass is copied or used up before the function returns. Only these must live as long as the object:
             `user` pointers, types and files, and the objects that options point to (loop, allocator).
   Views     connect_str_t is not zero-terminated. A received message, with all it points to, lives until the callback
             returns; the request that on_request gets: until its call is over; with _wait: as long as the arena.
   Blocking  Only functions with _wait or _run in their name block. In a callback they fail: FAILED_PRECONDITION.
   Callbacks Come out of connect_loop_run, connect_server_run, connect_conn_feed and the _wait functions (and on_closed
             out of the freeing of its object), never out of the function that causes them. In a callback, all but _run
             and _wait may be called; what is freed there ends when the callback has returned.
   Threads   An object belongs to the thread that runs its loop. From any thread: connect_loop_post, and what works on
             messages, arenas and views alone. */
