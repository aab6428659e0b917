//! What the operator set: defaults, a file, the environment, the command line.
//!
//! Nothing else in the program reads the environment.

pub(crate) mod mail;

use std::{
    net::{IpAddr, SocketAddr},
    path::{Path, PathBuf},
    time::Duration,
};

use anyhow::{Context, anyhow, bail, ensure};
use ipnet::IpNet;
use jiff::SignedDuration;
use maitred_store::Location;
use secrecy::SecretString;
use serde::Deserialize;
use toml::{Table, Value};

use crate::{
    accept::{Connections, Patience},
    limits::Allowed,
};

const DEFAULTS: &str = include_str!("../config.default.toml");
const PREFIX: &str = "MAITRED__";
/// How long a verified session may outlive its token at the most (rule S2).
const MAX_GRACE: i64 = 900;

/// What is in force, fully parsed.
#[derive(Clone, Debug)]
pub struct Config {
    pub(crate) listen: SocketAddr,
    /// Scheme, host and port; no trailing slash.
    pub(crate) public_url: String,
    pub(crate) data: PathBuf,
    pub(crate) master_key: MasterKeySource,
    pub(crate) connections: Connections,
    pub(crate) trusted_proxies: Vec<IpNet>,
    pub(crate) limits: Allowed,
    pub(crate) database: Location,
    pub(crate) session_grace: SignedDuration,
    pub(crate) anonymous_for: SignedDuration,
    pub(crate) mail: Option<mail::Settings>,
    pub(crate) outbound_allow: Vec<String>,
    pub(crate) script: Option<PathBuf>,
}

/// Where the master key comes from (rule K2).
#[derive(Clone)]
pub(crate) enum MasterKeySource {
    /// A file, made on first start.
    File(PathBuf),
    /// The settings themselves: the environment, most likely.
    Given(SecretString),
}

impl std::fmt::Debug for MasterKeySource {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::File(path) => path.fmt(f),
            Self::Given(_) => f.write_str("[hidden]"),
        }
    }
}

