//! From the vendored OpenAPI document to Rust: read → overlay → normalise → verify → write.
//!
//! `build.rs` runs this; the test suite includes the same files. Both have it as `crate::pipeline`.

pub mod client;
pub mod document;
pub mod emit;
pub mod handles;
pub mod normalise;
pub mod overlay;
pub mod problem;
pub mod verify;

use serde_json::Value;

use problem::Result;

/// A document that progenitor reads, and what was done to it.
pub struct Lowered {
    pub document: Value,
    /// How often each rule matched.
    pub rules: normalise::Report,
    /// How often each overlay action matched.
    pub overlay: Vec<overlay::Applied>,
}

/// Overlay → normalise → verify.
pub fn lower(mut document: Value, overlay: &Value) -> Result<Lowered> {
    // The overlay's paths are those of the vendored document, which has no prefix.
    normalise::strip_api_prefix(&mut document)?;
    let overlay = overlay::apply(&mut document, overlay)?;
    let rules = normalise::normalise(&mut document)?;
    verify::verify(&document)?;
    Ok(Lowered {
        document,
        rules,
        overlay,
    })
}

/// The files that the build writes: name and source text.
pub fn write(document: &Value, table: &handles::Table) -> Result<[(&'static str, String); 4]> {
    Ok([
        ("client.rs", client::client(document)?),
        ("types.rs", emit::types(document)?),
        ("table.rs", emit::table(document)?),
        ("handles.rs", handles::handles(document, table)?),
    ])
}
