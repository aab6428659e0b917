//! The verification log, and what it adds up to.

use jiff::SignedDuration;
use maitred_core::{
    agent::{Enforcement, Settings},
    scope::Scope,
};
use maitred_store::{
    ACCEPTED, Attempt, EnforcementDay, EnforcementReport, KeyImpact, KeyUsage, StoreError,
    Verification, VerificationFilter,
};

use super::support::{Site, TestStore};

impl Site<'_> {
    /// A token of this subject that its key signed, accepted now.
    fn accepted(&self, subject: &str) -> Attempt {
        Attempt {
            page_origin: Some("https://shop.example".to_owned()),
            key: Some(self.key.to_string()),
            algorithm: Some("HS256".to_owned()),
            age: Some(3),
            lifetime: Some(600),
            subject_hash: Some(format!("hash of {subject}")),
            ..Attempt::new(self.scope, self.store.now(), ACCEPTED)
        }
    }

    fn refused(&self, code: &str) -> Attempt {
        Attempt::new(self.scope, self.store.now(), code)
    }
}

impl TestStore {
    async fn records(&self, attempts: &[Attempt]) {
        self.record(attempts, &[]).await.unwrap();
    }

    /// The codes of the entries, the newest first.
    async fn codes(&self, filter: &VerificationFilter) -> Vec<String> {
        let entries = self.verifications(filter, None, 100).await.unwrap();
        entries.into_iter().map(|it| it.attempt.code).collect()
    }
}

fn all_of(scope: Scope) -> VerificationFilter {
    VerificationFilter::of(scope.agent)
}

#[tokio::test]
async fn l1_an_entry_comes_back_as_it_was_written() {
    let store = TestStore::new().await;
    let site = store.site().await;
    let sarah = site.meets("sarah").await;
    let accepted = Attempt {
        skew: Some(2),
        contact: Some(sarah.contact()),
        warnings: vec!["text_too_long".to_owned(), "not_https".to_owned()],
        ..site.accepted("sarah")
    };
    let limited = Attempt {
        attempts: 12,
        ..site.refused("rate_limited")
    };

    store.records(&[accepted.clone(), limited.clone()]).await;

    let entries = store.verifications(&all_of(site.scope), None, 10).await;
    let expected = [
        Verification {
            number: 2,
            attempt: limited,
            contact_name: None,
        },
        Verification {
            number: 1,
            attempt: accepted,
            contact_name: Some("sarah Example".to_owned()),
        },
    ];
    assert_eq!(entries.unwrap(), expected);
}

#[tokio::test]
async fn l1_a_name_vanishes_with_its_contact() {
    let store = TestStore::new().await;
    let site = store.site().await;
    let contact = Some(site.meets("sarah").await.contact());
    let attempt = Attempt {
        contact,
        ..site.accepted("sarah")
    };
    store.records(std::slice::from_ref(&attempt)).await;
    store.tamper("DELETE FROM sessions").await;

    store.tamper("DELETE FROM contacts").await;

    let entries = store.verifications(&all_of(site.scope), None, 10).await;
    let [entry] = <[_; 1]>::try_from(entries.unwrap()).unwrap();
    assert_eq!((entry.attempt, entry.contact_name), (attempt, None));
}

#[tokio::test]
async fn l1_the_log_is_read_in_parts() {
    let store = TestStore::new().await;
    let site = store.site().await;
    let codes = ["a", "b", "c", "d", "e"];
    store.records(&codes.map(|code| site.refused(code))).await;
    let filter = all_of(site.scope);

    let first = store.verifications(&filter, None, 2).await.unwrap();
    let rest = store.verifications(&filter, Some(first[1].number), 10);

    let codes = |entries: &[Verification]| -> Vec<String> {
        let codes = entries.iter().map(|it| it.attempt.code.clone());
        codes.collect()
    };
    assert_eq!(codes(&first), ["e", "d"]);
    assert_eq!(codes(&rest.await.unwrap()), ["c", "b", "a"]);
    let since = store.verifications_since(&filter, 3, 10).await.unwrap();
    assert_eq!(codes(&since), ["d", "e"]);
    let one = store.verifications_since(&filter, 0, 1).await.unwrap();
    assert_eq!(codes(&one), ["a"]);
    assert_eq!(store.last_verification().await.unwrap(), 5);
}

