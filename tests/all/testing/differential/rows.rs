//! Which rows of two lists belong together, where the order of the list leaves that open.

use serde_json::Value;

use super::compare::time;
use super::ids::{Ids, Side};
use super::operation::Order;
use super::pieces::{Piece, pieces};

/// The pairs of rows that are to be compared.
pub fn paired<'a>(
    ids: &Ids,
    order: Order,
    fake: &'a [Value],
    real: &'a [Value],
) -> Vec<(&'a Value, &'a Value)> {
    let (mut a, mut b): (Vec<_>, Vec<_>) = (fake.iter().collect(), real.iter().collect());
    match order {
        Order::Given => {}
        Order::Open => {
            arrange(ids, Side::Fake, &mut a);
            arrange(ids, Side::Real, &mut b);
        }
        // What has the same key for the real server is in no order; that the fake has the same there follows from the comparison.
        Order::By(keys) => {
            let mut start = 0;
            while start < b.len() {
                let same = b[start..]
                    .iter()
                    .take_while(|row| key(row, keys) == key(b[start], keys))
                    .count();
                arrange(ids, Side::Fake, &mut a[start..start + same]);
                arrange(ids, Side::Real, &mut b[start..start + same]);
                start += same;
            }
        }
    }
    a.into_iter().zip(b).collect()
}

fn key(row: &Value, keys: &[&str]) -> Value {
    let value = keys
        .iter()
        .map(|key| &row[*key])
        .find(|value| !value.is_null());
    match value {
        // The same time may be written with another offset.
        Some(Value::String(text)) => {
            time(text).map_or(text.as_str().into(), |time| time.timestamp_micros().into())
        }
        value => value.cloned().unwrap_or_default(),
    }
}

/// Puts rows in an order that both servers have in common: by what is known of them, and rows that look the same by their age.
fn arrange(ids: &Ids, side: Side, rows: &mut [&Value]) {
    rows.sort_by_cached_key(|row| {
        let created = row["created"].as_str().unwrap_or_default().to_owned();
        (brief(ids, side, row), timeless(ids, side, row), created)
    });
}

/// A row in a few words.
pub fn brief(ids: &Ids, side: Side, row: &Value) -> String {
    let text = |value: &Value| value.as_str().map(|text| ids.read(side, text));
    match row {
        Value::Object(_) => {
            let id = ["id", "flow_run_id"]
                .iter()
                .find_map(|key| text(&row[*key]));
            id.unwrap_or_default()
        }
        row => text(row).unwrap_or_default(),
    }
}

/// A row without its times and unknown ids.
fn timeless(ids: &Ids, side: Side, row: &Value) -> String {
    let text = row.to_string();
    let without = pieces(&text).map(|piece| match piece {
        Piece::Time(_) => "T".to_owned(),
        Piece::Id(id) => ids.read(side, id),
        Piece::Text(text) => text.to_owned(),
    });
    without.collect()
}
