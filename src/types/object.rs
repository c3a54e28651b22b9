//! The macro `object!`, which defines the generated structs.
//!
//! serde's derive is not used for them: its `flatten` and `untagged` buffer values in a form that
//! rounds numbers, and it cannot tell null from absent.

/// Defines an object. Each field is a line of
///
/// * its kind: `required` (always there, never null), `required_nullable` (an argument of `new`, may be
///   null), `nullable` (may be left out or null), `value_only`
///   (the same, but its setter takes no null), `optional` (may be left out), `json` (may be left
///   out; null is a value), `constant` (a union's tag);
/// * `open`, or `secret` when debug output must not show it;
/// * key, field name and type.
///
/// `sent` objects get a setter for each field that is no argument of `new`. With the feature `testing`, `read` ones get one for
/// each field: tests change samples of replies by them.
/// The arguments of `new` are the required fields.
macro_rules! object {
    (
        $(#[$meta:meta])*
        pub struct $name:ident $usage:ident {
            $(
                $(#[$doc:meta])*
                $kind:ident $secrecy:ident $key:literal $field:ident [$($ty:tt)*],
            )*
        }
        new($($argument:ident [$($argument_ty:tt)*]),*)
    ) => {
        object! {
            $(#[$meta])*
            pub struct $name $usage {
                $($(#[$doc])* $kind $secrecy $key $field [$($ty)*],)*
            }
        }

        impl $name {
            /// Creates a value with only the required fields.
            #[allow(clippy::too_many_arguments, reason = "all of them are required")]
            #[inline]
            pub fn new($($argument: object!(@argument $($argument_ty)*)),*) -> Self {
                Self {
                    $($field: object!(@init $kind $field $($ty)*),)*
                    extra: BTreeMap::new(),
                }
            }
        }

        object!(@default $name $($argument)*);
    };

    (
        $(#[$meta:meta])*
        pub struct $name:ident $usage:ident {
            $(
                $(#[$doc:meta])*
                $kind:ident $secrecy:ident $key:literal $field:ident [$($ty:tt)*],
            )*
        }
    ) => {
        $(#[$meta])*
        #[derive(Clone, PartialEq)]
        #[non_exhaustive]
        pub struct $name {
            $(
                $(#[$doc])*
                pub $field: object!(@type $kind $($ty)*),
            )*
            /// Keys that this version of the SDK does not know; they are kept unchanged, and sent.
            pub extra: BTreeMap<String, Json>,
        }

        impl $name {
            $(object!(@setter $usage $kind $key $field $($ty)*);)*
        }

        impl ::std::fmt::Debug for $name {
            #[inline]
            fn fmt(&self, f: &mut ::std::fmt::Formatter<'_>) -> ::std::fmt::Result {
                let mut out = f.debug_struct(stringify!($name));
                $(
                    object!(@show $secrecy $kind out self $field $($ty)*);
                )*
                // The values may be secrets that only a newer server knows.
                if !self.extra.is_empty() {
                    out.field("extra", &self.extra.keys());
                }
                out.finish()
            }
        }

        impl wire::Member for $name {
            #[inline]
            fn undeclared(&self) -> usize {
                self.extra.len()
            }
        }

        impl ::serde::Serialize for $name {
            fn serialize<S: ::serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
                let mut entries = fields::Entries::new(serializer);
                $(object!(@write $kind entries $key self $field $($ty)*);)*
                entries.end(&self.extra)
            }
        }

        impl<'de> ::serde::Deserialize<'de> for $name {
            fn deserialize<D: ::serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
                struct ObjectVisitor;

                impl<'de> ::serde::de::Visitor<'de> for ObjectVisitor {
                    type Value = $name;

                    #[inline]
                    fn expecting(&self, f: &mut ::std::fmt::Formatter<'_>) -> ::std::fmt::Result {
                        f.write_str(concat!("an object (", stringify!($name), ")"))
                    }

                    fn visit_map<A: ::serde::de::MapAccess<'de>>(
                        self,
                        mut map: A,
                    ) -> Result<$name, A::Error> {
                        $(let mut $field: Option<object!(@type $kind $($ty)*)> = None;)*
                        let mut extra = BTreeMap::new();
                        while let Some(key) = map.next_key::<wire::Text<'_>>()? {
                            let read = match &*key.0 {
                                $($key => object!(@read $kind map $field $($ty)*),)*
                                _ => fields::read_undeclared(&mut map, key, &mut extra),
                            };
                            read?;
                        }
                        Ok($name {
                            $($field: object!(@missing $kind $key $field),)*
                            extra,
                        })
                    }
                }

                deserializer.deserialize_map(ObjectVisitor)
            }
        }
    };

    (@type required $($ty:tt)*) => { $($ty)* };
    (@type required_nullable $($ty:tt)*) => { Field<$($ty)*> };
    (@type nullable $($ty:tt)*) => { Field<$($ty)*> };
    (@type value_only $($ty:tt)*) => { Field<$($ty)*> };
    (@type optional $($ty:tt)*) => { Option<$($ty)*> };
    (@type json $($ty:tt)*) => { Option<$($ty)*> };
    (@type constant $($ty:tt)*) => { Tag };

    (@argument Vec<$item:ty>) => { impl IntoIterator<Item = impl Into<$item>> };
    (@argument $($ty:tt)*) => { impl Into<$($ty)*> };

    (@init required $field:ident Vec<$item:ty>) => { $field.into_iter().map(Into::into).collect() };
    (@init required $field:ident $($ty:tt)*) => { $field.into() };
    (@init required_nullable $field:ident $($ty:tt)*) => { $field.into() };
    (@init $kind:ident $field:ident $($ty:tt)*) => { Default::default() };

    // A type that holds itself.
    (@setter sent nullable $key:literal $field:ident Box<$inner:ty>) => {
        #[doc = concat!("Sets `", $key, "`; `None` sends null.")]
        #[must_use]
        pub fn $field(mut self, $field: impl Into<Option<$inner>>) -> Self {
            self.$field = $field.into().map(Box::new).into();
            self
        }
    };
    (@setter sent nullable $key:literal $field:ident $($ty:tt)*) => {
        #[doc = concat!("Sets `", $key, "`; `None` sends null.")]
        #[must_use]
        pub fn $field(mut self, $field: impl Into<Field<$($ty)*>>) -> Self {
            self.$field = $field.into();
            self
        }
    };
    (@setter sent value_only $key:literal $field:ident Vec<$item:ty>) => {
        #[doc = concat!("Sets `", $key, "`.")]
        #[must_use]
        pub fn $field(mut self, $field: impl IntoIterator<Item = impl Into<$item>>) -> Self {
            self.$field = $field.into_iter().map(Into::into).collect();
            self
        }
    };
    (@setter sent value_only $key:literal $field:ident $($ty:tt)*) => {
        #[doc = concat!("Sets `", $key, "`.")]
        #[must_use]
        pub fn $field(mut self, $field: impl Into<$($ty)*>) -> Self {
            self.$field = Field::value($field.into());
            self
        }
    };
    (@setter sent optional $key:literal $field:ident Vec<$item:ty>) => {
        #[doc = concat!("Sets `", $key, "`.")]
        #[must_use]
        pub fn $field(mut self, $field: impl IntoIterator<Item = impl Into<$item>>) -> Self {
            self.$field = Some($field.into_iter().map(Into::into).collect());
            self
        }
    };
    (@setter sent optional $key:literal $field:ident $($ty:tt)*) => {
        #[doc = concat!("Sets `", $key, "`.")]
        #[must_use]
        pub fn $field(mut self, $field: impl Into<$($ty)*>) -> Self {
            self.$field = Some($field.into());
            self
        }
    };
    (@setter sent json $key:literal $field:ident $($ty:tt)*) => {
        object!(@setter sent optional $key $field $($ty)*);
    };
    (@setter $usage:ident constant $key:literal $field:ident $($ty:tt)*) => {};
    (@setter sent $kind:ident $key:literal $field:ident $($ty:tt)*) => {};
    (@setter read required $key:literal $field:ident $($ty:tt)*) => {
        object!(@required_setter required $key $field $($ty)*);
    };
    (@setter read required_nullable $key:literal $field:ident $($ty:tt)*) => {
        object!(@required_setter required_nullable $key $field $($ty)*);
    };
    (@setter read $kind:ident $key:literal $field:ident $($ty:tt)*) => {
        #[cfg(feature = "testing")]
        object!(@setter sent $kind $key $field $($ty)*);
    };

    (@required_setter required $key:literal $field:ident Vec<$item:ty>) => {
        #[doc = concat!("Sets `", $key, "`.")]
        #[cfg(feature = "testing")]
        #[must_use]
        pub fn $field(mut self, $field: impl IntoIterator<Item = impl Into<$item>>) -> Self {
            self.$field = $field.into_iter().map(Into::into).collect();
            self
        }
    };
    (@required_setter required $key:literal $field:ident $($ty:tt)*) => {
        #[doc = concat!("Sets `", $key, "`.")]
        #[cfg(feature = "testing")]
        #[must_use]
        pub fn $field(mut self, $field: impl Into<$($ty)*>) -> Self {
            self.$field = $field.into();
            self
        }
    };
    (@required_setter required_nullable $key:literal $field:ident $($ty:tt)*) => {
        #[doc = concat!("Sets `", $key, "`.")]
        #[cfg(feature = "testing")]
        #[must_use]
        pub fn $field(mut self, $field: impl Into<Field<$($ty)*>>) -> Self {
            self.$field = $field.into();
            self
        }
    };

    (@default $name:ident) => {
        impl Default for $name {
            #[inline]
            fn default() -> Self {
                Self::new()
            }
        }
    };
    (@default $name:ident $($argument:ident)+) => {};

    (@show secret required $out:ident $this:ident $field:ident $($ty:tt)*) => {
        $out.field(stringify!($field), &wire::Redacted)
    };
    (@show secret $kind:ident $out:ident $this:ident $field:ident $($ty:tt)*) => {
        fields::show_as(&mut $out, stringify!($field), &$this.$field, &wire::Redacted)
    };
    (@show open required $out:ident $this:ident $field:ident $($ty:tt)*) => {
        $out.field(stringify!($field), &$this.$field)
    };
    (@show open constant $out:ident $this:ident $field:ident $value:literal) => {
        fields::show_as(&mut $out, stringify!($field), &$this.$field, &$value)
    };
    (@show open $kind:ident $out:ident $this:ident $field:ident $($ty:tt)*) => {
        fields::show(&mut $out, stringify!($field), &$this.$field)
    };

    (@write constant $entries:ident $key:literal $this:ident $field:ident $value:literal) => {
        $entries.put_as($key, &$this.$field, $value)
    };
    (@write required $entries:ident $key:literal $this:ident $field:ident DateTime<Utc>) => {
        $entries.put($key, &wire::Time(&$this.$field))
    };
    (@write $kind:ident $entries:ident $key:literal $this:ident $field:ident DateTime<Utc>) => {
        $entries.put_as($key, &$this.$field, &$this.$field.as_ref().map(wire::Time))
    };
    (@write required $entries:ident $key:literal $this:ident $field:ident $($ty:tt)*) => {
        $entries.put($key, &$this.$field)
    };
    (@write $kind:ident $entries:ident $key:literal $this:ident $field:ident $($ty:tt)*) => {
        $entries.put_present($key, &$this.$field)
    };

    (@read constant $map:ident $field:ident $value:literal) => {
        fields::read_tag(&mut $map, $value, &mut $field)
    };
    (@read required $map:ident $field:ident i64) => {
        fields::read_integer(&mut $map, &mut $field)
    };
    (@read optional $map:ident $field:ident i64) => {
        fields::read_optional_integer(&mut $map, &mut $field)
    };
    (@read nullable $map:ident $field:ident i64) => {
        fields::read_optional_integer(&mut $map, &mut $field)
    };
    (@read value_only $map:ident $field:ident i64) => {
        fields::read_optional_integer(&mut $map, &mut $field)
    };
    (@read json $map:ident $field:ident $($ty:tt)*) => {
        fields::read_json(&mut $map, &mut $field)
    };
    (@read $kind:ident $map:ident $field:ident $($ty:tt)*) => {
        fields::read(&mut $map, &mut $field)
    };

    (@missing required $key:literal $field:ident) => {
        fields::required($key, $field)?
    };
    (@missing constant $key:literal $field:ident) => { $field.unwrap_or(Tag::ABSENT) };
    (@missing $kind:ident $key:literal $field:ident) => { $field.unwrap_or_default() };
}

#[cfg(test)]
mod tests {
    #![allow(unreachable_pub, reason = "the macro writes public items")]

    use super::super::*;

    object! {
        /// A type that holds itself, as none of Prefect's own that is sent does.
        pub struct Node sent {
            /// `id`.
            required open "id" id [String],
            /// `parent`.
            nullable open "parent" parent [Box<Node>],
            /// `first`.
            optional open "first" first [Box<Node>],
        }
        new(id [String])
    }

    #[test]
    fn a_type_may_hold_itself() {
        let node = Node::new("a").parent(Node::new("b")).first(Node::new("c"));
        let json = r#"{"id":"a","parent":{"id":"b"},"first":{"id":"c"}}"#;
        assert_eq!(serde_json::to_string(&node).expect("JSON"), json);
        assert_eq!(serde_json::from_str::<Node>(json).expect("a node"), node);
        let root = serde_json::to_string(&Node::new("a").parent(None)).expect("JSON");
        assert_eq!(root, r#"{"id":"a","parent":null}"#);
    }
}
