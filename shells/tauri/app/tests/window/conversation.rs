//! A conversation in the window: chat, approval, commands, drafts.

use std::{fs, os::unix::fs::PermissionsExt};

use serde_json::{Value, json};

use crate::{
    desk::{Result, until},
    steps::{a_desk, remembers, waiting},
};

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
async fn commands_find_what_only_the_login_shells_start_up_files_put_on_path() -> Result<()> {
    let Some(desk) = a_desk()? else { return Ok(()) };
    fs::create_dir(desk.path("tools"))?;
    fs::write(desk.path("tools/mytool"), "#!/bin/sh\necho found by the login shell\n")?;
    fs::set_permissions(desk.path("tools/mytool"), fs::Permissions::from_mode(0o755))?;
    fs::write(desk.path(".bash_profile"), "PATH=\"$HOME/tools:$PATH\"\n")?;
    let app = desk.launch().await?;
    // The home of the test is in the directory for temporary files, of which the sandbox has its own.
    let settings = json!({ "permission_mode": "auto_approve", "sandbox": "off" });
    app.ask("POST", "/api/config", Some(settings)).await?;
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
