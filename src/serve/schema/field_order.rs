//! The order of a struct's fields.

use std::fmt;

use serde::de::{DeserializeOwned, Deserializer, Error, Visitor};
use serde::forward_to_deserialize_any;

/// The names of the fields of a struct and their aliases, in the order in which they are declared; none for another
/// type, or for a struct with flattened fields.
///
/// The schema does not tell the order, because JSON objects are sorted by their keys here. But a struct names its
/// fields to the format that it is read from.
pub(super) fn declared<P: DeserializeOwned>() -> Option<&'static [&'static str]> {
    P::deserialize(Ask).err().and_then(|Answer(fields)| fields)
}

/// A format that has nothing to read, but answers with the fields that it is asked for.
struct Ask;

/// The fields of the struct that was to be read, if it was one.
#[derive(Debug)]
struct Answer(Option<&'static [&'static str]>);

impl fmt::Display for Answer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("there is nothing to read")
    }
}

impl std::error::Error for Answer {}

impl Error for Answer {
    fn custom<T: fmt::Display>(_: T) -> Self {
        Self(None)
    }
}

impl<'de> Deserializer<'de> for Ask {
    type Error = Answer;

    fn deserialize_any<V: Visitor<'de>>(self, _: V) -> Result<V::Value, Answer> {
        Err(Answer(None))
    }

    fn deserialize_struct<V: Visitor<'de>>(
        self,
        _: &'static str,
        fields: &'static [&'static str],
        _: V,
    ) -> Result<V::Value, Answer> {
        Err(Answer(Some(fields)))
    }

    fn deserialize_newtype_struct<V: Visitor<'de>>(
        self,
        _: &'static str,
        visitor: V,
    ) -> Result<V::Value, Answer> {
        visitor.visit_newtype_struct(self)
    }

    forward_to_deserialize_any! {
        bool i8 i16 i32 i64 i128 u8 u16 u32 u64 u128 f32 f64 char str string bytes byte_buf option unit unit_struct seq
        tuple tuple_struct map enum identifier ignored_any
    }
}

#[cfg(test)]
mod tests {
    #![allow(dead_code, reason = "only the schemas of these types are of interest")]

    use std::collections::BTreeMap;

    use schemars::JsonSchema;
    use serde::Deserialize;
    use serde_json::Value;

    use super::super::tests::properties;
    use super::declared;

    #[derive(Deserialize, JsonSchema)]
    #[serde(rename_all = "camelCase")]
    struct Fields {
        the_last: bool,
        #[serde(default, alias = "a", alias = "other")]
        middle: bool,
        #[serde(skip)]
        skipped: bool,
        first: bool,
    }

    /// The names of the properties, by their positions.
    fn names(properties: &Value) -> Vec<&str> {
        let properties = properties.as_object().expect("an object");
        let mut names = properties.keys().map(String::as_str).collect::<Vec<_>>();
        names.sort_by_key(|name| properties[*name]["position"].as_u64());
        names
    }

    #[test]
    fn the_fields_of_a_struct_are_told_by_reading_it() {
        #[derive(Deserialize)]
        struct Newtype(Box<Fields>);

        let fields = ["theLast", "a", "middle", "other", "first"];
        assert_eq!(declared::<Fields>(), Some(&fields[..]));
        assert_eq!(declared::<Newtype>(), Some(&fields[..]));
    }

    #[test]
    fn what_is_no_struct_has_no_fields() {
        assert_eq!(declared::<()>(), None);
        assert_eq!(declared::<(bool, bool)>(), None);
        assert_eq!(declared::<BTreeMap<String, bool>>(), None);
    }

    #[test]
    fn parameters_are_in_the_order_in_which_they_are_declared() {
        assert_eq!(
            names(&properties::<Fields>()),
            ["theLast", "middle", "first"]
        );
    }

    #[test]
    fn parameters_with_flattened_ones_are_in_the_order_in_which_they_are_required() {
        #[derive(Deserialize, JsonSchema)]
        struct Flattened {
            zed: bool,
            #[serde(flatten)]
            fields: Fields,
            alpha: Option<bool>,
        }
        assert_eq!(
            names(&properties::<Flattened>()),
            ["zed", "theLast", "first", "alpha", "middle"]
        );
    }
}
