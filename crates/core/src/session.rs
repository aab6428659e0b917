//! What the widget holds after its token was accepted.

use std::fmt;

use aws_lc_rs::{digest, rand};
use jiff::{SignedDuration, Timestamp};
use secrecy::{ExposeSecret, SecretString};

use crate::{
    assurance::Assurance,
    id::{ContactId, KeyId, SessionId, VisitorId},
    identity::Identity,
    scope::{Owner, Scope},
};

/// A site is not asked for tokens more often than this, however short they live.
const SOONEST_RENEWAL: SignedDuration = SignedDuration::from_secs(30);

/// One page load of one visitor (rule S1).
#[derive(Clone, Debug)]
pub struct Session {
    /// Its name in logs and in the record of who posted what.
    pub id: SessionId,
    /// The agent and environment it is bound to.
    pub scope: Scope,
    /// Who is in it, and with what proof.
    pub holder: Holder,
    /// Where the page said it was loaded from: a claim by the client.
    pub page_origin: String,
    /// When it ends unless it is renewed.
    pub expires_at: Timestamp,
}

/// Who holds a session.
#[derive(Clone, Debug)]
pub enum Holder {
    /// Somebody of whom nothing is known but that they came back.
    Anonymous(VisitorId),
    /// Somebody the site vouched for.
    Verified {
        /// Their record.
        contact: ContactId,
        /// What their token proved.
        identity: Box<Identity>,
        /// The key that verified it.
        key: KeyId,
    },
}

impl Session {
    /// Whose conversations it may see.
    pub fn owner(&self) -> Owner {
        match &self.holder {
            Holder::Anonymous(visitor) => Owner::Visitor(*visitor),
            Holder::Verified { contact, .. } => Owner::Contact(*contact),
        }
    }

    /// What is proven of its holder.
    pub fn identity(&self) -> Option<&Identity> {
        match &self.holder {
            Holder::Anonymous(_) => None,
            Holder::Verified { identity, .. } => Some(identity),
        }
    }

    /// When to ask for the next token, so that its holder notices nothing (rule S2):
    /// with a fifth of the present token's life left, but not at once.
    ///
    /// `grace` is what the session lasts longer than its token. `None` where no
    /// token is behind the session.
    pub fn renew_at(&self, now: Timestamp, grace: SignedDuration) -> Option<Timestamp> {
        self.identity()?;
        let left = self.expires_at.duration_since(now) - grace;
        let wait = (left * 4 / 5).max(SOONEST_RENEWAL);
        now.checked_add(wait).ok()
    }

    /// How sure we are of its holder (rule A1).
    pub fn assurance(&self) -> Assurance {
        self.identity()
            .map_or(Assurance::Anonymous, Identity::assurance)
    }
}

/// Why a session is no more.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Ended {
    /// Its time was up.
    Expired,
    /// It was logged out, replaced, or its key was revoked.
    Revoked,
}

/// An unguessable text that whoever holds it may use: a session or a visitor.
///
/// Only its [hash](Self::hash) is stored, so a database dump opens no session.
pub struct Secret(SecretString);

/// What a [`Secret`] stands for. It shows in the text, so that one found where
/// it must not be can be recognised.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SecretFor {
    /// A session of one page load.
    Session,
    /// An anonymous visitor who may come back.
    Visitor,
}

impl SecretFor {
    fn prefix(self) -> &'static str {
        match self {
            Self::Session => "mtd_session_",
            Self::Visitor => "mtd_visitor_",
        }
    }
}

/// Makes 256 bits from the operating system's generator.
///
/// Everything of ours that must be unguessable comes from here, but for signing
/// keys, which `maitred-token` makes.
pub fn new_secret(of: SecretFor) -> Secret {
    let mut bytes = [0; 32];
    rand::fill(&mut bytes).expect("the operating system's generator works from boot on");
    Secret(format!("{}{}", of.prefix(), maitred_token::base64url(&bytes)).into())
}

/// A fresh epoch for the numbering of one owner's events (rule R4).
pub fn new_epoch() -> String {
    let mut bytes = [0; 9];
    rand::fill(&mut bytes).expect("the operating system's generator works from boot on");
    maitred_token::base64url(&bytes)
}

impl Secret {
    /// Takes what a client sent. `None` if it is not of the form we give out.
    pub fn parse(of: SecretFor, text: &str) -> Option<Self> {
        let rest = text.strip_prefix(of.prefix())?;
        let well_formed = rest.len() == 43
            && rest
                .bytes()
                .all(|b| b.is_ascii_alphanumeric() || b == b'-' || b == b'_');
        well_formed.then(|| Self(text.to_owned().into()))
    }

    /// What is stored: the SHA-256 of the text, in hex.
    ///
    /// A look-up by hash takes the same time for every wrong secret.
    pub fn hash(&self) -> String {
        let digest = digest::digest(&digest::SHA256, self.0.expose_secret().as_bytes());
        digest
            .as_ref()
            .iter()
            .map(|byte| format!("{byte:02x}"))
            .collect()
    }

    /// The text itself, to be handed to its holder once.
    pub fn expose(&self) -> &str {
        self.0.expose_secret()
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Secret([hidden])")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_secret_is_parsed_back_and_hashes_alike() {
        let secret = new_secret(SecretFor::Session);

        let parsed = Secret::parse(SecretFor::Session, secret.expose()).unwrap();

        assert_eq!(parsed.hash(), secret.hash());
        assert_ne!(new_secret(SecretFor::Session).hash(), secret.hash());
    }

    #[test]
    fn s1_the_secret_of_a_visitor_opens_no_session() {
        let visitor = new_secret(SecretFor::Visitor);

        assert!(Secret::parse(SecretFor::Session, visitor.expose()).is_none());
    }

    #[test]
    fn a_secret_does_not_show_in_debug_output() {
        let secret = new_secret(SecretFor::Session);

        assert_eq!(format!("{secret:?}"), "Secret([hidden])");
    }
}
