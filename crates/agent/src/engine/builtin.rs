//! The built-in engine: no network, no key, the same answer every time.
//!
//! ```text
//! a call has ended ─────────────────────────────► word its result
//! what was said ──► what is wanted? ── an Action ─► may it? ─► call, or "sign in"
//!                                   ├─ small talk ─► a fixed sentence
//!                                   └─ anything else ─► knowledge, in three bands
//! ```
//!
//! It does not reason across articles, does no arithmetic, and runs one Action in
//! a turn. What it does not know, it says.

use maitred_core::{
    action::{Arguments, Call, Failure, Outcome, Refused},
    assurance::Lack,
    conversation::{Author, Body, Citation, Entry, Transcript},
    id::CallId,
};
use serde_json::Value;

use super::{
    Piece, Question,
    embed::Embedding,
    intent::{Intent, Label},
    search::{Band, extract},
    slots, wording,
};
use crate::{action::Action, brain::Brain};

/// From which probability on an Action that only reads is run.
const RUN: f32 = 0.6;

/// What is said next.
///
/// While an Action ran, the visitor may have said more: then its result is worded
/// and the rest is answered, in one reply.
pub(crate) fn reply(brain: &Brain, question: &Question) -> Vec<Piece> {
    let results = unworded(&question.transcript);
    let Some((last, _)) = results.last() else {
        return answer(brain, question, &said_after(&question.transcript, None));
    };
    let worded: Vec<String> = results
        .iter()
        .map(|(call, outcome)| word_result(brain, question, call, outcome))
        .collect();
    let worded = worded.join("\n\n");
    let more = said_after(&question.transcript, Some(last.id));
    if more.is_empty() {
        return said(worded, Vec::new());
    }
    let mut deltas = pieces(&format!("{worded}\n\n"));
    deltas.extend(answer(brain, question, &more));
    deltas
}

/// Answers what was said.
fn answer(brain: &Brain, question: &Question, text: &str) -> Vec<Piece> {
    let embedding = brain.embedder.embed(text);
    let Some(classifier) = &brain.classifier else {
        return look_up(brain, question, text, &embedding);
    };
    let ranked = classifier.classify(text, &embedding);
    match ranked.best {
        Label::Action(name) if ranked.p >= RUN => {
            if let Some(action) = brain.actions.get(&name) {
                return act(action, question, text);
            }
        }
        Label::Intent(intent) if ranked.p >= RUN => {
            return match small_talk(intent, question) {
                Some(sentence) => said(sentence, Vec::new()),
                None => point_to_a_person(brain, question, text, &embedding),
            };
        }
        Label::Action(_) | Label::Intent(_) | Label::None => (),
    }
    look_up(brain, question, text, &embedding)
}

/// The entries since the agent last said something, or a turn was closed.
fn since_last_answer(transcript: &Transcript) -> &[Entry] {
    let entries = transcript.entries();
    let start = entries
        .iter()
        .rposition(|entry| match &entry.body {
            Body::Message(message) => message.by == Author::Agent,
            Body::Status(status) => status.closes_a_turn(),
            Body::CallAsked(_) | Body::CallStarted { .. } | Body::CallFinished { .. } => false,
        })
        .map_or(0, |position| position + 1);
    &entries[start..]
}

/// The calls that have ended and of which nothing was said yet.
fn unworded(transcript: &Transcript) -> Vec<(&Call, &Outcome)> {
    since_last_answer(transcript)
        .iter()
        .filter_map(|entry| {
            if let Body::CallFinished { call, outcome, .. } = &entry.body {
                return Some((transcript.call(*call)?, outcome));
            }
            None
        })
        .collect()
}

/// What the visitor said since the last answer, and since that call was asked for.
fn said_after(transcript: &Transcript, call: Option<CallId>) -> String {
    let entries = since_last_answer(transcript);
    let asks = |entry: &Entry| matches!(&entry.body, Body::CallAsked(it) if Some(it.id) == call);
    let start = entries.iter().position(asks).unwrap_or(0);
    let texts: Vec<&str> = entries[start..]
        .iter()
        .filter_map(|entry| match &entry.body {
            Body::Message(message) if message.by == Author::Visitor => Some(message.text.as_str()),
            Body::Message(_)
            | Body::CallAsked(_)
            | Body::CallStarted { .. }
            | Body::CallFinished { .. }
            | Body::Status(_) => None,
        })
        .collect();
    texts.join("\n")
}

