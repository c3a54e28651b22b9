//! `Automation`: defines which actions to take when events happen, or do not.

use std::time::Duration;

use super::{actions, trigger};
use crate::error::{Error, Result};
use crate::types::{Action, AutomationCreate, AutomationUpdate, StateType, Trigger};

/// The definition of an automation: a trigger, and the actions that it starts.
///
/// [`build`](Self::build) returns the body that creates an automation, [`build_update`](Self::build_update)
/// the one that replaces it. The functions of [`actions`] and [`event`], [`absence_of`], [`all_of`],
/// [`any_of`], [`at_least`] and [`in_order`] return its parts; the types of the API are accepted as well.
/// (What the server returns is [`types::Automation`](crate::types::Automation).)
///
/// ```
/// use std::time::Duration;
/// use prefect_sdk::automations::{Automation, actions, event};
/// use serde_json::json;
///
/// # let id = uuid::Uuid::nil();
/// let automation = Automation::named("rerun on failure")
///     .description("Runs the repair when the ETL fails three times in ten minutes.")
///     .tag("ops")
///     .when(
///         event("prefect.flow-run.Failed")
///             .related("prefect.resource.role", "flow")
///             .related("prefect.resource.name", "etl")
///             .threshold(3)
///             .within(Duration::from_secs(600)),
///     )
///     .then(actions::run_deployment(id).parameters(json!({ "n": 1 })))
///     .on_trigger(actions::pause_automation_inferred())
///     .build()?;
/// assert_eq!(automation.actions.len(), 1);
/// // client.automations().create(&automation).await?;
/// # Ok::<(), prefect_sdk::Error>(())
/// ```
///
/// [`event`]: super::event
/// [`absence_of`]: super::absence_of
/// [`all_of`]: super::all_of
/// [`any_of`]: super::any_of
/// [`at_least`]: super::at_least
/// [`in_order`]: super::in_order
#[derive(Clone, Debug)]
#[must_use = "an automation is created by `client.automations().create(&automation.build()?)`"]
pub struct Automation {
    name: String,
    description: Option<String>,
    tags: Option<Vec<String>>,
    enabled: Option<bool>,
    trigger: Option<Trigger>,
    actions: Vec<Action>,
    on_trigger: Option<Vec<Action>>,
    on_resolve: Option<Vec<Action>>,
}

impl Automation {
    /// An automation with this name. Names need not be unique.
    pub fn named(name: impl Into<String>) -> Self {
        Self {
            name: name.into(),
            description: None,
            tags: None,
            enabled: None,
            trigger: None,
            actions: Vec::new(),
            on_trigger: None,
            on_resolve: None,
        }
    }

    /// An automation that sets a flow run to CRASHED when its process has sent no heartbeat for so long, which should be
    /// that of three heartbeats: 90 s for those of 30 s, 540 s for the default of 180 s. The server measures 10 s at least.
    ///
    /// Heartbeats are sent by Prefect's own client, and by the flows of this SDK (feature `flows`), also while a run waits to
    /// be tried again. A run that is paused or suspended in Python sends none: it is crashed, too, if that lasts longer.
    ///
    /// ```no_run
    /// # async fn example(client: prefect_sdk::Client) -> prefect_sdk::Result<()> {
    /// use std::time::Duration;
    /// use prefect_sdk::automations::Automation;
    ///
    /// let automation = Automation::crash_zombie_runs(Duration::from_secs(90)).build()?;
    /// client.automations().create(&automation).await?;
    /// # Ok(())
    /// # }
    /// ```
    pub fn crash_zombie_runs(within: Duration) -> Self {
        const HEARTBEAT: &str = "prefect.flow-run.heartbeat";

        let silence = trigger::absence_of(HEARTBEAT)
            .after(HEARTBEAT)
            .or("prefect.flow-run.Completed")
            .or("prefect.flow-run.Failed")
            .or("prefect.flow-run.Cancelled")
            .or("prefect.flow-run.Crashed")
            .matching("prefect.resource.id", "prefect.flow-run.*")
            .for_each("prefect.resource.id")
            .within(within);
        let crash = actions::change_flow_run_state(StateType::Crashed)
            .message("Flow run marked as crashed due to missing heartbeats.");
        Self::named("Crash zombie flow runs")
            .when(silence)
            .then(crash)
    }

    /// Sets the description.
    pub fn description(mut self, text: impl Into<String>) -> Self {
        self.description = Some(text.into());
        self
    }

