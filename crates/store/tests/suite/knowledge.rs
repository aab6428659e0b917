//! Sources, pages, passages and vectors.

use std::collections::HashSet;

use jiff::SignedDuration;
use maitred_core::{
    id::{AgentId, SourceId},
    knowledge::{Audience, Every, SourceKind},
};
use maitred_store::{
    Counts, NewPage, NewPassage, NewSource, Outcome, PageChange, SourceChange, Store, Validators,
};

use super::support::TestStore;

const URL: &str = "https://shop.example/help/shipping";

fn sitemap() -> NewSource {
    NewSource {
        kind: SourceKind::Sitemap,
        address: "https://shop.example/sitemap.xml".to_owned(),
        title: "The shop".to_owned(),
        audience: Audience::default(),
        every: Every::Day,
    }
}

fn page(place: &str, body: &str) -> NewPage {
    NewPage::of(place.to_owned(), place.to_owned(), "Shipping", body)
}

fn passage(text: &str, vectors: Option<&[u8]>) -> NewPassage {
    NewPassage {
        heading: "Shipping".to_owned(),
        anchor: Some("when".to_owned()),
        text: text.to_owned(),
        hash: format!("hash of {text}"),
        vectors: vectors.map(<[u8]>::to_vec),
    }
}

async fn agent(store: &TestStore) -> AgentId {
    store.site().await.scope.agent
}

async fn counts(store: &Store, agent: AgentId, source: SourceId) -> Counts {
    store.source(agent, source).await.unwrap().unwrap().counts
}

/// Cuts a page's text into these passages.
async fn cut(store: &Store, source: SourceId, passages: &[NewPassage]) -> String {
    let page = store.uncut_pages(source, 1).await.unwrap().remove(0);
    let done = store
        .put_passages(source, &page.place, &page.hash, 1, passages)
        .await;
    assert!(done.unwrap());
    page.place
}

#[tokio::test]
async fn a_page_put_again_is_replaced_under_its_source() {
    let store = TestStore::new().await;
    let agent = agent(&store).await;
    let id = store.put_source(agent, URL, "Shipping", "3 days").await;
    let id = id.unwrap();

    let again = store.put_source(agent, URL, "Delivery", "2 days").await;

    assert_eq!(again.unwrap(), id);
    let kept = store.source(agent, id).await.unwrap().unwrap();
    assert_eq!((kept.title.as_str(), kept.counts.pages), ("Delivery", 1));
    let pages = store.uncut_pages(id, 9).await.unwrap();
    assert_eq!((pages.len(), pages[0].body.as_str()), (1, "2 days"));
}

#[tokio::test]
async fn sources_are_listed_the_latest_first_and_in_parts() {
    let store = TestStore::new().await;
    let agent = agent(&store).await;
    let mut ids = Vec::new();
    for url in ["https://a/1", "https://a/2", "https://a/3"] {
        store.clock.advance(SignedDuration::from_secs(1));
        ids.push(store.put_source(agent, url, "", "").await.unwrap());
    }

    let first = store.sources(agent, None, 2).await.unwrap();
    let rest = store.sources(agent, Some(ids[1]), 2).await.unwrap();

    let named = |sources: Vec<maitred_store::Source>| -> Vec<SourceId> {
        sources.iter().map(|source| source.id).collect()
    };
    assert_eq!(named(first), [ids[2], ids[1]]);
    assert_eq!(named(rest), [ids[0]]);
}

#[tokio::test]
async fn d1_the_sources_of_another_agent_do_not_exist() {
    let store = TestStore::new().await;
    let (one, other) = (agent(&store).await, agent(&store).await);
    let id = store.put_source(one, URL, "A", "a").await.unwrap();
    cut(&store, id, &[passage("a", Some(b"v"))]).await;

    let change = SourceChange {
        title: Some("mine".to_owned()),
        ..SourceChange::default()
    };
    assert_eq!(store.sources(other, None, 9).await.unwrap(), []);
    assert_eq!(store.source(other, id).await.unwrap(), None);
    assert_eq!(store.page_marks(other).await.unwrap(), []);
    assert!(!store.change_source(other, id, &change).await.unwrap());
    assert!(!store.ask_for_sync(other, id).await.unwrap());
    assert!(!store.remove_source(other, id).await.unwrap());
    assert_eq!(store.page_marks(one).await.unwrap().len(), 1);
}

