//! What is remembered of contacts, and of nobody else.

use maitred_core::{
    id::{ConversationId, MemoryId},
    memory::{Memory, MemoryKind, MemoryText, NewMemory, NotedBy},
    scope::Owner,
};
use maitred_store::{ToRemember, TurnMark};

use super::support::{TestStore, answer};

fn text(text: &str) -> MemoryText {
    MemoryText::parse(text).unwrap()
}

fn fact(said: &str) -> NewMemory {
    NewMemory {
        kind: MemoryKind::Fact,
        text: text(said),
    }
}

fn topic(said: &str) -> NewMemory {
    NewMemory {
        kind: MemoryKind::Topic,
        text: text(said),
    }
}

impl TestStore {
    /// An answer ends the turn, and half an hour passes.
    async fn goes_quiet(&self, id: ConversationId) {
        let entries = vec![self.new_entry(answer("Good day."))];
        self.append(id, None, entries, TurnMark::Ended)
            .await
            .unwrap();
        self.passes(30);
    }

    async fn due(&self) -> Vec<ToRemember> {
        self.to_remember(10).await.unwrap()
    }
}

fn said(memories: &[Memory]) -> Vec<&str> {
    memories.iter().map(|it| it.text.as_str()).collect()
}

#[tokio::test]
async fn a_quiet_conversation_of_a_contact_is_looked_at_once() {
    let store = TestStore::new().await;
    let site = store.site().await;
    let sarah = site.meets("sarah").await;
    let id = sarah.begins_with("where is my order").await;
    assert_eq!(store.due().await, [], "it goes on");
    store.goes_quiet(id).await;

    let due = store.due().await;
    assert_eq!(due.len(), 1);
    assert_eq!((due[0].conversation, due[0].scope), (id, site.scope));
    assert_eq!(Owner::Contact(due[0].contact), sarah.owner());
    assert_eq!(store.due().await, [], "somebody looks");
    let found = [fact("I live in Cork."), topic("where is my order")];
    assert!(store.remember(&due[0], 2, &found).await.unwrap());

    let memories = store.memories(site.scope, due[0].contact).await.unwrap();
    assert_eq!(said(&memories), ["I live in Cork.", "where is my order"]);
    for memory in &memories {
        assert_eq!(memory.conversation, Some(id));
        assert_eq!(memory.noted_by, NotedBy::Agent);
    }
    store.passes(24 * 60);
    assert_eq!(store.due().await, [], "and that was that");
}

#[tokio::test]
async fn what_goes_on_is_looked_at_again_and_its_topic_takes_the_place_of_the_old_one() {
    let store = TestStore::new().await;
    let site = store.site().await;
    let sarah = site.meets("sarah").await;
    let id = sarah.begins_with("where is my order").await;
    store.goes_quiet(id).await;
    let first = store.due().await[0];
    let found = [fact("I live in Cork."), topic("where is my order")];
    store.remember(&first, 2, &found).await.unwrap();

    sarah.says(id, "and my money").await;
    assert_eq!(store.due().await, []);
    store.goes_quiet(id).await;
    let again = store.due().await[0];
    assert_eq!(again.remembered_to, 2);
    let found = [fact("I live in Cork."), topic("and my money")];
    assert!(store.remember(&again, 4, &found).await.unwrap());

    let memories = store.memories(site.scope, again.contact).await.unwrap();
    assert_eq!(said(&memories), ["I live in Cork.", "and my money"]);
}

#[tokio::test]
async fn whoever_looks_and_dies_is_followed_by_another_and_too_late_is_too_late() {
    let store = TestStore::new().await;
    let site = store.site().await;
    let id = site.meets("sarah").await.begins_with("hello there").await;
    store.goes_quiet(id).await;
    let dead = store.due().await[0];

    store.passes(5);
    let other = store.due().await[0];

    assert!(!store.remember(&dead, 2, &[topic("dead")]).await.unwrap());
    assert!(store.remember(&other, 2, &[topic("alive")]).await.unwrap());
    let memories = store.memories(site.scope, other.contact).await.unwrap();
    assert_eq!(said(&memories), ["alive"]);
}

