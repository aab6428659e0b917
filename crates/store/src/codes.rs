//! One-time codes: asked for, tried, and what they proved (rule A3).
//!
//! What always holds:
//!
//! - Limits are counted here, so they hold over all nodes and restarts. Two who
//!   ask or guess at once are one after the other.
//! - Only limits of a visitor's own doing are told. That an address has had
//!   enough mail would tell that somebody else asked for it; then the answer is
//!   as ever, and no code opens it.
//!
//! Not here: sending (`server::mail`).

use aws_lc_rs::constant_time::verify_slices_are_equal;
use jiff::{SignedDuration, Timestamp};
use maitred_core::{
    code::{CODE_LIVES_FOR, EmailAddress, OneTimeCode, PROOF_LIVES_FOR, ProvenAddress},
    id::{CodeId, SessionId},
    scope::Owner,
    session::Session,
};

use crate::{
    KeyedFor, Store, StoreError,
    audit::Audited,
    db::{Tx, execute, optional_in},
    row::{parsed, time},
};

/// The most guesses at one code.
const MAX_TRIES: i64 = 3;
/// The most codes that one visitor may ask for one address in an hour.
const PER_VISITOR_AND_ADDRESS: i64 = 3;
/// The most mails to one address in an hour, whoever asked.
const PER_ADDRESS: i64 = 10;
/// The most codes in one conversation; and of one visitor in an hour, who could
/// else begin another conversation.
const PER_CONVERSATION: i64 = 6;
const HOUR: SignedDuration = SignedDuration::from_hours(1);
/// How long it is remembered that a code was asked for in a conversation.
const KEPT_FOR: SignedDuration = SignedDuration::from_hours(30 * 24);

/// What came of asking for a code.
#[derive(Debug)]
pub enum Asked {
    /// It can be typed in until then.
    Taken {
        /// When it ends.
        expires_at: Timestamp,
        /// What to send; nothing, if the address has had enough. The visitor is
        /// told the same.
        send: Option<OneTimeCode>,
    },
    /// The visitor asked too often.
    TooMany {
        /// When they may ask again.
        again_at: Timestamp,
    },
}

/// What came of a guess.
#[derive(Debug, PartialEq, Eq)]
pub enum Tried {
    /// The address is proven.
    Right(ProvenAddress),
    /// It is another code.
    Wrong {
        /// How many guesses are left.
        left: i64,
    },
    /// There is no code that could be guessed.
    NoneOpen,
}

impl Store {
    /// Makes a code for this address, in place of the session's last one.
    pub async fn ask_for_code(
        &self,
        session: &Session,
        address: &EmailAddress,
    ) -> Result<Asked, StoreError> {
        let now = self.clock.now();
        let owner = session.owner();
        let mailbox = self.keyed_hash(
            KeyedFor::Address(session.scope),
            address.mailbox().as_bytes(),
        );
        let mut tx = self.begin().await?;
        // In this order always: who asks, then for which mailbox.
        one_at_a_time(&mut tx, &format!("codes of {owner}")).await?;
        one_at_a_time(&mut tx, &format!("codes for {mailbox}")).await?;
        let conversation = conversation_of(&mut tx, owner).await?;
        if let Some(again_at) =
            asked_too_often(&mut tx, owner, &mailbox, conversation.as_deref(), now).await?
        {
            return Ok(Asked::TooMany { again_at });
        }
        let has_room = mailed_lately(&mut tx, &mailbox, now).await? < PER_ADDRESS;

        let code = OneTimeCode::generate();
        let expires_at = now + CODE_LIVES_FOR;
        close_open(&mut tx, session.id, now).await?;
        let row = NewCode {
            conversation,
            mailbox,
            asked_at: now,
            mailed_at: has_room.then_some(now),
            expires_at,
        };
        self.insert_code(&mut tx, session, address, &code, row)
            .await?;
        tx.commit().await?;
        Ok(Asked::Taken {
            expires_at,
            send: has_room.then_some(code),
        })
    }

