//! The claims that can refuse a token.

use crate::Policy;
use crate::json::{Json, Object};
use crate::key::Key;
use crate::refusal::{ActorFault, AudienceFault, IssuerFault, Refusal, Trace};

const YEAR_10000: i64 = 253_402_300_800;
const MAX_SUBJECT_BYTES: usize = 255;
const MAX_EMAIL_CHARS: usize = 254;
const STAGING: &str = "/staging";

pub(super) struct Times {
    pub(super) issued_at: Option<i64>,
    pub(super) expires_at: i64,
}

/// T6 and T7: not over, not in the future, not for too long.
pub(super) fn times(
    claims: &Object<'_>,
    policy: &Policy,
    now: i64,
    trace: &mut Trace,
) -> Result<Times, Refusal> {
    let read = |claim: &'static str| {
        claims
            .get(claim)
            .map(|value| time(value).ok_or(Refusal::InvalidTime(claim)))
            .transpose()
    };
    let expires_at = read("exp")?.ok_or(Refusal::MissingExpiry)?;
    let not_before = read("nbf")?;
    let issued_at = read("iat")?;

    let leeway = i64::from(policy.leeway);
    let lifetime = expires_at.saturating_sub(issued_at.unwrap_or(now));
    trace.lifetime = Some(lifetime);
    trace.age = issued_at.map(|at| now.saturating_sub(at));
    trace.skew = issued_at
        .map(|at| at.saturating_sub(now))
        .filter(|ahead| *ahead > 0);

    if now >= expires_at.saturating_add(leeway) {
        return Err(Refusal::TokenExpired {
            ago: now.saturating_sub(expires_at),
        });
    }
    if let Some(ahead) = trace.skew.filter(|ahead| *ahead > leeway) {
        return Err(Refusal::IssuedInFuture { ahead });
    }
    let wait = not_before.map_or(0, |at| at.saturating_sub(now));
    if wait > leeway {
        return Err(Refusal::NotYetValid { wait });
    }
    let limit = i64::from(policy.max_lifetime);
    if lifetime > limit {
        return Err(Refusal::LifetimeTooLong { lifetime, limit });
    }
    Ok(Times {
        issued_at,
        expires_at,
    })
}

/// A time in unix seconds; fractions are cut.
pub(super) fn time(value: &Json<'_>) -> Option<i64> {
    let Json::Number(number) = value else {
        return None;
    };
    let seconds = match number.as_i64() {
        Some(seconds) => seconds,
        None => whole_seconds(number.as_f64()?)?,
    };
    (0..YEAR_10000).contains(&seconds).then_some(seconds)
}

#[expect(
    clippy::cast_possible_truncation,
    reason = "within the range, cutting the fraction is the rule"
)]
fn whole_seconds(seconds: f64) -> Option<i64> {
    const END: f64 = 253_402_300_800.0;
    (0.0..END).contains(&seconds).then_some(seconds as i64)
}

/// T8 and K1: if it says for whom it is, that is us.
pub(super) fn audience(claims: &Object<'_>, key: &Key, policy: &Policy) -> Result<(), Refusal> {
    let fault = match claims.get("aud") {
        None if policy.audience_required || key.requires_audience() => AudienceFault::Missing,
        None => return Ok(()),
        Some(one @ Json::Text(_)) => match audience_fault(std::slice::from_ref(one), key, policy) {
            None => return Ok(()),
            Some(fault) => fault,
        },
        Some(Json::List(several)) => match audience_fault(several, key, policy) {
            None => return Ok(()),
            Some(fault) => fault,
        },
        Some(Json::Null | Json::Flag(_) | Json::Number(_) | Json::Object(_)) => {
            AudienceFault::Unreadable
        }
    };
    Err(Refusal::WrongAudience(fault))
}

