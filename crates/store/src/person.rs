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
};

use crate::{
    Store, StoreError,
    audit::Audited,
    db::{Tx, all_in, execute, optional_in},
    notices::Notice,
    row::parsed,
    sessions::lock_owner,
};

pub use export::{
    Person, PersonsConversation, PersonsEntry, PersonsSession, PersonsVerification, ProvenOnce,
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
        const VERIFICATIONS: &str = "
            DELETE FROM verifications
            WHERE agent_id = $1 AND environment = $2 AND subject_hash = $3";
        let mut tx = self.begin().await?;
        // Nobody signs in meanwhile.
        if !self.mark_logged_out(&mut tx, scope, subject).await? {
            return Ok(None);
        }
        let mut erased = Erased::default();
        let contact = contact_of(&mut tx, scope, subject).await?;
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
        let told = serde_json::json!({
            "conversations": erased.conversations,
            "entries": erased.entries,
            "sessions": erased.sessions,
        });
        self.audit(&mut tx, scope, Audited::PersonErased, told)
            .await?;
        if let Some(contact) = contact {
            let owner = Owner::Contact(contact);
            self.notify(&mut tx, Notice::SessionsEnded(Some(owner)))
                .await?;
        }
        tx.commit().await?;
        self.empty_the_log().await?;
        Ok(Some(erased))
    }
}

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
    const VISITOR: &str = "DELETE FROM visitors WHERE id = $1";
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