#[tokio::test]
async fn a_changed_page_keeps_its_passages_until_the_new_ones_are_there() {
    let store = TestStore::new().await;
    let agent = agent(&store).await;
    let id = store.put_source(agent, URL, "Shipping", "3 days").await;
    let id = id.unwrap();
    let place = cut(&store, id, &[passage("3 days", Some(b"v3"))]).await;
    let before = store.page_marks(agent).await.unwrap();

    let new = NewPage::of(place.clone(), URL.to_owned(), "Shipping", "2 days");
    let change = store.put_page(id, &new).await.unwrap();

    assert_eq!(change, PageChange::Changed);
    let kept = store.passages(id, &place).await.unwrap();
    assert_eq!(kept[0].text, "3 days");
    assert_eq!(store.page_marks(agent).await.unwrap(), before);
    let page = store.uncut_pages(id, 1).await.unwrap().remove(0);
    let stale = store.put_passages(id, &place, "of another text", 1, &[]);
    assert!(!stale.await.unwrap());
    let two = [passage("2 days", None)];
    let put = store.put_passages(id, &place, &page.hash, 1, &two).await;
    assert!(put.unwrap());
    assert!(store.page_marks(agent).await.unwrap()[0].revision > before[0].revision);
    assert_eq!(store.put_page(id, &new).await.unwrap(), PageChange::Same);
    assert_eq!(store.uncut_pages(id, 9).await.unwrap(), []);
}

#[tokio::test]
async fn what_is_embedded_later_is_found_from_then_on_and_counted() {
    let store = TestStore::new().await;
    let agent = agent(&store).await;
    let id = store.put_source(agent, URL, "S", "a b").await.unwrap();
    let place = cut(&store, id, &[passage("a", Some(b"va")), passage("b", None)]).await;
    let left = store.unembedded(id, 9).await.unwrap();
    assert_eq!(store.to_index(agent, 9).await.unwrap(), [(id, 1)]);

    let (mut stale, fresh) = (left[0].key.clone(), left[0].key.clone());
    stale.hash = "of another text".to_owned();
    let vectors = [(stale, b"no".to_vec()), (fresh, b"vb".to_vec())];
    store.put_vectors(id, &vectors, &[&place]).await.unwrap();

    let found = store.passages(id, &place).await.unwrap();
    assert_eq!(
        found.iter().map(|it| &it.vectors[..]).collect::<Vec<_>>(),
        [b"va", b"vb"]
    );
    assert_eq!(store.vectors(id, &place).await.unwrap().len(), 2);
    assert_eq!(store.to_index(agent, 9).await.unwrap(), []);
    let expected = Counts {
        pages: 1,
        passages: 2,
        embedded: 2,
    };
    assert_eq!(counts(&store, agent, id).await, expected);
}

#[tokio::test]
async fn a_page_that_is_missing_goes_at_the_second_look() {
    let store = TestStore::new().await;
    let agent = agent(&store).await;
    let id = store.add_source(agent, &sitemap()).await.unwrap();
    for place in ["https://shop.example/a", "https://shop.example/b"] {
        store.put_page(id, &page(place, place)).await.unwrap();
    }
    cut(&store, id, &[passage("a", Some(b"v"))]).await;
    let found = HashSet::from(["https://shop.example/b".to_owned()]);
    let both = HashSet::from_iter(
        found
            .iter()
            .cloned()
            .chain(["https://shop.example/a".into()]),
    );

    let gone = [
        store.keep_pages(id, &found).await.unwrap(),
        // It is back, so its first miss does not count any more.
        store.keep_pages(id, &both).await.unwrap(),
        store.keep_pages(id, &found).await.unwrap(),
    ];
    assert_eq!(gone, [0, 0, 0]);
    assert_eq!(store.validators(id).await.unwrap().len(), 1);
    assert_eq!(store.keep_pages(id, &found).await.unwrap(), 1);

    assert_eq!(store.page_marks(agent).await.unwrap(), []);
    let left = Counts {
        pages: 1,
        ..Counts::default()
    };
    assert_eq!(counts(&store, agent, id).await, left);
    assert_eq!(store.replace_pages(id, &HashSet::new()).await.unwrap(), 1);
}

#[tokio::test]
async fn what_a_server_said_of_a_page_is_kept_with_it() {
    let store = TestStore::new().await;
    let agent = agent(&store).await;
    let id = store.add_source(agent, &sitemap()).await.unwrap();
    let validators = Validators {
        etag: Some("\"1\"".to_owned()),
        last_modified: None,
    };
    let page = NewPage {
        validators: validators.clone(),
        ..page("https://shop.example/a", "a")
    };

    store.put_page(id, &page).await.unwrap();

    let kept = store.validators(id).await.unwrap();
    assert_eq!(kept, [("https://shop.example/a".to_owned(), validators)]);
}

#[tokio::test]
async fn one_at_a_time_works_on_a_source_and_a_claim_ends_by_itself() {
    let store = TestStore::new().await;
    let agent = agent(&store).await;
    let id = store.add_source(agent, &sitemap()).await.unwrap();
    let work = store.work().await.unwrap().unwrap();
    assert_eq!((work.source, work.agent, work.is_due), (id, agent, true));

    assert!(store.claim_source(id, "one").await.unwrap());
    assert!(!store.claim_source(id, "two").await.unwrap());
    assert!(store.claim_source(id, "one").await.unwrap());
    assert_eq!(store.work().await.unwrap(), None);
    assert!(store.source(agent, id).await.unwrap().unwrap().is_claimed);

    store.clock.advance(SignedDuration::from_mins(3));
    assert!(store.claim_source(id, "two").await.unwrap());
}