#[tokio::test]
async fn l1_entries_are_filtered_by_environment_and_by_what_came_of_them() {
    let store = TestStore::new().await;
    let site = store.site().await;
    let staging = site.staging().await;
    store
        .records(&[
            site.accepted("sarah"),
            staging.refused("token_expired"),
            site.refused("token_expired"),
            site.refused("unknown_key"),
        ])
        .await;
    let all = all_of(site.scope);

    let in_staging = VerificationFilter {
        environment: Some(staging.scope.environment),
        ..all.clone()
    };
    let expired = VerificationFilter {
        code: Some("token_expired".to_owned()),
        ..all.clone()
    };
    let refused = VerificationFilter {
        refused: true,
        ..all.clone()
    };

    assert_eq!(store.codes(&all).await.len(), 4);
    assert_eq!(store.codes(&in_staging).await, ["token_expired"]);
    assert_eq!(store.codes(&expired).await, ["token_expired"; 2]);
    assert_eq!(
        store.codes(&refused).await,
        ["unknown_key", "token_expired", "token_expired"]
    );
}

#[tokio::test]
async fn l1_entries_are_filtered_by_their_key_and_by_when_they_were_made() {
    let store = TestStore::new().await;
    let site = store.site().await;
    let other_key = Attempt {
        key: Some("key_other".to_owned()),
        ..site.refused("key_revoked")
    };
    store
        .records(&[site.accepted("sarah"), other_key, site.refused("malformed")])
        .await;
    store.passes(1);
    let since = Some(store.now());
    store.records(&[site.refused("too_large")]).await;
    let all = all_of(site.scope);

    let of_key = VerificationFilter {
        key: Some(site.key.to_string()),
        ..all.clone()
    };
    let lately = VerificationFilter {
        since,
        ..all.clone()
    };

    assert_eq!(store.codes(&of_key).await, [ACCEPTED]);
    assert_eq!(store.codes(&lately).await, ["too_large"]);
    let since = store.verifications_since(&of_key, 0, 10).await.unwrap();
    assert_eq!(since.len(), 1);
    let since = store.verifications_since(&lately, 0, 10).await.unwrap();
    assert_eq!(since.len(), 1);
}

#[tokio::test]
async fn d1_nobody_reads_the_log_of_another_agent() {
    let store = TestStore::new().await;
    let (site, other) = (store.site().await, store.site().await);
    store.records(&[site.accepted("sarah")]).await;

    let filter = all_of(other.scope);

    assert!(store.codes(&filter).await.is_empty());
    let since = store.verifications_since(&filter, 0, 10).await.unwrap();
    assert!(since.is_empty());
    let impact = store.key_impact(other.scope, site.key).await.unwrap();
    assert_eq!((impact.tokens, impact.last_used_at), (0, None));
}

#[tokio::test]
async fn l1_an_entry_is_kept_for_30_days() {
    let store = TestStore::new().await;
    let site = store.site().await;
    store.records(&[site.refused("malformed")]).await;
    store.passes(30 * 24 * 60);
    store.records(&[site.refused("too_large")]).await;

    assert_eq!(store.sweep().await.unwrap().verifications, 0);
    store.passes(1);
    assert_eq!(store.sweep().await.unwrap().verifications, 1);

    assert_eq!(store.codes(&all_of(site.scope)).await, ["too_large"]);
    store.records(&[site.refused("malformed")]).await;
    assert_eq!(
        store.last_verification().await.unwrap(),
        3,
        "no number twice"
    );
}

