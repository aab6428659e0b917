//! What may become a key, and where (rules K3, K4, K6, K7, K8).

use maitred_core::scope::Scope;
use maitred_store::{
    BroughtKey, KeyConflict, KeyMaterial, KeyTerms, RemoteSet, SharedSecret, StoreError,
};
use maitred_token::{Algorithm, PublicKey, SetTerms};

use super::support::{TestStore, made, secret_of};

/// The public keys of RFC 8037 and of RFC 7517.
const ED25519: &str =
    r#"{"kty":"OKP","crv":"Ed25519","x":"11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo"}"#;
const P_256: &str = r#"{"kty":"EC","crv":"P-256","x":"MKBCTNIcKUSDii11ySs3526iDZ8AiTo7Tu6KPAqv7D4",
    "y":"4Etl6SRW2YiLUrN5vfvVHuhp7x8PxltmWWlbbM4IFyM"}"#;

fn audiences(of: &[&str]) -> Vec<String> {
    of.iter().map(|one| (*one).to_owned()).collect()
}

fn public(jwk: &str, kid: Option<&str>, accepted: &[&str]) -> KeyMaterial {
    let key = PublicKey::parse(jwk).unwrap();
    KeyMaterial::Public(BroughtKey {
        algorithm: key.algorithm().unwrap(),
        key,
        kid: kid.map(str::to_owned),
        terms: KeyTerms {
            issuer: None,
            audiences: audiences(accepted),
        },
    })
}

fn set(url: &str, accepted: &[&str]) -> KeyMaterial {
    KeyMaterial::Set(RemoteSet {
        url: url.to_owned(),
        terms: SetTerms {
            issuer: "https://id.example".to_owned(),
            audiences: audiences(accepted),
            rsa: Algorithm::Ps384,
        },
    })
}

fn conflict<T: std::fmt::Debug>(refused: Result<T, StoreError>) -> KeyConflict {
    match refused {
        Err(StoreError::KeyConflict(conflict)) => conflict,
        other => panic!("no conflict: {other:?}"),
    }
}

fn elsewhere(other: Scope, wanted: Scope) -> KeyConflict {
    KeyConflict::Elsewhere { other, wanted }
}

#[tokio::test]
async fn k3_a_public_key_comes_back_as_it_was_brought() {
    let store = TestStore::new().await;
    let scope = store.site().await.scope;
    store.passes(1);

    let id = store
        .insert_key(scope, &public(P_256, Some("2026-05"), &["chat"]))
        .await;

    let key = store.keys(scope).await.unwrap().pop().unwrap();
    assert_eq!(key.id, id.unwrap());
    let KeyMaterial::Public(kept) = key.material else {
        panic!("{:?}", key.material)
    };
    assert_eq!(kept.key, PublicKey::parse(P_256).unwrap());
    assert_eq!(kept.kid.as_deref(), Some("2026-05"));
    assert_eq!(kept.algorithm, Algorithm::Es256);
    assert_eq!(kept.terms.audiences, ["chat"]);
}

#[tokio::test]
async fn k4_the_address_of_a_set_comes_back_with_its_terms() {
    let store = TestStore::new().await;
    let scope = store.site().await.scope;
    store.passes(1);

    store
        .insert_key(scope, &set("https://id.example/jwks", &["chat"]))
        .await
        .unwrap();

    let key = store.keys(scope).await.unwrap().pop().unwrap();
    let KeyMaterial::Set(kept) = key.material else {
        panic!("{:?}", key.material)
    };
    assert_eq!(kept.url, "https://id.example/jwks");
    assert_eq!(kept.terms.issuer, "https://id.example");
    assert_eq!(kept.terms.audiences, ["chat"]);
    assert_eq!(kept.terms.rsa, Algorithm::Ps384);
}

