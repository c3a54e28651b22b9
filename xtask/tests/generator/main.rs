//! Tests of the generator in `codegen/`, whose files are included as they are.

#[path = "../../../codegen/mod.rs"]
mod codegen;
mod documents;
mod nulls;
mod overlay;
mod refresh;
mod rules;
mod verify;
