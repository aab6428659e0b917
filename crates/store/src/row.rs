//! Rows and JSON columns, and their conversion to what the program works with.
//!
//! Deriving `Serialize` here is a promise: what is written today is read by
//! every later release. A field may be added with a default; none may change.

mod entry;
mod identity;
mod settings;
mod told;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use crate::StoreError;

pub(crate) use entry::{BodyJson, LastMessageJson, RatingJson, author, kind};
pub(crate) use identity::IdentityJson;
pub(crate) use settings::SettingsJson;
pub(crate) use told::{MessageJson, ToldJson};

/// Parses the text of a column.
pub(crate) fn parsed<T: std::str::FromStr>(
    text: &str,
    table: &'static str,
    column: &'static str,
) -> Result<T, StoreError> {
    text.parse()
        .map_err(|_| StoreError::Corrupt { table, column })
}

/// Reads a time of a column.
pub(crate) fn time(
    microseconds: i64,
    table: &'static str,
    column: &'static str,
) -> Result<Timestamp, StoreError> {
    Timestamp::from_microsecond(microseconds).map_err(|_| StoreError::Corrupt { table, column })
}

/// Reads the JSON of a column.
pub(crate) fn json<'t, T: Deserialize<'t>>(
    text: &'t str,
    table: &'static str,
    column: &'static str,
) -> Result<T, StoreError> {
    serde_json::from_str(text).map_err(|_| StoreError::Corrupt { table, column })
}

/// Writes the JSON of a column.
pub(crate) fn to_json(value: &impl Serialize) -> String {
    serde_json::to_string(value).expect("maps with text keys and numbers are always JSON")
}

/// Pairs the variants of an enum of ours with those of its stored form.
macro_rules! same {
    ($ours:ident, $json:ident { $($variant:ident),* }) => {
        impl From<$ours> for $json {
            fn from(ours: $ours) -> Self {
                match ours { $($ours::$variant => Self::$variant),* }
            }
        }
        impl From<$json> for $ours {
            fn from(json: $json) -> Self {
                match json { $($json::$variant => Self::$variant),* }
            }
        }
    };
}
use same;