    /// Takes a guess at the session's code. Each one counts before it is looked
    /// at, so of many at once no more than the allowed are.
    pub async fn try_code(
        &self,
        session: &Session,
        code: &OneTimeCode,
    ) -> Result<Tried, StoreError> {
        const TRY: &str = "
            UPDATE codes SET tries = tries + 1
            WHERE session_id = $1 AND closed_at IS NULL AND expires_at > $2 AND tries < $3
                AND address IS NOT NULL
            RETURNING id, address, code_hash, mailed_at, tries";
        const FORGET_EARLIER: &str = "
            UPDATE codes SET proven_until = NULL, address = NULL
            WHERE session_id = $1 AND proven_until IS NOT NULL";
        const PROVEN: &str = "UPDATE codes SET closed_at = $2, proven_until = $3 WHERE id = $1";

        let now = self.clock.now();
        let mut tx = self.begin().await?;
        let open = optional_in!(
            &mut tx,
            OpenCode,
            TRY,
            session.id.to_string(),
            now.as_microsecond(),
            MAX_TRIES
        )?;
        let Some(open) = open else {
            return Ok(Tried::NoneOpen);
        };
        let id: CodeId = parsed(&open.id, "codes", "id")?;
        let address = open_address(open.address.as_deref())?;
        let guess = self.code_hash(id, session.id, &address, code);
        let is_right = verify_slices_are_equal(guess.as_bytes(), open.code_hash.as_bytes()).is_ok();
        if !is_right || open.mailed_at.is_none() {
            tx.commit().await?;
            return Ok(Tried::Wrong {
                left: MAX_TRIES - open.tries,
            });
        }
        let until = now + PROOF_LIVES_FOR;
        execute!(&mut tx, FORGET_EARLIER, session.id.to_string())?;
        execute!(
            &mut tx,
            PROVEN,
            open.id,
            now.as_microsecond(),
            until.as_microsecond()
        )?;
        // Whose address it is stays out of it.
        let told = serde_json::json!({ "session": session.id.to_string() });
        self.audit(&mut tx, session.scope, Audited::AddressProven, told)
            .await?;
        tx.commit().await?;
        Ok(Tried::Right(ProvenAddress { address, until }))
    }

    /// Forgets the addresses of codes that count for nothing any more, and in the
    /// end that there were any.
    pub async fn forget_codes(&self) -> Result<(), StoreError> {
        const ADDRESSES: &str = "
            UPDATE codes SET address = NULL
            WHERE address IS NOT NULL AND coalesce(proven_until, expires_at) <= $1";
        const CODES: &str = "DELETE FROM codes WHERE asked_at <= $1";
        let now = self.clock.now();
        let mut tx = self.begin().await?;
        execute!(&mut tx, ADDRESSES, now.as_microsecond())?;
        execute!(&mut tx, CODES, (now - KEPT_FOR).as_microsecond())?;
        tx.commit().await
    }

    /// Six digits are guessed from a plain hash; and one that was copied into
    /// another row, for another address or session, fits nothing.
    fn code_hash(
        &self,
        id: CodeId,
        session: SessionId,
        address: &EmailAddress,
        code: &OneTimeCode,
    ) -> String {
        let bound = format!("{id} {session} {} {}", address.as_str(), code.expose());
        self.keyed_hash(KeyedFor::Code, bound.as_bytes())
    }

    async fn insert_code(
        &self,
        tx: &mut Tx,
        session: &Session,
        address: &EmailAddress,
        code: &OneTimeCode,
        row: NewCode,
    ) -> Result<(), StoreError> {
        const SQL: &str = "
            INSERT INTO codes (id, agent_id, environment, session_id, owner, conversation_id,
                address, mailbox_hash, code_hash, asked_at, mailed_at, expires_at, tries)
            VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, 0)";
        let id = CodeId::new(&self.clock);
        execute!(
            tx,
            SQL,
            id.to_string(),
            session.scope.agent.to_string(),
            session.scope.environment.as_str(),
            session.id.to_string(),
            session.owner().to_string(),
            row.conversation,
            address.as_str(),
            row.mailbox,
            self.code_hash(id, session.id, address, code),
            row.asked_at.as_microsecond(),
            row.mailed_at.map(Timestamp::as_microsecond),
            row.expires_at.as_microsecond(),
        )?;
        Ok(())
    }
}

struct NewCode {
    conversation: Option<String>,
    mailbox: String,
    asked_at: Timestamp,
    mailed_at: Option<Timestamp>,
    expires_at: Timestamp,
}

#[derive(sqlx::FromRow)]
struct OpenCode {
    id: String,
    address: Option<String>,
    code_hash: String,
    mailed_at: Option<i64>,
    tries: i64,
}

