//! `Shared`: what the runs of a worker share.

use std::collections::BTreeMap;
use std::sync::Arc;

use tokio::sync::watch;

use super::events::WorkerEvents;
use super::options::WorkerOptions;
use super::stats::Counters;
use crate::client::Client;
use crate::serve::Shutdown;
use crate::types::WorkPoolResponse;

/// What the worker wants of its runs.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) enum Order {
    #[default]
    GoOn,
    /// They are ended, and scheduled again.
    Reschedule,
    /// They are ended, and CANCELLED.
    Cancel,
}

/// What the runs of a worker share.
pub(super) struct Shared<I> {
    pub client: Client,
    pub infrastructure: I,
    /// The pool as it was last read.
    pub pool: watch::Receiver<Arc<WorkPoolResponse>>,
    pub name: String,
    pub events: WorkerEvents,
    pub options: WorkerOptions,
    pub counters: Counters,
    pub orders: watch::Receiver<Order>,
}

impl<I> Shared<I> {
    /// The variables by which a job reaches the server.
    pub(super) fn connection(&self) -> BTreeMap<String, String> {
        let mut variables = BTreeMap::new();
        let url = self.client.api_url().to_owned();
        variables.insert("PREFECT_API_URL".to_owned(), url);
        if !matches!(self.options.shutdown, Shutdown::Cancel) {
            // What its end is to mean when the worker ends it.
            let name = "PREFECT_FLOW_RUN_EXECUTE_SIGTERM_BEHAVIOR";
            variables.insert(name.to_owned(), "reschedule".to_owned());
        }
        variables.extend(self.options.variables.clone());
        variables
    }
}
