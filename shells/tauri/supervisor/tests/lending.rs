//! An app lends tools to the agents of a real daemon.
#![cfg(unix)]

mod places;
mod readme;

use std::{
    collections::BTreeMap,
    fs,
    os::unix::fs::PermissionsExt,
    path::Path,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    time::{Duration, Instant},
};

use aster_supervisor::{Call, Options, Places, Supervisor, Timing, Tool};
use places::{python, repository};
use serde_json::{Map, Value, json};
use tokio::{sync::Notify, time::sleep};

const WITHIN: Duration = Duration::from_secs(30);

fn supervisor(home: &Path) -> Supervisor {
    let program = home.join("daemon");
    let command = format!("#!/bin/sh\nexec \"{}\" -m aster_sidecar \"$@\"\n", python().display());
    fs::write(&program, command).expect("written");
    fs::set_permissions(&program, fs::Permissions::from_mode(0o755)).expect("set");
    let checkout = repository().display().to_string();
    Supervisor::new(Options {
        framework: "tauri".into(),
        port: 0,
        data_dir: home.join("data"),
        logs_dir: None,
        places: Places { instead: Some(program), ..Places::default() },
        unix_socket: true,
        environment: BTreeMap::from([("PYTHONPATH".into(), checkout), ("ASTER_MODEL".into(), "demo".into())]),
        settings: Map::new(),
        timing: Timing::default(),
    })
}

async fn get(supervisor: &Supervisor, path: &str) -> Value {
    let answer = supervisor.call(Call::get(path, WITHIN)).await.expect("an answer");
    serde_json::from_str::<Value>(&answer.body).expect("JSON")["data"].clone()
}

async fn say(supervisor: &Supervisor, message: &str) {
    let body = json!({ "agent_id": "default", "message": message }).to_string();
    let call = Call { method: "POST".into(), body: Some(body.into()), ..Call::get("/api/chat", WITHIN) };
    assert_eq!(supervisor.call(call).await.expect("an answer").status, 200);
}

/// The tool call in the last answer, once it has ended.
async fn ended(supervisor: &Supervisor) -> Value {
    let begun = Instant::now();
    loop {
        assert!(begun.elapsed() < WITHIN, "the call has not ended");
        if supervisor.endpoint().is_ok() {
            let answer = supervisor.call(Call::get("/api/history?agent_id=default", WITHIN)).await;
            let body = answer.map(|answer| answer.body).unwrap_or_default();
            let history: Value = serde_json::from_str(&body).unwrap_or_default();
            let last = history["data"]["messages"].as_array().and_then(|found| found.last().cloned());
            let parts = last.map(|message| message["parts"].clone()).unwrap_or_default();
            let found = parts.as_array().into_iter().flatten().find(|part| part["type"] == "tool").cloned();
            if let Some(part) = found.filter(|part| part["state"] != "pending" && part["state"] != "running") {
                return part;
            }
        }
        sleep(Duration::from_millis(50)).await;
    }
}

