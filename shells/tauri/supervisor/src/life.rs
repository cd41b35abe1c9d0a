//! One life of the daemon: started, spoken to over stdin and stdout, and ended with all that it started.

use std::{
    collections::BTreeMap,
    fmt, io,
    path::PathBuf,
    process::{ExitStatus, Stdio},
    sync::Arc,
    time::{Duration, SystemTime},
};

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};
use tokio::{
    io::{AsyncRead, AsyncReadExt, AsyncWriteExt},
    process::{ChildStdin, Command},
    sync::{oneshot, watch},
    task::{JoinSet, spawn},
    time::{Instant, sleep, timeout},
};

use crate::{
    Error, Log, Redaction, Stream, Timing,
    connection::{Endpoint, identify},
    lines::Lines,
    log::stamp,
    tree::{MARK, Tree},
};

/// The version of the contract that this crate speaks.
pub const PROTOCOL: i64 = 1;

/// Variables of the app that are none of the daemon's business, or would change what it is.
const NOT_INHERITED: [&str; 3] = ["ASTER_SIDECAR_TOKEN", "WEBKIT_INSPECTOR_SERVER", "TAURI_WEBVIEW_AUTOMATION"];
/// How long the last words of a process are waited for when others hold its pipes.
const OUTPUT: Duration = Duration::from_millis(500);

/// How a process ended.
#[derive(Debug, Clone, Serialize)]
pub struct Exit {
    pub code: Option<i32>,
    pub signal: Option<&'static str>,
    pub time: String,
}

