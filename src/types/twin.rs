//! The macro `twin!`, which converts between two types of one object.

use std::collections::BTreeMap;

use serde::Serialize;
use serde::de::DeserializeOwned;

use super::Json;

/// Defines a conversion: fields of both types are moved. A field that only the source has is kept in `extra`,
/// under its key, and one that only the result has is taken from there.
macro_rules! twin {
    (
        $name:ident from $other:ident { $($how:ident $key:literal $field:ident,)* }
        lost { $($lost_key:literal $lost:ident,)* }
    ) => {
        #[doc = concat!(
            "Both are the same object. What [`", stringify!($name), "`] has no field for is in `extra`, and comes \
             back from there."
        )]
        impl From<$other> for $name {
            #[inline]
            fn from(other: $other) -> Self {
                #[allow(unused_mut, reason = "one of the types may have all fields of the other")]
                let mut extra = other.extra;
                $(
                    if wire::Presence::is_present(&other.$lost) {
                        twin::keep(&mut extra, $lost_key, &other.$lost);
                    }
                )*
                Self {
                    $($field: twin!(@$how $key $field other extra),)*
                    extra,
                }
            }
        }
    };

    (@both $key:literal $field:ident $other:ident $extra:ident) => { $other.$field.into() };
    (@new $key:literal $field:ident $other:ident $extra:ident) => { twin::take(&mut $extra, $key) };
}

/// Keeps a value among the undeclared keys. (What came from a server can be written as JSON.)
pub(super) fn keep(extra: &mut BTreeMap<String, Json>, key: &str, value: &impl Serialize) {
    if let Ok(value) = Json::new(value) {
        extra.insert(key.to_owned(), value);
    }
}

/// Takes a value from the undeclared keys; one of another type stays there.
pub(super) fn take<T: DeserializeOwned + Default>(
    extra: &mut BTreeMap<String, Json>,
    key: &str,
) -> T {
    match extra.get(key).map(Json::parse) {
        Some(Ok(value)) => {
            extra.remove(key);
            value
        }
        Some(Err(_)) | None => T::default(),
    }
}
