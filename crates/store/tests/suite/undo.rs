//! Undoing what came along at a sign-in (rule M2).

use maitred_core::{
    id::{ConversationId, MergeId},
    secret::Secret,
};
use maitred_store::{By, Notice, Replay, Split, Undone};

use super::support::{Before, Person, Site, TestStore, identity, words};

/// A stranger speaks, signs in as Sarah, and says more.
async fn moved<'s>(site: Site<'s>) -> (Person<'s>, Person<'s>, ConversationId) {
    let stranger = site.meets_a_stranger().await;
    let id = stranger.begins_with("a private thing").await;
    site.store.answers(id, "an answer to it").await;
    let sarah = site
        .signs_in(identity("sarah"), Some(stranger.visitor()))
        .await;
    sarah.says(id, "something of mine").await;
    (stranger, sarah, id)
}

/// The one merge there is.
async fn merge(site: Site<'_>) -> MergeId {
    let merges = site.store.merges(site.scope, None, 10).await.unwrap();
    let [merge] = merges.as_slice() else {
        panic!("{merges:?}")
    };
    merge.id
}

async fn undone(site: Site<'_>, merge: MergeId) -> Option<Undone> {
    site.store.undo_merge(site.scope, merge).await.unwrap()
}

#[tokio::test]
async fn m2_an_operator_undoes_a_merge_by_splitting_where_it_was_made() {
    let store = TestStore::new().await;
    let site = store.site().await;
    let (_, sarah, id) = moved(site).await;
    let before = store.entries(id).await;
    let last = store.last_notice().await.unwrap();

    let merge = merge(site).await;
    let Some(Undone::Split(split)) = undone(site, merge).await else {
        panic!("not undone")
    };

    assert_eq!(split.conversation, id);
    assert_eq!(split.contact, sarah.contact());
    let (apart, left) = (store.entries(split.apart).await, store.entries(id).await);
    assert_eq!(words(&apart[0]), "a private thing");
    let order: Vec<_> = apart
        .iter()
        .chain(&left)
        .map(|it| (it.id, it.number))
        .collect();
    let whole: Vec<_> = before.iter().map(|it| (it.id, it.number)).collect();
    assert_eq!(order, whole, "order, numbers and ids survive (M4)");
    assert_eq!(store.owner_of(split.apart).await.unwrap(), None);
    assert_eq!(sarah.conversation(split.apart).await, None);
    let conversation = sarah.conversation(id).await.unwrap();
    assert!(!conversation.from_before_sign_in);
    assert_eq!(store.audited().await.last().unwrap(), "conversation_split");
    let told = store.notices_after(last).await.unwrap();
    assert_eq!(told, [(last + 1, Notice::Renumbered(sarah.owner()))]);
}

#[tokio::test]
async fn m2_the_secret_of_the_visitor_is_not_revived() {
    let store = TestStore::new().await;
    let site = store.site().await;
    let (stranger, ..) = moved(site).await;

    let merge = merge(site).await;
    undone(site, merge).await;

    let secret: &Secret = stranger.visitor_secret();
    let known = store.visitor(site.scope, &site.returning(secret)).await;
    assert_eq!(known.unwrap(), None);
    assert!(!stranger.is_live().await);
    assert_ne!(site.meets_again(secret).await.visitor(), stranger.visitor());
}

#[tokio::test]
async fn m2_a_merge_can_be_undone_for_thirty_days() {
    for (minutes, can_be) in [(30 * 24 * 60 - 1, true), (30 * 24 * 60, false)] {
        let store = TestStore::new().await;
        let site = store.site().await;
        let (_, sarah, id) = moved(site).await;
        let merge = merge(site).await;
        store.passes(minutes);

        let done = undone(site, merge).await;

        assert_eq!(matches!(done, Some(Undone::Split(_))), can_be, "{done:?}");
        assert_eq!(done == Some(Undone::TooLate), !can_be);
        let whole = sarah.conversation(id).await.unwrap();
        assert_eq!(whole.from_before_sign_in, !can_be);
    }
}

