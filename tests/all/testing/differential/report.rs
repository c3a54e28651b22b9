//! What a comparison has found, in words.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use serde_json::Value;

use super::compare::Difference;
use super::ids::{Ids, Side};
use super::operation::Operation;
use super::servers::Reply;

/// How many divergences are described; those of the same operation at the same place count as one.
const MAX_DESCRIBED: usize = 40;

/// How many events of one name are shown that one of the servers lacks.
const MAX_EVENTS: usize = 3;

/// How many characters of a reply are kept.
const MAX_SAID: usize = 400;

/// How many earlier operations on the same object are shown.
const HISTORY: usize = 8;

/// How many characters of a body are shown.
const MAX_BODY: usize = 300_000;

/// Where the two servers gave different replies.
pub struct Divergence {
    place: String,
    values: [String; 2],
    replies: [String; 2],
    /// The placeholder of the object that the server shows.
    shown: Option<String>,
    requests: [String; 2],
}

impl Divergence {
    pub fn new(
        ids: &Ids,
        operation: &Operation,
        fake: &Reply,
        real: &Reply,
        difference: Difference,
    ) -> Self {
        let request = |side| {
            let body = operation
                .body
                .as_ref()
                .map(|body| ids.write(side, &body.to_string()));
            format!(
                "{} {} {}",
                operation.method,
                ids.write(side, &operation.path),
                body.unwrap_or_default()
            )
        };
        let reply = |side, reply: &Reply| {
            format!(
                "{} {}",
                reply.status,
                ids.read(side, &without_nulls(&reply.body).to_string())
            )
        };
        Self {
            shown: difference
                .object
                .as_deref()
                .or(real.body["id"].as_str())
                .map(|id| ids.read(Side::Real, id)),
            place: difference.place,
            values: [difference.fake, difference.real],
            replies: [reply(Side::Fake, fake), reply(Side::Real, real)],
            requests: [request(Side::Fake), request(Side::Real)],
        }
    }
}

/// What a comparison has found.
#[derive(Default)]
pub struct Report {
    /// What was done, and what the real server said: to tell the history of an object.
    journal: Vec<(String, String)>,
    divergences: Vec<(String, String)>,
    counts: BTreeMap<String, usize>,
    /// What the fake does not do.
    pub refused: BTreeMap<String, usize>,
    /// How many operations of each kind had which replies.
    pub coverage: BTreeMap<String, BTreeMap<u16, usize>>,
}

impl Report {
    /// Notes an operation that both servers have executed.
    pub fn note(&mut self, ids: &Ids, operation: &Operation, reply: &Reply) {
        let status = reply.status;
        let said = match operation.only_reads() {
            true => String::new(),
            false => ids.read(Side::Real, &without_nulls(&reply.body).to_string()),
        };
        let said: String = said.chars().take(MAX_SAID).collect();
        self.journal
            .push((operation.shown(), format!("{status} {said}")));
        *self
            .coverage
            .entry(operation.template())
            .or_default()
            .entry(status)
            .or_default() += 1;
    }

    /// Notes an operation that the fake does not do.
    pub fn refuse(&mut self, operation: &Operation, reply: &Reply) {
        let why = reply.body["exception_message"].as_str().unwrap_or_default();
        let why = why.rsplit("does not do this: ").next().unwrap_or_default();
        let text = format!("{}: {why}", operation.template());
        *self.refused.entry(text).or_default() += 1;
    }

    /// Whether a request that names an object has failed as no request should.
    pub fn has_failed(&self, object: &str) -> bool {
        let failed =
            |(line, said): &(String, String)| said.starts_with("500") && line.contains(object);
        self.journal.iter().any(failed)
    }

    /// Whether operations of this kind have diverged.
    pub fn knows(&self, operation: &Operation) -> bool {
        let start = format!("{} at ", operation.template());
        self.counts.keys().any(|key| key.starts_with(&start))
    }

    /// Notes a divergence; the operation is noted already.
    pub fn diverge(&mut self, operation: &Operation, divergence: Divergence) {
        let mut key = format!("{} at {}", operation.template(), divergence.place);
        if matches!(divergence.place.as_str(), "status" | "content-type") {
            let [fake, real] = &divergence.values;
            let _ = write!(key, " ({fake}, not {real})");
        }
        let count = self.counts.entry(key.clone()).or_default();
        *count += 1;
        if *count > 1 || self.divergences.len() >= MAX_DESCRIBED {
            return;
        }
        let text = self.describe(operation, &divergence);
        self.divergences.push((key, text));
    }

    /// Notes an event that one of the servers has, and the other has not.
    pub fn note_event(&mut self, name: &str, of: &str, count: i64, event: String) {
        let key = format!("event {name}: only the {of} server has it");
        let counted = self.counts.entry(key.clone()).or_default();
        *counted += usize::try_from(count).unwrap_or(0);
        if self
            .divergences
            .iter()
            .filter(|(other, _)| *other == key)
            .count()
            < MAX_EVENTS
        {
            self.divergences.push((key, format!("  {event}\n")));
        }
    }

