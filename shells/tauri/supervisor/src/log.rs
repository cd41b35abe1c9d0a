//! The log of the daemon's stdout and stderr: the newest lines in memory, all lines in rotating files.

use std::{
    collections::VecDeque,
    fs,
    io::{self, Write},
    path::{Path, PathBuf},
    sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError},
    thread,
    time::SystemTime,
};

use serde::Serialize;
use tokio::sync::watch;

use crate::redaction::Redaction;

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Stream {
    Stdout,
    Stderr,
    /// The app's own lines about the daemon.
    Shell,
}

#[derive(Debug, Clone, Serialize)]
pub struct Entry {
    /// Rises by one with each line, also with those that are missing in the file.
    pub seq: u64,
    pub time: String,
    pub stream: Stream,
    pub text: String,
}

#[derive(Debug, Clone)]
pub(crate) struct Limits {
    pub kept: usize,
    pub waiting: usize,
    pub file_bytes: u64,
    pub older: u32,
}

impl Default for Limits {
    fn default() -> Self {
        Self { kept: 400, waiting: 2_048, file_bytes: 2 * 1024 * 1024, older: 3 }
    }
}

/// The file is written by a separate thread; older files are next to it as `.1`, `.2` and so on.
#[derive(Debug)]
pub struct Log {
    shared: Arc<Shared>,
    path: Option<PathBuf>,
}

#[derive(Debug)]
struct Shared {
    redaction: Arc<Redaction>,
    limits: Limits,
    lines: Mutex<Lines>,
    news: Condvar,
    /// How many of the accepted lines the writer has handled.
    written: watch::Sender<u64>,
}

#[derive(Debug, Default)]
struct Lines {
    entries: VecDeque<Entry>,
    waiting: VecDeque<Entry>,
    seq: u64,
    accepted: u64,
    dropped: u64,
    failure: Option<String>,
    closed: bool,
}

impl Log {
    /// Without a path the log is kept in memory only.
    pub fn new(path: Option<PathBuf>, redaction: Arc<Redaction>) -> Self {
        Self::with_limits(path, redaction, Limits::default())
    }

    pub(crate) fn with_limits(path: Option<PathBuf>, redaction: Arc<Redaction>, limits: Limits) -> Self {
        let shared = Arc::new(Shared {
            redaction,
            limits,
            lines: Mutex::default(),
            news: Condvar::new(),
            written: watch::Sender::new(0),
        });
        if let Some(path) = path.clone() {
            let writer = Writer { shared: shared.clone(), path, bytes: None };
            if let Err(cause) = thread::Builder::new().name("engine-log".into()).spawn(|| writer.run()) {
                let mut lines = shared.lines();
                lines.failure = Some(cause.to_string());
                lines.closed = true;
            }
        }
        Self { shared, path }
    }

    pub fn path(&self) -> Option<&Path> {
        self.path.as_deref()
    }

    /// How many lines are missing in the file because they came faster than it could be written.
    pub fn dropped(&self) -> u64 {
        self.shared.lines().dropped
    }

    /// Why the last write to the file failed; None: it did not.
    pub fn failure(&self) -> Option<String> {
        self.shared.lines().failure.clone()
    }

    /// The lines in memory, oldest first.
    pub fn entries(&self) -> Vec<Entry> {
        self.shared.lines().entries.iter().cloned().collect()
    }

    /// Adds a line, with secrets masked. Does not wait for the file.
    pub fn add(&self, stream: Stream, text: &str) {
        let text = self.shared.redaction.clean(text);
        let mut lines = self.shared.lines();
        lines.seq += 1;
        let entry = Entry { seq: lines.seq, time: stamp(SystemTime::now()), stream, text };
        if lines.entries.len() >= self.shared.limits.kept {
            lines.entries.pop_front();
        }
        lines.entries.push_back(entry.clone());
        if self.path.is_none() || lines.closed {
            return;
        }
        if lines.waiting.len() >= self.shared.limits.waiting {
            lines.dropped += 1;
            return;
        }
        lines.accepted += 1;
        lines.waiting.push_back(entry);
        self.shared.news.notify_one();
    }

