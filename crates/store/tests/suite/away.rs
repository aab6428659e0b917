//! PostgreSQL that goes away and comes back. A file does not: on SQLite there is
//! nothing to try here.

use std::path::PathBuf;

use maitred_store::{Location, MasterKey, Store, TurnMark};
use sqlx::{Connection, Executor, PgConnection};
use tokio::{
    io::copy_bidirectional,
    net::{TcpListener, UnixStream},
    sync::watch,
};

use super::support::{TestStore, answer};

/// Stands between the store and the server's socket, and can be cut.
struct Wire {
    is_up: watch::Sender<bool>,
    port: u16,
}

impl Wire {
    async fn to(socket: PathBuf) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let port = listener.local_addr().unwrap().port();
        let (is_up, up) = watch::channel(true);
        let serve = async move {
            loop {
                let (mut client, _) = listener.accept().await.unwrap();
                let (socket, mut up) = (socket.clone(), up.clone());
                if !*up.borrow() {
                    continue;
                }
                let carry = async move {
                    let mut server = UnixStream::connect(socket).await.unwrap();
                    tokio::select! {
                        _ = copy_bidirectional(&mut client, &mut server) => (),
                        _ = up.wait_for(|up| !up) => (),
                    }
                };
                #[expect(clippy::disallowed_methods, reason = "it ends with the test")]
                tokio::spawn(carry);
            }
        };
        #[expect(clippy::disallowed_methods, reason = "it ends with the test")]
        tokio::spawn(serve);
        Self { is_up, port }
    }
}

#[tokio::test]
async fn r8_when_postgresql_is_away_it_is_said_so_and_later_all_goes_on() {
    let store = TestStore::new().await;
    let Location::Postgres(url) = store.location() else {
        return;
    };
    let (path, socket_dir) = url
        .split_once("?host=")
        .expect("a socket of the throw-away server");
    let name = path.rsplit('/').next().unwrap();
    let wire = Wire::to(PathBuf::from(socket_dir).join(".s.PGSQL.5432")).await;
    let url = format!("postgres://postgres@127.0.0.1:{}/{name}", wire.port);
    let master = MasterKey::at(&store.path("master.key")).unwrap();
    let far = Store::open(&Location::Postgres(url), master, store.clock.clone())
        .await
        .unwrap();
    let site = store.site().await;
    let scope = site.scope;
    assert!(far.settings(scope).await.unwrap().is_some());

    wire.is_up.send(false).unwrap();
    let read = far.settings(scope).await.unwrap_err();
    let written = far.revoke_key(scope, site.key).await.unwrap_err();

    assert!(read.is_away(), "{read:?}");
    assert!(written.is_away(), "{written:?}");
    wire.is_up.send(true).unwrap();
    assert!(far.settings(scope).await.unwrap().is_some());
    assert!(
        far.revoke_key(scope, site.key).await.unwrap(),
        "it was not done before"
    );
    far.close().await;
}

#[tokio::test]
async fn r8_a_lock_that_somebody_else_holds_is_waited_for_no_longer_than_five_seconds() {
    let store = TestStore::new().await;
    let Location::Postgres(url) = store.location() else {
        return;
    };
    let sarah = store.site().await.meets("sarah").await;
    let id = sarah.opens_conversation().await;
    let mut other = PgConnection::connect(url).await.unwrap();
    other.execute("BEGIN").await.unwrap();
    let lock = "SELECT id FROM conversations FOR UPDATE";
    other.execute(lock).await.unwrap();

    let answers = async || {
        let entries = vec![store.new_entry(answer("hello"))];
        store.append(id, None, entries, TurnMark::Ended).await
    };

    let refused = answers().await.unwrap_err();
    other.execute("ROLLBACK").await.unwrap();
    let kept = answers().await;

    assert!(
        refused.is_away() && !refused.is_storage_full(),
        "{refused:?}"
    );
    assert!(kept.is_ok(), "{kept:?}");
}
