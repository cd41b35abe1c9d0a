//! “Open in Browser”: the page in the system's browser, signed in by a link that is valid once.

use std::time::Duration;

use aster_supervisor::Call;
use serde_json::Value;
use tauri_plugin_opener::OpenerExt;

use crate::{dialogs, shell::Shell};

const TIMEOUT: Duration = Duration::from_secs(10);

/// Opens the page in the browser. Errors are shown.
pub async fn open(shell: &Shell) {
    let call = Call { method: "POST".into(), body: Some("{}".into()), ..Call::get("/api/handoff", TIMEOUT) };
    let opened = match shell.supervisor().call(call).await {
        Ok(answer) => {
            let answer: Value = serde_json::from_str(&answer.body).unwrap_or_default();
            match answer["data"]["url"].as_str() {
                Some(url) => shell.app.opener().open_url(url, None::<&str>).map_err(|cause| cause.to_string()),
                None => Err(answer["error"].as_str().unwrap_or("the daemon gave no link").to_owned()),
            }
        }
        Err(cause) => Err(cause.to_string()),
    };
    dialogs::report(&shell.app, "The browser could not be opened", opened);
}
