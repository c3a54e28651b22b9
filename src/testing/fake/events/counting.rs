//! Counts of stored events: by time, by name, by resource.

use std::collections::BTreeMap;

use chrono::{DateTime, NaiveTime, TimeDelta, Utc};
use serde_json::{Value, json};

use super::selection::Selection;
use crate::testing::fake::call::Call;
use crate::testing::fake::reply::{Refusal, Reply};
use crate::testing::fake::world::World;
use crate::types::ReceivedEvent;

/// The beginning of the first span: 2024-04-01, a Monday, in seconds.
const PIVOT: i64 = 1_711_929_600;

/// The most spans of a count.
const MAX_SPANS: i64 = 1000;

pub(super) fn count(world: &mut World, call: &Call<'_>) -> Result<Reply, Refusal> {
    let body = call.json()?;
    if body["filter"].is_null() {
        return Err(Refusal::invalid(
            &["body", "filter"],
            "missing",
            "Field required",
        ));
    }
    let selection = Selection::of(&body["filter"], world.now)?;
    let spans = Spans::of(&body, &selection)?;
    // All events count, also where a list would only show one of each resource.
    let events = world.events.all().iter();
    let mut events: Vec<&ReceivedEvent> = events
        .filter(|event| selection.includes_stored(event))
        .collect();
    events.sort_by_key(|event| event.occurred);
    match call.text("countable") {
        "event" => Ok(Reply::ok(&by(&events, |event| {
            (&event.event, &event.event)
        }))),
        "resource" => Ok(Reply::ok(&by(&events, named_resource))),
        "time" => spans.counts(&events, spans.micros, world.now),
        "day" => spans.counts(
            &events,
            unit_seconds("day").unwrap_or(1) * 1_000_000,
            world.now,
        ),
        _ => Err(Refusal::invalid(
            &["path", "countable"],
            "enum",
            "Input should be 'day', 'time', 'event' or 'resource'",
        )),
    }
}

