//! The state that the supervisor's handles and its task share.

use std::{
    path::PathBuf,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use tokio::{
    sync::{mpsc, watch},
    time::Instant,
};

use crate::{
    binary::Binary, connection::Endpoint, error::Error, exit::Exit, log::Log, options::Options, redaction::Redaction,
    socket_path::socket_path, status::Status,
};

pub(crate) struct Shared {
    pub options: Options,
    pub log: Arc<Log>,
    pub redaction: Arc<Redaction>,
    state: Mutex<State>,
    /// Sent after each change of `state`.
    changed: watch::Sender<()>,
}

/// The last request.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Wanted {
    Running,
    Restart,
    Stopped,
}

pub(crate) struct State {
    pub status: Status,
    pub wanted: Wanted,
    /// Whether the task runs that keeps the daemon running.
    pub active: bool,
    /// Whether a stop was requested and is not complete.
    pub stopping: bool,
    /// Whether starts are refused from now on.
    pub retired: bool,
    /// How many requests to start, stop or restart there were: of those that wait, only the last counts.
    pub asks: u64,
    listeners: Vec<mpsc::UnboundedSender<Status>>,
    /// Where the daemon answers; None: it is not ready.
    pub endpoint: Option<Endpoint>,
    pub pid: Option<u32>,
    /// When it crashed, within the window that counts.
    pub crashes: Vec<Instant>,
    /// How many crashes in a row have been followed by a restart.
    pub attempt: u32,
    /// Since when another daemon has been using the data directory.
    pub busy_since: Option<Instant>,
    /// Whether to use any free port and no Unix socket, because a start with the preferred ones failed.
    pub fallback: bool,
    pub binary: Option<Binary>,
    pub starts: u64,
    pub last_start: Option<String>,
    pub last_exit: Option<Exit>,
    pub next_restart: Option<String>,
    pub problem: Option<Error>,
    pub version: Option<String>,
}

impl State {
    fn new() -> Self {
        Self {
            status: Status::Stopped,
            wanted: Wanted::Stopped,
            active: false,
            stopping: false,
            retired: false,
            asks: 0,
            listeners: Vec::new(),
            endpoint: None,
            pid: None,
            crashes: Vec::new(),
            attempt: 0,
            busy_since: None,
            fallback: false,
            binary: None,
            starts: 0,
            last_start: None,
            last_exit: None,
            next_restart: None,
            problem: None,
            version: None,
        }
    }

    /// Receives every change of the status from now on, in order.
    pub(crate) fn subscribe(&mut self) -> mpsc::UnboundedReceiver<Status> {
        let (tell, changes) = mpsc::unbounded_channel();
        self.listeners.push(tell);
        changes
    }

    /// Sets the status and sends it to the subscribers, unless it is the same as before.
    pub(crate) fn say(&mut self, status: Status) {
        if status != self.status {
            self.status = status;
            self.listeners.retain(|listener| listener.send(status).is_ok());
        }
    }

    /// Forgets earlier crashes and their consequences.
    pub(crate) fn forget(&mut self) {
        self.crashes.clear();
        self.attempt = 0;
        self.busy_since = None;
        self.fallback = false;
        self.next_restart = None;
    }

    /// The daemon is stopped, as requested.
    pub(crate) fn stopped(&mut self) {
        self.forget();
        self.stopping = false;
        self.say(Status::Stopped);
    }

    /// Whether a stop or a restart was requested that the task has not begun.
    pub(crate) fn asked(&self) -> bool {
        self.wanted != Wanted::Running
    }
}

impl Shared {
    pub(crate) fn new(options: Options, log: Arc<Log>, redaction: Arc<Redaction>) -> Self {
        Self { options, log, redaction, state: Mutex::new(State::new()), changed: watch::Sender::new(()) }
    }

    pub(crate) fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Changes the state and wakes all tasks that wait in [`Self::until`]. Returns what `change` returns.
    pub(crate) fn set<T>(&self, change: impl FnOnce(&mut State) -> T) -> T {
        let result = change(&mut self.state());
        self.wake();
        result
    }

    /// Wakes all tasks that wait in [`Self::until`].
    pub(crate) fn wake(&self) {
        self.changed.send_replace(());
    }

    /// Waits until the state meets the condition.
    pub(crate) async fn until(&self, met: impl Fn(&State) -> bool) {
        let mut changes = self.changed.subscribe();
        while !met(&self.state()) {
            // No error is possible: `self` holds the sender.
            let _ = changes.changed().await;
        }
    }

    /// Waits until a stop or a restart is requested.
    pub(crate) async fn asked(&self) {
        self.until(State::asked).await;
    }

    /// The Unix socket that the next start uses. `fallback`: see [`State::fallback`].
    pub(crate) fn socket_path(&self, fallback: bool) -> Option<PathBuf> {
        if self.options.unix_socket && !fallback { socket_path(&self.options.data_dir) } else { None }
    }
}