#[tokio::test]
async fn a_failure_keeps_what_there_was_and_says_why() {
    let store = TestStore::new().await;
    let agent = agent(&store).await;
    let id = store.add_source(agent, &sitemap()).await.unwrap();
    let skipped = vec![("https://shop.example/x".to_owned(), "404".to_owned())];
    let synced = Outcome::Synced {
        skipped: skipped.clone(),
    };
    assert!(store.claim_source(id, "one").await.unwrap());
    store.release_source(id, "one", &synced).await.unwrap();
    let first = store.source(agent, id).await.unwrap().unwrap();
    assert_eq!((&first.skipped, first.is_claimed), (&skipped, false));
    let a_day = SignedDuration::from_hours(24);
    assert_eq!(first.due_at, Some(store.clock.now() + a_day));
    assert_eq!(store.work().await.unwrap(), None);

    store.clock.advance(a_day);
    assert!(store.work().await.unwrap().unwrap().is_due);
    let failed = Outcome::Failed("the server answered 500".to_owned());
    store.release_source(id, "one", &failed).await.unwrap();

    let source = store.source(agent, id).await.unwrap().unwrap();
    let (at, why) = source.failure.unwrap();
    assert_eq!(
        (at, why.as_str()),
        (store.clock.now(), "the server answered 500")
    );
    assert_eq!(source.synced_at, first.synced_at);
    let hour = SignedDuration::from_hours(1);
    assert_eq!(source.due_at, Some(store.clock.now() + hour));
    assert!(store.ask_for_sync(agent, id).await.unwrap());
    assert!(store.work().await.unwrap().unwrap().is_due);
}

#[tokio::test]
async fn what_is_changed_of_a_source_is_changed_and_nothing_else() {
    let store = TestStore::new().await;
    let agent = agent(&store).await;
    let id = store.add_source(agent, &sitemap()).await.unwrap();
    let before = store.knowledge().await.unwrap();
    let audience = Audience {
        readers: "verified".parse().unwrap(),
        environment: None,
    };
    let change = SourceChange {
        audience: Some(audience),
        ..SourceChange::default()
    };

    assert!(store.change_source(agent, id, &change).await.unwrap());

    let source = store.source(agent, id).await.unwrap().unwrap();
    assert_eq!((source.audience, source.every), (audience, Every::Day));
    assert_eq!(source.title, "The shop");
    assert!(store.knowledge().await.unwrap() > before);
    let never = SourceChange {
        every: Some(Every::Never),
        ..SourceChange::default()
    };
    store.change_source(agent, id, &never).await.unwrap();
    let source = store.source(agent, id).await.unwrap().unwrap();
    assert_eq!((source.due_at, source.audience), (None, audience));
}

#[tokio::test]
async fn d7_a_source_that_is_removed_leaves_no_page_passage_or_vector() {
    let store = TestStore::new().await;
    let agent = agent(&store).await;
    let canary = "the canary sings";
    let id = store.put_source(agent, URL, "S", canary).await.unwrap();
    cut(&store, id, &[passage(canary, Some(canary.as_bytes()))]).await;

    assert!(store.remove_source(agent, id).await.unwrap());

    assert_eq!(store.source(agent, id).await.unwrap(), None);
    assert_eq!(store.page_marks(agent).await.unwrap(), []);
    assert_eq!(store.passages(id, "").await.unwrap(), []);
    let gone = store.put_page(id, &page("", "again")).await.unwrap();
    assert_eq!(gone, PageChange::NoSource);
    let lines = store.audit_log(Some(agent), None, 9).await.unwrap();
    assert_eq!(lines.items[0].kind, "source_removed");
}

#[tokio::test]
async fn vectors_are_kept_byte_for_byte_and_the_first_one_stays() {
    let store = TestStore::new().await;
    let every_byte: Vec<u8> = (0..=255).collect();
    let first = [
        ("h1".to_owned(), every_byte.clone()),
        ("h2".to_owned(), vec![]),
    ];
    store.put_embeddings(&first).await.unwrap();

    let again = [
        ("h1".to_owned(), vec![1]),
        ("h3".to_owned(), vec![0; 1_536]),
    ];
    store.put_embeddings(&again).await.unwrap();

    let mut kept = store.embeddings().await.unwrap();
    kept.sort();
    let expected = [
        ("h1".to_owned(), every_byte),
        ("h2".to_owned(), vec![]),
        ("h3".to_owned(), vec![0; 1_536]),
    ];
    assert_eq!(kept, expected);
}

#[tokio::test]
async fn no_vectors_are_kept_without_complaint() {
    let store = TestStore::new().await;

    store.put_embeddings(&[]).await.unwrap();

    assert_eq!(store.embeddings().await.unwrap(), []);
}
