#!/bin/sh
# Makes the certificates that the tests of TLS use, with openssl, in a folder: certificates.sh DIRECTORY
# Nothing of it is kept in the tree. Those that expire, or are not valid yet, have dates that stay so.
set -eu
mkdir -p "$1"
to=$(cd "$1" && pwd)
rm -rf "$to"
mkdir -p "$to"
cd "$to"
exec 3>&2 > openssl.log 2>&1
trap 'status=$?; if [ $status -ne 0 ]; then cat openssl.log >&3; fi' EXIT

# key NAME KIND: rsa:BITS or an EC curve
key() {
    case $2 in
    rsa:*) openssl genpkey -algorithm RSA -pkeyopt "rsa_keygen_bits:${2#rsa:}" -out "$1.key" ;;
    ed25519) openssl genpkey -algorithm ED25519 -out "$1.key" ;;
    *) openssl genpkey -algorithm EC -pkeyopt "ec_paramgen_curve:$2" -pkeyopt ec_param_enc:named_curve -out "$1.key" ;;
    esac
}
# config NAME SUBJECT EXTENSION...: what the certificate says
config() {
    name=$1 subject=$2
    shift 2
    {
        echo "[req]"
        echo "distinguished_name=dn"
        echo "prompt=no"
        echo "string_mask=utf8only"
        echo "[dn]"
        printf '%s\n' "$subject" | tr '/' '\n'
        echo "[ext]"
        for line; do echo "$line"; done
    } > "$name.cnf"
}
# root NAME KIND SUBJECT
root() {
    key "$1" "$2"
    config "$1" "$3" basicConstraints=critical,CA:TRUE keyUsage=critical,keyCertSign,cRLSign subjectKeyIdentifier=hash
    openssl req -x509 -new -sha256 -days 3650 -key "$1.key" -config "$1.cnf" -extensions ext -out "$1.pem"
}
# issue NAME KIND SUBJECT ISSUER [EXTENSION...]: $options: for openssl, default -sha256 -days 3650
issue() {
    name=$1 kind=$2 subject=$3 issuer=$4
    shift 4
    [ -e "$name.key" ] || key "$name" "$kind"
    config "$name" "$subject" "$@"
    openssl req -new -sha256 -key "$name.key" -config "$name.cnf" -out "$name.csr"
    openssl x509 -req -in "$name.csr" -CA "$issuer.pem" -CAkey "$issuer.key" -set_serial "0x1$(openssl rand -hex 8)" \
        ${options:--sha256 -days 3650} -extfile "$name.cnf" -extensions ext -out "$name.pem"
}
# dated NAME FROM TO: the same with fixed dates, YYYYMMDDHHMMSSZ; issuer: ca
dated() {
    openssl req -new -sha256 -key "$1.key" -config "$1.cnf" -out "$1.csr"
    rm -f db.txt db.txt.attr
    : > db.txt
    printf '[ca]\ndefault_ca=d\n[d]\ndatabase=db.txt\nnew_certs_dir=.\nserial=serial\npolicy=p\ndefault_md=sha256\nunique_subject=no\n[p]\ncommonName=optional\norganizationName=optional\n' > ca.cnf
    openssl rand -hex 8 > serial
    openssl ca -batch -notext -config ca.cnf -cert ca.pem -keyfile ca.key -in "$1.csr" -startdate "$2" -enddate "$3" \
        -extfile "$1.cnf" -extensions ext -out "$1.pem"
}

names=subjectAltName=DNS:localhost,DNS:gw.local,DNS:*.wild.example,IP:127.0.0.1,IP:::1
server=extendedKeyUsage=serverAuth client=extendedKeyUsage=clientAuth both=extendedKeyUsage=serverAuth,clientAuth sign=keyUsage=digitalSignature

root ca P-256 "CN=Test CA/O=Acme"
root other P-256 "CN=Other CA"
root impostor P-256 "CN=Test CA/O=Acme"
issue middle P-384 "CN=Test Issuing CA" ca basicConstraints=critical,CA:TRUE,pathlen:0 keyUsage=critical,keyCertSign

