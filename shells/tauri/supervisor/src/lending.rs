//! Lends tools of the app to the daemon's agents, and answers the calls of these tools.
//!
//! A call runs at most once in this process, and its result is sent until the daemon has it: over restarts of the
//! daemon, and over lost connections.

use std::{
    collections::{HashMap, HashSet},
    future::Future,
    pin::Pin,
    sync::Arc,
    time::Duration,
};

use futures_util::{SinkExt, StreamExt};
use serde_json::{Map, Value, json};
use tokio::{
    sync::{mpsc, watch},
    task::{JoinHandle, spawn},
    time::sleep,
};
use tokio_tungstenite::tungstenite::Message;

use crate::{
    connection::{Socket, open_socket},
    supervisor::Supervisor,
};

/// Between two attempts to connect or to register.
const PAUSE: Duration = Duration::from_millis(500);

type Running = Pin<Box<dyn Future<Output = Result<Value, String>> + Send>>;
type Run = Arc<dyn Fn(Value, CallContext) -> Running + Send + Sync>;

/// A tool of the app. `docs/protocol.md`, `HostTool`, has the fields.
#[derive(Clone)]
pub struct Tool {
    definition: Map<String, Value>,
    run: Run,
}

impl Tool {
    /// A tool with any object as arguments and the risk `medium`. `run` gets the arguments; its error is for the model.
    pub fn new<R>(name: &str, description: &str, run: impl Fn(Value, CallContext) -> R + Send + Sync + 'static) -> Self
    where
        R: Future<Output = Result<Value, String>> + Send + 'static,
    {
        let mut definition = Map::new();
        definition.insert("name".into(), name.into());
        definition.insert("description".into(), description.into());
        Self { definition, run: Arc::new(move |arguments, context| Box::pin(run(arguments, context))) }
    }

    /// The JSON Schema of the arguments, an object.
    pub fn parameters(self, schema: Value) -> Self {
        self.with("parameters", schema)
    }

    /// `low`, `medium` or `high`.
    pub fn risk(self, risk: &str) -> Self {
        self.with("risk", risk.into())
    }

    /// How long a call may take, unless it is durable.
    pub fn timeout(self, most: Duration) -> Self {
        self.with("timeout_s", most.as_secs_f64().into())
    }

    /// Calls wait for the app while it is away, over restarts.
    pub fn durable(self) -> Self {
        self.with("wait", "durable".into())
    }

    /// A call may run again when it is not known how it ended.
    pub fn idempotent(self) -> Self {
        self.with("idempotent", true.into())
    }

    /// Only these agents have the tool.
    pub fn agents(self, ids: &[&str]) -> Self {
        self.with("agents", ids.into())
    }

    fn with(mut self, field: &str, value: Value) -> Self {
        self.definition.insert(field.into(), value);
        self
    }
}

/// What a running call gets besides its arguments.
#[derive(Clone)]
pub struct CallContext {
    pub call_id: String,
    pub agent_id: String,
    pub session_id: String,
    news: mpsc::UnboundedSender<News>,
    cancelled: watch::Receiver<bool>,
}

impl CallContext {
    /// Shows the progress of the call: a message, and a share from 0 to 1.
    pub fn progress(&self, message: &str, share: Option<f64>) {
        let _ = self.news.send(News::Progress(self.call_id.clone(), message.to_owned(), share));
    }

    /// Returns when nobody needs the result any more: the turn was cancelled, or the time is over.
    pub async fn cancelled(&mut self) {
        let _ = self.cancelled.wait_for(|cancelled| *cancelled).await;
    }
}

/// Whether the daemon has the tools now, or why not.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Lent {
    pub online: bool,
    /// The code and the words of the daemon's last refusal.
    pub problem: Option<(String, String)>,
}

/// Tools that are lent. They are taken back when this is dropped.
pub struct Lending {
    task: JoinHandle<()>,
    state: watch::Receiver<Lent>,
}

impl Lending {
    pub fn state(&self) -> Lent {
        self.state.borrow().clone()
    }

    /// Returns when the daemon has the tools.
    pub async fn online(&self) {
        let _ = self.state.clone().wait_for(|state| state.online).await;
    }
}

impl Drop for Lending {
    fn drop(&mut self) {
        self.task.abort();
    }
}

