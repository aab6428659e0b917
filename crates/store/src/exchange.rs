//! From a token that was found good to a session.
//!
//! What the token alone cannot say is asked here, in the transaction that stores
//! the session, so that nothing slips past: whether its key is still good, its
//! subject was logged out everywhere, or it was used before.

use jiff::{SignedDuration, Timestamp};
use maitred_core::{
    contact::Record,
    id::{KeyId, SessionId},
    identity::Identity,
    scope::Scope,
    session::{Holder, Session},
};

use crate::{
    Store, StoreError,
    db::{Tx, execute, optional_in},
    merge::Before,
    one_time::Once,
    row::{IdentityJson, to_json},
    sessions::{Opened, Opening},
    test_identities::is_test,
};

/// What a good token brings along.
#[derive(Clone, Debug)]
pub struct Proven {
    /// Whom it is about.
    pub identity: Identity,
    /// What of that is kept with the contact.
    pub record: Record,
    /// The key that verified it.
    pub key: KeyId,
    /// Its `iat`.
    pub issued_at: Option<Timestamp>,
    /// By how much the site's clock may be off.
    pub leeway: SignedDuration,
    /// Its own id, if it is good once only.
    pub once: Option<Once>,
    /// Until when a session may rely on it (rule S2).
    pub lasts_until: Timestamp,
}

impl Store {
    /// Opens a session of somebody the site vouches for.
    ///
    /// If they were `before` an anonymous visitor, everything of that visitor
    /// ends in the same transaction (rule S8), and the conversation they were in
    /// may come along (rule M1).
    pub async fn open_verified(
        &self,
        opening: Opening,
        proven: Proven,
        before: Option<Before>,
    ) -> Result<Opened, StoreError> {
        let store = self.clone();
        let opened = async move { store.open_verified_here(opening, proven, before).await };
        self.writer.beside(opened).await
    }

    async fn open_verified_here(
        &self,
        opening: Opening,
        mut proven: Proven,
        before: Option<Before>,
    ) -> Result<Opened, StoreError> {
        let scope = opening.scope;
        let mut tx = self.begin().await?;
        let contact = self.upsert_contact(&mut tx, scope, &proven).await?;
        proven.identity.is_test = is_test(&mut tx, scope, &proven.identity.subject).await?;
        let holder = Holder::Verified {
            contact,
            identity: Box::new(proven.identity.clone()),
            key: proven.key,
        };
        let session = opening.session(SessionId::new(&self.clock), holder, proven.lasts_until);
        let unless = Some(self.unless_marked(scope, &proven));
        let inserted = self.insert_session(&mut tx, &session, unless).await?;
        let Some(secret) = inserted else {
            self.refuse(&mut tx, scope, &proven).await?;
            return Err(StoreError::Conflict);
        };
        if let Some(once) = &proven.once {
            self.spend(&mut tx, scope, proven.key, once).await?;
        }
        if let Some(before) = before {
            self.retire_visitor(&mut tx, scope, before, contact).await?;
        }
        tx.commit().await?;
        Ok(Opened {
            session,
            secret,
            visitor: None,
        })
    }

    /// Lets a verified session go on with a new token of the same subject.
    ///
    /// [`StoreError::Conflict`] if the session has ended, or is not this
    /// subject's (rule S3).
    pub async fn renew(
        &self,
        session: &Session,
        mut proven: Proven,
    ) -> Result<Session, StoreError> {
        const SQL: &str = "
            UPDATE sessions SET identity = $2, key_id = $3, expires_at = $4
            WHERE id = $1 AND contact_id = $5 AND ended_at IS NULL";
        let scope = session.scope;
        let mut tx = self.begin().await?;
        let contact = self.upsert_contact(&mut tx, scope, &proven).await?;
        proven.identity.is_test = is_test(&mut tx, scope, &proven.identity.subject).await?;
        self.refuse(&mut tx, scope, &proven).await?;
        if let Some(once) = &proven.once {
            self.spend(&mut tx, scope, proven.key, once).await?;
        }
        let renewed = execute!(
            &mut tx,
            SQL,
            session.id.to_string(),
            to_json(&IdentityJson::from(&proven.identity)),
            proven.key.to_string(),
            proven.lasts_until.as_microsecond(),
            contact.to_string(),
        )?;
        if renewed == 0 {
            return Err(StoreError::Conflict);
        }
        tx.commit().await?;
        let holder = Holder::Verified {
            contact,
            identity: Box::new(proven.identity),
            key: proven.key,
        };
        Ok(Session {
            holder,
            expires_at: proven.lasts_until,
            ..session.clone()
        })
    }

    /// Says what a session would be refused for, by the questions of the exchange, and
    /// changes nothing: a token that is good once is still good afterwards.
    pub async fn would_admit(&self, scope: Scope, proven: &Proven) -> Result<(), StoreError> {
        let mut tx = self.begin().await?;
        let mut admitted = self.refuse(&mut tx, scope, proven).await;
        if let (Ok(()), Some(once)) = (&admitted, &proven.once) {
            admitted = self.spend(&mut tx, scope, proven.key, once).await;
        }
        tx.roll_back().await?;
        admitted
    }

    /// Asks what only the store can say against a good token, in the order in which
    /// it is told. What it says stays true until the transaction ends, if that has
    /// its contact already.
    async fn refuse(&self, tx: &mut Tx, scope: Scope, proven: &Proven) -> Result<(), StoreError> {
        refuse_revoked_key(tx, scope, proven.key).await?;
        self.refuse_marked(tx, scope, proven).await
    }
}

async fn refuse_revoked_key(tx: &mut Tx, scope: Scope, key: KeyId) -> Result<(), StoreError> {
    const SQL: &str = "
        SELECT id FROM signing_keys
        WHERE id = $1 AND agent_id = $2 AND environment = $3 AND revoked_at IS NULL";
    let row = optional_in!(
        tx,
        (String,),
        SQL,
        key.to_string(),
        scope.agent.to_string(),
        scope.environment.as_str()
    )?;
    row.map(|_| ()).ok_or(StoreError::KeyRevoked)
}
