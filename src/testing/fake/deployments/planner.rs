//! The scheduler: it plans the runs of deployments with schedules.

use chrono::{DateTime, TimeDelta, Utc};
use serde_json::{Value, json};
use uuid::Uuid;

use super::dates::dates;
use super::row::Deployment;
use super::run_parts::{keep_name, merged, run_labels};
use crate::testing::fake::call::Call;
use crate::testing::fake::flow_runs::{NewRun, create_run};
use crate::testing::fake::reply::{Refusal, Reply};
use crate::testing::fake::world::{World, row};
use crate::types::{
    CreatedBy, DeploymentSchedule, Schedule, ScheduleDeploymentRequest, StateCreate, StateType,
};

/// How many runs of a schedule are planned at least, and at most, and how far ahead.
const MIN_RUNS: i64 = 3;
const MAX_RUNS: i64 = 100;
const MIN_AHEAD: TimeDelta = TimeDelta::hours(1);
const MAX_AHEAD: TimeDelta = TimeDelta::days(100);

/// How often the scheduler looks at all deployments, and at those that have just changed.
const LOOP: TimeDelta = TimeDelta::seconds(60);
const LOOP_OF_CHANGED: TimeDelta = TimeDelta::seconds(5);

/// How often it looks at most when a clock is set far ahead.
const MAX_LOOPS: i32 = 10_000;

/// What is planned.
struct Plan {
    start: DateTime<Utc>,
    end: DateTime<Utc>,
    min_ahead: TimeDelta,
    min_runs: i64,
    max_runs: i64,
}

impl Plan {
    fn from(start: DateTime<Utc>) -> Self {
        Self {
            start,
            end: start + MAX_AHEAD,
            min_ahead: MIN_AHEAD,
            min_runs: MIN_RUNS,
            max_runs: MAX_RUNS,
        }
    }
}

pub(super) fn schedule(world: &mut World, call: &Call<'_>) -> Result<Reply, Refusal> {
    let id = call.id("id")?;
    // This operation takes a request without a body, too.
    let body = match call.body {
        [] => ScheduleDeploymentRequest::new(),
        _ => call.decode()?,
    };
    let start = body.start_time.unwrap_or(world.now);
    let mut plan = Plan::from(start);
    plan.end = body.end_time.unwrap_or(plan.end);
    plan.min_runs = body.min_runs.unwrap_or(plan.min_runs);
    plan.max_runs = body.max_runs.unwrap_or(plan.max_runs);
    if let Some(seconds) = body.min_time {
        let seconds = seconds.as_f64();
        let micros = (seconds * 1e6).round() as i64;
        plan.min_ahead = TimeDelta::microseconds(micros);
    }
    plan_runs(world, id, &plan)?;
    Ok(Reply::ok(&Value::Null))
}

/// Does what the scheduler would have done by now.
pub(crate) fn tick(world: &mut World) {
    let now = world.now;
    let planned = *world.deployments.planned.get_or_insert(now);
    let changed = *world.deployments.planned_changed.get_or_insert(now);
    if now - changed >= LOOP_OF_CHANGED {
        world.deployments.planned_changed = Some(now);
        // Nothing has changed since it last looked but in the five seconds thereafter: later requests had it look again.
        let since = changed - TimeDelta::seconds(1);
        each(world, changed + LOOP_OF_CHANGED, &|_, row| {
            row.shown.updated.is_some_and(|at| at >= since)
        });
    }
    if now - planned < LOOP {
        return;
    }
    let has_schedule = |row: &Deployment| row.schedules().iter().any(is_active);
    let is_idle = !world.deployments.rows.iter().any(has_schedule);
    // The runs that would have been planned on the way are planned, too.
    let step = LOOP.max((now - planned) / MAX_LOOPS);
    let mut at = planned;
    while now - at >= step {
        at += step;
        if !is_idle {
            each(world, at, &needs_runs);
        }
    }
    world.deployments.planned = Some(at);
}

type Condition<'a> = dyn Fn(&World, &Deployment) -> bool + 'a;

/// Plans the runs of the deployments that fulfil a condition, as of a time.
fn each(world: &mut World, at: DateTime<Utc>, condition: &Condition<'_>) {
    let now = std::mem::replace(&mut world.now, at);
    let rows = world.deployments.rows.iter();
    let chosen = rows.filter(|row| {
        row.shown.paused != Some(true)
            && row.schedules().iter().any(is_active)
            && condition(world, row)
    });
    let chosen: Vec<Uuid> = chosen.map(|row| row.shown.id).collect();
    for id in chosen {
        // The service logs what it cannot plan, and goes on. The fake has refused such a schedule when it was created.
        drop(plan_runs(world, id, &Plan::from(at)));
    }
    world.now = now;
}