fn act(action: &Action, question: &Question, text: &str) -> Vec<Piece> {
    if !action.is_offered_in(question.environment) {
        return said("I can't look that up here.".to_owned(), Vec::new());
    }
    if let Some(lack) = question.standing.lacks(action.requires) {
        return said(wording::ask_for_proof(lack, question), Vec::new());
    }
    vec![
        Piece::Call {
            action: action.name.clone(),
            arguments: arguments(action, text),
        },
        Piece::Done,
    ]
}

/// What the text says of an Action's parameters.
fn arguments(action: &Action, text: &str) -> Arguments {
    let properties = action.parameters["properties"].as_object();
    properties
        .into_iter()
        .flatten()
        .filter_map(|(name, property)| {
            let found = slots::find(property, text)?;
            let value = match property["type"].as_str() {
                Some("integer") => Value::from(found.parse::<i64>().ok()?),
                Some("number") => Value::from(found.parse::<f64>().ok()?),
                Some("boolean") => Value::from(found == "true"),
                Some(_) | None => Value::from(found),
            };
            Some((name.clone(), value))
        })
        .collect()
}

fn word_result(brain: &Brain, question: &Question, call: &Call, outcome: &Outcome) -> String {
    let action = brain.actions.get(&call.action);
    match outcome {
        Outcome::Succeeded(result) => action
            .and_then(|action| action.template.as_deref())
            .and_then(|template| wording::word(template, result, &call.arguments))
            .unwrap_or_else(|| "That is done.".to_owned()),
        Outcome::Failed(Failure::NotFound) => action
            .and_then(|action| action.not_found.clone())
            .unwrap_or_else(|| "I found nothing of that kind on your account.".to_owned()),
        Outcome::Failed(Failure::Unavailable) => {
            "I can't reach the system for that right now. Please try again in a few minutes."
                .to_owned()
        }
        Outcome::Failed(Failure::InvalidArguments | Failure::Rejected | Failure::NotSetUp) => {
            "I can't look that up at the moment. The team has been told why.".to_owned()
        }
        Outcome::Refused(Refused::AssuranceTooLow) => {
            let lack = action.and_then(|action| question.standing.lacks(action.requires));
            wording::ask_for_proof(lack.unwrap_or(Lack::SignIn), question)
        }
        Outcome::Refused(Refused::ActorMayNot) => {
            "That changes something, and whoever acts for somebody else may only look.".to_owned()
        }
        Outcome::Refused(Refused::NoSuchAction) => "I can't do that here.".to_owned(),
        Outcome::Refused(Refused::TurnClosed) => {
            "I did not look that up; please ask again if you still want me to.".to_owned()
        }
        Outcome::Unknown => {
            "I was interrupted while I looked that up, and I don't know how it ended. \
             I did not try a second time; please ask again if you want me to."
                .to_owned()
        }
    }
}

/// A fixed sentence for what needs no knowledge. `None` for what does.
fn small_talk(intent: Intent, question: &Question) -> Option<String> {
    // A claim is data: whatever it holds, it stays a name.
    let name = question
        .name
        .as_ref()
        .map_or(String::new(), |name| format!(" {}", wording::escape(name)));
    match intent {
        Intent::Greeting => Some(format!("Hi{name}! What can I do for you?")),
        Intent::Thanks => Some("You're welcome! Is there anything else?".to_owned()),
        Intent::Goodbye => Some(format!("Goodbye{name}, and thanks for stopping by.")),
        Intent::Yes => Some("Good. What can I do for you next?".to_owned()),
        Intent::No => Some("All right. I'm here if you need anything.".to_owned()),
        Intent::Abuse => {
            Some("I'd like to help. Tell me what went wrong, in your own time.".to_owned())
        }
        Intent::Person => None,
    }
}

/// How to reach a person is knowledge of the site's, if anybody's.
fn point_to_a_person(
    brain: &Brain,
    question: &Question,
    text: &str,
    embedding: &Embedding,
) -> Vec<Piece> {
    const NOBODY: &str = "I can't bring a person into this chat.";
    let known = brain.library.seen_by(question.reader());
    let found = known.search(text, embedding, 1).into_iter().next();
    match found.filter(|found| found.band != Band::Unknown) {
        Some(found) => {
            let quote = extract(embedding, &found.passage.text, &brain.embedder);
            let text = format!("{NOBODY} Here is how to reach the team:\n\n{quote}");
            said(text, vec![found.passage.citation.clone()])
        }
        None => said(NOBODY.to_owned(), Vec::new()),
    }
}

