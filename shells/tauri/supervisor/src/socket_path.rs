//! The path of the Unix socket that belongs to a data directory.

use std::path::{Path, PathBuf};

/// In the data directory, or in a runtime or temporary directory when that path is too long. None: every path is too
/// long, or the system has no Unix sockets.
#[cfg(unix)]
pub fn socket_path(data_dir: &Path) -> Option<PathBuf> {
    let runtime = std::env::var_os("XDG_RUNTIME_DIR").filter(|path| !path.is_empty()).map(PathBuf::from);
    among(data_dir, runtime.as_deref(), &std::env::temp_dir())
}

#[cfg(not(unix))]
pub fn socket_path(_data_dir: &Path) -> Option<PathBuf> {
    None
}

/// The longest path of a socket: its address has 108 bytes on Linux and 104 elsewhere, with a final zero.
#[cfg(unix)]
const MOST_BYTES: usize = if cfg!(target_os = "linux") { 107 } else { 103 };

#[cfg(unix)]
fn among(data_dir: &Path, runtime: Option<&Path>, temporary: &Path) -> Option<PathBuf> {
    use std::os::unix::ffi::OsStrExt;

    use sha2::{Digest, Sha256};

    let name = hex::encode(&Sha256::digest(data_dir.as_os_str().as_bytes())[..8]);
    let user = nix::unistd::getuid();
    [
        Some(data_dir.join("run")),
        runtime.map(|folder| folder.join(format!("aster-{name}"))),
        Some(temporary.join(format!("aster-{user}-{name}"))),
    ]
    .into_iter()
    .flatten()
    .map(|folder| folder.join("aster.sock"))
    .find(|path| path.as_os_str().len() <= MOST_BYTES)
}

#[cfg(all(test, unix))]
mod tests {
    use super::*;

    #[test]
    fn it_is_in_the_data_directory_or_where_its_path_is_short_enough_or_there_is_none() {
        let temporary = Path::new("/tmp");
        let found = |data: &str, runtime: &str| among(Path::new(data), Some(Path::new(runtime)), temporary);
        assert_eq!(found("/home/ada/data", "/r"), Some("/home/ada/data/run/aster.sock".into()));
        let long = format!("/{}", "a".repeat(100));
        let there = found(&long, "/run/user/1000").expect("short enough");
        assert!(there.starts_with("/run/user/1000") && there.ends_with("aster.sock"), "{there:?}");
        assert_ne!(found(&long, "/r"), found(&format!("{long}b"), "/r"));
        assert!(found(&long, &long).expect("short enough").starts_with(temporary));
        assert_eq!(among(Path::new(&long), None, Path::new(&long)), None);
    }
}
