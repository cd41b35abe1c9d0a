//! One run of the daemon: its start, its first line over stdin, its ready line on stdout, and the end of its process
//! tree.

use std::{collections::BTreeMap, io, path::PathBuf, process::Stdio, sync::Arc, time::Duration};

use serde::Deserialize;
use serde_json::{Map, Value};
use tokio::{
    io::{AsyncRead, AsyncReadExt, AsyncWriteExt},
    process::{ChildStdin, Command},
    sync::{oneshot, watch},
    task::{JoinSet, spawn},
    time::{Instant, sleep, timeout},
};

use crate::{
    connection::{Endpoint, identify},
    error::Error,
    exit::Exit,
    lines::Lines,
    log::{Log, Stream},
    redaction::Redaction,
    timing::Timing,
    tree::{MARK, Tree},
};

/// The version of the daemon's protocol that this crate speaks.
pub const PROTOCOL: i64 = 1;

/// Variables of the app that the daemon does not inherit: they are secret, or would change how it runs.
const NOT_INHERITED: [&str; 3] = ["ASTER_SIDECAR_TOKEN", "WEBKIT_INSPECTOR_SERVER", "TAURI_WEBVIEW_AUTOMATION"];
/// How long to wait for the last output of an ended process while its children hold its pipes.
const OUTPUT: Duration = Duration::from_millis(500);

/// The line that the daemon writes to stdout when it is ready for requests.
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
    /// None: the line is other output.
    fn read(line: &str) -> Option<Self> {
        serde_json::from_str(line).ok().filter(|ready: &Self| !ready.instance_id.is_empty())
    }
}

pub(crate) struct Launch {
    pub binary: PathBuf,
    pub arguments: Vec<String>,
    pub environment: BTreeMap<String, String>,
    /// Sent with the token in the first line of stdin.
    pub settings: Map<String, Value>,
    pub cwd: PathBuf,
    pub socket_path: Option<PathBuf>,
    pub log: Arc<Log>,
    pub redaction: Arc<Redaction>,
    pub timing: Timing,
}

pub(crate) struct Life {
    pub pid: u32,
    /// The daemon's version, from its ready line; None before that.
    pub version: Option<String>,
    launch: Launch,
    token: String,
    tree: Tree,
    /// Keeps stdin open while it is held. It is also dropped when this process crashes, which ends the daemon.
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
        // A separate process group, so that all of it can be ended and Ctrl-C in a terminal reaches only the app.
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
                    // The receiver may have given up.
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

    /// Waits until the daemon has ended and its output is in the log.
    pub(crate) async fn exited(&mut self) -> Exit {
        let exit = match self.exit.wait_for(Option::is_some).await.as_deref() {
            Ok(Some(exit)) => exit.clone(),
            // Not reached: the task that waits for the process always sends its exit.
            _ => Exit::of(Err(io::Error::other("nobody waited for it"))),
        };
        // Its children may hold its pipes open.
        let read_all = async { while self.readers.join_next().await.is_some() {} };
        let _ = timeout(OUTPUT, read_all).await;
        self.readers.shutdown().await;
        exit
    }

    /// Waits until the daemon answers requests. Raises: [`Error`]; [`Error::Crashed`] is used for any exit.
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
        // The ready line is no proof: another program may answer on that port.
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

    /// Waits for the ready line. None: not in time. Raises: [`Error::Crashed`] for any exit.
    async fn ready_line(&mut self, within: Duration) -> Result<Option<ReadyLine>, Error> {
        let Some(said) = self.said.take() else { return Ok(None) };
        let said = async {
            match said.await {
                Ok(line) => line,
                // It closed stdout: only its exit or the timeout can follow.
                Err(_) => std::future::pending().await,
            }
        };
        tokio::select! {
            line = said => Ok(Some(line)),
            exit = self.exited() => Err(Error::Crashed { exit, words: String::new() }),
            () = sleep(within) => Ok(None),
        }
    }

    /// Closes stdin, which asks the daemon to end, and waits. Then ends its complete process tree. Returns how the
    /// daemon itself ended.
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

/// Writes the first line to stdin and keeps the pipe open until `let_go` is sent or dropped.
async fn hold(mut pipe: ChildStdin, line: String, let_go: oneshot::Receiver<()>) {
    let held = async {
        // The daemon may end before it reads.
        let _ = pipe.write_all(line.as_bytes()).await;
        std::future::pending::<()>().await;
    };
    tokio::select! {
        () = held => {}
        _ = let_go => {}
    }
}

/// Passes each line of the pipe to `take` until the pipe ends.
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
