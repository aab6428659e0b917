use jiff::Timestamp;
use maitred_core::{
    clock::Clock,
    conversation::Message,
    id::{ConversationId, EntryId},
};

use super::*;

fn transcript(lines: &[(Author, &str)]) -> Transcript {
    let clock = Clock::manual(Timestamp::UNIX_EPOCH);
    let conversation = ConversationId::new(&clock);
    let entries = lines.iter().zip(1..).map(|((by, text), number)| Entry {
        id: EntryId::new(&clock),
        conversation,
        number,
        added_at: clock.now(),
        body: Body::Message(Message {
            by: *by,
            text: (*text).to_owned(),
            citations: Vec::new(),
            client_id: None,
            session: None,
        }),
    });
    Transcript::new(entries.collect())
}

fn of_kind(found: &[NewMemory], kind: MemoryKind) -> Vec<&str> {
    let of = found.iter().filter(|it| it.kind == kind);
    of.map(|it| it.text.as_str()).collect()
}

use Author::{Agent, Visitor};

#[test]
fn what_visitors_say_of_themselves_is_remembered() {
    for said in [
        "I live in Cork.",
        "I have two dogs.",
        "I use the Pro plan.",
        "My dog is called Rufus.",
        "I'm allergic to wool.",
        "I am a nurse.",
        "My shoe size is 41.",
        "We have a small farm.",
        "Ich wohne in Bremen.",
        "J'habite à Lyon.",
        "Vivo en Sevilla.",
        "By the way, I work at night.",
    ] {
        let found = noticed(&transcript(&[(Visitor, said)]));

        assert_eq!(of_kind(&found, MemoryKind::Fact), [said], "{said}");
    }
}

#[test]
fn what_is_asked_wished_or_so_only_now_is_not() {
    for said in [
        "Do I have two orders?",
        "I have a question.",
        "I have a problem with my order",
        "I've got an issue.",
        "I've been waiting for ages.",
        "I have not received it.",
        "I have just ordered shoes.",
        "I want my money back.",
        "I need help.",
        "Where is my order?",
        "You are a robot.",
        "Ich habe eine Frage.",
        "I have 4111 1111 1111 1111 as a card.",
    ] {
        let found = noticed(&transcript(&[(Visitor, said)]));

        assert!(of_kind(&found, MemoryKind::Fact).is_empty(), "{said}");
    }
}

#[test]
fn only_what_visitors_say_becomes_a_fact() {
    let talk = transcript(&[
        (Visitor, "I live in Cork. Where is the next shop?"),
        (Agent, "I live in a computer."),
        (Visitor, "I work in Galway."),
    ]);

    let all = noticed(&talk);

    assert_eq!(
        of_kind(&all, MemoryKind::Fact),
        ["I live in Cork.", "I work in Galway."]
    );
}

#[test]
fn a_conversation_was_about_what_was_last_asked_for() {
    let done = transcript(&[
        (Visitor, "Hello"),
        (Agent, "Hi!"),
        (Visitor, "Where is my order?"),
        (Agent, "It is on its way."),
        (Visitor, "thanks"),
        (Agent, "You're welcome!"),
    ]);
    let open = transcript(&[(Visitor, "Where is my order?")]);
    let nothing = transcript(&[(Visitor, "Hello"), (Agent, "Hi!")]);

    let [done, open, nothing] = [done, open, nothing].map(|it| noticed(&it));

    assert_eq!(of_kind(&done, MemoryKind::Topic), ["Where is my order?"]);
    assert_eq!(of_kind(&open, MemoryKind::Open), ["Where is my order?"]);
    assert!(nothing.is_empty());
}

#[test]
fn long_talk_becomes_a_short_memory() {
    let long = "I have a dog. ".repeat(20) + &"and then some more of it ".repeat(30) + "?";
    let talk = transcript(&[(Visitor, &long), (Agent, "I see.")]);

    let found = noticed(&talk);

    assert!(of_kind(&found, MemoryKind::Fact).len() <= MAX_FACTS);
    let [topic] = of_kind(&found, MemoryKind::Topic)[..] else {
        panic!("{found:?}");
    };
    assert!(
        topic.chars().count() <= 122 && topic.ends_with(" …"),
        "{topic}"
    );
}
