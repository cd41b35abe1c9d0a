//! Updates of the app, through Tauri's updater.

use serde::Serialize;
use tauri::AppHandle;
use tauri_plugin_dialog::MessageDialogKind;
use tauri_plugin_updater::UpdaterExt;

use crate::dialogs;

/// The result of a check, for the page and for a dialog.
#[derive(Serialize)]
pub struct Updates {
    /// Whether this build can be updated at all.
    pub supported: bool,
    pub message: String,
}

/// Looks for a newer version and installs it. Where no update is possible, the message says why.
pub async fn check(app: &AppHandle) -> Updates {
    let unsupported = |message: &str| Updates { supported: false, message: message.into() };
    let configured = app.config().plugins.0.get("updater");
    if configured.and_then(|updater| updater["endpoints"].as_array()).is_none_or(Vec::is_empty) {
        return unsupported("This build has no place to look for updates.");
    }
    if cfg!(target_os = "linux") && std::env::var_os("APPIMAGE").is_none() {
        return unsupported("On Linux updates come the way the app came: by its package.");
    }
    if tauri::is_dev() {
        return unsupported("Only the packaged app can be updated.");
    }
    let checked = async {
        let Some(update) = app.updater()?.check().await? else {
            return Ok("This is the newest version.".to_owned());
        };
        update.download_and_install(|_, _| {}, || {}).await?;
        Ok(format!("Version {} is there after the next start.", update.version))
    };
    let message =
        checked.await.unwrap_or_else(|cause: tauri_plugin_updater::Error| format!("The check did not work: {cause}"));
    Updates { supported: true, message }
}

/// As [`check`], with the result in a dialog.
pub async fn check_and_show(app: &AppHandle) {
    dialogs::show(app, MessageDialogKind::Info, check(app).await.message);
}