/// Answers from knowledge: in full, with a pointer, or not at all.
fn look_up(brain: &Brain, question: &Question, text: &str, embedding: &Embedding) -> Vec<Piece> {
    let known = brain.library.seen_by(question.reader());
    let Some(found) = known.search(text, embedding, 1).into_iter().next() else {
        return said(unknown(), Vec::new());
    };
    let citation = found.passage.citation.clone();
    match found.band {
        Band::Answer => {
            let quote = extract(embedding, &found.passage.text, &brain.embedder);
            said(quote, vec![citation])
        }
        Band::Maybe => said(
            format!(
                "I'm not sure I have the answer, but this may help: {}.",
                citation.title
            ),
            vec![citation],
        ),
        Band::Unknown => said(unknown(), Vec::new()),
    }
}

fn unknown() -> String {
    "I don't know the answer to that, and I'd rather say so than guess. Could you put it in other words?"
        .to_owned()
}

/// A whole reply as the deltas it is streamed in.
fn said(text: String, citations: Vec<Citation>) -> Vec<Piece> {
    let mut deltas = pieces(&text);
    deltas.extend(citations.into_iter().map(Piece::Cite));
    deltas.push(Piece::Done);
    deltas
}

/// A few words at a time.
fn pieces(text: &str) -> Vec<Piece> {
    text.split_inclusive(' ')
        .collect::<Vec<_>>()
        .chunks(4)
        .map(|words| Piece::Text(words.concat()))
        .collect()
}

#[cfg(test)]
mod tests {
    use jiff::Timestamp;
    use maitred_core::{
        assurance::Standing,
        clock::Clock,
        conversation::Message,
        id::{ConversationId, EntryId},
        scope::Environment,
    };

    use super::*;
    use crate::Codes;

    fn transcript(bodies: Vec<Body>) -> Transcript {
        let clock = Clock::manual(Timestamp::UNIX_EPOCH);
        let conversation = ConversationId::new(&clock);
        let entries = bodies.into_iter().zip(1..).map(|(body, number)| Entry {
            id: EntryId::new(&clock),
            conversation,
            number,
            added_at: clock.now(),
            body,
        });
        Transcript::new(entries.collect())
    }

    fn visitor(text: &str) -> Body {
        Body::Message(Message {
            by: Author::Visitor,
            text: text.to_owned(),
            citations: Vec::new(),
            client_id: None,
            session: None,
        })
    }

    fn call() -> Call {
        let id = CallId::new(&Clock::manual(Timestamp::UNIX_EPOCH));
        Call {
            id,
            action: "order_status".to_owned(),
            arguments: Arguments::new(),
        }
    }

    fn finished() -> Body {
        let Call { id, action, .. } = call();
        let outcome = Outcome::Succeeded(Value::Null);
        Body::CallFinished {
            call: id,
            action,
            label: String::new(),
            outcome,
        }
    }

    #[test]
    fn what_is_said_while_an_action_runs_is_answered_too() {
        let transcript = transcript(vec![
            visitor("where is my order"),
            Body::CallAsked(call()),
            visitor("how long does delivery take?"),
            finished(),
        ]);

        assert_eq!(unworded(&transcript).len(), 1);
        assert_eq!(
            said_after(&transcript, Some(call().id)),
            "how long does delivery take?"
        );
    }

    #[test]
    fn a_result_is_not_worded_twice() {
        let mut answer = visitor("It is on its way.");
        if let Body::Message(message) = &mut answer {
            message.by = Author::Agent;
        }
        let transcript = transcript(vec![
            visitor("where is my order"),
            Body::CallAsked(call()),
            finished(),
            answer,
            visitor("thanks"),
        ]);

        assert!(unworded(&transcript).is_empty());
        assert_eq!(said_after(&transcript, None), "thanks");
    }

    #[test]
    fn t11_a_name_stays_a_name_in_what_the_agent_says() {
        let question = Question {
            transcript: Transcript::default(),
            environment: Environment::Production,
            standing: Standing::ANONYMOUS,
            codes: Codes::Unavailable,
            claims: Vec::new(),
            name: Some("[x](https://evil.example)".to_owned()),
            sign_in_url: None,
        };

        assert_eq!(
            small_talk(Intent::Greeting, &question).unwrap(),
            "Hi \\[x\\](https://evil.example)! What can I do for you?"
        );
    }
}
