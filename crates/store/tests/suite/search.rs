//! Words in one's own conversations, found whatever their case and accents.

use maitred_core::{
    id::ConversationId,
    message::Title,
    search::{Wanted, fold},
};
use maitred_store::{Changes, Match};

use super::support::{Person, TestStore, identity};

impl Person<'_> {
    async fn finds(&self, wanted: &str) -> Vec<Match> {
        let wanted = Wanted::parse(wanted).unwrap();
        let page = self.store.search(self.owner(), &wanted, None, 50).await;
        page.unwrap().items
    }

    /// The conversations, each with the number of the message.
    async fn places(&self, wanted: &str) -> Vec<(ConversationId, Option<i64>)> {
        let found = self.finds(wanted).await.into_iter();
        found
            .map(|it| (it.conversation.id, it.message.map(|(number, _)| number)))
            .collect()
    }
}

#[tokio::test]
async fn what_was_said_is_found_whatever_its_case_and_accents() {
    let store = TestStore::new().await;
    let sarah = store.site().await.meets("sarah").await;
    let one = sarah.begins_with("Où est ma Commande?").await;
    store.answers(one, "In der GROSSEN Straße.").await;
    store.passes(1);
    let other = sarah.begins_with("Something else").await;
    store.answers(other, "About a commande, too").await;

    let commande = [(other, Some(2)), (one, Some(1))];
    assert_eq!(sarah.places("COMMANDÉ").await, commande);
    assert_eq!(sarah.places("ou  est").await, [(one, Some(1))]);
    assert_eq!(sarah.places("strasse").await, [(one, Some(2))]);
    assert_eq!(sarah.places("nothing").await, []);

    let found = sarah.finds("GROẞEN").await;
    let expected = Match {
        conversation: sarah.conversation(one).await.unwrap(),
        message: Some((2, "In der GROSSEN Straße.".to_owned())),
    };
    assert_eq!(found, [expected]);
}

#[tokio::test]
async fn what_means_something_in_a_pattern_is_looked_for_as_it_is() {
    let store = TestStore::new().await;
    let sarah = store.site().await.meets("sarah").await;
    let id = sarah
        .begins_with(r"100% of a_b in C:\temp, it's \% ok")
        .await;
    let all = [(id, Some(1))];

    for there in ["100%", "a_b", r"c:\temp", "it's", r"\%"] {
        assert_eq!(sarah.places(there).await, all, "{there}");
    }
    for not_there in ["1%0", "a%b", "axb", r"\\", "__", "%%"] {
        assert_eq!(sarah.places(not_there).await, [], "{not_there}");
    }
}

#[tokio::test]
async fn a_title_that_was_given_is_found_without_a_message() {
    let store = TestStore::new().await;
    let sarah = store.site().await.meets("sarah").await;
    let id = sarah.begins_with("hello").await;
    let changes = |title: Option<&str>| Changes {
        title: Some(title.map(|title| Title::parse(title).unwrap())),
        closed: None,
    };
    let change = store.change_conversation(sarah.owner(), id, changes(Some("Das Päckchen")));
    change.await.unwrap();

    assert_eq!(sarah.places("packchen").await, [(id, None)]);
    let change = store.change_conversation(sarah.owner(), id, changes(None));
    change.await.unwrap();
    assert_eq!(sarah.places("packchen").await, []);
    assert_eq!(sarah.places("hello").await, [(id, Some(1))]);
}

#[tokio::test]
async fn d1_what_is_found_is_ones_own() {
    let store = TestStore::new().await;
    let site = store.site().await;
    let (sarah, tom) = (site.meets("sarah").await, site.meets("tom").await);
    let stranger = site.meets_a_stranger().await;
    let hers = sarah.begins_with("the blue parcel").await;
    let theirs = stranger.begins_with("the blue parcel, too").await;

    assert_eq!(sarah.places("parcel").await, [(hers, Some(1))]);
    assert_eq!(tom.places("parcel").await, []);
    assert_eq!(stranger.places("parcel").await, [(theirs, Some(1))]);

    store.passes(1);
    let sarah = site
        .signs_in(identity("sarah"), Some(stranger.visitor()))
        .await;
    let both = [(theirs, Some(1)), (hers, Some(1))];
    assert_eq!(sarah.places("parcel").await, both);
    let contact = sarah.contact();
    store.split(site.scope, contact, theirs).await.unwrap();
    assert_eq!(sarah.places("parcel").await, [(hers, Some(1))]);
}

#[tokio::test]
async fn matches_are_read_page_by_page_and_each_one_once() {
    let store = TestStore::new().await;
    let sarah = store.site().await.meets("sarah").await;
    for n in 0..5 {
        sarah.begins_with(&format!("parcel {n}")).await;
        sarah.begins_with("something else").await;
        // Two at a time are of the same microsecond.
        store.passes(n % 2);
    }
    let wanted = Wanted::parse("parcel").unwrap();

    let mut found = Vec::new();
    let mut next = None;
    loop {
        let page = store.search(sarah.owner(), &wanted, next, 2).await.unwrap();
        found.extend(page.items.iter().map(|it| it.conversation.id));
        next = page.next;
        if next.is_none() {
            break;
        }
    }

    let all = sarah.places("parcel").await.into_iter();
    assert_eq!(found.len(), 5);
    assert_eq!(found, all.map(|(id, _)| id).collect::<Vec<_>>());
}

#[tokio::test]
async fn what_was_said_before_it_was_folded_is_found_once_it_is() {
    let store = TestStore::new().await;
    let sarah = store.site().await.meets("sarah").await;
    let one = sarah.begins_with("Où est-il?").await;
    sarah.begins_with("là").await;
    store.answers(one, "Là-bas").await;
    let folded = "SELECT author || search FROM entries ORDER BY id";
    let before = store.column(folded).await;
    store
        .tamper("UPDATE entries SET search = NULL, author = NULL")
        .await;
    assert_eq!(sarah.places("la").await, []);

    store.fold_older_messages().await.unwrap();

    assert_eq!(sarah.places("la").await.len(), 2);
    assert_eq!(store.column(folded).await, before);
    assert!(before.contains(&format!("visitor{}", fold("Où est-il?"))));
}
