//! Reading a source again: what changed of it, and nothing else.
//!
//! What always holds:
//!
//! - Every request leaves through [`Outbound`], to the site that the operator named,
//!   and only where its `robots.txt` lets us (rule G8).
//! - What cannot be read now stays as it was. What its site says is gone goes when it
//!   is gone the second time.

use std::collections::{HashMap, HashSet};

use maitred_core::knowledge::SourceKind;
use maitred_store::{NewPage, Outcome, PageChange, Source, Store, StoreError, Validators};
use url::Url;

use super::{
    import::{self, Document, ImportError, Kind, clean_title},
    robots::{MAX_ROBOTS, Robots},
    sitemap::{MAX_SITEMAP, read_sitemap},
};
use crate::action::{Answer, Known, Outbound, ROBOT, ReadError, Served};

/// The most of a page that is read.
const MAX_PAGE: usize = 5 * 1024 * 1024;
/// The most pages of a sitemap.
pub const MAX_PAGES: usize = 5_000;
/// The most sitemaps that one may list.
const MAX_SITEMAPS: usize = 100;
/// Of so many pages it is told why they were not read.
const MAX_SKIPPED: usize = 50;

/// How far reading has come.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Progress {
    /// Pages that were asked for.
    pub read: usize,
    /// Of how many.
    pub of: usize,
    /// Those that are new, or say something else.
    pub changed: usize,
}

