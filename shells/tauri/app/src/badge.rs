//! The badge on the app's icon: how many approvals and questions wait, and how many notifications are unread.

use std::sync::Arc;

use tauri::Manager;

use crate::{shell::Shell, windows::MAIN};

/// Shows the current number, and no badge for zero.
pub fn follow(shell: &Arc<Shell>) {
    let app = shell.app.clone();
    shell.on_view("the badge", move |view| {
        if let Some(window) = app.get_webview_window(MAIN) {
            let count = view.attention.waiting.len() as u64 + view.attention.unread;
            let count = i64::try_from(count).unwrap_or(i64::MAX);
            // Some systems have no badges.
            let _ = window.set_badge_count((count > 0).then_some(count));
        }
        Ok(())
    });
}
