//! The daemon's process tree: finds and ends every process that the daemon started.
//!
//! On Linux and macOS the daemon leads a process group. Processes that left the group are found as descendants while
//! the daemon runs, and by a variable in their environment afterwards. On Windows a job object holds the tree; the
//! system closes it, and ends the tree, when this process ends in any way.

/// The environment variable that marks the processes of one launch.
pub(crate) const MARK: &str = "ASTER_SHELL_LAUNCH";

#[cfg(unix)]
pub(crate) use unix::Tree;
#[cfg(windows)]
pub(crate) use windows::Tree;

#[cfg(unix)]
mod unix {
    use std::{
        collections::HashMap,
        ffi::OsString,
        io,
        sync::{Arc, Mutex, PoisonError},
        time::Duration,
    };

    use nix::{
        sys::signal::{Signal, kill},
        unistd::{self, getpgid},
    };
    use sysinfo::{Pid, Process, ProcessRefreshKind, ProcessStatus, ProcessesToUpdate, System, UpdateKind};
    use tokio::{
        process::Child,
        task::spawn_blocking,
        time::{Instant, sleep},
    };

    use super::MARK;

    pub(crate) struct Tree {
        members: Arc<Mutex<Members>>,
    }

    struct Members {
        system: System,
        lead: Pid,
        /// When the lead was started, which distinguishes it from a later process with the same pid.
        started: Option<u64>,
        mark: OsString,
        known: HashMap<Pid, u64>,
    }

    impl Tree {
        /// `pid` leads its process group; `mark` is the value of [`MARK`] in its environment. Raises: the system's
        /// error.
        pub(crate) fn of(_child: &Child, pid: u32, mark: &str) -> io::Result<Self> {
            let mut mark_variable = OsString::from(MARK);
            mark_variable.push("=");
            mark_variable.push(mark);
            let members = Members {
                system: System::new().map_err(io::Error::other)?,
                lead: Pid::from_u32(pid),
                started: None,
                mark: mark_variable,
                known: HashMap::new(),
            };
            Ok(Self { members: Arc::new(Mutex::new(members)) })
        }

        /// Records the current members. Recorded processes are found again after their parents have ended.
        pub(crate) async fn look(&self) {
            self.with(Members::look).await;
        }

        /// Ends all members: with SIGTERM, and after `term` with SIGKILL. Returns when none is left.
        pub(crate) async fn end(&self, term: Duration) {
            let until = Instant::now() + term;
            let mut told = None;
            loop {
                let signal = if Instant::now() < until { Signal::SIGTERM } else { Signal::SIGKILL };
                // SIGKILL is repeated: a member may have started another process in between.
                let tell = told != Some(signal) || signal == Signal::SIGKILL;
                told = Some(signal);
                let left = self
                    .with(move |members| {
                        members.look();
                        if tell {
                            members.tell(signal);
                        }
                        members.known.len()
                    })
                    .await;
                if left == 0 {
                    return;
                }
                sleep(Duration::from_millis(50)).await;
            }
        }

        /// Runs `act` on a blocking thread, because listing all processes takes milliseconds.
        async fn with<T: Send + 'static>(&self, act: impl FnOnce(&mut Members) -> T + Send + 'static) -> T {
            let members = self.members.clone();
            let acted = spawn_blocking(move || act(&mut members.lock().unwrap_or_else(PoisonError::into_inner)));
            match acted.await {
                Ok(result) => result,
                Err(failed) => std::panic::resume_unwind(failed.into_panic()),
            }
        }
    }

    impl Members {
        fn look(&mut self) {
            let what = ProcessRefreshKind::nothing().without_tasks().with_environ(UpdateKind::Always);
            self.system.refresh_processes_specifics(ProcessesToUpdate::All, true, what);
            let all: HashMap<Pid, &Process> =
                self.system.processes().iter().filter(|(_, one)| lives(one)).map(|(&pid, one)| (pid, one)).collect();
            let lead = all.get(&self.lead).map(|lead| lead.start_time());
            self.started = self.started.or(lead);
            // The pid of an ended process may be reused by a process that leads another group.
            let ours = lead.is_none() || lead == self.started;
            let mut found: Vec<Pid> = all
                .iter()
                .filter(|&(pid, one)| {
                    self.known.get(pid) == Some(&one.start_time())
                        || one.environ().contains(&self.mark)
                        || (ours && group(*pid) == Some(self.lead))
                })
                .map(|(&pid, _)| pid)
                .collect();
            let mut next = 0;
            while let Some(&parent) = found.get(next) {
                let children = all.iter().filter(|(_, one)| one.parent() == Some(parent)).map(|(&pid, _)| pid);
                let more: Vec<Pid> = children.filter(|child| !found.contains(child)).collect();
                found.extend(more);
                next += 1;
            }
            let own = Pid::from_u32(std::process::id());
            self.known = found
                .into_iter()
                .filter(|&pid| pid != own)
                .filter_map(|pid| Some((pid, all.get(&pid)?.start_time())))
                .collect();
        }

        fn tell(&self, signal: Signal) {
            for pid in self.known.keys() {
                // The process may have ended in between.
                let _ = kill(raw(*pid), signal);
            }
        }
    }

    /// Whether the process runs; a zombie does not.
    fn lives(process: &Process) -> bool {
        !matches!(process.status(), ProcessStatus::Zombie | ProcessStatus::Dead)
    }

    fn group(pid: Pid) -> Option<Pid> {
        let group = getpgid(Some(raw(pid))).ok()?;
        Some(Pid::from_u32(group.as_raw().cast_unsigned()))
    }

    fn raw(pid: Pid) -> unistd::Pid {
        unistd::Pid::from_raw(pid.as_u32().cast_signed())
    }
}

#[cfg(windows)]
mod windows {
    use std::{
        io,
        sync::{Mutex, PoisonError},
        time::Duration,
    };

    use tokio::process::Child;
    use win32job::Job;

    pub(crate) struct Tree {
        job: Mutex<Option<Job>>,
    }

    impl Tree {
        pub(crate) fn of(child: &Child, _pid: u32, _mark: &str) -> io::Result<Self> {
            let failed = |cause: win32job::JobError| io::Error::other(cause);
            let job = Job::create().map_err(failed)?;
            let mut limits = job.query_extended_limit_info().map_err(failed)?;
            limits.limit_kill_on_job_close();
            job.set_extended_limit_info(&limits).map_err(failed)?;
            let process = child.raw_handle().ok_or_else(|| io::Error::other("the process is gone"))?;
            job.assign_process(process as isize).map_err(failed)?;
            Ok(Self { job: Mutex::new(Some(job)) })
        }

        pub(crate) async fn look(&self) {}

        /// Closes the job, which ends its processes at once: Windows has no SIGTERM.
        pub(crate) async fn end(&self, _term: Duration) {
            self.job.lock().unwrap_or_else(PoisonError::into_inner).take();
        }
    }
}