#[tokio::test]
async fn a_closed_conversation_does_not_wait() {
    let store = TestStore::new().await;
    let sarah = store.site().await.meets("sarah").await;
    let id = sarah.begins_with("hello there").await;
    let entries = vec![store.new_entry(answer("Good day."))];
    store
        .append(id, None, entries, TurnMark::Ended)
        .await
        .unwrap();
    assert_eq!(store.due().await, []);

    let changes = maitred_store::Changes {
        closed: Some(true),
        ..Default::default()
    };
    store
        .change_conversation(sarah.owner(), id, changes)
        .await
        .unwrap();

    assert_eq!(store.due().await.len(), 1);
}

#[tokio::test]
async fn g12_an_anonymous_visitor_is_never_remembered() {
    let store = TestStore::new().await;
    let stranger = store.site().await.meets_a_stranger().await;
    let id = stranger.begins_with("I live in Cork").await;
    store.goes_quiet(id).await;

    assert_eq!(store.due().await, []);
    store.passes(24 * 60);
    assert_eq!(store.due().await, []);
}

#[tokio::test]
async fn g12_a_memory_is_its_contacts_and_its_environments_alone() {
    let store = TestStore::new().await;
    let site = store.site().await;
    let other = store.site().await;
    let (sarah, tom) = (site.meets("sarah").await, site.meets("tom").await);
    let id = sarah.begins_with("hello there").await;
    store.goes_quiet(id).await;
    let due = store.due().await[0];
    store
        .remember(&due, 2, &[fact("I live in Cork.")])
        .await
        .unwrap();
    let memory = store.memories(site.scope, due.contact).await.unwrap()[0].id;

    let Owner::Contact(toms) = tom.owner() else {
        panic!("he signed in");
    };
    assert_eq!(store.memories(site.scope, toms).await.unwrap(), []);
    assert_eq!(store.memories(other.scope, due.contact).await.unwrap(), []);
    let changed = store.change_memory(other.scope, memory, &text("x")).await;
    assert!(!changed.unwrap());
    assert!(!store.forget_memory(other.scope, memory).await.unwrap());
    assert_eq!(
        said(&store.memories(site.scope, due.contact).await.unwrap()),
        ["I live in Cork."]
    );
}

#[tokio::test]
async fn an_operator_puts_a_memory_right_and_what_they_wrote_stays() {
    let store = TestStore::new().await;
    let site = store.site().await;
    let sarah = site.meets("sarah").await;
    let id = sarah.begins_with("hello there").await;
    store.goes_quiet(id).await;
    let due = store.due().await[0];
    store
        .remember(&due, 2, &[fact("I live in Cork.")])
        .await
        .unwrap();
    let memory = store.memories(site.scope, due.contact).await.unwrap()[0].id;

    let moved = text("Lives in Galway since May");
    assert!(
        store
            .change_memory(site.scope, memory, &moved)
            .await
            .unwrap()
    );
    for number in 0..3 {
        sarah.says(id, "more").await;
        store.goes_quiet(id).await;
        let due = store.due().await[0];
        let many: Vec<NewMemory> = (0..20).map(|n| fact(&format!("{number}: {n}"))).collect();
        assert!(
            store
                .remember(&due, due.remembered_to + 2, &many)
                .await
                .unwrap()
        );
    }

    let memories = store.memories(site.scope, due.contact).await.unwrap();
    assert_eq!(memories.len(), 24);
    assert_eq!(memories[0].text, moved);
    assert_eq!(memories[0].noted_by, NotedBy::Operator);
    assert!(store.forget_memory(site.scope, memory).await.unwrap());
    assert!(!store.forget_memory(site.scope, memory).await.unwrap());
    let nobodys = MemoryId::new(&store.clock);
    assert!(!store.forget_memory(site.scope, nobodys).await.unwrap());
}

#[tokio::test]
async fn d7_a_memory_is_told_with_its_person_and_goes_with_them() {
    let store = TestStore::new().await;
    let site = store.site().await;
    let id = site.meets("sarah").await.begins_with("hello there").await;
    store.goes_quiet(id).await;
    let due = store.due().await[0];
    let marked = "I live in Canary Wharf.";
    store.remember(&due, 2, &[fact(marked)]).await.unwrap();
    let subject = "sarah".parse().unwrap();

    let told = store.export_person(site.scope, &subject).await.unwrap();
    assert_eq!(told.unwrap().memory[0].text, marked);
    store.erase_person(site.scope, &subject).await.unwrap();

    assert_eq!(store.memories(site.scope, due.contact).await.unwrap(), []);
    store.passes(60);
    assert_eq!(store.due().await, []);
}
