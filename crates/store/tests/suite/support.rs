//! A store of its own for each test, and the people who use it.

use std::{ops::Deref, path::PathBuf};

use jiff::{SignedDuration, Timestamp};
use maitred_core::{
    agent::Settings,
    claims::ClaimPolicy,
    clock::Clock,
    conversation::{Author, Body, Conversation, Entry, Message, NewEntry},
    event::{Numbered, Position},
    id::{AgentId, ContactId, ConversationId, EntryId, KeyId, SessionId, VisitorId},
    identity::{Email, Identity},
    message::MessageText,
    scope::{Environment, Owner, Scope},
    secret::{Secret, SecretFor},
    session::{Holder, ProofKey},
};
pub(crate) use maitred_store::Before;
use maitred_store::{
    Appended, Found, KeyMaterial, KeyTerms, Location, MasterKey, OpenError, Opened, Opening,
    Posted, Proven, Replay, Returning, SharedSecret, Store, TurnMark,
};
use maitred_token::Algorithm;
use tempfile::TempDir;
use uuid::Uuid;

use self::database::Database;

mod database;

/// How the secret of every key made by [`TestStore::site`] begins.
pub(crate) const KEY_SECRET: &[u8] = b"mtd_live_hunter2hunter2hunter2hunter2hunter2hunter2";

/// Where the widget is embedded.
const ORIGIN: &str = "https://shop.example";

/// The secret of the key that [`TestStore::site`] makes there.
pub(crate) fn secret_of(scope: Scope) -> Vec<u8> {
    [KEY_SECRET, scope.to_string().as_bytes()].concat()
}

/// A secret of our own making, for HS256.
pub(crate) fn made(secret: &[u8]) -> KeyMaterial {
    KeyMaterial::Secret(SharedSecret {
        algorithm: Algorithm::Hs256,
        bytes: secret.to_vec().into(),
        last_four: "ter2".to_owned(),
        imported: false,
        terms: KeyTerms::default(),
    })
}

/// A store in a database of its own, which goes when this goes.
pub(crate) struct TestStore {
    store: Store,
    database: Database,
    dir: TempDir,
}

/// A database that goes when this goes.
pub(crate) struct AnotherDatabase(
    Database,
    #[expect(dead_code, reason = "it holds the file")] TempDir,
);

impl AnotherDatabase {
    pub(crate) fn location(&self) -> &Location {
        self.0.location()
    }
}

impl Deref for TestStore {
    type Target = Store;

    fn deref(&self) -> &Store {
        &self.store
    }
}

impl TestStore {
    pub(crate) async fn new() -> Self {
        let dir = tempfile::tempdir().unwrap();
        let database = Database::new(dir.path()).await;
        let clock = Clock::manual("2026-05-04T10:00:00Z".parse().unwrap());
        let master = MasterKey::at(&dir.path().join("master.key")).unwrap();
        let store = Store::open(database.location(), master, clock)
            .await
            .unwrap();
        Self {
            store,
            database,
            dir,
        }
    }

    pub(crate) fn location(&self) -> &Location {
        self.database.location()
    }

    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.dir.path().join(name)
    }

    /// Another database of the same kind, with nothing in it.
    pub(crate) async fn another_database(&self) -> AnotherDatabase {
        let dir = tempfile::tempdir().unwrap();
        AnotherDatabase(Database::new(dir.path()).await, dir)
    }

    /// A second process on the same database.
    pub(crate) async fn another(&self) -> Store {
        self.open_with("master.key").await.unwrap()
    }

    /// A second process with the master key of that file.
    pub(crate) async fn open_with(&self, master: &str) -> Result<Store, OpenError> {
        let master = MasterKey::at(&self.path(master)).unwrap();
        Store::open(self.location(), master, self.clock.clone()).await
    }

    pub(crate) fn now(&self) -> Timestamp {
        self.clock.now()
    }

    pub(crate) fn passes(&self, minutes: i64) {
        self.clock.advance(SignedDuration::from_mins(minutes));
    }

    /// When a session that is opened now is to end.
    pub(crate) fn in_an_hour(&self) -> Timestamp {
        self.now() + SignedDuration::from_hours(1)
    }

    /// An agent with a key in each environment; the one in production.
    pub(crate) async fn site(&self) -> Site<'_> {
        let agent = self
            .create_agent("Ada", &Settings::default(), &Settings::default())
            .await
            .unwrap();
        let production = Site::of(self, agent.id, Environment::Production).await;
        Site::of(self, agent.id, Environment::Staging).await;
        production
    }

    /// Runs a statement past the store.
    pub(crate) async fn tamper(&self, sql: &str) {
        self.database.execute(sql).await;
    }

    /// The first column of what a query finds, past the store.
    pub(crate) async fn column(&self, sql: &str) -> Vec<String> {
        self.database.column(sql).await
    }

    /// The kinds of the audit log's lines, in order; how the sites of a test were
    /// made is of no interest.
    pub(crate) async fn audited(&self) -> Vec<String> {
        self.column("SELECT kind FROM audit WHERE kind <> 'agent_created' ORDER BY id")
            .await
    }

    /// Everything that somebody who took the database could read.
    pub(crate) async fn dump(&self) -> String {
        self.database.dump().await
    }
}

