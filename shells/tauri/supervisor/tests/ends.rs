//! The daemon and its tools end with a shell that panics, calls `exit` or `abort`, or returns without stopping them.
//!
//! Run with arguments, this program is such a shell; therefore it has no test harness.
#![cfg(unix)]

mod places;

use std::{
    collections::BTreeMap,
    error::Error,
    fs,
    os::unix::fs::PermissionsExt,
    path::{Path, PathBuf},
    process::{Command, Stdio},
    thread,
    time::{Duration, Instant},
};

use aster_supervisor::{Call, Options, Places, Supervisor, Timing};
use serde_json::Map;

const WAYS: [&str; 4] = ["panic", "exit", "abort", "return"];
/// How long the test waits for anything before it fails. It asserts no time.
const PATIENCE: Duration = Duration::from_secs(60);

fn main() -> Result<(), Box<dyn Error>> {
    let arguments: Vec<String> = std::env::args().collect();
    if let [_, way, home] = &arguments[..]
        && WAYS.contains(&way.as_str())
    {
        return fall(way, Path::new(home));
    }
    for way in WAYS {
        leaves_nothing(way)?;
        println!("test a_shell_that_ends_by_{way}_leaves_nothing ... ok");
    }
    println!("\ntest result: ok. {} passed; 0 failed; 0 ignored; 0 measured; 0 filtered out", WAYS.len());
    Ok(())
}

fn leaves_nothing(way: &str) -> Result<(), Box<dyn Error>> {
    let home = tempfile::tempdir()?;
    let shell = Command::new(std::env::current_exe()?)
        .args([way.as_ref(), home.path().as_os_str()])
        .stderr(Stdio::null())
        .output()?;
    let said = String::from_utf8(shell.stdout)?;
    let pids: Vec<u32> = said.split_whitespace().map(str::parse).collect::<Result<_, _>>()?;
    assert_eq!(pids.len(), 2, "the shell had a daemon and a tool when it ended by {way}: {said:?}");
    let until = Instant::now() + PATIENCE;
    while let Some(pid) = pids.iter().find(|&&pid| lives(pid)) {
        assert!(Instant::now() < until, "{pid} of {pids:?} is left after {way}");
        thread::sleep(Duration::from_millis(50));
    }
    Ok(())
}

fn lives(pid: u32) -> bool {
    let state = Command::new("ps").args(["-o", "stat=", "-p", &pid.to_string()]).output().expect("ps runs");
    let state = String::from_utf8_lossy(&state.stdout);
    !state.trim().is_empty() && !state.starts_with('Z')
}

/// Starts the real daemon, has it run a tool, prints both pids, and ends in the given way.
#[tokio::main]
async fn fall(way: &str, home: &Path) -> Result<(), Box<dyn Error>> {
    let pid_file = home.join("tool.pid");
    let supervisor = Supervisor::new(options(home)?);
    tokio::time::timeout(PATIENCE, supervisor.start()).await??;
    let command = format!("echo $$ > {} && exec sleep 600", pid_file.display());
    let message = format!("call run_command {}", serde_json::json!({ "command": command }));
    let body = serde_json::json!({ "agent_id": "default", "message": message }).to_string();
    let call = Call { method: "POST".into(), body: Some(body.into()), ..Call::get("/api/chat", PATIENCE) };
    let answer = supervisor.call(call).await?;
    assert_eq!(answer.status, 200, "{}", answer.body);
    let until = Instant::now() + PATIENCE;
    let tool = loop {
        match fs::read_to_string(&pid_file).ok().filter(|text| text.ends_with('\n')) {
            Some(pid) => break pid,
            None if Instant::now() > until => return Err(format!("no tool: {}", answer.body).into()),
            None => tokio::time::sleep(Duration::from_millis(50)).await,
        }
    };
    let daemon = supervisor.info().pid.ok_or("the daemon is gone")?;
    println!("{daemon} {tool}");
    match way {
        "panic" => panic!("as asked for"),
        "exit" => std::process::exit(3),
        "abort" => std::process::abort(),
        _ => Ok(()),
    }
}

fn options(home: &Path) -> Result<Options, Box<dyn Error>> {
    let daemon: PathBuf = home.join("aster-desktop");
    fs::write(&daemon, format!("#!/bin/sh\nexec '{}' -m aster_sidecar \"$@\"\n", places::python().display()))?;
    fs::set_permissions(&daemon, fs::Permissions::from_mode(0o755))?;
    let variables = [
        ("ASTER_MODEL", "demo:instant".into()),
        ("ASTER_PERMISSION_MODE", "auto_approve".into()),
        ("ASTER_SANDBOX", "off".into()), // in it, the tool has another pid
        ("ASTER_WORK_DIR", home.display().to_string()),
        ("PYTHONPATH", places::repository().display().to_string()),
    ];
    Ok(Options {
        framework: "tauri".into(),
        port: 0,
        data_dir: home.join("data"),
        logs_dir: None,
        places: Places { instead: Some(daemon), ..Places::default() },
        unix_socket: true,
        environment: BTreeMap::from(variables.map(|(name, value)| (name.to_owned(), value))),
        settings: Map::new(),
        timing: Timing::default(),
    })
}
