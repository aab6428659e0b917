//! Test identities, and tokens to act as one.

use std::collections::BTreeMap;

use jiff::Timestamp;
use maitred_core::id::TestIdentityId;
use maitred_store::{self as store, TestIdentity};
use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::{
    settings::BadSetting,
    test_identities::{self, TestToken},
};

/// `POST …/staging/test-identities`
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct NewTestIdentity {
    subject: String,
    email: Option<String>,
    name: Option<String>,
    #[serde(default)]
    attributes: BTreeMap<String, Value>,
}

impl NewTestIdentity {
    pub(crate) fn parsed(self) -> Result<store::NewTestIdentity, BadSetting> {
        test_identities::claims(&self.subject, self.email, self.name, self.attributes)
    }
}

/// Whom operators act as.
#[derive(Serialize)]
pub(crate) struct TestIdentityView {
    id: TestIdentityId,
    subject: String,
    email: Option<String>,
    name: Option<String>,
    attributes: BTreeMap<String, Value>,
    created_at: Timestamp,
}

impl From<TestIdentity> for TestIdentityView {
    fn from(identity: TestIdentity) -> Self {
        let claims = identity.claims;
        Self {
            id: identity.id,
            subject: claims.subject.to_string(),
            email: claims.email,
            name: claims.name,
            attributes: claims.attributes,
            created_at: identity.created_at,
        }
    }
}

/// A token to act as a test identity with.
#[derive(Serialize)]
pub(crate) struct TestTokenView {
    token: String,
    expires_at: Timestamp,
    subject: String,
    /// Who acts: what the token and every assertion name as `act`.
    operator: String,
}

impl TestTokenView {
    pub(crate) fn new(token: TestToken, identity: &TestIdentity) -> Self {
        Self {
            token: token.text,
            expires_at: token.expires_at,
            subject: identity.claims.subject.to_string(),
            operator: token.operator,
        }
    }
}
