//! Actions.

use super::support::TestStore;

#[tokio::test]
async fn an_action_put_again_is_replaced_under_its_id_and_counts_its_versions() {
    let store = TestStore::new().await;
    let agent = store.site().await.scope.agent;
    let first = store.put_action(agent, "order_status", r#"{"v":1}"#).await;

    let second = store.put_action(agent, "order_status", r#"{"v":2}"#).await;

    let [action] = <[_; 1]>::try_from(store.actions(agent).await.unwrap()).unwrap();
    assert_eq!(action.id, first.unwrap());
    assert_eq!(action.id, second.unwrap());
    assert_eq!(
        (
            action.name.as_str(),
            action.version,
            action.definition.as_str()
        ),
        ("order_status", 2, r#"{"v":2}"#)
    );
}

#[tokio::test]
async fn actions_stand_in_the_order_of_the_bytes_of_their_names() {
    let store = TestStore::new().await;
    let agent = store.site().await.scope.agent;
    for name in ["b", "_c", "a", "B"] {
        store.put_action(agent, name, "{}").await.unwrap();
    }

    let names: Vec<String> = store
        .actions(agent)
        .await
        .unwrap()
        .into_iter()
        .map(|action| action.name)
        .collect();

    assert_eq!(names, ["B", "_c", "a", "b"]);
}

#[tokio::test]
async fn d1_an_action_of_another_agent_is_not_offered_and_not_replaced() {
    let store = TestStore::new().await;
    let (one, other) = (store.site().await, store.site().await);
    let mine = store.put_action(one.scope.agent, "refund", "1").await;

    let theirs = store.put_action(other.scope.agent, "refund", "2").await;

    assert_ne!(mine.unwrap(), theirs.unwrap());
    assert_eq!(
        store.actions(one.scope.agent).await.unwrap()[0].definition,
        "1"
    );
}
