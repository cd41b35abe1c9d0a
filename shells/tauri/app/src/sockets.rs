//! The pages' sockets: each is one WebSocket to the daemon, opened and held here, so that no page has token or port.

use std::{
    collections::HashMap,
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicBool, Ordering},
    },
};

use aster_supervisor::{Endpoint, open_socket};
use futures_util::{SinkExt, StreamExt};
use serde::Serialize;
use tokio::sync::mpsc;
use tokio_tungstenite::tungstenite::{Message, protocol::CloseFrame};

use crate::checks::Refused;

/// So many at once in one window; the shared page needs one.
const MOST: usize = 16;
/// So many frames may wait to be sent to the daemon.
const MOST_WAITING: usize = 256;

#[derive(Debug, Clone, Serialize)]
pub struct SocketEvent {
    pub id: String,
    #[serde(flatten)]
    pub what: What,
}

#[derive(Debug, Clone, Serialize)]
#[serde(tag = "type", rename_all = "lowercase")]
pub enum What {
    Open,
    Message { data: String },
    Close { code: u16, reason: String },
    Error { reason: String },
}

#[derive(Clone, Default)]
pub struct Sockets {
    held: Arc<Mutex<HashMap<String, Held>>>,
}

struct Held {
    owner: String,
    open: Arc<AtomicBool>,
    /// Its end ends the socket.
    frames: mpsc::Sender<String>,
}

impl Sockets {
    /// Returns its id; `say` hears all that happens to it. `client` is who answers approvals. Raises: [`Refused`].
    pub fn open(
        &self,
        owner: &str,
        endpoint: Endpoint,
        client: &'static str,
        say: impl Fn(SocketEvent) + Send + Sync + 'static,
    ) -> Result<String, Refused> {
        let mut bytes = [0; 16];
        getrandom::fill(&mut bytes).map_err(|_| Refused("the system has no random numbers"))?;
        let id = format!("socket_{}", hex::encode(bytes));
        let (frames, waiting) = mpsc::channel(MOST_WAITING);
        let open = Arc::new(AtomicBool::new(false));
        {
            let mut held = self.held();
            if held.values().filter(|socket| socket.owner == owner).count() >= MOST {
                return Err(Refused("no more than 16 sockets at once"));
            }
            held.insert(id.clone(), Held { owner: owner.to_owned(), open: open.clone(), frames });
        }
        let (sockets, own) = (self.clone(), id.clone());
        tauri::async_runtime::spawn(async move {
            let tell = |what| {
                if sockets.held().contains_key(&own) {
                    say(SocketEvent { id: own.clone(), what });
                }
            };
            let end = relay(&endpoint, client, &open, waiting, &tell).await;
            // The first end counts; one that was closed from here says nothing.
            if let Some(what) = end
                && sockets.held().remove(&own).is_some()
            {
                say(SocketEvent { id: own.clone(), what });
            }
        });
        Ok(id)
    }

    /// Raises: [`Refused`].
    pub fn send(&self, owner: &str, id: &str, data: String) -> Result<(), Refused> {
        let held = self.held();
        let socket = held.get(id).filter(|socket| socket.owner == owner).ok_or(Refused("no such socket"))?;
        if !socket.open.load(Ordering::Acquire) {
            return Err(Refused("the socket is not open"));
        }
        socket.frames.try_send(data).map_err(|_| Refused("the daemon does not take what it is sent"))
    }

    /// Nothing more is said of it. Idempotent.
    pub fn close(&self, owner: &str, id: &str) {
        let mut held = self.held();
        if held.get(id).is_some_and(|socket| socket.owner == owner) {
            held.remove(id);
        }
    }

    /// All of one window: it is gone, or shows another page.
    pub fn close_all(&self, owner: &str) {
        self.held().retain(|_, socket| socket.owner != owner);
    }

    fn held(&self) -> MutexGuard<'_, HashMap<String, Held>> {
        self.held.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Returns how it ended; None: it was closed from here.
async fn relay(
    endpoint: &Endpoint,
    client: &str,
    open: &AtomicBool,
    mut waiting: mpsc::Receiver<String>,
    tell: &(impl Fn(What) + Sync),
) -> Option<What> {
    let broken = |cause: &dyn std::fmt::Display| Some(What::Error { reason: cause.to_string() });
    let mut socket = match open_socket(endpoint, Some(client)).await {
        Ok(socket) => socket,
        Err(cause) => return broken(&cause),
    };
    open.store(true, Ordering::Release);
    tell(What::Open);
    loop {
        tokio::select! {
            frame = waiting.recv() => match frame {
                Some(frame) => {
                    if let Err(cause) = socket.send(Message::text(frame)).await {
                        return broken(&cause);
                    }
                }
                None => {
                    // It may be gone already.
                    let _ = socket.close(None).await;
                    return None;
                }
            },
            message = socket.next() => match message {
                Some(Ok(Message::Text(text))) => tell(What::Message { data: text.to_string() }),
                Some(Ok(Message::Close(frame))) => {
                    let CloseFrame { code, reason } = frame.unwrap_or(CloseFrame {
                        code: 1005.into(),
                        reason: "".into(),
                    });
                    return Some(What::Close { code: code.into(), reason: reason.to_string() });
                }
                Some(Ok(_)) => {}
                Some(Err(cause)) => return broken(&cause),
                None => return Some(What::Close { code: 1006, reason: String::new() }),
            },
        }
    }
}