fn is_active(schedule: &DeploymentSchedule) -> bool {
    schedule.active != Some(false)
}

/// Whether a schedule of the deployment has fewer runs ahead than it should.
fn needs_runs(world: &World, row: &Deployment) -> bool {
    let now = world.now;
    let schedules = row
        .schedules()
        .iter()
        .filter(|schedule| is_active(schedule));
    let mut ahead: Vec<(Uuid, i64, Option<DateTime<Utc>>)> =
        schedules.map(|schedule| (schedule.id, 0, None)).collect();
    for run in world.flow_runs.rows.iter() {
        let shown = &run.shown;
        if *shown.deployment_id != Some(row.shown.id)
            || shown.auto_scheduled != Some(true)
            || shown.state_type.as_ref() != Some(&StateType::Scheduled)
        {
            continue;
        }
        let Some(at) = shown.next_scheduled_start_time.filter(|at| *at >= now) else {
            continue;
        };
        let of = shown.created_by.as_ref().and_then(|by| *by.id);
        if let Some(held) = ahead.iter_mut().find(|(id, ..)| Some(*id) == of) {
            held.1 += 1;
            held.2 = held.2.max(Some(at));
        }
    }
    ahead.iter().any(|(_, count, last)| {
        *count < MIN_RUNS || last.is_some_and(|last| last < now + MIN_AHEAD)
    })
}

/// Plans the runs of all active schedules of a deployment; those that are planned already stay.
fn plan_runs(world: &mut World, id: Uuid, plan: &Plan) -> Result<(), Refusal> {
    let Some(row) = world.deployments.rows.get(id) else {
        return Ok(());
    };
    let mut runs = Vec::new();
    for schedule in row
        .schedules()
        .iter()
        .filter(|schedule| is_active(schedule))
    {
        let mut count = 0;
        for date in dates(&schedule.schedule, plan.start, plan.end, plan.max_runs)? {
            runs.push(planned_run(row, schedule, date)?);
            count += 1;
            if count >= plan.min_runs && date >= plan.start + plan.min_ahead {
                break;
            }
        }
    }
    let stored_name = row.shown.work_queue_name.clone().into_option();
    for run in runs {
        let (run, is_new) = create_run(world, run)?;
        if !is_new {
            continue;
        }
        keep_name(world, run, stored_name.clone());
        if let Some(run) = world.flow_runs.rows.get_mut(run) {
            // The scheduler writes states by itself, which do not know their run.
            let states = run.states.iter_mut().chain(run.shown.state.as_mut());
            for details in states.filter_map(|state| state.state_details.as_mut()) {
                details.flow_run_id = None.into();
            }
        }
    }
    Ok(())
}

fn planned_run(
    row: &Deployment,
    schedule: &DeploymentSchedule,
    date: DateTime<chrono::FixedOffset>,
) -> Result<NewRun, Refusal> {
    let shown = &row.shown;
    let mut state = StateCreate::new(StateType::Scheduled).message("Flow run scheduled".to_owned());
    state.state_details.get_or_insert_default().scheduled_time = date.with_timezone(&Utc).into();
    // As Python writes the date.
    let date = match date.timestamp_subsec_micros() {
        0 => date.format("%Y-%m-%d %H:%M:%S%:z"),
        _ => date.format("%Y-%m-%d %H:%M:%S%.6f%:z"),
    };
    let slug = schedule.slug.as_deref().filter(|slug| !slug.is_empty());
    let kind = match &schedule.schedule {
        Schedule::Interval(_) => "IntervalSchedule",
        Schedule::Cron(_) => "CronSchedule",
        _ => "RRuleSchedule",
    };
    let created_by: CreatedBy = self::row(json!({
        "id": schedule.id, "type": "SCHEDULE", "display_value": slug.unwrap_or(kind),
    }))?;
    let own = shown.tags.iter().flatten().cloned();
    Ok(NewRun {
        flow_id: shown.flow_id,
        state,
        name: None,
        deployment_id: shown.id.into(),
        deployment_version: shown.version.clone().into_option(),
        flow_version: None,
        parameters: merged(shown.parameters.as_ref(), schedule.parameters.as_ref()),
        context: json!({}).into(),
        tags: std::iter::once("auto-scheduled".to_owned())
            .chain(own)
            .collect(),
        labels: run_labels(row, None),
        empirical_policy: None,
        idempotency_key: Some(format!("scheduled {} {} {date}", shown.id, schedule.id)),
        parent_task_run_id: None,
        infrastructure_document_id: None,
        job_variables: Some(json!({}).into()),
        work_queue_id: *shown.work_queue_id,
        auto_scheduled: true,
        is_shown: false,
        created_by: Some(created_by),
    })
}
