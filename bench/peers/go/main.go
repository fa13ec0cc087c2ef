// connect-go and grpc-go as they are measured: peers connect-go | grpc-go. Both with one processor.
package main

import (
	"context"
	"fmt"
	"net"
	"net/http"
	"os"
	"runtime"
	"strings"

	"connectrpc.com/connect"
	"google.golang.org/grpc"

	"rpcpeers/gen"
	"rpcpeers/gen/genconnect"
)

func ingest(batch *gen.LogBatch) *gen.Accepted {
	var sum uint64
	for _, r := range batch.Records {
		sum += r.TimeUnixNano + uint64(r.Severity)
		sum += uint64(len(r.SeverityText) + len(r.Body) + len(r.Service) + len(r.TraceId))
		for k, v := range r.Attributes {
			sum += uint64(len(k) + len(v))
		}
		for _, c := range r.Codes {
			sum += uint64(c)
		}
	}
	return &gen.Accepted{Records: uint32(len(batch.Records)), Checksum: sum}
}

type connectEcho struct{}

func (connectEcho) Unary(_ context.Context, r *connect.Request[gen.Payload]) (*connect.Response[gen.Payload], error) {
	return connect.NewResponse(&gen.Payload{Text: r.Msg.Text}), nil
}
func (connectEcho) Ingest(_ context.Context, r *connect.Request[gen.LogBatch]) (*connect.Response[gen.Accepted], error) {
	return connect.NewResponse(ingest(r.Msg)), nil
}
func (connectEcho) Stream(_ context.Context, r *connect.Request[gen.StreamRequest], s *connect.ServerStream[gen.Payload]) error {
	message := &gen.Payload{Text: strings.Repeat("x", int(r.Msg.Size))}
	for i := uint32(0); i < r.Msg.Count; i++ {
		if err := s.Send(message); err != nil {
			return err
		}
	}
	return nil
}

type grpcEcho struct{ gen.UnimplementedEchoServer }

func (grpcEcho) Unary(_ context.Context, r *gen.Payload) (*gen.Payload, error) {
	return &gen.Payload{Text: r.Text}, nil
}
func (grpcEcho) Ingest(_ context.Context, r *gen.LogBatch) (*gen.Accepted, error) {
	return ingest(r), nil
}
func (grpcEcho) Stream(r *gen.StreamRequest, s grpc.ServerStreamingServer[gen.Payload]) error {
	message := &gen.Payload{Text: strings.Repeat("x", int(r.Size))}
	for i := uint32(0); i < r.Count; i++ {
		if err := s.Send(message); err != nil {
			return err
		}
	}
	return nil
}

func main() {
	runtime.GOMAXPROCS(1)
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil || len(os.Args) != 2 {
		fmt.Fprintln(os.Stderr, "peers connect-go | grpc-go:", err)
		os.Exit(1)
	}
	fmt.Println("listens on", listener.Addr())
	if os.Args[1] == "grpc-go" {
		server := grpc.NewServer()
		gen.RegisterEchoServer(server, grpcEcho{})
		err = server.Serve(listener)
	} else {
		mux := http.NewServeMux()
		mux.Handle(genconnect.NewEchoHandler(connectEcho{}))
		protocols := new(http.Protocols)
		protocols.SetHTTP1(true)
		protocols.SetUnencryptedHTTP2(true)
		server := &http.Server{Handler: mux, Protocols: protocols}
		err = server.Serve(listener)
	}
	fmt.Fprintln(os.Stderr, err)
	os.Exit(1)
}
