//! What an agent knows, made ready: its Actions, its knowledge, its ear for what
//! is asked. Built from the store, and built anew when that changes.

use std::{
    collections::{BTreeMap, HashMap},
    sync::Arc,
};

use aws_lc_rs::digest::{SHA256, digest};
use maitred_core::{conversation::Citation, id::AgentId, scope::Environment, turn::Rules};
use maitred_store::{Source, Store, StoreError, StoredAction};
use maitred_token::base64url;

use crate::{
    TurnError,
    action::Action,
    engine::{
        embed::{Embedder, Embedding},
        intent::{Classifier, Trained},
        search::{Index, Indexed},
    },
    knowledge::chunk::chunk_markdown,
};

/// What one agent knows.
pub(crate) struct Brain {
    pub(crate) actions: BTreeMap<String, Action>,
    /// What the built-in engine needs beside; a language model brings its own.
    pub(crate) ear: Option<Ear>,
    basis: Basis,
}

/// What a brain was built from: built from the same, it is the same.
#[derive(PartialEq)]
pub(crate) struct Basis {
    actions: Vec<StoredAction>,
    sources: Vec<Source>,
}

/// Hears what is asked, and finds what answers it.
pub(crate) struct Ear {
    pub(crate) embedder: Arc<Embedder>,
    pub(crate) classifier: Classifier,
    pub(crate) index: Index,
    /// The passages, in the order of the index.
    pub(crate) passages: Vec<Passage>,
}

/// A passage that can be quoted, and where it stands.
pub(crate) struct Passage {
    pub(crate) text: String,
    pub(crate) citation: Citation,
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
    /// Makes ready what was read. For the built-in engine it embeds what was not
    /// embedded before, which can take seconds; the vectors are kept.
    pub(crate) async fn build(
        store: &Store,
        embedder: Option<Arc<Embedder>>,
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
        let Some(embedder) = embedder else {
            return Ok(Self {
                actions,
                ear: None,
                basis,
            });
        };
        let known = store.embeddings().await?.into_iter().collect();
        let (brain, fresh) = tokio::task::spawn_blocking(move || {
            let mut memory = Memory {
                embedder: &embedder,
                known,
                fresh: Vec::new(),
            };
            let ear = Ear::train(embedder.clone(), &mut memory, &actions, &basis.sources);
            let fresh = memory.fresh;
            (
                Self {
                    actions,
                    ear: Some(ear),
                    basis,
                },
                fresh,
            )
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

impl Ear {
    fn train(
        embedder: Arc<Embedder>,
        memory: &mut Memory<'_>,
        actions: &BTreeMap<String, Action>,
        sources: &[Source],
    ) -> Self {
        let mut passages = Vec::new();
        let mut indexed = Vec::new();
        for source in sources {
            for chunk in chunk_markdown(&source.title, &source.body, embedder.tokenizer()) {
                let title = chunk.heading_line();
                let url = match &chunk.anchor {
                    Some(anchor) => format!("{}#{anchor}", source.url),
                    None => source.url.clone(),
                };
                indexed.push(Indexed {
                    id: url.clone(),
                    title_embedding: memory.embedding(&title),
                    text_embedding: memory.embedding(&chunk.text),
                    title: title.clone(),
                    text: chunk.text.clone(),
                });
                passages.push(Passage {
                    text: chunk.text,
                    citation: Citation { title, url },
                });
            }
        }
        let classifier = Classifier::train(
            actions.values().map(|action| Trained {
                name: &action.name,
                examples: &action.examples,
                parameters: &action.parameters,
            }),
            &embedder,
            |text| memory.embedding(text),
        );
        Self {
            index: Index::build(indexed),
            embedder,
            classifier,
            passages,
        }
    }
}

/// Embeds each text once in its life.
struct Memory<'m> {
    embedder: &'m Embedder,
    known: HashMap<String, Vec<u8>>,
    fresh: Vec<(String, Vec<u8>)>,
}

impl Memory<'_> {
    fn embedding(&mut self, text: &str) -> Embedding {
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
