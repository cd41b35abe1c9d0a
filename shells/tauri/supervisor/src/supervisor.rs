//! Keeps one daemon running: starts it, sees that it answers, starts it again when it ends, gives up when that is no use.
//!
//! One task does all of it, from the moment the daemon is asked for until it has stopped or crashed for good. What people
//! ask for sets `wanted` and wakes the task; nothing else starts or ends a process, so there is never a second one.

use std::{
    collections::BTreeMap,
    fmt,
    path::{Path, PathBuf},
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::{Duration, SystemTime},
};

use serde::Serialize;
use serde_json::{Map, Value};
use tokio::{
    sync::{mpsc, watch},
    task::spawn,
    time::{Instant, sleep, timeout},
};

use crate::{
    Error, Log, Redaction, Stream, Timing,
    binary::{Binary, Places, find_binary},
    connection::{Answer, Call, Endpoint, call, identify},
    error::Problem,
    life::{Exit, Launch, Life},
    log::{private_folder, stamp},
    socket_path::socket_path,
};

/// What a person sees.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Status {
    /// Asked for, and not there yet.
    Starting,
    /// It answers.
    Ready,
    /// It ended or stopped answering, or a restart was asked for; it will be back.
    Restarting,
    /// It does not run and is not to.
    Stopped,
    /// It does not run, and will not before somebody asks for it.
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

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Transport {
    Tcp,
    UnixSocket,
}

#[derive(Debug, Clone)]
pub struct Options {
    /// What the daemon is told it runs under: `tauri`.
    pub framework: String,
    /// Tried first; when it can't be had, the daemon takes a free one.
    pub port: u16,
    pub data_dir: PathBuf,
    /// None: nothing is written to files.
    pub logs_dir: Option<PathBuf>,
    pub places: Places,
    /// Whether to talk over a Unix socket where the system has them.
    pub unix_socket: bool,
    /// Variables for the daemon besides those of this process.
    pub environment: BTreeMap<String, String>,
    /// More for the first line of its stdin: settings, providers' keys.
    pub settings: Map<String, Value>,
    pub timing: Timing,
}

#[derive(Debug, Clone, Serialize)]
pub struct Info {
    pub status: Status,
    pub desired_running: bool,
    pub pid: Option<u32>,
    pub port: Option<u16>,
    pub socket_path: Option<PathBuf>,
    pub transport: Transport,
    pub instance_id: Option<String>,
    pub version: Option<String>,
    pub binary: Option<Binary>,
    /// How many times it has been started.
    pub starts: u64,
    pub last_start: Option<String>,
    pub last_exit: Option<Exit>,
    pub restart_attempt: u32,
    pub next_restart: Option<String>,
    /// Why it is not ready, or was not the last time.
    pub problem: Option<Problem>,
}

/// Why the last life ended, in its own words: so many lines of stderr are kept with the problem.
const LAST_WORDS: usize = 3;

#[derive(Clone)]
pub struct Supervisor {
    shared: Arc<Shared>,
}

struct Shared {
    options: Options,
    log: Arc<Log>,
    redaction: Arc<Redaction>,
    state: Mutex<State>,
    /// Says that something in `state` is different.
    changed: watch::Sender<()>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Wanted {
    Running,
    Restart,
    Stopped,
}

struct State {
    status: Status,
    wanted: Wanted,
    /// Whether the task runs that keeps it.
    active: bool,
    stopping: bool,
    /// Nobody starts it any more.
    retired: bool,
    /// How often something was asked for: only the last of it counts.
    asks: u64,
    listeners: Vec<mpsc::UnboundedSender<Status>>,
    endpoint: Option<Endpoint>,
    pid: Option<u32>,
    crashes: Vec<Instant>,
    attempt: u32,
    busy_since: Option<Instant>,
    /// Neither its port nor its socket could be had: a free port and no socket from now on.
    fallback: bool,
    binary: Option<Binary>,
    starts: u64,
    last_start: Option<String>,
    last_exit: Option<Exit>,
    next_restart: Option<String>,
    problem: Option<Error>,
    version: Option<String>,
}

/// How a life ended.
enum Verdict {
    /// As somebody asked for.
    Told,
    Failed(Error),
}

/// What follows a failure.
enum Next {
    After(Duration),
    GiveUp,
}

impl Supervisor {
    pub fn new(options: Options) -> Self {
        let redaction = Arc::new(Redaction::default());
        redaction.learn_from(
            std::env::vars_os().filter_map(|(name, value)| Some((name.into_string().ok()?, value.into_string().ok()?))),
        );
        redaction.learn_from(&options.environment);
        let path = options.logs_dir.as_ref().map(|folder| folder.join("engine.log"));
        let log = Arc::new(Log::new(path, redaction.clone()));
        let state = State {
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
        };
        let changed = watch::Sender::new(());
        Self { shared: Arc::new(Shared { options, log, redaction, state: Mutex::new(state), changed }) }
    }

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

    /// The daemon, proven ours. Raises: [`Error::Unavailable`].
    pub fn endpoint(&self) -> Result<Endpoint, Error> {
        let state = self.shared.state();
        state.endpoint.clone().ok_or(Error::Unavailable(state.status))
    }

