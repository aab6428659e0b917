//! What an agent answers from.

mod live;

use axum::{
    Json,
    body::Bytes,
    extract::{FromRequest, Request, State},
    http::{StatusCode, header},
    response::{IntoResponse, Response},
};
use maitred_agent::knowledge::import::{clean_title, read_pairs};
use maitred_core::{
    id::SourceId,
    knowledge::{Audience, Every, Readers, SourceKind},
    scope::Environment,
};
use maitred_store::SourceChange;
use serde::Deserialize;

use self::live::Live;
use super::{
    Named, OfAgent, Part,
    wire::{NewSource, SourceChangeBody, SourceView, TriedView, TryQuestion},
};
use crate::{
    app::App,
    http::{
        error::ApiError,
        visitor::{Body, Query},
        wire::List,
    },
    knowledge::{self, Adding, Content},
    settings::BadSetting,
};

/// The longest question that is tried.
const MAX_QUESTION: usize = 8_000;
/// The most that is found for it.
const MAX_FOUND: usize = 20;

/// Which part of the list, or all of it as it changes.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(in crate::http) struct Which {
    live: Option<String>,
    limit: Option<i64>,
    cursor: Option<String>,
}

/// `GET /api/agents/{agent}/knowledge`: the latest first, or with `?live` as a stream
/// of what changes.
pub(in crate::http) async fn list(
    State(app): State<App>,
    of: OfAgent,
    Query(which): Query<Which>,
) -> Result<Response, ApiError> {
    if which.live.is_some_and(|live| live != "false") {
        return Ok(Live::open(app, of).into_response());
    }
    let part = Part {
        limit: which.limit,
        cursor: which.cursor,
    };
    let limit = part.limit()?;
    let store = &of.operator.store;
    let mut sources = store
        .sources(of.agent.id, part.cursor()?, limit + 1)
        .await?;
    let most = usize::try_from(limit).unwrap_or(usize::MAX);
    let more = sources.len() > most;
    sources.truncate(most);
    let last = sources.last().filter(|_| more);
    let list = List {
        next: last.map(|source| source.id.to_string()),
        items: sources
            .into_iter()
            .map(|source| SourceView::new(source, store.clock.now()))
            .collect(),
    };
    Ok(Json(list).into_response())
}

/// What is said of a file beside its bytes.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(in crate::http) struct OfFile {
    kind: Option<String>,
    name: Option<String>,
    url: Option<String>,
    title: Option<String>,
    requires: Option<String>,
    environment: Option<Environment>,
}

/// `POST /api/agents/{agent}/knowledge`: JSON says what is to be fetched, or holds
/// questions; any other body is a file.
pub(in crate::http) async fn add(
    State(app): State<App>,
    of: OfAgent,
    Query(about): Query<OfFile>,
    request: Request,
) -> Result<impl IntoResponse, ApiError> {
    let media_type = request.headers().get(header::CONTENT_TYPE);
    let media_type = media_type
        .and_then(|it| it.to_str().ok())
        .unwrap_or_default();
    let adding = if media_type.starts_with("application/json") {
        let Body(new) = Body::<NewSource>::from_request(request, &app).await?;
        typed(new)?
    } else {
        let bytes = Bytes::from_request(request, &app).await;
        let bytes = bytes.map_err(|error| {
            if error.status() == StatusCode::PAYLOAD_TOO_LARGE {
                ApiError::Knowledge(maitred_agent::knowledge::import::ImportError::TooLarge.into())
            } else {
                ApiError::BadRequest(error.body_text())
            }
        })?;
        uploaded(about, bytes.into())?
    };
    let (store, agent) = (of.operator.store, of.agent.id);
    let added = async move {
        let id = knowledge::add(&store, agent, adding).await?;
        let source = store.source(agent, id).await?;
        let source = source.ok_or(ApiError::NotFound("source"))?;
        Ok::<_, ApiError>(SourceView::new(source, store.clock.now()))
    };
    // Whoever hangs up leaves no half of it.
    let added = app.tasks.see_through(added).await;
    app.knowledge_work.notify_one();
    let view = added.ok_or(ApiError::Panicked)??;
    Ok((StatusCode::CREATED, Json(view)))
}

fn typed(new: NewSource) -> Result<Adding, ApiError> {
    let kind: SourceKind = parsed("kind", &new.kind)?;
    let content = match (kind, new.pairs, new.text) {
        (SourceKind::Page | SourceKind::Sitemap, None, None) => Content::Fetched,
        (SourceKind::Questions, Some(pairs), None) => Content::Pairs(pairs),
        (SourceKind::File, None, Some(text)) => {
            let name = new.title.clone().or(new.url.clone()).unwrap_or_default();
            Content::File(name, text.into_bytes())
        }
        (kind, ..) => {
            let needs = match kind {
                SourceKind::Page | SourceKind::Sitemap => "`url`, and neither `pairs` nor `text`",
                SourceKind::Questions => "`pairs`: an array of `question` and `answer`",
                SourceKind::File => "`text`, or a body that is the file",
            };
            let why = format!("`{kind}` needs {needs}");
            return Err(BadSetting::new("kind", why).into());
        }
    };
    Ok(Adding {
        kind,
        url: new.url,
        title: new.title,
        audience: Audience {
            readers: optional("requires", new.requires.as_deref())?,
            environment: new.environment,
        },
        every: optional("every", new.every.as_deref())?,
        content,
    })
}

