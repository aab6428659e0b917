//! Agents and their environments.

use maitred_core::{
    agent::{Agent, Enforcement, Origin, ProofOfPossession, Settings},
    claims::parse_claim_for,
    id::AgentId,
    policy::{Leeway, MaxLifetime, TokenPolicy},
    scope::{Environment, Scope},
};
use maitred_store::StoreError;

use super::support::TestStore;

fn settings(origin: &str) -> Settings {
    Settings {
        origins: vec![Origin::parse(origin).unwrap()],
        sign_in_url: Some(format!("{origin}/login")),
        suggestions: vec!["Where is my order?".to_owned()],
        accent: Some("#2f6f4f".to_owned()),
        tokens: TokenPolicy {
            leeway: Leeway::new(5).unwrap(),
            max_lifetime: MaxLifetime::new(600).unwrap(),
            email_required: false,
            ..TokenPolicy::default()
        },
        enforcement: Enforcement::Report,
        proof_of_possession: ProofOfPossession::Required,
        ..Settings::default()
    }
}

#[tokio::test]
async fn an_agent_has_settings_of_its_own_in_each_environment() {
    let store = TestStore::new().await;
    let (production, staging) = (settings("https://a.example"), settings("https://b.example"));

    let agent = store.create_agent("Ada", &production, &staging).await;

    let agent = agent.unwrap();
    let of = async |environment| {
        let agent = agent.id;
        store.settings(Scope { agent, environment }).await.unwrap()
    };
    assert_eq!(store.agent(agent.id).await.unwrap(), Some(agent.clone()));
    assert_eq!(of(Environment::Production).await, Some(production));
    assert_eq!(of(Environment::Staging).await, Some(staging));
}

#[tokio::test]
async fn agents_are_listed_the_oldest_first() {
    let store = TestStore::new().await;
    let mut made: Vec<Agent> = Vec::new();
    for name in ["Zoe", "Ada", "Ada"] {
        let settings = Settings::default();
        made.push(
            store
                .create_agent(name, &settings, &settings)
                .await
                .unwrap(),
        );
        store.passes(1);
    }

    let listed = store.agents().await.unwrap();

    assert_eq!(listed, made);
}

#[tokio::test]
async fn settings_are_changed_in_one_environment_only() {
    let store = TestStore::new().await;
    let site = store.site().await;

    store
        .change_settings(site.scope, &settings("https://new.example"))
        .await
        .unwrap();

    let staging = site.staging().await.scope;
    assert_eq!(
        store.settings(site.scope).await.unwrap(),
        Some(settings("https://new.example"))
    );
    assert_eq!(
        store.settings(staging).await.unwrap(),
        Some(Settings::default())
    );
    assert_eq!(store.audited().await.last().unwrap(), "settings_changed");
}

#[tokio::test]
async fn every_setting_is_read_back_as_it_was_set() {
    let store = TestStore::new().await;
    let site = store.site().await;
    let mut settings = settings("https://new.example");
    settings.tokens = TokenPolicy {
        leeway: Leeway::new(0).unwrap(),
        max_lifetime: MaxLifetime::new(86_400).unwrap(),
        email_required: false,
        audience_required: true,
        issuer_required: true,
        one_time: true,
        actors_allowed: false,
    };
    for text in ["plan=agent", "phone_number=none", "email=actions"] {
        let (claim, for_whom) = parse_claim_for(text).unwrap();
        settings.claims.set(claim, for_whom).unwrap();
    }
    settings
        .claims
        .keep("email".parse().unwrap(), false)
        .unwrap();

    let found = store.change_settings(site.scope, &settings).await.unwrap();

    assert!(found);
    assert_eq!(store.settings(site.scope).await.unwrap(), Some(settings));
}

#[tokio::test]
async fn settings_of_an_earlier_release_are_as_they_were() {
    let store = TestStore::new().await;
    let site = store.site().await;
    store
        .tamper(
            r#"UPDATE environments SET settings = '{"origins":[],"sign_in_url":null,"suggestions":[],"accent":null,"leeway":60,"max_lifetime":3600,"email_required":true}'"#,
        )
        .await;

    let settings = store.settings(site.scope).await.unwrap();

    assert_eq!(settings, Some(Settings::default()));
}

#[tokio::test]
async fn settings_of_an_agent_that_does_not_exist_are_not_changed() {
    let store = TestStore::new().await;
    let scope = Scope {
        agent: AgentId::new(&store.clock),
        environment: Environment::Production,
    };
    let changes = store.changes().await.unwrap();

    let found = store.change_settings(scope, &Settings::default()).await;

    assert!(!found.unwrap());
    assert_eq!(store.changes().await.unwrap(), changes);
}

#[tokio::test]
async fn an_agent_that_does_not_exist_is_not_found() {
    let store = TestStore::new().await;
    let agent = AgentId::new(&store.clock);
    let scope = Scope {
        agent,
        environment: Environment::Production,
    };

    assert_eq!(store.agent(agent).await.unwrap(), None);
    assert_eq!(store.settings(scope).await.unwrap(), None);
}

#[tokio::test]
async fn what_cannot_be_read_is_named_by_table_and_column() {
    let store = TestStore::new().await;
    let site = store.site().await;
    store.tamper("UPDATE environments SET settings = '{'").await;

    let error = store.settings(site.scope).await.unwrap_err();

    assert!(matches!(
        error,
        StoreError::Corrupt {
            table: "environments",
            column: "settings"
        }
    ));
}

#[tokio::test]
async fn two_who_amend_different_settings_at_once_both_succeed() {
    let store = TestStore::new().await;
    let site = store.site().await;
    for seconds in 0..40 {
        let before = store.settings(site.scope).await.unwrap().unwrap();
        let enforcement = store.amend_settings(site.scope, |it| {
            it.enforcement = match it.enforcement {
                Enforcement::Optional => Enforcement::Report,
                Enforcement::Report | Enforcement::Required => Enforcement::Optional,
            };
            Ok::<_, StoreError>(())
        });
        let leeway = store.amend_settings(site.scope, |it| {
            it.tokens.leeway = Leeway::new(seconds).unwrap();
            Ok::<_, StoreError>(())
        });

        let (enforcement, leeway) = tokio::join!(enforcement, leeway);

        enforcement.unwrap();
        leeway.unwrap();
        let now = store.settings(site.scope).await.unwrap().unwrap();
        assert_eq!(now.tokens.leeway.seconds(), seconds);
        assert_ne!(now.enforcement, before.enforcement);
    }
}

#[tokio::test]
async fn an_amendment_that_is_refused_changes_nothing() {
    let store = TestStore::new().await;
    let site = store.site().await;
    let before = store.settings(site.scope).await.unwrap();

    let refused = store
        .amend_settings(site.scope, |it| {
            it.origins.clear();
            it.enforcement = Enforcement::Required;
            Err(StoreError::Conflict)
        })
        .await;

    assert!(matches!(refused, Err(StoreError::Conflict)));
    assert_eq!(store.settings(site.scope).await.unwrap(), before);
}