fn audience_fault(audiences: &[Json<'_>], key: &Key, policy: &Policy) -> Option<AudienceFault> {
    let own = policy.audience.as_str();
    let production = own.strip_suffix(STAGING).unwrap_or(own);
    let mut fault = AudienceFault::SomeoneElse;
    let mut accepted = false;
    for audience in audiences {
        let Json::Text(audience) = audience else {
            return Some(AudienceFault::Unreadable);
        };
        if audience == own || key.accepts_audience(audience) {
            accepted = true;
        } else if audience.strip_suffix(STAGING).unwrap_or(audience) == production {
            fault = AudienceFault::OtherEnvironment;
        }
    }
    (!accepted).then_some(fault)
}

/// T8: if the key has an issuer, the token is from it.
pub(super) fn issuer(claims: &Object<'_>, key: &Key, policy: &Policy) -> Result<(), Refusal> {
    let fault = match (claims.get("iss"), key.expected_issuer()) {
        (Some(Json::Text(issuer)), Some(expected)) if issuer == expected => return Ok(()),
        (Some(Json::Text(_)), None) => return Ok(()),
        (None, None) if !policy.issuer_required => return Ok(()),
        (None, _) => IssuerFault::Missing,
        (Some(_), _) => IssuerFault::SomeoneElse,
    };
    Err(Refusal::WrongIssuer(fault))
}

/// T4: one id, under one name or the same under several.
pub(super) fn subject(claims: &Object<'_>) -> Result<String, Refusal> {
    let mut subject: Option<String> = None;
    for claim in ["sub", "user_id", "external_id"] {
        let Some(value) = claims.present(claim) else {
            continue;
        };
        let id = user_id(value).ok_or(Refusal::InvalidSubject(claim))?;
        if subject.get_or_insert_with(|| id.clone()) != &id {
            return Err(Refusal::ConflictingSubject);
        }
    }
    subject.ok_or(Refusal::MissingSubject)
}

fn user_id(value: &Json<'_>) -> Option<String> {
    match value {
        Json::Text(text) => {
            let fit = (1..=MAX_SUBJECT_BYTES).contains(&text.len())
                && text.trim().len() == text.len()
                && !text.chars().any(char::is_control);
            fit.then(|| text.as_ref().to_owned())
        }
        Json::Number(number) if !number.is_f64() => Some(number.to_string()),
        Json::Null | Json::Flag(_) | Json::Number(_) | Json::List(_) | Json::Object(_) => None,
    }
}

/// T5.
pub(super) fn email(claims: &Object<'_>, policy: &Policy) -> Result<Option<String>, Refusal> {
    match claims.present("email") {
        None if policy.email_required => Err(Refusal::MissingEmail),
        None => Ok(None),
        Some(Json::Text(email)) if is_email(email) => Ok(Some(email.as_ref().to_owned())),
        Some(_) => Err(Refusal::InvalidEmail),
    }
}

fn is_email(email: &str) -> bool {
    let Some((mailbox, host)) = email.split_once('@') else {
        return false;
    };
    !mailbox.is_empty()
        && !host.is_empty()
        && !host.contains('@')
        && email.chars().count() <= MAX_EMAIL_CHARS
        && !email.chars().any(char::is_control)
}

/// T10: an `act` that names no one is refused and not dropped, since without it
/// the member of staff would be taken for the user.
pub(super) fn actor(claims: &Object<'_>, policy: &Policy) -> Result<Option<String>, Refusal> {
    let fault = match claims.present("act") {
        None => return Ok(None),
        Some(_) if !policy.actor_allowed => ActorFault::Policy,
        Some(Json::Object(act)) => match act.get("sub").and_then(user_id) {
            Some(actor) => return Ok(Some(actor)),
            None => ActorFault::Unreadable,
        },
        Some(Json::Null | Json::Flag(_) | Json::Number(_) | Json::Text(_) | Json::List(_)) => {
            ActorFault::Unreadable
        }
    };
    Err(Refusal::ActorNotAllowed(fault))
}
