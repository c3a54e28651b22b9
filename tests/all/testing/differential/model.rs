//! `Model`: what the generator knows of the objects on both servers, and the choices it makes.

use std::collections::{BTreeMap, VecDeque};

use chrono::{DateTime, SecondsFormat, TimeDelta, Utc};
use fastrand::Rng;
use serde_json::{Value, json};

use super::operation::Operation;

/// A kind of object.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Kind {
    Artifact,
    Deployment,
    Flow,
    FlowRun,
    FlowRunState,
    Lease,
    Limit,
    Pool,
    Queue,
    Schedule,
    Tag,
    TaskRun,
    TaskRunState,
    /// A task run that events have told of.
    ToldTaskRun,
    Variable,
}

/// An object that both servers have, or have had.
#[derive(Clone, Debug, Default)]
pub struct Known {
    /// The placeholder for its id.
    pub id: String,
    pub name: String,
    /// The placeholder or the name of what it belongs to: the flow of a run, the pool of a queue.
    pub of: String,
}

/// What the generator knows.
pub struct Model {
    pub rng: Rng,
    /// The time at which the test has begun.
    start: DateTime<Utc>,
    counter: usize,
    known: BTreeMap<Kind, Vec<Known>>,
    /// Placeholders of ids that no object has.
    strangers: Vec<String>,
    /// Placeholders of ids for new objects.
    fresh: Vec<String>,
    /// What is to be done before anything else.
    pending: VecDeque<Operation>,
}

impl Model {
    pub fn new(seed: u64, strangers: Vec<String>, fresh: Vec<String>) -> Self {
        Self {
            rng: Rng::with_seed(seed),
            start: Utc::now(),
            counter: 0,
            known: BTreeMap::new(),
            strangers,
            fresh,
            pending: VecDeque::new(),
        }
    }

    /// Whether something happens that does so in this percentage of all cases.
    pub fn chance(&mut self, percent: u32) -> bool {
        self.rng.u32(..100) < percent
    }

    /// One of several values.
    pub fn one<T: Clone>(&mut self, of: &[T]) -> T {
        let at = self.rng.usize(..of.len());
        of[at].clone()
    }

    /// One of several values, each as often as its weight says.
    pub fn weighted<T: Clone>(&mut self, of: &[(u32, T)]) -> T {
        let all: u32 = of.iter().map(|(weight, _)| weight).sum();
        let mut left = self.rng.u32(..all);
        for (weight, value) in of {
            if left < *weight {
                return value.clone();
            }
            left -= weight;
        }
        of[0].1.clone()
    }

    /// A name that no other object has.
    pub fn new_name(&mut self, prefix: &str) -> String {
        self.counter += 1;
        format!("{prefix}-{}", self.counter)
    }

    /// An id that no object has.
    pub fn stranger(&mut self) -> String {
        let strangers = self.strangers.clone();
        self.one(&strangers)
    }

    /// An id for a new object, which is the same on both servers.
    pub fn fresh(&mut self) -> String {
        let fresh = self.fresh.pop();
        fresh.unwrap_or_else(|| self.stranger())
    }

    /// A time since the beginning of the test, later than all that this has returned before.
    pub fn tick(&mut self) -> Value {
        self.counter += 1;
        let millis = i64::try_from(self.counter).unwrap_or(0);
        let time = self.start + TimeDelta::milliseconds(millis);
        json!(time.to_rfc3339_opts(SecondsFormat::Micros, true))
    }

    /// Remembers an object by the reply to its creation.
    pub fn know(&mut self, kind: Kind, reply: &Value, of: &str) {
        let text = |key: &str| reply[key].as_str().unwrap_or_default().to_owned();
        let (id, name) = (text("id"), text("name"));
        if id.starts_with('<') && self.of(kind).iter().all(|known| known.id != id) {
            self.add(
                kind,
                Known {
                    id,
                    name,
                    of: of.to_owned(),
                },
            );
        }
    }

    pub fn add(&mut self, kind: Kind, known: Known) {
        self.known.entry(kind).or_default().push(known);
    }

    /// All known objects of a kind.
    pub fn of(&self, kind: Kind) -> &[Known] {
        self.known.get(&kind).map_or(&[], Vec::as_slice)
    }

    /// Some known object of a kind, rather one of the newest; rarely one that does not exist.
    pub fn any(&mut self, kind: Kind) -> Known {
        self.any_where(kind, |_| true)
    }

    pub fn any_where(&mut self, kind: Kind, condition: impl Fn(&Known) -> bool) -> Known {
        let known: Vec<Known> = self
            .of(kind)
            .iter()
            .filter(|known| condition(known))
            .cloned()
            .collect();
        if known.is_empty() || self.chance(2) {
            let id = self.stranger();
            return Known {
                id,
                name: "no-such-name".into(),
                of: self.stranger(),
            };
        }
        let newest = if self.chance(60) {
            known.len().min(6)
        } else {
            known.len()
        };
        self.one(&known[known.len() - newest..])
    }

    /// The ids of some known objects of a kind.
    pub fn ids(&mut self, kind: Kind) -> Vec<Value> {
        let count = self.weighted(&[(1, 0), (5, 1), (5, 3), (3, 8)]);
        (0..count).map(|_| json!(self.any(kind).id)).collect()
    }

    /// The names of some known objects of a kind.
    pub fn names(&mut self, kind: Kind) -> Vec<Value> {
        let count = self.weighted(&[(1, 0), (5, 1), (5, 3)]);
        (0..count).map(|_| json!(self.any(kind).name)).collect()
    }

    /// Forgets the objects that a path names: they are gone.
    pub fn forget(&mut self, path: &str) {
        for known in self.known.values_mut() {
            known.retain(|known| !path.contains(known.id.as_str()));
        }
    }

    /// Forgets one object.
    pub fn remove(&mut self, kind: Kind, id: &str) {
        if let Some(known) = self.known.get_mut(&kind) {
            known.retain(|known| known.id != id);
        }
    }

    /// Gives a name to a run to which each server has given one of its own.
    pub fn name_at_random(&mut self, id: &str, path: &str) {
        let table = if path.contains("task_run") {
            "task_runs"
        } else {
            "flow_runs"
        };
        let path = format!("/{table}/{id}");
        if self.pending.iter().all(|pending| pending.path != path) {
            let name = self.new_name("named");
            self.pending
                .push_back(Operation::patch(path, json!({"name": name})));
        }
    }

    /// What is to be done next.
    pub fn then(&mut self, operation: Operation) {
        self.pending.push_back(operation);
    }

    pub fn next_pending(&mut self) -> Option<Operation> {
        self.pending.pop_front()
    }

    /// A time that is this many minutes after the beginning of the test.
    pub fn at(&self, minutes: i64) -> Value {
        let time = self.start + TimeDelta::minutes(minutes);
        json!(time.to_rfc3339_opts(SecondsFormat::Micros, true))
    }

    /// A time that is far from now.
    pub fn time(&mut self) -> Value {
        let minutes = self.one(&[-4320, -1450, -600, -90, 65, 300, 1500, 4500]);
        self.at(minutes)
    }

    /// A time that has passed, or one that is to come.
    pub fn past(&mut self) -> Value {
        let minutes = self.one(&[-4320, -1450, -600, -90]);
        self.at(minutes)
    }

    pub fn future(&mut self) -> Value {
        let minutes = self.one(&[65, 300, 1500, 4500]);
        self.at(minutes)
    }
}