#[tokio::test]
async fn k6_there_are_at_most_ten_active_keys_and_one_that_retires_makes_room() {
    let store = TestStore::new().await;
    let site = store.site().await;
    for _ in 1..10 {
        site.with_a_spare_key().await;
    }

    let eleventh = store.insert_key(site.scope, &made(&[1; 32])).await;

    assert_eq!(conflict(eleventh), KeyConflict::TooMany);
    let staging = site.staging().await.scope;
    store.insert_key(staging, &made(&[2; 32])).await.unwrap();
    store
        .retire_key(site.scope, site.key, store.in_an_hour())
        .await
        .unwrap();
    let spare = store.insert_key(site.scope, &made(&[3; 32])).await.unwrap();
    let full = store.insert_key(site.scope, &made(&[4; 32])).await;
    assert_eq!(conflict(full), KeyConflict::TooMany);
    assert!(store.revoke_key(site.scope, spare).await.unwrap());
    store.insert_key(site.scope, &made(&[5; 32])).await.unwrap();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn k6_of_many_who_make_a_tenth_key_at_once_one_does() {
    let store = TestStore::new().await;
    let site = store.site().await;
    for _ in 1..9 {
        site.with_a_spare_key().await;
    }
    let mut tasks = tokio::task::JoinSet::new();
    for n in 0..8 {
        let (store, scope) = (store.clone(), site.scope);
        tasks.spawn(async move { store.insert_key(scope, &made(&[n; 32])).await });
    }

    let (made, refused): (Vec<_>, Vec<_>) =
        tasks.join_all().await.into_iter().partition(Result::is_ok);

    assert_eq!(made.len(), 1);
    for refused in refused {
        assert_eq!(conflict(refused), KeyConflict::TooMany);
    }
}

#[tokio::test]
async fn k7_a_kid_is_taken_by_a_key_or_by_its_id_and_stays_taken() {
    let store = TestStore::new().await;
    let site = store.site().await;
    let first = store
        .insert_key(site.scope, &public(P_256, Some("k1"), &[]))
        .await
        .unwrap();

    let again = store
        .insert_key(site.scope, &public(ED25519, Some("k1"), &[]))
        .await;
    let ours = store
        .insert_key(
            site.scope,
            &public(ED25519, Some(&site.key.to_string()), &[]),
        )
        .await;

    assert_eq!(conflict(again), KeyConflict::DuplicateKid(first));
    assert_eq!(conflict(ours), KeyConflict::DuplicateKid(site.key));
    assert!(store.revoke_key(site.scope, first).await.unwrap());
    let after = store
        .insert_key(site.scope, &public(ED25519, Some("k1"), &[]))
        .await;
    assert_eq!(conflict(after), KeyConflict::DuplicateKid(first));
    let elsewhere = site.staging().await.scope;
    store
        .insert_key(elsewhere, &public(ED25519, Some("k1"), &[]))
        .await
        .unwrap();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn k7_of_two_keys_with_one_kid_at_once_one_is_kept() {
    for _ in 0..10 {
        let store = TestStore::new().await;
        let scope = store.site().await.scope;
        let mut tasks = tokio::task::JoinSet::new();
        for jwk in [P_256, ED25519] {
            let store = store.clone();
            tasks
                .spawn(async move { store.insert_key(scope, &public(jwk, Some("k1"), &[])).await });
        }

        let (kept, refused): (Vec<_>, Vec<_>) =
            tasks.join_all().await.into_iter().partition(Result::is_ok);

        assert_eq!(kept.len(), 1);
        for refused in refused {
            assert!(matches!(conflict(refused), KeyConflict::DuplicateKid(_)));
        }
    }
}

#[tokio::test]
async fn k8_a_secret_of_another_agent_or_environment_is_refused() {
    let store = TestStore::new().await;
    let (site, other) = (store.site().await, store.site().await);
    let staging = site.staging().await.scope;
    let secret = made(&secret_of(site.scope));

    let in_staging = store.insert_key(staging, &secret).await;
    let in_other = store.insert_key(other.scope, &secret).await;

    assert_eq!(conflict(in_staging), elsewhere(site.scope, staging));
    assert_eq!(conflict(in_other), elsewhere(site.scope, other.scope));
    // Once it is good nowhere else, it may be used here.
    assert!(store.revoke_key(site.scope, site.key).await.unwrap());
    store.insert_key(staging, &secret).await.unwrap();
}

#[tokio::test]
async fn k8_the_words_for_another_place_name_no_other_agent() {
    let store = TestStore::new().await;
    let (site, other) = (store.site().await, store.site().await);
    let staging = site.staging().await.scope;

    let same_agent = elsewhere(staging, site.scope).to_string();
    let another = elsewhere(other.scope, site.scope).to_string();

    assert_eq!(same_agent, "this key is in use in staging of this agent");
    assert_eq!(another, "this key is in use in another agent");
}

#[tokio::test]
async fn k8_one_key_in_two_places_needs_audiences_that_differ_in_both() {
    let store = TestStore::new().await;
    let site = store.site().await;
    let staging = site.staging().await.scope;
    for (jwk, here, there, accepted) in [
        (P_256, vec![], vec![], false),
        (P_256, vec![], vec!["b"], false),
        (P_256, vec!["a"], vec![], false),
        (P_256, vec!["a", "both"], vec!["b", "both"], false),
        (P_256, vec!["a"], vec!["b"], true),
    ] {
        let id = store
            .insert_key(site.scope, &public(jwk, None, &here))
            .await
            .unwrap();
        let second = store.insert_key(staging, &public(jwk, None, &there)).await;

        assert_eq!(second.is_ok(), accepted, "{here:?} {there:?}");
        if !accepted {
            assert_eq!(conflict(second), elsewhere(site.scope, staging));
        }
        // Each case begins with a key that was never there.
        store
            .tamper(&format!("DELETE FROM signing_keys WHERE id = '{id}'"))
            .await;
    }
}

#[tokio::test]
async fn k8_an_audience_that_is_the_other_place_does_not_differ() {
    let store = TestStore::new().await;
    let site = store.site().await;
    let staging = site.staging().await.scope;
    let of_staging = staging.audience();

    store
        .insert_key(site.scope, &public(P_256, None, &[&of_staging]))
        .await
        .unwrap();
    let second = store
        .insert_key(staging, &public(P_256, None, &["b"]))
        .await;

    assert_eq!(conflict(second), elsewhere(site.scope, staging));
}

#[tokio::test]
async fn k8_a_set_may_serve_two_places_with_audiences_that_differ() {
    let store = TestStore::new().await;
    let site = store.site().await;
    let staging = site.staging().await.scope;
    let url = "https://id.example/jwks";
    let first = store.insert_key(site.scope, &set(url, &["a"])).await;

    let alike = store.insert_key(staging, &set(url, &["a"])).await;
    let twice = store.insert_key(site.scope, &set(url, &["b"])).await;
    let apart = store.insert_key(staging, &set(url, &["b"])).await;

    let first = first.unwrap();
    assert_eq!(conflict(alike), elsewhere(site.scope, staging));
    assert_eq!(conflict(twice), KeyConflict::Here(first));
    assert!(apart.is_ok());
    // An address is no key that leaks: it may come back, with other terms.
    assert!(store.revoke_key(site.scope, first).await.unwrap());
    store
        .insert_key(site.scope, &set(url, &["c"]))
        .await
        .unwrap();
}

#[tokio::test]
async fn k6_a_revoked_key_does_not_come_back_under_another_id() {
    let store = TestStore::new().await;
    let site = store.site().await;
    let secret = made(&secret_of(site.scope));

    let twice = store.insert_key(site.scope, &secret).await;
    assert!(store.revoke_key(site.scope, site.key).await.unwrap());
    let back = store.insert_key(site.scope, &secret).await;

    assert_eq!(conflict(twice), KeyConflict::Here(site.key));
    assert_eq!(conflict(back), KeyConflict::RevokedHere(site.key));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn k8_of_many_who_bring_one_key_to_two_places_at_once_one_is_kept() {
    for round in 0..10 {
        let store = TestStore::new().await;
        let site = store.site().await;
        let staging = site.staging().await.scope;
        let mut tasks = tokio::task::JoinSet::new();
        for scope in [site.scope, staging, site.scope, staging] {
            let store = store.clone();
            tasks.spawn(async move { store.insert_key(scope, &made(&[round; 32])).await });
        }

        let kept = tasks.join_all().await.into_iter().filter(Result::is_ok);

        assert_eq!(kept.count(), 1);
    }
}

#[tokio::test]
async fn k8_a_secret_of_an_earlier_release_is_recognised_after_the_next_start() {
    let store = TestStore::new().await;
    let site = store.site().await;
    store
        .tamper(
            "UPDATE signing_keys SET kind = NULL, fingerprint = NULL, audiences = NULL,
                issuer = NULL",
        )
        .await;

    let again = store.another().await;

    let staging = site.staging().await.scope;
    let secret = made(&secret_of(site.scope));
    let second = again.insert_key(staging, &secret).await;
    assert_eq!(conflict(second), elsewhere(site.scope, staging));
    let kept = again.keys(site.scope).await.unwrap().pop().unwrap();
    assert!(matches!(
        kept.material,
        KeyMaterial::Secret(SharedSecret {
            imported: false,
            ..
        })
    ));
}