#[tokio::test]
async fn m2_what_was_undone_is_undone_once_whoever_asked_for_it() {
    let store = TestStore::new().await;
    let site = store.site().await;
    let (_, sarah, id) = moved(site).await;
    let merge = merge(site).await;
    store.passes(1);
    assert!(store.split(site.scope, sarah.contact(), id).await.unwrap());

    assert_eq!(undone(site, merge).await, Some(Undone::Already));
    let merges = store.merges(site.scope, Some(sarah.contact()), 10).await;
    let told = merges.unwrap()[0].undone;
    assert_eq!(told, Some((store.now(), By::Visitor)));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn m2_a_visitor_and_operators_at_once_split_it_once() {
    let store = TestStore::new().await;
    let site = store.site().await;
    let (_, sarah, id) = moved(site).await;
    let (scope, contact, merge) = (site.scope, sarah.contact(), merge(site).await);

    let mut tasks = tokio::task::JoinSet::new();
    for n in 0..6 {
        let store = (*store).clone();
        tasks.spawn(async move {
            if n % 2 == 0 {
                store.split(scope, contact, id).await.unwrap()
            } else {
                let done = store.undo_merge(scope, merge).await.unwrap();
                matches!(done, Some(Undone::Split(Split { .. })))
            }
        });
    }
    let split = tasks.join_all().await.into_iter().filter(|it| *it);

    assert_eq!(split.count(), 1);
    let ownerless = "SELECT id FROM conversations WHERE owner IS NULL";
    assert_eq!(store.column(ownerless).await.len(), 1);
}

#[tokio::test]
async fn m2_the_contacts_streams_must_read_everything_again() {
    let store = TestStore::new().await;
    let site = store.site().await;
    let (_, sarah, _) = moved(site).await;
    let seen = sarah.position().await;

    let merge = merge(site).await;
    undone(site, merge).await;

    let replay = store.replay(sarah.owner(), &seen).await.unwrap();
    assert!(matches!(replay, Replay::Resync(_)));
}

#[tokio::test]
async fn d1_a_merge_of_another_agent_or_environment_does_not_exist() {
    let store = TestStore::new().await;
    let (site, elsewhere) = (store.site().await, store.site().await);
    moved(site).await;
    let merge = merge(site).await;

    for scope in [elsewhere.scope, site.staging().await.scope] {
        assert_eq!(store.undo_merge(scope, merge).await.unwrap(), None);
        assert!(store.merges(scope, None, 10).await.unwrap().is_empty());
    }
    let unknown = MergeId::new(&store.clock);
    assert_eq!(undone(site, unknown).await, None);
}

#[tokio::test]
async fn m1_the_conversation_that_was_open_comes_along_and_no_other() {
    let store = TestStore::new().await;
    let site = store.site().await;
    let stranger = site.meets_a_stranger().await;
    let open = stranger.begins_with("open in this frame").await;
    store.passes(1);
    let later = stranger.begins_with("open in another tab").await;

    let sarah = comes_with(site, &stranger, open).await;

    assert_eq!(sarah.list().await, [open]);
    assert_eq!(stranger.list().await, [later]);
}

#[tokio::test]
async fn m1_a_conversation_that_may_not_come_along_takes_no_other_with_it() {
    let store = TestStore::new().await;
    let site = store.site().await;
    let bystander = site.meets_a_stranger().await;
    let theirs = bystander.begins_with("theirs").await;
    let strangers = [
        site.meets_a_stranger().await,
        site.meets_a_stranger().await,
        site.meets_a_stranger().await,
    ];
    let old = strangers[0].begins_with("half an hour ago").await;
    store.passes(30);
    let shown = [old, theirs, ConversationId::new(&store.clock)];

    for (stranger, shown) in strangers.iter().zip(shown) {
        let recent = stranger.begins_with("just now").await;

        let person = comes_as(site, &stranger.visitor().to_string(), stranger, shown).await;

        assert_eq!(person.list().await, []);
        assert!(stranger.list().await.contains(&recent));
    }
    assert_eq!(bystander.list().await, [theirs]);
    assert!(store.merges(site.scope, None, 10).await.unwrap().is_empty());
}

async fn comes_with<'s>(site: Site<'s>, who: &Person<'_>, shown: ConversationId) -> Person<'s> {
    comes_as(site, "sarah", who, shown).await
}

/// Signs in with that conversation open.
async fn comes_as<'s>(
    site: Site<'s>,
    subject: &str,
    who: &Person<'_>,
    shown: ConversationId,
) -> Person<'s> {
    let before = Before {
        visitor: who.visitor(),
        conversation: Some(shown),
    };
    site.rises(identity(subject), Some(before)).await
}
