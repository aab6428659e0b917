//! Rows and JSON columns, and their conversion to what the program works with.
//!
//! Deriving `Serialize` here is a promise: what is written today is read by
//! every later release. A field may be added with a default; none may change.

use std::collections::BTreeMap;

use jiff::Timestamp;
use maitred_core::{
    action::{Arguments, Call, Detail, Failure, Outcome, Refused},
    agent::{Enforcement, Origin, Settings, TokenPolicy},
    conversation::{Author, Body, Citation, LastMessage, Message, Status},
    id::{CallId, SessionId},
    identity::{Email, Identity},
};
use serde::{Deserialize, Serialize};
use serde_json::Value;
use uuid::Uuid;

use crate::StoreError;

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

// --- environments.settings ---------------------------------------------------

#[derive(Serialize, Deserialize)]
pub(crate) struct SettingsJson {
    origins: Vec<String>,
    sign_in_url: Option<String>,
    suggestions: Vec<String>,
    accent: Option<String>,
    leeway: u32,
    max_lifetime: u32,
    email_required: bool,
    #[serde(default)]
    enforcement: EnforcementJson,
}

#[derive(Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum EnforcementJson {
    #[default]
    Optional,
    Report,
    Required,
}

impl From<&Settings> for SettingsJson {
    fn from(settings: &Settings) -> Self {
        Self {
            origins: settings
                .origins
                .iter()
                .map(|origin| origin.as_str().to_owned())
                .collect(),
            sign_in_url: settings.sign_in_url.clone(),
            suggestions: settings.suggestions.clone(),
            accent: settings.accent.clone(),
            leeway: settings.tokens.leeway,
            max_lifetime: settings.tokens.max_lifetime,
            email_required: settings.tokens.email_required,
            enforcement: settings.enforcement.into(),
        }
    }
}

impl TryFrom<SettingsJson> for Settings {
    type Error = StoreError;

    fn try_from(json: SettingsJson) -> Result<Self, StoreError> {
        let corrupt = StoreError::Corrupt {
            table: "environments",
            column: "settings",
        };
        let origins: Result<_, _> = json
            .origins
            .iter()
            .map(|text| Origin::parse(text))
            .collect();
        Ok(Self {
            origins: origins.map_err(|_| corrupt)?,
            sign_in_url: json.sign_in_url,
            suggestions: json.suggestions,
            accent: json.accent,
            tokens: TokenPolicy {
                leeway: json.leeway,
                max_lifetime: json.max_lifetime,
                email_required: json.email_required,
            },
            enforcement: json.enforcement.into(),
        })
    }
}

// --- sessions.identity -------------------------------------------------------

#[derive(Serialize, Deserialize)]
pub(crate) struct IdentityJson {
    subject: String,
    email: Option<String>,
    email_verified: bool,
    name: Option<String>,
    given_name: Option<String>,
    locale: Option<String>,
    zoneinfo: Option<String>,
    phone_number: Option<String>,
    auth_time: Option<i64>,
    actor: Option<String>,
    attributes: BTreeMap<String, Value>,
}

impl From<&Identity> for IdentityJson {
    fn from(identity: &Identity) -> Self {
        let identity = identity.clone();
        Self {
            subject: identity.subject,
            email_verified: identity.email.as_ref().is_some_and(|email| email.verified),
            email: identity.email.map(|email| email.address),
            name: identity.name,
            given_name: identity.given_name,
            locale: identity.locale,
            zoneinfo: identity.zoneinfo,
            phone_number: identity.phone_number,
            auth_time: identity.auth_time.map(Timestamp::as_second),
            actor: identity.actor,
            attributes: identity.attributes,
        }
    }
}

impl From<IdentityJson> for Identity {
    fn from(json: IdentityJson) -> Self {
        let verified = json.email_verified;
        Self {
            subject: json.subject,
            email: json.email.map(|address| Email { address, verified }),
            name: json.name,
            given_name: json.given_name,
            locale: json.locale,
            zoneinfo: json.zoneinfo,
            phone_number: json.phone_number,
            auth_time: json
                .auth_time
                .and_then(|at| Timestamp::from_second(at).ok()),
            actor: json.actor,
            attributes: json.attributes,
        }
    }
}

// --- conversations.last_message ----------------------------------------------

#[derive(Serialize, Deserialize)]
pub(crate) struct LastMessageJson {
    by: AuthorJson,
    text: String,
    at: i64,
}

impl LastMessageJson {
    /// A list shows a line of it.
    const MAX: usize = 120;

    pub(crate) fn of(message: &Message, at: Timestamp) -> Self {
        let text = message.text.chars().take(Self::MAX).collect();
        Self {
            by: message.by.into(),
            text,
            at: at.as_microsecond(),
        }
    }
}

impl TryFrom<LastMessageJson> for LastMessage {
    type Error = StoreError;

    fn try_from(json: LastMessageJson) -> Result<Self, StoreError> {
        let at = time(json.at, "conversations", "last_message")?;
        Ok(Self {
            by: json.by.into(),
            text: json.text,
            at,
        })
    }
}

// --- entries.body ------------------------------------------------------------

