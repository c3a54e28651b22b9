//! What tasks take: from other tasks, which makes edges in the graph, and anything else.

use serde::Serialize;
use serde_json::{Value, json};
use uuid::Uuid;

use super::output::{Output, OutputOf};

/// What a task can take: the [`Output`] of another task, or any value that serde can serialize, of which only the type is
/// shown.
pub trait TaskInput {
    /// What is recorded of this input.
    #[doc(hidden)]
    fn sources(&self) -> Vec<Source>;
}

/// Where an input comes from.
#[doc(hidden)]
#[derive(Clone, Debug)]
pub struct Source(pub(super) Value);

impl Source {
    pub(super) fn task_run(id: Uuid) -> Self {
        Self(json!({ "input_type": "task_run", "id": id }))
    }
}

impl<T> TaskInput for Output<T> {
    fn sources(&self) -> Vec<Source> {
        vec![match self.from() {
            OutputOf::TaskRun(id) => Source::task_run(id),
            OutputOf::FlowRun(id) => Source(json!({ "input_type": "flow_run", "id": id })),
        }]
    }
}

impl<T: Serialize + ?Sized> TaskInput for T {
    fn sources(&self) -> Vec<Source> {
        let kind = std::any::type_name::<T>();
        vec![Source(json!({ "input_type": "constant", "type": kind }))]
    }
}
