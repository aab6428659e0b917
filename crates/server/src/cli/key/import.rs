//! `maitred key import`: a key that was made elsewhere.

use std::{fs, path::PathBuf, process::ExitCode};

use clap::ValueEnum;
use maitred_agent::action::Outbound;
use maitred_core::scope::Scope;
use maitred_store::KeyMaterial;
use maitred_token::{Algorithm, SetTerms};

use super::{Terms, refused};
use crate::{
    cli::{
        Usage,
        data::{Where, fields},
    },
    keys::{self, About, SetUrl},
};

/// What is imported, and what its tokens must say.
#[derive(Debug, clap::Args)]
pub(crate) struct Import {
    /// A file that holds a public key (PEM, a certificate or a JWK), or a secret of at
    /// least 32 bytes in one line
    #[arg(required_unless_present = "jwks_url", conflicts_with = "jwks_url")]
    file: Option<PathBuf>,
    /// The address of an identity provider's key set; it needs an issuer and an audience
    #[arg(long, value_name = "URL", requires_all = ["issuer", "audiences"])]
    jwks_url: Option<String>,
    /// How a secret is written
    #[arg(long, value_name = "NAME", value_enum, default_value_t = Encoding::Utf8)]
    encoding: Encoding,
    /// How tokens are signed, if neither the key says so nor its kind
    #[arg(long, value_name = "NAME")]
    algorithm: Option<Algorithm>,
    /// The `kid` that the tokens of a public key carry, if the key does not say
    #[arg(long, value_name = "KID", conflicts_with = "jwks_url")]
    kid: Option<String>,
    #[command(flatten)]
    terms: Terms,
    #[command(flatten)]
    place: Where,
}

/// How an imported secret is written (rule K1).
#[derive(Clone, Copy, Debug, ValueEnum)]
enum Encoding {
    /// The text itself is the secret
    Utf8,
    /// The standard alphabet, with `+` and `/`
    Base64,
    /// The alphabet of URLs, with `-` and `_`
    Base64url,
}

impl From<Encoding> for keys::Encoding {
    fn from(encoding: Encoding) -> Self {
        match encoding {
            Encoding::Utf8 => Self::Utf8,
            Encoding::Base64 => Self::Base64,
            Encoding::Base64url => Self::Base64url,
        }
    }
}

impl Import {
    pub(super) async fn run(self) -> anyhow::Result<ExitCode> {
        match (self.file.clone(), self.jwks_url.clone()) {
            (Some(file), _) => self.key(file).await,
            (None, Some(url)) => self.set(&url).await,
            (None, None) => Err(Usage("name a file, or `--jwks-url`".to_owned()).into()),
        }
    }

    async fn key(self, file: PathBuf) -> anyhow::Result<ExitCode> {
        let store = self.place.data.open().await?;
        self.place.found(&store).await?;
        let bytes = fs::read(&file)
            .map_err(|error| Usage(format!("cannot read `{}`: {error}", file.display())))?;
        let about = About {
            encoding: self.encoding.into(),
            algorithm: self.algorithm,
            kid: self.kid,
            terms: self.terms.into(),
        };
        let material = keys::read_bytes(bytes, about).map_err(refused)?;
        let scope = self.place.scope();
        let key = store
            .insert_key(scope, &material)
            .await
            .map_err(|error| refused(error.into()))?;
        let kid = match &material {
            KeyMaterial::Public(public) => public.kid.clone(),
            KeyMaterial::Secret(_) | KeyMaterial::Set(_) => None,
        };
        let mut told = fields! {
            key: key.to_string(),
            kind: material.kind(),
            algorithm: material.algorithm().name(),
            kid: kid.unwrap_or_else(|| key.to_string()),
        };
        told.extend(note(scope, &material));
        self.place.data.print(told)
    }

    async fn set(self, url: &str) -> anyhow::Result<ExitCode> {
        let store = self.place.data.open().await?;
        self.place.found(&store).await?;
        let config = self.place.data.config()?;
        let outbound = Outbound::new(config.outbound_allow)?;
        let url = SetUrl::parse(url).map_err(|bad| refused(bad.into()))?;
        let terms = SetTerms {
            issuer: self.terms.issuer.unwrap_or_default(),
            audiences: self.terms.audiences,
            rsa: self.algorithm.unwrap_or(Algorithm::Rs256),
        };
        let brought = keys::bring_set(&store, &outbound, self.place.scope(), &url, terms)
            .await
            .map_err(refused)?;
        let skipped: Vec<String> = brought
            .skipped
            .iter()
            .map(|it| {
                let kid = it.kid.as_deref().unwrap_or("without a `kid`");
                format!("{kid} ({})", it.why)
            })
            .collect();
        self.place.data.print(fields! {
            key: brought.key.to_string(),
            kind: "set",
            url: url.as_str(),
            usable: brought.usable,
            skipped: skipped,
        })
    }
}

/// What the tokens of this key must say, where that may surprise.
fn note(scope: Scope, material: &KeyMaterial) -> Option<(&'static str, serde_json::Value)> {
    let imported = match material {
        KeyMaterial::Secret(secret) => secret.imported,
        KeyMaterial::Public(_) | KeyMaterial::Set(_) => false,
    };
    if !imported && material.audiences().is_empty() {
        return None;
    }
    let mut accepted = vec![format!("\"{}\"", scope.audience())];
    let set = material.audiences().iter();
    accepted.extend(set.map(|audience| format!("\"{audience}\"")));
    let note = format!("its tokens must carry `aud`: {}", accepted.join(" or "));
    fields! { note: note }.pop()
}