    /// Hears every change of the status, in order, none left out.
    pub fn subscribe(&self) -> mpsc::UnboundedReceiver<Status> {
        self.shared.state().subscribe()
    }

    /// Waits while it is on its way, for so long at most. Returns whether or not it is there then.
    pub async fn reachable(&self, within: Duration) {
        let settled = self.shared.until(|state| !matches!(state.status, Status::Starting | Status::Restarting));
        let _ = timeout(within, settled).await;
    }

    /// Raises: [`Error::Unavailable`], [`Error::Call`].
    pub async fn call(&self, asked: Call) -> Result<Answer, Error> {
        call(&self.endpoint()?, asked).await
    }

    /// Has it running. Returns when it is ready. Raises: [`Error`] when it was given up or stopped before.
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

    /// Has it stopped. Returns when nothing of it is left.
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
        self.shared.changed.send_replace(());
        self.shared.until(|state| !state.stopping).await;
    }

    /// Has it stopped for good: whoever asks for it then is told so, and what it kept can be moved.
    pub async fn retire(&self) {
        self.shared.state().retired = true;
        self.stop().await;
    }

    /// Has it stopped and started again, its crashes forgotten. Returns when it is ready. Raises: as [`Self::start`].
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

    /// A stop that is under way comes first. Raises: [`Error::Stopped`] when something else was asked for meanwhile.
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

