//! Creating runs of a deployment in bulk: which requests are sent, and how their replies are read.

use std::collections::HashSet;
use std::iter;
use std::sync::OnceLock;
use std::sync::atomic::{AtomicBool, Ordering};

use uuid::Uuid;

use super::chunk::{BULK_OPERATION, Chunk};
use crate::client::Client;
use crate::error::{Error, ErrorKind, Result};
use crate::query::Query;
use crate::types::{
    DeploymentFlowRunCreate, FlowRunCreateResult, FlowRunCreateResultStatus, FlowRunFilter,
    FlowRunFilterId, ReadFlowRunsRequest,
};

const SINGLE_OPERATION: &str = "create_flow_run_from_deployment";

/// Parts of the server's error messages for a run that it may be able to create later: from SQLite, from
/// SQLAlchemy (for what follows a failure in the same transaction), and from PostgreSQL.
const TRANSIENT_DATABASE_ERRORS: [&str; 5] = [
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
    /// Whether the server lacks the bulk operation.
    lacks_bulk: AtomicBool,
    /// The error for which no other run can be created, either.
    permanent_failure: OnceLock<Error>,
}

impl<'a> Creation<'a> {
    pub(super) fn new(client: &'a Client, deployment: Uuid) -> Self {
        Self {
            client,
            deployment,
            lacks_bulk: AtomicBool::new(false),
            permanent_failure: OnceLock::new(),
        }
    }

    /// Creates runs, at most as many as the server accepts at once. Returns the outcome of each, in order.
    pub(super) async fn create(&self, runs: Vec<DeploymentFlowRunCreate>) -> Vec<Result<Uuid>> {
        let mut chunk = Chunk::new(runs);
        let mut failures = 0;
        while !chunk.positions.is_empty() {
            match self.request_pending(&chunk).await {
                Ok(results) => {
                    // Runs that failed together with a refused one are retried without a pause.
                    let refused = self.read(&mut chunk, results).await;
                    if refused || chunk.positions.is_empty() {
                        continue;
                    }
                    failures += 1;
                    if !self.client.raw().channel().wait_after(failures).await {
                        break;
                    }
                }
                // One malformed run fails the whole request.
                Err(error) if error.is_unsupported() || error.is_validation() => {
                    self.one_by_one(&mut chunk).await;
                }
                Err(error) => {
                    for (position, _) in chunk.take() {
                        chunk.settle(position, Err(error.copy()));
                    }
                }
            }
        }
        chunk.items.into_iter().map(|item| item.outcome).collect()
    }

    /// Requests all runs that are still to be created.
    async fn request_pending(&self, chunk: &Chunk) -> Result<Vec<FlowRunCreateResult>> {
        if let Some(error) = self.permanent_failure.get() {
            return Err(unsent(error));
        }
        if self.lacks_bulk.load(Ordering::Relaxed) {
            let what = "this server cannot create runs in bulk";
            return Err(Error::new(ErrorKind::Unsupported, what).with_operation(BULK_OPERATION));
        }
        let raw = self.client.raw();
        let reply = raw.bulk_create_flow_runs_from_deployment(&self.deployment, &chunk.runs);
        match reply.await {
            Ok(reply) => Ok(reply.into_inner().results.unwrap_or_default()),
            Err(error) => {
                match error.is_unsupported() {
                    true => self.lacks_bulk.store(true, Ordering::Relaxed),
                    false => self.note_permanent_failure(&error),
                }
                Err(error)
            }
        }
    }

