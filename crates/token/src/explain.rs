//! The checker: the same walk as [`Verifier::verify`], told step by step.
//!
//! The walk notes how far it has come, and nothing else; the story is made of that
//! and of the verdict. So there is no second set of rules that could differ.
//!
//! A [diagnosis](diagnose) asks in addition whether another environment's key made
//! the signature. It can only turn one refusal into another.

use std::fmt;

use crate::Verifier;
use crate::claims::Verified;
use crate::jws::Compact;
use crate::refusal::{Refusal, Refused, SignedSubject, Span, Stage, Trace};

/// What is checked, in this order.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub enum Check {
    /// Three parts of canonical base64url (T1).
    #[default]
    Form,
    /// The header asks for nothing unusual (T2, T3).
    Header,
    /// There is a key that it could be signed with, and it counts (K6, K7).
    Key,
    /// The key is for such tokens (K5, T2).
    Algorithm,
    /// The key made the signature.
    Signature,
    /// The claims are strict JSON (T3).
    Claims,
    /// It is its time (T6, T7).
    Times,
    /// It is for this agent and environment (T8).
    Audience,
    /// It is from the key's issuer (T8).
    Issuer,
    /// It says who the user is (T4).
    Subject,
    /// It says the user's email (T5).
    Email,
    /// Whoever acts as the user may (T10).
    Actor,
    /// It has an id of its own, if it is good once only (T9).
    TokenId,
}

impl Check {
    /// All of them, in order.
    pub const ALL: [Self; 13] = [
        Self::Form,
        Self::Header,
        Self::Key,
        Self::Algorithm,
        Self::Signature,
        Self::Claims,
        Self::Times,
        Self::Audience,
        Self::Issuer,
        Self::Subject,
        Self::Email,
        Self::Actor,
        Self::TokenId,
    ];

    /// A stable name.
    pub fn name(self) -> &'static str {
        match self {
            Self::Form => "form",
            Self::Header => "header",
            Self::Key => "key",
            Self::Algorithm => "algorithm",
            Self::Signature => "signature",
            Self::Claims => "claims",
            Self::Times => "times",
            Self::Audience => "audience",
            Self::Issuer => "issuer",
            Self::Subject => "subject",
            Self::Email => "email",
            Self::Actor => "actor",
            Self::TokenId => "token_id",
        }
    }
}

impl fmt::Display for Check {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// How far a token has come, and what may be known of it.
#[derive(Default)]
pub(crate) struct Walk {
    pub(crate) trace: Trace,
    /// Noted when signed claims are refused.
    pub(crate) subject: Option<SignedSubject>,
    at: Check,
}

impl Walk {
    pub(crate) fn reach(&mut self, check: Check) {
        self.at = check;
    }

    /// The refusal of a token that has come this far.
    pub(crate) fn refused(self, refusal: Refusal) -> Refused {
        let stage = if self.at > Check::Signature {
            Stage::AfterSignature
        } else {
            Stage::BeforeSignature
        };
        Refused {
            refusal,
            stage,
            trace: Box::new(self.trace),
            subject: self.subject,
        }
    }
}

/// What the checker tells of one token.
#[derive(Clone, Debug)]
pub struct Explanation {
    /// Every check, in order.
    pub steps: Vec<Step>,
    /// What [`Verifier::verify`] says.
    pub verdict: Result<Verified, Refused>,
}

/// One check and what came of it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Step {
    /// Which.
    pub check: Check,
    /// What came of it.
    pub outcome: Outcome,
}

/// What came of a check.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// It passed, with what was found.
    Passed(String),
    /// It failed.
    Failed {
        /// The refusal's stable code.
        code: &'static str,
        /// Why, in a sentence.
        message: String,
        /// What to do about it.
        fix: String,
    },
    /// An earlier one had failed.
    NotReached,
}

