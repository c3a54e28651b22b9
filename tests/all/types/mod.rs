//! The generated types.

mod fidelity;
mod updates;
