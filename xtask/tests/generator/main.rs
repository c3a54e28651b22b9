//! Tests of the generator in `codegen/`, and of `cargo xtask update`.

mod documents;
mod drift;
mod future;
mod nulls;
mod overlay;
mod rules;
mod verify;

use xtask::codegen;