/// Whoever follows by number must never see a later one before an earlier one.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn l1_entries_of_several_nodes_become_visible_in_the_order_of_their_numbers() {
    const NODES: usize = 4;
    const BATCHES: usize = 10;
    const TOTAL: usize = NODES * BATCHES * 5;
    let store = TestStore::new().await;
    let site = store.site().await;
    let batch = vec![site.refused("malformed"); 5];
    let mut nodes = tokio::task::JoinSet::new();
    for _ in 0..NODES {
        let (node, batch) = (store.another().await, batch.clone());
        nodes.spawn(async move {
            for _ in 0..BATCHES {
                node.record(&batch, &[]).await.unwrap();
            }
        });
    }

    let filter = all_of(site.scope);
    let mut seen = Vec::new();
    while seen.len() < TOTAL {
        let last = seen.last().copied().unwrap_or(0);
        let new = store.verifications_since(&filter, last, 1_000);
        seen.extend(new.await.unwrap().iter().map(|it| it.number));
    }

    let expected: Vec<i64> = (1..).take(TOTAL).collect();
    assert_eq!(seen, expected);
    while let Some(done) = nodes.join_next().await {
        done.unwrap();
    }
}

#[tokio::test]
async fn k6_a_key_counts_the_tokens_it_accepted_today_and_when_it_was_last_used() {
    let store = TestStore::new().await;
    let site = store.site().await;
    let usage = async || {
        let usage = store.key_usage(site.scope).await.unwrap();
        <[KeyUsage; 1]>::try_from(usage).map(|[usage]| (usage.accepted_today, usage.last_used_at))
    };
    assert_eq!(usage().await, Err(Vec::new()), "never used");

    store
        .records(&[site.accepted("sarah"), site.accepted("tom")])
        .await;
    store.passes(1);
    store
        .records(&[site.accepted("sarah"), site.refused("token_expired")])
        .await;

    let last = store.now();
    assert_eq!(usage().await, Ok((3, last)));
    store.passes(24 * 60);
    assert_eq!(usage().await, Ok((0, last)), "another day");
    store.records(&[site.accepted("sarah")]).await;
    assert_eq!(usage().await, Ok((1, store.now())));
}

#[tokio::test]
async fn k6_what_was_late_to_be_written_does_not_set_a_key_back() {
    let store = TestStore::new().await;
    let site = store.site().await;
    let late = site.accepted("sarah");
    store.passes(24 * 60);
    store.records(&[site.accepted("sarah")]).await;

    store.records(&[late]).await;

    let [usage] = <[KeyUsage; 1]>::try_from(store.key_usage(site.scope).await.unwrap()).unwrap();
    assert_eq!((usage.accepted_today, usage.last_used_at), (1, store.now()));
}

#[tokio::test]
async fn k6_the_keys_of_each_environment_count_for_themselves() {
    let store = TestStore::new().await;
    let site = store.site().await;
    let staging = site.staging().await;

    store
        .records(&[site.accepted("sarah"), staging.accepted("sarah")])
        .await;

    for site in [site, staging] {
        let usage = store.key_usage(site.scope).await.unwrap();
        let keys: Vec<&str> = usage.iter().map(|it| it.key.as_str()).collect();
        assert_eq!(keys, [site.key.to_string()]);
    }
}

