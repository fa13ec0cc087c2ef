package main

import (
	"context"
	"errors"
	"io"
	"net"

	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/credentials"
	"google.golang.org/grpc/credentials/insecure"
	_ "google.golang.org/grpc/encoding/gzip" // registers it
	"google.golang.org/grpc/metadata"
	"google.golang.org/grpc/status"

	"interop/gen"
)

type grpcServer struct {
	gen.UnimplementedTelemetryServer
}

func serveGRPC(ctx context.Context, listener net.Listener) error {
	creds := insecure.NewCredentials()
	if certificates != "" {
		config, err := tlsConfig("server")
		if err != nil {
			return err
		}
		creds = credentials.NewTLS(config)
	}
	server := grpc.NewServer(grpc.Creds(creds))
	gen.RegisterTelemetryServer(server, grpcServer{})
	go func() {
		<-ctx.Done()
		server.Stop()
	}()
	return server.Serve(listener)
}

func grpcError(f *failure) error {
	// Connect's codes have the numbers of gRPC's
	result := status.New(codes.Code(connectCode(f.code)), f.message)
	if f.detail != nil {
		result, _ = result.WithDetails(f.detail)
	}
	return result.Err()
}

func grpcMetadata(ctx context.Context) (header, trailer metadata.MD) {
	request, _ := metadata.FromIncomingContext(ctx)
	header = metadata.Pairs("x-site", "north")
	trailer = metadata.Pairs("x-source", "i2c")
	header.Append("x-request-id", request.Get("x-request-id")...)
	trailer.Append("x-blob-bin", request.Get("x-blob-bin")...)
	return header, trailer
}

func (grpcServer) Read(ctx context.Context, request *gen.ReadRequest) (*gen.Reading, error) {
	header, trailer := grpcMetadata(ctx)
	grpc.SetHeader(ctx, header)
	grpc.SetTrailer(ctx, trailer)
	reading, failed := read(ctx, request)
	if failed != nil {
		return nil, grpcError(failed)
	}
	return reading, nil
}

func (grpcServer) Watch(request *gen.WatchRequest, stream grpc.ServerStreamingServer[gen.Reading]) error {
	header, trailer := grpcMetadata(stream.Context())
	stream.SetHeader(header)
	stream.SetTrailer(trailer)
	if failed := watch(stream.Context(), request, stream.Send); failed != nil {
		return grpcError(failed)
	}
	return nil
}

func (grpcServer) SetPoint(_ context.Context, request *gen.SetPointRequest) (*gen.SetPointResponse, error) {
	response, failed := setPoint(request)
	if failed != nil {
		return nil, grpcError(failed)
	}
	return response, nil
}

func (grpcServer) Upload(stream grpc.ClientStreamingServer[gen.Reading, gen.UploadSummary]) error {
	summary, err := upload(func() (*gen.Reading, error) {
		reading, err := stream.Recv()
		if errors.Is(err, io.EOF) {
			return nil, nil
		}
		return reading, err
	})
	if err != nil {
		return err
	}
	return stream.SendAndClose(summary)
}

func (grpcServer) Exchange(stream grpc.BidiStreamingServer[gen.Command, gen.CommandResult]) error {
	for {
		command, err := stream.Recv()
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
