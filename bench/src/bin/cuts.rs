//! `scripts/bench cuts`: cuts streams at random bytes while the agent talks, comes
//! back with `Last-Event-ID`, and looks whether anything is missing, doubled or out
//! of order (rule R4).

use std::cell::Cell;
use std::collections::BTreeSet;
use std::rc::Rc;
use std::time::{Duration, Instant};

use maitred_bench::http::Events;
use maitred_bench::server::{Installation, ORIGIN};
use maitred_bench::visitor::{Entry, Posted, Visitor, uuid};
use maitred_bench::{Failure, random_below, try_out};
use serde_json::{Value, json};
use tokio::time::timeout;

/// How many talk and listen at once.
const VISITORS: usize = 8;

/// In how many conversations each of them does, all on one stream.
const CONVERSATIONS: usize = 2;

/// How long may pass until everything that is stored was heard.
const ENDS_WITHIN: Duration = Duration::from_secs(30);

/// The most bytes before a cut: a turn is about 3,000.
const LONGEST: u32 = 4000;

fn main() -> Result<(), Failure> {
    try_out(run)
}

async fn run(installation: Installation, cuts: usize) -> Result<Value, Failure> {
    let agent = installation.agent()?;
    let (_running, _) = installation.start().await?;
    let began = Instant::now();
    let mut visitors = Vec::new();
    for _ in 0..VISITORS {
        let address = installation.address.clone();
        let visit = visit(address, agent.clone(), cuts.div_ceil(VISITORS));
        visitors.push(tokio::task::spawn_local(visit));
    }
    let mut entries = 0;
    for visitor in visitors {
        entries += visitor.await??;
    }
    let cuts = cuts.div_ceil(VISITORS) * VISITORS;
    let seconds = began.elapsed().as_secs_f64();
    Ok(json!({ "cuts": cuts, "entries": entries, "missing": 0, "doubled": 0, "seconds": seconds }))
}

/// What came over a stream that was cut again and again.
struct Heard {
    /// The id of the last event.
    last: String,
    entries: Vec<Entry>,
}

impl Heard {
    /// Follows the stream from where it was cut: to its end, or until so many entries
    /// were heard.
    async fn listen(&mut self, mut events: Events, most: usize) -> Result<(), Failure> {
        while self.entries.len() < most
            && let Some(event) = events.next().await?
        {
            let Some(id) = event.id else { continue };
            if event.name == "resync" || !follows(&self.last, &id) {
                return Err(format!("after {} came {} {id}", self.last, event.name).into());
            }
            self.last = id;
            if event.name == "entry" {
                self.entries.push(serde_json::from_str(&event.data)?);
            }
        }
        Ok(())
    }
}

/// Talks and listens until the stream was cut so often, and compares what was heard
/// with what is stored. How many entries that were.
async fn visit(address: String, agent: String, cuts: usize) -> Result<usize, Failure> {
    let visitor = Visitor::open(&address, &agent, ORIGIN, None).await?;
    let session = visitor.session.clone();
    let mut first = Events::open(&address, &session, None, None).await?;
    let hello = first.next().await?.ok_or("a stream said nothing")?;
    let mut heard = Heard {
        last: hello.id.ok_or("a stream does not say where it begins")?,
        entries: Vec::new(),
    };
    let enough = Rc::new(Cell::new(false));
    let talking = tokio::task::spawn_local(talk(visitor, enough.clone()));
    for _ in 0..cuts {
        let bytes = random_below(LONGEST) as usize;
        let events = Events::open(&address, &session, Some(&heard.last), None).await?;
        heard.listen(events.cut_after(bytes), usize::MAX).await?;
    }
    enough.set(true);
    let stored = talking.await??;
    let events = Events::open(&address, &session, Some(&heard.last), None).await?;
    let rest = heard.listen(events, stored.len());
    timeout(ENDS_WITHIN, rest)
        .await
        .map_err(|_| "what is stored does not come")??;
    let told: BTreeSet<_> = heard.entries.iter().collect();
    if told.len() != heard.entries.len() || told != stored.iter().collect() {
        return Err("what was heard is not what is stored".into());
    }
    Ok(stored.len())
}

/// Says one thing after another in several conversations, waits for each answer's
/// end, and tells all that is stored in the end.
async fn talk(mut visitor: Visitor, enough: Rc<Cell<bool>>) -> Result<Vec<Entry>, Failure> {
    let mut conversations = Vec::new();
    for _ in 0..CONVERSATIONS {
        conversations.push(visitor.converse().await?);
    }
    for number in 1.. {
        if enough.get() {
            break;
        }
        for conversation in &conversations {
            let words = format!("Question {number}");
            let posted = visitor.say(conversation, &uuid(), &words).await?;
            if posted != Posted::Accepted {
                return Err(format!("a message was not accepted: {posted:?}").into());
            }
        }
        for conversation in &conversations {
            visitor.answered(conversation).await?;
        }
    }
    let mut stored = Vec::new();
    for conversation in &conversations {
        stored.extend(visitor.entries(conversation).await?);
    }
    Ok(stored)
}

/// Whether this id is the next one of the same epoch.
fn follows(last: &str, id: &str) -> bool {
    let parts = |id: &str| {
        let (epoch, number) = id.split_once(':')?;
        Some((epoch.to_owned(), number.parse::<u64>().ok()?))
    };
    parts(last).map(|(epoch, number)| (epoch, number + 1)) == parts(id)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn r4_only_the_next_number_of_the_same_epoch_follows() {
        assert!(follows("a:1", "a:2"));
        for other in ["a:1", "a:3", "b:2", "2", ""] {
            assert!(!follows("a:1", other), "{other}");
        }
    }
}
