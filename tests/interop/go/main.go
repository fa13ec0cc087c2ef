// Peers of connect.h for the interop tests: a connect-go and a grpc-go server, and a client of either.
// ../README.md says what the servers do and the clients check.
package main

import (
	"context"
	"flag"
	"fmt"
	"net"
	"os"
	"os/signal"
	"syscall"
)

func main() {
	if len(os.Args) < 2 {
		usage()
	}
	flags := flag.NewFlagSet(os.Args[1], flag.ExitOnError)
	addr := flags.String("addr", "127.0.0.1:0", "where a server listens")
	url := flags.String("url", "", "the server to call, http://host:port")
	protocol := flags.String("protocol", "connect", "connect, grpc or grpcweb")
	httpVersion := flags.Int("http", 1, "1 or 2")
	codec := flags.String("codec", "proto", "proto or json")
	gzip := flags.Bool("gzip", false, "a client sends compressed")
	flags.StringVar(&certificates, "tls", "", "speak TLS, with the certificates of tests/tls/certificates.sh in this folder")
	flags.Parse(os.Args[2:])

	switch os.Args[1] {
	case "connect-server":
		serve(*addr, serveConnect)
	case "grpc-server":
		serve(*addr, serveGRPC)
	case "connect-client":
		os.Exit(checkConnect(*url, *protocol, *httpVersion, *codec, *gzip))
	case "grpc-client":
		os.Exit(checkGRPC(*url, *gzip))
	default:
		usage()
	}
}

func usage() {
	fmt.Fprintln(os.Stderr, "peers connect-server | grpc-server [--addr HOST:PORT] [--tls FOLDER]")
	fmt.Fprintln(os.Stderr, "peers connect-client --url URL [--protocol P] [--http 1|2] [--codec proto|json] [--gzip] [--tls FOLDER]")
	fmt.Fprintln(os.Stderr, "peers grpc-client --url URL [--gzip] [--tls FOLDER]")
	os.Exit(2)
}

// serve listens, says where in its first line, and serves until SIGTERM.
func serve(addr string, run func(context.Context, net.Listener) error) {
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGTERM, os.Interrupt)
	defer stop()
	listener, err := net.Listen("tcp", addr)
	if err == nil {
		fmt.Println("listens on", listener.Addr())
		err = run(ctx, listener)
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}
