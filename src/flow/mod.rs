//! A Rust job as a flow run: states, retries, cancellation, heartbeats, tasks, artifacts and a result.
//!
//! A [`Flow`] is a name, an async function, and options such as retries. [`Client::attempt`](crate::Client::attempt)
//! runs it once as a flow run: as the one that a Prefect worker has handed over to this process, or as a new one.
//!
//! ```no_run
//! use prefect_sdk::flow::{BoxError, Flow, Outcome, Run};
//! use prefect_sdk::Client;
//!
//! #[derive(serde::Deserialize)]
//! struct Parameters {
//!     day: String,
//! }
//!
//! async fn etl(run: Run, parameters: Parameters) -> Result<usize, BoxError> {
//!     let day = parameters.day;
//!     let rows = run.task("extract").input("day", &day).run(|_| async { Ok::<_, BoxError>(vec![1, 2]) }).await?;
//!     run.task("load").input("rows", &rows).retries(3).run(|_| async { Ok::<_, BoxError>(()) }).await?;
//!     Ok(rows.len())
//! }
//!
//! #[tokio::main]
//! async fn main() -> prefect_sdk::Result<Outcome<usize>> {
//!     let client = Client::from_env()?;
//!     let flow = Flow::new("etl", etl).retries(2);
//!     client.attempt(&flow).parameters(serde_json::json!({ "day": "2026-11-26" })).await
//! }
//! ```
//!
//! The states, and everything that must go on while the function computes or blocks, are reported by the client's own
//! thread; the function itself runs where the attempt is awaited.

mod assignment;
mod attempt;
mod attempts;
mod begin;
mod body;
mod child_run;
mod conclude;
mod context;
mod control_channel;
mod deployment_lease;
mod emit;
#[allow(
    clippy::module_inception,
    reason = "the file holds the type that the module is named after"
)]
mod flow;
mod handover;
mod heartbeat;
mod life;
mod obtain;
mod outcome;
mod pause;
mod phase;
mod progress;
mod proposer;
mod run;
mod run_events;
mod served;
mod settle;
mod signals;
mod states;
mod stop;
mod subflow;
mod supervisor;
mod task;
mod waits;
mod watcher;

pub use attempt::Attempt;
pub use child_run::ChildRun;
pub use flow::{BoxError, Flow};
pub use outcome::{Ending, Outcome};
pub use pause::Pause;
pub use progress::Progress;
pub use run::Run;
pub(crate) use served::{Order, ServedRun};
pub(crate) use signals::watch as watch_signals;
pub use stop::StopReason;
pub(crate) use stop::StopSignal;
pub use subflow::Subflow;
pub use task::{Output, Task, TaskBuilder, TaskError, TaskInput};
