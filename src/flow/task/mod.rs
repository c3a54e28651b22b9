//! Tasks: parts of a run that it reports as task runs, by events.

mod builder;
mod delivery;
mod error;
mod execution;
mod input;
mod options;
mod output;
mod record;
mod reporter;
#[allow(
    clippy::module_inception,
    reason = "the file holds the type that the module is named after"
)]
mod task;

pub use builder::TaskBuilder;
pub use error::TaskError;
pub use input::TaskInput;
pub use output::Output;
pub(super) use output::OutputOf;
pub(super) use reporter::Reporter;
pub use task::Task;
