//! Making a request one that can be repeated, and reading the reply to its repetition.

use std::collections::BTreeMap;

use reqwest::{Request, Url};
use serde_json::Value;
use serde_json::value::{RawValue, to_raw_value};
use uuid::Uuid;

use super::failure::{Effect, Failure};
use super::operation::{Key, Operation, Place, Twice};
use super::reply::Reply;

/// Members of a JSON object, with their values as they are written.
pub(super) type Members = BTreeMap<String, Box<RawValue>>;

/// What may be done when nobody knows whether a request was carried out.
#[derive(Debug, PartialEq)]
pub(super) enum Repeat {
    /// Send it again; the second reply is as good as the first.
    Plain,
    /// The same, unless the first may still be on its way.
    InTurn,
    /// Send it again; a 404 then says that it was carried out.
    GoneIsDone,
    /// Send it again; it has a key that the server knows. Calling once more makes another key,
    /// unless the caller has chosen it.
    Keyed { by_caller: bool },
    /// Look for the transition of this id among the run's states; if it was not made, send it again.
    Transition {
        id: String,
        by_caller: bool,
        /// A rule of the server's may make it another one, which has no id.
        may_become_another: bool,
    },
    /// Send it again; a 409 then says that it was carried out if what is there is what was sent.
    Named { url: Url, read_by: Operation },
    /// Nothing: it would be done twice.
    Never,
    /// Nothing, not even if the server refused it: a part may have been done.
    NeverInParts,
}

impl Repeat {
    /// How this request may be repeated; keys that it needs are added to its body.
    pub fn prepare(operation: Operation, request: &mut Request) -> Self {
        match operation.twice(request.method()) {
            Twice::Nothing | Twice::Same => Self::Plain,
            Twice::SameInTurn => Self::InTurn,
            Twice::SameUnlessRenamed => match members(request).contains_key("name") {
                true => Self::Never,
                false => Self::Plain,
            },
            Twice::Gone => Self::GoneIsDone,
            Twice::Keyed(key) => add_key(key, request).unwrap_or(Self::Never),
            Twice::Taken(place) => {
                let name = members(request).remove(place.field);
                let name = name.and_then(|name| serde_json::from_str::<String>(name.get()).ok());
                let url = name.and_then(|name| lookup(request.url(), place, &name));
                url.map_or(Self::Never, |url| Self::Named {
                    url,
                    read_by: place.read_by,
                })
            }
            Twice::SameById(filter) => match names_objects(request, filter) {
                Some(true) => Self::Plain,
                _ => Self::NeverInParts,
            },
            Twice::Double => Self::Never,
            Twice::DoubleInParts => Self::NeverInParts,
        }
    }

    /// What a failure with this effect leaves open.
    pub fn effect(&self, effect: Effect) -> Effect {
        match (self, effect) {
            (Self::NeverInParts, Effect::Refused) => Effect::Unknown,
            (_, effect) => effect,
        }
    }

    /// Whether the request may be sent again when nobody knows whether it was carried out.
    pub fn is_allowed_after(&self, failure: &Failure) -> bool {
        match self {
            Self::Never | Self::NeverInParts => false,
            Self::InTurn
            | Self::Transition {
                may_become_another: true,
                ..
            } => !failure.may_still_be_done(),
            _ => true,
        }
    }

    /// Whether *calling* again is as good as sending again, when an earlier attempt is perhaps late.
    pub fn holds_for_another_call(&self, late: bool) -> bool {
        match self {
            Self::Plain | Self::GoneIsDone => true,
            Self::InTurn => !late,
            Self::Keyed { by_caller } | Self::Transition { by_caller, .. } => *by_caller,
            Self::Named { .. } | Self::Never | Self::NeverInParts => false,
        }
    }
}

pub(super) fn members(request: &Request) -> Members {
    let body = request.body().and_then(reqwest::Body::as_bytes);
    body.and_then(|body| serde_json::from_slice(body).ok())
        .unwrap_or_default()
}

/// Whether a filter of the body says which objects are meant, by their ids. Among alternatives the ids
/// are not the only ones.
fn names_objects(request: &Request, filter: &str) -> Option<bool> {
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
    // With a lower limit, a second request is about the next of them.
    let all_at_once = limit.is_none_or(|limit: usize| limit >= ids.len());
    Some(!ids.is_empty() && all_apply && all_at_once)
}

fn lookup(create: &Url, place: Place, name: &str) -> Option<Url> {
    let mut url = create.clone();
    let collection = create.path().trim_end_matches('/');
    let name = super::path::segment(name).ok()?;
    url.set_path(&format!("{collection}/{}{name}", place.below));
    Some(url)
}

fn add_key(key: Key, request: &mut Request) -> Option<Repeat> {
    let body = request.body()?.as_bytes()?;
    let (body, repeat) = match key {
        Key::FlowRun => {
            let mut run: Members = serde_json::from_slice(body).ok()?;
            let by_caller = add(&mut run, "idempotency_key");
            (serde_json::to_vec(&run), Repeat::Keyed { by_caller })
        }
        Key::FlowRuns => {
            let mut runs: Vec<Members> = serde_json::from_slice(body).ok()?;
            let mut by_caller = true;
            for run in &mut runs {
                by_caller &= add(run, "idempotency_key");
            }
            (serde_json::to_vec(&runs), Repeat::Keyed { by_caller })
        }
        Key::Transition => {
            let mut body: Members = serde_json::from_slice(body).ok()?;
            // A forced transition is made whatever its id.
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
            let repeat = Repeat::Transition {
                id,
                by_caller,
                // A failure becomes another try, if the run has some left.
                may_become_another: state.get("type").is_none_or(|ty| ty.get() == r#""FAILED""#),
            };
            (serde_json::to_vec(&body), repeat)
        }
    };
    *request.body_mut() = Some(body.ok()?.into());
    Some(repeat)
}

/// Adds a generated key, unless the caller has given one; tells whether the caller has.
fn add(members: &mut Members, name: &str) -> bool {
    if members.get(name).is_some_and(|given| is_given(given)) {
        return true;
    }
    let key = to_raw_value(&Uuid::new_v4()).expect("a UUID is JSON");
    members.insert(name.to_owned(), key);
    false
}

/// An empty key is none to the server.
fn is_given(value: &RawValue) -> bool {
    !matches!(value.get(), "null" | r#""""#)
}

/// The reply to a transition that was made by an earlier attempt of this call, as it would have been.
pub(super) fn as_accepted(reply: &Reply) -> Option<Reply> {
    let mut result: Members = serde_json::from_slice(&reply.body).ok()?;
    let details: Value = serde_json::from_str(result.get("details")?.get()).ok()?;
    let rejected = result.get("status")?.get() == r#""REJECT""#;
    let made = details.get("reason")?.as_str()?;
    if !rejected || !made.contains("already made this state transition") {
        return None;
    }
    result.insert("status".to_owned(), to_raw_value("ACCEPT").ok()?);
    let accepted = serde_json::json!({"type": "accept_details"});
    result.insert("details".to_owned(), to_raw_value(&accepted).ok()?);
    Some(Reply {
        body: serde_json::to_vec(&result).ok()?.into(),
        ..reply.clone()
    })
}
