#pragma once

/* Returns version and switches of the compiled library, "connect.h 0.1.0 HTTP2=1 GRPC=1 ...", for logs; static. */
CONNECT_API const char *connect_build_info(void);
