//! What an operator writes: the file of `maitred action import`.
//!
//! Everything that can be checked is checked when it is imported, so that a
//! mistake is met by the person who made it and not by a visitor.

use std::{collections::BTreeMap, time::Duration};

use jiff::SignedDuration;
use maitred_core::{
    assurance::{Assurance, Requires},
    scope::Environment,
    turn::ActionRule,
};
use serde::Deserialize;
use serde_json::Value;
use url::Url;

use super::{arguments, http::placeholders};

/// What an identity can be asked for, beside `user.attributes.<name>`.
const USER_VALUES: [&str; 7] = [
    "user.id",
    "user.email",
    "user.name",
    "user.given_name",
    "user.locale",
    "user.zoneinfo",
    "user.phone_number",
];

/// The longest a login may be ago and still be called fresh: a day, in seconds.
const MAX_FRESH: i64 = 86_400;

/// Something the operator lets the agent do.
#[derive(Clone, Debug)]
pub struct Action {
    /// Its name: `[a-z][a-z0-9_]*`, at most 64 characters.
    pub name: String,
    /// What it does, for the model.
    pub description: String,
    /// How far the visitor must be proven.
    pub requires: Requires,
    /// Whether it may be sent twice.
    pub idempotent: bool,
    /// How visitors ask for it.
    pub examples: Vec<String>,
    /// What the visitor reads while it runs.
    pub running: String,
    /// What the visitor reads when it has run.
    pub done: String,
    /// JSON Schema of what the model may set.
    pub parameters: Value,
    /// The request it makes.
    pub http: HttpRequest,
    /// Words a result: a minijinja template over `result` and `arguments`.
    pub template: Option<String>,
    /// What the visitor reads when there is no such thing.
    pub not_found: Option<String>,
}

/// The request of an Action.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct HttpRequest {
    /// `GET`; others join with confirmations.
    pub method: Method,
    /// Where it goes, by environment, with `{{…}}` in the path.
    pub url: BTreeMap<Environment, String>,
    /// Query parameters; one whose argument was not given is left out.
    #[serde(default)]
    pub query: BTreeMap<String, String>,
    /// How many seconds it may take, 1 to 30; 10 if nothing is said (rule G7).
    #[serde(default)]
    pub timeout: Option<u64>,
}

impl HttpRequest {
    const MAX_TIMEOUT: u64 = 30;

    /// How long a call may take, all of it.
    pub(super) fn timeout(&self) -> Duration {
        Duration::from_secs(self.timeout.unwrap_or(10))
    }
}

/// The methods that an Action may use: those that change nothing. Anything that
/// does waits for the visitor's confirmation first, which is not there yet.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
pub enum Method {
    /// A read.
    #[serde(rename = "GET")]
    Get,
}

impl Method {
    /// As it stands in the request line.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Get => "GET",
        }
    }

    /// Whether a request of this method changes anything (RFC 9110 §9.2.1).
    pub fn changes_something(self) -> bool {
        match self {
            Self::Get => false,
        }
    }
}

