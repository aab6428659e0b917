//! Everything that is kept: one schema and one SQL text on SQLite and PostgreSQL.
//!
//! [`Store`] is a concrete struct with one method for each thing the program
//! does to its data. Not found is `Ok(None)`, and a thing that is not yours is a
//! thing that does not exist: the owner stands in the `WHERE`.
//!
//! What always holds:
//!
//! - An answer is given after an awaited COMMIT, never before.
//! - What is secret is stored hashed (sessions, visitors) or sealed under the
//!   master key (signing keys), so a dump of the database signs nothing.
//! - What could be guessed from a hash (a subject, a code) is hashed with a key
//!   that only this installation has.
//!
//! Not here: what happens to an event after it was committed (`server::hub`).

mod db;
mod writer;

mod actions;
mod agents;
mod api_keys;
mod append;
mod assertion_keys;
mod audit;
mod backup;
mod bus;
mod codes;
mod contacts;
mod conversations;
mod entries;
mod error;
mod events;
mod exchange;
mod fetched_sets;
mod files;
mod installation;
mod keyed;
mod keys;
mod knowledge;
mod marks;
mod memory;
mod merge;
mod nodes;
mod notices;
mod one_time;
mod open;
mod page;
mod passphrase;
mod person;
mod rotate;
mod row;
mod seal;
mod search;
mod sessions;
mod status;
mod sweep;
mod test_identities;
mod undo;
mod verifications;

pub use actions::StoredAction;
pub use api_keys::ApiKey;
pub use audit::{Actor, AuditLine};
pub use backup::{BackupError, Manifest, Restored, Tell, back_up, inspect, restore};
pub use bus::{Heard, Listener, Told};
pub use codes::{Asked, Tried};
pub use conversations::Waiting;
pub use entries::{Appended, Posted, TurnMark};
pub use error::{OpenError, StoreError};
pub use events::Replay;
pub use exchange::Proven;
pub use fetched_sets::{FetchedSet, GoodSet, SetFailure};
pub use files::make_private_file;
pub use keyed::KeyedFor;
pub use keys::{
    BroughtKey, KeyConflict, KeyMaterial, KeyState, KeyTerms, RemoteSet, SharedSecret, StoredKey,
};
pub use knowledge::{
    Counts, NewPage, NewPassage, NewSource, Outcome, PageChange, PageMark, Passage, PassageKey,
    Source, SourceChange, SourcePage, Unembedded, Validators, Work,
};
pub use marks::LoggedOut;
pub use memory::ToRemember;
pub use merge::Before;
pub use nodes::{NodeRow, TurnPlace};
pub use notices::Notice;
pub use one_time::Once;
pub use open::{Location, Store};
pub use page::{Cursor, NotACursor, Page};
pub use passphrase::{ParseWrappedError, WrappedMasterKey};
pub use person::{
    Erased, Person, PersonsChange, PersonsConversation, PersonsEntry, PersonsMemory, PersonsRating,
    PersonsSession, PersonsVerification, ProvenOnce,
};
pub use seal::MasterKey;
pub use search::Match;
pub use sessions::{Found, Opened, Opening, Returning};
pub use status::{Changed, Changes};
pub use sweep::Swept;
pub use test_identities::{NewTestIdentity, TestIdentity};
pub use undo::{By, Merge, Split, Undone};
pub use verifications::{
    ACCEPTED, Attempt, EnforcementDay, EnforcementReport, KeyImpact, KeyUsage, Verification,
    VerificationFilter,
};
