//! `Object`: a schema that is an object.

use serde_json::{Map, Value};

/// A schema that is an object, which it is unless it is `true` or `false`.
pub(super) type Object = Map<String, Value>;
