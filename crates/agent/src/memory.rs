//! What is remembered of a contact after a conversation: what they said of
//! themselves, and what it was about.
//!
//! Without a model it is read from the visitor's own sentences, by their form. It
//! takes little rather than something wrong: what is asked, wished for or felt now is
//! no fact of tomorrow's.

use std::sync::LazyLock;

use maitred_core::{
    agent::Remembering,
    conversation::{Author, Body, Entry, Status, Transcript},
    memory::{MemoryKind, MemoryText, NewMemory},
};
use maitred_store::{StoreError, ToRemember};
use regex::Regex;
use unicode_segmentation::UnicodeSegmentation;

use crate::Agent;

/// How many conversations are looked at in one go.
const AT_ONCE: i64 = 20;

/// The most lines of one that are looked at.
const MOST_LINES: i64 = 500;

/// The most facts of one conversation.
const MAX_FACTS: usize = 5;

/// The longest sentence that is taken for a fact, in characters.
const MAX_SENTENCE: usize = 160;

/// How a sentence begins that says something of who says it, in a few languages.
static OF_ONESELF: LazyLock<Regex> = LazyLock::new(|| {
    let forms = [
        r"i (live|work|moved|own|use|drive|have|prefer|speak|study|run|was born)\b",
        r"i['’]ve (got|moved|switched)\b",
        r"i(['’]m| am) (a|an|the|from|vegan|vegetarian|allergic|pregnant|deaf|blind|\d)",
        r"my (\w+ )?(name|address|city|company|team|birthday|size|device|phone|car|laptop|computer|printer|account|plan|dog|cat|son|daughter|wife|husband|partner) (is|are)\b",
        r"we (live|work|moved|own|use|are a|have)\b",
        r"(ich (wohne|arbeite|habe|nutze|benutze|fahre|bin (ein|eine|aus|vegan|allergisch))|mein(e)? \w+ (ist|sind))\b",
        r"(j['’](habite|utilise|ai un|ai une)|je (vis|travaille|suis (un|une|de|allergique))|m(on|a|es) \w+ (est|sont))\b",
        r"(vivo en|trabajo (en|como)|tengo un(a)?|uso (un|una|el|la)|soy (un|una|de)|mi \w+ (es|está))\b",
    ];
    let any = format!(
        "(?i)^(by the way,? |so,? |well,? |hi,? |hello,? |btw,? )*({})",
        forms.join("|")
    );
    Regex::new(&any).expect("tried by the tests")
});

/// Of oneself, but of now.
static OF_NOW: LazyLock<Regex> = LazyLock::new(|| {
    let forms = [
        r"i( have|['’]ve got) ((a|an|one|some|another|the same) )?(question|problem|issue|trouble|idea|complaint|request)",
        r"i(['’]ve| have) (no|to|not|never|been|just|already|tried|asked|waited|ordered|bought)\b",
        r"i use to\b",
        r"ich habe (eine frage|ein problem|keine|nicht|noch|schon|gestern|heute|bestellt)\b",
    ];
    Regex::new(&format!("(?i)\\b({})", forms.join("|"))).expect("tried by the tests")
});

impl Agent {
    /// Looks at conversations that are over, and keeps what is to be remembered of
    /// their contacts. How many it looked at.
    pub async fn remember(&self) -> Result<usize, StoreError> {
        let due = self.0.store.to_remember(AT_ONCE).await?;
        for what in &due {
            self.remember_one(what).await?;
        }
        Ok(due.len())
    }

    async fn remember_one(&self, what: &ToRemember) -> Result<(), StoreError> {
        let store = &self.0.store;
        let since = what.remembered_to;
        let entries = store.entries_after(what.conversation, since, MOST_LINES);
        let transcript = Transcript::new(entries.await?);
        let settings = store.settings(what.scope).await?.unwrap_or_default();
        let found = match settings.remembering {
            Remembering::On => noticed(&transcript),
            Remembering::Off => Vec::new(),
        };
        let up_to = transcript.last_number().max(since);
        store.remember(what, up_to, &found).await?;
        Ok(())
    }
}

/// What to remember of what was said.
fn noticed(transcript: &Transcript) -> Vec<NewMemory> {
    let said = transcript.entries().iter().filter_map(visitors_words);
    let mut found: Vec<NewMemory> = said.flat_map(facts).take(MAX_FACTS).collect();
    found.extend(matter(transcript));
    found
}

fn visitors_words(entry: &Entry) -> Option<&str> {
    if let Body::Message(message) = &entry.body
        && message.by == Author::Visitor
    {
        return Some(&message.text);
    }
    None
}

fn facts(text: &str) -> impl Iterator<Item = NewMemory> {
    let lines = text
        .lines()
        .flat_map(UnicodeSegmentation::unicode_sentences);
    lines.filter_map(|sentence| {
        let sentence = sentence.trim();
        let is_fact = sentence.chars().count() <= MAX_SENTENCE
            && !sentence.contains('?')
            && OF_ONESELF.is_match(sentence)
            && !OF_NOW.is_match(sentence);
        let text = is_fact
            .then(|| MemoryText::parse(sentence).ok())
            .flatten()?;
        Some(NewMemory {
            kind: MemoryKind::Fact,
            text,
        })
    })
}

/// What it was about, in the visitor's words: the last thing they asked for that was
/// more than a greeting.
fn matter(transcript: &Transcript) -> Option<NewMemory> {
    let asked = transcript.entries().iter().rev();
    let text = asked
        .filter_map(visitors_words)
        .find(|text| is_matter(text))
        .and_then(|text| MemoryText::parse(&first_words(text)).ok())?;
    let kind = if came_to_an_end(transcript) {
        MemoryKind::Topic
    } else {
        MemoryKind::Open
    };
    Some(NewMemory { kind, text })
}

fn is_matter(text: &str) -> bool {
    text.unicode_words().count() >= 3
}

fn first_words(text: &str) -> String {
    const MOST: usize = 120;
    let line = text.lines().find(|line| is_matter(line)).unwrap_or(text);
    if line.chars().count() <= MOST {
        return line.to_owned();
    }
    let mut cut: String = line.chars().take(MOST).collect();
    if let Some(space) = cut.rfind(' ') {
        cut.truncate(space);
    }
    cut + " …"
}

/// Whether somebody had the last word, and was not cut off.
fn came_to_an_end(transcript: &Transcript) -> bool {
    let last = transcript.entries().iter().rev();
    let telling = last.map(|entry| &entry.body).find(|body| match body {
        Body::Message(_) => true,
        Body::Status(status) => matches!(
            status,
            Status::GaveUp | Status::Interrupted | Status::Cancelled
        ),
        Body::CallAsked(_) | Body::CallStarted { .. } | Body::CallFinished { .. } => false,
    });
    matches!(telling, Some(Body::Message(message)) if message.by != Author::Visitor)
}

#[cfg(test)]
mod tests;
