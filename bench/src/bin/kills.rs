//! `scripts/bench kills`: kills maitred at random moments while visitors talk to
//! it, and looks whether it kept its word (rules R1, R2, R3).
//!
//! Visitors do what the widget does: say something under an id of their own, and
//! say it again under the same id until it is accepted. In the end each accepted
//! message stands there once, word for word, and each has an answer or an end that
//! can be seen.

use std::cell::Cell;
use std::rc::Rc;
use std::time::Duration;

use maitred_bench::server::{Installation, ORIGIN};
use maitred_bench::visitor::{Entry, Posted, Visitor, uuid};
use maitred_bench::{Failure, random, try_out};
use serde_json::{Value, json};

/// How many talk at once.
const VISITORS: usize = 8;

/// The most that every other visitor waits before the next word, so that turns come
/// to their end; the others talk as fast as they can.
const PAUSE: Duration = Duration::from_millis(60);

/// How much is said in one conversation before the next is begun.
const MESSAGES: usize = 200;

/// The most that it may run before it is killed.
const LONGEST_LIFE: Duration = Duration::from_millis(600);

fn main() -> Result<(), Failure> {
    try_out(run)
}

async fn run(installation: Installation, kills: usize) -> Result<Value, Failure> {
    let agent = installation.agent()?;
    let (mut running, _) = installation.start().await?;
    let stopping = Rc::new(Cell::new(false));
    let mut talking = Vec::new();
    for number in 0..VISITORS {
        let visitor = Visitor::open(&installation.address, &agent, ORIGIN, None).await?;
        let pause = if number % 2 == 0 {
            Duration::ZERO
        } else {
            PAUSE
        };
        talking.push(tokio::task::spawn_local(talk(
            visitor,
            pause,
            stopping.clone(),
        )));
    }
    let mut starts = Vec::with_capacity(kills);
    for kill in 1..=kills {
        tokio::time::sleep(random(LONGEST_LIFE)).await;
        running.kill()?;
        let took;
        (running, took) = installation.start().await?;
        starts.push(took);
        if kill % 50 == 0 {
            eprint!("{kill} ");
        }
    }
    eprintln!();
    stopping.set(true);
    let mut found = Found::default();
    for talking in talking {
        let (mut visitor, talks) = talking.await??;
        visitor.reconnect().await?;
        for talk in talks {
            let entries = visitor.answered(&talk.conversation).await?;
            found.compare(&talk, &entries)?;
        }
    }
    drop(running);
    starts.sort_unstable();
    let start = |share: usize| starts[(starts.len() - 1) * share / 100].as_millis();
    if found.lost + found.doubled > 0 {
        return Err(format!("messages were lost or doubled: {found:?}").into());
    }
    let Found {
        accepted,
        lost,
        doubled,
        answered,
        resumed,
        interrupted,
    } = found;
    Ok(json!({
        "kills": kills, "accepted": accepted, "lost": lost, "doubled": doubled,
        "answered": answered, "resumed": resumed, "interrupted": interrupted,
        "start_ms": { "p50": start(50), "p99": start(99), "most": start(100) },
    }))
}

/// One conversation, and what was accepted in it.
struct Talk {
    conversation: String,
    /// Ids and words.
    accepted: Vec<(String, String)>,
}

/// Says one thing after another, each until it is accepted.
async fn talk(
    mut visitor: Visitor,
    pause: Duration,
    stopping: Rc<Cell<bool>>,
) -> Result<(Visitor, Vec<Talk>), Failure> {
    let mut talks = Vec::new();
    while !stopping.get() {
        // Nobody is told that a conversation was begun if the answer was cut off: then
        // another one is.
        let Ok(conversation) = visitor.converse().await else {
            come_back(&mut visitor).await;
            continue;
        };
        let mut accepted = Vec::new();
        'talk: for number in 1..=MESSAGES {
            let (id, words) = (uuid(), format!("Question {number}"));
            // It may have been kept: only the same id says the same thing.
            while !matches!(
                visitor.say(&conversation, &id, &words).await,
                Ok(Posted::Accepted)
            ) {
                if stopping.get() {
                    break 'talk;
                }
                come_back(&mut visitor).await;
            }
            accepted.push((id, words));
            tokio::time::sleep(random(pause)).await;
        }
        talks.push(Talk {
            conversation,
            accepted,
        });
    }
    Ok((visitor, talks))
}

async fn come_back(visitor: &mut Visitor) {
    tokio::time::sleep(Duration::from_millis(5)).await;
    _ = visitor.reconnect().await;
}

/// What has become of everything that was said.
#[derive(Debug, Default)]
struct Found {
    accepted: usize,
    lost: usize,
    doubled: usize,
    answered: usize,
    resumed: usize,
    interrupted: usize,
}

impl Found {
    fn compare(&mut self, talk: &Talk, entries: &[Entry]) -> Result<(), Failure> {
        let numbers: Vec<i64> = entries.iter().map(|entry| entry.number).collect();
        if !numbers.iter().copied().eq(1..=entries.len() as i64) {
            return Err(format!("entries are not numbered without holes: {numbers:?}").into());
        }
        self.accepted += talk.accepted.len();
        for (id, words) in &talk.accepted {
            let said = entries
                .iter()
                .filter(|it| it.client_id.as_ref() == Some(id));
            let texts: Vec<_> = said.map(|it| it.text.as_ref()).collect();
            match texts[..] {
                [text] if text == Some(words) => (),
                [] | [_] => self.lost += 1,
                _ => self.doubled += 1,
            }
        }
        let has = |status| {
            entries
                .iter()
                .filter(|it| it.status.as_deref() == Some(status))
                .count()
        };
        self.answered += entries
            .iter()
            .filter(|it| it.by.as_deref() == Some("agent"))
            .count();
        self.resumed += has("resumed");
        self.interrupted += has("interrupted");
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn said(number: i64, client_id: &str, text: &str) -> Entry {
        Entry {
            id: format!("msg_{number}"),
            conversation: "cnv_1".to_owned(),
            number,
            kind: "message".to_owned(),
            by: Some("visitor".to_owned()),
            text: Some(text.to_owned()),
            client_id: Some(client_id.to_owned()),
            status: None,
        }
    }

    #[test]
    fn r2_what_is_lost_altered_doubled_or_out_of_order_is_found() {
        let talk = Talk {
            conversation: "cnv_1".to_owned(),
            accepted: vec![("a".to_owned(), "hello".to_owned())],
        };
        let of = |entries: &[Entry]| {
            let mut found = Found::default();
            found
                .compare(&talk, entries)
                .map(|()| (found.lost, found.doubled))
                .ok()
        };

        assert_eq!(of(&[said(1, "a", "hello")]), Some((0, 0)));
        assert_eq!(of(&[said(1, "b", "hello")]), Some((1, 0)));
        assert_eq!(of(&[said(1, "a", "other words")]), Some((1, 0)));
        assert_eq!(
            of(&[said(1, "a", "hello"), said(2, "a", "hello")]),
            Some((0, 1))
        );
        assert_eq!(of(&[said(2, "a", "hello")]), None);
    }
}
