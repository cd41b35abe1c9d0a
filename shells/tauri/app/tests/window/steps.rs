//! Steps that several tests take.

use std::fs;

use serde_json::{Value, json};

use crate::desk::{self, App, Desk, Result, desktop::dunst_says, found, until};

/// A desk for one test. None: a tool is missing here, and the test is skipped. Panics: a tool is missing and `CI=true`.
pub fn a_desk() -> Result<Option<Desk>> {
    let Some(why) = desk::missing() else { return Desk::new().map(Some) };
    assert!(std::env::var("CI").as_deref() != Ok("true"), "{why}, and CI=true");
    eprintln!("skipped: {why}");
    Ok(None)
}

/// Waits until `count` approvals are pending. Returns them.
pub async fn waiting(app: &App, count: usize) -> Result<Value> {
    let so = |all: &Value| all.as_array().map(Vec::len) == Some(count);
    let asked = async || app.ask("GET", "/api/approvals", None).await.ok().filter(so);
    found(&format!("{count} questions"), asked).await
}

pub const STATE: &str = "share/app.aster.desktop/desktop-state.json";
pub const ENTRY: &str = "config/autostart/app.aster.desktop.desktop";

/// The fields of the app's state file; null when it can't be read.
fn remembered(desk: &Desk) -> Value {
    let text = fs::read_to_string(desk.path(STATE)).unwrap_or_default();
    serde_json::from_str(&text).unwrap_or_default()
}

/// Waits until field `name` of the app's state file is `value`.
pub async fn remembers(desk: &Desk, name: &str, value: impl Into<Value>) -> Result<()> {
    let value = value.into();
    let so = until(&format!("{name}: {value}"), || remembered(desk)[name] == value).await;
    so.map_err(|cause| format!("{cause} in {}", remembered(desk)).into())
}

/// How many notifications dunst has. `of`: `displayed` or `history`.
pub async fn notifications(desk: &Desk, of: &str) -> Result<u32> {
    found("dunst's word", async || dunst_says(desk, &["count", of]).parse().ok()).await
}

/// Waits until dunst displays `count` notifications.
pub async fn shows_notifications(desk: &Desk, count: u32) -> Result<()> {
    let shown = || dunst_says(desk, &["count", "displayed"]);
    until(&format!("{count} notifications"), || shown() == count.to_string()).await
}

/// Starts a turn in a new session that asks for approval to write `file`. Returns the session's id.
pub async fn question(app: &App, file: &str) -> Result<String> {
    let session = app.ask("POST", "/api/sessions", Some(json!({ "title": file }))).await?;
    let session_id = session["session_id"].as_str().ok_or_else(|| session.to_string())?.to_owned();
    let message = json!({ "agent_id": "default", "session_id": session_id, "message": format!("write {file}") });
    app.ask("POST", "/api/chat", Some(message)).await?;
    Ok(session_id)
}
