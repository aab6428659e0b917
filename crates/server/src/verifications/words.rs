//! What an entry of the log says in words, and how to mend what it tells of.
//!
//! They are the checker's words, made of the same [`Refusal`]s (rule L2). The log
//! keeps a code and times: what else a refusal knew is left out of the sentence.

use maitred_core::scope::{Environment, Scope};
use maitred_store::{Attempt, Verification};
use maitred_token::{AudienceFault, IssuerFault, KidFault, Malformed, Part, Refusal, Span, Trace};

use super::{NOT_LOGGED, RATE_LIMITED};
use crate::http::ApiError;

/// An entry in words.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Words {
    /// What happened.
    pub(crate) message: String,
    /// What to do about it, where there is something to do.
    pub(crate) fix: Option<String>,
}

impl Words {
    /// What an entry says.
    pub(crate) fn of(entry: &Verification) -> Self {
        let attempt = &entry.attempt;
        if attempt.is_accepted() {
            return accepted(entry);
        }
        by_the_token(attempt)
            .or_else(|| by_the_server(attempt))
            .unwrap_or_else(|| {
                Self::new(
                    "something went wrong on our side",
                    "look at the server's log",
                )
            })
    }

    fn new(message: impl Into<String>, fix: impl Into<String>) -> Self {
        Self {
            message: message.into(),
            fix: Some(fix.into()),
        }
    }
}

fn accepted(entry: &Verification) -> Words {
    let name = entry.contact_name.as_deref();
    let mut message = format!("recognised {}", name.unwrap_or("a visitor"));
    let warnings = &entry.attempt.warnings;
    if warnings.is_empty() {
        return Words { message, fix: None };
    }
    message += &format!(", and dropped claims: {}", warnings.join(", "));
    Words::new(
        message,
        "keep these claims within their limits, or leave them out",
    )
}

/// What the token itself was refused for.
fn by_the_token(attempt: &Attempt) -> Option<Words> {
    let lifetime = attempt.lifetime.unwrap_or_default();
    let key = attempt.key.clone().unwrap_or_default();
    // With a sentence: some of the refusal was not kept.
    let (refusal, sentence) = match attempt.code.as_str() {
        "malformed" => (
            Refusal::Malformed(Malformed::Parts),
            "the token is malformed",
        ),
        "too_large" => (Refusal::TooLarge, ""),
        "header_not_supported" => (
            Refusal::HeaderNotSupported("crit"),
            "the header has a member that is not supported",
        ),
        "type_not_allowed" => (Refusal::TypeNotAllowed, ""),
        "algorithm_not_allowed" => {
            let algorithm = attempt.algorithm.as_deref();
            let expected = algorithm.and_then(|name| name.parse().ok());
            (Refusal::AlgorithmNotAllowed { expected }, "")
        }
        "unknown_key" => (
            Refusal::UnknownKey(KidFault::Unfit),
            "no key here could have signed the token",
        ),
        "key_revoked" => {
            let retired_for = None;
            let sentence = "the key that signed the token no longer counts";
            (Refusal::KeyRevoked { key, retired_for }, sentence)
        }
        "bad_signature" => (Refusal::BadSignature, ""),
        "wrong_environment" => {
            let environment = other_environment(attempt.scope).to_string();
            (Refusal::WrongEnvironment { environment, key }, "")
        }
        "token_expired" => {
            // Without `iat` the lifetime counts from when it was shown.
            let ago = attempt.age.unwrap_or_default().saturating_sub(lifetime);
            (Refusal::TokenExpired { ago }, "")
        }
        "not_yet_valid" => (
            Refusal::NotYetValid { wait: 0 },
            "the token is not valid yet",
        ),
        "issued_in_future" => {
            let ahead = attempt.skew.unwrap_or_default();
            (Refusal::IssuedInFuture { ahead }, "")
        }
        "lifetime_too_long" => return Some(lives_too_long(lifetime)),
        "wrong_audience" => (
            Refusal::WrongAudience(AudienceFault::SomeoneElse),
            "`aud` does not name this agent and environment",
        ),
        "wrong_issuer" => (
            Refusal::WrongIssuer(IssuerFault::SomeoneElse),
            "`iss` is missing, or not the issuer of the key",
        ),
        "missing_subject" => (Refusal::MissingSubject, ""),
        "invalid_subject" => (
            Refusal::InvalidSubject("sub"),
            "the user's id is not a string of 1 to 255 bytes or an integer",
        ),
        "conflicting_subject" => (Refusal::ConflictingSubject, ""),
        "missing_email" => (Refusal::MissingEmail, ""),
        "invalid_email" => (Refusal::InvalidEmail, ""),
        "missing_expiry" => (Refusal::MissingExpiry, ""),
        "invalid_time" => (
            Refusal::InvalidTime("exp"),
            "a time is not a number of seconds before the year 10000",
        ),
        "duplicate_member" => (
            Refusal::DuplicateMember(Part::Claims),
            "the token has a member twice",
        ),
        "actor_not_allowed" => return Some(nobody_may_act()),
        "missing_jti" => (Refusal::MissingJti, ""),
        _ => return None,
    };
    let fix = refusal.fix(&Trace {
        age: attempt.age,
        ..Trace::default()
    });
    let message = match sentence {
        "" => refusal.to_string(),
        sentence => sentence.to_owned(),
    };
    Some(Words::new(message, fix))
}

