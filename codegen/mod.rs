//! From the vendored OpenAPI document to Rust: read → overlay → normalise → nulls → verify → write.
//!
//! `build.rs` runs this; `xtask` includes the same files. Both have it as `crate::codegen`.

pub mod client;
pub mod document;
pub mod emit;
pub mod names;
pub mod normalise;
pub mod nulls;
pub mod overlay;
pub mod problem;
pub mod resources;
pub mod tables;
pub mod verify;

use serde_json::Value;

use problem::Result;
use tables::Tables;

/// A document that progenitor can read, and how often each change to it matched.
pub struct Lowered {
    pub document: Value,
    /// How often each rule matched.
    pub rules: normalise::Report,
    /// How often each overlay action matched.
    pub overlay: Vec<overlay::Applied>,
    /// How the pinned names of inline types and the document differ.
    pub names: names::Unmatched,
    /// How the table of nulls and the document differ.
    pub nulls: nulls::Unmatched,
    /// Query parameters that callers cannot set.
    pub dropped: Vec<String>,
}

/// Overlay → normalise → nulls → verify.
pub fn lower(mut document: Value, tables: &Tables) -> Result<Lowered> {
    document::check(&document)?;
    // The overlay's paths are those of the vendored document, which has no prefix.
    normalise::strip_api_prefix(&mut document)?;
    let overlay = overlay::apply(&mut document, &tables.overlay)?;
    let (rules, names) = normalise::normalise(&mut document, &tables.names)?;
    let dropped = normalise::drop_beside_body(&mut document)?;
    let nulls = nulls::apply(&mut document, &tables.nulls)?;
    verify::verify(&document)?;
    Ok(Lowered {
        document,
        rules,
        overlay,
        names,
        nulls,
        dropped,
    })
}

/// The files that the build writes: name and source text.
pub fn write(document: &Value, resources: &resources::Table) -> Result<Vec<(String, String)>> {
    let mut files = vec![
        ("client.rs".to_owned(), client::client(document)?),
        ("types.rs".to_owned(), emit::types(document)?),
        ("table.rs".to_owned(), emit::table(document)?),
        ("stored.rs".to_owned(), emit::stored(document)),
        ("operations.rs".to_owned(), emit::test_operations(document)?),
    ];
    for (module, text) in resources::modules(document, resources)? {
        files.push((format!("resources/{module}.rs"), text));
    }
    Ok(files)
}
