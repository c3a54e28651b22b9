//! The events of both servers: what each of them tells of the same changes.

use std::collections::BTreeMap;
use std::time::Duration;

use serde_json::{Value, json};

use super::compare::is_random_name;
use super::differ::Differ;
use super::ids::Side;
use super::operation::Operation;
use super::rows;

/// How long the real server may take to store its last events: it does so every 5 s.
const STORED_AFTER: Duration = Duration::from_secs(12);

/// What differs between two servers that do the same: ids of events, and times.
const OWN: [&str; 4] = ["id", "occurred", "received", "follows"];

/// Events without what is a server's own, with how many there are of each.
type Events = BTreeMap<String, i64>;

/// Compares the events that both servers have stored.
pub async fn compare(differ: &mut Differ, since: &Value, until: &Value) {
    let filter = json!({"filter": {"occurred": {"since": since, "until": until}}, "limit": 50});
    let fake = all(differ, Side::Fake, &filter).await;
    tokio::time::sleep(STORED_AFTER).await;
    let real = all(differ, Side::Real, &filter).await;
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