issue server P-256 "CN=gw/O=Acme" ca "$names" "$server" "$sign"
issue server-rsa rsa:2048 "CN=gw-rsa" ca "$names" "$server"
issue server-384 P-384 "CN=gw-384" ca "$names" "$server"
issue server-521 P-521 "CN=gw-521" ca "$names" "$server"
issue deep P-256 "CN=deep" middle "$names" "$both"
cat deep.pem middle.pem > deep-chain.pem
cp deep.key deep-chain.key
issue site-1 P-256 "CN=site-1" ca subjectAltName=DNS:site-1.example,DNS:*.site-1.example "$server"
issue address P-256 "CN=address" ca subjectAltName=DNS:gw.local,IP:10.0.0.1 "$server"
issue any P-256 "CN=any" ca "$names"
issue client P-256 "CN=dashboard/O=Acme" ca "$client" subjectAltName=DNS:dash.local,URI:spiffe://site-1/dashboard,email:a@b.example
issue client-rsa rsa:2048 "CN=dashboard-rsa" ca "$client"
issue client-2 P-256 "CN=second" ca "$client"
issue client-host P-256 "CN=a client" ca "$client" "$names"
issue client-other P-256 "CN=stranger" other "$client"
issue not-for-clients P-256 "CN=a server" ca "$server"

# What must be refused, at either end
issue server-other P-256 "CN=gw" other "$names" "$server"
issue impostor-leaf P-256 "CN=gw" impostor "$names" "$server"
issue weak rsa:1024 "CN=weak" ca "$names" "$both"
options="-sha1 -days 3650" issue sha1 P-256 "CN=sha1" ca "$names" "$both"
issue usage P-256 "CN=usage" ca "$names" "$both" keyUsage=critical,keyCertSign
issue nameless P-256 "CN=localhost" ca "$server"
issue by-leaf P-256 "CN=by a leaf" server "$names" "$server"
cat by-leaf.pem server.pem > by-leaf-chain.pem
key self P-256
config self "CN=self" "$names"
openssl req -x509 -new -sha256 -days 3650 -key self.key -config self.cnf -extensions ext -out self.pem
for name in expired early late-client; do
    key $name P-256
    config $name "CN=$name" "$names" "$both"
done
dated expired 20260101000000Z 20260301120000Z
dated early 20970101000000Z 20980101000000Z
dated late-client 20260101000000Z 20260301120000Z

# Forms
openssl x509 -in server.pem -outform DER -out server.der
openssl pkcs8 -topk8 -nocrypt -in server.key -outform DER -out server-key.der
openssl ec -in server.key -out server-sec1.key
openssl ec -in server.key -outform DER -out server-sec1.der
openssl rsa -in server-rsa.key -traditional -out server-pkcs1.key
openssl rsa -in server-rsa.key -traditional -outform DER -out server-pkcs1.der
openssl pkcs8 -topk8 -in server.key -passout pass:secret -out encrypted.key
openssl rsa -in server-rsa.key -traditional -aes128 -passout pass:secret -out encrypted-pkcs1.key
{ openssl ecparam -name prime256v1; cat server-sec1.key server.pem; } > server-all.pem
key edwards ed25519
config edwards "CN=Edwards CA" basicConstraints=critical,CA:TRUE
openssl req -x509 -new -days 3650 -key edwards.key -config edwards.cnf -extensions ext -out edwards.pem
cat edwards.pem ca.pem other.pem > bundle.pem
openssl x509 -in server.pem -noout -pubkey | openssl pkey -pubin -outform DER | openssl dgst -sha256 -binary |
    openssl base64 > server.pin
openssl x509 -in client.pem -noout -fingerprint -sha256 | sed 's/.*=//; s/://g' | tr 'A-F' 'a-f' > client.fingerprint
