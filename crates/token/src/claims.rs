//! From signed claims to a [`Verified`].
//!
//! [`read`] is called with claims whose signature is good. Claims that say when
//! and for whom are checked in `checks`, what a site says of its users besides
//! is in `attribute`. Whatever is optional and odd is dropped with a
//! [`Warning`]; it does not refuse the token.

mod attribute;
mod checks;

use std::collections::BTreeMap;
use std::fmt;

pub use attribute::{Attribute, NotAnAttribute, Scalar, Warning, is_attribute_name};

use crate::Policy;
use crate::explain::{Check, Walk};
use crate::json::{self, Json, Object};
use crate::key::Key;
use crate::refusal::{Part, Refusal, SignedSubject, Trace};
use attribute::MAX_TEXT_BYTES;

/// Who a user is, as the site has signed it.
///
/// `Debug` shows nothing of the user, so that a log cannot.
#[derive(Clone, PartialEq)]
pub struct Verified {
    subject: String,
    email: Option<String>,
    email_verified: bool,
    profile: Profile,
    auth_time: Option<i64>,
    actor: Option<String>,
    attributes: BTreeMap<String, Attribute>,
    key: String,
    source: String,
    issued_at: Option<i64>,
    expires_at: i64,
    jti: Option<String>,
    warnings: Vec<Warning>,
    trace: Trace,
}

/// Claims that are optional text.
#[derive(Clone, Default, PartialEq)]
struct Profile {
    name: Option<String>,
    given_name: Option<String>,
    family_name: Option<String>,
    nickname: Option<String>,
    picture: Option<String>,
    locale: Option<String>,
    zoneinfo: Option<String>,
    phone_number: Option<String>,
}

/// Reads claims that `key` has signed.
pub(crate) fn read(
    claims: &[u8],
    key: &Key,
    policy: &Policy,
    now: i64,
    walk: &mut Walk,
) -> Result<Verified, Refusal> {
    walk.reach(Check::Claims);
    let claims = json::object(claims).map_err(|fault| fault.within(Part::Claims))?;
    let Checked {
        times,
        subject,
        email,
        actor,
    } = check(&claims, key, policy, now, walk).inspect_err(|_| {
        let subject = checks::subject(&claims).ok();
        walk.subject = subject.map(|text| SignedSubject(text.into()));
    })?;

    let mut warnings = Vec::new();
    let email_verified = email.is_some() && email_verified(&claims, &mut warnings);
    let auth_time = optional_time(&claims, "auth_time", &mut warnings);
    let profile = Profile::read(&claims, &mut warnings);
    walk.reach(Check::TokenId);
    let jti = optional_text(&claims, "jti", &mut warnings);
    if policy.jti_required && jti.is_none() {
        return Err(Refusal::MissingJti);
    }
    let attributes = attribute::read(claims, &mut warnings);
    Ok(Verified {
        subject,
        email,
        email_verified,
        profile,
        auth_time,
        actor,
        attributes,
        key: key.id().to_owned(),
        source: key.source().to_owned(),
        issued_at: times.issued_at,
        expires_at: times.expires_at,
        jti,
        warnings,
        trace: std::mem::take(&mut walk.trace),
    })
}

/// What the claims say that can refuse a token.
struct Checked {
    times: checks::Times,
    subject: String,
    email: Option<String>,
    actor: Option<String>,
}

fn check(
    claims: &Object<'_>,
    key: &Key,
    policy: &Policy,
    now: i64,
    walk: &mut Walk,
) -> Result<Checked, Refusal> {
    walk.reach(Check::Times);
    let times = checks::times(claims, policy, now, &mut walk.trace)?;
    walk.reach(Check::Audience);
    checks::audience(claims, key, policy)?;
    walk.reach(Check::Issuer);
    checks::issuer(claims, key, policy)?;
    walk.reach(Check::Subject);
    let subject = checks::subject(claims)?;
    walk.reach(Check::Email);
    let email = checks::email(claims, policy)?;
    walk.reach(Check::Actor);
    let actor = checks::actor(claims, policy)?;
    Ok(Checked {
        times,
        subject,
        email,
        actor,
    })
}

impl Verified {
    /// The user's id, to be compared byte for byte.
    pub fn subject(&self) -> &str {
        &self.subject
    }

    /// The user's email, which may be no more than claimed.
    pub fn email(&self) -> Option<&str> {
        self.email.as_deref()
    }

    /// Whether the site vouches for the email: there is one, and no
    /// `email_verified` that says otherwise.
    pub fn email_verified(&self) -> bool {
        self.email_verified
    }

    /// The whole name.
    pub fn name(&self) -> Option<&str> {
        self.profile.name.as_deref()
    }

    /// The given name.
    pub fn given_name(&self) -> Option<&str> {
        self.profile.given_name.as_deref()
    }

    /// The family name.
    pub fn family_name(&self) -> Option<&str> {
        self.profile.family_name.as_deref()
    }

    /// The nickname.
    pub fn nickname(&self) -> Option<&str> {
        self.profile.nickname.as_deref()
    }

    /// The `https` address of a picture.
    pub fn picture(&self) -> Option<&str> {
        self.profile.picture.as_deref()
    }

    /// The language, as the site writes it.
    pub fn locale(&self) -> Option<&str> {
        self.profile.locale.as_deref()
    }

    /// The time zone, as the site writes it.
    pub fn zoneinfo(&self) -> Option<&str> {
        self.profile.zoneinfo.as_deref()
    }

