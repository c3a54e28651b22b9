//! `Run`: a flow run, and what the server keeps of it beside what it returns.

use std::collections::{BTreeSet, HashMap};

use chrono::{DateTime, Utc};
use uuid::Uuid;

use crate::testing::fake::table::Table;
use crate::types::{FlowRunPolicy, FlowRunResponse, State};

/// A flow run.
#[derive(Clone)]
pub(crate) struct Run {
    /// What the server returns of it; what depends on the time is as of its last state.
    pub shown: FlowRunResponse,
    /// All its states, the present one last.
    pub states: Vec<State>,
}

impl Run {
    pub(crate) fn policy(&self) -> FlowRunPolicy {
        self.shown.empirical_policy.clone().unwrap_or_default()
    }

    pub(crate) fn state(&self) -> Option<&State> {
        self.states.last()
    }
}

/// All flow runs.
#[derive(Default)]
pub(crate) struct FlowRuns {
    pub rows: Table<Run>,
    /// The runs by their flow and idempotency key.
    pub by_key: HashMap<(Uuid, String), Uuid>,
    /// When a service of the server does something about a run, if it is still in the state with this id then.
    pub deadlines: BTreeSet<(DateTime<Utc>, Uuid, Uuid)>,
}
