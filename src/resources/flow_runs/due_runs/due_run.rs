//! `DueRun`: a run that is due, and in the hands of whoever has this.

use std::collections::HashMap;
use std::fmt;
use std::ops::Deref;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use chrono::{DateTime, TimeDelta, Utc};
use uuid::Uuid;

use super::source::{OfDeployments, OfPool};
use crate::types::{FlowRunPolicy, FlowRunPolicyRetryType, FlowRunResponse, WorkerFlowRunResponse};

/// How long a run that waits for a retry in another process may be overdue before that process counts as gone.
const LOST_RETRY_AFTER: TimeDelta = TimeDelta::seconds(60);

/// The longest time for which a run is set aside.
const MAX_SET_ASIDE: Duration = Duration::from_secs(24 * 60 * 60);

/// A flow run as the server returns it to those that poll for runs.
pub trait Scheduled: private::Scheduled {}

impl<R: private::Scheduled> Scheduled for R {}

pub(super) mod private {
    use super::super::source::Source;
    use super::{DateTime, FlowRunPolicy, Utc, Uuid};

    pub trait Scheduled: Sized {
        type Source: Source<Run = Self>;

        fn id(&self) -> Uuid;
        fn due(&self) -> Option<DateTime<Utc>>;
        fn policy(&self) -> Option<&FlowRunPolicy>;
    }
}

impl private::Scheduled for FlowRunResponse {
    type Source = OfDeployments;

    fn id(&self) -> Uuid {
        self.id
    }

    fn due(&self) -> Option<DateTime<Utc>> {
        *self.next_scheduled_start_time
    }

    fn policy(&self) -> Option<&FlowRunPolicy> {
        self.empirical_policy.as_ref()
    }
}

impl private::Scheduled for WorkerFlowRunResponse {
    type Source = OfPool;

    fn id(&self) -> Uuid {
        self.flow_run.id
    }

    fn due(&self) -> Option<DateTime<Utc>> {
        *self.flow_run.next_scheduled_start_time
    }

    fn policy(&self) -> Option<&FlowRunPolicy> {
        self.flow_run.empirical_policy.as_ref()
    }
}

/// When a run is to be taken: a run that its own process is to try again only when that process is gone.
pub(super) fn taken_at(run: &impl private::Scheduled) -> DateTime<Utc> {
    let due = run.due().unwrap_or(DateTime::UNIX_EPOCH);
    let retry = run.policy().and_then(|policy| policy.retry_type.as_ref());
    match retry {
        Some(FlowRunPolicyRetryType::InProcess) => due + LOST_RETRY_AFTER,
        _ => due,
    }
}

/// The runs that are not to be returned now: in somebody's hands, or set aside until a time.
#[derive(Clone, Default)]
pub(super) struct Withheld(Arc<Mutex<HashMap<Uuid, Option<Instant>>>>);

impl Withheld {
    /// Whether this run is withheld now.
    pub(super) fn has(&self, run: Uuid) -> bool {
        match self.runs().get(&run) {
            Some(Some(until)) => Instant::now() < *until,
            Some(None) => true,
            None => false,
        }
    }

    /// Forgets the runs whose time is over.
    pub(super) fn tidy(&self) {
        let now = Instant::now();
        self.runs()
            .retain(|_, until| until.is_none_or(|until| now < until));
    }

    fn runs(&self) -> MutexGuard<'_, HashMap<Uuid, Option<Instant>>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A run that is due. While this lives, its [`DueRuns`](super::DueRuns) does not return the run again.
pub struct DueRun<R> {
    run: R,
    id: Uuid,
    until: Option<Instant>,
    withheld: Withheld,
}

impl<R> DueRun<R> {
    /// Has the run not returned again for this time, at most a day, as one that was refused to whoever wanted to claim it.
    pub fn set_aside(mut self, time: Duration) {
        self.until = Instant::now().checked_add(time.min(MAX_SET_ASIDE));
    }
}

impl<R: private::Scheduled> DueRun<R> {
    pub(super) fn new(run: R, withheld: &Withheld) -> Self {
        let id = run.id();
        withheld.runs().insert(id, None);
        Self {
            run,
            id,
            until: None,
            withheld: withheld.clone(),
        }
    }
}

impl<R> Deref for DueRun<R> {
    type Target = R;

    fn deref(&self) -> &R {
        &self.run
    }
}

impl<R> Drop for DueRun<R> {
    fn drop(&mut self) {
        let mut runs = self.withheld.runs();
        match self.until {
            Some(until) => runs.insert(self.id, Some(until)),
            None => runs.remove(&self.id),
        };
    }
}

impl<R: fmt::Debug> fmt::Debug for DueRun<R> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("DueRun").field(&self.run).finish()
    }
}
