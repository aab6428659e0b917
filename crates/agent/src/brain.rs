//! What an agent knows, made ready: its Actions, its knowledge, its ear for what
//! is asked. Built from the store, and built anew when that changes.

use std::{
    collections::{BTreeMap, HashMap},
    sync::Arc,
};

use aws_lc_rs::digest::{SHA256, digest};
use maitred_core::{id::AgentId, scope::Environment, turn::Rules};
use maitred_store::{Store, StoredAction};
use maitred_token::base64url;
use tokio::time::Instant;

use crate::{
    TurnError,
    action::Action,
    engine::{
        embed::{Embedder, Embedding},
        intent::{self, Classifier},
    },
    knowledge::{index::index_a_little, library::Library},
};

/// What one agent knows.
pub(crate) struct Brain {
    pub(crate) library: Arc<Library>,
    /// Loads its model when something is first embedded.
    pub(crate) embedder: Arc<Embedder>,
    trained: Arc<Trained>,
}

/// What an agent can do, and its ear for it.
pub(crate) struct Trained {
    pub(crate) actions: BTreeMap<String, Action>,
    /// What is asked, for the built-in engine.
    pub(crate) classifier: Option<Classifier>,
    /// What it was trained for: for the same, it is the same.
    stored: Vec<StoredAction>,
}

/// Who hears what is asked.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Hearing {
    /// The built-in engine's classifier.
    OurOwn,
    /// A language model.
    TheModels,
}

impl std::ops::Deref for Brain {
    type Target = Trained;

    fn deref(&self) -> &Trained {
        &self.trained
    }
}

/// The brain of one agent while it is put together, and what it was made of.
#[derive(Default)]
pub(crate) struct Growing {
    /// The changes in the store that it has seen.
    seen: Option<(i64, i64)>,
    trained: Option<Arc<Trained>>,
    library: Arc<Library>,
    brain: Option<Arc<Brain>>,
}

impl Growing {
    /// The brain as of now. What is known is read for as long as somebody can wait for
    /// it; the rest is read next time.
    pub(crate) async fn brain(
        &mut self,
        store: &Store,
        embedder: &Arc<Embedder>,
        hearing: Hearing,
        agent: AgentId,
        until: Instant,
    ) -> Result<Arc<Brain>, TurnError> {
        let now = store.changes_and_knowledge().await?;
        if let Some(brain) = &self.brain
            && self.seen == Some(now)
        {
            return Ok(brain.clone());
        }
        let stored = store.actions(agent).await?;
        let trained = match &self.trained {
            Some(trained) if trained.stored == stored => trained.clone(),
            Some(_) | None => {
                let trained = Trained::build(store, embedder.clone(), hearing, stored).await?;
                self.trained.insert(Arc::new(trained)).clone()
            }
        };
        self.library.catch_up(store, agent, until).await?;
        index_a_little(store, embedder, agent, until).await?;
        let is_whole = self.library.catch_up(store, agent, until).await?;
        self.seen = is_whole.then_some((now.0, self.library.number()));
        let brain = Brain {
            library: self.library.clone(),
            embedder: embedder.clone(),
            trained,
        };
        Ok(self.brain.insert(Arc::new(brain)).clone())
    }

    /// Whether all that is known was read.
    pub(crate) fn is_whole(&self) -> bool {
        self.seen.is_some()
    }

    /// Whether this is the first time.
    pub(crate) fn is_new(&self) -> bool {
        self.brain.is_none()
    }
}

impl Trained {
    async fn build(
        store: &Store,
        embedder: Arc<Embedder>,
        hearing: Hearing,
        stored: Vec<StoredAction>,
    ) -> Result<Self, TurnError> {
        let mut actions = BTreeMap::new();
        for stored in &stored {
            match Action::parse(&stored.definition) {
                Ok(action) => _ = actions.insert(stored.name.clone(), action),
                // It was checked when it was imported, by an older release.
                Err(error) => {
                    tracing::error!(action.name = stored.name, %error, "an Action is left out");
                }
            }
        }
        let known = match hearing {
            Hearing::OurOwn => store.embeddings().await?.into_iter().collect(),
            Hearing::TheModels => HashMap::new(),
        };
        let (trained, fresh) = tokio::task::spawn_blocking(move || {
            let mut memory = Memory {
                embedder: &embedder,
                known,
                fresh: Vec::new(),
            };
            let classifier = match hearing {
                Hearing::OurOwn => Some(classifier(&embedder, &mut memory, &actions)),
                Hearing::TheModels => None,
            };
            let fresh = memory.fresh;
            let trained = Self {
                actions,
                classifier,
                stored,
            };
            (trained, fresh)
        })
        .await
        .map_err(|error| TurnError::Engine(error.to_string()))?;
        store.put_embeddings(&fresh).await?;
        Ok(trained)
    }
}

impl Brain {
    /// What is laid down for turns in that environment.
    pub(crate) fn rules(&self, environment: Environment) -> Rules {
        let actions = self
            .actions
            .values()
            .filter(|action| action.is_offered_in(environment))
            .map(|action| (action.name.clone(), action.rule()))
            .collect();
        Rules {
            actions,
            ..Rules::default()
        }
    }
}

/// What the built-in engine hears. A language model hears for itself.
fn classifier(
    embedder: &Arc<Embedder>,
    memory: &mut Memory<'_>,
    actions: &BTreeMap<String, Action>,
) -> Classifier {
    let trained = actions.values().map(|action| intent::Trained {
        name: &action.name,
        examples: &action.examples,
        parameters: &action.parameters,
    });
    Classifier::train(trained, embedder, |text| memory.embedding(text))
}

/// Embeds each text once in its life.
pub(crate) struct Memory<'m> {
    embedder: &'m Embedder,
    known: HashMap<String, Vec<u8>>,
    fresh: Vec<(String, Vec<u8>)>,
}

impl Memory<'_> {
    pub(crate) fn embedding(&mut self, text: &str) -> Embedding {
        let hash = base64url(digest(&SHA256, text.as_bytes()).as_ref());
        if let Some(embedding) = self
            .known
            .get(&hash)
            .and_then(|it| Embedding::from_bytes(it))
        {
            return embedding;
        }
        let embedding = self.embedder.embed(text);
        self.fresh.push((hash.clone(), embedding.to_bytes()));
        self.known.insert(hash, embedding.to_bytes());
        embedding
    }
}