/// Why nothing of a source was read. Its reader is the operator.
#[derive(Debug, thiserror::Error)]
enum SyncError {
    #[error(transparent)]
    Read(#[from] ReadError),
    #[error(transparent)]
    Import(#[from] ImportError),
    #[error(transparent)]
    Sitemap(#[from] super::sitemap::SitemapError),
    #[error("`{0}` is not the address of a page")]
    NoAddress(String),
    #[error("the `robots.txt` of the site does not let it be read")]
    Disallowed,
    #[error("the `robots.txt` of the site cannot be read: {0}")]
    NoRobots(ReadError),
    #[error("it asks not to be indexed")]
    NoIndex,
    #[error("somebody else works on it now")]
    Taken,
    #[error(transparent)]
    Store(#[from] StoreError),
}

/// Reads what a source says now, and keeps it; whoever does it has claimed it by that
/// name. `tell` hears how far it has come.
pub async fn sync(
    store: &Store,
    outbound: &Outbound,
    source: &Source,
    claim: &str,
    mut tell: impl FnMut(Progress) + Send,
) -> Result<Outcome, StoreError> {
    let mut crawl = Crawl {
        store,
        outbound,
        source,
        claim,
        robots: None,
        known: HashMap::new(),
        found: HashSet::new(),
        skipped: Vec::new(),
        progress: Progress::default(),
    };
    let done = match source.kind {
        SourceKind::Page => crawl.page().await,
        SourceKind::Sitemap => crawl.sitemap(&mut tell).await,
        SourceKind::File | SourceKind::Questions => return Ok(Outcome::Indexed),
    };
    tell(crawl.progress);
    match done {
        Ok(()) => Ok(Outcome::Synced {
            skipped: crawl.skipped,
        }),
        Err(SyncError::Store(error)) => Err(error),
        Err(error) => Ok(Outcome::Failed(error.to_string())),
    }
}

/// One reading of one source.
struct Crawl<'s> {
    store: &'s Store,
    outbound: &'s Outbound,
    source: &'s Source,
    claim: &'s str,
    robots: Option<Robots>,
    /// What servers said of pages at the last reading.
    known: HashMap<String, Known>,
    found: HashSet<String>,
    skipped: Vec<(String, String)>,
    progress: Progress,
}

impl Crawl<'_> {
    async fn begin(&mut self) -> Result<Url, SyncError> {
        let no_address = || SyncError::NoAddress(self.source.address.clone());
        let url = Url::parse(&self.source.address).map_err(|_| no_address())?;
        let known = self.store.validators(self.source.id).await?;
        self.known = known
            .into_iter()
            .map(
                |(
                    place,
                    Validators {
                        etag,
                        last_modified,
                    },
                )| {
                    (
                        place,
                        Known {
                            etag,
                            last_modified,
                        },
                    )
                },
            )
            .collect();
        self.robots = Some(self.robots_of(&url).await?);
        Ok(url)
    }

    /// Who has no rules lets everything be read; whose cannot be read, nothing.
    async fn robots_of(&self, url: &Url) -> Result<Robots, SyncError> {
        let mut robots = url.clone();
        robots.set_path("/robots.txt");
        robots.set_query(None);
        robots.set_fragment(None);
        match self
            .outbound
            .read(&robots, &Known::default(), MAX_ROBOTS)
            .await
        {
            Ok(Answer::Served(served)) => {
                let text = String::from_utf8_lossy(&served.body);
                Ok(Robots::parse(&text, ROBOT))
            }
            Ok(Answer::NotModified) => Ok(Robots::default()),
            Err(ReadError::Status(400..=499)) => Ok(Robots::default()),
            Err(ReadError::NotAllowed(error)) => Err(ReadError::NotAllowed(error).into()),
            Err(error) => Err(SyncError::NoRobots(error)),
        }
    }

    async fn page(&mut self) -> Result<(), SyncError> {
        let url = self.begin().await?;
        self.progress.of = 1;
        self.read(&url).await?;
        self.progress.read = 1;
        self.store.keep_pages(self.source.id, &self.found).await?;
        Ok(())
    }

    async fn sitemap(&mut self, tell: &mut (impl FnMut(Progress) + Send)) -> Result<(), SyncError> {
        let url = self.begin().await?;
        let pages = self.listed(&url).await?;
        self.progress.of = pages.len();
        for page in pages {
            if !self.store.claim_source(self.source.id, self.claim).await? {
                return Err(SyncError::Taken);
            }
            match self.read(&page).await {
                Ok(()) => (),
                Err(error @ SyncError::Store(_)) => return Err(error),
                Err(error) => {
                    if is_passing(&error) {
                        // It may be there again next time; until then it stays as it was.
                        self.found.insert(page.to_string());
                    }
                    self.skip(&page, &error);
                }
            }
            self.progress.read += 1;
            tell(self.progress);
        }
        self.store.keep_pages(self.source.id, &self.found).await?;
        Ok(())
    }

    /// The pages that a sitemap lists, itself or through others, on its own site.
    async fn listed(&mut self, url: &Url) -> Result<Vec<Url>, SyncError> {
        let mut listed = read_sitemap(&self.fetched(url, MAX_SITEMAP).await?.body)?;
        let sitemaps = std::mem::take(&mut listed.sitemaps);
        for sitemap in sitemaps.iter().take(MAX_SITEMAPS) {
            if sitemap.origin() != url.origin() {
                self.skip(sitemap, "it is of another site");
                continue;
            }
            // One that is missing does not hide its pages from the next reading: they
            // would be gone.
            let served = self.fetched(sitemap, MAX_SITEMAP).await?;
            listed.pages.extend(read_sitemap(&served.body)?.pages);
        }
        let (mut pages, mut seen) = (Vec::new(), HashSet::new());
        for mut page in listed.pages {
            page.set_fragment(None);
            if page.origin() != url.origin() {
                self.skip(&page, "it is of another site");
            } else if pages.len() == MAX_PAGES {
                let why = format!("only {MAX_PAGES} pages of a sitemap are read");
                self.skip(&page, why);
                break;
            } else if seen.insert(page.to_string()) {
                pages.push(page);
            }
        }
        Ok(pages)
    }

    async fn fetched(&self, url: &Url, at_most: usize) -> Result<Box<Served>, SyncError> {
        match self.outbound.read(url, &Known::default(), at_most).await? {
            Answer::Served(served) => Ok(served),
            Answer::NotModified => Err(ReadError::Status(304).into()),
        }
    }

    /// Reads one page and keeps what it says.
    async fn read(&mut self, url: &Url) -> Result<(), SyncError> {
        if !self.robots.as_ref().is_none_or(|robots| robots.allows(url)) {
            return Err(SyncError::Disallowed);
        }
        let place = url.to_string();
        let known = self.known.get(&place).cloned().unwrap_or_default();
        let served = match self.outbound.read(url, &known, MAX_PAGE).await? {
            Answer::Served(served) => served,
            Answer::NotModified => {
                self.found.insert(place);
                return Ok(());
            }
        };
        let (address, known) = (served.url.clone(), served.known.clone());
        let document = tokio::task::spawn_blocking(move || document(&served))
            .await
            .map_err(|error| ImportError::Broken(error.to_string()))??;
        let title = document.title.unwrap_or_else(|| named_after(&address));
        let page = NewPage {
            place: place.clone(),
            url: address.to_string(),
            title,
            body: document.markdown,
            validators: Validators {
                etag: known.etag,
                last_modified: known.last_modified,
            },
        };
        let change = self.store.put_page(self.source.id, &page).await?;
        self.progress.changed += usize::from(change != PageChange::Same);
        self.found.insert(place);
        Ok(())
    }

    fn skip(&mut self, page: &Url, why: impl ToString) {
        if self.skipped.len() < MAX_SKIPPED {
            self.skipped.push((page.to_string(), why.to_string()));
        }
    }
}

/// Whether a page that was not read may well be there.
fn is_passing(error: &SyncError) -> bool {
    matches!(error, SyncError::Read(error) if !error.is_gone())
}

fn document(served: &Served) -> Result<Document, SyncError> {
    let media_type = served.media_type.as_deref().unwrap_or_default();
    if ["image/", "audio/", "video/", "font/"]
        .iter()
        .any(|it| media_type.starts_with(it))
    {
        return Err(ImportError::OtherKind("a picture, sound or film").into());
    }
    let mut kind = import::kind_of(&served.body)?;
    if kind == Kind::Text && matches!(media_type, "text/html" | "application/xhtml+xml") {
        kind = Kind::Html;
    }
    let charset = served.charset.as_deref();
    if kind == Kind::Html {
        let page = import::read_html(&import::decoded(&served.body, charset));
        if page.is_noindex {
            return Err(SyncError::NoIndex);
        }
        if page.document.markdown.is_empty() {
            return Err(ImportError::Empty.into());
        }
        return Ok(page.document);
    }
    if matches!(kind, Kind::Pdf | Kind::Docx) {
        return Err(ImportError::OtherKind("a file: add it as one").into());
    }
    Ok(import::read_text(&served.body, kind, charset)?)
}

/// What a page without a title is called.
fn named_after(url: &Url) -> String {
    let last = url
        .path_segments()
        .and_then(|it| it.rev().find(|it| !it.is_empty()));
    clean_title(last.or(url.host_str()).unwrap_or_default())
}