impl Verifier {
    /// Checks a token as [`verify`](Self::verify) does, and tells every step.
    pub fn explain(&self, token: &str, now: i64) -> Explanation {
        let mut walk = Walk::default();
        let result = self.walk(token, now, &mut walk);
        let at = walk.at;
        let verdict = result.map_err(|refusal| walk.refused(refusal));
        Explanation {
            steps: steps(at, &verdict),
            verdict,
        }
    }
}

impl Explanation {
    /// The same after a [`diagnose`].
    pub fn diagnosed(self, token: &str, others: &[(&str, &Verifier)]) -> Self {
        let failed = |step: &Step| matches!(step.outcome, Outcome::Failed { .. });
        let at = self.steps.iter().find(|step| failed(step));
        match (at.map(|step| step.check), self.verdict) {
            (Some(at), Err(refused)) => {
                let verdict = Err(diagnose(refused, token, others));
                Self {
                    steps: steps(at, &verdict),
                    verdict,
                }
            }
            (_, verdict) => Self {
                steps: self.steps,
                verdict,
            },
        }
    }
}

/// Looks among the keys of other environments, each with its name, for the one that
/// made a signature which no key here made.
///
/// For the verification log and the checker: it tries every key, whatever the token
/// says, so its use must be limited. It never makes a refusal into anything else.
pub fn diagnose(refused: Refused, token: &str, others: &[(&str, &Verifier)]) -> Refused {
    let unexplained = matches!(
        refused.refusal,
        Refusal::UnknownKey(_) | Refusal::BadSignature
    );
    let Some(compact) = Compact::parse(token).ok().filter(|_| unexplained) else {
        return refused;
    };
    let signer = others.iter().find_map(|(environment, verifier)| {
        let key = verifier.keys().signer(&compact)?;
        Some(Refusal::WrongEnvironment {
            environment: (*environment).to_owned(),
            key: key.id().to_owned(),
        })
    });
    match signer {
        Some(refusal) => Refused { refusal, ..refused },
        None => refused,
    }
}

fn steps(at: Check, verdict: &Result<Verified, Refused>) -> Vec<Step> {
    let trace = match verdict {
        Ok(verified) => verified.trace(),
        Err(refused) => &refused.trace,
    };
    let outcome = |check: Check| match verdict {
        Err(refused) if check == at => Outcome::Failed {
            code: refused.refusal.code(),
            message: refused.refusal.to_string(),
            fix: refused.refusal.fix(trace),
        },
        Err(_) if check > at => Outcome::NotReached,
        Ok(_) | Err(_) => Outcome::Passed(found(check, trace)),
    };
    Check::ALL
        .into_iter()
        .map(|check| Step {
            check,
            outcome: outcome(check),
        })
        .collect()
}

/// What a passed check has found. No claim is repeated but times.
fn found(check: Check, trace: &Trace) -> String {
    let said = match check {
        Check::Form => "three parts of base64url",
        Check::Header => "a JWT without extensions",
        Check::Key => match &trace.key {
            Some(key) => return format!("the key `{key}`"),
            None => "there are keys that need no `kid`",
        },
        Check::Algorithm => match trace.algorithm {
            Some(algorithm) => return format!("`{algorithm}`, the key's"),
            None => "that of a key",
        },
        Check::Signature => "made by the key",
        Check::Claims => "a JSON object in which nothing is twice",
        Check::Times => return times(trace),
        Check::Audience => "for this agent and environment",
        Check::Issuer => "from where it should be",
        Check::Subject => "it says who the user is",
        Check::Email => "as the policy asks",
        Check::Actor => "nobody acts as the user who may not",
        Check::TokenId => "as the policy asks",
    };
    said.to_owned()
}

fn times(trace: &Trace) -> String {
    let lifetime = trace.lifetime.unwrap_or_default();
    match trace.age {
        Some(age @ 0..) => format!("issued {} ago, good for {}", Span(age), Span(lifetime)),
        Some(ahead) => format!(
            "issued {} ahead of our clock, good for {}",
            Span(ahead.saturating_neg()),
            Span(lifetime)
        ),
        None => format!("good for another {}", Span(lifetime)),
    }
}
