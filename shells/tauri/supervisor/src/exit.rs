//! How a process ended.

use std::{fmt, io, process::ExitStatus, time::SystemTime};

use serde::Serialize;

use crate::log::stamp;

#[derive(Debug, Clone, Serialize)]
pub struct Exit {
    /// The exit code; None: a signal ended the process, or the code is unknown.
    pub code: Option<i32>,
    /// The name of the signal that ended the process.
    pub signal: Option<&'static str>,
    /// When it was noticed: RFC 3339, UTC.
    pub time: String,
}

impl Exit {
    /// The exit of a process that ended just now. An error counts as an unknown exit.
    pub(crate) fn of(status: io::Result<ExitStatus>) -> Self {
        let time = stamp(SystemTime::now());
        let Ok(status) = status else {
            return Self { code: None, signal: None, time };
        };
        Self { code: status.code(), signal: signal_of(status), time }
    }
}

impl fmt::Display for Exit {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match (self.signal, self.code) {
            (Some(signal), _) => f.write_str(signal),
            (None, Some(code)) => write!(f, "code {code}"),
            (None, None) => f.write_str("no code"),
        }
    }
}

#[cfg(unix)]
fn signal_of(status: ExitStatus) -> Option<&'static str> {
    use std::os::unix::process::ExitStatusExt;
    Some(nix::sys::signal::Signal::try_from(status.signal()?).map_or("a signal", |signal| signal.as_str()))
}

#[cfg(not(unix))]
fn signal_of(_status: ExitStatus) -> Option<&'static str> {
    None
}
