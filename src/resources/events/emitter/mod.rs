//! `Emitter`: many events, in the background.

mod batch_sender;
mod builder;
#[allow(
    clippy::module_inception,
    reason = "the file holds the type that the module is named after"
)]
mod emitter;
mod emitters;
mod queue;
mod send_rate;

#[cfg(feature = "flows")]
pub(crate) use batch_sender::may_be_one_bad_event;
pub use builder::EmitterBuilder;
pub use emitter::Emitter;
pub use queue::{EmitterStats, FlushReport, OverflowPolicy};
