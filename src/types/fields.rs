//! What the impls of generated objects call for each field.
//!
//! There are thousands of fields. An impl holds one call for each; what branches stand behind it are compiled once for each type of
//! fields.

use std::collections::BTreeMap;
use std::fmt::{Debug, DebugStruct};

use serde::de::{Deserialize, Error as _, MapAccess, Unexpected};
use serde::ser::{Serialize, SerializeMap, Serializer};

use super::wire::{Integer, Presence, Text};
use super::{Json, Tag};

/// The entries of an object that is written. The first error is kept until the end.
pub(super) struct Entries<M: SerializeMap> {
    map: Result<M, M::Error>,
}

impl<M: SerializeMap> Entries<M> {
    pub(super) fn new<S>(serializer: S) -> Self
    where
        S: Serializer<SerializeMap = M, Error = M::Error>,
    {
        let map = serializer.serialize_map(None);
        Self { map }
    }

    /// Writes a key and its value.
    pub(super) fn put<T: Serialize + ?Sized>(&mut self, key: &'static str, value: &T) {
        if let Ok(map) = &mut self.map
            && let Err(error) = map.serialize_entry(key, value)
        {
            self.map = Err(error);
        }
    }

    /// Writes a key and its value if there is one.
    pub(super) fn put_present<T: Serialize + Presence>(&mut self, key: &'static str, value: &T) {
        if value.is_present() {
            self.put(key, value);
        }
    }

    /// Writes a key and another form of its value if there is one.
    pub(super) fn put_as<T: Serialize + ?Sized>(
        &mut self,
        key: &'static str,
        of: &impl Presence,
        form: &T,
    ) {
        if of.is_present() {
            self.put(key, form);
        }
    }

    pub(super) fn end(self, extra: &BTreeMap<String, Json>) -> Result<M::Ok, M::Error> {
        let mut map = self.map?;
        for (key, value) in extra {
            map.serialize_entry(key, value)?;
        }
        map.end()
    }
}

/// Reads the value of a field.
#[inline]
pub(super) fn read<'de, A: MapAccess<'de>, T: Deserialize<'de>>(
    map: &mut A,
    field: &mut Option<T>,
) -> Result<(), A::Error> {
    *field = Some(map.next_value()?);
    Ok(())
}

/// Reads the value of a field of which null is a value, too.
#[inline]
pub(super) fn read_json<'de, A: MapAccess<'de>, T: Deserialize<'de>>(
    map: &mut A,
    field: &mut Option<Option<T>>,
) -> Result<(), A::Error> {
    *field = Some(Some(map.next_value()?));
    Ok(())
}

/// Reads an integer.
#[inline]
pub(super) fn read_integer<'de, A: MapAccess<'de>>(
    map: &mut A,
    field: &mut Option<i64>,
) -> Result<(), A::Error> {
    *field = Some(map.next_value::<Integer>()?.0);
    Ok(())
}

/// Reads an integer that may be null.
#[inline]
pub(super) fn read_optional_integer<'de, A: MapAccess<'de>, T: From<Option<i64>>>(
    map: &mut A,
    field: &mut Option<T>,
) -> Result<(), A::Error> {
    let integer = map.next_value::<Option<Integer>>()?;
    *field = Some(T::from(integer.map(|integer| integer.0)));
    Ok(())
}

/// Reads the tag of a union's member.
#[inline]
pub(super) fn read_tag<'de, A: MapAccess<'de>>(
    map: &mut A,
    expected: &str,
    field: &mut Option<Tag>,
) -> Result<(), A::Error> {
    let Text(tag) = map.next_value()?;
    if tag != expected {
        let expected = format!("the tag {expected}");
        return Err(A::Error::invalid_value(
            Unexpected::Str(&tag),
            &expected.as_str(),
        ));
    }
    *field = Some(Tag::SENT);
    Ok(())
}

/// Keeps the value of a key that the type does not declare.
#[inline]
pub(super) fn read_undeclared<'de, A: MapAccess<'de>>(
    map: &mut A,
    key: Text<'de>,
    extra: &mut BTreeMap<String, Json>,
) -> Result<(), A::Error> {
    let value = map.next_value()?;
    extra.insert(key.0.into_owned(), value);
    Ok(())
}

/// The value of a required field.
#[inline]
pub(super) fn required<T, E: serde::de::Error>(
    key: &'static str,
    field: Option<T>,
) -> Result<T, E> {
    match field {
        Some(value) => Ok(value),
        None => Err(E::missing_field(key)),
    }
}

/// Shows a field if it is present.
pub(super) fn show<T: Debug + Presence>(
    out: &mut DebugStruct<'_, '_>,
    name: &'static str,
    value: &T,
) {
    if value.is_present() {
        out.field(name, value);
    }
}

/// Shows something else in the place of a field that is present.
pub(super) fn show_as(
    out: &mut DebugStruct<'_, '_>,
    name: &'static str,
    of: &impl Presence,
    form: &dyn Debug,
) {
    if of.is_present() {
        out.field(name, form);
    }
}
