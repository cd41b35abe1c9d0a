//! The app as a person meets it: a real window of a real WebKit, the shared page and the real daemon.
//!
//! Needs Xvfb, a session bus, WebKitWebDriver and tauri-driver; without them it says so, and fails where CI=true.
#![cfg(target_os = "linux")]

mod desk;

use std::{collections::HashSet, fs};

use desk::{App, Desk, Result, gone, send, until};
use nix::sys::signal::Signal;
use serde_json::{Value, json};

/// Whether the test can be run here.
fn can_run() -> bool {
    let Some(why) = desk::missing() else { return true };
    assert!(std::env::var("CI").as_deref() != Ok("true"), "{why}, and CI=true");
    eprintln!("skipped: {why}");
    false
}

async fn waiting(app: &App, count: usize) -> Result<Value> {
    loop {
        let approvals = app.ask("GET", "/api/approvals", None).await?;
        if approvals.as_array().map(Vec::len) == Some(count) {
            return Ok(approvals);
        }
        tokio::time::sleep(std::time::Duration::from_millis(50)).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn the_window_opens_and_chats_and_remembers() -> Result<()> {
    if !can_run() {
        return Ok(());
    }
    let desk = Desk::new()?;
    let app = desk.launch().await?;
    app.shot("first-run");
    assert_eq!(app.value("location.origin").await?, "tauri://localhost");
    app.talk().await?;
    app.say("Hello, window!").await?;
    app.shows("You said: “Hello, window!”").await?;
    app.shot("conversation");
    let place = app.value("location.hash").await?;
    assert!(place.as_str().is_some_and(|place| place.starts_with("#/s/ses")), "{place}");
    let (daemon, shell) = app.pids()?;
    send(shell, Signal::SIGTERM)?;
    gone(&[daemon, shell]).await?;
    drop(app);
    assert!(desk.path("config/app.aster.desktop/.window-state.json").exists(), "where the window was is remembered");

    let again = desk.launch().await?;
    again.shows("You said: “Hello, window!”").await?;
    assert_eq!(again.value("location.hash").await?, place);
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn an_approval_is_shown_with_what_will_run_and_answered_with_the_mouse() -> Result<()> {
    if !can_run() {
        return Ok(());
    }
    let desk = Desk::new()?;
    let app = desk.launch().await?;
    app.talk().await?;
    app.say("write hello.txt").await?;
    app.shows("hello.txt").await?;
    assert_eq!(waiting(&app, 1).await?[0]["name"], "write_file");
    app.shot("approval");
    app.click("Allow once").await?;
    until("the file", || desk.path("work/hello.txt").exists()).await?;
    waiting(&app, 0).await?;
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn the_daemon_is_killed_while_a_question_waits_and_nothing_is_lost() -> Result<()> {
    if !can_run() {
        return Ok(());
    }
    let desk = Desk::new()?;
    let app = desk.launch().await?;
    app.talk().await?;
    app.value("(window.seen = [], window.asterHost.onRuntimeStatus((status) => window.seen.push(status)), 0)").await?;
    app.say("write kept.txt").await?;
    let before = waiting(&app, 1).await?;
    let instance = app.sidecar()?["instance_id"].clone();
    send(app.pids()?.0, Signal::SIGKILL)?;
    app.until("window.seen.length >= 2").await?;
    assert_eq!(app.value("window.seen").await?, json!(["restarting", "ready"]));
    assert_ne!(app.sidecar()?["instance_id"], instance);
    assert_eq!(waiting(&app, 1).await?, before);
    app.click("Allow once").await?;
    until("the file", || desk.path("work/kept.txt").exists()).await
}

#[tokio::test(flavor = "multi_thread")]
async fn a_draft_that_was_written_without_the_daemon_survives_the_app() -> Result<()> {
    if !can_run() {
        return Ok(());
    }
    let desk = Desk::new()?;
    let app = desk.launch().await?;
    app.talk().await?;
    app.say("before").await?;
    app.shows("You said: “before”").await?;
    assert_eq!(app.promised("window.asterHost.stopEngine()").await?, Value::Null);
    app.shows("kept as a draft").await?;
    app.say("written meanwhile").await?;
    app.until("document.querySelector('[aria-label=\"Draft, not sent\"]')").await?;
    app.shot("draft");
    assert_eq!(app.promised("window.asterHost.startEngine()").await?, Value::Null);
    let (daemon, shell) = app.pids()?;
    send(shell, Signal::SIGTERM)?;
    gone(&[daemon, shell]).await?;
    drop(app);

    let again = desk.launch().await?;
    again.until("document.querySelector('[aria-label=\"Draft, not sent\"]')").await?;
    again.shows("written meanwhile").await?;
    let sessions = again.ask("GET", "/api/sessions", None).await?;
    assert_eq!(sessions["sessions"][0]["messages"], 2, "nothing was sent by itself: {sessions}");
    again.click("Send now").await?;
    again.shows("You said: “written meanwhile”").await
}

#[tokio::test(flavor = "multi_thread")]
async fn quitting_and_a_killed_app_leave_nothing_also_while_a_tool_runs() -> Result<()> {
    if !can_run() {
        return Ok(());
    }
    for (signal, exit) in [(Signal::SIGTERM, "quit"), (Signal::SIGKILL, "killed")] {
        let desk = Desk::new()?;
        let app = desk.launch().await?;
        app.ask("POST", "/api/config", Some(json!({ "permission_mode": "auto_approve" }))).await?;
        let pid_file = desk.path("work/tool.pid");
        let command = json!({ "command": format!("echo $$ > {} && exec sleep 600", pid_file.display()) });
        let message = format!("call run_command {command}");
        app.ask("POST", "/api/chat", Some(json!({ "agent_id": "default", "message": message }))).await?;
        let read = || fs::read_to_string(&pid_file).ok().filter(|text| text.ends_with('\n'));
        until("the tool", || read().is_some()).await?;
        let tool: i32 = read().unwrap_or_default().trim().parse()?;
        let (daemon, shell) = app.pids()?;
        send(shell, signal)?;
        gone(&[shell, daemon, tool]).await.map_err(|cause| format!("{exit}: {cause}"))?;
    }
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_second_start_takes_its_link_to_the_first_window_and_ends() -> Result<()> {
    if !can_run() {
        return Ok(());
    }
    let desk = Desk::new()?;
    let app = desk.launch().await?;
    let session = app.ask("POST", "/api/sessions", Some(json!({ "title": "the linked one" }))).await?;
    let session_id = session["session_id"].as_str().ok_or_else(|| session.to_string())?;
    let before = app.pids()?;
    assert_eq!(app.again(&[&format!("aster://session/{session_id}")]).await?, Some(0));
    app.until(&format!("location.hash === '#/s/{session_id}'")).await?;
    assert_eq!(app.again(&["aster://session/../../evil"]).await?, Some(0));
    assert_eq!(app.again(&[]).await?, Some(0));
    assert_eq!(app.value("location.hash").await?, format!("#/s/{session_id}"));
    assert_eq!(app.pids()?, before);
    let state = fs::read_to_string(desk.data("../desktop-state.json"))?;
    assert!(state.contains(session_id), "where the person was is remembered: {state}");
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn the_host_has_every_function_and_takes_only_what_is_the_daemons() -> Result<()> {
    if !can_run() {
        return Ok(());
    }
    let desk = Desk::new()?;
    let app = desk.launch().await?;
    let names = app.value("Object.keys(window.asterHost)").await?;
    let names: HashSet<&str> = names.as_array().ok_or("no list")?.iter().filter_map(Value::as_str).collect();
    let contract = "getRuntimeInfo startEngine stopEngine restartEngine pickFolder openLogs exportDiagnostics \
                    checkForUpdates request openSocket sendSocket closeSocket onSocketEvent onRuntimeStatus";
    assert_eq!(names, contract.split_whitespace().collect());
    let info = app.promised("window.asterHost.getRuntimeInfo()").await?;
    let data_dir = desk.data("").display().to_string().trim_end_matches('/').to_owned();
    for (name, value) in [
        ("surface", json!("native")),
        ("framework", json!("tauri")),
        ("protocol", json!(1)),
        ("engine_status", json!("ready")),
        ("engine_transport", json!("unix_socket")),
        ("data_dir", json!(data_dir)),
    ] {
        assert_eq!(info[name], value, "{name}");
    }
    let updates = app.promised("window.asterHost.checkForUpdates()").await?;
    assert_eq!((&updates["supported"], updates["message"].is_string()), (&json!(false), true));
    let bundle = app.promised("window.asterHost.exportDiagnostics()").await?;
    assert!(fs::metadata(bundle.as_str().ok_or_else(|| bundle.to_string())?)?.len() > 0);

    for (asked, why) in [
        ("request('CONNECT', '/api/agents')", "method"),
        ("request('GET', '/api/../x')", "path"),
        ("request('GET', 'http://127.0.0.1/api/agents')", "path"),
        ("request('GET', '/api/events')", "openSocket"),
        ("request('POST', '/api/chat', 'x'.repeat(1024 * 1024 + 1))", "1 MiB"),
        ("openSocket('ws://127.0.0.1:9528/ws')", "not a socket of this host"),
        ("sendSocket('socket_0', 'x')", "no such socket"),
    ] {
        let refused = app.promised(&format!("window.asterHost.{asked}")).await?;
        let said = refused["refused"].as_str().unwrap_or_default();
        assert!(said.contains(why), "{asked}: {refused}");
    }
    // What the capability does not list is not there for a page.
    for command in ["plugin:opener|open_path", "plugin:event|emit", "plugin:window|close", "plugin:updater|check"] {
        let refused = app.promised(&format!("window.__TAURI_INTERNALS__.invoke('{command}', {{}}).catch((cause) => {{ throw new Error(String(cause)); }})")).await?;
        assert!(refused["refused"].as_str().is_some_and(|why| why.contains("not allowed")), "{command}: {refused}");
    }
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn the_page_is_held_by_its_policy_and_streams_through_the_host() -> Result<()> {
    if !can_run() {
        return Ok(());
    }
    let desk = Desk::new()?;
    let app = desk.launch().await?;
    let headers = app.promised("fetch(location.href).then((one) => Object.fromEntries([...one.headers]))").await?;
    assert_eq!(headers["x-content-type-options"], "nosniff", "{headers}");
    let policy = headers["content-security-policy"].as_str().unwrap_or_default();
    assert!(policy.contains("default-src 'none'") && policy.contains("frame-ancestors 'none'"), "{headers}");
    for refused in [
        "fetch('http://127.0.0.1:9528/health').then(() => 'reached', () => 'refused')",
        "new Promise((done) => { const one = document.createElement('script'); one.textContent = 'window.evil = 1'; \
         document.body.append(one); setTimeout(() => done(window.evil ? 'reached' : 'refused')); })",
    ] {
        assert_eq!(app.promised(refused).await?, "refused", "{refused}");
    }
    app.value("(location.href = 'https://example.com/', window.open('https://example.com/'), 0)").await?;
    assert_eq!(app.value("location.origin").await?, "tauri://localhost");

    let streamed = app
        .promised(
            "new Promise(async (done) => { const types = []; const host = window.asterHost; let id = null; \
             host.onSocketEvent((event) => { if (id !== null && event.id !== id) return; types.push(event.type); \
             if (event.type === 'open') host.sendSocket(event.id, JSON.stringify({ id: '1', type: 'subscribe' })); \
             if (event.type === 'message' && event.data.includes('\"connected\"')) { host.closeSocket(event.id); done(types[0]); } }); \
             id = await host.openSocket('aster-host://engine/ws'); })",
        )
        .await?;
    assert_eq!(streamed, "open");
    Ok(())
}
