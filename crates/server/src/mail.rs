//! Mail: one-time codes, by way of the mail server that the operator set.
//!
//! What always holds:
//!
//! - Nobody waits for a mail to be sent: a slow or broken mail server neither
//!   slows an answer nor tells anything by it.
//! - What is logged of a failure holds no address and no code; what a mail server
//!   says often repeats the address, so only its number is kept.
//! - The text is ours. Of the visitor's it holds nothing.
//!
//! The mail server is a host that the operator wrote into the settings, like the
//! database's. It is trusted, may be private, and is not behind the outbound
//! guard (`agent::action::outbound`), which is for hosts that Actions name.

mod letter;

use std::{sync::Arc, time::Duration};

use anyhow::Context;
use lettre::{
    SmtpTransport, Transport,
    transport::smtp::{
        Error as SmtpError,
        authentication::Credentials,
        client::{Tls, TlsParameters},
        extension::ClientId,
    },
};
use maitred_core::clock::Clock;
use secrecy::ExposeSecret;
use tokio::sync::Semaphore;

use crate::{
    causes::Causes,
    config::mail::{Encryption, Settings},
    tasks::Tasks,
};

pub(crate) use letter::{Letter, site_of};

/// How long the mail server may be silent.
const PATIENCE: Duration = Duration::from_secs(10);
/// How long it is waited for one attempt altogether.
const ATTEMPT: Duration = Duration::from_secs(20);
/// How long is waited before each attempt.
const PAUSES: [Duration; 3] = [
    Duration::ZERO,
    Duration::from_secs(2),
    Duration::from_secs(10),
];
/// The most connections to the mail server at once.
const MAX_CONNECTIONS: usize = 4;
/// The most letters that wait for one. What comes then is not sent.
const MAX_WAITING: usize = 256;

/// Sends letters. Cheap to clone.
#[derive(Clone)]
pub(crate) struct Mailer(Arc<Inner>);

struct Inner {
    transport: SmtpTransport,
    from: lettre::message::Mailbox,
    connections: Semaphore,
    waiting: Arc<Semaphore>,
    clock: Clock,
    tasks: Tasks,
}

/// Why a letter was not sent. Its reader is the operator.
#[derive(Debug, thiserror::Error)]
enum Unsent {
    #[error("the mail server answered {0}")]
    Refused(String),
    #[error("the mail server said something that cannot be read")]
    Unreadable,
    #[error("the mail server cannot be reached")]
    Unreachable(#[source] SmtpError),
    #[error("the mail server took more than {ATTEMPT:?}")]
    TookTooLong,
    #[error("the letter cannot be written")]
    Unwritable,
}

impl Mailer {
    /// Gets ready to send by that server. Nothing is sent yet.
    pub(crate) fn new(
        settings: &Settings,
        public_url: &str,
        clock: Clock,
        tasks: Tasks,
    ) -> anyhow::Result<Self> {
        let inner = Inner {
            transport: transport(settings, public_url).context("the mail server cannot be used")?,
            from: settings.from.clone(),
            connections: Semaphore::new(MAX_CONNECTIONS),
            waiting: Arc::new(Semaphore::new(MAX_WAITING)),
            clock,
            tasks,
        };
        Ok(Self(Arc::new(inner)))
    }

    /// Sends a letter in the background.
    pub(crate) fn send(&self, letter: Letter) {
        let Ok(place) = self.0.waiting.clone().try_acquire_owned() else {
            tracing::error!("a one-time code was not sent: too many are waiting");
            return;
        };
        let mailer = self.clone();
        self.0.tasks.spawn(async move {
            mailer.deliver(letter).await;
            drop(place);
        });
    }

    /// Tries until it is sent, refused for good, or of no use any more.
    async fn deliver(&self, letter: Letter) {
        let stopping = self.0.tasks.stopping();
        let mut failure = None;
        for pause in PAUSES {
            tokio::select! {
                () = tokio::time::sleep(pause) => (),
                () = stopping.cancelled(), if failure.is_some() => break,
            }
            if self.0.clock.now() >= letter.until {
                break;
            }
            match self.attempt(&letter).await {
                Ok(()) => return tracing::debug!("a one-time code was sent"),
                Err((error, Again::Yes)) => failure = Some(error),
                Err((error, Again::No)) => {
                    failure = Some(error);
                    break;
                }
            }
        }
        match failure {
            Some(error) => {
                tracing::error!(error = %Causes(&error), "a one-time code was not sent");
            }
            None => tracing::error!("a one-time code was not sent: it ended before its turn came"),
        }
    }

    async fn attempt(&self, letter: &Letter) -> Result<(), (Unsent, Again)> {
        let message = letter
            .message(&self.0.from, self.0.clock.now())
            .map_err(|_| (Unsent::Unwritable, Again::No))?;
        let _connection = self.0.connections.acquire().await;
        let transport = self.0.transport.clone();
        // The library's own way of waiting needs crates that we do without. A
        // thread is no loss: there are never more than the connections.
        let sending = tokio::task::spawn_blocking(move || transport.send(&message).map(|_| ()));
        match tokio::time::timeout(ATTEMPT, sending).await {
            Ok(Ok(sent)) => sent.map_err(judge),
            // It may have been sent for all we know.
            Ok(Err(_)) | Err(_) => Err((Unsent::TookTooLong, Again::No)),
        }
    }
}

/// Whether it makes sense to try again.
#[derive(Clone, Copy)]
enum Again {
    Yes,
    No,
}

/// What to make of the library's error, without a word of the mail server's.
fn judge(error: SmtpError) -> (Unsent, Again) {
    let status = error.status().map(|code| code.to_string());
    match status {
        Some(status) if error.is_permanent() => (Unsent::Refused(status), Again::No),
        Some(status) => (Unsent::Refused(status), Again::Yes),
        None if error.is_response() || error.is_client() => (Unsent::Unreadable, Again::No),
        None => (Unsent::Unreachable(error), Again::Yes),
    }
}

fn transport(settings: &Settings, public_url: &str) -> Result<SmtpTransport, SmtpError> {
    let host = settings.host.clone();
    let tls = match settings.encryption {
        Encryption::Tls => Tls::Wrapper(TlsParameters::new(host.clone())?),
        // Required: whoever sits between could else leave the offer out.
        Encryption::StartTls => Tls::Required(TlsParameters::new(host.clone())?),
        Encryption::Loopback => Tls::None,
    };
    let mut builder = SmtpTransport::builder_dangerous(host)
        .port(settings.port)
        .tls(tls)
        .hello_name(our_name(public_url))
        .timeout(Some(PATIENCE));
    if let Some(login) = &settings.login {
        builder = builder.credentials(Credentials::new(
            login.user.clone(),
            login.password.expose_secret().to_owned(),
        ));
    }
    Ok(builder.build())
}

/// As whom we greet the mail server: the host that browsers know us by.
fn our_name(public_url: &str) -> ClientId {
    let host = url::Url::parse(public_url).ok();
    match host.as_ref().and_then(url::Url::host) {
        Some(url::Host::Domain(name)) => ClientId::Domain(name.to_owned()),
        Some(url::Host::Ipv4(address)) => ClientId::Ipv4(address),
        Some(url::Host::Ipv6(address)) => ClientId::Ipv6(address),
        None => ClientId::default(),
    }
}

#[cfg(test)]
mod tests;
