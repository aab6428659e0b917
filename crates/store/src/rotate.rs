//! A new master key for everything that is sealed (rules K2, D4).

use secrecy::ExposeSecret;

use crate::{
    MasterKey, Store, StoreError, assertion_keys, audit,
    audit::Audited,
    db::{Tx, all_in, execute, optional_in},
    installation::{MASTER_CHECK, bump_changes},
    keyed, keys,
    row::parsed,
};

/// Something that is sealed: where, under which id, bound to what, and the text.
struct Sealed {
    update: &'static str,
    id: String,
    bound_to: String,
    text: String,
}

impl Store {
    /// Seals everything anew under another master key, in one transaction. How many
    /// things that were.
    ///
    /// This store goes on with the key it had, which opens nothing any more: open
    /// another one. After an error, either key may be the one that opens.
    pub async fn rotate_master(&self, new: &MasterKey) -> Result<usize, StoreError> {
        let mut tx = self.begin().await?;
        // First of all: it keeps off whoever is about to seal something.
        bump_changes(&mut tx).await?;
        self.refuse_other_master(&mut tx).await?;
        let mut everything = installation(&mut tx).await?;
        everything.extend(signing_keys(&mut tx).await?);
        everything.extend(assertion_keys(&mut tx).await?);
        for sealed in &everything {
            let secret = self
                .master
                .open(&sealed.bound_to, &sealed.text)
                .ok_or_else(|| StoreError::Sealed(sealed.id.clone()))?;
            let anew = new.seal(&sealed.bound_to, secret.expose_secret());
            execute!(&mut tx, sealed.update, sealed.id.as_str(), anew)?;
        }
        let told = serde_json::json!({ "sealed": everything.len() });
        let place = audit::Place::Installation;
        self.audit(&mut tx, place, Audited::MasterRotated, told)
            .await?;
        tx.commit().await?;
        Ok(everything.len())
    }

    /// Refuses to go on if the master key was changed since this store was opened:
    /// what it seals could never be opened. To be asked in the transaction, once it
    /// holds the row of changes.
    pub(crate) async fn refuse_other_master(&self, tx: &mut Tx) -> Result<(), StoreError> {
        const SQL: &str = "SELECT value FROM installation WHERE name = $1";
        let kept = optional_in!(tx, (String,), SQL, MASTER_CHECK)?;
        kept.and_then(|(kept,)| self.master.open(MASTER_CHECK, &kept))
            .map(|_| ())
            .ok_or_else(|| StoreError::Sealed(MASTER_CHECK.to_owned()))
    }
}

async fn installation(tx: &mut Tx) -> Result<Vec<Sealed>, StoreError> {
    const SQL: &str = "SELECT name, value FROM installation WHERE name = $1 OR name = $2";
    let rows = all_in!(tx, (String, String), SQL, MASTER_CHECK, keyed::ROW)?;
    let sealed = rows.into_iter().map(|(name, text)| Sealed {
        update: "UPDATE installation SET value = $2 WHERE name = $1",
        bound_to: name.clone(),
        id: name,
        text,
    });
    Ok(sealed.collect())
}

async fn signing_keys(tx: &mut Tx) -> Result<Vec<Sealed>, StoreError> {
    // Public keys and sets have nothing that is sealed.
    const SQL: &str =
        "SELECT id, agent_id, environment, secret FROM signing_keys WHERE secret <> ''";
    let rows = all_in!(tx, (String, String, String, String), SQL)?;
    let sealed = rows.into_iter().map(|(id, agent, environment, text)| {
        let scope = maitred_core::scope::Scope {
            agent: parsed(&agent, "signing_keys", "agent_id")?,
            environment: parsed(&environment, "signing_keys", "environment")?,
        };
        let key = parsed(&id, "signing_keys", "id")?;
        Ok(Sealed {
            update: "UPDATE signing_keys SET secret = $2 WHERE id = $1",
            bound_to: keys::sealed_in(key, scope),
            id,
            text,
        })
    });
    sealed.collect()
}

async fn assertion_keys(tx: &mut Tx) -> Result<Vec<Sealed>, StoreError> {
    const SQL: &str = "SELECT id, environment, secret FROM assertion_keys";
    let rows = all_in!(tx, (String, String, String), SQL)?;
    let sealed = rows.into_iter().map(|(id, environment, text)| {
        let environment = parsed(&environment, "assertion_keys", "environment")?;
        Ok(Sealed {
            update: "UPDATE assertion_keys SET secret = $2 WHERE id = $1",
            bound_to: assertion_keys::sealed_in(&id, environment),
            id,
            text,
        })
    });
    sealed.collect()
}

#[cfg(test)]
mod tests {
    use std::{fs, path::Path};

    /// Whoever seals something in another file adds it above, and here.
    #[test]
    fn d4_everything_that_is_sealed_gets_a_new_master_key() {
        let known = [
            "assertion_keys.rs",
            "installation.rs",
            "keyed.rs",
            "keys/insert.rs",
            "rotate.rs",
            "seal.rs",
        ];
        let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
        let mut sealing = Vec::new();
        let mut to_read = vec![root.clone()];
        while let Some(dir) = to_read.pop() {
            for entry in fs::read_dir(dir).unwrap() {
                let path = entry.unwrap().path();
                if path.is_dir() {
                    to_read.push(path);
                } else if fs::read_to_string(&path).unwrap().contains(".seal(") {
                    let name = path.strip_prefix(&root).unwrap();
                    sealing.push(name.display().to_string());
                }
            }
        }
        sealing.sort();

        assert_eq!(sealing, known);
    }
}
