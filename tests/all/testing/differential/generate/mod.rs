//! Random operations on all kinds of objects.

mod artifacts;
mod deployments;
mod flow_runs;
mod flows;
mod global_limits;
mod inputs;
mod logs;
mod mistakes;
mod schedules;
mod server;
mod states;
mod tag_limits;
mod task_events;
mod task_runs;
mod variables;
mod work_pools;
mod work_queues;

use super::model::Model;
use super::operation::Operation;

/// What makes one operation.
type Generate = fn(&mut Model) -> Operation;

/// What makes operations, with the weight of each.
type Choices = &'static [(u32, Generate)];

/// The operations on each kind of object, and how often there is one.
const KINDS: &[(u32, Choices)] = &[
    (8, flows::CHOICES),
    (30, flow_runs::CHOICES),
    (36, states::CHOICES),
    (20, task_runs::CHOICES),
    (4, task_events::CHOICES),
    (24, deployments::CHOICES),
    (10, schedules::CHOICES),
    (7, variables::CHOICES),
    (7, tag_limits::CHOICES),
    (11, global_limits::CHOICES),
    (6, logs::CHOICES),
    (10, artifacts::CHOICES),
    (12, work_pools::CHOICES),
    (7, work_queues::CHOICES),
    (5, inputs::CHOICES),
    (2, server::CHOICES),
];

/// How many of a hundred requests have a mistake.
const MISTAKES: u32 = 4;

/// The next operation.
pub fn next(model: &mut Model) -> Operation {
    if let Some(pending) = model.next_pending() {
        return pending;
    }
    let choices = model.weighted(KINDS);
    let generate = model.weighted(choices);
    let operation = generate(model);
    // Within filters, the fake only refuses what it does not know when there is a row to judge.
    match !operation.only_reads() && model.chance(MISTAKES) {
        true => mistakes::mistaken(model, operation),
        false => operation,
    }
}