    fn describe(&self, operation: &Operation, divergence: &Divergence) -> String {
        let mut text = String::new();
        let [fake, real] = &divergence.values;
        let agent = operation.user_agent.unwrap_or("-");
        let _ = writeln!(
            text,
            "  operation {} (User-Agent {agent})",
            self.journal.len()
        );
        let _ = writeln!(
            text,
            "  at {}\n    fake: {}\n    real: {}",
            divergence.place,
            cut(fake),
            cut(real)
        );
        let _ = writeln!(text, "  request: {}", cut(&operation.shown()));
        let _ = writeln!(text, "  fake answers {}", cut(&divergence.replies[0]));
        let _ = writeln!(text, "  real answers {}", cut(&divergence.replies[1]));
        let _ = writeln!(
            text,
            "  as the fake saw it: {}",
            cut(&divergence.requests[0])
        );
        let _ = writeln!(
            text,
            "  as the real server saw it: {}",
            cut(&divergence.requests[1])
        );
        for line in self.history(operation, divergence.shown.as_deref()) {
            let _ = writeln!(text, "  before: {}", cut(&line));
        }
        text
    }

    /// The last operations that named an object of this one.
    fn history(&self, operation: &Operation, shown: Option<&str>) -> Vec<String> {
        let placeholders = |text: &str| -> Vec<String> {
            let parts = text.split('<').skip(1);
            let ids = parts.filter_map(|part| Some(format!("<{}>", part.split_once('>')?.0)));
            ids.collect()
        };
        let mut wanted = placeholders(&operation.path);
        wanted.extend(shown.map(str::to_owned).filter(|id| id != "<?>"));
        if wanted.iter().all(|id| id == "<?>") {
            let body = operation.body.as_ref().map(Value::to_string);
            wanted = placeholders(&body.unwrap_or_default());
        }
        let before = self.journal.len().saturating_sub(1);
        let mut lines: Vec<_> = self.journal[..before]
            .iter()
            .enumerate()
            .rev()
            .filter(|(_, (line, _))| wanted.iter().any(|id| line.contains(id.as_str())))
            .filter(|(_, (line, _))| !line.contains("/filter") && !line.contains("/count"))
            .take(HISTORY)
            .map(|(at, (line, status))| format!("{at}. {line} → {status}"))
            .collect();
        lines.reverse();
        lines
    }

    /// How many divergences there are, in how many operations.
    pub fn divergences(&self) -> (usize, usize) {
        (self.counts.len(), self.counts.values().sum())
    }

    /// How many operations both servers have executed.
    pub fn executed(&self) -> usize {
        self.journal.len()
    }

    /// How many operations the fake has refused.
    pub fn refusals(&self) -> usize {
        self.refused.values().sum()
    }

    /// All operations, a line each.
    pub fn journal(&self) -> String {
        let lines = self.journal.iter().enumerate();
        let lines = lines.map(|(at, (line, status))| format!("{at}. {line} → {status}\n"));
        lines.collect()
    }

    /// The divergences, a line each.
    pub fn summary(&self) -> String {
        let mut text = String::new();
        for (key, count) in &self.counts {
            let _ = writeln!(text, "  {count} × {key}");
        }
        text
    }

    /// All of it, in words.
    pub fn text(&self) -> String {
        let mut text = String::new();
        let (distinct, all) = self.divergences();
        let _ = writeln!(
            text,
            "{} operations, {distinct} divergences in {all} of them",
            self.executed()
        );
        text.push_str(&self.summary());
        for (number, (key, description)) in self.divergences.iter().enumerate() {
            let _ = writeln!(text, "\n{}. {key}\n{description}", number + 1);
        }
        let _ = writeln!(
            text,
            "\n{} operations that the fake does not do:",
            self.refusals()
        );
        for (what, count) in &self.refused {
            let _ = writeln!(text, "  {count} × {what}");
        }
        let _ = writeln!(text, "\nReplies by operation:");
        for (template, statuses) in &self.coverage {
            let statuses: Vec<_> = statuses
                .iter()
                .map(|(status, count)| format!("{count} × {status}"))
                .collect();
            let _ = writeln!(text, "  {template}: {}", statuses.join(", "));
        }
        text
    }
}

/// A body without its null keys, which hide the others.
fn without_nulls(body: &Value) -> Value {
    match body {
        Value::Array(list) => list.iter().map(without_nulls).collect(),
        Value::Object(keys) => {
            let kept = keys.iter().filter(|(_, value)| !value.is_null());
            kept.map(|(key, value)| (key.clone(), without_nulls(value)))
                .collect()
        }
        value => value.clone(),
    }
}

fn cut(text: &str) -> String {
    match text.char_indices().nth(MAX_BODY) {
        Some((end, _)) => format!("{}…", &text[..end]),
        None => text.to_owned(),
    }
}
