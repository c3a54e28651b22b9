//! `Plan`: what `ensure` would do.

use std::fmt;

use crate::types::Json;

/// What `ensure` would do. `Display` prints it, a line for each field that would change.
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub struct Plan {
    /// What the object is, and its name: `the work pool "batch"`.
    pub title: String,
    /// What would be done.
    pub action: PlannedAction,
    /// The fields that would change.
    pub changes: Vec<Change>,
}

/// What would be done with an object.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum PlannedAction {
    /// There is none, and it would be created.
    Create,
    /// It would be changed.
    Update,
    /// Nothing: it is as it is wanted.
    Nothing,
}

/// A field that would change.
#[derive(Clone, PartialEq)]
#[non_exhaustive]
pub struct Change {
    /// The field.
    pub field: String,
    /// Its value now.
    pub from: Option<Json>,
    /// Its value afterwards.
    pub to: Option<Json>,
    /// Whether the values may be secrets, and are not printed.
    pub is_secret: bool,
}

impl Plan {
    /// `None` means that there is no object.
    pub(super) fn new(title: String, changes: Option<Vec<Change>>) -> Self {
        let action = match &changes {
            None => PlannedAction::Create,
            Some(changes) if changes.is_empty() => PlannedAction::Nothing,
            Some(_) => PlannedAction::Update,
        };
        Self {
            title,
            action,
            changes: changes.unwrap_or_default(),
        }
    }

    /// Whether anything would be created or changed.
    pub fn is_change(&self) -> bool {
        self.action != PlannedAction::Nothing
    }
}

impl fmt::Display for Plan {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let what = match self.action {
            PlannedAction::Create => "create",
            PlannedAction::Update => "change",
            PlannedAction::Nothing => "leave",
        };
        write!(f, "{what} {}", self.title)?;
        for change in &self.changes {
            write!(f, "\n    {change}")?;
        }
        Ok(())
    }
}

impl fmt::Display for Change {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self {
            field, from, to, ..
        } = self;
        match (from, to) {
            _ if self.is_secret => write!(f, "{field}: a new value"),
            (Some(from), Some(to)) => write!(f, "{field}: {from} becomes {to}"),
            (None, Some(to)) => write!(f, "{field}: {to}"),
            (Some(from), None) => write!(f, "{field}: without {from}"),
            (None, None) => write!(f, "{field}"),
        }
    }
}

impl fmt::Debug for Change {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}
