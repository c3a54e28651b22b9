//! Whether two replies say the same, apart from ids and times.

use chrono::{DateTime, FixedOffset, NaiveDateTime};
use serde_json::{Map, Number, Value, json};

use super::ids::{Ids, Side};
use super::operation::Order;
use super::pieces::{Piece, pieces};
use super::rows::{self, Cut};

/// By how many seconds the times of the two servers may differ: the real one is asked a little later, and may be slow.
const TOLERANCE: f64 = 30.0;

/// Numbers of seconds that depend on when the request came.
const DURATIONS: [&str; 10] = [
    "time_in_current_state",
    "estimated_run_time",
    "estimated_start_time_delta",
    "total_run_time",
    "delay_seconds",
    "sum_estimated_run_time",
    "sum_estimated_lateness",
    "duration",
    "lateness",
    "avg_slot_occupancy_seconds",
];

/// Where two replies differ.
#[derive(Debug)]
pub struct Difference {
    /// The place in the reply, as `$.state.name`; elements of lists have no number.
    pub place: String,
    pub fake: String,
    pub real: String,
    /// The real id of the object in which they differ.
    pub object: Option<String>,
}

/// What is learnt from two replies that say the same.
#[derive(Debug, Default)]
pub struct Found {
    /// Ids that were at the same place.
    pub ids: Vec<[String; 2]>,
    /// The ids of objects to which each server has given a random name.
    pub unnamed: Vec<[String; 2]>,
}

/// Compares two replies.
pub struct Comparison<'a> {
    pub ids: &'a Ids,
    pub order: Order,
    /// The most rows that the request asks for.
    pub limit: usize,
    /// Whether the request asks for rows behind others.
    pub skips: bool,
    pub open: &'static [&'static str],
    pub ignored: &'static [&'static str],
    pub found: Found,
}

type Outcome = Result<(), Difference>;

impl<'a> Comparison<'a> {
    /// A comparison of replies whose lists are in the order in which they came.
    pub fn new(ids: &'a Ids) -> Self {
        Self {
            ids,
            order: Order::Given,
            limit: usize::MAX,
            skips: false,
            open: &[],
            ignored: &[],
            found: Found::default(),
        }
    }
}

impl Comparison<'_> {
    /// Compares two values at this place of the reply.
    pub fn values(&mut self, place: &str, fake: &Value, real: &Value) -> Outcome {
        match (fake, real) {
            _ if self.ignored.contains(&place) => Ok(()),
            (Value::Object(a), Value::Object(b)) => self.objects(place, a, b),
            (Value::Array(a), Value::Array(b)) => self.lists(place, a, b),
            (Value::String(a), Value::String(b)) => self.texts(place, a, b),
            (Value::Number(a), Value::Number(b)) if is_duration(place, a) => {
                let difference = a.as_f64().zip(b.as_f64()).map(|(a, b)| (a - b).abs());
                let is_same = difference.is_some_and(|seconds| seconds <= TOLERANCE)
                    && a.is_f64() == b.is_f64();
                same(is_same, place, fake, real)
            }
            _ => same(fake == real, place, fake, real),
        }
    }

    fn objects(
        &mut self,
        place: &str,
        fake: &Map<String, Value>,
        real: &Map<String, Value>,
    ) -> Outcome {
        // An object may have ids for keys.
        let named = |side, keys: &Map<String, Value>| {
            let mut keys: Vec<_> = keys
                .keys()
                .map(|key| (self.ids.read(side, key), key.clone()))
                .collect();
            keys.sort();
            keys
        };
        let (a, b) = (named(Side::Fake, fake), named(Side::Real, real));
        let missing = |from: &[(String, String)], than: &[(String, String)]| {
            from.iter()
                .find(|(key, _)| than.iter().all(|(other, _)| other != key))
                .map(|(key, _)| key.clone())
        };
        if let Some(key) = missing(&b, &a) {
            return different(&format!("{place}.{key}"), "no such key", "this key");
        }
        if let Some(key) = missing(&a, &b) {
            return different(&format!("{place}.{key}"), "this key", "no such key");
        }
        for ((key, a), (_, b)) in a.iter().zip(&b) {
            let (Some(x), Some(y)) = (fake.get(a), real.get(b)) else {
                continue;
            };
            match (key.as_str(), x, y) {
                ("name", Value::String(x), Value::String(y))
                    if x != y && is_random_name(x) && is_random_name(y) =>
                {
                    if let (Some(Value::String(a)), Some(Value::String(b))) =
                        (fake.get("id"), real.get("id"))
                    {
                        self.found.unnamed.push([a.clone(), b.clone()]);
                    }
                }
                // Sets of the server: so are the joined tags of a deployment and of its run.
                (key, Value::Array(x), Value::Array(y)) if is_set(key, real) => {
                    for (x, y) in rows::paired(self.ids, Order::Open, Cut::default(), x, y) {
                        self.values(&format!("{place}.{key}[]"), x, y)?;
                    }
                    same(
                        x.len() == y.len(),
                        &format!("{place}.{key}"),
                        &json!(x),
                        &json!(y),
                    )?;
                }
                _ => {
                    let outcome = self.values(&format!("{place}.{key}"), x, y);
                    outcome.map_err(|difference| within(difference, real))?;
                }
            }
        }
        Ok(())
    }

    fn lists(&mut self, place: &str, fake: &[Value], real: &[Value]) -> Outcome {
        if fake.len() != real.len() {
            let shown = |side, list: &[Value]| {
                let rows: Vec<_> = list
                    .iter()
                    .map(|row| rows::brief(self.ids, side, row))
                    .collect();
                format!("{} elements: {}", list.len(), rows.join(", "))
            };
            let (fake, real) = (shown(Side::Fake, fake), shown(Side::Real, real));
            return different(&format!("{place}[]"), &fake, &real);
        }
        let is_top = matches!(place, "$" | "$.results");
        let cut = Cut {
            before: is_top && self.skips,
            after: is_top && real.len() >= self.limit,
        };
        let is_open = self.open.contains(&place);
        let order = if is_open {
            Order::Open
        } else if is_top {
            self.order
        } else {
            Order::Given
        };
        for (a, b) in rows::paired(self.ids, order, cut, fake, real) {
            self.values(&format!("{place}[]"), a, b)?;
        }
        Ok(())
    }

    /// Compares two texts piece by piece: a message may contain ids and times.
    fn texts(&mut self, place: &str, fake: &str, real: &str) -> Outcome {
        if fake == real {
            return Ok(());
        }
        let (a, b): (Vec<_>, Vec<_>) = (pieces(fake).collect(), pieces(real).collect());
        let mut is_same = a.len() == b.len();
        for pair in a.iter().zip(&b) {
            is_same &= match pair {
                (Piece::Text(a), Piece::Text(b)) => a == b,
                (Piece::Time(a), Piece::Time(b)) => are_near(a, b),
                (Piece::Id(a), Piece::Id(b)) => self.are_same(a, b),
                _ => false,
            };
        }
        if is_same {
            return Ok(());
        }
        different(
            place,
            &self.ids.read(Side::Fake, fake),
            &self.ids.read(Side::Real, real),
        )
    }

    fn are_same(&mut self, fake: &str, real: &str) -> bool {
        let known = (
            self.ids.number(Side::Fake, fake),
            self.ids.number(Side::Real, real),
        );
        if let (None, None) = known {
            let found = &mut self.found.ids;
            let knows = |pair: &[String; 2]| (pair[0] == fake, pair[1] == real);
            return match found
                .iter()
                .map(knows)
                .find(|known| *known != (false, false))
            {
                Some(known) => known == (true, true),
                None => {
                    found.push([fake.to_owned(), real.to_owned()]);
                    true
                }
            };
        }
        known.0 == known.1
    }
}

