//! `Attempt`: runs a flow once, as a flow run.

use std::fmt;
use std::future::IntoFuture;
use std::panic::AssertUnwindSafe;
use std::sync::Arc;

use futures_core::future::BoxFuture;
use serde::Serialize;
use serde::de::DeserializeOwned;
use tokio::sync::mpsc;
use tracing::Instrument as _;
use uuid::Uuid;

use super::assignment::{Assignment, Command};
use super::attempts::Attempts;
use super::body;
use super::flow::{BoxError, Flow};
use super::handover::Handover;
use super::obtain::NewRun;
use super::outcome::Outcome;
use super::run::Run;
use super::served::ServedRun;
use super::states::{self, BodyEnd};
use crate::client::{Background, Client};
use crate::error::{Error, Result};
use crate::types::Json;

/// An attempt at a flow run; `.await` makes it. See [`Client::attempt`].
#[must_use = "nothing is run unless it is awaited"]
pub struct Attempt<P, T> {
    client: Client,
    flow: Flow<P, T>,
    run_id: Option<Uuid>,
    new_run: NewRun,
    is_new: bool,
    catches_signals: bool,
    parent: Option<Run>,
    served: Option<ServedRun>,
}

impl Client {
    /// Runs a flow once, as a flow run: as the one that a Prefect worker has handed over to this process
    /// (`PREFECT__FLOW_RUN_ID`), and otherwise as a new one.
    ///
    /// 1. A new run is created in the state PENDING: `POST /flows/`, `POST /flow_runs/`. One that was handed over is read:
    ///    `GET /flow_runs/{id}`. If it is CANCELLING it becomes CANCELLED; if it is COMPLETED, CANCELLED or paused, nothing is
    ///    run; if it is SCHEDULED, it is claimed first, which takes the slot of its deployment.
    /// 2. The parameters are read. If they are not those of the flow, the run is FAILED. `PATCH /flow_runs/{id}` sets
    ///    what the run lacks: retries, the version, the name, and the id of this process.
    /// 3. The run becomes RUNNING, as soon as the server permits it, and the function is run: each time that the run is
    ///    to be tried again, too, after its delay.
    /// 4. Events and log lines are sent, and the run becomes COMPLETED, with what the function has returned as its result
    ///    (JSON, which `state.result()` returns in Python); FAILED if it has returned an error, has panicked, or its timeout is
    ///    over; CANCELLED if it was cancelled; CRASHED if the process was asked to end, if the slot of the deployment is lost,
    ///    or if this future was dropped (then [`Client::shutdown`] waits until that is reported). States:
    ///    `POST /flow_runs/{id}/set_state`.
    ///
    /// Meanwhile heartbeats are sent (`POST /events`), and the run is watched by events and a poll every 10 s: if it is
    /// cancelled or suspended, the function is told by [`Run::cancelled`], and dropped. So it is after SIGTERM and Ctrl-C,
    /// whose own effect a process loses with its first attempt. All this is done by the client's own thread, also while the
    /// function computes without an await; but such a function cannot be dropped.
    ///
    /// While the server is out of reach, a state is reported again for up to ten minutes; one whose reply was lost is not
    /// reported twice. A result of more than 1,000,000 bytes is not stored.
    ///
    /// # Errors
    ///
    /// [`InvalidRequest`](crate::ErrorKind::InvalidRequest) for options of the flow that cannot be meant,
    /// [`Configuration`](crate::ErrorKind::Configuration) for a `PREFECT__FLOW_RUN_ID` that is no id,
    /// [`NotFound`](crate::ErrorKind::NotFound) when there is no such run, or any
    /// [call error](crate::Error#call-errors) before the run has begun. From then on whatever happens is in the [`Outcome`].
    ///
    /// ```no_run
    /// # async fn example(client: prefect_sdk::Client) -> prefect_sdk::Result<()> {
    /// use prefect_sdk::flow::{BoxError, Flow, Run};
    ///
    /// let flow = Flow::new("greet", |run: Run, _: ()| async move {
    ///     Ok::<_, BoxError>(format!("Hello from {}", run.name()))
    /// });
    /// let outcome = client.attempt(&flow).await?;
    /// println!("{} {:?}", outcome.ending(), outcome.value());
    /// # Ok(())
    /// # }
    /// ```
    pub fn attempt<P, T>(&self, flow: &Flow<P, T>) -> Attempt<P, T> {
        Attempt {
            client: self.clone(),
            flow: flow.clone(),
            run_id: None,
            new_run: NewRun::default(),
            is_new: false,
            catches_signals: true,
            parent: None,
            served: None,
        }
    }
}

