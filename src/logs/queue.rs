//! `Queue`: the lines that wait to be sent, bounded by their bytes.

use std::collections::{HashMap, VecDeque};
use std::sync::{Mutex, MutexGuard, PoisonError};

use chrono::{DateTime, SubsecRound as _, TimeDelta, Utc};
use tokio::sync::{Notify, watch};
use uuid::Uuid;

use super::line;
use crate::types::LogCreate;

/// The most bytes of lines that wait, or are being sent.
const MAX_QUEUED_BYTES: usize = 64 << 20;

/// The most lines in one request.
const MAX_LINES_PER_REQUEST: usize = 1000;

/// The name of the lines that are written here.
const OWN_NAME: &str = "prefect.flow_runs";

const WARNING: i64 = 30;

/// What is sent, and how.
#[derive(Clone, Copy, Debug)]
pub(super) struct Limits {
    pub line_bytes: usize,
    pub batch_bytes: usize,
}

/// The lines that wait. Adding one never blocks for longer than another thread adds or takes some.
pub(super) struct Queue {
    state: Mutex<State>,
    pub wake: Notify,
    /// How many lines are settled, of those that were ever queued.
    settled: watch::Sender<u64>,
}

struct State {
    limits: Limits,
    lines: VecDeque<(LogCreate, usize)>,
    /// The bytes of the lines that wait or are being sent.
    bytes: usize,
    queued: u64,
    /// How many lines of each run were lost since the last notice.
    lost: HashMap<Uuid, u64>,
    last: DateTime<Utc>,
    flushes: usize,
    is_closed: bool,
}

/// Lines that are sent together.
pub(super) struct Batch {
    pub lines: Vec<LogCreate>,
    bytes: usize,
}

impl Queue {
    pub(super) fn new() -> Self {
        Self {
            state: Mutex::new(State {
                limits: Limits {
                    line_bytes: 1_000_000,
                    batch_bytes: 4_000_000,
                },
                lines: VecDeque::new(),
                bytes: 0,
                queued: 0,
                lost: HashMap::new(),
                last: DateTime::UNIX_EPOCH,
                flushes: 0,
                is_closed: false,
            }),
            wake: Notify::new(),
            settled: watch::Sender::new(0),
        }
    }

    pub(super) fn limit(&self, limits: Limits) {
        self.state().limits = limits;
    }

    /// Adds a line; if there is no room, it is counted as lost.
    pub(super) fn push(&self, name: &str, level: i64, message: String, ids: (Uuid, Option<Uuid>)) {
        let mut state = self.state();
        let wakes = state.push(name, level, message, ids);
        drop(state);
        if wakes {
            self.wake.notify_one();
        }
    }

    /// Takes the next lines that are sent together, if there are any.
    pub(super) fn take(&self) -> Option<Batch> {
        let mut state = self.state();
        let mut batch = Batch {
            lines: Vec::new(),
            bytes: 0,
        };
        while batch.lines.len() < MAX_LINES_PER_REQUEST
            && let Some((_, bytes)) = state.lines.front()
            && (batch.lines.is_empty() || batch.bytes + bytes <= state.limits.batch_bytes)
            && let Some((line, bytes)) = state.lines.pop_front()
        {
            batch.bytes += bytes + 1;
            batch.lines.push(line);
        }
        (!batch.lines.is_empty()).then_some(batch)
    }

    /// Whether there is no reason to wait for more lines.
    pub(super) fn is_urgent(&self) -> bool {
        let state = self.state();
        state.is_full_batch() || state.flushes > 0 || state.is_closed
    }

    /// Counts lines of a batch as lost.
    pub(super) fn lose(&self, lines: &[LogCreate]) {
        let mut state = self.state();
        for run in lines.iter().filter_map(|line| *line.flow_run_id) {
            *state.lost.entry(run).or_default() += 1;
        }
    }

    /// Frees the room of lines that were sent, or are lost.
    pub(super) fn settle(&self, batch: Batch) {
        let lines = batch.lines.len() as u64;
        let mut state = self.state();
        state.bytes = state.bytes.saturating_sub(batch.bytes);
        drop(state);
        self.settled.send_modify(|settled| *settled += lines);
    }