/// Why a definition cannot be used. Its reader is the operator who wrote it.
#[derive(Debug, thiserror::Error)]
pub enum DefinitionError {
    /// No JSON, or not of this shape.
    #[error("the definition cannot be read: {0}")]
    Shape(#[from] serde_json::Error),
    /// A field holds something it must not.
    #[error("`{field}` {problem}")]
    Field {
        /// Which.
        field: &'static str,
        /// What is wrong with it.
        problem: String,
    },
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct File {
    name: String,
    description: String,
    assurance: String,
    fresh_within: Option<i64>,
    #[serde(default)]
    idempotent: bool,
    #[serde(default)]
    examples: Vec<String>,
    labels: Labels,
    parameters: Value,
    http: HttpRequest,
    template: Option<String>,
    not_found: Option<String>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Labels {
    running: String,
    done: String,
}

impl Action {
    /// Reads a definition and checks all of it.
    pub fn parse(text: &str) -> Result<Self, DefinitionError> {
        let file: File = serde_json::from_str(text)?;
        let requires = requires(&file.assurance, file.fresh_within)?;
        let action = Self {
            name: file.name,
            description: file.description,
            requires,
            idempotent: file.idempotent,
            examples: file.examples,
            running: file.labels.running,
            done: file.labels.done,
            parameters: file.parameters,
            http: file.http,
            template: file.template,
            not_found: file.not_found,
        };
        action.check()?;
        Ok(action)
    }

    /// What a turn must know of it.
    pub fn rule(&self) -> ActionRule {
        ActionRule {
            requires: self.requires,
            safe_to_repeat: self.idempotent,
            changes: self.http.method.changes_something(),
        }
    }

    /// Whether it can be run there.
    pub fn is_offered_in(&self, environment: Environment) -> bool {
        self.http.url.contains_key(&environment)
    }

    fn check(&self) -> Result<(), DefinitionError> {
        let plain = |b: u8| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'_';
        let starts = self
            .name
            .bytes()
            .next()
            .is_some_and(|b| b.is_ascii_lowercase());
        if !starts || self.name.len() > 64 || !self.name.bytes().all(plain) {
            return Err(wrong(
                "name",
                "must be like `order_status`: a-z, 0-9 and _".to_owned(),
            ));
        }
        arguments::check_schema(&self.parameters)
            .map_err(|problem| wrong("parameters", problem))?;
        for url in self.http.url.values() {
            self.check_url(url)?;
        }
        if let Some(seconds) = self.http.timeout
            && !(1..=HttpRequest::MAX_TIMEOUT).contains(&seconds)
        {
            return Err(wrong(
                "http.timeout",
                format!("must be 1 to {} seconds", HttpRequest::MAX_TIMEOUT),
            ));
        }
        for template in self.http.query.values() {
            self.check_placeholders("http.query", template)?;
        }
        if let Some(template) = &self.template {
            crate::engine::wording::check(template)
                .map_err(|error| wrong("template", format!("cannot be used: {error}")))?;
        }
        Ok(())
    }

    fn check_url(&self, text: &str) -> Result<(), DefinitionError> {
        const FIELD: &str = "http.url";
        let (origin, path) = split_url(text)
            .ok_or_else(|| wrong(FIELD, format!("`{text}` is no http or https URL")))?;
        let url = Url::parse(origin).map_err(|error| wrong(FIELD, format!("`{text}`: {error}")))?;
        if !url.username().is_empty() || url.password().is_some() || url.host_str().is_none() {
            return Err(wrong(
                FIELD,
                format!("`{text}` must name a host and no user"),
            ));
        }
        if path.contains(['?', '#', '\\']) {
            return Err(wrong(
                FIELD,
                format!("`{text}` ends at its path; use `http.query`"),
            ));
        }
        self.check_placeholders(FIELD, path)?;
        check_static_segments(path).map_err(|problem| wrong(FIELD, format!("`{text}` {problem}")))
    }

    /// Every placeholder names a value of the identity or a parameter.
    fn check_placeholders(
        &self,
        field: &'static str,
        template: &str,
    ) -> Result<(), DefinitionError> {
        for name in placeholders(template).map_err(|problem| wrong(field, problem))? {
            if name.starts_with("user.") {
                if !is_user_value(name) {
                    return Err(wrong(field, no_such_user_value(name)));
                }
            } else if self.parameters["properties"].get(name).is_none() {
                return Err(wrong(
                    field,
                    format!("names `{{{{{name}}}}}`, which is no parameter"),
                ));
            }
        }
        Ok(())
    }
}

/// What the Action asks of whoever runs it: a name, and at `fresh` how long ago
/// the login may be.
fn requires(assurance: &str, fresh_within: Option<i64>) -> Result<Requires, DefinitionError> {
    let assurance = assurance
        .parse()
        .map_err(|error| wrong("assurance", format!("is {error}")))?;
    let requires = match (assurance, fresh_within) {
        (Assurance::Fresh, Some(seconds @ 1..=MAX_FRESH)) => {
            let within = SignedDuration::from_secs(seconds);
            return Ok(Requires::Fresh { within });
        }
        (Assurance::Fresh, _) => {
            return Err(wrong(
                "fresh_within",
                format!("must say how many seconds ago the login may be: 1 to {MAX_FRESH}"),
            ));
        }
        (_, Some(_)) => {
            return Err(wrong(
                "fresh_within",
                "has a meaning with `\"assurance\": \"fresh\"` only".to_owned(),
            ));
        }
        (Assurance::Anonymous, None) => Requires::Anonymous,
        (Assurance::Claimed, None) => Requires::Claimed,
        (Assurance::Code, None) => Requires::Code,
        (Assurance::Verified, None) => Requires::Verified,
    };
    Ok(requires)
}

/// Scheme, host and port of a URL template, and its path. No placeholder can
/// stand in the first.
pub(super) fn split_url(text: &str) -> Option<(&str, &str)> {
    let rest = text
        .strip_prefix("https://")
        .or_else(|| text.strip_prefix("http://"))?;
    let start = text.len() - rest.len();
    let end = rest.find('/').map_or(text.len(), |at| start + at);
    let origin = &text[..end];
    (!origin.contains(['{', '}', '?', '#', '\\'])).then(|| (origin, &text[end..]))
}

fn is_user_value(name: &str) -> bool {
    USER_VALUES.contains(&name)
        || name
            .strip_prefix("user.attributes.")
            .is_some_and(|attribute| !attribute.is_empty())
}

fn no_such_user_value(name: &str) -> String {
    format!(
        "names `{{{{{name}}}}}`, which no visitor has; there are `{}` and `user.attributes.<name>`",
        USER_VALUES.join("`, `")
    )
}

/// What stands in a path as it is must be what is sent: `.` and `..` would be
/// left out, and what is encoded already would be encoded again.
fn check_static_segments(path: &str) -> Result<(), &'static str> {
    for segment in path.split('/') {
        if matches!(segment, "." | "..") {
            return Err("has a `.` or `..` in its path; write the path that is meant");
        }
        if segment.contains('%') {
            return Err(
                "has a `%` in its path; write the character itself, it is encoded when sent",
            );
        }
    }
    Ok(())
}

fn wrong(field: &'static str, problem: String) -> DefinitionError {
    DefinitionError::Field { field, problem }
}

#[cfg(test)]
pub(crate) mod tests {
    use maitred_core::identity::{Email, Identity};
    use serde_json::json;

    use super::*;

    /// A definition that is right, to be made wrong in one place.
    pub(crate) fn order_status() -> Value {
        json!({
            "name": "order_status",
            "description": "Looks up the status of the customer's own orders",
            "assurance": "verified",
            "examples": ["where is my order"],
            "labels": { "running": "Looking up your orders…", "done": "Looked up your orders" },
            "parameters": {
                "type": "object",
                "properties": { "order_number": { "type": "string", "pattern": "^A-[0-9]{5}$" } }
            },
            "http": {
                "method": "GET",
                "url": { "production": "https://shop.example/customers/{{user.id}}/orders" },
                "query": { "number": "{{order_number}}" }
            }
        })
    }

    fn refused(change: impl FnOnce(&mut Value)) -> String {
        let mut definition = order_status();
        change(&mut definition);
        Action::parse(&definition.to_string())
            .unwrap_err()
            .to_string()
    }

    #[test]
    fn a_definition_is_read() {
        let action = Action::parse(&order_status().to_string()).unwrap();

        assert_eq!(action.requires, Requires::Verified);
        assert!(action.is_offered_in(Environment::Production));
        assert!(
            !action.is_offered_in(Environment::Staging),
            "I3: it has no staging URL"
        );
    }

    #[test]
    fn a1_an_action_that_asks_for_a_fresh_login_says_how_fresh() {
        let with = |assurance: &str, fresh_within: Value| {
            let mut definition = order_status();
            definition["assurance"] = json!(assurance);
            definition["fresh_within"] = fresh_within;
            Action::parse(&definition.to_string()).map(|action| action.requires)
        };

        let within = SignedDuration::from_mins(5);
        assert_eq!(
            with("fresh", json!(300)).unwrap(),
            Requires::Fresh { within }
        );
        for seconds in [Value::Null, json!(0), json!(-1), json!(86_401)] {
            let error = with("fresh", seconds.clone()).unwrap_err().to_string();
            assert!(error.contains("how many seconds"), "{seconds}: {error}");
        }
        let error = with("verified", json!(300)).unwrap_err().to_string();
        assert!(error.contains("`fresh_within`"), "{error}");
        assert_eq!(with("code", Value::Null).unwrap(), Requires::Code);
    }

    #[test]
    fn what_cannot_be_used_is_refused_and_named() {
        let url = |url: &str| {
            let url = url.to_owned();
            refused(move |it| it["http"]["url"]["production"] = json!(url))
        };

        assert!(refused(|it| it["name"] = json!("Order Status")).contains("`name`"));
        assert!(refused(|it| it["assurance"] = json!("root")).contains("`assurance`"));
        assert!(refused(|it| it["unknown"] = json!(1)).contains("unknown field"));
        assert!(refused(|it| it["http"]["method"] = json!("DELETE")).contains("DELETE"));
        assert!(refused(|it| it["template"] = json!("{% if %}")).contains("`template`"));
        assert!(url("https://{{user.id}}.example/").contains("http.url"));
        assert!(url("https://user@shop.example/").contains("no user"));
        assert!(url("ftp://shop.example/").contains("no http"));
        assert!(url("https://shop.example/?a=b").contains("http.query"));
        assert!(url("https://shop.example/{{card}}").contains("`{{card}}`"));
        assert!(url("https://shop.example/{{user.id").contains("http.url"));
    }

    fn with_path(path: &str) -> Result<Action, DefinitionError> {
        let mut definition = order_status();
        definition["http"]["url"]["production"] = json!(format!("https://shop.example{path}"));
        Action::parse(&definition.to_string())
    }

    #[test]
    fn a_value_that_no_identity_has_is_refused_and_named() {
        for name in ["user.anything", "user.", "user.attributes.", "user.Email"] {
            let error = with_path(&format!("/{{{{{name}}}}}"))
                .unwrap_err()
                .to_string();

            assert!(error.contains(&format!("`{{{{{name}}}}}`")), "{error}");
            assert!(
                error.contains("`user.id`"),
                "it says what there is: {error}"
            );
        }
    }

    #[test]
    fn every_value_of_an_identity_can_be_named() {
        let identity = Identity {
            subject: "42".to_owned(),
            email: Some(Email {
                address: "sarah@shop.example".to_owned(),
                verified: true,
            }),
            name: Some("Sarah Miller".to_owned()),
            given_name: Some("Sarah".to_owned()),
            locale: Some("en".to_owned()),
            zoneinfo: Some("Europe/Berlin".to_owned()),
            phone_number: Some("+4930".to_owned()),
            auth_time: None,
            actor: None,
            attributes: BTreeMap::from([("plan".to_owned(), json!("gold"))]),
            is_test: false,
        };

        for name in USER_VALUES.iter().chain(&["user.attributes.plan"]) {
            assert!(with_path(&format!("/{{{{{name}}}}}")).is_ok(), "{name}");
            assert!(identity.value(name).is_some(), "{name}");
        }
    }

    #[test]
    fn a_path_that_would_be_sent_otherwise_than_written_is_refused() {
        for path in ["/./orders", "/../orders", "/orders/..", "/."] {
            let error = with_path(path).unwrap_err().to_string();

            assert!(error.contains("write the path that is meant"), "{error}");
        }
        for path in ["/a%20b", "/%2e%2e/orders", "/a%{{user.id}}"] {
            let error = with_path(path).unwrap_err().to_string();

            assert!(error.contains("write the character itself"), "{error}");
        }
        assert!(with_path("/a b/x..y/.well-known/").is_ok());
    }
}
