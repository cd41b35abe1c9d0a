//! A snapshot of what the supervisor knows, for diagnostics and for the page.

use std::path::PathBuf;

use serde::Serialize;

use crate::{binary::Binary, error::Problem, exit::Exit, status::Status};

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Transport {
    Tcp,
    UnixSocket,
}

/// All times are RFC 3339 in UTC.
#[derive(Debug, Clone, Serialize)]
pub struct Info {
    pub status: Status,
    /// Whether a start was requested and no stop since.
    pub desired_running: bool,
    pub pid: Option<u32>,
    pub port: Option<u16>,
    pub socket_path: Option<PathBuf>,
    pub transport: Transport,
    pub instance_id: Option<String>,
    pub version: Option<String>,
    pub binary: Option<Binary>,
    /// How many times the daemon has been started.
    pub starts: u64,
    pub last_start: Option<String>,
    pub last_exit: Option<Exit>,
    /// How many crashes in a row have been followed by a restart.
    pub restart_attempt: u32,
    pub next_restart: Option<String>,
    /// Why the daemon is not ready, or why it failed the last time.
    pub problem: Option<Problem>,
}
