//! The benchmarks are in the folders beside this file: `cargo bench -p prefect-sdk-benches`.
