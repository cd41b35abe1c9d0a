//! The task that keeps the daemon running: starts it, checks that it answers, starts it again when it ends, and gives
//! up after too many crashes.
//!
//! This one task does all of it, from the first start until the daemon has stopped or crashed too often. Requests set
//! `wanted` and wake the task; nothing else starts or ends a process, so there is never a second daemon.

use std::{
    sync::Arc,
    time::{Duration, SystemTime},
};

use tokio::time::{Instant, sleep, timeout};

use crate::{
    binary::find_binary,
    connection::{Endpoint, identify},
    error::Error,
    exit::Exit,
    life::{Launch, Life},
    log::{Stream, private_folder, stamp},
    options::Options,
    state::{Shared, State, Wanted},
    status::Status,
};

/// Why one run of the daemon ended.
enum Verdict {
    /// A stop or a restart was requested.
    Asked,
    Failed(Error),
}

/// What follows a failure.
enum Next {
    /// Another start, after this delay.
    After(Duration),
    GiveUp,
}

/// How many of the last lines of stderr are kept with the problem.
const LAST_WORDS: usize = 3;

impl Shared {
    /// Runs the daemon until it is stopped or given up. Ends with `active` off.
    pub(crate) async fn keep(self: Arc<Self>) {
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
                    let _ = timeout(delay, self.asked()).await;
                }
            }
            self.set(|state| state.next_restart = None);
        }
    }

    /// Whether and when to start again after this error.
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

    /// Starts the daemon once and watches it. Returns when its complete process tree has ended.
    async fn live(&self) -> Verdict {
        let mut life = match self.launch().await {
            Ok(life) => life,
            Err(error) => return Verdict::Failed(error),
        };
        self.set(|state| state.pid = Some(life.pid));
        let verdict = self.watch(&mut life).await;
        self.set(|state| {
            state.endpoint = None;
            // Shown at once, not only after the complete process tree has ended.
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
            if state.asked() { Verdict::Asked } else { verdict }
        })
    }

    /// Raises: [`Error::NotFound`], [`Error::NotStarted`].
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

    /// Waits until the daemon is ready, then until it ends, fails or is asked to stop.
    async fn watch(&self, life: &mut Life) -> Verdict {
        let ready = tokio::select! {
            () = self.asked() => return Verdict::Asked,
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
            () = self.asked() => Verdict::Asked,
            exit = life.exited() => self.died(exit),
            error = self.guard(&endpoint) => Verdict::Failed(error),
        }
    }

    /// Checks the daemon's health at intervals. Returns when it no longer answers as it should.
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

    /// The verdict on an exit that was not requested, with the last lines of stderr.
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
