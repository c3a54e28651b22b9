//! `TaskError`: the error of a task.

use std::fmt;
use std::sync::Arc;

use uuid::Uuid;

use crate::flow::flow::BoxError;

/// The error of a task: what its function has returned or panicked with, or that its timeout is over. Clones share it.
#[derive(Clone)]
pub struct TaskError(Arc<Inner>);

struct Inner {
    task: String,
    task_run_id: Uuid,
    error: BoxError,
}

impl TaskError {
    pub(super) fn new(task: &str, task_run_id: Uuid, error: BoxError) -> Self {
        Self(Arc::new(Inner {
            task: task.to_owned(),
            task_run_id,
            error,
        }))
    }

    /// The name of the task.
    pub fn task(&self) -> &str {
        &self.0.task
    }

    /// The id of the task run.
    pub fn task_run_id(&self) -> Uuid {
        self.0.task_run_id
    }

    /// The error of the function, if it is of this type.
    pub fn downcast_ref<E: std::error::Error + 'static>(&self) -> Option<&E> {
        self.0.error.downcast_ref()
    }
}

impl fmt::Display for TaskError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "the task {:?} has failed", self.0.task)
    }
}

impl fmt::Debug for TaskError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("TaskError")
            .field("task", &self.0.task)
            .field("task_run_id", &self.0.task_run_id)
            .field("error", &self.0.error)
            .finish()
    }
}

impl std::error::Error for TaskError {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        Some(&*self.0.error)
    }
}
