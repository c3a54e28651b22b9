//! Labels in the place of what differs from run to run: ids and times.

use std::collections::HashMap;

use chrono::{DateTime, TimeDelta, Utc};
use serde_json::Value;
use uuid::Uuid;

/// The labels of ids, in the order in which they were met, and the time that others are relative to.
#[derive(Debug)]
pub(super) struct Labels {
    begin: DateTime<Utc>,
    by_id: HashMap<Uuid, usize>,
    ids: HashMap<usize, Uuid>,
}

impl Labels {
    pub(super) fn new(begin: DateTime<Utc>) -> Self {
        Self {
            begin,
            by_id: HashMap::new(),
            ids: HashMap::new(),
        }
    }

    /// Replaces ids and times by labels: `#3`, `@+1.250`.
    pub(super) fn label(&mut self, value: &mut Value) {
        each_text(value, &mut |text| {
            if let Some(time) = time(text) {
                let seconds = (time - self.begin).as_seconds_f64();
                return Some(format!("@{seconds:+.6}"));
            }
            let mut out = String::new();
            let mut rest = text;
            let mut found = false;
            while let Some((before, id, after)) = next_id(rest) {
                let next = self.by_id.len() + 1;
                let number = *self.by_id.entry(id).or_insert(next);
                out += &format!("{before}#{number}#");
                rest = after;
                found = true;
            }
            found.then(|| out + rest)
        });
    }

    /// Puts ids and times into the place of labels. An id that no request has named gets one that depends on its label only.
    pub(super) fn unlabel(&self, value: &mut Value) {
        each_text(value, &mut |text| {
            if let Some(seconds) = text
                .strip_prefix('@')
                .and_then(|seconds| seconds.parse::<f64>().ok())
            {
                let micros = TimeDelta::microseconds((seconds * 1e6).round() as i64);
                let time = self.begin.checked_add_signed(micros)?;
                return Some(time.to_rfc3339_opts(chrono::SecondsFormat::Micros, true));
            }
            let mut out = String::new();
            let mut rest = text;
            while let Some((before, number, after)) = next_label(rest) {
                let id = self.ids.get(&number).copied();
                let id = id.unwrap_or_else(|| Uuid::from_u128(number as u128));
                out += &format!("{before}{id}");
                rest = after;
            }
            (!out.is_empty()).then(|| out + rest)
        });
    }

    /// Whether a request is the recorded one, but for its times and for ids that nobody has named before; those are kept in mind.
    pub(super) fn fits(&mut self, recorded: &Value, given: &Value) -> Result<(), String> {
        let mut named = Vec::new();
        self.compare("request", recorded, given, &mut named)?;
        for (number, id) in named {
            self.ids.insert(number, id);
        }
        Ok(())
    }

    fn compare(
        &self,
        path: &str,
        recorded: &Value,
        given: &Value,
        named: &mut Vec<(usize, Uuid)>,
    ) -> Result<(), String> {
        match (recorded, given) {
            (Value::Object(recorded), Value::Object(given)) => {
                if let Some(key) = given.keys().find(|key| !recorded.contains_key(*key)) {
                    return Err(format!("{path}.{key} is not in the recorded request"));
                }
                recorded
                    .iter()
                    .try_for_each(|(key, recorded)| match given.get(key) {
                        Some(given) => {
                            self.compare(&format!("{path}.{key}"), recorded, given, named)
                        }
                        None => Err(format!("{path}.{key} is missing")),
                    })
            }
            (Value::Array(recorded), Value::Array(given)) if recorded.len() == given.len() => {
                let mut pairs = recorded.iter().zip(given).enumerate();
                pairs.try_for_each(|(index, (recorded, given))| {
                    self.compare(&format!("{path}[{index}]"), recorded, given, named)
                })
            }
            (Value::String(recorded), Value::String(given)) => {
                let same = match recorded.starts_with('@') {
                    true => time(given).is_some(),
                    false => self.same_text(recorded, given, named),
                };
                match same {
                    true => Ok(()),
                    false => Err(format!("{path}: recorded {recorded:?}, now {given:?}")),
                }
            }
            (recorded, given) if recorded == given => Ok(()),
            (recorded, given) => Err(format!("{path}: recorded {recorded}, now {given}")),
        }
    }

    fn same_text(&self, recorded: &str, given: &str, named: &mut Vec<(usize, Uuid)>) -> bool {
        let (mut recorded, mut given) = (recorded, given);
        loop {
            match (next_label(recorded), next_id(given)) {
                (Some((before, number, after)), Some((given_before, id, given_after))) => {
                    let known = self.ids.get(&number).copied();
                    // What the server has named first has the id that depends on its label.
                    let known = known.or_else(|| (id.as_u128() == number as u128).then_some(id));
                    if before != given_before || known.is_some_and(|known| known != id) {
                        return false;
                    }
                    named.push((number, id));
                    (recorded, given) = (after, given_after);
                }
                (None, None) => return recorded == given,
                _ => return false,
            }
        }
    }
}

fn each_text(value: &mut Value, change: &mut dyn FnMut(&str) -> Option<String>) {
    match value {
        Value::String(text) => {
            if let Some(changed) = change(text) {
                *text = changed;
            }
        }
        Value::Array(items) => items.iter_mut().for_each(|item| each_text(item, change)),
        Value::Object(keys) => keys.values_mut().for_each(|value| each_text(value, change)),
        _ => {}
    }
}

fn time(text: &str) -> Option<DateTime<Utc>> {
    let looks_like_one = text.len() >= 20 && text.as_bytes().get(10) == Some(&b'T');
    looks_like_one.then(|| text.parse().ok()).flatten()
}

/// The first id in a text, and what is around it.
fn next_id(text: &str) -> Option<(&str, Uuid, &str)> {
    const LENGTH: usize = 36;
    let starts = text.char_indices().map(|(start, _)| start);
    starts.into_iter().find_map(|start| {
        let id = text.get(start..start + LENGTH)?;
        let id = Uuid::try_parse(id).ok()?;
        Some((&text[..start], id, &text[start + LENGTH..]))
    })
}

/// The first label in a text, and what is around it.
fn next_label(text: &str) -> Option<(&str, usize, &str)> {
    let mut from = 0;
    while let Some(start) = text[from..].find('#') {
        let start = from + start;
        let rest = &text[start + 1..];
        if let Some(end) = rest.find('#')
            && let Ok(number) = rest[..end].parse()
        {
            return Some((&text[..start], number, &rest[end + 1..]));
        }
        from = start + 1;
    }
    None
}
