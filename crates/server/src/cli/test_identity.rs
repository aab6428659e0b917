//! `maitred test-identity`: whom you act as when you try something in staging.

use std::{collections::BTreeMap, process::ExitCode};

use anyhow::Context;
use clap::Subcommand;
use maitred_core::id::AgentId;
use maitred_store::{Store, TestIdentity};
use serde_json::Value;

use super::{
    Usage,
    data::{Data, Fields, fields},
};
use crate::test_identities::{self, TestIdentityError};

/// What can be done with test identities. They exist in staging only.
#[derive(Debug, Subcommand)]
pub(crate) enum TestIdentityCommand {
    /// List somebody whom you may act as; their sessions in staging end
    Add {
        /// An id that no user of your site has
        #[arg(long, value_name = "ID")]
        subject: String,
        /// The address their tokens name
        #[arg(long, value_name = "ADDRESS")]
        email: Option<String>,
        /// The name their tokens name
        #[arg(long, value_name = "NAME")]
        name: Option<String>,
        /// Another claim of their tokens, such as `plan=gold`; numbers, `true` and `false` are taken as such
        #[arg(long = "attribute", value_name = "NAME=VALUE")]
        attributes: Vec<Attribute>,
        #[command(flatten)]
        of: Of,
    },
    /// List whom you may act as
    List {
        #[command(flatten)]
        of: Of,
    },
    /// No longer act as somebody; their sessions in staging end
    Remove {
        /// Their id (`tst_…`) or their subject
        #[arg(value_name = "ID_OR_SUBJECT")]
        which: String,
        #[command(flatten)]
        of: Of,
    },
}

/// Whose.
#[derive(Debug, clap::Args)]
pub(crate) struct Of {
    /// The agent: `agt_…`
    #[arg(long, value_name = "ID")]
    agent: AgentId,
    #[command(flatten)]
    data: Data,
}

/// A claim, as it is typed.
#[derive(Clone, Debug)]
pub(crate) struct Attribute(String, Value);

impl std::str::FromStr for Attribute {
    type Err = &'static str;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let (name, value) = text
            .split_once('=')
            .ok_or("write it like `plan=gold`, with a `=`")?;
        let parsed = serde_json::from_str(value).ok();
        let plain = parsed.filter(|it: &Value| it.is_number() || it.is_boolean());
        Ok(Self(
            name.to_owned(),
            plain.unwrap_or_else(|| Value::from(value)),
        ))
    }
}

impl TestIdentityCommand {
    pub(crate) async fn run(self) -> anyhow::Result<ExitCode> {
        match self {
            Self::Add {
                subject,
                email,
                name,
                attributes,
                of,
            } => {
                let attributes: BTreeMap<_, _> =
                    attributes.into_iter().map(|it| (it.0, it.1)).collect();
                let new = test_identities::claims(&subject, email, name, attributes)
                    .map_err(Usage::because)?;
                let added = of.open().await?.add_test_identity(of.agent, &new).await?;
                let added = added.ok_or(TestIdentityError::Listed).map_err(usage)?;
                of.data.print(line(added))
            }
            Self::List { of } => {
                let all = of.open().await?.test_identities(of.agent).await?;
                let none = "you can act as nobody yet; `maitred test-identity add` lists somebody";
                let lines = all.into_iter().map(line).collect();
                of.data.print_list(lines, none)
            }
            Self::Remove { which, of } => {
                let store = of.open().await?;
                let identity = known(&store, of.agent, &which).await?;
                store.remove_test_identity(of.agent, identity.id).await?;
                of.data.say(&format!(
                    "`{}` is no test identity any more, and its sessions were ended",
                    identity.claims.subject
                ))
            }
        }
    }
}

impl Of {
    async fn open(&self) -> anyhow::Result<Store> {
        let store = self.data.open().await?;
        self.data.known(&store, self.agent).await?;
        Ok(store)
    }
}

/// The test identity by that id or subject, or how to find one.
pub(super) async fn known(
    store: &Store,
    agent: AgentId,
    which: &str,
) -> anyhow::Result<TestIdentity> {
    let identity = store.test_identity(agent, which).await?;
    identity.with_context(|| {
        format!(
            "`{which}` is no test identity\nhint: `maitred test-identity list` names them, and `add` lists another"
        )
    })
}

/// With what to do about it.
pub(super) fn usage(error: TestIdentityError) -> anyhow::Error {
    match (error.code(), error.hint()) {
        (Some(_), Some(hint)) => Usage(format!("{error}\nhint: {hint}")).into(),
        _ => error.into(),
    }
}

fn line(identity: TestIdentity) -> Fields {
    let claims = identity.claims;
    fields! {
        test_identity: identity.id.to_string(),
        subject: claims.subject.to_string(),
        name: claims.name,
        email: claims.email,
        attributes: claims.attributes,
        created_at: identity.created_at.to_string(),
    }
}
