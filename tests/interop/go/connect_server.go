package main

import (
	"context"
	"errors"
	"io"
	"net"
	"net/http"

	"connectrpc.com/connect"

	"interop/gen"
	"interop/gen/genconnect"
)

type connectServer struct{}

// serveConnect serves Connect, gRPC and gRPC-Web over HTTP/1.1 and HTTP/2.
func serveConnect(ctx context.Context, listener net.Listener) error {
	mux := http.NewServeMux()
	mux.Handle(genconnect.NewTelemetryHandler(connectServer{}))
	server := &http.Server{Handler: mux, Protocols: new(http.Protocols)}
	server.Protocols.SetHTTP1(true)
	server.Protocols.SetUnencryptedHTTP2(true)
	go func() {
		<-ctx.Done()
		server.Close()
	}()
	err := serveHTTP(server, listener)
	if errors.Is(err, http.ErrServerClosed) {
		return nil
	}
	return err
}

func serveHTTP(server *http.Server, listener net.Listener) (err error) {
	if certificates == "" {
		return server.Serve(listener)
	}
	server.Protocols.SetHTTP2(true)
	if server.TLSConfig, err = tlsConfig("server"); err != nil {
		return err
	}
	return server.ServeTLS(listener, "", "")
}

func connectCode(name string) connect.Code {
	var code connect.Code
	if err := code.UnmarshalText([]byte(name)); err != nil {
		panic(err)
	}
	return code
}

func connectError(f *failure) *connect.Error {
	err := connect.NewError(connectCode(f.code), errors.New(f.message))
	if f.detail != nil {
		detail, _ := connect.NewErrorDetail(f.detail)
		err.AddDetail(detail)
	}
	return err
}

// answerMetadata copies what the README says from the request.
func answerMetadata(request, header, trailer http.Header) {
	header.Set("x-site", "north")
	trailer.Set("x-source", "i2c")
	if id := request.Get("x-request-id"); id != "" {
		header.Set("x-request-id", id)
	}
	if blob := request.Get("x-blob-bin"); blob != "" {
		trailer.Set("x-blob-bin", blob)
	}
}

func (connectServer) Read(ctx context.Context, request *connect.Request[gen.ReadRequest]) (*connect.Response[gen.Reading], error) {
	reading, failed := read(ctx, request.Msg)
	if failed != nil {
		err := connectError(failed)
		answerMetadata(request.Header(), err.Meta(), err.Meta())
		return nil, err
	}
	response := connect.NewResponse(reading)
	answerMetadata(request.Header(), response.Header(), response.Trailer())
	return response, nil
}

func (connectServer) Watch(ctx context.Context, request *connect.Request[gen.WatchRequest], stream *connect.ServerStream[gen.Reading]) error {
	answerMetadata(request.Header(), stream.ResponseHeader(), stream.ResponseTrailer())
	if failed := watch(ctx, request.Msg, stream.Send); failed != nil {
		return connectError(failed)
	}
	return nil
}

func (connectServer) SetPoint(_ context.Context, request *connect.Request[gen.SetPointRequest]) (*connect.Response[gen.SetPointResponse], error) {
	response, failed := setPoint(request.Msg)
	if failed != nil {
		return nil, connectError(failed)
	}
	return connect.NewResponse(response), nil
}

func (connectServer) Upload(_ context.Context, stream *connect.ClientStream[gen.Reading]) (*connect.Response[gen.UploadSummary], error) {
	summary, err := upload(func() (*gen.Reading, error) {
		if stream.Receive() {
			return stream.Msg(), nil
		}
		return nil, stream.Err()
	})
	if err != nil {
		return nil, err
	}
	return connect.NewResponse(summary), nil
}

func (connectServer) Exchange(_ context.Context, stream *connect.BidiStream[gen.Command, gen.CommandResult]) error {
	for {
		command, err := stream.Receive()
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err == nil {
			err = stream.Send(exchange(command))
		}
		if err != nil {
			return err
		}
	}
}
