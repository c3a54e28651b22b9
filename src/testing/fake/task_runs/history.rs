//! The history of task runs: how many were expected in each interval, by their present state.

use std::collections::BTreeMap;

use chrono::{DateTime, TimeDelta, Utc};
use serde_json::{Value, json};

use super::effects::{estimated_run_time, lateness, seconds};
use super::matching::matching;
use super::state::TaskRow;
use crate::testing::fake::call::Call;
use crate::testing::fake::reply::{Refusal, Reply};
use crate::testing::fake::world::World;
use crate::types::{StateType, TaskRunHistoryRequest};

/// The most intervals of a history.
const MAX_INTERVALS: i64 = 500;

pub(super) fn history(world: &mut World, call: &Call<'_>) -> Result<Reply, Refusal> {
    let request: TaskRunHistoryRequest = call.decode()?;
    let length = request.history_interval_seconds.as_f64();
    if length < 1.0 {
        let text = "History interval must not be less than 1 second.";
        return Err(Refusal::detail(422, text));
    }
    let length = TimeDelta::microseconds((length * 1e6) as i64);
    let (start, end) = (request.history_start, request.history_end);
    let rows = matching(world, &call.json()?)?;
    let mut intervals: Vec<Value> = Vec::new();
    for number in 0..intervals_between(start, end, length) {
        let begin = start + offset(length, number);
        let next = start + offset(length, number + 1);
        let within = rows.iter().copied().filter(|row| {
            row.shown
                .expected_start_time
                .is_some_and(|at| (begin..next).contains(&at))
        });
        intervals.push(json!({
            "interval_start": begin, "interval_end": next, "states": states(within, world.now),
        }));
    }
    Ok(Reply::ok(&intervals))
}

fn intervals_between(start: DateTime<Utc>, end: DateTime<Utc>, length: TimeDelta) -> i64 {
    let micros = |time: TimeDelta| time.num_microseconds().unwrap_or(i64::MAX);
    let (all, one) = (micros(end - start), micros(length));
    let number = all.div_euclid(one) + i64::from(all.rem_euclid(one) > 0);
    number.clamp(0, MAX_INTERVALS)
}

fn offset(length: TimeDelta, number: i64) -> TimeDelta {
    let micros = length.num_microseconds().unwrap_or(i64::MAX);
    TimeDelta::microseconds(micros.saturating_mul(number))
}

fn states<'a>(rows: impl Iterator<Item = &'a TaskRow>, now: DateTime<Utc>) -> Vec<Value> {
    let mut groups: BTreeMap<(&str, &str), Vec<&TaskRow>> = BTreeMap::new();
    for row in rows {
        let kind = row.shown.state_type.as_ref().map_or("", StateType::as_str);
        let name = row.shown.state_name.as_deref().unwrap_or_default();
        groups.entry((kind, name)).or_default().push(row);
    }
    let shown = groups.into_iter().map(|((kind, name), rows)| {
        let sum = |of: fn(&TaskRow, DateTime<Utc>) -> TimeDelta| -> f64 {
            rows.iter().map(|row| seconds(of(row, now)).max(0.0)).sum()
        };
        json!({
            "state_type": kind, "state_name": name, "count_runs": rows.len(),
            "sum_estimated_run_time": sum(estimated_run_time), "sum_estimated_lateness": sum(lateness),
        })
    });
    shown.collect()
}
