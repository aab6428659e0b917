//! Files that are whole or not there.

use std::{
    fs::{self, File, OpenOptions},
    io::{self, Read},
    os::unix::fs::OpenOptionsExt,
    path::{Path, PathBuf},
};

use uuid::Uuid;

use super::BackupError;

/// A file that is being written, under another name and for its owner only. It goes
/// again unless it is [finished](Self::finish).
#[derive(Debug)]
pub(super) struct Unfinished(PathBuf);

impl Unfinished {
    /// Refuses if there is something where it is to stand in the end.
    pub(super) fn beside(path: &Path) -> Result<Self, BackupError> {
        if path.symlink_metadata().is_ok() {
            return Err(BackupError::Exists(path.to_owned()));
        }
        let mark = Uuid::new_v4().simple().to_string();
        let unfinished = Self(with(path, &format!(".{}.partial", &mark[..8])));
        OpenOptions::new()
            .write(true)
            .create_new(true)
            .mode(0o600)
            .open(&unfinished.0)
            .map_err(|cause| failed(path, cause))?;
        Ok(unfinished)
    }

    pub(super) fn path(&self) -> &Path {
        &self.0
    }

    /// Gives it its name, once it is safely on the disk.
    pub(super) fn finish(self, path: &Path) -> Result<(), BackupError> {
        let done = File::open(&self.0)
            .and_then(|file| file.sync_all())
            .and_then(|()| name(&self.0, path))
            .and_then(|()| {
                let dir = path.parent().filter(|dir| !dir.as_os_str().is_empty());
                File::open(dir.unwrap_or(Path::new(".")))?.sync_all()
            });
        done.map_err(|cause| {
            if cause.kind() == io::ErrorKind::AlreadyExists {
                BackupError::Exists(path.to_owned())
            } else {
                failed(path, cause)
            }
        })
    }
}

impl Drop for Unfinished {
    fn drop(&mut self) {
        _ = fs::remove_file(&self.0);
        for of_sqlite in ["-journal", "-wal", "-shm"] {
            _ = fs::remove_file(with(&self.0, of_sqlite));
        }
    }
}

/// Gives a file its name, without ever taking the name from another one.
fn name(from: &Path, to: &Path) -> io::Result<()> {
    match fs::hard_link(from, to) {
        // A file system without hard links: a stick, a share.
        Err(error)
            if matches!(
                error.kind(),
                io::ErrorKind::Unsupported | io::ErrorKind::PermissionDenied
            ) && !to.try_exists()? =>
        {
            fs::rename(from, to)
        }
        linked => linked,
    }
}

/// The path with something appended to its last part.
pub(super) fn with(path: &Path, suffix: &str) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push(suffix);
    PathBuf::from(name)
}

pub(super) fn begins_with(path: &Path, magic: &[u8]) -> io::Result<bool> {
    let mut start = Vec::new();
    let mut file = File::open(path)?.take(magic.len() as u64);
    file.read_to_end(&mut start)?;
    Ok(start == magic)
}

pub(super) fn failed(path: &Path, cause: io::Error) -> BackupError {
    BackupError::File {
        path: path.to_owned(),
        cause,
    }
}
