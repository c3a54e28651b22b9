//! `Page`: a part of a list, and where the next part begins.

use uuid::Uuid;

/// Where a page begins.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Position {
    Start,
    /// After this many items.
    Offset(i64),
    /// At the page with this number.
    Number(i64),
    /// At the token that the previous page links to; with the ids of the last items before it.
    Link(String, Vec<Uuid>),
}

impl Position {
    pub fn offset(&self) -> i64 {
        match self {
            Self::Offset(offset) => *offset,
            _ => 0,
        }
    }

    pub fn number(&self) -> Option<i64> {
        match self {
            Self::Number(number) => Some(*number),
            _ => None,
        }
    }
}

/// A page, and where the next one begins, if there is one.
#[derive(Debug)]
pub struct Page<T> {
    pub items: Vec<T>,
    pub next: Option<Position>,
    /// The id of the first item, or the number of the page: it differs from that of the page before, unless the
    /// position is ignored.
    pub first_id: Option<String>,
}

impl<T> Page<T> {
    /// Only an empty page is the last: the server may be configured to return fewer items than requested.
    pub fn at_offset(offset: i64, items: Vec<T>, id: impl FnOnce(&T) -> String) -> Self {
        let next = (!items.is_empty()).then(|| Position::Offset(offset + items.len() as i64));
        let first_id = items.first().map(id);
        Self {
            items,
            next,
            first_id,
        }
    }

    pub fn numbered(number: i64, pages: i64, items: Vec<T>) -> Self {
        let more = !items.is_empty() && number < pages;
        let next = more.then_some(Position::Number(number + 1));
        let first_id = Some(number.to_string());
        Self {
            items,
            next,
            first_id,
        }
    }
}