/// One environment of one agent, with a key.
#[derive(Clone, Copy)]
pub(crate) struct Site<'s> {
    pub(crate) store: &'s TestStore,
    pub(crate) scope: Scope,
    pub(crate) key: KeyId,
    /// The browser that people are met in, if it has a key.
    pub(crate) browser: Option<&'static str>,
}

impl<'s> Site<'s> {
    async fn of(store: &'s TestStore, agent: AgentId, environment: Environment) -> Self {
        let scope = Scope { agent, environment };
        let secret = made(&secret_of(scope));
        let key = store.insert_key(scope, &secret).await.unwrap();
        Self {
            store,
            scope,
            key,
            browser: None,
        }
    }

    /// The other environment of the same agent.
    pub(crate) async fn staging(&self) -> Self {
        let scope = self.staging_scope();
        let key = self.store.keys(scope).await.unwrap()[0].id;
        Self {
            store: self.store,
            scope,
            key,
            browser: self.browser,
        }
    }

    /// The other environment of the same agent, whatever is in it.
    pub(crate) fn staging_scope(&self) -> Scope {
        Scope {
            environment: Environment::Staging,
            ..self.scope
        }
    }

    /// The same, met in a browser that has a key of its own.
    pub(crate) fn in_browser(self, name: &'static str) -> Self {
        Self {
            browser: Some(name),
            ..self
        }
    }

    pub(crate) fn proof_key(&self) -> Option<ProofKey> {
        self.browser
            .map(|name| ProofKey::of_coordinates(name, name))
    }

    pub(crate) fn opening(&self) -> Opening {
        Opening {
            scope: self.scope,
            page_origin: ORIGIN.to_owned(),
            proof_key: self.proof_key(),
        }
    }

    /// What somebody shows who was here before, in this browser.
    pub(crate) fn returning(&self, secret: &Secret) -> Returning {
        Returning {
            secret: Secret::parse(SecretFor::Visitor, secret.expose()).unwrap(),
            proof_key: self.proof_key(),
        }
    }

    /// Whom the store takes them for.
    pub(crate) async fn knows(&self, secret: &Secret) -> Option<VisitorId> {
        let known = self
            .store
            .visitor(self.scope, &self.returning(secret))
            .await;
        known.unwrap()
    }

    /// The same agent and environment, with one more key.
    pub(crate) async fn with_a_spare_key(&self) -> Self {
        let secret = made(Uuid::new_v4().to_string().as_bytes());
        let key = self.store.insert_key(self.scope, &secret).await.unwrap();
        Self { key, ..*self }
    }

    /// Somebody opens the chat without a token.
    pub(crate) async fn meets_a_stranger(&self) -> Person<'s> {
        let expires_at = self.store.in_an_hour();
        let opened = self
            .store
            .open_anonymous(self.opening(), None, expires_at)
            .await
            .unwrap();
        Person::of(self.store, opened)
    }

    /// Somebody opens the chat without a token, but with a secret of a visitor's.
    pub(crate) async fn meets_again(&self, secret: &Secret) -> Person<'s> {
        let sent = Some(self.returning(secret));
        let expires_at = self.store.in_an_hour();
        let opened = self
            .store
            .open_anonymous(self.opening(), sent, expires_at)
            .await
            .unwrap();
        Person::of(self.store, opened)
    }

    /// Somebody opens the chat with a token for that subject.
    pub(crate) async fn meets(&self, subject: &str) -> Person<'s> {
        self.signs_in(identity(subject), None).await
    }

    /// A token is accepted from somebody who was that stranger before.
    pub(crate) async fn signs_in(
        &self,
        identity: Identity,
        before: Option<VisitorId>,
    ) -> Person<'s> {
        self.rises(identity, before.map(was)).await
    }

    /// A token is accepted from somebody who was that before, and showed that
    /// conversation.
    pub(crate) async fn rises(&self, identity: Identity, before: Option<Before>) -> Person<'s> {
        let opened = self
            .store
            .open_verified(self.opening(), self.proves(identity), before)
            .await
            .unwrap();
        Person::of(self.store, opened)
    }

    /// What a token brings along that was signed with the key of this site.
    pub(crate) fn proves(&self, identity: Identity) -> Proven {
        Proven {
            record: ClaimPolicy::default().record(&identity),
            identity,
            key: self.key,
            issued_at: Some(self.store.now()),
            leeway: SignedDuration::from_secs(60),
            once: None,
            lasts_until: self.store.in_an_hour(),
        }
    }
}

/// Somebody with a session.
pub(crate) struct Person<'s> {
    pub(crate) store: &'s TestStore,
    pub(crate) opened: Opened,
}

impl<'s> Person<'s> {
    fn of(store: &'s TestStore, opened: Opened) -> Self {
        Self { store, opened }
    }

    pub(crate) fn owner(&self) -> Owner {
        self.opened.session.owner()
    }