impl Exit {
    fn of(status: io::Result<ExitStatus>) -> Self {
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

/// What the daemon says on stdout when its requests are answered.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
pub(crate) struct ReadyLine {
    event: Ready,
    pub port: std::num::NonZeroU16,
    #[serde(rename = "pid")]
    _pid: i64,
    pub instance_id: String,
    pub protocol: i64,
    #[serde(default)]
    pub version: String,
}

#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
enum Ready {
    #[serde(rename = "ready")]
    Ready,
}

impl ReadyLine {
    /// None: whatever else is written there.
    fn read(line: &str) -> Option<Self> {
        serde_json::from_str(line).ok().filter(|ready: &Self| !ready.instance_id.is_empty())
    }
}

pub(crate) struct Launch {
    pub binary: PathBuf,
    pub arguments: Vec<String>,
    pub environment: BTreeMap<String, String>,
    /// The line for its stdin, besides the token.
    pub settings: Map<String, Value>,
    pub cwd: PathBuf,
    pub socket_path: Option<PathBuf>,
    pub log: Arc<Log>,
    pub redaction: Arc<Redaction>,
    pub timing: Timing,
}

pub(crate) struct Life {
    pub pid: u32,
    /// Of the ready line; None before it.
    pub version: Option<String>,
    launch: Launch,
    token: String,
    tree: Tree,
    /// Its stdin stays open for as long as this is held: also a shell that falls lets go of it.
    stdin: Option<oneshot::Sender<()>>,
    exit: watch::Receiver<Option<Exit>>,
    said: Option<oneshot::Receiver<ReadyLine>>,
    readers: JoinSet<()>,
}

impl Life {
    /// Raises: [`Error::NotStarted`].
    pub(crate) async fn start(launch: Launch) -> Result<Self, Error> {
        let token = random_hex::<32>().map_err(Error::not_started)?;
        let mark = random_hex::<12>().map_err(Error::not_started)?;
        launch.redaction.learn(&token);
        let mut command = Command::new(&launch.binary);
        command
            .args(&launch.arguments)
            .current_dir(&launch.cwd)
            .envs(&launch.environment)
            .env(MARK, &mark)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped());
        for name in NOT_INHERITED {
            command.env_remove(name);
        }
        // A group of its own, so that all of it can be ended, and no Ctrl-C of a terminal reaches it before the app has
        // decided.
        #[cfg(unix)]
        command.process_group(0);
        #[cfg(windows)]
        command.creation_flags(0x0800_0000); // CREATE_NO_WINDOW
        let mut child = command.spawn().map_err(Error::not_started)?;
        let pid = child.id().ok_or_else(|| Error::not_started(io::Error::other("it was gone at once")))?;
        let tree = Tree::of(&child, pid, &mark).map_err(Error::not_started)?;

        let mut readers = JoinSet::new();
        let (tell, said) = oneshot::channel();
        let log = launch.log.clone();
        let mut tell = Some(tell);
        if let Some(stdout) = child.stdout.take() {
            readers.spawn(read(stdout, move |line| match ReadyLine::read(&line) {
                Some(ready) if tell.is_some() => {
                    // Whoever waited for it may have given up.
                    let _ = tell.take().map(|tell| tell.send(ready));
                }
                _ => log.add(Stream::Stdout, &line),
            }));
        }
        let log = launch.log.clone();
        if let Some(stderr) = child.stderr.take() {
            readers.spawn(read(stderr, move |line| log.add(Stream::Stderr, &line)));
        }
        let mut settings = launch.settings.clone();
        settings.insert("token".into(), Value::from(token.clone()));
        let (stdin, let_go) = oneshot::channel();
        if let Some(pipe) = child.stdin.take() {
            spawn(hold(pipe, format!("{}\n", Value::Object(settings)), let_go));
        }
        let (ended, exit) = watch::channel(None);
        spawn(async move {
            let status = child.wait().await;
            ended.send_replace(Some(Exit::of(status)));
        });
        tree.look().await;
        Ok(Self { pid, version: None, launch, token, tree, stdin: Some(stdin), exit, said: Some(said), readers })
    }

    /// Returns when it has ended and what it said is in the log.
    pub(crate) async fn exited(&mut self) -> Exit {
        let exit = match self.exit.wait_for(Option::is_some).await.as_deref() {
            Ok(Some(exit)) => exit.clone(),
            // The task that waits for it never ends before it has said so.
            _ => Exit::of(Err(io::Error::other("nobody waited for it"))),
        };
        // What it started may hold its pipes open for ever.
        let read_all = async { while self.readers.join_next().await.is_some() {} };
        let _ = timeout(OUTPUT, read_all).await;
        self.readers.shutdown().await;
        exit
    }

    /// Returns once its requests are answered. Raises: [`Error`]; [`Error::Crashed`] stands for any end.
    pub(crate) async fn ready(&mut self) -> Result<Endpoint, Error> {
        let Timing { start_timeout, health_timeout, .. } = self.launch.timing;
        let until = Instant::now() + start_timeout;
        let late = Error::NotReady { within: start_timeout };
        let line = self.ready_line(start_timeout).await?.ok_or_else(|| late.clone())?;
        if line.protocol != PROTOCOL {
            return Err(Error::ProtocolMismatch { theirs: line.protocol, ours: PROTOCOL });
        }
        self.version = Some(line.version);
        let endpoint = Endpoint {
            port: line.port.get(),
            socket_path: self.launch.socket_path.clone(),
            token: self.token.clone(),
            instance_id: line.instance_id,
        };
        // Its own words are not enough: somebody else may answer where it says it listens.
        loop {
            let left = until.saturating_duration_since(Instant::now()).max(Duration::from_millis(1));
            let found = tokio::select! {
                found = identify(&endpoint, health_timeout.min(left)) => found,
                exit = self.exited() => return Err(Error::Crashed { exit, words: String::new() }),
            };
            match found {
                Ok(found) if found == endpoint.instance_id => return Ok(endpoint),
                Ok(_) => return Err(Error::Stranger { place: endpoint.place() }),
                Err(_) if Instant::now() >= until => return Err(late),
                Err(_) => sleep(Duration::from_millis(50)).await,
            }
        }
    }

    /// None: not in time.
    async fn ready_line(&mut self, within: Duration) -> Result<Option<ReadyLine>, Error> {
        let Some(said) = self.said.take() else { return Ok(None) };
        let said = async {
            match said.await {
                Ok(line) => line,
                // It closed its stdout; what comes then is its end, or too late.
                Err(_) => std::future::pending().await,
            }
        };
        tokio::select! {
            line = said => Ok(Some(line)),
            exit = self.exited() => Err(Error::Crashed { exit, words: String::new() }),
            () = sleep(within) => Ok(None),
        }
    }

    /// Closes its stdin, which tells it to end, and waits. Then its whole tree goes. Returns when nothing is left.
    pub(crate) async fn end(mut self) -> Exit {
        let Timing { stop, term, .. } = self.launch.timing;
        self.tree.look().await;
        self.stdin = None;
        if timeout(stop, self.exit.wait_for(Option::is_some)).await.is_err() {
            let text =
                format!("the daemon did not end within {} ms; it is ended with all that it started", stop.as_millis());
            self.launch.log.add(Stream::Shell, &text);
        }
        self.tree.end(term).await;
        let exit = self.exited().await;
        self.launch.log.add(Stream::Shell, &format!("the daemon ended with {exit}"));
        self.launch.redaction.forget(&self.token);
        exit
    }
}

/// Writes its first line, and keeps the pipe open until it is to be let go.
async fn hold(mut pipe: ChildStdin, line: String, let_go: oneshot::Receiver<()>) {
    let held = async {
        // It may be gone before it has read.
        let _ = pipe.write_all(line.as_bytes()).await;
        std::future::pending::<()>().await;
    };
    tokio::select! {
        () = held => {}
        _ = let_go => {}
    }
}

async fn read(mut pipe: impl AsyncRead + Unpin, mut take: impl FnMut(String)) {
    let mut lines = Lines::default();
    let mut chunk = vec![0; 16 * 1024];
    while let Ok(size @ 1..) = pipe.read(&mut chunk).await {
        lines.push(&chunk[..size], &mut take);
    }
    if let Some(line) = lines.end() {
        take(line);
    }
}

fn random_hex<const BYTES: usize>() -> io::Result<String> {
    let mut bytes = [0; BYTES];
    getrandom::fill(&mut bytes).map_err(io::Error::other)?;
    Ok(hex::encode(bytes))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn the_ready_line_is_read_and_nothing_else_is_taken_for_one() {
        let line = json!({"event": "ready", "port": 1, "pid": 2, "instance_id": "instance_1", "protocol": 1,
                          "version": "0.1.0", "more": true});
        let read = |line: &Value| ReadyLine::read(&line.to_string());
        let ready = read(&line).expect("a ready line");
        assert_eq!((ready.port.get(), ready.instance_id.as_str(), ready.protocol), (1, "instance_1", 1));
        for (name, odd) in [
            ("event", json!("started")),
            ("port", json!(0)),
            ("port", json!(70_000)),
            ("port", json!("1")),
            ("pid", json!(null)),
            ("instance_id", json!("")),
        ] {
            let mut line = line.clone();
            line[name] = odd;
            assert_eq!(read(&line), None, "{line}");
        }
        for text in ["", "ready", "[]", "null"] {
            assert_eq!(ReadyLine::read(text), None);
        }
    }
}
