//! The triggers: events that happen, events that do not, and several triggers together.

use std::collections::BTreeMap;
use std::time::Duration;

use crate::error::{Error, Result};
use crate::types::{
    CompoundTrigger, EventTrigger, EventTriggerMatchRelated, EventTriggerPosture, Field,
    LabelMatch, Seconds, SequenceTrigger, Trigger, TriggerQuorum, TriggerRequirement,
};

/// The values that are allowed for each label of a resource.
type Labels = BTreeMap<String, Vec<String>>;

/// A trigger that counts events; [`event`] and [`absence_of`] return one.
///
/// The name of an event may end in `*`, which stands for any text.
///
/// ```
/// use std::time::Duration;
/// use prefect_sdk::{types::EventTrigger, automations::event};
///
/// // One flow of the team fails or crashes three times within ten minutes.
/// let trigger = event("prefect.flow-run.Failed")
///     .or("prefect.flow-run.Crashed")
///     .matching("prefect.resource.name", "!test-*")
///     .related("prefect.resource.role", "tag")
///     .related("prefect.resource.id", "prefect.tag.team")
///     .for_each("related:flow:prefect.resource.id")
///     .threshold(3)
///     .within(Duration::from_secs(600));
/// assert_eq!(EventTrigger::from(trigger).threshold, Some(3));
/// # Ok::<(), prefect_sdk::Error>(())
/// ```
#[derive(Clone, Debug)]
#[must_use]
pub struct EventTriggerBuilder {
    trigger: EventTrigger,
    resource: Labels,
    related: Vec<Labels>,
}

/// Fires when an event happens (posture `Reactive`): at once, or as soon as it has happened
/// [`threshold`](EventTriggerBuilder::threshold) times [`within`](EventTriggerBuilder::within) a
/// time.
///
/// ```
/// use prefect_sdk::automations::{Automation, event};
///
/// Automation::named("no second chance").when(event("prefect.flow-run.AwaitingRetry")).build()?;
/// # Ok::<(), prefect_sdk::Error>(())
/// ```
pub fn event(event: impl Into<String>) -> EventTriggerBuilder {
    EventTriggerBuilder::new(EventTriggerPosture::Reactive, event)
}

/// Fires when an event does not happen [`within`](EventTriggerBuilder::within) a time (posture
/// `Proactive`), or happens fewer than [`threshold`](EventTriggerBuilder::threshold) times.
///
/// The time begins with the event of [`after`](EventTriggerBuilder::after); without one it begins again
/// whenever it is over. Without [`for_each`](EventTriggerBuilder::for_each) all runs share one time window,
/// and an action on a flow run acts on that of the last event, or fails. To detect that a run *stays* in a
/// state, use the absence of any other event:
///
/// ```
/// use std::time::Duration;
/// use prefect_sdk::automations::{Automation, absence_of, actions};
///
/// # let deployment_id = uuid::Uuid::nil();
/// // Each run of this deployment that is late for ten minutes is cancelled.
/// let late = absence_of("prefect.flow-run.*")
///     .after("prefect.flow-run.Late")
///     .related("prefect.resource.id", format!("prefect.deployment.{deployment_id}"))
///     .for_each("prefect.resource.id")
///     .within(Duration::from_secs(600));
/// Automation::named("late").when(late).then(actions::cancel_flow_run()).build()?;
/// # Ok::<(), prefect_sdk::Error>(())
/// ```
pub fn absence_of(event: impl Into<String>) -> EventTriggerBuilder {
    EventTriggerBuilder::new(EventTriggerPosture::Proactive, event)
}

impl EventTriggerBuilder {
    fn new(posture: EventTriggerPosture, event: impl Into<String>) -> Self {
        Self {
            trigger: EventTrigger::new(posture).expect([event]),
            resource: Labels::new(),
            related: Vec::new(),
        }
    }

    /// Adds an event that also counts (`expect`).
    pub fn or(mut self, event: impl Into<String>) -> Self {
        let events = self.trigger.expect.get_or_insert_default();
        events.push(event.into());
        self
    }

    /// Counts only after this event; if called several times, after any of these events.
    pub fn after(mut self, event: impl Into<String>) -> Self {
        let events = self.trigger.after.get_or_insert_default();
        events.push(event.into());
        self
    }

