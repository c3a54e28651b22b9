//! `EventUpdate`: an event, or a gap in which some may be missing.

use std::fmt;

use chrono::{DateTime, Utc};

use crate::types::ReceivedEvent;

/// An item of a [`Subscription`](super::Subscription).
#[derive(Clone, Debug)]
#[non_exhaustive]
pub enum EventUpdate {
    /// An event. Each is delivered once.
    Event(Box<ReceivedEvent>),
    /// A time in which events may have been missed.
    Gap(EventGap),
}

/// A time in which no live events were received, or of which stored events cannot be read.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct EventGap {
    /// When the gap began.
    pub since: DateTime<Utc>,
    /// When it ended.
    pub until: DateTime<Utc>,
    /// The error that caused it, as text.
    pub reason: String,
}

impl fmt::Display for EventGap {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self {
            since,
            until,
            reason,
        } = self;
        write!(f, "events from {since} to {until} may be missing: {reason}")
    }
}
