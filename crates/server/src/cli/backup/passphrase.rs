//! Passphrases: from a file, or typed without being shown.

use std::{
    io::{self, BufRead, IsTerminal, Write},
    path::Path,
};

use anyhow::{Context, bail};
use maitred_store::WrappedMasterKey;
use rustix::termios::{LocalModes, OptionalActions, Termios, tcgetattr, tcsetattr};
use secrecy::{ExposeSecret, SecretString};

use crate::cli::{Usage, data::read};

/// One to wrap a key with: typed twice.
pub(super) fn new(file: Option<&Path>) -> anyhow::Result<SecretString> {
    let passphrase = match file {
        Some(file) => in_file(file)?,
        None => {
            let passphrase = typed("Passphrase for the master key: ")?;
            let again = typed("Again: ")?;
            if passphrase.expose_secret() != again.expose_secret() {
                return Err(
                    Usage("no backup was made: these are two passphrases".to_owned()).into(),
                );
            }
            passphrase
        }
    };
    let least = WrappedMasterKey::MIN_PASSPHRASE;
    if passphrase.expose_secret().chars().count() < least {
        return Err(Usage(format!(
            "no backup was made: the passphrase needs at least {least} characters; who finds the backup can try as long as they like"
        ))
        .into());
    }
    Ok(passphrase)
}

/// One that a key was wrapped with.
pub(super) fn known(file: Option<&Path>) -> anyhow::Result<SecretString> {
    match file {
        Some(file) => in_file(file),
        None => typed("Passphrase of the master key in the backup: "),
    }
}

fn in_file(file: &Path) -> anyhow::Result<SecretString> {
    let text = read(file)?;
    let line = text.lines().next().unwrap_or_default();
    Ok(line.to_owned().into())
}

fn typed(prompt: &str) -> anyhow::Result<SecretString> {
    let terminal = io::stdin();
    if !terminal.is_terminal() {
        return Err(Usage(
            "there is no terminal to type a passphrase at\nhint: give it in a file, with `--passphrase-file`".to_owned(),
        )
        .into());
    }
    write!(io::stderr(), "{prompt}")?;
    let mut line = String::new();
    {
        let _hidden = Hidden::on_stdin().context("cannot hide what is typed")?;
        terminal.lock().read_line(&mut line)?;
    }
    writeln!(io::stderr())?;
    let typed = line.trim_end_matches(['\n', '\r']);
    if typed.is_empty() {
        bail!("nothing was typed");
    }
    Ok(typed.to_owned().into())
}

/// While it lives, the terminal does not show what is typed.
struct Hidden(Termios);

impl Hidden {
    fn on_stdin() -> io::Result<Self> {
        let before = tcgetattr(io::stdin())?;
        let mut hidden = before.clone();
        hidden.local_modes.remove(LocalModes::ECHO);
        tcsetattr(io::stdin(), OptionalActions::Flush, &hidden)?;
        Ok(Self(before))
    }
}

impl Drop for Hidden {
    fn drop(&mut self) {
        _ = tcsetattr(io::stdin(), OptionalActions::Flush, &self.0);
    }
}
