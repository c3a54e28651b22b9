//! Pausing and suspending a run from within, until somebody resumes it.

use std::collections::BTreeMap;
use std::fmt;
use std::future::IntoFuture;
use std::time::Duration;

use futures_core::future::BoxFuture;
use serde::de::DeserializeOwned;
use tokio::sync::oneshot;
use uuid::Uuid;

use super::run::Run;
use super::stop::StopReason;
use super::watcher::wait_through_outages;
use crate::client::Client;
use crate::error::{Error, ErrorKind, Result};
use crate::resources::flow_runs::ProposalOutcome;
use crate::types::{
    CreateFlowRunInputRequest, FlowRunResponse, Json, SetFlowRunStateRequest, StateCreate,
    StateDetails, StateType,
};

/// How long a pause lasts at most, if nothing else is said; as in Prefect's own client.
const DEFAULT_TIMEOUT: Duration = Duration::from_secs(300);

/// A pause of a run; `.await` begins it, and resolves when the run is resumed: see [`Run::pause`] and [`Run::suspend`].
///
/// The server lets each key pause a run once: if the run begins anew, a pause that is over is not made again. It counts
/// each resumption as an attempt, so a pause uses up one of the retries of the flow. A run can be suspended only if it is
/// one of a deployment, and no sub-flow.
///
/// # Errors
///
/// [`Conflict`](crate::ErrorKind::Conflict), with the server's reason, when the run cannot be paused;
/// [`RunFailed`](crate::ErrorKind::RunFailed) when it was not resumed in time;
/// [`Decode`](crate::ErrorKind::Decode) when the [input](Self::input) is of another type; or any
/// [call error](crate::Error#call-errors).
#[must_use = "nothing is paused unless it is awaited"]
pub struct Pause {
    run: Run,
    key: String,
    suspends: bool,
    timeout: Option<Duration>,
}

impl Run {
    /// Pauses the run until somebody resumes it: see [`Pause`].
    ///
    /// ```no_run
    /// # async fn example(run: prefect_sdk::flow::Run) -> prefect_sdk::Result<()> {
    /// run.pause("approval").await?;
    /// println!("somebody has resumed the run");
    /// # Ok(())
    /// # }
    /// ```
    pub fn pause(&self, key: impl Into<String>) -> Pause {
        Pause::new(self.clone(), key.into(), false)
    }

    /// Suspends the run until somebody resumes it: the function is dropped, the process may end, and the function is
    /// called anew, from its beginning, when the run is resumed; then this returns at once. See [`Pause`].
    ///
    /// ```no_run
    /// # async fn example(run: prefect_sdk::flow::Run) -> prefect_sdk::Result<()> {
    /// run.suspend("approval").await?;
    /// println!("somebody has resumed the run");
    /// # Ok(())
    /// # }
    /// ```
    pub fn suspend(&self, key: impl Into<String>) -> Pause {
        Pause::new(self.clone(), key.into(), true)
    }
}

impl Pause {
    fn new(run: Run, key: String, suspends: bool) -> Self {
        Self {
            run,
            key,
            suspends,
            timeout: (!suspends).then_some(DEFAULT_TIMEOUT),
        }
    }

    /// Sets how long the run may be paused: after that, by the server's clock, it is FAILED. Default: 300 s for a pause,
    /// and no limit for a suspension.
    pub fn timeout(mut self, timeout: Duration) -> Self {
        self.timeout = Some(timeout);
        self
    }

    /// Asks whoever resumes the run for a value, of which the UI shows a form made from this JSON schema. `.await`
    /// returns the value.
    ///
    /// ```no_run
    /// # async fn example(run: prefect_sdk::flow::Run) -> prefect_sdk::Result<()> {
    /// use serde_json::json;
    ///
    /// #[derive(serde::Deserialize)]
    /// struct Approval {
    ///     approved: bool,
    /// }
    ///
    /// let schema = json!({
    ///     "type": "object",
    ///     "properties": { "approved": { "type": "boolean", "title": "Approved?" } },
    ///     "required": ["approved"],
    /// });
    /// let approval: Approval = run.pause("approval").input(schema).await?;
    /// println!("approved: {}", approval.approved);
    /// # Ok(())
    /// # }
    /// ```
    pub async fn input<T: DeserializeOwned>(self, schema: impl Into<Json>) -> Result<T> {
        let (run, keys) = (self.run.clone(), InputKeys::new(&self.key));
        let form = Form {
            keys: keys.clone(),
            schema: schema.into(),
        };
        self.pause(Some(form)).await?;
        let inputs = run.client().flow_runs().inputs(run.id());
        let value = inputs.get(&keys.response).await?;
        serde_json::from_str(&value).map_err(|error| {
            let what = "the input with which the run was resumed is of another type";
            Error::new(ErrorKind::Decode, what).with_source(error)
        })
    }

