//! PostgreSQL that goes away and comes back. A file does not: on SQLite there is
//! nothing to try here.

use std::{future::pending, path::PathBuf};

use maitred_core::id::{ConversationId, NodeId};
use maitred_store::{Heard, Location, MasterKey, Store, Told, TurnMark};
use sqlx::{Connection, Executor, PgConnection};
use tokio::{
    io::copy_bidirectional,
    net::{TcpListener, UnixStream},
    sync::watch,
};

use super::support::{TestStore, answer};

/// Stands between the store and the server's socket, and can be cut.
struct Wire {
    state: watch::Sender<State>,
    port: u16,
}

#[derive(Clone, Copy, Debug, PartialEq)]
enum State {
    Up,
    /// Connections end, and new ones, too.
    Cut,
    /// What is open stays open, and nothing passes any more. New ones do.
    OldOnesAreDead,
}

impl Wire {
    async fn to(socket: PathBuf) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let port = listener.local_addr().unwrap().port();
        let (state, states) = watch::channel(State::Up);
        let serve = async move {
            loop {
                let (mut client, _) = listener.accept().await.unwrap();
                let (socket, mut states) = (socket.clone(), states.clone());
                if *states.borrow_and_update() == State::Cut {
                    continue;
                }
                let carry = async move {
                    let mut server = UnixStream::connect(socket).await.unwrap();
                    tokio::select! {
                        _ = copy_bidirectional(&mut client, &mut server) => (),
                        _ = states.changed() => (),
                    }
                    if *states.borrow() == State::OldOnesAreDead {
                        pending::<()>().await;
                    }
                };
                #[expect(clippy::disallowed_methods, reason = "it ends with the test")]
                tokio::spawn(carry);
            }
        };
        #[expect(clippy::disallowed_methods, reason = "it ends with the test")]
        tokio::spawn(serve);
        Self { state, port }
    }
}

/// Another store of the same database, over a wire. None on SQLite.
async fn far(store: &TestStore) -> Option<(Store, Wire)> {
    let Location::Postgres(url) = store.location() else {
        return None;
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
    Some((far, wire))
}

#[tokio::test]
async fn r8_a_connection_that_died_without_a_word_is_found_out_by_asking() {
    let store = TestStore::new().await;
    let Some((far, wire)) = far(&store).await else {
        return;
    };
    let [here, there] = [NodeId::new(&store.clock), NodeId::new(&store.clock)];
    let far = far.joined_by(there).await.unwrap();
    let near = store.another().await.joined_by(here).await.unwrap();
    let mut listener = far.listen().await.unwrap().unwrap();
    listener.check().await;
    let conversation = ConversationId::new(&store.clock);
    let told = Told::LookAtTurn(conversation);
    near.tell_nodes(std::slice::from_ref(&told)).await.unwrap();
    assert_eq!(
        listener.hear().await.unwrap(),
        Heard::Told(vec![told.clone()]),
        "one that lives is kept"
    );

    wire.state.send(State::OldOnesAreDead).unwrap();
    listener.check().await;

    assert_eq!(listener.hear().await.unwrap(), Heard::Again);
    near.tell_nodes(std::slice::from_ref(&told)).await.unwrap();
    assert_eq!(listener.hear().await.unwrap(), Heard::Told(vec![told]));
}

#[tokio::test]
async fn r8_when_postgresql_is_away_it_is_said_so_and_later_all_goes_on() {
    let store = TestStore::new().await;
    let Some((far, wire)) = far(&store).await else {
        return;
    };
    let site = store.site().await;
    let scope = site.scope;
    assert!(far.settings(scope).await.unwrap().is_some());

    wire.state.send(State::Cut).unwrap();
    let read = far.settings(scope).await.unwrap_err();
    let written = far.revoke_key(scope, site.key).await.unwrap_err();

    assert!(read.is_away(), "{read:?}");
    assert!(written.is_away(), "{written:?}");
    wire.state.send(State::Up).unwrap();
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
