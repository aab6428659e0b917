//! What a thief of the database can read.

use maitred_core::scope::Environment;

use super::support::{KEY_SECRET, TestStore};

#[tokio::test]
async fn k2_a_dump_of_the_database_holds_no_secret() {
    let store = TestStore::new().await;
    let site = store.site().await;
    let (sarah, stranger) = (site.meets("sarah").await, site.meets_a_stranger().await);
    let assertion_key = b"pkcs8-hunter3-hunter3-hunter3";
    store
        .insert_assertion_key(Environment::Production, "k1", assertion_key)
        .await
        .unwrap();
    let master = std::fs::read_to_string(store.path("master.key")).unwrap();

    let dump = store.dump().await;

    assert!(
        dump.contains(&sarah.session().to_string()),
        "the dump is read"
    );
    for secret in [
        std::str::from_utf8(KEY_SECRET).unwrap(),
        std::str::from_utf8(assertion_key).unwrap(),
        sarah.opened.secret.expose(),
        stranger.opened.secret.expose(),
        stranger.visitor_secret().expose(),
        master.trim(),
    ] {
        assert!(!dump.contains(secret), "{secret}");
        // Nor without the part that says what it is, nor as the bytes of a column in hex.
        let bare = &secret[secret.len() - 20..];
        let hex: String = bare.bytes().map(|byte| format!("{byte:02x}")).collect();
        assert!(!dump.contains(bare), "{bare}");
        assert!(!dump.contains(&hex), "{hex}");
    }
}
