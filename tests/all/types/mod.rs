//! The generated types.

mod fidelity;
mod twins;
mod updates;
