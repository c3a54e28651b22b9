//! The macro `string_enum!`, which defines the generated enums of text.

/// Defines an enum of text: an `open` one keeps values that it does not know.
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
            /// A value that this version of the SDK does not know; it is sent back unchanged.
            Unknown(String),
        }

        impl $name {
            /// The values that this version of the SDK knows.
            pub const KNOWN: &'static [Self] = &[$(Self::$variant),*];

            /// The text on the wire.
            #[inline]
            pub fn as_str(&self) -> &str {
                match self {
                    $(Self::$variant => $value,)*
                    Self::Unknown(text) => text,
                }
            }
        }

        impl ::std::str::FromStr for $name {
            type Err = ::std::convert::Infallible;

            #[inline]
            fn from_str(text: &str) -> Result<Self, Self::Err> {
                Ok(match text {
                    $($value => Self::$variant,)*
                    text => Self::Unknown(text.to_owned()),
                })
            }
        }

        impl wire::Member for $name {
            #[inline]
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
            #[inline]
            pub const fn as_str(&self) -> &'static str {
                match self {
                    $(Self::$variant => $value,)*
                }
            }
        }

        impl ::std::str::FromStr for $name {
            type Err = UnknownValue;

            #[inline]
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
            #[inline]
            fn as_ref(&self) -> &str {
                self.as_str()
            }
        }

        impl ::std::fmt::Display for $name {
            #[inline]
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
