//! The pages' sockets: each is a WebSocket to the daemon that the app opens, so that pages need no token and no port.

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

/// The limit of open sockets for one window; the shared page needs one.
const MOST: usize = 16;
/// The limit of frames that wait to be sent to the daemon.
const MOST_WAITING: usize = 256;

/// Something that happened to a socket, as a page receives it.
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

/// All open sockets by id. Managed by the app.
#[derive(Clone, Default)]
pub struct Sockets {
    held: Arc<Mutex<HashMap<String, Held>>>,
}

struct Held {
    /// The label of the window that opened it.
    owner: String,
    /// Whether the handshake is done.
    open: Arc<AtomicBool>,
    /// Dropping it closes the socket.
    frames: mpsc::Sender<String>,
}

impl Sockets {
    /// Opens a socket and returns its id without waiting for the handshake. `say` receives its events. `client`: the
    /// name under which approvals are answered. Raises: [`Refused`].
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
            // Only the first end is reported, and none when the page closed the socket.
            if let Some(what) = end
                && sockets.held().remove(&own).is_some()
            {
                say(SocketEvent { id: own.clone(), what });
            }
        });
        Ok(id)
    }

    /// Queues a frame for the daemon. Raises: [`Refused`].
    pub fn send(&self, owner: &str, id: &str, data: String) -> Result<(), Refused> {
        let held = self.held();
        let socket = held.get(id).filter(|socket| socket.owner == owner).ok_or(Refused("no such socket"))?;
        if !socket.open.load(Ordering::Acquire) {
            return Err(Refused("the socket is not open"));
        }
        socket.frames.try_send(data).map_err(|_| Refused("the daemon does not take what it is sent"))
    }

    /// Closes a socket; no more events are sent. Closing it again does nothing.
    pub fn close(&self, owner: &str, id: &str) {
        let mut held = self.held();
        if held.get(id).is_some_and(|socket| socket.owner == owner) {
            held.remove(id);
        }
    }

    /// Closes all sockets of a window that was closed or loads another page.
    pub fn close_all(&self, owner: &str) {
        self.held().retain(|_, socket| socket.owner != owner);
    }

    fn held(&self) -> MutexGuard<'_, HashMap<String, Held>> {
        self.held.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Connects and passes frames both ways until the end. Returns the event of the end; None: the page closed the socket.
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
                    // The connection may have ended already.
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
