//! All types of the Prefect API, generated from its OpenAPI document.
//!
//! They are faithful in both directions: what a server sent encodes back to the same JSON, and
//! nothing is sent that the caller did not set.
//!
//! * A field that may be null is a [`Field`]: unset, null or a value. It reads like an `Option`.
//! * A field that may only be left out is an `Option`; `None` is never sent.
//! * Free JSON is [`Json`], which keeps the text: `1.0` stays apart from `1`, 2^70 survives.
//! * Enums and unions that a server may extend have an `Unknown` variant that keeps what came.
//! * Keys that this version does not know stay in `extra`, and are sent back.
//!
//! Required fields are the arguments of `new`, in the order of the API's own documentation; all
//! others are set by chaining, by struct update, or directly:
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
mod json;
#[macro_use]
mod macros;
mod number;
mod scalar;
mod seconds;
mod wire;

use std::collections::BTreeMap;

use chrono::{DateTime, Utc};
use uuid::Uuid;

pub use field::Field;
pub use json::Json;
pub use number::Number;
pub use scalar::Scalar;
pub use seconds::Seconds;
pub use wire::{Tag, UnknownValue};

include!(concat!(env!("OUT_DIR"), "/types.rs"));
