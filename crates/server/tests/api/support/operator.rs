//! Programs of an operator.

use axum::http::Method;
use maitred_core::{id::AgentId, message::Name};
use serde_json::{Value, json};

use super::{Answer, TestApp};

/// A program with an API key.
pub(crate) struct Operator<'a> {
    app: &'a TestApp,
    pub(crate) key: String,
}

impl TestApp {
    /// An operator of the whole installation.
    pub(crate) async fn operator(&self) -> Operator<'_> {
        self.operator_of(None).await
    }

    /// An operator of one agent only, if one is given.
    pub(crate) async fn operator_of(&self, agent: Option<AgentId>) -> Operator<'_> {
        let name = Name::parse("test").unwrap();
        let (_, secret) = self.store.create_api_key(&name, agent).await.unwrap();
        Operator {
            app: self,
            key: secret.expose().to_owned(),
        }
    }
}

impl Operator<'_> {
    /// A path below the environments of the app's agent.
    pub(crate) fn path(&self, rest: &str) -> String {
        format!("/api/agents/{}/environments/{rest}", self.app.agent)
    }

    pub(crate) async fn sends(&self, method: Method, path: &str, body: Option<Value>) -> Answer {
        self.app.send(method, path, Some(&self.key), body).await
    }

    pub(crate) async fn get(&self, path: &str) -> Answer {
        self.sends(Method::GET, path, None).await
    }

    pub(crate) async fn post(&self, path: &str, body: Value) -> Answer {
        self.sends(Method::POST, path, Some(body)).await
    }

    pub(crate) async fn put(&self, path: &str, body: Value) -> Answer {
        self.sends(Method::PUT, path, Some(body)).await
    }

    pub(crate) async fn patch(&self, path: &str, body: Value) -> Answer {
        self.sends(Method::PATCH, path, Some(body)).await
    }

    pub(crate) async fn delete(&self, path: &str) -> Answer {
        self.sends(Method::DELETE, path, None).await
    }

    /// What the checker says of a token.
    pub(crate) async fn checks(&self, environment: &str, token: &str) -> Answer {
        let path = format!("/api/agents/{}/tokens/check", self.app.agent);
        let body = json!({ "environment": environment, "token": token });
        self.post(&path, body).await
    }
}
