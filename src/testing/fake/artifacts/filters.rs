//! Which artifacts a filter selects, and in which order.

use chrono::{DateTime, Utc};
use serde_json::Value;
use uuid::Uuid;

use crate::testing::fake::filter::{self, Column};
use crate::testing::fake::flow_runs::fulfils as flow_run_fulfils;
use crate::testing::fake::flows::fulfils as flow_fulfils;
use crate::testing::fake::page;
use crate::testing::fake::reply::Refusal;
use crate::testing::fake::task_runs::fulfils as task_run_fulfils;
use crate::testing::fake::world::World;
use crate::types::{Artifact, ArtifactCollection};

/// What artifacts and the latest ones of each key have in common.
pub(super) trait Row {
    /// The word that the filter has for the id of the artifact.
    const ID: &'static str;

    fn id(&self) -> Uuid;
    fn artifact(&self) -> Uuid;
    fn key(&self) -> Option<&str>;
    fn kind(&self) -> Option<&str>;
    fn flow_run(&self) -> Option<Uuid>;
    fn task_run(&self) -> Option<Uuid>;
    fn created(&self) -> Option<DateTime<Utc>>;
    fn updated(&self) -> Option<DateTime<Utc>>;

    /// Whether the row fulfils the filters of a list.
    fn fulfils(&self, world: &World, body: &Value) -> Result<bool, Refusal> {
        let own = filter::matches(&body["artifacts"], &|word, _| {
            Some(match word {
                "key" => Column::Text(self.key()),
                "type" => Column::Text(self.kind()),
                "flow_run_id" => Column::Id(self.flow_run()),
                "task_run_id" => Column::Id(self.task_run()),
                word if word == Self::ID => Column::Id(Some(self.artifact())),
                _ => return None,
            })
        });
        Ok(own? && self.fulfils_of_runs(world, body)?)
    }

    /// Whether the runs of the row fulfil the filters of a list. A filter without a condition wants the run to be there.
    fn fulfils_of_runs(&self, world: &World, body: &Value) -> Result<bool, Refusal> {
        let (runs, flows, deployments) = (&body["flow_runs"], &body["flows"], &body["deployments"]);
        if !body["task_runs"].is_null() {
            let run = self
                .task_run()
                .and_then(|run| world.task_runs.rows.get(run));
            let filter = &body["task_runs"];
            if !run.map_or(Ok(false), |run| task_run_fulfils(world, run, filter))? {
                return Ok(false);
            }
        }
        if runs.is_null() && flows.is_null() && deployments.is_null() {
            return Ok(true);
        }
        let run = self
            .flow_run()
            .and_then(|run| world.flow_runs.rows.get(run));
        let Some(run) = run else {
            return Ok(false);
        };
        if !flow_run_fulfils(world, run, runs)? {
            return Ok(false);
        }
        if !flows.is_null() {
            let flow = world.flows.get(run.shown.flow_id);
            if !flow.map_or(Ok(false), |flow| flow_fulfils(world, flow, flows))? {
                return Ok(false);
            }
        }
        match deployments {
            Value::Null => Ok(true),
            filter => world.deployments.fulfils(*run.shown.deployment_id, filter),
        }
    }
}

impl Row for Artifact {
    const ID: &'static str = "id";

    fn id(&self) -> Uuid {
        self.id.unwrap_or_default()
    }
    fn artifact(&self) -> Uuid {
        self.id()
    }
    fn key(&self) -> Option<&str> {
        self.key.as_deref()
    }
    fn kind(&self) -> Option<&str> {
        self.type_.as_deref()
    }
    fn flow_run(&self) -> Option<Uuid> {
        *self.flow_run_id
    }
    fn task_run(&self) -> Option<Uuid> {
        *self.task_run_id
    }
    fn created(&self) -> Option<DateTime<Utc>> {
        *self.created
    }
    fn updated(&self) -> Option<DateTime<Utc>> {
        *self.updated
    }
}

impl Row for ArtifactCollection {
    const ID: &'static str = "latest_id";

    fn id(&self) -> Uuid {
        self.id
    }
    fn artifact(&self) -> Uuid {
        self.latest_id
    }
    fn key(&self) -> Option<&str> {
        Some(&self.key)
    }
    fn kind(&self) -> Option<&str> {
        self.type_.as_deref()
    }
    fn flow_run(&self) -> Option<Uuid> {
        *self.flow_run_id
    }
    fn task_run(&self) -> Option<Uuid> {
        *self.task_run_id
    }
    fn created(&self) -> Option<DateTime<Utc>> {
        *self.created
    }
    fn updated(&self) -> Option<DateTime<Utc>> {
        *self.updated
    }
}

/// Puts rows that are in the order of their creation in the one that the request asks for.
pub(super) fn sort<R: Row>(rows: &mut [&R], body: &Value) -> Result<(), Refusal> {
    let order = page::sort(body, "ID_DESC");
    // The server reads an index backwards, so what is equal comes backwards as well. And no two artifacts of a real server have one
    // time, as they have it under a clock that stands still.
    if order != "KEY_ASC" {
        rows.reverse();
    }
    match order {
        "ID_DESC" => rows.sort_by_key(|row| std::cmp::Reverse(row.id())),
        "KEY_ASC" => rows.sort_by(|a, b| a.key().cmp(&b.key())),
        "KEY_DESC" => rows.sort_by(|a, b| b.key().cmp(&a.key())),
        "CREATED_DESC" => rows.sort_by_key(|row| std::cmp::Reverse(row.created())),
        "UPDATED_DESC" => rows.sort_by_key(|row| std::cmp::Reverse(row.updated())),
        _ => {
            let text = "Input should be 'CREATED_DESC', 'UPDATED_DESC', 'ID_DESC', 'KEY_DESC' or 'KEY_ASC'";
            return Err(Refusal::invalid(&["body", "sort"], "enum", text));
        }
    }
    Ok(())
}
