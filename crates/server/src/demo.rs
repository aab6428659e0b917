//! `maitred demo`: maitred and a shop that uses it, in one process, on loopback.
//!
//! The shop is another site on purpose (`localhost` beside `127.0.0.1`): cookies
//! ignore ports, and a shop on the same host would hide what a browser keeps
//! apart. It is told what a customer is told, and uses nothing of the inside.

use std::{
    fs,
    io::{self, Write},
    net::{IpAddr, SocketAddr},
    path::{Path, PathBuf},
    process::ExitCode,
};

use anyhow::{Context, bail};
use maitred_core::{
    agent::{Origin, Settings},
    id::{AgentId, KeyId},
    scope::{Environment, Scope},
};
use maitred_demo::{Shop, ShopConfig, help_pages, order_status_action, users};
use maitred_store::{KeyTerms, NewPage, Store, make_private_file};
use maitred_token::Algorithm;
use serde::{Deserialize, Serialize};
use tokio_util::sync::CancellationToken;

use crate::{
    accept,
    app::App,
    cli::Usage,
    config::{Config, Overrides},
    keys, serve,
};

const AGENT_NAME: &str = "Alder & Fell support";
/// The green of the shop.
const ACCENT: &str = "#2f5d46";

/// What can be chosen.
#[derive(Debug, clap::Args)]
pub(crate) struct Demo {
    /// Where maitred listens: a loopback address
    #[arg(long, value_name = "ADDR", default_value = "127.0.0.1:7070")]
    listen: SocketAddr,
    /// Where the shop listens: `localhost` and a port
    #[arg(long, value_name = "HOST:PORT", default_value = "localhost:7071")]
    shop: String,
    /// Where everything is kept
    #[arg(long, value_name = "DIR", default_value = "maitred-demo")]
    data: PathBuf,
}

/// What the shop was told once, as a customer's settings would hold it.
#[derive(Serialize, Deserialize)]
struct ShopFile {
    agent: AgentId,
    key: KeyId,
    secret: String,
}

impl Demo {
    /// Runs both until Ctrl-C.
    pub(crate) async fn run(self) -> anyhow::Result<ExitCode> {
        if !self.listen.ip().is_loopback() {
            return Err(Usage(format!(
                "`{}` is not a loopback address\nhint: a demo's logins are public knowledge, so it listens on this machine only; use `maitred serve` for others",
                self.listen
            ))
            .into());
        }
        let shop_port = shop_port(&self.shop).map_err(Usage::because)?;
        let shop_url = format!("http://{}", self.shop);
        let listener = serve::bind(self.listen, "--listen", &self.listen.ip().to_string()).await?;
        let shop_address = SocketAddr::from((loopback(), shop_port));
        let shop_listener = serve::bind(shop_address, "--shop", "localhost").await?;

        let config = self.config()?;
        let _lock = serve::lock(&config)?;
        let store = serve::open(&config).await?;
        let shop_file = seed(&store, &self.data, &shop_url).await?;
        let shop = Shop::new(ShopConfig {
            public_url: shop_url.clone(),
            maitred_url: config.public_url.clone(),
            agent: shop_file.agent.to_string(),
            environment: Environment::Production.as_str().to_owned(),
            key_id: shop_file.key.to_string(),
            secret: shop_file.secret,
            data: self.data.join("shop"),
        })?;
        let app = App::new(config, store).await?;
        // Embedding the help pages takes a moment: not the first visitor's.
        app.prepare(shop_file.agent);
        let stop = serve::asked_to_stop()?;
        print_welcome(&app.config.public_url, &shop_url, &self.data)?;

        let serving_shop = serve_shop(&app, shop_listener, shop, stop.clone());
        tokio::join!(serve::run(app.clone(), listener, stop), serving_shop);
        writeln!(
            io::stdout(),
            "\nStopped. Everything is kept in `{}`.",
            self.data.display()
        )?;
        Ok(ExitCode::SUCCESS)
    }

    fn config(&self) -> anyhow::Result<Config> {
        let overrides = Overrides {
            data: Some(self.data.clone()),
            ..Overrides::default()
        };
        let mut config = Config::load(
            &overrides,
            Some(&self.listen.to_string()),
            None,
            std::iter::empty(),
        )?;
        config.outbound_allow = vec![self.shop.clone()];
        Ok(config)
    }
}

async fn serve_shop(
    app: &App,
    listener: tokio::net::TcpListener,
    shop: Shop,
    stop: CancellationToken,
) {
    let connections = app.config.connections.clone();
    accept::serve(listener, shop.router(), connections, &app.tasks, stop).await;
}

