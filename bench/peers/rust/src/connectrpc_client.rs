//! connectrpc's client as a load generator, beside connect.h's in bench/clients/bench_load.c: unary calls of
//! bench/echo.proto, so many at once on each connection. As it is measured: the current-thread runtime, which takes the
//! least CPU time, the transport its documentation recommends for each HTTP version, and its zero-copy views.
//!   connectrpc_client URL [-n CALLS] [-c CONNECTIONS] [-m CALLS AT ONCE PER CONNECTION] [-p connect|grpc|grpcweb] [-h 1|2]
//! Prints one line: calls, failures.
use connectrpc::client::{ClientConfig, ClientTransport, Http2Connection, HttpClient};
use connectrpc::Protocol;
use std::cell::Cell;
use std::rc::Rc;

mod proto {
    connectrpc::include_generated!("connectrpc.rs");
}
use proto::bench::v1::*;

type AnyError = Box<dyn std::error::Error + Send + Sync>;

struct Load {
    begun: Cell<u64>,
    failed: Cell<u64>,
    total: u64,
    text: String,
}

/// One call after the other.
async fn slot<T>(load: Rc<Load>, client: EchoClient<T>)
where
    T: ClientTransport,
    <T::ResponseBody as connectrpc::http_body::Body>::Error: std::fmt::Display,
{
    while load.begun.get() < load.total {
        load.begun.set(load.begun.get() + 1);
        let request = Payload { text: load.text.clone(), ..Default::default() };
        let why = match client.unary(request).await {
            Ok(response) if response.view().text == load.text => continue,
            Ok(_) => "another text came back".to_string(),
            Err(error) => error.to_string(),
        };
        load.failed.set(load.failed.get() + 1);
        eprintln!("{why}");
    }
}

async fn run() -> Result<bool, AnyError> {
    let arguments: Vec<String> = std::env::args().collect();
    let value = |flag: &str, otherwise: &str| {
        let at = arguments.iter().position(|argument| argument == flag);
        at.and_then(|at| arguments.get(at + 1)).map_or(otherwise.to_string(), String::clone)
    };
    let uri: http::Uri = arguments.get(1).ok_or("connectrpc_client URL [-n -c -m -p -h]")?.parse()?;
    let (connections, at_once): (usize, usize) = (value("-c", "8").parse()?, value("-m", "8").parse()?);
    let protocol = match value("-p", "grpc").as_str() {
        "grpc" => Protocol::Grpc,
        "grpcweb" => Protocol::GrpcWeb,
        _ => Protocol::Connect,
    };
    let config = ClientConfig::new(uri.clone()).with_protocol(protocol);
    let load = Rc::new(Load {
        begun: Cell::new(0),
        failed: Cell::new(0),
        total: value("-n", "100000").parse()?,
        text: "x".repeat(64),
    });
    let mut slots = Vec::new();
    for _ in 0..connections {
        if value("-h", "2") == "1" {
            let client = EchoClient::new(HttpClient::plaintext(), config.clone());
            slots.extend((0..at_once).map(|_| tokio::task::spawn_local(slot(load.clone(), client.clone()))));
        } else {
            let connection = Http2Connection::connect_plaintext(uri.clone()).await?.shared(1024);
            let client = EchoClient::new(connection, config.clone());
            slots.extend((0..at_once).map(|_| tokio::task::spawn_local(slot(load.clone(), client.clone()))));
        }
    }
    for slot in slots {
        slot.await?;
    }
    println!("{} calls, {} failed", load.begun.get(), load.failed.get());
    Ok(load.failed.get() == 0)
}

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), AnyError> {
    if tokio::task::LocalSet::new().run_until(run()).await? { Ok(()) } else { Err("calls have failed".into()) }
}
