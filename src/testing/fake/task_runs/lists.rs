//! Lists of task runs.

use std::cmp::Reverse;

use serde_json::Value;

use super::effects::{at, estimated_run_time};
use super::matching::matching;
use super::state::TaskRow;
use crate::testing::fake::call::Call;
use crate::testing::fake::page;
use crate::testing::fake::reply::{Refusal, Reply};
use crate::testing::fake::world::World;

/// What a task run has on a page by number.
const ON_PAGES: [&str; 17] = [
    "id",
    "created",
    "updated",
    "name",
    "flow_run_id",
    "task_key",
    "state_id",
    "state",
    "task_version",
    "task_inputs",
    "empirical_policy",
    "tags",
    "start_time",
    "end_time",
    "total_run_time",
    "estimated_run_time",
    "estimated_start_time_delta",
];

pub(super) fn list(world: &mut World, call: &Call<'_>) -> Result<Reply, Refusal> {
    let body = call.json()?;
    let rows = page::page(sorted(world, &body)?, &body)?;
    let shown: Vec<_> = rows.into_iter().map(|row| at(row, world.now)).collect();
    Ok(Reply::ok(&shown))
}

pub(super) fn paginate(world: &mut World, call: &Call<'_>) -> Result<Reply, Refusal> {
    let body = call.json()?;
    let shown = sorted(world, &body)?.into_iter().map(|row| {
        let mut shown = serde_json::to_value(at(row, world.now)).unwrap_or_default();
        if let Value::Object(keys) = &mut shown {
            keys.retain(|key, _| ON_PAGES.contains(&key.as_str()));
        }
        shown
    });
    Ok(Reply::ok(&page::numbered(shown.collect(), &body)?))
}

/// The task runs that a list asks for, in its order.
fn sorted<'a>(world: &'a World, body: &Value) -> Result<Vec<&'a TaskRow>, Refusal> {
    let mut rows = matching(world, body)?;
    let expected = |row: &&TaskRow| *row.shown.expected_start_time;
    let estimated = |row: &&TaskRow| estimated_run_time(row, world.now);
    match page::sort(body, "ID_DESC") {
        "ID_DESC" => rows.sort_by_key(|row| Reverse(row.shown.id)),
        "EXPECTED_START_TIME_ASC" => rows.sort_by_key(expected),
        "EXPECTED_START_TIME_DESC" => page::descending(&mut rows, expected),
        "NAME_ASC" => rows.sort_by(|a, b| a.shown.name.cmp(&b.shown.name)),
        "NAME_DESC" => rows.sort_by(|a, b| b.shown.name.cmp(&a.shown.name)),
        "NEXT_SCHEDULED_START_TIME_ASC" => {
            rows.sort_by_key(|row| *row.shown.next_scheduled_start_time);
        }
        "END_TIME_DESC" => page::descending(&mut rows, |row| *row.shown.end_time),
        "DURATION_DESC" => {
            rows.sort_by_key(|row| Reverse((estimated(row), expected(row), row.shown.id)));
        }
        "DURATION_ASC" => {
            rows.sort_by_key(|row| (estimated(row), Reverse((expected(row), row.shown.id))));
        }
        other => {
            let text = format!("the order {other} is none of task runs");
            return Err(Refusal::invalid(&["body", "sort"], "enum", text));
        }
    }
    Ok(rows)
}
