package main

import (
	"crypto/tls"
	"crypto/x509"
	"errors"
	"os"
	"path/filepath"
)

var certificates string // the folder; "": clear text

// tlsConfig has the certificate of that name, and trusts who is signed by ca.pem. A server insists on a client's.
func tlsConfig(name string) (*tls.Config, error) {
	own, err := tls.LoadX509KeyPair(filepath.Join(certificates, name+".pem"), filepath.Join(certificates, name+".key"))
	if err != nil {
		return nil, err
	}
	ca, err := os.ReadFile(filepath.Join(certificates, "ca.pem"))
	if err != nil {
		return nil, err
	}
	pool := x509.NewCertPool()
	if !pool.AppendCertsFromPEM(ca) {
		return nil, errors.New("ca.pem: no certificate")
	}
	return &tls.Config{
		Certificates: []tls.Certificate{own},
		RootCAs:      pool,
		ClientCAs:    pool,
		ClientAuth:   tls.RequireAndVerifyClientCert,
	}, nil
}
