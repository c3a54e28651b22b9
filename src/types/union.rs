//! The macro `union!`, which defines the generated unions, and the limits of their nesting.

use std::cell::Cell;

/// How deep unions may be nested; a value below that is kept as `Unknown`. As each level has an object and a list, this is
/// also the limit of serde_json, which does not notice them: each member is parsed by itself.
const MAX_DEPTH: usize = 64;

/// How many members one value may be tried as, with all that is nested in it. Without a tag all members of a union are
/// tried, and for each of them all members of those nested in it, and so on.
const MAX_TRIES: usize = 1000;

thread_local! {
    static DEPTH: Cell<usize> = const { Cell::new(0) };
    static TRIES: Cell<usize> = const { Cell::new(0) };
}

/// A union that is being parsed.
pub(crate) struct Level(());

impl Level {
    /// Begins to parse a union; `None` if it is nested too deep.
    pub(crate) fn enter() -> Option<Self> {
        let depth = DEPTH.get();
        if depth == MAX_DEPTH {
            return None;
        }
        if depth == 0 {
            TRIES.set(0);
        }
        DEPTH.set(depth + 1);
        Some(Self(()))
    }

    /// Counts a member that the value is tried as; `false` if there were too many.
    pub(crate) fn may_try(&self) -> bool {
        TRIES.set(TRIES.get() + 1);
        TRIES.get() <= MAX_TRIES
    }
}

impl Drop for Level {
    fn drop(&mut self) {
        DEPTH.set(DEPTH.get() - 1);
    }
}

/// Defines a union: its member is chosen `by` a tag where the API has one, else by the best fit.
macro_rules! union {
    (
        $(#[$meta:meta])*
        pub enum $name:ident by $key:literal { $($tag:literal $variant:ident($ty:ty),)* }
    ) => {
        union!(@common $(#[$meta])* $name { $((concat!("Tagged `", $tag, "`.")) $variant($ty),)* });

        impl<'de> ::serde::Deserialize<'de> for $name {
            fn deserialize<D: ::serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
                let json = Json::deserialize(deserializer)?;
                let Some(level) = union::Level::enter() else {
                    return Ok(Self::Unknown(json));
                };
                match wire::tag_of(&json, $key).as_deref() {
                    $(
                        Some($tag) => {
                            json.parse().map(Self::$variant).map_err(::serde::de::Error::custom)
                        }
                    )*
                    Some(_) => Ok(Self::Unknown(json)),
                    // Senders may leave the tag out, and the server then guesses, too.
                    None => {
                        drop(level);
                        Ok(Self::guess(json))
                    }
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
            /// A member that this version of the SDK does not know; it is sent back unchanged.
            Unknown(Json),
        }

        impl $name {
            /// The member that leaves the least of the value undeclared; the first one if several do.
            #[inline]
            fn guess(json: Json) -> Self {
                let Some(level) = union::Level::enter() else {
                    return Self::Unknown(json);
                };
                let mut best: Option<(usize, Self)> = None;
                $(
                    let fits = matches!(best, Some((0, _)));
                    if !fits && level.may_try() && let Ok(member) = json.parse::<$ty>() {
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
                #[inline]
                fn from(member: $ty) -> Self {
                    Self::$variant(member)
                }
            }
        )*

        impl wire::Member for $name {
            #[inline]
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
