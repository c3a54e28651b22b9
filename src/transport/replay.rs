//! `ReplayStrategy`: how a request is made safe to send again, and how the second reply is read.

use std::collections::BTreeMap;

use reqwest::Url;
use serde_json::Value;
use serde_json::value::{RawValue, to_raw_value};
use uuid::Uuid;

use super::attempt_failure::{Effect, Failure};
use super::idempotency::{Idempotency, Key, UniqueName};
use super::operation::Operation;
use super::raw_reply::RawReply;
use super::request::Request;

/// Members of a JSON object, with their values as they are written.
pub(super) type Members = BTreeMap<String, Box<RawValue>>;

/// How a request may be sent again after an ambiguous attempt.
#[derive(Debug, PartialEq)]
pub(super) enum ReplayStrategy {
    /// Send the request again; the second reply is as good as the first.
    Resend,
    /// The same, unless the server may still be executing the first attempt.
    ResendInOrder,
    /// Send it again; a 404 then means that it was executed.
    NotFoundMeansDone,
    /// Send it again; it has a key that the server recognises. Another *call* would have another key, unless
    /// the caller has chosen it.
    Keyed { by_caller: bool },
    /// Look for the transition with this id among the run's states; if it was not executed, send it again.
    Transition {
        id: String,
        by_caller: bool,
        /// A rule of the server may replace it by another transition, which has no id.
        may_become_another: bool,
    },
    /// Send it again; a 409 then means that it was executed, if the object equals what was sent.
    ByName { url: Url, read_by: Operation },
    /// Do not send it again: it would be executed twice.
    Never,
    /// Do not send it again, even if the server refused it: a part may have been executed.
    NeverInParts,
}

impl ReplayStrategy {
    /// Adds the key to the body by which the server recognises this request, if it knows one. This comes before the first
    /// attempt; everything else can be found out when an attempt has failed.
    pub(super) fn by_key(operation: Operation, request: &mut Request) -> Option<Self> {
        match Idempotency::of(operation, &request.method) {
            Idempotency::ByKey(key) => Some(add_key(key, request).unwrap_or(Self::Never)),
            _ => None,
        }
    }

    /// Determines how this request, which has no key, may be sent again.
    pub(super) fn of(operation: Operation, request: &Request) -> Self {
        match Idempotency::of(operation, &request.method) {
            Idempotency::Safe | Idempotency::Idempotent => Self::Resend,
            Idempotency::IdempotentInOrder => Self::ResendInOrder,
            Idempotency::IdempotentUnlessRenamed => match members(request).contains_key("name") {
                true => Self::Never,
                false => Self::Resend,
            },
            Idempotency::IdempotentDelete => Self::NotFoundMeansDone,
            Idempotency::ByUniqueName(unique) => {
                let name = members(request).remove(unique.field);
                let name = name.and_then(|name| serde_json::from_str::<String>(name.get()).ok());
                let url = name.and_then(|name| object_url(&request.url, unique, &name));
                url.map_or(Self::Never, |url| Self::ByName {
                    url,
                    read_by: unique.read_by,
                })
            }
            Idempotency::IdempotentById(filter) => match has_all_ids(request, filter) {
                Some(true) => Self::Resend,
                _ => Self::NeverInParts,
            },
            // One with a key is not judged here.
            Idempotency::NotIdempotent | Idempotency::ByKey(_) => Self::Never,
            Idempotency::NotIdempotentInParts => Self::NeverInParts,
        }
    }

    /// The effect of a failure on this request.
    pub(super) fn effect(&self, effect: Effect) -> Effect {
        match (self, effect) {
            (Self::NeverInParts, Effect::RolledBack) => Effect::Ambiguous,
            (_, effect) => effect,
        }
    }

    /// Whether the request may be sent again after an ambiguous attempt.
    pub(super) fn is_allowed_after(&self, failure: &Failure) -> bool {
        match self {
            Self::Never | Self::NeverInParts => false,
            Self::ResendInOrder
            | Self::Transition {
                may_become_another: true,
                ..
            } => !failure.may_still_run(),
            _ => true,
        }
    }

    /// Whether another *call* is as safe as another attempt; an earlier attempt may still be running.
    pub(super) fn holds_for_another_call(&self, may_still_run: bool) -> bool {
        match self {
            Self::Resend | Self::NotFoundMeansDone => true,
            Self::ResendInOrder => !may_still_run,
            Self::Keyed { by_caller } | Self::Transition { by_caller, .. } => *by_caller,
            Self::ByName { .. } | Self::Never | Self::NeverInParts => false,
        }
    }
}

pub(super) fn members(request: &Request) -> Members {
    let body = request.body.as_deref();
    body.and_then(|body| serde_json::from_slice(body).ok())
        .unwrap_or_default()
}