fn uploaded(about: OfFile, bytes: Vec<u8>) -> Result<Adding, ApiError> {
    let kind = match about.kind.as_deref() {
        None => SourceKind::File,
        Some(kind) => parsed("kind", kind)?,
    };
    let name = clean_title(
        about
            .name
            .as_deref()
            .or(about.title.as_deref())
            .unwrap_or("file"),
    );
    let content = match kind {
        SourceKind::File => Content::File(name, bytes),
        SourceKind::Questions => {
            let pairs = read_pairs(&String::from_utf8_lossy(&bytes));
            Content::Pairs(pairs.map_err(knowledge::KnowledgeError::from)?)
        }
        SourceKind::Page | SourceKind::Sitemap => {
            let why = "what is fetched is added by JSON, with `content-type: application/json`";
            return Err(BadSetting::new("kind", why).into());
        }
    };
    Ok(Adding {
        kind,
        url: about.url,
        title: about.title,
        audience: Audience {
            readers: optional("requires", about.requires.as_deref())?,
            environment: about.environment,
        },
        every: Every::Never,
        content,
    })
}

fn parsed<T: std::str::FromStr<Err: std::fmt::Display>>(
    field: &'static str,
    text: &str,
) -> Result<T, BadSetting> {
    text.parse().map_err(|error| BadSetting::new(field, error))
}

fn optional<T: std::str::FromStr<Err: std::fmt::Display> + Default>(
    field: &'static str,
    text: Option<&str>,
) -> Result<T, BadSetting> {
    text.map_or(Ok(T::default()), |text| parsed(field, text))
}

/// `GET /api/agents/{agent}/knowledge/{source}`
pub(in crate::http) async fn show(
    of: OfAgent,
    Named(id): Named<SourceId>,
) -> Result<Json<SourceView>, ApiError> {
    let store = &of.operator.store;
    let source = store.source(of.agent.id, id).await?;
    let source = source.ok_or(ApiError::NotFound("source"))?;
    Ok(Json(SourceView::new(source, store.clock.now())))
}

/// `PATCH /api/agents/{agent}/knowledge/{source}`
pub(in crate::http) async fn change(
    of: OfAgent,
    Named(id): Named<SourceId>,
    Body(body): Body<SourceChangeBody>,
) -> Result<Json<SourceView>, ApiError> {
    let store = &of.operator.store;
    let source = store.source(of.agent.id, id).await?;
    let source = source.ok_or(ApiError::NotFound("source"))?;
    let title = body.title.as_deref().map(clean_title);
    if title.as_deref() == Some("") {
        return Err(BadSetting::new("title", "it is empty").into());
    }
    let readers = body.requires.as_deref().map(|it| parsed("requires", it));
    let every = body.every.as_deref().map(|it| parsed("every", it));
    let every = every.transpose()?;
    if every.is_some_and(|every| every != Every::Never) && !source.kind.is_fetched() {
        let why = "a file and questions are not fetched; add them again to replace them";
        return Err(BadSetting::new("every", why).into());
    }
    let mut audience = source.audience;
    if let Some(readers) = readers.transpose()? {
        audience.readers = readers;
    }
    if let Some(environment) = body.environment {
        audience.environment = environment;
    }
    let change = SourceChange {
        title,
        audience: (audience != source.audience).then_some(audience),
        every,
    };
    store.change_source(of.agent.id, id, &change).await?;
    show(of, Named(id)).await
}

/// `DELETE /api/agents/{agent}/knowledge/{source}`
pub(in crate::http) async fn remove(
    of: OfAgent,
    Named(id): Named<SourceId>,
) -> Result<StatusCode, ApiError> {
    if of.operator.store.remove_source(of.agent.id, id).await? {
        Ok(StatusCode::NO_CONTENT)
    } else {
        Err(ApiError::NotFound("source"))
    }
}

/// `POST /api/agents/{agent}/knowledge/{source}/sync`
pub(in crate::http) async fn sync(
    State(app): State<App>,
    of: OfAgent,
    Named(id): Named<SourceId>,
) -> Result<impl IntoResponse, ApiError> {
    let source = of.operator.store.source(of.agent.id, id).await?;
    let source = source.ok_or(ApiError::NotFound("source"))?;
    if !source.kind.is_fetched() {
        let why = "a file and questions are not fetched; add them again to replace them";
        return Err(BadSetting::new("kind", why).into());
    }
    of.operator.store.ask_for_sync(of.agent.id, id).await?;
    app.knowledge_work.notify_one();
    Ok((StatusCode::ACCEPTED, show(of, Named(id)).await?))
}

/// `POST /api/agents/{agent}/knowledge/try`: what would be found for a question.
pub(in crate::http) async fn try_out(
    State(app): State<App>,
    of: OfAgent,
    Body(body): Body<TryQuestion>,
) -> Result<Json<TriedView>, ApiError> {
    let question = body.question.trim();
    if question.is_empty() || question.chars().count() > MAX_QUESTION {
        let why = format!("it has 1 to {MAX_QUESTION} characters");
        return Err(BadSetting::new("question", why).into());
    }
    let limit = body.limit.unwrap_or(5);
    if !(1..=MAX_FOUND).contains(&limit) {
        let why = format!("it is 1 to {MAX_FOUND}");
        return Err(BadSetting::new("limit", why).into());
    }
    let rung: Readers = optional("assurance", body.assurance.as_deref())?;
    let tried = app
        .agent
        .try_knowledge(
            of.agent.id,
            question.to_owned(),
            rung,
            body.environment,
            limit,
        )
        .await
        .map_err(|error| ApiError::Internal(error.into()))?;
    Ok(Json(TriedView::new(tried, rung, body.environment)))
}