fn is_duration(place: &str, number: &Number) -> bool {
    let last = place.rsplit('.').next().unwrap_or_default();
    // A reply that is a fraction is an average of durations.
    (place == "$" && number.is_f64()) || DURATIONS.contains(&last)
}

/// Whether two times have one shape, and are near each other.
///
/// A fraction has six digits, or is left out where it is zero; the fake writes three digits where they are enough. The fake says all times in UTC; a real server returns some with the offset that
/// it was given.
fn are_near(fake: &str, real: &str) -> bool {
    let shape = |text: &str| {
        let end = text
            .find(['Z', '+'])
            .or_else(|| text[11..].find('-').map(|at| at + 11));
        let fraction = end.unwrap_or(text.len()) - "2026-01-01T00:00:00".len();
        let has_known_fraction = matches!(fraction, 0 | 4 | 7);
        let offset = end.map_or("", |at| &text[at..]);
        let offset = if offset.is_empty() { "" } else { "Z" };
        (text[10..11].to_owned(), has_known_fraction, offset)
    };
    let between = time(fake)
        .zip(time(real))
        .map(|(fake, real)| (fake - real).num_milliseconds().abs());
    fake.ends_with('Z') >= real.ends_with('Z')
        && shape(fake) == shape(real)
        && between.is_some_and(|millis| millis as f64 <= TOLERANCE * 1000.0)
}

/// The time that a text is.
pub fn time(text: &str) -> Option<DateTime<FixedOffset>> {
    let text = text.replace(' ', "T");
    let naive = || {
        text.parse::<NaiveDateTime>()
            .ok()
            .map(|time| time.and_utc().fixed_offset())
    };
    DateTime::parse_from_rfc3339(&text).ok().or_else(naive)
}

/// Whether a name may be one that a server has made: an adjective and an animal.
pub fn is_random_name(name: &str) -> bool {
    let words: Vec<_> = name.split('-').collect();
    let is_word =
        |word: &&str| word.len() > 1 && word.bytes().all(|byte| byte.is_ascii_lowercase());
    words.len() == 2 && words.iter().all(is_word)
}

fn same(is_same: bool, place: &str, fake: &Value, real: &Value) -> Outcome {
    if is_same {
        Ok(())
    } else {
        different(place, &fake.to_string(), &real.to_string())
    }
}

/// Whether the list under a key of an object is a set of the server's, and so in no order.
fn is_set(key: &str, object: &Map<String, Value>) -> bool {
    key == "pause_keys"
        || key == "tags" && object.get("deployment_id").is_some_and(Value::is_string)
}

/// Notes the object in which two replies differ.
fn within(mut difference: Difference, object: &Map<String, Value>) -> Difference {
    if difference.object.is_none() {
        difference.object = object.get("id").and_then(Value::as_str).map(str::to_owned);
    }
    difference
}

fn different(place: &str, fake: &str, real: &str) -> Outcome {
    Err(Difference {
        place: place.to_owned(),
        fake: fake.to_owned(),
        real: real.to_owned(),
        object: None,
    })
}
