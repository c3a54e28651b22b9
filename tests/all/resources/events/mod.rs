//! Emitting events, and subscribing to them.

mod emitter;
pub mod subscription;
