//! The events of both servers: what each of them tells of the same changes.

use std::collections::BTreeMap;
use std::time::Duration;

use chrono::{DateTime, TimeDelta, Utc};
use serde_json::{Value, json};
use uuid::Uuid;

use super::compare::is_random_name;
use super::differ::Differ;
use super::ids::Side;
use super::operation::Operation;
use super::rows;

/// How often the events of the real server are read again while some are missing: its work goes on after its replies.
const MAX_READS: usize = 5;

/// What differs between two servers that do the same: ids of events, and times.
const OWN: [&str; 4] = ["id", "occurred", "received", "follows"];

/// Events without what is a server's own, with how many there are of each.
type Events = BTreeMap<String, i64>;

/// Compares the events that both servers have stored.
pub async fn compare(differ: &mut Differ, since: &Value, until: &Value) {
    let filter = json!({"filter": {"occurred": {"since": since, "until": until}}, "limit": 50});
    let fake = all(differ, Side::Fake, &filter).await;
    let mut real = Events::new();
    for _ in 0..MAX_READS {
        all_are_stored(differ, until).await;
        real = all(differ, Side::Real, &filter).await;
        let found = |(event, count): (&String, &i64)| real.get(event).is_some_and(|it| it >= count);
        if fake.iter().all(found) {
            break;
        }
    }
    println!("{} events", count(&real));
    let mut surplus = real;
    for (event, count) in &fake {
        *surplus.entry(event.clone()).or_default() -= count;
    }
    let has_repeated = differ.servers.repeats() > 0;
    for (event, count) in surplus.into_iter().filter(|(_, count)| *count != 0) {
        // The server tells also of what it takes back: of objects whose creation fails, of requests that fail, and of what a locked
        // database did not take.
        let is_repeated = has_repeated && fake.contains_key(&event);
        if count > 0 && (is_repeated || was_taken_back(differ, &event)) {
            continue;
        }
        let of = if count > 0 { "real" } else { "fake" };
        differ
            .report
            .note_event(&name(&event), of, count.abs(), event);
    }
}

/// Waits until the real server has stored all events that it has by now: it stores them in their order, so this is done when
/// another one is stored. That one is dated after all that are compared.
async fn all_are_stored(differ: &Differ, until: &Value) {
    let until: DateTime<Utc> = until.as_str().expect("a time").parse().expect("a time");
    let (id, occurred) = (Uuid::new_v4(), until + TimeDelta::days(1));
    let last = json!([{
        "id": id, "occurred": occurred, "event": "test.last",
        "resource": {"prefect.resource.id": "test.last"},
    }]);
    let last = Operation::post("/events", last);
    let reply = differ.servers.send(Side::Real, &differ.ids, &last).await;
    assert_eq!(reply.status, 204, "{reply:?}");
    let occurred = json!({"since": until, "until": until + TimeDelta::days(2)});
    let filter = json!({"filter": {"id": {"id": [id]}, "occurred": occurred}});
    let read = Operation::post("/events/filter", filter);
    loop {
        let reply = differ.servers.send(Side::Real, &differ.ids, &read).await;
        if reply.body["total"] == 1 {
            return;
        }
        tokio::time::sleep(Duration::from_millis(250)).await;
    }
}

/// Whether an event may be of what has been taken back: of an object that no reply has shown, or for which a request has failed.
fn was_taken_back(differ: &Differ, event: &str) -> bool {
    let event: Value = serde_json::from_str(event).unwrap_or_default();
    let id = event["resource"]["prefect.resource.id"].as_str();
    let object = id.and_then(|id| id.rsplit('.').next());
    object.is_some_and(|object| object == "<?>" || differ.report.has_failed(object))
}

fn name(event: &str) -> String {
    let event: Value = serde_json::from_str(event).unwrap_or_default();
    event["event"].as_str().unwrap_or_default().to_owned()
}

fn count(events: &Events) -> i64 {
    events.values().sum()
}

/// All events of a server.
async fn all(differ: &Differ, side: Side, filter: &Value) -> Events {
    let mut events = Events::new();
    let mut page = Operation::post("/events/filter", filter.clone());
    loop {
        let reply = differ.servers.send(side, &differ.ids, &page).await;
        for event in reply.body["events"].as_array().into_iter().flatten() {
            let text = rows::timeless(&differ.ids, side, &comparable(event));
            *events.entry(text).or_default() += 1;
        }
        let next = reply.body["next_page"].as_str();
        let next = next.and_then(|url| url.split_once("/api"));
        match next {
            Some((_, path)) => page = Operation::get(path),
            None => return events,
        }
    }
}

/// An event without what is a server's own.
fn comparable(event: &Value) -> Value {
    let mut event = event.clone();
    if let Value::Object(keys) = &mut event {
        keys.retain(|key, _| !OWN.contains(&key.as_str()));
    }
    // The fields of a change are in no order, and neither are the tags of a run.
    if let Some(Value::Array(fields)) = event.pointer_mut("/payload/updated_fields") {
        fields.sort_by_cached_key(Value::to_string);
    }
    if let Some(Value::Array(related)) = event.pointer_mut("/related") {
        related.sort_by_cached_key(Value::to_string);
    }
    // A run that is given no name is named by each server itself.
    if let Some(Value::String(name)) = event.pointer_mut("/resource/prefect.resource.name")
        && is_random_name(name)
    {
        *name = "random".to_owned();
    }
    event
}
