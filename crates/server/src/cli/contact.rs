//! `maitred contact`: the people the site vouched for.

use std::process::ExitCode;

use anyhow::{Context, bail};
use clap::Subcommand;
use maitred_core::{
    contact::{Contact, ContactChange, Subject},
    id::{MemoryId, MergeId},
    memory::Memory,
};
use maitred_store::{Merge, Store, Undone};
use serde_json::{Map, Value, json};

use super::{
    Usage,
    data::{Fields, Where, fields},
};

/// What can be done with contacts.
#[derive(Debug, Subcommand)]
pub(crate) enum ContactCommand {
    /// List the contacts of one environment, the last seen first
    List {
        /// How many at most
        #[arg(long, value_name = "NUMBER", default_value_t = 50, value_parser = clap::value_parser!(u16).range(1..=1000))]
        limit: u16,
        #[command(flatten)]
        place: Where,
    },
    /// Show one contact and what is kept of them
    Show {
        #[command(flatten)]
        whom: Whom,
    },
    /// List what tokens changed about one contact, the latest first
    Changes {
        #[command(flatten)]
        whom: Whom,
    },
    /// List what the agent remembers of one contact between conversations
    Memory {
        #[command(flatten)]
        whom: Whom,
    },
    /// Forget one thing that the agent remembers
    Forget {
        /// Its id: `mem_…`
        memory: MemoryId,
        #[command(flatten)]
        place: Where,
    },
    /// Log somebody out everywhere: end their sessions, refuse the tokens made up to now
    Logout {
        #[command(flatten)]
        whom: Whom,
    },
    /// Print everything that is kept of one user, as JSON
    Export {
        #[command(flatten)]
        whom: Whom,
    },
    /// Forget one user for good: contact, conversations, sessions, log entries
    Erase {
        #[command(flatten)]
        whom: Whom,
        /// Say that you mean it: nothing brings them back
        #[arg(long)]
        yes: bool,
    },
    /// List the conversations that came along when somebody signed in, the latest first
    Merges {
        /// Of this user only, by their id at the site
        #[arg(long, value_name = "ID")]
        subject: Option<Subject>,
        #[command(flatten)]
        place: Where,
    },
    /// Undo one of these: what was said before goes where only operators see it
    Undo {
        /// Its id: `mrg_…`
        merge: MergeId,
        #[command(flatten)]
        place: Where,
    },
}

/// One user of one environment.
#[derive(Debug, clap::Args)]
pub(crate) struct Whom {
    /// The user's id at the site, as it stands in `sub`
    #[arg(long, value_name = "ID")]
    subject: Subject,
    #[command(flatten)]
    place: Where,
}

/// How many merges are listed.
const MERGES: i64 = 100;

impl ContactCommand {
    pub(crate) async fn run(self) -> anyhow::Result<ExitCode> {
        match self {
            Self::List { limit, place } => {
                let store = open(&place).await?;
                let page = store.contacts(place.scope(), None, limit.into()).await?;
                let list = page.items.into_iter().map(line).collect();
                place
                    .data
                    .print_list(list, "nobody was vouched for yet in this environment")
            }
            Self::Show { whom } => {
                let store = open(&whom.place).await?;
                let contact = contact(&store, &whom.place, &whom.subject).await?;
                let mut shown = line(contact.clone());
                shown.extend(fields! {
                    claims: contact.record.claims,
                    created_at: contact.created_at.to_string(),
                });
                whom.place.data.print(shown)
            }
            Self::Changes { whom } => {
                let store = open(&whom.place).await?;
                let contact = contact(&store, &whom.place, &whom.subject).await?;
                let changes = store.contact_changes(contact.id).await?;
                let list = changes.into_iter().map(change_line).collect();
                whom.place
                    .data
                    .print_list(list, "no token changed anything about them so far")
            }
            Self::Memory { whom } => {
                let store = open(&whom.place).await?;
                let contact = contact(&store, &whom.place, &whom.subject).await?;
                let memories = store.memories(whom.place.scope(), contact.id).await?;
                let list = memories.into_iter().map(memory_line).collect();
                let none = "nothing is remembered of them yet; a conversation is looked at when it is closed, or quiet for 30 minutes";
                whom.place.data.print_list(list, none)
            }
            Self::Forget { memory, place } => forget(&place, memory).await,
            Self::Logout { whom } => whom.log_out().await,
            Self::Export { whom } => whom.export().await,
            Self::Erase { whom, yes } => whom.erase(yes).await,
            Self::Merges { subject, place } => {
                let store = open(&place).await?;
                let of = match &subject {
                    Some(subject) => Some(contact(&store, &place, subject).await?.id),
                    None => None,
                };
                let merges = store.merges(place.scope(), of, MERGES).await?;
                let list = merges.into_iter().map(merge_line).collect();
                place
                    .data
                    .print_list(list, "no conversation came along at a sign-in")
            }
            Self::Undo { merge, place } => undo(&place, merge).await,
        }
    }
}