    /// Waits until the lines that are queued now are settled, and says in the log how many are lost.
    pub(super) async fn flush(&self) {
        let until = {
            let mut state = self.state();
            state.tell_losses();
            state.flushes += 1;
            state.queued
        };
        let _flush = Flush(self);
        self.wake.notify_one();
        // This fails only if the sender is dropped, which lives as long as this.
        let mut settled = self.settled.subscribe();
        let _ = settled.wait_for(|settled| *settled >= until).await;
    }

    pub(super) fn close(&self) {
        self.state().is_closed = true;
        self.wake.notify_one();
    }

    pub(super) fn is_closed(&self) -> bool {
        self.state().is_closed
    }

    /// How many lines wait.
    pub(super) fn waiting(&self) -> u64 {
        self.state().queued - *self.settled.borrow()
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Makes lines urgent until this is dropped.
struct Flush<'a>(&'a Queue);

impl Drop for Flush<'_> {
    fn drop(&mut self) {
        self.0.state().flushes -= 1;
    }
}

impl State {
    /// Adds a line; returns whether the sender is to be woken.
    fn push(&mut self, name: &str, level: i64, message: String, ids: (Uuid, Option<Uuid>)) -> bool {
        self.push_within(MAX_QUEUED_BYTES, name, level, message, ids)
    }

    fn push_within(
        &mut self,
        max_bytes: usize,
        name: &str,
        level: i64,
        message: String,
        ids: (Uuid, Option<Uuid>),
    ) -> bool {
        // Each line has a later time than the one before, because the server orders lines by nothing else.
        let at = Utc::now().trunc_subsecs(6);
        let at = at.max(self.last + TimeDelta::microseconds(1));
        let (line, bytes) = line::new(name, level, message, ids, at, self.limits.line_bytes);
        if self.bytes + bytes > max_bytes || self.is_closed {
            *self.lost.entry(ids.0).or_default() += 1;
            return false;
        }
        self.last = at;
        let was_full = self.is_full_batch();
        self.bytes += bytes + 1;
        self.queued += 1;
        self.lines.push_back((line, bytes));
        self.lines.len() == 1 || !was_full && self.is_full_batch()
    }

    fn is_full_batch(&self) -> bool {
        self.lines.len() >= MAX_LINES_PER_REQUEST
            || self.bytes + self.limits.line_bytes >= self.limits.batch_bytes
    }

    fn tell_losses(&mut self) {
        for (run, lost) in std::mem::take(&mut self.lost) {
            let plural = if lost == 1 { "line is" } else { "lines are" };
            let why = "they came faster than the server took them, or it refused them";
            let message = format!("{lost} {plural} lost: {why}.");
            // There is always room for it.
            self.push_within(usize::MAX, OWN_NAME, WARNING, message, (run, None));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_are_bounded_and_losses_are_told() {
        let (queue, run) = (Queue::new(), Uuid::new_v4());
        let text = "x".repeat(900_000);
        for _ in 0..100 {
            queue.push("t", 20, text.clone(), (run, None));
        }
        let kept = queue.waiting();
        assert!((60..80).contains(&kept), "{kept}");
        let mut taken = 0;
        while let Some(batch) = queue.take() {
            assert!(batch.bytes <= 4_000_000 + 10);
            taken += batch.lines.len() as u64;
            queue.settle(batch);
        }
        assert_eq!(taken, kept);
        queue.state().tell_losses();
        let told = queue.take().expect("a line").lines.remove(0).message;
        assert!(
            told.starts_with(&format!("{} lines are lost", 100 - kept)),
            "{told}"
        );
    }

    #[test]
    fn times_rise() {
        let (queue, run) = (Queue::new(), Uuid::new_v4());
        for _ in 0..1000 {
            queue.push("t", 20, "x".to_owned(), (run, None));
        }
        let batch = queue.take().expect("lines");
        assert!(
            batch
                .lines
                .windows(2)
                .all(|pair| pair[0].timestamp < pair[1].timestamp)
        );
    }
}
