//! The handle with which an app starts, stops and calls its daemon.

use std::{path::Path, sync::Arc, time::Duration};

use tokio::{sync::mpsc, task::spawn, time::timeout};

use crate::{
    connection::{Answer, Call, Content, Endpoint, call, fetch},
    error::Error,
    info::{Info, Transport},
    log::Log,
    options::Options,
    redaction::Redaction,
    state::{Shared, State, Wanted},
    status::Status,
};

/// One daemon of an app; clones are handles to the same one. Needs a tokio runtime.
#[derive(Clone)]
pub struct Supervisor {
    shared: Arc<Shared>,
}

impl Supervisor {
    /// Starts nothing yet. Secrets of the environment are learned, so that the log masks them.
    pub fn new(options: Options) -> Self {
        let redaction = Arc::new(Redaction::default());
        redaction.learn_from(
            std::env::vars_os().filter_map(|(name, value)| Some((name.into_string().ok()?, value.into_string().ok()?))),
        );
        redaction.learn_from(&options.environment);
        let path = options.logs_dir.as_ref().map(|folder| folder.join("engine.log"));
        let log = Arc::new(Log::new(path, redaction.clone()));
        Self { shared: Arc::new(Shared::new(options, log, redaction)) }
    }

    /// The log of the daemon's output.
    pub fn log(&self) -> &Log {
        &self.shared.log
    }

    pub fn redaction(&self) -> &Redaction {
        &self.shared.redaction
    }

    pub fn data_dir(&self) -> &Path {
        &self.shared.options.data_dir
    }

    pub fn logs_dir(&self) -> Option<&Path> {
        self.shared.options.logs_dir.as_deref()
    }

    pub fn status(&self) -> Status {
        self.shared.state().status
    }

    pub fn info(&self) -> Info {
        let state = self.shared.state();
        let socket_path = state.endpoint.as_ref().and_then(|endpoint| endpoint.socket_path.clone());
        let unix = match &state.endpoint {
            Some(endpoint) => endpoint.socket_path.is_some(),
            None => self.shared.socket_path(state.fallback).is_some(),
        };
        Info {
            status: state.status,
            desired_running: state.wanted != Wanted::Stopped,
            pid: state.pid,
            port: state.endpoint.as_ref().map(|endpoint| endpoint.port),
            socket_path,
            transport: if unix { Transport::UnixSocket } else { Transport::Tcp },
            instance_id: state.endpoint.as_ref().map(|endpoint| endpoint.instance_id.clone()),
            version: state.version.clone(),
            binary: state.binary.clone(),
            starts: state.starts,
            last_start: state.last_start.clone(),
            last_exit: state.last_exit.clone(),
            restart_attempt: state.attempt,
            next_restart: state.next_restart.clone(),
            problem: state.problem.as_ref().map(Error::problem),
        }
    }

    /// The address at which the daemon answers, once it has proven to be the one that was started. Raises:
    /// [`Error::Unavailable`].
    pub fn endpoint(&self) -> Result<Endpoint, Error> {
        let state = self.shared.state();
        state.endpoint.clone().ok_or(Error::Unavailable(state.status))
    }

    /// Receives every change of the status from now on, in order. Ends when the supervisor is dropped.
    pub fn subscribe(&self) -> mpsc::UnboundedReceiver<Status> {
        self.shared.state().subscribe()
    }

    /// Waits while the daemon starts or restarts, at most for `within`. Returns in any case; [`Self::endpoint`] says
    /// more.
    pub async fn reachable(&self, within: Duration) {
        let settled = self.shared.until(|state| !matches!(state.status, Status::Starting | Status::Restarting));
        let _ = timeout(within, settled).await;
    }

    /// Sends a request to the daemon. Raises: [`Error::Unavailable`], [`Error::Call`].
    pub async fn call(&self, asked: Call) -> Result<Answer, Error> {
        call(&self.endpoint()?, asked).await
    }

    /// Sends a request whose answer is a file. Raises: [`Error::Unavailable`], [`Error::Call`].
    pub async fn fetch(&self, asked: Call) -> Result<Content, Error> {
        fetch(&self.endpoint()?, asked).await
    }