    /// Adds a tag.
    pub fn tag(mut self, tag: impl Into<String>) -> Self {
        self.tags.get_or_insert_default().push(tag.into());
        self
    }

    /// Sets the trigger, replacing any earlier one.
    pub fn when(mut self, trigger: impl Into<Trigger>) -> Self {
        self.trigger = Some(trigger.into());
        self
    }

    /// Adds an action for each time the trigger fires. An inferred action takes its object from the event on
    /// which the trigger fired.
    pub fn then(mut self, action: impl Into<Action>) -> Self {
        self.actions.push(action.into());
        self
    }

    /// Adds an action for each time the automation becomes triggered. An inferred action takes its object
    /// from the event `prefect.automation.triggered`, which is about the automation: an action on an
    /// inferred flow run, deployment, queue or pool always fails here, and belongs to [`then`](Self::then).
    pub fn on_trigger(mut self, action: impl Into<Action>) -> Self {
        let actions = self.on_trigger.get_or_insert_default();
        actions.push(action.into());
        self
    }

    /// Adds an action for each time the automation is resolved. A self-hosted server (3.8) never resolves
    /// any.
    pub fn on_resolve(mut self, action: impl Into<Action>) -> Self {
        let actions = self.on_resolve.get_or_insert_default();
        actions.push(action.into());
        self
    }

    /// Switches the automation off: its trigger does not fire. A new automation is on by default.
    pub fn disabled(mut self) -> Self {
        self.enabled = Some(false);
        self
    }

    /// Returns the body for `client.automations().create(..)`.
    ///
    /// # Errors
    ///
    /// [`InvalidRequest`](crate::ErrorKind::InvalidRequest) when there is no trigger, and for what the
    /// server is known to refuse:
    ///
    /// * an absence with a `within` of more than 0 and less than 10 s, or a negative `within` of an event;
    /// * a trigger of no triggers, or a compound trigger that requires none, or more than it has;
    /// * an action that is `selected` and has no id, or is `inferred` and has one;
    /// * a run with a negative `schedule_after`;
    /// * runs that start one another: see [`run_deployment`](actions::run_deployment).
    ///
    /// An empty name, and an automation without actions, are accepted, as by the server.
    ///
    /// ```
    /// use std::time::Duration;
    /// use prefect_sdk::automations::{Automation, absence_of};
    ///
    /// let hasty = absence_of("prefect.flow-run.Completed").within(Duration::from_secs(5));
    /// let refused = Automation::named("late").when(hasty).build();
    /// assert!(refused.is_err_and(|error| error.is_invalid_request()));
    /// # Ok::<(), prefect_sdk::Error>(())
    /// ```
    #[inline]
    pub fn build(self) -> Result<AutomationCreate> {
        let parts = self.build_update()?;
        Ok(AutomationCreate {
            description: parts.description,
            enabled: parts.enabled,
            tags: parts.tags,
            actions_on_trigger: parts.actions_on_trigger,
            actions_on_resolve: parts.actions_on_resolve,
            ..AutomationCreate::new(parts.name, parts.trigger, parts.actions)
        })
    }

