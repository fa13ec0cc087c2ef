package main

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"os"

	"connectrpc.com/connect"

	"interop/gen"
	"interop/gen/genconnect"
)

type connectClient struct {
	genconnect.TelemetryClient
	unknown *connect.Client[gen.ReadRequest, gen.Reading]
	http2   bool
}

func checkConnect(url, protocol string, httpVersion int, codec string, gzip bool) int {
	transport := &http.Transport{Protocols: new(http.Protocols)}
	transport.Protocols.SetHTTP1(httpVersion == 1)
	transport.Protocols.SetUnencryptedHTTP2(httpVersion == 2)
	if certificates != "" {
		var err error
		if transport.TLSClientConfig, err = tlsConfig("client"); err != nil {
			fmt.Fprintln(os.Stderr, err)
			return 2
		}
		transport.Protocols.SetHTTP2(httpVersion == 2)
	}
	var options []connect.ClientOption
	switch protocol {
	case "connect":
	case "grpc":
		options = append(options, connect.WithGRPC())
	case "grpcweb":
		options = append(options, connect.WithGRPCWeb())
	default:
		fmt.Fprintln(os.Stderr, "no such protocol:", protocol)
		return 2
	}
	if codec == "json" {
		options = append(options, connect.WithProtoJSON())
	}
	if gzip {
		options = append(options, connect.WithSendGzip())
	}
	client := &http.Client{Transport: transport}
	return runChecks(&connectClient{
		genconnect.NewTelemetryClient(client, url, options...),
		connect.NewClient[gen.ReadRequest, gen.Reading](client, url+"/acme.telemetry.v1.Telemetry/NoSuchMethod", options...),
		httpVersion == 2,
	})
}

func connectFailure(err error) *failure {
	if err == nil {
		return nil
	}
	var e *connect.Error
	if !errors.As(err, &e) {
		return &failure{code: "unknown", message: err.Error()}
	}
	f := &failure{code: e.Code().String(), message: e.Message()}
	for _, detail := range e.Details() {
		if value, err := detail.Value(); err == nil {
			f.detail, _ = value.(*gen.Fault)
		}
	}
	return f
}

// plainBinary decodes what -bin headers hold, so that checks see the same from all clients.
func plainBinary(header http.Header) http.Header {
	if blob := header.Get("X-Blob-Bin"); blob != "" {
		if plain, err := connect.DecodeBinaryHeader(blob); err == nil {
			header.Set("X-Blob-Bin", string(plain))
		}
	}
	return header
}

func (c *connectClient) read(ctx context.Context, request *gen.ReadRequest, header http.Header) answer {
	outer := connect.NewRequest(request)
	for name := range header {
		outer.Header().Set(name, header.Get(name))
	}
	if blob := header.Get("X-Blob-Bin"); blob != "" {
		outer.Header().Set("X-Blob-Bin", connect.EncodeBinaryHeader([]byte(blob)))
	}
	response, err := c.Read(ctx, outer)
	if err != nil {
		got := answer{failed: connectFailure(err)}
		var e *connect.Error
		if errors.As(err, &e) {
			got.header = e.Meta()
		}
		return got
	}
	return answer{reading: response.Msg, header: response.Header(), trailer: plainBinary(response.Trailer())}
}

func (c *connectClient) setPoint(ctx context.Context, request *gen.SetPointRequest) (*gen.SetPointResponse, *failure) {
	response, err := c.SetPoint(ctx, connect.NewRequest(request))
	if err != nil {
		return nil, connectFailure(err)
	}
	return response.Msg, nil
}

func (c *connectClient) watch(ctx context.Context, request *gen.WatchRequest, take func(*gen.Reading) bool) (http.Header, *failure) {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	stream, err := c.Watch(ctx, connect.NewRequest(request))
	if err != nil {
		return nil, connectFailure(err)
	}
	for stream.Receive() {
		if !take(stream.Msg()) {
			return nil, nil
		}
	}
	return stream.ResponseTrailer(), connectFailure(stream.Err())
}

func (c *connectClient) upload(ctx context.Context, readings []*gen.Reading) (*gen.UploadSummary, *failure) {
	stream := c.Upload(ctx)
	for _, reading := range readings {
		if stream.Send(reading) != nil {
			break // CloseAndReceive says why
		}
	}
	response, err := stream.CloseAndReceive()
	if err != nil {
		return nil, connectFailure(err)
	}
	return response.Msg, nil
}

func (c *connectClient) exchange(ctx context.Context) func(*gen.Command) (*gen.CommandResult, error) {
	stream := c.Exchange(ctx)
	return func(command *gen.Command) (*gen.CommandResult, error) {
		if command == nil {
			stream.CloseRequest()
		} else if err := stream.Send(command); err != nil {
			return nil, err
		}
		return stream.Receive()
	}
}

func (c *connectClient) halfDuplex(ctx context.Context) (func(*gen.Command) error, func() (*gen.CommandResult, error)) {
	stream := c.Exchange(ctx)
	return func(command *gen.Command) error {
		if command == nil {
			return stream.CloseRequest()
		}
		return stream.Send(command)
	}, stream.Receive
}

func (c *connectClient) unknownMethod(ctx context.Context) *failure {
	_, err := c.unknown.CallUnary(ctx, connect.NewRequest(&gen.ReadRequest{}))
	return connectFailure(err)
}

func (c *connectClient) bidi() bool { return c.http2 }
