//! Emitting events, and subscribing to them.

mod emitter;
mod subscription;
