//! Agents and their environments.

use maitred_core::{
    agent::{Agent, Enforcement, Origin, Settings, TokenPolicy},
    id::AgentId,
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
            leeway: 5,
            max_lifetime: 600,
            email_required: false,
        },
        enforcement: Enforcement::Report,
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