#[derive(Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum AuthorJson {
    Visitor,
    Agent,
    Operator,
}

#[derive(Serialize, Deserialize)]
pub(crate) struct CitationJson {
    title: String,
    url: String,
}

#[derive(Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum StatusJson {
    ContinuedFromBeforeSignIn,
    Resumed,
    Interrupted,
    GaveUp,
    Cancelled,
}

#[derive(Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum RefusedJson {
    AssuranceTooLow,
    NoSuchAction,
    TurnClosed,
}

#[derive(Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum FailureJson {
    NotFound,
    InvalidArguments,
    Rejected,
    Unavailable,
    NotSetUp,
}

#[derive(Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum OutcomeJson {
    Succeeded(Value),
    Failed(FailureJson),
    Refused(RefusedJson),
    Unknown,
}

#[derive(Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "snake_case")]
pub(crate) enum BodyJson {
    Message {
        by: AuthorJson,
        text: String,
        citations: Vec<CitationJson>,
        client_id: Option<Uuid>,
        session: Option<SessionId>,
    },
    CallAsked {
        call: CallId,
        action: String,
        arguments: Arguments,
    },
    CallStarted {
        call: CallId,
        action: String,
        label: String,
        details: Vec<Detail>,
    },
    CallFinished {
        call: CallId,
        action: String,
        label: String,
        outcome: OutcomeJson,
    },
    Status {
        status: StatusJson,
    },
}

/// The `kind` of an entry, as the contract names it.
pub(crate) fn kind(body: &Body) -> &'static str {
    match body {
        Body::Message(_) => "message",
        Body::CallAsked(_) | Body::CallStarted { .. } | Body::CallFinished { .. } => "call",
        Body::Status(_) => "status",
    }
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

same!(
    Author,
    AuthorJson {
        Visitor,
        Agent,
        Operator
    }
);
same!(
    Enforcement,
    EnforcementJson {
        Optional,
        Report,
        Required
    }
);
same!(
    Failure,
    FailureJson {
        NotFound,
        InvalidArguments,
        Rejected,
        Unavailable,
        NotSetUp
    }
);
same!(
    Refused,
    RefusedJson {
        AssuranceTooLow,
        NoSuchAction,
        TurnClosed
    }
);
same!(
    Status,
    StatusJson {
        ContinuedFromBeforeSignIn,
        Resumed,
        Interrupted,
        GaveUp,
        Cancelled
    }
);

impl From<&Body> for BodyJson {
    fn from(body: &Body) -> Self {
        match body.clone() {
            Body::Message(message) => Self::Message {
                by: message.by.into(),
                text: message.text,
                citations: message
                    .citations
                    .into_iter()
                    .map(|Citation { title, url }| CitationJson { title, url })
                    .collect(),
                client_id: message.client_id,
                session: message.session,
            },
            Body::CallAsked(Call {
                id,
                action,
                arguments,
            }) => Self::CallAsked {
                call: id,
                action,
                arguments,
            },
            Body::CallStarted {
                call,
                action,
                label,
                details,
            } => Self::CallStarted {
                call,
                action,
                label,
                details,
            },
            Body::CallFinished {
                call,
                action,
                label,
                outcome,
            } => {
                let outcome = match outcome {
                    Outcome::Succeeded(value) => OutcomeJson::Succeeded(value),
                    Outcome::Failed(why) => OutcomeJson::Failed(why.into()),
                    Outcome::Refused(reason) => OutcomeJson::Refused(reason.into()),
                    Outcome::Unknown => OutcomeJson::Unknown,
                };
                Self::CallFinished {
                    call,
                    action,
                    label,
                    outcome,
                }
            }
            Body::Status(status) => Self::Status {
                status: status.into(),
            },
        }
    }
}

impl From<BodyJson> for Body {
    fn from(json: BodyJson) -> Self {
        match json {
            BodyJson::Message {
                by,
                text,
                citations,
                client_id,
                session,
            } => {
                let citations = citations
                    .into_iter()
                    .map(|CitationJson { title, url }| Citation { title, url })
                    .collect();
                Self::Message(Message {
                    by: by.into(),
                    text,
                    citations,
                    client_id,
                    session,
                })
            }
            BodyJson::CallAsked {
                call,
                action,
                arguments,
            } => Self::CallAsked(Call {
                id: call,
                action,
                arguments,
            }),
            BodyJson::CallStarted {
                call,
                action,
                label,
                details,
            } => Self::CallStarted {
                call,
                action,
                label,
                details,
            },
            BodyJson::CallFinished {
                call,
                action,
                label,
                outcome,
            } => {
                let outcome = match outcome {
                    OutcomeJson::Succeeded(value) => Outcome::Succeeded(value),
                    OutcomeJson::Failed(why) => Outcome::Failed(why.into()),
                    OutcomeJson::Refused(reason) => Outcome::Refused(reason.into()),
                    OutcomeJson::Unknown => Outcome::Unknown,
                };
                Self::CallFinished {
                    call,
                    action,
                    label,
                    outcome,
                }
            }
            BodyJson::Status { status } => Self::Status(status.into()),
        }
    }
}
