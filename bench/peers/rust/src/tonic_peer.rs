//! tonic as it is measured: the current-thread runtime, which is its fastest with one core.
use std::pin::Pin;
use tokio_stream::Stream;
use tonic::{Request, Response, Status};

mod pb {
    tonic::include_proto!("bench.v1");
}

struct Echo;

#[tonic::async_trait]
impl pb::echo_server::Echo for Echo {
    async fn unary(&self, request: Request<pb::Payload>) -> Result<Response<pb::Payload>, Status> {
        Ok(Response::new(request.into_inner()))
    }

    async fn ingest(&self, request: Request<pb::LogBatch>) -> Result<Response<pb::Accepted>, Status> {
        let batch = request.into_inner();
        let mut sum = 0u64;
        for r in &batch.records {
            sum = sum.wrapping_add(r.time_unix_nano).wrapping_add(r.severity as u64);
            sum += (r.severity_text.len() + r.body.len() + r.service.len() + r.trace_id.len()) as u64;
            sum += r.attributes.iter().map(|(k, v)| (k.len() + v.len()) as u64).sum::<u64>();
            sum += r.codes.iter().map(|&c| c as u64).sum::<u64>();
        }
        Ok(Response::new(pb::Accepted { records: batch.records.len() as u32, checksum: sum }))
    }

    type StreamStream = Pin<Box<dyn Stream<Item = Result<pb::Payload, Status>> + Send>>;

    async fn stream(&self, request: Request<pb::StreamRequest>) -> Result<Response<Self::StreamStream>, Status> {
        let request = request.into_inner();
        let text = "x".repeat(request.size as usize);
        let messages = (0..request.count).map(move |_| Ok(pb::Payload { text: text.clone() }));
        Ok(Response::new(Box::pin(tokio_stream::iter(messages))))
    }
}

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await?;
    println!("listens on {}", listener.local_addr()?);
    tonic::transport::Server::builder()
        .tcp_nodelay(true)
        .add_service(pb::echo_server::EchoServer::new(Echo))
        .serve_with_incoming(tonic::transport::server::TcpIncoming::from(listener).with_nodelay(Some(true)))
        .await?;
    Ok(())
}
