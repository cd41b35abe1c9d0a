//! The files of a data directory that the user chooses: checks the place and moves the data there.

use std::{
    fs, io,
    path::{Component, Path, PathBuf},
};

/// The daemon's database, by which its data are recognized.
const STORE: &str = "aster.db";

#[derive(Debug, thiserror::Error)]
pub enum Error {
    #[error("The directory has to be an absolute path without “..”.")]
    NotPlain,
    #[error("This is the app itself: an update would take the data away with it.")]
    InBundle,
    #[error("Nothing can be written there: {0}")]
    NotWritable(io::Error),
    #[error("The new directory is inside the old one.")]
    Inside,
    #[error("The data could not be moved: {0}")]
    NotMoved(#[from] io::Error),
}

/// The data directory for a chosen `folder`: the folder itself when it is empty or holds data already, otherwise
/// `aster` in it. Creates the folder. `bundle`: the app's own directories. Raises: [`Error`].
pub fn chosen_root(folder: &Path, bundle: &[PathBuf]) -> Result<PathBuf, Error> {
    if !folder.is_absolute() || folder.components().any(|part| part == Component::ParentDir) {
        return Err(Error::NotPlain);
    }
    if bundle.iter().any(|own| folder.starts_with(own)) {
        return Err(Error::InBundle);
    }
    let probe = folder.join(format!(".aster-probe-{}", std::process::id()));
    let tried = fs::create_dir_all(folder).and_then(|()| fs::write(&probe, "")).and_then(|()| fs::remove_file(&probe));
    tried.map_err(Error::NotWritable)?;
    // The data are not mixed with other files.
    let empty = fs::read_dir(folder).map_err(Error::NotWritable)?.next().is_none();
    Ok(if empty || holds_data(folder) { folder.to_owned() } else { folder.join("aster") })
}

/// Whether the directory holds the data of a daemon.
pub fn holds_data(root: &Path) -> bool {
    root.join(STORE).exists()
}

/// Moves all data, also to another disk. The daemon has to be stopped. On an error the old directory is complete,
/// unless it was copied to another disk and could not be removed. Raises: [`Error`].
pub fn move_data(from: &Path, to: &Path) -> Result<(), Error> {
    if !from.exists() || from == to {
        return Ok(());
    }
    if to.starts_with(from) {
        return Err(Error::Inside);
    }
    if let Some(parent) = to.parent() {
        fs::create_dir_all(parent)?;
    }
    if to.exists() {
        fs::remove_dir(to)?; // empty, as chosen_root checked
    }
    match fs::rename(from, to) {
        Err(cause) if cause.kind() == io::ErrorKind::CrossesDevices => {
            let mut half = to.as_os_str().to_owned();
            half.push(".aster-half");
            let half = PathBuf::from(half);
            if half.exists() {
                fs::remove_dir_all(&half)?;
            }
            copy(from, &half)?;
            fs::rename(&half, to)?;
            Ok(fs::remove_dir_all(from)?)
        }
        moved => Ok(moved?),
    }
}

fn copy(from: &Path, to: &Path) -> io::Result<()> {
    fs::create_dir_all(to)?;
    fs::set_permissions(to, fs::metadata(from)?.permissions())?;
    for entry in fs::read_dir(from)? {
        let entry = entry?;
        let target = to.join(entry.file_name());
        let kind = entry.file_type()?;
        if kind.is_dir() {
            copy(&entry.path(), &target)?;
        } else if kind.is_file() {
            fs::copy(entry.path(), target)?;
        } // sockets are not copied: the next daemon creates its own
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_may_not_be_chosen_is_refused() {
        let home = tempfile::tempdir().expect("a folder");
        let bundle = [home.path().join("app")];
        assert!(matches!(chosen_root(Path::new("data"), &bundle), Err(Error::NotPlain)));
        assert!(matches!(chosen_root(&home.path().join("a/../b"), &bundle), Err(Error::NotPlain)));
        assert!(matches!(chosen_root(&bundle[0].join("data"), &bundle), Err(Error::InBundle)));
        fs::write(home.path().join("file"), "").expect("written");
        assert!(matches!(chosen_root(&home.path().join("file/data"), &bundle), Err(Error::NotWritable(_))));
    }

    #[test]
    fn data_move_whole_and_are_not_mixed_with_what_is_there() {
        let home = tempfile::tempdir().expect("a folder");
        let from = home.path().join("old");
        fs::create_dir_all(from.join("logs")).expect("made");
        fs::write(from.join(STORE), "journal").expect("written");
        let there = home.path().join("documents");
        fs::create_dir(&there).expect("made");
        fs::write(there.join("letter"), "dear").expect("written");
        let to = chosen_root(&there, &[]).expect("chosen");
        assert_eq!(to, there.join("aster"));
        assert!(matches!(move_data(&from, &from.join("logs/deeper")), Err(Error::Inside)));
        move_data(&from, &to).expect("moved");
        assert!(!from.exists() && holds_data(&to) && to.join("logs").is_dir());
        assert_eq!(chosen_root(&to, &[]).expect("ours"), to);
    }

    #[test]
    fn a_copy_for_another_disk_has_all_of_it() {
        let home = tempfile::tempdir().expect("a folder");
        let from = home.path().join("old");
        fs::create_dir_all(from.join("logs/older")).expect("made");
        fs::write(from.join("logs/older/engine.log"), "line").expect("written");
        copy(&from, &home.path().join("new")).expect("copied");
        assert_eq!(fs::read_to_string(home.path().join("new/logs/older/engine.log")).expect("read"), "line");
    }
}
