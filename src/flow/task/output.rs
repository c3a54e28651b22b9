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
    task_run_id: Uuid,
}

impl<T> Output<T> {
    pub(crate) fn new(value: T, task_run_id: Uuid) -> Self {
        Self { value, task_run_id }
    }

    /// The id of the task run that has returned this.
    pub fn task_run_id(&self) -> Uuid {
        self.task_run_id
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
