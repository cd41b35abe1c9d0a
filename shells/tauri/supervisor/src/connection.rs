//! Requests and WebSockets to the daemon: over its Unix socket where there is one, otherwise over TCP.

use std::{io, path::PathBuf, time::Duration};

use http_body_util::{BodyExt, Full, Limited};
use hyper::{Request, body::Bytes, header};
use hyper_util::rt::TokioIo;
use serde::Serialize;
use tokio::{
    io::{AsyncRead, AsyncWrite},
    net::TcpStream,
    time::timeout,
};
use tokio_tungstenite::{
    WebSocketStream, client_async_with_config,
    tungstenite::{client::IntoClientRequest, protocol::WebSocketConfig},
};

use crate::error::Error;

const MOST_BYTES: usize = 64 * 1024 * 1024;
const HANDSHAKE: Duration = Duration::from_secs(10);

/// A connection over TCP or over a Unix socket.
pub trait Wire: AsyncRead + AsyncWrite + Send + Unpin {}
impl<T: AsyncRead + AsyncWrite + Send + Unpin> Wire for T {}

pub type Socket = WebSocketStream<Box<dyn Wire>>;

#[derive(Clone)]
pub struct Endpoint {
    pub port: u16,
    /// None: the daemon is reached over TCP.
    pub socket_path: Option<PathBuf>,
    pub token: String,
    pub instance_id: String,
}

impl Endpoint {
    pub(crate) fn place(&self) -> String {
        self.socket_path.as_ref().map_or_else(|| format!("port {}", self.port), |path| path.display().to_string())
    }

    async fn connect(&self) -> io::Result<Box<dyn Wire>> {
        #[cfg(unix)]
        if let Some(path) = &self.socket_path {
            return Ok(Box::new(tokio::net::UnixStream::connect(path).await?));
        }
        Ok(Box::new(TcpStream::connect(("127.0.0.1", self.port)).await?))
    }
}

#[derive(Debug, Serialize)]
pub struct Answer {
    pub status: u16,
    pub body: String,
}

/// An answer whose body is any file.
#[derive(Debug)]
pub struct Content {
    pub status: u16,
    /// The answer's `Content-Type`; empty when it has none.
    pub media_type: String,
    pub bytes: Vec<u8>,
}

#[derive(Debug, Clone)]
pub enum Body {
    Json(String),
    /// A file. Its name is percent-encoded UTF-8 and is sent as `X-Filename`.
    File {
        name: String,
        bytes: Vec<u8>,
    },
}

impl<T: Into<String>> From<T> for Body {
    fn from(json: T) -> Self {
        Self::Json(json.into())
    }
}

#[derive(Debug, Clone)]
pub struct Call {
    pub method: String,
    pub path: String,
    pub body: Option<Body>,
    pub within: Duration,
    /// Sent as `X-Aster-Client`: the name under which approvals are answered.
    pub client: Option<String>,
}

impl Call {
    pub fn get(path: impl Into<String>, within: Duration) -> Self {
        Self { method: "GET".into(), path: path.into(), body: None, within, client: None }
    }
}

/// Sends a request and returns the answer, whatever its status. The token is sent, except to /health, which may be
/// asked of a program that is not the daemon. Raises: [`Error::Call`].
pub async fn call(endpoint: &Endpoint, call: Call) -> Result<Answer, Error> {
    let Content { status, bytes, .. } = fetch(endpoint, call).await?;
    Ok(Answer { status, body: String::from_utf8_lossy(&bytes).into_owned() })
}

/// Like [`call`], for an answer that is a file. Raises: [`Error::Call`].
pub async fn fetch(endpoint: &Endpoint, call: Call) -> Result<Content, Error> {
    let within = call.within;
    match timeout(within, exchange(endpoint, call)).await {
        Ok(answer) => answer.map_err(|cause| Error::Call(cause.to_string())),
        Err(_) => Err(Error::Call(format!("none within {} ms", within.as_millis()))),
    }
}

async fn exchange(endpoint: &Endpoint, call: Call) -> Result<Content, Box<dyn std::error::Error + Send + Sync>> {
    let mut request = Request::builder()
        .method(call.method.as_str())
        .uri(&call.path)
        .header(header::HOST, format!("127.0.0.1:{}", endpoint.port));
    if call.path != "/health" {
        request = request.header(header::AUTHORIZATION, format!("Bearer {}", endpoint.token));
    }
    if let Some(client) = &call.client {
        request = request.header("X-Aster-Client", client);
    }
    let body = match call.body {
        None => Bytes::new(),
        Some(Body::Json(text)) => {
            request = request.header(header::CONTENT_TYPE, "application/json");
            text.into()
        }
        Some(Body::File { name, bytes }) => {
            request = request.header(header::CONTENT_TYPE, "application/octet-stream").header("X-Filename", name);
            bytes.into()
        }
    };
    let request = request.body(Full::new(body))?;
    let (mut sender, connection) =
        hyper::client::conn::http1::handshake(TokioIo::new(endpoint.connect().await?)).await?;
    let answered = async {
        let response = sender.send_request(request).await?;
        let status = response.status().as_u16();
        let media_type = response.headers().get(header::CONTENT_TYPE).and_then(|value| value.to_str().ok());
        let media_type = media_type.unwrap_or_default().to_owned();
        let bytes = Limited::new(response.into_body(), MOST_BYTES).collect().await?.to_bytes().into();
        Ok(Content { status, media_type, bytes })
    };
    tokio::pin!(answered);
    // The connection is driven during the exchange and closed after it.
    tokio::select! {
        answer = &mut answered => answer,
        broken = connection => {
            broken?;
            answered.await
        }
    }
}

/// The `instance_id` of the daemon that answers /health there. Raises: [`Error::Call`] when there is no valid answer.
pub(crate) async fn identify(endpoint: &Endpoint, within: Duration) -> Result<String, Error> {
    let Answer { status, body } = call(endpoint, Call::get("/health", within)).await?;
    if status != 200 {
        return Err(Error::Call(format!("/health said {status}")));
    }
    let said: serde_json::Value = serde_json::from_str(&body).map_err(|cause| Error::Call(cause.to_string()))?;
    Ok(said["instance_id"].as_str().unwrap_or_default().to_owned())
}

/// Opens the daemon's WebSocket. `client`: the name under which approvals are answered. Raises: [`Error::Call`].
pub async fn open_socket(endpoint: &Endpoint, client: Option<&str>) -> Result<Socket, Error> {
    let failed = |cause: &dyn std::fmt::Display| Error::Call(cause.to_string());
    let mut request =
        format!("ws://127.0.0.1:{}/ws", endpoint.port).into_client_request().map_err(|cause| failed(&cause))?;
    let headers = request.headers_mut();
    let bearer = format!("Bearer {}", endpoint.token);
    headers.insert(header::AUTHORIZATION, bearer.parse().map_err(|cause| failed(&cause))?);
    if let Some(client) = client {
        headers.insert("X-Aster-Client", client.parse().map_err(|cause| failed(&cause))?);
    }
    let config = WebSocketConfig::default().max_message_size(Some(MOST_BYTES)).max_frame_size(Some(MOST_BYTES));
    let shaken = async {
        let wire = endpoint.connect().await.map_err(|cause| failed(&cause))?;
        let (socket, _) =
            client_async_with_config(request, wire, Some(config)).await.map_err(|cause| failed(&cause))?;
        Ok(socket)
    };
    match timeout(HANDSHAKE, shaken).await {
        Ok(socket) => socket,
        Err(_) => Err(Error::Call(format!("no handshake within {} s", HANDSHAKE.as_secs()))),
    }
}