/// The limit of then was not kept.
fn lives_too_long(lifetime: i64) -> Words {
    Words::new(
        format!(
            "the token is good for {}, which is longer than allowed",
            Span(lifetime)
        ),
        "set `exp` nearer to `iat`; the agent's policy says how near (`max_lifetime`)",
    )
}

fn nobody_may_act() -> Words {
    Words::new(
        "somebody acts as the user who may not, or does not say who they are",
        "leave `act` out, or allow it in the agent's policy and set it to an object whose `sub` is the id of the acting person",
    )
}

/// What a token was refused for that may be good by itself.
fn by_the_server(attempt: &Attempt) -> Option<Words> {
    let error = match attempt.code.as_str() {
        "token_revoked" => ApiError::TokenRevoked,
        "token_replayed" => ApiError::TokenReplayed,
        "identity_mismatch" => ApiError::IdentityMismatch,
        "keys_unavailable" => ApiError::KeysUnavailable,
        "storage_full" => ApiError::StorageFull,
        "storage_unavailable" => ApiError::StorageAway,
        "origin_not_allowed" => match &attempt.page_origin {
            Some(origin) => ApiError::OriginNotAllowed(origin.clone()),
            None => {
                return Some(Words::new(
                    "a page of another origin showed a token",
                    "if it is yours, add its origin to those of this agent and environment",
                ));
            }
        },
        "secure_context_needed" => ApiError::SecureContextNeeded,
        // What was wrong with it was not kept.
        "invalid_proof" => {
            return Some(Words::new(
                "the proof of possession that came with the token is not good, so the token was not read",
                "is `server.public_url` the address that browsers use? A program that opens sessions makes its proofs as RFC 9449 says",
            ));
        }
        // So answers a session that ended while it was renewed.
        "conflict" => {
            return Some(Words {
                message: "the session that the token was to renew had ended".to_owned(),
                fix: None,
            });
        }
        RATE_LIMITED => {
            return Some(Words::new(
                format!(
                    "{} turned away unread: too many tokens from there were refused",
                    attempts(attempt)
                ),
                "mend what the refusals before it tell of; behind a proxy, list it in `server.trusted_proxies`",
            ));
        }
        NOT_LOGGED => {
            return Some(Words {
                message: format!(
                    "{} counted only: too many came at once to be logged one by one",
                    attempts(attempt)
                ),
                fix: None,
            });
        }
        _ => return None,
    };
    let told = error.told();
    Some(Words {
        message: told.message,
        fix: told.hint,
    })
}

/// With the verb.
fn attempts(attempt: &Attempt) -> String {
    match attempt.attempts {
        1 => "1 attempt was".to_owned(),
        more => format!("{more} attempts were"),
    }
}

fn other_environment(scope: Scope) -> Environment {
    match scope.environment {
        Environment::Production => Environment::Staging,
        Environment::Staging => Environment::Production,
    }
}

