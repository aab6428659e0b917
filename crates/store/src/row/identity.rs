//! `sessions.identity`

use std::collections::BTreeMap;

use jiff::Timestamp;
use maitred_core::identity::{Email, Identity};
use serde::{Deserialize, Serialize};
use serde_json::Value;

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
    #[serde(default)]
    is_test: bool,
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
            is_test: identity.is_test,
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
            is_test: json.is_test,
        }
    }
}
