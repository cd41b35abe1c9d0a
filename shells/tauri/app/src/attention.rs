//! What the daemon's events say: pending approvals, open questions, unread notifications, flags, and the agents' browser.

use std::collections::{HashMap, HashSet};

use serde_json::Value;

/// The name of the MCP server that drives the agents' browser, and of the flag that turns it on.
pub const BROWSER: &str = "browser";

#[derive(Debug, Clone, Default)]
pub struct Attention {
    /// The ids of the tool calls that wait for approval, and of the open questions.
    pub waiting: HashSet<String>,
    /// The number of unread notifications.
    pub unread: u64,
    flags: HashMap<String, Value>,
    /// The MCP server of the agents' browser.
    server: Option<Browser>,
}

/// The agents' browser.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Browser {
    /// The state of its MCP server. None: it has none, because another server has the name.
    pub state: Option<String>,
    /// Why it is not available.
    pub error: Option<String>,
}

impl Browser {
    /// From the daemon's `McpServerInfo`. None: the server was deleted, or belongs to the user's configuration.
    fn of(server: &Value) -> Option<Self> {
        let text = |name: &str| server[name].as_str().map(str::to_owned);
        (server["managed"] == true).then(|| Self { state: text("state"), error: text("error") })
    }
}

impl Attention {
    /// Whether a flag is on. A flag that the daemon does not name counts as on.
    pub fn is_on(&self, flag: &str) -> bool {
        self.flags.get(flag) != Some(&Value::Bool(false))
    }

    /// The agents' browser; None while it is off.
    pub fn browser(&self) -> Option<Browser> {
        (self.flags.get(BROWSER) == Some(&Value::Bool(true))).then(|| self.server.clone().unwrap_or_default())
    }

    /// From the `data` of the daemon's /api/snapshot.
    pub fn of_snapshot(snapshot: &Value) -> Self {
        let ids = |list: &str, id: &'static str| {
            let entries = snapshot[list].as_array().into_iter().flatten();
            entries.filter_map(move |entry| Some(entry[id].as_str()?.to_owned()))
        };
        Self {
            waiting: ids("approvals", "call_id").chain(ids("questions", "question_id")).collect(),
            unread: snapshot["notifications"]["unread"].as_u64().unwrap_or_default(),
            flags: flags(&snapshot["flags"]),
            server: Browser::of(&snapshot["browser"]["server"]),
        }
    }

    /// Applies one event. Returns the notification that it adds, if it adds one.
    pub fn take(&mut self, kind: &str, data: &Value) -> Option<News> {
        let id = |name: &str| data[name].as_str().unwrap_or_default().to_owned();
        match kind {
            "approval_required" => {
                self.waiting.insert(id("call_id"));
            }
            "approval_resolved" => {
                self.waiting.remove(&id("call_id"));
            }
            "question_asked" => {
                self.waiting.insert(id("question_id"));
            }
            "question_answered" => {
                self.waiting.remove(&id("question_id"));
            }
            "notification_added" => {
                self.unread = data["unread"].as_u64().unwrap_or_default();
                return Some(News::of(data));
            }
            "notifications_read" => self.unread = data["unread"].as_u64().unwrap_or_default(),
            "flags_changed" => self.flags.extend(flags(&data["changed"])),
            "mcp_changed" if data["name"] == BROWSER => self.server = Browser::of(data),
            _ => {}
        }
        None
    }
}

fn flags(listed: &Value) -> HashMap<String, Value> {
    let listed = listed.as_array().into_iter().flatten();
    listed.filter_map(|flag| Some((flag["name"].as_str()?.to_owned(), flag["value"].clone()))).collect()
}

/// A new notification of the daemon.
#[derive(Debug, Clone)]
pub struct News {
    pub notification_id: String,
    pub title: String,
    pub body: String,
    /// The place in the page that it refers to, as `#/…`.
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

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn what_waits_is_counted_and_news_lead_somewhere() {
        let mut attention = Attention::of_snapshot(&json!({
            "approvals": [{ "call_id": "call_1" }, { "call_id": "call_2" }],
            "questions": [{ "question_id": "ask_1", "call_id": "call_4" }],
            "notifications": { "unread": 2 },
            "flags": [{ "name": "ambient", "value": false }],
        }));
        assert_eq!((attention.waiting.len(), attention.unread), (3, 2));
        assert!(!attention.is_on("ambient") && attention.is_on("desktop_notifications"));
        attention.take("approval_resolved", &json!({ "call_id": "call_1" }));
        attention.take("approval_required", &json!({ "call_id": "call_3" }));
        attention.take("approval_required", &json!({ "call_id": "call_3" }));
        attention.take("flags_changed", &json!({ "changed": [{ "name": "ambient", "value": true }] }));
        assert_eq!(attention.waiting.len(), 3);
        attention.take("question_answered", &json!({ "question_id": "ask_1", "call_id": "call_4" }));
        assert_eq!(attention.waiting.len(), 2);
        attention.take("question_asked", &json!({ "question_id": "ask_2", "call_id": "call_3" }));
        attention.take("question_asked", &json!({ "question_id": "ask_3", "call_id": "call_3" }));
        assert_eq!(attention.waiting.len(), 4);
        assert!(attention.is_on("ambient"));
        let added = json!({ "notification_id": "n", "kind": "turn_done", "title": "Done", "body": "default",
                            "session_id": "session_1", "unread": 3 });
        let news = attention.take("notification_added", &added).expect("news");
        assert_eq!((attention.unread, news.place.as_deref()), (3, Some("#/s/session_1")));
        let crashed = json!({ "kind": "service_crashed", "session_id": null });
        assert_eq!(News::of(&crashed).place.as_deref(), Some("#/settings/services"));
        attention.take("notifications_read", &json!({ "unread": 0 }));
        assert_eq!(attention.unread, 0);
    }

    #[test]
    fn the_browser_is_known_while_its_flag_is_on() {
        let server = |state: &str| json!({ "name": "browser", "managed": true, "state": state, "error": null });
        let flag = |on: bool| json!({ "changed": [{ "name": "browser", "value": on }] });
        let state = |attention: &Attention| attention.browser().and_then(|browser| browser.state);
        let mut attention = Attention::of_snapshot(&json!({
            "flags": [{ "name": "browser", "value": true }],
            "browser": { "server": server("idle") },
        }));
        assert_eq!(state(&attention).as_deref(), Some("idle"));
        attention.take("mcp_changed", &server("ready"));
        attention.take("mcp_changed", &json!({ "name": "notes", "managed": false, "state": "crashed" }));
        assert_eq!(state(&attention).as_deref(), Some("ready"));
        attention.take("mcp_changed", &json!({ "name": "browser", "managed": false, "removed": true }));
        assert_eq!(attention.browser(), Some(Browser::default()));
        attention.take("flags_changed", &flag(false));
        assert_eq!(attention.browser(), None);
        attention.take("mcp_changed", &server("starting"));
        attention.take("flags_changed", &flag(true));
        assert_eq!(state(&attention).as_deref(), Some("starting"));
        assert_eq!(Attention::default().browser(), None, "a flag that is not known does not turn it on");
    }
}
