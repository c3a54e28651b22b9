//! Which types an operation takes and returns, and which type a schema became: made by the build.

use std::collections::BTreeMap;
use std::fmt::Debug;

use prefect_sdk::types::*;
use serde::Serialize;
use serde::de::DeserializeOwned;

/// Decodes JSON text into a type and encodes it again.
pub type RoundTrip = fn(&str) -> Result<Encoded, String>;

pub struct Encoded {
    pub json: String,
    /// How the value looks, if an `Unknown` is in it. That survives, too, but must not be what a
    /// value of this version becomes.
    unknown: Option<String>,
}

impl Encoded {
    /// The JSON; an error if all of it should be known and is not.
    pub fn known(self) -> Result<String, String> {
        match self.unknown {
            Some(shown) => Err(format!("decodes to an unknown variant: {shown}")),
            None => Ok(self.json),
        }
    }
}

pub struct Operation {
    pub id: &'static str,
    pub upstream_id: &'static str,
    pub method: &'static str,
    pub path: &'static str,
    pub request: Body,
    pub reply: Body,
}

pub enum Body {
    /// There is none.
    None,
    /// Bytes, handed on as they come.
    Bytes,
    Json(RoundTrip),
}

fn round_trip<T: DeserializeOwned + Serialize + Debug>(json: &str) -> Result<Encoded, String> {
    let value: T =
        serde_json::from_str(json).map_err(|error| format!("does not decode: {error}"))?;
    let json =
        serde_json::to_string(&value).map_err(|error| format!("does not encode: {error}"))?;
    let shown = format!("{value:?}");
    let unknown = shown.contains("Unknown(").then_some(shown);
    Ok(Encoded { json, unknown })
}

macro_rules! round_trip_of {
    (()) => {
        Body::None
    };
    (bytes) => {
        Body::Bytes
    };
    ($ty:ty) => {
        Body::Json(round_trip::<$ty>)
    };
}

macro_rules! operations {
    ($($id:literal $upstream:literal $method:literal $path:literal ($($request:tt)*) ($($reply:tt)*),)*) => {
        pub const OPERATIONS: &[Operation] = &[$(Operation {
            id: $id,
            upstream_id: $upstream,
            method: $method,
            path: $path,
            request: round_trip_of!($($request)*),
            reply: round_trip_of!($($reply)*),
        }),*];
    };
}

macro_rules! schemas {
    ($($upstream:literal $name:literal ($($ty:tt)*),)*) => {
        /// Upstream name, name of the type, type.
        pub const SCHEMAS: &[(&str, &str, RoundTrip)] = &[$(($upstream, $name, round_trip::<$($ty)*>)),*];
    };
}

include!(concat!(env!("OUT_DIR"), "/table.rs"));

/// The operation of an upstream id, or of method and path template.
pub fn operation(
    upstream_id: Option<&str>,
    method: &str,
    template: &str,
) -> Option<&'static Operation> {
    OPERATIONS.iter().find(|operation| match upstream_id {
        Some(id) => operation.upstream_id == id,
        None => operation.method == method && operation.path == template,
    })
}

/// The type of an upstream schema. Halves of a pair that became one type are that type.
pub fn schema(upstream: &str) -> Option<RoundTrip> {
    let find = |wanted: &str| {
        let mut schemas = SCHEMAS.iter();
        let found = schemas.find(|(upstream, name, _)| wanted == *upstream || wanted == *name);
        found.map(|(_, _, round_trip)| *round_trip)
    };
    let whole = upstream
        .strip_suffix("-Input")
        .or_else(|| upstream.strip_suffix("-Output"));
    find(upstream).or_else(|| find(whole?))
}