    pub(crate) fn session(&self) -> SessionId {
        self.opened.session.id
    }

    pub(crate) fn visitor(&self) -> VisitorId {
        match self.opened.session.holder {
            Holder::Anonymous(visitor) => visitor,
            Holder::Verified { .. } => panic!("{:?} is no stranger", self.owner()),
        }
    }

    pub(crate) fn contact(&self) -> ContactId {
        match self.opened.session.holder {
            Holder::Verified { contact, .. } => contact,
            Holder::Anonymous(_) => panic!("{:?} is a stranger", self.owner()),
        }
    }

    /// What lets a stranger come back.
    pub(crate) fn visitor_secret(&self) -> &Secret {
        self.opened.visitor.as_ref().expect("a stranger has one")
    }

    /// What the session's secret stands for now.
    pub(crate) async fn found(&self) -> Option<Found> {
        self.store.session(&self.opened.secret).await.unwrap()
    }

    pub(crate) async fn is_live(&self) -> bool {
        matches!(self.found().await, Some(Found::Live(_)))
    }

    pub(crate) async fn opens_conversation(&self) -> ConversationId {
        self.store
            .open_conversation(self.opened.session.scope, self.owner())
            .await
            .unwrap()
            .unwrap()
            .id
    }

    /// Opens a conversation and says something in it.
    pub(crate) async fn begins_with(&self, text: &str) -> ConversationId {
        let id = self.opens_conversation().await;
        self.says(id, text).await;
        id
    }

    pub(crate) async fn says(&self, id: ConversationId, text: &str) -> Numbered {
        match self.posts(id, Uuid::new_v4(), text).await {
            Some(Posted::New(appended)) => only(appended),
            other => panic!("not new: {other:?}"),
        }
    }

    pub(crate) async fn posts(
        &self,
        id: ConversationId,
        client_id: Uuid,
        said: &str,
    ) -> Option<Posted> {
        self.store
            .post(self.owner(), id, self.session(), client_id, &text(said))
            .await
            .unwrap()
    }

    pub(crate) async fn conversation(&self, id: ConversationId) -> Option<Conversation> {
        self.store.conversation(self.owner(), id).await.unwrap()
    }

    /// The ids in this person's list.
    pub(crate) async fn list(&self) -> Vec<ConversationId> {
        let page = self.store.conversations(self.owner(), None, 50).await;
        page.unwrap().items.iter().map(|it| it.id).collect()
    }

    pub(crate) async fn position(&self) -> Position {
        self.store.position(self.owner()).await.unwrap().unwrap()
    }

    /// What this person missed since then, if it can be replayed.
    pub(crate) async fn missed(&self, since: &Position) -> Vec<Numbered> {
        match self.store.replay(self.owner(), since).await.unwrap() {
            Replay::Events { events, .. } => events,
            Replay::Resync(_) => panic!("{since} cannot be replayed"),
        }
    }
}

impl TestStore {
    /// The agent answers, and its turn is over.
    pub(crate) async fn answers(&self, id: ConversationId, said: &str) -> Numbered {
        let entries = vec![self.new_entry(answer(said))];
        only(
            self.append(id, None, entries, TurnMark::Ended)
                .await
                .unwrap(),
        )
    }

    pub(crate) fn new_entry(&self, body: Body) -> NewEntry {
        NewEntry {
            id: EntryId::new(&self.clock),
            body,
        }
    }

    pub(crate) async fn entries(&self, id: ConversationId) -> Vec<Entry> {
        self.entries_after(id, 0, 1_000).await.unwrap()
    }
}

pub(crate) fn only(appended: Appended) -> Numbered {
    let [numbered] = <[Numbered; 1]>::try_from(appended.events).expect("one event");
    numbered
}

pub(crate) fn text(raw: &str) -> MessageText {
    MessageText::parse(raw).unwrap()
}

/// What an agent says.
pub(crate) fn answer(text: &str) -> Body {
    Body::Message(Message {
        by: Author::Agent,
        text: text.to_owned(),
        citations: Vec::new(),
        client_id: None,
        session: None,
    })
}

/// Somebody who was that stranger before, and showed no conversation.
pub(crate) fn was(visitor: VisitorId) -> Before {
    Before {
        visitor,
        conversation: None,
    }
}

/// The words of an entry that is a message.
pub(crate) fn words(entry: &Entry) -> &str {
    let Body::Message(message) = &entry.body else {
        panic!("no message: {entry:?}")
    };
    &message.text
}

/// What a token for that subject proves.
pub(crate) fn identity(subject: &str) -> Identity {
    Identity {
        subject: subject.to_owned(),
        email: Some(Email {
            address: format!("{subject}@example.com"),
            verified: true,
        }),
        name: Some(format!("{subject} Example")),
        given_name: None,
        locale: Some("en-GB".to_owned()),
        zoneinfo: None,
        phone_number: None,
        auth_time: Some("2026-05-04T09:00:00Z".parse().unwrap()),
        actor: None,
        attributes: [("plan".to_owned(), "gold".into())].into(),
        is_test: false,
    }
}
