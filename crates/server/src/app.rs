//! The shared handles, put together once: the same for `serve` and for tests.

use std::{sync::Arc, time::Duration};

use maitred_agent::{
    Agent, Announce, Codes,
    action::{Assertions, Outbound, Runner},
    engine::Engine,
    model::scripted::ScriptedModel,
};
use maitred_core::{
    event::Event,
    id::{AgentId, ConversationId, NodeId},
    message::MessageText,
    scope::Environment,
    session::Session,
};
use maitred_store::{Notice, Posted, Store, StoreError};
use maitred_token::AssertionKey;
use secrecy::ExposeSecret;
use tokio::sync::Notify;
use uuid::Uuid;

use crate::{
    bus::{self, Positions},
    causes::Causes,
    client::Proxies,
    config::Config,
    hub::Hub,
    jwks::Refreshes,
    knowledge,
    limits::Limits,
    mail::Mailer,
    nodes,
    possession::Freshness,
    sites::Sites,
    tasks::Tasks,
    turns::Turns,
    verifications::Verifications,
};

/// How often a node looks whether something was written beside it: often enough
/// that what must reach every node within a second does (rule K6).
const LOOK_FOR_CHANGES: Duration = Duration::from_millis(500);

/// How often what counts for nothing any more is forgotten.
const TIDY_UP: Duration = Duration::from_secs(600);

/// How often it is looked for conversations that are over.
const REMEMBER: Duration = Duration::from_secs(60);

/// What every request can reach. Cheap to clone.
#[derive(Clone)]
pub struct App(Arc<Handles>);

impl std::ops::Deref for App {
    type Target = Handles;

    fn deref(&self) -> &Handles {
        &self.0
    }
}

/// The handles behind an [`App`].
pub struct Handles {
    pub(crate) config: Config,
    pub(crate) store: Store,
    pub(crate) sites: Sites,
    pub(crate) freshness: Freshness,
    pub(crate) proxies: Proxies,
    pub(crate) limits: Limits,
    pub(crate) verifications: Arc<Verifications>,
    pub(crate) refreshes: Refreshes,
    /// The one door out.
    pub(crate) outbound: Outbound,
    pub(crate) hub: Arc<Hub>,
    pub(crate) turns: Turns,
    pub(crate) agent: Agent,
    pub(crate) assertions: Assertions,
    /// Sends one-time codes, if the operator set a mail server.
    pub(crate) mailer: Option<Mailer>,
    pub(crate) tasks: Tasks,
    /// Lets this node look now for what was written.
    look: Notify,
    /// Lets this node look now at conversations that are over.
    over: Notify,
    /// Has this node look now for knowledge to be fetched or embedded.
    pub(crate) knowledge_work: Notify,
    /// How far events had come when it was last asked.
    pub(crate) positions: Positions,
}