    /// Returns the body for `client.automations().update(..)`: its name, trigger and actions replace the
    /// existing ones. The server leaves unchanged what is not set here: description, tags, whether the
    /// automation is on, and the actions of `on_trigger` and `on_resolve`.
    ///
    /// # Errors
    ///
    /// The same as for [`build`](Self::build).
    ///
    /// ```
    /// use prefect_sdk::automations::{Automation, actions, event};
    ///
    /// let update = Automation::named("stop")
    ///     .when(event("prefect.flow-run.Late"))
    ///     .then(actions::cancel_flow_run())
    ///     .build_update()?
    ///     .enabled(true);
    /// // client.automations().update(id, &update).await?;
    /// # Ok::<(), prefect_sdk::Error>(())
    /// ```
    #[inline]
    pub fn build_update(self) -> Result<AutomationUpdate> {
        let Some(trigger) = self.trigger else {
            return Err(Error::invalid_request(
                "an automation needs a trigger: call `when(..)`",
            ));
        };
        trigger::check(&trigger)?;
        let all = [
            Some(&self.actions),
            self.on_trigger.as_ref(),
            self.on_resolve.as_ref(),
        ];
        all.into_iter()
            .flatten()
            .flatten()
            .try_for_each(actions::check)?;
        // A disabled automation starts nothing, and the server checks again when it is enabled.
        if self.enabled != Some(false) {
            actions::check_loop(&trigger, &self.actions)?;
        }
        Ok(AutomationUpdate {
            description: self.description,
            enabled: self.enabled,
            tags: self.tags,
            actions_on_trigger: self.on_trigger,
            actions_on_resolve: self.on_resolve,
            ..AutomationUpdate::new(self.name, trigger, self.actions)
        })
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use serde_json::{Value, json};
    use uuid::Uuid;

    use super::*;
    use crate::automations::{absence_of, all_of, any_of, at_least, event, in_order};

    fn sent(automation: Automation) -> Value {
        let automation = automation.build().expect("an automation");
        serde_json::to_value(automation).expect("JSON")
    }

    #[test]
    fn a_reactive_automation() {
        let trigger = event("prefect.flow-run.Failed")
            .matching("prefect.resource.id", "prefect.flow-run.*")
            .related("prefect.resource.name", "etl")
            .for_each("prefect.resource.id")
            .threshold(3)
            .within(Duration::from_secs(600));
        let run = actions::run_deployment(Uuid::nil()).parameters(json!({ "n": 1 }));
        let expected = json!({
            "name": "rerun", "tags": ["ops"],
            "trigger": {
                "type": "event", "posture": "Reactive", "expect": ["prefect.flow-run.Failed"],
                "match": { "prefect.resource.id": "prefect.flow-run.*" },
                "match_related": { "prefect.resource.name": "etl" },
                "for_each": ["prefect.resource.id"],
                "threshold": 3, "within": 600.0,
            },
            "actions": [{
                "type": "run-deployment", "source": "selected", "deployment_id": Uuid::nil(),
                "parameters": { "n": 1 },
            }],
        });
        let automation = Automation::named("rerun").tag("ops").when(trigger);
        assert_eq!(sent(automation.then(run)), expected);
    }

    #[test]
    fn a_proactive_automation() {
        let trigger = absence_of("done").or("failed").after("begun");
        let cancel = actions::cancel_flow_run();
        let expected = json!({
            "name": "stuck",
            "enabled": false,
            "trigger": {
                "type": "event", "posture": "Proactive", "expect": ["done", "failed"],
                "after": ["begun"], "within": 10.0,
            },
            "actions": [{ "type": "cancel-flow-run" }],
            "actions_on_trigger": [{ "type": "pause-automation", "source": "inferred" }],
        });
        let trigger = trigger.within(Duration::from_secs(10));
        let automation = Automation::named("stuck").when(trigger).disabled();
        let automation = automation.then(cancel);
        let pause = actions::pause_automation_inferred();
        assert_eq!(sent(automation.on_trigger(pause)), expected);
    }

    #[test]
    fn a_compound_automation() {
        let sequence = in_order([event("a"), event("b")]).within(Duration::from_secs(60));
        let trigger = at_least(1, [Trigger::from(sequence), event("c").into()]);
        let of = |event| json!({ "type": "event", "posture": "Reactive", "expect": [event] });
        let expected = json!({
            "name": "any",
            "trigger": {
                "type": "compound", "require": 1, "within": null,
                "triggers": [
                    { "type": "sequence", "within": 60.0, "triggers": [of("a"), of("b")] },
                    of("c"),
                ],
            },
            "actions": [],
        });
        assert_eq!(sent(Automation::named("any").when(trigger)), expected);
    }

    #[test]
    fn a_trigger_that_no_server_takes_is_refused() {
        let build = |trigger: Trigger| Automation::named("").when(trigger).build();
        let absence = |seconds| absence_of("a").within(Duration::from_secs(seconds));
        for refused in [
            all_of([absence(9)]),
            at_least(0, [event("a")]),
            at_least(2, [event("a")]),
            all_of(Vec::<Trigger>::new()),
            any_of(Vec::<Trigger>::new()),
        ] {
            let error = build(refused.into()).expect_err("a refusal");
            assert!(error.is_invalid_request(), "{error}");
        }
        for taken in [all_of([absence(0)]), all_of([event("a").threshold(0)])] {
            build(taken.into()).expect("an automation");
        }
        let nothing = all_of([Trigger::from(in_order(Vec::<Trigger>::new()))]);
        let error = build(nothing.into()).expect_err("a refusal");
        assert!(error.to_string().contains("never fires"), "{error}");
        assert!(Automation::named("no trigger").build().is_err());
    }
}
