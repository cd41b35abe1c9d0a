//! The system's dialogs: messages, questions and the choice of a folder.

use std::{fmt::Display, path::PathBuf};

use tauri::{AppHandle, Manager};
use tauri_plugin_dialog::{DialogExt, MessageDialogButtons, MessageDialogKind};
use tokio::sync::oneshot;

use crate::{brand::NAME, windows::MAIN};

/// Shows a message, without waiting until it is closed.
pub fn show(app: &AppHandle, kind: MessageDialogKind, text: impl Into<String>) {
    app.dialog().message(text).title(NAME).kind(kind).show(|_| {});
}

/// Shows an error as `what: error`: for something that the user asked for.
pub fn report<E: Display>(app: &AppHandle, what: &str, result: Result<(), E>) {
    if let Err(cause) = result {
        show(app, MessageDialogKind::Error, format!("{what}: {cause}"));
    }
}

/// Asks a question. `yes`: the label of the button that agrees. Returns whether it was pressed.
pub async fn confirm(app: &AppHandle, text: String, yes: &str) -> bool {
    let (send, answer) = oneshot::channel();
    app.dialog()
        .message(text)
        .title(NAME)
        .buttons(MessageDialogButtons::OkCancelCustom(yes.into(), "Cancel".into()))
        .show(move |agreed| {
            // The caller may have ended in the meantime.
            let _ = send.send(agreed);
        });
    answer.await.unwrap_or(false)
}

/// Lets the user choose a folder. None: the dialog was cancelled.
pub async fn pick_folder(app: &AppHandle, title: &str) -> Option<PathBuf> {
    let (send, chosen) = oneshot::channel();
    let mut dialog = app.dialog().file().set_title(title);
    if let Some(window) = app.get_webview_window(MAIN) {
        dialog = dialog.set_parent(&window);
    }
    dialog.pick_folder(move |folder| {
        // The caller may have ended in the meantime.
        let _ = send.send(folder);
    });
    chosen.await.ok().flatten()?.into_path().ok()
}
