//! The app as a person meets it: a real window of a real WebKit, the shared page and the real daemon.
//!
//! Needs Xvfb, a session bus, WebKitWebDriver and tauri-driver; without them it says so, and fails where CI=true.
#![cfg(target_os = "linux")]

mod desk;

use std::{
    collections::HashSet,
    fs,
    io::{Read, Write},
    net::TcpStream,
    os::unix::fs::PermissionsExt,
    process::Command,
};

use desk::{
    App, Desk, PATIENCE, Result,
    desktop::{Desktop, dunst_says},
    found, gone, send, until,
};
use nix::sys::signal::Signal;
use serde_json::{Value, json};

/// A desk to try it at. None: it can't be tried here.
fn a_desk() -> Result<Option<Desk>> {
    let Some(why) = desk::missing() else { return Desk::new().map(Some) };
    assert!(std::env::var("CI").as_deref() != Ok("true"), "{why}, and CI=true");
    eprintln!("skipped: {why}");
    Ok(None)
}

/// What waits for an answer, when it is that many.
async fn waiting(app: &App, count: usize) -> Result<Value> {
    let so = |all: &Value| all.as_array().map(Vec::len) == Some(count);
    let asked = async || app.ask("GET", "/api/approvals", None).await.ok().filter(so);
    found(&format!("{count} questions"), asked).await
}

const STATE: &str = "share/app.aster.desktop/desktop-state.json";
const ENTRY: &str = "config/autostart/app.aster.desktop.desktop";

fn remembered(desk: &Desk) -> Value {
    let text = fs::read_to_string(desk.path(STATE)).unwrap_or_default();
    serde_json::from_str(&text).unwrap_or_default()
}

/// Waits until the app has it in its state file.
async fn remembers(desk: &Desk, name: &str, value: impl Into<Value>) -> Result<()> {
    let value = value.into();
    let so = until(&format!("{name}: {value}"), || remembered(desk)[name] == value).await;
    so.map_err(|cause| format!("{cause} in {}", remembered(desk)).into())
}

/// How many notifications dunst has: `displayed`, or in its `history`.
async fn notifications(desk: &Desk, of: &str) -> Result<u32> {
    found("dunst's word", async || dunst_says(desk, &["count", of]).parse().ok()).await
}

async fn shows_notifications(desk: &Desk, count: u32) -> Result<()> {
    let shown = || dunst_says(desk, &["count", "displayed"]);
    until(&format!("{count} notifications"), || shown() == count.to_string()).await
}

/// Starts a turn that asks whether it may write `file`, in a session of its own. Returns its id.
async fn question(app: &App, file: &str) -> Result<String> {
    let session = app.ask("POST", "/api/sessions", Some(json!({ "title": file }))).await?;
    let session_id = session["session_id"].as_str().ok_or_else(|| session.to_string())?.to_owned();
    let message = json!({ "agent_id": "default", "session_id": session_id, "message": format!("write {file}") });
    app.ask("POST", "/api/chat", Some(message)).await?;
    Ok(session_id)
}

