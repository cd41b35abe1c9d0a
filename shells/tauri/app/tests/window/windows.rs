//! Starting, showing, hiding and placing the windows.

use std::fs;

use nix::sys::signal::Signal;
use serde_json::json;

use crate::{
    desk::{Result, desktop::Desktop, until},
    steps::{a_desk, remembers, shows_notifications},
};

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
    // Closing saves the place: the app may be killed afterwards, as when the machine is switched off.
    desk.press("Aster", &["ctrl+w"]).await?;
    desk.seen("Aster", 0).await?;
    app.end_by(Signal::SIGKILL).await?;
    let again = desk.launch().await?;
    desk.seen("Aster", 1).await?;
    until("its place", || moved(&desk.place("Aster"))).await?;
    again.until(&format!("{wide} === 120")).await
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

    // With the flag off there is no panel and no hotkey.
    desk.key("ctrl+shift+space")?;
    desk.seen(PANEL, 1).await?;
    app.ask("POST", "/api/flags", Some(json!({ "ambient": false }))).await?;
    desk.seen(PANEL, 0).await?;

    // The hotkey is pressed while it is registered and unregistered, many times.
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
