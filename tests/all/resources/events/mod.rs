//! Emitting events, and subscribing to them.

mod emitter;
mod stored;
pub mod subscription;
