use std::sync::Arc;

use jiff::Timestamp;
use maitred_core::{clock::Clock, id::AgentId, scope::Environment};
use maitred_store::{Location, MasterKey, Verification, VerificationFilter};
use tempfile::TempDir;

use super::*;
use crate::tasks::Tasks;

/// A log in a database of its own.
struct TestLog {
    verifications: Arc<Verifications>,
    scope: Scope,
    _dir: TempDir,
}

impl TestLog {
    async fn new() -> Self {
        let dir = tempfile::tempdir().unwrap();
        let master = MasterKey::at(&dir.path().join("master.key")).unwrap();
        let location = Location::Sqlite(dir.path().join("maitred.db"));
        let clock = Clock::manual("2026-03-01T12:00:00Z".parse().unwrap());
        let scope = scope(&clock);
        let store = Store::open(&location, master, clock).await.unwrap();
        Self {
            verifications: Arc::new(Verifications::new(store)),
            scope,
            _dir: dir,
        }
    }

    fn attempt(&self, code: &str) -> Attempt {
        Attempt::new(self.scope, self.verifications.store.clock.now(), code)
    }

    fn filter(&self) -> VerificationFilter {
        VerificationFilter::of(self.scope.agent)
    }

    /// Each entry's code and of how many attempts, the oldest first.
    async fn written(&self) -> Vec<(String, u64)> {
        let store = &self.verifications.store;
        let entries = store.verifications_since(&self.filter(), 0, 100).await;
        entries.unwrap().into_iter().map(told).collect()
    }
}

fn scope(clock: &Clock) -> Scope {
    Scope {
        agent: AgentId::new(clock),
        environment: Environment::Production,
    }
}

fn told(entry: Verification) -> (String, u64) {
    (entry.attempt.code, entry.attempt.attempts)
}

fn one(code: &str) -> (String, u64) {
    (code.to_owned(), 1)
}

#[tokio::test]
async fn l1_what_was_noted_until_the_program_ends_is_written() {
    let log = TestLog::new().await;
    let tasks = Tasks::default();
    let (writer, late) = (log.verifications.clone(), log.verifications.clone());
    tasks.spawn_last(async move |ended| writer.write_behind(ended).await);
    let (attempt, stopping) = (log.attempt("malformed"), tasks.stopping());
    tasks.spawn(async move {
        stopping.cancelled().await;
        late.note(attempt);
    });

    tasks.stop(Duration::from_secs(5)).await;

    assert_eq!(log.written().await, [one("malformed")]);
}

#[tokio::test]
async fn l1_what_gathers_is_written_together_and_without_being_waited_for() {
    let log = TestLog::new().await;
    let tasks = Tasks::default();
    let writer = log.verifications.clone();
    tasks.spawn_last(async move |ended| writer.write_behind(ended).await);
    let mut follower = log.verifications.follow(log.filter(), None).await.unwrap();

    log.verifications.note(log.attempt("malformed"));
    log.verifications.note(log.attempt("too_large"));

    let within = Duration::from_secs(20);
    for code in ["malformed", "too_large"] {
        let entry = timeout(within, follower.next()).await.expect("in time");
        assert_eq!(told(entry.unwrap()), one(code));
    }
    tasks.stop(within).await;
}

#[tokio::test]
async fn l1_attempts_that_a_limit_turned_away_are_one_entry() {
    let log = TestLog::new().await;
    let shop = Some("https://shop.example".to_owned());
    for _ in 0..3 {
        log.verifications.count_limited(log.scope, shop.clone());
    }
    log.verifications.count_limited(log.scope, None);

    assert!(log.verifications.write().await);

    let mut written = log.written().await;
    written.sort();
    let limited = |n| (RATE_LIMITED.to_owned(), n);
    assert_eq!(written, [limited(1), limited(3)]);
    assert!(log.verifications.write().await, "there is nothing more");
    assert_eq!(log.written().await.len(), 2);
}

#[test]
fn l1_what_does_not_fit_is_counted_and_said() {
    let clock = Clock::manual(Timestamp::UNIX_EPOCH);
    let (one, other) = (scope(&clock), scope(&clock));
    let mut waiting = Waiting::default();

    for _ in 0..MAX_WAITING + 5 {
        waiting.push(Attempt::new(one, clock.now(), "malformed"));
    }
    waiting.push(Attempt::new(other, clock.now(), "malformed"));

    let mut written = HashMap::new();
    while let Some(Batch { attempts, .. }) = waiting.batch() {
        assert!(attempts.len() <= AT_ONCE + 2, "{}", attempts.len());
        for attempt in attempts {
            *written.entry((attempt.scope, attempt.code)).or_default() += attempt.attempts;
        }
    }
    let of = |scope, code: &str| (scope, code.to_owned());
    let expected = HashMap::from([
        (of(one, "malformed"), u64::try_from(MAX_WAITING).unwrap()),
        (of(one, NOT_LOGGED), 5),
        (of(other, NOT_LOGGED), 1),
    ]);
    assert_eq!(written, expected);
}

#[test]
fn l1_what_could_not_be_written_comes_before_what_came_since() {
    let clock = Clock::manual(Timestamp::UNIX_EPOCH);
    let scope = scope(&clock);
    let mut waiting = Waiting::default();
    for code in ["a", "b"] {
        waiting.push(Attempt::new(scope, clock.now(), code));
    }
    waiting.strangers.insert(scope, 2);
    let failed = waiting.batch().unwrap();
    waiting.push(Attempt::new(scope, clock.now(), "c"));
    waiting.strangers.insert(scope, 1);

    waiting.put_back(failed.attempts, failed.strangers);

    let batch = waiting.batch().unwrap();
    let codes: Vec<&str> = batch.attempts.iter().map(|it| it.code.as_str()).collect();
    assert_eq!(codes, ["a", "b", "c"]);
    assert_eq!(batch.strangers, [(scope, 3)]);
}

#[tokio::test]
async fn l1_who_follows_gets_each_entry_of_every_node_once_and_in_order() {
    let log = TestLog::new().await;
    // Another node: what it writes wakes nobody here.
    let elsewhere = log.verifications.store.clone();
    let codes: Vec<String> = (0..450).map(|n| format!("code_{n}")).collect();
    let attempts: Vec<Attempt> = codes.iter().map(|code| log.attempt(code)).collect();
    elsewhere.record(&attempts[..100], &[]).await.unwrap();
    let mut from_now = log.verifications.follow(log.filter(), None).await.unwrap();
    let mut from_40 = log
        .verifications
        .follow(log.filter(), Some(40))
        .await
        .unwrap();

    elsewhere.record(&attempts[100..], &[]).await.unwrap();

    let within = Duration::from_secs(20);
    for (follower, begin) in [(&mut from_now, 100), (&mut from_40, 40)] {
        for code in &codes[begin..] {
            let entry = timeout(within, follower.next()).await.expect("in time");
            assert_eq!(entry.unwrap().attempt.code, *code);
        }
    }
}