    /// Sets how many events it takes to fire or, for an absence, not to fire. The default is 1.
    pub fn threshold(mut self, events: u32) -> Self {
        self.trigger.threshold = Some(events.into());
        self
    }

    /// Sets the time in which events are counted. The default is 0 s; for an absence it is 10 s, which is
    /// also the minimum, and what 0 s means.
    ///
    /// After it has fired, a trigger waits for the rest of this time before it counts again: so it fires at
    /// most once in ten minutes, for example. Set it if the threshold is above 1: with 0 s the server
    /// counts only until its next sweep, after about a minute.
    pub fn within(mut self, time: Duration) -> Self {
        self.trigger.within = Some(time.into());
        self
    }

    /// Counts only events about a resource whose label has this value (`match`). In a value, `*` matches
    /// any text, `?` one character, `[..]` one of several characters; a leading `!` matches everything that
    /// the rest does not match. A resource without the label never matches.
    ///
    /// If called several times, all labels must match; of several values of one label, one must match, so two
    /// values with `!` match everything.
    pub fn matching(mut self, label: impl Into<String>, value: impl Into<String>) -> Self {
        allow(&mut self.resource, label, value);
        self
    }

    /// Counts only events that name a related resource whose label has this value (`match_related`).
    ///
    /// If called several times, it is about one related resource, with the rules of
    /// [`matching`](Self::matching).
    pub fn related(mut self, label: impl Into<String>, value: impl Into<String>) -> Self {
        let mut resource = self.related.pop().unwrap_or_default();
        allow(&mut resource, label, value);
        self.related.push(resource);
        self
    }

    /// Requires that events also name a further related resource; later calls of [`related`](Self::related)
    /// add labels to that one. Servers 3.0 support only one.
    pub fn also_related(mut self, label: impl Into<String>, value: impl Into<String>) -> Self {
        self.related.push(Labels::new());
        self.related(label, value)
    }

    /// Counts separately for each value of a label. `related:<role>:<label>` is the label of a related
    /// resource: `related:flow:prefect.resource.id` counts for each flow.
    pub fn for_each(mut self, label: impl Into<String>) -> Self {
        let labels = self.trigger.for_each.get_or_insert_default();
        labels.push(label.into());
        self
    }
}

fn allow(resource: &mut Labels, label: impl Into<String>, value: impl Into<String>) {
    resource.entry(label.into()).or_default().push(value.into());
}

fn specification(labels: Labels) -> BTreeMap<String, LabelMatch> {
    let values = |values: Vec<String>| match <[String; 1]>::try_from(values) {
        Ok([value]) => LabelMatch::Text(value),
        Err(values) => LabelMatch::List(values),
    };
    let labels = labels.into_iter();
    labels.map(|(label, all)| (label, values(all))).collect()
}

impl From<EventTriggerBuilder> for EventTrigger {
    fn from(builder: EventTriggerBuilder) -> Self {
        let mut trigger = builder.trigger;
        if !builder.resource.is_empty() {
            trigger.match_ = Some(specification(builder.resource));
        }
        let mut related: Vec<_> = builder.related.into_iter().map(specification).collect();
        trigger.match_related = if related.len() > 1 {
            Some(EventTriggerMatchRelated::List(related))
        } else {
            // A list of one means the same, and servers 3.0 accept no lists.
            related
                .pop()
                .map(EventTriggerMatchRelated::ResourceSpecification)
        };
        trigger
    }
}

impl From<EventTriggerBuilder> for Trigger {
    fn from(builder: EventTriggerBuilder) -> Self {
        Self::Event(builder.into())
    }
}

/// Fires when all of these triggers have fired, in any order.
///
/// Triggers of different kinds are converted to one type with `Trigger::from`.
///
/// ```
/// use std::time::Duration;
/// use prefect_sdk::{types::Trigger, automations::{all_of, any_of, event}};
///
/// let either = any_of([event("sales.loaded"), event("sales.skipped")]);
/// let both = all_of([Trigger::from(either), event("stock.loaded").into()]);
/// assert_eq!(both.within(Duration::from_secs(3600)).triggers.len(), 2);
/// # Ok::<(), prefect_sdk::Error>(())
/// ```
#[must_use]
pub fn all_of(triggers: impl IntoIterator<Item = impl Into<Trigger>>) -> CompoundTrigger {
    CompoundTrigger::new(triggers, Field::<Seconds>::NULL, TriggerQuorum::All)
}

