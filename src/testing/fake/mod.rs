//! A stateful fake of a Prefect server: what it does for each operation.
//!
//! Each resource has a module with a table of handlers, by the name of the operation. A handler reads the [`Call`], changes the
//! world, and answers by a [`Reply`] or a [`Refusal`]. What no handler does, and what a handler cannot do, is refused by
//! [`Refusal::unsupported`]. Time passes only by [`advance_to`], which does what the services of a server would have done by then.

mod admin;
mod artifacts;
mod call;
mod concurrency;
mod deployments;
mod events;
mod filter;
mod flow_run_inputs;
mod flow_runs;
mod flows;
mod graph;
mod labels;
mod lifecycle;
mod logs;
pub(crate) mod page;
mod reply;
mod table;
mod task_runs;
mod variables;
mod view;
mod work_pools;
mod world;

use std::collections::HashMap;
use std::sync::OnceLock;

use chrono::{DateTime, Utc};

pub(crate) use call::Call;
pub(crate) use events::Selection;
pub(crate) use reply::{Refusal, Reply};
pub(crate) use view::{
    all_events, flow_run, flow_runs, lines_of, propose_state, state_names, task_runs_of,
};
pub(crate) use world::World;

use world::Handler;

/// The handlers of all resources.
const HANDLERS: &[&[(&str, Handler)]] = &[
    admin::HANDLERS,
    artifacts::HANDLERS,
    concurrency::HANDLERS,
    deployments::HANDLERS,
    events::HANDLERS,
    flow_run_inputs::HANDLERS,
    flow_runs::HANDLERS,
    flows::HANDLERS,
    graph::HANDLERS,
    logs::HANDLERS,
    task_runs::HANDLERS,
    variables::HANDLERS,
    work_pools::HANDLERS,
];

/// Executes one request.
pub(crate) fn handle(world: &mut World, call: &Call<'_>) -> Result<Reply, Refusal> {
    match handlers().get(call.operation) {
        Some(handler) => handler(world, call),
        None => Err(Refusal::unsupported(format!(
            "the operation `{}`",
            call.operation
        ))),
    }
}

/// Lets the time of the server pass, and does what its services would have done by then.
pub(crate) fn advance_to(world: &mut World, now: DateTime<Utc>) {
    // A clock that is set back does not take the server back.
    world.now = world.now.max(now);
    if !world.has_services {
        return;
    }
    concurrency::tick(world);
    deployments::tick(world);
    work_pools::tick(world);
    flow_runs::tick(world);
}

/// The operations that the fake executes.
pub(crate) fn supported() -> Vec<&'static str> {
    let mut names: Vec<_> = handlers().keys().copied().collect();
    names.sort_unstable();
    names
}

fn handlers() -> &'static HashMap<&'static str, Handler> {
    static BY_NAME: OnceLock<HashMap<&'static str, Handler>> = OnceLock::new();
    BY_NAME.get_or_init(|| HANDLERS.iter().copied().flatten().copied().collect())
}