impl Supervisor {
    /// Lends tools to the agents of the daemon under the app's `name`, as long as the result lives.
    ///
    /// It waits for the daemon, and registers again after each restart. With `replace`, it takes over from another
    /// process that lends under this name.
    pub fn lend(&self, name: &str, tools: Vec<Tool>, replace: bool) -> Lending {
        let (state, told) = watch::channel(Lent::default());
        let (news, heard) = mpsc::unbounded_channel();
        let definitions: Vec<Value> = tools.iter().map(|tool| tool.definition.clone().into()).collect();
        let instance = format!("{:016x}{:016x}", fastrand::u64(..), fastrand::u64(..));
        let registration = json!({ "name": name, "instance": instance, "tools": definitions, "replace": replace });
        let tools = tools.into_iter().map(|tool| (tool.definition["name"].as_str().unwrap_or_default().into(), tool));
        let lender =
            Lender { registration, tools: tools.collect(), calls: HashMap::new(), ended: HashSet::new(), news };
        Lending { task: spawn(lender.keep(self.clone(), heard, state)), state: told }
    }
}

enum News {
    Ended(String, Result<Value, String>),
    Progress(String, String, Option<f64>),
}

enum Progress {
    Running(watch::Sender<bool>),
    Ended(Result<Value, String>),
}

struct Lender {
    registration: Value,
    tools: HashMap<String, Tool>,
    /// Calls that run, or whose result the daemon does not have yet.
    calls: HashMap<String, Progress>,
    /// Calls whose result it has.
    ended: HashSet<String>,
    news: mpsc::UnboundedSender<News>,
}

/// One connection: who we are there.
struct Link {
    socket: Socket,
    sent: u64,
    host_id: String,
    lease: String,
}

impl Link {
    /// Sends a message whose id says what it is about. Returns false when the connection has ended.
    async fn send(&mut self, kind: &str, about: &str, payload: Value) -> bool {
        self.sent += 1;
        let id = format!("{kind}.{about}.{}", self.sent);
        let message = json!({ "id": id, "type": kind, "payload": payload });
        self.socket.send(Message::text(message.to_string())).await.is_ok()
    }

    /// Sends a message about a call.
    async fn tell(&mut self, kind: &str, call_id: &str, more: Value) -> bool {
        if self.lease.is_empty() {
            return true; // it is sent after the registration
        }
        let mut payload = json!({ "host_id": self.host_id, "lease": self.lease, "call_id": call_id });
        if let (Some(payload), Value::Object(more)) = (payload.as_object_mut(), more) {
            payload.extend(more);
        }
        self.send(kind, call_id, payload).await
    }
}

impl Lender {
    /// Connects whenever the daemon is there. Does not return.
    async fn keep(
        mut self,
        supervisor: Supervisor,
        mut heard: mpsc::UnboundedReceiver<News>,
        state: watch::Sender<Lent>,
    ) {
        loop {
            if let Ok(endpoint) = supervisor.endpoint()
                && let Ok(socket) = open_socket(&endpoint, None).await
            {
                let link = Link { socket, sent: 0, host_id: String::new(), lease: String::new() };
                self.serve(link, &mut heard, &state).await;
                state.send_modify(|state| state.online = false);
            }
            while let Ok(news) = heard.try_recv() {
                self.note(news);
            }
            sleep(PAUSE).await;
        }
    }

    /// Serves one connection until it ends.
    async fn serve(&mut self, mut link: Link, heard: &mut mpsc::UnboundedReceiver<News>, state: &watch::Sender<Lent>) {
        let types = json!({ "types": ["host_call", "host_cancel"] });
        if !link.send("subscribe", "", types).await {
            return;
        }
        if !link.send("host_register", "", self.registration.clone()).await {
            return;
        }
        loop {
            let going = tokio::select! {
                message = link.socket.next() => match message {
                    Some(Ok(Message::Text(text))) => match serde_json::from_str::<Value>(&text) {
                        Ok(message) => self.take(&mut link, &message, state).await,
                        Err(_) => true,
                    },
                    Some(Ok(Message::Close(_)) | Err(_)) | None => false,
                    Some(Ok(_)) => true,
                },
                Some(news) = heard.recv() => match &news {
                    News::Progress(call_id, message, share) => {
                        link.tell("host_progress", call_id, json!({ "message": message, "progress": share })).await
                    }
                    News::Ended(call_id, _) => {
                        let call_id = call_id.clone();
                        self.note(news);
                        self.send_result(&mut link, &call_id).await
                    }
                },
            };
            if !going {
                return;
            }
        }
    }

    fn note(&mut self, news: News) {
        if let News::Ended(call_id, result) = news {
            self.calls.insert(call_id, Progress::Ended(result));
        }
    }