/// The counts by a value, the largest first. Each has the label of the latest event, and the times of the first and the last one.
fn by<'a>(
    events: &[&'a ReceivedEvent],
    value_and_label: impl Fn(&'a ReceivedEvent) -> (&'a str, &'a str),
) -> Vec<Value> {
    let mut groups: BTreeMap<&str, Vec<(&str, DateTime<Utc>)>> = BTreeMap::new();
    for event in events {
        let (value, label) = value_and_label(event);
        groups
            .entry(value)
            .or_default()
            .push((label, event.occurred));
    }
    let mut counts: Vec<(usize, &str, Value)> = Vec::new();
    for (value, group) in groups {
        if let (Some((_, start)), Some((label, end))) = (group.first(), group.last()) {
            let count = json!({
                "value": value, "label": label, "count": group.len(), "start_time": start, "end_time": end,
            });
            counts.push((group.len(), label, count));
        }
    }
    counts.sort_by(|(a, label, _), (b, other, _)| b.cmp(a).then(label.cmp(other)));
    counts.into_iter().map(|(_, _, count)| count).collect()
}

fn named_resource(event: &ReceivedEvent) -> (&str, &str) {
    let label = |name: &str| event.resource.get(name).map(String::as_str);
    let id = label("prefect.resource.id").unwrap_or_default();
    let name = label("prefect.resource.name").or_else(|| label("prefect.name"));
    (id, name.unwrap_or(id))
}

/// Spans of time of equal length.
struct Spans {
    since: DateTime<Utc>,
    until: DateTime<Utc>,
    unit: String,
    /// The length of each, in microseconds.
    micros: i64,
}

impl Spans {
    fn of(body: &Value, selection: &Selection) -> Result<Self, Refusal> {
        let unit = body["time_unit"].as_str().unwrap_or("day").to_owned();
        let interval = match &body["time_interval"] {
            Value::Null => 1.0,
            interval => interval.as_f64().unwrap_or(0.0),
        };
        let invalid =
            |word: &str, text: &str| Refusal::invalid(&["body", word], "value_error", text);
        let text = "Input should be 'week', 'day', 'hour', 'minute' or 'second'";
        let seconds = unit_seconds(&unit).ok_or_else(|| invalid("time_unit", text))?;
        if interval < 0.01 {
            let text = "Input should be greater than or equal to 0.01";
            return Err(invalid("time_interval", text));
        }
        let micros = (seconds as f64 * interval * 1e6).round() as i64;
        let (since, until) = selection.span();
        let spans = Self {
            since,
            until,
            unit,
            micros,
        };
        let length = (until - since).num_microseconds().unwrap_or(i64::MAX);
        let number = length.div_euclid(micros) + i64::from(length.rem_euclid(micros) > 0);
        if number > MAX_SPANS {
            return Err(Refusal::detail(
                422,
                format!(
                    "The given interval would create {number} buckets, which is too many. Please increase the \
                     interval or reduce the time range to produce {MAX_SPANS} buckets or fewer."
                ),
            ));
        }
        Ok(spans)
    }

    /// The number of events in each span. The database puts events into spans of the given length.
    fn counts(
        &self,
        events: &[&ReceivedEvent],
        length: i64,
        now: DateTime<Utc>,
    ) -> Result<Reply, Refusal> {
        let pivot = DateTime::from_timestamp(PIVOT, 0).unwrap_or(now);
        let since = (self.since - pivot).num_microseconds().unwrap_or(0);
        let until = match self.until > now {
            true => end_of(now, &self.unit),
            false => self.until,
        };
        let first = since.div_euclid(self.micros);
        let mut counts = Vec::new();
        let mut start = pivot + TimeDelta::microseconds(first * self.micros);
        while start < until {
            let next = start + TimeDelta::microseconds(self.micros);
            counts.push((start, next - TimeDelta::microseconds(1), 0_usize));
            start = next;
        }
        for event in events {
            // The database counts whole seconds.
            let seconds = event.occurred.timestamp() - PIVOT;
            let span = (seconds * 1_000_000).div_euclid(length) - first;
            // Python counts from the end where an index is negative, and fails where there is nothing.
            let spans = i64::try_from(counts.len()).unwrap_or(i64::MAX);
            let index = if span < 0 { span + spans } else { span };
            let found = usize::try_from(index)
                .ok()
                .and_then(|index| counts.get_mut(index));
            let Some((_, _, count)) = found else {
                return Err(Refusal::message(500, "Internal Server Error"));
            };
            *count += 1;
        }
        let shown = counts.iter().enumerate().map(|(index, (start, end, count))| {
            let label = start.to_rfc3339_opts(chrono::SecondsFormat::AutoSi, false);
            json!({
                "value": index.to_string(), "label": micros(&label), "count": count, "start_time": start, "end_time": end,
            })
        });
        Ok(Reply::ok(&shown.collect::<Vec<_>>()))
    }
}

/// A time with milliseconds, written with microseconds as Python does.
fn micros(time: &str) -> String {
    match time
        .split_once('.')
        .map(|(whole, rest)| (whole, rest.split_once('+')))
    {
        Some((whole, Some((fraction, offset)))) => format!("{whole}.{fraction:0<6}+{offset}"),
        _ => time.to_owned(),
    }
}

fn unit_seconds(unit: &str) -> Option<i64> {
    Some(match unit {
        "week" => 7 * 86_400,
        "day" => 86_400,
        "hour" => 3600,
        "minute" => 60,
        "second" => 1,
        _ => return None,
    })
}

/// The last microsecond of the week, the day, the hour, … that this time is in.
fn end_of(time: DateTime<Utc>, unit: &str) -> DateTime<Utc> {
    let midnight = time.with_time(NaiveTime::MIN).single().unwrap_or(time);
    let length = unit_seconds(unit).unwrap_or(1);
    let monday = PIVOT.rem_euclid(7 * 86_400);
    let begin = match unit {
        "day" => midnight.timestamp(),
        _ => {
            let seconds = time.timestamp() - monday;
            monday + seconds.div_euclid(length) * length
        }
    };
    let end = DateTime::from_timestamp(begin + length, 0).unwrap_or(time);
    end - TimeDelta::microseconds(1)
}
