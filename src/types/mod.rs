//! All types of the Prefect API, generated from its OpenAPI document.
//!
//! They are faithful in both directions: what a server sent encodes back to the same JSON, and
//! nothing is sent that the caller did not set.
//!
//! * A field that may be null is a [`Field`]: unset, null or a value. It reads like an `Option`.
//! * A field that may only be left out is an `Option`; `None` is never sent.
//! * Any JSON is [`Json`], which keeps the text: `1.0` does not become `1`, and 2^70 keeps its digits.
//! * Enums and unions that a server may extend have an `Unknown` variant that keeps an unknown value.
//! * Keys that this version does not know stay in `extra`, and are sent back.
//!
//! # How to read
//!
//! | Type | As | With |
//! |---|---|---|
//! | [`Field<T>`](Field) | `Option<T>` | the methods of `Option`, `==`, `into_option`, `as_option` |
//! | [`Json`] | [`serde_json::Value`] | `to_value`, `Value::try_from`; any type: `parse` |
//! | [`Number`] | `f64`, `i64` | `as_f64`, `f64::from`, `i64::try_from` |
//! | [`Seconds`] | [`Duration`](std::time::Duration), `f64` | `to_duration`, `Duration::try_from`, `as_f64` |
//!
//! The other way round, setters take all of these, and `From` converts them.
//!
//! ```
//! use std::time::Duration;
//! use prefect_sdk::types::{Field, Json, Number, Seconds};
//!
//! let name = Field::from("etl".to_owned());
//! assert!(name == "etl" && name.as_option().is_some());
//! assert_eq!(Field::<i64>::UNSET.unwrap_or(7), 7);
//! assert_eq!(serde_json::Value::try_from(&Json::from(3))?, 3);
//! assert_eq!(i64::try_from(Number::from(60.0)), Ok(60));
//! assert_eq!(Duration::try_from(Seconds::from(1.5)), Ok(Duration::from_millis(1500)));
//! # Ok::<(), serde_json::Error>(())
//! ```
//!
//! # How to write
//!
//! Values that are sent are made by `new`, whose arguments are the required fields in the order of the API's own
//! documentation; all other fields are set by chaining or by assignment. Values that are only read come from a
//! server, or from JSON:
//!
//! ```
//! use prefect_sdk::types::{DeploymentUpdate, WorkPoolCreate};
//!
//! let pool = WorkPoolCreate::new("gpu").type_("process").concurrency_limit(4);
//! assert_eq!(
//!     serde_json::to_string(&pool)?,
//!     r#"{"name":"gpu","concurrency_limit":4,"type":"process"}"#
//! );
//!
//! // Null clears, a value replaces, and what is not named is left alone.
//! let update = DeploymentUpdate::new().description(None).tags(["nightly"]);
//! assert_eq!(serde_json::to_string(&update)?, r#"{"description":null,"tags":["nightly"]}"#);
//! # Ok::<(), serde_json::Error>(())
//! ```

mod field;
mod fields;
mod finite;
mod json;
mod number;
#[macro_use]
mod object;
mod scalar;
mod seconds;
mod state;
#[macro_use]
mod string_enum;
#[macro_use]
mod twin;
#[macro_use]
mod union;
mod wire;

use std::collections::BTreeMap;

use chrono::{DateTime, Utc};
use uuid::Uuid;

pub use field::Field;
pub use json::Json;
pub use number::{NotAnInteger, Number};
pub use scalar::Scalar;
pub use seconds::Seconds;
#[cfg(feature = "testing")]
pub(crate) use wire::Member;
pub use wire::{Tag, UnknownValue};

include!(concat!(env!("OUT_DIR"), "/types.rs"));