    /// Records the server's result for each run. Returns whether it has refused some permanently.
    async fn read(&self, chunk: &mut Chunk, results: Vec<FlowRunCreateResult>) -> bool {
        let is_created =
            |result: &FlowRunCreateResult| result.status == FlowRunCreateResultStatus::Created;
        let all_created = results.len() >= chunk.runs.len() && results.iter().all(is_created);
        let missing_results =
            iter::repeat_with(|| ItemResult::Transient("the server gave no result for it".into()));
        let item_results = results
            .into_iter()
            .map(ItemResult::read)
            .chain(missing_results);
        let item_results: Vec<_> = item_results.take(chunk.runs.len()).collect();
        // A run that was created before another one failed may have been rolled back with it.
        let existing = match all_created {
            true => None,
            false => Some(self.existing(&item_results).await),
        };
        let mut refused = false;
        for ((position, run), result) in chunk.take().into_iter().zip(item_results) {
            let why = match (result, &existing) {
                (ItemResult::Created(id), Some(Ok(existing))) if !existing.contains(&id) => {
                    let why =
                        "the server rolled the run back: another run of the same request failed";
                    why.to_owned()
                }
                (ItemResult::Created(_), Some(Err(error))) => {
                    chunk.items[position].is_ambiguous = true;
                    format!("the run may exist: {}", error.message())
                }
                (ItemResult::Created(id), _) => {
                    chunk.settle(position, Ok(id));
                    continue;
                }
                (ItemResult::Refused(why), _) => {
                    refused = true;
                    let error = Error::new(ErrorKind::Validation, why);
                    chunk.settle(position, Err(error.with_operation(BULK_OPERATION)));
                    continue;
                }
                (ItemResult::Transient(why), _) => why,
            };
            let error = Error::new(ErrorKind::Server, why).with_operation(BULK_OPERATION);
            chunk.settle(position, Err(error.with_outcome(false, true)));
            chunk.positions.push(position);
            chunk.runs.push(run);
        }
        refused
    }

    /// Returns which of the created runs exist.
    async fn existing(&self, item_results: &[ItemResult]) -> Result<HashSet<Uuid>> {
        let ids = item_results.iter().filter_map(|result| match result {
            ItemResult::Created(id) => Some(*id),
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
        for (position, run) in chunk.take() {
            let created = match self.permanent_failure.get() {
                Some(error) => Err(unsent(error)),
                None => self.create_one(&run).await,
            };
            chunk.settle(position, created);
        }
    }

    async fn create_one(&self, run: &DeploymentFlowRunCreate) -> Result<Uuid> {
        let raw = self.client.raw();
        let created = raw.create_flow_run_from_deployment(&self.deployment, run);
        match created.await {
            Ok(run) => Ok(run.into_inner().id),
            // The bulk operation reports such a refusal in the result of the run.
            Err(error) if matches!(error.status().map(|it| it.as_u16()), Some(400 | 409)) => {
                let refused = Error::new(ErrorKind::Validation, error.message());
                Err(refused.with_operation(SINGLE_OPERATION).with_source(error))
            }
            Err(error) => {
                self.note_permanent_failure(&error);
                Err(error)
            }
        }
    }

    /// Stores an error that all other runs would get as well, so that they are not requested.
    fn note_permanent_failure(&self, error: &Error) {
        let is_permanent = match error.kind() {
            // Without a connection, no other run can be created; after a lost reply, the next one may be.
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
        if is_permanent {
            // If another request has stored its error before, that one is as good.
            let _ = self.permanent_failure.set(error.copy());
        }
    }
}

/// The error of a run that was not requested, because of the error of another run.
fn unsent(error: &Error) -> Error {
    let mut unsent = error.copy().with_outcome(false, error.is_retryable());
    unsent.set_attempts(0);
    unsent
}

/// The server's result for one run.
enum ItemResult {
    /// The run was created, unless that was rolled back.
    Created(Uuid),
    /// The run may be created if it is requested again.
    Transient(String),
    /// The run cannot be created.
    Refused(String),
}

impl ItemResult {
    fn read(result: FlowRunCreateResult) -> Self {
        let why = result.error.as_deref();
        let why = why.unwrap_or("the server gave no reason");
        // Cuts off the statement and its values, which SQLAlchemy appends.
        let why = why.split("[SQL:").next().unwrap_or_default();
        let why = why.split_whitespace().collect::<Vec<_>>().join(" ");
        let is_transient = TRANSIENT_DATABASE_ERRORS
            .iter()
            .any(|passing| why.contains(passing));
        match (result.status, *result.flow_run_id) {
            (FlowRunCreateResultStatus::Failed, _) if !is_transient => Self::Refused(why),
            (FlowRunCreateResultStatus::Failed, _) | (_, None) => Self::Transient(why),
            (_, Some(id)) => Self::Created(id),
        }
    }
}
