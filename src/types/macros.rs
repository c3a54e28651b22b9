//! The macros that the generated types are calls of: objects, enums of text, and unions.
//!
//! serde's derive is not used for them: its `flatten` and `untagged` buffer values in a form that
//! rounds numbers, and it cannot tell null from absent.

/// An object. Each field is a line of
///
/// * its kind: `required` (always there, never null), `required_nullable` (an argument of `new`, may be
///   null), `nullable` (may be left out or null), `optional` (may be left out), `json` (may be left
///   out; null is a value), `constant` (a union's tag);
/// * `open`, or `secret` when debug output must not show it;
/// * key, field name and type.
///
/// `sent` objects get a setter for each field, `read` ones do not.
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
            /// A value with what is required and nothing else.
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
        pub struct $name {
            $(
                $(#[$doc])*
                pub $field: object!(@type $kind $($ty)*),
            )*
            /// Keys that this version of the SDK does not know: kept as they came, and sent.
            pub extra: BTreeMap<String, Json>,
        }

        impl $name {
            $(object!(@setter $usage $kind $key $field $($ty)*);)*
        }

        impl ::std::fmt::Debug for $name {
            fn fmt(&self, f: &mut ::std::fmt::Formatter<'_>) -> ::std::fmt::Result {
                let mut out = f.debug_struct(stringify!($name));
                $(
                    if object!(@present $kind self $field) {
                        out.field(stringify!($field), object!(@shown $secrecy $kind self $field $($ty)*));
                    }
                )*
                // Their values may be secrets that a newer server has.
                if !self.extra.is_empty() {
                    out.field("extra", &self.extra.keys());
                }
                out.finish()
            }
        }

        impl wire::Member for $name {
            fn undeclared(&self) -> usize {
                self.extra.len()
            }
        }

        impl ::serde::Serialize for $name {
            fn serialize<S: ::serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
                use ::serde::ser::SerializeMap as _;
                let mut map = serializer.serialize_map(None)?;
                $(
                    if object!(@present $kind self $field) {
                        map.serialize_entry($key, object!(@wire $kind self $field $($ty)*))?;
                    }
                )*
                for (key, value) in &self.extra {
                    map.serialize_entry(key, value)?;
                }
                map.end()
            }
        }

        impl<'de> ::serde::Deserialize<'de> for $name {
            fn deserialize<D: ::serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
                struct ObjectVisitor;

                impl<'de> ::serde::de::Visitor<'de> for ObjectVisitor {
                    type Value = $name;

                    fn expecting(&self, f: &mut ::std::fmt::Formatter<'_>) -> ::std::fmt::Result {
                        f.write_str(concat!("an object (", stringify!($name), ")"))
                    }

                    fn visit_map<A: ::serde::de::MapAccess<'de>>(
                        self,
                        mut map: A,
                    ) -> Result<$name, A::Error> {
                        $(let mut $field: Option<object!(@type $kind $($ty)*)> = None;)*
                        let mut extra = BTreeMap::new();
                        while let Some(wire::Text(key)) = map.next_key()? {
                            match &*key {
                                $($key => $field = Some(object!(@read $kind map $($ty)*)),)*
                                _ => {
                                    extra.insert(key.into_owned(), map.next_value()?);
                                }
                            }
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
    (@type optional $($ty:tt)*) => { Option<$($ty)*> };
    (@type json $($ty:tt)*) => { Option<$($ty)*> };
    (@type constant $($ty:tt)*) => { Tag };

    (@argument Vec<$item:ty>) => { impl IntoIterator<Item = impl Into<$item>> };
    (@argument $($ty:tt)*) => { impl Into<$($ty)*> };

    (@init required $field:ident Vec<$item:ty>) => { $field.into_iter().map(Into::into).collect() };
    (@init required $field:ident $($ty:tt)*) => { $field.into() };
    (@init required_nullable $field:ident $($ty:tt)*) => { $field.into() };
    (@init $kind:ident $field:ident $($ty:tt)*) => { Default::default() };

    (@setter sent nullable $key:literal $field:ident $($ty:tt)*) => {
        #[doc = concat!("Sets `", $key, "`; `None` sends null, which clears it.")]
        #[must_use]
        pub fn $field(mut self, $field: impl Into<Field<$($ty)*>>) -> Self {
            self.$field = $field.into();
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
    (@setter $usage:ident $kind:ident $key:literal $field:ident $($ty:tt)*) => {};

    (@default $name:ident) => {
        impl Default for $name {
            fn default() -> Self {
                Self::new()
            }
        }
    };
    (@default $name:ident $($argument:ident)+) => {};

    (@present required $this:ident $field:ident) => { true };
    (@present $kind:ident $this:ident $field:ident) => { wire::Presence::is_present(&$this.$field) };

    (@shown secret $kind:ident $this:ident $field:ident $($ty:tt)*) => { &wire::Redacted };
    (@shown open constant $this:ident $field:ident $value:literal) => { &$value };
    (@shown open $kind:ident $this:ident $field:ident $($ty:tt)*) => { &$this.$field };

    (@wire constant $this:ident $field:ident $value:literal) => { $value };
    (@wire required $this:ident $field:ident DateTime<Utc>) => { &wire::Time(&$this.$field) };
    (@wire $kind:ident $this:ident $field:ident DateTime<Utc>) => {
        &$this.$field.as_ref().map(wire::Time)
    };
    (@wire $kind:ident $this:ident $field:ident $($ty:tt)*) => { &$this.$field };

    (@read constant $map:ident $value:literal) => {{
        let wire::Text(tag) = $map.next_value()?;
        if tag != $value {
            let unexpected = ::serde::de::Unexpected::Str(&tag);
            return Err(::serde::de::Error::invalid_value(unexpected, &concat!("the tag ", $value)));
        }
        Tag::SENT
    }};
    (@read required $map:ident i64) => { $map.next_value::<wire::Integer>()?.0 };
    (@read optional $map:ident i64) => { $map.next_value::<Option<wire::Integer>>()?.map(|i| i.0) };
    (@read nullable $map:ident i64) => {
        Field::from($map.next_value::<Option<wire::Integer>>()?.map(|i| i.0))
    };
    (@read json $map:ident $($ty:tt)*) => { Some($map.next_value()?) };
    (@read $kind:ident $map:ident $($ty:tt)*) => { $map.next_value()? };

    (@missing required $key:literal $field:ident) => {
        $field.ok_or_else(|| ::serde::de::Error::missing_field($key))?
    };
    (@missing constant $key:literal $field:ident) => { $field.unwrap_or(Tag::ABSENT) };
    (@missing $kind:ident $key:literal $field:ident) => { $field.unwrap_or_default() };
}

/// An enum of text: `open` ones keep values that they do not know.
macro_rules! string_enum {
    (
        $(#[$meta:meta])*
        pub enum $name:ident open { $($value:literal $variant:ident,)* }
    ) => {
        $(#[$meta])*
        #[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
        #[non_exhaustive]
        pub enum $name {
            $(
                #[doc = concat!("`", $value, "`")]
                $variant,
            )*
            /// A value that this version of the SDK does not know; sent back as it came.
            Unknown(String),
        }

        impl $name {
            /// The text on the wire.
            pub fn as_str(&self) -> &str {
                match self {
                    $(Self::$variant => $value,)*
                    Self::Unknown(text) => text,
                }
            }
        }

        impl ::std::str::FromStr for $name {
            type Err = ::std::convert::Infallible;

            fn from_str(text: &str) -> Result<Self, Self::Err> {
                Ok(match text {
                    $($value => Self::$variant,)*
                    text => Self::Unknown(text.to_owned()),
                })
            }
        }

        impl wire::Member for $name {
            fn undeclared(&self) -> usize {
                usize::from(matches!(self, Self::Unknown(_)))
            }
        }

        string_enum!(@common $name);
    };

    (
        $(#[$meta:meta])*
        pub enum $name:ident closed { $($value:literal $variant:ident,)* }
    ) => {
        $(#[$meta])*
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
        #[non_exhaustive]
        pub enum $name {
            $(
                #[doc = concat!("`", $value, "`")]
                $variant,
            )*
        }

        impl $name {
            /// The text on the wire.
            pub const fn as_str(&self) -> &'static str {
                match self {
                    $(Self::$variant => $value,)*
                }
            }
        }

        impl ::std::str::FromStr for $name {
            type Err = UnknownValue;

            fn from_str(text: &str) -> Result<Self, UnknownValue> {
                match text {
                    $($value => Ok(Self::$variant),)*
                    text => Err(UnknownValue { name: stringify!($name), text: text.to_owned() }),
                }
            }
        }

        impl wire::Member for $name {}

        string_enum!(@common $name);
    };

    (@common $name:ident) => {
        impl AsRef<str> for $name {
            fn as_ref(&self) -> &str {
                self.as_str()
            }
        }

        impl ::std::fmt::Display for $name {
            fn fmt(&self, f: &mut ::std::fmt::Formatter<'_>) -> ::std::fmt::Result {
                f.pad(self.as_str())
            }
        }

        impl ::serde::Serialize for $name {
            fn serialize<S: ::serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
                serializer.serialize_str(self.as_str())
            }
        }

        impl<'de> ::serde::Deserialize<'de> for $name {
            fn deserialize<D: ::serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
                let wire::Text(text) = ::serde::Deserialize::deserialize(deserializer)?;
                text.parse().map_err(::serde::de::Error::custom)
            }
        }
    };
}

/// A union: `by` a tag, where the API has one, else by the member that fits best.
macro_rules! union {
    (
        $(#[$meta:meta])*
        pub enum $name:ident by $key:literal { $($tag:literal $variant:ident($ty:ty),)* }
    ) => {
        union!(@common $(#[$meta])* $name { $((concat!("Tagged `", $tag, "`.")) $variant($ty),)* });

        impl<'de> ::serde::Deserialize<'de> for $name {
            fn deserialize<D: ::serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
                let json = Json::deserialize(deserializer)?;
                match wire::tag_of(&json, $key).as_deref() {
                    $(
                        Some($tag) => {
                            json.parse().map(Self::$variant).map_err(::serde::de::Error::custom)
                        }
                    )*
                    Some(_) => Ok(Self::Unknown(json)),
                    // Senders may leave the tag out, and the server then guesses, too.
                    None => Ok(Self::guess(json)),
                }
            }
        }
    };

    (
        $(#[$meta:meta])*
        pub enum $name:ident { $($variant:ident($ty:ty),)* }
    ) => {
        union!(@common $(#[$meta])* $name {
            $((concat!("[`", stringify!($ty), "`].")) $variant($ty),)*
        });

        impl<'de> ::serde::Deserialize<'de> for $name {
            fn deserialize<D: ::serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
                Json::deserialize(deserializer).map(Self::guess)
            }
        }
    };

    (@common $(#[$meta:meta])* $name:ident { $(($doc:expr) $variant:ident($ty:ty),)* }) => {
        $(#[$meta])*
        #[derive(Clone, Debug, PartialEq)]
        #[non_exhaustive]
        #[allow(clippy::large_enum_variant)]
        pub enum $name {
            $(
                #[doc = $doc]
                $variant($ty),
            )*
            /// A member that this version of the SDK does not know; sent back as it came.
            Unknown(Json),
        }

        impl $name {
            /// The member that leaves least of the value undeclared, the first of several.
            fn guess(json: Json) -> Self {
                let mut best: Option<(usize, Self)> = None;
                $(
                    if let Ok(member) = json.parse::<$ty>() {
                        let undeclared = wire::Member::undeclared(&member);
                        if best.as_ref().is_none_or(|(least, _)| undeclared < *least) {
                            best = Some((undeclared, Self::$variant(member)));
                        }
                    }
                )*
                best.map_or(Self::Unknown(json), |(_, member)| member)
            }
        }

        $(
            impl From<$ty> for $name {
                fn from(member: $ty) -> Self {
                    Self::$variant(member)
                }
            }
        )*

        impl wire::Member for $name {
            fn undeclared(&self) -> usize {
                match self {
                    $(Self::$variant(member) => wire::Member::undeclared(member),)*
                    Self::Unknown(_) => 1,
                }
            }
        }

        impl ::serde::Serialize for $name {
            fn serialize<S: ::serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
                match self {
                    $(Self::$variant(member) => member.serialize(serializer),)*
                    Self::Unknown(json) => json.serialize(serializer),
                }
            }
        }
    };
}