    fn want(&self, state: &mut State, wanted: Wanted, status: Status) {
        state.wanted = wanted;
        state.forget();
        state.say(status);
        self.shared.changed.send_replace(());
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

/// The first status that is none on the way.
async fn settled(now: Status, mut changes: mpsc::UnboundedReceiver<Status>) -> Status {
    let mut status = now;
    while matches!(status, Status::Starting | Status::Restarting) {
        let Some(next) = changes.recv().await else { return Status::Stopped };
        status = next;
    }
    status
}

impl State {
    fn subscribe(&mut self) -> mpsc::UnboundedReceiver<Status> {
        let (tell, changes) = mpsc::unbounded_channel();
        self.listeners.push(tell);
        changes
    }

    fn say(&mut self, status: Status) {
        if status != self.status {
            self.status = status;
            self.listeners.retain(|listener| listener.send(status).is_ok());
        }
    }

    /// Crashes no longer count.
    fn forget(&mut self) {
        self.crashes.clear();
        self.attempt = 0;
        self.busy_since = None;
        self.fallback = false;
        self.next_restart = None;
    }

    fn stopped(&mut self) {
        self.forget();
        self.stopping = false;
        self.say(Status::Stopped);
    }

    /// Whether something was asked for that the task has not met.
    fn asked(&self) -> bool {
        self.wanted != Wanted::Running
    }
}

impl Shared {
    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Changes something, and wakes whoever waits for that.
    fn set<T>(&self, change: impl FnOnce(&mut State) -> T) -> T {
        let result = change(&mut self.state());
        self.changed.send_replace(());
        result
    }

    async fn until(&self, met: impl Fn(&State) -> bool) {
        let mut changes = self.changed.subscribe();
        while !met(&self.state()) {
            // An error would mean that the sender is gone, and it is in `self`.
            let _ = changes.changed().await;
        }
    }

    /// Returns when something is asked for that the task has to see to.
    async fn told(&self) {
        self.until(State::asked).await;
    }

    async fn keep(self: Arc<Self>) {
        loop {
            let goes_on = self.set(|state| {
                if state.wanted == Wanted::Stopped {
                    state.active = false;
                    state.stopped();
                    return false;
                }
                state.wanted = Wanted::Running;
                true
            });
            if !goes_on {
                return;
            }
            let Verdict::Failed(error) = self.live().await else { continue };
            self.log.add(Stream::Shell, &error.to_string());
            let next = self.set(|state| {
                state.problem = Some(error.clone());
                let next = self.next(state, &error);
                if matches!(next, Next::GiveUp) && !state.asked() {
                    state.wanted = Wanted::Stopped;
                    state.active = false;
                    state.say(Status::Crashed);
                } else if let Next::After(delay) = next {
                    state.next_restart = (!delay.is_zero()).then(|| stamp(SystemTime::now() + delay));
                }
                (!state.asked() || !state.active).then_some(next)
            });
            match next {
                None => {}
                Some(Next::GiveUp) => return,
                Some(Next::After(delay)) => {
                    let _ = timeout(delay, self.told()).await;
                }
            }
            self.set(|state| state.next_restart = None);
        }
    }

    /// Whether and when it is started again.
    fn next(&self, state: &mut State, error: &Error) -> Next {
        let timing = &self.options.timing;
        let now = Instant::now();
        match error {
            Error::NotFound { .. } | Error::ProtocolMismatch { .. } | Error::Refused { .. } => Next::GiveUp,
            Error::AlreadyRunning { .. } => {
                let since = *state.busy_since.get_or_insert(now);
                if now - since < timing.busy { Next::After(timing.busy_interval) } else { Next::GiveUp }
            }
            Error::PortTaken { .. } if state.fallback => Next::GiveUp,
            Error::PortTaken { .. } => {
                state.fallback = true;
                Next::After(Duration::ZERO)
            }
            _ => {
                if !state.asked() {
                    state.say(Status::Restarting);
                }
                state.crashes.retain(|&crash| now - crash < timing.crash_window);
                state.crashes.push(now);
                if state.crashes.len() >= timing.crash_limit {
                    return Next::GiveUp;
                }
                let delay = timing.backoff(state.attempt, fastrand::f64());
                state.attempt += 1;
                Next::After(delay)
            }
        }
    }

    /// One life, from its start until nothing of it is left.
    async fn live(&self) -> Verdict {
        let mut life = match self.launch().await {
            Ok(life) => life,
            Err(error) => return Verdict::Failed(error),
        };
        self.set(|state| state.pid = Some(life.pid));
        let verdict = self.watch(&mut life).await;
        self.set(|state| {
            state.endpoint = None;
            // A person sees at once that it is gone, not only when the last of it is.
            if let Verdict::Failed(error) = &verdict
                && !state.asked()
                && (state.status == Status::Ready
                    || matches!(error, Error::Unresponsive { .. } | Error::Stranger { .. }))
            {
                state.say(Status::Restarting);
            }
        });
        let exit = life.end().await;
        self.set(|state| {
            state.last_exit = Some(exit);
            state.pid = None;
            if state.asked() { Verdict::Told } else { verdict }
        })
    }

    async fn launch(&self) -> Result<Life, Error> {
        let Options { framework, port, data_dir, places, environment, settings, timing, .. } = &self.options;
        let binary = find_binary(places)?;
        private_folder(data_dir).map_err(Error::not_started)?;
        let (port, socket_path) = self.set(|state| {
            state.binary = Some(binary.clone());
            state.starts += 1;
            state.last_start = Some(stamp(SystemTime::now()));
            (if state.fallback { 0 } else { *port }, self.socket_path(state.fallback))
        });
        let mut arguments: Vec<String> = ["--framework", framework, "--port"].map(Into::into).into();
        arguments.extend([port.to_string(), "--any-port".into(), "--supervised".into()]);
        for (flag, path) in [("--data-dir", Some(data_dir)), ("--uds", socket_path.as_ref())] {
            if let Some(path) = path {
                arguments.extend([flag.into(), path.display().to_string()]);
            }
        }
        Life::start(Launch {
            binary: binary.path,
            arguments,
            environment: environment.clone(),
            settings: settings.clone(),
            cwd: data_dir.clone(),
            socket_path,
            log: self.log.clone(),
            redaction: self.redaction.clone(),
            timing: timing.clone(),
        })
        .await
    }

    fn socket_path(&self, fallback: bool) -> Option<PathBuf> {
        if self.options.unix_socket && !fallback { socket_path(&self.options.data_dir) } else { None }
    }

    async fn watch(&self, life: &mut Life) -> Verdict {
        let ready = tokio::select! {
            () = self.told() => return Verdict::Told,
            ready = life.ready() => ready,
        };
        let endpoint = match ready {
            Ok(endpoint) => endpoint,
            Err(Error::Crashed { exit, .. }) => return self.died(exit),
            Err(error) => return Verdict::Failed(error),
        };
        self.set(|state| {
            state.version = life.version.clone();
            state.problem = None;
            state.busy_since = None;
            state.endpoint = Some(endpoint.clone());
            if !state.asked() {
                state.say(Status::Ready);
            }
        });
        tokio::select! {
            () = self.told() => Verdict::Told,
            exit = life.exited() => self.died(exit),
            error = self.guard(&endpoint) => Verdict::Failed(error),
        }
    }

    /// Asks after its health. Returns when it no longer answers as it should.
    async fn guard(&self, endpoint: &Endpoint) -> Error {
        let timing = &self.options.timing;
        let since = Instant::now();
        let mut misses = 0;
        loop {
            sleep(timing.health_interval).await;
            match identify(endpoint, timing.health_timeout).await {
                Ok(found) if found != endpoint.instance_id => return Error::Stranger { place: endpoint.place() },
                Ok(_) => {
                    misses = 0;
                    if since.elapsed() >= timing.healthy {
                        self.set(|state| {
                            state.crashes.clear();
                            state.attempt = 0;
                        });
                    }
                }
                Err(_) => misses += 1,
            }
            if misses >= timing.health_misses {
                return Error::Unresponsive { misses };
            }
        }
    }

    fn died(&self, exit: Exit) -> Verdict {
        let since = self.state().last_start.clone().unwrap_or_default();
        let entries = self.log.entries();
        let said: Vec<&str> = entries
            .iter()
            .filter(|entry| entry.stream == Stream::Stderr && entry.time >= since)
            .map(|entry| entry.text.as_str())
            .collect();
        let words = said[said.len().saturating_sub(LAST_WORDS)..].join("\n");
        Verdict::Failed(Error::of_exit(exit, words))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

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
