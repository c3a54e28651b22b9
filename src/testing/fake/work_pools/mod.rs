//! Work pools, their queues and their workers.

mod emit;
mod events;
mod filter;
mod legacy;
mod old_queues;
mod order;
mod polls;
mod pool_changes;
mod poolless;
mod pools;
mod queue_changes;
mod queues;
mod request;
mod row;
mod scheduled;
mod services;
mod slots;
mod status;
mod workers;

use super::world::Handler;

pub(super) use emit::{ServerEvent, changes, emit, plain};
pub(super) use filter::is_in_queue;
pub(super) use poolless::ensure_poolless_queue;
pub(super) use queue_changes::{NewQueue, create_queue};
pub(super) use request::{at_least, is_plain, no_null};
pub(crate) use row::WorkPools;
pub(super) use services::tick;

pub(super) const HANDLERS: &[(&str, Handler)] = &[
    ("create_work_pool", pools::create),
    ("read_work_pool", pools::read),
    ("read_work_pools", pools::list),
    ("count_work_pools", pools::count),
    ("update_work_pool", pools::update),
    ("delete_work_pool", pools::delete),
    ("read_work_pool_concurrency_status", status::of_pool),
    ("get_scheduled_flow_runs", scheduled::of_pool),
    ("create_work_queue_for_work_pool", queues::create),
    ("read_work_queue_for_work_pool", queues::read),
    ("read_work_queues_for_work_pool", queues::list),
    ("update_work_queue_for_work_pool", queues::update),
    ("delete_work_queue_for_work_pool", queues::delete),
    ("worker_heartbeat", workers::heartbeat),
    ("read_workers", workers::list),
    ("delete_worker", workers::delete),
    ("create_work_queue", old_queues::create),
    ("read_work_queue", old_queues::read),
    ("read_work_queue_by_name", old_queues::read_by_name),
    ("read_work_queues", old_queues::list),
    ("update_work_queue", old_queues::update),
    ("delete_work_queue", old_queues::delete),
    ("read_work_queue_concurrency_status", status::of_queue),
    ("read_work_queue_status", status::health),
    ("read_work_queue_runs", scheduled::of_queue),
];
