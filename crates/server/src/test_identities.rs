//! Test identities: whom an operator acts as when they try something in staging
//! (rule A4). What the command line and the API share.
//!
//! [`claims`] checks what is to be listed, and [`token`] makes a token to act as
//! somebody who is. Both ask the code that judges the site's tokens, so a test
//! identity is never told more or less than a user of the site would be.
//!
//! Not here: what makes a session a test (`store::exchange`).

use std::{collections::BTreeMap, fmt};

use jiff::{SignedDuration, Timestamp};
use maitred_core::{
    contact::Subject,
    id::{AgentId, KeyId},
    scope::{Environment, Scope},
};
use maitred_store::{
    KeyMaterial, KeyState, NewTestIdentity, Store, StoreError, StoredKey, TestIdentity,
};
use maitred_token::{
    Algorithm, Key, KeySet, Policy, Refused, Secret, SecretKind, Verified, Verifier, mint_hmac,
    mint_hs256,
};
use secrecy::ExposeSecret;
use serde_json::{Map, Value, json};
use uuid::Uuid;

use crate::{settings::BadSetting, sites::Sites};

/// Long enough to paste it somewhere.
const LIFETIME: SignedDuration = SignedDuration::from_mins(10);

/// Why something cannot be done with a test identity. Its reader is an operator.
#[derive(Debug, thiserror::Error)]
pub(crate) enum TestIdentityError {
    #[error("test identities exist in staging only")]
    StagingOnly,
    #[error("this subject is a test identity already")]
    Listed,
    #[error("there is no secret in staging that a token could be signed with")]
    NoSecret,
    #[error("what is asked of tokens in staging refuses this one: {}", .0.refusal)]
    Refused(Box<Refused>),
    #[error(transparent)]
    Store(#[from] StoreError),
}

impl TestIdentityError {
    /// The stable name; none if it is nobody's doing.
    pub(crate) fn code(&self) -> Option<&'static str> {
        match self {
            Self::StagingOnly => Some("staging_only"),
            Self::Listed => Some("already_listed"),
            Self::NoSecret => Some("no_signing_secret"),
            Self::Refused(refused) => Some(refused.refusal.code()),
            Self::Store(_) => None,
        }
    }

    /// What to do about it.
    pub(crate) fn hint(&self) -> Option<String> {
        match self {
            Self::StagingOnly => Some(
                "name `staging`; in production, nobody but your site's users is ever acted as"
                    .to_owned(),
            ),
            Self::Listed => Some("remove it first, if it is to be another one".to_owned()),
            Self::NoSecret => Some(
                "maitred holds no key of yours that signs: paste a token that your staging server made for this subject, or make a secret for staging"
                    .to_owned(),
            ),
            Self::Refused(refused) => Some(refused.refusal.hint()),
            Self::Store(_) => None,
        }
    }
}

/// Whether an environment can have test identities.
pub(crate) fn only_in_staging(environment: Environment) -> Result<(), TestIdentityError> {
    match environment {
        Environment::Staging => Ok(()),
        Environment::Production => Err(TestIdentityError::StagingOnly),
    }
}

/// What an operator says of a test identity, if tokens can say it.
pub(crate) fn claims(
    subject: &str,
    email: Option<String>,
    name: Option<String>,
    attributes: BTreeMap<String, Value>,
) -> Result<NewTestIdentity, BadSetting> {
    let subject: Subject = subject
        .parse()
        .map_err(|error| BadSetting::new("subject", error))?;
    let new = NewTestIdentity {
        subject,
        email,
        name,
        attributes,
    };
    let verified = tried(&new)?;
    if verified.email() != new.email.as_deref() {
        return Err(BadSetting::new("email", "it must not be empty"));
    }
    if verified.name() != new.name.as_deref() {
        let reason = "it is too long, or empty";
        return Err(BadSetting::new("name", reason));
    }
    let kept = verified.attributes();
    if let Some(lost) = new.attributes.keys().find(|name| !kept.contains_key(*name)) {
        let reason = format!(
            "`{lost}` is no attribute of a token: its name has a meaning of its own, or it is over a limit"
        );
        return Err(BadSetting::new("attributes", reason));
    }
    Ok(new)
}

/// A token that says so, judged as the site's are: with a secret that is nobody's.
fn tried(new: &NewTestIdentity) -> Result<Verified, BadSetting> {
    const KID: &str = "tried";
    let secret = Secret::generate(SecretKind::Test);
    let bytes = secret.expose().as_bytes();
    let key = Key::shared_secret(KID, bytes, Algorithm::Hs256)
        .expect("a secret of our own making is one");
    let policy = Policy {
        email_required: false,
        ..Policy::new("")
    };
    let verifier = Verifier::new(KeySet::new(vec![key]), policy);
    let mut claims = said(new);
    claims.insert("exp".to_owned(), LIFETIME.as_secs().into());
    let token = mint_hs256(bytes, Some(KID), &Value::Object(claims));
    verifier.verify(&token, 0).map_err(|refused| {
        let field = match refused.refusal.code() {
            "invalid_subject" | "missing_subject" => "subject",
            "invalid_email" => "email",
            _ => "attributes",
        };
        BadSetting::new(field, &refused.refusal)
    })
}

