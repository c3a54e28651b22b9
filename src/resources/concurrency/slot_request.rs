//! `SlotRequest`: the slots that are requested.

use std::time::Duration;

use crate::error::{Error, ErrorKind, Result};
use crate::types::MinimalConcurrencyLimitResponse;

/// A number of slots of each of these limits, or of none of them.
#[derive(Clone, Debug)]
pub(super) struct SlotRequest {
    pub names: Vec<String>,
    pub slots: u32,
    pub timeout: Option<Duration>,
    /// Whether limits that do not exist are ignored.
    pub lenient: bool,
}

impl SlotRequest {
    pub(super) fn new(mut names: Vec<String>) -> Self {
        names.sort();
        names.dedup();
        Self {
            names,
            slots: 1,
            timeout: None,
            lenient: false,
        }
    }

    pub(super) fn check(&self) -> Result<()> {
        if self.names.iter().any(String::is_empty) {
            return Err(Error::invalid_request("a limit has no name"));
        }
        // PostgreSQL stores slots in 32 bits; for larger numbers the server answers 503.
        if !(1..=i32::MAX as u32).contains(&self.slots) {
            let what = format!("{} is not between 1 and {} slots", self.slots, i32::MAX);
            return Err(Error::invalid_request(what));
        }
        Ok(())
    }

    /// Fails if a required limit does not exist.
    pub(super) fn check_granted(&self, granted: &[MinimalConcurrencyLimitResponse]) -> Result<()> {
        let is_granted = |name: &&String| granted.iter().any(|limit| limit.name == **name);
        let missing: Vec<_> = self.names.iter().filter(|name| !is_granted(name)).collect();
        if self.lenient || missing.is_empty() {
            return Ok(());
        }
        let what = format!("there is no concurrency limit named {missing:?}");
        Err(Error::new(ErrorKind::NotFound, what))
    }

    /// The error when the slots were not granted in time.
    pub(super) fn timed_out(&self) -> Error {
        let timeout = self.timeout.unwrap_or_default();
        let what = format!("{self} could not be acquired within {timeout:?}");
        Error::new(ErrorKind::Timeout, what).with_outcome(false, true)
    }
}

impl std::fmt::Display for SlotRequest {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let plural = if self.slots == 1 { "" } else { "s" };
        write!(f, "{} slot{plural} of {:?}", self.slots, self.names)
    }
}
