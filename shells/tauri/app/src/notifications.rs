//! Notifications of the system: one for each new notification of the daemon. A click opens the place that it refers to.

use std::{sync::Arc, time::Duration};

use aster_supervisor::{Call, Supervisor};
use serde_json::json;
use tauri::async_runtime::spawn;
use tauri_plugin_notification::NotificationExt;

use crate::{
    attention::{Attention, News},
    shell::Shell,
    windows,
};

const TIMEOUT: Duration = Duration::from_secs(60);

/// Shows a notification, unless a window has the focus, or the user or the flag `desktop_notifications` turned them
/// off.
pub fn notify(shell: &Shell, attention: &Attention, news: News) {
    let on = attention.is_on("desktop_notifications");
    if !on || !shell.state.current().notifications || windows::focused(&shell.app) {
        return;
    }
    let News { notification_id, title, body, place } = news;
    let notification = shell.app.notification().builder().title(title).body(body);
    let notification = notification.extra("notification_id", notification_id).extra("place", place);
    shell.log_error("a notification", notification.show());
}

/// Lets a click on a notification show its place in the main window, and mark it as read.
pub fn handle_clicks(shell: &Arc<Shell>) {
    let clicked = shell.clone();
    let handled = shell.app.notification().on_action(move |performed| {
        let Some(shown) = performed.notification() else { return };
        let text = |name: &str| shown.extra().get(name).and_then(|value| value.as_str()).map(str::to_owned);
        windows::show(&clicked.app, text("place").as_deref());
        if let Some(notification_id) = text("notification_id") {
            let supervisor = clicked.supervisor();
            spawn(async move { mark_read(&supervisor, &notification_id).await });
        }
    });
    shell.log_error("notifications", handled);
}

async fn mark_read(supervisor: &Supervisor, notification_id: &str) {
    let body = json!({ "ids": [notification_id] }).to_string();
    let call = Call { method: "POST".into(), body: Some(body.into()), ..Call::get("/api/notifications/read", TIMEOUT) };
    // Without a daemon it stays unread, which the inbox shows.
    let _ = supervisor.call(call).await;
}
