//! Tests the types with recorded traffic: what a server sent, and what it accepted, decodes and encodes
//! back to the same JSON.
//!
//! `PREFECT_WIRE_CORPUS` and `PREFECT_WIRE_INSTANCES` name other recordings of the same form (`.jsonl` or
//! `.jsonl.gz`). By default the small sample beside this file is tested, and the recordings in
//! `../shared/corpus/` if they exist.

mod compare;
mod exchanges;
mod instances;
mod json_text;
mod judge;
mod mutations;
mod recording;
mod table;