fn kill(supervisor: &Supervisor) {
    let pid = supervisor.info().pid.expect("a pid").to_string();
    assert!(std::process::Command::new("kill").args(["-KILL", &pid]).status().expect("kill").success());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_tool_is_called_and_its_errors_and_progress_are_told() {
    let home = tempfile::tempdir().expect("a folder");
    let supervisor = supervisor(home.path());
    supervisor.start().await.expect("started");
    let parameters = json!({ "type": "object", "properties": { "n": { "type": "integer" } }, "required": ["n"] });
    let double = Tool::new("double", "Double a number.", |arguments, context| async move {
        context.progress("half", Some(0.5));
        match arguments["n"].as_i64() {
            Some(n) if n >= 0 => Ok(json!(n * 2)),
            _ => Err("negative numbers are not doubled".into()),
        }
    });
    let lending = supervisor.lend("numbers", vec![double.parameters(parameters).risk("low")], false);
    lending.online().await;
    say(&supervisor, "call double {\"n\": 21}").await;
    let part = ended(&supervisor).await;
    assert_eq!((&part["state"], &part["result"]), (&json!("done"), &json!({ "from": "numbers", "result": 42 })));
    say(&supervisor, "call double {\"n\": -1}").await;
    let begun = Instant::now();
    while ended(&supervisor).await["state"] != "failed" {
        assert!(begun.elapsed() < WITHIN);
        sleep(Duration::from_millis(50)).await;
    }
    assert_eq!(ended(&supervisor).await["error"], "numbers: negative numbers are not doubled");
    let other = supervisor.lend("numbers", vec![], false);
    while other.state().problem.is_none() {
        sleep(Duration::from_millis(20)).await;
    }
    assert_eq!(other.state().problem.map(|(code, _)| code).as_deref(), Some("host_taken"));
    drop(other);
    drop(lending);
    while get(&supervisor, "/api/hosts").await[0]["online"] == true {
        sleep(Duration::from_millis(50)).await;
    }
    supervisor.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_call_runs_once_though_the_daemon_is_killed_meanwhile() {
    let home = tempfile::tempdir().expect("a folder");
    let supervisor = supervisor(home.path());
    supervisor.start().await.expect("started");
    let (begun, go_on, ran) = (Arc::new(Notify::new()), Arc::new(Notify::new()), Arc::new(AtomicUsize::new(0)));
    let inside = (begun.clone(), go_on.clone(), ran.clone());
    let slow = Tool::new("slow", "Take a while.", move |_, _| {
        let (begun, go_on, ran) = inside.clone();
        async move {
            ran.fetch_add(1, Ordering::SeqCst);
            begun.notify_one();
            go_on.notified().await;
            Ok(json!("at last"))
        }
    });
    let lending = supervisor.lend("patient", vec![slow.risk("low")], false);
    lending.online().await;
    say(&supervisor, "call slow {}").await;
    begun.notified().await;
    kill(&supervisor);
    go_on.notify_one();
    assert_eq!(ended(&supervisor).await["result"], json!({ "from": "patient", "result": "at last" }));
    assert_eq!(ran.load(Ordering::SeqCst), 1);
    supervisor.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_cancelled_turn_is_told_to_the_tool() {
    let home = tempfile::tempdir().expect("a folder");
    let supervisor = supervisor(home.path());
    supervisor.start().await.expect("started");
    let (begun, cancelled) = (Arc::new(Notify::new()), Arc::new(Notify::new()));
    let inside = (begun.clone(), cancelled.clone());
    let wait = Tool::new("wait", "Wait until it is cancelled.", move |_, mut context| {
        let (begun, told) = inside.clone();
        async move {
            begun.notify_one();
            context.cancelled().await;
            told.notify_one();
            Err("cancelled".into())
        }
    });
    let lending = supervisor.lend("patient", vec![wait.risk("low")], false);
    lending.online().await;
    say(&supervisor, "call wait {}").await;
    begun.notified().await;
    let body = json!({ "agent_id": "default" }).to_string();
    let call = Call { method: "POST".into(), body: Some(body.into()), ..Call::get("/api/cancel", WITHIN) };
    supervisor.call(call).await.expect("an answer");
    cancelled.notified().await;
    assert_eq!(ended(&supervisor).await["state"], "cancelled");
    supervisor.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_example_of_the_readme_runs_as_it_stands() {
    let text = fs::read_to_string(repository().join("shells/tauri/README.md")).expect("the README");
    assert!(text.contains(&format!("```rust\n{}```\n", include_str!("readme/mod.rs"))));
    let home = tempfile::tempdir().expect("a folder");
    let supervisor = supervisor(home.path());
    supervisor.start().await.expect("started");
    let lending = readme::lend(&supervisor);
    lending.online().await;
    let message = text.split('`').find(|part| part.starts_with("call open_tab")).expect("a message");
    say(&supervisor, message).await;
    assert_eq!(ended(&supervisor).await["result"]["result"], json!({ "opened": "https://example.com" }));
    kill(&supervisor);
    while lending.state().online {
        sleep(Duration::from_millis(20)).await;
    }
    lending.online().await;
    say(&supervisor, message).await;
    assert_eq!(ended(&supervisor).await["state"], "done");
    supervisor.stop().await;
}
