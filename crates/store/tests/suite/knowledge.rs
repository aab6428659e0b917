//! Sources and vectors.

use maitred_store::Source;

use super::support::TestStore;

#[tokio::test]
async fn a_page_put_again_is_replaced_under_its_id() {
    let store = TestStore::new().await;
    let agent = store.site().await.scope.agent;
    let url = "https://shop.example/help/shipping";
    let id = store.put_source(agent, url, "Shipping", "3 days").await;
    let id = id.unwrap();

    let again = store.put_source(agent, url, "Delivery", "2 days").await;

    assert_eq!(again.unwrap(), id);
    let kept = Source {
        id,
        url: url.to_owned(),
        title: "Delivery".to_owned(),
        body: "2 days".to_owned(),
    };
    assert_eq!(store.sources(agent).await.unwrap(), [kept]);
}

#[tokio::test]
async fn pages_stand_in_the_order_of_the_bytes_of_their_addresses() {
    let store = TestStore::new().await;
    let agent = store.site().await.scope.agent;
    for url in ["https://a/b", "https://a/B", "https://a/_", "https://a/a"] {
        store.put_source(agent, url, "", "").await.unwrap();
    }

    let urls: Vec<String> = store
        .sources(agent)
        .await
        .unwrap()
        .into_iter()
        .map(|source| source.url)
        .collect();

    assert_eq!(
        urls,
        ["https://a/B", "https://a/_", "https://a/a", "https://a/b"]
    );
}

#[tokio::test]
async fn d1_the_pages_of_another_agent_are_not_cited() {
    let store = TestStore::new().await;
    let (one, other) = (store.site().await, store.site().await);

    store
        .put_source(one.scope.agent, "https://a", "A", "a")
        .await
        .unwrap();

    assert_eq!(store.sources(other.scope.agent).await.unwrap(), []);
}

#[tokio::test]
async fn vectors_are_kept_byte_for_byte_and_the_first_one_stays() {
    let store = TestStore::new().await;
    let every_byte: Vec<u8> = (0..=255).collect();
    let first = [
        ("h1".to_owned(), every_byte.clone()),
        ("h2".to_owned(), vec![]),
    ];
    store.put_embeddings(&first).await.unwrap();

    let again = [
        ("h1".to_owned(), vec![1]),
        ("h3".to_owned(), vec![0; 1_536]),
    ];
    store.put_embeddings(&again).await.unwrap();

    let mut kept = store.embeddings().await.unwrap();
    kept.sort();
    let expected = [
        ("h1".to_owned(), every_byte),
        ("h2".to_owned(), vec![]),
        ("h3".to_owned(), vec![0; 1_536]),
    ];
    assert_eq!(kept, expected);
}

#[tokio::test]
async fn no_vectors_are_kept_without_complaint() {
    let store = TestStore::new().await;

    store.put_embeddings(&[]).await.unwrap();

    assert_eq!(store.embeddings().await.unwrap(), []);
}
