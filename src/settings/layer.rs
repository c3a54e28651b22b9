//! `Layer`: the values of one source, each variable under its usual name.

use std::collections::BTreeMap;

use super::origin::Origin;
use super::value::Raw;

/// The variable that names the file of profiles.
pub(super) const PROFILES_PATH: &str = "PREFECT_PROFILES_PATH";

/// Values by the usual name of their variable: `PREFECT_API_URL`.
pub(super) type Values = BTreeMap<String, Raw>;

/// One source and its values.
pub(super) struct Layer {
    pub origin: Origin,
    pub values: Values,
}

impl Layer {
    pub(super) fn new(origin: Origin, values: Values) -> Self {
        Self { origin, values }
    }
}
