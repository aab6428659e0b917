//! One person: everything that is kept of them, and forgetting it (rule D7).
//!
//! A person is the contact of a subject, and the anonymous visitors who turned
//! out to be that contact. One whose conversation was taken apart again ("Not
//! mine") did not.
//!
//! On SQLite it is gone from the files, too, not only from the tables. A backup from
//! before still has it.
//!
//! What nobody can find by the subject is not theirs: what was taken apart, and
//! what the audit log says without naming anybody.

mod export;

use maitred_core::{
    contact::Subject,
    id::{ContactId, VisitorId},
    scope::{Owner, Scope},
    session::{Holder, Session},
};
use serde_json::{Value, json};

use crate::{
    By, Store, StoreError,
    audit::Audited,
    db::{Tx, all_in, execute, optional_in},
    marks::take_site,
    notices::Notice,
    row::parsed,
    sessions::lock_owner,
};

pub use export::{
    Person, PersonsChange, PersonsConversation, PersonsEntry, PersonsMemory, PersonsRating,
    PersonsSession, PersonsVerification, ProvenOnce,
};

/// What was erased. The contact's id is not among it: it names nobody any more.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Erased {
    /// Whether there was a contact.
    pub contact: bool,
    /// How many conversations.
    pub conversations: u64,
    /// How many entries in them.
    pub entries: u64,
    /// How many sessions, those that had ended too.
    pub sessions: u64,
    /// How many entries of the verification log.
    pub verifications: u64,
}

impl Store {
    /// Forgets a person: everything that [`export_person`](Self::export_person)
    /// tells. Their tokens that were made up to now open nothing any more, or one
    /// that is on its way would make them anew. `None` if there is no such agent.
    pub async fn erase_person(
        &self,
        scope: Scope,
        subject: &Subject,
    ) -> Result<Option<Erased>, StoreError> {
        let mut tx = self.begin().await?;
        // Nobody signs in meanwhile.
        if !self.mark_logged_out(&mut tx, scope, subject).await? {
            return Ok(None);
        }
        let contact = contact_of(&mut tx, scope, subject).await?;
        let told = json!({});
        self.erase(tx, scope, subject, contact, told)
            .await
            .map(Some)
    }

    /// Forgets whoever holds this session, at their own wish: a contact as
    /// [`erase_person`](Self::erase_person) does, an anonymous visitor alike. False if
    /// that was done before.
    pub async fn forget(&self, session: &Session) -> Result<bool, StoreError> {
        let scope = session.scope;
        match &session.holder {
            Holder::Anonymous(visitor) => self.forget_visitor(scope, *visitor).await,
            Holder::Verified {
                contact, identity, ..
            } => {
                let subject: Subject = parsed(&identity.subject, "sessions", "identity")?;
                let mut tx = self.begin().await?;
                if !self.mark_logged_out(&mut tx, scope, &subject).await? {
                    return Ok(false);
                }
                // Who came back since under the same subject wished for nothing.
                let found = contact_of(&mut tx, scope, &subject).await?;
                if found != Some(*contact) {
                    return Ok(false);
                }
                let told = json!({ "by": By::Visitor.as_str() });
                self.erase(tx, scope, &subject, found, told).await?;
                Ok(true)
            }
        }
    }

    /// In a transaction that has taken the environment.
    async fn erase(
        &self,
        mut tx: Tx,
        scope: Scope,
        subject: &Subject,
        contact: Option<ContactId>,
        told: Value,
    ) -> Result<Erased, StoreError> {
        const VERIFICATIONS: &str = "
            DELETE FROM verifications
            WHERE agent_id = $1 AND environment = $2 AND subject_hash = $3";
        let mut erased = Erased::default();
        if let Some(contact) = contact {
            erased.contact = true;
            erase_owners(&mut tx, contact, &mut erased).await?;
        }
        erased.verifications = execute!(
            &mut tx,
            VERIFICATIONS,
            scope.agent.to_string(),
            scope.environment.as_str(),
            self.subject_hash(scope, subject.as_str())
        )?;
        self.erased(tx, scope, contact.map(Owner::Contact), erased, told)
            .await?;
        Ok(erased)
    }

    async fn forget_visitor(&self, scope: Scope, id: VisitorId) -> Result<bool, StoreError> {
        const KNOWN: &str = "
            SELECT id FROM visitors
            WHERE id = $1 AND agent_id = $2 AND environment = $3 AND contact_id IS NULL";
        let mut tx = self.begin().await?;
        // They neither sign in meanwhile nor open a conversation.
        take_site(&mut tx, scope).await?;
        let known = optional_in!(
            &mut tx,
            (String,),
            KNOWN,
            id.to_string(),
            scope.agent.to_string(),
            scope.environment.as_str()
        )?;
        if known.is_none() {
            return Ok(false);
        }
        let mut erased = Erased::default();
        let owner = Owner::Visitor(id);
        erase_conversations(&mut tx, owner, &mut erased).await?;
        erase_sessions(&mut tx, owner, &mut erased).await?;
        execute!(&mut tx, VISITOR, id.to_string())?;
        let told = json!({ "by": By::Visitor.as_str() });
        self.erased(tx, scope, Some(owner), erased, told).await?;
        Ok(true)
    }

