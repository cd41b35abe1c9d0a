//! The commands that pages may call: `window.asterHost` in host.js calls them, the capability lists them.

use std::{fs, path::PathBuf, sync::Arc, time::Duration};

use aster_supervisor::{Answer, Body, Call, Content};
use serde::Serialize;
use serde_json::{Value, json};
use tauri::{
    AppHandle, Emitter, Manager, State, WebviewWindow,
    ipc::{Invoke, InvokeBody, Request, Response},
};

use crate::{
    checks::{
        Refused, check_attachment_id, check_frame, check_place, check_request, check_socket_url, check_upload,
        file_name,
    },
    diagnostics, dialogs,
    pending_place::PendingPlace,
    runtime_info::RuntimeInfo,
    shell::Shell,
    sockets::Sockets,
    updates::{self, Updates},
    windows::{MAIN, QUICK},
};

/// How long a page's call waits for the daemon's answer.
const TIMEOUT: Duration = Duration::from_secs(60);
/// How long a page's call waits for an engine that is starting, before it is refused.
const PATIENCE: Duration = Duration::from_secs(5);
/// The name under which approvals are answered in a window.
const CLIENT: &str = "the app window";
const ATTACHMENTS: &str = "/api/attachments";

type Host<'a> = State<'a, Arc<Shell>>;

/// Why a call failed, as text for the page.
#[derive(Debug, Serialize)]
#[serde(transparent)]
pub struct Refusal(String);

impl<E: std::error::Error> From<E> for Refusal {
    fn from(cause: E) -> Self {
        Self(cause.to_string())
    }
}

type Answered<T> = Result<T, Refusal>;

/// The handler of all commands; build.rs lists the same.
pub fn handler() -> impl Fn(Invoke) -> bool + Send + Sync + 'static {
    tauri::generate_handler![
        get_runtime_info,
        start_engine,
        stop_engine,
        restart_engine,
        pick_folder,
        open_logs,
        export_diagnostics,
        check_for_updates,
        save_attachment,
        request,
        upload,
        download,
        open_socket,
        send_socket,
        close_socket,
        remember_place,
        take_place,
        hide_quick,
    ]
}

#[tauri::command]
async fn get_runtime_info(host: Host<'_>) -> Answered<RuntimeInfo> {
    Ok(RuntimeInfo::of(&host))
}

#[tauri::command]
async fn start_engine(host: Host<'_>) -> Answered<()> {
    Ok(host.supervisor().start().await?)
}

#[tauri::command]
async fn stop_engine(host: Host<'_>) -> Answered<()> {
    host.supervisor().stop().await;
    Ok(())
}

#[tauri::command]
async fn restart_engine(host: Host<'_>) -> Answered<()> {
    Ok(host.supervisor().restart().await?)
}

#[tauri::command]
async fn pick_folder(app: AppHandle) -> Answered<Option<PathBuf>> {
    Ok(dialogs::pick_folder(&app, "Choose a folder").await)
}

#[tauri::command]
async fn open_logs(host: Host<'_>) -> Answered<()> {
    Ok(diagnostics::open_logs(&host)?)
}

#[tauri::command]
async fn export_diagnostics(host: Host<'_>) -> Answered<PathBuf> {
    diagnostics::export(&host).await.map_err(Refusal)
}

#[tauri::command]
async fn check_for_updates(app: AppHandle) -> Answered<Updates> {
    Ok(updates::check(&app).await)
}

/// Saves an attachment where the user chooses. Returns its path; none when the user cancels.
#[tauri::command]
async fn save_attachment(
    host: Host<'_>,
    app: AppHandle,
    attachment_id: String,
    name: String,
) -> Answered<Option<PathBuf>> {
    let Content { status, bytes, .. } = attachment(&host, &attachment_id).await?;
    if status != 200 {
        let said: Value = serde_json::from_slice(&bytes).unwrap_or_default();
        let words = said["error"].as_str().map(str::to_owned);
        return Err(Refusal(words.unwrap_or_else(|| format!("the daemon answered {status}"))));
    }
    let Some(path) = dialogs::save_file(&app, "Save the file", &file_name(&name)).await else { return Ok(None) };
    fs::write(&path, bytes)?;
    Ok(Some(path))
}

