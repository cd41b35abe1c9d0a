//! Follows the daemon's events for as long as the app runs, and publishes what waits for the user.

use std::{sync::Arc, time::Duration};

use aster_supervisor::{Call, Endpoint, Status, Supervisor, open_socket};
use futures_util::{SinkExt, StreamExt};
use serde_json::{Value, json};
use tokio::time::sleep;
use tokio_tungstenite::tungstenite::Message;

use crate::{
    attention::{Attention, BROWSER},
    notifications::notify,
    shell::Shell,
};

/// The name under which the app connects.
const CLIENT: &str = "the app";
const TYPES: [&str; 9] = [
    "approval_required",
    "approval_resolved",
    "question_asked",
    "question_answered",
    "notification_added",
    "notifications_read",
    "flags_changed",
    "mcp_changed",
    "history_cleared",
];
/// Between the end of a stream and the next connection, while the engine is ready.
const PAUSE: Duration = Duration::from_secs(1);
const TIMEOUT: Duration = Duration::from_secs(60);

/// Connects whenever the engine is ready. Does not return.
pub async fn follow(shell: Arc<Shell>) {
    let mut view = shell.subscribe();
    let (mut attention, mut cursor) = (Attention::default(), None);
    // No error is possible: `shell` holds the sender.
    while view.wait_for(|view| view.status == Status::Ready).await.is_ok() {
        let supervisor = shell.supervisor();
        if let Ok(endpoint) = supervisor.endpoint() {
            tokio::select! {
                () = listen(&shell, &supervisor, &endpoint, &mut attention, &mut cursor) => {}
                _ = view.wait_for(|view| view.status != Status::Ready) => continue,
            }
        }
        sleep(PAUSE).await;
    }
}

/// Reads one stream until it ends. `cursor`: the `seq` of the last event that was read.
async fn listen(
    shell: &Shell,
    supervisor: &Supervisor,
    endpoint: &Endpoint,
    attention: &mut Attention,
    cursor: &mut Option<i64>,
) {
    let Ok(mut socket) = open_socket(endpoint, Some(CLIENT)).await else { return };
    let subscribe = json!({ "id": "attention", "type": "subscribe", "payload": { "after": cursor, "types": TYPES } });
    if socket.send(Message::text(subscribe.to_string())).await.is_err() {
        return;
    }
    while let Some(Ok(message)) = socket.next().await {
        let Message::Text(text) = message else { continue };
        let Ok(event) = serde_json::from_str::<Value>(&text) else { continue };
        let data = &event["data"];
        match event["type"].as_str() {
            // The events of a cleared history no longer exist, so the state is read again.
            Some(kind @ ("connected" | "resync" | "history_cleared")) => {
                if kind == "resync" || cursor.is_none() {
                    *cursor = data["last_seq"].as_i64();
                }
                *cursor = (*cursor).max(event["seq"].as_i64());
                if let Some(current) = snapshot(supervisor).await {
                    *attention = current;
                    shell.publish(|view| view.attention = attention.clone());
                }
            }
            Some(kind) => {
                if let Some(seq) = event["seq"].as_i64() {
                    *cursor = (*cursor).max(Some(seq));
                }
                // The other servers are not shown.
                if kind == "mcp_changed" && data["name"] != BROWSER {
                    continue;
                }
                // Before it is published: the user may react to what the tray shows by turning notifications on or off.
                if let Some(news) = attention.take(kind, data) {
                    notify(shell, attention, news);
                }
                shell.publish(|view| view.attention = attention.clone());
            }
            None => {}
        }
    }
}

/// What waits for the user now. None: the daemon did not answer.
async fn snapshot(supervisor: &Supervisor) -> Option<Attention> {
    let answer = supervisor.call(Call::get("/api/snapshot", TIMEOUT)).await.ok()?;
    let body: Value = serde_json::from_str(&answer.body).ok()?;
    (answer.status == 200).then(|| Attention::of_snapshot(&body["data"]))
}