    /// Notes what was erased and of nobody, ends it everywhere, and commits.
    async fn erased(
        &self,
        mut tx: Tx,
        scope: Scope,
        owner: Option<Owner>,
        erased: Erased,
        mut told: Value,
    ) -> Result<(), StoreError> {
        told["conversations"] = erased.conversations.into();
        told["entries"] = erased.entries.into();
        told["sessions"] = erased.sessions.into();
        self.audit(&mut tx, scope, Audited::PersonErased, told)
            .await?;
        if let Some(owner) = owner {
            self.notify(&mut tx, Notice::SessionsEnded(Some(owner)))
                .await?;
        }
        tx.commit().await?;
        self.empty_the_log().await;
        Ok(())
    }
}

const VISITOR: &str = "DELETE FROM visitors WHERE id = $1";

async fn contact_of(
    tx: &mut Tx,
    scope: Scope,
    subject: &Subject,
) -> Result<Option<ContactId>, StoreError> {
    const SQL: &str =
        "SELECT id FROM contacts WHERE agent_id = $1 AND environment = $2 AND subject = $3";
    let row = optional_in!(
        tx,
        (String,),
        SQL,
        scope.agent.to_string(),
        scope.environment.as_str(),
        subject.as_str()
    )?;
    row.map(|(id,)| parsed(&id, "contacts", "id")).transpose()
}

/// The anonymous visitors who turned out to be this contact, and were not taken
/// for them by mistake.
async fn visitors_of(tx: &mut Tx, contact: ContactId) -> Result<Vec<VisitorId>, StoreError> {
    const SQL: &str = "
        SELECT id FROM visitors
        WHERE contact_id = $1 AND NOT EXISTS (
            SELECT 1 FROM merges
            WHERE merges.contact_id = $1 AND merges.visitor_id = visitors.id
                AND merges.undone_at IS NOT NULL)
        ORDER BY id";
    let rows = all_in!(tx, (String,), SQL, contact.to_string())?;
    rows.iter()
        .map(|(id,)| parsed(id, "visitors", "id"))
        .collect()
}

/// Erases a contact and the visitors they were, with all that is theirs.
async fn erase_owners(
    tx: &mut Tx,
    contact: ContactId,
    erased: &mut Erased,
) -> Result<(), StoreError> {
    const OTHERS: &str = "UPDATE visitors SET contact_id = NULL WHERE contact_id = $1";
    const CONTACT: &str = "DELETE FROM contacts WHERE id = $1";

    let visitors = visitors_of(tx, contact).await?;
    let mut owners: Vec<Owner> = visitors.into_iter().map(Owner::Visitor).collect();
    owners.push(Owner::Contact(contact));
    // A conversation before its owner, and an owner before their sessions: in the
    // order of everybody else.
    for owner in &owners {
        erase_conversations(tx, *owner, erased).await?;
    }
    for owner in &owners {
        erase_sessions(tx, *owner, erased).await?;
    }
    for owner in &owners {
        if let Owner::Visitor(visitor) = owner {
            execute!(tx, VISITOR, visitor.to_string())?;
        }
    }
    execute!(tx, OTHERS, contact.to_string())?;
    execute!(tx, CONTACT, contact.to_string())?;
    Ok(())
}

async fn erase_conversations(
    tx: &mut Tx,
    owner: Owner,
    erased: &mut Erased,
) -> Result<(), StoreError> {
    const TAKE: &str = "
        UPDATE conversations SET updated_at = updated_at WHERE owner = $1 RETURNING id";
    const MERGES: &str = "DELETE FROM merges WHERE conversation_id = $1";
    const ENTRIES: &str = "DELETE FROM entries WHERE conversation_id = $1";
    const CONVERSATION: &str = "DELETE FROM conversations WHERE id = $1";
    const EVENTS: &str = "DELETE FROM events WHERE owner = $1";

    for (id,) in all_in!(tx, (String,), TAKE, owner.to_string())? {
        execute!(tx, MERGES, id.as_str())?;
        erased.entries += execute!(tx, ENTRIES, id.as_str())?;
        erased.conversations += execute!(tx, CONVERSATION, id.as_str())?;
    }
    execute!(tx, EVENTS, owner.to_string())?;
    Ok(())
}

async fn erase_sessions(tx: &mut Tx, owner: Owner, erased: &mut Erased) -> Result<(), StoreError> {
    const CODES: &str = "DELETE FROM codes WHERE owner = $1";
    const OF_CONTACT: &str = "DELETE FROM sessions WHERE contact_id = $1";
    const OF_VISITOR: &str = "DELETE FROM sessions WHERE visitor_id = $1";

    lock_owner(tx, owner).await?;
    execute!(tx, CODES, owner.to_string())?;
    let sql = match owner {
        Owner::Contact(_) => OF_CONTACT,
        Owner::Visitor(_) => OF_VISITOR,
    };
    erased.sessions += execute!(tx, sql, owner.to_string())?;
    Ok(())
}
