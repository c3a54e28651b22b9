//! `Output`: what a task has returned, and which task run that was.

use std::fmt;
use std::ops::Deref;

use uuid::Uuid;

/// What a task or a sub-flow has returned. It is used like the value itself; passed on to another task, by
/// [`TaskBuilder::input`](super::TaskBuilder::input) or [`TaskBuilder::after`](super::TaskBuilder::after), it makes an edge
/// in the graph of the run.
#[derive(Clone, PartialEq, Eq, Hash)]
pub struct Output<T> {
    value: T,
    from: OutputOf,
}

/// The run that has returned a value.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) enum OutputOf {
    TaskRun(Uuid),
    /// A sub-flow: the graph knows it by this id, not by that of the task run that stands for it.
    FlowRun(Uuid),
}

impl<T> Output<T> {
    pub(crate) fn new(value: T, from: OutputOf) -> Self {
        Self { value, from }
    }

    /// The id of the task run that has returned this, if it was a task.
    pub fn task_run_id(&self) -> Option<Uuid> {
        match self.from {
            OutputOf::TaskRun(id) => Some(id),
            OutputOf::FlowRun(_) => None,
        }
    }

    /// The id of the flow run that has returned this, if it was a sub-flow.
    pub fn flow_run_id(&self) -> Option<Uuid> {
        match self.from {
            OutputOf::FlowRun(id) => Some(id),
            OutputOf::TaskRun(_) => None,
        }
    }

    pub(super) fn from(&self) -> OutputOf {
        self.from
    }

    /// The value alone.
    pub fn into_inner(self) -> T {
        self.value
    }
}

impl<T> Deref for Output<T> {
    type Target = T;

    fn deref(&self) -> &T {
        &self.value
    }
}

impl<T: fmt::Debug> fmt::Debug for Output<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.value.fmt(f)
    }
}
