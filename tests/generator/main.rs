//! Tests of the generator in `build/`, whose files are included as they are.

mod documents;
mod overlay;
#[path = "../../build/mod.rs"]
mod pipeline;
mod refresh;
mod rules;
mod verify;
