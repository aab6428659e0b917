//! What an agent knows, made ready: its Actions, its knowledge, its ear for what
//! is asked. Built from the store, and built anew when that changes.

use std::{
    collections::{BTreeMap, HashMap},
    sync::Arc,
};

use aws_lc_rs::digest::{SHA256, digest};
use maitred_core::{id::AgentId, scope::Environment, turn::Rules};
use maitred_store::{Source, Store, StoreError, StoredAction};
use maitred_token::base64url;

use crate::{
    TurnError,
    action::Action,
    engine::{
        embed::{Embedder, Embedding},
        intent::{Classifier, Trained},
    },
    knowledge::library::Library,
};

/// What one agent knows.
pub(crate) struct Brain {
    pub(crate) actions: BTreeMap<String, Action>,
    pub(crate) library: Library,
    /// What is asked, for the built-in engine.
    pub(crate) classifier: Option<Classifier>,
    /// Loads its model when something is first embedded.
    pub(crate) embedder: Arc<Embedder>,
    basis: Basis,
}

/// What a brain was built from: built from the same, it is the same.
#[derive(PartialEq)]
pub(crate) struct Basis {
    actions: Vec<StoredAction>,
    sources: Vec<Source>,
}

/// Who hears what is asked.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Hearing {
    /// The built-in engine's classifier.
    OurOwn,
    /// A language model.
    TheModels,
}

impl Basis {
    /// Reads what one agent is to know.
    pub(crate) async fn read(store: &Store, agent: AgentId) -> Result<Self, StoreError> {
        let actions = store.actions(agent).await?;
        let sources = store.sources(agent).await?;
        Ok(Self { actions, sources })
    }
}

impl Brain {
    /// Makes ready what was read. What was not embedded before is embedded, which
    /// can take seconds; the vectors are kept.
    pub(crate) async fn build(
        store: &Store,
        embedder: Arc<Embedder>,
        hearing: Hearing,
        basis: Basis,
    ) -> Result<Self, TurnError> {
        let mut actions = BTreeMap::new();
        for stored in &basis.actions {
            match Action::parse(&stored.definition) {
                Ok(action) => _ = actions.insert(stored.name.clone(), action),
                // It was checked when it was imported, by an older release.
                Err(error) => {
                    tracing::error!(action.name = stored.name, %error, "an Action is left out");
                }
            }
        }
        let known = store.embeddings().await?.into_iter().collect();
        let (brain, fresh) = tokio::task::spawn_blocking(move || {
            let mut memory = Memory {
                embedder: &embedder,
                known,
                fresh: Vec::new(),
            };
            let library = Library::build(&embedder, &mut memory, &basis.sources);
            let classifier = match hearing {
                Hearing::OurOwn => Some(classifier(&embedder, &mut memory, &actions)),
                Hearing::TheModels => None,
            };
            let fresh = memory.fresh;
            let brain = Self {
                actions,
                library,
                classifier,
                embedder,
                basis,
            };
            (brain, fresh)
        })
        .await
        .map_err(|error| TurnError::Engine(error.to_string()))?;
        store.put_embeddings(&fresh).await?;
        Ok(brain)
    }

    /// Whether building it from this would make it any different.
    pub(crate) fn is_built_from(&self, basis: &Basis) -> bool {
        self.basis == *basis
    }

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
    let trained = actions.values().map(|action| Trained {
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
