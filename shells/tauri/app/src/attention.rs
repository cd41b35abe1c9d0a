//! What waits for the person, counted: the tray shows it, and what is new becomes a notification of the system.

use std::{
    collections::{HashMap, HashSet},
    sync::Arc,
    time::Duration,
};

use aster_supervisor::{Call, Endpoint, Status, Supervisor, open_socket};
use futures_util::{SinkExt, StreamExt};
use serde_json::{Value, json};
use tokio::time::sleep;
use tokio_tungstenite::tungstenite::Message;

use crate::shell::Shell;

const OWNER: &str = "the app";
const TYPES: [&str; 6] = [
    "approval_required",
    "approval_resolved",
    "notification_added",
    "notifications_read",
    "flags_changed",
    "history_cleared",
];
/// Between the end of a stream and the next try, while the daemon counts as ready.
const PAUSE: Duration = Duration::from_secs(1);
const WITHIN: Duration = Duration::from_secs(60);

#[derive(Debug, Clone, Default)]
pub struct Picture {
    /// The calls whose questions wait for an answer.
    pub waiting: HashSet<String>,
    /// Notifications that nobody has read.
    pub unread: u64,
    flags: HashMap<String, Value>,
}

impl Picture {
    /// A flag that the daemon does not name counts as on.
    pub fn is_on(&self, flag: &str) -> bool {
        self.flags.get(flag) != Some(&Value::Bool(false))
    }

    fn of_snapshot(snapshot: &Value) -> Self {
        let list = |value: &Value| value.as_array().cloned().unwrap_or_default();
        Self {
            waiting: list(&snapshot["approvals"])
                .iter()
                .filter_map(|approval| Some(approval["call_id"].as_str()?.to_owned()))
                .collect(),
            unread: snapshot["notifications"]["unread"].as_u64().unwrap_or_default(),
            flags: flags(&snapshot["flags"]),
        }
    }

    /// Takes one event in; returns what is news.
    fn take(&mut self, kind: &str, data: &Value) -> Option<News> {
        let call_id = || data["call_id"].as_str().unwrap_or_default().to_owned();
        match kind {
            "approval_required" => {
                self.waiting.insert(call_id());
            }
            "approval_resolved" => {
                self.waiting.remove(&call_id());
            }
            "notification_added" => {
                self.unread = data["unread"].as_u64().unwrap_or_default();
                return Some(News::of(data));
            }
            "notifications_read" => self.unread = data["unread"].as_u64().unwrap_or_default(),
            "flags_changed" => self.flags.extend(flags(&data["changed"])),
            _ => {}
        }
        None
    }
}

fn flags(listed: &Value) -> HashMap<String, Value> {
    let listed = listed.as_array().into_iter().flatten();
    listed.filter_map(|flag| Some((flag["name"].as_str()?.to_owned(), flag["value"].clone()))).collect()
}

#[derive(Debug, Clone)]
pub struct News {
    pub notification_id: String,
    pub title: String,
    pub body: String,
    /// Where in the page it leads.
    pub place: Option<String>,
}

impl News {
    fn of(data: &Value) -> Self {
        let text = |name: &str| data[name].as_str().unwrap_or_default().to_owned();
        let place = match (data["kind"].as_str(), data["session_id"].as_str()) {
            (Some("service_crashed"), _) => Some("#/settings/services".into()),
            (_, Some(session_id)) => Some(format!("#/s/{session_id}")),
            _ => None,
        };
        Self { notification_id: text("notification_id"), title: text("title"), body: text("body"), place }
    }
}

/// Follows the daemon for as long as the app lives.
pub async fn attend(shell: Arc<Shell>) {
    let mut status = shell.status();
    let mut cursor = None;
    // An error would mean that nobody can say that it is ready any more.
    while status.wait_for(|&status| status == Status::Ready).await.is_ok() {
        let supervisor = shell.supervisor();
        if let Ok(endpoint) = supervisor.endpoint() {
            tokio::select! {
                () = follow(&shell, &supervisor, &endpoint, &mut cursor) => {}
                _ = status.wait_for(|&status| status != Status::Ready) => continue,
            }
        }
        sleep(PAUSE).await;
    }
}

