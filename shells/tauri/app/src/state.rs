//! `desktop-state.json`: what the app remembers between starts. Each change is written atomically. The position of the
//! window is in the window-state plugin's own file.

use std::{
    fs, io,
    io::Write,
    path::{Path, PathBuf},
    sync::{Mutex, MutexGuard, PoisonError},
    time::SystemTime,
};

use serde_json::{Map, Value};

const SCHEMA_VERSION: u64 = 1;

#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The file is left as it is.
    #[error("{} was written by a newer version of this app", .0.display())]
    TooNew(PathBuf),
    #[error(transparent)]
    System(#[from] io::Error),
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Remembered {
    /// Where the user was in the page: the part of its URL that starts with `#`.
    pub last_place: Option<String>,
    /// The data directory that the user chose; None: the default.
    pub runtime_root: Option<PathBuf>,
    pub notifications: bool,
    pub start_on_login: bool,
    /// The zoom of the pages, 50 to 300.
    pub zoom_percent: i64,
}

pub struct StateFile {
    path: PathBuf,
    /// What to tell the user about a file that could not be read.
    pub notice: Option<String>,
    /// All fields, also those that only other versions know.
    fields: Mutex<Map<String, Value>>,
}

impl StateFile {
    /// Reads the file. An invalid file is renamed to `.corrupt-TIME`, and the app starts with the defaults.
    /// Raises: [`Error`].
    pub fn read(path: PathBuf) -> Result<Self, Error> {
        let text = match fs::read(&path) {
            Ok(text) => text,
            Err(cause) if cause.kind() == io::ErrorKind::NotFound => b"{}".to_vec(),
            Err(cause) => return Err(cause.into()),
        };
        let Ok(Value::Object(fields)) = serde_json::from_slice(&text) else {
            let time = humantime::format_rfc3339_millis(SystemTime::now()).to_string().replace([':', '.'], "-");
            let aside = with_end(&path, &format!(".corrupt-{time}"));
            fs::rename(&path, &aside)?;
            let notice = format!(
                "What the app remembered could not be read. It starts afresh; the old file is {}.",
                aside.display()
            );
            return Ok(Self { path, notice: Some(notice), fields: Mutex::default() });
        };
        if fields.get("schema_version").and_then(Value::as_u64).is_some_and(|version| version > SCHEMA_VERSION) {
            return Err(Error::TooNew(path));
        }
        Ok(Self { path, notice: None, fields: Mutex::new(fields) })
    }

    pub fn current(&self) -> Remembered {
        remembered(&self.fields())
    }

    /// Changes what is remembered and writes it, unless nothing changed. Raises: the system's error; the change holds
    /// until the app ends.
    pub fn change(&self, change: impl FnOnce(&mut Remembered)) -> io::Result<()> {
        // Locked before the first read, so that no concurrent change is lost.
        let mut fields = self.fields();
        let before = remembered(&fields);
        let mut after = before.clone();
        change(&mut after);
        if after == before {
            return Ok(());
        }
        let Remembered { last_place, runtime_root, notifications, start_on_login, zoom_percent } = after;
        for (name, value) in [
            ("schema_version", SCHEMA_VERSION.into()),
            ("last_place", last_place.into()),
            ("runtime_root", runtime_root.map(|path| path.display().to_string()).into()),
            ("notifications", notifications.into()),
            ("start_on_login", start_on_login.into()),
            ("zoom_percent", zoom_percent.into()),
        ] {
            fields.insert(name.into(), value);
        }
        self.write(&fields)
    }

    fn write(&self, fields: &Map<String, Value>) -> io::Result<()> {
        if let Some(folder) = self.path.parent() {
            fs::create_dir_all(folder)?;
        }
        let new = with_end(&self.path, ".new");
        let mut options = fs::OpenOptions::new();
        options.write(true).create(true).truncate(true);
        #[cfg(unix)]
        std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
        let mut file = options.open(&new)?;
        serde_json::to_writer_pretty(&mut file, fields)?;
        file.write_all(b"\n")?;
        file.sync_all()?;
        fs::rename(new, &self.path)
    }

    fn fields(&self) -> MutexGuard<'_, Map<String, Value>> {
        self.fields.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Reads field by field; an invalid field counts as missing.
fn remembered(fields: &Map<String, Value>) -> Remembered {
    let text = |name| fields.get(name).and_then(Value::as_str).filter(|text| !text.is_empty());
    let truth = |name, otherwise| fields.get(name).and_then(Value::as_bool).unwrap_or(otherwise);
    Remembered {
        last_place: text("last_place").filter(|&place| crate::checks::check_place(place).is_ok()).map(Into::into),
        runtime_root: text("runtime_root").map(Into::into),
        notifications: truth("notifications", true),
        start_on_login: truth("start_on_login", false),
        zoom_percent: fields.get("zoom_percent").and_then(Value::as_i64).unwrap_or(100).clamp(50, 300),
    }
}

fn with_end(path: &Path, end: &str) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push(end);
    name.into()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn file(text: &str) -> (tempfile::TempDir, PathBuf) {
        let home = tempfile::tempdir().expect("a folder");
        let path = home.path().join("desktop-state.json");
        fs::write(&path, text).expect("written");
        (home, path)
    }

    #[test]
    fn what_is_remembered_is_there_again_and_what_others_wrote_stays() {
        let (_home, path) = file(r#"{"schema_version": 1, "theme": "dusk", "notifications": "yes"}"#);
        let state = StateFile::read(path.clone()).expect("read");
        assert!(state.current().notifications, "what makes no sense is as if it were not there");
        state.change(|remembered| remembered.last_place = Some("#/inbox".into())).expect("written");
        let again = StateFile::read(path.clone()).expect("read");
        assert_eq!(again.current().last_place.as_deref(), Some("#/inbox"));
        assert!(fs::read_to_string(&path).expect("read").contains("dusk"));
        #[cfg(unix)]
        assert_eq!(std::os::unix::fs::MetadataExt::mode(&fs::metadata(&path).expect("there")) & 0o777, 0o600);
    }

    #[test]
    fn what_changes_at_once_is_all_remembered() {
        let (_home, path) = file("{}");
        let state = StateFile::read(path.clone()).expect("read");
        std::thread::scope(|scope| {
            scope.spawn(|| {
                for percent in 50..=150 {
                    state.change(|remembered| remembered.zoom_percent = percent).expect("written");
                    assert_eq!(state.current().zoom_percent, percent);
                }
            });
            for number in 0..=100 {
                let place = format!("#/{number}");
                state.change(|remembered| remembered.last_place = Some(place.clone())).expect("written");
                assert_eq!(state.current().last_place, Some(place));
            }
        });
        let again = StateFile::read(path).expect("read").current();
        assert_eq!((again.zoom_percent, again.last_place.as_deref()), (150, Some("#/100")));
    }

    #[test]
    fn one_that_cannot_be_read_is_kept_aside() {
        let (home, path) = file("{broken");
        let state = StateFile::read(path.clone()).expect("read afresh");
        assert!(state.notice.is_some() && !path.exists());
        let aside = fs::read_dir(home.path()).expect("read").flatten().next().expect("one file");
        assert!(aside.file_name().to_string_lossy().contains(".corrupt-"));
        assert_eq!(fs::read_to_string(aside.path()).expect("read"), "{broken");
    }

    #[test]
    fn one_of_a_newer_version_is_refused_and_left() {
        let (_home, path) = file(r#"{"schema_version": 2}"#);
        assert!(matches!(StateFile::read(path.clone()), Err(Error::TooNew(_))));
        assert!(path.exists());
    }
}
