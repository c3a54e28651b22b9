//! The actions: what an automation does when its trigger fires.
//!
//! Each function returns a type of the API, whose other fields are set by chaining. The object of an action
//! is either selected by its id, or inferred (`.._inferred`): the first object of its kind that the
//! triggering event names; if the event names none, the action fails. Flow runs are always inferred. Texts
//! and parameters may be Jinja templates, such as `{{ flow_run.name }}`.
//!
//! ```
//! use prefect_sdk::automations::{Automation, actions, event};
//! use serde_json::json;
//!
//! # let (deployment_id, block_id) = (uuid::Uuid::nil(), uuid::Uuid::nil());
//! let repair = actions::run_deployment(deployment_id)
//!     .parameters(json!({ "failed": "{{ flow_run.name }}" }))
//!     .schedule_after(60);
//! let notify = actions::send_notification(block_id, "{{ flow_run.name }} failed").subject("ETL");
//! Automation::named("repair")
//!     .when(event("prefect.flow-run.Failed"))
//!     .then(repair)
//!     .then(notify)
//!     .build()?;
//! # Ok::<(), prefect_sdk::Error>(())
//! ```

use uuid::Uuid;

use crate::error::{Error, Result};
use crate::types::{
    Action, ActionSource, CallWebhook, CancelFlowRun, ChangeFlowRunState, DeleteFlowRun, DoNothing,
    EventTriggerMatchRelated, EventTriggerPosture, LabelMatch, PauseAutomation, PauseDeployment,
    PauseWorkPool, PauseWorkQueue, ResourceSpecification, ResumeAutomation, ResumeDeployment,
    ResumeFlowRun, ResumeWorkPool, ResumeWorkQueue, RunDeployment, SendNotification, StateType,
    SuspendFlowRun, Trigger,
};

