//! Drives the supervisor over stdio for the scenarios of shells/conformance; its README describes the protocol.

use std::{collections::BTreeMap, io::Write, path::PathBuf, time::Duration};

use aster_supervisor::{Call, Error, Options, Places, Status, Supervisor, Timing};
use serde::Deserialize;
use serde_json::{Map, Value, json};
use tokio::{
    io::{AsyncBufReadExt, BufReader, Lines, Stdin, stdin},
    sync::mpsc,
};

#[derive(Deserialize)]
struct Configuration {
    engine: Places,
    data_dir: PathBuf,
    logs_dir: Option<PathBuf>,
    port: u16,
    unix_socket: bool,
    #[serde(default)]
    environment: BTreeMap<String, String>,
    #[serde(default)]
    timing: Timing,
}

#[derive(Deserialize)]
struct Request {
    id: i64,
    #[serde(flatten)]
    what: What,
}

#[derive(Deserialize)]
#[serde(tag = "do", content = "with", rename_all = "lowercase")]
enum What {
    Configure(Box<Configuration>),
    Start,
    Stop,
    Restart,
    Info,
    Logs,
    Request { method: String, path: String, body: Option<String> },
}

type Outcome = Result<Value, Error>;

#[tokio::main]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let mut lines = BufReader::new(stdin()).lines();
    let (say, said) = mpsc::unbounded_channel();
    let Some(Request { id, what: What::Configure(configuration) }) = next(&mut lines).await? else {
        return Err("the first request has to be configure".into());
    };
    let supervisor = configure(*configuration);
    let writer = tokio::spawn(write(supervisor.subscribe(), said));
    say.send((id, Ok(Value::Null)))?;
    serve(&supervisor, &mut lines, &say).await?;
    supervisor.stop().await;
    supervisor.log().flush().await;
    drop(say);
    drop(supervisor);
    writer.await??;
    std::process::exit(0) // returning would wait for a thread that reads stdin
}

/// Answers requests until stdin ends or SIGTERM arrives.
async fn serve(
    supervisor: &Supervisor,
    lines: &mut Lines<BufReader<Stdin>>,
    say: &mpsc::UnboundedSender<(i64, Outcome)>,
) -> Result<(), Box<dyn std::error::Error>> {
    let told = told_to_end()?;
    tokio::pin!(told);
    loop {
        let request = tokio::select! {
            request = next(lines) => request?,
            () = &mut told => None,
        };
        let Some(Request { id, what }) = request else { return Ok(()) };
        let (supervisor, say) = (supervisor.clone(), say.clone());
        tokio::spawn(async move {
            let outcome = answer(&supervisor, what).await;
            // The writer may have ended already.
            let _ = say.send((id, outcome));
        });
    }
}

async fn next(lines: &mut Lines<BufReader<Stdin>>) -> Result<Option<Request>, Box<dyn std::error::Error>> {
    Ok(match lines.next_line().await? {
        Some(line) => Some(serde_json::from_str(&line)?),
        None => None,
    })
}

fn configure(configuration: Configuration) -> Supervisor {
    let Configuration { engine, data_dir, logs_dir, port, unix_socket, environment, timing } = configuration;
    Supervisor::new(Options {
        framework: "tauri".into(),
        port,
        data_dir,
        logs_dir,
        places: engine,
        unix_socket,
        environment,
        settings: Map::new(),
        timing,
    })
}

async fn answer(supervisor: &Supervisor, what: What) -> Outcome {
    Ok(match what {
        What::Configure(_) => return Err(Error::Call("it is configured already".into())),
        What::Start => supervisor.start().await.map(|()| Value::Null)?,
        What::Restart => supervisor.restart().await.map(|()| Value::Null)?,
        What::Stop => {
            supervisor.stop().await;
            Value::Null
        }
        What::Info => json!(supervisor.info()),
        What::Logs => {
            let log = supervisor.log();
            log.flush().await;
            json!({ "entries": log.entries(), "dropped": log.dropped(), "path": log.path() })
        }
        What::Request { method, path, body } => {
            let body = body.map(Into::into);
            let call = Call { method, path, body, within: Duration::from_secs(10), client: None };
            json!(supervisor.call(call).await?)
        }
    })
}

/// Writes states before answers: a state that came before an answer is written before it.
async fn write(
    mut states: mpsc::UnboundedReceiver<Status>,
    mut said: mpsc::UnboundedReceiver<(i64, Outcome)>,
) -> std::io::Result<()> {
    loop {
        let message = tokio::select! {
            biased;
            Some(state) = states.recv() => json!({ "event": "state", "state": state }),
            Some((id, outcome)) = said.recv() => match outcome {
                Ok(result) => json!({ "id": id, "ok": true, "result": result }),
                Err(error) => {
                    json!({ "id": id, "ok": false, "error": { "code": error.code(), "message": error.to_string() } })
                }
            },
            else => return Ok(()),
        };
        let mut out = std::io::stdout().lock();
        writeln!(out, "{message}")?;
        out.flush()?;
    }
}

#[cfg(unix)]
fn told_to_end() -> std::io::Result<impl Future<Output = ()>> {
    use tokio::signal::unix::{SignalKind, signal};
    let mut terminate = signal(SignalKind::terminate())?;
    Ok(async move {
        terminate.recv().await;
    })
}

#[cfg(not(unix))]
fn told_to_end() -> std::io::Result<impl Future<Output = ()>> {
    Ok(async {
        // An error means that Ctrl-C can't be received.
        if tokio::signal::ctrl_c().await.is_err() {
            std::future::pending::<()>().await;
        }
    })
}
