//! connectrpc, the official Rust implementation, as it is measured: the current-thread runtime, which is its fastest
//! with one core, and its zero-copy views.
use connectrpc::{RequestContext, Response, Router, Server, ServiceRequest, ServiceResult, ServiceStream};
use std::sync::Arc;

mod proto {
    connectrpc::include_generated!("connectrpc.rs");
}
use proto::bench::v1::*;

struct Bench;

#[allow(refining_impl_trait)]
impl Echo for Bench {
    async fn unary(&self, _: RequestContext, request: ServiceRequest<'_, Payload>) -> ServiceResult<Payload> {
        Response::ok(Payload { text: request.text.into(), ..Default::default() })
    }

    async fn ingest(&self, _: RequestContext, request: ServiceRequest<'_, LogBatch>) -> ServiceResult<Accepted> {
        let mut sum = 0u64;
        for r in request.records.iter() {
            sum = sum.wrapping_add(r.time_unix_nano).wrapping_add(r.severity as u64);
            sum += (r.severity_text.len() + r.body.len() + r.service.len() + r.trace_id.len()) as u64;
            sum += r.attributes.iter().map(|(k, v)| (k.len() + v.len()) as u64).sum::<u64>();
            sum += r.codes.iter().map(|&c| c as u64).sum::<u64>();
        }
        Response::ok(Accepted { records: request.records.len() as u32, checksum: sum, ..Default::default() })
    }

    async fn stream(
        &self,
        _: RequestContext,
        request: ServiceRequest<'_, StreamRequest>,
    ) -> ServiceResult<ServiceStream<Payload>> {
        let (count, text) = (request.count, "x".repeat(request.size as usize));
        Response::stream_ok(futures::stream::iter(
            (0..count).map(move |_| Ok(Payload { text: text.clone(), ..Default::default() })),
        ))
    }
}

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Box<dyn std::error::Error + Send + Sync>> {
    let bound = Server::bind("127.0.0.1:0").await?;
    println!("listens on {}", bound.local_addr()?);
    bound.serve(Router::new().add_service(Arc::new(Bench))).await?;
    Ok(())
}
