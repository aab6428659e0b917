//! Visitors who talk, for `scripts/bench turns`, `crowd` and `growth`: each says
//! something, follows its stream until the whole answer is there, and says the next
//! thing. Reads a job a line, answers with what it measured.

use std::cell::{Cell, RefCell};
use std::rc::Rc;
use std::time::{Duration, Instant};

use maitred_bench::http::{Connection, Events};
use maitred_bench::server::ORIGIN;
use maitred_bench::visitor::{Entry, Posted, Visitor, request, uuid};
use maitred_bench::{Failure, answer_jobs, at_share};
use serde::Deserialize;
use serde_json::{Value, json};

/// What is to be said, and by how many.
#[derive(Deserialize)]
struct Job {
    address: String,
    /// Whose agent; without one, the address is the limit's, which answers each
    /// request with the frames of a whole turn.
    agent: Option<String>,
    turns: usize,
    at_once: usize,
}

/// How much is said in one conversation before the next is begun.
const TURNS_OF_A_CONVERSATION: usize = 10;

fn main() -> Result<(), Failure> {
    answer_jobs(run)
}

/// What the visitors have in common.
struct Shared {
    begun: Cell<usize>,
    of: usize,
    /// Until the first word, and until the whole answer.
    took: RefCell<Vec<(Duration, Duration)>>,
}

async fn run(job: Job) -> Result<Value, Failure> {
    let shared = Rc::new(Shared {
        begun: Cell::new(0),
        of: job.turns,
        took: RefCell::new(Vec::with_capacity(job.turns)),
    });
    let mut talkers = Vec::new();
    for _ in 0..job.at_once {
        talkers.push(match &job.agent {
            Some(agent) => Talker::Visitor(Guest::arrive(&job.address, agent).await?),
            None => Talker::Limit(job.address.clone(), Connection::open(&job.address).await?),
        });
    }
    let began = Instant::now();
    let talking: Vec<_> = talkers
        .into_iter()
        .map(|talker| tokio::task::spawn_local(talk(talker, shared.clone())))
        .collect();
    for talker in talking {
        talker.await??;
    }
    let seconds = began.elapsed().as_secs_f64();
    let (first, whole): (Vec<_>, Vec<_>) = shared.took.take().into_iter().unzip();
    Ok(json!({
        "per_second": job.turns as f64 / seconds,
        "first_p50_ms": at_share(&first, 50), "first_p99_ms": at_share(&first, 99),
        "p50_ms": at_share(&whole, 50), "p99_ms": at_share(&whole, 99),
    }))
}

enum Talker {
    Visitor(Guest),
    Limit(String, Connection),
}

async fn talk(mut talker: Talker, shared: Rc<Shared>) -> Result<(), Failure> {
    while shared.begun.get() < shared.of {
        shared.begun.set(shared.begun.get() + 1);
        let took = match &mut talker {
            Talker::Visitor(guest) => guest.turn().await?,
            Talker::Limit(address, connection) => {
                let began = Instant::now();
                let body = json!({ "id": uuid(), "text": "Where is my order?" });
                let request = request(address, "POST", "/turn", None, Some(&body));
                connection.exchange_chunked(&request).await?;
                (began.elapsed(), began.elapsed())
            }
        };
        shared.took.borrow_mut().push(took);
    }
    match talker {
        Talker::Visitor(mut guest) => guest.check().await,
        Talker::Limit(..) => Ok(()),
    }
}

/// A visitor with a stream.
struct Guest {
    visitor: Visitor,
    events: Events,
    conversation: String,
    /// How often something was said in this conversation, and what was heard of it.
    said: usize,
    heard: Vec<Entry>,
}

impl Guest {
    async fn arrive(address: &str, agent: &str) -> Result<Self, Failure> {
        let mut visitor = Visitor::open(address, agent, ORIGIN, None).await?;
        let mut events = Events::open(address, &visitor.session, None, None).await?;
        events.next().await?.ok_or("a stream said nothing")?;
        let conversation = visitor.converse().await?;
        Ok(Self {
            visitor,
            events,
            conversation,
            said: 0,
            heard: Vec::new(),
        })
    }

    /// Says something and waits for the whole answer: until the first word of it, and
    /// until its end.
    async fn turn(&mut self) -> Result<(Duration, Duration), Failure> {
        if self.said == TURNS_OF_A_CONVERSATION {
            self.check().await?;
            self.conversation = self.visitor.converse().await?;
        }
        self.said += 1;
        let began = Instant::now();
        let posted = self
            .visitor
            .say(&self.conversation, &uuid(), "Where is my order?")
            .await?;
        if posted != Posted::Accepted {
            return Err(format!("a message was not accepted: {posted:?}").into());
        }
        let mut first = None;
        loop {
            let event = self.events.next().await?.ok_or("the stream has ended")?;
            match event.name.as_str() {
                "delta" => _ = first.get_or_insert_with(|| began.elapsed()),
                "entry" => {
                    let entry: Entry = serde_json::from_str(&event.data)?;
                    let ends = entry.ends_a_turn();
                    self.heard.push(entry);
                    if ends {
                        let whole = began.elapsed();
                        return Ok((first.unwrap_or(whole), whole));
                    }
                }
                "typing" | "status" => (),
                other => return Err(format!("the stream says `{other}`").into()),
            }
        }
    }

    /// Nothing of what was answered may be missing in the store.
    async fn check(&mut self) -> Result<(), Failure> {
        let stored = self.visitor.entries(&self.conversation).await?;
        if stored.len() != 2 * self.said || stored != self.heard {
            let (stored, heard) = (stored.len(), self.heard.len());
            return Err(format!(
                "{} turns: {stored} entries stored, {heard} heard",
                self.said
            )
            .into());
        }
        self.said = 0;
        self.heard.clear();
        Ok(())
    }
}
