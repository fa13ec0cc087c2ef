package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"strings"

	"connectrpc.com/connect"
	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials"
	"google.golang.org/grpc/credentials/insecure"
	"google.golang.org/grpc/encoding/gzip"
	"google.golang.org/grpc/metadata"
	"google.golang.org/grpc/status"

	"interop/gen"
)

type grpcClient struct {
	gen.TelemetryClient
	conn *grpc.ClientConn
}

func checkGRPC(url string, compressed bool) int {
	creds := insecure.NewCredentials()
	if certificates != "" {
		config, err := tlsConfig("client")
		if err != nil {
			fmt.Fprintln(os.Stderr, err)
			return 2
		}
		creds = credentials.NewTLS(config)
	}
	options := []grpc.DialOption{grpc.WithTransportCredentials(creds)}
	if compressed {
		options = append(options, grpc.WithDefaultCallOptions(grpc.UseCompressor(gzip.Name)))
	}
	conn, err := grpc.NewClient(url[strings.Index(url, "://")+len("://"):], options...)
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 2
	}
	defer conn.Close()
	return runChecks(&grpcClient{gen.NewTelemetryClient(conn), conn})
}

func grpcFailure(err error) *failure {
	if err == nil {
		return nil
	}
	s := status.Convert(err)
	f := &failure{code: connect.Code(s.Code()).String(), message: s.Message()}
	for _, detail := range s.Details() {
		f.detail, _ = detail.(*gen.Fault)
	}
	return f
}

func asHeader(md metadata.MD) http.Header {
	header := http.Header{}
	for name, values := range md {
		header[http.CanonicalHeaderKey(name)] = values
	}
	return header
}

func (c *grpcClient) read(ctx context.Context, request *gen.ReadRequest, header http.Header) answer {
	var head, trail metadata.MD
	for name := range header {
		ctx = metadata.AppendToOutgoingContext(ctx, name, header.Get(name))
	}
	reading, err := c.Read(ctx, request, grpc.Header(&head), grpc.Trailer(&trail), grpc.MaxCallRecvMsgSize(8<<20))
	return answer{reading, asHeader(head), asHeader(trail), grpcFailure(err)}
}

func (c *grpcClient) setPoint(ctx context.Context, request *gen.SetPointRequest) (*gen.SetPointResponse, *failure) {
	response, err := c.SetPoint(ctx, request)
	return response, grpcFailure(err)
}

func (c *grpcClient) watch(ctx context.Context, request *gen.WatchRequest, take func(*gen.Reading) bool) (http.Header, *failure) {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	stream, err := c.Watch(ctx, request)
	if err != nil {
		return nil, grpcFailure(err)
	}
	for {
		reading, err := stream.Recv()
		if errors.Is(err, io.EOF) {
			return asHeader(stream.Trailer()), nil
		}
		if err != nil {
			return asHeader(stream.Trailer()), grpcFailure(err)
		}
		if !take(reading) {
			return nil, nil
		}
	}
}

func (c *grpcClient) upload(ctx context.Context, readings []*gen.Reading) (*gen.UploadSummary, *failure) {
	stream, err := c.Upload(ctx)
	if err != nil {
		return nil, grpcFailure(err)
	}
	for _, reading := range readings {
		if stream.Send(reading) != nil {
			break // CloseAndRecv says why
		}
	}
	summary, err := stream.CloseAndRecv()
	return summary, grpcFailure(err)
}

func (c *grpcClient) exchange(ctx context.Context) func(*gen.Command) (*gen.CommandResult, error) {
	stream, err := c.Exchange(ctx)
	return func(command *gen.Command) (*gen.CommandResult, error) {
		if err != nil {
			return nil, err
		}
		if command == nil {
			stream.CloseSend()
		} else if err := stream.Send(command); err != nil {
			return nil, err
		}
		return stream.Recv()
	}
}

func (c *grpcClient) halfDuplex(ctx context.Context) (func(*gen.Command) error, func() (*gen.CommandResult, error)) {
	stream, err := c.Exchange(ctx)
	return func(command *gen.Command) error {
			if err != nil {
				return err
			}
			if command == nil {
				return stream.CloseSend()
			}
			return stream.Send(command)
		}, func() (*gen.CommandResult, error) {
			return stream.Recv()
		}
}

func (c *grpcClient) unknownMethod(ctx context.Context) *failure {
	return grpcFailure(c.conn.Invoke(ctx, "/acme.telemetry.v1.Telemetry/NoSuchMethod", &gen.ReadRequest{}, &gen.Reading{}))
}

func (c *grpcClient) bidi() bool { return true }
