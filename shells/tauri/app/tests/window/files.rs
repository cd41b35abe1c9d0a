//! The state file, the data directory, and files that a person attaches and saves.

use std::fs;

use nix::sys::signal::Signal;
use serde_json::{Value, json};

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

/// Three MiB of random bytes in the page, as `window.bytes`.
const RANDOM: &str = "(window.bytes = new Uint8Array(3 * 1024 * 1024), \
                      [...Array(48).keys()].forEach((part) => \
                      crypto.getRandomValues(window.bytes.subarray(part * 65536, (part + 1) * 65536))), window.bytes.length)";

#[tokio::test(flavor = "multi_thread")]
async fn a_file_goes_to_the_daemon_and_comes_back_and_is_saved_where_a_person_wants_it() -> Result<()> {
    let Some(desk) = a_desk()? else { return Ok(()) };
    let downloads = desk.path("Downloads");
    fs::create_dir_all(desk.path("config"))?;
    fs::create_dir(&downloads)?;
    fs::write(desk.path("config/user-dirs.dirs"), "XDG_DOWNLOAD_DIR=\"$HOME/Downloads\"\n")?;
    let app = desk.launch().await?;
    assert_eq!(app.value(RANDOM).await?, 3 * 1024 * 1024);
    let name = "Übersicht 🦊 50%.bin";
    let answer = app.promised(&format!("window.asterHost.upload({}, window.bytes)", json!(name))).await?;
    let said: Value = serde_json::from_str(answer["body"].as_str().ok_or_else(|| answer.to_string())?)?;
    assert_eq!((&answer["status"], &said["data"]["name"]), (&json!(200), &json!(name)), "{answer}");
    let id = &said["data"]["attachment_id"];
    let same = "(one) => [one.status, one.media_type, one.bytes instanceof Uint8Array, \
                one.bytes.length === window.bytes.length && one.bytes.every((byte, at) => byte === window.bytes[at])]";
    let back = app.promised(&format!("window.asterHost.download({id}).then({same})")).await?;
    assert_eq!(back, json!([200, "application/octet-stream", true, true]));

    let empty = app.promised("window.asterHost.upload('empty', new Uint8Array())").await?;
    assert_eq!(empty["status"], 422, "{empty}");
    let text = "(one) => ({ status: one.status, ...JSON.parse(new TextDecoder().decode(one.bytes)) })";
    let gone = app.promised(&format!("window.asterHost.download('att_nothing').then({text})")).await?;
    assert_eq!((&gone["status"], &gone["code"]), (&json!(404), &json!("attachment_not_found")), "{gone}");

    // An object URL of a downloaded image is shown: the page's policy allows it.
    let image = "new Promise((done) => { const one = new Image(); one.onload = () => done('shown'); \
                 one.onerror = () => done('refused'); const canvas = document.createElement('canvas'); \
                 canvas.toBlob((blob) => { one.src = URL.createObjectURL(blob); }); })";
    assert_eq!(app.promised(image).await?, "shown");

    let saved = |name: &str| {
        let kept = "(path) => { window.saved = { path }; }, (cause) => { window.saved = { refused: cause.message }; }";
        format!("(window.saved = null, window.asterHost.saveAttachment({id}, {}).then({kept}), 0)", json!(name))
    };
    let title = "Save the file";
    app.value(&saved(&format!("../elsewhere/{name}"))).await?;
    desk.front(title).await?;
    desk.shot("save");
    desk.confirm(title).await?;
    app.until("window.saved").await?;
    let path = downloads.join(name);
    assert_eq!(app.value("window.saved").await?, json!({ "path": path }));
    assert_eq!(fs::metadata(&path)?.len(), 3 * 1024 * 1024);
    let sum = "(sum, byte) => (sum * 31 + byte) % 1000003";
    let sent = app.value(&format!("window.bytes.reduce({sum}, 0)")).await?;
    assert_eq!(fs::read(&path)?.iter().fold(0, |sum, &byte| (sum * 31 + u64::from(byte)) % 1_000_003), sent);

    app.value(&saved("cancelled.bin")).await?;
    desk.answer(title, || desk.key("Escape")).await?;
    app.until("window.saved").await?;
    assert_eq!(app.value("window.saved").await?, json!({ "path": null }));
    assert!(!downloads.join("cancelled.bin").exists());
    Ok(())
}