#[tokio::test(flavor = "multi_thread")]
async fn the_window_opens_and_chats_and_remembers() -> Result<()> {
    let Some(desk) = a_desk()? else { return Ok(()) };
    let app = desk.launch().await?;
    desk.shot("first-run");
    assert_eq!(app.value("location.origin").await?, "tauri://localhost");
    app.talk().await?;
    app.say("Hello, window!").await?;
    app.shows("You said: “Hello, window!”").await?;
    desk.shot("conversation");
    let place = app.value("location.hash").await?;
    assert!(place.as_str().is_some_and(|place| place.starts_with("#/s/ses")), "{place}");
    remembers(&desk, "last_place", place.clone()).await?;
    app.end().await?;

    let again = desk.launch().await?;
    again.shows("You said: “Hello, window!”").await?;
    assert_eq!(again.value("location.hash").await?, place);
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn an_approval_is_shown_with_what_will_run_and_answered_with_the_mouse() -> Result<()> {
    let Some(desk) = a_desk()? else { return Ok(()) };
    let app = desk.launch().await?;
    app.talk().await?;
    app.say("write hello.txt").await?;
    app.shows("hello.txt").await?;
    assert_eq!(waiting(&app, 1).await?[0]["name"], "write_file");
    desk.shot("approval");
    app.click("Allow once").await?;
    until("the file", || desk.path("work/hello.txt").exists()).await?;
    waiting(&app, 0).await?;
    Ok(())
}

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
    // What said that it was away moves the question when it goes, and a click beside it answers nothing.
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
async fn commands_find_what_only_the_login_shells_start_up_files_put_on_path() -> Result<()> {
    let Some(desk) = a_desk()? else { return Ok(()) };
    fs::create_dir(desk.path("tools"))?;
    fs::write(desk.path("tools/mytool"), "#!/bin/sh\necho found by the login shell\n")?;
    fs::set_permissions(desk.path("tools/mytool"), fs::Permissions::from_mode(0o755))?;
    fs::write(desk.path(".bash_profile"), "PATH=\"$HOME/tools:$PATH\"\n")?;
    let app = desk.launch().await?;
    app.ask("POST", "/api/config", Some(json!({ "permission_mode": "auto_approve" }))).await?;
    app.talk().await?;
    app.say("call run_command {\"command\": \"mytool\"}").await?;
    app.shows("found by the login shell").await
}

#[tokio::test(flavor = "multi_thread")]
async fn a_draft_that_was_written_without_the_daemon_survives_the_app() -> Result<()> {
    let Some(desk) = a_desk()? else { return Ok(()) };
    let app = desk.launch().await?;
    app.talk().await?;
    app.say("before").await?;
    app.shows("You said: “before”").await?;
    assert_eq!(app.promised("window.asterHost.stopEngine()").await?, Value::Null);
    app.shows("saved as drafts").await?;
    app.say("written meanwhile").await?;
    app.until("document.querySelector('[aria-label=\"Draft, not sent\"]')").await?;
    desk.shot("draft");
    assert_eq!(app.promised("window.asterHost.startEngine()").await?, Value::Null);
    app.end().await?;

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
    for (signal, exit) in [(Signal::SIGTERM, "quit"), (Signal::SIGKILL, "killed")] {
        let Some(desk) = a_desk()? else { return Ok(()) };
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
async fn a_second_start_takes_its_link_to_the_first_window_and_a_first_start_goes_there() -> Result<()> {
    let Some(desk) = a_desk()? else { return Ok(()) };
    let app = desk.launch().await?;
    let session = app.ask("POST", "/api/sessions", Some(json!({ "title": "the linked one" }))).await?;
    let session_id = session["session_id"].as_str().ok_or_else(|| session.to_string())?;
    let link = format!("aster://session/{session_id}");
    let before = app.pids()?;
    desk.press("Aster", &["ctrl+w"]).await?;
    desk.seen("Aster", 0).await?;
    assert_eq!(desk.again(&[&link]).await?, Some(0));
    app.until(&format!("location.hash === '#/s/{session_id}'")).await?;
    desk.seen("Aster", 1).await?;
    assert_eq!(desk.again(&["aster://session/../../evil"]).await?, Some(0));
    assert_eq!(desk.again(&[]).await?, Some(0));
    assert_eq!(app.value("location.hash").await?, format!("#/s/{session_id}"));
    assert_eq!(app.pids()?, before);
    remembers(&desk, "last_place", format!("#/s/{session_id}")).await?;
    app.value("(location.hash = '#/inbox', 0)").await?;
    remembers(&desk, "last_place", "#/inbox").await?;
    app.end().await?;

    let linked = desk.launch_with(&[&link]).await?;
    linked.until(&format!("location.hash === '#/s/{session_id}'")).await
}

#[tokio::test(flavor = "multi_thread")]
async fn started_by_the_system_it_comes_without_a_window_which_a_second_start_shows() -> Result<()> {
    let Some(desk) = a_desk()? else { return Ok(()) };
    let _app = desk.launch_with(&["--hidden"]).await?;
    assert!(desk.windows("Aster").is_empty());
    assert_eq!(desk.again(&[]).await?, Some(0));
    desk.seen("Aster", 1).await?;
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_page_whose_process_ends_is_loaded_again() -> Result<()> {
    let Some(desk) = a_desk()? else { return Ok(()) };
    // Nobody drives it: the driver would end with the page.
    let app = desk.start(&[])?;
    let of_app = ["-P", &app.id().to_string(), "-f", "WebKitWebProcess"];
    let page = || {
        let found = Command::new("pgrep").args(of_app).output().map(|found| found.stdout).unwrap_or_default();
        String::from_utf8_lossy(&found).trim().parse::<i32>().ok()
    };
    // A page that does what the menu says is there: WebKit ends the app when one ends before it was begun.
    desk.press("Aster", &["ctrl+comma"]).await?;
    remembers(&desk, "last_place", "#/settings/models").await?;
    let first = page();
    send(first.ok_or("no page")?, Signal::SIGKILL)?;
    until("another page", || page().is_some() && page() != first).await?;
    // Sent once, while it loads: it goes there when it hears.
    desk.press("Aster", &["ctrl+shift+i"]).await?;
    remembers(&desk, "last_place", "#/inbox").await?;
    send(app.id().cast_signed(), Signal::SIGTERM)?;
    assert_eq!(desk.ended(app).await?, Some(0));
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn the_window_comes_back_where_it_was_and_as_large_as_it_was() -> Result<()> {
    let Some(desk) = a_desk()? else { return Ok(()) };
    let app = desk.launch().await?;
    let window = desk.front("Aster").await?;
    desk.xdotool(&["windowmove", &window, "120", "90"])?;
    desk.xdotool(&["windowsize", &window, "700", "600"])?;
    let moved = |place: &str| {
        ["X=120", "Y=90", "WIDTH=700", "HEIGHT=600"].iter().all(|word| place.lines().any(|line| line == *word))
    };
    until("its place", || moved(&desk.place("Aster"))).await?;
    desk.press("Aster", &["ctrl+equal", "ctrl+equal"]).await?;
    remembers(&desk, "zoom_percent", 120).await?;
    let wide = "Math.round(100 * window.outerWidth / window.innerWidth)";
    app.until(&format!("{wide} === 120")).await?;
    // Closing it is enough: what comes then may be the machine's end.
    desk.press("Aster", &["ctrl+w"]).await?;
    desk.seen("Aster", 0).await?;
    app.end_by(Signal::SIGKILL).await?;
    let again = desk.launch().await?;
    desk.seen("Aster", 1).await?;
    until("its place", || moved(&desk.place("Aster"))).await?;
    again.until(&format!("{wide} === 120")).await
}

#[tokio::test(flavor = "multi_thread")]
async fn a_state_file_that_cannot_be_read_is_kept_aside_and_a_newer_one_is_left_and_the_app_says_so() -> Result<()> {
    let Some(desk) = a_desk()? else { return Ok(()) };
    let path = desk.path(STATE);
    fs::create_dir_all(path.parent().ok_or("no folder")?)?;
    fs::write(&path, "{ half a")?;
    let app = desk.start(&[])?;
    // The notice, beside the window.
    desk.seen("Aster", 2).await?;
    desk.shot("broken-state");
    let folder = fs::read_dir(path.parent().ok_or("no folder")?)?.flatten();
    let aside: Vec<_> = folder.filter(|file| file.file_name().to_string_lossy().contains(".corrupt-")).collect();
    assert_eq!(aside.len(), 1);
    assert_eq!(fs::read_to_string(aside[0].path())?, "{ half a");
    send(app.id().cast_signed(), Signal::SIGTERM)?;
    assert_eq!(desk.ended(app).await?, Some(0));

    let newer = r#"{ "schema_version": 99, "later": true }"#;
    fs::write(&path, newer)?;
    let app = desk.start(&[])?;
    desk.seen("Aster can't start", 1).await?;
    desk.shot("newer-state");
    assert!(desk.windows("Aster").is_empty());
    // One more start changes nothing of that.
    assert_eq!(desk.again(&[]).await?, Some(0));
    desk.confirm("Aster can't start").await?;
    assert_eq!(desk.ended(app).await?, Some(1));
    assert_eq!(fs::read_to_string(&path)?, newer);
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn closing_hides_and_a_question_then_is_a_notification_that_opens_its_session() -> Result<()> {
    let Some(desk) = a_desk()? else { return Ok(()) };
    let desktop = Desktop::new(&desk).await?;
    let app = desk.launch().await?;
    let pids = app.pids()?;
    desk.press("Aster", &["ctrl+w"]).await?;
    desk.seen("Aster", 0).await?;
    let session_id = question(&app, "shown.txt").await?;
    shows_notifications(&desk, 1).await?;
    desk.shot("notification");
    assert_eq!(app.pids()?, pids);
    dunst_says(&desk, &["action"]); // as a click on it
    app.until(&format!("location.hash === '#/s/{session_id}'")).await?;
    desk.seen("Aster", 1).await?;
    desktop.tray_says("Aster: ready, 1 question waits").await?; // and nothing is unread
    dunst_says(&desk, &["close-all"]);
    shows_notifications(&desk, 0).await?;
    let history = dunst_says(&desk, &["history"]);
    // The conversation and the tool are named, what would be written is not.
    assert!(history.contains("shown.txt · write_file") && !history.contains("Written by"), "{history}");

    // Off, and on again: by the person and by the flag: of three questions one is heard.
    let before = notifications(&desk, "history").await?;
    desk.press("Aster", &["ctrl+w"]).await?;
    desk.seen("Aster", 0).await?;
    desktop.choose("Notifications").await?;
    desktop.is_ticked("Notifications", false).await?;
    // The tick comes with the click; that it was heard, the state file says.
    remembers(&desk, "notifications", false).await?;
    question(&app, "unheard.txt").await?;
    desktop.tray_says("Aster: ready, 2 questions wait, 1 unread").await?;
    desktop.choose("Notifications").await?;
    remembers(&desk, "notifications", true).await?;
    desktop.is_ticked("Notifications", true).await?;
    app.ask("POST", "/api/flags", Some(json!({ "desktop_notifications": false }))).await?;
    question(&app, "unheard_again.txt").await?;
    desktop.tray_says("Aster: ready, 3 questions wait, 2 unread").await?;
    app.ask("POST", "/api/flags", Some(json!({ "desktop_notifications": true }))).await?;
    question(&app, "heard.txt").await?;
    shows_notifications(&desk, 1).await?;
    dunst_says(&desk, &["close-all"]);
    shows_notifications(&desk, 0).await?;
    assert_eq!(notifications(&desk, "history").await?, before + 1);
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn the_tray_says_how_things_are_and_does_what_it_offers() -> Result<()> {
    let Some(desk) = a_desk()? else { return Ok(()) };
    let desktop = Desktop::new(&desk).await?;
    let app = desk.launch().await?;
    desktop.tray_says("Aster: ready").await?;
    desktop.tray_says("Inbox").await?;
    question(&app, "waits.txt").await?;
    desktop.tray_says("Inbox (1)").await?;
    let tray = desktop.tray().await?;
    assert!(tray.iter().any(|line| line.starts_with("Aster: ready, 1 question waits")), "{tray:?}");
    for line in ["Open Aster", "Quick Panel", "Restart Engine", "Notifications", "Start on Login", "Quit"] {
        assert!(tray.iter().any(|one| one == line), "{line} in {tray:?}");
    }
    desktop.choose("Inbox (1)").await?;
    app.until("location.hash === '#/inbox'").await?;
    desk.press("Aster", &["ctrl+w"]).await?;
    desk.seen("Aster", 0).await?;
    desktop.choose("Open Aster").await?;
    desk.seen("Aster", 1).await?;
    app.promised("window.asterHost.stopEngine()").await?;
    desktop.tray_says("Start Engine").await?;
    desktop.choose("Start Engine").await?;
    app.ready().await?;
    desktop.tray_says("Restart Engine").await?;
    desktop.tray_says("Inbox (1)").await?;

    // The tick comes with the click; that all was done, the state file says.
    desktop.choose("Start on Login").await?;
    desktop.is_ticked("Start on Login", true).await?;
    remembers(&desk, "start_on_login", true).await?;
    let written = fs::read_to_string(desk.path(ENTRY))?;
    assert!(written.contains(&format!("Exec=\"{}\" \"--hidden\"", env!("CARGO_BIN_EXE_aster-app"))), "{written}");
    desktop.choose("Start on Login").await?;
    desktop.is_ticked("Start on Login", false).await?;
    remembers(&desk, "start_on_login", false).await?;
    assert!(!desk.path(ENTRY).exists());

    app.ask("POST", "/api/flags", Some(json!({ "ambient": false }))).await?;
    desktop.tray_is_gone().await?;
    app.ask("POST", "/api/flags", Some(json!({ "ambient": true }))).await?;
    desktop.tray_says("Inbox (1)").await?;
    let (daemon, shell) = app.pids()?;
    desktop.choose("Quit").await?;
    gone(&[daemon, shell]).await
}

#[tokio::test(flavor = "multi_thread")]
async fn the_hotkey_opens_the_quick_panel_and_one_that_another_app_has_is_reported() -> Result<()> {
    const PANEL: &str = "Aster, quick panel";
    let Some(desk) = a_desk()? else { return Ok(()) };
    let app = desk.launch().await?;
    desk.key("ctrl+shift+space")?;
    desk.seen(PANEL, 1).await?;
    let there = until("it in the middle, at the top", || desk.place(PANEL).contains("X=410\nY=80\n")).await;
    there.map_err(|cause| format!("{cause}: {}", desk.place(PANEL)))?;
    desk.answer(PANEL, || desk.key("Escape")).await?;
    desk.key("ctrl+shift+space")?;
    desk.seen(PANEL, 1).await?;
    desk.shot("quick-panel");
    desk.key("ctrl+shift+space")?;
    desk.seen(PANEL, 0).await?;

    let other = desk.beside()?;
    let desktop = Desktop::new(&other).await?;
    let second = other.launch().await?;
    shows_notifications(&other, 1).await?;
    desk.shot("hotkey-taken");
    desktop.tray_says("CommandOrControl+Shift+Space belongs to another app").await?;
    let log = || fs::read_to_string(other.data("logs/engine.log")).unwrap_or_default();
    until("a line in the log", || log().contains("the hotkey: "))
        .await
        .map_err(|cause| format!("{cause}: {}", log()))?;
    drop(second);

    // Without the flag there is no panel, nor a key for it.
    desk.key("ctrl+shift+space")?;
    desk.seen(PANEL, 1).await?;
    app.ask("POST", "/api/flags", Some(json!({ "ambient": false }))).await?;
    desk.seen(PANEL, 0).await?;

    // Pressed at the moment at which it is taken away and given back, over and over.
    let mut keys = desk.by_hand(&[&["key", "--delay", "25"][..], &["ctrl+shift+space"; 30]].concat()).spawn()?;
    while keys.try_wait()?.is_none() {
        for on in [true, false] {
            app.ask("POST", "/api/flags", Some(json!({ "ambient": on }))).await?;
        }
    }
    desk.seen(PANEL, 0).await?;
    desk.press("Aster", &["ctrl+w"]).await?;
    desk.seen("Aster", 0).await
}

/// What a browser's page does with a link that it was opened with. Returns the daemon's status.
fn redeem(link: &str) -> Result<u16> {
    let host = link.strip_prefix("http://").and_then(|rest| rest.split('/').next()).ok_or("no host")?;
    let code = link.split(|letter: char| !letter.is_ascii_alphanumeric() && letter != '_' && letter != '-');
    let body = json!({ "code": code.max_by_key(|part| part.len()) }).to_string();
    let mut daemon = TcpStream::connect(host)?;
    daemon.set_read_timeout(Some(PATIENCE))?;
    write!(
        daemon,
        "POST /api/handoff/redeem HTTP/1.1\r\nHost: {host}\r\nOrigin: http://{host}\r\nConnection: close\r\n\
         Content-Type: application/json\r\nContent-Length: {}\r\n\r\n{body}",
        body.len()
    )?;
    let mut answer = String::new();
    daemon.read_to_string(&mut answer)?;
    Ok(answer.split(' ').nth(1).ok_or_else(|| answer.clone())?.parse()?)
}

#[tokio::test(flavor = "multi_thread")]
async fn the_menu_and_its_keys_do_what_they_say() -> Result<()> {
    let Some(desk) = a_desk()? else { return Ok(()) };
    let desktop = Desktop::new(&desk).await?;
    let app = desk.launch().await?;
    app.talk().await?;
    for (keys, place) in [
        ("ctrl+comma", "#/settings/models"),
        ("ctrl+shift+i", "#/inbox"),
        ("ctrl+shift+a", "#/agents"),
        ("ctrl+n", "#/new"),
    ] {
        desk.press("Aster", &[keys]).await?;
        app.until(&format!("location.hash === '{place}'")).await.map_err(|cause| format!("{keys}: {cause}"))?;
    }
    // Menus by their letter, items from the first or the last on.
    for on in [false, true] {
        desk.press("Aster", &["alt+f", "Down", "Down", "Return"]).await?;
        desktop.is_ticked("Notifications", on).await?;
        desk.press("Aster", &["alt+f", "Down", "Down", "Down", "Return"]).await?;
        desktop.is_ticked("Start on Login", !on).await?;
        remembers(&desk, "notifications", on).await?;
        remembers(&desk, "start_on_login", !on).await?;
        assert_eq!(desk.path(ENTRY).exists(), !on);
    }
    let full = app.value("window.innerWidth").await?;
    desk.press("Aster", &["ctrl+equal"]).await?;
    app.until(&format!("window.innerWidth < {full}")).await?;
    desk.press("Aster", &["ctrl+minus", "ctrl+minus"]).await?;
    app.until(&format!("window.innerWidth > {full}")).await?;
    desk.press("Aster", &["ctrl+0"]).await?;
    app.until(&format!("window.innerWidth === {full}")).await?;

    app.until(
        "document.querySelector('textarea:not([disabled])')?.focus() ?? document.activeElement.matches('textarea')",
    )
    .await?;
    desk.xdotool(&["type", "a sentence"])?;
    app.until("document.querySelector('textarea').value === 'a sentence'").await?;
    desk.press("Aster", &["alt+f"]).await?;
    desk.shot("menu");
    desk.press("Aster", &["Escape", "Escape", "alt+e", "Up", "Return"]).await?;
    desk.press("Aster", &["alt+e", "Up", "Up", "Up", "Up", "Return"]).await?;
    app.until("document.querySelector('textarea').value === ''").await?;
    desk.press("Aster", &["alt+e", "Up", "Up", "Return"]).await?;
    app.until("document.querySelector('textarea').value === 'a sentence'").await?;

    // What a person asked for and can't have is said.
    fs::write(desk.data("diagnostics"), "in the way")?;
    desk.press("Aster", &["alt+n", "Up", "Return"]).await?;
    desk.seen("Aster", 2).await?;
    desk.shot("no-diagnostics");
    fs::remove_file(desk.data("diagnostics"))?;
    desk.confirm("Aster").await?;
    desk.seen("Aster", 1).await?;
    desk.press("Aster", &["alt+n", "Up", "Return"]).await?;
    until("the diagnostics", || !desktop.shown().is_empty()).await?;
    assert!(desktop.shown()[0].contains("/diagnostics/aster-diagnostics-"), "{:?}", desktop.shown());
    desk.press("Aster", &["alt+n", "Up", "Up", "Return"]).await?;
    until("the logs", || desk.opened().len() == 1).await?;
    assert_eq!(desk.opened()[0], desk.data("logs").display().to_string());
    desk.press("Aster", &["alt+n", "Up", "Up", "Up", "Up", "Return"]).await?;
    until("the browser", || desk.opened().len() == 2).await?;
    let link = desk.opened().remove(1);
    assert_eq!(redeem(&link)?, 200, "{link}");
    assert_ne!(redeem(&link)?, 200, "a link for the browser is good for once");
    desk.press("Aster", &["alt+h", "Return"]).await?;
    desk.seen("Aster", 2).await?;
    desk.shot("updates");
    desk.confirm("Aster").await?;
    desk.seen("Aster", 1).await?;

    app.value("(window.marked = true, 0)").await?;
    desk.press("Aster", &["ctrl+r"]).await?;
    app.until("window.asterHost && !window.marked").await?;
    let (daemon, shell) = app.pids()?;
    desk.press("Aster", &["ctrl+q"]).await?;
    gone(&[daemon, shell]).await
}

#[tokio::test(flavor = "multi_thread")]
async fn the_data_move_where_a_person_wants_them() -> Result<()> {
    let Some(desk) = a_desk()? else { return Ok(()) };
    let app = desk.launch().await?;
    app.ask("POST", "/api/sessions", Some(json!({ "title": "moved along" }))).await?;
    let chosen = desk.path("elsewhere");
    fs::create_dir(&chosen)?;
    desk.press("Aster", &["alt+n", "Up", "Up", "Up", "Return"]).await?;
    let title = "Where to keep conversations, settings and logs";
    desk.press(title, &["slash"]).await?;
    let write = || {
        desk.key("ctrl+a")?;
        desk.xdotool(&["type", &chosen.display().to_string()])?;
        desk.shot("folder");
        desk.key("Return")
    };
    desk.answer(title, write).await?;
    desk.seen("Aster", 2).await?;
    desk.shot("move");
    desk.confirm("Aster").await?;
    let moved = format!(
        "window.asterHost.getRuntimeInfo().then((info) => {{ window.moved = info.engine_status === 'ready' && info.data_dir === {}; }})",
        json!(chosen)
    );
    app.until(&format!("({moved}, window.moved)")).await?;
    let sessions = app.ask("GET", "/api/sessions", None).await?;
    assert!(sessions.to_string().contains("moved along"), "{sessions}");
    assert!(chosen.join("aster.db").exists() && !desk.data("").exists());
    remembers(&desk, "runtime_root", json!(chosen)).await?;
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

#[tokio::test(flavor = "multi_thread")]
async fn the_host_has_every_function_and_takes_only_what_is_the_daemons() -> Result<()> {
    let Some(desk) = a_desk()? else { return Ok(()) };
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
    let Some(desk) = a_desk()? else { return Ok(()) };
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
    let link = "const one = document.createElement('a'); document.body.append(one); \
                Object.assign(one.style, { position: 'absolute', top: 0, zIndex: 999 });";
    for (name, url, target) in [
        ("another window", "https://example.com/one", "_blank"),
        ("a file", "file:///etc/passwd", "_blank"),
        ("this window", "https://example.com/two", ""),
    ] {
        let (name_of, url, target) = (json!(name), json!(url), json!(target));
        let link = format!("{link} one.textContent = {name_of}; one.href = {url}; one.target = {target};");
        app.value(&format!("(() => {{ {link} }})()")).await?;
        app.click(name).await?;
        app.value("document.body.lastElementChild.remove()").await?;
    }
    // Each is opened by a process of its own, and the second may be there first.
    let opened = async || Some(desk.opened()).filter(|opened| opened.len() == 2);
    let mut opened = found("the links", opened).await?;
    opened.sort();
    assert_eq!(opened, ["https://example.com/one", "https://example.com/two"]);
    assert_eq!(app.value("location.origin").await?, "tauri://localhost");

    // The page has a socket of its own, whose events come here too.
    let streamed = app
        .promised(
            "new Promise(async (done) => { const host = window.asterHost; const events = []; let id = null; let asked = false; \
             const look = () => { const mine = events.filter((event) => event.id === id); \
             if (mine.length > 0 && !asked) { asked = true; host.sendSocket(id, JSON.stringify({ id: '1', type: 'subscribe' })); } \
             if (mine.some((event) => event.type === 'message' && event.data.includes('\"connected\"'))) { \
             host.closeSocket(id); done(mine[0].type); } }; \
             host.onSocketEvent((event) => { events.push(event); look(); }); \
             id = await host.openSocket('aster-host://engine/ws'); look(); })",
        )
        .await?;
    assert_eq!(streamed, "open");
    Ok(())
}
