//! What whoever holds it may use, and how a text that holds one is recognised.

use std::fmt;

use aws_lc_rs::{digest, rand};
use secrecy::{ExposeSecret, SecretString};

/// An unguessable text that whoever holds it may use: a session, a visitor, an
/// API key.
///
/// Only its [hash](Self::hash) is stored, so a database dump opens nothing.
pub struct Secret(SecretString);

/// What a [`Secret`] stands for. It shows in the text, so that one found where
/// it must not be can be recognised.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SecretFor {
    /// A session of one page load.
    Session,
    /// An anonymous visitor who may come back.
    Visitor,
    /// A program that an operator let use the API. People keep these in files, so
    /// a checksum at the end lets scanners tell one from a random text.
    ApiKey,
}

impl SecretFor {
    fn prefix(self) -> &'static str {
        match self {
            Self::Session => "mtd_session_",
            Self::Visitor => "mtd_visitor_",
            Self::ApiKey => "mtd_api_",
        }
    }

    /// What ends a text that begins like this.
    fn checksum(self, body: &str) -> String {
        match self {
            Self::Session | Self::Visitor => String::new(),
            Self::ApiKey => maitred_token::checksum(body),
        }
    }
}

/// The characters of base64url that 256 bits take.
const RANDOM_CHARS: usize = 43;

/// Makes 256 bits from the operating system's generator.
///
/// Everything of ours that must be unguessable comes from here, but for signing
/// keys, which `maitred-token` makes.
pub fn new_secret(of: SecretFor) -> Secret {
    let mut bytes = [0; 32];
    rand::fill(&mut bytes).expect("the operating system's generator works from boot on");
    let mut text = format!("{}{}", of.prefix(), maitred_token::base64url(&bytes));
    text.push_str(&of.checksum(&text));
    Secret(text.into())
}

impl Secret {
    /// Takes what a client sent. `None` if it is not of the form we give out.
    pub fn parse(of: SecretFor, text: &str) -> Option<Self> {
        let (body, checksum) = text.split_at_checked(of.prefix().len() + RANDOM_CHARS)?;
        let well_formed = body
            .strip_prefix(of.prefix())?
            .bytes()
            .all(|b| b.is_ascii_alphanumeric() || b == b'-' || b == b'_');
        (well_formed && checksum == of.checksum(body)).then(|| Self(text.to_owned().into()))
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

    /// What may be shown of it afterwards.
    pub fn last_four(&self) -> &str {
        let text = self.expose();
        &text[text.len() - 4..]
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

/// What everything of ours that opens something begins with, and how every JWT
/// does (`{"`), with the characters that follow at the least. Fewer are the name
/// of a thing, such as `mtd_session_…` in a sentence.
const BEGINNINGS: [(&str, usize); 2] = [("mtd_", 20), ("eyJ", 16)];

/// Where in a text something begins that may open something, by its look: a secret
/// of ours, or a token. For what watches over texts that must hold none (rule D3).
pub fn find_secret(text: &str) -> Option<usize> {
    BEGINNINGS
        .iter()
        .flat_map(|(beginning, more)| {
            text.match_indices(beginning)
                .filter(|(at, _)| is_long(&text[at + beginning.len()..], *more))
        })
        .map(|(at, _)| at)
        .min()
}

fn is_long(rest: &str, chars: usize) -> bool {
    let of_a_secret = |b: u8| b.is_ascii_alphanumeric() || matches!(b, b'-' | b'_' | b'.');
    rest.bytes().take_while(|b| of_a_secret(*b)).count() >= chars
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
    fn a_mistyped_api_key_is_told_from_a_whole_one() {
        let key = new_secret(SecretFor::ApiKey);
        let text = key.expose();
        let swapped = if text.ends_with('A') { "B" } else { "A" };
        let mistyped = format!("{}{swapped}", &text[..text.len() - 1]);

        assert_eq!(text.len(), "mtd_api_".len() + 43 + 6);
        assert!(text.ends_with(key.last_four()));
        assert!(Secret::parse(SecretFor::ApiKey, text).is_some());
        for wrong in [
            &mistyped,
            &text[..text.len() - 6],
            "mtd_api_",
            "mtd_api_\u{e9}",
        ] {
            assert!(Secret::parse(SecretFor::ApiKey, wrong).is_none(), "{wrong}");
        }
    }

    #[test]
    fn a_secret_does_not_show_in_debug_output() {
        let secret = new_secret(SecretFor::Session);

        assert_eq!(format!("{secret:?}"), "Secret([hidden])");
    }

    #[test]
    fn d3_a_secret_in_a_text_is_found_by_its_look() {
        let session = new_secret(SecretFor::Session);
        for secret in [
            session.expose(),
            &session.expose()[..24],
            "mtd_api_AAAAAAAAAAAAAAAA",
            "mtd_live_AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA",
            "eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiI0MiJ9.x",
        ] {
            assert_eq!(find_secret(&format!("a: {secret:?}")), Some(4), "{secret}");
        }
        assert_eq!(
            find_secret(
                "keys begin with mtd_live_, a session with `mtd_session_…`, tokens with eyJ"
            ),
            None
        );
    }
}
