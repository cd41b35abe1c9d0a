//! The system's dialogs: messages, questions and the choice of a folder or of a place for a file.

use std::{fmt::Display, path::PathBuf};

use tauri::{AppHandle, Manager, Wry};
use tauri_plugin_dialog::{DialogExt, FileDialogBuilder, MessageDialogButtons, MessageDialogKind};
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

fn file_dialog(app: &AppHandle, title: &str) -> FileDialogBuilder<Wry> {
    let dialog = app.dialog().file().set_title(title);
    match app.get_webview_window(MAIN) {
        Some(window) => dialog.set_parent(&window),
        None => dialog,
    }
}

/// Lets the user choose where to save a file. Suggests `name` in the folder for downloads. None: the dialog was
/// cancelled.
pub async fn save_file(app: &AppHandle, title: &str, name: &str) -> Option<PathBuf> {
    let (send, chosen) = oneshot::channel();
    let mut dialog = file_dialog(app, title).set_file_name(name);
    if let Ok(folder) = app.path().download_dir() {
        dialog = dialog.set_directory(folder);
    }
    dialog.save_file(move |path| {
        // The caller may have ended in the meantime.
        let _ = send.send(path);
    });
    chosen.await.ok().flatten()?.into_path().ok()
}

/// Lets the user choose a folder. None: the dialog was cancelled.
pub async fn pick_folder(app: &AppHandle, title: &str) -> Option<PathBuf> {
    let (send, chosen) = oneshot::channel();
    file_dialog(app, title).pick_folder(move |folder| {
        // The caller may have ended in the meantime.
        let _ = send.send(folder);
    });
    chosen.await.ok().flatten()?.into_path().ok()
}