    /// Waits until everything added so far is in the file.
    pub async fn flush(&self) {
        let accepted = self.shared.lines().accepted;
        // No error is possible: `self` holds the sender.
        let _ = self.shared.written.subscribe().wait_for(|&written| written >= accepted).await;
    }

    /// Writes what was added before, and nothing after that, so that the folder can be moved. Lines are still kept in
    /// memory.
    pub async fn close(&self) {
        self.shared.lines().closed = true;
        self.shared.news.notify_one();
        self.flush().await;
    }
}

impl Drop for Log {
    fn drop(&mut self) {
        self.shared.lines().closed = true;
        self.shared.news.notify_one();
    }
}

impl Shared {
    fn lines(&self) -> MutexGuard<'_, Lines> {
        self.lines.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

struct Writer {
    shared: Arc<Shared>,
    path: PathBuf,
    /// The size of the file; None: not read yet.
    bytes: Option<u64>,
}

impl Writer {
    fn run(mut self) {
        loop {
            let lines = self.shared.lines();
            let lines = self
                .shared
                .news
                .wait_while(lines, |lines| lines.waiting.is_empty() && !lines.closed)
                .unwrap_or_else(PoisonError::into_inner);
            let batch: Vec<Entry> = lines.waiting.iter().cloned().collect();
            drop(lines);
            if batch.is_empty() {
                return;
            }
            let failure = self.write(&batch).err().map(|cause| cause.to_string());
            if failure.is_some() {
                self.bytes = None;
            }
            let mut lines = self.shared.lines();
            lines.failure = failure;
            // Removed only now: lines being written count as waiting, which bounds the memory that a flood of lines
            // takes.
            lines.waiting.drain(..batch.len());
            drop(lines);
            self.shared.written.send_modify(|written| *written += batch.len() as u64);
        }
    }

    fn write(&mut self, batch: &[Entry]) -> io::Result<()> {
        let mut text = Vec::new();
        for entry in batch {
            serde_json::to_writer(&mut text, entry)?;
            text.push(b'\n');
        }
        self.make_room(text.len() as u64)?;
        let mut options = fs::OpenOptions::new();
        options.append(true).create(true);
        #[cfg(unix)]
        std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
        options.open(&self.path)?.write_all(&text)
    }

    fn make_room(&mut self, more: u64) -> io::Result<()> {
        let bytes = match self.bytes {
            Some(bytes) => bytes,
            None => {
                if let Some(folder) = self.path.parent() {
                    private_folder(folder)?;
                }
                fs::metadata(&self.path).map_or(0, |found| found.len())
            }
        };
        let full = bytes > 0 && bytes + more > self.shared.limits.file_bytes;
        if full {
            for number in (1..=self.shared.limits.older).rev() {
                // The older files may not exist yet.
                let _ = fs::rename(self.older(number - 1), self.older(number));
            }
        }
        self.bytes = Some(if full { more } else { bytes + more });
        Ok(())
    }

