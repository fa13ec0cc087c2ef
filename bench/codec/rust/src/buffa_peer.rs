//! buffa: decode makes owned messages, decode-view views of the input.

mod harness;

#[allow(clippy::all, dead_code, non_camel_case_types, unused_imports)]
mod generated {
    include!(concat!(env!("OUT_DIR"), "/buffa.rs"));
}

use buffa::{HasMessageView, Message};
use generated::bench::codec as shapes;
use harness::{Input, Operation};
use std::hint::black_box;

fn prepare_for<M>(operation: &str, inputs: &'static [Input]) -> Option<Operation>
where
    M: Message + HasMessageView + serde::Serialize + serde::de::DeserializeOwned + 'static,
{
    let held: Vec<M> = inputs.iter().map(|input| M::decode_from_slice(&input.pb).unwrap()).collect();
    for (message, input) in held.iter().zip(inputs) {
        assert_eq!(message.encode_to_vec().len(), input.pb.len());
        let from_json: M = serde_json::from_slice(&input.json).unwrap();
        assert_eq!(from_json.encode_to_vec().len(), input.pb.len());
    }
    let mut output = Vec::with_capacity(4 << 20);
    match operation {
        "decode" => Some(Box::new(move |i| {
            black_box(M::decode_from_slice(&inputs[i].pb).unwrap());
        })),
        "decode-view" => Some(Box::new(move |i| {
            black_box(M::decode_view(&inputs[i].pb).unwrap());
        })),
        "encode" => Some(Box::new(move |i| {
            output.clear();
            held[i].encode(&mut output);
            black_box(&output);
        })),
        "json-decode" => Some(Box::new(move |i| {
            black_box(serde_json::from_slice::<M>(&inputs[i].json).unwrap());
        })),
        "json-encode" => Some(Box::new(move |i| {
            output.clear();
            serde_json::to_writer(&mut output, &held[i]).unwrap();
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