#[tokio::test]
async fn k6_what_breaks_with_a_key_is_answered_from_the_last_7_days() {
    let store = TestStore::new().await;
    let site = store.site().await;
    store.records(&[site.accepted("long-ago")]).await;
    store.passes(7 * 24 * 60 + 1);
    let elsewhere = |attempt| Attempt {
        page_origin: Some("https://help.example".to_owned()),
        ..attempt
    };
    store
        .records(&[
            site.accepted("sarah"),
            site.accepted("sarah"),
            elsewhere(site.accepted("tom")),
            elsewhere(Attempt {
                key: Some(site.key.to_string()),
                ..site.refused("token_expired")
            }),
        ])
        .await;
    let used_at = store.now();
    let (sarah, _tom) = (site.meets("sarah").await, site.meets("tom").await);
    store.end_session(&sarah.opened.session).await.unwrap();
    let other_key = site.staging().await;
    other_key.meets("sarah").await;

    let impact = store.key_impact(site.scope, site.key).await.unwrap();

    let expected = KeyImpact {
        tokens: 3,
        subjects: 2,
        origins: vec![
            "https://shop.example".to_owned(),
            "https://help.example".to_owned(),
        ],
        live_sessions: 1,
        last_used_at: Some(used_at),
    };
    assert_eq!(impact, expected);
    store.passes(8 * 24 * 60);
    let later = store.key_impact(site.scope, site.key).await.unwrap();
    let nothing = KeyImpact {
        tokens: 0,
        subjects: 0,
        origins: Vec::new(),
        live_sessions: 0,
        last_used_at: Some(used_at),
    };
    assert_eq!(later, nothing);
}

#[tokio::test]
async fn e1_what_required_would_have_refused_is_counted_by_day() {
    let store = TestStore::new().await;
    let site = store.site().await;
    let staging = site.staging().await;
    store
        .record(&[], &[(site.scope, 2), (staging.scope, 5)])
        .await
        .unwrap();
    store.record(&[], &[(site.scope, 1)]).await.unwrap();
    store.passes(24 * 60);
    store.record(&[], &[(site.scope, 4)]).await.unwrap();

    let report = store.enforcement_report(site.scope).await.unwrap();

    let day = |day: &str, strangers| EnforcementDay {
        day: day.parse().unwrap(),
        strangers,
    };
    let expected = EnforcementReport {
        days: vec![day("2026-05-05", 4), day("2026-05-04", 3)],
        good_token_at: None,
    };
    assert_eq!(report, expected);
}

#[tokio::test]
async fn e1_a_good_token_is_one_of_this_environment_whose_key_still_counts() {
    let store = TestStore::new().await;
    let site = store.site().await;
    let staging = site.staging().await;
    let good_token_at = async || {
        let report = store.enforcement_report(site.scope).await;
        report.unwrap().good_token_at
    };
    store
        .records(&[staging.accepted("sarah"), site.refused("token_expired")])
        .await;
    assert_eq!(good_token_at().await, None);

    store.records(&[site.accepted("sarah")]).await;

    assert_eq!(good_token_at().await, Some(store.now()));
    store.revoke_key(site.scope, site.key).await.unwrap();
    assert_eq!(good_token_at().await, None, "nobody could come in with it");
}

#[tokio::test]
async fn l1_an_agent_without_a_key_can_have_a_log() {
    let store = TestStore::new().await;
    let settings = Settings::default();
    let agent = store.create_agent("Ada", &settings, &settings).await;
    let scope = Scope {
        agent: agent.unwrap().id,
        environment: maitred_core::scope::Environment::Staging,
    };
    let attempt = Attempt::new(
        scope,
        store.now() - SignedDuration::from_secs(1),
        "unknown_key",
    );

    store.records(std::slice::from_ref(&attempt)).await;

    let entries = store.verifications(&all_of(scope), None, 10).await.unwrap();
    assert_eq!(entries[0].attempt, attempt);
}

#[tokio::test]
async fn e1_tokens_can_be_required_only_after_a_good_one_was_seen() {
    let store = TestStore::new().await;
    let site = store.site().await;
    let require = async || {
        let settings = Settings {
            enforcement: Enforcement::Required,
            ..Settings::default()
        };
        store.change_settings(site.scope, &settings).await
    };
    store.records(&[site.refused("token_expired")]).await;
    assert!(matches!(require().await, Err(StoreError::NoGoodToken)));
    let settings = store.settings(site.scope).await.unwrap().unwrap();
    assert_eq!(settings.enforcement, Enforcement::Optional, "as before");

    store.records(&[site.accepted("sarah")]).await;

    require().await.unwrap();
    store.revoke_key(site.scope, site.key).await.unwrap();
    let other_settings = require().await;
    assert!(other_settings.is_ok(), "it is required already");
}
