//! The log lines of a flow run as a table in CSV.

use chrono::{DateTime, Utc};
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};
use uuid::Uuid;

use crate::testing::fake::call::Call;
use crate::testing::fake::reply::{Refusal, Reply};
use crate::testing::fake::world::World;
use crate::types::Log;

/// What Python's `quote` does not leave as it is.
const QUOTED: &AsciiSet = &NON_ALPHANUMERIC
    .remove(b'_')
    .remove(b'.')
    .remove(b'-')
    .remove(b'~');

pub(super) fn download(world: &mut World, call: &Call<'_>) -> Result<Reply, Refusal> {
    let id = call.id("id")?;
    let run = world.flow_runs.rows.get(id);
    let run = run.ok_or_else(|| Refusal::not_found("Flow run not found"))?;
    let name = format!("{}-logs.csv", run.shown.name.as_deref().unwrap_or_default());
    let name = utf8_percent_encode(&name, QUOTED);
    let disposition =
        format!("attachment; filename=\"flow-run-logs.csv\"; filename*=UTF-8''{name}");
    let mut lines: Vec<&Log> = world
        .logs
        .lines
        .iter()
        .filter(|line| line.flow_run_id == id)
        .collect();
    lines.sort_by_key(|line| line.timestamp);
    let mut table = "timestamp,level,flow_run_id,task_run_id,message\r\n".to_owned();
    for line in lines {
        let task_run = line
            .task_run_id
            .map_or_else(String::new, |id: Uuid| id.to_string());
        let (time, message) = (time(line.timestamp), cell(&line.message));
        table.push_str(&format!(
            "{time},{},{id},{task_run},{message}\r\n",
            line.level
        ));
    }
    let mut reply = Reply::text("text/csv; charset=utf-8", table);
    reply.headers.push(("content-disposition", disposition));
    Ok(reply)
}

/// A time as Python writes it.
fn time(time: DateTime<Utc>) -> String {
    let format = match time.timestamp_subsec_micros() {
        0 => "%Y-%m-%d %H:%M:%S+00:00",
        _ => "%Y-%m-%d %H:%M:%S%.6f+00:00",
    };
    time.format(format).to_string()
}

fn cell(text: &str) -> String {
    match text.contains([',', '"', '\r', '\n']) {
        true => format!("\"{}\"", text.replace('"', "\"\"")),
        false => text.to_owned(),
    }
}
