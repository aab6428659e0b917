//! Contacts: what is kept of visitors whose subject is known.

use std::{collections::BTreeSet, fmt, str::FromStr};

use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use crate::id::{ContactId, KeyId};

/// The record of a visitor whose subject is known.
#[derive(Clone, Debug, PartialEq)]
pub struct Contact {
    /// Its name for us.
    pub id: ContactId,
    /// Its name at the site.
    pub subject: String,
    /// What was kept of the last token.
    pub record: Record,
    /// When the first token was accepted.
    pub created_at: Timestamp,
    /// When the last one was.
    pub seen_at: Timestamp,
}

/// What of a token's claims is kept with the contact.
#[derive(Clone, Debug, PartialEq, Default)]
pub struct Record {
    /// The whole name.
    pub name: Option<String>,
    /// The address, proven or claimed.
    pub email: Option<String>,
    /// Everything else that the operator wants kept.
    pub claims: Map<String, Value>,
}

impl Record {
    /// What is not as it was, in the order of the names behind name and address.
    pub fn changes_since(&self, before: &Self) -> Vec<FieldChange> {
        let text = |text: &Option<String>| text.clone().map_or(Value::Null, Value::from);
        let known = [
            ("name", text(&before.name), text(&self.name)),
            ("email", text(&before.email), text(&self.email)),
        ];
        let names: BTreeSet<&String> = before.claims.keys().chain(self.claims.keys()).collect();
        let of = |claims: &Map<String, Value>, name: &str| claims.get(name).cloned();
        let claims = names.into_iter().map(|name| {
            let from = of(&before.claims, name).unwrap_or_default();
            let to = of(&self.claims, name).unwrap_or_default();
            (name.as_str(), from, to)
        });
        known
            .into_iter()
            .chain(claims)
            .filter(|(_, from, to)| from != to)
            .map(|(field, from, to)| FieldChange {
                field: field.to_owned(),
                from,
                to,
            })
            .collect()
    }
}

/// What one token changed about a contact.
#[derive(Clone, Debug, PartialEq)]
pub struct ContactChange {
    /// When the token was accepted.
    pub at: Timestamp,
    /// The key that it was signed with.
    pub key: KeyId,
    /// When it was made, if it says so.
    pub issued_at: Option<Timestamp>,
    /// What is not as it was.
    pub fields: Vec<FieldChange>,
}

/// One thing that is not as it was. Nothing is null.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct FieldChange {
    /// `name`, `email`, or the name of a claim.
    pub field: String,
    /// What it was.
    pub from: Value,
    /// What it is.
    pub to: Value,
}

/// A user's id at the site, as somebody typed it: what a token could carry.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Subject(String);

/// A text that no token can carry as its subject.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("a subject is 1 to 255 bytes, without control characters or spaces around it")]
pub struct NotASubject;

impl Subject {
    /// The longest, in bytes.
    const MAX: usize = 255;

    /// The text, to be compared byte for byte.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl FromStr for Subject {
    type Err = NotASubject;

    fn from_str(text: &str) -> Result<Self, NotASubject> {
        let fit = (1..=Self::MAX).contains(&text.len())
            && text.trim().len() == text.len()
            && !text.chars().any(char::is_control);
        fit.then(|| Self(text.to_owned())).ok_or(NotASubject)
    }
}

impl fmt::Display for Subject {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_change_names_what_was_added_replaced_and_dropped() {
        let record = |name: Option<&str>, claims: Value| Record {
            name: name.map(str::to_owned),
            email: Some("sarah@example.com".to_owned()),
            claims: claims.as_object().unwrap().clone(),
        };
        let before = record(Some("Sarah"), json!({ "plan": "free", "seats": 3 }));
        let after = record(None, json!({ "plan": "pro", "since": 2020 }));

        let changes = after.changes_since(&before);

        let told: Vec<_> = changes
            .iter()
            .map(|it| (it.field.as_str(), &it.from, &it.to))
            .collect();
        let (null, free, pro) = (Value::Null, json!("free"), json!("pro"));
        assert_eq!(
            told,
            [
                ("name", &json!("Sarah"), &null),
                ("plan", &free, &pro),
                ("seats", &json!(3), &null),
                ("since", &null, &json!(2020)),
            ]
        );
        assert_eq!(after.changes_since(&after), []);
    }

    #[test]
    fn t4_what_no_token_can_carry_is_no_subject() {
        let longest = "x".repeat(255);
        for right in ["42", "a b", "é", longest.as_str()] {
            assert_eq!(right.parse::<Subject>().unwrap().as_str(), right);
        }
        let too_long = "x".repeat(256);
        for wrong in ["", " 42", "42 ", "4\u{0}2", "4\n2", too_long.as_str()] {
            assert_eq!(wrong.parse::<Subject>(), Err(NotASubject), "{wrong:?}");
        }
    }
}
