//! Small files that hold a secret.

use std::{
    fs::{self, File, OpenOptions},
    io::{self, Write},
    os::unix::fs::{OpenOptionsExt, PermissionsExt},
    path::Path,
};

/// Makes a file that only its owner can read, whole or not at all: a crash leaves
/// none, and one that is there stays as it is ([`io::ErrorKind::AlreadyExists`]).
pub fn make_private_file(path: &Path, text: &str) -> io::Result<()> {
    let mut name = path.as_os_str().to_owned();
    name.push(".new");
    let beside = Path::new(&name);
    // One that a crash left is taken over.
    let mut file = OpenOptions::new()
        .write(true)
        .create(true)
        .truncate(false)
        .mode(0o600)
        .open(beside)?;
    // Whoever had the lock before may have linked this very file.
    file.lock()?;
    if path.try_exists()? {
        return Err(io::ErrorKind::AlreadyExists.into());
    }
    file.set_permissions(fs::Permissions::from_mode(0o600))?;
    file.set_len(0)?;
    file.write_all(text.as_bytes())?;
    file.sync_all()?;
    fs::hard_link(beside, path)?;
    fs::remove_file(beside)?;
    match path.parent() {
        Some(dir) if !dir.as_os_str().is_empty() => File::open(dir)?.sync_all(),
        _ => File::open(".")?.sync_all(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_crash_left_half_written_is_written_anew() {
        let dir = tempfile::tempdir().unwrap();
        let (path, beside) = (dir.path().join("secret"), dir.path().join("secret.new"));
        fs::write(&beside, "half of an older and longer text").unwrap();

        make_private_file(&path, "whole").unwrap();

        assert_eq!(fs::read_to_string(&path).unwrap(), "whole");
        assert!(!beside.exists());
        let mode = fs::metadata(&path).unwrap().permissions().mode();
        assert_eq!(mode & 0o777, 0o600);
    }

    #[test]
    fn a_file_that_is_there_stays_as_it_is() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("secret");
        make_private_file(&path, "first").unwrap();

        let error = make_private_file(&path, "second").unwrap_err();

        assert_eq!(error.kind(), io::ErrorKind::AlreadyExists);
        assert_eq!(fs::read_to_string(&path).unwrap(), "first");
    }

    #[test]
    fn of_many_who_make_it_at_once_one_does() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("secret");
        let texts: Vec<String> = (0..16).map(|n| n.to_string().repeat(1_000)).collect();

        let made: Vec<bool> = std::thread::scope(|scope| {
            let makers: Vec<_> = texts
                .iter()
                .map(|text| scope.spawn(|| make_private_file(&path, text).is_ok()))
                .collect();
            makers.into_iter().map(|it| it.join().unwrap()).collect()
        });

        assert_eq!(made.iter().filter(|made| **made).count(), 1);
        let winner = made.iter().position(|made| *made).unwrap();
        assert_eq!(fs::read_to_string(&path).unwrap(), texts[winner]);
    }
}
