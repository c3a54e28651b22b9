//! Cassettes: exchanges with a real server, written down once and replayed in tests.

mod exchange;
mod labels;
mod recorder;
mod replay;
mod secrets;

pub(super) use recorder::Recorder;
pub(super) use replay::Replay;
