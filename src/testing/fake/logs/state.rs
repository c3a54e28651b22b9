//! `Logs`: all log lines, in the order in which they came.

use uuid::Uuid;

use crate::types::Log;

/// All log lines, in the order in which they came.
#[derive(Default)]
pub(crate) struct Logs {
    pub(super) lines: Vec<Log>,
}

impl Logs {
    /// Removes the lines of a flow run, as the server does some time after the run is deleted.
    pub(crate) fn remove_of_flow_run(&mut self, run: Uuid) {
        self.lines.retain(|line| line.flow_run_id != run);
    }

    /// The lines of a flow run and of its tasks, in the order in which they came.
    pub(crate) fn of_flow_run(&self, run: Uuid) -> Vec<&Log> {
        let lines = self.lines.iter();
        lines.filter(|line| line.flow_run_id == run).collect()
    }

    /// Removes the lines of a task run.
    pub(crate) fn remove_of_task_run(&mut self, run: Uuid) {
        self.lines.retain(|line| line.task_run_id != run);
    }
}