    /// Starts the daemon, unless it runs. Returns when it is ready. Raises: [`Error`] when the supervisor gave up, or
    /// when a stop was requested during the start.
    pub async fn start(&self) -> Result<(), Error> {
        self.turn().await?;
        let settled = {
            let mut state = self.shared.state();
            if state.retired {
                return Err(Error::Stopped);
            }
            if state.wanted == Wanted::Stopped {
                self.want(&mut state, Wanted::Running, Status::Starting);
            }
            settled(state.status, state.subscribe())
        };
        self.outcome(settled.await)
    }

    /// Stops the daemon. Returns when its complete process tree has ended.
    pub async fn stop(&self) {
        {
            let mut state = self.shared.state();
            state.asks += 1;
            state.wanted = Wanted::Stopped;
            if state.active {
                state.stopping = true;
            } else {
                state.stopped();
            }
        }
        self.shared.wake();
        self.shared.until(|state| !state.stopping).await;
    }

    /// Stops the daemon permanently: later starts raise [`Error::Stopped`], and the data directory can be moved.
    pub async fn retire(&self) {
        self.shared.state().retired = true;
        self.stop().await;
    }

    /// Stops and starts the daemon, and forgets earlier crashes. Returns when it is ready. Raises: as [`Self::start`].
    pub async fn restart(&self) -> Result<(), Error> {
        self.turn().await?;
        let settled = {
            let mut state = self.shared.state();
            if state.retired {
                return Err(Error::Stopped);
            }
            if state.active {
                self.want(&mut state, Wanted::Restart, Status::Restarting);
            } else {
                self.want(&mut state, Wanted::Running, Status::Starting);
            }
            settled(state.status, state.subscribe())
        };
        self.outcome(settled.await)
    }

    /// Waits for a stop in progress. Raises: [`Error::Stopped`] when there was another request during the wait.
    async fn turn(&self) -> Result<(), Error> {
        let ask = {
            let mut state = self.shared.state();
            state.asks += 1;
            if !state.stopping {
                return Ok(());
            }
            state.asks
        };
        self.shared.until(|state| !state.stopping).await;
        if self.shared.state().asks == ask { Ok(()) } else { Err(Error::Stopped) }
    }

    /// Sets what is wanted, and starts the task unless it runs.
    fn want(&self, state: &mut State, wanted: Wanted, status: Status) {
        state.wanted = wanted;
        state.forget();
        state.say(status);
        self.shared.wake();
        if !state.active {
            state.active = true;
            spawn(self.shared.clone().keep());
        }
    }

    fn outcome(&self, status: Status) -> Result<(), Error> {
        match status {
            Status::Ready => Ok(()),
            Status::Stopped => Err(Error::Stopped),
            _ => Err(self.shared.state().problem.clone().unwrap_or(Error::Stopped)),
        }
    }
}

/// Waits for the first status that is neither starting nor restarting.
async fn settled(now: Status, mut changes: mpsc::UnboundedReceiver<Status>) -> Status {
    let mut status = now;
    while matches!(status, Status::Starting | Status::Restarting) {
        let Some(next) = changes.recv().await else { return Status::Stopped };
        status = next;
    }
    status
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use serde_json::Map;

    use super::*;
    use crate::{binary::Places, timing::Timing};

    #[tokio::test]
    async fn one_that_has_retired_is_not_started_again() {
        let home = tempfile::tempdir().expect("a folder");
        let supervisor = Supervisor::new(Options {
            framework: "tauri".into(),
            port: 0,
            data_dir: home.path().join("data"),
            logs_dir: None,
            places: Places::default(),
            unix_socket: true,
            environment: BTreeMap::new(),
            settings: Map::new(),
            timing: Timing::default(),
        });
        assert!(matches!(supervisor.start().await, Err(Error::NotFound { .. })));
        supervisor.retire().await;
        assert!(matches!(supervisor.start().await, Err(Error::Stopped)));
        assert!(matches!(supervisor.restart().await, Err(Error::Stopped)));
        assert_eq!(supervisor.status(), Status::Stopped);
        assert!(!home.path().join("data").exists());
    }
}