    fn older(&self, number: u32) -> PathBuf {
        if number == 0 {
            return self.path.clone();
        }
        let mut name = self.path.clone().into_os_string();
        name.push(format!(".{number}"));
        name.into()
    }
}

/// Creates a directory, and its parents, that only its owner may read. Raises: the system's error.
pub(crate) fn private_folder(path: &Path) -> io::Result<()> {
    let mut builder = fs::DirBuilder::new();
    builder.recursive(true);
    #[cfg(unix)]
    std::os::unix::fs::DirBuilderExt::mode(&mut builder, 0o700);
    builder.create(path)
}

/// RFC 3339 in UTC, with milliseconds.
pub(crate) fn stamp(time: SystemTime) -> String {
    humantime::format_rfc3339_millis(time).to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn texts(log: &Log) -> Vec<String> {
        log.entries().into_iter().map(|entry| entry.text).collect()
    }

    #[tokio::test]
    async fn it_rotates_keeps_what_it_may_and_is_for_its_owner_only() {
        let home = tempfile::tempdir().expect("a folder");
        let path = home.path().join("logs/engine.log");
        let limits = Limits { kept: 5, file_bytes: 400, older: 2, ..Limits::default() };
        let log = Log::with_limits(Some(path.clone()), Arc::default(), limits);
        for number in 0..40 {
            log.add(Stream::Stderr, &format!("line {number}"));
            log.flush().await;
        }
        assert_eq!(texts(&log), ["line 35", "line 36", "line 37", "line 38", "line 39"]);
        let older = |end: &str| PathBuf::from(format!("{}{end}", path.display()));
        assert_eq!(["", ".1", ".2", ".3"].map(|end| older(end).exists()), [true, true, true, false]);
        let mut written = String::new();
        for end in [".2", ".1", ""] {
            let text = fs::read_to_string(older(end)).expect("read");
            assert!(text.len() <= 400);
            written += &text;
        }
        let lines: Vec<serde_json::Value> =
            written.lines().map(|line| serde_json::from_str(line).expect("JSON")).collect();
        let first = 40 - lines.len();
        for (line, number) in lines.iter().zip(first..) {
            assert_eq!(line["text"], format!("line {number}"));
        }
        #[cfg(unix)]
        assert_eq!(std::os::unix::fs::MetadataExt::mode(&fs::metadata(&path).expect("there")) & 0o777, 0o600);
    }

    #[cfg(unix)]
    #[tokio::test]
    async fn it_counts_what_came_too_fast_for_the_file_and_loses_none_of_the_rest() {
        let home = tempfile::tempdir().expect("a folder");
        let path = home.path().join("engine.log");
        // A pipe is the slowest file: nothing is written to it before it is read.
        assert!(std::process::Command::new("mkfifo").arg(&path).status().expect("mkfifo runs").success());
        let log = Log::with_limits(Some(path.clone()), Arc::default(), Limits { waiting: 10, ..Limits::default() });
        for number in 0..20_000 {
            log.add(Stream::Stdout, &format!("line {number}"));
        }
        assert_eq!(log.dropped(), 19_990, "what is being written counts as waiting");
        // Opened for writing too, so that the pipe does not end between two batches.
        let pipe = fs::OpenOptions::new().read(true).write(true).open(&path).expect("opened");
        log.flush().await;
        log.add(Stream::Stdout, "afterwards");
        log.flush().await;
        let mut lines = io::BufRead::lines(io::BufReader::new(pipe)).map(|line| line.expect("read"));
        for number in 0..10 {
            assert!(lines.next().expect("a line").contains(&format!("\"line {number}\"")));
        }
        assert!(lines.next().expect("a line").contains("afterwards"));
        assert_eq!(log.entries().last().expect("an entry").seq, 20_001);
    }

    #[tokio::test]
    async fn once_closed_it_makes_no_file_where_its_folder_was() {
        let home = tempfile::tempdir().expect("a folder");
        let (old, new) = (home.path().join("old"), home.path().join("new"));
        let log = Log::new(Some(old.join("engine.log")), Arc::default());
        log.add(Stream::Shell, "the last word");
        log.close().await;
        fs::rename(&old, &new).expect("moved");
        log.add(Stream::Shell, "too late");
        log.flush().await;
        assert!(!old.exists());
        assert!(fs::read_to_string(new.join("engine.log")).expect("read").contains("the last word"));
        assert_eq!(texts(&log), ["the last word", "too late"]);
    }

    #[tokio::test]
    async fn it_says_why_it_cannot_be_written_and_goes_on() {
        let home = tempfile::tempdir().expect("a folder");
        fs::write(home.path().join("file"), "").expect("written");
        let log = Log::new(Some(home.path().join("file/engine.log")), Arc::default());
        log.add(Stream::Stderr, "kept all the same");
        log.flush().await;
        assert!(log.failure().is_some());
        assert_eq!(texts(&log), ["kept all the same"]);
    }
}
