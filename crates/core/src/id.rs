//! Ids: one newtype each, with a prefix.
//!
//! The printed form is the stored form and the public form (`cnv_0197f6…`). It
//! is parsed back only if it prints the same, so two texts never name one thing.

use std::{fmt, str::FromStr};

use serde::{Deserialize, Serialize};
use uuid::Uuid;

use crate::clock::Clock;

/// A text that is not an id of the expected kind.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("not an id of the form `{expected}_…`")]
pub struct ParseIdError {
    expected: &'static str,
}

macro_rules! id {
    ($(#[$doc:meta])* $name:ident, $prefix:literal) => {
        $(#[$doc])*
        #[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
        #[serde(into = "String", try_from = "String")]
        pub struct $name(Uuid);

        impl $name {
            /// Makes a fresh id.
            pub fn new(clock: &Clock) -> Self {
                Self(clock.uuid())
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                write!(f, concat!($prefix, "_{}"), self.0.simple())
            }
        }

        impl fmt::Debug for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                fmt::Display::fmt(self, f)
            }
        }

        impl From<$name> for String {
            fn from(id: $name) -> Self {
                id.to_string()
            }
        }

        impl TryFrom<String> for $name {
            type Error = ParseIdError;

            fn try_from(text: String) -> Result<Self, ParseIdError> {
                text.parse()
            }
        }

        impl FromStr for $name {
            type Err = ParseIdError;

            /// Accepts what `Display` prints and nothing else.
            fn from_str(text: &str) -> Result<Self, ParseIdError> {
                text.strip_prefix(concat!($prefix, "_"))
                    .and_then(|hex| Uuid::try_parse(hex).ok())
                    .map(Self)
                    .filter(|id| id.to_string() == text)
                    .ok_or(ParseIdError { expected: $prefix })
            }
        }
    };
}

id!(
    /// Names an agent: `agt_0197f6…`.
    AgentId, "agt"
);
id!(
    /// Names a signing key, and is its `kid`: `key_0197f6…`.
    KeyId, "key"
);
id!(
    /// Names an anonymous visitor: `vis_0197f6…`.
    VisitorId, "vis"
);
id!(
    /// Names a contact: `cnt_0197f6…`.
    ContactId, "cnt"
);
id!(
    /// Names a session, and is no secret: `ses_0197f6…`.
    SessionId, "ses"
);
id!(
    /// Names a conversation: `cnv_0197f6…`.
    ConversationId, "cnv"
);
id!(
    /// Names a process that serves, for as long as it runs: `nod_0197f6…`.
    NodeId, "nod"
);
id!(
    /// Names one entry of a conversation: `msg_0197f6…`.
    EntryId, "msg"
);
id!(
    /// Names one call of an Action within a turn: `call_0197f6…`.
    CallId, "call"
);
id!(
    /// Names something that is remembered of a contact: `mem_0197f6…`.
    MemoryId, "mem"
);
id!(
    /// Names a conversation's coming along at a sign-in: `mrg_0197f6…`.
    MergeId, "mrg"
);
id!(
    /// Names an Action: `act_0197f6…`.
    ActionId, "act"
);
id!(
    /// Names a source of knowledge: `src_0197f6…`.
    SourceId, "src"
);
id!(
    /// Names an API key, and is no secret: `apk_0197f6…`.
    ApiKeyId, "apk"
);
id!(
    /// Names somebody whom operators act as in staging: `tst_0197f6…`.
    TestIdentityId, "tst"
);
id!(
    /// Names a line of the audit log: `aud_0197f6…`.
    AuditId, "aud"
);
id!(
    /// Names a one-time code that was asked for, and says nothing of its digits: `otc_0197f6…`.
    CodeId, "otc"
);

#[cfg(test)]
mod tests {
    use jiff::Timestamp;
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn what_an_id_prints_is_parsed_back() {
        let id = ConversationId::new(&Clock::manual(Timestamp::UNIX_EPOCH));

        assert_eq!(id.to_string().parse(), Ok(id));
    }

    #[test]
    fn an_id_of_another_kind_or_another_spelling_is_refused() {
        let id = ConversationId::new(&Clock::system()).to_string();

        for wrong in [
            id.replace("cnv_", "msg_"),
            id.to_uppercase(),
            format!(" {id}"),
            format!("cnv_{}", Uuid::max()),
            "cnv_".to_owned(),
        ] {
            assert!(wrong.parse::<ConversationId>().is_err(), "{wrong}");
        }
    }

    proptest! {
        #[test]
        fn a_text_that_parses_prints_the_same(text in "cnv_[0-9a-fA-F-]{30,40}") {
            if let Ok(id) = text.parse::<ConversationId>() {
                prop_assert_eq!(id.to_string(), text);
            }
        }
    }
}
