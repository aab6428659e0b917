//! What a site says of its users besides who they are (T10).

use std::collections::BTreeMap;
use std::fmt;

use serde_json::{Number, Value};

use crate::json::Object;

pub(super) const MAX_TEXT_BYTES: usize = 1024;
const MAX_ATTRIBUTES: usize = 50;
const MAX_NAME_CHARS: usize = 64;
const MAX_ITEMS: usize = 20;

/// The value of an attribute.
#[derive(Clone, Debug, PartialEq)]
pub enum Attribute {
    /// At most 1 KiB.
    Text(String),
    /// Finite.
    Number(Number),
    /// Yes or no.
    Flag(bool),
    /// At most 20.
    List(Vec<Scalar>),
}

/// What a list in an attribute is made of.
#[derive(Clone, Debug, PartialEq)]
pub enum Scalar {
    /// At most 1 KiB.
    Text(String),
    /// Finite.
    Number(Number),
    /// Yes or no.
    Flag(bool),
}

/// Why a claim was dropped.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum NotAnAttribute {
    /// The name is empty or has more than 64 characters.
    #[error("its name is empty or longer than 64 characters")]
    Name,
    /// A text has more than 1 KiB.
    #[error("it is longer than 1 KiB")]
    TooLong,
    /// A list has more than 20 items.
    #[error("it has more than 20 items")]
    TooManyItems,
    /// A value of another kind than the claim can have.
    #[error("it is of the wrong kind")]
    WrongKind,
    /// An address that is not `https`.
    #[error("it is not an `https` address")]
    NotHttps,
}

/// Something in a good token that is not used.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Warning {
    /// One claim.
    #[error("the claim `{}` was dropped: {because}", claim.escape_debug())]
    Dropped {
        /// Its name, cut to 64 characters.
        claim: String,
        /// What is wrong with it.
        because: NotAnAttribute,
    },
    /// All attributes after the fiftieth, in the order of their names.
    #[error("{dropped} attributes were dropped: at most 50 are kept")]
    TooManyAttributes {
        /// How many.
        dropped: usize,
    },
}

impl Warning {
    /// The limit it was over, by a stable name that says nothing of the token.
    pub fn limit(&self) -> &'static str {
        match self {
            Self::Dropped { because, .. } => match because {
                NotAnAttribute::Name => "name_too_long",
                NotAnAttribute::TooLong => "text_too_long",
                NotAnAttribute::TooManyItems => "too_many_items",
                NotAnAttribute::WrongKind => "wrong_kind",
                NotAnAttribute::NotHttps => "not_https",
            },
            Self::TooManyAttributes { .. } => "too_many_attributes",
        }
    }

    pub(super) fn dropped(claim: &str, because: NotAnAttribute) -> Self {
        Self::Dropped {
            claim: claim.chars().take(MAX_NAME_CHARS).collect(),
            because,
        }
    }
}

/// Takes what is left once the claims with a meaning have been read.
pub(super) fn read(claims: Object<'_>, warnings: &mut Vec<Warning>) -> BTreeMap<String, Attribute> {
    let mut attributes = BTreeMap::new();
    let mut dropped = 0;
    for (name, value) in claims.into_members() {
        if has_meaning(&name) {
            continue;
        }
        let attribute = if is_short_enough(&name) {
            Attribute::from_json(value.into_value())
        } else {
            Err(NotAnAttribute::Name)
        };
        match attribute {
            Err(because) => warnings.push(Warning::dropped(&name, because)),
            Ok(_) if attributes.len() == MAX_ATTRIBUTES => dropped += 1,
            Ok(attribute) => {
                attributes.insert(name.into_owned(), attribute);
            }
        }
    }
    if dropped > 0 {
        warnings.push(Warning::TooManyAttributes { dropped });
    }
    attributes
}

/// Whether a claim of that name is an attribute, if its value is fit for one.
pub fn is_attribute_name(claim: &str) -> bool {
    is_short_enough(claim) && !has_meaning(claim)
}

fn is_short_enough(name: &str) -> bool {
    (1..=MAX_NAME_CHARS).contains(&name.chars().count())
}

/// Whether a claim has a meaning of its own, here or in the protocols that use
/// tokens. It is then never an attribute.
fn has_meaning(claim: &str) -> bool {
    matches!(
        claim,
        "sub" | "user_id" | "external_id" | "email" | "email_verified"
            | "name" | "given_name" | "family_name" | "nickname" | "picture" | "locale"
            | "zoneinfo" | "phone_number" | "auth_time" | "act"
            | "exp" | "nbf" | "iat" | "aud" | "iss" | "jti"
            // RFC 7519, RFC 8693, RFC 9449 and OpenID Connect.
            | "acr" | "amr" | "at_hash" | "ath" | "azp" | "c_hash"
            | "client_id" | "cnf" | "events" | "htm" | "htu" | "may_act" | "nonce" | "s_hash"
            | "scope" | "sid" | "sub_id" | "sub_jwk" | "toe" | "txn" | "vot"
    )
}

impl Attribute {
    /// Reads a value within the limits.
    pub fn from_json(value: Value) -> Result<Self, NotAnAttribute> {
        Ok(match value {
            Value::Array(items) if items.len() > MAX_ITEMS => {
                return Err(NotAnAttribute::TooManyItems);
            }
            Value::Array(items) => Self::List(
                items
                    .into_iter()
                    .map(Scalar::from_json)
                    .collect::<Result<_, _>>()?,
            ),
            value @ (Value::Null
            | Value::Bool(_)
            | Value::Number(_)
            | Value::String(_)
            | Value::Object(_)) => match Scalar::from_json(value)? {
                Scalar::Text(text) => Self::Text(text),
                Scalar::Number(number) => Self::Number(number),
                Scalar::Flag(flag) => Self::Flag(flag),
            },
        })
    }

    /// Writes what [`from_json`](Self::from_json) reads.
    pub fn to_json(&self) -> Value {
        match self {
            Self::Text(text) => Value::from(text.as_str()),
            Self::Number(number) => Value::Number(number.clone()),
            Self::Flag(flag) => Value::Bool(*flag),
            Self::List(items) => items.iter().map(Scalar::to_json).collect(),
        }
    }
}

impl Scalar {
    fn from_json(value: Value) -> Result<Self, NotAnAttribute> {
        match value {
            Value::String(text) if text.len() > MAX_TEXT_BYTES => Err(NotAnAttribute::TooLong),
            Value::String(text) => Ok(Self::Text(text)),
            Value::Number(number) => Ok(Self::Number(number)),
            Value::Bool(flag) => Ok(Self::Flag(flag)),
            Value::Null | Value::Array(_) | Value::Object(_) => Err(NotAnAttribute::WrongKind),
        }
    }

    fn to_json(&self) -> Value {
        match self {
            Self::Text(text) => Value::from(text.as_str()),
            Self::Number(number) => Value::Number(number.clone()),
            Self::Flag(flag) => Value::Bool(*flag),
        }
    }
}

impl fmt::Display for Scalar {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Text(text) => f.write_str(text),
            Self::Number(number) => number.fmt(f),
            Self::Flag(flag) => flag.fmt(f),
        }
    }
}

impl fmt::Display for Attribute {
    /// Prints it as it is put into a template: a list with commas.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Text(text) => f.write_str(text),
            Self::Number(number) => number.fmt(f),
            Self::Flag(flag) => flag.fmt(f),
            Self::List(items) => {
                for (n, item) in items.iter().enumerate() {
                    let comma = if n == 0 { "" } else { "," };
                    write!(f, "{comma}{item}")?;
                }
                Ok(())
            }
        }
    }
}