    async fn pause(self, form: Option<Form>) -> Result<()> {
        let Self {
            run,
            key,
            suspends,
            timeout,
        } = self;
        let mut details = StateDetails::new()
            .pause_key(key)
            .pause_reschedule(suspends);
        if let Some(timeout) = timeout {
            let flow_runs = run.client().flow_runs();
            let until = flow_runs.after(timeout, "a pause cannot last so long");
            details = details.pause_timeout(until.await?);
        }
        if let Some(Form { keys, .. }) = &form {
            let keys = [("schema", &keys.schema), ("response", &keys.response)];
            let keys = keys.map(|(name, key)| (name.to_owned(), key.clone()));
            details = details.run_input_keyset(BTreeMap::from(keys));
        }
        let name = if suspends { "Suspended" } else { "Paused" };
        let state = StateCreate::new(StateType::Paused)
            .name(name)
            .state_details(details);
        let outcome = propose(&run, state, form).await?;
        let reason = match outcome {
            ProposalOutcome::Accepted(_) => {
                if suspends {
                    run.request_stop(StopReason::Suspended);
                    return std::future::pending().await;
                }
                return resumed(&run).await;
            }
            // It has been resumed before: this is the run begun anew.
            ProposalOutcome::Rejected { state, .. }
                if state
                    .as_ref()
                    .is_some_and(|it| it.type_ == StateType::Running) =>
            {
                return Ok(());
            }
            other => other.reason().to_owned(),
        };
        Err(Error::new(
            ErrorKind::Conflict,
            format!("the run is not paused: {reason}"),
        ))
    }
}

/// Proposes the pause, and publishes its form. It is done by the client's own thread: a function that is suspended is
/// dropped at once.
async fn propose(run: &Run, state: StateCreate, form: Option<Form>) -> Result<ProposalOutcome> {
    let (id, client) = (run.id(), run.client().in_background()?);
    let (reply, replied) = oneshot::channel();
    let unsent = run.unsent();
    run.background().spawn(async move {
        let proposal = SetFlowRunStateRequest::new(state);
        let proposed = async {
            let outcome = client.flow_runs().set_state(id, &proposal).await?.outcome();
            if let Some(form) = form.filter(|_| outcome.is_accepted()) {
                // Only now: a pause deletes what its keys had before.
                form.publish(&client, id).await?;
            }
            Ok(outcome)
        };
        // If this fails, the function was dropped.
        let _ = reply.send(proposed.await);
        drop(unsent);
    });
    let ended = |_| Error::hook_panicked("the pause is not made");
    replied.await.map_err(ended)?
}

/// Waits until a paused run is resumed.
async fn resumed(run: &Run) -> Result<()> {
    let is_over = |run: &FlowRunResponse| run.state_type.as_ref() != Some(&StateType::Paused);
    let wait = || run.client().flow_runs().wait(run.id()).until(is_over);
    let resumed = wait_through_outages(run.client(), wait).await?;
    match resumed.state_type.as_ref() {
        Some(StateType::Running) => Ok(()),
        // The supervisor sees it, too, and ends the function.
        Some(StateType::Cancelling | StateType::Cancelled) => std::future::pending().await,
        _ => {
            let state = resumed.state.as_ref();
            let message = state.and_then(|state| state.message.as_deref());
            let name = resumed.state_name.as_deref().unwrap_or("in no state");
            let what = format!(
                "the run was not resumed: it is {name}: {}",
                message.unwrap_or("")
            );
            Err(Error::new(ErrorKind::RunFailed, what))
        }
    }
}

/// What whoever resumes a run is asked for.
struct Form {
    keys: InputKeys,
    schema: Json,
}

impl Form {
    async fn publish(&self, client: &Client, run: Uuid) -> Result<()> {
        let schema = CreateFlowRunInputRequest::new(self.keys.schema.clone(), self.schema.as_str());
        client.flow_runs().inputs(run).create(&schema).await
    }
}

/// The keys under which what is asked for, and the answer, are stored.
#[derive(Clone)]
struct InputKeys {
    schema: String,
    response: String,
}

impl InputKeys {
    fn new(key: &str) -> Self {
        // Keys have no other characters; one that is made from a text is always the same.
        let is_plain = |c: char| c.is_ascii_alphanumeric() || c == '-' || c == '_';
        let key = match !key.is_empty() && key.chars().all(is_plain) {
            true => key.to_owned(),
            false => format!("pause-{:x}", hash(key)),
        };
        Self {
            schema: format!("{key}-schema"),
            response: format!("{key}-response"),
        }
    }
}

/// FNV-1a, which is the same in every process.
fn hash(text: &str) -> u64 {
    text.bytes().fold(0xcbf2_9ce4_8422_2325, |hash, byte| {
        (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3)
    })
}

impl IntoFuture for Pause {
    type Output = Result<()>;
    type IntoFuture = BoxFuture<'static, Result<()>>;

    #[inline]
    fn into_future(self) -> Self::IntoFuture {
        Box::pin(self.pause(None))
    }
}

impl fmt::Debug for Pause {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Pause")
            .field("run", &self.run.id())
            .field("key", &self.key)
            .field("suspends", &self.suspends)
            .field("timeout", &self.timeout)
            .finish()
    }
}
