//! Finds the daemon's binary: an override, the app's own, or that of a development checkout. PATH is not searched.

use std::{
    fs,
    path::{Path, PathBuf},
};

use serde::{Deserialize, Serialize};

use crate::error::Error;

/// The environment variable that names another binary than the app's own.
pub const OVERRIDE: &str = "ASTER_SIDECAR_BINARY";

#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Binary {
    pub path: PathBuf,
    pub source: Source,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Source {
    Override,
    Bundled,
    Development,
}

#[derive(Debug, Clone, Default, Deserialize)]
#[serde(default)]
pub struct Places {
    /// The value of `ASTER_SIDECAR_BINARY`; empty counts as not set.
    #[serde(rename = "override")]
    pub instead: Option<PathBuf>,
    /// Directories that may hold a packaged daemon: the app's resources and the directory of its executable.
    pub bundled: Vec<PathBuf>,
    /// A checkout with a virtual environment; None in a packaged app.
    pub development: Option<PathBuf>,
}

/// The first binary that can be run. An override that can't be run is an error, not skipped.
/// Raises: [`Error::NotFound`].
pub fn find_binary(places: &Places) -> Result<Binary, Error> {
    if let Some(path) = places.instead.as_deref().filter(|path| !path.as_os_str().is_empty()) {
        let why = if path.is_absolute() { unfit(path) } else { Some("is not an absolute path") };
        return match why {
            None => Ok(Binary { path: path.to_owned(), source: Source::Override }),
            Some(why) => Err(Error::NotFound {
                what: format!("{OVERRIDE} {why}: {}", path.display()),
                hint: format!("Correct or unset {OVERRIDE}."),
            }),
        };
    }
    let candidates = candidates(places);
    candidates.iter().find(|binary| unfit(&binary.path).is_none()).cloned().ok_or_else(|| {
        let looked: Vec<_> = candidates.iter().map(|binary| binary.path.display().to_string()).collect();
        let looked = if looked.is_empty() { "nowhere".into() } else { looked.join(", ") };
        Error::NotFound {
            what: format!("no daemon to start; looked at {looked}"),
            hint: format!("Reinstall the app, or name one in {OVERRIDE}."),
        }
    })
}

fn candidates(places: &Places) -> Vec<Binary> {
    let name = format!("aster-desktop{}", std::env::consts::EXE_SUFFIX);
    let bundled =
        places.bundled.iter().flat_map(|folder| [folder.join("aster-desktop").join(&name), folder.join(&name)]);
    let venv = if cfg!(windows) { ".venv/Scripts/aster-sidecar.exe" } else { ".venv/bin/aster-sidecar" };
    let development = places.development.iter().map(|checkout| checkout.join(venv));
    let of = |source| move |path| Binary { path, source };
    bundled.map(of(Source::Bundled)).chain(development.map(of(Source::Development))).collect()
}

/// Why the file can't be run. None: it can.
fn unfit(path: &Path) -> Option<&'static str> {
    match fs::metadata(path) {
        Ok(found) if !found.is_file() => Some("is not a file"),
        Ok(found) if !may_run(&found) => Some("may not be executed"),
        Ok(_) => None,
        Err(_) => Some("does not exist"),
    }
}

#[cfg(unix)]
fn may_run(found: &fs::Metadata) -> bool {
    use std::os::unix::fs::PermissionsExt;
    found.permissions().mode() & 0o111 != 0
}

#[cfg(not(unix))]
fn may_run(_found: &fs::Metadata) -> bool {
    true
}

#[cfg(all(test, unix))]
mod tests {
    use std::os::unix::fs::PermissionsExt;

    use super::*;

    fn program(path: PathBuf) -> PathBuf {
        fs::create_dir_all(path.parent().expect("a folder")).expect("made");
        fs::write(&path, "#!/bin/sh\n").expect("written");
        fs::set_permissions(&path, fs::Permissions::from_mode(0o755)).expect("set");
        path
    }

    #[test]
    fn an_override_wins_then_the_bundle_then_the_checkout() {
        let home = tempfile::tempdir().expect("a folder");
        let mine = program(home.path().join("mine"));
        let bundled = program(home.path().join("resources/aster-desktop/aster-desktop"));
        let development = program(home.path().join("checkout/.venv/bin/aster-sidecar"));
        let mut places = Places {
            instead: Some(mine.clone()),
            bundled: vec![home.path().join("resources")],
            development: Some(home.path().join("checkout")),
        };
        let found = |places: &Places| find_binary(places).expect("found");
        assert_eq!(found(&places), Binary { path: mine, source: Source::Override });
        places.instead = Some(PathBuf::new());
        assert_eq!(found(&places), Binary { path: bundled, source: Source::Bundled });
        places.bundled.clear();
        assert_eq!(found(&places), Binary { path: development, source: Source::Development });
        places.development = None;
        let none = find_binary(&places).expect_err("none");
        assert!(none.to_string().contains("looked at nowhere"), "{none}");
    }

    #[test]
    fn an_override_that_cannot_be_run_is_an_error_whatever_else_is_there() {
        let home = tempfile::tempdir().expect("a folder");
        program(home.path().join("aster-desktop"));
        let plain = home.path().join("plain");
        fs::write(&plain, "").expect("written");
        for (path, why) in [
            (home.path().join("gone"), "does not exist"),
            (PathBuf::from("aster-desktop"), "is not an absolute path"),
            (home.path().to_owned(), "is not a file"),
            (plain, "may not be executed"),
        ] {
            let places = Places { instead: Some(path), bundled: vec![home.path().to_owned()], ..Places::default() };
            let refused = find_binary(&places).expect_err(why);
            assert_eq!(refused.code(), "engine_not_found");
            assert!(refused.to_string().contains(why), "{refused}");
        }
    }
}
