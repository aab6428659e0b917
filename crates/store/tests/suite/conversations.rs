//! Conversations and their lists.

use jiff::SignedDuration;
use maitred_core::{
    conversation::{Author, Conversation, LastMessage},
    id::ConversationId,
};
use maitred_store::{Cursor, NotACursor, TurnMark};

use super::support::{TestStore, words};

#[tokio::test]
async fn a_conversation_is_opened_empty_and_is_not_listed_until_something_is_said() {
    let store = TestStore::new().await;
    let site = store.site().await;
    let sarah = site.meets("sarah").await;

    let opened = store.open_conversation(site.scope, sarah.owner()).await;

    let opened = opened.unwrap().unwrap();
    let expected = Conversation {
        id: opened.id,
        title: None,
        opened_at: store.now(),
        updated_at: store.now(),
        closed_at: None,
        from_before_sign_in: false,
        last_message: None,
        read_to: 0,
        unread: 0,
        rating: None,
    };
    assert_eq!(opened, expected);
    assert_eq!(sarah.conversation(opened.id).await, Some(expected));
    assert_eq!(sarah.list().await, []);
    let latest = store.waiting_for(sarah.owner()).await.unwrap().open;
    assert_eq!(latest, None);
}

#[tokio::test]
async fn a_conversation_shows_how_it_began_and_what_was_last_said() {
    let store = TestStore::new().await;
    let sarah = store.site().await.meets("sarah").await;
    let opened_at = store.now();
    let long = format!("{}\nsecond line", "x".repeat(100));
    let id = sarah.begins_with(&long).await;
    store.passes(1);
    sarah.says(id, "and another thing").await;
    store.passes(1);
    store.answers(id, &"ä".repeat(200)).await;

    let shown = sarah.conversation(id).await;

    let expected = Conversation {
        id,
        title: Some("x".repeat(80)),
        opened_at,
        updated_at: opened_at + SignedDuration::from_mins(2),
        closed_at: None,
        from_before_sign_in: false,
        last_message: Some(LastMessage {
            by: Author::Agent,
            text: "ä".repeat(120),
            at: opened_at + SignedDuration::from_mins(2),
        }),
        read_to: 0,
        unread: 1,
        rating: None,
    };
    assert_eq!(shown, Some(expected));
}

#[tokio::test]
async fn a_list_is_read_page_by_page_the_latest_first_and_each_one_once() {
    let store = TestStore::new().await;
    let sarah = store.site().await.meets("sarah").await;
    let mut begun = Vec::new();
    for n in 0..7 {
        begun.push(sarah.begins_with(&format!("question {n}")).await);
        // Two at a time are of the same microsecond.
        store.passes(n % 2);
    }

    let mut read: Vec<ConversationId> = Vec::new();
    let mut cursor = None;
    loop {
        let page = store.conversations(sarah.owner(), cursor, 2).await.unwrap();
        assert!(page.items.len() <= 2);
        read.extend(page.items.iter().map(|it| it.id));
        cursor = page.next;
        if cursor.is_none() {
            break;
        }
    }

    begun.reverse();
    assert_eq!(read, begun);
}

#[tokio::test]
async fn a_full_last_page_promises_no_more() {
    let store = TestStore::new().await;
    let sarah = store.site().await.meets("sarah").await;
    sarah.begins_with("one").await;
    sarah.begins_with("two").await;

    let page = store.conversations(sarah.owner(), None, 2).await.unwrap();

    assert_eq!((page.items.len(), page.next), (2, None));
}

#[tokio::test]
async fn a_cursor_is_what_was_given_out_and_nothing_else() {
    let store = TestStore::new().await;
    let sarah = store.site().await.meets("sarah").await;
    for text in ["one", "two"] {
        sarah.begins_with(text).await;
    }

    let page = store.conversations(sarah.owner(), None, 1).await.unwrap();
    let given = page.next.unwrap();

    assert_eq!(given.to_string().parse(), Ok(given));
    let padded = format!("0{given}");
    for nonsense in [
        "",
        ".",
        "x.y",
        "1",
        "1.cnv_1",
        "'; DROP TABLE entries; --",
        &padded,
    ] {
        assert_eq!(
            nonsense.parse::<Cursor<ConversationId>>(),
            Err(NotACursor),
            "{nonsense}"
        );
    }
}

