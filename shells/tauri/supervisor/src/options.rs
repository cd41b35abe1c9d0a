//! The app's settings for its supervisor: which daemon to run, and how.

use std::{collections::BTreeMap, path::PathBuf};

use serde_json::{Map, Value};

use crate::{binary::Places, timing::Timing};

#[derive(Debug, Clone)]
pub struct Options {
    /// The app's framework, passed to the daemon: `tauri`.
    pub framework: String,
    /// The preferred port. When it is in use, the daemon takes a free one.
    pub port: u16,
    pub data_dir: PathBuf,
    /// Where the log file is written. None: the log is kept in memory only.
    pub logs_dir: Option<PathBuf>,
    /// Where to look for the daemon's binary.
    pub places: Places,
    /// Whether to use a Unix socket where the system has them.
    pub unix_socket: bool,
    /// Environment variables of the daemon, added to those of this process.
    pub environment: BTreeMap<String, String>,
    /// Settings and API keys, sent with the token in the first line of the daemon's stdin.
    pub settings: Map<String, Value>,
    pub timing: Timing,
}