    /// Handles a message of the daemon. Returns false when the connection has ended.
    async fn take(&mut self, link: &mut Link, message: &Value, state: &watch::Sender<Lent>) -> bool {
        let data = &message["data"];
        let call_id = data["call_id"].as_str().unwrap_or_default().to_owned();
        match message["type"].as_str() {
            Some("host_call") if data["host_id"] == link.host_id && !link.host_id.is_empty() => {
                return self.calls.contains_key(&call_id)
                    || self.ended.contains(&call_id)
                    || link.tell("host_accept", &call_id, json!({})).await;
            }
            Some("host_cancel") => {
                if let Some(Progress::Running(cancel)) = self.calls.get(&call_id) {
                    let _ = cancel.send(true);
                }
                return true;
            }
            Some(_) => return true,
            None => {}
        }
        let id = message["id"].as_str().unwrap_or_default();
        let mut parts = id.split('.');
        let (kind, about) = (parts.next().unwrap_or_default(), parts.next().unwrap_or_default().to_owned());
        let refusal = message["code"].as_str().filter(|_| message["success"] == false);
        match (kind, refusal) {
            ("host_register", None) => {
                link.host_id = data["host_id"].as_str().unwrap_or_default().into();
                link.lease = data["lease"].as_str().unwrap_or_default().into();
                state.send_replace(Lent { online: true, problem: None });
                for call in data["calls"].as_array().into_iter().flatten() {
                    if !self.resume(link, call).await {
                        return false;
                    }
                }
                true
            }
            ("host_register", Some(code)) => {
                let words = message["error"].as_str().unwrap_or_default();
                state.send_replace(Lent { online: false, problem: Some((code.into(), words.into())) });
                sleep(PAUSE).await;
                link.send("host_register", "", self.registration.clone()).await
            }
            ("host_accept", None) => {
                self.start(data);
                true
            }
            ("host_result", None | Some("host_call_ended" | "host_call_not_found" | "call_not_yours")) => {
                self.calls.remove(&about);
                self.ended.insert(about);
                true
            }
            ("host_result", Some("store_unavailable" | "stopping")) => {
                sleep(PAUSE).await;
                self.send_result(link, &about).await
            }
            ("host_result", Some("lease_lost")) => {
                link.lease.clear();
                link.send("host_register", "", self.registration.clone()).await
            }
            ("host_result", Some(_)) => {
                let words = message["error"].as_str().unwrap_or_default();
                let error = format!("the result could not be delivered: {words}");
                self.calls.insert(about.clone(), Progress::Ended(Err(error)));
                self.send_result(link, &about).await
            }
            _ => true,
        }
    }

    /// Goes on with a call that was open when we registered.
    async fn resume(&mut self, link: &mut Link, call: &Value) -> bool {
        let call_id = call["call_id"].as_str().unwrap_or_default();
        match self.calls.get(call_id) {
            Some(Progress::Ended(_)) => self.send_result(link, call_id).await,
            Some(Progress::Running(_)) => true,
            None if call["accepted"] == true => {
                self.start(call); // the answer to our accept was lost
                true
            }
            None => link.tell("host_accept", call_id, json!({})).await,
        }
    }

    /// Runs a call that we have accepted, unless it runs or has run.
    fn start(&mut self, call: &Value) {
        let text = |field: &str| call[field].as_str().unwrap_or_default().to_owned();
        let call_id = text("call_id");
        if self.calls.contains_key(&call_id) || self.ended.contains(&call_id) {
            return;
        }
        let (cancel, cancelled) = watch::channel(false);
        let context = CallContext {
            call_id: call_id.clone(),
            agent_id: text("agent_id"),
            session_id: text("session_id"),
            news: self.news.clone(),
            cancelled,
        };
        let Some(tool) = self.tools.get(&text("tool")) else { return };
        let running = spawn((tool.run)(call["arguments"].clone(), context));
        self.calls.insert(call_id.clone(), Progress::Running(cancel));
        let news = self.news.clone();
        spawn(async move {
            let result = running.await.unwrap_or_else(|_| Err("the tool failed inside the app".into()));
            let _ = news.send(News::Ended(call_id, result));
        });
    }

    async fn send_result(&self, link: &mut Link, call_id: &str) -> bool {
        let Some(Progress::Ended(result)) = self.calls.get(call_id) else { return true };
        let payload = match result {
            Ok(result) => json!({ "result": result }),
            Err(words) => json!({ "error": if words.is_empty() { "it failed" } else { words } }),
        };
        link.tell("host_result", call_id, payload).await
    }
}
