//! The daemon's status as an app shows it.

use std::fmt;

use serde::Serialize;

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Status {
    /// It was asked to start and does not answer yet.
    Starting,
    /// It answers.
    Ready,
    /// It ended, stopped answering or was asked to restart; the supervisor starts it again.
    Restarting,
    /// It does not run and was not asked to run.
    Stopped,
    /// It does not run, and the supervisor gave up; a start or restart tries again.
    Crashed,
}

impl fmt::Display for Status {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Starting => "starting",
            Self::Ready => "ready",
            Self::Restarting => "restarting",
            Self::Stopped => "stopped",
            Self::Crashed => "crashed",
        })
    }
}
