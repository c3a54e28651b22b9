//! What maintainers run, and the generator in `codegen/` for its tests.

#![allow(
    missing_docs,
    reason = "a part of the workspace only; in the build script, the same files are private"
)]

pub mod api;
pub mod build_cost;
pub mod check;
#[path = "../../codegen/mod.rs"]
pub mod codegen;
mod imports;
pub mod licences;
mod links;
mod modules;
pub mod package;
pub mod release;
pub mod structure;
pub mod update;

use std::path::PathBuf;

/// The folder of the workspace.
pub fn root() -> PathBuf {
    PathBuf::from(concat!(env!("CARGO_MANIFEST_DIR"), "/.."))
}
