//! `TaskRuns`: all task runs, and what the server keeps of them beside what it returns.

use std::collections::{BTreeSet, HashMap};

use chrono::{DateTime, TimeDelta, Utc};
use uuid::Uuid;

use crate::testing::fake::table::Table;
use crate::types::{State, TaskRun};

/// A task run.
#[derive(Clone)]
pub(crate) struct TaskRow {
    /// What the server returns of it, but for the times that grow.
    pub shown: TaskRun,
    /// All its states, in the order in which they were written.
    pub states: Vec<State>,
    /// How long it was RUNNING, up to its last state.
    pub run_time: TimeDelta,
}

impl TaskRow {
    pub(crate) fn state(&self) -> Option<&State> {
        self.shown.state.as_ref()
    }

    /// When it came into its state.
    pub(super) fn since(&self) -> Option<DateTime<Utc>> {
        self.state().and_then(|state| state.timestamp)
    }
}

/// Flow run, task key and dynamic key: there is one task run of each.
type Key = (Option<Uuid>, String, String);

/// A completed state that other task runs with this cache key take over.
pub(super) struct Cached {
    pub key: String,
    pub expires: Option<DateTime<Utc>>,
    pub state: Uuid,
    pub task_run: Uuid,
}

/// All task runs.
#[derive(Default)]
pub(crate) struct TaskRuns {
    pub rows: Table<TaskRow>,
    by_key: HashMap<Key, Uuid>,
    of_flow_run: HashMap<Uuid, BTreeSet<Uuid>>,
    pub(super) cache: Vec<Cached>,
}

impl TaskRuns {
    /// Adds a task run, or replaces the one with its id.
    pub(super) fn put(&mut self, row: TaskRow) {
        let id = row.shown.id;
        self.forget_keys(id);
        self.by_key.entry(key_of(&row)).or_insert(id);
        if let Some(run) = *row.shown.flow_run_id {
            self.of_flow_run.entry(run).or_default().insert(id);
        }
        self.rows.insert(id, row);
    }

    /// The task run with these keys.
    pub(super) fn by_key(&self, flow_run: Option<Uuid>, task: &str, dynamic: &str) -> Option<Uuid> {
        let key = (flow_run, task.to_owned(), dynamic.to_owned());
        self.by_key.get(&key).copied()
    }

    pub(crate) fn of_flow_run(&self, run: Uuid) -> impl Iterator<Item = &TaskRow> {
        let ids = self.of_flow_run.get(&run).into_iter().flatten();
        ids.filter_map(|id| self.rows.get(*id))
    }

    pub(super) fn remove(&mut self, id: Uuid) -> Option<TaskRow> {
        self.forget_keys(id);
        self.rows.remove(id)
    }

    /// The flow run that a task run is part of.
    pub(crate) fn flow_run_of(&self, task_run: Uuid) -> Option<Uuid> {
        *self.rows.get(task_run)?.shown.flow_run_id
    }

    /// Removes the task runs of a flow run; returns their ids.
    pub(crate) fn remove_of_flow_run(&mut self, run: Uuid) -> BTreeSet<Uuid> {
        let ids = self.of_flow_run.remove(&run).unwrap_or_default();
        for id in &ids {
            self.remove(*id);
        }
        ids
    }

    fn forget_keys(&mut self, id: Uuid) {
        let Some(row) = self.rows.get(id) else {
            return;
        };
        let (key, run) = (key_of(row), *row.shown.flow_run_id);
        if self.by_key.get(&key) == Some(&id) {
            self.by_key.remove(&key);
        }
        if let Some(ids) = run.and_then(|run| self.of_flow_run.get_mut(&run)) {
            ids.remove(&id);
        }
    }
}

fn key_of(row: &TaskRow) -> Key {
    let shown = &row.shown;
    (
        *shown.flow_run_id,
        shown.task_key.clone(),
        shown.dynamic_key.clone(),
    )
}
