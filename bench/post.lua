-- wrk: Connect unary over HTTP/1.1, a message of 66 bytes
wrk.method = "POST"
wrk.headers["content-type"] = "application/proto"
wrk.body = "\10\64" .. string.rep("0123456789abcdef", 4)
