use std::os::unix::fs::PermissionsExt;

use maitred_core::{
    agent::Settings,
    scope::{Environment, Scope},
};
use maitred_store::{KeyMaterial, KeyTerms, KeyedFor};
use maitred_token::Algorithm;
use tempfile::TempDir;

use super::*;
use crate::{config::Overrides, keys};

/// Data with a secret in it.
struct Data {
    dir: TempDir,
    config: Config,
    scope: Scope,
    secret: String,
    hash: String,
}

impl Data {
    async fn new() -> Self {
        let dir = tempfile::tempdir().unwrap();
        let overrides = Overrides {
            data: Some(dir.path().to_owned()),
            ..Overrides::default()
        };
        let config = Config::load(&overrides, None, None, std::iter::empty()).unwrap();
        let store = open(&config, Clock::system()).await.unwrap();
        let settings = Settings::default();
        let agent = store.create_agent("Ada", &settings, &settings).await;
        let scope = Scope {
            agent: agent.unwrap().id,
            environment: Environment::Production,
        };
        let made = keys::make(&store, scope, Algorithm::Hs256, KeyTerms::default()).await;
        let pkcs8 = b"a key for assertions";
        store
            .insert_assertion_key(Environment::Staging, "k1", pkcs8)
            .await
            .unwrap();
        let hash = store.keyed_hash(KeyedFor::Subject(scope), b"42");
        store.close().await;
        Self {
            dir,
            config,
            scope,
            secret: made.ok().unwrap().secret.expose().to_owned(),
            hash,
        }
    }

    fn file(&self, name: &str) -> PathBuf {
        self.dir.path().join(name)
    }

    fn key(&self) -> String {
        fs::read_to_string(self.file("master.key")).unwrap()
    }

    fn names(&self) -> Vec<String> {
        let files = fs::read_dir(self.dir.path()).unwrap();
        let names = files.map(|it| it.unwrap().file_name().into_string().unwrap());
        let mut names: Vec<String> = names.filter(|name| name.starts_with("master")).collect();
        names.sort();
        names
    }

    async fn rotates(&self) -> anyhow::Result<Rotated> {
        rotate(&self.config, Clock::system()).await
    }

    /// Everything that was sealed comes out as it went in.
    async fn is_whole(&self) {
        let store = open(&self.config, Clock::system()).await.unwrap();
        let key = store.keys(self.scope).await.unwrap().pop().unwrap();
        let KeyMaterial::Secret(secret) = key.material else {
            panic!("a secret was made")
        };
        assert_eq!(secret.bytes.expose_secret(), self.secret.as_bytes());
        let assertion = store.assertion_keys(Environment::Staging).await.unwrap();
        assert_eq!(assertion[0].expose_secret(), b"a key for assertions");
        let hash = store.keyed_hash(KeyedFor::Subject(self.scope), b"42");
        assert_eq!(hash, self.hash);
        store.close().await;
    }
}

#[tokio::test]
async fn d4_a_new_master_key_opens_everything_and_the_old_one_nothing() {
    let data = Data::new().await;
    let before = data.key();

    let rotated = data.rotates().await.unwrap();

    // The check, the key of hashes, a secret, a key for assertions.
    assert_eq!(rotated.sealed, 4);
    assert_ne!(data.key(), before);
    data.is_whole().await;
    assert_eq!(fs::read_to_string(&rotated.old).unwrap(), before);
    let old = MasterKey::at(&rotated.old).unwrap();
    let with_old = Store::open(&data.config.database, old, Clock::system()).await;
    assert!(matches!(with_old, Err(OpenError::WrongMasterKey)));
    assert_eq!(data.names().len(), 2, "{:?}", data.names());
    let mode = fs::metadata(data.file("master.key")).unwrap();
    assert_eq!(mode.permissions().mode() & 0o777, 0o600);

    data.rotates().await.unwrap();
    data.is_whole().await;
}

#[tokio::test]
async fn d4_a_rotation_cut_off_before_the_data_leaves_the_old_key() {
    let data = Data::new().await;
    let before = data.key();
    // The new key is written, and nothing is sealed with it.
    make_private_file(&data.file("master.key.next"), &fresh()).unwrap();

    data.is_whole().await;
    assert_eq!(data.key(), before);

    data.rotates().await.unwrap();
    data.is_whole().await;
}

#[tokio::test]
async fn d4_a_rotation_cut_off_after_the_data_is_finished_at_the_next_start() {
    let data = Data::new().await;
    make_private_file(&data.file("master.key.next"), &fresh()).unwrap();
    let new = fs::read_to_string(data.file("master.key.next")).unwrap();
    let store = open(&data.config, Clock::system()).await.unwrap();
    let next = MasterKey::at(&data.file("master.key.next")).unwrap();
    store.rotate_master(&next).await.unwrap();
    store.close().await;

    data.is_whole().await;

    assert_eq!(data.key(), new);
    assert_eq!(data.names(), ["master.key"]);
}

#[tokio::test]
async fn d4_a_wrong_key_beside_another_opens_nothing() {
    let data = Data::new().await;
    let right = data.key();
    for name in ["master.key", "master.key.next"] {
        fs::write(data.file(name), fresh()).unwrap();
    }

    assert!(open(&data.config, Clock::system()).await.is_err());

    fs::write(data.file("master.key"), right).unwrap();
    data.is_whole().await;
}

#[tokio::test]
async fn d4_the_master_key_is_not_rotated_under_a_running_server() {
    let data = Data::new().await;
    let before = data.key();
    let server = serve::lock(&data.config).unwrap();

    let refused = data.rotates().await.err().unwrap();

    assert!(refused.to_string().contains("another maitred serves"));
    assert_eq!(data.key(), before);
    drop(server);
    data.rotates().await.unwrap();
}

#[tokio::test]
async fn d4_whoever_still_has_the_old_key_seals_nothing() {
    let data = Data::new().await;
    let command = open(&data.config, Clock::system()).await.unwrap();

    data.rotates().await.unwrap();
    let made = keys::make(&command, data.scope, Algorithm::Hs256, KeyTerms::default()).await;
    let assertion = command
        .insert_assertion_key(Environment::Staging, "k2", b"lost")
        .await;

    assert!(made.is_err() && assertion.is_err());
    data.is_whole().await;
}
