//! Judges the types by recorded traffic: what a server sent, and what it accepted, decodes and
//! encodes back to the same JSON.
//!
//! `PREFECT_WIRE_CORPUS` and `PREFECT_WIRE_INSTANCES` name other recordings of the same form
//! (`.jsonl` or `.jsonl.gz`). By default those of `../shared/corpus/` are judged, where they are,
//! and always the small sample beside this file.

mod compare;
mod exchanges;
mod instances;
mod recording;
mod table;
