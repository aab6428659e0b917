//! `maitred backup` and `maitred restore` (rule R10).

mod passphrase;

use std::{
    io::{self, IsTerminal, Write},
    path::{Path, PathBuf},
    process::ExitCode,
};

use anyhow::Context;
use maitred_core::clock::Clock;
use maitred_store::{
    BackupError, Manifest, MasterKey, OpenError, StoreError, WrappedMasterKey, make_private_file,
};
use secrecy::ExposeSecret;

use super::{
    Usage,
    data::{Data, fields},
};
use crate::{
    config::{Config, MasterKeySource},
    master, serve,
};

/// `maitred backup FILE`
#[derive(Debug, clap::Args)]
pub(crate) struct Backup {
    /// The file to write; it must not be there yet
    file: PathBuf,
    /// Put the master key in, too, under a passphrase
    #[arg(long)]
    with_master_key: bool,
    /// A file whose first line is that passphrase; without it, it is asked for
    #[arg(long, value_name = "FILE", requires = "with_master_key")]
    passphrase_file: Option<PathBuf>,
    #[command(flatten)]
    data: Data,
}

/// `maitred restore FILE`
#[derive(Debug, clap::Args)]
pub(crate) struct Restore {
    /// The backup to read
    file: PathBuf,
    /// A file whose first line is the passphrase of the master key in the backup
    #[arg(long, value_name = "FILE")]
    passphrase_file: Option<PathBuf>,
    #[command(flatten)]
    data: Data,
}

impl Backup {
    pub(crate) async fn run(self) -> anyhow::Result<ExitCode> {
        let config = self.data.config()?;
        let master = if self.with_master_key {
            let master = master::read(&config)?;
            let passphrase = passphrase::new(self.passphrase_file.as_deref())?;
            let wrapped = WrappedMasterKey::wrap(&master, &passphrase);
            Some((master, wrapped))
        } else {
            None
        };
        let master = master.as_ref().map(|(key, wrapped)| (key, wrapped.clone()));
        let now = Clock::system().now();
        let done = maitred_store::back_up(&config.database, &self.file, master, now, &tell).await;
        let made = done.map_err(|error| explained(error, "no backup was made"))?;
        let bytes = std::fs::metadata(&self.file).map_or(0, |it| it.len());
        let mut told = shown(&made);
        told.insert(0, ("backup", self.file.display().to_string().into()));
        told.push(("bytes", bytes.into()));
        told.push(("master_key", made.master.is_some().into()));
        told.push((
            "note",
            note_of_the_key(&config, made.master.is_some()).into(),
        ));
        self.data.print(told)
    }
}

fn note_of_the_key(config: &Config, is_in_it: bool) -> String {
    match &config.master_key {
        _ if is_in_it => {
            "the master key is in it, under your passphrase: without that, it opens nothing".to_owned()
        }
        MasterKeySource::File(path) => format!(
            "the master key is not in it: keep a copy of `{}` elsewhere, without which this backup opens nothing",
            path.display()
        ),
        MasterKeySource::Given(_) => {
            "the master key is not in it: keep `server.master_key` elsewhere, without which this backup opens nothing"
                .to_owned()
        }
    }
}

impl Restore {
    pub(crate) async fn run(self) -> anyhow::Result<ExitCode> {
        let config = self.data.config()?;
        let refused = |error| explained(error, "nothing was restored");
        let manifest = maitred_store::inspect(&self.file).await.map_err(refused)?;
        let _lock = serve::lock(&config)?;
        let master = self.master(&config, &manifest)?;
        let beside = config.data.join("backup");
        let done = maitred_store::restore(
            &self.file,
            &config.database,
            &beside,
            &master,
            Clock::system(),
            &tell,
        );
        let restored = done.await.map_err(refused)?;
        if let Some(path) = missing_key(&config) {
            let text = format!("{}\n", master.to_text().expose_secret());
            make_private_file(path, &text)
                .with_context(|| format!("cannot make the master key `{}`", path.display()))?;
        }
        let mut told = shown(&restored.backup);
        told.insert(0, ("database", config.database.to_string().into()));
        told.push(("sessions_ended", restored.sessions_ended.into()));
        told.push(("note", BROUGHT_BACK.into()));
        self.data.print(told)
    }