/// Until the stream breaks off.
async fn follow(shell: &Arc<Shell>, supervisor: &Supervisor, endpoint: &Endpoint, cursor: &mut Option<i64>) {
    let Ok(mut socket) = open_socket(endpoint, Some(OWNER)).await else { return };
    let subscribe = json!({ "id": "attention", "type": "subscribe", "payload": { "after": cursor, "types": TYPES } });
    if socket.send(Message::text(subscribe.to_string())).await.is_err() {
        return;
    }
    while let Some(Ok(message)) = socket.next().await {
        let Message::Text(text) = message else { continue };
        let Ok(event) = serde_json::from_str::<Value>(&text) else { continue };
        let data = &event["data"];
        match event["type"].as_str() {
            // With what was cleared went the events that it had.
            Some(kind @ ("connected" | "resync" | "history_cleared")) => {
                if kind == "resync" || cursor.is_none() {
                    *cursor = data["last_seq"].as_i64();
                }
                *cursor = (*cursor).max(event["seq"].as_i64());
                if let Some(picture) = snapshot(supervisor).await {
                    shell.learn(|known| *known = picture);
                    shell.draw();
                }
            }
            Some(kind) => {
                if let Some(seq) = event["seq"].as_i64() {
                    *cursor = (*cursor).max(Some(seq));
                }
                // Said as things are now; what is drawn, a person may answer with a change of that.
                if let Some(news) = shell.learn(|picture| picture.take(kind, data)) {
                    shell.notify(news);
                }
                shell.draw();
            }
            None => {}
        }
    }
}

async fn snapshot(supervisor: &Supervisor) -> Option<Picture> {
    let answer = supervisor.call(Call::get("/api/snapshot", WITHIN)).await.ok()?;
    let said: Value = serde_json::from_str(&answer.body).ok()?;
    (answer.status == 200).then(|| Picture::of_snapshot(&said["data"]))
}

pub async fn mark_read(supervisor: &Supervisor, notification_id: &str) {
    let body = json!({ "ids": [notification_id] }).to_string();
    let asked = Call { method: "POST".into(), body: Some(body), ..Call::get("/api/notifications/read", WITHIN) };
    // It stays unread when the daemon is away, and says so in the list.
    let _ = supervisor.call(asked).await;
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_waits_is_counted_and_news_lead_somewhere() {
        let mut picture = Picture::of_snapshot(&json!({
            "approvals": [{ "call_id": "call_1" }, { "call_id": "call_2" }],
            "notifications": { "unread": 2 },
            "flags": [{ "name": "ambient", "value": false }],
        }));
        assert_eq!((picture.waiting.len(), picture.unread), (2, 2));
        assert!(!picture.is_on("ambient") && picture.is_on("desktop_notifications"));
        picture.take("approval_resolved", &json!({ "call_id": "call_1" }));
        picture.take("approval_required", &json!({ "call_id": "call_3" }));
        picture.take("approval_required", &json!({ "call_id": "call_3" }));
        picture.take("flags_changed", &json!({ "changed": [{ "name": "ambient", "value": true }] }));
        assert_eq!(picture.waiting.len(), 2);
        assert!(picture.is_on("ambient"));
        let added = json!({ "notification_id": "n", "kind": "turn_done", "title": "Done", "body": "default",
                            "session_id": "session_1", "unread": 3 });
        let news = picture.take("notification_added", &added).expect("news");
        assert_eq!((picture.unread, news.place.as_deref()), (3, Some("#/s/session_1")));
        let crashed = json!({ "kind": "service_crashed", "session_id": null });
        assert_eq!(News::of(&crashed).place.as_deref(), Some("#/settings/services"));
        picture.take("notifications_read", &json!({ "unread": 0 }));
        assert_eq!(picture.unread, 0);
    }
}