impl App {
    /// Puts everything together, and takes up what the last process left.
    pub async fn new(config: Config, store: Store) -> anyhow::Result<Self> {
        let node = NodeId::new(&store.clock);
        let store = store.joined_by(node).await?;
        let assertions = Assertions::new(
            &config.public_url,
            assertion_key(&store, Environment::Production).await?,
            assertion_key(&store, Environment::Staging).await?,
        );
        let outbound = Outbound::new(config.outbound_allow.clone())?;
        let runner = Runner::new(assertions.clone(), outbound.clone());
        let engine = match &config.script {
            Some(path) => {
                tracing::warn!("a script stands in for the language model");
                Engine::Agent(Arc::new(ScriptedModel::from_file(path)?))
            }
            None => Engine::Builtin,
        };
        let tasks = Tasks::default();
        nodes::keep_alive(store.clone(), &tasks);
        let (hub, listener) = bus::connect(&store, &tasks).await?;
        let mailer = match &config.mail {
            Some(mail) => Some(Mailer::new(
                mail,
                &config.public_url,
                store.clock.clone(),
                tasks.clone(),
            )?),
            None => None,
        };
        let codes = match mailer {
            Some(_) => Codes::Sent,
            None => Codes::Unavailable,
        };
        let agent = Agent::new(store.clone(), engine, runner, codes);
        let verifications = Arc::new(Verifications::new(store.clone()));
        let writer = verifications.clone();
        tasks.spawn_last(async move |ended| writer.write_behind(ended).await);
        let turns = Turns::new(agent.clone(), hub.clone(), tasks.clone());
        let app = Self(Arc::new(Handles {
            proxies: Proxies::new(config.trusted_proxies.clone()),
            limits: Limits::new(config.limits),
            verifications,
            config,
            freshness: Freshness::new(store.clone()),
            store,
            sites: Sites::default(),
            refreshes: Refreshes::default(),
            outbound,
            hub,
            turns,
            agent,
            assertions,
            mailer,
            tasks,
            look: Notify::new(),
            knowledge_work: Notify::new(),
            over: Notify::new(),
            positions: Positions::default(),
        }));
        nodes::take_up(&app).await?;
        nodes::watch(&app);
        if let Some(listener) = listener {
            bus::hear(&app, listener);
        }
        app.follow_changes().await?;
        knowledge::keep(&app);
        app.fold_older_messages();
        app.tidy();
        app.remember();
        Ok(app)
    }

    /// Keeps what a visitor said, announces it, and starts a turn. `None` if the
    /// conversation is not theirs.
    pub(crate) async fn post(
        &self,
        session: &Session,
        conversation: ConversationId,
        client_id: Uuid,
        text: &MessageText,
    ) -> Result<Option<Posted>, StoreError> {
        let owner = session.owner();
        let posted = self
            .store
            .post(owner, conversation, session.id, client_id, text)
            .await?;
        if let Some(Posted::New(appended)) = &posted {
            for event in &appended.events {
                self.hub
                    .announce(owner, Event::Numbered(Box::new(event.clone())));
            }
        }
        if posted.is_some() {
            // A retry, too: the first one may not have come this far.
            self.turns.start(conversation, Some(session.id));
        }
        Ok(posted)
    }

    /// Ends a session and the others of its holder in the same browser (rule S5),
    /// their turns and their streams.
    pub(crate) async fn end_session(&self, session: &Session) -> Result<(), StoreError> {
        for ended in self.store.end_session(session).await? {
            self.turns.interrupt(ended);
        }
        self.hub.announce(session.owner(), Event::SessionsEnded);
        Ok(())
    }

    /// Makes an agent's knowledge ready in the background, if that was not done
    /// yet: who opens a chat is about to ask something.
    pub(crate) fn prepare(&self, agent: AgentId) {
        if self.agent.is_prepared(agent) {
            return;
        }
        let preparing = self.agent.clone();
        let stopping = self.tasks.stopping();
        self.tasks.spawn(async move {
            let prepared = tokio::select! {
                prepared = preparing.prepare(agent) => prepared,
                () = stopping.cancelled() => return,
            };
            if let Err(error) = prepared {
                tracing::error!(agent.id = %agent, error = %Causes(&error), "an agent's knowledge could not be made ready");
            }
        });
    }

    /// Makes what was said before an upgrade be found, too, in the background.
    fn fold_older_messages(&self) {
        let app = self.clone();
        let stopping = self.tasks.stopping();
        self.tasks.spawn(async move {
            let folded = tokio::select! {
                folded = app.store.fold_older_messages() => folded,
                () = stopping.cancelled() => return,
            };
            if let Err(error) = folded {
                tracing::warn!(error = %Causes(&error), "what was said before the upgrade is not found by a search");
            }
        });
    }