/// Fires whenever one of these triggers fires.
///
/// ```
/// let either = prefect_sdk::automations::any_of([prefect_sdk::automations::event("won"), prefect_sdk::automations::event("lost")]);
/// # Ok::<(), prefect_sdk::Error>(())
/// ```
#[must_use]
pub fn any_of(triggers: impl IntoIterator<Item = impl Into<Trigger>>) -> CompoundTrigger {
    CompoundTrigger::new(triggers, Field::<Seconds>::NULL, TriggerQuorum::Any)
}

/// Fires when `count` of these triggers have fired; `count` is from 1 to the number of triggers.
///
/// ```
/// use prefect_sdk::automations::{at_least, event};
///
/// let quorum = at_least(2, [event("vote.north"), event("vote.south"), event("vote.west")]);
/// # Ok::<(), prefect_sdk::Error>(())
/// ```
#[must_use]
pub fn at_least(
    count: u32,
    triggers: impl IntoIterator<Item = impl Into<Trigger>>,
) -> CompoundTrigger {
    CompoundTrigger::new(triggers, Field::<Seconds>::NULL, i64::from(count))
}

/// Fires when all of these triggers have fired in this order.
///
/// ```
/// use std::time::Duration;
/// use prefect_sdk::automations::{event, in_order};
///
/// let sequence = in_order([event("load"), event("publish")]).within(Duration::from_secs(60));
/// # Ok::<(), prefect_sdk::Error>(())
/// ```
#[must_use]
pub fn in_order(triggers: impl IntoIterator<Item = impl Into<Trigger>>) -> SequenceTrigger {
    SequenceTrigger::new(triggers, Field::<Seconds>::NULL)
}

macro_rules! within {
    ($($name:ident)*) => {$(
        impl $name {
            /// Sets the time in which the triggers must fire. Null, the default, means any time.
            #[must_use]
            pub fn within(mut self, time: impl Into<Field<Seconds>>) -> Self {
                self.within = time.into();
                self
            }
        }
    )*};
}

within!(CompoundTrigger SequenceTrigger);

/// Refuses what the server would refuse, but often with an error about the wrong member of the union.
pub(super) fn check(trigger: &Trigger) -> Result<()> {
    match trigger {
        Trigger::Event(event) => check_within(event),
        Trigger::Compound(compound) => {
            check_requirement(compound)?;
            compound.triggers.iter().try_for_each(check)
        }
        Trigger::Sequence(sequence) => {
            check_any(&sequence.triggers)?;
            sequence.triggers.iter().try_for_each(check)
        }
        Trigger::Unknown(_) => Ok(()),
    }
}

fn check_within(event: &EventTrigger) -> Result<()> {
    let within = event.within.map_or(0.0, Seconds::as_f64);
    if within < 0.0 {
        return Err(Error::invalid_request("`within` of an event is negative"));
    }
    // The server turns 0 s into 10 s.
    let is_short = within > 0.0 && within < 10.0;
    if is_short && event.posture == EventTriggerPosture::Proactive {
        let message = format!("`within` of an absence must be at least 10 s, not {within} s");
        return Err(Error::invalid_request(message));
    }
    Ok(())
}

/// The server accepts a trigger of no triggers, which never fires: only its triggers make it look.
fn check_any(triggers: &[Trigger]) -> Result<()> {
    match triggers {
        [] => Err(Error::invalid_request(
            "a trigger of no triggers never fires",
        )),
        _ => Ok(()),
    }
}

fn check_requirement(compound: &CompoundTrigger) -> Result<()> {
    check_any(&compound.triggers)?;
    let count = compound.triggers.len();
    match compound.require {
        TriggerRequirement::Integer(require)
            if !usize::try_from(require).is_ok_and(|require| (1..=count).contains(&require)) =>
        {
            let message = format!("a compound trigger requires {require} of {count} triggers");
            Err(Error::invalid_request(message))
        }
        _ => Ok(()),
    }
}
