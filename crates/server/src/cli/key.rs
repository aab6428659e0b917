//! `maitred key`: what verifies the tokens of a site.

use std::{
    io::{self, Write},
    path::PathBuf,
    process::ExitCode,
};

use base64::{
    Engine,
    alphabet::{STANDARD, URL_SAFE},
    engine::{DecodePaddingMode, GeneralPurpose, GeneralPurposeConfig},
};
use clap::{Subcommand, ValueEnum};
use jiff::SignedDuration;
use maitred_core::{id::KeyId, scope::Environment};
use maitred_store::{KeyState, StoredKey};
use maitred_token::{Algorithm, Key, Secret, SecretKind};

use super::{
    Usage,
    data::{Fields, Where, fields, read},
};

/// What can be done with keys.
#[derive(Debug, Subcommand)]
pub(crate) enum KeyCommand {
    /// Make a shared secret; it is shown this once
    Create {
        #[command(flatten)]
        place: Where,
    },
    /// Import a secret of at least 32 bytes that another product used
    Import {
        /// The file that holds the secret, in one line
        file: PathBuf,
        /// How the secret is written
        #[arg(long, value_name = "NAME", value_enum, default_value_t = Encoding::Utf8)]
        encoding: Encoding,
        #[command(flatten)]
        place: Where,
    },
    /// List the keys; never their secrets
    List {
        #[command(flatten)]
        place: Where,
    },
    /// Accept a key for some more hours, then no longer
    Retire {
        /// The key: `key_…`
        key: KeyId,
        /// For how many hours it is still accepted
        #[arg(long, value_name = "HOURS", default_value_t = 24)]
        hours: i64,
        #[command(flatten)]
        place: Where,
    },
    /// Never accept a key again, and end the sessions made with it
    Revoke {
        /// The key: `key_…`
        key: KeyId,
        #[command(flatten)]
        place: Where,
    },
}

/// How an imported secret is written (rule K1).
#[derive(Clone, Copy, Debug, ValueEnum)]
pub(crate) enum Encoding {
    /// The text itself is the secret
    Utf8,
    /// The standard alphabet, with `+` and `/`
    Base64,
    /// The alphabet of URLs, with `-` and `_`
    Base64url,
}

impl Encoding {
    fn bytes(self, text: &str) -> anyhow::Result<Vec<u8>> {
        let lenient =
            GeneralPurposeConfig::new().with_decode_padding_mode(DecodePaddingMode::Indifferent);
        match self {
            Self::Utf8 => Ok(text.as_bytes().to_vec()),
            Self::Base64 => GeneralPurpose::new(&STANDARD, lenient)
                .decode(text)
                .map_err(|_| Usage("the secret is not base64".to_owned()).into()),
            Self::Base64url => GeneralPurpose::new(&URL_SAFE, lenient)
                .decode(text)
                .map_err(|_| Usage("the secret is not base64url".to_owned()).into()),
        }
    }
}

impl KeyCommand {
    pub(crate) async fn run(self) -> anyhow::Result<ExitCode> {
        match self {
            Self::Create { place } => {
                let store = place.data.open().await?;
                place.found(&store).await?;
                let kind = match place.environment {
                    Environment::Production => SecretKind::Live,
                    Environment::Staging => SecretKind::Test,
                };
                let secret = Secret::generate(kind);
                let bytes = secret.expose().as_bytes();
                let key = store
                    .insert_key(
                        place.scope(),
                        Algorithm::Hs256.name(),
                        bytes,
                        secret.last_four(),
                        false,
                    )
                    .await?;
                place.data.print(fields! {
                    key: key.to_string(),
                    algorithm: Algorithm::Hs256.name(),
                    secret: secret.expose(),
                    note: "keep the secret now: it is not shown again",
                })
            }
            Self::Import {
                file,
                encoding,
                place,
            } => {
                let store = place.data.open().await?;
                place.found(&store).await?;
                let text = read(&file)?;
                let text = text.trim_end_matches(['\r', '\n']);
                let secret = encoding.bytes(text)?;
                // Refused here as it would be in a verifier.
                Key::shared_secret("import", &secret, Algorithm::Hs256).map_err(Usage::because)?;
                let last_four = text
                    .char_indices()
                    .rev()
                    .nth(3)
                    .map_or("", |(at, _)| &text[at..]);
                let key = store
                    .insert_key(
                        place.scope(),
                        Algorithm::Hs256.name(),
                        &secret,
                        last_four,
                        true,
                    )
                    .await?;
                let audience = place.scope().audience();
                place.data.print(fields! {
                    key: key.to_string(),
                    algorithm: Algorithm::Hs256.name(),
                    note: format!("tokens of an imported secret must carry `aud`: \"{audience}\""),
                })
            }
            Self::List { place } => {
                let store = place.data.open().await?;
                place.found(&store).await?;
                let keys = store.keys(place.scope()).await?;
                let none = "there is no key yet; `maitred key create` makes one";
                place
                    .data
                    .print_list(keys.iter().map(key_fields).collect(), none)
            }
            Self::Retire { key, hours, place } => {
                let store = place.data.open().await?;
                let until = store.clock.now() + SignedDuration::from_hours(hours);
                let done = store.retire_key(place.scope(), key, until).await?;
                said(
                    done,
                    &place,
                    format!("`{key}` is accepted until {until:.0}"),
                )
            }
            Self::Revoke { key, place } => {
                let store = place.data.open().await?;
                let done = store.revoke_key(place.scope(), key).await?;
                said(
                    done,
                    &place,
                    format!("`{key}` is revoked, and its sessions have ended"),
                )
            }
        }
    }
}

fn key_fields(key: &StoredKey) -> Fields {
    let state = match key.state {
        KeyState::Active => "active".to_owned(),
        KeyState::Retiring(until) => format!("retiring until {until:.0}"),
        KeyState::Revoked(at) => format!("revoked at {at:.0}"),
    };
    fields! {
        key: key.id.to_string(),
        algorithm: key.algorithm,
        last_four: format!("…{}", key.last_four),
        state: state,
        created_at: format!("{:.0}", key.created_at),
    }
}

/// What was done, or that there was nothing to do it to.
fn said(done: bool, place: &Where, sentence: String) -> anyhow::Result<ExitCode> {
    if done {
        return place.data.say(&sentence);
    }
    writeln!(
        io::stderr(),
        "error: there is no such key that is not revoked\nhint: `maitred key list` names them"
    )?;
    Ok(ExitCode::from(1))
}
