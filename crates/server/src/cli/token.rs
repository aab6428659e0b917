//! `maitred token`: for trying things.

use std::process::ExitCode;

use clap::Subcommand;
use maitred_store::KeyState;
use maitred_token::mint_hs256;
use secrecy::ExposeSecret;
use serde_json::{Map, Value};

use super::{
    Usage,
    data::{Where, fields},
};

/// What can be done with tokens.
#[derive(Debug, Subcommand)]
pub(crate) enum TokenCommand {
    /// Sign a token as your server would, for trying things in staging
    Mint {
        /// Who it is for: the user's id at your site
        #[arg(long, value_name = "ID")]
        sub: String,
        /// The user's address
        #[arg(long, value_name = "ADDRESS")]
        email: String,
        /// The user's name
        #[arg(long, value_name = "NAME")]
        name: Option<String>,
        /// For how many seconds it is good
        #[arg(long, value_name = "SECONDS", default_value_t = 600)]
        expires_in: i64,
        #[command(flatten)]
        place: Where,
    },
}

impl TokenCommand {
    pub(crate) async fn run(self) -> anyhow::Result<ExitCode> {
        let Self::Mint {
            sub,
            email,
            name,
            expires_in,
            place,
        } = self;
        let store = place.data.open().await?;
        let keys = store.keys(place.scope()).await?;
        let Some(key) = keys.iter().find(|key| key.state == KeyState::Active) else {
            let told = "there is no active key\nhint: make one with `maitred key create`";
            return Err(Usage(told.to_owned()).into());
        };
        let now = store.clock.now().as_second();
        let mut claims = Map::new();
        claims.insert("sub".to_owned(), sub.into());
        claims.insert("email".to_owned(), email.into());
        if let Some(name) = name {
            claims.insert("name".to_owned(), name.into());
        }
        claims.insert("aud".to_owned(), place.scope().audience().into());
        claims.insert("iat".to_owned(), now.into());
        claims.insert("exp".to_owned(), (now + expires_in).into());
        let kid = key.id.to_string();
        let token = mint_hs256(
            key.secret.expose_secret(),
            Some(&kid),
            &Value::Object(claims),
        );
        if place.data.json {
            return place.data.print(fields! { token: token });
        }
        place.data.say(&token)
    }
}