/// Makes the demo's agent on the first start, and brings it up to date on others.
async fn seed(store: &Store, data: &Path, shop_url: &str) -> anyhow::Result<ShopFile> {
    if !store.is_demo().await? {
        if !store.agents().await?.is_empty() {
            bail!(
                "`{}` holds data that is not a demo's\nhint: give `--data` another directory",
                data.display()
            );
        }
        store.mark_as_demo().await?;
    }
    let path = data.join("shop.json");
    let shop_file = match fs::read_to_string(&path) {
        Ok(text) => serde_json::from_str(&text)
            .with_context(|| format!("`{}` cannot be read", path.display()))?,
        Err(error) if error.kind() == io::ErrorKind::NotFound => {
            let shop_file = make_agent(store).await?;
            keep(&path, &shop_file)?;
            shop_file
        }
        Err(error) => {
            return Err(error).with_context(|| format!("cannot read `{}`", path.display()));
        }
    };
    bring_up_to_date(store, shop_file.agent, shop_url).await?;
    Ok(shop_file)
}

async fn make_agent(store: &Store) -> anyhow::Result<ShopFile> {
    let settings = Settings::default();
    let agent = store.create_agent(AGENT_NAME, &settings, &settings).await?;
    let scope = Scope {
        agent: agent.id,
        environment: Environment::Production,
    };
    let made = keys::make(store, scope, Algorithm::Hs256, KeyTerms::default()).await?;
    Ok(ShopFile {
        agent: agent.id,
        key: made.key,
        secret: made.secret.expose().to_owned(),
    })
}

/// Writes what the shop may know: a customer's secret, so for its owner only.
fn keep(path: &Path, shop_file: &ShopFile) -> anyhow::Result<()> {
    make_private_file(path, &serde_json::to_string_pretty(shop_file)?)
        .with_context(|| format!("cannot make `{}`", path.display()))
}

/// The shop may have moved to another port, and its help pages may have changed.
async fn bring_up_to_date(store: &Store, agent: AgentId, shop_url: &str) -> anyhow::Result<()> {
    let wanted = Settings {
        origins: vec![Origin::parse(shop_url)?],
        sign_in_url: Some(format!("{shop_url}/login")),
        suggestions: [
            "What's the status of my order?",
            "How long does delivery take?",
            "How do I send something back?",
        ]
        .map(str::to_owned)
        .into(),
        accent: Some(ACCENT.to_owned()),
        ..Settings::default()
    };
    for environment in Environment::ALL {
        let scope = Scope { agent, environment };
        if store.settings(scope).await?.as_ref() != Some(&wanted) {
            store.change_settings(scope, &wanted).await?;
        }
    }
    let definition = order_status_action(shop_url);
    let action = maitred_agent::action::Action::parse(&definition)?;
    let known = store.actions(agent).await?;
    if !known
        .iter()
        .any(|it| it.name == action.name && it.definition == definition)
    {
        store.put_action(agent, &action.name, &definition).await?;
    }
    let known = store.sources(agent, None, 100).await?;
    for page in help_pages() {
        let url = format!("{shop_url}{}", page.path);
        match known.iter().find(|it| it.address == url) {
            Some(source) => {
                let page = NewPage::of(String::new(), url, page.title, page.markdown);
                store.put_page(source.id, &page).await?;
            }
            None => {
                store
                    .put_source(agent, &url, page.title, page.markdown)
                    .await?;
            }
        }
    }
    Ok(())
}

fn print_welcome(maitred_url: &str, shop_url: &str, data: &Path) -> anyhow::Result<()> {
    let mut out = io::stdout().lock();
    writeln!(out, "maitred is at   {maitred_url}")?;
    writeln!(out, "the shop is at  {shop_url}   <- open this one\n")?;
    writeln!(
        out,
        "Log in as one of these (sample data, public knowledge):"
    )?;
    for user in users() {
        let name = user.name.unwrap_or("(no name)");
        writeln!(out, "  {name:<14} {:<30} {}", user.email, user.password)?;
    }
    writeln!(out, "\nThen try:")?;
    writeln!(
        out,
        "  1. Open the chat without logging in and ask how long delivery takes"
    )?;
    writeln!(
        out,
        "  2. Log in as Sarah: the same chat goes on, and knows her name"
    )?;
    writeln!(out, "  3. Ask \"What's the status of my order?\"")?;
    writeln!(
        out,
        "  4. Log in as Sarah in a second browser: the conversation is there"
    )?;
    writeln!(out, "  5. Log out: nothing of hers is left\n")?;
    writeln!(
        out,
        "Everything is kept in `{}`. Ctrl-C stops both.",
        data.display()
    )?;
    Ok(out.flush()?)
}

/// The port of `localhost:7071`.
fn shop_port(text: &str) -> anyhow::Result<u16> {
    match text
        .rsplit_once(':')
        .map(|(host, port)| (host, port.parse::<u16>()))
    {
        Some(("localhost", Ok(port))) if port > 0 => Ok(port),
        _ => bail!(
            "`{text}` is not an address for the shop\nhint: write `localhost` and a port, like `--shop localhost:7071`; it must be another site than maitred's"
        ),
    }
}

fn loopback() -> IpAddr {
    IpAddr::from([127, 0, 0, 1])
}
