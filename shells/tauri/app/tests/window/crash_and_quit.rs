//! What happens when the daemon, the page or the app ends.

use std::{fs, process::Command};

use nix::sys::signal::Signal;
use serde_json::json;

use crate::{
    desk::{Result, gone, send, until},
    steps::{a_desk, remembers, waiting},
};

#[tokio::test(flavor = "multi_thread")]
async fn the_daemon_is_killed_while_a_question_waits_and_nothing_is_lost() -> Result<()> {
    let Some(desk) = a_desk()? else { return Ok(()) };
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
    // The banner about the lost connection moves the approval when it disappears, and a click in between would miss.
    app.shows("Connected").await?;
    app.click("Allow once").await?;
    until("the file", || desk.path("work/kept.txt").exists()).await
}

#[tokio::test(flavor = "multi_thread")]
async fn an_app_that_is_killed_while_its_daemon_hangs_is_up_again_with_one_daemon() -> Result<()> {
    let Some(desk) = a_desk()? else { return Ok(()) };
    let app = desk.launch().await?;
    app.talk().await?;
    app.say("before").await?;
    app.shows("You said: “before”").await?;
    let (daemon, shell) = app.pids()?;
    send(daemon, Signal::SIGSTOP)?;
    send(shell, Signal::SIGKILL)?;
    gone(&[shell]).await?;
    drop(app);

    let again = desk.launch().await?;
    again.say("hello").await?;
    again.shows("You said: “hello”").await?;
    assert_ne!(again.pids()?.0, daemon);
    gone(&[daemon]).await
}

#[tokio::test(flavor = "multi_thread")]
async fn quitting_and_a_killed_app_leave_nothing_also_while_a_tool_runs() -> Result<()> {
    for (signal, exit) in [(Signal::SIGTERM, "quit"), (Signal::SIGKILL, "killed")] {
        let Some(desk) = a_desk()? else { return Ok(()) };
        let app = desk.launch().await?;
        // It reads a pid, which is another one in the sandbox.
        let settings = json!({ "permission_mode": "auto_approve", "sandbox": "off" });
        app.ask("POST", "/api/config", Some(settings)).await?;
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
async fn a_page_whose_process_ends_is_loaded_again() -> Result<()> {
    let Some(desk) = a_desk()? else { return Ok(()) };
    // Without a WebDriver, because it would end with the page.
    let app = desk.start(&[])?;
    let of_app = ["-P", &app.id().to_string(), "-f", "WebKitWebProcess"];
    let page = || {
        let found = Command::new("pgrep").args(of_app).output().map(|found| found.stdout).unwrap_or_default();
        String::from_utf8_lossy(&found).trim().parse::<i32>().ok()
    };
    // The page has loaded once it follows the menu. WebKit ends the app when a page's process dies before that.
    desk.press("Aster", &["ctrl+comma"]).await?;
    remembers(&desk, "last_place", "#/settings/models").await?;
    let first = page();
    send(first.ok_or("no page")?, Signal::SIGKILL)?;
    until("another page", || page().is_some() && page() != first).await?;
    // Sent once, while the page loads: the page goes there when it listens.
    desk.press("Aster", &["ctrl+shift+i"]).await?;
    remembers(&desk, "last_place", "#/inbox").await?;
    send(app.id().cast_signed(), Signal::SIGTERM)?;
    assert_eq!(desk.ended(app).await?, Some(0));
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn an_engine_that_cannot_start_is_said_with_what_can_be_done() -> Result<()> {
    let Some(desk) = a_desk()? else { return Ok(()) };
    let app = desk.launch().await?;
    let config = desk.data("config.toml");
    let good = fs::read_to_string(&config)?;
    fs::write(&config, "permission_mode = \"whatever\"\n")?;
    let refused = app.promised("window.asterHost.restartEngine()").await?;
    assert!(refused["refused"].as_str().is_some_and(|why| why.contains("its configuration is wrong")), "{refused}");
    let title = "Aster's engine does not run";
    desk.seen(title, 1).await?;
    desk.shot("crashed");
    fs::write(&config, good)?;
    desk.confirm(title).await?;
    app.until("(window.asterHost.getRuntimeInfo().then((info) => { window.status = info.engine_status; }), window.status === 'ready')")
        .await
}
