//! Decoding a page of 200 flow runs: the SDK's types against hand-written serde structs.
//!
//! `cargo bench -p prefect-sdk-benches --bench decode`. The page is a real one, of 478 kB. The floor is what a careful
//! program would write by hand: derived structs with all fields, UUIDs and date-times, and labels
//! as an untagged enum; once with `serde_json::Value` for free JSON, which loses what 64 bits cannot
//! hold, and once with the raw text, which does not.

mod floor;

use std::hint::black_box;
use std::io::Read as _;

use criterion::{Criterion, Throughput, criterion_group, criterion_main};
use serde_json::Value;
use serde_json::value::RawValue;

fn page() -> Vec<u8> {
    let packed = include_bytes!("flow_runs_page.json.gz");
    let mut page = Vec::new();
    flate2::read::GzDecoder::new(&packed[..])
        .read_to_end(&mut page)
        .expect("gzipped");
    page
}

fn decode(criterion: &mut Criterion) {
    let page = page();
    let mut group = criterion.benchmark_group("200 flow runs");
    group.throughput(Throughput::Bytes(page.len() as u64));
    group.bench_function("prefect_sdk", |bencher| {
        bencher.iter(|| {
            let runs: Vec<prefect_sdk::types::FlowRunResponse> =
                serde_json::from_slice(black_box(&page)).expect("decodes");
            runs
        });
    });
    group.bench_function("by hand, free JSON as Value", |bencher| {
        bencher.iter(|| {
            let runs: Vec<floor::FlowRunResponse<Value>> =
                serde_json::from_slice(black_box(&page)).expect("decodes");
            runs
        });
    });
    group.bench_function("by hand, free JSON as text", |bencher| {
        bencher.iter(|| {
            let runs: Vec<floor::FlowRunResponse<Box<RawValue>>> =
                serde_json::from_slice(black_box(&page)).expect("decodes");
            runs
        });
    });
    group.finish();
}

criterion_group!(benches, decode);
criterion_main!(benches);
