//! The second pass: data of block documents.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;

use uuid::Uuid;

use super::error::{TemplateError, object};
use super::path::look_up;
use super::place::Place;
use super::placeholder::{self, Kind, Placeholder, placeholders};
use super::python;
use super::value::{Object, Value};

const REFERENCE: &str = "$ref";
const ID: &str = "block_document_id";

/// A block document of the server.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum BlockRef {
    /// By the slug of its type and its own name.
    Named { slug: String, name: String },
    /// By its id.
    Id(Uuid),
}

impl fmt::Display for BlockRef {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Named { slug, name } => write!(f, "{slug}/{name}"),
            Self::Id(id) => id.fmt(f),
        }
    }
}

/// The data of the block documents that the server has.
type Data = BTreeMap<BlockRef, Value>;

/// Collects the block documents that a value names. What is no valid reference is skipped: `put` reports it.
pub(super) fn collect(value: &Value, found: &mut BTreeSet<BlockRef>) {
    match value {
        Value::Object(members) => match reference(members, Place::Root("")) {
            Ok(None) => members.iter().for_each(|(_, it)| collect(it, found)),
            Ok(Some(block)) => found.extend([block]),
            Err(_) => {}
        },
        Value::List(items) => items.iter().for_each(|it| collect(it, found)),
        Value::Text(text) => {
            let named = placeholders(text).filter_map(|it| Named::of(&it));
            found.extend(named.filter_map(|it| it.block()));
        }
        _ => {}
    }
}

/// Puts data of blocks in the places of references and placeholders. It is not read for further blocks.
pub(super) fn put(value: Value, data: &Data, place: Place<'_>) -> Result<Value, TemplateError> {
    match value {
        Value::Object(members) => match reference(&members, place)? {
            // Other members of the object are lost.
            Some(block) => document(&block, data, place).cloned(),
            None => put_into_members(members, data, place),
        },
        Value::List(items) => {
            let items = items.into_iter().enumerate();
            let items = items.map(|(index, it)| put(it, data, place.item(index)));
            Ok(Value::List(items.collect::<Result<_, _>>()?))
        }
        Value::Text(text) => put_into_text(&text, data, place),
        value => Ok(value),
    }
}

fn put_into_members(
    members: Object,
    data: &Data,
    place: Place<'_>,
) -> Result<Value, TemplateError> {
    let members = members.into_iter().map(|(key, value)| {
        let value = put(value, data, place.key(&key))?;
        Ok((key, value))
    });
    Ok(Value::Object(members.collect::<Result<_, _>>()?))
}

/// A text that is one placeholder becomes what it names, of whatever type; within a text, this must have no members.
fn put_into_text(text: &str, data: &Data, place: Place<'_>) -> Result<Value, TemplateError> {
    if let Some(named) = placeholder::whole(text).as_ref().and_then(Named::of) {
        return named.value(data, place);
    }
    let replacement = |it: &Placeholder<'_>| match Named::of(it) {
        Some(named) => named.text(data, place).map(Some),
        None => Ok(None),
    };
    placeholder::replace(text, replacement).map(Value::Text)
}

/// The block that an object stands for: `{"$ref": {"block_document_id": …}}`.
fn reference(members: &Object, place: Place<'_>) -> Result<Option<BlockRef>, TemplateError> {
    let Some(reference) = members.get(REFERENCE) else {
        return Ok(None);
    };
    let place = place.key(REFERENCE);
    let id = object(reference, place)?.get(ID);
    let id = match id.filter(|it| it.is_truthy()) {
        None => return Ok(None),
        Some(Value::Text(id)) => Uuid::try_parse(id).ok(),
        Some(_) => None,
    };
    match id {
        Some(id) => Ok(Some(BlockRef::Id(id))),
        None => {
            let message = "this must be the id of a block document, which is a UUID";
            Err(TemplateError::new(place.key(ID), message))
        }
    }
}

fn document<'a>(
    block: &BlockRef,
    data: &'a Data,
    place: Place<'_>,
) -> Result<&'a Value, TemplateError> {
    data.get(block).ok_or_else(|| {
        let message = format!("the server has no block document `{block}`");
        TemplateError::new(place, message)
    })
}

/// What a placeholder of a block names.
struct Named {
    /// The slug of the type, the name, and a path, with dots between.
    text: String,
}

impl Named {
    fn of(placeholder: &Placeholder<'_>) -> Option<Self> {
        match placeholder.kind() {
            Kind::Block(text) => Some(Self { text }),
            _ => None,
        }
    }

    /// The block document. (None can have an empty name, which would make a request of another kind.)
    fn block(&self) -> Option<BlockRef> {
        let mut parts = self.text.splitn(3, '.').map(str::to_owned);
        let (slug, name) = (parts.next()?, parts.next()?);
        let is_named = !slug.is_empty() && !name.is_empty();
        is_named.then_some(BlockRef::Named { slug, name })
    }

    /// The path into the data.
    fn path(&self) -> Option<&str> {
        let path = self.text.splitn(3, '.').nth(2);
        path.filter(|it| !it.is_empty())
    }

    fn value(&self, data: &Data, place: Place<'_>) -> Result<Value, TemplateError> {
        let Some(block) = self.block() else {
            let message = format!(
                "the placeholder `prefect.blocks.{}` must name a type and a block, as `prefect.blocks.secret.token` does",
                self.text
            );
            return Err(TemplateError::new(place, message));
        };
        let data = document(&block, data, place)?;
        let data = match lone_value(data) {
            Some(value) if !self.path().is_some_and(begins_with_value) => value,
            _ => data,
        };
        let Some(path) = self.path() else {
            return Ok(data.clone());
        };
        match look_up(data, path) {
            Some(value) => Ok(value.into_owned()),
            None => {
                let message = format!("the block document `{block}` has no `{path}`");
                Err(TemplateError::new(place, message))
            }
        }
    }

    fn text(&self, data: &Data, place: Place<'_>) -> Result<String, TemplateError> {
        match self.value(data, place)? {
            value @ (Value::List(_) | Value::Object(_)) => {
                let message = format!(
                    "`prefect.blocks.{}` is {}, which cannot be a part of a text",
                    self.text,
                    value.kind()
                );
                Err(TemplateError::new(place, message))
            }
            value => Ok(python::text(&value)),
        }
    }
}

/// The value of data that have nothing but a `value`, which stands for them.
fn lone_value(data: &Value) -> Option<&Value> {
    let Value::Object(members) = data else {
        return None;
    };
    let mut members = members.iter();
    match (members.next(), members.next()) {
        (Some(("value", value)), None) => Some(value),
        _ => None,
    }
}

/// Whether a path names that `value` itself, which is allowed, too.
fn begins_with_value(path: &str) -> bool {
    let rest = path.strip_prefix("value");
    rest.is_some_and(|rest| rest.is_empty() || rest.starts_with(['.', '[']))
}