/// What a session's row says of an address that was proven in it.
pub(crate) fn proven(
    address: Option<&str>,
    until: Option<i64>,
) -> Result<Option<ProvenAddress>, StoreError> {
    let (Some(address), Some(until)) = (address, until) else {
        return Ok(None);
    };
    Ok(Some(ProvenAddress {
        address: open_address(Some(address))?,
        until: time(until, "codes", "proven_until")?,
    }))
}

fn open_address(text: Option<&str>) -> Result<EmailAddress, StoreError> {
    text.and_then(|text| EmailAddress::parse(text).ok())
        .ok_or(StoreError::Corrupt {
            table: "codes",
            column: "address",
        })
}

/// Lets nobody else count under this name until the transaction ends.
async fn one_at_a_time(tx: &mut Tx, name: &str) -> Result<(), StoreError> {
    // SQLite has one writer at a time. On PostgreSQL there is no row to lock yet
    // when the first code is asked for, so it is the name that is locked.
    const POSTGRES: &str = "SELECT pg_advisory_xact_lock(hashtextextended($1, 0))";
    if let Tx::Postgres(tx) = tx {
        sqlx::query(POSTGRES).bind(name).execute(&mut **tx).await?;
    }
    Ok(())
}

/// The conversation that somebody is in.
async fn conversation_of(tx: &mut Tx, owner: Owner) -> Result<Option<String>, StoreError> {
    const SQL: &str = "
        SELECT id FROM conversations WHERE owner = $1 AND closed_at IS NULL
        ORDER BY updated_at DESC, id DESC LIMIT 1";
    let row = optional_in!(tx, (String,), SQL, owner.to_string())?;
    Ok(row.map(|(id,)| id))
}

/// When this visitor may ask again, if that is not now.
async fn asked_too_often(
    tx: &mut Tx,
    owner: Owner,
    mailbox: &str,
    conversation: Option<&str>,
    now: Timestamp,
) -> Result<Option<Timestamp>, StoreError> {
    const FOR_ADDRESS: &str = "
        SELECT count(*), min(asked_at) FROM codes
        WHERE owner = $1 AND asked_at > $2 AND mailbox_hash = $3";
    const BY_VISITOR: &str = "
        SELECT count(*), min(asked_at) FROM codes WHERE owner = $1 AND asked_at > $2";
    const IN_CONVERSATION: &str = "
        SELECT count(*), max(asked_at) FROM codes WHERE conversation_id = $1";

    let an_hour_ago = (now - HOUR).as_microsecond();
    let owner = owner.to_string();
    let for_address: Option<(i64, Option<i64>)> = optional_in!(
        tx,
        (i64, Option<i64>),
        FOR_ADDRESS,
        owner.as_str(),
        an_hour_ago,
        mailbox
    )?;
    let by_visitor: Option<(i64, Option<i64>)> = optional_in!(
        tx,
        (i64, Option<i64>),
        BY_VISITOR,
        owner.as_str(),
        an_hour_ago
    )?;
    let in_conversation: Option<(i64, Option<i64>)> =
        optional_in!(tx, (i64, Option<i64>), IN_CONVERSATION, conversation)?;
    for (counted, limit) in [
        (for_address, PER_VISITOR_AND_ADDRESS),
        (by_visitor, PER_CONVERSATION),
        (in_conversation, PER_CONVERSATION),
    ] {
        if let Some((count, Some(since))) = counted
            && count >= limit
        {
            let again_at = time(since, "codes", "asked_at")? + HOUR;
            // A conversation does not forget; an hour is as good as any other time.
            return Ok(Some(again_at.max(now + SignedDuration::from_mins(1))));
        }
    }
    Ok(None)
}

/// How many mails went to a mailbox within an hour, whoever asked for them.
async fn mailed_lately(tx: &mut Tx, mailbox: &str, now: Timestamp) -> Result<i64, StoreError> {
    const SQL: &str = "
        SELECT count(mailed_at) FROM codes WHERE mailbox_hash = $1 AND asked_at > $2";
    let an_hour_ago = (now - HOUR).as_microsecond();
    let row = optional_in!(tx, (i64,), SQL, mailbox, an_hour_ago)?;
    Ok(row.map_or(0, |(count,)| count))
}

/// Voids the code that a session waits for: the next one takes its place.
async fn close_open(tx: &mut Tx, session: SessionId, now: Timestamp) -> Result<(), StoreError> {
    const SQL: &str = "
        UPDATE codes SET closed_at = $2, address = NULL
        WHERE session_id = $1 AND closed_at IS NULL";
    execute!(tx, SQL, session.to_string(), now.as_microsecond())?;
    Ok(())
}
