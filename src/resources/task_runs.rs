//! `TaskRuns`: each time that a task ran, runs or will run.
//!
//! ```no_run
//! # async fn example(client: prefect_sdk::Client) -> prefect_sdk::Result<()> {
//! use prefect_sdk::types::StateType;
//!
//! let crashed = client.task_runs().count().state(StateType::Crashed).await?;
//! println!("{crashed} task runs have crashed");
//! # Ok(())
//! # }
//! ```

generated!("task_runs");

pub use generated::TaskRuns;
