//! The state file and the data directory.

use std::fs;

use nix::sys::signal::Signal;
use serde_json::json;

use crate::{
    desk::{Result, send},
    steps::{STATE, a_desk, remembers},
};

#[tokio::test(flavor = "multi_thread")]
async fn a_state_file_that_cannot_be_read_is_kept_aside_and_a_newer_one_is_left_and_the_app_says_so() -> Result<()> {
    let Some(desk) = a_desk()? else { return Ok(()) };
    let path = desk.path(STATE);
    fs::create_dir_all(path.parent().ok_or("no folder")?)?;
    fs::write(&path, "{ half a")?;
    let app = desk.start(&[])?;
    // The window and the notice.
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
    // A second start changes nothing.
    assert_eq!(desk.again(&[]).await?, Some(0));
    desk.confirm("Aster can't start").await?;
    assert_eq!(desk.ended(app).await?, Some(1));
    assert_eq!(fs::read_to_string(&path)?, newer);
    Ok(())
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