impl<P, T> Attempt<P, T> {
    /// Sets the parameters of a new run: an object. One that was handed over has its own.
    pub fn parameters(mut self, parameters: impl Into<Json>) -> Self {
        self.new_run.parameters = Some(parameters.into());
        self
    }

    /// Sets the name of a new run. Default: that of [`Flow::run_name`], or two words that the server chooses.
    pub fn name(mut self, name: impl Into<String>) -> Self {
        self.new_run.name = Some(name.into());
        self
    }

    /// Takes this run, whatever the environment says.
    pub fn run_id(mut self, id: Uuid) -> Self {
        self.run_id = Some(id);
        self
    }

    /// Makes a new run, whatever the environment says.
    pub fn new_run(mut self) -> Self {
        self.is_new = true;
        self
    }

    /// Leaves SIGTERM and Ctrl-C alone. Default: they end the run.
    pub fn without_signals(mut self) -> Self {
        self.catches_signals = false;
        self
    }

    /// Makes the run a sub-flow of the run that this ends with.
    pub(super) fn below(mut self, parent: Run, task_run: Uuid) -> Self {
        self.parent = Some(parent);
        self.new_run.parent_task_run_id = Some(task_run);
        self.new_run().without_signals()
    }

    /// Takes a run of a deployment that this process serves.
    pub(crate) fn serving(mut self, served: ServedRun) -> Self {
        self.run_id = Some(served.run.id);
        self.served = Some(served);
        self.without_signals()
    }
}

impl<P, T> Attempt<P, T>
where
    P: DeserializeOwned + Send + 'static,
    T: Serialize + Send + 'static,
{
    /// What the environment says of the run, and its id; none for a new run.
    fn run_of(&self) -> Result<(Handover, Option<Uuid>)> {
        let handover = Handover::from_env()?;
        let wanted = self.run_id.or(handover.run_id.filter(|_| !self.is_new));
        // What a supervisor says of one run is for the first attempt at that run alone.
        let is_handed = wanted.is_some() && wanted == handover.run_id;
        match is_handed && Handover::take() {
            true => Ok((handover, wanted)),
            false => Ok((handover.of_no_run(), self.run_id)),
        }
    }

    async fn make(self) -> Result<Outcome<T>> {
        let flow = self.flow.clone();
        flow.options().check(flow.name())?;
        let attempts = self.client.service::<Attempts>()?;
        let (handover, run_id) = match (&self.parent, &self.served) {
            (None, None) => self.run_of()?,
            _ => (Handover::default(), self.run_id),
        };
        let (commands, mut received) = mpsc::unbounded_channel();
        let (ends, ended) = mpsc::unbounded_channel();
        let background = self.client.service::<Background>()?;
        let assignment = Assignment {
            client: self.client.in_background()?,
            background: Arc::clone(&background),
            flow: flow.name().into(),
            options: flow.options().clone(),
            run_id,
            new_run: self.new_run,
            handover,
            catches_signals: self.catches_signals,
            served: self.served,
            reported: self.parent.as_ref().map(Run::unsent),
            parent: self.parent.map(|run| Arc::clone(run.stop())),
            commands,
            ends: ended,
            under_way: attempts.begin(),
            caller: self.client,
        };
        background.spawn(assignment.supervise());
        let (mut last, mut parameters) = (None, None);
        while let Some(command) = received.recv().await {
            match command {
                Command::Decode(json, reply) => {
                    let decoded = catch_panic(|| {
                        let parameters = decode::<P>(&json)?;
                        let name = flow.name_of(&parameters);
                        Ok((parameters, name))
                    });
                    let name = match decoded {
                        Ok((decoded, name)) => {
                            parameters = Some(decoded);
                            Ok(name)
                        }
                        Err(error) => Err(error),
                    };
                    // If this fails, the supervisor has ended, which is noticed next.
                    let _ = reply.send(name);
                }
                Command::Begin(number, run) => {
                    let decoded = match parameters.take() {
                        Some(parameters) => Ok(parameters),
                        None => decode(run.parameters()),
                    };
                    let (end, result) = run_body(&flow, run, decoded).await;
                    last = result;
                    let _ = ends.send((number, end));
                }
                Command::Ended(ended) => {
                    let ended = ended?;
                    let (value, error) = match last {
                        Some(Ok(value)) => (Some(value), None),
                        Some(Err(error)) => (None, Some(error)),
                        None => (None, None),
                    };
                    return Ok(Outcome {
                        run_id: ended.run_id,
                        ending: ended.ending,
                        state: ended.state,
                        value,
                        error,
                        signal: ended.signal,
                    });
                }
            }
        }
        Err(Error::hook_panicked("the flow run is left as it is"))
    }
}