#[tauri::command]
async fn request(host: Host<'_>, method: String, path: String, body: Option<String>) -> Answered<Answer> {
    check_request(&method, &path, body.as_deref())?;
    let supervisor = host.supervisor();
    supervisor.reachable(PATIENCE).await;
    let body = body.map(Body::Json);
    Ok(supervisor.call(Call { method, path, body, within: TIMEOUT, client: Some(CLIENT.into()) }).await?)
}

/// The message's body is the file; its header X-Filename has the percent-encoded name.
#[tauri::command]
async fn upload(host: Host<'_>, message: Request<'_>) -> Answered<Answer> {
    let InvokeBody::Raw(bytes) = message.body() else { return Err(Refused("a file is bytes").into()) };
    let name = message.headers().get("X-Filename").and_then(|name| name.to_str().ok()).unwrap_or_default().to_owned();
    check_upload(&name, bytes.len())?;
    let supervisor = host.supervisor();
    supervisor.reachable(PATIENCE).await;
    let body = Some(Body::File { name, bytes: bytes.clone() });
    let (method, client) = ("POST".into(), Some(CLIENT.into()));
    Ok(supervisor.call(Call { method, body, client, ..Call::get(ATTACHMENTS, TIMEOUT) }).await?)
}

/// The message is one line of JSON with `status` and `media_type`, and then the bytes of the daemon's answer.
#[tauri::command]
async fn download(host: Host<'_>, attachment_id: String) -> Answered<Response> {
    let Content { status, media_type, bytes } = attachment(&host, &attachment_id).await?;
    let head = json!({ "status": status, "media_type": media_type }).to_string() + "\n";
    Ok(Response::new([head.into_bytes(), bytes].concat()))
}

/// The daemon's answer to a request for an attachment.
async fn attachment(host: &Host<'_>, id: &str) -> Answered<Content> {
    check_attachment_id(id)?;
    let supervisor = host.supervisor();
    supervisor.reachable(PATIENCE).await;
    let asked = Call { client: Some(CLIENT.into()), ..Call::get(format!("{ATTACHMENTS}/{id}"), TIMEOUT) };
    Ok(supervisor.fetch(asked).await?)
}

#[tauri::command]
async fn open_socket(
    host: Host<'_>,
    sockets: State<'_, Sockets>,
    window: WebviewWindow,
    url: String,
) -> Answered<String> {
    check_socket_url(&url)?;
    let supervisor = host.supervisor();
    supervisor.reachable(PATIENCE).await;
    let owner = window.label().to_owned();
    Ok(sockets.open(&owner, supervisor.endpoint()?, CLIENT, move |event| {
        // The window may have been closed; its sockets are closed with it.
        let _ = window.emit_to(window.label(), "aster:socket-event", event);
    })?)
}

#[tauri::command]
async fn send_socket(sockets: State<'_, Sockets>, window: WebviewWindow, id: String, data: String) -> Answered<()> {
    check_frame(&data)?;
    Ok(sockets.send(window.label(), &id, data)?)
}

#[tauri::command]
async fn close_socket(sockets: State<'_, Sockets>, window: WebviewWindow, id: String) -> Answered<()> {
    sockets.close(window.label(), &id);
    Ok(())
}

#[tauri::command]
async fn remember_place(host: Host<'_>, place: String) -> Answered<()> {
    check_place(&place)?;
    Ok(host.state.change(|remembered| remembered.last_place = Some(place))?)
}

#[tauri::command]
async fn take_place(pending: State<'_, PendingPlace>, window: WebviewWindow) -> Answered<Option<String>> {
    Ok(if window.label() == MAIN { pending.listen() } else { None })
}

#[tauri::command]
async fn hide_quick(app: AppHandle) -> Answered<()> {
    match app.get_webview_window(QUICK) {
        Some(window) => Ok(window.hide()?),
        None => Ok(()),
    }
}