/// Whether a filter of the body selects all objects by their ids. If its conditions are alternatives, the
/// ids do not restrict anything.
fn has_all_ids(request: &Request, filter: &str) -> Option<bool> {
    let mut body = members(request);
    let limit = body
        .remove("limit")
        .and_then(|limit| limit.get().parse().ok());
    let filter = body.remove(filter)?;
    let filter: Members = serde_json::from_str(filter.get()).ok()?;
    let ids: Members = serde_json::from_str(filter.get("id")?.get()).ok()?;
    let ids: Vec<Uuid> = serde_json::from_str(ids.get("any_")?.get()).ok()?;
    let all_apply = filter
        .get("operator")
        .is_none_or(|operator| operator.get() != r#""or_""#);
    // With a lower limit, a second request is executed for the next objects.
    let all_at_once = limit.is_none_or(|limit: usize| limit >= ids.len());
    Some(!ids.is_empty() && all_apply && all_at_once)
}

fn object_url(create: &Url, unique: UniqueName, name: &str) -> Option<Url> {
    let mut url = create.clone();
    let collection = create.path().trim_end_matches('/');
    let name = super::path::segment(name).ok()?;
    url.set_path(&format!("{collection}/{}{name}", unique.below));
    Some(url)
}

fn add_key(key: Key, request: &mut Request) -> Option<ReplayStrategy> {
    let body = request.body.as_deref()?;
    let (body, strategy) = match key {
        Key::FlowRun => {
            let mut run: Members = serde_json::from_slice(body).ok()?;
            let by_caller = add(&mut run, "idempotency_key");
            (
                serde_json::to_vec(&run),
                ReplayStrategy::Keyed { by_caller },
            )
        }
        Key::FlowRuns => {
            let mut runs: Vec<Members> = serde_json::from_slice(body).ok()?;
            let mut by_caller = true;
            for run in &mut runs {
                by_caller &= add(run, "idempotency_key");
            }
            (
                serde_json::to_vec(&runs),
                ReplayStrategy::Keyed { by_caller },
            )
        }
        Key::Transition => {
            let mut body: Members = serde_json::from_slice(body).ok()?;
            // A forced transition is executed whatever its id.
            if body.get("force").is_some_and(|force| force.get() == "true") {
                return None;
            }
            let mut state: Members = serde_json::from_str(body.get("state")?.get()).ok()?;
            let details = state.get("state_details").filter(|raw| is_given(raw));
            let mut details: Members = match details {
                Some(raw) => serde_json::from_str(raw.get()).ok()?,
                None => Members::new(),
            };
            let by_caller = add(&mut details, "transition_id");
            let id = serde_json::from_str(details.get("transition_id")?.get()).ok()?;
            state.insert("state_details".to_owned(), to_raw_value(&details).ok()?);
            body.insert("state".to_owned(), to_raw_value(&state).ok()?);
            let strategy = ReplayStrategy::Transition {
                id,
                by_caller,
                // The server turns a failure into a retry, if the run has retries left.
                may_become_another: state.get("type").is_none_or(|ty| ty.get() == r#""FAILED""#),
            };
            (serde_json::to_vec(&body), strategy)
        }
    };
    request.body = Some(body.ok()?.into());
    Some(strategy)
}

/// Adds a generated key unless the caller gave one; returns whether the caller did.
fn add(members: &mut Members, name: &str) -> bool {
    if members.get(name).is_some_and(|given| is_given(given)) {
        return true;
    }
    let key = to_raw_value(&Uuid::new_v4()).expect("a UUID is JSON");
    members.insert(name.to_owned(), key);
    false
}

/// Whether a key is set: the server ignores an empty one.
fn is_given(value: &RawValue) -> bool {
    !matches!(value.get(), "null" | r#""""#)
}

/// The reply that an earlier attempt of this call would have received for its transition.
pub(super) fn as_accepted(reply: &RawReply) -> Option<RawReply> {
    let mut result: Members = serde_json::from_slice(&reply.body).ok()?;
    let details: Value = serde_json::from_str(result.get("details")?.get()).ok()?;
    let rejected = result.get("status")?.get() == r#""REJECT""#;
    let reason = details.get("reason")?.as_str()?;
    if !rejected || !reason.contains("already made this state transition") {
        return None;
    }
    result.insert("status".to_owned(), to_raw_value("ACCEPT").ok()?);
    let accepted = serde_json::json!({"type": "accept_details"});
    result.insert("details".to_owned(), to_raw_value(&accepted).ok()?);
    Some(RawReply {
        body: serde_json::to_vec(&result).ok()?.into(),
        ..reply.clone()
    })
}