#[cfg(test)]
mod tests {
    use maitred_core::{clock::Clock, id::AgentId};
    use maitred_store::ACCEPTED;

    use super::*;

    fn entry(code: &str, more: impl FnOnce(&mut Attempt)) -> Verification {
        let clock = Clock::manual("2026-03-01T12:00:00Z".parse().unwrap());
        let scope = Scope {
            agent: AgentId::new(&clock),
            environment: Environment::Production,
        };
        let mut attempt = Attempt::new(scope, clock.now(), code);
        more(&mut attempt);
        Verification {
            number: 1,
            attempt,
            contact_name: None,
        }
    }

    fn told(entry: &Verification) -> String {
        let Words { message, fix } = Words::of(entry);
        match fix {
            Some(fix) => format!("{message}\n  {fix}"),
            None => message,
        }
    }

    #[test]
    fn l1_an_entry_says_what_happened_and_how_to_mend_it() {
        let key = |it: &mut Attempt| it.key = Some("key_7".to_owned());
        let entries = [
            entry("token_expired", |it| {
                it.age = Some(780);
                it.lifetime = Some(600);
            }),
            entry("token_expired", |it| it.lifetime = Some(-180)),
            entry("issued_in_future", |it| it.skew = Some(300)),
            entry("lifetime_too_long", |it| it.lifetime = Some(7_200)),
            entry("wrong_environment", key),
            entry("algorithm_not_allowed", |it| {
                it.algorithm = Some("HS512".to_owned());
            }),
            entry("key_revoked", key),
            entry("token_revoked", |_| ()),
            entry("origin_not_allowed", |it| {
                it.page_origin = Some("https://other.example".to_owned());
            }),
            entry("secure_context_needed", |_| ()),
            entry("invalid_proof", |_| ()),
            entry("rate_limited", |it| it.attempts = 12),
            entry("not_logged", |_| ()),
            entry("internal", |_| ()),
        ];

        let told = entries.each_ref().map(told);

        insta::assert_snapshot!(told.join("\n"), @r"
        the token expired 3 min ago
          if it was made just now, your server's clock is 13 min behind; else make a fresh token for each page
        the token expired 3 min ago
          make a fresh token for each page, and check that your server's clock is right
        the token was issued 5 min in the future
          set your server's clock, which is 5 min ahead of ours
        the token is good for 2 h, which is longer than allowed
          set `exp` nearer to `iat`; the agent's policy says how near (`max_lifetime`)
        the token is signed with the staging key `key_7`
          sign with the key of the environment that the page uses
        the token's `alg` is not `HS512`, the key's
          tell your JWT library to sign with `HS512`
        the key that signed the token no longer counts
          sign with a key that is active
        the token was made before its user was logged out everywhere
          sign in again and make a new token, with `iat`; for as long as clocks may differ after the logout, new ones are refused too
        pages of `https://other.example` may not show this chat
          if they are yours, add `https://other.example` to the origins of this agent and environment
        this page cannot prove that its session is its own
          serve the page over https, and send a `key` and a `DPoP` proof
        the proof of possession that came with the token is not good, so the token was not read
          is `server.public_url` the address that browsers use? A program that opens sessions makes its proofs as RFC 9449 says
        12 attempts were turned away unread: too many tokens from there were refused
          mend what the refusals before it tell of; behind a proxy, list it in `server.trusted_proxies`
        1 attempt was counted only: too many came at once to be logged one by one
        something went wrong on our side
          look at the server's log
        ");
    }

    #[test]
    fn l1_an_accepted_entry_says_who_was_recognised() {
        let mut sarah = entry(ACCEPTED, |it| it.warnings = vec!["not_https".to_owned()]);
        let gone = entry(ACCEPTED, |_| ());
        sarah.contact_name = Some("Sarah Miller".to_owned());

        let told = [sarah, gone].each_ref().map(told);

        insta::assert_snapshot!(told.join("\n"), @r"
        recognised Sarah Miller, and dropped claims: not_https
          keep these claims within their limits, or leave them out
        recognised a visitor
        ");
    }
}
