//! All errors of the supervisor: one enum, with a message and a hint for people and a code for programs.

use std::{io, sync::Arc, time::Duration};

use serde::Serialize;

use crate::{exit::Exit, status::Status};

#[derive(Debug, Clone, thiserror::Error)]
pub enum Error {
    /// There is no binary to start, or the override names none that can be run.
    #[error("{what}")]
    NotFound { what: String, hint: String },
    /// The system could not start the process.
    #[error("the daemon can't be started: {0}")]
    NotStarted(Arc<io::Error>),
    /// It ended with an exit code for which another start would fail too. `words`: its last lines of stderr.
    #[error("the daemon ended with {exit}: {}", reason(exit))]
    Refused { exit: Exit, words: String },
    #[error("the daemon ended with {exit}: another daemon uses its data directory")]
    AlreadyRunning { exit: Exit, words: String },
    #[error("the daemon ended with {exit}: neither its port nor a free one could be had")]
    PortTaken { exit: Exit, words: String },
    #[error("the daemon speaks protocol {theirs}, this app {ours}")]
    ProtocolMismatch { theirs: i64, ours: i64 },
    #[error("the daemon was not ready within {} ms", within.as_millis())]
    NotReady { within: Duration },
    #[error("the daemon has not answered {misses} times in a row")]
    Unresponsive { misses: u32 },
    #[error("somebody else than the daemon answers on {place}")]
    Stranger { place: String },
    #[error("the daemon ended with {exit}")]
    Crashed { exit: Exit, words: String },
    #[error("the daemon was stopped")]
    Stopped,
    /// A call was made while no daemon is ready.
    #[error("the daemon is not there: {0}")]
    Unavailable(Status),
    /// The call to a ready daemon failed.
    #[error("no answer of the daemon: {0}")]
    Call(String),
}

/// An [`Error`] as it is shown and serialized.
#[derive(Debug, Clone, Serialize)]
pub struct Problem {
    pub code: &'static str,
    pub message: String,
    /// What the user can do about it.
    pub hint: Option<String>,
}

impl Error {
    /// One of the codes listed in `shells/conformance`, or `call_failed`.
    pub fn code(&self) -> &'static str {
        match self {
            Self::NotFound { .. } => "engine_not_found",
            Self::NotStarted(_) => "engine_not_started",
            Self::Refused { .. } => "engine_refused",
            Self::AlreadyRunning { .. } => "already_running",
            Self::PortTaken { .. } => "port_taken",
            Self::ProtocolMismatch { .. } => "protocol_mismatch",
            Self::NotReady { .. } => "not_ready",
            Self::Unresponsive { .. } => "unresponsive",
            Self::Stranger { .. } => "stranger",
            Self::Crashed { .. } => "crashed",
            Self::Stopped => "stopped",
            Self::Unavailable(_) => "unavailable",
            Self::Call(_) => "call_failed",
        }
    }

    fn hint(&self) -> Option<String> {
        match self {
            Self::NotFound { hint, .. } => Some(hint.clone()),
            Self::ProtocolMismatch { .. } => Some("Update the app.".into()),
            Self::NotReady { .. } => Some("See the logs for what it waits for.".into()),
            Self::Stranger { .. } => Some("Close the program that does.".into()),
            Self::Refused { words, .. }
            | Self::AlreadyRunning { words, .. }
            | Self::PortTaken { words, .. }
            | Self::Crashed { words, .. } => (!words.is_empty()).then(|| words.clone()),
            Self::NotStarted(_) | Self::Unresponsive { .. } | Self::Stopped | Self::Unavailable(_) | Self::Call(_) => {
                None
            }
        }
    }

    /// The error's code, message and hint.
    pub fn problem(&self) -> Problem {
        Problem { code: self.code(), message: self.to_string(), hint: self.hint() }
    }

    pub(crate) fn not_started(cause: io::Error) -> Self {
        Self::NotStarted(Arc::new(cause))
    }

    /// The error for an exit that was not requested, by its exit code. `words`: its last lines of stderr.
    pub(crate) fn of_exit(exit: Exit, words: String) -> Self {
        match exit.code {
            Some(2 | 5 | 6) => Self::Refused { exit, words },
            Some(3) => Self::AlreadyRunning { exit, words },
            Some(4) => Self::PortTaken { exit, words },
            _ => Self::Crashed { exit, words },
        }
    }
}

fn reason(exit: &Exit) -> &'static str {
    match exit.code {
        Some(2) => "it does not understand how this app starts it",
        Some(5) => "its configuration is wrong",
        _ => "its store or its data directory can't be used",
    }
}
