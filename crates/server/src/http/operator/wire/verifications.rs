//! The verification log, and what it says of keys.

use jiff::Timestamp;
use maitred_core::{
    id::{AgentId, ContactId},
    scope::Environment,
};
use maitred_store::{KeyImpact, Verification};
use serde::Serialize;

use crate::verifications::Words;

/// One attempt to exchange a token: nothing of the token, of its claims, or of
/// where it came from.
#[derive(Serialize)]
pub(crate) struct VerificationView {
    number: i64,
    at: Timestamp,
    agent: AgentId,
    environment: Environment,
    /// `accepted`, or the precise code of the refusal.
    code: String,
    /// What happened, in words.
    message: String,
    /// What to do about it.
    #[serde(skip_serializing_if = "Option::is_none")]
    fix: Option<String>,
    /// How many attempts it stands for.
    attempts: u64,
    key: Option<String>,
    algorithm: Option<String>,
    age_s: Option<i64>,
    lifetime_s: Option<i64>,
    skew_s: Option<i64>,
    page_origin: Option<String>,
    subject_hash: Option<String>,
    contact: Option<VerifiedContact>,
    warnings: Vec<String>,
}

/// Whom an accepted token let in.
#[derive(Serialize)]
struct VerifiedContact {
    id: ContactId,
    /// Joined now: gone when the contact is.
    name: Option<String>,
}

impl From<&Verification> for VerificationView {
    fn from(entry: &Verification) -> Self {
        let Words { message, fix } = Words::of(entry);
        let attempt = entry.attempt.clone();
        Self {
            number: entry.number,
            at: attempt.at,
            agent: attempt.scope.agent,
            environment: attempt.scope.environment,
            code: attempt.code,
            message,
            fix,
            attempts: attempt.attempts,
            key: attempt.key,
            algorithm: attempt.algorithm,
            age_s: attempt.age,
            lifetime_s: attempt.lifetime,
            skew_s: attempt.skew,
            page_origin: attempt.page_origin,
            subject_hash: attempt.subject_hash,
            contact: attempt.contact.map(|id| VerifiedContact {
                id,
                name: entry.contact_name.clone(),
            }),
            warnings: attempt.warnings,
        }
    }
}

/// What would break if a key were revoked now: the last 7 days (rule K6).
#[derive(Serialize)]
pub(crate) struct KeyImpactView {
    tokens: i64,
    subjects: i64,
    origins: Vec<String>,
    live_sessions: i64,
    last_used_at: Option<Timestamp>,
}

impl From<KeyImpact> for KeyImpactView {
    fn from(impact: KeyImpact) -> Self {
        Self {
            tokens: impact.tokens,
            subjects: impact.subjects,
            origins: impact.origins,
            live_sessions: impact.live_sessions,
            last_used_at: impact.last_used_at,
        }
    }
}
