//! Starting, serving, stopping.

use std::{
    fs,
    io::{Read, Seek, Write},
    net::SocketAddr,
    path::Path,
    time::Duration,
};

use anyhow::{Context, bail};
use maitred_core::{clock::Clock, id::NodeId};
use maitred_store::{Location, Store};
use tokio::{
    net::TcpListener,
    signal::unix::{SignalKind, signal},
};
use tokio_util::sync::CancellationToken;

use crate::{accept, app::App, config::Config, http, master};

/// How long turns may go on after the program was told to end (rule R7).
const PATIENCE: Duration = Duration::from_secs(25);

/// `maitred serve`: until a signal.
pub(crate) async fn serve(config: Config) -> anyhow::Result<()> {
    // First, so that the master key does not change under a server that starts.
    let mut lock = lock(&config)?;
    let store = open(&config).await?;
    if store.is_demo().await? {
        bail!(
            "`{}` holds the data of a demo, whose logins are public knowledge\nhint: give `--data` another directory, or run `maitred demo`",
            config.data.display()
        );
    }
    let listener = bind(config.listen, "--listen", &config.listen.ip().to_string()).await?;
    if let Some(gone) = node_before(&mut lock)? {
        store.forget_node(gone).await?;
    }
    let app = App::new(config, store).await?;
    if let Some(node) = app.store.node() {
        name_node(&mut lock, node)?;
    }
    tracing::info!(listen = %app.config.listen, public_url = app.config.public_url, "serving");
    run(app, listener, asked_to_stop()?).await;
    Ok(())
}

/// Serves until `stop`, then lets everything come to its end.
pub(crate) async fn run(app: App, listener: TcpListener, stop: CancellationToken) {
    let tasks = app.tasks.clone();
    let store = app.store.clone();
    let connections = app.config.connections.clone();
    let router = http::router(app);
    // Streams watch the same signal, so they end before their connections are waited for.
    let stopping = tasks.stopping();
    let told = stop.clone();
    let ending = stopping.clone();
    tasks.spawn(async move {
        told.cancelled().await;
        ending.cancel();
    });
    accept::serve(listener, router, connections, &tasks, stopping).await;
    tasks.stop(PATIENCE).await;
    store.close().await;
}

/// Makes sure that no other server works on these data: each would take up the
/// turns of the other. Commands beside a server do not mind.
pub(crate) fn lock(config: &Config) -> anyhow::Result<fs::File> {
    make_directory(&config.data)?;
    let path = config.data.join("serving.lock");
    let file = fs::OpenOptions::new()
        .read(true)
        .write(true)
        .create(true)
        .truncate(false)
        .open(&path)
        .with_context(|| format!("cannot make `{}`", path.display()))?;
    file.try_lock().map_err(|_| {
        anyhow::anyhow!(
            "another maitred serves the data in `{}`\nhint: stop it, or give `--data` another directory",
            config.data.display()
        )
    })?;
    Ok(file)
}

/// The node that served these data before, as the lock says that this one now has.
/// It is gone: nobody has to wait until its beats have stood still, and what it left
/// open is taken up at once.
fn node_before(lock: &mut fs::File) -> anyhow::Result<Option<NodeId>> {
    let mut text = String::new();
    lock.read_to_string(&mut text)
        .context("cannot read `serving.lock`")?;
    Ok(text.trim().parse().ok())
}

/// Leaves word in the lock, for whoever serves these data next.
fn name_node(lock: &mut fs::File, node: NodeId) -> anyhow::Result<()> {
    lock.set_len(0)
        .and_then(|()| lock.rewind())
        .and_then(|()| writeln!(lock, "{node}"))
        .context("cannot write `serving.lock`")
}

/// Opens the data that the settings name, and checks that tokens can be trusted.
pub(crate) async fn open(config: &Config) -> anyhow::Result<Store> {
    maitred_token::self_test().context("the self-test of the token verifier failed")?;
    make_directory(&config.data)?;
    if let Location::Sqlite(path) = &config.database
        && let Some(parent) = path.parent().filter(|it| !it.as_os_str().is_empty())
    {
        make_directory(parent)?;
    }
    master::open(config, Clock::system()).await
}

/// Binds an address, or says how to choose another: `option` with this `host`
/// and a port that is likely free.
pub(crate) async fn bind(
    address: SocketAddr,
    option: &str,
    host: &str,
) -> anyhow::Result<TcpListener> {
    TcpListener::bind(address).await.map_err(|error| {
        if error.kind() != std::io::ErrorKind::AddrInUse {
            return anyhow::anyhow!("cannot listen on `{address}`: {error}");
        }
        let free = address.port().checked_add(1000).unwrap_or(8070);
        anyhow::anyhow!(
            "`{address}` is already in use\nhint: stop what listens there, or choose another address with `{option} {host}:{free}`",
        )
    })
}

/// Is cancelled by Ctrl-C or SIGTERM.
pub(crate) fn asked_to_stop() -> anyhow::Result<CancellationToken> {
    let token = CancellationToken::new();
    let mut terminate = signal(SignalKind::terminate()).context("cannot listen for signals")?;
    let mut interrupt = signal(SignalKind::interrupt()).context("cannot listen for signals")?;
    let asked = token.clone();
    #[expect(clippy::disallowed_methods, reason = "it lives as long as the program")]
    tokio::spawn(async move {
        tokio::select! {
            _ = terminate.recv() => (),
            _ = interrupt.recv() => (),
        }
        asked.cancel();
    });
    Ok(token)
}

fn make_directory(path: &Path) -> anyhow::Result<()> {
    use std::os::unix::fs::DirBuilderExt;
    if path.is_dir() {
        return Ok(());
    }
    fs::DirBuilder::new()
        .recursive(true)
        .mode(0o700)
        .create(path)
        .with_context(|| format!("cannot make the directory `{}`", path.display()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::Overrides;

    #[test]
    fn two_servers_do_not_share_their_data() {
        let dir = tempfile::tempdir().unwrap();
        let overrides = Overrides {
            data: Some(dir.path().to_owned()),
            ..Overrides::default()
        };
        let config = Config::load(&overrides, None, None, std::iter::empty()).unwrap();
        let first = lock(&config).unwrap();

        assert!(
            lock(&config)
                .unwrap_err()
                .to_string()
                .contains("another maitred")
        );

        drop(first);
        assert!(lock(&config).is_ok());
    }

    #[test]
    fn r3_who_serves_the_same_data_next_knows_who_is_gone() {
        let dir = tempfile::tempdir().unwrap();
        let overrides = Overrides {
            data: Some(dir.path().to_owned()),
            ..Overrides::default()
        };
        let config = Config::load(&overrides, None, None, std::iter::empty()).unwrap();
        let clock = Clock::system();

        for _ in 0..2 {
            let node = NodeId::new(&clock);
            let mut served = lock(&config).unwrap();
            node_before(&mut served).unwrap();
            name_node(&mut served, node).unwrap();
            drop(served);

            assert_eq!(
                node_before(&mut lock(&config).unwrap()).unwrap(),
                Some(node)
            );
        }
        fs::write(dir.path().join("serving.lock"), "nobody\n").unwrap();
        assert_eq!(node_before(&mut lock(&config).unwrap()).unwrap(), None);
    }
}