/// The actions on an object that has an id: for each a function that takes the id, and one that leaves it to
/// the server to infer.
macro_rules! by_id {
    ($($(#[$doc:meta])* $named:ident $inferred:ident $action:ident $id:ident,)*) => {
        $(
            $(#[$doc])*
            ///
            /// ```
            #[doc = concat!("let action = prefect_sdk::automations::actions::", stringify!($named), "(uuid::Uuid::nil());")]
            #[doc = concat!("assert!(action.", stringify!($id), ".is_some());")]
            /// # Ok::<(), prefect_sdk::Error>(())
            /// ```
            #[must_use]
            pub fn $named($id: Uuid) -> $action {
                $action::new().source(ActionSource::Selected).$id($id)
            }

            #[doc = concat!("Like [`", stringify!($named), "`], for the object the triggering event names.")]
            ///
            /// ```
            #[doc = concat!("let action = prefect_sdk::automations::actions::", stringify!($inferred), "();")]
            #[doc = concat!("assert!(action.", stringify!($id), ".is_none());")]
            /// # Ok::<(), prefect_sdk::Error>(())
            /// ```
            #[must_use]
            pub fn $inferred() -> $action {
                $action::new().source(ActionSource::Inferred)
            }
        )*

        /// The source of an action's id, whether the action has one, and the name of the id's field.
        fn source(action: &Action) -> Option<(&ActionSource, bool, &'static str)> {
            let (source, has_id, id) = match action {
                $(Action::$action(action) => {
                    (&action.source, action.$id.is_some(), stringify!($id))
                })*
                _ => return None,
            };
            // The server's default.
            let source = source.as_ref().unwrap_or(&ActionSource::Selected);
            Some((source, has_id, id))
        }
    };
}

by_id! {
    /// Runs a deployment: `parameters`, `job_variables` and `schedule_after` (seconds or a
    /// `Duration`) are those of the run.
    ///
    /// The server refuses an automation that may loop forever: one that is enabled, triggers on the event
    /// `prefect.flow-run.Scheduled`, `.Pending`, `.Running` or `.*`, and runs an inferred deployment;
    /// or a selected one, when neither `matching` nor `related` restricts the flow runs.
    run_deployment run_deployment_inferred RunDeployment deployment_id,
    /// Pauses a deployment: its schedules start no more runs.
    pause_deployment pause_deployment_inferred PauseDeployment deployment_id,
    /// Resumes a deployment that is paused.
    resume_deployment resume_deployment_inferred ResumeDeployment deployment_id,
    /// Pauses a work queue.
    pause_work_queue pause_work_queue_inferred PauseWorkQueue work_queue_id,
    /// Resumes a work queue that is paused.
    resume_work_queue resume_work_queue_inferred ResumeWorkQueue work_queue_id,
    /// Pauses a work pool.
    pause_work_pool pause_work_pool_inferred PauseWorkPool work_pool_id,
    /// Resumes a work pool that is paused.
    resume_work_pool resume_work_pool_inferred ResumeWorkPool work_pool_id,
    /// Switches an automation off.
    pause_automation pause_automation_inferred PauseAutomation automation_id,
    /// Switches an automation on.
    resume_automation resume_automation_inferred ResumeAutomation automation_id,
}

/// The actions without arguments.
macro_rules! plain {
    ($($(#[$doc:meta])* $name:ident $action:ident,)*) => {$(
        $(#[$doc])*
        ///
        /// ```
        #[doc = concat!("let action = prefect_sdk::automations::actions::", stringify!($name), "();")]
        /// # Ok::<(), prefect_sdk::Error>(())
        /// ```
        #[must_use]
        pub fn $name() -> $action {
            $action::new()
        }
    )*};
}

plain! {
    /// Cancels the flow run.
    cancel_flow_run CancelFlowRun,
    /// Deletes the flow run. Servers 3.6 and older do not know this action.
    delete_flow_run DeleteFlowRun,
    /// Suspends the flow run: its process ends, and it can be resumed for an hour.
    suspend_flow_run SuspendFlowRun,
    /// Resumes the flow run that is paused or suspended.
    resume_flow_run ResumeFlowRun,
    /// Does nothing; that the automation was triggered is still recorded as an event.
    do_nothing DoNothing,
}

/// Sets the state of the flow run; `name`, `message` and `force` can be added.
///
/// ```
/// use prefect_sdk::{types::StateType, automations::actions};
///
/// let action = actions::change_flow_run_state(StateType::Failed).message("too late");
/// # Ok::<(), prefect_sdk::Error>(())
/// ```
#[must_use]
pub fn change_flow_run_state(state: StateType) -> ChangeFlowRunState {
    ChangeFlowRunState::new(state)
}

/// Sends a text through a notification block; `subject` can be added. The block's id is, for example, that of
/// `client.block_types().get_document("slack-webhook", "ops").await?`.
///
/// ```
/// # let block_id = uuid::Uuid::nil();
/// let action = prefect_sdk::automations::actions::send_notification(block_id, "{{ flow.name }} is late");
/// # Ok::<(), prefect_sdk::Error>(())
/// ```
#[must_use]
pub fn send_notification(block_document_id: Uuid, body: impl Into<String>) -> SendNotification {
    SendNotification::new(block_document_id, body)
}

/// Calls the webhook of a webhook block; `payload`, a text, can be added.
///
/// ```
/// # let block_id = uuid::Uuid::nil();
/// let action = prefect_sdk::automations::actions::call_webhook(block_id).payload("{{ event.id }}");
/// # Ok::<(), prefect_sdk::Error>(())
/// ```
#[must_use]
pub fn call_webhook(block_document_id: Uuid) -> CallWebhook {
    CallWebhook::new(block_document_id)
}

/// Refuses what the server would refuse, but with an error about the wrong member of the union.
pub(super) fn check(action: &Action) -> Result<()> {
    if let Action::RunDeployment(run) = action
        && run.schedule_after.is_some_and(|time| time.as_f64() < 0.0)
    {
        return Err(Error::invalid_request("`schedule_after` is negative"));
    }
    let problem = match source(action) {
        Some((ActionSource::Selected, false, id)) => format!("a selected action needs its `{id}`"),
        Some((ActionSource::Inferred, true, id)) => format!("an inferred action takes no `{id}`"),
        _ => return Ok(()),
    };
    Err(Error::invalid_request(problem))
}

/// Refuses, as the server does, runs that would each start another one, forever.
pub(super) fn check_loop(trigger: &Trigger, actions: &[Action]) -> Result<()> {
    let Trigger::Event(event) = trigger else {
        return Ok(());
    };
    // The events of every run of a deployment.
    const EVENTS_OF_EVERY_RUN: [&str; 4] = [
        "prefect.flow-run.Scheduled",
        "prefect.flow-run.Pending",
        "prefect.flow-run.Running",
        ALL_FLOW_RUNS,
    ];
    let mut expected = event.expect.iter().flatten();
    if event.posture != EventTriggerPosture::Reactive
        || !expected.any(|event| EVENTS_OF_EVERY_RUN.contains(&event.as_str()))
    {
        return Ok(());
    }
    let fits_all_related = match &event.match_related {
        None => true,
        Some(EventTriggerMatchRelated::ResourceSpecification(one)) => fits_every_run(one),
        Some(EventTriggerMatchRelated::List(several)) => several.iter().any(fits_every_run),
        Some(EventTriggerMatchRelated::Unknown(_)) => false,
    };
    let fits_all = fits_all_related && event.match_.as_ref().is_none_or(fits_every_run);
    let is_loop = actions.iter().any(|action| match (action, source(action)) {
        (Action::RunDeployment(_), Some((ActionSource::Inferred, ..))) => true,
        (Action::RunDeployment(_), Some((ActionSource::Selected, ..))) => fits_all,
        _ => false,
    });
    if is_loop {
        return Err(Error::invalid_request(
            "each run would start the next: name the deployment, and narrow the trigger by `matching` or `related`",
        ));
    }
    Ok(())
}

/// As the value of a label, this matches every flow run; as the name of an event, every event of a flow run.
const ALL_FLOW_RUNS: &str = "prefect.flow-run.*";

fn fits_every_run(resource: &ResourceSpecification) -> bool {
    let fits = |label: &LabelMatch| match label {
        LabelMatch::Text(value) => value == ALL_FLOW_RUNS,
        LabelMatch::List(values) => values.iter().any(|value| value == ALL_FLOW_RUNS),
        LabelMatch::Unknown(_) => false,
    };
    match resource.len() {
        0 => true,
        1 => resource.get("prefect.resource.id").is_some_and(fits),
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use super::super::{Automation, all_of, event};
    use super::*;

    #[test]
    fn an_action_that_no_server_takes_is_refused() {
        let run = || run_deployment(Uuid::nil());
        let on = |trigger: Trigger| Automation::named("").when(trigger);
        let any = || on(event("a").into());
        let started =
            || event("prefect.flow-run.Running").matching("prefect.resource.id", ALL_FLOW_RUNS);
        let of_etl = || on(started().related("prefect.resource.name", "etl").into());
        for refused in [
            any().on_resolve(RunDeployment::new()),
            any().then(run().source(ActionSource::Inferred)),
            any().then(run().schedule_after(-1)),
            on(started().into()).then(run()),
            of_etl().then(run_deployment_inferred()),
        ] {
            let error = refused.build().expect_err("a refusal");
            assert!(error.is_invalid_request(), "{error}");
        }
        for taken in [
            on(started().into()).then(run()).disabled(),
            on(started().into()).on_trigger(run()),
            on(all_of([started()]).into()).then(run()),
            of_etl().then(run()),
        ] {
            taken.build().expect("an automation");
        }
    }
}