    /// The phone number, as the site writes it.
    pub fn phone_number(&self) -> Option<&str> {
        self.profile.phone_number.as_deref()
    }

    /// The name to greet with: the given name, else the whole one, if it is
    /// [fit](fit_for_greeting) to be shown.
    pub fn greeting_name(&self) -> Option<&str> {
        self.given_name()
            .or(self.name())
            .filter(|name| fit_for_greeting(name))
    }

    /// When the user last proved who they are to the site. It may be in the future.
    pub fn auth_time(&self) -> Option<i64> {
        self.auth_time
    }

    /// The member of staff who acts as this user.
    pub fn actor(&self) -> Option<&str> {
        self.actor.as_deref()
    }

    /// All claims that have no meaning of their own.
    pub fn attributes(&self) -> &BTreeMap<String, Attribute> {
        &self.attributes
    }

    /// The id of the key that signed the token.
    pub fn key(&self) -> &str {
        &self.key
    }

    /// Where that key is from ([`Key::source`]).
    pub fn source(&self) -> &str {
        &self.source
    }

    /// The token's `iat`.
    pub fn issued_at(&self) -> Option<i64> {
        self.issued_at
    }

    /// The token's `exp`.
    pub fn expires_at(&self) -> i64 {
        self.expires_at
    }

    /// The token's own id.
    pub fn jti(&self) -> Option<&str> {
        self.jti.as_deref()
    }

    /// What was dropped.
    pub fn warnings(&self) -> &[Warning] {
        &self.warnings
    }

    /// What the verification log keeps.
    pub fn trace(&self) -> &Trace {
        &self.trace
    }
}

impl fmt::Debug for Verified {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Verified")
            .field("trace", &self.trace)
            .finish_non_exhaustive()
    }
}

/// Whether a name can be shown in a greeting (T11): at most 64 characters, not
/// all of them spaces, and none that is invisible or turns the text around.
pub fn fit_for_greeting(name: &str) -> bool {
    name.chars().count() <= 64 && !name.trim().is_empty() && !name.chars().any(is_invisible)
}

/// Whether a character does not show, or turns the text around: controls, bidi
/// overrides, zero-width and tag characters.
pub fn is_invisible(c: char) -> bool {
    c.is_control() || is_bidi_control(c) || is_zero_width(c)
}

fn is_bidi_control(c: char) -> bool {
    matches!(c, '\u{61c}' | '\u{200e}' | '\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}')
}

fn is_zero_width(c: char) -> bool {
    matches!(c, '\u{ad}' | '\u{180e}' | '\u{200b}'..='\u{200d}' | '\u{2028}' | '\u{2029}'
        | '\u{2060}'..='\u{2064}' | '\u{206a}'..='\u{206f}' | '\u{feff}' | '\u{e0000}'..='\u{e007f}')
}

impl Profile {
    fn read(claims: &Object<'_>, warnings: &mut Vec<Warning>) -> Self {
        let mut text = |claim| optional_text(claims, claim, warnings);
        let profile = Self {
            name: text("name"),
            given_name: text("given_name"),
            family_name: text("family_name"),
            nickname: text("nickname"),
            picture: text("picture"),
            locale: text("locale"),
            zoneinfo: text("zoneinfo"),
            phone_number: text("phone_number"),
        };
        if profile.picture.as_deref().is_none_or(is_https) {
            return profile;
        }
        warnings.push(Warning::dropped("picture", NotAnAttribute::NotHttps));
        Self {
            picture: None,
            ..profile
        }
    }
}

/// The text of an optional claim. An empty one is as good as none.
fn optional_text(claims: &Object<'_>, claim: &str, warnings: &mut Vec<Warning>) -> Option<String> {
    let why = match claims.present(claim)? {
        Json::Text(text) if text.is_empty() => return None,
        Json::Text(text) if text.len() <= MAX_TEXT_BYTES => return Some(text.as_ref().to_owned()),
        Json::Text(_) => NotAnAttribute::TooLong,
        Json::Null | Json::Flag(_) | Json::Number(_) | Json::List(_) | Json::Object(_) => {
            NotAnAttribute::WrongKind
        }
    };
    warnings.push(Warning::dropped(claim, why));
    None
}

fn optional_time(claims: &Object<'_>, claim: &str, warnings: &mut Vec<Warning>) -> Option<i64> {
    let time = checks::time(claims.present(claim)?);
    if time.is_none() {
        warnings.push(Warning::dropped(claim, NotAnAttribute::WrongKind));
    }
    time
}

/// An address counts as proven unless the claim says anything but "true": null
/// is what a database has for an address that nobody confirmed.
fn email_verified(claims: &Object<'_>, warnings: &mut Vec<Warning>) -> bool {
    let why = match claims.get("email_verified") {
        None | Some(Json::Flag(true)) => return true,
        Some(Json::Flag(false) | Json::Null) => return false,
        Some(Json::Text(text)) if text == "true" => return true,
        Some(Json::Text(text)) if text == "false" => return false,
        Some(Json::Text(_) | Json::Number(_) | Json::List(_) | Json::Object(_)) => {
            NotAnAttribute::WrongKind
        }
    };
    warnings.push(Warning::dropped("email_verified", why));
    false
}

fn is_https(address: &str) -> bool {
    let host = address
        .split_at_checked(8)
        .filter(|(scheme, _)| scheme.eq_ignore_ascii_case("https://"));
    host.is_some_and(|(_, rest)| !rest.is_empty() && !rest.starts_with('/'))
        && !address.chars().any(|c| c.is_control() || c.is_whitespace())
}
