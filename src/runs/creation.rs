//! Creating runs of a deployment by the hundred: what is asked for, and what is made of the answers.

use std::collections::HashSet;
use std::iter;
use std::sync::OnceLock;
use std::sync::atomic::{AtomicBool, Ordering};

use uuid::Uuid;

use super::chunk::Chunk;
use crate::client::Client;
use crate::error::{Error, ErrorKind, Result};
use crate::query::Query;
use crate::types::{
    DeploymentFlowRunCreate, FlowRunCreateResult, FlowRunCreateResultStatus, FlowRunFilter,
    FlowRunFilterId, ReadFlowRunsRequest,
};

pub(super) const MANY: &str = "bulk_create_flow_runs_from_deployment";
const ONE: &str = "create_flow_run_from_deployment";

/// What the server says of a run that it could create another time: SQLite's words, SQLAlchemy's of what comes
/// after a failure in the same transaction, and PostgreSQL's.
const PASSING: [&str; 5] = [
    "database is locked",
    "closed transaction",
    "transaction has been rolled back",
    "transaction is aborted",
    "deadlock detected",
];

/// The creation of runs of a deployment.
pub(super) struct Creation<'a> {
    client: &'a Client,
    deployment: Uuid,
    /// The server has no operation for many.
    lacks_bulk: AtomicBool,
    /// Why no other run can be created, either.
    hopeless: OnceLock<Error>,
}

impl<'a> Creation<'a> {
    pub fn new(client: &'a Client, deployment: Uuid) -> Self {
        Self {
            client,
            deployment,
            lacks_bulk: AtomicBool::new(false),
            hopeless: OnceLock::new(),
        }
    }

    /// Creates runs, no more than the server takes at once; what came of each, in order.
    pub async fn create(&self, runs: Vec<DeploymentFlowRunCreate>) -> Vec<Result<Uuid>> {
        let mut chunk = Chunk::new(runs);
        let mut failures = 0;
        while !chunk.places.is_empty() {
            match self.ask(&chunk).await {
                Ok(results) => {
                    // What failed with a run that is not asked for again need not wait.
                    let refused = self.read(&mut chunk, results).await;
                    if refused || chunk.places.is_empty() {
                        continue;
                    }
                    failures += 1;
                    if !self.client.raw().transport().wait_after(failures).await {
                        break;
                    }
                }
                // One that is malformed is an error of all.
                Err(error) if error.is_unsupported() || error.is_validation() => {
                    self.one_by_one(&mut chunk).await;
                }
                Err(error) => {
                    for (place, _) in chunk.take() {
                        chunk.settle(place, Err(error.copy()));
                    }
                }
            }
        }
        chunk.items.into_iter().map(|item| item.outcome).collect()
    }

    /// Asks for all that is open.
    async fn ask(&self, chunk: &Chunk) -> Result<Vec<FlowRunCreateResult>> {
        if let Some(error) = self.hopeless.get() {
            return Err(unsent(error));
        }
        if self.lacks_bulk.load(Ordering::Relaxed) {
            let what = "this server creates runs one by one";
            return Err(Error::new(ErrorKind::Unsupported, what).of(MANY));
        }
        let raw = self.client.raw();
        let reply = raw.bulk_create_flow_runs_from_deployment(&self.deployment, &chunk.runs);
        match reply.await {
            Ok(reply) => Ok(reply.into_inner().results.unwrap_or_default()),
            Err(error) => {
                match error.is_unsupported() {
                    true => self.lacks_bulk.store(true, Ordering::Relaxed),
                    false => self.note(&error),
                }
                Err(error)
            }
        }
    }

