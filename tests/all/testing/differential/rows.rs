//! Which rows of two lists belong together, where the order of the list leaves that open.

use serde_json::Value;

use super::compare::time;
use super::ids::{Ids, Side};
use super::operation::Order;
use super::pieces::{Piece, pieces};

/// Where a list is cut.
#[derive(Clone, Copy, Debug, Default)]
pub struct Cut {
    pub before: bool,
    pub after: bool,
}

/// The pairs of rows that are to be compared.
///
/// Where the list is cut within rows that are in no order, which of them it shows is open, and none of them is compared.
pub fn paired<'a>(
    ids: &Ids,
    order: Order,
    cut: Cut,
    fake: &'a [Value],
    real: &'a [Value],
) -> Vec<(&'a Value, &'a Value)> {
    let (mut a, mut b): (Vec<_>, Vec<_>) = (fake.iter().collect(), real.iter().collect());
    match order {
        Order::Given => {}
        Order::Open if cut.before || cut.after => return Vec::new(),
        Order::Open => {
            arrange(ids, Side::Fake, &mut a);
            arrange(ids, Side::Real, &mut b);
        }
        // What has the same key for the real server is in no order; that the fake has the same there follows from the comparison.
        Order::By(keys) => {
            let mut pairs = Vec::new();
            let mut start = 0;
            while start < b.len() {
                let is_same = |row: &&&Value| key(row, keys) == key(b[start], keys);
                let end = start + b[start..].iter().take_while(is_same).count();
                arrange(ids, Side::Fake, &mut a[start..end]);
                arrange(ids, Side::Real, &mut b[start..end]);
                if !(start == 0 && cut.before || end == b.len() && cut.after) {
                    let real = b[start..end].iter().copied();
                    pairs.extend(a[start..end].iter().copied().zip(real));
                }
                start = end;
            }
            return pairs;
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
pub fn timeless(ids: &Ids, side: Side, row: &Value) -> String {
    let text = row.to_string();
    let without = pieces(&text).map(|piece| match piece {
        Piece::Time(_) => "T".to_owned(),
        Piece::Id(id) => ids.read(side, id),
        Piece::Text(text) => text.to_owned(),
    });
    without.collect()
}
