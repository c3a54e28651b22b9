//! A line of the log, as the server stores it.

use std::fmt::{self, Write as _};

use chrono::{DateTime, Utc};
use tracing::Level;
use tracing::field::{Field, Visit};
use uuid::Uuid;

use crate::types::LogCreate;

/// What marks the end of a message that was cut.
const TRUNCATED: &str = "... [truncated]";

/// The bytes of JSON of a line beside its name and its message: the keys, two ids and the time.
const OVERHEAD_BYTES: usize = 250;

/// The server's number of a level. It knows the five of Python; that of TRACE is shown as a number.
pub(super) fn number(level: &Level) -> i64 {
    match *level {
        Level::ERROR => 40,
        Level::WARN => 30,
        Level::INFO => 20,
        Level::DEBUG => 10,
        Level::TRACE => 5,
    }
}

/// A line, and about how many bytes its JSON has.
pub(super) fn new(
    name: &str,
    level: i64,
    message: String,
    (flow_run, task_run): (Uuid, Option<Uuid>),
    at: DateTime<Utc>,
    max_bytes: usize,
) -> (LogCreate, usize) {
    // Databases cannot store it.
    let message = match message.contains('\0') {
        true => message.replace('\0', ""),
        false => message,
    };
    let message = cut(
        message,
        max_bytes.saturating_sub(OVERHEAD_BYTES + name.len()),
    );
    let bytes = OVERHEAD_BYTES + name.len() + json_length(&message);
    let mut line = LogCreate::new(name, level, message, at).flow_run_id(flow_run);
    line.task_run_id = task_run.into();
    (line, bytes)
}

/// Cuts a message to so many bytes of JSON, between two characters.
fn cut(mut message: String, max_bytes: usize) -> String {
    // Each byte is one of JSON, or six at most.
    if message.len() <= max_bytes / 6 || json_length(&message) <= max_bytes {
        return message;
    }
    let room = max_bytes.saturating_sub(TRUNCATED.len());
    let mut bytes = 0;
    let end = message.char_indices().find(|(_, c)| {
        bytes += json_length_of(*c);
        bytes > room
    });
    message.truncate(end.map_or(message.len(), |(at, _)| at));
    message.push_str(TRUNCATED);
    message
}

fn json_length(text: &str) -> usize {
    text.chars().map(json_length_of).sum()
}

fn json_length_of(c: char) -> usize {
    match c {
        '"' | '\\' | '\n' | '\r' | '\t' | '\u{8}' | '\u{c}' => 2,
        '\0'..='\u{1f}' => 6,
        c => c.len_utf8(),
    }
}

/// Writes the fields of an event as one text: the message, then `key=value`.
#[derive(Default)]
pub(super) struct Message {
    message: String,
    fields: String,
}

impl Message {
    pub(super) fn finish(mut self) -> String {
        if self.message.is_empty() {
            return self.fields.trim_start().to_owned();
        }
        self.message.push_str(&self.fields);
        self.message
    }
}

impl Visit for Message {
    fn record_debug(&mut self, field: &Field, value: &dyn fmt::Debug) {
        // Writing to a `String` never fails.
        let _ = match field.name() {
            "message" => write!(self.message, "{value:?}"),
            // What the `log` crate says of where a line is from.
            name if name.starts_with("log.") => Ok(()),
            name => write!(self.fields, " {name}={value:?}"),
        };
    }

    fn record_str(&mut self, field: &Field, value: &str) {
        match field.name() {
            "message" => self.message.push_str(value),
            _ => self.record_debug(field, &value),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_long_message_is_cut_between_characters() {
        let text = "ä\"".repeat(1000);
        let short = cut(text.clone(), 100);
        assert!(
            json_length(&short) <= 100 && short.ends_with(TRUNCATED),
            "{short}"
        );
        assert!(text.starts_with(short.trim_end_matches(TRUNCATED)));
        assert_eq!(cut(text.clone(), 10_000), text);
    }

    #[test]
    fn the_estimated_size_is_that_of_the_json() {
        let ids = (Uuid::new_v4(), Some(Uuid::new_v4()));
        for text in ["", "plain", "ä\n\u{1}\"\\", "日本語"] {
            let (line, bytes) = new("target", 20, text.to_owned(), ids, Utc::now(), 10_000);
            let json = serde_json::to_string(&line).expect("JSON").len();
            assert!(
                (bytes - 100..=bytes).contains(&json),
                "{text}: {json} of {bytes}"
            );
        }
    }
}