/// What the command line says of it.
#[derive(Clone, Debug, Default, clap::Args)]
pub struct Overrides {
    /// A file of settings (see `config.default.toml`)
    #[arg(long, value_name = "FILE")]
    pub config: Option<PathBuf>,
    /// Where the database and the master key live
    #[arg(long, value_name = "DIR")]
    pub data: Option<PathBuf>,
    /// A database file, or a `postgres://` URL
    #[arg(long, value_name = "FILE|URL")]
    pub database: Option<String>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct File {
    server: Server,
    patience: PatienceInSeconds,
    database: Database,
    sessions: Sessions,
    limits: Limits,
    mail: mail::Mail,
    outbound: Outbound,
    testing: Testing,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Server {
    listen: String,
    public_url: String,
    data: PathBuf,
    master_key: String,
    master_key_file: String,
    max_connections: usize,
    max_connections_per_address: usize,
    trusted_proxies: Vec<String>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct PatienceInSeconds {
    head: u64,
    body: u64,
    idle: u64,
    stalled: u64,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Database {
    url: String,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Sessions {
    grace: i64,
    anonymous_for: i64,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Limits {
    refused_tokens: u32,
    anonymous_sessions: u32,
    codes: u32,
    refused_api_keys: u32,
    requests: u32,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Outbound {
    allow: Vec<String>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Testing {
    script: String,
}

impl Config {
    /// Lays the file, the environment and the command line over the defaults.
    pub fn load(
        overrides: &Overrides,
        listen: Option<&str>,
        public_url: Option<&str>,
        environment: impl Iterator<Item = (String, String)>,
    ) -> anyhow::Result<Self> {
        let mut table: Table = DEFAULTS
            .parse()
            .expect("the defaults are a test's first line");
        if let Some(path) = &overrides.config {
            lay_over(&mut table, read(path)?);
        }
        for (name, value) in environment {
            if let Some(path) = name.strip_prefix(PREFIX) {
                set(&mut table, path, value).with_context(|| format!("`{name}`"))?;
            }
        }
        let mut file: File = table.try_into().context("the settings cannot be used")?;
        if let Some(listen) = listen {
            file.server.listen = listen.to_owned();
        }
        if let Some(public_url) = public_url {
            file.server.public_url = public_url.to_owned();
        }
        if let Some(data) = &overrides.data {
            file.server.data.clone_from(data);
        }
        if let Some(database) = &overrides.database {
            file.database.url.clone_from(database);
        }
        Self::from_file(file)
    }

    fn from_file(file: File) -> anyhow::Result<Self> {
        let listen: SocketAddr = file.server.listen.parse().with_context(|| {
            format!(
                "`{}` is not an address; write it like `127.0.0.1:7070`",
                file.server.listen
            )
        })?;
        let grace = file.sessions.grace;
        ensure!(
            (0..=MAX_GRACE).contains(&grace),
            "`sessions.grace` must be 0 to {MAX_GRACE} seconds"
        );
        ensure!(
            file.sessions.anonymous_for >= 60,
            "`sessions.anonymous_for` must be 60 seconds or more"
        );
        let trusted_proxies = networks(&file.server.trusted_proxies)?;
        Ok(Self {
            listen,
            public_url: public_url(&file.server.public_url, listen)?,
            database: location(&file.database.url, &file.server.data),
            master_key: master_key(&file.server),
            data: file.server.data,
            connections: Connections {
                at_most: file.server.max_connections,
                from_one_address: file.server.max_connections_per_address,
                not_counted: trusted_proxies.clone(),
                patience: file.patience.parsed()?,
            },
            trusted_proxies,
            limits: Allowed {
                refused_tokens: file.limits.refused_tokens,
                anonymous_sessions: file.limits.anonymous_sessions,
                codes: file.limits.codes,
                refused_api_keys: file.limits.refused_api_keys,
                requests: file.limits.requests,
            },
            session_grace: SignedDuration::from_secs(grace),
            anonymous_for: SignedDuration::from_secs(file.sessions.anonymous_for),
            mail: file.mail.parsed()?,
            outbound_allow: file.outbound.allow,
            script: Some(file.testing.script)
                .filter(|it| !it.is_empty())
                .map(PathBuf::from),
        })
    }
}

impl PatienceInSeconds {
    fn parsed(&self) -> anyhow::Result<Patience> {
        let seconds = |name: &str, seconds: u64| {
            ensure!(
                (1..=3600).contains(&seconds),
                "`patience.{name}` must be 1 to 3600 seconds"
            );
            Ok(Duration::from_secs(seconds))
        };
        Ok(Patience {
            head: seconds("head", self.head)?,
            body: seconds("body", self.body)?,
            idle: seconds("idle", self.idle)?,
            stalled: seconds("stalled", self.stalled)?,
        })
    }
}

fn read(path: &Path) -> anyhow::Result<Table> {
    let text = std::fs::read_to_string(path)
        .with_context(|| format!("cannot read the settings in `{}`", path.display()))?;
    text.parse::<Table>().map_err(|error| {
        let at = error.span().map_or(0, |span| span.start);
        let (line, column) = place(&text, at);
        // Where, and no more: the line may hold the master key.
        anyhow!(
            "the settings in `{}` cannot be read\nhint: line {line}, column {column} is not as TOML wants it",
            path.display()
        )
    })
}

/// Line and column of a byte, both from 1.
fn place(text: &str, at: usize) -> (usize, usize) {
    let before = text.get(..at).unwrap_or(text);
    let line = before.rsplit('\n').next().unwrap_or_default();
    (before.matches('\n').count() + 1, line.chars().count() + 1)
}

fn lay_over(base: &mut Table, over: Table) {
    for (name, value) in over {
        match (base.get_mut(&name), value) {
            (Some(Value::Table(inner)), Value::Table(over)) => lay_over(inner, over),
            (_, value) => _ = base.insert(name, value),
        }
    }
}

/// Sets `SECTION__KEY`. A text stays a text where the default is one; everything
/// else is read as TOML.
fn set(table: &mut Table, path: &str, text: String) -> anyhow::Result<()> {
    let path = path.to_ascii_lowercase();
    let Some((section, key)) = path.split_once("__") else {
        bail!("must name a section and a setting, like `{PREFIX}SERVER__LISTEN`");
    };
    let section = table
        .get_mut(section)
        .and_then(Value::as_table_mut)
        .with_context(|| format!("there is no section `{section}`"))?;
    let value = match section.get(key) {
        Some(Value::String(_)) => Value::String(text),
        _ => format!("it = {text}")
            .parse::<Table>()
            .ok()
            .and_then(|mut parsed| parsed.remove("it"))
            .context("cannot be read as a value")?,
    };
    section.insert(key.to_owned(), value);
    Ok(())
}

/// Networks, or single addresses.
fn networks(texts: &[String]) -> anyhow::Result<Vec<IpNet>> {
    let network = |text: &String| {
        let network = text.parse::<IpNet>().ok();
        network
            .or_else(|| Some(IpNet::from(text.parse::<IpAddr>().ok()?)))
            .with_context(|| {
                format!(
                    "`{text}` in `server.trusted_proxies` is no address; write `10.0.0.1` or `10.0.0.0/8`"
                )
            })
    };
    texts.iter().map(network).collect()
}

fn location(url: &str, data: &Path) -> Location {
    if url.is_empty() {
        Location::Sqlite(data.join("maitred.db"))
    } else if url.starts_with("postgres://") || url.starts_with("postgresql://") {
        Location::Postgres(url.to_owned())
    } else {
        Location::Sqlite(PathBuf::from(url))
    }
}

fn master_key(server: &Server) -> MasterKeySource {
    match (server.master_key.as_str(), server.master_key_file.as_str()) {
        ("", "") => MasterKeySource::File(server.data.join("master.key")),
        ("", file) => MasterKeySource::File(PathBuf::from(file)),
        (key, _) => MasterKeySource::Given(key.to_owned().into()),
    }
}

fn public_url(text: &str, listen: SocketAddr) -> anyhow::Result<String> {
    if text.is_empty() {
        ensure!(
            listen.ip().is_loopback(),
            "`server.public_url` is needed when others can reach `{listen}`: say how browsers do, like `https://support.example`"
        );
        return Ok(format!("http://{listen}"));
    }
    let parts = match text.split_once("://") {
        Some(("https", host)) => Some(("https", host.strip_suffix(":443").unwrap_or(host))),
        Some(("http", host)) => Some(("http", host.strip_suffix(":80").unwrap_or(host))),
        _ => None,
    };
    match parts {
        // As browsers write it, who leave out a port that goes without saying.
        Some((scheme, host)) if !host.is_empty() && !host.contains(['/', '?', '#', '@', ' ']) => {
            Ok(format!("{scheme}://{}", host.to_ascii_lowercase()))
        }
        _ => bail!(
            "`{text}` is no public URL: write scheme and host, like `https://support.example`"
        ),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn loaded(environment: &[(&str, &str)]) -> anyhow::Result<Config> {
        let environment = environment
            .iter()
            .map(|(name, value)| ((*name).to_owned(), (*value).to_owned()));
        Config::load(&Overrides::default(), None, None, environment)
    }

    #[test]
    fn the_defaults_are_good_for_loopback() {
        let config = loaded(&[]).unwrap();

        assert_eq!(config.public_url, "http://127.0.0.1:7070");
        assert!(
            matches!(config.database, Location::Sqlite(path) if path == Path::new("maitred-data/maitred.db"))
        );
    }

    #[test]
    fn s4_the_public_url_is_kept_as_browsers_write_it() {
        for (written, kept) in [
            ("https://support.example", "https://support.example"),
            ("https://Support.Example:443", "https://support.example"),
            ("http://localhost:80", "http://localhost"),
            ("http://localhost:443", "http://localhost:443"),
            (
                "https://support.example:8443",
                "https://support.example:8443",
            ),
            ("http://[::1]:7070", "http://[::1]:7070"),
        ] {
            let config = loaded(&[("MAITRED__SERVER__PUBLIC_URL", written)]).unwrap();
            assert_eq!(config.public_url, kept);
        }
    }

    #[test]
    fn the_environment_lies_over_the_defaults() {
        let config = loaded(&[
            ("MAITRED__SESSIONS__GRACE", "5"),
            ("MAITRED__OUTBOUND__ALLOW", r#"["localhost:1"]"#),
            ("MAITRED__DATABASE__URL", "postgres://localhost/x"),
            (
                "MAITRED__SERVER__TRUSTED_PROXIES",
                r#"["10.0.0.0/8", "fd00::1"]"#,
            ),
            ("MAITRED__LIMITS__REQUESTS", "0"),
            ("HOME", "/root"),
        ])
        .unwrap();

        assert_eq!(config.session_grace, SignedDuration::from_secs(5));
        assert_eq!(config.outbound_allow, ["localhost:1"]);
        assert!(matches!(config.database, Location::Postgres(_)));
        let proxies: Vec<String> = config
            .trusted_proxies
            .iter()
            .map(IpNet::to_string)
            .collect();
        assert_eq!(proxies, ["10.0.0.0/8", "fd00::1/128"]);
        assert_eq!(config.limits.requests, 0);
    }

    #[test]
    fn what_cannot_be_used_is_refused() {
        for (name, value) in [
            ("MAITRED__SERVER__LISTEN", "7070"),
            ("MAITRED__SERVER__LISTEN", "0.0.0.0:7070"),
            ("MAITRED__SERVER__PUBLIC_URL", "support.example"),
            (
                "MAITRED__SERVER__PUBLIC_URL",
                "https://support.example/chat",
            ),
            ("MAITRED__SERVER__PUBLIC_URL", "https://:443"),
            ("MAITRED__SERVER__PORT", "1"),
            ("MAITRED__NOPE__X", "1"),
            ("MAITRED__SESSIONS__GRACE", "901"),
            ("MAITRED__SESSIONS__GRACE", "soon"),
            ("MAITRED__SERVER__TRUSTED_PROXIES", r#"["10.0.0.0/33"]"#),
            ("MAITRED__SERVER__TRUSTED_PROXIES", r#"["proxy.example"]"#),
            ("MAITRED__LIMITS__REQUESTS", "-1"),
            ("MAITRED__PATIENCE__HEAD", "0"),
            ("MAITRED__PATIENCE__BODY", "3601"),
        ] {
            assert!(loaded(&[(name, value)]).is_err(), "{name}={value}");
        }
    }

    #[test]
    fn k2_a_mistake_in_the_file_is_placed_and_not_quoted() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("maitred.toml");
        std::fs::write(&path, "[server]\n  master_key = 'hunter2\n").unwrap();

        let error = format!("{:?}", read(&path).unwrap_err());

        assert!(!error.contains("hunter2"), "{error}");
        assert!(error.contains("line 2, column"), "{error}");
    }

    #[test]
    fn k2_what_is_printed_of_the_settings_holds_no_password() {
        let config = loaded(&[
            (
                "MAITRED__DATABASE__URL",
                "postgres://ada:hunter2@db/maitred",
            ),
            ("MAITRED__SERVER__MASTER_KEY", "hunter2"),
            ("MAITRED__MAIL__URL", "smtps://ada:hunter2@mail.example"),
            ("MAITRED__MAIL__FROM", "chat@shop.example"),
        ]);

        let printed = format!("{:?}", config.unwrap());

        assert!(!printed.contains("hunter2"), "{printed}");
    }
}
