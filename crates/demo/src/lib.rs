//! A sample shop that integrates maitred as a customer would.
//!
//! It has its own pages, logins and orders, and knows of maitred what anybody
//! can know: a script to embed, a token to sign, an assertion to check. Nothing
//! of maitred is linked in, and nothing here is needed to run maitred.
//!
//! ```text
//! browser ──► pages ──► embed snippet ──► maitred's widget
//!    │  cookie                                │ getToken
//!    └──────► GET /chat-token ◄───────────────┘
//!                                         maitred's agent
//!             GET /api/customers/…/orders ◄───┘ Maitred-Assertion
//! ```
//!
//! Not here: listening and shutting down (the caller's), a basket, real money.

use std::{path::PathBuf, sync::Arc};

use anyhow::{Context as _, bail, ensure};
use axum::{
    Router,
    http::Uri,
    middleware,
    routing::{get, post},
};
use jiff::{Timestamp, tz::TimeZone};

mod action;
mod assertion;
mod assets;
mod catalog;
mod chat_token;
mod help;
mod login;
mod orders;
mod orders_api;
mod pages;
mod sessions;
mod users;

pub use action::{ORDER_STATUS_ACTION, order_status_action};
pub use help::{HelpPage, help_pages};
pub use users::{TestUser, users};

/// What the shop must be told.
pub struct ShopConfig {
    /// Where browsers and maitred reach the shop: `http://localhost:7071`.
    pub public_url: String,
    /// Where maitred is: `http://127.0.0.1:7070`.
    pub maitred_url: String,
    /// The shop's agent there: `agt_…`.
    pub agent: String,
    /// `production` or `staging`.
    pub environment: String,
    /// The id of the key that signs chat tokens.
    pub key_id: String,
    /// That key: `mtd_live_…`.
    pub secret: String,
    /// A directory of the shop's own. Made if it is not there.
    pub data: PathBuf,
}

/// A shop, ready to serve.
pub struct Shop(Arc<App>);

/// What the handlers share.
struct App {
    origins: Origins,
    pages: pages::Pages,
    sessions: sessions::Sessions,
    orders: orders::Orders,
    signer: chat_token::TokenSigner,
    verifier: assertion::Verifier,
}

/// The two addresses, parsed: scheme, host and port, nothing behind.
struct Origins {
    public_url: String,
    maitred_url: String,
}

impl Shop {
    /// Opens the shop: reads who is logged in and dates the orders from today.
    ///
    /// Fails when an address is not an origin or the directory cannot be used.
    pub fn new(config: ShopConfig) -> anyhow::Result<Self> {
        let origins = Origins {
            public_url: origin(&config.public_url).context("the shop's `public_url`")?,
            maitred_url: origin(&config.maitred_url).context("the shop's `maitred_url`")?,
        };
        ensure!(
            matches!(config.environment.as_str(), "production" | "staging"),
            "`{}` is not an environment",
            config.environment
        );
        std::fs::create_dir_all(&config.data)
            .with_context(|| format!("cannot make {}", config.data.display()))?;

        let trust = assertion::Trust {
            issuer: match config.environment.as_str() {
                "production" => origins.maitred_url.clone(),
                // Staging signs with keys of its own, which live below its issuer.
                other => format!("{}/{other}", origins.maitred_url),
            },
            audience: origins.public_url.clone(),
            agent: config.agent.clone(),
            environment: config.environment.clone(),
        };
        let today = TimeZone::UTC.to_datetime(now()).date();
        Ok(Self(Arc::new(App {
            pages: pages::Pages::new(&origins.maitred_url, &config.agent, &config.environment)?,
            sessions: sessions::Sessions::open(config.data.join("sessions.json"))?,
            orders: orders::Orders::as_of(today),
            signer: chat_token::TokenSigner::new(
                &config.key_id,
                &config.secret,
                &config.agent,
                &config.environment,
            ),
            verifier: assertion::Verifier::new(trust)?,
            origins,
        })))
    }

    /// Every route of the shop.
    pub fn router(&self) -> Router {
        Router::new()
            .route("/", get(pages::home))
            .route("/products/{slug}", get(pages::product))
            .route("/help", get(pages::help_index))
            .route("/help/{page}", get(pages::help_page))
            .route("/orders", get(pages::orders))
            .route("/login", get(login::login_page).post(login::log_in))
            .route("/logout", post(login::log_out))
            .route("/chat-token", get(chat_token::chat_token))
            .route("/shop.css", get(assets::style))
            .route("/shop.js", get(assets::script))
            .route("/favicon.svg", get(assets::icon))
            .route("/api/customers/{customer}/orders", get(orders_api::orders))
            .fallback(pages::not_found)
            .layer(middleware::from_fn_with_state(
                Arc::clone(&self.0),
                assets::on_our_own_host,
            ))
            .with_state(Arc::clone(&self.0))
    }
}

/// Scheme and authority of a URL that has nothing else.
fn origin(url: &str) -> anyhow::Result<String> {
    let uri: Uri = url
        .parse()
        .with_context(|| format!("`{url}` is not a URL"))?;
    let (Some(scheme @ ("http" | "https")), Some(authority)) = (uri.scheme_str(), uri.authority())
    else {
        bail!("`{url}` is not an http or https URL");
    };
    ensure!(
        uri.path() == "/" && uri.query().is_none(),
        "`{url}` has more than scheme, host and port"
    );
    Ok(format!("{scheme}://{authority}"))
}

/// The one place that reads the time.
#[expect(
    clippy::disallowed_methods,
    reason = "the shop is a program of its own: this is its clock"
)]
fn now() -> Timestamp {
    Timestamp::now()
}

#[cfg(test)]
mod support;
#[cfg(test)]
mod tests;