impl Whom {
    async fn log_out(&self) -> anyhow::Result<ExitCode> {
        let store = open(&self.place).await?;
        let done = store
            .log_out_everywhere(self.place.scope(), &self.subject)
            .await?
            .context("the agent is gone")?;
        let ended = match (done.contact, done.sessions.len()) {
            (None, _) => "nobody by that id was seen here so far".to_owned(),
            (Some(_), 1) => "1 session was ended".to_owned(),
            (Some(_), sessions) => format!("{sessions} sessions were ended"),
        };
        self.place.data.say(&format!(
            "`{}` is logged out: {ended}, and tokens made up to now are refused",
            self.subject
        ))
    }

    async fn export(&self) -> anyhow::Result<ExitCode> {
        let store = open(&self.place).await?;
        let person = store.export_person(self.place.scope(), &self.subject);
        let person = person
            .await?
            .with_context(|| unseen(&self.place, &self.subject))?;
        self.place.data.print_value(&person)?;
        Ok(ExitCode::SUCCESS)
    }

    async fn erase(&self, is_meant: bool) -> anyhow::Result<ExitCode> {
        let store = open(&self.place).await?;
        if !is_meant {
            return Err(Usage(format!(
                "nothing was erased: this forgets `{}` for good, in {}\nhint: `maitred contact export` keeps a copy; say `--yes` to erase",
                self.subject, self.place.environment
            ))
            .into());
        }
        let erased = store.erase_person(self.place.scope(), &self.subject);
        let erased = erased.await?.context("the agent is gone")?;
        let what = if erased.contact {
            format!(
                "{}, {}, {} and {} of the log are gone. Backups made before still have them",
                counted(erased.conversations, "conversation"),
                counted(erased.entries, "line"),
                counted(erased.sessions, "session"),
                counted(erased.verifications, "entry"),
            )
        } else {
            "nobody by that id was seen here so far".to_owned()
        };
        self.place.data.say(&format!(
            "`{}` is erased, and tokens made up to now are refused: {what}",
            self.subject
        ))
    }
}

fn memory_line(memory: Memory) -> Fields {
    fields! {
        memory: memory.id.to_string(),
        kind: memory.kind.as_str(),
        text: memory.text.to_string(),
        noted_by: memory.noted_by.as_str(),
        noted_at: memory.noted_at.to_string(),
    }
}

async fn forget(place: &Where, memory: MemoryId) -> anyhow::Result<ExitCode> {
    let store = open(place).await?;
    if !store.forget_memory(place.scope(), memory).await? {
        bail!(
            "nothing is remembered as `{memory}` here\nhint: `maitred contact memory` lists what is remembered of somebody"
        );
    }
    place.data.say(&format!("`{memory}` is forgotten"))
}

/// The store, if there is such an agent in it.
async fn open(place: &Where) -> anyhow::Result<Store> {
    let store = place.data.open().await?;
    place.found(&store).await?;
    Ok(store)
}

async fn contact(store: &Store, place: &Where, subject: &Subject) -> anyhow::Result<Contact> {
    let contact = store.contact(place.scope(), subject).await?;
    contact.with_context(|| unseen(place, subject))
}

fn unseen(place: &Where, subject: &Subject) -> String {
    format!(
        "no token of `{subject}` was accepted in {}\nhint: `maitred contact list` names who was; `--environment` names another environment",
        place.environment
    )
}

async fn undo(place: &Where, merge: MergeId) -> anyhow::Result<ExitCode> {
    let store = open(place).await?;
    let done = store.undo_merge(place.scope(), merge).await?;
    match done.with_context(|| {
        format!("there is no merge `{merge}` here\nhint: `maitred contact merges` names them")
    })? {
        Undone::Split(split) => place.data.say(&format!(
            "what was said before is in `{}` now, which only operators see; `{}` keeps what was said since",
            split.apart, split.conversation
        )),
        Undone::Already => Err(Usage(format!("`{merge}` was undone before")).into()),
        Undone::TooLate => Err(Usage(format!(
            "`{merge}` was more than 30 days ago and can no longer be undone"
        ))
        .into()),
    }
}

/// `1 line`, `2 lines`, `2 entries`
fn counted(how_many: u64, what: &str) -> String {
    match (how_many, what.strip_suffix('y')) {
        (1, _) => format!("1 {what}"),
        (_, Some(stem)) => format!("{how_many} {stem}ies"),
        (_, None) => format!("{how_many} {what}s"),
    }
}

fn line(contact: Contact) -> Fields {
    fields! {
        contact: contact.id.to_string(),
        subject: contact.subject,
        name: contact.record.name,
        email: contact.record.email,
        seen_at: contact.seen_at.to_string(),
    }
}

fn change_line(change: ContactChange) -> Fields {
    let told = change
        .fields
        .iter()
        .map(|it| (it.field.clone(), json!([it.from, it.to])));
    fields! {
        at: change.at.to_string(),
        key: change.key.to_string(),
        issued_at: change.issued_at.map(|at| at.to_string()),
        changed: told.collect::<Map<String, Value>>(),
    }
}

fn merge_line(merge: Merge) -> Fields {
    fields! {
        merge: merge.id.to_string(),
        conversation: merge.conversation.to_string(),
        contact: merge.contact.to_string(),
        merged_at: merge.merged_at.to_string(),
        undoable_until: merge.undoable_until.to_string(),
        undone_at: merge.undone.map(|(at, _)| at.to_string()),
        undone_by: merge.undone.map(|(_, by)| by.as_str()),
    }
}