/// Runs the function, and tells what the server is to know of its end.
async fn run_body<P, T: Serialize>(
    flow: &Flow<P, T>,
    run: Run,
    parameters: std::result::Result<P, String>,
) -> (BodyEnd, Option<std::result::Result<T, BoxError>>) {
    let (stop, span, ids) = (run.stop().clone(), run.span().clone(), run.log_ids());
    let function = async {
        let parameters = parameters?;
        let value = flow.call(run, parameters).await?;
        let json = Json::new(&value).map_err(|error| error.to_string());
        Ok((value, json))
    };
    let function = body::log_scope(ids, function).instrument(span);
    match body::run(function, &stop).await {
        Some(Ok((value, json))) => (BodyEnd::Returned(json), Some(Ok(value))),
        Some(Err(error)) => (BodyEnd::Failed(states::chain(&*error)), Some(Err(error))),
        None => (BodyEnd::Dropped, None),
    }
}

/// What code of the program's returns, or its panic as a text.
fn catch_panic<T>(
    code: impl FnOnce() -> std::result::Result<T, String>,
) -> std::result::Result<T, String> {
    let caught = std::panic::catch_unwind(AssertUnwindSafe(code));
    caught.unwrap_or_else(|panic| Err(format!("panicked: {}", body::message(&*panic))))
}

/// Reads the parameters of a flow.
fn decode<P: DeserializeOwned>(json: &Json) -> std::result::Result<P, String> {
    let mut reader = serde_json::Deserializer::from_str(json.as_str());
    let wrong = match serde_path_to_error::deserialize(&mut reader) {
        Ok(parameters) => return Ok(parameters),
        Err(wrong) => wrong,
    };
    // A flow without parameters takes `()`, which is null in JSON.
    if json.as_str() == "{}"
        && let Ok(nothing) = Json::null().parse()
    {
        return Ok(nothing);
    }
    let path = wrong.path().to_string();
    Err(match path.as_str() {
        "." => wrong.into_inner().to_string(),
        _ => format!("{path}: {}", wrong.into_inner()),
    })
}

impl<P, T> IntoFuture for Attempt<P, T>
where
    P: DeserializeOwned + Send + 'static,
    T: Serialize + Send + 'static,
{
    type Output = Result<Outcome<T>>;
    type IntoFuture = BoxFuture<'static, Self::Output>;

    fn into_future(self) -> Self::IntoFuture {
        Box::pin(self.make())
    }
}

impl<P, T> fmt::Debug for Attempt<P, T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Attempt")
            .field("flow", &self.flow)
            .field("run_id", &self.run_id)
            .field("is_new", &self.is_new)
            .finish_non_exhaustive()
    }
}