    /// Forgets, now and then, what is stored and counts for nothing any more.
    fn tidy(&self) {
        let app = self.clone();
        let stopping = self.tasks.stopping();
        self.tasks.spawn(async move {
            let mut tick = tokio::time::interval(TIDY_UP);
            tick.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
            loop {
                tokio::select! {
                    _ = tick.tick() => (),
                    () = stopping.cancelled() => return,
                }
                if let Err(error) = app.store.forget_codes().await {
                    tracing::warn!(error = %Causes(&error), "one-time codes are not tidied up");
                }
                if let Err(error) = app.store.sweep().await {
                    tracing::warn!(error = %Causes(&error), "used tokens and marks are not tidied up");
                }
            }
        });
    }

    /// Looks now and then at conversations that are over, for what to remember of their
    /// contacts.
    fn remember(&self) {
        let app = self.clone();
        let stopping = self.tasks.stopping();
        self.tasks.spawn(async move {
            let mut tick = tokio::time::interval(REMEMBER);
            tick.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
            loop {
                tokio::select! {
                    _ = tick.tick() => (),
                    () = app.over.notified() => (),
                    () = stopping.cancelled() => return,
                }
                if let Err(error) = app.agent.remember().await {
                    tracing::warn!(error = %Causes(&error), "nothing is remembered of conversations that are over");
                }
            }
        });
    }

    /// A conversation is over: what is to be remembered of it need not wait.
    pub(crate) fn is_over(&self) {
        self.over.notify_one();
    }

    /// Something was written here that is kept warm, or that other nodes must know
    /// of. This one need not wait for its next look.
    pub(crate) fn changed(&self) {
        self.sites.forget();
        self.look.notify_one();
    }

    /// Looks often whether something was written beside this process, by
    /// another node or a command, and follows it.
    async fn follow_changes(&self) -> anyhow::Result<()> {
        let mut seen = Seen {
            changes: self.store.changes().await?,
            notice: self.store.last_notice().await?,
            sessions_have_ended: false,
        };
        let app = self.clone();
        let stopping = self.tasks.stopping();
        self.tasks.spawn(async move {
            let mut tick = tokio::time::interval(LOOK_FOR_CHANGES);
            tick.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
            loop {
                tokio::select! {
                    _ = tick.tick() => (),
                    () = app.look.notified() => (),
                    () = stopping.cancelled() => return,
                }
                if let Err(error) = app.look(&mut seen).await {
                    tracing::warn!(error = %Causes(&error), "cannot look for changes");
                }
            }
        });
        Ok(())
    }

    /// Forgets what is kept warm if something of that changed. Lets streams and
    /// turns look whether their session still lives (rules K6, S5, S6, S8), and
    /// streams whether what they show is still theirs (rules M1, M2).
    async fn look(&self, seen: &mut Seen) -> Result<(), StoreError> {
        let changes = self.store.changes().await?;
        if changes != seen.changes {
            seen.changes = changes;
            self.sites.forget();
        }
        for (number, notice) in self.store.notices_after(seen.notice).await? {
            seen.notice = number;
            match notice {
                Notice::SessionsEnded(owner) => {
                    seen.sessions_have_ended = true;
                    match owner {
                        Some(owner) => self.hub.announce(owner, Event::SessionsEnded),
                        None => self.hub.announce_to_all(&Event::SessionsEnded),
                    }
                }
                Notice::Renumbered(owner) => self.hub.announce(owner, Event::Renumbered),
            }
        }
        if seen.sessions_have_ended {
            self.turns.interrupt_ended(&self.store).await?;
            seen.sessions_have_ended = false;
        }
        Ok(())
    }
}

/// How far a node has read what was written beside it.
struct Seen {
    changes: i64,
    notice: i64,
    /// And turns have not been told yet.
    sessions_have_ended: bool,
}

/// The key that signs our assertions in one environment, made on first start.
async fn assertion_key(store: &Store, environment: Environment) -> anyhow::Result<AssertionKey> {
    if let Some(pkcs8) = store.assertion_keys(environment).await?.first() {
        return Ok(AssertionKey::from_pkcs8(pkcs8.expose_secret())?);
    }
    let (key, pkcs8) = AssertionKey::generate();
    store
        .insert_assertion_key(environment, key.kid(), &pkcs8)
        .await?;
    Ok(key)
}
