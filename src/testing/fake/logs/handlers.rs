//! Writing and reading log lines.

use chrono::{NaiveDateTime, SubsecRound as _};
use serde_json::{Value, json};
use uuid::Uuid;

use super::text;
use crate::testing::fake::call::Call;
use crate::testing::fake::filter::{self, Column};
use crate::testing::fake::page;
use crate::testing::fake::reply::{Refusal, Reply};
use crate::testing::fake::world::{World, row};
use crate::types::{Log, LogCreate};

/// The most characters of a query for a text.
const MAX_QUERY: usize = 200;

/// What a filter of lines can be about.
const WORDS: [&str; 6] = [
    "operator",
    "level",
    "timestamp",
    "flow_run_id",
    "task_run_id",
    "text",
];

pub(super) fn create(world: &mut World, call: &Call<'_>) -> Result<Reply, Refusal> {
    let lines = lines(call)?;
    let mut new = Vec::with_capacity(lines.len());
    for line in lines {
        // PostgreSQL takes no NUL, so the server takes it out.
        let clean = |text: String| text.replace('\0', "");
        let line: Log = row(json!({
            "id": Uuid::new_v4(), "created": world.now, "updated": world.now, "level": line.level,
            "name": clean(line.name), "message": clean(line.message), "timestamp": line.timestamp.trunc_subsecs(6),
            "flow_run_id": line.flow_run_id.into_option(), "task_run_id": line.task_run_id.into_option(),
        }))?;
        new.push(line);
    }
    world.logs.lines.extend(new);
    Ok(Reply::created(&()))
}

/// The lines of a request. The server reads a time without an offset as one in UTC; the types of this SDK know no such time.
fn lines(call: &Call<'_>) -> Result<Vec<LogCreate>, Refusal> {
    let mut lines = call.json()?;
    for line in lines.as_array_mut().into_iter().flatten() {
        if let Some(Value::String(time)) = line.get_mut("timestamp")
            && time.parse::<NaiveDateTime>().is_ok()
        {
            time.push('Z');
        }
    }
    let body = lines.to_string();
    let call = Call {
        body: body.as_bytes(),
        ..*call
    };
    call.body()
}

pub(super) fn list(world: &mut World, call: &Call<'_>) -> Result<Reply, Refusal> {
    let body = call.json()?;
    let filter = &body["logs"];
    let mut words = filter.as_object().into_iter().flatten();
    if words.any(|(word, _)| !WORDS.contains(&word.as_str())) {
        let text = "Extra inputs are not permitted";
        return Err(Refusal::invalid(&["body", "logs"], "extra_forbidden", text));
    }
    let query = &filter["text"]["query"];
    let too_long = query
        .as_str()
        .is_some_and(|query| query.chars().count() > MAX_QUERY);
    if too_long || (filter["text"].is_object() && !query.is_string()) {
        let text = format!("String should have at most {MAX_QUERY} characters");
        return Err(Refusal::invalid(
            &["body", "logs", "text", "query"],
            "string_too_long",
            text,
        ));
    }
    let mut lines = Vec::new();
    for line in &world.logs.lines {
        let selected = filter::matches(filter, &|word, conditions| {
            Some(match word {
                "level" => Column::Number(Some(line.level as f64)),
                "timestamp" => Column::Time(Some(line.timestamp)),
                "flow_run_id" => Column::Id(*line.flow_run_id),
                "task_run_id" => Column::Id(*line.task_run_id),
                "text" => {
                    let query = conditions["query"].as_str()?;
                    let searched = format!("{} {}", line.message, line.name);
                    Column::Judged(text::fulfils(query, &searched))
                }
                _ => return None,
            })
        })?;
        if selected {
            lines.push(line);
        }
    }
    // Lines of the same time are in the order in which they came, and in a descending list the other way round.
    lines.sort_by_key(|line| line.timestamp);
    match page::sort(&body, "TIMESTAMP_ASC") {
        "TIMESTAMP_ASC" => {}
        "TIMESTAMP_DESC" => lines.reverse(),
        _ => {
            let text = "Input should be 'TIMESTAMP_ASC' or 'TIMESTAMP_DESC'";
            return Err(Refusal::invalid(&["body", "sort"], "enum", text));
        }
    }
    Ok(Reply::ok(&page::page(lines, &body)?))
}
