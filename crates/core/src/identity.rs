//! Who a visitor is, as far as we have proof.
//!
//! An [`Identity`] is made from a verified token, or read back from the session
//! that such a token opened. Claims are data (rule T11): nothing here is ever an
//! instruction, and a name is used in a greeting only if it is fit for one.

use std::collections::BTreeMap;

use jiff::Timestamp;
use maitred_token::{Verified, fit_for_greeting};
use serde_json::Value;

/// What a verified token proves.
#[derive(Clone, Debug, PartialEq)]
pub struct Identity {
    /// The user's id at the site, compared byte for byte (rule T4).
    pub subject: String,
    /// The address, if the token names one.
    pub email: Option<Email>,
    /// The whole name.
    pub name: Option<String>,
    /// The name to greet by.
    pub given_name: Option<String>,
    /// A BCP 47 language tag.
    pub locale: Option<String>,
    /// An IANA time zone.
    pub zoneinfo: Option<String>,
    /// A telephone number, as the site writes it.
    pub phone_number: Option<String>,
    /// When the user last proved who they are to the site.
    pub auth_time: Option<Timestamp>,
    /// The member of staff who acts as this user (RFC 8693 §4.1).
    pub actor: Option<String>,
    /// Every other claim of the token.
    pub attributes: BTreeMap<String, Value>,
    /// Whether an operator tries something: the subject was listed for that, in
    /// staging, when the token was accepted (rule A4). No claim says so.
    pub is_test: bool,
}

/// An address, and whether the site vouches for it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Email {
    /// The address.
    pub address: String,
    /// False if the token said `email_verified: false`: then it is only claimed (rule T5).
    pub verified: bool,
}

impl Identity {
    /// The name for a greeting: `given_name`, else `name` whole, if it is fit for one.
    pub fn greeting_name(&self) -> Option<&str> {
        self.given_name
            .as_deref()
            .or(self.name.as_deref())
            .filter(|name| fit_for_greeting(name))
    }

    /// The name to show beside a shield, if it is fit to be shown.
    pub fn display_name(&self) -> Option<&str> {
        self.name
            .as_deref()
            .or(self.given_name.as_deref())
            .filter(|name| fit_for_greeting(name))
    }

    /// What the token alone says of `{{user.…}}`; Actions ask
    /// [`Session::value`](crate::session::Session::value).
    ///
    /// An address that is only claimed is absent, as is anything the token did
    /// not carry.
    pub fn value(&self, path: &str) -> Option<String> {
        match path {
            "user.id" => Some(self.subject.clone()),
            "user.email" => self.verified_email().map(str::to_owned),
            "user.name" => self.name.clone(),
            "user.given_name" => self.given_name.clone(),
            "user.locale" => self.locale.clone(),
            "user.zoneinfo" => self.zoneinfo.clone(),
            "user.phone_number" => self.phone_number.clone(),
            _ => match self
                .attributes
                .get(path.strip_prefix("user.attributes.")?)?
            {
                Value::String(text) => Some(text.clone()),
                Value::Number(number) => Some(number.to_string()),
                Value::Bool(flag) => Some(flag.to_string()),
                Value::Null | Value::Array(_) | Value::Object(_) => None,
            },
        }
    }

    /// The address, if the site vouches for it.
    pub fn verified_email(&self) -> Option<&str> {
        self.email
            .as_ref()
            .filter(|email| email.verified)
            .map(|email| email.address.as_str())
    }
}

impl From<&Verified> for Identity {
    fn from(verified: &Verified) -> Self {
        let owned = |text: Option<&str>| text.map(str::to_owned);
        Self {
            subject: verified.subject().to_owned(),
            email: verified.email().map(|address| Email {
                address: address.to_owned(),
                verified: verified.email_verified(),
            }),
            name: owned(verified.name()),
            given_name: owned(verified.given_name()),
            locale: owned(verified.locale()),
            zoneinfo: owned(verified.zoneinfo()),
            phone_number: owned(verified.phone_number()),
            auth_time: verified
                .auth_time()
                .and_then(|at| Timestamp::from_second(at).ok()),
            actor: owned(verified.actor()),
            attributes: verified
                .attributes()
                .iter()
                .map(|(name, value)| (name.clone(), value.to_json()))
                .collect(),
            is_test: false,
        }
    }
}

/// The first line of a chat: by name where there is a name fit for it.
pub fn greeting(identity: Option<&Identity>) -> String {
    match identity.and_then(Identity::greeting_name) {
        Some(name) => format!("Hi {name}, how can I help you today?"),
        None => "Hi, how can I help you today?".to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sarah() -> Identity {
        Identity {
            subject: "42".to_owned(),
            email: Some(Email {
                address: "sarah@example.com".to_owned(),
                verified: true,
            }),
            name: Some("Sarah Example".to_owned()),
            given_name: Some("Sarah".to_owned()),
            locale: None,
            zoneinfo: None,
            phone_number: None,
            auth_time: None,
            actor: None,
            attributes: BTreeMap::from([("plan".to_owned(), Value::from("gold"))]),
            is_test: false,
        }
    }

    #[test]
    fn the_greeting_uses_the_given_name_else_the_whole_name_else_none() {
        let whole = Identity {
            given_name: None,
            ..sarah()
        };
        let none = Identity {
            name: None,
            ..whole.clone()
        };

        assert_eq!(
            greeting(Some(&sarah())),
            "Hi Sarah, how can I help you today?"
        );
        assert_eq!(
            greeting(Some(&whole)),
            "Hi Sarah Example, how can I help you today?"
        );
        assert_eq!(greeting(Some(&none)), "Hi, how can I help you today?");
        assert_eq!(greeting(None), "Hi, how can I help you today?");
    }

    #[test]
    fn t11_a_name_that_is_unfit_is_not_greeted_by() {
        let long = "x".repeat(65);
        for name in [
            "a\u{202e}b",
            "a\u{200b}b",
            "a\nb",
            " ",
            "a\u{e0041}",
            long.as_str(),
        ] {
            let identity = Identity {
                given_name: Some(name.to_owned()),
                ..sarah()
            };

            assert_eq!(
                greeting(Some(&identity)),
                "Hi, how can I help you today?",
                "{name:?}"
            );
        }
    }

    #[test]
    fn t5_an_address_that_is_only_claimed_is_absent_from_actions() {
        let mut identity = sarah();
        assert_eq!(
            identity.value("user.email").as_deref(),
            Some("sarah@example.com")
        );

        identity.email = Some(Email {
            address: "sarah@example.com".to_owned(),
            verified: false,
        });

        assert_eq!(identity.value("user.email"), None);
    }

    #[test]
    fn i1_a_value_the_token_did_not_carry_is_absent() {
        assert_eq!(
            sarah().value("user.attributes.plan").as_deref(),
            Some("gold")
        );
        assert_eq!(sarah().value("user.attributes.tier"), None);
        assert_eq!(sarah().value("user.password"), None);
        assert_eq!(sarah().value("id"), None);
    }
}
