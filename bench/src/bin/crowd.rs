//! Visitors who have a chat open and say nothing, for `scripts/bench crowd`. Reads a
//! job a line: opens so many streams and says so, or closes them all.

use std::io::{self, BufRead, Write};
use std::net::{IpAddr, Ipv4Addr};
use std::rc::Rc;

use maitred_bench::Failure;
use maitred_bench::http::Events;
use maitred_bench::server::ORIGIN;
use maitred_bench::visitor::Visitor;
use serde::Deserialize;
use serde_json::json;
use tokio::runtime::{Builder, Runtime};
use tokio::task::LocalSet;

/// How many are opened at once.
const AT_ONCE: usize = 32;

/// How many streams come from one address of loopback.
const OF_AN_ADDRESS: usize = 500;

#[derive(Deserialize)]
struct Job {
    address: String,
    /// Whose agent; without one, the address is the limit's, which asks for no session.
    agent: Option<String>,
    /// None: all are closed.
    streams: usize,
    /// Which address of loopback the first ones come from.
    first_address: u8,
}

fn main() -> Result<(), Failure> {
    let runtime = Builder::new_current_thread().enable_all().build()?;
    let mut open = Vec::new();
    for line in io::stdin().lock().lines() {
        let job: Job = serde_json::from_str(&line?)?;
        open.clear();
        open.extend(arrive(&runtime, job)?);
        println!("{}", json!({ "streams": open.len() }));
        io::stdout().flush()?;
    }
    Ok(())
}

fn arrive(runtime: &Runtime, job: Job) -> Result<Vec<Events>, Failure> {
    let job = Rc::new(job);
    LocalSet::new().block_on(runtime, async {
        let workers = (0..AT_ONCE).map(|worker| {
            let job = job.clone();
            let mine = (worker..job.streams).step_by(AT_ONCE);
            tokio::task::spawn_local(async move {
                let mut open = Vec::new();
                for number in mine {
                    open.push(follow(&job, number).await?);
                }
                Ok::<_, Failure>(open)
            })
        });
        let mut open = Vec::with_capacity(job.streams);
        for worker in workers.collect::<Vec<_>>() {
            open.extend(worker.await??);
        }
        Ok(open)
    })
}

/// Everybody has a session of their own.
async fn follow(job: &Job, number: usize) -> Result<Events, Failure> {
    let session = match &job.agent {
        Some(agent) => {
            Visitor::open(&job.address, agent, ORIGIN, None)
                .await?
                .session
        }
        None => "nobody".to_owned(),
    };
    let of_loopback = usize::from(job.first_address) + number / OF_AN_ADDRESS;
    let local = Ipv4Addr::new(127, 0, 0, u8::try_from(of_loopback)?);
    let mut events = Events::open(&job.address, &session, None, Some(IpAddr::V4(local))).await?;
    events.next().await?.ok_or("a stream said nothing")?;
    Ok(events)
}
