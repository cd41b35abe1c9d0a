//! The tray, the notifications and the menu.

use std::{
    fs,
    io::{Read, Write},
    net::TcpStream,
};

use serde_json::json;

use crate::{
    desk::{
        PATIENCE, Result,
        desktop::{Desktop, dunst_says},
        gone, until,
    },
    steps::{ENTRY, a_desk, notifications, question, remembers, shows_notifications},
};

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
    dunst_says(&desk, &["action"]); // the same as a click on the notification
    app.until(&format!("location.hash === '#/s/{session_id}'")).await?;
    desk.seen("Aster", 1).await?;
    desktop.tray_says("Aster: ready, 1 question waits").await?; // the click marked it read
    dunst_says(&desk, &["close-all"]);
    shows_notifications(&desk, 0).await?;
    let history = dunst_says(&desk, &["history"]);
    // It names the conversation and the tool, not the text to write.
    assert!(history.contains("shown.txt · write_file") && !history.contains("Written by"), "{history}");

    // Notifications are turned off and on, first in the tray, then by the flag: one of three approvals is notified.
    let before = notifications(&desk, "history").await?;
    desk.press("Aster", &["ctrl+w"]).await?;
    desk.seen("Aster", 0).await?;
    desktop.choose("Notifications").await?;
    desktop.is_ticked("Notifications", false).await?;
    // The tick changes with the click; the state file shows that the app handled it.
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

    // The tick changes with the click; the state file shows that the app handled it.
    desktop.choose("Start on Login").await?;
    desktop.is_ticked("Start on Login", true).await?;
    remembers(&desk, "start_on_login", true).await?;
    let written = fs::read_to_string(desk.path(ENTRY))?;
    assert!(written.contains(&format!("Exec=\"{}\" \"--hidden\"", env!("CARGO_BIN_EXE_aster-app"))), "{written}");
    desktop.choose("Start on Login").await?;
    desktop.is_ticked("Start on Login", false).await?;
    remembers(&desk, "start_on_login", false).await?;
    assert!(!desk.path(ENTRY).exists());

    assert!(!desktop.tray().await?.iter().any(|line| line.starts_with("Browser")), "the browser is off");
    app.ask("POST", "/api/flags", Some(json!({ "browser": true }))).await?;
    desktop.tray_has("Browser: failed – ", true).await?;
    desktop.choose("Browser: ").await?;
    app.until("location.hash === '#/settings/mcp'").await?;
    app.ask("POST", "/api/flags", Some(json!({ "browser": false }))).await?;
    desktop.tray_has("Browser: ", false).await?;

    app.ask("POST", "/api/flags", Some(json!({ "ambient": false }))).await?;
    desktop.tray_is_gone().await?;
    app.ask("POST", "/api/flags", Some(json!({ "ambient": true }))).await?;
    desktop.tray_says("Inbox (1)").await?;
    let (daemon, shell) = app.pids()?;
    desktop.choose("Quit").await?;
    gone(&[daemon, shell]).await
}

/// Redeems a one-time sign-in link as the page in a browser does. Returns the HTTP status.
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
    // Menus are opened by their letter; items are reached with the arrow keys, from the first or from the last.
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

    // A failed export is shown in a dialog.
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
