//! For support: the logs' folder, and a zip with the daemon's diagnostics bundle and what only the app knows.

use std::{
    fs,
    io::{self, Cursor, Read, Write},
    path::{Path, PathBuf},
    time::{Duration, SystemTime},
};

use aster_supervisor::{Call, Supervisor};
use serde_json::{Value, json};
use tauri_plugin_opener::OpenerExt;
use zip::{ZipArchive, ZipWriter, write::SimpleFileOptions};

use crate::shell::Shell;

/// How many bundles are kept.
const KEPT: usize = 5;
/// The size of a bundle.
const MOST_BYTES: usize = 5 * 1024 * 1024;
const TIMEOUT: Duration = Duration::from_secs(10);
const PREFIX: &str = "aster-diagnostics-";

type Files = Vec<(String, Vec<u8>)>;

/// Opens the folder of the logs in the system's file manager. Raises: the system's error.
pub fn open_logs(shell: &Shell) -> io::Result<()> {
    let supervisor = shell.supervisor();
    let Some(folder) = supervisor.logs_dir() else { return Ok(()) };
    fs::create_dir_all(folder)?;
    let opened = shell.app.opener().open_path(folder.display().to_string(), None::<&str>);
    opened.map_err(io::Error::other)
}

/// Writes a bundle into the data directory and shows it in the file manager. It holds no conversations and no secrets.
/// Returns its path. Raises: why it could not be written, as text.
pub async fn export(shell: &Shell) -> Result<PathBuf, String> {
    let supervisor = shell.supervisor();
    let state = shell.state.current();
    let facts = json!({
        "version": shell.app.package_info().version.to_string(),
        "tauri": tauri::VERSION,
        "webview": tauri::webview_version().unwrap_or_else(|cause| cause.to_string()),
        "platform": format!("{} {}", std::env::consts::OS, std::env::consts::ARCH),
        "notifications": state.notifications,
        "start_on_login": state.start_on_login,
        "own_runtime_root": state.runtime_root.is_some(),
    });
    let path = bundle(&supervisor, &supervisor.data_dir().join("diagnostics"), facts).await?;
    shell.log_error("the folder of the diagnostics", shell.app.opener().reveal_item_in_dir(&path));
    Ok(path)
}

/// Writes a bundle into `folder`, even if the daemon does not answer. `facts`: what the app reports about itself.
async fn bundle(supervisor: &Supervisor, folder: &Path, facts: Value) -> Result<PathBuf, String> {
    let (mut files, daemon) = match of_daemon(supervisor).await {
        Ok(files) => (files, "included".to_owned()),
        Err(cause) => (Files::new(), cause),
    };
    let mut engine = json!(supervisor.info());
    engine["binary"] = engine["binary"]["source"].take();
    let shell = json!({ "app": facts, "engine": engine, "daemon_bundle": daemon });
    files.push(("shell.json".into(), supervisor.redaction().clean(&format!("{shell:#}\n")).into_bytes()));
    let log: String = supervisor.log().entries().iter().map(|entry| json!(entry).to_string() + "\n").collect();
    files.push(("engine.log".into(), log.into_bytes()));
    store(folder, &files).map_err(|cause| cause.to_string())
}

/// The files of the daemon's own bundle. Raises: why there is none, as text.
async fn of_daemon(supervisor: &Supervisor) -> Result<Files, String> {
    let asked = Call { method: "POST".into(), body: Some("{}".into()), ..Call::get("/api/diagnostics", TIMEOUT) };
    let answer = supervisor.call(asked).await.map_err(|cause| cause.to_string())?;
    let said: Value = serde_json::from_str(&answer.body).map_err(|cause| cause.to_string())?;
    let path = said["data"]["path"].as_str().ok_or_else(|| format!("the daemon answered {}", answer.status))?;
    unpack(Path::new(path)).map_err(|cause| cause.to_string())
}

fn unpack(path: &Path) -> io::Result<Files> {
    let mut archive = ZipArchive::new(Cursor::new(fs::read(path)?))?;
    let mut files = Files::new();
    for index in 0..archive.len() {
        let file = archive.by_index(index)?;
        let name = file.name()?.into_owned();
        let mut content = Vec::new();
        file.take(4 * MOST_BYTES as u64).read_to_end(&mut content)?;
        files.push((name, content));
    }
    Ok(files)
}

/// Writes a zip of these files, for its owner only, and removes the oldest bundles.
fn store(folder: &Path, files: &Files) -> io::Result<PathBuf> {
    let mut archive = ZipWriter::new(Cursor::new(Vec::new()));
    for (name, content) in files {
        archive.start_file(name.as_str(), SimpleFileOptions::default())?;
        archive.write_all(content)?;
    }
    let bytes = archive.finish()?.into_inner();
    if bytes.len() > MOST_BYTES {
        return Err(io::Error::other(format!("the bundle would have {} bytes", bytes.len())));
    }
    fs::create_dir_all(folder)?;
    let time = humantime::format_rfc3339_millis(SystemTime::now()).to_string().replace([':', '.'], "-");
    let path = folder.join(format!("{PREFIX}{time}.zip"));
    let mut options = fs::OpenOptions::new();
    options.write(true).create_new(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    options.open(&path)?.write_all(&bytes)?;
    let mut bundles: Vec<PathBuf> = fs::read_dir(folder)?
        .flatten()
        .map(|entry| entry.path())
        .filter(|path| {
            let name = path.file_name().unwrap_or_default().to_string_lossy();
            name.starts_with(PREFIX) && name.ends_with(".zip")
        })
        .collect();
    bundles.sort();
    for older in bundles.iter().rev().skip(KEPT) {
        fs::remove_file(older)?;
    }
    Ok(path)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_bundle_is_a_zip_and_the_newest_five_are_kept() {
        let home = tempfile::tempdir().expect("a folder");
        let files = vec![("shell.json".to_owned(), b"{}\n".to_vec())];
        for day in 1..=6 {
            let name = format!("{PREFIX}2020-01-0{day}T00-00-00-000Z.zip");
            fs::write(home.path().join(name), "").expect("written");
        }
        let path = store(home.path(), &files).expect("stored");
        assert_eq!(unpack(&path).expect("a zip"), files);
        assert_eq!(fs::read_dir(home.path()).expect("read").count(), KEPT);
        assert!(path.exists());
        let mut huge = vec![0; MOST_BYTES];
        getrandom::fill(&mut huge).expect("random bytes, which no zip makes smaller");
        assert!(store(home.path(), &vec![("huge".into(), huge)]).is_err());
    }
}
