//! prost.

mod harness;

#[allow(clippy::all)]
mod shapes {
    include!(concat!(env!("OUT_DIR"), "/prost/bench.codec.rs"));
}

use harness::{Input, Operation};
use prost::Message;
use std::hint::black_box;

fn prepare_for<M: Message + Default + 'static>(operation: &str, inputs: &'static [Input]) -> Option<Operation> {
    let held: Vec<M> = inputs.iter().map(|input| M::decode(&input.pb[..]).unwrap()).collect();
    for (message, input) in held.iter().zip(inputs) {
        assert_eq!(message.encoded_len(), input.pb.len());
    }
    let mut output = Vec::with_capacity(4 << 20);
    match operation {
        "decode" => Some(Box::new(move |i| {
            black_box(M::decode(&inputs[i].pb[..]).unwrap());
        })),
        "encode" => Some(Box::new(move |i| {
            output.clear();
            held[i].encode(&mut output).unwrap();
            black_box(&output);
        })),
        _ => None,
    }
}

fn prepare(shape: &str, operation: &str, inputs: &'static [Input]) -> Option<Operation> {
    match shape {
        "ApiResponse" => prepare_for::<shapes::ApiResponse>(operation, inputs),
        "LogRecord" => prepare_for::<shapes::LogRecord>(operation, inputs),
        "AnalyticsEvent" => prepare_for::<shapes::AnalyticsEvent>(operation, inputs),
        "SparseRecord" => prepare_for::<shapes::SparseRecord>(operation, inputs),
        "MediaFrame" => prepare_for::<shapes::MediaFrame>(operation, inputs),
        "PackedTile" => prepare_for::<shapes::PackedTile>(operation, inputs),
        _ => None,
    }
}

fn main() {
    harness::run(prepare);
}