#[tokio::test]
async fn the_conversation_to_go_on_with_is_the_one_last_spoken_in() {
    let store = TestStore::new().await;
    let sarah = store.site().await.meets("sarah").await;
    let first = sarah.begins_with("one").await;
    store.passes(1);
    sarah.begins_with("two").await;
    store.passes(1);
    sarah.says(first, "one again").await;

    let latest = store.waiting_for(sarah.owner()).await.unwrap().open;

    assert_eq!(latest.map(|it| it.id), Some(first));
    assert_eq!(sarah.list().await[0], first);
}

#[tokio::test]
async fn a_transcript_is_all_that_was_said_in_order() {
    let store = TestStore::new().await;
    let sarah = store.site().await.meets("sarah").await;
    let id = sarah.begins_with("one").await;
    store.answers(id, "two").await;
    sarah.says(id, "three").await;

    let transcript = store.transcript(id).await.unwrap();

    let said: Vec<&str> = transcript.entries().iter().map(words).collect();
    assert_eq!(said, ["one", "two", "three"]);
    assert_eq!(transcript.last_number(), 3);
    assert_eq!(transcript.session(), Some(sarah.session()));
}

#[tokio::test]
async fn a_transcript_reaches_back_to_an_answer_and_not_to_the_beginning_of_time() {
    let store = TestStore::new().await;
    let sarah = store.site().await.meets("sarah").await;
    let id = sarah.begins_with("one").await;
    for number in 0..100 {
        sarah.says(id, &format!("question {number}")).await;
        store.answers(id, &format!("answer {number}")).await;
    }

    let after_an_answer = store.transcript(id).await.unwrap();
    for number in 0..70 {
        sarah.says(id, &format!("and {number}")).await;
    }
    let after_many_questions = store.transcript(id).await.unwrap();

    assert_eq!(after_an_answer.entries().len(), 64);
    assert_eq!(after_an_answer.last_number(), 201);
    assert_eq!(after_many_questions.unanswered().len(), 70);
    assert_eq!(after_many_questions.last_number(), 271);
}

#[tokio::test]
async fn a_conversation_knows_its_scope_and_its_owner() {
    let store = TestStore::new().await;
    let staging = store.site().await.staging().await;
    let stranger = staging.meets_a_stranger().await;
    let id = stranger.opens_conversation().await;

    assert_eq!(store.scope_of(id).await.unwrap(), Some(staging.scope));
    assert_eq!(store.owner_of(id).await.unwrap(), Some(stranger.owner()));
}

#[tokio::test]
async fn a_conversation_that_does_not_exist_has_neither() {
    let store = TestStore::new().await;
    let id = ConversationId::new(&store.clock);

    assert_eq!(store.scope_of(id).await.unwrap(), None);
    assert_eq!(store.owner_of(id).await.unwrap(), None);
    assert!(store.transcript(id).await.unwrap().entries().is_empty());
}

#[tokio::test]
async fn r3_conversations_whose_turn_was_running_are_found_at_the_next_start() {
    let store = TestStore::new().await;
    let sarah = store.site().await.meets("sarah").await;
    let waiting = sarah.begins_with("one").await;
    store.passes(1);
    let answered = sarah.begins_with("two").await;
    store.answers(answered, "done").await;
    let working = sarah.begins_with("three").await;
    let entries = vec![store.new_entry(super::support::answer("let me see"))];
    store
        .append(working, None, entries, TurnMark::Running)
        .await
        .unwrap();

    let found = store.another().await.conversations_with_a_turn().await;

    assert_eq!(found.unwrap(), [waiting, working]);
}

#[tokio::test]
async fn a_turn_ends_only_if_nothing_was_said_meanwhile() {
    let store = TestStore::new().await;
    let sarah = store.site().await.meets("sarah").await;
    let id = sarah.begins_with("one").await;
    sarah.says(id, "two").await;

    store.end_turn(id, 1).await.unwrap();
    assert_eq!(store.conversations_with_a_turn().await.unwrap(), [id]);
    store.end_turn(id, 2).await.unwrap();

    assert_eq!(store.conversations_with_a_turn().await.unwrap(), []);
}