/// What its tokens say of it. What has a meaning of its own wins over attributes.
fn said(new: &NewTestIdentity) -> Map<String, Value> {
    let mut claims = Map::from_iter(new.attributes.clone());
    claims.insert("sub".to_owned(), new.subject.as_str().into());
    if let Some(email) = &new.email {
        claims.insert("email".to_owned(), email.as_str().into());
    }
    if let Some(name) = &new.name {
        claims.insert("name".to_owned(), name.as_str().into());
    }
    claims
}

/// A token to act as a test identity with.
pub(crate) struct TestToken {
    /// As it is handed to the widget.
    pub(crate) text: String,
    /// When it ends.
    pub(crate) expires_at: Timestamp,
    /// Who acts, as the token says it.
    pub(crate) operator: String,
}

impl fmt::Debug for TestToken {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("TestToken([hidden])")
    }
}

/// Makes a token for a test identity, that says who acts: whoever the store's
/// audit log names.
pub(crate) async fn token(
    sites: &Sites,
    store: &Store,
    agent: AgentId,
    identity: &TestIdentity,
) -> Result<TestToken, TestIdentityError> {
    let scope = Scope {
        agent,
        environment: Environment::Staging,
    };
    let keys = store.keys(scope).await?;
    let signing = keys.iter().find_map(Signing::of);
    let signing = signing.ok_or(TestIdentityError::NoSecret)?;
    let site = sites.site(store, scope).await?;
    let site = site.ok_or(TestIdentityError::NoSecret)?;
    let longest = SignedDuration::from_secs(site.settings.tokens.max_lifetime.seconds().into());
    let now = store.clock.now();
    let expires_at = now + LIFETIME.min(longest);
    let operator = store
        .actor()
        .map_or_else(|| "maitred".to_owned(), |actor| actor.to_string());
    let mut claims = said(&identity.claims);
    for (name, value) in [
        ("aud", json!(scope.audience())),
        ("iat", json!(now.as_second())),
        ("exp", json!(expires_at.as_second())),
        ("jti", json!(Uuid::new_v4().to_string())),
        ("act", json!({ "sub": operator })),
    ] {
        claims.insert(name.to_owned(), value);
    }
    if let Some(issuer) = signing.issuer {
        claims.insert("iss".to_owned(), issuer.into());
    }
    let text = signing.sign(&Value::Object(claims));
    // Nobody is given a token that the widget would then refuse.
    if let Err(refused) = site.verifier.verify(&text, now.as_second()) {
        return Err(TestIdentityError::Refused(Box::new(refused)));
    }
    store.note_test_token(agent, identity.id).await?;
    Ok(TestToken {
        text,
        expires_at,
        operator,
    })
}

/// A secret that we share with the site.
struct Signing<'k> {
    id: KeyId,
    algorithm: Algorithm,
    secret: &'k [u8],
    issuer: Option<&'k str>,
}

impl<'k> Signing<'k> {
    fn of(key: &'k StoredKey) -> Option<Self> {
        match &key.material {
            KeyMaterial::Secret(secret) if key.state == KeyState::Active => Some(Self {
                id: key.id,
                algorithm: secret.algorithm,
                secret: secret.bytes.expose_secret(),
                issuer: key.material.issuer(),
            }),
            KeyMaterial::Secret(_) | KeyMaterial::Public(_) | KeyMaterial::Set(_) => None,
        }
    }

    fn sign(&self, claims: &Value) -> String {
        let id = self.id.to_string();
        mint_hmac(self.algorithm, self.secret, Some(&id), claims)
            .expect("a shared secret has an HMAC algorithm")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(attributes: Value) -> Result<NewTestIdentity, BadSetting> {
        let attributes = serde_json::from_value(attributes).unwrap();
        let (email, name) = ("try@shop.example".to_owned(), "Tess Try".to_owned());
        claims("test-1", Some(email), Some(name), attributes)
    }

    #[test]
    fn a4_what_no_token_could_say_is_not_listed() {
        assert!(of(json!({ "plan": "gold", "seats": 5, "beta": true })).is_ok());
        let long = "x".repeat(2_000);
        for wrong in [
            json!({ "sub": "42" }),
            json!({ "user_id": "42" }),
            json!({ "exp": 4_000_000_000_u32 }),
            json!({ "email_verified": false }),
            json!({ "auth_time": 1 }),
            json!({ "act": { "sub": "boss" } }),
            json!({ "nonce": "x" }),
            json!({ "plan": { "is": "gold" } }),
            json!({ "plan": long }),
            json!({ "": "gold" }),
        ] {
            let refused = of(wrong.clone()).unwrap_err().to_string();
            assert!(refused.starts_with("`attributes`: "), "{wrong}: {refused}");
        }
        let bare = |subject: &str, email: Option<&str>, name: Option<&str>| {
            let owned = |text: Option<&str>| text.map(str::to_owned);
            let listed = claims(subject, owned(email), owned(name), BTreeMap::new());
            listed.map(|_| ()).map_err(|error| error.to_string())
        };
        assert_eq!(bare("test-1", None, None), Ok(()));
        for (subject, email, name, field) in [
            ("", None, None, "subject"),
            (" test", None, None, "subject"),
            ("test-1", Some("nobody"), None, "email"),
            ("test-1", Some(""), None, "email"),
            ("test-1", None, Some(long.as_str()), "name"),
        ] {
            let refused = bare(subject, email, name).unwrap_err();
            assert!(refused.starts_with(&format!("`{field}`: ")), "{refused}");
        }
    }
}