    /// Takes down what the server says of each run; whether it has refused some for good.
    async fn read(&self, chunk: &mut Chunk, results: Vec<FlowRunCreateResult>) -> bool {
        let is_created =
            |result: &FlowRunCreateResult| result.status == FlowRunCreateResultStatus::Created;
        let all_created = results.len() >= chunk.runs.len() && results.iter().all(is_created);
        let silence = iter::repeat_with(|| Said::NotNow("the server says nothing of it".into()));
        let said = results.into_iter().map(Said::read).chain(silence);
        let said: Vec<_> = said.take(chunk.runs.len()).collect();
        // What was created before another failed may have been rolled back with it since.
        let there = match all_created {
            true => None,
            false => Some(self.there(&said).await),
        };
        let mut refused = false;
        for ((place, run), said) in chunk.take().into_iter().zip(said) {
            let why = match (said, &there) {
                (Said::Created(id), Some(Ok(there))) if !there.contains(&id) => {
                    let why =
                        "the server has created and removed it: another of its request failed";
                    why.to_owned()
                }
                (Said::Created(_), Some(Err(error))) => {
                    chunk.items[place].unclear = true;
                    format!("it may be there: {}", error.message())
                }
                (Said::Created(id), _) => {
                    chunk.settle(place, Ok(id));
                    continue;
                }
                (Said::Refused(why), _) => {
                    refused = true;
                    let error = Error::new(ErrorKind::Validation, why);
                    chunk.settle(place, Err(error.of(MANY)));
                    continue;
                }
                (Said::NotNow(why), _) => why,
            };
            let error = Error::new(ErrorKind::Server, why).of(MANY);
            chunk.settle(place, Err(error.judged(false, true)));
            chunk.places.push(place);
            chunk.runs.push(run);
        }
        refused
    }

    /// Which runs are there, of those that were created.
    async fn there(&self, said: &[Said]) -> Result<HashSet<Uuid>> {
        let ids = said.iter().filter_map(|said| match said {
            Said::Created(id) => Some(*id),
            _ => None,
        });
        let ids: Vec<_> = ids.collect();
        let count = ids.len();
        if count == 0 {
            return Ok(HashSet::new());
        }
        let filter = FlowRunFilter::new().id(FlowRunFilterId::new().any_(ids));
        let list = ReadFlowRunsRequest::new().flow_runs(filter);
        let runs = Query::new(self.client, (), list).at_most(count).await?;
        Ok(runs.into_iter().map(|run| run.id).collect())
    }

    async fn one_by_one(&self, chunk: &mut Chunk) {
        for (place, run) in chunk.take() {
            let created = match self.hopeless.get() {
                Some(error) => Err(unsent(error)),
                None => self.create_one(&run).await,
            };
            chunk.settle(place, created);
        }
    }

    async fn create_one(&self, run: &DeploymentFlowRunCreate) -> Result<Uuid> {
        let raw = self.client.raw();
        let created = raw.create_flow_run_from_deployment(&self.deployment, run);
        match created.await {
            Ok(run) => Ok(run.into_inner().id),
            // What the server, of many, says of each.
            Err(error) if matches!(error.status().map(|it| it.as_u16()), Some(400 | 409)) => {
                let refused = Error::new(ErrorKind::Validation, error.message());
                Err(refused.of(ONE).caused_by(error))
            }
            Err(error) => {
                self.note(&error);
                Err(error)
            }
        }
    }

    /// Gives up the others as well, when none of them would fare better.
    fn note(&self, error: &Error) {
        let is_hopeless = match error.kind() {
            // None was made: who gets no reply may have better luck with the next.
            ErrorKind::Connection => !error.may_have_happened(),
            kind => matches!(
                kind,
                ErrorKind::Configuration
                    | ErrorKind::IncompatibleServer
                    | ErrorKind::Unauthorized
                    | ErrorKind::Forbidden
                    | ErrorKind::NotFound
                    | ErrorKind::Unsupported
            ),
        };
        if is_hopeless {
            // If another was faster, its error is as good.
            let _ = self.hopeless.set(error.copy());
        }
    }
}

/// The error of what was not sent for the sake of another's.
fn unsent(error: &Error) -> Error {
    let mut unsent = error.copy().judged(false, error.is_retryable());
    unsent.set_attempts(0);
    unsent
}

/// What the server says of a run.
enum Said {
    /// It is created, unless that was rolled back.
    Created(Uuid),
    /// It may be, if it is asked for again.
    NotNow(String),
    /// It cannot be.
    Refused(String),
}

impl Said {
    fn read(result: FlowRunCreateResult) -> Self {
        let why = result.error.as_deref();
        let why = why.unwrap_or("the server gives no reason");
        // Without the statement and its values, which SQLAlchemy adds.
        let why = why.split("[SQL:").next().unwrap_or_default();
        let why = why.split_whitespace().collect::<Vec<_>>().join(" ");
        let passes = PASSING.iter().any(|passing| why.contains(passing));
        match (result.status, *result.flow_run_id) {
            (FlowRunCreateResultStatus::Failed, _) if !passes => Self::Refused(why),
            (FlowRunCreateResultStatus::Failed, _) | (_, None) => Self::NotNow(why),
            (_, Some(id)) => Self::Created(id),
        }
    }
}
