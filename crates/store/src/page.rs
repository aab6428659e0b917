//! Parts of lists, the newest first.

use std::{fmt, str::FromStr};

/// A part of a list, and where the next one starts.
#[derive(Debug)]
pub struct Page<T, Id> {
    /// The things.
    pub items: Vec<T>,
    /// To be handed back for more; none if that was all.
    pub next: Option<Cursor<Id>>,
}

/// The last thing of a part of a list, printed `<microseconds>.<id>`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Cursor<Id> {
    at: i64,
    id: Id,
}

impl<T, Id> Page<T, Id> {
    /// From one thing more than were asked for, if there are so many; `cursor`
    /// says when a thing was, and its id.
    pub(crate) fn of(mut items: Vec<T>, limit: i64, cursor: impl Fn(&T) -> (i64, Id)) -> Self {
        let more = items.len() > usize::try_from(limit).unwrap_or(usize::MAX);
        if more {
            items.pop();
        }
        let next = items.last().filter(|_| more).map(|last| {
            let (at, id) = cursor(last);
            Cursor { at, id }
        });
        Self { items, next }
    }
}

impl<Id: fmt::Display> Cursor<Id> {
    /// What comes after it is before this time, or at this time with a smaller
    /// id. Without a cursor: everything.
    pub(crate) fn bounds(after: Option<Self>) -> (i64, String) {
        after.map_or((i64::MAX, String::new()), |it| (it.at, it.id.to_string()))
    }
}

impl<Id: fmt::Display> fmt::Display for Cursor<Id> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}.{}", self.at, self.id)
    }
}

impl<Id: fmt::Display + FromStr> FromStr for Cursor<Id> {
    type Err = NotACursor;

    fn from_str(text: &str) -> Result<Self, NotACursor> {
        let (at, id) = text.split_once('.').ok_or(NotACursor)?;
        let cursor = Self {
            at: at.parse().map_err(|_| NotACursor)?,
            id: id.parse().map_err(|_| NotACursor)?,
        };
        (cursor.to_string() == text)
            .then_some(cursor)
            .ok_or(NotACursor)
    }
}

/// A text that is no cursor. Its reader is a caller that branches.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("not a cursor that was given out")]
pub struct NotACursor;