    /// The key that is in its place; else the one in the backup.
    fn master(&self, config: &Config, manifest: &Manifest) -> anyhow::Result<MasterKey> {
        let Some(path) = missing_key(config) else {
            return master::read(config);
        };
        let Some(wrapped) = &manifest.master else {
            return Err(Usage(format!(
                "nothing was restored: there is no master key in `{0}`, and none in the backup\nhint: put the `master.key` that belongs to the backup there, or name it in `server.master_key_file`",
                path.display()
            ))
            .into());
        };
        let passphrase = passphrase::known(self.passphrase_file.as_deref())?;
        let master = wrapped.unwrap_with(&passphrase).ok_or_else(|| {
            Usage(
                "nothing was restored: that is not the passphrase of the master key in this backup"
                    .to_owned(),
            )
        })?;
        Ok(master)
    }
}

/// Where the master key belongs, if there is none.
fn missing_key(config: &Config) -> Option<&Path> {
    match &config.master_key {
        MasterKeySource::File(path) if !path.exists() => Some(path),
        MasterKeySource::File(_) | MasterKeySource::Given(_) => None,
    }
}

/// What a restore cannot know.
const BROUGHT_BACK: &str = "everybody must sign in again. What was done after the backup is undone, too: revoke again the signing keys and API keys that were revoked since, log out again who was logged out everywhere (`maitred contact logout`), erase again who was erased (`maitred contact erase`), and set policies again. One-time tokens that were used since are good once more until they expire";

fn shown(manifest: &Manifest) -> super::data::Fields {
    fields! {
        made_at: manifest.made_at.to_string(),
        schema: manifest.schema,
        tables: manifest.rows.len(),
        rows: manifest.n_rows(),
    }
}

/// To a person at a terminal, and to nobody else.
fn tell(what: &str) {
    if io::stderr().is_terminal() {
        _ = writeln!(io::stderr(), "{what} …");
    }
}

/// With what did not come of it, and a way on where there is one.
fn explained(error: BackupError, what: &str) -> anyhow::Error {
    let hint = match &error {
        BackupError::Exists(_) => Some("choose another name, or move that file away".to_owned()),
        BackupError::NoDatabase { .. } | BackupError::Empty => {
            Some("`--data` or `--database` says where the data is".to_owned())
        }
        BackupError::HoldsData { .. } => Some(
            "restore into another place with `--data` or `--database`, or move the data away".to_owned(),
        ),
        BackupError::LeftOver(_) => Some("move it away, with the database it belongs to".to_owned()),
        BackupError::InUse { .. } => {
            Some("stop all servers and other programs on this database first".to_owned())
        }
        BackupError::WrongMasterKey => Some(
            "`server.master_key_file` names another; one that was rotated since is beside it as `master.key.before-…`"
                .to_owned(),
        ),
        BackupError::Store(error) if error.is_storage_full() => {
            Some("there is no room left on that disk".to_owned())
        }
        BackupError::Damaged { .. } => {
            Some("take an older backup; if this was about to become one, the database itself is damaged".to_owned())
        }
        BackupError::Open(OpenError::NewerSchema { .. })
        | BackupError::NotUtf8(_)
        | BackupError::File { .. }
        | BackupError::NoBackup(_)
        | BackupError::Open(_)
        | BackupError::Store(_) => None,
    };
    let is_usage = !matches!(error, BackupError::Store(_) | BackupError::File { .. });
    let because = causes(&error);
    let text = match hint {
        Some(hint) => format!("{what}: {because}\nhint: {hint}"),
        None => format!("{what}: {because}"),
    };
    if is_usage {
        Usage(text).into()
    } else {
        anyhow::Error::msg(text)
    }
}

fn causes(error: &BackupError) -> String {
    let mut text = error.to_string();
    if let BackupError::Store(StoreError::Db(cause)) = error {
        text = format!("{text}: {cause}");
    }
    text
}
